/* What the tools' own state tables say has been applied.
 *
 * Sources: Flyway "Flyway schema history table", Liquibase "DATABASECHANGELOG table", the readmes of dbmate,
 * goose and golang-migrate, sqitch's "sqitchtutorial", Atlas "Revisions table", Prisma "_prisma_migrations",
 * Django "django_migrations", Rails "schema_migrations". */
#include "base/digest.h"
#include "base/str.h"
#include "check/server/online.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { READ_MS = 10000 };

/* Rows of what each statement gives: a name that applied files go by, and where it says so a second one. */
typedef struct State {
    Tool tool;
    const char *table; /* for messages */
    const char *sql;   /* of both worlds */
    const char *pg;    /* in place of it, on PostgreSQL; NULL */
} State;

static const State states[] = {
    {TOOL_FLYWAY, "flyway_schema_history",
     "SELECT script, checksum FROM flyway_schema_history WHERE success AND type <> 'SCHEMA' ORDER BY "
     "installed_rank",
     NULL},
    {TOOL_LIQUIBASE, "databasechangelog", "SELECT id, author FROM DATABASECHANGELOG",
     "SELECT id, author FROM databasechangelog"},
    {TOOL_DBMATE, "schema_migrations", "SELECT version, NULL FROM schema_migrations", NULL},
    {TOOL_GOOSE, "goose_db_version",
     "SELECT version_id, NULL FROM goose_db_version g WHERE is_applied AND NOT EXISTS (SELECT 1 FROM "
     "goose_db_version n "
     "WHERE n.version_id = g.version_id AND n.id > g.id)",
     NULL},
    {TOOL_GOLANG_MIGRATE, "schema_migrations", "SELECT version, NULL FROM schema_migrations", NULL},
    {TOOL_SQITCH, "sqitch.changes", "SELECT `change`, NULL FROM sqitch.changes",
     "SELECT change, NULL FROM sqitch.changes"},
    {TOOL_ATLAS, "atlas_schema_revisions",
     "SELECT version, NULL FROM atlas_schema_revisions.atlas_schema_revisions", NULL},
    {TOOL_RAILS, "schema_migrations", "SELECT version, NULL FROM schema_migrations", NULL},
    {TOOL_DJANGO, "django_migrations", "SELECT name, app FROM django_migrations", NULL},
    {TOOL_PRISMA, "_prisma_migrations",
     "SELECT migration_name, checksum FROM _prisma_migrations WHERE finished_at IS NOT NULL AND "
     "rolled_back_at "
     "IS NULL",
     NULL},
    {TOOL_NONE, "schema_migrations", "SELECT version, NULL FROM schema_migrations", NULL},
};

/* ---- names of files ------------------------------------------------------------------------- */

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

static const char *folder_of(Arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return "";
    char *folder = arena_dupn(arena, path, (size_t)(slash - path));
    return base_of(folder);
}

/* Without its last suffix. */
static const char *stem_of(Arena *arena, const char *path)
{
    const char *base = base_of(path), *dot = strrchr(base, '.');
    return dot == NULL ? base : arena_dupn(arena, base, (size_t)(dot - base));
}

/* Digits as a number: "0003" and "3" are the same version. */
static bool same_number(const char *a, const char *b)
{
    size_t a_len = strspn(a, "0123456789"), b_len = strspn(b, "0123456789");
    while (a_len > 1 && *a == '0')
        a++, a_len--;
    while (b_len > 1 && *b == '0')
        b++, b_len--;
    return a_len > 0 && a_len == b_len && strncmp(a, b, a_len) == 0;
}

static bool has(const Rows *rows, const char *name)
{
    for (size_t i = 0; i < rows->row_count; i++)
        if (str_eq(rows_cell(rows, i, 0), name))
            return true;
    return false;
}

static bool has_number(const Rows *rows, const char *file)
{
    for (size_t i = 0; i < rows->row_count; i++)
        if (rows_cell(rows, i, 0) != NULL && same_number(rows_cell(rows, i, 0), file))
            return true;
    return false;
}

/* golang-migrate keeps the one version that it has come to. */
static bool is_behind(const Rows *rows, const char *file)
{
    if (rows->row_count == 0 || strspn(file, "0123456789") == 0)
        return false;
    return strtoll(file, NULL, 10) <= rows_int(rows, 0, 0);
}

/* ---- Flyway --------------------------------------------------------------------------------- */

static uint32_t crc_add(uint32_t crc, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        crc ^= (unsigned char)text[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? 0xEDB88320U : 0);
    }
    return crc;
}

/* Flyway's checksum: CRC-32 of the lines without their ends. */
static int32_t flyway_checksum(const Source *source)
{
    uint32_t crc = 0xFFFFFFFFU;
    const char *at = source->text, *end = source->text + source->len;
    if (source->len >= 3 && memcmp(at, "\xEF\xBB\xBF", 3) == 0)
        at += 3;
    while (at < end) {
        size_t len = strcspn(at, "\r\n");
        crc = crc_add(crc, at, len);
        at += len;
        at += *at == '\r';
        at += *at == '\n';
    }
    return (int32_t)~crc;
}

/* A repeatable one is pending again when its text has changed. */
static bool is_applied_flyway(const Rows *rows, const Source *source)
{
    const char *base = base_of(source->path);
    for (size_t i = rows->row_count; i > 0; i--) {
        if (!str_eq(base_of(rows_cell(rows, i - 1, 0)), base))
            continue;
        return base[0] != 'R' || rows_cell(rows, i - 1, 1) == NULL ||
               rows_int(rows, i - 1, 1) == flyway_checksum(source);
    }
    return false;
}

/* ---- Liquibase ------------------------------------------------------------------------------ */

/* The marker "--changeset author:id …" stands in the line before the part. */
static bool is_applied_set(Arena *arena, const Rows *rows, const Source *source, const Part *part)
{
    size_t end = part->start;
    while (end > 0 && (source->text[end - 1] == '\n' || source->text[end - 1] == '\r'))
        end--;
    size_t start = end;
    while (start > 0 && source->text[start - 1] != '\n')
        start--;
    const char *line = arena_dupn(arena, source->text + start, end - start);
    const char *word = strcasestr(line, "changeset");
    if (word == NULL)
        return false;
    word += strlen("changeset");
    word += strspn(word, " \t");
    const char *colon = strchr(word, ':');
    if (colon == NULL)
        return false;
    const char *author = arena_dupn(arena, word, (size_t)(colon - word));
    const char *id = arena_dupn(arena, colon + 1, strcspn(colon + 1, " \t"));
    for (size_t i = 0; i < rows->row_count; i++)
        if (str_eq(rows_cell(rows, i, 0), id) && str_eq(rows_cell(rows, i, 1), author))
            return true;
    return false;
}

static void mark_sets(Arena *arena, const Rows *rows, Source *source)
{
    bool all = source->parts.len > 0;
    for (size_t i = 0; i < source->parts.len; i++) {
        Part *part = &source->parts.items[i];
        part->applied = is_applied_set(arena, rows, source, part);
        all = all && part->applied;
    }
    source->applied = source->applied || all;
}

/* ---- history ------------------------------------------------------------------------------- */

/* What the tool has written down of the text is not what it is now. */
static bool is_edited(Arena *arena, Tool tool, const Rows *rows, const Source *source)
{
    const char *name = tool == TOOL_PRISMA ? folder_of(arena, source->path) : base_of(source->path);
    for (size_t i = rows->row_count; i > 0; i--) {
        const char *sum = rows_cell(rows, i - 1, 1);
        if (!str_eq(base_of(rows_cell(rows, i - 1, 0)), name))
            continue;
        if (tool == TOOL_FLYWAY)
            return sum != NULL && rows_int(rows, i - 1, 1) != flyway_checksum(source);
        const char *digest = digest_text(arena, source->text, source->len);
        return sum != NULL && sum[0] != '\0' && !str_eq(sum, digest + strlen("sha256:"));
    }
    return false;
}

static void tell_edited(Arena *arena, Tool tool, const Rows *rows, SourceSet *set)
{
    for (size_t i = 0; (tool == TOOL_FLYWAY || tool == TOOL_PRISMA) && i < set->files.len; i++) {
        Source *source = &set->files.items[i];
        bool again = tool == TOOL_FLYWAY && base_of(source->path)[0] == 'R';
        if (!source->applied || again || !is_edited(arena, tool, rows, source))
            continue;
        source->problem = "its checksum is not the one that the tool has kept";
        source->problem_rule = "migration-edited";
    }
}

/* golang-migrate leaves such files out without a word, so nobody knows of them. */
static bool is_ordered(Tool tool)
{
    return tool == TOOL_FLYWAY || tool == TOOL_DBMATE || tool == TOOL_GOOSE || tool == TOOL_ATLAS ||
           tool == TOOL_PRISMA;
}

static void tell_late(SourceSet *set)
{
    const Source *behind = NULL;
    for (size_t i = set->files.len; i > 0; i--) {
        Source *source = &set->files.items[i - 1];
        if (source->skipped || source->down || source->version[0] == '\0')
            continue;
        if (source->applied && behind == NULL)
            behind = source;
        if (source->applied || behind == NULL || source->problem != NULL)
            continue;
        source->problem = behind->path;
        source->problem_rule = "migration-out-of-order";
    }
}

/* ---- files ---------------------------------------------------------------------------------- */

static bool is_applied(Arena *arena, const State *state, const Rows *rows, const Source *source)
{
    const char *base = base_of(source->path), *stem = stem_of(arena, source->path);
    switch (state->tool) {
    case TOOL_FLYWAY:
        return is_applied_flyway(rows, source);
    case TOOL_GOLANG_MIGRATE:
        return is_behind(rows, base);
    case TOOL_SQITCH:
        return has(rows, stem);
    case TOOL_DJANGO:
        return has(rows, stem);
    case TOOL_PRISMA:
        return has(rows, folder_of(arena, source->path));
    case TOOL_NONE:
    case TOOL_DBMATE:
    case TOOL_GOOSE:
    case TOOL_ATLAS:
    case TOOL_RAILS:
    case TOOL_LIQUIBASE:
    case TOOL_COUNT:
        break;
    }
    return has_number(rows, base) || has(rows, stem);
}

static Err *read_state(const Online *online, const State *state, Rows *ret_rows, bool *ret_there)
{
    Wait wait = {.stop = online->stop, .timeout_ms = READ_MS};
    bool pg = online->ops->dialect == DIALECT_POSTGRES && state->pg != NULL;
    Err *err = conn_query(online->conn, &wait, online->arena, ret_rows, pg ? state->pg : state->sql);
    *ret_there = err == NULL;
    if (!err_is(err, ERR_SQL))
        return err;
    err_free(err);
    return NULL;
}

static Tool tool_of(const SourceSet *set)
{
    for (size_t i = 0; i < set->files.len; i++)
        if (!set->files.items[i].skipped && set->files.items[i].tool != TOOL_NONE)
            return set->files.items[i].tool;
    return TOOL_NONE;
}

static Err *mark_set(const Online *online, SourceSet *set)
{
    Tool tool = tool_of(set);
    for (size_t s = 0; s < ARRAY_LEN(states); s++) {
        Rows rows = {0};
        bool there = false;
        if (states[s].tool != tool)
            continue;
        TRY(read_state(online, &states[s], &rows, &there));
        if (!there)
            return err_hint(err_new(ERR_USAGE,
                                    "--pending: %s keeps what it has applied in %s, which is not there",
                                    tool == TOOL_NONE ? "the tool" : tool_name(tool), states[s].table),
                            "has it run against this database? Without --pending all files are checked, with "
                            "--applied those behind a version");
        for (size_t i = 0; i < set->files.len; i++) {
            Source *source = &set->files.items[i];
            if (tool == TOOL_LIQUIBASE)
                mark_sets(online->arena, &rows, source);
            else if (!source->skipped && !source->down)
                source->applied = source->applied || is_applied(online->arena, &states[s], &rows, source);
        }
        tell_edited(online->arena, tool, &rows, set);
        if (is_ordered(tool))
            tell_late(set);
    }
    return NULL;
}

Err *online_pending(const Online *online, SourceSet *const *sets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        TRY(mark_set(online, sets[i]));
    return NULL;
}
