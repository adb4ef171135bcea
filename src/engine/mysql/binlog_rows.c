/* Table maps and row images: which keys changed. */
#include "engine/mysql/binlog_parts.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    COLUMNS_MOST = 4096,    /* MySQL's limit of columns of a table (refman "Column Count Limits") */
    MAPS_MOST = 65536,      /* tables of one statement */
    DUMMY_TABLE = 0xffffff, /* a rows event without rows that only ends a statement */
};

/* ---- table maps ------------------------------------------------------------------------------------------
 */

void binlog_maps_clear(BinlogMaps *maps)
{
    for (size_t i = 0; i < maps->count; i++)
        free(maps->items[i].columns);
    maps->count = 0;
}

void binlog_maps_done(BinlogMaps *maps)
{
    binlog_maps_clear(maps);
    free(maps->items);
    *maps = (BinlogMaps){0};
}

static bool name_is(const char *name, const char *text, size_t len, bool any_case)
{
    return strlen(name) == len && (any_case ? strncasecmp(name, text, len) : memcmp(name, text, len)) == 0;
}

bool binlog_table_named(const BinlogTable *table, const char *schema, size_t schema_len, const char *name,
                        size_t name_len)
{
    return name_is(table->schema, schema, schema_len, table->any_case) &&
           name_is(table->name, name, name_len, table->any_case);
}

static BinlogMap *map_find(const BinlogMaps *maps, uint64_t id)
{
    for (size_t i = 0; i < maps->count; i++)
        if (maps->items[i].id == id)
            return &maps->items[i];
    return NULL;
}

/* The place of this number, empty: an old one, or a new one. */
static BinlogMap *map_slot(BinlogMaps *maps, uint64_t id)
{
    BinlogMap *map = map_find(maps, id);
    if (map == NULL && maps->count == maps->cap) {
        maps->cap = maps->cap == 0 ? 8 : maps->cap * 2;
        maps->items = mem_resize(maps->items, maps->cap * sizeof *maps->items);
    }
    if (map == NULL)
        map = &maps->items[maps->count++];
    else
        free(map->columns);
    *map = (BinlogMap){.id = id};
    return map;
}

static Err *map_error(ErrKind kind, const BinlogTable *table, const char *what)
{
    return err_new(kind, "TABLE_MAP of table \"%s.%s\": %s", table->schema, table->name, what);
}

/* Old times with fractions, which only MariaDB has, have lengths that the event does not tell. */
static bool is_old_time(uint8_t type)
{
    return type == COLUMN_TIMESTAMP || type == COLUMN_TIME || type == COLUMN_DATETIME;
}

static Err *read_types(BinlogMap *map, const uint8_t *types, Bytes meta, bool is_mariadb)
{
    map->columns = mem_zero((map->column_count + 1) * sizeof *map->columns);
    for (size_t i = 0; i < map->column_count; i++) {
        if (is_mariadb && is_old_time(types[i]))
            return err_hint(
                map_error(ERR_UNSAFE, map->table, "a column has the time format from before MariaDB 10.1.2"),
                "ALTER TABLE … FORCE with mysql56_temporal_format=ON renews it");
        if (!binlog_type_read(types[i], &meta, &map->columns[i])) {
            Err *err = err_new(ERR_UNSAFE,
                               "TABLE_MAP of table \"%s.%s\": column %zu has type %u, which is not known",
                               map->table->schema, map->table->name, i + 1, types[i]);
            return err;
        }
    }
    if (meta.bad || bytes_left(&meta) != 0)
        return map_error(ERR_IO, map->table, "damaged column metadata");
    return NULL;
}

/* One bit for each number column, the first column's the highest of its byte. */
static Err *check_signs(const BinlogMap *map, Bytes bits)
{
    size_t number = 0;
    bool is_sure = true;
    for (size_t i = 0; i < map->column_count; i++) {
        if (!binlog_type_has_sign(&map->columns[i], &is_sure))
            continue;
        if (number / 8 >= bytes_left(&bits))
            return map_error(ERR_IO, map->table, "damaged signedness");
        bool is_unsigned = (bits.at[number / 8] & 0x80 >> number % 8) != 0;
        number++;
        for (size_t k = 0; is_sure && k < map->table->key_count; k++) {
            const BinlogColumn *column = &map->table->key[k];
            if (column->ordinal == i && binlog_type_is_integer(&map->columns[i]) &&
                column->is_unsigned != is_unsigned)
                return map_error(ERR_UNSAFE, map->table, "a key column's signedness is not what it was");
        }
    }
    return NULL;
}

/* Only with binlog_row_metadata=FULL. */
static Err *check_names(const BinlogMap *map, Bytes names)
{
    for (size_t i = 0; i < map->column_count; i++) {
        size_t len = (size_t)bytes_lenenc(&names);
        const uint8_t *name = bytes_take(&names, len);
        if (name == NULL)
            return map_error(ERR_IO, map->table, "damaged column names");
        for (size_t k = 0; k < map->table->key_count; k++) {
            const BinlogColumn *column = &map->table->key[k];
            if (column->ordinal == i && !name_is(column->name, (const char *)name, len, true))
                return map_error(ERR_UNSAFE, map->table, "a key column is not where it was");
        }
    }
    return NULL;
}

/* Blocks of type, length and value; those that say nothing about keys are left alone by their length. */
static Err *check_optional(const BinlogMap *map, Bytes rest)
{
    enum { SIGNEDNESS = 1, COLUMN_NAME = 4 };
    while (bytes_left(&rest) > 0) {
        uint64_t type = bytes_little(&rest, 1);
        size_t len = (size_t)bytes_lenenc(&rest);
        const uint8_t *value = bytes_take(&rest, len);
        if (value == NULL)
            return map_error(ERR_IO, map->table, "damaged optional metadata");
        if (type == SIGNEDNESS)
            TRY(check_signs(map, bytes_of(value, len)));
        if (type == COLUMN_NAME)
            TRY(check_names(map, bytes_of(value, len)));
    }
    return NULL;
}

static const char *take_name(Bytes *body, size_t *ret_len)
{
    *ret_len = (size_t)bytes_little(body, 1);
    const uint8_t *name = bytes_take(body, *ret_len);
    if (bytes_little(body, 1) != 0)
        body->bad = true;
    return (const char *)name;
}

Err *binlog_map_read(BinlogMaps *maps, const BinlogTable *tables, size_t table_count, bool is_mariadb,
                     Bytes body)
{
    uint64_t id = bytes_little(&body, 6);
    (void)bytes_little(&body, 2);
    size_t schema_len, name_len;
    const char *schema = take_name(&body, &schema_len), *name = take_name(&body, &name_len);
    uint64_t count = bytes_lenenc(&body);
    if (body.bad || count > COLUMNS_MOST)
        return err_new(ERR_IO, "the binary log is damaged: TABLE_MAP ends within its head");
    if (maps->count == MAPS_MOST)
        return err_new(ERR_IO, "the binary log is damaged: more than %d tables in one statement", MAPS_MOST);
    BinlogMap *map = map_slot(maps, id);
    map->column_count = (size_t)count;
    for (size_t i = 0; i < table_count && map->table == NULL; i++)
        if (binlog_table_named(&tables[i], schema, schema_len, name, name_len))
            map->table = &tables[i];
    if (map->table == NULL)
        return NULL;
    if (map->column_count != map->table->column_count)
        return err_new(ERR_UNSAFE, "TABLE_MAP of table \"%s.%s\": %zu columns, where there were %zu",
                       map->table->schema, map->table->name, map->column_count, map->table->column_count);
    const uint8_t *types = bytes_take(&body, map->column_count);
    size_t meta_len = (size_t)bytes_lenenc(&body);
    const uint8_t *meta = bytes_take(&body, meta_len);
    (void)bytes_take(&body, (map->column_count + 7) / 8);
    if (body.bad)
        return map_error(ERR_IO, map->table, "ends within its columns");
    TRY(read_types(map, types, bytes_of(meta, meta_len), is_mariadb));
    return check_optional(map, body);
}

/* ---- rows ------------------------------------------------------------------------------------------------
 */

typedef struct RowsForm {
    unsigned type;
    BinlogVerb verb;
    bool has_extra; /* version 2: a variable part of the head */
    bool is_compressed;
} RowsForm;

static const RowsForm rows_forms[] = {
    {BINLOG_TYPE_WRITE_ROWS_V1, BINLOG_WRITE, false, false},
    {BINLOG_TYPE_UPDATE_ROWS_V1, BINLOG_UPDATE, false, false},
    {BINLOG_TYPE_DELETE_ROWS_V1, BINLOG_DELETE, false, false},
    {BINLOG_TYPE_WRITE_ROWS, BINLOG_WRITE, true, false},
    {BINLOG_TYPE_UPDATE_ROWS, BINLOG_UPDATE, true, false},
    {BINLOG_TYPE_DELETE_ROWS, BINLOG_DELETE, true, false},
    {BINLOG_TYPE_PARTIAL_UPDATE_ROWS, BINLOG_UPDATE, true, false},
    {BINLOG_TYPE_WRITE_ROWS_COMPRESSED_V1, BINLOG_WRITE, false, true},
    {BINLOG_TYPE_UPDATE_ROWS_COMPRESSED_V1, BINLOG_UPDATE, false, true},
    {BINLOG_TYPE_DELETE_ROWS_COMPRESSED_V1, BINLOG_DELETE, false, true},
    {BINLOG_TYPE_WRITE_ROWS_COMPRESSED, BINLOG_WRITE, true, true},
    {BINLOG_TYPE_UPDATE_ROWS_COMPRESSED, BINLOG_UPDATE, true, true},
    {BINLOG_TYPE_DELETE_ROWS_COMPRESSED, BINLOG_DELETE, true, true},
};

/* One rows event under way. */
typedef struct RowsReader {
    const BinlogMap *map;
    const char *where; /* `UPDATE_ROWS of table "s.t"` */
    Arena *arena;
    const uint8_t *before_bits, *after_bits; /* columns that the images hold; the same for WRITE and DELETE */
    Bytes rows;
} RowsReader;

static size_t count_bits(const uint8_t *bits, size_t count)
{
    size_t res = 0;
    for (size_t i = 0; i < count; i++)
        res += bytes_bit(bits, i);
    return res;
}

/* Where `column` stands in the key; key_count if it does not. */
static size_t key_place(const BinlogTable *table, size_t column)
{
    size_t place = 0;
    while (place < table->key_count && table->key[place].ordinal != column)
        place++;
    return place;
}

static Err *rows_damaged(const RowsReader *reader)
{
    return err_new(ERR_IO, "the binary log is damaged: %s ends within a row", reader->where);
}

/* Takes one row image and keeps the key's values; places of columns that it does not hold stay as they are.
 */
static Err *read_image(RowsReader *reader, const uint8_t *bits, const char **key)
{
    const BinlogMap *map = reader->map;
    const uint8_t *nulls = bytes_take(&reader->rows, (count_bits(bits, map->column_count) + 7) / 8);
    if (nulls == NULL)
        return rows_damaged(reader);
    size_t held = 0;
    for (size_t i = 0; i < map->column_count; i++) {
        if (!bytes_bit(bits, i))
            continue;
        size_t place = key_place(map->table, i), len = 0;
        if (bytes_bit(nulls, held++)) {
            if (place < map->table->key_count)
                key[place] = "NULL";
            continue;
        }
        const uint8_t *from = binlog_value_take(&map->columns[i], &reader->rows, &len);
        if (from == NULL)
            return rows_damaged(reader);
        if (place < map->table->key_count)
            TRY(binlog_value_literal(reader->arena, &map->columns[i], &map->table->key[place], from, len,
                                     reader->where, &key[place]));
    }
    return NULL;
}

static const char **key_new(RowsReader *reader)
{
    return arena_alloc(reader->arena, (reader->map->table->key_count + 1) * sizeof(char *));
}

/* With binlog_row_image=MINIMAL the image before holds the primary key, or the first unique key without
 * NULLs. */
static Err *check_key(const RowsReader *reader, const char *const *key)
{
    for (size_t i = 0; i < reader->map->table->key_count; i++)
        if (key[i] == NULL)
            return err_hint(err_new(ERR_UNSAFE, "%s: the row image does not hold key column \"%s\"",
                                    reader->where, reader->map->table->key[i].name),
                            "use the primary key, or set binlog_row_image=FULL");
    return NULL;
}

static Err *read_row(RowsReader *reader, BinlogVerb verb, BinlogChange *change)
{
    const char **before = key_new(reader);
    TRY(read_image(reader, reader->before_bits, before));
    TRY(check_key(reader, before));
    change->before = verb == BINLOG_WRITE ? NULL : before;
    change->after = verb == BINLOG_WRITE ? before : NULL;
    if (verb != BINLOG_UPDATE)
        return NULL;
    /* What the image after does not hold has not changed (MINIMAL, FULL_NODUP). */
    const char **after = key_new(reader);
    if (reader->map->table->key_count > 0)
        memcpy(after, before, reader->map->table->key_count * sizeof *after);
    TRY(read_image(reader, reader->after_bits, after));
    change->after = after;
    return NULL;
}

static Err *read_rows(RowsReader *reader, BinlogVerb verb, BinlogEvent *event)
{
    VEC(BinlogChange) changes = {0};
    while (bytes_left(&reader->rows) > 0) {
        /* An image without columns takes no bytes, and would never end. */
        if (count_bits(reader->before_bits, reader->map->column_count) == 0)
            return err_new(ERR_UNSAFE, "%s: a row image without columns", reader->where);
        BinlogChange *change = vec_push(reader->arena, &changes);
        TRY(read_row(reader, verb, change));
    }
    event->kind = BINLOG_ROWS;
    event->table = reader->map->table;
    event->verb = verb;
    event->changes = changes.items;
    event->change_count = changes.len;
    return NULL;
}

/* Partition numbers and the like (Rows_event::Extra_row_info): nothing that tells about keys. */
static void skip_extra(Bytes *body)
{
    uint64_t len = bytes_little(body, 2); /* counts itself */
    if (len < 2)
        body->bad = true;
    else
        (void)bytes_take(body, (size_t)len - 2);
}

static Err *read_body(RowsReader *reader, const RowsForm *form, Bytes body, BinlogEvent *event)
{
    if (form->has_extra)
        skip_extra(&body);
    uint64_t width = bytes_lenenc(&body);
    if (body.bad || width != reader->map->column_count)
        return err_new(ERR_IO,
                       "the binary log is damaged: %s has another number of columns than its TABLE_MAP",
                       reader->where);
    reader->before_bits = bytes_take(&body, ((size_t)width + 7) / 8);
    reader->after_bits =
        form->verb == BINLOG_UPDATE ? bytes_take(&body, ((size_t)width + 7) / 8) : reader->before_bits;
    if (body.bad)
        return rows_damaged(reader);
    reader->rows = body;
    if (form->is_compressed)
        TRY(binlog_inflate(body, reader->arena, &reader->rows));
    return read_rows(reader, form->verb, event);
}

Err *binlog_rows_read(BinlogMaps *maps, unsigned type, Bytes body, Arena *arena, BinlogEvent *ret_event)
{
    const RowsForm *form = rows_forms;
    while (form->type != type)
        form++;
    uint64_t id = bytes_little(&body, 6), flags = bytes_little(&body, 2);
    const char *name = binlog_type_name(arena, type);
    if (body.bad)
        return err_new(ERR_IO, "the binary log is damaged: %s ends within its head", name);
    Err *err = NULL;
    const BinlogMap *map = map_find(maps, id);
    if (map == NULL && id != DUMMY_TABLE)
        err = err_new(ERR_IO, "the binary log is damaged: %s of a table without TABLE_MAP", name);
    if (map != NULL && map->table != NULL) {
        RowsReader reader = {.map = map,
                             .arena = arena,
                             .where = arena_printf(arena, "%s of table \"%s.%s\"", name, map->table->schema,
                                                   map->table->name)};
        if (type == BINLOG_TYPE_PARTIAL_UPDATE_ROWS)
            err = err_hint(
                err_new(ERR_UNSAFE, "%s is not supported", reader.where),
                "SET GLOBAL binlog_row_value_options = '' (sessions take it over when they connect)");
        else
            err = read_body(&reader, form, body, ret_event);
    }
    if ((flags & 1) != 0) /* STMT_END_F */
        binlog_maps_clear(maps);
    return err;
}
