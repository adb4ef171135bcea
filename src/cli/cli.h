/* cli.h — what every verb is given. */
#pragma once
#include "base/stop.h"
#include "cli/args.h"
#include "cli/exit.h"
#include "cli/term.h"
#include "engine/engine.h"

typedef struct Notify Notify;
typedef struct Otlp Otlp;

struct Cli {
    const EngineOps *const *engines;
    size_t engine_count;
    Args args;
    Arena *arena; /* lives as long as the process */
    Term term;
    Stop stop;
    const struct Place *place; /* which of an environment's databases it works on; NULL: it has one */
    json_t *measured;          /* of many databases: RunOptions.measured; NULL */
    Notify *notify;            /* hooks and webhooks; NULL */
    Otlp *otlp;                /* traces; NULL */
    int exit_code;             /* of a verb that ends without an error */
    json_t *error_problems;    /* joins the error object of --json; NULL */
};

static inline const Setting *cli_setting(const Cli *cli, OptionId id) { return &cli->args.settings[id]; }
/* Where the database is (places.c). */
Target cli_target(const Cli *cli);
static inline bool cli_given(const Cli *cli, OptionId id) { return cli->args.settings[id].given; }

Err *cmd_check(Cli *cli) MUST_USE;
Err *cmd_plan(Cli *cli) MUST_USE;
Err *cmd_status(Cli *cli) MUST_USE;
Err *cmd_history(Cli *cli) MUST_USE;
Err *cmd_stale(Cli *cli) MUST_USE;
Err *cmd_doctor(Cli *cli) MUST_USE;
Err *cmd_rehearse(Cli *cli) MUST_USE;
Err *cmd_apply(Cli *cli) MUST_USE;
Err *cmd_complete(Cli *cli) MUST_USE;
Err *cmd_abort(Cli *cli) MUST_USE;
Err *cmd_revert(Cli *cli) MUST_USE;
Err *cmd_retire(Cli *cli) MUST_USE;
Err *cmd_pause(Cli *cli) MUST_USE;
Err *cmd_resume(Cli *cli) MUST_USE;
Err *cmd_watch(Cli *cli) MUST_USE;
Err *cmd_serve(Cli *cli) MUST_USE;
Err *cmd_flag(Cli *cli) MUST_USE;
Err *cmd_approve(Cli *cli) MUST_USE;
Err *cmd_gate(Cli *cli) MUST_USE;
Err *cmd_demo(Cli *cli) MUST_USE;
Err *cmd_uninstall(Cli *cli) MUST_USE;
Err *cmd_help(Cli *cli) MUST_USE;
Err *cmd_version(Cli *cli) MUST_USE;
Err *cmd_completion(Cli *cli) MUST_USE;
