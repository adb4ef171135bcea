/* Bytes as a snapshot of a server, for a migration about tables of any name. */
#include "check/check.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char migration[] = "ALTER TABLE t ADD COLUMN c int DEFAULT f(); CREATE UNIQUE INDEX i ON t (a); "
                                "ALTER TABLE t ALTER COLUMN a TYPE bigint;\n"
                                "ALTER TABLE t ALTER COLUMN a SET NOT NULL; DROP INDEX i; ALTER TABLE "
                                "public.t ADD FOREIGN KEY (a) REFERENCES p (id);\n"
                                "CREATE TABLE IF NOT EXISTS t (a int); ALTER TABLE t MODIFY a bigint, ADD "
                                "COLUMN d int; UPDATE t SET a = 1;\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (memchr(data, '\0', size) != NULL)
        return 0;
    Arena *arena = arena_new();
    ServerFacts facts;
    Err *err = snapshot_read(arena, arena_dupn(arena, (const char *)(const void *)data, size), &facts);
    if (err == NULL) {
        CheckServer server = {.facts = &facts};
        SourceSet set = {0}, *sets[] = {&set};
        *vec_push(arena, &set.files) = (Source){.path = "a.sql", .text = migration, .len = strlen(migration)};
        CheckOptions options = {
            .engine_given = true, .engine = facts.engine, .today = "2026-11-29", .server = &server};
        CheckResult result;
        err = check_run(arena, sets, 1, &options, &result);
        for (size_t i = 0; err == NULL && i < result.findings.len; i++)
            if (result.findings.items[i].line < 1 || result.findings.items[i].estimate_ms < 0)
                abort();
        char *text = snapshot_text(&facts);
        ServerFacts again;
        Err *wrong = snapshot_read(arena, text, &again);
        if (wrong != NULL || again.table_count != facts.table_count)
            abort();
        free(text);
    }
    err_free(err);
    arena_free(arena);
    return 0;
}
