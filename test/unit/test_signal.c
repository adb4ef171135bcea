/* Signals: limits, patience, missing samples, alarms; the ratio of latencies. */
#include "base/str.h"
#include "run/critical.h"
#include "run/pace.h"
#include "run/signal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char *holder_of(const Signals *signals)
{
    const Signal *holder = signals_holder(signals);
    return holder == NULL ? "" : holder->text;
}

/* One round with one value. */
static void tell(Signals *signals, double value, double limit, int64_t now_ms)
{
    signals_begin(signals);
    signal_value(signal_tell(signals, "lag", "one"), value, limit, now_ms, "lag is %g", value);
    signals_end(signals);
}

/* Above the limit at once; below it only when it is far enough below, or has been for long enough. */
static void test_release(void **state)
{
    (void)state;
    Signals signals = {0};
    tell(&signals, 10, 10, 1000);
    assert_string_equal(holder_of(&signals), ""); /* the limit itself is none too many */
    tell(&signals, 10.5, 10, 1200);
    assert_string_equal(holder_of(&signals), "lag is 10.5");
    tell(&signals, 9.5, 10, 1400);
    assert_string_equal(holder_of(&signals), "lag is 9.5");
    tell(&signals, 9.5, 10, 1400 + SIGNAL_SETTLE_MS - 1);
    assert_string_equal(holder_of(&signals), "lag is 9.5");
    tell(&signals, 9.5, 10, 1400 + SIGNAL_SETTLE_MS);
    assert_string_equal(holder_of(&signals), "");
    tell(&signals, 11, 10, 9000);
    tell(&signals, 9.9, 10, 9100);
    tell(&signals, 10.1, 10, 9200); /* the patience begins anew */
    tell(&signals, 9.9, 10, 9300);
    tell(&signals, 9.9, 10, 9200 + SIGNAL_SETTLE_MS);
    assert_string_equal(holder_of(&signals), "lag is 9.9");
    tell(&signals, 8, 10, 9200 + SIGNAL_SETTLE_MS);
    assert_string_equal(holder_of(&signals), "");
    tell(&signals, 1, 0, 20000); /* with 0 for a limit 0 is far enough */
    assert_string_equal(holder_of(&signals), "lag is 1");
    tell(&signals, 0, 0, 20001);
    assert_string_equal(holder_of(&signals), "");
    tell(&signals, 1e9, LIMIT_OFF, 20002);
    assert_string_equal(holder_of(&signals), "");
}

/* No sample stops the work until there is one; what is not told any more is forgotten. */
static void test_missing(void **state)
{
    (void)state;
    Signals signals = {0};
    signals_begin(&signals);
    signal_missing(signal_tell(&signals, "lag", "one"), 1, "%s is gone", "one");
    signal_value(signal_tell(&signals, "lag", "two"), 1, 5, 1, "two");
    signals_end(&signals);
    assert_string_equal(holder_of(&signals), "one is gone");
    assert_int_equal(signals.count, 2);
    signals_begin(&signals);
    signal_keep(&signals, "lag");
    signals_end(&signals);
    assert_string_equal(holder_of(&signals), "one is gone");
    tell(&signals, 4.9, 5, 2);
    assert_int_equal(signals.count, 1);
    assert_string_equal(holder_of(&signals), "lag is 4.9"); /* there is a value again, but not far below */
    tell(&signals, 4, 5, 3);
    assert_string_equal(holder_of(&signals), "");
}

static void test_alarm(void **state)
{
    (void)state;
    Signals signals = {0};
    signals_begin(&signals);
    Signal *signal = signal_tell(&signals, "sessions", "");
    signal->critical = 100;
    signal_value(signal, 101, LIMIT_OFF, 1, "sessions");
    signals_end(&signals);
    assert_string_equal(signals_alarm(&signals)->name, "sessions");
    assert_null(signals_holder(&signals));
    signals_begin(&signals); /* an alarm is told once for each reading */
    signal_keep(&signals, "sessions");
    signals_end(&signals);
    assert_null(signals_alarm(&signals));
}

static void test_full(void **state)
{
    (void)state;
    Signals signals = {0};
    char name[8];
    for (int i = 0; i < SIGNALS_MAX + 3; i++) {
        (void)snprintf(name, sizeof name, "s%d", i);
        signal_value(signal_tell(&signals, name, ""), 1, 5, 1, "x");
    }
    assert_int_equal(signals.count, SIGNALS_MAX);
    json_t *json = signals_json(&signals, 11);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(json, 0), "age_ms")), 10);
    json_decref(json);
}

static void test_latency(void **state)
{
    (void)state;
    LoadStatement known[LOAD_STATEMENTS_MAX] = {0};
    size_t count = 0;
    LoadStatement now[] = {{.id = 1, .calls = 1000, .total_ms = 1000},
                           {.id = 2, .calls = 10, .total_ms = 1000}};
    assert_true(load_latency_ratio(known, &count, now, 2) == 0); /* nothing to compare with yet */
    now[0].calls += 10;
    now[0].total_ms += 10;
    assert_true(load_latency_ratio(known, &count, now, 2) == 0); /* too few calls */
    now[0].calls += 30;
    now[0].total_ms += 90; /* three times as long */
    assert_true(load_latency_ratio(known, &count, now, 2) == 3);
    now[0].calls += 30;
    now[0].total_ms += 30;
    now[1].calls += 30;
    now[1].total_ms += 6000; /* twice as long as its own 100 ms */
    assert_true(load_latency_ratio(known, &count, now, 2) == 1.5);
    assert_true(known[0].ratio == 1 && known[1].ratio == 2 && known[1].recent == 30);
    now[0].calls = 5; /* the counters were reset */
    assert_true(load_latency_ratio(known, &count, now, 2) == 0);
    now[0].calls += 40;
    now[0].total_ms += 40;
    assert_true(load_latency_ratio(known, &count, now, 2) == 1);
}

/* Less is worse: free disk. */
static void test_minimum(void **state)
{
    (void)state;
    Signals signals = {0};
    static const struct {
        double value;
        int64_t at_ms;
        bool holds;
    } rounds[] = {
        {10, 1000, false}, {9.5, 1200, true}, {10, 1400, true}, {12, 1600, true}, {12.6, 1800, false}};
    for (size_t i = 0; i < ARRAY_LEN(rounds); i++) {
        Signal *signal = signal_tell(&signals, "free-disk", "");
        signal->minimum = true;
        signal_value(signal, rounds[i].value, 10, rounds[i].at_ms, "%g free", rounds[i].value);
        assert_int_equal(signal->holds, rounds[i].holds);
        assert_false(signal->alarms);
    }
    Signal *signal = signal_tell(&signals, "free-disk", "");
    signal->critical = 5;
    signal_value(signal, 4, 10, 2000, "4 free");
    assert_true(signal->alarms);
}

/* Twice the rest past the limit, less where there is room or nobody to feel it, the same in between. */
static void test_pace(void **state)
{
    (void)state;
    assert_true(pace_next(4, 1.3, 1.2) == 8);
    assert_true(pace_next(0, 1.3, 1.2) == 1);
    assert_true(pace_next(60, 9, 1.2) == 64);
    assert_true(pace_next(4, 1.15, 1.2) == 4);
    assert_true(pace_next(4, 0, 1.2) == 4 * 0.7);
    assert_true(pace_next(10, 1.05, 1.2) == 7);
    assert_true(pace_next(0.1, 0.9, 1.2) == 0);
    assert_true(pace_next(4, 0.5, 0.8) == 4 * 0.7); /* a limit that asks for less than before */
}

/* What was ended rests as long as it had run, within bounds, and until its signal is well below what was
 * critical. */
static void test_critical_rest(void **state)
{
    (void)state;
    assert_int_equal(critical_rest_ms(40), CRITICAL_REST_LEAST_MS);
    assert_int_equal(critical_rest_ms(90000), 90000);
    assert_int_equal(critical_rest_ms(INT64_C(86400000)), CRITICAL_REST_MOST_MS);
    static Signals signals;
    signals = (Signals){0};
    CriticalWatch watch = {.until_ms = 5000};
    signals_begin(&signals);
    Signal *signal = signal_tell(&signals, "replica-lag", "b");
    signal->critical = 10;
    signal_value(signal, 3, 5, 1000, "3 s");
    watch.past = *signal;
    assert_false(critical_is_over(&watch, &signals, 4999));
    assert_true(critical_is_over(&watch, &signals, 5000));
    signal_value(signal, 9, 5, 6000, "9 s");
    assert_false(critical_is_over(&watch, &signals, 6000)); /* below, but not well below */
    signal_missing(signal, 7000, "gone");
    assert_false(critical_is_over(&watch, &signals, 7000));
    signal->critical = LIMIT_OFF; /* nobody asks for it any more */
    assert_true(critical_is_over(&watch, &signals, 4000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_release), cmocka_unit_test(test_missing),
                                       cmocka_unit_test(test_alarm),   cmocka_unit_test(test_full),
                                       cmocka_unit_test(test_latency), cmocka_unit_test(test_minimum),
                                       cmocka_unit_test(test_pace),    cmocka_unit_test(test_critical_rest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
