/* Keys that wait to be brought over: each once, and no position before its time. */
#include "run/keys.h"

#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { RANDOM_ROUNDS = 200000, RANDOM_KEYS = 200, IN_HAND = 64 };

static const KeyList none = {0};

#define LIST(...)                                                                                            \
    (&(KeyList){.keys = (const char *const[]){__VA_ARGS__},                                                  \
                .count = sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)})

static void a_key_waits_once(void **state)
{
    (void)state;
    Keys *keys = keys_new(1 << 20);
    assert_int_equal(keys_batch(keys, LIST("a", "b", "a"), "p1", false), 1);
    assert_int_equal(keys_batch(keys, LIST("b"), "p2", false), 2);
    assert_int_equal(keys_count(keys), 2);
    assert_null(keys_position(keys));
    assert_int_equal(keys_through(keys), 0);
    const char *taken[8];
    assert_int_equal(keys_take(keys, 0, 1, 8, 0, taken), 2);
    assert_false(keys_has(keys, "a"));
    keys_finish(keys, taken, 2, &none, 0);
    assert_int_equal(keys_count(keys), 0);
    assert_string_equal(keys_position(keys), "p2");
    assert_int_equal(keys_through(keys), 2);
    keys_free(keys);
}

static void a_key_that_comes_again_is_due_again(void **state)
{
    (void)state;
    Keys *keys = keys_new(1 << 20);
    const char *taken[8], *again[8];
    keys_batch(keys, LIST("a"), "p1", false);
    assert_int_equal(keys_take(keys, 0, 1, 8, 0, taken), 1);
    keys_batch(keys, LIST("a"), "p2", false);
    assert_true(keys_has(keys, "a"));
    assert_int_equal(keys_take(keys, 0, 1, 8, 0, again), 0); /* it is in one hand at a time */
    keys_finish(keys, taken, 1, &none, 0);
    assert_string_equal(keys_position(keys), "p1");
    assert_int_equal(keys_take(keys, 0, 1, 8, 0, again), 1);
    keys_finish(keys, again, 1, &none, 0);
    assert_string_equal(keys_position(keys), "p2");
    keys_free(keys);
}

static void busy_keys_hold_the_position_and_rest(void **state)
{
    (void)state;
    Keys *keys = keys_new(1 << 20);
    const char *taken[8];
    keys_batch(keys, LIST("a"), "p1", false);
    assert_int_equal(keys_take(keys, 0, 1, 8, 0, taken), 1);
    keys_finish(keys, taken, 1, LIST("a"), 100);
    for (int i = 0; i < 1000; i++) { /* others go on behind it, and take no room */
        char text[16];
        (void)snprintf(text, sizeof text, "k%d", i);
        keys_batch(keys, LIST(text), "later", false);
        assert_int_equal(keys_take(keys, 0, 1, 8, 100, taken), 1);
        keys_finish(keys, taken, 1, &none, 100);
    }
    assert_null(keys_position(keys));
    assert_int_equal(keys_through(keys), 0);
    assert_int_equal(keys_take(keys, 0, 1, 8, 100 + KEYS_BUSY_MS - 1, taken), 0);
    assert_int_equal(keys_take(keys, 0, 1, 8, 100 + KEYS_BUSY_MS, taken), 1);
    assert_string_equal(taken[0], "a");
    keys_finish(keys, taken, 1, &none, 200);
    assert_string_equal(keys_position(keys), "later");
    keys_free(keys);
}

static void displaced_keys_are_due_before_the_position(void **state)
{
    (void)state;
    Keys *keys = keys_new(1 << 20);
    const char *taken[8];
    keys_batch(keys, LIST("a"), "p1", false);
    assert_int_equal(keys_take(keys, 0, 1, 8, 0, taken), 1);
    keys_batch(keys, LIST("d"), "p2", false);
    const char *owed[8];
    assert_int_equal(keys_owed(keys, taken, 1, owed), 0);
    keys_owe(keys, taken, 1, LIST("d", "e"));
    keys_finish(keys, taken, 1, &none, 0);
    assert_null(keys_position(keys));
    assert_int_equal(keys_take(keys, 0, 1, 8, 0, taken), 2);
    assert_int_equal(keys_owed(keys, taken, 2, owed), 2);
    keys_finish(keys, taken, 2, &none, 0);
    assert_string_equal(keys_position(keys), "p2");
    keys_free(keys);
}

/* As they stand in the server when a process begins. */
static void debts_are_due_before_what_comes_later(void **state)
{
    (void)state;
    Keys *keys = keys_new(1 << 20);
    const char *taken[8], *owed[8];
    keys_owe(keys, NULL, 0, LIST("d"));
    keys_batch(keys, LIST("a"), "p1", false);
    assert_int_equal(keys_take(keys, 0, 1, 8, 0, taken), 2);
    assert_int_equal(keys_owed(keys, taken, 2, owed), 1);
    assert_string_equal(owed[0], "d");
    keys_give_back(keys, taken, 2); /* it is still owed then */
    assert_int_equal(keys_take(keys, 0, 1, 8, 0, taken), 2);
    assert_int_equal(keys_owed(keys, taken, 2, owed), 1);
    keys_finish(keys, taken, 2, LIST("d"), 100); /* and while it is busy */
    assert_null(keys_position(keys));
    assert_int_equal(keys_take(keys, 0, 1, 8, INT64_MAX, taken), 1);
    assert_int_equal(keys_owed(keys, taken, 1, owed), 1);
    keys_finish(keys, taken, 1, &none, 200);
    assert_string_equal(keys_position(keys), "p1");
    keys_batch(keys, LIST("d"), "p2", false);
    assert_int_equal(keys_take(keys, 0, 1, 8, 0, taken), 1);
    assert_int_equal(keys_owed(keys, taken, 1, owed), 0); /* it was paid */
    keys_finish(keys, taken, 1, &none, 0);
    keys_free(keys);
}

static void a_hold_keeps_the_position(void **state)
{
    (void)state;
    Keys *keys = keys_new(1 << 20);
    keys_batch(keys, &none, "p1", false);
    assert_string_equal(keys_position(keys), "p1");
    uint64_t held = keys_batch(keys, &none, "p2", true);
    keys_batch(keys, &none, "p3", false);
    assert_string_equal(keys_position(keys), "p1");
    keys_release(keys, held);
    assert_string_equal(keys_position(keys), "p3");
    keys_free(keys);
}

static void it_is_full_and_then_not(void **state)
{
    (void)state;
    Keys *keys = keys_new(100000);
    const char *taken[KEYS_BATCH_MAX];
    char text[32];
    for (int i = 0; !keys_full(keys); i++) {
        (void)snprintf(text, sizeof text, "key %d", i);
        keys_batch(keys, LIST(text), "p", false);
    }
    assert_true(keys_count(keys) > 200 && keys_count(keys) < 2000);
    while (keys_count(keys) > 0) {
        size_t count = keys_take(keys, 0, 1, KEYS_BATCH_MAX, 0, taken);
        keys_finish(keys, taken, count, &none, 0);
    }
    assert_false(keys_full(keys));
    keys_free(keys);
}

/* Against a model: what each key was changed to, and what was brought over of it. A position may only be
 * given away when every change before it was brought over. */
typedef struct Model {
    int changed[RANDOM_KEYS], applied[RANDOM_KEYS], seen[RANDOM_KEYS];
    int time;
} Model;

static void check(const Model *model, const Keys *keys)
{
    const char *position = keys_position(keys);
    int until = position == NULL ? 0 : atoi(position);
    for (int i = 0; i < RANDOM_KEYS; i++) {
        /* The last change at or before the position: `changed` is at most one change further. */
        if (model->changed[i] <= until)
            assert_true(model->applied[i] >= model->changed[i]);
    }
}

static size_t pick(size_t from) { return (size_t)random() % from; }

static void give_some_back(Model *model, Keys *keys, const char **hand, size_t count)
{
    const char *busy[IN_HAND];
    size_t busy_count = 0;
    for (size_t i = 0; i < count; i++) {
        int key = atoi(hand[i]);
        if (pick(5) == 0)
            busy[busy_count++] = hand[i];
        else
            model->applied[key] = model->seen[key];
    }
    keys_finish(keys, hand, count, &(KeyList){.keys = busy, .count = busy_count}, model->time);
}

static void positions_never_come_too_early(void **state)
{
    (void)state;
    Keys *keys = keys_new(1 << 20);
    Model *model = mem_zero(sizeof *model);
    const char *hands[2][IN_HAND];
    size_t counts[2] = {0, 0};
    srandom(7);
    for (int round = 0; round < RANDOM_ROUNDS; round++) {
        size_t worker = pick(2);
        if (pick(2) == 0) {
            char texts[4][16], position[16];
            const char *list[4];
            model->time++;
            for (size_t i = 0; i < 4; i++) {
                size_t key = pick(RANDOM_KEYS);
                model->changed[key] = model->time;
                (void)snprintf(texts[i], sizeof texts[i], "%zu", key);
                list[i] = texts[i];
            }
            (void)snprintf(position, sizeof position, "%d", model->time);
            keys_batch(keys, &(KeyList){.keys = list, .count = 4}, position, false);
        } else if (counts[worker] == 0) {
            counts[worker] = keys_take(keys, worker, 2, IN_HAND, model->time, hands[worker]);
            for (size_t i = 0; i < counts[worker]; i++) {
                int key = atoi(hands[worker][i]);
                model->seen[key] = model->changed[key]; /* the row as it is now */
            }
        } else if (pick(8) == 0) {
            keys_give_back(keys, hands[worker], counts[worker]);
            counts[worker] = 0;
        } else {
            give_some_back(model, keys, hands[worker], counts[worker]);
            counts[worker] = 0;
        }
        if (round % 64 == 0)
            check(model, keys);
    }
    for (size_t worker = 0; worker < 2; worker++)
        keys_give_back(keys, hands[worker], counts[worker]);
    while (keys_count(keys) > 0) {
        const char *hand[IN_HAND];
        size_t count = keys_take(keys, 0, 1, IN_HAND, INT64_MAX, hand);
        for (size_t i = 0; i < count; i++)
            model->applied[atoi(hand[i])] = model->changed[atoi(hand[i])];
        keys_finish(keys, hand, count, &none, 0);
    }
    check(model, keys);
    assert_int_equal(atoi(keys_position(keys)), model->time);
    assert_int_equal(keys_through(keys), keys_number(keys));
    free(model);
    keys_free(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_waits_once),
        cmocka_unit_test(a_key_that_comes_again_is_due_again),
        cmocka_unit_test(busy_keys_hold_the_position_and_rest),
        cmocka_unit_test(displaced_keys_are_due_before_the_position),
        cmocka_unit_test(debts_are_due_before_what_comes_later),
        cmocka_unit_test(a_hold_keeps_the_position),
        cmocka_unit_test(it_is_full_and_then_not),
        cmocka_unit_test(positions_never_come_too_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
