/* unit.h — durations and sizes with units, as people write and read them. A bare number is an error. */
#pragma once
#include "base/err.h"

/* "200ms", "1.5s", "10m", "2h", "1d" to milliseconds. */
Err *unit_parse_duration(const char *text, int64_t *ret_ms) MUST_USE;
/* "512B", "64kB", "32MB", "1GB" (1024-based, as PostgreSQL counts) to bytes. */
Err *unit_parse_size(const char *text, int64_t *ret_bytes) MUST_USE;
/* Whole decimal number within [low, high]. */
Err *unit_parse_count(const char *text, int64_t low, int64_t high, int64_t *ret_count) MUST_USE;

enum { UNIT_TEXT_BYTES = 32 };
/* "6.1 s", "200 ms", "2 h 5 m" into `ret_text` (UNIT_TEXT_BYTES); returns it. */
const char *unit_duration_text(int64_t ms, char *ret_text);
/* "349 MB" into `ret_text` (UNIT_TEXT_BYTES); returns it. */
const char *unit_size_text(int64_t bytes, char *ret_text);
/* "1,000,000" into `ret_text` (UNIT_TEXT_BYTES); returns it. */
const char *unit_count_text(int64_t count, char *ret_text);
