/* The floor that everything stands on: errors, strings, arena, units, stop token, digest, window, quoting. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/stop.h"
#include "base/str.h"
#include "base/unit.h"
#include "engine/engine.h"
#include "engine/sql.h"
#include "run/window.h"

#include <poll.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void errors_carry_causes_and_the_innermost_hint(void **state UNUSED)
{
    Err *err = err_hint(err_new(ERR_SQL, "inner"), "do this");
    memcpy(err->sqlstate, "55P03", 6);
    err = err_wrap(err, "outer \"%s\"", "t");
    char *text = err_text(err);
    assert_string_equal(text, "outer \"t\": inner (SQLSTATE 55P03)");
    assert_string_equal(err_first_hint(err), "do this");
    assert_true(err_is(err, ERR_SQL));
    assert_false(err_is(NULL, ERR_SQL));
    free(text);
    err_free(err);
    err_free(NULL);
}

static void strings_grow_and_hand_over(void **state UNUSED)
{
    Str str = STR_INIT;
    assert_string_equal(str.buf, "");
    for (int i = 0; i < 1000; i++) {
        str_sep(&str, ",");
        str_addf(&str, "%d", i);
    }
    assert_int_equal(str.len, 10 + 90 * 2 + 900 * 3 + 999);
    char *text = str_take(&str);
    assert_true(str_starts(text, "0,1,2"));
    free(text);
    static const char *const sorted[] = {"a", "ab", "b", "\u00e9"};
    for (size_t at = 0; at < ARRAY_LEN(sorted); at++)
        assert_true(str_in_sorted(sorted, ARRAY_LEN(sorted), sorted[at]));
    assert_false(str_in_sorted(sorted, ARRAY_LEN(sorted), "aa"));
    assert_false(str_in_sorted(sorted, 0, "a"));
    assert_true(str_eq(NULL, NULL));
    assert_false(str_eq(NULL, ""));
}

static void arenas_give_zeroed_memory_also_after_clearing(void **state UNUSED)
{
    Arena *arena = arena_new();
    for (int round = 0; round < 3; round++) {
        for (size_t size = 1; size < 20000; size = size * 3 + 1) {
            unsigned char *at = arena_alloc(arena, size);
            for (size_t i = 0; i < size; i++)
                assert_int_equal(at[i], 0);
            memset(at, 0xff, size);
        }
        arena_clear(arena);
    }
    VEC(int) numbers = {0};
    for (int i = 0; i < 100; i++)
        *vec_push(arena, &numbers) = i;
    for (int i = 0; i < 100; i++)
        assert_int_equal(numbers.items[i], i);
    arena_free(arena);
}

typedef struct UnitCase {
    const char *text;
    int64_t value; /* -1: refused */
} UnitCase;

static void durations_and_sizes_need_units(void **state UNUSED)
{
    static const UnitCase durations[] = {{"200ms", 200},   {"1.5s", 1500}, {"10m", 600000}, {"2h", 7200000},
                                         {"1d", 86400000}, {"0ms", 0},     {"200", -1},     {"ms", -1},
                                         {"", -1},         {"-1s", -1},    {"1 s", -1},     {"1sec", -1},
                                         {"1e30d", -1}};
    static const UnitCase sizes[] = {
        {"64kB", 65536}, {"1GB", 1073741824}, {"512B", 512}, {"12", -1}, {"1XB", -1}};
    for (size_t i = 0; i < ARRAY_LEN(durations); i++) {
        int64_t ms = -1;
        Err *err = unit_parse_duration(durations[i].text, &ms);
        assert_int_equal(ms, durations[i].value);
        assert_int_equal(err == NULL, durations[i].value >= 0);
        err_free(err);
    }
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        int64_t bytes = -1;
        err_free(unit_parse_size(sizes[i].text, &bytes));
        assert_int_equal(bytes, sizes[i].value);
    }
}

static void numbers_read_well(void **state UNUSED)
{
    char text[UNIT_TEXT_BYTES];
    assert_string_equal(unit_count_text(1234567, text), "1,234,567");
    assert_string_equal(unit_count_text(-1000, text), "-1,000");
    assert_string_equal(unit_count_text(12, text), "12");
    assert_string_equal(unit_duration_text(950, text), "950 ms");
    assert_string_equal(unit_duration_text(61000, text), "61.0 s");
    assert_string_equal(unit_duration_text(7260000, text), "2 h 1 m");
    assert_string_equal(unit_size_text(349LL << 20, text), "349 MB");
}

static void stop_rises_and_never_falls(void **state UNUSED)
{
    Stop stop;
    assert_null(stop_init(&stop));
    assert_null(stop_check(&stop));
    stop_raise(&stop, STOP_SOON, 2);
    struct pollfd fd = {.fd = stop.fd, .events = POLLIN};
    assert_int_equal(poll(&fd, 1, 0), 0);
    stop_raise(&stop, STOP_NOW, 15);
    stop_raise(&stop, STOP_SOON, 0);
    assert_int_equal(stop_level(&stop), STOP_NOW);
    assert_int_equal(poll(&fd, 1, 0), 1);
    int64_t from = clock_ms();
    stop_sleep(&stop, 10000);
    assert_true(clock_ms() - from < 1000);
    Err *err = stop_check(&stop);
    assert_true(err_is(err, ERR_STOPPED));
    err_free(err);
    stop_done(&stop);
}

static void digests_are_sha256(void **state UNUSED)
{
    Arena *arena = arena_new();
    assert_string_equal(digest_text(arena, "abc", 3),
                        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    arena_free(arena);
}

static void names_and_literals_are_quoted(void **state UNUSED)
{
    Arena *arena = arena_new();
    assert_string_equal(sql_name(arena, "public", "orders"), "public.orders");
    assert_string_equal(sql_name(arena, NULL, "Orders"), "\"Orders\"");
    static const char *const words[] = {"orders", "Orders", "a\"b", "x.y", "\"", "."};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        for (size_t j = 0; j <= ARRAY_LEN(words); j++) {
            const char *in = j == ARRAY_LEN(words) ? NULL : words[j], *schema = NULL, *name = NULL;
            sql_name_parts(arena, sql_name(arena, in, words[i]), &schema, &name);
            assert_true(str_eq(schema, in));
            assert_string_equal(name, words[i]);
        }
    assert_string_equal(sql_ident(arena, "a\"b"), "\"a\"\"b\"");
    assert_string_equal(sql_ident(arena, "select"), "\"select\"");
    assert_string_equal(sql_ident(arena, "user"), "\"user\"");
    assert_string_equal(sql_ident(arena, "1a"), "\"1a\"");
    assert_string_equal(sql_ident(arena, ""), "\"\"");
    assert_string_equal(sql_literal(arena, "it's"), "'it''s'");
    assert_string_equal(sql_literal(arena, "a\\'b"), "E'a\\\\''b'");
    assert_string_equal(sql_literal(arena, NULL), "NULL");
    assert_string_equal(sql_dollar(arena, "x $stoa$ y"), "$stoa1$x $stoa$ y$stoa1$");
    arena_free(arena);
}

static void urls_lose_their_secrets(void **state UNUSED)
{
    Arena *arena = arena_new();
    static const char *const urls[] = {"postgres://me:s3cret@h/db", "postgres://h/db?password=s3cret&x=1",
                                       "host=h password=s3cret dbname=d",
                                       "host=h password='s3cret x' dbname=d", "postgres://me:s3%40cret@h/db"};
    for (size_t i = 0; i < ARRAY_LEN(urls); i++)
        assert_null(strstr(target_redacted(arena, urls[i]), "s3"));
    assert_string_equal(target_redacted(arena, "postgres://me:x@h/db"), "postgres://me@h/db");
    arena_free(arena);
}

typedef struct WindowCase {
    const char *text;
    int weekday, hour, minute;
    bool inside;
} WindowCase;

static void windows_close_when_they_do(void **state UNUSED)
{
    static const struct {
        const char *text;
        int weekday, hour, minute, left, longest;
    } cases[] = {
        {"22:00-06:00 UTC", 1, 22, 0, 480, 480},
        {"22:00-06:00 UTC", 1, 5, 59, 1, 480},
        {"22:00-06:00 UTC", 1, 6, 0, 0, 480},
        {"00:00-24:00 UTC", 3, 12, 0, WINDOW_WEEK, WINDOW_WEEK},
        {"Sat,Sun 00:00-24:00 UTC", 6, 23, 0, 1500, 2880},
        {"Sat,Sun 00:00-24:00 UTC", 1, 0, 0, 0, 2880},
        {"Fri 22:00-06:00 UTC", 6, 3, 0, 180, 480},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Window window;
        assert_null(window_parse(cases[i].text, &window));
        assert_int_equal(window_left(&window, cases[i].hour * 60 + cases[i].minute, cases[i].weekday),
                         cases[i].left);
        assert_int_equal(window_longest(&window), cases[i].longest);
    }
}

static void windows_hold_over_midnight_and_by_day(void **state UNUSED)
{
    static const WindowCase cases[] = {
        {"22:00-06:00 Europe/Berlin", 1, 21, 59, false},
        {"22:00-06:00 Europe/Berlin", 1, 22, 0, true},
        {"22:00-06:00 Europe/Berlin", 1, 0, 0, true},
        {"22:00-06:00 Europe/Berlin", 1, 5, 59, true},
        {"22:00-06:00 Europe/Berlin", 1, 6, 0, false},
        {"09:00-17:00", 3, 12, 0, true},
        {"09:00-17:00", 3, 17, 0, false},
        {"Sat,Sun 00:00-24:00 UTC", 6, 23, 59, true},
        {"Sat,Sun 00:00-24:00 UTC", 1, 0, 0, false},
        {"Fri 22:00-06:00 UTC", 6, 3, 0, true},
        {"Fri 22:00-06:00 UTC", 5, 3, 0, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Window window;
        assert_null(window_parse(cases[i].text, &window));
        assert_int_equal(window_contains(&window, cases[i].hour * 60 + cases[i].minute, cases[i].weekday),
                         cases[i].inside);
    }
    static const char *const wrong[] = {
        "", "22-6", "25:00-06:00", "22:00-06:60", "Mo 22:00-06:00", "Foo 22:00-06:00 UTC", "22:00 06:00"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        Window window;
        Err *err = window_parse(wrong[i], &window);
        assert_true(err_is(err, ERR_USAGE));
        err_free(err);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_carry_causes_and_the_innermost_hint),
        cmocka_unit_test(strings_grow_and_hand_over),
        cmocka_unit_test(arenas_give_zeroed_memory_also_after_clearing),
        cmocka_unit_test(durations_and_sizes_need_units),
        cmocka_unit_test(numbers_read_well),
        cmocka_unit_test(stop_rises_and_never_falls),
        cmocka_unit_test(digests_are_sha256),
        cmocka_unit_test(names_and_literals_are_quoted),
        cmocka_unit_test(urls_lose_their_secrets),
        cmocka_unit_test(windows_hold_over_midnight_and_by_day),
        cmocka_unit_test(windows_close_when_they_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
