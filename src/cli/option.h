/* option.h — one table of options and one of verbs. The parser, --help, the man page, the bash completion,
 * the suggestions in error messages and the tests are all made from these two tables. */
#pragma once
#include "base/arena.h"

typedef struct Cli Cli;

typedef enum VerbId {
    VERB_CHECK,
    VERB_PLAN,
    VERB_STATUS,
    VERB_HISTORY,
    VERB_STALE,
    VERB_DOCTOR,
    VERB_REHEARSE,
    VERB_APPLY,
    VERB_COMPLETE,
    VERB_ABORT,
    VERB_REVERT,
    VERB_RETIRE,
    VERB_PAUSE,
    VERB_RESUME,
    VERB_WATCH,
    VERB_SERVE,
    VERB_FLAG,
    VERB_GATE,
    VERB_DEMO,
    VERB_APPROVE,
    VERB_UNINSTALL,
    VERB_HELP,
    VERB_VERSION,
    VERB_COMPLETION,
    VERB_COUNT
} VerbId;

typedef enum VerbGroup {
    GROUP_LOOK,
    GROUP_REHEARSE,
    GROUP_ACT,
    GROUP_STEER,
    GROUP_SHIP,
    GROUP_TRY,
    GROUP_REMOVE,
    GROUP_SELF
} VerbGroup;
const char *verb_group_name(VerbGroup group);

/* What a verb's positional argument is; also what completion offers for it. */
typedef enum Positional {
    POSITIONAL_NONE,
    POSITIONAL_SQL,    /* one text, unless -f is given */
    POSITIONAL_CHANGE, /* a name; may be left out */
    POSITIONAL_VERB,   /* a verb; may be left out */
    POSITIONAL_SHELL,  /* "bash" */
    POSITIONAL_FLAG,   /* a flag, and what is said of it; both may be left out */
    POSITIONAL_OBJECT, /* [SCHEMA.]TABLE.COLUMN; may be left out */
    POSITIONAL_COLUMN, /* TABLE.COLUMN */
    POSITIONAL_FILES,  /* any number of files and folders */
} Positional;

typedef struct Verb {
    const char *name;
    VerbGroup group;
    Positional positional;
    bool acts;            /* --json gives one event per line, and a broken pipe does not end the work */
    const char *synopsis; /* behind "stoa NAME " */
    const char *summary;  /* one line */
    const char *details;  /* paragraphs separated by an empty line */
    const char *example;  /* lines of shell; NULL */
    /* Does the verb's work. An exit code other than 0 without an error goes into cli->exit_code. */
    Err *(*run)(Cli *cli);
} Verb;
extern const Verb verbs[VERB_COUNT];

typedef enum OptionId {
    OPT_URL,
    OPT_ENV,
    OPT_CONFIG,
    OPT_PASSWORD_COMMAND,
    OPT_DATABASE,
    OPT_APPROVALS,
    OPT_WAVES,
    OPT_PARALLEL,
    OPT_OUT_OF_ORDER,
    OPT_FOR,
    OPT_WAIT,
    OPT_FILE,
    OPT_NAME,
    OPT_OWNER,
    OPT_BACKFILL,
    OPT_REVERSE,
    OPT_YES,
    OPT_EXPECT,
    OPT_UNTIL,
    OPT_STRATEGY,
    OPT_LATE_INDEXES,
    OPT_VERIFY,
    OPT_PROBE,
    OPT_VERSIONED,
    OPT_MAX_STALL,
    OPT_LOCK_WAIT,
    OPT_MAX_LAG,
    OPT_MAX_LOAD,
    OPT_CRITICAL_LOAD,
    OPT_CRITICAL_RETRIES,
    OPT_BUILD_MEMORY,
    OPT_BUILD_WORKERS,
    OPT_NICE,
    OPT_CHECK_SQL,
    OPT_CHECK_URL,
    OPT_STOP_FILE,
    OPT_MIN_FREE_DISK,
    OPT_CHUNK_TIME,
    OPT_WINDOW,
    OPT_REPLICAS,
    OPT_LISTEN,
    OPT_TEXTFILE,
    OPT_TOKEN_FILE,
    OPT_TLS_CERT,
    OPT_TLS_KEY,
    OPT_STATE_FILE,
    OPT_FLAGD_FILE,
    OPT_REASON,
    OPT_PUBLIC_HOST,
    OPT_HOOK,
    OPT_WEBHOOK,
    OPT_WEBHOOK_SECRET_FILE,
    OPT_NOTIFY_THROTTLED_AFTER,
    OPT_NOTIFY,
    OPT_OTLP,
    OPT_ACCEPT_STAR,
    OPT_ACCEPT_TRIGGERS,
    OPT_ACCEPT_SCAN,
    OPT_ACCEPT_DRIFT,
    OPT_ACCEPT_VIEW,
    OPT_ACCEPT_STANDBY_STALL,
    OPT_ACCEPT_KEY_LOSS,
    OPT_ACCEPT_INDEX_LOSS,
    OPT_ACCEPT_RENAME,
    OPT_ACCEPT_ROW_SECURITY,
    OPT_ACCEPT_COLUMN_ORDER,
    OPT_SUBSCRIBERS_READY,
    OPT_ACCEPT_REPLICA_LAG,
    OPT_ACCEPT_LOST_ATTRIBUTES,
    OPT_ACCEPT_ONLINE_COPY,
    OPT_ACCEPT_NO_DEFAULT,
    OPT_ALLOW_OLD_SNAPSHOTS,
    OPT_INDEX,
    OPT_TABLE,
    OPT_BY,
    OPT_RETIRE_FOR,
    OPT_RETIRE_WAIT,
    OPT_WATCH_LOG,
    OPT_KEEP_DATA,
    OPT_UNDO,
    OPT_FROM,
    OPT_QUIET,
    OPT_FORCE,
    OPT_ALL,
    OPT_ROWS,
    OPT_RATE,
    OPT_ENGINE,
    OPT_KEEP,
    OPT_SERVER_VERSION,
    OPT_FORMAT,
    OPT_FAIL_ON,
    OPT_RULE,
    OPT_BASELINE,
    OPT_WRITE_BASELINE,
    OPT_APPLIED,
    OPT_SINCE,
    OPT_DOWN,
    OPT_STDIN_FILEPATH,
    OPT_PENDING,
    OPT_SNAPSHOT,
    OPT_IGNORE,
    OPT_FAIL_CONFIDENCE,
    OPT_PURPOSE,
    OPT_FLAG,
    OPT_EXPIRES,
    OPT_NO_COMMENT,
    OPT_LIST_RULES,
    OPT_EXPLAIN,
    OPT_LSP,
    OPT_FIX,
    OPT_DRY_RUN,
    OPT_ON,
    OPT_SCALE,
    OPT_SAMPLE,
    OPT_REHEARSALS,
    OPT_PREDICTIONS,
    OPT_FAULTS,
    OPT_DEMO_REHEARSE,
    OPT_SQL,
    OPT_VERIFY_LOG,
    OPT_EXPECT_HEAD,
    OPT_BUNDLE,
    OPT_PLAN,
    OPT_SIGN,
    OPT_SIGN_TO,
    OPT_SIGNED,
    OPT_BY_ROLE,
    OPT_REVOKE,
    OPT_ALLOWED_SIGNERS,
    OPT_APPROVAL_TTL,
    OPT_WINDOW_FOR,
    OPT_REPLACE,
    OPT_AT,
    OPT_QUIET_HOURS,
    OPT_METRICS_PAGE,
    OPT_RULES_PAGE,
    OPT_MAN,
    OPT_OPTIONS_JSON,
    OPT_JSON,
    OPT_COLOR,
    OPT_LOG_FORMAT,
    OPT_VERBOSE,
    OPT_SILENT,
    OPT_HELP,
    OPT_COUNT
} OptionId;

typedef enum ValueKind {
    VALUE_FLAG,
    VALUE_DURATION, /* number: milliseconds */
    VALUE_COUNT,    /* number: whole, at least 1 */
    VALUE_WHOLE,    /* number: whole, 0 or more */
    VALUE_TEXT,
    VALUE_FILE,
    VALUE_CHOICE, /* one of `choices` */
    VALUE_URL,    /* may hold a secret: wiped from the process list */
    VALUE_LIST,   /* text, repeatable */
    VALUE_URLS,   /* url, repeatable */
    VALUE_MAYBE,  /* text, only as --name=TEXT; may be left out */
} ValueKind;

typedef enum OptionGroup {
    OPTIONS_WHERE,
    OPTIONS_WHAT,
    OPTIONS_HOW,
    OPTIONS_ACCEPT,
    OPTIONS_OUTPUT
} OptionGroup;
const char *option_group_name(OptionGroup group);

typedef struct Option {
    const char *name;   /* without dashes */
    char letter;        /* 0 if none */
    bool file;          /* may stand in stoa.yaml */
    bool file_only;     /* and nowhere else */
    bool floor_in_file; /* a number of stoa.yaml may be raised elsewhere, not lowered */
    ValueKind kind;
    OptionGroup group;
    uint32_t verbs;                  /* bit 1 << VerbId */
    const char *metavar;             /* NULL for flags */
    const char *fallback;            /* the default as a person would write it; NULL */
    const char *env;                 /* environment variable that gives it; NULL */
    const char *choices;             /* "a|b|c"; NULL */
    const char *const *verb_choices; /* by VerbId, where a verb takes some of them alone; NULL */
    const char *help;
} Option;
extern const Option all_options[OPT_COUNT];

static inline bool option_takes_list(const Option *option)
{
    return option->kind == VALUE_LIST || option->kind == VALUE_URLS;
}
static inline bool option_for_verb(const Option *option, VerbId verb)
{
    return (option->verbs >> verb & 1u) != 0;
}
/* What the option may be for that verb; NULL: anything. */
const char *option_choices(const Option *option, VerbId verb);
/* "a|b|c" has this word. */
bool choice_has(const char *choices, const char *word);
