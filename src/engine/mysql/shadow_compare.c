/* Source and shadow side by side. */
#include "engine/mysql/shadow_my.h"
#include "engine/mysql/shadow_rows.h"

Err *my_shadow_compare(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, const Range *range,
                       int64_t *ret_rows, KeyList *ret_different)
{
    (void)conn, (void)wait, (void)arena, (void)spec, (void)range, (void)ret_rows, (void)ret_different;
    return err_new(ERR_BUG, "compare is not there yet");
}

Err *my_shadow_compare_keys(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                            const KeyList *keys, KeyList *ret_different, KeyList *ret_busy)
{
    (void)conn, (void)wait, (void)arena, (void)spec, (void)keys, (void)ret_different, (void)ret_busy;
    return err_new(ERR_BUG, "compare is not there yet");
}
