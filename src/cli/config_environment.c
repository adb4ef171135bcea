/* The environments of stoa.yaml: their order, where their databases are, and the options that hold there. */
#include "cli/config_read.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

enum { NAMES_MOST = 10000 };

typedef VEC(const char *) Names;

/* What is being read. */
typedef struct Section {
    const ConfigReader *reader;
    ConfigEnvironment *environment;
    const TreeNode *at;    /* its name */
    const TreeNode *after; /* NULL: not given */
} Section;

static const char *const own_keys[] = {"after", "databases", "schemas", "url-env"};

/* ---- lists ---------------------------------------------------------------------------------- */

/* A text, or a list of texts. */
static Err *take_names(const Section *section, const TreeNode *node, const char *what, bool may_be_empty,
                       Names *names)
{
    const char *path = section->reader->config->path;
    size_t count = node->kind == TREE_LIST ? node->count : 1;
    if (node->kind == TREE_MAP)
        return tree_error(path, node, "\"%s\" is a name or a list of names", what);
    if (count > NAMES_MOST)
        return tree_error(path, node, "\"%s\" has more than %d names", what, NAMES_MOST);
    if (count == 0 && !may_be_empty)
        return tree_error(path, node, "\"%s\" is empty", what);
    for (size_t i = 0; i < count; i++) {
        const TreeNode *one = node->kind == TREE_LIST ? node->items[i] : node;
        if (one->kind != TREE_TEXT || one->text[0] == '\0')
            return tree_error(path, one, "\"%s\" is a name or a list of names", what);
        for (size_t j = 0; j < names->len; j++)
            if (str_eq(names->items[j], one->text))
                return tree_error(path, one, "\"%s\" stands twice in \"%s\"", one->text, what);
        *vec_push(section->reader->arena, names) = one->text;
    }
    return NULL;
}

/* "databases: {query: SELECT …}" */
static Err *take_query(const Section *section, const TreeNode *node)
{
    const char *path = section->reader->config->path;
    const TreeNode *query = tree_get(node, "query");
    for (size_t i = 0; i < node->count; i++)
        if (!str_eq(node->items[2 * i]->text, "query"))
            return err_hint(tree_error(path, node->items[2 * i], "\"%s\" is nothing of databases",
                                       node->items[2 * i]->text),
                            "write: databases: {query: SELECT …}, a list of names, or a pattern");
    if (query == NULL || query->kind != TREE_TEXT || query->text[0] == '\0')
        return tree_error(path, node, "\"query\" is a statement whose first column has the databases' names");
    section->environment->database_query = query->text;
    return NULL;
}

static bool is_url(const char *text) { return strstr(text, "://") != NULL || str_starts(text, "${"); }

static Err *take_databases(const Section *section, const TreeNode *node)
{
    if (node->kind == TREE_MAP)
        return take_query(section, node);
    Names names = {0};
    TRY(take_names(section, node, "databases", false, &names));
    section->environment->databases = names.items;
    section->environment->database_count = names.len;
    return NULL;
}

static Err *take_schemas(const Section *section, const TreeNode *node)
{
    Names names = {0};
    TRY(take_names(section, node, "schemas", false, &names));
    section->environment->schemas = names.items;
    section->environment->schema_count = names.len;
    return NULL;
}

static Err *take_url_env(const Section *section, const TreeNode *node)
{
    Setting *url = &section->environment->scope->settings[OPT_URL];
    if (node->kind != TREE_TEXT || node->text[0] == '\0' ||
        node->text[strspn(node->text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")] !=
            '\0')
        return err_hint(tree_error(section->reader->config->path, node,
                                   "\"url-env\" is the name of an environment variable"),
                        "write: url-env: PROD_URL");
    if (url->given)
        return tree_error(section->reader->config->path, node, "url and url-env both say where it is");
    url->text = arena_printf(section->reader->arena, "${%s}", node->text);
    url->given = true;
    return NULL;
}

/* ---- one environment ------------------------------------------------------------------------ */

/* The key of an environment's own; its index in own_keys, or their number. */
static size_t own_key(const char *text)
{
    size_t at = 0;
    while (at < ARRAY_LEN(own_keys) && !config_same_key(text, own_keys[at]))
        at++;
    return at;
}

/* One letter is wrong, missing or too much. */
static bool nearly(const char *word, const char *key)
{
    size_t same = 0;
    while (word[same] != '\0' && word[same] == key[same])
        same++;
    const char *a = word + same, *b = key + same;
    if (*a == '\0' || *b == '\0')
        return strlen(a) + strlen(b) <= 2;
    return str_eq(a + 1, b) || str_eq(a, b + 1) || str_eq(a + 1, b + 1);
}

static Err *take_key(Section *section, const TreeNode *key, const TreeNode *value)
{
    switch (own_key(key->text)) {
    case 0:
        section->after = value;
        return NULL;
    case 1:
        return take_databases(section, value);
    case 2:
        return take_schemas(section, value);
    case 3:
        return take_url_env(section, value);
    default:
        break;
    }
    for (size_t i = 0; i < ARRAY_LEN(own_keys); i++)
        if (nearly(key->text, own_keys[i]))
            return err_hint(tree_error(section->reader->config->path, key,
                                       "\"%s\" is nothing of an environment", key->text),
                            "did you mean %s?", own_keys[i]);
    if (config_same_key(key->text, "url") && section->environment->scope->settings[OPT_URL].given)
        return tree_error(section->reader->config->path, key, "url and url-env both say where it is");
    return config_take_pair(section->reader, section->environment->scope, key, value);
}

/* Databases by name, pattern or query are those of the server that the URL names. */
static Err *check_places(const Section *section)
{
    const ConfigEnvironment *environment = section->environment;
    const char *path = section->reader->config->path;
    bool url = environment->scope->settings[OPT_URL].given, named = environment->database_query != NULL;
    for (size_t i = 0; i < environment->database_count; i++)
        named = named || !is_url(environment->databases[i]);
    if (url || (environment->database_count > 0 && !named))
        return NULL;
    if (named)
        return err_hint(tree_error(path, section->at, "the environment \"%s\" has databases, and no url",
                                   environment->name),
                        "give it the url of their server, or write the databases as URLs");
    return tree_error(path, section->at, "the environment \"%s\" has no url", environment->name);
}

static Err *take_environment(Section *section, const TreeNode *value)
{
    TRY(config_expect_map(section->reader, value, "an environment"));
    for (size_t i = 0; i < value->count; i++)
        TRY(take_key(section, value->items[2 * i], value->items[2 * i + 1]));
    return check_places(section);
}

/* ---- order ---------------------------------------------------------------------------------- */

/* Without "after" it stands behind all that are above it. */
static Err *take_after(const Section *section, size_t place)
{
    const Config *config = section->reader->config;
    ConfigEnvironment *environment = section->environment;
    Names names = {0};
    for (size_t i = 0; i < place && section->after == NULL; i++)
        *vec_push(section->reader->arena, &names) = config->environments.items[i]->name;
    if (section->after != NULL)
        TRY(take_names(section, section->after, "after", true, &names));
    for (size_t i = 0; i < names.len; i++)
        if (config_environment(config, names.items[i]) == NULL)
            return err_hint(
                tree_error(config->path, section->after, "there is no environment \"%s\"", names.items[i]),
                "there are %s", config_environments(section->reader->arena, config));
    environment->after = names.items;
    environment->after_count = names.len;
    return NULL;
}

/* Takes those away that stand behind nothing that is left, as long as there are such. */
static Err *check_circle(const ConfigReader *reader, const TreeNode *node)
{
    const Config *config = reader->config;
    size_t count = config->environments.len, gone_count = 0;
    bool *gone = arena_alloc(reader->arena, (count + 1) * sizeof *gone);
    for (size_t before = SIZE_MAX; gone_count != before;) {
        before = gone_count;
        for (size_t i = 0; i < count; i++) {
            const ConfigEnvironment *one = config->environments.items[i];
            size_t left = 0;
            for (size_t j = 0; j < one->after_count; j++)
                for (size_t k = 0; k < count; k++)
                    left += !gone[k] && str_eq(config->environments.items[k]->name, one->after[j]);
            gone_count += !gone[i] && left == 0;
            gone[i] = gone[i] || left == 0;
        }
    }
    for (size_t i = 0; i < count; i++)
        if (!gone[i])
            return tree_error(config->path, node, "the environment \"%s\" stands behind itself",
                              config->environments.items[i]->name);
    return NULL;
}

Err *config_take_environments(const ConfigReader *reader, const TreeNode *node)
{
    TRY(config_expect_map(reader, node, "environments"));
    Section *sections = arena_alloc(reader->arena, (node->count + 1) * sizeof *sections);
    for (size_t i = 0; i < node->count; i++) {
        const TreeNode *name = node->items[2 * i];
        ConfigEnvironment *environment = arena_alloc(reader->arena, sizeof *environment);
        environment->name = name->text;
        environment->scope = config_scope_add(reader, name->text, -1);
        *vec_push(reader->arena, &reader->config->environments) = environment;
        sections[i] = (Section){.reader = reader, .environment = environment, .at = name};
        TRY(take_environment(&sections[i], node->items[2 * i + 1]));
    }
    for (size_t i = 0; i < node->count; i++)
        TRY(take_after(&sections[i], i));
    return check_circle(reader, node);
}

/* ---- asked ---------------------------------------------------------------------------------- */

const ConfigEnvironment *config_environment(const Config *config, const char *name)
{
    for (size_t i = 0; config != NULL && i < config->environments.len; i++)
        if (str_eq(config->environments.items[i]->name, name))
            return config->environments.items[i];
    return NULL;
}

const char *config_environments(Arena *arena, const Config *config)
{
    CLEANUP(str_donep) Str list = STR_INIT;
    for (size_t i = 0; config != NULL && i < config->environments.len; i++) {
        str_sep(&list, ", ");
        str_add(&list, config->environments.items[i]->name);
    }
    return arena_dup(arena, list.buf);
}

Err *config_expand(Arena *arena, const Config *config, const char *text, const char **ret_text)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    for (const char *at = text; *at != '\0';) {
        const char *end = str_starts(at, "${") ? strchr(at, '}') : NULL;
        if (end == NULL) {
            str_addn(&out, at++, 1);
            continue;
        }
        const char *name = arena_dupn(arena, at + 2, (size_t)(end - at - 2)), *value = getenv(name);
        if (value == NULL || *value == '\0')
            return err_hint(err_new(ERR_CONFIG,
                                    "the environment variable \"%s\" is not set, and %s takes a url from it",
                                    name, config->path),
                            "set %s", name);
        str_add(&out, value);
        at = end + 1;
    }
    *ret_text = arena_dup(arena, out.buf);
    explicit_bzero(out.buf, out.len);
    return NULL;
}

bool config_is_pattern(const char *name) { return !is_url(name) && strpbrk(name, "*?") != NULL; }
