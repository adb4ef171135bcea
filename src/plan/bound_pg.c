/* What the bounds of a partition say of its rows, as SQL. */
#include "plan/maker.h"

static bool is_unbounded(const char *datum) { return str_eq(datum, "MINVALUE") || str_eq(datum, "MAXVALUE"); }

/* The value as the server keeps it: of the key column's type. */
static const char *value_sql(const Bounds *bounds, size_t column, const char *datum)
{
    return arena_printf(bounds->arena, "(%s)::%s", datum,
                        table_column(bounds->parent, bounds->parent->key_columns[column])->type);
}

static const char *compare_sql(const Bounds *bounds, size_t column, const char *operator_sql,
                               const char *datum)
{
    return arena_printf(bounds->arena, "%s %s %s",
                        sql_ident(bounds->arena, bounds->parent->key_columns[column]), operator_sql,
                        value_sql(bounds, column, datum));
}

/* One side of a range over several columns, from number `first` on, in the form of get_qual_for_range()
 * (partbounds.c): (a > 1) OR ((a = 1) AND (b >= 2)). NULL where it is unbounded. */
static const char *side_sql(const Bounds *bounds, size_t first, bool upper)
{
    const char *const *datums = upper ? bounds->spec->upper : bounds->spec->lower;
    size_t count = bounds->spec->bound_count, arms = 0;
    Str out CLEANUP(str_donep) = STR_INIT;
    for (size_t last = first; last < count && !is_unbounded(datums[last]); last++) {
        bool open = last + 1 < count && is_unbounded(datums[last + 1]);
        bool whole = upper ? open && str_eq(datums[last + 1], "MAXVALUE")
                           : last + 1 == count || (open && str_eq(datums[last + 1], "MINVALUE"));
        Str arm CLEANUP(str_donep) = STR_INIT;
        for (size_t i = first; i < last; i++)
            str_addf(&arm, "(%s) AND ", compare_sql(bounds, i, "=", datums[i]));
        str_addf(
            &arm, "(%s)",
            compare_sql(bounds, last, upper ? (whole ? "<=" : "<") : (whole ? ">=" : ">"), datums[last]));
        str_sep(&out, " OR ");
        str_addf(&out, last > first ? "(%s)" : "%s", arm.buf);
        arms++;
        if (open)
            break;
    }
    if (arms == 0)
        return NULL;
    return arena_printf(bounds->arena, arms > 1 ? "(%s)" : "%s", out.buf);
}

static const char *range_sql(const Bounds *bounds)
{
    const PartitionSpec *spec = bounds->spec;
    Str out CLEANUP(str_donep) = STR_INIT;
    size_t first = 0;
    for (size_t i = 0; i < spec->bound_count; i++) {
        str_sep(&out, " AND ");
        str_addf(&out, "(%s IS NOT NULL)", sql_ident(bounds->arena, bounds->parent->key_columns[i]));
    }
    while (first + 1 < spec->bound_count && !is_unbounded(spec->lower[first]) &&
           str_eq(spec->lower[first], spec->upper[first])) {
        str_addf(&out, " AND (%s)", compare_sql(bounds, first, "=", spec->lower[first]));
        first++;
    }
    const char *sides[] = {side_sql(bounds, first, false), side_sql(bounds, first, true)};
    for (size_t i = 0; i < ARRAY_LEN(sides); i++)
        if (sides[i] != NULL)
            str_addf(&out, " AND %s", sides[i]);
    return arena_dup(bounds->arena, out.buf);
}

static const char *list_sql(const Bounds *bounds)
{
    Arena *arena = bounds->arena;
    const PartitionSpec *spec = bounds->spec;
    const char *key = sql_ident(arena, bounds->parent->key_columns[0]);
    Str values CLEANUP(str_donep) = STR_INIT;
    size_t count = 0;
    for (size_t i = 0; i < spec->value_count; i++) {
        if (str_eq(spec->values[i], "NULL"))
            continue;
        str_sep(&values, ", ");
        str_add(&values, value_sql(bounds, 0, spec->values[i]));
        count++;
    }
    bool null = count < spec->value_count;
    if (count == 0)
        return arena_printf(arena, "%s IS NULL", key);
    const char *among = count == 1 ? arena_printf(arena, "%s = %s", key, values.buf)
                                   : arena_printf(arena, "%s = ANY (ARRAY[%s])", key, values.buf);
    return arena_printf(arena, null ? "(%s IS NULL) OR (%s)" : "(%s IS NOT NULL) AND (%s)", key, among);
}

static const char *hash_sql(const Bounds *bounds)
{
    const Table *parent = bounds->parent;
    return arena_printf(bounds->arena,
                        "pg_catalog.satisfies_hash_partition('%lld'::pg_catalog.oid, %d, %d, %s)",
                        (long long)parent->id, bounds->spec->modulus, bounds->spec->remainder,
                        sql_ident_list(bounds->arena, parent->key_columns, parent->key_column_count));
}

static const char *key_strategy(const Table *parent)
{
    static const char *const words[] = {"RANGE", "LIST", "HASH"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (parent->partition_key != NULL && str_starts(parent->partition_key, words[i]))
            return words[i];
    return "";
}

Err *bounds_check(const Bounds *bounds)
{
    const Table *parent = bounds->parent;
    const PartitionSpec *spec = bounds->spec;
    const char *strategy = key_strategy(parent);
    char letter = (char)(strategy[0] == 'R' ? 'r' : strategy[0] == 'L' ? 'l' : 'h');
    size_t count = spec->strategy == 'r' ? spec->bound_count : parent->key_column_count;
    if (spec->strategy != letter || count != parent->key_column_count)
        return err_new(ERR_USAGE, "\"%s.%s\" is partitioned by %s, which %s does not fit", parent->schema,
                       parent->name, parent->partition_key, spec->bound_sql);
    for (size_t i = 0; i < parent->key_column_count; i++)
        if (parent->key_columns[i] == NULL || table_column(parent, parent->key_columns[i]) == NULL)
            return err_hint(
                err_new(ERR_UNSAFE,
                        "\"%s.%s\" is partitioned by %s: which rows belong to an expression's bounds only "
                        "the server says, and it would read them under a strong lock",
                        parent->schema, parent->name, parent->partition_key),
                "attach an empty table");
    return NULL;
}

const char *bounds_sql(const Bounds *bounds)
{
    switch (bounds->spec->strategy) {
    case 'r':
        return range_sql(bounds);
    case 'l':
        return list_sql(bounds);
    default:
        return hash_sql(bounds);
    }
}
