/* Named places where a test makes the process die or fail. */
#include "base/failpoint.h"

#include "base/str.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { POINT_MAX = 64 };

typedef struct Point {
    char name[48];
    long count;
} Point;

static pthread_mutex_t points_lock = PTHREAD_MUTEX_INITIALIZER;
static Point points[POINT_MAX];
static size_t point_count;
static int points_wanted = -1; /* -1 not asked yet */
static int points_step;

static long pass(const char *name)
{
    for (size_t i = 0; i < point_count; i++)
        if (strcmp(points[i].name, name) == 0)
            return ++points[i].count;
    if (point_count == POINT_MAX)
        return 0;
    (void)snprintf(points[point_count].name, sizeof points[0].name, "%s", name);
    points[point_count].count = 1;
    return points[point_count++].count;
}

/* What the setting asks for at this passage: "kill", "error", "pause", "sleep" or NULL. */
static const char *wish(const char *name, long count)
{
    const char *at = getenv("STOA_FAILPOINT");
    size_t len = strlen(name);
    while (at != NULL && *at != '\0') {
        if (strncmp(at, name, len) == 0 && at[len] == '=') {
            const char *colon = strchr(at + len, ':');
            if (colon == NULL || strtol(colon + 1, NULL, 10) == count) {
                const char *action = at + len + 1;
                static const char *const actions[] = {"kill", "error", "pause", "sleep"};
                for (size_t i = 0; i < ARRAY_LEN(actions); i++)
                    if (str_starts(action, actions[i]))
                        return actions[i];
            }
        }
        at = strchr(at, ',');
        at = at == NULL ? NULL : at + 1;
    }
    return NULL;
}

/* Whether nobody died at this point of this step yet; then it is written down. */
static bool is_next_of_chain(const char *name)
{
    const char *path = getenv("STOA_FAILPOINT_CHAIN");
    FILE *file = path == NULL ? NULL : fopen(path, "a+");
    if (file == NULL)
        return false;
    char wanted[80], line[80];
    (void)snprintf(wanted, sizeof wanted, "%s@%d\n", name, points_step);
    bool seen = false;
    rewind(file);
    while (!seen && fgets(line, sizeof line, file) != NULL)
        seen = str_eq(line, wanted);
    if (!seen)
        (void)fputs(wanted, file);
    (void)fclose(file);
    return !seen;
}

void failpoint_scope(int step)
{
    pthread_mutex_lock(&points_lock);
    points_step = step;
    pthread_mutex_unlock(&points_lock);
}

Err *failpoint_at(const char *name)
{
    if (points_wanted == 0)
        return NULL;
    pthread_mutex_lock(&points_lock);
    if (points_wanted < 0)
        points_wanted = getenv("STOA_FAILPOINT") != NULL || getenv("STOA_FAILPOINT_LOG") != NULL ||
                        getenv("STOA_FAILPOINT_CHAIN") != NULL;
    const char *action = points_wanted ? wish(name, pass(name)) : NULL;
    if (points_wanted && action == NULL && is_next_of_chain(name))
        action = "kill";
    pthread_mutex_unlock(&points_lock);
    if (action == NULL)
        return NULL;
    if (strcmp(action, "kill") == 0)
        (void)raise(SIGKILL);
    bool sleeps = strcmp(action, "sleep") == 0;
    if (!sleeps && strcmp(action, "pause") != 0)
        return err_new(ERR_IO, "failpoint \"%s\"", name);
    if (sleeps)
        (void)poll(NULL, 0, FAILPOINT_SLEEP_MS);
    else
        (void)raise(SIGSTOP);
    return NULL;
}

void failpoint_report(void)
{
    const char *path = getenv("STOA_FAILPOINT_LOG");
    FILE *file = path == NULL ? NULL : fopen(path, "w");
    if (file == NULL)
        return;
    for (size_t i = 0; i < point_count; i++)
        (void)fprintf(file, "%s=%ld\n", points[i].name, points[i].count);
    (void)fclose(file);
}
