/* The stop token that every wait looks at. */
#include "base/stop.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

Err *stop_init(Stop *stop)
{
    *stop = (Stop){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (stop->fd < 0)
        return err_new(ERR_IO, "cannot make an eventfd: %s", strerror(errno));
    return NULL;
}

void stop_done(Stop *stop)
{
    if (stop->fd >= 0)
        close(stop->fd);
    stop->fd = -1;
}

void stop_raise(Stop *stop, StopLevel level, int signal_number)
{
    int was = atomic_load(&stop->level);
    while (was < (int)level && !atomic_compare_exchange_weak(&stop->level, &was, (int)level)) {
    }
    if (signal_number != 0)
        atomic_store(&stop->signal_number, signal_number);
    if (level == STOP_NOW) {
        int saved = errno;
        uint64_t one = 1;
        if (write(stop->fd, &one, sizeof one) < 0)
            errno = saved; /* the counter is full: it is readable anyway */
        errno = saved;
    }
}

StopLevel stop_level(const Stop *stop)
{
    return stop == NULL ? STOP_NONE : (StopLevel)atomic_load(&stop->level);
}

Err *stop_check(const Stop *stop)
{
    if (stop_level(stop) == STOP_NONE)
        return NULL;
    return err_new(ERR_STOPPED, "stopped by request");
}

void stop_sleep(const Stop *stop, int64_t ms)
{
    int64_t until = clock_ms() + ms;
    for (int64_t left = ms; left > 0 && stop_level(stop) == STOP_NONE; left = until - clock_ms())
        (void)poll(NULL, 0, (int)(left < 20 ? left : 20));
}
