/* Names, events and changes of retirements. */
#include "run/retire_parts.h"

#include "change/lex_my.h"
#include "engine/my_server.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS_MAX = 4 };

/* ---- names ---------------------------------------------------------------------------------- */

/* One part up to a point that is not quoted; NULL where it is no name. */
static const char *next_part(Arena *arena, const char **at, bool mysql)
{
    CLEANUP(str_donep) Str part = STR_INIT;
    char quote = **at == '"' || **at == '`' ? **at : '\0';
    const char *text = *at + (quote != '\0');
    for (; *text != '\0' && (quote != '\0' || *text != '.'); text++) {
        if (quote != '\0' && *text == quote) {
            if (text[1] != quote)
                break;
            text++;
        }
        char c = quote == '\0' && !mysql ? (char)tolower((unsigned char)*text) : *text;
        str_addn(&part, &c, 1);
    }
    if (quote != '\0' && *text++ != quote)
        return NULL;
    if (part.len == 0 || (*text != '\0' && *text != '.') || (*text == '.' && text[1] == '\0'))
        return NULL;
    *at = text + (*text == '.');
    return arena_dup(arena, part.buf);
}

Err *retire_parse(Arena *arena, const char *text, HideKind kind, bool mysql, RetireWish *ret_wish)
{
    static const char *const forms[] = {[HIDE_COLUMN] = "[SCHEMA.]TABLE.COLUMN",
                                        [HIDE_TABLE] = "[SCHEMA.]TABLE",
                                        [HIDE_INDEX] = "[SCHEMA.]INDEX"};
    const char *parts[PARTS_MAX], *at = text, *form = forms[kind];
    size_t count = 0, least = kind == HIDE_COLUMN ? 2 : 1;
    if (kind == HIDE_INDEX && mysql) {
        form = "TABLE.INDEX";
        least = 2;
    }
    while (*at != '\0' && count < PARTS_MAX && (parts[count] = next_part(arena, &at, mysql)) != NULL)
        count++;
    if (*at != '\0' || count < least || count > least + 1)
        return err_hint(err_new(ERR_USAGE, "\"%s\" is not %s", text, form),
                        "names are quoted as in SQL: stoa retire %s",
                        kind == HIDE_COLUMN  ? "orders.note"
                        : kind == HIDE_TABLE ? "--table orders"
                                             : "--index by_note");
    ret_wish->kind = kind;
    ret_wish->schema = count > least ? parts[0] : NULL;
    ret_wish->name = kind == HIDE_TABLE ? NULL : parts[count - 1];
    ret_wish->table = kind == HIDE_TABLE ? parts[count - 1] : least == 2 ? parts[count - 2] : NULL;
    return NULL;
}

const char *retire_slug(Arena *arena, const Subject *subject)
{
    char *slug = subject->name == NULL ? arena_dup(arena, subject->table)
                                       : arena_printf(arena, "%s-%s", subject->table, subject->name);
    for (char *at = slug; *at != '\0'; at++)
        *at = isalnum((unsigned char)*at) || *at == '_' ? *at : '-';
    return slug;
}

/* ---- where it stands ------------------------------------------------------------------------ */

static Err *load_standing(Runner *runner, Arena *arena, const char *of, Standing *ret_standing)
{
    Standing standing = {.state = ""};
    Wait wait = journal_wait();
    Rows rows = {0};
    if (runner->server.journal_version > 0)
        TRY(conn_query(runner->conn, &wait, arena, &rows, runner->ops->journal_sql(JOURNAL_RETIRES)));
    for (size_t i = 0; i < rows.row_count; i++) {
        const char *cell = rows_cell(&rows, i, 0);
        json_t *detail = cell == NULL ? NULL : json_loads(cell, 0, NULL);
        if (!str_eq(json_string_value(json_object_get(detail, "of")), of)) {
            json_decref(detail);
            continue;
        }
        json_decref(standing.last);
        standing.last = detail;
        standing.age_ms = rows_int(&rows, i, 1);
        standing.state = arena_dup(arena, json_string_value(json_object_get(detail, "state")));
        standing.dropped_count += str_eq(standing.state, "dropped");
    }
    *ret_standing = standing;
    return NULL;
}

void standing_done(Standing *standing)
{
    json_decref(standing->last);
    standing->last = NULL;
}

/* ---- what it is about ----------------------------------------------------------------------- */

static Err *find_by_index(Runner *runner, Arena *arena, const RetireWish *wish, Subject *subject)
{
    Wait wait = runner_wait(runner);
    if (wish->table != NULL)
        return NULL;
    const char *schema = NULL, *table = NULL;
    TRY(runner->ops->index_table(runner->conn, &wait, arena, wish->schema, wish->name, &schema, &table));
    subject->schema = schema;
    subject->table = table;
    return NULL;
}

/* A name in full by the events, for what is gone: "public.by_note" ends in ".by_note". */
static Err *find_in_journal(Runner *runner, Arena *arena, const RetireWish *wish, Subject *subject)
{
    Wait wait = journal_wait();
    Rows rows = {0};
    if (runner->server.journal_version <= 0)
        return NULL;
    TRY(conn_query(runner->conn, &wait, arena, &rows, runner->ops->journal_sql(JOURNAL_RETIRES)));
    for (size_t i = rows.row_count; i-- > 0 && subject->of == NULL;) {
        const char *cell = rows_cell(&rows, i, 0);
        json_t *detail = cell == NULL ? NULL : json_loads(cell, 0, NULL);
        const char *schema = json_string_value(json_object_get(detail, "schema"));
        const char *table = json_string_value(json_object_get(detail, "table"));
        const char *name = json_string_value(json_object_get(detail, "name"));
        bool is = str_eq(name, wish->name) && (wish->table == NULL || str_eq(table, wish->table)) &&
                  (wish->schema == NULL || str_eq(schema, wish->schema)) &&
                  json_integer_value(json_object_get(detail, "what")) == (json_int_t)wish->kind;
        if (is) {
            subject->schema = arena_dup(arena, schema);
            subject->table = arena_dup(arena, table);
            subject->of = arena_dup(arena, json_string_value(json_object_get(detail, "of")));
        }
        json_decref(detail);
    }
    return NULL;
}

static Err *no_such(const RetireWish *wish, const Subject *subject)
{
    static const char *const words[] = {
        [HIDE_COLUMN] = "column", [HIDE_TABLE] = "table", [HIDE_INDEX] = "index"};
    Err *err =
        subject->there.kind == RELATION_MISSING && wish->kind != HIDE_INDEX
            ? err_new(ERR_USAGE, "there is no table \"%s\"", wish->table)
            : err_new(ERR_USAGE, "there is no %s \"%s\"%s%s%s", words[wish->kind], wish->name,
                      subject->table == NULL ? "" : " of \"", subject->table == NULL ? "" : subject->table,
                      subject->table == NULL ? "" : "\"");
    return err_hint(err, "names are quoted as in SQL; [SCHEMA.]TABLE.COLUMN");
}

static bool is_there(const Subject *subject)
{
    bool table = subject->there.kind == RELATION_TABLE || subject->there.kind == RELATION_PARTITIONED ||
                 subject->there.kind == RELATION_PARTITION;
    if (!table || subject->kind == HIDE_TABLE)
        return table;
    return subject->kind == HIDE_COLUMN ? subject->column != NULL
                                        : table_index(&subject->there, subject->name) != NULL;
}

static const char *of_text(Arena *arena, const Subject *subject)
{
    const char *table = sql_name(arena, subject->schema, subject->table);
    return subject->kind == HIDE_TABLE
               ? table
               : arena_printf(arena, "%s%s%s", table, subject->kind == HIDE_INDEX ? " index " : ".",
                              sql_ident(arena, subject->name));
}

Err *subject_find(Runner *runner, Arena *arena, const RetireWish *wish, Subject *ret_subject,
                  Standing *ret_standing)
{
    Subject subject = {.kind = wish->kind,
                       .schema = wish->schema,
                       .table = wish->table,
                       .name = wish->name,
                       .server = &runner->server,
                       .mysql = runner->ops->dialect == DIALECT_MYSQL};
    if (wish->kind == HIDE_INDEX)
        TRY(find_by_index(runner, arena, wish, &subject));
    if (subject.table != NULL)
        TRY(runner_load_table(runner, arena,
                              &(Name){.schema = subject.schema != NULL || !subject.mysql
                                                    ? subject.schema
                                                    : runner->server.database,
                                      .name = subject.table},
                              &subject.there));
    if (wish->kind == HIDE_COLUMN && subject.there.kind != RELATION_MISSING)
        subject.column = table_column(&subject.there, wish->name);
    if (subject.table != NULL && subject.there.kind != RELATION_MISSING) {
        subject.schema = subject.there.schema;
        subject.table = subject.there.name;
        subject.of = of_text(arena, &subject);
    }
    bool there = subject.table != NULL && is_there(&subject);
    if (!there && subject.of == NULL)
        TRY(find_in_journal(runner, arena, wish, &subject));
    if (subject.of == NULL)
        return no_such(wish, &subject);
    Standing standing;
    TRY(load_standing(runner, arena, subject.of, &standing));
    if (!there && standing.last == NULL)
        return no_such(wish, &subject);
    if (!there)
        subject.there.kind = subject.kind == HIDE_COLUMN ? subject.there.kind : RELATION_MISSING;
    int times = standing.dropped_count + (str_eq(standing.state, "dropped") ? 0 : 1);
    subject.change =
        arena_printf(arena, times == 1 ? "retire-%s" : "retire-%s-%d", retire_slug(arena, &subject), times);
    *ret_subject = subject;
    *ret_standing = standing;
    return NULL;
}

/* ---- events and changes --------------------------------------------------------------------- */

Err *retire_note(Runner *runner, const Subject *subject, const char *state, json_t *detail, const char *text)
{
    if (detail == NULL)
        detail = json_object();
    json_object_set_new(detail, "of", json_string(subject->of));
    json_object_set_new(detail, "what", json_integer((json_int_t)subject->kind));
    json_object_set_new(detail, "schema", json_string(subject->schema));
    json_object_set_new(detail, "table", json_string(subject->table));
    json_object_set_new(detail, "name", subject->name == NULL ? json_null() : json_string(subject->name));
    json_object_set_new(detail, "state", json_string(state));
    Err *err = journal_event(runner->conn, 0, "retire", 0, detail, text);
    if (err == NULL)
        runner_tell(runner, "retire", 0, NULL, text);
    json_decref(detail);
    return err;
}

Err *retire_change(Arena *arena, const Server *server, const char *sql, const char *name, Change *ret_change)
{
    ChangeInput input = {.sql = sql, .name = name};
    if (server->my != NULL) {
        MyDialect *dialect = arena_alloc(arena, sizeof *dialect);
        *dialect =
            (MyDialect){.mariadb = server->my->mariadb, .version = server->my->mariadb ? 110800 : 90700};
        change_parse_my(arena, &input, dialect, ret_change);
    } else {
        change_parse_pg(arena, &input, ret_change);
    }
    if (ret_change->problem_count == 0)
        return NULL;
    const Problem *problem = &ret_change->problems[0];
    Err *err = err_new(problem->kind, "%s", problem->message);
    return problem->hint == NULL ? err : err_hint(err, "%s", problem->hint);
}

Err *retire_drop_change(Arena *arena, const Subject *subject, Change *ret_change)
{
    const char *table = subject->mysql ? sql_backtick(arena, subject->table)
                                       : sql_name(arena, subject->schema, subject->table);
    const char *name = subject->name == NULL ? NULL
                       : subject->mysql      ? sql_backtick(arena, subject->name)
                                             : sql_ident(arena, subject->name);
    const char *sql = NULL;
    if (subject->kind == HIDE_COLUMN)
        sql = arena_printf(arena, "ALTER TABLE %s DROP COLUMN %s", table, name);
    else if (subject->kind == HIDE_TABLE)
        sql = arena_printf(arena, "DROP TABLE %s", table);
    else if (subject->mysql)
        sql = arena_printf(arena, "ALTER TABLE %s DROP INDEX %s", table, name);
    else
        sql = arena_printf(arena, "DROP INDEX %s", sql_name(arena, subject->schema, subject->name));
    return retire_change(arena, subject->server, sql, subject->change, ret_change);
}
