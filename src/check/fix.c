/* Safe forms as edits of the text. */
#include "check/fix.h"

#include "change/split_pg.h"
#include "check/way_my.h"
#include "engine/sql.h"

#include <string.h>

/* ---- places --------------------------------------------------------------------------------- */

enum { LOOK_AHEAD = 4096 };

/* Where the semicolon of the statement stands, behind comments; SIZE_MAX: it ends by something else. */
static size_t semicolon_of(const RuleCall *call)
{
    const char *text = call->stream->text;
    size_t from = stream_statement(call->stream)->end;
    PgLexeme lexeme = pg_lexeme_code(text, from, from + strnlen(text + from, LOOK_AHEAD));
    return pg_lexeme_symbol(text, &lexeme) == ';' ? lexeme.start : SIZE_MAX;
}

/* goose sends what stands between these as one message. */
static bool in_goose_block(const char *text, size_t at)
{
    static const char mark[] = "+goose Statement";
    enum { LOOK_BACK = 20000 };
    size_t from = at > LOOK_BACK ? at - LOOK_BACK : 0;
    const char *last = NULL;
    for (const char *found = text + from;
         (found = memmem(found, (size_t)(text + at - found), mark, 16)) != NULL; found++)
        last = found;
    return last != NULL && str_starts(last + 16, "Begin");
}

/* The statement ends with a semicolon, so that another may stand beside it. */
static bool is_closed(const RuleCall *call)
{
    return semicolon_of(call) != SIZE_MAX &&
           !in_goose_block(call->stream->text, stream_statement(call->stream)->start);
}

static const char *newline_of(const RuleCall *call)
{
    const char *first = strchr(call->stream->text, '\n');
    return first != NULL && first > call->stream->text && first[-1] == '\r' ? "\r\n" : "\n";
}

static size_t line_start(const char *text, size_t at)
{
    while (at > 0 && text[at - 1] != '\n')
        at--;
    return at;
}

static bool silences(const char *text, size_t from, size_t to)
{
    static const char *const words[] = {"stoa: ignore", "squawk-ignore", "atlas:nolint"};
    size_t first = from;
    while (first < to && (text[first] == ' ' || text[first] == '\t'))
        first++;
    if (first + 2 > to || text[first] != '-' || text[first + 1] != '-')
        return false;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (memmem(text + from, to - from, words[i], strlen(words[i])) != NULL)
            return true;
    return false;
}

/* Where the statement's first line begins, above comments that silence something for it; `at` itself where
 * other code stands before it on the line. */
static size_t place_before(const char *text, size_t at, const char **ret_indent, Arena *arena)
{
    size_t start = line_start(text, at);
    *ret_indent = NULL;
    for (size_t i = start; i < at; i++)
        if (text[i] != ' ' && text[i] != '\t')
            return at;
    *ret_indent = arena_dupn(arena, text + start, at - start);
    while (start > 0) {
        size_t above = line_start(text, start - 1);
        if (!silences(text, above, start))
            break;
        start = above;
    }
    return start;
}

/* ---- edits ---------------------------------------------------------------------------------- */

static void replace(Fix *fix, size_t start, size_t end, const char *text)
{
    *vec_push(fix->arena, &fix->edits) = (Edit){start, end, text};
}

/* Whole statements before that of the call, in lines of their own, closed. */
static void add_before(const RuleCall *call, Fix *fix, const char *sql)
{
    const char *indent, *newline = newline_of(call), *text = call->stream->text;
    size_t at = place_before(text, stream_statement(call->stream)->start, &indent, fix->arena);
    CLEANUP(str_donep) Str all = STR_INIT;
    for (const char *line = sql; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        str_addf(&all, "%s%.*s%s", indent == NULL ? "" : indent, (int)len, line,
                 indent == NULL ? " " : newline);
        line += len + (line[len] == '\n');
    }
    replace(fix, at, at, arena_dup(fix->arena, all.buf));
}

/* A statement behind it, below a comment that follows on its line. */
static void add_after(const RuleCall *call, Fix *fix, const char *sql)
{
    const ActStatement *statement = stream_statement(call->stream);
    const char *text = call->stream->text, *indent;
    size_t at = semicolon_of(call) + 1, rest = at;
    (void)place_before(text, statement->start, &indent, fix->arena);
    while (text[rest] == ' ' || text[rest] == '\t')
        rest++;
    if (str_starts(text + rest, "--"))
        at = rest + strcspn(text + rest, "\r\n");
    replace(fix, at, at,
            arena_printf(fix->arena, "%s%s%s", newline_of(call), indent == NULL ? "" : indent, sql));
}

static const char *fill(const RuleCall *call, Fix *fix, const char *template_text)
{
    return rule_fill(fix->arena, call->stream, call->act, template_text);
}

/* The statement may be taken apart: it commits by itself, and what is asked for is named once. */
static bool is_free(const RuleCall *call)
{
    const Act *act = call->act;
    return !stream_in_transaction(call->stream) && act->function == NULL && is_closed(call) &&
           (act->flags & (ACT_IF_EXISTS | ACT_ONLY)) == 0;
}

static bool is_whole(const RuleCall *call) { return stream_statement(call->stream)->acts.len == 1; }

static const KnownTable *table_of(const RuleCall *call)
{
    return known_table(call->stream->known, call->act->table);
}

/* ---- PostgreSQL ----------------------------------------------------------------------------- */

/* The first of these words outside of parentheses; its end, 0 if there is none. */
static size_t word_end(const RuleCall *call, const char *const *words, size_t count)
{
    const ActStatement *statement = stream_statement(call->stream);
    const char *text = call->stream->text;
    int depth = 0;
    for (size_t at = statement->start;;) {
        PgLexeme lexeme = pg_lexeme_code(text, at, statement->end);
        if (lexeme.kind == PG_LEXEME_END || lexeme.open)
            return 0;
        char symbol = pg_lexeme_symbol(text, &lexeme);
        depth += symbol == '(' ? 1 : symbol == ')' ? -1 : 0;
        for (size_t i = 0; i < count && depth == 0; i++)
            if (pg_lexeme_is(text, &lexeme, words[i]))
                return lexeme.end;
        at = lexeme.end;
    }
}

bool fix_concurrently(const RuleCall *call, Fix *fix)
{
    static const char *const index[] = {"index"}, *const things[] = {"index", "table", "schema", "database"};
    const Act *act = call->act;
    bool reindex = act->kind == ACT_REINDEX;
    if (stream_in_transaction(call->stream) || act->function != NULL || !is_whole(call) ||
        (act->flags & (ACT_CASCADES | ACT_ONLY)) != 0 || (reindex && call->stream->target->version < 120000))
        return false;
    size_t at = word_end(call, reindex ? things : index, reindex ? ARRAY_LEN(things) : 1);
    if (at == 0)
        return false;
    replace(fix, at, at, " CONCURRENTLY");
    fix->what = act->kind == ACT_DROP_INDEX ? "Drop the index CONCURRENTLY" : "Build the index CONCURRENTLY";
    return true;
}

/* It is refused where there is a default partition, so the table has to be in sight. */
bool fix_detach(const RuleCall *call, Fix *fix)
{
    const KnownTable *table = table_of(call);
    if (!is_free(call) || !is_whole(call) || call->stream->target->version < 140000 || table == NULL ||
        !table->partitioned || table->default_partition)
        return false;
    replace(fix, call->act->end, call->act->end, " CONCURRENTLY");
    fix->what = "Detach the partition CONCURRENTLY";
    return true;
}

bool fix_not_valid(const RuleCall *call, Fix *fix)
{
    const ActConstraint *spec = call->act->constraint;
    const KnownTable *table = table_of(call);
    if (!is_free(call) || spec == NULL || spec->name == NULL || (table != NULL && table->partitioned))
        return false;
    replace(fix, call->act->end, call->act->end, " NOT VALID");
    add_after(call, fix, fill(call, fix, "ALTER TABLE {table} VALIDATE CONSTRAINT {key};"));
    fix->what = "Add the constraint NOT VALID, then VALIDATE it";
    return true;
}

/* The columns in parentheses, where they are all that follows UNIQUE. */
static bool columns_of(const RuleCall *call, size_t *ret_start, size_t *ret_end)
{
    const char *text = call->stream->text;
    const size_t end = call->act->end;
    bool unique = false;
    for (size_t at = call->act->start; at < end;) {
        PgLexeme lexeme = pg_lexeme_code(text, at, end);
        if (lexeme.kind == PG_LEXEME_END || lexeme.open)
            return false;
        char symbol = pg_lexeme_symbol(text, &lexeme);
        if (unique && symbol != '(')
            return false;
        if (unique) {
            *ret_start = lexeme.start;
            *ret_end = end;
            const char *close = memchr(text + lexeme.start, ')', end - lexeme.start);
            return close != NULL && close + 1 == text + end;
        }
        unique = pg_lexeme_is(text, &lexeme, "unique");
        at = lexeme.end;
    }
    return false;
}

bool fix_unique(const RuleCall *call, Fix *fix)
{
    const ActConstraint *spec = call->act->constraint;
    const KnownTable *table = table_of(call);
    size_t start = 0, end = 0;
    if (!is_free(call) || !is_whole(call) || spec == NULL || spec->name == NULL ||
        (table != NULL && table->partitioned) || !columns_of(call, &start, &end))
        return false;
    const char *columns = arena_dupn(fix->arena, call->stream->text + start, end - start);
    if (strpbrk(columns, "\r\n") != NULL || strstr(columns, "--") != NULL)
        columns = fill(call, fix, "({columns})");
    add_before(call, fix,
               arena_printf(fix->arena, "%s %s;",
                            fill(call, fix, "CREATE UNIQUE INDEX CONCURRENTLY {key} ON {table}"), columns));
    replace(fix, start, end, fill(call, fix, "USING INDEX {key}"));
    fix->what = "Build the index CONCURRENTLY, then give it to the constraint";
    return true;
}

enum { NAME_MOST_BYTES = 63 };

/* The check proves it, and goes again. */
bool fix_not_null(const RuleCall *call, Fix *fix)
{
    const Act *act = call->act;
    const KnownTable *table = table_of(call);
    if (!is_free(call) || !is_whole(call) || call->stream->target->version < 120000 || act->name == NULL ||
        act->table.name == NULL || (table != NULL && table->partitioned))
        return false;
    const char *name = arena_printf(fix->arena, "%s_%s_filled", act->table.name, act->name);
    if (strlen(name) > NAME_MOST_BYTES)
        return false;
    const char *check = sql_ident(fix->arena, name), *on = fill(call, fix, "ALTER TABLE {table}");
    add_before(call, fix,
               arena_printf(fix->arena,
                            "%s ADD CONSTRAINT %s CHECK (%s IS NOT NULL) NOT VALID;\n"
                            "%s VALIDATE CONSTRAINT %s;",
                            on, check, sql_ident(fix->arena, act->name), on, check));
    add_after(call, fix, arena_printf(fix->arena, "%s DROP CONSTRAINT %s;", on, check));
    fix->what = "Prove NOT NULL by a validated check first";
    return true;
}

bool fix_lock_timeout(const RuleCall *call, Fix *fix)
{
    const Stream *stream = call->stream;
    if (stream->dump || !is_closed(call))
        return false;
    bool local = stream->begun || stream->model == TX_WRAPPED;
    add_before(call, fix, local ? "SET LOCAL lock_timeout = '2s';" : "SET lock_timeout = '2s';");
    fix->what = "Set lock_timeout before it";
    return true;
}

/* ---- MySQL and MariaDB ---------------------------------------------------------------------- */

bool fix_lock_wait_timeout(const RuleCall *call, Fix *fix)
{
    if (call->stream->dump || call->act->function != NULL || !is_closed(call))
        return false;
    add_before(call, fix, "SET SESSION lock_wait_timeout = 2;");
    fix->what = "Set lock_wait_timeout before it";
    return true;
}

/* What is instant anyway: the server refuses it where it is not. */
bool fix_algorithm(const RuleCall *call, Fix *fix)
{
    const CheckTarget *target = call->stream->target;
    int since = target->engine == CHECK_MARIADB ? 100300 : 80012;
    if (!is_whole(call) || call->act->function != NULL || !str_eq(call->act->words, "ALTER TABLE") ||
        target->version < since || way_my(call->stream, call->act) != WAY_INSTANT)
        return false;
    replace(fix, call->act->end, call->act->end, ", ALGORITHM=INSTANT");
    fix->what = "Ask for ALGORITHM=INSTANT";
    return true;
}

/* ---- the whole ------------------------------------------------------------------------------ */

void fix_make(Arena *arena, const RuleCall *call, Fix *fix)
{
    *fix = (Fix){.arena = arena};
    if (!call->rule->fix(call, fix))
        *fix = (Fix){.arena = arena};
    for (size_t i = 1; i < fix->edits.len; i++)
        for (size_t j = i; j > 0 && fix->edits.items[j].start < fix->edits.items[j - 1].start; j--) {
            Edit later = fix->edits.items[j - 1];
            fix->edits.items[j - 1] = fix->edits.items[j];
            fix->edits.items[j] = later;
        }
}
