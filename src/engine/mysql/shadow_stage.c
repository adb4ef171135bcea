/* Temporary tables with the shadow's columns: what the server makes of the source's rows, without the shadow.
 */
#include "engine/mysql/shadow_stage.h"

#include "engine/mysql/conn.h"
#include "engine/mysql/quote.h"

#include <string.h>

/* ---- definitions -----------------------------------------------------------------------------------------
 */

/* Behind the closing quote, where `at` is an opening one. */
static const char *skip_quoted(const char *at)
{
    char quote = *at++;
    for (; *at != '\0'; at++) {
        if (*at == '\\' && quote == '\'' && at[1] != '\0')
            at++;
        else if (*at == quote && at[1] == quote)
            at++;
        else if (*at == quote)
            return at + 1;
    }
    return at;
}

/* A line of SHOW CREATE TABLE without the comma at its end and without AUTO_INCREMENT, which needs an index.
 */
static void add_column(Str *sql, const char *line, size_t len)
{
    static const char word[] = " AUTO_INCREMENT";
    const char *end = line + len;
    if (len > 0 && end[-1] == ',')
        end--;
    for (const char *at = line; at < end;) {
        if (*at == '\'' || *at == '`' || *at == '"') {
            const char *close = skip_quoted(at);
            close = close > end ? end : close;
            str_addn(sql, at, (size_t)(close - at));
            at = close;
        } else if (strncmp(at, word, strlen(word)) == 0) {
            at += strlen(word);
        } else {
            str_addn(sql, at++, 1);
        }
    }
}

/* Copies "CHARSET=x COLLATE=y" out of the table's options. */
static void add_options(Str *sql, const char *options)
{
    static const char *const wanted[] = {"CHARSET=", "COLLATE="};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        const char *at = strstr(options, wanted[i]);
        const char *comment = strstr(options, " COMMENT='");
        if (at != NULL && (comment == NULL || at < comment))
            str_addf(sql, " %.*s", (int)strcspn(at, " \n"), at);
    }
}

static bool is_wanted(const char *line, size_t len, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t name_len = strlen(names[i]);
        if (len > name_len && strncmp(line, names[i], name_len) == 0 && line[name_len] == ' ')
            return true;
    }
    return count == 0;
}

/* A temporary table with columns of `table`: those of `names` (quoted), or all; no index but one over
 * `index`, no foreign key, no partition. */
static Err *make_table(Conn *conn, const Wait *wait, const char *table, const char *name,
                       const char *const *names, size_t count, const char *index)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    CLEANUP(str_donep) Str sql = STR_INIT;
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows, arena_printf(arena, "SHOW CREATE TABLE %s", table)));
    if (rows.row_count != 1 || rows.col_count < 2)
        return err_new(ERR_UNSAFE, "the server does not show the definition of %s", table);
    str_addf(&sql, "CREATE TEMPORARY TABLE %s (", name);
    const char *line = strchr(rows_cell(&rows, 0, 1), '\n');
    bool is_first = true;
    while (line != NULL && strncmp(line, "\n  ", 3) == 0) {
        line += 3;
        size_t len = strcspn(line, "\n");
        if (*line == '`' && is_wanted(line, len, names, count)) {
            str_add(&sql, is_first ? "\n" : ",\n");
            add_column(&sql, line, len);
            is_first = false;
        }
        line = line[len] == '\0' ? NULL : line + len;
    }
    str_addf(&sql, "%s%s%s\n) ENGINE=InnoDB", index == NULL ? "" : ",\nKEY stoa_key (",
             index == NULL ? "" : index, index == NULL ? "" : ")");
    add_options(&sql, line == NULL ? "" : line);
    return my_exec(conn, wait, sql.buf);
}

/* ---- rows ------------------------------------------------------------------------------------------------
 */

static const char *stage_name(Arena *arena, const ShadowSpec *spec, const Form *form, const char *kind)
{
    return my_name(arena, spec->schema, arena_printf(arena, "stoa_%s_%d", kind, form->number));
}

/* BLOB and long strings would need a length in an index. */
static const char *index_columns(Arena *arena, const Form *form)
{
    CLEANUP(str_donep) Str list = STR_INIT;
    for (size_t i = 0; i < form->key_count; i++) {
        if (strcasestr(form->keys[i].to.column_type, "text") != NULL ||
            strcasestr(form->keys[i].to.column_type, "blob") != NULL)
            return NULL;
        str_sep(&list, ", ");
        str_add(&list, form->keys[i].target);
    }
    return arena_dupn(arena, list.buf, list.len);
}

Err *stage_open(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, Form *form,
                const char **ret_name)
{
    *ret_name = stage_name(arena, spec, form, "stage");
    bool own = str_eq(spec->source, spec->shadow); /* then not all columns are given, nor compared */
    const char **names = arena_alloc(arena, (form->column_count + 1) * sizeof *names);
    for (size_t i = 0; i < form->column_count; i++)
        names[i] = form->columns[i].name;
    if (!form->has_stage)
        TRY(make_table(conn, wait, form->shadow, *ret_name, names, own ? form->column_count : 0,
                       index_columns(arena, form)));
    form->has_stage = true;
    return NULL;
}

Err *stage_fill(Conn *conn, const Wait *wait, const ShadowSpec *spec, const Form *form, const char *name,
                const char *where)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    int64_t rows = 0;
    TRY(my_exec(conn, wait, arena_printf(arena, "DELETE FROM %s", name)));
    return rows_insert(conn, wait, spec, form, name, where, &rows);
}

/* ---- keys of another type --------------------------------------------------------------------------------
 */

static Err *map_open(Conn *conn, const Wait *wait, Form *form, const char *from, const char *to)
{
    if (form->has_map)
        return NULL;
    TRY(make_table(conn, wait, form->source, from, form->source_names, form->key_count, NULL));
    TRY(make_table(conn, wait, form->shadow, to, form->target_names, form->key_count, NULL));
    form->has_map = true;
    return NULL;
}

static const char *name_list(Arena *arena, const char *const *names, size_t count)
{
    CLEANUP(str_donep) Str list = STR_INIT;
    for (size_t i = 0; i < count; i++) {
        str_sep(&list, ", ");
        str_add(&list, names[i]);
    }
    return arena_dupn(arena, list.buf, list.len);
}

static const char *target_exprs(Arena *arena, const Form *form)
{
    CLEANUP(str_donep) Str list = STR_INIT;
    for (size_t i = 0; i < form->key_count; i++) {
        const char *expr = form->keys[i].name;
        for (size_t col = 0; col < form->column_count; col++)
            if (str_eq(form->columns[col].name, form->keys[i].target))
                expr = form->columns[col].expr;
        str_sep(&list, ", ");
        str_add(&list, expr);
    }
    return arena_dupn(arena, list.buf, list.len);
}

/* Puts keys [from, to) through the server's own conversion. One that it refuses is in no shadow, so it is
 * left out; which one it is shows when each is tried alone. */
static Err *map_slice(Conn *conn, const Wait *wait, const Form *form, const char *from_table,
                      const char *to_table, const KeyList *keys, size_t from, size_t to)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    CLEANUP(str_donep) Str sql = STR_INIT;
    TRY(my_exec(conn, wait, arena_printf(arena, "DELETE FROM %s", from_table)));
    str_addf(&sql, "INSERT INTO %s (%s) VALUES ", from_table,
             name_list(arena, form->source_names, form->key_count));
    for (size_t i = from; i < to; i++)
        str_addf(&sql, "%s(%s)", i > from ? ", " : "", keys->keys[i]);
    TRY(my_exec(conn, wait, sql.buf));
    Err *err = my_exec(conn, wait,
                       arena_printf(arena, "INSERT INTO %s (%s) SELECT %s FROM %s", to_table,
                                    name_list(arena, form->target_names, form->key_count),
                                    target_exprs(arena, form), from_table));
    if (err == NULL || !rows_is_misfit(err))
        return err;
    err_free(err);
    for (size_t i = from; to - from > 1 && i < to; i++)
        TRY(map_slice(conn, wait, form, from_table, to_table, keys, i, i + 1));
    return NULL;
}

/* The shadow's own literals: as for a source of its type. */
static Err *read_map(Conn *conn, const Wait *wait, Arena *arena, const Form *form, const char *table,
                     KeyList *ret_targets)
{
    Rows rows = {0};
    TRY(conn_query(
        conn, wait, arena, &rows,
        arena_printf(arena, "SELECT DISTINCT %s FROM %s", form_target_text(arena, form, ""), table)));
    *ret_targets = rows_keys(arena, &rows);
    return NULL;
}

Err *stage_targets(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, Form *form,
                   const KeyList *keys, KeyList *ret_targets)
{
    const char *from = stage_name(arena, spec, form, "from"), *to = stage_name(arena, spec, form, "to");
    *ret_targets = *keys;
    if (form->direct)
        return NULL;
    TRY(map_open(conn, wait, form, from, to));
    if (keys->count == 0)
        return NULL;
    TRY(my_exec(conn, wait, arena_printf(arena, "DELETE FROM %s", to)));
    for (size_t at = 0; at < keys->count; at += FORM_KEYS_MOST)
        TRY(map_slice(conn, wait, form, from, to, keys, at,
                      at + FORM_KEYS_MOST < keys->count ? at + FORM_KEYS_MOST : keys->count));
    return read_map(conn, wait, arena, form, to, ret_targets);
}
