/* A statement of MySQL and MariaDB, tried on an empty clone: by which algorithm the server would carry it
 * out. */
#include "base/clock.h"
#include "base/str.h"
#include "change/text_my.h"
#include "check/server/online.h"
#include "plan/plan_my.h"

#include <string.h>
#include <strings.h>

enum { STATEMENT_MS = 20000 };

/* Errors of the statement itself: it would fail on the real table likewise. */
static void judge_error(const Online *online, int number, Measured *measured)
{
    static const int there[] = {1050, 1060, 1061, 1007, 1826, 3822};
    static const int wrong[] = {1054, 1064, 1072, 1091, 1068, 1075, 1553, 1832, 1833, 1846, 1845, 1067, 1101,
                                1170, 1215, 1293, 1305, 1364, 1506, 3780, 1005, 1478, 1059, 1074, 1118};
    for (size_t i = 0; i < ARRAY_LEN(there); i++)
        measured->there = measured->there || there[i] == number;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        measured->mistake = measured->mistake || wrong[i] == number;
    measured->mistake = !online->astray && (measured->mistake || measured->there);
}

static const Table *table_named(const Online *online, const char *name)
{
    for (size_t i = 0; i < online->tables.len; i++)
        if (strcasecmp(online->tables.items[i].name, name) == 0)
            return &online->tables.items[i];
    return NULL;
}

static Err *harmless(Online *online, Arena *arena, Err *err, Measured *measured)
{
    if (err == NULL || err_is(err, ERR_STOPPED) || err_is(err, ERR_CONN_LOST) || err_is(err, ERR_BUG))
        return err;
    const Err *inner = err;
    while (inner->cause != NULL)
        inner = inner->cause;
    measured->error = arena_dup(arena, inner->msg);
    measured->state = "";
    if (err_is(err, ERR_SQL))
        judge_error(online, (int)inner->server_errno, measured);
    online->astray = online->astray || !measured->there;
    err_free(err);
    return NULL;
}

static Err *ask(Online *online, Arena *arena, const Operation *operation, Measured *measured)
{
    const MyStatement *my = operation->my;
    Wait wait = {.stop = online->stop, .timeout_ms = STATEMENT_MS};
    const Table *real = table_named(online, operation->table.name);
    Table named = {.schema = online->server.database,
                   .name = operation->table.name,
                   .my = real == NULL ? NULL : real->my};
    LadderRequest request = {
        .table = &named, .sql = operation->sql, .as_written = true, .unchecked = unchecked_my(my)};
    Ladder *ladder = arena_alloc(arena, sizeof *ladder);
    plan_renames_my(arena, my, &request);
    Err *err = online->ops->ladder(online->clone_conn, &wait, arena, &request, ladder);
    if (err != NULL)
        return harmless(online, arena, err, measured);
    if (ladder->rung != RUNG_REFUSED) {
        measured->tried = true;
        measured->ladder = ladder;
    }
    return NULL;
}

static Err *carry(Online *online, Arena *arena, const Operation *operation, bool unchecked,
                  Measured *measured)
{
    Wait wait = {.stop = online->stop, .timeout_ms = STATEMENT_MS};
    Err *err = online->ops->clone_run_written(online->clone_conn, &wait, operation->sql, unchecked);
    return harmless(online, arena, err, measured);
}

static Err *measure_one(Online *online, Arena *arena, const Operation *operation, bool made,
                        Measured *measured)
{
    if (operation->kind != OPERATION_MY || operation->my == NULL)
        return NULL;
    if (online->tables.len == 0 && !made && operation->my->kind != MY_STATEMENT_CREATE_TABLE) {
        online->astray = true; /* there is nothing that it could be tried on */
        return NULL;
    }
    bool alter = operation->my->kind == MY_STATEMENT_ALTER_TABLE && operation->table.name != NULL;
    if (alter && !made && table_named(online, operation->table.name) != NULL)
        TRY(ask(online, arena, operation, measured));
    if (measured->error != NULL)
        return NULL;
    return carry(online, arena, operation, unchecked_my(operation->my), measured);
}

Err *measure_my(void *context, Arena *arena, const char *sql, const ActStatement *statement, bool made,
                Measured *ret_measured)
{
    Online *online = context;
    int64_t from_ms = clock_ms();
    *ret_measured = (Measured){0};
    if (!measure_is_due(statement))
        return NULL;
    ChangeInput input = {.sql = sql, .name = "check", .owner = "check"};
    Change change;
    change_parse_my(arena, &input, &online->dialect, &change);
    if (change.operation_count == 0 || change.problem_count > 0) {
        online->astray = true;
        return NULL;
    }
    for (size_t i = 0; i < change.operation_count && ret_measured->error == NULL; i++)
        TRY(measure_one(online, arena, &change.operations[i], made, ret_measured));
    online->measure_ms += clock_ms() - from_ms;
    return NULL;
}
