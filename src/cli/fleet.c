/* The parent of the processes: begins them wave by wave, hears them, and counts. */
#include "cli/fleet.h"

#include "base/clock.h"
#include "base/str.h"
#include "cli/session.h"
#include "cli/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAVES_MOST = 32, PARALLEL = 4, PARALLEL_MOST = 256, TICK_MS = 100, LINE_MOST_BYTES = 4 << 20 };

/* A process and what it has said so far. */
typedef struct Child {
    pid_t pid;
    int fd;
    Str text;
    FleetMember *member;
} Child;

typedef struct Fleet {
    Cli *cli;
    Places places;
    FleetMember *members;
    size_t parallel, next, wave_end;
    Child *children; /* `parallel` of them; pid 0: free */
    bool failed;
    int told; /* the stop level that the children know of */
    int width;
} Fleet;

/* ---- waves ---------------------------------------------------------------------------------- */

static bool read_wave(const char *text, size_t count, size_t *ret_end)
{
    char *end = NULL;
    if (str_eq(text, "all")) {
        *ret_end = count;
        return true;
    }
    if (text[0] < '0' || text[0] > '9')
        return false;
    double number = strtod(text, &end);
    bool percent = str_eq(end, "%");
    if ((!percent && *end != '\0') || number < 0 || (percent && number > 100))
        return false;
    double wanted = percent ? (double)count * number / 100 : number;
    *ret_end = wanted >= (double)count ? count : (size_t)wanted;
    *ret_end += (double)*ret_end < wanted && *ret_end < count; /* a part of one is one */
    return true;
}

Err *waves_read(const char *text, size_t count, size_t *ret_ends, size_t most, size_t *ret_wave_count)
{
    CLEANUP(mem_freep) char *copy = mem_dup(text);
    size_t waves = 0, last = 0;
    char *rest = NULL;
    for (char *word = strtok_r(copy, ", ", &rest); word != NULL; word = strtok_r(NULL, ", ", &rest)) {
        size_t end = 0;
        if (!read_wave(word, count, &end) || waves + 1 == most)
            return err_hint(err_new(ERR_USAGE, "--waves cannot be \"%s\"", text),
                            "write how many are done after each, --waves 1,10%%,100%%");
        if (end > last)
            ret_ends[waves++] = last = end;
    }
    if (last < count)
        ret_ends[waves++] = count;
    *ret_wave_count = waves;
    return NULL;
}

/* ---- the child ------------------------------------------------------------------------------ */

static void redirect(int fd, int to)
{
    if (dup2(fd, to) < 0)
        _exit(EXIT_BUG);
}

/* From here on it is the program as if it had been started for this database alone, telling its parent in
 * JSON. */
static Err *become_child(Fleet *fleet, const Place *place, int out, pid_t parent)
{
    Cli *cli = fleet->cli;
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    (void)setpgid(0, 0);
    if (getppid() != parent)
        _exit(EXIT_HELD);
    for (size_t i = 0; i < fleet->parallel; i++)
        if (fleet->children[i].pid != 0)
            (void)close(fleet->children[i].fd);
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    redirect(nothing, STDIN_FILENO);
    redirect(out, STDOUT_FILENO);
    if (!cli_given(cli, OPT_VERBOSE))
        redirect(nothing, STDERR_FILENO);
    (void)close(nothing);
    (void)close(out);
    cli->args.json = cli->term.json = true;
    cli->term.out_tty = cli->term.err_tty = cli->term.drawn = false;
    cli->args.settings[OPT_YES].given = true;
    place_choose(cli, place);
    stop_done(&cli->stop); /* it is the parent's, too */
    cli->stop = (Stop){.fd = -1};
    TRY(stop_init(&cli->stop));
    signals_install(&cli->stop, true);
    return NULL;
}

/* ---- hearing them --------------------------------------------------------------------------- */

static const char *text_at(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static const char *keep(const Fleet *fleet, const char *text)
{
    return text == NULL ? NULL : arena_dup(fleet->cli->arena, text);
}

/* "no change … in the journal": there is nothing to do here. */
static bool is_nothing(const json_t *error)
{
    const char *message = text_at(error, "message");
    return str_eq(text_at(error, "kind"), "usage") && message != NULL && str_starts(message, "no change ");
}

static void take_object(const Fleet *fleet, FleetMember *member, json_t *object)
{
    if (str_eq(text_at(object, "event"), "measured")) { /* those begun from now on know it */
        json_object_set(fleet->cli->measured, text_at(object, "key"), json_object_get(object, "plan"));
        return;
    }
    const json_t *error = json_object_get(object, "error"), *summary = json_object_get(object, "summary");
    if (json_is_object(error)) {
        member->error = keep(fleet, text_at(error, "message"));
        member->hint = keep(fleet, text_at(error, "hint"));
        member->none = is_nothing(error);
    }
    if (summary != NULL) {
        member->state = keep(fleet, text_at(summary, "state"));
        member->already = json_is_true(json_object_get(summary, "already_done"));
        member->rows = json_integer_value(json_object_get(summary, "rows_filled"));
    } else if (str_eq(text_at(object, "event"), "aborted") || str_eq(text_at(object, "event"), "paused")) {
        member->state = keep(fleet, text_at(object, "event"));
    }
    if (!fleet->cli->term.json)
        return;
    json_object_set_new(object, "database", json_string(member->place->label));
    term_json(&fleet->cli->term, object, false);
}

static void take_lines(const Fleet *fleet, Child *child)
{
    char *from = child->text.buf, *end = NULL;
    while ((end = memchr(from, '\n', child->text.len - (size_t)(from - child->text.buf))) != NULL) {
        json_t *object = json_loadb(from, (size_t)(end - from), 0, NULL);
        if (json_is_object(object))
            take_object(fleet, child->member, object);
        json_decref(object);
        from = end + 1;
    }
    CLEANUP(str_donep) Str rest = STR_INIT;
    str_addn(&rest, from, child->text.len - (size_t)(from - child->text.buf));
    str_clear(&child->text);
    if (rest.len < LINE_MOST_BYTES)
        str_addn(&child->text, rest.buf, rest.len);
}

static void bury(Fleet *fleet, Child *child)
{
    FleetMember *member = child->member;
    struct rusage usage = {0};
    int status = 0;
    while (wait4(child->pid, &status, 0, &usage) < 0 && errno == EINTR)
        ;
    (void)close(child->fd);
    str_done(&child->text);
    child->pid = 0;
    member->running = false;
    member->over = true;
    member->wall_ms = clock_ms() - member->started_ms;
    member->cpu_ms = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
                     (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
    member->code = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_SIGNAL + WTERMSIG(status);
    if (!WIFEXITED(status) && member->error == NULL)
        member->error =
            arena_printf(fleet->cli->arena, "its process was ended by signal %d", WTERMSIG(status));
    member->none = member->none && fleet->cli->args.verb != VERB_APPLY;
    if (member->none)
        member->code = 0;
    fleet->failed = fleet->failed || member->code != 0;
    fleet_show_member(fleet->cli, member, fleet->width);
}

static void hear(Fleet *fleet, Child *child)
{
    char buf[16384];
    ssize_t len = read(child->fd, buf, sizeof buf);
    if (len < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (len <= 0) {
        bury(fleet, child);
        return;
    }
    str_addn(&child->text, buf, (size_t)len);
    take_lines(fleet, child);
}

static size_t running(const Fleet *fleet)
{
    size_t count = 0;
    for (size_t i = 0; i < fleet->parallel; i++)
        count += fleet->children[i].pid != 0;
    return count;
}

/* A signal to us is one to all. */
static void pass_on_stop(Fleet *fleet)
{
    int level = (int)stop_level(&fleet->cli->stop);
    for (; fleet->told < level; fleet->told++)
        for (size_t i = 0; i < fleet->parallel; i++)
            if (fleet->children[i].pid != 0)
                (void)kill(fleet->children[i].pid, SIGTERM);
}

static void listen_a_while(Fleet *fleet)
{
    struct pollfd polls[PARALLEL_MOST];
    Child *who[PARALLEL_MOST];
    nfds_t count = 0;
    for (size_t i = 0; i < fleet->parallel; i++)
        if (fleet->children[i].pid != 0) {
            polls[count] = (struct pollfd){.fd = fleet->children[i].fd, .events = POLLIN};
            who[count++] = &fleet->children[i];
        }
    pass_on_stop(fleet);
    if (poll(polls, count, TICK_MS) <= 0)
        return;
    for (nfds_t i = 0; i < count; i++)
        if (polls[i].revents != 0)
            hear(fleet, who[i]);
}

/* ---- the parent ----------------------------------------------------------------------------- */

/* *ret_child: this is the new process. */
static Err *begin(Fleet *fleet, FleetMember *member, bool *ret_child)
{
    int ends[2];
    size_t at = 0;
    while (fleet->children[at].pid != 0)
        at++;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_new(ERR_IO, "cannot make a pipe: %s", strerror(errno));
    (void)fflush(stdout);
    member->started_ms = clock_ms();
    pid_t parent = getpid(), pid = fork();
    if (pid < 0) {
        (void)close(ends[0]);
        (void)close(ends[1]);
        return err_new(ERR_IO, "cannot start a process: %s", strerror(errno));
    }
    if (pid == 0) {
        *ret_child = true;
        (void)close(ends[0]);
        return become_child(fleet, member->place, ends[1], parent);
    }
    (void)close(ends[1]);
    member->running = true;
    fleet->children[at] = (Child){.pid = pid, .fd = ends[0], .text = STR_INIT, .member = member};
    return NULL;
}

static bool may_begin(const Fleet *fleet)
{
    return !fleet->failed && stop_level(&fleet->cli->stop) == STOP_NONE && fleet->next < fleet->wave_end &&
           running(fleet) < fleet->parallel;
}

static void tell_wave(const Fleet *fleet, size_t wave, size_t waves)
{
    if (fleet->cli->term.json || waves == 1)
        return;
    Page page = term_lines_err(&fleet->cli->term);
    page_putf(&page, STYLE_DIM, "wave %zu of %zu: %zu of %zu databases\n", wave + 1, waves,
              fleet->wave_end - fleet->next, fleet->places.len);
    term_show_err(&fleet->cli->term, &page, false);
}

static Err *run_wave(Fleet *fleet, bool *ret_child)
{
    Err *err = NULL;
    while (running(fleet) > 0 || (err == NULL && may_begin(fleet))) {
        while (err == NULL && may_begin(fleet)) {
            err = begin(fleet, &fleet->members[fleet->next++], ret_child);
            if (*ret_child)
                return err;
        }
        if (running(fleet) > 0)
            listen_a_while(fleet);
    }
    return err;
}

static Err *run_waves(Fleet *fleet, bool *ret_child)
{
    const char *text = cli_setting(fleet->cli, OPT_WAVES)->text;
    size_t ends[WAVES_MOST], waves = 0;
    TRY(waves_read(text == NULL ? all_options[OPT_WAVES].fallback : text, fleet->places.len, ends, WAVES_MOST,
                   &waves));
    for (size_t i = 0; i < waves && !fleet->failed && stop_level(&fleet->cli->stop) == STOP_NONE; i++) {
        fleet->wave_end = ends[i];
        tell_wave(fleet, i, waves);
        TRY(run_wave(fleet, ret_child));
        if (*ret_child)
            return NULL;
    }
    return NULL;
}

static void set_up(Fleet *fleet)
{
    Cli *cli = fleet->cli;
    const Setting *parallel = cli_setting(cli, OPT_PARALLEL);
    int64_t wanted = parallel->given ? parallel->number : PARALLEL;
    cli->measured = json_object();
    fleet->parallel = wanted > PARALLEL_MOST ? PARALLEL_MOST : (size_t)wanted;
    fleet->children = arena_alloc(cli->arena, fleet->parallel * sizeof *fleet->children);
    fleet->members = arena_alloc(cli->arena, fleet->places.len * sizeof *fleet->members);
    for (size_t i = 0; i < fleet->places.len; i++) {
        int width = text_columns(fleet->places.items[i].label);
        fleet->members[i].place = &fleet->places.items[i];
        fleet->width = width > fleet->width ? width : fleet->width;
    }
}

static void finish(Fleet *fleet, int64_t from_ms)
{
    FleetSum sum = {.wall_ms = clock_ms() - from_ms};
    Cli *cli = fleet->cli;
    for (size_t i = 0; i < fleet->places.len; i++) {
        const FleetMember *member = &fleet->members[i];
        sum.none += member->over && member->none;
        sum.done += member->over && member->code == 0 && !member->none;
        sum.failed += member->over && member->code != 0;
        sum.left += !member->over;
        sum.cpu_ms += member->cpu_ms;
        if (cli->exit_code == 0 || cli->exit_code == EXIT_HELD) /* one that only waits is the least */
            cli->exit_code = member->over && member->code != 0 ? member->code : cli->exit_code;
    }
    if (cli->exit_code == 0 && sum.left > 0)
        cli->exit_code = EXIT_HELD;
    fleet_show_end(cli, fleet->members, fleet->places.len, &sum);
}

static Err *ask_for_all(const Fleet *fleet, const char *what)
{
    Cli *cli = fleet->cli;
    if (what == NULL || cli_given(cli, OPT_EXPECT))
        return NULL;
    return session_confirm(cli, arena_printf(cli->arena, "%s in %zu databases of %s?", what,
                                             fleet->places.len, cli->args.environment->name));
}

Err *fleet_enter(Cli *cli, const char *what, bool *ret_over)
{
    const ConfigEnvironment *environment = cli->args.environment;
    Fleet fleet = {.cli = cli};
    bool child = false;
    int64_t from_ms = clock_ms();
    *ret_over = false;
    if (environment == NULL || !environment_is_many(environment))
        return NULL;
    TRY(places_of(cli, environment, true, &fleet.places));
    if (fleet.places.len == 1) {
        place_choose(cli, &fleet.places.items[0]);
        return NULL;
    }
    if (cli_given(cli, OPT_LISTEN) || cli_given(cli, OPT_TEXTFILE))
        return err_hint(err_new(ERR_USAGE, "--listen and --textfile are of one database, and \"%s\" has %zu",
                                environment->name, fleet.places.len),
                        "leave them out, or run \"stoa serve --env %s --database NAME\"", environment->name);
    if (verbs[cli->args.verb].positional == POSITIONAL_CHANGE && cli->args.positional == NULL)
        return err_hint(err_new(ERR_USAGE, "which change?"), "\"stoa status --env %s\" lists them",
                        environment->name);
    TRY(ask_for_all(&fleet, what));
    set_up(&fleet);
    Err *err = run_waves(&fleet, &child);
    if (child)
        return err;
    *ret_over = true;
    finish(&fleet, from_ms);
    return err;
}
