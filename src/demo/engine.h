/* engine.h — what a demo needs to know of one kind of server: where its programs are, how it is run and
 * reached, which change is shown, and what is measured. */
#pragma once
#include "change/change.h"
#include "demo/keeper.h"
#include "engine/engine.h"

typedef struct DemoEngine {
    const char *name;        /* as EngineOps.name */
    const char *title;       /* "PostgreSQL" */
    const char *plain_title; /* what the usual way is called in the table: "ALTER + UPDATE" */
    const char *log_title;   /* what the server writes beside the table: "WAL written" */
    const char *account;     /* who runs it when we are root, who may not */
    const char *socket_name; /* the longest name of its socket below the directory */
    const char *admin;       /* a database that is there from the beginning; "" none */
    const char *schema;      /* of the table; NULL: the database is enough */

    /* The directory with its programs; ERR_CONFIG with a hint where there is none. */
    Err *(*find)(Arena *arena, const char **ret_bin);
    /* Fills in all but uid, gid and keep. */
    void (*configure)(Arena *arena, const char *bin, const char *dir, int port, KeeperConfig *ret_config);
    /* `database` over the socket as its superuser; `dir` is percent-encoded already. */
    char *(*url)(Arena *arena, const char *dir, int port, const char *database);
    /* For people: a client's command that leads to `database`, and one that ends a kept server and removes
     * its directory. */
    char *(*client)(Arena *arena, int port, const char *database);
    char *(*remove)(Arena *arena, const char *dir);

    /* Makes the second database, empty or as a copy of the first one. */
    Err *(*fresh)(Conn *admin, const Wait *wait, Arena *arena);
    bool fresh_is_copy;
    const char *const *drop; /* the first database goes, whoever is connected to it; NULL-terminated */
    const char *rest_sql;    /* so that both sides begin with the same debt; NULL */
    const char *size_sql;    /* bytes of table and indexes, and of the log so far */
    /* All rows, and how many of them are wrong, of a table that had `row_count` at first. */
    char *(*rows_sql)(Arena *arena, int64_t row_count);

    ChangeInput change;
    bool measured; /* the plan is tried on an empty copy first: this kind of server needs it */
    void (*parse)(Arena *arena, const ChangeInput *input, Change *ret_change);
    const char *const *plain; /* the same as it is usually written; NULL-terminated */
} DemoEngine;

extern const DemoEngine demo_engine_pg, demo_engine_my;
