/* flag_file.h — small files that are there whole or not at all. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

/* Written beside it, flushed to the disk and renamed. ERR_IO. */
Err *flag_file_write(const char *path, const char *text, size_t len) MUST_USE;
/* In `arena`; *ret_text NULL where there is no such file. ERR_IO. */
Err *flag_file_read(Arena *arena, const char *path, const char **ret_text, size_t *ret_len) MUST_USE;
