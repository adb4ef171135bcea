/* Changed keys out of a log that triggers fill: table keys_<change> in database stoa.
 *
 * The log's numbers are given before transactions commit, so a lower number may show after a higher one. What
 * has been read is remembered by number, deleted once it is applied, and never a place in their order. */
#include "engine/mysql/capture_parts.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/str.h"
#include "engine/mysql/conn.h"
#include "engine/mysql/definition.h"
#include "engine/mysql/quote.h"
#include "engine/mysql/shadow_form.h"
#include "engine/mysql/trigger.h"

#include <ctype.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    POLL_MS = 15,
    HELD_POLL_MS = 2,
    HOLD_MS = 200,  /* at most, for statements that are under way */
    BUSY_MS = 2000, /* the log may be locked along with the source */
    LOOK_MS = 5000,
    LOOK_EACH_MS = 500, /* at the source's identity */
    LIST_MOST = 500,    /* runs of numbers in one statement that deletes */
    RUNS_MOST = 50,     /* … and in one that reads */
};

/* What the log held under the source's lock. Only the session with the lock can read it then: LOCK TABLES
 * locks what the table's triggers write as well (refman "LOCK TABLES and Triggers"; seen to stop readers on
 * MySQL 5.6 and 9.7, not on MariaDB). So the mark is where it is read, and left here for the capture of the
 * change. */
typedef struct Stash {
    Arena *arena;
    int64_t change_id;
    int64_t at_us;
    Rows rows; /* key, seq */
    size_t next;
} Stash;

static pthread_mutex_t stash_lock = PTHREAD_MUTEX_INITIALIZER;
static Stash *stash_left; /* one source is locked at a time */
static int64_t held;      /* the change whose source is being locked; 0 none. Under stash_lock */
static int under_way;     /* statements on key logs. Under stash_lock */

/* Numbers handed out: [from, to], all of batch `batch`. */
typedef struct Run {
    uint64_t from, to, batch;
} Run;

struct TriggerCapture {
    Arena *arena; /* as long as this */
    Conn *conn;
    const ShadowSpec *spec;
    const char *log;     /* qualified and quoted */
    const char *literal; /* the key's text over the log */
    Run *runs;           /* heap */
    size_t run_count, run_cap;
    uint64_t batch;
    int64_t complete_us; /* all that was committed then has been handed out; 0 never */
    Stash *stash;        /* NULL: the log itself is read */
    int64_t looked_ms;
    char *tables, *definition; /* the source's identity, as it was when it was last the same */
};

/* ---- who the source is -----------------------------------------------------------------------------------
 */

/* TRUNCATE runs no trigger. It shows by InnoDB's own number of the table, which ALTER TABLE may change as
 * well; CREATE_TIME stays (seen on 5.6, 9.7 and MariaDB 10.11). The names there are those of files: what is
 * neither letter, digit nor "_" in ASCII is a code ("@002d"), of which only the "@" is looked for. */
static const char *tables_sql(Conn *conn, Arena *arena, const ShadowSpec *spec)
{
    const Flavor *flavor = my_flavor(conn);
    CLEANUP(str_donep) Str like = STR_INIT;
    const char *const names[] = {spec->schema, spec->source};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        str_add(&like, i > 0 ? "/" : "");
        for (const char *at = names[i]; *at != '\0'; at++) {
            bool is_plain = *at > 0 && (isalnum((unsigned char)*at) || *at == '_');
            if (is_plain)
                str_addf(&like, "%s%c", *at == '_' ? "|" : "", *at);
            else if (like.len == 0 || like.buf[like.len - 1] != '%')
                str_add(&like, "@%");
        }
    }
    const char *whole = my_literal(conn, arena, like.buf);
    const char *parts = my_literal(conn, arena, arena_printf(arena, "%s#%%", like.buf));
    bool is_old = flavor_is_mariadb(flavor) || flavor->version < 80000;
    return arena_printf(
        arena,
        "SELECT GROUP_CONCAT(TABLE_ID ORDER BY TABLE_ID) FROM information_schema.%s WHERE NAME LIKE "
        "%s ESCAPE '|' OR NAME LIKE %s ESCAPE '|'",
        is_old ? "INNODB_SYS_TABLES" : "INNODB_TABLES", whole, parts);
}

/* Without the next AUTO_INCREMENT value, and without what a RENAME changes: the table's name, and names of
 * constraints that the server has made of it. */
static const char *plain_definition(Arena *arena, const char *text)
{
    static const char counter[] = " AUTO_INCREMENT=", constraint[] = "CONSTRAINT `";
    CLEANUP(str_donep) Str plain = STR_INIT;
    const char *body = strchr(text, '\n'), *options = strstr(text, "\n) ");
    for (const char *at = body == NULL ? text : body; *at != '\0';) {
        if (options != NULL && at > options && str_starts(at, counter)) {
            at += strlen(counter);
            at += strspn(at, "0123456789");
        } else if (str_starts(at, constraint)) {
            str_add(&plain, constraint);
            for (at += strlen(constraint); *at != '\0' && (*at != '`' || at[1] == '`'); at++)
                at += *at == '`';
        } else {
            str_addn(&plain, at++, 1);
        }
    }
    return digest_text(arena, plain.buf, plain.len);
}

/* ret_tables is NULL, and so is the definition, where the source is gone. */
static Err *identify(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                     const char **ret_tables, const char **ret_definition)
{
    enum { NO_SUCH_TABLE = 1146 };
    Rows rows = {0};
    *ret_tables = *ret_definition = NULL;
    Err *err = conn_query(conn, wait, arena, &rows, tables_sql(conn, arena, spec));
    if (err_is(err, ERR_PRIVILEGE))
        return err_hint(err, "GRANT PROCESS ON *.* TO this user: a TRUNCATE shows by no trigger");
    TRY(err);
    const char *tables = rows.row_count == 0 ? NULL : rows_cell(&rows, 0, 0);
    err = conn_query(conn, wait, arena, &rows,
                     arena_printf(arena, "SHOW CREATE TABLE %s", my_name(arena, spec->schema, spec->source)));
    if (err != NULL && err->server_errno == NO_SUCH_TABLE) {
        err_free(err);
        return NULL;
    }
    TRY(err);
    *ret_tables = tables == NULL ? "" : tables;
    *ret_definition = plain_definition(arena, definition_without_contracts(arena, rows_cell(&rows, 0, 1)));
    return NULL;
}

static const char *position_text(Arena *arena, const char *tables, const char *definition, uint64_t batch)
{
    return arena_printf(arena, "keys:%s:%s:%" PRIu64, tables, definition, batch);
}

/* ---- begin and end ---------------------------------------------------------------------------------------
 */

Err *trigger_capture_begin(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                           const char **ret_position)
{
    const char *tables, *definition;
    TRY(trigger_make(conn, wait, arena, spec));
    TRY(identify(conn, wait, arena, spec, &tables, &definition));
    if (tables == NULL)
        return err_new(ERR_UNSAFE, "table \"%s.%s\" is gone", spec->schema, spec->source);
    *ret_position = position_text(arena, tables, definition, 0);
    return NULL;
}

Err *trigger_capture_end(Conn *conn, const Wait *wait, const ShadowSpec *spec)
{
    return trigger_drop(conn, wait, spec);
}

/* "keys:<tables>:sha256:<digest>:<batch>" */
static Err *take_position(TriggerCapture *capture, const char *position)
{
    const char *tables = str_starts(position, "keys:") ? position + strlen("keys:") : NULL;
    const char *definition = tables == NULL ? NULL : strchr(tables, ':');
    const char *last = definition == NULL ? NULL : strrchr(definition + 1, ':');
    if (last == NULL)
        return err_new(ERR_CONFIG, "\"%s\" is no position of a key log", position);
    CLEANUP(arena_freep) Arena *arena = arena_new();
    capture->tables = mem_dup(arena_dupn(arena, tables, (size_t)(definition - tables)));
    capture->definition = mem_dup(arena_dupn(arena, definition + 1, (size_t)(last - definition - 1)));
    capture->batch = strtoull(last + 1, NULL, 10); /* those up to it may not be applied yet */
    return NULL;
}

Err *trigger_capture_open(const Target *target, const Wait *wait, const ShadowSpec *spec,
                          const char *position, TriggerCapture **ret_capture)
{
    TriggerCapture *capture = mem_zero(sizeof *capture);
    Arena *arena = capture->arena = arena_new();
    json_t *json = shadow_spec_to_json(spec);
    capture->spec = shadow_spec_from_json(arena, json);
    json_decref(json);
    bool is_whole = false;
    Err *err = take_position(capture, position);
    if (err == NULL)
        err = my_connect(target, "capture", wait, &capture->conn);
    if (err == NULL)
        err = trigger_check(capture->conn, wait, capture->spec, &is_whole);
    if (err == NULL && !is_whole)
        err =
            err_hint(err_new(ERR_GONE, "the triggers of the change, or its key log, are gone from \"%s.%s\"",
                             spec->schema, spec->source),
                     "the copy must begin anew");
    if (err == NULL)
        err = trigger_literal(capture->conn, wait, arena, capture->spec, &capture->literal);
    capture->log = trigger_log(arena, spec);
    if (err != NULL)
        trigger_capture_close(capture);
    else
        *ret_capture = capture;
    return err;
}

static void stash_free(Stash *stash)
{
    if (stash == NULL)
        return;
    arena_free(stash->arena);
    free(stash);
}

void trigger_capture_close(TriggerCapture *capture)
{
    if (capture == NULL)
        return;
    stash_free(capture->stash);
    my_closep(&capture->conn);
    free(capture->runs);
    free(capture->tables);
    free(capture->definition);
    arena_free(capture->arena);
    free(capture);
}

/* ---- reading ---------------------------------------------------------------------------------------------
 */

static void add_number(TriggerCapture *capture, uint64_t number)
{
    Run *last = capture->run_count == 0 ? NULL : &capture->runs[capture->run_count - 1];
    if (last != NULL && last->batch == capture->batch && last->to + 1 == number) {
        last->to = number;
        return;
    }
    if (capture->run_count == capture->run_cap) {
        capture->run_cap = capture->run_cap == 0 ? 64 : 2 * capture->run_cap;
        capture->runs = mem_resize(capture->runs, capture->run_cap * sizeof *capture->runs);
    }
    capture->runs[capture->run_count++] = (Run){.from = number, .to = number, .batch = capture->batch};
}

static int compare_runs(const void *left, const void *right)
{
    const Run *a = left, *b = right;
    return a->from < b->from ? -1 : a->from > b->from;
}

static int compare_widths(const void *left, const void *right)
{
    const Run *a = left, *b = right;
    uint64_t width = a->to - a->from, other = b->to - b->from;
    return width > other ? -1 : width < other;
}

/* The numbers of `count` runs in order, in as few as they are. */
static Run *merge_runs(Arena *arena, const Run *runs, size_t count, size_t *ret_count)
{
    Run *merged = arena_alloc(arena, (count + 1) * sizeof *merged);
    size_t len = 0;
    if (count > 0)
        memcpy(merged, runs, count * sizeof *merged);
    qsort(merged, count, sizeof *merged, compare_runs);
    for (size_t i = 0; i < count; i++) {
        if (len > 0 && merged[i].from <= merged[len - 1].to + 1)
            merged[len - 1].to = merged[i].to > merged[len - 1].to ? merged[i].to : merged[len - 1].to;
        else
            merged[len++] = merged[i];
    }
    *ret_count = len;
    return merged;
}

static bool is_among(const Run *merged, size_t count, uint64_t number)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (merged[middle].to < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && merged[low].from <= number;
}

/* A condition: seq is in one of them. */
static void add_runs(Str *sql, const Run *runs, size_t count)
{
    str_add(sql, count == 0 ? "FALSE" : "(");
    for (size_t i = 0; i < count; i++)
        str_addf(sql,
                 runs[i].from == runs[i].to ? "%sseq = %" PRIu64 : "%sseq BETWEEN %" PRIu64 " AND %" PRIu64,
                 i > 0 ? " OR " : "", runs[i].from, runs[i].to);
    str_add(sql, count == 0 ? "" : ")");
}

/* Its row would not be brought over, and nobody would know. */
static Err *no_key(const TriggerCapture *capture, uint64_t number)
{
    return err_new(ERR_UNSAFE,
                   "a key that the triggers of \"%s\" noted cannot be read (row %" PRIu64 " of %s)",
                   capture->spec->source, number, capture->log);
}

/* What was handed out is still there until it is applied. The widest runs of it are left out by the server,
 * the others here: a long list would keep its optimiser busy for longer than the rows are worth. */
static Err *read_batch(TriggerCapture *capture, const Wait *wait, Arena *arena, size_t most,
                       KeyList *ret_keys)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    Rows rows = {0};
    size_t run_count = 0, key_count = 0, limit = most;
    int64_t begun_us = clock_us();
    Run *runs = merge_runs(arena, capture->runs, capture->run_count, &run_count);
    Run *wide = merge_runs(arena, runs, run_count, &run_count);
    size_t wide_count = run_count < RUNS_MOST ? run_count : RUNS_MOST;
    qsort(wide, run_count, sizeof *wide, compare_widths);
    for (size_t i = wide_count; i < run_count; i++)
        limit += (size_t)(wide[i].to - wide[i].from + 1);
    str_addf(&sql, "SELECT %s, seq FROM %s WHERE NOT ", capture->literal, capture->log);
    add_runs(&sql, wide, wide_count);
    str_addf(&sql, " ORDER BY seq LIMIT %zu", limit);
    TRY(conn_query(capture->conn, wait, arena, &rows, sql.buf));
    capture->batch++;
    const char **keys = arena_alloc(arena, (rows.row_count + 1) * sizeof *keys);
    for (size_t i = 0; i < rows.row_count; i++) {
        uint64_t number = strtoull(rows_cell(&rows, i, 1), NULL, 10);
        if (is_among(runs, run_count, number))
            continue;
        if (rows_cell(&rows, i, 0) == NULL)
            return no_key(capture, number);
        keys[key_count++] = rows_cell(&rows, i, 0);
        add_number(capture, number);
    }
    if (rows.row_count < limit)
        capture->complete_us = begun_us;
    *ret_keys = (KeyList){.keys = keys, .count = key_count};
    return NULL;
}

static void take_stash(TriggerCapture *capture)
{
    (void)pthread_mutex_lock(&stash_lock);
    if (stash_left != NULL && stash_left->change_id == capture->spec->change_id) {
        stash_free(capture->stash);
        capture->stash = stash_left;
        stash_left = NULL;
    }
    (void)pthread_mutex_unlock(&stash_lock);
}

static Err *read_stash(TriggerCapture *capture, Arena *arena, size_t most, KeyList *ret_keys)
{
    Stash *stash = capture->stash;
    const char **keys = arena_alloc(arena, (most + 1) * sizeof *keys);
    size_t count = 0, run_count = 0;
    const Run *runs = merge_runs(arena, capture->runs, capture->run_count, &run_count);
    capture->batch++;
    for (; stash->next < stash->rows.row_count && count < most; stash->next++) {
        uint64_t number = strtoull(rows_cell(&stash->rows, stash->next, 1), NULL, 10);
        if (is_among(runs, run_count, number))
            continue;
        if (rows_cell(&stash->rows, stash->next, 0) == NULL)
            return no_key(capture, number);
        keys[count++] = arena_dup(arena, rows_cell(&stash->rows, stash->next, 0));
        add_number(capture, number);
    }
    *ret_keys = (KeyList){.keys = keys, .count = count};
    if (stash->next < stash->rows.row_count)
        return NULL;
    capture->complete_us = stash->at_us + 1;
    stash_free(stash);
    capture->stash = NULL;
    return NULL;
}

void trigger_capture_hold(int64_t change_id, bool hold)
{
    int64_t end_ms = clock_ms() + HOLD_MS;
    (void)pthread_mutex_lock(&stash_lock);
    held = hold ? change_id : 0;
    while (hold && under_way > 0 && clock_ms() < end_ms) {
        (void)pthread_mutex_unlock(&stash_lock);
        stop_sleep(NULL, 1);
        (void)pthread_mutex_lock(&stash_lock);
    }
    (void)pthread_mutex_unlock(&stash_lock);
}

/* False where the log is to be left alone; else leave_log() follows the statement. */
static bool enter_log(const TriggerCapture *capture)
{
    (void)pthread_mutex_lock(&stash_lock);
    bool may = held == 0 || held != capture->spec->change_id;
    under_way += may;
    (void)pthread_mutex_unlock(&stash_lock);
    return may;
}

static void leave_log(void)
{
    (void)pthread_mutex_lock(&stash_lock);
    under_way--;
    (void)pthread_mutex_unlock(&stash_lock);
}

static bool is_locked(const Err *err) { return err_is(err, ERR_CANCELLED) || err_is(err, ERR_LOCK_TIMEOUT); }

/* Each time all has been read, and now and then. */
static Err *look_at_source(TriggerCapture *capture, const Wait *wait, Arena *arena, bool complete,
                           Captured *captured)
{
    const char *tables, *definition;
    bool is_whole = false;
    if (!complete && clock_ms() - capture->looked_ms < LOOK_EACH_MS)
        return NULL;
    capture->looked_ms = clock_ms();
    TRY(trigger_hang(capture->conn, wait, capture->spec, &is_whole));
    TRY(identify(capture->conn, wait, arena, capture->spec, &tables, &definition));
    if (tables == NULL) {
        captured->altered = "(the table is gone)";
    } else if (!str_eq(definition, capture->definition)) {
        captured->altered = "(its definition is another one)";
    } else if (!is_whole) {
        captured->altered = "(the triggers that capture its changes are gone, or hang on another table)";
    } else if (!str_eq(tables, capture->tables)) {
        captured->emptied = true;
        free(capture->tables);
        capture->tables = mem_dup(tables);
    }
    return NULL;
}

Err *trigger_capture_next(TriggerCapture *capture, const Wait *wait, Arena *arena, size_t most,
                          Captured *ret_captured)
{
    Captured captured = {.behind_ms = -1, .behind_bytes = -1};
    int64_t timeout_ms = wait == NULL ? 0 : wait->timeout_ms;
    int64_t deadline_ms = timeout_ms > 0 ? clock_ms() + timeout_ms : INT64_MAX;
    Wait statement = {.stop = wait == NULL ? NULL : wait->stop, .timeout_ms = BUSY_MS};
    Wait look = {.stop = statement.stop, .timeout_ms = LOOK_MS};
    for (;;) {
        take_stash(capture);
        bool is_stash = capture->stash != NULL, is_away = !is_stash && !enter_log(capture);
        Err *err = NULL;
        if (is_stash)
            TRY(read_stash(capture, arena, most, &captured.keys));
        else if (!is_away)
            err = read_batch(capture, &statement, arena, most, &captured.keys);
        if (!is_stash && !is_away)
            leave_log();
        if (err != NULL && !is_locked(err))
            return err;
        bool complete = err == NULL && captured.keys.count < most && !is_away;
        err_free(err);
        err = look_at_source(capture, &look, arena, complete && captured.keys.count == 0, &captured);
        if (err != NULL && !is_locked(err))
            return err;
        err_free(err);
        captured.behind_ms = complete ? 0 : -1;
        if (is_stash || captured.keys.count > 0 || captured.emptied || captured.altered != NULL ||
            clock_ms() >= deadline_ms)
            break;
        TRY(stop_check(statement.stop));
        int64_t left_ms = deadline_ms - clock_ms();
        int64_t pause_ms = is_away ? HELD_POLL_MS : POLL_MS;
        stop_sleep(statement.stop, left_ms < pause_ms ? left_ms : pause_ms);
    }
    captured.position = position_text(arena, capture->tables, capture->definition, capture->batch);
    *ret_captured = captured;
    return NULL;
}

/* In pieces, each by itself: what is not deleted is so the next time, or read again by the next process, and
 * does no harm. */
Err *trigger_capture_applied(TriggerCapture *capture, const Wait *wait, const char *position)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *last = strrchr(position, ':');
    uint64_t batch = last == NULL ? 0 : strtoull(last + 1, NULL, 10);
    Wait brief = {.stop = wait == NULL ? NULL : wait->stop, .timeout_ms = BUSY_MS};
    size_t count = 0, run_count = 0;
    while (count < capture->run_count && capture->runs[count].batch <= batch)
        count++;
    const Run *runs = merge_runs(arena, capture->runs, count, &run_count);
    for (size_t from = 0; from < run_count; from += LIST_MOST) {
        CLEANUP(str_donep) Str sql = STR_INIT;
        str_addf(&sql, "DELETE FROM %s WHERE ", capture->log);
        add_runs(&sql, runs + from, run_count - from < LIST_MOST ? run_count - from : LIST_MOST);
        if (!enter_log(capture))
            return NULL;
        Err *err = my_exec(capture->conn, &brief, sql.buf);
        leave_log();
        if (is_locked(err)) {
            err_free(err);
            return NULL;
        }
        TRY(err);
    }
    memmove(capture->runs, capture->runs + count, (capture->run_count - count) * sizeof *capture->runs);
    capture->run_count -= count;
    return NULL;
}

/* Whether the session has tables locked by LOCK TABLES: then any other one gives an error of its own, whether
 * there is one or not. */
static bool has_locks(Conn *conn, const Wait *wait)
{
    enum { NOT_LOCKED = 1100 };
    Err *err = my_exec(conn, wait, "SELECT 1 FROM `stoa`.`keys_0` LIMIT 0");
    bool locks = err != NULL && err->server_errno == NOT_LOCKED;
    err_free(err);
    return locks;
}

Err *trigger_capture_mark(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                          const char **ret_mark)
{
    const char *literal;
    if (!has_locks(conn, wait)) { /* a read that begins from now on sees all */
        *ret_mark = arena_printf(arena, "%" PRId64, clock_us());
        return NULL;
    }
    TRY(trigger_literal(conn, wait, arena, spec, &literal));
    Stash *stash = mem_zero(sizeof *stash);
    stash->arena = arena_new();
    stash->change_id = spec->change_id;
    stash->at_us = clock_us();
    Err *err = conn_query(
        conn, wait, stash->arena, &stash->rows,
        arena_printf(arena, "SELECT %s, seq FROM %s ORDER BY seq", literal, trigger_log(arena, spec)));
    if (err != NULL) {
        stash_free(stash);
        return err;
    }
    *ret_mark = arena_printf(arena, "%" PRId64, stash->at_us);
    (void)pthread_mutex_lock(&stash_lock);
    stash_free(stash_left);
    stash_left = stash;
    (void)pthread_mutex_unlock(&stash_lock);
    return NULL;
}

bool trigger_capture_reached(const TriggerCapture *capture, const char *mark)
{
    return capture->complete_us > strtoll(mark, NULL, 10);
}
