/* Indexes and constraints. */
#include "change/parser_my.h"

#include <string.h>

bool my_is_key(const MyCursor *cursor)
{
    static const char *const words[] = {"INDEX", "KEY",        "UNIQUE",  "FULLTEXT", "SPATIAL",
                                        "CHECK", "CONSTRAINT", "FOREIGN", "PRIMARY"};
    bool vector = my_is_keyword(cursor, 0, "VECTOR") &&
                  (my_is_keyword(cursor, 1, "INDEX") || my_is_keyword(cursor, 1, "KEY"));
    return vector || MY_IS_ANY(cursor, 0, words);
}

static void parse_part(MyCursor *cursor, MyKeyPart *part)
{
    MySpan group;
    part->span = my_span_of(cursor, cursor->at, cursor->end);
    if (!my_take_group(cursor, &group) && my_take_word(cursor, &part->column))
        part->prefix = my_take_group(cursor, &group);
    part->descending = my_take(cursor, "DESC");
    my_take(cursor, "ASC");
    if (!my_cursor_done(cursor))
        part->column = (MyWord){0};
}

void my_parse_key_parts(MyCursor *cursor, MyKey *key)
{
    VEC(MyKeyPart) parts = {0};
    for (MyCursor inside = my_cursor_inside(cursor); !my_cursor_done(&inside); inside.at++) {
        MyCursor one = inside;
        one.end = inside.at = my_item_comma(&inside);
        MyKeyPart part = {0};
        parse_part(&one, &part);
        *vec_push(cursor->arena, &parts) = part;
        if (my_cursor_done(&inside))
            break;
    }
    key->parts = parts.items;
    key->part_count = parts.len;
    my_take_group(cursor, &key->parts_span);
}

void my_parse_key_options(MyCursor *cursor, MyKey *key)
{
    for (size_t i = cursor->at; i < cursor->end; i = my_item_next(cursor, i)) {
        const MyToken *token = &cursor->items[i];
        if (my_token_is(cursor->text, token, "INVISIBLE"))
            key->invisible = true;
        else if (my_token_is(cursor->text, token, "IGNORED"))
            key->invisible = i == cursor->at || !my_token_is(cursor->text, token - 1, "NOT");
    }
    my_take_rest(cursor, &key->options);
}

static bool take_rule(MyCursor *cursor, MySpan *ret_span)
{
    size_t from = cursor->at;
    if (!my_take(cursor, "RESTRICT") && !my_take(cursor, "CASCADE") && !my_take(cursor, "SET NULL") &&
        !my_take(cursor, "SET DEFAULT") && !my_take(cursor, "NO ACTION"))
        return false;
    *ret_span = my_span_of(cursor, from, cursor->at);
    return true;
}

/* Behind FOREIGN KEY. */
static bool parse_foreign(MyCursor *cursor, MyAction *action, MyKey *key)
{
    action->if_not_exists = my_take(cursor, "IF NOT EXISTS") || action->if_not_exists;
    if (!my_is_symbol(cursor, 0, "("))
        my_take_word(cursor, &key->name);
    if (!my_is_symbol(cursor, 0, "("))
        return false;
    my_parse_key_parts(cursor, key);
    if (!my_take(cursor, "REFERENCES") || !my_take_name(cursor, &key->references))
        return false;
    my_take_group(cursor, &key->references_parts);
    if (my_take(cursor, "MATCH") && !my_take_value(cursor, NULL))
        return false;
    while (!my_cursor_done(cursor)) {
        bool taken = my_take(cursor, "ON DELETE")   ? take_rule(cursor, &key->on_delete)
                     : my_take(cursor, "ON UPDATE") ? take_rule(cursor, &key->on_update)
                                                    : false;
        if (!taken)
            return false;
    }
    return true;
}

static bool parse_check(MyCursor *cursor, MyKey *key)
{
    if (!my_take_group(cursor, &key->expr))
        return false;
    key->not_enforced = my_take(cursor, "NOT ENFORCED");
    my_take(cursor, "ENFORCED");
    return my_cursor_done(cursor);
}

static bool take_kind(MyCursor *cursor, MyKeyKind *ret_kind)
{
    static const struct {
        const char *words;
        MyKeyKind kind;
        bool index; /* INDEX or KEY may follow */
    } kinds[] = {
        {"PRIMARY KEY", MY_KEY_PRIMARY, false}, {"FOREIGN KEY", MY_KEY_FOREIGN, false},
        {"CHECK", MY_KEY_CHECK, false},         {"UNIQUE", MY_KEY_UNIQUE, true},
        {"FULLTEXT", MY_KEY_FULLTEXT, true},    {"SPATIAL", MY_KEY_SPATIAL, true},
        {"VECTOR", MY_KEY_VECTOR, true},        {"INDEX", MY_KEY_INDEX, false},
        {"KEY", MY_KEY_INDEX, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (my_take(cursor, kinds[i].words)) {
            *ret_kind = kinds[i].kind;
            if (kinds[i].index && !my_take(cursor, "INDEX"))
                my_take(cursor, "KEY");
            return true;
        }
    return false;
}

bool my_parse_key(MyCursor *cursor, MyAction *action)
{
    MyKey key = {0};
    if (my_take(cursor, "CONSTRAINT")) {
        action->if_not_exists = my_take(cursor, "IF NOT EXISTS");
        if (!my_is_key(cursor))
            my_take_word(cursor, &key.constraint);
    }
    if (!take_kind(cursor, &key.kind))
        return false;
    bool known;
    if (key.kind == MY_KEY_FOREIGN) {
        known = parse_foreign(cursor, action, &key);
    } else if (key.kind == MY_KEY_CHECK) {
        known = parse_check(cursor, &key);
    } else {
        action->if_not_exists = my_take(cursor, "IF NOT EXISTS") || action->if_not_exists;
        if (!my_is_keyword(cursor, 0, "USING"))
            my_take_word(cursor, &key.name);
        if ((my_take(cursor, "USING") || my_take(cursor, "TYPE")) && !my_take_value(cursor, NULL))
            return false;
        known = my_is_symbol(cursor, 0, "(");
        if (known) {
            my_parse_key_parts(cursor, &key);
            my_parse_key_options(cursor, &key);
        }
    }
    if (!known)
        return false;
    action->kind = MY_ACTION_ADD_KEY;
    action->name = key.constraint.text != NULL && key.name.text == NULL ? key.constraint : key.name;
    action->key = arena_alloc(cursor->arena, sizeof *action->key);
    *action->key = key;
    return true;
}
