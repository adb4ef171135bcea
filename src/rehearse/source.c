/* Reads a server for a rehearsal. */
#include "rehearse/source.h"

#include "base/clock.h"
#include "base/str.h"
#include "change/names.h"
#include "change/split_pg.h"
#include "plan/plan.h"

#include <stdlib.h>
#include <string.h>

enum { READ_MS = 60000, ROWS_MOST = 10000, ROWS_MS = 10000 };

typedef struct Source {
    Arena *arena;
    const SourceWish *wish;
    Conn *conn;
    Wait wait;
    Server server;
    VEC(Table) tables;       /* that the change is about */
    VEC(const char *) names; /* of all tables in the copy, quoted */
    CopyStatement *statements;
    size_t statement_count;
    json_t *json;
    int64_t counted_ms; /* when counters were read first */
} Source;

/* ---- which tables --------------------------------------------------------------------------- */

static Err *load_one(Source *source, const char *schema, const char *name)
{
    Table table = {0};
    const EngineOps *ops = source->wish->ops;
    TRY(ops->load_table(source->conn, &source->wait, source->arena, &source->server, schema, name, &table));
    if (table.kind == RELATION_PARTITIONED || (table.kind == RELATION_PARTITION && table.is_partition))
        return err_hint(err_new(ERR_UNSAFE, "\"%s.%s\" is %s, which cannot be rehearsed yet", table.schema,
                                table.name, relation_kind_name(table.kind)),
                        "look at its plan: stoa plan");
    if (table.kind == RELATION_TABLE || table.kind == RELATION_PARTITION)
        *vec_push(source->arena, &source->tables) = table;
    return NULL;
}

static Err *load_wanted(Source *source, const Change *change)
{
    WantedName *wanted = NULL;
    size_t count = 0;
    plan_wanted_tables(source->arena, change, &wanted, &count);
    for (size_t i = 0; i < count; i++) {
        const char *schema = wanted[i].name.schema, *name = wanted[i].name.name;
        if (wanted[i].index) {
            const EngineOps *ops = source->wish->ops;
            TRY(ops->index_table(source->conn, &source->wait, source->arena, schema, name, &schema, &name));
        }
        if (name != NULL)
            TRY(load_one(source, schema, name));
    }
    return source->tables.len > 0 ? NULL
                                  : err_hint(err_new(ERR_USAGE, "the change is about no table that is there"),
                                             "there is nothing to rehearse: new tables are empty");
}

static Err *load_all(Source *source)
{
    Rows rows = {0};
    TRY(source->wish->ops->list_tables(source->conn, &source->wait, source->arena, &rows));
    for (size_t i = 0; i < rows.row_count; i++) {
        Err *err = load_one(source, rows_cell(&rows, i, 0), rows_cell(&rows, i, 1));
        if (err != NULL && err->kind != ERR_UNSAFE)
            return err;
        err_free(err); /* a partitioned table is not among those that can be rehearsed */
    }
    return source->tables.len > 0 ? NULL : err_new(ERR_USAGE, "this database has no tables");
}

static Err *load_statements(Source *source)
{
    Mentions mentions = {0};
    const Change *change = source->wish->change;
    bool mentions_count = source->wish->ops->dialect == DIALECT_POSTGRES;
    for (size_t i = 0; change != NULL && mentions_count && i < change->operation_count; i++)
        names_of_sql(source->arena, change->operations[i].sql, &mentions);
    TRY(source->wish->ops->copy_statements(source->conn, &source->wait, source->arena, &source->server,
                                           source->tables.items, source->tables.len, mentions.items,
                                           mentions.len, &source->statements, &source->statement_count));
    static const char table[] = "table ";
    json_t *list = json_array();
    json_object_set_new(source->json, "statements", list);
    for (size_t i = 0; i < source->statement_count; i++) {
        const CopyStatement *statement = &source->statements[i];
        json_array_append_new(list, json_pack("{s:s, s:s, s:s?, s:b}", "part",
                                              copy_part_name(statement->part), "what", statement->what, "sql",
                                              statement->sql, "optional", (int)statement->optional));
        if (statement->part == COPY_TABLE && statement->sql != NULL &&
            str_starts(statement->sql, "CREATE ") && str_starts(statement->what, table))
            *vec_push(source->arena, &source->names) = statement->what + strlen(table);
    }
    return NULL;
}

/* ---- rates ---------------------------------------------------------------------------------- */

static double figure(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

/* The greater of what the counters say since they count and in the time that we watched: an hour of much work
 * counts, and so does a server that was started just now. */
static double rate_of(double then, double now, double window_s, double counted_s)
{
    double recent = window_s > 0 && now >= then ? (now - then) / window_s : 0;
    double whole = counted_s >= 1 ? now / counted_s : 0;
    return recent > whole ? recent : whole;
}

static void mix_add(json_t *mix, FactUse use, const char *column, double per_s)
{
    size_t i = 0;
    json_t *each = NULL;
    if (!(per_s > 0))
        return;
    json_array_foreach(mix, i, each)
    {
        if (!str_eq(json_string_value(json_object_get(each, "use")), fact_use_name(use)) ||
            !str_eq(json_string_value(json_object_get(each, "column")), column))
            continue;
        json_object_set_new(each, "per_s", json_real(figure(each, "per_s") + per_s));
        return;
    }
    json_array_append_new(
        mix, json_pack("{s:s, s:s?, s:f}", "use", fact_use_name(use), "column", column, "per_s", per_s));
}

static bool leads_index(const Table *table, const char *column)
{
    for (size_t i = 0; i < table->index_count; i++)
        if (table->indexes[i].valid && table->indexes[i].column_count > 0 &&
            str_eq(table->indexes[i].columns[0], column))
            return true;
    return false;
}

/* The first column of the table behind `word` in the statement; with `indexed` one that an index begins with.
 */
static const char *column_behind(Arena *arena, const Table *table, const char *sql, const char *word,
                                 bool indexed)
{
    size_t end = strlen(sql);
    bool behind = false;
    for (PgLexeme lexeme = pg_lexeme_code(sql, 0, end); lexeme.kind != PG_LEXEME_END;
         lexeme = pg_lexeme_code(sql, lexeme.end, end)) {
        size_t quote = lexeme.kind == PG_LEXEME_QUOTED;
        if (behind && (lexeme.kind == PG_LEXEME_WORD || quote == 1)) {
            const Column *column = table_column(
                table, arena_dupn(arena, sql + lexeme.start + quote, lexeme.end - lexeme.start - 2 * quote));
            if (column != NULL && (!indexed || leads_index(table, column->name)))
                return column->name;
        }
        behind = behind || pg_lexeme_is(sql, &lexeme, word);
    }
    return NULL;
}

/* What it does, by its first word; false for what is neither. */
static bool statement_use(const char *sql, FactUse *ret_use)
{
    static const struct {
        const char *word;
        FactUse use;
    } words[] = {{"select", USE_READ}, {"with", USE_READ},     {"insert", USE_INSERT},
                 {"copy", USE_INSERT}, {"update", USE_UPDATE}, {"delete", USE_DELETE}};
    PgLexeme lexeme = pg_lexeme_code(sql, 0, strlen(sql));
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (pg_lexeme_is(sql, &lexeme, words[i].word)) {
            *ret_use = words[i].use;
            return true;
        }
    return false;
}

static int64_t calls_of(const Use *use, const char *key)
{
    for (size_t i = 0; i < use->seen_count; i++)
        if (str_eq(use->statements[i].key, key))
            return use->statements[i].calls;
    return 0;
}

static double age_s(Source *source, const char *since)
{
    Rows rows = {0};
    if (since == NULL)
        return 0;
    Err *err = conn_params(source->conn, &source->wait, source->arena, &rows,
                           "SELECT extract(epoch FROM pg_catalog.now() - $1::pg_catalog.timestamptz)", since);
    double age = err == NULL ? rows_double(&rows, 0, 0) : 0;
    err_free(err);
    return age;
}

static void add_statements(Source *source, const Table *table, const Use *then, const Use *now,
                           double window_s, json_t *mix)
{
    double counted_s = source->wish->ops->load_use != NULL
                           ? age_s(source, now->since)
                           : figure(json_object_get(source->json, "server"), "counted_s");
    for (size_t i = 0; i < now->seen_count; i++) {
        const UseStatement *statement = &now->statements[i];
        FactUse use = USE_READ;
        if (!statement_use(statement->statement, &use))
            continue;
        const char *column = NULL;
        if (use == USE_READ)
            column = column_behind(source->arena, table, statement->statement, "where", true);
        else if (use == USE_UPDATE)
            column = column_behind(source->arena, table, statement->statement, "set", false);
        double calls = (double)statement->calls;
        mix_add(mix, use, column,
                rate_of((double)calls_of(then, statement->key), calls, window_s, counted_s));
    }
}

static bool mix_has(const json_t *mix, FactUse use)
{
    size_t i = 0;
    const json_t *each = NULL;
    json_array_foreach(mix, i, each) if (str_eq(json_string_value(json_object_get(each, "use")),
                                                fact_use_name(use))) return true;
    return false;
}

/* What statement statistics do not tell, counters do. */
static void add_counted(const json_t *then, const json_t *now, double window_s, double counted_s, json_t *mix)
{
    static const struct {
        FactUse use;
        const char *counter;
    } counters[] = {
        {USE_READ, "fetched"}, {USE_INSERT, "inserted"}, {USE_UPDATE, "updated"}, {USE_DELETE, "deleted"}};
    bool had[USE_COUNT];
    for (size_t i = 0; i < USE_COUNT; i++)
        had[i] = mix_has(mix, (FactUse)i);
    for (size_t i = 0; i < ARRAY_LEN(counters); i++)
        if (!had[counters[i].use])
            mix_add(mix, counters[i].use, NULL,
                    rate_of(figure(then, counters[i].counter), figure(now, counters[i].counter), window_s,
                            counted_s));
}

static json_t *table_in(const json_t *tables, const Table *table)
{
    size_t i = 0;
    json_t *each = NULL;
    json_array_foreach(
        tables, i,
        each) if (str_eq(json_string_value(json_object_get(each, "name")), table->name) &&
                  str_eq(json_string_value(json_object_get(each, "schema")), table->schema)) return each;
    return NULL;
}

/* Where the engine has no statements of its own to tell, those among the statistics. */
static void use_of_json(Arena *arena, const json_t *table, Use *ret_use)
{
    size_t i = 0;
    const json_t *each = NULL, *list = json_object_get(table, "statements");
    UseStatement *statements = arena_alloc(arena, (json_array_size(list) + 1) * sizeof *statements);
    json_array_foreach(list, i, each)
    {
        const char *key = json_string_value(json_object_get(each, "key"));
        const char *sql = json_string_value(json_object_get(each, "sql"));
        statements[i] = (UseStatement){.key = key == NULL ? "" : arena_dup(arena, key),
                                       .statement = sql == NULL ? "" : arena_dup(arena, sql),
                                       .calls = json_integer_value(json_object_get(each, "calls"))};
    }
    *ret_use = (Use){.statements = statements, .seen_count = json_array_size(list)};
}

static Err *read_use(Source *source, const Table *table, const json_t *json, Use *ret_use)
{
    if (source->wish->ops->load_use == NULL) {
        use_of_json(source->arena, json, ret_use);
        return NULL;
    }
    return source->wish->ops->load_use(source->conn, &source->wait, source->arena, &source->server,
                                       table->schema, table->name, false, NULL, 0, ret_use);
}

/* Twice the counters, and what lies between them. */
static Err *read_rates(Source *source)
{
    Arena *arena = source->arena;
    size_t count = source->tables.len;
    Use *uses = arena_alloc(arena, (count + 1) * sizeof *uses);
    const char **names = arena_alloc(arena, (count + 1) * sizeof *names);
    bool few = source->wish->change != NULL; /* of a whole database the statements are not looked through */
    for (size_t i = 0; i < count; i++) {
        const Table *table = &source->tables.items[i];
        names[i] = source->wish->ops->quote(arena, table->schema, table->name);
        json_t *then = table_in(json_object_get(source->json, "tables"), table);
        if (few)
            TRY(read_use(source, table, then, &uses[i]));
    }
    stop_sleep(source->wish->stop, source->wish->sample_ms);
    TRY(stop_check(source->wish->stop));
    json_t *again = NULL, *server = json_object_get(source->json, "server");
    double window_s = (double)(clock_ms() - source->counted_ms) / 1000;
    TRY(source->wish->ops->load_source(source->conn, &source->wait, arena, names, count, &again));
    for (size_t i = 0; i < count; i++) {
        const Table *table = &source->tables.items[i];
        json_t *then = table_in(json_object_get(source->json, "tables"), table);
        const json_t *now = table_in(json_object_get(again, "tables"), table);
        if (then == NULL || now == NULL)
            continue;
        Use use = {0};
        json_t *mix = json_array();
        json_object_set_new(then, "mix", mix);
        Err *err = few ? read_use(source, table, now, &use) : NULL;
        if (err != NULL) {
            json_decref(again);
            return err;
        }
        if (few)
            add_statements(source, table, &uses[i], &use, window_s, mix);
        add_counted(then, now, window_s, figure(server, "counted_s"), mix);
    }
    json_decref(again);
    size_t at = 0;
    json_t *each = NULL;
    json_array_foreach(json_object_get(source->json, "tables"), at, each)
    {
        (void)json_object_del(each, "statements"); /* what is a fact of them stands in the mix */
    }
    return NULL;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static Err *check_known(const Source *source)
{
    for (size_t i = 0; source->wish->change != NULL && i < source->tables.len; i++) {
        const Table *table = &source->tables.items[i];
        const json_t *json = table_in(json_object_get(source->json, "tables"), table);
        if (json == NULL || json_is_true(json_object_get(json, "analyzed")))
            continue;
        return err_hint(err_new(ERR_CONFIG, "\"%s.%s\" has no statistics, from which rows could be made",
                                table->schema, table->name),
                        "ANALYZE %s", source->wish->ops->quote(source->arena, table->schema, table->name));
    }
    return NULL;
}

Err *source_statistics(Conn *conn, const Wait *wait, Arena *arena, const char *const *names, size_t count,
                       Conn *reader, json_t **ret_json)
{
    json_t *read = NULL;
    TRY(conn->ops->load_source(conn, wait, arena, names, count, &read));
    Err *err = conn->ops->sample_source == NULL
                   ? NULL
                   : conn->ops->sample_source(reader != NULL ? reader : conn, wait, arena,
                                              json_object_get(read, "tables"), ROWS_MOST, ROWS_MS);
    if (err != NULL) {
        json_decref(read);
        return err;
    }
    *ret_json = read;
    return NULL;
}

/* All that is known of the tables. */
static Err *read_tables(Source *source)
{
    const SourceWish *wish = source->wish;
    CLEANUP(conn_closep) Conn *replica = NULL;
    json_t *read = NULL;
    Target target = {.url = wish->replica};
    if (wish->replica != NULL && wish->ops->sample_source != NULL)
        TRY(wish->ops->connect(&target, "rehearse", &source->wait, &replica));
    TRY(source_statistics(source->conn, &source->wait, source->arena, source->names.items, source->names.len,
                          replica, &read));
    source->counted_ms = clock_ms();
    json_object_update(source->json, read);
    json_decref(read);
    return check_known(source);
}

static Err *read_source(Source *source)
{
    const SourceWish *wish = source->wish;
    char taken[CLOCK_TEXT_BYTES];
    clock_wall_text(taken);
    TRY(wish->ops->connect(&wish->target, "rehearse", &source->wait, &source->conn));
    TRY(wish->ops->load_server(source->conn, &source->wait, source->arena, &source->server));
    const Server *server = &source->server;
    json_t *path = json_array();
    for (size_t i = 0; i < server->search_path_count; i++)
        json_array_append_new(path, json_string(server->search_path[i]));
    json_object_set_new(source->json, "stoa_rehearsal", json_integer(1));
    json_object_set_new(source->json, "taken", json_string(taken));
    json_object_set_new(source->json, "engine", json_string(server->engine));
    json_object_set_new(source->json, "version", json_integer(server->version_num));
    json_object_set_new(source->json, "version_text", json_string(server->version));
    json_object_set_new(source->json, "system", json_string(server->system_id));
    json_object_set_new(source->json, "database", json_string(server->database));
    json_object_set_new(source->json, "masked", json_false());
    json_object_set_new(source->json, "search_path", path);
    TRY(wish->change != NULL ? load_wanted(source, wish->change) : load_all(source));
    TRY(load_statements(source));
    TRY(read_tables(source));
    return read_rates(source);
}

Err *source_read(Arena *arena, const SourceWish *wish, json_t **ret_json)
{
    if (wish->ops->copy_statements == NULL || wish->ops->load_source == NULL)
        return err_hint(err_new(ERR_UNSAFE, "rehearsals of this kind of server are not there yet"),
                        "look at the plan: stoa plan");
    Source source = {.arena = arena,
                     .wish = wish,
                     .wait = {.stop = wish->stop, .timeout_ms = READ_MS},
                     .json = json_object()};
    Err *err = read_source(&source);
    conn_closep(&source.conn);
    if (err != NULL) {
        json_decref(source.json);
        return err;
    }
    *ret_json = source.json;
    return NULL;
}
