/* A place in the tokens of a statement, and small things that are read there. */
#include "base/str.h"
#include "change/parser_my.h"

#include <stdlib.h>
#include <string.h>

const MyToken *my_peek(const MyCursor *cursor, size_t ahead)
{
    static const MyToken none = {.kind = MY_TOKEN_END};
    return ahead < cursor->end - cursor->at ? &cursor->items[cursor->at + ahead] : &none;
}

bool my_is_keyword(const MyCursor *cursor, size_t ahead, const char *keyword)
{
    return my_token_is(cursor->text, my_peek(cursor, ahead), keyword);
}

bool my_is_symbol(const MyCursor *cursor, size_t ahead, const char *symbol)
{
    return my_token_symbol(cursor->text, my_peek(cursor, ahead), symbol);
}

bool my_is_any(const MyCursor *cursor, size_t ahead, const char *const *keywords, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (my_is_keyword(cursor, ahead, keywords[i]))
            return true;
    return false;
}

bool my_is_name(const MyCursor *cursor, size_t ahead)
{
    const MyToken *token = my_peek(cursor, ahead);
    return token->kind == MY_TOKEN_WORD || token->kind == MY_TOKEN_QUOTED;
}

bool my_take(MyCursor *cursor, const char *words)
{
    char word[32];
    size_t count = 0;
    for (const char *at = words; *at != '\0';) {
        size_t len = strcspn(at, " ");
        memcpy(word, at, len);
        word[len] = '\0';
        if (!my_is_keyword(cursor, count, word))
            return false;
        count++;
        at += len + (at[len] == ' ' ? 1 : 0);
    }
    cursor->at += count;
    return true;
}

bool my_take_symbol(MyCursor *cursor, const char *symbol)
{
    if (!my_is_symbol(cursor, 0, symbol))
        return false;
    cursor->at++;
    return true;
}

bool my_take_word(MyCursor *cursor, MyWord *ret_word)
{
    if (!my_is_name(cursor, 0))
        return false;
    const MyToken *token = my_peek(cursor, 0);
    *ret_word = (MyWord){.span = {token->start, token->end},
                         .text = my_token_name(cursor->arena, cursor->text, token)};
    cursor->at++;
    return true;
}

bool my_take_name(MyCursor *cursor, MyName *ret_name)
{
    MyWord first, second;
    if (!my_take_word(cursor, &first))
        return false;
    *ret_name = (MyName){.span = first.span, .own = first.span, .name = first.text};
    if (!my_is_symbol(cursor, 0, ".") || !my_is_name(cursor, 1))
        return true;
    cursor->at++;
    my_take_word(cursor, &second);
    *ret_name = (MyName){.span = {first.span.start, second.span.end},
                         .own = second.span,
                         .database = first.text,
                         .name = second.text};
    return true;
}

bool my_take_column_name(MyCursor *cursor, MyWord *ret_word)
{
    if (!my_take_word(cursor, ret_word))
        return false;
    for (int i = 0; i < 2 && my_is_symbol(cursor, 0, ".") && my_is_name(cursor, 1); i++) {
        cursor->at++;
        my_take_word(cursor, ret_word);
    }
    return true;
}

size_t my_item_next(const MyCursor *cursor, size_t at)
{
    bool opens = my_token_symbol(cursor->text, &cursor->items[at], "(");
    return (opens ? cursor->match[at] : at) + 1;
}

bool my_take_group(MyCursor *cursor, MySpan *ret_span)
{
    return my_is_symbol(cursor, 0, "(") && my_take_value(cursor, ret_span);
}

bool my_take_value(MyCursor *cursor, MySpan *ret_span)
{
    if (my_cursor_done(cursor))
        return false;
    size_t from = cursor->at;
    cursor->at = my_item_next(cursor, from);
    if (ret_span != NULL)
        *ret_span = my_span_of(cursor, from, cursor->at);
    return true;
}

bool my_take_rest(MyCursor *cursor, MySpan *ret_span)
{
    if (my_cursor_done(cursor))
        return false;
    *ret_span = my_span_of(cursor, cursor->at, cursor->end);
    cursor->at = cursor->end;
    return true;
}

MySpan my_span_of(const MyCursor *cursor, size_t from, size_t to)
{
    if (to <= from)
        return (MySpan){0};
    return (MySpan){cursor->items[from].start, cursor->items[to - 1].end};
}

size_t my_item_comma(const MyCursor *cursor)
{
    size_t at = cursor->at;
    while (at < cursor->end && !my_token_symbol(cursor->text, &cursor->items[at], ","))
        at = my_item_next(cursor, at);
    return at;
}

MyCursor my_cursor_inside(const MyCursor *cursor)
{
    MyCursor inside = *cursor;
    inside.end = cursor->match[cursor->at];
    inside.at = cursor->at + 1;
    return inside;
}

const char *my_words(const MyCursor *cursor, size_t from, size_t to)
{
    CLEANUP(str_donep) Str words = STR_INIT;
    for (size_t i = from; i < to; i++) {
        str_sep(&words, " ");
        str_addn(&words, cursor->text + cursor->items[i].start,
                 cursor->items[i].end - cursor->items[i].start);
    }
    for (char *at = words.buf; *at != '\0'; at++)
        if (*at >= 'a' && *at <= 'z')
            *at = (char)(*at - 'a' + 'A');
    return arena_dup(cursor->arena, words.buf);
}
