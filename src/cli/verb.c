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
    [VERB_HISTORY] =
        {.name = "history",
         .group = GROUP_LOOK,
         .positional = POSITIONAL_CHANGE,
         .synopsis = "[CHANGE|TABLE.COLUMN]",
         .summary = "show what ever happened",
         .details = "The journal's event log, oldest first, of one change or of all; or the life of a column "
                    "over all changes: who added and changed it, when it was ready, what was promised of it "
                    "and said of its flags. With --verify the log is held against its hash chain instead, "
                    "and what somebody altered, took out or put in is named: exit 6. With --predictions what "
                    "rehearsals said of each step stands beside what it was.",
         .example = "stoa history orders-amount-cents\n"
                    "stoa history orders.amount_cents\n"
                    "stoa history --verify --expect-head sha256:…",
         .run = cmd_history},
    [VERB_STALE] =
        {.name = "stale",
         .group = GROUP_LOOK,
         .synopsis = "",
         .summary = "list what may be removed, with evidence",
         .details =
             "Indexes that nobody uses (on replicas neither, with --replicas), that double another one, or "
             "are "
             "INVALID; constraints that are NOT VALID; columns without a value, with one and the same, or "
             "that no "
             "statement names; flags that have been on for long, contracts that have expired; what killed "
             "migrations of Stoa and other tools have left; prepared transactions and slots that nobody "
             "ends. Each "
             "with its evidence, how sure it is, and the next command.\n\n"
             "Reads the catalog and the server's counters alone, never a table, in statements of at most "
             "20 s, and says what that cost. What cannot be judged is said. See docs/stale.md.",
         .example = "stoa stale\n"
                    "stoa stale --replicas postgres://stoa@replica1/shop --ignore 'public.legacy_*'\n"
                    "stoa stale --json --fail-confidence high",
         .run = cmd_stale},
    [VERB_DOCTOR] =
        {.name = "doctor",
         .group = GROUP_LOOK,
         .synopsis = "",
         .summary = "say whether this server and role can do it",
         .details =
             "Looks at version, role, grants, settings, replication and poolers, and prints the SQL that "
             "mends what is missing. Exits 4 when something stands in the way.",
         .run = cmd_doctor},
    [VERB_REHEARSE] =
        {.name = "rehearse",
         .group = GROUP_REHEARSE,
         .positional = POSITIONAL_SQL,
         .acts = true,
         .synopsis = "[-f FILE | SQL]",
         .summary = "run the plan on a copy made from statistics, under traffic, and predict",
         .details =
             "Reads definitions, the planner's statistics, sizes, settings and rates of the database (no row "
             "of a "
             "table, and nothing is written there), makes tables like its own with made rows on a private "
             "server "
             "of the same major version, in growing sizes, and carries the very plan out on them: alone, and "
             "with "
             "an application in its way that does what the source's does, beside the change as it is usually "
             "written. Ends with what that predicts for all rows: how long, how much log, the longest "
             "stall.\n\n"
             "With --snapshot FILE and no SQL all that it needs is written into a file without any value of "
             "the "
             "source; with SQL that file stands for the database. docs/rehearse.md tells how rows are made "
             "and how "
             "far to trust a prediction.\n\n"
             "The report is kept: \"stoa plan\" shows it beside exactly its plan, \"stoa apply\" holds what "
             "happens against it, and \"stoa history --predictions\" tells how often it was right, which the "
             "next rehearsal takes into account.",
         .example = "stoa rehearse -f widen-orders.sql --url postgres://ro@db/shop\n"
                    "stoa rehearse --snapshot shop.json --url postgres://ro@db/shop\n"
                    "stoa rehearse --snapshot shop.json -f widen-orders.sql --scale 5% --format markdown\n"
                    "stoa rehearse -f widen-orders.sql --faults --format html > report.html",
         .run = cmd_rehearse},
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
    [VERB_RETIRE] =
        {.name = "retire",
         .group = GROUP_ACT,
         .positional = POSITIONAL_OBJECT,
         .acts = true,
         .synopsis = "TABLE.COLUMN | --index NAME | --table NAME",
         .summary = "take a column, index or table out of use: look, hide it for a while, wait, drop it",
         .details =
             "Names what stands on it and who used it, hides it for --for, and shows it again; a new error "
             "in "
             "--watch-log, or another answer than 2xx of --check-url, ends that at once and says who uses it "
             "(exit 4). Its undo stands in the journal before anything is hidden, and any process of Stoa "
             "shows "
             "it again when its time is over, so kill -9 leaves nothing hidden.\n\n"
             "Then it waits for --wait (exit 3): no process has to live that long, and the same command goes "
             "on. The drop is an ordinary change with its locks in short attempts. --keep-data saves a "
             "column's "
             "values before. --undo takes back what was done last.",
         .example = "stoa retire orders.note --for 60s --watch-log /var/log/shop.log\n"
                    "stoa retire orders.note --keep-data note.stoa   # a week later\n"
                    "stoa retire orders.note --undo --from note.stoa\n"
                    "stoa retire --index orders_by_note",
         .run = cmd_retire},
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
    [VERB_APPROVE] =
        {.name = "approve",
         .group = GROUP_STEER,
         .positional = POSITIONAL_SQL,
         .acts = true,
         .synopsis = "[--bundle FILE.json | -f FILE | SQL]",
         .summary = "record that a plan was reviewed and may be carried out",
         .details =
             "Who approves which plan digest goes into the event log of the database, signed with an SSH key "
             "(--sign) or as the role of the session (--by-role). An approval holds for that plan, in that "
             "database, for --approval-ttl. \"stoa apply --approvals 2\" carries a plan out only when two "
             "have approved exactly that one, neither of them whoever applies. --revoke takes all approvals "
             "of the plan back.\n\n"
             "With --bundle the plan is that of \"stoa plan --bundle\", and its digest is computed anew from "
             "its steps; else it is made from the SQL, as apply would, and shown.\n\n"
             "Who approves needs no access to the database: with --to the signature goes into a file, and "
             "whoever can reach the database records it by --signed, or sends it to stoa serve.",
         .example = "stoa approve --bundle review.json --sign ~/.ssh/id_ed25519\n"
                    "stoa approve --bundle review.json --sign ~/.ssh/id_ed25519 --to approval.json\n"
                    "stoa approve --signed approval.json --allowed-signers ci/allowed_signers\n"
                    "stoa approve -f amount_cents.sql --by-role --plan sha256:…",
         .run = cmd_approve},
    [VERB_GATE] =
        {.name = "gate",
         .group = GROUP_SHIP,
         .positional = POSITIONAL_COLUMN,
         .synopsis = "TABLE.COLUMN --for write|read|drop",
         .summary = "tell a pipeline whether code that needs a column may be deployed",
         .details =
             "Looks at the journal and the catalog of every database of every environment in "
             "stoa.yaml (or of those given by --env; or at the one of --url), and says what is missing "
             "where. It opens only when nothing is, and never on a guess. What write, read and drop "
             "mean is what flags mean (docs/flags.md); TABLE.COLUMN@CHANGE asks for one change of "
             "several of a column.\n\n"
             "Exits 0 when it is open, 3 when something is missing, 7 when a database cannot be "
             "looked at, 2 when it cannot be told which column is meant. --wait looks again until it "
             "is open.",
         .example = "stoa gate orders.amount_cents --for write\n"
                    "stoa gate orders.amount_cents --for read --env production --wait 10m",
         .run = cmd_gate},
    [VERB_DEMO] =
        {.name = "demo",
         .group = GROUP_TRY,
         .acts = true,
         .synopsis = "",
         .summary = "see it work on a private server, under traffic",
         .details =
             "Starts a PostgreSQL of its own in a temporary directory, loads an orders table, lets an "
             "application work on it, adds a NOT NULL column, and then does the same the plain way. "
             "Ends with "
             "a table of what the application noticed. With --rehearse the change is rehearsed first, and "
             "what that predicted stands beside what it was. Everything is removed at the end.",
         .example = "stoa demo --rows 200000\n"
                    "stoa demo --rehearse",
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
    case GROUP_REHEARSE:
        return "rehearse";
    case GROUP_ACT:
        return "act";
    case GROUP_STEER:
        return "steer";
    case GROUP_SHIP:
        return "ship";
    case GROUP_TRY:
        return "try";
    case GROUP_REMOVE:
        return "remove";
    case GROUP_SELF:
        return "about";
    }
    return "";
}
