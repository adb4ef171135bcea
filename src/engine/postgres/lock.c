/* Table locks: who stands in the way, and taking one. */
#include "base/str.h"
#include "engine/postgres/catalog.h"
#include "engine/postgres/catalog_sql.h"
#include "engine/sql.h"

#include <string.h>

typedef struct LockMode {
    const char *sql;     /* in LOCK TABLE */
    const char *catalog; /* in pg_locks */
    unsigned conflicts;  /* bits of the modes by their place in the table below */
} LockMode;

/* PostgreSQL documentation, "Explicit Locking", table of conflicting lock modes; weakest first. */
static const LockMode lock_modes[] = {
    {"ACCESS SHARE", "AccessShareLock", 0x80},
    {"ROW SHARE", "RowShareLock", 0xC0},
    {"ROW EXCLUSIVE", "RowExclusiveLock", 0xF0},
    {"SHARE UPDATE EXCLUSIVE", "ShareUpdateExclusiveLock", 0xF8},
    {"SHARE", "ShareLock", 0xEC},
    {"SHARE ROW EXCLUSIVE", "ShareRowExclusiveLock", 0xFC},
    {"EXCLUSIVE", "ExclusiveLock", 0xFE},
    {"ACCESS EXCLUSIVE", "AccessExclusiveLock", 0xFF},
};

static Err *lock_mode(const char *lock, const LockMode **ret_mode)
{
    for (size_t i = 0; i < ARRAY_LEN(lock_modes); i++)
        if (str_eq(lock_modes[i].sql, lock)) {
            *ret_mode = &lock_modes[i];
            return NULL;
        }
    return err_new(ERR_BUG, "no such lock mode: \"%s\"", lock);
}

int lock_strength(const char *catalog_mode)
{
    for (size_t i = 0; i < ARRAY_LEN(lock_modes); i++)
        if (str_eq(lock_modes[i].catalog, catalog_mode))
            return (int)i + 1;
    return 0;
}

const char *lock_name(int strength)
{
    return strength > 0 && strength <= (int)ARRAY_LEN(lock_modes) ? lock_modes[strength - 1].sql : NULL;
}

Err *pg_blockers(Conn *conn, const Wait *wait, Arena *arena, const int64_t *table_ids, size_t table_count,
                 const char *lock, Blocker **ret_blockers, size_t *ret_count)
{
    const LockMode *mode = NULL;
    TRY(lock_mode(lock, &mode));
    CLEANUP(str_donep) Str modes = STR_INIT;
    for (size_t i = 0; i < ARRAY_LEN(lock_modes); i++)
        if ((mode->conflicts >> i & 1U) != 0) {
            str_sep(&modes, ",");
            str_add(&modes, lock_modes[i].catalog);
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
                                .mode = catalog_text(arena, row, "mode"),
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
    const LockMode *mode = NULL;
    TRY(lock_mode(lock, &mode));
    CLEANUP(str_donep) Str sql = STR_INIT;
    /* What is done to an inheritance parent is done to its children. */
    str_add(&sql, table->has_children ? "LOCK TABLE " : "LOCK TABLE ONLY ");
    sql_add_name(&sql, table->schema, table->name);
    str_addf(&sql, " IN %s MODE%s", mode->sql, no_wait ? " NOWAIT" : "");
    return conn_exec(conn, wait, sql.buf);
}
