/* The unified difference of two texts. */
#include "base/str.h"
#include "cli/findings.h"

#include <string.h>

typedef struct TextLine {
    const char *text; /* with its newline, where it has one */
    size_t len;
} TextLine;

typedef VEC(TextLine) TextLines;

/* Lines [a_from, a_to) became [b_from, b_to). */
typedef struct Block {
    size_t a_from, a_to, b_from, b_to;
} Block;

typedef struct Diff {
    Arena *arena;
    TextLines a, b;
    VEC(Block) blocks;
} Diff;

static TextLines lines_of(Arena *arena, const char *text, size_t len)
{
    TextLines lines = {0};
    for (size_t at = 0; at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t size = end == NULL ? len - at : (size_t)(end - text) + 1 - at;
        *vec_push(arena, &lines) = (TextLine){text + at, size};
        at += size;
    }
    return lines;
}

static bool same(const Diff *diff, size_t a, size_t b)
{
    const TextLine *one = &diff->a.items[a], *two = &diff->b.items[b];
    return one->len == two->len && memcmp(one->text, two->text, one->len) == 0;
}

enum { LOOK_LINES = 400 };

/* The nearest pair of lines that are the same again; the ends where there is none nearby. */
static void meet(const Diff *diff, size_t a, size_t b, size_t *ret_a, size_t *ret_b)
{
    for (size_t distance = 1; distance < LOOK_LINES; distance++)
        for (size_t i = 0; i <= distance; i++) {
            size_t x = a + i, y = b + distance - i;
            if (x < diff->a.len && y < diff->b.len && same(diff, x, y)) {
                *ret_a = x;
                *ret_b = y;
                return;
            }
        }
    *ret_a = diff->a.len;
    *ret_b = diff->b.len;
}

static void find_blocks(Diff *diff)
{
    for (size_t a = 0, b = 0; a < diff->a.len || b < diff->b.len;) {
        if (a < diff->a.len && b < diff->b.len && same(diff, a, b)) {
            a++;
            b++;
            continue;
        }
        Block block = {a, 0, b, 0};
        meet(diff, a, b, &block.a_to, &block.b_to);
        *vec_push(diff->arena, &diff->blocks) = block;
        a = block.a_to;
        b = block.b_to;
    }
}

static void add_lines(Str *out, const char *sign, const TextLines *lines, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        const TextLine *line = &lines->items[i];
        str_add(out, sign);
        str_addn(out, line->text, line->len);
        if (line->text[line->len - 1] != '\n')
            str_add(out, "\n\\ No newline at end of file\n");
    }
}

enum { CONTEXT_LINES = 3 };

/* Blocks [first, last] with the lines around them. */
static void add_hunk(Str *out, const Diff *diff, size_t first, size_t last)
{
    const Block *head = &diff->blocks.items[first], *tail = &diff->blocks.items[last];
    size_t before = head->a_from < CONTEXT_LINES ? head->a_from : CONTEXT_LINES;
    size_t left = diff->a.len - tail->a_to, behind = left < CONTEXT_LINES ? left : CONTEXT_LINES;
    size_t a_from = head->a_from - before, a_count = tail->a_to + behind - a_from;
    size_t b_from = head->b_from - before, b_count = tail->b_to + behind - b_from;
    str_addf(out, "@@ -%zu,%zu +%zu,%zu @@\n", a_from + (a_count > 0), a_count, b_from + (b_count > 0),
             b_count);
    size_t at = a_from;
    for (size_t i = first; i <= last; i++) {
        const Block *block = &diff->blocks.items[i];
        add_lines(out, " ", &diff->a, at, block->a_from);
        add_lines(out, "-", &diff->a, block->a_from, block->a_to);
        add_lines(out, "+", &diff->b, block->b_from, block->b_to);
        at = block->a_to;
    }
    add_lines(out, " ", &diff->a, at, at + behind);
}

void diff_unified(Str *out, const char *path, const char *before, size_t before_len, const char *after,
                  size_t after_len)
{
    Arena *arena = arena_new();
    Diff diff = {
        .arena = arena, .a = lines_of(arena, before, before_len), .b = lines_of(arena, after, after_len)};
    find_blocks(&diff);
    if (diff.blocks.len > 0)
        str_addf(out, "--- %s\n+++ %s\n", path, path);
    for (size_t first = 0, last; first < diff.blocks.len; first = last + 1) {
        for (last = first; last + 1 < diff.blocks.len; last++)
            if (diff.blocks.items[last + 1].a_from - diff.blocks.items[last].a_to > 2 * CONTEXT_LINES)
                break;
        add_hunk(out, &diff, first, last);
    }
    arena_free(arena);
}
