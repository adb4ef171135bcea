/* digest.h — SHA-256 over text, as "sha256:<64 hex digits>". */
#pragma once
#include "base/arena.h"

char *digest_text(Arena *arena, const char *text, size_t len) __attribute__((returns_nonnull));

/* SHA-256 over pieces, told in between as well. */
typedef struct DigestRun DigestRun;
DigestRun *digest_run_new(void) __attribute__((returns_nonnull));
void digest_run_add(DigestRun *run, const char *bytes, size_t len);
/* Of all that was added so far, in base64. */
char *digest_run_base64(Arena *arena, const DigestRun *run) __attribute__((returns_nonnull));
void digest_run_free(DigestRun *run);
