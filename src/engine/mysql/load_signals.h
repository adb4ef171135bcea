/* load_signals.h — Threads_running, the history list, Galera's flow control, the application's statements. */
#pragma once
#include "engine/engine.h"

enum {
    LOAD_THREADS,
    LOAD_HISTORY,
    LOAD_FLOW,
    LOAD_QUEUE,
    LOAD_LATENCY,
    LOAD_REDO,
    LOAD_CHECKPOINT,
    LOAD_BLOCKED,         /* sessions of others that have waited for our row locks for a second */
    LOAD_STANDBY_WAITING, /* told by replicas that are given by URL (outside.h) */
    LOAD_LAG,             /* likewise, in seconds */
    MY_LOAD_COUNT
};
extern const LoadSignal my_load_signals[];

/* As EngineOps.load. The history list is read from information_schema.INNODB_METRICS, or where its counter is
 * off from SHOW ENGINE INNODB STATUS; both need PROCESS. */
Err *my_load(Conn *conn, const Wait *wait, Arena *arena, LoadSample *sample) MUST_USE;

/* ---- pure parts ---- */

/* The number behind "History list length" in the text of SHOW ENGINE INNODB STATUS; -1 where it is not told.
 */
int64_t my_history_length(const char *status);
/* Rows of SHOW GLOBAL STATUS, name and value, `now_ms` monotonic: Threads_running, and where the server has
 * Galera, flow control as the part of the time since the last round (wsrep_flow_control_paused_ns) or else
 * since the status was flushed (wsrep_flow_control_paused), and the queue of write sets that were received
 * (wsrep_local_recv_queue). Redo in MB a second since the last round (Innodb_os_log_written), and the part of
 * the redo log that no checkpoint has freed yet (MariaDB and Percona: Innodb_checkpoint_age by
 * Innodb_checkpoint_max_age; MySQL from 8.0.30 on: Innodb_redo_log_logical_size by
 * Innodb_redo_log_capacity_resized): where it is full the server makes writers wait. */
void my_load_status(const Rows *rows, int64_t now_ms, LoadSample *sample);
