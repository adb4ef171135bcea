/* host.h — what a private server needs to know of its kind: where its programs are, how it is run and
 * reached.
 */
#pragma once
#include "engine/engine.h"
#include "host/keeper.h"

typedef struct HostEngine {
    const char *name;        /* as EngineOps.name */
    const char *title;       /* "PostgreSQL" */
    const char *account;     /* who runs it when we are root, who may not */
    const char *socket_name; /* the longest name of its socket below the directory */
    const char *admin;       /* a database that is there from the beginning; "" none */

    /* The directory with its programs, of this major version (0: any), which for MySQL and MariaDB is that of
     * a series (1011: 10.11); ERR_CONFIG with a hint where there is none. */
    Err *(*find)(Arena *arena, int major, const char **ret_bin);
    /* Fills in all but uid, gid and keep. `settings`: lines that come behind ours; NULL. */
    void (*configure)(Arena *arena, const char *bin, const char *dir, int port, const char *settings,
                      KeeperConfig *ret_config);
    /* `database` over the socket as its superuser; `dir` is percent-encoded already. */
    char *(*url)(Arena *arena, const char *dir, int port, const char *database);
    /* For people: a client's command that leads to `database`, and one that ends a kept server and removes
     * its directory. */
    char *(*client)(Arena *arena, int port, const char *database);
    char *(*remove)(Arena *arena, const char *dir);
} HostEngine;

/* host_engine_my is MariaDB. */
extern const HostEngine host_engine_pg, host_engine_my, host_engine_mysql;
