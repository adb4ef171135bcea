/* Metrics: numbers, escaping, times, reasons, sums; and a whole collection from a picture made by hand. */
#include "base/clock.h"
#include "base/str.h"
#include "run/tally.h"
#include "serve/metrics.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } all[] = {{0, "0"},
               {17, "17"},
               {-3, "-3"},
               {0.25, "0.25"},
               {0.1, "0.1"},
               {1.0 / 3, "0.3333333333333333"},
               {9007199254740991.0, "9007199254740991"},
               {1764489600.123456, "1764489600.123456"},
               {1.5e20, "1.5e+20"},
               {1e-9, "1e-09"}};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        CLEANUP(str_donep) Str text = STR_INIT;
        exposition_number(&text, all[i].value);
        assert_string_equal(text.buf, all[i].text);
        assert_true(strtod(text.buf, NULL) == all[i].value);
    }
    CLEANUP(str_donep) Str odd = STR_INIT;
    exposition_number(&odd, (double)NAN);
    exposition_number(&odd, (double)INFINITY);
    exposition_number(&odd, -(double)INFINITY);
    assert_string_equal(odd.buf, "NaN+Inf-Inf");
}

static const char *written(Str *text, bool open, const char *name, MetricType type, const Label *labels,
                           size_t count)
{
    Exposition out = {.text = text, .open = open};
    str_clear(text);
    exposition_begin(&out, name, type, "say \"a\\b\"\nc");
    exposition_sample(&out, labels, count, 1);
    exposition_sample(&out, NULL, 0, 2);
    exposition_end(&out);
    return text->buf;
}

static void test_escaping(void **state)
{
    (void)state;
    CLEANUP(str_donep) Str text = STR_INIT;
    const Label labels[] = {{"a", "x\"y\\z\nw"}, {"none", NULL}, {"empty", ""}, {"u", "é{}=,#"}};
    assert_string_equal(written(&text, false, "t_x_total", METRIC_COUNTER, labels, ARRAY_LEN(labels)),
                        "# HELP t_x_total say \"a\\\\b\"\\nc\n# TYPE t_x_total counter\n"
                        "t_x_total{a=\"x\\\"y\\\\z\\nw\",u=\"é{}=,#\"} 1\nt_x_total 2\n");
    assert_string_equal(written(&text, true, "t_x_total", METRIC_COUNTER, labels, 1),
                        "# HELP t_x say \\\"a\\\\b\\\"\\nc\n# TYPE t_x counter\n"
                        "t_x_total{a=\"x\\\"y\\\\z\\nw\"} 1\nt_x_total 2\n# EOF\n");
    assert_string_equal(written(&text, false, "t_info", METRIC_INFO, labels, 0),
                        "# HELP t_info say \"a\\\\b\"\\nc\n# TYPE t_info gauge\nt_info 1\nt_info 2\n");
    assert_string_equal(written(&text, true, "t_info", METRIC_INFO, labels, 0),
                        "# HELP t say \\\"a\\\\b\\\"\\nc\n# TYPE t info\nt_info 1\nt_info 2\n# EOF\n");
}

static void test_spread(void **state)
{
    (void)state;
    static const double bounds[] = {0.5, 1};
    static const int64_t counts[] = {2, 0, 1};
    const Spread spread = {.bounds = bounds, .counts = counts, .bound_count = 2, .sum = 4.5};
    for (int open = 0; open < 2; open++) {
        CLEANUP(str_donep) Str text = STR_INIT;
        Exposition out = {.text = &text, .open = open != 0};
        exposition_begin(&out, "h", METRIC_HISTOGRAM, "x");
        exposition_spread(&out, &(Label){"k", "v"}, 1, &spread);
        assert_non_null(strstr(text.buf, "h_bucket{k=\"v\",le=\"0.5\"} 2\n"));
        assert_non_null(strstr(text.buf, open != 0 ? "le=\"1.0\"} 2\n" : "le=\"1\"} 2\n"));
        assert_non_null(strstr(text.buf, "le=\"+Inf\"} 3\nh_sum{k=\"v\"} 4.5\nh_count{k=\"v\"} 3\n"));
    }
}

static void test_times(void **state)
{
    (void)state;
    assert_true(metrics_time("1970-01-01T00:00:00Z") == 0);
    assert_true(metrics_time("2026-11-20T21:04:31.5+00:00") == 1795208671.5);
    assert_true(metrics_time("2026-11-20T23:04:31+02:00") == 1795208671);
    assert_true(metrics_time("2026-11-20T15:34:31-05:30") == 1795208671);
    assert_true(metrics_time("2026-11-20T23:04:31.25+02") == 1795208671.25);
    static const char *const none[] = {
        NULL, "", "soon", "2026-11-20", "2026-11-20T21:04:31", "2026-11-20T21:04:31 x"};
    for (size_t i = 0; i < ARRAY_LEN(none); i++)
        assert_true(metrics_time(none[i]) < 0);
}

static void test_reasons(void **state)
{
    (void)state;
    static const char *const all[][2] = {
        {"2 GB are free (data; --min-free-disk 10GB)", "disk"},
        {"redo in MB a second is 9 (--max-load redo-rate=2)", "wal_queue"},
        {"what was ended at --critical-load replica-lag=2 waits for that to be over", "critical"},
        {"paused", "manual"},
        {"outside the window 22:00-06:00 UTC", "window"},
        {"replica r1 lags 7.2 s (limit 5.0 s)", "replica_lag"},
        {"replica r1: gone", "no_sample"},
        {"replica r1: no sample", "no_sample"},
        {"replica r1: its lag is not known yet", "no_sample"},
        {"no fresh sample of the throttle signals", "no_sample"},
        {"Threads_running is 120 (--max-load threads-running=100)", "threads_running"},
        {"InnoDB's history list is 9 (--max-load history-list=1)", "history_list"},
        {"Threads_running: no sample (denied)", "no_sample"},
        {"Galera's receive queue is 101 (--max-load receive-queue=100)", "galera"},
        {"the number of sessions that wait for us is 2 (--max-load blocked-sessions=0)", "lock_waiters"},
        {"the queue of the WAL archiver is 43 (--max-load archive-queue=42)", "wal_queue"},
        {"https://disk.example/autovacuum answers 503", "check"},
        {"file /tmp/wal is there", "check"},
        {"--check-sql gives 1", "check"},
        {"something new", "other"}};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        bool known = false;
        assert_string_equal(throttle_reason(all[i][0]), all[i][1]);
        for (size_t j = 0; throttle_reasons[j] != NULL; j++)
            known = known || str_eq(throttle_reasons[j], all[i][1]);
        assert_true(known);
    }
    assert_null(throttle_reason(NULL));
    assert_null(throttle_reason(""));
}

static void test_tally(void **state)
{
    (void)state;
    Tally tally;
    tally_init(&tally);
    assert_null(tally_take(&tally));
    tally_restore(&tally, json_loads("{\"3\":{\"batches\":{\"ok\":7},\"sums\":{\"rows\":70}}}", 0, NULL));
    Err *err = err_new(ERR_DEADLOCK, "x");
    (void)snprintf(err->sqlstate, sizeof err->sqlstate, "40P01");
    tally_batch(&tally, 3, NULL, 10, 5000);
    tally_batch(&tally, 3, err, 0, 5001);
    tally_at_least(&tally, 3, "sums", "rows", 79);
    tally_at_least(&tally, 3, "sums", "rows", 81);
    tally_error(&tally, "step", err);
    tally_keep(&tally, 3, "sums", "rows", "kept");
    tally_add(&tally, 3, "sums", "rows", 1);
    tally_keep(&tally, 3, "sums", "rows", "kept");
    err_free(err);
    char *text = tally_take(&tally);
    assert_string_equal(text,
                        "{\"3\":{\"batches\":{\"ok\":8,\"deadlock\":1},\"sums\":{\"rows\":82,\"kept\":81},"
                        "\"batch_s\":{\"n\":[0,0,1,1,0,0,0,0,0,0,0,0,0,0],\"us\":10001},"
                        "\"now\":{\"batch_rows\":10}},\"0\":{\"errors\":{\"step/40P01\":1}}}");
    free(text);
    assert_null(tally_take(&tally));
    tally_untaken(&tally);
    text = tally_take(&tally);
    assert_non_null(text);
    free(text);
    tally_restore(&tally, json_integer(3)); /* not ours: nothing is taken over */
    tally_add(&tally, 3, "sums", "rows", 1);
    tally_done(&tally);
}

static void test_a_picture(void **state)
{
    (void)state;
    static const char changes[] =
        "[{\"name\":\"old\",\"state\":\"aborted\",\"phase\":\"expand\",\"ended_at\":\"2026-11-20T21:00:00Z\"}"
        ","
        "{\"name\":\"old\",\"state\":\"running\",\"phase\":\"backfill\",\"runner\":\"h pid "
        "1\",\"tables\":[\"public.t\"],"
        "\"strategy\":\"in-place\",\"throttled_by\":\"replica r lags 9.0 s (limit 5.0 "
        "s)\",\"eta_s\":{\"low\":3,\"high\":9},"
        "\"steps\":[{\"ordinal\":2,\"kind\":\"backfill\",\"phase\":\"backfill\",\"state\":\"running\","
        "\"table\":\"public.t\","
        "\"rows_done\":120,\"rows_total\":100},{\"ordinal\":3,\"kind\":\"verify\",\"phase\":\"verify\","
        "\"state\":\"running\","
        "\"table\":\"public.t\"}],\"measured\":{\"2\":{\"sums\":{\"blocked_max\":3,\"rows\":100}},\"3\":{"
        "\"sums\":{\"checked\":120}}},"
        "\"signals\":[{\"name\":\"replica_lag\",\"target\":\"db."
        "example:5432\","
        "\"value\":9,\"limit\":5,\"age_ms\":1500},{\"name\":\"replica-lag\",\"target\":\"db.example:5432\","
        "\"value\":7.5,\"limit\":5},{\"name\":\"latency\",\"target\":\"\",\"value\":1.25,\"limit\":null},{"
        "\"name\":\"statement-latency\",\"target\":\"-77\",\"value\":2.5,\"limit\":null},{"
        "\"name\":\"disk\",\"target\":null,\"value\":null}]}]";
    json_t *json = json_loads(changes, 0, NULL);
    assert_non_null(json);
    const Picture picture = {.changes = json, .engine = "postgres", .database = "shop", .seen_ms = 4000};
    CLEANUP(str_donep) Str text = STR_INIT;
    metrics_write(&text, false, &(MetricsSource){.picture = &picture, .now_ms = 5000, .wall_ms = 1000500});
    static const char *const wanted[] = {
        "stoa_last_successful_loop_timestamp_seconds{loop=\"journal\"} 999.5\n",
        "stoa_migration_phase{engine=\"postgresql\",database=\"shop\",migration=\"old\",phase="
        "\"backfilling\"} 1\n",
        "migration=\"old\",table=\"public.t\",state=\"estimated_total\"} 120\n",
        "migration=\"old\",table=\"public.t\",state=\"remaining_upper\"} 0\n",
        "migration=\"old\",reason=\"replica_lag\"} 1\n",
        "stoa_signal_value{engine=\"postgresql\",database=\"shop\",migration=\"old\",signal=\"replica_lag\","
        "target=\"1\"} 9\n",
        "stoa_signal_age_seconds{engine=\"postgresql\",database=\"shop\",migration=\"old\",signal=\"replica_"
        "lag\",target=\"1\"} 1.5\n",
        "stoa_signal_threshold{engine=\"postgresql\",database=\"shop\",migration=\"old\",signal=\"replica_"
        "lag\","
        "target=\"1\"} 5\n",
        "stoa_replica_lag_seconds{engine=\"postgresql\",database=\"shop\",migration=\"old\",replica=\"2\","
        "method="
        "\"lsn\"} 7.5\n",
        "stoa_query_latency_ratio{engine=\"postgresql\",database=\"shop\",migration=\"old\",fingerprint="
        "\"all\",stat="
        "\"mean\"} 1.25\n",
        "migration=\"old\",fingerprint=\"-77\",stat=\"mean\"} 2.5\n",
        "migration=\"old\",table=\"public.t\",reason=\"already_set\"} 20\n",
        "stoa_blocked_sessions_max{engine=\"postgresql\",database=\"shop\",migration=\"old\",table=\"public."
        "t\","
        "step=\"2\",kind=\"backfill\"} 3\n",
        "bound=\"high\"} 9\n"};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        if (strstr(text.buf, wanted[i]) == NULL)
            fail_msg("not told: %s\n%s", wanted[i], text.buf);
    assert_null(strstr(text.buf, "example"));         /* no hosts */
    assert_null(strstr(text.buf, "\"disk\",target")); /* what has no value is absent */
    assert_null(strstr(text.buf, "stoa_flag_value"));
    assert_null(strstr(text.buf, "phase=\"aborted\"} 1"));
    json_decref(json);
}

static size_t two_flags(void *context, Arena *arena UNUSED, FlagValue *values, size_t size)
{
    assert_true(size > 3);
    values[0] = (FlagValue){.flag = "w", .environment = "test", .value = true, .evaluations = 5, .errors = 1};
    values[1] = (FlagValue){.flag = context, .evaluations = -1};
    values[2] = (FlagValue){.flag = "stage", .value = -1, .evaluations = 2};
    return 3;
}

static void test_hooks(void **state)
{
    (void)state;
    static char name[] = "x\"";
    json_t *json = json_array();
    const Picture picture = {.changes = json, .engine = "mariadb", .database = ""};
    HttpCounts *counts = http_counts_new();
    const HttpRoute single = {.method = "POST", .path = "/ofrep/v1/evaluate/flags/*"},
                    bulk = {.method = "POST", .path = "/ofrep/v1/evaluate/flags"};
    http_counts_answered(counts, &single, 200, 0.002);
    http_counts_answered(counts, &single, 404, 0.002);
    http_counts_answered(counts, &bulk, 200, 9);
    http_counts_answered(counts, NULL, 404, 0);
    CLEANUP(str_donep) Str text = STR_INIT;
    metrics_write(&text, true,
                  &(MetricsSource){.picture = &picture,
                                   .http = counts,
                                   .flag_values = two_flags,
                                   .flag_context = name,
                                   .flags_not_found = 4});
    static const char *const wanted[] = {
        "stoa_flag_value{environment=\"test\",flag=\"w\"} 1\n",
        "stoa_flag_value{flag=\"x\\\"\"} 0\n",
        "stoa_flag_evaluations_total{environment=\"test\",flag=\"w\",result=\"error\"} 1\n",
        "stoa_flag_evaluations_total{flag=\"stage\",result=\"value\"} 2\n",
        "stoa_flag_evaluations_total{result=\"not_found\"} 4\n",
        "stoa_ofrep_requests_total{route=\"single\",method=\"POST\",code=\"404\"} 1\n",
        "stoa_ofrep_request_duration_seconds_bucket{route=\"bulk\",method=\"POST\",le=\"5.0\"} 0\n",
        "stoa_http_requests_total{route=\"none\",code=\"404\"} 1\n"};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        if (strstr(text.buf, wanted[i]) == NULL)
            fail_msg("not told: %s\n%s", wanted[i], text.buf);
    assert_null(strstr(text.buf, "stoa_flag_value{flag=\"stage\""));
    http_counts_free(counts);
    json_decref(json);
}

/* A name that two rows have, a counter without _total, a row that nothing writes and nobody explains. */
static void test_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < metric_count(); i++) {
        const Metric *metric = metric_at(i);
        size_t len = strlen(metric->name);
        bool total = len > 6 && str_eq(metric->name + len - 6, "_total"),
             info = len > 5 && str_eq(metric->name + len - 5, "_info");
        assert_true(str_starts(metric->name, "stoa_"));
        assert_int_equal(total, metric->type == METRIC_COUNTER);
        assert_int_equal(info, metric->type == METRIC_INFO);
        assert_true(metric->help != NULL && metric->labels != NULL);
        assert_true(metric->once != NULL || metric->each != NULL);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(metric->name, metric_at(j)->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_escaping),  cmocka_unit_test(test_spread),
        cmocka_unit_test(test_times),   cmocka_unit_test(test_reasons),   cmocka_unit_test(test_tally),
        cmocka_unit_test(test_hooks),   cmocka_unit_test(test_a_picture), cmocka_unit_test(test_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
