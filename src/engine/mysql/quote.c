/* Names in backticks. */
#include "engine/mysql/quote.h"

#include "base/str.h"

char *my_ident(Arena *arena, const char *name)
{
    CLEANUP(str_donep) Str str = STR_INIT;
    str_add(&str, "`");
    for (const char *at = name; *at != '\0'; at++)
        str_addn(&str, *at == '`' ? "``" : at, *at == '`' ? 2 : 1);
    str_add(&str, "`");
    return arena_dupn(arena, str.buf, str.len);
}

char *my_name(Arena *arena, const char *schema, const char *name)
{
    char *quoted = my_ident(arena, name);
    return schema == NULL ? quoted : arena_printf(arena, "%s.%s", my_ident(arena, schema), quoted);
}
