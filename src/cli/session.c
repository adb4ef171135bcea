/* What the verbs share: where to connect, how to work, which change, and who is told. */
#include "cli/session.h"

#include "base/clock.h"
#include "base/unit.h"
#include "cli/places.h"
#include "cli/show.h"
#include "cli/signals.h"
#include "notify/notify.h"
#include "notify/otlp.h"
#include "run/load_limit.h"
#include "run/window.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NICE_MOST = 100 };

static const char *level_of(const char *kind)
{
    static const struct {
        const char *kind, *level;
    } levels[] = {{"failed", "error"},   {"alarm", "warn"}, {"lock_blocked", "warn"}, {"back_broken", "warn"},
                  {"conn_lost", "warn"}, {"retry", "warn"}, {"drift", "warn"}};
    for (size_t i = 0; i < ARRAY_LEN(levels); i++)
        if (str_eq(levels[i].kind, kind))
            return levels[i].level;
    return "info";
}

static void on_event(void *context, const Event *event)
{
    Cli *cli = context;
    char time[CLOCK_TEXT_BYTES];
    clock_wall_text(time);
    notify_event(cli->notify, event);
    otlp_event(cli->otlp, event);
    if (cli->term.json) {
        json_t *line = json_pack("{s:i, s:s, s:i, s:s*, s:s}", "v", 1, "event", event->kind, "step",
                                 event->step, "text", event->text, "at", time);
        if (event->detail != NULL)
            (void)json_object_update_missing(line, event->detail);
        term_json(&cli->term, line, false);
        json_decref(line);
        return;
    }
    if (strcmp(event->kind, "step_started") == 0 && !cli_given(cli, OPT_VERBOSE))
        return; /* the progress line shows what goes on, and its end is said with the time it took */
    LogEntry entry = {.level = level_of(event->kind),
                      .event = event->kind,
                      .change = event->change,
                      .step = event->step,
                      .text = event->text};
    if (term_log(&cli->term, &entry, false))
        return;
    if (strcmp(event->kind, "step_done") == 0)
        term_progress_end(&cli->term);
    Page page = term_lines_err(&cli->term);
    time[19] = '\0'; /* the time of day is enough while one looks on */
    show_event(&page, time + 11, NULL, event->step, event->kind, event->text);
    term_show_err(&cli->term, &page, false);
}

static void on_progress(void *context, const Progress *progress)
{
    Cli *cli = context;
    notify_progress(cli->notify, progress);
    term_progress(&cli->term, progress);
    if (signals_take_status())
        term_progress_now(&cli->term);
}

static const char *accepted_ids(size_t at, OptionId *ret_option)
{
    static const struct {
        const char *id;
        OptionId option;
    } ids[] = {{"star", OPT_ACCEPT_STAR},
               {"triggers", OPT_ACCEPT_TRIGGERS},
               {"scan", OPT_ACCEPT_SCAN},
               {"drift", OPT_ACCEPT_DRIFT},
               {"view", OPT_ACCEPT_VIEW},
               {"standby-stall", OPT_ACCEPT_STANDBY_STALL},
               {"key-loss", OPT_ACCEPT_KEY_LOSS},
               {"index-loss", OPT_ACCEPT_INDEX_LOSS},
               {"rename", OPT_ACCEPT_RENAME},
               {"row-security", OPT_ACCEPT_ROW_SECURITY},
               {"column-order", OPT_ACCEPT_COLUMN_ORDER},
               {"subscribers", OPT_SUBSCRIBERS_READY},
               {"replica-lag", OPT_ACCEPT_REPLICA_LAG},
               {"lost-attributes", OPT_ACCEPT_LOST_ATTRIBUTES},
               {"online-copy", OPT_ACCEPT_ONLINE_COPY},
               {"no-default", OPT_ACCEPT_NO_DEFAULT},
               {"old-snapshots", OPT_ALLOW_OLD_SNAPSHOTS}};
    if (at >= ARRAY_LEN(ids))
        return NULL;
    *ret_option = ids[at].option;
    return ids[at].id;
}

static void read_plan_options(Cli *cli, PlanOptions *plan)
{
    VEC(const char *) accepted = {0};
    OptionId option = OPT_ACCEPT_STAR;
    for (size_t i = 0; accepted_ids(i, &option) != NULL; i++)
        if (cli_given(cli, option))
            *vec_push(cli->arena, &accepted) = accepted_ids(i, &option);
    const Setting *verify = cli_setting(cli, OPT_VERIFY), *replicas = cli_setting(cli, OPT_REPLICAS);
    const char *strategy = cli_setting(cli, OPT_STRATEGY)->text;
    plan->strategy = str_eq(strategy, "instant")    ? STRATEGY_INSTANT
                     : str_eq(strategy, "in-place") ? STRATEGY_IN_PLACE
                     : str_eq(strategy, "shadow")   ? STRATEGY_SHADOW
                                                    : STRATEGY_AUTO;
    const char *late = cli_setting(cli, OPT_LATE_INDEXES)->text;
    plan->late_indexes = str_eq(late, "always")  ? LATE_INDEXES_ALWAYS
                         : str_eq(late, "never") ? LATE_INDEXES_NEVER
                                                 : LATE_INDEXES_AUTO;
    plan->accepted = accepted.items;
    plan->accepted_count = accepted.len;
    plan->verify = !verify->given                            ? VERIFY_AUTO
                   : strcmp(verify->text, "expression") == 0 ? VERIFY_EXPRESSION
                                                             : VERIFY_FILLED;
    plan->measured = !str_eq(cli_setting(cli, OPT_PROBE)->text, "off");
    plan->measured_in_schema = str_eq(cli_setting(cli, OPT_PROBE)->text, "schema");
    plan->versioned = cli_given(cli, OPT_VERSIONED);
    plan->version_schema = cli_setting(cli, OPT_VERSIONED)->text;
    plan->replicas_given = replicas->given;
    plan->max_lag_given = cli_given(cli, OPT_MAX_LAG);
    if (!replicas->given || strcmp(replicas->list[0], "0") == 0)
        return;
    plan->replicas = replicas->list;
    plan->replica_count = replicas->list_count;
}

static void read_controls(const Cli *cli, RunOptions *options)
{
    const struct {
        OptionId option;
        unsigned bit;
        int64_t *value;
    } durations[] = {{OPT_MAX_STALL, CONTROL_MAX_STALL, &options->controls.max_stall_ms},
                     {OPT_LOCK_WAIT, CONTROL_LOCK_WAIT, &options->controls.lock_wait_ms},
                     {OPT_MAX_LAG, CONTROL_MAX_LAG, &options->controls.max_lag_ms},
                     {OPT_CHUNK_TIME, CONTROL_CHUNK_TIME, &options->controls.chunk_time_ms},
                     {OPT_QUIET, CONTROL_QUIET, &options->controls.quiet_ms}};
    controls_default(&options->controls);
    for (size_t i = 0; i < ARRAY_LEN(durations); i++) {
        if (!cli_given(cli, durations[i].option))
            continue;
        *durations[i].value = cli_setting(cli, durations[i].option)->number;
        if (!cli_setting(cli, durations[i].option)->from_file)
            options->controls_given |= durations[i].bit;
    }
    if (cli_given(cli, OPT_WINDOW)) {
        options->controls.window = cli_setting(cli, OPT_WINDOW)->text;
        if (!cli_setting(cli, OPT_WINDOW)->from_file)
            options->controls_given |= CONTROL_WINDOW;
    }
    const Setting *window_for = cli_setting(cli, OPT_WINDOW_FOR);
    if (window_for->given && !(window_for->from_file && cli->args.verb == VERB_RESUME))
        options->controls.window_heavy = str_eq(window_for->text, "heavy");
    options->plan.max_stall_ms = options->controls.max_stall_ms;
}

static Err *read_limits(const Cli *cli, const EngineOps *ops, OptionId option, double *limits)
{
    const Setting *given = cli_setting(cli, option);
    if (given->from_file && cli->args.verb == VERB_RESUME)
        return NULL; /* the change has its own */
    for (size_t i = 0; given->given && i < given->list_count; i++) {
        Err *err = load_limit_parse(ops, given->list[i], option == OPT_CRITICAL_LOAD, limits);
        if (err != NULL)
            return err_wrap(err, "--%s", all_options[option].name);
    }
    return NULL;
}

static Err *read_nice(const Cli *cli, double *ret_nice)
{
    const Setting *given = cli_setting(cli, OPT_NICE);
    char *end = NULL;
    if (!given->given || (given->from_file && cli->args.verb == VERB_RESUME))
        return NULL;
    *ret_nice = strtod(given->text, &end);
    return *end == '\0' && end != given->text && *ret_nice >= 0 && *ret_nice <= NICE_MOST
               ? NULL
               : err_hint(err_new(ERR_USAGE, "--nice cannot be \"%s\"", given->text), "a number from 0 to %d",
                          NICE_MOST);
}

/* What is looked at beside the server's own signals. A file is named from here, and looked for wherever the
 * change is carried out. */
/* What resume is not told stays as it was. */
static bool is_told(const Cli *cli, const Setting *setting)
{
    return setting->given && !(setting->from_file && cli->args.verb == VERB_RESUME);
}

static Err *read_checks(const Cli *cli, Controls *controls)
{
    static const OptionId ids[OUTSIDE_COUNT] = {[OUTSIDE_SQL] = OPT_CHECK_SQL,
                                                [OUTSIDE_URL] = OPT_CHECK_URL,
                                                [OUTSIDE_FILE] = OPT_STOP_FILE,
                                                [OUTSIDE_DISK] = OPT_MIN_FREE_DISK};
    char here[PATH_MAX];
    for (size_t i = 0; i < OUTSIDE_COUNT; i++) {
        const Setting *given = cli_setting(cli, ids[i]);
        bool off = str_eq(given->text, "off");
        if (!is_told(cli, given))
            continue;
        controls->checks[i] = off ? "" : given->text;
        if (ids[i] == OPT_CHECK_URL && !off && !str_starts(given->text, "http://") &&
            !str_starts(given->text, "https://"))
            return err_new(ERR_USAGE, "--check-url \"%s\" is neither http:// nor https://", given->text);
        int64_t bytes = 0;
        if (ids[i] == OPT_MIN_FREE_DISK && !off)
            TRY(unit_parse_size(given->text, &bytes));
        if (ids[i] == OPT_STOP_FILE && !off && given->text[0] != '/' && getcwd(here, sizeof here) != NULL)
            controls->checks[i] = arena_printf(cli->arena, "%s/%s", here, given->text);
    }
    return NULL;
}

static Err *read_build(const Cli *cli, Controls *controls)
{
    enum { LEAST_BYTES = 1 << 20 };
    const Setting *memory = cli_setting(cli, OPT_BUILD_MEMORY),
                  *workers = cli_setting(cli, OPT_BUILD_WORKERS);
    if (is_told(cli, workers))
        controls->build_workers = workers->number;
    if (!is_told(cli, memory))
        return NULL;
    Err *err = unit_parse_size(memory->text, &controls->build_memory);
    if (err == NULL && controls->build_memory < LEAST_BYTES)
        err = err_new(ERR_USAGE, "\"%s\" is less than 1MB", memory->text);
    return err == NULL ? NULL : err_wrap(err, "--build-memory");
}

static Err *read_throttle(const Cli *cli, RunOptions *options)
{
    Controls *controls = &options->controls;
    TRY(read_limits(cli, options->ops, OPT_MAX_LOAD, controls->load_limits));
    TRY(read_limits(cli, options->ops, OPT_CRITICAL_LOAD, controls->critical_limits));
    const Setting *retries = cli_setting(cli, OPT_CRITICAL_RETRIES);
    if (is_told(cli, retries))
        controls->critical_retries = retries->number;
    TRY(read_build(cli, controls));
    TRY(read_nice(cli, &controls->nice));
    return read_checks(cli, controls);
}

static Err *check_replicas(const Cli *cli)
{
    const Setting *replicas = cli_setting(cli, OPT_REPLICAS);
    for (size_t i = 0; i < replicas->list_count; i++)
        if (strcmp(replicas->list[i], "0") == 0 && replicas->list_count > 1)
            return err_new(ERR_USAGE, "--replicas 0 states that there is none, but others are given");
    return NULL;
}

static Err *check_window(const Cli *cli)
{
    Window window;
    if (!cli_given(cli, OPT_WINDOW))
        return NULL;
    Err *err = window_parse(cli_setting(cli, OPT_WINDOW)->text, &window);
    return err == NULL ? NULL : err_wrap(err, "--window");
}

Err *session_options(Cli *cli, RunOptions *ret_options)
{
    const Setting *until = cli_setting(cli, OPT_UNTIL), *expect = cli_setting(cli, OPT_EXPECT);
    RunOptions options = {.stop = &cli->stop,
                          .observer = {.event = on_event, .progress = on_progress, .context = cli},
                          .until = until->given ? phase_from_name(until->text) : -1,
                          .expect = expect->text,
                          .force = cli_given(cli, OPT_FORCE),
                          .no_comment = cli_given(cli, OPT_NO_COMMENT),
                          .replace = cli_given(cli, OPT_REPLACE),
                          .approvals = cli_setting(cli, OPT_APPROVALS)->number,
                          .signers = cli_setting(cli, OPT_ALLOWED_SIGNERS)->text,
                          .sign_key = cli_setting(cli, OPT_SIGN)->text,
                          .environment = cli_setting(cli, OPT_ENV)->text};
    TRY(place_choose_one(cli));
    options.target = cli_target(cli);
    options.database_label = cli->place != NULL ? place_name(cli->arena, cli->place)
                                                : target_redacted(cli->arena, options.target.url);
    TRY(engine_for_url(cli->engines, cli->engine_count, options.target.url, &options.ops));
    TRY(check_replicas(cli));
    TRY(check_window(cli));
    read_controls(cli, &options);
    TRY(read_throttle(cli, &options));
    read_plan_options(cli, &options.plan);
    options.measured = cli->measured;
    TRY(session_notify(cli));
    TRY(session_trace(cli, &options));
    *ret_options = options;
    return NULL;
}

Err *session_strategy(const Cli *cli, const Plan *plan)
{
    const char *wanted = cli_setting(cli, OPT_STRATEGY)->text;
    if (str_eq(wanted, "shadow") && !plan->nothing_to_do && strcmp(plan->strategy, "shadow") != 0)
        return err_hint(err_new(ERR_UNSAFE, "\"%s\" is not done in a shadow table: its plan is %s",
                                plan->change, plan->strategy),
                        "leave out --strategy shadow");
    if (!str_eq(wanted, "instant") || plan->nothing_to_do || strcmp(plan->strategy, "instant") == 0)
        return NULL;
    return err_hint(
        err_new(ERR_UNSAFE, "\"%s\" cannot be done instantly: its plan is %s", plan->change, plan->strategy),
        "leave out --strategy instant, or look at it with \"stoa plan\"");
}

/* "a, b and 3 more" of the names in `changes` with a state in `states`; the last match goes to ret_name. */
static size_t matches(const json_t *changes, const char *states, const char **ret_name, Str *ret_list)
{
    size_t i, count = 0;
    const json_t *change;
    json_array_foreach(changes, i, change)
    {
        char state[32];
        (void)snprintf(state, sizeof state, "|%s|", json_string_value(json_object_get(change, "state")));
        if (strstr(states, state) == NULL)
            continue;
        *ret_name = json_string_value(json_object_get(change, "name"));
        str_sep(ret_list, ", ");
        str_add(ret_list, *ret_name);
        count++;
    }
    return count;
}

Err *session_pick(Cli *cli, const RunOptions *options, const char *states, const char **ret_name)
{
    if (cli->args.positional != NULL) {
        *ret_name = cli->args.positional;
        return NULL;
    }
    const char *verb = verbs[cli->args.verb].name, *name = NULL;
    json_t *status = NULL;
    TRY(run_status(options, cli->arena, NULL, false, &status));
    CLEANUP(str_donep) Str list = STR_INIT;
    size_t count = matches(json_object_get(status, "changes"), states, &name, &list);
    if (count > 0) /* before the answer that it points into goes */
        name = arena_dup(cli->arena, name);
    json_decref(status);
    *ret_name = name;
    if (count == 1)
        return NULL;
    if (count == 0)
        return err_hint(err_new(ERR_USAGE, "there is no change to %s", verb),
                        "\"stoa status --all\" lists them");
    return err_hint(err_new(ERR_USAGE, "which change? there are %s", list.buf), "stoa %s %s", verb, name);
}

Err *session_confirm(Cli *cli, const char *question)
{
    if (cli_given(cli, OPT_YES))
        return NULL;
    if (!term_can_ask())
        return err_hint(err_new(ERR_USAGE, "nobody can be asked here: \"%s\"", question),
                        "give --yes, if that is what you want");
    return term_ask(&cli->term, &cli->stop, question)
               ? NULL
               : err_new(ERR_STOPPED, "not confirmed; nothing was changed");
}

void session_summary(Cli *cli, const char *change, const RunSummary *summary)
{
    term_progress_end(&cli->term);
    if (cli->term.json) {
        json_t *object = summary_json(change, summary);
        term_json(&cli->term, object, false);
        json_decref(object);
        return;
    }
    Page page = term_page_out(&cli->term);
    show_summary(&page, change, summary);
    term_show_out(&cli->term, &page);
}

void session_done(Cli *cli, const char *event, const char *change, const char *text)
{
    term_progress_end(&cli->term);
    if (cli->term.json) {
        json_t *object =
            json_pack("{s:i, s:s, s:s*, s:s}", "v", 1, "event", event, "change", change, "text", text);
        term_json(&cli->term, object, false);
        json_decref(object);
        return;
    }
    Page page = term_page_out(&cli->term);
    page_put(&page, STYLE_BOLD, change == NULL ? "" : change);
    page_put(&page, STYLE_PLAIN, change == NULL ? "" : "  ");
    page_put(&page, STYLE_PLAIN, text);
    page_newline(&page);
    term_show_out(&cli->term, &page);
}

Err *session_resumable(Err *err, const char *change)
{
    bool half_way = err_is(err, ERR_STOPPED) || err_is(err, ERR_CONN_LOST) || err_is(err, ERR_DISK_FULL);
    if (!half_way || err_first_hint(err) != NULL)
        return err;
    return err_hint(err, "go on with: stoa resume %s", change);
}
