/* Flags: keys and their parts, shares, what steps mean, and which change a key speaks of. */
#include "serve/flag_facts.h"
#include "serve/flag_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_keys(void **state)
{
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    static const char *const names[] = {"orders", "Big Orders", "a.b", "say \"x\"", "",
                                        "größe",  "a$b_1",      "`",   "@x"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *part = flag_key_part(arena, names[i]);
        assert_int_equal(part[0] == '"', i != 0 && i != 5 && i != 6);
        assert_string_equal(flag_key_plain(arena, part), names[i]);
        const char *key = arena_printf(arena, "schema.%s.c", part);
        assert_string_equal(flag_key_plain(arena, key), arena_printf(arena,
                                                                     "schema\x1f%s\x1f"
                                                                     "c",
                                                                     names[i]));
    }
    assert_string_equal(flag_key_plain(arena, "a.`b.c`.d"), "a\x1f"
                                                            "b.c\x1f"
                                                            "d");
    assert_string_equal(flag_key_plain(arena, "a\"b.\"open.c"), "a\"b\x1fopen.c");
    assert_string_equal(flag_key_plain(arena, "\"\"\"\""), "\"");
    assert_string_equal(flag_key_plain(arena, ""), "");
}

static void test_shares(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int share;
    } cases[] = {{"0%", 0},      {"25%", 2500}, {"12.5%", 1250}, {"100%", 10000}, {"0.01%", 1},
                 {"100.1%", -1}, {"-1%", -1},   {"25", -1},      {"%", -1},       {"", -1},
                 {"1e1%", -1},   {"nan%", -1},  {"5%%", -1},     {"1.2.3%", -1},  {" 5%", -1}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(flag_share_read(cases[i].text), cases[i].share);
    assert_int_equal(flag_murmur3("", 0), 0);
    assert_int_equal(flag_murmur3("hello", 5), 0x248bfa47);
    assert_int_equal(flag_murmur3("hello, world", 12), 0x149bbb7f);
    assert_int_equal(flag_murmur3("The quick brown fox jumps over the lazy dog.", 44), 0xd5c48bfcu);
    int in = 0;
    for (int i = 0; i < 4000; i++) {
        char who[16];
        int len = snprintf(who, sizeof who, "user-%d", i), first = -1;
        for (int share = 0; share <= FLAG_SHARE_ALL; share += 250)
            if (flag_share_has("k", who, (size_t)len, share)) {
                first = first < 0 ? share : first;
            } else {
                assert_int_equal(first, -1); /* who is in stays in */
            }
        assert_true(first > 0);
        in += first <= 2500;
    }
    assert_in_range(in, 900, 1100);
}

static json_t *change_of(const char *name, const char *state, const char *phase, const char *position,
                         const char *steps)
{
    json_t *change = json_pack(
        "{s:s, s:s, s:s, s:s?, s:o, s:o}", "name", name, "state", state, "phase", phase, "ready_position",
        position, "columns",
        json_pack("[{s:s, s:s, s:s, s:s}]", "schema", "s", "table", "t", "column", "c", "is", "added"),
        "steps", json_array());
    static const struct {
        char letter;
        const char *phase, *kind;
    } all[] = {{'p', "prepare", "verify"}, {'e', "expand", "ddl"},        {'b', "backfill", "backfill"},
               {'v', "verify", "verify"},  {'c', "cutover", "swap"},      {'r', "ready", "ready"},
               {'q', "contract", "quiet"}, {'l', "contract", "evidence"}, {'d', "contract", "ddl"}};
    for (; *steps != '\0'; steps++) /* upper case: done; "!" before it: undone */
        for (size_t i = 0; i < ARRAY_LEN(all); i++) {
            bool undone = *steps == '!', done = steps[undone] == all[i].letter - 32;
            if (done || steps[undone] == all[i].letter)
                json_array_append_new(json_object_get(change, "steps"),
                                      json_pack("{s:s, s:s, s:s}", "phase", all[i].phase, "kind", all[i].kind,
                                                "state",
                                                undone ? "undone"
                                                : done ? "done"
                                                       : "pending"));
        }
    return change;
}

static void test_facts(void **state)
{
    (void)state;
    static const struct {
        const char *state, *phase, *position, *steps, *stage;
        bool ended, evidence;
    } cases[] = {
        {"running", "expand", NULL, "", "off", false, false},
        {"running", "expand", NULL, "Pebvrqd", "off", false, false},
        {"running", "backfill", NULL, "PEbvrqd", "dualwrite", false, false},
        {"failed", "backfill", NULL, "PEbvrqd", "dualwrite", false, false},
        {"running", "verify", NULL, "PEBvrqd", "shadow", false, false},
        {"running", "backfill", NULL, "PEBvcr", "off", false, false},
        {"running", "cutover", NULL, "PEBVCr", "shadow", false, false},
        {"ready", "ready", NULL, "PEBVRqd", "shadow", false, false}, /* the replicas are waited for */
        {"ready", "ready", "0/1", "PEBVRqd", "live", false, false},
        {"ready", "ready", "0/1", "PEBVRqld", "live", false, false},
        {"ready", "ready", "0/1", "PEBVRQLd", "rampdown", false, true},
        {"ready", "ready", "0/1", "PEBVRQld", "rampdown", false, false},
        {"completed", "contract", "0/1", "PEBVRQLD", "complete", false, true},
        {"failed", "ready", NULL, "PEBV!r", "off", true, false},
        {"aborted", "ready", NULL, "PEBV", "off", true, false},
        {"ready", "revert", "0/1", "PEBVRqd", "off", true, false},
        {"reverted", "revert", NULL, "PEBVRqd", "off", true, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        json_t *change = change_of("x", cases[i].state, cases[i].phase, cases[i].position, cases[i].steps);
        FlagFacts facts = flag_facts(change);
        assert_string_equal(flag_stage(&facts), cases[i].stage);
        assert_int_equal(facts.ended, cases[i].ended);
        assert_int_equal(facts.evidence, cases[i].evidence);
        assert_int_equal(facts.ready, str_eq(cases[i].stage, "live") || str_eq(cases[i].stage, "rampdown") ||
                                          str_eq(cases[i].stage, "complete"));
        json_decref(change);
    }
}

static FlagSet *set_of(json_t *changes, const char *promised)
{
    json_t *said = json_array(), *promises = promised == NULL ? NULL : json_loads(promised, 0, NULL);
    FlagSource source = {
        .changes = changes, .said = said, .database = "shop", .system = "1/1", .promised = promises};
    FlagSet *set = flagset_make(&source);
    json_decref(said);
    json_decref(promises);
    return set;
}

static void test_promises(void **state)
{
    (void)state;
    static const char read[] = "schema.s.t.c.read";
    static const struct {
        const char *state, *position, *promised;
        bool on, unproved;
    } cases[] = {
        {"ready", "0/1", NULL, true, false},
        {"ready", "0/1", "{\"schema.s.t.c.read\": \"x\"}", true, false},
        {"running", NULL, "{\"schema.s.t.c.read\": \"x\"}", false, true},
        {"running", NULL, "{\"schema.s.t.c.read\": \"older\"}", false, false},
        {"aborted", NULL, "{\"schema.s.t.c.read\": \"x\"}", false, false},
        {"running", NULL, "{\"schema.s.t.c.write\": \"x\", \"x\": \"x\", \"a.b.c.d.e\": 1}", false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_freep) Arena *arena = arena_new();
        json_t *changes = json_array();
        const char *why = NULL;
        json_array_append_new(changes, change_of("x", cases[i].state, "ready", cases[i].position, "PEBVR"));
        FlagSet *set = set_of(changes, cases[i].promised);
        const Flag *flag = flagset_find(set, arena, read, &why);
        assert_non_null(flag);
        assert_int_equal(flagset_count(set), FLAG_KIND_COUNT);
        assert_int_equal(flag->in.on, cases[i].on);
        assert_int_equal(flag->unproved != NULL, cases[i].unproved);
        assert_int_equal(flag->in.reason == FLAG_ERROR, cases[i].unproved);
        flagset_free(set);
        json_decref(changes);
    }
    json_t *none = json_array();
    FlagSet *set = set_of(none, "{\"schema.s.t.c.read\": \"x\"}"); /* the journal is gone */
    assert_int_equal(flagset_count(set), 1);
    assert_non_null(flagset_at(set, 0)->unproved);
    flagset_free(set);
    json_decref(none);
}

static void test_whose_key(void **state)
{
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    static const struct {
        const char *key, *change;
    } cases[] = {{"t.c.read", "second"},
                 {"schema.s.t.c.read", "second"},
                 {"shop.s.t.c.read@second", "second"},
                 {"t.c.read@third", "third"},
                 {"s.t.c.read@third", "third"},
                 {"t.c.read@first", NULL},
                 {"x.t.c.read", NULL},
                 {"read", NULL},
                 {"", NULL},
                 {"shop.t.c.read", NULL}};
    json_t *changes = json_array();
    json_array_append_new(changes, change_of("first", "aborted", "ready", NULL, "PE"));
    json_array_append_new(changes, change_of("second", "completed", "contract", "0/1", "PEBVR"));
    json_array_append_new(changes, change_of("third", "running", "expand", NULL, "Pe"));
    json_array_append_new(changes, change_of("fourth", "aborted", "expand", NULL, "Pe"));
    FlagSet *set = set_of(changes, NULL);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *why = NULL;
        const Flag *flag = flagset_find(set, arena, cases[i].key, &why);
        assert_int_equal(flag != NULL, cases[i].change != NULL);
        if (flag != NULL)
            assert_string_equal(flag->change, cases[i].change);
    }
    flagset_free(set);
    json_decref(changes);
}

/* A counter stays where it is; there is an end to them. */
static void test_counts(void **state)
{
    (void)state;
    FlagCounts *counts = flag_counts_new();
    FlagCount *first = flag_counts_of(counts, "k0");
    char key[16];
    first->values = 7;
    for (int i = 0; i < FLAG_COUNTS_MAX; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        assert_non_null(flag_counts_of(counts, key));
    }
    assert_null(flag_counts_of(counts, "one more"));
    assert_ptr_equal(flag_counts_of(counts, "k0"), first);
    assert_true(flag_counts_of(counts, "k0")->values == 7 && flag_counts_of(counts, "k1")->values == 0);
    flag_counts_free(counts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_keys),     cmocka_unit_test(test_shares),
                                       cmocka_unit_test(test_counts),   cmocka_unit_test(test_facts),
                                       cmocka_unit_test(test_promises), cmocka_unit_test(test_whose_key)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
