/* What a statement names: relations, and identifiers in its text. */
#include "change/native.h"

#include <stdlib.h>
#include <string.h>

typedef VEC(const char *) Words;

/* ---- relations ------------------------------------------------------------------------------ */

typedef struct Gathered {
    Arena *arena;
    VEC(Name) names;
} Gathered;

static bool gather_relation(void *context, ProtobufCMessage *message, const char *field UNUSED)
{
    Gathered *gathered = context;
    if (message->descriptor != &pg_query__range_var__descriptor)
        return true;
    const PgQuery__RangeVar *relation = (const PgQuery__RangeVar *)(const void *)message;
    Name name = relation_name(relation);
    if (relation->catalogname[0] != '\0' || name.name[0] == '\0')
        return true;
    for (size_t i = 0; i < gathered->names.len; i++)
        if (str_eq(gathered->names.items[i].name, name.name) &&
            str_eq(gathered->names.items[i].schema, name.schema))
            return true;
    *vec_push(gathered->arena, &gathered->names) = name;
    return true;
}

void names_gather(Arena *arena, PgQuery__Node *node, const Name **ret_names, size_t *ret_count)
{
    Gathered gathered = {.arena = arena};
    tree_walk_messages(node, gather_relation, &gathered);
    *ret_names = gathered.names.items;
    *ret_count = gathered.names.len;
}

/* ---- identifiers ---------------------------------------------------------------------------- */

static int compare_words(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void gather_words(Arena *arena, const char *text, Words *words, bool bodies)
{
    TreeFault fault;
    Tokens tokens = tree_scan(arena, text, &fault);
    for (size_t i = 0; i < tokens.len; i++) {
        const Token *token = &tokens.items[i];
        char first = text[token->start];
        bool letter = (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z') || first == '_' ||
                      first == '"' || (unsigned char)first >= 0x80;
        if (token->kind == PG_QUERY__TOKEN__SCONST && bodies && token->end - token->start > 2) {
            size_t open = first == '$' ? strcspn(text + token->start + 1, "$") + 2 : 1;
            if (token->end - token->start >= 2 * open)
                gather_words(
                    arena,
                    arena_dupn(arena, text + token->start + open, token->end - token->start - 2 * open),
                    words, false);
        } else if (letter && !token_is_comment(token) && token->kind != PG_QUERY__TOKEN__SCONST) {
            *vec_push(arena, words) = token_word(arena, text, token);
        }
    }
}

void mentions_gather(Arena *arena, const char *text, const char *const **ret_words, size_t *ret_count)
{
    Words words = {0};
    gather_words(arena, text, &words, true);
    if (words.len > 1)
        qsort(words.items, words.len, sizeof words.items[0], compare_words);
    size_t kept = 0;
    for (size_t i = 0; i < words.len; i++)
        if (kept == 0 || !str_eq(words.items[kept - 1], words.items[i]))
            words.items[kept++] = words.items[i];
    *ret_words = words.items;
    *ret_count = kept;
}
