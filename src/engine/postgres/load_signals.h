/* load_signals.h — how busy a PostgreSQL server is. */
#pragma once
#include "engine/engine.h"

typedef enum PgLoad {
    PG_LOAD_ACTIVE,   /* sessions of others that run a statement */
    PG_LOAD_BLOCKED,  /* sessions that have waited for one of ours for half a second */
    PG_LOAD_LATENCY,  /* mean time of statements on the change's tables, against what it was before the start
                       */
    PG_LOAD_ARCHIVE,  /* segments of WAL that wait to be archived */
    PG_LOAD_WAL,      /* MB of WAL a second */
    PG_LOAD_SLOT,     /* MB of WAL that the hindmost replication slot keeps */
    PG_LOAD_SNAPSHOT, /* seconds that the oldest snapshot has been held */
    PG_LOAD_VACUUM,   /* autovacuum workers on the change's tables */
    PG_LOAD_DEAD,     /* dead rows for each live one, of the worst of the change's tables */
    PG_LOAD_CHECKPOINT, /* WAL since the last checkpoint began, as a part of max_wal_size */
    PG_LOAD_OWN_COUNT,  /* those behind it are told by standbys that are given by URL (standby.c) */
    PG_LOAD_STANDBY_WAITING =
        PG_LOAD_OWN_COUNT, /* sessions there that have waited for what is replayed for half a second */
    PG_LOAD_LAG,           /* seconds */
    PG_LOAD_STANDBY_ENDED, /* queries that replay has ended there in the last seconds */
    PG_LOAD_COUNT
} PgLoad;
extern const LoadSignal pg_load_signals[];
Err *pg_load(Conn *conn, const Wait *wait, Arena *arena, LoadSample *sample) MUST_USE;
