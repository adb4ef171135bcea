/* Quiet hours. */
#include "run/quiet.h"

#include "base/str.h"
#include "run/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    HOUR_S = 3600,
    DAY_S = 24 * HOUR_S,
    BACK_S = 28 * DAY_S, /* older samples tell of another time */
    GAP_S = 2 * HOUR_S,
    SHARE = 25, /* per cent of the busiest hour: as quiet as that */
    FILE_BYTES_MOST = 16 << 20,
};

/* ---- samples -------------------------------------------------------------------------------- */

typedef struct Sample {
    int64_t at_s, sum;
} Sample;

typedef struct Sums {
    double count[QUIET_HOURS], seconds[QUIET_HOURS];
    int64_t last_day[QUIET_HOURS];
} Sums;

static const char *line_end(const char *line) { return line + strcspn(line, "\n"); }

static Err *read_sample(const char *line, size_t number, Sample *ret_sample)
{
    char *rest = NULL;
    errno = 0;
    ret_sample->at_s = strtoll(line, &rest, 10);
    bool good = errno == 0 && rest != line && *rest == ' ';
    const char *sum = good ? rest + 1 : line;
    ret_sample->sum = strtoll(sum, &rest, 10);
    if (good && errno == 0 && rest != sum && (*rest == '\n' || *rest == '\0') && ret_sample->at_s > 0 &&
        ret_sample->sum >= 0)
        return NULL;
    return err_new(ERR_CONFIG, "line %zu is no sample: seconds since 1970, a space, a sum", number);
}

/* What was done between two samples, spread evenly over the hours that they lie in. */
static void spread(const Sample *a, const Sample *b, QuietDay *day, Sums *sums)
{
    double rate = (double)(b->sum - a->sum) / (double)(b->at_s - a->at_s);
    for (int64_t from = a->at_s, to = 0; from < b->at_s; from = to) {
        int hour = (int)(from % DAY_S / HOUR_S);
        to = from - from % HOUR_S + HOUR_S;
        to = to < b->at_s ? to : b->at_s;
        sums->seconds[hour] += (double)(to - from);
        sums->count[hour] += rate * (double)(to - from);
        if (from / DAY_S + 1 != sums->last_day[hour])
            day->days[hour]++;
        sums->last_day[hour] = from / DAY_S + 1;
    }
}

static int64_t last_at(const char *text)
{
    int64_t last = 0;
    for (const char *line = text; *line != '\0'; line = line_end(line) + (*line_end(line) == '\n'))
        if (*line != '#')
            last = strtoll(line, NULL, 10);
    return last;
}

Err *quiet_read(const char *text, QuietDay *ret_day)
{
    QuietDay day = {0};
    Sums sums = {0};
    Sample before = {0}, sample = {0};
    int64_t first_s = 0, oldest_s = last_at(text) - BACK_S;
    size_t number = 1;
    for (const char *line = text; *line != '\0';
         line = line_end(line) + (*line_end(line) == '\n'), number++) {
        if (*line == '#' || *line == '\n')
            continue;
        TRY(read_sample(line, number, &sample));
        bool follows = before.at_s >= oldest_s && before.at_s > 0 && sample.at_s > before.at_s &&
                       sample.at_s - before.at_s <= GAP_S && sample.sum >= before.sum;
        if (follows) {
            spread(&before, &sample, &day, &sums);
            first_s = first_s == 0 ? before.at_s : first_s;
            day.span_s = sample.at_s - first_s;
        }
        before = sample;
    }
    for (int hour = 0; hour < QUIET_HOURS; hour++)
        day.rate[hour] = sums.seconds[hour] > 0 ? sums.count[hour] / sums.seconds[hour] : 0;
    *ret_day = day;
    return NULL;
}

/* ---- what follows --------------------------------------------------------------------------- */

/* How many hours from `from` on are all at most `most`, and what is the most of them. */
static int run_length(const QuietDay *day, int from, double most, double *ret_highest)
{
    int length = 0;
    *ret_highest = 0;
    while (length < QUIET_HOURS && day->rate[(from + length) % QUIET_HOURS] <= most) {
        double rate = day->rate[(from + length++) % QUIET_HOURS];
        *ret_highest = rate > *ret_highest ? rate : *ret_highest;
    }
    return length;
}

QuietHours quiet_find(const QuietDay *day)
{
    QuietHours quiet = {.known = day->span_s >= (int64_t)QUIET_SPAN_DAYS * DAY_S};
    double busiest = 0, highest = 0;
    int longest = 0;
    for (int hour = 0; hour < QUIET_HOURS; hour++) {
        quiet.known = quiet.known && day->days[hour] >= QUIET_DAYS_LEAST;
        busiest = day->rate[hour] > busiest ? day->rate[hour] : busiest;
        quiet.at = day->rate[hour] < day->rate[quiet.at] ? hour : quiet.at;
    }
    if (!quiet.known || busiest <= 0)
        return quiet;
    quiet.least = (int)(day->rate[quiet.at] * 100 / busiest);
    for (int hour = 0; hour < QUIET_HOURS; hour++) {
        int length = run_length(day, hour, busiest * SHARE / 100, &highest);
        if (length <= longest)
            continue;
        longest = length;
        quiet.found = true;
        quiet.from = hour;
        quiet.to = (hour + length) % QUIET_HOURS;
        quiet.share = (int)(highest * 100 / busiest);
    }
    return quiet;
}

const char *quiet_text(Arena *arena, const QuietDay *day, const char **ret_window)
{
    QuietHours quiet = quiet_find(day);
    *ret_window = NULL;
    if (!quiet.known)
        return arena_printf(
            arena,
            "%.1f days are known, and a suggestion takes %d with each hour on %d of them: ask "
            "again every hour",
            (double)day->span_s / DAY_S, QUIET_SPAN_DAYS, QUIET_DAYS_LEAST);
    if (!quiet.found)
        return arena_printf(arena,
                            "none: at %02d:00 UTC, when it is quietest, %d %% of the busiest hour is done",
                            quiet.at, quiet.least);
    *ret_window = arena_printf(arena, "%02d:00-%02d:00 UTC", quiet.from, quiet.to);
    return arena_printf(arena, "%s, by %.1f days: at most %d %% of the busiest hour is done then",
                        *ret_window, (double)day->span_s / DAY_S, quiet.share);
}

/* ---- the file ------------------------------------------------------------------------------- */

static Err *cannot(const char *what, const char *path)
{
    return err_new(ERR_CONFIG, "cannot %s \"%s\": %s", what, path, strerror(errno));
}

/* One write, so that two who do it at once leave whole lines. */
static Err *append(const char *path, int64_t at_s, int64_t sum)
{
    char line[64];
    int len = snprintf(line, sizeof line, "%" PRId64 " %" PRId64 "\n", at_s, sum);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0)
        return cannot("open", path);
    bool written = write(fd, line, (size_t)len) == len;
    Err *err = written ? NULL : cannot("write", path);
    (void)close(fd);
    return err;
}

static Err *read_all(const char *path, Str *text)
{
    char part[65536];
    size_t len = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return cannot("read", path);
    while (text->len < FILE_BYTES_MOST && (len = fread(part, 1, sizeof part, file)) > 0)
        str_addn(text, part, len);
    bool whole = feof(file) != 0;
    (void)fclose(file);
    return whole ? NULL : err_new(ERR_CONFIG, "\"%s\" is not read to its end", path);
}

static Err *sample_and_read(Runner *runner, const char *path, QuietDay *ret_day)
{
    Wait wait = journal_wait();
    CLEANUP(str_donep) Str text = STR_INIT;
    int64_t at_s = 0, sum = 0;
    TRY(runner->ops->work_sum(runner->conn, &wait, runner->arena, &at_s, &sum));
    TRY(append(path, at_s, sum));
    TRY(read_all(path, &text));
    Err *err = quiet_read(text.buf, ret_day);
    return err == NULL ? NULL : err_wrap(err, "%s", path);
}

Err *run_quiet(const RunOptions *options, Arena *arena, const char *path, json_t *doctor)
{
    Runner runner;
    QuietDay day = {0};
    const char *window = NULL;
    Err *err = runner_open(&runner, options, arena);
    if (err == NULL)
        err = sample_and_read(&runner, path, &day);
    runner_close(&runner);
    TRY(err);
    const char *text = quiet_text(arena, &day, &window);
    json_t *rates = json_array();
    for (int hour = 0; hour < QUIET_HOURS; hour++)
        (void)json_array_append_new(rates, json_real(day.rate[hour]));
    json_t *check = json_pack("{s:s, s:b, s:s, s:s, s:s?, s:s?, s:o}", "name", "quiet hours", "ok", 0,
                              "severity", "note", "message", text, "fix",
                              window == NULL ? NULL : arena_printf(arena, "--window '%s'", window), "window",
                              window, "rates_per_s", rates);
    (void)json_array_append_new(json_object_get(doctor, "checks"), check);
    return NULL;
}
