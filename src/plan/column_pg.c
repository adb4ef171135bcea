/* ADD COLUMN: at once where the catalog is enough, else nullable, filled, verified and then constrained. */
#include "plan/maker.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- what is asked of the column, all operations of the change together ----------------------------------
 */

static bool default_is_null(const ColumnSpec *spec)
{
    return spec->default_sql != NULL && (strcasecmp(spec->default_sql, "null") == 0 ||
                                         strncasecmp(spec->default_sql, "null::", strlen("null::")) == 0);
}

static const BackfillSpec *backfill_find(const Maker *maker, const TableWork *work, const char *column)
{
    for (size_t i = 0; i < maker->change->backfill_count; i++) {
        const BackfillSpec *fill = &maker->change->backfills[i];
        const Table *table = maker_table(maker, fill->table, false);
        if (str_eq(fill->column, column) && table->kind != RELATION_MISSING &&
            maker_work(maker, table) == work)
            return fill;
    }
    return NULL;
}

/* Whether a SET DEFAULT's text needs no server to know: a number, string, true, false or NULL, cast or not.
 */
static bool default_plain(const char *sql)
{
    const char *at = sql;
    if (*at == '\'') {
        for (at++; *at != '\0' && !(*at == '\'' && at[1] != '\''); at++)
            at += *at == '\'';
        at += *at == '\'';
    } else if (strncasecmp(at, "true", 4) == 0 || strncasecmp(at, "null", 4) == 0) {
        at += 4;
    } else if (strncasecmp(at, "false", 5) == 0) {
        at += 5;
    } else {
        at += strspn(at, "-+");
        at += strspn(at, "0123456789.eE");
    }
    if (at == sql)
        return false;
    return *at == '\0' || (strncmp(at, "::", 2) == 0 && strpbrk(at, "'+*/|<>=") == NULL);
}

static Wish wish_of(const Maker *maker, const TableWork *work, const Operation *op)
{
    return (Wish){.op = op,
                  .spec = *op->add,
                  .backfill = backfill_find(maker, work, op->add->name),
                  .ident = sql_ident(maker->arena, op->add->name),
                  .type = op->add->type_sql};
}

/* The change adds a primary key with the column in it. */
static bool in_coming_key(const Maker *maker, const TableWork *work, const char *column)
{
    for (size_t i = 0; i < maker->change->operation_count; i++) {
        const Operation *op = &maker->change->operations[i];
        if (op->kind != OPERATION_ADD_CONSTRAINT || op->constraint->kind != CONSTRAINT_PRIMARY_KEY ||
            maker_work(maker, maker_table(maker, op->table, false)) != work)
            continue;
        for (size_t j = 0; j < op->constraint->column_count; j++)
            if (str_eq(op->constraint->columns[j], column))
                return true;
    }
    return false;
}

/* Adds what the change's other operations ask of the column. */
static Err *wish_gather(const Maker *maker, const TableWork *work, Wish *wish)
{
    const char *name = wish->spec.name;
    for (size_t i = 0; i < maker->change->operation_count; i++) {
        const Operation *other = &maker->change->operations[i];
        if (!maker->consumed[i] || !str_eq(other->column, name) ||
            maker_work(maker, maker_table(maker, other->table, false)) != work)
            continue;
        if (other->kind == OPERATION_SET_NOT_NULL || other->kind == OPERATION_DROP_NOT_NULL)
            wish->spec.not_null = other->kind == OPERATION_SET_NOT_NULL;
        if (other->kind == OPERATION_DROP_DEFAULT)
            wish->drop_default_later = wish->spec.default_sql != NULL;
        if (other->kind != OPERATION_SET_DEFAULT)
            continue;
        if (wish->spec.default_sql == NULL && wish->backfill == NULL && !default_plain(other->default_sql))
            return err_hint(err_new(ERR_UNSAFE,
                                    "SET DEFAULT %s on \"%s\", which the same change adds, is not "
                                    "supported with an expression",
                                    other->default_sql, name),
                            "write the default at ADD COLUMN, or set it in a change of its own");
        wish->spec.default_sql = other->default_sql;
        wish->spec.default_constant = true;
    }
    /* which makes its columns NOT NULL */
    wish->spec.not_null = wish->spec.not_null || in_coming_key(maker, work, name);
    if (default_is_null(&wish->spec))
        wish->spec.default_sql = NULL;
    return NULL;
}

bool wish_hard(const Maker *maker, const TableWork *work, const Wish *wish)
{
    if (wish->spec.identity != 0)
        return true;
    for (size_t i = 0; i < wish->spec.constraint_count; i++)
        if (wish->spec.constraints[i].kind == CONSTRAINT_PRIMARY_KEY)
            return true;
    return in_coming_key(maker, work, wish->spec.name);
}

/* ---- the column is there already ------------------------------------------------------------ */

static Err *column_there(Maker *maker, TableWork *work, const Wish *wish, const Column *there)
{
    Arena *arena = maker->arena;
    const Table *table = work->table;
    const char *differs = NULL;
    bool not_null = not_null_known(arena, table, there->name);
    if (!type_same(arena, wish->type, there->type))
        differs = arena_printf(arena, "its type is %s, not %s", there->type, wish->type);
    else if (wish->spec.not_null != not_null && wish->spec.not_null)
        differs = "it may be null";
    else if (wish->spec.not_null != not_null)
        differs = "it is NOT NULL";
    else if ((wish->spec.generated_sql != NULL) != (there->generated_sql != NULL))
        differs = there->generated_sql != NULL ? "it is generated" : "it is not generated";
    else if ((wish->spec.identity != 0) != (there->identity != 0))
        differs = there->identity != 0 ? "it is an identity column" : "it is no identity column";
    if (differs != NULL && wish->op->if_not_exists) {
        maker_risk(maker, "exists", NULL,
                   arena_printf(arena, "column %s of %s exists and is left as IF NOT EXISTS asks, though %s",
                                wish->ident, work->sql, differs),
                   NULL);
        return NULL;
    }
    if (differs != NULL)
        return err_hint(err_new(ERR_UNSAFE,
                                "column \"%s\" of \"%s.%s\" exists already with another definition: %s",
                                there->name, table->schema, table->name, differs),
                        "change it with ALTER COLUMN, or choose another name");
    for (size_t i = 0; i < wish->spec.constraint_count; i++)
        TRY(constraint_add(maker, work, &wish->spec.constraints[i], NULL));
    return NULL;
}

/* ---- at once -------------------------------------------------------------------------------- */

/* The inline form of a foreign key of one column: new rows only have NULL, so the server checks nothing. */
static const char *inline_references(Arena *arena, const ConstraintSpec *spec, const char *name)
{
    const char *at = strstr(spec->definition_sql, "REFERENCES ");
    return arena_printf(arena, " CONSTRAINT %s %s", sql_ident(arena, name),
                        at != NULL ? at : spec->definition_sql);
}

static const char *serial_type(Arena *arena, const char *type)
{
    const char *name = type_canonical(arena, type);
    return str_eq(name, "bigint") ? "bigserial" : str_eq(name, "smallint") ? "smallserial" : "serial";
}

const char *column_add_sql(Arena *arena, const TableWork *work, const Wish *wish, const char *type)
{
    Str str = STR_INIT;
    str_addf(&str, "ALTER TABLE %s ADD COLUMN %s %s", work->sql, wish->ident, type);
    if (wish->spec.extra_sql != NULL)
        str_addf(&str, " %s", wish->spec.extra_sql);
    if (wish->spec.collation_sql != NULL)
        str_addf(&str, " COLLATE %s", wish->spec.collation_sql);
    char *sql = arena_dupn(arena, str.buf, str.len);
    str_done(&str);
    return sql;
}

const char *column_drop_sql(Arena *arena, const TableWork *work, const Wish *wish)
{
    return arena_printf(arena, "ALTER TABLE %s DROP COLUMN IF EXISTS %s", work->sql, wish->ident);
}

static const char *instant_sql(Arena *arena, const TableWork *work, const Wish *wish)
{
    const ColumnSpec *spec = &wish->spec;
    const char *sql =
        column_add_sql(arena, work, wish, spec->serial ? serial_type(arena, wish->type) : wish->type);
    if (spec->default_sql != NULL)
        sql = arena_printf(arena, "%s DEFAULT %s", sql, spec->default_sql);
    if (spec->generated_sql != NULL)
        sql = arena_printf(arena, "%s GENERATED ALWAYS AS (%s) STORED", sql, spec->generated_sql);
    if (spec->identity != 0) {
        bool options = spec->identity_options_sql != NULL && *spec->identity_options_sql != '\0';
        sql = arena_printf(arena, "%s GENERATED %s AS IDENTITY%s%s%s", sql,
                           spec->identity == 'a' ? "ALWAYS" : "BY DEFAULT", options ? " (" : "",
                           options ? spec->identity_options_sql : "", options ? ")" : "");
    }
    return spec->not_null ? arena_printf(arena, "%s NOT NULL", sql) : sql;
}

static Err *column_instant(Maker *maker, TableWork *work, const Wish *wish)
{
    Arena *arena = maker->arena;
    const ColumnSpec *spec = &wish->spec;
    const char *sql = instant_sql(arena, work, wish);
    bool all_null = spec->default_sql == NULL && !spec->not_null;
    const Table *parent = NULL;
    size_t inlined = spec->constraint_count;
    for (size_t i = 0; i < spec->constraint_count && all_null && !work_is_tree(work); i++)
        if (spec->constraints[i].kind == CONSTRAINT_FOREIGN_KEY && !spec->constraints[i].not_valid) {
            const char *name = constraint_name(maker, work, &spec->constraints[i], spec->name);
            sql = arena_printf(arena, "%s%s", sql, inline_references(arena, &spec->constraints[i], name));
            parent = maker_table(maker, spec->constraints[i].references, false);
            if (parent->kind == RELATION_MISSING)
                return err_new(ERR_USAGE, "table \"%s\" that the foreign key refers to does not exist",
                               spec->constraints[i].references.name);
            inlined = i;
            break;
        }
    Step *step =
        maker_ddl(maker, PHASE_EXPAND, work, "ACCESS EXCLUSIVE",
                  arena_printf(arena, "add column %s", wish->ident), sql, column_drop_sql(arena, work, wish));
    step->evidence = work->table->empty ? EVIDENCE_CATALOG : EVIDENCE_RULE;
    if (wish->drop_default_later) /* the running application's INSERTs depend on it until then */
        *vec_push(arena, &work->contract_sql) =
            arena_printf(arena, "ALTER TABLE %s ALTER COLUMN %s DROP DEFAULT", work->sql, wish->ident);
    if (parent != NULL && maker_work(maker, parent) != work)
        step_add_lock(maker, step, parent);
    for (size_t i = 0; i < spec->constraint_count; i++) {
        if (i == inlined)
            continue;
        if (spec->default_sql != NULL && spec->constraints[i].kind == CONSTRAINT_UNIQUE &&
            !work->table->empty && work->table->row_estimate > 1)
            return err_hint(err_new(ERR_UNSAFE,
                                    "every row of \"%s.%s\" would get the same value in \"%s\", which is "
                                    "to be unique",
                                    work->table->schema, work->table->name, spec->name),
                            "give each row its own: --backfill '%s.%s = …'", work->table->name, spec->name);
        TRY(constraint_add(maker, work, &spec->constraints[i], spec->name));
    }
    return NULL;
}

/* ---- the operations ------------------------------------------------------------------------- */

/* A stored generated column has no way that does not rewrite the table under a lock that nobody gets past. */
static Err *generated_refuse(const TableWork *work, const Wish *wish)
{
    return err_hint(
        err_new(ERR_UNSAFE,
                "\"%s\" GENERATED ALWAYS AS (…) STORED rewrites \"%s.%s\" under ACCESS EXCLUSIVE: nobody "
                "could read or write it meanwhile",
                wish->spec.name, work->table->schema, work->table->name),
        "add a plain column that is kept in step instead: ADD COLUMN %s %s with --backfill '%s.%s = %s'",
        wish->ident, wish->type, work->table->name, wish->spec.name, wish->spec.generated_sql);
}

/* Whether existing rows get the default from the catalog (from 11 on, where it is one value for all). */
static Err *default_is_cheap(const Maker *maker, const TableWork *work, const Wish *wish, bool *ret_cheap)
{
    const ColumnSpec *spec = &wish->spec;
    *ret_cheap = maker->server->version_num >= 110000;
    if (spec->default_constant)
        return NULL;
    const PlanExpr *expr = NULL;
    TRY(maker_expr(maker, work->table, spec->name, true, &expr));
    *ret_cheap = *ret_cheap && (expr->info.immutable || expr->info.stable);
    return NULL;
}

const char *column_far(Arena *arena, const Wish *wish, bool filled)
{
    bool told = !filled && wish->spec.default_sql != NULL && wish->spec.default_constant;
    return arena_printf(arena, "%s %s%s%s", wish->ident, wish->type, told ? " DEFAULT " : "",
                        told ? wish->spec.default_sql : "");
}

static void remember_new(Maker *maker, TableWork *work, const Wish *wish)
{
    Arena *arena = maker->arena;
    *vec_push(arena, &work->added) = wish->spec.name;
    *vec_push(arena, &work->new_defs) = column_far(arena, wish, wish->backfill != NULL);
    if (!type_builtin(arena, wish->type) && !work->table->empty)
        maker_risk(maker, "domain", NULL,
                   arena_printf(
                       arena,
                       "if %s is a domain with constraints, adding %s scans the table under ACCESS EXCLUSIVE "
                       "(cancelled at --max-stall)",
                       wish->type, wish->ident),
                   NULL);
}

Err *column_add(Maker *maker, const Operation *op, TableWork *work)
{
    Wish wish = wish_of(maker, work, op);
    TRY(wish_gather(maker, work, &wish));
    const ColumnSpec *spec = &wish.spec;
    const Column *there = table_column(work->table, spec->name);
    if (there != NULL)
        return column_there(maker, work, &wish, there);
    for (size_t i = 0; i < work->added.len; i++)
        if (str_eq(work->added.items[i], spec->name))
            return err_new(ERR_USAGE, "column \"%s\" is added twice", spec->name);
    if (spec->identity != 0 && work->table->kind == RELATION_PARTITIONED &&
        (maker->server->version_num < 170000 || !work->table->empty))
        return err_hint(err_new(ERR_UNSAFE,
                                "\"%s.%s\" is partitioned: an identity column is not added to its rows%s",
                                work->table->schema, work->table->name,
                                maker->server->version_num < 170000 ? ", and not before PostgreSQL 17" : ""),
                        "use bigserial, which numbers rows the same way");
    remember_new(maker, work, &wish);
    if (wish.backfill != NULL)
        return column_backfill(maker, work, &wish);
    if (work->table->empty)
        return column_instant(maker, work, &wish);
    if (spec->generated_sql != NULL)
        return generated_refuse(work, &wish);
    if (spec->serial || spec->identity != 0)
        return column_phased_default(maker, work, &wish);
    if (spec->default_sql != NULL) {
        bool cheap = false;
        TRY(default_is_cheap(maker, work, &wish, &cheap));
        if (!cheap)
            return column_phased_default(maker, work, &wish);
    }
    if (spec->not_null && spec->default_sql == NULL)
        return err_hint(err_new(ERR_UNSAFE,
                                "\"%s.%s\" has rows, and \"%s\" is NOT NULL without a default: what should "
                                "they get?",
                                work->table->schema, work->table->name, spec->name),
                        "say how to compute it: --backfill '%s.%s = …'",
                        sql_ident(maker->arena, work->table->name), wish.ident);
    return column_instant(maker, work, &wish);
}

Err *column_default(Maker *maker, const Operation *op, TableWork *work)
{
    Arena *arena = maker->arena;
    TRY(maker_needs_column(maker, work->table, op->column));
    const Column *column = table_column(work->table, op->column);
    bool set = op->kind == OPERATION_SET_DEFAULT;
    if (column == NULL || (!set && column->default_sql == NULL) ||
        (set && column->default_sql != NULL && definition_like(arena, column->default_sql, op->default_sql)))
        return NULL;
    const char *ident = sql_ident(arena, op->column);
    const char *head = arena_printf(arena, "ALTER TABLE %s ALTER COLUMN %s", work->sql, ident);
    maker_ddl(maker, PHASE_EXPAND, work, "ACCESS EXCLUSIVE",
              arena_printf(arena, "%s the default of %s", set ? "set" : "drop", ident),
              set ? arena_printf(arena, "%s SET DEFAULT %s", head, op->default_sql)
                  : arena_printf(arena, "%s DROP DEFAULT", head),
              column->default_sql != NULL
                  ? arena_printf(arena, "%s SET DEFAULT %s", head, column->default_sql)
                  : arena_printf(arena, "%s DROP DEFAULT", head));
    return NULL;
}
