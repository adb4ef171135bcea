/* server.h — a private server that lives in one temporary directory and goes with its owner.
 *
 * A keeper process of ours starts the server, as an unprivileged user when we are root, and is the only one
 * that ends it and removes the directory: when told to, and when the process that asked for it has died. */
#pragma once
#include "base/arena.h"
#include "demo/engine.h"

typedef struct DemoServer DemoServer;

/* Finds the engine's programs, makes a data directory, starts the server on a free port of 127.0.0.1 and a
 * socket in its directory, and returns when it answers. What is committed is on disk, 256 MB are kept in
 * memory, everything else is as it is shipped. `need_bytes` of free disk are asked for. `keep`: server_stop()
 * leaves it running. Errors: ERR_CONFIG when the server is not installed or the disk is too small, ERR_IO
 * with the server's words, ERR_STOPPED. */
Err *server_start(const DemoEngine *engine, const EngineOps *ops, const Stop *stop, int64_t need_bytes,
                  bool keep, DemoServer **ret_server) MUST_USE;
/* Ends the server and removes its directory (with `keep`: neither), and frees `server`. NULL is fine. */
void server_stop(DemoServer *server);
static inline void server_stopp(DemoServer **server)
{
    server_stop(*server);
    *server = NULL;
}

const char *server_dir(const DemoServer *server);
/* Where `database` is, over the socket, as the superuser. */
char *server_url(Arena *arena, const DemoServer *server, const char *database)
    __attribute__((returns_nonnull));
/* A command by which people reach it, over TCP. */
char *server_client(Arena *arena, const DemoServer *server, const char *database)
    __attribute__((returns_nonnull));
/* A command that ends a kept server and removes its directory. */
char *server_remove_command(Arena *arena, const DemoServer *server) __attribute__((returns_nonnull));
