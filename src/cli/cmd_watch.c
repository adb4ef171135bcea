/* stoa watch: follows a change until it is over. */
#include "base/clock.h"
#include "cli/session.h"
#include "cli/show.h"
#include "cli/signals.h"

#include <string.h>

enum { POLL_MS = 500, PATIENCE_MS = 60000 };

typedef struct Watch {
    Cli *cli;
    const RunOptions *options;
    const char *change;
    char state[32];
    char *said;       /* the last JSON line */
    int64_t heard_ms; /* when the server last answered; 0 never */
    size_t broken;    /* ways back said to be broken */
    bool lone;        /* said that nobody carries it out */
} Watch;

/* The exit code once it is over, else -1. */
static int over(const char *state)
{
    static const struct {
        const char *state;
        int code;
    } ends[] = {{"ready", EXIT_DONE},     {"completed", EXIT_DONE},  {"failed", EXIT_FAILED},
                {"aborted", EXIT_FAILED}, {"reverted", EXIT_FAILED}, {"ambiguous", EXIT_AMBIGUOUS}};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (strcmp(ends[i].state, state) == 0)
            return ends[i].code;
    return -1;
}

/* With --json one line whenever something is different. */
static void say_json(Watch *watch, json_t *change)
{
    json_t *line = json_pack("{s:i, s:s}", "v", 1, "event", "status");
    (void)json_object_update_missing(line, change);
    char *text = json_dumps(line, JSON_COMPACT);
    if (!str_eq(text, watch->said))
        term_json(&watch->cli->term, line, false);
    mem_freep(&watch->said);
    watch->said = text;
    json_decref(line);
}

/* A change that no process holds does not go on by itself. */
static void say_whether_held(Watch *watch, const json_t *change)
{
    bool lone = over(watch->state) < 0 && !json_is_string(json_object_get(change, "runner"));
    if (lone && !watch->lone) {
        term_progress_end(&watch->cli->term);
        Page page = term_page_out(&watch->cli->term);
        page_put(&page, STYLE_YELLOW, "nobody carries it out right now");
        page_putf(&page, STYLE_PLAIN, "; go on with: stoa resume %s", watch->change);
        page_newline(&page);
        term_show_out(&watch->cli->term, &page);
    }
    watch->lone = lone;
}

static void say_broken(Watch *watch, const json_t *change)
{
    size_t count = json_array_size(json_object_get(change, "broken"));
    if (count == watch->broken)
        return;
    watch->broken = count;
    term_progress_end(&watch->cli->term);
    Page page = term_page_out(&watch->cli->term);
    show_broken(&page, change, 0);
    term_show_out(&watch->cli->term, &page);
}

static void say_state(Watch *watch, json_t *change)
{
    Term *term = &watch->cli->term;
    const char *state = json_string_value(json_object_get(change, "state"));
    bool news = strcmp(watch->state, state) != 0;
    (void)snprintf(watch->state, sizeof watch->state, "%s", state);
    if (term->json) {
        say_json(watch, change);
        return;
    }
    if (over(state) >= 0)
        term_progress_end(term);
    if (news) {
        Page page = term_page_out(term);
        page_put(&page, STYLE_BOLD, watch->change);
        page_put(&page, STYLE_PLAIN, "  ");
        page_put(&page, style_of_state(state), state);
        page_newline(&page);
        term_show_out(term, &page);
    }
    say_broken(watch, change);
    say_whether_held(watch, change);
    Progress progress = progress_of_status(change);
    if (over(state) < 0 && !watch->lone)
        term_progress(term, &progress);
    if (signals_take_status())
        term_progress_now(term);
}

/* One look; a server that restarts is waited for. */
static Err *look(Watch *watch)
{
    Arena *arena = arena_new();
    json_t *status = NULL;
    Err *err = run_status(watch->options, arena, watch->change, true, &status);
    if (err == NULL) {
        json_t *change = json_array_get(json_object_get(status, "changes"), 0);
        watch->heard_ms = clock_ms();
        if (change == NULL)
            err = err_hint(err_new(ERR_USAGE, "there is no change \"%s\"", watch->change),
                           "\"stoa status --all\" lists them");
        else
            say_state(watch, change);
        json_decref(status);
    } else if ((err_is(err, ERR_CONNECT) || err_is(err, ERR_CONN_LOST)) && watch->heard_ms != 0 &&
               clock_ms() - watch->heard_ms < PATIENCE_MS) {
        err_free(err);
        err = NULL;
    }
    arena_free(arena);
    return err;
}

Err *cmd_watch(Cli *cli)
{
    RunOptions options;
    const char *change = NULL;
    TRY(session_options(cli, &options));
    TRY(session_pick(cli, &options, "|planned|running|paused|waiting|", &change));
    Watch watch = {.cli = cli, .options = &options, .change = change};
    Err *err = NULL;
    while (err == NULL && over(watch.state) < 0) {
        err = look(&watch);
        if (err == NULL && over(watch.state) < 0) {
            stop_sleep(&cli->stop, POLL_MS);
            err = stop_check(&cli->stop);
        }
    }
    mem_freep(&watch.said);
    if (err_is(err, ERR_STOPPED))
        return err_hint(err_wrap(err, "watching ended, the change is as it was"), "stoa watch %s", change);
    cli->exit_code = err == NULL ? over(watch.state) : 0;
    return err;
}
