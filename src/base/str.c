/* A string builder that never holds NULL. */
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

char str_nothing[1] = "";

static void str_reserve(Str *str, size_t more)
{
    size_t need = str->len + more + 1;
    if (need <= str->cap)
        return;
    size_t cap = str->cap < 64 ? 64 : str->cap;
    while (cap < need)
        cap *= 2;
    bool first = str->cap == 0;
    str->buf = mem_resize(first ? NULL : str->buf, cap);
    if (first)
        str->buf[0] = '\0';
    str->cap = cap;
}

void str_addn(Str *str, const char *text, size_t len)
{
    str_reserve(str, len);
    memcpy(str->buf + str->len, text, len);
    str->len += len;
    str->buf[str->len] = '\0';
}

void str_add(Str *str, const char *text) { str_addn(str, text, strlen(text)); }

void str_addf(Str *str, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = mem_format(fmt, args);
    va_end(args);
    str_add(str, text);
    free(text);
}

void str_sep(Str *str, const char *separator)
{
    if (str->len > 0)
        str_add(str, separator);
}

void str_clear(Str *str)
{
    if (str->cap > 0)
        str->buf[0] = '\0';
    str->len = 0;
}

void str_done(Str *str)
{
    if (str->cap > 0)
        free(str->buf);
    *str = STR_INIT;
}

char *str_take(Str *str)
{
    str_reserve(str, 0);
    char *text = str->buf;
    *str = STR_INIT;
    return text;
}

bool str_eq(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return strcmp(a, b) == 0;
}

bool str_starts(const char *text, const char *prefix) { return strncmp(text, prefix, strlen(prefix)) == 0; }

bool str_in_sorted(const char *const *items, size_t count, const char *text)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(items[middle], text);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}
