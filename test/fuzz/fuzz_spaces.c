/* libFuzzer target: any bytes as a statement for a scratch schema; nothing may crash, no real schema may be
 * left where there is no doubt, and what is led there comes back. */
#include "engine/postgres/lexeme.h"
#include "engine/postgres/spaces.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* The first of three names in a row that stands for a schema, or the only one before a point. */
static bool names_schema(const Spaces *spaces, Arena *arena, const char *text)
{
    Lexeme lexeme, next;
    size_t len = strlen(text);
    bool behind = false;
    for (size_t at = 0; lexeme_next(text, len, at, &lexeme); at = lexeme.end) {
        bool named = lexeme.kind == LEXEME_WORD || lexeme.kind == LEXEME_QUOTED;
        bool point =
            lexeme_next(text, len, lexeme.end, &next) && text[next.start] == '.' && next.kind == LEXEME_SIGN;
        if (named && point && !behind && spaces_find(spaces, lexeme_name(arena, text, &lexeme)) != NULL)
            return true;
        behind = lexeme.kind == LEXEME_SIGN && text[lexeme.start] == '.';
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new();
    Space items[] = {{"s", NULL}, {"public", NULL}, {"Odd", NULL}};
    Spaces spaces = {.base = "stoa_scratch_1_2_ab", .items = items, .count = ARRAY_LEN(items)};
    spaces_name(arena, &spaces);
    const char *text = arena_dupn(arena, (const char *)data, size), *why = NULL;
    const char *now = spaces_rewrite(&spaces, arena, text, &why);
    require(why != NULL || !names_schema(&spaces, arena, now));
    (void)spaces_back(&spaces, arena, now);
    (void)spaces_refuse(&spaces, arena, text);
    (void)spaces_words(arena, text);
    (void)spaces_at_once(arena, text);
    (void)spaces_chained(arena, text);
    arena_free(arena);
    return 0;
}
