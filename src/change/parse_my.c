/* Recognises statements of MySQL and MariaDB. */
#include "change/parse_my.h"
#include "base/str.h"
#include "change/parser_my.h"

#include <string.h>

typedef VEC(MyName) MyNames;

/* ---- pieces that several statements have ---------------------------------------------------- */

/* WAIT n, NOWAIT. */
static void take_wait(MyCursor *cursor, MyStatement *statement)
{
    size_t from = cursor->at;
    if (!cursor->dialect->mariadb)
        return;
    if (my_is_keyword(cursor, 0, "WAIT") && my_peek(cursor, 1)->kind == MY_TOKEN_NUMBER) {
        cursor->at++;
        my_take_value(cursor, &statement->wait_value);
        statement->wait = MY_WAIT_SECONDS;
    } else if (my_take(cursor, "NOWAIT")) {
        statement->wait = MY_WAIT_NOT;
    } else {
        return;
    }
    statement->wait_span = my_span_of(cursor, from, cursor->at);
}

static void set_names(MyStatement *statement, const MyNames *names)
{
    statement->names = names->items;
    statement->name_count = names->len;
}

static bool take_one_name(MyCursor *cursor, MyStatement *statement)
{
    MyNames names = {0};
    MyName name;
    if (!my_take_name(cursor, &name) || my_is_symbol(cursor, 0, "."))
        return false;
    *vec_push(cursor->arena, &names) = name;
    set_names(statement, &names);
    return true;
}

static bool take_clause(MyCursor *cursor, const char *word, MyClause *clause)
{
    size_t from = cursor->at;
    if (!my_take(cursor, word))
        return false;
    my_take_symbol(cursor, "=");
    if (!my_is_name(cursor, 0) || !my_take_value(cursor, &clause->value)) {
        cursor->at = from;
        return false;
    }
    clause->count++;
    clause->span = my_span_of(cursor, from, cursor->at);
    return true;
}

/* ---- the kinds ------------------------------------------------------------------------------ */

/* Each reads what stands behind the verb; false: not known to the end. */
static bool parse_alter_table(MyCursor *cursor, MyStatement *statement)
{
    statement->if_exists = my_take(cursor, "IF EXISTS");
    if (!take_one_name(cursor, statement))
        return false;
    take_wait(cursor, statement);
    my_parse_actions(cursor, statement);
    return true;
}

static bool parse_create_table(MyCursor *cursor, MyStatement *statement)
{
    statement->if_not_exists = my_take(cursor, "IF NOT EXISTS");
    return take_one_name(cursor, statement) && my_parse_create_table(cursor, statement);
}

static bool parse_drop_table(MyCursor *cursor, MyStatement *statement)
{
    MyNames names = {0};
    statement->if_exists = my_take(cursor, "IF EXISTS");
    do {
        if (!my_take_name(cursor, vec_push(cursor->arena, &names)))
            return false;
    } while (my_take_symbol(cursor, ","));
    set_names(statement, &names);
    take_wait(cursor, statement);
    size_t from = cursor->at;
    if (!my_take(cursor, "RESTRICT"))
        my_take(cursor, "CASCADE");
    statement->tail = my_span_of(cursor, from, cursor->at);
    return my_cursor_done(cursor);
}

static bool parse_rename_table(MyCursor *cursor, MyStatement *statement)
{
    MyNames names = {0}, news = {0};
    statement->if_exists = my_take(cursor, "IF EXISTS");
    do {
        MyName from, to;
        if (!my_take_name(cursor, &from))
            return false;
        take_wait(cursor, statement);
        if (!my_take(cursor, "TO") || !my_take_name(cursor, &to))
            return false;
        *vec_push(cursor->arena, &names) = from;
        *vec_push(cursor->arena, &news) = to;
    } while (my_take_symbol(cursor, ","));
    set_names(statement, &names);
    statement->new_names = news.items;
    return my_cursor_done(cursor);
}

static bool parse_truncate(MyCursor *cursor, MyStatement *statement)
{
    if (!take_one_name(cursor, statement))
        return false;
    take_wait(cursor, statement);
    return my_cursor_done(cursor);
}

/* ALGORITHM, LOCK and WAIT at the end; what stands before them are options of the index. */
static void parse_index_tail(MyCursor *cursor, MyStatement *statement, MySpan *ret_options)
{
    size_t from = cursor->at, to = from;
    while (!my_cursor_done(cursor)) {
        size_t at = cursor->at;
        if (take_clause(cursor, "ALGORITHM", &statement->algorithm) ||
            take_clause(cursor, "LOCK", &statement->lock))
            continue;
        take_wait(cursor, statement);
        if (cursor->at > at)
            continue;
        my_take_value(cursor, NULL);
        to = cursor->at;
    }
    *ret_options = my_span_of(cursor, from, to);
}

/* Behind INDEX; the kind is set. */
static bool parse_create_index(MyCursor *cursor, MyStatement *statement)
{
    MyKey *key = statement->key;
    statement->if_not_exists = my_take(cursor, "IF NOT EXISTS");
    if (!my_take_word(cursor, &key->name))
        return false;
    if ((my_take(cursor, "USING") || my_take(cursor, "TYPE")) && !my_take_value(cursor, NULL))
        return false;
    if (!my_take(cursor, "ON") || !take_one_name(cursor, statement) || !my_is_symbol(cursor, 0, "("))
        return false;
    statement->index = key->name;
    my_parse_key_parts(cursor, key);
    MyCursor options = *cursor;
    my_parse_key_options(&options, key);
    parse_index_tail(cursor, statement, &key->options);
    return true;
}

static bool parse_drop_index(MyCursor *cursor, MyStatement *statement)
{
    statement->if_exists = my_take(cursor, "IF EXISTS");
    if (!my_take_word(cursor, &statement->index) || !my_take(cursor, "ON") ||
        !take_one_name(cursor, statement))
        return false;
    MySpan options;
    parse_index_tail(cursor, statement, &options);
    return !my_span_is(options);
}

/* ---- the others ----------------------------------------------------------------------------- */

/* Words between CREATE, ALTER, DROP and the object that say nothing of it, with their values. */
static bool skip_modifier(MyCursor *cursor, MyStatement *statement)
{
    if (my_take(cursor, "OR REPLACE"))
        statement->or_replace = true;
    else if (my_take(cursor, "TEMPORARY"))
        statement->temporary = true;
    else if (my_take(cursor, "AGGREGATE") || my_take(cursor, "UNDO") || my_take(cursor, "EXTERNAL"))
        return true;
    else if (my_take(cursor, "SQL SECURITY"))
        return my_take_value(cursor, NULL);
    else if (my_take(cursor, "ALGORITHM") || my_take(cursor, "DEFINER")) {
        my_take_symbol(cursor, "=");
        MySpan group;
        if (!my_take_value(cursor, NULL))
            return false;
        if (my_peek(cursor, 0)->kind == MY_TOKEN_VARIABLE)
            cursor->at++;
        my_take_group(cursor, &group);
    } else {
        return false;
    }
    return true;
}

/* Names behind an object's word; none of accounts, since their host is no name. */
static void take_objects(MyCursor *cursor, MyStatement *statement)
{
    MyNames names = {0};
    bool several = statement->verb[0] == 'D';
    do {
        MyName name;
        if (!my_take_name(cursor, &name) || my_peek(cursor, 0)->kind == MY_TOKEN_VARIABLE ||
            my_is_symbol(cursor, 0, "."))
            return;
        *vec_push(cursor->arena, &names) = name;
    } while (several && my_take_symbol(cursor, ","));
    set_names(statement, &names);
}

static void parse_object(MyCursor *cursor, MyStatement *statement)
{
    static const char *const objects[] = {"DATABASE",
                                          "SCHEMA",
                                          "VIEW",
                                          "PROCEDURE",
                                          "FUNCTION",
                                          "TRIGGER",
                                          "EVENT",
                                          "USER",
                                          "ROLE",
                                          "SERVER",
                                          "TABLE",
                                          "INDEX",
                                          "PACKAGE BODY",
                                          "PACKAGE",
                                          "SEQUENCE",
                                          "LIBRARY",
                                          "INSTANCE",
                                          "TABLESPACE",
                                          "SPATIAL REFERENCE SYSTEM",
                                          "LOGFILE GROUP",
                                          "RESOURCE GROUP"};
    while (skip_modifier(cursor, statement))
        continue;
    for (size_t i = 0; i < ARRAY_LEN(objects); i++) {
        if (!my_take(cursor, objects[i]))
            continue;
        statement->verb = arena_printf(cursor->arena, "%s %s", statement->verb, objects[i]);
        statement->if_not_exists = my_take(cursor, "IF NOT EXISTS");
        statement->if_exists = my_take(cursor, "IF EXISTS");
        if (strcmp(objects[i], "INDEX") != 0)
            take_objects(cursor, statement);
        return;
    }
}

/* INSERT INTO t, DELETE FROM t, UPDATE t SET: one table, else none is named. */
static void parse_rows(MyCursor *cursor, MyStatement *statement, const char *into)
{
    static const char *const words[] = {"LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "QUICK", "IGNORE"};
    static const char *const many[] = {",", "."};
    while (MY_IS_ANY(cursor, 0, words))
        cursor->at++;
    bool found = into == NULL || my_take(cursor, into) || into[0] == 'I';
    if (!found || !take_one_name(cursor, statement))
        return;
    bool plain = into != NULL || my_is_keyword(cursor, 0, "SET");
    for (size_t i = 0; i < ARRAY_LEN(many); i++)
        plain = plain && !my_is_symbol(cursor, 0, many[i]);
    if (!plain || my_is_keyword(cursor, 0, "USING"))
        statement->name_count = 0;
}

static void parse_other(MyCursor *cursor, MyStatement *statement)
{
    static const char *const with_object[] = {"CREATE", "ALTER", "DROP"};
    static const char *const tables[] = {"ANALYZE", "CHECK", "CHECKSUM", "OPTIMIZE", "REPAIR"};
    bool object = MY_IS_ANY(cursor, 0, with_object), table = MY_IS_ANY(cursor, 0, tables);
    if (my_peek(cursor, 0)->kind != MY_TOKEN_WORD)
        return;
    statement->verb = my_words(cursor, cursor->at, cursor->at + 1);
    if (my_take(cursor, "INSERT") || my_take(cursor, "REPLACE")) {
        parse_rows(cursor, statement, "INTO");
    } else if (my_take(cursor, "DELETE")) {
        parse_rows(cursor, statement, "FROM");
    } else if (my_take(cursor, "UPDATE")) {
        parse_rows(cursor, statement, NULL);
    } else if (my_take(cursor, "SET STATEMENT") || my_take(cursor, "BEGIN NOT ATOMIC")) {
        statement->verb = my_words(cursor, 0, cursor->at);
    } else if (object) {
        cursor->at++;
        parse_object(cursor, statement);
    } else if (table) {
        cursor->at++;
        if (!my_take(cursor, "NO_WRITE_TO_BINLOG"))
            my_take(cursor, "LOCAL");
        if (my_take(cursor, "TABLE") || my_take(cursor, "TABLES")) {
            statement->verb = arena_printf(cursor->arena, "%s TABLE", statement->verb);
            take_one_name(cursor, statement);
            statement->name_count = my_is_symbol(cursor, 0, ",") ? 0 : statement->name_count;
        }
    }
}

/* ---- the verb ------------------------------------------------------------------------------- */

typedef bool Parse(MyCursor *cursor, MyStatement *statement);

static bool take_index_kind(MyCursor *cursor, MyStatement *statement)
{
    static const struct {
        const char *words;
        MyKeyKind kind;
    } kinds[] = {{"INDEX", MY_KEY_INDEX},
                 {"UNIQUE INDEX", MY_KEY_UNIQUE},
                 {"FULLTEXT INDEX", MY_KEY_FULLTEXT},
                 {"SPATIAL INDEX", MY_KEY_SPATIAL},
                 {"VECTOR INDEX", MY_KEY_VECTOR}};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (my_take(cursor, kinds[i].words)) {
            statement->key = arena_alloc(cursor->arena, sizeof *statement->key);
            statement->key->kind = kinds[i].kind;
            return true;
        }
    return false;
}

static void take_online(MyCursor *cursor, MyStatement *statement)
{
    statement->online = my_take(cursor, "ONLINE");
    statement->offline = my_take(cursor, "OFFLINE");
}

static Parse *parser_of_create(MyCursor *cursor, MyStatement *statement)
{
    statement->or_replace = my_take(cursor, "OR REPLACE");
    statement->temporary = my_take(cursor, "TEMPORARY");
    if (my_take(cursor, "TABLE")) {
        statement->kind = MY_STATEMENT_CREATE_TABLE;
        statement->verb = "CREATE TABLE";
        return parse_create_table;
    }
    take_online(cursor, statement);
    if (statement->temporary || !take_index_kind(cursor, statement))
        return NULL;
    statement->kind = MY_STATEMENT_CREATE_INDEX;
    statement->verb = "CREATE INDEX";
    return parse_create_index;
}

static Parse *parser_of_drop(MyCursor *cursor, MyStatement *statement)
{
    statement->temporary = my_take(cursor, "TEMPORARY");
    if (my_take(cursor, "TABLE") || my_take(cursor, "TABLES")) {
        statement->kind = MY_STATEMENT_DROP_TABLE;
        statement->verb = "DROP TABLE";
        return parse_drop_table;
    }
    take_online(cursor, statement);
    if (statement->temporary || !my_take(cursor, "INDEX"))
        return NULL;
    statement->kind = MY_STATEMENT_DROP_INDEX;
    statement->verb = "DROP INDEX";
    return parse_drop_index;
}

static Parse *parser_of_alter(MyCursor *cursor, MyStatement *statement)
{
    take_online(cursor, statement);
    statement->ignore = my_take(cursor, "IGNORE");
    if (!my_take(cursor, "TABLE"))
        return NULL;
    statement->kind = MY_STATEMENT_ALTER_TABLE;
    statement->verb = "ALTER TABLE";
    return parse_alter_table;
}

/* Moves behind the verb and its object; NULL where the statement is another one. */
static Parse *parser_of(MyCursor *cursor, MyStatement *statement)
{
    if (my_take(cursor, "ALTER"))
        return parser_of_alter(cursor, statement);
    if (my_take(cursor, "CREATE"))
        return parser_of_create(cursor, statement);
    if (my_take(cursor, "DROP"))
        return parser_of_drop(cursor, statement);
    if (my_take(cursor, "RENAME TABLE") || my_take(cursor, "RENAME TABLES")) {
        statement->kind = MY_STATEMENT_RENAME_TABLE;
        statement->verb = "RENAME TABLE";
        return parse_rename_table;
    }
    if (!my_take(cursor, "TRUNCATE"))
        return NULL;
    my_take(cursor, "TABLE");
    statement->kind = MY_STATEMENT_TRUNCATE;
    statement->verb = "TRUNCATE";
    return parse_truncate;
}

/* ---- a statement ---------------------------------------------------------------------------- */

/* The other parenthesis of each; false where they do not pair. */
static bool match_groups(Arena *arena, const char *text, const MyTokens *tokens, size_t *match)
{
    VEC(size_t) open = {0};
    for (size_t i = 0; i < tokens->len; i++) {
        if (my_token_symbol(text, &tokens->items[i], "(")) {
            *vec_push(arena, &open) = i;
        } else if (my_token_symbol(text, &tokens->items[i], ")")) {
            if (open.len == 0)
                return false;
            match[i] = open.items[--open.len];
            match[match[i]] = i;
        }
    }
    return open.len == 0;
}

static bool has_semicolon(const MyCursor *cursor)
{
    for (size_t i = cursor->at; i < cursor->end; i++)
        if (my_token_symbol(cursor->text, &cursor->items[i], ";"))
            return true;
    return false;
}

static void recognise(const MyCursor *cursor, bool sound, MyStatement *statement)
{
    MyStatement plain = *statement;
    MyCursor there = *cursor;
    Parse *parse = sound && !statement->several ? parser_of(&there, statement) : NULL;
    if (parse != NULL && parse(&there, statement))
        return;
    *statement = plain;
    statement->kind = MY_STATEMENT_OTHER;
    there = *cursor;
    if (!sound)
        there.end = there.at + 1;
    parse_other(&there, statement);
}

bool my_parse(Arena *arena, const MyDialect *dialect, const char *text, MySpan span,
              MyStatement *ret_statement, MyFault *ret_fault)
{
    MyTokens all = my_lex(arena, dialect, text, span.start, span.end, ret_fault), tokens = {0};
    if (ret_fault->message != NULL)
        return false;
    MyStatement statement = {0};
    for (size_t i = 0; i < all.len; i++) {
        statement.executed = statement.executed || all.items[i].kind == MY_TOKEN_MARK;
        if (all.items[i].kind != MY_TOKEN_COMMENT && all.items[i].kind != MY_TOKEN_MARK)
            *(MyToken *)vec_push(arena, &tokens) = all.items[i];
    }
    while (tokens.len > 0 && my_token_symbol(text, &tokens.items[tokens.len - 1], ";"))
        tokens.len--;
    size_t *match = arena_alloc(arena, (tokens.len + 1) * sizeof *match);
    MyCursor cursor = {.arena = arena,
                       .dialect = dialect,
                       .text = text,
                       .items = tokens.items,
                       .match = match,
                       .end = tokens.len};
    bool sound = match_groups(arena, text, &tokens, match);
    statement.span = my_span_of(&cursor, 0, tokens.len);
    statement.several = has_semicolon(&cursor);
    if (tokens.len > 0)
        recognise(&cursor, sound, &statement);
    *ret_statement = statement;
    return true;
}

/* ---- taking actions out --------------------------------------------------------------------- */

const char *my_alter_with(Arena *arena, const char *text, const MyStatement *statement, const bool *keep)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    size_t head = statement->action_count > 0 ? statement->actions[0].span.start : statement->span.end;
    while (head > statement->span.start && my_is_space(text[head - 1]))
        head--;
    str_addn(&sql, text + statement->span.start, head - statement->span.start);
    bool first = true;
    for (size_t i = 0; i < statement->action_count; i++) {
        const MyAction *action = &statement->actions[i];
        if (!keep[i])
            continue;
        bool clause = action->kind == MY_ACTION_PARTITION_BY || action->kind == MY_ACTION_REMOVE_PARTITIONING;
        str_add(&sql, first || clause ? " " : ", ");
        str_addn(&sql, text + action->span.start, action->span.end - action->span.start);
        first = false;
    }
    return arena_dup(arena, sql.buf);
}

const char *my_action_words(MyActionKind kind)
{
    static const char *const words[MY_ACTION_COUNT] = {
        [MY_ACTION_OTHER] = "OTHER",
        [MY_ACTION_ADD_COLUMN] = "ADD COLUMN",
        [MY_ACTION_ADD_LIST] = "ADD LIST",
        [MY_ACTION_DROP_COLUMN] = "DROP COLUMN",
        [MY_ACTION_MODIFY_COLUMN] = "MODIFY COLUMN",
        [MY_ACTION_CHANGE_COLUMN] = "CHANGE COLUMN",
        [MY_ACTION_SET_DEFAULT] = "SET DEFAULT",
        [MY_ACTION_DROP_DEFAULT] = "DROP DEFAULT",
        [MY_ACTION_SET_VISIBLE] = "SET VISIBLE",
        [MY_ACTION_SET_INVISIBLE] = "SET INVISIBLE",
        [MY_ACTION_RENAME_COLUMN] = "RENAME COLUMN",
        [MY_ACTION_RENAME_INDEX] = "RENAME INDEX",
        [MY_ACTION_RENAME_TABLE] = "RENAME TO",
        [MY_ACTION_ADD_KEY] = "ADD KEY",
        [MY_ACTION_ADD_PERIOD] = "ADD PERIOD",
        [MY_ACTION_ADD_VERSIONING] = "ADD SYSTEM VERSIONING",
        [MY_ACTION_DROP_INDEX] = "DROP INDEX",
        [MY_ACTION_DROP_PRIMARY_KEY] = "DROP PRIMARY KEY",
        [MY_ACTION_DROP_FOREIGN_KEY] = "DROP FOREIGN KEY",
        [MY_ACTION_DROP_CHECK] = "DROP CHECK",
        [MY_ACTION_DROP_CONSTRAINT] = "DROP CONSTRAINT",
        [MY_ACTION_DROP_PERIOD] = "DROP PERIOD",
        [MY_ACTION_DROP_VERSIONING] = "DROP SYSTEM VERSIONING",
        [MY_ACTION_ALTER_INDEX] = "ALTER INDEX",
        [MY_ACTION_ALTER_CHECK] = "ALTER CHECK",
        [MY_ACTION_CONVERT] = "CONVERT TO CHARACTER SET",
        [MY_ACTION_OPTION] = "OPTION",
        [MY_ACTION_FORCE] = "FORCE",
        [MY_ACTION_ORDER_BY] = "ORDER BY",
        [MY_ACTION_ENABLE_KEYS] = "ENABLE KEYS",
        [MY_ACTION_DISABLE_KEYS] = "DISABLE KEYS",
        [MY_ACTION_DISCARD_TABLESPACE] = "DISCARD TABLESPACE",
        [MY_ACTION_IMPORT_TABLESPACE] = "IMPORT TABLESPACE",
        [MY_ACTION_ALGORITHM] = "ALGORITHM",
        [MY_ACTION_LOCK] = "LOCK",
        [MY_ACTION_VALIDATION] = "VALIDATION",
        [MY_ACTION_PARTITION_BY] = "PARTITION BY",
        [MY_ACTION_REMOVE_PARTITIONING] = "REMOVE PARTITIONING",
        [MY_ACTION_PARTITION] = "PARTITION",
    };
    return words[kind];
}
