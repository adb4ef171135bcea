/* "-- stoa: …" in comments, and backfill clauses from there and from the command line. */
#include "change/parser.h"
#include "engine/sql.h"

#include <stdlib.h>
#include <string.h>

/* "table.column = expression" behind a word: how new columns are computed from old ones, or the way back. */
typedef struct Clause {
    const char *word;
    bool reverse;
    const char *hint;
} Clause;
static const Clause clause_backfill = {"backfill", false, "write: backfill table.column = expression"};
static const Clause clause_reverse = {"reverse", true,
                                      "write: reverse table.oldcolumn = expression over the new columns"};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

/* ---- backfill ------------------------------------------------------------------------------- */

typedef struct Refs {
    Arena *arena;
    const char *table;
    BackfillSpec *spec;
    VEC(const char *) names;
} Refs;

static bool visit_refs(void *context, PgQuery__Node *node, bool inside UNUSED)
{
    Refs *refs = context;
    if (node->node_case == PG_QUERY__NODE__NODE_SUB_LINK)
        refs->spec->sub_select = true;
    if (node->node_case != PG_QUERY__NODE__NODE_COLUMN_REF)
        return true;
    const PgQuery__ColumnRef *ref = node->column_ref;
    const char *last = ref->n_fields == 0 ? NULL : tree_string_of(ref->fields[ref->n_fields - 1]);
    if (last != NULL)
        *vec_push(refs->arena, &refs->names) = last;
    const char *before = ref->n_fields < 2 ? NULL : tree_string_of(ref->fields[ref->n_fields - 2]);
    if ((last == NULL && str_eq(before, refs->table)) || (ref->n_fields == 1 && str_eq(last, refs->table)))
        refs->spec->whole_row = true;
    return true;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void read_refs(Arena *arena, PgQuery__Node *expr, BackfillSpec *spec)
{
    Refs refs = {.arena = arena, .table = spec->table.name, .spec = spec};
    tree_walk(expr, visit_refs, &refs);
    size_t count = 0;
    if (refs.names.len > 0)
        qsort(refs.names.items, refs.names.len, sizeof refs.names.items[0], compare_texts);
    for (size_t i = 0; i < refs.names.len; i++)
        if (i == 0 || !str_eq(refs.names.items[i], refs.names.items[count - 1]))
            refs.names.items[count++] = refs.names.items[i];
    spec->refs = refs.names.items;
    spec->ref_count = count;
}

/* The name a token stands for: quotes taken off, otherwise in lower case; NULL if it is no name. */
static const char *token_name(Arena *arena, const char *text, const Token *token)
{
    if (token->kind == PG_QUERY__TOKEN__UIDENT || token->keyword == PG_QUERY__KEYWORD_KIND__RESERVED_KEYWORD)
        return NULL;
    if (token->kind != PG_QUERY__TOKEN__IDENT && token->keyword == PG_QUERY__KEYWORD_KIND__NO_KEYWORD)
        return NULL;
    char *name = arena_dupn(arena, text + token->start, token->end - token->start);
    if (name[0] != '"') {
        for (char *at = name; *at != '\0'; at++)
            if (*at >= 'A' && *at <= 'Z')
                *at = (char)(*at - 'A' + 'a');
        return name;
    }
    size_t out = 0, last = strlen(name) - 1;
    for (size_t in = 1; in < last; in++) {
        if (name[in] == '"')
            in++;
        name[out++] = name[in];
    }
    name[out] = '\0';
    return name;
}

/* Reads "table.column =" or "schema.table.column ="; returns the offset behind "=", or 0. */
static size_t read_target(Arena *arena, const char *text, const Tokens *tokens, BackfillSpec *spec)
{
    const char *names[3];
    size_t count = 0, at = 0;
    for (; at + 1 < tokens->len && count < 3; at += 2) {
        names[count] = token_name(arena, text, &tokens->items[at]);
        if (names[count] == NULL)
            return 0;
        count++;
        if (tokens->items[at + 1].kind != PG_QUERY__TOKEN__ASCII_46)
            break;
    }
    if (count < 2 || at + 1 >= tokens->len || tokens->items[at + 1].kind != PG_QUERY__TOKEN__ASCII_61)
        return 0;
    spec->table = (Name){.schema = count == 3 ? names[0] : NULL, .name = names[count - 2]};
    spec->column = names[count - 1];
    return tokens->items[at + 1].end;
}

static bool is_twice(const BackfillSpec *specs, size_t count, const BackfillSpec *spec)
{
    for (size_t i = 0; i < count; i++) {
        const BackfillSpec *other = &specs[i];
        if (str_eq(other->table.schema, spec->table.schema) && str_eq(other->table.name, spec->table.name) &&
            str_eq(other->column, spec->column))
            return true;
    }
    return false;
}

static size_t place(size_t offset, size_t inner) { return offset == NOWHERE ? NOWHERE : offset + inner; }

/* Reads the expression that begins at `begin`; NULL with a problem. */
static PgQuery__Node *read_expr(Parser *parser, const Clause *clause, const char *text, size_t begin,
                                const Tokens *tokens, size_t offset)
{
    for (size_t i = 0; i < tokens->len; i++) {
        if (tokens->items[i].start < begin || tokens->items[i].kind != PG_QUERY__TOKEN__ASCII_59)
            continue;
        parser_problem(parser, ERR_USAGE, place(offset, tokens->items[i].start), "take the semicolon away",
                       "a %s expression has no semicolon", clause->word);
        return NULL;
    }
    while (is_space(text[begin]))
        begin++;
    if (text[begin] == '\0') {
        parser_problem(parser, ERR_USAGE, place(offset, 0), clause->hint,
                       "the %s has no expression behind \"=\"", clause->word);
        return NULL;
    }
    TreeFault fault;
    PgQuery__Node *expr = tree_parse_expr(parser->arena, text + begin, &fault);
    if (expr == NULL) {
        parser_problem(parser, ERR_USAGE, place(offset, begin + fault.offset), NULL, "%s \"%s\": %s",
                       clause->word, text, fault.message);
        return NULL;
    }
    const char *refusal = expr_refusal(parser->arena, expr);
    if (refusal != NULL) {
        parser_problem(parser, ERR_USAGE, place(offset, begin), NULL, "%s \"%s\": %s", clause->word, text,
                       refusal);
        return NULL;
    }
    return expr;
}

/* Target and expression of PostgreSQL; false with a problem. */
static bool read_clause(Parser *parser, const Clause *clause, const char *text, size_t offset,
                        BackfillSpec *ret_spec)
{
    BackfillSpec spec = {0};
    TreeFault fault;
    Tokens all = tree_scan(parser->arena, text, &fault), tokens = {0};
    if (fault.message != NULL) {
        parser_problem(parser, ERR_USAGE, place(offset, fault.offset), NULL, "%s \"%s\": %s", clause->word,
                       text, fault.message);
        return false;
    }
    for (size_t i = 0; i < all.len; i++)
        if (!token_is_comment(&all.items[i]))
            *(Token *)vec_push(parser->arena, &tokens) = all.items[i];
    size_t begin = read_target(parser->arena, text, &tokens, &spec);
    if (begin == 0) {
        parser_problem(parser, ERR_USAGE, place(offset, 0), clause->hint,
                       "\"%s\" is not table.column = expression", text);
        return false;
    }
    PgQuery__Node *expr = read_expr(parser, clause, text, begin, &tokens, offset);
    if (expr == NULL)
        return false;
    read_refs(parser->arena, expr, &spec);
    spec.expr_sql = tree_expr_sql(parser->arena, expr);
    if (spec.expr_sql == NULL) {
        parser_problem(parser, ERR_UNSAFE, place(offset, begin), "write it in a simpler way",
                       "%s \"%s\": the expression cannot be written back exactly", clause->word, text);
        return false;
    }
    *ret_spec = spec;
    return true;
}

static void parse_clause(Parser *parser, const Clause *clause, const char *text, size_t offset)
{
    BackfillSpec spec = {0};
    bool good = parser->my != NULL ? parse_clause_my(parser, clause->word, text, offset, &spec)
                                   : read_clause(parser, clause, text, offset, &spec);
    if (!good)
        return;
    BackfillSpec *known = clause->reverse ? parser->reverses.items : parser->backfills.items;
    size_t count = clause->reverse ? parser->reverses.len : parser->backfills.len;
    if (is_twice(known, count, &spec)) {
        parser_problem(parser, ERR_USAGE, place(offset, 0), NULL, "a second %s for %s.%s", clause->word,
                       sql_name(parser->arena, spec.table.schema, spec.table.name),
                       sql_ident(parser->arena, spec.column));
        return;
    }
    int column;
    if (offset != NOWHERE)
        text_position(parser->text, offset, &spec.line, &column);
    if (clause->reverse)
        *vec_push(parser->arena, &parser->reverses) = spec;
    else
        *vec_push(parser->arena, &parser->backfills) = spec;
}

void parse_backfill(Parser *parser, const char *text, size_t offset)
{
    parse_clause(parser, &clause_backfill, text, offset);
}

void parse_reverse(Parser *parser, const char *text, size_t offset)
{
    parse_clause(parser, &clause_reverse, text, offset);
}

/* ---- comments ------------------------------------------------------------------------------- */

static void set_once(Parser *parser, const char **value, const char *word, const char *text, size_t offset)
{
    if (*value != NULL && !str_eq(*value, text))
        parser_problem(parser, ERR_USAGE, offset, NULL, "a second %s \"%s\", the first is \"%s\"", word, text,
                       *value);
    else
        *value = text;
}

void parse_annotation(Parser *parser, size_t at, size_t end)
{
    static const char *const words[] = {"backfill", "expires", "flag", "name", "owner", "purpose", "reverse"};
    while (at < end && is_space(parser->text[at]))
        at++;
    size_t word_end = at;
    while (word_end < end && !is_space(parser->text[word_end]))
        word_end++;
    const char *word = arena_dupn(parser->arena, parser->text + at, word_end - at);
    size_t begin = word_end;
    while (begin < end && is_space(parser->text[begin]))
        begin++;
    const char *text = arena_dupn(parser->arena, parser->text + begin, end - begin);
    if (str_starts(word, "ignore"))
        return; /* for "stoa check" */
    bool known = false;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        known = known || str_eq(word, words[i]);
    if (!known) {
        const char *nearest = word_nearest(word, words, ARRAY_LEN(words));
        const char *hint = nearest == NULL
                               ? "the words are: name, owner, purpose, flag, expires, backfill, reverse"
                               : arena_printf(parser->arena, "did you mean \"%s\"?", nearest);
        parser_problem(parser, ERR_USAGE, at, hint, "unknown word \"%s\" behind \"stoa:\"", word);
    } else if (text[0] == '\0') {
        parser_problem(parser, ERR_USAGE, at, NULL, "nothing stands behind \"stoa: %s\"", word);
    } else if (str_eq(word, "backfill")) {
        parse_backfill(parser, text, begin);
    } else if (str_eq(word, "reverse")) {
        parse_reverse(parser, text, begin);
    } else {
        const char **value = str_eq(word, "name")      ? &parser->name
                             : str_eq(word, "owner")   ? &parser->owner
                             : str_eq(word, "purpose") ? &parser->contract.purpose
                             : str_eq(word, "flag")    ? &parser->contract.flag
                                                       : &parser->contract.expires;
        set_once(parser, value, word, text, begin);
    }
}

void parse_annotations(Parser *parser)
{
    static const char mark[] = "stoa:";
    for (size_t i = 0; i < parser->tokens.len; i++) {
        const Token *token = &parser->tokens.items[i];
        if (!token_is_comment(token))
            continue;
        size_t at = token->start + 2, end = token->end;
        if (token->kind == PG_QUERY__TOKEN__C_COMMENT)
            end -= end - at >= 2 ? 2 : 0;
        while (at < end && is_space(parser->text[at]))
            at++;
        while (end > at && is_space(parser->text[end - 1]))
            end--;
        if (end - at >= sizeof mark - 1 && memcmp(parser->text + at, mark, sizeof mark - 1) == 0)
            parse_annotation(parser, at + sizeof mark - 1, end);
    }
}
