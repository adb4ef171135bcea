/* keep_file.h — the file that holds a column's values: a line of JSON that says what it is, a line for each
 * row (its key and the value, separated by tabs, as COPY writes them: \N is NULL, \\ \t \n \r stand for these
 * characters), and a line of JSON with the number of rows and a SHA-256 (base64) over all lines before it. */
#pragma once
#include "base/arena.h"

#include <jansson.h>

typedef struct KeepWriter KeepWriter;
typedef struct KeepReader KeepReader;

/* Writes beside `path`, mode 0600; keep_writer_done() puts it there. A file that is there already must be one
 * with the same "schema", "table" and "column": ERR_USAGE. `header` is borrowed. */
Err *keep_writer_open(const char *path, json_t *header, KeepWriter **ret_writer) MUST_USE;
/* NULL cells are NULL. */
Err *keep_writer_add(KeepWriter *writer, const char *const *cells, size_t count) MUST_USE;
/* Synced, and under its name. */
Err *keep_writer_done(KeepWriter *writer) MUST_USE;
int64_t keep_writer_rows(const KeepWriter *writer);
/* What was not done is removed. */
void keep_writer_free(KeepWriter *writer);

/* Reads the whole file once: ERR_VERIFY where it is cut off or changed, ERR_USAGE where it is none. */
Err *keep_reader_open(const char *path, KeepReader **ret_reader) MUST_USE;
const json_t *keep_reader_header(const KeepReader *reader);
int64_t keep_reader_rows(const KeepReader *reader);
/* The next row's cells, in `arena`; *ret_done behind the last one. ERR_VERIFY. */
Err *keep_reader_next(KeepReader *reader, Arena *arena, const char **ret_cells, size_t count,
                      bool *ret_done) MUST_USE;
void keep_reader_free(KeepReader *reader);
