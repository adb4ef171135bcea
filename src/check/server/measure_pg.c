/* A statement of PostgreSQL, tried in the scratch database. */
#include "base/clock.h"
#include "base/str.h"
#include "change/split_pg.h"
#include "check/server/online.h"

#include <string.h>

enum { STATEMENT_MS = 10000 };

static bool is_one_of(const char *const *states, size_t count, const char *state)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(states[i], state))
            return true;
    return false;
}

/* Not ready for it (55000) may also be a copy of a materialized view, which is never filled; ALTER TABLE
 * reads none. */
static bool is_not_ready(const ActStatement *statement, const char *state)
{
    const Act *act = &statement->acts.items[0];
    return act->kind >= ACT_ADD_COLUMN && act->kind <= ACT_ALTER_OTHER && str_eq(state, "55000");
}

/* What the statement itself is wrong about, and what is in its way: the copy holds nothing that is not there.
 * What the server cannot find may only be missing in the copy. */
static void judge_error(const Online *online, const ActStatement *statement, Measured *measured)
{
    static const char *const there[] = {"42710", "42P07", "42701", "42723", "42P06", "42P16"};
    static const char *const wrong[] = {"42601", "42703", "42804", "42P10", "42830", "42611",
                                        "42P17", "22P02", "22023", "22003", "22007", "22008",
                                        "42809", "0A000", "2BP01", "42P13", "42803", "42846",
                                        "42P18", "42P21", "42P22", "42939", "42602", "25001"};
    measured->there = is_one_of(there, ARRAY_LEN(there), measured->state);
    bool mistake = measured->there || is_one_of(wrong, ARRAY_LEN(wrong), measured->state) ||
                   is_not_ready(statement, measured->state);
    measured->mistake = !online->astray && mistake;
}

/* Of settings only those that say what names mean. */
static bool is_path(const ActStatement *statement)
{
    const Act *act = &statement->acts.items[0];
    return act->kind == ACT_SET && str_eq(act->name, "search_path") && (act->flags & ACT_LOCAL) == 0;
}

static Err *carry(Online *online, Arena *arena, const char *sql, const ActStatement *statement, bool outside,
                  Measured *measured)
{
    Wait wait = {.stop = online->stop, .timeout_ms = STATEMENT_MS};
    Err *err = online->ops->clone_run(online->clone_conn, &wait, &sql, 1, outside);
    if (err_is(err, ERR_STOPPED) || err_is(err, ERR_CONN_LOST))
        return err;
    if (err != NULL && measured->error == NULL) {
        measured->error = arena_dup(arena, err->msg);
        measured->state = arena_dup(arena, err->sqlstate);
        judge_error(online, statement, measured);
    }
    online->astray = online->astray || (err != NULL && !measured->there);
    err_free(err);
    return NULL;
}

static Err *probe(Online *online, Arena *arena, const char *sql, const ActStatement *statement,
                  Measured *measured, bool *ret_outside)
{
    Wait wait = {.stop = online->stop, .timeout_ms = STATEMENT_MS};
    Probe *answer = arena_alloc(arena, sizeof *answer);
    Err *err = online->ops->probe(online->clone_conn, &wait, arena, &sql, 1, answer);
    if (err_is(err, ERR_STOPPED) || err_is(err, ERR_CONN_LOST))
        return err;
    if (err != NULL) { /* too slow, or it ends its transaction: not known */
        online->astray = true;
        measured->error = arena_dup(arena, err->msg);
        measured->state = "";
        err_free(err);
        return NULL;
    }
    *ret_outside = answer->outside;
    measured->tried = !answer->outside && answer->error == NULL;
    measured->probe = measured->tried ? answer : NULL;
    measured->error = answer->error;
    measured->state = answer->error_state;
    if (measured->error != NULL) {
        judge_error(online, statement, measured);
        online->astray = online->astray || !measured->there;
    }
    return NULL;
}

/* Without psql's commands in it; NULL where something stands for a text that only the tool knows. */
static const char *plain_text(Arena *arena, const char *sql)
{
    PgSplit split = pg_split(arena, sql, 0, strlen(sql));
    if (split.pieces.len != 1 || split.pieces.items[0].kind != PG_PIECE_SQL || split.pieces.items[0].holes)
        return NULL;
    return pg_piece_text(arena, sql, &split.pieces.items[0]);
}

Err *measure_pg(void *context, Arena *arena, const char *sql, const ActStatement *statement, bool made,
                bool keys_unchecked, Measured *ret_measured)
{
    (void)keys_unchecked;
    Online *online = context;
    bool outside = false;
    int64_t from_ms = clock_ms();
    *ret_measured = (Measured){0};
    sql = plain_text(arena, sql);
    if (sql == NULL) {
        online->astray = online->astray || measure_is_due(statement);
        return NULL;
    }
    if (is_path(statement))
        return carry(online, arena, sql, statement, false, ret_measured);
    if (!measure_is_due(statement) || statement->acts.items[0].kind == ACT_REFRESH)
        return NULL;
    if (!made)
        TRY(probe(online, arena, sql, statement, ret_measured, &outside));
    if (ret_measured->error == NULL)
        TRY(carry(online, arena, sql, statement, outside, ret_measured));
    online->measure_ms += clock_ms() - from_ms;
    return NULL;
}
