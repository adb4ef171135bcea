/* window.h — a daily time window in a named time zone: "22:00-06:00 Europe/Berlin", "Sat,Sun 00:00-24:00
 * UTC". */
#pragma once
#include "base/err.h"

typedef struct Window {
    unsigned weekdays;          /* bit 0 Sunday; of the day on which the window begins */
    int from_minute, to_minute; /* since midnight; to <= from: over midnight */
    char time_zone[64];
} Window;

/* Errors: ERR_USAGE with an example. The time zone's name is checked by the server. */
Err *window_parse(const char *text, Window *ret_window) MUST_USE;
/* Whether local `minute` (since midnight) of `weekday` (0 Sunday) lies inside. */
bool window_contains(const Window *window, int minute, int weekday);
/* Minutes from then on until it closes, the one at hand included; 0 outside, WINDOW_WEEK where it never
 * closes. */
enum { WINDOW_WEEK = 7 * 1440 };
int window_left(const Window *window, int minute, int weekday);
/* How far the clocks are set forward on the way from local `minute` to local `later`, `ahead` minutes of real
 * time behind it; negative: back. */
int window_shift(int minute, int later, int64_t ahead);
/* The most that it is ever open without a break. */
int window_longest(const Window *window);
