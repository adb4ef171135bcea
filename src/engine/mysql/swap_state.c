/* What came of a cutover, by looking, and what a dead attempt left. */
#include "base/clock.h"
#include "base/digest.h"
#include "base/stop.h"
#include "base/str.h"
#include "engine/mysql/error.h"
#include "engine/mysql/quote.h"
#include "engine/mysql/swap.h"
#include "engine/mysql/swap_parts.h"

#include <string.h>
#include <strings.h>

const char sentry_comment[] = "stoa: keeps the name of the old table until the cutover";

enum {
    END_MS = 5000, /* for a killed session to go; its locks are metadata locks, nothing is rolled back */
    END_STEP_MS = 3,
    SETTLE_TRIES = 20, /* of a look that met the catalog while somebody else changed it */
    SETTLE_STEP_MS = 50,
    DIGEST_CHARS = 32,
};

/* ---- sessions
 * ----------------------------------------------------------------------------------------------
 */

char *swap_role_name(Arena *arena, const ShadowSpec *spec, SwapRole role)
{
    const char *table = arena_printf(arena, "%s.%s", spec->schema, spec->source);
    const char *digest = digest_text(arena, table, strlen(table)) + strlen("sha256:");
    return arena_printf(arena, "stoa.swap_%s.%.*s", role == SWAP_ROLE_LOCK ? "lock" : "second", DIGEST_CHARS,
                        digest);
}

static Err *end_session(Conn *conn, const Wait *wait, Arena *arena, const char *id)
{
    Err *err = my_exec(conn, wait, arena_printf(arena, "KILL %s", id));
    if (err_is(err, ERR_CONN_LOST))
        return err;
    err_free(err); /* gone by now, or not ours: then it can only be waited for */
    return NULL;
}

Err *swap_end_sessions(Conn *conn, const Wait *wait, const ShadowSpec *spec)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    int64_t deadline = clock_ms() + END_MS;
    for (SwapRole role = 0; role < SWAP_ROLE_COUNT; role++) {
        const char *name = my_literal(conn, arena, swap_role_name(arena, spec, role));
        for (;;) {
            Rows rows = {0};
            TRY(my_query(conn, wait, arena, arena_printf(arena, "SELECT IS_USED_LOCK(%s)", name), 0, NULL,
                         &rows));
            const char *id = rows_cell(&rows, 0, 0);
            if (id == NULL)
                break;
            if (clock_ms() > deadline)
                return err_hint(err_new(ERR_HELD, "session %s of an earlier cutover of %s does not end", id,
                                        my_name(arena, spec->schema, spec->source)),
                                "KILL %s", id);
            TRY(end_session(conn, wait, arena, id));
            stop_sleep(NULL, END_STEP_MS);
        }
    }
    return NULL;
}

/* ---- tables
 * ------------------------------------------------------------------------------------------------
 */

typedef enum Place { PLACE_EMPTY, PLACE_TABLE, PLACE_SENTRY, PLACE_BROKEN } Place;
typedef struct Places {
    Place source, shadow, old;
} Places;

/* A table whose engine does not know it has none in the catalog. */
static Place place_of(const Rows *rows, const char *name)
{
    for (size_t row = 0; row < rows->row_count; row++) {
        bool any_case = rows_int(rows, row, 3) != 0;
        const char *found = rows_cell(rows, row, 0), *comment = rows_cell(rows, row, 2);
        if (found == NULL || (any_case ? strcasecmp(found, name) : strcmp(found, name)) != 0)
            continue;
        if (rows_cell(rows, row, 1) == NULL)
            return PLACE_BROKEN;
        return comment != NULL && str_eq(comment, sentry_comment) ? PLACE_SENTRY : PLACE_TABLE;
    }
    return PLACE_EMPTY;
}

static Err *look_at(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, Places *ret_places)
{
    Rows rows = {0};
    TRY(conn_params(conn, wait, arena, &rows,
                    "SELECT TABLE_NAME, ENGINE, TABLE_COMMENT, @@lower_case_table_names FROM "
                    "information_schema.TABLES WHERE TABLE_SCHEMA = $1 AND TABLE_NAME IN ($2, $3, $4)",
                    spec->schema, spec->source, spec->shadow, spec->old));
    *ret_places = (Places){.source = place_of(&rows, spec->source),
                           .shadow = place_of(&rows, spec->shadow),
                           .old = place_of(&rows, spec->old)};
    return NULL;
}

static SwapState state_of(const Places *places)
{
    if (places->source != PLACE_TABLE)
        return SWAP_UNKNOWN;
    if (places->shadow == PLACE_TABLE && (places->old == PLACE_EMPTY || places->old == PLACE_SENTRY))
        return SWAP_NOT_DONE;
    if (places->shadow == PLACE_EMPTY && places->old == PLACE_TABLE)
        return SWAP_DONE;
    return SWAP_UNKNOWN;
}

/* The first half of a RENAME that a crash cut in two: whatever was written before stands in what is now the
 * old table, and nobody could write to the source since. So the way back is always right. */
static Err *undo_half(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, Places *places)
{
    bool is_half =
        places->source == PLACE_EMPTY && places->shadow == PLACE_TABLE && places->old == PLACE_TABLE;
    if (!is_half || flavor_can(my_flavor(conn), FACT_ATOMIC_RENAME))
        return NULL;
    TRY(my_exec(conn, wait,
                arena_printf(arena, "RENAME TABLE %s TO %s", my_name(arena, spec->schema, spec->old),
                             my_name(arena, spec->schema, spec->source))));
    return look_at(conn, wait, arena, spec, places);
}

Err *my_swap_state(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, SwapState *ret_state)
{
    TRY(swap_end_sessions(conn, wait, spec));
    SwapState state = SWAP_UNKNOWN;
    for (int i = 0; i < SETTLE_TRIES && state == SWAP_UNKNOWN; i++) {
        Places places;
        if (i > 0)
            stop_sleep(wait == NULL ? NULL : wait->stop, SETTLE_STEP_MS);
        TRY(look_at(conn, wait, arena, spec, &places));
        state = state_of(&places);
        if (state == SWAP_UNKNOWN && i == SETTLE_TRIES - 1) {
            TRY(undo_half(conn, wait, arena, spec, &places));
            state = state_of(&places);
        }
    }
    *ret_state = state;
    return NULL;
}

/* ---- the sentry
 * --------------------------------------------------------------------------------------------
 */

Err *my_swap_clear(Conn *conn, const Wait *wait, const ShadowSpec *spec)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    TRY(swap_end_sessions(conn, wait, spec));
    Places places;
    TRY(look_at(conn, wait, arena, spec, &places));
    if (places.old == PLACE_TABLE && places.shadow == PLACE_EMPTY)
        return NULL; /* the cutover was done */
    if (places.source == PLACE_TABLE && places.shadow == PLACE_TABLE)
        TRY(swap_keys_mend(conn, wait, arena, spec));
    if (places.old == PLACE_EMPTY)
        return NULL;
    const char *old = my_name(arena, spec->schema, spec->old);
    Rows rows = {0};
    if (places.old == PLACE_SENTRY)
        TRY(my_query(conn, wait, arena, arena_printf(arena, "SELECT 1 FROM %s LIMIT 1", old), 0, NULL,
                     &rows));
    if (places.old != PLACE_SENTRY || rows.row_count > 0)
        return err_hint(err_new(ERR_UNSAFE, "%s stands where the old table is to go", old),
                        "look at it, and rename or drop it");
    return my_exec(conn, wait, arena_printf(arena, "DROP TABLE %s", old));
}
