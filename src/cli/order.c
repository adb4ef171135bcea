/* Looks for the change in the journals of the environments before. */
#include "cli/order.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

enum { SHOWN_MOST = 8 };

typedef struct Look {
    Place place;
    Arena *arena;
    FoundChange found;
    Err *err;
} Look;

typedef struct Order {
    Cli *cli;
    const Change *change;
    VEC(Look) looks;
} Order;

static void look_at(void *context, size_t at)
{
    Order *order = context;
    Look *look = &order->looks.items[at];
    RunOptions options = place_options(order->cli, look->arena, &look->place);
    look->err = run_find(&options, look->arena, order->change->change_digest, order->change->name,
                         look->place.suffix, &look->found);
}

static void add_looks(Order *order, const Places *places)
{
    for (size_t i = 0; i < places->len; i++)
        *vec_push(order->cli->arena, &order->looks) = (Look){.place = places->items[i], .arena = arena_new()};
}

static void end_looks(Order *order)
{
    for (size_t i = 0; i < order->looks.len; i++) {
        arena_free(order->looks.items[i].arena);
        err_free(order->looks.items[i].err);
    }
    order->looks.len = 0;
}

static bool is_fine(const Look *look) { return look->err == NULL && look->found.same && look->found.ready; }

/* What is missing there. */
static const char *lack(Arena *arena, const Change *change, const Look *look)
{
    const FoundChange *found = &look->found;
    if (look->err != NULL) {
        char *text = err_text(look->err);
        const char *why = arena_printf(arena, "cannot be looked at (%s)", text);
        free(text);
        return why;
    }
    if (found->name == NULL)
        return "not applied";
    if (!found->same)
        return arena_printf(arena, "has another content under this name: %s there, %s here",
                            found->change_digest, change->change_digest);
    return arena_printf(arena, "%s (%s)", found->state, found->phase);
}

/* Where it is missing, for people; the objects join the error's JSON. *ret_unknown: nothing is missing for
 * sure. */
static const char *lacks_text(Order *order, json_t *list, bool *ret_unknown)
{
    CLEANUP(str_donep) Str text = STR_INIT;
    Arena *arena = order->cli->arena;
    size_t shown = 0, count = 0;
    *ret_unknown = true;
    for (size_t i = 0; i < order->looks.len; i++) {
        const Look *look = &order->looks.items[i];
        if (is_fine(look))
            continue;
        const char *why = lack(arena, order->change, look);
        *ret_unknown = *ret_unknown && look->err != NULL;
        json_array_append_new(list,
                              json_pack("{s:s, s:s?, s:s, s:s?, s:s?, s:s}", "environment",
                                        look->place.environment, "database", look->place.label, "missing",
                                        why, "state", look->found.state, "change_digest",
                                        look->found.change_digest, "expected", order->change->change_digest));
        count++;
        if (shown == SHOWN_MOST)
            continue;
        shown++;
        str_sep(&text, "; ");
        str_addf(&text, "%s: %s", place_name(arena, &look->place), why);
    }
    if (count > shown)
        str_addf(&text, "; and %zu more", count - shown);
    return count == 0 ? NULL : arena_dup(arena, text.buf);
}

/* Databases of an environment that cannot even be listed: nothing of it is known. */
static Err *look_everywhere(Order *order, const ConfigEnvironment *environment)
{
    for (size_t i = 0; i < environment->after_count; i++) {
        const ConfigEnvironment *before = config_environment(order->cli->args.config, environment->after[i]);
        Places places = {0};
        Err *err = places_of(order->cli, before, false, &places);
        if (err != NULL && exit_for(err->kind) != EXIT_CONNECT && err->kind != ERR_CONFIG)
            return err;
        if (err == NULL) {
            add_looks(order, &places);
            continue;
        }
        Place whole = {.environment = before->name, .suffix = ""};
        *vec_push(order->cli->arena, &order->looks) =
            (Look){.place = whole, .arena = arena_new(), .err = err};
    }
    return NULL;
}

/* Those whose places are not known have their error already. */
static void look_at_known(void *context, size_t at)
{
    Order *order = context;
    if (order->looks.items[at].err == NULL)
        look_at(context, at);
}

/* It was let in before: going on is no new step. */
static Err *is_begun(Cli *cli, const Change *change, bool *ret_begun)
{
    Order here = {.cli = cli, .change = change};
    Places places = {0};
    TRY(places_of(cli, cli->args.environment, true, &places));
    add_looks(&here, &places);
    places_each(cli, here.looks.len, look_at, &here);
    *ret_begun = true;
    for (size_t i = 0; i < here.looks.len; i++)
        *ret_begun = *ret_begun && here.looks.items[i].err == NULL && here.looks.items[i].found.same;
    end_looks(&here);
    return NULL;
}

static Err *refuse(Cli *cli, const Change *change, const char *text, json_t *list, bool unknown)
{
    const ConfigEnvironment *here = cli->args.environment;
    cli->error_problems = json_incref(list);
    if (unknown)
        return err_hint(err_new(ERR_CONNECT,
                                "it cannot be told whether \"%s\" is ready in the environments before %s: %s",
                                change->name, here->name, text),
                        "make it reachable, or give --out-of-order REASON");
    return err_hint(err_new(ERR_UNSAFE, "\"%s\" is not ready in the environments before %s: %s", change->name,
                            here->name, text),
                    "apply it there first (stoa apply --env %s), or give --out-of-order REASON",
                    here->after[0]);
}

static const RunNote *make_note(Cli *cli, const char *reason, const char *text, const json_t *list)
{
    RunNote *note = arena_alloc(cli->arena, sizeof *note);
    const char *env = cli->args.environment->name;
    note->kind = "out_of_order";
    note->text = arena_printf(cli->arena, "begun in %s out of order: %s (missing: %s)", env, reason, text);
    note->detail = json_pack("{s:s, s:s, s:O}", "environment", env, "reason", reason, "missing", list);
    return note;
}

static Err *judge(Order *order, const RunNote **ret_note)
{
    Cli *cli = order->cli;
    const char *reason = cli_setting(cli, OPT_OUT_OF_ORDER)->text;
    json_t *list = json_array();
    bool unknown = false, begun = false;
    Err *err = NULL;
    const char *text = lacks_text(order, list, &unknown);
    if (text != NULL && reason != NULL)
        *ret_note = make_note(cli, reason, text, list);
    else if (text != NULL)
        err = is_begun(cli, order->change, &begun);
    if (err == NULL && text != NULL && reason == NULL && !begun)
        err = refuse(cli, order->change, text, list, unknown);
    json_decref(list);
    return err;
}

Err *order_check(Cli *cli, const Change *change, const RunNote **ret_note)
{
    const ConfigEnvironment *environment = cli->args.environment;
    Order order = {.cli = cli, .change = change};
    *ret_note = NULL;
    if (environment == NULL && cli_given(cli, OPT_OUT_OF_ORDER))
        return err_hint(
            err_new(ERR_USAGE, "--out-of-order is about the order of environments, and there is no --env"),
            "leave it out");
    if (environment == NULL || environment->after_count == 0)
        return NULL;
    Err *err = look_everywhere(&order, environment);
    if (err == NULL) {
        places_each(cli, order.looks.len, look_at_known, &order);
        err = stop_check(&cli->stop);
    }
    if (err == NULL)
        err = judge(&order, ret_note);
    end_looks(&order);
    return err;
}
