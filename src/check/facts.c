/* Tables of the server, by name, and what things cost on them. */
#include "check/facts.h"

#include "base/str.h"

#include <strings.h>

static bool is_named(const TableFacts *table, Name name, bool folds)
{
    bool same = folds ? strcasecmp(table->name, name.name) == 0 : str_eq(table->name, name.name);
    return same && (name.schema == NULL || table->schema == NULL || str_eq(table->schema, name.schema));
}

const TableFacts *facts_table(const ServerFacts *facts, Name name)
{
    if (facts == NULL || name.name == NULL)
        return NULL;
    bool folds = facts->engine != CHECK_POSTGRES;
    for (size_t i = 0; i < facts->table_count; i++)
        if (is_named(&facts->tables[i], name, folds))
            return &facts->tables[i];
    for (size_t i = 0; i < facts->table_count; i++)
        for (size_t j = 0; j < facts->tables[i].index_count; j++)
            if (str_eq(facts->tables[i].indexes[j], name.name))
                return &facts->tables[i];
    return NULL;
}

/* Bytes and rows a millisecond: what takes longer counts. */
static const struct {
    int64_t bytes, rows;
} rates[] = {[COST_NONE] = {0, 0},          [COST_SCAN] = {500000, 5000}, [COST_BUILD] = {100000, 1000},
             [COST_REWRITE] = {60000, 600}, [COST_COPY] = {30000, 150},   [COST_REBUILD] = {60000, 400},
             [COST_ROWS] = {20000, 100},    [COST_CONTENT] = {0, 0}};

int64_t facts_estimate_ms(const TableFacts *table, Cost cost)
{
    if (rates[cost].bytes == 0 || table->empty)
        return 0;
    bool heap_only = cost == COST_SCAN || cost == COST_BUILD;
    int64_t bytes = heap_only ? table->bytes - table->index_bytes : table->bytes;
    int64_t by_bytes = bytes / rates[cost].bytes, by_rows = table->rows / rates[cost].rows;
    int64_t most = by_bytes > by_rows ? by_bytes : by_rows;
    return most > 0 ? most : 1;
}
