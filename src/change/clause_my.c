/* "table.column = expression" behind "backfill" and "reverse", as MySQL and MariaDB read expressions. */
#include "change/parser.h"
#include "change/text_my.h"

#include <stdlib.h>
#include <string.h>

static size_t place(size_t offset, size_t inner) { return offset == NOWHERE ? NOWHERE : offset + inner; }

/* Reads "table.column =" or "database.table.column ="; the index of the token behind "=", or 0. */
static size_t read_target(Arena *arena, const char *text, const MyTokens *tokens, BackfillSpec *spec)
{
    const char *names[3];
    size_t count = 0, at = 0;
    for (; at + 1 < tokens->len && count < 3; at += 2) {
        const MyToken *token = &tokens->items[at];
        if (token->kind != MY_TOKEN_WORD && token->kind != MY_TOKEN_QUOTED)
            return 0;
        names[count++] = my_token_name(arena, text, token);
        if (!my_token_symbol(text, &tokens->items[at + 1], "."))
            break;
    }
    if (count < 2 || at + 1 >= tokens->len || !my_token_symbol(text, &tokens->items[at + 1], "="))
        return 0;
    spec->table = (Name){.schema = count == 3 ? names[0] : NULL, .name = names[count - 2]};
    spec->column = names[count - 1];
    return at + 2;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Whatever may be a column: a name that is not called like a function. */
static void read_refs(Arena *arena, const char *text, const MyTokens *tokens, size_t from, BackfillSpec *spec)
{
    VEC(const char *) names = {0};
    for (size_t i = from; i < tokens->len; i++) {
        const MyToken *token = &tokens->items[i];
        bool call = i + 1 < tokens->len && my_token_symbol(text, &tokens->items[i + 1], "(");
        if ((token->kind == MY_TOKEN_WORD && !call) || token->kind == MY_TOKEN_QUOTED)
            *vec_push(arena, &names) = my_token_name(arena, text, token);
    }
    size_t count = 0;
    if (names.len > 0)
        qsort(names.items, names.len, sizeof names.items[0], compare_texts);
    for (size_t i = 0; i < names.len; i++)
        if (count == 0 || strcmp(names.items[i], names.items[count - 1]) != 0)
            names.items[count++] = names.items[i];
    spec->refs = names.items;
    spec->ref_count = count;
}

/* NULL, or why it is no expression over one row. */
static const char *expr_fault(const char *text, const MyTokens *tokens, size_t from, size_t *ret_offset)
{
    int64_t depth = 0;
    if (from >= tokens->len)
        return "has no expression behind \"=\"";
    for (size_t i = from; i < tokens->len; i++) {
        const MyToken *token = &tokens->items[i];
        *ret_offset = token->start;
        if (my_token_symbol(text, token, ";"))
            return "has no semicolon";
        if (my_token_symbol(text, token, "("))
            depth++;
        else if (my_token_symbol(text, token, ")") && --depth < 0)
            return "has a parenthesis too many";
        else if (my_token_symbol(text, token, ",") && depth == 0)
            return "is one expression, without a comma";
        else if (my_token_is(text, token, "SELECT"))
            return "reads the row alone: a sub-select may change without the row";
        else if (token->kind == MY_TOKEN_VARIABLE)
            return "reads the row alone: a variable is not the same in every session";
        else if (my_token_symbol(text, token, "?"))
            return "has no parameters";
    }
    return depth == 0 ? NULL : "has a parenthesis too few";
}

bool parse_clause_my(Parser *parser, const char *word, const char *text, size_t offset,
                     BackfillSpec *ret_spec)
{
    Arena *arena = parser->arena;
    BackfillSpec spec = {0};
    MyFault fault = {0};
    MyTokens all = my_lex(arena, parser->my, text, 0, strlen(text), &fault), tokens = {0};
    for (size_t i = 0; i < all.len; i++)
        if (all.items[i].kind != MY_TOKEN_COMMENT && all.items[i].kind != MY_TOKEN_MARK)
            *(MyToken *)vec_push(arena, &tokens) = all.items[i];
    size_t begin = fault.message != NULL ? 0 : read_target(arena, text, &tokens, &spec);
    if (fault.message == NULL && begin == 0) {
        parser_problem(parser, ERR_USAGE, place(offset, 0),
                       arena_printf(arena, "write: %s table.column = expression", word),
                       "\"%s\" is not table.column = expression", text);
        return false;
    }
    size_t where = 0;
    const char *wrong = fault.message != NULL ? NULL : expr_fault(text, &tokens, begin, &where);
    if (wrong != NULL) {
        parser_problem(parser, ERR_USAGE, place(offset, where), NULL, "the %s %s", word, wrong);
        return false;
    }
    if (fault.message == NULL)
        spec.expr_sql =
            my_canonical(arena, parser->my, text, tokens.items[begin].start, strlen(text), &fault);
    if (fault.message != NULL) {
        parser_problem(parser, ERR_USAGE, place(offset, fault.offset), fault.hint, "%s \"%s\": %s", word,
                       text, fault.message);
        return false;
    }
    read_refs(arena, text, &tokens, begin, &spec);
    *ret_spec = spec;
    return true;
}
