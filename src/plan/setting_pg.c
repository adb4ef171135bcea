/* Settings and names of the catalog that no row depends on: one short step each. */
#include "plan/maker.h"

/* A setting of the catalog's. Undo would mostly need what stood there: the plan says that there is none. */
Err *setting_write(Maker *maker, const Operation *op, TableWork *work)
{
    if (op->column != NULL)
        TRY(maker_needs_column(maker, work->table, op->column));
    for (size_t i = 0; i < work->table->trigger_count; i++)
        if (work->table->triggers[i].stoa && str_eq(work->table->triggers[i].name, op->trigger))
            return err_hint(err_new(ERR_UNSAFE, "trigger \"%s\" is Stoa's own", op->trigger),
                            "\"stoa complete\" takes it away when no old application needs it");
    return form_write(maker, op, work);
}

/* Names of constraints and indexes: applications know them at most from ON CONFLICT and error texts. */
Err *rename_write(Maker *maker, const Operation *op, TableWork *work)
{
    Arena *arena = maker->arena;
    const Table *table = work->table;
    const char *from = op->on_index ? op->table.name : op->constraint_name;
    bool there = op->on_index ? table_index(table, from) != NULL : table_constraint(table, from) != NULL;
    bool taken = table_index(table, op->new_name) != NULL || table_constraint(table, op->new_name) != NULL;
    if (!there && taken)
        return NULL; /* done already */
    if (!there)
        return err_new(ERR_USAGE, "%s \"%s\" of \"%s\" does not exist", op->on_index ? "index" : "constraint",
                       from, table->name);
    if (taken)
        return err_new(ERR_USAGE, "\"%s\" exists already on \"%s\"", op->new_name, table->name);
    /* 12 and later rename an index under a weaker lock (release notes of 12) */
    bool weak = op->on_index && maker->server->version_num >= 120000;
    const char *kind = op->on_index ? "index" : "constraint";
    const char *old_name = sql_ident(arena, from), *new_name = sql_ident(arena, op->new_name);
    const char *undo = op->on_index ? arena_printf(arena, "ALTER INDEX %s RENAME TO %s",
                                                   sql_name(arena, table->schema, op->new_name), old_name)
                                    : arena_printf(arena, "ALTER TABLE %s RENAME CONSTRAINT %s TO %s",
                                                   work->sql, new_name, old_name);
    maker_ddl(maker, PHASE_CONSTRAIN, work, weak ? "SHARE UPDATE EXCLUSIVE" : "ACCESS EXCLUSIVE",
              arena_printf(arena, "rename %s %s to %s", kind, old_name, new_name), op->sql, undo);
    return NULL;
}
