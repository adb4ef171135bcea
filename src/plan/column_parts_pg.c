/* What hangs on columns that change their type: gathered, taken away and made again by its own text. */
#include "plan/maker.h"

#include <string.h>

typedef VEC(const ColumnPart *) Found;

static void add_all(Maker *maker, Found *found, const ColumnParts *column_parts)
{
    for (size_t i = 0; i < column_parts->count; i++) {
        const ColumnPart *one = &column_parts->items[i];
        bool known = false;
        for (size_t j = 0; j < found->len && !known; j++) {
            const ColumnPart *other = found->items[j];
            known = one->kind == other->kind && str_eq(one->name, other->name) &&
                    str_eq(one->schema, other->schema) && str_eq(one->table_name, other->table_name) &&
                    str_eq(one->table_schema, other->table_schema);
        }
        if (!known)
            *vec_push(maker->arena, found) = one;
    }
}

void column_parts_all(Maker *maker, const TableWork *work, const ColumnParts *extra,
                      const ColumnPart *const **ret_items, size_t *ret_count)
{
    Found found = {0};
    for (size_t i = 0; i < work->twins.len; i++)
        add_all(maker, &found, work->twins.items[i].column_parts);
    if (extra != NULL)
        add_all(maker, &found, extra);
    *ret_items = found.items;
    *ret_count = found.len;
}

/* Statements that only the owner of a thing may run; afterwards the step's own role acts again. */
static void add_as(Maker *maker, Step *step, const TableWork *work, const char *owner, const char *const *sql,
                   size_t count)
{
    Arena *arena = maker->arena;
    bool other = owner != NULL && !str_eq(owner, work->table->owner) && count > 0;
    if (other) {
        step_add_sql(maker, step, "SET LOCAL ROLE NONE");
        if (!str_eq(owner, maker->server->role))
            step_add_sql(maker, step, arena_printf(arena, "SET LOCAL ROLE %s", sql_ident(arena, owner)));
    }
    for (size_t i = 0; i < count; i++)
        step_add_sql(maker, step, sql[i]);
    if (other) {
        step_add_sql(maker, step, "SET LOCAL ROLE NONE");
        if (step->role != NULL)
            step_add_sql(maker, step, arena_printf(arena, "SET LOCAL ROLE %s", sql_ident(arena, step->role)));
    }
}

/* A view may read a view: what is read is made first and goes last, and all of it before the triggers. */
void text_drop_sql(Maker *maker, Step *step, const TableWork *work, const ColumnPart *const *items,
                   size_t count)
{
    for (size_t i = count; i-- > 0;)
        if (items[i]->kind == PART_VIEW &&
            !version_ends(maker, work->table, items[i]->schema, items[i]->name)) {
            step_add_lock_mode(maker, step, sql_name(maker->arena, items[i]->schema, items[i]->name),
                               "ACCESS EXCLUSIVE");
            add_as(maker, step, work, items[i]->owner, items[i]->drop_sql, items[i]->drop_count);
        }
    for (size_t i = 0; i < count; i++)
        if (items[i]->kind == PART_TRIGGER || items[i]->kind == PART_POLICY)
            add_as(maker, step, work, NULL, items[i]->drop_sql, items[i]->drop_count);
}

void text_make_sql(Maker *maker, Step *step, const TableWork *work, const ColumnPart *const *items,
                   size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (items[i]->kind == PART_TRIGGER || items[i]->kind == PART_POLICY)
            add_as(maker, step, work, NULL, items[i]->make_sql, items[i]->make_count);
    for (size_t i = 0; i < count; i++)
        if (items[i]->kind == PART_VIEW &&
            !version_ends(maker, work->table, items[i]->schema, items[i]->name))
            add_as(maker, step, work, items[i]->owner, items[i]->make_sql, items[i]->make_count);
    /* any write to a function's row makes every session forget what it has prepared in it */
    for (size_t i = 0; i < count; i++)
        if (items[i]->kind == PART_FUNCTION && items[i]->validated)
            add_as(maker, step, work, items[i]->owner, items[i]->make_sql, items[i]->make_count);
}
