/* Tables that go, with complete: foreign keys first, one by one, then the partitions, one by one, then the
 * table.
 *
 * DROP TABLE of a partitioned table takes all partitions in one transaction, some milliseconds for each; by
 * themselves they go under a lock of their own and of the table above (looked at on 10 to 18: of its default
 * partition as well, from 11 on). */
#include "plan/drop.h"

#include <string.h>

/* Foreign keys of other tables that go as well; DROP TABLE would take the strongest lock on all of them at
 * once. */
static void table_keys_go(Maker *maker, const Operation *op, TableWork *work)
{
    Arena *arena = maker->arena;
    for (size_t i = 0; i < work->table->constraint_count; i++) {
        const TableConstraint *constraint = &work->table->constraints[i];
        bool self = str_eq(constraint->ref_table, work->table->name) &&
                    str_eq(constraint->ref_schema, work->table->schema);
        if (constraint->kind == 'f' && !self)
            key_goes(maker, work, constraint->name, far_end(arena, work->table, constraint->name));
    }
    size_t at = 1;
    for (TableWork *part; (part = work_next_part(maker, work, &at)) != NULL;)
        for (size_t i = 0; i < part->table->constraint_count; i++) {
            const TableConstraint *constraint = &part->table->constraints[i];
            if (constraint->kind == 'f' && !constraint->inherited)
                key_goes(maker, part, constraint->name, far_end(arena, part->table, constraint->name));
        }
    for (size_t i = 0; i < work->table->dependent_count; i++) {
        const Dependent *dependent = &work->table->dependents[i];
        if (!stands_on(dependent, NULL, NULL) || dependent->goes || !end_goes_too(maker, op, dependent))
            continue;
        for (size_t k = 0; k < maker->work_count; k++)
            if (str_eq(maker->works[k].table->name, dependent->on) &&
                str_eq(maker->works[k].table->schema, dependent->on_schema))
                key_goes(maker, &maker->works[k], dependent->name, work->sql);
    }
}

/* What was detached since the plan was made is nobody's to drop. */
static const char *drop_part_sql(Arena *arena, const char *part, const char *parent)
{
    const char *body = arena_printf(
        arena,
        "\nBEGIN\n  IF EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhrelid = "
        "pg_catalog.to_regclass(%s) AND inhparent = pg_catalog.to_regclass(%s)) THEN\n    DROP TABLE %s;\n"
        "  END IF;\nEND\n",
        sql_literal(arena, part), sql_literal(arena, parent), part);
    return arena_printf(arena, "DO %s", sql_dollar(arena, body));
}

static TableWork *work_above(const Maker *maker, TableWork *work, const Partition *partition)
{
    size_t at = 0;
    for (TableWork *part; (part = work_next_part(maker, work, &at)) != NULL;)
        if (str_eq(part->sql, partition->parent))
            return part;
    return work;
}

/* Children before their parents. */
static void partitions_go(Maker *maker, TableWork *work)
{
    Arena *arena = maker->arena;
    const Table *table = work->table;
    for (size_t i = table->partition_count; i > 0; i--) {
        const Partition *partition = &table->partitions[i - 1];
        const char *part = sql_name(arena, partition->schema, partition->name);
        Step *step = maker_ddl(maker, PHASE_CONTRACT, work_above(maker, work, partition), "ACCESS EXCLUSIVE",
                               arena_printf(arena, "drop partition %s", part),
                               drop_part_sql(arena, part, partition->parent), NULL);
        step_only(step);
        step_add_lock_mode(maker, step, part, "ACCESS EXCLUSIVE");
        for (size_t k = 0; k < i - 1 && maker->server->version_num >= 110000; k++)
            if (table->partitions[k].is_default && str_eq(table->partitions[k].parent, partition->parent))
                step_add_lock_mode(maker, step,
                                   sql_name(arena, table->partitions[k].schema, table->partitions[k].name),
                                   "ACCESS EXCLUSIVE");
    }
    if (table->partition_count > 0)
        maker_risk(
            maker, "partitions", NULL,
            arena_printf(arena,
                         "with \"complete\" the %zu partitions of %s go one by one, each under a short "
                         "lock; one that is detached until then stays",
                         table->partition_count, work->sql),
            NULL);
}

Err *table_drop(Maker *maker, const Operation *op, TableWork *work)
{
    Arena *arena = maker->arena;
    if (work->table->sync_count > 0)
        return err_hint(err_new(ERR_UNSAFE, "another change is under way on \"%s.%s\"", work->table->schema,
                                work->table->name),
                        "complete or abort it first: stoa status");
    TRY(dependents_check(maker, op, work, work->sql));
    mention_note(maker, op, work, work->sql);
    if (!work->table->empty)
        maker_risk(maker, "rows", NULL,
                   arena_printf(arena, "about %lld rows go with %s; there is no way back from \"complete\"",
                                (long long)work->table->row_estimate, work->sql),
                   NULL);
    maker_evidence(maker, work, NULL, false);
    table_keys_go(maker, op, work);
    partitions_go(maker, work);
    step_only(maker_ddl(maker, PHASE_CONTRACT, work, "ACCESS EXCLUSIVE",
                        arena_printf(arena, "drop table %s", work->sql),
                        arena_printf(arena, "DROP TABLE IF EXISTS %s", work->sql), NULL));
    return NULL;
}
