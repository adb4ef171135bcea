/* A brown-out by privileges: what is granted on a table becomes grants on all columns but one, and back.
 *
 * REVOKE on a table also takes the same privileges on its columns, by the same grantor (PostgreSQL docs,
 * "REVOKE"); it fails where others depend on what it takes. So everything is revoked leaf first, each as the
 * role that granted it, and granted again root first. On the way back nothing is taken that was not given
 * here, and nothing given that somebody has taken meanwhile. */
#include "engine/postgres/catalog_sql.h"
#include "engine/postgres/hide.h"
#include "engine/postgres/pg.h"
#include "engine/sql.h"

#include <string.h>

enum { DEPTH_MAX = 30 };

typedef struct Entry {
    const char *column;  /* NULL: on the table */
    const char *grantor; /* a role */
    const char *grantee; /* NULL: everybody */
    const char *privilege;
    bool grantable;
    bool by_owner, may_act, as_owner;
    int depth; /* how many grants stand between it and the owner */
} Entry;

typedef struct Entries {
    Entry *items;
    size_t count;
} Entries;

/* One statement, and the role it is said by. */
typedef struct Say {
    const char *role, *sql;
} Say;

typedef struct Script {
    Arena *arena;
    const char *table; /* as SQL */
    VEC(Say) lines;
} Script;

/* ---- what there is -------------------------------------------------------------------------- */

static bool is_wanted(const char *privilege, bool whole)
{
    static const char *const of_columns[] = {"SELECT", "INSERT", "UPDATE", "REFERENCES"};
    for (size_t i = 0; i < ARRAY_LEN(of_columns); i++)
        if (str_eq(privilege, of_columns[i]))
            return true;
    return whole && (str_eq(privilege, "DELETE") || str_eq(privilege, "TRUNCATE"));
}

/* Whether `above` is what lets the grantor of `entry` grant. */
static bool stands_on(const Entry *entry, const Entry *above)
{
    return above->grantable && str_eq(above->privilege, entry->privilege) && above->grantee != NULL &&
           str_eq(above->grantee, entry->grantor) &&
           (above->column == NULL || str_eq(above->column, entry->column));
}

static void set_depths(Entries *entries)
{
    bool moved = true;
    for (int round = 0; moved && round < DEPTH_MAX; round++) {
        moved = false;
        for (size_t i = 0; i < entries->count; i++)
            for (size_t k = 0; k < entries->count && !entries->items[i].by_owner; k++) {
                Entry *entry = &entries->items[i];
                const Entry *above = &entries->items[k];
                if (i == k || !stands_on(entry, above) || entry->depth > above->depth)
                    continue;
                entry->depth = above->depth + 1;
                moved = entry->depth < DEPTH_MAX;
            }
    }
}

static void read_entries(Arena *arena, const json_t *rows, bool whole, Entries *ret_entries)
{
    size_t i = 0;
    const json_t *row = NULL;
    Entries entries = {.items = arena_alloc(arena, (json_array_size(rows) + 1) * sizeof *entries.items)};
    json_array_foreach(rows, i, row)
    {
        Entry entry = {.column = catalog_text(arena, row, "column"),
                       .grantor = catalog_text(arena, row, "grantor"),
                       .grantee = catalog_text(arena, row, "grantee"),
                       .privilege = catalog_text(arena, row, "privilege"),
                       .grantable = catalog_bool(row, "grantable"),
                       .by_owner = catalog_bool(row, "by_owner"),
                       .may_act = catalog_bool(row, "may_act"),
                       .as_owner = catalog_bool(row, "as_owner")};
        if (is_wanted(entry.privilege, whole))
            entries.items[entries.count++] = entry;
    }
    set_depths(&entries);
    *ret_entries = entries;
}

static Err *load_entries(Conn *conn, const Wait *wait, const char *id, json_t **ret_rows)
{
    return catalog_query(conn, wait, catalog_acl_sql, 1, &id, ret_rows);
}

static const Entry *find(const Entries *entries, const char *column, const Entry *like)
{
    for (size_t i = 0; i < entries->count; i++) {
        const Entry *entry = &entries->items[i];
        if (str_eq(entry->column, column) && str_eq(entry->grantor, like->grantor) &&
            str_eq(entry->grantee, like->grantee) && str_eq(entry->privilege, like->privilege))
            return entry;
    }
    return NULL;
}

/* ---- statements ----------------------------------------------------------------------------- */

static const char *columns_text(Arena *arena, const char *const *columns, size_t count)
{
    return count == 0 ? "" : arena_printf(arena, " (%s)", sql_ident_list(arena, columns, count));
}

static void grant(Script *script, const Entry *entry, const char *const *columns, size_t count)
{
    Arena *arena = script->arena;
    const char *to = entry->grantee == NULL ? "PUBLIC" : sql_ident(arena, entry->grantee);
    *vec_push(arena, &script->lines) =
        (Say){.role = entry->grantor,
              .sql = arena_printf(arena, "GRANT %s%s ON TABLE %s TO %s%s", entry->privilege,
                                  columns_text(arena, columns, count), script->table, to,
                                  entry->grantable ? " WITH GRANT OPTION" : "")};
}

static void revoke(Script *script, const Entry *entry, const char *const *columns, size_t count, bool option)
{
    Arena *arena = script->arena;
    const char *from = entry->grantee == NULL ? "PUBLIC" : sql_ident(arena, entry->grantee);
    *vec_push(arena, &script->lines) = (Say){
        .role = entry->grantor,
        .sql = arena_printf(arena, "REVOKE %s%s%s ON TABLE %s FROM %s", option ? "GRANT OPTION FOR " : "",
                            entry->privilege, columns_text(arena, columns, count), script->table, from)};
}

static int deepest(const Entries *entries)
{
    int depth = 0;
    for (size_t i = 0; i < entries->count; i++)
        depth = entries->items[i].depth > depth ? entries->items[i].depth : depth;
    return depth;
}

/* All entries go, leaf first, those on columns before those on the table. */
static void revoke_all(Script *script, const Entries *entries)
{
    for (int depth = deepest(entries); depth >= 0; depth--)
        for (int on_table = 0; on_table < 2; on_table++)
            for (size_t i = 0; i < entries->count; i++) {
                const Entry *entry = &entries->items[i];
                if (entry->depth == depth && (entry->column == NULL) == (on_table == 1))
                    revoke(script, entry, &entry->column, entry->column == NULL ? 0 : 1, false);
            }
}

/* What is there while the column is hidden: what stood on the table now on all others, and what stood on
 * these. */
static void grant_others(Script *script, const Entries *entries, const char *hidden,
                         const char *const *others, size_t count)
{
    for (int depth = 0; depth <= deepest(entries); depth++)
        for (size_t i = 0; i < entries->count; i++) {
            const Entry *entry = &entries->items[i];
            if (entry->depth != depth || str_eq(entry->column, hidden))
                continue;
            if (entry->column != NULL)
                grant(script, entry, &entry->column, 1);
            else if (count > 0)
                grant(script, entry, others, count);
        }
}

/* ---- back ----------------------------------------------------------------------------------- */

typedef struct Back {
    const Entries *before, *now;
    const char *hidden;        /* NULL: the whole table */
    const char *const *others; /* that are still there */
    size_t other_count;
} Back;

/* Somebody else has taken it meanwhile: nothing of what it was turned into is left. */
static bool was_taken(const Back *back, const Entry *entry)
{
    if (back->hidden == NULL || back->other_count == 0)
        return false;
    for (size_t i = 0; i < back->other_count; i++)
        if (find(back->now, back->others[i], entry) != NULL)
            return false;
    return true;
}

static void give_back(Script *script, const Back *back)
{
    for (int depth = 0; depth <= deepest(back->before); depth++)
        for (size_t i = 0; i < back->before->count; i++) {
            const Entry *entry = &back->before->items[i];
            bool other =
                back->hidden != NULL && entry->column != NULL && !str_eq(entry->column, back->hidden);
            const Entry *now = find(back->now, entry->column, entry);
            bool there = now != NULL && (now->grantable || !entry->grantable);
            if (entry->depth != depth || other || there || (entry->column == NULL && was_taken(back, entry)))
                continue;
            grant(script, entry, &entry->column, entry->column == NULL ? 0 : 1);
        }
}

/* Somebody has granted this privilege on since: what it stands on has to stay on that column. */
static bool is_stuck(const Back *back, const char *column, const char *privilege)
{
    for (size_t i = 0; i < back->now->count; i++) {
        const Entry *now = &back->now->items[i];
        if (str_eq(now->column, column) && str_eq(now->privilege, privilege) && !now->by_owner &&
            find(back->before, NULL, now) == NULL && find(back->before, column, now) == NULL)
            return true;
    }
    return false;
}

/* What others had granted on single columns stands, for the server, on what was put there: it goes for the
 * moment, leaf first, and comes back when that is gone. By then its grantors have their rights on the table
 * again. */
static bool is_lifted(const Back *back, const Entry *entry)
{
    bool other = back->hidden != NULL && entry->column != NULL && !str_eq(entry->column, back->hidden);
    if (!other || entry->by_owner || find(back->now, entry->column, entry) == NULL ||
        is_stuck(back, entry->column, entry->privilege))
        return false;
    for (size_t i = 0; i < back->before->count; i++)
        if (back->before->items[i].column == NULL &&
            str_eq(back->before->items[i].privilege, entry->privilege))
            return true;
    return false;
}

static void lift(Script *script, const Back *back)
{
    for (int depth = deepest(back->before); depth >= 0; depth--)
        for (size_t i = 0; i < back->before->count; i++) {
            const Entry *entry = &back->before->items[i];
            if (entry->depth == depth && is_lifted(back, entry))
                revoke(script, entry, &entry->column, 1, false);
        }
}

static void put_down(Script *script, const Back *back)
{
    for (int depth = 0; depth <= deepest(back->before); depth++)
        for (size_t i = 0; i < back->before->count; i++) {
            const Entry *entry = &back->before->items[i];
            if (entry->depth == depth && is_lifted(back, entry))
                grant(script, entry, &entry->column, 1);
        }
}

static void take_one(Script *script, const Back *back, const Entry *entry)
{
    Arena *arena = script->arena;
    VEC(const char *) whole = {0};
    VEC(const char *) option = {0};
    for (size_t i = 0; i < back->other_count; i++) {
        const char *column = back->others[i];
        const Entry *now = find(back->now, column, entry), *was = find(back->before, column, entry);
        if (now == NULL || is_stuck(back, column, entry->privilege))
            continue;
        if (was == NULL)
            *vec_push(arena, &whole) = column;
        else if (!was->grantable && entry->grantable && now->grantable)
            *vec_push(arena, &option) = column;
    }
    if (whole.len > 0)
        revoke(script, entry, whole.items, whole.len, false);
    if (option.len > 0)
        revoke(script, entry, option.items, option.len, true);
}

/* What was put on the other columns goes, leaf first. */
static void take_others(Script *script, const Back *back)
{
    lift(script, back);
    for (int depth = deepest(back->before); depth >= 0 && back->hidden != NULL; depth--)
        for (size_t i = 0; i < back->before->count; i++)
            if (back->before->items[i].depth == depth && back->before->items[i].column == NULL)
                take_one(script, back, &back->before->items[i]);
    put_down(script, back);
}

/* ---- said ----------------------------------------------------------------------------------- */

static Err *say(Conn *conn, const Wait *wait, const Script *script)
{
    const char *role = NULL;
    for (size_t i = 0; i < script->lines.len; i++) {
        const Say *line = &script->lines.items[i];
        if (!str_eq(role, line->role))
            TRY(pg_act_as(conn, wait, line->role));
        role = line->role;
        TRY(conn_exec(conn, wait, line->sql));
    }
    return role == NULL ? NULL : pg_act_as(conn, wait, NULL);
}

static const char *const *shown(const Script *script, size_t *ret_count)
{
    Arena *arena = script->arena;
    VEC(const char *) out = {0};
    const char *role = NULL;
    for (size_t i = 0; i < script->lines.len; i++) {
        const Say *line = &script->lines.items[i];
        if (!str_eq(role, line->role))
            *vec_push(arena, &out) = arena_printf(arena, "SET LOCAL ROLE %s", sql_ident(arena, line->role));
        role = line->role;
        *vec_push(arena, &out) = line->sql;
    }
    *ret_count = out.len;
    return out.items;
}

/* ---- the plan ------------------------------------------------------------------------------- */

static Err *may_act(const Entries *entries, const char *table)
{
    for (size_t i = 0; i < entries->count; i++) {
        const Entry *entry = &entries->items[i];
        if (!entry->may_act)
            return err_hint(
                err_new(ERR_PRIVILEGE, "%s on %s was granted by role \"%s\", which we may not act as",
                        entry->privilege, table, entry->grantor),
                "connect as a member of \"%s\", or as a superuser; or --by rename", entry->grantor);
        if (entry->as_owner)
            return err_hint(err_new(ERR_UNSAFE,
                                    "%s on %s was granted by role \"%s\", which has the rights of the owner "
                                    "by now: what it grants again would be the owner's grant",
                                    entry->privilege, table, entry->grantor),
                            "grant it anew as the owner; or --by rename");
    }
    return NULL;
}

/* "role shop owns the table (3 sessions)" */
static Err *load_blind(Conn *conn, const Wait *wait, Arena *arena, const char *id, HidePlan *plan)
{
    CLEANUP(catalog_json_freep) json_t *rows = NULL;
    VEC(const char *) blind = {0};
    size_t i = 0;
    const json_t *row = NULL;
    TRY(catalog_query(conn, wait, catalog_blind_sql, 1, &id, &rows));
    json_array_foreach(rows, i, row)
    {
        const char *why = catalog_text(arena, row, "why");
        int64_t sessions = catalog_int(row, "sessions");
        if (why != NULL)
            *vec_push(arena, &blind) = arena_printf(arena, "role %s %s (%lld session%s)",
                                                    sql_ident(arena, catalog_text(arena, row, "role")), why,
                                                    (long long)sessions, sessions == 1 ? "" : "s");
    }
    plan->blind = blind.items;
    plan->blind_count = blind.len;
    return NULL;
}

static size_t hits(const Entries *entries, const char *hidden)
{
    size_t count = 0;
    for (size_t i = 0; i < entries->count; i++)
        count += entries->items[i].column == NULL || str_eq(entries->items[i].column, hidden);
    return count;
}

static void undo_shown(Script *script, const Entries *entries, const char *hidden, const char *const *others,
                       size_t count)
{
    Entries now = {.items = arena_alloc(script->arena, (entries->count * (count + 1) + 1) * sizeof(Entry))};
    for (size_t i = 0; i < entries->count; i++) { /* what will be there */
        const Entry *entry = &entries->items[i];
        if (hidden == NULL || str_eq(entry->column, hidden))
            continue;
        if (entry->column != NULL && find(entries, NULL, entry) == NULL)
            now.items[now.count++] = *entry;
        for (size_t k = 0; entry->column == NULL && k < count; k++) {
            now.items[now.count] = *entry;
            now.items[now.count++].column = others[k];
        }
    }
    Back back = {.before = entries, .now = &now, .hidden = hidden, .others = others, .other_count = count};
    give_back(script, &back);
    take_others(script, &back);
}

Err *acl_plan(Conn *conn, const Wait *wait, Arena *arena, const HideRequest *request, const Table *table,
              HidePlan *ret_plan)
{
    CLEANUP(catalog_json_freep) json_t *rows = NULL;
    const char *id = arena_printf(arena, "%lld", (long long)table->id);
    const char *hidden = request->kind == HIDE_COLUMN ? request->name : NULL;
    const char *name = sql_name(arena, table->schema, table->name);
    HidePlan plan = {.by = HIDE_BY_PRIVILEGES};
    Entries entries = {0};
    json_t *columns = json_array();
    TRY(load_entries(conn, wait, id, &rows));
    read_entries(arena, rows, hidden == NULL, &entries);
    const char **others = arena_alloc(arena, (table->column_count + 1) * sizeof *others);
    size_t count = 0;
    for (size_t i = 0; i < table->column_count; i++)
        if (!str_eq(table->columns[i].name, hidden)) {
            others[count++] = table->columns[i].name;
            json_array_append_new(columns, json_string(table->columns[i].name));
        }
    json_t *body =
        json_pack("{s:s, s:s, s:s, s:s, s:s?, s:o, s:O}", "by", "privileges", "id", id, "schema",
                  table->schema, "table", table->name, "column", hidden, "others", columns, "entries", rows);
    char *text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    plan.body = arena_dup(arena, text);
    mem_freep(&text);
    TRY(may_act(&entries, name));
    plan.hit_count = hits(&entries, hidden);
    Script script = {.arena = arena, .table = name}, back = script;
    revoke_all(&script, &entries);
    if (hidden != NULL)
        grant_others(&script, &entries, hidden, others, count);
    undo_shown(&back, &entries, hidden, others, count);
    plan.sql = shown(&script, &plan.sql_count);
    plan.undo_sql = shown(&back, &plan.undo_count);
    TRY(load_blind(conn, wait, arena, id, &plan));
    *ret_plan = plan;
    return NULL;
}

/* ---- done and undone ------------------------------------------------------------------------ */

static void read_body(Arena *arena, const json_t *body, Script *ret_script, Entries *ret_entries)
{
    const char *hidden = json_string_value(json_object_get(body, "column"));
    *ret_script = (Script){.arena = arena,
                           .table = sql_name(arena, json_string_value(json_object_get(body, "schema")),
                                             json_string_value(json_object_get(body, "table")))};
    read_entries(arena, json_object_get(body, "entries"), hidden == NULL, ret_entries);
}

Err *acl_hide(Conn *conn, const Wait *wait, const json_t *body)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    CLEANUP(catalog_json_freep) json_t *rows = NULL;
    const char *hidden = json_string_value(json_object_get(body, "column"));
    Script script;
    Entries entries;
    size_t count = 0;
    TRY(load_entries(conn, wait, json_string_value(json_object_get(body, "id")), &rows));
    if (!json_equal(rows, json_object_get(body, "entries")))
        return err_new(ERR_SERIALIZE, "somebody has changed the privileges of the table just now");
    read_body(arena, body, &script, &entries);
    const char *const *others = catalog_texts(arena, body, "others", &count);
    revoke_all(&script, &entries);
    if (hidden != NULL)
        grant_others(&script, &entries, hidden, others, count);
    return say(conn, wait, &script);
}

/* Those of the other columns that are still there. */
static Err *load_others(Conn *conn, const Wait *wait, Arena *arena, const json_t *body, Back *back)
{
    size_t count = 0;
    Rows rows = {0};
    const char *const *names = catalog_texts(arena, body, "others", &count);
    const char **others = arena_alloc(arena, (count + 1) * sizeof *others);
    TRY(conn_params(
        conn, wait, arena, &rows,
        "SELECT a.attname FROM pg_catalog.pg_attribute a WHERE a.attrelid = $1::oid AND a.attnum > 0 "
        "AND NOT a.attisdropped",
        json_string_value(json_object_get(body, "id"))));
    for (size_t i = 0; i < count; i++)
        for (size_t row = 0; row < rows.row_count; row++)
            if (str_eq(names[i], rows_cell(&rows, row, 0)))
                others[back->other_count++] = names[i];
    back->others = others;
    return NULL;
}

Err *acl_show(Conn *conn, const Wait *wait, const json_t *body)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    CLEANUP(catalog_json_freep) json_t *rows = NULL;
    const char *id = json_string_value(json_object_get(body, "id"));
    Script script;
    Entries before, now;
    Rows there = {0};
    TRY(conn_params(
        conn, wait, arena, &there,
        "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
        "c.relnamespace WHERE c.oid = $1::oid",
        id));
    if (there.row_count == 0)
        return NULL; /* somebody has dropped the table */
    read_body(arena, body, &script, &before);
    script.table = sql_name(arena, rows_cell(&there, 0, 0), rows_cell(&there, 0, 1));
    TRY(load_entries(conn, wait, id, &rows));
    Back back = {
        .before = &before, .now = &now, .hidden = json_string_value(json_object_get(body, "column"))};
    read_entries(arena, rows, back.hidden == NULL, &now);
    TRY(load_others(conn, wait, arena, body, &back));
    give_back(&script, &back);
    take_others(&script, &back);
    return say(conn, wait, &script);
}
