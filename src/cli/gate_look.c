/* One database: its flags say whether, its changes say why not, and its catalog has the last word. */
#include "cli/gate.h"

#include "base/str.h"
#include "cli/show.h"
#include "serve/flag_facts.h"

#include <stdlib.h>
#include <string.h>

typedef struct Looking {
    Arena *arena;
    const GateAsk *ask;
    RunView *view;
    const json_t *changes;
    FlagSet *set;
    GateAnswer *answer;
    bool one_change; /* one of the column's is asked for by name */
} Looking;

GateAnswer gate_unknown(Arena *arena, Err *err)
{
    char *text = err_text(err);
    const char *hint = err_first_hint(err);
    bool usage = err_is(err, ERR_USAGE) || err_is(err, ERR_CONFIG);
    GateAnswer answer = {.state = GATE_UNKNOWN,
                         .missing = arena_dup(arena, text),
                         .hint = hint == NULL ? NULL : arena_dup(arena, hint),
                         .code = usage ? EXIT_USAGE : EXIT_CONNECT};
    free(text);
    err_free(err);
    return answer;
}

/* ---- the name ------------------------------------------------------------------------------- */

/* "orders.paid@CHANGE" as the key "acme.orders.paid.read@CHANGE", where the place is the schema acme. */
static const char *key_of(Arena *arena, const Place *place, const GateAsk *ask, bool *ret_one_change)
{
    const char *quote = strrchr(ask->column, '"'), *at = strrchr(ask->column, '@');
    if (at != NULL && quote != NULL && at < quote)
        at = NULL;
    *ret_one_change = at != NULL;
    size_t len = at == NULL ? strlen(ask->column) : (size_t)(at - ask->column), parts = 1;
    const char *name = arena_dupn(arena, ask->column, len), *before = "";
    for (const char *c = flag_key_plain(arena, name); *c != '\0'; c++)
        parts += *c == FLAG_PART_END;
    if (at != NULL && strchr(at + 1, '@') == NULL) /* changes of this place have its name behind theirs */
        at = arena_printf(arena, "%s%s", at, place->suffix);
    if (place->suffix[0] == '@' && parts == 2)
        before = arena_printf(arena, "%s.", flag_key_part(arena, place->suffix + 1));
    return arena_printf(arena, "%s%s.%s%s", before, name, flag_kind_name(ask->use), at == NULL ? "" : at);
}

/* ---- what is missing ------------------------------------------------------------------------ */

/* The newest of the name, since one may have been aborted and begun again. */
static const json_t *change_named(const Looking *looking, const char *name)
{
    const json_t *found = NULL, *each = NULL;
    size_t i = 0;
    json_array_foreach(looking->changes, i, each) if (str_eq(text_of(each, "name"), name)) found = each;
    return found;
}

static const char *held_text(Arena *arena, const Flag *flag)
{
    const char *reason = text_of(flag->said, "reason");
    return arena_printf(arena, "held back by %s%s%s", text_of(flag->said, "account"),
                        *reason == '\0' ? "" : ": ", reason);
}

static const char *rows_text(Arena *arena, const json_t *change)
{
    double done = json_number_value(json_object_get(change, "rows_done"));
    double total = json_number_value(json_object_get(change, "rows_total"));
    return total > 0 ? arena_printf(arena, "%.0f %% of the rows are filled", 100 * done / total)
                     : "rows are not filled yet";
}

static bool drops(const json_t *change, const char *key, Arena *arena)
{
    const json_t *column = NULL;
    size_t i = 0;
    json_array_foreach(json_object_get(change, "columns"), i, column)
    {
        const char *name = arena_printf(
            arena, "schema.%s.%s.%s.", flag_key_part(arena, text_of(column, "schema")),
            flag_key_part(arena, text_of(column, "table")), flag_key_part(arena, text_of(column, "column")));
        if (str_starts(key, name) && str_eq(text_of(column, "is"), "dropped"))
            return true;
    }
    return false;
}

static const char *why_shut(const Looking *looking, const Flag *flag, const json_t *change)
{
    Arena *arena = looking->arena;
    const char *name = flag->change, *state = text_of(change, "state");
    FlagFacts facts = flag_facts(change);
    if (flag->ended)
        return arena_printf(arena, "%s",
                            facts.ended ? arena_printf(arena, "%s is %s", name, state)
                                        : "the column was dropped");
    if (flag->off)
        return held_text(arena, flag);
    if (looking->ask->use == FLAG_DROP_READY)
        return drops(change, flag->key, arena)
                   ? arena_printf(arena, "%s has not shown yet that nobody uses it (stoa complete)", name)
                   : "no change drops it";
    const char *what = !facts.expanded ? "the column is not in its place yet"
                       : !facts.filled ? rows_text(arena, change)
                       : facts.ready   ? "is ready"
                                       : "the rows are not verified yet, or a replica has not replayed them";
    const char *error = text_of(change, "error"), *held = text_of(change, "throttled_by");
    return arena_printf(arena, "%s is %s: %s%s%s", name, state, what,
                        *error != '\0' || *held != '\0' ? "; " : "", *error != '\0' ? error : held);
}

static void take_change(const Looking *looking, const Flag *flag, const json_t *change)
{
    Arena *arena = looking->arena;
    FlagFacts facts = flag_facts(change);
    looking->answer->key = arena_dup(arena, flag->key);
    looking->answer->change = arena_dup(arena, flag->change);
    looking->answer->change_digest = arena_dup(arena, text_of(change, "change_digest"));
    looking->answer->stage = flag_stage(&facts);
}

/* The flag that was asked for, and those of later changes of the same column: every one that lives has to be
 * true. */
static void hold_against_flags(const Looking *looking, const Flag *asked)
{
    Arena *arena = looking->arena;
    const char *further = arena_printf(arena, "%s@", asked->key);
    take_change(looking, asked, change_named(looking, asked->change));
    for (size_t i = 0; i < flagset_count(looking->set); i++) {
        const Flag *flag = flagset_at(looking->set, i);
        bool later = !looking->one_change && str_starts(flag->key, further) && !flag->ended &&
                     asked->kind != FLAG_DROP_READY;
        if ((flag != asked && !later) || flag->in.on)
            continue;
        const json_t *change = change_named(looking, flag->change);
        take_change(looking, flag, change);
        looking->answer->state = GATE_SHUT;
        looking->answer->missing = why_shut(looking, flag, change);
        return;
    }
    looking->answer->state = GATE_OPEN;
}

/* ---- the catalog ---------------------------------------------------------------------------- */

/* Somebody else may have taken the column away. */
static Err *hold_against_catalog(const Looking *looking)
{
    GateAnswer *answer = looking->answer;
    char *plain = flag_key_plain(looking->arena, answer->key), *parts[4] = {0};
    if (answer->state != GATE_OPEN || looking->ask->use == FLAG_DROP_READY)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(parts) && plain != NULL; i++) {
        parts[i] = plain;
        plain = strchr(plain, FLAG_PART_END);
        if (plain != NULL)
            *plain++ = '\0';
    }
    bool there = false;
    if (parts[3] != NULL)
        TRY(run_view_column(looking->view, looking->arena, parts[1], parts[2], parts[3], &there));
    if (there)
        return NULL;
    answer->state = GATE_SHUT;
    answer->missing = "the journal says that it is there, and the table has no such column";
    return NULL;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static Err *judge(Looking *looking, const Place *place)
{
    const char *why = "";
    const Flag *flag = flagset_find(looking->set, looking->arena,
                                    key_of(looking->arena, place, looking->ask, &looking->one_change), &why);
    if (flag == NULL && !str_starts(why, "no change "))
        return err_hint(err_new(ERR_USAGE, "\"%s\": %s", looking->ask->column, why),
                        "name its schema as well: SCHEMA.TABLE.COLUMN");
    if (flag == NULL) {
        *looking->answer =
            (GateAnswer){.state = GATE_SHUT, .missing = "no change in the journal adds or changes it"};
        return NULL;
    }
    hold_against_flags(looking, flag);
    return hold_against_catalog(looking);
}

static Err *look(Looking *looking, const Place *place)
{
    json_t *changes = NULL, *events = NULL;
    TRY(run_view_look(looking->view, looking->arena, -1, &changes, &events));
    const Server *server = run_view_server(looking->view);
    looking->changes = changes;
    looking->set = flagset_make(&(FlagSource){.changes = changes,
                                              .said = run_view_flags(looking->view),
                                              .database = server->database,
                                              .system = server->system_id == NULL ? "" : server->system_id});
    Err *err = judge(looking, place);
    flagset_free(looking->set);
    json_decref(changes);
    json_decref(events);
    return err;
}

void gate_look(Cli *cli, Arena *arena, const Place *place, const GateAsk *ask, GateAnswer *ret_answer)
{
    RunOptions options = place_options(cli, arena, place);
    Looking looking = {.arena = arena, .ask = ask, .answer = ret_answer};
    *ret_answer = (GateAnswer){.state = GATE_UNKNOWN};
    Err *err = run_view_open(&options, &looking.view);
    if (err == NULL) {
        err = look(&looking, place);
        run_view_close(looking.view);
    }
    if (err != NULL)
        *ret_answer = gate_unknown(arena, err);
}
