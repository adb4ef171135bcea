/* server.h — a private server that lives in one temporary directory and goes with its owner.
 *
 * A keeper process of ours starts the server, as an unprivileged user when we are root, and is the only one
 * that ends it and removes the directory: when told to, and when the process that asked for it has died. */
#pragma once
#include "base/arena.h"
#include "host/host.h"

typedef struct HostServer HostServer;

typedef struct HostWish {
    const char *purpose;  /* in the directory's name: "demo" */
    int major;            /* of this major version; 0: any */
    int64_t need_bytes;   /* of free disk */
    const char *settings; /* lines for its configuration, in the server's own words; NULL: as it is shipped,
                             with 256 MB kept in memory */
    bool keep;            /* server_stop() leaves it running */
} HostWish;

/* Finds the engine's programs, makes a data directory, starts the server on a free port of 127.0.0.1 and a
 * socket in its directory, and returns when it answers. What is committed is on disk. Errors: ERR_CONFIG when
 * the server is not installed or the disk is too small, ERR_IO with the server's words, ERR_STOPPED. */
Err *server_start(const HostEngine *engine, const EngineOps *ops, const Stop *stop, const HostWish *wish,
                  HostServer **ret_server) MUST_USE;
/* Ends the server and removes its directory (with `keep`: neither), and frees `server`. NULL is fine. */
void server_stop(HostServer *server);
static inline void server_stopp(HostServer **server)
{
    server_stop(*server);
    *server = NULL;
}

const char *server_dir(const HostServer *server);
/* Where `database` is, over the socket, as the superuser. */
char *server_url(Arena *arena, const HostServer *server, const char *database)
    __attribute__((returns_nonnull));
/* A command by which people reach it, over TCP. */
char *server_client(Arena *arena, const HostServer *server, const char *database)
    __attribute__((returns_nonnull));
/* A command that ends a kept server and removes its directory. */
char *server_remove_command(Arena *arena, const HostServer *server) __attribute__((returns_nonnull));
