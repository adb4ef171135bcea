/* What differs between two definitions of a table. */
#include "engine/mysql/lost.h"

#include "base/str.h"
#include "engine/contract_mark.h"
#include "engine/my_table.h"

#include <string.h>
#include <strings.h>

typedef struct Losses {
    Arena *arena;
    VEC(LostAttribute) list;
    const ColumnRename *renames;
    size_t rename_count;
} Losses;

static void add(Losses *losses, const char *object, const char *before, const char *after)
{
    if (!str_eq(before, after))
        *vec_push(losses->arena, &losses->list) =
            (LostAttribute){.object = object, .before = before, .after = after};
}

/* "WORD value", or "" for NULL. */
static const char *said(Arena *arena, const char *word, const char *value)
{
    return value == NULL ? "" : arena_printf(arena, "%s %s", word, value);
}

static const char *quoted(Arena *arena, const char *word, const char *text)
{
    CLEANUP(str_donep) Str str = STR_INIT;
    if (text == NULL || text[0] == '\0')
        return "";
    for (const char *at = text; *at != '\0'; at++) {
        str_addn(&str, at, 1);
        if (*at == '\'')
            str_add(&str, "'");
    }
    return arena_printf(arena, "%s '%s'", word, str.buf);
}

/* ---- columns ---------------------------------------------------------------------------------------------
 */

/* Without its contract, which the journal has, and which is written again. */
static const char *comment_of(Arena *arena, const MyColumn *column)
{
    const char *text = column->comment == NULL ? "" : column->comment;
    return quoted(arena, "COMMENT", arena_dupn(arena, text, contract_mark_at(text, strlen(text))));
}

static void compare_column(Losses *losses, const MyColumn *a, const MyColumn *b)
{
    Arena *arena = losses->arena;
    const char *object = arena_printf(arena, "column %s", a->name);
    /* The type's text names no character set, but ENUMs differ by it; a renamed one is not lost. */
    add(losses, object, said(arena, "TYPE", a->type), said(arena, "TYPE", b->type));
    add(losses, object, a->not_null ? "NOT NULL" : "", b->not_null ? "NOT NULL" : "");
    add(losses, object, said(arena, "DEFAULT", a->default_sql), said(arena, "DEFAULT", b->default_sql));
    add(losses, object, said(arena, "ON UPDATE", a->on_update), said(arena, "ON UPDATE", b->on_update));
    add(losses, object, a->auto_increment ? "AUTO_INCREMENT" : "", b->auto_increment ? "AUTO_INCREMENT" : "");
    add(losses, object, comment_of(arena, a), comment_of(arena, b));
    add(losses, object, said(arena, "CHARACTER SET", a->charset), said(arena, "CHARACTER SET", b->charset));
    add(losses, object, said(arena, "COLLATE", a->collation), said(arena, "COLLATE", b->collation));
    add(losses, object, a->invisible ? "INVISIBLE" : "", b->invisible ? "INVISIBLE" : "");
    add(losses, object, said(arena, a->stored ? "GENERATED STORED" : "GENERATED VIRTUAL", a->generated),
        said(arena, b->stored ? "GENERATED STORED" : "GENERATED VIRTUAL", b->generated));
    add(losses, object, said(arena, "CHECK", a->check), said(arena, "CHECK", b->check));
    add(losses, object, a->unversioned ? "WITHOUT SYSTEM VERSIONING" : "",
        b->unversioned ? "WITHOUT SYSTEM VERSIONING" : "");
}

static const MyColumn *column_of(const MyTable *table, const char *name)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (strcasecmp(table->columns[i].name, name) == 0)
            return &table->columns[i];
    return NULL;
}

/* What became of a column: the one that it is called now, else the one of its name, unless that is another
 * one's new name; NULL where it is gone. */
static const MyColumn *successor(const Losses *losses, const MyTable *after, const char *name)
{
    bool taken = false;
    for (size_t i = 0; i < losses->rename_count; i++) {
        if (strcasecmp(losses->renames[i].from, name) == 0)
            return column_of(after, losses->renames[i].to);
        taken = taken || strcasecmp(losses->renames[i].to, name) == 0;
    }
    return taken ? NULL : column_of(after, name);
}

static void compare_columns(Losses *losses, const MyTable *before, const MyTable *after)
{
    for (size_t i = 0; i < before->column_count; i++) {
        const MyColumn *column = &before->columns[i], *next = successor(losses, after, column->name);
        if (next != NULL)
            compare_column(losses, column, next);
        else
            add(losses, arena_printf(losses->arena, "column %s", column->name),
                said(losses->arena, "TYPE", column->type), "");
    }
}

/* ---- what stands on them ---------------------------------------------------------------------------------
 */

static const char *index_text(const Table *table, const char *name)
{
    const Index *index = table_index(table, name);
    return index == NULL ? "" : index->definition;
}

static void compare_indexes(Losses *losses, const Table *before, const Table *after)
{
    for (size_t i = 0; i < before->index_count; i++)
        add(losses, arena_printf(losses->arena, "index %s", before->indexes[i].name),
            before->indexes[i].definition, index_text(after, before->indexes[i].name));
    for (size_t i = 0; i < before->my->index_count; i++)
        for (size_t at = 0; at < after->my->index_count; at++)
            if (str_eq(before->my->indexes[i].name, after->my->indexes[at].name))
                add(losses, arena_printf(losses->arena, "index %s", before->my->indexes[i].name),
                    quoted(losses->arena, "COMMENT", before->my->indexes[i].comment),
                    quoted(losses->arena, "COMMENT", after->my->indexes[at].comment));
}

static void compare_constraints(Losses *losses, const Table *before, const Table *after)
{
    for (size_t i = 0; i < before->constraint_count; i++) {
        const TableConstraint *a = &before->constraints[i], *b = NULL;
        if (a->kind != 'c' && a->kind != 'f')
            continue; /* an index */
        if (a->kind == 'c' && column_of(before->my, a->name) != NULL &&
            column_of(before->my, a->name)->check != NULL)
            continue; /* told with its column */
        for (size_t at = 0; at < after->constraint_count; at++)
            if (after->constraints[at].kind == a->kind && str_eq(after->constraints[at].name, a->name))
                b = &after->constraints[at];
        add(losses, arena_printf(losses->arena, "%s %s", a->kind == 'c' ? "check" : "foreign key", a->name),
            a->definition, b == NULL ? "" : b->definition);
    }
}

static void compare_table(Losses *losses, const MyTable *a, const MyTable *b)
{
    Arena *arena = losses->arena;
    add(losses, "table", said(arena, "ENGINE", a->engine), said(arena, "ENGINE", b->engine));
    add(losses, "table", said(arena, "ROW_FORMAT", a->row_format), said(arena, "ROW_FORMAT", b->row_format));
    add(losses, "table", said(arena, "COLLATE", a->collation), said(arena, "COLLATE", b->collation));
    add(losses, "table", quoted(arena, "COMMENT", a->comment), quoted(arena, "COMMENT", b->comment));
    add(losses, "table", said(arena, "OPTIONS", a->options), said(arena, "OPTIONS", b->options));
    add(losses, "table", said(arena, "PARTITION BY", a->partition_by),
        said(arena, "PARTITION BY", b->partition_by));
    add(losses, "table", a->system_versioned ? "WITH SYSTEM VERSIONING" : "",
        b->system_versioned ? "WITH SYSTEM VERSIONING" : "");
}

void lost_list(Arena *arena, const Table *before, const Table *after, const ColumnRename *renames,
               size_t rename_count, LostAttribute **ret_lost, size_t *ret_count)
{
    Losses losses = {.arena = arena, .renames = renames, .rename_count = rename_count};
    compare_columns(&losses, before->my, after->my);
    compare_indexes(&losses, before, after);
    compare_constraints(&losses, before, after);
    compare_table(&losses, before->my, after->my);
    *ret_lost = losses.list.items;
    *ret_count = losses.list.len;
}
