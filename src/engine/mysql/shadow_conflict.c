/* Rows that are equal in a unique index.
 *
 * Tables stand under their own names, never under an alias, which LOCK TABLES would have to know; and a
 * temporary table once in a statement, since MySQL cannot open it twice. */
#include "engine/mysql/shadow_conflict.h"

#include "engine/mysql/conn.h"
#include "engine/mysql/quote.h"
#include "engine/mysql/shadow_my.h"

#include <stdlib.h>
#include <string.h>

typedef VEC(const char *) Keys;

/* One row a column of a unique index: its name, the column (NULL: an expression), the length of a prefix. */
static Err *load_parts(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, Rows *ret_rows)
{
    return conn_params(conn, wait, arena, ret_rows,
                       "SELECT INDEX_NAME, COLUMN_NAME, SUB_PART FROM information_schema.STATISTICS WHERE "
                       "TABLE_SCHEMA = $1 AND TABLE_NAME = $2 AND NON_UNIQUE = 0 ORDER BY INDEX_NAME, "
                       "SEQ_IN_INDEX",
                       spec->schema, spec->shadow);
}

/* The value that the index has of a column of `table`. */
static const char *part_value(Arena *arena, const Rows *parts, size_t at, const char *table)
{
    const char *column = arena_printf(arena, "%s.%s", table, my_ident(arena, rows_cell(parts, at, 1)));
    const char *length = rows_cell(parts, at, 2);
    return length == NULL ? column : arena_printf(arena, "LEFT(%s, %s)", column, length);
}

static size_t index_end(const Rows *parts, size_t from)
{
    size_t to = from;
    while (to < parts->row_count && str_eq(rows_cell(parts, to, 0), rows_cell(parts, from, 0)))
        to++;
    return to;
}

/* An index over an expression cannot be joined by columns. */
static bool has_expression(const Rows *parts, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (rows_cell(parts, i, 1) == NULL)
            return true;
    return false;
}

/* Two staged rows that are one to the index: a conflict that is real. */
static Err *check_stage(Conn *conn, const Wait *wait, const ShadowSpec *spec, const Form *form,
                        const char *stage, const Rows *parts, size_t from, size_t to)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    CLEANUP(str_donep) Str values = STR_INIT;
    CLEANUP(str_donep) Str nulls = STR_INIT;
    Rows rows = {0};
    for (size_t i = from; i < to; i++) {
        const char *value = part_value(arena, parts, i, stage);
        str_addf(&values, "%s%s", i > from ? ", " : "", value);
        str_addf(&nulls, " AND NOT (%s <=> NULL)", value);
    }
    const char *key = form_key_text(arena, form, true, arena_printf(arena, "%s.", stage));
    TRY(conn_query(
        conn, wait, arena, &rows,
        arena_printf(arena,
                     "SELECT MIN(CAST(%s AS CHAR)), MAX(CAST(%s AS CHAR)) FROM %s WHERE TRUE%s GROUP BY %s "
                     "HAVING COUNT(*) > 1 LIMIT 1",
                     key, key, stage, nulls.buf, values.buf)));
    if (rows.row_count == 0)
        return NULL;
    return err_hint(
        err_new(ERR_VERIFY,
                "two rows of \"%s.%s\" are equal in what unique index \"%s\" is to hold apart: %s "
                "and %s",
                spec->schema, spec->source, rows_cell(parts, from, 0),
                my_shadow_key_text(arena, spec, rows_cell(&rows, 0, 0)),
                my_shadow_key_text(arena, spec, rows_cell(&rows, 0, 1))),
        "change or delete one of the two, then resume");
}

static bool is_among(const KeyList *keys, const char *key)
{
    for (size_t i = 0; keys != NULL && i < keys->count; i++)
        if (str_eq(keys->keys[i], key))
            return true;
    return false;
}

/* Rows of the shadow that are equal to a staged one of another key. */
static Err *find_others(Conn *conn, const Wait *wait, Arena *arena, const Form *form, const char *stage,
                        const Rows *parts, size_t from, size_t to, const KeyList *own, Keys *keys,
                        Keys *targets, Keys *ours)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    Rows rows = {0};
    const char *shadow = arena_printf(arena, "%s.", form->shadow),
               *staged = arena_printf(arena, "%s.", stage);
    str_addf(&sql, "SELECT DISTINCT %s, %s, %s FROM %s JOIN %s ON TRUE",
             form_key_text(arena, form, true, shadow), form_target_text(arena, form, shadow),
             form_key_text(arena, form, true, staged), stage, form->shadow);
    for (size_t i = from; i < to; i++)
        str_addf(&sql, " AND %s = %s", part_value(arena, parts, i, form->shadow),
                 part_value(arena, parts, i, stage));
    TRY(conn_query(conn, wait, arena, &rows, sql.buf));
    for (size_t i = 0; i < rows.row_count; i++) {
        const char *key = rows_cell(&rows, i, 0);
        if (str_eq(key, rows_cell(&rows, i, 2)) || is_among(own, key))
            continue;
        *vec_push(arena, keys) = key;
        *vec_push(arena, targets) = rows_cell(&rows, i, 1);
        *vec_push(arena, ours) = rows_cell(&rows, i, 2);
    }
    return NULL;
}

/* Whether the source's rows of both sides, as they are now, are still equal. */
static Err *check_pairs(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, const Form *form,
                        const char *stage, const Rows *parts, const Keys *keys, const Keys *ours)
{
    Keys both = {0};
    CLEANUP(str_donep) Str where = STR_INIT;
    for (size_t i = 0; i < keys->len && i < FORM_KEYS_MOST / 2; i++) {
        *vec_push(arena, &both) = keys->items[i];
        *vec_push(arena, &both) = ours->items[i];
    }
    form_add_keys(&where, form->source_names, form->key_count,
                  &(KeyList){.keys = both.items, .count = both.len}, 0, both.len);
    TRY(stage_fill(conn, wait, spec, form, stage, where.buf));
    for (size_t from = 0; from < parts->row_count; from = index_end(parts, from))
        if (!has_expression(parts, from, index_end(parts, from)))
            TRY(check_stage(conn, wait, spec, form, stage, parts, from, index_end(parts, from)));
    return NULL;
}

Err *conflict_find(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, Form *form,
                   const char *where, const KeyList *own, Conflict *ret_conflict)
{
    const char *stage;
    Rows parts = {0};
    Keys keys = {0}, targets = {0}, ours = {0};
    TRY(stage_open(conn, wait, arena, spec, form, &stage));
    TRY(load_parts(conn, wait, arena, spec, &parts));
    TRY(stage_fill(conn, wait, spec, form, stage, where));
    for (size_t from = 0, to; from < parts.row_count; from = to) {
        to = index_end(&parts, from);
        if (has_expression(&parts, from, to))
            continue;
        if (spec->tightens)
            TRY(check_stage(conn, wait, spec, form, stage, &parts, from, to));
        TRY(find_others(conn, wait, arena, form, stage, &parts, from, to, own, &keys, &targets, &ours));
    }
    if (spec->tightens && keys.len > 0)
        TRY(check_pairs(conn, wait, arena, spec, form, stage, &parts, &keys, &ours));
    *ret_conflict = (Conflict){.keys = {.keys = keys.items, .count = keys.len},
                               .targets = {.keys = targets.items, .count = targets.len}};
    return NULL;
}
