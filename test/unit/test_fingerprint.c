/* Lines of two fingerprints: what differs, and what of that was planned. */
#include "plan/fingerprint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define LINES(...)                                                                                           \
    ((Lines){(const char *const[]){__VA_ARGS__},                                                             \
             sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)})
#define NO_LINES ((Lines){NULL, 0})

/* Joined by newlines. */
static const char *joined(Arena *arena, Lines lines)
{
    const char *text = "";
    for (size_t i = 0; i < lines.count; i++)
        text = arena_printf(arena, "%s%s%s", text, i > 0 ? "\n" : "", lines.items[i]);
    return text;
}

static void compare_merges_sorted_lines(void **state)
{
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Difference difference;
    fingerprint_compare(arena, LINES("a", "b", "d"), LINES("b", "c", "e"), &difference);
    assert_string_equal(joined(arena, difference.removed), "a\nd");
    assert_string_equal(joined(arena, difference.added), "c\ne");
    fingerprint_compare(arena, NO_LINES, LINES("a"), &difference);
    assert_string_equal(joined(arena, difference.added), "a");
    fingerprint_compare(arena, LINES("a"), NO_LINES, &difference);
    assert_string_equal(joined(arena, difference.removed), "a");
    fingerprint_compare(arena, LINES("a"), LINES("a"), &difference);
    assert_int_equal(difference.removed.count + difference.added.count, 0);
}

static void expect(Lines removed, Lines added, Difference real, Lines after, const char *unplanned)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Difference planned = {removed, added};
    assert_string_equal(joined(arena, fingerprint_unplanned(arena, &planned, &real, after, 0)), unplanned);
}

static void as_planned_is_nothing(void **state)
{
    (void)state;
    Lines added = LINES("column public.t.c: type = int", "table public.t: column order = a, c");
    Lines removed = LINES("table public.t: column order = a");
    expect(removed, added, (Difference){removed, added}, added, "");
}

static void what_nobody_planned_is_told(void **state)
{
    (void)state;
    Difference real = {LINES("column public.t.a: comment = x"),
                       LINES("index public.i: definition = CREATE …")};
    expect(NO_LINES, NO_LINES, real, real.added,
           "- column public.t.a: comment = x\n+ index public.i: definition = CREATE …");
}

static void partitions_come_and_go_meanwhile(void **state)
{
    (void)state;
    Lines whole = LINES("column public.new.a: type = int", "constraint public.new.c: definition = CHECK …",
                        "index public.i: definition = CREATE INDEX i ON public.new USING btree (a)",
                        "index public.i: partition of = public.t_i", "table public.new: kind = table",
                        "table public.new: partition of public.t = FOR VALUES …");
    expect(NO_LINES, NO_LINES, (Difference){NO_LINES, whole}, whole, "");
    expect(NO_LINES, NO_LINES, (Difference){whole, NO_LINES}, NO_LINES, "");
    expect(NO_LINES, LINES("column public.new.b: type = int"), (Difference){whole, NO_LINES}, NO_LINES, "");
    /* one that stays, another table, and one that the change itself makes are looked at */
    Lines detached =
        LINES("constraint public.new.c: inherited = only", "table public.new: partition of public.t = F");
    expect(NO_LINES, NO_LINES, (Difference){detached, NO_LINES}, NO_LINES,
           "- constraint public.new.c: inherited = only\n- table public.new: partition of public.t = F");
    Lines others = LINES("column public.news.a: type = int", "table public.new: kind = table",
                         "table public.new: partition of public.t = F");
    expect(NO_LINES, NO_LINES, (Difference){NO_LINES, others}, others, "+ column public.news.a: type = int");
    Lines own = LINES("column public.new.b: type = int", "table public.new: kind = table",
                      "table public.new: partition of public.t = F");
    expect(NO_LINES, LINES("table public.new: kind = table", "table public.new: partition of public.t = F"),
           (Difference){NO_LINES, own}, own, "+ column public.new.b: type = int");
}

static void what_did_not_come_is_told(void **state)
{
    (void)state;
    expect(LINES("column public.t.a: not null = yes"), LINES("column public.t.c: type = int"),
           (Difference){NO_LINES, NO_LINES}, LINES("column public.t.a: not null = yes"),
           "missing: + column public.t.c: type = int\nmissing: - column public.t.a: not null = yes");
}

static void another_value_than_planned_is_told(void **state)
{
    (void)state;
    expect(LINES("column public.t.a: type = int"), LINES("column public.t.a: type = bigint"),
           (Difference){LINES("column public.t.a: type = int"), LINES("column public.t.a: type = text")},
           LINES("column public.t.a: type = text"),
           "+ column public.t.a: type = text\nmissing: + column public.t.a: type = bigint");
}

static void what_goes_with_its_object_is_planned(void **state)
{
    (void)state;
    /* a copy has neither comments nor grants */
    Difference real = {LINES("column public.t.a: comment = x", "column public.t.a: grant to bob = SELECT",
                             "column public.t.a: type = int"),
                       NO_LINES};
    expect(LINES("column public.t.a: type = int"), NO_LINES, real, NO_LINES, "");
    /* but not when only its default was to go */
    expect(LINES("column public.t.a: default = 5"), NO_LINES, real, NO_LINES,
           "- column public.t.a: comment = x\n- column public.t.a: grant to bob = SELECT\n"
           "- column public.t.a: type = int");
}

static void what_an_object_has_moves_with_its_name(void **state)
{
    (void)state;
    Difference planned = {LINES("column public.t.a: type = int"), LINES("column public.t.b: type = int")};
    Difference real = {LINES("column public.t.a: comment = x", "column public.t.a: type = int"),
                       LINES("column public.t.b: comment = x", "column public.t.b: type = int")};
    expect(planned.removed, planned.added, real, real.added, "");
    Difference other = {real.removed,
                        LINES("column public.t.b: comment = y", "column public.t.b: type = int")};
    expect(planned.removed, planned.added, other, other.added, "+ column public.t.b: comment = y");
}

static void a_new_table_has_its_own_rights(void **state)
{
    (void)state;
    Difference planned = {NO_LINES, LINES("table public.n: kind = table", "table public.n: owner = us")};
    Difference real = {NO_LINES,
                       LINES("table public.n: grant to bob = SELECT", "table public.n: kind = table",
                             "table public.n: owner = them", "table public.n: publication p = with all")};
    expect(planned.removed, planned.added, real, real.added, "");
    Difference more = {NO_LINES,
                       LINES("table public.n: kind = table", "table public.n: option fillfactor = 5")};
    expect(planned.removed, planned.added, more, more.added, "+ table public.n: option fillfactor = 5");
}

static void a_view_is_primarily_a_view(void **state)
{
    (void)state;
    /* a changed definition takes no grant with it */
    Difference planned = {LINES("view public.v: definition = a"), LINES("view public.v: definition = b")};
    Difference real = {LINES("view public.v: definition = a", "view public.v: grant to bob = SELECT"),
                       LINES("view public.v: definition = b")};
    expect(planned.removed, planned.added, real, real.added, "- view public.v: grant to bob = SELECT");
}

static void an_invalid_index_may_go(void **state)
{
    (void)state;
    Difference real = {LINES("index public.i: definition = x", "index public.i: valid = no"), NO_LINES};
    expect(NO_LINES, NO_LINES, real, NO_LINES, "");
}

static void what_a_copy_never_had_may_be_taken_away(void **state)
{
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Difference nothing = {NO_LINES, NO_LINES};
    Difference comment = {LINES("column public.t.a: comment = x"), NO_LINES};
    Difference right = {LINES("table public.t: grant to bob = INSERT, SELECT"),
                        LINES("table public.t: grant to bob = SELECT")};
    assert_int_equal(fingerprint_unplanned(arena, &nothing, &comment, NO_LINES, SPARE_COMMENTS).count, 0);
    assert_int_equal(fingerprint_unplanned(arena, &nothing, &comment, NO_LINES, SPARE_RIGHTS).count, 1);
    assert_int_equal(fingerprint_unplanned(arena, &nothing, &right, right.added, SPARE_RIGHTS).count, 0);
    assert_int_equal(fingerprint_unplanned(arena, &nothing, &right, right.added, SPARE_COMMENTS).count, 2);
    /* GRANT adds to what is there, of which a copy knows nothing */
    expect(NO_LINES, LINES("table public.t: grant to bob = INSERT"),
           (Difference){LINES("table public.t: grant to bob = SELECT"),
                        LINES("table public.t: grant to bob = INSERT, SELECT")},
           NO_LINES, "");
}

static void names_may_hold_anything(void **state)
{
    (void)state;
    Difference real = {NO_LINES, LINES("column public.\"a: b = c\".d: comment = x: y = z")};
    expect(NO_LINES, LINES("column public.\"a: b = c\".d: comment = x: y = w"), real,
           LINES("column public.\"a: b = c\".d: comment = x: y = z"),
           "+ column public.\"a: b = c\".d: comment = x: y = z\n"
           "missing: + column public.\"a: b = c\".d: comment = x: y = w");
    /* the attribute is found behind the quoted name: the whole object goes */
    expect(LINES("column public.\"a: b = c\".d: type = int"), NO_LINES,
           (Difference){
               LINES("column public.\"a: b = c\".d: comment = x", "column public.\"a: b = c\".d: type = int"),
               NO_LINES},
           NO_LINES, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compare_merges_sorted_lines),
        cmocka_unit_test(as_planned_is_nothing),
        cmocka_unit_test(what_nobody_planned_is_told),
        cmocka_unit_test(partitions_come_and_go_meanwhile),
        cmocka_unit_test(what_did_not_come_is_told),
        cmocka_unit_test(another_value_than_planned_is_told),
        cmocka_unit_test(what_goes_with_its_object_is_planned),
        cmocka_unit_test(what_an_object_has_moves_with_its_name),
        cmocka_unit_test(a_new_table_has_its_own_rights),
        cmocka_unit_test(a_view_is_primarily_a_view),
        cmocka_unit_test(an_invalid_index_may_go),
        cmocka_unit_test(what_a_copy_never_had_may_be_taken_away),
        cmocka_unit_test(names_may_hold_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
