/* The demo on MariaDB: an indexed int column becomes bigint, which the server does with its writers stopped.
 */
#include "base/str.h"
#include "change/lex_my.h"
#include "demo/engine.h"
#include "demo/side.h"

#define ALTER "ALTER TABLE " DEMO_TABLE " MODIFY customer_id bigint NOT NULL"

/* The application adds rows and changes all columns of a row but its number and when it was made. */
static char *rows_sql(Arena *arena, int64_t row_count)
{
    return arena_printf(
        arena,
        "SELECT COUNT(*), %lld - SUM(id <= %lld AND created_at = '2019-01-01' + INTERVAL id * 20 "
        "SECOND) FROM " DEMO_TABLE,
        (long long)row_count, (long long)row_count);
}

static void parse(Arena *arena, const ChangeInput *input, Change *ret_change)
{
    MyDialect dialect = {.mariadb = true, .version = 101100};
    change_parse_my(arena, input, &dialect, ret_change);
}

static Err *fresh(Conn *admin, const Wait *wait, Arena *arena)
{
    (void)arena;
    return conn_exec(admin, wait, "CREATE DATABASE shop_plain");
}

static const char *const drop[] = {"DROP DATABASE shop", NULL};
static const char *const plain[] = {ALTER, NULL};

const DemoEngine demo_engine_my = {
    .host = &host_engine_my,
    .plain_title = "plain ALTER",
    .log_title = "redo written",
    .fresh = fresh,
    .drop = drop,
    .size_sql =
        "SELECT DATA_LENGTH, INDEX_LENGTH, (SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS "
        "WHERE VARIABLE_NAME = 'INNODB_LSN_CURRENT') FROM information_schema.TABLES WHERE TABLE_SCHEMA = "
        "DATABASE() AND TABLE_NAME = '" DEMO_TABLE "'",
    .rows_sql = rows_sql,
    .change = {.sql = ALTER, .name = "orders-customer-bigint"},
    .measured = true,
    .parse = parse,
    .plain = plain,
};
