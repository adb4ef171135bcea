/* Types, functions, publications and the like: what a statement as written takes, and how it runs. */
#include "change/native.h"
#include "engine/sql.h"

/* ---- types ---------------------------------------------------------------------------------- */

/* Before 12 a value cannot be added inside a transaction block (release notes of 12). */
void native_read_enum(Native *native)
{
    PgQuery__AlterEnumStmt *node = native->node->alter_enum_stmt;
    Arena *arena = native->arena;
    const char *type = sql_literal(arena, object_type_text(arena, node->type_name, node->n_type_name));
    const char *value = sql_literal(arena, node->new_val);
    static const char there[] = "SELECT EXISTS (SELECT FROM pg_catalog.pg_enum WHERE enumtypid = "
                                "pg_catalog.to_regtype(%s) AND enumlabel = %s)";
    if (node->old_val[0] != '\0') {
        native->words = "ALTER TYPE RENAME VALUE";
        native->when = NATIVE_CONTRACT;
        native->spec->note = "the old application may still write the old label: it is renamed by complete";
        native->spec->done_query = arena_printf(
            arena,
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_enum WHERE enumtypid = pg_catalog.to_regtype(%s) AND "
            "enumlabel = %s) AND NOT EXISTS (SELECT FROM pg_catalog.pg_enum WHERE enumtypid = "
            "pg_catalog.to_regtype(%s) AND enumlabel = %s)",
            type, value, type, sql_literal(arena, node->old_val));
        return;
    }
    native->words = "ALTER TYPE ADD VALUE";
    native->spec->outside_before = 120000;
    native->spec->done_query = arena_printf(arena, there, type, value);
    native->spec->note = "PostgreSQL cannot take an enum value away again: abort leaves it";
}

/* Validating reads every table that uses the domain, under SHARE (looked at on 10 to 18). */
void native_read_alter_domain(Native *native)
{
    const PgQuery__AlterDomainStmt *node = native->node->alter_domain_stmt;
    char form = node->subtype[0];
    const PgQuery__Constraint *constraint =
        node->def != NULL && node->def->node_case == NODE(CONSTRAINT) ? node->def->constraint : NULL;
    bool adds = form == 'C' && constraint != NULL && !constraint->skip_validation;
    native->spec->unknown = form == 'O' || form == 'V' || adds;
    native->spec->quiet = node->missing_ok;
    if (adds)
        native->spec->note = "where tables with rows use the domain: ADD CONSTRAINT … NOT VALID binds new "
                             "values without reading old ones";
}

/* ---- publications, comments ------------------------------------------------------------------- */

static void lock_published(Native *native, PgQuery__Node *const *objects, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (objects[i]->node_case == NODE(PUBLICATION_OBJ_SPEC) &&
            objects[i]->publication_obj_spec->pubtable != NULL)
            native_lock_on(native, objects[i]->publication_obj_spec->pubtable->relation,
                           "SHARE UPDATE EXCLUSIVE");
}

void native_read_publication(Native *native)
{
    lock_published(native, native->node->create_publication_stmt->pubobjects,
                   native->node->create_publication_stmt->n_pubobjects);
    native->spec->note = "updates and deletes of a published table fail where it has no replica identity";
}

void native_read_alter_publication(Native *native)
{
    lock_published(native, native->node->alter_publication_stmt->pubobjects,
                   native->node->alter_publication_stmt->n_pubobjects);
}

void native_read_comment(Native *native)
{
    const PgQuery__CommentStmt *node = native->node->comment_stmt;
    const PgQuery__Node *object = node->object;
    bool part =
        node->objtype == OBJECT(TRIGGER) || node->objtype == OBJECT(POLICY) || node->objtype == OBJECT(RULE);
    size_t words = part && object != NULL && object->node_case == NODE(LIST) ? object->list->n_items : 0;
    Name name;
    if (words > 1 && parser_dotted(native->stmt, object->list->items, words - 1, &name))
        native_lock(native->arena, native->spec, name, "SHARE UPDATE EXCLUSIVE");
}

/* ---- others --------------------------------------------------------------------------------- */

static const char *function_body(const PgQuery__CreateFunctionStmt *node)
{
    for (size_t i = 0; i < node->n_options; i++) {
        const PgQuery__DefElem *option = node->options[i]->def_elem;
        if (option == NULL || !str_eq(option->defname, "as") || option->arg == NULL ||
            option->arg->node_case != NODE(LIST) || option->arg->list->n_items != 1)
            continue;
        return tree_string_of(option->arg->list->items[0]);
    }
    return NULL;
}

/* A statement of the body begins with a word that changes a schema. */
static bool holds_ddl(Arena *arena, const char *body)
{
    TreeFault fault;
    Tokens tokens = tree_scan(arena, body, &fault);
    bool begins = true;
    for (size_t i = 0; i < tokens.len; i++) {
        PgQuery__Token kind = tokens.items[i].kind;
        bool ddl = kind == PG_QUERY__TOKEN__ALTER || kind == PG_QUERY__TOKEN__CREATE ||
                   kind == PG_QUERY__TOKEN__DROP || kind == PG_QUERY__TOKEN__TRUNCATE;
        if (begins && ddl)
            return true;
        if (!token_is_comment(&tokens.items[i]))
            begins = kind == PG_QUERY__TOKEN__ASCII_59 || kind == PG_QUERY__TOKEN__BEGIN_P ||
                     kind == PG_QUERY__TOKEN__THEN || kind == PG_QUERY__TOKEN__ELSE;
    }
    return false;
}

void native_read_function(Native *native)
{
    const PgQuery__CreateFunctionStmt *node = native->node->create_function_stmt;
    native->spec->replaces = node->replace;
    const char *body = function_body(node);
    if (body != NULL && holds_ddl(native->arena, body))
        native->spec->note = "its body changes the schema: that happens whenever somebody calls it, without "
                             "Stoa's care";
}

void native_read_define(Native *native)
{
    native->spec->quiet = native->node->define_stmt->if_not_exists;
    native->spec->replaces = native->node->define_stmt->replace;
}

void native_read_schema(Native *native)
{
    native->spec->quiet = native->node->create_schema_stmt->if_not_exists;
    native->spec->unknown = native->node->create_schema_stmt->n_schema_elts > 0;
}

void native_read_extension(Native *native)
{
    native->spec->quiet = native->node->create_extension_stmt->if_not_exists;
}

void native_read_unknown(Native *native) { native->spec->unknown = true; }

void native_read_grant(Native *native)
{
    const PgQuery__GrantStmt *node = native->node->grant_stmt;
    if (!node->is_grant)
        native->when = NATIVE_CONTRACT;
    bool cluster = node->objtype == OBJECT(DATABASE) || node->objtype == OBJECT(TABLESPACE);
    if (cluster)
        native_refuse(native, "on a database or tablespace is not a change of a schema",
                      "run it by hand, with psql");
}

void native_read_foreign_table(Native *native)
{
    native->spec->quiet = native->node->create_foreign_table_stmt->base_stmt->if_not_exists;
}

void native_read_import(Native *native) { native->spec->run = NATIVE_LONG; }
