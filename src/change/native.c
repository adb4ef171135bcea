/* Statements that are carried out as written. */
#include "change/native.h"

#include <string.h>

void native_refuse(Native *native, const char *why, const char *hint)
{
    native->refused = true;
    parser_refuse(native->stmt, native->words, why, hint);
}

void native_lock(Arena *arena, NativeSpec *spec, Name relation, const char *mode)
{
    NativeLock *locks = arena_alloc(arena, (spec->lock_count + 1) * sizeof *locks);
    if (spec->lock_count > 0)
        memcpy(locks, spec->locks, spec->lock_count * sizeof *locks);
    locks[spec->lock_count] = (NativeLock){relation, mode};
    spec->locks = locks;
    spec->lock_count++;
}

void native_lock_on(Native *native, const PgQuery__RangeVar *relation, const char *mode)
{
    if (relation != NULL)
        native_lock(native->arena, native->spec, relation_name(relation), mode);
}

Operation *native_add(const Statement *stmt, NativeSpec *spec, const char *words, NativeWhen when)
{
    Arena *arena = stmt->parser->arena;
    const char *sql = stmt->node != NULL ? native_sql(arena, stmt->node) : NULL;
    if (sql == NULL) /* what the deparser cannot write back is run as it stands there */
        sql = statement_text(stmt);
    Operation *operation = parser_add(stmt, OPERATION_NATIVE, sql);
    operation->native = spec;
    operation->words = words;
    operation->when = when;
    if (stmt->node != NULL)
        names_gather(arena, stmt->node, &operation->names, &operation->name_count);
    mentions_gather(arena, sql, &spec->mentions, &spec->mention_count);
    return operation;
}

static void drop_one(const Statement *stmt, PgQuery__Node *alone)
{
    const PgQuery__DropStmt *node = alone->drop_stmt;
    Arena *arena = stmt->parser->arena;
    NativeSpec *spec = arena_alloc(arena, sizeof *spec);
    *spec = (NativeSpec){.drops = object_of(arena, node->remove_type, node->objects[0]),
                         .quiet = node->missing_ok,
                         .unknown = node->behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE};
    const PgQuery__Node *object = node->objects[0];
    bool relation = node->remove_type == OBJECT(VIEW) || node->remove_type == OBJECT(MATVIEW) ||
                    node->remove_type == OBJECT(SEQUENCE) || node->remove_type == OBJECT(FOREIGN_TABLE);
    bool part = node->remove_type == OBJECT(TRIGGER) || node->remove_type == OBJECT(POLICY) ||
                node->remove_type == OBJECT(RULE);
    Name name = {0};
    if ((relation || part) && object->node_case == NODE(LIST) && object->list->n_items > (part ? 1U : 0U)) {
        if (!parser_dotted(stmt, object->list->items, object->list->n_items - (part ? 1 : 0), &name))
            return;
        native_lock(arena, spec, name, "ACCESS EXCLUSIVE");
    }
    spec->late = !relation && !part && node->remove_type != OBJECT(STATISTIC_EXT);
    Statement one = {.parser = stmt->parser, .start = stmt->start, .end = stmt->end, .node = alone};
    Operation *operation = native_add(&one, spec, statement_words(arena, alone), NATIVE_CONTRACT);
    if (name.name != NULL) {
        Name *names = arena_alloc(arena, sizeof *names);
        *names = name;
        operation->names = names;
        operation->name_count = 1;
        operation->table = name;
    }
}

/* One operation for each object. */
static void parse_drop(const Statement *stmt)
{
    const PgQuery__DropStmt *node = stmt->node->drop_stmt;
    for (size_t i = 0; i < node->n_objects; i++) {
        PgQuery__DropStmt single = *node;
        PgQuery__Node alone = *stmt->node;
        single.n_objects = 1;
        single.objects = &node->objects[i];
        alone.drop_stmt = &single;
        drop_one(stmt, &alone);
    }
}

/* A constraint of a domain in two: new values are bound first. */
static bool split_domain(const Statement *stmt)
{
    PgQuery__AlterDomainStmt *node = stmt->node->alter_domain_stmt;
    if (node->subtype[0] != 'C' || node->def == NULL || node->def->node_case != NODE(CONSTRAINT) ||
        node->def->constraint->conname[0] == '\0' || node->def->constraint->skip_validation)
        return false;
    Arena *arena = stmt->parser->arena;
    PgQuery__Node *first = tree_copy(arena, stmt->node), *second = tree_copy(arena, stmt->node);
    first->alter_domain_stmt->def->constraint->skip_validation = 1;
    first->alter_domain_stmt->def->constraint->initially_valid = 0;
    static char validate[] = "V";
    second->alter_domain_stmt->subtype = validate;
    second->alter_domain_stmt->name = node->def->constraint->conname;
    second->alter_domain_stmt->def = NULL;
    if (tree_sql(arena, first) == NULL || tree_sql(arena, second) == NULL)
        return false;
    for (int i = 0; i < 2; i++) {
        Statement one = *stmt;
        one.node = i == 0 ? first : second;
        if (!parse_native(&one))
            return false;
    }
    return true;
}

static void parse_ruled(const Statement *stmt, NativeRead *read, NativeWhen when)
{
    Arena *arena = stmt->parser->arena;
    NativeSpec *spec = arena_alloc(arena, sizeof *spec);
    *spec = (NativeSpec){0};
    Native native = {.stmt = stmt,
                     .arena = arena,
                     .node = stmt->node,
                     .spec = spec,
                     .words = statement_words(arena, stmt->node),
                     .when = when};
    if (read != NULL)
        read(&native);
    if (native.refused)
        return;
    spec->makes = object_made(arena, stmt->node);
    spec->undo_sql = native_undo(arena, stmt->node, &spec->makes);
    spec->plain_sql = spec->quiet ? native_plain_sql(arena, stmt->node) : NULL;
    native_same(arena, stmt->node, spec);
    Operation *operation = native_add(stmt, spec, native.words, native.when);
    if (spec->lock_count > 0)
        operation->table = spec->locks[0].relation;
    bool relation = str_eq(spec->makes.type, "table") || str_eq(spec->makes.type, "view") ||
                    str_eq(spec->makes.type, "materialized view") || str_eq(spec->makes.type, "sequence");
    if (relation && spec->makes.name_count <= 2)
        operation->table = (Name){.schema = spec->makes.name_count == 2 ? spec->makes.names[0] : NULL,
                                  .name = spec->makes.names[spec->makes.name_count - 1]};
}

bool parse_native(const Statement *stmt)
{
    const PgQuery__Node *node = stmt->node;
    if (node->node_case == NODE(DROP_STMT)) {
        parse_drop(stmt);
        return true;
    }
    if (node->node_case == NODE(DO_STMT)) {
        parse_do(stmt);
        return true;
    }
    if (node->node_case == NODE(SELECT_STMT) && node->select_stmt->into_clause != NULL) {
        parse_ruled(stmt, native_read_select_into, NATIVE_FIRST);
        return true;
    }
    if (node->node_case == NODE(ALTER_DOMAIN_STMT) && split_domain(stmt))
        return true;
    if (node->node_case == NODE(RENAME_STMT) && node->rename_stmt->rename_type == OBJECT(ROLE))
        return false;
    if (node->node_case == NODE(RENAME_STMT) && node->rename_stmt->rename_type == OBJECT(DATABASE))
        return false;
    if (node->node_case == NODE(COMMENT_STMT) &&
        (node->comment_stmt->objtype == OBJECT(DATABASE) || node->comment_stmt->objtype == OBJECT(ROLE) ||
         node->comment_stmt->objtype == OBJECT(TABLESPACE)))
        return false;
    const NativeRule *rule = native_rule(node);
    if (rule == NULL)
        return false;
    parse_ruled(stmt, rule->read, rule->when);
    return true;
}
