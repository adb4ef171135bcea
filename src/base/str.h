/* str.h — a string builder that never holds NULL. */
#pragma once
#include "base/err.h"

typedef struct Str {
    char *buf; /* always terminated */
    size_t len, cap;
} Str;
extern char str_nothing[1]; /* ""; nobody writes to it */
#define STR_INIT ((Str){.buf = str_nothing, .len = 0, .cap = 0})

void str_add(Str *str, const char *text);
void str_addn(Str *str, const char *text, size_t len);
void str_addf(Str *str, const char *fmt, ...) PRINTF(2, 3);
/* Adds `separator` first unless the string is empty: for lists. */
void str_sep(Str *str, const char *separator);
void str_clear(Str *str);
void str_done(Str *str);
/* Hands the text over to the caller, who frees it; the builder is empty again. */
char *str_take(Str *str) __attribute__((returns_nonnull));
static inline void str_donep(Str *str) { str_done(str); }

/* True when both are NULL, or equal. */
bool str_eq(const char *a, const char *b);
bool str_starts(const char *text, const char *prefix);
/* Whether the text stands among `items`, which are sorted by strcmp(). */
bool str_in_sorted(const char *const *items, size_t count, const char *text);
