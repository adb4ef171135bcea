/* Syntax that only servers newer than the parser know: taken apart by its tokens, and judged by the server.
 */
#include "change/native.h"
#include "engine/sql.h"

#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 4, NAME_BYTES_MAX = 63 };

/* A run of tokens without comments, and the text they stand in. */
typedef struct Span {
    Parser *parser;
    const Token *items;
    size_t len;
} Span;

/* Words that the grammar of PostgreSQL 15 takes nowhere in this order; "*" is any one token. */
static const struct {
    const char *words[WORDS_MAX];
    int since;
} signs[] = {
    {{"NOT", "ENFORCED"}, 180000},
    {{"ENFORCED"}, 180000},
    {{"VIRTUAL"}, 180000},
    {{"WITHOUT", "OVERLAPS"}, 180000},
    {{"PERIOD"}, 180000},
    {{"ADD", "NOT", "NULL"}, 180000},
    {{"CONSTRAINT", "*", "NOT", "NULL"}, 180000},
    {{"ALTER", "CONSTRAINT", "*", "INHERIT"}, 180000},
    {{"ALTER", "CONSTRAINT", "*", "NO"}, 180000},
    {{"GENERATED", "ALWAYS", "AS", "("}, 180000},
    {{"SET", "EXPRESSION"}, 170000},
    {{"METHOD", "DEFAULT"}, 170000},
    {{"STATISTICS", "DEFAULT"}, 170000},
    {{"STORAGE"}, 160000},
    {{"MERGE", "PARTITIONS"}, 190000},
    {{"SPLIT", "PARTITION"}, 190000},
};

/* ---- tokens --------------------------------------------------------------------------------- */

static bool is_word(const Span *span, size_t at, const char *word)
{
    if (at >= span->len)
        return false;
    const Token *token = &span->items[at];
    size_t len = strlen(word);
    return token->end - token->start == len && strncasecmp(span->parser->text + token->start, word, len) == 0;
}

static bool has_words(const Span *span, size_t at, const char *const *words)
{
    for (size_t i = 0; i < WORDS_MAX && words[i] != NULL; i++)
        if (at + i >= span->len || (!str_eq(words[i], "*") && !is_word(span, at + i, words[i])))
            return false;
    return true;
}

/* The newest version whose syntax it needs; 0: none that is known. */
static int since_of(const Span *span)
{
    int since = 0;
    for (size_t i = 0; i < span->len; i++)
        for (size_t j = 0; j < ARRAY_LEN(signs); j++)
            if (signs[j].since > since && has_words(span, i, signs[j].words))
                since = signs[j].since;
    return since;
}

/* As it is written, but without comments: ours are no part of what is carried out. */
static const char *span_text(const Span *span)
{
    CLEANUP(str_donep) Str text = STR_INIT;
    const char *from = span->parser->text;
    for (size_t i = 0; i < span->len; i++) {
        const Token *token = &span->items[i];
        size_t before = i == 0 ? token->start : span->items[i - 1].end, gap = token->start - before;
        if (strspn(from + before, " \t\r\n\f") >= gap)
            str_addn(&text, from + before, gap);
        else
            str_add(&text, " ");
        str_addn(&text, from + token->start, token->end - token->start);
    }
    return arena_dup(span->parser->arena, text.buf);
}

static Span span_part(const Span *span, size_t from, size_t to)
{
    return (Span){span->parser, span->items + from, to - from};
}

/* An identifier as the server folds it. */
static const char *identifier(const Span *span, size_t at)
{
    const Span one = span_part(span, at, at + 1);
    const char *const *words = NULL;
    size_t count = 0;
    mentions_gather(span->parser->arena, span_text(&one), &words, &count);
    return count == 1 ? words[0] : NULL;
}

/* "name" or "schema.name"; the number of its tokens, 0 where there is none. */
static size_t read_name(const Span *span, size_t at, Name *ret_name)
{
    const char *first = at < span->len ? identifier(span, at) : NULL;
    bool dotted = first != NULL && is_word(span, at + 1, ".");
    const char *second = dotted && at + 2 < span->len ? identifier(span, at + 2) : NULL;
    if (first == NULL || (dotted && second == NULL))
        return 0;
    *ret_name = dotted ? (Name){.schema = first, .name = second} : (Name){.name = first};
    return dotted ? 3 : 1;
}

static Span span_of(Parser *parser, size_t start, size_t end)
{
    VEC(Token) kept = {0};
    for (size_t i = parser->next_token; i < parser->tokens.len && parser->tokens.items[i].start < end; i++) {
        const Token *token = &parser->tokens.items[i];
        if (token->start >= start && token->end <= end && !token_is_comment(token))
            *vec_push(parser->arena, &kept) = *token;
    }
    return (Span){parser, kept.items, kept.len};
}

/* ---- operations ----------------------------------------------------------------------------- */

static Operation *add(const Span *whole, NativeSpec spec, const char *words, NativeWhen when, Name table,
                      const char *sql)
{
    Parser *parser = whole->parser;
    Arena *arena = parser->arena;
    NativeSpec *kept = arena_alloc(arena, sizeof *kept);
    *kept = spec;
    Statement stmt = {
        .parser = parser, .start = whole->items[0].start, .end = whole->items[whole->len - 1].end};
    Operation *operation = native_add(&stmt, kept, words, when);
    operation->sql = sql;
    mentions_gather(arena, sql, &kept->mentions, &kept->mention_count);
    Name *names = arena_alloc(arena, sizeof *names);
    *names = table;
    operation->names = names;
    operation->name_count = 1;
    operation->table = table;
    operation->on_new = parser_made(parser, table);
    return operation;
}

/* Rows of the references are not read: a new table has none. */
static void add_references(const Span *span, Operation *operation, NativeSpec *spec)
{
    Arena *arena = span->parser->arena;
    for (size_t i = 0; i + 1 < span->len; i++) {
        Name name;
        if (!is_word(span, i, "REFERENCES") || read_name(span, i + 1, &name) == 0)
            continue;
        native_lock(arena, spec, name, "SHARE ROW EXCLUSIVE");
        Name *names = arena_alloc(arena, (operation->name_count + 1) * sizeof *names);
        memcpy(names, operation->names, operation->name_count * sizeof *names);
        names[operation->name_count] = name;
        operation->names = names;
        operation->name_count++;
    }
}

/* ---- ALTER TABLE ---------------------------------------------------------------------------- */

typedef struct Alter {
    Span whole;
    const char *head; /* "ALTER TABLE ONLY s.t" */
    Name table;
} Alter;

/* ADD [CONSTRAINT n] NOT NULL c [NO INHERIT] [NOT VALID]. */
typedef struct NotNull {
    const char *name, *column;
    bool no_inherit, not_valid;
} NotNull;

static bool read_not_null(const Alter *alter, const Span *part, NotNull *ret_spec)
{
    NotNull spec = {0};
    size_t at = 1;
    if (!is_word(part, 0, "ADD"))
        return false;
    if (is_word(part, at, "CONSTRAINT")) {
        spec.name = at + 1 < part->len ? identifier(part, at + 1) : NULL;
        at += 2;
    }
    if (!is_word(part, at, "NOT") || !is_word(part, at + 1, "NULL") || at + 2 >= part->len)
        return false;
    spec.column = identifier(part, at + 2);
    for (at += 3; at + 1 < part->len; at += 2) {
        bool no_inherit = is_word(part, at, "NO") && is_word(part, at + 1, "INHERIT");
        bool not_valid = is_word(part, at, "NOT") && is_word(part, at + 1, "VALID");
        if (!no_inherit && !not_valid)
            return false;
        spec.no_inherit = spec.no_inherit || no_inherit;
        spec.not_valid = spec.not_valid || not_valid;
    }
    if (spec.name == NULL && spec.column != NULL)
        spec.name = arena_printf(part->parser->arena, "%s_%s_not_null", alter->table.name, spec.column);
    *ret_spec = spec;
    return at == part->len && spec.column != NULL && strlen(spec.name) <= NAME_BYTES_MAX;
}

static const char *not_null_query(Arena *arena, const Alter *alter, const NotNull *spec, bool validated)
{
    return arena_printf(arena,
                        "SELECT EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE conrelid = "
                        "pg_catalog.to_regclass(%s) AND contype = 'n' AND conname = %s%s)",
                        sql_literal(arena, sql_name(arena, alter->table.schema, alter->table.name)),
                        sql_literal(arena, spec->name), validated ? " AND convalidated" : "");
}

/* First for new rows, then the old ones are read while writes go on. */
static void add_not_null(const Alter *alter, const Span *part, const NotNull *spec)
{
    Arena *arena = alter->whole.parser->arena;
    const char *name = sql_ident(arena, spec->name);
    if (parser_made(alter->whole.parser, alter->table)) {
        add(&alter->whole, (NativeSpec){.since = 180000}, "ADD NOT NULL constraint", NATIVE_FIRST,
            alter->table, arena_printf(arena, "%s %s", alter->head, span_text(part)));
        return;
    }
    NativeSpec bind = {.since = 180000,
                       .undo_sql = arena_printf(arena, "%s DROP CONSTRAINT %s", alter->head, name),
                       .done_query = not_null_query(arena, alter, spec, false)};
    native_lock(arena, &bind, alter->table, "ACCESS EXCLUSIVE");
    add(&alter->whole, bind, "ADD NOT NULL constraint", NATIVE_LAST, alter->table,
        arena_printf(arena, "%s ADD CONSTRAINT %s NOT NULL %s%s NOT VALID", alter->head, name,
                     sql_ident(arena, spec->column), spec->no_inherit ? " NO INHERIT" : ""));
    if (spec->not_valid)
        return;
    NativeSpec prove = {
        .since = 180000, .run = NATIVE_LONG, .done_query = not_null_query(arena, alter, spec, true)};
    native_lock(arena, &prove, alter->table, "SHARE UPDATE EXCLUSIVE");
    add(&alter->whole, prove, "VALIDATE NOT NULL constraint", NATIVE_LAST, alter->table,
        arena_printf(arena, "%s VALIDATE CONSTRAINT %s", alter->head, name));
}

/* What takes an added column or named constraint away again. */
static const char *undo_of(const Alter *alter, const Span *part)
{
    static const char *const unnamed[] = {"CHECK", "FOREIGN", "UNIQUE", "PRIMARY", "EXCLUDE", "NOT"};
    Arena *arena = part->parser->arena;
    if (!is_word(part, 0, "ADD") || part->len < 3)
        return NULL;
    bool constraint = is_word(part, 1, "CONSTRAINT");
    size_t at = constraint || is_word(part, 1, "COLUMN") ? 2 : 1;
    if (is_word(part, at, "IF"))
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(unnamed); i++)
        if (is_word(part, at, unnamed[i]))
            return NULL;
    const char *name = identifier(part, at);
    return name == NULL ? NULL
                        : arena_printf(arena, "%s DROP %s %s", alter->head,
                                       constraint ? "CONSTRAINT" : "COLUMN", sql_ident(arena, name));
}

static void add_part(const Alter *alter, const Span *part)
{
    Arena *arena = part->parser->arena;
    NotNull not_null;
    const char *sql = arena_printf(arena, "%s %s", alter->head, span_text(part));
    TreeFault fault;
    PgQuery__Node *node = tree_parse(arena, sql, &fault);
    if (node != NULL) {
        Statement stmt = {.parser = part->parser,
                          .start = alter->whole.items[0].start,
                          .end = alter->whole.items[alter->whole.len - 1].end,
                          .node = node};
        parse_statement(&stmt);
        return;
    }
    if (read_not_null(alter, part, &not_null)) {
        add_not_null(alter, part, &not_null);
        return;
    }
    NativeSpec spec = {.since = since_of(part), .unknown = true, .undo_sql = undo_of(alter, part)};
    native_lock(arena, &spec, alter->table, "ACCESS EXCLUSIVE");
    Operation *operation = add(&alter->whole, spec, "ALTER TABLE", NATIVE_LAST, alter->table, sql);
    NativeSpec *kept = arena_alloc(arena, sizeof *kept);
    *kept = *operation->native;
    add_references(part, operation, kept);
    operation->native = kept;
}

typedef VEC(Span) Spans;

/* The actions, at commas outside of parentheses. */
static Spans parts_of(const Span *span, size_t from)
{
    Spans parts = {0};
    int depth = 0;
    size_t begin = from;
    for (size_t i = from; i <= span->len; i++) {
        bool end = i == span->len || (depth == 0 && is_word(span, i, ","));
        if (end && i > begin)
            *vec_push(span->parser->arena, &parts) = span_part(span, begin, i);
        if (end)
            begin = i + 1;
        else
            depth += is_word(span, i, "(") || is_word(span, i, "[")   ? 1
                     : is_word(span, i, ")") || is_word(span, i, "]") ? -1
                                                                      : 0;
    }
    return parts;
}

static bool parse_alter(const Span *span)
{
    Arena *arena = span->parser->arena;
    Alter alter = {.whole = *span};
    size_t at = 2;
    bool if_exists = is_word(span, at, "IF"), only = is_word(span, at + (if_exists ? 2 : 0), "ONLY");
    at += (if_exists ? 2U : 0U) + (only ? 1U : 0U);
    size_t name = read_name(span, at, &alter.table);
    if (name == 0 || at + name >= span->len)
        return false;
    alter.head = arena_printf(arena, "ALTER TABLE %s%s%s", if_exists ? "IF EXISTS " : "", only ? "ONLY " : "",
                              sql_name(arena, alter.table.schema, alter.table.name));
    Spans parts = parts_of(span, at + name);
    for (size_t i = 0; i < parts.len; i++) {
        TreeFault fault;
        const char *sql = arena_printf(arena, "%s %s", alter.head, span_text(&parts.items[i]));
        if (since_of(&parts.items[i]) == 0 && tree_parse(arena, sql, &fault) == NULL)
            return false;
    }
    for (size_t i = 0; i < parts.len; i++)
        add_part(&alter, &parts.items[i]);
    return parts.len > 0;
}

/* ---- CREATE TABLE ----------------------------------------------------------------------------- */

static bool parse_create(const Span *span)
{
    Arena *arena = span->parser->arena;
    size_t at = is_word(span, 1, "UNLOGGED") ? 3 : 2;
    bool quiet = is_word(span, at, "IF");
    Name table;
    if (!is_word(span, at - 1, "TABLE"))
        return false;
    at += quiet ? 3 : 0;
    if (read_name(span, at, &table) == 0)
        return false;
    const char **names = arena_alloc(arena, 2 * sizeof *names);
    size_t count = 0;
    if (table.schema != NULL)
        names[count++] = table.schema;
    names[count++] = table.name;
    const char *name = sql_name(arena, table.schema, table.name);
    bool partition = false; /* a default partition is read to its end */
    for (size_t i = 0; i < span->len; i++)
        partition = partition || is_word(span, i, "PARTITION");
    NativeSpec spec = {.since = since_of(span),
                       .unknown = partition,
                       .quiet = quiet,
                       .makes = {.type = "table", .names = names, .name_count = count},
                       .undo_sql = arena_printf(arena, "DROP TABLE %s", name)};
    Operation *operation = add(span, spec, "CREATE TABLE", NATIVE_FIRST, table, span_text(span));
    NativeSpec *kept = arena_alloc(arena, sizeof *kept);
    *kept = *operation->native;
    add_references(span, operation, kept);
    operation->native = kept;
    operation->on_new = false;
    *vec_push(arena, &span->parser->made) = table;
    return true;
}

bool parse_newer(Parser *parser, size_t start, size_t end)
{
    Span span = span_of(parser, start, end);
    if (span.len < 4 || since_of(&span) == 0)
        return false;
    if (is_word(&span, 0, "ALTER") && is_word(&span, 1, "TABLE"))
        return parse_alter(&span);
    return is_word(&span, 0, "CREATE") && parse_create(&span);
}
