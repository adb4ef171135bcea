/* The two tables that the whole command line is made from. */
#include "cli/option.h"

#include "cli/cli.h"

#include <assert.h>
#include <string.h>

static_assert(VERB_COUNT <= 32, "verbs fit a bit mask");

#define BIT(verb) (1u << VERB_##verb)

enum {
    IN_ALL = (1u << VERB_COUNT) - 1,
    IN_SELF = BIT(HELP) | BIT(VERSION) | BIT(COMPLETION),
    IN_SERVER = IN_ALL & ~(unsigned)IN_SELF & ~BIT(DEMO),
    IN_REQUEST = BIT(PLAN) | BIT(APPLY),
    IN_LOCKS = BIT(APPLY) | BIT(RESUME) | BIT(COMPLETE) | BIT(ABORT) | BIT(REVERT) | BIT(UNINSTALL),
    IN_PLANNED = BIT(PLAN) | BIT(APPLY) | BIT(RESUME),
    IN_TOLD = BIT(APPLY) | BIT(RESUME) | BIT(COMPLETE) | BIT(ABORT) | BIT(REVERT) | BIT(SERVE),
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
                 .kind = VALUE_TEXT,
                 .group = OPTIONS_WHERE,
                 .verbs = IN_SERVER,
                 .metavar = "NAME",
                 .help = "the database, and options for it, that stoa.yaml has under this name"},
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
                 .verbs = BIT(APPLY) | BIT(COMPLETE) | BIT(ABORT) | BIT(REVERT) | BIT(UNINSTALL),
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
             "work on the table itself, while writers go on; shadow (MySQL and MariaDB) copies it beside "
             "the application; auto takes the cheapest safe way"},
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
         .verbs = IN_REQUEST | BIT(CHECK),
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
    [OPT_MAX_STALL] = {.name = "max-stall",
                       .file = true,
                       .kind = VALUE_DURATION,
                       .group = OPTIONS_HOW,
                       .verbs = IN_LOCKS | BIT(PLAN),
                       .metavar = "TIME",
                       .fallback = "200ms",
                       .help = "the longest that one statement of the application may wait because of us"},
    [OPT_LOCK_WAIT] = {.name = "lock-wait",
                       .file = true,
                       .kind = VALUE_DURATION,
                       .group = OPTIONS_HOW,
                       .verbs = IN_LOCKS,
                       .metavar = "TIME",
                       .fallback = "10m",
                       .help = "how long to keep trying for a lock, in attempts that respect --max-stall"},
    [OPT_MAX_LAG] = {.name = "max-lag",
                     .file = true,
                     .kind = VALUE_DURATION,
                     .group = OPTIONS_HOW,
                     .verbs = BIT(PLAN) | BIT(APPLY) | BIT(RESUME),
                     .metavar = "TIME",
                     .fallback = "5s",
                     .help = "slow down while a replica is further behind than this"},
    [OPT_MAX_LOAD] =
        {.name = "max-load",
         .file = true,
         .kind = VALUE_LIST,
         .group = OPTIONS_HOW,
         .verbs = BIT(APPLY) | BIT(RESUME),
         .metavar = "SIGNAL=N",
         .help = "slow down while a signal of the server is above this; \"off\" for no limit. May be given "
                 "for several. "
                 "PostgreSQL: active-sessions (200), blocked-sessions (0), archive-queue (42), latency, "
                 "wal-rate, "
                 "slot-wal, snapshot-age, autovacuum, dead-rows. MySQL and MariaDB: threads-running (100), "
                 "history-list (2000000), flow-control (0.1), receive-queue (100). What they are: "
                 "docs/signals.md"},
    [OPT_CRITICAL_LOAD] =
        {.name = "critical-load",
         .file = true,
         .kind = VALUE_LIST,
         .group = OPTIONS_HOW,
         .verbs = BIT(APPLY) | BIT(RESUME),
         .metavar = "SIGNAL=N",
         .help = "pause the change when a signal is above this, and end a statement of the server "
                 "that cannot be slowed; it goes on when somebody resumes it"},
    [OPT_NICE] = {.name = "nice",
                  .file = true,
                  .kind = VALUE_TEXT,
                  .group = OPTIONS_HOW,
                  .verbs = BIT(APPLY) | BIT(RESUME),
                  .metavar = "RATIO",
                  .fallback = "0",
                  .help = "rest so long for each second of work: 1 is half the speed"},
    [OPT_CHECK_SQL] =
        {.name = "check-sql",
         .file = true,
         .kind = VALUE_TEXT,
         .group = OPTIONS_HOW,
         .verbs = BIT(APPLY) | BIT(RESUME),
         .metavar = "SELECT",
         .help = "slow down while this statement, asked once a second, gives true or a number above 0; "
                 "\"off\" ends that"},
    [OPT_CHECK_URL] = {.name = "check-url",
                       .file = true,
                       .kind = VALUE_TEXT,
                       .group = OPTIONS_HOW,
                       .verbs = BIT(APPLY) | BIT(RESUME),
                       .metavar = "URL",
                       .help = "slow down while this URL does not answer with 2xx; \"off\" ends that"},
    [OPT_STOP_FILE] = {.name = "stop-file",
                       .file = true,
                       .kind = VALUE_TEXT,
                       .group = OPTIONS_HOW,
                       .verbs = BIT(APPLY) | BIT(RESUME),
                       .metavar = "FILE",
                       .help = "rest while this file is there; \"off\" ends that"},
    [OPT_CHUNK_TIME] = {.name = "chunk-time",
                        .file = true,
                        .kind = VALUE_DURATION,
                        .group = OPTIONS_HOW,
                        .verbs = BIT(APPLY) | BIT(RESUME),
                        .metavar = "TIME",
                        .fallback = "100ms",
                        .help = "how long one transaction of the backfill should take"},
    [OPT_WINDOW] = {.name = "window",
                    .file = true,
                    .kind = VALUE_TEXT,
                    .group = OPTIONS_HOW,
                    .verbs = BIT(APPLY) | BIT(RESUME),
                    .metavar = "'HH:MM-HH:MM ZONE'",
                    .help = "work only at this time of day: '22:00-06:00 Europe/Berlin'"},
    [OPT_REPLICAS] =
        {.name = "replicas",
         .file = true,
         .kind = VALUE_URLS,
         .group = OPTIONS_HOW,
         .verbs = IN_PLANNED,
         .metavar = "URL|0",
         .help = "a replica to watch, where the primary does not show it; may be given several times. "
                 "0 states that there is none"},
    [OPT_LISTEN] =
        {.name = "listen",
         .file = true,
         .kind = VALUE_TEXT,
         .group = OPTIONS_HOW,
         .verbs = BIT(SERVE) | BIT(APPLY) | BIT(RESUME),
         .metavar = "ADDRESS",
         .help =
             "serve the page, metrics, flags and the API here while it runs: 127.0.0.1:8686, "
             "[::1]:8686, :8686 for all addresses; a port alone is on loopback. \"stoa serve\" listens at "
             "127.0.0.1:8686 without it"},
    [OPT_TEXTFILE] = {.name = "textfile",
                      .file = true,
                      .kind = VALUE_FILE,
                      .group = OPTIONS_HOW,
                      .verbs = BIT(SERVE) | BIT(APPLY) | BIT(RESUME),
                      .metavar = "FILE",
                      .help = "write the metrics into this file every two seconds while it runs, and at "
                              "the end, for node_exporter's textfile collector; its name ends in .prom"},
    [OPT_TOKEN_FILE] =
        {.name = "token-file",
         .file = true,
         .kind = VALUE_FILE,
         .group = OPTIONS_HOW,
         .verbs = BIT(SERVE) | BIT(APPLY) | BIT(RESUME),
         .metavar = "FILE",
         .help = "its first line is the token that pausing, resuming, completing and aborting over "
                 "HTTP need; else $STOA_TOKEN. Without a token the server only shows"},
    [OPT_TLS_CERT] = {.name = "tls-cert",
                      .file = true,
                      .kind = VALUE_FILE,
                      .group = OPTIONS_HOW,
                      .verbs = BIT(SERVE) | BIT(APPLY) | BIT(RESUME),
                      .metavar = "FILE",
                      .help = "serve HTTPS with this certificate (PEM), with --tls-key"},
    [OPT_TLS_KEY] = {.name = "tls-key",
                     .file = true,
                     .kind = VALUE_FILE,
                     .group = OPTIONS_HOW,
                     .verbs = BIT(SERVE) | BIT(APPLY) | BIT(RESUME),
                     .metavar = "FILE",
                     .help = "the key of --tls-cert (PEM, without passphrase)"},
    [OPT_STATE_FILE] = {.name = "state-file",
                        .file = true,
                        .kind = VALUE_FILE,
                        .group = OPTIONS_HOW,
                        .verbs = BIT(SERVE) | BIT(APPLY) | BIT(RESUME),
                        .metavar = "FILE",
                        .help = "keeps what was answered for flags, so that a server which is started while "
                                "the database is down answers the same"},
    [OPT_FLAGD_FILE] = {.name = "flagd-file",
                        .file = true,
                        .kind = VALUE_FILE,
                        .group = OPTIONS_HOW,
                        .verbs = BIT(SERVE) | BIT(APPLY) | BIT(RESUME),
                        .metavar = "FILE",
                        .help = "keeps the flags in this file, as flagd reads them"},
    [OPT_REASON] = {.name = "reason",
                    .kind = VALUE_TEXT,
                    .group = OPTIONS_HOW,
                    .verbs = BIT(FLAG),
                    .metavar = "TEXT",
                    .help = "why, for the journal"},
    [OPT_PUBLIC_HOST] =
        {.name = "public-host",
         .file = true,
         .kind = VALUE_LIST,
         .group = OPTIONS_HOW,
         .verbs = BIT(SERVE) | BIT(APPLY) | BIT(RESUME),
         .metavar = "NAME",
         .help = "a name that requests over HTTP may be made to, as a reverse proxy hands it on: "
                 "stoa.example.com. Without it only localhost where --listen is on loopback. May be given "
                 "several times"},
    [OPT_HOOK] = {.name = "hook",
                  .file = true,
                  .kind = VALUE_LIST,
                  .group = OPTIONS_HOW,
                  .verbs = IN_TOLD | BIT(DOCTOR),
                  .metavar = "PROGRAM",
                  .help = "run this (by sh -c) for what happens to the change: $STOA_EVENT, $STOA_CHANGE, "
                          "$STOA_TEXT and others tell it, and JSON on its standard input; it has 30 s. May "
                          "be given several times. See docs/notify.md"},
    [OPT_WEBHOOK] = {.name = "webhook",
                     .file = true,
                     .kind = VALUE_URLS,
                     .group = OPTIONS_HOW,
                     .verbs = IN_TOLD | BIT(DOCTOR),
                     .metavar = "URL",
                     .help = "POST what happens to the change there, as JSON, again for a quarter of an hour "
                             "while nobody answers. May be given several times"},
    [OPT_WEBHOOK_SECRET_FILE] =
        {.name = "webhook-secret-file",
         .file = true,
         .kind = VALUE_FILE,
         .group = OPTIONS_HOW,
         .verbs = IN_TOLD | BIT(DOCTOR),
         .metavar = "FILE",
         .help = "its first line signs what is posted (X-Stoa-Signature: sha256=HMAC of the body); else "
                 "$STOA_WEBHOOK_SECRET. Without a secret nothing is signed"},
    [OPT_NOTIFY_THROTTLED_AFTER] =
        {.name = "notify-throttled-after",
         .file = true,
         .kind = VALUE_DURATION,
         .group = OPTIONS_HOW,
         .verbs = IN_TOLD,
         .metavar = "TIME",
         .fallback = "5m",
         .help = "tell hooks and webhooks that a change is throttled once it has been for this long"},
    [OPT_NOTIFY] = {.name = "notify",
                    .kind = VALUE_FLAG,
                    .group = OPTIONS_HOW,
                    .verbs = BIT(DOCTOR),
                    .help = "also tell each --hook and --webhook an event \"test\", once, and say what came "
                            "of it"},
    [OPT_ACCEPT_STAR] = {.name = "accept-star",
                         .kind = VALUE_FLAG,
                         .group = OPTIONS_ACCEPT,
                         .verbs = IN_REQUEST,
                         .help =
                             "statements that a new column can break were seen (prepared SELECT *, INSERT or "
                             "COPY without a column list) and are dealt with"},
    [OPT_ACCEPT_TRIGGERS] = {.name = "accept-triggers",
                             .kind = VALUE_FLAG,
                             .group = OPTIONS_ACCEPT,
                             .verbs = IN_REQUEST,
                             .help = "triggers may fire for the backfill, or (MySQL) name what goes"},
    [OPT_ACCEPT_SCAN] = {.name = "accept-scan",
                         .kind = VALUE_FLAG,
                         .group = OPTIONS_ACCEPT,
                         .verbs = IN_REQUEST,
                         .help = "a scan under a strong lock may take longer than --max-stall"},
    [OPT_ACCEPT_VIEW] = {.name = "accept-view",
                         .kind = VALUE_FLAG,
                         .group = OPTIONS_ACCEPT,
                         .verbs = IN_REQUEST,
                         .help = "the new application does without the statements that do not work through "
                                 "the views of --versioned, or (MySQL) through views of what goes"},
    [OPT_ACCEPT_STANDBY_STALL] = {.name = "accept-standby-stall",
                                  .kind = VALUE_FLAG,
                                  .group = OPTIONS_ACCEPT,
                                  .verbs = IN_REQUEST,
                                  .help = "readers on a standby that cannot be looked at may wait"},
    [OPT_ACCEPT_DRIFT] = {.name = "accept-drift",
                          .kind = VALUE_FLAG,
                          .group = OPTIONS_ACCEPT,
                          .verbs = BIT(APPLY) | BIT(RESUME),
                          .help =
                              "somebody else changed the tables while the change ran: keep that, although "
                              "the catalog is not what the plan said"},
    [OPT_ACCEPT_KEY_LOSS] = {.name = "accept-key-loss",
                             .kind = VALUE_FLAG,
                             .group = OPTIONS_ACCEPT,
                             .verbs = IN_REQUEST,
                             .help = "a primary key or unique constraint goes with what is dropped"},
    [OPT_ACCEPT_INDEX_LOSS] = {.name = "accept-index-loss",
                               .kind = VALUE_FLAG,
                               .group = OPTIONS_ACCEPT,
                               .verbs = IN_REQUEST,
                               .help = "indexes, constraints or statistics over further columns go with the "
                                       "column that is dropped"},
    [OPT_ACCEPT_RENAME] =
        {.name = "accept-rename",
         .kind = VALUE_FLAG,
         .group = OPTIONS_ACCEPT,
         .verbs = IN_REQUEST,
         .help = "a table or column gets its new name (or schema) at once: nobody uses the old one"},
    [OPT_ACCEPT_COLUMN_ORDER] = {.name = "accept-column-order",
                                 .kind = VALUE_FLAG,
                                 .group = OPTIONS_ACCEPT,
                                 .verbs = IN_REQUEST,
                                 .help =
                                     "a column that gets another type may become the last one of its table"},
    [OPT_ACCEPT_ROW_SECURITY] = {.name = "accept-row-security",
                                 .kind = VALUE_FLAG,
                                 .group = OPTIONS_ACCEPT,
                                 .verbs = IN_REQUEST,
                                 .help =
                                     "row level security without a policy hides every row from others than "
                                     "the owner"},
    [OPT_SUBSCRIBERS_READY] = {.name = "subscribers-ready",
                               .kind = VALUE_FLAG,
                               .group = OPTIONS_ACCEPT,
                               .verbs = IN_REQUEST,
                               .help =
                                   "logical subscribers have the new column already: the SQL that the plan "
                                   "prints was run there"},
    [OPT_ACCEPT_REPLICA_LAG] = {.name = "accept-replica-lag",
                                .kind = VALUE_FLAG,
                                .group = OPTIONS_ACCEPT,
                                .verbs = IN_REQUEST,
                                .help =
                                    "MySQL and MariaDB: an index or table may be built in place, although "
                                    "each replica does it again and falls behind by as long"},
    [OPT_ACCEPT_LOST_ATTRIBUTES] = {.name = "accept-lost-attributes",
                                    .kind = VALUE_FLAG,
                                    .group = OPTIONS_ACCEPT,
                                    .verbs = IN_REQUEST,
                                    .help =
                                        "MySQL and MariaDB: a statement may take away what it does not name "
                                        "(NOT NULL, DEFAULT, COMMENT, a character set …)"},
    [OPT_ACCEPT_ONLINE_COPY] = {.name = "accept-online-copy",
                                .kind = VALUE_FLAG,
                                .group = OPTIONS_ACCEPT,
                                .verbs = IN_REQUEST,
                                .help = "MariaDB 11.2 and later: the server may copy the table by itself, in "
                                        "one piece that cannot be slowed down or resumed"},
    [OPT_ACCEPT_NO_DEFAULT] = {.name = "accept-no-default",
                               .kind = VALUE_FLAG,
                               .group = OPTIONS_ACCEPT,
                               .verbs = IN_REQUEST,
                               .help = "MySQL and MariaDB: a new column is NOT NULL without a DEFAULT, so "
                                       "that INSERTs which do not name it fail in strict mode"},
    [OPT_ALLOW_OLD_SNAPSHOTS] = {.name = "allow-old-snapshots",
                                 .kind = VALUE_FLAG,
                                 .group = OPTIONS_ACCEPT,
                                 .verbs = IN_REQUEST,
                                 .help = "MySQL and MariaDB: a cutover does not wait for transactions with "
                                         "older snapshots, which then see the table without rows"},
    [OPT_QUIET] = {.name = "quiet",
                   .file = true,
                   .kind = VALUE_DURATION,
                   .group = OPTIONS_HOW,
                   .verbs = BIT(COMPLETE),
                   .metavar = "TIME",
                   .fallback = "24h",
                   .help = "for how long no old writer, and no use of what is to go, may have been seen"},
    [OPT_FORCE] = {.name = "force",
                   .kind = VALUE_FLAG,
                   .group = OPTIONS_HOW,
                   .verbs = BIT(COMPLETE) | BIT(ABORT) | BIT(UNINSTALL),
                   .help = "go on although old writers or readers were seen, or nothing tells (complete), "
                           "applications may rely on the change "
                           "already (abort), or a change is under way (uninstall)"},
    [OPT_ALL] = {.name = "all",
                 .kind = VALUE_FLAG,
                 .group = OPTIONS_WHAT,
                 .verbs = BIT(STATUS),
                 .help = "also changes that are over"},
    [OPT_ROWS] = {.name = "rows",
                  .kind = VALUE_COUNT,
                  .group = OPTIONS_HOW,
                  .verbs = BIT(DEMO),
                  .metavar = "N",
                  .fallback = "1000000",
                  .help = "rows in the orders table"},
    [OPT_RATE] = {.name = "rate",
                  .kind = VALUE_COUNT,
                  .group = OPTIONS_HOW,
                  .verbs = BIT(DEMO),
                  .metavar = "N",
                  .fallback = "300",
                  .help = "statements per second of the application"},
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
    [OPT_SERVER_VERSION] = {.name = "server-version",
                            .file = true,
                            .kind = VALUE_TEXT,
                            .group = OPTIONS_WHERE,
                            .verbs = BIT(CHECK),
                            .metavar = "VERSION",
                            .help =
                                "the server that the statements are for: 15, 14.3, 8.0.36, 10.11. Without it "
                                "the oldest that its makers still keep up: PostgreSQL 14, MySQL 8.0, "
                                "MariaDB 10.6"},
    [OPT_FORMAT] = {.name = "format",
                    .file = true,
                    .kind = VALUE_CHOICE,
                    .group = OPTIONS_OUTPUT,
                    .verbs = BIT(CHECK),
                    .metavar = "FORMAT",
                    .fallback = "text",
                    .choices = "text|json|sarif|github|gitlab|checkstyle",
                    .help = "how findings are written"},
    [OPT_FAIL_ON] = {.name = "fail-on",
                     .file = true,
                     .kind = VALUE_CHOICE,
                     .group = OPTIONS_HOW,
                     .verbs = BIT(CHECK),
                     .metavar = "SEVERITY",
                     .fallback = "warn",
                     .choices = "block|warn|note|never",
                     .help = "the least severity of a finding that makes the exit code 4"},
    [OPT_RULE] = {.name = "rule",
                  .kind = VALUE_LIST,
                  .group = OPTIONS_HOW,
                  .verbs = BIT(CHECK),
                  .metavar = "RULE=SEVERITY",
                  .help =
                      "another severity for a rule: block, warn, note, off. May be given for several rules; "
                      "other linters' names are understood"},
    [OPT_BASELINE] = {.name = "baseline",
                      .file = true,
                      .kind = VALUE_FILE,
                      .group = OPTIONS_HOW,
                      .verbs = BIT(CHECK),
                      .metavar = "FILE",
                      .help = "leave out findings that stand in this file"},
    [OPT_WRITE_BASELINE] = {.name = "write-baseline",
                            .kind = VALUE_FILE,
                            .group = OPTIONS_HOW,
                            .verbs = BIT(CHECK),
                            .metavar = "FILE",
                            .help = "write all findings of now into this file, for --baseline"},
    [OPT_APPLIED] = {.name = "applied",
                     .kind = VALUE_TEXT,
                     .group = OPTIONS_WHAT,
                     .verbs = BIT(CHECK),
                     .metavar = "VERSION|FILE",
                     .help =
                         "the last file of the folder that has been applied: it and those before it are read "
                         "for what they make, not checked, and their tables have rows"},
    [OPT_SINCE] = {.name = "since",
                   .kind = VALUE_TEXT,
                   .group = OPTIONS_WHAT,
                   .verbs = BIT(CHECK),
                   .metavar = "REV",
                   .help =
                       "check what git shows as new or changed since this revision; the other files are read "
                       "only, as with --applied"},
    [OPT_DOWN] = {.name = "down",
                  .kind = VALUE_FLAG,
                  .group = OPTIONS_WHAT,
                  .verbs = BIT(CHECK),
                  .help = "check the way back (down, undo, revert) instead of the way there"},
    [OPT_STDIN_FILEPATH] = {.name = "stdin-filepath",
                            .kind = VALUE_TEXT,
                            .group = OPTIONS_WHAT,
                            .verbs = BIT(CHECK),
                            .metavar = "FILE",
                            .help =
                                "what standard input is called in findings, and where its tool is told by"},
    [OPT_PENDING] =
        {.name = "pending",
         .kind = VALUE_FLAG,
         .group = OPTIONS_WHAT,
         .verbs = BIT(CHECK),
         .help = "with --url: check only files that the state table of their tool (Flyway, Liquibase, "
                 "dbmate, goose, golang-migrate, sqitch, Atlas, Rails, Django, Prisma) does not have as "
                 "applied; the others are read only"},
    [OPT_SNAPSHOT] =
        {.name = "snapshot",
         .file = true,
         .kind = VALUE_FILE,
         .group = OPTIONS_WHERE,
         .verbs = BIT(CHECK),
         .metavar = "FILE",
         .help = "with --url and no files: write what check needs to know of the server (definitions, "
                 "sizes, settings; no rows) into FILE. Without --url: judge by that file, so that no "
                 "server is needed"},
    [OPT_LIST_RULES] = {.name = "list-rules",
                        .kind = VALUE_FLAG,
                        .group = OPTIONS_WHAT,
                        .verbs = BIT(CHECK),
                        .help = "print the table of rules"},
    [OPT_EXPLAIN] = {.name = "explain",
                     .kind = VALUE_TEXT,
                     .group = OPTIONS_WHAT,
                     .verbs = BIT(CHECK),
                     .metavar = "RULE",
                     .help = "say what a rule is about, why, and what to write instead"},
    [OPT_LSP] = {.name = "lsp",
                 .kind = VALUE_FLAG,
                 .group = OPTIONS_HOW,
                 .verbs = BIT(CHECK),
                 .help = "be a language server for editors, on standard input and output"},
    [OPT_FIX] = {.name = "fix",
                 .kind = VALUE_FLAG,
                 .group = OPTIONS_HOW,
                 .verbs = BIT(CHECK),
                 .help = "write the safe form into the files, where it is a rewrite of text and means the "
                         "same in the end; standard input comes out on standard output"},
    [OPT_DRY_RUN] = {.name = "dry-run",
                     .kind = VALUE_FLAG,
                     .group = OPTIONS_HOW,
                     .verbs = BIT(CHECK),
                     .help = "with --fix: show the difference, and write nothing"},
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
