/* Disks and processes of this machine. */
#include "engine/local_disk.h"

#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

int64_t local_free(Arena *arena, const char *path, const char **ret_why)
{
    struct statvfs disk;
    if (statvfs(path, &disk) != 0) {
        *ret_why = arena_printf(arena, "%s: %s", path, strerror(errno));
        return -1;
    }
    return (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
}

bool local_read(const char *path, char *ret_text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    ssize_t len = fd < 0 ? -1 : read(fd, ret_text, size - 1);
    if (fd >= 0)
        (void)close(fd);
    ret_text[len > 0 ? len : 0] = '\0';
    return len > 0;
}

static int64_t boot_s(void)
{
    enum { STAT_BYTES = 1 << 16 }; /* lines of processors and interrupts stand before it */
    char *text = mem_zero(STAT_BYTES);
    const char *line = local_read("/proc/stat", text, STAT_BYTES) ? strstr(text, "\nbtime ") : NULL;
    int64_t at = line == NULL ? -1 : strtoll(line + strlen("\nbtime "), NULL, 10);
    free(text);
    return at;
}

bool local_process(int64_t pid, int64_t *ret_started_s, char ret_name[16])
{
    enum { STARTED_FIELD = 22, STAT_BYTES = 2048 };
    char path[64], text[STAT_BYTES];
    (void)snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
    int64_t boot = boot_s();
    if (pid <= 0 || boot < 0 || !local_read(path, text, sizeof text))
        return false;
    char *open_paren = strchr(text, '('), *close_paren = strrchr(text, ')');
    if (open_paren == NULL || close_paren == NULL || close_paren < open_paren)
        return false;
    *close_paren = '\0';
    (void)snprintf(ret_name, 16, "%.15s", open_paren + 1);
    const char *at = close_paren + 1; /* before field 3 */
    for (int field = 3; field <= STARTED_FIELD && at != NULL; field++)
        at = strchr(at + 1, ' ') == NULL && field < STARTED_FIELD ? NULL
             : field < STARTED_FIELD                              ? strchr(at + 1, ' ')
                                                                  : at;
    if (at == NULL)
        return false;
    *ret_started_s = boot + strtoll(at + 1, NULL, 10) / sysconf(_SC_CLK_TCK);
    return true;
}
