/* Statements of MySQL and MariaDB as acts. */
#include "change/act_my.h"

#include "base/str.h"
#include "change/split_my.h"

#include <string.h>

const char *act_keep_my(const ActReaderMy *reader, const char *text)
{
    return text == NULL ? NULL : arena_dup(reader->arena, text);
}

Name act_name_my(const ActReaderMy *reader, const MyName *name)
{
    return (Name){.schema = act_keep_my(reader, name->database), .name = act_keep_my(reader, name->name)};
}

const char *act_span_my(const ActReaderMy *reader, MySpan span)
{
    return my_span_is(span) ? arena_dupn(reader->arena, reader->text + span.start, span.end - span.start)
                            : NULL;
}

Act *act_add_my(ActReaderMy *reader, ActKind kind, const char *words)
{
    Act *act = vec_push(reader->scratch, &reader->acts);
    *act = (Act){.kind = kind,
                 .words = words,
                 .start = reader->start,
                 .end = reader->end,
                 .function = reader->function,
                 .actions = 1};
    return act;
}

void act_unknown_my(ActReaderMy *reader, const char *words, const char *reason)
{
    act_add_my(reader, ACT_UNKNOWN, words)->reason = reason;
}

static void read_names(ActReaderMy *reader, const MyStatement *my, ActKind kind)
{
    for (size_t i = 0; i < my->name_count; i++) {
        Act *act = act_add_my(reader, kind, act_keep_my(reader, my->verb));
        act->table = act_name_my(reader, &my->names[i]);
        act->name = act->table.name;
        act->value = "TABLE";
        act->flags |= (my->if_exists ? ACT_IF_EXISTS : 0) | (my->temporary ? ACT_TEMPORARY : 0) |
                      (my->wait != MY_WAIT_DEFAULT ? ACT_WAITS : 0);
        if (kind == ACT_RENAME_TABLE)
            act->new_name = act_keep_my(reader, my->new_names[i].name);
    }
}

/* A statement with executed comments in it is read as this server would. */
void act_read_span_my(ActReaderMy *reader, MySpan span)
{
    MyFault fault = {0};
    MyStatement my = {0};
    if (!my_parse(reader->scratch, reader->dialect, reader->text, span, &my, &fault)) {
        act_unknown_my(reader, "statement", "it does not parse");
        reader->acts.items[reader->acts.len - 1].value = act_keep_my(reader, fault.message);
        return;
    }
    switch (my.kind) {
    case MY_STATEMENT_EMPTY:
        (void)act_add_my(reader, ACT_OTHER, "");
        break;
    case MY_STATEMENT_ALTER_TABLE:
        act_read_alter_my(reader, &my);
        break;
    case MY_STATEMENT_CREATE_TABLE:
        act_read_create_my(reader, &my);
        break;
    case MY_STATEMENT_DROP_TABLE:
        read_names(reader, &my, ACT_DROP_TABLE);
        break;
    case MY_STATEMENT_RENAME_TABLE:
        read_names(reader, &my, ACT_RENAME_TABLE);
        break;
    case MY_STATEMENT_TRUNCATE:
        read_names(reader, &my, ACT_TRUNCATE);
        break;
    case MY_STATEMENT_CREATE_INDEX:
    case MY_STATEMENT_DROP_INDEX:
        act_read_index_my(reader, &my);
        break;
    case MY_STATEMENT_OTHER:
        act_read_other_my(reader, &my);
        break;
    }
}

static void add_statement(ActReaderMy *reader, ActStatements *statements)
{
    if (reader->acts.len == 0)
        (void)act_add_my(reader, ACT_OTHER, "");
    ActStatement *statement = vec_push(reader->arena, statements);
    *statement = (ActStatement){.start = reader->start, .end = reader->end};
    statement->acts.items = arena_alloc(reader->arena, reader->acts.len * sizeof(Act));
    statement->acts.len = statement->acts.cap = reader->acts.len;
    memcpy(statement->acts.items, reader->acts.items, reader->acts.len * sizeof(Act));
    for (size_t i = 0; i < reader->acts.len; i++)
        statement->unknown = statement->unknown || reader->acts.items[i].kind == ACT_UNKNOWN;
}

/* "stoa:" begins before what the splitter keeps. */
static size_t note_start(const char *text, size_t at, size_t limit)
{
    static const char mark[] = "stoa:";
    while (at > limit && at >= sizeof mark - 1 &&
           memcmp(text + at - (sizeof mark - 1), mark, sizeof mark - 1) != 0)
        at--;
    return at >= sizeof mark - 1 ? at - (sizeof mark - 1) : 0;
}

void acts_my(Arena *arena, Arena *scratch, const MyDialect *dialect, const char *text, size_t start,
             size_t end, ActStatements *ret_statements, ActComments *ret_comments)
{
    /* a copy, since the splitter reads from the beginning of a text; offsets are set right afterwards */
    const char *part = start == 0 && text[end] == '\0' ? text : arena_dupn(arena, text + start, end - start);
    MySplit split = my_split(arena, dialect, part, end - start);
    size_t first = ret_statements->len;
    for (size_t i = 0; i < split.notes.len; i++)
        *vec_push(arena, ret_comments) =
            (ActComment){start + note_start(part, split.notes.items[i].span.start, 0),
                         start + split.notes.items[i].span.end};
    for (size_t i = 0; i < split.pieces.len; i++) {
        const MyPiece *piece = &split.pieces.items[i];
        ActReaderMy reader = {.arena = arena,
                              .scratch = scratch,
                              .dialect = dialect,
                              .text = part,
                              .start = piece->span.start,
                              .end = piece->span.end};
        if (piece->cut)
            act_unknown_my(&reader, "stored program", "a delimiter cuts it; write DELIMITER around it");
        else
            act_read_span_my(&reader, piece->span);
        add_statement(&reader, ret_statements);
        arena_clear(scratch);
    }
    for (size_t i = 0; i < split.faults.len; i++) {
        ActReaderMy reader = {.arena = arena,
                              .scratch = scratch,
                              .dialect = dialect,
                              .text = part,
                              .start = split.faults.items[i].offset,
                              .end = end - start};
        act_unknown_my(&reader, "text", split.faults.items[i].message);
        add_statement(&reader, ret_statements);
        arena_clear(scratch);
    }
    for (size_t i = first; i < ret_statements->len; i++) {
        ActStatement *statement = &ret_statements->items[i];
        statement->start += start;
        statement->end += start;
        for (size_t j = 0; j < statement->acts.len; j++) {
            statement->acts.items[j].start += start;
            statement->acts.items[j].end += start;
        }
    }
}
