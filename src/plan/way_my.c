/* Which way a statement goes: in the table itself, or in a shadow of it. */
#include "plan/maker_my.h"

#include <string.h>

enum {
    QUICK_MS = 1000,        /* a build that replicas follow within a second */
    TINY_ROWS = 1000,       /* … or so small that it is copied within --max-stall */
    TINY_BYTES = 512 << 10, /* by the statistics, which count whole extents; the rows are counted */
};

/* A table that is copied in no time: nobody waits longer than --max-stall, at which the executor ends it. */
bool is_tiny_my(const WorkMy *work)
{
    const Table *table = work->table;
    return table->kind == RELATION_MISSING || /* the change makes it */
           table->empty ||
           (table->my != NULL && table->my->row_count >= 0 && table->my->row_count <= TINY_ROWS &&
            table->total_bytes <= TINY_BYTES);
}

/* What rewrites rows without another definition, because that is all that is asked. */
static bool asks_rebuild(const AskedMy *asked)
{
    static const char *const options[] = {"ENGINE", "ROW_FORMAT", "KEY_BLOCK_SIZE"};
    for (size_t i = 0; i < asked->my->action_count; i++) {
        const MyAction *action = &asked->my->actions[i];
        if (action->kind == MY_ACTION_FORCE || action->kind == MY_ACTION_ORDER_BY)
            return true;
        if (action->kind == MY_ACTION_PARTITION && !action->if_exists && !action->if_not_exists)
            return true; /* REBUILD, OPTIMIZE, REPAIR, and what is not told apart */
        for (size_t k = 0; action->kind == MY_ACTION_OPTION && k < ARRAY_LEN(options); k++)
            if (str_eq(action->option, options[k]))
                return true;
    }
    return false;
}

/* What the server said to the cheapest way that it refused last. */
static const char *words_of(Arena *arena, const Ladder *ladder)
{
    const char *reason = NULL;
    for (size_t i = 0; i < ladder->try_count; i++)
        if (!ladder->tries[i].ok && ladder->tries[i].reason != NULL)
            reason = ladder->tries[i].reason;
    return reason == NULL ? "" : arena_printf(arena, " (the server: %s)", reason);
}

static const char *rung_words(const MakerMy *maker, const Ladder *ladder)
{
    Arena *arena = maker->arena;
    const char *replicas =
        maker_replicates(maker) ? ", and each replica does it again, behind everything else" : "";
    switch (ladder->rung) {
    case RUNG_INSTANT:
        return "the server changes its catalog alone";
    case RUNG_METADATA:
        return "the server does it in place and writes neither rows nor indexes";
    case RUNG_NOCOPY:
    case RUNG_INPLACE:
        return arena_printf(arena, "the server %s in place while writers go on%s",
                            ladder->rebuilds ? "rebuilds the table" : "builds an index", replicas);
    case RUNG_ONLINE_COPY:
        return arena_printf(
            arena,
            "the server copies the table while writers go on, in one piece that cannot be slowed "
            "down or resumed%s",
            replicas);
    case RUNG_SHARED:
        return arena_printf(arena, "the server would stop writers while it works%s", words_of(arena, ladder));
    case RUNG_EXCLUSIVE:
        return arena_printf(arena, "the server would stop readers and writers while it works%s",
                            words_of(arena, ladder));
    case RUNG_REFUSED:
        break;
    }
    return "the server refuses it";
}

static Err *refused(const WorkMy *work, const AskedMy *asked)
{
    const Ladder *ladder = &asked->ladder;
    return err_hint(err_new(ERR_USAGE, "the server refuses the change of \"%s\": %s",
                            work->operations[0]->table.name,
                            ladder->try_count > 0 && ladder->tries[ladder->try_count - 1].reason != NULL
                                ? ladder->tries[ladder->try_count - 1].reason
                                : "without a word"),
                    "tried on an empty copy of the table; nothing was changed");
}

/* NULL, or why it is not done in the table itself unless that is asked for. */
static const char *native_blocker(const MakerMy *maker, const WorkMy *work, const AskedMy *asked)
{
    const Ladder *ladder = &asked->ladder;
    const MyServer *my = maker->server->my;
    bool cluster = my->galera || my->group_replication;
    if (ladder_is_cheap(ladder))
        return NULL;
    if (is_tiny_my(work) && !cluster)
        return NULL;
    if (cluster)
        return "on a cluster the whole of it waits while the table is worked on";
    bool lags = maker_replicates(maker) && !maker_accepts_my(maker, "replica-lag");
    bool quick = ladder->rung <= RUNG_INPLACE && estimate_build_my(work->table).high <= QUICK_MS;
    if (ladder->rung <= RUNG_INPLACE && quick)
        return NULL;
    if (ladder->rung <= RUNG_INPLACE && !lags &&
        (!ladder->rebuilds || maker_accepts_my(maker, "replica-lag")))
        return NULL;
    if (ladder->rung == RUNG_ONLINE_COPY && !lags && maker_accepts_my(maker, "online-copy"))
        return NULL;
    return rung_words(maker, ladder);
}

static Err *check_algorithm(const WorkMy *work, const AskedMy *asked, Way way)
{
    for (size_t i = 0; i < work->count; i++) {
        const Operation *operation = work->operations[i];
        const char *algorithm = operation->algorithm;
        Rung most = str_eq(algorithm, "INSTANT")  ? RUNG_INSTANT
                    : str_eq(algorithm, "NOCOPY") ? RUNG_NOCOPY
                                                  : RUNG_INPLACE;
        if (algorithm == NULL || way == WAY_NOTHING || (way == WAY_NATIVE && asked->ladder.rung <= most))
            continue;
        return err_hint(err_new(ERR_UNSAFE,
                                "line %d asks for ALGORITHM=%s, but that is not what will be done",
                                operation->line, algorithm),
                        "leave the clause out to see the plan, and its reasons");
    }
    return NULL;
}

static Err *no_way(const WorkMy *work, const char *native, const char *shadow, const char *hint)
{
    Err *err = err_new(ERR_UNSAFE, "\"%s\": %s; and it cannot be copied beside the application: %s",
                       work->operations[0]->table.name, native, shadow);
    return err_hint(err, "%s",
                    hint != NULL ? hint
                                 : "--strategy in-place, where the server can do it while writers go on");
}

/* What --strategy asks for, or a refusal with the reason why it cannot be. */
static Err *forced(MakerMy *maker, const WorkMy *work, const AskedMy *asked, Way *ret_way)
{
    const Ladder *ladder = &asked->ladder;
    const char *table = work->operations[0]->table.name, *hint = NULL;
    const char *words = rung_words(maker, ladder);
    const MyServer *my = maker->server->my;
    *ret_way = WAY_NATIVE;
    switch (maker->input->options.strategy) {
    case STRATEGY_AUTO:
        break;
    case STRATEGY_INSTANT:
        if (!ladder_is_cheap(ladder))
            return err_hint(err_new(ERR_UNSAFE, "\"%s\" cannot be changed at once: %s", table, words),
                            "leave --strategy out");
        break;
    case STRATEGY_IN_PLACE:
        if (!ladder_is_cheap(ladder) && (my->galera || my->group_replication) &&
            work->table->kind != RELATION_MISSING)
            return err_hint(err_new(ERR_UNSAFE,
                                    "\"%s\" cannot be changed in place: on a cluster the whole of it waits "
                                    "while the table is worked on",
                                    table),
                            "make the change node by node (a rolling upgrade), outside of Stoa");
        if (ladder->rung > RUNG_ONLINE_COPY && !is_tiny_my(work))
            return err_hint(err_new(ERR_UNSAFE, "\"%s\" cannot be changed in place: %s", table, words),
                            "leave --strategy out");
        break;
    case STRATEGY_SHADOW: {
        if (work->table->kind == RELATION_MISSING)
            break; /* the change makes it: nothing is there to be copied */
        const char *blocker = shadow_blocker_my(maker, work, asked, &hint);
        if (blocker != NULL)
            return err_hint(err_new(ERR_UNSAFE, "\"%s\" cannot be copied: %s", table, blocker), "%s",
                            hint != NULL ? hint : "leave --strategy out");
        *ret_way = WAY_SHADOW;
        break;
    }
    }
    return NULL;
}

void way_note_my(MakerMy *maker, const WorkMy *work, const AskedMy *asked, Way way)
{
    Arena *arena = maker->arena;
    const char *table = work->operations[0]->table.name, *words = words_of_my(arena, asked);
    if (way == WAY_SHADOW && str_eq(asked->ladder.before, asked->ladder.after))
        maker_risk_my(
            maker, "way", NULL,
            arena_printf(arena,
                         "%s (%s): a shadow table, because a rebuild in place leaves nothing by which "
                         "one could see whether it is done",
                         table, words));
    else if (fills_my(maker, table, asked))
        fill_note_my(maker, work, asked, way);
    else if (way == WAY_SHADOW && ladder_is_cheap(&asked->ladder))
        maker_risk_my(maker, "way", NULL,
                      arena_printf(arena, "%s (%s): a shadow table, as asked for", table, words));
    else if (way == WAY_SHADOW)
        maker_risk_my(maker, "way", NULL,
                      arena_printf(arena, "%s (%s): a shadow table, because %s", table, words,
                                   rung_words(maker, &asked->ladder)));
    else if (way == WAY_NATIVE && work->table->kind != RELATION_MISSING && is_tiny_my(work) &&
             !ladder_is_cheap(&asked->ladder))
        maker_risk_my(maker, "way", NULL,
                      arena_printf(arena,
                                   "%s (%s): in the table itself, because it is so small that nobody waits "
                                   "longer than --max-stall",
                                   table, words));
    else if (way == WAY_NATIVE && work->table->kind != RELATION_MISSING)
        maker_risk_my(maker, "way", NULL,
                      arena_printf(arena, "%s (%s): %s", table, words, rung_words(maker, &asked->ladder)));
}

static Err *choose(MakerMy *maker, const WorkMy *work, const AskedMy *asked, Way *ret_way)
{
    const char *hint = NULL;
    bool same = str_eq(asked->ladder.before, asked->ladder.after);
    bool counter = counter_said_my(maker->arena, asked) != NULL;
    if (same && counter && ladder_is_cheap(&asked->ladder) && !asks_rebuild(asked)) {
        *ret_way = WAY_NATIVE; /* done twice, it is as done once */
        return NULL;
    }
    if (same && !counter && !asks_rebuild(asked)) {
        *ret_way = WAY_NOTHING;
        return NULL;
    }
    if (!same && fills_my(maker, work->operations[0]->table.name, asked))
        return fill_choose_my(maker, work, asked, ret_way);
    /* With the same definition before and after, nothing would tell whether a statement was carried out. */
    if (!same && maker->input->options.strategy != STRATEGY_AUTO)
        return forced(maker, work, asked, ret_way);
    const char *native = same ? "a rebuild leaves nothing by which one could see whether it is done"
                              : native_blocker(maker, work, asked);
    *ret_way = native == NULL ? WAY_NATIVE : WAY_SHADOW;
    if (native == NULL)
        return NULL;
    const char *shadow = shadow_blocker_my(maker, work, asked, &hint);
    if (shadow == NULL)
        return NULL;
    bool online = asked->ladder.rung <= RUNG_INPLACE && !same && maker->server->my->galera == false &&
                  !maker->server->my->group_replication;
    if (!online)
        return no_way(work, native, shadow, hint);
    *ret_way = WAY_NATIVE; /* writers go on: what it costs is to be accepted */
    return NULL;
}

Err *way_choose_my(MakerMy *maker, const WorkMy *work, const AskedMy *asked, Way *ret_way)
{
    if (asked->ladder.rung == RUNG_REFUSED)
        return refused(work, asked);
    TRY(choose(maker, work, asked, ret_way));
    return check_algorithm(work, asked, *ret_way);
}
