/* ALTER COLUMN TYPE of partitioned tables: what would have to be done in each partition and cannot be done at
 * the parent is named, with the way around it.
 *
 * Looked at on 11 to 18: where a type is changed that holds the same bytes, the server builds every index of
 * the parent over the column anew, in each partition under the lock, while an index that a partition has for
 * itself stays as it is. A key or foreign key of the parent would have to change places in all partitions at
 * once. */
#include "plan/drop.h"

#include <string.h>

/* ---- what hangs on it at the parent --------------------------------------------------------- */

static Err *refuse_index(Arena *arena, const TableWork *work, const Operation *op, const ColumnPart *one)
{
    const char *what = one->constraint != NULL ? "constraint" : "index";
    Err *err =
        err_new(ERR_UNSAFE,
                "%s \"%s\" of partitioned table \"%s.%s\" is over column \"%s\": with another type the "
                "server builds it anew in all partitions under one lock",
                what, one->name, work->table->schema, work->table->name, op->column);
    if (one->constraint == NULL)
        return err_hint(
            err,
            "in changes of their own: DROP INDEX %s; the type; CREATE INDEX again, which builds it "
            "while writes go on",
            sql_name(arena, one->schema, one->name));
    return err_hint(
        err,
        "in changes of their own: ALTER TABLE %s DROP CONSTRAINT %s; the type; ADD CONSTRAINT again, "
        "which builds its index while writes go on",
        work->sql, sql_ident(arena, one->constraint));
}

static Err *refuse_key(Arena *arena, const TableWork *work, const Operation *op, const ColumnPart *one)
{
    return err_hint(err_new(ERR_UNSAFE,
                            "foreign key \"%s\" of \"%s.%s\" is over column \"%s\" of partitioned table "
                            "\"%s.%s\": it would be checked again for all partitions under one lock",
                            one->name, one->table_schema, one->table_name, op->column, work->table->schema,
                            work->table->name),
                    "in changes of their own: ALTER TABLE %s DROP CONSTRAINT %s; the types of both ends; ADD "
                    "CONSTRAINT again, which validates while writes go on",
                    sql_name(arena, one->table_schema, one->table_name), sql_ident(arena, one->name));
}

static Err *parent_parts(Maker *maker, const TableWork *work, const Operation *op, const ColumnParts *parts)
{
    for (size_t i = 0; i < parts->count; i++) {
        const ColumnPart *one = &parts->items[i];
        if (one->kind == PART_INDEX && !work->table->empty)
            return refuse_index(maker->arena, work, op, one);
        if (one->kind == PART_FOREIGN_KEY || one->kind == PART_REFERENCE)
            return refuse_key(maker->arena, work, op, one);
        if (one->kind == PART_IDENTITY)
            return err_hint(err_new(ERR_UNSAFE,
                                    "column \"%s\" of partitioned table \"%s.%s\" is an identity: it has one "
                                    "sequence for all partitions, which no second column can share",
                                    op->column, work->table->schema, work->table->name),
                            "in changes of their own: ALTER TABLE %s ALTER COLUMN %s DROP IDENTITY; the "
                            "type; ADD GENERATED "
                            "again",
                            work->sql, sql_ident(maker->arena, op->column));
    }
    return NULL;
}

/* ---- what hangs on it in a partition alone -------------------------------------------------- */

/* An index over plain columns is left as it is where the bytes stay the same. */
static bool stays(const TableWork *part, const Dependent *dependent)
{
    const Index *index = str_eq(dependent->kind, "index") ? table_index(part->table, dependent->name) : NULL;
    bool plain = index != NULL && strstr(index->definition, " WHERE ") == NULL;
    for (size_t i = 0; plain && i < index->column_count; i++)
        plain = index->columns[i] != NULL;
    return plain;
}

static void find_own(const TableWork *part, const char *column, bool keeps_bytes, Str *found)
{
    for (size_t i = 0; i < part->table->dependent_count; i++) {
        const Dependent *dependent = &part->table->dependents[i];
        bool known = str_eq(dependent->kind, "not null") || str_eq(dependent->kind, "sequence");
        if (!stands_on(dependent, column, NULL) || known || !dependent_is_own(part, dependent) ||
            (keeps_bytes && stays(part, dependent)))
            continue;
        str_sep(found, ", ");
        str_add(found, dependent->text);
    }
}

/* A second column is made at the parent, and would not have what one partition says of the first. */
static void find_differences(const TableWork *work, const TableWork *part, const char *column, Str *found)
{
    const Column *whole = table_column(work->table, column), *own = table_column(part->table, column);
    if (own->not_null == whole->not_null && str_eq(own->default_sql, whole->default_sql))
        return;
    str_sep(found, ", ");
    str_addf(found, "%s of it in %s", own->not_null != whole->not_null ? "NOT NULL" : "the default",
             part->sql);
}

static Err *partition_parts(Maker *maker, TableWork *work, const Operation *op, bool keeps_bytes)
{
    Str found CLEANUP(str_donep) = STR_INIT;
    size_t at = 1;
    for (TableWork *part; (part = work_next_part(maker, work, &at)) != NULL;) {
        find_own(part, op->column, keeps_bytes, &found);
        if (!keeps_bytes)
            find_differences(work, part, op->column, &found);
    }
    if (found.len == 0)
        return NULL;
    return err_hint(
        err_new(ERR_UNSAFE,
                "column \"%s\" of \"%s.%s\" gets its type at the parent, and single partitions have "
                "something of their own on it: %s",
                op->column, work->table->schema, work->table->name, found.buf),
        "take it away in those partitions first, and make it again when the change is complete");
}

Err *type_tree_check(Maker *maker, const Operation *op, TableWork *work, const ColumnParts *parts,
                     bool keeps_bytes)
{
    if (work->table->kind != RELATION_PARTITIONED)
        return NULL;
    TRY(partition_key_check(
        work, op->column, "the server gives it no other type",
        "by hand: a new partitioned table with the other type, filled from this one partition "
        "by partition, takes its place"));
    TRY(parent_parts(maker, work, op, parts));
    return partition_parts(maker, work, op, keeps_bytes);
}
