/* stoa-load: the load generator as a program, for tests and benchmarks. One JSON line a second, and one for
 * the whole at the end. */
#include "base/clock.h"
#include "engine/mysql/conn.h"
#include "engine/postgres/postgres.h"
#include "load/load.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_DIFFERENT = 6, EXIT_CONNECT = 7 };

typedef struct Options {
    LoadConfig load;
    int64_t seconds;     /* -1: until a signal */
    int64_t create_rows; /* 0: the table is there */
    bool create_twin, compare_twin, only_compare, quiet;
} Options;

/* An application needs no more of an engine than sessions. */
static const char *const my_schemes[] = {"mysql", "mariadb", NULL};
static const EngineOps my_sessions = {.name = "mysql",
                                      .schemes = my_schemes,
                                      .dialect = DIALECT_MYSQL,
                                      .connect = my_connect,
                                      .close = my_close,
                                      .query = my_query,
                                      .cancel = my_cancel,
                                      .session_id = my_session_id};
static const EngineOps *const engines[] = {&engine_postgres, &my_sessions};

static const char USAGE[] =
    "usage: stoa-load [--url URL] [--schema NAME] [--table orders] [--profile plain|hostile] [--rate 300]\n"
    "                 [--sessions 16] [--seconds N] [--seed N] [--name APPLICATION] [--quiet]\n"
    "                 [--new-application] [--new-column NAME --new-expr SQL] [--twin NAME]\n"
    "                 [--create-rows N] [--create-twin] [--compare-twin] [--only-compare]\n"
    "\n"
    "An open loop: statements (plain) or transactions (hostile) fall due at a fixed rate, and latencies\n"
    "count from then. Prints a JSON line a second and the whole at the end; SIGUSR1 prints and begins a\n"
    "span, SIGTERM and SIGINT end it. --create-rows and --create-twin happen before, --compare-twin after;\n"
    "with --seconds 0 nothing runs in between; --only-compare does nothing else.\n"
    "Exit: 0, 1 the server refused something, 2 usage, 6 twin and table differ, 7 no connection.\n";

enum {
    OPTION_URL = 1,
    OPTION_SCHEMA,
    OPTION_TABLE,
    OPTION_PROFILE,
    OPTION_RATE,
    OPTION_SESSIONS,
    OPTION_SECONDS,
    OPTION_SEED,
    OPTION_NAME,
    OPTION_NEW_APPLICATION,
    OPTION_NEW_COLUMN,
    OPTION_NEW_EXPR,
    OPTION_TWIN,
    OPTION_CREATE_ROWS,
    OPTION_CREATE_TWIN,
    OPTION_COMPARE_TWIN,
    OPTION_ONLY_COMPARE,
    OPTION_QUIET,
    OPTION_HELP,
};

static const struct option OPTIONS[] = {
    {"url", required_argument, NULL, OPTION_URL},
    {"schema", required_argument, NULL, OPTION_SCHEMA},
    {"table", required_argument, NULL, OPTION_TABLE},
    {"profile", required_argument, NULL, OPTION_PROFILE},
    {"rate", required_argument, NULL, OPTION_RATE},
    {"sessions", required_argument, NULL, OPTION_SESSIONS},
    {"seconds", required_argument, NULL, OPTION_SECONDS},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"name", required_argument, NULL, OPTION_NAME},
    {"new-application", no_argument, NULL, OPTION_NEW_APPLICATION},
    {"new-column", required_argument, NULL, OPTION_NEW_COLUMN},
    {"new-expr", required_argument, NULL, OPTION_NEW_EXPR},
    {"twin", required_argument, NULL, OPTION_TWIN},
    {"create-rows", required_argument, NULL, OPTION_CREATE_ROWS},
    {"create-twin", no_argument, NULL, OPTION_CREATE_TWIN},
    {"compare-twin", no_argument, NULL, OPTION_COMPARE_TWIN},
    {"only-compare", no_argument, NULL, OPTION_ONLY_COMPARE},
    {"quiet", no_argument, NULL, OPTION_QUIET},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static _Noreturn void usage_exit(const char *what, const char *text)
{
    fprintf(stderr, "stoa-load: not a %s: \"%s\"\n%s", what, text, USAGE);
    exit(EXIT_USAGE);
}

static int64_t number(const char *text, int64_t high)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < 0 || value > high)
        usage_exit("number", text);
    return value;
}

static double rate(const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value > 0) || value > 1e6)
        usage_exit("rate", text);
    return value;
}

static LoadProfile profile(const char *text)
{
    if (strcmp(text, "plain") == 0)
        return LOAD_PLAIN;
    if (strcmp(text, "hostile") == 0)
        return LOAD_HOSTILE;
    usage_exit("profile", text);
}

static void option_set(Options *options, int option, const char *value)
{
    LoadConfig *load = &options->load;
    if (option == OPTION_URL)
        load->target.url = value;
    else if (option == OPTION_SCHEMA)
        load->schema = value;
    else if (option == OPTION_TABLE)
        load->table = value;
    else if (option == OPTION_PROFILE)
        load->profile = profile(value);
    else if (option == OPTION_RATE)
        load->rate = rate(value);
    else if (option == OPTION_SESSIONS)
        load->session_count = (int)number(value, 1000);
    else if (option == OPTION_SECONDS)
        options->seconds = number(value, 1000000);
    else if (option == OPTION_SEED)
        load->seed = (uint64_t)number(value, INT64_MAX);
    else if (option == OPTION_NAME)
        load->application = value;
    else if (option == OPTION_NEW_APPLICATION)
        load->new_application = true;
    else if (option == OPTION_NEW_COLUMN)
        load->new_column = value;
    else if (option == OPTION_NEW_EXPR)
        load->new_expr = value;
    else if (option == OPTION_TWIN)
        load->twin = value;
    else if (option == OPTION_CREATE_ROWS)
        options->create_rows = number(value, 1000000000);
    else if (option == OPTION_CREATE_TWIN)
        options->create_twin = true;
    else if (option == OPTION_COMPARE_TWIN)
        options->compare_twin = true;
    else if (option == OPTION_ONLY_COMPARE)
        options->only_compare = options->compare_twin = true;
    else if (option == OPTION_QUIET)
        options->quiet = true;
}

static Options options_parse(int argc, char **argv)
{
    Options options = {.load = {.target = {.url = getenv("STOA_URL")},
                                .table = "orders",
                                .rate = 300,
                                .session_count = 16,
                                .seed = 1},
                       .seconds = -1};
    for (int option; (option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
        if (option == OPTION_HELP) {
            fputs(USAGE, stdout);
            exit(EXIT_OK);
        }
        if (option == '?') {
            fputs(USAGE, stderr);
            exit(EXIT_USAGE);
        }
        option_set(&options, option, optarg);
    }
    bool twin = options.create_twin || options.compare_twin;
    Err *err = engine_for_url(engines, ARRAY_LEN(engines), options.load.target.url, &options.load.ops);
    if (err != NULL)
        usage_exit("URL", err->msg);
    bool complete =
        options.load.twin != NULL &&
        (options.load.ops->dialect == DIALECT_MYSQL ||
         (options.load.new_column != NULL && (options.load.new_expr != NULL || options.only_compare)));
    if (optind < argc || (twin && !complete)) {
        fputs(USAGE, stderr);
        exit(EXIT_USAGE);
    }
    return options;
}

/* ---- what it prints ------------------------------------------------------------------------- */

static void line_print(json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(6));
    puts(text);
    fflush(stdout);
    free(text);
    json_decref(json);
}

static json_t *tally_json(const char *kind, const LoadTally *tally)
{
    LoadReport report;
    load_tally_report(tally, &report);
    json_t *json = json_pack("{s:s}", "report", kind);
    json_t *values = load_report_json(&report);
    json_object_update(json, values);
    json_decref(values);
    return json;
}

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int error_print(Err *err)
{
    char *text = err_text(err);
    fprintf(stderr, "stoa-load: %s\n", text);
    if (err_first_hint(err) != NULL)
        fprintf(stderr, "hint: %s\n", err_first_hint(err));
    free(text);
    int code = err_is(err, ERR_CONNECT) ? EXIT_CONNECT : err_is(err, ERR_USAGE) ? EXIT_USAGE : EXIT_FAILED;
    err_free(err);
    return code;
}

/* ---- what it does --------------------------------------------------------------------------- */

static Err *tables_create(const Options *options)
{
    const LoadConfig *load = &options->load;
    if (options->create_rows == 0 && !options->create_twin)
        return NULL;
    CLEANUP(conn_closep) Conn *conn = NULL;
    TRY(load->ops->connect(&load->target, "load", NULL, &conn));
    if (options->create_rows > 0)
        TRY(load_create_orders(conn, NULL, load->schema, load->table, options->create_rows));
    if (options->create_twin)
        TRY(load_twin_create(conn, NULL, load->schema, load->table, load->twin, load->new_column,
                             load->new_expr));
    return NULL;
}

/* Adds the verdict on the twin to the last line. */
static Err *twin_compare(const Options *options, json_t *last, int64_t *ret_differences)
{
    const LoadConfig *load = &options->load;
    CLEANUP(arena_freep) Arena *arena = arena_new();
    CLEANUP(conn_closep) Conn *conn = NULL;
    TRY(load->ops->connect(&load->target, "load", NULL, &conn));
    const char *sample;
    bool compared_new;
    TRY(load_twin_compare(conn, NULL, arena, load->schema, load->table, load->twin, load->new_column,
                          ret_differences, &sample, &compared_new));
    json_t *twin = json_pack("{s:I, s:b, s:s}", "differences", (json_int_t)*ret_differences,
                             "compared_new_column", compared_new, "sample", sample);
    json_object_set_new(last, "twin", twin);
    return NULL;
}

typedef struct Spans {
    LoadTally *second, *span, *whole;
} Spans;

/* Moves what happened since the last time into all three spans. */
static void spans_advance(Spans *spans, Load *load)
{
    load_tally_clear(spans->second);
    load_drain(load, spans->second);
    load_tally_add(spans->span, spans->second);
    load_tally_add(spans->whole, spans->second);
}

/* Reports until the time is up or a signal ends it. */
static void watch(const Options *options, Load *load, Spans *spans, const sigset_t *signals)
{
    int64_t start_ms = clock_ms();
    for (int64_t second = 1; options->seconds < 0 || second <= options->seconds;) {
        int64_t left_ms = start_ms + second * 1000 - clock_ms();
        if (left_ms <= 0) {
            spans_advance(spans, load);
            if (!options->quiet)
                line_print(tally_json("second", spans->second));
            second++;
            continue;
        }
        struct timespec left = {.tv_sec = left_ms / 1000, .tv_nsec = left_ms % 1000 * 1000000};
        int caught = sigtimedwait(signals, NULL, &left);
        if (caught == SIGUSR1) {
            spans_advance(spans, load);
            line_print(tally_json("span", spans->span));
            load_tally_clear(spans->span);
        } else if (caught > 0) {
            return;
        }
    }
}

static Err *run(const Options *options, const sigset_t *signals, json_t *last)
{
    double cpu_before = cpu_seconds();
    Load *load;
    TRY(load_start(&options->load, &load));
    Spans spans = {load_tally_new(), load_tally_new(), load_tally_new()};
    watch(options, load, &spans, signals);
    Err *err = load_stop(load, NULL);
    spans_advance(&spans, load);
    load_free(load);
    json_t *whole = tally_json("whole", spans.whole);
    json_object_update(last, whole);
    json_object_set_new(last, "cpu_seconds", json_real(cpu_seconds() - cpu_before));
    json_decref(whole);
    load_tally_free(spans.second);
    load_tally_free(spans.span);
    load_tally_free(spans.whole);
    return err;
}

static Err *carry_out(const Options *options, const sigset_t *signals, json_t *last, int64_t *ret_differences)
{
    if (!options->only_compare) {
        TRY(tables_create(options));
        if (options->seconds != 0)
            TRY(run(options, signals, last));
    }
    return options->compare_twin ? twin_compare(options, last, ret_differences) : NULL;
}

int main(int argc, char **argv)
{
    Options options = options_parse(argc, argv);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    int64_t differences = 0;
    json_t *last = json_object();
    Err *err = carry_out(&options, &signals, last, &differences);
    if (err != NULL) {
        json_decref(last);
        return error_print(err);
    }
    line_print(last);
    return differences == 0 ? EXIT_OK : EXIT_DIFFERENT;
}
