/* engine.h — what a demo needs to know of one kind of server: which change is shown, and what is measured. */
#pragma once
#include "change/change.h"
#include "engine/engine.h"
#include "host/host.h"

typedef struct DemoEngine {
    const HostEngine *host;
    const char *plain_title; /* what the usual way is called in the table: "ALTER + UPDATE" */
    const char *log_title;   /* what the server writes beside the table: "WAL written" */
    const char *schema;      /* of the table; NULL: the database is enough */

    /* Makes the second database, empty or as a copy of the first one. */
    Err *(*fresh)(Conn *admin, const Wait *wait, Arena *arena);
    bool fresh_is_copy;
    const char *const *drop; /* the first database goes, whoever is connected to it; NULL-terminated */
    const char *forget_sql;  /* the server counts what is done to the table from here on; NULL */
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
