/* Statements of MySQL and MariaDB written anew. */
#include "change/text_my.h"

#include "base/str.h"
#include "engine/sql.h"

char *my_text(Arena *arena, const char *text, MySpan span)
{
    return arena_dupn(arena, text + span.start, span.end - span.start);
}

const char *my_canonical(Arena *arena, const MyDialect *dialect, const char *text, size_t start, size_t end,
                         MyFault *ret_fault)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    MyTokens tokens = my_lex(arena, dialect, text, start, end, ret_fault);
    if (ret_fault->message != NULL)
        return NULL;
    size_t last_end = start;
    for (size_t i = 0; i < tokens.len; i++) {
        const MyToken *token = &tokens.items[i];
        if (token->kind == MY_TOKEN_COMMENT || token->kind == MY_TOKEN_MARK)
            continue;
        bool gap = token->start > last_end;
        if (gap && out.len >= 2 && out.buf[out.len - 1] == '-' && out.buf[out.len - 2] == '-') {
            *ret_fault = (MyFault){.message = "\"--\" stands before a comment and would begin one itself",
                                   .hint = "put a space between the two signs",
                                   .offset = last_end};
            return NULL;
        }
        if (gap)
            str_sep(&out, " ");
        str_addn(&out, text + token->start, token->end - token->start);
        last_end = token->end;
    }
    return arena_dup(arena, out.buf);
}

static bool is_clause(MyActionKind kind) { return kind == MY_ACTION_ALGORITHM || kind == MY_ACTION_LOCK; }

static void add_action(Str *out, const char *text, MySpan span, const char *before, bool behind_comma)
{
    str_add(out, behind_comma ? ", " : " ");
    str_add(out, before);
    str_addn(out, text + span.start, span.end - span.start);
}

const char *my_alter_sql(Arena *arena, const char *table, const char *text, const MyStatement *statement,
                         const bool *keep)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    size_t count = 0;
    str_addf(&out, "ALTER TABLE %s", sql_backtick(arena, table));
    for (size_t i = 0; i < statement->action_count; i++) {
        const MyAction *action = &statement->actions[i];
        bool apart = action->kind == MY_ACTION_PARTITION_BY || action->kind == MY_ACTION_REMOVE_PARTITIONING;
        if (is_clause(action->kind) || !my_span_is(action->span) || (keep != NULL && !keep[i]))
            continue;
        if (action->kind != MY_ACTION_ADD_LIST)
            add_action(&out, text, action->span, "", count++ > 0 && !apart);
        for (size_t j = 0; action->kind == MY_ACTION_ADD_LIST && j < action->item_count; j++)
            add_action(&out, text, action->items[j].span,
                       action->items[j].kind == MY_ACTION_ADD_COLUMN ? "ADD COLUMN " : "ADD ", count++ > 0);
    }
    return count == 0 ? NULL : arena_dup(arena, out.buf);
}
