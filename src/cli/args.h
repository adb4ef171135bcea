/* args.h — the command line, parsed by the tables of option.h. */
#pragma once
#include "cli/option.h"

/* What was given for one option. */
typedef struct Setting {
    bool given;
    int64_t number;          /* durations in milliseconds, counts */
    const char *text;        /* the last one given, or from the environment */
    const char *const *list; /* all of them, in order */
    size_t list_count;
} Setting;

typedef struct Args {
    VerbId verb;
    Setting settings[OPT_COUNT];
    const char *positional; /* the first one; NULL if none */
    const char *const *positionals;
    size_t positional_count;
    bool json; /* already known when parsing fails */
} Args;

/* Parses the command line into `arena`; nothing in the result points into `argv`. Afterwards the passwords of
 * URLs in `argv` are overwritten, so that they do not show in the list of processes. "--help" anywhere makes
 * the verb VERB_HELP with the verb as its positional argument. Errors: ERR_USAGE with the nearest word in the
 * hint; ret_args->json is set even then. */
Err *args_parse(Arena *arena, int argc, char **argv, Args *ret_args) MUST_USE;
