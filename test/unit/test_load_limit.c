/* Load signals of MySQL and MariaDB: what is read from the server's words, and limits. Galera's by rows made
 * by hand, since no cluster is there to test on. */
#include "base/str.h"
#include "engine/mysql/load_signals.h"
#include "engine/mysql/mysql.h"
#include "run/load_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_history(void **state)
{
    (void)state;
    assert_int_equal(my_history_length("TRANSACTIONS\nTrx id counter 9\nHistory list length 1234\nLIST"),
                     1234);
    assert_int_equal(my_history_length("History list length 0\n"), 0);
    assert_int_equal(my_history_length("History list length x"), -1);
    assert_int_equal(my_history_length("nothing of the kind"), -1);
}

static Rows status_rows(const char *const *cells, size_t count)
{
    return (Rows){.row_count = count, .col_count = 2, .cells = cells};
}

static void test_status(void **state)
{
    (void)state;
    LoadSample sample = {0};
    static const char *const alone[] = {"Threads_running", "17"};
    Rows rows = status_rows(alone, 1);
    my_load_status(&rows, 1000, &sample);
    assert_int_equal(sample.state[LOAD_THREADS], SIGNAL_READ);
    assert_true(sample.value[LOAD_THREADS] == 17);
    assert_int_equal(sample.state[LOAD_FLOW], SIGNAL_ABSENT);
    assert_int_equal(sample.state[LOAD_QUEUE], SIGNAL_ABSENT);
    assert_int_equal(sample.at_ms, 1000);
}

/* The average first, then the part of the time between two rounds, and again the average behind a flush. */
static void test_galera(void **state)
{
    (void)state;
    static const char *const first[] = {"Threads_running",
                                        "2",
                                        "wsrep_flow_control_paused",
                                        "0.25",
                                        "WSREP_FLOW_CONTROL_PAUSED_NS",
                                        "5000000000",
                                        "wsrep_local_recv_queue",
                                        "12"};
    static const char *const second[] = {"Threads_running",
                                         "2",
                                         "wsrep_flow_control_paused",
                                         "0.30",
                                         "wsrep_flow_control_paused_ns",
                                         "5500000000",
                                         "wsrep_local_recv_queue",
                                         "0"};
    static const char *const flushed[] = {"wsrep_flow_control_paused", "0", "wsrep_flow_control_paused_ns",
                                          "10"};
    LoadSample sample = {0};
    Rows rows = status_rows(first, 4);
    my_load_status(&rows, 10000, &sample);
    assert_true(sample.value[LOAD_FLOW] == 0.25);
    assert_true(sample.value[LOAD_QUEUE] == 12);
    rows = status_rows(second, 4);
    my_load_status(&rows, 11000, &sample);
    assert_true(sample.value[LOAD_FLOW] == 0.5);
    assert_true(sample.value[LOAD_QUEUE] == 0);
    rows = status_rows(flushed, 2);
    my_load_status(&rows, 12000, &sample);
    assert_true(sample.value[LOAD_FLOW] == 0);
    assert_int_equal(sample.state[LOAD_QUEUE], SIGNAL_ABSENT);
    assert_int_equal(sample.state[LOAD_THREADS], SIGNAL_ABSENT);
}

static void no_limits(double *limits)
{
    for (size_t i = 0; i < LOAD_SIGNALS_MAX; i++)
        limits[i] = LIMIT_UNSET;
}

static void assert_passed(const double *limits, const LoadSample *sample, const char *wanted)
{
    Signals signals = {0};
    Controls controls;
    controls_default(&controls);
    memcpy(controls.load_limits, limits, sizeof controls.load_limits);
    load_limit_tell(&engine_mysql, &controls, sample, &signals);
    const Signal *holder = signals_holder(&signals);
    assert_string_equal(holder == NULL ? "" : holder->text, wanted);
}

static void test_limits(void **state)
{
    (void)state;
    double limits[LOAD_SIGNALS_MAX];
    no_limits(limits);
    const EngineOps *ops = &engine_mysql;
    LoadSample sample = {.state = {SIGNAL_READ, SIGNAL_READ, SIGNAL_READ, SIGNAL_ABSENT}};
    assert_passed(limits, &sample, "");
    sample.value[LOAD_FLOW] = 0.2001;
    assert_passed(limits, &sample,
                  "the part of the time that Galera's flow control stops writers is 0.2 (--max-load "
                  "flow-control=0.1)");
    assert_null(load_limit_parse(ops, "flow-control=off", limits));
    assert_passed(limits, &sample, "");
    sample.value[LOAD_THREADS] = 8;
    assert_null(load_limit_parse(ops, "threads-running=8", limits));
    assert_passed(limits, &sample, ""); /* the limit itself is none too many */
    assert_null(load_limit_parse(ops, "threads-running=7", limits));
    assert_passed(limits, &sample, "Threads_running is 8 (--max-load threads-running=7)");
}

/* What may not be read holds the work only for whoever relies on it; what should be there always does. */
static void test_blind(void **state)
{
    (void)state;
    double limits[LOAD_SIGNALS_MAX];
    no_limits(limits);
    LoadSample sample = {.state = {SIGNAL_READ, SIGNAL_FORBIDDEN, SIGNAL_ABSENT, SIGNAL_ABSENT}};
    sample.why[LOAD_HISTORY] = "no PROCESS";
    assert_passed(limits, &sample, "");
    assert_null(load_limit_parse(&engine_mysql, "history-list=1000", limits));
    assert_passed(limits, &sample, "InnoDB's history list: no sample (no PROCESS)");
    limits[LOAD_HISTORY] = -1;
    sample.state[LOAD_HISTORY] = SIGNAL_UNREADABLE;
    assert_passed(limits, &sample, "InnoDB's history list: no sample (no PROCESS)");
}

static void test_bad_limits(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "threads-running",    "threads-running=",    "threads-running=x", "x=1",
        "threads-running=-1", "threads-running=nan", "threads=1",         "=1"};
    double limits[LOAD_SIGNALS_MAX];
    no_limits(limits);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        Err *err = load_limit_parse(&engine_mysql, wrong[i], limits);
        assert_true(err_is(err, ERR_USAGE));
        err_free(err);
    }
    assert_true(limits[LOAD_THREADS] < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_history), cmocka_unit_test(test_status),
                                       cmocka_unit_test(test_galera),  cmocka_unit_test(test_limits),
                                       cmocka_unit_test(test_blind),   cmocka_unit_test(test_bad_limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
