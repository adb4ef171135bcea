/* Changed keys out of the binary log. */
#include "engine/mysql/capture_parts.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/mysql/conn.h"
#include "engine/mysql/error.h"
#include "engine/mysql/stream.h"
#include "engine/mysql/watch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    HEARTBEAT_MS = 500,   /* how soon a quiet log tells where it ends */
    OPEN_MS = 200,        /* a position that is gone is told at the first packet */
    GATHER_MS = 2,        /* more may be on its way when something has come */
    RECONNECTS = 8,       /* in a row */
    REST_MS = 100,        /* before the first, then twice as long each */
    BYTES_EACH_MS = 1000, /* how often the end of the log is asked for */
    STATEMENT_SHOWN = 200,
    LED_EACH_MS = 10000, /* how often it is asked what leads to the source */
    KEYS_KEPT = 1,
};

struct LogCapture {
    Arena *arena; /* as long as this */
    Target target;
    const ShadowSpec *spec;
    BinlogTable table;
    Stream *stream;
    BinlogEvent first; /* what came while the stream was opened */
    Arena *first_arena;
    bool has_first;
    char *file; /* all before has been handed out */
    uint64_t position;
    int64_t clock_ahead_ms; /* the server's clock against ours */
    Conn *conn;             /* asks where the log ends */
    int64_t bytes_asked_ms, bytes_behind;
    int64_t led_asked_ms; /* 0 never */
};

/* ---- positions -------------------------------------------------------------------------------------------
 */

static const char *status_sql(const Conn *conn)
{
    return flavor_can(my_flavor(conn), FACT_SOURCE_WORDS) ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS";
}

static Err *read_end(Conn *conn, const Wait *wait, Arena *arena, Rows *ret_rows)
{
    Err *err = conn_query(conn, wait, arena, ret_rows, status_sql(conn));
    if (err_is(err, ERR_PRIVILEGE))
        return err_hint(err, "GRANT %s ON *.* TO this user",
                        flavor_is_mariadb(my_flavor(conn)) ? "BINLOG MONITOR" : "REPLICATION CLIENT");
    TRY(err);
    return ret_rows->row_count > 0 ? NULL
                                   : err_new(ERR_UNSAFE, "the server writes no binary log (log_bin is OFF)");
}

/* MariaDB tells the position of exactly what a snapshot sees; all later ones see that, too. */
static Err *begin_mariadb(Conn *conn, const Wait *wait, Arena *arena, const char **ret_position)
{
    Rows rows = {0}, gtid = {0};
    TRY(my_exec(conn, wait, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"));
    TRY(my_exec(conn, wait, "START TRANSACTION WITH CONSISTENT SNAPSHOT"));
    Err *err =
        conn_query(conn, wait, arena, &rows,
                   "SHOW STATUS WHERE Variable_name IN ('binlog_snapshot_file', 'binlog_snapshot_position')");
    TRY(my_exec(conn, wait, "COMMIT"));
    TRY(err);
    const char *file = NULL, *position = NULL;
    for (size_t i = 0; i < rows.row_count; i++)
        *(strcasestr(rows_cell(&rows, i, 0), "file") != NULL ? &file : &position) = rows_cell(&rows, i, 1);
    if (file == NULL || position == NULL || file[0] == '\0')
        return err_new(ERR_UNSAFE, "the server writes no binary log (log_bin is OFF)");
    TRY(conn_params(conn, wait, arena, &gtid, "SELECT BINLOG_GTID_POS($1, CAST($2 AS UNSIGNED))", file,
                    position));
    const char *set = gtid.row_count == 0 ? NULL : rows_cell(&gtid, 0, 0);
    *ret_position = set != NULL && set[0] != '\0' ? arena_printf(arena, "gtid:%s", set)
                                                  : arena_printf(arena, "file:%s:%s", file, position);
    return NULL;
}

/* The log's end is ahead of what can be seen. gtid_executed is not: a transaction joins it once it is
 * committed in the engine (Gtid_state::update_commit_group). Without GTIDs a new log file is begun, which
 * waits until all transactions of the one before have been committed there (MYSQL_BIN_LOG::new_file_impl
 * waits for its prepared XIDs). */
static Err *begin_mysql(Conn *conn, const Wait *wait, Arena *arena, const char **ret_position)
{
    enum { FIRST_POSITION = 4 };
    Flavor flavor = *my_flavor(conn);
    Rows rows = {0};
    TRY(flavor_load(conn, wait, arena, &flavor));
    if (!flavor.binlog)
        return err_new(ERR_UNSAFE, "the server writes no binary log (log_bin is OFF)");
    if (flavor.gtid == GTID_ON && flavor.gtid_executed != NULL) {
        CLEANUP(str_donep) Str set = STR_INIT;
        for (const char *at = flavor.gtid_executed; *at != '\0'; at++)
            if (*at != '\n')
                str_addn(&set, at, 1);
        *ret_position = arena_printf(arena, "gtid:%s", set.buf);
        return NULL;
    }
    Err *err = my_exec(conn, wait, "FLUSH BINARY LOGS");
    if (err_is(err, ERR_PRIVILEGE))
        return err_hint(err, "GRANT RELOAD ON *.* TO this user, or gtid_mode = ON");
    TRY(err);
    TRY(read_end(conn, wait, arena, &rows));
    *ret_position = arena_printf(arena, "file:%s:%d", rows_cell(&rows, 0, 0), FIRST_POSITION);
    return NULL;
}

Err *log_capture_begin(Conn *conn, const Wait *wait, Arena *arena, const char **ret_position)
{
    return flavor_is_mariadb(my_flavor(conn)) ? begin_mariadb(conn, wait, arena, ret_position)
                                              : begin_mysql(conn, wait, arena, ret_position);
}

static const char *position_text(Arena *arena, const StreamPosition *position)
{
    return position->gtid != NULL
               ? arena_printf(arena, "gtid:%s", position->gtid)
               : arena_printf(arena, "file:%s:%" PRIu64, position->file, position->position);
}

/* "name:number" apart; names of log files may have colons in them. */
static bool read_place(Arena *arena, const char *text, const char **ret_file, uint64_t *ret_position)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL)
        return false;
    *ret_file = arena_dupn(arena, text, (size_t)(colon - text));
    *ret_position = strtoull(colon + 1, NULL, 10);
    return true;
}

static Err *read_start(Arena *arena, const char *text, StreamStart *ret_start)
{
    *ret_start = (StreamStart){0};
    if (str_starts(text, "gtid:")) {
        ret_start->gtid = arena_dup(arena, text + strlen("gtid:"));
        return NULL;
    }
    if (str_starts(text, "file:") &&
        read_place(arena, text + strlen("file:"), &ret_start->file, &ret_start->position))
        return NULL;
    return err_new(ERR_CONFIG, "\"%s\" is no position in a binary log", text);
}

/* Files are numbered behind the last dot. */
static int compare_places(const char *file, uint64_t position, const char *other, uint64_t other_position)
{
    const char *dot = strrchr(file, '.'), *other_dot = strrchr(other, '.');
    uint64_t number = dot == NULL ? 0 : strtoull(dot + 1, NULL, 10);
    uint64_t other_number = other_dot == NULL ? 0 : strtoull(other_dot + 1, NULL, 10);
    if (number != other_number)
        return number < other_number ? -1 : 1;
    return position < other_position ? -1 : position > other_position;
}

/* The log's end is behind all that is committed, and the stream gets there: its place is followed by file and
 * position whatever it was started from. */
Err *log_capture_mark(Conn *conn, const Wait *wait, Arena *arena, const char **ret_mark)
{
    Rows rows = {0};
    TRY(read_end(conn, wait, arena, &rows));
    *ret_mark = arena_printf(arena, "%s:%s", rows_cell(&rows, 0, 0), rows_cell(&rows, 0, 1));
    return NULL;
}

bool log_capture_reached(const LogCapture *capture, const char *mark)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *file;
    uint64_t position;
    return capture->file != NULL && read_place(arena, mark, &file, &position) &&
           compare_places(capture->file, capture->position, file, position) >= 0;
}

/* ---- opening ---------------------------------------------------------------------------------------------
 */

static Err *gone_error(Err *err)
{
    if (err == NULL || err->server_errno != MY_ER_BINLOG_FATAL)
        return err;
    char *text = err_text(err);
    Err *res =
        err_hint(err_new(ERR_GONE, "the binary log cannot be read on from where it was left: %s", text),
                 "the copy must begin anew; keep the binary log for longer than a copy takes "
                 "(binlog_expire_logs_seconds, expire_logs_days)");
    free(text);
    err_free(err);
    return res;
}

static int64_t wall_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The stream, read up to its first event of interest, so that a position that is gone shows now. */
static Err *open_stream(LogCapture *capture, const Wait *wait, const char *position)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    StreamStart start;
    Wait brief = {.stop = wait == NULL ? NULL : wait->stop, .timeout_ms = OPEN_MS};
    stream_close(capture->stream);
    capture->stream = NULL;
    TRY(read_start(arena, position, &start));
    TRY(stream_open(&capture->target, wait, &start, &capture->table, 1, HEARTBEAT_MS, &capture->stream));
    arena_clear(capture->first_arena);
    return gone_error(
        stream_next(capture->stream, &brief, capture->first_arena, &capture->first, &capture->has_first));
}

static Err *open_conn(LogCapture *capture, const Wait *wait)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Rows rows = {0};
    my_closep(&capture->conn);
    TRY(my_connect(&capture->target, "capture", wait, &capture->conn));
    int64_t before_ms = wall_ms();
    TRY(conn_query(capture->conn, wait, arena, &rows,
                   "SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)"));
    capture->clock_ahead_ms = rows_int(&rows, 0, 0) - (before_ms + wall_ms()) / 2;
    return NULL;
}

/* Through JSON, for want of another way to copy all of it. */
static const ShadowSpec *spec_copy(Arena *arena, const ShadowSpec *spec)
{
    json_t *json = shadow_spec_to_json(spec);
    const ShadowSpec *copy = shadow_spec_from_json(arena, json);
    json_decref(json);
    return copy;
}

Err *log_capture_open(const Target *target, const Wait *wait, const ShadowSpec *spec, const char *position,
                      LogCapture **ret_capture)
{
    LogCapture *capture = mem_zero(sizeof *capture);
    Arena *arena = capture->arena = arena_new();
    capture->first_arena = arena_new();
    capture->target =
        (Target){.url = arena_dup(arena, target->url == NULL ? "" : target->url),
                 .password_command =
                     target->password_command == NULL ? NULL : arena_dup(arena, target->password_command),
                 .database = target->database == NULL ? NULL : arena_dup(arena, target->database)};
    capture->spec = spec_copy(arena, spec);
    capture->bytes_behind = -1;
    Err *err = open_conn(capture, wait);
    if (err == NULL)
        err = watch_load(capture->conn, wait, arena, spec->schema, spec->source, spec->key, &capture->table);
    if (err == NULL)
        err = open_stream(capture, wait, position);
    if (err != NULL)
        log_capture_close(capture);
    else
        *ret_capture = capture;
    return err;
}

void log_capture_close(LogCapture *capture)
{
    if (capture == NULL)
        return;
    stream_close(capture->stream);
    my_closep(&capture->conn);
    arena_free(capture->first_arena);
    free(capture->file);
    arena_free(capture->arena);
    free(capture);
}

/* ---- reading ---------------------------------------------------------------------------------------------
 */

/* The next event; where the connection is lost, of a new stream that goes on behind the last whole
 * transaction: the keys of one that was under way come a second time. */
static Err *next_event(LogCapture *capture, const Wait *wait, Arena *arena, BinlogEvent *ret_event,
                       bool *ret_there)
{
    if (capture->has_first) {
        capture->has_first = false;
        *ret_event = capture->first;
        *ret_there = true;
        return NULL;
    }
    Err *err = stream_next(capture->stream, wait, arena, ret_event, ret_there);
    if (!err_is(err, ERR_CONN_LOST))
        return gone_error(err);
    CLEANUP(arena_freep) Arena *kept = arena_new();
    StreamPosition at = stream_position(capture->stream, kept);
    const char *position = position_text(kept, &at);
    for (int attempt = 0; attempt < RECONNECTS && (err_is(err, ERR_CONN_LOST) || err_is(err, ERR_CONNECT));
         attempt++) {
        err_free(err);
        stop_sleep(wait == NULL ? NULL : wait->stop, (int64_t)REST_MS << attempt);
        TRY(stop_check(wait == NULL ? NULL : wait->stop));
        err = open_conn(capture, NULL);
        if (err == NULL)
            err = open_stream(capture, NULL, position);
    }
    *ret_there = false;
    return err;
}

static const char *key_text(Arena *arena, const char *const *literals, size_t count)
{
    if (count == 1)
        return literals[0];
    CLEANUP(str_donep) Str key = STR_INIT;
    for (size_t i = 0; i < count; i++)
        str_addf(&key, "%s%s", i > 0 ? "," : "", literals[i]);
    return arena_dupn(arena, key.buf, key.len);
}

typedef VEC(const char *) Keys;

static void take_changes(const LogCapture *capture, Arena *arena, const BinlogEvent *event, Keys *keys)
{
    size_t count = capture->table.key_count;
    for (size_t i = 0; i < event->change_count; i++) {
        const BinlogChange *change = &event->changes[i];
        const char *before = change->before == NULL ? NULL : key_text(arena, change->before, count);
        const char *after = change->after == NULL ? NULL : key_text(arena, change->after, count);
        if (before != NULL)
            *vec_push(arena, keys) = before;
        if (after != NULL && !str_eq(before, after))
            *vec_push(arena, keys) = after;
    }
}

/* Bytes of the log from the stream's place to its end; -1 where it cannot be told. */
static int64_t bytes_behind(LogCapture *capture, const Wait *wait, const StreamPosition *at)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Rows rows = {0};
    if (clock_ms() - capture->bytes_asked_ms < BYTES_EACH_MS)
        return capture->bytes_behind;
    capture->bytes_asked_ms = clock_ms();
    Wait brief = {.stop = wait == NULL ? NULL : wait->stop, .timeout_ms = BYTES_EACH_MS};
    Err *err = conn_query(capture->conn, &brief, arena, &rows, "SHOW BINARY LOGS");
    int64_t bytes = 0;
    for (size_t i = 0; err == NULL && i < rows.row_count; i++) {
        int order = compare_places(rows_cell(&rows, i, 0), 0, at->file, 0);
        bytes += order > 0    ? rows_int(&rows, i, 1)
                 : order == 0 ? rows_int(&rows, i, 1) - (int64_t)at->position
                              : 0;
    }
    capture->bytes_behind = err != NULL ? -1 : bytes < 0 ? 0 : bytes;
    err_free(err);
    return capture->bytes_behind;
}

static void note_place(LogCapture *capture, const Wait *wait, Arena *arena, Captured *captured)
{
    StreamPosition at = stream_position(capture->stream, arena);
    captured->position = position_text(arena, &at);
    captured->behind_bytes = bytes_behind(capture, wait, &at);
    free(capture->file);
    capture->file = mem_dup(at.file);
    capture->position = at.position;
}

/* What a session in statement format wrote to other tables: refused where something leads from them to the
 * source, which has neither triggers nor foreign keys of its own. */
static Err *check_unlogged(LogCapture *capture, const Wait *wait, const BinlogEvent *event)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *leader = NULL;
    if (capture->led_asked_ms != 0 && clock_ms() - capture->led_asked_ms < LED_EACH_MS)
        return NULL;
    Wait patient = {.stop = wait == NULL ? NULL : wait->stop, .timeout_ms = LED_EACH_MS};
    TRY(watch_leader(capture->conn, &patient, arena, capture->spec->source, &leader));
    if (leader == NULL) {
        capture->led_asked_ms = clock_ms();
        return NULL;
    }
    return err_hint(err_new(ERR_UNSAFE,
                            "a session wrote in statement format, so its changed rows are not in the binary "
                            "log, and %s may have led to \"%s\": \"%.80s\"",
                            leader, capture->spec->source, event->statement),
                    "binlog_format must be ROW in every session that writes");
}

/* True where the batch ends here. */
static bool take_event(const LogCapture *capture, Arena *arena, const BinlogEvent *event, Keys *keys,
                       Captured *captured)
{
    if (event->kind == BINLOG_ROWS) {
        take_changes(capture, arena, event, keys);
        return false;
    }
    if (event->kind != BINLOG_STATEMENT)
        return false;
    DdlKind kind = ddl_judge(capture->spec, capture->table.any_case,
                             event->schema == NULL ? "" : event->schema, event->statement);
    if (kind == DDL_EMPTIED)
        captured->emptied = true;
    if (kind == DDL_ALTERED)
        captured->altered = arena_dupn(arena, event->statement, strnlen(event->statement, STATEMENT_SHOWN));
    return kind != DDL_NONE;
}

Err *log_capture_next(LogCapture *capture, const Wait *wait, Arena *arena, size_t most,
                      Captured *ret_captured)
{
    Keys keys = {0};
    Captured captured = {.behind_ms = -1};
    uint32_t newest = 0;
    Wait patience = wait == NULL ? (Wait){0} : *wait;
    int64_t deadline_ms = patience.timeout_ms > 0 ? clock_ms() + patience.timeout_ms : INT64_MAX;
    bool is_idle = false, ends = false;
    while (keys.len < most && !ends && !is_idle) {
        BinlogEvent event;
        bool there = false;
        TRY(next_event(capture, &patience, arena, &event, &there));
        int64_t left_ms = deadline_ms == INT64_MAX ? 0 : deadline_ms - clock_ms();
        if (there && event.kind == BINLOG_STATEMENT && event.unlogged)
            TRY(check_unlogged(capture, wait, &event));
        if (there && event.kind != BINLOG_HEARTBEAT) {
            ends = take_event(capture, arena, &event, &keys, &captured);
            newest = event.timestamp > newest ? event.timestamp : newest;
        }
        /* a reconnect has nothing yet, and is no idleness */
        is_idle = (!there && !capture->has_first && (keys.len > 0 || deadline_ms != INT64_MAX)) ||
                  (deadline_ms != INT64_MAX && left_ms <= 0);
        patience.timeout_ms = keys.len > 0               ? GATHER_MS
                              : deadline_ms == INT64_MAX ? 0
                              : left_ms < 1              ? 1
                                                         : left_ms;
    }
    int64_t age_ms = wall_ms() + capture->clock_ahead_ms - (int64_t)newest * 1000;
    captured.behind_ms = newest == 0 || keys.len == 0 ? 0 : age_ms < 0 ? 0 : age_ms;
    captured.keys = (KeyList){.keys = keys.items, .count = keys.len};
    note_place(capture, wait, arena, &captured);
    *ret_captured = captured;
    return NULL;
}
