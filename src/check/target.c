/* Servers that statements are for. */
#include "base/str.h"
#include "check/stream.h"

#include <stdlib.h>

const char *check_target_name(CheckEngine engine)
{
    static const char *const names[] = {"PostgreSQL", "MySQL", "MariaDB"};
    return names[engine];
}

int check_target_oldest(CheckEngine engine)
{
    static const int versions[] = {149999, 80099, 100699};
    return versions[engine];
}

const char *check_target_text(Arena *arena, const CheckTarget *target)
{
    int version = target->version, low = version % 100;
    if (target->engine == CHECK_POSTGRES)
        return version % 10000 == 9999
                   ? arena_printf(arena, "PostgreSQL %d", version / 10000)
                   : arena_printf(arena, "PostgreSQL %d.%d", version / 10000, version % 10000);
    const char *name = check_target_name(target->engine);
    int major = version / 10000, minor = version / 100 % 100;
    return low == 99 ? arena_printf(arena, "%s %d.%d", name, major, minor)
                     : arena_printf(arena, "%s %d.%d.%d", name, major, minor, low);
}

/* "8.0.36-log": up to three numbers; false for what is none. */
static bool read_numbers(const char *text, long *parts)
{
    const char *at = text;
    for (int i = 0; i < 3; i++) {
        char *end = NULL;
        if (*at < '0' || *at > '9')
            return false;
        parts[i] = strtol(at, &end, 10);
        at = end;
        if (parts[i] > 99 || *at != '.')
            break;
        at++;
    }
    return *at == '\0' || *at == '-';
}

Err *check_target_version(CheckEngine engine, const char *text, int *ret_version)
{
    long parts[3] = {-1, -1, -1};
    bool pg = engine == CHECK_POSTGRES;
    if (!read_numbers(text, parts) || parts[0] < (pg ? 10 : 5) || parts[0] > 99 || parts[1] > 99 ||
        parts[2] > 99 || (pg && parts[2] >= 0))
        return err_hint(
            err_new(ERR_USAGE, "\"%s\" is no version of %s that is known", text, check_target_name(engine)),
            "write %s",
            pg                      ? "14, 15.3 or 18"
            : engine == CHECK_MYSQL ? "8.0.36 or 8.4"
                                    : "10.11 or 11.4");
    if (pg)
        *ret_version = (int)(parts[0] * 10000 + (parts[1] < 0 ? 9999 : parts[1]));
    else
        *ret_version =
            (int)(parts[0] * 10000 + (parts[1] < 0 ? 99 : parts[1]) * 100 + (parts[2] < 0 ? 99 : parts[2]));
    return NULL;
}
