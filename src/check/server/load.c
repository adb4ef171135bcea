/* What is known of the server's tables, as facts. */
#include "check/server/online.h"

#include "base/str.h"
#include "engine/my_table.h"
#include "engine/sql.h"

#include <string.h>
#include <strings.h>

enum { LOAD_MS = 10000 };

typedef struct Loading {
    Online *online;
    Rows list; /* schema, name, rows written */
    bool *wanted;
} Loading;

/* ---- statements that make a table ----------------------------------------------------------- */

typedef VEC(const char *) Texts;

static void add_column(Str *sql, const Column *column)
{
    str_addf(sql, " %s", column->type);
    if (column->collation != NULL)
        str_addf(sql, " COLLATE %s", column->collation);
    if (column->not_null)
        str_add(sql, " NOT NULL");
    if (column->identity != 0)
        str_addf(sql, " GENERATED %s AS IDENTITY", column->identity == 'a' ? "ALWAYS" : "BY DEFAULT");
    else if (column->generated_sql != NULL)
        str_addf(sql, " GENERATED ALWAYS AS (%s) STORED", column->generated_sql);
    else if (column->default_sql != NULL)
        str_addf(sql, " DEFAULT %s", column->default_sql);
}

static void make_pg(Arena *arena, const Table *table, Texts *out)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    const char *name = sql_name(arena, table->schema, table->name);
    str_addf(&sql, "CREATE %sTABLE %s (", table->unlogged ? "UNLOGGED " : "", name);
    for (size_t i = 0; i < table->column_count; i++) {
        str_addf(&sql, "%s%s", i == 0 ? "" : ", ", sql_ident(arena, table->columns[i].name));
        add_column(&sql, &table->columns[i]);
    }
    str_add(&sql, ")");
    if (table->partition_key != NULL)
        str_addf(&sql, " PARTITION BY %s", table->partition_key);
    *vec_push(arena, out) = arena_dup(arena, sql.buf);
    for (size_t i = 0; i < table->constraint_count; i++)
        if (table->constraints[i].kind != 'n')
            *vec_push(arena, out) =
                arena_printf(arena, "ALTER TABLE %s ADD CONSTRAINT %s %s", name,
                             sql_ident(arena, table->constraints[i].name), table->constraints[i].definition);
    for (size_t i = 0; i < table->index_count; i++)
        if (table->indexes[i].constraint == NULL && table->indexes[i].definition != NULL)
            *vec_push(arena, out) = table->indexes[i].definition;
    for (size_t i = 0; i < table->partition_count; i++)
        if (table->partitions[i].is_default)
            *vec_push(arena, out) =
                arena_printf(arena, "ALTER TABLE %s ATTACH PARTITION %s DEFAULT", name,
                             sql_name(arena, table->partitions[i].schema, table->partitions[i].name));
}

/* CONNECTION of a FEDERATED or CONNECT table holds a password. */
static void make_my(Arena *arena, const Table *table, Texts *out)
{
    const char *sql = table->my == NULL ? NULL : table->my->create_sql;
    if (sql != NULL && strcasestr(sql, "CONNECTION=") == NULL)
        *vec_push(arena, out) = sql;
}

/* ---- facts ---------------------------------------------------------------------------------- */

static TableFacts facts_of(const Loading *loading, const Table *table, int64_t writes)
{
    Arena *arena = loading->online->arena;
    Texts ddl = {0}, indexes = {0};
    bool plain = table->kind == RELATION_TABLE || table->kind == RELATION_PARTITIONED ||
                 table->kind == RELATION_PARTITION;
    if (plain && loading->online->ops->dialect == DIALECT_POSTGRES)
        make_pg(arena, table, &ddl);
    else if (plain)
        make_my(arena, table, &ddl);
    for (size_t i = 0; i < table->index_count; i++)
        *vec_push(arena, &indexes) = table->indexes[i].name;
    return (TableFacts){.schema = table->schema,
                        .name = table->name,
                        .view = table->kind == RELATION_VIEW,
                        .empty = table->empty,
                        .rows = table->row_estimate,
                        .bytes = table->total_bytes,
                        .index_bytes = table->index_bytes,
                        .writes = writes,
                        .oldest_ms = table->oldest_writer_ms,
                        .row_versions = table->my == NULL ? -1 : table->my->row_versions,
                        .row_versions_most = table->my == NULL ? 0 : table->my->row_versions_most,
                        .views = table->views,
                        .view_count = table->view_count,
                        .indexes = indexes.items,
                        .index_count = indexes.len,
                        .ddl = ddl.items,
                        .ddl_count = ddl.len};
}

static Err *load_one(Loading *loading, const char *schema, const char *name, Table *ret_table)
{
    Online *online = loading->online;
    Wait wait = {.stop = online->stop, .timeout_ms = LOAD_MS};
    return online->ops->load_table(online->conn, &wait, online->arena, &online->server, schema, name,
                                   ret_table);
}

/* A partitioned table is as large as what stands beneath it. */
static Err *add_partitions(Loading *loading, Table *table)
{
    Online *online = loading->online;
    bool empty = true;
    table->row_estimate = table->heap_bytes = table->index_bytes = table->total_bytes = 0;
    for (size_t i = 0; i < table->partition_count; i++) {
        Table part = {0};
        TRY(load_one(loading, table->partitions[i].schema, table->partitions[i].name, &part));
        if (part.kind == RELATION_MISSING)
            continue;
        bool leaf = table->partitions[i].kind == 'r';
        empty = empty && (!leaf || part.empty);
        table->row_estimate += leaf ? part.row_estimate : 0;
        table->heap_bytes += part.heap_bytes;
        table->index_bytes += part.index_bytes;
        table->total_bytes += part.total_bytes;
        if (part.oldest_writer_ms > table->oldest_writer_ms)
            table->oldest_writer_ms = part.oldest_writer_ms;
        *vec_push(online->arena, &online->tables) = part;
    }
    table->empty = empty;
    return NULL;
}

static Err *load_row(Loading *loading, size_t row, TableFacts *ret_facts, bool *ret_there)
{
    Online *online = loading->online;
    Table table = {0};
    const char *writes = rows_cell(&loading->list, row, 2);
    TRY(load_one(loading, rows_cell(&loading->list, row, 0), rows_cell(&loading->list, row, 1), &table));
    *ret_there = table.kind != RELATION_MISSING;
    if (!*ret_there)
        return NULL;
    if (table.kind == RELATION_PARTITIONED)
        TRY(add_partitions(loading, &table));
    *vec_push(online->arena, &online->tables) = table;
    *ret_facts = facts_of(loading, &table, writes == NULL ? -1 : rows_int(&loading->list, row, 2));
    return NULL;
}

/* ---- which ---------------------------------------------------------------------------------- */

static bool want(Loading *loading, const char *schema, const char *name)
{
    bool folds = loading->online->ops->dialect == DIALECT_MYSQL;
    for (size_t i = 0; i < loading->list.row_count; i++) {
        const char *is = rows_cell(&loading->list, i, 1);
        if (!(folds ? strcasecmp(is, name) == 0 : str_eq(is, name)) ||
            (schema != NULL && !str_eq(rows_cell(&loading->list, i, 0), schema)))
            continue;
        loading->wanted[i] = true;
        return true;
    }
    return false;
}

/* By search path, as the server would; else wherever it is. */
static bool want_name(Loading *loading, Name name)
{
    const Server *server = &loading->online->server;
    if (name.schema != NULL)
        return want(loading, name.schema, name.name);
    for (size_t i = 0; i < server->search_path_count; i++)
        if (want(loading, server->search_path[i], name.name))
            return true;
    return want(loading, NULL, name.name);
}

/* What is no table may be an index. */
static Err *want_index(Loading *loading, Name name)
{
    Online *online = loading->online;
    Wait wait = {.stop = online->stop, .timeout_ms = LOAD_MS};
    const char *schema = NULL, *table = NULL;
    if (online->ops->dialect == DIALECT_MYSQL)
        return NULL;
    TRY(online->ops->index_table(online->conn, &wait, online->arena, name.schema, name.name, &schema,
                                 &table));
    if (table != NULL)
        (void)want(loading, schema, table);
    return NULL;
}

Err *online_load(Online *online, const CheckNames *names)
{
    Loading loading = {.online = online};
    ServerFacts *facts = &online->facts;
    Wait wait = {.stop = online->stop, .timeout_ms = LOAD_MS};
    TRY(online->ops->list_tables(online->conn, &wait, online->arena, &loading.list));
    loading.wanted = arena_alloc(online->arena, (loading.list.row_count + 1) * sizeof *loading.wanted);
    for (size_t i = 0; i < loading.list.row_count; i++)
        loading.wanted[i] = names == NULL;
    for (size_t i = 0; names != NULL && i < names->tables.len; i++)
        if (!want_name(&loading, names->tables.items[i]))
            TRY(want_index(&loading, names->tables.items[i]));
    facts->tables = arena_alloc(online->arena, (loading.list.row_count + 1) * sizeof *facts->tables);
    for (size_t i = 0; i < loading.list.row_count; i++) {
        bool there = false;
        if (loading.wanted[i])
            TRY(load_row(&loading, i, &facts->tables[facts->table_count], &there));
        facts->table_count += there;
    }
    facts->whole = names == NULL;
    return NULL;
}
