/* Finds stored programs and compound statements that a delimiter has cut. */
#include "change/split_my.h"

#include <string.h>

typedef struct Body {
    const char *text;
    MyLexer lexer;
    MyToken token, before; /* the current token of code and the one before it */
    bool done;
} Body;

static void advance(Body *body)
{
    MyFault fault;
    body->before = body->token;
    do {
        if (!my_lexer_next(&body->lexer, &body->token, &fault))
            body->token = (MyToken){.kind = MY_TOKEN_END};
    } while (body->token.kind == MY_TOKEN_COMMENT || body->token.kind == MY_TOKEN_MARK);
    body->done = body->token.kind == MY_TOKEN_END;
}

static bool is_one_of(const char *text, const MyToken *token, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (my_token_is(text, token, words[i]))
            return true;
    return false;
}
#define IS_ONE_OF(body, words) is_one_of((body)->text, &(body)->token, (words), ARRAY_LEN(words))

static bool next_is(Body *body, const char *word, const char *symbol)
{
    Body ahead = *body;
    advance(&ahead);
    return (word != NULL && my_token_is(ahead.text, &ahead.token, word)) ||
           (symbol != NULL && my_token_symbol(ahead.text, &ahead.token, symbol));
}

/* What only stands inside of a body. */
static bool is_tail(Body *body)
{
    static const char *const words[] = {"DECLARE", "ELSE",  "ELSEIF",  "END",   "ELSIF",
                                        "FETCH",   "LEAVE", "ITERATE", "UNTIL", "RETURN"};
    return IS_ONE_OF(body, words);
}

/* True for CREATE … PROCEDURE, FUNCTION, TRIGGER, EVENT, PACKAGE and ALTER … EVENT; moves to that word. */
static bool find_program(Body *body)
{
    static const char *const programs[] = {"PROCEDURE", "FUNCTION", "TRIGGER", "EVENT", "PACKAGE"};
    static const char *const others[] = {"TABLE", "VIEW",     "INDEX",  "DATABASE", "SCHEMA",  "USER",
                                         "ROLE",  "SEQUENCE", "SERVER", "AS",       "INSTANCE"};
    if (!my_token_is(body->text, &body->token, "CREATE") && !my_token_is(body->text, &body->token, "ALTER"))
        return false;
    for (int i = 0; i < 20; i++) {
        advance(body);
        if (body->done || IS_ONE_OF(body, others))
            return false;
        if (IS_ONE_OF(body, programs))
            return true;
    }
    return false;
}

/* MariaDB takes compound statements by themselves; "label: BEGIN" is one as well. */
static bool is_compound(Body *body)
{
    static const char *const words[] = {"IF", "CASE", "LOOP", "WHILE", "REPEAT", "FOR"};
    if (my_token_is(body->text, &body->token, "BEGIN"))
        return next_is(body, "NOT", NULL);
    return IS_ONE_OF(body, words) || (body->token.kind == MY_TOKEN_WORD && next_is(body, NULL, ":"));
}

/* IF, WHILE … begin a block only where a statement may begin. */
static bool may_begin(const Body *body)
{
    static const char *const before[] = {"THEN", "ELSE", "BEGIN", "DO", "LOOP",          "REPEAT",
                                         "ROW",  "DATA", "SQL",   "AS", "DETERMINISTIC", "ATOMIC"};
    const MyToken *token = &body->before;
    return token->kind == MY_TOKEN_END || my_token_symbol(body->text, token, ";") ||
           my_token_symbol(body->text, token, ")") || my_token_symbol(body->text, token, ":") ||
           is_one_of(body->text, token, before, ARRAY_LEN(before));
}

static bool opens(Body *body)
{
    static const char *const always[] = {"BEGIN", "CASE", "LOOP", "WHILE"};
    if (IS_ONE_OF(body, always))
        return true;
    if (my_token_is(body->text, &body->token, "IF"))
        return may_begin(body);
    if (my_token_is(body->text, &body->token, "REPEAT"))
        return !next_is(body, NULL, "(");
    return my_token_is(body->text, &body->token, "FOR") && may_begin(body) && !next_is(body, "EACH", NULL);
}

bool my_body_is_cut(const MyDialect *dialect, const char *text, MySpan span, bool *ret_tail)
{
    static const char *const kinds[] = {"IF", "CASE", "LOOP", "WHILE", "REPEAT", "FOR"};
    Body body = {.text = text, .lexer = my_lexer(dialect, text, span.start, span.end)};
    advance(&body);
    *ret_tail = is_tail(&body);
    if (*ret_tail || body.done || (!is_compound(&body) && !find_program(&body)))
        return false;
    long depth = 0;
    while (!body.done) {
        if (my_token_is(text, &body.token, "END")) {
            depth -= depth > 0 ? 1 : 0;
            advance(&body);
            if (IS_ONE_OF(&body, kinds))
                advance(&body);
            continue;
        }
        depth += opens(&body) ? 1 : 0;
        advance(&body);
    }
    return depth > 0;
}
