/* Statements in the user's own words: under what the server is set to, not under what our sessions are. */
#include "engine/mysql/written.h"

#include "base/str.h"

#include <string.h>

/* Modes that decide what words mean. Sources: "Server SQL Modes" of MySQL 5.6 to 9, "SQL_MODE" of MariaDB.
 * How strict a session is, is not among them: ours are, whatever the server is. */
static const struct {
    const char *name;
    bool odd; /* an expression over a row may give another value under it */
} modes[] = {
    {"ANSI_QUOTES", true},
    {"NO_BACKSLASH_ESCAPES", true},
    {"PIPES_AS_CONCAT", true},
    {"REAL_AS_FLOAT", true},
    {"HIGH_NOT_PRECEDENCE", true},
    {"NO_UNSIGNED_SUBTRACTION", true},
    {"PAD_CHAR_TO_FULL_LENGTH", true},
    {"TIME_TRUNCATE_FRACTIONAL", true}, /* MySQL 8 */
    {"TIME_ROUND_FRACTIONAL", true},    /* MariaDB 10.4.1 */
    {"EMPTY_STRING_IS_NULL", true},     /* MariaDB 10.3 */
    {"SIMULTANEOUS_ASSIGNMENT", false},
    {"IGNORE_SPACE", false},
    {"ONLY_FULL_GROUP_BY", false},
};

static bool has_mode(const char *sql_mode, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = sql_mode; *at != '\0';) {
        size_t word = strcspn(at, ",");
        if (word == len && strncmp(at, name, len) == 0)
            return true;
        at += word + (at[word] == ',');
    }
    return false;
}

const char *my_odd_mode(const char *sql_mode)
{
    for (size_t i = 0; i < ARRAY_LEN(modes); i++)
        if (modes[i].odd && has_mode(sql_mode, modes[i].name))
            return modes[i].name;
    return NULL;
}

const char *my_language_mode(const char *sql_mode) { return has_mode(sql_mode, "ORACLE") ? "ORACLE" : NULL; }

Err *my_written_begin(Conn *conn, const Wait *wait)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    CLEANUP(str_donep) Str sql = STR_INIT;
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows, "SELECT @@GLOBAL.sql_mode"));
    const char *mode = rows.row_count > 0 && rows_cell(&rows, 0, 0) != NULL ? rows_cell(&rows, 0, 0) : "";
    str_add(&sql, "SET @stoa_own_mode = @@SESSION.sql_mode, @stoa_own_zone = @@SESSION.time_zone, "
                  "@@SESSION.time_zone = @@GLOBAL.time_zone, @@SESSION.sql_mode = "
                  "CONCAT(@@SESSION.sql_mode, '");
    for (size_t i = 0; i < ARRAY_LEN(modes); i++)
        if (has_mode(mode, modes[i].name))
            str_addf(&sql, ",%s", modes[i].name);
    str_add(&sql, "')");
    return my_exec(conn, wait, sql.buf);
}

Err *my_written_end(Conn *conn, const Wait *wait)
{
    return my_exec(conn, wait,
                   "SET @@SESSION.sql_mode = @stoa_own_mode, @@SESSION.time_zone = @stoa_own_zone");
}

Err *my_exec_written(Conn *conn, const Wait *wait, const char *sql)
{
    TRY(my_written_begin(conn, wait));
    Err *err = my_exec(conn, wait, sql);
    if (err_is(err, ERR_CONN_LOST))
        return err;
    Err *restored = my_written_end(conn, wait);
    if (err == NULL)
        return restored;
    err_free(restored);
    return err;
}
