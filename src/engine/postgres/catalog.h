/* catalog.h — what the PostgreSQL engine reads from the catalog and the statistics views.
 *
 * The functions of EngineOps are documented in engine/engine.h; here stands what is PostgreSQL's own. */
#pragma once
#include "engine/engine.h"

#include <jansson.h>

Err *pg_load_server(Conn *conn, const Wait *wait, Arena *arena, Server *ret_server) MUST_USE;
Err *pg_load_stars(Conn *conn, const Wait *wait, Arena *arena, const Server *server, Table *table) MUST_USE;
Err *pg_load_table(Conn *conn, const Wait *wait, Arena *arena, const Server *server, const char *schema,
                   const char *name, Table *ret_table) MUST_USE;
Err *pg_load_dependents(Conn *conn, const Wait *wait, Arena *arena, Table *table) MUST_USE;
Err *pg_load_use(Conn *conn, const Wait *wait, Arena *arena, const Server *server, const char *schema,
                 const char *table, bool parts, const char *const *columns, size_t column_count,
                 Use *ret_use) MUST_USE;
Err *pg_load_stale(Conn *conn, const Wait *wait, Arena *arena, const Server *server, StaleFact fact,
                   json_t **ret_rows) MUST_USE;
Err *pg_column_comment(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *table,
                       const char *column, bool *ret_there, const char **ret_comment) MUST_USE;
Err *pg_set_column_comment(Conn *conn, const Target *target, const Wait *wait, Arena *arena,
                           const CommentRequest *request, AlterResult *ret_result) MUST_USE;
Err *pg_flush_counters(Conn *conn, const Wait *wait) MUST_USE;
Err *pg_load_object(Conn *conn, const Wait *wait, Arena *arena, const ObjectAsk *ask,
                    ObjectState *ret_state) MUST_USE;
Err *pg_index_table(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *index,
                    const char **ret_schema, const char **ret_table) MUST_USE;
Err *pg_load_face(Conn *conn, const Wait *wait, Arena *arena, int64_t table_id, Face *ret_face) MUST_USE;
Err *pg_list_tables(Conn *conn, const Wait *wait, Arena *arena, Rows *ret_rows) MUST_USE;
/* Names, in their order; the server's own and ours are left out. */
Err *pg_list_databases(Conn *conn, const Wait *wait, Arena *arena, Rows *ret_rows) MUST_USE;
Err *pg_list_schemas(Conn *conn, const Wait *wait, Arena *arena, Rows *ret_rows) MUST_USE;
Err *pg_session_limits(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_lock_ms,
                       int64_t *ret_statement_ms) MUST_USE;
Err *pg_load_source(Conn *conn, const Wait *wait, Arena *arena, const char *const *names, size_t count,
                    json_t **ret_json) MUST_USE;
Err *pg_find_schema(Conn *conn, const Wait *wait, Arena *arena, const char *name, bool *ret_there) MUST_USE;
/* Makes one fingerprint of this table, taken in a transaction of this session, cheap: it is planned now. */
Err *pg_fingerprint_prepare(Conn *conn, const Wait *wait, Arena *arena, int64_t table_id) MUST_USE;
Err *pg_load_copy(Conn *conn, const Wait *wait, Arena *arena, const Table *table, const char *copy,
                  const char *old, TableCopy *ret_copy) MUST_USE;
Err *pg_load_column_parts(Conn *conn, const Wait *wait, Arena *arena, const Table *table, const char *column,
                          const char *twin, ColumnParts *ret_column_parts) MUST_USE;
/* Errors: ERR_PRIVILEGE where temporary tables may not be made, or the expression reads what the role may
 * not. */
Err *pg_check_expression(Conn *conn, const Wait *wait, Arena *arena, const Table *table, const char *column,
                         const char *column_type, const char *expr, ExprInfo *ret_info) MUST_USE;
Err *pg_fingerprint(Conn *conn, const Wait *wait, Arena *arena, const int64_t *tables, size_t count,
                    const char *const **ret_lines, size_t *ret_count) MUST_USE;
/* age_ms is 0 and statement NULL where the server hides another role's session (see may_read_stats). */
Err *pg_blockers(Conn *conn, const Wait *wait, Arena *arena, const int64_t *table_ids, size_t table_count,
                 const char *lock, Blocker **ret_blockers, size_t *ret_count) MUST_USE;
Err *pg_lock_table(Conn *conn, const Wait *wait, const Table *table, const char *lock, bool no_wait) MUST_USE;
Err *pg_shape(Conn *conn, const Wait *wait, Arena *arena, int64_t table_id, const char **ret_shape,
              int64_t *ret_hot_rows) MUST_USE;
Err *pg_hot_updates(Conn *conn, const Wait *wait, Arena *arena, const Table *table,
                    int64_t *ret_rows) MUST_USE;
/* ret_age_ms is 0 when nobody holds the horizon back, and -1 when a replication slot or a standby holds it
 * back by more than 100,000 transactions, of which the server does not know the time. */
Err *pg_horizon(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_age_ms,
                const char **ret_who) MUST_USE;
/* The flushed position of the log: everything committed with synchronous_commit on, and all before it. */
Err *pg_position(Conn *conn, const Wait *wait, Arena *arena, const char **ret_position) MUST_USE;
Err *pg_replicas(Conn *conn, const Wait *wait, Arena *arena, Replica **ret_replicas,
                 size_t *ret_count) MUST_USE;
Err *pg_replayed(Conn *conn, const Wait *wait, Arena *arena, const char *position, bool *ret_all) MUST_USE;

/* ---- shared by the files that read the catalog ---------------------------------------------- */

/* A catalog query as the server's version has to see it: lines that end in "--@15+" are kept from 15 on,
 * those that end in "--@15-" before it. */
char *catalog_sql_text(Arena *arena, const char *sql, int version_num) __attribute__((returns_nonnull));
/* Runs the query and gives its rows as a JSON array of objects by column name; the caller frees. */
Err *catalog_query(Conn *conn, const Wait *wait, const char *sql, size_t param_count,
                   const char *const *params, json_t **ret_rows) MUST_USE;
/* The same of a static text that a session asks often; see pg_query_kept(). */
Err *catalog_query_kept(Conn *conn, const Wait *wait, const char *sql, size_t param_count,
                        const char *const *params, json_t **ret_rows) MUST_USE;
static inline void catalog_json_freep(json_t **json)
{
    json_decref(*json);
    *json = NULL;
}

/* Members of an object; text lives in the arena, and NULL, 0 or false stand for a missing or null member. */
const char *catalog_text(Arena *arena, const json_t *row, const char *member);
int64_t catalog_int(const json_t *row, const char *member);
double catalog_double(const json_t *row, const char *member);
bool catalog_bool(const json_t *row, const char *member);
/* An array of strings, NULL where an item is null; never NULL itself. */
const char *const *catalog_texts(Arena *arena, const json_t *row, const char *member, size_t *ret_count);

/* Looks through one statement's text (as pg_stat_statements keeps it) for a use of the table that a new
 * column changes: "SELECT *", "RETURNING *", "INSERT without a column list", "COPY FROM without a column
 * list"; NULL if there is none. Unquoted names are compared without case; a schema in the text must be
 * `schema`. */
const char *star_reason(const char *statement, const char *schema, const char *name);

/* Whether one statement's text uses the table, or one of the columns of it: "names it", or for columns also
 * "INSERT without a column list", "COPY FROM without a column list"; NULL if it does not, or is DDL. A column
 * counts as named wherever the word stands in a statement that names the table. Names are compared as in
 * star_reason(); `schema` NULL: in whatever schema. */
const char *use_reason(const char *statement, const char *schema, const char *name,
                       const char *const *columns, size_t column_count);
