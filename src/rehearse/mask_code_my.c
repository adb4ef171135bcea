/* Definitions of MySQL and MariaDB without their literals. */
#include "rehearse/mask.h"

#include "base/str.h"
#include "change/lex_my.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* As SHOW CREATE writes, whatever the server: backticks and backslashes. */
static const MyDialect shown = {.mariadb = true, .version = 110800};

typedef struct Walk {
    Mask *mask;
    const char *sql;
    Str out;
    bool code;        /* the whole of it: a trigger, a view */
    int depth;        /* of parentheses */
    int code_depth;   /* those of an expression are deeper; -1: none is open */
    char type[32];    /* of the column at hand */
    char before[32];  /* the word before, in capitals */
    bool named;       /* a quoted name stands straight before */
    bool behind_type; /* of a column: its modifiers, or labels */
} Walk;

static void put(Walk *walk, const MyToken *token)
{
    str_addn(&walk->out, walk->sql + token->start, token->end - token->start);
}

static bool before_is(const Walk *walk, const char *word) { return strcmp(walk->before, word) == 0; }

static bool type_is(const Walk *walk, const char *const *types, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(walk->type, types[i]) == 0)
            return true;
    return false;
}

/* What stands in for any default of the type; NULL: text does. */
static const char *fixed_value(const Walk *walk)
{
    static const struct {
        const char *type, *value;
    } values[] = {{"date", "2000-01-01"},
                  {"datetime", "2000-01-01 00:00:00"},
                  {"timestamp", "2000-01-01 00:00:00"},
                  {"time", "00:00:00"},
                  {"year", "2000"},
                  {"json", "{}"},
                  {"uuid", "00000000-0000-0000-0000-000000000000"},
                  {"inet4", "10.0.0.0"},
                  {"inet6", "::"}};
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        if (strcasecmp(walk->type, values[i].type) == 0)
            return values[i].value;
    return NULL;
}

static void add_quoted(Walk *walk, const char *text)
{
    str_add(&walk->out, "'");
    for (; *text != '\0'; text++)
        str_addn(&walk->out, *text == '\'' ? "''" : text, *text == '\'' ? 2 : 1);
    str_add(&walk->out, "'");
}

/* Without quotes and without escapes, which are text of the same shape as well. */
static char *inside(const Walk *walk, const MyToken *token)
{
    const char *open = walk->sql + token->start;
    size_t skip = *open == '\'' || *open == '"' ? 1 : 2, len = token->end - token->start;
    char *text = arena_dupn(mask_arena(walk->mask), open + skip, len > skip + 1 ? len - skip - 1 : 0),
         *to = text;
    for (const char *at = text; *at != '\0'; at++) {
        at += (*at == '\\' || (*at == '\'' && at[1] == '\'')) && at[1] != '\0';
        *to++ = *at;
    }
    *to = '\0';
    return text;
}

static void put_string(Walk *walk, const MyToken *token)
{
    static const char *const kept[] = {"COMPRESSION", "ENCRYPTION"};
    static const char *const numbers[] = {"tinyint", "smallint", "mediumint", "int",
                                          "bigint",  "decimal",  "float",     "double"};
    char first = (char)tolower((unsigned char)walk->sql[token->start]);
    bool in_default = before_is(walk, "DEFAULT") && !walk->code && walk->code_depth < 0;
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        if (before_is(walk, kept[i])) {
            put(walk, token);
            return;
        }
    char *text = inside(walk, token);
    if (before_is(walk, "COMMENT") || before_is(walk, "CONNECTION")) {
        add_quoted(walk, "");
    } else if (first == 'x' || first == 'b') {
        memset(text, '0', strlen(text));
        str_addn(&walk->out, walk->sql + token->start, 1);
        add_quoted(walk, text);
    } else if (in_default && fixed_value(walk) != NULL) {
        add_quoted(walk, fixed_value(walk));
    } else if (in_default && type_is(walk, numbers, ARRAY_LEN(numbers))) {
        add_quoted(walk, mask_number(walk->mask, text));
    } else {
        for (char *at = text; *at != '\0'; at++)
            *at = *at == '\\' ? '/' : *at;
        add_quoted(walk, mask_text(walk->mask, text));
    }
}

static void put_number(Walk *walk, const MyToken *token)
{
    bool code = walk->code || (walk->code_depth >= 0 && walk->depth > walk->code_depth);
    if (!code && !before_is(walk, "DEFAULT")) { /* lengths, sizes of pages */
        put(walk, token);
        return;
    }
    str_add(&walk->out, mask_number(walk->mask, arena_dupn(mask_arena(walk->mask), walk->sql + token->start,
                                                           token->end - token->start)));
}

static void put_symbol(Walk *walk, const MyToken *token)
{
    if (my_token_symbol(walk->sql, token, "(")) {
        if (walk->code_depth < 0 &&
            (before_is(walk, "CHECK") || before_is(walk, "AS") || before_is(walk, "DEFAULT")))
            walk->code_depth = walk->depth;
        walk->depth++;
    } else if (my_token_symbol(walk->sql, token, ")")) {
        walk->depth--;
        if (walk->depth <= walk->code_depth)
            walk->code_depth = -1;
    }
    put(walk, token);
}

static void note_word(Walk *walk, const MyToken *token)
{
    size_t len = token->end - token->start;
    len = len < sizeof walk->before ? len : sizeof walk->before - 1;
    for (size_t i = 0; i < len; i++)
        walk->before[i] = (char)toupper((unsigned char)walk->sql[token->start + i]);
    walk->before[len] = '\0';
    if (walk->named && walk->depth == 1) { /* "`name` type" */
        memcpy(walk->type, walk->before, len + 1);
        walk->before[0] = '\0';
    }
}

static void put_token(Walk *walk, const MyToken *token)
{
    switch (token->kind) {
    case MY_TOKEN_STRING:
        put_string(walk, token);
        break;
    case MY_TOKEN_NUMBER:
        put_number(walk, token);
        break;
    case MY_TOKEN_COMMENT:
        str_add(&walk->out, " ");
        return;
    case MY_TOKEN_SYMBOL:
        put_symbol(walk, token);
        break;
    case MY_TOKEN_WORD:
        note_word(walk, token);
        put(walk, token);
        break;
    case MY_TOKEN_QUOTED:
    case MY_TOKEN_VARIABLE:
    case MY_TOKEN_MARK:
    case MY_TOKEN_END:
        put(walk, token);
        break;
    }
    walk->named = token->kind == MY_TOKEN_QUOTED;
    if (token->kind != MY_TOKEN_WORD && !my_token_symbol(walk->sql, token, "="))
        walk->before[0] = '\0';
}

char *mask_statement_my(Mask *mask, const char *part, const char *what, const char *sql)
{
    (void)what;
    Walk walk = {.mask = mask,
                 .sql = sql,
                 .out = STR_INIT,
                 .code = !str_eq(part, "table") && !str_eq(part, "check"),
                 .code_depth = -1};
    MyLexer lexer = my_lexer(&shown, sql, 0, strlen(sql));
    MyToken token;
    MyFault fault = {0};
    size_t at = 0;
    bool read = true;
    while ((read = my_lexer_next(&lexer, &token, &fault)) && token.kind != MY_TOKEN_END) {
        str_addn(&walk.out, sql + at, token.start - at); /* white space */
        put_token(&walk, &token);
        at = token.end;
    }
    char *masked = read ? arena_dup(mask_arena(mask), walk.out.buf) : NULL; /* what cannot be read goes */
    str_done(&walk.out);
    return masked;
}

void mask_words_my(const char *sql, json_t *words)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Walk walk = {.mask = mask_new(arena, 0), .sql = sql};
    MyLexer lexer = my_lexer(&shown, sql, 0, strlen(sql));
    MyToken token;
    MyFault fault = {0};
    while (my_lexer_next(&lexer, &token, &fault) && token.kind != MY_TOKEN_END)
        if (token.kind == MY_TOKEN_STRING && token.end - token.start >= 2)
            (void)json_object_set_new(words, inside(&walk, &token), json_true());
}
