/* The table of functions of the engine for MySQL and MariaDB. What makes no sense here, or is not there yet,
 * is NULL. */
#include "engine/mysql/mysql.h"

#include "engine/mysql/comment.h"
#include "engine/mysql/conn.h"
#include "engine/mysql/fill_rows.h"
#include "engine/mysql/hide.h"
#include "engine/mysql/journal.h"
#include "engine/mysql/load_signals.h"
#include "engine/mysql/my.h"
#include "engine/mysql/outside.h"
#include "engine/mysql/own.h"
#include "engine/mysql/quote.h"
#include "engine/mysql/server.h"
#include "engine/mysql/session.h"
#include "engine/mysql/shadow_my.h"
#include "engine/mysql/source.h"
#include "engine/mysql/stale.h"

static const char *const schemes[] = {"mysql", "mariadb", NULL};

const EngineOps engine_mysql = {
    .name = "mysql",
    .schemes = schemes,
    .dialect = DIALECT_MYSQL,
    .features = ENGINE_SHARED_JOURNAL,
    .journal_version = 5,
    .shadow = &my_shadow_ops,
    .connect = my_connect,
    .close = my_close,
    .query = my_query,
    .cancel = my_cancel,
    .begin = my_begin,
    .commit = my_commit,
    .rollback = my_rollback,
    .act_as = my_act_as,
    .session_id = my_session_id,
    .session_started = my_session_started,
    .end_session = my_end_session,
    .hint_lock = my_hint_lock,
    .waits_for = my_waits_for,
    .limit_build = my_limit_build,
    .doing = my_doing,
    .holders = my_holders,
    .alter = my_alter,
    .load_server = my_load_server,
    .load_table = my_load_table,
    .find_table = my_find_table,
    .find_schema = my_find_schema,
    .list_tables = my_list_tables,
    .load_stale = my_load_stale,
    .list_databases = my_list_databases,
    .session_limits = my_session_limits,
    .index_table = my_index_table,
    .checks = my_checks,
    .scan_choose = my_scan_choose,
    .scan_next = my_scan_next,
    .scan_filter = my_scan_filter,
    .scan_fraction = my_scan_fraction,
    .wave_filter = my_wave_filter,
    .row_list = my_row_list,
    .row_filter = my_row_filter,
    .update_rows = my_update_rows,
    .unlike = my_unlike,
    .quote = my_name,
    .only = "",
    .storage = my_storage,
    .hot_updates = my_hot_updates,
    .shape = my_shape,
    .position = my_position,
    .reached = my_reached,
    .work_sum = my_work_sum,
    .log_bytes = my_log_bytes,
    .local_time = my_local_time,
    .beat = my_beat,
    .beat_seen = my_beat_seen,
    .load_signals = my_load_signals,
    .load_signal_count = MY_LOAD_COUNT,
    .load = my_load,
    .canary = my_canary,
    .disk_free = my_disk_free,
    .standby_state = my_standby_state,
    .journal_sql = my_journal_sql,
    .undress = my_undress,
    .clone_open = my_clone_open,
    .clone_conn = my_clone_conn,
    .clone_close = my_clone_close,
    .clone_forget = my_clone_forget,
    .clone_run = my_clone_run,
    .copy_statements = my_copy_statements,
    .load_source = my_load_source,
    .sample_source = my_sample_source,
    .clone_run_written = my_clone_run_written,
    .ladder = my_ladder,
    .definition = my_definition,
    .column_comment = my_column_comment,
    .set_column_comment = my_set_column_comment,
    .hide_plan = my_hide_plan,
    .hide = my_hide,
    .show = my_show,
};
