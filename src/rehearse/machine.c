/* Cores, memory and disk. */
#include "rehearse/machine.h"

#include "base/clock.h"
#include "rehearse/engine.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SYNCS = 15, SYNC_BYTES = 16384, PATH_BYTES = 4096 };
static const double MEMORY_TIMES = 1.25, DISK_TIMES = 10;

/* The shortest: others on the machine make it longer, and they come and go. 0: it cannot be told. */
static double sync_ms(const char *folder)
{
    char path[PATH_BYTES];
    static const char bytes[SYNC_BYTES] = "";
    double best = 0;
    size_t count = 0;
    (void)snprintf(path, sizeof path, "%s/stoa-sync-XXXXXX", folder);
    int fd = mkstemp(path);
    if (fd < 0)
        return 0;
    (void)unlink(path);
    while (count < SYNCS) {
        int64_t begun_us = clock_us();
        if (write(fd, bytes, sizeof bytes) != (ssize_t)sizeof bytes || fdatasync(fd) != 0)
            break;
        double ms = (double)(clock_us() - begun_us) / 1000;
        best = count++ == 0 || ms < best ? ms : best;
    }
    (void)close(fd);
    return count == SYNCS ? best : 0;
}

json_t *machine_json(const char *folder)
{
    double ms = sync_ms(folder);
    json_t *json = json_pack("{s:I, s:I}", "cores", (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "memory_bytes",
                             (json_int_t)rehearse_memory());
    if (ms > 0)
        json_object_set_new(json, "sync_ms", json_real(ms));
    return json;
}

static bool is_within(const json_t *a, const json_t *b, const char *key, double times)
{
    double one = json_number_value(json_object_get(a, key)),
           other = json_number_value(json_object_get(b, key));
    return !(one > 0) || !(other > 0) || fmax(one, other) <= fmin(one, other) * times;
}

bool machine_is_alike(const json_t *a, const json_t *b)
{
    return is_within(a, b, "cores", 1) && is_within(a, b, "memory_bytes", MEMORY_TIMES) &&
           is_within(a, b, "sync_ms", DISK_TIMES);
}
