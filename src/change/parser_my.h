/* parser_my.h — what the parts of my_parse() share. Internal to change/. */
#pragma once
#include "change/parse_my.h"

/* The tokens of code of one statement, and a place in them. */
typedef struct MyCursor {
    Arena *arena;
    const MyDialect *dialect;
    const char *text;
    const MyToken *items;
    const size_t *match; /* of each parenthesis: the other one */
    size_t at, end;      /* what is read: items [at, end) */
} MyCursor;

static inline bool my_cursor_done(const MyCursor *cursor) { return cursor->at >= cursor->end; }
/* The token `ahead` of the current one; MY_TOKEN_END behind the last one. */
const MyToken *my_peek(const MyCursor *cursor, size_t ahead);
bool my_is_keyword(const MyCursor *cursor, size_t ahead, const char *keyword);
bool my_is_symbol(const MyCursor *cursor, size_t ahead, const char *symbol);
bool my_is_any(const MyCursor *cursor, size_t ahead, const char *const *keywords, size_t count);
#define MY_IS_ANY(cursor, ahead, keywords) my_is_any((cursor), (ahead), (keywords), ARRAY_LEN(keywords))
/* A word or a quoted name. */
bool my_is_name(const MyCursor *cursor, size_t ahead);

/* These move on where it stands there, and say whether it did. `words` is one or more keywords: "IF EXISTS".
 */
bool my_take(MyCursor *cursor, const char *words);
bool my_take_symbol(MyCursor *cursor, const char *symbol);
bool my_take_word(MyCursor *cursor, MyWord *ret_word);
/* [database .] name; of a column also database . table . name, whose database is left out. */
bool my_take_name(MyCursor *cursor, MyName *ret_name);
bool my_take_column_name(MyCursor *cursor, MyWord *ret_word);
/* A parenthesis with everything in it. */
bool my_take_group(MyCursor *cursor, MySpan *ret_span);
/* One token of any kind, or a group; `ret_span` may be NULL. False at the end. */
bool my_take_value(MyCursor *cursor, MySpan *ret_span);
/* All that is left, which is something. */
bool my_take_rest(MyCursor *cursor, MySpan *ret_span);

/* The bytes of items [from, to). */
MySpan my_span_of(const MyCursor *cursor, size_t from, size_t to);
/* The item behind what begins at `at`: one token, or a group. */
size_t my_item_next(const MyCursor *cursor, size_t at);
/* The next comma that is in no parenthesis, or the end. */
size_t my_item_comma(const MyCursor *cursor);
/* What a group holds: a cursor over the items between the parentheses; the current token is the opening one.
 */
MyCursor my_cursor_inside(const MyCursor *cursor);

/* Each reads one thing up to the end of the cursor and returns false where it is not known to the last token.
 */
/* column_my.c */
bool my_parse_column(MyCursor *cursor, MyColumnSpec *ret_column);
/* key_my.c: my_is_key() tells what begins like an index or constraint, not a column. */
bool my_is_key(const MyCursor *cursor);
bool my_parse_key(MyCursor *cursor, MyAction *action);
void my_parse_key_parts(MyCursor *cursor, MyKey *key);
void my_parse_key_options(MyCursor *cursor, MyKey *key);
/* option_my.c: one table option; stays where it ends, since another one may follow. */
bool my_parse_option(MyCursor *cursor, MyAction *action);
/* action_my.c: one item of a list in parentheses. */
void my_parse_item(MyCursor *cursor, MyAction *ret_action);
/* The actions of ALTER TABLE. */
void my_parse_actions(MyCursor *cursor, MyStatement *statement);
typedef VEC(MyAction) MyActions;
/* create_my.c: behind CREATE TABLE and the flags. */
bool my_parse_create_table(MyCursor *cursor, MyStatement *statement);
/* cursor_my.c: upper case of the words [from, to) of the cursor, with one space between. */
const char *my_words(const MyCursor *cursor, size_t from, size_t to);
