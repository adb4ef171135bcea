/* stoa-my-tool: a session's statements one after the other, with what came of each as a JSON line.
 *
 *   stoa-my-tool --url URL [--timeout MS] [--stop MS] [--arm] STATEMENT…
 *
 * The first line tells what the server is. --stop raises the stop token so long after the connection stands.
 */
#include "base/clock.h"
#include "engine/mysql/conn.h"

#include <getopt.h>
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void print_json(json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER);
    puts(text);
    (void)fflush(stdout);
    free(text);
    json_decref(json);
}

static void add_error(json_t *json, Err *err)
{
    char *text = err_text(err);
    const char *hint = err_first_hint(err);
    json_object_set_new(json, "error", json_string(err_kind_name(err->kind)));
    json_object_set_new(json, "number", json_integer(err->server_errno));
    json_object_set_new(json, "message", json_string(text));
    json_object_set_new(json, "hint", hint == NULL ? json_null() : json_string(hint));
    free(text);
    err_free(err);
}

static json_t *rows_json(const Rows *rows)
{
    json_t *json = json_array();
    for (size_t row = 0; row < rows->row_count; row++) {
        json_t *cells = json_array();
        for (size_t col = 0; col < rows->col_count; col++) {
            const char *cell = rows_cell(rows, row, col);
            json_array_append_new(cells, cell == NULL ? json_null() : json_string(cell));
        }
        json_array_append_new(json, cells);
    }
    return json;
}

static bool run(Conn *conn, const Wait *wait, const char *sql)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Rows rows = {0};
    int64_t begun_us = clock_us();
    Err *err = my_query(conn, wait, arena, sql, 0, NULL, &rows);
    bool lost = err_is(err, ERR_CONN_LOST);
    json_t *json =
        json_pack("{s:f, s:b}", "ms", (double)(clock_us() - begun_us) / 1000, "killed", my_was_killed(conn));
    json_object_set_new(json, "rows", rows_json(&rows));
    json_object_set_new(json, "affected", json_integer(rows.affected));
    if (err != NULL)
        add_error(json, err);
    print_json(json);
    return !lost;
}

static Err *print_server(Conn *conn)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Flavor flavor = *my_flavor(conn);
    TRY(flavor_load(conn, NULL, arena, &flavor));
    json_t *facts = json_array();
    for (FlavorFact fact = 0; fact < FACT_COUNT; fact++)
        if (flavor_can(&flavor, fact))
            json_array_append_new(facts, json_string(flavor_fact_name(fact)));
    print_json(json_pack("{s:s, s:I, s:b, s:s?, s:s?, s:s?, s:i, s:s?, s:o}", "server",
                         flavor_name(arena, &flavor), "session", (json_int_t)my_session_id(conn), "binlog",
                         flavor.binlog, "format", flavor.binlog_format, "image", flavor.row_image, "checksum",
                         flavor.checksum, "gtid", (int)flavor.gtid, "executed", flavor.gtid_executed, "facts",
                         facts));
    return NULL;
}

typedef struct Alarm {
    Stop *stop;
    int64_t ms;
} Alarm;

static void *stop_later(void *context)
{
    const Alarm *alarm = context;
    stop_sleep(NULL, alarm->ms);
    stop_raise(alarm->stop, STOP_NOW, 0);
    return NULL;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"url", required_argument, NULL, 'u'},
                                            {"timeout", required_argument, NULL, 't'},
                                            {"stop", required_argument, NULL, 's'},
                                            {"arm", no_argument, NULL, 'a'},
                                            {0}};
    const char *url = "";
    Alarm alarm = {0};
    Stop stop;
    Err *err = stop_init(&stop);
    Wait wait = {.stop = &stop};
    bool arm = false;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        url = option == 'u' ? optarg : url;
        wait.timeout_ms = option == 't' ? atoi(optarg) : wait.timeout_ms;
        alarm.ms = option == 's' ? atoi(optarg) : alarm.ms;
        arm = arm || option == 'a';
    }
    CLEANUP(my_closep) Conn *conn = NULL;
    if (err == NULL)
        err = my_connect(&(Target){.url = url}, "tool", NULL, &conn);
    if (err == NULL)
        err = print_server(conn);
    if (err == NULL && arm)
        err = my_arm(conn, NULL);
    if (err != NULL) {
        json_t *json = json_object();
        add_error(json, err);
        print_json(json);
        return 1;
    }
    pthread_t thread;
    alarm.stop = &stop;
    bool has_alarm = alarm.ms > 0 && pthread_create(&thread, NULL, stop_later, &alarm) == 0;
    for (int i = optind; i < argc; i++)
        if (!run(conn, &wait, argv[i]))
            break;
    if (has_alarm)
        (void)pthread_join(thread, NULL);
    stop_done(&stop);
    return 0;
}
