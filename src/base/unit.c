/* Durations and sizes with units. */
#include "base/unit.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Unit {
    const char *name;
    double factor;
} Unit;

static const Unit durations[] = {{"ms", 1},      {"s", 1000},    {"m", 60000},
                                 {"min", 60000}, {"h", 3600000}, {"d", 86400000}};
static const Unit sizes[] = {{"B", 1},          {"kB", 1024.0},       {"KB", 1024.0},
                             {"MB", 1048576.0}, {"GB", 1073741824.0}, {"TB", 1099511627776.0}};

static Err *parse_with(const char *text, const Unit *units, size_t count, const char *what,
                       const char *example, int64_t *ret_value)
{
    char *end = NULL;
    if (!isdigit((unsigned char)text[0]))
        return err_hint(err_new(ERR_USAGE, "\"%s\" is not a %s", text, what), "write %s", example);
    double number = strtod(text, &end);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(end, units[i].name) != 0)
            continue;
        double value = number * units[i].factor;
        if (!(value < 9e15))
            return err_new(ERR_USAGE, "\"%s\" is too large a %s", text, what);
        *ret_value = (int64_t)llround(value);
        return NULL;
    }
    if (*end == '\0')
        return err_hint(err_new(ERR_USAGE, "\"%s\" lacks a unit", text), "write %s", example);
    return err_hint(err_new(ERR_USAGE, "\"%s\" has an unknown unit \"%s\"", text, end), "write %s", example);
}

Err *unit_parse_duration(const char *text, int64_t *ret_ms)
{
    return parse_with(text, durations, ARRAY_LEN(durations), "duration", "200ms, 10s, 5m or 2h", ret_ms);
}

Err *unit_parse_size(const char *text, int64_t *ret_bytes)
{
    return parse_with(text, sizes, ARRAY_LEN(sizes), "size", "64kB, 32MB or 1GB", ret_bytes);
}

Err *unit_parse_count(const char *text, int64_t low, int64_t high, int64_t *ret_count)
{
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0')
        return err_new(ERR_USAGE, "\"%s\" is not a whole number", text);
    if (value < low || value > high)
        return err_new(ERR_USAGE, "%s is not between %lld and %lld", text, (long long)low, (long long)high);
    *ret_count = value;
    return NULL;
}

const char *unit_duration_text(int64_t ms, char *ret_text)
{
    if (ms < 1000)
        (void)snprintf(ret_text, UNIT_TEXT_BYTES, "%lld ms", (long long)ms);
    else if (ms < 120000)
        (void)snprintf(ret_text, UNIT_TEXT_BYTES, "%.1f s", (double)ms / 1000);
    else if (ms < 7200000)
        (void)snprintf(ret_text, UNIT_TEXT_BYTES, "%lld m %lld s", (long long)(ms / 60000),
                       (long long)(ms / 1000 % 60));
    else
        (void)snprintf(ret_text, UNIT_TEXT_BYTES, "%lld h %lld m", (long long)(ms / 3600000),
                       (long long)(ms / 60000 % 60));
    return ret_text;
}

const char *unit_size_text(int64_t bytes, char *ret_text)
{
    size_t at = 0;
    double value = (double)bytes;
    static const char *const names[] = {"B", "kB", "MB", "GB", "TB"};
    while (value >= 1024 && at + 1 < ARRAY_LEN(names)) {
        value /= 1024;
        at++;
    }
    (void)snprintf(ret_text, UNIT_TEXT_BYTES, value < 10 && at > 0 ? "%.1f %s" : "%.0f %s", value, names[at]);
    return ret_text;
}

const char *unit_count_text(int64_t count, char *ret_text)
{
    char digits[UNIT_TEXT_BYTES];
    int len = snprintf(digits, sizeof digits, "%lld", (long long)count);
    size_t out = 0;
    for (int i = 0; i < len && out + 2 < UNIT_TEXT_BYTES; i++) {
        ret_text[out++] = digits[i];
        if (isdigit((unsigned char)digits[i]) && (len - 1 - i) % 3 == 0 && i + 1 < len)
            ret_text[out++] = ',';
    }
    ret_text[out] = '\0';
    return ret_text;
}
