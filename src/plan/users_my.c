/* Triggers and views whose text names a column that goes, or gets another name: the servers let that happen,
 * and then each write, or each use of the view, fails (1054, 1356;
 * seen on MariaDB 10.11 and 11.8, MySQL 9.7 and 5.6). */
#include "change/lex_my.h"
#include "plan/maker_my.h"

#include <string.h>

/* The column's name as it was, of an action after which there is none of that name; NULL. */
static const char *goes(const AskedMy *asked, const MyAction *action)
{
    bool drops = action->kind == MY_ACTION_DROP_COLUMN || action->kind == MY_ACTION_RENAME_COLUMN ||
                 action->kind == MY_ACTION_CHANGE_COLUMN;
    bool stays = drops && asked->after != NULL && column_my(asked->after, action->name.text) != NULL;
    return drops && !stays ? action->name.text : NULL;
}

static bool names_word(MakerMy *maker, const char *text, const char *word)
{
    MyDialect lexis = *maker->input->change->operations[0].lexis;
    lexis.ansi_quotes = lexis.no_backslash_escapes =
        false; /* as the server keeps it, if not as it was read */
    MyFault fault = {0};
    MyTokens tokens = my_lex(maker->arena, &lexis, text, 0, strlen(text), &fault);
    for (size_t i = 0; i < tokens.len; i++) {
        const MyToken *token = &tokens.items[i];
        bool name = token->kind == MY_TOKEN_WORD || token->kind == MY_TOKEN_QUOTED;
        if (name && strcasecmp(my_token_name(maker->arena, text, token), word) == 0)
            return true;
    }
    return fault.message != NULL && strcasestr(text, word) != NULL; /* not read to its end */
}

/* The change itself makes the view anew, or drops it. */
static bool is_remade(const MakerMy *maker, const MyUser *user)
{
    const Change *change = maker->input->change;
    for (size_t i = 0; i < change->operation_count && user->table == NULL; i++) {
        const Operation *operation = &change->operations[i];
        if (operation->my->kind == MY_STATEMENT_OTHER && str_starts(user->what, "view ") &&
            strcasecmp(user->what + strlen("view "), operation->table.name) == 0)
            return true;
    }
    return false;
}

void users_note_my(MakerMy *maker, const Table *table, const AskedMy *asked)
{
    for (size_t i = 0; table->my != NULL && i < asked->my->action_count; i++) {
        const char *column = goes(asked, &asked->my->actions[i]);
        for (size_t k = 0; column != NULL && k < table->my->user_count; k++) {
            const MyUser *user = &table->my->users[k];
            if (is_remade(maker, user) || !names_word(maker, user->text, column))
                continue;
            bool trigger = user->table != NULL;
            maker_risk_my(
                maker, trigger ? "triggers" : "view", trigger ? "--accept-triggers" : "--accept-view",
                arena_printf(
                    maker->arena,
                    "%s names %s, which will not be there any more under that name: if it means the "
                    "column of %s, %s",
                    user->what, column, table->name,
                    trigger ? "every write that fires it fails from then on; change it in a change before"
                            : "every use of the view fails from then on; write a CREATE OR REPLACE "
                              "VIEW into this change, or drop the view"));
        }
    }
}

void users_note_name_my(MakerMy *maker, const Table *table)
{
    for (size_t i = 0; table->my != NULL && i < table->my->user_count; i++) {
        const MyUser *user = &table->my->users[i];
        bool own = user->table != NULL && str_eq(user->table, table->name);
        if (own || is_remade(maker, user) || !names_word(maker, user->text, table->name))
            continue;
        bool trigger = user->table != NULL;
        maker_risk_my(maker, trigger ? "triggers" : "view", trigger ? "--accept-triggers" : "--accept-view",
                      arena_printf(maker->arena, "%s names the table %s, and fails once that is gone",
                                   user->what, table->name));
    }
}
