/* Constraints: look for rows that break them, add them NOT VALID, validate; unique ones on an index built
 * beforehand. */
#include "plan/constraint_pg.h"

#include <string.h>

static const char *kind_label(ConstraintKind kind)
{
    switch (kind) {
    case CONSTRAINT_CHECK:
        return "check";
    case CONSTRAINT_FOREIGN_KEY:
        return "fkey";
    case CONSTRAINT_UNIQUE:
        return "key";
    case CONSTRAINT_PRIMARY_KEY:
        return "pkey";
    case CONSTRAINT_EXCLUDE:
        return "excl";
    }
    return "";
}

static char kind_letter(ConstraintKind kind)
{
    switch (kind) {
    case CONSTRAINT_CHECK:
        return 'c';
    case CONSTRAINT_FOREIGN_KEY:
        return 'f';
    case CONSTRAINT_UNIQUE:
        return 'u';
    case CONSTRAINT_PRIMARY_KEY:
        return 'p';
    case CONSTRAINT_EXCLUDE:
        return 'x';
    }
    return ' ';
}

/* The middle part of the conventional name. Before 12 a foreign key is named after its first column only. */
static const char *name_middle(Maker *maker, const TableWork *work, const ConstraintSpec *spec,
                               const char *of_column)
{
    Arena *arena = maker->arena;
    switch (spec->kind) {
    case CONSTRAINT_CHECK: {
        const char *column = spec->expr_sql != NULL ? name_check_column(arena, work, spec->expr_sql) : NULL;
        return column != NULL || spec->expr_sql != NULL ? column : of_column;
    }
    case CONSTRAINT_FOREIGN_KEY:
        return name_columns(arena, spec->columns,
                            maker->server->version_num < 120000 ? 1 : spec->column_count);
    case CONSTRAINT_UNIQUE:
    case CONSTRAINT_EXCLUDE:
        return name_columns(arena, spec->columns, spec->column_count);
    case CONSTRAINT_PRIMARY_KEY:
        return NULL;
    }
    return NULL;
}

const char *constraint_free_name(Maker *maker, TableWork *work, const ConstraintSpec *spec,
                                 const char *of_column)
{
    return name_free(maker, work, name_middle(maker, work, spec, of_column), kind_label(spec->kind));
}

const char *constraint_name(Maker *maker, TableWork *work, const ConstraintSpec *spec, const char *of_column)
{
    if (spec->name != NULL) {
        name_take(maker, work, spec->name);
        return spec->name;
    }
    if (spec->index_name != NULL) { /* the server names it after the index */
        name_take(maker, work, spec->index_name);
        return spec->index_name;
    }
    return constraint_free_name(maker, work, spec, of_column);
}

/* ---- what is there already ------------------------------------------------------------------ */

static bool columns_equal(const Index *index, const ConstraintSpec *spec)
{
    if (index->column_count != spec->column_count)
        return false;
    for (size_t i = 0; i < spec->column_count; i++)
        if (!str_eq(index->columns[i], spec->columns[i]))
            return false;
    return true;
}

static const char *without_suffix(Arena *arena, const char *text, const char *suffix)
{
    size_t len = strlen(text), cut = strlen(suffix);
    if (len >= cut && str_eq(text + len - cut, suffix))
        return arena_dupn(arena, text, len - cut);
    return text;
}

Err *constraint_references(const Table *parent, const ConstraintSpec *spec, const char *const **ret_columns)
{
    if (spec->ref_column_count > 0) {
        *ret_columns = spec->ref_columns;
        return NULL;
    }
    for (size_t i = 0; i < parent->index_count; i++)
        if (parent->indexes[i].primary && parent->indexes[i].column_count == spec->column_count) {
            *ret_columns = parent->indexes[i].columns;
            return NULL;
        }
    return err_new(ERR_USAGE, "\"%s.%s\" has no primary key of %zu columns to refer to", parent->schema,
                   parent->name, spec->column_count);
}

/* The server writes the referenced columns always, and the schema where the path does not lead to it. */
static bool foreign_key_like(Maker *maker, const char *definition, const ConstraintSpec *spec)
{
    Arena *arena = maker->arena;
    const Table *parent = maker_table(maker, spec->references, false);
    const char *const *ref_columns = NULL;
    Err *err = parent->kind != RELATION_MISSING ? constraint_references(parent, spec, &ref_columns) : NULL;
    err_free(err);
    const char *written = sql_name(arena, spec->references.schema, spec->references.name);
    const char *at = strstr(spec->definition_sql, arena_printf(arena, " REFERENCES %s", written));
    if (ref_columns == NULL || at == NULL)
        return definition_like(arena, definition, spec->definition_sql);
    const char *tail = at + strlen(" REFERENCES ") + strlen(written);
    if (spec->ref_column_count > 0)
        tail = strchr(tail, ')') != NULL ? strchr(tail, ')') + 1 : "";
    const char *head = arena_dupn(arena, spec->definition_sql, (size_t)(at - spec->definition_sql));
    const char *columns = sql_ident_list(arena, ref_columns, spec->column_count);
    const char *const names[] = {sql_ident(arena, parent->name),
                                 sql_name(arena, parent->schema, parent->name)};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (definition_like(arena, definition,
                            arena_printf(arena, "%s REFERENCES %s(%s)%s", head, names[i], columns, tail)))
            return true;
    return false;
}

bool constraint_like(Maker *maker, const TableWork *work, const TableConstraint *there,
                     const ConstraintSpec *spec)
{
    if (there->kind != kind_letter(spec->kind))
        return false;
    if (spec->kind == CONSTRAINT_UNIQUE || spec->kind == CONSTRAINT_PRIMARY_KEY) {
        for (size_t i = 0; i < work->table->index_count; i++)
            if (str_eq(work->table->indexes[i].constraint, there->name))
                return spec->index_name != NULL || columns_equal(&work->table->indexes[i], spec);
        return false;
    }
    const char *definition = without_suffix(maker->arena, there->definition, " NOT VALID");
    if (spec->kind == CONSTRAINT_FOREIGN_KEY)
        return foreign_key_like(maker, definition, spec);
    return definition_like(maker->arena, definition, spec->definition_sql);
}

/* Says whether nothing is left to do. A constraint of the wanted name with other content is refused. */
static Err *constraint_there(Maker *maker, TableWork *work, const ConstraintSpec *spec, const char *of_column,
                             bool *ret_there)
{
    Arena *arena = maker->arena;
    const Table *table = work->table;
    const char *name = spec->name != NULL ? spec->name
                       : spec->index_name != NULL
                           ? spec->index_name
                           : name_object(arena, table->name, name_middle(maker, work, spec, of_column),
                                         kind_label(spec->kind));
    const TableConstraint *there = table_constraint(table, name);
    for (size_t i = 0; i < table->constraint_count && spec->name == NULL && spec->index_name == NULL; i++)
        if (constraint_like(maker, work, &table->constraints[i], spec)) {
            there = &table->constraints[i]; /* under whatever name */
            name = there->name;
        }
    *ret_there = false;
    if (there != NULL && there != primary_key_dropped(maker, work) &&
        constraint_like(maker, work, there, spec)) {
        *ret_there = true;
        if (!there->validated && !spec->not_valid)
            maker_validate(maker, work, name, NULL);
        return NULL;
    }
    if (there != NULL && spec->name != NULL)
        return err_hint(err_new(ERR_UNSAFE,
                                "constraint \"%s\" of \"%s.%s\" exists already with another definition", name,
                                table->schema, table->name),
                        "it is: %s", there->definition);
    const TableConstraint *dropped = primary_key_dropped(maker, work);
    for (size_t i = 0; i < table->constraint_count && spec->kind == CONSTRAINT_PRIMARY_KEY; i++) {
        if (table->constraints[i].kind != 'p' || &table->constraints[i] == dropped)
            continue;
        if (!constraint_like(maker, work, &table->constraints[i], spec))
            return err_hint(
                err_new(ERR_UNSAFE, "\"%s.%s\" has another primary key already", table->schema, table->name),
                "it is: %s", table->constraints[i].definition);
        *ret_there = true;
    }
    return NULL;
}

/* ---- check -----------------------------------------------------------------------------------------------
 */

Phase constraint_phase(const TableWork *work, const ConstraintSpec *spec, const char *of_column)
{
    if (of_column != NULL)
        return PHASE_VERIFY;
    for (size_t i = 0; i < spec->column_count; i++)
        if (spec->columns[i] != NULL && table_column(work->table, spec->columns[i]) == NULL)
            return PHASE_VERIFY;
    return PHASE_PREPARE;
}

/* A table constraint may name columns that this change adds or fills. */
static bool names_new_column(Maker *maker, const TableWork *work, const char *expr_sql)
{
    for (size_t i = 0; i < work->added.len; i++) {
        TableWork one = {.table = &(const Table){.name = work->table->name}};
        *vec_push(maker->arena, &one.added) = work->added.items[i];
        if (name_check_column(maker->arena, &one, expr_sql) != NULL)
            return true;
    }
    return false;
}

void constraint_not_valid(Maker *maker, TableWork *work, const char *name, const char *definition,
                          const char *lock, const Table *also)
{
    Arena *arena = maker->arena;
    const char *ident = sql_ident(arena, name);
    Step *step = maker_ddl(
        maker, PHASE_CONSTRAIN, work, lock, arena_printf(arena, "add constraint %s for new rows", ident),
        arena_printf(arena, "ALTER TABLE %s ADD CONSTRAINT %s %s NOT VALID", work->sql, ident, definition),
        arena_printf(arena, "ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s", work->sql, ident));
    if (also == NULL)
        return;
    step_add_lock(maker, step, also);
    step_add_tree(maker, step, also, "SHARE ROW EXCLUSIVE");
}

static Err *check_add(Maker *maker, TableWork *work, const ConstraintSpec *spec, const char *of_column)
{
    Arena *arena = maker->arena;
    Phase phase = constraint_phase(work, spec, of_column);
    if (phase == PHASE_PREPARE && names_new_column(maker, work, spec->expr_sql))
        phase = PHASE_VERIFY;
    const char *name = constraint_name(maker, work, spec, of_column);
    const Check check = {.label = arena_printf(arena, "(%s) is false", spec->expr_sql),
                         .predicate = arena_printf(arena, "(%s) IS FALSE", spec->expr_sql),
                         .hint = "correct these rows first: they break the constraint"};
    if (!spec->not_valid)
        maker_checks(maker, phase, work,
                     arena_printf(arena, "no row breaks constraint %s", sql_ident(arena, name)), &check, 1);
    constraint_not_valid(maker, work, name, spec->definition_sql, "ACCESS EXCLUSIVE", NULL);
    if (!spec->not_valid)
        maker_validate(maker, work, name, NULL);
    return NULL;
}

/* ---- unique, primary key -------------------------------------------------------------------- */

static Err *primary_not_null(Maker *maker, TableWork *work, const char *column)
{
    const Operation *adds = maker_adds(maker, work->table, column);
    const Column *there = table_column(work->table, column);
    if (adds != NULL && there == NULL)
        return NULL; /* column_add proves it: the column's own NOT NULL comes with the primary key */
    if (there->not_null && not_null_known(maker->arena, work->table, column))
        return NULL;
    const char *ident = sql_ident(maker->arena, column);
    const Check check = {.label = arena_printf(maker->arena, "%s is null", ident),
                         .predicate = arena_printf(maker->arena, "%s IS NULL", ident),
                         .hint = "a primary key has no nulls: fill these rows first"};
    maker_checks(maker, PHASE_PREPARE, work, arena_printf(maker->arena, "no row lacks %s", ident), &check, 1);
    return not_null_prove(maker, work, column, false, true);
}

/* USING INDEX: the index must be there, or be made by this change. */
static Err *using_index_check(Maker *maker, const TableWork *work, const ConstraintSpec *spec)
{
    const Index *index = table_index(work->table, spec->index_name);
    for (size_t i = 0; index == NULL && i < work->names.len; i++)
        if (str_eq(work->names.items[i], spec->index_name))
            return NULL;
    if (index == NULL)
        return err_new(ERR_USAGE, "\"%s.%s\" has no index \"%s\"", work->table->schema, work->table->name,
                       spec->index_name);
    if (!index->unique || !index->valid)
        return err_hint(err_new(ERR_UNSAFE, "index \"%s\" is %s", spec->index_name,
                                index->unique ? "not valid" : "not unique"),
                        "DROP INDEX CONCURRENTLY %s; then let the constraint build its own",
                        sql_name(maker->arena, index->schema, index->name));
    return NULL;
}

static bool nulls_not_distinct(const ConstraintSpec *spec)
{
    return spec->index_sql != NULL && strstr(spec->index_sql, "NULLS NOT DISTINCT") != NULL;
}

static Err *unique_index(Maker *maker, TableWork *work, const ConstraintSpec *spec, const char *of_column,
                         const char *name)
{
    Arena *arena = maker->arena;
    size_t at = 0;
    for (TableWork *leaf; (leaf = work_next_leaf(maker, work, &at)) != NULL;) {
        const Check check = {.label = arena_printf(arena, "the same (%s) more than once",
                                                   sql_ident_list(arena, spec->columns, spec->column_count)),
                             .query = index_duplicates_query(maker, leaf, spec->columns, spec->column_count,
                                                             nulls_not_distinct(spec)),
                             .hint = "make these rows differ, or remove what is too much"};
        const char *title = arena_printf(arena, "no duplicates for %s", sql_ident(arena, name));
        maker_checks(maker, constraint_phase(work, spec, of_column), leaf, title, &check, 1);
    }
    const Index *there = table_index(work->table, name);
    if (work->table->kind == RELATION_PARTITIONED)
        return NULL; /* key_tree() builds one in each partition */
    if (there == NULL || !there->valid)
        index_build(maker, work, name, true, spec->index_sql);
    else if (!there->unique || there->constraint != NULL || !columns_equal(there, spec))
        return err_hint(err_new(ERR_UNSAFE, "index \"%s\" exists already with another definition", name),
                        "it is: %s", there->definition);
    return NULL;
}

static Err *unique_add(Maker *maker, TableWork *work, const ConstraintSpec *spec, const char *of_column)
{
    Arena *arena = maker->arena;
    if (maker->server->version_num < 150000 && nulls_not_distinct(spec))
        return err_hint(
            err_new(ERR_UNSAFE, "PostgreSQL %s has no NULLS NOT DISTINCT: it came with 15",
                    maker->server->version),
            "two unique indexes do the same: one over the columns, one over the others WHERE … IS NULL");
    bool primary = spec->kind == CONSTRAINT_PRIMARY_KEY;
    for (size_t i = 0; i < spec->column_count; i++)
        TRY(maker_needs_column(maker, work->table, spec->columns[i]));
    if (spec->index_name != NULL && work->table->kind == RELATION_PARTITIONED)
        return key_tree(maker, work, spec, spec->index_name); /* refuses it */
    if (spec->index_name != NULL)
        TRY(using_index_check(maker, work, spec));
    const char *name = constraint_name(maker, work, spec, of_column);
    const Index *given = spec->index_name != NULL ? table_index(work->table, spec->index_name) : NULL;
    if (spec->index_name == NULL)
        TRY(unique_index(maker, work, spec, of_column, name));
    size_t key_count = given != NULL ? given->column_count : spec->column_count;
    for (size_t i = 0; primary && i < key_count; i++) {
        const char *column = given != NULL ? given->columns[i] : spec->columns[i];
        if (column == NULL)
            return err_new(ERR_USAGE, "index \"%s\" has an expression: no primary key", spec->index_name);
        TRY(primary_not_null(maker, work, column));
    }
    if (work->table->kind == RELATION_PARTITIONED)
        return key_tree(maker, work, spec, name);
    const char *index = spec->index_name != NULL ? spec->index_name : name, *ident = sql_ident(arena, name);
    const TableConstraint *old = primary ? primary_key_dropped(maker, work) : NULL;
    Step *step = maker_ddl(maker, PHASE_CONSTRAIN, work, "ACCESS EXCLUSIVE",
                           arena_printf(arena, "make index %s the %s", sql_ident(arena, index),
                                        primary ? "primary key" : "unique constraint"),
                           old != NULL ? arena_printf(arena, "ALTER TABLE %s DROP CONSTRAINT %s", work->sql,
                                                      sql_ident(arena, old->name))
                                       : NULL,
                           NULL);
    step_add_sql(maker, step,
                 arena_printf(arena, "ALTER TABLE %s ADD CONSTRAINT %s %s USING INDEX %s%s", work->sql, ident,
                              primary ? "PRIMARY KEY" : "UNIQUE", sql_ident(arena, index),
                              spec->suffix_sql != NULL ? spec->suffix_sql : ""));
    step_add_undo(maker, step,
                  arena_printf(arena, "ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s", work->sql, ident));
    if (old != NULL)
        back_constraint(maker, work, step, old);
    return NULL;
}

/* ---- exclude ---------------------------------------------------------------------------------------------
 */

/* There is no online form: the index is built under the lock, about 50 rows a millisecond. */
static Err *exclude_add(Maker *maker, TableWork *work, const ConstraintSpec *spec)
{
    enum { ROWS_PER_MS = 50 };
    Arena *arena = maker->arena;
    const Table *table = work->table;
    int64_t stall_ms = table->empty ? 1 : estimate_stall_ms(table) + table->row_estimate / ROWS_PER_MS;
    if (!table->empty && stall_ms > maker->input->options.max_stall_ms)
        return err_hint(
            err_new(
                ERR_UNSAFE,
                "EXCLUDE has no online form: its index on \"%s.%s\" would be built for about %lld ms under "
                "ACCESS EXCLUSIVE, more than --max-stall",
                table->schema, table->name, (long long)stall_ms),
            "by hand: a new table with the constraint, filled and swapped; or a unique index where = alone "
            "is meant; "
            "or a longer --max-stall with --accept-scan at a quiet time");
    if (!table->empty)
        maker_risk(maker, "scan", "--accept-scan",
                   arena_printf(arena,
                                "EXCLUDE builds an index on %s for about %lld ms under ACCESS EXCLUSIVE",
                                work->sql, (long long)stall_ms),
                   NULL);
    const char *ident = sql_ident(arena, constraint_name(maker, work, spec, NULL));
    Step *step = maker_ddl(
        maker, PHASE_CONSTRAIN, work, "ACCESS EXCLUSIVE", arena_printf(arena, "add constraint %s", ident),
        arena_printf(arena, "ALTER TABLE %s ADD CONSTRAINT %s %s", work->sql, ident, spec->definition_sql),
        arena_printf(arena, "ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s", work->sql, ident));
    step->scans = !table->empty;
    step_estimate(step, 1, stall_ms * 2 + 20);
    return NULL;
}

/* ---- the operations ------------------------------------------------------------------------- */

Err *constraint_add(Maker *maker, TableWork *work, const ConstraintSpec *spec, const char *of_column)
{
    bool there = false;
    TRY(constraint_there(maker, work, spec, of_column, &there));
    if (there)
        return NULL;
    for (size_t i = 0; i < spec->column_count && spec->kind == CONSTRAINT_FOREIGN_KEY; i++)
        TRY(maker_needs_column(maker, work->table, spec->columns[i]));
    switch (spec->kind) {
    case CONSTRAINT_CHECK:
        return check_add(maker, work, spec, of_column);
    case CONSTRAINT_FOREIGN_KEY:
        return foreign_key_add(maker, work, spec, of_column);
    case CONSTRAINT_UNIQUE:
    case CONSTRAINT_PRIMARY_KEY:
        return unique_add(maker, work, spec, of_column);
    case CONSTRAINT_EXCLUDE:
        return exclude_add(maker, work, spec);
    }
    return err_new(ERR_BUG, "constraint of an unknown kind");
}

bool constraint_made_of(Maker *maker, const TableWork *work, const char *index)
{
    for (size_t i = 0; i < maker->change->operation_count; i++) {
        const Operation *op = &maker->change->operations[i];
        if (op->kind == OPERATION_ADD_CONSTRAINT && str_eq(op->constraint->index_name, index) &&
            op->constraint->name != NULL && maker_work(maker, maker_table(maker, op->table, false)) == work) {
            const TableConstraint *there = table_constraint(work->table, op->constraint->name);
            return there != NULL && there->kind == kind_letter(op->constraint->kind);
        }
    }
    return false;
}

static bool name_given(const TableWork *work, const char *name)
{
    for (size_t i = 0; i < work->names.len; i++)
        if (str_eq(work->names.items[i], name))
            return true;
    return false;
}

Err *constraint_validate(Maker *maker, const Operation *op, TableWork *work)
{
    Arena *arena = maker->arena;
    const TableConstraint *there = table_constraint(work->table, op->constraint_name);
    if (there == NULL && !name_given(work, op->constraint_name))
        return err_new(ERR_USAGE, "\"%s.%s\" has no constraint \"%s\"", work->table->schema,
                       work->table->name, op->constraint_name);
    if (there != NULL && there->validated)
        return NULL;
    if (there != NULL && there->kind == 'c' && str_starts(there->definition, "CHECK ")) {
        const char *expr = without_suffix(arena, there->definition + strlen("CHECK "), " NOT VALID");
        expr = without_suffix(arena, expr, " NO INHERIT");
        const Check check = {.label = arena_printf(arena, "%s is false", expr),
                             .predicate = arena_printf(arena, "%s IS FALSE", expr),
                             .hint = "correct these rows first: they break the constraint"};
        maker_checks(
            maker, PHASE_PREPARE, work,
            arena_printf(arena, "no row breaks constraint %s", sql_ident(arena, op->constraint_name)), &check,
            1);
    }
    maker_validate(maker, work, op->constraint_name, NULL);
    return NULL;
}
