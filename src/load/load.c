/* The open loop: items fall due at fixed times, and whichever session is free takes the next. */
#include "load/load.h"

#include "base/clock.h"
#include "engine/sql.h"
#include "load/mix.h"
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

static Err *session_connect(Session *session)
{
    const Load *load = session->load;
    Wait wait = {.stop = &load->stop};
    session->star_prepared = false;
    session->has_column = false;
    session->column_checked_ms = 0;
    TRY(load->config.ops->connect(&load->config.target, "load", &wait, &session->conn));
    Err *err = load->dialect->settle(session);
    if (err != NULL)
        conn_closep(&session->conn);
    return err;
}

/* ---- one item ------------------------------------------------------------------------------- */

typedef enum Verdict { VERDICT_DONE, VERDICT_RETRY, VERDICT_STOPPED } Verdict;

static bool is_connection_error(const Err *err)
{
    return err_is(err, ERR_CONN_LOST) || err_is(err, ERR_CONNECT) || err_is(err, ERR_AMBIGUOUS) ||
           strncmp(err->sqlstate, "08", 2) == 0 || strncmp(err->sqlstate, "57P0", 4) == 0;
}

static void session_count_error(Session *session, const Err *err, const char *text)
{
    LoadTally *tally = &session->tally;
    bool connection = is_connection_error(err), deadlock = err_is(err, ERR_DEADLOCK);
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
    } else if (!is_connection_error(err) && session->load->dialect->expects(session, err, text)) {
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
        session->load->dialect->rollback(session);
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
    const Load *load = session->load;
    if (load->config.profile == LOAD_MIX)
        return mix_item(session);
    TRY(load->dialect->prepare(session));
    return load->config.profile == LOAD_PLAIN ? load->dialect->plain_item(session)
                                              : load->dialect->hostile_item(session);
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

/* ---- dialects -------------------------------------------------------------------------------------------
 */

const LoadDialect *load_dialect(const EngineOps *ops)
{
    return ops->dialect == DIALECT_MYSQL ? &load_dialect_my : &load_dialect_pg;
}

Err *load_create_orders(Conn *conn, const Wait *wait, const char *schema, const char *table,
                        int64_t row_count)
{
    return load_dialect(conn->ops)->orders_create(conn, wait, schema, table, row_count);
}

Err *load_twin_create(Conn *conn, const Wait *wait, const char *schema, const char *table, const char *twin,
                      const char *new_column, const char *new_expr)
{
    return load_dialect(conn->ops)->twin_create(conn, wait, schema, table, twin, new_column, new_expr);
}

Err *load_twin_compare(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *table,
                       const char *twin, const char *new_column, int64_t *ret_difference_count,
                       const char **ret_sample, bool *ret_compared_new)
{
    return load_dialect(conn->ops)->twin_compare(conn, wait, arena, schema, table, twin, new_column,
                                                 ret_difference_count, ret_sample, ret_compared_new);
}

/* ---- start and stop ------------------------------------------------------------------------- */

static Err *config_check(const LoadConfig *config)
{
    const LoadDialect *dialect = load_dialect(config->ops);
    if (!(config->rate > 0) || config->session_count < 0)
        return err_new(ERR_USAGE, "a load needs a rate and sessions");
    bool computes = config->new_column != NULL && config->new_expr != NULL;
    if (dialect->has_new_column && (config->twin != NULL || config->new_application) && !computes)
        return err_new(ERR_USAGE,
                       "a twin table and a new application need the new column and its expression");
    if (!dialect->has_new_column && (config->new_application || config->new_column != NULL))
        return err_new(ERR_USAGE, "an application on this server knows no new column");
    if (config->profile == LOAD_MIX && config->item_count == 0)
        return err_new(ERR_USAGE, "a load by a mix needs statements");
    if (config->twin != NULL && config->profile != LOAD_HOSTILE)
        return err_new(ERR_USAGE, "a twin table is kept by the hostile profile only");
    return NULL;
}

/* Keeps own copies of everything the configuration points to. */
static void config_keep(Load *load, const LoadConfig *config)
{
    Arena *arena = load->arena;
    LoadConfig *own = &load->config;
    *own = *config;
    const char **texts[] = {&own->target.url, &own->target.password_command,
                            &own->schema,     &own->table,
                            &own->twin,       &own->new_column,
                            &own->new_expr,   &own->application};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        *texts[i] = *texts[i] == NULL ? NULL : arena_dup(arena, *texts[i]);
    if (own->application == NULL)
        own->application = own->new_application ? "new-app" : "old-app";
    const char *item = arena_printf(arena, "%s_item", own->table);
    const LoadDialect *dialect = load->dialect;
    LoadNames *names = &load->names;
    *names = (LoadNames){
        .main = dialect->name(arena, own->schema, own->table),
        .item = dialect->name(arena, own->schema, item),
        .alias = dialect->name(arena, NULL, own->table),
    };
    names->main_literal = sql_literal(arena, names->main);
    if (own->twin != NULL)
        names->twin = dialect->name(arena, own->schema, own->twin);
    if (own->new_column != NULL) {
        names->new_column = sql_ident(arena, own->new_column);
        names->new_column_literal = sql_literal(arena, own->new_column);
    }
}

static Err *load_run(Load *load)
{
    for (int i = 0; i < load->session_count; i++)
        TRY(session_connect(&load->sessions[i]));
    if (load->config.profile == LOAD_MIX)
        atomic_store(&load->max_id, load->config.row_count);
    else
        TRY(load->dialect->look(load));
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
    load->dialect = load_dialect(config->ops);
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
