/* stream.h — statements in the order in which a server gets them: the transaction they stand in, the locks
 * that it holds, the settings in force, and what was made so far. */
#pragma once
#include "change/act.h"
#include "check/known.h"
#include "engine/lock.h"

typedef enum CheckEngine { CHECK_POSTGRES, CHECK_MYSQL, CHECK_MARIADB } CheckEngine;

/* The server that the statements are for. */
typedef struct CheckTarget {
    CheckEngine engine;
    int version; /* PostgreSQL: 149999 is the newest 14; MySQL 80036, MariaDB 101106 */
    bool given;  /* not our own guess */
} CheckTarget;

/* "14", "14.3", "8.0.36", "10.11"; a part that is left out is the newest. */
Err *check_target_version(CheckEngine engine, const char *text, int *ret_version) MUST_USE;
/* The oldest version that its makers still keep up. */
int check_target_oldest(CheckEngine engine);
const char *check_target_name(CheckEngine engine);
/* "PostgreSQL 14" */
const char *check_target_text(Arena *arena, const CheckTarget *target);

/* How the tool that runs a file does it. */
typedef enum TxModel {
    TX_EACH,    /* every statement by itself, but for BEGIN … COMMIT in the file */
    TX_WRAPPED, /* the tool sends BEGIN and COMMIT around the file */
    TX_MESSAGE  /* the file goes to the server as one message: one transaction, where it holds more than one
                   statement */
} TxModel;

typedef struct StreamSetting {
    bool session, local;
    int64_t ms; /* 0: off */
} StreamSetting;

typedef struct Stream {
    Arena *arena;
    const CheckTarget *target;
    Known *known;
    const char *text;                /* of the file */
    const char *label;               /* of the file */
    const ActStatements *statements; /* of the part of the file */
    size_t at;                       /* the current one */
    TxModel model;
    bool dump;    /* the file is a dump: its settings are those of the tool that wrote it */
    bool wrapped; /* the whole part is one transaction by its model */
    bool begun;   /* BEGIN was said */
    size_t begun_at;
    StreamSetting lock_timeout, statement_timeout;
    bool keys_unchecked; /* MySQL: foreign_key_checks = 0 */
    const Act *strong;   /* the first act of the transaction that took a strong lock */
    bool told_after;     /* what follows it was reported */
    bool told_tables;    /* so was a second table */
    bool told_timeout, told_statement_timeout, told_not_rerunnable, told_replicas, told_several;
    const Act *definition;      /* the last statement of the transaction that defines something */
    VEC(const Act *) not_valid; /* of the transaction */
    VEC(const Act *) values;    /* ALTER TYPE … ADD VALUE of it */
    size_t ddl_count;           /* MySQL: in the file */
    const Act *last_alter;      /* of the statement before */
} Stream;

static inline bool stream_in_transaction(const Stream *stream) { return stream->wrapped || stream->begun; }
/* What the statement itself was. */
static inline const ActStatement *stream_statement(const Stream *stream)
{
    return &stream->statements->items[stream->at];
}

/* What the act locks, by the version of PostgreSQL: the table (or whatever it is about), and in ret_other the
 * other one. */
LockMode act_lock(const Act *act, int version, LockMode *ret_other);
/* Statements that may take long while they hold what they hold: scans, rewrites, rows. */
bool act_is_long(const Act *act);
/* A statement that changes definitions. */
bool act_is_definition(const Act *act);
/* The lock of PostgreSQL that stops writers at least, on a table that is in use. */
bool stream_is_strong(const Stream *stream, const Act *act);

/* A part of a file begins. */
void stream_begin(Stream *stream, TxModel model);
/* After the rules have seen the act, and after those of the whole statement. */
void stream_take(Stream *stream, const Act *act);
void stream_statement_end(Stream *stream);
