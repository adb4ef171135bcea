/* Texts of open files, and places in them. */
#include "lsp/document.h"

#include <string.h>

const char *lsp_encoding_name(LspEncoding encoding)
{
    switch (encoding) {
    case LSP_UTF8:
        return "utf-8";
    case LSP_UTF16:
        return "utf-16";
    case LSP_UTF32:
        return "utf-32";
    }
    return "";
}

/* ---- places --------------------------------------------------------------------------------- */

void lsp_lines(Arena *arena, const char *text, size_t len, LspLines *ret_lines)
{
    *ret_lines = (LspLines){.text = text, .len = len};
    *vec_push(arena, &ret_lines->starts) = 0;
    for (size_t at = 0; at < len; at++)
        if (text[at] == '\n' || (text[at] == '\r' && (at + 1 == len || text[at + 1] != '\n')))
            *vec_push(arena, &ret_lines->starts) = at + 1;
}

static bool is_tail(char c) { return ((unsigned char)c & 0xC0) == 0x80; }

/* Units of the character that begins with this byte. */
static size_t units_of(char c, size_t bytes, LspEncoding encoding)
{
    return encoding == LSP_UTF8 ? bytes : encoding == LSP_UTF16 && (unsigned char)c >= 0xF0 ? 2 : 1;
}

static size_t next_character(const char *text, size_t at, size_t end)
{
    do
        at++;
    while (at < end && is_tail(text[at]));
    return at;
}

json_t *lsp_position(const LspLines *lines, size_t offset, LspEncoding encoding)
{
    size_t low = 0, high = lines->starts.len;
    offset = offset < lines->len ? offset : lines->len;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (lines->starts.items[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    size_t units = 0, at = lines->starts.items[low];
    while (at < offset) {
        size_t next = next_character(lines->text, at, lines->len);
        units += units_of(lines->text[at], next - at, encoding);
        at = next;
    }
    return json_pack("{s:I, s:I}", "line", (json_int_t)low, "character", (json_int_t)units);
}

json_t *lsp_range(const LspLines *lines, size_t start, size_t end, LspEncoding encoding)
{
    return json_pack("{s:o, s:o}", "start", lsp_position(lines, start, encoding), "end",
                     lsp_position(lines, end < start ? start : end, encoding));
}

size_t lsp_offset(const LspLines *lines, const json_t *position, LspEncoding encoding)
{
    json_int_t line = json_integer_value(json_object_get(position, "line"));
    json_int_t character = json_integer_value(json_object_get(position, "character"));
    if (line < 0)
        return 0;
    if ((size_t)line >= lines->starts.len)
        return lines->len;
    size_t at = lines->starts.items[line];
    size_t end = (size_t)line + 1 < lines->starts.len ? lines->starts.items[line + 1] : lines->len;
    while (end > at && (lines->text[end - 1] == '\n' || lines->text[end - 1] == '\r'))
        end--;
    for (size_t units = 0; at < end;) {
        size_t next = next_character(lines->text, at, end);
        units += units_of(lines->text[at], next - at, encoding);
        if (character < 0 || units > (size_t)character)
            break;
        at = next;
    }
    return at;
}

/* ---- texts ---------------------------------------------------------------------------------- */

static void add_string(Str *text, const json_t *string)
{
    const char *bytes = json_string_value(string);
    size_t from = text->len, len = json_string_length(string);
    if (bytes == NULL || len == 0)
        return;
    str_addn(text, bytes, len);
    for (char *at; (at = memchr(text->buf + from, '\0', text->len - from)) != NULL;)
        *at = '?';
}

void lsp_text_set(Str *text, const json_t *string)
{
    str_clear(text);
    add_string(text, string);
}

static void change_one(Str *text, const json_t *change, LspEncoding encoding)
{
    const json_t *range = json_object_get(change, "range"), *string = json_object_get(change, "text");
    if (!json_is_string(string))
        return;
    if (!json_is_object(range)) {
        lsp_text_set(text, string);
        return;
    }
    Arena *arena = arena_new();
    LspLines lines;
    lsp_lines(arena, text->buf, text->len, &lines);
    size_t start = lsp_offset(&lines, json_object_get(range, "start"), encoding);
    size_t end = lsp_offset(&lines, json_object_get(range, "end"), encoding);
    end = end < start ? start : end;
    Str after = STR_INIT;
    str_addn(&after, text->buf, start);
    add_string(&after, string);
    str_addn(&after, text->buf + end, text->len - end);
    str_done(text);
    *text = after;
    arena_free(arena);
}

void lsp_text_change(Str *text, const json_t *changes, LspEncoding encoding)
{
    for (size_t i = 0; i < json_array_size(changes); i++)
        change_one(text, json_array_get(changes, i), encoding);
}

/* ---- names ---------------------------------------------------------------------------------- */

static int hex_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

char *lsp_path_of(Arena *arena, const char *uri)
{
    static const char scheme[] = "file://";
    if (!str_starts(uri, scheme))
        return arena_dup(arena, uri);
    const char *path = strchr(uri + sizeof scheme - 1, '/'); /* behind the host */
    char *text = arena_dup(arena, path == NULL ? uri : path);
    size_t out = 0;
    for (const char *at = text; *at != '\0'; at++) {
        int high = *at == '%' ? hex_of(at[1]) : -1, low = high < 0 ? -1 : hex_of(at[2]);
        int byte = high * 16 + low;
        if (low >= 0 && byte != 0)
            at += 2;
        text[out++] = low >= 0 && byte != 0 ? (char)byte : *at;
    }
    text[out] = '\0';
    return text;
}
