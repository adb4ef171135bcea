/* Rest for each second of work, by what the application feels. */
#include "run/pace.h"

static const double MOST = 64, LEAST = 0.1, STEP_DOWN = 0.7, STEP_UP = 2;

double pace_next(double pace, double ratio, double limit)
{
    double allowed = limit > 1 ? limit - 1 : 0;
    if (ratio > limit) {
        double more = (pace > LEAST ? pace : 0.5) * STEP_UP;
        return more < MOST ? more : MOST;
    }
    if (ratio - 1 > allowed / 2)
        return pace;
    return pace * STEP_DOWN < LEAST ? 0 : pace * STEP_DOWN;
}
