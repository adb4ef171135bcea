/* What the engines' signals share. */
#include "engine/load_signal.h"

#include "base/clock.h"

#include <stdlib.h>

enum {
    LATENCY_LEAST_CALLS = 30, /* fewer say nothing */
    LATENCY_ROUND_MS = 2000,  /* where it has a limit */
    LATENCY_SHOWN_MS = 5000,  /* else it is for those who look */
};

bool load_latency_is_due(const LoadSample *sample, size_t signal, int64_t *looked_ms)
{
    bool wanted = (sample->wanted & 1U << signal) != 0;
    int64_t now_ms = clock_ms();
    if (*looked_ms > 0 && now_ms - *looked_ms < (wanted ? LATENCY_ROUND_MS : LATENCY_SHOWN_MS))
        return false;
    *looked_ms = now_ms;
    return true;
}

double load_latency_ratio(LoadStatement *statements, size_t *count, const LoadStatement *now,
                          size_t now_count)
{
    double calls = 0, weighted = 0;
    for (size_t i = 0; i < now_count; i++) {
        LoadStatement *known = NULL;
        for (size_t j = 0; j < *count && known == NULL; j++)
            known = statements[j].id == now[i].id ? &statements[j] : NULL;
        if (known == NULL &&
            *count < LOAD_STATEMENTS_MAX) { /* new: what it took until now is what it takes */
            statements[*count] = now[i];
            statements[*count].usual_ms = now[i].calls > 0 ? now[i].total_ms / now[i].calls : 0;
            (*count)++;
            continue;
        }
        if (known == NULL)
            continue;
        double more = now[i].calls - known->calls; /* less than none: the statistics were reset */
        known->recent = more > 0 && known->usual_ms > 0 ? more : 0;
        if (known->recent > 0) {
            known->ratio = (now[i].total_ms - known->total_ms) / more / known->usual_ms;
            calls += more;
            weighted += more * known->ratio;
        }
        known->calls = now[i].calls;
        known->total_ms = now[i].total_ms;
    }
    return calls < LATENCY_LEAST_CALLS ? 0 : weighted / calls;
}

static int by_size(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

double load_canary_ms(double *ms, size_t count)
{
    if (count == 0)
        return 0;
    double sum = 0;
    qsort(ms, count, sizeof *ms, by_size);
    size_t kept = count - count / 10;
    for (size_t i = 0; i < kept; i++)
        sum += ms[i];
    return sum / (double)kept;
}
