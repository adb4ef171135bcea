/* A rehearsal from the first look at the source to the prediction. */
#include "rehearse/rehearse.h"

#include "base/str.h"
#include "base/unit.h"
#include "plan/plan.h"
#include "rehearse/climb.h"
#include "rehearse/mask.h"
#include "rehearse/past.h"
#include "rehearse/source.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static const double USUAL_SHARE = 0.1;
static const int64_t LEAST_ROWS = 20000, MOST_ROWS = 2000000;

static void say(const RehearseOptions *options, const char *fmt, ...) PRINTF(2, 3);
static void say(const RehearseOptions *options, const char *fmt, ...)
{
    if (options->say == NULL)
        return;
    va_list args;
    va_start(args, fmt);
    CLEANUP(mem_freep) char *line = mem_format(fmt, args);
    va_end(args);
    options->say(options->context, line);
}

/* ---- facts ---------------------------------------------------------------------------------- */

static Err *read_source(const RehearseOptions *options, Arena *arena, json_t **ret_json)
{
    SourceWish wish = {.ops = options->ops,
                       .target = options->target,
                       .stop = options->stop,
                       .change = options->change,
                       .replica =
                           options->run->plan.replica_count > 0 ? options->run->plan.replicas[0] : NULL,
                       .sample_ms = options->sample_ms,
                       .say = options->say,
                       .context = options->context};
    say(options, options->ops->sample_source == NULL
                     ? "reading definitions, statistics and rates of the source; no row is read"
                     : "reading definitions, statistics, rates and some rows of the source");
    TRY(source_read(arena, &wish, ret_json));
    json_t *predictions = NULL;
    Err *err = run_predictions(options->run, arena, NULL, &predictions);
    if (err != NULL) /* a role that may not read the journal, say: the statistics are enough */
        say(options, "earlier predictions cannot be read: %s", err->msg);
    err_free(err);
    json_object_set_new(*ret_json, "past", past_collect(predictions));
    json_decref(predictions);
    return NULL;
}

Err *rehearse_snapshot(const RehearseOptions *options, Arena *arena, char **ret_text)
{
    json_t *json = NULL;
    uint64_t salt = 0;
    if (getrandom(&salt, sizeof salt, 0) != (ssize_t)sizeof salt)
        return err_new(ERR_IO, "the system gives no random numbers");
    TRY(read_source(options, arena, &json));
    mask_facts(arena, json, salt);
    *ret_text = json_dumps(json, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
    json_decref(json);
    return *ret_text != NULL ? NULL : err_new(ERR_CONFIG, "a name on the source is not UTF-8");
}

const char *rehearse_snapshot_scheme(const char *text)
{
    json_t *json = json_loads(text, 0, NULL);
    const RehearseEngine *engine = rehearse_engine(json_string_value(json_object_get(json, "engine")));
    json_decref(json);
    return engine == NULL ? NULL : engine->scheme;
}

/* Texts that stand in definitions or in the change are no secrets, and rows have to have them. */
static json_t *known_words(const Facts *facts, const Change *change)
{
    json_t *words = json_object();
    const RehearseEngine *engine = rehearse_engine(facts->engine);
    if (engine == NULL)
        return words;
    for (size_t i = 0; i < facts->statement_count; i++)
        if (facts->statements[i].sql != NULL)
            engine->words(facts->statements[i].sql, words);
    engine->words(change->sql, words);
    for (size_t i = 0; i < change->backfill_count; i++)
        engine->words(change->backfills[i].expr_sql, words);
    return words;
}

/* ---- which tables, how many rows ------------------------------------------------------------ */

static Err *find_mains(Arena *arena, const Facts *facts, const Change *change,
                       const FactTable *const **ret_mains, size_t *ret_count)
{
    WantedName *wanted = NULL;
    size_t count = 0;
    VEC(const FactTable *) mains = {0};
    plan_wanted_tables(arena, change, &wanted, &count);
    for (size_t i = 0; i < count; i++) {
        const FactTable *table = NULL;
        for (size_t t = 0; wanted[i].index && t < facts->table_count && table == NULL; t++)
            for (size_t j = 0; j < facts->tables[t].index_count; j++)
                if (str_eq(facts->tables[t].indexes[j].name, wanted[i].name.name))
                    table = &facts->tables[t];
        if (!wanted[i].index)
            table = facts_find(facts, wanted[i].name.schema, wanted[i].name.name);
        for (size_t j = 0; j < mains.len && table != NULL; j++)
            table = mains.items[j] == table ? NULL : table;
        if (table == NULL)
            continue;
        if (table->partitioned)
            return err_new(ERR_UNSAFE, "\"%s.%s\" is partitioned, which cannot be rehearsed yet",
                           table->schema, table->name);
        *vec_push(arena, &mains) = table;
        if (table->rows > mains.items[0]->rows) { /* the largest one leads */
            mains.items[mains.len - 1] = mains.items[0];
            mains.items[0] = table;
        }
    }
    *ret_mains = mains.items;
    *ret_count = mains.len;
    if (mains.len == 0)
        return err_hint(err_new(ERR_USAGE, "the change is about no table that is known"),
                        "new tables are empty: there is nothing to rehearse");
    return mains.items[0]->rows > 0 ? NULL
                                    : err_hint(err_new(ERR_USAGE, "\"%s.%s\" is empty",
                                                       mains.items[0]->schema, mains.items[0]->name),
                                               "there is nothing to rehearse");
}

static int64_t greatest_size(const RehearseOptions *options, const FactTable *main)
{
    double share = options->share > 0 ? options->share : USUAL_SHARE;
    int64_t rows = options->row_count > 0 ? options->row_count : (int64_t)((double)main->rows * share);
    if (options->row_count == 0 && options->share <= 0)
        rows = rows < LEAST_ROWS ? LEAST_ROWS : rows > MOST_ROWS ? MOST_ROWS : rows;
    rows = rows > main->rows ? main->rows : rows;
    return rows < 1 ? 1 : rows;
}

/* The tables twice (the made one and its copy), what the change adds, and the log. */
static int64_t disk_needed(const Facts *facts, double share)
{
    double bytes = 0;
    for (size_t i = 0; i < facts->table_count; i++) {
        bytes += (double)facts->tables[i].heap_bytes + (double)facts->tables[i].toast_bytes;
        for (size_t j = 0; j < facts->tables[i].index_count; j++)
            bytes += (double)facts->tables[i].indexes[j].bytes;
    }
    return (int64_t)(bytes * share * 6) + (300LL << 20);
}

/* ---- all of it ------------------------------------------------------------------------------ */

static Err *rehearse(const RehearseOptions *options, Arena *arena, const Facts *facts, const json_t *words,
                     json_t **ret_json)
{
    const FactTable *const *mains = NULL;
    size_t main_count = 0;
    TRY(find_mains(arena, facts, options->change, &mains, &main_count));
    int64_t rows = greatest_size(options, mains[0]);
    double share = (double)rows / (double)mains[0]->rows;
    StageWish wish = {.ops = options->ops,
                      .facts = facts,
                      .on = options->on,
                      .stop = options->stop,
                      .share = share,
                      .need_bytes = disk_needed(facts, share),
                      .say = options->say,
                      .context = options->context};
    Stage stage;
    Err *err = stage_set_up(arena, &wish, &stage);
    if (err == NULL) {
        Climb climb = {.stage = &stage,
                       .facts = facts,
                       .words = words,
                       .mains = mains,
                       .main_count = main_count,
                       .row_count = rows,
                       .rate = options->rate,
                       .faults = options->faults,
                       .change = options->change,
                       .run = options->run};
        err = climb_climb(arena, &climb);
        if (err == NULL)
            *ret_json = climb_json(arena, &climb);
    }
    stage_close(&stage);
    return err;
}

Err *rehearse_run(const RehearseOptions *options, Arena *arena, json_t **ret_json)
{
    json_t *json = NULL;
    Facts facts = {0};
    if (options->snapshot != NULL) {
        TRY(facts_parse(arena, options->snapshot, &json, &facts));
        const RehearseEngine *engine = rehearse_engine(facts.engine);
        if (engine == NULL || !str_eq(engine->host->name, options->ops->name)) {
            json_decref(json);
            return err_new(ERR_USAGE, "the snapshot is of another kind of server: %s", facts.engine);
        }
    } else {
        TRY(read_source(options, arena, &json));
        Err *err = facts_read(arena, json, &facts);
        if (err != NULL) {
            json_decref(json);
            return err;
        }
    }
    json_t *words = known_words(&facts, options->change);
    Err *err = rehearse(options, arena, &facts, words, ret_json);
    json_decref(words);
    json_decref(json);
    return err;
}
