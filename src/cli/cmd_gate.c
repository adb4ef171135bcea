/* stoa gate: looks everywhere, says what is missing where, and waits for it if that is wanted. */
#include "base/clock.h"
#include "cli/gate.h"
#include "cli/session.h"

#include <string.h>

enum { FIRST_PAUSE_MS = 1000, LONGEST_PAUSE_MS = 10000, SAID_EVERY_MS = 30000 };

/* One database, or an environment whose databases could not be found out. */
typedef struct Post {
    Place place;
    Arena *arena;
    bool fixed; /* `answer` is all that can be said */
    GateAnswer answer;
} Post;

typedef struct Gate {
    Cli *cli;
    GateAsk ask;
    VEC(Post) posts;
} Gate;

/* ---- where to look -------------------------------------------------------------------------- */

static Post *add_post(Gate *gate, const Place *place)
{
    Post *post = vec_push(gate->cli->arena, &gate->posts);
    *post = (Post){.place = *place, .arena = arena_new()};
    return post;
}

static void add_environment(Gate *gate, const ConfigEnvironment *environment)
{
    Places places = {0};
    Err *err = places_of(gate->cli, environment, true, &places);
    if (err != NULL) {
        Post *post = add_post(gate, &(Place){.environment = environment->name, .suffix = ""});
        post->fixed = true;
        post->answer = gate_unknown(post->arena, err);
    }
    for (size_t i = 0; i < places.len; i++)
        (void)add_post(gate, &places.items[i]);
}

static Err *add_posts(Gate *gate)
{
    Cli *cli = gate->cli;
    const Config *config = cli->args.config;
    const Setting *wanted = cli_setting(cli, OPT_ENV);
    for (size_t i = 0; i < wanted->list_count; i++)
        add_environment(gate, config_environment(config, wanted->list[i]));
    for (size_t i = 0; cli->args.everywhere && i < config->environments.len; i++)
        add_environment(gate, config->environments.items[i]);
    if (gate->posts.len > 0)
        return NULL;
    if (cli_given(cli, OPT_DATABASE))
        return err_hint(err_new(ERR_USAGE, "--database is one of an environment's, and there is no --env"),
                        "name it in --url, or give --env as well");
    Place place = {.target = cli_target(cli), .suffix = ""};
    TRY(engine_for_url(cli->engines, cli->engine_count, place.target.url, &place.ops));
    (void)add_post(gate, &place);
    return NULL;
}

/* ---- looking -------------------------------------------------------------------------------- */

static void look_at(void *context, size_t at)
{
    Gate *gate = context;
    Post *post = &gate->posts.items[at];
    if (post->fixed)
        return;
    arena_clear(post->arena);
    gate_look(gate->cli, post->arena, &post->place, &gate->ask, &post->answer);
}

static size_t count_of(const Gate *gate, GateState state)
{
    size_t count = 0;
    for (size_t i = 0; i < gate->posts.len; i++)
        count += gate->posts.items[i].answer.state == state;
    return count;
}

static int code_of(const Gate *gate)
{
    int code = count_of(gate, GATE_SHUT) > 0 ? EXIT_HELD : EXIT_DONE;
    for (size_t i = 0; i < gate->posts.len; i++) {
        const GateAnswer *answer = &gate->posts.items[i].answer;
        if (answer->state == GATE_UNKNOWN && code != EXIT_USAGE)
            code = answer->code;
    }
    return code;
}

static void say_waiting(const Gate *gate, size_t open)
{
    Page page = term_lines_err(&gate->cli->term);
    page_putf(&page, STYLE_DIM, "waiting: %zu of %zu databases let it through\n", open, gate->posts.len);
    term_show_err(&gate->cli->term, &page, false);
}

/* Looks again until it is open everywhere, the time is up, or somebody stops us. */
static Err *watch(Gate *gate)
{
    Cli *cli = gate->cli;
    int64_t deadline_ms = clock_ms() + cli_setting(cli, OPT_WAIT)->number, pause_ms = FIRST_PAUSE_MS,
            said_ms = 0;
    size_t said = SIZE_MAX;
    for (;;) {
        places_each(cli, gate->posts.len, look_at, gate);
        TRY(stop_check(&cli->stop));
        size_t open = count_of(gate, GATE_OPEN);
        int64_t left_ms = deadline_ms - clock_ms();
        if (open == gate->posts.len || !cli_given(cli, OPT_WAIT) || left_ms <= 0 ||
            code_of(gate) == EXIT_USAGE)
            return NULL;
        if (open != said || clock_ms() - said_ms > SAID_EVERY_MS) {
            say_waiting(gate, open);
            said = open;
            said_ms = clock_ms();
        }
        stop_sleep(&cli->stop, pause_ms < left_ms ? pause_ms : left_ms);
        TRY(stop_check(&cli->stop));
        pause_ms = pause_ms * 3 / 2 > LONGEST_PAUSE_MS ? LONGEST_PAUSE_MS : pause_ms * 3 / 2;
    }
}

/* ---- telling -------------------------------------------------------------------------------- */

static json_t *state_json(GateState state)
{
    return state == GATE_UNKNOWN ? json_null() : json_boolean(state == GATE_OPEN);
}

static json_t *post_json(const Post *post)
{
    const GateAnswer *answer = &post->answer;
    json_t *json =
        json_pack("{s:s?, s:s?, s:o, s:s?, s:s?, s:s?, s:s?, s:s?}", "environment", post->place.environment,
                  "database", post->place.label, "open", state_json(answer->state), "flag", answer->key,
                  "change", answer->change, "change_digest", answer->change_digest, "stage", answer->stage,
                  "missing", answer->state == GATE_SHUT ? answer->missing : NULL);
    json_object_set_new(json, "error",
                        answer->state == GATE_UNKNOWN
                            ? json_pack("{s:s?, s:s?}", "message", answer->missing, "hint", answer->hint)
                            : json_null());
    return json;
}

static void tell_json(const Gate *gate)
{
    json_t *list = json_array();
    bool open = count_of(gate, GATE_OPEN) == gate->posts.len;
    for (size_t i = 0; i < gate->posts.len; i++)
        json_array_append_new(list, post_json(&gate->posts.items[i]));
    json_t *object = json_pack("{s:i, s:s, s:s, s:o, s:o}", "v", 1, "column", gate->ask.column, "for",
                               cli_setting(gate->cli, OPT_FOR)->text, "open",
                               state_json(open                               ? GATE_OPEN
                                          : count_of(gate, GATE_UNKNOWN) > 0 ? GATE_UNKNOWN
                                                                             : GATE_SHUT),
                               "databases", list);
    term_json(&gate->cli->term, object, true);
    json_decref(object);
}

static void tell_people(const Gate *gate)
{
    static const char *const words[] = {"open", "missing", "unknown"};
    static const Style styles[] = {STYLE_GREEN, STYLE_YELLOW, STYLE_RED};
    Cli *cli = gate->cli;
    Page page = term_lines_out(&cli->term);
    int width = 0;
    for (size_t i = 0; i < gate->posts.len; i++) {
        int columns = text_columns(place_name(cli->arena, &gate->posts.items[i].place));
        width = columns > width ? columns : width;
    }
    for (size_t i = 0; i < gate->posts.len; i++) {
        const Post *post = &gate->posts.items[i];
        page_put(&page, STYLE_BOLD, place_name(cli->arena, &post->place));
        page_to(&page, width + 2);
        page_put(&page, styles[post->answer.state], words[post->answer.state]);
        if (post->answer.missing != NULL) {
            page_to(&page, width + 11);
            page_put(&page, STYLE_PLAIN, post->answer.missing);
        }
        page_newline(&page);
    }
    page_putf(&page, STYLE_BOLD, "%s for %s", gate->ask.column, cli_setting(cli, OPT_FOR)->text);
    page_put(&page, STYLE_PLAIN, ": ");
    int code = code_of(gate);
    page_put(&page,
             styles[code == EXIT_DONE   ? 0
                    : code == EXIT_HELD ? 1
                                        : 2],
             code == EXIT_DONE   ? "open"
             : code == EXIT_HELD ? "not yet"
                                 : "cannot be told");
    page_newline(&page);
    term_show_out(&cli->term, &page);
}

/* ---- the verb ------------------------------------------------------------------------------- */

static Err *read_ask(Cli *cli, GateAsk *ret_ask)
{
    const char *column = cli->args.positional, *use = cli_setting(cli, OPT_FOR)->text;
    if (column == NULL || strchr(column, '.') == NULL)
        return err_hint(err_new(ERR_USAGE, "which column?"), "stoa gate TABLE.COLUMN --for read");
    if (use == NULL)
        return err_hint(
            err_new(ERR_USAGE, "what does the code that is to be deployed do with \"%s\"?", column),
            "give --for write, read or drop");
    ret_ask->column = column;
    ret_ask->use = str_eq(use, "write") ? FLAG_WRITE : str_eq(use, "read") ? FLAG_READ : FLAG_DROP_READY;
    return NULL;
}

Err *cmd_gate(Cli *cli)
{
    Gate gate = {.cli = cli};
    TRY(read_ask(cli, &gate.ask));
    Err *err = add_posts(&gate);
    if (err == NULL)
        err = watch(&gate);
    if (err == NULL) {
        cli->exit_code = code_of(&gate);
        if (cli->term.json)
            tell_json(&gate);
        else
            tell_people(&gate);
    }
    for (size_t i = 0; i < gate.posts.len; i++)
        arena_free(gate.posts.items[i].arena);
    if (err_is(err, ERR_STOPPED))
        return err_wrap(err, "the gate is not open");
    return err;
}
