/* Runs statements on an empty clone in a transaction that is rolled back, and tells what they did. */
#include "base/str.h"
#include "engine/lock.h"
#include "engine/postgres/catalog.h"
#include "engine/postgres/catalog_sql.h"
#include "engine/postgres/pg.h"
#include "engine/postgres/scratch_guard.h"
#include "engine/sql.h"

#include <stdlib.h>
#include <string.h>

/* Debug words without a meaning for the user, and not the same each time: of the catalog cache, of what an
 * index on its columns could do, of TOAST tables by their number. */
static bool is_noise(const char *function, const char *text)
{
    return str_eq(function, "RehashCatCache") || str_eq(function, "RehashCatCacheLists") ||
           str_eq(function, "_bt_allequalimage") || strstr(text, "pg_toast_") != NULL;
}

typedef struct Relation {
    int64_t id;
    const char *schema, *name;
    char kind;                /* pg_class.relkind */
    int64_t node, toast_node; /* file numbers; 0: no storage */
    int64_t table_id;         /* of an index; 0 */
    int64_t scans;            /* from end to end, by this session */
    int64_t scans_after;
    LockMode lock;     /* the strongest */
    bool is_made;      /* by an earlier step */
    bool is_rewritten; /* set in the relations before */
    bool is_scanned;
} Relation;

typedef struct Relations {
    Relation *items; /* by id */
    size_t count;
} Relations;

typedef struct Notice {
    const char *function, *text;
} Notice;

typedef struct Hearing {
    Arena *arena;
    const Spaces *spaces; /* NULL */
    VEC(Notice) notices;
} Hearing;

typedef struct Names {
    VEC(const char *) list;
} Names;

/* ---- reading -------------------------------------------------------------------------------- */

static const char *real_schema(const Spaces *spaces, const char *schema)
{
    return spaces == NULL ? schema : spaces_real(spaces, schema);
}

static Err *relations_load(Conn *conn, const Wait *wait, Arena *arena, Relations *ret_relations)
{
    CLEANUP(catalog_json_freep) json_t *rows = NULL;
    const Spaces *spaces = pg_conn_spaces(conn);
    TRY(catalog_query_kept(conn, wait, catalog_probe_relations_sql, 1,
                           (const char *const[]){spaces == NULL ? "" : spaces->base}, &rows));
    size_t count = json_array_size(rows);
    Relation *items = arena_alloc(arena, (count + 1) * sizeof *items);
    for (size_t i = 0; i < count; i++) {
        const json_t *row = json_array_get(rows, i);
        const char *kind = catalog_text(arena, row, "kind");
        items[i] = (Relation){.id = catalog_int(row, "id"),
                              .schema = real_schema(spaces, catalog_text(arena, row, "schema")),
                              .name = catalog_text(arena, row, "name"),
                              .kind = *(kind == NULL ? "" : kind),
                              .node = catalog_int(row, "node"),
                              .toast_node = catalog_int(row, "toast_node"),
                              .table_id = catalog_int(row, "table_id"),
                              .scans = catalog_int(row, "scans"),
                              .is_made = catalog_bool(row, "made")};
    }
    *ret_relations = (Relations){items, count};
    return NULL;
}

static Relation *relation_find(const Relations *relations, int64_t id)
{
    size_t low = 0, high = relations->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (relations->items[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < relations->count && relations->items[low].id == id ? &relations->items[low] : NULL;
}

static LockMode strongest_lock(const json_t *modes)
{
    LockMode strongest = LOCK_NONE;
    for (size_t i = 0; i < json_array_size(modes); i++) {
        LockMode mode = lock_mode_of_catalog(json_string_value(json_array_get(modes, i)));
        strongest = mode > strongest ? mode : strongest;
    }
    return strongest;
}

/* Locks and scans of what was there before, whether it still is or not. */
static Err *effects_load(Conn *conn, const Wait *wait, Relations *before)
{
    CLEANUP(str_donep) Str ids = STR_INIT;
    for (size_t i = 0; i < before->count; i++) {
        str_sep(&ids, ",");
        str_addf(&ids, "%lld", (long long)before->items[i].id);
    }
    CLEANUP(arena_freep) Arena *arena = arena_new();
    CLEANUP(catalog_json_freep) json_t *rows = NULL;
    TRY(catalog_query_kept(conn, wait, catalog_probe_effects_sql, 1,
                           (const char *const[]){arena_printf(arena, "{%s}", ids.buf)}, &rows));
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        Relation *relation = relation_find(before, catalog_int(row, "id"));
        if (relation == NULL)
            continue;
        relation->scans_after = catalog_int(row, "scans");
        relation->lock = strongest_lock(json_object_get(row, "modes"));
    }
    return NULL;
}

/* ---- the server's words --------------------------------------------------------------------- */

static void hear(void *context, const char *function, const char *text)
{
    Hearing *hearing = context;
    if (is_noise(function, text))
        return;
    *vec_push(hearing->arena, &hearing->notices) = (Notice){
        arena_dup(hearing->arena, function),
        arena_dup(hearing->arena,
                  hearing->spaces == NULL ? text : spaces_back(hearing->spaces, hearing->arena, text))};
}

/* Does the text hold the name in quotes of whatever language? Words may be translated before 14. */
static bool is_quoted_in(const char *text, const char *name)
{
    static const char plain[] = " _abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    size_t len = strlen(name);
    for (const char *at = strstr(text, name); len > 0 && at != NULL; at = strstr(at + 1, name))
        if (at > text && strchr(plain, at[-1]) == NULL && at[len] != '\0' && strchr(plain, at[len]) == NULL)
            return true;
    return false;
}

/* Did this function of the server name it? `name` NULL: did it say anything? */
static bool heard(const Hearing *hearing, const char *function, const char *name)
{
    for (size_t i = 0; i < hearing->notices.len; i++)
        if (str_eq(hearing->notices.items[i].function, function) &&
            (name == NULL || is_quoted_in(hearing->notices.items[i].text, name)))
            return true;
    return false;
}

/* ---- what it means -------------------------------------------------------------------------- */

static bool has_heap(const Relation *relation) { return relation->kind == 'r' || relation->kind == 'm'; }

static void find_rewritten(Relations *before, const Relations *after)
{
    for (size_t i = 0; i < before->count; i++) {
        Relation *old = &before->items[i];
        const Relation *now = relation_find(after, old->id);
        if (now == NULL || !has_heap(old))
            continue;
        old->is_rewritten = old->node != now->node || (old->toast_node != 0 && now->toast_node != 0 &&
                                                       old->toast_node != now->toast_node);
    }
}

/* An index whose storage is an older one's is the same index with another number: ALTER COLUMN TYPE drops
 * and makes it again, and keeps the file where the order of the values stays. */
static bool is_reused(const Relations *before, const Relation *now)
{
    for (size_t i = 0; i < before->count; i++) {
        const Relation *old = &before->items[i];
        if (old->node == now->node && old->kind == 'i')
            return true;
    }
    return false;
}

static bool was_there(const Relations *before, const Relation *now)
{
    for (size_t i = 0; i < before->count; i++) {
        const Relation *old = &before->items[i];
        if (old->id == now->id || (old->table_id == now->table_id && old->kind == 'i' &&
                                   str_eq(old->schema, now->schema) && str_eq(old->name, now->name)))
            return true;
    }
    return false;
}

static void find_scanned(Relations *before)
{
    for (size_t i = 0; i < before->count; i++)
        before->items[i].is_scanned =
            has_heap(&before->items[i]) && before->items[i].scans_after > before->items[i].scans;
}

/* With track_counts off nothing is counted; then the server's words name the table, without its schema: it is
 * one that is locked at least as ALTER TABLE does. */
static void add_told(Relations *before, const Hearing *hearing)
{
    static const char *const functions[] = {"ATRewriteTable", "index_build", "validateForeignKeyConstraint",
                                            "validateCheckConstraint"};
    for (size_t i = 0; i < before->count; i++) {
        Relation *old = &before->items[i];
        if (!has_heap(old) || old->lock < LOCK_SHARE_UPDATE_EXCLUSIVE)
            continue;
        for (size_t f = 0; f < ARRAY_LEN(functions); f++)
            if (heard(hearing, functions[f], old->name))
                old->is_scanned = true;
    }
}

static bool key_was_valid(const json_t *keys, int64_t id)
{
    for (size_t i = 0; i < json_array_size(keys); i++)
        if (catalog_int(json_array_get(keys, i), "id") == id)
            return catalog_bool(json_array_get(keys, i), "validated");
    return false;
}

/* A join of two empty tables reads one of them: the server's word that it validates stands for both. */
static Err *add_validated(Conn *conn, const Wait *wait, Relations *before, const json_t *keys_before,
                          const Hearing *hearing)
{
    if (!heard(hearing, "validateForeignKeyConstraint", NULL))
        return NULL;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    CLEANUP(catalog_json_freep) json_t *keys = NULL;
    TRY(catalog_query_kept(conn, wait, catalog_probe_keys_sql, 0, NULL, &keys));
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const json_t *key = json_array_get(keys, i);
        if (!catalog_bool(key, "validated") || key_was_valid(keys_before, catalog_int(key, "id")) ||
            !heard(hearing, "validateForeignKeyConstraint", catalog_text(arena, key, "name")))
            continue;
        const json_t *tables = json_object_get(key, "tables");
        for (size_t t = 0; t < json_array_size(tables); t++) {
            Relation *table = relation_find(before, json_integer_value(json_array_get(tables, t)));
            if (table != NULL && has_heap(table))
                table->is_scanned = true;
        }
    }
    return NULL;
}

/* ---- the answer ----------------------------------------------------------------------------- */

static int by_text(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static const char *const *names_take(Arena *arena, Names *names, size_t *ret_count)
{
    if (names->list.len > 1)
        qsort(names->list.items, names->list.len, sizeof *names->list.items, by_text);
    *ret_count = names->list.len;
    return names->list.len > 0 ? names->list.items : arena_alloc(arena, sizeof(char *));
}

static int by_strength(const void *left, const void *right)
{
    const ProbeLock *a = left, *b = right;
    LockMode of_a = lock_mode(a->mode), of_b = lock_mode(b->mode);
    if (of_a != of_b)
        return of_a > of_b ? -1 : 1;
    return strcmp(a->relation, b->relation);
}

static bool is_index(const Relation *relation) { return relation->kind == 'i' || relation->kind == 'I'; }

/* What an earlier step has made is in nobody's use; its index may be one of a table that is. */
static ProbeLock *locks_of(Arena *arena, const Relations *before, bool indexes, LockMode weakest,
                           size_t *ret_count)
{
    VEC(ProbeLock) locks = {0};
    for (size_t i = 0; i < before->count; i++) {
        const Relation *old = &before->items[i];
        if (old->lock >= weakest && is_index(old) == indexes && (indexes || !old->is_made))
            *vec_push(arena, &locks) =
                (ProbeLock){.relation = sql_name(arena, old->schema, old->name),
                            .mode = lock_mode_name(old->lock),
                            .other = old->kind == 'v' || old->kind == 'm' || old->kind == 'S'};
    }
    if (locks.len > 1)
        qsort(locks.items, locks.len, sizeof *locks.items, by_strength);
    *ret_count = locks.len;
    return locks.items;
}

static void answer_storage(Arena *arena, const Relations *before, const Relations *after, Probe *probe)
{
    Names rewritten = {0}, built = {0}, scanned = {0};
    for (size_t i = 0; i < before->count; i++) {
        const Relation *old = &before->items[i];
        if (old->is_rewritten)
            *vec_push(arena, &rewritten.list) = sql_name(arena, old->schema, old->name);
        if (old->is_scanned)
            *vec_push(arena, &scanned.list) = sql_name(arena, old->schema, old->name);
    }
    for (size_t i = 0; i < after->count; i++) {
        const Relation *now = &after->items[i];
        const Relation *table = now->kind == 'i' ? relation_find(before, now->table_id) : NULL;
        if (table != NULL && !is_reused(before, now) && !(table->is_rewritten && was_there(before, now)))
            *vec_push(arena, &built.list) = sql_name(arena, now->schema, now->name);
    }
    probe->rewritten = names_take(arena, &rewritten, &probe->rewritten_count);
    probe->built = names_take(arena, &built, &probe->built_count);
    probe->scanned = names_take(arena, &scanned, &probe->scanned_count);
}

static void answer_words(Arena *arena, const Hearing *hearing, Probe *probe)
{
    const char **words = arena_alloc(arena, (hearing->notices.len + 1) * sizeof *words);
    for (size_t i = 0; i < hearing->notices.len; i++)
        words[i] = hearing->notices.items[i].text;
    probe->words = words;
    probe->word_count = hearing->notices.len;
}

/* ---- the probe ------------------------------------------------------------------------------ */

/* The refusal of a statement that needs no more than to stand alone; within a function, or of a SET
 * TRANSACTION that comes late, the same state means something else. The server's function has another name
 * before 11. */
static bool wants_outside(const Conn *conn, const Err *err)
{
    const PgOrigin *origin = pg_conn_error_origin(conn);
    return str_eq(err->sqlstate, "25001") && !origin->is_within &&
           (str_eq(origin->function, "PreventInTransactionBlock") ||
            str_eq(origin->function, "PreventTransactionChain"));
}

/* What the server refuses about the statements goes into `probe`; what has another cause stays an error. */
static Err *judge(Conn *conn, Arena *arena, Err *err, Probe *probe)
{
    err = guard_error(conn, err);
    if (!err_is(err, ERR_SQL) && !err_is(err, ERR_PRIVILEGE))
        return err;
    const Err *innermost = err;
    while (innermost->cause != NULL)
        innermost = innermost->cause;
    probe->outside = wants_outside(conn, err);
    if (!probe->outside) {
        probe->error = arena_dup(arena, innermost->msg);
        probe->error_state = arena_dup(arena, err->sqlstate);
    }
    err_free(err);
    return NULL;
}

/* The settings end with the transaction, and so does the mark that tells whether it is still the same one.
 * Before 14 the words are translated where messages are; only a superuser may change that. */
static const char settings_sql[] =
    "SELECT pg_catalog.set_config('client_min_messages', 'debug1', true), "
    "pg_catalog.set_config('stoa.probe', 'on', true), "
    "(SELECT pg_catalog.set_config('lc_messages', 'C', true) FROM pg_catalog.pg_roles r "
    "WHERE r.rolname = current_user AND r.rolsuper)";

static Err *statements_run(Conn *conn, const Wait *wait, Arena *arena, const char *const *sql, size_t count,
                           Hearing *hearing, const char **ret_why)
{
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows, settings_sql));
    pg_conn_hear(conn, hear, hearing);
    Err *err = NULL;
    for (size_t i = 0; i < count && err == NULL && *ret_why == NULL; i++) {
        err = guard_before(conn, wait, arena, sql[i], ret_why);
        if (err == NULL && *ret_why == NULL)
            err = conn_exec(conn, wait, sql[i]);
    }
    pg_conn_hear(conn, NULL, NULL);
    return err;
}

static Err *same_transaction(Conn *conn, const Wait *wait)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows, "SELECT pg_catalog.current_setting('stoa.probe', true) = 'on'"));
    if (!rows_bool(&rows, 0, 0))
        return err_hint(err_new(ERR_UNSAFE, "the statements end the transaction they are tried in"),
                        "leave BEGIN, COMMIT and ROLLBACK out");
    return NULL;
}

/* What was not tried, or went astray: nothing is known of it. */
static void not_tried(Arena *arena, const char *why, Probe *probe)
{
    *probe = (Probe){.error = arena_dup(arena, why), .error_state = ""};
}

static Err *probe_run(Conn *conn, const Wait *wait, Arena *arena, const char *const *sql, size_t count,
                      Probe *probe, const char **ret_gone)
{
    CLEANUP(arena_freep) Arena *scratch = arena_new();
    CLEANUP(catalog_json_freep) json_t *keys = NULL;
    Relations before = {0}, after = {0};
    TRY(relations_load(conn, wait, scratch, &before));
    TRY(catalog_query_kept(conn, wait, catalog_probe_keys_sql, 0, NULL, &keys));
    Hearing hearing = {.arena = arena, .spaces = pg_conn_spaces(conn)};
    const char *why = NULL, *gone = NULL;
    Err *err = statements_run(conn, wait, scratch, sql, count, &hearing, &why);
    if (err == NULL && why != NULL) {
        not_tried(arena, why, probe);
        return NULL;
    }
    answer_words(arena, &hearing, probe);
    if (err != NULL)
        return judge(conn, arena, err, probe);
    TRY(same_transaction(conn, wait));
    TRY(guard_after(conn, wait, arena, &why, &gone));
    if (why != NULL) {
        not_tried(arena, why, probe);
        return NULL;
    }
    *ret_gone = gone;
    TRY(effects_load(conn, wait, &before));
    TRY(relations_load(conn, wait, scratch, &after));
    find_rewritten(&before, &after);
    find_scanned(&before);
    TRY(add_validated(conn, wait, &before, keys, &hearing));
    Rows rows = {0};
    TRY(conn_query(conn, wait, scratch, &rows, "SELECT pg_catalog.current_setting('track_counts') = 'off'"));
    if (rows_bool(&rows, 0, 0))
        add_told(&before, &hearing);
    probe->locks = locks_of(arena, &before, false, LOCK_ACCESS_SHARE, &probe->lock_count);
    probe->index_locks =
        locks_of(arena, &before, true, LOCK_SHARE_UPDATE_EXCLUSIVE, &probe->index_lock_count);
    answer_storage(arena, &before, &after, probe);
    return NULL;
}

Err *pg_probe(Conn *conn, const Wait *wait, Arena *arena, const char *const *sql, size_t count,
              Probe *ret_probe)
{
    Probe probe = {0};
    const char *why = NULL, *gone = NULL;
    const char *const *sent = guard_prepare(conn, arena, sql, count, &why);
    if (why == NULL) {
        TRY(conn->ops->begin(conn, wait, &(TxSettings){.lock_timeout_ms = guard_lock_ms(conn)}));
        Err *err = probe_run(conn, wait, arena, sent, count, &probe, &gone);
        conn->ops->rollback(conn);
        if (err != NULL)
            return guard_error(conn, err);
        TRY(guard_gone(conn, wait, arena, gone, &why));
    }
    if (why != NULL)
        not_tried(arena, why, &probe);
    *ret_probe = probe;
    return NULL;
}
