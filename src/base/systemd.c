/* One datagram each. */
#include "base/systemd.h"

#include "base/str.h"
#include "base/unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void systemd_tell(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un there = {.sun_family = AF_UNIX};
    size_t len = path == NULL ? 0 : strlen(path);
    if (len < 2 || len >= sizeof there.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(there.sun_path, path, len);
    if (path[0] == '@') /* the abstract namespace */
        there.sun_path[0] = '\0';
    int made = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (made < 0)
        return;
    (void)sendto(made, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
                 (const struct sockaddr *)(const void *)&there,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
    (void)close(made);
}

int64_t systemd_watchdog_ms(void)
{
    const char *pid = getenv("WATCHDOG_PID"), *usec = getenv("WATCHDOG_USEC");
    int64_t owner = 0, us = 0;
    if (usec == NULL)
        return 0;
    Err *err = unit_parse_count(usec, 1, INT64_MAX, &us);
    if (err == NULL && pid != NULL)
        err = unit_parse_count(pid, 1, INT64_MAX, &owner);
    bool ours = err == NULL && (pid == NULL || owner == getpid());
    err_free(err);
    return ours ? (us + 999) / 1000 : 0;
}
