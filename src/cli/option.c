/* The two tables that the whole command line is made from. */
#include "cli/option.h"

#include "cli/cli.h"

#include <assert.h>
#include <string.h>

static_assert(VERB_COUNT <= 32, "verbs fit a bit mask");

#define BIT(verb) (1u << VERB_##verb)

enum {
    IN_ALL = (1u << VERB_COUNT) - 1,
    IN_MANY = BIT(APPLY) | BIT(RESUME) | BIT(COMPLETE) | BIT(ABORT) | BIT(REVERT) | BIT(PAUSE),
    IN_SELF = BIT(HELP) | BIT(VERSION) | BIT(COMPLETION),
    IN_SERVER = IN_ALL & ~(unsigned)IN_SELF & ~BIT(DEMO),
    IN_REQUEST = BIT(PLAN) | BIT(APPLY) | BIT(APPROVE) | BIT(REHEARSE),
    IN_LOCKS =
        BIT(APPLY) | BIT(RESUME) | BIT(COMPLETE) | BIT(ABORT) | BIT(REVERT) | BIT(RETIRE) | BIT(UNINSTALL),
    IN_PLANNED = BIT(PLAN) | BIT(APPLY) | BIT(RESUME),
    IN_TOLD = BIT(APPLY) | BIT(RESUME) | BIT(COMPLETE) | BIT(ABORT) | BIT(REVERT) | BIT(RETIRE) | BIT(SERVE),
    IN_JSON = IN_ALL & ~(BIT(HELP) | BIT(COMPLETION)),
};

const Option all_options[OPT_COUNT] = {
    [OPT_URL] =
        {.name = "url",
         .file = true,
         .kind = VALUE_URL,
         .group = OPTIONS_WHERE,
         .verbs = IN_SERVER,
         .metavar = "URL",
         .env = "STOA_URL",
         .help =
             "the database: postgres://user@host:5432/name, mysql:// or mariadb:// likewise, unix sockets "
             "and TLS parameters included. Without it the engine's own conventions hold: PG* variables, "
             "service file, ~/.pgpass"},
    [OPT_ENV] = {.name = "env",
                 .kind = VALUE_LIST,
                 .group = OPTIONS_WHERE,
                 .verbs = IN_SERVER,
                 .metavar = "NAME",
                 .help = "the database or databases, and options for them, that stoa.yaml has under this "
                         "name; gate takes several"},
    [OPT_CONFIG] = {.name = "config",
                    .kind = VALUE_FILE,
                    .group = OPTIONS_WHERE,
                    .verbs = IN_SERVER,
                    .metavar = "FILE",
                    .env = "STOA_CONFIG",
                    .help = "read options from this file; without it from the nearest stoa.yaml, here or "
                            "above, up to the root of the repository"},
    [OPT_PASSWORD_COMMAND] =
        {.name = "password-command",
         .file = true,
         .kind = VALUE_TEXT,
         .group = OPTIONS_WHERE,
         .verbs = IN_SERVER,
         .metavar = "COMMAND",
         .env = "STOA_PASSWORD_COMMAND",
         .help =
             "a command for sh that prints the password; it is asked for each connection, so it may print "
             "a token that soon expires. $STOA_TARGET tells it the URL"},
    [OPT_FILE] = {.name = "file",
                  .letter = 'f',
                  .kind = VALUE_FILE,
                  .group = OPTIONS_WHAT,
                  .verbs = IN_REQUEST,
                  .metavar = "FILE",
                  .help = "read the SQL from this file; \"-\" is standard input"},
    [OPT_NAME] =
        {.name = "name",
         .kind = VALUE_TEXT,
         .group = OPTIONS_WHAT,
         .verbs = IN_REQUEST,
         .metavar = "NAME",
         .help = "name of the change; made from the SQL where neither this nor \"-- stoa: name\" is given"},
    [OPT_OWNER] = {.name = "owner",
                   .kind = VALUE_TEXT,
                   .group = OPTIONS_WHAT,
                   .verbs = IN_REQUEST,
                   .metavar = "TEAM",
                   .help = "who to ask about the change"},
    [OPT_BACKFILL] =
        {.name = "backfill",
         .kind = VALUE_LIST,
         .group = OPTIONS_WHAT,
         .verbs = IN_REQUEST,
         .metavar = "COLUMN=EXPR",
         .help = "how existing rows get their value: 'orders.amount_cents = (amount * 100)::bigint'. "
                 "May be given for several columns"},
    [OPT_REVERSE] = {.name = "reverse",
                     .kind = VALUE_LIST,
                     .group = OPTIONS_WHAT,
                     .verbs = IN_REQUEST,
                     .metavar = "COLUMN=EXPR",
                     .help =
                         "how an old column follows the new ones: 'orders.amount = amount_cents / 100.0'. "
                         "Then both applications may write until complete, and \"stoa revert\" can go "
                         "back. May be given for several columns"},
    [OPT_YES] = {.name = "yes",
                 .kind = VALUE_FLAG,
                 .group = OPTIONS_HOW,
                 .verbs = BIT(APPLY) | BIT(COMPLETE) | BIT(ABORT) | BIT(REVERT) | BIT(RETIRE) |
                          BIT(UNINSTALL) | BIT(APPROVE),
                 .help = "do not ask"},
    [OPT_EXPECT] = {.name = "expect",
                    .kind = VALUE_TEXT,
                    .group = OPTIONS_HOW,
                    .verbs = BIT(APPLY),
                    .metavar = "PLAN_DIGEST",
                    .help =
                        "carry out this plan and no other; the digest is the one that \"stoa plan\" prints. "
                        "Counts as --yes"},
    [OPT_UNTIL] = {.name = "until",
                   .kind = VALUE_CHOICE,
                   .group = OPTIONS_HOW,
                   .verbs = BIT(APPLY) | BIT(RESUME),
                   .metavar = "PHASE",
                   .choices = "prepare|expand|backfill|verify|constrain|ready",
                   .help = "stop after this phase"},
    [OPT_STRATEGY] =
        {.name = "strategy",
         .file = true,
         .kind = VALUE_CHOICE,
         .group = OPTIONS_HOW,
         .verbs = IN_REQUEST,
         .metavar = "STRATEGY",
         .fallback = "auto",
         .choices = "auto|instant|in-place|shadow",
         .help =
             "instant refuses whatever has to touch rows; in-place (PostgreSQL: like auto) lets the server "
             "work on the table itself, while writers go on; shadow copies it beside the application and "
             "swaps (PostgreSQL: one table whose every part can be carried over); auto takes the cheapest "
             "safe way (PostgreSQL: never shadow)"},
    [OPT_LATE_INDEXES] =
        {.name = "late-indexes",
         .file = true,
         .kind = VALUE_CHOICE,
         .group = OPTIONS_HOW,
         .verbs = IN_REQUEST,
         .metavar = "WHEN",
         .fallback = "auto",
         .choices = "auto|always|never",
         .help = "MySQL and MariaDB: build the secondary indexes of a shadow table when its rows are there, "
                 "which is much faster, but one statement; auto: where no replica lags by it, or "
                 "--accept-replica-lag"},
    [OPT_VERIFY] =
        {.name = "verify",
         .file = true,
         .kind = VALUE_CHOICE,
         .group = OPTIONS_HOW,
         .verbs = IN_REQUEST,
         .metavar = "METHOD",
         .choices = "expression|filled",
         .help = "what must hold for every row before ready: it equals the backfill expression, or it is "
                 "filled (for applications that already write the column). Without it: expression where "
                 "the expression depends on the row alone"},
    [OPT_PROBE] =
        {.name = "probe",
         .file = true,
         .kind = VALUE_CHOICE,
         .group = OPTIONS_HOW,
         .verbs = IN_REQUEST | BIT(RETIRE) | BIT(CHECK),
         .metavar = "WHEN",
         .fallback = "on",
         .choices = "on|schema|off",
         .help =
             "on: run the plan's DDL on empty copies of the tables first, in a scratch database "
             "stoa_scratch_… that is made beside the database on first use and kept, and take locks and "
             "refusals from there; a role that may not make one gets scratch schemas stoa_scratch_… in the "
             "database itself, dropped with the plan; where neither can be done the plan says so and goes by "
             "rule. schema: scratch schemas in any case. off: plan by rule and catalog. check: the "
             "statements of "
             "the files are tried there; off: judge by rule and by the sizes of the tables"},
    [OPT_VERSIONED] =
        {.name = "versioned",
         .kind = VALUE_MAYBE,
         .group = OPTIONS_HOW,
         .verbs = IN_REQUEST,
         .metavar = "SCHEMA",
         .help =
             "both applications at once: the table keeps its old shape until \"stoa complete\", and a schema "
             "of views shows the new one to sessions that SET stoa.version to the change's name. Without "
             "=SCHEMA the schema is named after the change"},
    [OPT_QUIET] = {.name = "quiet",
                   .file = true,
                   .kind = VALUE_DURATION,
                   .group = OPTIONS_HOW,
                   .verbs = BIT(COMPLETE) | BIT(RETIRE),
                   .metavar = "TIME",
                   .fallback = "24h",
                   .help = "for how long no old writer, and no use of what is to go, may have been seen"},
    [OPT_FORCE] =
        {.name = "force",
         .kind = VALUE_FLAG,
         .group = OPTIONS_HOW,
         .verbs = BIT(COMPLETE) | BIT(ABORT) | BIT(RETIRE) | BIT(UNINSTALL),
         .help = "go on although old writers or readers were seen, or nothing tells (complete, retire), "
                 "applications may rely on the change "
                 "already (abort), or a change is under way (uninstall)"},
    [OPT_ALL] = {.name = "all",
                 .kind = VALUE_FLAG,
                 .group = OPTIONS_WHAT,
                 .verbs = BIT(STATUS),
                 .help = "also changes that are over"},
    [OPT_ROWS] =
        {.name = "rows",
         .kind = VALUE_COUNT,
         .group = OPTIONS_HOW,
         .verbs = BIT(DEMO) | BIT(REHEARSE),
         .metavar = "N",
         .fallback = "1000000",
         .help = "demo: rows in the orders table. rehearse: rows of the largest size, in place of --scale"},
    [OPT_RATE] = {.name = "rate",
                  .kind = VALUE_COUNT,
                  .group = OPTIONS_HOW,
                  .verbs = BIT(DEMO) | BIT(REHEARSE),
                  .metavar = "N",
                  .fallback = "300",
                  .help = "statements per second of the application; rehearse: in place of the source's"},
    [OPT_ENGINE] =
        {.name = "engine",
         .file = true,
         .kind = VALUE_CHOICE,
         .group = OPTIONS_HOW,
         .verbs = BIT(DEMO) | BIT(CHECK),
         .metavar = "NAME",
         .choices = "postgres|mysql|mariadb",
         .help = "demo: which server is started and shown; postgres (the default) adds and fills a column, "
                 "mariadb turns an indexed int into bigint. check: what the statements are written for; "
                 "without it --url tells, else the text"},
    [OPT_KEEP] = {.name = "keep",
                  .kind = VALUE_FLAG,
                  .group = OPTIONS_HOW,
                  .verbs = BIT(DEMO),
                  .help = "leave the server running and say how to reach it"},
    [OPT_SQL] = {.name = "sql",
                 .kind = VALUE_MAYBE,
                 .group = OPTIONS_OUTPUT,
                 .verbs = BIT(PLAN),
                 .metavar = "FOLDER",
                 .help =
                     "write the plan as SQL files, one for each phase, for those who run them with a tool "
                     "of their own. Without =FOLDER the folder is named after the change"},
    [OPT_METRICS_PAGE] = {.name = "metrics-page",
                          .kind = VALUE_FLAG,
                          .group = OPTIONS_OUTPUT,
                          .verbs = BIT(HELP),
                          .help = "print docs/metrics.md"},
    [OPT_RULES_PAGE] = {.name = "rules-page",
                        .kind = VALUE_FLAG,
                        .group = OPTIONS_OUTPUT,
                        .verbs = BIT(HELP),
                        .help = "print docs/rules.md"},
    [OPT_MAN] = {.name = "man",
                 .kind = VALUE_FLAG,
                 .group = OPTIONS_OUTPUT,
                 .verbs = BIT(HELP),
                 .help = "print the manual page as scdoc source"},
    [OPT_OPTIONS_JSON] = {.name = "options-json",
                          .kind = VALUE_FLAG,
                          .group = OPTIONS_OUTPUT,
                          .verbs = BIT(HELP),
                          .help = "print the tables of verbs and options as JSON"},
    [OPT_JSON] = {.name = "json",
                  .kind = VALUE_FLAG,
                  .group = OPTIONS_OUTPUT,
                  .verbs = IN_JSON,
                  .help =
                      "JSON on standard output: one object, or one event per line where something is done"},
    [OPT_COLOR] = {.name = "color",
                   .file = true,
                   .kind = VALUE_CHOICE,
                   .group = OPTIONS_OUTPUT,
                   .verbs = IN_ALL,
                   .metavar = "WHEN",
                   .fallback = "auto",
                   .choices = "auto|always|never",
                   .help = "colour; auto means on a terminal, unless NO_COLOR is set"},
    [OPT_LOG_FORMAT] =
        {.name = "log-format",
         .file = true,
         .kind = VALUE_CHOICE,
         .group = OPTIONS_OUTPUT,
         .verbs = IN_LOCKS | BIT(PAUSE) | BIT(SERVE),
         .metavar = "FORMAT",
         .fallback = "text",
         .choices = "text|json",
         .help = "how standard error is written: text, or a JSON object on each line, with at, level, event, "
                 "change, step and text"},
    [OPT_VERBOSE] = {.name = "verbose",
                     .letter = 'v',
                     .kind = VALUE_FLAG,
                     .group = OPTIONS_OUTPUT,
                     .verbs = IN_ALL,
                     .help = "say more: in plans also the statements that make the sync trigger"},
    [OPT_SILENT] = {.name = "silent",
                    .letter = 'q',
                    .kind = VALUE_FLAG,
                    .group = OPTIONS_OUTPUT,
                    .verbs = IN_ALL,
                    .help = "say nothing but errors and the result"},
    [OPT_HELP] = {.name = "help",
                  .letter = 'h',
                  .kind = VALUE_FLAG,
                  .group = OPTIONS_OUTPUT,
                  .verbs = IN_ALL,
                  .help = "explain the verb"},
#include "cli/option_accept.inc"
#include "cli/option_approve.inc"
#include "cli/option_check.inc"
#include "cli/option_environment.inc"
#include "cli/option_rehearse.inc"
#include "cli/option_retire.inc"
#include "cli/option_serve.inc"
#include "cli/option_signals.inc"
#include "cli/option_stale.inc"
#include "cli/option_throttle.inc"
#include "cli/option_trace.inc"
};

const char *option_group_name(OptionGroup group)
{
    switch (group) {
    case OPTIONS_WHERE:
        return "Where";
    case OPTIONS_WHAT:
        return "What";
    case OPTIONS_HOW:
        return "How";
    case OPTIONS_ACCEPT:
        return "Risks accepted";
    case OPTIONS_OUTPUT:
        return "Output";
    }
    return "";
}

const char *option_choices(const Option *option, VerbId verb)
{
    const char *fewer = option->verb_choices == NULL ? NULL : option->verb_choices[verb];
    return fewer != NULL ? fewer : option->choices;
}

bool choice_has(const char *choices, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = choices; at != NULL && *at != '\0';) {
        size_t size = strcspn(at, "|");
        if (size == len && strncmp(at, word, len) == 0)
            return true;
        at += size + (at[size] == '|');
    }
    return false;
}
