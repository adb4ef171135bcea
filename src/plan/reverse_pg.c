/* The way back: old columns that follow the new ones, what that asks of them, and the steps of a revert. */
#include "engine/lock.h"
#include "plan/maker.h"

#include <string.h>

static const PlanExpr *expr_of(const Maker *maker, const Table *table, const char *column)
{
    for (size_t i = 0; i < maker->input->expr_count; i++) {
        const PlanExpr *expr = &maker->input->exprs[i];
        if (expr->of_reverse && str_eq(expr->column, column) &&
            maker_work(maker, maker_table(maker, expr->table, false)) == maker_work(maker, table))
            return expr;
    }
    return NULL;
}

Err *reverses_check(const Maker *maker)
{
    for (size_t i = 0; i < maker->change->reverse_count; i++) {
        const BackfillSpec *spec = &maker->change->reverses[i];
        const Table *table = maker_table(maker, spec->table, false);
        const Column *column = table_column(table, spec->column);
        if (table->kind == RELATION_MISSING)
            return err_hint(
                err_new(ERR_USAGE, "reverse names table \"%s\", which does not exist", spec->table.name),
                "check the name and the search_path");
        if (column == NULL && maker_adds(maker, table, spec->column) != NULL)
            return err_hint(err_new(ERR_USAGE, "reverse of \"%s.%s\": this change adds that column",
                                    table->name, spec->column),
                            "a reverse gives an old column its value from the new ones; the way to the new "
                            "column is its backfill");
        if (column == NULL)
            return err_new(ERR_USAGE, "reverse of \"%s.%s\": there is no such column", table->name,
                           spec->column);
        if (column->generated_sql != NULL)
            return err_new(ERR_USAGE, "reverse of \"%s.%s\": the column is generated and takes no value",
                           table->name, spec->column);
        for (size_t j = 0; j < i; j++)
            if (str_eq(maker->change->reverses[j].column, spec->column) &&
                maker_work(maker, maker_table(maker, maker->change->reverses[j].table, false)) ==
                    maker_work(maker, table))
                return err_new(ERR_USAGE, "two reverses for \"%s.%s\"", table->name, spec->column);
    }
    return NULL;
}

static bool has_backfill(const Maker *maker, const TableWork *work, const char *column)
{
    for (size_t i = 0; i < maker->change->backfill_count; i++)
        if (str_eq(maker->change->backfills[i].column, column) &&
            maker_work(maker, maker_table(maker, maker->change->backfills[i].table, false)) == work)
            return true;
    return false;
}

static FillColumn *fill_of(TableWork *work, const char *column)
{
    for (size_t i = 0; i < work->fills.len; i++)
        if (str_eq(work->fills.items[i].column, column))
            return &work->fills.items[i];
    return NULL;
}

/* The new columns among what the expression reads. */
static Err *find_sources(Maker *maker, TableWork *work, const PlanExpr *expr, Texts *ret_sources)
{
    for (size_t i = 0; i < expr->forms.source_count; i++) {
        const char *name = expr->forms.sources[i];
        if (table_column(work->table, name) != NULL)
            continue;
        if (fill_of(work, name) == NULL || !has_backfill(maker, work, name))
            return err_hint(
                err_new(ERR_USAGE,
                        "reverse of \"%s.%s\" reads \"%s\", which has no backfill: it would not follow "
                        "what the old application writes",
                        work->table->name, expr->column, name),
                "add --backfill '%s.%s = …'", work->table->name, name);
        *vec_push(maker->arena, ret_sources) = name;
    }
    if (ret_sources->len == 0)
        return err_hint(err_new(ERR_USAGE, "reverse of \"%s.%s\" reads no column that this change adds",
                                work->table->name, expr->column),
                        "write an expression over the new columns");
    return NULL;
}

/* ---- what stands in the way of any value ---------------------------------------------------- */

static Err *column_check(Maker *maker, const TableWork *work, const Column *column, const PlanExpr *expr)
{
    const Table *table = work->table;
    for (size_t i = 0; i < table->index_count; i++)
        for (size_t j = 0; j < table->indexes[i].column_count && table->indexes[i].primary; j++)
            if (str_eq(table->indexes[i].columns[j], column->name))
                return err_hint(
                    err_new(ERR_UNSAFE,
                            "reverse of \"%s.%s\": the column is part of the primary key, so a value "
                            "that cannot be computed would fail the application's write",
                            table->name, column->name),
                    "leave this reverse out: the change has no revert then");
    bool own = column->identity != 0 || (column->default_sql != NULL && !expr->default_stable);
    if (own)
        return err_hint(
            err_new(ERR_UNSAFE,
                    "reverse of \"%s.%s\": its default gives another value each time, so an INSERT "
                    "that names the column looks like one that does not",
                    table->name, column->name),
            "drop the default first: ALTER TABLE %s ALTER COLUMN %s DROP DEFAULT", work->sql,
            sql_ident(maker->arena, column->name));
    return NULL;
}

/* The expression of a CHECK that names the column, over NEW; NULL where it is none or cannot be read. */
static const char *check_guard(Maker *maker, const Table *table, const TableConstraint *constraint,
                               const char *column)
{
    Arena *arena = maker->arena;
    const char *text = constraint->definition, *end = strrchr(text, ')');
    if (constraint->kind != 'c' || !str_starts(text, "CHECK (") || end == NULL)
        return NULL;
    const char **names = arena_alloc(arena, (table->column_count + 1) * sizeof *names);
    const char **generated = arena_alloc(arena, (table->column_count + 1) * sizeof *generated);
    for (size_t i = 0; i < table->column_count; i++) {
        names[i] = table->columns[i].name;
        generated[i] = table->columns[i].generated_sql;
    }
    ExprScope scope = {.table = {.schema = table->schema, .name = table->name},
                       .columns = names,
                       .generated = generated,
                       .column_count = table->column_count};
    ExprForms forms = {0};
    const char *from = text + strlen("CHECK (");
    Err *err = expr_forms_pg(arena, arena_dupn(arena, from, (size_t)(end - from)), &scope, &forms);
    bool read = err == NULL;
    err_free(err);
    for (size_t i = 0; read && i < forms.source_count; i++)
        if (str_eq(forms.sources[i], column))
            return forms.trigger;
    return NULL;
}

static const char *guards_of(Maker *maker, const Table *table, const char *column)
{
    Str str CLEANUP(str_donep) = STR_INIT;
    for (size_t i = 0; i < table->constraint_count; i++) {
        const char *guard = check_guard(maker, table, &table->constraints[i], column);
        if (guard == NULL)
            continue;
        str_sep(&str, " AND ");
        str_addf(&str, "(%s)", guard);
    }
    return str.len == 0 ? NULL : arena_dup(maker->arena, str.buf);
}

static void note_keys(Maker *maker, const TableWork *work, const Column *column)
{
    Arena *arena = maker->arena;
    const char *ident = sql_ident(arena, column->name);
    for (size_t i = 0; i < work->table->index_count; i++) {
        const Index *index = &work->table->indexes[i];
        bool has = false;
        for (size_t j = 0; j < index->column_count; j++)
            has = has || str_eq(index->columns[j], column->name);
        if (has && index->unique)
            maker_risk(
                maker, "reverse-unique", NULL,
                arena_printf(arena,
                             "%s is unique (%s): a write of the new application that gives two rows the "
                             "same %s is refused until complete",
                             ident, sql_ident(arena, index->name), ident),
                NULL);
    }
    for (size_t i = 0; i < work->table->constraint_count; i++) {
        const TableConstraint *constraint = &work->table->constraints[i];
        bool names = strstr(constraint->definition, ident) != NULL;
        if (names && (constraint->kind == 'f' || constraint->kind == 'x'))
            maker_risk(
                maker, "reverse-key", NULL,
                arena_printf(arena,
                             "constraint %s holds for the %s that the reverse computes: a write of the "
                             "new application that violates it is refused until complete",
                             sql_ident(arena, constraint->name), ident),
                NULL);
    }
}

/* ---- NOT NULL of the old column ------------------------------------------------------------- */

/* The new application does not write the column after complete, and must not fail before where it cannot be
 * computed. */
static void not_null_let_go(Maker *maker, TableWork *work, const Column *column)
{
    Arena *arena = maker->arena;
    const char *ident = sql_ident(arena, column->name);
    const char *drop = arena_printf(arena, "ALTER TABLE %s ALTER COLUMN %s DROP NOT NULL", work->sql, ident);
    bool dropped = false;
    for (size_t i = 0; i < maker->steps[PHASE_CONSTRAIN].len; i++) {
        const Step *step = &maker->steps[PHASE_CONSTRAIN].items[i];
        dropped = dropped || (step->sql_count == 1 && str_eq(step->sql[0], drop));
    }
    if (dropped)
        return; /* asked for by the change itself, or because it drops the column */
    Step *step = maker_ddl(
        maker, PHASE_CONSTRAIN, work, "ACCESS EXCLUSIVE",
        arena_printf(arena, "let %s be null: the new application does not write it", ident), drop, NULL);
    back_not_null(maker, work, step, column->name);
}

/* ---- the whole ------------------------------------------------------------------------------ */

static Err *reverse_one(Maker *maker, TableWork *work, const BackfillSpec *spec)
{
    Arena *arena = maker->arena;
    const Column *column = table_column(work->table, spec->column);
    const PlanExpr *expr = expr_of(maker, work->table, spec->column);
    if (expr == NULL)
        return err_new(ERR_BUG, "the reverse of \"%s.%s\" was not looked at", work->table->name,
                       spec->column);
    if (expr->info.error != NULL)
        return err_hint(err_new(ERR_USAGE, "reverse of \"%s.%s\": %s (SQLSTATE %s)", work->table->name,
                                spec->column, expr->info.error,
                                expr->info.error_state != NULL ? expr->info.error_state : "?"),
                        "nothing was changed; correct the expression");
    Texts sources = {0};
    TRY(find_sources(maker, work, expr, &sources));
    TRY(column_check(maker, work, column, expr));
    FillColumn *fill = sources.len > 0 ? fill_of(work, sources.items[0]) : NULL;
    if (fill == NULL)
        return err_new(ERR_BUG, "what the reverse of \"%s\" reads is not filled", spec->column);
    SyncBack *backs = arena_alloc(arena, (fill->sync.back_count + 1) * sizeof *backs);
    if (fill->sync.back_count > 0)
        memcpy(backs, fill->sync.back, fill->sync.back_count * sizeof *backs);
    backs[fill->sync.back_count++] = (SyncBack){.column = spec->column,
                                                .expr = expr->forms.trigger,
                                                .sources = sources.items,
                                                .source_count = sources.len,
                                                .default_sql = column->default_sql,
                                                .check_sql = guards_of(maker, work->table, spec->column),
                                                .null_ok = !column->not_null};
    fill->sync.back = backs;
    for (size_t i = 0; i < sources.len; i++) {
        fill = fill_of(work, sources.items[i]);
        if (fill != NULL)
            fill->sync.null_ok = fill->null_legal;
    }
    note_keys(maker, work, column);
    if (column->not_null)
        not_null_let_go(maker, work, column);
    maker->derives_revert = true;
    return NULL;
}

Err *reverse_twin(Maker *maker, TableWork *work, const Twin *twin)
{
    Arena *arena = maker->arena;
    const Column *column = twin->old;
    const char **sources = arena_alloc(arena, sizeof *sources);
    SyncBack *back = arena_alloc(arena, sizeof *back);
    FillColumn *fill = fill_of(work, twin->hidden);
    if (!twin->plain)
        return err_hint(err_new(ERR_UNSAFE,
                                "USING says how \"%s.%s\" gets its new type and not how the old one follows: "
                                "the two applications cannot be kept in step",
                                work->table->name, column->name),
                        "leave out --versioned; or add a column with --backfill and --reverse");
    Err *err = column_check(maker, work, column, twin->expr);
    if (err != NULL)
        return err_wrap(err_hint(err, "leave out --versioned: then the type changes for both applications at "
                                      "once, and the old one goes on"),
                        "--versioned");
    if (fill == NULL)
        return err_new(ERR_BUG, "\"%s\" is not filled", twin->hidden);
    sources[0] = twin->hidden;
    *back = (SyncBack){.column = column->name,
                       .expr = arena_printf(arena, "new.%s", sql_ident(arena, twin->hidden)),
                       .sources = sources,
                       .source_count = 1,
                       .default_sql = column->default_sql,
                       .check_sql = guards_of(maker, work->table, column->name),
                       .null_ok = !column->not_null};
    back->same_sql = type_same_again(arena, twin->expr->forms.trigger, twin->type, back->expr);
    fill->sync.back = back;
    fill->sync.back_count = 1;
    fill->sync.null_ok = fill->null_legal;
    note_keys(maker, work, column);
    if (column->not_null)
        not_null_let_go(maker, work, column);
    return NULL;
}

/* What the new application wrote into a column that nothing leads back from would be lost. */
static void note_one_way(Maker *maker, const TableWork *work)
{
    for (size_t i = 0; i < work->added.len; i++) {
        bool read = twin_hidden(work, work->added.items[i]);
        for (size_t j = 0; j < work->fills.len; j++)
            for (size_t k = 0; k < work->fills.items[j].sync.back_count; k++) {
                const SyncBack *back = &work->fills.items[j].sync.back[k];
                for (size_t l = 0; l < back->source_count; l++)
                    read = read || str_eq(back->sources[l], work->added.items[i]);
            }
        if (!read)
            maker_no_revert(maker, arena_printf(maker->arena,
                                                "no reverse reads the new column %s.%s, so what is written "
                                                "into it alone would be lost",
                                                work->table->name, work->added.items[i]));
    }
}

Err *reverse_write(Maker *maker, TableWork *work)
{
    for (size_t i = 0; i < maker->change->reverse_count; i++) {
        const BackfillSpec *spec = &maker->change->reverses[i];
        if (maker_work(maker, maker_table(maker, spec->table, false)) == work)
            TRY(reverse_one(maker, work, spec));
    }
    note_one_way(maker, work);
    return NULL;
}

/* ---- the steps of a revert, from the undo of those forward ---------------------------------- */

static bool is_covered(const Maker *maker, const Step *step)
{
    for (size_t i = 0; i < maker->covered.len; i++)
        if (step->sql_count > 0 && str_eq(step->sql[0], maker->covered.items[i]))
            return true;
    return false;
}

/* What was made under a lock that stops writers is dropped under the strongest one, at both ends. */
static void raise_locks(Arena *arena, Step *step)
{
    const char **modes = arena_alloc(arena, (step->lock_count + 1) * sizeof *modes);
    for (size_t i = 0; i < step->lock_count; i++) {
        bool own = i == 0 && step->table.name != NULL;
        bool raises = !own || lock_mode(step->lock_modes[i]) >= LOCK_SHARE;
        modes[i] = raises ? "ACCESS EXCLUSIVE" : step->lock_modes[i];
    }
    step->lock_modes = modes;
    if (step->lock_count > 0 && lock_mode(step->lock) >= LOCK_SHARE)
        step->lock = "ACCESS EXCLUSIVE";
}

/* The step that takes back `from`; false where nothing is to be done. */
static bool revert_of(Maker *maker, const Step *from, Step *ret_step)
{
    bool comment = from->sql_count == 1 && str_starts(from->sql[0], "COMMENT ON ");
    if (from->kind == STEP_DDL && from->undo_count + from->undo_step_count == 0 && !from->sync && !comment)
        maker_no_revert(maker,
                        arena_printf(maker->arena, "the step \"%s\" cannot be taken back", from->title));
    if (from->undo_count == 0 && !from->sync)
        return false;
    Step step = *from;
    step.phase = PHASE_REVERT;
    step.kind = from->kind == STEP_CREATE_INDEX ? STEP_DROP_INDEX
                : from->kind == STEP_DROP_INDEX ? STEP_CREATE_INDEX
                                                : STEP_DDL;
    step.title = arena_printf(maker->arena, "take back: %s", from->title);
    step.sql = from->undo;
    step.sql_count = from->undo_count;
    step.sync_sql = from->sync_undo;
    step.sync_sql_count = from->sync_undo_count;
    if (step.kind == STEP_DDL)
        raise_locks(maker->arena, &step);
    step.undo_steps = NULL;
    step.undo_step_count = 0;
    step.undo = step.sync_undo = NULL;
    step.undo_count = step.sync_undo_count = 0;
    step.fills = NULL;
    step.fill_count = 0;
    *ret_step = step;
    return true;
}

/* What has to be done before the undo of a step itself. */
static void undo_first(Maker *maker, const Step *from)
{
    for (size_t i = 0; i < from->undo_step_count; i++) {
        Step *step = vec_push(maker->arena, &maker->steps[PHASE_REVERT]);
        *step = from->undo_steps[i];
        step->phase = PHASE_REVERT;
    }
}

static void derive_pass(Maker *maker, const Step *steps, size_t count, bool shape)
{
    bool guarded = false;
    for (size_t i = count; i-- > 0;) {
        Step step;
        bool first = steps[i].phase == PHASE_EXPAND && steps[i].sync;
        if (first != shape || steps[i].phase >= PHASE_READY || is_covered(maker, &steps[i]))
            continue;
        undo_first(maker, &steps[i]);
        if (!revert_of(maker, &steps[i], &step))
            continue;
        step.needs_back = shape && !guarded;
        guarded = guarded || shape;
        *vec_push(maker->arena, &maker->steps[PHASE_REVERT]) = step;
    }
}

/* First what gives the old application its table back, in one short transaction a table, behind which there
 * is no way forward; then what was written for the revert, and the rest. */
void reverts_derive(Maker *maker, const Step *steps, size_t count)
{
    if (!maker->derives_revert)
        return;
    for (size_t i = 0; i < maker->work_count; i++)
        if (maker->works[i].twins.len > 0 && !maker->input->options.versioned)
            maker_no_revert(maker, "it changes the type of a column, and more");
    size_t own_count = maker->steps[PHASE_REVERT].len;
    Step *own = arena_alloc(maker->arena, (own_count + 1) * sizeof *own);
    for (size_t i = 0; i < own_count; i++)
        own[i] = maker->steps[PHASE_REVERT].items[i];
    maker->steps[PHASE_REVERT].len = 0;
    for (size_t i = 0; i < maker->reverts_first.len; i++)
        *vec_push(maker->arena, &maker->steps[PHASE_REVERT]) = maker->reverts_first.items[i];
    derive_pass(maker, steps, count, true);
    for (size_t i = 0; i < own_count; i++)
        *vec_push(maker->arena, &maker->steps[PHASE_REVERT]) = own[i];
    derive_pass(maker, steps, count, false);
}
