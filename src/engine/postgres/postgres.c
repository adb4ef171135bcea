/* The PostgreSQL engine's table of functions. */
#include "engine/postgres/postgres.h"

#include "engine/postgres/catalog.h"
#include "engine/postgres/clone.h"
#include "engine/postgres/pg.h"
#include "engine/postgres/scratch.h"

static const char *const schemes[] = {"postgres", "postgresql", NULL};

const EngineOps engine_postgres = {
    .name = "postgres",
    .schemes = schemes,
    .features = ENGINE_TRANSACTIONAL_DDL,
    .act_as = pg_act_as,
    .session_id = pg_session_id,
    .end_session = pg_end_session,
    .session_started = pg_session_started,
    .hint_lock = pg_hint_lock,
    .waits_for = pg_waits_for,
    .scan_choose = pg_scan_choose,
    .scan_next = pg_scan_next,
    .scan_filter = pg_scan_filter,
    .wave_filter = pg_wave_filter,
    .scan_fraction = pg_scan_fraction,
    .row_list = pg_row_list,
    .row_filter = pg_row_filter,
    .update_free_rows = pg_update_free_rows,
    .storage = pg_storage,
    .shape = pg_shape,
    .journal_sql = pg_journal_sql,
    .vacuum = pg_vacuum,
    .index_state = pg_index_state,
    .counter_value = pg_counter_value,
    .log_bytes = pg_log_bytes,
    .local_time = pg_local_time,
    .replay_bytes = pg_replay_bytes,
    .load_server = pg_load_server,
    .load_table = pg_load_table,
    .find_table = pg_find_table,
    .fingerprint = pg_fingerprint,
    .index_table = pg_index_table,
    .check_expression = pg_check_expression,
    .blockers = pg_blockers,
    .lock_table = pg_lock_table,
    .horizon = pg_horizon,
    .position = pg_position,
    .probe = pg_probe,
    .replicas = pg_replicas,
    .replayed = pg_replayed,
    .hot_updates = pg_hot_updates,
    .clone_open = pg_clone_open,
    .clone_conn = pg_clone_conn,
    .clone_close = pg_clone_close,
    .clone_forget = pg_clone_forget,
    .connect = pg_connect,
    .close = pg_close,
    .query = pg_query,
    .copy_in = pg_copy_in,
    .cancel = pg_cancel,
    .begin = pg_begin,
    .commit = pg_commit,
    .rollback = pg_rollback,
};
