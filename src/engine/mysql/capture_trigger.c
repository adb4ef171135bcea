/* Changed keys out of a log that triggers fill. */
#include "engine/mysql/capture_parts.h"

static Err *not_yet(void) { return err_new(ERR_BUG, "capture by triggers is not there yet"); }

Err *trigger_capture_begin(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                           const char **ret_position)
{
    (void)conn, (void)wait, (void)arena, (void)spec, (void)ret_position;
    return not_yet();
}
Err *trigger_capture_end(Conn *conn, const Wait *wait, const ShadowSpec *spec)
{
    (void)conn, (void)wait, (void)spec;
    return not_yet();
}
Err *trigger_capture_open(const Target *target, const Wait *wait, const ShadowSpec *spec,
                          const char *position, TriggerCapture **ret_capture)
{
    (void)target, (void)wait, (void)spec, (void)position, (void)ret_capture;
    return not_yet();
}
void trigger_capture_close(TriggerCapture *capture) { (void)capture; }
Err *trigger_capture_next(TriggerCapture *capture, const Wait *wait, Arena *arena, size_t most,
                          Captured *ret_captured)
{
    (void)capture, (void)wait, (void)arena, (void)most, (void)ret_captured;
    return not_yet();
}
Err *trigger_capture_applied(TriggerCapture *capture, const Wait *wait, const char *position)
{
    (void)capture, (void)wait, (void)position;
    return not_yet();
}
Err *trigger_capture_mark(Conn *conn, const Wait *wait, Arena *arena, const char **ret_mark)
{
    (void)conn, (void)wait, (void)arena, (void)ret_mark;
    return not_yet();
}
bool trigger_capture_reached(const TriggerCapture *capture, const char *mark)
{
    (void)capture, (void)mark;
    return false;
}
