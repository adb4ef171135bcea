/* What an application does to one row of an orders table, and to its twin. */
#include "load/row.h"

#include "engine/sql.h"

#include <ctype.h>
#include <string.h>

static const char *const ROW_STATUS[] = {"new", "paid", "packed", "sent", "returned", "cancelled"};

void row_values(Session *session, int64_t id, RowValues *ret_values)
{
    Random *random = &session->random;
    int64_t cents = random_between(random, 100, 999999);
    int note_len = (int)random_between(random, 10, 80);
    *ret_values = (RowValues){
        .id = id,
        .customer = arena_printf(session->arena, "%d", (int)random_between(random, 1, 50000)),
        .amount = arena_printf(session->arena, "%d.%02d", (int)(cents / 100), (int)(cents % 100)),
        .status = ROW_STATUS[random_between(random, 0, ARRAY_LEN(ROW_STATUS) - 1)],
        .note = NULL,
    };
    if (random_percent(random, 15))
        return;
    char note[81];
    for (int i = 0; i < note_len; i++)
        note[i] = (char)(i % 7 == 6 ? ' ' : 'a' + random_between(random, 0, 25));
    ret_values->note = arena_dupn(session->arena, note, (size_t)note_len);
}

static const char *id_text(Session *session, int64_t id)
{
    return arena_printf(session->arena, "%lld", (long long)id);
}

/* True when the expression names the column, as a whole word. */
static bool expr_reads(const Session *session, const char *column)
{
    const char *expr = session->load->config.new_expr;
    size_t len = strlen(column);
    for (const char *at = expr; (at = strcasestr(at, column)) != NULL; at += len) {
        bool begins = at == expr || !(isalnum((unsigned char)at[-1]) || at[-1] == '_');
        if (begins && !(isalnum((unsigned char)at[len]) || at[len] == '_'))
            return true;
    }
    return false;
}

/* ---- the new column's value, as an application that knows it would compute it --------------- */

/* Adds " (expr)", for a share of the rows shifted so that a value that was written can be told from one that
 * was computed. */
static void add_expr_shifted(Session *session, Str *sql)
{
    bool shifted = session->can_shift && random_percent(&session->random, 35);
    str_addf(sql, shifted ? " ((%s) + 1000000007)" : " (%s)", session->load->config.new_expr);
}

/* The row as an expression can read it: literals with the table's types. */
static void add_row_source(Session *session, Str *sql, const RowValues *values)
{
    str_addf(sql, "(SELECT %lld::bigint AS id, ", (long long)values->id);
    str_addf(sql, "%s::integer AS customer_id, %s::numeric(12,2) AS amount, ", values->customer,
             values->amount);
    sql_add_literal(sql, values->status);
    str_add(sql, "::text AS status, ");
    str_add(sql, sql_literal(session->arena, values->note));
    str_addf(sql, "::text AS note, now() AS created_at, now() AS updated_at) AS %s",
             session->load->names.alias);
}

/* The value for a row that is to be inserted; NULL when this session does not write it. */
static Err *value_for_insert(Session *session, const RowValues *values, const char **ret_value)
{
    *ret_value = NULL;
    if (!session_writes_column(session))
        return NULL;
    CLEANUP(str_donep) Str sql = STR_INIT;
    str_add(&sql, "SELECT");
    add_expr_shifted(session, &sql);
    str_add(&sql, "::text FROM ");
    add_row_source(session, &sql, values);
    Rows rows = {0};
    TRY(session_query(session, sql.buf, 0, NULL, &rows));
    *ret_value = rows_cell(&rows, 0, 0);
    return NULL;
}

/* The value for a row that is there, with `amount` (an SQL expression over the row); locks the row. NULL
 * when there is no such row. */
static Err *value_for_update(Session *session, int64_t id, const char *amount, const char **ret_value)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    str_add(&sql, "SELECT");
    add_expr_shifted(session, &sql);
    str_addf(&sql,
             "::text FROM (SELECT id, customer_id, (%s)::numeric(12,2) AS amount, status, note, created_at, "
             "now() AS updated_at FROM %s WHERE id = %lld FOR NO KEY UPDATE) AS %s",
             amount, session->load->names.main, (long long)id, session->load->names.alias);
    Rows rows = {0};
    TRY(session_query(session, sql.buf, 0, NULL, &rows));
    *ret_value = rows.row_count == 0 ? NULL : rows_cell(&rows, 0, 0);
    return NULL;
}

/* ---- the twin -------------------------------------------------------------------------------------------
 */

/* Adds the statement that computes the new column where it is not known, for the ids "1, 2, 3". */
static void add_twin_compute(Session *session, Str *sql, const char *ids)
{
    const LoadNames *names = &session->load->names;
    str_addf(sql, "; UPDATE %s AS %s SET %s = (%s) WHERE id IN (%s) AND %s IS NULL", names->twin,
             names->alias, names->new_column, session->load->config.new_expr, ids, names->new_column);
}

/* Changes one column (and updated_at) of the twin's row to `literal`; `value` is what the application wrote
 * into the new column, or NULL. */
static Err *twin_update(Session *session, int64_t id, const char *column, const char *literal,
                        const char *value)
{
    const LoadNames *names = &session->load->names;
    if (names->twin == NULL)
        return NULL;
    CLEANUP(str_donep) Str sql = STR_INIT;
    str_addf(&sql, "UPDATE %s SET updated_at = now()", names->twin);
    if (column != NULL)
        str_addf(&sql, ", %s = %s", column, literal);
    if (value != NULL) {
        str_addf(&sql, ", %s = ", names->new_column);
        sql_add_literal(&sql, value);
    } else if (expr_reads(session, "updated_at")) {
        str_addf(&sql, ", %s = NULL", names->new_column);
    } else if (column != NULL && expr_reads(session, column)) {
        str_addf(&sql, ", %s = CASE WHEN %s IS DISTINCT FROM %s THEN NULL ELSE %s END", names->new_column,
                 column, literal, names->new_column);
    }
    str_addf(&sql, " WHERE id = %lld", (long long)id);
    add_twin_compute(session, &sql, id_text(session, id));
    return session_exec(session, sql.buf);
}

/* Adds "INSERT INTO twin (…, new) SELECT …", computed unless `value` is there. */
static void add_twin_insert(Session *session, Str *sql, const RowValues *values, const char *value)
{
    const LoadNames *names = &session->load->names;
    str_addf(sql, "INSERT INTO %s (" LOAD_COLUMNS ", %s) SELECT " LOAD_COLUMNS ", ", names->twin,
             names->new_column);
    if (value != NULL)
        sql_add_literal(sql, value);
    else
        str_addf(sql, "(%s)", session->load->config.new_expr);
    str_add(sql, " FROM ");
    add_row_source(session, sql, values);
}

/* ---- operations ------------------------------------------------------------------------------------------
 */

Err *row_insert(Session *session, RowValues *values)
{
    const LoadNames *names = &session->load->names;
    const char *value;
    TRY(value_for_insert(session, values, &value));
    const char *params[6] = {values->customer, values->amount, values->status, values->note};
    size_t count = 4;
    CLEANUP(str_donep) Str columns = STR_INIT, marks = STR_INIT, sql = STR_INIT;
    if (values->id != 0) {
        params[count++] = id_text(session, values->id);
        str_add(&columns, ", id");
        str_addf(&marks, ", $%zu", count);
    }
    if (value != NULL) {
        params[count++] = value;
        str_addf(&columns, ", %s", names->new_column);
        str_addf(&marks, ", $%zu", count);
    }
    str_addf(&sql,
             "INSERT INTO %s (customer_id, amount, status, note, created_at, updated_at%s) VALUES "
             "($1, $2, $3, $4, now(), now()%s) RETURNING id",
             names->main, columns.buf, marks.buf);
    Rows rows = {0};
    TRY(session_query(session, sql.buf, count, params, &rows));
    values->id = rows_int(&rows, 0, 0);
    session_saw_id(session, values->id);
    if (names->twin == NULL)
        return NULL;
    str_clear(&sql);
    add_twin_insert(session, &sql, values, value);
    return session_exec(session, sql.buf);
}

Err *row_upsert(Session *session, const RowValues *values)
{
    const LoadNames *names = &session->load->names;
    const char *value;
    TRY(value_for_insert(session, values, &value));
    const char *params[] = {
        id_text(session, values->id), values->customer, values->amount, values->status, values->note, value};
    CLEANUP(str_donep) Str sql = STR_INIT;
    str_addf(&sql, "INSERT INTO %s (" LOAD_COLUMNS, names->main);
    if (value != NULL)
        str_addf(&sql, ", %s", names->new_column);
    str_addf(&sql, ") VALUES ($1, $2, $3, $4, $5, now(), now()%s)", value != NULL ? ", $6" : "");
    str_add(&sql, " ON CONFLICT (id) DO UPDATE SET amount = excluded.amount, updated_at = now()");
    if (value != NULL)
        str_addf(&sql, ", %s = excluded.%s", names->new_column, names->new_column);
    TRY(session_query(session, sql.buf, value != NULL ? 6 : 5, params, NULL));
    if (names->twin == NULL)
        return NULL;
    str_clear(&sql);
    add_twin_insert(session, &sql, values, value);
    str_add(&sql, " ON CONFLICT (id) DO UPDATE SET amount = excluded.amount, updated_at = now()");
    bool always = value == NULL && expr_reads(session, "updated_at");
    if (value != NULL || always)
        str_addf(&sql, ", %s = %s%s", names->new_column, always ? "NULL" : "excluded.",
                 always ? "" : names->new_column);
    else if (expr_reads(session, "amount"))
        str_addf(&sql, ", %s = CASE WHEN %s.amount IS DISTINCT FROM excluded.amount THEN NULL ELSE %s.%s END",
                 names->new_column, names->twin, names->twin, names->new_column);
    add_twin_compute(session, &sql, params[0]);
    return session_exec(session, sql.buf);
}

/* Takes that many unused ids. */
static Err *ids_reserve(Session *session, int count, Rows *ret_rows)
{
    const char *sql = arena_printf(session->arena, "SELECT nextval(%s::regclass) FROM generate_series(1, %d)",
                                   session->load->names.sequence, count);
    TRY(session_query(session, sql, 0, NULL, ret_rows));
    for (size_t i = 0; i < ret_rows->row_count; i++)
        session_saw_id(session, rows_int(ret_rows, i, 0));
    return NULL;
}

Err *row_copy(Session *session, int row_count)
{
    const LoadNames *names = &session->load->names;
    Rows ids = {0};
    TRY(ids_reserve(session, row_count, &ids));
    Rows now = {0};
    TRY(session_query(session, "SELECT now()", 0, NULL, &now));
    CLEANUP(str_donep) Str data = STR_INIT, sql = STR_INIT, twin = STR_INIT;
    bool names_column = session_writes_column(session);
    for (size_t i = 0; i < ids.row_count; i++) {
        RowValues values;
        row_values(session, rows_int(&ids, i, 0), &values);
        const char *value;
        TRY(value_for_insert(session, &values, &value));
        str_addf(&data, "%lld\t%s\t%s\t%s\t%s\t%s\t%s", (long long)values.id, values.customer, values.amount,
                 values.status, values.note != NULL ? values.note : "\\N", rows_cell(&now, 0, 0),
                 rows_cell(&now, 0, 0));
        if (names_column)
            str_addf(&data, "\t%s", value != NULL ? value : "\\N");
        str_add(&data, "\n");
        if (names->twin == NULL)
            continue;
        str_sep(&twin, "; ");
        add_twin_insert(session, &twin, &values, value);
    }
    str_addf(&sql, "COPY %s (" LOAD_COLUMNS "%s%s) FROM STDIN", names->main, names_column ? ", " : "",
             names_column ? names->new_column : "");
    Wait wait = {.stop = &session->load->stop};
    TRY(session->conn->ops->copy_in(session->conn, &wait, sql.buf, data.buf, data.len));
    return names->twin == NULL ? NULL : session_exec(session, twin.buf);
}

Err *row_update_amount(Session *session, int64_t id, bool same)
{
    const LoadNames *names = &session->load->names;
    RowValues values;
    row_values(session, id, &values);
    const char *amount = same ? "amount" : arena_printf(session->arena, "%s::numeric(12,2)", values.amount);
    const char *value = NULL;
    if (session_writes_column(session)) {
        TRY(value_for_update(session, id, amount, &value));
        if (value == NULL)
            return NULL;
    }
    const char *params[3] = {id_text(session, id)};
    size_t count = 1;
    CLEANUP(str_donep) Str sql = STR_INIT;
    str_addf(&sql, "UPDATE %s SET amount = %s, updated_at = now()", names->main, same ? "amount" : "$2");
    if (!same)
        params[count++] = values.amount;
    if (value != NULL) {
        params[count++] = value;
        str_addf(&sql, ", %s = $%zu", names->new_column, count);
    }
    str_add(&sql, " WHERE id = $1");
    Rows rows = {0};
    TRY(session_query(session, sql.buf, count, params, &rows));
    return rows.affected == 0 ? NULL : twin_update(session, id, "amount", amount, value);
}

Err *row_update_other(Session *session, int64_t id)
{
    const LoadNames *names = &session->load->names;
    RowValues values;
    row_values(session, id, &values);
    bool status = random_percent(&session->random, 60);
    const char *sql = arena_printf(session->arena, "UPDATE %s SET %s = $2, updated_at = now() WHERE id = $1",
                                   names->main, status ? "status" : "note");
    const char *params[] = {id_text(session, id), status ? values.status : values.note};
    Rows rows = {0};
    TRY(session_query(session, sql, 2, params, &rows));
    if (rows.affected == 0)
        return NULL;
    const char *literal = arena_printf(session->arena, "%s::text", sql_literal(session->arena, params[1]));
    return twin_update(session, id, status ? "status" : "note", literal, NULL);
}

Err *row_update_new(Session *session, int64_t id)
{
    if (!session_writes_column(session))
        return row_update_other(session, id);
    const LoadNames *names = &session->load->names;
    const char *value;
    TRY(value_for_update(session, id, "amount", &value));
    if (value == NULL)
        return NULL;
    const char *sql = arena_printf(session->arena, "UPDATE %s SET %s = $2, updated_at = now() WHERE id = $1",
                                   names->main, names->new_column);
    const char *params[] = {id_text(session, id), value};
    Rows rows = {0};
    TRY(session_query(session, sql, 2, params, &rows));
    return rows.affected == 0 ? NULL : twin_update(session, id, NULL, NULL, value);
}

Err *row_delete(Session *session, int64_t id, bool *ret_deleted)
{
    const LoadNames *names = &session->load->names;
    const char *params[] = {id_text(session, id)};
    Rows rows = {0};
    TRY(session_query(session, arena_printf(session->arena, "DELETE FROM %s WHERE id = $1", names->main), 1,
                      params, &rows));
    *ret_deleted = rows.affected > 0;
    if (rows.affected == 0 || names->twin == NULL)
        return NULL;
    return session_query(session, arena_printf(session->arena, "DELETE FROM %s WHERE id = $1", names->twin),
                         1, params, NULL);
}

Err *row_move(Session *session, int64_t id)
{
    const LoadNames *names = &session->load->names;
    Rows fresh = {0};
    TRY(ids_reserve(session, 1, &fresh));
    const char *params[] = {id_text(session, id), rows_cell(&fresh, 0, 0)};
    Rows rows = {0};
    TRY(session_query(session,
                      arena_printf(session->arena, "UPDATE %s SET id = $2 WHERE id = $1", names->main), 2,
                      params, &rows));
    if (rows.affected == 0 || names->twin == NULL)
        return NULL;
    CLEANUP(str_donep) Str sql = STR_INIT;
    str_addf(&sql, "UPDATE %s SET id = %s", names->twin, params[1]);
    if (expr_reads(session, "id"))
        str_addf(&sql, ", %s = NULL", names->new_column);
    str_addf(&sql, " WHERE id = %s", params[0]);
    add_twin_compute(session, &sql, params[1]);
    return session_exec(session, sql.buf);
}

Err *row_select(Session *session, int64_t id, Rows *ret_rows)
{
    const char *params[] = {id_text(session, id)};
    const char *sql = arena_printf(session->arena, "SELECT " LOAD_COLUMNS " FROM %s WHERE id = $1",
                                   session->load->names.main);
    return session_query(session, sql, 1, params, ret_rows);
}
