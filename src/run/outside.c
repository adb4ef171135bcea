/* Statement, URL, file, disk. */
#include "run/outside.h"

#include "base/clock.h"
#include "base/str.h"
#include "base/unit.h"
#include "run/url_probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { ROUND_MS = 1000, URL_STALE_MS = 4000 };

static bool is_set(const Controls *controls, OutsideCheck check)
{
    return controls->checks[check] != NULL && controls->checks[check][0] != '\0';
}

static void look_at_file(const Controls *controls, Signals *signals)
{
    const char *path = controls->checks[OUTSIDE_FILE];
    struct stat there;
    bool found = stat(path, &there) == 0;
    Signal *signal = signal_tell(signals, "stop-file", path);
    if (!found && errno != ENOENT)
        signal_missing(signal, clock_ms(), "file %s: %s", path, strerror(errno));
    else
        signal_value(signal, found, 0, clock_ms(), "file %s is there", path);
}

static void look_at_url(OutsideWatch *watch, const Controls *controls, Signals *signals)
{
    const char *url = controls->checks[OUTSIDE_URL], *why = "";
    if (watch->probe == NULL || !str_eq(url_probe_url(watch->probe), url)) {
        url_probe_free(watch->probe);
        watch->probe = url_probe_new(url);
    }
    url_probe_step(watch->probe, clock_ms());
    int64_t age_ms = 0;
    int status = url_probe_status(watch->probe, clock_ms(), &age_ms, &why);
    Signal *signal = signal_tell(signals, "check-url", url);
    if (status > 0 && age_ms < URL_STALE_MS)
        signal_value(signal, status >= 300 || status < 200, 0, clock_ms(), "%s answers %d", url, status);
    else
        signal_missing(signal, clock_ms(), "%s: %s", url, status == 0 ? why : "no answer yet");
}

/* "t", "f", a number; anything else is no answer. */
static bool value_of(const Rows *rows, double *ret_value)
{
    const char *text = rows->row_count == 1 && rows->col_count == 1 ? rows_cell(rows, 0, 0) : NULL;
    char *end = NULL;
    if (text == NULL)
        return false;
    if (str_eq(text, "t") || str_eq(text, "f")) {
        *ret_value = text[0] == 't';
        return true;
    }
    *ret_value = strtod(text, &end);
    return end != text && *end == '\0';
}

static Err *ask_statement(Conn *conn, const Wait *wait, Arena *arena, const char *sql, Signals *signals)
{
    Rows rows = {0};
    double value = 0;
    Signal *signal = signal_tell(signals, "check-sql", "");
    Err *err = conn_query(conn, wait, arena, &rows, sql);
    if (err != NULL && !err_is(err, ERR_SQL) && !err_is(err, ERR_CANCELLED) && !err_is(err, ERR_PRIVILEGE))
        return err;
    if (err != NULL)
        signal_missing(signal, clock_ms(), "--check-sql: %s", err_root(err)->msg);
    else if (!value_of(&rows, &value))
        signal_missing(signal, clock_ms(), "--check-sql gives no single number or boolean");
    else
        signal_value(signal, value, 0, clock_ms(), "--check-sql gives %.12g", value);
    err_free(err);
    return NULL;
}

/* Not less than the least; the text names what tells it. */
static Err *ask_disk(Conn *conn, const Wait *wait, Arena *arena, const char *least_text, Signals *signals)
{
    int64_t least = 0, bytes = -1;
    const char *source = "this kind of server does not tell";
    char free_text[UNIT_TEXT_BYTES];
    Signal *signal = signal_tell(signals, "free-disk", "");
    Err *err = unit_parse_size(least_text, &least);
    if (err == NULL && conn->ops->disk_free != NULL)
        err = conn->ops->disk_free(conn, wait, arena, &bytes, &source);
    if (err != NULL && !err_is(err, ERR_SQL) && !err_is(err, ERR_CANCELLED) && !err_is(err, ERR_PRIVILEGE) &&
        !err_is(err, ERR_USAGE))
        return err;
    if (err != NULL)
        source = arena_dup(arena, err_root(err)->msg);
    if (signal != NULL)
        signal->minimum = true;
    if (bytes < 0)
        signal_missing(signal, clock_ms(), "--min-free-disk: %s", source);
    else
        signal_value(signal, (double)bytes, (double)least, clock_ms(), "%s are free (%s; --min-free-disk %s)",
                     unit_size_text(bytes, free_text), source, least_text);
    err_free(err);
    return NULL;
}

Err *outside_watch(Conn *conn, const Wait *wait, Arena *arena, const Controls *controls, OutsideWatch *watch,
                   Signals *signals)
{
    if (is_set(controls, OUTSIDE_FILE))
        look_at_file(controls, signals);
    if (is_set(controls, OUTSIDE_URL))
        look_at_url(watch, controls, signals);
    bool sql = is_set(controls, OUTSIDE_SQL), disk = is_set(controls, OUTSIDE_DISK);
    bool same = watch->asked == (sql + 2 * disk); /* else one would be kept that was never asked */
    if (watch->at_ms != 0 && same && clock_ms() - watch->at_ms < ROUND_MS) {
        if (sql)
            signal_keep(signals, "check-sql");
        if (disk)
            signal_keep(signals, "free-disk");
        return NULL;
    }
    watch->at_ms = clock_ms();
    watch->asked = sql + 2 * disk;
    if (disk)
        TRY(ask_disk(conn, wait, arena, controls->checks[OUTSIDE_DISK], signals));
    return sql ? ask_statement(conn, wait, arena, controls->checks[OUTSIDE_SQL], signals) : NULL;
}

void outside_done(OutsideWatch *watch)
{
    url_probe_free(watch->probe);
    watch->probe = NULL;
}
