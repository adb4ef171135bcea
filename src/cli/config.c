/* stoa.yaml, found and read by the table of options. */
#include "cli/config_read.h"

#include "base/str.h"
#include "cli/findings.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- options -------------------------------------------------------------------------------- */

/* "max_lag" and "max-lag" are the same. */
bool config_same_key(const char *key, const char *name)
{
    for (; *key != '\0' && (*key == *name || (*key == '_' && *name == '-')); key++)
        name++;
    return *key == *name;
}

static int option_of(const char *key)
{
    for (int id = 0; id < OPT_COUNT; id++)
        if (config_same_key(key, all_options[id].name))
            return id;
    return -1;
}

static Err *wrong_key(const ConfigReader *reader, const TreeNode *key, int verb)
{
    const char *near = option_near(key->text);
    Err *err = tree_error(reader->config->path, key, "\"%s\" is no option%s%s", key->text,
                          verb < 0 ? "" : " of stoa ", verb < 0 ? "" : verbs[verb].name);
    if (near == NULL || config_same_key(key->text, near))
        return err_hint(err, "\"stoa help VERB\" lists the options of a verb");
    return err_hint(err, "did you mean %s?", near);
}

static Err *take_value(const ConfigReader *reader, const Option *option, const TreeNode *value,
                       Setting *setting)
{
    const char *name = reader->config->path, *text = value->text;
    if (value->kind != TREE_TEXT)
        return tree_error(name, value, "\"%s\" takes one value", option->name);
    if (option->kind == VALUE_FLAG) {
        setting->given = str_eq(text, "true");
        return setting->given || str_eq(text, "false")
                   ? NULL
                   : tree_error(name, value, "\"%s\" is true or false", option->name);
    }
    if (option->kind == VALUE_FILE && text[0] != '/')
        text = arena_printf(reader->arena, "%s/%s", reader->config->folder, text);
    Err *err = setting_read(reader->arena, option, text, setting);
    return err == NULL ? NULL : err_wrap(err, "%s:%d:%d", name, value->line, value->column);
}

/* One value, or a list of them where the option may be given several times. */
static Err *take_option(const ConfigReader *reader, OptionId id, const TreeNode *value, Setting *setting)
{
    const Option *option = &all_options[id];
    if (!option_takes_list(option))
        return take_value(reader, option, value, setting);
    VEC(const char *) list = {0};
    size_t count = value->kind == TREE_LIST ? value->count : 1;
    for (size_t i = 0; i < count; i++) {
        TRY(take_value(reader, option, value->kind == TREE_LIST ? value->items[i] : value, setting));
        *vec_push(reader->arena, &list) = setting->text;
    }
    setting->list = list.items;
    setting->list_count = list.len;
    return NULL;
}

Err *config_take_pair(const ConfigReader *reader, ConfigScope *scope, const TreeNode *key,
                      const TreeNode *value)
{
    int id = option_of(key->text);
    bool fits = id >= 0 && (scope->verb < 0 || option_for_verb(&all_options[id], (VerbId)scope->verb));
    if (!fits)
        return wrong_key(reader, key, scope->verb);
    if (!all_options[id].file)
        return err_hint(tree_error(reader->config->path, key, "\"%s\" does not stand in a file", key->text),
                        "give --%s on the command line", all_options[id].name);
    return take_option(reader, (OptionId)id, value, &scope->settings[id]);
}

ConfigScope *config_scope_add(const ConfigReader *reader, const char *environment, int verb)
{
    ConfigScope *scope = arena_alloc(reader->arena, sizeof *scope);
    scope->environment = environment;
    scope->verb = verb;
    *vec_push(reader->arena, &reader->config->scopes) = scope;
    return scope;
}

Err *config_expect_map(const ConfigReader *reader, const TreeNode *node, const char *what)
{
    bool nothing = node->kind == TREE_TEXT && node->text[0] == '\0';
    return nothing || node->kind == TREE_MAP
               ? NULL
               : tree_error(reader->config->path, node, "%s is written as \"name: value\" lines", what);
}

/* What belongs to a URL has nothing to do with another one. */
static Err *expect_url(const ConfigReader *reader, const ConfigScope *scope, const TreeNode *node)
{
    static const OptionId with_url[] = {OPT_PASSWORD_COMMAND, OPT_REPLICAS};
    for (size_t i = 0; i < ARRAY_LEN(with_url); i++)
        if (scope->settings[with_url[i]].given && !scope->settings[OPT_URL].given)
            return tree_error(reader->config->path, node, "\"%s\" stands here without a url",
                              all_options[with_url[i]].name);
    return NULL;
}

/* ---- rules ---------------------------------------------------------------------------------- */

static Err *take_rules(const ConfigReader *reader, const TreeNode *node, ConfigRules *rules)
{
    TRY(config_expect_map(reader, node, "rules"));
    Severity *severities = arena_alloc(reader->arena, rule_count() * sizeof *severities);
    for (size_t i = 0; i < node->count; i++) {
        const TreeNode *name = node->items[2 * i], *severity = node->items[2 * i + 1];
        if (severity->kind != TREE_TEXT)
            return tree_error(reader->config->path, severity, "a severity is one word");
        Err *err = severities_set(severities, name->text, severity->text);
        if (err != NULL)
            return err_wrap(err, "%s:%d:%d", reader->config->path, name->line, name->column);
        *vec_push(reader->arena, rules) = (ConfigRule){.name = name->text, .severity = severity->text};
    }
    return NULL;
}

static Err *take_patterns(const ConfigReader *reader, const TreeNode *node, ConfigPath *path)
{
    size_t count = node->kind == TREE_LIST ? node->count : 1;
    for (size_t i = 0; i < count; i++) {
        const TreeNode *one = node->kind == TREE_LIST ? node->items[i] : node;
        if (one->kind != TREE_TEXT || one->text[0] == '\0')
            return tree_error(reader->config->path, one, "a path is a text");
        *vec_push(reader->arena, &path->patterns) = one->text;
    }
    return NULL;
}

static Err *take_path(const ConfigReader *reader, const TreeNode *node)
{
    ConfigPath *path = vec_push(reader->arena, &reader->config->paths);
    *path = (ConfigPath){0};
    for (size_t i = 0; node->kind == TREE_MAP && i < node->count; i++) {
        const TreeNode *key = node->items[2 * i], *value = node->items[2 * i + 1];
        if (str_eq(key->text, "path"))
            TRY(take_patterns(reader, value, path));
        else if (str_eq(key->text, "rules"))
            TRY(take_rules(reader, value, &path->rules));
        else
            return err_hint(tree_error(reader->config->path, key, "\"%s\" is nothing of a path", key->text),
                            "write path and rules");
    }
    return path->patterns.len > 0 && path->rules.len > 0
               ? NULL
               : err_hint(tree_error(reader->config->path, node, "this tells no path with its rules"),
                          "write: - {path: legacy/**, rules: {all: off}}");
}

static Err *take_verb(const ConfigReader *reader, VerbId verb, const TreeNode *node)
{
    ConfigScope *scope = config_scope_add(reader, NULL, (int)verb);
    TRY(config_expect_map(reader, node, verbs[verb].name));
    for (size_t i = 0; i < node->count; i++) {
        const TreeNode *key = node->items[2 * i], *value = node->items[2 * i + 1];
        bool paths = verb == VERB_CHECK && str_eq(key->text, "paths");
        if (verb == VERB_CHECK && str_eq(key->text, "rules")) {
            TRY(take_rules(reader, value, &reader->config->rules));
        } else if (!paths) {
            TRY(config_take_pair(reader, scope, key, value));
        } else if (value->kind != TREE_LIST) {
            return tree_error(reader->config->path, value, "paths is a list");
        }
        for (size_t j = 0; paths && j < value->count; j++)
            TRY(take_path(reader, value->items[j]));
    }
    return expect_url(reader, scope, node);
}

/* ---- the file ------------------------------------------------------------------------------- */

static Err *take_root(const ConfigReader *reader, const TreeNode *root)
{
    ConfigScope *all = config_scope_add(reader, NULL, -1);
    TRY(config_expect_map(reader, root, "this file"));
    for (size_t i = 0; i < root->count; i++) {
        const TreeNode *key = root->items[2 * i], *value = root->items[2 * i + 1];
        int verb = verb_find(key->text);
        if (str_eq(key->text, "environments"))
            TRY(config_take_environments(reader, value));
        else if (verb >= 0)
            TRY(take_verb(reader, (VerbId)verb, value));
        else
            TRY(config_take_pair(reader, all, key, value));
    }
    return expect_url(reader, all, root);
}

Err *config_read(Arena *arena, const char *name, const char *folder, const char *text, size_t len,
                 const Config **ret_config)
{
    ConfigReader reader = {.arena = arena, .config = arena_alloc(arena, sizeof *reader.config)};
    reader.config->path = name;
    reader.config->folder = folder;
    *ret_config = reader.config;
    const TreeNode *root = NULL;
    TRY(tree_read(arena, name, text, len, &root));
    return root == NULL ? NULL : take_root(&reader, root);
}

static bool is_there(const char *path)
{
    struct stat there;
    return stat(path, &there) == 0;
}

/* The nearest one above the working folder; NULL. */
static const char *find(Arena *arena)
{
    char here[PATH_MAX];
    if (getcwd(here, sizeof here) == NULL)
        return NULL;
    for (const char *up = "";; up = arena_printf(arena, "../%s", up)) {
        const char *file = arena_printf(arena, "%sstoa.yaml", up);
        char *slash = strrchr(here, '/');
        if (is_there(file))
            return file;
        if (is_there(arena_printf(arena, "%s.git", up)) || slash == NULL || here[1] == '\0')
            return NULL;
        slash[slash == here] = '\0';
    }
}

static const char *folder_of(Arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *folder = slash == NULL   ? "."
                         : slash == path ? "/"
                                         : arena_dupn(arena, path, (size_t)(slash - path));
    char *whole = realpath(folder, NULL);
    folder = arena_dup(arena, whole == NULL ? folder : whole);
    free(whole);
    return folder;
}

Err *config_load(Arena *arena, const char *given, const Config **ret_config)
{
    const char *path = given != NULL ? given : find(arena), *text = NULL;
    size_t len = 0;
    *ret_config = NULL;
    if (path == NULL)
        return NULL;
    TRY(check_file_text(arena, path, &text, &len));
    return config_read(arena, path, folder_of(arena, path), text, len, ret_config);
}

/* ---- asked ---------------------------------------------------------------------------------- */

const ConfigScope *config_scope(const Config *config, const char *environment, int verb)
{
    for (size_t i = 0; config != NULL && i < config->scopes.len; i++) {
        const ConfigScope *scope = config->scopes.items[i];
        if (str_eq(scope->environment, environment) && scope->verb == verb)
            return scope;
    }
    return NULL;
}

/* Takes "." and ".." and empty words out of an absolute path. */
static const char *straight(Arena *arena, const char *path)
{
    char *out = arena_dup(arena, path);
    size_t len = 0;
    for (const char *at = path; *at != '\0';) {
        size_t size = strcspn(at, "/");
        bool up = size == 2 && strncmp(at, "..", 2) == 0;
        while (up && len > 0 && out[--len] != '/')
            ;
        if (size > 0 && !up && !(size == 1 && *at == '.')) {
            out[len++] = '/';
            memmove(out + len, at, size);
            len += size;
        }
        at += size + (at[size] == '/');
    }
    out[len] = '\0';
    return out;
}

const char *config_relative(Arena *arena, const Config *config, const char *path)
{
    char here[PATH_MAX];
    if (path[0] != '/') {
        if (getcwd(here, sizeof here) == NULL)
            return NULL;
        path = arena_printf(arena, "%s/%s", here, path);
    }
    path = straight(arena, path);
    size_t len = str_eq(config->folder, "/") ? 0 : strlen(config->folder);
    return strncmp(path, config->folder, len) == 0 && path[len] == '/' ? path + len + 1 : NULL;
}

static bool matches(const char *pattern, const char *path)
{
    for (;; pattern++, path++) {
        if (pattern[0] == '\0' || (pattern[0] == '/' && pattern[1] == '\0'))
            return *path == '\0' || *path == '/';
        if (pattern[0] == '*') {
            bool any = pattern[1] == '*';
            const char *rest = pattern + 1 + any;
            if (any && *rest == '/' && matches(rest + 1, path)) /* "**" and its slash may be nothing */
                return true;
            for (; !matches(rest, path); path++)
                if (*path == '\0' || (!any && *path == '/'))
                    return false;
            return true;
        }
        if (*path == '\0' || (*pattern == '?' ? *path == '/' : *pattern != *path))
            return false;
    }
}

bool config_matches(const char *pattern, const char *path)
{
    while (str_starts(pattern, "./"))
        pattern += 2;
    return matches(pattern, path);
}
