/* Names of indexes and constraints as PostgreSQL itself would choose them. */
#include "base/digest.h"
#include "plan/maker.h"

#include <ctype.h>
#include <string.h>

enum { NAME_BYTES_MAX = 63 };

static size_t utf8_clip(const char *text, size_t max)
{
    while (max > 0 && ((unsigned char)text[max] & 0xC0) == 0x80)
        max--;
    return max;
}

char *name_object(Arena *arena, const char *name1, const char *name2, const char *label)
{
    size_t overhead = (name2 != NULL ? 1 : 0) + (label != NULL ? strlen(label) + 1 : 0);
    size_t len1 = strlen(name1), len2 = name2 != NULL ? strlen(name2) : 0;
    size_t room = overhead < NAME_BYTES_MAX ? NAME_BYTES_MAX - overhead : 0;
    while (len1 + len2 > room) {
        if (len1 > len2)
            len1--;
        else
            len2--;
    }
    len1 = utf8_clip(name1, len1);
    Str str = STR_INIT;
    str_addn(&str, name1, len1);
    if (name2 != NULL) {
        str_add(&str, "_");
        str_addn(&str, name2, utf8_clip(name2, len2));
    }
    if (label != NULL)
        str_addf(&str, "_%s", label);
    char *name = arena_dupn(arena, str.buf, str.len);
    str_done(&str);
    return name;
}

static bool name_taken(const TableWork *work, const char *name)
{
    for (size_t i = 0; i < work->names.len; i++)
        if (str_eq(work->names.items[i], name))
            return true;
    const Index *index = table_index(work->table, name); /* an INVALID leftover is dropped and rebuilt */
    return (index != NULL && (index->valid || index->constraint != NULL)) ||
           table_constraint(work->table, name) != NULL;
}

const char *name_headed(Arena *arena, const char *head, const char *name)
{
    if (strlen(name) + strlen(head) <= NAME_BYTES_MAX)
        return arena_printf(arena, "%s%s", head, name);
    const char *digest = digest_text(arena, name, strlen(name)) + strlen("sha256:");
    size_t keep = utf8_clip(name, NAME_BYTES_MAX - strlen(head) - 9);
    return arena_printf(arena, "%s%.*s_%.8s", head, (int)keep, name, digest);
}

const char *name_hidden(Arena *arena, const char *name) { return name_headed(arena, "_stoa_", name); }

void name_take(Maker *maker, TableWork *work, const char *name)
{
    *vec_push(maker->arena, &work->names) = name;
}

const char *name_free(Maker *maker, TableWork *work, const char *name2, const char *label)
{
    const char *name = name_object(maker->arena, work->table->name, name2, label);
    for (int pass = 1; name_taken(work, name); pass++)
        name = name_object(maker->arena, work->table->name, name2,
                           arena_printf(maker->arena, "%s%d", label, pass));
    name_take(maker, work, name);
    return name;
}

const char *name_columns(Arena *arena, const char *const *columns, size_t count)
{
    Str str = STR_INIT;
    for (size_t i = 0; i < count && str.len <= NAME_BYTES_MAX; i++) {
        str_sep(&str, "_");
        str_add(&str, columns[i] != NULL ? columns[i] : "expr");
    }
    size_t len = str.len > NAME_BYTES_MAX ? utf8_clip(str.buf, NAME_BYTES_MAX) : str.len;
    char *name = arena_dupn(arena, str.buf, len);
    str_done(&str);
    return name;
}

static bool word_byte(char byte) { return isalnum((unsigned char)byte) || byte == '_' || (byte & 0x80) != 0; }

/* The identifier at `at` (bare or quoted) into `ret_word`; returns where it ends, or NULL if there is none.
 */
static const char *next_word(const char *at, Str *ret_word)
{
    str_clear(ret_word);
    if (*at == '"') {
        for (at++; *at != '\0'; at++) {
            if (*at == '"' && at[1] != '"')
                return at + 1;
            if (*at == '"')
                at++;
            str_addn(ret_word, at, 1);
        }
        return at;
    }
    if (!word_byte(*at) || isdigit((unsigned char)*at))
        return NULL;
    for (; word_byte(*at); at++)
        str_addn(ret_word, at, 1);
    return at;
}

static const char *skip_literal(const char *at)
{
    for (at++; *at != '\0'; at++)
        if (*at == '\'' && at[1] == '\'')
            at++;
        else if (*at == '\'')
            return at + 1;
    return at;
}

/* The table's column of that name, of those there and those that this plan adds. */
static const char *known_column(const TableWork *work, const char *name)
{
    const Column *column = table_column(work->table, name);
    if (column != NULL)
        return column->name;
    for (size_t i = 0; i < work->added.len; i++)
        if (str_eq(work->added.items[i], name))
            return work->added.items[i];
    return NULL;
}

const char *name_check_column(Arena *arena, const TableWork *work, const char *expr_sql)
{
    Str word CLEANUP(str_donep) = STR_INIT;
    const char *found = NULL;
    for (const char *at = expr_sql; *at != '\0';) {
        if (*at == '\'') {
            at = skip_literal(at);
            continue;
        }
        const char *end = next_word(at, &word);
        if (end == NULL) {
            for (at++; isdigit((unsigned char)at[-1]) && word_byte(*at);)
                at++;
            continue;
        }
        at = end;
        const char *column = *end != '(' ? known_column(work, word.buf) : NULL;
        if (column != NULL && found != NULL && !str_eq(column, found))
            return NULL;
        if (column != NULL)
            found = column;
    }
    return found != NULL ? arena_dup(arena, found) : NULL;
}

/* Without blanks, parentheses, quotes, casts to a bare type name, and in lower case outside literals. */
static char *definition_bare(Arena *arena, const char *text)
{
    Str str = STR_INIT;
    while (*text != '\0') {
        if (*text == '\'') {
            const char *end = skip_literal(text);
            size_t len = (size_t)(end - text);
            bool number = len > 2 && strspn(text + 1, "-+0123456789.") == len - 2; /* '-1'::integer is -1 */
            str_addn(&str, text + number, len - (number ? 2 : 0));
            text = end;
        } else if (text[0] == ':' && text[1] == ':') {
            for (text += 2; word_byte(*text) || *text == '.' || *text == '"'; text++)
                ;
            if (strncmp(text, " varying", 8) == 0)
                text += 8;
        } else {
            char low = (char)tolower((unsigned char)*text);
            if (strchr(" \t\n()\"", low) == NULL)
                str_addn(&str, &low, 1);
            text++;
        }
    }
    char *bare = arena_dupn(arena, str.buf, str.len);
    str_done(&str);
    return bare;
}

bool definition_like(Arena *arena, const char *a, const char *b)
{
    return str_eq(definition_bare(arena, a), definition_bare(arena, b));
}
