/* Column definitions: the name, the type's text and which attributes are written. */
#include "change/parser_my.h"

#include <string.h>

/* ---- the type ------------------------------------------------------------------------------- */

/* "double precision unsigned", "national char varying(10)", "enum('a')", "mariadb_schema.date". */
static bool take_type(MyCursor *cursor, MySpan *ret_span)
{
    static const char *const second[] = {"PRECISION", "VARYING",   "CHAR",        "CHARACTER",
                                         "VARCHAR",   "VARBINARY", "VARCHARACTER"};
    static const char *const first[] = {"DOUBLE", "CHAR", "CHARACTER", "NATIONAL", "NCHAR", "LONG", "BINARY"};
    static const char *const last[] = {"UNSIGNED", "SIGNED",  "ZEROFILL", "BINARY",
                                       "ASCII",    "UNICODE", "BYTE"};
    size_t from = cursor->at;
    if (my_peek(cursor, 0)->kind != MY_TOKEN_WORD)
        return false;
    bool open = MY_IS_ANY(cursor, 0, first);
    cursor->at++;
    if (my_is_symbol(cursor, 0, ".") && my_is_name(cursor, 1))
        cursor->at += 2;
    while (open && cursor->at - from < 3 && MY_IS_ANY(cursor, 0, second) && !my_is_keyword(cursor, 1, "SET"))
        cursor->at++;
    MySpan group;
    my_take_group(cursor, &group);
    while (MY_IS_ANY(cursor, 0, last))
        cursor->at++;
    *ret_span = my_span_of(cursor, from, cursor->at);
    return true;
}

/* ---- values --------------------------------------------------------------------------------- */

/* CASE … END with others inside of it. */
static bool take_case(MyCursor *cursor)
{
    size_t depth = 0;
    while (!my_cursor_done(cursor)) {
        if (my_is_keyword(cursor, 0, "CASE"))
            depth++;
        else if (my_is_keyword(cursor, 0, "END"))
            depth--;
        my_take_value(cursor, NULL);
        if (depth == 0)
            return true;
    }
    return false;
}

static void take_strings(MyCursor *cursor)
{
    while (my_peek(cursor, 0)->kind == MY_TOKEN_STRING)
        cursor->at++;
}

/* What may stand behind DEFAULT and ON UPDATE: a literal with its sign or character set, a group, a function,
 * a name, CASE … END, NEXT VALUE FOR s; nothing with operators, which only stands in parentheses. */
static bool take_value(MyCursor *cursor, MySpan *ret_span)
{
    static const char *const typed[] = {"DATE", "TIME", "TIMESTAMP", "BINARY"};
    size_t from = cursor->at;
    MyName name;
    MySpan group;
    bool known = true;
    if (my_is_keyword(cursor, 0, "CASE")) {
        known = take_case(cursor);
    } else if (my_take(cursor, "NEXT VALUE FOR") || my_take(cursor, "PREVIOUS VALUE FOR")) {
        known = my_take_name(cursor, &name);
    } else if (my_peek(cursor, 0)->kind == MY_TOKEN_STRING) {
        take_strings(cursor);
    } else if (my_is_symbol(cursor, 0, "+") || my_is_symbol(cursor, 0, "-")) {
        cursor->at++;
        known = my_peek(cursor, 0)->kind == MY_TOKEN_NUMBER && my_take_value(cursor, NULL);
    } else if (my_peek(cursor, 0)->kind == MY_TOKEN_NUMBER || my_peek(cursor, 0)->kind == MY_TOKEN_VARIABLE ||
               my_is_symbol(cursor, 0, "\\N")) {
        cursor->at++;
    } else if (!my_take_group(cursor, &group)) {
        bool introducer = my_peek(cursor, 0)->kind == MY_TOKEN_WORD &&
                          (cursor->text[my_peek(cursor, 0)->start] == '_' || MY_IS_ANY(cursor, 0, typed));
        known = my_take_name(cursor, &name);
        if (introducer && my_peek(cursor, 0)->kind == MY_TOKEN_NUMBER)
            cursor->at++;
        else if (introducer)
            take_strings(cursor);
        my_take_group(cursor, &group);
    }
    *ret_span = my_span_of(cursor, from, cursor->at);
    return known && cursor->at > from;
}

/* ---- attributes ----------------------------------------------------------------------------- */

static bool take_references(MyCursor *cursor, MyColumnSpec *column)
{
    size_t from = cursor->at - 1;
    MySpan group;
    if (!my_take_name(cursor, &column->references))
        return false;
    my_take_group(cursor, &group);
    if (my_take(cursor, "MATCH") && !my_take_value(cursor, NULL))
        return false;
    while (my_is_keyword(cursor, 0, "ON") &&
           (my_is_keyword(cursor, 1, "DELETE") || my_is_keyword(cursor, 1, "UPDATE"))) {
        cursor->at += 2;
        if (!my_take(cursor, "RESTRICT") && !my_take(cursor, "CASCADE") && !my_take(cursor, "SET NULL") &&
            !my_take(cursor, "SET DEFAULT") && !my_take(cursor, "NO ACTION"))
            return false;
    }
    column->references_clause = my_span_of(cursor, from, cursor->at);
    return true;
}

static bool take_check(MyCursor *cursor, MyColumnSpec *column)
{
    if (!my_take_group(cursor, &column->check))
        return false;
    if (my_take(cursor, "NOT ENFORCED"))
        column->not_enforced = true;
    else
        my_take(cursor, "ENFORCED");
    return true;
}

static bool take_constraint(MyCursor *cursor, MyColumnSpec *column)
{
    if (!my_is_keyword(cursor, 0, "CHECK"))
        my_take_word(cursor, &column->check_name);
    return my_take(cursor, "CHECK") && take_check(cursor, column);
}

/* Behind AS. */
static bool take_generated(MyCursor *cursor, MyColumnSpec *column)
{
    if (my_take(cursor, "ROW START")) {
        column->row_start = true;
        return true;
    }
    if (my_take(cursor, "ROW END")) {
        column->row_end = true;
        return true;
    }
    if (!my_take_group(cursor, &column->generated))
        return false;
    if (my_take(cursor, "VIRTUAL"))
        column->stored = MY_STORED_VIRTUAL;
    else if (my_take(cursor, "STORED"))
        column->stored = MY_STORED_STORED;
    else if (my_take(cursor, "PERSISTENT"))
        column->stored = MY_STORED_PERSISTENT;
    return true;
}

static bool take_position(MyCursor *cursor, MyColumnSpec *column)
{
    size_t from = cursor->at;
    if (my_take(cursor, "FIRST"))
        column->first = true;
    else if (!my_take(cursor, "AFTER") || !my_take_word(cursor, &column->after))
        return false;
    column->position = my_span_of(cursor, from, cursor->at);
    return my_cursor_done(cursor);
}

/* SRID 4326, COLUMN_FORMAT x, STORAGE x, BINARY behind the character set, and "x = y", which an engine may
 * know. */
static bool take_extra(MyCursor *cursor, MyColumnSpec *column)
{
    static const char *const words[] = {
        "SRID",         "COLUMN_FORMAT", "STORAGE", "ENGINE_ATTRIBUTE", "SECONDARY_ENGINE_ATTRIBUTE",
        "REF_SYSTEM_ID"};
    static const char *const alone[] = {"BINARY", "ASCII", "UNICODE", "BYTE"};
    size_t from = cursor->at;
    bool word = MY_IS_ANY(cursor, 0, alone);
    cursor->at += word ? 1 : 0;
    if (word || my_take(cursor, "NOT SECONDARY") || my_take(cursor, "WITH SYSTEM VERSIONING")) {
        column->extra = my_span_of(cursor, from, cursor->at);
        return true;
    }
    bool defined = cursor->dialect->mariadb && my_is_name(cursor, 0) && my_is_symbol(cursor, 1, "=");
    if (!MY_IS_ANY(cursor, 0, words) && !defined)
        return false;
    cursor->at++;
    my_take_symbol(cursor, "=");
    if (!my_take_value(cursor, NULL))
        return false;
    column->extra = my_span_of(cursor, from, cursor->at);
    return true;
}

/* A single word or two that are a flag. */
static bool take_flag(MyCursor *cursor, MyColumnSpec *column)
{
    const struct {
        const char *words;
        bool *flag;
    } flags[] = {
        {"NOT NULL", &column->not_null},
        {"NULL", &column->null},
        {"AUTO_INCREMENT", &column->auto_increment},
        {"SERIAL DEFAULT VALUE", &column->auto_increment},
        {"UNIQUE KEY", &column->unique},
        {"UNIQUE", &column->unique},
        {"PRIMARY KEY", &column->primary},
        {"PRIMARY", &column->primary},
        {"KEY", &column->primary},
        {"INVISIBLE", &column->invisible},
        {"VISIBLE", &column->visible},
        {"WITHOUT SYSTEM VERSIONING", &column->without_versioning},
    };
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (my_take(cursor, flags[i].words)) {
            *flags[i].flag = true;
            return true;
        }
    return false;
}

/* One with a text behind it. `ret_known` is false where the word is one of these but not what follows. */
static bool take_text(MyCursor *cursor, MyColumnSpec *column, bool *ret_known)
{
    *ret_known = true;
    if (my_take(cursor, "DEFAULT"))
        *ret_known = take_value(cursor, &column->default_value);
    else if (my_take(cursor, "ON UPDATE"))
        *ret_known = take_value(cursor, &column->on_update);
    else if (my_take(cursor, "COMMENT"))
        *ret_known = my_peek(cursor, 0)->kind == MY_TOKEN_STRING && my_take_value(cursor, &column->comment);
    else if (my_take(cursor, "CHARACTER SET") || my_take(cursor, "CHARSET") || my_take(cursor, "CHAR SET"))
        *ret_known = my_take_value(cursor, &column->charset);
    else if (my_take(cursor, "COLLATE"))
        *ret_known = my_take_value(cursor, &column->collate);
    else
        return false;
    return true;
}

static bool take_attribute(MyCursor *cursor, MyColumnSpec *column)
{
    bool known;
    if (take_text(cursor, column, &known))
        return known;
    if (my_take(cursor, "GENERATED ALWAYS AS") || my_take(cursor, "AS"))
        return take_generated(cursor, column);
    if (my_take(cursor, "CONSTRAINT"))
        return take_constraint(cursor, column);
    if (my_take(cursor, "CHECK"))
        return take_check(cursor, column);
    if (my_take(cursor, "REFERENCES"))
        return take_references(cursor, column);
    if (my_take(cursor, "COMPRESSED")) {
        column->compressed = true;
        return !my_take_symbol(cursor, "=") || my_take_value(cursor, NULL);
    }
    if (my_is_keyword(cursor, 0, "FIRST") || my_is_keyword(cursor, 0, "AFTER"))
        return take_position(cursor, column);
    return take_flag(cursor, column) || take_extra(cursor, column);
}

bool my_parse_column(MyCursor *cursor, MyColumnSpec *ret_column)
{
    size_t from = cursor->at;
    MyColumnSpec column = {.span = my_span_of(cursor, from, cursor->end)};
    if (!my_take_column_name(cursor, &column.name) || !take_type(cursor, &column.type))
        return false;
    while (!my_cursor_done(cursor))
        if (!take_attribute(cursor, &column))
            return false;
    *ret_column = column;
    return true;
}
