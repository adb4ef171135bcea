/* The demo from the first initdb to the last removed file. */
#include "demo/demo.h"

#include "base/str.h"
#include "base/unit.h"
#include "demo/side.h"

#include <stdlib.h>

enum { BEFORE_MS = 5000, DEFAULT_RATE = 300, WARM_MS = 5000 };
static const int64_t default_row_count = 1000000, rehearsed_row_count = 300000;

void demo_say(const Demo *demo, const char *fmt, ...)
{
    if (demo->options.say == NULL)
        return;
    va_list args;
    va_start(args, fmt);
    CLEANUP(mem_freep) char *line = mem_format(fmt, args);
    va_end(args);
    demo->options.say(demo->options.context, line);
}

/* The table, its copy, the growth of both, and the log: 1 M rows take about 2 GB at the peak. */
static int64_t bytes_needed(int64_t row_count)
{
    int64_t wal = row_count * 1200 < (5LL << 30) ? row_count * 1200 : 5LL << 30;
    return row_count * 900 + wal + (200LL << 20);
}

static Err *admin_connect(const Demo *demo, const char *database, const Wait *wait, Conn **ret_conn)
{
    Target target = {.url = server_url(demo->arena, demo->server, database)};
    return demo->options.ops->connect(&target, DEMO_SESSION, wait, ret_conn);
}

static Err *orders_make(const Demo *demo, const Wait *wait, const char *database)
{
    CLEANUP(conn_closep) Conn *conn = NULL;
    TRY(admin_connect(demo, database, wait, &conn));
    return load_create_orders(conn, wait, demo->engine->schema, DEMO_TABLE, demo->options.row_count);
}

/* The table in "shop", and the same again in "shop_plain". */
static Err *databases_make(const Demo *demo)
{
    Wait wait = {.stop = demo->options.stop};
    CLEANUP(conn_closep) Conn *admin = NULL;
    TRY(admin_connect(demo, demo->engine->host->admin, &wait, &admin));
    TRY(conn_exec(admin, &wait, "CREATE DATABASE shop"));
    TRY(orders_make(demo, &wait, "shop"));
    TRY(demo->engine->fresh(admin, &wait, demo->arena));
    return demo->engine->fresh_is_copy ? NULL : orders_make(demo, &wait, "shop_plain");
}

/* So that neither its files nor the server's work on them stand beside the second measurement. */
static Err *shop_drop(const Demo *demo)
{
    if (demo->options.keep)
        return NULL;
    Wait wait = {.stop = demo->options.stop};
    CLEANUP(conn_closep) Conn *admin = NULL;
    TRY(admin_connect(demo, demo->engine->host->admin, &wait, &admin));
    for (const char *const *sql = demo->engine->drop; *sql != NULL; sql++)
        TRY(conn_exec(admin, &wait, *sql));
    return NULL;
}

static json_t *latency_json(const LoadReport *report)
{
    return json_pack("{s:f,s:f,s:f,s:f}", "p50_ms", report->p50_ms, "p95_ms", report->p95_ms, "p99_ms",
                     report->p99_ms, "max_ms", report->max_ms);
}

/* What both sides have in common. */
static json_t *side_json(const Side *side, int64_t row_count)
{
    json_t *application = json_pack("{s:I}", "errors", (json_int_t)side->errors);
    if (side->first_error[0] != '\0')
        json_object_set_new(application, "first_error", json_string(side->first_error));
    if (side->before_ms > 0)
        json_object_set_new(application, "before", latency_json(&side->before));
    json_object_set_new(application, "during", latency_json(&side->during));
    return json_pack("{s:f,s:f,s:I,s:f,s:f,s:I,s:o}", "seconds", side->seconds, "rows_per_s",
                     side->seconds > 0 ? (double)row_count / side->seconds : 0, "wal_bytes",
                     (json_int_t)side->wal_bytes, "heap_ratio",
                     side_ratio(side->heap_before, side->heap_after), "index_ratio",
                     side_ratio(side->index_before, side->index_after), "rows_wrong",
                     (json_int_t)side->rows_wrong, "application", application);
}

static json_t *result_json(const Demo *demo, const Side *stoa, const Side *plain)
{
    json_t *json = json_pack("{s:i,s:I}", "v", 1, "rows", (json_int_t)demo->options.row_count);
    json_t *side = side_json(stoa, demo->options.row_count);
    json_object_update(json, side);
    json_decref(side);
    json_object_set_new(json, "backfill_seconds", json_real(stoa->backfill_seconds));
    json_object_set_new(json, "engine", json_string(demo->engine->host->title));
    if (stoa->hot_ratio >= 0)
        json_object_set_new(json, "hot_ratio", json_real(stoa->hot_ratio));
    json_object_set_new(json, "naive", side_json(plain, demo->options.row_count));
    json_object_set(json, "rehearsal", demo->rehearsal);
    json_object_set_new(json, "predictions", stoa->predictions);
    return json;
}

/* On the database as it is before the change, and with what the server has seen of the application. */
static Err *rehearse(Demo *demo, const Side *side)
{
    Change change;
    if (demo->options.rehearse == NULL)
        return NULL;
    demo_say(demo, "the application for %d s, so that the server knows what it does, then the rehearsal",
             WARM_MS / 1000);
    TRY(side_warm(demo, side, WARM_MS));
    demo->engine->parse(demo->arena, &demo->engine->change, &change);
    Target target = {.url = server_url(demo->arena, demo->server, side->database)};
    return demo->options.rehearse(demo->options.context, &target, &change, demo->options.rate,
                                  &demo->rehearsal);
}

static Err *demo_measure(Demo *demo, json_t **ret_json)
{
    char count[UNIT_TEXT_BYTES];
    Side stoa = {
        .database = "shop", .carry_out = way_stoa, .before_ms = BEFORE_MS, .settle_ms = 300, .hot_ratio = -1};
    Side plain = {.database = "shop_plain",
                  .carry_out = way_plain,
                  .settle_ms = 1000,
                  .settle_share = 10,
                  .hot_ratio = -1};
    demo_say(demo, "loading %s orders, twice", unit_count_text(demo->options.row_count, count));
    TRY(databases_make(demo));
    TRY(rehearse(demo, &stoa));
    demo_say(demo, "an application of %g statements a second, first undisturbed for %d s", demo->options.rate,
             BEFORE_MS / 1000);
    Err *err = side_run(demo, &stoa);
    if (err == NULL)
        err = shop_drop(demo);
    demo_say(demo, "the same change on the copy, as it is usually written, beside the same application");
    if (err == NULL)
        err = side_run(demo, &plain);
    if (err != NULL) {
        json_decref(stoa.predictions);
        return err;
    }
    *ret_json = result_json(demo, &stoa, &plain);
    if (stoa.rows_wrong != 0)
        return err_new(ERR_VERIFY, "%lld of %lld rows are wrong", (long long)stoa.rows_wrong,
                       (long long)stoa.row_count);
    if (stoa.errors != 0)
        return err_new(ERR_VERIFY, "the application had %lld errors, the first: %s", (long long)stoa.errors,
                       stoa.first_error);
    return NULL;
}

Err *demo_run(const DemoOptions *options, Arena *arena, json_t **ret_json)
{
    Demo demo = {.options = *options, .arena = arena};
    if (demo.options.row_count == 0)
        demo.options.row_count = options->rehearse != NULL ? rehearsed_row_count : default_row_count;
    if (!(demo.options.rate > 0))
        demo.options.rate = DEFAULT_RATE;
    demo.engine = str_eq(options->ops->name, host_engine_my.name) ? &demo_engine_my : &demo_engine_pg;
    demo_say(&demo, "starting a private %s", demo.engine->host->title);
    CLEANUP(server_stopp) HostServer *server = NULL;
    HostWish wish = {
        .purpose = "demo", .need_bytes = bytes_needed(demo.options.row_count), .keep = options->keep};
    TRY(server_start(demo.engine->host, options->ops, options->stop, &wish, &server));
    demo.server = server;
    Err *err = demo_measure(&demo, ret_json);
    json_decref(demo.rehearsal);
    if (options->keep) {
        demo_say(&demo, "the server is still running: %s", server_client(arena, server, "shop"));
        demo_say(&demo, "to end it and remove its files: %s", server_remove_command(arena, server));
    }
    if (err_is(err, ERR_STOPPED)) {
        err_free(err);
        return err_new(ERR_STOPPED,
                       options->keep ? "the demo was stopped" : "the demo was stopped; nothing is left");
    }
    return err;
}
