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
    static const int wrong[] = {1054, 1064, 1072, 1091, 1068, 1075, 1553, 1832, 1833, 1846, 1845,
                                1067, 1101, 1170, 1215, 1293, 1305, 1364, 1506, 3780, 1005, 1478,
                                1059, 1074, 1118, 1051, 1176, 1505, 3821, 4124, 1800};
    for (size_t i = 0; i < ARRAY_LEN(there); i++)
        measured->there = measured->there || there[i] == number;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        measured->mistake = measured->mistake || wrong[i] == number;
    measured->mistake = !online->astray && (measured->mistake || measured->there);
}

static const Table *table_named(const Online *online, const char *schema, const char *name)
{
    for (size_t i = 0; i < online->tables.len; i++)
        if (strcasecmp(online->tables.items[i].name, name) == 0 &&
            str_eq(online->tables.items[i].schema, schema))
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

/* A statement as it is written, for the clone. */
typedef struct Written {
    MyStatement my;
    const char *text;             /* where its spans are: without comments */
    const char *sql;              /* without ALGORITHM, LOCK and WAIT */
    const char *algorithm, *lock; /* NULL: not said */
    bool keys_unchecked;
} Written;

static void cut(Str *text, MySpan span)
{
    if (my_span_is(span))
        memset(text->buf + span.start, ' ', span.end - span.start);
}

static const char *word_of(Arena *arena, const char *text, const MyClause *clause)
{
    return clause->count == 0 ? NULL : my_text(arena, text, clause->value);
}

/* False where it is no change of one table that is there. */
static bool read_written(const Online *online, Arena *arena, const char *sql, Written *ret_written)
{
    MyFault fault = {0};
    CLEANUP(str_donep) Str rest = STR_INIT;
    MyStatement *my = &ret_written->my;
    const char *text = my_canonical(arena, &online->dialect, sql, 0, strlen(sql), &fault);
    if (text == NULL || !my_parse(arena, &online->dialect, text, (MySpan){.end = strlen(text)}, my, &fault) ||
        my->temporary || my->name_count == 0 || my->names[0].name == NULL || my->executed)
        return false;
    ret_written->text = text;
    ret_written->algorithm = word_of(arena, text, &my->algorithm);
    ret_written->lock = word_of(arena, text, &my->lock);
    if (my->kind == MY_STATEMENT_ALTER_TABLE) {
        const char *alter = my_alter_sql(arena, my->names[0].name, text, my, NULL);
        ret_written->sql = alter;
        return alter != NULL;
    }
    if (my->kind != MY_STATEMENT_CREATE_INDEX && my->kind != MY_STATEMENT_DROP_INDEX)
        return false;
    str_addn(&rest, text + my->span.start, my->span.end - my->span.start);
    if (my->span.start == 0 && my->algorithm.count < 2 && my->lock.count < 2) {
        cut(&rest, my->algorithm.span);
        cut(&rest, my->lock.span);
        cut(&rest, my->wait_span);
    }
    ret_written->sql = arena_dup(arena, rest.buf);
    return true;
}

static bool names_columns_anew(const MyStatement *my)
{
    for (size_t i = 0; i < my->action_count; i++)
        if (my->actions[i].kind == MY_ACTION_MODIFY_COLUMN || my->actions[i].kind == MY_ACTION_CHANGE_COLUMN)
            return true;
    return false;
}

/* The server then does no more than that, but would copy the table if a way was asked of it (MySQL 5.6). */
static bool only_renames(const MyStatement *my)
{
    for (size_t i = 0; i < my->action_count; i++)
        if (my->actions[i].kind != MY_ACTION_RENAME_TABLE)
            return false;
    return my->action_count > 0;
}

static Err *ask(Online *online, Arena *arena, const Table *real, const Written *written, Measured *measured)
{
    Wait wait = {.stop = online->stop, .timeout_ms = STATEMENT_MS};
    LadderRequest request = {.table = real,
                             .sql = written->sql,
                             .as_written = true,
                             .unchecked = written->keys_unchecked,
                             .keep = true,
                             .lost = names_columns_anew(&written->my),
                             .algorithm = written->algorithm,
                             .lock = written->lock};
    Ladder *ladder = arena_alloc(arena, sizeof *ladder);
    plan_renames_my(arena, &written->my, &request);
    TRY(online->ops->ladder(online->clone_conn, &wait, arena, &request, ladder));
    if (ladder->rung == RUNG_REFUSED)
        return NULL;
    measured->tried = true;
    measured->ladder = ladder;
    return NULL;
}

static Err *carry(Online *online, Arena *arena, const char *sql, bool unchecked, Measured *measured)
{
    Wait wait = {.stop = online->stop, .timeout_ms = STATEMENT_MS};
    Err *err = online->ops->clone_run_written(online->clone_conn, &wait, sql, unchecked);
    return harmless(online, arena, err, measured);
}

/* The statement as a whole: one that does two things does both by the dearer way. */
static Err *measure_change(Online *online, Arena *arena, const Written *written, bool made,
                           Measured *measured)
{
    const MyName *name = &written->my.names[0];
    const char *schema = name->database != NULL ? name->database : online->server.database;
    const Table *real = table_named(online, schema, name->name);
    if (!made && real != NULL && !only_renames(&written->my))
        TRY(harmless(online, arena, ask(online, arena, real, written, measured), measured));
    if (measured->tried || measured->error != NULL)
        return NULL;
    return carry(online, arena, written->text, written->keys_unchecked, measured);
}

static Err *measure_other(Online *online, Arena *arena, const char *sql, bool unchecked, Measured *measured)
{
    ChangeInput input = {.sql = sql, .name = "check", .owner = "check"};
    Change change;
    change_parse_my(arena, &input, &online->dialect, &change);
    if (change.operation_count == 0 || change.problem_count > 0) {
        online->astray = true;
        return NULL;
    }
    for (size_t i = 0; i < change.operation_count && measured->error == NULL; i++)
        if (change.operations[i].kind == OPERATION_MY && change.operations[i].my != NULL)
            TRY(carry(online, arena, change.operations[i].sql, unchecked, measured));
    return NULL;
}

/* Whether a NULL column can become NOT NULL in place, or a zero date be a default, hangs on how strict the
 * session is that runs the migration, and that is as strict as the server makes it. */
static Err *be_as_strict(Online *online, Arena *arena)
{
    static const char strict[] = ",STRICT_ALL_TABLES,STRICT_TRANS_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,"
                                 "ERROR_FOR_DIVISION_BY_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION,";
    CLEANUP(str_donep) Str mode = STR_INIT;
    Wait wait = {.stop = online->stop, .timeout_ms = STATEMENT_MS};
    Rows rows = {0};
    TRY(conn_query(online->clone_conn, &wait, arena, &rows, "SELECT @@SESSION.sql_mode, @@GLOBAL.sql_mode"));
    for (size_t col = 0; col < 2; col++) {
        const char *at = rows_cell(&rows, 0, col);
        for (size_t len = 0; *at != '\0'; at += len + (at[len] == ',')) {
            len = strcspn(at, ",");
            bool is_strict = strstr(strict, arena_printf(arena, ",%.*s,", (int)len, at)) != NULL;
            if (is_strict != (col == 1))
                continue;
            str_sep(&mode, ",");
            str_addn(&mode, at, len);
        }
    }
    return conn_query(online->clone_conn, &wait, arena, &rows,
                      arena_printf(arena, "SET SESSION sql_mode = '%s'", mode.buf == NULL ? "" : mode.buf));
}

Err *measure_my(void *context, Arena *arena, const char *sql, const ActStatement *statement, bool made,
                bool keys_unchecked, Measured *ret_measured)
{
    Online *online = context;
    Written written = {.keys_unchecked = keys_unchecked};
    int64_t from_ms = clock_ms();
    *ret_measured = (Measured){0};
    if (!measure_is_due(statement))
        return NULL;
    if (!online->as_theirs)
        TRY(be_as_strict(online, arena));
    online->as_theirs = true;
    if (read_written(online, arena, sql, &written))
        TRY(measure_change(online, arena, &written, made, ret_measured));
    else
        TRY(measure_other(online, arena, sql, keys_unchecked, ret_measured));
    online->measure_ms += clock_ms() - from_ms;
    return NULL;
}
