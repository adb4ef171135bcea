/* The table of verbs. */
#include "cli/cli.h"

const Verb verbs[VERB_COUNT] = {
    [VERB_CHECK] =
        {.name = "check",
         .group = GROUP_LOOK,
         .positional = POSITIONAL_FILES,
         .synopsis = "[FILE|FOLDER|-]…",
         .summary = "say which statements of migrations would hurt, why, and what to write instead",
         .details =
             "Reads SQL files, folders of migration tools (Flyway, Liquibase formatted SQL, dbmate, goose, "
             "golang-migrate, sqitch, Atlas, Rails structure.sql, Django sqlmigrate, Prisma) or standard "
             "input, "
             "in the order and with the transactions of the tool, and reports findings: block (it stops or "
             "breaks "
             "the application, or loses rows), warn, note. With --url the server is asked: sizes of tables, "
             "and what each statement does on empty "
             "copies of them; with --snapshot FILE a file stands for it. What cannot be judged is "
             "reported as such, never passed as clean.\n\n"
             "A comment before a statement silences a rule: \"-- stoa: ignore drop-column until 2027-01-01: "
             "nobody reads it\"; \"-- stoa: ignore-file RULE: …\" holds for the file. Exits 0 without "
             "findings of "
             "--fail-on, 4 with, 2 when it cannot read what it is given.",
         .example = "stoa check migrations\n"
                    "stoa check db/V7__paid.sql --server-version 15 --format github\n"
                    "stoa check migrations --pending --url postgres://ci@db/shop\n"
                    "stoa check --snapshot shop.json --url postgres://ci@db/shop\n"
                    "stoa check migrations --snapshot shop.json\n"
                    "stoa check --explain set-not-null-scan",
         .run = cmd_check},
    [VERB_PLAN] =
        {.name = "plan",
         .group = GROUP_LOOK,
         .positional = POSITIONAL_SQL,
         .synopsis = "[-f FILE | SQL]",
         .summary = "show the steps apply would take: exact SQL, locks, estimate, undo",
         .details =
             "Looks at the server and changes nothing. The plan names every step in order with its SQL, the "
             "locks it takes, how long it should last and how it is undone, then what the change may break "
             "and which option accepts each risk.\n\n"
             "The plan digest covers SQL, locks and strategy: give it to \"stoa apply --expect\" and no "
             "other plan is carried out.",
         .example = "stoa plan -f add-amount-cents.sql\n"
                    "stoa plan 'ALTER TABLE orders ADD COLUMN paid boolean NOT NULL DEFAULT false' --json",
         .run = cmd_plan},
    [VERB_STATUS] =
        {.name = "status",
         .group = GROUP_LOOK,
         .positional = POSITIONAL_CHANGE,
         .synopsis = "[CHANGE]",
         .summary = "show where every change stands",
         .details = "Without a name: all changes that are not over. With a name: that change with its steps.",
         .example = "stoa status\nstoa status orders-amount-cents --json",
         .run = cmd_status},
    [VERB_HISTORY] = {.name = "history",
                      .group = GROUP_LOOK,
                      .positional = POSITIONAL_CHANGE,
                      .synopsis = "[CHANGE]",
                      .summary = "show what ever happened",
                      .details = "The journal's event log, oldest first, of one change or of all.",
                      .run = cmd_history},
    [VERB_DOCTOR] =
        {.name = "doctor",
         .group = GROUP_LOOK,
         .synopsis = "",
         .summary = "say whether this server and role can do it",
         .details =
             "Looks at version, role, grants, settings, replication and poolers, and prints the SQL that "
             "mends what is missing. Exits 4 when something stands in the way.",
         .run = cmd_doctor},
    [VERB_APPLY] =
        {.name = "apply",
         .group = GROUP_ACT,
         .positional = POSITIONAL_SQL,
         .acts = true,
         .synopsis = "[-f FILE | SQL]",
         .summary = "carry a change out up to ready",
         .details =
             "Shows the plan, asks, and carries it out. The same apply again continues what is not done and "
             "exits 0 when nothing is left. Off a terminal --yes or --expect is needed. --max-stall, "
             "--lock-wait, "
             "--max-lag, --chunk-time, --quiet and --window belong to the change: they hold until they are "
             "given anew, here or with \"stoa resume\".\n\n"
             "The first Ctrl-C finishes the chunk, writes a checkpoint and exits 3; the second cancels the "
             "running statement too. Either way \"stoa resume\" goes on from there. SIGUSR1 prints the "
             "status.",
         .example = "stoa apply 'ALTER TABLE orders ADD COLUMN amount_cents bigint NOT NULL' \\\n"
                    "    --backfill 'orders.amount_cents = (amount * 100)::bigint'",
         .run = cmd_apply},
    [VERB_COMPLETE] =
        {.name = "complete",
         .group = GROUP_ACT,
         .positional = POSITIONAL_CHANGE,
         .acts = true,
         .synopsis = "[CHANGE]",
         .summary = "remove what only the old application needs",
         .details =
             "Removes the sync trigger of a change that is ready, and the columns, tables and names that it "
             "drops. Refused while an application that does not know the column was seen writing within "
             "--quiet, while what is to go is still used (by pg_stat_statements, sessions and counters, "
             "since ready), and where nothing tells whether it is.",
         .run = cmd_complete},
    [VERB_ABORT] =
        {.name = "abort",
         .group = GROUP_ACT,
         .positional = POSITIONAL_CHANGE,
         .acts = true,
         .synopsis = "[CHANGE]",
         .summary = "undo a change that is not ready yet",
         .details =
             "Undoes the steps in reverse order. Nothing of the change stays but its entries in the journal. "
             "A "
             "change that is ready needs --force; once \"stoa complete\" has begun to remove the old shape, "
             "there is only the way on.",
         .run = cmd_abort},
    [VERB_REVERT] =
        {.name = "revert",
         .group = GROUP_ACT,
         .positional = POSITIONAL_CHANGE,
         .acts = true,
         .synopsis = "[CHANGE]",
         .summary = "go back to the old shape after ready, losing nothing that was written meanwhile",
         .details =
             "For changes whose new columns all have a --reverse: the old columns hold what either "
             "application wrote, so the trigger and the new columns are removed and the old application is "
             "alone again. Refused with time and row when a value was written that the old column could not "
             "take, and once \"stoa complete\" has begun to remove the old shape. When it is interrupted, "
             "the "
             "same command goes on.",
         .example = "stoa revert people-first",
         .run = cmd_revert},
    [VERB_PAUSE] = {.name = "pause",
                    .group = GROUP_STEER,
                    .positional = POSITIONAL_CHANGE,
                    .acts = true,
                    .synopsis = "[CHANGE]",
                    .summary = "let a running change rest",
                    .details =
                        "Whoever carries the change out finishes the chunk and waits for \"stoa resume\".",
                    .run = cmd_pause},
    [VERB_RESUME] =
        {.name = "resume",
         .group = GROUP_STEER,
         .positional = POSITIONAL_CHANGE,
         .acts = true,
         .synopsis = "[CHANGE]",
         .summary = "go on with a change",
         .details =
             "Goes on where the journal says the work stopped. When another process still holds "
             "the change, that process goes on, with the settings given here. Settings that are not given "
             "stay as they were.",
         .run = cmd_resume},
    [VERB_WATCH] =
        {.name = "watch",
         .group = GROUP_STEER,
         .positional = POSITIONAL_CHANGE,
         .synopsis = "[CHANGE]",
         .summary = "follow a change until it is over",
         .details = "Ends with 0 when the change is ready or completed. Ctrl-C ends the watching, not the "
                    "change.",
         .run = cmd_watch},
    [VERB_SERVE] =
        {.name = "serve",
         .group = GROUP_STEER,
         .synopsis = "",
         .summary = "serve the page, metrics, flags and the API over HTTP",
         .details =
             "Looks at the journal twice a second and answers everything from memory, also while the "
             "database is down. /api/v1/ has changes and events as JSON and as a stream, /healthz and "
             "/readyz "
             "tell whether it works. What changes something needs the token (--token-file or $STOA_TOKEN). "
             "It listens on loopback unless --listen says otherwise.",
         .example = "stoa serve --env production --token-file /etc/stoa/token",
         .run = cmd_serve},
    [VERB_FLAG] =
        {.name = "flag",
         .group = GROUP_STEER,
         .positional = POSITIONAL_FLAG,
         .acts = true,
         .synopsis = "[KEY [off|on|SHARE%]]",
         .summary = "show what is answered for flags, or hold one back",
         .details = "\"off\" holds a flag back for everybody, at once and whatever the journal says; \"on\" "
                    "lets it say again what the journal says; 25% lets it be true, once it is, for a quarter "
                    "of the targets, who stay in when the share grows. Who did so, when and why stands in "
                    "the journal. KEY is as docs/flags.md has it: orders.amount_cents.read, or in full.",
         .example = "stoa flag orders.amount_cents.read off --reason 'totals differ'",
         .run = cmd_flag},
    [VERB_DEMO] =
        {.name = "demo",
         .group = GROUP_TRY,
         .acts = true,
         .synopsis = "",
         .summary = "see it work on a private server, under traffic",
         .details = "Starts a PostgreSQL of its own in a temporary directory, loads an orders table, lets an "
                    "application work on it, adds a NOT NULL column, and then does the same the plain way. "
                    "Ends with "
                    "a table of what the application noticed. Everything is removed at the end.",
         .example = "stoa demo --rows 200000",
         .run = cmd_demo},
    [VERB_UNINSTALL] =
        {.name = "uninstall",
         .group = GROUP_REMOVE,
         .acts = true,
         .synopsis = "",
         .summary = "remove journal, functions and triggers from the database",
         .details = "Drops the schema stoa with all history, every sync trigger, and the scratch "
                    "databases that --probe keeps for this database, as far as this role may. Refused "
                    "while a change is under way, unless --force is given.",
         .run = cmd_uninstall},
    [VERB_HELP] = {.name = "help",
                   .group = GROUP_SELF,
                   .positional = POSITIONAL_VERB,
                   .synopsis = "[VERB]",
                   .summary = "explain a verb",
                   .details = "The same as \"stoa VERB --help\".",
                   .run = cmd_help},
    [VERB_VERSION] = {.name = "version",
                      .group = GROUP_SELF,
                      .synopsis = "",
                      .summary = "print the version",
                      .details = "Prints name and version.",
                      .run = cmd_version},
    [VERB_COMPLETION] = {.name = "completion",
                         .group = GROUP_SELF,
                         .positional = POSITIONAL_SHELL,
                         .synopsis = "bash",
                         .summary = "print the completion script for a shell",
                         .details = "Completes verbs, options and their values.",
                         .example = "stoa completion bash > /etc/bash_completion.d/stoa",
                         .run = cmd_completion},
};

const char *verb_group_name(VerbGroup group)
{
    switch (group) {
    case GROUP_LOOK:
        return "look";
    case GROUP_ACT:
        return "act";
    case GROUP_STEER:
        return "steer";
    case GROUP_TRY:
        return "try";
    case GROUP_REMOVE:
        return "remove";
    case GROUP_SELF:
        return "about";
    }
    return "";
}
