/* The load generator's arithmetic: histogram, schedule, chance, adding up. */
#include "load/hist.h"
#include "load/load.h"
#include "load/random.h"
#include "load/schedule.h"
#include "load/tally.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static int compare(const void *a, const void *b)
{
    const int64_t *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

static void hist_is_within_half_a_percent(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    int64_t *values = mem_zero(COUNT * sizeof *values);
    Hist *hist = mem_zero(sizeof *hist);
    Random random = random_for(7, 1);
    for (int i = 0; i < COUNT; i++) {
        values[i] = random_between(&random, 0, 1) == 0 ? random_between(&random, 0, 2000)
                                                       : random_between(&random, 0, 20000000);
        hist_record(hist, values[i]);
    }
    qsort(values, COUNT, sizeof *values, compare);
    static const double QUANTILES[] = {0.001, 0.01, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999, 0.9999};
    for (size_t i = 0; i < ARRAY_LEN(QUANTILES); i++) {
        int64_t exact = values[(size_t)ceil(QUANTILES[i] * COUNT) - 1];
        int64_t got = hist_quantile_us(hist, QUANTILES[i]);
        if (fabs((double)(got - exact)) > 0.005 * (double)exact)
            fail_msg("quantile %g: %lld instead of %lld", QUANTILES[i], (long long)got, (long long)exact);
    }
    assert_int_equal(hist_quantile_us(hist, 1), values[COUNT - 1]);
    mem_freep(&values);
    mem_freep(&hist);
}

static void hist_keeps_small_values_and_ends(void **state)
{
    (void)state;
    Hist *hist = mem_zero(sizeof *hist);
    assert_int_equal(hist_quantile_us(hist, 0.5), 0);
    for (int64_t value = 0; value < 256; value++) {
        *hist = (Hist){0};
        hist_record(hist, value);
        hist_record(hist, 1 << 20);
        assert_int_equal(hist_quantile_us(hist, 0.5), value);
    }
    /* Every power of two and its neighbours; then what no bucket is made for. */
    for (int bit = 8; bit <= HIST_TOP_BIT; bit++)
        for (int64_t off = -1; off <= 1; off++) {
            int64_t value = ((int64_t)1 << bit) + off;
            *hist = (Hist){0};
            hist_record(hist, value);
            hist_record(hist, INT64_MAX);
            assert_true(llabs(hist_quantile_us(hist, 0.5) - value) <= value / 200);
        }
    *hist = (Hist){0};
    hist_record(hist, -5);
    hist_record(hist, INT64_MAX);
    assert_int_equal(hist_quantile_us(hist, 0.5), 0);
    assert_int_equal(hist_quantile_us(hist, 1), INT64_MAX);
    mem_freep(&hist);
}

static void schedule_does_not_drift(void **state)
{
    (void)state;
    static const double RATES[] = {0.5, 1, 3, 7, 300, 333.3, 12345};
    for (size_t i = 0; i < ARRAY_LEN(RATES); i++) {
        assert_int_equal(schedule_due_us(1000, RATES[i], 0), 1000);
        int64_t day = (int64_t)(RATES[i] * 86400);
        assert_true(llabs(schedule_due_us(0, RATES[i], day) - 86400000000) <= (int64_t)(1e6 / RATES[i]));
        for (int64_t index = 1; index < 2000; index++)
            assert_true(schedule_due_us(0, RATES[i], index) > schedule_due_us(0, RATES[i], index - 1));
    }
}

static void schedule_counts_what_was_due(void **state)
{
    (void)state;
    static const double RATES[] = {0.5, 3, 7, 300, 333.3};
    for (size_t i = 0; i < ARRAY_LEN(RATES); i++)
        for (int64_t index = 0; index < 3000; index++) {
            int64_t due_us = schedule_due_us(5000, RATES[i], index);
            assert_int_equal(schedule_due_count(5000, RATES[i], due_us), index + 1);
            assert_int_equal(schedule_due_count(5000, RATES[i], due_us - 1), index);
        }
}

static void chance_is_even_and_repeats(void **state)
{
    (void)state;
    int64_t seen[8] = {0};
    for (int64_t item = 0; item < 80000; item++) {
        Random first = random_for(1, item), again = random_for(1, item);
        int64_t value = random_between(&first, 0, 7);
        assert_int_equal(value, random_between(&again, 0, 7));
        seen[value]++;
    }
    for (size_t i = 0; i < ARRAY_LEN(seen); i++)
        assert_in_range(seen[i], 9500, 10500);
}

static void tallies_add_up(void **state)
{
    (void)state;
    LoadTally *one = load_tally_new(), *two = load_tally_new();
    for (int64_t i = 1; i <= 100; i++)
        hist_record(i <= 50 ? &one->hist : &two->hist, i);
    one->errors = 2;
    two->errors = 3;
    two->deadlocks = 1;
    one->span_us = 1500000;
    two->span_us = 500000;
    tally_note(two, "second");
    load_tally_add(one, two);
    tally_note(one, "later");
    LoadReport report;
    load_tally_report(one, &report);
    assert_int_equal(report.count, 100);
    assert_int_equal(report.errors, 5);
    assert_int_equal(report.deadlocks, 1);
    assert_string_equal(report.first_error, "second");
    assert_true(fabs(report.p50_ms - 0.050) < 1e-9 && fabs(report.p99_ms - 0.099) < 1e-9);
    assert_true(fabs(report.max_ms - 0.100) < 1e-9 && fabs(report.seconds - 2) < 1e-9);
    load_tally_free(one);
    load_tally_free(two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hist_is_within_half_a_percent), cmocka_unit_test(hist_keeps_small_values_and_ends),
        cmocka_unit_test(schedule_does_not_drift),       cmocka_unit_test(schedule_counts_what_was_due),
        cmocka_unit_test(chance_is_even_and_repeats),    cmocka_unit_test(tallies_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
