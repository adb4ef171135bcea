/* The demo on PostgreSQL: a column that is added and filled. */
#include "demo/engine.h"

#include "base/str.h"
#include "demo/side.h"

#define COLUMN "amount_cents"
#define EXPR   "(amount * 100)::bigint"

static char *rows_sql(Arena *arena, int64_t row_count)
{
    (void)row_count;
    return arena_dup(arena, "SELECT count(*), count(*) FILTER (WHERE " COLUMN " IS DISTINCT FROM " EXPR
                            ") FROM " DEMO_TABLE);
}

/* File by file, where the server would write every block to its log otherwise. */
static Err *fresh(Conn *admin, const Wait *wait, Arena *arena)
{
    Rows rows;
    TRY(conn_query(admin, wait, arena, &rows, "SELECT current_setting('server_version_num')::int >= 150000"));
    return conn_exec(admin, wait,
                     rows_bool(&rows, 0, 0) ? "CREATE DATABASE shop_plain TEMPLATE shop STRATEGY file_copy"
                                            : "CREATE DATABASE shop_plain TEMPLATE shop");
}

static const char *const drop[] = {
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'shop'",
    "DROP DATABASE shop", NULL};

static const char *const plain[] = {
    "BEGIN",
    "ALTER TABLE " DEMO_TABLE " ADD COLUMN " COLUMN " bigint",
    "UPDATE " DEMO_TABLE " SET " COLUMN " = " EXPR,
    "ALTER TABLE " DEMO_TABLE " ALTER COLUMN " COLUMN " SET NOT NULL",
    "COMMIT",
    NULL,
};

const DemoEngine demo_engine_pg = {
    .host = &host_engine_pg,
    .plain_title = "ALTER + UPDATE",
    .log_title = "WAL written",
    .schema = "public",
    .fresh = fresh,
    .fresh_is_copy = true,
    .drop = drop,
    .forget_sql = "SELECT pg_stat_reset()",
    .rest_sql = "CHECKPOINT",
    .size_sql = "SELECT pg_relation_size('" DEMO_TABLE "'), pg_indexes_size('" DEMO_TABLE "'), "
                "pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint",
    .rows_sql = rows_sql,
    .change = {.sql = "ALTER TABLE " DEMO_TABLE " ADD COLUMN " COLUMN " bigint NOT NULL",
               .name = "orders-amount-cents",
               .backfills = (const char *const[]){DEMO_TABLE "." COLUMN " = " EXPR},
               .backfill_count = 1},
    .parse = change_parse_pg,
    .plain = plain,
};
