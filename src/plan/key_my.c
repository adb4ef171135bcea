/* New foreign keys. The server looks at every row while writers wait, or, with foreign_key_checks off, at
 * none. So the key comes without a look: from then on it holds what is written to it. Then the rows that were
 * there before are looked at, beside the application; a row without a parent fails the change, which can be
 * aborted. */
#include "plan/maker_my.h"

#include <string.h>

bool unchecked_my(const MyStatement *my)
{
    for (size_t i = 0; i < my->action_count; i++)
        if (my->actions[i].kind != MY_ACTION_ADD_KEY || my->actions[i].key->kind != MY_KEY_FOREIGN)
            return false;
    return my->action_count > 0;
}

static bool has_key(const Table *table, const char *name)
{
    for (size_t i = 0; i < table->my->parent_count; i++)
        if (str_eq(table->my->parents[i].name, name))
            return true;
    return false;
}

void keys_drop_new_my(Arena *arena, Str *out, const AskedMy *asked)
{
    for (size_t i = 0; i < asked->after->my->parent_count; i++)
        if (!has_key(asked->before, asked->after->my->parents[i].name)) {
            str_sep(out, ", ");
            str_addf(out, "DROP FOREIGN KEY %s", sql_backtick(arena, asked->after->my->parents[i].name));
        }
}

/* Rows of which every column of the key is there, and the parent is not. */
static const char *orphans_sql(Arena *arena, const char *table, const MyForeignKey *key)
{
    CLEANUP(str_donep) Str shown = STR_INIT;
    CLEANUP(str_donep) Str there = STR_INIT;
    CLEANUP(str_donep) Str equal = STR_INIT;
    for (size_t i = 0; i < key->count; i++) {
        const char *column = sql_backtick(arena, key->columns[i]);
        str_addf(&shown, "%sc.%s", i > 0 ? ", " : "", column);
        str_addf(&there, "%sc.%s IS NOT NULL", i > 0 ? " AND " : "", column);
        str_addf(&equal, "%sp.%s = c.%s", i > 0 ? " AND " : "", sql_backtick(arena, key->ref_columns[i]),
                 column);
    }
    return arena_printf(
        arena, "SELECT DISTINCT %s FROM %s c WHERE %s AND NOT EXISTS (SELECT 1 FROM %s p WHERE %s) LIMIT 5",
        shown.buf, sql_backtick(arena, table), there.buf, sql_backtick(arena, key->ref_table), equal.buf);
}

void keys_write_my(MakerMy *maker, const WorkMy *work, const AskedMy *asked)
{
    Arena *arena = maker->arena;
    const char *table = work->operations[0]->table.name;
    for (size_t i = 0; i < asked->after->my->parent_count; i++) {
        const MyForeignKey *key = &asked->after->my->parents[i];
        if (has_key(asked->before, key->name))
            continue;
        const Check check = {
            .label = arena_printf(arena, "rows of %s without a parent by foreign key %s", table, key->name),
            .query = orphans_sql(arena, table, key),
            .hint = "change or delete the rows, then resume; or undo it with: stoa abort"};
        maker_check_my(maker, PHASE_VERIFY, (Name){.name = table}, work->table, &check);
    }
    maker_risk_my(
        maker, "foreign-key", NULL,
        arena_printf(arena,
                     "the new foreign key of %s holds what is written from the moment on that it comes, and "
                     "the rows of before are looked at behind it",
                     table));
}
