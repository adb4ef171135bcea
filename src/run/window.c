/* A daily time window, over midnight too. */
#include "run/window.h"

#include "base/str.h"

#include <string.h>

static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
enum { DAY_MINUTES = 1440, EVERY_DAY = 0x7f };

static Err *bad(const char *text)
{
    return err_hint(err_new(ERR_USAGE, "\"%s\" is not a time window", text),
                    "write --window '22:00-06:00 Europe/Berlin' or 'Sat,Sun 00:00-24:00 UTC'");
}

static Err *parse_days(const char *text, const char *list, size_t len, unsigned *ret_days)
{
    unsigned mask = 0;
    for (size_t at = 0; at < len; at += 4) {
        bool known = false;
        for (unsigned day = 0; day < 7; day++)
            if (len - at >= 3 && strncmp(list + at, days[day], 3) == 0) {
                mask |= 1u << day;
                known = true;
            }
        if (!known || (len - at > 3 && list[at + 3] != ','))
            return bad(text);
    }
    *ret_days = mask;
    return NULL;
}

Err *window_parse(const char *text, Window *ret_window)
{
    Window window = {.weekdays = EVERY_DAY};
    const char *at = text;
    if (strchr("SMTWF", text[0]) != NULL && text[0] != '\0') {
        size_t len = strcspn(text, " ");
        TRY(parse_days(text, text, len, &window.weekdays));
        at = text + len + (text[len] == ' ');
    }
    int from_hour = 0, from_minute = 0, to_hour = 0, to_minute = 0, used = 0;
    /* NOLINTNEXTLINE(cert-err34-c): ranges are checked below */
    if (sscanf(at, "%2d:%2d-%2d:%2d %n", &from_hour, &from_minute, &to_hour, &to_minute, &used) != 4 ||
        used == 0)
        return bad(text);
    window.from_minute = from_hour * 60 + from_minute;
    window.to_minute = to_hour * 60 + to_minute;
    if (from_hour < 0 || to_hour < 0 || from_minute < 0 || from_minute > 59 || to_minute < 0 ||
        to_minute > 59 || window.from_minute >= DAY_MINUTES || window.to_minute > DAY_MINUTES)
        return bad(text);
    const char *zone = at + used;
    if (strlen(zone) >= sizeof window.time_zone)
        return bad(text);
    (void)snprintf(window.time_zone, sizeof window.time_zone, "%s", zone[0] != '\0' ? zone : "UTC");
    *ret_window = window;
    return NULL;
}

bool window_contains(const Window *window, int minute, int weekday)
{
    bool today = (window->weekdays >> weekday & 1u) != 0;
    bool yesterday = (window->weekdays >> ((weekday + 6) % 7) & 1u) != 0;
    if (window->from_minute < window->to_minute)
        return today && minute >= window->from_minute && minute < window->to_minute;
    return (today && minute >= window->from_minute) || (yesterday && minute < window->to_minute);
}

int window_left(const Window *window, int minute, int weekday)
{
    int left = 0;
    while (left < WINDOW_WEEK && window_contains(window, (minute + left) % DAY_MINUTES,
                                                 (weekday + (minute + left) / DAY_MINUTES) % 7))
        left++;
    return left;
}

int window_shift(int minute, int later, int64_t ahead)
{
    int64_t shift = (later - minute - ahead) % DAY_MINUTES;
    if (shift > DAY_MINUTES / 2)
        shift -= DAY_MINUTES;
    else if (shift <= -DAY_MINUTES / 2)
        shift += DAY_MINUTES;
    return (int)shift;
}

int window_longest(const Window *window)
{
    int longest = 0;
    for (int day = 0; day < 7; day++) { /* it is open longest from one of its beginnings on */
        int left = window_left(window, window->from_minute, day);
        longest = left > longest ? left : longest;
    }
    return longest;
}
