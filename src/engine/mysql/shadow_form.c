/* A shadow's specification in SQL. */
#include "engine/mysql/shadow_form.h"

#include "engine/mysql/conn.h"
#include "engine/mysql/quote.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- columns ---------------------------------------------------------------------------------------------
 */

static FormType type_of(const char *data_type)
{
    static const struct {
        const char *name;
        FormType type;
    } types[] = {
        {"tinyint", FORM_INTEGER},   {"smallint", FORM_INTEGER},
        {"mediumint", FORM_INTEGER}, {"int", FORM_INTEGER},
        {"bigint", FORM_INTEGER},    {"decimal", FORM_DECIMAL},
        {"float", FORM_FLOAT},       {"double", FORM_FLOAT},
        {"char", FORM_TEXT},         {"varchar", FORM_TEXT},
        {"tinytext", FORM_TEXT},     {"text", FORM_TEXT},
        {"mediumtext", FORM_TEXT},   {"longtext", FORM_TEXT},
        {"binary", FORM_BYTES},      {"varbinary", FORM_BYTES},
        {"tinyblob", FORM_BYTES},    {"blob", FORM_BYTES},
        {"mediumblob", FORM_BYTES},  {"longblob", FORM_BYTES},
        {"enum", FORM_ENUM},         {"set", FORM_SET},
        {"bit", FORM_BIT},           {"year", FORM_YEAR},
        {"date", FORM_DATE},         {"time", FORM_TIME},
        {"datetime", FORM_DATETIME}, {"timestamp", FORM_TIMESTAMP},
        {"json", FORM_JSON},
    };
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (strcasecmp(types[i].name, data_type) == 0)
            return types[i].type;
    return FORM_OTHER;
}

enum { CELL_TABLE, CELL_NAME, CELL_DATA_TYPE, CELL_COLUMN_TYPE, CELL_CHARSET, CELL_COLLATION, CELL_NULLABLE };

/* One side's columns are told from the other's by a mark, since the tables' names may differ in case. */
static Err *find_column(Arena *arena, const Rows *rows, const char *mark, const char *table,
                        const char *column, FormSide *ret_side)
{
    for (size_t i = 0; i < rows->row_count; i++) {
        if (!str_eq(rows_cell(rows, i, CELL_TABLE), mark) ||
            strcasecmp(rows_cell(rows, i, CELL_NAME), column) != 0)
            continue;
        const char *charset = rows_cell(rows, i, CELL_CHARSET),
                   *collation = rows_cell(rows, i, CELL_COLLATION);
        *ret_side = (FormSide){.type = type_of(rows_cell(rows, i, CELL_DATA_TYPE)),
                               .column_type = arena_dup(arena, rows_cell(rows, i, CELL_COLUMN_TYPE)),
                               .charset = charset == NULL ? NULL : arena_dup(arena, charset),
                               .collation = collation == NULL ? NULL : arena_dup(arena, collation),
                               .nullable = str_eq(rows_cell(rows, i, CELL_NULLABLE), "YES")};
        return NULL;
    }
    return err_new(ERR_UNSAFE, "column \"%s\" of table \"%s\" is missing", column, table);
}

static Err *load_columns(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, Rows *ret_rows)
{
    return conn_params(conn, wait, arena, ret_rows,
                       "SELECT 'source', COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, CHARACTER_SET_NAME, "
                       "COLLATION_NAME, IS_NULLABLE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = $1 "
                       "AND TABLE_NAME = $2 UNION ALL "
                       "SELECT 'shadow', COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, CHARACTER_SET_NAME, "
                       "COLLATION_NAME, IS_NULLABLE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = $1 "
                       "AND TABLE_NAME = $3",
                       spec->schema, spec->source, spec->shadow);
}

/* ---- literals --------------------------------------------------------------------------------------------
 */

const char *form_literal(Arena *arena, const FormSide *side, const char *value)
{
    switch (side->type) {
    case FORM_INTEGER:
    case FORM_DECIMAL:
        return strcasestr(side->column_type, "zerofill") == NULL ? value
                                                                 : arena_printf(arena, "%s + 0", value);
    case FORM_YEAR:
    case FORM_BIT:
        return arena_printf(arena, "%s + 0", value);
    case FORM_ENUM:
    case FORM_SET:
        return arena_printf(arena, "CAST(%s AS UNSIGNED)", value);
    case FORM_TEXT:
        return arena_printf(arena, "CONCAT('_%s x''', LOWER(HEX(%s)), '''')", side->charset, value);
    case FORM_BYTES:
        return arena_printf(arena, "CONCAT('_binary x''', LOWER(HEX(%s)), '''')", value);
    case FORM_DATE:
    case FORM_TIME:
    case FORM_DATETIME:
    case FORM_TIMESTAMP:
    case FORM_FLOAT:
    case FORM_JSON:
    case FORM_OTHER:
        break;
    }
    return arena_printf(arena, "CONCAT('''', %s, '''')", value);
}

/* What stands in brackets behind the type: "datetime(3)" -> "3", "" where there is nothing. */
static const char *type_size(Arena *arena, const char *column_type)
{
    const char *open = strchr(column_type, '(');
    return open == NULL ? "" : arena_dupn(arena, open + 1, strcspn(open + 1, ")"));
}

/* The shadow's value as one of the source's type, where its text could be another one. */
static const char *back_expr(Arena *arena, const FormSide *from, const FormSide *to, const char *target)
{
    bool same_type = strcasecmp(from->column_type, to->column_type) == 0;
    switch (from->type) {
    case FORM_TEXT:
        return str_eq(from->charset, to->charset) || to->type != FORM_TEXT
                   ? target
                   : arena_printf(arena, "CONVERT(%s USING %s)", target, from->charset);
    case FORM_DECIMAL:
        return same_type ? target
                         : arena_printf(arena, "CAST(%s AS DECIMAL(%s))", target,
                                        type_size(arena, from->column_type));
    case FORM_TIME:
    case FORM_DATETIME:
    case FORM_TIMESTAMP:
        return same_type ? target
                         : arena_printf(arena, "CAST(%s AS %s(%s))", target,
                                        from->type == FORM_TIME ? "TIME" : "DATETIME",
                                        from->column_type[strcspn(from->column_type, "(")] == '\0'
                                            ? "0"
                                            : type_size(arena, from->column_type));
    case FORM_INTEGER:
    case FORM_FLOAT:
    case FORM_BYTES:
    case FORM_ENUM:
    case FORM_SET:
    case FORM_BIT:
    case FORM_YEAR:
    case FORM_DATE:
    case FORM_JSON:
    case FORM_OTHER:
        break;
    }
    return target;
}

/* The collation's name behind its character set: "utf8mb3_general_ci" -> "general_ci". */
static const char *collation_tail(const FormSide *side)
{
    size_t len = side->charset == NULL ? 0 : strlen(side->charset);
    const char *collation = side->collation == NULL ? "" : side->collation;
    if (strncmp(collation, "utf8_", 5) == 0) /* named after utf8mb3 by its old name */
        return collation + 5;
    return strncmp(collation, side->charset == NULL ? "" : side->charset, len) == 0 && collation[len] == '_'
               ? collation + len + 1
               : collation;
}

static bool is_utf8mb3(const char *charset) { return str_eq(charset, "utf8") || str_eq(charset, "utf8mb3"); }

/* Whether the source's literals find the same rows, in the same order, in a column of the other type: what a
 * strict conversion leaves as it is, compared by the same rules. */
static bool side_is_direct(const FormSide *from, const FormSide *to)
{
    if (from->type != to->type)
        return false;
    size_t len = strlen(from->column_type);
    switch (from->type) {
    case FORM_INTEGER:
    case FORM_DATE:
    case FORM_YEAR:
    case FORM_BIT:
        return true;
    case FORM_TEXT:
        if (str_eq(from->collation, to->collation))
            return true;
        return is_utf8mb3(from->charset) && str_eq(to->charset, "utf8mb4") &&
               str_eq(collation_tail(from), collation_tail(to));
    case FORM_BYTES: /* BINARY is padded */
        return strcasecmp(from->column_type, to->column_type) == 0 ||
               (strncasecmp(from->column_type, "varbinary", 9) == 0 &&
                strncasecmp(to->column_type, "varbinary", 9) == 0);
    case FORM_ENUM: /* members added at the end */
    case FORM_SET:
        return str_eq(from->collation, to->collation) && len > 0 &&
               strncmp(from->column_type, to->column_type, len - 1) == 0 &&
               (to->column_type[len - 1] == ')' || to->column_type[len - 1] == ',');
    case FORM_DECIMAL: /* a rounded value would be found by neither's literal */
    case FORM_TIME:
    case FORM_DATETIME:
    case FORM_TIMESTAMP:
    case FORM_FLOAT:
    case FORM_JSON:
    case FORM_OTHER:
        return strcasecmp(from->column_type, to->column_type) == 0;
    }
    return false;
}

char *form_key_text(Arena *arena, const Form *form, bool is_target, const char *prefix)
{
    CLEANUP(str_donep) Str text = STR_INIT;
    for (size_t i = 0; i < form->key_count; i++) {
        const FormKey *key = &form->keys[i];
        const char *value = arena_printf(arena, "%s%s", prefix, is_target ? key->target : key->name);
        str_sep(&text, ", ");
        str_add(&text, form_literal(arena, &key->from,
                                    is_target ? back_expr(arena, &key->from, &key->to, value) : value));
    }
    return arena_printf(arena, form->key_count == 1 ? "%s" : "CONCAT_WS(',', %s)", text.buf);
}

char *form_target_text(Arena *arena, const Form *form, const char *prefix)
{
    CLEANUP(str_donep) Str text = STR_INIT;
    for (size_t i = 0; i < form->key_count; i++) {
        str_sep(&text, ", ");
        str_add(&text, form_literal(arena, &form->keys[i].to,
                                    arena_printf(arena, "%s%s", prefix, form->keys[i].target)));
    }
    return arena_printf(arena, form->key_count == 1 ? "%s" : "CONCAT_WS(',', %s)", text.buf);
}

/* ---- comparing -------------------------------------------------------------------------------------------
 */

char *form_forth(Arena *arena, const FormKey *key, const char *value)
{
    return key->to.charset == NULL || key->to.type != FORM_TEXT ||
                   str_eq(key->from.collation, key->to.collation)
               ? arena_dup(arena, value)
               : arena_printf(arena, "CONVERT(%s USING %s) COLLATE %s", value, key->to.charset,
                              key->to.collation);
}

char *form_back(Arena *arena, const FormKey *key, const char *value)
{
    return key->from.charset == NULL || key->from.type != FORM_TEXT ||
                   str_eq(key->from.collation, key->to.collation)
               ? arena_dup(arena, value)
               : arena_printf(arena, "CONVERT(%s USING %s) COLLATE %s", value, key->from.charset,
                              key->from.collation);
}

static bool is_text(FormType type) { return type == FORM_TEXT || type == FORM_ENUM || type == FORM_SET; }

bool form_is_comparable(const FormColumn *column)
{
    FormType from = column->from.type, to = column->to.type;
    if (column->source == NULL)
        return false;
    if (column->same)
        return true;
    if (is_text(from) && is_text(to))
        return true;
    switch (from) {
    case FORM_INTEGER:
        return to == FORM_INTEGER || to == FORM_DECIMAL;
    case FORM_DATE:
        return to == FORM_DATE || to == FORM_DATETIME;
    case FORM_DECIMAL:
    case FORM_BYTES:
    case FORM_BIT:
    case FORM_YEAR:
    case FORM_TIME:
    case FORM_DATETIME:
    case FORM_TIMESTAMP:
        return from == to;
    case FORM_TEXT:
    case FORM_ENUM:
    case FORM_SET:
    case FORM_FLOAT:
    case FORM_JSON:
    case FORM_OTHER:
        break;
    }
    return false;
}

/* Collations, the sign of a zero and padding make equal what is not the same, so those are compared as bytes
 * or text. What is not equal in a column of another type may still be what the conversion makes of it. */
char *form_equal(Arena *arena, const FormColumn *column, bool is_stage, const char *left, const char *right)
{
    bool is_same = is_stage || column->same;
    const FormSide *to = &column->to, *from = is_same ? to : &column->from;
    if (is_text(from->type) && is_text(to->type) && !(is_same && to->type != FORM_TEXT)) {
        const char *value = str_eq(from->charset, to->charset)
                                ? left
                                : arena_printf(arena, "CONVERT(%s USING %s)", left, to->charset);
        const char *zero = from->type == FORM_ENUM || to->type == FORM_ENUM
                               ? arena_printf(arena, " AND (%s + 0 = 0) <=> (%s + 0 = 0)", left, right)
                               : "";
        return arena_printf(arena, "CAST(%s AS BINARY) <=> CAST(%s AS BINARY)%s", value, right,
                            from->type == to->type ? zero : "");
    }
    switch (to->type) {
    case FORM_ENUM:
    case FORM_SET:
        return arena_printf(arena, "CAST(%s AS UNSIGNED) <=> CAST(%s AS UNSIGNED)", left, right);
    case FORM_FLOAT:
        return arena_printf(arena, "%s <=> %s AND (COALESCE(%s, 1) <> 0 OR CONCAT(%s) <=> CONCAT(%s))", left,
                            right, left, left, right);
    case FORM_JSON:
        return arena_printf(arena, "CAST(CAST(%s AS CHAR) AS BINARY) <=> CAST(CAST(%s AS CHAR) AS BINARY)",
                            left, right);
    case FORM_OTHER:
        return arena_printf(arena, "HEX(%s) <=> HEX(%s)", left, right);
    case FORM_INTEGER:
    case FORM_DECIMAL:
    case FORM_TEXT:
    case FORM_BYTES:
    case FORM_BIT:
    case FORM_YEAR:
    case FORM_DATE:
    case FORM_TIME:
    case FORM_DATETIME:
    case FORM_TIMESTAMP:
        break;
    }
    return arena_printf(arena, "%s <=> %s", left, right);
}

/* ---- zones -----------------------------------------------------------------------------------------------
 */

/* The session is in UTC, so that TIMESTAMP is exact; where one side only is a TIMESTAMP, the wall clock meant
 * is that of the server's own zone, as for ALTER TABLE. CONVERT_TZ knows no zero dates, and moves times that
 * the zone skips: those make the text one that no time can be read from. */
static const char *zone_expr(Arena *arena, const char *expr, const FormSide *from, const FormSide *to)
{
    if (from->type == FORM_TIMESTAMP && to->type != FORM_TIMESTAMP)
        return arena_printf(arena, "COALESCE(CONVERT_TZ(%s, '+00:00', @@GLOBAL.time_zone), %s)", expr, expr);
    bool is_wall = from->type == FORM_DATETIME || from->type == FORM_DATE;
    if (!is_wall || to->type != FORM_TIMESTAMP)
        return expr;
    const char *utc = arena_printf(arena, "CONVERT_TZ(%s, @@GLOBAL.time_zone, '+00:00')", expr);
    return arena_printf(arena,
                        "COALESCE(IF(CONVERT_TZ(%s, '+00:00', @@GLOBAL.time_zone) = %s, CONCAT(%s), "
                        "CONCAT(%s, ' is skipped by the zone')), %s)",
                        utc, expr, utc, expr, expr);
}

/* ---- loading ---------------------------------------------------------------------------------------------
 */

static const char *spec_id(Arena *arena, const ShadowSpec *spec)
{
    CLEANUP(str_donep) Str id = STR_INIT;
    str_addf(&id, "%lld/%s/%s/%s/%s", (long long)spec->change_id, spec->schema, spec->source, spec->shadow,
             spec->key);
    for (size_t i = 0; i < spec->column_count; i++)
        str_addf(&id, "/%s=%s", spec->columns[i].name, spec->columns[i].expr);
    return arena_dupn(arena, id.buf, id.len);
}

static Err *make_columns(Arena *arena, const ShadowSpec *spec, const Rows *rows, Form *form)
{
    FormColumn *columns = arena_alloc(arena, (spec->column_count + 1) * sizeof *columns);
    CLEANUP(str_donep) Str names = STR_INIT;
    CLEANUP(str_donep) Str exprs = STR_INIT;
    for (size_t i = 0; i < spec->column_count; i++) {
        const ShadowColumn *column = &spec->columns[i];
        FormColumn *made = &columns[i];
        *made = (FormColumn){.name = my_ident(arena, column->name),
                             .source = column->source == NULL ? NULL : my_ident(arena, column->source),
                             .expr = arena_dup(arena, column->expr),
                             .same = column->same};
        TRY(find_column(arena, rows, "shadow", spec->shadow, column->name, &made->to));
        if (column->source != NULL)
            TRY(find_column(arena, rows, "source", spec->source, column->source, &made->from));
        bool is_plain = column->source != NULL &&
                        (str_eq(column->expr, made->source) || str_eq(column->expr, column->source));
        if (is_plain && !column->same)
            made->expr = zone_expr(arena, made->expr, &made->from, &made->to);
        form->computed = form->computed || !is_plain;
        str_sep(&names, ", ");
        str_add(&names, made->name);
        str_sep(&exprs, ", ");
        str_add(&exprs, made->expr);
    }
    form->columns = columns;
    form->column_count = spec->column_count;
    form->names = arena_dupn(arena, names.buf, names.len);
    form->exprs = arena_dupn(arena, exprs.buf, exprs.len);
    return NULL;
}

static Err *make_keys(Arena *arena, const ShadowSpec *spec, const Rows *rows, Form *form)
{
    size_t count = spec->key_count;
    FormKey *keys = arena_alloc(arena, (count + 1) * sizeof *keys);
    const char **sources = arena_alloc(arena, (count + 1) * sizeof *sources);
    const char **targets = arena_alloc(arena, (count + 1) * sizeof *targets);
    form->direct = true;
    for (size_t i = 0; i < count; i++) {
        FormKey *key = &keys[i];
        key->name = sources[i] = my_ident(arena, spec->key_columns[i]);
        key->target = targets[i] = my_ident(arena, spec->key_targets[i]);
        TRY(find_column(arena, rows, "source", spec->source, spec->key_columns[i], &key->from));
        TRY(find_column(arena, rows, "shadow", spec->shadow, spec->key_targets[i], &key->to));
        form->direct = form->direct && side_is_direct(&key->from, &key->to);
    }
    form->keys = keys;
    form->key_count = count;
    form->source_names = sources;
    form->target_names = targets;
    form->literal = form_key_text(arena, form, false, "");
    return NULL;
}

/* The best index of the shadow that begins with the key's targets, in whatever order: unique ones first. */
static Err *find_index(Conn *conn, const Wait *wait, Arena *arena, Arena *keep, const ShadowSpec *spec,
                       Form *form)
{
    Rows rows = {0};
    CLEANUP(str_donep) Str list = STR_INIT;
    for (size_t i = 0; i < spec->key_count; i++) {
        str_sep(&list, ", ");
        str_add(&list, my_literal(conn, arena, spec->key_targets[i]));
    }
    TRY(conn_params(
        conn, wait, arena, &rows,
        arena_printf(arena,
                     "SELECT INDEX_NAME FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = $1 "
                     "AND TABLE_NAME = $2 AND INDEX_TYPE = 'BTREE' AND SUB_PART IS NULL AND "
                     "SEQ_IN_INDEX <= %zu GROUP BY INDEX_NAME HAVING SUM(COLUMN_NAME IN (%s)) = "
                     "%zu ORDER BY INDEX_NAME <> 'PRIMARY', MAX(NON_UNIQUE), INDEX_NAME",
                     spec->key_count, list.buf, spec->key_count),
        spec->schema, spec->shadow));
    if (rows.row_count > 0)
        form->target_index = my_ident(keep, rows_cell(&rows, 0, 0));
    TRY(conn_params(conn, wait, arena, &rows,
                    "SELECT COUNT(*) FROM information_schema.TABLE_CONSTRAINTS WHERE TABLE_SCHEMA = $1 AND "
                    "TABLE_NAME = $2 AND CONSTRAINT_TYPE = 'FOREIGN KEY'",
                    spec->schema, spec->shadow));
    form->has_fk = rows_int(&rows, 0, 0) > 0;
    return NULL;
}

/* What a server logs in statement format cannot be read by READ COMMITTED. */
static Err *set_session(Conn *conn, const Wait *wait, Arena *arena)
{
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows, "SELECT @@log_bin, @@SESSION.binlog_format"));
    if (!rows_bool(&rows, 0, 0) || strcasecmp(rows_cell(&rows, 0, 1), "STATEMENT") != 0)
        return NULL;
    Err *err = my_exec(conn, wait, "SET SESSION binlog_format = 'ROW'");
    return err_is(err, ERR_PRIVILEGE)
               ? err_hint(err, "GRANT %s ON *.* TO this user, or SET GLOBAL binlog_format = 'MIXED'",
                          flavor_is_mariadb(my_flavor(conn)) ? "BINLOG ADMIN" : "SESSION_VARIABLES_ADMIN")
               : err;
}

Err *form_load(Conn *conn, const Wait *wait, const ShadowSpec *spec, Form **ret_form)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *id = spec_id(arena, spec);
    Form **first = (Form **)my_memo(conn);
    for (Form *form = *first; form != NULL; form = form->next)
        if (str_eq(form->id, id)) {
            *ret_form = form;
            return NULL;
        }
    Arena *keep = my_memory(conn);
    Form *form = arena_alloc(keep, sizeof *form);
    Rows rows = {0};
    TRY(set_session(conn, wait, arena));
    TRY(load_columns(conn, wait, arena, spec, &rows));
    form->id = arena_dup(keep, id);
    form->source = my_name(keep, spec->schema, spec->source);
    form->shadow = my_name(keep, spec->schema, spec->shadow);
    form->key_index = my_ident(keep, spec->key);
    TRY(make_columns(keep, spec, &rows, form));
    TRY(make_keys(keep, spec, &rows, form));
    TRY(find_index(conn, wait, arena, keep, spec, form));
    form->number = *first == NULL ? 1 : (*first)->number + 1;
    form->next = *first;
    *first = form;
    *ret_form = form;
    return NULL;
}

/* ---- predicates ------------------------------------------------------------------------------------------
 */

bool form_split(Arena *arena, const char *key, size_t count, const char **ret_literals)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = strcspn(key, ",");
        if (len == 0 || (key[len] == '\0') != (i + 1 == count))
            return false;
        ret_literals[i] = arena_dupn(arena, key, len);
        key += len + (key[len] == ',');
    }
    return true;
}

/* (a > 1 OR (a = 1 AND (b > 2 OR (b = 2 AND c >= 3)))): a form from which every server makes ranges of the
 * index; of a comparison of rows MySQL before 5.7.3 and MariaDB make none. The last column takes `last`. */
static void add_bound(Str *sql, const char *const *names, size_t count, const char *const *literals,
                      const char *sign, const char *last)
{
    for (size_t i = 0; i + 1 < count; i++)
        str_addf(sql, "(%s %s %s OR (%s = %s AND ", names[i], sign, literals[i], names[i], literals[i]);
    str_addf(sql, "%s %s %s", names[count - 1], last, literals[count - 1]);
    for (size_t i = 0; i + 1 < count; i++)
        str_add(sql, "))");
}

void form_add_range(Str *sql, const char *const *names, size_t count, const Range *range)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char **literals = arena_alloc(arena, (count + 1) * sizeof *literals);
    bool is_bound = false;
    if (range->low != NULL && form_split(arena, range->low, count, literals)) {
        add_bound(sql, names, count, literals, ">", ">=");
        is_bound = true;
    }
    if (range->high != NULL && form_split(arena, range->high, count, literals)) {
        str_add(sql, is_bound ? " AND " : "");
        add_bound(sql, names, count, literals, "<", "<");
        is_bound = true;
    }
    str_add(sql, is_bound ? "" : "TRUE");
}

void form_add_keys(Str *sql, const char *const *names, size_t count, const KeyList *keys, size_t from,
                   size_t to)
{
    if (from == to) {
        str_add(sql, "FALSE");
        return;
    }
    if (count == 1) {
        str_addf(sql, "%s IN (", names[0]);
        for (size_t i = from; i < to; i++)
            str_addf(sql, "%s%s", i > from ? ", " : "", keys->keys[i]);
        str_add(sql, ")");
        return;
    }
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char **literals = arena_alloc(arena, (count + 1) * sizeof *literals);
    str_add(sql, "(");
    for (size_t i = from; i < to; i++) {
        if (!form_split(arena, keys->keys[i], count, literals))
            continue;
        str_add(sql, i > from ? " OR (" : "(");
        for (size_t col = 0; col < count; col++)
            str_addf(sql, "%s%s = %s", col > 0 ? " AND " : "", names[col], literals[col]);
        str_add(sql, ")");
    }
    str_add(sql, ")");
}
