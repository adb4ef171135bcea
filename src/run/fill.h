/* fill.h — where a backfill stands, and one transaction of it with its watermark. Private to run/. */
#pragma once
#include "run/runner.h"

typedef struct Spot {
    const char *low, *high;
} Spot;

/* Where it stands: the checkpoint's content. */
typedef struct Fill {
    Runner *runner;
    const Step *step;
    Table table;
    Scan scan;
    Arena *arena; /* as long as the step: parked ranges */
    const char *storage;
    const char *shape; /* of the table when its columns were marked self_set */
    bool altered;      /* that was found out of date: the chunk is begun again */
    char *low;         /* owned; NULL at the beginning */
    int wave;          /* next wave of the chunk at low */
    char *high;        /* owned; end of the chunk at low while wave > 0 */
    bool scanned;      /* all chunks are through; parked ones may be left */
    int64_t size;
    int64_t rows, hot, chunk_rows, chunk_hot;
    int64_t hot_seen; /* the server's counter runs over several transactions, until it hands it on */
    int64_t busy_ms;
    int flat_chunks; /* ranges still to do in one pass because pruning is held back */
    int flat_next;   /* how many chunks to do so the next time */
    bool told_horizon;
    VEC(Spot) parked;
} Fill;

typedef struct Wave {
    const char *sql;         /* one statement; or where the engine has update_rows: */
    const char *set, *where; /* texts for it, and whether busy rows are left out */
    bool free_only;
    int64_t rows, hot, ms;
    bool self_set; /* it also sets columns to themselves: only as long as the table keeps its shape */
} Wave;

/* Rows that lack all columns of the step, and that the expressions can fill. */
char *fill_unfilled_sql(Arena *arena, const EngineOps *ops, const Step *step);
/* "a = …, b = …" */
char *fill_set_sql(Arena *arena, const EngineOps *ops, const Table *table, const Step *step);
/* Whether any column is also set to itself. */
bool fill_sets_self(const Table *table);
/* Chooses these columns anew; fill->altered tells whether the table has been altered since the last time. */
Err *fill_look_again(Fill *fill) MUST_USE;
/* One column alone: for rows in which another column of the step was filled by somebody else. */
void fill_single_sql(Arena *arena, const EngineOps *ops, const Step *step, const FillColumn *fill,
                     const char **ret_set, const char **ret_where);
/* Said when positions lost their meaning. */
extern const char fill_rewritten_text[];
/* Takes over what the checkpoint says. */
void fill_restore(Fill *fill, const json_t *body);
/* Frees the old text and keeps a copy of the new one, which may be NULL. */
void fill_replace(char **text, const char *by);
/* What a wave is to do: in place of what it was. */
void fill_wave_sql(const Fill *fill, const char *set, const char *where, bool free_only, Wave *wave);
/* Carries the wave out, lets `advance` move the watermark, and commits both together; on any error nothing
 * has moved. */
Err *fill_run(Fill *fill, Wave *wave, void (*advance)(Fill *fill, const void *context),
              const void *context) MUST_USE;
