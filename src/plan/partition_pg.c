/* Partitioned tables: their partitions as parts of one work, what may be changed where, and indexes of all of
 * them.
 *
 * What changes the whole goes to the parent, in one short step that holds all partitions; what reads or
 * writes rows is one step a partition. Looked at on 10 to 18: a CHECK (18: a NOT NULL) added NOT VALID to the
 * parent comes to all partitions unread, each of them is validated by itself, and then the parent's
 * validation, and SET NOT NULL from 12 on, read nothing. An index of the parent made ON ONLY it becomes valid
 * when an equal one of each partition is attached to it. A foreign key that is added to the parent takes over
 * equal, valid ones of the partitions unread. */
#include "plan/maker.h"

#include <ctype.h>
#include <string.h>

/* ---- the parts -------------------------------------------------------------------------------------------
 */

bool work_is_tree(const TableWork *work) { return work->table->partition_count > 0; }

static TableWork *work_add(Maker *maker, const Table *table, TableWork *root)
{
    TableWork *work = maker_work(maker, table);
    if (work == NULL) {
        work = &maker->works[maker->work_count++];
        *work = (TableWork){.table = table, .sql = sql_name(maker->arena, table->schema, table->name)};
    }
    if (root != NULL)
        work->root = root;
    return work;
}

void works_open(Maker *maker)
{
    size_t most = maker->wanted_count + 1;
    for (size_t i = 0; i < maker->input->table_count; i++)
        most += maker->input->tables[i].partition_count;
    maker->works = arena_alloc(maker->arena, most * sizeof *maker->works);
    for (size_t i = 0; i < maker->wanted_count && i < maker->input->table_count; i++) {
        const Table *table = &maker->input->tables[i];
        if (table->kind == RELATION_MISSING)
            continue;
        TableWork *root = work_add(maker, table, NULL);
        for (size_t k = 0; k < table->partition_count; k++)
            if (table->partitions[k].table != NULL)
                (void)work_add(maker, table->partitions[k].table, root);
    }
}

TableWork *work_next_leaf(const Maker *maker, const TableWork *work, size_t *at)
{
    const Table *table = work->table;
    if (!work_is_tree(work)) {
        bool self = *at == 0 && table->kind != RELATION_PARTITIONED;
        *at = 1;
        return self ? maker_work(maker, table) : NULL;
    }
    while (*at < table->partition_count) {
        const Partition *partition = &table->partitions[(*at)++];
        if (partition->kind == 'r' && partition->table != NULL)
            return maker_work(maker, partition->table);
    }
    return NULL;
}

TableWork *work_next_part(const Maker *maker, TableWork *work, size_t *at)
{
    if ((*at)++ == 0)
        return work;
    for (; *at - 2 < work->table->partition_count; (*at)++)
        if (work->table->partitions[*at - 2].table != NULL)
            return maker_work(maker, work->table->partitions[*at - 2].table);
    return NULL;
}

const char *work_lease(const TableWork *work)
{
    if (work->root != NULL && work->root->table->root == NULL)
        return work->root->sql;
    return work->table->root != NULL ? work->table->root : work->sql;
}

void step_only(Step *step)
{
    step->lock_tree = 0;
    step->lock_count = step->lock_count > 0 ? 1 : 0;
}

void step_add_tree(Maker *maker, Step *step, const Table *table, const char *mode)
{
    for (size_t i = 0; i < table->partition_count; i++)
        step_add_lock_mode(maker, step,
                           sql_name(maker->arena, table->partitions[i].schema, table->partitions[i].name),
                           mode);
}

const char *in_leaf(Maker *maker, const TableWork *work, const TableWork *leaf, const char *title)
{
    return leaf == work && work->root == NULL ? title
                                              : arena_printf(maker->arena, "%s in %s", title, leaf->sql);
}

/* ---- what may be changed where ---------------------------------------------------------------------------
 */

static Err *inheritance_check(const Operation *op, const Table *table)
{
    bool parents = op != NULL && op->kind == OPERATION_SETTING && op->name_count > 0; /* [NO] INHERIT */
    bool alone = op == NULL ? false
                            : op->kind == OPERATION_CREATE_INDEX || op->kind == OPERATION_DROP_INDEX ||
                                  op->kind == OPERATION_COMMENT || parents;
    if (alone)
        return NULL;
    if (table->has_children)
        return err_hint(
            err_new(ERR_UNSAFE,
                    "\"%s.%s\" has inheritance children, to which the change would go on with rows "
                    "that are not looked at: only indexes and comments of such a table are changed",
                    table->schema, table->name),
            "NO INHERIT the children for the time of the change, or change to partitions");
    return err_hint(err_new(ERR_UNSAFE,
                            "\"%s.%s\" inherits from \"%s\": only its indexes and comments are changed",
                            table->schema, table->name, table->parent),
                    "NO INHERIT it for the time of the change");
}

static bool constraint_inherited(const Operation *op, const Table *table)
{
    const TableConstraint *constraint =
        op->constraint_name != NULL ? table_constraint(table, op->constraint_name) : NULL;
    return constraint != NULL && constraint->inherited;
}

/* What the server lets only the parent change, or what would part the partition from the others. */
static Err *leaf_check(const Operation *op, const Table *table)
{
    static const struct {
        OperationKind kind;
        const char *words;
    } parents[] = {
        {OPERATION_ADD_COLUMN, "a partition has the columns of its parent"},
        {OPERATION_DROP_COLUMN, "a partition has the columns of its parent"},
        {OPERATION_RENAME_COLUMN, "a partition has the columns of its parent"},
        {OPERATION_CHANGE_TYPE, "a partition has the columns of its parent"},
        {OPERATION_DROP_TABLE, "to drop a partition takes ACCESS EXCLUSIVE on its parent: detach it first"},
    };
    if (op == NULL)
        return err_hint(err_new(ERR_UNSAFE,
                                "\"%s.%s\" is a partition of %s: rows are filled through its parent",
                                table->schema, table->name, table->parent),
                        "name the parent in the change");
    for (size_t i = 0; i < ARRAY_LEN(parents); i++)
        if (parents[i].kind == op->kind)
            return err_hint(err_new(ERR_UNSAFE, "\"%s.%s\" is a partition of %s: %s", table->schema,
                                    table->name, table->parent, parents[i].words),
                            op->kind == OPERATION_DROP_TABLE
                                ? "ALTER TABLE %s DETACH PARTITION …, then drop it in a change of its own"
                                : "change the parent: ALTER TABLE %s …",
                            table->parent);
    if (constraint_inherited(op, table) && op->kind != OPERATION_VALIDATE_CONSTRAINT &&
        op->kind != OPERATION_COMMENT)
        return err_hint(err_new(ERR_UNSAFE, "constraint \"%s\" of partition \"%s.%s\" is its parent's",
                                op->constraint_name, table->schema, table->name),
                        "change it at the parent: ALTER TABLE %s …", table->parent);
    return NULL;
}

static Err *tree_refuse(const Table *table, const char *why, const char *hint)
{
    Err *err = err_new(ERR_UNSAFE, "\"%s.%s\" is a partitioned table: %s", table->schema, table->name, why);
    return hint != NULL ? err_hint(err, "%s", hint) : err;
}

static Err *members_check(const Table *table)
{
    for (size_t i = 0; i < table->partition_count; i++) {
        const Partition *partition = &table->partitions[i];
        if (partition->kind == 'f')
            return err_hint(
                err_new(ERR_UNSAFE,
                        "partition \"%s.%s\" of \"%s.%s\" is a foreign table: its rows can neither "
                        "be filled in waves nor indexed or locked from here",
                        partition->schema, partition->name, table->schema, table->name),
                "detach it, change its server's table there, and attach it again");
        if (partition->detaching)
            return err_hint(err_new(ERR_UNSAFE,
                                    "a DETACH CONCURRENTLY of partition \"%s.%s\" was not finished",
                                    partition->schema, partition->name),
                            "ALTER TABLE %s DETACH PARTITION \"%s\".\"%s\" FINALIZE", partition->parent,
                            partition->schema, partition->name);
        if (partition->table != NULL && !str_eq(partition->table->owner, table->owner))
            return err_hint(err_new(ERR_UNSAFE, "partition \"%s.%s\" belongs to \"%s\", its parent to \"%s\"",
                                    partition->schema, partition->name, partition->table->owner,
                                    table->owner),
                            "ALTER TABLE \"%s\".\"%s\" OWNER TO \"%s\"", partition->schema, partition->name,
                            table->owner);
    }
    return NULL;
}

static Err *parent_check(const Maker *maker, const Operation *op, const Table *table)
{
    if (op != NULL && op->only && op->kind != OPERATION_CREATE_INDEX)
        return tree_refuse(table, "ONLY would part it from its partitions", "leave ONLY out");
    bool storage = op != NULL && op->kind == OPERATION_SETTING &&
                   (strstr(op->words, "storage parameters") != NULL || strstr(op->words, "CLUSTER") != NULL);
    if (storage)
        return tree_refuse(table, "it has no storage of its own", "set it for each partition");
    if (maker->server->version_num < 110000 && op != NULL &&
        (op->kind == OPERATION_CREATE_INDEX ||
         (op->kind == OPERATION_ADD_CONSTRAINT && op->constraint->kind != CONSTRAINT_CHECK)))
        return tree_refuse(table, "PostgreSQL 10 has no indexes, keys and foreign keys of partitioned tables",
                           "create it on each partition, or upgrade the server to 11 or newer");
    return members_check(table);
}

/* Whether the server's text of a partition key names the column as a word. */
static bool key_names(const char *key, const char *column)
{
    size_t len = strlen(column);
    for (const char *at = strstr(key, column); at != NULL; at = strstr(at + 1, column)) {
        bool begins = at == key || !(isalnum((unsigned char)at[-1]) || at[-1] == '_');
        bool ends = !(isalnum((unsigned char)at[len]) || at[len] == '_' || at[len] == '(');
        if (begins && ends)
            return true;
    }
    return false;
}

static bool in_partition_key(const Table *table, const char *column)
{
    bool found = false, expression = false;
    for (size_t i = 0; i < table->key_column_count; i++) {
        found = found || str_eq(table->key_columns[i], column);
        expression = expression || table->key_columns[i] == NULL;
    }
    return found || (expression && table->partition_key != NULL && key_names(table->partition_key, column));
}

static Err *key_refuse(const Table *table, const char *column, const char *what, const char *hint)
{
    return err_hint(err_new(ERR_UNSAFE,
                            "\"%s.%s\" is partitioned by %s, and column \"%s\" says where a row belongs: %s",
                            table->schema, table->name, table->partition_key, column, what),
                    "%s", hint);
}

Err *partition_key_check(const TableWork *work, const char *column, const char *what, const char *hint)
{
    const Table *table = work->table;
    if (in_partition_key(table, column))
        return key_refuse(table, column, what, hint);
    for (size_t i = 0; i < table->partition_count; i++)
        if (table->partitions[i].table != NULL && in_partition_key(table->partitions[i].table, column))
            return key_refuse(table->partitions[i].table, column, what, hint);
    return NULL;
}

Err *partition_check(const Maker *maker, const Operation *op, const Table *table)
{
    if (table->is_partition)
        TRY(leaf_check(op, table));
    if (table->kind == RELATION_PARTITIONED)
        return parent_check(maker, op, table);
    if (table->is_partition)
        return NULL;
    if (table->parent != NULL || table->has_children)
        return inheritance_check(op, table);
    return NULL;
}
