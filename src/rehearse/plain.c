/* A change as it is usually written. */
#include "rehearse/trial.h"

#include "base/str.h"
#include "engine/sql.h"

typedef VEC(const char *) Texts;

static const BackfillSpec *backfill_of(const Change *change, const Operation *operation)
{
    for (size_t i = 0; operation->kind == OPERATION_ADD_COLUMN && i < change->backfill_count; i++)
        if (str_eq(change->backfills[i].table.name, operation->table.name) &&
            str_eq(change->backfills[i].column, operation->add->name))
            return &change->backfills[i];
    return NULL;
}

/* The column, all rows in one UPDATE, then NOT NULL. */
static void add_filled(Arena *arena, const Operation *operation, const BackfillSpec *backfill, Texts *out)
{
    const ColumnSpec *add = operation->add;
    const char *table = sql_name(arena, operation->table.schema, operation->table.name);
    const char *column = sql_ident(arena, add->name);
    *vec_push(arena, out) = arena_printf(
        arena, "ALTER TABLE %s ADD COLUMN %s %s%s%s%s%s", table, column, add->type_sql,
        add->collation_sql != NULL ? " COLLATE " : "", add->collation_sql != NULL ? add->collation_sql : "",
        add->default_sql != NULL ? " DEFAULT " : "", add->default_sql != NULL ? add->default_sql : "");
    *vec_push(arena, out) = arena_printf(arena, "UPDATE %s SET %s = %s", table, column, backfill->expr_sql);
    if (add->not_null)
        *vec_push(arena, out) =
            arena_printf(arena, "ALTER TABLE %s ALTER COLUMN %s SET NOT NULL", table, column);
}

/* Each statement commits by itself: the columns, then all rows in one UPDATE. */
static void filled_my(Arena *arena, const Change *change, Texts *out)
{
    for (size_t i = 0; i < change->operation_count; i++)
        *vec_push(arena, out) = change->operations[i].sql;
    for (size_t i = 0; i < change->backfill_count; i++) {
        const BackfillSpec *backfill = &change->backfills[i];
        *vec_push(arena, out) =
            arena_printf(arena, "UPDATE %s SET %s = %s", sql_backtick(arena, backfill->table.name),
                         sql_backtick(arena, backfill->column), backfill->expr_sql);
    }
}

void plain_statements(Arena *arena, const RehearseEngine *engine, const Change *change,
                      const char *const **ret_sql, size_t *ret_count)
{
    Texts out = {0};
    if (change->backfill_count == 0) {
        engine->statements(arena, change->sql, ret_sql, ret_count);
        return;
    }
    if (engine->own_name) {
        filled_my(arena, change, &out);
    } else {
        *vec_push(arena, &out) = "BEGIN";
        for (size_t i = 0; i < change->operation_count; i++) {
            const BackfillSpec *backfill = backfill_of(change, &change->operations[i]);
            if (backfill != NULL)
                add_filled(arena, &change->operations[i], backfill, &out);
            else
                *vec_push(arena, &out) = change->operations[i].sql;
        }
        *vec_push(arena, &out) = "COMMIT";
    }
    *ret_sql = out.items;
    *ret_count = out.len;
}
