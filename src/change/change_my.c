/* MySQL and MariaDB: statements to operations, and what the user wrote of ALGORITHM and LOCK judged. */
#include "base/str.h"
#include "change/parser.h"
#include "change/refuse_my.h"
#include "change/split_my.h"
#include "change/text_my.h"
#include "engine/sql.h"

#include <string.h>

/* A statement being read: `text` is canonical, and the spans of `my` are in it. */
typedef struct Reading {
    Parser *parser;
    size_t start; /* in the parser's text, of its first token */
    const char *text;
    const MyStatement *my;
} Reading;

static void refuse(const Reading *reading, ErrKind kind, const char *message, const char *hint)
{
    parser_problem(reading->parser, kind, reading->start, hint, "%s", message);
}

static const char *text_of(const Reading *reading, MySpan span)
{
    return my_text(reading->parser->arena, reading->text, span);
}

/* ---- clauses -------------------------------------------------------------------------------- */

static bool is_word(const char *text, const char *word) { return strcasecmp(text, word) == 0; }

/* What ALGORITHM and LOCK ask for is a demand, never an order: less than Stoa gives is refused. */
static bool read_clauses(const Reading *reading, const char **ret_algorithm)
{
    const MyStatement *my = reading->my;
    const char *algorithm =
        my_span_is(my->algorithm.value) ? text_of(reading, my->algorithm.value) : "DEFAULT";
    const char *lock = my_span_is(my->lock.value) ? text_of(reading, my->lock.value) : "DEFAULT";
    static const char *const known[] = {"INSTANT", "NOCOPY", "INPLACE"};
    *ret_algorithm = NULL;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (is_word(algorithm, known[i]))
            *ret_algorithm = known[i];
    if (is_word(algorithm, "COPY")) {
        refuse(reading, ERR_UNSAFE, "ALGORITHM=COPY stops writers while the table is copied",
               "leave it out: Stoa finds the best way by itself; --strategy shadow copies the table while "
               "writers go on");
        return false;
    }
    if (*ret_algorithm == NULL && !is_word(algorithm, "DEFAULT")) {
        refuse(reading, ERR_USAGE,
               arena_printf(reading->parser->arena, "ALGORITHM=%s is none that is known", algorithm), NULL);
        return false;
    }
    if (is_word(lock, "SHARED") || is_word(lock, "EXCLUSIVE") || my->offline) {
        refuse(reading, ERR_UNSAFE,
               arena_printf(reading->parser->arena, "%s%s stops writers while it runs",
                            my->offline ? "OFFLINE" : "LOCK=", my->offline ? "" : lock),
               "leave it out: every step runs with LOCK=NONE, or within --max-stall");
        return false;
    }
    if (!is_word(lock, "NONE") && !is_word(lock, "DEFAULT")) {
        refuse(reading, ERR_USAGE,
               arena_printf(reading->parser->arena, "LOCK=%s is none that is known", lock), NULL);
        return false;
    }
    return true;
}

/* ---- operations ----------------------------------------------------------------------------- */

static Name name_of(const MyName *name) { return (Name){.schema = name->database, .name = name->name}; }

/* `sql` is read once more, so that the operation's spans are its own. */
static Operation *add_operation(const Reading *reading, const char *sql, Name table)
{
    Parser *parser = reading->parser;
    MyStatement *my = arena_alloc(parser->arena, sizeof *my);
    MyFault fault = {0};
    if (!my_parse(parser->arena, parser->my, sql, (MySpan){.start = 0, .end = strlen(sql)}, my, &fault)) {
        refuse(reading, ERR_USAGE, fault.message, fault.hint);
        return NULL;
    }
    int column;
    Operation *operation = vec_push(parser->arena, &parser->operations);
    *operation = (Operation){.kind = OPERATION_MY, .table = table, .sql = sql, .my = my, .lexis = parser->my};
    text_position(parser->text, reading->start, &operation->line, &column);
    if (my_span_is(reading->my->wait_span))
        operation->said = text_of(reading, reading->my->wait_span);
    return operation;
}

/* The first words of an action, for the change's name: "MODIFY amount bigint". */
static const char *action_words(Arena *arena, const char *table, const char *sql, const MyStatement *my)
{
    const MyAction *action = my->action_count > 0 ? &my->actions[0] : NULL;
    if (action == NULL)
        return arena_printf(arena, "%s-alter", table);
    if (action->kind == MY_ACTION_ADD_COLUMN)
        return arena_printf(arena, "%s-%s", table, action->column->name.text);
    if (action->kind == MY_ACTION_MODIFY_COLUMN || action->kind == MY_ACTION_CHANGE_COLUMN)
        return arena_printf(arena, "%s-%s-type-%s", table, action->column->name.text,
                            my_text(arena, sql, action->column->type));
    return arena_printf(arena, "%s-%s", table, my_text(arena, sql, action->span));
}

static void add_alter(const Reading *reading, const char *sql, const char *algorithm, NativeWhen when)
{
    Name table = name_of(&reading->my->names[0]);
    Operation *operation = add_operation(reading, sql, table);
    if (operation == NULL)
        return;
    operation->when = when;
    operation->algorithm = algorithm;
    operation->if_exists = reading->my->kind == MY_STATEMENT_ALTER_TABLE && reading->my->if_exists;
    operation->words = action_words(reading->parser->arena, table.name, sql, operation->my);
}

/* RENAME TABLE of these pairs. */
static void add_rename(const Reading *reading, const MyName *from, const MyName *to, size_t count)
{
    Arena *arena = reading->parser->arena;
    CLEANUP(str_donep) Str sql = STR_INIT;
    VEC(Name) names = {0};
    str_add(&sql, "RENAME TABLE ");
    for (size_t i = 0; i < count; i++) {
        const char *database = to[i].database != NULL ? to[i].database : from[i].database;
        if (!str_eq(from[i].database, database)) {
            refuse(reading, ERR_UNSAFE, "a table does not move to another database",
                   "name both with, or both without their database");
            return;
        }
        str_addf(&sql, "%s%s TO %s", i > 0 ? ", " : "", sql_backtick(arena, from[i].name),
                 sql_backtick(arena, to[i].name));
        *vec_push(arena, &names) = name_of(&from[i]);
        *vec_push(arena, &names) = name_of(&to[i]);
    }
    Operation *operation = add_operation(reading, arena_dup(arena, sql.buf), names.items[0]);
    if (operation == NULL)
        return;
    operation->names = names.items;
    operation->name_count = names.len;
    operation->words = arena_printf(arena, "%s-rename-to-%s", from[0].name, to[0].name);
}

static bool is_drop(MyActionKind kind)
{
    return kind == MY_ACTION_DROP_COLUMN || kind == MY_ACTION_DROP_INDEX ||
           kind == MY_ACTION_DROP_FOREIGN_KEY || kind == MY_ACTION_DROP_CHECK ||
           kind == MY_ACTION_DROP_CONSTRAINT;
}

static const char *made_by(const MyAction *action)
{
    if (action->column != NULL)
        return action->column->name.text;
    if (action->key != NULL)
        return action->key->name.text != NULL ? action->key->name.text : action->key->constraint.text;
    return action->new_name.text;
}

/* Columns go with `complete`, and with them what else the statement takes away; the rest is done now. True
 * with a reason where one of the two needs the other first. */
static bool drops_apart(const MyStatement *my, bool *now, bool *later, const char **ret_reason)
{
    bool columns = false;
    for (size_t i = 0; i < my->action_count; i++)
        columns = columns || my->actions[i].kind == MY_ACTION_DROP_COLUMN;
    for (size_t i = 0; i < my->action_count; i++) {
        later[i] = columns && is_drop(my->actions[i].kind);
        now[i] = !later[i] && my->actions[i].kind != MY_ACTION_RENAME_TABLE;
    }
    for (size_t i = 0; i < my->action_count * my->action_count; i++) {
        const MyAction *drop = &my->actions[i / my->action_count],
                       *other = &my->actions[i % my->action_count];
        bool clash = later[i / my->action_count] && now[i % my->action_count] && made_by(other) != NULL &&
                     drop->name.text != NULL && strcasecmp(made_by(other), drop->name.text) == 0;
        if (clash) {
            *ret_reason = "the statement drops something and makes it anew under the same name";
            return true;
        }
    }
    return false;
}

static void read_alter(const Reading *reading)
{
    const MyStatement *my = reading->my;
    const char *algorithm = NULL;
    if (!read_clauses(reading, &algorithm))
        return;
    const char *reason = NULL, *hint = NULL;
    if (refuses_alter(my, &reason, &hint)) {
        refuse(reading, ERR_UNSAFE, reason, hint);
        return;
    }
    bool *now = arena_alloc(reading->parser->arena, my->action_count + 1);
    bool *later = arena_alloc(reading->parser->arena, my->action_count + 1);
    if (drops_apart(my, now, later, &reason)) {
        refuse(reading, ERR_UNSAFE, reason,
               "what applications may use goes with \"stoa complete\": write it as a change of its own");
        return;
    }
    const char *name = my->names[0].name;
    const char *sql = my_alter_sql(reading->parser->arena, name, reading->text, my, now);
    const char *drops = my_alter_sql(reading->parser->arena, name, reading->text, my, later);
    const MyName *renamed = NULL; /* the last one counts */
    for (size_t i = 0; i < my->action_count; i++)
        if (my->actions[i].kind == MY_ACTION_RENAME_TABLE)
            renamed = &my->actions[i].table;
    if (sql == NULL && drops == NULL && renamed == NULL)
        refuse(reading, ERR_USAGE, "the ALTER TABLE changes nothing", NULL);
    if (sql != NULL)
        add_alter(reading, sql, algorithm, NATIVE_FIRST);
    if (drops != NULL)
        add_alter(reading, drops, algorithm, NATIVE_CONTRACT);
    if (renamed != NULL)
        add_rename(reading, my->names, renamed, 1);
}

static void read_create_index(const Reading *reading)
{
    static const char *const kinds[] = {
        [MY_KEY_INDEX] = "",           [MY_KEY_UNIQUE] = "UNIQUE ", [MY_KEY_FULLTEXT] = "FULLTEXT ",
        [MY_KEY_SPATIAL] = "SPATIAL ", [MY_KEY_VECTOR] = "VECTOR ", [MY_KEY_PRIMARY] = "",
        [MY_KEY_FOREIGN] = "",         [MY_KEY_CHECK] = ""};
    const MyStatement *my = reading->my;
    Arena *arena = reading->parser->arena;
    const char *algorithm = NULL;
    if (my->or_replace) {
        refuse(reading, ERR_UNSAFE, "CREATE OR REPLACE INDEX takes the index away before it is built again",
               "create it under another name, then drop the old one");
        return;
    }
    if (!read_clauses(reading, &algorithm))
        return;
    const char *options = my_span_is(my->key->options) ? text_of(reading, my->key->options) : "";
    const char *sql = arena_printf(
        arena, "ALTER TABLE %s ADD %sINDEX %s%s %s%s%s", sql_backtick(arena, my->names[0].name),
        kinds[my->key->kind], my->if_not_exists ? "IF NOT EXISTS " : "", sql_backtick(arena, my->index.text),
        text_of(reading, my->key->parts_span), options[0] != '\0' ? " " : "", options);
    add_alter(reading, sql, algorithm, NATIVE_FIRST);
}

static void read_drop_index(const Reading *reading)
{
    const MyStatement *my = reading->my;
    Arena *arena = reading->parser->arena;
    const char *algorithm = NULL;
    if (!read_clauses(reading, &algorithm))
        return;
    bool primary = is_word(my->index.text, "PRIMARY");
    const char *sql =
        primary
            ? arena_printf(arena, "ALTER TABLE %s DROP PRIMARY KEY", sql_backtick(arena, my->names[0].name))
            : arena_printf(arena, "ALTER TABLE %s DROP INDEX %s%s", sql_backtick(arena, my->names[0].name),
                           my->if_exists ? "IF EXISTS " : "", sql_backtick(arena, my->index.text));
    add_alter(reading, sql, algorithm, NATIVE_FIRST);
}

/* The text with each of the names (in their order) written without its database. */
static const char *with_bare_names(const Reading *reading, const MyName *const *names, size_t count)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    Arena *arena = reading->parser->arena;
    size_t at = reading->my->span.start;
    for (size_t i = 0; i < count; i++) {
        str_addn(&out, reading->text + at, names[i]->span.start - at);
        str_add(&out, sql_backtick(arena, names[i]->name));
        at = names[i]->span.end;
    }
    size_t end = reading->my->span.end;
    str_addn(&out, reading->text + at, end - at);
    return arena_dup(arena, out.buf);
}

static void read_create_table(const Reading *reading)
{
    const MyStatement *my = reading->my;
    Arena *arena = reading->parser->arena;
    if (my->temporary) {
        refuse(reading, ERR_UNSAFE, "a temporary table lives in the session that makes it", NULL);
        return;
    }
    if (my->or_replace) {
        refuse(reading, ERR_UNSAFE, "CREATE OR REPLACE TABLE drops the table that is there",
               "DROP TABLE and CREATE TABLE as two changes");
        return;
    }
    if (my_span_is(my->query)) {
        refuse(reading, ERR_UNSAFE, "CREATE TABLE … SELECT copies rows under locks",
               "create the table empty, and fill it from the application");
        return;
    }
    const MyName *names[] = {&my->names[0], &my->like};
    const char *sql = with_bare_names(reading, names, my->like.name != NULL ? 2 : 1);
    Operation *operation = add_operation(reading, sql, name_of(&my->names[0]));
    if (operation == NULL)
        return;
    operation->if_not_exists = my->if_not_exists;
    operation->words = arena_printf(arena, "create-table-%s", my->names[0].name);
    if (my->like.name == NULL)
        return;
    Name *like = arena_alloc(arena, sizeof *like);
    *like = name_of(&my->like);
    operation->names = like;
    operation->name_count = 1;
}

static void read_drop_table(const Reading *reading)
{
    const MyStatement *my = reading->my;
    Arena *arena = reading->parser->arena;
    if (my->temporary) {
        refuse(reading, ERR_UNSAFE, "a temporary table lives in the session that makes it", NULL);
        return;
    }
    for (size_t i = 0; i < my->name_count; i++) {
        const char *sql = arena_printf(arena, "DROP TABLE %s%s", my->if_exists ? "IF EXISTS " : "",
                                       sql_backtick(arena, my->names[i].name));
        Operation *operation = add_operation(reading, sql, name_of(&my->names[i]));
        if (operation == NULL)
            return;
        operation->if_exists = my->if_exists;
        operation->when = NATIVE_CONTRACT;
        operation->words = arena_printf(arena, "drop-table-%s", my->names[i].name);
    }
}

static void read_view(const Reading *reading)
{
    const MyStatement *my = reading->my;
    Arena *arena = reading->parser->arena;
    bool drop = str_eq(my->verb, "DROP VIEW");
    if (my->name_count != 1) {
        refuse(reading, ERR_UNSAFE, "one view a statement", "write one DROP VIEW for each");
        return;
    }
    const MyName *names[] = {&my->names[0]};
    Operation *operation = add_operation(reading, with_bare_names(reading, names, 1), name_of(&my->names[0]));
    if (operation == NULL)
        return;
    operation->when = drop ? NATIVE_CONTRACT : NATIVE_LAST;
    operation->if_exists = drop && my->if_exists;
    operation->if_not_exists = !drop && my->if_not_exists;
    operation->words = arena_printf(arena, "%s-view-%s", drop ? "drop" : "create", my->names[0].name);
}

/* ---- statements ----------------------------------------------------------------------------- */

static void read_other(const Reading *reading)
{
    const char *reason = NULL, *hint = NULL;
    const char *verb = reading->my->verb;
    if (verb != NULL && (str_eq(verb, "CREATE VIEW") || str_eq(verb, "DROP VIEW")) && !reading->my->several) {
        read_view(reading);
        return;
    }
    if (is_frame_my(reading->text))
        return; /* every statement commits by itself */
    ErrKind kind = refuses_other(reading->parser->arena, reading->my, &reason, &hint);
    refuse(reading, kind, reason, hint);
}

static void read_statement(const Reading *reading)
{
    switch (reading->my->kind) {
    case MY_STATEMENT_EMPTY:
        break;
    case MY_STATEMENT_ALTER_TABLE:
        read_alter(reading);
        break;
    case MY_STATEMENT_CREATE_TABLE:
        read_create_table(reading);
        break;
    case MY_STATEMENT_DROP_TABLE:
        read_drop_table(reading);
        break;
    case MY_STATEMENT_RENAME_TABLE:
        add_rename(reading, reading->my->names, reading->my->new_names, reading->my->name_count);
        break;
    case MY_STATEMENT_TRUNCATE:
        refuse(reading, ERR_UNSAFE, "TRUNCATE takes all rows away at once, and there is no way back",
               "RENAME TABLE it away beside an empty one made with LIKE, or delete in batches");
        break;
    case MY_STATEMENT_CREATE_INDEX:
        read_create_index(reading);
        break;
    case MY_STATEMENT_DROP_INDEX:
        read_drop_index(reading);
        break;
    case MY_STATEMENT_OTHER:
        read_other(reading);
        break;
    }
}

static void read_piece(Parser *parser, const MyPiece *piece)
{
    MyFault fault = {0};
    MyStatement as_written, my;
    if (piece->cut)
        return; /* there is a fault */
    bool good = my_parse(parser->arena, parser->my, parser->text, piece->span, &as_written, &fault);
    const char *text = good ? my_canonical(parser->arena, parser->my, parser->text, piece->span.start,
                                           piece->span.end, &fault)
                            : NULL;
    if (text == NULL) {
        parser_problem(parser, ERR_USAGE, fault.offset, fault.hint, "%s", fault.message);
        return;
    }
    if (!my_parse(parser->arena, parser->my, text, (MySpan){.end = strlen(text)}, &my, &fault)) {
        parser_problem(parser, ERR_USAGE, piece->span.start, fault.hint, "%s", fault.message);
        return;
    }
    read_statement(&(Reading){.parser = parser, .start = piece->span.start, .text = text, .my = &my});
}

static void read_text(Parser *parser)
{
    if (!parser_takes(parser))
        return;
    MySplit split = my_split(parser->arena, parser->my, parser->text, strlen(parser->text));
    for (size_t i = 0; i < split.faults.len; i++)
        parser_problem(parser, ERR_USAGE, split.faults.items[i].offset, split.faults.items[i].hint, "%s",
                       split.faults.items[i].message);
    for (size_t i = 0; i < split.notes.len; i++)
        parse_annotation(parser, split.notes.items[i].span.start, split.notes.items[i].span.end);
    for (size_t i = 0; i < split.pieces.len; i++)
        read_piece(parser, &split.pieces.items[i]);
    if (parser->operations.len == 0 && parser->problems.len == 0)
        parser_problem(parser, ERR_USAGE, 0,
                       "give a statement, for example: ALTER TABLE orders ADD COLUMN note text",
                       "there is no statement");
}

void change_parse_my(Arena *arena, const ChangeInput *input, const MyDialect *dialect, Change *ret_change)
{
    MyDialect *kept = arena_alloc(arena, sizeof *kept);
    *kept = *dialect;
    Parser parser = {
        .arena = arena, .text = arena_dup(arena, input->sql == NULL ? "" : input->sql), .my = kept};
    read_text(&parser);
    parser_finish(&parser, input, ret_change);
}
