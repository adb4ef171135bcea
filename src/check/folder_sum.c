/* atlas.sum held against the files: a line for each, "NAME h1:HASH", whose hash is that of all names and
 * files up to it, behind a line with the hash of those lines. Files that say "atlas:sum ignore" count by
 * their name only. */
#include "base/digest.h"
#include "base/str.h"
#include "check/folder.h"

#include <string.h>

/* A file's name where it lies in the folder itself; NULL. */
static const char *name_in(const SourceSet *set, const Source *source)
{
    size_t len = set->folder == NULL ? 0 : strlen(set->folder);
    if (len == 0 || strncmp(source->path, set->folder, len) != 0 || source->path[len] != '/')
        return NULL;
    const char *name = source->path + len + 1;
    return strchr(name, '/') == NULL ? name : NULL;
}

/* The hash that the text has for the name; "" if none. */
static const char *hash_of(Arena *arena, const char *text, const char *name)
{
    for (const char *line = text; *line != '\0';) {
        size_t len = strcspn(line, "\r\n");
        const char *mark = memmem(line, len, " h1:", 4);
        if (mark != NULL && (size_t)(mark - line) == strlen(name) && strncmp(line, name, strlen(name)) == 0)
            return arena_dupn(arena, mark + 4, len - (size_t)(mark + 4 - line));
        line += len + strspn(line + len, "\r\n");
    }
    return "";
}

static bool is_left_out(const Source *source)
{
    const char *mark = memmem(source->text, source->len, "atlas:sum ignore", 16);
    return mark != NULL && mark[16] != '\0' && strchr(" \t\r\n", mark[16]) != NULL;
}

void folder_sum(Arena *arena, SourceSet *set)
{
    DigestRun *files = digest_run_new(), *lines = digest_run_new();
    Source *last = NULL;
    bool told = set->atlas_sum == NULL;
    for (size_t i = 0; i < set->files.len && !told; i++) {
        Source *source = &set->files.items[i];
        const char *name = source->tool == TOOL_ATLAS ? name_in(set, source) : NULL;
        if (name == NULL)
            continue;
        last = source;
        digest_run_add(files, name, strlen(name));
        if (is_left_out(source))
            continue;
        digest_run_add(files, source->text, source->len);
        const char *hash = digest_run_base64(arena, files), *there = hash_of(arena, set->atlas_sum, name);
        digest_run_add(lines, name, strlen(name));
        digest_run_add(lines, hash, strlen(hash));
        told = !str_eq(hash, there);
        if (told && source->problem == NULL)
            source->problem = there[0] == '\0' ? "atlas.sum does not know it: run \"atlas migrate hash\""
                                               : "it is not what atlas.sum was made for";
    }
    const char *sum = arena_printf(arena, "h1:%s", digest_run_base64(arena, lines));
    if (!told && last != NULL && last->problem == NULL && !str_starts(set->atlas_sum, sum))
        last->problem = "atlas.sum is about other files as well, or was edited";
    digest_run_free(files);
    digest_run_free(lines);
}
