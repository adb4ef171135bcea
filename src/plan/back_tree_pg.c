/* Ways back of what was dropped from a partitioned table and all its partitions at once: each partition gets
 * back what it had, under its own name, and proves it by itself while writes go on; what the parent gets then
 * takes these over and reads nothing (looked at on 10 to 18). */
#include "plan/maker.h"

#include <string.h>

/* The statement unless the table has a constraint of that name: a further try does no harm. */
static const char *once(Arena *arena, const TableWork *work, const char *name, const char *sql)
{
    const char *body =
        arena_printf(arena,
                     "\nBEGIN\n  IF NOT EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE conrelid = "
                     "%s::pg_catalog.regclass AND conname = %s) THEN\n    %s;\n  END IF;\nEND\n",
                     sql_literal(arena, work->sql), sql_literal(arena, name), sql);
    return arena_printf(arena, "DO %s", sql_dollar(arena, body));
}

/* ---- unique constraints and primary keys ---------------------------------------------------- */

/* Of the partitioned index, or of the constraint. */
static const Index *index_of(const Table *table, const char *parent, const char *constraint)
{
    for (size_t i = 0; i < table->index_count; i++)
        if (parent != NULL ? str_eq(table->indexes[i].parent, parent)
                           : str_eq(table->indexes[i].constraint, constraint))
            return &table->indexes[i];
    return NULL;
}

typedef struct KeyPart {
    TableWork *work, *above;
    const Index *index;
    const char *parent_index;
    char kind;
} KeyPart;

/* Parents before their children; parts without the key (a partition that came just now) are left out. */
static size_t key_parts(Maker *maker, TableWork *work, const Index *top, KeyPart *parts)
{
    Arena *arena = maker->arena;
    size_t count = 0;
    for (size_t i = 0; i < work->table->partition_count; i++) {
        const Partition *partition = &work->table->partitions[i];
        KeyPart part = {.work = maker_work(maker, partition->table), .above = work, .kind = partition->kind};
        const Index *above = top;
        for (size_t k = 0; k < count; k++)
            if (str_eq(parts[k].work->sql, partition->parent)) {
                part.above = parts[k].work;
                above = parts[k].index;
            }
        part.parent_index = sql_name(arena, above->schema, above->name);
        part.index = index_of(part.work->table, part.parent_index, NULL);
        if (part.index != NULL && part.index->constraint != NULL)
            parts[count++] = part;
    }
    return count;
}

static void key_of_leaf(Maker *maker, Step *step, const KeyPart *part, const TableConstraint *constraint)
{
    Arena *arena = maker->arena;
    const char *name = part->index->name;
    Step *added = back_push(maker, step, part->work->table, STEP_DDL, "ACCESS EXCLUSIVE",
                            arena_printf(arena, "make index %s of %s the constraint again",
                                         sql_ident(arena, name), part->work->sql));
    step_add_sql(maker, added,
                 once(arena, part->work, name, back_key_sql(arena, part->work, constraint, name)));
}

static void key_of_parent(Maker *maker, Step *step, const TableWork *work, const char *name,
                          const TableConstraint *constraint)
{
    Arena *arena = maker->arena;
    const char *ident = sql_ident(arena, name);
    Step *added = back_push(maker, step, work->table, STEP_DDL, "ACCESS EXCLUSIVE",
                            arena_printf(arena, "put %s of %s itself back", ident, work->sql));
    step_only(added);
    step_add_sql(maker, added,
                 once(arena, work, name,
                      arena_printf(arena, "ALTER TABLE ONLY %s ADD CONSTRAINT %s %s", work->sql, ident,
                                   constraint->definition)));
}

/* What is attached already is attached once more without a word. */
static void attach(Maker *maker, Step *step, const KeyPart *part)
{
    Arena *arena = maker->arena;
    const char *own = sql_name(arena, part->index->schema, part->index->name);
    Step *added = back_push(maker, step, part->work->table, STEP_DDL, "ACCESS EXCLUSIVE",
                            arena_printf(arena, "attach index %s to %s", own, part->parent_index));
    step_only(added);
    if (maker->server->version_num < INDEX_ATTACH_WEAK_VERSION)
        step_add_lock_mode(maker, added, part->above->sql, "ACCESS EXCLUSIVE");
    step_add_sql(maker, added,
                 arena_printf(arena, "ALTER INDEX %s ATTACH PARTITION %s", part->parent_index, own));
}

static void back_key_tree(Maker *maker, TableWork *work, Step *step, const TableConstraint *constraint)
{
    const Index *top = index_of(work->table, NULL, constraint->name);
    if (top == NULL)
        return;
    KeyPart *parts = arena_alloc(maker->arena, (work->table->partition_count + 1) * sizeof *parts);
    size_t count = key_parts(maker, work, top, parts);
    for (size_t i = 0; i < count; i++)
        if (parts[i].kind == 'r')
            back_index(maker, parts[i].work, step, parts[i].index);
    for (size_t i = 0; i < count; i++)
        if (parts[i].kind == 'r')
            key_of_leaf(maker, step, &parts[i], constraint);
    for (size_t i = count; i > 0; i--)
        if (parts[i - 1].kind == 'p')
            key_of_parent(maker, step, parts[i - 1].work, parts[i - 1].index->name, constraint);
    key_of_parent(maker, step, work, constraint->name, constraint);
    for (size_t i = count; i > 0; i--) /* children first: what is attached is whole by then */
        attach(maker, step, &parts[i - 1]);
}

/* ---- foreign keys -------------------------------------------------------------------------- */

/* The partition's part of it, by preference under the same name. */
static const TableConstraint *part_of(const Table *leaf, const TableConstraint *constraint)
{
    const TableConstraint *found = NULL;
    for (size_t i = 0; i < leaf->constraint_count; i++) {
        const TableConstraint *one = &leaf->constraints[i];
        bool same = one->kind == constraint->kind && one->inherited &&
                    str_eq(one->definition, constraint->definition);
        if (same && (found == NULL || str_eq(one->name, constraint->name)))
            found = one;
    }
    return found;
}

static void back_foreign_tree(Maker *maker, TableWork *work, Step *step, const TableConstraint *constraint)
{
    Arena *arena = maker->arena;
    const char *far = sql_name(arena, constraint->ref_schema, constraint->ref_table);
    size_t at = 0;
    for (TableWork *leaf; (leaf = work_next_leaf(maker, work, &at)) != NULL;) {
        const TableConstraint *own = part_of(leaf->table, constraint);
        const char *name = own != NULL ? own->name : constraint->name;
        Step *add = back_not_valid(maker, leaf, step, name, constraint->definition);
        step_add_lock_mode(maker, add, far, "ACCESS EXCLUSIVE");
        back_validate(maker, leaf, step, name);
    }
    step_add_undo(maker, step,
                  arena_printf(arena, "ALTER TABLE %s ADD CONSTRAINT %s %s", work->sql,
                               sql_ident(arena, constraint->name), constraint->definition));
}

void back_constraint_tree(Maker *maker, TableWork *work, Step *step, const TableConstraint *constraint)
{
    Arena *arena = maker->arena;
    bool itself = str_eq(constraint->ref_table, work->table->name) &&
                  str_eq(constraint->ref_schema, work->table->schema);
    if (constraint->kind != 'f')
        back_key_tree(maker, work, step, constraint);
    else if (!itself)
        back_foreign_tree(maker, work, step, constraint);
    else
        maker_risk(maker, "no-way-back", NULL,
                   arena_printf(arena,
                                "foreign key %s refers to its own table, which is partitioned: the server "
                                "would read it under a strong lock to have it back, so abort leaves it away",
                                sql_ident(arena, constraint->name)),
                   NULL);
}

/* ---- NOT NULL ------------------------------------------------------------------------------- */

/* 10 and 11 know no proof: the scan of each is bounded by --max-stall. */
void back_not_null_tree(Maker *maker, TableWork *work, Step *step, const char *column)
{
    Arena *arena = maker->arena;
    const char *set = arena_printf(arena, "ALTER COLUMN %s SET NOT NULL", sql_ident(arena, column));
    size_t at = 0;
    for (TableWork *leaf; (leaf = work_next_leaf(maker, work, &at)) != NULL;) {
        Step *added =
            back_push(maker, step, leaf->table, STEP_DDL, "ACCESS EXCLUSIVE",
                      arena_printf(arena, "set %s of %s not null", sql_ident(arena, column), leaf->sql));
        step_add_sql(maker, added, arena_printf(arena, "ALTER TABLE %s %s", leaf->sql, set));
    }
    step_add_undo(maker, step, arena_printf(arena, "ALTER TABLE %s %s", work->sql, set));
}
