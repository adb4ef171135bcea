/* libyaml's document, made into nodes of our own. */
#include "base/tree.h"

#include "base/str.h"

#include <string.h>
#include <yaml.h>

enum { MOST_BYTES = 1 << 20, MOST_DEPTH = 20, MOST_NODES = 20000 };

typedef struct Reader {
    Arena *arena;
    const char *name;
    yaml_document_t *document;
    size_t nodes;
} Reader;

Err *tree_error(const char *name, const TreeNode *node, const char *fmt, ...)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    char text[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return err_new(ERR_CONFIG, "%s:%d:%d: %s", name, node->line, node->column, text);
}

static Err *make(Reader *reader, int id, int depth, const TreeNode **ret_node);

static Err *make_text(Reader *reader, const yaml_node_t *from, TreeNode *node)
{
    const char *text = (const char *)(const void *)from->data.scalar.value;
    size_t len = from->data.scalar.length;
    if (memchr(text, '\0', len) != NULL)
        return tree_error(reader->name, node, "this text holds a NUL");
    node->text = arena_dupn(reader->arena, text, len);
    return NULL;
}

static Err *make_list(Reader *reader, const yaml_node_t *from, int depth, TreeNode *node)
{
    const yaml_node_item_t *start = from->data.sequence.items.start, *top = from->data.sequence.items.top;
    VEC(const TreeNode *) items = {0};
    for (const yaml_node_item_t *item = start; item < top; item++)
        TRY(make(reader, *item, depth, vec_push(reader->arena, &items)));
    node->items = items.items;
    node->count = items.len;
    return NULL;
}

static Err *make_map(Reader *reader, const yaml_node_t *from, int depth, TreeNode *node)
{
    const yaml_node_pair_t *start = from->data.mapping.pairs.start, *top = from->data.mapping.pairs.top;
    VEC(const TreeNode *) items = {0};
    for (const yaml_node_pair_t *pair = start; pair < top; pair++) {
        TRY(make(reader, pair->key, depth, vec_push(reader->arena, &items)));
        const TreeNode *key = items.items[items.len - 1];
        if (key->kind != TREE_TEXT)
            return tree_error(reader->name, key, "a key must be a text");
        if (tree_get(node, key->text) != NULL)
            return tree_error(reader->name, key, "\"%s\" stands here twice", key->text);
        TRY(make(reader, pair->value, depth, vec_push(reader->arena, &items)));
        node->items = items.items;
        node->count = items.len / 2;
    }
    return NULL;
}

static Err *make(Reader *reader, int id, int depth, const TreeNode **ret_node)
{
    const yaml_node_t *from = yaml_document_get_node(reader->document, id);
    TreeNode *node = arena_alloc(reader->arena, sizeof *node);
    *ret_node = node;
    if (from == NULL)
        return err_new(ERR_BUG, "%s: a node without a number", reader->name);
    node->line = (int)from->start_mark.line + 1;
    node->column = (int)from->start_mark.column + 1;
    if (depth > MOST_DEPTH || ++reader->nodes > MOST_NODES)
        return tree_error(reader->name, node, "too much stands here");
    switch (from->type) {
    case YAML_SCALAR_NODE:
        return make_text(reader, from, node);
    case YAML_SEQUENCE_NODE:
        node->kind = TREE_LIST;
        return make_list(reader, from, depth + 1, node);
    case YAML_MAPPING_NODE:
        node->kind = TREE_MAP;
        return make_map(reader, from, depth + 1, node);
    case YAML_NO_NODE:
        break;
    }
    return err_new(ERR_BUG, "%s: a node of no kind", reader->name);
}

static Err *problem(const yaml_parser_t *parser, const char *name)
{
    TreeNode at = {.line = (int)parser->problem_mark.line + 1,
                   .column = (int)parser->problem_mark.column + 1};
    const char *what = parser->problem == NULL ? "it is no YAML" : parser->problem;
    if (parser->context == NULL)
        return tree_error(name, &at, "%s", what);
    return tree_error(name, &at, "%s %s", what, parser->context);
}

/* The document after the first, which must be none. */
static Err *expect_end(yaml_parser_t *parser, const char *name)
{
    yaml_document_t document;
    if (yaml_parser_load(parser, &document) == 0)
        return problem(parser, name);
    const yaml_node_t *root = yaml_document_get_root_node(&document);
    TreeNode at = {.line = (int)document.start_mark.line + 1, .column = 1};
    yaml_document_delete(&document);
    return root == NULL ? NULL : tree_error(name, &at, "a second document begins here");
}

static Err *read_document(Reader *reader, yaml_parser_t *parser, const TreeNode **ret_root)
{
    yaml_document_t document;
    if (yaml_parser_load(parser, &document) == 0)
        return problem(parser, reader->name);
    reader->document = &document;
    bool empty = yaml_document_get_root_node(&document) == NULL;
    Err *err = empty ? NULL : make(reader, 1, 0, ret_root);
    yaml_document_delete(&document);
    return err != NULL || empty ? err : expect_end(parser, reader->name);
}

Err *tree_read(Arena *arena, const char *name, const char *text, size_t len, const TreeNode **ret_root)
{
    yaml_parser_t parser;
    *ret_root = NULL;
    if (len > MOST_BYTES)
        return err_new(ERR_CONFIG, "%s is larger than 1 MiB", name);
    if (yaml_parser_initialize(&parser) == 0)
        return err_new(ERR_BUG, "no memory for a reader of YAML");
    yaml_parser_set_input_string(&parser, (const unsigned char *)(const void *)text, len);
    Reader reader = {.arena = arena, .name = name};
    Err *err = read_document(&reader, &parser, ret_root);
    yaml_parser_delete(&parser);
    return err;
}

const TreeNode *tree_get(const TreeNode *map, const char *key)
{
    for (size_t i = 0; map->kind == TREE_MAP && i < map->count; i++)
        if (str_eq(map->items[2 * i]->text, key))
            return map->items[2 * i + 1];
    return NULL;
}
