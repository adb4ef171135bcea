/* config.h — stoa.yaml: options for every verb, for one verb, for one environment, and severities of rules.
 *
 *   max-stall: 100ms                  any option of `all_options` that has `file` set; "_" is as good as "-"
 *   environments:
 *     staging: {url-env: STAGING_URL}
 *     production: {url: "${PROD_URL}", password-command: print-token, databases: tenant_*, max-lag: 2s}
 *   check:                            a verb: options of it alone
 *     fail-on: block
 *     rules: {drop-column: warn, all: note}
 *     paths: [{path: [legacy, old/V?.sql], rules: {all: off}}]
 */
#pragma once
#include "check/rule.h"
#include "cli/args.h"

/* Options of one section. */
typedef struct ConfigScope {
    const char *environment; /* NULL */
    int verb;                /* VerbId; -1: all */
    Setting settings[OPT_COUNT];
} ConfigScope;

typedef struct ConfigRule {
    const char *name, *severity; /* both are known to be right */
} ConfigRule;
typedef VEC(ConfigRule) ConfigRules;

/* Severities for files that match. */
typedef struct ConfigPath {
    VEC(const char *) patterns; /* relative to the folder */
    ConfigRules rules;
} ConfigPath;

/* One environment. Where it has neither databases nor schemas, it is the one that its URL names. */
typedef struct ConfigEnvironment {
    const char *name;
    ConfigScope *scope;       /* its options; the URL may hold "${NAME}", see config_expand() */
    const char *const *after; /* environments in which a change has to be ready before */
    size_t after_count;
    const char *const *databases; /* names, patterns of them, URLs */
    size_t database_count;
    const char *database_query; /* its first column has their names; NULL */
    const char *const *schemas; /* names, patterns of them */
    size_t schema_count;
} ConfigEnvironment;

struct Config {
    const char *path;   /* as it is named in messages */
    const char *folder; /* absolute */
    VEC(ConfigScope *) scopes;
    VEC(ConfigEnvironment *) environments; /* in their order */
    ConfigRules rules;
    VEC(ConfigPath) paths;
};

/* The file that holds: `given`, else $STOA_CONFIG, else stoa.yaml in this folder or the next one above that
 * has one, up to the root of the repository. *ret_config: NULL where there is none. Errors: ERR_CONFIG with
 * file, line and column; ERR_USAGE where a file that was named cannot be read. */
Err *config_load(Arena *arena, const char *given, const Config **ret_config) MUST_USE;
/* The same from a text. */
Err *config_read(Arena *arena, const char *name, const char *folder, const char *text, size_t len,
                 const Config **ret_config) MUST_USE;

/* A section; NULL where it is not there. `environment` NULL: the one of a verb, or of all (-1). */
const ConfigScope *config_scope(const Config *config, const char *environment, int verb);
/* NULL where there is none of this name. */
const ConfigEnvironment *config_environment(const Config *config, const char *name);
/* The text with the values of the environment variables that it names as "${NAME}". ERR_CONFIG where one is
 * not set, or empty. */
Err *config_expand(Arena *arena, const Config *config, const char *text, const char **ret_text) MUST_USE;
/* "*" and "?" make a name of databases or schemas a pattern. */
bool config_is_pattern(const char *name);
/* "production, staging"; "" where there is none. */
const char *config_environments(Arena *arena, const Config *config);
/* `path`, as seen from the working folder, as seen from the file's; NULL where it is not beneath it. */
const char *config_relative(Arena *arena, const Config *config, const char *path);
/* "*" is anything but "/", "**" anything, "?" one character; a folder's name stands for all that is in it. */
bool config_matches(const char *pattern, const char *path);
