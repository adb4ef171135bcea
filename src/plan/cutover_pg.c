/* Twins take the names of the columns that they replace: all that hangs on the old columns was made for the
 * new ones beforehand (twin_parts_pg.c), and one short transaction a table lets the names change places. The
 * way back is the same again, since the hidden name is the other column's then. */
#include "plan/cutover.h"

#include <string.h>

/* What the cutovers of a change share. */
typedef struct Cutover {
    Maker *maker;
    VEC(const ColumnPart *) gone; /* foreign keys that an earlier table's cutover has dropped */
    bool back;                    /* on the way back */
} Cutover;

/* ---- cutover -------------------------------------------------------------------------------- */

static void add_alter(Maker *maker, Step *step, const char *table, const char *what, const char *ident,
                      const char *rest)
{
    step_add_sql(maker, step, arena_printf(maker->arena, "ALTER TABLE %s %s %s%s", table, what, ident, rest));
}

static bool is_gone(Cutover *cut, const ColumnPart *one)
{
    for (size_t i = 0; i < cut->gone.len; i++)
        if (str_eq(cut->gone.items[i]->name, one->name) &&
            str_eq(cut->gone.items[i]->table_name, one->table_name) &&
            str_eq(cut->gone.items[i]->table_schema, one->table_schema))
            return true;
    return false;
}

static void lock_too(Maker *maker, Step *step, const char *relation)
{
    for (size_t i = 0; i < step->lock_count; i++)
        if (str_eq(step->lock_on[i], relation))
            return;
    step_add_lock_mode(maker, step, relation, "ACCESS EXCLUSIVE");
}

/* Old foreign keys of this table, and those to it that nobody has dropped yet. */
static void drop_keys(Cutover *cut, Step *step, const Side *side)
{
    Maker *maker = cut->maker;
    Arena *arena = maker->arena;
    for (size_t i = 0; i < side->count; i++) {
        const ColumnPart *one = side->items[i];
        bool key = one->kind == PART_FOREIGN_KEY || one->kind == PART_REFERENCE;
        if (!key || is_gone(cut, one))
            continue;
        const char *table = sql_name(arena, one->table_schema, one->table_name);
        const char *far = sql_name(arena, one->ref_schema, one->ref_table);
        lock_too(maker, step, table);
        lock_too(maker, step, far);
        add_alter(maker, step, table, "DROP CONSTRAINT", sql_ident(arena, one->name), "");
        *vec_push(arena, &cut->gone) = one;
    }
}

static void drop_own(Maker *maker, Step *step, const Side *side)
{
    Arena *arena = maker->arena;
    for (size_t i = 0; i < side->count; i++) {
        const ColumnPart *one = side->items[i];
        if (one->kind == PART_CHECK || (one->kind == PART_INDEX && one->constraint != NULL))
            add_alter(maker, step, side->work->sql, "DROP CONSTRAINT",
                      sql_ident(arena, one->constraint != NULL ? one->constraint : one->name), "");
        else if (one->kind == PART_INDEX)
            step_add_sql(maker, step,
                         arena_printf(arena, "DROP INDEX %s", sql_name(arena, one->schema, one->name)));
        else if (one->kind == PART_STATISTICS)
            step_add_sql(maker, step,
                         arena_printf(arena, "DROP STATISTICS %s", sql_name(arena, one->schema, one->name)));
    }
}

/* Old and new change places; the hidden name is the old column's now. */
static void swap_names(Maker *maker, Step *step, const TableWork *work)
{
    Arena *arena = maker->arena;
    for (size_t i = 0; i < work->twins.len; i++) {
        const Twin *twin = &work->twins.items[i];
        const char *old = sql_ident(arena, twin->old->name), *hidden = sql_ident(arena, twin->hidden);
        const char *between =
            sql_ident(arena, name_hidden(arena, arena_printf(arena, "swap_%s", twin->hidden)));
        add_alter(maker, step, work->sql, "RENAME COLUMN", old, arena_printf(arena, " TO %s", between));
        add_alter(maker, step, work->sql, "RENAME COLUMN", hidden, arena_printf(arena, " TO %s", old));
        add_alter(maker, step, work->sql, "RENAME COLUMN", between, arena_printf(arena, " TO %s", hidden));
    }
}

/* The comment goes with the name. */
static void set_comments(Maker *maker, Step *step, const TableWork *work, bool gives)
{
    Arena *arena = maker->arena;
    for (size_t i = 0; i < work->twins.len; i++) {
        const Twin *twin = &work->twins.items[i];
        if (twin->column_parts->comment == NULL)
            continue;
        step_add_sql(maker, step,
                     arena_printf(arena, "COMMENT ON COLUMN %s.%s IS %s", work->sql,
                                  sql_ident(arena, twin->old->name),
                                  gives ? sql_literal(arena, twin->column_parts->comment) : "NULL"));
    }
}

static bool is_integer(Arena *arena, const char *type)
{
    const char *name = type_canonical(arena, type);
    return str_eq(name, "bigint") || str_eq(name, "integer") || str_eq(name, "smallint");
}

/* A sequence that had the type of its column goes on with the new one. */
static void move_sequence(Cutover *cut, Step *step, const TableWork *work, const Twin *twin,
                          const ColumnPart *one)
{
    Maker *maker = cut->maker;
    Arena *arena = maker->arena;
    const char *name = sql_name(arena, one->schema, one->name);
    const char *type = cut->back ? twin->old->type : twin->type;
    step_add_sql(maker, step,
                 arena_printf(arena, "ALTER SEQUENCE %s OWNED BY %s.%s", name, work->sql,
                              sql_ident(arena, twin->old->name)));
    if (!str_eq(one->suffix, type_canonical(arena, twin->old->type)) || !is_integer(arena, twin->type))
        return;
    step_add_lock_mode(maker, step, name, "SHARE ROW EXCLUSIVE");
    step_add_sql(maker, step, arena_printf(arena, "ALTER SEQUENCE %s AS %s", name, type));
}

/* The sequence of an identity belongs to its column for good: another one takes its name and goes on
 * counting. */
static void move_identity(Cutover *cut, Step *step, const TableWork *work, const Twin *twin,
                          const ColumnPart *one)
{
    Maker *maker = cut->maker;
    Arena *arena = maker->arena;
    const char *name = sql_name(arena, one->schema, one->name), *away = name_hidden(arena, one->name);
    const char *column = sql_ident(arena, twin->old->name), *hidden = sql_ident(arena, twin->hidden);
    step_add_lock_mode(maker, step, name, "ACCESS EXCLUSIVE");
    step_add_sql(maker, step,
                 arena_printf(arena, "ALTER SEQUENCE %s RENAME TO %s", name, sql_ident(arena, away)));
    add_alter(maker, step, work->sql, "ALTER COLUMN", column,
              arena_printf(arena, " ADD GENERATED %s AS IDENTITY (%s)",
                           one->type == 'a' ? "ALWAYS" : "BY DEFAULT", one->definition));
    step_add_sql(
        maker, step,
        arena_printf(arena,
                     "SELECT pg_catalog.setval(%s::pg_catalog.regclass, last_value, is_called) FROM %s",
                     sql_literal(arena, name), sql_name(arena, one->schema, away)));
    add_alter(maker, step, work->sql, "ALTER COLUMN", hidden, " DROP IDENTITY");
    for (size_t i = 0; i < one->make_count; i++)
        step_add_sql(maker, step, one->make_sql[i]);
}

static void move_values(Cutover *cut, Step *step, const Side *side)
{
    Maker *maker = cut->maker;
    Arena *arena = maker->arena;
    const TableWork *work = side->work;
    for (size_t i = 0; i < work->twins.len; i++) {
        const Twin *twin = &work->twins.items[i];
        const char *column = sql_ident(arena, twin->old->name), *hidden = sql_ident(arena, twin->hidden);
        const char *gives = cut->back ? twin->old->default_sql : twin->default_sql;
        const char *had = cut->back ? twin->default_sql : twin->old->default_sql;
        if (had != NULL)
            add_alter(maker, step, work->sql, "ALTER COLUMN", hidden, " DROP DEFAULT");
        if (gives != NULL)
            add_alter(maker, step, work->sql, "ALTER COLUMN", column,
                      arena_printf(arena, " SET DEFAULT %s", gives));
        for (size_t j = 0; j < twin->column_parts->count; j++) {
            const ColumnPart *one = &twin->column_parts->items[j];
            if (one->kind == PART_SEQUENCE)
                move_sequence(cut, step, work, twin, one);
            if (one->kind == PART_IDENTITY)
                move_identity(cut, step, work, twin, one);
        }
        if (twin->old->not_null)
            add_alter(maker, step, work->sql, "ALTER COLUMN", hidden, " DROP NOT NULL");
    }
}

static void rename_constraint(Maker *maker, Step *step, const char *table, const char *from, const char *to)
{
    add_alter(maker, step, table, "RENAME CONSTRAINT", sql_ident(maker->arena, from),
              arena_printf(maker->arena, " TO %s", sql_ident(maker->arena, to)));
}

/* An index goes on calling its columns by the names that they had. */
static void name_index_columns(Maker *maker, Step *step, const TableWork *work, const ColumnPart *one)
{
    Arena *arena = maker->arena;
    const char *index = sql_name(arena, one->schema, name_hidden(arena, one->name));
    for (size_t i = 0; i < work->twins.len; i++) {
        const Twin *twin = &work->twins.items[i];
        bool named = false;
        for (size_t j = 0; j < one->ref_column_count && !named; j++)
            named = str_eq(one->ref_columns[j], twin->old->name);
        if (named)
            add_alter(maker, step, index, "RENAME COLUMN", sql_ident(arena, twin->hidden),
                      arena_printf(arena, " TO %s", sql_ident(arena, twin->old->name)));
    }
}

static void take_index_name(Maker *maker, Step *step, const TableWork *work, const ColumnPart *one)
{
    Arena *arena = maker->arena;
    const char *made = name_hidden(arena, one->name);
    if (!one->validated)
        return;
    name_index_columns(maker, step, work, one);
    if (one->constraint == NULL) {
        step_add_sql(maker, step,
                     arena_printf(arena, "ALTER INDEX %s RENAME TO %s", sql_name(arena, one->schema, made),
                                  sql_ident(arena, one->name)));
        return;
    }
    add_alter(maker, step, work->sql, "ADD CONSTRAINT", sql_ident(arena, one->constraint),
              arena_printf(arena, " %s USING INDEX %s%s", one->type == 'p' ? "PRIMARY KEY" : "UNIQUE",
                           sql_ident(arena, made), one->suffix));
}

static void take_names(Maker *maker, Step *step, const Side *side)
{
    Arena *arena = maker->arena;
    const TableWork *work = side->work;
    for (size_t i = 0; i < work->twins.len; i++)
        for (size_t j = 0; j < work->twins.items[i].column_parts->count; j++) {
            const ColumnPart *one = &work->twins.items[i].column_parts->items[j];
            if (one->kind == PART_NOT_NULL && side->not_null[i] != NULL)
                rename_constraint(maker, step, work->sql, side->not_null[i], one->name);
        }
    for (size_t i = 0; i < side->count; i++) {
        const ColumnPart *one = side->items[i];
        const char *made = name_hidden(arena, one->name);
        if (one->kind == PART_INDEX)
            take_index_name(maker, step, work, one);
        if (one->kind == PART_CHECK || one->kind == PART_FOREIGN_KEY)
            rename_constraint(maker, step, work->sql, made, one->name);
        if (part_is_repointed(maker, one))
            rename_constraint(maker, step, sql_name(arena, one->table_schema, one->table_name), made,
                              one->name);
        if (one->kind == PART_STATISTICS)
            step_add_sql(maker, step,
                         arena_printf(arena, "ALTER STATISTICS %s RENAME TO %s",
                                      sql_name(arena, one->schema, made), sql_ident(arena, one->name)));
    }
    for (size_t i = 0; i < side->count; i++) {
        const ColumnPart *one = side->items[i];
        bool own = one->kind == PART_INDEX || one->kind == PART_CHECK || one->kind == PART_STATISTICS ||
                   one->kind == PART_FOREIGN_KEY || one->kind == PART_NOT_NULL ||
                   part_is_repointed(maker, one);
        for (size_t j = 0; own && j < one->make_count; j++)
            step_add_sql(maker, step, one->make_sql[j]);
    }
}

static void cutover_sql(Cutover *cut, Step *step, const Side *side)
{
    Maker *maker = cut->maker;
    text_drop_sql(maker, step, side->work, side->items, side->count);
    drop_keys(cut, step, side);
    drop_own(maker, step, side);
    set_comments(maker, step, side->work, false);
    swap_names(maker, step, side->work);
    set_comments(maker, step, side->work, true);
    move_values(cut, step, side);
    take_names(maker, step, side);
    text_make_sql(maker, step, side->work, side->items, side->count);
}

/* ---- the trigger, turned round -------------------------------------------------------------- */

static const char *const *one_text(Arena *arena, const char *text)
{
    const char **list = arena_alloc(arena, sizeof *list);
    list[0] = text;
    return list;
}

/* The old column follows the new one; and who still writes by position finds the old place. Where USING says
 * how to convert, nobody knows the way back: then the old place is left empty, and only positions are looked
 * at. */
static Err *after_fill(Maker *maker, const TableWork *work, const Twin *twin, FillColumn *ret_fill)
{
    Arena *arena = maker->arena;
    const ColumnNames names = {.table = work->table->name,
                               .from = one_text(arena, twin->old->name),
                               .to = one_text(arena, twin->hidden),
                               .count = 1};
    SyncBack *back = arena_alloc(arena, sizeof *back);
    *back = (SyncBack){.column = twin->old->name,
                       .sources = one_text(arena, twin->hidden),
                       .source_count = 1,
                       .null_ok = true};
    TRY(redefine_row_expr_pg(arena, twin->expr->forms.trigger, "new", &names, &back->expr));
    if (twin->plain)
        back->same_sql = type_same_again(arena, back->expr, twin->type,
                                         arena_printf(arena, "new.%s", sql_ident(arena, twin->old->name)));
    *ret_fill = (FillColumn){
        .column = twin->hidden,
        .type = twin->old->type,
        .expr = twin->plain ? sql_ident(arena, twin->old->name) : "NULL",
        .null_legal = true,
        .exact_equality = twin->old->exact_equality,
        .sync = {.column = twin->hidden,
                 .expr =
                     twin->plain ? arena_printf(arena, "new.%s", sql_ident(arena, twin->old->name)) : "NULL",
                 .sources = one_text(arena, twin->old->name),
                 .source_count = 1,
                 .counter = sync_counter_pg(arena, work->table->id, twin->hidden),
                 .back = back,
                 .back_count = 1,
                 .null_ok = true,
                 .after = true}};
    if (!twin->plain)
        maker_no_revert(maker, "USING says how to get from the old type to the new one, and not back");
    return NULL;
}

/* The table as it is behind the cutover. */
static Table table_after(Arena *arena, const TableWork *work)
{
    Table after = *work->table;
    after.columns = arena_alloc(arena, (after.column_count + work->twins.len + 1) * sizeof *after.columns);
    memcpy(after.columns, work->table->columns, work->table->column_count * sizeof *after.columns);
    for (size_t i = 0; i < work->twins.len; i++) {
        const Twin *twin = &work->twins.items[i];
        Column *old = &after.columns[twin->old - work->table->columns];
        after.columns[after.column_count++] =
            (Column){.name = twin->old->name,
                     .type = twin->type,
                     .exact_equality = type_exact(arena, twin->type, twin->op->collation_sql),
                     .writable = true};
        old->name = twin->hidden;
    }
    return after;
}

static void show_sync(Maker *maker, const TableWork *work, Step *step)
{
    Arena *arena = maker->arena;
    Table after = table_after(arena, work);
    size_t others = after.sync_count;
    SyncColumn *all = arena_alloc(arena, (others + step->fill_count + 1) * sizeof *all);
    if (others > 0)
        memcpy(all, after.sync, others * sizeof *all);
    for (size_t i = 0; i < step->fill_count; i++)
        all[others + i] = step->fills[i].sync;
    after.sync = all;
    after.sync_count = others + step->fill_count;
    sync_sql_pg(arena, maker->server, &after, all, others + step->fill_count, maker->server->search_path,
                maker->server->search_path_count, &step->sync_sql, &step->sync_sql_count);
}

static const char *twin_names(Arena *arena, const TableWork *work)
{
    Str str CLEANUP(str_donep) = STR_INIT;
    for (size_t i = 0; i < work->twins.len; i++) {
        str_sep(&str, ", ");
        sql_add_ident(&str, work->twins.items[i].old->name);
    }
    return arena_dup(arena, str.buf);
}

static Err *cutover_write(Cutover *cut, const Side *side)
{
    Maker *maker = cut->maker;
    Arena *arena = maker->arena;
    TableWork *work = side->work;
    Step *step =
        maker_ddl(maker, PHASE_CUTOVER, work, "ACCESS EXCLUSIVE",
                  arena_printf(arena, "the new %s takes the place of the old one", twin_names(arena, work)),
                  NULL, NULL);
    FillColumn *fills = arena_alloc(arena, work->twins.len * sizeof *fills);
    for (size_t i = 0; i < work->twins.len; i++)
        TRY(after_fill(maker, work, &work->twins.items[i], &fills[i]));
    step->sync = true;
    step->fills = fills;
    step->fill_count = work->twins.len;
    cutover_sql(cut, step, side);
    show_sync(maker, work, step);
    step_estimate(step, 2, 60);
    return NULL;
}

/* ---- the way back --------------------------------------------------------------------------- */

/* What was made for the new columns is made for the old ones: the same statements, since these have the
 * hidden names by then. Indexes first, as there. */
static void constrain_again(Maker *maker, size_t from, size_t to)
{
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = from; i < to; i++) {
            Step step = maker->steps[PHASE_CONSTRAIN].items[i];
            if ((step.kind == STEP_CREATE_INDEX) != (pass == 0))
                continue;
            step.phase = PHASE_REVERT;
            *vec_push(maker->arena, &maker->steps[PHASE_REVERT]) = step;
        }
}

static void revert_write(Cutover *cut, const Side *side)
{
    Maker *maker = cut->maker;
    Arena *arena = maker->arena;
    TableWork *work = side->work;
    Step *step = maker_ddl(maker, PHASE_REVERT, work, "ACCESS EXCLUSIVE",
                           arena_printf(arena, "the old %s takes its place again", twin_names(arena, work)),
                           NULL, NULL);
    step->sync = true;
    step->needs_back = true;
    cutover_sql(cut, step, side);
    for (size_t i = 0; i < work->twins.len; i++)
        add_alter(maker, step, work->sql, "DROP COLUMN", sql_ident(arena, work->twins.items[i].hidden), "");
    step_estimate(step, 2, 60);
}

/* ---- all tables ----------------------------------------------------------------------------- */

static bool refers_to(const Side *side, const Side *other)
{
    for (size_t i = 0; i < side->count; i++) {
        const ColumnPart *one = side->items[i];
        if (one->kind == PART_FOREIGN_KEY && str_eq(one->ref_table, other->work->table->name) &&
            str_eq(one->ref_schema, other->work->table->schema))
            return true;
    }
    return false;
}

/* Tables that refer come before those that they refer to; where they refer to each other, any order is right.
 */
static void sort_sides(Side *sides, size_t count)
{
    for (size_t at = 0; at < count; at++) {
        size_t best = at;
        for (size_t i = at; i < count; i++) {
            bool referred = false;
            for (size_t j = at; j < count; j++)
                referred = referred || (j != i && refers_to(&sides[j], &sides[i]));
            if (!referred) {
                best = i;
                break;
            }
        }
        Side first = sides[best];
        memmove(&sides[at + 1], &sides[at], (best - at) * sizeof *sides);
        sides[at] = first;
    }
}

/* With --versioned each application has its own column until `complete`: names change places in the
 * transaction that drops the old one. */
static void cutover_later(Cutover *cut, const Side *side)
{
    Arena *arena = cut->maker->arena;
    TableWork *work = side->work;
    Step *step = arena_alloc(arena, sizeof *step);
    Texts sql = {0};
    *step = (Step){.table = {.schema = work->table->schema, .name = work->table->name}};
    cutover_sql(cut, step, side);
    for (size_t i = 0; i < step->sql_count; i++)
        *vec_push(arena, &sql) = step->sql[i];
    for (size_t i = 0; i < work->contract_sql.len; i++)
        *vec_push(arena, &sql) = work->contract_sql.items[i];
    work->contract_sql.items = sql.items;
    work->contract_sql.len = sql.len;
    work->contract_sql.cap = sql.cap;
    work->swap = step;
}

Err *twins_finish(Maker *maker)
{
    Side *sides = arena_alloc(maker->arena, (maker->work_count + 1) * sizeof *sides);
    size_t count = 0;
    for (size_t i = 0; i < maker->work_count; i++)
        if (maker->works[i].twins.len > 0) {
            sides[count] = (Side){.work = &maker->works[i]};
            column_parts_all(maker, &maker->works[i], NULL, &sides[count].items, &sides[count].count);
            count++;
        }
    if (count == 0)
        return NULL;
    sort_sides(sides, count);
    size_t from = maker->steps[PHASE_CONSTRAIN].len;
    for (size_t i = 0; i < count; i++)
        TRY(twin_parts_write(maker, &sides[i]));
    Cutover forth = {.maker = maker}, back = {.maker = maker, .back = true};
    for (size_t i = 0; i < count && maker->input->options.versioned; i++)
        cutover_later(&forth, &sides[i]);
    if (maker->input->options.versioned)
        return NULL;
    for (size_t i = 0; i < count; i++)
        TRY(cutover_write(&forth, &sides[i]));
    for (size_t i = 0; i < maker->change->operation_count; i++)
        if (maker->change->operations[i].kind != OPERATION_CHANGE_TYPE && !maker->consumed[i])
            maker_no_revert(maker, "it changes the type of a column, and more");
    constrain_again(maker, from, maker->steps[PHASE_CONSTRAIN].len);
    for (size_t i = 0; i < count; i++)
        revert_write(&back, &sides[i]);
    return NULL;
}
