/* Bytes as a migration: its first byte says for which server and tool, the others are the file. */
#include "check/check.h"
#include "check/fix.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const paths[] = {"a.sql",   "V1__a.sql",    "1_a.up.sql",
                                        "1_a.sql", "deploy/a.sql", "20240101000000_a/migration.sql"};
    if (size < 1 || memchr(data + 1, '\0', size - 1) != NULL)
        return 0;
    Arena *arena = arena_new();
    char *text = arena_dupn(arena, (const char *)(const void *)(data + 1), size - 1);
    SourceSet set = {0}, *sets[] = {&set};
    *vec_push(arena, &set.files) =
        (Source){.path = paths[data[0] / 4 % ARRAY_LEN(paths)], .text = text, .len = size - 1};
    CheckOptions options = {.engine_given = data[0] % 4 != 3,
                            .engine = (CheckEngine)(data[0] % 4 % 3),
                            .today = "2026-11-29",
                            .fixes = true,
                            .down = data[0] / 32 % 2 != 0};
    CheckResult result;
    err_free(check_run(arena, sets, 1, &options, &result));
    for (size_t i = 0; i < result.findings.len; i++) {
        const Finding *finding = &result.findings.items[i];
        if (finding->line < 1 || finding->end > size + 5)
            abort();
        for (size_t j = 0, at = 0; j < finding->edit_count; at = finding->edits[j++].end)
            if (finding->edits[j].start < at || finding->edits[j].end < finding->edits[j].start ||
                finding->edits[j].end > size - 1)
                abort();
    }
    FixResult fixes;
    if (data[0] >= 192) /* the texts are changed by it */
        err_free(fix_run(arena, sets, 1, &options, &fixes, &result));
    arena_free(arena);
    return 0;
}
