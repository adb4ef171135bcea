/* Rules about what statements do to each other: transactions, timeouts, order. */
#include "base/str.h"
#include "change/split_pg.h"
#include "check/fix.h"
#include "check/rule.h"

#include <string.h>

static bool has(const RuleCall *call, unsigned flag) { return (call->act->flags & flag) != 0; }

static bool is_called(const Act *act) { return act->function != NULL && act->function[0] != '\0'; }

static bool is_made(const RuleCall *call) { return known_is_made(call->stream->known, call->act->table); }

/* ---- timeouts ------------------------------------------------------------------------------- */

static bool is_set(const StreamSetting *setting) { return setting->session || setting->local; }

static bool match_lock_timeout(RuleCall *call)
{
    Stream *stream = call->stream;
    if (stream->told_timeout || is_set(&stream->lock_timeout) || is_called(call->act) ||
        !stream_is_strong(stream, call->act))
        return false;
    return stream->told_timeout = true;
}

static bool match_statement_timeout(RuleCall *call)
{
    Stream *stream = call->stream;
    if (stream->told_statement_timeout || is_set(&stream->statement_timeout) || is_called(call->act) ||
        !stream_is_strong(stream, call->act))
        return false;
    return stream->told_statement_timeout = true;
}

static bool match_lock_wait_timeout(RuleCall *call)
{
    Stream *stream = call->stream;
    if (stream->told_timeout || is_set(&stream->lock_timeout) || is_called(call->act) ||
        has(call, ACT_WAITS) || !act_is_definition(call->act) || call->act->table.name == NULL ||
        is_made(call) || call->act->kind == ACT_CREATE_TABLE || call->act->kind == ACT_CREATE_FUNCTION ||
        call->act->kind == ACT_DROP_DATABASE || call->act->kind == ACT_DROP_OTHER)
        return false;
    return stream->told_timeout = true;
}

static bool is_setting(const Act *act, const char *name)
{
    return act->name != NULL && strcasecmp(act->name, name) == 0 && (act->flags & ACT_RESET) == 0;
}

enum { LONG_LOCK_TIMEOUT_MS = 10000 };

static bool match_timeout_off(RuleCall *call)
{
    return is_setting(call->act, "lock_timeout") && !call->stream->dump && call->act->value != NULL &&
           strspn(call->act->value, "0") > 0 &&
           strspn(call->act->value, "0msin ") == strlen(call->act->value);
}

/* The stream reads the value; the rule sees it before, so it reads it by a stream of its own. */
static bool match_timeout_long(RuleCall *call)
{
    bool lock = is_setting(call->act, "lock_timeout");
    if (!lock || call->act->value == NULL)
        return false;
    Stream look = {.target = call->stream->target, .known = call->stream->known, .begun = true};
    stream_take(&look, call->act);
    return look.lock_timeout.ms > LONG_LOCK_TIMEOUT_MS;
}

static bool match_set_local(RuleCall *call)
{
    return has(call, ACT_LOCAL) && call->act->function == NULL && !stream_in_transaction(call->stream) &&
           str_eq(call->act->words, "SET");
}

/* ---- transactions --------------------------------------------------------------------------- */

/* Nothing that keeps the lock for longer than it takes to say it. */
static bool is_nothing(const RuleCall *call)
{
    switch ((int)call->act->kind) {
    case ACT_OTHER:
    case ACT_SET:
    case ACT_BEGIN:
    case ACT_COMMIT:
    case ACT_ROLLBACK:
    case ACT_COMMENT:
    case ACT_LOCK:
    case ACT_SELECT:
    case ACT_CREATE_FUNCTION:
    case ACT_CREATE_VIEW:
        return true;
    default:
        return false;
    }
}

static bool match_after_lock(RuleCall *call)
{
    Stream *stream = call->stream;
    bool same = stream->strong != NULL && stream->strong->start >= stream_statement(stream)->start;
    if (stream->strong == NULL || same || stream->told_after || is_nothing(call) || is_called(call->act) ||
        has(call, ACT_CONCURRENTLY))
        return false;
    if (act_is_long(call->act) && !is_made(call))
        call->severity = SEVERITY_BLOCK;
    return stream->told_after = true;
}

static bool match_second_table(RuleCall *call)
{
    Stream *stream = call->stream;
    if (stream->strong == NULL || stream->told_tables || is_called(call->act) ||
        !stream_is_strong(stream, call->act) || call->act->table.name == NULL ||
        str_eq(stream->strong->table.name, call->act->table.name))
        return false;
    return stream->told_tables = true;
}

static bool match_rows_after(RuleCall *call)
{
    const Stream *stream = call->stream;
    bool rows = call->act->kind != ACT_INSERT || call->act->value != NULL;
    if (!rows || !stream_in_transaction(stream) || is_called(call->act) || is_made(call))
        return false;
    return stream->strong != NULL || stream->definition != NULL;
}

static bool match_all_rows(RuleCall *call) { return !has(call, ACT_WHERE) && !is_called(call->act); }

static bool match_nested(RuleCall *call)
{
    if (is_called(call->act))
        return false;
    if (call->stream->model == TX_WRAPPED)
        call->detail = "the tool has begun one already";
    return stream_in_transaction(call->stream) && (call->stream->begun || call->stream->model == TX_WRAPPED);
}

static bool match_commit_wrapped(RuleCall *call)
{
    return call->act->function == NULL && call->stream->model == TX_WRAPPED;
}

static bool match_commit_alone(RuleCall *call)
{
    return call->act->function == NULL && !stream_in_transaction(call->stream);
}

static bool match_not_rerunnable(RuleCall *call)
{
    Stream *stream = call->stream;
    if (stream->told_not_rerunnable || stream_in_transaction(stream) || stream->statements->len < 2 ||
        call->act->function != NULL || has(call, ACT_IF_EXISTS | ACT_IF_NOT_EXISTS | ACT_REPLACES))
        return false;
    return stream->told_not_rerunnable = true;
}

/* ---- values of enums ------------------------------------------------------------------------ */

static bool match_enum_transaction(RuleCall *call) { return stream_in_transaction(call->stream); }

static bool match_enum_order(RuleCall *call) { return !has(call, ACT_FIRST); }

static bool match_enum_used(RuleCall *call)
{
    const Stream *stream = call->stream;
    const ActStatement *statement = stream_statement(stream);
    if (call->index > 0 || call->act->kind == ACT_ENUM_ADD || stream->text == NULL)
        return false;
    for (size_t i = 0; i < stream->values.len; i++) {
        const char *value = stream->values.items[i]->value;
        if (value == NULL)
            continue;
        char *quoted = arena_printf(stream->arena, "'%s'", value);
        if (memmem(stream->text + statement->start, statement->end - statement->start, quoted,
                   strlen(quoted)) == NULL)
            continue;
        call->about = arena_alloc(stream->arena, sizeof *call->about);
        *call->about = *call->act;
        call->about->value = value;
        return true;
    }
    return false;
}

/* ---- ALTER TABLE as a whole ------------------------------------------------------------------ */

static bool is_alter(const Act *act) { return str_eq(act->words, "ALTER TABLE"); }

static bool match_mixed(RuleCall *call)
{
    const ActStatement *statement = stream_statement(call->stream);
    if (call->index > 0 || !is_alter(call->act) || call->act->actions < 2 || is_made(call))
        return false;
    bool dear = false, cheap = false;
    for (size_t i = 0; i < statement->acts.len; i++) {
        dear = dear || act_is_long(&statement->acts.items[i]);
        cheap = cheap || !act_is_long(&statement->acts.items[i]);
    }
    return dear && cheap;
}

static bool match_merge(RuleCall *call)
{
    const Act *last = call->stream->last_alter;
    if (call->index > 0 || !is_alter(call->act) || last == NULL || is_made(call) ||
        call->act->function != NULL)
        return false;
    bool same = str_eq(last->table.name, call->act->table.name) && last->kind != ACT_VALIDATE &&
                call->act->kind != ACT_VALIDATE && last->kind != ACT_DETACH;
    return same && act_is_long(last) == act_is_long(call->act);
}

/* ---- MySQL and MariaDB ---------------------------------------------------------------------- */

static bool match_implicit_commit(RuleCall *call)
{
    Stream *stream = call->stream;
    if (!stream->begun || !act_is_definition(call->act) || has(call, ACT_TEMPORARY) || stream->told_after)
        return false;
    return stream->told_after = true;
}

static bool match_several(RuleCall *call)
{
    Stream *stream = call->stream;
    if (stream->ddl_count == 0 || stream->told_several || call->index > 0 || !act_is_definition(call->act) ||
        call->act->function != NULL || is_made(call))
        return false;
    return stream->told_several = true;
}

/* ---- names ---------------------------------------------------------------------------------- */

enum { NAME_BYTES_PG = 63, NAME_CHARS_MY = 64 };

static bool is_long_my(const char *name)
{
    size_t len = 0;
    for (const char *at = name; at != NULL && *at != '\0'; at++)
        len += ((unsigned char)*at & 0xC0) != 0x80;
    return len > NAME_CHARS_MY;
}

/* The parser cuts names off as the server does, so the text is looked at. */
static bool has_long_word(const Stream *stream)
{
    const ActStatement *statement = stream_statement(stream);
    for (size_t at = statement->start; at < statement->end;) {
        PgLexeme lexeme = pg_lexeme(stream->text, at, statement->end);
        size_t len = lexeme.end - lexeme.start;
        bool quoted = lexeme.kind == PG_LEXEME_QUOTED;
        if (lexeme.kind == PG_LEXEME_END)
            break;
        if ((quoted || lexeme.kind == PG_LEXEME_WORD) && len > NAME_BYTES_PG + (quoted ? 2 : 0))
            return true;
        at = lexeme.end;
    }
    return false;
}

static bool match_long_name(RuleCall *call)
{
    const Act *act = call->act;
    if (call->stream->target->engine == CHECK_POSTGRES)
        return call->index == 0 && act_is_definition(act) && act->function == NULL &&
               has_long_word(call->stream);
    bool any = is_long_my(act->table.name) || is_long_my(act->name) || is_long_my(act->new_name);
    for (size_t i = 0; i < act->column_count; i++)
        any = any || is_long_my(act->columns[i].name);
    return any && act->kind != ACT_SET;
}

static bool match_assigned_twice(RuleCall *call) { return has(call, ACT_TWICE); }

/* Spoken by check itself. */
static bool never(RuleCall *call UNUSED) { return false; }

static const Rule rules[] = {
    {.id = "lock-timeout-missing",
     .severity = SEVERITY_WARN,
     .engines = RULE_PG,
     .match = match_lock_timeout,
     .on_new = true,
     .message = "a strong lock on {table} without lock_timeout: while it waits, everybody behind it waits",
     .why =
         "Locks are granted in order. A definition that waits for one long query holds up every later query "
         "of the table, even those that the long one would not disturb.",
     .safer = "SET lock_timeout = '2s'; -- and try again when it is over",
     .fix = fix_lock_timeout,
     .aliases = "squawk/require-timeout-settings, squawk/require-lock-timeout, eugene/E9, "
                "pgfence/missing-lock-timeout, strong_migrations/lock_timeout"},
    {.id = "statement-timeout-missing",
     .severity = SEVERITY_NOTE,
     .engines = RULE_PG,
     .match = match_statement_timeout,
     .on_new = true,
     .message = "a strong lock on {table} without statement_timeout: nothing bounds how long it is held",
     .why = "Short for strong locks; 0 for CREATE INDEX CONCURRENTLY and VALIDATE.",
     .safer = "SET statement_timeout = '5s';",
     .aliases = "squawk/require-statement-timeout, pgfence/missing-statement-timeout"},
    {.id = "lock-timeout-off",
     .severity = SEVERITY_WARN,
     .engines = RULE_PG,
     .kinds = {ACT_SET},
     .match = match_timeout_off,
     .on_new = true,
     .message = "lock_timeout = 0 means to wait for ever",
     .why = "Everybody behind the waiting definition waits as well.",
     .safer = "SET lock_timeout = '2s';",
     .aliases = "pgfence/lock-timeout-zero"},
    {.id = "lock-timeout-long",
     .severity = SEVERITY_WARN,
     .engines = RULE_PG,
     .kinds = {ACT_SET},
     .match = match_timeout_long,
     .on_new = true,
     .message = "lock_timeout = {value}: for so long the application may stand still behind it",
     .why = "Many short tries disturb less than one long one.",
     .safer = "SET lock_timeout = '2s';",
     .aliases = "pgfence/lock-timeout-too-long"},
    {.id = "set-local-outside-transaction",
     .severity = SEVERITY_WARN,
     .engines = RULE_PG,
     .kinds = {ACT_SET},
     .match = match_set_local,
     .on_new = true,
     .message = "SET LOCAL outside of a transaction has no effect",
     .why = "The server warns and goes on without the setting.",
     .safer = "SET {name} = '{value}';"},
    {.id = "statement-after-strong-lock",
     .severity = SEVERITY_WARN,
     .engines = RULE_PG,
     .match = match_after_lock,
     .on_new = true,
     .message = "a strong lock is held already, and stays until this statement and all behind it are done",
     .why =
         "A transaction keeps its locks to the end. Let what takes a strong lock be the last, or the only, "
         "statement of its transaction.",
     .safer = "COMMIT; -- before it, and go on in a transaction of its own",
     .aliases = "eugene/E4, pgfence/statement-after-access-exclusive"},
    {.id = "several-tables-locked",
     .severity = SEVERITY_WARN,
     .engines = RULE_PG,
     .match = match_second_table,
     .on_new = true,
     .message = "a second table, {table}, is locked in the same transaction: the first stands still while it "
                "waits",
     .why = "Two sessions that lock them in another order end in a deadlock, and one of them may be the "
            "application's.",
     .safer = "COMMIT; -- one table a transaction",
     .aliases = "online_migrations/multiple_foreign_keys, pgfence/wide-lock-window"},
    {.id = "rows-in-ddl-transaction",
     .severity = SEVERITY_BLOCK,
     .cost = COST_ROWS,
     .engines = RULE_PG,
     .kinds = {ACT_UPDATE, ACT_DELETE, ACT_INSERT, ACT_COPY},
     .match = match_rows_after,
     .message =
         "{words} on {table} in the transaction of a definition: its lock is held until all rows are done",
     .why = "Rows are changed in batches, in transactions of their own.",
     .safer = "COMMIT; -- then, in batches by key:\n{action};",
     .aliases = "strong_migrations/backfill_data, pg-migration-lint/PGM301, pgfence/update-in-migration"},
    {.id = "all-rows-at-once",
     .severity = SEVERITY_WARN,
     .cost = COST_ROWS,
     .engines = RULE_ALL,
     .kinds = {ACT_UPDATE, ACT_DELETE},
     .match = match_all_rows,
     .message = "{words} without WHERE changes every row of {table} in one transaction",
     .why = "Row locks are held to the end, the table grows by all old versions, replicas fall behind.",
     .safer = "-- in batches by key, each in a transaction of its own",
     .aliases = "pg-migration-lint/PGM302, pg-migration-lint/PGM303, pgfence/delete-without-where, "
                "bytebase/statement_affected_row_limit"},
    {.id = "transaction-nested",
     .severity = SEVERITY_WARN,
     .engines = RULE_PG,
     .kinds = {ACT_BEGIN},
     .match = match_nested,
     .on_new = true,
     .message = "BEGIN inside of a transaction does nothing",
     .why = "The server warns and goes on; the first COMMIT ends all of it.",
     .aliases = "squawk/transaction-nesting"},
    {.id = "commit-in-tool-transaction",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_PG,
     .kinds = {ACT_COMMIT, ACT_ROLLBACK},
     .match = match_commit_wrapped,
     .on_new = true,
     .message = "{words} ends the transaction that the tool has put around the file",
     .why = "What comes behind it runs without one, and what the tool notes about the file may be lost.",
     .aliases = "squawk/transaction-nesting, bytebase/statement_disallow_commit"},
    {.id = "commit-without-begin",
     .severity = SEVERITY_NOTE,
     .engines = RULE_PG,
     .kinds = {ACT_COMMIT},
     .match = match_commit_alone,
     .on_new = true,
     .message = "COMMIT without BEGIN does nothing",
     .why = "The server warns and goes on: every statement before it was committed by itself."},
    {.id = "transaction-unclosed",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_ALL,
     .match = never,
     .message = "BEGIN without COMMIT: nothing behind it is ever applied",
     .why = "The session ends and the server rolls it back, without an error.",
     .safer = "COMMIT;",
     .aliases = "squawk/ban-uncommitted-transaction, pgfence/unclosed-transaction"},
    {.id = "not-rerunnable",
     .severity = SEVERITY_OFF,
     .engines = RULE_PG,
     .kinds = {ACT_CREATE_TABLE, ACT_ADD_COLUMN, ACT_DROP_TABLE, ACT_CREATE_INDEX, ACT_DROP_INDEX,
               ACT_DROP_COLUMN, ACT_ADD_CONSTRAINT, ACT_CREATE_ENUM},
     .match = match_not_rerunnable,
     .on_new = true,
     .message = "outside of a transaction, and it fails when it is run again",
     .why =
         "Where a later statement fails, the file is half applied and cannot be repeated. A journal of steps "
         "(\"stoa apply\") is better than IF NOT EXISTS, which hides drift.",
     .aliases = "squawk/prefer-robust-stmts, pg-migration-lint/PGM401"},
    {.id = "enum-add-value-transaction",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_PG,
     .pg = {0, 12},
     .kinds = {ACT_ENUM_ADD},
     .match = match_enum_transaction,
     .on_new = true,
     .message = "ALTER TYPE … ADD VALUE cannot run in a transaction before PostgreSQL 12",
     .why = "The statement fails (25001).",
     .safer = "COMMIT; -- before it"},
    {.id = "enum-value-used",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_PG,
     .match = match_enum_used,
     .on_new = true,
     .message =
         "the new value '{value}' is used in the transaction that adds it: the statement fails (55P04)",
     .why = "A value can be used once the transaction that added it has committed.",
     .safer = "COMMIT; -- between the two",
     .aliases = "pgfence/alter-enum-add-value"},
    {.id = "enum-value-order",
     .severity = SEVERITY_OFF,
     .engines = RULE_PG,
     .kinds = {ACT_ENUM_ADD},
     .match = match_enum_order,
     .on_new = true,
     .message = "the new value of {table} goes to the end: say BEFORE or AFTER where order matters",
     .why = "Values compare in the order of their definition, which cannot be changed later.",
     .aliases = "squawk/require-enum-value-ordering"},
    {.id = "alter-mixed-actions",
     .severity = SEVERITY_WARN,
     .cost = COST_BUILD,
     .engines = RULE_PG,
     .match = match_mixed,
     .message = "one ALTER TABLE mixes short actions with such that read or write all of {table}",
     .why = "All of it runs under the strongest lock of its list. Combine actions of one kind, and keep the "
            "others apart.",
     .aliases = "bytebase/statement_merge_alter_table"},
    {.id = "merge-alters",
     .severity = SEVERITY_OFF,
     .engines = RULE_PG,
     .match = match_merge,
     .message = "a second ALTER TABLE of the same kind on {table}: one statement would take the lock once",
     .why = "Actions that read the table share one scan in one statement.",
     .aliases = "eugene/W12, pg-migration-lint/PGM023"},
    {.id = "not-valid-forgotten",
     .severity = SEVERITY_NOTE,
     .engines = RULE_PG,
     .match = never,
     .message = "{name} of {table} is NOT VALID, and nothing in sight validates it",
     .why = "The planner does not use it, and old rows may still break it.",
     .safer = "ALTER TABLE {table} VALIDATE CONSTRAINT {name}; -- in a later transaction"},
    {.id = "lock-wait-timeout-missing",
     .severity = SEVERITY_WARN,
     .engines = RULE_MY,
     .match = match_lock_wait_timeout,
     .on_new = true,
     .message =
         "{words} on {table} without lock_wait_timeout: it may wait for a year, and everybody behind it",
     .why =
         "Even an instant change needs an exclusive metadata lock; all later statements on the table queue "
         "behind it.",
     .safer = "SET SESSION lock_wait_timeout = 2; -- and try again when it is over",
     .fix = fix_lock_wait_timeout,
     .aliases = "strong_migrations/lock_timeout"},
    {.id = "implicit-commit",
     .severity = SEVERITY_WARN,
     .engines = RULE_MY,
     .match = match_implicit_commit,
     .on_new = true,
     .message = "{words} commits the transaction: what stands before it cannot be rolled back any more",
     .why = "No definition of MySQL or MariaDB can share a transaction."},
    {.id = "several-definitions",
     .severity = SEVERITY_NOTE,
     .engines = RULE_MY,
     .match = match_several,
     .on_new = true,
     .message = "a second definition in one file: when it fails, the first has happened",
     .why = "There is no transaction around definitions; a file with one of them is done or not done.",
     .aliases = "bytebase/statement_one_ddl"},
    {.id = "identifier-too-long",
     .severity = SEVERITY_WARN,
     .engines = RULE_ALL,
     .match = match_long_name,
     .on_new = true,
     .message = "a name is longer than the server keeps (63 bytes in PostgreSQL, 64 characters in MySQL)",
     .why = "PostgreSQL cuts it off with a notice, so two long names may become one; MySQL refuses it.",
     .aliases = "squawk/identifier-too-long"},
    {.id = "duplicate-assignment",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_PG,
     .kinds = {ACT_UPDATE, ACT_INSERT},
     .match = match_assigned_twice,
     .on_new = true,
     .message = "a column of {table} is assigned twice: the statement fails",
     .why = "The server takes each column once.",
     .aliases = "squawk/ban-duplicate-column-assignments"},
};

const RulePage rules_stream = {"Transactions, timeouts and order", rules, ARRAY_LEN(rules)};
