/* The journal: what was intended, what happened, how far it went; the truth that resume starts from. */
#include "run/runner.h"
#include "run/seal.h"
#include "run/settings.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

static const char *num(Arena *arena, int64_t value) { return arena_printf(arena, "%lld", (long long)value); }

const char *journal_fill(Arena *arena, const char *text, const char *name, const char *value)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    const char *mark = arena_printf(arena, "{%s}", name), *at = text;
    for (const char *end = strstr(at, mark); end != NULL; end = strstr(at, mark)) {
        str_addn(&out, at, (size_t)(end - at));
        str_add(&out, value);
        at = end + strlen(mark);
    }
    str_add(&out, at);
    return arena_dup(arena, out.buf);
}

const char *journal_numbers(Arena *arena, size_t first, size_t count)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    for (size_t i = 0; i < count; i++) {
        str_sep(&out, ", ");
        str_addf(&out, "$%zu", first + i);
    }
    return arena_dup(arena, out.buf);
}

/* One journal statement without a result; `ret_affected` may be NULL. */
static Err *journal_run(Conn *conn, const char *sql, size_t count, const char *const *params,
                        int64_t *ret_affected)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = journal_wait();
    Rows rows = {0};
    Err *err = conn->ops->query(conn, &wait, arena, sql, count, params, &rows);
    if (err != NULL)
        return err_wrap(err, "cannot write the journal");
    if (ret_affected != NULL)
        *ret_affected = rows.affected;
    return NULL;
}

/* One that has a text of the engine's own. */
static Err *journal_write(Conn *conn, JournalSql statement, size_t count, const char *const *params)
{
    return journal_run(conn, conn->ops->journal_sql(statement), count, params, NULL);
}

/* The same while the lease is ours: else ERR_FENCED. */
static Err *journal_fenced(Conn *conn, const Lease *lease, JournalSql statement, size_t count,
                           const char *const *params)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    size_t proof_count = 2 * lease->table_count;
    const char **all = arena_alloc(arena, (count + proof_count) * sizeof *all);
    for (size_t i = 0; i < count + proof_count; i++)
        all[i] = i < count ? params[i] : lease->proof[i - count];
    const char *sql = journal_fill(arena, conn->ops->journal_sql(statement), "proof",
                                   lease_proof_sql(arena, conn->ops, lease, count + 1));
    sql = journal_fill(arena, sql, "epochs", lease_epochs_sql(arena, lease, count + 1));
    sql = journal_fill(arena, sql, "count", arena_printf(arena, "%zu", lease->table_count));
    int64_t affected = 0;
    TRY(journal_run(conn, sql, count + proof_count, all, &affected));
    return affected > 0 ? NULL : err_new(ERR_FENCED, "another runner has taken over");
}

static bool has_sync(const Conn *conn) { return (conn->ops->features & ENGINE_SYNC_TRIGGERS) != 0; }

/* Where the role may not, or another has done it just now, events are append-only by our own conduct. */
static void protect(Conn *conn, const EngineOps *ops, JournalSql statement)
{
    const char *sql = ops->journal_sql(statement);
    Wait wait = journal_wait();
    Err *err = sql[0] == '\0' ? NULL : conn_exec(conn, &wait, sql);
    if (err != NULL)
        log_line(LOG_DEBUG, "the journal's events are not protected: %s", err->msg);
    err_free(err);
}

Err *journal_upgrade(Conn *conn, const EngineOps *ops, Server *server)
{
    if (server->journal_version <= 0 || server->journal_version >= ops->journal_version)
        return NULL;
    Wait wait = journal_wait();
    Rows rows = {0};
    CLEANUP(arena_freep) Arena *arena = arena_new();
    TRY(ops->begin(conn, &wait, &(TxSettings){.lock_timeout_ms = 5000}));
    /* one of two that begin at once waits for the other here, and finds it done */
    Err *err = conn_query(conn, &wait, arena, &rows, "SELECT version FROM stoa.meta FOR UPDATE");
    if (err == NULL && rows.row_count > 0 && rows_int(&rows, 0, 0) < ops->journal_version)
        err = conn_exec(conn, &wait, ops->journal_sql(JOURNAL_UPGRADE));
    if (err == NULL)
        err = ops->commit(conn, &wait);
    if (err == NULL) {
        server->journal_version = ops->journal_version;
        protect(conn, ops, JOURNAL_PROTECT_SEALS);
        seal_quietly(conn);
        return NULL;
    }
    ops->rollback(conn);
    err = err_wrap(err, "the journal in schema \"stoa\" is of version %d and cannot be brought to version %d",
                   server->journal_version, ops->journal_version);
    return err_is(err, ERR_PRIVILEGE)
               ? err_hint(err, "run \"stoa resume\" or \"stoa apply\" once as the role that owns schema stoa")
               : err;
}

Err *journal_ensure(Conn *conn, const EngineOps *ops, const Server *server)
{
    TRY(journal_check_version(ops, server));
    if (server->journal_version > 0)
        return NULL; /* of the present version: journal_upgrade() was there before */
    Wait wait = journal_wait();
    TRY(ops->begin(conn, &wait, &(TxSettings){.lock_timeout_ms = 5000}));
    Err *err = conn_exec(conn, &wait, ops->journal_sql(JOURNAL_CREATE));
    if (err == NULL)
        err = ops->commit(conn, &wait);
    if (err == NULL) {
        protect(conn, ops, JOURNAL_PROTECT);
        protect(conn, ops, JOURNAL_PROTECT_SEALS);
        return NULL;
    }
    ops->rollback(conn);
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Server again = {0};
    Err *reload = ops->load_server(conn, &wait, arena, &again); /* somebody else may have made it just now */
    if (reload == NULL && again.journal_version == ops->journal_version) {
        err_free(err);
        return NULL;
    }
    err_free(reload);
    return err_wrap(err, "cannot create the journal in schema \"stoa\"");
}

/* ---- changes ---------------------------------------------------------------------------------------------
 */

void journal_change_done(JournalChange *change)
{
    json_decref(change->plan);
    change->plan = NULL;
}

Err *journal_find(Conn *conn, Arena *arena, const char *name, JournalChange *ret_change)
{
    Wait wait = journal_wait();
    Rows rows = {0};
    *ret_change = (JournalChange){0};
    TRY(conn_params(conn, &wait, arena, &rows, conn->ops->journal_sql(JOURNAL_FIND_CHANGE), name));
    if (rows.row_count == 0)
        return NULL;
    json_error_t why;
    json_t *plan = json_loads(rows_cell(&rows, 0, 10), 0, &why);
    if (plan == NULL)
        return err_new(ERR_BUG, "the journalled plan of \"%s\" cannot be read: %s", name, why.text);
    *ret_change = (JournalChange){
        .id = rows_int(&rows, 0, 0),
        .name = rows_cell(&rows, 0, 1),
        .owner = rows_cell(&rows, 0, 2),
        .change_digest = rows_cell(&rows, 0, 3),
        .plan_digest = rows_cell(&rows, 0, 4),
        .sql = rows_cell(&rows, 0, 5),
        .state = rows_cell(&rows, 0, 6),
        .phase = rows_cell(&rows, 0, 7),
        .error = rows_cell(&rows, 0, 8),
        .ready_position = rows_cell(&rows, 0, 9),
        .plan = plan,
    };
    return NULL;
}

Err *journal_look_again(Conn *conn, Arena *arena, JournalChange *change)
{
    Wait wait = journal_wait();
    Rows rows = {0};
    TRY(conn_params(conn, &wait, arena, &rows, "SELECT state, phase FROM stoa.changes WHERE id = $1",
                    num(arena, change->id)));
    if (rows.row_count == 0)
        return err_new(ERR_USAGE, "change \"%s\" is no longer in the journal", change->name);
    change->state = rows_cell(&rows, 0, 0);
    change->phase = rows_cell(&rows, 0, 1);
    return NULL;
}

Err *journal_put_signals(Conn *conn, int64_t change_id, json_t *signals)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    CLEANUP(mem_freep) char *body = json_dumps(signals, JSON_COMPACT);
    const char *const params[] = {num(arena, change_id), body};
    return journal_write(conn, JOURNAL_PUT_SIGNALS, ARRAY_LEN(params), params);
}

/* ---- changes -------------------------------------------------------------------------------- */

Err *journal_insert_steps(Conn *conn, Arena *arena, const Step *steps, size_t count, int64_t change_id)
{
    for (size_t i = 0; i < count; i++) {
        const Step *step = &steps[i];
        const char *const params[] = {num(arena, change_id), num(arena, step->ordinal),
                                      phase_name(step->phase), step_kinds[step->kind].name, step->title};
        TRY(journal_write(conn, JOURNAL_ADD_STEP, ARRAY_LEN(params), params));
    }
    return NULL;
}

Err *journal_insert(Conn *conn, Arena *arena, const Plan *plan, const Controls *controls, int64_t *ret_id)
{
    json_t *json = plan_to_json(plan);
    CLEANUP(mem_freep) char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    Wait wait = journal_wait();
    Rows rows = {0};
    TRY(conn_params(conn, &wait, arena, &rows, conn->ops->journal_sql(JOURNAL_ADD_CHANGE), plan->change,
                    plan->owner, plan->change_digest, plan->plan_digest, plan->sql, text));
    const char *id = rows_cell(&rows, 0, 0);
    const char *const params[] = {id,
                                  num(arena, controls->max_stall_ms),
                                  num(arena, controls->lock_wait_ms),
                                  num(arena, controls->max_lag_ms),
                                  num(arena, controls->chunk_time_ms),
                                  num(arena, controls->quiet_ms),
                                  controls->window};
    TRY(journal_run(
        conn,
        "INSERT INTO stoa.controls (change_id, max_stall_ms, lock_wait_ms, max_lag_ms, chunk_time_ms, "
        "quiet_ms, time_window) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        ARRAY_LEN(params), params, NULL));
    *ret_id = rows_int(&rows, 0, 0);
    TRY(settings_store(conn, arena, *ret_id, controls));
    return journal_insert_steps(conn, arena, plan->steps, plan->step_count, *ret_id);
}

Err *journal_event(Conn *conn, int64_t change_id, const char *kind, int step, json_t *detail,
                   const char *text)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    CLEANUP(mem_freep) char *body = detail == NULL ? NULL : json_dumps(detail, JSON_COMPACT);
    const char *const params[] = {change_id == 0 ? NULL : num(arena, change_id), kind, num(arena, step), body,
                                  text};
    return journal_write(conn, JOURNAL_ADD_EVENT, ARRAY_LEN(params), params);
}

Err *journal_step(Conn *conn, int64_t change_id, int ordinal, const char *state, const char *error)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *const params[] = {num(arena, change_id), num(arena, ordinal), state, error};
    return journal_write(conn, JOURNAL_SET_STEP, ARRAY_LEN(params), params);
}

Err *journal_step_done(Conn *conn, const Lease *lease, int64_t change_id, int ordinal)
{
    if (lease->table_count == 0)
        return journal_step(conn, change_id, ordinal, "done", NULL);
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *const params[] = {num(arena, change_id), num(arena, ordinal)};
    return journal_fenced(conn, lease, JOURNAL_STEP_DONE, ARRAY_LEN(params), params);
}

Err *journal_step_state(Conn *conn, Arena *arena, int64_t change_id, int ordinal, const char **ret_state)
{
    Wait wait = journal_wait();
    Rows rows = {0};
    TRY(conn_params(conn, &wait, arena, &rows,
                    "SELECT state FROM stoa.steps WHERE change_id = $1 AND ordinal = $2",
                    num(arena, change_id), num(arena, ordinal)));
    if (rows.row_count == 0)
        return err_new(ERR_BUG, "step %d is not in the journal", ordinal);
    *ret_state = rows_cell(&rows, 0, 0);
    return NULL;
}

Err *journal_state(Conn *conn, int64_t change_id, const char *state, const char *phase, const char *error)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *const params[] = {num(arena, change_id), state, phase, error};
    return journal_write(conn, JOURNAL_SET_CHANGE, ARRAY_LEN(params), params);
}

/* ---- checkpoints ---------------------------------------------------------------------------- */

Err *journal_checkpoint(Conn *conn, const Lease *lease, int64_t change_id, int ordinal, const char *body)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *const params[] = {num(arena, change_id), num(arena, ordinal), body};
    return journal_fenced(conn, lease, JOURNAL_PUT_CHECKPOINT, ARRAY_LEN(params), params);
}

Err *journal_forget_checkpoint(Conn *conn, int64_t change_id, int ordinal)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *const params[] = {num(arena, change_id), num(arena, ordinal)};
    return journal_run(conn, "DELETE FROM stoa.checkpoints WHERE change_id = $1 AND ordinal = $2",
                       ARRAY_LEN(params), params, NULL);
}

Err *journal_load_checkpoint(Conn *conn, Arena *arena, int64_t change_id, int ordinal, json_t **ret_body)
{
    Wait wait = journal_wait();
    Rows rows = {0};
    TRY(conn_params(conn, &wait, arena, &rows,
                    "SELECT body FROM stoa.checkpoints WHERE change_id = $1 AND ordinal = $2",
                    num(arena, change_id), num(arena, ordinal)));
    *ret_body = rows.row_count == 0 ? NULL : json_loads(rows_cell(&rows, 0, 0), 0, NULL);
    return NULL;
}

/* ---- controls ------------------------------------------------------------------------------- */

Err *journal_load_controls(Conn *conn, Arena *arena, int64_t change_id, Controls *ret_controls,
                           bool *ret_abort)
{
    Wait wait = journal_wait();
    Rows rows = {0};
    TRY(conn_params(
        conn, &wait, arena, &rows,
        "SELECT paused, abort_requested, max_stall_ms, lock_wait_ms, max_lag_ms, chunk_time_ms, quiet_ms, "
        "time_window FROM stoa.controls WHERE change_id = $1",
        num(arena, change_id)));
    if (rows.row_count == 0)
        return err_new(ERR_BUG, "change %lld has no controls in the journal", (long long)change_id);
    *ret_abort = rows_bool(&rows, 0, 1);
    *ret_controls = (Controls){
        .paused = rows_bool(&rows, 0, 0),
        .max_stall_ms = rows_int(&rows, 0, 2),
        .lock_wait_ms = rows_int(&rows, 0, 3),
        .max_lag_ms = rows_int(&rows, 0, 4),
        .chunk_time_ms = rows_int(&rows, 0, 5),
        .quiet_ms = rows_int(&rows, 0, 6),
        .window = rows_cell(&rows, 0, 7),
    };
    return settings_load(conn, arena, change_id, ret_controls);
}

Err *journal_store_controls(Conn *conn, int64_t change_id, const Controls *controls, unsigned given,
                            const bool *paused)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *const params[] = {
        num(arena, change_id),
        paused == NULL ? NULL
        : *paused      ? "true"
                       : "false",
        (given & CONTROL_MAX_STALL) != 0 ? num(arena, controls->max_stall_ms) : NULL,
        (given & CONTROL_LOCK_WAIT) != 0 ? num(arena, controls->lock_wait_ms) : NULL,
        (given & CONTROL_MAX_LAG) != 0 ? num(arena, controls->max_lag_ms) : NULL,
        (given & CONTROL_CHUNK_TIME) != 0 ? num(arena, controls->chunk_time_ms) : NULL,
        (given & CONTROL_QUIET) != 0 ? num(arena, controls->quiet_ms) : NULL,
        (given & CONTROL_WINDOW) != 0 ? "true" : "false",
        controls->window,
    };
    TRY(journal_write(conn, JOURNAL_SET_CONTROLS, ARRAY_LEN(params), params));
    return settings_store(conn, arena, change_id, controls);
}

Err *journal_request_abort(Conn *conn, int64_t change_id, bool requested)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *const params[] = {num(arena, change_id), requested ? "true" : "false"};
    return journal_write(conn, JOURNAL_SET_ABORT, ARRAY_LEN(params), params);
}

/* ---- the sync trigger's columns: only where the engine has such triggers
 * ------------------------------------
 */

/* "{\"a\",\"b\"}" */
static const char *text_array(Arena *arena, const char *const *items, size_t count)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    str_add(&out, "{");
    for (size_t i = 0; i < count; i++) {
        str_add(&out, i > 0 ? ",\"" : "\"");
        for (const char *at = items[i]; *at != '\0'; at++) {
            if (*at == '"' || *at == '\\')
                str_add(&out, "\\");
            str_addn(&out, at, 1);
        }
        str_add(&out, "\"");
    }
    str_add(&out, "}");
    return arena_dup(arena, out.buf);
}

Err *journal_sync_remove(Conn *conn, int64_t change_id, int64_t table_id)
{
    if (!has_sync(conn))
        return NULL;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *const params[] = {num(arena, change_id), num(arena, table_id)};
    return journal_run(conn, "DELETE FROM stoa.sync_columns WHERE change_id = $1 AND table_id = $2",
                       ARRAY_LEN(params), params, NULL);
}

Err *journal_sync_put(Conn *conn, int64_t change_id, int64_t table_id, const FillColumn *fills, size_t count)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    TRY(journal_sync_remove(conn, change_id, table_id));
    for (size_t i = 0; i < count; i++) {
        const SyncColumn *sync = &fills[i].sync;
        json_t *list = sync_backs_to_json(sync->back, sync->back_count);
        CLEANUP(mem_freep) char *backs = json_dumps(list, JSON_COMPACT);
        json_decref(list);
        const char *const params[] = {num(arena, change_id),
                                      num(arena, table_id),
                                      fills[i].column,
                                      sync->expr,
                                      text_array(arena, sync->sources, sync->source_count),
                                      sync->counter,
                                      backs,
                                      sync->null_ok ? "true" : "false",
                                      sync->after ? "true" : "false"};
        TRY(journal_run(
            conn,
            "INSERT INTO stoa.sync_columns (change_id, table_id, column_name, expr, sources, counter, back, "
            "null_ok, after) VALUES ($1, $2, $3, $4, $5::text[], $6, $7::json, $8::boolean, $9::boolean)",
            ARRAY_LEN(params), params, NULL));
    }
    return NULL;
}

Err *journal_sync_table(Conn *conn, int64_t change_id, const FillColumn *fill, int64_t *ret_table_id)
{
    *ret_table_id = 0;
    if (!has_sync(conn))
        return NULL;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = journal_wait();
    Rows rows = {0};
    TRY(conn_params(conn, &wait, arena, &rows,
                    "SELECT table_id FROM stoa.sync_columns WHERE change_id = $1 AND counter = $2",
                    num(arena, change_id), fill->sync.counter));
    *ret_table_id = rows.row_count > 0 ? rows_int(&rows, 0, 0) : 0;
    return NULL;
}

Err *journal_sync_load(Conn *conn, Arena *arena, int64_t table_id, SyncColumn **ret_columns,
                       size_t *ret_count)
{
    Wait wait = journal_wait();
    Rows rows = {0};
    *ret_count = 0;
    if (!has_sync(conn))
        return NULL;
    TRY(conn_params(
        conn, &wait, arena, &rows,
        "SELECT change_id, column_name, expr, counter, to_json(sources), back, null_ok, after FROM "
        "stoa.sync_columns WHERE table_id = $1 ORDER BY change_id, column_name",
        num(arena, table_id)));
    SyncColumn *columns = arena_alloc(arena, (rows.row_count + 1) * sizeof *columns);
    for (size_t i = 0; i < rows.row_count; i++) {
        json_t *list = json_loads(rows_cell(&rows, i, 4), 0, NULL);
        size_t count = json_array_size(list);
        const char **sources = arena_alloc(arena, (count + 1) * sizeof *sources);
        for (size_t j = 0; j < count; j++)
            sources[j] = arena_dup(arena, json_string_value(json_array_get(list, j)));
        json_decref(list);
        columns[i] = (SyncColumn){.change_id = rows_int(&rows, i, 0),
                                  .column = rows_cell(&rows, i, 1),
                                  .expr = rows_cell(&rows, i, 2),
                                  .counter = rows_cell(&rows, i, 3),
                                  .sources = sources,
                                  .source_count = count,
                                  .null_ok = rows_bool(&rows, i, 6),
                                  .after = rows_bool(&rows, i, 7)};
        list = json_loads(rows_cell(&rows, i, 5), 0, NULL);
        sync_backs_from_json(arena, list, &columns[i].back, &columns[i].back_count);
        json_decref(list);
    }
    *ret_columns = columns;
    *ret_count = rows.row_count;
    return NULL;
}

/* ---- replicas --------------------------------------------------------------------------------------------
 */

Err *journal_store_replicas(Conn *conn, int64_t change_id, const Replica *replicas, size_t count)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    json_t *names = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(names, json_string(target_redacted(arena, replicas[i].name)));
    CLEANUP(mem_freep) char *text = json_dumps(names, JSON_COMPACT);
    json_decref(names);
    const char *const params[] = {num(arena, change_id), text};
    return journal_write(conn, JOURNAL_SET_REPLICAS, ARRAY_LEN(params), params);
}

Err *journal_load_replicas(Conn *conn, Arena *arena, int64_t change_id, bool *ret_known,
                           Replica **ret_replicas, size_t *ret_count)
{
    Wait wait = journal_wait();
    Rows rows = {0};
    TRY(conn_params(conn, &wait, arena, &rows, conn->ops->journal_sql(JOURNAL_REPLICAS),
                    num(arena, change_id)));
    *ret_known = rows.row_count > 0 && rows_cell(&rows, 0, 0) != NULL;
    json_t *names = *ret_known ? json_loads(rows_cell(&rows, 0, 0), 0, NULL) : NULL;
    *ret_count = json_array_size(names);
    *ret_replicas = arena_alloc(arena, (*ret_count + 1) * sizeof **ret_replicas);
    for (size_t i = 0; i < *ret_count; i++)
        (*ret_replicas)[i].name = arena_dup(arena, json_string_value(json_array_get(names, i)));
    json_decref(names);
    return NULL;
}
