/* The chain over the event log, approvals as they are signed, zones by the machine's files, windows over
 * changes of the clock. */
#include "base/digest.h"
#include "base/str.h"
#include "base/zone.h"
#include "run/approval.h"
#include "run/chain.h"
#include "run/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* ---- the chain ------------------------------------------------------------------------------ */

enum { EVENTS = 6 };

typedef struct Log {
    Arena *arena;
    const char *fields[EVENTS][CHAIN_FIELDS];
    const char *hash[EVENTS];
} Log;

static void log_open(Log *log)
{
    log->arena = arena_new();
    const char *before = "";
    for (size_t i = 0; i < EVENTS; i++) {
        const char *fields[CHAIN_FIELDS] = {
            [CHAIN_ID] = arena_printf(log->arena, "%zu", 10 + 2 * i), /* with gaps */
            [CHAIN_AT] = arena_printf(log->arena, "2026-11-30T12:00:%02zu.000001", i),
            [CHAIN_CHANGE] = i == 0 ? NULL : "7",
            [CHAIN_KIND] = "step_done",
            [CHAIN_STEP] = "1",
            [CHAIN_DETAIL] = i == 2 ? "{\"a\":1}" : NULL,
            [CHAIN_TEXT] = "done",
            [CHAIN_BY] = "migrator"};
        memcpy(log->fields[i], fields, sizeof fields);
        log->hash[i] = before = chain_hash(log->arena, before, fields);
    }
}

static void log_again(Log *log)
{
    arena_free(log->arena);
    log_open(log);
}

/* "KIND EVENT SEAL, …" of what is found; the seal at `skip` is left out. */
static const char *findings(Log *log, int skip, const char *expected)
{
    Chain *chain = chain_new(expected);
    for (int i = 0; i < EVENTS; i++)
        if (i != skip)
            chain_take(chain, &(ChainSeal){.ordinal = i + 1,
                                           .event_id = 10 + 2 * i,
                                           .hash = log->hash[i],
                                           .fields = log->fields[i][0] == NULL ? NULL : log->fields[i]});
    chain_end(chain);
    CLEANUP(str_donep) Str text = STR_INIT;
    size_t i = 0;
    const json_t *each = NULL;
    json_array_foreach(chain->findings, i, each)
    {
        str_sep(&text, ", ");
        str_addf(&text, "%s %lld %lld", json_string_value(json_object_get(each, "kind")),
                 (long long)json_integer_value(json_object_get(each, "event")),
                 (long long)json_integer_value(json_object_get(each, "seal")));
    }
    assert_int_equal(chain->finding_count, json_array_size(chain->findings));
    chain_free(chain);
    return arena_dup(log->arena, text.buf);
}

static void what_was_not_touched_verifies(void **state UNUSED)
{
    Log log;
    log_open(&log);
    assert_string_equal(findings(&log, -1, NULL), "");
    assert_string_equal(findings(&log, -1, log.hash[2]), "");
    arena_free(log.arena);
}

static void every_field_is_sealed(void **state UNUSED)
{
    for (size_t field = 0; field < CHAIN_FIELDS; field++) {
        Log log;
        log_open(&log);
        log.fields[2][field] = field == CHAIN_AT ? "2026-11-30T12:00:02.000002" : "x";
        assert_string_equal(findings(&log, -1, NULL), "altered 14 3");
        arena_free(log.arena);
    }
    Log log;
    log_open(&log);
    log.fields[2][CHAIN_DETAIL] = NULL; /* NULL is not the empty text, and not another field's */
    assert_string_equal(findings(&log, -1, NULL), "altered 14 3");
    log_again(&log);
    log.fields[3][CHAIN_DETAIL] = "";
    assert_string_equal(findings(&log, -1, NULL), "altered 16 4");
    arena_free(log.arena);
}

static void what_happened_is_told_apart(void **state UNUSED)
{
    Log log;
    log_open(&log);
    log.fields[3][CHAIN_ID] = NULL;
    assert_string_equal(findings(&log, -1, NULL), "deleted 16 4");
    log_again(&log);
    assert_string_equal(findings(&log, 3, NULL), "seal_missing 0 4");
    log_again(&log);
    log.hash[3] = log.hash[1];
    assert_string_equal(findings(&log, -1, NULL), "seal_rewritten 16 4");
    log_again(&log);
    log.hash[EVENTS - 1] = log.hash[1]; /* nothing stands behind that would tell */
    assert_string_equal(findings(&log, -1, NULL), "altered 20 6");
    log_again(&log);
    assert_string_equal(findings(&log, -1, "sha256:0"), "truncated 0 0");
    /* two events change places */
    const char *kept[CHAIN_FIELDS];
    memcpy(kept, log.fields[1], sizeof kept);
    memcpy(log.fields[1], log.fields[2], sizeof kept);
    memcpy(log.fields[2], kept, sizeof kept);
    assert_non_null(strstr(findings(&log, -1, NULL), "altered"));
    arena_free(log.arena);
}

static void what_comes_late_is_named(void **state UNUSED)
{
    Log log;
    log_open(&log);
    const char *before = log.hash[3];
    log.fields[4][CHAIN_AT] = "2026-11-30T10:59:00.000000"; /* sealed as it is, by the next run */
    log.hash[4] = before = chain_hash(log.arena, before, log.fields[4]);
    log.hash[5] = chain_hash(log.arena, before, log.fields[5]);
    assert_string_equal(findings(&log, -1, NULL), "inserted 18 5");
    log.fields[4][CHAIN_AT] = "2026-11-30T11:30:00.000000"; /* a transaction that was open for a while */
    log.hash[4] = before = chain_hash(log.arena, log.hash[3], log.fields[4]);
    log.hash[5] = chain_hash(log.arena, before, log.fields[5]);
    assert_string_equal(findings(&log, -1, NULL), "");
    arena_free(log.arena);
}

/* The form is part of the promise: others compute it, too. */
static void the_form_of_a_seal(void **state UNUSED)
{
    Arena *arena = arena_new();
    const char *fields[CHAIN_FIELDS] = {"1", "2026-11-30T12:00:00.000000", NULL, "k", "0", NULL, "\xc3\xa4",
                                        "b"};
    const char text[] = "\n1:1\n26:2026-11-30T12:00:00.000000\n-\n1:k\n1:0\n-\n2:\xc3\xa4\n1:b\n";
    assert_string_equal(chain_hash(arena, "", fields), digest_text(arena, text, strlen(text)));
    arena_free(arena);
}

/* ---- approvals ------------------------------------------------------------------------------ */

static Approval sample(void)
{
    return (Approval){.action = "approve",
                      .change = "orders-paid",
                      .change_digest = "sha256:c",
                      .plan_digest = "sha256:p",
                      .database = "shop",
                      .system = "42",
                      .environment = "production",
                      .at = "2026-11-30T12:00:00Z",
                      .expires = "2026-12-03T12:00:00Z"};
}

static void an_approval_is_read_as_it_was_written(void **state UNUSED)
{
    Arena *arena = arena_new();
    Approval approval = sample(), back;
    const char *text = NULL;
    assert_null(approval_text(arena, &approval, &text));
    assert_true(approval_read(arena, text, &back));
    assert_string_equal(back.change, "orders-paid");
    assert_string_equal(back.expires, approval.expires);
    approval.environment = NULL;
    assert_null(approval_text(arena, &approval, &text));
    assert_true(approval_read(arena, text, &back));
    assert_string_equal(back.environment, "");
    assert_false(approval_read(arena, arena_printf(arena, "%sx", text), &back));
    assert_false(approval_read(arena, text + 1, &back));
    assert_false(approval_read(arena, arena_dupn(arena, text, strlen(text) - 1), &back));
    approval.change = "a\nplan-digest: sha256:q";
    Err *err = approval_text(arena, &approval, &text);
    assert_true(err_is(err, ERR_USAGE));
    err_free(err);
    arena_free(arena);
}

static void what_does_not_count(void **state UNUSED)
{
    Arena *arena = arena_new();
    const Approval wanted = sample();
    const char *now = "2026-12-01T00:00:00Z";
    Approval approval = sample();
    assert_null(approval_flaw(arena, &approval, &wanted, now));
    approval.environment = ""; /* said nothing of it */
    assert_null(approval_flaw(arena, &approval, &wanted, now));
    const struct {
        const char **field;
        const char *value;
    } cases[] = {{&approval.action, "apply"},
                 {&approval.change, "other"},
                 {&approval.change_digest, "sha256:d"},
                 {&approval.plan_digest, "sha256:q"},
                 {&approval.database, "crm"},
                 {&approval.system, "43"},
                 {&approval.environment, "staging"},
                 {&approval.expires, "2026-12-01T00:00:00Z"},
                 {&approval.expires, "2026-11-30T23:59:59Z"},
                 {&approval.expires, "9"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        approval = sample();
        *cases[i].field = cases[i].value;
        assert_non_null(approval_flaw(arena, &approval, &wanted, now));
    }
    arena_free(arena);
}

static void the_first_difference_is_named(void **state UNUSED)
{
    Arena *arena = arena_new();
    json_t *one = json_pack("[s,s]", "a", "b"), *two = json_pack("[s,s,s]", "a", "b", "c");
    assert_null(approval_difference(arena, one, one));
    assert_string_equal(approval_difference(arena, one, two), "step 3 was \"\" and is \"c\"");
    json_decref(one);
    json_decref(two);
    arena_free(arena);
}

/* ---- zones and windows ---------------------------------------------------------------------- */

static const char *const zones[] = {
    "Europe/Berlin",       "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata",
    "America/St_Johns",    "Pacific/Apia",     "America/Santiago",    "Africa/Casablanca",
    "America/Los_Angeles", "Asia/Kathmandu",   "Pacific/Chatham",     "UTC",
    "Europe/Dublin",       "Etc/GMT+3",        "America/Sao_Paulo",   "Asia/Tehran"};

/* By the C library's own reading of the same files. */
static void zones_are_as_the_c_library_has_them(void **state UNUSED)
{
    const char *before = getenv("TZ");
    char *kept = before == NULL ? NULL : mem_dup(before);
    for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
        (void)setenv("TZ", zones[i], 1);
        tzset();
        /* in strides to 2060, and through all of 2027 */
        for (int64_t at = 0;
             at<INT64_C(2840140800); at += at> 1798761600 && at < 1830297600 ? 5400 : 2345678) {
            struct tm tm;
            time_t moment = (time_t)at;
            int64_t offset = -1;
            assert_non_null(localtime_r(&moment, &tm));
            assert_null(zone_offset_s(NULL, zones[i], at, &offset));
            assert_int_equal(offset, tm.tm_gmtoff);
        }
    }
    if (kept != NULL)
        (void)setenv("TZ", kept, 1);
    else
        (void)unsetenv("TZ");
    tzset();
    free(kept);
}

static void what_is_no_zone(void **state UNUSED)
{
    static const char *const wrong[] = {"Nowhere/Here",        "",       "/etc/passwd",
                                        "../../../etc/passwd", "Europe", "zone.tab"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        int64_t offset = 0;
        Err *err = zone_offset_s(NULL, wrong[i], 0, &offset);
        assert_non_null(err);
        err_free(err);
    }
}

static void clocks_that_are_set(void **state UNUSED)
{
    assert_int_equal(window_shift(60, 150, 90), 0);
    assert_int_equal(window_shift(60, 210, 90), 60);  /* forward by an hour on the way */
    assert_int_equal(window_shift(60, 90, 90), -60);  /* back */
    assert_int_equal(window_shift(1410, 30, 60), 0);  /* over midnight */
    assert_int_equal(window_shift(1410, 60, 60), 30); /* by half an hour */
    assert_int_equal(window_shift(0, 0, 3 * 1440), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_not_touched_verifies),
        cmocka_unit_test(every_field_is_sealed),
        cmocka_unit_test(what_happened_is_told_apart),
        cmocka_unit_test(what_comes_late_is_named),
        cmocka_unit_test(the_form_of_a_seal),
        cmocka_unit_test(an_approval_is_read_as_it_was_written),
        cmocka_unit_test(what_does_not_count),
        cmocka_unit_test(the_first_difference_is_named),
        cmocka_unit_test(zones_are_as_the_c_library_has_them),
        cmocka_unit_test(what_is_no_zone),
        cmocka_unit_test(clocks_that_are_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
