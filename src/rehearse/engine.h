/* engine.h — what a rehearsal needs to know of one kind of server: how it is set up like another one, how
 * databases are made and copied, and where it counts. Another kind is another row. */
#pragma once
#include "base/str.h"
#include "host/host.h"
#include "rehearse/facts.h"
#include "rehearse/mask.h"

typedef struct Stage Stage;
typedef struct Build Build;

typedef struct RehearseEngine {
    const char *name;   /* as Facts.engine; host->name is that of EngineOps */
    const char *scheme; /* of a URL that leads to such a server: "mariadb://" */
    const HostEngine *host;
    /* The line of configuration that gives a private server the source's settings; those of memory and log in
     * the measure of `share`, the part of the source's rows that is made. In the server's own words. */
    char *(*settings)(Arena *arena, const Facts *facts, double share);
    int (*series)(int version); /* which servers are alike enough: 15 of 150020 */
    /* What may not be rehearsed on this server at all; NULL: everything may. */
    Err *(*check)(const Facts *facts);
    /* The plan speaks of the database by its name: a change is carried out in one of the source's name. */
    bool own_name;
    bool always_measured; /* no plan without an empty copy */

    /* A database as the source's is; `locale` false: where its locale is missing here. */
    char *(*create_sql)(Arena *arena, const Facts *facts, const char *name, bool locale);
    /* A copy of one that nobody is connected to, file by file where that is possible. */
    Err *(*copy)(Stage *stage, const char *name, const char *from);
    /* All that stands in it goes, and what a change left beside it. */
    char *(*drop_sql)(Arena *arena, const char *name);
    /* Names without a schema are found as on the source; NULL: nothing to do. */
    char *(*path_sql)(Arena *arena, const Facts *facts, const char *name);

    const char *begin_sql;               /* a session that fills a database */
    Err *(*prepare)(const Build *build); /* before the first definition; NULL */
    /* A table before and after its rows are made; NULL. */
    Err *(*before_rows)(const Build *build, const FactTable *table);
    Err *(*after_rows)(const Build *build, const FactTable *table);
    Err *(*settle)(const Build *build); /* rows and indexes are there: room in them as on the source */
    Err *(*finish)(const Build *build); /* last of all: statistics */
    /* Something of another change of Stoa, which cannot work here; NULL: there is none. */
    bool (*is_foreign)(const Facts *facts, const CopyStatement *statement);

    /* Of a private server: from here on nothing is waited for until it is on disk, and from here on it is, as
     * long as something is measured. NULL-terminated. */
    const char *const *(*pace_sql)(Arena *arena, const Facts *facts, bool hurry);
    const char *rest_sql; /* before something is measured */
    /* Bytes of the database, of temporary files all in all, and how often a checkpoint was begun: one row. */
    const char *counters_sql;
    /* Sessions of the application that wait for a lock now; bytes of temporary files there are now: one row.
     */
    const char *waiting_sql;

    /* What the source's rows may outgrow: settings, the least that a private server gets, and for people. */
    const char *cache_setting, *sort_setting; /* sort_setting NULL: none */
    int64_t least_cache, least_sort;

    /* Texts in a statement, which are the caller's `words` then; and mask_statement() of it. */
    void (*words)(const char *sql, json_t *words);
    char *(*mask)(Mask *mask, const char *part, const char *what, const char *sql);
    /* The statements of a change as they stand in its text. */
    void (*statements)(Arena *arena, const char *sql, const char *const **ret_sql, size_t *ret_count);
} RehearseEngine;

extern const RehearseEngine rehearse_engine_pg, rehearse_engine_mariadb, rehearse_engine_mysql;
/* By Facts.engine; NULL: this kind of server is not rehearsed. */
const RehearseEngine *rehearse_engine(const char *name);

/* What settings have in common: engine.c. */
/* A line for the setting `own_name`, as the source has `name`; none where that is not known or strange. */
void rehearse_setting(Str *out, const Facts *facts, const char *name, const char *own_name);
/* The source's bytes in that measure, held within [least, most]; 0 where they are not known. */
int64_t rehearse_scaled(const Facts *facts, const char *name, double share, int64_t least, int64_t most);
int64_t rehearse_memory(void); /* of this machine, in bytes */

/* application_name of the load's sessions. */
#define REHEARSE_APPLICATION "rehearsed-app"
