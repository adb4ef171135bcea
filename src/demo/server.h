/* server.h — a private PostgreSQL that lives in one temporary directory and goes with its owner.
 *
 * A keeper process of ours starts the server, as an unprivileged user when we are root, and is the only one
 * that ends it and removes the directory: when told to, and when the process that asked for it has died. */
#pragma once
#include "base/arena.h"
#include "engine/engine.h"

typedef struct PgServer PgServer;

/* Finds initdb and postgres (STOA_PG_BIN, PATH, the newest /usr/lib/postgresql/N/bin, pg_config --bindir),
 * makes a cluster, starts it on a free port of 127.0.0.1 and a socket in its directory, and returns when it
 * answers. fsync is on, shared_buffers 256MB, max_wal_size 4GB, everything else as PostgreSQL ships it.
 * `need_bytes` of free disk are asked for. `keep`: server_stop() leaves it running. Errors: ERR_CONFIG when
 * no PostgreSQL is there or the disk is too small, ERR_IO with the server's words, ERR_STOPPED. */
Err *server_start(const EngineOps *ops, const Stop *stop, int64_t need_bytes, bool keep,
                  PgServer **ret_server) MUST_USE;
/* Ends the server and removes its directory (with `keep`: neither), and frees `server`. NULL is fine. */
void server_stop(PgServer *server);
static inline void server_stopp(PgServer **server)
{
    server_stop(*server);
    *server = NULL;
}

const char *server_dir(const PgServer *server);
/* Where `database` is, over the socket, as the superuser. */
char *server_url(Arena *arena, const PgServer *server, const char *database) __attribute__((returns_nonnull));
/* The same over TCP, for people. */
char *server_public_url(Arena *arena, const PgServer *server, const char *database)
    __attribute__((returns_nonnull));
/* A command that ends a kept server and removes its directory. */
char *server_remove_command(Arena *arena, const PgServer *server) __attribute__((returns_nonnull));
