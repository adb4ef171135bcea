/* From a request to a plan: what the server knows of it is loaded, and what it thinks of the expressions is
 * asked. */
#include "plan/forward.h"
#include "run/runner.h"

#include "base/clock.h"

enum { LOAD_TRY_MS = 3000, SAID_EVERY_MS = 10000 };

/* The catalog's own functions wait for an ACCESS EXCLUSIVE lock: who holds it is named, and waited for within
 * --lock-wait. */
static Err *wait_to_load(Runner *runner, const Name *name, int64_t from_ms, int64_t *said_at_ms)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = runner_wait(runner);
    Blocker *blockers = NULL;
    size_t count = 0;
    int64_t id = 0;
    if (runner->ops->holders != NULL) {
        TRY(runner->ops->holders(runner->conn, &wait, arena, name->schema, name->name, &blockers, &count));
    } else {
        TRY(runner->ops->find_table(runner->conn, &wait, arena, name->schema, name->name, &id));
        TRY(runner->ops->blockers(runner->conn, &wait, arena, &id, 1, "ACCESS SHARE", &blockers, &count));
    }
    char who[BLOCKERS_TEXT_BYTES];
    blockers_text(blockers, count, 0, who);
    if (clock_ms() - from_ms >= control_settings(runner).lock_wait_ms)
        return err_hint(
            err_new(ERR_LOCK_BUDGET, "\"%s\" cannot even be looked at: blocked by %s", name->name, who),
            "end or wait for the blocking session, then apply again; or raise --lock-wait");
    if (*said_at_ms == 0 || clock_ms() - *said_at_ms > SAID_EVERY_MS) {
        *said_at_ms = clock_ms();
        runner_event(runner, "lock_blocked", 0, NULL, "waiting to look at %s: %s", name->name, who);
    }
    return NULL;
}

Err *runner_load_table(Runner *runner, Arena *arena, const Name *name, Table *ret_table)
{
    Wait wait = {.stop = runner->options->stop, .timeout_ms = LOAD_TRY_MS};
    int64_t from_ms = clock_ms(), said_at_ms = 0;
    for (;;) {
        Err *err = runner->ops->load_table(runner->conn, &wait, arena, &runner->server, name->schema,
                                           name->name, ret_table);
        if (!err_is(err, ERR_CANCELLED) && !err_is(err, ERR_LOCK_TIMEOUT))
            return err;
        err_free(err);
        TRY(wait_to_load(runner, name, from_ms, &said_at_ms));
    }
}

/* All that is known of the tables beneath it, and what they make together. */
static Err *load_partitions(Runner *runner, Arena *arena, Table *table, bool closely)
{
    Wait wait = runner_wait(runner);
    bool empty = true;
    for (size_t i = 0; i < table->partition_count; i++) {
        Partition *partition = &table->partitions[i];
        Table *part = arena_alloc(arena, sizeof *part);
        TRY(runner_load_table(runner, arena, &(Name){.schema = partition->schema, .name = partition->name},
                              part));
        if (part->kind == RELATION_MISSING)
            return err_hint(err_new(ERR_USAGE, "partition \"%s\" of \"%s\" was dropped just now",
                                    partition->name, table->name),
                            "apply again");
        if (closely)
            TRY(runner->ops->load_dependents(runner->conn, &wait, arena, part));
        partition->table = part;
        empty = empty && (part->empty || partition->kind != 'r');
        table->row_estimate += partition->kind == 'r' ? part->row_estimate : 0;
        table->heap_bytes += part->heap_bytes;
        table->index_bytes += part->index_bytes;
        table->total_bytes += part->total_bytes;
        if (part->oldest_writer_ms > table->oldest_writer_ms)
            table->oldest_writer_ms = part->oldest_writer_ms;
    }
    table->empty = empty;
    return NULL;
}

/* Where one schema is worked on, a name without one means what is there, and nothing else that the search
 * path would find in its place. */
static Err *check_schema(const Runner *runner, const WantedName *wanted, const Table *table)
{
    const char *schema = runner->options->target.schema;
    if (schema == NULL || wanted->name.schema != NULL || table->kind == RELATION_MISSING ||
        str_eq(table->schema, schema))
        return NULL;
    return err_hint(err_new(ERR_USAGE, "there is no \"%s\" in the schema \"%s\", only one in \"%s\"",
                            wanted->name.name, schema, table->schema),
                    "write %s.%s if that is meant", table->schema, wanted->name.name);
}

static Err *load_wanted(Runner *runner, Arena *arena, const WantedName *wanted, Table *ret_table)
{
    Wait wait = runner_wait(runner);
    Name name = wanted->name;
    if (wanted->index) {
        const char *schema = NULL, *table = NULL;
        TRY(runner->ops->index_table(runner->conn, &wait, arena, name.schema, name.name, &schema, &table));
        if (table == NULL) {
            *ret_table = (Table){.schema = name.schema, .name = name.name, .kind = RELATION_MISSING};
            return NULL;
        }
        name = (Name){.schema = schema, .name = table};
    }
    TRY(runner_load_table(runner, arena, &name, ret_table));
    TRY(check_schema(runner, wanted, ret_table));
    if (ret_table->kind == RELATION_PARTITIONED) {
        ret_table->row_estimate = 0; /* the server's own number of a parent is ANALYZE's */
        TRY(load_partitions(runner, arena, ret_table, wanted->closely));
    }
    if (!wanted->closely || ret_table->kind == RELATION_MISSING)
        return NULL;
    Face *face = arena_alloc(arena, sizeof *face);
    TRY(runner->ops->load_face(runner->conn, &wait, arena, ret_table->id, face));
    ret_table->face = face;
    return runner->ops->load_dependents(runner->conn, &wait, arena, ret_table);
}

/* What a copy of it would have to carry. */
static Err *load_copy(Runner *runner, Arena *arena, Table *table)
{
    Wait wait = runner_wait(runner);
    const char *copy = NULL, *old = NULL;
    TableCopy *facts = arena_alloc(arena, sizeof *facts);
    if (runner->options->plan.strategy != STRATEGY_SHADOW || runner->ops->load_copy == NULL ||
        table->kind != RELATION_TABLE || table->temporary)
        return NULL;
    plan_copy_names(arena, table, &copy, &old);
    TRY(runner->ops->load_copy(runner->conn, &wait, arena, table, copy, old, facts));
    table->copy = facts;
    return NULL;
}

/* The table that an expression is about, among those loaded by the names as written. */
static const Table *table_of(const WantedName *names, const Table *tables, size_t count, const Name *name)
{
    for (size_t i = 0; i < count; i++)
        if (!names[i].index && str_eq(names[i].name.name, name->name) &&
            str_eq(names[i].name.schema, name->schema))
            return &tables[i];
    return NULL;
}

static ExprScope scope_of(Arena *arena, const Table *table)
{
    const char **columns = arena_alloc(arena, (table->column_count + 1) * sizeof *columns);
    const char **generated = arena_alloc(arena, (table->column_count + 1) * sizeof *generated);
    const char **types = arena_alloc(arena, (table->column_count + 1) * sizeof *types);
    const char **collations = arena_alloc(arena, (table->column_count + 1) * sizeof *collations);
    for (size_t i = 0; i < table->column_count; i++) {
        columns[i] = table->columns[i].name;
        generated[i] = table->columns[i].generated_sql;
        types[i] = table->columns[i].type;
        collations[i] = table->columns[i].collation;
    }
    return (ExprScope){.table = {.schema = table->schema, .name = table->name},
                       .columns = columns,
                       .generated = generated,
                       .types = types,
                       .collations = collations,
                       .column_count = table->column_count};
}

/* The table as it will be: with the columns that the change adds to it. */
static Table table_later(Arena *arena, const Change *change, const WantedName *names, const Table *tables,
                         size_t count, const Table *table)
{
    Table later = *table;
    later.columns =
        arena_alloc(arena, (table->column_count + change->operation_count + 1) * sizeof *later.columns);
    for (size_t i = 0; i < table->column_count; i++)
        later.columns[i] = table->columns[i];
    for (size_t i = 0; i < change->operation_count; i++) {
        const Operation *operation = &change->operations[i];
        const Table *of = table_of(names, tables, count, &operation->table);
        if (operation->kind == OPERATION_ADD_COLUMN && of != NULL && of->id == table->id &&
            table_column(&later, operation->add->name) == NULL)
            later.columns[later.column_count++] = (Column){.name = operation->add->name,
                                                           .type = operation->add->type_sql,
                                                           .collation = operation->add->collation_sql,
                                                           .coming = true};
    }
    return later;
}

/* Whether an INSERT that leaves the default in the column can be told from one that names it. */
static Err *check_default(Runner *runner, Arena *arena, const Table *table, const Column *column,
                          bool *ret_stable)
{
    *ret_stable = true;
    if (column == NULL || column->default_sql == NULL)
        return NULL;
    Wait wait = runner_wait(runner);
    ExprInfo info = {0};
    TRY(runner->ops->check_expression(runner->conn, &wait, arena, table, column->name, column->type,
                                      column->default_sql, &info));
    *ret_stable = info.error == NULL && (info.stable || info.immutable);
    return NULL;
}

static bool holds_rows(const Table *table)
{
    return table->kind == RELATION_TABLE || table->kind == RELATION_PARTITIONED ||
           table->kind == RELATION_PARTITION;
}

static Err *check_expr(Runner *runner, Arena *arena, const WantedExpr *wanted, const Table *table,
                       PlanExpr *ret_expr)
{
    Wait wait = runner_wait(runner);
    PlanExpr expr = {.table = wanted->table,
                     .column = wanted->column,
                     .of_default = wanted->of_default,
                     .of_reverse = wanted->of_reverse};
    const Column *column = table_column(table, wanted->column);
    const char *type = wanted->type_sql != NULL ? wanted->type_sql : column != NULL ? column->type : NULL;
    *ret_expr = expr;
    if (type == NULL || !holds_rows(table))
        return NULL; /* the plan refuses it with its reason */
    ExprScope scope = scope_of(arena, table);
    TRY(expr_forms_pg(arena, wanted->expr_sql, &scope, &expr.forms));
    TRY(runner->ops->check_expression(runner->conn, &wait, arena, table, wanted->column, type,
                                      expr.forms.plain, &expr.info));
    if (expr.info.error != NULL)
        return err_hint(err_new(ERR_USAGE, "the %s of \"%s\" is wrong: %s",
                                wanted->of_default   ? "default"
                                : wanted->of_reverse ? "reverse"
                                                     : "backfill",
                                wanted->column, expr.info.error),
                        "it must be an expression over the row of \"%s\" that fits type %s", table->name,
                        type);
    if (wanted->of_reverse || (runner->options->plan.versioned && column != NULL))
        TRY(check_default(runner, arena, table, column, &expr.default_stable));
    *ret_expr = expr;
    return NULL;
}

/* The change itself may bring a type that is not there yet. */
static bool makes_types(const Change *change)
{
    static const char *const types[] = {"type", "domain", "extension", "table", "view"};
    for (size_t i = 0; i < change->operation_count; i++) {
        const Operation *operation = &change->operations[i];
        if (operation->kind != OPERATION_NATIVE || operation->when != NATIVE_FIRST)
            continue;
        for (size_t j = 0; j < ARRAY_LEN(types); j++)
            if (str_eq(operation->native->makes.type, types[j]))
                return true;
        if (str_eq(operation->words, "DO"))
            return true;
    }
    return false;
}

/* A type that the server does not know is told before anything is done. */
static Err *check_types(Runner *runner, Arena *arena, const Change *change, const WantedName *names,
                        const Table *tables, size_t count)
{
    Wait wait = runner_wait(runner);
    for (size_t i = 0; i < change->operation_count; i++) {
        const Operation *operation = &change->operations[i];
        const Table *table = table_of(names, tables, count, &operation->table);
        if (operation->kind != OPERATION_ADD_COLUMN || table == NULL || !holds_rows(table) ||
            table_column(table, operation->add->name) != NULL)
            continue;
        ExprInfo info = {0};
        TRY(runner->ops->check_expression(runner->conn, &wait, arena, table, operation->add->name,
                                          operation->add->type_sql, "NULL", &info));
        if (info.error != NULL && !(str_eq(info.error_state, "42704") && makes_types(change)))
            return err_new(ERR_USAGE, "column \"%s\" cannot be of type %s: %s", operation->add->name,
                           operation->add->type_sql, info.error);
    }
    return NULL;
}

typedef struct Versioning {
    const Face *faces;
    const char *schema;
    bool taken;
} Versioning;

/* What --versioned needs to know besides. */
static Err *load_versioning(Runner *runner, Arena *arena, const Change *change, const WantedName *names,
                            const Table *tables, size_t count, Versioning *ret_versioning)
{
    const PlanOptions *options = &runner->options->plan;
    Wait wait = runner_wait(runner);
    if (!options->versioned)
        return NULL;
    Face *faces = arena_alloc(arena, (count + 1) * sizeof *faces);
    for (size_t i = 0; i < count; i++)
        if (tables[i].kind != RELATION_MISSING)
            TRY(runner->ops->load_face(runner->conn, &wait, arena, tables[i].id, &faces[i]));
    ret_versioning->faces = faces;
    ret_versioning->schema =
        plan_version_schema(arena, change, tables, names, count, options->version_schema);
    if (ret_versioning->schema == NULL)
        return NULL;
    return runner->ops->find_schema(runner->conn, &wait, arena, ret_versioning->schema,
                                    &ret_versioning->taken);
}

/* All that hangs on the columns of which the plan wants to know that. */
static Err *load_column_parts(Runner *runner, Arena *arena, const Change *change, const WantedName *names,
                              Table *tables, size_t count, size_t at)
{
    Wait wait = runner_wait(runner);
    Table *table = &tables[at];
    const char *const *columns = NULL, *const *twins = NULL;
    size_t column_count = 0;
    plan_wanted_column_parts(arena, change, names, tables, count, at, &columns, &twins, &column_count);
    ColumnParts *all = arena_alloc(arena, (column_count + 1) * sizeof *all);
    for (size_t i = 0; i < column_count; i++)
        TRY(runner->ops->load_column_parts(runner->conn, &wait, arena, table, columns[i], twins[i], &all[i]));
    table->column_parts = all;
    table->column_parts_count = column_count;
    return NULL;
}

static Err *load_tables(Runner *runner, Arena *arena, const Change *change, const WantedName *names,
                        size_t count, Table **ret_tables)
{
    Table *tables = arena_alloc(arena, (count + 1) * sizeof *tables);
    for (size_t i = 0; i < count; i++)
        TRY(load_wanted(runner, arena, &names[i], &tables[i]));
    for (size_t i = 0; i < count && runner->forward != NULL; i++)
        forward_strip(arena, runner->forward, &runner->server, &tables[i]);
    for (size_t i = 0; i < count; i++)
        if (tables[i].id != 0 && !names[i].index)
            TRY(load_column_parts(runner, arena, change, names, tables, count, i));
    for (size_t i = 0; i < count; i++)
        TRY(load_copy(runner, arena, &tables[i]));
    *ret_tables = tables;
    return NULL;
}

/* The tables and all that stand beneath them. */
static const Table *with_partitions(Arena *arena, const Table *tables, size_t *count)
{
    VEC(Table) all = {0};
    for (size_t i = 0; i < *count; i++) {
        *vec_push(arena, &all) = tables[i];
        for (size_t k = 0; k < tables[i].partition_count; k++)
            if (tables[i].partitions[k].table != NULL)
                *vec_push(arena, &all) = *tables[i].partitions[k].table;
    }
    *count = all.len;
    return all.items;
}

Err *runner_plan(Runner *runner, Arena *arena, const Change *change, Plan *ret_plan)
{
    if (runner->server.in_recovery)
        return err_hint(err_new(ERR_UNSAFE, "this server is a standby: it is read-only"),
                        "connect to the primary");
    if (runner->ops->dialect == DIALECT_MYSQL)
        return runner_plan_my(runner, arena, change, ret_plan);
    WantedName *names = NULL;
    WantedExpr *wanted = NULL;
    Table *tables = NULL;
    size_t count = 0, expr_count = 0;
    for (bool grows = true; grows;) {
        Change *grown = arena_alloc(arena, sizeof *grown);
        plan_wanted_tables(arena, change, &names, &count);
        TRY(load_tables(runner, arena, change, names, count, &tables));
        grows = plan_grow(arena, change, names, tables, count, grown);
        change = grows ? grown : change;
    }
    Wait wait = runner_wait(runner);
    for (size_t i = 0; i < count; i++)
        TRY(runner->ops->load_stars(runner->conn, &wait, arena, &runner->server, &tables[i]));
    plan_wanted_exprs(arena, change, &wanted, &expr_count);
    PlanExpr *exprs = arena_alloc(arena, (expr_count + 1) * sizeof *exprs);
    for (size_t i = 0; i < expr_count; i++) {
        const Table *table = table_of(names, tables, count, &wanted[i].table);
        exprs[i] = (PlanExpr){.table = wanted[i].table,
                              .column = wanted[i].column,
                              .of_default = wanted[i].of_default,
                              .of_reverse = wanted[i].of_reverse};
        if (table == NULL || !holds_rows(table))
            continue;
        Table later = wanted[i].of_reverse ? table_later(arena, change, names, tables, count, table) : *table;
        TRY(check_expr(runner, arena, &wanted[i], &later, &exprs[i]));
    }
    TRY(check_types(runner, arena, change, names, tables, count));
    Versioning versioning = {0};
    TRY(load_versioning(runner, arena, change, names, tables, count, &versioning));
    const ObjectState *objects = NULL;
    TRY(natives_load(runner, arena, change, &objects));
    PlanInput input = {.change = change,
                       .objects = objects,
                       .server = &runner->server,
                       .tables = tables,
                       .table_count = count,
                       .exprs = exprs,
                       .expr_count = expr_count,
                       .faces = versioning.faces,
                       .version_schema = versioning.schema,
                       .version_taken = versioning.taken,
                       .journal_sql = runner->ops->journal_sql(JOURNAL_CREATE),
                       .options = runner->options->plan};
    TRY(plan_make_pg(arena, &input, ret_plan));
    const Table *all = with_partitions(arena, tables, &count);
    TRY(measure_plan(runner, arena, all, count, ret_plan));
    if (runner->forward != NULL)
        forward_match(arena, runner->forward, ret_plan);
    return plan_unmeasured(ret_plan);
}
