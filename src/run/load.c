/* From a request to a plan: what the server knows of it is loaded, and what it thinks of the expressions is
 * asked. */
#include "run/runner.h"

Err *runner_load_table(Runner *runner, Arena *arena, const Name *name, Table *ret_table)
{
    Wait wait = runner_wait(runner);
    return runner->ops->load_table(runner->conn, &wait, arena, &runner->server, name->schema, name->name,
                                   ret_table);
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
    return runner_load_table(runner, arena, &name, ret_table);
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
    for (size_t i = 0; i < table->column_count; i++) {
        columns[i] = table->columns[i].name;
        generated[i] = table->columns[i].generated_sql;
    }
    return (ExprScope){.table = {.schema = table->schema, .name = table->name},
                       .columns = columns,
                       .generated = generated,
                       .column_count = table->column_count};
}

static Err *check_expr(Runner *runner, Arena *arena, const WantedExpr *wanted, const Table *table,
                       PlanExpr *ret_expr)
{
    Wait wait = runner_wait(runner);
    PlanExpr expr = {.table = wanted->table, .column = wanted->column, .of_default = wanted->of_default};
    const Column *column = table_column(table, wanted->column);
    const char *type = wanted->type_sql != NULL ? wanted->type_sql : column != NULL ? column->type : NULL;
    *ret_expr = expr;
    if (type == NULL || table->kind != RELATION_TABLE)
        return NULL; /* the plan refuses it with its reason */
    ExprScope scope = scope_of(arena, table);
    TRY(expr_forms_pg(arena, wanted->expr_sql, &scope, &expr.forms));
    TRY(runner->ops->check_expression(runner->conn, &wait, arena, table, wanted->column, type,
                                      expr.forms.plain, &expr.info));
    if (expr.info.error != NULL)
        return err_hint(err_new(ERR_USAGE, "the %s of \"%s\" is wrong: %s",
                                wanted->of_default ? "default" : "backfill", wanted->column, expr.info.error),
                        "it must be an expression over the row of \"%s\" that fits type %s", table->name,
                        type);
    *ret_expr = expr;
    return NULL;
}

Err *runner_plan(Runner *runner, Arena *arena, const Change *change, Plan *ret_plan)
{
    WantedName *names = NULL;
    WantedExpr *wanted = NULL;
    size_t count = 0, expr_count = 0;
    plan_wanted_tables(arena, change, &names, &count);
    Table *tables = arena_alloc(arena, (count + 1) * sizeof *tables);
    for (size_t i = 0; i < count; i++)
        TRY(load_wanted(runner, arena, &names[i], &tables[i]));
    plan_wanted_exprs(arena, change, &wanted, &expr_count);
    PlanExpr *exprs = arena_alloc(arena, (expr_count + 1) * sizeof *exprs);
    for (size_t i = 0; i < expr_count; i++) {
        const Table *table = table_of(names, tables, count, &wanted[i].table);
        exprs[i] = (PlanExpr){
            .table = wanted[i].table, .column = wanted[i].column, .of_default = wanted[i].of_default};
        if (table != NULL && table->kind == RELATION_TABLE)
            TRY(check_expr(runner, arena, &wanted[i], table, &exprs[i]));
    }
    PlanInput input = {.change = change,
                       .server = &runner->server,
                       .tables = tables,
                       .table_count = count,
                       .exprs = exprs,
                       .expr_count = expr_count,
                       .journal_sql = runner->ops->journal_sql(JOURNAL_CREATE),
                       .options = runner->options->plan};
    return plan_make_pg(arena, &input, ret_plan);
}
