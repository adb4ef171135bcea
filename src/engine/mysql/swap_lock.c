/* The cutover where RENAME TABLE works on what the session itself has locked: MySQL from 8.0.13 on.
 *
 * One session does all of it, and the RENAME is one atomic entry of the data dictionary. So there are two
 * orders only. The session, this process or the server dies before the server has the RENAME: the lock goes
 * with it, and nothing has happened. Or it dies afterwards: the RENAME is carried out or rolled back as a
 * whole, and since everything was brought over before it was sent, under a lock that is given back behind it,
 * either is right. Which of them it was is seen once that session is gone (swap_end_sessions). */
#include "base/failpoint.h"
#include "engine/mysql/swap_parts.h"

static Err *rename_tables(Attempt *a)
{
    Wait wait = {.timeout_ms = swap_left(a, 1)};
    Err *err = my_exec(
        a->lock, &wait,
        arena_printf(a->arena, "RENAME TABLE %s TO %s, %s TO %s", a->source, a->old, a->shadow, a->source));
    if (err == NULL)
        a->result->done = true;
    return err;
}

static Err *under_lock(Attempt *a)
{
    TRY(failpoint_at("swap_granted"));
    bool go = false;
    TRY(swap_drain(a, &go));
    if (!go)
        return NULL;
    TRY(swap_holds(a));
    TRY(swap_keys_move(a));
    TRY(rename_tables(a));
    return failpoint_at("swap_renamed");
}

Err *swap_by_lock(Attempt *a)
{
    bool go = false;
    const char *const tables[] = {a->source, a->shadow};
    TRY(swap_lock(a, tables, ARRAY_LEN(tables), &go));
    if (!go)
        return NULL;
    Err *err = under_lock(a);
    if (!a->result->done)
        swap_keys_restore(a);
    swap_unlock(a);
    return err;
}
