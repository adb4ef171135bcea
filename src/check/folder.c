/* Files of a migration tool: which one, and in what order. */
#include "check/folder.h"

#include "base/str.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

const char *tool_name(Tool tool)
{
    static const char *const names[TOOL_COUNT] = {"",      "Flyway",         "Liquibase", "dbmate",
                                                  "goose", "golang-migrate", "sqitch",    "Atlas",
                                                  "Rails", "Django",         "Prisma"};
    return names[tool];
}

/* ---- names ---------------------------------------------------------------------------------- */

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

/* The name of the folder that the file is in. */
static const char *parent_of(Arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return "";
    return base_of(arena_dupn(arena, path, (size_t)(slash - path)));
}

static bool ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

static size_t digits(const char *text) { return strspn(text, "0123456789"); }

/* "V1.2__x.sql", "R__x.sql" … */
static bool is_flyway(const char *name)
{
    if (strchr("VRUB", name[0]) == NULL || name[0] == '\0')
        return false;
    const char *separator = strstr(name, "__");
    if (separator == NULL || !ends_with(name, ".sql"))
        return false;
    size_t len = (size_t)(separator - name) - 1;
    return name[0] == 'R' ? len == 0 : len > 0 && strspn(name + 1, "0123456789._") >= len;
}

static bool is_golang_migrate(const char *name)
{
    size_t len = digits(name);
    return len > 0 && name[len] == '_' && (ends_with(name, ".up.sql") || ends_with(name, ".down.sql"));
}

/* ---- content -------------------------------------------------------------------------------- */

/* A line that begins with "--" and then, behind white space, with `word`. */
static bool has_line(const char *text, const char *word)
{
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        const char *at = line + strspn(line, " \t");
        if (at[0] == '-' && at[1] == '-') {
            at += 2 + strspn(at + 2, " \t");
            if (strncasecmp(at, word, strlen(word)) == 0)
                return true;
        }
    }
    return false;
}

static const char *first_line(const char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    return text;
}

static bool is_liquibase(const char *text)
{
    const char *at = first_line(text);
    if (strncmp(at, "--", 2) != 0)
        return false;
    at += 2 + strspn(at + 2, " \t");
    if (strncasecmp(at, "liquibase", 9) != 0)
        return false;
    at += 9 + strspn(at + 9, " \t");
    return strncasecmp(at, "formatted", 9) == 0;
}

/* "BEGIN;" and blocks of three comment lines, or the same without BEGIN. */
static bool is_django(const char *text)
{
    const char *at = first_line(text);
    if (strncmp(at, "BEGIN;", 6) == 0)
        at = first_line(at + 6);
    return strncmp(at, "--\n-- ", 6) == 0 && strstr(at, "\n--\n") != NULL;
}

static bool is_rails(const char *name, const char *text)
{
    return str_eq(name, "structure.sql") ||
           strstr(text, "INSERT INTO \"schema_migrations\" (version) VALUES") != NULL ||
           strstr(text, "INSERT INTO `schema_migrations` (version) VALUES") != NULL;
}

static Tool tool_of(Arena *arena, const SourceSet *set, const Source *source)
{
    const char *name = base_of(source->path), *text = source->text;
    const char *folder = parent_of(arena, source->path);
    if (is_liquibase(text))
        return TOOL_LIQUIBASE;
    if (has_line(text, "migrate:up"))
        return TOOL_DBMATE;
    if (has_line(text, "+goose up"))
        return TOOL_GOOSE;
    if (set->plan != NULL || (has_line(text, "Deploy ") && str_eq(folder, "deploy")))
        return TOOL_SQITCH;
    if (is_rails(name, text))
        return TOOL_RAILS;
    if (str_eq(name, "migration.sql") && (set->prisma || digits(folder) == 14))
        return TOOL_PRISMA;
    if (is_golang_migrate(name))
        return TOOL_GOLANG_MIGRATE;
    if (set->atlas || has_line(text, "atlas:txmode") || has_line(text, "atlas:delimiter"))
        return TOOL_ATLAS;
    if (is_flyway(name))
        return TOOL_FLYWAY;
    return is_django(text) ? TOOL_DJANGO : TOOL_NONE;
}

/* ---- what each file is ---------------------------------------------------------------------- */

static void read_version(Arena *arena, Source *source)
{
    const char *name = base_of(source->path);
    source->version = "";
    switch (source->tool) {
    case TOOL_FLYWAY: {
        size_t len = (size_t)(strstr(name, "__") - name);
        char *version = arena_dupn(arena, name, len);
        for (char *at = version; *at != '\0'; at++)
            if (*at == '_')
                *at = '.';
        source->version = name[0] == 'R' ? "" : version;
        source->down = name[0] == 'U';
        break;
    }
    case TOOL_DBMATE:
    case TOOL_GOOSE:
    case TOOL_GOLANG_MIGRATE:
        source->version = arena_dupn(arena, name, digits(name));
        source->down = source->tool == TOOL_GOLANG_MIGRATE && ends_with(name, ".down.sql");
        break;
    case TOOL_ATLAS:
        source->version = arena_dupn(arena, name, strcspn(name, "_."));
        break;
    case TOOL_PRISMA:
        source->version = parent_of(arena, source->path);
        break;
    case TOOL_SQITCH:
        source->down = strstr(source->path, "revert/") != NULL;
        source->skipped = strstr(source->path, "verify/") != NULL;
        break;
    case TOOL_NONE:
    case TOOL_LIQUIBASE:
    case TOOL_RAILS:
    case TOOL_DJANGO:
    case TOOL_COUNT:
        break;
    }
}

static bool is_listed(const SourceSet *set, const char *path)
{
    for (size_t i = 0; i < set->plain.len; i++)
        if (str_eq(set->plain.items[i], path))
            return true;
    return false;
}

/* ---- order ---------------------------------------------------------------------------------- */

/* "V1.10" behind "V1.9": numbers by value, the rest by bytes. */
static int compare_versions(const char *a, const char *b)
{
    while (*a != '\0' && *b != '\0') {
        size_t la = digits(a), lb = digits(b);
        if (la > 0 && lb > 0) {
            const char *na = a + strspn(a, "0"), *nb = b + strspn(b, "0");
            size_t da = digits(na), db = digits(nb);
            int order = da != db ? (da < db ? -1 : 1) : strncmp(na, nb, da);
            if (order != 0)
                return order;
            a += la;
            b += lb;
        } else if (*a != *b) {
            return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
        } else {
            a++;
            b++;
        }
    }
    return (*a != '\0') - (*b != '\0');
}

/* Where a change stands in sqitch.plan: its line; a large number for none. */
static size_t plan_line(const SourceSet *set, const char *path)
{
    const char *folders[] = {"deploy/", "revert/", "verify/"};
    const char *name = NULL;
    for (size_t i = 0; i < ARRAY_LEN(folders) && name == NULL; i++) {
        const char *found = strstr(path, folders[i]);
        name = found == NULL ? NULL : found + strlen(folders[i]);
    }
    if (name == NULL || set->plan == NULL)
        return SIZE_MAX;
    size_t len = strlen(name) - (ends_with(name, ".sql") ? 4 : 0), line = 0;
    for (const char *at = set->plan; at != NULL; at = strchr(at, '\n'), line++) {
        at += *at == '\n';
        if (strncmp(at, name, len) == 0 &&
            (at[len] == ' ' || at[len] == '\n' || at[len] == '\0' || at[len] == '['))
            return line;
    }
    return SIZE_MAX;
}

static int flyway_rank(const Source *source)
{
    const char *name = base_of(source->path);
    return source->tool != TOOL_FLYWAY ? 0 : name[0] == 'R' ? 2 : name[0] == 'B' ? 0 : 1;
}

static int compare_sources(const void *a, const void *b, void *context)
{
    const Source *one = a, *two = b;
    const SourceSet *set = context;
    size_t line_one = plan_line(set, one->path), line_two = plan_line(set, two->path);
    if (line_one != line_two)
        return line_one < line_two ? -1 : 1;
    if (one->tool == two->tool && flyway_rank(one) != flyway_rank(two))
        return flyway_rank(one) - flyway_rank(two);
    if (one->tool == two->tool && one->version[0] != '\0' && two->version[0] != '\0') {
        bool words = one->tool == TOOL_DBMATE || one->tool == TOOL_ATLAS || one->tool == TOOL_PRISMA;
        const char *x = one->tool == TOOL_FLYWAY ? one->version + 1 : one->version;
        const char *y = two->tool == TOOL_FLYWAY ? two->version + 1 : two->version;
        int order = words ? strcmp(base_of(x), base_of(y)) : compare_versions(x, y);
        if (order != 0)
            return order;
    }
    return one->given < two->given ? -1 : one->given > two->given;
}

static void find_twins(SourceSet *set)
{
    for (size_t i = 1; i < set->files.len; i++) {
        Source *one = &set->files.items[i - 1], *two = &set->files.items[i];
        bool same = one->tool == two->tool && one->tool != TOOL_NONE && two->version[0] != '\0' &&
                    str_eq(one->version, two->version) && one->down == two->down;
        if (same && two->problem == NULL) {
            two->problem = one->path;
            two->problem_rule = "migration-version-twice";
        }
    }
}

void folder_read(Arena *arena, SourceSet *set)
{
    for (size_t i = 0; i < set->files.len; i++) {
        Source *source = &set->files.items[i];
        source->given = i;
        source->tool = tool_of(arena, set, source);
        read_version(arena, source);
        source->no_transaction = source->no_transaction || is_listed(set, source->path);
        folder_cut(arena, source);
    }
    if (set->files.len > 1)
        qsort_r(set->files.items, set->files.len, sizeof set->files.items[0], compare_sources, set);
    find_twins(set);
    folder_sum(arena, set);
}

/* ---- dialect -------------------------------------------------------------------------------- */

static size_t count_of(const char *text, size_t len, const char *word)
{
    size_t count = 0, size = strlen(word);
    for (size_t at = 0; at + size <= len && count < 100; at++)
        if ((text[at] == word[0] || text[at] == (word[0] ^ 32)) && strncasecmp(text + at, word, size) == 0) {
            count++;
            at += size - 1;
        }
    return count;
}

enum { LOOK_BYTES = 65536 };

CheckEngine engine_of_text(const char *text, size_t len)
{
    static const char *const my[] = {"AUTO_INCREMENT", "ENGINE=",    "ENGINE =",           "DEFAULT CHARSET",
                                     "MODIFY COLUMN",  " MODIFY `",  "\nDELIMITER ",       "CHANGE COLUMN",
                                     " UNSIGNED",      "ALGORITHM=", "foreign_key_checks", "utf8mb4"};
    static const char *const pg[] = {"$$",
                                     "CONCURRENTLY",
                                     "bigserial",
                                     "timestamptz",
                                     "::",
                                     "USING btree",
                                     "jsonb",
                                     "LANGUAGE plpgsql",
                                     "lock_timeout",
                                     "NOT VALID",
                                     "GENERATED BY DEFAULT",
                                     "OWNER TO"};
    size_t score_my = 0, score_pg = 0, look = len < LOOK_BYTES ? len : LOOK_BYTES;
    for (size_t i = 0; i < ARRAY_LEN(my); i++)
        score_my += count_of(text, look, my[i]);
    for (size_t i = 0; i < ARRAY_LEN(pg); i++)
        score_pg += count_of(text, look, pg[i]);
    size_t ticks = count_of(text, look, "`");
    return score_my + ticks > score_pg * 2 ? CHECK_MYSQL : CHECK_POSTGRES;
}
