/* Rows: which of a row's values are bound by keys and references, and the statements. */
#include "rehearse/fill_parts.h"

#include <math.h>
#include <string.h>

enum { REFERENCE_DEPTH = 8 };
static const double SORTED_FROM = 0.9;       /* |correlation| */
static const long long SHUFFLE = 2654435761; /* a prime greater than any table has rows */

Fill *fill_new(Arena *arena, const Facts *facts, const FactTable *main, int64_t row_count,
               const json_t *words)
{
    Fill *fill = arena_alloc(arena, sizeof *fill);
    bool my = str_eq(facts->engine, "mysql") || str_eq(facts->engine, "mariadb");
    *fill = (Fill){.arena = arena,
                   .dialect = my ? &fill_dialect_my : &fill_dialect_pg,
                   .facts = facts,
                   .share = main->rows > 0 ? (double)row_count / (double)main->rows : 1,
                   .words = words,
                   .mask = mask_new(arena, 0x5eed)};
    return fill;
}

int64_t fill_row_count(const Fill *fill, const FactTable *table)
{
    double count = round((double)table->rows * fill->share);
    return table->rows == 0 ? 0 : count < 1 ? 1 : (int64_t)count;
}

/* ---- which tables --------------------------------------------------------------------------- */

typedef VEC(const FactTable *) TableList;

static bool list_has(const TableList *list, const FactTable *table)
{
    for (size_t i = 0; i < list->len; i++)
        if (list->items[i] == table)
            return true;
    return false;
}

static bool refers_to(const FactTable *table, const FactTable *other)
{
    for (size_t i = 0; i < table->reference_count; i++)
        if (str_eq(table->references[i].name, other->name) &&
            str_eq(table->references[i].schema, other->schema))
            return true;
    return false;
}

void fill_tables(Arena *arena, const Facts *facts, const FactTable *const *mains, size_t main_count,
                 const FactTable *const **ret_tables, size_t *ret_count)
{
    TableList all = {0}, sorted = {0};
    for (size_t i = 0; i < main_count; i++)
        *vec_push(arena, &all) = mains[i];
    for (size_t i = 0; i < facts->table_count; i++)
        for (size_t j = 0; j < main_count; j++)
            if (!list_has(&all, &facts->tables[i]) && refers_to(&facts->tables[i], mains[j]))
                *vec_push(arena, &all) = &facts->tables[i];
    for (size_t at = 0; at < all.len; at++)
        for (size_t i = 0; i < facts->table_count; i++)
            if (!list_has(&all, &facts->tables[i]) && refers_to(all.items[at], &facts->tables[i]))
                *vec_push(arena, &all) = &facts->tables[i];
    /* Whoever refers to nothing that is left comes next; where they go round in a circle, the first. */
    while (sorted.len < all.len) {
        const FactTable *next = NULL;
        for (size_t i = 0; i < all.len && next == NULL; i++) {
            bool waits = list_has(&sorted, all.items[i]);
            for (size_t j = 0; j < all.len && !waits; j++)
                waits = i != j && !list_has(&sorted, all.items[j]) && refers_to(all.items[i], all.items[j]);
            next = waits ? NULL : all.items[i];
        }
        for (size_t i = 0; i < all.len && next == NULL; i++)
            next = list_has(&sorted, all.items[i]) ? NULL : all.items[i];
        *vec_push(arena, &sorted) = next;
    }
    *ret_tables = sorted.items;
    *ret_count = sorted.len;
}

/* ---- keys ----------------------------------------------------------------------------------- */

static bool index_is_key(const FactIndex *index)
{
    bool key = index->unique && index->whole && index->column_count > 0;
    for (size_t i = 0; i < index->column_count; i++)
        key = key && index->columns[i] != NULL;
    return key;
}

static bool is_alone_unique(const FactTable *table, const FactColumn *column)
{
    for (size_t i = 0; i < table->index_count; i++)
        if (index_is_key(&table->indexes[i]) && table->indexes[i].column_count == 1 &&
            str_eq(table->indexes[i].columns[0], column->name))
            return true;
    return false;
}

static bool is_sorted(const FactColumn *column)
{
    return !column->known || fabs(column->correlation) >= SORTED_FROM;
}

double fill_distinct(const Fill *fill, const FactTable *table, const FactColumn *column)
{
    double rows = (double)(table->rows > 0 ? table->rows : 1), now = (double)fill_row_count(fill, table);
    double whole = column->distinct < 0 ? -column->distinct * rows : column->distinct;
    if (!column->known || whole < 1)
        return now;
    /* As many rows a value as at the full size, up to fifty: then indexes grow in step with the rows. */
    double each = fmin(rows / whole, 50);
    return fmax(1, fmin(whole, now / each));
}

/* The first key of several columns that it is in, where none of them is unique alone. */
static const FactIndex *shared_key(const FactTable *table, const FactColumn *column)
{
    for (size_t i = 0; i < table->index_count; i++) {
        const FactIndex *index = &table->indexes[i];
        bool has = false, alone = !index_is_key(index) || index->column_count < 2;
        for (size_t j = 0; j < index->column_count && !alone; j++) {
            const FactColumn *other = fact_column(table, index->columns[j]);
            has = has || other == column;
            alone = other == NULL || is_alone_unique(table, other);
        }
        if (has && !alone)
            return index;
    }
    return NULL;
}

FillKey fill_key_of(const Fill *fill, const FactTable *table, const FactColumn *column)
{
    size_t place = 0;
    bool refers = fill_reference_of(table, column, &place) != NULL;
    bool like_a_key = column->known && column->distinct <= -0.9999 && column->null_fraction == 0 && !refers &&
                      column->kind != FACT_LABEL;
    const FactIndex *index = shared_key(table, column);
    if (is_alone_unique(table, column) || (like_a_key && index == NULL))
        return (FillKey){.in_key = true, .whole = true, .sorted = is_sorted(column)};
    if (index == NULL)
        return (FillKey){0};
    const FactColumn *first = fact_column(table, index->columns[0]);
    for (size_t i = 1; i < index->column_count; i++) {
        const FactColumn *other = fact_column(table, index->columns[i]);
        if (fill_distinct(fill, table, other) > fill_distinct(fill, table, first))
            first = other;
    }
    int at = column == first ? 0 : 1;
    for (size_t i = 0; i < index->column_count && column != first; i++)
        if (str_eq(index->columns[i], column->name))
            break;
        else
            at += !str_eq(index->columns[i], first->name);
    return (FillKey){.in_key = true,
                     .sorted = is_sorted(first),
                     .place = at,
                     .width = (int64_t)fill_distinct(fill, table, first)};
}

const FactReference *fill_reference_of(const FactTable *table, const FactColumn *column, size_t *ret_place)
{
    for (size_t i = 0; i < table->reference_count; i++)
        for (size_t j = 0; j < table->references[i].count; j++)
            if (str_eq(table->references[i].columns[j], column->name)) {
                *ret_place = j;
                return &table->references[i];
            }
    return NULL;
}

bool fill_is_bound(const FactTable *table, const FactColumn *column)
{
    size_t place = 0;
    return column->generated || column->identity || is_alone_unique(table, column) ||
           shared_key(table, column) != NULL || fill_reference_of(table, column, &place) != NULL;
}

/* ---- levels --------------------------------------------------------------------------------- */

/* The level of a row in its table: rows that come later than all others have one of their own as well. */
static const char *level_of_row(const Fill *fill, const FactTable *table, const FillKey *key,
                                const FactColumn *column, const char *row)
{
    long long rows = (long long)fill_row_count(fill, table);
    if (key->sorted && column->known && column->correlation < 0 && key->whole)
        return arena_printf(fill->arena, "CASE WHEN %s < %lld THEN %lld - %s ELSE %s END", row, rows,
                            rows - 1, row, row);
    if (key->sorted)
        return row;
    return arena_printf(fill->arena, "CASE WHEN %s < %lld THEN %s * %lld %% %lld ELSE %s END", row, rows, row,
                        SHUFFLE, rows, row);
}

/* The column's own level of one of the whole key: the first column takes turns (or stays for a while, where
 * rows lie sorted by it), the next one counts the rounds. */
static const char *level_in_key(const Fill *fill, const FactTable *table, const FillKey *key,
                                const char *level)
{
    if (key->whole)
        return level;
    long long rows = (long long)fill_row_count(fill, table),
              width = key->width < 1 ? 1 : (long long)key->width;
    long long rounds = (rows + width - 1) / width;
    rounds = rounds < 1 ? 1 : rounds;
    if (key->place > 1)
        return "0";
    const char *divide = fill->dialect->divide;
    const char *of_new =
        key->place == 0
            ? arena_printf(fill->arena, "((%s) - %lld) %% %lld", level, rows, width)
            : arena_printf(fill->arena, "%lld + ((%s) - %lld) %s %lld", rounds, level, rows, divide, width);
    const char *of_old =
        key->sorted ? arena_printf(fill->arena, "(%s) %s %lld", level, key->place == 0 ? divide : "%", rounds)
                    : arena_printf(fill->arena, "(%s) %s %lld", level, key->place == 0 ? "%" : divide, width);
    return arena_printf(fill->arena, "CASE WHEN (%s) < %lld THEN %s ELSE %s END", level, rows, of_old,
                        of_new);
}

/* A column's value in the row with this level of the key that it is in, followed through the references. */
static const char *value_at(const Fill *fill, const FactTable *table, const FactColumn *column,
                            const char *level, int depth)
{
    size_t place = 0;
    FillKey key = fill_key_of(fill, table, column);
    const FactReference *reference = fill_reference_of(table, column, &place);
    const FactTable *other =
        reference == NULL ? NULL : facts_find(fill->facts, reference->schema, reference->name);
    const char *own = key.in_key ? level_in_key(fill, table, &key, level) : level;
    if (other == NULL || depth == 0 || (other == table && key.whole))
        return fill_level_value(fill, table, column, own);
    long long rows = (long long)fill_row_count(fill, other);
    const FactColumn *target = fact_column(other, reference->keys[place]);
    if (target == NULL || rows == 0)
        return NULL;
    return value_at(fill, other, target, arena_printf(fill->arena, "((%s) %% %lld)", own, rows), depth - 1);
}

/* ---- values of a row ------------------------------------------------------------------------ */

/* The server orders equal values by their place, so that few different ones seem to follow it: that part is
 * taken off.
 */
static double true_correlation(const FactColumn *column)
{
    double ties = 0;
    for (size_t i = 0; i < column->common_count; i++)
        ties += column->frequencies[i] * column->frequencies[i];
    ties = fmin(ties, 0.999);
    double size = fmax(0, (fabs(column->correlation) - ties) / (1 - ties));
    return copysign(fmin(size, 1), column->correlation);
}

/* In [0, 1), following the row's place as far as the source's values do. */
static const char *position(const Fill *fill, const FactTable *table, const FactColumn *column,
                            const char *row)
{
    double correlation = column->known ? true_correlation(column) : 0;
    const char *even = fill_chance(fill, table, column, row, 1);
    if (fabs(correlation) < 0.02)
        return even;
    double rows = (double)fill_row_count(fill, table);
    const char *place = arena_printf(fill->arena, "least((%s + 0.5%s) / %.1f%s, 0.9999999%s)", row,
                                     fill->dialect->real, rows, fill->dialect->real, fill->dialect->real);
    if (correlation < 0)
        place = arena_printf(fill->arena, "1 - %s", place);
    if (fabs(correlation) > 0.985)
        return place;
    return arena_printf(fill->arena, "CASE WHEN %s < %.4f THEN %s ELSE %s END",
                        fill_chance(fill, table, column, row, 2), fabs(correlation), place, even);
}

/* A level of the table at the other end: common ones as often as they are common, the others spread evenly.
 */
static const char *drawn_level(const Fill *fill, const FactTable *table, const FactColumn *column,
                               const FactTable *other, const char *row)
{
    long long rows = (long long)fill_row_count(fill, other);
    double distinct = fmin(fill_distinct(fill, table, column), (double)rows), common = 0;
    CLEANUP(str_donep) Str sums = STR_INIT;
    for (size_t i = 0; i < column->common_count; i++) {
        common += column->frequencies[i];
        str_addf(&sums, "%s%.6f", i == 0 ? "" : ",", common);
    }
    const FillDialect *dialect = fill->dialect;
    const char *place = arena_printf(fill->arena, "floor((%s) * %.0f) * %.6f",
                                     position(fill, table, column, row), distinct, (double)rows / distinct);
    const char *rest = dialect->whole(fill->arena, place);
    if (column->common_count == 0)
        return rest;
    const char *chance = fill_chance(fill, table, column, row, 3);
    return arena_printf(fill->arena, "CASE WHEN %s < %.6f THEN %s * %lld %% %lld ELSE %s END", chance, common,
                        dialect->bucket(fill->arena, chance, sums.buf), SHUFFLE, rows, rest);
}

const char *fill_value(const Fill *fill, const FactTable *table, const FactColumn *column, const char *row)
{
    size_t place = 0;
    FillKey key = fill_key_of(fill, table, column);
    const FactReference *reference = fill_reference_of(table, column, &place);
    const char *value = NULL;
    if (key.in_key) {
        value = value_at(fill, table, column, level_of_row(fill, table, &key, column, row), REFERENCE_DEPTH);
    } else if (reference != NULL) {
        const FactTable *other = facts_find(fill->facts, reference->schema, reference->name);
        const FactColumn *target = other == NULL ? NULL : fact_column(other, reference->keys[place]);
        const FactColumn *first = fact_column(table, reference->columns[0]);
        if (target == NULL || first == NULL || fill_row_count(fill, other) == 0)
            return NULL;
        value = value_at(fill, other, target, drawn_level(fill, table, first, other, row), REFERENCE_DEPTH);
        column = first; /* all of a reference is NULL, or none */
    } else {
        value = fill_draw(fill, table, column, position(fill, table, column, row));
    }
    if (value == NULL || column->null_fraction <= 0 || column->not_null)
        return value;
    return arena_printf(fill->arena, "CASE WHEN %s >= %.6f THEN %s END",
                        fill_chance(fill, table, column, row, 4), column->null_fraction, value);
}

/* ---- statements ----------------------------------------------------------------------------- */

int64_t fill_chunk_rows(const Fill *fill) { return fill->dialect->chunk_rows; }

const char *fill_table_name(const Fill *fill, const FactTable *table)
{
    return fill->dialect->name(fill->arena, fill->dialect->schemas ? table->schema : NULL, table->name);
}

const char *fill_ident(const Fill *fill, const char *name) { return fill->dialect->ident(fill->arena, name); }

const char *fill_param(const Fill *fill, int number) { return fill->dialect->param(fill->arena, number); }

const char *fill_cast(const Fill *fill, const FactColumn *column, const char *value)
{
    return fill->dialect->cast(fill->arena, value, column);
}

static Err *insert_parts(const Fill *fill, const FactTable *table, const char *row, Str *columns, Str *values)
{
    for (size_t i = 0; i < table->column_count; i++) {
        const FactColumn *column = &table->columns[i];
        const char *value = column->generated ? NULL : fill_value(fill, table, column, row);
        if (value == NULL && column->not_null && !column->generated)
            return err_hint(err_new(ERR_UNSAFE,
                                    "no values can be made for column \"%s\" of \"%s.%s\", whose type is %s",
                                    column->name, table->schema, table->name, column->type),
                            "rehearse on a copy with real rows");
        if (value == NULL)
            continue;
        str_sep(columns, ", ");
        str_add(columns, fill_ident(fill, column->name));
        str_sep(values, ", ");
        str_add(values, fill_cast(fill, column, value));
    }
    return NULL;
}

Err *fill_insert(const Fill *fill, const FactTable *table, const char *into, int64_t low, int64_t high,
                 const char **ret_sql)
{
    Str columns CLEANUP(str_donep) = STR_INIT, values CLEANUP(str_donep) = STR_INIT;
    TRY(insert_parts(fill, table, "i", &columns, &values));
    *ret_sql = fill->dialect->insert(fill->arena, into != NULL ? into : fill_table_name(fill, table),
                                     columns.buf, values.buf, fill->dialect->series(fill->arena, low, high));
    return NULL;
}

Err *fill_insert_one(const Fill *fill, const FactTable *table, const char *row, const char **ret_sql)
{
    Str columns CLEANUP(str_donep) = STR_INIT, values CLEANUP(str_donep) = STR_INIT;
    TRY(insert_parts(fill, table, row, &columns, &values));
    *ret_sql =
        fill->dialect->insert(fill->arena, fill_table_name(fill, table), columns.buf, values.buf, NULL);
    return NULL;
}

static const FactIndex *best_key(const FactTable *table)
{
    const FactIndex *best = NULL;
    for (size_t i = 0; i < table->index_count; i++)
        if (index_is_key(&table->indexes[i]) && (best == NULL || table->indexes[i].primary))
            best = &table->indexes[i];
    return best;
}

const char *fill_key_filter(const Fill *fill, const FactTable *table, const char *level)
{
    const FactIndex *key = best_key(table);
    CLEANUP(str_donep) Str text = STR_INIT;
    for (size_t i = 0; key != NULL && i < key->column_count; i++) {
        const FactColumn *column = fact_column(table, key->columns[i]);
        const char *value = column == NULL ? NULL : value_at(fill, table, column, level, REFERENCE_DEPTH);
        if (value == NULL)
            return NULL;
        str_sep(&text, " AND ");
        str_addf(&text, "%s = %s", fill_ident(fill, column->name), fill_cast(fill, column, value));
    }
    return key == NULL ? NULL : arena_dup(fill->arena, text.buf);
}
