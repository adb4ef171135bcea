/* Tables of MySQL and MariaDB with as much room in them as on the source. */
#include "rehearse/build_my.h"

#include "base/str.h"
#include "engine/sql.h"
#include "rehearse/numbers_my.h"

#include <string.h>

enum { PAGE_BYTES = 16384, FULL = 100 };

#define DIGITS                                                                                               \
    "(SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL "  \
    "SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)"

Err *build_prepare_my(const Build *build)
{
    TRY(build_run(build, "CREATE TABLE " NUMBERS_MY " (n int NOT NULL PRIMARY KEY) ENGINE = InnoDB"));
    return build_run(build,
                     arena_printf(build->arena,
                                  "INSERT INTO " NUMBERS_MY
                                  " SELECT a.d * 10000 + b.d * 1000 + c.d * 100 + e.d * 10 + f.d FROM " DIGITS
                                  " AS a, " DIGITS " AS b, " DIGITS " AS c, " DIGITS " AS e, " DIGITS
                                  " AS f WHERE a.d < %d",
                                  NUMBERS_MY_COUNT / 10000));
}

static const char *own_name(const Build *build, const FactTable *table)
{
    return sql_backtick(build->arena, table->name);
}

static Err *analyze(const Build *build, const FactTable *table)
{
    Rows rows = {0};
    return conn_query(build->conn, &build->wait, build->arena, &rows,
                      arena_printf(build->arena, "ANALYZE TABLE %s", own_name(build, table)));
}

/* Pages are counted right where one of them is looked at for each column, at the most; copies have the usual
 * statistics. */
static Err *set_looked_at(const Build *build, const char *pages)
{
    return build->stage->server == NULL
               ? NULL
               : build_run(build,
                           arena_printf(build->arena, "SET GLOBAL innodb_stats_persistent_sample_pages = %s",
                                        pages));
}

Err *build_finish_my(const Build *build)
{
    TRY(build_run(build, "DROP TABLE " NUMBERS_MY));
    for (size_t i = 0; i < build->table_count; i++)
        TRY(analyze(build, build->tables[i]));
    return set_looked_at(build, "DEFAULT");
}

/* ---- room in pages -------------------------------------------------------------------------- */

/* Bytes of leaf pages of one index; 0 where nothing is known of it. */
static Err *leaf_bytes(const Build *build, const FactTable *table, const char *index, int64_t *ret_bytes)
{
    Rows rows = {0};
    TRY(conn_params(build->conn, &build->wait, build->arena, &rows,
                    "SELECT stat_value FROM mysql.innodb_index_stats WHERE database_name = $1 AND table_name "
                    "= $2 AND index_name = $3 AND stat_name = 'n_leaf_pages'",
                    build->database, table->name, index));
    *ret_bytes = rows.row_count == 0 ? 0 : rows_int(&rows, 0, 0) * PAGE_BYTES;
    return NULL;
}

/* How full pages have to be so that what takes `packed` bytes when they are full takes those of the source;
 * FULL where that would not be seen. */
static int fill_for(double packed, double source)
{
    if (packed <= 0 || source <= 0 || packed * (100 + BUILD_ROOM_PERCENT) >= source * 100)
        return FULL;
    double factor = FULL * packed / source;
    return factor < BUILD_LEAST_FILL ? BUILD_LEAST_FILL : (int)(factor + 0.5);
}

static Err *set_fill(const Build *build, int factor)
{
    return build_run(build, arena_printf(build->arena, "SET GLOBAL innodb_fill_factor = %d", factor));
}

static Err *rebuild(const Build *build, const FactTable *table, int factor)
{
    TRY(set_fill(build, factor));
    TRY(build_run(build, arena_printf(build->arena, "ALTER TABLE %s FORCE", own_name(build, table))));
    return analyze(build, table);
}

/* A further index, as SHOW CREATE TABLE defines it: "UNIQUE KEY `x` (`a`)". */
typedef struct KeyLine {
    const char *name, *line; /* the name in backticks */
    int factor;
} KeyLine;
typedef VEC(KeyLine) KeyLines;

static Err *key_lines(const Build *build, const FactTable *table, KeyLines *lines)
{
    static const char word[] = "KEY `";
    Rows rows = {0};
    Arena *arena = build->arena;
    TRY(conn_query(build->conn, &build->wait, arena, &rows,
                   arena_printf(arena, "SHOW CREATE TABLE %s", own_name(build, table))));
    for (const char *at = strchr(rows_cell(&rows, 0, 1), '\n'); at != NULL; at = strchr(at, '\n')) {
        at += 1 + strspn(at + 1, " ");
        size_t len = strcspn(at, "\n");
        char *line = arena_dupn(arena, at, len > 0 && at[len - 1] == ',' ? len - 1 : len);
        char *key = strstr(line, word);
        if (key == NULL || *line == '`' || str_starts(line, "CONSTRAINT "))
            continue;
        char *name = key + strlen(word) - 1, *end = strstr(name, "` (");
        if (end != NULL)
            *vec_push(arena, lines) =
                (KeyLine){.line = line, .name = arena_dupn(arena, name, (size_t)(end + 1 - name))};
    }
    return NULL;
}

/* How full it has to be; `usual` where that is as the table is, or cannot be told. */
static Err *factor_of(const Build *build, const FactTable *table, const char *name, int usual,
                      int *ret_factor)
{
    int64_t bytes = 0;
    *ret_factor = usual;
    for (size_t i = 0; i < table->index_count; i++) {
        const FactIndex *index = &table->indexes[i];
        if (!index->btree || index->bytes == 0 || !str_eq(sql_backtick(build->arena, index->name), name))
            continue;
        TRY(leaf_bytes(build, table, index->name, &bytes));
        double packed = (double)bytes * usual / FULL; /* it was built with the table's */
        int own = fill_for(packed, build_share(build, table, index->bytes));
        if (own < usual - BUILD_ROOM_PERCENT || own > usual + BUILD_ROOM_PERCENT)
            *ret_factor = own;
    }
    return NULL;
}

/* In its place for a moment stands another one: MySQL does not take an index away that a foreign key needs,
 * and does nothing where one comes and goes in one statement. */
static Err *key_rebuild(const Build *build, const FactTable *table, const KeyLine *key)
{
    static const char other[] = "`stoa_rehearsal_key`";
    const char *own = own_name(build, table), *name = strstr(key->line, key->name);
    Arena *arena = build->arena;
    TRY(build_run(build, arena_printf(arena, "ALTER TABLE %s ADD %.*s%s%s", own, (int)(name - key->line),
                                      key->line, other, name + strlen(key->name))));
    TRY(build_run(build, arena_printf(arena, "ALTER TABLE %s DROP KEY %s", own, key->name)));
    TRY(set_fill(build, key->factor));
    TRY(build_run(build, arena_printf(arena, "ALTER TABLE %s ADD %s", own, key->line)));
    return build_run(build, arena_printf(arena, "ALTER TABLE %s DROP KEY %s", own, other));
}

/* From the first one that is to be another on they are built anew, so that they stand in the definition in
 * the order in which they did. */
static Err *keys_rebuild(const Build *build, const FactTable *table, int usual)
{
    KeyLines keys = {0};
    size_t first = SIZE_MAX;
    TRY(key_lines(build, table, &keys));
    for (size_t i = 0; i < keys.len; i++) {
        TRY(factor_of(build, table, keys.items[i].name, usual, &keys.items[i].factor));
        first = first == SIZE_MAX && keys.items[i].factor != usual ? i : first;
    }
    for (size_t i = first; i < keys.len; i++)
        TRY(key_rebuild(build, table, &keys.items[i]));
    return NULL;
}

static const char *clustered(const FactTable *table)
{
    for (size_t i = 0; i < table->index_count; i++)
        if (table->indexes[i].primary)
            return "PRIMARY";
    return "GEN_CLUST_INDEX";
}

/* First all pages full, which tells what is needed; then as full as on the source. */
static Err *settle_table(const Build *build, const FactTable *table)
{
    int64_t bytes = 0;
    TRY(rebuild(build, table, FULL));
    TRY(leaf_bytes(build, table, clustered(table), &bytes));
    int factor = fill_for((double)bytes, build_share(build, table, table->heap_bytes));
    if (factor < FULL)
        TRY(rebuild(build, table, factor));
    return keys_rebuild(build, table, factor);
}

Err *build_settle_my(const Build *build)
{
    Err *err = set_fill(build, FULL);
    if (err_is(err, ERR_PRIVILEGE) || err_is(err, ERR_SQL)) {
        err_free(err);
        stage_note(build->stage,
                   "room in pages is as the rows happen to be inserted, since innodb_fill_factor "
                   "cannot be set on the staging server");
        return NULL;
    }
    TRY(err);
    TRY(set_looked_at(build, "1"));
    for (size_t i = 0; i < build->table_count; i++)
        if (fill_row_count(build->fill, build->tables[i]) > 0)
            TRY(settle_table(build, build->tables[i]));
    return set_fill(build, FULL);
}
