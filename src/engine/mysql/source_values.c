/* Distributions out of a sample, in the form in which PostgreSQL's planner keeps them. */
#include "engine/mysql/source.h"

#include "base/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COMMON_MOST = 100, BUCKETS = 100 };
static const double COMMON_TIMES = 1.25, MANY_SHARE = 0.1;

typedef struct Placed {
    const Sampled *value;
    size_t at; /* in the order of the rows */
} Placed;

typedef struct Run { /* of equal values */
    size_t first, len;
} Run;

static int value_compare(const Sampled *a, const Sampled *b)
{
    if (a->text != NULL && b->text != NULL)
        return strcmp(a->text, b->text);
    return (a->number > b->number) - (a->number < b->number);
}

static int placed_compare(const void *left, const void *right)
{
    const Placed *a = left, *b = right;
    int order = value_compare(a->value, b->value);
    return order != 0 ? order : (a->at > b->at) - (a->at < b->at);
}

static int run_compare(const void *left, const void *right)
{
    const Run *a = left, *b = right;
    return a->len != b->len ? (a->len < b->len) - (a->len > b->len)
                            : (a->first > b->first) - (a->first < b->first);
}

/* Of places in the value's order and in that of the rows; both go from 0 to n less one. */
static double correlation_of(const Placed *placed, size_t count, const size_t *rank)
{
    double n = (double)count, sum = 0;
    if (count < 2)
        return 1;
    for (size_t i = 0; i < count; i++)
        sum += (double)i * (double)rank[placed[i].at];
    double mean = (n - 1) / 2, spread = (n * n - 1) / 12;
    return (sum / n - mean * mean) / spread;
}

/* How many there are in the whole table: Duj1 of Haas and Stokes, as PostgreSQL has it. Below 0: a share. */
static double distinct_of(size_t runs, size_t once, size_t count, double rows)
{
    double n = (double)count, f1 = (double)once, d = (double)runs;
    if (runs == count)
        return -1;
    double most = fmax(rows, n);
    double estimate = once == 0 ? d : n * d / (n - f1 + f1 * n / most);
    estimate = fmin(fmax(estimate, d), most);
    return estimate > MANY_SHARE * most ? -estimate / most : floor(estimate + 0.5);
}

static void put_common(json_t *column, const Placed *placed, Run *runs, size_t run_count, size_t count,
                       double null_fraction, bool *taken)
{
    json_t *common = json_array(), *frequencies = json_array();
    double average = (double)count / (double)run_count;
    bool all = run_count <= COMMON_MOST && average >= 2;
    qsort(runs, run_count, sizeof *runs, run_compare);
    for (size_t i = 0; i < run_count && i < COMMON_MOST; i++) {
        if (!all && (runs[i].len < 2 || (double)runs[i].len < COMMON_TIMES * average))
            break;
        const Sampled *value = placed[runs[i].first].value;
        (void)json_array_append_new(common, value->text != NULL ? json_string(value->text)
                                                                : json_real(value->number));
        (void)json_array_append_new(frequencies,
                                    json_real((double)runs[i].len / (double)count * (1 - null_fraction)));
        for (size_t j = 0; j < runs[i].len; j++)
            taken[runs[i].first + j] = true;
    }
    json_object_set_new(column, "common", common);
    json_object_set_new(column, "frequencies", frequencies);
}

/* Of what is not common: ends of buckets with as many values each; of texts their lengths. */
static void put_bounds(json_t *column, const Placed *placed, size_t count, const bool *taken, bool texts,
                       Arena *arena)
{
    const Sampled **rest = arena_alloc(arena, (count + 1) * sizeof *rest);
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        if (!taken[i])
            rest[len++] = placed[i].value;
    json_t *list = json_array();
    size_t buckets = len > BUCKETS ? BUCKETS : len > 1 ? len - 1 : 0;
    for (size_t i = 0; i <= buckets && len > 1; i++) {
        const Sampled *value = rest[i * (len - 1) / buckets];
        (void)json_array_append_new(list, json_real(texts ? value->bytes : value->number));
    }
    json_object_set_new(column, texts ? "lengths" : "bounds", list);
}

static void put_known(Arena *arena, json_t *column, const Sampled *values, size_t count, size_t total,
                      double row_count)
{
    const char *kind = json_string_value(json_object_get(column, "kind"));
    bool texts = str_eq(kind, "text") || str_eq(kind, "other");
    double null_fraction = (double)(total - count) / (double)total;
    Placed *placed = arena_alloc(arena, (count + 1) * sizeof *placed);
    size_t *rank = arena_alloc(arena, (count + 1) * sizeof *rank);
    bool *taken = arena_alloc(arena, count + 1);
    Run *runs = arena_alloc(arena, (count + 1) * sizeof *runs);
    size_t run_count = 0, once = 0;
    for (size_t i = 0; i < count; i++) {
        placed[i] = (Placed){.value = &values[i], .at = i};
        rank[i] = i;
    }
    qsort(placed, count, sizeof *placed, placed_compare);
    for (size_t i = 0; i < count; i++) {
        bool more = i > 0 && value_compare(placed[i - 1].value, placed[i].value) == 0;
        if (more)
            runs[run_count - 1].len++;
        else
            runs[run_count++] = (Run){.first = i, .len = 1};
    }
    for (size_t i = 0; i < run_count; i++)
        once += runs[i].len == 1;
    double distinct = distinct_of(run_count, once, count, row_count * (1 - null_fraction));
    json_object_set_new(column, "distinct",
                        json_real(distinct < 0 ? distinct * (1 - null_fraction) : distinct));
    json_object_set_new(column, "correlation", json_real(correlation_of(placed, count, rank)));
    if (!str_eq(kind, "other"))
        put_common(column, placed, runs, run_count, count, null_fraction, taken);
    if (!str_eq(kind, "label"))
        put_bounds(column, placed, count, taken, texts, arena);
}

void my_put_values(Arena *arena, json_t *column, Sampled *values, size_t count, double row_count)
{
    size_t kept = 0;
    double bytes = 0;
    for (size_t i = 0; i < count; i++)
        if (!values[i].null) {
            bytes += values[i].bytes;
            values[kept++] = values[i];
        }
    if (count == 0)
        return;
    json_object_set_new(column, "null_fraction", json_real((double)(count - kept) / (double)count));
    json_object_set_new(column, "width", json_real(kept > 0 ? bytes / (double)kept : 0));
    if (kept > 0)
        put_known(arena, column, values, kept, count, row_count);
}
