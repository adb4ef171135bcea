/* A flag has done its work when its change is completed and nobody holds it back: the code that asks for it
 * can go. Whether it still asks, the journal does not know. */
#include "cli/stale_flags.h"

#include "cli/show.h"
#include "serve/flag_key.h"
#include "serve/flagset.h"

#include <string.h>
#include <time.h>

enum { LONG_DAYS = 14, DAY_S = 86400 };

/* Whole days since a time as the journal tells it, "2026-11-29T12:38:33…"; -1 where there is none. */
static int days_since(const char *at)
{
    struct tm parts = {0};
    if (strptime(at, "%Y-%m-%dT%H:%M:%S", &parts) == NULL)
        return -1;
    return (int)((time(NULL) - timegm(&parts)) / DAY_S);
}

static const json_t *change_of(const json_t *changes, const char *name)
{
    size_t i = 0;
    const json_t *change = NULL;
    json_array_foreach(changes, i, change) if (strcmp(text_of(change, "name"), name) == 0) return change;
    return NULL;
}

static void add_flag(Cli *cli, const Flag *flag, const json_t *change, json_t *stale)
{
    int days = days_since(text_of(change, "ended_at"));
    if (days < LONG_DAYS)
        return;
    const char *evidence = arena_printf(
        cli->arena,
        "true for everybody: change %s is completed since %d days, and nobody holds the flag back; "
        "whether applications still ask for it is not known to the journal",
        flag->change, days);
    json_array_append_new(json_object_get(stale, "findings"),
                          json_pack("{s:s, s:s, s:n, s:n, s:s, s:s, s:s, s:s, s:n}", "kind", "flag-always-on",
                                    "object", flag->key, "schema", "table", "name", flag->key, "confidence",
                                    days >= 2 * LONG_DAYS ? "high" : "medium", "evidence", evidence, "do",
                                    "take the flag out of the application; its column stays", "bytes"));
}

Err *stale_flags_add(Cli *cli, const RunOptions *options, json_t *stale)
{
    RunView *view = NULL;
    json_t *changes = NULL, *events = NULL;
    TRY(run_view_open(options, &view));
    Err *err = run_view_look(view, cli->arena, -1, &changes, &events);
    FlagSet *set = NULL;
    if (err == NULL) {
        const Server *server = run_view_server(view);
        set = flagset_make(&(FlagSource){.changes = changes,
                                         .said = run_view_flags(view),
                                         .database = server->database,
                                         .system = server->system_id});
    }
    for (size_t i = 0; set != NULL && i < flagset_count(set); i++) {
        const Flag *flag = flagset_at(set, i);
        const json_t *change = change_of(changes, flag->change);
        bool always = flag->kind == FLAG_READ && flag->on && !flag->ended && !flag->off && !flag->named &&
                      flag->share >= FLAG_SHARE_ALL;
        if (always && strcmp(text_of(change, "state"), "completed") == 0)
            add_flag(cli, flag, change, stale);
    }
    if (set != NULL)
        flagset_free(set);
    json_decref(changes);
    json_decref(events);
    run_view_close(view);
    return err;
}
