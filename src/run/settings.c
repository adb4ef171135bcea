/* Limits and checks that were given for a change beside its controls (stoa.settings). */
#include "run/settings.h"

#include "run/load_limit.h"

#include <stdlib.h>
#include <string.h>

static const char *const check_names[OUTSIDE_COUNT] = {"check-sql", "check-url", "stop-file",
                                                       "min-free-disk"};

static void take_limit(const EngineOps *ops, const char *name, const char *prefix, const char *value,
                       double *limits)
{
    for (size_t i = 0; str_starts(name, prefix) && i < ops->load_signal_count; i++)
        if (str_eq(name + strlen(prefix), ops->load_signals[i].name))
            limits[i] = strtod(value, NULL);
}

Err *settings_load(Conn *conn, Arena *arena, int64_t change_id, Controls *controls)
{
    const EngineOps *ops = conn->ops;
    Wait wait = journal_wait();
    Rows rows = {0};
    controls->nice = LIMIT_UNSET;
    controls->window_heavy = -1;
    controls->critical_retries = controls->build_memory = controls->build_workers = -1;
    for (size_t i = 0; i < LOAD_SIGNALS_MAX; i++)
        controls->load_limits[i] = controls->critical_limits[i] = LIMIT_UNSET;
    TRY(conn_params(conn, &wait, arena, &rows, ops->journal_sql(JOURNAL_SETTINGS),
                    arena_printf(arena, "%lld", (long long)change_id)));
    for (size_t row = 0; row < rows.row_count; row++) {
        const char *name = rows_cell(&rows, row, 0), *value = rows_cell(&rows, row, 1);
        take_limit(ops, name, "max-load.", value, controls->load_limits);
        take_limit(ops, name, "critical-load.", value, controls->critical_limits);
        if (str_eq(name, "window-for"))
            controls->window_heavy = str_eq(value, "heavy");
        if (str_eq(name, "critical-retries"))
            controls->critical_retries = strtoll(value, NULL, 10);
        if (str_eq(name, "build-memory"))
            controls->build_memory = strtoll(value, NULL, 10);
        if (str_eq(name, "build-workers"))
            controls->build_workers = strtoll(value, NULL, 10);
        if (str_eq(name, "nice"))
            controls->nice = strtod(value, NULL);
        for (size_t i = 0; i < OUTSIDE_COUNT; i++)
            if (str_eq(name, check_names[i]))
                controls->checks[i] = value;
    }
    return NULL;
}

static Err *store_setting(Conn *conn, Arena *arena, int64_t change_id, const char *name, const char *value)
{
    const char *const params[] = {arena_printf(arena, "%lld", (long long)change_id), name, value};
    Wait wait = journal_wait();
    Rows rows = {0};
    Err *err = conn->ops->query(conn, &wait, arena, conn->ops->journal_sql(JOURNAL_SET_SETTING),
                                ARRAY_LEN(params), params, &rows);
    return err == NULL ? NULL : err_wrap(err, "cannot write the journal");
}

static Err *store_number(Conn *conn, Arena *arena, int64_t change_id, const char *name, double value)
{
    return value < 0 ? NULL
                     : store_setting(conn, arena, change_id, name, arena_printf(arena, "%.17g", value));
}

/* Those that are given; others stay as they were. */
Err *settings_store(Conn *conn, Arena *arena, int64_t change_id, const Controls *controls)
{
    const EngineOps *ops = conn->ops;
    for (size_t i = 0; i < ops->load_signal_count; i++) {
        const char *name = ops->load_signals[i].name;
        TRY(store_number(conn, arena, change_id, arena_printf(arena, "max-load.%s", name),
                         controls->load_limits[i]));
        TRY(store_number(conn, arena, change_id, arena_printf(arena, "critical-load.%s", name),
                         controls->critical_limits[i]));
    }
    for (size_t i = 0; i < OUTSIDE_COUNT; i++)
        if (controls->checks[i] != NULL)
            TRY(store_setting(conn, arena, change_id, check_names[i], controls->checks[i]));
    if (controls->window_heavy >= 0)
        TRY(store_setting(conn, arena, change_id, "window-for",
                          controls->window_heavy != 0 ? "heavy" : "all"));
    TRY(store_number(conn, arena, change_id, "critical-retries", (double)controls->critical_retries));
    TRY(store_number(conn, arena, change_id, "build-memory", (double)controls->build_memory));
    TRY(store_number(conn, arena, change_id, "build-workers", (double)controls->build_workers));
    return store_number(conn, arena, change_id, "nice", controls->nice);
}
