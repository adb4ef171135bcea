/* Source and shadow side by side.
 *
 * The fast way joins both tables by key in one snapshot and compares the columns where they lie. What is
 * equal there is equal. What is not may still be what the conversion to another type makes of it: such rows,
 * and all rows where there are columns that can only be told by converting, are staged and compared with
 * the shadow as values of one type. */
#include "base/clock.h"
#include "engine/mysql/conn.h"
#include "engine/mysql/session.h"
#include "engine/mysql/shadow_my.h"
#include "engine/mysql/shadow_stage.h"

#include <stdlib.h>
#include <string.h>

/* A value is cut off, without an error, at group_concat_max_len and at max_allowed_packet, which is 1,024 at
 * least: below that a list is whole wherever it is shorter. */
enum { LIST_BYTES = 1000 };
#define LIST_SEPARATOR ";"

typedef VEC(const char *) Keys;

static void take_keys(Arena *arena, Keys *keys, const Rows *rows)
{
    for (size_t i = 0; i < rows->row_count; i++)
        *vec_push(arena, keys) = arena_dup(arena, rows_cell(rows, i, 0));
}

/* ---- the snapshot ----------------------------------------------------------------------------------------
 */

static const char *target_hint(Arena *arena, const Form *form)
{
    return form->target_index == NULL ? "" : arena_printf(arena, " FORCE INDEX (%s)", form->target_index);
}

/* SELECT … FROM (the source's rows in the range, converted columns as c0 …) AS t LEFT JOIN shadow AS s. */
static const char *join_text(Arena *arena, const Form *form, const Range *range)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    str_addf(&sql, "FROM (SELECT %s AS stoa_key", form->literal);
    for (size_t i = 0; i < form->key_count; i++)
        str_addf(&sql, ", %s AS k%zu", form_forth(arena, &form->keys[i], form->keys[i].name), i);
    for (size_t i = 0; i < form->column_count; i++)
        str_addf(&sql, ", %s AS c%zu", form->columns[i].expr, i);
    str_addf(&sql, " FROM %s FORCE INDEX (%s) WHERE ", form->source, form->key_index);
    form_add_range(&sql, form->source_names, form->key_count, range);
    str_addf(&sql, ") AS t LEFT JOIN %s AS s%s ON ", form->shadow, target_hint(arena, form));
    for (size_t i = 0; i < form->key_count; i++)
        str_addf(&sql, "%ss.%s = t.k%zu", i > 0 ? " AND " : "", form->keys[i].target, i);
    return arena_dupn(arena, sql.buf, sql.len);
}

/* Not "IS NULL": that is also true of a zero date in a column that is NOT NULL. */
static const char *equal_text(Arena *arena, const Form *form)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    str_addf(&sql, "CASE WHEN s.%s IS NOT NULL", form->keys[0].target);
    for (size_t i = 0; i < form->column_count; i++)
        str_addf(&sql, " AND %s",
                 form_equal(arena, &form->columns[i], false, arena_printf(arena, "t.c%zu", i),
                            arena_printf(arena, "s.%s", form->columns[i].name)));
    str_add(&sql, " THEN 1 ELSE 0 END");
    return arena_dupn(arena, sql.buf, sql.len);
}

/* Rows of the shadow that the source has not. Where its order is another one, a range means nothing there,
 * and all of it is looked at with the first range. */
static Err *find_extra(Conn *conn, const Wait *wait, Arena *arena, const Form *form, const Range *range,
                       Keys *extra)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    Rows rows = {0};
    str_addf(&sql, "SELECT %s FROM %s AS s%s WHERE ", form_key_text(arena, form, true, "s."), form->shadow,
             form->direct ? target_hint(arena, form) : "");
    const char **names = arena_alloc(arena, (form->key_count + 1) * sizeof *names);
    for (size_t i = 0; i < form->key_count; i++)
        names[i] = arena_printf(arena, "s.%s", form->target_names[i]);
    form_add_range(&sql, names, form->key_count, form->direct ? range : &(Range){0});
    str_addf(&sql, " AND NOT EXISTS (SELECT 1 FROM %s AS t FORCE INDEX (%s) WHERE ", form->source,
             form->key_index);
    for (size_t i = 0; i < form->key_count; i++)
        str_addf(&sql, "%st.%s = %s", i > 0 ? " AND " : "", form->keys[i].name,
                 form_back(arena, &form->keys[i], names[i]));
    str_add(&sql, ")");
    TRY(conn_query(conn, wait, arena, &rows, sql.buf));
    take_keys(arena, extra, &rows);
    return NULL;
}

static Err *count_shadow(Conn *conn, const Wait *wait, Arena *arena, const Form *form, const Range *range,
                         int64_t *ret_rows)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    Rows rows = {0};
    str_addf(&sql, "SELECT COUNT(*) FROM %s%s WHERE ", form->shadow, target_hint(arena, form));
    form_add_range(&sql, form->target_names, form->key_count, range);
    TRY(conn_query(conn, wait, arena, &rows, sql.buf));
    *ret_rows = rows_int(&rows, 0, 0);
    return NULL;
}

/* *ret_all false: there are more than fit into one value. */
static void take_list(Arena *arena, Keys *keys, const char *list, bool *ret_all)
{
    *ret_all = list == NULL || strlen(list) + 1 < LIST_BYTES;
    for (const char *at = list; at != NULL && *ret_all;) {
        size_t len = strcspn(at, LIST_SEPARATOR);
        *vec_push(arena, keys) = arena_dupn(arena, at, len);
        at = at[len] == '\0' ? NULL : at + len + 1;
    }
}

/* In the snapshot at hand. One pass counts, and lists what differs: beside a busy application hardly a range
 * is without a row that is on its way, and a second pass for its key would cost as much again. */
static Err *compare_range(Conn *conn, const Wait *wait, Arena *arena, const Form *form, const Range *range,
                          bool comparable, int64_t *ret_rows, Keys *suspects, Keys *extra)
{
    Rows rows = {0};
    const char *join = join_text(arena, form, range), *equal = comparable ? equal_text(arena, form) : "0";
    const char *list = !comparable ? "NULL"
                                   : arena_printf(arena,
                                                  "GROUP_CONCAT(CASE WHEN %s = 0 THEN t.stoa_key END "
                                                  "SEPARATOR '" LIST_SEPARATOR "')",
                                                  equal);
    int64_t there = 0;
    bool all = false;
    TRY(conn_query(conn, wait, arena, &rows,
                   arena_printf(arena, "SELECT COUNT(*), SUM(s.%s IS NOT NULL), %s %s", form->keys[0].target,
                                list, join)));
    int64_t source = rows_int(&rows, 0, 0), matched = rows_int(&rows, 0, 1);
    *ret_rows = source;
    if (comparable)
        take_list(arena, suspects, rows_cell(&rows, 0, 2), &all);
    if (!all && source > 0) {
        TRY(conn_query(conn, wait, arena, &rows,
                       arena_printf(arena, "SELECT t.stoa_key %s WHERE %s = 0", join, equal)));
        take_keys(arena, suspects, &rows);
    }
    if (form->direct) {
        TRY(count_shadow(conn, wait, arena, form, range, &there));
        return there == matched ? NULL : find_extra(conn, wait, arena, form, range, extra);
    }
    return range->low != NULL ? NULL : find_extra(conn, wait, arena, form, range, extra);
}

/* ---- staged ----------------------------------------------------------------------------------------------
 */

/* Of staged rows those that the shadow has not, or has otherwise. */
static Err *stage_differences(Conn *conn, const Wait *wait, Arena *arena, const Form *form, const char *stage,
                              Keys *different)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    Rows rows = {0};
    str_addf(&sql, "SELECT %s FROM %s AS t LEFT JOIN %s AS s%s ON ", form_key_text(arena, form, true, "t."),
             stage, form->shadow, target_hint(arena, form));
    for (size_t i = 0; i < form->key_count; i++)
        str_addf(&sql, "%ss.%s = t.%s", i > 0 ? " AND " : "", form->keys[i].target, form->keys[i].target);
    str_addf(&sql, " WHERE CASE WHEN s.%s IS NOT NULL", form->keys[0].target);
    for (size_t i = 0; i < form->column_count; i++)
        str_addf(&sql, " AND %s",
                 form_equal(arena, &form->columns[i], true,
                            arena_printf(arena, "t.%s", form->columns[i].name),
                            arena_printf(arena, "s.%s", form->columns[i].name)));
    str_add(&sql, " THEN 1 ELSE 0 END = 0");
    TRY(conn_query(conn, wait, arena, &rows, sql.buf));
    take_keys(arena, different, &rows);
    return NULL;
}

/* Of the shadow's rows with these targets those that were not staged. */
static Err *stage_extra(Conn *conn, const Wait *wait, Arena *arena, const Form *form, const char *stage,
                        const KeyList *targets, Keys *different)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    Rows rows = {0};
    const char **names = arena_alloc(arena, (form->key_count + 1) * sizeof *names);
    for (size_t i = 0; i < form->key_count; i++)
        names[i] = arena_printf(arena, "s.%s", form->target_names[i]);
    str_addf(&sql, "SELECT %s FROM %s AS s%s WHERE ", form_key_text(arena, form, true, "s."), form->shadow,
             target_hint(arena, form));
    form_add_keys(&sql, names, form->key_count, targets, 0, targets->count);
    str_addf(&sql, " AND NOT EXISTS (SELECT 1 FROM %s AS t WHERE ", stage);
    for (size_t i = 0; i < form->key_count; i++)
        str_addf(&sql, "%st.%s = %s", i > 0 ? " AND " : "", form->keys[i].target, names[i]);
    str_add(&sql, ")");
    TRY(conn_query(conn, wait, arena, &rows, sql.buf));
    take_keys(arena, different, &rows);
    return NULL;
}

static Err *compare_slice(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                          const Form *form, const char *stage, const KeyList *keys, const KeyList *targets,
                          Keys *different)
{
    CLEANUP(str_donep) Str where = STR_INIT;
    form_add_keys(&where, form->source_names, form->key_count, keys, 0, keys->count);
    TRY(stage_fill(conn, wait, spec, form, stage, where.buf));
    TRY(stage_differences(conn, wait, arena, form, stage, different));
    return stage_extra(conn, wait, arena, form, stage, targets, different);
}

static KeyList slice_of(const KeyList *keys, size_t from)
{
    size_t left = keys->count - from;
    return (KeyList){.keys = keys->keys + from, .count = left < FORM_KEYS_MOST ? left : FORM_KEYS_MOST};
}

/* Each statement sees what is committed when it begins: the source's rows first, then the shadow's. */
static Err *compare_staged(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, Form *form,
                           const KeyList *keys, Keys *different)
{
    const char *stage;
    TRY(stage_open(conn, wait, arena, spec, form, &stage));
    for (size_t from = 0; from < keys->count; from += FORM_KEYS_MOST) {
        KeyList slice = slice_of(keys, from), targets = {0};
        TRY(stage_targets(conn, wait, arena, spec, form, &slice, &targets));
        TRY(compare_slice(conn, wait, arena, spec, form, stage, &slice, &targets, different));
    }
    return NULL;
}

/* A whole range at once, where no column of it can be told without converting. */
static Err *compare_all_staged(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, Form *form,
                               const Range *range, Keys *different)
{
    const char *stage;
    CLEANUP(str_donep) Str where = STR_INIT;
    form_add_range(&where, form->source_names, form->key_count, range);
    TRY(stage_open(conn, wait, arena, spec, form, &stage));
    TRY(stage_fill(conn, wait, spec, form, stage, where.buf));
    return stage_differences(conn, wait, arena, form, stage, different);
}

/* ---- the functions ---------------------------------------------------------------------------------------
 */

static bool all_same(const Form *form)
{
    for (size_t i = 0; i < form->column_count; i++)
        if (!form->columns[i].same)
            return false;
    return true;
}

Err *my_shadow_compare(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, const Range *range,
                       int64_t *ret_rows, KeyList *ret_different)
{
    Form *form;
    Keys suspects = {0}, different = {0};
    TRY(form_load(conn, wait, spec, &form));
    bool comparable = true;
    for (size_t i = 0; i < form->column_count; i++)
        comparable = comparable && form_is_comparable(&form->columns[i]);
    TRY(my_exec(conn, wait, arena_printf(arena, "SET SESSION group_concat_max_len = %d", (int)LIST_BYTES)));
    TRY(my_exec(conn, wait, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"));
    TRY(my_start(conn, wait, 0, "START TRANSACTION WITH CONSISTENT SNAPSHOT"));
    Err *err = compare_range(conn, wait, arena, form, range, comparable, ret_rows, &suspects, &different);
    rows_rollback(conn);
    TRY(err);
    KeyList list = {.keys = suspects.items, .count = suspects.len};
    if (!comparable) {
        TRY(compare_all_staged(conn, wait, arena, spec, form, range, &different));
    } else if (!all_same(form)) {
        TRY(compare_staged(conn, wait, arena, spec, form, &list, &different));
    } else {
        for (size_t i = 0; i < list.count; i++)
            *vec_push(arena, &different) = list.keys[i];
    }
    *ret_different = (KeyList){.keys = different.items, .count = different.len};
    return NULL;
}

/* Locks that are not granted at once make the key a busy one. */
static Err *lock_rows(Conn *conn, const Wait *wait, Arena *arena, const char *table, const char *index,
                      const char *const *names, size_t count, const KeyList *keys)
{
    const Flavor *flavor = my_flavor(conn);
    CLEANUP(str_donep) Str sql = STR_INIT;
    Rows rows = {0};
    str_addf(&sql, "SELECT COUNT(*) FROM %s%s WHERE ", table, index);
    form_add_keys(&sql, names, count, keys, 0, keys->count);
    str_add(&sql, flavor_can(flavor, FACT_FOR_SHARE)      ? " FOR SHARE NOWAIT"
                  : flavor_can(flavor, FACT_SHARE_NOWAIT) ? " LOCK IN SHARE MODE NOWAIT"
                                                          : " LOCK IN SHARE MODE");
    return conn_query(conn, wait, arena, &rows, sql.buf);
}

static Err *compare_locked(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                           const Form *form, const char *stage, const KeyList *keys, const KeyList *targets,
                           Keys *different)
{
    enum { LOCK_WAIT_MS = 40 };
    Wait held = wait == NULL ? (Wait){0} : *wait;
    held.until_ms = held.timeout_ms > 0 ? clock_ms() + held.timeout_ms : 0;
    Wait brief = {.stop = held.stop, .timeout_ms = LOCK_WAIT_MS, .until_ms = held.until_ms};
    const Wait *patience = flavor_can(my_flavor(conn), FACT_SHARE_NOWAIT) ? &held : &brief;
    TRY(my_start(conn, &held, held.timeout_ms, "START TRANSACTION"));
    TRY(lock_rows(conn, patience, arena, form->source,
                  arena_printf(arena, " FORCE INDEX (%s)", form->key_index), form->source_names,
                  form->key_count, keys));
    TRY(lock_rows(conn, patience, arena, form->shadow, target_hint(arena, form), form->target_names,
                  form->key_count, targets));
    return compare_slice(conn, &held, arena, spec, form, stage, keys, targets, different);
}

/* Where the server has no NOWAIT, one key at a time: nobody is kept waiting while we wait for another row. */
static Err *compare_some(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, Form *form,
                         const char *stage, const KeyList *keys, Keys *different, Keys *busy)
{
    KeyList targets = {0};
    bool is_split = keys->count > 1 && !flavor_can(my_flavor(conn), FACT_SHARE_NOWAIT);
    if (!is_split) {
        TRY(stage_targets(conn, wait, arena, spec, form, keys, &targets));
        Err *err = compare_locked(conn, wait, arena, spec, form, stage, keys, &targets, different);
        rows_rollback(conn);
        if (err == NULL)
            return NULL;
        if (!err_is(err, ERR_LOCK_TIMEOUT) && !err_is(err, ERR_DEADLOCK) && !err_is(err, ERR_CANCELLED))
            return err;
        err_free(err);
        if (keys->count == 1) {
            *vec_push(arena, busy) = keys->keys[0];
            return NULL;
        }
    }
    size_t half = keys->count / 2;
    TRY(compare_some(conn, wait, arena, spec, form, stage, &(KeyList){.keys = keys->keys, .count = half},
                     different, busy));
    return compare_some(conn, wait, arena, spec, form, stage,
                        &(KeyList){.keys = keys->keys + half, .count = keys->count - half}, different, busy);
}

Err *my_shadow_compare_keys(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                            const KeyList *keys, KeyList *ret_different, KeyList *ret_busy)
{
    enum { TOGETHER = 50 }; /* locked at a time */
    Form *form;
    const char *stage;
    Keys different = {0}, busy = {0};
    TRY(form_load(conn, wait, spec, &form));
    TRY(stage_open(conn, wait, arena, spec, form, &stage));
    for (size_t from = 0; from < keys->count; from += TOGETHER) {
        size_t left = keys->count - from;
        KeyList slice = {.keys = keys->keys + from, .count = left < TOGETHER ? left : TOGETHER};
        TRY(compare_some(conn, wait, arena, spec, form, stage, &slice, &different, &busy));
    }
    *ret_different = (KeyList){.keys = different.items, .count = different.len};
    *ret_busy = (KeyList){.keys = busy.items, .count = busy.len};
    return NULL;
}
