/* What of a change that stopped half-way is kept for another one of its name. */
#include "plan/forward.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SQL(...)                                                                                             \
    .sql = (const char *const[]){__VA_ARGS__},                                                               \
    .sql_count = sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)
#define UNDO(text) .undo = (const char *const[]){text}, .undo_count = 1
#define ON_T       .table = {.schema = "public", .name = "t"}
#define STEPS(...) (Step[]){__VA_ARGS__}, sizeof((Step[]){__VA_ARGS__}) / sizeof(Step)

#define EXPAND                                                                                               \
    {                                                                                                        \
        .kind = STEP_DDL, .phase = PHASE_EXPAND, .title = "add b", ON_T,                                     \
        SQL("ALTER TABLE public.t ADD COLUMN b bigint"), UNDO("ALTER TABLE public.t DROP COLUMN b")          \
    }
#define FILL                                                                                                 \
    {                                                                                                        \
        .kind = STEP_BACKFILL, .phase = PHASE_BACKFILL, .title = "fill b", ON_T, SQL("UPDATE")               \
    }
#define LOOK                                                                                                 \
    {                                                                                                        \
        .kind = STEP_VERIFY, .phase = PHASE_VERIFY, .title = "look", ON_T, SQL("SELECT")                     \
    }
#define INDEX(text, is_unique)                                                                               \
    {                                                                                                        \
        .kind = STEP_CREATE_INDEX, .phase = PHASE_CONSTRAIN, .title = "index", ON_T, SQL(text),              \
        UNDO("DROP INDEX i"), .index = "i", .index_unique = is_unique                                        \
    }
#define CHECK                                                                                                \
    {                                                                                                        \
        .kind = STEP_DDL, .phase = PHASE_CONSTRAIN, .title = "check", ON_T,                                  \
        SQL("ALTER TABLE public.t ADD CONSTRAINT c CHECK (b > 0) NOT VALID"), UNDO("DROP CONSTRAINT c")      \
    }
#define VALIDATE                                                                                             \
    {                                                                                                        \
        .kind = STEP_VALIDATE, .phase = PHASE_CONSTRAIN, .title = "validate", ON_T,                          \
        SQL("ALTER TABLE public.t VALIDATE CONSTRAINT c")                                                    \
    }
#define NOT_NULL                                                                                             \
    {                                                                                                        \
        .kind = STEP_DDL, .phase = PHASE_CONSTRAIN, .title = "not null", ON_T,                               \
        SQL("ALTER TABLE public.t ALTER COLUMN b SET NOT NULL")                                              \
    }
#define READY                                                                                                \
    {                                                                                                        \
        .kind = STEP_READY, .phase = PHASE_READY, .title = "ready"                                           \
    }

/* MySQL and MariaDB: one statement adds the column, others fill it. */
#define ON_O  .table = {.schema = "shop", .name = "o"}
#define LOOKS .looks = (StepLook[]){{.table = {.schema = "shop", .name = "o"}}}, .look_count = 1
#define ALTER(text, back)                                                                                    \
    {                                                                                                        \
        .kind = STEP_ALTER, .phase = PHASE_EXPAND, .title = text, ON_O, LOOKS, SQL("ALTER TABLE `o` " text), \
        UNDO("ALTER TABLE `o` " back)                                                                        \
    }
#define TRIGGER(body)                                                                                        \
    {                                                                                                        \
        .kind = STEP_ALTER, .phase = PHASE_EXPAND, .title = "trigger", ON_O, LOOKS,                          \
        SQL("CREATE OR REPLACE TRIGGER `f` " body), UNDO("DROP TRIGGER IF EXISTS `f`")                       \
    }
#define FILL_O                                                                                               \
    {                                                                                                        \
        .kind = STEP_BACKFILL, .phase = PHASE_BACKFILL, .title = "fill o", ON_O, SQL("UPDATE")               \
    }

static Plan plan_of(Step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++)
        steps[i].ordinal = (int)i + 1;
    return (Plan){.steps = steps, .step_count = count};
}

/* Holds the plans against each other, where the first `done` steps of the old one are done and the next one,
 * if it goes by parts, is begun; "1>1 3>2~": old step 1 is the new one's first, and what was begun of step 3
 * is its second. Then the titles of what is undone. */
static void expect(Plan old, size_t done, Plan new, const char *kept, const char *undone)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    CLEANUP(str_donep) Str text = STR_INIT;
    CLEANUP(str_donep) Str titles = STR_INIT;
    Forward forward = {.plan = old, .change_digest = "sha256:old"};
    forward.left = arena_alloc(arena, (old.step_count + 1) * sizeof *forward.left);
    forward.kept_as = arena_alloc(arena, (old.step_count + 1) * sizeof *forward.kept_as);
    for (size_t i = 0; i < done; i++)
        forward.left[i] = LEFT_DONE;
    if (old.steps[done].kind == STEP_BACKFILL || old.steps[done].kind == STEP_CREATE_INDEX)
        forward.left[done] = LEFT_BEGUN; /* transactions are begun or done */
    forward_match(arena, &forward, &new);
    for (size_t i = 0; i < old.step_count; i++) {
        if (forward.kept_as[i] == 0)
            continue;
        const Step *step = &new.steps[forward.kept_as[i] - 1];
        str_sep(&text, " ");
        str_addf(&text, "%zu>%d%s", i + 1, step->ordinal, step->kept == STEP_KEPT_BEGUN ? "~" : "");
    }
    for (size_t i = 0; i < new.replaces->undone_count; i++) {
        str_sep(&titles, ", ");
        str_add(&titles, new.replaces->undone[i]);
    }
    assert_string_equal(text.buf, kept);
    assert_string_equal(titles.buf, undone);
}

static void what_is_asked_again_is_kept(void **state)
{
    (void)state;
    Plan old = plan_of(STEPS(LOOK, EXPAND, FILL, LOOK, INDEX("UNIQUE", true), READY));
    expect(old, 4, plan_of(STEPS(LOOK, EXPAND, FILL, LOOK, INDEX("PLAIN", false), READY)), "2>2 3>3",
           "index");
    expect(old, 4, plan_of(STEPS(EXPAND, FILL, LOOK, INDEX("UNIQUE", true), CHECK, READY)), "2>1 3>2 5>4~",
           "");
    expect(old, 2, plan_of(STEPS(EXPAND, FILL, LOOK, READY)), "2>1 3>2~", "");
    expect(old, 4, plan_of(STEPS(LOOK, READY)), "", "index, fill b, add b");
}

static void order_counts(void **state)
{
    (void)state;
    Plan old = plan_of(STEPS(EXPAND, FILL, CHECK, INDEX("UNIQUE", true), VALIDATE, READY));
    expect(old, 5, plan_of(STEPS(EXPAND, FILL, INDEX("UNIQUE", true), CHECK, VALIDATE, READY)), "1>1 2>2",
           "index, check");
}

static void a_plain_index_stays_or_goes_alone(void **state)
{
    (void)state;
    Plan old = plan_of(STEPS(EXPAND, INDEX("PLAIN", false), CHECK, VALIDATE, READY));
    expect(old, 4, plan_of(STEPS(EXPAND, CHECK, VALIDATE, READY)), "1>1 3>2 4>3", "index");
    expect(old, 4, plan_of(STEPS(EXPAND, CHECK, VALIDATE, INDEX("PLAIN", false), READY)), "1>1 2>4 3>2 4>3",
           "");
    Plan unique = plan_of(STEPS(EXPAND, INDEX("UNIQUE", true), CHECK, VALIDATE, READY));
    expect(unique, 4, plan_of(STEPS(EXPAND, CHECK, VALIDATE, READY)), "1>1", "check, index");
}

static void what_has_no_undo_takes_along_what_made_it(void **state)
{
    (void)state;
    Plan valid = plan_of(STEPS(EXPAND, FILL, CHECK, VALIDATE, READY));
    expect(valid, 4, plan_of(STEPS(EXPAND, FILL, CHECK, READY)), "1>1 2>2", "check");
    Plan not_null = plan_of(STEPS(EXPAND, FILL, CHECK, VALIDATE, NOT_NULL, READY));
    expect(not_null, 5, plan_of(STEPS(EXPAND, FILL, CHECK, VALIDATE, READY)), "", "check, fill b, add b");
    expect(not_null, 5, plan_of(STEPS(EXPAND, FILL, NOT_NULL, READY)), "", "check, fill b, add b");
    expect(not_null, 4, plan_of(STEPS(EXPAND, FILL, READY)), "1>1 2>2", "check");
}

static void another_fill_takes_the_column_along(void **state)
{
    (void)state;
    Plan old = plan_of(STEPS(ALTER("ADD KEY a", "DROP KEY a"), ALTER("ADD b", "DROP b"), TRIGGER("b = 1"),
                             FILL_O, ALTER("ADD KEY i", "DROP KEY i"), READY));
    expect(old, 5,
           plan_of(STEPS(ALTER("ADD KEY a", "DROP KEY a"), ALTER("ADD b", "DROP b"), TRIGGER("b = 1"), FILL_O,
                         READY)),
           "1>1 2>2 3>3 4>4", "ADD KEY i");
    expect(old, 3,
           plan_of(STEPS(ALTER("ADD KEY a", "DROP KEY a"), ALTER("ADD b", "DROP b"), TRIGGER("b = 1"), FILL_O,
                         READY)),
           "1>1 2>2 3>3 4>4~", "");
    expect(old, 4,
           plan_of(STEPS(ALTER("ADD KEY a", "DROP KEY a"), ALTER("ADD b", "DROP b"), TRIGGER("b = 2"), FILL_O,
                         READY)),
           "", "fill o, trigger, ADD b, ADD KEY a");
}

static void what_can_be_judged_by_its_definition(void **state)
{
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    StepLeft left[] = {LEFT_DONE, LEFT_DONE, LEFT_DONE};
    Step good[] = {ALTER("ADD b", "DROP b"), TRIGGER("b = 1"), FILL_O};
    Step key[] = {ALTER("ADD FOREIGN KEY (p) references p (id)", "DROP FOREIGN KEY x")};
    Step stays[] = {ALTER("MODIFY b", "MODIFY c"), READY};
    Step copy[] = {{.kind = STEP_COPY, .phase = PHASE_BACKFILL, .title = "copy", ON_O}};
    Step swap[] = {ALTER("ADD b", "DROP b"), {.kind = STEP_SWAP, .phase = PHASE_CUTOVER, ON_O}};
    stays[0].undo_count = 0;
    left[1] = LEFT_NOTHING;
    assert_null(
        forward_why_not_my(arena, &(Forward){.plan = {.steps = good, .step_count = 3}, .left = left}));
    const struct {
        Step *steps;
        size_t count;
        const char *says;
    } cases[] = {{key, 1, "foreign key"},
                 {stays, 2, "nothing takes back \"MODIFY b\""},
                 {copy, 1, "\"copy\" is more than"},
                 {swap, 2, "cutover"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Forward forward = {.plan = {.steps = cases[i].steps, .step_count = cases[i].count}, .left = left};
        const char *why = forward_why_not_my(arena, &forward);
        assert_non_null(why);
        assert_non_null(strstr(why, cases[i].says));
    }
}

static void the_table_is_as_before(void **state)
{
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Column columns[] = {{.name = "id"}, {.name = "b"}, {.name = "c"}};
    TableConstraint constraints[] = {{.name = "t_pkey", .kind = 'p', .definition = "PRIMARY KEY (id)"},
                                     {.name = "c", .kind = 'c', .definition = "CHECK (b > 0)"},
                                     {.name = "n", .kind = 'n', .definition = "NOT NULL b"}};
    Index indexes[] = {{.name = "t_pkey", .constraint = "t_pkey"},
                       {.name = "i"},
                       {.name = "by_hand", .columns = (const char *const[]){"b"}, .column_count = 1},
                       {.name = "j"}};
    Table table = {.id = 7,
                   .schema = "public",
                   .name = "t",
                   .columns = columns,
                   .column_count = 3,
                   .constraints = constraints,
                   .constraint_count = 3,
                   .indexes = indexes,
                   .index_count = 4};
    Step steps[] = {EXPAND, FILL, INDEX("PLAIN", false), CHECK, READY};
    StepLeft left[] = {LEFT_DONE, LEFT_DONE, LEFT_BEGUN, LEFT_NOTHING, LEFT_NOTHING};
    Forward forward = {.plan = {.steps = steps, .step_count = 5}, .left = left};
    Table other = table, undone = table;
    forward_strip(arena, &forward, &(Server){0}, &table);
    assert_int_equal(table.column_count, 2);
    assert_string_equal(table.columns[1].name, "c");
    assert_int_equal(table.index_count, 2);
    assert_string_equal(table.indexes[1].name, "j");
    assert_int_equal(table.constraint_count, 2);
    left[3] = LEFT_DONE;
    forward_strip(arena, &forward, &(Server){0}, &undone);
    assert_int_equal(undone.constraint_count, 1);
    other.schema = "other";
    forward_strip(arena, &forward, &(Server){0}, &other);
    assert_int_equal(other.column_count + other.index_count + other.constraint_count, 10);
}

/* NULL, or why nothing can be kept. */
static const char *why(Arena *arena, const char *old_sql, const char *new_sql)
{
    Change old, new;
    Forward forward = {0};
    change_parse_pg(arena, &(ChangeInput){.sql = old_sql}, &old);
    change_parse_pg(arena, &(ChangeInput){.sql = new_sql}, &new);
    return forward_why_not(arena, &forward, &old, &new, &(PlanOptions){0}, &(Server){0});
}

static void only_additions_can_be_told_apart(void **state)
{
    (void)state;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *adds =
        "ALTER TABLE t ADD COLUMN b int, ADD CONSTRAINT c CHECK (b > 0); CREATE INDEX i ON t (b); "
        "ALTER TABLE t ALTER COLUMN b SET NOT NULL; COMMENT ON COLUMN t.b IS 'x'";
    assert_null(why(arena, adds, adds));
    static const char *const others[] = {"ALTER TABLE t ALTER COLUMN a SET NOT NULL",
                                         "ALTER TABLE t ADD PRIMARY KEY (a)",
                                         "ALTER TABLE t DROP COLUMN a",
                                         "ALTER TABLE t ADD COLUMN b int; DROP INDEX i",
                                         "ALTER TABLE t ADD COLUMN b int PRIMARY KEY",
                                         "CREATE VIEW v AS SELECT 1",
                                         "ALTER TABLE t ADD COLUMN b int; COMMENT ON TABLE t IS 'x'"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_non_null(strstr(why(arena, others[i], adds), "the old change does more"));
        assert_non_null(strstr(why(arena, adds, others[i]), "the new change does more"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_asked_again_is_kept),
        cmocka_unit_test(order_counts),
        cmocka_unit_test(a_plain_index_stays_or_goes_alone),
        cmocka_unit_test(what_has_no_undo_takes_along_what_made_it),
        cmocka_unit_test(another_fill_takes_the_column_along),
        cmocka_unit_test(what_can_be_judged_by_its_definition),
        cmocka_unit_test(the_table_is_as_before),
        cmocka_unit_test(only_additions_can_be_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
