/* shadow.h — copying a table into another one beside it and putting that one in its place: what an engine
 * does for it. Who calls when, with which threads, and what is kept for a resume is run/'s business
 * (run/shadow.c).
 *
 * The shadow is a table of ours with the new definition. Keys of changed rows are captured from the moment
 * the first row is copied; a key is brought over by reading the source's row under a lock, so that what is
 * announced is seen, and writing it into the shadow in the same transaction. Copying and applying take turns:
 * no chunk is in flight while keys are applied. So whatever a chunk's snapshot missed is applied after the
 * chunk has committed, and a chunk begun after an apply sees all that was applied.
 *
 * Keys and positions are opaque text. A key is the same text exactly when its bytes are the same. */
#pragma once
#include "base/arena.h"
#include "base/stop.h"
#include "engine/schema.h"

#include <jansson.h>

typedef struct Conn Conn;
typedef struct Wait Wait;
typedef struct Range Range;
typedef struct Target Target;

/* A column of the shadow. Generated ones are not listed: the server computes them. */
typedef struct ShadowColumn {
    const char *name;   /* in the shadow */
    const char *source; /* the source's column that it is a copy of, under its name there; NULL: computed */
    const char *expr;   /* over the source, quoted, as it stands in SELECT … FROM source */
    bool same;          /* type, length, character set and collation are those of `source`: equal bytes */
} ShadowColumn;

/* Names of the triggers that capture into ShadowSpec.key_log begin so, and so many there are. */
#define SHADOW_TRIGGER "stoa_capture"
enum { SHADOW_TRIGGERS = 3 };

typedef enum CaptureKind { CAPTURE_LOG, CAPTURE_TRIGGER } CaptureKind;

typedef struct ShadowSpec {
    const char *schema, *source, *shadow; /* tables of one database */
    const char *old;                      /* what the source is called behind the cutover */
    const char *sentry; /* a table that must go before the cutover's RENAME can: the name of `old` */
    const ShadowColumn *columns;
    size_t column_count;
    const char *key;                /* the source's index that orders and names rows: "PRIMARY" */
    const char *const *key_columns; /* of the source */
    const char *const *key_targets; /* the same columns under their names in the shadow */
    size_t key_count;
    bool
        key_exact; /* keys that differ in bytes are different to the server: more than one worker may apply */
    bool key_unique; /* the shadow has a unique index over key_targets, too */
    bool tightens;   /* the shadow has a uniqueness that the source lacks: a conflict may be real */
    bool one_writer; /* INSERT … SELECT into the shadow serialises (AUTO_INCREMENT, innodb_autoinc_lock_mode
                        1) */
    /* Foreign keys that change over with the table, under the lock: actions of ALTER TABLE, quoted. NULL: it
     * has none. The source loses them, the shadow gets them (NULL: none stay); and the other way round. */
    const char *keys_off, *keys_on, *keys_away, *keys_back;
    CaptureKind capture;
    /* Of an engine where captured keys stay in tables of ours until they are brought over (ShadowOps.bring);
     * names as in SQL. NULL: of another one. */
    const char *key_log;    /* a row a change: the columns of the key; all NULL: the source was emptied */
    const char *copied_log; /* a row for each range that is in the shadow */
    const char *const *key_types; /* of key_columns, as in a cast */
    const char *const *behind; /* statements behind the copy, in one transaction: the shadow gets its key */
    size_t behind_count;
    const char *const *front; /* statements that lock what goes with the source, before it is locked itself */
    size_t front_count;
    const char *role;  /* act as (the table's owner); NULL: as ourselves */
    bool back;         /* from the new table into the old one: what capture makes has other names */
    int64_t change_id; /* names what capture makes: unique in the journal; 0 until the change is registered */
} ShadowSpec;

json_t *shadow_spec_to_json(const ShadowSpec *spec);
/* Into `arena`; NULL where json is none. */
const ShadowSpec *shadow_spec_from_json(Arena *arena, const json_t *json);

typedef struct KeyList {
    const char *const *keys;
    size_t count;
} KeyList;

/* What became of an apply. Keys that are in none of the lists are in the shadow as they are in the source. */
typedef struct Applied {
    KeyList busy;      /* their rows are locked by others: later */
    KeyList displaced; /* rows of the shadow that had to make room (a unique value has moved): the shadow owes
                          them until they are applied, too. So it is noted; see `owed` */
    int64_t rows;      /* written into the shadow */
    int64_t held_ms;   /* the longest time for which rows of others, the source's or parents', were locked */
} Applied;

/* What bring did. */
typedef struct Brought {
    int64_t keys; /* captured rows of the log that are done */
    bool emptied; /* the source was emptied by TRUNCATE: nothing was done */
} Brought;

/* Which pass over the source a range is for. */
typedef enum ShadowPass { SHADOW_COPIES, SHADOW_COMPARES } ShadowPass;

typedef struct Capture Capture;

/* A batch of changes, in their order. */
typedef struct Captured {
    KeyList keys;         /* images before and after both count; repetitions are possible */
    const char *position; /* behind this batch: what a later capture_open may go on from once all of these
                             keys, and those before, are applied */
    bool emptied; /* the source was emptied by TRUNCATE: apply means to empty the shadow and copy anew */
    const char *altered;  /* a statement that changed the source's definition, or replaced it; NULL */
    int64_t behind_ms;    /* age of the newest change read, by the server's clock; -1 unknown */
    int64_t behind_bytes; /* of the log not read yet; -1 unknown */
} Captured;

/* The swap. */
typedef enum SwapState {
    SWAP_NOT_DONE, /* the source stands where it stood, the shadow is there, `old` is not (a sentry may be) */
    SWAP_DONE,     /* the shadow has the source's name, the source is called `old` */
    SWAP_UNKNOWN,  /* neither */
} SwapState;

typedef struct SwapRequest {
    const ShadowSpec *spec;
    int64_t max_stall_ms; /* from the first attempt to lock until the application goes on */
    bool allow_old_snapshots;
    bool gentle; /* as AlterRequest.gentle (engine.h): then it is not done, and costs nobody anything */
    /* Brings the last changes over while the source is locked. `locked` is the one session that may read the
     * source and write the shadow then. Must return within deadline_ms (clock_ms()); an error ends this
     * attempt with nothing done. */
    Err *(*drain)(void *context, Conn *locked, int64_t deadline_ms);
    /* While the attempt waits and nobody waits for it: brings over what is captured, so that little is left
     * to drain. Returns at until_ms (clock_ms()), or a batch later.
     * NULL: nothing is. */
    Err *(*meanwhile)(void *context, int64_t until_ms);
    void *context;
    /* Of an engine whose swap is one transaction: what it does, and a last look before it is committed; an
     * error of that ends everything, with nothing done. */
    const char *const *sql;
    size_t sql_count;
    const char
        *stamp; /* of the source (ShadowOps.stamp): where it is another one under the lock nothing is done */
    Err *(*look)(void *context, Conn *locked);
} SwapRequest;

typedef struct SwapResult {
    bool done;
    int64_t locked_ms;   /* how long the source was locked */
    int64_t waited_ms;   /* how long the lock was waited for in the queue */
    const char *blocker; /* who was in the way: "pid 12 (app@host), SELECT …, 31 s"; NULL */
    bool old_snapshot;   /* … because of a snapshot older than the shadow's last row */
} SwapResult;

typedef struct ShadowOps {
    /* ---- rows (engine/mysql/shadow_rows.c) ---- */

    /* The range of about `size` rows of the source from `low` (NULL: the beginning); ret_done where there is
     * none. ret_range->high NULL: to the end of the table. Ranges that are compared are in key order, those
     * that are copied in whatever order the engine likes. */
    Err *(*next)(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, ShadowPass pass,
                 const char *low, int64_t size, Range *ret_range, bool *ret_done);
    /* In one transaction: rows of the shadow in the range go, those of the source are written. No other
     * session applies keys meanwhile. ERR_VERIFY where a value does not fit, or, with tightens, where two
     * rows are equal in what is to be unique (named). Rows outside of the range make room as for apply:
     * ret_displaced, set in any case. ERR_SERIALIZE where one in the way cannot be found, or comes again and
     * again: an apply of what is captured will clear it. */
    Err *(*copy)(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, const Range *range,
                 int64_t *ret_rows, KeyList *ret_displaced);
    /* Brings these keys over in one transaction, locking reads first, never waiting for a row lock. With
     * `locked` the session holds the source under LOCK TABLES: no locking reads, no waiting, and nothing is
     * owed behind it. Splits the batch by itself where rows of it are busy. `owed`: those of the keys that
     * the shadow owes; the notes go with what is written. ERR_VERIFY as copy. ret_applied is set in any case:
     * behind an error, to what was done before it. */
    Err *(*apply)(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, const KeyList *keys,
                  const KeyList *owed, bool locked, Applied *ret_applied);
    /* What the shadow owes, of processes that are gone as well. */
    Err *(*owed)(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, KeyList *ret_keys);
    /* Compares source and shadow in the range in one snapshot, as the new definition would have the source's
     * rows: rows in one only count as well. ret_rows: of the source. */
    Err *(*compare)(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, const Range *range,
                    int64_t *ret_rows, KeyList *ret_different);
    /* The same of single keys, exactly and under locks that keep both rows as they are meanwhile, for at most
     * wait->timeout_ms at a time. Busy ones are neither equal nor different. */
    Err *(*compare_keys)(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                         const KeyList *keys, KeyList *ret_different, KeyList *ret_busy);
    /* Empties the shadow; it owes nothing then. */
    Err *(*empty)(Conn *conn, const Wait *wait, const ShadowSpec *spec);
    /* For people: "id=17". */
    char *(*key_text)(Arena *arena, const ShadowSpec *spec, const char *key);
    /* 0 … 1, how far `position` (a Range's low) is between the first and the last key; -1 unknown. */
    double (*fraction)(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                       const char *position);

    /* ---- captured keys that stay in the server until they are brought over (engine/postgres/shadow_*.c).
     * NULL: the run layer reads them by capture_next and has them applied. With these, apply, owed and all of
     * capture but its begin and end are NULL, a position is no more than a word, keys are not brought over
     * before the whole table is copied, and compare and compare_keys leave out exactly those that wait. ----
     */

    /* Once every chunk is committed: what was captured meanwhile leaves the shadow, which gets its key
     * (ShadowSpec.behind) unless it has it. To be followed by bring. ERR_VERIFY as copy. */
    Err *(*copied)(Conn *conn, const Wait *wait, const ShadowSpec *spec);
    /* In one snapshot: the rows of all keys that are captured in it leave the shadow, are written as they are
     * in it, and the keys are done. So the shadow is then what the source was in that snapshot, and nothing
     * that is unique in the source can be twice. Takes no lock on rows of others. `locked`: in the
     * transaction at hand, which keeps writers from the source. */
    Err *(*bring)(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, bool locked,
                  Brought *ret_brought);
    /* These keys count as captured. */
    Err *(*owe)(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, const KeyList *keys);

    /* A name for all that the catalog says of the source and of what hangs on it: another one whenever
     * somebody has changed that. Cheap. NULL: definitions tell (EngineOps.definition). */
    Err *(*stamp)(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, const char **ret_stamp);

    /* ---- capture (engine/mysql/capture.c) ---- */

    /* From now on changes are captured: what must be made is made (triggers and key log), and the position
     * noted. Again after a crash: what is there stays. */
    Err *(*capture_begin)(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                          const char **ret_position);
    /* What capture_begin and apply made besides the shadow goes, as far as it is there. */
    Err *(*capture_end)(Conn *conn, const Wait *wait, const ShadowSpec *spec);
    /* ERR_GONE with a hint where the position is no longer there (purged log, missing trigger): the copy
     * must begin anew. ERR_UNSAFE where changes cannot be captured here at all. */
    Err *(*capture_open)(const Target *target, const Wait *wait, const ShadowSpec *spec, const char *position,
                         Capture **ret_capture);
    void (*capture_close)(Capture *capture);
    /* The next batch of at most about `most` keys, in `arena`; empty when nothing came within
     * wait->timeout_ms. ERR_GONE and ERR_UNSAFE as capture_open. */
    Err *(*capture_next)(Capture *capture, const Wait *wait, Arena *arena, size_t most,
                         Captured *ret_captured);
    /* All keys up to this position are applied. */
    Err *(*capture_applied)(Capture *capture, const Wait *wait, const char *position);
    /* A mark behind everything that is committed now (`conn` may hold the source locked), and whether capture
     * has handed out all before it. */
    Err *(*capture_mark)(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                         const char **ret_mark);
    bool (*capture_reached)(const Capture *capture, const char *mark);

    /* ---- swap (engine/mysql/swap.c) ---- */

    /* One attempt; not done is no error. `conn` is the control session of the attempt, others are opened from
     * `target` as needed. ERR_AMBIGUOUS where the outcome cannot be seen. */
    Err *(*swap)(const Target *target, Conn *conn, const Wait *wait, Arena *arena, const SwapRequest *request,
                 SwapResult *ret_result);
    Err *(*swap_state)(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                       SwapState *ret_state);
    /* A sentry that a dead attempt left goes. */
    Err *(*swap_clear)(Conn *conn, const Wait *wait, const ShadowSpec *spec);
} ShadowOps;
