/* The sync trigger of PostgreSQL: whatever INSERT or UPDATE touches a row leaves its new columns filled. */
#include "base/digest.h"
#include "plan/sync.h"

#include <string.h>

typedef VEC(const char *) SyncTexts;

enum {
    NAME_BYTES_MAX = 63,
    /* BEFORE row triggers on partitioned tables, which come to each partition, those of later too */
    PARENT_TRIGGER_VERSION = 130000,
};

char *sync_take(Arena *arena, Str *str)
{
    char *text = arena_dupn(arena, str->buf, str->len);
    str_done(str);
    return text;
}

/* Bytes of `text` that make whole UTF-8 characters within `max` bytes. */
static size_t utf8_fit(const char *text, size_t max)
{
    size_t len = strlen(text);
    if (len <= max)
        return len;
    len = max;
    while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80)
        len--;
    return len;
}

/* A name within the server's limit; what is cut off is kept apart by eight digits of its digest. */
static char *name_cut(Arena *arena, const char *name)
{
    if (strlen(name) <= NAME_BYTES_MAX)
        return arena_dup(arena, name);
    const char *digest = digest_text(arena, name, strlen(name)) + strlen("sha256:");
    size_t keep = utf8_fit(name, NAME_BYTES_MAX - 9);
    return arena_printf(arena, "%.*s_%.8s", (int)keep, name, digest);
}

const char *sync_counter_pg(Arena *arena, int64_t table_id, const char *column)
{
    char *name = arena_printf(arena, "fills_%lld_%s", (long long)table_id, column);
    return sql_name(arena, "stoa", name_cut(arena, name));
}

const char *sync_minute_pg(Arena *arena, int64_t table_id, const char *column)
{
    char *name = arena_printf(arena, "minute_%lld_%s", (long long)table_id, column);
    return sql_name(arena, "stoa", name_cut(arena, name));
}

const char *sync_broken_pg(Arena *arena, int64_t table_id, const char *column)
{
    char *name = arena_printf(arena, "broken_%lld_%s", (long long)table_id, column);
    return sql_name(arena, "stoa", name_cut(arena, name));
}

const char *differs_pg(Arena *arena, bool exact_equality, const char *left, const char *right)
{
    if (exact_equality)
        return arena_printf(arena, "%s IS DISTINCT FROM %s", left, right);
    /* the function, not OPERATOR(pg_catalog.*<>): the server writes the operator back without the casts that
     * it needs, and a dump of the trigger could not be restored (seen on 10 to 18) */
    return arena_printf(arena, "pg_catalog.record_image_ne(ROW(%s), ROW(%s))", left, right);
}

const char *sync_field(Arena *arena, const char *row, const char *column)
{
    return arena_printf(arena, "%s.%s", row, sql_ident(arena, column));
}

/* OLD and NEW differ in this column. A column that is not there yet is compared by image. */
const char *sync_changed(const Sync *sync, const char *column)
{
    const Column *known = table_column(sync->table, column);
    /* a modifier fixes numeric's scale: then equal values are equal images */
    bool exact = known != NULL && (known->exact_equality || str_starts(known->type, "numeric("));
    return differs_pg(sync->arena, exact, sync_field(sync->arena, "NEW", column),
                      sync_field(sync->arena, "OLD", column));
}

/* "(a source changed) AND NOT (the column changed)", or NULL where there is no source. */
static const char *source_changed(const Sync *sync, const SyncColumn *column)
{
    Str str = STR_INIT;
    for (size_t i = 0; i < column->source_count; i++) {
        const Column *source = table_column(sync->table, column->sources[i]);
        if (source != NULL && source->generated_sql != NULL)
            continue; /* not computed yet in a BEFORE trigger; its own sources stand in the list */
        str_sep(&str, " OR ");
        str_addf(&str, "(%s)", sync_changed(sync, column->sources[i]));
    }
    if (str.len == 0) {
        str_done(&str);
        return NULL;
    }
    const char *sources = sync_take(sync->arena, &str);
    return arena_printf(sync->arena, "(%s) AND NOT (%s)", sources, sync_changed(sync, column->column));
}

static const char *trigger_when(const Sync *sync, bool update)
{
    if (sync_both_wanted(sync))
        return sync_both_when(sync, update);
    Str str = STR_INIT;
    for (size_t i = 0; i < sync->count; i++) {
        str_sep(&str, " OR ");
        str_addf(&str, "%s IS NULL", sync_field(sync->arena, "NEW", sync->columns[i].column));
        const char *moved = update ? source_changed(sync, &sync->columns[i]) : NULL;
        if (moved != NULL)
            str_addf(&str, " OR (%s)", moved);
    }
    return sync_take(sync->arena, &str);
}

/* The row's key as text, for the record of what could not be computed: "id=5, part=7". */
const char *sync_key(const Sync *sync)
{
    const Index *key = table_key(sync->table);
    if (key == NULL || key->column_count == 0)
        return "NULL";
    Str format = STR_INIT, values = STR_INIT;
    for (size_t i = 0; i < key->column_count; i++) {
        str_sep(&format, ", ");
        for (const char *at = key->columns[i]; *at != '\0'; at++)
            str_add(&format, *at == '%' ? "%%" : (char[2]){*at, '\0'});
        str_add(&format, "=%s");
        str_addf(&values, ", %s", sync_field(sync->arena, "NEW", key->columns[i]));
    }
    const char *format_sql = sql_literal(sync->arena, sync_take(sync->arena, &format));
    return arena_printf(sync->arena, "pg_catalog.format(%s%s)", format_sql, sync_take(sync->arena, &values));
}

/* Counts one fill, and at most once a minute notes who wrote. */
void sync_add_counting(Str *body, const Sync *sync, const SyncColumn *column)
{
    Arena *arena = sync->arena;
    const char *minute = sql_literal(arena, sync_minute_pg(arena, sync->table->id, column->column));
    str_addf(
        body,
        "      IF %s IS NOT NULL AND pg_catalog.current_setting('stoa.bypass', true) IS DISTINCT FROM 'on' "
        "THEN\n"
        "        stoa_n := pg_catalog.nextval(%s::pg_catalog.regclass);\n"
        "        stoa_minute := pg_catalog.date_part('epoch', pg_catalog.clock_timestamp())"
        "::pg_catalog.int8 / 60;\n"
        "        IF pg_catalog.pg_sequence_last_value(%s::pg_catalog.regclass) IS DISTINCT FROM stoa_minute "
        "THEN\n"
        "          stoa_n := pg_catalog.setval(%s::pg_catalog.regclass, stoa_minute);\n"
        "          INSERT INTO stoa.writers (table_id, column_name, application_name, role_name)\n"
        "          VALUES (%lld, %s, pg_catalog.current_setting('application_name'), session_user);\n"
        "        END IF;\n"
        "      END IF;\n",
        sync_field(arena, "NEW", column->column), sql_literal(arena, column->counter), minute, minute,
        (long long)sync->table->id, sql_literal(arena, column->column));
}

/* What the expression could not compute: the write goes on, the row is recorded. */
static void add_failure(Str *body, const Sync *sync, const SyncColumn *column)
{
    Arena *arena = sync->arena;
    const char *field = sync_field(arena, "NEW", column->column);
    str_addf(body,
             "    EXCEPTION WHEN OTHERS THEN\n"
             "      IF NOT stoa_done THEN\n"
             "        IF TG_OP = 'UPDATE' THEN\n"
             "          %s := %s;\n"
             "        ELSE\n"
             "          %s := NULL;\n"
             "        END IF;\n"
             "        BEGIN\n"
             "          INSERT INTO stoa.sync_failures (table_id, column_name, key, sqlstate, message)\n"
             "          VALUES (%lld, %s, %s, SQLSTATE, SQLERRM);\n"
             "        EXCEPTION WHEN OTHERS THEN\n"
             "          NULL;\n"
             "        END;\n"
             "      END IF;\n"
             "    END;\n",
             field, sync_field(arena, "OLD", column->column), field, (long long)sync->table->id,
             sql_literal(arena, column->column), sync_key(sync));
}

void sync_add_fill(Str *body, const Sync *sync, const SyncColumn *column)
{
    str_addf(body,
             "    stoa_done := false;\n"
             "    BEGIN\n"
             "      %s := %s;\n"
             "      stoa_done := true;\n",
             sync_field(sync->arena, "NEW", column->column), column->expr);
    sync_add_counting(body, sync, column);
    add_failure(body, sync, column);
}

static void add_column(Str *body, const Sync *sync, const SyncColumn *column)
{
    const char *field = sync_field(sync->arena, "NEW", column->column);
    const char *moved = source_changed(sync, column);
    str_addf(body, "  stoa_fill := %s IS NULL;\n", field);
    if (moved != NULL)
        str_addf(body,
                 "  IF NOT stoa_fill AND TG_OP = 'UPDATE' THEN\n"
                 "    stoa_fill := %s;\n"
                 "  END IF;\n",
                 moved);
    str_add(body, "  IF stoa_fill THEN\n");
    sync_add_fill(body, sync, column);
    str_add(body, "  END IF;\n");
}

static void one_way_body(Str *body, const Sync *sync)
{
    str_add(body, "\n#variable_conflict use_column\n"
                  "DECLARE\n"
                  "  stoa_fill pg_catalog.bool;\n"
                  "  stoa_done pg_catalog.bool;\n"
                  "  stoa_n pg_catalog.int8;\n"
                  "  stoa_minute pg_catalog.int8;\n"
                  "BEGIN\n");
    for (size_t i = 0; i < sync->count; i++)
        add_column(body, sync, &sync->columns[i]);
    str_add(body, "  RETURN NEW;\n"
                  "END\n");
}

static const char *function_sql(const Sync *sync)
{
    Str body CLEANUP(str_donep) = STR_INIT;
    if (sync_both_wanted(sync))
        sync_both_body(&body, sync);
    else
        one_way_body(&body, sync);
    return arena_printf(
        sync->arena,
        "CREATE OR REPLACE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET "
        "search_path TO %s AS %s",
        sync->function_sql, sync->path_sql, sql_dollar(sync->arena, body.buf));
}

/* The prefix that makes our names sort, bytewise as the server fires them, after the table's other BEFORE row
 * triggers: tildes, or, where a name begins beyond ASCII, that name itself and a tilde. */
static const char *trigger_prefix(Arena *arena, const Table *table)
{
    const char *last = "";
    for (size_t i = 0; i < table->trigger_count; i++) {
        const Trigger *trigger = &table->triggers[i];
        if (trigger->row && trigger->before && !trigger->stoa && !trigger->internal &&
            strcmp(trigger->name, last) > 0)
            last = trigger->name;
    }
    const size_t room = NAME_BYTES_MAX - strlen("zz_stoa_sync_insert");
    const char *prefix = "";
    while (strlen(prefix) < room && strcmp(arena_printf(arena, "%szz_stoa_sync_insert", prefix), last) <= 0) {
        if ((unsigned char)last[0] > '~') {
            size_t keep = utf8_fit(last, room - 1);
            return arena_printf(arena, "%.*s~", (int)keep, last);
        }
        prefix = arena_printf(arena, "%s~", prefix);
    }
    return prefix;
}

/* On which tables the triggers are made: the parent's come to its partitions; before 13 each has its own. */
static SyncTexts trigger_tables(const Sync *sync)
{
    Arena *arena = sync->arena;
    const Table *table = sync->table;
    SyncTexts tables = {0};
    bool parent = table->kind == RELATION_PARTITIONED && sync->server->version_num < PARENT_TRIGGER_VERSION;
    if (!parent)
        *vec_push(arena, &tables) = sync->table_sql;
    for (size_t i = 0; i < table->partition_count && parent; i++)
        if (table->partitions[i].kind == 'r')
            *vec_push(arena, &tables) =
                sql_name(arena, table->partitions[i].schema, table->partitions[i].name);
    return tables;
}

static void add_trigger(const Sync *sync, const char *table_sql, SyncTexts *sql, bool update)
{
    Arena *arena = sync->arena;
    const char *name = sql_ident(arena, update ? sync->update_trigger : sync->insert_trigger);
    *vec_push(arena, sql) = arena_printf(
        arena, "CREATE TRIGGER %s BEFORE %s ON %s FOR EACH ROW WHEN (%s) EXECUTE PROCEDURE %s()", name,
        update ? "UPDATE" : "INSERT", table_sql, trigger_when(sync, update), sync->function_sql);
    *vec_push(arena, sql) = arena_printf(arena, "ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", table_sql, name);
}

static void add_trigger_drops(const Sync *sync, const char *table_sql, SyncTexts *sql)
{
    Arena *arena = sync->arena;
    const char *const names[] = {sync->insert_trigger, sync->update_trigger};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        *vec_push(arena, sql) =
            arena_printf(arena, "DROP TRIGGER IF EXISTS %s ON %s", sql_ident(arena, names[i]), table_sql);
    for (size_t i = 0; i < sync->table->trigger_count; i++) {
        const Trigger *old = &sync->table->triggers[i];
        if (old->stoa && !str_eq(old->name, names[0]) && !str_eq(old->name, names[1]))
            *vec_push(arena, sql) = arena_printf(arena, "DROP TRIGGER IF EXISTS %s ON %s",
                                                 sql_ident(arena, old->name), table_sql);
    }
}

/* The counters of lost values, made or dropped. */
typedef struct BrokenCounters {
    const Sync *sync;
    SyncTexts *sql;
    SyncTexts kept, seen;
} BrokenCounters;

static bool texts_have(const SyncTexts *texts, const char *text)
{
    for (size_t i = 0; i < texts->len; i++)
        if (str_eq(texts->items[i], text))
            return true;
    return false;
}

static void make_broken(void *context, const char *column)
{
    BrokenCounters *counters = context;
    Arena *arena = counters->sync->arena;
    const char *name = sync_broken_pg(arena, counters->sync->table->id, column);
    if (texts_have(&counters->kept, name))
        return;
    *vec_push(arena, &counters->kept) = name;
    if (counters->sql != NULL)
        *vec_push(arena, counters->sql) = arena_printf(arena, "CREATE SEQUENCE IF NOT EXISTS %s", name);
}

static void drop_broken(void *context, const char *column)
{
    BrokenCounters *counters = context;
    Arena *arena = counters->sync->arena;
    const char *name = sync_broken_pg(arena, counters->sync->table->id, column);
    if (texts_have(&counters->kept, name) || texts_have(&counters->seen, name))
        return;
    *vec_push(arena, &counters->seen) = name;
    *vec_push(arena, counters->sql) = arena_printf(arena, "DROP SEQUENCE IF EXISTS %s", name);
}

static void add_broken_drops(const Sync *sync, SyncTexts *sql)
{
    BrokenCounters counters = {.sync = sync};
    sync_both_targets(sync->columns, sync->count, make_broken, &counters);
    counters.sql = sql;
    sync_both_targets(sync->table->sync, sync->table->sync_count, drop_broken, &counters);
}

/* Counters of columns that are no longer kept in step. */
static void add_counter_drops(const Sync *sync, SyncTexts *sql)
{
    for (size_t i = 0; i < sync->table->sync_count; i++) {
        const SyncColumn *old = &sync->table->sync[i];
        bool kept = false;
        for (size_t j = 0; j < sync->count && !kept; j++)
            kept = str_eq(sync->columns[j].counter, old->counter);
        if (kept || old->counter == NULL)
            continue;
        *vec_push(sync->arena, sql) = arena_printf(sync->arena, "DROP SEQUENCE IF EXISTS %s", old->counter);
        *vec_push(sync->arena, sql) = arena_printf(sync->arena, "DROP SEQUENCE IF EXISTS %s",
                                                   sync_minute_pg(sync->arena, sync->table->id, old->column));
    }
}

static void add_grants(const Sync *sync, SyncTexts *sql)
{
    Arena *arena = sync->arena;
    const char *owner = sql_ident(arena, sync->table->owner);
    *vec_push(arena, sql) = "SET LOCAL ROLE NONE";
    *vec_push(arena, sql) = arena_printf(arena, "GRANT USAGE, CREATE ON SCHEMA stoa TO %s", owner);
    *vec_push(arena, sql) =
        arena_printf(arena, "GRANT INSERT ON stoa.sync_failures, stoa.writers TO %s", owner);
    if (sync_both_wanted(sync))
        *vec_push(arena, sql) = arena_printf(arena, "GRANT SELECT, INSERT ON stoa.sync_broken TO %s", owner);
    *vec_push(arena, sql) = arena_printf(arena, "SET LOCAL ROLE %s", owner);
}

static const char *path_sql(Arena *arena, const char *const *search_path, size_t count)
{
    Str str = STR_INIT;
    for (size_t i = 0; i < count; i++) {
        str_sep(&str, ", ");
        sql_add_ident(&str, search_path[i]);
    }
    str_sep(&str, ", ");
    str_add(&str, "pg_temp");
    return sync_take(arena, &str);
}

void sync_sql_pg(Arena *arena, const Server *server, const Table *table, const SyncColumn *columns,
                 size_t count, const char *const *search_path, size_t search_path_count,
                 const char *const **ret_sql, size_t *ret_count)
{
    const char *prefix = trigger_prefix(arena, table);
    const char *function = arena_printf(arena, "sync_%lld", (long long)table->id);
    Sync sync = {.arena = arena,
                 .server = server,
                 .table = table,
                 .columns = columns,
                 .count = count,
                 .table_sql = sql_name(arena, table->schema, table->name),
                 .function_sql = sql_name(arena, "stoa", function),
                 .path_sql = path_sql(arena, search_path, search_path_count),
                 .insert_trigger = arena_printf(arena, "%szz_stoa_sync_insert", prefix),
                 .update_trigger = arena_printf(arena, "%szz_stoa_sync_update", prefix)};
    SyncTexts sql = {0};
    if (count > 0) {
        if (table->owner != NULL && !str_eq(table->owner, server->role))
            add_grants(&sync, &sql);
        for (size_t i = 0; i < count; i++) {
            const char *minute = sync_minute_pg(arena, table->id, columns[i].column);
            *vec_push(arena, &sql) =
                arena_printf(arena, "CREATE SEQUENCE IF NOT EXISTS %s", columns[i].counter);
            *vec_push(arena, &sql) = arena_printf(arena, "CREATE SEQUENCE IF NOT EXISTS %s", minute);
        }
        BrokenCounters broken = {.sync = &sync, .sql = &sql};
        sync_both_targets(columns, count, make_broken, &broken);
        *vec_push(arena, &sql) = function_sql(&sync);
    }
    SyncTexts tables = trigger_tables(&sync);
    for (size_t i = 0; i < tables.len; i++) {
        add_trigger_drops(&sync, tables.items[i], &sql);
        if (count == 0)
            continue;
        add_trigger(&sync, tables.items[i], &sql, false);
        add_trigger(&sync, tables.items[i], &sql, true);
    }
    if (count == 0) {
        *vec_push(arena, &sql) = arena_printf(arena, "DROP FUNCTION IF EXISTS %s()", sync.function_sql);
    }
    add_counter_drops(&sync, &sql);
    add_broken_drops(&sync, &sql);
    *ret_sql = sql.items;
    *ret_count = sql.len;
}
