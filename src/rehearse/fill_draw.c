/* Values out of distributions: one sorted axis of common values and equal buckets, turned round. */
#include "rehearse/fill_parts.h"

#include "rehearse/hash.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A part of the axis: a single value, or a bucket of width. */
typedef struct Piece {
    double low, width, mass;
} Piece;

char *fill_chance(const Fill *fill, const FactTable *table, const FactColumn *column, const char *row,
                  int use)
{
    uint64_t seed = hash_text(table->name, hash_text(column->name, (uint64_t)use));
    return fill->dialect->chance(fill, row, (int64_t)(seed >> 2));
}

/* ---- numbers and times ---------------------------------------------------------------------- */

static bool is_whole(const FactColumn *column)
{
    bool whole = true;
    for (size_t i = 0; i < column->bound_count; i++)
        whole = whole && column->bounds[i] == floor(column->bounds[i]);
    for (size_t i = 0; column->numbers != NULL && i < column->common_count; i++)
        whole = whole && column->numbers[i] == floor(column->numbers[i]);
    return whole;
}

static bool is_integer(const FactColumn *column)
{
    static const char *const types[] = {"int2",     "int4",      "int8", "oid",    "tinyint",
                                        "smallint", "mediumint", "int",  "bigint", "year"};
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (str_eq(types[i], column->base))
            return true;
    return false;
}

static const char *typed(const Fill *fill, const FactColumn *column, const char *x)
{
    return is_integer(column) ? fill->dialect->whole(fill->arena, x)
                              : fill->dialect->typed(fill->arena, column, x, is_whole(column));
}

static double axis_low(const FactColumn *column)
{
    double low = column->bound_count > 0    ? column->bounds[0]
                 : column->common_count > 0 ? column->numbers[0]
                                            : 1;
    for (size_t i = 0; column->numbers != NULL && i < column->common_count; i++)
        low = fmin(low, column->numbers[i]);
    return low;
}

static double axis_high(const FactColumn *column)
{
    double high = column->bound_count > 0 ? column->bounds[column->bound_count - 1] : axis_low(column);
    for (size_t i = 0; column->numbers != NULL && i < column->common_count; i++)
        high = fmax(high, column->numbers[i]);
    return high;
}

static const char *number_of_level(const Fill *fill, const FactTable *table, const FactColumn *column,
                                   const char *level)
{
    double low = axis_low(column), rows = (double)(table->rows > 1 ? table->rows : 1);
    double step = (axis_high(column) - low) / rows;
    bool days = str_eq(column->base, "date");
    if (days)
        step = fmax(86400, floor(step / 86400) * 86400);
    else if (is_integer(column) || is_whole(column))
        step = fmax(1, floor(step));
    else
        step = step > 0 ? step : 0.01;
    if (is_integer(column) && fabs(low) < 9e18)
        return arena_printf(fill->arena, "%.0f + (%s) * %.0f", low, level, step);
    return typed(fill, column, arena_printf(fill->arena, "(%.17g + (%s) * %.17g)", low, level, step));
}

static int piece_compare(const void *left, const void *right)
{
    const Piece *a = left, *b = right;
    return (a->low > b->low) - (a->low < b->low);
}

static Piece *pieces_of(Arena *arena, const FactColumn *column, size_t *ret_count)
{
    size_t buckets = column->bound_count > 1 ? column->bound_count - 1 : 0, count = 0;
    double common = 0;
    Piece *pieces = arena_alloc(arena, (buckets + column->common_count + 1) * sizeof *pieces);
    double full = 1 - column->null_fraction > 0 ? 1 - column->null_fraction : 1;
    for (size_t i = 0; i < column->common_count; i++) {
        pieces[count++] = (Piece){.low = column->numbers[i], .mass = column->frequencies[i] / full};
        common += column->frequencies[i] / full;
    }
    for (size_t i = 0; i < buckets; i++)
        pieces[count++] = (Piece){.low = column->bounds[i],
                                  .width = column->bounds[i + 1] - column->bounds[i],
                                  .mass = fmax(0, 1 - common) / (double)buckets};
    qsort(pieces, count, sizeof *pieces, piece_compare);
    *ret_count = count;
    return pieces;
}

static void add_list(Str *str, double value) { str_addf(str, "%s%.17g", str->len > 0 ? "," : "", value); }

static const char *number_draw(const Fill *fill, const FactTable *table, const FactColumn *column,
                               const char *u)
{
    size_t count = 0;
    Piece *pieces = pieces_of(fill->arena, column, &count);
    if (count == 0)
        return typed(
            fill, column,
            arena_printf(fill->arena, "(1 + floor((%s) * %.0f))", u, fill_distinct(fill, table, column)));
    Str tops CLEANUP(str_donep) = STR_INIT, lows CLEANUP(str_donep) = STR_INIT,
             slopes CLEANUP(str_donep) = STR_INIT, begins CLEANUP(str_donep) = STR_INIT;
    double top = 0;
    for (size_t i = 0; i < count; i++) {
        double mass = fmax(pieces[i].mass, 1e-12);
        add_list(&begins, top);
        top += mass;
        if (i + 1 < count)
            add_list(&tops, top);
        add_list(&lows, pieces[i].low);
        add_list(&slopes, pieces[i].width / mass);
    }
    /* The place in a bucket goes in steps, so that there are as many different values as there were. */
    double rest = fmax(1, fill_distinct(fill, table, column) - (double)column->common_count);
    double common = 0;
    for (size_t i = 0; i < column->common_count; i++)
        common += column->frequencies[i];
    double steps = rest / fmax(0.001, 1 - common);
    const FillDialect *dialect = fill->dialect;
    Arena *arena = fill->arena;
    const char *k = count == 1 ? "1" : arena_printf(arena, "(1 + %s)", dialect->bucket(arena, u, tops.buf));
    const char *stepped =
        arena_printf(arena, "((floor((%s) * %.1f) + 0.5%s) / %.1f)", u, steps, dialect->real, steps);
    return typed(fill, column,
                 arena_printf(arena, "(%s + %s * greatest(%s - %s, 0))",
                              dialect->number_at(arena, lows.buf, k),
                              dialect->number_at(arena, slopes.buf, k), stepped,
                              dialect->number_at(arena, begins.buf, k)));
}

/* ---- labels and texts ----------------------------------------------------------------------- */

static size_t label_place(const FactColumn *column, const char *text)
{
    for (size_t i = 0; i < column->label_count; i++)
        if (str_eq(column->labels[i], text))
            return i;
    return column->label_count;
}

static const char *bool_draw(const Fill *fill, const FactColumn *column, const char *u)
{
    double yes = 0.5, all = 0;
    for (size_t i = 0; i < column->common_count; i++) {
        bool is_true = column->texts[i][0] == 't';
        all += column->frequencies[i];
        yes = is_true ? column->frequencies[i] : i == 0 ? 0 : yes;
    }
    return arena_printf(fill->arena, "((%s) >= %.6f)", u, 1 - (all > 0 ? yes / all : yes));
}

/* In the order of the enum, so that the order of rows follows it. */
static const char *label_draw(const Fill *fill, const FactColumn *column, const char *u)
{
    if (str_eq(column->base, "bool"))
        return bool_draw(fill, column, u);
    Str tops CLEANUP(str_donep) = STR_INIT, labels CLEANUP(str_donep) = STR_INIT;
    double top = 0, all = 0;
    for (size_t i = 0; i < column->common_count; i++)
        all += column->frequencies[i];
    for (size_t at = 0; at < column->label_count; at++) {
        double mass = column->common_count == 0 ? 1.0 / (double)column->label_count : 0;
        for (size_t i = 0; i < column->common_count; i++)
            if (label_place(column, column->texts[i]) == at)
                mass = column->frequencies[i] / all;
        if (mass <= 0)
            continue;
        if (labels.len > 0)
            add_list(&tops, top);
        str_sep(&labels, ", ");
        str_add(&labels, fill->dialect->literal(fill->arena, column->labels[at]));
        top += mass;
    }
    if (labels.len == 0)
        return NULL;
    if (tops.len == 0)
        return labels.buf[0] == '\0' ? NULL : arena_dup(fill->arena, labels.buf);
    return fill->dialect->text_at(
        fill->arena, labels.buf,
        arena_printf(fill->arena, "1 + %s", fill->dialect->bucket(fill->arena, u, tops.buf)));
}

/* What a common text becomes. */
static const char *common_text(const Fill *fill, const char *text)
{
    return json_object_get(fill->words, text) != NULL ? text : mask_text(fill->mask, text);
}

static int order_compare(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static double frequency_of(const FactColumn *column, const char *text)
{
    for (size_t i = 0; i < column->common_count; i++)
        if (column->texts[i] == text)
            return column->frequencies[i];
    return 0;
}

static const char *text_draw(const Fill *fill, const FactTable *table, const FactColumn *column,
                             const char *u)
{
    size_t count = column->common_count;
    double full = 1 - column->null_fraction > 0 ? 1 - column->null_fraction : 1, common = 0;
    double rest = fmax(1, fill_distinct(fill, table, column) - (double)count);
    Str tops CLEANUP(str_donep) = STR_INIT, texts CLEANUP(str_donep) = STR_INIT;
    const FillDialect *dialect = fill->dialect;
    const char **sorted = arena_alloc(fill->arena, (count + 1) * sizeof *sorted);
    for (size_t i = 0; i < count; i++)
        sorted[i] = column->texts[i];
    if (count > 0)
        qsort(sorted, count, sizeof *sorted, order_compare);
    for (size_t i = 0; i < count; i++) {
        common += frequency_of(column, sorted[i]) / full;
        add_list(&tops, common);
        str_sep(&texts, ", ");
        str_add(&texts, dialect->literal(fill->arena, common_text(fill, sorted[i])));
    }
    bool all_common = common > 0.999 || (column->known && column->distinct > 0 &&
                                         column->distinct <= (double)count && count > 0);
    const char *rests = common == 0 ? u
                                    : arena_printf(fill->arena, "greatest((%s) - %.6f, 0) / %.6f", u, common,
                                                   fmax(1e-6, 1 - common));
    const char *level = dialect->whole(fill->arena, arena_printf(fill->arena, "(%s) * %.0f", rests, rest));
    const char *token = fill_token(fill, table, column, level, fill_digits(rest), false);
    if (count == 0)
        return token;
    const char *known = dialect->text_at(
        fill->arena, texts.buf,
        arena_printf(fill->arena, "least(1 + %s, %zu)", dialect->bucket(fill->arena, u, tops.buf), count));
    return all_common ? known
                      : arena_printf(fill->arena, "CASE WHEN (%s) < %.6f THEN %s ELSE %s END", u, common,
                                     known, token);
}

/* ---- by kind -------------------------------------------------------------------------------- */

const char *fill_draw(const Fill *fill, const FactTable *table, const FactColumn *column, const char *u)
{
    double distinct = fill_distinct(fill, table, column);
    switch (column->kind) {
    case FACT_NUMBER:
    case FACT_TIME:
    case FACT_SPAN:
        return number_draw(fill, table, column, u);
    case FACT_LABEL:
        return label_draw(fill, column, u);
    case FACT_TEXT:
        return text_draw(fill, table, column, u);
    case FACT_OTHER:
        break;
    }
    const char *level =
        fill->dialect->whole(fill->arena, arena_printf(fill->arena, "(%s) * %.0f", u, distinct));
    return fill->dialect->other(fill, table, column, level, fill_digits(distinct), false);
}

const char *fill_level_value(const Fill *fill, const FactTable *table, const FactColumn *column,
                             const char *level)
{
    int digits = fill_digits((double)fill_row_count(fill, table) * 2);
    switch (column->kind) {
    case FACT_NUMBER:
    case FACT_TIME:
    case FACT_SPAN:
        return number_of_level(fill, table, column, level);
    case FACT_LABEL:
        if (column->label_count == 0)
            return arena_printf(fill->arena, "((%s) %% 2 = 1)", level);
        return label_draw(fill, column,
                          arena_printf(fill->arena, "(((%s) %% %zu) + 0.5%s) / %zu", level,
                                       column->label_count, fill->dialect->real, column->label_count));
    case FACT_TEXT:
        return fill_token(fill, table, column, level, digits, true);
    case FACT_OTHER:
        break;
    }
    return fill->dialect->other(fill, table, column, level, digits, true);
}
