/* --versioned on PostgreSQL: which tables get a view, what it shows, and the steps that make and end it. */
#include "plan/version.h"

#include "base/digest.h"

#include <ctype.h>
#include <string.h>

enum { SCHEMA_BYTES_MAX = 63, PARENT_ROW_TRIGGER_VERSION = 110000 };

/* ---- the schema's name ---------------------------------------------------------------------- */

/* The table has another shape afterwards than before. */
static bool changes_shape(const Operation *op)
{
    return op->kind == OPERATION_ADD_COLUMN || op->kind == OPERATION_CHANGE_TYPE ||
           op->kind == OPERATION_RENAME_COLUMN || op->kind == OPERATION_RENAME_TABLE ||
           op->kind == OPERATION_SET_SCHEMA || op->kind == OPERATION_DROP_COLUMN;
}

/* "public_orders_amount_cents": a name that needs no quotes where the change's has none but letters, digits,
 * hyphens and dots; what does not fit is cut off and kept apart by eight digits of the whole's digest. */
static const char *schema_name(Arena *arena, const char *base, const char *change)
{
    char *name = arena_printf(arena, "%s_%s", base, change);
    const char *digest = digest_text(arena, name, strlen(name)) + strlen("sha256:");
    for (char *at = name + strlen(base); *at != '\0'; at++)
        *at = (char)(*at == '-' || *at == '.' ? '_' : tolower((unsigned char)*at));
    if (strlen(name) <= SCHEMA_BYTES_MAX)
        return name;
    size_t keep = SCHEMA_BYTES_MAX - 9;
    while (keep > 0 && ((unsigned char)name[keep] & 0xC0) == 0x80)
        keep--;
    return arena_printf(arena, "%.*s_%.8s", (int)keep, name, digest);
}

const char *plan_version_schema(Arena *arena, const Change *change, const Table *tables,
                                const WantedName *wanted, size_t count, const char *given)
{
    if (given != NULL)
        return given;
    for (size_t i = 0; i < change->operation_count; i++) {
        const Operation *op = &change->operations[i];
        for (size_t j = 0; j < count && changes_shape(op); j++)
            if (!wanted[j].index && str_eq(wanted[j].name.name, op->table.name) &&
                str_eq(wanted[j].name.schema, op->table.schema) && tables[j].kind != RELATION_MISSING)
                return schema_name(arena, tables[j].schema, change->name);
    }
    return NULL;
}

/* ---- RENAME and SET SCHEMA ------------------------------------------------------------------ */

static Err *rename_column_check(const TableWork *work, const Operation *op)
{
    const Table *table = work->table;
    if (table_column(table, op->column) == NULL)
        return err_new(ERR_USAGE, "table \"%s.%s\" has no column \"%s\"", table->schema, table->name,
                       op->column);
    if (table_column(table, op->new_name) != NULL)
        return err_new(ERR_USAGE, "table \"%s.%s\" has a column \"%s\" already", table->schema, table->name,
                       op->new_name);
    return NULL;
}

Err *version_rename(Maker *maker UNUSED, const Operation *op, TableWork *work)
{
    if (op->kind == OPERATION_RENAME_COLUMN)
        TRY(rename_column_check(work, op));
    work->touched = true; /* its steps come with the others of the version */
    return NULL;
}

/* ---- what the views show ---------------------------------------------------------------------------------
 */

static bool drops_column(const Operation *op, const char *column)
{
    return op->kind == OPERATION_DROP_COLUMN && str_eq(op->column, column);
}

static bool of_work(const Maker *maker, const Operation *op, const TableWork *work)
{
    bool on_index = op->kind == OPERATION_DROP_INDEX || op->on_index;
    if (op->table.name == NULL || on_index)
        return false;
    const Table *table = maker_table(maker, op->table, false);
    return table->kind != RELATION_MISSING && maker_work(maker, table) == work;
}

/* The column as the view shows it: NULL where it is dropped. */
static const char *shown_name(const Maker *maker, const TableWork *work, const char *column)
{
    const char *shown = column;
    for (size_t i = 0; i < maker->change->operation_count; i++) {
        const Operation *op = &maker->change->operations[i];
        if (!of_work(maker, op, work))
            continue;
        if (drops_column(op, column))
            return NULL;
        if (op->kind == OPERATION_RENAME_COLUMN && str_eq(op->column, column))
            shown = op->new_name;
    }
    return shown;
}

static Err *add_shown(Maker *maker, VersionTable *table, ShownColumn column)
{
    column.shown = shown_name(maker, table->work, column.old);
    if (column.shown == NULL)
        return NULL;
    for (size_t i = 0; i < table->columns.len; i++)
        if (str_eq(table->columns.items[i].shown, column.shown))
            return err_new(ERR_USAGE, "two columns of \"%s\" would have the name \"%s\"",
                           table->work->table->name, column.shown);
    *vec_push(maker->arena, &table->columns) = column;
    if (!str_eq(column.shown, column.old))
        *vec_push(maker->arena, &table->renames) = column;
    return NULL;
}

static const Twin *twin_of(const TableWork *work, const char *column, bool hidden)
{
    for (size_t i = 0; i < work->twins.len; i++) {
        const Twin *twin = &work->twins.items[i];
        if (str_eq(hidden ? twin->hidden : twin->old->name, column))
            return twin;
    }
    return NULL;
}

/* Twins that other changes have under way are nobody's business. */
static bool is_hidden(const char *column) { return str_starts(column, "_stoa_"); }

static Err *read_columns(Maker *maker, VersionTable *table)
{
    const Table *base = table->work->table;
    for (size_t i = 0; i < base->column_count; i++) {
        const char *name = base->columns[i].name;
        const Twin *twin = twin_of(table->work, name, false);
        if (is_hidden(name))
            continue;
        TRY(add_shown(maker, table,
                      (ShownColumn){.column = twin != NULL ? twin->hidden : name,
                                    .old = name,
                                    .default_sql = twin != NULL ? twin->default_sql : NULL}));
    }
    for (size_t i = 0; i < table->work->added.len; i++) {
        const char *name = table->work->added.items[i];
        if (twin_of(table->work, name, true) == NULL)
            TRY(add_shown(maker, table, (ShownColumn){.column = name, .old = name}));
    }
    if (table->columns.len == 0)
        return err_new(ERR_UNSAFE, "no column of \"%s.%s\" is left to be shown", base->schema, base->name);
    return NULL;
}

static Err *table_check(const Maker *maker, const TableWork *work)
{
    const Table *table = work->table;
    if (table->rls && maker->server->version_num < VERSION_INVOKER)
        return err_hint(err_new(ERR_UNSAFE,
                                "\"%s.%s\" has row level security, which a view would not respect before "
                                "PostgreSQL 15",
                                table->schema, table->name),
                        "leave out --versioned");
    return NULL;
}

static Err *read_table(Maker *maker, TableWork *work, const Face *face, VersionTable *ret_table)
{
    TRY(table_check(maker, work));
    *ret_table = (VersionTable){.work = work, .face = face, .view = work->table->name};
    for (size_t i = 0; i < maker->change->operation_count; i++) {
        const Operation *op = &maker->change->operations[i];
        if (!of_work(maker, op, work))
            continue;
        if (op->kind == OPERATION_RENAME_TABLE)
            ret_table->view = ret_table->new_name = op->new_name;
        if (op->kind == OPERATION_SET_SCHEMA)
            ret_table->new_schema = op->new_name;
    }
    return read_columns(maker, ret_table);
}

static bool has_shape(const Maker *maker, const TableWork *work)
{
    for (size_t i = 0; i < maker->change->operation_count; i++)
        if (changes_shape(&maker->change->operations[i]) &&
            of_work(maker, &maker->change->operations[i], work) && !maker->consumed[i])
            return true;
    return false;
}

static Err *read_tables(Maker *maker, Version *version)
{
    const PlanInput *input = maker->input;
    version->tables = arena_alloc(maker->arena, (maker->work_count + 1) * sizeof *version->tables);
    for (size_t i = 0; i < maker->work_count; i++) {
        TableWork *work = &maker->works[i];
        if (!work->touched || !has_shape(maker, work))
            continue;
        VersionTable *table = &version->tables[version->table_count];
        TRY(read_table(maker, work, &input->faces[work->table - input->tables], table));
        for (size_t j = 0; j < version->table_count; j++)
            if (str_eq(version->tables[j].view, table->view))
                return err_hint(
                    err_new(ERR_UNSAFE, "two tables of this change are named \"%s\"", table->view),
                    "make two changes of it: a version is one schema");
        version->table_count++;
    }
    return NULL;
}

static Err *version_open(Maker *maker, Version *version)
{
    const PlanInput *input = maker->input;
    *version = (Version){.change = maker->change->name, .schema = input->version_schema};
    TRY(read_tables(maker, version));
    if (version->table_count == 0)
        return NULL;
    if (input->faces == NULL || version->schema == NULL)
        return err_new(ERR_BUG, "what the views are to carry was not loaded");
    version->owner = version->tables[0].work->table->owner;
    if (strlen(version->schema) > SCHEMA_BYTES_MAX)
        return err_new(ERR_USAGE, "--versioned: the name \"%s\" is longer than %d bytes", version->schema,
                       SCHEMA_BYTES_MAX);
    if (input->version_taken)
        return err_hint(err_new(ERR_UNSAFE, "schema \"%s\" exists already", version->schema),
                        "choose another one: --versioned=NAME");
    if (!maker->server->may_create_schema)
        return err_hint(err_new(ERR_PRIVILEGE, "role \"%s\" may not create schema \"%s\"",
                                maker->server->role, version->schema),
                        "GRANT CREATE ON DATABASE %s TO %s", sql_ident(maker->arena, maker->server->database),
                        sql_ident(maker->arena, maker->server->role));
    return NULL;
}

/* ---- steps ---------------------------------------------------------------------------------- */

/* A short transaction without a table of its own. */
static Step *step_alone(Maker *maker, Phase phase, const char *owner, const char *title)
{
    Step *step = maker_step(maker, phase, STEP_DDL, NULL, title);
    step->timeout = TIMEOUT_LOCK;
    step->role = str_eq(owner, maker->server->role) ? NULL : owner;
    step_estimate(step, 1, 20);
    return step;
}

static void add_all(Maker *maker, Step *step, const Texts *sql)
{
    for (size_t i = 0; i < sql->len; i++)
        step_add_sql(maker, step, sql->items[i]);
}

static void add_schema_end(Maker *maker, const Version *version, Step *step, bool undo)
{
    Arena *arena = maker->arena;
    const char *const sql[] = {
        arena_printf(arena, "DROP FUNCTION IF EXISTS %s()", sql_name(arena, version->schema, VERSION_FITS)),
        arena_printf(arena, "DROP FUNCTION IF EXISTS %s()", sql_name(arena, version->schema, VERSION_WRITES)),
        arena_printf(arena, "DROP SCHEMA IF EXISTS %s", sql_ident(arena, version->schema))};
    for (size_t i = 0; i < ARRAY_LEN(sql); i++)
        if (undo)
            step_add_undo(maker, step, sql[i]);
        else
            step_add_sql(maker, step, sql[i]);
}

static void make_schema(Maker *maker, const Version *version)
{
    Arena *arena = maker->arena;
    const char *schema = sql_ident(arena, version->schema);
    const char *owner = sql_ident(arena, version->owner);
    Step *step = step_alone(maker, PHASE_CONSTRAIN, version->owner,
                            arena_printf(arena, "make schema %s for the new application", schema));
    if (step->role == NULL) {
        step_add_sql(maker, step, arena_printf(arena, "CREATE SCHEMA %s", schema));
    } else { /* it is ours to make and the owner's to have */
        step_add_sql(maker, step, "SET LOCAL ROLE NONE");
        step_add_sql(maker, step, arena_printf(arena, "CREATE SCHEMA %s AUTHORIZATION %s", schema, owner));
        step_add_sql(maker, step, arena_printf(arena, "SET LOCAL ROLE %s", owner));
    }
    const char *comment =
        arena_printf(arena,
                     "Stoa: the tables as version \"%s\" of the application sees them. Made by --versioned; "
                     "for sessions with that name in the setting stoa.version",
                     version->change);
    step_add_sql(maker, step,
                 arena_printf(arena, "COMMENT ON SCHEMA %s IS %s", schema, sql_literal(arena, comment)));
    step_add_sql(maker, step, version_fits_sql(arena, version, false));
    step_add_sql(maker, step, version_writes_sql(arena, version));
    step_add_sql(maker, step,
                 arena_printf(arena, "GRANT EXECUTE ON FUNCTION %s() TO PUBLIC",
                              sql_name(arena, version->schema, VERSION_FITS)));
    Texts grants = version_schema_grants(arena, version);
    add_all(maker, step, &grants);
    add_schema_end(maker, version, step, true);
}

/* The base table's trigger: for parents of partitions from 11 on. */
static bool wants_trigger(const Maker *maker, const VersionTable *table)
{
    return table->work->table->kind != RELATION_PARTITIONED ||
           maker->server->version_num >= PARENT_ROW_TRIGGER_VERSION;
}

static void make_trigger(Maker *maker, const Version *version, const VersionTable *table)
{
    if (!wants_trigger(maker, table))
        return;
    Arena *arena = maker->arena;
    maker_ddl(
        maker, PHASE_CONSTRAIN, table->work, "SHARE ROW EXCLUSIVE",
        arena_printf(arena, "refuse writes to %s past its view by the new application", table->work->sql),
        version_trigger_sql(arena, version, table), version_trigger_drop_sql(arena, version, table));
}

static const char *view_drop_sql(Arena *arena, const char *schema, const char *view)
{
    return arena_printf(arena, "DROP VIEW IF EXISTS %s", sql_name(arena, schema, view));
}

static void make_view(Maker *maker, const Version *version, const VersionTable *table)
{
    Arena *arena = maker->arena;
    const char *view = sql_name(arena, version->schema, table->view);
    Step *step =
        step_alone(maker, PHASE_CONSTRAIN, table->work->table->owner,
                   arena_printf(arena, "show the new shape of %s as view %s", table->work->sql, view));
    Texts sql = version_view_sql(arena, maker->server, version, table);
    add_all(maker, step, &sql);
    *vec_push(arena, &maker->covered) = sql.items[0];
    step_add_undo(maker, step, view_drop_sql(arena, version->schema, table->view));
    /* whoever reads the view when it is to go is waited for like any other */
    step->lock = "ACCESS EXCLUSIVE";
    step_add_lock_mode(maker, step, view, "ACCESS EXCLUSIVE");
}

/* Who still says the old names is looked for before they go. */
static void look_for_old(Maker *maker, const VersionTable *table)
{
    for (size_t i = 0; i < table->renames.len; i++)
        maker_evidence(maker, table->work, table->renames.items[i].old, false);
    if (table->new_name != NULL)
        maker_evidence(maker, table->work, NULL, true);
}

/* The table's own new names, which it takes with `complete`; the view goes on under the old ones inside. */
static void give_names(Maker *maker, const Version *version, const VersionTable *table)
{
    Arena *arena = maker->arena;
    bool renames = table->renames.len > 0 || table->new_name != NULL || table->new_schema != NULL;
    if (!renames && !wants_trigger(maker, table))
        return;
    Step *step = maker_ddl(maker, PHASE_CONTRACT, table->work, "ACCESS EXCLUSIVE",
                           renames ? arena_printf(arena, "give %s its new names", table->work->sql)
                                   : arena_printf(arena, "let every version write to %s", table->work->sql),
                           NULL, NULL);
    if (wants_trigger(maker, table))
        step_add_sql(maker, step, version_trigger_drop_sql(arena, version, table));
    for (size_t i = 0; i < table->renames.len; i++)
        step_add_sql(maker, step,
                     arena_printf(arena, "ALTER TABLE %s RENAME COLUMN %s TO %s", table->work->sql,
                                  sql_ident(arena, table->renames.items[i].column),
                                  sql_ident(arena, table->renames.items[i].shown)));
    const char *name = table->work->sql;
    if (table->new_name != NULL) {
        step_add_sql(
            maker, step,
            arena_printf(arena, "ALTER TABLE %s RENAME TO %s", name, sql_ident(arena, table->new_name)));
        name = sql_name(arena, table->work->table->schema, table->new_name);
    }
    if (table->new_schema != NULL)
        step_add_sql(
            maker, step,
            arena_printf(arena, "ALTER TABLE %s SET SCHEMA %s", name, sql_ident(arena, table->new_schema)));
}

/* What was for the time of two applications: from here on parallel plans are possible again. */
static void keep_lasting(Maker *maker, const Version *version)
{
    Arena *arena = maker->arena;
    Step *step = step_alone(maker, PHASE_CONTRACT, version->owner,
                            arena_printf(arena, "keep schema %s for the application that uses it",
                                         sql_ident(arena, version->schema)));
    step_add_sql(maker, step, version_fits_sql(arena, version, true));
    step_add_sql(maker, step,
                 arena_printf(arena, "DROP FUNCTION IF EXISTS %s()",
                              sql_name(arena, version->schema, VERSION_WRITES)));
}

/* Views of versions before this one go before anything is taken from the tables that they show: with the old
 * application, whose they are. A schema with nothing else in it goes with its last view. */
static void end_older(Maker *maker, const VersionTable *table)
{
    Arena *arena = maker->arena;
    for (size_t i = 0; i < table->face->version_count; i++) {
        const VersionView *old = &table->face->versions[i];
        const char *view = sql_name(arena, old->schema, old->view);
        Step *step = step_alone(maker, PHASE_CONTRACT, table->work->table->owner,
                                arena_printf(arena, "drop view %s of the version before", view));
        step_add_sql(maker, step, view_drop_sql(arena, old->schema, old->view));
        Version older = {.schema = old->schema};
        if (old->other_count == 0 && step->role != NULL) /* whoever the schema belongs to */
            step_add_sql(maker, step, "SET LOCAL ROLE NONE");
        if (old->other_count == 0)
            add_schema_end(maker, &older, step, false);
        step->lock = "ACCESS EXCLUSIVE";
        step_add_lock_mode(maker, step, view, "ACCESS EXCLUSIVE");
        step->first = true;
    }
}

/* `revert`: the views go first, since they show columns that it takes away; all else of a version is taken
 * back like any other step. */
static void revert_steps(Maker *maker, const Version *version)
{
    Arena *arena = maker->arena;
    for (size_t i = 0; i < version->table_count; i++) {
        const VersionTable *table = &version->tables[i];
        const char *view = sql_name(arena, version->schema, table->view);
        Step *step = step_alone(maker, PHASE_REVERT, table->work->table->owner,
                                arena_printf(arena, "drop view %s", view));
        step_add_sql(maker, step, view_drop_sql(arena, version->schema, table->view));
        step->lock = "ACCESS EXCLUSIVE";
        step->needs_back = true;
        step_add_lock_mode(maker, step, view, "ACCESS EXCLUSIVE");
        *vec_push(arena, &maker->reverts_first) = *step;
        maker->steps[PHASE_REVERT].len--;
    }
    maker->derives_revert = true;
}

/* ---- what a person should know -------------------------------------------------------------- */

static const char *path_text(const Maker *maker, const Version *version)
{
    Str path CLEANUP(str_donep) = STR_INIT;
    str_add(&path, sql_ident(maker->arena, version->schema));
    for (size_t i = 0; i < maker->server->search_path_count; i++)
        str_addf(&path, ", %s", sql_ident(maker->arena, maker->server->search_path[i]));
    return arena_dup(maker->arena, path.buf);
}

/* Policies and grants on single columns cannot both be kept by one view. */
static void tell_columns(Maker *maker, const VersionTable *table)
{
    for (size_t i = 0; i < table->face->grant_count && table->work->table->rls; i++)
        if (table->face->grants[i].column != NULL) {
            maker_risk(maker, "view-columns", NULL,
                       arena_printf(maker->arena,
                                    "%s has row level security and grants on single columns: roles with only "
                                    "these cannot read its view",
                                    table->work->sql),
                       NULL);
            return;
        }
}

static void tell(Maker *maker, const Version *version)
{
    Arena *arena = maker->arena;
    for (size_t i = 0; i < version->table_count; i++)
        tell_columns(maker, &version->tables[i]);
    maker_risk(maker, "view", "--accept-view",
               arena_printf(arena,
                            "in schema %s the new application meets views, through which some statements do "
                            "not work: COPY … FROM, COPY view TO, TRUNCATE, ON CONFLICT ON CONSTRAINT, GROUP "
                            "BY the primary key alone, ctid and xmin, pg_get_serial_sequence(), foreign keys "
                            "that refer to them, and on PostgreSQL 10 LOCK TABLE",
                            sql_ident(arena, version->schema)),
               NULL);
    maker_risk(maker, "version", NULL,
               arena_printf(arena,
                            "the new application sets search_path and stoa.version, the old one neither; a "
                            "session that mixes them up gets an error"),
               arena_printf(arena, "SET search_path = %s; SET stoa.version = %s", path_text(maker, version),
                            sql_literal(arena, version->change)));
}

/* ---- the whole ------------------------------------------------------------------------------------------
 */

bool version_ends(const Maker *maker, const Table *table, const char *schema, const char *view)
{
    const PlanInput *input = maker->input;
    if (!input->options.versioned || input->faces == NULL || table < input->tables ||
        table >= input->tables + input->table_count)
        return false;
    const Face *face = &input->faces[table - input->tables];
    for (size_t i = 0; i < face->version_count; i++)
        if (str_eq(face->versions[i].schema, schema) && str_eq(face->versions[i].view, view))
            return true;
    return false;
}

/* What was asked for is there already, or was never a matter of shape. */
static Err *nothing_shown(const Maker *maker)
{
    for (size_t i = 0; i < maker->change->operation_count; i++)
        if (changes_shape(&maker->change->operations[i]))
            return NULL;
    return err_hint(
        err_new(ERR_USAGE, "--versioned: both applications see the same, whatever this change does"),
        "leave it out: it is for added, dropped and renamed columns, other types and other names of tables");
}

Err *version_finish(Maker *maker)
{
    Version version = {0};
    if (!maker->input->options.versioned)
        return NULL;
    TRY(version_open(maker, &version));
    if (version.table_count == 0)
        return nothing_shown(maker);
    maker->version_schema = version.schema;
    make_schema(maker, &version);
    for (size_t i = 0; i < version.table_count; i++)
        make_trigger(maker, &version, &version.tables[i]);
    for (size_t i = 0; i < version.table_count; i++)
        make_view(maker, &version, &version.tables[i]);
    for (size_t i = 0; i < version.table_count; i++)
        end_older(maker, &version.tables[i]);
    for (size_t i = 0; i < version.table_count; i++)
        look_for_old(maker, &version.tables[i]);
    for (size_t i = 0; i < version.table_count; i++)
        give_names(maker, &version, &version.tables[i]);
    keep_lasting(maker, &version);
    revert_steps(maker, &version);
    tell(maker, &version);
    return NULL;
}
