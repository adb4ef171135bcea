/* stage.h — where a rehearsal happens: a private server of the source's major version, or databases of its
 * own on a staging server. Everything it made is gone when it is closed. */
#pragma once
#include "host/server.h"
#include "rehearse/engine.h"
#include "rehearse/fill.h"

typedef struct StageWish {
    const EngineOps *ops;
    const Facts *facts;
    const char *on; /* a staging server; NULL: a private one */
    const Stop *stop;
    double share;                                 /* of the source's rows, the largest size */
    int64_t need_bytes;                           /* of disk */
    void (*say)(void *context, const char *line); /* may be NULL */
    void *context;
} StageWish;

typedef VEC(const char *) StageNotes;

struct Stage {
    StageWish wish;
    const RehearseEngine *engine;
    Arena *arena;
    HostServer *server; /* NULL on a staging server */
    const char *prefix; /* of its databases */
    int version;
    VEC(const char *) databases; /* that are there */
    double *row_bytes;           /* of the facts' tables, once known; 0 */
    json_t *machine;             /* machine.h; json_null() where it is another one */
    StageNotes notes;            /* what is not as on the source, each once */
};

Err *stage_set_up(Arena *arena, const StageWish *wish, Stage *ret_stage) MUST_USE;
void stage_close(Stage *stage);
Target stage_target(const Stage *stage, const char *database);
Err *stage_connect(const Stage *stage, const char *database, Conn **ret_conn) MUST_USE;
/* Where there is no database yet. */
Err *stage_admin_exec(const Stage *stage, const char *sql) MUST_USE;
/* A new name for a database of this rehearsal. */
const char *stage_name(const Stage *stage, const char *what, int64_t number);
/* The same of one in which the change is carried out, of which there is one at a time. */
const char *stage_trial_name(const Stage *stage, const char *what);
/* The schema that tables of the facts are in, in a database of the stage. */
const char *stage_schema(const Stage *stage, const FactTable *table, const char *database);
/* The database is there, or about to be, and goes when the stage is closed. */
void stage_own(Stage *stage, const char *name);
Err *stage_copy(Stage *stage, const char *name, const char *from) MUST_USE;
Err *stage_drop(Stage *stage, const char *name) MUST_USE;
/* Once; for people. */
void stage_note(Stage *stage, const char *fmt, ...) PRINTF(2, 3);
void stage_say(const Stage *stage, const char *fmt, ...) PRINTF(2, 3);
Err *stage_create(Stage *stage, const char *name) MUST_USE;
/* What is made, or measured, from here on. */
Err *stage_hurry(const Stage *stage, bool hurry) MUST_USE;

/* build.c: a database with all that the facts tell of: definitions, and rows in `tables` by `fill`; vacuumed
 * and analysed. */
Err *stage_build(Stage *stage, const Fill *fill, const FactTable *const *tables, size_t table_count,
                 const char *name) MUST_USE;
/* compare.c: {"realistic":…,"tables":[{"table","rows","heap":{"expected","actual","ratio"},"indexes":[…],
 * "columns":[…]}]}: sizes and statistics against those of the source in the same measure. The caller's. */
Err *stage_compare(Stage *stage, const Fill *fill, const FactTable *const *tables, size_t table_count,
                   const char *name, json_t **ret_json) MUST_USE;
/* Sizes differ by no more than the rounding of a few pages, or 15 %. */
bool stage_is_alike(double expected_bytes, double actual_bytes);
