/* pg.h — what the files of the PostgreSQL engine share. */
#pragma once
#include "engine/engine.h"

typedef struct PgConn PgConn;

/* The backend's process id as the server announced it when the session began; behind a transaction pooler it
 * is not the one that pg_backend_pid() answers. */
int pg_conn_backend_pid(const Conn *conn);
bool pg_conn_in_transaction(const Conn *conn);
/* 150020. */
int pg_conn_version(const Conn *conn);
/* From here on `hear` is called for each notice of the server that client_min_messages lets through, with the
 * server's C function that made it (never translated) and its text; NULL: they are dropped, as at first. Both
 * texts live as long as the call. */
typedef void PgHear(void *context, const char *function, const char *text);
void pg_conn_hear(Conn *conn, PgHear *hear, void *context);
/* Where the server's last error came from: its C function, and whether a statement within a DO block or a
 * function was refused rather than the one sent. */
typedef struct PgOrigin {
    char function[64];
    bool is_within;
} PgOrigin;
const PgOrigin *pg_conn_error_origin(const Conn *conn);
/* The schemas behind which a clone inside the user's database stands; NULL, as at first: there is none. They
 * outlive the session. */
struct Spaces;
void pg_conn_set_spaces(Conn *conn, const struct Spaces *spaces);
const struct Spaces *pg_conn_spaces(const Conn *conn);

/* conn.c: members of EngineOps. */
Err *pg_connect(const Target *target, const char *purpose, const Wait *wait, Conn **ret_conn) MUST_USE;
void pg_close(Conn *conn);
Err *pg_query(Conn *conn, const Wait *wait, Arena *arena, const char *sql, size_t param_count,
              const char *const *params, Rows *ret_rows) MUST_USE;
/* The same for a statement that a session runs often: prepared once and planned once, unless the session goes
 * through a pooler, or its first time is within a transaction. `key` is static and tells one from another.
 * Types of parameters must be plain from the statement. */
Err *pg_query_kept(Conn *conn, const Wait *wait, Arena *arena, const char *key, const char *sql,
                   size_t param_count, const char *const *params, Rows *ret_rows) MUST_USE;
Err *pg_copy_in(Conn *conn, const Wait *wait, const char *sql, const char *data, size_t len) MUST_USE;
void pg_cancel(Conn *conn);
Err *pg_begin(Conn *conn, const Wait *wait, const TxSettings *settings) MUST_USE;
Err *pg_commit(Conn *conn, const Wait *wait) MUST_USE;
void pg_rollback(Conn *conn);

/* chunk.c, session.c, step.c, journal.c: members of EngineOps. */
Err *pg_scan_choose(Conn *conn, const Wait *wait, Arena *arena, const Server *server, const Table *table,
                    Scan *ret_scan) MUST_USE;
Err *pg_scan_next(Conn *conn, const Wait *wait, Arena *arena, Scan *scan, const char *low, int64_t size,
                  Range *ret_range, bool *ret_done) MUST_USE;
char *pg_scan_filter(Arena *arena, const Scan *scan, const Range *range);
char *pg_wave_filter(Arena *arena, const Scan *scan, int wave, int count);
double pg_scan_fraction(const Scan *scan, const char *position);
Err *pg_row_list(Conn *conn, const Wait *wait, Arena *arena, const Scan *scan, const char *predicate,
                 int64_t most, Rows *ret_rows) MUST_USE;
char *pg_row_filter(Arena *arena, const char *row_id);
char *pg_update_free_rows(Arena *arena, const Table *table, const char *set_sql, const char *predicate);
Err *pg_act_as(Conn *conn, const Wait *wait, const char *role) MUST_USE;
int64_t pg_session_id(const Conn *conn);
Err *pg_session_started(Conn *conn, const Wait *wait, Arena *arena, const char **ret_started) MUST_USE;
Err *pg_end_session(Conn *conn, const Wait *wait, int64_t session_id, const char *started) MUST_USE;
Err *pg_hint_lock(Conn *conn, const Wait *wait, const char *key, bool *ret_taken) MUST_USE;
Err *pg_limit_build(Conn *conn, const Wait *wait, int64_t memory, int64_t workers);
Err *pg_doing(Conn *conn, const Wait *wait, Arena *arena, int64_t session_id, const char **ret_what,
              double *ret_part);
Err *pg_waits_for(Conn *conn, const Wait *wait, Arena *arena, int64_t session_id,
                  const char **ret_who) MUST_USE;
Err *pg_vacuum(Conn *conn, const Wait *wait, const Server *server, const Table *table,
               const char *role) MUST_USE;
Err *pg_index_state(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *table,
                    const char *index, IndexState *ret_state);
Err *pg_counter_value(Conn *conn, const Wait *wait, Arena *arena, const char *counter,
                      int64_t *ret_value) MUST_USE;
Err *pg_work_sum(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_at_s, int64_t *ret_sum) MUST_USE;
Err *pg_table_bytes(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *name,
                    int64_t *ret_heap, int64_t *ret_indexes);
Err *pg_log_bytes(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_bytes) MUST_USE;
Err *pg_local_time(Conn *conn, const Wait *wait, Arena *arena, const char *time_zone, const char *at,
                   int64_t ahead_minutes, int *ret_minute, int *ret_weekday) MUST_USE;
Err *pg_storage(Conn *conn, const Wait *wait, Arena *arena, const Table *table,
                const char **ret_storage) MUST_USE;
Err *pg_replay_bytes(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_bytes) MUST_USE;
Err *pg_canary(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *table,
               Canary *ret_canary) MUST_USE;
Err *pg_disk_free(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_bytes,
                  const char **ret_source) MUST_USE;
Err *pg_standby_state(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_waiting,
                      int64_t *ret_ended) MUST_USE;
Err *pg_standby_blockers(Conn *conn, const Wait *wait, Arena *arena, const int64_t *table_ids,
                         size_t table_count, int64_t max_stall_ms, Blocker **ret_blockers,
                         size_t *ret_count) MUST_USE;
Err *pg_find_table(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *name,
                   int64_t *ret_id) MUST_USE;
const char *pg_journal_sql(JournalSql statement);
const char *pg_journal_work_sql(JournalSql statement);

/* probe.c: a member of EngineOps. */
Err *pg_probe(Conn *conn, const Wait *wait, Arena *arena, const char *const *sql, size_t count,
              Probe *ret_probe) MUST_USE;
