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
#include <strings.h>

typedef VEC(const char *) Keys;

/* Of rows that are in each other's way: the shadow's, and the staged one. */
typedef struct Pairs {
    Keys keys, targets, ours;
} Pairs;

enum { UNIQUE_INDEX, UNIQUE_COLUMN, UNIQUE_LENGTH, UNIQUE_HIDDEN };

/* One row a column of a unique index: its name, the column (NULL: an expression), the length of a prefix, and
 * whether the optimizer does not know the index (as catalog_key.c). Asked for once a session. */
static Err *load_parts(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, Form *form,
                       const Rows **ret_rows)
{
    const Flavor *flavor = my_flavor(conn);
    const char *hidden = flavor_is_mariadb(flavor) ? (flavor->version >= 100600 ? "IGNORED = 'YES'" : "0")
                                                   : (flavor->version >= 80000 ? "IS_VISIBLE = 'NO'" : "0");
    if (form->unique_parts == NULL) {
        Rows *rows = arena_alloc(my_memory(conn), sizeof *rows);
        TRY(conn_params(conn, wait, my_memory(conn), rows,
                        arena_printf(arena,
                                     "SELECT INDEX_NAME, COLUMN_NAME, SUB_PART, %s FROM "
                                     "information_schema.STATISTICS WHERE TABLE_SCHEMA = $1 AND TABLE_NAME = "
                                     "$2 AND NON_UNIQUE = 0 ORDER BY INDEX_NAME, SEQ_IN_INDEX",
                                     hidden),
                        spec->schema, spec->shadow));
        form->unique_parts = rows;
    }
    *ret_rows = form->unique_parts;
    return NULL;
}

/* The value that the index has of a column of `table`. */
static const char *part_value(Arena *arena, const Rows *parts, size_t at, const char *table)
{
    const char *column =
        arena_printf(arena, "%s.%s", table, my_ident(arena, rows_cell(parts, at, UNIQUE_COLUMN)));
    const char *length = rows_cell(parts, at, UNIQUE_LENGTH);
    return length == NULL ? column : arena_printf(arena, "LEFT(%s, %s)", column, length);
}

static size_t index_end(const Rows *parts, size_t from)
{
    size_t to = from;
    while (to < parts->row_count &&
           str_eq(rows_cell(parts, to, UNIQUE_INDEX), rows_cell(parts, from, UNIQUE_INDEX)))
        to++;
    return to;
}

/* An index over an expression cannot be joined by columns. */
static bool has_expression(const Rows *parts, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (rows_cell(parts, i, UNIQUE_COLUMN) == NULL)
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
                spec->schema, spec->source, rows_cell(parts, from, UNIQUE_INDEX),
                my_shadow_key_text(arena, spec, rows_cell(&rows, 0, 0)),
                my_shadow_key_text(arena, spec, rows_cell(&rows, 0, 1))),
        "change or delete one of the two, then resume");
}

/* Where a staged value is looked up: the server knows nothing of either table's size yet. */
static const char *index_hint(Arena *arena, const Rows *parts, size_t from)
{
    bool is_usable = rows_cell(parts, from, UNIQUE_LENGTH) == NULL && !rows_bool(parts, from, UNIQUE_HIDDEN);
    const char *index = my_ident(arena, rows_cell(parts, from, UNIQUE_INDEX));
    return is_usable ? arena_printf(arena, " FORCE INDEX (%s)", index) : "";
}

/* Rows that are equal in the key itself are gone already (ShadowOps.apply and copy delete them first). */
static bool is_key(const ShadowSpec *spec, const Form *form, const Rows *parts, size_t from, size_t to)
{
    if (!form->direct || to - from != spec->key_count)
        return false;
    for (size_t i = from; i < to; i++) {
        bool known = false;
        for (size_t k = 0; k < spec->key_count; k++)
            known = known || strcasecmp(rows_cell(parts, i, UNIQUE_COLUMN), spec->key_targets[k]) == 0;
        if (!known || rows_cell(parts, i, UNIQUE_LENGTH) != NULL)
            return false;
    }
    return true;
}

/* Rows of the shadow that are equal to a staged one of another key. */
static Err *find_others(Conn *conn, const Wait *wait, Arena *arena, const Form *form, const char *stage,
                        const Rows *parts, size_t from, size_t to, Pairs *pairs)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    Rows rows = {0};
    const char *shadow = arena_printf(arena, "%s.", form->shadow),
               *staged = arena_printf(arena, "%s.", stage);
    str_addf(&sql, "SELECT %s, %s, %s FROM %s STRAIGHT_JOIN %s%s ON TRUE",
             form_key_text(arena, form, true, shadow), form_target_text(arena, form, shadow),
             form_key_text(arena, form, true, staged), stage, form->shadow, index_hint(arena, parts, from));
    for (size_t i = from; i < to; i++)
        str_addf(&sql, " AND %s = %s", part_value(arena, parts, i, form->shadow),
                 part_value(arena, parts, i, stage));
    TRY(conn_query(conn, wait, arena, &rows, sql.buf));
    for (size_t i = 0; i < rows.row_count; i++) {
        const char *key = rows_cell(&rows, i, 0);
        if (str_eq(key, rows_cell(&rows, i, 2)))
            continue;
        *vec_push(arena, &pairs->keys) = key;
        *vec_push(arena, &pairs->targets) = rows_cell(&rows, i, 1);
        *vec_push(arena, &pairs->ours) = rows_cell(&rows, i, 2);
    }
    return NULL;
}

/* In all unique indexes. */
static Err *find_all(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, const Form *form,
                     const char *stage, const Rows *parts, bool check, Pairs *ret_pairs)
{
    *ret_pairs = (Pairs){0};
    for (size_t from = 0, to; from < parts->row_count; from = to) {
        to = index_end(parts, from);
        if (has_expression(parts, from, to))
            continue;
        if (check)
            TRY(check_stage(conn, wait, spec, form, stage, parts, from, to));
        if (!is_key(spec, form, parts, from, to))
            TRY(find_others(conn, wait, arena, form, stage, parts, from, to, ret_pairs));
    }
    return NULL;
}

/* Whether the source's rows of both sides, as they are now, are still equal. */
static Err *check_pairs(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, const Form *form,
                        const char *stage, const Rows *parts, const Pairs *pairs)
{
    Keys both = {0};
    CLEANUP(str_donep) Str where = STR_INIT;
    for (size_t i = 0; i < pairs->keys.len && i < FORM_KEYS_MOST / 2; i++) {
        *vec_push(arena, &both) = pairs->keys.items[i];
        *vec_push(arena, &both) = pairs->ours.items[i];
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
                   const char *where, const char **ret_stage, Conflict *ret_conflict)
{
    const char *stage;
    const Rows *parts;
    Pairs pairs;
    TRY(stage_open(conn, wait, arena, spec, form, &stage));
    TRY(load_parts(conn, wait, arena, spec, form, &parts));
    TRY(stage_fill(conn, wait, spec, form, stage, where));
    TRY(find_all(conn, wait, arena, spec, form, stage, parts, spec->tightens, &pairs));
    if (spec->tightens && pairs.keys.len > 0) {
        TRY(check_pairs(conn, wait, arena, spec, form, stage, parts, &pairs));
        TRY(stage_fill(conn, wait, spec, form, stage, where));
        TRY(find_all(conn, wait, arena, spec, form, stage, parts, false, &pairs));
    }
    *ret_stage = stage;
    *ret_conflict = (Conflict){.keys = {.keys = pairs.keys.items, .count = pairs.keys.len},
                               .targets = {.keys = pairs.targets.items, .count = pairs.targets.len}};
    return NULL;
}
