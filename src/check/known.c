/* What the statements so far have made. */
#include "check/known.h"

#include "base/str.h"

#include <string.h>
#include <strings.h>

/* ---- finding -------------------------------------------------------------------------------- */

static size_t hash_of(const char *text)
{
    size_t hash = 5381;
    for (; *text != '\0'; text++)
        hash = hash * 33 ^ (unsigned char)*text;
    return hash;
}

static bool is_same(Name a, Name b)
{
    return str_eq(a.name, b.name) && (a.schema == NULL || b.schema == NULL || str_eq(a.schema, b.schema));
}

static KnownThing *slot_of(KnownThing *slots, size_t count, KnownKind kind, Name name)
{
    size_t at = hash_of(name.name) & (count - 1);
    while (slots[at].name.name != NULL && (slots[at].kind != kind || !is_same(slots[at].name, name)))
        at = (at + 1) & (count - 1);
    return &slots[at];
}

KnownThing *known_find(const Known *known, KnownKind kind, Name name)
{
    if (known->slot_count == 0 || name.name == NULL)
        return NULL;
    KnownThing *slot = slot_of(known->slots, known->slot_count, kind, name);
    return slot->name.name == NULL ? NULL : slot;
}

static KnownThing *known_add(Known *known, KnownKind kind, Name name)
{
    if (known->used * 2 >= known->slot_count) {
        size_t count = known->slot_count == 0 ? 256 : known->slot_count * 2;
        KnownThing *slots = arena_alloc(known->arena, count * sizeof *slots);
        for (size_t i = 0; i < known->slot_count; i++)
            if (known->slots[i].name.name != NULL)
                *slot_of(slots, count, known->slots[i].kind, known->slots[i].name) = known->slots[i];
        known->slots = slots;
        known->slot_count = count;
    }
    KnownThing *slot = slot_of(known->slots, known->slot_count, kind, name);
    known->used += slot->name.name == NULL;
    *slot = (KnownThing){.kind = kind, .name = name, .made = !known->applied};
    return slot;
}

KnownTable *known_table(const Known *known, Name name)
{
    KnownThing *thing = known_find(known, KNOWN_TABLE, name);
    return thing == NULL || thing->table->gone ? NULL : thing->table;
}

KnownColumn *known_column(KnownTable *table, const char *name)
{
    for (size_t i = 0; table != NULL && name != NULL && i < table->columns.len; i++)
        if (strcasecmp(table->columns.items[i].name, name) == 0)
            return &table->columns.items[i];
    return NULL;
}

bool known_is_made(const Known *known, Name name)
{
    const KnownTable *table = known_table(known, name);
    return table != NULL && table->made;
}

bool known_is_maybe(const Known *known, Name name)
{
    const KnownTable *table = known_table(known, name);
    return table != NULL && table->maybe;
}

const KnownIndex *known_index_on(const KnownTable *table, const char *const *columns, size_t count)
{
    for (size_t i = 0; i < table->indexes.len; i++) {
        const KnownIndex *index = &table->indexes.items[i];
        size_t same = 0;
        while (same < count && same < index->key_count && str_eq(index->keys[same], columns[same]))
            same++;
        if (same == count && !index->partial)
            return index;
    }
    return NULL;
}

/* ---- taking --------------------------------------------------------------------------------- */

static void add_index(Known *known, KnownTable *table, KnownIndex index)
{
    if (index.name != NULL)
        known_add(known, KNOWN_INDEX, (Name){table->name.schema, index.name})->table = table;
    *vec_push(known->arena, &table->indexes) = index;
}

static void add_constraint(Known *known, KnownTable *table, const ActConstraint *spec, size_t start,
                           size_t end)
{
    if (spec->not_null) {
        KnownColumn *column = known_column(table, spec->columns[0]);
        if (column != NULL && !spec->not_valid)
            column->not_null = true;
        return;
    }
    *vec_push(known->arena, &table->constraints) = (KnownConstraint){.name = spec->name,
                                                                     .kind = spec->kind,
                                                                     .proves = spec->proves,
                                                                     .valid = !spec->not_valid,
                                                                     .spec = spec,
                                                                     .file = known->file,
                                                                     .start = start,
                                                                     .end = end};
    KnownColumn *column = known_column(table, spec->proves);
    if (column != NULL && !spec->not_valid && !spec->not_enforced)
        column->proved = spec->name == NULL ? "" : spec->name;
    table->keyed = table->keyed || spec->kind == CONSTRAINT_PRIMARY_KEY;
    if (spec->kind == CONSTRAINT_UNIQUE || spec->kind == CONSTRAINT_PRIMARY_KEY)
        add_index(known, table,
                  (KnownIndex){.name = spec->name,
                               .keys = spec->columns,
                               .key_count = spec->column_count,
                               .unique = true,
                               .constraint = true});
    for (size_t i = 0; spec->kind == CONSTRAINT_PRIMARY_KEY && i < spec->column_count; i++) {
        column = known_column(table, spec->columns[i]);
        if (column != NULL)
            column->not_null = true;
    }
}

static void add_column(Known *known, KnownTable *table, const ActColumn *spec)
{
    bool key = spec->primary || spec->unique;
    table->keyed = table->keyed || spec->primary || (spec->unique && spec->not_null);
    table->has_virtual = table->has_virtual || spec->virtual_;
    *vec_push(known->arena, &table->columns) =
        (KnownColumn){.name = spec->name,
                      .type = spec->type,
                      .not_null = spec->not_null || spec->primary || spec->identity || spec->type.serial,
                      .spec = spec,
                      .made = !known->applied};
    if (key) {
        const char **keys = arena_alloc(known->arena, sizeof *keys);
        keys[0] = spec->name;
        add_index(known, table,
                  (KnownIndex){.keys = keys, .key_count = 1, .unique = true, .constraint = true});
    }
}

/* A table that is named, but was not made in sight: what is said of it from here on is known. */
static KnownTable *table_of(Known *known, Name name)
{
    KnownTable *table = known_table(known, name);
    if (table != NULL || name.name == NULL)
        return table;
    KnownThing *thing = known_add(known, KNOWN_TABLE, name);
    thing->made = false;
    thing->table = arena_alloc(known->arena, sizeof *thing->table);
    *thing->table = (KnownTable){.name = name};
    return thing->table;
}

static void take_create_table(Known *known, const Act *act)
{
    bool there = known_table(known, act->table) != NULL;
    if (there && (act->flags & ACT_IF_NOT_EXISTS) != 0)
        return;
    KnownThing *thing = known_add(known, KNOWN_TABLE, act->table);
    KnownTable *table = arena_alloc(known->arena, sizeof *table);
    *table = (KnownTable){.name = act->table,
                          .made = !known->applied || (act->flags & ACT_TEMPORARY) != 0,
                          .maybe = (act->flags & ACT_IF_NOT_EXISTS) != 0 && !known->whole,
                          .complete = (act->flags & ACT_COPIED) == 0,
                          .partitioned = (act->flags & ACT_PARTITIONED) != 0,
                          .parent = act->other};
    thing->table = table;
    table->wants_key =
        (act->flags & (ACT_COPIED | ACT_PARTITION_OF | ACT_TEMPORARY)) == 0 && act->column_count > 0;
    table->file = known->file;
    table->start = act->start;
    table->end = act->end;
    table->compressed = (act->flags & ACT_COMPRESSED) != 0;
    table->not_innodb = act->value != NULL && strcasecmp(act->value, "innodb") != 0;
    for (size_t i = 0; i < act->column_count; i++)
        add_column(known, table, &act->columns[i]);
    for (size_t i = 0; i < act->constraint_count; i++)
        add_constraint(known, table, &act->constraints[i], act->start, act->end);
    if ((act->flags & ACT_PARTITION_OF) != 0 && (act->flags & ACT_DEFAULT_PARTITION) != 0) {
        KnownTable *parent = table_of(known, act->other);
        if (parent != NULL)
            parent->default_partition = true;
    }
}

static void validate(KnownTable *table, const char *name)
{
    for (size_t i = 0; i < table->constraints.len; i++) {
        KnownConstraint *constraint = &table->constraints.items[i];
        if (!str_eq(constraint->name, name))
            continue;
        constraint->valid = true;
        KnownColumn *column = known_column(table, constraint->proves);
        if (column != NULL)
            column->proved = name;
    }
}

static void drop_constraint(KnownTable *table, const char *name)
{
    for (size_t i = 0; i < table->constraints.len; i++)
        if (str_eq(table->constraints.items[i].name, name))
            table->constraints.items[i--] = table->constraints.items[--table->constraints.len];
    for (size_t i = 0; i < table->columns.len; i++)
        if (table->columns.items[i].proved != NULL && str_eq(table->columns.items[i].proved, name))
            table->columns.items[i].proved = NULL;
}

static void drop_column(KnownTable *table, const char *name)
{
    for (size_t i = 0; i < table->columns.len; i++)
        if (str_eq(table->columns.items[i].name, name))
            table->columns.items[i--] = table->columns.items[--table->columns.len];
}

/* PostgreSQL names the index alone, MySQL and MariaDB its table as well. */
static void drop_index(Known *known, const Act *act)
{
    bool alone = str_eq(act->table.name, act->name);
    const KnownThing *thing = known_find(known, KNOWN_INDEX, act->table);
    KnownTable *table = !alone ? known_table(known, act->table) : thing != NULL ? thing->table : NULL;
    for (size_t i = 0; table != NULL && i < table->indexes.len; i++)
        if (str_eq(table->indexes.items[i].name, act->name))
            table->indexes.items[i--] = table->indexes.items[--table->indexes.len];
}

static void take_column(Known *known, KnownTable *table, const Act *act)
{
    KnownColumn *column = known_column(table, act->name);
    switch ((int)act->kind) {
    case ACT_ADD_COLUMN:
        if (act->column != NULL && column == NULL)
            add_column(known, table, act->column);
        break;
    case ACT_DROP_COLUMN:
        drop_column(table, act->name);
        break;
    case ACT_RENAME_COLUMN:
        if (column != NULL)
            column->name = act->new_name;
        break;
    case ACT_CHANGE_TYPE:
        if (column != NULL && act->column != NULL)
            column->type = act->column->type;
        break;
    case ACT_MODIFY_COLUMN:
        if (column == NULL || act->column == NULL)
            break;
        *column = (KnownColumn){.name = act->column->name,
                                .type = act->column->type,
                                .not_null = act->column->not_null,
                                .spec = act->column,
                                .made = column->made};
        break;
    case ACT_SET_NOT_NULL:
        if (column != NULL)
            column->not_null = true;
        break;
    case ACT_DROP_NOT_NULL:
        if (column != NULL)
            column->not_null = false;
        break;
    default:
        break;
    }
}

static void take_rename(Known *known, KnownTable *table, const Act *act)
{
    KnownTable *copy = arena_alloc(known->arena, sizeof *copy);
    *copy = *table;
    copy->name = (Name){.schema = table->name.schema, .name = act->new_name};
    table->gone = true;
    known_add(known, KNOWN_TABLE, copy->name)->table = copy;
    for (size_t i = 0; i < copy->indexes.len; i++)
        if (copy->indexes.items[i].name != NULL)
            known_add(known, KNOWN_INDEX, (Name){copy->name.schema, copy->indexes.items[i].name})->table =
                copy;
}

static void take_on_table(Known *known, KnownTable *table, const Act *act)
{
    switch ((int)act->kind) {
    case ACT_ADD_CONSTRAINT:
        add_constraint(known, table, act->constraint, act->start, act->end);
        break;
    case ACT_VALIDATE:
        validate(table, act->name);
        break;
    case ACT_DROP_CONSTRAINT:
        drop_constraint(table, act->name);
        break;
    case ACT_ENGINE:
        table->not_innodb = act->value != NULL && strcasecmp(act->value, "innodb") != 0;
        break;
    case ACT_CREATE_INDEX:
        table->has_fulltext = table->has_fulltext || str_eq(act->method, "FULLTEXT");
        add_index(known, table,
                  (KnownIndex){.name = act->name,
                               .keys = act->keys,
                               .key_count = act->key_count,
                               .unique = (act->flags & ACT_UNIQUE) != 0,
                               .partial = (act->flags & ACT_PARTIAL) != 0});
        break;
    case ACT_ATTACH:
        table->partitioned = true;
        table->default_partition = table->default_partition || (act->flags & ACT_DEFAULT_PARTITION) != 0;
        break;
    case ACT_CREATE_POLICY:
        table->policies = true;
        break;
    case ACT_DROP_TABLE:
        table->gone = true;
        break;
    case ACT_RENAME_TABLE:
        if (str_eq(act->value, "TABLE"))
            take_rename(known, table, act);
        break;
    default:
        take_column(known, table, act);
        break;
    }
}

void known_take(Known *known, const Act *act)
{
    if (act->function != NULL && act->function[0] != '\0')
        return; /* it runs when somebody calls it */
    switch ((int)act->kind) {
    case ACT_OTHER:
    case ACT_UNKNOWN:
    case ACT_SELECT:
    case ACT_INSERT:
    case ACT_UPDATE:
    case ACT_DELETE:
    case ACT_COPY:
    case ACT_COMMENT:
    case ACT_SET:
        return;
    case ACT_CREATE_TABLE:
        if (act->table.name != NULL)
            take_create_table(known, act);
        return;
    case ACT_CREATE_ENUM:
        (void)known_add(known, KNOWN_ENUM, act->table);
        return;
    case ACT_CREATE_DOMAIN:
        known_add(known, KNOWN_DOMAIN, act->table)->constrained = act->constraint_count > 0;
        return;
    case ACT_CREATE_FUNCTION:
        if (act->table.name != NULL)
            (void)known_add(known, KNOWN_FUNCTION, act->table);
        return;
    case ACT_CREATE_VIEW:
        if (act->table.name != NULL)
            (void)known_add(known, KNOWN_VIEW, act->table);
        return;
    case ACT_DROP_INDEX:
        drop_index(known, act);
        return;
    default:
        break;
    }
    KnownTable *table = table_of(known, act->table);
    if (table != NULL)
        take_on_table(known, table, act);
}
