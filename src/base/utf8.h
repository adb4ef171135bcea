/* utf8.h — text from anywhere as what JSON may hold. */
#pragma once
#include "base/err.h"

/* How many bytes the character at `text` takes; 0 where it is none (surrogates, long forms, cut ones). */
size_t utf8_len(const char *text);
/* A copy in which each byte that belongs to no character is U+FFFD; the caller frees. */
char *utf8_mend(const char *text) __attribute__((returns_nonnull));
/* The same, with control characters as "?": one line that does nothing to a terminal. */
char *utf8_line(const char *text) __attribute__((returns_nonnull));
