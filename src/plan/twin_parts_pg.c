/* What hangs on a column that is to get another type is made for its twin while the old one is in use:
 * indexes, NOT NULL, checks, foreign keys on both sides, statistics. The cutover only lets the names change
 * places. */
#include "plan/cutover.h"

#include <string.h>

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

bool part_is_repointed(const Maker *maker, const ColumnPart *one)
{
    if (one->kind != PART_REFERENCE)
        return false;
    return !any_twin(work_named(maker, one->table_schema, one->table_name), one->columns, one->column_count);
}

/* ---- the parts ----------------------------------------------------------------------------- */

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
        return err_hint(
            err_new(ERR_UNSAFE, "\"%s.%s\", to which foreign key \"%s\" belongs, is a %s", one->table_schema,
                    one->table_name, one->name, relation_kind_name(work->table->kind)),
            "drop the foreign key in a change of its own, and add it again when the types are changed");
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

Err *twin_parts_write(Maker *maker, Side *side)
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
        if (one->kind == PART_FOREIGN_KEY || part_is_repointed(maker, one))
            TRY(key_write(maker, one));
        if (one->kind == PART_STATISTICS)
            TRY(statistics_write(maker, work, &names, one));
        gathers = gathers || one->kind == PART_STATISTICS;
    }
    if (gathers)
        analyze_write(maker, work);
    return NULL;
}
