/* Table locks: who stands in the way, and taking one. */
#include "engine/lock.h"
#include "base/str.h"
#include "engine/postgres/catalog.h"
#include "engine/postgres/catalog_sql.h"
#include "engine/sql.h"

#include <string.h>

static Err *known_mode(const char *lock, LockMode *ret_mode)
{
    *ret_mode = lock_mode(lock);
    return *ret_mode != LOCK_NONE ? NULL : err_new(ERR_BUG, "no such lock mode: \"%s\"", lock);
}

/* As in LOCK TABLE; a prepared transaction is named in its place. */
static const char *mode_shown(const char *text)
{
    LockMode mode = lock_mode_of_catalog(text);
    return mode == LOCK_NONE ? text : lock_mode_name(mode);
}

Err *pg_blockers(Conn *conn, const Wait *wait, Arena *arena, const int64_t *table_ids, size_t table_count,
                 const char *lock, Blocker **ret_blockers, size_t *ret_count)
{
    LockMode mode;
    TRY(known_mode(lock, &mode));
    CLEANUP(str_donep) Str modes = STR_INIT;
    for (LockMode other = LOCK_ACCESS_SHARE; other < LOCK_MODE_COUNT; other++)
        if (lock_modes_conflict(mode, other)) {
            str_sep(&modes, ",");
            str_add(&modes, lock_mode_catalog_name(other));
        }
    CLEANUP(str_donep) Str tables = STR_INIT;
    for (size_t i = 0; i < table_count; i++) {
        str_sep(&tables, ",");
        str_addf(&tables, "%lld", (long long)table_ids[i]);
    }
    const char *params[] = {arena_printf(arena, "{%s}", tables.len > 0 ? tables.buf : ""),
                            arena_printf(arena, "{%s}", modes.buf)};
    CLEANUP(catalog_json_freep) json_t *rows = NULL;
    TRY(catalog_query(conn, wait, catalog_blockers_sql, 2, params, &rows));
    size_t count = json_array_size(rows);
    Blocker *blockers = arena_alloc(arena, (count + 1) * sizeof *blockers);
    for (size_t i = 0; i < count; i++) {
        const json_t *row = json_array_get(rows, i);
        blockers[i] = (Blocker){.pid = catalog_int(row, "pid"),
                                .application = catalog_text(arena, row, "application"),
                                .user = catalog_text(arena, row, "user"),
                                .state = catalog_text(arena, row, "state"),
                                .statement = catalog_text(arena, row, "statement"),
                                .mode = mode_shown(catalog_text(arena, row, "mode")),
                                .relation = catalog_text(arena, row, "relation"),
                                .age_ms = catalog_int(row, "age_ms"),
                                .waiting = catalog_bool(row, "waiting")};
    }
    *ret_blockers = blockers;
    *ret_count = count;
    return NULL;
}

Err *pg_lock_table(Conn *conn, const Wait *wait, const Table *table, const char *lock, bool no_wait)
{
    LockMode mode;
    TRY(known_mode(lock, &mode));
    CLEANUP(str_donep) Str sql = STR_INIT;
    /* What is done to an inheritance parent is done to its children. */
    str_add(&sql, table->has_children ? "LOCK TABLE " : "LOCK TABLE ONLY ");
    sql_add_name(&sql, table->schema, table->name);
    str_addf(&sql, " IN %s MODE%s", lock_mode_name(mode), no_wait ? " NOWAIT" : "");
    return conn_exec(conn, wait, sql.buf);
}
