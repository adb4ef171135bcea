/* What is told, when it is tried again, and texts from anywhere. */
#include "notify/notice.h"

#include "base/str.h"
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static Str told;

static void note(void *context, const Notice *notice)
{
    (void)context;
    str_sep(&told, " ");
    str_addf(&told, "%s/%s/%s", notice->change, notice->event, notice->state == NULL ? "" : notice->state);
}

static Watch *start(void)
{
    str_done(&told);
    told = STR_INIT;
    return watch_new(&(WatchOptions){.throttled_after_ms = 60000, .tell = note});
}

static void must_have_told(Watch *watch, const char *expected)
{
    assert_string_equal(told.buf, expected);
    watch_free(watch);
    str_done(&told);
}

static void event(Watch *watch, int64_t now_ms, const char *kind, int step)
{
    watch_event(watch, now_ms, &(Event){.change = "w", .kind = kind, .step = step, .text = kind});
}

static void test_events(void **state)
{
    (void)state;
    Watch *watch = start();
    event(watch, 1, "planned", 0);
    event(watch, 2, "step_started", 1);
    event(watch, 3, "lock_blocked", 1);
    event(watch, 5003, "lock_blocked", 1); /* known */
    event(watch, 5004, "lock_blocked", 2);
    event(watch, 5004 + 300000, "lock_blocked", 2);
    event(watch, 400000, "ready", 0);
    watch_failed(watch, 400001, "the end");
    watch_failed(watch, 400002, "the end");
    must_have_told(watch, "w/started/running w/blocked/running w/blocked/running w/blocked/running "
                          "w/ready/ready w/failed/failed");
    watch = start();
    watch_failed(watch, 1, "nothing had begun");
    must_have_told(watch, "");
}

static void test_throttled(void **state)
{
    (void)state;
    Watch *watch = start();
    watch_progress(watch, 1000, "w", "replication lag 9 s");
    watch_progress(watch, 60999, "w", "replication lag 10 s");
    assert_string_equal(told.buf, "");
    watch_progress(watch, 61000, "w", "load"); /* whatever it is */
    watch_progress(watch, 99000, "w", "load");
    assert_string_equal(told.buf, "w/throttled/waiting");
    watch_progress(watch, 100000, "w", NULL);
    watch_progress(watch, 100001, "w", "load");
    watch_progress(watch, 150000, "w", NULL);
    watch_progress(watch, 150001, "w", "paused");
    watch_progress(watch, 990000, "w", "paused");
    must_have_told(watch, "w/throttled/waiting");
}

static void look(Watch *watch, int64_t now_ms, const char *state, json_int_t from, json_int_t to,
                 const char *last)
{
    json_t *changes = json_pack("[{s:s, s:s}]", "name", "w", "state", state), *events = json_array();
    for (json_int_t id = from; id <= to; id++)
        (void)json_array_append_new(events, json_pack("{s:I, s:s, s:s}", "id", id, "change", "w", "event",
                                                      id == to ? last : "step_done"));
    watch_look(watch, now_ms, changes, events);
    json_decref(changes);
    json_decref(events);
}

static void test_pictures(void **state)
{
    (void)state;
    Watch *watch = start();
    look(watch, 0, "failed", 1, 3, "failed"); /* that was before */
    look(watch, 9000, "failed", 1, 3, "failed");
    assert_string_equal(told.buf, "");
    look(watch, 10000, "running", 1, 4, "resumed");
    look(watch, 10500, "running", 2, 4, "resumed");
    look(watch, 20000, "ready", 2, 6, "ready"); /* state and event */
    look(watch, 24000, "ready", 2, 6, "ready");
    assert_string_equal(told.buf, "w/started/running w/ready/ready");
    look(watch, 40000, "completed", 2, 6, "ready"); /* a state whose event never comes */
    look(watch, 42000, "completed", 2, 6, "ready");
    assert_string_equal(told.buf, "w/started/running w/ready/ready");
    look(watch, 43000, "completed", 2, 6, "ready");
    look(watch, 60000, "completed", 2, 6, "ready");
    must_have_told(watch, "w/started/running w/ready/ready w/completed/completed");
}

static void test_retries(void **state)
{
    (void)state;
    PostResult none = {0}, asked = {.status = 429, .retry_after_s = 90}, gone = {.status = 404},
               moved = {.status = 302};
    assert_int_equal(post_wait_ms(0, 0, &none), 1000);
    assert_int_equal(post_wait_ms(3, 0.5, &none), 6000);
    assert_int_equal(post_wait_ms(40, 0, &none), 60000);
    assert_int_equal(post_wait_ms(0, 0, &asked), 90000);
    assert_true(post_may_be_tried_again(&none) && post_may_be_tried_again(&asked));
    assert_true(post_may_be_tried_again(&(PostResult){.status = 503}));
    assert_false(post_may_be_tried_again(&gone) || post_may_be_tried_again(&moved));
}

static void test_labels(void **state)
{
    (void)state;
    char *label = webhook_label("https://user:secret@hooks.example.com:8443/T0/secret?token=secret");
    assert_string_equal(label, "webhook https://hooks.example.com:8443/…");
    free(label);
    static const char *const bad[] = {"ftp://a/b", "nothing", "file:///etc/passwd", "https://"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        Err *err = webhook_check(bad[i]);
        assert_non_null(err);
        err_free(err);
    }
    assert_null(webhook_check("http://[::1]:1/"));
}

static void test_utf8(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"grün €", "grün €"},
        {"a\xff z", "a\xef\xbf\xbd z"},
        {"\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xf0\x9f\x98", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}};
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        char *mended = utf8_mend(pairs[i][0]);
        assert_string_equal(mended, pairs[i][1]);
        json_t *text = json_string(mended);
        assert_non_null(text);
        json_decref(text);
        free(mended);
    }
    char *line = utf8_line("a\033[31m\nb\xc2\x9b");
    assert_string_equal(line, "a?[31m?b?");
    free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_events),   cmocka_unit_test(test_throttled),
                                       cmocka_unit_test(test_pictures), cmocka_unit_test(test_retries),
                                       cmocka_unit_test(test_labels),   cmocka_unit_test(test_utf8)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
