/* Empty copies of tables in scratch databases of the same server. */
#include "engine/mysql/clone.h"

#include "base/str.h"
#include "engine/mysql/definition.h"
#include "engine/mysql/my.h"
#include "engine/mysql/quote.h"
#include "engine/mysql/written.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NOT_LOCKED = 1100, LOCKED_FOR_READ = 1099, CLOSE_MS = 10000 };

struct Clone {
    Conn *conn;
    Arena *arena; /* as long as the clone */
    Scratch scratch;
};

/* What came of something that need not work; a lost connection or a stop remains an error. */
static Err *if_possible(Err *err, bool *ret_done)
{
    *ret_done = err == NULL;
    if (err == NULL || err->kind == ERR_CONN_LOST || err->kind == ERR_STOPPED || err->kind == ERR_CANCELLED)
        return err;
    err_free(err);
    return NULL;
}

/* ---- what dead ones left ---------------------------------------------------------------------------------
 */

static Err *set_log(Conn *conn, const Wait *wait, bool on, bool *ret_done)
{
    return if_possible(
        my_exec(conn, wait, on ? "SET SESSION sql_log_bin = 1" : "SET SESSION sql_log_bin = 0"), ret_done);
}

static Err *drop_if_dead(Conn *conn, const Wait *wait, Arena *arena, const char *database)
{
    bool logged = false, done = false;
    const char *lock = scratch_lock_of(arena, database, &logged);
    Rows rows = {0};
    if (lock == NULL)
        return NULL;
    TRY(conn_params(conn, wait, arena, &rows, "SELECT GET_LOCK($1, 0)", lock));
    if (rows_int(&rows, 0, 0) != 1)
        return NULL;
    TRY(set_log(conn, wait, logged, &done));
    TRY(if_possible(
        my_exec(conn, wait, arena_printf(arena, "DROP DATABASE IF EXISTS %s", my_ident(arena, database))),
        &done));
    return conn_params(conn, wait, arena, &rows, "DO RELEASE_LOCK($1)", lock);
}

Err *my_clone_forget(Conn *conn, const Wait *wait)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Rows rows = {0}, before = {0};
    TRY(conn_query(
        conn, wait, arena, &rows,
        "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'stoa\\_scratch\\_%' "
        "ORDER BY schema_name"));
    if (rows.row_count == 0)
        return NULL;
    TRY(conn_query(conn, wait, arena, &before, "SELECT @@SESSION.sql_log_bin"));
    Err *err = NULL;
    for (size_t i = 0; err == NULL && i < rows.row_count; i++)
        err = drop_if_dead(conn, wait, arena, rows_cell(&rows, i, 0));
    bool done = false;
    Err *restored = set_log(conn, wait, rows_int(&before, 0, 0) == 1, &done);
    if (err == NULL)
        return restored;
    err_free(restored);
    return err;
}

/* ---- making one ------------------------------------------------------------------------------------------
 */

/* What a role may set only in some versions, and what else may stand against an old definition: the second
 * try is without. */
static const struct {
    const char *off, *back;
} demands[] = {
    {"SET @stoa_strict = @@SESSION.innodb_strict_mode, @@SESSION.innodb_strict_mode = 0",
     "SET @@SESSION.innodb_strict_mode = @stoa_strict"},
    /* MySQL 8.0.13 and 8.0.30 */
    {"SET @stoa_require = @@SESSION.sql_require_primary_key, @@SESSION.sql_require_primary_key = 0",
     "SET @@SESSION.sql_require_primary_key = @stoa_require"},
};

static Err *make_unhindered(Conn *conn, const Wait *wait, const char *create_sql)
{
    bool off[ARRAY_LEN(demands)], done = false;
    for (size_t i = 0; i < ARRAY_LEN(demands); i++)
        TRY(if_possible(my_exec(conn, wait, demands[i].off), &off[i]));
    Err *err = my_exec(conn, wait, create_sql);
    for (size_t i = 0; err == NULL && i < ARRAY_LEN(demands); i++)
        if (off[i])
            TRY(if_possible(my_exec(conn, wait, demands[i].back), &done));
    return err;
}

Err *clone_make_table(Conn *conn, const Wait *wait, const char *database, const char *create_sql)
{
    /* The definition may stem from looser times: zero dates, row formats that strictness refuses. */
    static const char loose[] =
        "SET @stoa_mode = @@SESSION.sql_mode, @@SESSION.sql_mode = "
        "'NO_ENGINE_SUBSTITUTION,ALLOW_INVALID_DATES', @@SESSION.foreign_key_checks = 0";
    static const char usual[] = "SET @@SESSION.sql_mode = @stoa_mode, @@SESSION.foreign_key_checks = 1";
    CLEANUP(arena_freep) Arena *arena = arena_new();
    TRY(my_exec(conn, wait, arena_printf(arena, "USE %s", my_ident(arena, database))));
    TRY(my_exec(conn, wait, loose));
    Err *err = my_exec(conn, wait, create_sql);
    if (err != NULL && err->server_errno != 0 && err->kind == ERR_SQL) {
        err_free(err);
        err = make_unhindered(conn, wait, create_sql);
    }
    TRY(err);
    return my_exec(conn, wait, usual);
}

static Err *privilege_hint(Conn *conn, Err *err)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Rows rows = {0};
    if (err == NULL || err->kind != ERR_PRIVILEGE)
        return err;
    Err *unknown = conn_query(conn, NULL, arena, &rows, "SELECT CURRENT_USER()");
    const char *user = unknown != NULL || rows.row_count == 0 ? NULL : rows_cell(&rows, 0, 0);
    err_free(unknown);
    const char *host = user == NULL ? NULL : strrchr(user, '@');
    if (host == NULL)
        return err_hint(err, "GRANT ALL ON `stoa\\_scratch\\_%%`.* TO the role");
    return err_hint(err, "GRANT ALL ON `stoa\\_scratch\\_%%`.* TO %s@%s",
                    my_literal(conn, arena, arena_dupn(arena, user, (size_t)(host - user))),
                    my_literal(conn, arena, host + 1));
}

/* With the character set of the real one, which columns without one of their own would take. */
static Err *make_database(Conn *real, Conn *conn, const Wait *wait, Arena *arena, const ScratchName *name)
{
    Rows rows = {0};
    TRY(conn_params(
        real, wait, arena, &rows,
        "SELECT default_character_set_name, default_collation_name FROM information_schema.schemata "
        "WHERE schema_name = $1",
        name->real));
    const char *sql = arena_printf(arena, "CREATE DATABASE %s", my_ident(arena, name->copy));
    if (rows.row_count > 0)
        sql = arena_printf(arena, "%s CHARACTER SET %s COLLATE %s", sql, rows_cell(&rows, 0, 0),
                           rows_cell(&rows, 0, 1));
    return privilege_hint(conn, my_exec(conn, wait, sql));
}

/* MariaDB: a default may draw from a sequence, which must be there. */
static Err *make_sequences(Conn *conn, const Wait *wait, Arena *arena, const Scratch *scratch,
                           const char *create_sql)
{
    static const char *const calls[] = {"nextval(`", "lastval(`"};
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        for (const char *at = strstr(create_sql, calls[i]); at != NULL; at = strstr(at + 1, calls[i])) {
            const char *name = at + strlen(calls[i]) - 1, *end = strchr(name, ')');
            if (end == NULL)
                break;
            TRY(my_exec(conn, wait,
                        scratch_sql(arena, scratch,
                                    arena_printf(arena, "CREATE SEQUENCE IF NOT EXISTS %.*s ENGINE=InnoDB",
                                                 (int)(end - name), name))));
        }
    return NULL;
}

typedef struct Original {
    const char *schema, *name, *create_sql;
    bool view;
} Original;
typedef VEC(Original) Originals;

static Err *add_original(Conn *real, const Wait *wait, Arena *arena, const char *schema, const char *name,
                         const char *create_sql, Originals *originals)
{
    for (size_t i = 0; i < originals->len; i++)
        if (str_eq(originals->items[i].schema, schema) && str_eq(originals->items[i].name, name))
            return NULL;
    if (create_sql == NULL) {
        Rows rows = {0};
        TRY(conn_query(real, wait, arena, &rows,
                       arena_printf(arena, "SHOW CREATE TABLE %s", my_name(arena, schema, name))));
        create_sql = rows.row_count == 0 ? "" : rows_cell(&rows, 0, 1);
    }
    *vec_push(arena, originals) = (Original){.schema = schema, .name = name, .create_sql = create_sql};
    return NULL;
}

/* The tables, and the others at both ends of their foreign keys. What those lead to in turn need not be
 * there, since only checks of the tables themselves count. */
static Err *collect(Conn *real, const Wait *wait, Arena *arena, const Table *tables, size_t count,
                    Originals *originals)
{
    for (size_t i = 0; i < count; i++)
        if (tables[i].my != NULL &&
            (tables[i].kind == RELATION_TABLE || tables[i].kind == RELATION_PARTITIONED))
            TRY(add_original(real, wait, arena, tables[i].schema, tables[i].name, tables[i].my->create_sql,
                             originals));
    for (size_t i = 0; i < count; i++)
        if (tables[i].kind == RELATION_VIEW && tables[i].my->create_sql != NULL)
            *vec_push(arena, originals) = (Original){.schema = tables[i].schema,
                                                     .name = tables[i].name,
                                                     .create_sql = tables[i].my->create_sql,
                                                     .view = true};
    for (size_t i = 0; i < count; i++) {
        const MyTable *my = tables[i].my;
        for (size_t at = 0; my != NULL && at < my->parent_count; at++) {
            bool there = false; /* a parent may have been dropped, checks off */
            TRY(if_possible(add_original(real, wait, arena, my->parents[at].ref_schema,
                                         my->parents[at].ref_table, NULL, originals),
                            &there));
        }
        for (size_t at = 0; my != NULL && at < my->child_count; at++)
            TRY(add_original(real, wait, arena, my->children[at].schema, my->children[at].table, NULL,
                             originals));
    }
    return NULL;
}

/* Views may stand on each other, and on what is not here: as many as can be made, in whatever order. What
 * cannot is missed by the statement that needs it. */
static Err *make_views(Clone *clone, const Wait *wait, const Originals *originals)
{
    Arena *arena = clone->arena;
    bool *made = arena_alloc(arena, originals->len + 1), more = true;
    while (more) {
        more = false;
        for (size_t i = 0; i < originals->len; i++) {
            const Original *from = &originals->items[i];
            if (!from->view || made[i])
                continue;
            const char *sql = definition_any_definer(arena, from->create_sql);
            TRY(my_exec(
                clone->conn, wait,
                arena_printf(arena, "USE %s", my_ident(arena, scratch_of(&clone->scratch, from->schema)))));
            TRY(if_possible(my_exec(clone->conn, wait, scratch_sql(arena, &clone->scratch, sql)), &made[i]));
            more = more || made[i];
        }
    }
    return NULL;
}

static Err *fill(Clone *clone, Conn *real, const Wait *wait, const Originals *originals)
{
    Arena *arena = clone->arena;
    Scratch *scratch = &clone->scratch;
    for (size_t i = 0; i < originals->len; i++)
        (void)scratch_add(arena, scratch, originals->items[i].schema);
    for (size_t i = 0; i < originals->len; i++)
        scratch_add_references(arena, scratch, originals->items[i].create_sql);
    TRY(scratch_keep(clone->conn, wait, scratch));
    for (size_t i = 0; i < scratch->count; i++)
        TRY(make_database(real, clone->conn, wait, arena, &scratch->names[i]));
    for (size_t i = 0; i < originals->len; i++) {
        const Original *from = &originals->items[i];
        if (from->view)
            continue;
        const char *sql = scratch_sql(arena, scratch, definition_plain(arena, from->create_sql));
        TRY(make_sequences(clone->conn, wait, arena, scratch, from->create_sql));
        Err *err = clone_make_table(clone->conn, wait, scratch_of(scratch, from->schema), sql);
        if (err != NULL)
            return err_wrap(privilege_hint(clone->conn, err), "cannot make an empty copy of \"%s.%s\"",
                            from->schema, from->name);
    }
    TRY(make_views(clone, wait, originals));
    return my_exec(clone->conn, wait, arena_printf(arena, "USE %s", my_ident(arena, scratch->names[0].copy)));
}

/* The session keeps out of the log where it may, and out of a Galera cluster. */
static Err *prepare(Clone *clone, const Wait *wait)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    bool quiet = false, done = false;
    Rows rows = {0};
    TRY(my_clone_forget(clone->conn, wait));
    TRY(set_log(clone->conn, wait, false, &quiet));
    if (my_flavor(clone->conn)->brand != FLAVOR_MYSQL)
        TRY(if_possible(my_exec(clone->conn, wait, "SET SESSION wsrep_on = OFF"), &done));
    if (!flavor_is_mariadb(my_flavor(clone->conn)) && my_flavor(clone->conn)->version >= 80030)
        TRY(if_possible(my_exec(clone->conn, wait, "SET SESSION sql_generate_invisible_primary_key = OFF"),
                        &done));
    clone->scratch.prefix = scratch_prefix(clone->arena, my_session_id(clone->conn), !quiet);
    TRY(conn_params(clone->conn, wait, arena, &rows, "SELECT GET_LOCK($1, 5)", clone->scratch.prefix));
    if (rows_int(&rows, 0, 0) != 1)
        return err_new(ERR_HELD, "another session has the lock \"%s\"", clone->scratch.prefix);
    return NULL;
}

Err *my_clone_open(const Target *target, Conn *conn, const Wait *wait, const Server *server,
                   const Table *tables, size_t count, const Mention *mentions, size_t mention_count,
                   bool in_schema, Clone **ret_clone)
{
    (void)mentions, (void)mention_count, (void)in_schema;
    Clone *clone = mem_zero(sizeof *clone);
    clone->arena = arena_new();
    Originals originals = {0};
    Err *err = collect(conn, wait, clone->arena, tables, count, &originals);
    if (err == NULL && originals.len == 0 && server->database == NULL)
        err = err_new(ERR_BUG, "a clone of no table");
    if (err == NULL)
        err = my_connect(target, "clone", wait, &clone->conn);
    if (err == NULL)
        err = prepare(clone, wait);
    if (err == NULL && server != NULL && server->database != NULL)
        (void)scratch_add(clone->arena, &clone->scratch, server->database); /* where new tables are made */
    if (err == NULL)
        err = fill(clone, conn, wait, &originals);
    if (err != NULL) {
        my_clone_close(clone);
        return err;
    }
    *ret_clone = clone;
    return NULL;
}

Conn *my_clone_conn(Clone *clone) { return clone->conn; }

void my_clone_close(Clone *clone)
{
    if (clone == NULL)
        return;
    Wait wait = {.timeout_ms = CLOSE_MS};
    for (size_t i = 0; clone->conn != NULL && i < clone->scratch.count; i++) {
        const char *sql = arena_printf(
            clone->arena, "UNLOCK TABLES; SET foreign_key_checks = 0; DROP DATABASE IF EXISTS %s",
            my_ident(clone->arena, clone->scratch.names[i].copy));
        err_free(my_exec(clone->conn, &wait, sql)); /* else the next one does it */
    }
    my_closep(&clone->conn);
    arena_free(clone->arena);
    free(clone);
}

/* ---- statements in it ------------------------------------------------------------------------------------
 */

Err *clone_guard(Conn *conn, const Wait *wait, const Scratch *scratch)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    CLEANUP(str_donep) Str str = STR_INIT;
    for (size_t i = 0; i < scratch->count; i++) {
        Rows rows = {0};
        TRY(conn_params(conn, wait, arena, &rows,
                        "SELECT table_name FROM information_schema.tables WHERE table_schema = $1 AND "
                        "table_type <> 'VIEW'",
                        scratch->names[i].copy));
        for (size_t row = 0; row < rows.row_count; row++)
            str_addf(&str, "%s%s WRITE", str.len == 0 ? "LOCK TABLES " : ", ",
                     my_name(arena, scratch->names[i].copy, rows_cell(&rows, row, 0)));
    }
    if (scratch->count == 0)
        return err_new(ERR_BUG, "this session has no clone");
    if (str.len == 0)
        return err_new(ERR_UNSAFE, "there is no table that it could be tried on");
    return my_exec(conn, wait, str.buf);
}

bool clone_is_outside(const Err *err)
{
    return err != NULL && (err->server_errno == NOT_LOCKED || err->server_errno == LOCKED_FOR_READ);
}

static bool begins_with(const char **at, const char *word)
{
    while (**at != '\0' && strchr(" \t\r\n", **at) != NULL)
        (*at)++;
    size_t len = strlen(word);
    if (strncasecmp(*at, word, len) != 0 || strchr(" \t\r\n", (*at)[len]) == NULL)
        return false;
    *at += len;
    return true;
}

Err *clone_may_run(const char *sql)
{
    static const char *const between[] = {"OR",     "REPLACE", "ONLINE",   "OFFLINE",
                                          "IGNORE", "UNIQUE",  "FULLTEXT", "SPATIAL"};
    const char *at = sql;
    bool alter = begins_with(&at, "ALTER");
    bool index = !alter && (begins_with(&at, "CREATE") || begins_with(&at, "DROP"));
    for (size_t i = 0; i < ARRAY_LEN(between); i++)
        (void)begins_with(&at, between[i]);
    if ((alter && begins_with(&at, "TABLE")) || (index && begins_with(&at, "INDEX")))
        return NULL;
    return err_new(ERR_UNSAFE, "this cannot be tried on an empty copy: \"%.60s\"", sql);
}

/* Behind one of the words that introduce a name: in backticks, and no database's. */
static bool names_own(const char *at)
{
    while (*at == ' ')
        at++;
    (void)(begins_with(&at, "IF NOT EXISTS") || begins_with(&at, "IF EXISTS"));
    while (*at == ' ')
        at++;
    for (bool open = *at == '`'; open;) {
        at = strchr(at + 1, '`');
        if (at == NULL)
            return false;
        open = at[1] == '`';
        at += open ? 1 : 0;
    }
    return *at == '`' && at[1] != '.';
}

/* Statements that plans are made of, as these write them: about tables of the session's database. LOCK TABLES
 * would forbid them. */
static bool is_own(const char *sql)
{
    static const char *const makes[] = {"CREATE TABLE", "CREATE TRIGGER", "CREATE OR REPLACE TRIGGER",
                                        "DROP TRIGGER", "DROP TABLE",     "RENAME TABLE",
                                        "DROP VIEW"};
    const char *at = sql;
    for (size_t i = 0; i < ARRAY_LEN(makes); i++)
        if (begins_with(&at, makes[i]))
            return names_own(at) && (i <= 2 || strstr(at, "`.") == NULL);
    const char *view = strncasecmp(sql, "CREATE ", 7) == 0 ? strcasestr(sql, " VIEW ") : NULL;
    return view != NULL && names_own(view + strlen(" VIEW "));
}

static Err *run_words(Conn *conn, const Wait *wait, const char *sql, bool as_written)
{
    return as_written ? my_exec_written(conn, wait, sql) : my_exec(conn, wait, sql);
}

static Err *run_own(Conn *conn, const Wait *wait, Arena *arena, const Scratch *scratch, const char *sql,
                    bool as_written)
{
    TRY(my_exec(conn, wait, arena_printf(arena, "USE %s", my_ident(arena, scratch->names[0].copy))));
    return run_words(conn, wait, scratch_sql(arena, scratch, sql), as_written);
}

static Err *run_one(Conn *conn, const Wait *wait, Arena *arena, const Scratch *scratch, const char *sql,
                    bool as_written)
{
    if (scratch->count > 0 && is_own(sql))
        return run_own(conn, wait, arena, scratch, sql, as_written);
    TRY(clone_may_run(sql));
    TRY(clone_guard(conn, wait, scratch));
    Err *err = run_words(conn, wait, scratch_sql(arena, scratch, sql), as_written);
    Err *unlocked = my_exec(conn, wait, "UNLOCK TABLES");
    if (clone_is_outside(err)) {
        err_free(err);
        err = err_new(ERR_UNSAFE, "the statement is about other tables as well: \"%.60s\"", sql);
    }
    if (err == NULL)
        return unlocked;
    err_free(unlocked);
    return err;
}

static Err *run_all(Conn *conn, const Wait *wait, const char *const *sql, size_t count, bool as_written)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Scratch scratch = {0};
    TRY(scratch_load(conn, wait, arena, &scratch));
    for (size_t i = 0; i < count; i++)
        TRY(run_one(conn, wait, arena, &scratch, sql[i], as_written));
    return NULL;
}

Err *my_clone_run(Conn *conn, const Wait *wait, const char *const *sql, size_t count, bool outside)
{
    (void)outside;
    return run_all(conn, wait, sql, count, false);
}

Err *my_clone_run_written(Conn *conn, const Wait *wait, const char *sql, bool unchecked)
{
    if (!unchecked)
        return run_all(conn, wait, &sql, 1, true);
    TRY(my_exec(conn, wait, "SET SESSION foreign_key_checks = 0"));
    Err *err = run_all(conn, wait, &sql, 1, true);
    Err *usual =
        err_is(err, ERR_CONN_LOST) ? NULL : my_exec(conn, wait, "SET SESSION foreign_key_checks = 1");
    if (err == NULL)
        return usual;
    err_free(usual);
    return err;
}
