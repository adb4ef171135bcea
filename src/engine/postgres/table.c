/* Loads everything Stoa knows about one table. */
#include "base/str.h"
#include "engine/postgres/catalog.h"
#include "engine/postgres/catalog_sql.h"
#include "engine/self_set.h"
#include "engine/sql.h"

#include <math.h>
#include <string.h>

enum {
    STAR_CANDIDATES = 500,
    STARS_SHOWN = 20,
    STATEMENT_BYTES = 200,
    STATEMENT_READ = 4000, /* characters of a statement that are looked through */
    STATISTICS_TIMEOUT_MS = 5000,
    SAMPLE_BLOCKS = 400,
    PAGE_HEADER_BYTES = 24,
    ROW_HEADER_BYTES = 28, /* tuple header, aligned, and line pointer */
};

/* pg_trigger.tgtype, since ever. */
enum { TRIGGER_ROW = 1, TRIGGER_BEFORE = 2, TRIGGER_INSERT = 4, TRIGGER_DELETE = 8, TRIGGER_UPDATE = 16 };

static char first_char(const json_t *row, const char *member)
{
    const char *text = json_string_value(json_object_get(row, member));
    if (text == NULL)
        return '\0';
    return text[0];
}

static RelationKind kind_of(const json_t *row)
{
    if (catalog_bool(row, "system"))
        return RELATION_SYSTEM;
    switch (first_char(row, "relkind")) {
    case 'r':
        return json_is_string(json_object_get(row, "parent")) ? RELATION_PARTITION : RELATION_TABLE;
    case 'p':
        return RELATION_PARTITIONED;
    case 'v':
        return RELATION_VIEW;
    case 'm':
        return RELATION_MATVIEW;
    case 'f':
        return RELATION_FOREIGN;
    default:
        return RELATION_OTHER;
    }
}

/* [schema, name] as sql_name() writes it; NULL where there is none. */
static const char *name_of(Arena *arena, const json_t *row, const char *member)
{
    const json_t *pair = json_object_get(row, member);
    if (json_array_size(pair) != 2)
        return NULL;
    return sql_name(arena, json_string_value(json_array_get(pair, 0)),
                    json_string_value(json_array_get(pair, 1)));
}

static void read_columns(Arena *arena, const json_t *list, Table *table)
{
    table->column_count = json_array_size(list);
    table->columns = arena_alloc(arena, (table->column_count + 1) * sizeof *table->columns);
    for (size_t i = 0; i < table->column_count; i++) {
        const json_t *item = json_array_get(list, i);
        table->columns[i] = (Column){.name = catalog_text(arena, item, "name"),
                                     .type = catalog_text(arena, item, "type"),
                                     .default_sql = catalog_text(arena, item, "default"),
                                     .generated_sql = catalog_text(arena, item, "generated"),
                                     .collation = catalog_text(arena, item, "collation"),
                                     .identity = first_char(item, "identity"),
                                     .not_null = catalog_bool(item, "not_null"),
                                     .exact_equality = catalog_bool(item, "exact"),
                                     .writable = catalog_bool(item, "writable")};
    }
}

static void read_indexes(Arena *arena, const json_t *list, Table *table)
{
    table->index_count = json_array_size(list);
    table->indexes = arena_alloc(arena, (table->index_count + 1) * sizeof *table->indexes);
    for (size_t i = 0; i < table->index_count; i++) {
        const json_t *item = json_array_get(list, i);
        Index *index = &table->indexes[i];
        *index = (Index){.schema = catalog_text(arena, item, "schema"),
                         .name = catalog_text(arena, item, "name"),
                         .definition = catalog_text(arena, item, "definition"),
                         .constraint = catalog_text(arena, item, "constraint"),
                         .unique = catalog_bool(item, "unique"),
                         .primary = catalog_bool(item, "primary"),
                         .valid = catalog_bool(item, "valid"),
                         .btree = catalog_bool(item, "btree"),
                         .key = catalog_bool(item, "key"),
                         .correlation = catalog_double(item, "correlation"),
                         .bytes = catalog_int(item, "bytes")};
        index->integer_key = index->key && catalog_bool(item, "integer");
        index->parent = name_of(arena, item, "parent");
        index->columns = catalog_texts(arena, item, "columns", &index->column_count);
    }
}

static void read_constraints(Arena *arena, const json_t *list, Table *table)
{
    table->constraint_count = json_array_size(list);
    table->constraints = arena_alloc(arena, (table->constraint_count + 1) * sizeof *table->constraints);
    for (size_t i = 0; i < table->constraint_count; i++) {
        const json_t *item = json_array_get(list, i);
        table->constraints[i] = (TableConstraint){.name = catalog_text(arena, item, "name"),
                                                  .kind = first_char(item, "kind"),
                                                  .validated = catalog_bool(item, "validated"),
                                                  .ref_schema = catalog_text(arena, item, "ref_schema"),
                                                  .ref_table = catalog_text(arena, item, "ref_table"),
                                                  .inherited = catalog_bool(item, "inherited"),
                                                  .local = catalog_bool(item, "local"),
                                                  .definition = catalog_text(arena, item, "definition")};
    }
}

/* An UPDATE of a new column fires the UPDATE triggers that name no columns; those that do cannot name it. */
static void read_triggers(Arena *arena, const json_t *list, Table *table)
{
    table->trigger_count = json_array_size(list);
    table->triggers = arena_alloc(arena, (table->trigger_count + 1) * sizeof *table->triggers);
    for (size_t i = 0; i < table->trigger_count; i++) {
        const json_t *item = json_array_get(list, i);
        int64_t type = catalog_int(item, "type");
        Trigger *trigger = &table->triggers[i];
        *trigger = (Trigger){.name = catalog_text(arena, item, "name"),
                             .function = catalog_text(arena, item, "function"),
                             .enabled = first_char(item, "enabled"),
                             .row = (type & TRIGGER_ROW) != 0,
                             .before = (type & TRIGGER_BEFORE) != 0,
                             .on_insert = (type & TRIGGER_INSERT) != 0,
                             .on_update = (type & TRIGGER_UPDATE) != 0,
                             .on_delete = (type & TRIGGER_DELETE) != 0,
                             .names_columns = !catalog_bool(item, "any_column"),
                             .compiled = catalog_bool(item, "compiled"),
                             .internal = catalog_bool(item, "internal"),
                             .stoa = catalog_bool(item, "stoa")};
        bool version = trigger->function != NULL && strstr(trigger->function, ".stoa_version_writes") !=
                                                        NULL; /* says no to applications only */
        bool touched =
            trigger->on_update && !trigger->names_columns && !trigger->internal && !trigger->stoa && !version;
        bool always = trigger->enabled == 'A';
        trigger->fires_on_backfill = touched && (always || trigger->enabled == 'O');
        trigger->fires_when_quiet = touched && (always || trigger->enabled == 'R');
    }
}

static void read_publications(Arena *arena, const json_t *list, Table *table)
{
    table->publication_count = json_array_size(list);
    table->publications = arena_alloc(arena, (table->publication_count + 1) * sizeof *table->publications);
    for (size_t i = 0; i < table->publication_count; i++) {
        const json_t *item = json_array_get(list, i);
        table->publications[i] = (Publication){.name = catalog_text(arena, item, "name"),
                                               .all_tables = catalog_bool(item, "all"),
                                               .column_list = catalog_bool(item, "columns"),
                                               .row_filter = catalog_bool(item, "rows"),
                                               .journal_too = catalog_bool(item, "journal")};
    }
}

/* Rows by the density that the last ANALYZE or VACUUM found, for the size that the table has now. Without
 * statistics a sample tells, and where we may not read, the width of the columns. */
static Err *estimate_rows(Conn *conn, const Wait *wait, const Server *server, const json_t *row, Table *table)
{
    int64_t block_size = server != NULL && server->block_size > 0 ? server->block_size : 8192;
    double width = catalog_double(row, "width") + ROW_HEADER_BYTES;
    double by_width = floor((double)(block_size - PAGE_HEADER_BYTES) * table->fillfactor / 100 / width);
    double tuples = catalog_double(row, "tuples"), pages = catalog_double(row, "pages");
    bool known = tuples > 0 && pages > 0;
    table->block_count = table->heap_bytes / block_size;
    double blocks = (double)table->block_count;
    double density = known ? tuples / pages : fmax(by_width, 1);
    if (table->block_count == 0)
        table->empty = table->kind == RELATION_TABLE || table->kind == RELATION_PARTITION;
    else if (catalog_bool(row, "may_look")) {
        CLEANUP(arena_freep) Arena *scratch = arena_new();
        double percent = fmin(100, 100.0 * SAMPLE_BLOCKS / blocks);
        const char *name = sql_name(scratch, table->schema, table->name);
        const char *sample = known ? "NULL"
                                   : arena_printf(scratch,
                                                  "(SELECT pg_catalog.count(*) FROM ONLY %s TABLESAMPLE "
                                                  "SYSTEM (%.6f))",
                                                  name, percent);
        Rows rows = {0};
        TRY(conn_query(
            conn, wait, scratch, &rows,
            arena_printf(scratch, "SELECT NOT EXISTS (SELECT FROM ONLY %s LIMIT 1), %s", name, sample)));
        table->empty = rows_bool(&rows, 0, 0);
        if (!known)
            density = rows_double(&rows, 0, 1) / (blocks * percent / 100);
    }
    table->row_estimate =
        table->kind == RELATION_PARTITIONED ? (int64_t)fmax(tuples, 0) : (int64_t)llround(density * blocks);
    if (table->row_estimate == 0 && table->block_count > 0 && !table->empty)
        table->row_estimate = 1;
    table->rows_per_block = (int)fmax(1, round(density > 0 ? density : by_width));
    return NULL;
}

static Err *load_sync(Conn *conn, const Wait *wait, Arena *arena, Table *table)
{
    CLEANUP(catalog_json_freep) json_t *rows = NULL;
    const char *id = arena_printf(arena, "%lld", (long long)table->id);
    TRY(catalog_query(conn, wait,
                      "SELECT * FROM stoa.sync_columns " /* an older journal has fewer columns */
                      "WHERE table_id = $1::int8 ORDER BY change_id, column_name",
                      1, &id, &rows));
    table->sync_count = json_array_size(rows);
    table->sync = arena_alloc(arena, (table->sync_count + 1) * sizeof *table->sync);
    for (size_t i = 0; i < table->sync_count; i++) {
        const json_t *row = json_array_get(rows, i);
        SyncColumn *sync = &table->sync[i];
        *sync = (SyncColumn){.change_id = catalog_int(row, "change_id"),
                             .column = catalog_text(arena, row, "column_name"),
                             .expr = catalog_text(arena, row, "expr"),
                             .counter = catalog_text(arena, row, "counter"),
                             .null_ok = catalog_bool(row, "null_ok"),
                             .after = catalog_bool(row, "after")};
        sync->sources = catalog_texts(arena, row, "sources", &sync->source_count);
        sync_backs_from_json(arena, json_object_get(row, "back"), &sync->back, &sync->back_count);
    }
    return NULL;
}

static void read_stars(Arena *arena, const json_t *rows, Table *table)
{
    VEC(StarStatement) stars = {0};
    for (size_t i = 0; i < json_array_size(rows) && stars.len < STARS_SHOWN; i++) {
        const json_t *row = json_array_get(rows, i);
        const char *statement = json_string_value(json_object_get(row, "query"));
        const char *why = statement == NULL ? NULL : star_reason(statement, table->schema, table->name);
        if (why == NULL)
            continue;
        size_t len = strnlen(statement, STATEMENT_BYTES);
        while (len > 0 && len == STATEMENT_BYTES && ((unsigned char)statement[len] & 0xC0) == 0x80)
            len--;
        *vec_push(arena, &stars) = (StarStatement){
            .statement = arena_dupn(arena, statement, len), .why = why, .calls = catalog_int(row, "calls")};
    }
    table->stars = stars.items;
    table->star_count = stars.len;
}

/* Statements of this database that name the table, most called first. The statistics are asked once, with a
 * limit of time of their own: they may be large, and not to know is no error. */
Err *pg_load_stars(Conn *conn, const Wait *wait, Arena *arena, const Server *server, Table *table)
{
    if (table->statements_schema == NULL || !server->may_read_stats)
        return NULL;
    CLEANUP(str_donep) Str sql = STR_INIT;
    str_addf(&sql,
             "SELECT pg_catalog.left(s.query, %d) AS query, pg_catalog.sum(s.calls)::int8 AS calls FROM ",
             STATEMENT_READ);
    sql_add_name(&sql, table->statements_schema, "pg_stat_statements");
    str_addf(&sql,
             " s WHERE s.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = "
             "pg_catalog.current_database()) AND pg_catalog.strpos(pg_catalog.lower(s.query), "
             "pg_catalog.lower($1::text)) > 0 AND s.query ~* '[*]|insert|copy' AND s.query !~* '\\mstoa\\.' "
             "GROUP BY 1 ORDER BY 2 DESC LIMIT %d",
             STAR_CANDIDATES);
    CLEANUP(catalog_json_freep) json_t *rows = NULL;
    CLEANUP(arena_freep) Arena *scratch = arena_new();
    /* A name with a quote in it stands doubled in statements. */
    const char *name = table->name;
    if (strchr(name, '"') != NULL) {
        char *quoted = sql_ident(scratch, name);
        name = arena_dupn(scratch, quoted + 1, strlen(quoted) - 2);
    }
    Wait limit = {.stop = wait == NULL ? NULL : wait->stop, .timeout_ms = STATISTICS_TIMEOUT_MS};
    Err *err = catalog_query(conn, &limit, sql.buf, 1, &name, &rows);
    if (err_is(err, ERR_CANCELLED)) {
        err_free(err);
        return NULL;
    }
    TRY(err);
    read_stars(arena, rows, table);
    table->stars_known = true;
    return NULL;
}

static void read_partitions(Arena *arena, const json_t *row, Table *table)
{
    const json_t *list = json_object_get(row, "partitions");
    table->partition_count = json_array_size(list);
    table->partitions = arena_alloc(arena, (table->partition_count + 1) * sizeof *table->partitions);
    for (size_t i = 0; i < table->partition_count; i++) {
        const json_t *item = json_array_get(list, i);
        table->partitions[i] = (Partition){.schema = catalog_text(arena, item, "schema"),
                                           .name = catalog_text(arena, item, "name"),
                                           .id = catalog_int(item, "id"),
                                           .parent = name_of(arena, item, "parent"),
                                           .bound = catalog_text(arena, item, "bound"),
                                           .kind = first_char(item, "kind"),
                                           .bytes = catalog_int(item, "bytes"),
                                           .detaching = catalog_bool(item, "detaching")};
        table->partitions[i].is_default = str_eq(table->partitions[i].bound, "DEFAULT");
    }
    table->partition_key = catalog_text(arena, row, "partition_key");
    table->key_columns = catalog_texts(arena, row, "key_columns", &table->key_column_count);
}

static void read_relation(Arena *arena, const json_t *row, Table *table)
{
    *table = (Table){.schema = catalog_text(arena, row, "schema"),
                     .name = catalog_text(arena, row, "name"),
                     .id = catalog_int(row, "id"),
                     .kind = kind_of(row),
                     .owner = catalog_text(arena, row, "owner"),
                     .may_own = catalog_bool(row, "may_own"),
                     .temporary = catalog_bool(row, "temporary"),
                     .unlogged = catalog_bool(row, "unlogged"),
                     .rls = catalog_bool(row, "rls"),
                     .rls_forced = catalog_bool(row, "rls_forced"),
                     .has_children = catalog_bool(row, "has_children"),
                     .parent = catalog_text(arena, row, "parent"),
                     .partition_constraint = catalog_text(arena, row, "partition_constraint"),
                     .detaching = catalog_bool(row, "detaching"),
                     .is_partition = catalog_bool(row, "is_partition"),
                     .root = name_of(arena, row, "root"),
                     .root_id = catalog_int(row, "root_id"),
                     .heap_bytes = catalog_int(row, "heap_bytes"),
                     .index_bytes = catalog_int(row, "index_bytes"),
                     .total_bytes = catalog_int(row, "total_bytes"),
                     .fillfactor = (int)catalog_int(row, "fillfactor"),
                     .oldest_writer_ms = catalog_int(row, "oldest_writer_ms"),
                     .repeatable_read_default = catalog_bool(row, "repeatable_read_default"),
                     .statements_schema = catalog_text(arena, row, "statements_schema")};
    read_partitions(arena, row, table);
    read_columns(arena, json_object_get(row, "columns"), table);
    read_indexes(arena, json_object_get(row, "indexes"), table);
    read_constraints(arena, json_object_get(row, "constraints"), table);
    read_triggers(arena, json_object_get(row, "triggers"), table);
    read_publications(arena, json_object_get(row, "publications"), table);
    table->views = catalog_texts(arena, row, "views", &table->view_count);
}

/* "Orders" when orders was asked for: the first stumble of whoever has mixed case. */
static Err *find_similar(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *name,
                         Table *table)
{
    const char *params[] = {schema, name};
    Rows rows = {0};
    TRY(conn->ops->query(
        conn, wait, arena,
        "SELECT CASE WHEN $1::text IS NULL AND pg_catalog.pg_table_is_visible(c.oid) THEN "
        "pg_catalog.quote_ident(c.relname) ELSE pg_catalog.format('%I.%I', n.nspname, c.relname) END "
        "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE "
        "pg_catalog.lower(c.relname) = pg_catalog.lower($2::text) AND c.relkind IN ('r', 'p') AND ($1::text "
        "IS NULL OR pg_catalog.lower(n.nspname) = pg_catalog.lower($1::text)) ORDER BY "
        "pg_catalog.pg_table_is_visible(c.oid) DESC, 1 LIMIT 1",
        2, params, &rows));
    table->similar = rows.row_count > 0 ? rows_cell(&rows, 0, 0) : NULL;
    if (schema == NULL)
        return NULL;
    TRY(conn_params(conn, wait, arena, &rows, "SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1::text",
                    schema));
    table->schema_missing = rows.row_count == 0;
    return NULL;
}

Err *pg_load_table(Conn *conn, const Wait *wait, Arena *arena, const Server *server, const char *schema,
                   const char *name, Table *ret_table)
{
    CLEANUP(catalog_json_freep) json_t *rows = NULL;
    const char *params[] = {schema, name};
    TRY(catalog_query_kept(conn, wait, catalog_table_sql, 2, params, &rows));
    if (json_array_size(rows) == 0) {
        *ret_table = (Table){.schema = schema == NULL ? NULL : arena_dup(arena, schema),
                             .name = arena_dup(arena, name),
                             .kind = RELATION_MISSING};
        return find_similar(conn, wait, arena, schema, name, ret_table);
    }
    const json_t *row = json_array_get(rows, 0);
    Table table;
    read_relation(arena, row, &table);
    self_set_mark(server, &table);
    TRY(estimate_rows(conn, wait, server, row, &table));
    if (catalog_bool(row, "has_sync"))
        TRY(load_sync(conn, wait, arena, &table));
    *ret_table = table;
    return NULL;
}

Err *pg_index_table(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *index,
                    const char **ret_schema, const char **ret_table)
{
    static const char sql[] =
        "SELECT n.nspname, t.relname FROM pg_catalog.pg_index i "
        "JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_namespace cn ON cn.oid = "
        "c.relnamespace JOIN pg_catalog.pg_class t ON t.oid = i.indrelid JOIN pg_catalog.pg_namespace n ON "
        "n.oid = t.relnamespace WHERE CASE WHEN $1::text IS NULL THEN c.oid = "
        "pg_catalog.to_regclass(pg_catalog.quote_ident($2::text)) ELSE cn.nspname = $1::text AND c.relname = "
        "$2::text END";
    const char *params[] = {schema, index};
    Rows rows = {0};
    TRY(conn->ops->query(conn, wait, arena, sql, 2, params, &rows));
    *ret_schema = rows.row_count == 0 ? NULL : rows_cell(&rows, 0, 0);
    *ret_table = rows.row_count == 0 ? NULL : rows_cell(&rows, 0, 1);
    return NULL;
}
