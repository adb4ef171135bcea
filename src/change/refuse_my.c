/* Statements of MySQL and MariaDB that are not carried out, by their plain names, with their reasons. */
#include "change/refuse_my.h"

#include "base/str.h"

#include <string.h>

typedef struct Refusal {
    const char *what; /* the verb's beginning, or an action's words */
    const char *reason, *hint;
} Refusal;

static const char hint_rows[] =
    "rows are changed by the application; a new column is filled by \"-- stoa: backfill table.column = …\"";
static const char hint_by_hand[] = "run it by hand, apart from the change";

static const Refusal statements[] = {
    {"INSERT", "INSERT changes rows, not the schema", hint_rows},
    {"UPDATE", "UPDATE changes rows, not the schema", hint_rows},
    {"DELETE", "DELETE changes rows, not the schema", hint_rows},
    {"REPLACE", "REPLACE changes rows, not the schema", hint_rows},
    {"LOAD", "LOAD changes rows, not the schema", hint_rows},
    {"SELECT", "SELECT changes nothing", NULL},
    {"USE", "the database is the one that --url names", "leave USE out"},
    {"SET", "settings of a session have no meaning here: Stoa's sessions have their own", "leave it out"},
    {"OPTIMIZE", "OPTIMIZE TABLE rebuilds the table under the server's own choice of locks",
     "write: ALTER TABLE … FORCE"},
    {"REPAIR", "REPAIR TABLE holds the table while it runs", hint_by_hand},
    {"ANALYZE", "ANALYZE TABLE changes no schema", hint_by_hand},
    {"LOCK", "Stoa takes its own locks", "leave it out"},
    {"UNLOCK", "Stoa takes its own locks", "leave it out"},
    {"CREATE TRIGGER", "triggers are not carried out yet", hint_by_hand},
    {"DROP TRIGGER", "triggers are not carried out yet", hint_by_hand},
    {"CREATE DATABASE", "a database is made for a change, not by one", hint_by_hand},
    {"CREATE SCHEMA", "a database is made for a change, not by one", hint_by_hand},
    {"DROP DATABASE", "dropping a database takes everything away at once", hint_by_hand},
    {"DROP SCHEMA", "dropping a database takes everything away at once", hint_by_hand},
    {"GRANT", "accounts and grants are not part of a schema change", hint_by_hand},
    {"REVOKE", "accounts and grants are not part of a schema change", hint_by_hand},
    {"ALTER VIEW", "a view is made anew as a whole", "write: CREATE OR REPLACE VIEW …"},
};

/* Of statements about objects that Stoa does not carry out ("CREATE EVENT"): all of them are two words. */
static bool is_verb(const char *verb)
{
    static const char *const one[] = {"CALL",  "DO",    "HANDLER", "FLUSH",    "RESET", "KILL",
                                      "SHOW",  "CHECK", "PREPARE", "EXECUTE",  "XA",    "CHANGE",
                                      "START", "STOP",  "INSTALL", "UNINSTALL"};
    if (strchr(verb, ' ') != NULL)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(one); i++)
        if (str_eq(verb, one[i]))
            return true;
    return false;
}

ErrKind refuses_other(Arena *arena, const MyStatement *statement, const char **ret_reason,
                      const char **ret_hint)
{
    const char *verb = statement->verb != NULL ? statement->verb : "this";
    for (size_t i = 0; i < ARRAY_LEN(statements); i++) {
        size_t len = strlen(statements[i].what);
        if (strncmp(verb, statements[i].what, len) != 0 || (verb[len] != '\0' && verb[len] != ' '))
            continue;
        *ret_reason = statements[i].reason;
        *ret_hint = statements[i].hint;
        return ERR_UNSAFE;
    }
    static const char *const own[] = {"ALTER TABLE",  "CREATE TABLE", "DROP TABLE",
                                      "RENAME TABLE", "CREATE INDEX", "DROP INDEX"};
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (str_eq(verb, own[i])) {
            *ret_reason = arena_printf(arena, "this %s is not understood to its last word", verb);
            *ret_hint = "is there a word too many, or a quote that does not end?";
            return ERR_USAGE;
        }
    *ret_reason = arena_printf(arena, "%s is no statement that Stoa carries out", verb);
    *ret_hint = hint_by_hand;
    if (is_verb(verb))
        return ERR_UNSAFE;
    *ret_reason = arena_printf(arena, "no statement that is known begins so: %s", verb);
    *ret_hint = "look at its first two words";
    return ERR_USAGE;
}

/* What takes rows away without a way back, or is about files, not definitions. */
static const char *action_reason(const MyAction *action, const char **ret_hint)
{
    static const char *const taking[] = {"DROP", "TRUNCATE", "EXCHANGE", "DISCARD", "IMPORT", "CONVERT"};
    *ret_hint = hint_by_hand;
    if (action->kind == MY_ACTION_DISCARD_TABLESPACE || action->kind == MY_ACTION_IMPORT_TABLESPACE)
        return "tablespaces are files, which Stoa does not move";
    if (action->kind == MY_ACTION_DISABLE_KEYS || action->kind == MY_ACTION_ENABLE_KEYS)
        return "ENABLE and DISABLE KEYS have no effect on InnoDB tables";
    if (action->kind == MY_ACTION_VALIDATION)
        return "WITHOUT VALIDATION leaves rows that do not fit";
    for (size_t i = 0; action->kind == MY_ACTION_PARTITION && i < ARRAY_LEN(taking); i++)
        if (str_eq(action->option, taking[i]))
            return "taking partitions away, or giving them to another table, takes their rows at once, and "
                   "there is no way back";
    return NULL;
}

bool refuses_alter(const MyStatement *statement, const char **ret_reason, const char **ret_hint)
{
    if (statement->ignore) {
        *ret_reason = "ALTER IGNORE TABLE drops rows that are in the way without a word";
        *ret_hint = "leave IGNORE out: duplicates are found and named before anything is changed";
        return true;
    }
    if (statement->temporary) {
        *ret_reason = "a temporary table lives in the session that makes it";
        *ret_hint = NULL;
        return true;
    }
    for (size_t i = 0; i < statement->action_count; i++) {
        *ret_reason = action_reason(&statement->actions[i], ret_hint);
        if (*ret_reason != NULL)
            return true;
    }
    return false;
}

bool is_frame_my(const char *text)
{
    static const char *const frames[] = {"BEGIN", "BEGIN WORK", "START TRANSACTION", "COMMIT", "COMMIT WORK"};
    for (size_t i = 0; i < ARRAY_LEN(frames); i++)
        if (strcasecmp(text, frames[i]) == 0)
            return true;
    return false;
}
