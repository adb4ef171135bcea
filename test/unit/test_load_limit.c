/* Load signals of MySQL and MariaDB: what is read from the server's words, and limits. Galera's by rows made
 * by hand, since no cluster is there to test on. */
#include "base/str.h"
#include "engine/mysql/load_signals.h"
#include "engine/mysql/mysql.h"
#include "engine/mysql/outside.h"
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

/* Redo by two rounds, and how much of it no checkpoint has freed, in both servers' words. */
static void test_redo(void **state)
{
    (void)state;
    static const char *const first[] = {"Innodb_os_log_written",     "1048576", "Innodb_checkpoint_age", "30",
                                        "Innodb_checkpoint_max_age", "120"};
    static const char *const second[] = {"Innodb_os_log_written",
                                         "5242880",
                                         "Innodb_redo_log_logical_size",
                                         "75",
                                         "Innodb_redo_log_capacity_resized",
                                         "100"};
    static const char *const again[] = {"Innodb_os_log_written", "10"};
    LoadSample sample = {0};
    Rows rows = status_rows(first, 3);
    my_load_status(&rows, 1000, &sample);
    assert_int_equal(sample.state[LOAD_REDO], SIGNAL_ABSENT);
    assert_true(sample.value[LOAD_CHECKPOINT] == 0.25);
    rows = status_rows(second, 3);
    my_load_status(&rows, 3000, &sample);
    assert_true(sample.value[LOAD_REDO] == 2);
    assert_true(sample.value[LOAD_CHECKPOINT] == 0.75);
    rows = status_rows(again, 1);
    my_load_status(&rows, 4000, &sample); /* the server began anew */
    assert_int_equal(sample.state[LOAD_REDO], SIGNAL_ABSENT);
    assert_int_equal(sample.state[LOAD_CHECKPOINT], SIGNAL_ABSENT);
}

/* The longest mount above the path; a name that only begins alike is another one. */
static void test_disks(void **state)
{
    (void)state;
    static const char *const cells[] = {"/", "100",         "/var/lib", "200", "/var/lib/mysql",
                                        "7", "/var/lib/my", "9"};
    Rows disks = status_rows(cells, 4);
    assert_int_equal(my_disk_of(&disks, "/var/lib/mysql/"), 7 * 1024);
    assert_int_equal(my_disk_of(&disks, "/var/lib/mysql"), 7 * 1024);
    assert_int_equal(my_disk_of(&disks, "/var/lib/mysql2/data"), 200 * 1024);
    assert_int_equal(my_disk_of(&disks, "/srv/data"), 100 * 1024);
    Rows none = {0};
    assert_int_equal(my_disk_of(&none, "/srv/data"), -1);
}

/* What a source of its own tells is named, and so is the replica. */
static void test_sources(void **state)
{
    (void)state;
    Signals signals = {0};
    Controls controls;
    controls_default(&controls);
    LoadSample sample = {.at_ms = 1000};
    sample.state[LOAD_LATENCY] = SIGNAL_READ;
    sample.value[LOAD_LATENCY] = 3;
    sample.source[LOAD_LATENCY] = "point reads of shop.t";
    assert_null(load_limit_parse(&engine_mysql, "latency=2", false, controls.load_limits));
    load_limit_tell(&engine_mysql, &controls, &sample, &signals);
    assert_string_equal(
        signals_holder(&signals)->text,
        "the time of our own point reads of shop.t, against before, is 3 (--max-load latency=2)");
    assert_string_equal(signals_holder(&signals)->target, "point reads of shop.t");
    signals = (Signals){0};
    load_limit_one(&engine_mysql, &controls, "threads-running", "one", 101, 1000, &signals);
    assert_string_equal(signals_holder(&signals)->text,
                        "Threads_running on one is 101 (--max-load threads-running=100)");
    load_limit_one(&engine_mysql, &controls, "no-such", "one", 101, 1000, &signals);
    assert_int_equal(signals.count, 1);
}

/* Without the slowest tenth. */
static void test_canary(void **state)
{
    (void)state;
    double reads[] = {1000, 1, 3, 1, 3, 1, 3, 2, 2, 2};
    assert_true(load_canary_ms(reads, ARRAY_LEN(reads)) == 2);
    double few[] = {4, 2};
    assert_true(load_canary_ms(few, ARRAY_LEN(few)) == 3);
    assert_true(load_canary_ms(few, 0) == 0);
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
    assert_null(load_limit_parse(ops, "flow-control=off", false, limits));
    assert_passed(limits, &sample, "");
    sample.value[LOAD_THREADS] = 8;
    assert_null(load_limit_parse(ops, "threads-running=8", false, limits));
    assert_passed(limits, &sample, ""); /* the limit itself is none too many */
    assert_null(load_limit_parse(ops, "threads-running=7", false, limits));
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
    assert_null(load_limit_parse(&engine_mysql, "history-list=1000", false, limits));
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
        Err *err = load_limit_parse(&engine_mysql, wrong[i], false, limits);
        assert_true(err_is(err, ERR_USAGE));
        err_free(err);
    }
    assert_true(limits[LOAD_THREADS] < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_history), cmocka_unit_test(test_status),
                                       cmocka_unit_test(test_galera),  cmocka_unit_test(test_limits),
                                       cmocka_unit_test(test_blind),   cmocka_unit_test(test_bad_limits),
                                       cmocka_unit_test(test_redo),    cmocka_unit_test(test_disks),
                                       cmocka_unit_test(test_sources), cmocka_unit_test(test_canary)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
