/* What a copy of a table into its shadow has to know: columns, and the key by which rows are named. */
#include "plan/maker_my.h"

#include <string.h>

const MyColumn *column_my(const Table *table, const char *name)
{
    for (size_t i = 0; i < table->my->column_count; i++)
        if (strcasecmp(table->my->columns[i].name, name) == 0)
            return &table->my->columns[i];
    return NULL;
}

/* ---- which column becomes which ------------------------------------------------------------- */

typedef VEC(const char *) Words;

ColumnMapMy column_map_my(Arena *arena, const MyStatement *my)
{
    Words from = {0}, to = {0}, fresh = {0};
    for (size_t i = 0; i < my->action_count; i++) {
        const MyAction *action = &my->actions[i];
        const char *name = action->kind == MY_ACTION_RENAME_COLUMN   ? action->new_name.text
                           : action->kind == MY_ACTION_CHANGE_COLUMN ? action->column->name.text
                                                                     : NULL;
        if (action->kind == MY_ACTION_ADD_COLUMN)
            *vec_push(arena, &fresh) = action->column->name.text;
        if (name == NULL)
            continue;
        *vec_push(arena, &from) = action->name.text;
        *vec_push(arena, &to) = name;
    }
    return (ColumnMapMy){.from = from.items,
                         .to = to.items,
                         .count = from.len,
                         .fresh = fresh.items,
                         .fresh_count = fresh.len};
}

void plan_renames_my(Arena *arena, const MyStatement *my, LadderRequest *request)
{
    ColumnMapMy map = column_map_my(arena, my);
    ColumnRename *renames = arena_alloc(arena, (map.count + 1) * sizeof *renames);
    for (size_t i = 0; i < map.count; i++)
        renames[i] = (ColumnRename){.from = map.from[i], .to = map.to[i]};
    request->renames = renames;
    request->rename_count = map.count;
}

static bool is_dropped(const MyStatement *my, const char *column)
{
    for (size_t i = 0; i < my->action_count; i++)
        if (my->actions[i].kind == MY_ACTION_DROP_COLUMN && strcasecmp(my->actions[i].name.text, column) == 0)
            return true;
    return false;
}

ColumnMapMy column_map_back_my(Arena *arena, const Table *before, const ColumnMapMy *map,
                               const MyStatement *my)
{
    Words fresh = {0};
    for (size_t i = 0; i < before->my->column_count; i++)
        if (is_dropped(my, before->my->columns[i].name))
            *vec_push(arena, &fresh) = before->my->columns[i].name;
    return (ColumnMapMy){.from = map->to,
                         .to = map->from,
                         .count = map->count,
                         .fresh = fresh.items,
                         .fresh_count = fresh.len};
}

static bool is_among(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(names[i], name) == 0)
            return true;
    return false;
}

const MyColumn *column_source_my(const ColumnMapMy *map, const Table *before, const char *column)
{
    if (is_among(map->fresh, map->fresh_count, column) && column_my(before, column) == NULL)
        return NULL;
    for (size_t i = 0; i < map->count; i++)
        if (strcasecmp(map->to[i], column) == 0)
            return column_my(before, map->from[i]);
    /* A name that went to another column is not this one's any more. */
    return is_among(map->from, map->count, column) || is_among(map->fresh, map->fresh_count, column)
               ? NULL
               : column_my(before, column);
}

/* The target's column that this one becomes; NULL. */
static const char *target_of(const ColumnMapMy *map, const Table *before, const Table *after,
                             const char *column)
{
    for (size_t i = 0; i < after->my->column_count; i++) {
        const MyColumn *source = column_source_my(map, before, after->my->columns[i].name);
        if (source != NULL && strcasecmp(source->name, column) == 0)
            return after->my->columns[i].name;
    }
    return NULL;
}

/* Equal bytes of one are equal bytes of the other. */
static bool is_same(const MyColumn *a, const MyColumn *b)
{
    return str_eq(a->type, b->type) && str_eq(a->charset, b->charset) && str_eq(a->collation, b->collation);
}

/* ---- the key -------------------------------------------------------------------------------- */

/* Values can be looked up by "=", and ranges of them come in one order. */
static bool can_be_key(const MyColumn *column)
{
    static const char *const no[] = {"float",
                                     "double",
                                     "json",
                                     "geometry",
                                     "point",
                                     "linestring",
                                     "polygon",
                                     "multipoint",
                                     "multilinestring",
                                     "multipolygon",
                                     "geometrycollection",
                                     "vector"};
    for (size_t i = 0; i < ARRAY_LEN(no); i++)
        if (str_eq(column->data_type, no[i]))
            return false;
    return column->not_null && column->generated == NULL;
}

/* Rows of the shadow are found by the key's columns without reading all of it. */
static bool is_indexed(const Table *table, const char *const *columns, size_t count)
{
    for (size_t i = 0; i < table->my->index_count; i++) {
        const MyIndex *index = &table->my->indexes[i];
        bool begins = index->part_count >= count && !index->hidden && str_eq(index->kind, "BTREE");
        for (size_t k = 0; k < count && begins; k++)
            begins = index->parts[k].column != NULL && index->parts[k].prefix == 0 &&
                     is_among(columns, count, index->parts[k].column);
        if (begins)
            return true;
    }
    return false;
}

static bool is_key(const Table *before, const Table *after, const ColumnMapMy *map, const MyIndex *index)
{
    enum { PARTS_MAX = 64 }; /* the servers allow 16 and 32 */
    const char *targets[PARTS_MAX];
    if (!index->unique || index->part_count == 0 || index->part_count > PARTS_MAX || index->hidden ||
        !str_eq(index->kind, "BTREE"))
        return false;
    for (size_t i = 0; i < index->part_count; i++) {
        const MyIndexPart *part = &index->parts[i];
        const MyColumn *column = part->column == NULL ? NULL : column_my(before, part->column);
        const char *target = column == NULL ? NULL : target_of(map, before, after, column->name);
        if (column == NULL || part->prefix != 0 || !can_be_key(column) || target == NULL ||
            column_my(after, target)->generated != NULL)
            return false;
        targets[i] = target;
    }
    return is_indexed(after, targets, index->part_count);
}

const MyIndex *key_my(const Table *before, const Table *after, const ColumnMapMy *map)
{
    const MyIndex *best = NULL;
    for (size_t i = 0; i < before->my->index_count; i++) {
        const MyIndex *index = &before->my->indexes[i];
        if (!is_key(before, after, map, index))
            continue;
        if (strcasecmp(index->name, "PRIMARY") == 0)
            return index;
        if (best == NULL || index->part_count < best->part_count)
            best = index;
    }
    return best;
}

/* "=" of the column is true for equal bytes only. Collations that end in _bin still take a VARCHAR with
 * spaces behind it for the same, unless they do not pad (utf8mb4_0900_bin, MariaDB's _nopad_bin); a CHAR
 * loses its spaces when it is stored. */
static bool is_exact(const MyColumn *column)
{
    if (column->collation == NULL || str_eq(column->collation, "binary"))
        return true;
    size_t len = strlen(column->collation);
    bool bin = len > 4 && str_eq(column->collation + len - 4, "_bin");
    return bin && (str_eq(column->data_type, "char") || strstr(column->collation, "_0900_bin") != NULL ||
                   strstr(column->collation, "_nopad_") != NULL);
}

/* ---- uniqueness ----------------------------------------------------------------------------- */

static bool is_integer(const MyColumn *column)
{
    static const char *const types[] = {"tinyint", "smallint", "mediumint", "int", "bigint"};
    return is_among(types, ARRAY_LEN(types), column->data_type);
}

/* Different values of the source stay different. Strict mode refuses what does not fit. */
static bool keeps_apart(const MyColumn *from, const MyColumn *to)
{
    bool collates = str_eq(from->charset, to->charset) && str_eq(from->collation, to->collation);
    if (is_same(from, to) || (is_integer(from) && (is_integer(to) || str_eq(to->data_type, "decimal"))))
        return true;
    return str_eq(from->data_type, to->data_type) && collates && from->fraction <= to->fraction &&
           from->scale <= to->scale && !str_eq(from->data_type, "float");
}

/* A unique index of the source makes sure of it already: it has no column besides, and none more coarsely. */
static bool is_implied(const MyIndex *index, const Table *before, const Table *after, const ColumnMapMy *map)
{
    for (size_t i = 0; i < before->my->index_count; i++) {
        const MyIndex *old = &before->my->indexes[i];
        bool all = old->unique && old->part_count > 0;
        for (size_t k = 0; k < old->part_count && all; k++) {
            const MyIndexPart *part = &old->parts[k];
            bool found = false;
            for (size_t n = 0; n < index->part_count && !found; n++) {
                const char *name = index->parts[n].column;
                const MyColumn *source = name == NULL ? NULL : column_source_my(map, before, name);
                found = source != NULL && part->column != NULL && !part->nullable &&
                        strcasecmp(source->name, part->column) == 0 &&
                        keeps_apart(source, column_my(after, name)) &&
                        (index->parts[n].prefix == 0 ||
                         (part->prefix > 0 && part->prefix <= index->parts[n].prefix));
                found =
                    found ||
                    (source != NULL && part->column != NULL && part->nullable &&
                     index->part_count == old->part_count && strcasecmp(source->name, part->column) == 0 &&
                     keeps_apart(source, column_my(after, name)) && index->parts[n].prefix == part->prefix);
            }
            all = found;
        }
        if (all)
            return true;
    }
    return false;
}

static bool tightens(const Table *before, const Table *after, const ColumnMapMy *map)
{
    for (size_t i = 0; i < after->my->index_count; i++)
        if (after->my->indexes[i].unique && !is_implied(&after->my->indexes[i], before, after, map))
            return true;
    return false;
}

/* The target has a unique index over just these columns, whole. */
static bool has_unique(const Table *table, const char *const *columns, size_t count)
{
    for (size_t i = 0; i < table->my->index_count; i++) {
        const MyIndex *index = &table->my->indexes[i];
        bool all = index->unique && index->part_count == count;
        for (size_t k = 0; k < index->part_count && all; k++)
            all = index->parts[k].column != NULL && index->parts[k].prefix == 0 &&
                  is_among(columns, count, index->parts[k].column);
        if (all)
            return true;
    }
    return false;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void add_columns(MakerMy *maker, const Table *before, const Table *after, const ColumnMapMy *map,
                        ShadowSpec *spec)
{
    Arena *arena = maker->arena;
    VEC(ShadowColumn) columns = {0};
    for (size_t i = 0; i < after->my->column_count; i++) {
        const MyColumn *column = &after->my->columns[i];
        const MyColumn *source = column_source_my(map, before, column->name);
        const char *filled = source == NULL ? fill_expr_my(maker, before, spec->source, column->name) : NULL;
        if (filled != NULL)
            *vec_push(arena, &columns) = (ShadowColumn){.name = column->name, .expr = filled};
        if (column->generated != NULL || source == NULL)
            continue; /* the server's: computed, or the default */
        *vec_push(arena, &columns) = (ShadowColumn){.name = column->name,
                                                    .source = source->name,
                                                    .expr = sql_backtick(arena, source->name),
                                                    .same = is_same(source, column)};
    }
    spec->columns = columns.items;
    spec->column_count = columns.len;
}

static void add_key(Arena *arena, const Table *before, const Table *after, const ColumnMapMy *map,
                    const MyIndex *key, ShadowSpec *spec)
{
    const char **names = arena_alloc(arena, key->part_count * sizeof *names);
    const char **targets = arena_alloc(arena, key->part_count * sizeof *targets);
    spec->key_exact = true;
    for (size_t i = 0; i < key->part_count; i++) {
        const MyColumn *column = column_my(before, key->parts[i].column);
        names[i] = column->name;
        targets[i] = target_of(map, before, after, column->name);
        spec->key_exact = spec->key_exact && is_exact(column) && is_exact(column_my(after, targets[i]));
    }
    spec->key = key->name;
    spec->key_columns = names;
    spec->key_targets = targets;
    spec->key_count = key->part_count;
    spec->key_unique = has_unique(after, targets, key->part_count);
}

const ShadowSpec *spec_make_my(MakerMy *maker, const Table *before, const Table *after, const char *source,
                               const char *shadow, const char *old, const ColumnMapMy *map)
{
    const MyServer *server = maker->server->my;
    const MyIndex *key = key_my(before, after, map);
    if (key == NULL)
        return NULL;
    ShadowSpec *spec = arena_alloc(maker->arena, sizeof *spec);
    *spec = (ShadowSpec){.schema = maker->server->database,
                         .source = source,
                         .shadow = shadow,
                         .old = old,
                         .sentry = old,
                         .tightens = tightens(before, after, map),
                         .capture = server->no_log == NULL ? CAPTURE_LOG : CAPTURE_TRIGGER};
    add_columns(maker, before, after, map, spec);
    add_key(maker->arena, before, after, map, key, spec);
    for (size_t i = 0; i < after->my->column_count; i++)
        spec->one_writer =
            spec->one_writer || (after->my->columns[i].auto_increment && server->autoinc_lock_mode < 2);
    return spec;
}
