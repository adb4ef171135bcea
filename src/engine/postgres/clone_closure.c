/* What has to be in an empty clone, told by the catalog, and how it gets there. */
#include "engine/postgres/clone.h"

#include "base/clock.h"
#include "base/str.h"
#include "engine/postgres/catalog.h"
#include "engine/postgres/catalog_sql.h"
#include "engine/postgres/pg.h"
#include "engine/sql.h"

#include <stdlib.h>
#include <string.h>

enum {
    READ_LOCK_MS = 2000, /* view definitions need a weak lock on what they read */
    READ_TIMEOUT_MS = 30000,
    BUILD_TIMEOUT_MS = 30000,
    BUILD_BUDGET_MS = 20000, /* all of it: a plan that cannot be measured is shown all the same */
    BATCH_LEN = 50,          /* statements a transaction: its locks fit in a small server's lock table */
};

/* ---- reading -------------------------------------------------------------------------------- */

typedef struct Piece {
    int64_t stage, place;
    size_t seq; /* the order it was read in */
    CloneStatement statement;
} Piece;
typedef VEC(Piece) Pieces;

/* Columns of a result as PostgreSQL arrays of numbers. */
static char *number_array(Arena *arena, const Rows *rows, size_t col)
{
    CLEANUP(str_donep) Str text = STR_INIT;
    for (size_t row = 0; row < rows->row_count; row++) {
        str_sep(&text, ",");
        str_add(&text, rows_cell(rows, row, col));
    }
    return arena_printf(arena, "{%s}", text.buf);
}

static char *table_array(Arena *arena, const Table *tables, size_t count)
{
    CLEANUP(str_donep) Str text = STR_INIT;
    for (size_t i = 0; i < count; i++)
        if (tables[i].id != 0) {
            str_sep(&text, ",");
            str_addf(&text, "%lld", (long long)tables[i].id);
        }
    return arena_printf(arena, "{%s}", text.buf);
}

static void add_element(Str *array, const char *text)
{
    str_sep(array, ",");
    if (text == NULL) {
        str_add(array, "NULL");
        return;
    }
    str_add(array, "\"");
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\')
            str_add(array, "\\");
        str_addn(array, at, 1);
    }
    str_add(array, "\"");
}

/* A wish as the parameters of clone_closure.sql, and the schemas that are made in any case. */
typedef struct WishText {
    const char *params[6];
    const char *schemas;
} WishText;

static WishText wish_text(Arena *arena, const CloneWish *wish)
{
    Str path CLEANUP(str_donep) = STR_INIT, spaces CLEANUP(str_donep) = STR_INIT,
             names CLEANUP(str_donep) = STR_INIT, kinds CLEANUP(str_donep) = STR_INIT,
             levels CLEANUP(str_donep) = STR_INIT, schemas CLEANUP(str_donep) = STR_INIT;
    for (size_t i = 0; i < wish->search_path_count; i++) {
        add_element(&path, wish->search_path[i]);
        add_element(&schemas, wish->search_path[i]);
    }
    for (size_t i = 0; i < wish->mention_count; i++) {
        const Mention *mention = &wish->mentions[i];
        add_element(&spaces, mention->schema);
        add_element(&names, mention->name);
        str_sep(&kinds, ",");
        str_addf(&kinds, "%u", mention->kinds);
        str_sep(&levels, ",");
        str_add(&levels, mention->target ? "2" : "1");
        if ((mention->kinds & NAMES_SCHEMA) != 0 && mention->schema == NULL)
            add_element(&schemas, mention->name);
    }
    WishText text = {.schemas = arena_printf(arena, "{%s}", schemas.buf)};
    text.params[0] = table_array(arena, wish->tables, wish->table_count);
    const Str *lists[] = {&path, &spaces, &names, &kinds, &levels};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        text.params[i + 1] = arena_printf(arena, "{%s}", lists[i]->buf);
    return text;
}

static Err *read_pieces(Conn *conn, const Wait *wait, Arena *arena, const char *sql, size_t param_count,
                        const char *const *params, Pieces *pieces)
{
    Rows rows = {0};
    const char *text = catalog_sql_text(arena, sql, pg_conn_version(conn));
    TRY(conn->ops->query(conn, wait, arena, text, param_count, params, &rows));
    for (size_t row = 0; row < rows.row_count; row++)
        *vec_push(arena, pieces) = (Piece){.stage = rows_int(&rows, row, 0),
                                           .place = rows_int(&rows, row, 1),
                                           .seq = pieces->len,
                                           .statement = {.stage = rows_int(&rows, row, 0),
                                                         .optional = rows_int(&rows, row, 2) == 0,
                                                         .what = rows_cell(&rows, row, 3),
                                                         .sql = rows_cell(&rows, row, 4)}};
    return NULL;
}

/* Is there anything that clone_views.sql is for? To plan that query takes longer than all else about it. The
 * numbers of catalogs are the same on every server (pg_class.dat). */
static bool has_upper_parts(const Rows *nodes)
{
    static const int64_t catalogs[] = {2618 /* pg_rewrite */, 2620 /* pg_trigger */, 3256 /* pg_policy */,
                                       3381 /* pg_statistic_ext */};
    for (size_t row = 0; row < nodes->row_count; row++)
        for (size_t i = 0; i < ARRAY_LEN(catalogs); i++)
            if (rows_int(nodes, row, 0) == catalogs[i])
                return true;
    return false;
}

static Err *read_closure(Conn *conn, const Wait *wait, Arena *arena, const CloneWish *wish, Pieces *pieces)
{
    CLEANUP(str_donep) Str begin = STR_INIT;
    str_addf(&begin,
             "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL search_path = pg_catalog, pg_temp; "
             "SET LOCAL standard_conforming_strings = on; SET LOCAL quote_all_identifiers = off; "
             "SET LOCAL lock_timeout = %d; SET LOCAL statement_timeout = %d",
             READ_LOCK_MS, READ_TIMEOUT_MS);
    TRY(conn_exec(conn, wait, begin.buf));
    WishText text = wish_text(arena, wish);
    Rows nodes = {0};
    TRY(conn->ops->query(conn, wait, arena,
                         catalog_sql_text(arena, catalog_clone_closure_sql, pg_conn_version(conn)),
                         ARRAY_LEN(text.params), text.params, &nodes));
    const char *params[] = {number_array(arena, &nodes, 0), number_array(arena, &nodes, 1),
                            number_array(arena, &nodes, 2), text.schemas};
    TRY(read_pieces(conn, wait, arena, catalog_clone_types_sql, 4, params, pieces));
    TRY(read_pieces(conn, wait, arena, catalog_clone_tables_sql, 3, params, pieces));
    if (!has_upper_parts(&nodes))
        return NULL;
    return read_pieces(conn, wait, arena, catalog_clone_views_sql, 3, params, pieces);
}

static int piece_compare(const void *left, const void *right)
{
    const Piece *a = left, *b = right;
    if (a->stage != b->stage)
        return a->stage < b->stage ? -1 : 1;
    if (a->place != b->place)
        return a->place < b->place ? -1 : 1;
    return a->seq < b->seq ? -1 : 1;
}

Err *clone_statements(Conn *conn, const Wait *wait, Arena *arena, const CloneWish *wish,
                      CloneStatement **ret_statements, size_t *ret_count)
{
    Pieces pieces = {0};
    Err *err = read_closure(conn, wait, arena, wish, &pieces);
    pg_rollback(conn);
    if (err != NULL)
        return err_wrap(err, "cannot read what the tables depend on");
    if (pieces.len > 0)
        qsort(pieces.items, pieces.len, sizeof *pieces.items, piece_compare);
    CloneStatement *statements = arena_alloc(arena, (pieces.len + 1) * sizeof *statements);
    for (size_t i = 0; i < pieces.len; i++)
        statements[i] = pieces.items[i].statement;
    *ret_statements = statements;
    *ret_count = pieces.len;
    return NULL;
}

/* ---- building ------------------------------------------------------------------------------- */

/* Names in definitions are qualified but for the server's own, and function bodies are text that may speak of
 * things that are not copied. */
static const char build_settings[] =
    "SET LOCAL search_path = pg_catalog, pg_temp; SET LOCAL check_function_bodies = off; "
    "SET LOCAL default_tablespace = ''; SET LOCAL standard_conforming_strings = on; "
    "SET LOCAL escape_string_warning = off; SET LOCAL quote_all_identifiers = off";

static Err *run_batch(Conn *scratch, const Wait *wait, const CloneStatement *const *batch, size_t count)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    for (size_t i = 0; i < count; i++)
        str_addf(&sql, "%s;\n", batch[i]->sql);
    TRY(pg_begin(scratch, wait,
                 &(TxSettings){.statement_timeout_ms = BUILD_TIMEOUT_MS, .async_commit = true}));
    Err *err = conn_exec(scratch, wait, build_settings);
    if (err == NULL)
        err = conn_exec(scratch, wait, sql.buf);
    if (err == NULL)
        err = pg_commit(scratch, wait);
    if (err != NULL)
        pg_rollback(scratch);
    return err;
}

/* Errors that another round cannot mend. */
static bool is_final(const Err *err)
{
    return err_is(err, ERR_STOPPED) || err_is(err, ERR_CONN_LOST) || err_is(err, ERR_CANCELLED) ||
           err_is(err, ERR_DISK_FULL) || err_is(err, ERR_BUG) || err_is(err, ERR_IO);
}

static Err *copy_error(const CloneStatement *statement, Err *err)
{
    bool privilege = err_is(err, ERR_PRIVILEGE);
    err = err_wrap(err, "cannot copy %s into a scratch database", statement->what);
    return privilege && str_starts(statement->what, "extension ")
               ? err_hint(err, "only a role that may create this extension can try statements out: plan as a "
                               "superuser, or ask for one that marks it trusted")
               : err;
}

/* One round: batches, and one by one where a batch fails. What failed moves to the front of `pending`;
 * ret_first is the first failure that counts. */
static Err *run_round(Conn *scratch, const Wait *wait, const CloneStatement **pending, size_t count,
                      int64_t deadline_ms, size_t *ret_left, Err **ret_first)
{
    size_t left = 0;
    for (size_t at = 0; at < count; at += BATCH_LEN) {
        if (clock_ms() > deadline_ms)
            return err_new(ERR_CANCELLED, "%zu of the statements that copy the tables are left after %d s",
                           count - at, BUILD_BUDGET_MS / 1000);
        size_t len = count - at < BATCH_LEN ? count - at : BATCH_LEN;
        CLEANUP(err_freep) Err *whole = run_batch(scratch, wait, pending + at, len);
        for (size_t i = at; whole != NULL && i < at + len; i++) {
            Err *err = is_final(whole) ? whole : run_batch(scratch, wait, pending + i, 1);
            if (is_final(err)) {
                if (err == whole)
                    whole = NULL;
                return copy_error(pending[i], err);
            }
            if (err == NULL)
                continue;
            if (*ret_first == NULL && !pending[i]->optional)
                *ret_first = copy_error(pending[i], err);
            else
                err_free(err);
            pending[left++] = pending[i];
        }
    }
    *ret_left = left;
    return NULL;
}

Err *clone_build(Conn *scratch, const Wait *wait, const CloneStatement *statements, size_t count)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    VEC(const CloneStatement *) pending = {0};
    for (size_t i = 0; i < count; i++)
        if (statements[i].sql != NULL)
            /* a list of pointers: NOLINTNEXTLINE(bugprone-sizeof-expression) */
            *vec_push(arena, &pending) = &statements[i];
        else if (!statements[i].optional)
            return err_hint(err_new(ERR_SQL, "cannot copy %s into a scratch database", statements[i].what),
                            "move it into an extension, which can be copied");
    size_t left = pending.len;
    int64_t deadline_ms = clock_ms() + BUILD_BUDGET_MS;
    while (left > 0) {
        size_t before = left;
        CLEANUP(err_freep) Err *first = NULL;
        TRY(run_round(scratch, wait, pending.items, before, deadline_ms, &left, &first));
        if (left == before || first == NULL) {
            Err *err = first;
            first = NULL;
            return err;
        }
    }
    return NULL;
}
