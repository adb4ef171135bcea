/* The names of a clone's databases. */
#include "engine/mysql/scratch.h"

#include "base/str.h"
#include "engine/mysql/quote.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

char *scratch_prefix(Arena *arena, int64_t session_id, bool logged)
{
    return arena_printf(arena, SCRATCH_PREFIX "%c%lld", logged ? 'l' : 'q', (long long)session_id);
}

char *scratch_lock_of(Arena *arena, const char *database, bool *ret_logged)
{
    const char *at = database + strlen(SCRATCH_PREFIX);
    if (!str_starts(database, SCRATCH_PREFIX) || (*at != 'l' && *at != 'q'))
        return NULL;
    size_t digits = strspn(at + 1, "0123456789");
    if (digits == 0 || at[1 + digits] != '_' ||
        strspn(at + 2 + digits, "0123456789") != strlen(at + 2 + digits))
        return NULL;
    *ret_logged = *at == 'l';
    return arena_dupn(arena, database, (size_t)(at + 1 - database) + digits);
}

const char *scratch_of(const Scratch *scratch, const char *schema)
{
    for (size_t i = 0; schema != NULL && i < scratch->count; i++)
        if (strcmp(scratch->names[i].real, schema) == 0)
            return scratch->names[i].copy;
    return schema;
}

const char *scratch_add(Arena *arena, Scratch *scratch, const char *real)
{
    const char *there = scratch_of(scratch, real);
    if (there != real)
        return there;
    scratch->names = arena_grow(arena, scratch->names, scratch->count, &scratch->cap, sizeof *scratch->names);
    scratch->names[scratch->count] =
        (ScratchName){.real = arena_dup(arena, real),
                      .copy = arena_printf(arena, "%s_%02zu", scratch->prefix, scratch->count)};
    return scratch->names[scratch->count++].copy;
}

/* ---- in the session --------------------------------------------------------------------------------------
 */

Err *scratch_keep(Conn *conn, const Wait *wait, const Scratch *scratch)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    json_t *names = json_array();
    for (size_t i = 0; i < scratch->count; i++)
        json_array_append_new(names, json_pack("[ss]", scratch->names[i].real, scratch->names[i].copy));
    json_t *json = json_pack("{s:s, s:o}", "prefix", scratch->prefix, "names", names);
    char *text = json_dumps(json, JSON_COMPACT);
    Err *err =
        my_exec(conn, wait, arena_printf(arena, "SET @stoa_scratch = %s", my_literal(conn, arena, text)));
    free(text);
    json_decref(json);
    return err;
}

Err *scratch_load(Conn *conn, const Wait *wait, Arena *arena, Scratch *ret_scratch)
{
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows, "SELECT @stoa_scratch"));
    const char *text = rows.row_count == 0 ? NULL : rows_cell(&rows, 0, 0);
    json_t *json = text == NULL ? NULL : json_loads(text, 0, NULL), *name;
    Scratch scratch = {0};
    size_t i;
    if (json != NULL) {
        const char *prefix = json_string_value(json_object_get(json, "prefix"));
        scratch.prefix = arena_dup(arena, prefix == NULL ? "" : prefix);
        json_array_foreach(json_object_get(json, "names"), i, name)(void)
            scratch_add(arena, &scratch, json_string_value(json_array_get(name, 0)));
        json_decref(json);
    }
    *ret_scratch = scratch;
    return NULL;
}

/* ---- texts -----------------------------------------------------------------------------------------------
 */

typedef struct Lexeme {
    const char *at;
    size_t len;
    const char *name; /* of an identifier, without its backticks; NULL elsewhere */
    bool space;       /* blanks, or a comment */
} Lexeme;

static bool is_word(unsigned char byte)
{
    return isalnum(byte) || byte == '_' || byte == '$' || byte >= 0x80;
}

static size_t quoted_len(const char *at)
{
    const char quote = *at, *end = at + 1;
    while (*end != '\0' && *end != quote)
        end += *end == '\\' && quote != '`' && end[1] != '\0' ? 2 : 1;
    return (size_t)(end - at) + (*end != '\0');
}

/* Doubled quotes come as two lexemes, which does no harm to strings; names have theirs put together. */
static Lexeme next_lexeme(Arena *arena, const char *at)
{
    Lexeme lexeme = {.at = at, .len = 1};
    if (isspace((unsigned char)*at)) {
        while (isspace((unsigned char)at[lexeme.len]))
            lexeme.len++;
        lexeme.space = true;
    } else if (*at == '#' || (str_starts(at, "--") && (at[2] == '\0' || isspace((unsigned char)at[2])))) {
        lexeme.len = strcspn(at, "\n");
        lexeme.space = true;
    } else if (str_starts(at, "/*!") || str_starts(at, "/*M!")) { /* its content counts */
        lexeme.len = at[2] == '!' ? 3 : 4;
        lexeme.len += strspn(at + lexeme.len, "0123456789");
        lexeme.space = true;
    } else if (str_starts(at, "/*")) {
        const char *end = strstr(at + 2, "*/");
        lexeme.len = end == NULL ? strlen(at) : (size_t)(end - at) + 2;
        lexeme.space = true;
    } else if (*at == '\'' || *at == '"') {
        lexeme.len = quoted_len(at);
    } else if (*at == '`') {
        char *name = arena_alloc(arena, strlen(at) + 1), *to = name;
        const char *from = at + 1;
        for (; *from != '\0' && (*from != '`' || from[1] == '`'); from++) {
            *to++ = *from;
            from += *from == '`';
        }
        lexeme.len = (size_t)(from - at) + (*from != '\0');
        lexeme.name = name;
    } else if (is_word((unsigned char)*at)) {
        while (is_word((unsigned char)at[lexeme.len]))
            lexeme.len++;
        lexeme.name = arena_dupn(arena, at, lexeme.len);
    }
    return lexeme;
}

static bool before_point(Arena *arena, const Lexeme *lexeme)
{
    const char *at = lexeme->at + lexeme->len;
    while (*at != '\0') {
        Lexeme next = next_lexeme(arena, at);
        if (!next.space)
            return *at == '.';
        at += next.len;
    }
    return false;
}

/* A name's case is that of its database unless only the case differs. */
static const char *copy_of(const Scratch *scratch, const char *name)
{
    const char *copy = scratch_of(scratch, name);
    for (size_t i = 0; copy == name && i < scratch->count; i++)
        if (strcasecmp(scratch->names[i].real, name) == 0)
            return scratch->names[i].copy;
    return copy == name ? NULL : copy;
}

char *scratch_sql(Arena *arena, const Scratch *scratch, const char *sql)
{
    CLEANUP(str_donep) Str str = STR_INIT;
    bool behind_point = false;
    Lexeme lexeme;
    for (const char *at = sql; *at != '\0'; at += lexeme.len) {
        lexeme = next_lexeme(arena, at);
        const char *copy = lexeme.name == NULL || behind_point ? NULL : copy_of(scratch, lexeme.name);
        if (copy != NULL && before_point(arena, &lexeme))
            str_add(&str, my_ident(arena, copy));
        else
            str_addn(&str, at, lexeme.len);
        if (!lexeme.space)
            behind_point = *at == '.';
    }
    return arena_dup(arena, str.buf);
}

void scratch_add_references(Arena *arena, Scratch *scratch, const char *create_sql)
{
    bool behind = false;
    Lexeme lexeme;
    for (const char *at = create_sql; *at != '\0'; at += lexeme.len) {
        lexeme = next_lexeme(arena, at);
        if (lexeme.space)
            continue;
        if (behind && lexeme.name != NULL && before_point(arena, &lexeme))
            (void)scratch_add(arena, scratch, lexeme.name);
        behind = *at != '`' && lexeme.name != NULL && strcasecmp(lexeme.name, "REFERENCES") == 0;
    }
}

char *scratch_real(Arena *arena, const Scratch *scratch, const char *text)
{
    CLEANUP(str_donep) Str str = STR_INIT;
    for (const char *at = text; *at != '\0';) {
        const ScratchName *found = NULL;
        for (size_t i = 0; found == NULL && i < scratch->count; i++)
            if (str_starts(at, scratch->names[i].copy))
                found = &scratch->names[i];
        str_addn(&str, found == NULL ? at : found->real, found == NULL ? 1 : strlen(found->real));
        at += found == NULL ? 1 : strlen(found->copy);
    }
    return arena_dup(arena, str.buf);
}
