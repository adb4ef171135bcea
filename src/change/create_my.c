/* CREATE TABLE: columns and keys, options, partitions, LIKE and a query. */
#include "change/parser_my.h"

static bool is_query_word(const MyCursor *cursor, size_t ahead)
{
    static const char *const words[] = {"SELECT", "WITH", "TABLE", "VALUES"};
    return MY_IS_ANY(cursor, ahead, words);
}

static bool is_query(const MyCursor *cursor)
{
    if (my_is_symbol(cursor, 0, "("))
        return is_query_word(cursor, 1) || my_is_symbol(cursor, 1, "(");
    if (my_is_keyword(cursor, 0, "WITH") && my_is_keyword(cursor, 1, "SYSTEM"))
        return false;
    return is_query_word(cursor, 0) || my_is_keyword(cursor, 0, "AS") || my_is_keyword(cursor, 0, "IGNORE") ||
           my_is_keyword(cursor, 0, "REPLACE");
}

/* PARTITION BY up to the query or the end. */
static void parse_partitions(MyCursor *cursor, MyAction *action)
{
    size_t from = cursor->at;
    action->kind = MY_ACTION_PARTITION_BY;
    my_take(cursor, "PARTITION BY");
    size_t value = cursor->at;
    while (!my_cursor_done(cursor) && !is_query(cursor))
        my_take_value(cursor, NULL);
    action->span = my_span_of(cursor, from, cursor->at);
    action->value = my_span_of(cursor, value, cursor->at);
}

static bool parse_options(MyCursor *cursor, MyActions *list)
{
    bool joined = true;
    while (!my_cursor_done(cursor) && !is_query(cursor)) {
        MyAction action = {.joined = joined};
        size_t from = cursor->at;
        bool known = true;
        if (my_is_keyword(cursor, 0, "PARTITION") && my_is_keyword(cursor, 1, "BY"))
            parse_partitions(cursor, &action);
        else
            known = my_parse_option(cursor, &action);
        if (!known)
            return false;
        action.span = my_span_of(cursor, from, cursor->at);
        *vec_push(cursor->arena, list) = action;
        joined = !my_take_symbol(cursor, ",");
    }
    return true;
}

static void parse_items(MyCursor *cursor, MyActions *list)
{
    MyCursor inside = my_cursor_inside(cursor);
    while (true) {
        MyCursor one = inside;
        one.end = inside.at = my_item_comma(&inside);
        my_parse_item(&one, vec_push(cursor->arena, list));
        if (my_cursor_done(&inside))
            break;
        inside.at++;
    }
    my_take_value(cursor, NULL);
}

/* LIKE t, or (LIKE t). */
static bool parse_like(MyCursor *cursor, MyStatement *statement)
{
    MyCursor inside = *cursor;
    bool group = my_is_symbol(cursor, 0, "(");
    if (group)
        inside = my_cursor_inside(cursor);
    if (!my_take(&inside, "LIKE") || !my_take_name(&inside, &statement->like) || !my_cursor_done(&inside))
        return false;
    cursor->at = inside.end + (group ? 1 : 0);
    return my_cursor_done(cursor);
}

bool my_parse_create_table(MyCursor *cursor, MyStatement *statement)
{
    MyActions list = {0};
    if (my_is_keyword(cursor, 0, "LIKE") ||
        (my_is_symbol(cursor, 0, "(") && my_is_keyword(cursor, 1, "LIKE")))
        return parse_like(cursor, statement);
    if (my_is_symbol(cursor, 0, "(") && !is_query(cursor))
        parse_items(cursor, &list);
    bool known = parse_options(cursor, &list);
    if (known && !my_cursor_done(cursor))
        my_take_rest(cursor, &statement->query);
    statement->actions = list.items;
    statement->action_count = list.len;
    return known && (list.len > 0 || my_span_is(statement->query));
}
