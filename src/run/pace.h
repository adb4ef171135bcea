/* pace.h — how long the work rests for each second that it works, so that the application's latency stays
 * under its limit. A signal alone would stop and go, and whoever comes while it goes would feel all of it.
 * Pure. */
#pragma once

/* Where latency has a limit the work begins so slowly, until it is known what the application feels. */
#define PACE_FIRST 4.0

/* From one window to the next: past the limit the rest is doubled, and where less than half of what is
 * allowed is used it gets shorter. `ratio` is 0 where there were too few statements to tell: then few feel
 * anything. */
double pace_next(double pace, double ratio, double limit);
