/* What was made against what it stands for. */
#include "rehearse/stage.h"

#include "base/str.h"
#include "rehearse/source.h"

#include <math.h>

enum { READ_MS = 60000 };

static json_t *size_json(double expected, double actual, bool *realistic)
{
    bool alike = stage_is_alike(expected, actual);
    *realistic = *realistic && alike;
    return json_pack("{s:I, s:I, s:f, s:b}", "expected", (json_int_t)expected, "actual", (json_int_t)actual,
                     "ratio", expected > 0 ? actual / expected : 1, "alike", (int)alike);
}

static const FactIndex *index_named(const FactTable *table, const char *name)
{
    for (size_t i = 0; table != NULL && i < table->index_count; i++)
        if (str_eq(table->indexes[i].name, name))
            return &table->indexes[i];
    return NULL;
}

static double in_rows(double distinct, double rows) { return distinct < 0 ? -distinct * rows : distinct; }

/* Of the planner: shown, and no reason to refuse. */
static json_t *column_json(const Fill *fill, const FactTable *source, const FactColumn *from,
                           const FactTable *made, const FactColumn *to)
{
    (void)fill;
    json_t *column = json_pack("{s:s}", "column", from->name);
    const struct {
        const char *key;
        double source, made;
    } figures[] = {{"null_fraction", from->null_fraction, to->null_fraction},
                   {"width", from->width, to->width},
                   {"distinct", in_rows(from->distinct, (double)source->rows),
                    in_rows(to->distinct, (double)made->rows)},
                   {"correlation", from->correlation, to->correlation}};
    for (size_t i = 0; i < ARRAY_LEN(figures); i++)
        json_object_set_new(column, figures[i].key,
                            json_pack("{s:f, s:f}", "source", figures[i].source, "made", figures[i].made));
    return column;
}

static json_t *table_json(const Fill *fill, const FactTable *source, const FactTable *made, bool *realistic)
{
    double rows = (double)fill_row_count(fill, source);
    double share = rows / (double)(source->rows > 0 ? source->rows : 1);
    json_t *indexes = json_array(), *columns = json_array();
    json_t *table =
        json_pack("{s:s, s:s, s:I, s:o, s:o, s:o}", "schema", source->schema, "table", source->name, "rows",
                  (json_int_t)rows, "heap",
                  size_json((double)source->heap_bytes * share, (double)made->heap_bytes, realistic),
                  "indexes", indexes, "columns", columns);
    if (source->toast_bytes > 0)
        json_object_set_new(
            table, "toast",
            size_json((double)source->toast_bytes * share, (double)made->toast_bytes, realistic));
    for (size_t i = 0; i < source->index_count; i++) {
        const FactIndex *index = index_named(made, source->indexes[i].name);
        if (source->indexes[i].bytes == 0) /* part of the table, or not known */
            continue;
        json_t *json = size_json((double)source->indexes[i].bytes * share,
                                 index != NULL ? (double)index->bytes : 0, realistic);
        json_object_set_new(json, "index", json_string(source->indexes[i].name));
        json_array_append_new(indexes, json);
    }
    for (size_t i = 0; i < source->column_count; i++) {
        const FactColumn *to = fact_column(made, source->columns[i].name);
        if (to != NULL && to->known && source->columns[i].known)
            json_array_append_new(columns, column_json(fill, source, &source->columns[i], made, to));
    }
    return table;
}

Err *stage_compare(Stage *stage, const Fill *fill, const FactTable *const *tables, size_t table_count,
                   const char *name, json_t **ret_json)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    CLEANUP(conn_closep) Conn *conn = NULL;
    Wait wait = {.stop = stage->wish.stop, .timeout_ms = READ_MS};
    const char **names = arena_alloc(arena, (table_count + 1) * sizeof *names);
    for (size_t i = 0; i < table_count; i++)
        names[i] = stage->wish.ops->quote(arena, stage_schema(stage, tables[i], name), tables[i]->name);
    json_t *read = NULL;
    TRY(stage_connect(stage, name, &conn));
    TRY(source_statistics(conn, &wait, arena, names, table_count, NULL, &read));
    json_t *head = json_pack("{s:i, s:s, s:i, s:s}", "stoa_rehearsal", 1, "engine", stage->wish.facts->engine,
                             "version", stage->version, "version_text", stage->wish.facts->version_text);
    json_object_update_missing(read, head);
    json_decref(head);
    Facts made = {0};
    Err *err = facts_read(arena, read, &made);
    if (err != NULL) {
        json_decref(read);
        return err;
    }
    bool realistic = true;
    json_t *list = json_array();
    for (size_t i = 0; i < table_count; i++) {
        const FactTable *table = facts_find(&made, stage_schema(stage, tables[i], name), tables[i]->name);
        if (table != NULL && fill_row_count(fill, tables[i]) > 0)
            json_array_append_new(list, table_json(fill, tables[i], table, &realistic));
    }
    *ret_json = json_pack("{s:b, s:o}", "realistic", (int)realistic, "tables", list);
    json_decref(read);
    return NULL;
}
