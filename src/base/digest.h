/* digest.h — SHA-256 over text, as "sha256:<64 hex digits>". */
#pragma once
#include "base/arena.h"

char *digest_text(Arena *arena, const char *text, size_t len) __attribute__((returns_nonnull));
