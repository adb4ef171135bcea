/* What the application says on MySQL and MariaDB. */
#include "base/str.h"
#include "load/session.h"

/* In backticks, those inside doubled: right in every sql_mode. */
static void add_ident(Str *str, const char *name)
{
    str_add(str, "`");
    for (const char *at = name; *at != '\0'; at++)
        str_addf(str, *at == '`' ? "``" : "%c", *at);
    str_add(str, "`");
}

char *my_load_name(Arena *arena, const char *schema, const char *name)
{
    CLEANUP(str_donep) Str text = STR_INIT;
    if (schema != NULL) {
        add_ident(&text, schema);
        str_add(&text, ".");
    }
    add_ident(&text, name);
    return arena_dup(arena, text.buf);
}

/* An application's session, not one of Stoa's: it waits for locks as long as the server lets it, and reads as
 * the server has it by default. */
static Err *settle(Session *session)
{
    return session_exec(session, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ; SET SESSION "
                                 "lock_wait_timeout = 50, innodb_lock_wait_timeout = 50");
}

static Err *prepare(Session *session)
{
    (void)session;
    return NULL;
}

/* Everything is a failure: also a deadlock, since this application makes none by itself. */
static bool expects(Session *session, const Err *err, const char *text)
{
    (void)session, (void)err, (void)text;
    return false;
}

static void rollback(Session *session) { err_free(session_exec(session, "ROLLBACK")); }

static Err *look(Load *load)
{
    Session *session = &load->sessions[0];
    Rows rows = {0};
    TRY(session_query(session,
                      arena_printf(session->arena, "SELECT COALESCE(MAX(id), 0) FROM %s", load->names.main),
                      0, NULL, &rows));
    load->base_max_id = rows_int(&rows, 0, 0) > 0 ? rows_int(&rows, 0, 0) : 1;
    atomic_store(&load->max_id, load->base_max_id);
    return NULL;
}

const LoadDialect load_dialect_my = {
    .name = my_load_name,
    .settle = settle,
    .prepare = prepare,
    .expects = expects,
    .rollback = rollback,
    .look = look,
    .plain_item = my_plain_item,
    .hostile_item = my_hostile_item,
    .orders_create = my_orders_create,
    .twin_create = my_twin_create,
    .twin_compare = my_twin_compare,
};
