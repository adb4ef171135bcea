/* Requests that were answered, counted by route and code. */
#include "serve/metrics.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { SECONDS_BOUNDS = 10, ROUTES_MOST = 64, CODES_MOST = 16 };
static const double seconds_bounds[SECONDS_BOUNDS] = {0.0005, 0.001, 0.0025, 0.005, 0.01,
                                                      0.025,  0.1,   0.25,   1,     5};

typedef struct CodeCount {
    int code;
    int64_t count;
} CodeCount;

typedef struct RouteCount {
    const HttpRoute *route; /* NULL: none fitted */
    CodeCount codes[CODES_MOST];
    size_t code_count;
    int64_t spans[SECONDS_BOUNDS + 1];
    double sum;
} RouteCount;

struct HttpCounts {
    pthread_mutex_t lock;
    RouteCount routes[ROUTES_MOST];
    size_t route_count;
};

HttpCounts *http_counts_new(void)
{
    HttpCounts *counts = mem_zero(sizeof *counts);
    (void)pthread_mutex_init(&counts->lock, NULL);
    return counts;
}

void http_counts_free(HttpCounts *counts)
{
    if (counts == NULL)
        return;
    (void)pthread_mutex_destroy(&counts->lock);
    free(counts);
}

static RouteCount *count_of(HttpCounts *counts, const HttpRoute *route)
{
    for (size_t i = 0; i < counts->route_count; i++)
        if (counts->routes[i].route == route)
            return &counts->routes[i];
    if (counts->route_count == ROUTES_MOST)
        return NULL;
    RouteCount *fresh = &counts->routes[counts->route_count++];
    fresh->route = route;
    return fresh;
}

static void count_code(RouteCount *route, int code)
{
    size_t at = 0;
    while (at < route->code_count && route->codes[at].code != code)
        at++;
    if (at == CODES_MOST)
        return;
    route->code_count += at == route->code_count;
    route->codes[at].code = code;
    route->codes[at].count++;
}

void http_counts_answered(void *context, const HttpRoute *route, int code, double seconds)
{
    HttpCounts *counts = context;
    size_t span = 0;
    while (span < SECONDS_BOUNDS && seconds > seconds_bounds[span])
        span++;
    pthread_mutex_lock(&counts->lock);
    RouteCount *count = count_of(counts, route);
    if (count != NULL) {
        count_code(count, code);
        count->spans[span]++;
        count->sum += seconds;
    }
    pthread_mutex_unlock(&counts->lock);
}

/* ---- as metrics ------------------------------------------------------------------------------ */

static const char *path_of(const RouteCount *count)
{
    return count->route == NULL ? "none" : count->route->path;
}

/* OpenFeature's protocol asks for one flag by its name, or for all. */
static const char *ofrep_of(const RouteCount *count)
{
    const char *path = path_of(count);
    if (strncmp(path, "/ofrep/", 7) != 0)
        return NULL;
    return path[strlen(path) - 1] == '*' ? "single" : "bulk";
}

static void put_requests(Scrape *scrape, bool ofrep)
{
    HttpCounts *counts = scrape->source->http;
    if (counts == NULL)
        return;
    pthread_mutex_lock(&counts->lock);
    for (size_t i = 0; i < counts->route_count; i++) {
        const RouteCount *count = &counts->routes[i];
        const char *method = count->route == NULL ? NULL : count->route->method, *word = ofrep_of(count);
        for (size_t j = 0; j < count->code_count && (!ofrep || word != NULL); j++) {
            char code[16];
            (void)snprintf(code, sizeof code, "%d", count->codes[j].code);
            const Label labels[] = {
                {"route", ofrep ? word : path_of(count)}, {"method", method}, {"code", code}};
            exposition_sample(&scrape->out, labels, ARRAY_LEN(labels), (double)count->codes[j].count);
        }
    }
    pthread_mutex_unlock(&counts->lock);
}

static void put_durations(Scrape *scrape, bool ofrep)
{
    HttpCounts *counts = scrape->source->http;
    if (counts == NULL)
        return;
    pthread_mutex_lock(&counts->lock);
    for (size_t i = 0; i < counts->route_count; i++) {
        const RouteCount *count = &counts->routes[i];
        const char *word = ofrep ? ofrep_of(count) : path_of(count);
        const Label labels[] = {{"route", word},
                                {"method", count->route == NULL ? NULL : count->route->method}};
        if (word != NULL)
            exposition_spread(&scrape->out, labels, ARRAY_LEN(labels),
                              &(Spread){.bounds = seconds_bounds,
                                        .counts = count->spans,
                                        .bound_count = SECONDS_BOUNDS,
                                        .sum = count->sum});
    }
    pthread_mutex_unlock(&counts->lock);
}

void metrics_http_requests(Scrape *scrape) { put_requests(scrape, false); }
void metrics_http_duration(Scrape *scrape) { put_durations(scrape, false); }
void metrics_ofrep_requests(Scrape *scrape) { put_requests(scrape, true); }
void metrics_ofrep_duration(Scrape *scrape) { put_durations(scrape, true); }
