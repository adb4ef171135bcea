/* What a clone's tables are stored in. */
#include "engine/mysql/look.h"

#include "base/str.h"
#include "engine/mysql/catalog.h"

#include <stdlib.h>
#include <strings.h>

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static int64_t *sorted(Arena *arena, const Rows *rows, size_t col)
{
    int64_t *ids = arena_alloc(arena, (rows->row_count + 1) * sizeof *ids);
    for (size_t i = 0; i < rows->row_count; i++)
        ids[i] = rows_int(rows, i, col);
    qsort(ids, rows->row_count, sizeof *ids, compare);
    return ids;
}

/* The copies' names are plain, but for "_". Tables of a FULLTEXT index come and go with it. */
static Err *take_ids(Conn *conn, const Wait *wait, Arena *arena, const char *database, Look *look)
{
    const Flavor *flavor = my_flavor(conn);
    Rows tables = {0}, indexes = {0};
    const char *from = my_innodb_view(flavor, arena, "tables");
    static const char filter[] =
        "SUBSTRING_INDEX(t.name, '/', 1) = $1 AND LOWER(t.name) NOT LIKE '%/fts\\_0%'";
    const char *sql =
        arena_printf(arena, "SELECT t.table_id, %s FROM %s t WHERE %s",
                     flavor_can(flavor, FACT_ROW_VERSIONS) ? "t.total_row_versions" : "0", from, filter);
    TRY(conn_params(conn, wait, arena, &tables, sql, database));
    TRY(conn_params(
        conn, wait, arena, &indexes,
        arena_printf(arena,
                     "SELECT i.index_id, i.table_id FROM %s i JOIN %s t ON t.table_id = i.table_id WHERE %s",
                     my_innodb_view(flavor, arena, "indexes"), from, filter),
        database));
    look->known = true;
    look->tables = sorted(arena, &tables, 0);
    look->table_count = tables.row_count;
    look->index_count = indexes.row_count;
    look->indexes = arena_alloc(arena, (indexes.row_count + 1) * sizeof *look->indexes);
    for (size_t i = 0; i < indexes.row_count; i++)
        look->indexes[i] =
            (struct LookIndex){.id = rows_int(&indexes, i, 0), .table = rows_int(&indexes, i, 1)};
    qsort(look->indexes, look->index_count, sizeof *look->indexes, compare); /* by their first member */
    look->indexes_known = true;
    for (size_t i = 0; i < tables.row_count; i++) {
        look->row_versions += rows_int(&tables, i, 1);
        bool shown = false;
        for (size_t at = 0; !shown && at < look->index_count; at++)
            shown = look->indexes[at].table == look->tables[i];
        look->indexes_known = look->indexes_known && shown;
    }
    return NULL;
}

Err *look_take(Conn *conn, const Wait *wait, Arena *arena, const char *database, const char *table,
               Look *ret_look)
{
    Look look = {0};
    Rows rows = {0};
    TRY(conn_params(
        conn, wait, arena, &rows,
        "SELECT engine FROM information_schema.tables WHERE table_schema = $1 AND table_name = $2", database,
        table));
    look.engine = rows.row_count == 0 ? NULL : rows_cell(&rows, 0, 0);
    TRY(conn_params(
        conn, wait, arena, &look.texts,
        "SELECT column_name, collation_name FROM information_schema.columns WHERE table_schema = $1 "
        "AND collation_name IS NOT NULL",
        database));
    Err *err = take_ids(conn, wait, arena, database, &look);
    if (!err_is(err, ERR_PRIVILEGE))
        TRY(err);
    else
        err_free(err);
    *ret_look = look;
    return NULL;
}

static bool has(const int64_t *ids, size_t count, int64_t id)
{
    return bsearch(&id, ids, count, sizeof *ids, compare) != NULL;
}

/* Some of `ids` that are not among `others`. */
static bool has_others(const int64_t *ids, size_t count, const int64_t *others, size_t other_count)
{
    for (size_t i = 0; i < count; i++)
        if (!has(others, other_count, ids[i]))
            return true;
    return false;
}

bool look_is_rebuilt(const Look *before, const Look *after)
{
    return has_others(before->tables, before->table_count, after->tables, after->table_count) &&
           has_others(after->tables, after->table_count, before->tables, before->table_count);
}

bool look_has_new_index(const Look *before, const Look *after)
{
    for (size_t i = 0; i < after->index_count; i++) {
        const struct LookIndex *index = &after->indexes[i];
        if (has(before->tables, before->table_count, index->table) &&
            bsearch(index, before->indexes, before->index_count, sizeof *index, compare) == NULL)
            return true;
    }
    return false;
}

static size_t count_text(const Rows *texts, const char *name, const char *collation)
{
    size_t count = 0;
    for (size_t i = 0; i < texts->row_count; i++)
        count += str_eq(rows_cell(texts, i, 0), name) && str_eq(rows_cell(texts, i, 1), collation);
    return count;
}

/* Row `at` of `texts` stands more often there than in `others`. */
static bool is_extra(const Rows *texts, size_t at, const Rows *others)
{
    const char *name = rows_cell(texts, at, 0), *collation = rows_cell(texts, at, 1);
    return count_text(texts, name, collation) > count_text(others, name, collation);
}

bool look_has_new_collation(const Look *before, const Look *after)
{
    for (size_t i = 0; i < before->texts.row_count; i++) {
        if (!is_extra(&before->texts, i, &after->texts))
            continue;
        for (size_t k = 0; k < after->texts.row_count; k++)
            if (is_extra(&after->texts, k, &before->texts) &&
                !str_eq(rows_cell(&before->texts, i, 1), rows_cell(&after->texts, k, 1)))
                return true;
    }
    return false;
}
