/* document.h — an open file as the editor has it, and places in it: lines and units of the encoding that was
 * agreed on, from 0. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

#include <jansson.h>

typedef enum LspEncoding { LSP_UTF16, LSP_UTF8, LSP_UTF32 } LspEncoding;
const char *lsp_encoding_name(LspEncoding encoding);

/* Where lines begin. They end with \n, \r\n or \r. */
typedef struct LspLines {
    const char *text;
    size_t len;
    VEC(size_t) starts;
} LspLines;
void lsp_lines(Arena *arena, const char *text, size_t len, LspLines *ret_lines);

/* {"line":…,"character":…} */
json_t *lsp_position(const LspLines *lines, size_t offset, LspEncoding encoding);
json_t *lsp_range(const LspLines *lines, size_t start, size_t end, LspEncoding encoding);
/* The offset of a position; one behind the end of its line or of the text counts as that end, and what is no
 * position as the beginning. */
size_t lsp_offset(const LspLines *lines, const json_t *position, LspEncoding encoding);

/* What contentChanges of didChange ask for, one behind the other. */
void lsp_text_change(Str *text, const json_t *changes, LspEncoding encoding);
/* Bytes of a JSON string, those of NUL as "?", since SQL has none. */
void lsp_text_set(Str *text, const json_t *string);

/* The path of a file URI; the text itself for any other. */
char *lsp_path_of(Arena *arena, const char *uri) __attribute__((returns_nonnull));
