/* What people and programs are told of many databases. */
#include "cli/fleet.h"

#include "base/str.h"
#include "base/unit.h"
#include "cli/show.h"

#include <stdlib.h>
#include <string.h>

/* ---- work ----------------------------------------------------------------------------------- */

static const char *member_state(const FleetMember *member)
{
    return !member->over               ? "not begun"
           : member->none              ? "no such change"
           : member->code == 0         ? (member->state == NULL ? "done" : member->state)
           : member->code == EXIT_HELD ? "waiting"
                                       : "failed";
}

void fleet_show_member(Cli *cli, const FleetMember *member, int width)
{
    char time[UNIT_TEXT_BYTES], rows[UNIT_TEXT_BYTES];
    const char *state = member_state(member);
    if (cli->term.json)
        return;
    Page page = term_lines_out(&cli->term);
    page_put(&page, STYLE_BOLD, member->place->label);
    page_to(&page, width + 2);
    page_put(&page, style_of_state(state), state);
    page_to(&page, width + 14);
    page_putf(&page, STYLE_DIM, "%s", unit_duration_text(member->wall_ms, time));
    if (member->already)
        page_put(&page, STYLE_DIM, ", was done already");
    else if (member->rows > 0)
        page_putf(&page, STYLE_DIM, ", %s rows", unit_count_text(member->rows, rows));
    if (member->error != NULL && !member->none)
        page_putf(&page, STYLE_PLAIN, "  %s", member->error);
    page_newline(&page);
    term_show_out(&cli->term, &page);
}

static json_t *member_json(const FleetMember *member)
{
    json_t *json = json_pack("{s:s, s:s, s:b}", "database", member->place->label, "state",
                             member_state(member), "already_done", member->already);
    if (member->over)
        json_object_update_new(json,
                               json_pack("{s:i, s:I, s:I, s:I}", "exit_code", member->code, "total_ms",
                                         (json_int_t)member->wall_ms, "cpu_ms", (json_int_t)member->cpu_ms,
                                         "rows_filled", (json_int_t)member->rows));
    if (member->error != NULL && !member->none)
        json_object_set_new(json, "error",
                            json_pack("{s:s, s:s?}", "message", member->error, "hint", member->hint));
    return json;
}

static void end_json(Cli *cli, const FleetMember *members, size_t count, const FleetSum *sum)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, member_json(&members[i]));
    json_t *object = json_pack("{s:i, s:{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:o}}", "v", 1, "summary",
                               "environment", cli->args.environment->name, "done", (json_int_t)sum->done,
                               "failed", (json_int_t)sum->failed, "not_begun", (json_int_t)sum->left,
                               "without", (json_int_t)sum->none, "total_ms", (json_int_t)sum->wall_ms,
                               "cpu_ms", (json_int_t)sum->cpu_ms, "databases", list);
    term_json(&cli->term, object, false);
    json_decref(object);
}

void fleet_show_end(Cli *cli, const FleetMember *members, size_t count, const FleetSum *sum)
{
    char wall[UNIT_TEXT_BYTES];
    if (cli->term.json) {
        end_json(cli, members, count, sum);
        return;
    }
    Page page = term_lines_out(&cli->term);
    page_putf(&page, STYLE_BOLD, "%s", cli->args.environment->name);
    page_putf(&page, STYLE_PLAIN, ": %zu of %zu done", sum->done, count);
    if (sum->failed > 0)
        page_putf(&page, STYLE_RED, ", %zu not", sum->failed);
    if (sum->left > 0)
        page_putf(&page, STYLE_YELLOW, ", %zu not begun", sum->left);
    if (sum->none > 0)
        page_putf(&page, STYLE_DIM, ", %zu without the change", sum->none);
    page_putf(&page, STYLE_DIM, ", in %s\n", unit_duration_text(sum->wall_ms, wall));
    term_show_out(&cli->term, &page);
    if (sum->failed + sum->left == 0)
        return;
    Page hint = term_lines_err(&cli->term);
    for (size_t i = 0; i < count; i++)
        if (members[i].over && members[i].code != 0 && members[i].hint != NULL) {
            page_putf(&hint, STYLE_CYAN, "%s: ", members[i].place->label);
            page_putf(&hint, STYLE_PLAIN, "%s\n", members[i].hint);
        }
    page_put(&hint, STYLE_CYAN, "hint: ");
    page_put(&hint, STYLE_PLAIN, "the same command again goes on with what is not done\n");
    term_show_err(&cli->term, &hint, true);
}

/* ---- status --------------------------------------------------------------------------------- */

typedef struct Seen {
    Arena *arena;
    json_t *status; /* NULL where there is an error */
    Err *err;
} Seen;

typedef struct Status {
    Cli *cli;
    Places places;
    Seen *seen;
} Status;

static void look_at(void *context, size_t at)
{
    Status *status = context;
    Cli *cli = status->cli;
    Seen *seen = &status->seen[at];
    const Place *place = &status->places.items[at];
    RunOptions options = place_options(cli, seen->arena, place);
    const char *name = cli->args.positional;
    if (name != NULL && strchr(name, '@') == NULL)
        name = arena_printf(seen->arena, "%s%s", name, place->suffix);
    seen->err = run_status(&options, seen->arena, name, cli_given(cli, OPT_ALL), &seen->status);
    if (err_is(seen->err, ERR_USAGE) && str_starts(seen->err->msg, "no change ")) {
        err_free(seen->err);
        seen->err = NULL;
        seen->status = json_pack("{s:i, s:[]}", "v", 1, "changes");
    }
}

/* Schemas of one database share its journal: each shows its own. */
static bool is_of(const Place *place, const json_t *change)
{
    const char *at = strchr(text_of(change, "name"), '@');
    return str_eq(at == NULL ? "" : at, place->suffix);
}

/* Of one name, newest first, the one that counts: those that were undone before it come with --all. */
static json_t *changes_of(const Status *status, size_t at)
{
    json_t *own = json_array(), *each = NULL;
    size_t i = 0;
    bool one = status->cli->args.positional != NULL && !cli_given(status->cli, OPT_ALL);
    json_array_foreach(json_object_get(status->seen[at].status, "changes"), i, each)
    {
        if (is_of(&status->places.items[at], each) && !(one && json_array_size(own) > 0))
            json_array_append(own, each);
    }
    return own;
}

static json_t *error_json(const Err *err)
{
    char *text = err_text(err);
    json_t *json = json_pack("{s:s, s:s, s:s?}", "kind", err_kind_name(err->kind), "message", text, "hint",
                             err_first_hint(err));
    free(text);
    return json;
}

static void status_json(const Status *status)
{
    json_t *list = json_array();
    for (size_t i = 0; i < status->places.len; i++) {
        json_t *one = json_pack("{s:s}", "database", status->places.items[i].label);
        if (status->seen[i].err != NULL)
            json_object_set_new(one, "error", error_json(status->seen[i].err));
        else
            json_object_set_new(one, "changes", changes_of(status, i));
        json_array_append_new(list, one);
    }
    json_t *object = json_pack("{s:i, s:s, s:o}", "v", 1, "environment", status->cli->args.environment->name,
                               "databases", list);
    term_json(&status->cli->term, object, true);
    json_decref(object);
}

enum { CHANGE_COLUMNS = 34, STATE_COLUMNS = 12 };

static void row(Page *page, int width, const char *label, const json_t *change)
{
    const char *state = text_of(change, "state"), *name = text_of(change, "name");
    int64_t done = json_integer_value(json_object_get(change, "rows_done"));
    int64_t total = json_integer_value(json_object_get(change, "rows_total"));
    page_put(page, STYLE_BOLD, label);
    page_to(page, width + 2);
    page_putf(page, STYLE_PLAIN, "%.*s", (int)strcspn(name, "@"), name);
    page_to(page, width + 2 + CHANGE_COLUMNS);
    page_put(page, style_of_state(state), state);
    page_to(page, width + 2 + CHANGE_COLUMNS + STATE_COLUMNS);
    if (!str_eq(state, "ready") && !str_eq(state, "completed"))
        page_put(page, STYLE_PLAIN, text_of(change, "phase"));
    if (total > done && total > 0)
        page_putf(page, STYLE_PLAIN, " %.0f %%", 100.0 * (double)done / (double)total);
    if (*text_of(change, "throttled_by") != '\0')
        page_putf(page, STYLE_YELLOW, " waiting: %s", text_of(change, "throttled_by"));
    if (*text_of(change, "error") != '\0')
        page_putf(page, STYLE_RED, " %s", text_of(change, "error"));
    page_newline(page);
}

typedef struct Count {
    const char *state;
    size_t count;
} Count;

static void count_state(Count *counts, size_t most, const char *state)
{
    size_t i = 0;
    while (i + 1 < most && counts[i].state != NULL && !str_eq(counts[i].state, state))
        i++;
    counts[i].state = state;
    counts[i].count++;
}

static void status_table(const Status *status, json_t *const *own)
{
    enum { STATES_MOST = 16 };
    Count counts[STATES_MOST] = {0};
    Page page = term_lines_out(&status->cli->term);
    int width = 8;
    for (size_t i = 0; i < status->places.len; i++) {
        int columns = text_columns(status->places.items[i].label);
        width = columns > width ? columns : width;
    }
    for (size_t i = 0; i < status->places.len; i++) {
        const char *label = status->places.items[i].label;
        size_t j = 0;
        const json_t *change = NULL;
        if (status->seen[i].err != NULL || json_array_size(own[i]) == 0) {
            const char *what = status->seen[i].err != NULL ? "unreachable" : "no change";
            page_put(&page, STYLE_BOLD, label);
            page_to(&page, width + 2);
            page_put(&page, status->seen[i].err != NULL ? STYLE_RED : STYLE_DIM,
                     status->seen[i].err != NULL ? status->seen[i].err->msg : "–");
            page_newline(&page);
            count_state(counts, STATES_MOST, what);
        }
        json_array_foreach(own[i], j, change)
        {
            row(&page, width, label, change);
            count_state(counts, STATES_MOST, text_of(change, "state"));
        }
    }
    page_putf(&page, STYLE_BOLD, "%s", status->cli->args.environment->name);
    page_putf(&page, STYLE_PLAIN, ", %zu databases:", status->places.len);
    for (size_t i = 0; i < STATES_MOST && counts[i].state != NULL; i++)
        page_putf(&page, style_of_state(counts[i].state), " %zu %s%s", counts[i].count, counts[i].state,
                  i + 1 < STATES_MOST && counts[i + 1].state != NULL ? "," : "");
    page_newline(&page);
    term_show_out(&status->cli->term, &page);
}

static void show_status_all(const Status *status)
{
    json_t **own = arena_alloc(status->cli->arena, (status->places.len + 1) * sizeof *own);
    if (status->cli->term.json) {
        status_json(status);
        return;
    }
    for (size_t i = 0; i < status->places.len; i++)
        own[i] = changes_of(status, i);
    status_table(status, own);
    for (size_t i = 0; i < status->places.len; i++)
        json_decref(own[i]);
}

Err *fleet_status(Cli *cli)
{
    Status status = {.cli = cli};
    TRY(places_of(cli, cli->args.environment, true, &status.places));
    status.seen = arena_alloc(cli->arena, status.places.len * sizeof *status.seen);
    for (size_t i = 0; i < status.places.len; i++)
        status.seen[i].arena = arena_new();
    places_each(cli, status.places.len, look_at, &status);
    Err *err = stop_check(&cli->stop);
    if (err == NULL)
        show_status_all(&status);
    for (size_t i = 0; i < status.places.len; i++) {
        if (status.seen[i].err != NULL)
            cli->exit_code = exit_for(status.seen[i].err->kind);
        err_free(status.seen[i].err);
        json_decref(status.seen[i].status);
        arena_free(status.seen[i].arena);
    }
    return err;
}
