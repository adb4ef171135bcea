/* How the server would carry an ALTER TABLE out: it is asked to, on an empty copy, from the cheapest way on.
 */
#include "base/str.h"
#include "engine/mysql/clone.h"
#include "engine/mysql/definition.h"
#include "engine/mysql/look.h"
#include "engine/mysql/lost.h"
#include "engine/mysql/my.h"
#include "engine/mysql/quote.h"
#include "engine/mysql/written.h"

#include <string.h>
#include <strings.h>

/* From the cheapest on. MySQL refuses INSTANT with a LOCK of its own (1221). */
static const struct Way {
    const char *algorithm, *lock; /* NULL: not said */
    Rung rung;                    /* where rows or indexes are written */
    FlavorFact fact;              /* what the server must be capable of; FACT_COUNT: nothing */
} ways[] = {
    {"INSTANT", NULL, RUNG_INSTANT, FACT_INSTANT_ADD_LAST},
    {"NOCOPY", "NONE", RUNG_NOCOPY, FACT_NOCOPY},
    {"INPLACE", "NONE", RUNG_INPLACE, FACT_COUNT},
    {"COPY", "NONE", RUNG_ONLINE_COPY, FACT_ONLINE_COPY},
    {"INPLACE", "SHARED", RUNG_SHARED, FACT_COUNT},
    {"COPY", "SHARED", RUNG_SHARED, FACT_COUNT},
    {"INPLACE", "EXCLUSIVE", RUNG_EXCLUSIVE, FACT_COUNT},
    {"COPY", "EXCLUSIVE", RUNG_EXCLUSIVE, FACT_COUNT},
};

typedef struct Ask {
    Conn *conn;
    const Wait *wait;
    Arena *arena;
    const LadderRequest *request;
    const Table *table;
    Scratch scratch;
    const char *database; /* the copy's */
    const char *sql;      /* about the copy */
    const char *said;     /* … with the ALGORITHM and LOCK that the user wants */
    const char *between;  /* what stands between statement and clause, and between the clause's parts */
    const char *create_sql;
    Rows tables; /* in the copy's database, as it was */
    Look before;
    bool may_build; /* by the definitions: an index is new, or a column is of another kind */
    bool guarded;   /* the tables are locked */
    bool odd;       /* the last way was refused for another reason than that it is none */
    Ladder ladder;
} Ask;

/* ---- the copy --------------------------------------------------------------------------------------------
 */

static Err *list_tables(Ask *ask, Rows *ret_rows)
{
    return conn_params(ask->conn, ask->wait, ask->arena, ret_rows,
                       "SELECT table_name FROM information_schema.tables WHERE table_schema = $1",
                       ask->database);
}

static bool was_there(const Ask *ask, const char *name)
{
    for (size_t i = 0; i < ask->tables.row_count; i++)
        if (str_eq(rows_cell(&ask->tables, i, 0), name))
            return !str_eq(name, ask->table->name);
    return false;
}

/* The table is made anew, whatever it is called by now. */
static Err *restore(Ask *ask)
{
    Rows now = {0};
    TRY(list_tables(ask, &now));
    TRY(my_exec(ask->conn, ask->wait, "SET SESSION foreign_key_checks = 0"));
    for (size_t i = 0; i < now.row_count; i++)
        if (!was_there(ask, rows_cell(&now, i, 0)))
            TRY(my_exec(ask->conn, ask->wait,
                        arena_printf(ask->arena, "DROP TABLE %s",
                                     my_name(ask->arena, ask->database, rows_cell(&now, i, 0)))));
    return clone_make_table(ask->conn, ask->wait, ask->database, ask->create_sql);
}

/* The statement, or a form of it. */
static Err *run(Ask *ask, const char *sql)
{
    if (ask->request->unchecked) /* clone_make_table checks again */
        TRY(my_exec(ask->conn, ask->wait, "SET SESSION foreign_key_checks = 0"));
    return ask->request->as_written ? my_exec_written(ask->conn, ask->wait, sql)
                                    : my_exec(ask->conn, ask->wait, sql);
}

/* LOCK TABLES of the whole copy, and the end of it. */
static Err *guard(Ask *ask, bool on)
{
    if (ask->guarded == on)
        return NULL;
    ask->guarded = on;
    return on ? clone_guard(ask->conn, ask->wait, &ask->scratch)
              : my_exec(ask->conn, ask->wait, "UNLOCK TABLES");
}

static Err *look(Ask *ask, Look *ret_look)
{
    return look_take(ask->conn, ask->wait, ask->arena, ask->database, ask->table->name, ret_look);
}

/* What the server says against the statement; other errors stay errors. The reason is the innermost message,
 * with the real names. */
static Err *refused(Ask *ask, Err *err, const char **ret_reason)
{
    *ret_reason = NULL;
    if (err == NULL || err->server_errno == 0 || err_is(err, ERR_CONN_LOST) || err_is(err, ERR_STOPPED) ||
        err_is(err, ERR_CANCELLED) || err_is(err, ERR_LOCK_TIMEOUT) || err_is(err, ERR_DISK_FULL))
        return err;
    const Err *inner = err;
    while (inner->cause != NULL)
        inner = inner->cause;
    *ret_reason = scratch_real(ask->arena, &ask->scratch, inner->msg);
    err_free(err);
    return NULL;
}

static Err *outside(const Ask *ask, Err *err)
{
    if (!clone_is_outside(err))
        return err;
    err_free(err);
    return err_new(ERR_UNSAFE,
                   "the statement is about more than \"%s.%s\" and the tables at the other end of its "
                   "foreign keys",
                   ask->table->schema, ask->table->name);
}

/* ---- first, guarded: whether the server takes it at all, and what it makes of the table ------------------
 */

static Err *describe(Ask *ask, Table *ret_table, const char **ret_definition)
{
    Scratch *scratch = &ask->scratch;
    TRY(my_load_table(ask->conn, ask->wait, ask->arena, NULL, ask->database, ask->table->name, ret_table));
    *ret_definition = NULL;
    if (ret_table->kind != RELATION_MISSING)
        *ret_definition =
            scratch_real(ask->arena, scratch, definition_canonical(ask->arena, ret_table->my->create_sql));
    return NULL;
}

/* MySQL refuses a statement that is not the same on a replica (1674: a default of uuid()), before all else
 * and only where the session writes the log, which ours does not. Asked in a form that cannot succeed. */
static Err *check_log(Ask *ask, const char **ret_reason)
{
    enum { UNSAFE_STATEMENT = 1674 };
    Rows rows = {0};
    if (flavor_is_mariadb(my_flavor(ask->conn)) || !str_eq(ask->between, ", ") ||
        strcasestr(ask->sql, "DEFAULT") == NULL)
        return NULL;
    TRY(conn_query(ask->conn, ask->wait, ask->arena, &rows,
                   "SELECT @@GLOBAL.log_bin AND NOT @@SESSION.sql_log_bin"));
    if (!rows_bool(&rows, 0, 0))
        return NULL;
    TRY(my_exec(ask->conn, ask->wait, "SET SESSION sql_log_bin = 1"));
    Err *err = run(ask, arena_printf(ask->arena, "%s, DROP COLUMN `stoa no such column`", ask->sql));
    bool unsafe = err != NULL && err->server_errno == UNSAFE_STATEMENT;
    err = refused(ask, err, ret_reason);
    if (!unsafe)
        *ret_reason = NULL;
    TRY(err);
    return my_exec(ask->conn, ask->wait, "SET SESSION sql_log_bin = 0");
}

static Err *run_guarded(Ask *ask, const char **ret_reason)
{
    TRY(guard(ask, true));
    Err *err = check_log(ask, ret_reason);
    if (err == NULL && *ret_reason == NULL)
        err = run(ask, ask->sql);
    Err *unlocked = guard(ask, false);
    err = outside(ask, err);
    if (*ret_reason == NULL)
        err = refused(ask, err, ret_reason);
    if (err == NULL)
        return unlocked;
    err_free(unlocked);
    return err;
}

static bool may_build(const Table *before, const Table *after, const LostAttribute *lost, size_t lost_count)
{
    for (size_t i = 0; i < after->index_count; i++) {
        const Index *was = table_index(before, after->indexes[i].name);
        if (was == NULL || !str_eq(was->definition, after->indexes[i].definition))
            return true;
    }
    for (size_t i = 0; i < lost_count; i++)
        if (str_starts(lost[i].before, "TYPE ") || str_starts(lost[i].before, "COLLATE "))
            return true;
    return false;
}

/* What the statement has made of the table. */
static Err *describe_after(Ask *ask, const Table *before)
{
    Table after = {0};
    TRY(describe(ask, &after, &ask->ladder.after));
    if (after.kind != RELATION_MISSING)
        lost_list(ask->arena, before, &after, ask->request->renames, ask->request->rename_count,
                  &ask->ladder.lost, &ask->ladder.lost_count);
    ask->may_build = may_build(before, &after, ask->ladder.lost, ask->ladder.lost_count);
    for (size_t i = 0; i < ask->ladder.lost_count; i++) {
        LostAttribute *lost = &ask->ladder.lost[i];
        lost->before = scratch_real(ask->arena, &ask->scratch, lost->before);
        lost->after = scratch_real(ask->arena, &ask->scratch, lost->after);
    }
    return NULL;
}

static Err *ask_whole(Ask *ask, const char **ret_reason)
{
    Table before = {0};
    TRY(describe(ask, &before, &ask->ladder.before));
    if (before.kind == RELATION_MISSING)
        return err_new(ERR_BUG, "the clone has no \"%s\"", ask->table->name);
    ask->create_sql = definition_plain(ask->arena, before.my->create_sql);
    TRY(list_tables(ask, &ask->tables));
    TRY(run_guarded(ask, ret_reason));
    if (*ret_reason != NULL)
        return NULL;
    TRY(describe_after(ask, &before));
    return restore(ask);
}

/* ---- then, way by way ------------------------------------------------------------------------------------
 */

static bool is_innodb(const char *engine) { return engine != NULL && strcasecmp(engine, "InnoDB") == 0; }

/* What is accepted need not be true: MariaDB accepts INSTANT for another engine and copies all rows (seen
 * on 10.11). NULL: it is. */
static const char *lie(const Ask *ask, const struct Way *way, const Look *after)
{
    const Ladder *ladder = &ask->ladder;
    bool in_place = !str_eq(way->algorithm, "COPY");
    if (in_place && after->engine != NULL && !str_eq(ask->before.engine, after->engine))
        return "it is accepted, but copies all rows into another engine";
    if (in_place && str_eq(way->algorithm, "INPLACE") && !is_innodb(ask->before.engine))
        return "it is accepted, but what another engine than InnoDB does in place is not known";
    /* Seen on MariaDB 11.8: writers wait for MyISAM and Aria all the same. */
    if (way->rung == RUNG_ONLINE_COPY && !is_innodb(ask->before.engine))
        return "it is accepted, but tables of another engine than InnoDB are locked while they are read";
    bool builds = !ask->before.known || !after->known ||
                  (!look_is_rebuilt(&ask->before, after) && look_has_new_index(&ask->before, after));
    if (in_place && builds && way->rung != RUNG_INSTANT && look_has_new_collation(&ask->before, after) &&
        flavor_can(my_flavor(ask->conn), FACT_COLLATION_CORRUPTS))
        return "it is accepted, but an index built for another collation beside writers is corrupt";
    if (way->rung != RUNG_INSTANT || !ask->before.known || !after->known)
        return NULL;
    if (look_is_rebuilt(&ask->before, after))
        return "it is accepted, but writes the table anew";
    if (look_has_new_index(&ask->before, after))
        return "it is accepted, but builds an index";
    bool counts = after->row_versions > ask->before.row_versions;
    if (counts && flavor_can(my_flavor(ask->conn), FACT_INSTANT_BROKEN))
        return "instant columns of MySQL 8.0.29 to 8.0.31 are not safe";
    if (counts && ladder->row_versions_left == 0)
        return "the table has no row version left";
    return NULL;
}

/* Unseen, the worst that the words allow. */
static void judge(Ask *ask, const struct Way *way, const char *clause, const Look *after)
{
    Ladder *ladder = &ask->ladder;
    /* It may have gone under its name: renamed. */
    bool innodb = is_innodb(ask->before.engine) && (after->engine == NULL || is_innodb(after->engine));
    bool known = innodb && ask->before.known && after->known;
    bool instant = way->rung == RUNG_INSTANT;
    ladder->rebuilds = known ? look_is_rebuilt(&ask->before, after) : !instant && way->rung != RUNG_NOCOPY;
    ladder->builds_index = ladder->rebuilds || (known && ask->before.indexes_known && after->indexes_known
                                                    ? look_has_new_index(&ask->before, after)
                                                    : !instant && (ask->may_build || !known));
    ladder->uses_row_version = after->row_versions > ask->before.row_versions;
    ladder->clause = clause;
    ladder->rung = way->rung;
    if (!instant && !ladder->rebuilds && !ladder->builds_index)
        ladder->rung = RUNG_METADATA; /* whatever its lock: nothing is written under it */
    else if (ladder->rebuilds && way->rung == RUNG_NOCOPY)
        ladder->rung = RUNG_INPLACE;
}

/* The server's words for a way that it does not go, or does not know: 1221 INSTANT with LOCK, 1845 and 1846.
 */
static bool is_no_way(int64_t number) { return number == 1221 || number == 1845 || number == 1846; }

static Err *again(Ask *ask)
{
    TRY(guard(ask, false));
    TRY(restore(ask));
    return look(ask, &ask->before);
}

static Err *try_way(Ask *ask, const struct Way *way, bool *ret_found)
{
    Arena *arena = ask->arena;
    const char *lock = way->lock == NULL ? "" : arena_printf(arena, "%sLOCK=%s", ask->between, way->lock);
    const char *clause = arena_printf(arena, "ALGORITHM=%s%s", way->algorithm, lock);
    LadderTry *try = &ask->ladder.tries[ask->ladder.try_count++];
    *try = (LadderTry){.clause = clause};
    Err *err = run(ask, arena_printf(arena, "%s%s%s", ask->sql, ask->between, clause));
    bool accepted = err == NULL;
    ask->odd = !accepted && !is_no_way(err->server_errno);
    TRY(refused(ask, outside(ask, err), &try->reason));
    if (!accepted)
        return NULL;
    Look after = {0};
    TRY(look(ask, &after));
    try->reason = lie(ask, way, &after);
    try->ok = *ret_found = try->reason == NULL;
    if (try->ok)
        judge(ask, way, clause, &after);
    return try->ok && ask->request->keep ? NULL : again(ask);
}

static void give_up(Ask *ask, const char *reason)
{
    Ladder *ladder = &ask->ladder;
    ladder->rung = RUNG_REFUSED;
    ladder->clause = "";
    ladder->tries[ladder->try_count++] = (LadderTry){.clause = "", .reason = reason};
}

/* Actions on partitions take no clause on MariaDB, and none behind them on MySQL (1064): what they do is seen
 * all the same. */
static Err *try_plain(Ask *ask)
{
    Ladder *ladder = &ask->ladder;
    const char *reason = NULL;
    TRY(refused(ask, outside(ask, run(ask, ask->said)), &reason));
    if (reason != NULL) {
        give_up(ask, reason);
        return NULL;
    }
    Look after = {0};
    TRY(look(ask, &after));
    static const struct Way plain = {"", NULL, RUNG_SHARED, FACT_COUNT};
    judge(ask, &plain, "", &after);
    ladder->tries[ladder->try_count++] = (LadderTry){.clause = "", .ok = true};
    return ask->request->keep ? NULL : restore(ask);
}

static void count_row_versions(Ask *ask)
{
    const MyTable *my = ask->table->my;
    bool counted = flavor_can(my_flavor(ask->conn), FACT_ROW_VERSIONS) && my != NULL && my->row_versions >= 0;
    ask->ladder.row_versions_left = counted ? my->row_versions_most - my->row_versions : -1;
}

static bool is_wanted(const char *wanted, const char *word)
{
    return wanted == NULL || word == NULL || strcasecmp(wanted, word) == 0 ||
           strcasecmp(wanted, "DEFAULT") == 0;
}

static bool is_way_here(const Ask *ask, const struct Way *way)
{
    return (way->fact == FACT_COUNT || flavor_can(my_flavor(ask->conn), way->fact)) &&
           is_wanted(ask->request->algorithm, way->algorithm) && is_wanted(ask->request->lock, way->lock);
}

static Err *climb(Ask *ask)
{
    bool found = false;
    for (size_t i = 0; !found && i < ARRAY_LEN(ways); i++)
        if (is_way_here(ask, &ways[i]))
            TRY(try_way(ask, &ways[i], &found));
    return found ? NULL : try_plain(ask);
}

/* ---- or at once, when it may stay done -------------------------------------------------------------------
 */

/* Whether the server takes the statement at all, when a way was refused in other words. */
static Err *take(Ask *ask, bool *ret_taken)
{
    const char *reason = NULL;
    TRY(guard(ask, true));
    TRY(refused(ask, outside(ask, run(ask, ask->said)), &reason));
    *ret_taken = reason == NULL;
    if (reason == NULL)
        return again(ask);
    give_up(ask, reason);
    return NULL;
}

/* Guarded all the way. MariaDB does not copy online under LOCK TABLES; that the statement is about no other
 * table has been seen before. */
static Err *climb_kept(Ask *ask)
{
    bool found = false, taken = false;
    const char *reason = NULL;
    TRY(guard(ask, true));
    TRY(check_log(ask, &reason));
    if (reason != NULL) {
        give_up(ask, reason);
        return NULL;
    }
    for (size_t i = 0; !found && i < ARRAY_LEN(ways); i++) {
        if (!is_way_here(ask, &ways[i]))
            continue;
        TRY(guard(ask, ways[i].rung != RUNG_ONLINE_COPY));
        TRY(try_way(ask, &ways[i], &found));
        if (!found && ask->odd && !taken) {
            TRY(take(ask, &taken));
            if (!taken)
                return NULL;
        }
    }
    if (found)
        return NULL;
    TRY(guard(ask, true));
    return try_plain(ask);
}

static Err *ask_kept(Ask *ask)
{
    Table before = {0};
    Rows rows = {0};
    TRY(conn_query(
        ask->conn, ask->wait, ask->arena, &rows,
        arena_printf(ask->arena, "SHOW CREATE TABLE %s", my_name(ask->arena, NULL, ask->table->name))));
    ask->create_sql = definition_plain(ask->arena, rows_cell(&rows, 0, 1));
    TRY(list_tables(ask, &ask->tables));
    TRY(look(ask, &ask->before));
    bool describes = ask->request->lost || !ask->before.known;
    ask->may_build = !ask->before.known; /* until it is known */
    if (describes)
        TRY(describe(ask, &before, &ask->ladder.before));
    Err *err = climb_kept(ask);
    if (err_is(err, ERR_CONN_LOST))
        return err;
    Err *ended = guard(ask, false);
    if (ended == NULL && ask->request->unchecked)
        ended = my_exec(ask->conn, ask->wait, "SET SESSION foreign_key_checks = 1");
    if (err == NULL)
        err = ended;
    else
        err_free(ended);
    if (err == NULL && describes && ask->ladder.rung != RUNG_REFUSED && before.my != NULL)
        err = describe_after(ask, &before);
    return err;
}

static const char *with_clauses(const Ask *ask)
{
    const LadderRequest *request = ask->request;
    const char *algorithm = request->algorithm == NULL ? "" : "ALGORITHM=",
               *lock = request->lock == NULL ? "" : "LOCK=";
    return arena_printf(ask->arena, "%s%s%s%s%s%s%s", ask->sql, algorithm[0] == '\0' ? "" : ask->between,
                        algorithm, request->algorithm == NULL ? "" : request->algorithm,
                        lock[0] == '\0' ? "" : ask->between, lock,
                        request->lock == NULL ? "" : request->lock);
}

Err *my_ladder(Conn *clone_conn, const Wait *wait, Arena *arena, const LadderRequest *request,
               Ladder *ret_ladder)
{
    const Table *table = request->table;
    const char *sql = request->sql;
    Ask ask = {.conn = clone_conn, .wait = wait, .arena = arena, .request = request, .table = table};
    const char *reason = NULL;
    TRY(clone_may_run(sql));
    TRY(scratch_load(clone_conn, wait, arena, &ask.scratch));
    if (ask.scratch.count == 0)
        return err_new(ERR_BUG, "this session has no clone");
    ask.database = scratch_of(&ask.scratch, table->schema);
    ask.sql = scratch_sql(arena, &ask.scratch, sql);
    ask.between = strncasecmp(sql + strspn(sql, " \t\r\n"), "ALTER", 5) == 0 ? ", " : " ";
    ask.said = with_clauses(&ask);
    ask.ladder.tries = arena_alloc(arena, (ARRAY_LEN(ways) + 2) * sizeof *ask.ladder.tries);
    ask.ladder.row_versions_left = -1;
    TRY(my_exec(clone_conn, wait, arena_printf(arena, "USE %s", my_ident(arena, ask.database))));
    count_row_versions(&ask);
    if (request->keep)
        TRY(ask_kept(&ask));
    else
        TRY(ask_whole(&ask, &reason));
    if (reason != NULL) {
        give_up(&ask, reason);
    } else if (!request->keep) {
        TRY(look(&ask, &ask.before));
        TRY(climb(&ask));
    }
    *ret_ladder = ask.ladder;
    return NULL;
}
