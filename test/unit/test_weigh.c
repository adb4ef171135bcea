/* Check with a server: severities by size, what was measured against what rules say, snapshots. */
#include "base/str.h"
#include "check/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const ddl[] = {"CREATE TABLE public.t (id bigint NOT NULL, v integer, w varchar(10))",
                                  "ALTER TABLE public.t ADD CONSTRAINT t_pkey PRIMARY KEY (id)"};

/* A server with one table, that answers every statement with the same. */
typedef struct Fake {
    TableFacts table;
    ServerFacts facts;
    CheckServer server;
    Measured answer;
    int64_t twice;
    size_t asked;
} Fake;

static Err *answer(void *context, Arena *arena UNUSED, const char *sql UNUSED,
                   const ActStatement *statement UNUSED, bool made, bool keys_unchecked UNUSED,
                   Measured *ret_measured)
{
    Fake *fake = context;
    fake->asked++;
    *ret_measured = made ? (Measured){0} : fake->answer;
    return NULL;
}

static Err *twice(void *context, Arena *arena UNUSED, const TableFacts *table UNUSED,
                  const char *const *columns UNUSED, size_t count UNUSED, int64_t *ret_count)
{
    *ret_count = ((Fake *)context)->twice;
    return NULL;
}

static void fake_init(Fake *fake, int64_t rows, const Probe *probe)
{
    *fake = (Fake){.table = {.schema = "public",
                             .name = "t",
                             .rows = rows,
                             .bytes = rows * 200,
                             .index_bytes = rows * 50,
                             .empty = rows == 0,
                             .writes = -1,
                             .row_versions = -1,
                             .ddl = ddl,
                             .ddl_count = ARRAY_LEN(ddl)},
                   .twice = -1};
    fake->facts = (ServerFacts){.engine = CHECK_POSTGRES,
                                .version = 150020,
                                .version_text = "15.20",
                                .tables = &fake->table,
                                .table_count = 1};
    fake->answer = (Measured){.tried = probe != NULL, .probe = probe};
    fake->server =
        (CheckServer){.facts = &fake->facts, .context = fake, .measure = answer, .duplicates = twice};
}

static CheckResult check(Arena *arena, const Fake *fake, const Severity *severities, const char *sql)
{
    SourceSet *set = arena_alloc(arena, sizeof *set);
    *vec_push(arena, &set->files) = (Source){.path = "1.sql", .text = sql, .len = strlen(sql)};
    CheckOptions options = {
        .engine_given = true, .today = "2026-11-29", .server = &fake->server, .severities = severities};
    CheckResult result;
    assert_null(check_run(arena, &set, 1, &options, &result));
    return result;
}

static const Finding *find(const CheckResult *result, const char *rule)
{
    for (size_t i = 0; i < result->findings.len; i++)
        if (str_eq(result->findings.items[i].rule->id, rule))
            return &result->findings.items[i];
    return NULL;
}

/* … which has to be there. */
static const Finding *must(const CheckResult *result, const char *rule)
{
    const Finding *finding = find(result, rule);
    if (finding == NULL) {
        print_message("no finding of %s\n", rule);
        abort();
    }
    return finding;
}

static const char *const table_name[] = {"public.t"};
static ProbeLock strong = {.relation = "public.t", .mode = "ACCESS EXCLUSIVE"};

static const Probe light = {.locks = &strong, .lock_count = 1};
static const Probe rewrite = {.locks = &strong,
                              .lock_count = 1,
                              .rewritten = table_name,
                              .rewritten_count = 1,
                              .scanned = table_name,
                              .scanned_count = 1};

static void test_sizes(void **state)
{
    (void)state;
    static const char sql[] = "ALTER TABLE t ALTER COLUMN v TYPE bigint;";
    static const struct {
        int64_t rows;
        Severity severity;
    } cases[] = {
        {0, SEVERITY_NOTE}, {500, SEVERITY_NOTE}, {200000, SEVERITY_WARN}, {50000000, SEVERITY_BLOCK}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Arena *arena = arena_new();
        Fake fake;
        fake_init(&fake, cases[i].rows, &rewrite);
        CheckResult result = check(arena, &fake, NULL, sql);
        const Finding *finding = must(&result, "change-type-rewrite");
        assert_int_equal(finding->severity, cases[i].severity);
        assert_int_equal(finding->evidence, EVIDENCE_MEASURED);
        assert_int_equal(finding->cost, COST_REWRITE);
        assert_ptr_equal(finding->facts, &fake.table);
        assert_true(cases[i].rows == 0 ? finding->estimate_ms == 0 : finding->estimate_ms > 0);
        arena_free(arena);
    }
}

static void test_given_severities_stay(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Fake fake;
    Severity *severities = arena_alloc(arena, rule_count() * sizeof *severities);
    for (size_t i = 0; i < rule_count(); i++)
        severities[i] = str_eq(rule_at(i)->id, "change-type-rewrite") ? SEVERITY_WARN : rule_at(i)->severity;
    fake_init(&fake, 50000000, &rewrite);
    CheckResult result = check(arena, &fake, severities, "ALTER TABLE t ALTER COLUMN v TYPE bigint;");
    assert_int_equal(must(&result, "change-type-rewrite")->severity, SEVERITY_WARN);
    arena_free(arena);
}

static void test_contradicted(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Fake fake;
    fake_init(&fake, 50000000, &light);
    CheckResult result =
        check(arena, &fake, NULL, "ALTER TABLE t ALTER COLUMN v TYPE bigint;\nALTER TABLE t DROP COLUMN w;");
    assert_null(find(&result, "change-type-rewrite"));
    assert_non_null(find(&result, "drop-column"));
    assert_int_equal(result.contradicted, 1);
    assert_int_equal(result.measured, 2);
    arena_free(arena);
}

static void test_not_foreseen(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Fake fake;
    fake_init(&fake, 50000000, &rewrite);
    CheckResult result = check(arena, &fake, NULL, "ALTER TABLE t ADD COLUMN n int;");
    const Finding *finding = must(&result, "measured-rewrite");
    assert_int_equal(finding->severity, SEVERITY_BLOCK);
    assert_int_equal(finding->line, 1);
    arena_free(arena);
}

/* A partition that the run itself has made is read when it is attached; nobody uses it yet. */
static void test_own_tables_are_free_to_read(void **state)
{
    (void)state;
    static const char sql[] = "CREATE TABLE p (id bigint);\n"
                              "ALTER TABLE t ATTACH PARTITION p FOR VALUES FROM (1) TO (2);";
    static const char *const own[] = {"public.p"}, *const both[] = {"public.p", "public.t"};
    for (size_t count = 1; count <= 2; count++) {
        Arena *arena = arena_new();
        Fake fake;
        Probe probe = {
            .locks = &strong, .lock_count = 1, .scanned = count == 1 ? own : both, .scanned_count = count};
        fake_init(&fake, 500, &probe);
        CheckResult result = check(arena, &fake, NULL, sql);
        if (count == 1)
            assert_null(find(&result, "default-partition-scan"));
        else
            assert_int_equal(must(&result, "default-partition-scan")->cost, COST_SCAN);
        arena_free(arena);
    }
}

static void test_refused_and_duplicates(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Fake fake;
    fake_init(&fake, 1000, NULL);
    fake.answer = (Measured){.error = "column \"n\" does not exist", .state = "42703", .mistake = true};
    CheckResult result = check(arena, &fake, NULL, "ALTER TABLE t DROP COLUMN n;");
    assert_int_equal(must(&result, "measured-refused")->severity, SEVERITY_BLOCK);
    fake_init(&fake, 1000, NULL);
    fake.twice = 3;
    result = check(arena, &fake, NULL, "CREATE UNIQUE INDEX CONCURRENTLY x ON t (v);");
    assert_non_null(strstr(must(&result, "measured-duplicates")->message, "3 values"));
    fake.twice = 0;
    result = check(arena, &fake, NULL, "CREATE UNIQUE INDEX CONCURRENTLY x ON t (v);");
    assert_null(find(&result, "measured-duplicates"));
    assert_null(find(&result, "unique-index-duplicates"));
    arena_free(arena);
}

/* What the catalog tells of columns is as good as a file: a wider varchar writes nothing. */
static void test_catalog_is_in_sight(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Fake fake;
    fake_init(&fake, 50000000, NULL);
    fake.server.measure = NULL;
    CheckResult result = check(arena, &fake, NULL, "ALTER TABLE t ALTER COLUMN w TYPE varchar(20);");
    assert_null(find(&result, "change-type-rewrite"));
    result = check(arena, &fake, NULL, "ALTER TABLE t ALTER COLUMN v TYPE bigint;");
    assert_int_equal(must(&result, "change-type-rewrite")->evidence, EVIDENCE_CATALOG);
    result = check(arena, &fake, NULL,
                   "CREATE TABLE IF NOT EXISTS n (id int); ALTER TABLE n ALTER COLUMN id TYPE bigint;");
    assert_null(find(&result, "change-type-rewrite"));
    arena_free(arena);
}

static void test_limits_of_the_server(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Fake fake;
    fake_init(&fake, 10, &light);
    CheckResult result = check(arena, &fake, NULL, "ALTER TABLE t DROP COLUMN w;");
    assert_non_null(find(&result, "lock-timeout-missing"));
    fake.facts.lock_timeout_ms = 2000;
    result = check(arena, &fake, NULL, "ALTER TABLE t DROP COLUMN w;");
    assert_null(find(&result, "lock-timeout-missing"));
    arena_free(arena);
}

static void test_ladder(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Fake fake;
    Ladder instant = {.rung = RUNG_INSTANT,
                      .clause = "ALGORITHM=INSTANT",
                      .uses_row_version = true,
                      .row_versions_left = 1};
    Ladder shared = {.rung = RUNG_SHARED, .clause = "ALGORITHM=COPY, LOCK=SHARED", .rebuilds = true};
    fake_init(&fake, 50000000, NULL);
    fake.facts.engine = CHECK_MYSQL;
    fake.facts.version = 80036;
    fake.table.ddl_count = 0;
    fake.answer = (Measured){.tried = true, .ladder = &shared};
    SourceSet set = {0}, *sets[] = {&set};
    static const char sql[] = "ALTER TABLE t MODIFY v bigint;";
    *vec_push(arena, &set.files) = (Source){.path = "1.sql", .text = sql, .len = sizeof sql - 1};
    CheckOptions options = {
        .engine_given = true, .engine = CHECK_MYSQL, .today = "2026-11-29", .server = &fake.server};
    CheckResult result;
    assert_null(check_run(arena, sets, 1, &options, &result));
    assert_int_equal(must(&result, "change-type-copy")->severity, SEVERITY_BLOCK);
    assert_int_equal(must(&result, "change-type-copy")->evidence, EVIDENCE_MEASURED);
    fake.answer.ladder = &instant;
    assert_null(check_run(arena, sets, 1, &options, &result));
    assert_null(find(&result, "change-type-copy"));
    assert_non_null(find(&result, "row-versions-left"));
    arena_free(arena);
}

static void test_snapshot(void **state)
{
    (void)state;
    Arena *arena = arena_new();
    Fake fake;
    ServerFacts again;
    fake_init(&fake, 50000000, NULL);
    fake.facts.taken = "2026-11-29";
    fake.facts.replicas = 2;
    char *text = snapshot_text(&fake.facts);
    assert_null(snapshot_read(arena, text, &again));
    assert_int_equal(again.table_count, 1);
    assert_int_equal(again.version, 150020);
    assert_int_equal(again.replicas, 2);
    assert_int_equal(again.tables[0].rows, 50000000);
    assert_int_equal(again.tables[0].ddl_count, 2);
    assert_int_equal(again.tables[0].writes, -1);
    assert_string_equal(again.tables[0].schema, "public");
    free(text);
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{\"stoa_snapshot\": 2}",
        "{\"stoa_snapshot\": 1}",
        "{\"stoa_snapshot\": 1, \"engine\": \"oracle\", \"version\": 150020, \"tables\": []}",
        "{\"stoa_snapshot\": 1, \"engine\": \"mysql\", \"version\": -1, \"tables\": []}",
        "{\"stoa_snapshot\": 1, \"engine\": \"mysql\", \"version\": 80036, \"tables\": {}}",
        "{\"stoa_snapshot\": 1, \"engine\": \"mysql\", \"version\": 80036, \"tables\": [1]}",
        "{\"stoa_snapshot\": 1, \"engine\": \"mysql\", \"version\": 80036, \"tables\": [{}]}",
        "{\"stoa_snapshot\": 1, \"engine\": \"mysql\", \"version\": 80036, \"tables\": [{\"name\": \"t\", "
        "\"rows\": -5}]}",
        "{\"stoa_snapshot\": 1, \"engine\": \"mysql\", \"version\": 80036, \"tables\": [{\"name\": \"t\", "
        "\"ddl\": [1]}]}",
        "{\"stoa_snapshot\": 1, \"engine\": \"mysql\", \"version\": 80036, \"tables\": [{\"name\": \"t\", "
        "\"rows\": 9e99}]}",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        Err *err = snapshot_read(arena, bad[i], &again);
        assert_true(err_is(err, ERR_CONFIG));
        err_free(err);
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_given_severities_stay),
        cmocka_unit_test(test_contradicted),
        cmocka_unit_test(test_not_foreseen),
        cmocka_unit_test(test_own_tables_are_free_to_read),
        cmocka_unit_test(test_refused_and_duplicates),
        cmocka_unit_test(test_catalog_is_in_sight),
        cmocka_unit_test(test_limits_of_the_server),
        cmocka_unit_test(test_ladder),
        cmocka_unit_test(test_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
