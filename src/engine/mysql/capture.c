/* Capture, whichever way the specification says. */
#include "engine/mysql/capture_parts.h"
#include "engine/mysql/shadow_owed.h"
#include "engine/mysql/xa.h"

#include <stdlib.h>

struct Capture {
    LogCapture *log; /* one of the two */
    TriggerCapture *trigger;
};

/* What was prepared before shows in neither log, and a chunk may be read before it is committed. A way back
 * begins at a table that only we have written to, and copies no rows. */
Err *my_capture_begin(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                      const char **ret_position)
{
    TRY(spec->capture == CAPTURE_LOG ? log_capture_begin(conn, wait, arena, ret_position)
                                     : trigger_capture_begin(conn, wait, arena, spec, ret_position));
    return spec->back ? NULL : xa_outlast(conn, wait);
}

Err *my_capture_end(Conn *conn, const Wait *wait, const ShadowSpec *spec)
{
    if (spec->capture == CAPTURE_TRIGGER)
        TRY(trigger_capture_end(conn, wait, spec));
    return owed_drop(conn, wait, spec);
}

Err *my_capture_open(const Target *target, const Wait *wait, const ShadowSpec *spec, const char *position,
                     Capture **ret_capture)
{
    Capture *capture = mem_zero(sizeof *capture);
    Err *err = spec->capture == CAPTURE_LOG
                   ? log_capture_open(target, wait, spec, position, &capture->log)
                   : trigger_capture_open(target, wait, spec, position, &capture->trigger);
    if (err == NULL)
        *ret_capture = capture;
    else
        free(capture);
    return err;
}

void my_capture_close(Capture *capture)
{
    if (capture == NULL)
        return;
    log_capture_close(capture->log);
    trigger_capture_close(capture->trigger);
    free(capture);
}

Err *my_capture_next(Capture *capture, const Wait *wait, Arena *arena, size_t most, Captured *ret_captured)
{
    return capture->log != NULL ? log_capture_next(capture->log, wait, arena, most, ret_captured)
                                : trigger_capture_next(capture->trigger, wait, arena, most, ret_captured);
}

Err *my_capture_applied(Capture *capture, const Wait *wait, const char *position)
{
    return capture->log != NULL ? NULL : trigger_capture_applied(capture->trigger, wait, position);
}

Err *my_capture_mark(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                     const char **ret_mark)
{
    return spec->capture == CAPTURE_LOG ? log_capture_mark(conn, wait, arena, ret_mark)
                                        : trigger_capture_mark(conn, wait, arena, spec, ret_mark);
}

bool my_capture_reached(const Capture *capture, const char *mark)
{
    return capture->log != NULL ? log_capture_reached(capture->log, mark)
                                : trigger_capture_reached(capture->trigger, mark);
}
