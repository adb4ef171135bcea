/* stoa-binlog-tool: the changed keys of tables as JSON lines, from a binary log that grows.
 *
 *   stoa-binlog-tool --url URL [--gtid SET | --position FILE:N] [--idle MS] [--stop MS] TABLE[.INDEX]…
 *
 * Ends when nothing came for MS milliseconds but heartbeats. TABLE is schema.table; a third part names a
 * unique index. */
#include "base/clock.h"
#include "engine/mysql/conn.h"
#include "engine/mysql/stream.h"
#include "engine/mysql/watch.h"

#include <getopt.h>
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef struct Asked {
    const char *url;
    StreamStart start;
    int64_t idle_ms, stop_ms;
    char **tables;
    size_t table_count;
} Asked;

static void print_json(json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER);
    puts(text);
    free(text);
    json_decref(json);
}

static json_t *key_json(const char *const *key, size_t count)
{
    if (key == NULL)
        return json_null();
    json_t *json = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(json, json_string(key[i]));
    return json;
}

static void print_rows(const BinlogEvent *event)
{
    static const char *const verbs[] = {
        [BINLOG_WRITE] = "write", [BINLOG_UPDATE] = "update", [BINLOG_DELETE] = "delete"};
    for (size_t i = 0; i < event->change_count; i++)
        print_json(json_pack("{s:s, s:s, s:o, s:o}", "verb", verbs[event->verb], "table", event->table->name,
                             "before", key_json(event->changes[i].before, event->table->key_count), "after",
                             key_json(event->changes[i].after, event->table->key_count)));
}

static void print_event(const Stream *stream, Arena *arena, const BinlogEvent *event)
{
    if (event->kind == BINLOG_ROWS)
        print_rows(event);
    if (event->kind == BINLOG_STATEMENT)
        print_json(json_pack("{s:s, s:b}", "statement", event->statement, "mentions", event->mentions));
    if (event->kind == BINLOG_COMMIT || event->kind == BINLOG_STATEMENT) {
        StreamPosition at = stream_position(stream, arena);
        print_json(json_pack("{s:s, s:I, s:s?}", "file", at.file, "position", (json_int_t)at.position, "gtid",
                             at.gtid));
    }
}

static Err *load_tables(const Asked *asked, Arena *arena, BinlogTable *tables)
{
    CLEANUP(my_closep) Conn *conn = NULL;
    TRY(my_connect(&(Target){.url = asked->url}, "tool", NULL, &conn));
    for (size_t i = 0; i < asked->table_count; i++) {
        char *schema = asked->tables[i], *save = NULL;
        schema = strtok_r(schema, ".", &save);
        const char *name = strtok_r(NULL, ".", &save), *index = strtok_r(NULL, ".", &save);
        if (name == NULL)
            return err_new(ERR_USAGE, "a table is schema.table");
        TRY(watch_load(conn, NULL, arena, schema, name, index, &tables[i]));
    }
    return NULL;
}

static Err *follow(const Asked *asked, const Stop *stop)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    CLEANUP(arena_freep) Arena *each = arena_new();
    CLEANUP(stream_closep) Stream *stream = NULL;
    BinlogTable *tables = arena_alloc(arena, (asked->table_count + 1) * sizeof *tables);
    TRY(load_tables(asked, arena, tables));
    Wait wait = {.stop = stop, .timeout_ms = asked->idle_ms};
    TRY(stream_open(&(Target){.url = asked->url}, &wait, &asked->start, tables, asked->table_count, 200,
                    &stream));
    StreamPosition begun = stream_position(stream, arena);
    print_json(json_pack("{s:s, s:I}", "begun", begun.file, "position", (json_int_t)begun.position));
    (void)fflush(stdout);
    int64_t heard_ms = clock_ms();
    while (clock_ms() - heard_ms < asked->idle_ms) {
        BinlogEvent event;
        bool there = false;
        TRY(stream_next(stream, &wait, each, &event, &there));
        if (there && event.kind != BINLOG_HEARTBEAT) {
            heard_ms = clock_ms();
            print_event(stream, each, &event);
        }
        arena_clear(each);
    }
    StreamPosition end = stream_position(stream, arena);
    print_json(json_pack("{s:s, s:I, s:s?}", "end", end.file, "position", (json_int_t)end.position, "gtid",
                         end.gtid));
    return NULL;
}

static Err *read_args(int argc, char **argv, Asked *asked)
{
    static const struct option options[] = {
        {"url", required_argument, NULL, 'u'},      {"gtid", required_argument, NULL, 'g'},
        {"position", required_argument, NULL, 'p'}, {"idle", required_argument, NULL, 'i'},
        {"stop", required_argument, NULL, 's'},     {0}};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        char *colon = option == 'p' ? strrchr(optarg, ':') : NULL;
        if (option == 'u')
            asked->url = optarg;
        else if (option == 'g')
            asked->start.gtid = optarg;
        else if (option == 'i')
            asked->idle_ms = atoi(optarg);
        else if (option == 's')
            asked->stop_ms = atoi(optarg);
        else if (colon != NULL) {
            *colon = '\0';
            asked->start.file = optarg;
            asked->start.position = strtoull(colon + 1, NULL, 10);
        } else
            return err_new(ERR_USAGE, "unknown option");
    }
    asked->tables = argv + optind;
    asked->table_count = (size_t)(argc - optind);
    return asked->url == NULL ? err_new(ERR_USAGE, "--url is needed") : NULL;
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
    Asked asked = {.idle_ms = 2000};
    Stop stop;
    Err *err = stop_init(&stop);
    if (err == NULL)
        err = read_args(argc, argv, &asked);
    Alarm alarm = {&stop, asked.stop_ms};
    pthread_t thread;
    bool has_alarm =
        err == NULL && asked.stop_ms > 0 && pthread_create(&thread, NULL, stop_later, &alarm) == 0;
    if (err == NULL)
        err = follow(&asked, &stop);
    if (has_alarm)
        (void)pthread_join(thread, NULL);
    stop_done(&stop);
    if (err == NULL)
        return 0;
    char *text = err_text(err);
    const char *hint = err_first_hint(err);
    fprintf(stderr, "stoa-binlog-tool: %s: %s (%u)\n%s", err_kind_name(err->kind), text, err->server_errno,
            hint == NULL ? "" : hint);
    free(text);
    err_free(err);
    return 1;
}
