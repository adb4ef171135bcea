/* Facts out of JSON that anybody may have written. */
#include "rehearse/facts.h"

#include "base/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FORMAT = 1, ITEMS_MOST = 100000 };

static const char *const part_names[COPY_PART_COUNT] = {"before", "table",     "default", "check",
                                                        "index",  "reference", "around"};
static const char *const use_names[USE_COUNT] = {"read", "insert", "update", "delete"};
static const char *const kind_names[] = {"number", "time", "span", "label", "text", "other"};

const char *copy_part_name(CopyPart part) { return part_names[part]; }
const char *fact_use_name(FactUse use) { return use_names[use]; }

typedef struct Reader {
    Arena *arena;
    const char *wrong; /* the first thing that is; NULL */
} Reader;

static void fail(Reader *reader, const char *what)
{
    if (reader->wrong == NULL)
        reader->wrong = what;
}

static const char *text_of(Reader *reader, const json_t *object, const char *key, bool needed)
{
    const json_t *value = json_object_get(object, key);
    if (json_is_string(value))
        return json_string_value(value);
    if (needed || (value != NULL && !json_is_null(value)))
        fail(reader, key);
    return needed ? "" : NULL;
}

static double number_of(Reader *reader, const json_t *object, const char *key, double low, double high,
                        double otherwise)
{
    const json_t *value = json_object_get(object, key);
    if (value == NULL || json_is_null(value))
        return otherwise;
    double number = json_number_value(value);
    if (json_is_number(value) && number >= low && number <= high)
        return number;
    fail(reader, key);
    return otherwise;
}

static int64_t count_of(Reader *reader, const json_t *object, const char *key)
{
    return (int64_t)number_of(reader, object, key, 0, 1e15, 0);
}

static bool flag_of(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

static size_t list_len(Reader *reader, const json_t *list, const char *key)
{
    if (list == NULL || json_is_null(list))
        return 0;
    if (json_is_array(list) && json_array_size(list) <= ITEMS_MOST)
        return json_array_size(list);
    fail(reader, key);
    return 0;
}

/* NULL entries stay NULL. */
static const char *const *texts_of(Reader *reader, const json_t *object, const char *key, size_t *ret_count)
{
    const json_t *list = json_object_get(object, key);
    size_t count = list_len(reader, list, key);
    const char **texts = arena_alloc(reader->arena, (count + 1) * sizeof *texts);
    for (size_t i = 0; i < count; i++)
        texts[i] = json_string_value(json_array_get(list, i));
    *ret_count = count;
    return texts;
}

static const double *numbers_of(Reader *reader, const json_t *object, const char *key, size_t *ret_count)
{
    const json_t *list = json_object_get(object, key);
    size_t count = list_len(reader, list, key);
    double *numbers = arena_alloc(reader->arena, (count + 1) * sizeof *numbers);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, i);
        numbers[i] = json_number_value(item);
        if (!json_is_number(item) || !isfinite(numbers[i]))
            fail(reader, key);
    }
    *ret_count = count;
    return numbers;
}

static int index_of(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(names[i], name))
            return (int)i;
    return -1;
}

/* ---- columns -------------------------------------------------------------------------------- */

/* Values that cannot be ordered (infinity, dates before Christ) were left out: then none of them is taken. */
static void read_common(Reader *reader, const json_t *object, FactColumn *column)
{
    size_t values = 0;
    column->frequencies = numbers_of(reader, object, "frequencies", &column->common_count);
    if (column->kind == FACT_LABEL || column->kind == FACT_TEXT)
        column->texts = texts_of(reader, object, "common", &values);
    else if (column->kind != FACT_OTHER)
        column->numbers = numbers_of(reader, object, "common", &values);
    for (size_t i = 0; column->texts != NULL && i < values; i++)
        if (column->texts[i] == NULL)
            fail(reader, "common");
    if (values != column->common_count)
        column->common_count = 0;
    for (size_t i = 0; i < column->common_count; i++)
        if (!(column->frequencies[i] > 0 && column->frequencies[i] <= 1))
            fail(reader, "frequencies");
}

static void read_lengths(Reader *reader, const json_t *object, FactColumn *column)
{
    size_t count = 0;
    const double *lengths = numbers_of(reader, object, "lengths", &count);
    int *whole = arena_alloc(reader->arena, (count + 1) * sizeof *whole);
    for (size_t i = 0; i < count; i++) {
        if (lengths[i] < 0 || lengths[i] > 1e6)
            fail(reader, "lengths");
        else
            whole[i] = (int)lengths[i];
    }
    column->lengths = whole;
    column->length_count = count;
}

static FactColumn column_of(Reader *reader, const json_t *object)
{
    FactColumn column = {.name = text_of(reader, object, "name", true),
                         .type = text_of(reader, object, "type", true),
                         .base = text_of(reader, object, "base", true),
                         .size = (int)number_of(reader, object, "size", -2, 1e5, -1),
                         .array = flag_of(object, "array"),
                         .not_null = flag_of(object, "not_null"),
                         .generated = flag_of(object, "generated"),
                         .most = (int)number_of(reader, object, "most", 0, 1e8, 0),
                         .scale = (int)number_of(reader, object, "scale", 0, 2000, -1),
                         .known = json_is_number(json_object_get(object, "null_fraction")),
                         .null_fraction = number_of(reader, object, "null_fraction", 0, 1, 0),
                         .width = number_of(reader, object, "width", 0, 1e9, 0),
                         .distinct = number_of(reader, object, "distinct", -1, 1e15, 0),
                         .correlation = number_of(reader, object, "correlation", -1.001, 1.001, 0)};
    const char *identity = text_of(reader, object, "identity", false);
    column.identity = identity != NULL && identity[0] != '\0';
    int kind = index_of(kind_names, ARRAY_LEN(kind_names), text_of(reader, object, "kind", true));
    if (kind < 0)
        fail(reader, "kind");
    else
        column.kind = (FactKind)kind;
    read_common(reader, object, &column);
    column.bounds = numbers_of(reader, object, "bounds", &column.bound_count);
    for (size_t i = 1; i < column.bound_count; i++)
        if (column.bounds[i] < column.bounds[i - 1])
            fail(reader, "bounds");
    read_lengths(reader, object, &column);
    column.labels = texts_of(reader, object, "labels", &column.label_count);
    for (size_t i = 0; i < column.label_count; i++)
        if (column.labels[i] == NULL)
            fail(reader, "labels");
    return column;
}

/* ---- tables --------------------------------------------------------------------------------- */

static FactIndex index_read(Reader *reader, const json_t *object)
{
    FactIndex index = {.name = text_of(reader, object, "name", true),
                       .bytes = count_of(reader, object, "bytes"),
                       .unique = flag_of(object, "unique"),
                       .primary = flag_of(object, "primary"),
                       .btree = flag_of(object, "btree"),
                       .whole = flag_of(object, "whole"),
                       .fillfactor = (int)number_of(reader, object, "fillfactor", 0, 100, 0)};
    index.columns = texts_of(reader, object, "columns", &index.column_count);
    return index;
}

static FactReference reference_read(Reader *reader, const json_t *object)
{
    FactReference reference = {.schema = text_of(reader, object, "schema", true),
                               .name = text_of(reader, object, "name", true)};
    size_t keys = 0;
    reference.columns = texts_of(reader, object, "columns", &reference.count);
    reference.keys = texts_of(reader, object, "keys", &keys);
    for (size_t i = 0; i < reference.count && i < keys; i++)
        if (reference.columns[i] == NULL || reference.keys[i] == NULL)
            fail(reader, "references");
    if (keys != reference.count)
        fail(reader, "keys");
    return reference;
}

static FactMix mix_read(Reader *reader, const json_t *object)
{
    FactMix mix = {.column = text_of(reader, object, "column", false),
                   .per_s = number_of(reader, object, "per_s", 0, 1e9, 0)};
    int use = index_of(use_names, USE_COUNT, text_of(reader, object, "use", true));
    if (use < 0)
        fail(reader, "use");
    else
        mix.use = (FactUse)use;
    return mix;
}

/* One list of the table into its array. */
#define READ_LIST(reader, object, key, items, count, read)                                                   \
    do {                                                                                                     \
        const json_t *list_ = json_object_get(object, key);                                                  \
        size_t len_ = list_len(reader, list_, key);                                                          \
        (items) = arena_alloc((reader)->arena, (len_ + 1) * sizeof *(items));                                \
        for (size_t i_ = 0; i_ < len_; i_++)                                                                 \
            (items)[i_] = read(reader, json_array_get(list_, i_));                                           \
        (count) = len_;                                                                                      \
    } while (0)

static FactTable table_of(Reader *reader, const json_t *object)
{
    FactTable table = {.schema = text_of(reader, object, "schema", true),
                       .name = text_of(reader, object, "name", true),
                       .partitioned = flag_of(object, "partitioned"),
                       .analyzed = flag_of(object, "analyzed"),
                       .rows = count_of(reader, object, "rows"),
                       .heap_bytes = count_of(reader, object, "heap_bytes"),
                       .toast_bytes = count_of(reader, object, "toast_bytes"),
                       .dead_rows = count_of(reader, object, "dead_rows"),
                       .fillfactor = (int)number_of(reader, object, "fillfactor", 10, 100, 100)};
    int64_t updated = count_of(reader, object, "updated"), hot = count_of(reader, object, "hot_updated");
    table.hot_share = updated > 0 ? (double)hot / (double)updated : -1;
    READ_LIST(reader, object, "columns", table.columns, table.column_count, column_of);
    READ_LIST(reader, object, "indexes", table.indexes, table.index_count, index_read);
    READ_LIST(reader, object, "references", table.references, table.reference_count, reference_read);
    READ_LIST(reader, object, "mix", table.mix, table.mix_count, mix_read);
    return table;
}

static CopyStatement statement_of(Reader *reader, const json_t *object)
{
    CopyStatement statement = {.what = text_of(reader, object, "what", true),
                               .sql = text_of(reader, object, "sql", false),
                               .optional = flag_of(object, "optional")};
    int part = index_of(part_names, COPY_PART_COUNT, text_of(reader, object, "part", true));
    if (part < 0)
        fail(reader, "part");
    else
        statement.part = (CopyPart)part;
    return statement;
}

Err *facts_read(Arena *arena, const json_t *json, Facts *ret_facts)
{
    Reader reader = {.arena = arena};
    const json_t *format = json_object_get(json, "stoa_rehearsal"), *server = json_object_get(json, "server");
    if (!json_is_integer(format) || json_integer_value(format) != FORMAT)
        return err_hint(
            err_new(ERR_CONFIG, "this is no snapshot for rehearsals, or one of another version of stoa"),
            "write it anew: stoa rehearse --snapshot FILE --url URL");
    Facts facts = {.engine = text_of(&reader, json, "engine", true),
                   .version = (int)number_of(&reader, json, "version", 10000, 9999999, 0),
                   .version_text = text_of(&reader, json, "version_text", true),
                   .taken = text_of(&reader, json, "taken", false),
                   .masked = flag_of(json, "masked"),
                   .system = text_of(&reader, json, "system", false),
                   .database = text_of(&reader, json, "database", false),
                   .past = json_object_get(json, "past"),
                   .settings = json_object_get(server, "settings"),
                   .hardware = json_object_get(server, "hardware"),
                   .encoding = text_of(&reader, server, "encoding", false),
                   .collate = text_of(&reader, server, "collate", false),
                   .ctype = text_of(&reader, server, "ctype", false)};
    facts.search_path = texts_of(&reader, json, "search_path", &facts.search_path_count);
    READ_LIST(&reader, json, "statements", facts.statements, facts.statement_count, statement_of);
    READ_LIST(&reader, json, "tables", facts.tables, facts.table_count, table_of);
    if (facts.version == 0)
        fail(&reader, "version");
    if (reader.wrong != NULL)
        return err_new(ERR_CONFIG, "the snapshot is damaged at \"%s\"", reader.wrong);
    *ret_facts = facts;
    return NULL;
}

Err *facts_parse(Arena *arena, const char *text, json_t **ret_json, Facts *ret_facts)
{
    json_error_t why;
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &why);
    if (json == NULL)
        return err_new(ERR_CONFIG, "the snapshot is no JSON: line %d: %s", why.line, why.text);
    Err *err = facts_read(arena, json, ret_facts);
    if (err != NULL) {
        json_decref(json);
        return err;
    }
    *ret_json = json;
    return NULL;
}

/* ---- finding -------------------------------------------------------------------------------- */

const FactTable *facts_find(const Facts *facts, const char *schema, const char *name)
{
    for (size_t i = 0; schema != NULL && i < facts->table_count; i++)
        if (str_eq(facts->tables[i].name, name) && str_eq(facts->tables[i].schema, schema))
            return &facts->tables[i];
    for (size_t i = 0; schema == NULL && i < facts->search_path_count; i++)
        if (facts->search_path[i] != NULL) {
            const FactTable *table = facts_find(facts, facts->search_path[i], name);
            if (table != NULL)
                return table;
        }
    return NULL;
}

const FactColumn *fact_column(const FactTable *table, const char *name)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (str_eq(table->columns[i].name, name))
            return &table->columns[i];
    return NULL;
}

const char *facts_setting_text(const Facts *facts, const char *name)
{
    return json_string_value(json_object_get(facts->settings, name));
}

int64_t facts_setting(const Facts *facts, const char *name, int64_t otherwise)
{
    const char *text = facts_setting_text(facts, name);
    char *end = NULL;
    if (text == NULL || *text == '\0')
        return otherwise;
    long long value = strtoll(text, &end, 10);
    return *end == '\0' ? value : otherwise;
}
