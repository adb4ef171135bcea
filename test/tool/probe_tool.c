/* stoa-probe-tool: what each statement would do, one JSON line each; the database must be a clone that may be
 * tried on, or with --copy
 * the statements are tried on a copy of one schema in scratch schemas. */
#include "change/names.h"
#include "engine/postgres/postgres.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static json_t *texts_json(const char *const *texts, size_t count)
{
    json_t *json = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(json, json_string(texts[i]));
    return json;
}

static json_t *locks_json(const ProbeLock *locks, size_t count)
{
    json_t *json = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(json, json_pack("[s, s]", locks[i].relation, locks[i].mode));
    return json;
}

static json_t *probe_json(const Probe *probe)
{
    return json_pack("{s:s?, s:s?, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "error", probe->error, "error_state",
                     probe->error_state, "outside", probe->outside, "locks",
                     locks_json(probe->locks, probe->lock_count), "index_locks",
                     locks_json(probe->index_locks, probe->index_lock_count), "rewritten",
                     texts_json(probe->rewritten, probe->rewritten_count), "built",
                     texts_json(probe->built, probe->built_count), "scanned",
                     texts_json(probe->scanned, probe->scanned_count), "words",
                     texts_json(probe->words, probe->word_count));
}

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static Err *probe_print(Conn *conn, const char *const *sql)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Probe probe;
    double start = now_ms();
    TRY(conn->ops->probe(conn, NULL, arena, sql, 1, &probe));
    json_t *json = probe_json(&probe);
    json_object_set_new(json, "sql", json_string(*sql));
    json_object_set_new(json, "ms", json_real(now_ms() - start));
    char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(4));
    puts(text);
    free(text);
    json_decref(json);
    return NULL;
}

static Err *probe_each(Conn *conn, int count, char **statements)
{
    for (int i = 0; i < count; i++)
        TRY(probe_print(conn, (const char *const *)&statements[i]));
    return NULL;
}

/* In scratch schemas that hold a copy of all that is in `schema`. */
static Err *probe_copy(const Target *target, Conn *conn, const char *schema, int count, char **statements)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Server server = {0};
    Clone *clone = NULL;
    Mentions mentions = {0};
    *vec_push(arena, &mentions) =
        (Mention){.name = schema, .kinds = NAMES_SCHEMA | NAMES_CONTENT, .target = true};
    for (int i = 0; i < count; i++)
        names_of_sql(arena, statements[i], &mentions);
    TRY(conn->ops->load_server(conn, NULL, arena, &server));
    TRY(conn->ops->clone_open(target, conn, NULL, &server, NULL, 0, mentions.items, mentions.len, true,
                              &clone));
    Err *err = probe_each(conn->ops->clone_conn(clone), count, statements);
    conn->ops->clone_close(clone);
    return err;
}

static Err *probe_all(const char *url, int count, char **statements)
{
    CLEANUP(conn_closep) Conn *conn = NULL;
    Target target = {.url = url};
    TRY(engine_postgres.connect(&target, "probe", NULL, &conn));
    if (count > 2 && strcmp(statements[0], "--copy") == 0)
        return probe_copy(&target, conn, statements[1], count - 2, statements + 2);
    return probe_each(conn, count, statements);
}

int main(int argc, char **argv)
{
    if (argc < 4 || strcmp(argv[1], "--url") != 0) {
        fprintf(stderr, "usage: stoa-probe-tool --url URL [--copy SCHEMA] STATEMENT…\n");
        return 2;
    }
    Err *err = probe_all(argv[2], argc - 3, argv + 3);
    if (err == NULL)
        return 0;
    char *text = err_text(err);
    fprintf(stderr, "stoa-probe-tool: %s\n", text);
    free(text);
    err_free(err);
    return 1;
}
