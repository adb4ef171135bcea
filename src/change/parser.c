/* What the parts of the parser share: places, problems, names. */
#include "change/parser.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

void text_position(const char *text, size_t offset, int *ret_line, int *ret_column)
{
    int line = 1, column = 1;
    for (size_t i = 0; i < offset && text[i] != '\0'; i++) {
        if (text[i] == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)text[i] & 0xC0) != 0x80) {
            column++;
        }
    }
    /* A place inside a character is that character's. */
    if (((unsigned char)text[offset] & 0xC0) == 0x80)
        column--;
    *ret_line = line;
    *ret_column = column;
}

void parser_problem(Parser *parser, ErrKind kind, size_t offset, const char *hint, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *message = mem_format(fmt, args);
    va_end(args);
    Problem problem = {.kind = kind,
                       .message = arena_dup(parser->arena, message),
                       .hint = hint == NULL ? NULL : arena_dup(parser->arena, hint)};
    free(message);
    if (offset != NOWHERE)
        text_position(parser->text, offset, &problem.line, &problem.column);
    *vec_push(parser->arena, &parser->problems) = problem;
}

void parser_refuse(const Statement *stmt, const char *what, const char *why, const char *hint)
{
    parser_problem(stmt->parser, ERR_UNSAFE, stmt->start, hint, "%s %s", what, why);
}

void parser_inexact(const Statement *stmt)
{
    parser_problem(stmt->parser, ERR_UNSAFE, stmt->start,
                   "write it in a simpler way, for example with more parentheses or as several statements",
                   "the statement cannot be written back exactly, so it is not carried out");
}

const char *parser_sql(const Statement *stmt, PgQuery__Node *node)
{
    const char *sql = tree_sql(stmt->parser->arena, node);
    if (sql == NULL)
        parser_inexact(stmt);
    return sql;
}

Operation *parser_add(const Statement *stmt, OperationKind kind, const char *sql)
{
    Parser *parser = stmt->parser;
    Operation *operation = vec_push(parser->arena, &parser->operations);
    int column;
    *operation = (Operation){.kind = kind, .sql = sql};
    text_position(parser->text, stmt->start, &operation->line, &column);
    return operation;
}

/* To its last token: a comment behind it would swallow what follows. */
const char *statement_text(const Statement *stmt)
{
    const Tokens *tokens = &stmt->parser->tokens;
    size_t end = stmt->start;
    for (size_t i = stmt->parser->next_token; i < tokens->len && tokens->items[i].end <= stmt->end; i++)
        if (!token_is_comment(&tokens->items[i]))
            end = tokens->items[i].end;
    return arena_dupn(stmt->parser->arena, stmt->parser->text + stmt->start, end - stmt->start);
}

Name relation_name(const PgQuery__RangeVar *relation)
{
    return (Name){.schema = relation->schemaname[0] == '\0' ? NULL : relation->schemaname,
                  .name = relation->relname};
}

bool name_same(Name a, Name b)
{
    bool name = str_eq(a.name, b.name);
    return name && (a.schema == NULL || b.schema == NULL || str_eq(a.schema, b.schema));
}

bool parser_made(const Parser *parser, Name name)
{
    for (size_t i = 0; i < parser->made.len; i++)
        if (name_same(parser->made.items[i], name))
            return true;
    return false;
}

static bool database_in_front(const Statement *stmt)
{
    parser_problem(stmt->parser, ERR_USAGE, stmt->start,
                   "write schema.table, and choose the database by --url",
                   "a name with a database in front is not possible");
    return false;
}

bool parser_relation(const Statement *stmt, const PgQuery__RangeVar *relation, Name *ret_name)
{
    if (relation == NULL || relation->catalogname[0] != '\0')
        return database_in_front(stmt);
    *ret_name = relation_name(relation);
    return true;
}

bool parser_dotted(const Statement *stmt, PgQuery__Node *const *words, size_t count, Name *ret_name)
{
    if (count < 1 || count > 2)
        return database_in_front(stmt);
    const char *last = tree_string_of(words[count - 1]);
    const char *first = count == 2 ? tree_string_of(words[0]) : NULL;
    if (last == NULL || (count == 2 && first == NULL))
        return database_in_front(stmt);
    *ret_name = (Name){.schema = first, .name = last};
    return true;
}

const char *const *parser_words(Arena *arena, PgQuery__Node *const *nodes, size_t count)
{
    const char **words = arena_alloc(arena, (count + 1) * sizeof *words);
    for (size_t i = 0; i < count; i++) {
        const char *word = tree_string_of(nodes[i]);
        words[i] = word == NULL ? "" : word;
    }
    return words;
}

enum { WORD_BYTES = 64 };

/* Edit distance; words longer than an identifier are never near. */
static size_t word_distance(const char *a, const char *b)
{
    size_t len_a = strlen(a), len_b = strlen(b), row[WORD_BYTES + 1];
    if (len_a > WORD_BYTES || len_b > WORD_BYTES)
        return SIZE_MAX;
    for (size_t j = 0; j <= len_b; j++)
        row[j] = j;
    for (size_t i = 1; i <= len_a; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= len_b; j++) {
            size_t change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            size_t insert = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            row[j] = change < insert ? change : insert;
        }
    }
    return row[len_b];
}

const char *word_nearest(const char *word, const char *const *words, size_t count)
{
    size_t best = strlen(word) / 3 + 2;
    const char *res = NULL;
    for (size_t i = 0; i < count; i++) {
        size_t distance = word_distance(word, words[i]);
        if (distance < best && distance < strlen(words[i])) {
            best = distance;
            res = words[i];
        }
    }
    return res;
}
