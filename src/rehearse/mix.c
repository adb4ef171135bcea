/* The source's application out of what is known of its statements. */
#include "rehearse/trial.h"

#include "base/str.h"

enum { LEAST_RATE = 50, MOST_RATE = 2000, USUAL_RATE = 100, LIST_ROWS = 20 };

typedef struct Maker {
    Arena *arena;
    const Fill *fill;
    const Facts *facts;
    const FactTable *table;
    VEC(LoadItem) items;
    VEC(const char *) texts;
} Maker;

static void add(Maker *maker, const char *sql, double share, int params, bool fresh, const char *text)
{
    if (sql == NULL)
        return;
    *vec_push(maker->arena, &maker->items) =
        (LoadItem){.sql = sql, .share = share, .param_count = params, .fresh = fresh};
    *vec_push(maker->arena, &maker->texts) = text;
}

static const char *table_name(const Maker *maker) { return fill_table_name(maker->fill, maker->table); }

/* All columns by name, as applications that go on in spite of new ones do. */
static const char *column_list(const Maker *maker)
{
    CLEANUP(str_donep) Str list = STR_INIT;
    for (size_t i = 0; i < maker->table->column_count; i++) {
        str_sep(&list, ", ");
        str_add(&list, fill_ident(maker->fill, maker->table->columns[i].name));
    }
    return arena_dup(maker->arena, list.buf);
}

static void add_read(Maker *maker, const char *by, double share)
{
    Arena *arena = maker->arena;
    const FactColumn *column = by == NULL ? NULL : fact_column(maker->table, by);
    const char *filter = fill_key_filter(maker->fill, maker->table, fill_param(maker->fill, 1)), *limit = "";
    if (column != NULL && (filter == NULL || !fill_is_bound(maker->table, column))) {
        const char *value = fill_value(maker->fill, maker->table, column, fill_param(maker->fill, 1));
        filter = value == NULL ? filter
                               : arena_printf(arena, "%s = %s", fill_ident(maker->fill, by),
                                              fill_cast(maker->fill, column, value));
        limit = arena_printf(arena, " LIMIT %d", LIST_ROWS);
    } else {
        by = "key";
    }
    if (filter == NULL)
        return;
    add(maker,
        arena_printf(arena, "SELECT %s FROM %s WHERE %s%s", column_list(maker), table_name(maker), filter,
                     limit),
        share, 1, false, arena_printf(arena, "SELECT by %s", by == NULL ? "key" : by));
}

static bool is_indexed(const FactTable *table, const char *column)
{
    for (size_t i = 0; i < table->index_count; i++)
        for (size_t j = 0; j < table->indexes[i].column_count; j++)
            if (table->indexes[i].columns[j] == NULL || str_eq(table->indexes[i].columns[j], column))
                return true;
    return false;
}

/* The one it was seen to set, else one that fits how many updates stayed on their pages. */
static const FactColumn *updated_column(const Maker *maker, const char *given)
{
    const FactColumn *column = given == NULL ? NULL : fact_column(maker->table, given), *any = NULL;
    if (column != NULL && !fill_is_bound(maker->table, column))
        return column;
    bool indexed = maker->table->hot_share >= 0 && maker->table->hot_share < 0.3;
    for (size_t i = 0; i < maker->table->column_count; i++) {
        column = &maker->table->columns[i];
        if (fill_is_bound(maker->table, column) ||
            fill_value(maker->fill, maker->table, column, fill_param(maker->fill, 2)) == NULL)
            continue;
        any = column;
        if (is_indexed(maker->table, column->name) == indexed)
            return column;
    }
    return any;
}

static void add_update(Maker *maker, const char *given, double share)
{
    Arena *arena = maker->arena;
    const FactColumn *column = updated_column(maker, given);
    const char *filter = fill_key_filter(maker->fill, maker->table, fill_param(maker->fill, 1));
    const char *value =
        column == NULL ? NULL : fill_value(maker->fill, maker->table, column, fill_param(maker->fill, 2));
    if (filter == NULL || value == NULL)
        return;
    add(maker,
        arena_printf(arena, "UPDATE %s SET %s = %s WHERE %s", table_name(maker),
                     fill_ident(maker->fill, column->name), fill_cast(maker->fill, column, value), filter),
        share, 2, false, arena_printf(arena, "UPDATE of %s by key", column->name));
}

static bool is_referenced(const Maker *maker)
{
    for (size_t i = 0; i < maker->facts->table_count; i++)
        for (size_t j = 0; j < maker->facts->tables[i].reference_count; j++)
            if (str_eq(maker->facts->tables[i].references[j].name, maker->table->name) &&
                str_eq(maker->facts->tables[i].references[j].schema, maker->table->schema))
                return true;
    return false;
}

static void add_delete(Maker *maker, double share)
{
    const char *filter = fill_key_filter(maker->fill, maker->table, fill_param(maker->fill, 1));
    if (filter != NULL && !is_referenced(maker))
        add(maker, arena_printf(maker->arena, "DELETE FROM %s WHERE %s", table_name(maker), filter), share, 1,
            false, "DELETE by key");
}

static void add_insert(Maker *maker, double share)
{
    const char *sql = NULL;
    err_free(fill_insert_one(maker->fill, maker->table, fill_param(maker->fill, 1), &sql));
    add(maker, sql, share, 1, true, "INSERT");
}

static void add_one(Maker *maker, const FactMix *mix)
{
    switch (mix->use) {
    case USE_READ:
        add_read(maker, mix->column, mix->per_s);
        break;
    case USE_INSERT:
        add_insert(maker, mix->per_s);
        break;
    case USE_UPDATE:
        add_update(maker, mix->column, mix->per_s);
        break;
    case USE_DELETE:
        add_delete(maker, mix->per_s);
        break;
    case USE_COUNT:
        break;
    }
}

void mix_make(Arena *arena, const Fill *fill, const Facts *facts, const FactTable *table, double rate,
              Mix *ret_mix)
{
    static const FactMix usual[] = {{USE_READ, NULL, 60}, {USE_UPDATE, NULL, 25}, {USE_INSERT, NULL, 15}};
    Maker maker = {.arena = arena, .fill = fill, .facts = facts, .table = table};
    double known = 0;
    for (size_t i = 0; i < table->mix_count; i++) {
        known += table->mix[i].per_s;
        add_one(&maker, &table->mix[i]);
    }
    bool nothing = maker.items.len == 0;
    for (size_t i = 0; nothing && i < ARRAY_LEN(usual); i++)
        add_one(&maker, &usual[i]);
    if (rate <= 0) {
        rate = table->mix_count == 0 || known <= 0 ? USUAL_RATE : known;
        rate = rate < LEAST_RATE ? LEAST_RATE : rate > MOST_RATE ? MOST_RATE : rate;
    }
    *ret_mix = (Mix){
        .items = maker.items.items, .item_count = maker.items.len, .rate = rate, .texts = maker.texts.items};
}
