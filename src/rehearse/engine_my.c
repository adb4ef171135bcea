/* Rehearsals on MariaDB and MySQL. */
#include "base/str.h"
#include "change/split_my.h"
#include "engine/sql.h"
#include "rehearse/build_my.h"

#include <string.h>

enum {
    LEAST_CACHE = 32 << 20,
    LEAST_LOG = 32 << 20,
    SERIES = 100,       /* 101119 is of 1011 */
    FIRST_MYSQL = 80000 /* INNODB_TABLESPACES, and a journal of its own for statistics */
};

static Err *check_pages(const Facts *facts)
{
    int64_t bytes = facts_setting(facts, "innodb_page_size", 16384);
    return bytes == 16384
               ? NULL
               : err_new(ERR_UNSAFE, "pages of %lld bytes cannot be rehearsed yet", (long long)bytes);
}

static Err *check_mysql(const Facts *facts)
{
    if (facts->version < FIRST_MYSQL)
        return err_hint(
            err_new(ERR_UNSAFE, "%s cannot be rehearsed: MySQL 8.0 and later can", facts->version_text),
            "look at the plan: stoa plan");
    return check_pages(facts);
}

/* ---- settings ------------------------------------------------------------------------------- */

static void add_scaled(Str *out, const Facts *facts, const char *name, double share, int64_t least)
{
    int64_t bytes = rehearse_scaled(facts, name, share, least, rehearse_memory() / 4);
    if (bytes > 0)
        str_addf(out, "loose_%s = %lld\n", name, (long long)(bytes >> 20 << 20));
}

static char *settings(Arena *arena, const Facts *facts, double share)
{
    static const char *const same[] = {"innodb_flush_log_at_trx_commit",
                                       "sync_binlog",
                                       "innodb_doublewrite",
                                       "innodb_io_capacity",
                                       "innodb_io_capacity_max",
                                       "innodb_default_row_format",
                                       "innodb_sort_buffer_size",
                                       "innodb_autoinc_lock_mode",
                                       "innodb_adaptive_hash_index",
                                       "innodb_change_buffering",
                                       "innodb_alter_copy_bulk",
                                       "innodb_strict_mode",
                                       "binlog_format",
                                       "binlog_row_image",
                                       "sql_mode",
                                       "character_set_server",
                                       "collation_server"};
    CLEANUP(str_donep) Str out = STR_INIT;
    add_scaled(&out, facts, "innodb_buffer_pool_size", share, LEAST_CACHE);
    add_scaled(&out, facts, "innodb_log_file_size", share, LEAST_LOG);
    add_scaled(&out, facts, "innodb_redo_log_capacity", share, LEAST_LOG);
    for (size_t i = 0; i < ARRAY_LEN(same); i++)
        rehearse_setting(&out, facts, same[i], arena_printf(arena, "loose_%s", same[i]));
    str_add(&out,
            str_eq(facts_setting_text(facts, "log_bin"), "OFF") ? "skip_log_bin\n" : "log_bin = binlog\n");
    /* Without files of their own tables cannot be copied. Statistics are made when they are asked for. */
    str_add(&out, "innodb_file_per_table = ON\ninnodb_stats_auto_recalc = OFF\nmax_connections = 200\n");
    return arena_dup(arena, out.buf);
}

static int series(int version) { return version / SERIES; }

/* ---- databases ------------------------------------------------------------------------------ */

static bool is_word(const char *text)
{
    return text != NULL && text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

static char *create_sql(Arena *arena, const Facts *facts, const char *name, bool locale)
{
    bool known = locale && is_word(facts->encoding) && is_word(facts->collate);
    return arena_printf(arena, "CREATE DATABASE %s%s%s%s%s", sql_backtick(arena, name),
                        known ? " CHARACTER SET " : "", known ? facts->encoding : "",
                        known ? " COLLATE " : "", known ? facts->collate : "");
}

/* One journal serves all databases. */
static char *drop_sql(Arena *arena, const char *name)
{
    return arena_printf(arena, "DROP DATABASE IF EXISTS %s; DROP DATABASE IF EXISTS stoa",
                        sql_backtick(arena, name));
}

static const char *flush_value(const Facts *facts, const char *name)
{
    const char *text = facts_setting_text(facts, name);
    return text != NULL && text[0] != '\0' && text[strspn(text, "0123456789")] == '\0' ? text : "1";
}

static const char *const *pace_sql(Arena *arena, const Facts *facts, bool hurry)
{
    static const char *const names[] = {"innodb_flush_log_at_trx_commit", "sync_binlog"};
    const char **sql = arena_alloc(arena, (ARRAY_LEN(names) + 1) * sizeof *sql);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        sql[i] =
            arena_printf(arena, "SET GLOBAL %s = %s", names[i], hurry ? "0" : flush_value(facts, names[i]));
    sql[ARRAY_LEN(names)] = NULL;
    return sql;
}

static const char *my_piece(Arena *arena, const char *sql, MySpan span)
{
    return arena_dupn(arena, sql + span.start, span.end - span.start);
}

static void statements(Arena *arena, const char *sql, const char *const **ret_sql, size_t *ret_count)
{
    VEC(const char *) out = {0};
    MyDialect dialect = {.mariadb = true, .version = 110800};
    MySplit split = my_split(arena, &dialect, sql, strlen(sql));
    for (size_t i = 0; i < split.pieces.len; i++)
        *vec_push(arena, &out) = my_piece(arena, sql, split.pieces.items[i].span);
    *ret_sql = out.items;
    *ret_count = out.len;
}

/* ---- the rows ------------------------------------------------------------------------------- */

/* What a statement of an application begins with; those of the executor that wait for a table's definition
 * begin with other words. */
#define WAITING_SQL                                                                                          \
    "SELECT (SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND COMMAND <> "      \
    "'Sleep' AND STATE LIKE 'Waiting for %lock%' AND INFO REGEXP '^(SELECT|INSERT|UPDATE|DELETE) ') + "      \
    "(SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'), 0"

#define COUNTERS_SQL(view)                                                                                   \
    "SELECT COALESCE(SUM(FILE_SIZE), 0), 0 FROM information_schema." view                                    \
    " WHERE NAME LIKE CONCAT(REPLACE(DATABASE(), '_', '\\_'), '/%')"

#define ENGINE_MY                                                                                            \
    .settings = settings, .series = series, .own_name = true, .always_measured = true,                       \
    .create_sql = create_sql, .copy = build_copy_my, .drop_sql = drop_sql,                                   \
    .begin_sql = "SET SESSION sql_mode = "                                                                   \
                 "'NO_ENGINE_SUBSTITUTION,ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO', foreign_key_checks = " \
                 "0, lock_wait_timeout = 60, innodb_lock_wait_timeout = 60",                                 \
    .prepare = build_prepare_my, .settle = build_settle_my, .finish = build_finish_my, .pace_sql = pace_sql, \
    .rest_sql = "DO 0", .waiting_sql = WAITING_SQL, .cache_setting = "innodb_buffer_pool_size",              \
    .least_cache = LEAST_CACHE, .words = mask_words_my, .mask = mask_statement_my, .statements = statements

const RehearseEngine rehearse_engine_mariadb = {
    .name = "mariadb",
    .scheme = "mariadb://",
    .host = &host_engine_my,
    .check = check_pages,
    .counters_sql = COUNTERS_SQL("INNODB_SYS_TABLESPACES"),
    ENGINE_MY,
};

const RehearseEngine rehearse_engine_mysql = {
    .name = "mysql",
    .scheme = "mysql://",
    .host = &host_engine_mysql,
    .check = check_mysql,
    .counters_sql = COUNTERS_SQL("INNODB_TABLESPACES"),
    ENGINE_MY,
};
