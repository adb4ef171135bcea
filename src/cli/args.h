/* args.h — the command line, parsed by the tables of option.h. */
#pragma once
#include "cli/option.h"

/* What was given for one option. */
typedef struct Setting {
    bool given;
    bool from_file;          /* by stoa.yaml: a change that is under way keeps what it was given */
    int64_t number;          /* durations in milliseconds, counts */
    const char *text;        /* the last one given, or from the environment */
    const char *const *list; /* all of them, in order */
    size_t list_count;
} Setting;

typedef struct Config Config;

typedef struct Args {
    VerbId verb;
    Setting settings[OPT_COUNT];
    const char *positional; /* the first one; NULL if none */
    const char *const *positionals;
    size_t positional_count;
    const Config *config;                        /* cli/config.h; NULL: there is none */
    const struct ConfigEnvironment *environment; /* --env; NULL: none, or of gate, which takes several */
    bool everywhere; /* gate, where neither --url nor --env is given: in every environment there is */
    bool json;       /* already known when parsing fails */
} Args;

/* Parses the command line into `arena`; nothing in the result points into `argv`. Afterwards the passwords of
 * URLs in `argv` are overwritten, so that they do not show in the list of processes. "--help" anywhere makes
 * the verb VERB_HELP with the verb as its positional argument. Errors: ERR_USAGE with the nearest word in the
 * hint; ret_args->json is set even then. */
Err *args_parse(Arena *arena, int argc, char **argv, Args *ret_args) MUST_USE;

/* Reads one value of an option, but for its place in a list. ERR_USAGE, ERR_CONFIG. */
Err *setting_read(Arena *arena, const Option *option, const char *value, Setting *ret_setting) MUST_USE;
/* VerbId; -1. */
int verb_find(const char *name);
/* The option whose name is nearest to `word`; NULL when none is near. */
const char *option_near(const char *word);
