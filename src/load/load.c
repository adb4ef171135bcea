/* The open loop: items fall due at fixed times, and whichever session is free takes the next. */
#include "load/load.h"

#include "base/clock.h"
#include "engine/sql.h"
#include "load/schedule.h"
#include "load/session.h"

#include <string.h>
#include <time.h>

enum { DRAIN_MS = 10000, RECONNECT_MS = 100, ATTEMPT_MAX = 100 };

/* ---- statements of a session -----------------------------------------------------------------------------
 */

Err *session_query(Session *session, const char *sql, size_t param_count, const char *const *params,
                   Rows *ret_rows)
{
    Wait wait = {.stop = &session->load->stop};
    return session->conn->ops->query(session->conn, &wait, session->arena, sql, param_count, params,
                                     ret_rows);
}

Err *session_exec(Session *session, const char *sql) { return session_query(session, sql, 0, NULL, NULL); }

void session_pause(Session *session, int64_t ms)
{
    int64_t begin_us = clock_us();
    stop_sleep(&session->load->stop, ms);
    session->slept_us += clock_us() - begin_us;
}

bool session_writes_column(const Session *session)
{
    return session->load->config.new_application && session->has_column;
}

void session_saw_id(Session *session, int64_t id)
{
    int64_t known = atomic_load(&session->load->max_id);
    while (known < id && !atomic_compare_exchange_weak(&session->load->max_id, &known, id)) {
    }
}

/* ---- connecting -------------------------------------------------------------------------------------------
 */

/* An application's session, not one of Stoa's: its own name, row security as everybody has it. */
static Err *session_connect(Session *session)
{
    const Load *load = session->load;
    Wait wait = {.stop = &load->stop};
    session->star_prepared = false;
    session->has_column = false;
    session->column_checked_ms = 0;
    TRY(load->config.ops->connect(&load->config.target, "load", &wait, &session->conn));
    CLEANUP(str_donep) Str sql = STR_INIT;
    str_add(&sql, "SET application_name = ");
    sql_add_literal(&sql, load->config.application);
    str_add(&sql, "; SET row_security = on");
    Err *err = session_exec(session, sql.buf);
    if (err != NULL)
        conn_closep(&session->conn);
    return err;
}

/* Looks, at most once a second, whether the new column is there by now. */
static Err *session_look_for_column(Session *session)
{
    const LoadNames *names = &session->load->names;
    int64_t now_ms = clock_ms();
    if (!session->load->config.new_application || session->has_column ||
        (session->column_checked_ms != 0 && now_ms - session->column_checked_ms < 1000))
        return NULL;
    session->column_checked_ms = now_ms;
    const char *sql = arena_printf(
        session->arena,
        "SELECT atttypid IN ('int4'::regtype, 'int8'::regtype, 'numeric'::regtype, 'float8'::regtype) FROM "
        "pg_catalog.pg_attribute WHERE attrelid = to_regclass(%s) AND attname = %s AND NOT attisdropped",
        names->main_literal, names->new_column_literal);
    Rows rows = {0};
    TRY(session_query(session, sql, 0, NULL, &rows));
    session->has_column = rows.row_count > 0;
    session->can_shift = session->has_column && rows_bool(&rows, 0, 0);
    return NULL;
}

/* ---- one item ------------------------------------------------------------------------------- */

typedef enum Verdict { VERDICT_DONE, VERDICT_RETRY, VERDICT_STOPPED } Verdict;

static bool is_connection_error(const Err *err)
{
    return err_is(err, ERR_CONN_LOST) || err_is(err, ERR_CONNECT) || err_is(err, ERR_AMBIGUOUS) ||
           strncmp(err->sqlstate, "08", 2) == 0 || strncmp(err->sqlstate, "57P0", 4) == 0;
}

/* What an application that is prepared for it takes in its stride, and does again. */
static bool is_expected(Session *session, const Err *err, const char *text)
{
    if (strcmp(err->sqlstate, "40001") == 0)
        return true;
    if (strcmp(err->sqlstate, "0A000") == 0 && strstr(text, "cached plan must not change") != NULL) {
        session->star_prepared = false;
        return true;
    }
    if (strcmp(err->sqlstate, "42703") == 0 && session_writes_column(session)) {
        session->has_column = false; /* it is gone again: write the old shape, look again later */
        session->column_checked_ms = clock_ms();
        return true;
    }
    return false;
}

static void session_count_error(Session *session, const Err *err, const char *text)
{
    LoadTally *tally = &session->tally;
    bool connection = is_connection_error(err), deadlock = strcmp(err->sqlstate, "40P01") == 0;
    pthread_mutex_lock(&session->tally_lock);
    tally->connection_errors += connection;
    tally->errors += !connection;
    tally->deadlocks += deadlock;
    if (!connection)
        tally_note(tally, text);
    pthread_mutex_unlock(&session->tally_lock);
}

/* Judges a failure; the transaction is rolled back, or the connection closed. */
static Verdict session_judge(Session *session, Err *err)
{
    char *text = err_text(err);
    Verdict verdict = VERDICT_DONE;
    if (stop_level(&session->load->stop) == STOP_NOW) {
        verdict = VERDICT_STOPPED;
    } else if (!is_connection_error(err) && is_expected(session, err, text)) {
        pthread_mutex_lock(&session->tally_lock);
        session->tally.expected_errors++;
        pthread_mutex_unlock(&session->tally_lock);
        verdict = VERDICT_RETRY;
    } else {
        session_count_error(session, err, text);
    }
    if (session->conn != NULL && is_connection_error(err))
        conn_closep(&session->conn);
    if (session->conn != NULL)
        session->conn->ops->rollback(session->conn);
    mem_freep(&text);
    err_free(err);
    return verdict;
}

/* Connects again for as long as it takes; the first refusal counts as a connection error. */
static void session_reconnect(Session *session)
{
    for (bool first = true; session->conn == NULL && stop_level(&session->load->stop) != STOP_NOW;
         first = false) {
        Err *err = session_connect(session);
        if (err == NULL)
            return;
        if (first && stop_level(&session->load->stop) != STOP_NOW) {
            char *text = err_text(err);
            session_count_error(session, err, text);
            mem_freep(&text);
        }
        err_free(err);
        stop_sleep(&session->load->stop, RECONNECT_MS);
    }
}

static Err *session_attempt(Session *session)
{
    TRY(session_look_for_column(session));
    return session->load->config.profile == LOAD_PLAIN ? plain_item(session) : hostile_item(session);
}

static void session_do(Session *session, int64_t index, int64_t due_us)
{
    Verdict verdict = VERDICT_RETRY;
    session->slept_us = 0;
    for (int attempt = 0; verdict == VERDICT_RETRY; attempt++) {
        arena_clear(session->arena);
        session_reconnect(session);
        if (session->conn == NULL) {
            verdict = VERDICT_STOPPED;
            break;
        }
        session->random = random_for(session->load->config.seed, index);
        Err *err = session_attempt(session);
        verdict = err == NULL ? VERDICT_DONE : session_judge(session, err);
        if (attempt == ATTEMPT_MAX && verdict == VERDICT_RETRY) {
            err = err_new(ERR_SQL, "an item failed %d times in ways that are expected", attempt);
            verdict = session_judge(session, err);
        }
    }
    int64_t took_us = clock_us() - due_us - session->slept_us;
    pthread_mutex_lock(&session->tally_lock);
    session->tally.unfinished += verdict == VERDICT_STOPPED;
    hist_record(&session->tally.hist, took_us);
    pthread_mutex_unlock(&session->tally_lock);
}

/* ---- the schedule --------------------------------------------------------------------------- */

/* Takes the next item and waits until it is due; false when the load ends before. */
static bool load_take(Load *load, int64_t *ret_index, int64_t *ret_due_us)
{
    pthread_mutex_lock(&load->lock);
    int64_t index = load->next_index++;
    int64_t due_us = schedule_due_us(load->start_us, load->config.rate, index);
    struct timespec until = {.tv_sec = due_us / 1000000, .tv_nsec = due_us % 1000000 * 1000};
    while (!load->stopping && clock_us() < due_us)
        pthread_cond_timedwait(&load->changed, &load->lock, &until);
    bool go = !load->stopping || (due_us <= load->stop_us && stop_level(&load->stop) != STOP_NOW);
    if (!go)
        load->next_index = index < load->next_index ? index : load->next_index;
    pthread_mutex_unlock(&load->lock);
    *ret_index = index;
    *ret_due_us = due_us;
    return go;
}

static void *session_main(void *context)
{
    Session *session = context;
    Load *load = session->load;
    int64_t index, due_us;
    while (load_take(load, &index, &due_us))
        session_do(session, index, due_us);
    pthread_mutex_lock(&load->lock);
    load->running--;
    pthread_cond_broadcast(&load->changed);
    pthread_mutex_unlock(&load->lock);
    return NULL;
}

/* ---- start and stop ------------------------------------------------------------------------- */

static Err *config_check(const LoadConfig *config)
{
    if (!(config->rate > 0) || config->session_count < 0)
        return err_new(ERR_USAGE, "a load needs a rate and sessions");
    if ((config->twin != NULL || config->new_application) &&
        (config->new_column == NULL || config->new_expr == NULL))
        return err_new(ERR_USAGE,
                       "a twin table and a new application need the new column and its expression");
    if (config->twin != NULL && config->profile == LOAD_PLAIN)
        return err_new(ERR_USAGE, "a twin table is kept by the hostile profile only");
    return NULL;
}

/* Keeps own copies of everything the configuration points to. */
static void config_keep(Load *load, const LoadConfig *config)
{
    Arena *arena = load->arena;
    LoadConfig *own = &load->config;
    *own = *config;
    const char **texts[] = {&own->target.url, &own->target.password, &own->schema,   &own->table,
                            &own->twin,       &own->new_column,      &own->new_expr, &own->application};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        *texts[i] = *texts[i] == NULL ? NULL : arena_dup(arena, *texts[i]);
    if (own->application == NULL)
        own->application = own->new_application ? "new-app" : "old-app";
    const char *item = arena_printf(arena, "%s_item", own->table);
    LoadNames *names = &load->names;
    *names = (LoadNames){
        .main = sql_name(arena, own->schema, own->table),
        .item = sql_name(arena, own->schema, item),
        .alias = sql_ident(arena, own->table),
    };
    names->main_literal = sql_literal(arena, names->main);
    if (own->twin != NULL)
        names->twin = sql_name(arena, own->schema, own->twin);
    if (own->new_column != NULL) {
        names->new_column = sql_ident(arena, own->new_column);
        names->new_column_literal = sql_literal(arena, own->new_column);
    }
}

/* The child table of the hostile profile, made by whichever load comes first. */
static Err *item_table_create(Session *session)
{
    const LoadNames *names = &session->load->names;
    Rows rows = {0};
    const char *item = sql_literal(session->arena, names->item);
    const char *sql = arena_printf(session->arena,
                                   "BEGIN; SELECT pg_catalog.pg_advisory_xact_lock(%d, 0); "
                                   "SELECT to_regclass(%s) IS NULL",
                                   0x6c6f6164, item);
    TRY(session_query(session, sql, 0, NULL, &rows));
    if (!rows_bool(&rows, 0, 0))
        return session_exec(session, "COMMIT");
    sql = arena_printf(session->arena,
                       "CREATE TABLE %s (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, "
                       "order_id bigint NOT NULL REFERENCES %s (id) ON UPDATE CASCADE ON DELETE CASCADE, "
                       "sku text NOT NULL, quantity integer NOT NULL); CREATE INDEX ON %s (order_id); COMMIT",
                       names->item, names->main, names->item);
    return session_exec(session, sql);
}

/* What is there: keys to take, and the child table. */
static Err *load_look(Load *load)
{
    Session *session = &load->sessions[0];
    const char *sql = arena_printf(session->arena,
                                   "SELECT (SELECT coalesce(max(id), 0) FROM %s), "
                                   "quote_literal(pg_get_serial_sequence(%s, 'id'))",
                                   load->names.main, load->names.main_literal);
    Rows rows = {0};
    TRY(session_query(session, sql, 0, NULL, &rows));
    load->base_max_id = rows_int(&rows, 0, 0) > 0 ? rows_int(&rows, 0, 0) : 1;
    atomic_store(&load->max_id, load->base_max_id);
    const char *sequence = rows_cell(&rows, 0, 1);
    if (sequence == NULL)
        return err_new(ERR_USAGE, "%s has no identity column \"id\"", load->names.main);
    load->names.sequence = arena_dup(load->arena, sequence);
    return load->config.profile == LOAD_HOSTILE ? item_table_create(session) : NULL;
}

static Err *load_run(Load *load)
{
    for (int i = 0; i < load->session_count; i++)
        TRY(session_connect(&load->sessions[i]));
    TRY(load_look(load));
    load->start_us = load->mark_us = clock_us();
    for (int i = 0; i < load->session_count; i++) {
        pthread_mutex_lock(&load->lock);
        load->running++;
        pthread_mutex_unlock(&load->lock);
        int failed = pthread_create(&load->sessions[i].thread, NULL, session_main, &load->sessions[i]);
        if (failed != 0) {
            load->running--;
            return err_new(ERR_IO, "cannot start a thread: %s", strerror(failed));
        }
        load->started++;
    }
    return NULL;
}

Err *load_start(const LoadConfig *config, Load **ret_load)
{
    TRY(config_check(config));
    Load *load = mem_zero(sizeof *load);
    load->arena = arena_new();
    config_keep(load, config);
    load->session_count = config->session_count == 0 ? 16 : config->session_count;
    load->sessions = mem_zero((size_t)load->session_count * sizeof *load->sessions);
    pthread_mutex_init(&load->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&load->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    for (int i = 0; i < load->session_count; i++) {
        load->sessions[i].load = load;
        load->sessions[i].arena = arena_new();
        pthread_mutex_init(&load->sessions[i].tally_lock, NULL);
    }
    Err *err = stop_init(&load->stop);
    if (err == NULL)
        err = load_run(load);
    if (err != NULL) {
        load_free(load);
        return err;
    }
    *ret_load = load;
    return NULL;
}

void load_drain(Load *load, LoadTally *into)
{
    for (int i = 0; i < load->session_count; i++) {
        Session *session = &load->sessions[i];
        pthread_mutex_lock(&session->tally_lock);
        load_tally_add(into, &session->tally);
        load_tally_clear(&session->tally);
        pthread_mutex_unlock(&session->tally_lock);
    }
    pthread_mutex_lock(&load->lock);
    int64_t now_us = load->stopping ? load->stop_us : clock_us();
    if (now_us > load->mark_us) {
        into->span_us += now_us - load->mark_us;
        load->mark_us = now_us;
    }
    pthread_mutex_unlock(&load->lock);
}

void load_mark(Load *load, LoadReport *ret_report)
{
    LoadTally *tally = load_tally_new();
    load_drain(load, tally);
    load_tally_report(tally, ret_report);
    load_tally_free(tally);
}

/* Counts what was due and never taken. */
static void load_count_untaken(Load *load)
{
    if (load->started == 0)
        return;
    LoadTally *tally = &load->sessions[0].tally;
    int64_t due = schedule_due_count(load->start_us, load->config.rate, load->stop_us), now_us = clock_us();
    for (int64_t i = load->next_index; i < due; i++) {
        hist_record(&tally->hist, now_us - schedule_due_us(load->start_us, load->config.rate, i));
        tally->unfinished++;
    }
}

/* Waits for the sessions, first with patience, then cancelling what they run. */
static void load_join(Load *load)
{
    pthread_mutex_lock(&load->lock);
    load->stopping = true;
    load->stop_us = clock_us();
    pthread_cond_broadcast(&load->changed);
    int64_t until_us = load->stop_us + DRAIN_MS * INT64_C(1000);
    struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
    while (load->running > 0 && clock_us() < until_us)
        pthread_cond_timedwait(&load->changed, &load->lock, &until);
    pthread_mutex_unlock(&load->lock);
    stop_raise(&load->stop, STOP_NOW, 0);
    for (int i = 0; i < load->started; i++)
        pthread_join(load->sessions[i].thread, NULL);
    load_count_untaken(load);
    load->stopped = true;
}

Err *load_stop(Load *load, LoadReport *ret_report)
{
    if (!load->stopped)
        load_join(load);
    for (int i = 0; i < load->session_count; i++)
        conn_closep(&load->sessions[i].conn);
    if (ret_report != NULL)
        load_mark(load, ret_report);
    return NULL;
}

void load_free(Load *load)
{
    if (load == NULL)
        return;
    err_free(load_stop(load, NULL));
    for (int i = 0; i < load->session_count; i++) {
        arena_free(load->sessions[i].arena);
        pthread_mutex_destroy(&load->sessions[i].tally_lock);
    }
    stop_done(&load->stop);
    pthread_cond_destroy(&load->changed);
    pthread_mutex_destroy(&load->lock);
    mem_freep(&load->sessions);
    arena_free(load->arena);
    mem_freep(&load);
}
