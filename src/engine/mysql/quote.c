/* Names in backticks. */
#include "engine/mysql/quote.h"

#include <string.h>

char *my_ident(Arena *arena, const char *name)
{
    char *quoted = arena_alloc(arena, 2 * strlen(name) + 3), *to = quoted;
    *to++ = '`';
    for (const char *at = name; *at != '\0'; at++) {
        if (*at == '`')
            *to++ = '`';
        *to++ = *at;
    }
    *to = '`';
    return quoted;
}

char *my_name(Arena *arena, const char *schema, const char *name)
{
    return schema == NULL ? my_ident(arena, name)
                          : arena_printf(arena, "%s.%s", my_ident(arena, schema), my_ident(arena, name));
}
