/* Quiet hours out of samples. */
#include "base/str.h"
#include "run/quiet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

enum { HOUR_S = 3600, DAY_S = 24 * HOUR_S, FROM_S = 20000 * DAY_S };

/* `days` of samples, `step_s` apart; `rates` a second by hour. */
static const char *samples(Arena *arena, int days, int step_s, const int *rates)
{
    CLEANUP(str_donep) Str text = STR_INIT;
    int64_t sum = 0;
    str_add(&text, "# seconds sum\n");
    for (int64_t at = FROM_S; at <= FROM_S + (int64_t)days * DAY_S; at += step_s) {
        str_addf(&text, "%lld %lld\n", (long long)at, (long long)sum);
        for (int64_t second = at; second < at + step_s; second += 60)
            sum += rates[second % DAY_S / HOUR_S] * INT64_C(60);
    }
    return arena_dup(arena, text.buf);
}

static const int day_rates[24] = {40, 5,  4,  3,  6,  30, 60, 90, 99, 100, 100, 99,
                                  90, 95, 99, 99, 90, 80, 70, 60, 50, 50,  50,  45};
static const int night_rates[24] = {9,  9,  40, 60, 60, 60, 60, 90, 99, 100, 100, 5,
                                    99, 95, 99, 99, 90, 80, 70, 60, 50, 50,  9,   9};
static const int flat_rates[24] = {50, 50, 50, 50, 50, 40, 50, 50, 50, 50, 50, 50,
                                   50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50};

static const char *window_of(Arena *arena, const char *text)
{
    QuietDay day;
    const char *window = NULL;
    assert_null(quiet_read(text, &day));
    (void)quiet_text(arena, &day, &window);
    return window == NULL ? "none" : window;
}

static void test_windows(void **state)
{
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    assert_string_equal(window_of(arena, samples(arena, 8, HOUR_S, day_rates)), "01:00-05:00 UTC");
    assert_string_equal(window_of(arena, samples(arena, 8, 600, day_rates)), "01:00-05:00 UTC");
    assert_string_equal(window_of(arena, samples(arena, 8, HOUR_S, night_rates)), "22:00-02:00 UTC");
    assert_string_equal(window_of(arena, samples(arena, 8, HOUR_S, flat_rates)), "none");
}

static void test_not_enough(void **state)
{
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    QuietDay day;
    assert_string_equal(window_of(arena, samples(arena, 6, HOUR_S, day_rates)), "none");
    assert_string_equal(window_of(arena, samples(arena, 30, 3 * HOUR_S, day_rates)), "none");
    assert_null(quiet_read("", &day));
    assert_false(quiet_find(&day).known);
}

/* A server that was restarted, a day that nobody looked, another month. */
static void test_left_out(void **state)
{
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    QuietDay day;
    char line[64];
    const char *week = samples(arena, 9, HOUR_S, day_rates);
    for (int back = 0; back < 2;
         back++) { /* the sum falls, then goes on from there; or it leaps behind a gap */
        CLEANUP(str_donep) Str text = STR_INIT;
        str_add(&text, week);
        for (int64_t hour = 1; hour < 3 * 24; hour++) {
            int64_t at = FROM_S + (back ? 9 : 11) * (int64_t)DAY_S + hour * HOUR_S;
            (void)snprintf(line, sizeof line, "%lld %lld\n", (long long)at,
                           back ? (long long)(hour * 3600) : (long long)(INT64_C(1) << 50));
            str_add(&text, line);
        }
        assert_null(quiet_read(text.buf, &day));
        assert_true(day.rate[9] < 101 && day.rate[9] > 1);
    }
    assert_null(quiet_read("100 5\n3700 10000000\n", &day));
    assert_true(day.rate[0] > 1000);
    assert_null(quiet_read("100 5\n3700 10000000\n9999999900 1\n9999999960 61\n", &day));
    assert_true(day.rate[0] < 1 && day.span_s == 60);
}

static void test_bad_lines(void **state)
{
    (void)state;
    static const char *const bad[] = {"x 1\n",
                                      "1\n",
                                      "1 \n",
                                      "1 2 3\n",
                                      "1 -2\n",
                                      "-1 2\n",
                                      "99999999999999999999 1\n",
                                      "# fine\n1 2\n3 4x\n"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        QuietDay day;
        Err *err = quiet_read(bad[i], &day);
        assert_non_null(err);
        assert_int_equal(err->kind, ERR_CONFIG);
        err_free(err);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_windows), cmocka_unit_test(test_not_enough),
                                       cmocka_unit_test(test_left_out), cmocka_unit_test(test_bad_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
