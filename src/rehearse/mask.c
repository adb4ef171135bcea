/* Facts without the values of anybody. */
#include "rehearse/mask.h"

#include "base/str.h"
#include "rehearse/engine.h"
#include "rehearse/hash.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES = 200, BUCKETS = 1024 };

typedef struct Pair {
    const char *from, *to;
    struct Pair *next;    /* of the same bucket by `from` … */
    struct Pair *next_to; /* … and by `to` */
} Pair;

struct Mask {
    Arena *arena;
    uint64_t salt;
    Pair *by_from[BUCKETS], *by_to[BUCKETS];
};

Mask *mask_new(Arena *arena, uint64_t salt)
{
    Mask *mask = arena_alloc(arena, sizeof *mask);
    mask->arena = arena;
    mask->salt = salt;
    return mask;
}

Arena *mask_arena(const Mask *mask) { return mask->arena; }

static size_t bucket_of(const char *text) { return hash_text(text, 0) % BUCKETS; }

static bool is_taken(const Mask *mask, const char *to)
{
    const Pair *pair = mask->by_to[bucket_of(to)];
    while (pair != NULL && !str_eq(pair->to, to))
        pair = pair->next_to;
    return pair != NULL;
}

/* ---- text ----------------------------------------------------------------------------------- */

/* Letters for letters, digits for digits, the same number of bytes. */
static char *same_shape(Arena *arena, const char *text, uint64_t seed)
{
    char *out = arena_dup(arena, text);
    for (size_t i = 0; out[i] != '\0'; i++) {
        unsigned char byte = (unsigned char)out[i];
        uint64_t chance = hash_mix(seed + i);
        if (isdigit(byte))
            out[i] = (char)('0' + chance % 10);
        else if (isupper(byte))
            out[i] = (char)('A' + chance % 26);
        else if (isalpha(byte) || byte >= 0x80)
            out[i] = (char)('a' + chance % 26);
    }
    return out;
}

const char *mask_text(Mask *mask, const char *text)
{
    Pair **from = &mask->by_from[bucket_of(text)];
    for (const Pair *pair = *from; pair != NULL; pair = pair->next)
        if (str_eq(pair->from, text))
            return pair->to;
    char *out = NULL;
    for (uint64_t attempt = 0; attempt < TRIES; attempt++) {
        out = same_shape(mask->arena, text, hash_mix(hash_text(text, mask->salt) + attempt));
        if (!str_eq(out, text) && !is_taken(mask, out))
            break;
    }
    Pair **to = &mask->by_to[bucket_of(out)], *pair = arena_alloc(mask->arena, sizeof *pair);
    *pair = (Pair){.from = arena_dup(mask->arena, text), .to = out, .next = *from, .next_to = *to};
    *from = *to = pair;
    return out;
}

/* ---- numbers -------------------------------------------------------------------------------- */

static double two_digits(double value, bool whole)
{
    if (!(value > 0))
        return 0;
    double unit = pow(10, floor(log10(value)) - 1);
    double rounded = round(value / unit) * unit;
    return whole ? fmax(1, round(rounded)) : rounded;
}

/* Of the same size, so that numbers are as wide as they were. */
static double other_beginning(const Mask *mask, double value)
{
    double chance = 1 + (double)(hash_mix(mask->salt ^ (uint64_t)(int64_t)fmod(value, 9e15)) % 8);
    if (fabs(value) < 10)
        return value < 0 ? -1 : 1;
    return copysign(chance * pow(10, floor(log10(fabs(value)))), value);
}

static int double_compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Where `value` comes to stand when the old bounds become the new ones. */
static double moved(const double *from, const double *to, size_t count, double value)
{
    size_t at = 0;
    while (at + 2 < count && value >= from[at + 1])
        at++;
    if (count < 2)
        return count == 1 ? to[0] + (value - from[0]) : value;
    double width = from[at + 1] - from[at];
    return width > 0 ? to[at] + (value - from[at]) / width * (to[at + 1] - to[at]) : to[at];
}

void mask_axis(Mask *mask, double *bounds, size_t bound_count, double *values, size_t value_count)
{
    bool whole = true;
    size_t count = bound_count > 0 ? bound_count : value_count;
    double *old = arena_alloc(mask->arena, (count + 1) * sizeof *old);
    double *new = arena_alloc(mask->arena, (count + 1) * sizeof *new);
    for (size_t i = 0; i < count; i++)
        old[i] = bound_count > 0 ? bounds[i] : values[i];
    qsort(old, count, sizeof *old, double_compare);
    for (size_t i = 0; i < bound_count; i++)
        whole = whole && bounds[i] == floor(bounds[i]);
    for (size_t i = 0; i < value_count; i++)
        whole = whole && values[i] == floor(values[i]);
    for (size_t i = 0; i < count; i++)
        new[i] = i == 0 ? other_beginning(mask, old[0]) : new[i - 1] + two_digits(old[i] - old[i - 1], whole);
    double *taken = arena_alloc(mask->arena, (value_count + 1) * sizeof *taken);
    for (size_t i = 0; i < value_count; i++) {
        double value = moved(old, new, count, values[i]);
        value = whole ? round(value) : value;
        for (size_t j = 0; j < i; j++) /* another one has it: the next */
            if (taken[j] == value) {
                value += whole ? 1 : fabs(value) * 1e-9 + 1e-9;
                j = (size_t)-1;
            }
        taken[i] = value;
    }
    for (size_t i = 0; i < bound_count; i++)
        bounds[i] = new[i];
    for (size_t i = 0; i < value_count; i++)
        values[i] = taken[i];
}

/* ---- a whole object ------------------------------------------------------------------------- */

static double *numbers_of(Arena *arena, const json_t *list, size_t *ret_count)
{
    *ret_count = json_array_size(list);
    double *numbers = arena_alloc(arena, (*ret_count + 1) * sizeof *numbers);
    for (size_t i = 0; i < *ret_count; i++)
        numbers[i] = json_number_value(json_array_get(list, i));
    return numbers;
}

static void numbers_put(json_t *object, const char *key, const double *numbers, size_t count)
{
    if (!json_is_array(json_object_get(object, key)))
        return;
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, numbers[i] == floor(numbers[i]) && fabs(numbers[i]) < 9e15
                                        ? json_integer((json_int_t)numbers[i])
                                        : json_real(numbers[i]));
    json_object_set_new(object, key, list);
}

static void texts_mask(Mask *mask, json_t *object, const char *key)
{
    json_t *list = json_object_get(object, key);
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_is_string(json_array_get(list, i)))
            json_array_set_new(list, i,
                               json_string(mask_text(mask, json_string_value(json_array_get(list, i)))));
}

static void column_mask(Mask *mask, json_t *column)
{
    const char *kind = json_string_value(json_object_get(column, "kind"));
    const char *base = json_string_value(json_object_get(column, "base"));
    texts_mask(mask, column, "labels");
    if (str_eq(kind, "text") || (str_eq(kind, "label") && !str_eq(base, "bool"))) {
        texts_mask(mask, column, "common");
        return;
    }
    if (str_eq(kind, "label"))
        return; /* true and false */
    size_t bound_count = 0, value_count = 0;
    double *bounds = numbers_of(mask->arena, json_object_get(column, "bounds"), &bound_count);
    double *values = numbers_of(mask->arena, json_object_get(column, "common"), &value_count);
    mask_axis(mask, bounds, bound_count, values, value_count);
    numbers_put(column, "bounds", bounds, bound_count);
    numbers_put(column, "common", values, value_count);
}

void mask_facts(Arena *arena, json_t *facts, uint64_t salt)
{
    Mask *mask = mask_new(arena, salt);
    const RehearseEngine *engine = rehearse_engine(json_string_value(json_object_get(facts, "engine")));
    char *(*code)(Mask *, const char *, const char *, const char *) =
        engine == NULL ? mask_statement : engine->mask;
    size_t i = 0, j = 0;
    json_t *table = NULL, *column = NULL, *statement = NULL;
    json_array_foreach(json_object_get(facts, "tables"), i, table)
        json_array_foreach(json_object_get(table, "columns"), j, column) column_mask(mask, column);
    json_t *kept = json_array();
    json_array_foreach(json_object_get(facts, "statements"), i, statement)
    {
        const char *sql = json_string_value(json_object_get(statement, "sql"));
        if (sql != NULL) {
            sql = code(mask, json_string_value(json_object_get(statement, "part")),
                       json_string_value(json_object_get(statement, "what")), sql);
            if (sql == NULL)
                continue;
            json_object_set_new(statement, "sql", json_string(sql));
        }
        json_array_append(kept, statement);
    }
    json_object_set_new(facts, "statements", kept);
    json_object_set_new(facts, "masked", json_true());
}
