/* A tool's own words for where statements end, as those that the splitters know. Everything else stays in its
 * place, so offsets are those of the file. */
#include "base/str.h"
#include "check/folder.h"

#include <string.h>

/* Cannot stand in a file by accident. */
static const char nowhere[] = "$stoa-end$";

typedef struct Mask {
    char *text;
    size_t from, to;
} Mask;

/* Writes `words` over [start, end), filled up with spaces; false: they do not fit. */
static bool overwrite(char *text, size_t start, size_t end, const char *words)
{
    size_t len = strlen(words);
    if (end - start < len)
        return false;
    for (size_t i = start; i < end; i++)
        if (text[i] != '\n')
            text[i] = ' ';
    memcpy(text + start, words, len);
    return true;
}

static size_t line_end(const char *text, size_t at, size_t to)
{
    const char *end = memchr(text + at, '\n', to - at);
    return end == NULL ? to : (size_t)(end - text);
}

/* The server takes a semicolon before the end of a body, the client's delimiter follows it. */
static void blank_semicolon(char *text, size_t from, size_t at)
{
    while (at > from && strchr(" \t\r\n", text[at - 1]) != NULL)
        at--;
    if (at > from && text[at - 1] == ';')
        text[at - 1] = ' ';
}

/* "-- +goose StatementBegin" and "StatementEnd" as DELIMITER. */
static void mask_goose(const Mask *mask)
{
    static const char mark[] = "-- +goose Statement";
    for (size_t at = mask->from; at < mask->to;) {
        size_t end = line_end(mask->text, at, mask->to);
        if (str_starts(mask->text + at, mark)) {
            bool begins = str_starts(mask->text + at + sizeof mark - 1, "Begin");
            if (!begins)
                blank_semicolon(mask->text, mask->from, at);
            (void)overwrite(mask->text, at, end, begins ? "DELIMITER $$" : "$$\nDELIMITER ;");
        }
        at = end + 1;
    }
}

static void mask_each(const Mask *mask, const char *delimiter, const char *by)
{
    size_t len = strlen(delimiter);
    for (char *at = mask->text + mask->from;
         (at = memmem(at, (size_t)(mask->text + mask->to - at), delimiter, len)) != NULL; at += len) {
        size_t start = (size_t)(at - mask->text);
        blank_semicolon(mask->text, mask->from, start);
        (void)overwrite(mask->text, start, start + len, by);
    }
}

const char *folder_masked(Arena *arena, const Source *source, const Part *part, bool my, size_t *ret_start)
{
    bool goose = my && source->tool == TOOL_GOOSE;
    const char *delimiter = part->delimiter;
    *ret_start = part->start;
    if (!goose && (delimiter == NULL || (!my && delimiter[0] == '\0')))
        return source->text;
    Mask mask = {arena_dupn(arena, source->text, source->len), part->start, part->end};
    if (goose) {
        mask_goose(&mask);
        return mask.text;
    }
    if (!my) {
        mask_each(&mask, delimiter, ";");
        return mask.text;
    }
    bool blank = strpbrk(delimiter, " \t\r\n\\'\"`") != NULL; /* the client could not be told so */
    const char *used = delimiter[0] == '\0' ? nowhere : blank ? "$$" : delimiter;
    size_t end = line_end(mask.text, part->marker, part->end);
    if (blank)
        mask_each(&mask, delimiter, strlen(delimiter) > 1 ? "$$" : ";");
    if (overwrite(mask.text, part->marker, end, arena_printf(arena, "DELIMITER %s", used)))
        *ret_start = part->marker < part->start ? part->marker : part->start;
    return mask.text;
}
