/* Expressions over one row: for an UPDATE, for a trigger, and what they depend on. */
#include "change/parser.h"
#include "engine/sql.h"

#include <stdlib.h>
#include <string.h>

enum { GENERATED_BYTES_MAX = 1 << 20 };

typedef struct Scope {
    Arena *arena;
    const ExprScope *given;
    bool *used;      /* per column: a source */
    bool in_trigger; /* rewriting to NEW, else to plain names */
    bool whole_row, sub_select;
    const char
        *shadow; /* schema of a FROM item of the same bare name, "" without schema; NULL: there is none */
    Err *err;
} Scope;

/* What a column reference means to the table. */
typedef enum RefKind { REF_FOREIGN, REF_COLUMN, REF_WHOLE_ROW, REF_ERROR } RefKind;

static size_t find_column(const ExprScope *scope, const char *name)
{
    for (size_t i = 0; i < scope->column_count; i++)
        if (str_eq(scope->columns[i], name))
            return i;
    return SIZE_MAX;
}

static const char *generated_of(const ExprScope *scope, size_t column)
{
    return scope->generated == NULL ? NULL : scope->generated[column];
}

/* ---- what a reference means ------------------------------------------------------------------------------
 */

static void fail_unknown(Scope *scope, const char *name)
{
    const ExprScope *given = scope->given;
    const char *near = word_nearest(name, given->columns, given->column_count);
    scope->err = err_new(ERR_USAGE, "there is no column \"%s\" in \"%s\"", name, given->table.name);
    if (near != NULL)
        scope->err = err_hint(scope->err, "did you mean \"%s\"?", near);
}

static void fail_table(Scope *scope, const char *table)
{
    scope->err = err_new(ERR_USAGE, "there is no table \"%s\" beside the row of \"%s\"", table,
                         scope->given->table.name);
    scope->err = err_hint(scope->err, "other tables are read by a sub-select: (SELECT … FROM %s …)", table);
}

/* True when the words before the last one name the table. */
static bool names_table(const Scope *scope, const PgQuery__ColumnRef *ref)
{
    const Name *table = &scope->given->table;
    if (ref->n_fields == 2)
        return str_eq(tree_string_of(ref->fields[0]), table->name);
    return ref->n_fields == 3 && str_eq(tree_string_of(ref->fields[1]), table->name) &&
           (table->schema == NULL || str_eq(tree_string_of(ref->fields[0]), table->schema));
}

static RefKind read_top_ref(Scope *scope, const PgQuery__ColumnRef *ref, size_t *ret_column)
{
    const char *last = ref->n_fields == 0 ? NULL : tree_string_of(ref->fields[ref->n_fields - 1]);
    if (ref->n_fields == 1) {
        if (last == NULL) {
            scope->err =
                err_new(ERR_USAGE, "\"*\" is no value; the whole row is \"%s\"", scope->given->table.name);
            return REF_ERROR;
        }
        *ret_column = find_column(scope->given, last);
        if (*ret_column != SIZE_MAX)
            return REF_COLUMN;
        if (str_eq(last, scope->given->table.name))
            return REF_WHOLE_ROW;
        fail_unknown(scope, last);
        return REF_ERROR;
    }
    if (!names_table(scope, ref)) {
        const char *table = ref->n_fields < 2 ? NULL : tree_string_of(ref->fields[ref->n_fields - 2]);
        fail_table(scope, table == NULL ? "" : table);
        return REF_ERROR;
    }
    if (last == NULL)
        return REF_WHOLE_ROW;
    *ret_column = find_column(scope->given, last);
    if (*ret_column != SIZE_MAX)
        return REF_COLUMN;
    fail_unknown(scope, last);
    return REF_ERROR;
}

static void use_all(Scope *scope)
{
    for (size_t i = 0; i < scope->given->column_count; i++)
        scope->used[i] = true;
}

/* ---- first look: sub-selects, whole rows, sources ------------------------------------------- */

/* Inside a sub-select any reference whose last word is a column of the table may be to it. */
static void look_inside(Scope *scope, const PgQuery__ColumnRef *ref)
{
    const char *last = ref->n_fields == 0 ? NULL : tree_string_of(ref->fields[ref->n_fields - 1]);
    size_t column = last == NULL ? SIZE_MAX : find_column(scope->given, last);
    if (column != SIZE_MAX) {
        scope->used[column] = true;
    } else if ((last == NULL && names_table(scope, ref)) ||
               (ref->n_fields == 1 && str_eq(last, scope->given->table.name))) {
        scope->whole_row = true;
        use_all(scope);
    }
}

static void look_at_ref(Scope *scope, const PgQuery__ColumnRef *ref, bool inside)
{
    if (inside) {
        look_inside(scope, ref);
        return;
    }
    size_t column = SIZE_MAX;
    RefKind kind = read_top_ref(scope, ref, &column);
    if (kind == REF_COLUMN)
        scope->used[column] = true;
    if (kind == REF_WHOLE_ROW) {
        scope->whole_row = true;
        use_all(scope);
    }
}

static bool visit_look(void *context, PgQuery__Node *node, bool inside)
{
    Scope *scope = context;
    if (scope->err != NULL)
        return false;
    if (node->node_case == PG_QUERY__NODE__NODE_SUB_LINK)
        scope->sub_select = true;
    if (node->node_case == PG_QUERY__NODE__NODE_RANGE_VAR && node->range_var->alias == NULL &&
        str_eq(node->range_var->relname, scope->given->table.name))
        scope->shadow = node->range_var->schemaname;
    if (node->node_case == PG_QUERY__NODE__NODE_COLUMN_REF)
        look_at_ref(scope, node->column_ref, inside);
    return true;
}

/* ---- rewriting ------------------------------------------------------------------------------ */

static void set_words(Arena *arena, PgQuery__ColumnRef *ref, const char *first, const char *last)
{
    size_t count = first == NULL ? 1 : 2;
    ref->fields = arena_alloc(arena, count * sizeof(PgQuery__Node *));
    ref->n_fields = count;
    if (first != NULL)
        ref->fields[0] = tree_string(arena, first);
    ref->fields[count - 1] = tree_string(arena, last);
}

/* Inside a sub-select only the schema is taken off, so that the name also finds the row of the trigger. */
static void strip_schema(Scope *scope, PgQuery__ColumnRef *ref)
{
    const Name *table = &scope->given->table;
    if (ref->n_fields != 3 || !names_table(scope, ref))
        return;
    if (scope->shadow != NULL && !str_eq(scope->shadow, tree_string_of(ref->fields[0]))) {
        scope->err = err_new(ERR_USAGE, "a sub-select reads another table named \"%s\"", table->name);
        scope->err = err_hint(scope->err, "give the table in the sub-select an alias");
        return;
    }
    ref->fields++;
    ref->n_fields--;
}

static PgQuery__Node *generated_tree(Scope *scope, size_t column);

static bool visit_rewrite(void *context, PgQuery__Node *node, bool inside)
{
    Scope *scope = context;
    if (scope->err != NULL || node->node_case != PG_QUERY__NODE__NODE_COLUMN_REF)
        return scope->err == NULL;
    PgQuery__ColumnRef *ref = node->column_ref;
    if (inside) {
        strip_schema(scope, ref);
        return false;
    }
    size_t column = SIZE_MAX;
    RefKind kind = read_top_ref(scope, ref, &column);
    if (kind == REF_WHOLE_ROW) {
        if (ref->n_fields == 3) {
            ref->fields++;
            ref->n_fields--;
        }
    } else if (kind == REF_COLUMN && !scope->in_trigger) {
        set_words(scope->arena, ref, NULL, scope->given->columns[column]);
    } else if (kind == REF_COLUMN && generated_of(scope->given, column) == NULL) {
        set_words(scope->arena, ref, "new", scope->given->columns[column]);
    } else if (kind == REF_COLUMN) {
        PgQuery__Node *expr = generated_tree(scope, column);
        if (expr != NULL)
            *node = *expr;
    }
    return false;
}

/* A reference in a generation expression; such an expression knows its own row only, and no other generated
 * column (PostgreSQL 12 and later refuse both). */
static bool visit_generated(void *context, PgQuery__Node *node, bool inside UNUSED)
{
    Scope *scope = context;
    if (scope->err != NULL || node->node_case != PG_QUERY__NODE__NODE_COLUMN_REF)
        return scope->err == NULL;
    size_t column = SIZE_MAX;
    if (read_top_ref(scope, node->column_ref, &column) != REF_COLUMN ||
        generated_of(scope->given, column) != NULL) {
        if (scope->err == NULL)
            scope->err = err_new(ERR_USAGE, "a generated column of \"%s\" depends on another one",
                                 scope->given->table.name);
        return false;
    }
    scope->used[column] = true;
    set_words(scope->arena, node->column_ref, "new", scope->given->columns[column]);
    return false;
}

/* The generation expression over NEW, cast as storing would. */
static PgQuery__Node *generated_tree(Scope *scope, size_t column)
{
    const ExprScope *given = scope->given;
    const char *type = given->types == NULL ? NULL : given->types[column];
    const char *collation = given->collations == NULL ? NULL : given->collations[column];
    Str text = STR_INIT;
    str_addf(&text, "(%s)", generated_of(given, column));
    if (type != NULL)
        str_addf(&text, "::%s", type);
    if (collation != NULL)
        str_addf(&text, " COLLATE %s", collation);
    TreeFault fault;
    PgQuery__Node *tree =
        text.len > GENERATED_BYTES_MAX ? NULL : tree_parse_expr(scope->arena, text.buf, &fault);
    str_done(&text);
    if (tree == NULL) {
        scope->err = err_new(ERR_USAGE, "the generation expression of column \"%s\" is not understood",
                             given->columns[column]);
        return NULL;
    }
    tree_walk(tree, visit_generated, scope);
    return scope->err == NULL ? tree : NULL;
}

/* ---- the forms ------------------------------------------------------------------------------ */

static Err *write_expr(Scope *scope, PgQuery__Node *expr, const char **ret_sql)
{
    if (scope->err != NULL)
        return scope->err;
    const char *sql = tree_expr_sql(scope->arena, expr);
    if (sql == NULL)
        return err_hint(err_new(ERR_USAGE, "the expression cannot be written back exactly"),
                        "write it in a simpler way, for example with more parentheses");
    *ret_sql = sql;
    return NULL;
}

/* "(SELECT expr FROM (SELECT new.a AS a, …) AS orders)": SQL's own scoping does the rest. Without NEW it is
 * "(SELECT a AS a, …)", which fixes a whole row to the columns that are there now: the table's own row would
 * hold the column that is being filled. */
static Err *write_wrapped(Scope *scope, const char *plain, bool over_new, const char **ret_sql)
{
    const ExprScope *given = scope->given;
    Str str = STR_INIT;
    Err *err = NULL;
    str_addf(&str, "(SELECT %s FROM (SELECT ", plain);
    for (size_t i = 0; i < given->column_count && err == NULL; i++) {
        const char *name = sql_ident(scope->arena, given->columns[i]), *value = name;
        if (over_new && generated_of(given, i) == NULL) {
            value = arena_printf(scope->arena, "new.%s", name);
        } else if (over_new) {
            PgQuery__Node *tree = generated_tree(scope, i);
            err = tree == NULL ? scope->err : write_expr(scope, tree, &value);
        }
        if (err == NULL)
            str_addf(&str, "%s%s AS %s", i == 0 ? "" : ", ", value, name);
    }
    str_addf(&str, ") AS %s)", sql_ident(scope->arena, given->table.name));
    if (err == NULL)
        *ret_sql = arena_dupn(scope->arena, str.buf, str.len);
    str_done(&str);
    return err;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Generated columns count by what they are made of. */
static Err *collect_sources(Scope *scope, ExprForms *forms)
{
    const ExprScope *given = scope->given;
    for (size_t i = 0; i < given->column_count; i++)
        if (scope->used[i] && generated_of(given, i) != NULL && generated_tree(scope, i) == NULL)
            return scope->err;
    const char **sources = arena_alloc(scope->arena, (given->column_count + 1) * sizeof *sources);
    for (size_t i = 0; i < given->column_count; i++)
        if (scope->used[i] && generated_of(given, i) == NULL)
            sources[forms->source_count++] = arena_dup(scope->arena, given->columns[i]);
    qsort(sources, forms->source_count, sizeof *sources, compare_texts);
    forms->sources = sources;
    return NULL;
}

static Err *make_forms(Scope *scope, PgQuery__Node *expr, ExprForms *forms)
{
    tree_walk(expr, visit_look, scope);
    if (scope->err != NULL)
        return scope->err;
    forms->sub_select = scope->sub_select;
    forms->whole_row = scope->whole_row;
    TRY(collect_sources(scope, forms));
    PgQuery__Node *plain = tree_copy(scope->arena, expr);
    tree_walk(plain, visit_rewrite, scope);
    TRY(write_expr(scope, plain, &forms->plain));
    if (scope->sub_select || scope->whole_row) {
        const char *inner = forms->plain;
        if (scope->whole_row)
            TRY(write_wrapped(scope, inner, false, &forms->plain));
        return write_wrapped(scope, inner, true, &forms->trigger);
    }
    scope->in_trigger = true;
    tree_walk(expr, visit_rewrite, scope);
    return write_expr(scope, expr, &forms->trigger);
}

Err *expr_forms_pg(Arena *arena, const char *expr_sql, const ExprScope *scope, ExprForms *ret_forms)
{
    TreeFault fault;
    PgQuery__Node *expr = tree_parse_expr(arena, expr_sql, &fault);
    if (expr == NULL) {
        int line, column;
        text_position(expr_sql, fault.offset, &line, &column);
        return err_new(ERR_USAGE, "expression \"%s\": %s (line %d, column %d)", expr_sql, fault.message, line,
                       column);
    }
    const char *refusal = expr_refusal(arena, expr);
    if (refusal != NULL)
        return err_new(ERR_USAGE, "expression \"%s\": %s", expr_sql, refusal);
    Scope work = {.arena = arena, .given = scope};
    work.used = arena_alloc(arena, (scope->column_count + 1) * sizeof *work.used);
    ExprForms forms = {0};
    TRY(make_forms(&work, expr, &forms));
    *ret_forms = forms;
    return NULL;
}
