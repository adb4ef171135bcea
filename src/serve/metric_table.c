/* Every metric: one row each, in the order in which they are written. */
#include "serve/metrics.h"

static const Metric metrics[] = {
    /* ---- the process ---- */
    {.name = "stoa_build_info",
     .type = METRIC_INFO,
     .labels = "version, revision",
     .help = "Version of the program, and the commit that it was built from.",
     .once = metrics_build},
    {.name = "stoa_last_successful_loop_timestamp_seconds",
     .type = METRIC_GAUGE,
     .labels = "loop",
     .help =
         "When a loop of the process last came through: journal is the look that all else here comes from.",
     .once = metrics_loop},
    {.name = "stoa_errors_total",
     .type = METRIC_COUNTER,
     .labels = "component, code",
     .help = "Errors, retried ones included. component: serve (looks at the journal that failed, since the "
             "process began), control (the thread that watches), step (retried), change (a run ended by it). "
             "code: SQLSTATE, the server's number, or Stoa's own word.",
     .once = metrics_look_errors,
     .each = metrics_errors},
    {.name = "stoa_http_requests_total",
     .type = METRIC_COUNTER,
     .labels = "route, method, code",
     .help = "Requests that were answered, by the route's pattern.",
     .once = metrics_http_requests},
    {.name = "stoa_http_request_duration_seconds",
     .type = METRIC_HISTOGRAM,
     .labels = "route, method",
     .help = "From the first byte of a request until its answer was made.",
     .once = metrics_http_duration},

    /* ---- a change ---- */
    {.name = "stoa_migration_info",
     .type = METRIC_INFO,
     .labels = "table, kind, approver_count",
     .help =
         "A change, once for each of its tables; kind is its strategy, approver_count how many had approved "
         "its plan where that was asked for.",
     .each = metrics_info},
    {.name = "stoa_migration_runner",
     .type = METRIC_GAUGE,
     .labels = "",
     .help = "1 while a process holds the lease of the change; absent once it is over.",
     .each = metrics_runner},
    {.name = "stoa_migration_phase",
     .type = METRIC_GAUGE,
     .labels = "phase",
     .help = "Where a change stands: exactly one phase is 1. held: paused, throttled, or waiting for a lock "
             "or a person.",
     .each = metrics_phase},
    {.name = "stoa_migration_phase_entered_timestamp_seconds",
     .type = METRIC_GAUGE,
     .labels = "phase",
     .help = "When a phase was entered, of those that were.",
     .each = metrics_phase_entered},
    {.name = "stoa_environment_ready",
     .type = METRIC_GAUGE,
     .labels = "table, column",
     .help = "1 once the change of a filled column is ready: the column is there, filled and checked.",
     .each = metrics_ready},

    /* ---- backfill ---- */
    {.name = "stoa_backfill_rows",
     .type = METRIC_GAUGE,
     .labels = "table, state",
     .help = "Rows of a backfill or copy: done, estimated_total (never below done), remaining_upper.",
     .each = metrics_rows},
    {.name = "stoa_backfill_rows_updated_total",
     .type = METRIC_COUNTER,
     .labels = "table",
     .help = "Rows that were filled or copied, those of an anew begun copy again.",
     .each = metrics_rows_updated},
    {.name = "stoa_backfill_rows_skipped_total",
     .type = METRIC_COUNTER,
     .labels = "table, reason",
     .help =
         "Rows that a backfill did not write. already_set: they had their value when it came by, from the "
         "application or by a trigger; known once they were verified.",
     .each = metrics_skipped},
    {.name = "stoa_backfill_hot_rows_total",
     .type = METRIC_COUNTER,
     .labels = "table",
     .help = "Of the rows that were filled, those whose new version stayed on its page (PostgreSQL).",
     .each = metrics_hot},
    {.name = "stoa_backfill_batches_total",
     .type = METRIC_COUNTER,
     .labels = "table, step, kind, result",
     .help = "Transactions of a backfill or copy, by how they ended.",
     .each = metrics_batches},
    {.name = "stoa_backfill_batch_duration_seconds",
     .type = METRIC_HISTOGRAM,
     .labels = "table, step, kind",
     .help = "What a transaction of a backfill or copy took, failed ones included.",
     .each = metrics_batch_duration},
    {.name = "stoa_backfill_batch_rows",
     .type = METRIC_GAUGE,
     .labels = "table, step, kind",
     .help = "Rows of the last transaction that was committed.",
     .each = metrics_batch_rows},
    {.name = "stoa_backfill_wal_bytes_total",
     .type = METRIC_COUNTER,
     .labels = "table",
     .help =
         "What the whole server wrote to its log while the backfill or copy ran: WAL, or InnoDB's redo log.",
     .each = metrics_wal},
    {.name = "stoa_table_bytes",
     .type = METRIC_GAUGE,
     .labels = "table, step, kind, part, when",
     .help =
         "What a table that is filled takes on disk, heap or indexes, before and now or when that was over "
         "(PostgreSQL).",
     .each = metrics_table_bytes},
    {.name = "stoa_backfill_eta_seconds",
     .type = METRIC_GAUGE,
     .labels = "bound",
     .help = "Between what bounds the time that is left is expected; absent while that is not known.",
     .each = metrics_eta},

    /* ---- throttle ---- */
    {.name = "stoa_throttle_active",
     .type = METRIC_GAUGE,
     .labels = "reason",
     .help = "1 for the reason that holds the change back now; only of changes under way.",
     .each = metrics_throttle},
    {.name = "stoa_throttled_seconds_total",
     .type = METRIC_COUNTER,
     .labels = "reason",
     .help = "How long the work rested, by reason.",
     .each = metrics_throttled},
    {.name = "stoa_signal_value",
     .type = METRIC_GAUGE,
     .labels = "signal, target",
     .help = "What the gate saw of a signal, in the signal's own unit.",
     .each = metrics_signal},
    {.name = "stoa_signal_threshold",
     .type = METRIC_GAUGE,
     .labels = "signal, target",
     .help = "Past this the signal throttles.",
     .each = metrics_threshold},
    {.name = "stoa_signal_age_seconds",
     .type = METRIC_GAUGE,
     .labels = "signal, target",
     .help = "How old the sample of a signal is.",
     .each = metrics_signal_age},
    {.name = "stoa_replica_lag_seconds",
     .type = METRIC_GAUGE,
     .labels = "replica, method",
     .help = "How far a replica is behind, by the positions of its log (lsn), or by a row that Stoa writes "
             "(heartbeat).",
     .each = metrics_replica_lag},
    {.name = "stoa_query_latency_ratio",
     .type = METRIC_GAUGE,
     .labels = "fingerprint, stat",
     .help = "The mean time of the application's statements on the change's tables, by that of before the "
             "change; of the last 5 s, 0 where there were too few. Where the server counts statements; with "
             "--max-load latency=N always. fingerprint: all, and the ten that were called most by their "
             "queryid (PostgreSQL) or the first 15 digits of their digest (MySQL, MariaDB).",
     .each = metrics_latency_ratio},

    /* ---- locks ---- */
    {.name = "stoa_lock_attempts_total",
     .type = METRIC_COUNTER,
     .labels = "table, step, kind, result",
     .help = "Attempts to get a strong lock and to do the step's work under it: acquired, or timeout.",
     .each = metrics_lock_attempts},
    {.name = "stoa_lock_wait_seconds",
     .type = METRIC_HISTOGRAM,
     .labels = "table, step, kind",
     .help = "How long an attempt waited for its lock. On MySQL and MariaDB: in the queue, where others "
             "waited behind it.",
     .each = metrics_lock_wait},
    {.name = "stoa_lock_hold_seconds",
     .type = METRIC_HISTOGRAM,
     .labels = "table, step, kind, mode",
     .help = "How long an attempt held its lock, until commit or rollback. Not told of statements that take "
             "their locks by themselves (MySQL and MariaDB, but for swaps).",
     .each = metrics_lock_hold},
    {.name = "stoa_blocked_sessions_max",
     .type = METRIC_GAUGE,
     .labels = "table, step, kind",
     .help = "The most sessions that were seen to wait for one of ours during a step (PostgreSQL, and only "
             "where other sessions are visible).",
     .each = metrics_blocked},

    /* ---- steps and estimates ---- */
    {.name = "stoa_step_duration_seconds",
     .type = METRIC_GAUGE,
     .labels = "table, step, kind",
     .help = "What a step took from its first start to its end, pauses included.",
     .each = metrics_step_duration},
    {.name = "stoa_step_predicted_seconds",
     .type = METRIC_GAUGE,
     .labels = "table, step, kind, bound",
     .help = "What the plan expected of a step.",
     .each = metrics_step_predicted},
    {.name = "stoa_step_progress_ratio",
     .type = METRIC_GAUGE,
     .labels = "table, step, kind, stage",
     .help =
         "Which part the server has done of what a long statement does just now, in its own words "
         "(PostgreSQL from 12 on, MariaDB; MySQL where events_stages_current is on). The next stage begins "
         "at 0 again.",
     .each = metrics_step_progress},
    {.name = "stoa_prediction_error_ratio",
     .type = METRIC_HISTOGRAM,
     .labels = "kind",
     .help =
         "What steps took without pauses, by the middle of what was expected; of all changes in the journal.",
     .once = metrics_prediction},
    {.name = "stoa_verification_violations",
     .type = METRIC_GAUGE,
     .labels = "table, step, kind",
     .help = "Rows that a verification found wrong before it stopped: 0 is needed to become ready.",
     .each = metrics_violations},

    /* ---- flags, and who still reads old columns ---- */
    {.name = "stoa_flag_value",
     .type = METRIC_GAUGE,
     .labels = "flag",
     .help = "The value that is served for a flag.",
     .once = metrics_flag},
    {.name = "stoa_flag_evaluations_total",
     .type = METRIC_COUNTER,
     .labels = "flag, result",
     .help =
         "How often a flag was asked for by its own name since the process began, and answered with a value "
         "or "
         "an error; not_found has no flag. Asking for all at once counts in stoa_ofrep_requests_total only.",
     .once = metrics_flag_evaluations},
    {.name = "stoa_ofrep_requests_total",
     .type = METRIC_COUNTER,
     .labels = "route, method, code",
     .help = "Requests of OpenFeature's protocol: single, bulk.",
     .once = metrics_ofrep_requests},
    {.name = "stoa_ofrep_request_duration_seconds",
     .type = METRIC_HISTOGRAM,
     .labels = "route, method",
     .help = "What they took.",
     .once = metrics_ofrep_duration},
    {.name = "stoa_column_last_read_timestamp_seconds",
     .type = METRIC_GAUGE,
     .labels = "column, evidence",
     .help = "The last look that found what is to go in use; absent where none did.",
     .each = metrics_last_read},
};

size_t metric_count(void) { return ARRAY_LEN(metrics); }
const Metric *metric_at(size_t index) { return &metrics[index]; }

void metric_page(Str *text)
{
    str_add(
        text,
        "# Metrics\n\n"
        "What `stoa serve`, and `--listen` of `stoa apply` and `stoa resume`, answer at `/metrics`, and what "
        "`--textfile FILE` writes for node_exporter. This page is made by `stoa help --metrics-page` from "
        "the "
        "table in src/serve/metric_table.c.\n\n"
        "Text of Prometheus (0.0.4), or OpenMetrics 1.0 for those who accept "
        "`application/openmetrics-text`. Everything is answered from memory; the journal is looked at twice "
        "a "
        "second. What is not known is absent, never 0.\n\n"
        "Counters of changes come from the journal: they go on over restarts, kills and hosts. A killed "
        "process takes what it counted in its last second with it, except for rows, which are counted again "
        "from what "
        "was committed. A name that was used again after an abort begins at 0. Of changes that are over the "
        "last 100 are told.\n\n"
        "Labels of each metric of a change, besides its own: `environment` (`--env`), `engine` (postgresql, "
        "mysql, mariadb), `database`, `migration` (its name). A label without a value is left out. No label "
        "holds SQL, keys, error messages or hosts. `step` is the step's number in the plan, `kind` its "
        "kind.\n\n"
        "[grafana/stoa.json](grafana/stoa.json) is a dashboard, [grafana/alerts.yml](grafana/alerts.yml) has "
        "rules "
        "for alerts.\n\n"
        "| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n");
    for (size_t i = 0; i < metric_count(); i++) {
        const Metric *metric = metric_at(i);
        str_addf(text, "| `%s` | %s | %s | %s |\n", metric->name, metric_type_name(metric->type),
                 metric->labels, metric->help);
    }
}
