/* Rows of the source in ranges, and into the shadow. */
#include "engine/mysql/shadow_conflict.h"

#include "base/failpoint.h"
#include "engine/mysql/conn.h"
#include "engine/mysql/error.h"
#include "engine/mysql/session.h"
#include "engine/mysql/shadow_my.h"
#include "engine/mysql/shadow_owed.h"
#include "engine/mysql/shadow_write.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    ATTEMPTS = 6, /* of a transaction that others are in the way of */
    REST_MS = 20,
    FINISH_MS = 15000,      /* COMMIT and ROLLBACK are not given up earlier */
    PARENTS_IDLE_MS = 2000, /* so long may a process that is stopped keep parents locked */
};

/* ---- transactions ----------------------------------------------------------------------------------------
 */

Err *rows_start(Conn *conn, const Wait *wait, const Form *form)
{
    return my_start(conn, wait, form->has_fk ? PARENTS_IDLE_MS : 0, "START TRANSACTION");
}

void rows_rollback(Conn *conn)
{
    Wait wait = {.timeout_ms = FINISH_MS};
    err_free(my_end(conn, &wait, "ROLLBACK"));
}

bool rows_again(Err *err, const Wait *wait, int attempt)
{
    if ((!err_is(err, ERR_DEADLOCK) && !err_is(err, ERR_LOCK_TIMEOUT)) || attempt + 1 >= ATTEMPTS)
        return false;
    err_free(err);
    stop_sleep(wait == NULL ? NULL : wait->stop, (int64_t)REST_MS << attempt);
    return true;
}

KeyList rows_keys(Arena *arena, const Rows *rows)
{
    const char **keys = arena_alloc(arena, (rows->row_count + 1) * sizeof *keys);
    for (size_t i = 0; i < rows->row_count; i++)
        keys[i] = rows_cell(rows, i, 0);
    return (KeyList){.keys = keys, .count = rows->row_count};
}

/* ---- writing ---------------------------------------------------------------------------------------------
 */

/* What a strict server says of a value that cannot be stored as it is (MySQL "Server Error Message
 * Reference"; 4025 is MariaDB's failed CHECK). */
bool rows_is_misfit(const Err *err)
{
    static const unsigned misfits[] = {1048, 1263, 1264, 1265, 1292, 1364, 1365, 1366, 1367, 1406,
                                       1411, 1416, 1441, 1452, 1526, 1591, 1690, 1748, 3140, 3141,
                                       3155, 3156, 3643, 3819, 3854, 3903, 4025, 4038};
    for (size_t i = 0; i < ARRAY_LEN(misfits); i++)
        if (misfits[i] == err->server_errno)
            return true;
    return false;
}

/* "… at row 17": the server counts the rows of the SELECT, which come in key order. Who it was is told to
 * people only, so a table that has moved on meanwhile, or a server that counts otherwise, does no harm. */
static Err *misfit_error(Conn *conn, const Wait *wait, const ShadowSpec *spec, const Form *form,
                         const char *where, Err *err)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    char *text = err_text(err);
    const char *at = strstr(text, " at row ");
    long long row = at == NULL ? 0 : strtoll(at + strlen(" at row "), NULL, 10);
    Rows rows = {0};
    CLEANUP(str_donep) Str order = STR_INIT;
    for (size_t i = 0; i < form->key_count; i++)
        str_addf(&order, "%s%s", i > 0 ? ", " : "", form->keys[i].name);
    if (row > 0)
        err_free(conn_query(conn, wait, arena, &rows,
                            arena_printf(arena,
                                         "SELECT %s FROM %s FORCE INDEX (%s) WHERE %s ORDER BY %s LIMIT 1 "
                                         "OFFSET %lld",
                                         form->literal, form->source, form->key_index, where, order.buf,
                                         row - 1)));
    Err *res = err_new(ERR_VERIFY, "a row of \"%s.%s\" does not fit the new definition%s%s%s: %s",
                       spec->schema, spec->source, rows.row_count > 0 ? " (" : "",
                       rows.row_count > 0 ? my_shadow_key_text(arena, spec, rows_cell(&rows, 0, 0)) : "",
                       rows.row_count > 0 ? ")" : "", text);
    res->server_errno = err->server_errno;
    free(text);
    err_free(err);
    return res;
}

/* Said of the statement's words, not of its values: names of character sets that will go (_utf8mb3, _ucs2 in
 * literals), and what statement format would do. */
static bool is_about_words(int64_t number)
{
    return number == 1287 || number == 1592 || number == 1681 || number == 3719 || number == 3720 ||
           number == 3778 || number == 3779;
}

/* Notes only say what is meant to happen (the rounding of a DECIMAL); all else is a value that changed. */
static Err *check_warnings(Conn *conn, const Wait *wait, const ShadowSpec *spec)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Rows rows = {0};
    if (my_warning_count(conn) == 0)
        return NULL;
    TRY(conn_query(conn, wait, arena, &rows, "SHOW WARNINGS"));
    for (size_t i = 0; i < rows.row_count; i++)
        if (!str_eq(rows_cell(&rows, i, 0), "Note") && !is_about_words(rows_int(&rows, i, 1))) {
            Err *err = err_new(ERR_VERIFY, "a row of \"%s.%s\" does not fit the new definition: %s",
                               spec->schema, spec->source, rows_cell(&rows, i, 2));
            err->server_errno = (unsigned)rows_int(&rows, i, 1);
            return err;
        }
    return NULL;
}

static Err *insert(Conn *conn, const Wait *wait, const ShadowSpec *spec, const Form *form, const char *where,
                   const char *sql, int64_t *ret_rows)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Rows rows = {0};
    Err *err = conn_query(conn, wait, arena, &rows, sql);
    if (err != NULL && rows_is_misfit(err))
        return misfit_error(conn, wait, spec, form, where, err);
    TRY(err);
    *ret_rows = rows.affected;
    return check_warnings(conn, wait, spec);
}

Err *rows_insert(Conn *conn, const Wait *wait, const ShadowSpec *spec, const Form *form, const char *into,
                 const char *where, int64_t *ret_rows)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    str_addf(&sql, "INSERT INTO %s (%s) SELECT %s FROM %s FORCE INDEX (%s) WHERE %s", into, form->names,
             form->exprs, form->source, form->key_index, where);
    return insert(conn, wait, spec, form, where, sql.buf, ret_rows);
}

Err *rows_insert_staged(Conn *conn, const Wait *wait, const ShadowSpec *spec, const Form *form,
                        const char *stage, const char *where, int64_t *ret_rows)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    str_addf(&sql, "INSERT INTO %s (%s) SELECT %s FROM %s", form->shadow, form->names, form->names, stage);
    return insert(conn, wait, spec, form, where, sql.buf, ret_rows);
}

/* DELETE … USING takes an index hint on every server: the statistics of a table that has just been empty
 * would make it a scan of all rows. */
static Err *delete_where(Conn *conn, const Wait *wait, const Form *form, const char *where, int64_t *ret_rows)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    CLEANUP(str_donep) Str sql = STR_INIT;
    Rows rows = {0};
    str_addf(&sql, "DELETE FROM %s USING %s", form->shadow, form->shadow);
    if (form->target_index != NULL)
        str_addf(&sql, " FORCE INDEX (%s)", form->target_index);
    str_addf(&sql, " WHERE %s", where);
    TRY(conn_query(conn, wait, arena, &rows, sql.buf));
    *ret_rows += rows.affected;
    return NULL;
}

Err *rows_delete(Conn *conn, const Wait *wait, const Form *form, const KeyList *keys, int64_t *ret_rows)
{
    for (size_t from = 0; from < keys->count; from += FORM_KEYS_MOST) {
        size_t to = from + FORM_KEYS_MOST < keys->count ? from + FORM_KEYS_MOST : keys->count;
        CLEANUP(str_donep) Str where = STR_INIT;
        form_add_keys(&where, form->target_names, form->key_count, keys, from, to);
        TRY(delete_where(conn, wait, form, where.buf, ret_rows));
    }
    return NULL;
}

/* ---- ranges ----------------------------------------------------------------------------------------------
 */

static void add_order(Str *sql, const Form *form)
{
    str_add(sql, " ORDER BY ");
    for (size_t i = 0; i < form->key_count; i++)
        str_addf(sql, "%s%s", i > 0 ? ", " : "", form->keys[i].name);
}

static Err *key_at(Conn *conn, const Wait *wait, Arena *arena, const Form *form, const char *low,
                   int64_t offset, const char **ret_key)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    Rows rows = {0};
    str_addf(&sql, "SELECT %s FROM %s FORCE INDEX (%s) WHERE ", form->literal, form->source, form->key_index);
    form_add_range(&sql, form->source_names, form->key_count, &(Range){.low = low});
    add_order(&sql, form);
    str_addf(&sql, " LIMIT 1 OFFSET %" PRId64, offset);
    TRY(conn_query(conn, wait, arena, &rows, sql.buf));
    *ret_key = rows.row_count == 0 ? NULL : rows_cell(&rows, 0, 0);
    return NULL;
}

Err *my_shadow_next(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                    ShadowPass pass UNUSED, const char *low, int64_t size, Range *ret_range, bool *ret_done)
{
    Form *form;
    const char *high = NULL, *first = NULL;
    TRY(form_load(conn, wait, spec, &form));
    TRY(key_at(conn, wait, arena, form, low, size < 1 ? 1 : size, &high));
    if (high == NULL)
        TRY(key_at(conn, wait, arena, form, low, 0, &first));
    *ret_done = high == NULL && first == NULL;
    *ret_range = (Range){.low = low, .high = high};
    return NULL;
}

/* ---- copying ---------------------------------------------------------------------------------------------
 */

/* A plain look first: a DELETE that finds nothing would still wait at the first row behind the range, which
 * another worker may be writing. */
static Err *clear_range(Conn *conn, const Wait *wait, const Form *form, const Range *range)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    CLEANUP(str_donep) Str where = STR_INIT;
    Rows rows = {0};
    int64_t gone = 0;
    form_add_range(&where, form->target_names, form->key_count, range);
    const char *hint =
        form->target_index == NULL ? "" : arena_printf(arena, " FORCE INDEX (%s)", form->target_index);
    TRY(conn_query(
        conn, wait, arena, &rows,
        arena_printf(arena, "SELECT 1 FROM %s%s WHERE %s LIMIT 1", form->shadow, hint, where.buf)));
    return rows.row_count == 0 ? NULL : delete_where(conn, wait, form, where.buf, &gone);
}

/* Where the order of the shadow's keys is another one: those that the range's rows have there already. What
 * else is stale is what captured keys will clear. */
static Err *clear_rows(Conn *conn, const Wait *wait, const Form *form, const char *where)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    CLEANUP(str_donep) Str sql = STR_INIT;
    Rows rows = {0};
    int64_t gone = 0;
    str_addf(&sql, "SELECT DISTINCT %s FROM (SELECT ", form_target_text(arena, form, "s."));
    for (size_t i = 0; i < form->key_count; i++)
        str_addf(&sql, "%s%s AS k%zu", i > 0 ? ", " : "",
                 form_forth(arena, &form->keys[i], form->keys[i].name), i);
    str_addf(&sql, " FROM %s FORCE INDEX (%s) WHERE %s) AS t JOIN %s AS s ON ", form->source, form->key_index,
             where, form->shadow);
    for (size_t i = 0; i < form->key_count; i++)
        str_addf(&sql, "%ss.%s = t.k%zu", i > 0 ? " AND " : "", form->keys[i].target, i);
    TRY(conn_query(conn, wait, arena, &rows, sql.buf));
    KeyList targets = rows_keys(arena, &rows);
    return rows_delete(conn, wait, form, &targets, &gone);
}

static Err *clear(Conn *conn, const Wait *wait, const Form *form, const Range *range, const char *where)
{
    return form->direct ? clear_range(conn, wait, form, range) : clear_rows(conn, wait, form, where);
}

static Err *commit(Conn *conn, const Wait *wait)
{
    Wait finish = {.stop = wait == NULL ? NULL : wait->stop, .timeout_ms = FINISH_MS};
    return my_end(conn, &finish, "COMMIT");
}

static Err *copy_plainly(Conn *conn, const Wait *wait, const ShadowSpec *spec, Form *form, const Range *range,
                         const char *where, int64_t *ret_rows)
{
    TRY(rows_start(conn, wait, form));
    TRY(rows_lock_parents(conn, wait, spec, form, where));
    TRY(clear(conn, wait, form, range, where));
    TRY(rows_insert(conn, wait, spec, form, form->shadow, where, ret_rows));
    return commit(conn, wait);
}

/* As shadow_write.c makes room. */
static Err *copy_staged(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, Form *form,
                        const Range *range, const char *where, int64_t *ret_rows, KeyList *ret_displaced)
{
    Conflict conflict = {0};
    const char *stage;
    int64_t gone = 0;
    TRY(stage_open(conn, wait, arena, spec, form, &stage));
    TRY(owed_make(conn, wait, spec, form));
    TRY(rows_start(conn, wait, form));
    TRY(rows_lock_parents(conn, wait, spec, form, where));
    TRY(clear(conn, wait, form, range, where));
    TRY(conflict_find(conn, wait, arena, spec, form, where, &stage, &conflict));
    TRY(rows_delete(conn, wait, form, &conflict.targets, &gone));
    TRY(rows_insert_staged(conn, wait, spec, form, stage, where, ret_rows));
    KeyList displaced = keys_distinct(arena, &conflict.keys);
    TRY(owed_note(conn, wait, spec, &displaced));
    TRY(commit(conn, wait));
    *ret_displaced = displaced;
    if (displaced.count == 0)
        return NULL;
    form->staged_batches = FORM_STAGED_BATCHES;
    return failpoint_at("copy_displaced");
}

Err *my_shadow_copy(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, const Range *range,
                    int64_t *ret_rows, KeyList *ret_displaced)
{
    Form *form;
    CLEANUP(str_donep) Str where = STR_INIT;
    *ret_displaced = (KeyList){0};
    TRY(form_load(conn, wait, spec, &form));
    form_add_range(&where, form->source_names, form->key_count, range);
    bool is_staged = form->staged_batches > 0;
    form->staged_batches -= is_staged;
    for (int attempt = 0, refusals = 0;; attempt++) {
        Err *err = is_staged
                       ? copy_staged(conn, wait, arena, spec, form, range, where.buf, ret_rows, ret_displaced)
                       : copy_plainly(conn, wait, spec, form, range, where.buf, ret_rows);
        if (err == NULL)
            return NULL;
        rows_rollback(conn);
        if (err->server_errno == MY_ER_DUP_ENTRY && (!is_staged || refusals++ < FORM_REFUSALS_MAX)) {
            err_free(err);
            is_staged = true;
        } else if (err->server_errno == MY_ER_DUP_ENTRY) {
            err->kind = ERR_SERIALIZE;
            return err;
        } else if (!rows_again(err, wait, attempt)) {
            return err;
        }
    }
}

/* Not TRUNCATE, which would have to get every reader of the shadow out of the way, and is DDL. */
Err *my_shadow_empty(Conn *conn, const Wait *wait, const ShadowSpec *spec)
{
    enum { BATCH = 10000 };
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Form *form;
    Rows rows = {0};
    TRY(form_load(conn, wait, spec, &form));
    const char *sql = arena_printf(arena, "DELETE FROM %s LIMIT %d", form->shadow, BATCH);
    for (int attempt = 0;;) {
        Err *err = conn_query(conn, wait, arena, &rows, sql);
        if (err == NULL && rows.affected < BATCH)
            return owed_clear(conn, wait, spec);
        if (err != NULL && !rows_again(err, wait, attempt++))
            return err;
        TRY(stop_check(wait == NULL ? NULL : wait->stop));
    }
}

/* ---- for people ------------------------------------------------------------------------------------------
 */

static int hex_digit(char digit) { return digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10; }

/* "_utf8mb4 x'6162'" as 'ab', where all of it can be printed; other literals as they are. */
static char *literal_text(Arena *arena, const char *literal)
{
    const char *hex = literal[0] == '_' ? strstr(literal, " x'") : NULL;
    if (hex == NULL)
        return arena_dup(arena, literal);
    hex += strlen(" x'");
    size_t len = strcspn(hex, "'") / 2;
    bool is_wide = str_starts(literal, "_utf8");
    char *text = arena_alloc(arena, len + 1);
    for (size_t i = 0; i < len; i++) {
        int byte = hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]);
        if (byte < 0x20 || byte == 0x7f || (byte > 0x7f && !is_wide))
            return arena_dup(arena, strchr(literal, ' ') + 1);
        text[i] = (char)byte;
    }
    return arena_printf(arena, "'%s'", text);
}

char *my_shadow_key_text(Arena *arena, const ShadowSpec *spec, const char *key)
{
    CLEANUP(str_donep) Str text = STR_INIT;
    const char **literals = arena_alloc(arena, (spec->key_count + 1) * sizeof *literals);
    if (!form_split(arena, key, spec->key_count, literals))
        return arena_dup(arena, key);
    for (size_t i = 0; i < spec->key_count; i++)
        str_addf(&text, "%s%s=%s", i > 0 ? ", " : "", spec->key_columns[i], literal_text(arena, literals[i]));
    return arena_dupn(arena, text.buf, text.len);
}

/* Of the key's first column only, and where it is a number or a time. */
double my_shadow_fraction(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                          const char *position)
{
    Form *form;
    const char **literals = arena_alloc(arena, (spec->key_count + 1) * sizeof *literals);
    Err *err = form_load(conn, wait, spec, &form);
    if (err != NULL || position == NULL || !form_split(arena, position, spec->key_count, literals)) {
        err_free(err);
        return position == NULL ? 0 : -1;
    }
    FormType type = form->keys[0].from.type;
    if (type == FORM_TEXT || type == FORM_BYTES || type == FORM_TIME || type == FORM_OTHER)
        return -1;
    bool is_time = type == FORM_DATE || type == FORM_DATETIME || type == FORM_TIMESTAMP;
    const char *number = is_time ? "TO_SECONDS" : "", *name = form->keys[0].name;
    CLEANUP(str_donep) Str sql = STR_INIT;
    str_addf(&sql,
             "SELECT (%s(%s) - low + 0e0) / (high - low), low IS NULL, high = low FROM (SELECT "
             "%s(MIN(%s)) + 0e0 AS low, %s(MAX(%s)) + 0e0 AS high FROM %s FORCE INDEX (%s)) AS ends",
             number, literals[0], number, name, number, name, form->source, form->key_index);
    Rows rows = {0};
    err = conn_query(conn, wait, arena, &rows, sql.buf);
    if (err != NULL || rows.row_count == 0 || rows_cell(&rows, 0, 0) == NULL) {
        err_free(err);
        return -1;
    }
    double part = rows_double(&rows, 0, 0);
    return part < 0 ? 0 : part > 1 ? 1 : part;
}
