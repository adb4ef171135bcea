/* The parser of the command line: any option, anywhere, by the tables; the first plain word is the verb. */
#include "cli/args.h"

#include "base/str.h"
#include "base/unit.h"
#include "cli/config.h"
#include "engine/engine.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct Parser {
    Arena *arena;
    Args *args;
    int argc, at;
    int verb; /* the first word that is a verb; -1: there is none */
    char **argv;
    VEC(const char *) words; /* the verb and its positional arguments */
    VEC(const char *) lists[OPT_COUNT];
    bool floors_met[OPT_COUNT]; /* see check_floor() */
} Parser;

/* Edits (insert, delete, replace, swap of neighbours) from `a` to `b`; a large number for long words. */
static size_t distance(const char *a, const char *b)
{
    enum { LONGEST = 32 };
    size_t cost[LONGEST + 1][LONGEST + 1];
    size_t la = strlen(a), lb = strlen(b);
    if (la > LONGEST || lb > LONGEST)
        return LONGEST;
    for (size_t i = 0; i <= la; i++)
        for (size_t j = 0; j <= lb; j++) {
            if (i == 0 || j == 0) {
                cost[i][j] = i + j;
                continue;
            }
            size_t best = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            best = cost[i - 1][j] + 1 < best ? cost[i - 1][j] + 1 : best;
            best = cost[i][j - 1] + 1 < best ? cost[i][j - 1] + 1 : best;
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && cost[i - 2][j - 2] + 1 < best)
                best = cost[i - 2][j - 2] + 1;
            cost[i][j] = best;
        }
    return cost[la][lb];
}

static size_t near_enough(const char *word) { return strlen(word) < 5 ? 2 : strlen(word) / 3 + 1; }

static const char *option_name(size_t id) { return all_options[id].name; }
static const char *verb_name(size_t id) { return verbs[id].name; }

/* The name nearest to `word`, or NULL when none is near. */
static const char *name_near(const char *word, const char *(*name_of)(size_t id), size_t count)
{
    const char *best = NULL;
    size_t least = near_enough(word) + 1;
    for (size_t i = 0; i < count; i++) {
        size_t far = distance(word, name_of(i));
        if (far < least) {
            least = far;
            best = name_of(i);
        }
    }
    return best;
}

int verb_find(const char *name)
{
    for (int i = 0; i < VERB_COUNT; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return i;
    return -1;
}

const char *option_near(const char *word) { return name_near(word, option_name, OPT_COUNT); }

static Err *unknown_verb(const char *name)
{
    const char *near = name_near(name, verb_name, VERB_COUNT);
    Err *err = err_new(ERR_USAGE, "\"%s\" is no verb of stoa", name);
    if (near != NULL)
        return err_hint(err, "did you mean \"stoa %s\"?", near);
    return err_hint(err, "\"stoa help\" lists the verbs");
}

static Err *unknown_option(const char *dashes, const char *name)
{
    const char *near = strlen(dashes) == 2 ? option_near(name) : NULL;
    Err *err = err_new(ERR_USAGE, "unknown option \"%s%s\"", dashes, name);
    if (near != NULL)
        return err_hint(err, "did you mean --%s?", near);
    return err_hint(err, "\"stoa help VERB\" lists the options of a verb");
}

static Err *choice_wrong(const Option *option, const char *choices, const char *value)
{
    Str list = STR_INIT;
    for (const char *at = choices; *at != '\0'; at++)
        if (*at == '|')
            str_add(&list, at[1] != '\0' && strchr(at + 1, '|') == NULL ? " or " : ", ");
        else
            str_addn(&list, at, 1);
    Err *err =
        err_hint(err_new(ERR_USAGE, "--%s cannot be \"%s\"", option->name, value), "write %s", list.buf);
    str_done(&list);
    return err;
}

Err *setting_read(Arena *arena, const Option *option, const char *value, Setting *ret_setting)
{
    Err *err = NULL;
    switch (option->kind) {
    case VALUE_DURATION:
        err = unit_parse_duration(value, &ret_setting->number);
        break;
    case VALUE_COUNT:
        err = unit_parse_count(value, 1, INT64_C(1000000000000), &ret_setting->number);
        break;
    case VALUE_WHOLE:
        err = unit_parse_count(value, 0, INT64_C(1000000000000), &ret_setting->number);
        break;
    case VALUE_CHOICE:
        if (!choice_has(option->choices, value))
            return choice_wrong(option, option->choices, value);
        break;
    case VALUE_TEXT:
    case VALUE_FILE:
    case VALUE_URL:
    case VALUE_LIST:
    case VALUE_URLS:
    case VALUE_MAYBE:
        if (*value == '\0')
            return err_new(ERR_USAGE, "--%s is empty", option->name);
        break;
    case VALUE_FLAG:
        break;
    }
    if (err != NULL)
        return err_wrap(err, "--%s", option->name);
    ret_setting->text = arena_dup(arena, value);
    ret_setting->given = true;
    return NULL;
}

/* Overwrites every character that `target_redacted` would hide, in place and without changing the length. */
static void wipe_secret(char *url)
{
    char *scheme = strstr(url, "://");
    if (scheme != NULL) {
        char *user = scheme + 3;
        char *end = user + strcspn(user, "/?#");
        char *at = NULL, *colon = NULL;
        for (char *c = user; c < end; c++)
            at = *c == '@' ? c : at;
        for (char *c = user; at != NULL && c < at && colon == NULL; c++)
            colon = *c == ':' ? c : NULL;
        for (char *c = colon == NULL ? NULL : colon + 1; c != NULL && c < at; c++)
            *c = '*';
    }
    for (char *c = url; (c = strstr(c, "password=")) != NULL;)
        for (c += strlen("password="); *c != '\0' && *c != '&' && *c != ' '; c++)
            *c = '*';
}

/* Paths of webhooks are often secrets. */
static void wipe_path(char *url)
{
    char *scheme = strstr(url, "://");
    char *host = scheme == NULL ? url : scheme + 3;
    for (char *c = host + strcspn(host, "/?#"); *c != '\0'; c++)
        *c = '*';
}

/* Takes one option with its value, if it has one; `value` NULL: none was attached by "=". */
static Err *take_option(Parser *parser, OptionId id, char *value)
{
    const Option *option = &all_options[id];
    Setting *setting = &parser->args->settings[id];
    if (option->file_only)
        return err_hint(err_new(ERR_USAGE, "%s stands in stoa.yaml, not on the command line", option->name),
                        "write it there, at the top or in the section of an environment");
    if (option->kind == VALUE_FLAG) {
        if (value != NULL)
            return err_hint(err_new(ERR_USAGE, "--%s takes no value", option->name), "write --%s",
                            option->name);
        setting->given = true;
        return NULL;
    }
    if (option->kind == VALUE_MAYBE && value == NULL) {
        setting->given = true;
        return NULL;
    }
    if (value == NULL) {
        if (parser->at >= parser->argc)
            return err_hint(err_new(ERR_USAGE, "--%s lacks its value", option->name), "write --%s %s",
                            option->name, option->metavar);
        if (str_starts(parser->argv[parser->at], "--"))
            return err_hint(err_new(ERR_USAGE, "--%s lacks its value", option->name),
                            "write --%s=VALUE for a value that begins with dashes", option->name);
        value = parser->argv[parser->at++];
    }
    TRY(setting_read(parser->arena, option, value, setting));
    if (option_takes_list(option))
        *vec_push(parser->arena, &parser->lists[id]) = setting->text;
    if (id == OPT_WEBHOOK)
        wipe_path(value);
    return NULL;
}

/* Two options may have one name where no verb has both: then that of the verb at hand. */
static int find_long(const Parser *parser, const char *name, size_t len)
{
    int found = -1;
    for (int id = 0; id < OPT_COUNT; id++) {
        bool named = strlen(all_options[id].name) == len && strncmp(all_options[id].name, name, len) == 0;
        bool ours = parser->verb >= 0 && option_for_verb(&all_options[id], (VerbId)parser->verb);
        if (named && (found < 0 || ours))
            found = id;
    }
    return found;
}

static Err *take_long(Parser *parser, char *text)
{
    size_t len = strcspn(text, "=");
    int id = find_long(parser, text, len);
    if (id >= 0)
        return take_option(parser, (OptionId)id, text[len] == '=' ? text + len + 1 : NULL);
    if (len == strlen("version") && strncmp(text, "version", len) == 0) {
        *vec_push(parser->arena, &parser->words) = "version";
        return NULL;
    }
    return unknown_option("--", arena_dupn(parser->arena, text, len));
}

/* "-v", "-qv", "-f FILE", "-fFILE". */
static Err *take_short(Parser *parser, char *text)
{
    for (; *text != '\0'; text++) {
        int id = 0;
        while (id < OPT_COUNT && all_options[id].letter != *text)
            id++;
        if (id == OPT_COUNT)
            return unknown_option("-", arena_dupn(parser->arena, text, 1));
        if (all_options[id].kind != VALUE_FLAG)
            return take_option(parser, (OptionId)id, text[1] != '\0' ? text + 1 : NULL);
        TRY(take_option(parser, (OptionId)id, NULL));
    }
    return NULL;
}

static Err *take_all(Parser *parser)
{
    bool only_words = false;
    while (parser->at < parser->argc) {
        char *text = parser->argv[parser->at++];
        if (!only_words && strcmp(text, "--") == 0)
            only_words = true;
        else if (!only_words && str_starts(text, "--"))
            TRY(take_long(parser, text + 2));
        else if (!only_words && text[0] == '-' && text[1] != '\0')
            TRY(take_short(parser, text + 1));
        else
            *vec_push(parser->arena, &parser->words) = arena_dup(parser->arena, text);
    }
    return NULL;
}

static void take_lists(Parser *parser)
{
    for (int id = 0; id < OPT_COUNT; id++) {
        parser->args->settings[id].list = parser->lists[id].items;
        parser->args->settings[id].list_count = parser->lists[id].len;
    }
}

/* ---- where the command line is silent ------------------------------------------------------- */

static Err *take_variable(Parser *parser, OptionId id)
{
    const Option *option = &all_options[id];
    Setting *setting = &parser->args->settings[id];
    bool wanted = option->env != NULL && option_for_verb(option, parser->args->verb) && !setting->given;
    const char *value = wanted ? getenv(option->env) : NULL;
    return value == NULL || *value == '\0' ? NULL : setting_read(parser->arena, option, value, setting);
}

/* URLs may name environment variables; these are looked up where the URL is used. */
static Err *expand_urls(Parser *parser, OptionId id)
{
    Setting *setting = &parser->args->settings[id];
    const Config *config = parser->args->config;
    if (setting->text != NULL)
        TRY(config_expand(parser->arena, config, setting->text, &setting->text));
    const char **list = arena_alloc(parser->arena, (setting->list_count + 1) * sizeof *list);
    for (size_t i = 0; i < setting->list_count; i++)
        TRY(config_expand(parser->arena, config, setting->list[i], &list[i]));
    setting->list = list;
    return NULL;
}

/* A number that stoa.yaml asks for, and that the command line may raise alone: the nearest section counts. */
static Err *check_floor(Parser *parser, OptionId id, int64_t floor)
{
    const Option *option = &all_options[id];
    const Setting *setting = &parser->args->settings[id];
    if (!option->floor_in_file || setting->from_file || parser->floors_met[id])
        return NULL;
    parser->floors_met[id] = true;
    if (setting->number >= floor)
        return NULL;
    return err_hint(err_new(ERR_USAGE, "--%s %" PRId64 " is less than the %" PRId64 " that %s asks for",
                            option->name, setting->number, floor, parser->args->config->path),
                    "leave out --%s, or change it there", option->name);
}

/* What goes with a URL is not taken from a section whose URL is not. */
static Err *take_scope(Parser *parser, const ConfigScope *scope)
{
    Setting *settings = parser->args->settings;
    bool other_url = scope != NULL && scope->settings[OPT_URL].given && settings[OPT_URL].given;
    for (int id = 0; scope != NULL && id < OPT_COUNT; id++) {
        bool with_url = id == OPT_URL || id == OPT_PASSWORD_COMMAND || id == OPT_REPLICAS;
        if (settings[id].given && scope->settings[id].given)
            TRY(check_floor(parser, (OptionId)id, scope->settings[id].number));
        if (settings[id].given || !scope->settings[id].given ||
            !option_for_verb(&all_options[id], parser->args->verb) || (with_url && other_url))
            continue;
        settings[id] = scope->settings[id];
        settings[id].from_file = true;
        if (id == OPT_URL || id == OPT_REPLICAS)
            TRY(expand_urls(parser, (OptionId)id));
    }
    return NULL;
}

static Err *no_environment(const Parser *parser, const char *name)
{
    const Args *args = parser->args;
    const char *names = config_environments(parser->arena, args->config);
    Err *err = err_new(ERR_USAGE, "there is no environment \"%s\"%s%s", name,
                       args->config == NULL ? "" : " in ", args->config == NULL ? "" : args->config->path);
    if (names[0] != '\0')
        return err_hint(err, "there are %s", names);
    return err_hint(err, "write it into stoa.yaml: environments: {%s: {url: postgres://…}}", name);
}

/* Databases that are written as URLs have none in common: the first one says which engine it is. */
static Err *take_environment(Parser *parser, const ConfigEnvironment *environment)
{
    Setting *url = &parser->args->settings[OPT_URL];
    TRY(take_scope(parser, environment->scope));
    parser->args->environment = environment;
    if (url->given)
        return NULL;
    *url = (Setting){.given = true, .from_file = true};
    return config_expand(parser->arena, parser->args->config, environment->databases[0], &url->text);
}

static Err *take_env(Parser *parser)
{
    Args *args = parser->args;
    const Setting *env = &args->settings[OPT_ENV];
    args->everywhere = args->verb == VERB_GATE && !env->given && !args->settings[OPT_URL].given &&
                       args->config != NULL && args->config->environments.len > 0;
    if (!env->given)
        return NULL;
    if (args->settings[OPT_URL].given)
        return err_hint(err_new(ERR_USAGE, "--url and --env both say where the database is"),
                        "leave out one of them");
    for (size_t i = 0; i < env->list_count; i++)
        if (config_environment(args->config, env->list[i]) == NULL)
            return no_environment(parser, env->list[i]);
    if (args->verb == VERB_GATE)
        return NULL;
    if (env->list_count > 1)
        return err_hint(
            err_new(ERR_USAGE, "\"stoa %s\" works in one environment at a time", verbs[args->verb].name),
            "give one --env");
    return take_environment(parser, config_environment(args->config, env->text));
}

/* The environment's section of stoa.yaml, variables, and what stoa.yaml says for the verb and for all. */
static Err *take_silent(Parser *parser)
{
    Args *args = parser->args;
    if (!option_for_verb(&all_options[OPT_CONFIG], args->verb))
        return NULL;
    TRY(take_variable(parser, OPT_CONFIG));
    TRY(config_load(parser->arena, args->settings[OPT_CONFIG].text, &args->config));
    TRY(take_env(parser));
    for (int id = 0; id < OPT_COUNT; id++)
        TRY(take_variable(parser, (OptionId)id));
    TRY(take_scope(parser, config_scope(args->config, NULL, (int)args->verb)));
    return take_scope(parser, config_scope(args->config, NULL, -1));
}

/* A word that the option knows, and this verb does not. */
static Err *check_choices(const Parser *parser)
{
    const Args *args = parser->args;
    for (int id = 0; id < OPT_COUNT; id++) {
        const Option *option = &all_options[id];
        const Setting *setting = &args->settings[id];
        if (!setting->given || option->verb_choices == NULL || !option_for_verb(option, args->verb))
            continue;
        const char *choices = option_choices(option, args->verb);
        if (!choice_has(choices, setting->text))
            return err_wrap(choice_wrong(option, choices, setting->text), "stoa %s", verbs[args->verb].name);
    }
    return NULL;
}

static Err *check_positional(const Parser *parser, const Verb *verb)
{
    if (verb->positional == POSITIONAL_FILES ||
        (parser->words.len < 2 && verb->positional != POSITIONAL_SHELL))
        return NULL;
    const char *word = parser->words.len > 1 ? parser->words.items[1] : NULL;
    if (verb->positional == POSITIONAL_SHELL && (word == NULL || strcmp(word, "bash") != 0))
        return err_hint(err_new(ERR_USAGE, "for which shell?"), "stoa completion bash");
    if (verb->positional == POSITIONAL_NONE)
        return err_hint(err_new(ERR_USAGE, "\"stoa %s\" takes no argument, but \"%s\" was given", verb->name,
                                target_redacted(parser->arena, word)),
                        "usage: stoa %s [OPTION]…", verb->name);
    if (verb->positional == POSITIONAL_VERB && verb_find(word) < 0)
        return unknown_verb(word);
    size_t most = verb->positional == POSITIONAL_FLAG ? 2 : 1;
    if (parser->words.len <= most + 1)
        return NULL;
    Err *err = err_new(ERR_USAGE, "\"stoa %s\" takes %s, but \"%s\" follows \"%s\"", verb->name,
                       most == 1 ? "one argument" : "two arguments",
                       target_redacted(parser->arena, parser->words.items[most + 1]),
                       target_redacted(parser->arena, parser->words.items[most]));
    return verb->positional == POSITIONAL_SQL
               ? err_hint(err, "put the SQL into one pair of quotes")
               : err_hint(err, "usage: stoa %s %s", verb->name, verb->synopsis);
}

static Err *check_options(const Parser *parser)
{
    const Verb *verb = &verbs[parser->args->verb];
    for (size_t id = 0; id < OPT_COUNT; id++) {
        const Setting *setting = &parser->args->settings[id];
        if (setting->given && !option_for_verb(&all_options[id], parser->args->verb))
            return err_hint(
                err_new(ERR_USAGE, "\"stoa %s\" has no option --%s", verb->name, all_options[id].name),
                "\"stoa help %s\" lists its options", verb->name);
    }
    return NULL;
}

Err *args_parse(Arena *arena, int argc, char **argv, Args *ret_args)
{
    *ret_args = (Args){.verb = VERB_HELP};
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        ret_args->json = ret_args->json || strcmp(argv[i], "--json") == 0;
    Parser parser = {.arena = arena, .args = ret_args, .argc = argc, .at = 1, .argv = argv, .verb = -1};
    for (int i = 1; i < argc && parser.verb < 0; i++)
        parser.verb = verb_find(argv[i]);
    Err *err = take_all(&parser);
    for (int i = 1; i < argc; i++)
        wipe_secret(argv[i]);
    TRY(err);
    size_t count = parser.words.len;
    const char *const *words = parser.words.items;
    int verb = count == 0 ? VERB_HELP : verb_find(words[0]);
    if (verb < 0)
        return unknown_verb(target_redacted(arena, words[0]));
    if (ret_args->settings[OPT_HELP].given) {
        ret_args->positional = count == 0 ? NULL : words[verb == VERB_HELP && count > 1];
        return ret_args->positional == NULL || verb_find(ret_args->positional) >= 0
                   ? NULL
                   : unknown_verb(ret_args->positional);
    }
    ret_args->verb = (VerbId)verb;
    ret_args->positional = count > 1 ? words[1] : NULL;
    ret_args->positionals = count > 1 ? words + 1 : NULL;
    ret_args->positional_count = count > 1 ? count - 1 : 0;
    TRY(check_options(&parser));
    TRY(check_positional(&parser, &verbs[verb]));
    take_lists(&parser);
    TRY(take_silent(&parser));
    return check_choices(&parser);
}
