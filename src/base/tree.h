/* tree.h — a YAML text as a tree with the place of each node, read by libyaml. */
#pragma once
#include "base/arena.h"

typedef enum TreeKind { TREE_TEXT, TREE_LIST, TREE_MAP } TreeKind;

typedef struct TreeNode TreeNode;
struct TreeNode {
    TreeKind kind;
    int line, column;             /* from 1 */
    const char *text;             /* TREE_TEXT; "" where nothing stands */
    const TreeNode *const *items; /* TREE_LIST; TREE_MAP: key, value, key, value … */
    size_t count;                 /* items of a list, pairs of a map */
};

/* Reads one document into `arena`; what the text says is copied. `name` is the file's, for messages.
 * *ret_root: NULL for a text without a document. Errors: ERR_CONFIG with line and column for what is no YAML,
 * keys that are no text or stand twice, NUL in a text, more than one document, 1 MiB, 20 levels or 20,000
 * nodes (what an alias stands for counts each time). */
Err *tree_read(Arena *arena, const char *name, const char *text, size_t len,
               const TreeNode **ret_root) MUST_USE;

/* The value of a key; NULL. */
const TreeNode *tree_get(const TreeNode *map, const char *key);
/* An ERR_CONFIG "FILE:3:14: …". */
Err *tree_error(const char *name, const TreeNode *node, const char *fmt, ...) PRINTF(3, 4) MUST_USE;
