/* The steps of a change in a shadow table: capture, copy, indexes, statistics, comparison, cutover, and the
 * way back. */
#include "plan/shadow_pg.h"

#include "base/digest.h"

#include <string.h>

/* Tables and function that capture in one direction. */
typedef struct Capture {
    const char *keys, *copied, *function;
} Capture;

typedef struct Steps {
    Maker *maker;
    ShadowWork *shadow;
    Capture there, back;
    const ShadowSpec *spec, *spec_back; /* the latter NULL: there is no way back */
} Steps;

static const char *const triggers[SHADOW_TRIGGERS] = {SHADOW_TRIGGER "_rows", SHADOW_TRIGGER "_keys",
                                                      SHADOW_TRIGGER "_truncate"};

/* ---- what captures -------------------------------------------------------------------------- */

static Capture capture_of(Arena *arena, const TableWork *work, const char *direction)
{
    enum { DIGEST_BYTES = 16 };
    const char *digest = digest_text(arena, work->sql, strlen(work->sql)) + strlen("sha256:");
    const char *const kinds[] = {"keys", "copied", "capture"};
    const char *names[ARRAY_LEN(kinds)];
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        names[i] = arena_printf(arena, "stoa.%s%s_%.*s", kinds[i], direction, DIGEST_BYTES, digest);
    return (Capture){.keys = names[0], .copied = names[1], .function = names[2]};
}

static const char *key_list(const Steps *steps, const char *prefix)
{
    Arena *arena = steps->maker->arena;
    const Index *key = steps->shadow->key;
    CLEANUP(str_donep) Str out = STR_INIT;
    for (size_t i = 0; i < key->column_count; i++)
        str_addf(&out, "%s%s%s", i > 0 ? ", " : "", prefix, sql_ident(arena, key->columns[i]));
    return arena_dup(arena, out.buf);
}

/* Of the owner of the journal, who may write there; every name and operator in it is qualified. */
static const char *function_sql(const Steps *steps, const Capture *capture)
{
    Arena *arena = steps->maker->arena;
    const char *keys = key_list(steps, "");
    const char *body = arena_printf(
        arena,
        "BEGIN\n"
        "  IF TG_OP OPERATOR(pg_catalog.=) 'TRUNCATE' THEN\n"
        "    INSERT INTO %s DEFAULT VALUES;\n"
        "  ELSIF TG_OP OPERATOR(pg_catalog.=) 'INSERT' OR TG_NARGS OPERATOR(pg_catalog.>) 0 THEN\n"
        "    INSERT INTO %s (%s) VALUES (%s);\n"
        "  ELSE\n"
        "    INSERT INTO %s (%s) VALUES (%s);\n"
        "  END IF;\n"
        "  RETURN NULL;\n"
        "END",
        capture->keys, capture->keys, keys, key_list(steps, "NEW."), capture->keys, keys,
        key_list(steps, "OLD."));
    return arena_printf(arena, "CREATE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS %s",
                        capture->function, sql_dollar(arena, body));
}

static void log_sql(Steps *steps, Step *step, const Capture *capture)
{
    Arena *arena = steps->maker->arena;
    const TableWork *work = steps->shadow->work;
    step_add_sql(steps->maker, step,
                 arena_printf(arena, "CREATE TABLE %s AS SELECT %s FROM ONLY %s WITH NO DATA", capture->keys,
                              key_list(steps, ""), work->sql));
    step_add_sql(
        steps->maker, step,
        arena_printf(arena,
                     "ALTER TABLE %s SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = "
                     "5000%s)",
                     capture->keys,
                     steps->maker->server->version_num >= 120000 ? ", vacuum_truncate = off" : ""));
    step_add_sql(
        steps->maker, step,
        arena_printf(
            arena, "CREATE TABLE %s (low bigint, high bigint, key text, storage oid, PRIMARY KEY (low, key))",
            capture->copied));
    step_add_sql(steps->maker, step, function_sql(steps, capture));
    if (step->role == NULL && str_eq(work->table->owner, steps->maker->server->role))
        return;
    const char *owner = sql_ident(arena, work->table->owner);
    step_add_sql(
        steps->maker, step,
        arena_printf(arena,
                     "GRANT USAGE ON SCHEMA stoa TO %s; GRANT SELECT, INSERT, UPDATE, DELETE ON %s, %s TO %s",
                     owner, capture->keys, capture->copied, owner));
}

static void log_gone(const Steps *steps, Step *step, const Capture *capture, bool undo)
{
    const char *sql =
        arena_printf(steps->maker->arena, "DROP FUNCTION IF EXISTS %s(); DROP TABLE IF EXISTS %s, %s",
                     capture->function, capture->keys, capture->copied);
    if (undo)
        step_add_undo(steps->maker, step, sql);
    else
        step_add_sql(steps->maker, step, sql);
}

/* Another key is another row: the old one is captured by the first trigger, the new one by the second. */
static void trigger_sql(const Steps *steps, Texts *out, const char *table, const Capture *capture)
{
    Arena *arena = steps->maker->arena;
    const Index *key = steps->shadow->key;
    CLEANUP(str_donep) Str differs = STR_INIT;
    for (size_t i = 0; i < key->column_count; i++) {
        const char *column = sql_ident(arena, key->columns[i]);
        str_addf(&differs, "%sOLD.%s IS DISTINCT FROM NEW.%s", i > 0 ? " OR " : "", column, column);
    }
    *vec_push(arena, out) = arena_printf(
        arena, "CREATE TRIGGER %s AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE PROCEDURE %s()",
        triggers[0], table, capture->function);
    *vec_push(arena, out) = arena_printf(
        arena, "CREATE TRIGGER %s AFTER UPDATE ON %s FOR EACH ROW WHEN (%s) EXECUTE PROCEDURE %s('new')",
        triggers[1], table, differs.buf, capture->function);
    *vec_push(arena, out) = arena_printf(
        arena, "CREATE TRIGGER %s AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE PROCEDURE %s()",
        triggers[2], table, capture->function);
    for (size_t i = 0; i < ARRAY_LEN(triggers); i++)
        *vec_push(arena, out) =
            arena_printf(arena, "ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", table, triggers[i]);
}

static void trigger_gone(const Steps *steps, Texts *out, const char *table)
{
    for (size_t i = 0; i < ARRAY_LEN(triggers); i++)
        *vec_push(steps->maker->arena, out) =
            arena_printf(steps->maker->arena, "DROP TRIGGER IF EXISTS %s ON %s", triggers[i], table);
}

static void add_statements(Arena *arena, Texts *out, const CopyStatements *statements)
{
    for (size_t i = 0; i < statements->count; i++)
        *vec_push(arena, out) = statements->items[i];
}

/* ---- specifications ------------------------------------------------------------------------- */

static const char *const *key_types(const Steps *steps)
{
    const Index *key = steps->shadow->key;
    const char **types = arena_alloc(steps->maker->arena, (key->column_count + 1) * sizeof *types);
    for (size_t i = 0; i < key->column_count; i++)
        types[i] = table_column(steps->shadow->work->table, key->columns[i])->type;
    return types;
}

static const CopyMember *key_part(const ShadowWork *shadow)
{
    for (size_t i = 0; i < shadow->copy->index_count; i++)
        if (str_eq(shadow->copy->indexes[i].name, shadow->key->name))
            return &shadow->copy->indexes[i];
    return NULL;
}

/* What the swap locks besides the table. */
static Texts front_of(const Steps *steps)
{
    Arena *arena = steps->maker->arena;
    const TableCopy *copy = steps->shadow->copy;
    Texts out = {0};
    for (size_t i = 0; i < copy->membership_count; i++)
        add_statements(arena, &out, &copy->memberships[i].front);
    for (size_t i = 0; i < copy->key_count; i++)
        *vec_push(arena, &out) =
            arena_printf(arena, "LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE", copy->keys[i].other);
    return out;
}

static const ShadowSpec *spec_make(const Steps *steps, bool back)
{
    Arena *arena = steps->maker->arena;
    const ShadowWork *shadow = steps->shadow;
    ShadowColumn *columns = arena_alloc(arena, (shadow->wishes.len + 1) * sizeof *columns);
    size_t count = 0;
    for (size_t i = 0; i < shadow->wishes.len; i++) {
        const ShadowWish *wish = &shadow->wishes.items[i];
        bool generated = wish->old != NULL && wish->old->generated_sql != NULL;
        if (generated || (back && wish->old == NULL))
            continue;
        const char *expr = wish->expr;
        if (back)
            expr = wish->expr_back != NULL ? wish->expr_back
                                           : arena_printf(arena, "s.%s", sql_ident(arena, wish->name));
        columns[count++] = (ShadowColumn){.name = wish->name,
                                          .source = wish->computed ? NULL : wish->name,
                                          .expr = expr,
                                          .same = !wish->computed};
    }
    const Capture *capture = back ? &steps->back : &steps->there;
    const CopyMember *key = key_part(shadow);
    Texts front = front_of(steps);
    const Table *table = shadow->work->table;
    ShadowSpec *spec = arena_alloc(arena, sizeof *spec);
    *spec = (ShadowSpec){.schema = table->schema,
                         .source = table->name,
                         .shadow = back ? shadow->copy->old : shadow->copy->copy,
                         .old = back ? shadow->copy->copy : shadow->copy->old,
                         .columns = columns,
                         .column_count = count,
                         .key = shadow->key->name,
                         .key_columns = shadow->key->columns,
                         .key_targets = shadow->key->columns,
                         .key_count = shadow->key->column_count,
                         .key_exact = true,
                         .key_unique = true,
                         .capture = CAPTURE_TRIGGER,
                         .key_log = capture->keys,
                         .copied_log = capture->copied,
                         .key_types = key_types(steps),
                         .behind = back ? NULL : key->make.items,
                         .behind_count = back ? 0 : key->make.count,
                         .front = front.items,
                         .front_count = front.len,
                         .role = str_eq(table->owner, steps->maker->server->role) ? NULL : table->owner,
                         .back = back};
    return spec;
}

/* ---- steps ---------------------------------------------------------------------------------- */

static void add_texts(Maker *maker, Step *step, const Texts *texts, bool undo)
{
    for (size_t i = 0; i < texts->len; i++) {
        if (undo)
            step_add_undo(maker, step, texts->items[i]);
        else
            step_add_sql(maker, step, texts->items[i]);
    }
}

static const char *words_of(const Steps *steps)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    for (size_t i = 0; i < steps->shadow->words.len; i++)
        str_addf(&out, "%s%s", i > 0 ? ", " : "", steps->shadow->words.items[i]);
    return arena_dup(steps->maker->arena, out.buf);
}

static Step *shadow_step(const Steps *steps, Phase phase, StepKind kind, const ShadowSpec *spec,
                         const char *title)
{
    Step *step = maker_step(steps->maker, phase, kind, steps->shadow->work, title);
    step->shadow = spec;
    step->timeout = TIMEOUT_CHUNK;
    return step;
}

static void make_logs(Steps *steps)
{
    Maker *maker = steps->maker;
    Step *step = maker_step(
        maker, PHASE_EXPAND, STEP_DDL, NULL,
        arena_printf(maker->arena, "a log for the keys of changed rows of %s", steps->shadow->work->sql));
    step->timeout = TIMEOUT_LOCK;
    step_estimate(step, 1, 20);
    log_sql(steps, step, &steps->there);
    if (steps->spec_back != NULL)
        log_sql(steps, step, &steps->back);
    log_gone(steps, step, &steps->there, true);
    if (steps->spec_back != NULL)
        log_gone(steps, step, &steps->back, true);
}

static void make_shadow(Steps *steps)
{
    Maker *maker = steps->maker;
    ShadowWork *shadow = steps->shadow;
    Step *step =
        maker_ddl(maker, PHASE_EXPAND, shadow->work, "ACCESS SHARE",
                  arena_printf(maker->arena, "an empty shadow of %s: %s", shadow->work->sql, words_of(steps)),
                  NULL, arena_printf(maker->arena, "DROP TABLE IF EXISTS %s", shadow->shadow.sql));
    Texts all = {0};
    add_statements(maker->arena, &all, &shadow->copy->table.make);
    for (size_t i = 0; i < shadow->copy->sequence_count; i++)
        add_statements(maker->arena, &all, &shadow->copy->sequences[i].make);
    for (size_t i = 0; i < shadow->alters.len; i++)
        *vec_push(maker->arena, &all) = shadow->alters.items[i];
    for (size_t i = 0; i < shadow->copy->part_count; i++)
        add_statements(maker->arena, &all, &shadow->copy->parts[i].make);
    add_texts(maker, step, &all, false);
}

static void make_capture(Steps *steps)
{
    Maker *maker = steps->maker;
    TableWork *work = steps->shadow->work;
    Texts on = {0}, off = {0};
    Step *step = maker_ddl(
        maker, PHASE_EXPAND, work, "SHARE ROW EXCLUSIVE",
        arena_printf(maker->arena, "triggers that capture the keys of changed rows of %s", work->sql), NULL,
        NULL);
    trigger_sql(steps, &on, work->sql, &steps->there);
    trigger_gone(steps, &off, work->sql);
    add_texts(maker, step, &on, false);
    add_texts(maker, step, &off, true);
    shadow_step(steps, PHASE_EXPAND, STEP_CAPTURE, steps->spec,
                arena_printf(maker->arena, "changes of %s are captured from here on", work->sql));
}

static void copy_rows(Steps *steps)
{
    Maker *maker = steps->maker;
    ShadowWork *shadow = steps->shadow;
    Span span = estimate_backfill(shadow->work->table);
    Step *step = shadow_step(
        steps, PHASE_BACKFILL, STEP_COPY, steps->spec,
        arena_printf(maker->arena, "copy rows of %s into the shadow; then its key, and what was changed",
                     shadow->work->sql));
    for (size_t i = 0; i < steps->spec->behind_count; i++)
        step_add_sql(maker, step, steps->spec->behind[i]);
    step_estimate(step, span.low / 4, span.high / 3);
    for (size_t i = 0; i < shadow->copy->index_count; i++) {
        const CopyMember *index = &shadow->copy->indexes[i];
        if (str_eq(index->name, shadow->key->name))
            continue;
        step = maker_step(
            maker, PHASE_BACKFILL, STEP_LONG, &shadow->shadow,
            arena_printf(maker->arena, "index %s of the shadow", sql_ident(maker->arena, index->name)));
        for (size_t k = 0; k < index->make.count; k++)
            step_add_sql(maker, step, index->make.items[k]);
        Span build = estimate_index(shadow->work->table);
        step_estimate(step, build.low, build.high);
    }
    step = maker_step(maker, PHASE_BACKFILL, STEP_VACUUM, &shadow->shadow,
                      arena_printf(maker->arena, "VACUUM (ANALYZE) %s", shadow->shadow.sql));
    step_add_sql(maker, step, step->title);
    step->timeout = TIMEOUT_WATCHDOG;
    Span vacuum = estimate_vacuum(shadow->work->table), scan = estimate_scan(shadow->work->table);
    step_estimate(step, vacuum.low, vacuum.high);
    step =
        shadow_step(steps, PHASE_VERIFY, STEP_COMPARE, steps->spec,
                    arena_printf(maker->arena, "compare every row of %s and its shadow", shadow->work->sql));
    step->scans = true;
    step_estimate(step, scan.low * 2, scan.high * 6);
}

/* The application as it is goes on behind the cutover. Our own writes to the shadow do not enter the trigger.
 */
static void fill_shadow(Steps *steps)
{
    Maker *maker = steps->maker;
    ShadowWork *shadow = steps->shadow;
    if (shadow->work->fills.len == 0)
        return;
    shadow->shadow.fills.items = shadow->work->fills.items;
    shadow->shadow.fills.len = shadow->work->fills.len;
    Step *step = maker_ddl(maker, PHASE_CONSTRAIN, &shadow->shadow, "ACCESS EXCLUSIVE",
                           "the sync trigger on the shadow, for the application as it is", NULL, NULL);
    fills_sync(maker, &shadow->shadow, step);
}

static void swap_sql(Steps *steps, Texts *out, bool back)
{
    Arena *arena = steps->maker->arena;
    const ShadowWork *shadow = steps->shadow;
    const TableCopy *copy = shadow->copy;
    if (steps->spec->role != NULL)
        *vec_push(arena, out) = arena_printf(arena, "SET LOCAL ROLE %s", sql_ident(arena, steps->spec->role));
    trigger_gone(steps, out, shadow->work->sql);
    add_statements(arena, out, back ? &copy->table.back : &copy->table.swap);
    for (size_t i = 0; i < copy->sequence_count; i++)
        add_statements(arena, out, back ? &copy->sequences[i].back : &copy->sequences[i].swap);
    for (size_t i = 0; i < copy->index_count; i++)
        add_statements(arena, out, back ? &copy->indexes[i].back : &copy->indexes[i].swap);
    for (size_t i = 0; i < copy->part_count; i++)
        add_statements(arena, out, back ? &copy->parts[i].back : &copy->parts[i].swap);
    if (!back && steps->spec_back != NULL)
        trigger_sql(steps, out, shadow->work->sql, &steps->back);
    if (steps->spec->role != NULL)
        *vec_push(arena, out) = "SET LOCAL ROLE NONE";
    for (size_t i = 0; i < copy->membership_count; i++)
        add_statements(arena, out, back ? &copy->memberships[i].back : &copy->memberships[i].swap);
    for (size_t i = 0; i < copy->key_count; i++)
        add_statements(arena, out, back ? &copy->keys[i].member.back : &copy->keys[i].member.swap);
}

/* What the swap made without a look. */
static void validate_key(Steps *steps, Phase phase, const CopyKey *key)
{
    Maker *maker = steps->maker;
    Arena *arena = maker->arena;
    const Table *table = steps->shadow->work->table;
    const char *child = sql_name(arena, key->schema, key->table), *name = sql_ident(arena, key->constraint);
    bool own = str_eq(key->schema, table->schema) && str_eq(key->table, table->name);
    const char *title = arena_printf(arena, "validate constraint %s of %s", name, child);
    Step *step = maker_step(maker, phase, STEP_VALIDATE, own ? steps->shadow->work : NULL, title);
    step->table = (Name){.schema = key->schema, .name = key->table};
    step_add_sql(maker, step, arena_printf(arena, "ALTER TABLE %s VALIDATE CONSTRAINT %s", child, name));
    step->lock = "SHARE UPDATE EXCLUSIVE";
    step_add_lock_mode(maker, step, child, step->lock);
    step_add_lock_mode(maker, step, own ? key->other : steps->shadow->work->sql, "ROW SHARE");
    step->scans = true;
    step->timeout = TIMEOUT_WATCHDOG;
    Span span = estimate_scan(table);
    step_estimate(step, span.low, span.high);
}

static void swap_tables(Steps *steps)
{
    Maker *maker = steps->maker;
    const ShadowSpec *const specs[] = {steps->spec, steps->spec_back};
    for (size_t i = 0; i < ARRAY_LEN(specs) && specs[i] != NULL; i++) {
        Texts sql = {0};
        const char *title =
            arena_printf(maker->arena,
                         i == 0 ? "the shadow takes the place of %s, which is called %s from then on"
                                : "%s gives its place back to %s",
                         steps->shadow->work->sql, sql_ident(maker->arena, specs[i]->shadow));
        if (i == 0)
            title = arena_printf(maker->arena,
                                 "the shadow takes the place of %s, which is called %s from then on",
                                 steps->shadow->work->sql, sql_ident(maker->arena, specs[i]->old));
        Step *step = shadow_step(steps, i == 0 ? PHASE_CUTOVER : PHASE_REVERT, STEP_SWAP, specs[i], title);
        step->lock = "ACCESS EXCLUSIVE";
        step->timeout = TIMEOUT_LOCK;
        step_add_lock(maker, step, steps->shadow->work->table);
        step_estimate(step, 5, 200);
        const TableCopy *copy = steps->shadow->copy;
        for (size_t k = 0; k < copy->key_count; k++)
            step_add_lock_mode(maker, step, copy->keys[k].other, "ACCESS EXCLUSIVE");
        swap_sql(steps, &sql, i == 1);
        add_texts(maker, step, &sql, false);
        for (size_t k = 0; k < copy->key_count; k++)
            if (copy->keys[k].validated)
                validate_key(steps, i == 0 ? PHASE_CUTOVER : PHASE_REVERT, &copy->keys[k]);
    }
}

/* The table that is not used any more, and what captured. */
static void drop_other(Steps *steps, Phase phase, TableWork *other)
{
    Maker *maker = steps->maker;
    Step *step = NULL;
    if (phase == PHASE_CONTRACT && steps->spec_back != NULL) {
        Texts off = {0};
        step = maker_ddl(maker, phase, steps->shadow->work, "ACCESS EXCLUSIVE",
                         arena_printf(maker->arena, "%s is no longer kept in step", other->sql), NULL, NULL);
        trigger_gone(steps, &off, steps->shadow->work->sql);
        add_texts(maker, step, &off, false);
    }
    step = maker_ddl(maker, phase, other, "ACCESS EXCLUSIVE",
                     arena_printf(maker->arena, "drop table %s", other->sql),
                     arena_printf(maker->arena, "DROP TABLE %s", other->sql), NULL);
    if (phase == PHASE_REVERT && steps->shadow->work->fills.len > 0)
        fills_unsync(maker, &steps->shadow->shadow, step);
    step = maker_step(maker, phase, STEP_DDL, NULL, "drop what captured changed rows");
    step->timeout = TIMEOUT_LOCK;
    log_gone(steps, step, &steps->there, false);
    if (steps->spec_back != NULL)
        log_gone(steps, step, &steps->back, false);
}

void shadow_steps(Maker *maker, ShadowWork *shadow)
{
    Steps steps = {.maker = maker,
                   .shadow = shadow,
                   .there = capture_of(maker->arena, shadow->work, ""),
                   .back = capture_of(maker->arena, shadow->work, "_back")};
    steps.spec = spec_make(&steps, false);
    steps.spec_back = maker->no_revert == NULL ? spec_make(&steps, true) : NULL;
    make_logs(&steps);
    make_shadow(&steps);
    make_capture(&steps);
    copy_rows(&steps);
    fill_shadow(&steps);
    swap_tables(&steps);
    fills_contract(maker, shadow->work);
    drop_other(&steps, PHASE_CONTRACT, &shadow->old);
    if (steps.spec_back != NULL)
        drop_other(&steps, PHASE_REVERT, &shadow->shadow);
}
