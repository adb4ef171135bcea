/* The plan for MySQL and MariaDB: golden plans of every strategy, from answers of the ladder made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "change/text_my.h"
#include "plan/maker_my.h"

#include <stdlib.h>
#include <string.h>

/* ---- tables and a server made by hand ------------------------------------------------------- */

static MyColumn orders_columns[] = {
    {.name = "id",
     .type = "bigint",
     .data_type = "bigint",
     .not_null = true,
     .auto_increment = true,
     .comment = "",
     .characters = -1,
     .bytes = -1,
     .precision = 19,
     .fraction = -1},
    {.name = "customer",
     .type = "varchar(20)",
     .data_type = "varchar",
     .charset = "utf8mb4",
     .collation = "utf8mb4_general_ci",
     .not_null = true,
     .comment = "",
     .characters = 20,
     .bytes = 80,
     .precision = -1,
     .scale = -1,
     .fraction = -1},
    {.name = "amount",
     .type = "int",
     .data_type = "int",
     .default_sql = "0",
     .comment = "",
     .characters = -1,
     .bytes = -1,
     .precision = 10,
     .fraction = -1},
};
static MyIndexPart key_parts[] = {{.column = "id"}};
static MyIndexPart customer_parts[] = {{.column = "customer"}};
static MyIndex orders_indexes[] = {
    {.name = "PRIMARY", .kind = "BTREE", .parts = key_parts, .part_count = 1, .unique = true},
    {.name = "c", .kind = "BTREE", .parts = customer_parts, .part_count = 1}};
static const char *const key_columns[] = {"id"};
static Index key_index = {.name = "PRIMARY",
                          .columns = key_columns,
                          .column_count = 1,
                          .unique = true,
                          .primary = true,
                          .valid = true,
                          .key = true,
                          .integer_key = true};
static const char orders_sql[] = "CREATE TABLE `orders` (\n"
                                 "  `id` bigint NOT NULL AUTO_INCREMENT,\n"
                                 "  `customer` varchar(20) NOT NULL,\n"
                                 "  `amount` int DEFAULT '0',\n"
                                 "  PRIMARY KEY (`id`),\n"
                                 "  KEY `c` (`customer`)\n"
                                 ") ENGINE=InnoDB";
static const char *const path[] = {"shop"};

typedef struct Fixture {
    Arena *arena;
    const char *sql;
    MyServer settings;
    Server server;
    Table real, before;
    Table after[3];
    MyTable my, my_after[3];
    Ladder ladders[4];        /* one a statement; [3]: of the joined one */
    bool joins, hides, apart; /* apart: ladders [1] and [2] are those of the first statement's actions */
    PlanInputMy input;
    const char *accepted[4];
} Fixture;

static void init(Fixture *f, Arena *arena)
{
    *f = (Fixture){.arena = arena};
    f->settings = (MyServer){.autoinc_lock_mode = 2,
                             .invisible_columns = true,
                             .set_visible = true,
                             .checks_by_schema = true,
                             .logged = true};
    f->server = (Server){.engine = "mysql",
                         .version_num = 90704,
                         .version = "9.7.4",
                         .database = "shop",
                         .search_path = path,
                         .search_path_count = 1,
                         .my = &f->settings};
    f->my = (MyTable){.engine = "InnoDB",
                      .comment = "",
                      .options = "",
                      .create_sql = orders_sql,
                      .columns = orders_columns,
                      .column_count = ARRAY_LEN(orders_columns),
                      .indexes = orders_indexes,
                      .index_count = ARRAY_LEN(orders_indexes),
                      .children_known = true,
                      .row_count = MY_ROWS_COUNTED,
                      .innodb = true};
    f->real = (Table){.schema = "shop",
                      .name = "orders",
                      .id = 1,
                      .kind = RELATION_TABLE,
                      .row_estimate = 10000000,
                      .total_bytes = 2000000000,
                      .indexes = &key_index,
                      .index_count = 1,
                      .my = &f->my};
    f->before = f->real;
    for (size_t i = 0; i < ARRAY_LEN(f->after); i++) {
        f->my_after[i] = f->my;
        f->my_after[i].columns = arena_alloc(arena, 8 * sizeof(MyColumn));
        memcpy(f->my_after[i].columns, orders_columns, sizeof orders_columns);
        f->my_after[i].indexes = arena_alloc(arena, 8 * sizeof(MyIndex));
        memcpy(f->my_after[i].indexes, orders_indexes, sizeof orders_indexes);
        f->after[i] = f->real;
        f->after[i].my = &f->my_after[i];
        f->ladders[i] = (Ladder){.before = "old", .after = "new", .row_versions_left = -1};
    }
    f->input.server = &f->server;
}

static void server_says(Fixture *f, size_t at, Rung rung, const char *clause)
{
    f->ladders[at].rung = rung;
    f->ladders[at].clause = clause;
    f->ladders[at].before = at == 0 ? "old" : "new";
    f->ladders[at].after = at == 0 ? "new" : "newer";
    f->ladders[at].rebuilds = rung > RUNG_INPLACE;
}

/* The column is another one in what comes of statement `at`, and of those behind it. */
static MyColumn *column_after(Fixture *f, size_t at, const char *name)
{
    for (size_t i = 0; i < f->my_after[at].column_count; i++)
        if (str_eq(f->my_after[at].columns[i].name, name))
            return &f->my_after[at].columns[i];
    MyColumn *added = &f->my_after[at].columns[f->my_after[at].column_count++];
    *added = (MyColumn){.name = name, .comment = "", .characters = -1, .bytes = -1, .fraction = -1};
    return added;
}

static void amount_is_bigint(Fixture *f, size_t at)
{
    MyColumn *column = column_after(f, at, "amount");
    column->type = column->data_type = "bigint";
}

static void index_after(Fixture *f, size_t at, const char *name, bool is_unique)
{
    f->my_after[at].indexes[f->my_after[at].index_count++] = (MyIndex){
        .name = name, .kind = "BTREE", .parts = customer_parts, .part_count = 1, .unique = is_unique};
}

static AskedMy asked_of(Fixture *f, const Operation *operation, size_t at)
{
    AskedMy asked = {.sql = operation->sql,
                     .my = operation->my,
                     .ladder = f->ladders[at],
                     .before = at == 0 ? &f->before : &f->after[at - 1],
                     .after = &f->after[at]};
    const char *hidden = f->hides ? plan_hide_my(f->arena, operation) : NULL;
    if (hidden == NULL)
        return asked;
    MyStatement *my = arena_alloc(f->arena, sizeof *my);
    MyFault fault = {0};
    assert_true(my_parse(f->arena, operation->lexis, hidden, (MySpan){.end = strlen(hidden)}, my, &fault));
    asked.sql = hidden;
    asked.my = my;
    asked.hides = true;
    return asked;
}

/* The two actions of the statement, asked one by one. */
static void ask_apart(Fixture *f, const Operation *operation, AskedMy *whole)
{
    AskedMy *parts = arena_alloc(f->arena, 2 * sizeof *parts);
    for (size_t i = 0; i < 2; i++) {
        const bool keep[2] = {i == 0, i == 1};
        MyStatement *my = arena_alloc(f->arena, sizeof *my);
        MyFault fault = {0};
        parts[i] = *whole;
        parts[i].sql = my_alter_sql(f->arena, "orders", operation->sql, operation->my, keep);
        assert_true(my_parse(f->arena, operation->lexis, parts[i].sql, (MySpan){.end = strlen(parts[i].sql)},
                             my, &fault));
        parts[i].my = my;
        parts[i].ladder = f->ladders[i + 1];
        parts[i].ladder.before = i == 0 ? "old" : "half";
        parts[i].ladder.after = i == 0 ? "half" : "new";
    }
    whole->parts = parts;
    whole->part_count = 2;
}

static Err *make(Fixture *f, Plan *ret_plan)
{
    Change *change = arena_alloc(f->arena, sizeof *change);
    MyDialect dialect = {.mariadb = f->settings.mariadb, .version = f->server.version_num};
    change_parse_my(f->arena, &(ChangeInput){.sql = f->sql, .name = "test"}, &dialect, change);
    f->input.change = change;
    f->input.options.max_stall_ms = 200;
    f->input.options.accepted = f->accepted;
    while (f->input.options.accepted_count < ARRAY_LEN(f->accepted) &&
           f->accepted[f->input.options.accepted_count] != NULL)
        f->input.options.accepted_count++;
    WorkMy *works = arena_alloc(f->arena, (change->operation_count + 1) * sizeof *works);
    const Operation **list = arena_alloc(f->arena, (change->operation_count + 1) * sizeof(Operation *));
    AskedMy *asked = arena_alloc(f->arena, (change->operation_count + 2) * sizeof *asked);
    size_t count = 0;
    for (size_t i = 0; i < change->operation_count; i++) {
        const Operation *operation = list[i] = &change->operations[i];
        bool alter = operation->my->kind == MY_STATEMENT_ALTER_TABLE;
        bool goes_on = alter && count > 0 && works[count - 1].asked != NULL &&
                       works[count - 1].operations[0]->when == operation->when;
        if (alter)
            asked[i] = asked_of(f, operation, i);
        if (alter && f->apart && i == 0)
            ask_apart(f, operation, &asked[i]);
        if (goes_on) {
            works[count - 1].count++;
            continue;
        }
        works[count++] = (WorkMy){
            .operations = &list[i], .count = 1, .asked = alter ? &asked[i] : NULL, .table = &f->real};
    }
    if (f->joins) {
        Change *joined = arena_alloc(f->arena, sizeof *joined);
        size_t head = strlen("ALTER TABLE `orders`");
        const char *sql =
            arena_printf(f->arena, "%s,%s", change->operations[0].sql, change->operations[1].sql + head);
        change_parse_my(f->arena, &(ChangeInput){.sql = sql}, &dialect, joined);
        AskedMy *one = arena_alloc(f->arena, sizeof *one);
        *one = asked_of(f, &joined->operations[0], 0);
        one->ladder = f->ladders[3];
        one->after = &f->after[1];
        works[0].joined = one;
    }
    f->input.works = works;
    f->input.work_count = count;
    return plan_make_my(f->arena, &f->input, ret_plan);
}

/* ---- golden plans --------------------------------------------------------------------------- */

static void brief_step(json_t *steps, const Step *step)
{
    json_t *lines = json_array();
    json_array_append_new(lines, json_sprintf("%d %s %s: %s", step->ordinal, phase_name(step->phase),
                                              step_kinds[step->kind].name, step->title));
    for (size_t i = 0; i < step->sql_count; i++)
        json_array_append_new(lines, json_sprintf("  %s", step->sql[i]));
    for (size_t i = 0; i < step->undo_count; i++)
        json_array_append_new(lines, json_sprintf("  undo: %s", step->undo[i]));
    for (size_t i = 0; i < step->look_count; i++)
        json_array_append_new(lines, json_sprintf("  looks at %s", step->looks[i].table.name));
    if (step->lock[0] != '\0')
        json_array_append_new(lines, json_sprintf("  %s, %s", step->lock, timeout_name(step->timeout)));
    if (step->kind == STEP_COPY || step->kind == STEP_SWAP)
        json_array_append_new(lines, shadow_spec_to_json(step->shadow));
    json_array_append_new(steps, lines);
}

static json_t *brief(const Plan *plan)
{
    json_t *steps = json_array(), *reverts = json_array(), *risks = json_array(), *tables = json_array();
    for (size_t i = 0; i < plan->step_count; i++)
        brief_step(steps, &plan->steps[i]);
    for (size_t i = 0; i < plan->revert_count; i++)
        brief_step(reverts, &plan->reverts[i]);
    for (size_t i = 0; i < plan->risk_count; i++)
        json_array_append_new(risks, json_sprintf("%s%s%s: %s", plan->risks[i].id,
                                                  plan->risks[i].accept == NULL ? "" : " ",
                                                  plan->risks[i].accept == NULL ? "" : plan->risks[i].accept,
                                                  plan->risks[i].message));
    for (size_t i = 0; i < plan->table_count; i++)
        json_array_append_new(tables, json_string(plan->tables[i]));
    return json_pack("{s:s, s:b, s:o, s:o, s:o, s:s?, s:o}", "strategy", plan->strategy, "nothing_to_do",
                     plan->nothing_to_do, "tables", tables, "steps", steps, "reverts", reverts, "no_revert",
                     plan->no_revert, "risks", risks);
}

/* JSON and back gives the same plan. */
static void round_trip(Arena *arena, const Plan *plan)
{
    json_t *json = plan_to_json(plan);
    Plan again = {0};
    assert_null(plan_from_json(arena, json, &again));
    json_t *second = plan_to_json(&again);
    assert_true(json_equal(json, second));
    json_decref(json);
    json_decref(second);
}

static void golden(const char *name, void (*fill)(Fixture *f))
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Fixture f;
    Plan plan = {0};
    json_t *have = NULL;
    init(&f, arena);
    fill(&f);
    Err *err = make(&f, &plan);
    if (err == NULL) {
        round_trip(arena, &plan);
        have = brief(&plan);
    } else {
        have = json_pack("{s:s, s:s, s:s?}", "refused", err_kind_name(err->kind), "message", err->msg, "hint",
                         err->hint);
        err_free(err);
    }
    const char *file = arena_printf(arena, "%s/plan_my/%s.json", TEST_DIR, name),
               *mode = getenv("STOA_GOLDEN");
    if (mode != NULL && str_eq(mode, "write"))
        assert_int_equal(json_dump_file(have, file, JSON_INDENT(1)), 0);
    json_error_t error;
    json_t *want = json_load_file(file, 0, &error);
    if (want == NULL)
        fail_msg("%s: %s", file, error.text);
    char *want_text = json_dumps(want, JSON_INDENT(1)), *have_text = json_dumps(have, JSON_INDENT(1));
    assert_string_equal(want_text, have_text);
    free(want_text);
    free(have_text);
    json_decref(want);
    json_decref(have);
}

#define GOLDEN(name)                                                                                         \
    static void name##_fill(Fixture *f);                                                                     \
    static void name(void **state)                                                                           \
    {                                                                                                        \
        (void)state;                                                                                         \
        golden(#name, name##_fill);                                                                          \
    }                                                                                                        \
    static void name##_fill(Fixture *f)

GOLDEN(instant_add_column)
{
    f->sql =
        "ALTER TABLE orders ADD COLUMN note varchar(10) CHARACTER SET latin1 NOT NULL DEFAULT '' AFTER id";
    f->hides = true;
    server_says(f, 0, RUNG_INSTANT, "ALGORITHM=INSTANT");
    f->ladders[0].uses_row_version = true;
    f->ladders[0].row_versions_left = 60;
    column_after(f, 0, "note")->type = "varchar(10)";
}

GOLDEN(instant_hidden_on_mariadb)
{
    f->settings.mariadb = true;
    f->settings.set_visible = false;
    f->sql = "ALTER TABLE orders ADD COLUMN note int DEFAULT 1";
    f->hides = true;
    server_says(f, 0, RUNG_INSTANT, "ALGORITHM=INSTANT");
    column_after(f, 0, "note")->type = "int(11)";
    f->my_after[0].create_sql =
        "CREATE TABLE `orders` (\n  `note` int(11) INVISIBLE DEFAULT 1,\n) ENGINE=InnoDB";
}

GOLDEN(metadata_in_place)
{
    f->sql = "ALTER TABLE orders RENAME COLUMN customer TO buyer, ALTER COLUMN amount SET DEFAULT 5";
    server_says(f, 0, RUNG_METADATA, "ALGORITHM=INPLACE, LOCK=NONE");
    column_after(f, 0, "customer")->name = "buyer";
}

GOLDEN(index_without_replica)
{
    f->sql = "CREATE INDEX i ON orders (customer)";
    server_says(f, 0, RUNG_INPLACE, "ALGORITHM=INPLACE, LOCK=NONE");
    f->ladders[0].builds_index = true;
    index_after(f, 0, "i", false);
}

static Standby standby = {.name = "replica", .visible = true};

GOLDEN(index_with_replica)
{
    index_without_replica_fill(f);
    f->server.standbys = &standby;
    f->server.standby_count = 1;
}

GOLDEN(index_with_replica_accepted)
{
    index_with_replica_fill(f);
    f->accepted[0] = "replica-lag";
}

GOLDEN(parts)
{
    f->sql = "ALTER TABLE orders ADD INDEX i (customer), ADD COLUMN c int";
    f->apart = true;
    server_says(f, 0, RUNG_INPLACE, "ALGORITHM=INPLACE, LOCK=NONE");
    f->ladders[0].rebuilds = f->ladders[0].builds_index = true;
    server_says(f, 1, RUNG_INPLACE, "ALGORITHM=INPLACE, LOCK=NONE");
    f->ladders[1].builds_index = true;
    server_says(f, 2, RUNG_INSTANT, "ALGORITHM=INSTANT");
    index_after(f, 0, "i", false);
    column_after(f, 0, "c")->type = "int";
    f->accepted[0] = "star";
}

/* Where the index would keep replicas waiting, the whole statement goes into one shadow: with its column. */
GOLDEN(parts_need_a_copy)
{
    parts_fill(f);
    f->server.standbys = &standby;
    f->server.standby_count = 1;
    f->my_after[0].create_sql =
        "CREATE TABLE `orders` (\n  `c` int,\n  KEY `i` (`customer`)\n) ENGINE=InnoDB";
}

/* Counters are nowhere in a definition. */
GOLDEN(counter)
{
    f->sql = "ALTER TABLE orders AUTO_INCREMENT = 5000";
    server_says(f, 0, RUNG_METADATA, "ALGORITHM=INPLACE, LOCK=NONE");
    f->ladders[0].after = "old";
}

GOLDEN(counter_in_a_shadow)
{
    f->sql = "ALTER TABLE orders AUTO_INCREMENT = 5000, MODIFY amount bigint";
    server_says(f, 0, RUNG_SHARED, "ALGORITHM=COPY, LOCK=SHARED");
    amount_is_bigint(f, 0);
    f->my_after[0].create_sql = "CREATE TABLE `orders` (\n  `id` bigint\n) ENGINE=InnoDB AUTO_INCREMENT=5000";
}

static MyUser users[] = {
    {.what = "trigger audit of orders", .table = "orders", .text = "SET @a = NEW.amount"},
    {.what = "trigger other of orders", .table = "orders", .text = "SET @a = 'amount'"},
    {.what = "view totals", .text = "select sum(`orders`.`amount`) from `orders`"}};

GOLDEN(column_that_is_named)
{
    f->sql = "ALTER TABLE orders DROP COLUMN amount";
    server_says(f, 0, RUNG_INSTANT, "ALGORITHM=INSTANT");
    f->my_after[0].column_count = 2;
    f->my.users = users;
    f->my.user_count = ARRAY_LEN(users);
}

GOLDEN(unique_index)
{
    f->sql = "ALTER TABLE orders ADD UNIQUE KEY u (customer)";
    server_says(f, 0, RUNG_INPLACE, "ALGORITHM=INPLACE, LOCK=NONE");
    index_after(f, 0, "u", true);
}

GOLDEN(shadow_type)
{
    f->sql = "ALTER TABLE orders MODIFY amount bigint NOT NULL";
    server_says(f, 0, RUNG_SHARED, "ALGORITHM=COPY, LOCK=SHARED");
    amount_is_bigint(f, 0);
    column_after(f, 0, "amount")->not_null = true;
}

GOLDEN(shadow_rename_and_collation)
{
    f->sql =
        "ALTER TABLE orders CHANGE customer buyer varchar(10) CHARACTER SET latin1 NOT NULL, ADD UNIQUE u "
        "(buyer), ADD COLUMN c int";
    server_says(f, 0, RUNG_SHARED, "ALGORITHM=COPY, LOCK=SHARED");
    MyColumn *column = column_after(f, 0, "customer");
    column->name = "buyer";
    column->type = "varchar(10)";
    column->charset = "latin1";
    column->collation = "latin1_swedish_ci";
    column->characters = column->bytes = 10;
    column_after(f, 0, "c")->type = "int";
    static MyIndexPart parts[] = {{.column = "buyer"}};
    f->my_after[0].indexes[1].parts = parts;
    index_after(f, 0, "u", true);
    f->my_after[0].indexes[2].parts = parts;
    f->accepted[0] = "rename";
    f->settings.no_log = "the binary log is off";
    f->settings.autoinc_lock_mode = 1;
}

GOLDEN(shadow_asked_for)
{
    instant_add_column_fill(f);
    f->input.options.strategy = STRATEGY_SHADOW;
    f->accepted[0] = "old-snapshots";
}

GOLDEN(shadow_joined)
{
    f->sql = "ALTER TABLE orders MODIFY amount bigint; ALTER TABLE orders ADD KEY i (customer)";
    server_says(f, 0, RUNG_SHARED, "ALGORITHM=COPY, LOCK=SHARED");
    server_says(f, 1, RUNG_INPLACE, "ALGORITHM=INPLACE, LOCK=NONE");
    f->ladders[3] = (Ladder){.rung = RUNG_SHARED, .clause = "", .before = "old", .after = "newer"};
    amount_is_bigint(f, 0);
    amount_is_bigint(f, 1);
    index_after(f, 1, "i", false);
    f->joins = true;
}

GOLDEN(force)
{
    f->sql = "ALTER TABLE orders FORCE";
    server_says(f, 0, RUNG_INPLACE, "ALGORITHM=INPLACE, LOCK=NONE");
    f->ladders[0].after = "old";
    f->ladders[0].rebuilds = true;
}

GOLDEN(nothing)
{
    f->sql = "ALTER TABLE orders ADD COLUMN IF NOT EXISTS amount int";
    f->settings.mariadb = true;
    server_says(f, 0, RUNG_INSTANT, "ALGORITHM=INSTANT");
    f->ladders[0].after = "old";
}

GOLDEN(lost_attributes)
{
    f->sql = "ALTER TABLE orders MODIFY amount bigint";
    server_says(f, 0, RUNG_SHARED, "ALGORITHM=COPY, LOCK=SHARED");
    amount_is_bigint(f, 0);
    static LostAttribute lost[] = {{"column amount", "TYPE int", "TYPE bigint"},
                                   {"column amount", "DEFAULT '0'", ""},
                                   {"column amount", "COMMENT 'cents'", ""}};
    f->ladders[0].lost = lost;
    f->ladders[0].lost_count = ARRAY_LEN(lost);
}

GOLDEN(backfill)
{
    f->sql = "-- stoa: backfill orders.total = orders.amount * 100 + char_length(customer)\n"
             "ALTER TABLE orders ADD COLUMN total bigint";
    f->hides = true;
    f->settings.repeatable_triggers = true;
    server_says(f, 0, RUNG_INSTANT, "ALGORITHM=INSTANT");
    column_after(f, 0, "total")->type = "bigint";
}

GOLDEN(backfill_shadow)
{
    backfill_fill(f);
    f->settings.skips_locked = true;
    f->input.options.strategy = STRATEGY_SHADOW;
}

GOLDEN(backfill_in_place)
{
    backfill_fill(f);
    f->settings.skips_locked = true;
}

/* Each replica would get every wide row twice. */
GOLDEN(backfill_wide_for_replicas)
{
    backfill_in_place_fill(f);
    f->real.total_bytes = f->real.row_estimate * 2000;
    f->server.standby_count = 1;
}

GOLDEN(backfill_filled)
{
    backfill_in_place_fill(f);
    f->input.options.verify = VERIFY_FILLED;
    f->input.options.strategy = STRATEGY_IN_PLACE;
}

GOLDEN(backfill_in_place_refused)
{
    backfill_fill(f);
    f->input.options.strategy = STRATEGY_IN_PLACE;
}

/* By cascades the server changes the source without a trigger. */
GOLDEN(backfill_of_cascades)
{
    static const char *const columns[] = {"amount"};
    static MyForeignKey key = {.name = "fk",
                               .schema = "shop",
                               .table = "orders",
                               .columns = columns,
                               .ref_schema = "shop",
                               .ref_table = "amounts",
                               .ref_columns = columns,
                               .count = 1,
                               .on_delete = "SET NULL",
                               .on_update = "RESTRICT"};
    backfill_in_place_fill(f);
    f->my.parents = &key;
    f->my.parent_count = 1;
}

GOLDEN(backfill_of_new_numbers)
{
    backfill_in_place_fill(f);
    f->sql = "-- stoa: backfill orders.total = id * 2\nALTER TABLE orders ADD COLUMN total bigint";
}

GOLDEN(backfill_not_null)
{
    backfill_fill(f);
    f->sql = "-- stoa: backfill orders.total = amount\nALTER TABLE orders ADD COLUMN total bigint NOT NULL";
}

GOLDEN(backfill_volatile)
{
    backfill_fill(f);
    f->sql = "-- stoa: backfill orders.total = rand()\nALTER TABLE orders ADD COLUMN total bigint";
}

GOLDEN(strategy_instant_refused)
{
    shadow_type_fill(f);
    f->input.options.strategy = STRATEGY_INSTANT;
}

GOLDEN(strategy_in_place_rebuild)
{
    f->sql = "ALTER TABLE orders MODIFY customer varchar(20) NULL";
    server_says(f, 0, RUNG_INPLACE, "ALGORITHM=INPLACE, LOCK=NONE");
    f->ladders[0].rebuilds = true;
    column_after(f, 0, "customer")->not_null = false;
    f->input.options.strategy = STRATEGY_IN_PLACE;
    f->server.standbys = &standby;
    f->server.standby_count = 1;
}

GOLDEN(algorithm_not_given)
{
    shadow_type_fill(f);
    f->sql = "ALTER TABLE orders MODIFY amount bigint NOT NULL, ALGORITHM=INPLACE";
}

GOLDEN(server_refuses)
{
    f->sql = "ALTER TABLE orders ADD COLUMN amount int";
    static LadderTry tries[] = {{.clause = "", .reason = "Duplicate column name 'amount'"}};
    server_says(f, 0, RUNG_REFUSED, "");
    f->ladders[0].tries = tries;
    f->ladders[0].try_count = 1;
}

static Trigger trigger = {.name = "audit"};

GOLDEN(triggers_refused)
{
    shadow_type_fill(f);
    f->real.triggers = &trigger;
    f->real.trigger_count = 1;
}

static MyForeignKey child = {.name = "f",
                             .schema = "shop",
                             .table = "items",
                             .ref_table = "orders",
                             .on_delete = "CASCADE",
                             .on_update = "RESTRICT"};

GOLDEN(parent_refused)
{
    shadow_type_fill(f);
    f->my.children = &child;
    f->my.child_count = 1;
}

GOLDEN(no_key_refused)
{
    shadow_type_fill(f);
    f->my.indexes = orders_indexes + 1;
    f->my.index_count = 1;
}

GOLDEN(galera)
{
    index_without_replica_fill(f);
    f->settings.galera = true;
}

GOLDEN(galera_in_place)
{
    galera_fill(f);
    f->input.options.strategy = STRATEGY_IN_PLACE;
}

GOLDEN(replicas_unknown)
{
    index_without_replica_fill(f);
    f->settings.replicas_unknown = true;
}

GOLDEN(children_unknown)
{
    shadow_type_fill(f);
    f->my.children_known = false;
}

GOLDEN(nothing_captures)
{
    shadow_type_fill(f);
    f->settings.no_log = "the binary log is off";
    f->settings.no_triggers = "this server replays the changes of another one, and runs no triggers for them";
}

GOLDEN(no_rows_refused)
{
    shadow_type_fill(f);
    f->settings.no_log = "binlog_format is not ROW";
    f->settings.no_rows =
        "binlog_format is STATEMENT, and this role may not write by rows: GRANT SUPER ON *.*";
}

/* Unique indexes over NOT NULL columns, and yet no key to copy by. */
static void keys_that_are_none(Fixture *f, MyIndex *index)
{
    shadow_type_fill(f);
    f->my.indexes = index;
    f->my.index_count = 1;
}

GOLDEN(hidden_key_refused)
{
    static MyIndex index = {
        .name = "u", .kind = "BTREE", .parts = key_parts, .part_count = 1, .unique = true, .hidden = true};
    keys_that_are_none(f, &index);
}

GOLDEN(hash_key_refused)
{
    static MyIndex index = {.name = "u", .kind = "HASH", .parts = key_parts, .part_count = 1, .unique = true};
    keys_that_are_none(f, &index);
}

GOLDEN(tiny_table)
{
    shadow_type_fill(f);
    f->real.total_bytes = 16384;
    f->my.row_count = 10;
}

GOLDEN(drop_column)
{
    f->sql = "ALTER TABLE orders DROP COLUMN amount";
    server_says(f, 0, RUNG_INSTANT, "ALGORITHM=INSTANT");
    f->my_after[0].column_count--;
}

GOLDEN(create_table)
{
    f->sql = "CREATE TABLE orders (id int PRIMARY KEY)";
    f->real = (Table){.schema = "shop", .name = "orders", .kind = RELATION_MISSING};
}

GOLDEN(drop_table) { f->sql = "DROP TABLE orders"; }

GOLDEN(rename_table) { f->sql = "RENAME TABLE orders TO old_orders, new_orders TO orders"; }

GOLDEN(other_database)
{
    f->sql = "ALTER TABLE stock.orders ADD COLUMN a int";
    server_says(f, 0, RUNG_INSTANT, "ALGORITHM=INSTANT");
}

GOLDEN(untested_server)
{
    instant_add_column_fill(f);
    f->hides = false;
    f->settings.untested = true;
}

/* ---- names ---------------------------------------------------------------------------------- */

static void shadow_names(void **state)
{
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    assert_string_equal(plan_shadow_name_my(arena, "orders", "stoa_new"), "orders__stoa_new");
    char name[65];
    memset(name, 'x', 64);
    name[64] = '\0';
    const char *cut = plan_shadow_name_my(arena, name, "stoa_old");
    assert_int_equal(strlen(cut), 64);
    assert_true(strcmp(cut, name) > 0);
    assert_string_equal(cut + 55, "~stoa_old");
}

static void hidden_columns(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"ALTER TABLE t ADD a int", "ALTER TABLE `t` ADD a int INVISIBLE"},
        {"ALTER TABLE t ADD a int FIRST, ADD b varchar(3) CHARACTER SET latin1 NOT NULL COMMENT 'x', DROP "
         "INDEX i",
         "ALTER TABLE `t` ADD a int INVISIBLE FIRST, ADD b varchar(3) CHARACTER SET latin1 INVISIBLE NOT "
         "NULL "
         "COMMENT 'x', DROP INDEX i"},
        {"ALTER TABLE t ADD a int AS (b + 1) STORED AFTER b",
         "ALTER TABLE `t` ADD a int AS (b + 1) STORED INVISIBLE AFTER b"},
        {"ALTER TABLE t ADD a int VISIBLE", NULL},
        {"ALTER TABLE t DROP INDEX i", NULL},
    };
    CLEANUP(arena_freep) Arena *arena = arena_new();
    MyDialect dialect = {.version = 90700};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Change change;
        change_parse_my(arena, &(ChangeInput){.sql = cases[i][0]}, &dialect, &change);
        const char *have = plan_hide_my(arena, &change.operations[0]);
        if (cases[i][1] == NULL)
            assert_null(have);
        else
            assert_string_equal(have, cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instant_add_column),
        cmocka_unit_test(instant_hidden_on_mariadb),
        cmocka_unit_test(metadata_in_place),
        cmocka_unit_test(index_without_replica),
        cmocka_unit_test(index_with_replica),
        cmocka_unit_test(index_with_replica_accepted),
        cmocka_unit_test(unique_index),
        cmocka_unit_test(parts),
        cmocka_unit_test(parts_need_a_copy),
        cmocka_unit_test(counter),
        cmocka_unit_test(counter_in_a_shadow),
        cmocka_unit_test(column_that_is_named),
        cmocka_unit_test(shadow_type),
        cmocka_unit_test(shadow_rename_and_collation),
        cmocka_unit_test(shadow_asked_for),
        cmocka_unit_test(shadow_joined),
        cmocka_unit_test(force),
        cmocka_unit_test(nothing),
        cmocka_unit_test(lost_attributes),
        cmocka_unit_test(backfill),
        cmocka_unit_test(backfill_shadow),
        cmocka_unit_test(backfill_in_place),
        cmocka_unit_test(backfill_wide_for_replicas),
        cmocka_unit_test(backfill_filled),
        cmocka_unit_test(backfill_in_place_refused),
        cmocka_unit_test(backfill_of_cascades),
        cmocka_unit_test(backfill_of_new_numbers),
        cmocka_unit_test(backfill_not_null),
        cmocka_unit_test(backfill_volatile),
        cmocka_unit_test(strategy_instant_refused),
        cmocka_unit_test(strategy_in_place_rebuild),
        cmocka_unit_test(algorithm_not_given),
        cmocka_unit_test(server_refuses),
        cmocka_unit_test(triggers_refused),
        cmocka_unit_test(parent_refused),
        cmocka_unit_test(no_key_refused),
        cmocka_unit_test(galera),
        cmocka_unit_test(galera_in_place),
        cmocka_unit_test(replicas_unknown),
        cmocka_unit_test(children_unknown),
        cmocka_unit_test(nothing_captures),
        cmocka_unit_test(no_rows_refused),
        cmocka_unit_test(hidden_key_refused),
        cmocka_unit_test(hash_key_refused),
        cmocka_unit_test(tiny_table),
        cmocka_unit_test(drop_column),
        cmocka_unit_test(create_table),
        cmocka_unit_test(drop_table),
        cmocka_unit_test(rename_table),
        cmocka_unit_test(other_database),
        cmocka_unit_test(untested_server),
        cmocka_unit_test(shadow_names),
        cmocka_unit_test(hidden_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
