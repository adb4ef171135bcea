/* Indexes: always CONCURRENTLY, whatever was written. */
#include "plan/maker.h"

#include <ctype.h>
#include <string.h>

void index_build(Maker *maker, TableWork *work, const char *name, bool unique, const char *definition)
{
    Arena *arena = maker->arena;
    const char *ident = sql_ident(arena, name);
    Step *step = maker_step(maker, PHASE_CONSTRAIN, STEP_CREATE_INDEX, work,
                            arena_printf(arena, "build index %s", ident));
    work->touched = true;
    step_add_sql(maker, step,
                 arena_printf(arena, "CREATE %sINDEX CONCURRENTLY %s ON %s %s", unique ? "UNIQUE " : "",
                              ident, work->sql, definition));
    step_add_undo(maker, step,
                  arena_printf(arena, "DROP INDEX CONCURRENTLY IF EXISTS %s",
                               sql_name(arena, work->table->schema, name)));
    step->lock = "SHARE UPDATE EXCLUSIVE";
    step_add_lock(maker, step, work->table);
    step->scans = true;
    step->timeout = TIMEOUT_WATCHDOG;
    step->index = name;
    step->index_unique = unique;
    Span span = estimate_index(work->table);
    step_estimate(step, span.low, span.high);
}

const char *index_duplicates_query(Maker *maker, const TableWork *work, const char *const *columns,
                                   size_t count, bool nulls_equal)
{
    Arena *arena = maker->arena;
    const char *list = sql_ident_list(arena, columns, count);
    Str given CLEANUP(str_donep) = STR_INIT;
    for (size_t i = 0; i < count && !nulls_equal; i++) {
        str_add(&given, given.len == 0 ? " WHERE " : " AND ");
        str_addf(&given, "%s IS NOT NULL", sql_ident(arena, columns[i]));
    }
    return arena_printf(
        arena,
        "SELECT %s, pg_catalog.count(*) FROM ONLY %s%s GROUP BY %s HAVING pg_catalog.count(*) > 1 "
        "LIMIT 10",
        list, work->sql, given.buf, list);
}

/* ---- names ---------------------------------------------------------------------------------- */

/* What stands at place `n` of the first parenthesised list: "(a, lower(b))" -> "lower(b)". */
static const char *list_item(Arena *arena, const char *definition, size_t n)
{
    const char *at = strchr(definition, '('), *begin = at != NULL ? at + 1 : NULL;
    int depth = 0;
    char quote = '\0';
    for (; at != NULL && *at != '\0'; at++) {
        if (quote != '\0') {
            if (*at == quote)
                quote = '\0';
            continue;
        }
        if (*at == '"' || *at == '\'') {
            quote = *at;
            continue;
        }
        if (*at == '(')
            depth++;
        bool ends = (*at == ')' && --depth == 0) || (*at == ',' && depth == 1);
        if (!ends)
            continue;
        if (n == 0) {
            while (begin < at && *begin == ' ')
                begin++;
            return arena_dupn(arena, begin, (size_t)(at - begin));
        }
        if (depth == 0)
            break;
        n--;
        begin = at + 1;
    }
    return "";
}

/* As FigureIndexColname() names an expression: the function's name, else "expr". */
static const char *item_name(Arena *arena, const char *item)
{
    size_t len = 0;
    while (isalnum((unsigned char)item[len]) || item[len] == '_')
        len++;
    return len > 0 && item[len] == '(' ? arena_dupn(arena, item, len) : "expr";
}

/* ChooseIndexColumnNames() and ChooseIndexNameAddition(). */
static const char *index_middle(Arena *arena, const IndexSpec *spec)
{
    Texts names = {0};
    for (size_t i = 0; i < spec->column_count; i++) {
        const char *base = spec->columns[i] != NULL
                               ? spec->columns[i]
                               : item_name(arena, list_item(arena, spec->definition_sql, i));
        const char *name = base;
        int pass = 0;
        for (size_t j = 0; j < names.len; j++)
            if (str_eq(names.items[j], name)) {
                name = arena_printf(arena, "%s%d", base, ++pass);
                j = (size_t)-1;
            }
        *vec_push(arena, &names) = name;
    }
    return name_columns(arena, names.items, names.len);
}

/* ---- create --------------------------------------------------------------------------------- */

/* The server's text behind "ON [ONLY] schema.table ". */
static const char *server_definition(const Index *index)
{
    const char *at = strstr(index->definition, " USING ");
    return at != NULL ? at + 1 : index->definition;
}

bool index_like(Arena *arena, const Index *there, const IndexSpec *spec)
{
    const char *definition = spec->definition_sql;
    if (!str_starts(definition, "USING "))
        definition = arena_printf(arena, "USING btree %s", definition);
    return there->unique == spec->unique && definition_like(arena, server_definition(there), definition);
}

/* An index that is there: valid and the same is enough; INVALID is dropped and rebuilt by the executor. */
static Err *index_there(Maker *maker, const TableWork *work, const IndexSpec *spec, const char *name,
                        bool *ret_there)
{
    const Index *there = table_index(work->table, name);
    *ret_there = false;
    if (there == NULL && spec->name != NULL)
        *ret_there = constraint_made_of(maker, work, spec->name);
    if (there == NULL || (!there->valid && there->constraint == NULL))
        return NULL;
    bool like = index_like(maker->arena, there, spec);
    if (like || spec->if_not_exists)
        *ret_there = true;
    if (!like && spec->if_not_exists)
        maker_risk(maker, "exists", NULL,
                   arena_printf(maker->arena,
                                "index %s exists with another definition and is left as IF NOT EXISTS "
                                "asks: %s",
                                name, there->definition),
                   NULL);
    else if (!like && spec->name != NULL)
        return err_hint(err_new(ERR_UNSAFE, "index \"%s\" exists already with another definition", name),
                        "it is: %s", there->definition);
    return NULL;
}

static bool on_new_columns(const TableWork *work, const IndexSpec *spec)
{
    for (size_t i = 0; i < spec->column_count; i++)
        if (spec->columns[i] != NULL && table_column(work->table, spec->columns[i]) == NULL)
            return true;
    return false;
}

/* Duplicates are looked for beforehand where the key is plain columns over all rows; else the build finds
 * them. */
static void duplicates_look(Maker *maker, TableWork *work, const IndexSpec *spec, const char *name)
{
    size_t at = 0;
    for (TableWork *leaf; work_is_tree(work) && (leaf = work_next_leaf(maker, work, &at)) != NULL;)
        duplicates_look(maker, leaf, spec, name);
    if (work->table->kind == RELATION_PARTITIONED)
        return;
    bool plain = spec->unique && strstr(spec->definition_sql, " WHERE ") == NULL;
    for (size_t i = 0; i < spec->column_count; i++)
        plain = plain && spec->columns[i] != NULL;
    if (!plain)
        return;
    Arena *arena = maker->arena;
    const Check check = {
        .label = arena_printf(arena, "the same (%s) more than once",
                              sql_ident_list(arena, spec->columns, spec->column_count)),
        .query = index_duplicates_query(maker, work, spec->columns, spec->column_count,
                                        strstr(spec->definition_sql, "NULLS NOT DISTINCT") != NULL),
        .hint = "make these rows differ, or remove what is too much"};
    maker_checks(maker, on_new_columns(work, spec) ? PHASE_VERIFY : PHASE_PREPARE, work,
                 arena_printf(arena, "no duplicates for %s", sql_ident(arena, name)), &check, 1);
}

Err *index_create(Maker *maker, const Operation *op, TableWork *work)
{
    Arena *arena = maker->arena;
    const IndexSpec *spec = op->index;
    for (size_t i = 0; i < spec->column_count; i++)
        if (spec->columns[i] != NULL)
            TRY(maker_needs_column(maker, work->table, spec->columns[i]));
    const char *middle = spec->name == NULL ? index_middle(arena, spec) : NULL;
    const char *wanted =
        spec->name != NULL ? spec->name : name_object(arena, work->table->name, middle, "idx");
    bool there = false, tree = work->table->kind == RELATION_PARTITIONED;
    if (op->only && tree)
        return err_hint(err_new(ERR_UNSAFE, "an index ON ONLY a partitioned table holds nothing"),
                        "leave ONLY out: it is built in each partition and attached");
    TRY(index_there(maker, work, spec, wanted, &there));
    if (there)
        return NULL;
    const char *name = wanted;
    if (spec->name != NULL)
        name_take(maker, work, name);
    else
        name = name_free(maker, work, middle, "idx");
    duplicates_look(maker, work, spec, name);
    if (tree)
        return index_tree(maker, work, spec, name, middle != NULL ? middle : index_middle(arena, spec));
    index_build(maker, work, name, spec->unique, spec->definition_sql);
    return NULL;
}

/* ---- drop ----------------------------------------------------------------------------------- */

const char *index_rebuild_sql(Arena *arena, const Index *index)
{
    const char *words = index->unique ? "CREATE UNIQUE INDEX " : "CREATE INDEX ";
    if (!str_starts(index->definition, words))
        return index->definition;
    return arena_printf(arena, "%sCONCURRENTLY %s", words, index->definition + strlen(words));
}

Err *index_drop(Maker *maker, const Operation *op, TableWork *work)
{
    Arena *arena = maker->arena;
    const Index *index = table_index(work->table, op->table.name);
    if (op->cascade)
        return err_hint(err_new(ERR_UNSAFE, "DROP INDEX … CASCADE may drop what nobody has looked at"),
                        "drop what depends on \"%s\" by name first", op->table.name);
    if (index == NULL)
        return err_new(ERR_USAGE, "index \"%s\" does not exist", op->table.name);
    if (index->constraint != NULL)
        return err_hint(err_new(ERR_UNSAFE, "index \"%s\" belongs to constraint \"%s\" of \"%s.%s\"",
                                index->name, index->constraint, work->table->schema, work->table->name),
                        "an index of a constraint goes with its constraint");
    if (index->parent != NULL)
        return err_hint(err_new(ERR_UNSAFE, "index \"%s\" is a part of index %s of the parent table",
                                index->name, index->parent),
                        "drop that one: it goes with it");
    if (work->table->kind == RELATION_PARTITIONED)
        return index_tree_drop(maker, work, index);
    Step *step = maker_step(maker, PHASE_CONSTRAIN, STEP_DROP_INDEX, work,
                            arena_printf(arena, "drop index %s", sql_ident(arena, index->name)));
    work->touched = true;
    step_add_sql(maker, step,
                 arena_printf(arena, "DROP INDEX CONCURRENTLY IF EXISTS %s",
                              sql_name(arena, index->schema, index->name)));
    step_add_undo(maker, step, index_rebuild_sql(arena, index));
    step->lock = "SHARE UPDATE EXCLUSIVE";
    step_add_lock(maker, step, work->table);
    step->timeout = TIMEOUT_WATCHDOG;
    step->index = index->name;
    step->index_unique = index->unique;
    step_estimate(step, 1, 1000);
    return NULL;
}
