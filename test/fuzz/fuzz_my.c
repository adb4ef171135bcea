/* libFuzzer target: any bytes as SQL of MySQL or MariaDB. Nothing may crash; every range lies within the
 * source, ranges in a row are ordered and disjoint, a token read by itself is the same token, and a text
 * without its comments means the same. The first byte picks the dialect. */
#include "base/str.h"
#include "change/parse_my.h"
#include "change/split_my.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static MyDialect pick_dialect(uint8_t byte)
{
    static const int versions[] = {50640, 50744, 80034, 90100, 100339, 101119, 110800, 120000};
    int version = versions[byte & 7];
    return (MyDialect){.mariadb = version > 100000,
                       .version = version,
                       .ansi_quotes = (byte & 8) != 0,
                       .no_backslash_escapes = (byte & 16) != 0};
}

/* ---- tokens --------------------------------------------------------------------------------- */

static bool is_code(const MyToken *token)
{
    return token->kind != MY_TOKEN_COMMENT && token->kind != MY_TOKEN_MARK;
}

static void check_alone(Arena *arena, const MyDialect *dialect, const char *text, const MyToken *token)
{
    if (token->kind == MY_TOKEN_MARK || token->member)
        return;
    MyFault fault;
    MyTokens alone = my_lex(arena, dialect, text, token->start, token->end, &fault);
    require(fault.message == NULL && alone.len == 1);
    require(alone.items[0].kind == token->kind && alone.items[0].start == token->start &&
            alone.items[0].end == token->end);
    if (token->kind == MY_TOKEN_WORD || token->kind == MY_TOKEN_QUOTED)
        require(my_token_name(arena, text, token) != NULL);
}

static MyTokens check_tokens(Arena *arena, const MyDialect *dialect, const char *text, size_t len,
                             MyFault *ret_fault)
{
    MyTokens tokens = my_lex(arena, dialect, text, 0, len, ret_fault);
    size_t at = 0;
    for (size_t i = 0; i < tokens.len; i++) {
        const MyToken *token = &tokens.items[i];
        require(token->start >= at && token->end > token->start && token->end <= len);
        at = token->end;
        check_alone(arena, dialect, text, token);
    }
    if (ret_fault->message != NULL)
        require(ret_fault->offset < len);
    return tokens;
}

/* Tokens of code stand at the same places in my_plain(). */
static void check_plain(Arena *arena, const MyDialect *dialect, const char *text, size_t len)
{
    MyFault fault;
    MyTokens tokens = check_tokens(arena, dialect, text, len, &fault);
    const char *plain = my_plain(arena, dialect, text, 0, len);
    require(plain == NULL || fault.message == NULL);
    if (plain == NULL) {
        require(fault.message != NULL || memmem(text, len, "--", 2) != NULL);
        return;
    }
    MyTokens again = my_lex(arena, dialect, plain, 0, len, &fault);
    require(fault.message == NULL);
    size_t next = 0;
    for (size_t i = 0; i < tokens.len; i++) {
        if (!is_code(&tokens.items[i]))
            continue;
        while (next < again.len && again.items[next].kind == MY_TOKEN_COMMENT)
            next++;
        require(next < again.len && again.items[next].kind == tokens.items[i].kind &&
                again.items[next].start == tokens.items[i].start &&
                again.items[next].end == tokens.items[i].end &&
                again.items[next].member == tokens.items[i].member);
        next++;
    }
    for (; next < again.len; next++)
        require(again.items[next].kind == MY_TOKEN_COMMENT);
}

/* ---- statements ----------------------------------------------------------------------------- */

static void inside(MySpan span, MySpan outer)
{
    require(span.start <= span.end);
    if (my_span_is(span))
        require(span.start >= outer.start && span.end <= outer.end);
}

static void check_word(const MyWord *word, MySpan outer)
{
    inside(word->span, outer);
    require((word->text != NULL) == my_span_is(word->span));
}

static void check_name(const MyName *name, MySpan outer)
{
    inside(name->span, outer);
    inside(name->own, name->span);
    require((name->name != NULL) == my_span_is(name->own));
}

static void check_column(const MyColumnSpec *column, MySpan outer)
{
    inside(column->span, outer);
    const MySpan spans[] = {column->type,    column->default_value, column->on_update,
                            column->comment, column->charset,       column->collate,
                            column->check,   column->generated,     column->references_clause,
                            column->extra,   column->position};
    for (size_t i = 0; i < ARRAY_LEN(spans); i++)
        inside(spans[i], column->span);
    require(my_span_is(column->type) && column->type.start >= column->name.span.end);
    check_word(&column->name, column->span);
    check_word(&column->after, column->span);
    check_word(&column->check_name, column->span);
    check_name(&column->references, column->span);
}

static void check_key(const MyKey *key, MySpan outer)
{
    const MySpan spans[] = {key->parts_span,       key->options,   key->expr,
                            key->references_parts, key->on_delete, key->on_update};
    for (size_t i = 0; i < ARRAY_LEN(spans); i++)
        inside(spans[i], outer);
    check_word(&key->constraint, outer);
    check_word(&key->name, outer);
    check_name(&key->references, outer);
    size_t at = key->parts_span.start;
    for (size_t i = 0; i < key->part_count; i++) {
        inside(key->parts[i].span, key->parts_span);
        if (!my_span_is(key->parts[i].span))
            continue;
        require(key->parts[i].span.start >= at);
        at = key->parts[i].span.end;
    }
}

static void check_actions(const MyAction *actions, size_t count, MySpan outer, bool items)
{
    size_t at = outer.start;
    for (size_t i = 0; i < count; i++) {
        const MyAction *action = &actions[i];
        require(action->kind < MY_ACTION_COUNT && my_action_words(action->kind) != NULL);
        inside(action->span, outer);
        if (action->kind != MY_ACTION_OTHER)
            require(my_span_is(action->span));
        if (my_span_is(action->span)) {
            require(action->span.start >= at);
            at = action->span.end;
        }
        check_word(&action->name, action->span);
        check_word(&action->new_name, action->span);
        check_name(&action->table, action->span);
        inside(action->value, action->span);
        if (action->column != NULL)
            check_column(action->column, action->span);
        if (action->key != NULL)
            check_key(action->key, action->span);
        require(!items || action->item_count == 0);
        if (!items)
            check_actions(action->items, action->item_count, action->span, true);
    }
}

static void check_ranges(const MyStatement *statement, MySpan span)
{
    inside(statement->span, span);
    for (size_t i = 0; i < statement->name_count; i++) {
        check_name(&statement->names[i], statement->span);
        require(statement->names[i].name != NULL);
        if (statement->new_names != NULL)
            check_name(&statement->new_names[i], statement->span);
    }
    const MySpan spans[] = {statement->wait_span,       statement->wait_value, statement->algorithm.span,
                            statement->algorithm.value, statement->lock.span,  statement->lock.value,
                            statement->query,           statement->tail};
    for (size_t i = 0; i < ARRAY_LEN(spans); i++)
        inside(spans[i], statement->span);
    check_name(&statement->like, statement->span);
    check_word(&statement->index, statement->span);
    if (statement->key != NULL)
        check_key(statement->key, statement->span);
    check_actions(statement->actions, statement->action_count, statement->span, false);
}

/* An ALTER TABLE that was taken apart and put together does the same. */
static void check_again(Arena *arena, const MyDialect *dialect, const char *text,
                        const MyStatement *statement)
{
    bool known = statement->kind == MY_STATEMENT_ALTER_TABLE;
    for (size_t i = 0; i < statement->action_count; i++)
        known = known && statement->actions[i].kind != MY_ACTION_OTHER;
    if (!known || statement->action_count > 100)
        return;
    bool keep[100];
    memset(keep, 1, sizeof keep);
    const char *sql = my_alter_with(arena, text, statement, keep);
    MyStatement again;
    MyFault fault;
    require(my_parse(arena, dialect, sql, (MySpan){0, strlen(sql)}, &again, &fault));
    require(again.kind == statement->kind && again.action_count == statement->action_count);
    for (size_t i = 0; i < again.action_count; i++)
        require(again.actions[i].kind == statement->actions[i].kind);
}

static void check_statement(Arena *arena, const MyDialect *dialect, const char *text, MySpan span)
{
    MyStatement statement, plain;
    MyFault fault;
    if (!my_parse(arena, dialect, text, span, &statement, &fault)) {
        require(fault.offset >= span.start && fault.offset < span.end);
        return;
    }
    check_ranges(&statement, span);
    const char *sql = my_plain(arena, dialect, text, span.start, span.end);
    if (sql == NULL)
        return;
    require(my_parse(arena, dialect, sql, (MySpan){0, span.end - span.start}, &plain, &fault));
    require(plain.kind == statement.kind && plain.action_count == statement.action_count);
    require(str_eq(plain.verb, statement.verb) && !plain.executed);
    if (memchr(sql, '\0', span.end - span.start) == NULL)
        check_again(arena, dialect, sql, &plain);
}

static void check_split(Arena *arena, const MyDialect *dialect, const char *text, size_t len)
{
    MySplit split = my_split(arena, dialect, text, len);
    size_t at = 0;
    for (size_t i = 0; i < split.pieces.len; i++) {
        const MyPiece *piece = &split.pieces.items[i];
        require(piece->whole.start >= at && piece->whole.end <= len);
        inside(piece->span, piece->whole);
        require(my_span_is(piece->span) && !my_is_space(text[piece->span.start]));
        at = piece->whole.end;
        int line = 1;
        for (size_t k = 0; k < piece->span.start; k++)
            line += text[k] == '\n' ? 1 : 0;
        require(piece->line == line);
        check_statement(arena, dialect, text, piece->span);
    }
    for (size_t i = 0; i < split.notes.len; i++) {
        const MyNote *note = &split.notes.items[i];
        require(note->span.start <= note->span.end && note->span.end <= len && note->line >= 1);
        require(note->piece <= split.pieces.len);
    }
    for (size_t i = 0; i < split.faults.len; i++)
        require(split.faults.items[i].offset < len && split.faults.items[i].message != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    MyDialect dialect = pick_dialect(data[0]);
    size_t len = size - 1;
    char *text = malloc(len == 0 ? 1 : len); /* exactly as long: nothing may be read behind it */
    require(text != NULL);
    memcpy(text, data + 1, len);
    Arena *arena = arena_new();
    check_plain(arena, &dialect, text, len);
    check_split(arena, &dialect, text, len);
    check_statement(arena, &dialect, text, (MySpan){0, len});
    arena_free(arena);
    free(text);
    return 0;
}
