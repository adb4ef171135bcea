/* Forms of ALTER TABLE that are one short step, of which more has to be known than that: what they
 * presuppose, what they take with them, how they are taken back. */
#include "plan/maker.h"

#include <string.h>

/* What a form adds to its step. */
typedef struct Form {
    Texts before, after; /* statements around the one that was asked for, in its transaction */
    Texts undo;
    bool done;     /* nothing is left to do */
    bool own_role; /* as ourselves, not as the owner */
} Form;

static bool asks(const Operation *op, const char *words) { return str_eq(op->words, words); }

/* Another operation on the same table. */
static bool has_company(const Maker *maker, const Operation *op, const TableWork *work)
{
    for (size_t i = 0; i < maker->change->operation_count; i++) {
        const Operation *other = &maker->change->operations[i];
        const Table *table =
            maker_table(maker, other->table, other->kind == OPERATION_DROP_INDEX || other->on_index);
        if (other != op && table->kind != RELATION_MISSING && maker_work(maker, table) == work)
            return true;
    }
    return false;
}

static bool asked_before(const Maker *maker, const Operation *op, OperationKind kind)
{
    for (size_t i = 0; i < maker->change->operation_count; i++) {
        const Operation *other = &maker->change->operations[i];
        if (other < op && other->kind == kind && str_eq(other->column, op->column) &&
            maker_table(maker, other->table, false) == maker_table(maker, op->table, false))
            return true;
    }
    return false;
}

/* ---- identity ------------------------------------------------------------------------------- */

static bool leads_an_index(const Table *table, const char *column)
{
    for (size_t i = 0; i < table->index_count; i++)
        if (table->indexes[i].valid && table->indexes[i].btree && table->indexes[i].column_count > 0 &&
            str_eq(table->indexes[i].columns[0], column) &&
            strstr(table->indexes[i].definition, " WHERE ") == NULL)
            return true;
    return false;
}

/* 'plain_id_seq'::regclass of "nextval('plain_id_seq'::regclass)", the default of a serial column; NULL. */
static const char *sequence_of(Arena *arena, const Column *column)
{
    static const char head[] = "nextval('";
    const char *text = column->default_sql, *end = "::regclass)";
    if (text == NULL || !str_starts(text, head) || strlen(text) < sizeof head + strlen(end) ||
        !str_eq(text + strlen(text) - strlen(end), end))
        return NULL;
    const char *from = text + strlen("nextval(");
    return arena_dupn(arena, from, strlen(from) - 1);
}

static const Dependent *owned_sequence(const Table *table, const char *column)
{
    for (size_t i = 0; i < table->dependent_count; i++)
        if (str_eq(table->dependents[i].column, column) && str_eq(table->dependents[i].kind, "sequence") &&
            table->dependents[i].goes)
            return &table->dependents[i];
    return NULL;
}

/* No number is given twice, whatever the sequence before had come to. */
static const char *highest_sql(Arena *arena, const Operation *op, const TableWork *work, const char *sequence)
{
    return arena_printf(arena, "SELECT GREATEST((SELECT pg_catalog.max(%s) FROM ONLY %s)%s%s%s) AS last",
                        sql_ident(arena, op->column), work->sql,
                        sequence == NULL ? "" : ", pg_catalog.pg_sequence_last_value(",
                        sequence == NULL ? "" : sequence, sequence == NULL ? "" : ")");
}

/* An identity begins at 1, whatever stands in the table: the next number comes from the highest one. */
static Err *identity_start(Maker *maker, const Operation *op, const TableWork *work, Form *form)
{
    Arena *arena = maker->arena;
    const char *ident = sql_ident(arena, op->column);
    int64_t stall_ms = estimate_stall_ms(work->table);
    if (strchr(strstr(op->sql, "GENERATED") != NULL ? strstr(op->sql, "GENERATED") : "", '(') != NULL) {
        maker_risk(
            maker, "identity", NULL,
            arena_printf(arena,
                         "the numbers of %s.%s begin where its options say: what stands in the table is "
                         "not looked at",
                         work->sql, ident),
            NULL);
        return NULL;
    }
    if (work->table->empty)
        return NULL;
    if (!leads_an_index(work->table, op->column) && stall_ms > maker->input->options.max_stall_ms / 2)
        return err_hint(
            err_new(ERR_UNSAFE,
                    "the highest \"%s\" of \"%s.%s\" is needed, and without an index it is found by a scan "
                    "of about %lld ms under ACCESS EXCLUSIVE",
                    op->column, work->table->schema, work->table->name, (long long)stall_ms),
            "CREATE INDEX ON %s (%s) in the same change, before this; or say where to begin: (START WITH …)",
            work->sql, ident);
    /* pg_get_serial_sequence() would give a sequence that a serial column left. */
    *vec_push(arena, &form->after) =
        arena_printf(arena,
                     "SELECT pg_catalog.setval(d.objid::regclass, m.last) FROM pg_catalog.pg_depend d JOIN "
                     "pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid, "
                     "(%s) m WHERE d.classid = 'pg_catalog.pg_class'::regclass AND "
                     "d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype = 'i' AND d.refobjid = "
                     "%s::regclass AND "
                     "a.attname = %s AND m.last > 0",
                     highest_sql(arena, op, work, sequence_of(arena, table_column(work->table, op->column))),
                     sql_literal(arena, work->sql), sql_literal(arena, op->column));
    return NULL;
}

static Err *identity_add(Maker *maker, const Operation *op, const TableWork *work, Form *form)
{
    Arena *arena = maker->arena;
    const Column *column = table_column(work->table, op->column);
    const char *ident = sql_ident(arena, op->column);
    if (column == NULL)
        return err_hint(err_new(ERR_USAGE, "column \"%s\" is added by this change", op->column),
                        "write GENERATED … AS IDENTITY into its ADD COLUMN");
    if (column->identity != '\0')
        return err_new(ERR_USAGE, "column \"%s\" is an identity already", op->column);
    bool proved = column->not_null || asked_before(maker, op, OPERATION_SET_NOT_NULL);
    if (!proved)
        return err_hint(err_new(ERR_UNSAFE, "an identity is NOT NULL, and \"%s\" is not", op->column),
                        "ALTER COLUMN %s SET NOT NULL in the same change, before this", ident);
    if (column->default_sql != NULL && !asked_before(maker, op, OPERATION_DROP_DEFAULT))
        return err_hint(err_new(ERR_UNSAFE, "\"%s\" has a default, %s, and an identity has none", op->column,
                                column->default_sql),
                        "ALTER COLUMN %s DROP DEFAULT in the same change, before this: both happen at once",
                        ident);
    if (column->default_sql !=
        NULL) /* in the same transaction: else inserts would have no value in between */
        *vec_push(arena, &form->before) =
            arena_printf(arena, "ALTER TABLE %s ALTER COLUMN %s DROP DEFAULT", work->sql, ident);
    *vec_push(arena, &form->undo) =
        arena_printf(arena, "ALTER TABLE %s ALTER COLUMN %s DROP IDENTITY IF EXISTS", work->sql, ident);
    if (column->default_sql != NULL)
        *vec_push(arena, &form->undo) = arena_printf(arena, "ALTER TABLE %s ALTER COLUMN %s SET DEFAULT %s",
                                                     work->sql, ident, column->default_sql);
    const Dependent *owned = owned_sequence(work->table, op->column);
    const char *owned_sql = owned != NULL ? sql_name(arena, owned->schema, owned->name) : NULL;
    if (owned !=
        NULL) { /* a column with two of them fails in 10, and pg_get_serial_sequence() gives either */
        *vec_push(arena, &form->before) = arena_printf(arena, "ALTER SEQUENCE %s OWNED BY NONE", owned_sql);
        *vec_push(arena, &form->undo) =
            arena_printf(arena, "ALTER SEQUENCE %s OWNED BY %s.%s", owned_sql, work->sql, ident);
    }
    const char *sequence = sequence_of(arena, column);
    if (sequence != NULL) /* the old one lags behind what the identity gave */
        *vec_push(arena, &form->undo) =
            arena_printf(arena, "SELECT pg_catalog.setval(%s, m.last) FROM (%s) m WHERE m.last > 0", sequence,
                         highest_sql(arena, op, work, sequence));
    return identity_start(maker, op, work, form);
}

bool identity_takes_default(const Maker *maker, const Operation *op)
{
    for (size_t i = 0; i < maker->change->operation_count; i++) {
        const Operation *other = &maker->change->operations[i];
        if (op->kind == OPERATION_DROP_DEFAULT && other > op && other->kind == OPERATION_SETTING &&
            asks(other, "ADD GENERATED AS IDENTITY") && str_eq(other->column, op->column) &&
            maker_table(maker, other->table, false) == maker_table(maker, op->table, false))
            return true;
    }
    return false;
}

static Err *identity_drop(const Operation *op, const TableWork *work, Form *form)
{
    const Column *column = table_column(work->table, op->column);
    form->done = column != NULL && column->identity == '\0' && op->part_if_exists;
    if (column != NULL && column->identity == '\0' && !form->done)
        return err_new(ERR_USAGE, "column \"%s\" is no identity", op->column);
    return NULL;
}

/* ---- generated ------------------------------------------------------------------------------ */

/* Rows keep their values; new ones have what the application writes. */
static Err *expression_drop(Maker *maker, const Operation *op, const TableWork *work, Form *form)
{
    const Column *column = table_column(work->table, op->column);
    if (maker->server->version_num < 130000)
        return err_hint(err_new(ERR_UNSAFE, "PostgreSQL %s has no DROP EXPRESSION", maker->server->version),
                        "add a plain column with a backfill, then drop this one");
    form->done = column != NULL && column->generated_sql == NULL && op->part_if_exists;
    if (column != NULL && column->generated_sql == NULL && !form->done)
        return err_new(ERR_USAGE, "column \"%s\" is not generated", op->column);
    if (column != NULL && column->not_null && !asked_before(maker, op, OPERATION_DROP_NOT_NULL))
        return err_hint(
            err_new(ERR_UNSAFE,
                    "\"%s\" is NOT NULL, and nothing would give it a value: an application that does not "
                    "write it fails at every INSERT",
                    op->column),
            "ALTER COLUMN %s DROP NOT NULL in the same change, before this",
            sql_ident(maker->arena, op->column));
    maker_no_revert(maker, "a generated column lost its expression");
    return NULL;
}

/* ---- row level security --------------------------------------------------------------------- */

static bool has_policy(const Maker *maker, const Operation *op, const TableWork *work)
{
    for (size_t i = 0; i < work->table->dependent_count; i++)
        if (str_eq(work->table->dependents[i].kind, "policy") &&
            str_eq(work->table->dependents[i].on, work->table->name))
            return true;
    for (size_t i = 0; i < maker->change->operation_count; i++)
        if (maker->change->operations[i].kind == OPERATION_NATIVE &&
            str_eq(maker->change->operations[i].words, "CREATE POLICY") &&
            &maker->change->operations[i] != op)
            return true;
    return false;
}

static void row_security(Maker *maker, const Operation *op, const TableWork *work, Form *form)
{
    Arena *arena = maker->arena;
    bool force = strstr(op->words, "FORCE") != NULL;
    bool on = asks(op, "ENABLE ROW LEVEL SECURITY") || asks(op, "FORCE ROW LEVEL SECURITY");
    bool is = force ? work->table->rls_forced : work->table->rls;
    form->done = is == on;
    const char *back = force ? (on ? "NO FORCE" : "FORCE") : (on ? "DISABLE" : "ENABLE");
    *vec_push(arena, &form->undo) =
        arena_printf(arena, "ALTER TABLE %s %s ROW LEVEL SECURITY", work->sql, back);
    if (on && !is && !has_policy(maker, op, work))
        maker_risk(maker, "row-security", "--accept-row-security",
                   arena_printf(arena,
                                "%s has no policy: every role but %s sees no row of it, and can add none",
                                work->sql, force ? "superusers" : "its owner"),
                   arena_printf(arena, "CREATE POLICY … ON %s USING (…)", work->sql));
}

/* ---- the rest ------------------------------------------------------------------------------- */

static Err *rewrite_check(const Operation *op, const TableWork *work, Form *form)
{
    bool unlogged = asks(op, "SET UNLOGGED"), logged = asks(op, "SET LOGGED");
    form->done = (unlogged && work->table->unlogged) || (logged && !work->table->unlogged);
    if (form->done || work->table->empty)
        return NULL;
    Err *err =
        err_new(ERR_UNSAFE, "%s writes all of \"%s.%s\" anew under ACCESS EXCLUSIVE, and it is not empty",
                op->words, work->table->schema, work->table->name);
    if (unlogged || logged)
        return err_hint(
            err,
            "by hand: make the table anew with the setting, copy the rows, and swap the names; or at a "
            "time when nobody needs it: SET lock_timeout = '1s'; %s",
            op->sql);
    return err_hint(
        err,
        "by hand: pg_repack moves and rewrites tables while they are used; or at a time when nobody "
        "needs it: SET lock_timeout = '1s'; %s",
        op->sql);
}

static Err *owner_check(Maker *maker, const Operation *op, const TableWork *work, Form *form)
{
    if (has_company(maker, op, work) || work->table->sync_count > 0)
        return err_hint(err_new(ERR_UNSAFE,
                                "\"%s.%s\" gets another owner: what else is done to it is done as the old "
                                "one",
                                work->table->schema, work->table->name),
                        "OWNER TO in a change of its own, when the others are completed");
    form->own_role = true;
    *vec_push(maker->arena, &form->undo) = arena_printf(maker->arena, "ALTER TABLE %s OWNER TO %s", work->sql,
                                                        sql_ident(maker->arena, work->table->owner));
    return NULL;
}

/* Only foreign keys: what stood there is in its definition. */
static Err *deferral_check(Maker *maker, const Operation *op, const TableWork *work, Form *form)
{
    Arena *arena = maker->arena;
    const TableConstraint *constraint = table_constraint(work->table, op->constraint_name);
    if (constraint == NULL)
        return err_new(ERR_USAGE, "\"%s.%s\" has no constraint \"%s\"", work->table->schema,
                       work->table->name, op->constraint_name);
    if (constraint->kind != 'f')
        return err_hint(err_new(ERR_UNSAFE,
                                "constraint \"%s\" is no foreign key: the server alters no other kind",
                                op->constraint_name),
                        "drop it and add it anew, both in one change");
    const char *was = strstr(constraint->definition, " DEFERRABLE INITIALLY DEFERRED") != NULL
                          ? "DEFERRABLE INITIALLY DEFERRED"
                      : strstr(constraint->definition, " DEFERRABLE") != NULL
                          ? "DEFERRABLE INITIALLY IMMEDIATE"
                          : "NOT DEFERRABLE";
    *vec_push(arena, &form->undo) = arena_printf(arena, "ALTER TABLE %s ALTER CONSTRAINT %s %s", work->sql,
                                                 sql_ident(arena, op->constraint_name), was);
    return NULL;
}

static Err *form_check(Maker *maker, const Operation *op, const TableWork *work, Form *form)
{
    if (op->rewrites)
        return rewrite_check(op, work, form);
    if (asks(op, "ADD GENERATED AS IDENTITY"))
        return identity_add(maker, op, work, form);
    if (asks(op, "DROP IDENTITY"))
        return identity_drop(op, work, form);
    if (asks(op, "DROP EXPRESSION"))
        return expression_drop(maker, op, work, form);
    if (asks(op, "OWNER TO"))
        return owner_check(maker, op, work, form);
    if (asks(op, "ALTER CONSTRAINT"))
        return deferral_check(maker, op, work, form);
    if (strstr(op->words, "ROW LEVEL SECURITY") != NULL)
        row_security(maker, op, work, form);
    return NULL;
}

Err *form_write(Maker *maker, const Operation *op, TableWork *work)
{
    Arena *arena = maker->arena;
    Form form = {0};
    TRY(form_check(maker, op, work, &form));
    if (form.done)
        return NULL;
    const char *of = op->column != NULL            ? op->column
                     : op->constraint_name != NULL ? op->constraint_name
                                                   : op->trigger;
    Step *step =
        maker_ddl(maker, PHASE_CONSTRAIN, work, op->lock,
                  of == NULL ? op->words : arena_printf(arena, "%s of %s", op->words, sql_ident(arena, of)),
                  NULL, NULL);
    for (size_t i = 0; i < form.before.len; i++)
        step_add_sql(maker, step, form.before.items[i]);
    step_add_sql(maker, step, op->sql);
    for (size_t i = 0; i < form.after.len; i++)
        step_add_sql(maker, step, form.after.items[i]);
    for (size_t i = 0; i < form.undo.len; i++)
        step_add_undo(maker, step, form.undo.items[i]);
    step->rewrites = op->rewrites;
    if (form.own_role)
        step->role = NULL;
    const Table *parent = op->name_count > 0 ? maker_table(maker, op->names[0], false) : NULL;
    if (parent != NULL && parent->kind == RELATION_MISSING)
        return err_new(ERR_USAGE, "table \"%s\" does not exist", op->names[0].name);
    if (parent != NULL)
        step_add_lock_mode(maker, step, sql_name(arena, parent->schema, parent->name),
                           "SHARE UPDATE EXCLUSIVE");
    return NULL;
}
