/* places.h — the databases of an environment, or the schemas in them: where each is and how it is called. */
#pragma once
#include "cli/cli.h"
#include "cli/config.h"
#include "run/run.h"

typedef struct Place {
    const char *environment; /* NULL: the database of --url */
    const char *label;       /* its name within the environment; NULL: that has only the one of its URL */
    Target target;
    const EngineOps *ops;
    const char *suffix; /* "@tenant_7": ends the names of its changes, where several have one journal; "" */
} Place;
typedef VEC(Place) Places;

/* Whether it has a list, a pattern or a query of databases or schemas, however many that come to be. */
bool environment_is_many(const ConfigEnvironment *environment);
/* All of an environment, in their order; with `filtered` those that --database names. Patterns and queries
 * are asked of the server. Never empty. Errors: ERR_CONFIG, ERR_USAGE, and those of the connection. */
Err *places_of(Cli *cli, const ConfigEnvironment *environment, bool filtered, Places *ret_places) MUST_USE;
/* The verb works there from now on; the name of a change that it was given gets the suffix. */
void place_choose(Cli *cli, const Place *place);
/* Chooses the only place there is. ERR_USAGE where there are several. */
Err *place_choose_one(Cli *cli) MUST_USE;
/* "production", "production tenant_7", or the URL; in the arena. */
const char *place_name(Arena *arena, const Place *place) __attribute__((returns_nonnull));
/* For looking there; nobody is told. */
RunOptions place_options(Cli *cli, Arena *arena, const Place *place);
/* Calls `work` once for each index below `count`, in up to --parallel threads. */
void places_each(const Cli *cli, size_t count, void (*work)(void *context, size_t at), void *context);
