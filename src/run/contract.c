/* Contracts of columns. */
#include "run/contract.h"

#include "base/clock.h"
#include "base/str.h"
#include "base/unit.h"
#include "engine/contract_mark.h"
#include "run/columns.h"
#include "run/standby.h"

#include <stdlib.h>
#include <string.h>

enum {
    COMMENT_BUDGET_MS = 10000,
    COMMENT_REST_MS = 10, /* plus as much at random */
    STALL_SHARE = 100,    /* waits may take one hundredth of the time */
};

static const char *const words[] = {"owner", "purpose", "flag", "expires"};

static const char *text_of(const json_t *json, const char *key)
{
    return json_string_value(json_object_get(json, key));
}

/* ---- the journal ---------------------------------------------------------------------------- */

static Err *load_contracts(Runner *runner, Arena *arena, int64_t change_id, Rows *ret_rows)
{
    Wait wait = journal_wait();
    const char *id = change_id == 0 ? NULL : arena_printf(arena, "%lld", (long long)change_id);
    *ret_rows = (Rows){0};
    if (runner->server.journal_version == 0)
        return NULL;
    return conn_params(runner->conn, &wait, arena, ret_rows, runner->ops->journal_sql(JOURNAL_CONTRACTS), id);
}

static const char *column_key(Arena *arena, const json_t *detail)
{
    const char *schema = text_of(detail, "schema"), *table = text_of(detail, "table"),
               *column = text_of(detail, "column");
    if (table == NULL || column == NULL)
        return NULL;
    return arena_printf(arena, "%s.%s.%s", schema == NULL ? "" : schema, table, column);
}

/* The last word on each column, by its name: {"public.orders.cents": {…, "change", "state"}}; a new object.
 * Those of changes that were undone are left out. */
static Err *last_words(Runner *runner, Arena *arena, int64_t change_id, json_t **ret_contracts)
{
    enum { DETAIL = 1, NAME = 4, STATE = 5 };
    Rows rows = {0};
    TRY(load_contracts(runner, arena, change_id, &rows));
    json_t *contracts = json_object();
    for (size_t i = 0; i < rows.row_count; i++) {
        const char *body = rows_cell(&rows, i, DETAIL), *state = rows_cell(&rows, i, STATE);
        json_t *detail = body == NULL ? NULL : json_loads(body, 0, NULL);
        const char *key = column_key(arena, detail);
        if (key != NULL && !str_eq(state, "aborted") && !str_eq(state, "reverted")) {
            json_object_set_new(detail, "change", json_string(rows_cell(&rows, i, NAME)));
            json_object_set_new(detail, "state", json_string(state));
            json_object_set(contracts, key, detail);
        }
        json_decref(detail);
    }
    *ret_contracts = contracts;
    return NULL;
}

static json_t *detail_of(const Runner *runner, const Change *change, const json_t *column)
{
    const Contract *contract = &change->contract;
    json_t *detail = json_pack("{s:s?, s:s, s:s, s:s?, s:s?, s:s?, s:b}", "schema", text_of(column, "schema"),
                               "table", text_of(column, "table"), "column", text_of(column, "column"),
                               "purpose", contract->purpose, "flag", contract->flag, "expires",
                               contract->expires, "comment", (int)!runner->options->no_comment);
    if (detail != NULL && change->owner != NULL && change->owner[0] != '\0')
        json_object_set_new(detail, "owner", json_string(change->owner));
    return detail;
}

static bool says_the_same(const json_t *detail, const json_t *known)
{
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (!str_eq(text_of(detail, words[i]), text_of(known, words[i])))
            return false;
    return json_is_true(json_object_get(detail, "comment")) ==
           json_is_true(json_object_get(known, "comment"));
}

static void add_words(Str *str, const json_t *detail)
{
    bool first = true;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        const char *text = text_of(detail, words[i]);
        if (text == NULL || strpbrk(text, "[];\n") != NULL)
            continue;
        str_addf(str, "%s%s %s", first ? "" : "; ", words[i], text);
        first = false;
    }
}

static Err *note_column(Runner *runner, const Change *change, const json_t *column, const json_t *contracts)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    json_t *detail = detail_of(runner, change, column);
    if (detail == NULL)
        return err_new(ERR_USAGE, "the contract is not UTF-8");
    const char *key = column_key(arena, detail);
    CLEANUP(str_donep) Str said = STR_INIT;
    add_words(&said, detail);
    Err *err = NULL;
    const char *text = arena_printf(arena, "contract of %s: %s", key, said.buf);
    if (!says_the_same(detail, json_object_get(contracts, key))) {
        runner_tell(runner, "contract", 0, detail, text);
        err = journal_event(runner->conn, runner->change_id, "contract", 0, detail, text);
    }
    json_decref(detail);
    return err;
}

Err *contract_note(Runner *runner, const Change *change)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    json_t *holder = NULL, *contracts = NULL, *column = NULL;
    size_t i = 0, added = 0;
    if (!contract_is_given(&change->contract))
        return NULL;
    TRY(last_words(runner, arena, runner->change_id, &contracts));
    holder = json_object();
    Err *err = columns_add(runner, NULL, holder, arena_printf(arena, "%lld", (long long)runner->change_id));
    json_array_foreach(json_object_get(holder, "columns"), i, column)
    {
        if (err != NULL || !str_eq(text_of(column, "is"), "added"))
            continue;
        added++;
        err = note_column(runner, change, column, contracts);
    }
    json_decref(holder);
    json_decref(contracts);
    if (err == NULL && added == 0)
        runner_tell(runner, "contract", 0, NULL,
                    "the change adds no column that purpose, flag and expiry could be of");
    return err;
}

/* ---- the comment ---------------------------------------------------------------------------- */

char *contract_comment(Arena *arena, const char *comment, const json_t *detail)
{
    CLEANUP(str_donep) Str text = STR_INIT;
    size_t len = comment == NULL ? 0 : contract_mark_at(comment, strlen(comment));
    if (len > 0)
        str_addn(&text, comment, len);
    str_addf(&text, "%s" CONTRACT_MARK, len > 0 ? " " : "");
    add_words(&text, detail);
    str_add(&text, "]");
    return arena_dup(arena, text.buf);
}

/* What writing one comment needs. */
typedef struct Writing {
    Runner *runner;
    const json_t *detail;
    int64_t not_before_ms;         /* no attempt that may wait before this time */
    char who[BLOCKERS_TEXT_BYTES]; /* in the way; "": nobody known */
} Writing;

/* Where an attempt would make the application wait: not while somebody has had the table for long. */
static Err *is_held(Writing *writing, Arena *arena, bool *ret_held)
{
    Runner *runner = writing->runner;
    const Name name = {.schema = text_of(writing->detail, "schema"),
                       .name = text_of(writing->detail, "table")};
    Wait wait = runner_wait(runner);
    Blocker *blockers = NULL;
    size_t count = 0;
    StandbyFound found = STANDBY_FREE;
    *ret_held = false;
    if (runner->ops->holders == NULL)
        return NULL;
    TRY(standby_look(runner, &(StandbyAsk){.names = &name, .name_count = 1}, &found, writing->who));
    *ret_held = found != STANDBY_FREE;
    if (*ret_held || runner->server.has_no_wait)
        return NULL;
    TRY(runner->ops->holders(runner->conn, &wait, arena, name.schema, name.name, &blockers, &count));
    *ret_held = blockers_text(blockers, count, runner->options->controls.max_stall_ms / 2, writing->who) ||
                clock_ms() < writing->not_before_ms;
    return NULL;
}

static Err *write_once(Writing *writing, bool *ret_done)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Runner *runner = writing->runner;
    const json_t *detail = writing->detail;
    int64_t share_ms = runner->options->controls.max_stall_ms / 2;
    CommentRequest request = {.schema = text_of(detail, "schema"),
                              .table = text_of(detail, "table"),
                              .column = text_of(detail, "column"),
                              .stall_ms = share_ms > 0 ? share_ms : 1};
    Wait wait = runner_wait(runner);
    AlterResult result = {0};
    bool there = false, held = false;
    const char *known = NULL;
    TRY(runner->ops->column_comment(runner->conn, &wait, arena, request.schema, request.table, request.column,
                                    &there, &known));
    request.comment = contract_comment(arena, known, detail);
    *ret_done = !there || str_eq(known, request.comment);
    if (*ret_done)
        return NULL;
    TRY(is_held(writing, arena, &held));
    if (held)
        return NULL;
    TRY(runner->ops->set_column_comment(runner->conn, &runner->options->target, &wait, arena, &request,
                                        &result));
    *ret_done = result.done;
    writing->not_before_ms = clock_ms() + result.waited_ms * STALL_SHARE;
    return NULL;
}

/* Tried again and again for some seconds, never long at once; it is not worth more than that. */
static Err *write_comment(Writing *writing)
{
    const Stop *stop = writing->runner->options->stop;
    int64_t until = clock_ms() + COMMENT_BUDGET_MS;
    for (bool done = false;;) {
        Err *err = write_once(writing, &done);
        if (err_is(err, ERR_LOCK_TIMEOUT)) { /* in the catalog */
            err_free(err);
            err = NULL;
        }
        TRY(err);
        if (done)
            return NULL;
        if (clock_ms() >= until)
            return err_new(ERR_LOCK_TIMEOUT, "no lock within %d s%s%s", COMMENT_BUDGET_MS / 1000,
                           writing->who[0] != '\0' ? ": " : "", writing->who);
        TRY(stop_check(stop));
        stop_sleep(stop, COMMENT_REST_MS + random() % COMMENT_REST_MS);
    }
}

static void settle(Runner *runner, const char *key, const json_t *detail)
{
    Writing writing = {.runner = runner, .detail = detail};
    Err *err = write_comment(&writing);
    if (err != NULL)
        runner_event(runner, "contract_comment", 0, NULL, "the comment of %s could not be written: %s", key,
                     err_root(err)->msg);
    err_free(err);
}

/* Contracts of the change itself, and those of others on its tables, whose comments it may have taken along.
 */
static bool is_to_settle(const Runner *runner, const json_t *detail)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *schema = text_of(detail, "schema"), *state = text_of(detail, "state");
    bool ready = str_eq(state, "ready") || str_eq(state, "completed");
    if (!ready || !json_is_true(json_object_get(detail, "comment")))
        return false;
    if (str_eq(text_of(detail, "change"), runner->name))
        return true;
    const char *table = sql_name(arena, schema, text_of(detail, "table"));
    for (size_t i = 0; i < runner->plan.table_count; i++)
        if (str_eq(runner->plan.tables[i], table))
            return true;
    return false;
}

void contract_settle(Runner *runner)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    json_t *contracts = NULL, *detail = NULL;
    const char *key = NULL;
    bool ready = runner->summary.state == STATE_READY || runner->summary.state == STATE_COMPLETED;
    if (!ready || runner->change_id == 0 || runner->ops->set_column_comment == NULL)
        return;
    Err *err = last_words(runner, arena, 0, &contracts);
    if (err != NULL) {
        runner_event(runner, "contract_comment", 0, NULL, "contracts could not be read: %s", err->msg);
        err_free(err);
        return;
    }
    json_object_foreach(contracts, key, detail) if (is_to_settle(runner, detail)) settle(runner, key, detail);
    json_decref(contracts);
}

/* ---- expired -------------------------------------------------------------------------------- */

static Err *is_there(Runner *runner, Arena *arena, const json_t *detail, bool *ret_there)
{
    Wait wait = {.stop = runner->options->stop, .timeout_ms = 3000};
    Table table = {0};
    Err *err = runner->ops->load_table(runner->conn, &wait, arena, &runner->server, text_of(detail, "schema"),
                                       text_of(detail, "table"), &table);
    if (err_is(err, ERR_CANCELLED) || err_is(err, ERR_LOCK_TIMEOUT)) { /* somebody has it: it is there */
        err_free(err);
        *ret_there = true;
        return NULL;
    }
    TRY(err);
    *ret_there = table.kind != RELATION_MISSING && table_column(&table, text_of(detail, "column")) != NULL;
    return NULL;
}

static void add_expired(Stale *stale, const char *key, const json_t *detail)
{
    Arena *arena = stale->arena;
    CLEANUP(str_donep) Str said = STR_INIT;
    add_words(&said, detail);
    const char *schema = text_of(detail, "schema"), *table = text_of(detail, "table"),
               *column = text_of(detail, "column");
    stale_add(stale, &(StaleFinding){
                         .kind = "expired-contract",
                         .object = arena_dup(arena, key),
                         .schema = schema,
                         .table = table,
                         .name = column,
                         .confidence = CONFIDENCE_HIGH,
                         .bytes = -1,
                         .evidence = arena_printf(arena, "its contract has expired: %s (change %s)", said.buf,
                                                  text_of(detail, "change")),
                         .todo = arena_printf(arena, "stoa retire %s.%s", stale->quote(arena, schema, table),
                                              stale->quote(arena, NULL, column))});
}

Err *contract_expired(Runner *runner, Stale *stale)
{
    char today[CLOCK_TEXT_BYTES];
    CLEANUP(arena_freep) Arena *arena = arena_new();
    json_t *contracts = NULL, *detail = NULL;
    const char *key = NULL;
    clock_wall_text(today);
    today[10] = '\0';
    TRY(last_words(runner, arena, 0, &contracts));
    Err *err = NULL;
    json_object_foreach(contracts, key, detail)
    {
        const char *expires = text_of(detail, "expires");
        bool there = false;
        if (err != NULL || expires == NULL || strcmp(expires, today) >= 0)
            continue;
        err = is_there(runner, arena, detail, &there);
        if (err == NULL && there)
            add_expired(stale, key, detail);
    }
    json_decref(contracts);
    return err;
}
