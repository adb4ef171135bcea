/* session.h — from the parsed command line to what run/ wants: where, what, how, and who watches. */
#pragma once
#include "cli/cli.h"
#include "run/run.h"

/* The options of a run, with the observer that feeds the terminal. Errors: ERR_USAGE for an unknown scheme.
 */
Err *session_options(Cli *cli, RunOptions *ret_options) MUST_USE;

/* listen.c: serves over HTTP at --listen, else at `otherwise`; *ret_serve NULL where neither says. To be
 * ended by serve_stop(). */
typedef struct Serve Serve;
Err *session_listen(Cli *cli, const RunOptions *options, const char *otherwise, Serve **ret_serve) MUST_USE;

/* trace.c: --otlp, where it is given; cli->otlp. It need not be ended by the verb. */
Err *session_trace(Cli *cli, RunOptions *options) MUST_USE;
void session_trace_end(Cli *cli, const Err *err);
/* tell.c: hooks and webhooks that are given; cli->notify. They need not be ended by the verb. */
Err *session_notify(Cli *cli) MUST_USE;
/* Tells them how the verb has ended, where that is not known, and waits for them a little. */
void session_notify_end(Cli *cli, const Err *err);
/* doctor --notify: adds what came of it to the checks of run_doctor()'s object. */
Err *session_notify_test(Cli *cli, json_t *doctor) MUST_USE;

/* Reads and parses what is asked (argument, -f FILE, or standard input). When something in it cannot be
 * carried out, every problem is printed as file:line:column: message, and the error says how many; its kind
 * is ERR_USAGE when one of them makes no sense, else ERR_UNSAFE. */
Err *session_change(Cli *cli, Change *ret_change) MUST_USE;

/* The change that a verb works on: the one named, else the only one there is in a state of `states`
 * ("|running|paused|"). ERR_USAGE names the candidates when there is not exactly one. */
Err *session_pick(Cli *cli, const RunOptions *options, const char *states, const char **ret_name) MUST_USE;

/* Refuses a plan of another strategy than --strategy asks for: ERR_UNSAFE. */
Err *session_strategy(const Cli *cli, const Plan *plan) MUST_USE;

/* Asks "question [y/N]" on a terminal unless --yes. ERR_STOPPED: the answer was no; ERR_USAGE: nobody can be
 * asked. */
Err *session_confirm(Cli *cli, const char *question) MUST_USE;

/* Prints what a verb did: the final figures, or their JSON object. */
void session_summary(Cli *cli, const char *change, const RunSummary *summary);
/* Prints {"v":1,"event":…,"change":…} or a sentence for people. */
void session_done(Cli *cli, const char *event, const char *change, const char *text);
/* Adds the hint that says how to go on, where a change was stopped half-way. */
Err *session_resumable(Err *err, const char *change) MUST_USE;
