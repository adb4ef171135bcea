/* config_read.h — what the two readers of stoa.yaml share. Private to config*.c. */
#pragma once
#include "base/tree.h"
#include "cli/config.h"

typedef struct ConfigReader {
    Arena *arena;
    Config *config;
} ConfigReader;

/* "max_lag" and "max-lag" are the same. */
bool config_same_key(const char *key, const char *name);
/* One "option: value" of a section. */
Err *config_take_pair(const ConfigReader *reader, ConfigScope *scope, const TreeNode *key,
                      const TreeNode *value) MUST_USE;
ConfigScope *config_scope_add(const ConfigReader *reader, const char *environment, int verb)
    __attribute__((returns_nonnull));
/* A map, or nothing; `what` names it in the message. */
Err *config_expect_map(const ConfigReader *reader, const TreeNode *node, const char *what) MUST_USE;

/* config_environment.c */
Err *config_take_environments(const ConfigReader *reader, const TreeNode *node) MUST_USE;
