/* ATTACH PARTITION, DETACH PARTITION and CREATE TABLE … PARTITION OF. */
#include "change/parser.h"
#include "engine/sql.h"

#include <string.h>
#include <strings.h>

#define COMMAND(x) PG_QUERY__ALTER_TABLE_TYPE__AT_##x

/* One bound of a range: MINVALUE and MAXVALUE parse as column names. */
static const char *datum_sql(Arena *arena, PgQuery__Node *node)
{
    if (node->node_case == PG_QUERY__NODE__NODE_COLUMN_REF && node->column_ref->n_fields == 1) {
        const char *word = tree_string_of(node->column_ref->fields[0]);
        if (word != NULL && strcasecmp(word, "minvalue") == 0)
            return "MINVALUE";
        if (word != NULL && strcasecmp(word, "maxvalue") == 0)
            return "MAXVALUE";
    }
    return tree_expr_sql(arena, node);
}

static bool read_datums(Arena *arena, PgQuery__Node *const *nodes, size_t count,
                        const char *const **ret_datums)
{
    const char **datums = arena_alloc(arena, (count + 1) * sizeof *datums);
    for (size_t i = 0; i < count; i++) {
        datums[i] = datum_sql(arena, nodes[i]);
        if (datums[i] == NULL)
            return false;
    }
    *ret_datums = datums;
    return true;
}

/* "FOR VALUES …" or "DEFAULT", as tree_sql() wrote it at the end of the statement. */
static const char *bound_sql(const char *sql)
{
    const char *found = NULL;
    for (const char *at = sql; (at = strstr(at, " FOR VALUES ")) != NULL; at++)
        found = at + 1;
    return found;
}

static bool read_bound(const Statement *stmt, const PgQuery__PartitionBoundSpec *bound, PartitionSpec *spec)
{
    Arena *arena = stmt->parser->arena;
    if (bound->is_default) {
        spec->strategy = 'd';
        return true;
    }
    spec->strategy = (char)(bound->strategy != NULL ? bound->strategy[0] : '\0');
    spec->modulus = bound->modulus;
    spec->remainder = bound->remainder;
    spec->value_count = bound->n_listdatums;
    spec->bound_count = bound->n_lowerdatums;
    bool whole = bound->n_lowerdatums == bound->n_upperdatums &&
                 read_datums(arena, bound->listdatums, bound->n_listdatums, &spec->values) &&
                 read_datums(arena, bound->lowerdatums, bound->n_lowerdatums, &spec->lower) &&
                 read_datums(arena, bound->upperdatums, bound->n_upperdatums, &spec->upper);
    return whole && (spec->strategy == 'r' || spec->strategy == 'l' || spec->strategy == 'h');
}

bool parse_partition_command(const Statement *stmt, PgQuery__Node *alone,
                             const PgQuery__AlterTableCmd *command, Operation **ret_operation)
{
    bool attach = command->subtype == COMMAND(AttachPartition);
    bool finalize = command->subtype == COMMAND(DetachPartitionFinalize);
    if (!attach && !finalize && command->subtype != COMMAND(DetachPartition))
        return false;
    Arena *arena = stmt->parser->arena;
    *ret_operation = NULL;
    const PgQuery__PartitionCmd *part = command->def != NULL ? command->def->partition_cmd : NULL;
    PartitionSpec *spec = arena_alloc(arena, sizeof *spec);
    *spec = (PartitionSpec){.finalize = finalize};
    if (part == NULL || !parser_relation(stmt, part->name, &spec->name))
        return true;
    spec->concurrently = part->concurrent;
    const char *sql = tree_sql(arena, alone);
    if (sql == NULL || (attach && (part->bound == NULL || !read_bound(stmt, part->bound, spec)))) {
        parser_inexact(stmt);
        return true;
    }
    if (attach)
        spec->bound_sql = spec->strategy == 'd' ? "DEFAULT" : bound_sql(sql);
    if (attach && spec->bound_sql == NULL) {
        parser_inexact(stmt);
        return true;
    }
    Operation *operation =
        parser_add(stmt, attach ? OPERATION_ATTACH_PARTITION : OPERATION_DETACH_PARTITION, sql);
    operation->partition = spec;
    *ret_operation = operation;
    return true;
}

/* The same statement without columns, constraints, parent and bound: "PARTITION BY … USING … WITH …
 * TABLESPACE …". */
static const char *tail_sql(const Statement *stmt, const PgQuery__CreateStmt *node)
{
    static const char head[] = "CREATE TABLE t ()";
    Arena *arena = stmt->parser->arena;
    TreeFault fault;
    PgQuery__Node *plain = tree_parse(arena, "CREATE TABLE t ()", &fault);
    if (plain == NULL)
        return NULL;
    PgQuery__CreateStmt *copy = plain->create_stmt;
    copy->partspec = node->partspec;
    copy->n_options = node->n_options;
    copy->options = node->options;
    copy->tablespacename = node->tablespacename;
    copy->access_method = node->access_method;
    const char *sql = tree_sql(arena, plain);
    return sql == NULL || !str_starts(sql, head) ? NULL : sql + sizeof head - 1;
}

void parse_create_partition(const Statement *stmt)
{
    const PgQuery__CreateStmt *node = stmt->node->create_stmt;
    Arena *arena = stmt->parser->arena;
    Name parent;
    PartitionSpec *spec = arena_alloc(arena, sizeof *spec);
    *spec = (PartitionSpec){0};
    if (node->n_inh_relations != 1 || !parser_relation(stmt, node->inh_relations[0]->range_var, &parent) ||
        !parser_relation(stmt, node->relation, &spec->name))
        return;
    if (node->n_table_elts > 0 || node->n_constraints > 0) {
        if (!parse_native(stmt)) /* with columns or constraints of its own: as it is written */
            refuse_statement(stmt);
        return;
    }
    const char *sql = tree_sql(arena, stmt->node);
    spec->tail_sql = sql == NULL ? NULL : tail_sql(stmt, node);
    const char *written = sql == NULL ? NULL : bound_sql(sql);
    if (spec->tail_sql == NULL || !read_bound(stmt, node->partbound, spec) ||
        (written == NULL && spec->strategy != 'd')) {
        parser_inexact(stmt);
        return;
    }
    size_t tail = strlen(spec->tail_sql);
    spec->bound_sql = spec->strategy == 'd' ? "DEFAULT" : arena_dupn(arena, written, strlen(written) - tail);
    Operation *operation = parser_add(stmt, OPERATION_CREATE_PARTITION, sql);
    operation->table = parent;
    operation->partition = spec;
    operation->if_not_exists = node->if_not_exists;
}
