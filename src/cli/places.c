/* From a section of stoa.yaml to databases; the server is asked where a pattern or a query says so. */
#include "cli/places.h"

#include "base/str.h"

#include <fnmatch.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { ASK_MS = 30000, PARALLEL = 4, PARALLEL_MOST = 64, SHOWN_MOST = 5 };

typedef VEC(const char *) Names;

typedef struct Finder {
    Cli *cli;
    const ConfigEnvironment *environment;
    Target base;
    Places all;
} Finder;

typedef Err *ListNames(Conn *conn, const Wait *wait, Arena *arena, Rows *ret_rows);

bool environment_is_many(const ConfigEnvironment *environment)
{
    return environment->database_count > 0 || environment->database_query != NULL ||
           environment->schema_count > 0;
}

/* ---- asking --------------------------------------------------------------------------------- */

/* The first column of what the server answers. */
static Err *ask(const Finder *finder, const Target *target, ListNames *list, const char *sql, Names *names)
{
    Cli *cli = finder->cli;
    const EngineOps *ops = NULL;
    Conn *conn = NULL;
    Rows rows = {0};
    Wait wait = {.stop = &cli->stop, .timeout_ms = ASK_MS};
    TRY(engine_for_url(cli->engines, cli->engine_count, target->url, &ops));
    TRY(ops->connect(target, "places", &wait, &conn));
    Err *err = list != NULL ? list(conn, &wait, cli->arena, &rows)
                            : ops->query(conn, &wait, cli->arena, sql, 0, NULL, &rows);
    ops->close(conn);
    TRY(err);
    for (size_t i = 0; i < rows.row_count && rows.col_count > 0; i++)
        if (rows_cell(&rows, i, 0) != NULL)
            *vec_push(cli->arena, names) = rows_cell(&rows, i, 0);
    return NULL;
}

static bool has_name(const Names *names, const char *name)
{
    for (size_t i = 0; i < names->len; i++)
        if (str_eq(names->items[i], name))
            return true;
    return false;
}

/* Names as they stand, and for each pattern those of the server that it matches. */
static Err *expand(const Finder *finder, const Target *target, const char *const *wanted, size_t count,
                   ListNames *list, const char *what, Names *names)
{
    Names there = {0};
    bool asked = false;
    for (size_t i = 0; i < count; i++) {
        size_t before = names->len;
        if (!config_is_pattern(wanted[i])) {
            *vec_push(finder->cli->arena, names) = wanted[i];
            continue;
        }
        if (!asked)
            TRY(ask(finder, target, list, NULL, &there));
        asked = true;
        for (size_t j = 0; j < there.len; j++)
            if (fnmatch(wanted[i], there.items[j], 0) == 0 && !has_name(names, there.items[j]))
                *vec_push(finder->cli->arena, names) = there.items[j];
        if (names->len == before)
            return err_new(ERR_CONFIG, "the environment \"%s\" has no %s like \"%s\"",
                           finder->environment->name, what, wanted[i]);
    }
    return NULL;
}

/* ---- making the list ------------------------------------------------------------------------ */

/* "db1:5432/shop" of a URL. */
static const char *url_label(Arena *arena, const char *url)
{
    char *text = target_redacted(arena, url), *host = strstr(text, "://");
    host = host == NULL ? text : host + 3;
    host[strcspn(host, "?#")] = '\0';
    char *at = strrchr(host, '@');
    return at == NULL ? host : at + 1;
}

static Err *add_place(Finder *finder, const Target *target, const char *label, const char *schema)
{
    Cli *cli = finder->cli;
    Place place = {.environment = finder->environment->name, .label = label, .target = *target, .suffix = ""};
    TRY(engine_for_url(cli->engines, cli->engine_count, target->url, &place.ops));
    bool shared = (place.ops->features & ENGINE_SHARED_JOURNAL) != 0;
    if (schema != NULL && place.ops->list_schemas == NULL)
        return err_hint(err_new(ERR_CONFIG,
                                "the environment \"%s\" has schemas, and databases of %s have none",
                                finder->environment->name, place.ops->name),
                        "write them as databases");
    if (schema != NULL) {
        place.target.schema = schema;
        place.suffix = arena_printf(cli->arena, "@%s", schema);
        place.label = label == NULL ? schema : arena_printf(cli->arena, "%s/%s", label, schema);
    } else if (shared && label != NULL) {
        const char *slash = strrchr(label, '/'); /* of a URL */
        place.suffix = arena_printf(cli->arena, "@%s", slash == NULL ? label : slash + 1);
    }
    *vec_push(cli->arena, &finder->all) = place;
    return NULL;
}

static Err *add_database(Finder *finder, const Target *target, const char *label)
{
    const ConfigEnvironment *environment = finder->environment;
    const EngineOps *ops = NULL;
    Names schemas = {0};
    if (environment->schema_count == 0)
        return add_place(finder, target, label, NULL);
    TRY(engine_for_url(finder->cli->engines, finder->cli->engine_count, target->url, &ops));
    if (ops->list_schemas == NULL)
        return add_place(finder, target, label, environment->schemas[0]);
    TRY(expand(finder, target, environment->schemas, environment->schema_count, ops->list_schemas, "schema",
               &schemas));
    for (size_t i = 0; i < schemas.len; i++)
        TRY(add_place(finder, target, label, schemas.items[i]));
    return NULL;
}

static bool is_url(const char *text) { return strstr(text, "://") != NULL || str_starts(text, "${"); }

static Err *add_databases(Finder *finder)
{
    const ConfigEnvironment *environment = finder->environment;
    Cli *cli = finder->cli;
    const EngineOps *ops = NULL;
    Names names = {0};
    if (environment->database_count == 0 && environment->database_query == NULL)
        return add_database(finder, &finder->base, NULL);
    if (environment->database_query != NULL)
        TRY(ask(finder, &finder->base, NULL, environment->database_query, &names));
    TRY(engine_for_url(cli->engines, cli->engine_count, finder->base.url, &ops));
    TRY(expand(finder, &finder->base, environment->databases, environment->database_count,
               ops->list_databases, "database", &names));
    for (size_t i = 0; i < names.len; i++) {
        Target target = finder->base;
        const char *label = names.items[i];
        target.database = label;
        if (is_url(label)) {
            TRY(config_expand(cli->arena, cli->args.config, label, &target.url));
            target.database = NULL;
            label = url_label(cli->arena, target.url);
        }
        TRY(add_database(finder, &target, label));
    }
    return NULL;
}

static Err *check_labels(const Finder *finder)
{
    for (size_t i = 0; i < finder->all.len; i++)
        for (size_t j = i + 1; j < finder->all.len; j++)
            if (str_eq(finder->all.items[i].label, finder->all.items[j].label))
                return err_new(ERR_CONFIG, "the environment \"%s\" has \"%s\" twice",
                               finder->environment->name, finder->all.items[i].label);
    return finder->all.len > 0
               ? NULL
               : err_new(ERR_CONFIG, "the environment \"%s\" has no database", finder->environment->name);
}

/* "a, b, c and 7 more" */
static const char *labels_text(Arena *arena, const Places *places)
{
    CLEANUP(str_donep) Str list = STR_INIT;
    for (size_t i = 0; i < places->len && i < SHOWN_MOST; i++) {
        str_sep(&list, ", ");
        str_add(&list, places->items[i].label);
    }
    if (places->len > SHOWN_MOST)
        str_addf(&list, " and %zu more", places->len - SHOWN_MOST);
    return arena_dup(arena, list.buf);
}

static Err *filter(const Finder *finder, Places *ret_places)
{
    const Setting *wanted = cli_setting(finder->cli, OPT_DATABASE);
    for (size_t w = 0; w < wanted->list_count; w++) {
        size_t found = 0;
        for (size_t i = 0; i < finder->all.len; i++)
            found += fnmatch(wanted->list[w], finder->all.items[i].label, 0) == 0;
        if (found == 0)
            return err_hint(err_new(ERR_USAGE, "the environment \"%s\" has no database \"%s\"",
                                    finder->environment->name, wanted->list[w]),
                            "there are %s", labels_text(finder->cli->arena, &finder->all));
    }
    for (size_t i = 0; i < finder->all.len; i++) {
        bool taken = false;
        for (size_t w = 0; w < wanted->list_count && !taken; w++)
            taken = fnmatch(wanted->list[w], finder->all.items[i].label, 0) == 0;
        if (taken)
            *vec_push(finder->cli->arena, ret_places) = finder->all.items[i];
    }
    return NULL;
}

Err *places_of(Cli *cli, const ConfigEnvironment *environment, bool filtered, Places *ret_places)
{
    Finder finder = {.cli = cli, .environment = environment};
    const Setting *settings = environment->scope->settings;
    if (settings[OPT_URL].given)
        TRY(config_expand(cli->arena, cli->args.config, settings[OPT_URL].text, &finder.base.url));
    finder.base.password_command = settings[OPT_PASSWORD_COMMAND].text != NULL
                                       ? settings[OPT_PASSWORD_COMMAND].text
                                       : getenv(all_options[OPT_PASSWORD_COMMAND].env);
    TRY(add_databases(&finder));
    if (environment_is_many(environment))
        TRY(check_labels(&finder));
    if (!filtered || !cli_given(cli, OPT_DATABASE)) {
        *ret_places = finder.all;
        return NULL;
    }
    if (!environment_is_many(environment))
        return err_hint(err_new(ERR_USAGE, "the environment \"%s\" has one database", environment->name),
                        "leave out --database");
    return filter(&finder, ret_places);
}

/* ---- using it ------------------------------------------------------------------------------- */

Target cli_target(const Cli *cli)
{
    if (cli->place != NULL)
        return cli->place->target;
    return (Target){.url = cli_setting(cli, OPT_URL)->text,
                    .password_command = cli_setting(cli, OPT_PASSWORD_COMMAND)->text};
}

void place_choose(Cli *cli, const Place *place)
{
    const char *name = cli->args.positional;
    cli->place = place;
    cli->args.settings[OPT_URL].text = place->target.url;
    if (verbs[cli->args.verb].positional == POSITIONAL_CHANGE && name != NULL && strchr(name, '@') == NULL)
        cli->args.positional = arena_printf(cli->arena, "%s%s", name, place->suffix);
}

Err *place_choose_one(Cli *cli)
{
    const ConfigEnvironment *environment = cli->args.environment;
    Places places = {0};
    if (cli->place != NULL)
        return NULL;
    if (environment == NULL && cli_given(cli, OPT_DATABASE))
        return err_hint(err_new(ERR_USAGE, "--database is one of an environment's, and there is no --env"),
                        "name it in --url, or give --env as well");
    if (environment == NULL || (!environment_is_many(environment) && !cli_given(cli, OPT_DATABASE)))
        return NULL;
    TRY(places_of(cli, environment, true, &places));
    if (places.len == 1) {
        place_choose(cli, &places.items[0]);
        return NULL;
    }
    return err_hint(err_new(ERR_USAGE, "\"stoa %s\" works on one database, and \"%s\" has %zu: %s",
                            verbs[cli->args.verb].name, environment->name, places.len,
                            labels_text(cli->arena, &places)),
                    "give --database %s", places.items[0].label);
}

const char *place_name(Arena *arena, const Place *place)
{
    if (place->environment == NULL)
        return target_redacted(arena, place->target.url);
    return place->label == NULL ? arena_dup(arena, place->environment)
                                : arena_printf(arena, "%s %s", place->environment, place->label);
}

RunOptions place_options(Cli *cli, Arena *arena, const Place *place)
{
    return (RunOptions){.ops = place->ops,
                        .target = place->target,
                        .stop = &cli->stop,
                        .until = -1,
                        .database_label = place_name(arena, place)};
}

typedef struct Crowd {
    size_t count;
    _Atomic size_t next;
    void (*work)(void *context, size_t at);
    void *context;
} Crowd;

static void *work_on(void *argument)
{
    Crowd *crowd = argument;
    for (size_t at; (at = atomic_fetch_add(&crowd->next, 1)) < crowd->count;)
        crowd->work(crowd->context, at);
    return NULL;
}

void places_each(const Cli *cli, size_t count, void (*work)(void *context, size_t at), void *context)
{
    Crowd crowd = {.count = count, .work = work, .context = context};
    const Setting *given = cli_setting(cli, OPT_PARALLEL);
    int64_t wanted = given->given ? given->number : PARALLEL;
    pthread_t threads[PARALLEL_MOST];
    size_t started = 0, most = wanted > PARALLEL_MOST ? PARALLEL_MOST : (size_t)wanted;
    while (started + 1 < most && started + 1 < count &&
           pthread_create(&threads[started], NULL, work_on, &crowd) == 0)
        started++;
    (void)work_on(&crowd);
    for (size_t i = 0; i < started; i++)
        (void)pthread_join(threads[i], NULL);
}
