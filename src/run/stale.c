/* What may be removed: facts are asked one by one, each in a short read-only transaction, and judged. */
#include "run/stale.h"
#include "run/contract.h"
#include "run/runner.h"

#include "change/lex_my.h"
#include "engine/my_server.h"

#include <stdlib.h>
#include <string.h>

enum {
    LOCK_MS = 200,
    STATEMENT_MS = 20000, /* where definitions of thousands of tables are not in memory */
    CONNECT_MS = 10000,
};

/* One look, with what it costs. */
typedef struct Look {
    Runner *runner;
    Stale *stale;
    json_t *unknown;
    int64_t asked, total_ms, longest_ms;
    const char *longest;
} Look;

static void count(Look *look, const char *what, int64_t ms)
{
    look->asked++;
    look->total_ms += ms;
    if (look->longest == NULL || ms > look->longest_ms) {
        look->longest = what;
        look->longest_ms = ms;
    }
}

static void note_unknown(Look *look, const char *what, const char *why, const char *fix)
{
    json_array_append_new(look->unknown, json_pack("{s:s, s:s, s:s?}", "what", what, "why", why, "fix", fix));
}

/* ---- facts ---------------------------------------------------------------------------------- */

static Err *load(Look *look, Conn *conn, const Server *server, StaleFact fact, json_t **ret_rows)
{
    Runner *runner = look->runner;
    Wait wait = {.stop = runner->options->stop, .timeout_ms = STATEMENT_MS + LOCK_MS};
    TxSettings settings = {
        .lock_timeout_ms = LOCK_MS, .statement_timeout_ms = STATEMENT_MS, .read_only = true};
    int64_t from_ms = clock_ms();
    TRY(runner->ops->begin(conn, &wait, &settings));
    Err *err = runner->ops->load_stale(conn, &wait, runner->arena, server, fact, ret_rows);
    if (!err_is(err, ERR_CONN_LOST))
        runner->ops->rollback(conn);
    count(look, stale_fact_name(fact), clock_ms() - from_ms);
    return err;
}

static bool is_of_the_fact(const Err *err)
{
    return err_is(err, ERR_SQL) || err_is(err, ERR_PRIVILEGE) || err_is(err, ERR_CANCELLED) ||
           err_is(err, ERR_LOCK_TIMEOUT) || err_is(err, ERR_USAGE);
}

/* What cannot be had is said, and the rest goes on. *ret_rows NULL then. */
static Err *ask(Look *look, Conn *conn, const Server *server, const char *of, StaleFact fact,
                json_t **ret_rows)
{
    *ret_rows = NULL;
    Err *err = load(look, conn, server, fact, ret_rows);
    if (!is_of_the_fact(err))
        return err;
    bool late = err_is(err, ERR_CANCELLED) || err_is(err, ERR_LOCK_TIMEOUT);
    const char *what = of == NULL ? stale_fact_name(fact)
                                  : arena_printf(look->runner->arena, "%s of %s", stale_fact_name(fact), of);
    note_unknown(look, what, late ? "not answered within 20 s" : err->msg, err->hint);
    err_free(err);
    return NULL;
}

static void note_coverage(Look *look)
{
    json_t **facts = look->stale->facts;
    const json_t *row = json_array_get(facts[STALE_COVERAGE], 0), *server = stale_server(look->stale);
    if (stale_text(server, "why_not") != NULL)
        note_unknown(look, "unused indexes", stale_text(server, "why_not"), stale_text(server, "remedy"));
    if (stale_text(row, "unknown") != NULL)
        note_unknown(look, "columns that no statement names", stale_text(row, "unknown"),
                     stale_text(row, "remedy"));
}

/* Statements, columns and bodies are asked only where there are statements. */
static Err *load_facts(Look *look)
{
    Runner *runner = look->runner;
    json_t **facts = look->stale->facts;
    for (StaleFact fact = 0; fact < STALE_FACT_COUNT; fact++)
        if (fact != STALE_STATEMENTS && fact != STALE_COLUMNS && fact != STALE_BODIES)
            TRY(ask(look, runner->conn, &runner->server, NULL, fact, &facts[fact]));
    note_coverage(look);
    const json_t *row = json_array_get(facts[STALE_COVERAGE], 0);
    if (row == NULL || stale_text(row, "unknown") != NULL)
        return NULL;
    TRY(ask(look, runner->conn, &runner->server, NULL, STALE_STATEMENTS, &facts[STALE_STATEMENTS]));
    TRY(ask(look, runner->conn, &runner->server, NULL, STALE_COLUMNS, &facts[STALE_COLUMNS]));
    return ask(look, runner->conn, &runner->server, NULL, STALE_BODIES, &facts[STALE_BODIES]);
}

/* ---- replicas ------------------------------------------------------------------------------- */

static void add_scans(Stale *stale, const json_t *rows)
{
    size_t i = 0;
    const json_t *row = NULL;
    json_array_foreach(rows, i, row)
    {
        const char *key = arena_printf(stale->arena, "%s.%s.%s", stale_text(row, "schema"),
                                       stale_text(row, "table"), stale_text(row, "name"));
        int64_t scans = json_integer_value(json_object_get(stale->elsewhere, key)) + stale_int(row, "scans");
        json_object_set_new(stale->elsewhere, key, json_integer(scans));
    }
}

/* The replica counts from a time of its own: what is known is known since the later one of all. */
static void take_younger(Stale *stale, const json_t *other)
{
    json_t *mine = json_array_get(stale->facts[STALE_SERVER], 0);
    if (mine == NULL || !stale_has(other, "statistics_age_s"))
        return;
    if (!stale_has(mine, "statistics_age_s") ||
        stale_int(other, "statistics_age_s") < stale_int(mine, "statistics_age_s")) {
        json_object_set(mine, "statistics_age_s", json_object_get(other, "statistics_age_s"));
        json_object_set(mine, "statistics_since", json_object_get(other, "statistics_since"));
    }
}

static Err *ask_conn(Look *look, Conn *conn, const char *name)
{
    Runner *runner = look->runner;
    Stale *stale = look->stale;
    Server server = {0};
    Wait wait = {.stop = runner->options->stop, .timeout_ms = CONNECT_MS};
    json_t *rows = NULL, *counters = NULL, *statements = NULL;
    TRY(runner->ops->load_server(conn, &wait, runner->arena, &server));
    Err *err = ask(look, conn, &server, name, STALE_SERVER, &counters);
    if (err == NULL)
        err = ask(look, conn, &server, name, STALE_INDEXES, &rows);
    if (err == NULL && stale->facts[STALE_STATEMENTS] != NULL)
        err = ask(look, conn, &server, name, STALE_STATEMENTS, &statements);
    if (rows != NULL) {
        add_scans(stale, rows);
        take_younger(stale, json_array_get(counters, 0));
        stale->replicas_asked++;
    }
    if (statements != NULL)
        json_array_extend(stale->facts[STALE_STATEMENTS], statements);
    stale->statements_elsewhere = stale->statements_elsewhere && statements != NULL;
    json_decref(rows);
    json_decref(counters);
    json_decref(statements);
    return err;
}

static Err *ask_replica(Look *look, const char *url)
{
    Runner *runner = look->runner;
    Target target = {.url = url, .password_command = runner->options->target.password_command};
    Wait wait = {.stop = runner->options->stop, .timeout_ms = CONNECT_MS};
    const char *name = target_redacted(runner->arena, url);
    Conn *conn = NULL;
    Err *err = runner->ops->connect(&target, "replica", &wait, &conn);
    if (err == NULL)
        err = ask_conn(look, conn, name);
    conn_closep(&conn);
    if (err == NULL || err_is(err, ERR_STOPPED))
        return err;
    look->stale->statements_elsewhere = false;
    note_unknown(look, arena_printf(runner->arena, "replica %s", name), err->msg, err->hint);
    err_free(err);
    return NULL;
}

/* ---- the journal ---------------------------------------------------------------------------- */

static void add_live(Stale *stale, int64_t id, const char *plan)
{
    json_t *json = plan == NULL ? NULL : json_loads(plan, 0, NULL), *name = NULL;
    size_t i = 0;
    json_object_set_new(stale->live, arena_printf(stale->arena, "change:%lld", (long long)id), json_true());
    json_array_foreach(json_object_get(json, "tables"), i, name)
    {
        const char *schema = NULL, *table = NULL;
        sql_name_parts(stale->arena, json_string_value(name), &schema, &table);
        json_object_set_new(stale->live,
                            arena_printf(stale->arena, "%s.%s", schema == NULL ? "" : schema, table),
                            json_true());
    }
    json_decref(json);
}

/* Tables of the changes that are not over. */
static Err *load_live(Look *look)
{
    Runner *runner = look->runner;
    Wait wait = journal_wait();
    Rows rows = {0}, request = {0};
    int64_t from_ms = clock_ms();
    if (runner->server.journal_version == 0)
        return NULL;
    TRY(conn_params(runner->conn, &wait, runner->arena, &rows, runner->ops->journal_sql(JOURNAL_STATUS), NULL,
                    "false"));
    for (size_t i = 0; i < rows.row_count; i++) {
        TRY(conn_params(runner->conn, &wait, runner->arena, &request,
                        runner->ops->journal_sql(JOURNAL_REQUEST), rows_cell(&rows, i, 0)));
        if (request.row_count > 0)
            add_live(look->stale, rows_int(&rows, i, 0), rows_cell(&request, 0, 1));
    }
    count(look, "journal", clock_ms() - from_ms);
    return NULL;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void judge(Look *look)
{
    const MyServer *my = look->runner->server.my;
    MyDialect dialect = {.mariadb = look->stale->mariadb, .version = look->stale->version_num};
    if (my != NULL) {
        dialect.ansi_quotes = my->ansi_quotes;
        dialect.no_backslash_escapes = my->no_backslash_escapes;
    }
    size_t read = 0, unread = 0;
    stale_objects(look->stale);
    stale_indexes(look->stale);
    stale_constraints(look->stale);
    stale_statistics(look->stale);
    stale_unnamed(look->stale, &dialect, &read, &unread);
    stale_waiting(look->stale);
}

static Err *look_at(Look *look)
{
    Runner *runner = look->runner;
    const PlanOptions *plan = &runner->options->plan;
    TRY(load_facts(look));
    for (size_t i = 0; i < plan->replica_count; i++)
        TRY(ask_replica(look, plan->replicas[i]));
    TRY(load_live(look));
    judge(look);
    return contract_expired(runner, look->stale);
}

static json_t *told(const Look *look, int64_t all_ms)
{
    Runner *runner = look->runner;
    char at[CLOCK_TEXT_BYTES];
    clock_wall_text(at);
    json_t *coverage = json_deep_copy(json_array_get(look->stale->facts[STALE_COVERAGE], 0));
    return json_pack("{s:i, s:s, s:s, s:s, s:O, s:O, s:o, s:I, s:{s:I, s:I, s:s?, s:I, s:I}}", "v", 1,
                     "server", runner->server.version, "database", runner->server.database, "at", at,
                     "findings", look->stale->findings, "unknown", look->unknown, "coverage",
                     coverage == NULL ? json_null() : coverage, "replicas_asked",
                     (json_int_t)look->stale->replicas_asked, "cost", "questions", (json_int_t)look->asked,
                     "ms", (json_int_t)look->total_ms, "longest", look->longest, "longest_ms",
                     (json_int_t)look->longest_ms, "all_ms", (json_int_t)all_ms);
}

Err *run_stale(const RunOptions *options, Arena *arena, json_t **ret_json)
{
    Runner runner;
    int64_t from_ms = clock_ms();
    Err *err = runner_open_to_read(&runner, options, arena);
    const Server *server = &runner.server;
    Stale stale = {.arena = arena,
                   .dialect = options->ops->dialect,
                   .mariadb = server->my != NULL && server->my->mariadb,
                   .version_num = server->version_num,
                   .standby = server->in_recovery,
                   .quote = options->ops->quote,
                   .elsewhere = json_object(),
                   .statements_elsewhere = true,
                   .live = json_object(),
                   .findings = json_array()};
    Look look = {.runner = &runner, .stale = &stale, .unknown = json_array()};
    if (err == NULL && options->ops->load_stale == NULL)
        err = err_new(ERR_USAGE, "this server is not asked what may be removed");
    if (err == NULL)
        err = look_at(&look);
    if (err == NULL)
        *ret_json = told(&look, clock_ms() - from_ms);
    for (StaleFact fact = 0; fact < STALE_FACT_COUNT; fact++)
        json_decref(stale.facts[fact]);
    json_decref(stale.elsewhere);
    json_decref(stale.live);
    json_decref(stale.findings);
    json_decref(look.unknown);
    runner_close(&runner);
    return err;
}
