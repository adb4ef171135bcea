/* The plan for PostgreSQL: golden plans of every operation on four versions, refusals word by word, digests,
 * JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "plan/plan.h"

#include <stdlib.h>
#include <string.h>

/* ---- a request, a table and a server made by hand ---------------------------------------------------------
 */

typedef struct Fixture {
    Arena *arena;
    Operation ops[8];
    BackfillSpec fills[4];
    PlanExpr exprs[8];
    Change change;
    Server server;
    Table orders, customers;
    PlanInput input;
    const char *accepted[4];
} Fixture;

static const char *const orders_key[] = {"id"};
static const char *const customer_column[] = {"customer_id"};

static void orders_make(Fixture *f)
{
    static Column columns[] = {
        {.name = "id", .type = "bigint", .not_null = true, .exact_equality = true},
        {.name = "customer_id", .type = "bigint", .not_null = true, .exact_equality = true},
        {.name = "amount", .type = "numeric(10,2)", .not_null = true},
        {.name = "status", .type = "text", .default_sql = "'new'::text", .exact_equality = true},
        {.name = "note", .type = "json"},
    };
    static Index indexes[] = {
        {.schema = "public",
         .name = "orders_pkey",
         .definition = "CREATE UNIQUE INDEX orders_pkey ON public.orders USING btree (id)",
         .constraint = "orders_pkey",
         .columns = orders_key,
         .column_count = 1,
         .unique = true,
         .primary = true,
         .valid = true,
         .key = true,
         .integer_key = true},
        {.schema = "public",
         .name = "orders_customer_id_idx",
         .definition = "CREATE INDEX orders_customer_id_idx ON public.orders USING btree (customer_id)",
         .columns = customer_column,
         .column_count = 1,
         .valid = true},
    };
    static TableConstraint constraints[] = {
        {.name = "orders_pkey", .kind = 'p', .validated = true, .definition = "PRIMARY KEY (id)"},
        {.name = "orders_amount_check",
         .kind = 'c',
         .definition = "CHECK ((amount >= (0)::numeric)) NOT VALID"},
    };
    f->orders = (Table){.schema = "public",
                        .name = "orders",
                        .id = 16384,
                        .kind = RELATION_TABLE,
                        .owner = "app",
                        .may_own = true,
                        .row_estimate = 1000000,
                        .block_count = 10000,
                        .heap_bytes = 81920000,
                        .index_bytes = 64000000,
                        .total_bytes = 145920000,
                        .rows_per_block = 100,
                        .fillfactor = 100,
                        .columns = columns,
                        .column_count = ARRAY_LEN(columns),
                        .indexes = indexes,
                        .index_count = ARRAY_LEN(indexes),
                        .constraints = constraints,
                        .constraint_count = ARRAY_LEN(constraints),
                        .stars_known = true};
}

static int setup(void **state)
{
    Fixture *f = mem_zero(sizeof *f);
    f->arena = arena_new();
    orders_make(f);
    static Index customers_index = {.schema = "public",
                                    .name = "customers_pkey",
                                    .definition =
                                        "CREATE UNIQUE INDEX customers_pkey ON public.customers USING "
                                        "btree (id)",
                                    .constraint = "customers_pkey",
                                    .columns = orders_key,
                                    .column_count = 1,
                                    .unique = true,
                                    .primary = true,
                                    .valid = true,
                                    .key = true};
    f->customers = (Table){.schema = "public",
                           .name = "customers",
                           .id = 16390,
                           .kind = RELATION_TABLE,
                           .owner = "app",
                           .may_own = true,
                           .row_estimate = 1000,
                           .indexes = &customers_index,
                           .index_count = 1,
                           .stars_known = true};
    static const char *const path[] = {"public"};
    f->server = (Server){.engine = "postgres",
                         .version_num = 150020,
                         .version = "15.20",
                         .database = "shop",
                         .role = "app",
                         .may_create_schema = true,
                         .may_use_journal = true,
                         .search_path = path,
                         .search_path_count = 1,
                         .wal_level = "replica"};
    f->change = (Change){.name = "test",
                         .owner = "",
                         .sql = "-- by hand",
                         .change_digest = "sha256:0",
                         .operations = f->ops,
                         .backfills = f->fills};
    f->input = (PlanInput){.change = &f->change,
                           .server = &f->server,
                           .exprs = f->exprs,
                           .options = {.max_stall_ms = 200, .accepted = f->accepted}};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    Fixture *f = *state;
    arena_free(f->arena);
    free(f);
    return 0;
}

static void version(Fixture *f, int num)
{
    f->server.version_num = num;
    f->server.version = arena_printf(f->arena, "%d.%d", num / 10000, num % 100);
}

static Operation *op(Fixture *f, OperationKind kind)
{
    Operation *res = &f->ops[f->change.operation_count++];
    *res = (Operation){.kind = kind, .table = {.name = "orders"}, .sql = "", .line = 1};
    return res;
}

static ColumnSpec *add(Fixture *f, const char *name, const char *type)
{
    ColumnSpec *spec = arena_alloc(f->arena, sizeof *spec);
    *spec = (ColumnSpec){.name = name, .type_sql = type, .identity_options_sql = ""};
    op(f, OPERATION_ADD_COLUMN)->add = spec;
    return spec;
}

static void expr(Fixture *f, const char *column, bool of_default, const char *sql, bool immutable,
                 bool stable)
{
    static const char *const sources[] = {"amount"};
    f->exprs[f->input.expr_count++] =
        (PlanExpr){.table = {.name = "orders"},
                   .column = column,
                   .of_default = of_default,
                   .forms = {.plain = sql,
                             .trigger = immutable && !of_default ? "(new.amount * 100)::bigint" : sql,
                             .sources = sources,
                             .source_count = of_default ? 0 : 1},
                   .info = {.immutable = immutable, .stable = stable}};
}

static void backfill(Fixture *f, const char *column, const char *sql)
{
    f->fills[f->change.backfill_count++] =
        (BackfillSpec){.table = {.name = "orders"}, .column = column, .expr_sql = sql};
    expr(f, column, false, sql, true, true);
}

/* orders.amount follows the new column amount_cents. */
static void reverse(Fixture *f, const char *column, const char *source)
{
    BackfillSpec *spec = arena_alloc(f->arena, sizeof *spec);
    *spec = (BackfillSpec){.table = {.name = "orders"}, .column = column, .expr_sql = "amount_cents / 100.0"};
    f->change.reverses = spec;
    f->change.reverse_count = 1;
    const char **sources = arena_alloc(f->arena, sizeof *sources);
    sources[0] = source;
    f->exprs[f->input.expr_count++] = (PlanExpr){.table = {.name = "orders"},
                                                 .column = column,
                                                 .of_reverse = true,
                                                 .default_stable = true,
                                                 .forms = {.plain = "amount_cents / 100.0",
                                                           .trigger = "new.amount_cents / 100.0",
                                                           .sources = sources,
                                                           .source_count = 1},
                                                 .info = {.immutable = true, .stable = true}};
}

static void column_constraint(Fixture *f, ColumnSpec *spec, ConstraintSpec constraint)
{
    ConstraintSpec *copy = arena_alloc(f->arena, sizeof *copy);
    *copy = constraint;
    spec->constraints = copy;
    spec->constraint_count = 1;
}

static void constraint(Fixture *f, ConstraintSpec spec)
{
    ConstraintSpec *copy = arena_alloc(f->arena, sizeof *copy);
    *copy = spec;
    op(f, OPERATION_ADD_CONSTRAINT)->constraint = copy;
}

/* The columns of the classic request: amount_cents bigint NOT NULL with its backfill. */
static ColumnSpec *cents(Fixture *f)
{
    ColumnSpec *spec = add(f, "amount_cents", "bigint");
    spec->not_null = true;
    backfill(f, "amount_cents", "(amount * 100)::bigint");
    return spec;
}

static Err *make(Fixture *f, Plan *ret_plan)
{
    WantedName *wanted = NULL;
    size_t count = 0;
    plan_wanted_tables(f->arena, &f->change, &wanted, &count);
    Table *tables = arena_alloc(f->arena, (count + 1) * sizeof *tables);
    for (size_t i = 0; i < count; i++) {
        const char *name = wanted[i].name.name;
        if (wanted[i].index)
            tables[i] = str_starts(name, "orders") ? f->orders : (Table){.kind = RELATION_MISSING};
        else if (str_eq(name, "orders"))
            tables[i] = f->orders;
        else if (str_eq(name, "customers"))
            tables[i] = f->customers;
    }
    f->input.tables = tables;
    f->input.table_count = count;
    return plan_make_pg(f->arena, &f->input, ret_plan);
}

static Plan must(Fixture *f)
{
    Plan plan = {0};
    Err *err = make(f, &plan);
    if (err != NULL)
        fail_msg("%s (hint: %s)", err->msg, err->hint != NULL ? err->hint : "-");
    return plan;
}

/* ---- the backfill's statement --------------------------------------------------------------- */

static const char *backfill_shown(const Plan *plan)
{
    for (size_t i = 0; i < plan->step_count; i++)
        if (plan->steps[i].kind == STEP_BACKFILL)
            return plan->steps[i].sql[0];
    fail_msg("no backfill");
    return "";
}

/* As the engine marks columns of indexes. */
static void self_set(Fixture *f)
{
    Column *columns = arena_alloc(f->arena, f->orders.column_count * sizeof *columns);
    memcpy(columns, f->orders.columns, f->orders.column_count * sizeof *columns);
    columns[1].self_set = columns[3].self_set = true;
    f->orders.columns = columns;
}

static void test_backfill_sets_columns_to_themselves(void **state)
{
    Fixture *f = *state;
    self_set(f);
    cents(f);
    Plan plan = must(f);
    assert_true(str_starts(backfill_shown(&plan),
                           "UPDATE ONLY public.orders SET amount_cents = (amount * 100)::bigint, "
                           "customer_id = customer_id, status = status WHERE ctid"));
}

static void test_backfill_sets_no_column_twice(void **state)
{
    Fixture *f = *state;
    self_set(f);
    op(f, OPERATION_SET_NOT_NULL)->column = "status";
    backfill(f, "status", "'old'::text");
    Plan plan = must(f);
    assert_true(str_starts(
        backfill_shown(&plan),
        "UPDATE ONLY public.orders SET status = 'old'::text, customer_id = customer_id WHERE ctid"));
}

/* ---- golden plans --------------------------------------------------------------------------- */

/* What a reviewer reads of a plan: without estimates and without the text of the generated trigger. */
static json_t *plan_brief(const Plan *plan)
{
    json_t *steps = json_array();
    for (size_t i = 0; i < plan->step_count; i++) {
        const Step *step = &plan->steps[i];
        Str head CLEANUP(str_donep) = STR_INIT;
        str_addf(&head, "%d %s %s: %s", step->ordinal, phase_name(step->phase), step_kinds[step->kind].name,
                 step->title);
        json_t *lines = json_array();
        json_array_append_new(lines, json_string(head.buf));
        for (size_t j = 0; j < step->sql_count; j++)
            json_array_append_new(lines, json_sprintf("  %s", step->sql[j]));
        if (step->sync)
            json_array_append_new(lines,
                                  json_sprintf("  + sync trigger for %d columns", (int)step->fill_count));
        for (size_t j = 0; j < step->undo_step_count; j++)
            for (size_t k = 0; k < step->undo_steps[j].sql_count; k++)
                json_array_append_new(lines, json_sprintf("  undo by %s: %s",
                                                          step_kinds[step->undo_steps[j].kind].name,
                                                          step->undo_steps[j].sql[k]));
        for (size_t j = 0; j < step->undo_count; j++)
            json_array_append_new(lines, json_sprintf("  undo: %s", step->undo[j]));
        if (*step->lock != '\0') {
            Str lock CLEANUP(str_donep) = STR_INIT;
            for (size_t j = 0; j < step->lock_count; j++)
                str_addf(&lock, "%s%s", j > 0 ? ", " : "", step->lock_on[j]);
            json_array_append_new(lines, json_sprintf("  lock: %s on %s%s", step->lock, lock.buf,
                                                      step->scans ? ", scans" : ""));
        }
        json_array_append_new(steps, lines);
    }
    for (size_t i = 0; i < plan->revert_count; i++) {
        const Step *step = &plan->reverts[i];
        json_t *lines = json_pack("[o]", json_sprintf("%d %s %s%s: %s", step->ordinal,
                                                      phase_name(step->phase), step_kinds[step->kind].name,
                                                      step->needs_back ? " guarded" : "", step->title));
        for (size_t j = 0; j < step->sql_count; j++)
            json_array_append_new(lines, json_sprintf("  %s", step->sql[j]));
        json_array_append_new(steps, lines);
    }
    json_t *risks = json_array();
    for (size_t i = 0; i < plan->risk_count; i++)
        json_array_append_new(risks, json_sprintf("%s%s%s: %s", plan->risks[i].id,
                                                  plan->risks[i].accept != NULL ? " " : "",
                                                  plan->risks[i].accept != NULL ? plan->risks[i].accept : "",
                                                  plan->risks[i].message));
    return json_pack("{s:s, s:b, s:o, s:o}", "strategy", plan->strategy, "nothing_to_do", plan->nothing_to_do,
                     "steps", steps, "risks", risks);
}

/* JSON text -> plan -> JSON text must not change a byte. */
static void round_trip(Fixture *f, const Plan *plan)
{
    json_t *first = plan_to_json(plan);
    Plan copy = {0};
    Err *err = plan_from_json(f->arena, first, &copy);
    assert_null(err);
    json_t *second = plan_to_json(&copy);
    char *a = json_dumps(first, JSON_COMPACT), *b = json_dumps(second, JSON_COMPACT);
    assert_string_equal(a, b);
    assert_int_equal(copy.step_count, plan->step_count);
    for (size_t i = 0; i < copy.step_count; i++) {
        assert_int_equal(copy.steps[i].sql_count, plan->steps[i].sql_count);
        assert_int_equal(copy.steps[i].undo_count, plan->steps[i].undo_count);
        assert_int_equal(copy.steps[i].sync_sql_count, plan->steps[i].sync_sql_count);
    }
    free(a);
    free(b);
    json_decref(first);
    json_decref(second);
}

static const int versions[] = {100023, 120022, 150020, 180004};

/* Compares with test/unit/plan/<name>.json; STOA_GOLDEN=write writes it anew. */
static void golden(void **state, const char *name, void (*fill)(Fixture *f))
{
    json_t *all = json_object();
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        void *own = NULL;
        setup(&own);
        Fixture *f = own;
        version(f, versions[i]);
        fill(f);
        Plan plan = {0};
        Err *err = make(f, &plan);
        json_t *brief = NULL;
        if (err != NULL) {
            brief = json_pack("{s:s, s:s, s:s?}", "refused", err_kind_name(err->kind), "message", err->msg,
                              "hint", err->hint);
            err_free(err);
        } else {
            round_trip(f, &plan);
            brief = plan_brief(&plan);
        }
        char key[16];
        (void)snprintf(key, sizeof key, "%d", versions[i] / 10000);
        json_object_set_new(all, key, brief);
        teardown(&own);
    }
    Fixture *f = *state;
    const char *path = arena_printf(f->arena, "%s/plan/%s.json", TEST_DIR, name);
    const char *mode = getenv("STOA_GOLDEN");
    if (mode != NULL && str_eq(mode, "write"))
        assert_int_equal(json_dump_file(all, path, JSON_INDENT(1)), 0);
    json_error_t error;
    json_t *expected = json_load_file(path, 0, &error);
    if (expected == NULL)
        fail_msg("%s: %s", path, error.text);
    char *want = json_dumps(expected, JSON_INDENT(1)), *have = json_dumps(all, JSON_INDENT(1));
    assert_string_equal(want, have);
    free(want);
    free(have);
    json_decref(expected);
    json_decref(all);
}

#define GOLDEN(name)                                                                                         \
    static void name##_fill(Fixture *f);                                                                     \
    static void name(void **state) { golden(state, #name, name##_fill); }                                    \
    static void name##_fill(Fixture *f)

GOLDEN(add_nullable) { add(f, "note2", "text"); }

GOLDEN(add_constant_default)
{
    ColumnSpec *spec = add(f, "currency", "text");
    spec->default_sql = "'EUR'";
    spec->default_constant = spec->not_null = true;
}

GOLDEN(add_stable_default)
{
    ColumnSpec *spec = add(f, "seen_at", "timestamptz");
    spec->default_sql = "now()";
    spec->not_null = true;
    expr(f, "seen_at", true, "now()", false, true);
}

GOLDEN(add_volatile_default)
{
    ColumnSpec *spec = add(f, "token", "uuid");
    spec->default_sql = "gen_random_uuid()";
    spec->not_null = true;
    expr(f, "token", true, "gen_random_uuid()", false, false);
}

GOLDEN(add_serial)
{
    ColumnSpec *spec = add(f, "Seq No", "bigint");
    spec->serial = spec->not_null = true;
}

GOLDEN(add_identity)
{
    f->accepted[f->input.options.accepted_count++] = "scan";
    ColumnSpec *spec = add(f, "number", "bigint");
    spec->identity = 'a';
    spec->identity_options_sql = "START WITH 10 INCREMENT BY 5";
    spec->not_null = true;
}

GOLDEN(add_backfill_not_null) { cents(f); }

GOLDEN(add_backfill_default_check)
{
    ColumnSpec *spec = cents(f);
    spec->default_sql = "0";
    spec->default_constant = true;
    column_constraint(f, spec,
                      (ConstraintSpec){.kind = CONSTRAINT_CHECK,
                                       .expr_sql = "amount_cents >= 0",
                                       .definition_sql = "CHECK (amount_cents >= 0)",
                                       .suffix_sql = ""});
}

GOLDEN(add_backfill_nullable)
{
    add(f, "label", "varchar(20)");
    backfill(f, "label", "upper(status)");
    f->exprs[0].info.immutable = false;
}

GOLDEN(add_two_backfills)
{
    cents(f);
    add(f, "tax", "numeric(10,2)");
    backfill(f, "tax", "amount * 0.2");
}

GOLDEN(add_with_reverse)
{
    cents(f);
    reverse(f, "amount", "amount_cents");
}

/* The old application's table as it is, the new one's as a view; an earlier version ends with `complete`. */
GOLDEN(versioned)
{
    static Grant grants[] = {{.privilege = "INSERT", .grantee = "web"},
                             {.privilege = "SELECT", .grantee = "web"},
                             {.privilege = "SELECT", .grantee = NULL},
                             {.column = "note", .privilege = "UPDATE", .grantee = "Clerk", .grantable = true},
                             {.column = "status", .privilege = "UPDATE", .grantee = "gone"}};
    static ColumnComment comments[] = {{.column = "note", .comment = "it's said"}};
    static VersionView views[] = {{.schema = "public_before", .view = "orders"}};
    static const char *const users[] = {NULL, "web"};
    static Face faces[2];
    faces[0] = (Face){.comment = "orders",
                      .comments = comments,
                      .comment_count = 1,
                      .grants = grants,
                      .grant_count = ARRAY_LEN(grants),
                      .schema_users = users,
                      .schema_user_count = ARRAY_LEN(users),
                      .versions = views,
                      .version_count = 1};
    Operation *rename = op(f, OPERATION_RENAME_COLUMN);
    rename->column = "note";
    rename->new_name = "Remark";
    op(f, OPERATION_RENAME_TABLE)->new_name = "purchases";
    f->accepted[f->input.options.accepted_count++] = "view";
    f->input.options.versioned = true;
    f->input.faces = faces;
    f->input.version_schema = "public_test";
}

GOLDEN(add_references)
{
    static const char *const column[] = {"parent_id"};
    ColumnSpec *spec = add(f, "parent_id", "bigint");
    column_constraint(
        f, spec,
        (ConstraintSpec){.kind = CONSTRAINT_FOREIGN_KEY,
                         .columns = column,
                         .column_count = 1,
                         .references = {.name = "customers"},
                         .definition_sql = "FOREIGN KEY (parent_id) REFERENCES customers (id)"});
}

GOLDEN(add_unique)
{
    static const char *const column[] = {"code"};
    ColumnSpec *spec = add(f, "code", "text");
    column_constraint(f, spec,
                      (ConstraintSpec){.kind = CONSTRAINT_UNIQUE,
                                       .columns = column,
                                       .column_count = 1,
                                       .definition_sql = "UNIQUE (code)",
                                       .suffix_sql = "",
                                       .index_sql = "(code)"});
}

GOLDEN(add_then_drop_default)
{
    ColumnSpec *spec = add(f, "flag", "boolean");
    spec->default_sql = "false";
    spec->default_constant = spec->not_null = true;
    op(f, OPERATION_DROP_DEFAULT)->column = "flag";
}

GOLDEN(add_generated) { add(f, "total", "numeric")->generated_sql = "amount * 1.2"; }

GOLDEN(add_not_null_alone) { add(f, "x", "bigint")->not_null = true; }

GOLDEN(add_on_empty_table)
{
    f->orders.empty = true;
    f->orders.row_estimate = f->orders.heap_bytes = 0;
    add(f, "x", "bigint")->not_null = true;
    add(f, "total", "numeric")->generated_sql = "amount * 1.2";
    ColumnSpec *spec = add(f, "n", "integer");
    spec->serial = spec->not_null = true;
}

GOLDEN(set_not_null) { op(f, OPERATION_SET_NOT_NULL)->column = "status"; }

GOLDEN(set_not_null_small)
{
    f->orders.row_estimate = 1000;
    f->orders.heap_bytes = 81920;
    op(f, OPERATION_SET_NOT_NULL)->column = "status";
}

GOLDEN(set_not_null_proved)
{
    static TableConstraint proof = {
        .name = "status_there", .kind = 'c', .validated = true, .definition = "CHECK ((status IS NOT NULL))"};
    f->orders.constraints = &proof;
    f->orders.constraint_count = 1;
    op(f, OPERATION_SET_NOT_NULL)->column = "status";
}

GOLDEN(set_not_null_backfill)
{
    op(f, OPERATION_SET_NOT_NULL)->column = "status";
    backfill(f, "status", "'old'::text");
}

GOLDEN(drop_not_null) { op(f, OPERATION_DROP_NOT_NULL)->column = "amount"; }

GOLDEN(set_default)
{
    Operation *set = op(f, OPERATION_SET_DEFAULT);
    set->column = "status";
    set->default_sql = "'open'";
    op(f, OPERATION_DROP_DEFAULT)->column = "note";
}

GOLDEN(add_check)
{
    constraint(f, (ConstraintSpec){.kind = CONSTRAINT_CHECK,
                                   .expr_sql = "amount > 0",
                                   .definition_sql = "CHECK (amount > 0)"});
}

GOLDEN(add_check_not_valid)
{
    constraint(f, (ConstraintSpec){.kind = CONSTRAINT_CHECK,
                                   .name = "positive",
                                   .expr_sql = "amount > 0",
                                   .definition_sql = "CHECK (amount > 0)",
                                   .not_valid = true});
}

GOLDEN(add_foreign_key)
{
    constraint(f, (ConstraintSpec){.kind = CONSTRAINT_FOREIGN_KEY,
                                   .columns = customer_column,
                                   .column_count = 1,
                                   .references = {.name = "customers"},
                                   .definition_sql = "FOREIGN KEY (customer_id) REFERENCES customers"});
}

GOLDEN(add_unique_constraint)
{
    static const char *const columns[] = {"customer_id", "status"};
    constraint(f, (ConstraintSpec){.kind = CONSTRAINT_UNIQUE,
                                   .columns = columns,
                                   .column_count = 2,
                                   .definition_sql = "UNIQUE (customer_id, status) DEFERRABLE",
                                   .suffix_sql = " DEFERRABLE",
                                   .index_sql = "(customer_id, status)"});
}

GOLDEN(add_primary_key)
{
    f->orders.index_count = 0;
    f->orders.constraint_count = 0;
    static const char *const columns[] = {"status"};
    constraint(f, (ConstraintSpec){.kind = CONSTRAINT_PRIMARY_KEY,
                                   .columns = columns,
                                   .column_count = 1,
                                   .definition_sql = "PRIMARY KEY (status)",
                                   .suffix_sql = "",
                                   .index_sql = "(status)"});
}

GOLDEN(using_index)
{
    static const char *const column[] = {"status"};
    IndexSpec *spec = arena_alloc(f->arena, sizeof *spec);
    *spec = (IndexSpec){.name = "status_key",
                        .unique = true,
                        .definition_sql = "USING btree (status)",
                        .columns = column,
                        .column_count = 1};
    op(f, OPERATION_CREATE_INDEX)->index = spec;
    constraint(f, (ConstraintSpec){.kind = CONSTRAINT_UNIQUE, .index_name = "status_key", .suffix_sql = ""});
}

GOLDEN(validate_constraint) { op(f, OPERATION_VALIDATE_CONSTRAINT)->constraint_name = "orders_amount_check"; }

GOLDEN(create_index)
{
    static const char *const columns[] = {"status", NULL, NULL};
    IndexSpec *spec = arena_alloc(f->arena, sizeof *spec);
    *spec =
        (IndexSpec){.definition_sql = "USING btree (status, lower(status), (amount + 1)) WHERE amount > 0",
                    .columns = columns,
                    .column_count = 3};
    op(f, OPERATION_CREATE_INDEX)->index = spec;
}

GOLDEN(create_index_there)
{
    IndexSpec *spec = arena_alloc(f->arena, sizeof *spec);
    *spec = (IndexSpec){
        .definition_sql = "USING btree (customer_id)", .columns = customer_column, .column_count = 1};
    op(f, OPERATION_CREATE_INDEX)->index = spec;
}

GOLDEN(drop_index) { op(f, OPERATION_DROP_INDEX)->table.name = "orders_customer_id_idx"; }

/* ---- what goes away ---- */

static void depend(Fixture *f, Dependent dependent)
{
    Dependent *grown = arena_alloc(f->arena, (f->orders.dependent_count + 1) * sizeof *grown);
    for (size_t i = 0; i < f->orders.dependent_count; i++)
        grown[i] = f->orders.dependents[i];
    grown[f->orders.dependent_count++] = dependent;
    f->orders.dependents = grown;
}

static void column_index(Fixture *f)
{
    depend(f, (Dependent){.column = "customer_id",
                          .kind = "index",
                          .schema = "public",
                          .name = "orders_customer_id_idx",
                          .on_schema = "public",
                          .on = "orders",
                          .text = "index orders_customer_id_idx on public.orders",
                          .goes = true});
}

static void view_on(Fixture *f, const char *column)
{
    depend(f, (Dependent){.column = column,
                          .kind = "view",
                          .schema = "public",
                          .name = "paid",
                          .text = "view public.paid"});
}

GOLDEN(drop_column) { op(f, OPERATION_DROP_COLUMN)->column = "note"; }

GOLDEN(drop_not_null_column)
{
    column_index(f);
    op(f, OPERATION_DROP_COLUMN)->column = "customer_id";
}

GOLDEN(drop_column_of_a_view)
{
    view_on(f, "status");
    op(f, OPERATION_DROP_COLUMN)->column = "status";
}

/* ---- partitioned: two partitions, one of them with names of its own ---- */

static void leaf_make(Fixture *f, Partition *partition, const char *name, int64_t id)
{
    Table *leaf = arena_alloc(f->arena, sizeof *leaf);
    *leaf = f->orders;
    leaf->name = name;
    leaf->id = id;
    leaf->kind = RELATION_PARTITION;
    leaf->is_partition = true;
    leaf->parent = leaf->root = "public.orders";
    leaf->root_id = f->orders.id;
    leaf->dependent_count = 0;
    leaf->indexes = arena_alloc(f->arena, leaf->index_count * sizeof *leaf->indexes);
    leaf->constraints = arena_alloc(f->arena, leaf->constraint_count * sizeof *leaf->constraints);
    for (size_t i = 0; i < leaf->index_count; i++) {
        const Index *whole = &f->orders.indexes[i];
        leaf->indexes[i] = *whole;
        leaf->indexes[i].name = arena_printf(f->arena, "%s%s", name, strchr(whole->name, '_'));
        leaf->indexes[i].parent = arena_printf(f->arena, "public.%s", whole->name);
        leaf->indexes[i].definition =
            arena_printf(f->arena, "CREATE %sINDEX \"%s\" ON public.\"%s\" USING btree (%s)",
                         whole->unique ? "UNIQUE " : "", leaf->indexes[i].name, name, whole->columns[0]);
        leaf->indexes[i].constraint = whole->constraint != NULL ? leaf->indexes[i].name : NULL;
    }
    for (size_t i = 0; i < leaf->constraint_count; i++) {
        leaf->constraints[i] = f->orders.constraints[i];
        leaf->constraints[i].inherited = true;
        if (leaf->constraints[i].kind == 'p')
            leaf->constraints[i].name = leaf->indexes[0].name;
    }
    *partition = (Partition){.schema = "public",
                             .name = name,
                             .id = id,
                             .parent = "public.orders",
                             .bound = "FOR VALUES …",
                             .kind = 'r',
                             .table = leaf};
}

static void tree(Fixture *f)
{
    static const char *const key[] = {"id"};
    Partition *partitions = arena_alloc(f->arena, 2 * sizeof *partitions);
    leaf_make(f, &partitions[0], "orders_1", 16400);
    leaf_make(f, &partitions[1], "Orders_2", 16401);
    f->orders.kind = RELATION_PARTITIONED;
    f->orders.has_children = true;
    f->orders.partitions = partitions;
    f->orders.partition_count = 2;
    f->orders.partition_key = "RANGE (id)";
    f->orders.key_columns = key;
    f->orders.key_column_count = 1;
}

GOLDEN(tree_drop_column)
{
    column_index(f);
    tree(f);
    op(f, OPERATION_DROP_COLUMN)->column = "customer_id";
}

GOLDEN(tree_drop_key_column)
{
    tree(f);
    op(f, OPERATION_DROP_COLUMN)->column = "id";
}

GOLDEN(tree_drop_primary_key)
{
    tree(f);
    op(f, OPERATION_DROP_CONSTRAINT)->constraint_name = "orders_pkey";
}

GOLDEN(tree_drop_foreign_key)
{
    static TableConstraint constraints[] = {
        {.name = "known",
         .kind = 'f',
         .validated = true,
         .ref_schema = "public",
         .ref_table = "customers",
         .definition = "FOREIGN KEY (customer_id) REFERENCES customers(id)"}};
    f->orders.constraints = constraints;
    f->orders.constraint_count = 1;
    tree(f);
    op(f, OPERATION_DROP_CONSTRAINT)->constraint_name = "known";
}

GOLDEN(tree_drop_table)
{
    tree(f);
    op(f, OPERATION_DROP_TABLE);
}

GOLDEN(tree_rename_table)
{
    tree(f);
    op(f, OPERATION_RENAME_TABLE)->new_name = "purchases";
}

/* What hangs on orders.customer_id: an index, a check, a foreign key, a view, a trigger. */
static void parts_of_customer(Fixture *f, const char *twin)
{
    static const char *const drop_view[] = {"DROP VIEW public.v"}, *const make_view[] = {
                                                                       "CREATE VIEW public.v AS SELECT 1"};
    static const char *const drop_trigger[] = {"DROP TRIGGER t ON public.orders"}, *const make_trigger[] = {
                                                                                       "CREATE TRIGGER t …"};
    static const char *const comment[] = {"COMMENT ON INDEX public.orders_customer_id_idx IS 'used'"};
    static const char *const grant[] = {"GRANT SELECT (\"new\") ON public.orders TO reader"};
    static const ColumnPart items[] = {
        {.kind = PART_VIEW,
         .schema = "public",
         .name = "v",
         .table_schema = "public",
         .table_name = "v",
         .owner = "viewer",
         .validated = true,
         .drop_sql = drop_view,
         .drop_count = 1,
         .make_sql = make_view,
         .make_count = 1},
        {.kind = PART_INDEX,
         .schema = "public",
         .name = "orders_customer_id_idx",
         .table_schema = "public",
         .table_name = "orders",
         .suffix = "",
         .validated = true,
         .columns = customer_column,
         .column_count = 1,
         .ref_columns = customer_column,
         .ref_column_count = 1,
         .make_sql = comment,
         .make_count = 1,
         .definition = "CREATE INDEX orders_customer_id_idx ON public.orders USING btree (customer_id)"},
        {.kind = PART_CHECK,
         .schema = "public",
         .name = "positive",
         .table_schema = "public",
         .table_name = "orders",
         .constraint = "positive",
         .definition = "CHECK ((customer_id > 0))",
         .validated = true},
        {.kind = PART_FOREIGN_KEY,
         .schema = "public",
         .name = "of",
         .table_schema = "public",
         .table_name = "orders",
         .constraint = "of",
         .definition = "FOREIGN KEY (customer_id) REFERENCES public.customers(id) NOT VALID",
         .columns = customer_column,
         .column_count = 1,
         .ref_schema = "public",
         .ref_table = "customers",
         .ref_columns = orders_key,
         .ref_column_count = 1},
        {.kind = PART_TRIGGER,
         .schema = "public",
         .name = "t",
         .table_schema = "public",
         .table_name = "orders",
         .validated = true,
         .drop_sql = drop_trigger,
         .drop_count = 1,
         .make_sql = make_trigger,
         .make_count = 1},
    };
    ColumnParts *parts = arena_alloc(f->arena, sizeof *parts);
    *parts = (ColumnParts){.column = "customer_id",
                           .twin = twin,
                           .comment = "who",
                           .column_sql = grant,
                           .column_sql_count = 1,
                           .items = items,
                           .count = ARRAY_LEN(items)};
    f->orders.column_parts = parts;
    f->orders.column_parts_count = 1;
}

GOLDEN(change_type)
{
    op(f, OPERATION_CHANGE_TYPE)->column = "customer_id";
    f->ops[f->change.operation_count - 1].type_sql = "numeric";
    parts_of_customer(f, "_stoa_customer_id");
    f->exprs[f->input.expr_count++] = (PlanExpr){.table = {.name = "orders"},
                                                 .column = "customer_id",
                                                 .forms = {.plain = "customer_id::numeric",
                                                           .trigger = "new.customer_id::numeric",
                                                           .sources = customer_column,
                                                           .source_count = 1},
                                                 .info = {.immutable = true, .stable = true}};
}

GOLDEN(change_type_for_free)
{
    static Column columns[] = {
        {.name = "customer_id", .type = "character varying(10)", .exact_equality = true}};
    f->orders.columns = columns;
    f->orders.column_count = 1;
    op(f, OPERATION_CHANGE_TYPE)->column = "customer_id";
    f->ops[f->change.operation_count - 1].type_sql = "character varying(20)";
    parts_of_customer(f, "_stoa_customer_id");
}

GOLDEN(rename_column)
{
    op(f, OPERATION_RENAME_COLUMN)->column = "customer_id";
    f->ops[f->change.operation_count - 1].new_name = "new";
    parts_of_customer(f, "new");
}

GOLDEN(tree_rename_column)
{
    op(f, OPERATION_RENAME_COLUMN)->column = "customer_id";
    f->ops[f->change.operation_count - 1].new_name = "new";
    parts_of_customer(f, "new");
    tree(f);
}

GOLDEN(tree_change_type)
{
    static const ColumnParts none = {.column = "amount", .twin = "_stoa_amount"};
    op(f, OPERATION_CHANGE_TYPE)->column = "amount";
    f->ops[f->change.operation_count - 1].type_sql = "double precision";
    f->orders.column_parts = &none;
    f->orders.column_parts_count = 1;
    tree(f);
    f->exprs[f->input.expr_count++] = (PlanExpr){.table = {.name = "orders"},
                                                 .column = "amount",
                                                 .forms = {.plain = "amount::double precision",
                                                           .trigger = "new.amount::double precision",
                                                           .sources = customer_column,
                                                           .source_count = 1},
                                                 .info = {.immutable = true, .stable = true}};
}

GOLDEN(tree_change_type_of_an_indexed_column)
{
    op(f, OPERATION_CHANGE_TYPE)->column = "customer_id";
    f->ops[f->change.operation_count - 1].type_sql = "numeric";
    parts_of_customer(f, "_stoa_customer_id");
    tree(f);
}

GOLDEN(drop_key_column) { op(f, OPERATION_DROP_COLUMN)->column = "id"; }

GOLDEN(drop_check) { op(f, OPERATION_DROP_CONSTRAINT)->constraint_name = "orders_amount_check"; }

GOLDEN(drop_primary_key) { op(f, OPERATION_DROP_CONSTRAINT)->constraint_name = "orders_pkey"; }

GOLDEN(replace_primary_key)
{
    static const char *const columns[] = {"customer_id"};
    op(f, OPERATION_DROP_CONSTRAINT)->constraint_name = "orders_pkey";
    constraint(f, (ConstraintSpec){.kind = CONSTRAINT_PRIMARY_KEY,
                                   .columns = columns,
                                   .column_count = 1,
                                   .definition_sql = "PRIMARY KEY (customer_id)",
                                   .suffix_sql = "",
                                   .index_sql = "(customer_id)"});
}

GOLDEN(drop_table) { op(f, OPERATION_DROP_TABLE); }

GOLDEN(drop_table_of_a_view)
{
    view_on(f, NULL);
    op(f, OPERATION_DROP_TABLE)->cascade = true;
}

GOLDEN(rename_table)
{
    op(f, OPERATION_RENAME_TABLE)->new_name = "purchases";
    static Grant grants[] = {{.privilege = "SELECT", .grantee = "reader"},
                             {.privilege = "UPDATE", .column = "note", .grantable = true}};
    static const Face face = {.comment = "it's theirs", .grants = grants, .grant_count = 2};
    f->orders.face = &face;
}

GOLDEN(set_schema_at_once)
{
    op(f, OPERATION_SET_SCHEMA)->new_name = "shop";
    f->accepted[0] = "rename";
    f->input.options.accepted_count = 1;
}

GOLDEN(rename_table_with_row_security)
{
    op(f, OPERATION_RENAME_TABLE)->new_name = "purchases";
    f->orders.rls = true;
}

GOLDEN(comment)
{
    Operation *said = op(f, OPERATION_COMMENT);
    said->column = "amount";
    said->sql = "COMMENT ON COLUMN orders.amount IS 'net'";
}

/* ---- refusals ---------------------------------------------------------------------------------------------
 */

static void refused(Fixture *f, ErrKind kind, const char *message, const char *hint)
{
    Plan plan = {0};
    Err *err = make(f, &plan);
    assert_non_null(err);
    assert_string_equal(err->msg, message);
    if (hint != NULL)
        assert_string_equal(err->hint != NULL ? err->hint : "(none)", hint);
    assert_int_equal(err->kind, kind);
    err_free(err);
}

static void refuses_what_is_not_there(void **state)
{
    Fixture *f = *state;
    add(f, "x", "bigint");
    f->ops[0].table.name = "order";
    refused(f, ERR_USAGE, "table \"order\" does not exist in database \"shop\"",
            "check the name and the search_path");
    f->ops[0].if_exists = true;
    Plan plan = must(f);
    assert_true(plan.nothing_to_do);
    assert_int_equal(plan.step_count, 0);
    f->change.operation_count = 0;
    op(f, OPERATION_SET_NOT_NULL)->column = "colour";
    refused(f, ERR_USAGE, "table \"public.orders\" has no column \"colour\"", NULL);
    f->change.operation_count = 0;
    op(f, OPERATION_VALIDATE_CONSTRAINT)->constraint_name = "none";
    refused(f, ERR_USAGE, "\"public.orders\" has no constraint \"none\"", NULL);
    f->change.operation_count = 0;
    op(f, OPERATION_DROP_INDEX)->table.name = "missing_idx";
    refused(f, ERR_USAGE, "index \"missing_idx\" does not exist in database \"shop\"", NULL);
    backfill(f, "nobody", "1");
    refused(f, ERR_USAGE, "backfill of \"orders.nobody\": nobody adds this column",
            "ALTER TABLE public.orders ADD COLUMN nobody … belongs into the same change");
}

static void refuses_other_kinds(void **state)
{
    Fixture *f = *state;
    add(f, "x", "bigint");
    f->orders.kind = RELATION_VIEW;
    refused(f, ERR_UNSAFE, "\"public.orders\" is a view, not a table that can be changed", NULL);
    f->orders.kind = RELATION_SYSTEM;
    refused(f, ERR_UNSAFE, "\"public.orders\" is a system table, not a table that can be changed", NULL);
    f->orders.kind = RELATION_PARTITION;
    f->orders.parent = "public.all_orders";
    f->orders.is_partition = true;
    refused(
        f, ERR_UNSAFE,
        "\"public.orders\" is a partition of public.all_orders: a partition has the columns of its parent",
        "change the parent: ALTER TABLE public.all_orders …");
    f->orders.is_partition = false;
    refused(
        f, ERR_UNSAFE,
        "\"public.orders\" inherits from \"public.all_orders\": only its indexes and comments are changed",
        "NO INHERIT it for the time of the change");
    f->orders.kind = RELATION_TABLE;
    f->orders.parent = NULL;
    f->orders.has_children = true;
    refused(
        f, ERR_UNSAFE,
        "\"public.orders\" has inheritance children, to which the change would go on with rows that are not "
        "looked at: only indexes and comments of such a table are changed",
        NULL);
    f->orders.has_children = false;
    f->orders.temporary = true;
    refused(f, ERR_UNSAFE, "\"public.orders\" is a temporary table: it belongs to one session", NULL);
}

static void refuses_missing_privileges(void **state)
{
    Fixture *f = *state;
    add(f, "x", "bigint");
    f->orders.may_own = false;
    f->orders.owner = "Owner";
    refused(f, ERR_PRIVILEGE, "role \"app\" is not an owner of public.orders", "GRANT \"Owner\" TO app");
    f->orders.may_own = true;
    f->server.may_create_schema = false;
    refused(f, ERR_PRIVILEGE, "role \"app\" may not create the journal's schema \"stoa\"",
            "GRANT CREATE ON DATABASE shop TO app");
    f->server.journal_version = 1;
    assert_int_equal(must(f).step_count, 2);
    f->server.may_use_journal = false;
    refused(f, ERR_PRIVILEGE, "role \"app\" may not use the journal in schema \"stoa\"", NULL);
}

static void refuses_wrong_servers(void **state)
{
    Fixture *f = *state;
    add(f, "x", "bigint");
    f->server.in_recovery = true;
    refused(f, ERR_UNSAFE, "the server is a standby and takes no changes", "connect to the primary");
    f->server.in_recovery = false;
    f->server.read_only = true;
    refused(f, ERR_UNSAFE, "transactions are read-only for role \"app\" in database \"shop\"",
            "ALTER ROLE app SET default_transaction_read_only = off");
    f->server.read_only = false;
    f->server.pooled = true;
    refused(f, ERR_CONNECT, "the connection goes through a pooler in transaction mode", NULL);
    f->server.pooled = false;
    f->input.options.max_lag_given = true;
    refused(f, ERR_USAGE, "--max-lag was given, but no replica is seen",
            "say which replicas there are with --replicas URL, or that there are none: --replicas 0");
    f->input.options.replicas_given = true;
    assert_int_equal(must(f).risk_count, 0);
}

static void refuses_not_null_without_values(void **state)
{
    Fixture *f = *state;
    add(f, "amount_cents", "bigint")->not_null = true;
    refused(f, ERR_UNSAFE,
            "\"public.orders\" has rows, and \"amount_cents\" is NOT NULL without a default: what should "
            "they get?",
            "say how to compute it: --backfill 'orders.amount_cents = …'");
}

static void refuses_wrong_expressions(void **state)
{
    Fixture *f = *state;
    cents(f);
    f->exprs[0].info.error = "column \"amont\" does not exist";
    f->exprs[0].info.error_state = "42703";
    refused(f, ERR_USAGE,
            "backfill of \"public.orders.amount_cents\": column \"amont\" does not exist (SQLSTATE 42703)",
            NULL);
    f->exprs[0].info = (ExprInfo){.stable = true};
    f->input.options.verify = VERIFY_EXPRESSION;
    refused(f, ERR_USAGE,
            "--verify expression: the expression of \"amount_cents\" is not immutable over the row, so its "
            "values "
            "cannot be compared later",
            "leave --verify out: it is verified as filled");
    f->input.options.verify = VERIFY_AUTO;
    f->fills[1] = f->fills[0];
    f->change.backfill_count = 2;
    refused(f, ERR_USAGE, "two backfills for \"orders.amount_cents\"", NULL);
}

static void columns_that_exist(void **state)
{
    Fixture *f = *state;
    ColumnSpec *spec = add(f, "customer_id", "int8");
    spec->not_null = true;
    Plan plan = must(f);
    assert_true(plan.nothing_to_do);
    spec->type_sql = "integer";
    refused(f, ERR_UNSAFE,
            "column \"customer_id\" of \"public.orders\" exists already with another definition: its type is "
            "bigint, "
            "not integer",
            NULL);
    f->ops[0].if_not_exists = true;
    plan = must(f);
    assert_true(plan.nothing_to_do);
    assert_string_equal(plan.risks[0].id, "exists");
    f->ops[0].if_not_exists = false;
    *spec = (ColumnSpec){.name = "status", .type_sql = "text", .not_null = true};
    refused(f, ERR_UNSAFE,
            "column \"status\" of \"public.orders\" exists already with another definition: it may be null",
            NULL);
    *spec = (ColumnSpec){.name = "amount", .type_sql = "decimal(10, 2)", .not_null = true};
    assert_true(must(f).nothing_to_do);
    backfill(f, "status", "'x'");
    f->change.operation_count = 0;
    refused(f, ERR_USAGE,
            "column \"status\" of \"public.orders\" exists, and this change does not make it NOT NULL: there "
            "is nothing "
            "to backfill",
            "add ALTER TABLE public.orders ALTER COLUMN status SET NOT NULL to the change");
}

static void indexes_that_exist(void **state)
{
    Fixture *f = *state;
    static const char *const columns[] = {"status"};
    IndexSpec *spec = arena_alloc(f->arena, sizeof *spec);
    *spec = (IndexSpec){.name = "orders_customer_id_idx",
                        .definition_sql = "USING btree (status)",
                        .columns = columns,
                        .column_count = 1};
    op(f, OPERATION_CREATE_INDEX)->index = spec;
    refused(f, ERR_UNSAFE, "index \"orders_customer_id_idx\" exists already with another definition",
            "it is: CREATE INDEX orders_customer_id_idx ON public.orders USING btree (customer_id)");
    spec->if_not_exists = true;
    assert_true(must(f).nothing_to_do);
    spec->if_not_exists = false;
    spec->definition_sql = "USING btree (customer_id)";
    spec->columns = customer_column;
    assert_true(must(f).nothing_to_do);
    f->orders.indexes[1].valid = false;
    Plan plan = must(f);
    f->orders.indexes[1].valid = true;
    assert_int_equal(plan.steps[0].kind, STEP_CREATE_INDEX);
    assert_string_equal(plan.steps[0].index, "orders_customer_id_idx");
    f->change.operation_count = 0;
    Operation *drop = op(f, OPERATION_DROP_INDEX);
    drop->table.name = "orders_pkey";
    refused(f, ERR_UNSAFE, "index \"orders_pkey\" belongs to constraint \"orders_pkey\" of \"public.orders\"",
            "an index of a constraint goes with its constraint");
    drop->table.name = "orders_customer_id_idx";
    drop->cascade = true;
    refused(f, ERR_UNSAFE, "DROP INDEX … CASCADE may drop what nobody has looked at", NULL);
}

static void constraints_that_exist(void **state)
{
    Fixture *f = *state;
    f->orders.constraints[1].validated = true;
    f->orders.constraints[1].definition = "CHECK ((amount >= (0)::numeric))";
    constraint(f, (ConstraintSpec){.kind = CONSTRAINT_CHECK,
                                   .name = "orders_amount_check",
                                   .expr_sql = "amount >= 0",
                                   .definition_sql = "CHECK (amount >= 0)"});
    assert_true(must(f).nothing_to_do);
    f->change.operation_count = 0;
    constraint(f, (ConstraintSpec){.kind = CONSTRAINT_CHECK,
                                   .name = "orders_amount_check",
                                   .expr_sql = "amount >= 1",
                                   .definition_sql = "CHECK (amount >= 1)"});
    refused(f, ERR_UNSAFE,
            "constraint \"orders_amount_check\" of \"public.orders\" exists already with another definition",
            "it is: CHECK ((amount >= (0)::numeric))");
    f->change.operation_count = 0;
    static const char *const columns[] = {"customer_id"};
    constraint(f, (ConstraintSpec){.kind = CONSTRAINT_PRIMARY_KEY,
                                   .columns = columns,
                                   .column_count = 1,
                                   .definition_sql = "PRIMARY KEY (customer_id)",
                                   .index_sql = "(customer_id)"});
    refused(f, ERR_UNSAFE, "\"public.orders\" has another primary key already", "it is: PRIMARY KEY (id)");
    f->orders.constraints[1] = (TableConstraint){.name = "orders_amount_check",
                                                 .kind = 'c',
                                                 .definition = "CHECK ((amount >= (0)::numeric)) NOT VALID"};
}

static void names_are_the_servers(void **state)
{
    Fixture *f = *state;
    constraint(f, (ConstraintSpec){.kind = CONSTRAINT_CHECK,
                                   .expr_sql = "amount > 1 AND status <> 'amount'",
                                   .definition_sql = "CHECK (amount > 1 AND status <> 'amount')"});
    constraint(f, (ConstraintSpec){.kind = CONSTRAINT_CHECK,
                                   .expr_sql = "amount > 2",
                                   .definition_sql = "CHECK (amount > 2)"});
    Plan plan = must(f);
    const char *sql[2] = {NULL, NULL};
    size_t count = 0;
    for (size_t i = 0; i < plan.step_count; i++)
        if (plan.steps[i].kind == STEP_DDL && count < 2)
            sql[count++] = plan.steps[i].sql[0];
    assert_string_equal(sql[0],
                        "ALTER TABLE public.orders ADD CONSTRAINT orders_check CHECK (amount > 1 AND status "
                        "<> 'amount') NOT VALID");
    assert_string_equal(
        sql[1], "ALTER TABLE public.orders ADD CONSTRAINT orders_amount_check1 CHECK (amount > 2) NOT VALID");
    f->change.operation_count = 0;
    static const char *const longest[] = {"a_very_long_column_name_that_goes_on_and_on_until_the_limit_abc"};
    static Column columns[] = {
        {.name = "a_very_long_column_name_that_goes_on_and_on_until_the_limit_abc", .type = "text"}};
    f->orders.columns = columns;
    f->orders.column_count = 1;
    IndexSpec *spec = arena_alloc(f->arena, sizeof *spec);
    *spec = (IndexSpec){.definition_sql = "USING btree (x)", .columns = longest, .column_count = 1};
    op(f, OPERATION_CREATE_INDEX)->index = spec;
    plan = must(f);
    /* as PostgreSQL 15 names it */
    assert_string_equal(plan.steps[0].index,
                        "orders_a_very_long_column_name_that_goes_on_and_on_until_th_idx");
}

/* ---- risks -----------------------------------------------------------------------------------------------
 */

static bool has_risk(const Plan *plan, const char *id)
{
    for (size_t i = 0; i < plan->risk_count; i++)
        if (str_eq(plan->risks[i].id, id))
            return true;
    return false;
}

static const Risk *risk(const Plan *plan, const char *id)
{
    static const Risk none = {.message = "", .sql = ""};
    for (size_t i = 0; i < plan->risk_count; i++)
        if (str_eq(plan->risks[i].id, id))
            return &plan->risks[i];
    fail_msg("no risk %s", id);
    return &none;
}

static void hint_is(Err *err, const char *hint)
{
    assert_true(err_is(err, ERR_UNSAFE));
    assert_string_equal(err_first_hint(err), hint);
    err_free(err);
}

static void risks_must_be_accepted(void **state)
{
    Fixture *f = *state;
    cents(f);
    StarStatement star = {.statement = "SELECT * FROM orders", .why = "prepared SELECT *", .calls = 12};
    f->orders.stars = &star;
    f->orders.star_count = 1;
    Trigger trigger = {.name = "audit",
                       .function = "public.audit()",
                       .enabled = 'O',
                       .row = true,
                       .on_update = true,
                       .fires_on_backfill = true};
    f->orders.triggers = &trigger;
    f->orders.trigger_count = 1;
    Standby standby = {.name = "replica1", .visible = true};
    f->server.standbys = &standby;
    f->server.standby_count = 1;
    Plan plan = must(f);
    Err *err = plan_refusal(&plan);
    hint_is(err, "look at the plan, then add --accept-star --accept-triggers --accept-standby-stall");
    assert_string_equal(
        risk(&plan, "triggers")->message,
        "the backfill of public.orders fires these triggers for every row, because this role may not "
        "set session_replication_role: audit (public.audit())");
    f->accepted[0] = "star";
    f->accepted[1] = "standby-stall";
    f->input.options.accepted_count = 2;
    f->server.may_quiet_triggers = true;
    plan = must(f);
    assert_false(has_risk(&plan, "triggers"));
    assert_null(plan_refusal(&plan));
    bool quiet = false;
    for (size_t i = 0; i < plan.step_count; i++)
        quiet = quiet || plan.steps[i].quiet_triggers;
    assert_true(quiet);
}

static void subscribers_get_their_sql(void **state)
{
    Fixture *f = *state;
    cents(f);
    Publication all = {.name = "everything", .all_tables = true, .journal_too = true};
    f->orders.publications = &all;
    f->orders.publication_count = 1;
    f->server.publications = &all;
    f->server.publication_count = 1;
    Slot slot = {.name = "lost", .plugin = "pgoutput", .retained_bytes = 1073741824};
    f->server.slots = &slot;
    f->server.slot_count = 1;
    f->input.journal_sql = "CREATE SCHEMA stoa";
    Plan plan = must(f);
    assert_string_equal(risk(&plan, "subscribers")->sql,
                        "ALTER TABLE public.orders ADD COLUMN amount_cents bigint");
    assert_string_equal(
        risk(&plan, "slot")->message,
        "logical slot lost (pgoutput) is not active and retains 1.0 GB of WAL: the change adds to it");
    bool journal = false;
    for (size_t i = 0; i < plan.risk_count; i++)
        journal = journal || str_eq(plan.risks[i].sql, "CREATE SCHEMA stoa");
    assert_true(journal);
    Err *err = plan_refusal(&plan);
    hint_is(err, "look at the plan, then add --subscribers-ready");
    f->accepted[0] = "subscribers";
    f->input.options.accepted_count = 1;
    plan = must(f);
    assert_null(plan_refusal(&plan));
    all.column_list = true;
    f->server.publication_count = 0;
    plan = must(f);
    assert_false(has_risk(&plan, "subscribers"));
    assert_null(risk(&plan, "publication")->accept);
}

static void forced_row_security_is_refused(void **state)
{
    Fixture *f = *state;
    cents(f);
    f->orders.rls = f->orders.rls_forced = true;
    refused(f, ERR_UNSAFE,
            "\"public.orders\" has FORCE ROW LEVEL SECURITY: its policies would hide rows from its owner, as "
            "whom they "
            "are read and filled",
            "ALTER TABLE public.orders NO FORCE ROW LEVEL SECURITY for the time of the change");
    f->change.operation_count = f->change.backfill_count = 0;
    add(f, "x", "bigint");
    assert_int_equal(must(f).step_count, 2);
}

/* ---- digests and JSON ----------------------------------------------------------------------- */

static const char *digest_of(Fixture *f) { return must(f).plan_digest; }

static void digest_is_stable(void **state)
{
    Fixture *f = *state;
    cents(f);
    const char *first = digest_of(f);
    assert_true(str_starts(first, "sha256:"));
    assert_string_equal(first, digest_of(f));
    f->orders.row_estimate *= 3;
    f->orders.heap_bytes *= 3;
    assert_string_equal(first, digest_of(f));
    f->orders.id = 99999; /* the same table elsewhere */
    assert_string_equal(first, digest_of(f));
    f->exprs[0].forms.plain = "(amount * 1000)::bigint";
    assert_string_not_equal(first, digest_of(f));
    f->exprs[0].forms.plain = "(amount * 100)::bigint";
    f->orders.owner = "somebody";
    assert_string_not_equal(first, digest_of(f));
    f->orders.owner = "app";
    version(f, 180004);
    assert_string_not_equal(first, digest_of(f));
}

static void json_has_the_contract(void **state)
{
    Fixture *f = *state;
    cents(f);
    Plan plan = must(f);
    json_t *json = plan_to_json(&plan), *step = json_array_get(json_object_get(json, "steps"), 1);
    assert_int_equal(json_integer_value(json_object_get(json, "v")), 1);
    assert_string_equal(json_string_value(json_object_get(json, "strategy")), "in-place");
    assert_string_equal(json_string_value(json_object_get(step, "phase")), "expand");
    assert_string_equal(json_string_value(json_object_get(step, "kind")), "ddl");
    assert_string_equal(json_string_value(json_object_get(step, "lock")), "ACCESS EXCLUSIVE");
    assert_string_equal(json_string_value(json_array_get(json_object_get(step, "lock_on"), 0)),
                        "public.orders");
    assert_true(str_starts(json_string_value(json_object_get(step, "sql")),
                           "ALTER TABLE public.orders ADD COLUMN amount_cents bigint;\nCREATE SEQUENCE"));
    assert_true(str_starts(json_string_value(json_object_get(step, "undo")), "DROP TRIGGER IF EXISTS"));
    assert_true(json_integer_value(json_object_get(json_object_get(step, "estimate_ms"), "high")) > 0);
    json_object_set_new(step, "kind", json_string("dance"));
    Plan copy = {0};
    Err *err = plan_from_json(f->arena, json, &copy);
    assert_true(err_is(err, ERR_CONFIG));
    err_free(err);
    json_decref(json);
    json_t *other = json_pack("{s:i}", "v", 2);
    err = plan_from_json(f->arena, other, &copy);
    assert_true(err_is(err, ERR_CONFIG));
    err_free(err);
    json_decref(other);
}

static void names_of_the_parts(void **state)
{
    (void)state;
    for (int i = 0; i < PHASE_COUNT; i++)
        assert_int_equal(phase_from_name(phase_name((Phase)i)), i);
    assert_int_equal(phase_from_name("later"), -1);
    for (int i = 0; i < STEP_KIND_COUNT; i++)
        assert_non_null(step_kinds[i].summary);
    assert_true(step_kinds[STEP_DDL].strong_lock);
    assert_false(step_kinds[STEP_CREATE_INDEX].transactional);
}

static void refused_reverse(Fixture *f, ErrKind kind, const char *words)
{
    Plan plan = {0};
    Err *err = make(f, &plan);
    assert_true(err_is(err, kind));
    assert_non_null(strstr(err->msg, words));
    err_free(err);
    f->change.operation_count = f->change.backfill_count = f->change.reverse_count = 0;
    f->input.expr_count = 0;
}

static void versioned_refusals(void **state)
{
    Fixture *f = *state;
    static Face faces[2];
    f->input.faces = faces;
    f->input.options.versioned = true;
    f->input.version_schema = "public_test";
    Operation *rename = op(f, OPERATION_RENAME_COLUMN);
    rename->column = "nothing";
    rename->new_name = "remark";
    refused_reverse(f, ERR_USAGE, "has no column \"nothing\"");
    rename = op(f, OPERATION_RENAME_COLUMN);
    rename->column = "note";
    rename->new_name = "status";
    refused_reverse(f, ERR_USAGE, "has a column \"status\" already");
    rename = op(f, OPERATION_RENAME_COLUMN);
    rename->column = "note";
    rename->new_name = "remark";
    f->input.version_taken = true;
    refused_reverse(f, ERR_UNSAFE, "schema \"public_test\" exists already");
    f->input.version_taken = false;
    op(f, OPERATION_RENAME_TABLE)->new_name = "purchases";
    f->server.may_create_schema = false;
    f->server.journal_version = 2;
    refused_reverse(f, ERR_PRIVILEGE, "may not create schema");
    op(f, OPERATION_RENAME_TABLE)->new_name = "purchases";
    f->server.may_create_schema = true;
    f->orders.rls = true;
    version(f, 140000);
    refused_reverse(f, ERR_UNSAFE, "row level security");
    WantedName wanted = {.name = {.name = "orders"}};
    op(f, OPERATION_RENAME_TABLE)->new_name = "purchases";
    f->change.name = "Orders-to.purchases";
    assert_string_equal(plan_version_schema(f->arena, &f->change, &f->orders, &wanted, 1, NULL),
                        "public_orders_to_purchases");
    f->change.name = "a-name-that-is-so-long-that-the-server-would-cut-it-off-at-63-bytes-0001";
    const char *one = plan_version_schema(f->arena, &f->change, &f->orders, &wanted, 1, NULL);
    f->change.name = "a-name-that-is-so-long-that-the-server-would-cut-it-off-at-63-bytes-0002";
    const char *other = plan_version_schema(f->arena, &f->change, &f->orders, &wanted, 1, NULL);
    assert_int_equal(strlen(one), 63);
    assert_string_not_equal(one, other);
}

static void reverses_that_make_no_sense(void **state)
{
    Fixture *f = *state;
    cents(f);
    reverse(f, "nothing", "amount_cents");
    refused_reverse(f, ERR_USAGE, "there is no such column");
    cents(f);
    reverse(f, "amount_cents", "amount");
    refused_reverse(f, ERR_USAGE, "this change adds that column");
    cents(f);
    reverse(f, "amount", "status");
    refused_reverse(f, ERR_USAGE, "reads no column that this change adds");
    cents(f);
    add(f, "note2", "text");
    reverse(f, "amount", "note2");
    refused_reverse(f, ERR_USAGE, "reads \"note2\", which has no backfill");
    cents(f);
    reverse(f, "id", "amount_cents");
    refused_reverse(f, ERR_UNSAFE, "part of the primary key");
    cents(f);
    reverse(f, "amount", "amount_cents");
    f->orders.columns[2].default_sql = "random()";
    f->exprs[1].default_stable = false;
    assert_string_equal(f->orders.columns[2].name, "amount");
    refused_reverse(f, ERR_UNSAFE, "another value each time");
    f->orders.columns[2].default_sql = NULL;
    cents(f);
    add(f, "note2", "text");
    reverse(f, "amount", "amount_cents");
    Plan plan = {0};
    Err *err = make(f, &plan);
    assert_null(err);
    assert_int_equal(plan.revert_count, 0);
    assert_non_null(strstr(plan.no_revert, "no reverse reads the new column orders.note2"));
}

static void wanted_tables_and_expressions(void **state)
{
    Fixture *f = *state;
    cents(f);
    add_references_fill(f);
    op(f, OPERATION_DROP_INDEX)->table.name = "orders";
    ColumnSpec *spec = add(f, "token", "uuid");
    spec->default_sql = "gen_random_uuid()";
    WantedName *names = NULL;
    size_t count = 0;
    plan_wanted_tables(f->arena, &f->change, &names, &count);
    assert_int_equal(count, 3); /* orders, customers, and the index of the same name */
    assert_string_equal(names[1].name.name, "customers");
    assert_true(names[2].index);
    WantedExpr *exprs = NULL;
    plan_wanted_exprs(f->arena, &f->change, &exprs, &count);
    assert_int_equal(count, 2);
    assert_string_equal(exprs[0].type_sql, "bigint");
    assert_false(exprs[0].of_default);
    assert_true(exprs[1].of_default);
}

/* ---- the sync trigger ----------------------------------------------------------------------- */

/* ---- measured on an empty clone -------------------------------------------------------------------------
 */

static void the_server_is_right_about_locks(void **state)
{
    Fixture *f = *state;
    const Table tables[] = {f->orders, f->customers};
    static const char *const orders[] = {"public.orders"};
    static const char *const modes[] = {"SHARE"};
    const Step before = {.ordinal = 2,
                         .title = "t",
                         .table = {.schema = "public", .name = "orders"},
                         .lock = "SHARE",
                         .lock_on = orders,
                         .lock_modes = modes,
                         .lock_count = 1,
                         .evidence = EVIDENCE_RULE};
    ProbeLock locks[] = {
        {"public.customers", "ACCESS EXCLUSIVE", false}, {"public.others", "ACCESS EXCLUSIVE", false},
        {"public.view", "ACCESS EXCLUSIVE", true},       {"stoa.changes", "ACCESS EXCLUSIVE", false},
        {"public.orders", "SHARE ROW EXCLUSIVE", false}, {"public.some", "SHARE UPDATE EXCLUSIVE", false},
        {"public.customers", "ROW SHARE", false},        {"public.orders", "ACCESS SHARE", false}};
    Probe probe = {.locks = locks, .lock_count = ARRAY_LEN(locks)};
    Step step = before;
    assert_null(step_measured(f->arena, &step, &probe, tables, ARRAY_LEN(tables)));
    assert_string_equal(step.lock, "SHARE ROW EXCLUSIVE");
    assert_int_equal(step.lock_count, 3);
    assert_string_equal(step.lock_on[0], "public.orders");
    assert_string_equal(step.lock_modes[0], "SHARE ROW EXCLUSIVE");
    assert_string_equal(step.lock_on[1], "public.customers");
    assert_string_equal(step.lock_modes[1], "ACCESS EXCLUSIVE");
    assert_string_equal(step.lock_on[2], "public.view");
    assert_int_equal(step.evidence, EVIDENCE_MEASURED);
    /* an index under the strongest lock stops its table's queries */
    ProbeLock index = {"public.orders_pkey", "ACCESS EXCLUSIVE", false};
    step = before;
    assert_null(step_measured(f->arena, &step, &(Probe){.index_locks = &index, .index_lock_count = 1}, tables,
                              ARRAY_LEN(tables)));
    assert_string_equal(step.lock, "ACCESS EXCLUSIVE");
    assert_int_equal(step.lock_count, 1);
    /* a statement about no table: whatever it took, and nothing where it took nothing */
    step = before;
    step.table = (Name){0};
    assert_null(step_measured(f->arena, &step, &probe, tables, ARRAY_LEN(tables)));
    assert_string_equal(step.lock, "ACCESS EXCLUSIVE");
    assert_int_equal(step.lock_count, 5);
    assert_string_equal(step.lock_on[1], "public.others");
    assert_string_equal(step.lock_on[2], "public.view");
    assert_string_equal(step.lock_modes[4], "SHARE UPDATE EXCLUSIVE");
    assert_null(step_measured(f->arena, &step, &(Probe){0}, tables, ARRAY_LEN(tables)));
    assert_string_equal(step.lock, "");
    assert_int_equal(step.lock_count, 0);
}

/* Reading or rewriting rows under a lock that stops writers is refused unless the plan says so, or there are
 * no rows. */
static void unforeseen_work_under_a_strong_lock_is_refused(void **state)
{
    Fixture *f = *state;
    static const char *const orders[] = {"public.orders"};
    ProbeLock lock = {"public.orders", "ACCESS EXCLUSIVE", false};
    Probe scan = {.locks = &lock, .lock_count = 1, .scanned = orders, .scanned_count = 1};
    Probe rewrite = {.locks = &lock, .lock_count = 1, .rewritten = orders, .rewritten_count = 1};
    const struct {
        const char *mode;
        const Probe *probe;
        bool empty, foreseen, refused;
    } cases[] = {
        {"ACCESS EXCLUSIVE", &scan, false, false, true},
        {"ACCESS EXCLUSIVE", &rewrite, false, false, true},
        {"SHARE ROW EXCLUSIVE", &scan, false, false, true},
        {"SHARE", &scan, false, false, true},
        {"SHARE UPDATE EXCLUSIVE", &scan, false, false, false},
        {"ACCESS EXCLUSIVE", &scan, true, false, false},
        {"ACCESS EXCLUSIVE", &rewrite, true, false, false},
        {"ACCESS EXCLUSIVE", &scan, false, true, false},
        {"ACCESS EXCLUSIVE", &rewrite, false, true, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Step step = {.ordinal = 1,
                     .title = "t",
                     .table = {.schema = "public", .name = "orders"},
                     .scans = cases[i].foreseen,
                     .rewrites = cases[i].foreseen};
        lock.mode = cases[i].mode;
        f->orders.empty = cases[i].empty;
        Err *err = step_measured(f->arena, &step, cases[i].probe, &f->orders, 1);
        assert_int_equal(err_is(err, ERR_UNSAFE), cases[i].refused);
        if (err != NULL)
            assert_non_null(strstr(err->msg, "public.orders while it holds"));
        err_free(err);
    }
}

static void trigger_sorts_last(void **state)
{
    Fixture *f = *state;
    const char *const *sql = NULL;
    size_t count = 0;
    SyncColumn column = {.column = "c",
                         .expr = "new.amount",
                         .sources = (const char *const[]){"amount"},
                         .source_count = 1,
                         .counter = "stoa.fills_16384_c"};
    const char *const others[] = {"aaa", "zzz", "\xc3\xb6rtlich"};
    const char *const expected[] = {"CREATE TRIGGER zz_stoa_sync_insert ",
                                    "CREATE TRIGGER \"~zz_stoa_sync_insert\" ",
                                    "CREATE TRIGGER \"\xc3\xb6rtlich~zz_stoa_sync_insert\" "};
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        Trigger other = {.name = others[i], .row = true, .before = true, .on_update = true};
        f->orders.triggers = &other;
        f->orders.trigger_count = 1;
        sync_sql_pg(f->arena, &f->server, &f->orders, &column, 1, NULL, 0, &sql, &count);
        assert_true(str_starts(sql[count - 4], expected[i]));
    }
}

static void trigger_can_be_taken_out(void **state)
{
    Fixture *f = *state;
    const char *const *sql = NULL;
    size_t count = 0;
    SyncColumn columns[] = {{.column = "a", .expr = "1", .counter = "stoa.fills_16384_a"},
                            {.column = "b", .expr = "2", .counter = "stoa.fills_16384_b"}};
    f->orders.sync = columns;
    f->orders.sync_count = 2;
    f->orders.owner = "boss";
    sync_sql_pg(f->arena, &f->server, &f->orders, &columns[1], 1, NULL, 0, &sql, &count);
    assert_string_equal(sql[0], "SET LOCAL ROLE NONE");
    assert_string_equal(sql[1], "GRANT USAGE, CREATE ON SCHEMA stoa TO boss");
    assert_string_equal(sql[count - 2], "DROP SEQUENCE IF EXISTS stoa.fills_16384_a");
    assert_string_equal(sql[count - 1], "DROP SEQUENCE IF EXISTS stoa.minute_16384_a");
    sync_sql_pg(f->arena, &f->server, &f->orders, NULL, 0, NULL, 0, &sql, &count);
    assert_int_equal(count, 7);
    assert_string_equal(sql[0], "DROP TRIGGER IF EXISTS zz_stoa_sync_insert ON public.orders");
    assert_string_equal(sql[2], "DROP FUNCTION IF EXISTS stoa.sync_16384()");
    assert_string_equal(sql[6], "DROP SEQUENCE IF EXISTS stoa.minute_16384_b");
}

/* The statement that begins like this. */
static const char *statement(const char *const *sql, size_t count, const char *start)
{
    for (size_t i = 0; i < count; i++)
        if (str_starts(sql[i], start))
            return sql[i];
    return "";
}

/* orders.amount <-> cents: the way back, its default and its CHECK, NULL that is not taken. */
static void trigger_goes_both_ways(void **state)
{
    Fixture *f = *state;
    const char *const *sql = NULL;
    size_t count = 0;
    SyncBack back = {.column = "amount",
                     .expr = "new.cents / 100",
                     .sources = (const char *const[]){"cents"},
                     .source_count = 1,
                     .default_sql = "0",
                     .check_sql = "new.amount > 1"};
    SyncColumn column = {.column = "cents",
                         .change_id = 7,
                         .expr = "new.amount * 100",
                         .sources = (const char *const[]){"amount"},
                         .source_count = 1,
                         .counter = "stoa.fills_16384_cents",
                         .back = &back,
                         .back_count = 1};
    sync_sql_pg(f->arena, &f->server, &f->orders, &column, 1, NULL, 0, &sql, &count);
    assert_string_equal(sql[2], "CREATE SEQUENCE IF NOT EXISTS stoa.broken_16384_amount");
    const char *insert = statement(sql, count, "CREATE TRIGGER zz_stoa_sync_insert");
    assert_non_null(strstr(insert,
                           "(NEW.cents IS NULL) OR ((NEW.cents IS NOT NULL) AND NOT (NEW.amount IS NOT "
                           "NULL AND "));
    const char *update = statement(sql, count, "CREATE TRIGGER zz_stoa_sync_update");
    assert_non_null(strstr(update, "AND NOT (pg_catalog.current_setting('stoa.bypass', true) IS NOT DISTINCT "
                                   "FROM 'on')"));
    const char *body = statement(sql, count, "CREATE OR REPLACE FUNCTION");
    assert_non_null(strstr(body, "stoa_back_1 := (stoa_wrote_1) AND NOT ("));
    assert_non_null(strstr(body, "IF (new.amount > 1) IS FALSE THEN"));
    assert_non_null(strstr(body, "IF NEW.amount IS NULL THEN"));
    assert_non_null(strstr(body, "NEW.amount := OLD.amount;"));
    assert_non_null(strstr(body, "NEW.amount := (0);"));
    assert_non_null(strstr(body, "b.change_id = 7 AND b.column_name = 'amount'"));
    f->orders.sync = &column;
    f->orders.sync_count = 1;
    sync_sql_pg(f->arena, &f->server, &f->orders, NULL, 0, NULL, 0, &sql, &count);
    assert_string_equal(sql[count - 1], "DROP SEQUENCE IF EXISTS stoa.broken_16384_amount");
}

/* Two changes on one column: what the first one's way back writes reaches the second's new column, but never
 * the one that it came from. */
static void ways_back_of_two_changes(void **state)
{
    Fixture *f = *state;
    const char *const *sql = NULL;
    size_t count = 0;
    SyncBack first = {
        .column = "amount", .expr = "new.a", .sources = (const char *const[]){"a"}, .source_count = 1};
    SyncBack second = {
        .column = "a", .expr = "new.b", .sources = (const char *const[]){"b"}, .source_count = 1};
    SyncColumn columns[] = {
        {.column = "a",
         .change_id = 1,
         .expr = "new.amount",
         .sources = (const char *const[]){"amount"},
         .source_count = 1,
         .counter = "stoa.fills_16384_a",
         .back = &first,
         .back_count = 1},
        {.column = "b",
         .change_id = 2,
         .expr = "new.a",
         .sources = (const char *const[]){"a"},
         .source_count = 1,
         .counter = "stoa.fills_16384_b",
         .back = &second,
         .back_count = 1},
    };
    sync_sql_pg(f->arena, &f->server, &f->orders, columns, 2, NULL, 0, &sql, &count);
    const char *body = statement(sql, count, "CREATE OR REPLACE FUNCTION");
    const char *outer = strstr(body, "stoa_back_2 := (stoa_wrote_2)");
    const char *inner = strstr(body, "stoa_back_1 := (stoa_wrote_1 OR stoa_back_2)");
    assert_true(outer != NULL && inner > outer);
    assert_non_null(strstr(body, "IF stoa_back_2 THEN"));
    assert_true(strstr(body, "IF stoa_back_2 THEN") < strstr(body, "IF stoa_back_1 THEN"));
    assert_non_null(strstr(body, "AND NOT stoa_back_1)) AND NOT stoa_back_2;"));
}

static void kept_alive_column_never_fails(void **state)
{
    Fixture *f = *state;
    const char *const *sql = NULL;
    size_t count = 0;
    SyncBack back = {
        .column = "id", .expr = "new.id_old", .sources = (const char *const[]){"id_old"}, .source_count = 1};
    SyncColumn column = {.column = "id_old",
                         .change_id = 7,
                         .expr = "new.id",
                         .sources = (const char *const[]){"id"},
                         .source_count = 1,
                         .counter = "stoa.fills_16384_id_old",
                         .back = &back,
                         .back_count = 1,
                         .null_ok = true,
                         .after = true};
    sync_sql_pg(f->arena, &f->server, &f->orders, &column, 1, NULL, 0, &sql, &count);
    const char *body = statement(sql, count, "CREATE OR REPLACE FUNCTION");
    assert_null(strstr(body, "stoa.sync_failures"));
    assert_non_null(strstr(body, "NEW.id_old := NULL;"));
    assert_non_null(strstr(body, "stoa.broken_16384_id_old"));
    assert_non_null(strstr(body, "    stoa_back_1 := (stoa_wrote_1);"));
    assert_null(strstr(statement(sql, count, "CREATE TRIGGER zz_stoa_sync_update"), "NEW.id_old IS NULL"));
}

static void counters_fit_the_limit(void **state)
{
    Fixture *f = *state;
    const char *a =
        sync_counter_pg(f->arena, 4294967295, "a_very_long_column_name_that_goes_on_and_on_until_1");
    const char *b =
        sync_counter_pg(f->arena, 4294967295, "a_very_long_column_name_that_goes_on_and_on_until_2");
    assert_string_not_equal(a, b);
    assert_int_equal(strlen(a), strlen("stoa.") + 63);
    assert_string_equal(sync_counter_pg(f->arena, 5, "Amount"), "stoa.\"fills_5_Amount\"");
}

static void trigger_text(void **state)
{
    Fixture *f = *state;
    cents(f);
    Plan plan = must(f);
    const Step *expand = &plan.steps[1];
    assert_int_equal(expand->sync_sql_count, 9);
    assert_string_equal(expand->sync_sql[5],
                        "CREATE TRIGGER zz_stoa_sync_insert BEFORE INSERT ON public.orders FOR EACH ROW WHEN "
                        "(NEW.amount_cents IS NULL) EXECUTE PROCEDURE stoa.sync_16384()");
    assert_string_equal(expand->sync_sql[7],
                        "CREATE TRIGGER zz_stoa_sync_update BEFORE UPDATE ON public.orders FOR EACH ROW WHEN "
                        "(NEW.amount_cents IS NULL "
                        "OR (((NEW.amount IS DISTINCT FROM OLD.amount)) AND NOT "
                        "(NEW.amount_cents IS DISTINCT FROM OLD.amount_cents))) EXECUTE PROCEDURE "
                        "stoa.sync_16384()");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_backfill_sets_columns_to_themselves),
        TEST(test_backfill_sets_no_column_twice),
        TEST(add_nullable),
        TEST(tree_drop_column),
        TEST(tree_drop_key_column),
        TEST(tree_drop_primary_key),
        TEST(tree_drop_foreign_key),
        TEST(tree_drop_table),
        TEST(tree_rename_table),
        TEST(tree_rename_column),
        TEST(tree_change_type),
        TEST(tree_change_type_of_an_indexed_column),
        TEST(add_constant_default),
        TEST(add_stable_default),
        TEST(add_volatile_default),
        TEST(add_serial),
        TEST(add_identity),
        TEST(add_backfill_not_null),
        TEST(add_backfill_default_check),
        TEST(add_backfill_nullable),
        TEST(add_two_backfills),
        TEST(add_with_reverse),
        TEST(versioned),
        TEST(versioned_refusals),
        TEST(reverses_that_make_no_sense),
        TEST(add_references),
        TEST(add_unique),
        TEST(add_then_drop_default),
        TEST(add_generated),
        TEST(add_not_null_alone),
        TEST(add_on_empty_table),
        TEST(set_not_null),
        TEST(set_not_null_small),
        TEST(set_not_null_proved),
        TEST(set_not_null_backfill),
        TEST(drop_not_null),
        TEST(set_default),
        TEST(add_check),
        TEST(add_check_not_valid),
        TEST(add_foreign_key),
        TEST(add_unique_constraint),
        TEST(add_primary_key),
        TEST(using_index),
        TEST(validate_constraint),
        TEST(create_index),
        TEST(create_index_there),
        TEST(drop_index),
        TEST(drop_column),
        TEST(drop_not_null_column),
        TEST(drop_column_of_a_view),
        TEST(change_type),
        TEST(change_type_for_free),
        TEST(rename_column),
        TEST(drop_key_column),
        TEST(drop_check),
        TEST(drop_primary_key),
        TEST(replace_primary_key),
        TEST(drop_table),
        TEST(drop_table_of_a_view),
        TEST(rename_table),
        TEST(set_schema_at_once),
        TEST(rename_table_with_row_security),
        TEST(comment),
        TEST(refuses_what_is_not_there),
        TEST(refuses_other_kinds),
        TEST(refuses_missing_privileges),
        TEST(refuses_wrong_servers),
        TEST(refuses_not_null_without_values),
        TEST(refuses_wrong_expressions),
        TEST(columns_that_exist),
        TEST(indexes_that_exist),
        TEST(constraints_that_exist),
        TEST(names_are_the_servers),
        TEST(risks_must_be_accepted),
        TEST(subscribers_get_their_sql),
        TEST(forced_row_security_is_refused),
        TEST(digest_is_stable),
        TEST(json_has_the_contract),
        TEST(names_of_the_parts),
        TEST(wanted_tables_and_expressions),
        TEST(the_server_is_right_about_locks),
        TEST(unforeseen_work_under_a_strong_lock_is_refused),
        TEST(trigger_sorts_last),
        TEST(trigger_can_be_taken_out),
        TEST(trigger_goes_both_ways),
        TEST(ways_back_of_two_changes),
        TEST(kept_alive_column_never_fails),
        TEST(counters_fit_the_limit),
        TEST(trigger_text),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
