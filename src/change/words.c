/* The words of one statement, from the two lexers. */
#include "change/words.h"

#include "base/str.h"
#include "change/tree.h"

#include <string.h>

static void add(Arena *arena, Words *words, WordKind kind, bool quoted, const char *text)
{
    Word *word = vec_push(arena, words);
    *word = (Word){.kind = kind, .quoted = quoted, .text = text};
}

static bool is_value_pg(PgQuery__Token kind)
{
    return kind == PG_QUERY__TOKEN__SCONST || kind == PG_QUERY__TOKEN__USCONST ||
           kind == PG_QUERY__TOKEN__BCONST || kind == PG_QUERY__TOKEN__XCONST ||
           kind == PG_QUERY__TOKEN__ICONST || kind == PG_QUERY__TOKEN__FCONST ||
           kind == PG_QUERY__TOKEN__PARAM;
}

Words words_pg(Arena *arena, const char *text)
{
    Words words = {0};
    TreeFault fault;
    Tokens tokens = tree_scan(arena, text, &fault);
    words.whole = fault.message == NULL;
    for (size_t i = 0; i < tokens.len; i++) {
        const Token *token = &tokens.items[i];
        if (token_is_comment(token))
            continue;
        bool name = token->kind == PG_QUERY__TOKEN__IDENT || token->kind == PG_QUERY__TOKEN__UIDENT ||
                    token->keyword != PG_QUERY__KEYWORD_KIND__NO_KEYWORD;
        if (name)
            add(arena, &words, WORD_NAME, text[token->start] == '"', token_word(arena, text, token));
        else if (is_value_pg(token->kind))
            add(arena, &words, WORD_VALUE, false, "");
        else
            add(arena, &words, WORD_SIGN, false,
                arena_dupn(arena, text + token->start, token->end - token->start));
    }
    return words;
}

static bool is_cut(const char *text)
{
    size_t len = strlen(text);
    while (len > 0 && my_is_space(text[len - 1]))
        len--;
    return len >= 3 && (memcmp(text + len - 3, "...", 3) == 0 || memcmp(text + len - 3, "…", 3) == 0);
}

Words words_my(Arena *arena, const MyDialect *dialect, const char *text)
{
    Words words = {0};
    MyFault fault = {0};
    MyTokens tokens = my_lex(arena, dialect, text, 0, strlen(text), &fault);
    words.whole = fault.message == NULL && !is_cut(text);
    for (size_t i = 0; i < tokens.len; i++) {
        const MyToken *token = &tokens.items[i];
        if (token->kind == MY_TOKEN_WORD || token->kind == MY_TOKEN_QUOTED)
            add(arena, &words, WORD_NAME, token->kind == MY_TOKEN_QUOTED, my_token_name(arena, text, token));
        else if (token->kind == MY_TOKEN_STRING || token->kind == MY_TOKEN_NUMBER ||
                 token->kind == MY_TOKEN_VARIABLE)
            add(arena, &words, WORD_VALUE, false, "");
        else if (token->kind == MY_TOKEN_SYMBOL)
            add(arena, &words, WORD_SIGN, false,
                arena_dupn(arena, text + token->start, token->end - token->start));
    }
    return words;
}
