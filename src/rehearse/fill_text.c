/* Texts of the right length. */
#include "rehearse/fill_parts.h"

#include <math.h>
#include <string.h>

enum { DIGEST_LEN = 32, PARTS_MOST = 6 };

int fill_digits(double levels)
{
    int digits = 1;
    for (double most = 16; most < levels; most *= 16)
        digits++;
    return digits;
}

/* Bytes of a value that is none of the common ones, without its header. */
static double mean_length(const Fill *fill, const FactColumn *column)
{
    double mean = column->width - fill->dialect->header(column->width), share = 1;
    for (size_t i = 0; column->texts != NULL && i < column->common_count; i++) {
        mean -=
            column->frequencies[i] / fmax(1e-6, 1 - column->null_fraction) * (double)strlen(column->texts[i]);
        share -= column->frequencies[i] / fmax(1e-6, 1 - column->null_fraction);
    }
    return share > 0.01 ? fmax(0, mean / share) : fmax(0, mean);
}

/* How long the row's value is, as an expression; *ret_most: never longer. The sample of bounds gives the
 * shape, the width of all values the mean. */
static const char *length_of(const Fill *fill, const FactTable *table, const FactColumn *column,
                             const char *row, int *ret_most)
{
    double mean = column->known ? mean_length(fill, column) : 12, sample = 0;
    const char *chance = fill_chance(fill, table, column, row, 5);
    const FillDialect *dialect = fill->dialect;
    CLEANUP(str_donep) Str list = STR_INIT;
    int longest = 0;
    for (size_t i = 0; i < column->length_count; i++) {
        str_addf(&list, "%s%d", i == 0 ? "" : ",", column->lengths[i]);
        sample += (double)column->lengths[i] / (double)column->length_count;
        longest = column->lengths[i] > longest ? column->lengths[i] : longest;
    }
    if (column->length_count == 0 || column->width > 1000) {
        *ret_most = (int)(mean * 1.5) + 2;
        return dialect->whole(fill->arena,
                              arena_printf(fill->arena, "%.3f * (0.5%s + %s)", mean, dialect->real, chance));
    }
    *ret_most = longest + (int)fabs(mean - sample) + 2;
    if (longest * (int)column->length_count == (int)(sample * (double)column->length_count + 0.5) &&
        fabs(mean - sample) < 0.75) /* all are as long */
        return arena_printf(fill->arena, "%d", longest);
    const char *k =
        dialect->whole(fill->arena, arena_printf(fill->arena, "1 + %s * %zu", chance, column->length_count));
    const char *more =
        arena_printf(fill->arena, "%.3f + %s", mean - sample, fill_chance(fill, table, column, row, 6));
    return arena_printf(fill->arena, "greatest(0, %s + %s)", dialect->whole_at(fill->arena, list.buf, k),
                        dialect->whole(fill->arena, more));
}

const char *fill_filler(const Fill *fill, const char *row, int most)
{
    const FillDialect *dialect = fill->dialect;
    if (most > PARTS_MOST * DIGEST_LEN)
        return dialect->digests(fill->arena, row, (most + DIGEST_LEN - 1) / DIGEST_LEN);
    const char *text = NULL;
    for (int at = 0; at < most; at += DIGEST_LEN) {
        const char *part = dialect->digest(fill->arena, row, at);
        text = text == NULL ? part : dialect->concat(fill->arena, text, part);
    }
    return text == NULL ? "''" : text;
}

/* All of it follows from the level, or equal values would differ. */
const char *fill_token(const Fill *fill, const FactTable *table, const FactColumn *column, const char *level,
                       int digits, bool unique)
{
    int most = 0;
    const char *len = length_of(fill, table, column, arena_printf(fill->arena, "(%s)", level), &most);
    if (column->most > 0 && most > column->most) {
        most = column->most;
        len = arena_printf(fill->arena, "least(%s, %d)", len, most);
    }
    if (unique)
        len = arena_printf(fill->arena, "greatest(%s, %d)", len, digits);
    const FillDialect *dialect = fill->dialect;
    const char *whole = dialect->hex(fill->arena, level, digits);
    if (most > digits)
        whole = dialect->concat(fill->arena, whole, fill_filler(fill, level, most - digits));
    return dialect->left(fill->arena, whole, len);
}

const char *fill_json(const Fill *fill, const FactTable *table, const FactColumn *column, const char *level,
                      int digits, bool unique)
{
    FactColumn text = *column;
    text.width = fmax(2, column->width - 12);
    text.length_count = 0;
    const char *token = fill_token(fill, table, &text, level, digits, unique);
    const FillDialect *dialect = fill->dialect;
    return dialect->concat(fill->arena, dialect->concat(fill->arena, "'{\"v\": \"'", token), "'\"}'");
}
