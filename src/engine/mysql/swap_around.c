/* What was hung on the source while it was copied, and would go with it: looked at before each attempt. */
#include "engine/mysql/catalog.h"
#include "engine/mysql/swap_parts.h"
#include "engine/mysql/trigger.h"
#include "engine/mysql/xa.h"

/* Those of changes are called stoa_<number>_… where they capture, <table>__stoa_fill_… where they fill. */
static Err *check_triggers(Attempt *a, const Wait *wait)
{
    const ShadowSpec *spec = a->spec;
    Rows rows = {0};
    TRY(conn_params(
        a->control, wait, a->arena, &rows,
        "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = $1 AND "
        "EVENT_OBJECT_TABLE = $2 AND TRIGGER_NAME NOT LIKE 'stoa|_%' ESCAPE '|' AND TRIGGER_NAME NOT "
        "LIKE '%|_|_stoa|_%' ESCAPE '|' AND TRIGGER_NAME NOT LIKE '%~stoa|_%' ESCAPE '|' LIMIT 1",
        spec->schema, spec->source));
    if (rows.row_count > 0)
        return err_hint(err_new(ERR_UNSAFE,
                                "%s got a trigger meanwhile, \"%s\", which would go with the old table",
                                a->source, rows_cell(&rows, 0, 0)),
                        "drop it, then resume; make it again on the new table");
    if (spec->capture != CAPTURE_TRIGGER)
        return NULL;
    bool is_whole = false;
    TRY(trigger_hang(a->control, wait, spec, &is_whole));
    return is_whole ? NULL
                    : err_hint(err_new(ERR_UNSAFE,
                                       "the triggers that capture the changes of %s are gone, or hang on "
                                       "another table",
                                       a->source),
                               "undo with stoa abort, then apply again");
}

/* Ours, too: those that capture, or fill a new column. */
static Err *look_for_triggers(Attempt *a)
{
    const char *const tables[] = {a->spec->source, a->spec->shadow};
    Rows rows = {0};
    for (size_t i = 0; i < ARRAY_LEN(tables) && !a->has_triggers; i++) {
        TRY(conn_params(a->control, a->wait, a->arena, &rows,
                        "SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = $1 AND "
                        "EVENT_OBJECT_TABLE = $2",
                        a->spec->schema, tables[i]));
        a->has_triggers = rows_int(&rows, 0, 0) > 0;
    }
    return NULL;
}

static Err *check_children(Attempt *a, const Wait *wait)
{
    Rows rows = {0};
    bool is_known = false;
    TRY(my_find_children(a->control, wait, a->arena, a->spec->schema, a->spec->source, &rows, &is_known));
    if (rows.row_count == 0)
        return NULL;
    return err_hint(
        err_new(ERR_UNSAFE,
                "a foreign key of \"%s.%s\" refers to %s since a while, and would go on referring "
                "to the old table",
                rows_cell(&rows, 0, 0), rows_cell(&rows, 0, 1), a->source),
        "drop the foreign key, then resume; add it again behind the change");
}

Err *swap_check_around(Attempt *a)
{
    TRY(check_triggers(a, a->wait));
    TRY(look_for_triggers(a));
    return check_children(a, a->wait);
}

Err *swap_check_locked(Attempt *a, const char **ret_who)
{
    Wait wait = {.timeout_ms = swap_left(a, 1)};
    XaList list = {0};
    *ret_who = NULL;
    /* Who may not see them is on MySQL 8.0 or later, which keeps their metadata locks. */
    Err *err = xa_list(a->control, &wait, a->arena, false, &list);
    if (!err_is(err, ERR_PRIVILEGE))
        TRY(err);
    err_free(err);
    if (list.count > 0)
        *ret_who = list.names[0];
    return a->spec->capture == CAPTURE_TRIGGER ? check_triggers(a, &wait) : NULL;
}
