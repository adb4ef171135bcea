/* Bytes as stoa.yaml: what is read stands inside the text, and no key stands twice. */
#include "base/str.h"
#include "base/tree.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(const TreeNode *node)
{
    if (node->line < 1 || node->column < 1 || (node->kind == TREE_TEXT) != (node->text != NULL))
        abort();
    size_t count = node->kind == TREE_MAP ? 2 * node->count : node->count;
    for (size_t i = 0; i < count; i++) {
        look(node->items[i]);
        if (node->kind == TREE_MAP && i % 2 == 0 &&
            tree_get(node, node->items[i]->text) != node->items[i + 1])
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new();
    const TreeNode *root = NULL;
    Err *err = tree_read(arena, "stoa.yaml", (const char *)(const void *)data, size, &root);
    if (err == NULL && root != NULL)
        look(root);
    err_free(err);
    arena_free(arena);
    return 0;
}
