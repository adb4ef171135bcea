/* A table under another name or in another schema: an updatable view under the new name until `complete`,
 * then the rename itself. The old application meets nothing but its table the whole time. */
#include "plan/maker.h"

/* What a table is to be called. */
typedef struct Target {
    const char *schema, *name;
    const char *sql;  /* both, quoted */
    const char *move; /* behind "ALTER TABLE old": "RENAME TO new" */
    const char *back; /* the statement that takes it back */
} Target;

static Target target_of(Arena *arena, const Operation *op, const TableWork *work)
{
    const Table *table = work->table;
    bool schema = op->kind == OPERATION_SET_SCHEMA;
    Target target = {.schema = schema ? op->new_name : table->schema,
                     .name = schema ? table->name : op->new_name};
    target.sql = sql_name(arena, target.schema, target.name);
    target.move =
        arena_printf(arena, "%s %s", schema ? "SET SCHEMA" : "RENAME TO", sql_ident(arena, op->new_name));
    target.back =
        arena_printf(arena, "ALTER TABLE IF EXISTS %s %s %s", target.sql, schema ? "SET SCHEMA" : "RENAME TO",
                     sql_ident(arena, schema ? table->schema : table->name));
    return target;
}

static const char *move_sql(Arena *arena, const TableWork *work, const Target *target)
{
    return arena_printf(arena, "ALTER TABLE %s %s", work->sql, target->move);
}

/* Statements under the old name would not find the table, or the view would lack what they change. */
static Err *alone_check(const Maker *maker, const Operation *op, const TableWork *work, bool direct)
{
    for (size_t i = 0; i < maker->change->operation_count; i++) {
        const Operation *other = &maker->change->operations[i];
        const Table *table =
            maker_table(maker, other->table, other->kind == OPERATION_DROP_INDEX || other->on_index);
        bool same = other != op && table->kind != RELATION_MISSING && maker_work(maker, table) == work;
        bool shape = other->kind == OPERATION_DROP_COLUMN || other->kind == OPERATION_CHANGE_TYPE ||
                     other->kind == OPERATION_RENAME_COLUMN || other->kind == OPERATION_RENAME_TABLE ||
                     other->kind == OPERATION_SET_SCHEMA || other->kind == OPERATION_DROP_TABLE;
        if (same && (direct || shape || other > op))
            return err_hint(err_new(ERR_UNSAFE,
                                    "line %d: \"%s.%s\" gets another name or schema in the same change: its "
                                    "other changes need a change of their own",
                                    other->line, work->table->schema, work->table->name),
                            "one change for the name, another for the rest");
    }
    return NULL;
}

static Err *target_check(Maker *maker, const Operation *op, const TableWork *work, const Target *target)
{
    bool schema = op->kind == OPERATION_SET_SCHEMA;
    Name name = {.schema = schema ? op->new_name : op->table.schema, .name = target->name};
    const Table *there = maker_table(maker, name, false);
    if (there->kind != RELATION_MISSING && str_eq(there->schema, target->schema))
        return err_new(ERR_USAGE, "%s exists already: a %s", target->sql, relation_kind_name(there->kind));
    if (there->schema_missing)
        return err_hint(err_new(ERR_USAGE, "schema \"%s\" does not exist", target->schema),
                        "CREATE SCHEMA %s", sql_ident(maker->arena, target->schema));
    if (work->table->sync_count > 0)
        return err_hint(err_new(ERR_UNSAFE,
                                "another change is under way on \"%s.%s\" and knows it by this name",
                                work->table->schema, work->table->name),
                        "complete or abort it first: stoa status");
    return NULL;
}

/* ---- the view ------------------------------------------------------------------------------- */

/* Columns in the order of the table, with those that this change adds behind them. */
static const char *view_sql(Maker *maker, const TableWork *work, const Target *target)
{
    Str columns CLEANUP(str_donep) = STR_INIT;
    for (size_t i = 0; i < work->table->column_count; i++) {
        str_sep(&columns, ", ");
        sql_add_ident(&columns, work->table->columns[i].name);
    }
    for (size_t i = 0; i < work->added.len; i++) {
        str_sep(&columns, ", ");
        sql_add_ident(&columns, work->added.items[i]);
    }
    return arena_printf(maker->arena, "CREATE VIEW %s%s AS SELECT %s FROM %s", target->sql,
                        maker->server->version_num >= 150000 ? " WITH (security_invoker = true)" : "",
                        columns.buf, work->sql);
}

/* Who may do what on the table may do so through the view; comments go along for whoever looks. */
static void face_copy(Maker *maker, const TableWork *work, const Target *target, Step *step)
{
    Arena *arena = maker->arena;
    const Face *face = work->table->face;
    for (size_t i = 0; face != NULL && i < face->grant_count; i++) {
        const Grant *grant = &face->grants[i];
        const char *column =
            grant->column == NULL ? "" : arena_printf(arena, " (%s)", sql_ident(arena, grant->column));
        step_add_sql(maker, step,
                     arena_printf(arena, "GRANT %s%s ON %s TO %s%s", grant->privilege, column, target->sql,
                                  grant->grantee == NULL ? "PUBLIC" : sql_ident(arena, grant->grantee),
                                  grant->grantable ? " WITH GRANT OPTION" : ""));
    }
    if (face != NULL && face->comment != NULL)
        step_add_sql(
            maker, step,
            arena_printf(arena, "COMMENT ON VIEW %s IS %s", target->sql, sql_literal(arena, face->comment)));
    for (size_t i = 0; face != NULL && i < face->comment_count; i++)
        step_add_sql(maker, step,
                     arena_printf(arena, "COMMENT ON COLUMN %s.%s IS %s", target->sql,
                                  sql_ident(arena, face->comments[i].column),
                                  sql_literal(arena, face->comments[i].comment)));
}

/* Tried on 10, 15 and 18. */
static void view_risk(Maker *maker, const TableWork *work, const Target *target)
{
    int version = maker->server->version_num;
    maker_risk(
        maker, "view", "--accept-view",
        arena_printf(maker->arena,
                     "until \"complete\" %s is a view over %s. Through it work SELECT, INSERT, UPDATE, "
                     "DELETE, RETURNING, ON CONFLICT (columns), FOR UPDATE%s; these do not: COPY, TRUNCATE, "
                     "ON CONFLICT ON CONSTRAINT, GROUP BY the primary key alone, ctid and tableoid, "
                     "TABLESAMPLE, WHERE CURRENT OF, foreign keys to it%s%s",
                     target->sql, work->sql, version >= 170000 ? ", MERGE" : "",
                     version < 110000 ? ", LOCK TABLE" : "",
                     version >= 150000 && version < 170000 ? ", MERGE" : ""),
        NULL);
}

static void names_risk(Maker *maker, const TableWork *work, const Target *target)
{
    Arena *arena = maker->arena;
    Str found CLEANUP(str_donep) = STR_INIT;
    for (size_t i = 0; i < work->table->dependent_count; i++)
        if (work->table->dependents[i].hint && work->table->dependents[i].column == NULL) {
            str_sep(&found, ", ");
            str_add(&found, work->table->dependents[i].text);
        }
    if (found.len > 0)
        maker_risk(maker, "mentions", NULL,
                   arena_printf(arena, "these mention %s in their text, and may fail afterwards: %s",
                                work->sql, found.buf),
                   NULL);
    for (size_t i = 0; i < work->table->publication_count; i++)
        maker_risk(
            maker, "subscribers", "--subscribers-ready",
            arena_printf(arena,
                         "publication %s carries %s: subscribers go by its name, and stop at the first row "
                         "under the new one until they have such a table",
                         sql_ident(arena, work->table->publications[i].name), work->sql),
            move_sql(arena, work, target));
}

static Err *direct(Maker *maker, TableWork *work, const Target *target)
{
    Arena *arena = maker->arena;
    if (!work->table->empty)
        maker_risk(
            maker, "rename", "--accept-rename",
            arena_printf(arena, "%s is gone under this name at once: whoever uses it fails", work->sql),
            NULL);
    Step *step = maker_ddl(maker, PHASE_CONSTRAIN, work, "ACCESS EXCLUSIVE",
                           arena_printf(arena, "%s becomes %s", work->sql, target->sql),
                           move_sql(arena, work, target), NULL);
    step_only(step); /* partitions keep their names, and their schema */
    Step *back = back_push(maker, step, work->table, STEP_DDL, "ACCESS EXCLUSIVE",
                           arena_printf(arena, "%s becomes %s again", target->sql, work->sql));
    back->table = (Name){.schema = target->schema, .name = target->name}; /* as it is called then */
    back->lock_count = back->lock_tree = 0;
    step_add_lock_mode(maker, back, target->sql, "ACCESS EXCLUSIVE");
    step_add_sql(maker, back, target->back);
    maker->derives_revert = true;
    return NULL;
}

static Err *through_view(Maker *maker, TableWork *work, const Target *target)
{
    Arena *arena = maker->arena;
    if (work->table->rls && maker->server->version_num < 150000)
        return err_hint(
            err_new(ERR_UNSAFE,
                    "\"%s.%s\" has row level security, and a view reads past it before PostgreSQL 15",
                    work->table->schema, work->table->name),
            "--accept-rename renames at once; applications must know the new name then");
    const char *drop = arena_printf(arena, "DROP VIEW IF EXISTS %s", target->sql);
    Step *step = maker_ddl(maker, PHASE_CONSTRAIN, work, "ACCESS SHARE",
                           arena_printf(arena, "%s can be used: a view over %s", target->sql, work->sql),
                           view_sql(maker, work, target), drop);
    step_only(step);
    face_copy(maker, work, target, step);
    maker->derives_revert = true;
    maker_evidence(maker, work, NULL, true);
    step = maker_ddl(maker, PHASE_CONTRACT, work, "ACCESS EXCLUSIVE",
                     arena_printf(arena, "%s becomes %s", work->sql, target->sql), drop, NULL);
    step_only(step);
    step_add_sql(maker, step, move_sql(arena, work, target));
    step_add_lock_mode(maker, step, target->sql, "ACCESS EXCLUSIVE");
    view_risk(maker, work, target);
    return NULL;
}

Err *table_rename(Maker *maker, const Operation *op, TableWork *work)
{
    Target target = target_of(maker->arena, op, work);
    if (str_eq(target.schema, work->table->schema) && str_eq(target.name, work->table->name))
        return NULL;
    bool at_once = work->table->empty || maker_accepts(maker, "rename");
    TRY(target_check(maker, op, work, &target));
    TRY(alone_check(maker, op, work, at_once));
    names_risk(maker, work, &target);
    return at_once ? direct(maker, work, &target) : through_view(maker, work, &target);
}
