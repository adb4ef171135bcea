/* Twins take the names of the columns that they replace: all that hangs on the old columns is made for the
 * new ones beforehand, and one short transaction a table lets the names change places. The way back is the
 * same again, since the hidden name is the other column's then. */
#include "plan/maker.h"

#include <string.h>

/* What the cutovers of a change share. */
typedef struct Cutover {
    Maker *maker;
    VEC(const ColumnPart *) gone; /* foreign keys that an earlier table's cutover has dropped */
    bool back;                    /* on the way back */
} Cutover;

/* One table's part. */
typedef struct Side {
    TableWork *work;
    const ColumnPart *const *items;
    size_t count;
    const char *const *not_null; /* per twin: the constraint that proved it, where it stays (18); NULL */
} Side;

/* ---- names ---------------------------------------------------------------------------------- */

static ColumnNames names_of(Arena *arena, const TableWork *work)
{
    size_t count = work->twins.len;
    const char **from = arena_alloc(arena, (count + 1) * sizeof *from),
               **to = arena_alloc(arena, (count + 1) * sizeof *to);
    for (size_t i = 0; i < count; i++) {
        from[i] = work->twins.items[i].old->name;
        to[i] = work->twins.items[i].hidden;
    }
    return (ColumnNames){.table = work->table->name, .from = from, .to = to, .count = count};
}

static TableWork *work_named(const Maker *maker, const char *schema, const char *name)
{
    for (size_t i = 0; i < maker->work_count; i++)
        if (str_eq(maker->works[i].table->schema, schema) && str_eq(maker->works[i].table->name, name))
            return &maker->works[i];
    return NULL;
}

static bool has_twin(const TableWork *work, const char *column)
{
    for (size_t i = 0; i < work->twins.len; i++)
        if (str_eq(work->twins.items[i].old->name, column))
            return true;
    return false;
}

static bool any_twin(const TableWork *work, const char *const *columns, size_t count)
{
    for (size_t i = 0; work != NULL && i < count; i++)
        if (columns[i] != NULL && has_twin(work, columns[i]))
            return true;
    return false;
}

/* A foreign key to this table from columns that stay as they are: it is this table's cutover that points it
 * to the new columns. */
static bool is_repointed(const Maker *maker, const ColumnPart *one)
{
    if (one->kind != PART_REFERENCE)
        return false;
    return !any_twin(work_named(maker, one->table_schema, one->table_name), one->columns, one->column_count);
}

/* ---- constrain ------------------------------------------------------------------------------ */

static Err *index_write(Maker *maker, TableWork *work, const ColumnNames *names, const ColumnPart *one)
{
    Arena *arena = maker->arena;
    const char *definition = NULL, *name = name_hidden(arena, one->name);
    if (!one->validated)
        return NULL; /* left by an interrupted build: it goes with the old column */
    TRY(redefine_index_pg(arena, one->definition, names, one->tablespace, &definition));
    index_build(maker, work, name, one->is_unique, definition);
    return NULL;
}

/* Rows that were different and become the same would stop a unique index half-way. */
static void duplicates_check(Maker *maker, TableWork *work, const ColumnNames *names, const ColumnPart *one)
{
    Arena *arena = maker->arena;
    bool plain = one->is_unique && one->validated && !one->expression, injective = true;
    for (size_t i = 0; i < work->twins.len; i++) {
        const Twin *twin = &work->twins.items[i];
        bool covered = any_twin(work, one->columns, one->column_count);
        injective =
            injective && (!covered || (twin->plain && type_injective(arena, twin->old->type, twin->type)));
    }
    if (!plain || injective)
        return;
    const char **columns = arena_alloc(arena, (one->column_count + 1) * sizeof *columns);
    for (size_t i = 0; i < one->column_count; i++) {
        columns[i] = one->columns[i];
        for (size_t j = 0; j < names->count; j++)
            if (str_eq(names->from[j], columns[i]))
                columns[i] = names->to[j];
    }
    const Check check = {.label = arena_printf(arena, "the same (%s) more than once",
                                               sql_ident_list(arena, columns, one->column_count)),
                         .query =
                             index_duplicates_query(maker, work, columns, one->column_count,
                                                    strstr(one->definition, "NULLS NOT DISTINCT") != NULL),
                         .hint = "values that were different become the same: correct these rows first"};
    maker_checks(maker, PHASE_VERIFY, work,
                 arena_printf(arena, "no duplicates for %s", sql_ident(arena, one->name)), &check, 1);
}

static Err *check_write(Maker *maker, TableWork *work, const ColumnNames *names, const ColumnPart *one)
{
    const char *definition = NULL, *name = name_hidden(maker->arena, one->name);
    TRY(redefine_constraint_pg(maker->arena, one->definition, names, NULL, &definition));
    constraint_not_valid(maker, work, name, definition, "ACCESS EXCLUSIVE", NULL);
    if (one->validated)
        maker_validate(maker, work, name, NULL);
    return NULL;
}

/* A foreign key from new columns, or to new columns, or both; it stands on `one`'s table. */
static Err *key_write(Maker *maker, const ColumnPart *one)
{
    Arena *arena = maker->arena;
    TableWork *work = work_named(maker, one->table_schema, one->table_name);
    const TableWork *other = work_named(maker, one->ref_schema, one->ref_table);
    const char *definition = NULL, *name = name_hidden(arena, one->name);
    if (work == NULL)
        return err_new(ERR_BUG, "table \"%s.%s\" of foreign key \"%s\" was not loaded", one->table_schema,
                       one->table_name, one->name);
    if (work->table->kind != RELATION_TABLE)
        return err_new(ERR_UNSAFE, "\"%s.%s\", to which foreign key \"%s\" belongs, is a %s",
                       one->table_schema, one->table_name, one->name, relation_kind_name(work->table->kind));
    ColumnNames names = names_of(arena, work), referenced = {0};
    bool moves = other != NULL && any_twin(other, one->ref_columns, one->ref_column_count);
    if (moves)
        referenced = names_of(arena, other);
    TRY(redefine_constraint_pg(arena, one->definition, &names, moves ? &referenced : NULL, &definition));
    const Table *also = other == work ? NULL : other != NULL ? other->table : NULL;
    const Table far = {.schema = one->ref_schema, .name = one->ref_table};
    constraint_not_valid(maker, work, name, definition, "SHARE ROW EXCLUSIVE", other == NULL ? &far : also);
    if (one->validated)
        maker_validate(maker, work, name, other == NULL ? &far : also);
    return NULL;
}

static Err *statistics_write(Maker *maker, TableWork *work, const ColumnNames *names, const ColumnPart *one)
{
    Arena *arena = maker->arena;
    const Name name = {one->schema, name_hidden(arena, one->name)};
    const char *sql = NULL, *full = sql_name(arena, name.schema, name.name);
    TRY(redefine_statistics_pg(arena, one->definition, &name, names, &sql));
    Step *step = maker_ddl(maker, PHASE_CONSTRAIN, work, "SHARE UPDATE EXCLUSIVE",
                           arena_printf(arena, "make statistics %s", sql_ident(arena, name.name)), sql,
                           arena_printf(arena, "DROP STATISTICS IF EXISTS %s", full));
    if (!str_eq(one->owner, work->table->owner))
        step_add_sql(
            maker, step,
            arena_printf(arena, "ALTER STATISTICS %s OWNER TO %s", full, sql_ident(arena, one->owner)));
    return NULL;
}

static void analyze_write(Maker *maker, TableWork *work)
{
    Step *step = maker_step(maker, PHASE_CONSTRAIN, STEP_VACUUM, work, "gather statistics of what was made");
    step_add_sql(maker, step, arena_printf(maker->arena, "VACUUM (ANALYZE) %s", work->sql));
    step->lock = "SHARE UPDATE EXCLUSIVE";
    step_add_lock(maker, step, work->table);
    step->scans = true;
    step->timeout = TIMEOUT_WATCHDOG;
    Span span = estimate_vacuum(work->table);
    step_estimate(step, span.low, span.high);
}

/* A primary key and an identity need the server's own mark. */
static bool is_hard(const ColumnParts *column_parts)
{
    for (size_t i = 0; i < column_parts->count; i++)
        if (column_parts->items[i].type == 'p' || column_parts->items[i].kind == PART_IDENTITY)
            return true;
    return false;
}

static Err *not_null_write(Maker *maker, Side *side)
{
    TableWork *work = side->work;
    const char **kept = arena_alloc(maker->arena, (work->twins.len + 1) * sizeof *kept);
    for (size_t i = 0; i < work->twins.len; i++) {
        const Twin *twin = &work->twins.items[i];
        if (!twin->old->not_null)
            continue;
        size_t before = work->names.len, steps = maker->steps[PHASE_CONSTRAIN].len;
        TRY(not_null_prove(maker, work, twin->hidden, true, is_hard(twin->column_parts)));
        if (maker->server->version_num >= 180000 && work->names.len > before)
            kept[i] = work->names.items[before];
        const Step *last = &maker->steps[PHASE_CONSTRAIN].items[maker->steps[PHASE_CONSTRAIN].len - 1];
        if (maker->steps[PHASE_CONSTRAIN].len > steps && last->kind == STEP_VALIDATE && kept[i] == NULL)
            maker_no_revert(maker, "NOT NULL stands on a CHECK on this version of the server");
    }
    side->not_null = kept;
    return NULL;
}

static Err *constrain_write(Maker *maker, Side *side)
{
    TableWork *work = side->work;
    ColumnNames names = names_of(maker->arena, work);
    bool gathers = false;
    for (size_t i = 0; i < side->count; i++)
        if (side->items[i]->kind == PART_INDEX) {
            TRY(index_write(maker, work, &names, side->items[i]));
            duplicates_check(maker, work, &names, side->items[i]);
            gathers = gathers || side->items[i]->expression;
        }
    TRY(not_null_write(maker, side));
    for (size_t i = 0; i < side->count; i++) {
        const ColumnPart *one = side->items[i];
        if (one->kind == PART_CHECK)
            TRY(check_write(maker, work, &names, one));
        if (one->kind == PART_FOREIGN_KEY || is_repointed(maker, one))
            TRY(key_write(maker, one));
        if (one->kind == PART_STATISTICS)
            TRY(statistics_write(maker, work, &names, one));
        gathers = gathers || one->kind == PART_STATISTICS;
    }
    if (gathers)
        analyze_write(maker, work);
    return NULL;
}

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
        if (is_repointed(maker, one))
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
                   one->kind == PART_FOREIGN_KEY || one->kind == PART_NOT_NULL || is_repointed(maker, one);
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
        TRY(constrain_write(maker, &sides[i]));
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
