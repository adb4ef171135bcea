/* The actions of ALTER TABLE. */
#include "change/parser_my.h"

#include <string.h>

typedef bool Parse(MyCursor *cursor, MyAction *action);

static bool done_as(const MyCursor *cursor, MyAction *action, MyActionKind kind)
{
    action->kind = kind;
    return my_cursor_done(cursor);
}

static bool parse_column(MyCursor *cursor, MyAction *action, MyActionKind kind)
{
    MyColumnSpec column;
    if (!my_parse_column(cursor, &column))
        return false;
    if (kind != MY_ACTION_CHANGE_COLUMN)
        action->name = column.name;
    action->column = arena_alloc(cursor->arena, sizeof column);
    *action->column = column;
    return done_as(cursor, action, kind);
}

static bool is_period(const MyCursor *cursor)
{
    return my_is_keyword(cursor, 0, "PERIOD") &&
           (my_is_keyword(cursor, 1, "FOR") || my_is_keyword(cursor, 1, "IF"));
}

/* PERIOD [IF NOT EXISTS] FOR x (a, b). */
static bool parse_period(MyCursor *cursor, MyAction *action)
{
    my_take(cursor, "PERIOD");
    action->if_not_exists = my_take(cursor, "IF NOT EXISTS");
    return my_take(cursor, "FOR") && my_take_word(cursor, &action->name) &&
           my_take_group(cursor, &action->value) && done_as(cursor, action, MY_ACTION_ADD_PERIOD);
}

void my_parse_item(MyCursor *cursor, MyAction *ret_action)
{
    MyAction action = {.span = my_span_of(cursor, cursor->at, cursor->end)}, other = action;
    bool known;
    if (my_is_key(cursor))
        known = my_parse_key(cursor, &action);
    else if (is_period(cursor))
        known = parse_period(cursor, &action);
    else
        known = parse_column(cursor, &action, MY_ACTION_ADD_COLUMN);
    *ret_action = known && my_cursor_done(cursor) ? action : other;
}

/* ---- ADD ------------------------------------------------------------------------------------ */

/* (a int, INDEX (a)) */
static bool parse_list(MyCursor *cursor, MyAction *action)
{
    MyActions items = {0};
    MyCursor inside = my_cursor_inside(cursor);
    while (true) {
        MyCursor one = inside;
        one.end = inside.at = my_item_comma(&inside);
        my_parse_item(&one, vec_push(cursor->arena, &items));
        if (my_cursor_done(&inside))
            break;
        inside.at++;
    }
    action->items = items.items;
    action->item_count = items.len;
    MySpan group;
    my_take_group(cursor, &group);
    return done_as(cursor, action, MY_ACTION_ADD_LIST);
}

static bool parse_add(MyCursor *cursor, MyAction *action)
{
    bool column = my_take(cursor, "COLUMN");
    if (!column && my_take(cursor, "SYSTEM VERSIONING"))
        return done_as(cursor, action, MY_ACTION_ADD_VERSIONING);
    if (!column && my_is_key(cursor))
        return my_parse_key(cursor, action);
    if (!column && is_period(cursor))
        return parse_period(cursor, action);
    action->if_not_exists = my_take(cursor, "IF NOT EXISTS");
    if (my_is_symbol(cursor, 0, "("))
        return parse_list(cursor, action);
    return parse_column(cursor, action, MY_ACTION_ADD_COLUMN);
}

/* ---- DROP ----------------------------------------------------------------------------------- */

static bool parse_drop(MyCursor *cursor, MyAction *action)
{
    static const struct {
        const char *words;
        MyActionKind kind;
    } kinds[] = {{"INDEX", MY_ACTION_DROP_INDEX},
                 {"KEY", MY_ACTION_DROP_INDEX},
                 {"FOREIGN KEY", MY_ACTION_DROP_FOREIGN_KEY},
                 {"CHECK", MY_ACTION_DROP_CHECK},
                 {"CONSTRAINT", MY_ACTION_DROP_CONSTRAINT},
                 {"COLUMN", MY_ACTION_DROP_COLUMN}};
    if (my_take(cursor, "PRIMARY KEY"))
        return done_as(cursor, action, MY_ACTION_DROP_PRIMARY_KEY);
    if (my_take(cursor, "SYSTEM VERSIONING"))
        return done_as(cursor, action, MY_ACTION_DROP_VERSIONING);
    if (is_period(cursor)) {
        cursor->at++;
        action->if_exists = my_take(cursor, "IF EXISTS");
        return my_take(cursor, "FOR") && my_take_word(cursor, &action->name) &&
               done_as(cursor, action, MY_ACTION_DROP_PERIOD);
    }
    MyActionKind kind = MY_ACTION_DROP_COLUMN;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (my_take(cursor, kinds[i].words)) {
            kind = kinds[i].kind;
            break;
        }
    action->if_exists = my_take(cursor, "IF EXISTS");
    bool known = kind == MY_ACTION_DROP_COLUMN ? my_take_column_name(cursor, &action->name)
                                               : my_take_word(cursor, &action->name);
    if (kind == MY_ACTION_DROP_COLUMN && !my_take(cursor, "RESTRICT"))
        my_take(cursor, "CASCADE");
    return known && done_as(cursor, action, kind);
}

/* ---- MODIFY, CHANGE, ALTER, RENAME ---------------------------------------------------------- */

static bool parse_modify(MyCursor *cursor, MyAction *action)
{
    my_take(cursor, "COLUMN");
    action->if_exists = my_take(cursor, "IF EXISTS");
    return parse_column(cursor, action, MY_ACTION_MODIFY_COLUMN);
}

static bool parse_change(MyCursor *cursor, MyAction *action)
{
    my_take(cursor, "COLUMN");
    action->if_exists = my_take(cursor, "IF EXISTS");
    return my_take_column_name(cursor, &action->name) &&
           parse_column(cursor, action, MY_ACTION_CHANGE_COLUMN);
}

static bool parse_alter_index(MyCursor *cursor, MyAction *action)
{
    static const char *const words[] = {"VISIBLE", "INVISIBLE", "IGNORED", "NOT IGNORED"};
    action->if_exists = my_take(cursor, "IF EXISTS");
    if (!my_take_word(cursor, &action->name))
        return false;
    size_t from = cursor->at;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (my_take(cursor, words[i])) {
            action->value = my_span_of(cursor, from, cursor->at);
            return done_as(cursor, action, MY_ACTION_ALTER_INDEX);
        }
    return false;
}

static bool parse_alter_check(MyCursor *cursor, MyAction *action)
{
    if (!my_take_word(cursor, &action->name))
        return false;
    size_t from = cursor->at;
    my_take(cursor, "NOT");
    if (!my_take(cursor, "ENFORCED"))
        return false;
    action->value = my_span_of(cursor, from, cursor->at);
    return done_as(cursor, action, MY_ACTION_ALTER_CHECK);
}

static bool parse_alter(MyCursor *cursor, MyAction *action)
{
    if (my_take(cursor, "INDEX") || my_take(cursor, "KEY"))
        return parse_alter_index(cursor, action);
    if (my_take(cursor, "CHECK") || my_take(cursor, "CONSTRAINT"))
        return parse_alter_check(cursor, action);
    my_take(cursor, "COLUMN");
    action->if_exists = my_take(cursor, "IF EXISTS");
    if (!my_take_column_name(cursor, &action->name))
        return false;
    if (my_take(cursor, "SET DEFAULT")) {
        action->kind = MY_ACTION_SET_DEFAULT;
        return my_take_rest(cursor, &action->value);
    }
    if (my_take(cursor, "DROP DEFAULT"))
        return done_as(cursor, action, MY_ACTION_DROP_DEFAULT);
    if (my_take(cursor, "SET VISIBLE"))
        return done_as(cursor, action, MY_ACTION_SET_VISIBLE);
    return my_take(cursor, "SET INVISIBLE") && done_as(cursor, action, MY_ACTION_SET_INVISIBLE);
}

static bool parse_rename(MyCursor *cursor, MyAction *action)
{
    bool column = my_take(cursor, "COLUMN");
    if (column || my_take(cursor, "INDEX") || my_take(cursor, "KEY")) {
        action->if_exists = my_take(cursor, "IF EXISTS");
        return my_take_word(cursor, &action->name) && my_take(cursor, "TO") &&
               my_take_word(cursor, &action->new_name) &&
               done_as(cursor, action, column ? MY_ACTION_RENAME_COLUMN : MY_ACTION_RENAME_INDEX);
    }
    if (!my_take(cursor, "TO") && !my_take(cursor, "AS"))
        my_take_symbol(cursor, "=");
    return my_take_name(cursor, &action->table) && done_as(cursor, action, MY_ACTION_RENAME_TABLE);
}

/* ---- the others ----------------------------------------------------------------------------- */

static bool parse_convert(MyCursor *cursor, MyAction *action)
{
    if (!my_take(cursor, "TO CHARACTER SET") && !my_take(cursor, "TO CHARSET"))
        return false;
    action->kind = MY_ACTION_CONVERT;
    return my_take_rest(cursor, &action->value);
}

static bool parse_order(MyCursor *cursor, MyAction *action)
{
    action->kind = MY_ACTION_ORDER_BY;
    return my_take(cursor, "BY") && my_take_rest(cursor, &action->value);
}

static bool parse_force(MyCursor *cursor, MyAction *action)
{
    return done_as(cursor, action, MY_ACTION_FORCE);
}

static bool parse_enable(MyCursor *cursor, MyAction *action)
{
    return my_take(cursor, "KEYS") && done_as(cursor, action, MY_ACTION_ENABLE_KEYS);
}

static bool parse_disable(MyCursor *cursor, MyAction *action)
{
    return my_take(cursor, "KEYS") && done_as(cursor, action, MY_ACTION_DISABLE_KEYS);
}

static bool parse_discard(MyCursor *cursor, MyAction *action)
{
    return my_take(cursor, "TABLESPACE") && done_as(cursor, action, MY_ACTION_DISCARD_TABLESPACE);
}

static bool parse_import(MyCursor *cursor, MyAction *action)
{
    return my_take(cursor, "TABLESPACE") && done_as(cursor, action, MY_ACTION_IMPORT_TABLESPACE);
}

static bool parse_clause(MyCursor *cursor, MyAction *action, MyActionKind kind)
{
    my_take_symbol(cursor, "=");
    return my_is_name(cursor, 0) && my_take_value(cursor, &action->value) && done_as(cursor, action, kind);
}

static bool parse_algorithm(MyCursor *cursor, MyAction *action)
{
    return parse_clause(cursor, action, MY_ACTION_ALGORITHM);
}

static bool parse_lock(MyCursor *cursor, MyAction *action)
{
    return parse_clause(cursor, action, MY_ACTION_LOCK);
}

static bool parse_validation(MyCursor *cursor, MyAction *action)
{
    return my_take(cursor, "VALIDATION") && done_as(cursor, action, MY_ACTION_VALIDATION);
}

static bool parse_remove(MyCursor *cursor, MyAction *action)
{
    return my_take(cursor, "PARTITIONING") && done_as(cursor, action, MY_ACTION_REMOVE_PARTITIONING);
}

static bool parse_partition_by(MyCursor *cursor, MyAction *action)
{
    action->kind = MY_ACTION_PARTITION_BY;
    return my_take(cursor, "BY") && my_take_rest(cursor, &action->value);
}

static const struct {
    const char *word;
    Parse *parse;
} actions[] = {
    {"ADD", parse_add},         {"DROP", parse_drop},
    {"MODIFY", parse_modify},   {"CHANGE", parse_change},
    {"ALTER", parse_alter},     {"RENAME", parse_rename},
    {"CONVERT", parse_convert}, {"ORDER", parse_order},
    {"FORCE", parse_force},     {"ENABLE", parse_enable},
    {"DISABLE", parse_disable}, {"DISCARD", parse_discard},
    {"IMPORT", parse_import},   {"ALGORITHM", parse_algorithm},
    {"LOCK", parse_lock},       {"WITHOUT", parse_validation},
    {"REMOVE", parse_remove},   {"PARTITION", parse_partition_by},
};

/* ---- partitions ----------------------------------------------------------------------------- */

/* Words that stand before PARTITION, and then take everything up to the end. */
static bool is_partition_action(const MyCursor *cursor)
{
    static const char *const words[] = {"ADD",      "DROP",    "REBUILD",  "OPTIMIZE", "ANALYZE",
                                        "CHECK",    "REPAIR",  "COALESCE", "TRUNCATE", "REORGANIZE",
                                        "EXCHANGE", "CONVERT", "DISCARD",  "IMPORT"};
    return (MY_IS_ANY(cursor, 0, words) && my_is_keyword(cursor, 1, "PARTITION")) ||
           (my_is_keyword(cursor, 0, "CONVERT") && my_is_keyword(cursor, 1, "TABLE"));
}

/* The other table: EXCHANGE … WITH TABLE t, CONVERT PARTITION p TO TABLE t, CONVERT TABLE t TO … */
static void parse_partition(MyCursor *cursor, MyAction *action)
{
    action->kind = MY_ACTION_PARTITION;
    action->option = my_words(cursor, cursor->at, cursor->at + 1);
    cursor->at++;
    size_t rest = cursor->at;
    bool other = MY_IS_ANY(cursor, 0, ((const char *const[]){"TABLE"})) ||
                 my_token_is(cursor->text, &cursor->items[rest - 1], "EXCHANGE") ||
                 my_token_is(cursor->text, &cursor->items[rest - 1], "CONVERT");
    for (size_t i = rest; other && i + 1 < cursor->end; i = my_item_next(cursor, i)) {
        if (!my_token_is(cursor->text, &cursor->items[i], "TABLE"))
            continue;
        cursor->at = i + 1;
        my_take_name(cursor, &action->table);
        break;
    }
    cursor->at = rest;
    action->if_exists = my_is_keyword(cursor, 1, "IF") && my_is_keyword(cursor, 2, "EXISTS");
    action->if_not_exists = my_is_keyword(cursor, 1, "IF") && my_is_keyword(cursor, 2, "NOT");
    my_take_rest(cursor, &action->value);
}

/* ---- the list ------------------------------------------------------------------------------- */

static bool is_partitioning(const MyCursor *cursor, size_t at)
{
    MyCursor there = *cursor;
    there.at = at;
    return (my_is_keyword(&there, 0, "PARTITION") && my_is_keyword(&there, 1, "BY")) ||
           (my_is_keyword(&there, 0, "REMOVE") && my_is_keyword(&there, 1, "PARTITIONING"));
}

/* True where an action begins that takes commas as well. */
static bool is_greedy(const MyCursor *cursor)
{
    return is_partition_action(cursor) ||
           (my_is_keyword(cursor, 1, "BY") &&
            (my_is_keyword(cursor, 0, "PARTITION") || my_is_keyword(cursor, 0, "ORDER")));
}

/* Where the action at cursor->at ends at the latest. */
static size_t action_end(const MyCursor *cursor)
{
    bool greedy = is_greedy(cursor);
    if (greedy && !my_is_keyword(cursor, 0, "ORDER"))
        return cursor->end;
    size_t at = cursor->at;
    while (at < cursor->end && (greedy || !my_token_symbol(cursor->text, &cursor->items[at], ","))) {
        if (at > cursor->at && is_partitioning(cursor, at))
            break;
        at = my_item_next(cursor, at);
    }
    return at;
}

/* Reads one action from `one`, which ends where it ends at the latest; options may be shorter. */
static void parse_action(MyCursor *one, MyAction *ret_action)
{
    size_t from = one->at;
    MyAction action = {.span = my_span_of(one, from, one->end)}, other = action;
    bool known;
    size_t i = 0;
    while (i < ARRAY_LEN(actions) && !my_is_keyword(one, 0, actions[i].word))
        i++;
    if (is_partition_action(one)) {
        parse_partition(one, &action);
        known = true;
    } else if (my_is_keyword(one, 0, "WITH") && my_is_keyword(one, 1, "VALIDATION")) {
        one->at++;
        known = parse_validation(one, &action) && my_cursor_done(one);
    } else if (i < ARRAY_LEN(actions)) {
        one->at++;
        known = actions[i].parse(one, &action) && my_cursor_done(one);
    } else {
        known = my_parse_option(one, &action);
    }
    if (!known)
        one->at = one->end;
    *ret_action = known ? action : other;
    ret_action->span = my_span_of(one, from, one->at);
}

static void note_clause(MyClause *clause, const MyAction *action)
{
    clause->count++;
    clause->span = action->span;
    clause->value = action->value;
}

void my_parse_actions(MyCursor *cursor, MyStatement *statement)
{
    MyActions list = {0};
    bool joined = false;
    size_t end = cursor->at;
    while (!my_cursor_done(cursor)) {
        MyCursor one = *cursor;
        if (cursor->at >= end || is_greedy(cursor)) /* looked for once: options follow without comma */
            end = action_end(cursor);
        one.end = end;
        MyAction *action = vec_push(cursor->arena, &list);
        parse_action(&one, action);
        if (action->span.end == 0)
            action->span = (MySpan){cursor->items[cursor->at].start, cursor->items[cursor->at].start};
        action->joined = joined;
        if (action->kind == MY_ACTION_ALGORITHM)
            note_clause(&statement->algorithm, action);
        if (action->kind == MY_ACTION_LOCK)
            note_clause(&statement->lock, action);
        cursor->at = one.at;
        joined = !my_is_symbol(cursor, 0, ",");
        if (my_take_symbol(cursor, ",") && my_cursor_done(cursor)) {
            size_t behind = cursor->items[cursor->at - 1].end;
            *vec_push(cursor->arena, &list) = (MyAction){.span = {behind, behind}};
        }
    }
    statement->actions = list.items;
    statement->action_count = list.len;
}
