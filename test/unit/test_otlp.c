/* Traces: where they go, and which trace a change is. */
#include "base/str.h"
#include "notify/otlp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *given, *address;
    } all[] = {{"http://localhost:4318", "http://localhost:4318/v1/traces"},
               {"http://localhost:4318/", "http://localhost:4318/v1/traces"},
               {"https://u:p@otel.example/pre/", "https://u:p@otel.example/pre/v1/traces"},
               {"https://otel.example/v1/traces", "https://otel.example/v1/traces"},
               {"https://otel.example/v1/traces/", "https://otel.example/v1/traces"},
               {"https://otel.example?x=1", NULL},
               {"https://otel.example#x", NULL},
               {"ftp://otel.example", NULL},
               {"otel.example", NULL},
               {"", NULL}};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        CLEANUP(mem_freep) char *address = otlp_address(all[i].given);
        if (all[i].address == NULL)
            assert_null(address);
        else
            assert_string_equal(address, all[i].address);
    }
}

/* The same wherever the change is carried on, and another one for every other change. */
static void test_ids(void **state)
{
    (void)state;
    enum { CASES = 4 };
    const TraceSpan all[CASES] = {{.database = "shop", .change_digest = "sha256:1", .change_id = 7},
                                  {.database = "shop", .change_digest = "sha256:1", .change_id = 8},
                                  {.database = "shop", .change_digest = "sha256:2", .change_id = 7},
                                  {.database = "test", .change_digest = "sha256:1", .change_id = 7}};
    char trace_id[CASES][33], span_id[CASES][17], again[33], span_again[17];
    for (size_t i = 0; i < CASES; i++) {
        otlp_ids(&all[i], trace_id[i], span_id[i]);
        assert_int_equal(strspn(trace_id[i], "0123456789abcdef"), 32);
        assert_int_equal(strspn(span_id[i], "0123456789abcdef"), 16);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(trace_id[i], trace_id[j]);
    }
    TraceSpan later = all[0];
    later.step = 3;
    later.change = "renamed";
    otlp_ids(&later, again, span_again);
    assert_string_equal(again, trace_id[0]);
    assert_string_equal(span_again, span_id[0]);
}

static void test_headers(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "x",
        "=y",
        "a b=c",
        "a=%0d%0ab: c",
        "a=%00",
        "a=b,,c=d",
        "a=1,a=2,a=3,a=4,a=5,a=6,a=7,a=8,a=9,a=1,a=2,a=3,a=4,a=5,a=6,a=7,a=8"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        Otlp *otlp = NULL;
        Err *err = otlp_start(
            &(OtlpOptions){.url = "http://127.0.0.1:9", .verb = "apply", .headers = wrong[i]}, &otlp);
        assert_true(err_is(err, ERR_CONFIG));
        err_free(err);
    }
    Otlp *otlp = NULL;
    assert_null(otlp_start(&(OtlpOptions){.url = "http://127.0.0.1:9",
                                          .verb = "apply",
                                          .headers = "a=b%20c,authorization=Bearer%20x"},
                           &otlp));
    otlp_stop(otlp, NULL, NULL, 0); /* nothing was told, so nobody is asked */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_addresses), cmocka_unit_test(test_ids),
                                       cmocka_unit_test(test_headers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
