/* stoa-clone-tool: opens an empty clone of tables, says where it is, and keeps it until its input ends. */
#include "base/clock.h"
#include "change/names.h"
#include "engine/postgres/postgres.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fail(Err *err)
{
    char *text = err_text(err);
    fprintf(stderr, "%s: %s\n", err_kind_name(err->kind), text);
    if (err_first_hint(err) != NULL)
        fprintf(stderr, "hint: %s\n", err_first_hint(err));
    free(text);
    err_free(err);
    return 1;
}

/* Prints "database milliseconds", waits for the end of stdin, and drops it; then "closed milliseconds". */
static Err *keep_clone(const Target *target, char **names, size_t count)
{
    const EngineOps *ops = &engine_postgres;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    CLEANUP(conn_closep) Conn *conn = NULL;
    TRY(ops->connect(target, "clone", NULL, &conn));
    Server server = {0};
    TRY(ops->load_server(conn, NULL, arena, &server));
    Table *tables = arena_alloc(arena, (count + 1) * sizeof *tables);
    size_t table_count = 0;
    Mentions mentions = {0};
    const char *run = NULL;
    bool in_schema = false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], "--schema") == 0) {
            in_schema = true;
            continue;
        }
        if (strcmp(names[i], "--run") == 0 && i + 1 < count) {
            run = names[++i];
            continue;
        }
        if (strcmp(names[i], "--sql") == 0 && i + 1 < count) {
            names_of_sql(arena, names[++i], &mentions);
            continue;
        }
        Table *table = &tables[table_count++];
        char *dot = strchr(names[i], '.');
        if (dot == NULL)
            return err_new(ERR_USAGE, "not a schema.table: \"%s\"", names[i]);
        TRY(ops->load_table(conn, NULL, arena, &server, arena_dupn(arena, names[i], (size_t)(dot - names[i])),
                            dot + 1, table));
        if (table->kind == RELATION_MISSING)
            return err_new(ERR_USAGE, "no such table: \"%s\"", names[i]);
    }
    int64_t start_ms = clock_ms();
    Clone *clone = NULL;
    TRY(ops->clone_open(target, conn, NULL, &server, tables, table_count, mentions.items, mentions.len,
                        in_schema, &clone));
    int64_t opened_ms = clock_ms();
    Rows rows = {0};
    if (run != NULL) {
        CLEANUP(err_freep) Err *refused = ops->clone_run(ops->clone_conn(clone), NULL, &run, 1, false);
        fprintf(stderr, "run: %s\n", refused == NULL ? "done" : refused->msg);
    }
    Err *err = conn_query(ops->clone_conn(clone), NULL, arena, &rows,
                          "SELECT pg_catalog.current_database(), pg_catalog.current_setting('search_path')");
    if (err == NULL) {
        printf("%s %lld %s\n", rows_cell(&rows, 0, 0), (long long)(opened_ms - start_ms),
               rows_cell(&rows, 0, 1));
        (void)fflush(stdout);
        char byte;
        while (read(STDIN_FILENO, &byte, 1) > 0)
            ;
    }
    int64_t closing_ms = clock_ms();
    ops->clone_close(clone);
    printf("closed %lld\n", (long long)(clock_ms() - closing_ms));
    return err;
}

int main(int argc, char **argv)
{
    if (argc < 4 || strcmp(argv[1], "--url") != 0) {
        fprintf(stderr, "usage: stoa-clone-tool --url URL [--schema] [schema.table …] [--sql STATEMENT …] "
                        "[--run STATEMENT]\n");
        return 2;
    }
    Target target = {.url = argv[2]};
    Err *err = keep_clone(&target, argv + 3, (size_t)argc - 3);
    return err == NULL ? 0 : fail(err);
}
