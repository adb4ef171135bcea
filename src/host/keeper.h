/* keeper.h — the process that owns a private server: starts it, ends it, removes its directory. */
#pragma once
#include "base/err.h"

#include <sys/types.h>

typedef struct KeeperConfig {
    const char *dir;           /* exists; everything happens below it: data/, log */
    const char *const *make;   /* the command that makes data/, with its path; NULL-terminated */
    const char *const *serve;  /* the server */
    const char *settings;      /* appended to settings_file once data/ is made; NULL: nothing */
    const char *settings_file; /* below dir */
    int quit_signal;           /* ends the server at once: its data goes, too */
    uid_t uid;                 /* who runs it; only used when we are root */
    gid_t gid;
    bool keep; /* the server may outlive the keeper */
} KeeperConfig;

/* What the keeper says, one byte each, on the status descriptor. */
typedef enum KeeperStatus {
    KEEPER_STARTED = 'S', /* the server process runs (it may not answer yet) */
    KEEPER_FAILED = 'F',  /* data/ could not be made; the log says why */
    KEEPER_EXITED = 'X',  /* the server ended by itself */
} KeeperStatus;

typedef struct Keeper {
    pid_t pid;
    int control; /* closing it ends server and directory; so does our death */
    int status;
} Keeper;

/* Forks the keeper. It leaves the terminal's process group, so that Ctrl-C reaches the server through us
 * only. Call it from a thread that lives as long as the server. Errors: ERR_IO. */
Err *keeper_start(const KeeperConfig *config, Keeper *ret_keeper) MUST_USE;
/* The next status byte within `timeout_ms`; 0 when there is none yet. A keeper that has died gives 'X'. */
char keeper_status(const Keeper *keeper, int timeout_ms);
/* Ends the keeper: with `release` the server stays, else server and directory are gone on return. */
void keeper_stop(Keeper *keeper, bool release);
