/* Triggers and the key log. */
#include "engine/mysql/trigger.h"

#include "base/clock.h"
#include "base/str.h"
#include "engine/mysql/conn.h"
#include "engine/mysql/quote.h"
#include "engine/mysql/shadow_form.h"

#include <stdlib.h>
#include <string.h>

enum {
    ATTEMPT_MS = 100, /* in the queue for the metadata lock, and all others behind us */
    REST_MS = 400,
    QUICK_ATTEMPTS = 250, /* that do not queue, where the server can: who has read the table, and writes to it
                             while we queue, is the victim of a deadlock of metadata locks */
    QUICK_REST_MS = 20,
    GAP_TRIES = 100,
    GAP_REST_MS = 3,
    BUDGET_MS = 60000,
};

static const char *const events[] = {"ins", "upd", "del"};
static const char *const event_words[] = {"INSERT", "UPDATE", "DELETE"};

static const char *log_name(Arena *arena, const ShadowSpec *spec)
{
    return arena_printf(arena, "keys_%lld%s", (long long)spec->change_id, spec->back ? "_back" : "");
}

char *trigger_log(Arena *arena, const ShadowSpec *spec)
{
    return my_name(arena, "stoa", log_name(arena, spec));
}

static char *trigger_name(Arena *arena, const ShadowSpec *spec, size_t event)
{
    return arena_printf(arena, "stoa_%lld_%s%s", (long long)spec->change_id, spec->back ? "back_" : "",
                        events[event]);
}

/* ---- values ----------------------------------------------------------------------------------------------
 */

/* Which zone a writer's session is in must not matter, nor its mode: a TIMESTAMP is kept as a number of
 * seconds, ENUM, SET and BIT as the numbers that they are. */
static const char *log_type(Arena *arena, const FormSide *side)
{
    switch (side->type) {
    case FORM_TIMESTAMP:
        return "DECIMAL(20,6)";
    case FORM_ENUM:
    case FORM_SET:
    case FORM_BIT:
        return "BIGINT UNSIGNED";
    case FORM_TEXT:
        return arena_printf(arena, "%s CHARACTER SET %s COLLATE %s", side->column_type, side->charset,
                            side->collation);
    case FORM_INTEGER:
    case FORM_DECIMAL:
    case FORM_FLOAT:
    case FORM_BYTES:
    case FORM_YEAR:
    case FORM_DATE:
    case FORM_TIME:
    case FORM_DATETIME:
    case FORM_JSON:
    case FORM_OTHER:
        break;
    }
    return side->column_type;
}

static const char *log_value(Arena *arena, const FormSide *side, const char *value)
{
    switch (side->type) {
    case FORM_TIMESTAMP: /* that of NEW.x is NULL for a zero date on MariaDB (seen on 10.11), else 0 */
        return arena_printf(arena, "COALESCE(UNIX_TIMESTAMP(%s), 0)", value);
    case FORM_ENUM:
    case FORM_SET:
        return arena_printf(arena, "CAST(%s AS UNSIGNED)", value);
    case FORM_BIT:
        return arena_printf(arena, "%s + 0", value);
    case FORM_TEXT:
    case FORM_INTEGER:
    case FORM_DECIMAL:
    case FORM_FLOAT:
    case FORM_BYTES:
    case FORM_YEAR:
    case FORM_DATE:
    case FORM_TIME:
    case FORM_DATETIME:
    case FORM_JSON:
    case FORM_OTHER:
        break;
    }
    return value;
}

static int fraction_of(const char *column_type)
{
    const char *open = strchr(column_type, '(');
    return open == NULL ? 0 : (int)strtol(open + 1, NULL, 10);
}

/* The literal of the source's value over the log's column. */
static const char *log_literal(Arena *arena, const FormSide *side, const char *column)
{
    if (side->type == FORM_ENUM || side->type == FORM_SET || side->type == FORM_BIT)
        return column;
    if (side->type != FORM_TIMESTAMP)
        return form_literal(arena, side, column);
    int digits = fraction_of(side->column_type);
    return arena_printf(arena,
                        "CONCAT('''', IF(%s = 0, '0000-00-00 00:00:00%s%.*s', CAST(CAST(FROM_UNIXTIME(%s) AS "
                        "DATETIME(%d)) AS CHAR)), '''')",
                        column, digits > 0 ? "." : "", digits, "000000", column, digits);
}

Err *trigger_literal(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                     const char **ret_literal)
{
    Form *form;
    CLEANUP(str_donep) Str text = STR_INIT;
    TRY(form_load(conn, wait, spec, &form));
    for (size_t i = 0; i < form->key_count; i++) {
        str_sep(&text, ", ");
        str_add(&text, log_literal(arena, &form->keys[i].from, arena_printf(arena, "k%zu", i)));
    }
    *ret_literal = arena_printf(arena, form->key_count == 1 ? "%s" : "CONCAT_WS(',', %s)", text.buf);
    return NULL;
}

/* ---- statements ------------------------------------------------------------------------------------------
 */

static const char *values_of(Arena *arena, const Form *form, const char *row)
{
    CLEANUP(str_donep) Str list = STR_INIT;
    for (size_t i = 0; i < form->key_count; i++) {
        str_sep(&list, ", ");
        str_add(&list,
                log_value(arena, &form->keys[i].from, arena_printf(arena, "%s.%s", row, form->keys[i].name)));
    }
    return arena_dupn(arena, list.buf, list.len);
}

static const char *columns_of(Arena *arena, const Form *form)
{
    CLEANUP(str_donep) Str list = STR_INIT;
    for (size_t i = 0; i < form->key_count; i++)
        str_addf(&list, "%sk%zu", i > 0 ? ", " : "", i);
    return arena_dupn(arena, list.buf, list.len);
}

/* Keys that a collation takes for one differ in bytes. */
static const char *same_key(Arena *arena, const Form *form)
{
    CLEANUP(str_donep) Str list = STR_INIT;
    for (size_t i = 0; i < form->key_count; i++) {
        const FormKey *key = &form->keys[i];
        const char *old = log_value(arena, &key->from, arena_printf(arena, "OLD.%s", key->name));
        const char *new = log_value(arena, &key->from, arena_printf(arena, "NEW.%s", key->name));
        bool is_text = key->from.type == FORM_TEXT;
        str_addf(&list, is_text ? "%sCAST(%s AS BINARY) <=> CAST(%s AS BINARY)" : "%s%s <=> %s",
                 i > 0 ? " AND " : "", old, new);
    }
    return arena_dupn(arena, list.buf, list.len);
}

static const char *trigger_sql(Arena *arena, const ShadowSpec *spec, const Form *form, size_t event)
{
    const char *insert =
        arena_printf(arena, "INSERT INTO %s (%s) VALUES ", trigger_log(arena, spec), columns_of(arena, form));
    const char *head = arena_printf(arena, "CREATE TRIGGER %s AFTER %s ON %s FOR EACH ROW ",
                                    my_name(arena, spec->schema, trigger_name(arena, spec, event)),
                                    event_words[event], form->source);
    const char *old = values_of(arena, form, "OLD"), *new = values_of(arena, form, "NEW");
    if (event == 0)
        return arena_printf(arena, "%s%s(%s)", head, insert, new);
    if (event == 2)
        return arena_printf(arena, "%s%s(%s)", head, insert, old);
    return arena_printf(arena, "%sIF %s THEN %s(%s); ELSE %s(%s), (%s); END IF", head, same_key(arena, form),
                        insert, new, insert, old, new);
}

static Err *make_log(Conn *conn, const Wait *wait, const ShadowSpec *spec, const Form *form)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    CLEANUP(str_donep) Str sql = STR_INIT;
    Rows rows = {0};
    TRY(conn_params(
        conn, wait, arena, &rows,
        "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'stoa' AND TABLE_NAME = $1",
        log_name(arena, spec)));
    if (rows_int(&rows, 0, 0) > 0)
        return NULL; /* writers have it open: IF NOT EXISTS would wait for them, and others behind it */
    TRY(conn_query(conn, wait, arena, &rows,
                   "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'stoa'"));
    if (rows_int(&rows, 0, 0) == 0)
        TRY(my_exec(conn, wait, "CREATE DATABASE IF NOT EXISTS `stoa`"));
    str_addf(&sql, "CREATE TABLE IF NOT EXISTS %s (seq BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY",
             trigger_log(arena, spec));
    for (size_t i = 0; i < form->key_count; i++)
        str_addf(&sql, ", k%zu %s NULL", i, log_type(arena, &form->keys[i].from));
    str_add(&sql, ") ENGINE=InnoDB");
    return my_exec(conn, wait, sql.buf);
}

static Err *count_triggers(Conn *conn, const Wait *wait, const ShadowSpec *spec, size_t event,
                           bool *ret_there)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Rows rows = {0};
    TRY(conn_params(
        conn, wait, arena, &rows,
        "SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = $1 AND TRIGGER_NAME = "
        "$2",
        spec->schema, trigger_name(arena, spec, event)));
    *ret_there = rows_int(&rows, 0, 0) > 0;
    return NULL;
}

/* ---- attempts --------------------------------------------------------------------------------------------
 */

static Err *privilege_hint(Err *err, const ShadowSpec *spec)
{
    enum { NEEDS_SUPER = 1419 };
    if (err != NULL && err->server_errno == NEEDS_SUPER)
        return err_hint(err, "SET GLOBAL log_bin_trust_function_creators = 1");
    if (err_is(err, ERR_PRIVILEGE))
        return err_hint(err, "GRANT TRIGGER ON `%s`.* TO this user, and ALL ON `stoa`.*", spec->schema);
    return err;
}

/* Waits, not for long, for a moment in which nobody is seen to hold the table, where the server tells it
 * (MySQL 8.0): whoever has read it, and writes to it while we queue, is the victim of a deadlock. */
static Err *await_gap(Conn *conn, const Wait *wait, const ShadowSpec *spec)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    for (int tries = 0; tries < GAP_TRIES; tries++) {
        Rows rows = {0};
        Err *err =
            conn_params(conn, wait, arena, &rows,
                        "SELECT COUNT(*) FROM performance_schema.metadata_locks WHERE OBJECT_TYPE = "
                        "'TABLE' AND LOCK_STATUS = 'GRANTED' AND OBJECT_SCHEMA = $1 AND OBJECT_NAME = $2",
                        spec->schema, spec->source);
        bool is_blind = err_is(err, ERR_SQL) || err_is(err, ERR_PRIVILEGE);
        if (is_blind)
            err_free(err);
        else
            TRY(err);
        if (is_blind || rows_int(&rows, 0, 0) == 0)
            return NULL;
        TRY(stop_check(wait == NULL ? NULL : wait->stop));
        stop_sleep(wait == NULL ? NULL : wait->stop, GAP_REST_MS);
    }
    return NULL;
}

/* One attempt; a statement that was cancelled may have succeeded. */
static Err *attempt(Conn *conn, const Wait *wait, const ShadowSpec *spec, const char *sql, bool is_quick)
{
    Wait brief = {.stop = wait == NULL ? NULL : wait->stop, .timeout_ms = ATTEMPT_MS};
    if (!is_quick) {
        TRY(await_gap(conn, wait, spec));
        return my_exec(conn, &brief, sql);
    }
    TRY(my_exec(conn, wait, "SET SESSION lock_wait_timeout = 0"));
    Err *err = my_exec(conn, wait, sql);
    Err *back = my_exec(conn, wait, "SET SESSION lock_wait_timeout = 2");
    if (err == NULL)
        return back;
    err_free(back);
    return err;
}

/* Runs a statement that needs the table for itself until it is `wanted` that the trigger is there. */
static Err *insist(Conn *conn, const Wait *wait, const ShadowSpec *spec, const char *sql, size_t event,
                   bool wanted)
{
    int64_t end_ms = clock_ms() + BUDGET_MS;
    bool can_quick = flavor_can(my_flavor(conn), FACT_RENAME_WAIT);
    for (int count = 0;; count++) {
        bool is_there = false, is_quick = can_quick && count < QUICK_ATTEMPTS;
        TRY(count_triggers(conn, wait, spec, event, &is_there));
        if (is_there == wanted)
            return NULL;
        Err *err = attempt(conn, wait, spec, sql, is_quick);
        if (err == NULL)
            continue;
        bool is_busy =
            err_is(err, ERR_CANCELLED) || err_is(err, ERR_LOCK_TIMEOUT) || err_is(err, ERR_DEADLOCK);
        if (!is_busy)
            return privilege_hint(err, spec);
        if (clock_ms() > end_ms) {
            err_free(err);
            return err_hint(err_new(ERR_LOCK_BUDGET, "no gap for a trigger on \"%s.%s\" within %d s",
                                    spec->schema, spec->source, BUDGET_MS / 1000),
                            "end the transactions that keep the table, then resume");
        }
        err_free(err);
        TRY(stop_check(wait == NULL ? NULL : wait->stop));
        stop_sleep(wait == NULL ? NULL : wait->stop, is_quick ? QUICK_REST_MS : REST_MS);
    }
}

static Err *make_all(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, const Form *form)
{
    enum { ONE_TRIGGER_ONLY = 1235 };
    for (size_t event = 0; event < ARRAY_LEN(events); event++) {
        Err *err = insist(conn, wait, spec, trigger_sql(arena, spec, form, event), event, true);
        if (err != NULL && err->server_errno == ONE_TRIGGER_ONLY) {
            err_free(err);
            return err_new(
                ERR_UNSAFE,
                "\"%s.%s\" has an AFTER %s trigger, and the server takes no second one (MySQL does from "
                "5.7.2 on)",
                spec->schema, spec->source, event_words[event]);
        }
        TRY(err);
    }
    return NULL;
}

Err *trigger_make(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec)
{
    Form *form;
    Rows rows = {0};
    TRY(form_load(conn, wait, spec, &form));
    TRY(privilege_hint(make_log(conn, wait, spec, form), spec));
    TRY(conn_query(conn, wait, arena, &rows, "SELECT @@SESSION.sql_mode"));
    TRY(my_exec(conn, wait, "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'"));
    Err *err = make_all(conn, wait, arena, spec, form);
    Wait finish = {.timeout_ms = ATTEMPT_MS * 100};
    Err *back = my_exec(
        conn, &finish,
        arena_printf(arena, "SET SESSION sql_mode = %s", my_literal(conn, arena, rows_cell(&rows, 0, 0))));
    if (err == NULL)
        return back;
    err_free(back);
    return err;
}

Err *trigger_drop(Conn *conn, const Wait *wait, const ShadowSpec *spec)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    for (size_t event = 0; event < ARRAY_LEN(events); event++)
        TRY(insist(conn, wait, spec,
                   arena_printf(arena, "DROP TRIGGER %s",
                                my_name(arena, spec->schema, trigger_name(arena, spec, event))),
                   event, false));
    return my_exec(conn, wait, arena_printf(arena, "DROP TABLE IF EXISTS %s", trigger_log(arena, spec)));
}

Err *trigger_hang(Conn *conn, const Wait *wait, const ShadowSpec *spec, bool *ret_whole)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Rows rows = {0};
    TRY(conn_params(conn, wait, arena, &rows,
                    "SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = $1 AND "
                    "EVENT_OBJECT_SCHEMA = $1 AND EVENT_OBJECT_TABLE = $2 AND TRIGGER_NAME IN ($3, $4, $5)",
                    spec->schema, spec->source, trigger_name(arena, spec, 0), trigger_name(arena, spec, 1),
                    trigger_name(arena, spec, 2)));
    *ret_whole = rows_int(&rows, 0, 0) == ARRAY_LEN(events);
    return NULL;
}

Err *trigger_check(Conn *conn, const Wait *wait, const ShadowSpec *spec, bool *ret_whole)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Rows rows = {0};
    TRY(trigger_hang(conn, wait, spec, ret_whole));
    TRY(conn_params(
        conn, wait, arena, &rows,
        "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'stoa' AND TABLE_NAME = $1",
        log_name(arena, spec)));
    *ret_whole = *ret_whole && rows_int(&rows, 0, 0) > 0;
    return NULL;
}
