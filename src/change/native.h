/* native.h — statements that are carried out as written: what the parts of parse_native() share. Internal to
 * change/. */
#pragma once
#include "base/str.h"
#include "change/parser.h"

#define NODE(x)   PG_QUERY__NODE__NODE_##x
#define OBJECT(x) PG_QUERY__OBJECT_TYPE__OBJECT_##x

/* A statement while its rule reads it. */
typedef struct Native {
    const Statement *stmt;
    Arena *arena;
    PgQuery__Node *node;
    NativeSpec *spec;
    const char *words;
    NativeWhen when;
    bool refused; /* with a problem */
} Native;

/* ---- rules (native_rule.c) ------------------------------------------------------------------- */

/* Reads what the statement takes, how it runs and, where that depends on it, its place. */
typedef void NativeRead(Native *native);

typedef struct NativeRule {
    PgQuery__Node__NodeCase kind;
    NativeWhen when;
    NativeRead *read; /* NULL: it locks no relation */
} NativeRule;

/* NULL: the statement is not carried out as written. */
const NativeRule *native_rule(const PgQuery__Node *node);

/* native_relation.c: tables, views, sequences, indexes, and what stands on them. */
NativeRead native_read_table, native_read_table_as, native_read_select_into;
NativeRead native_read_view, native_read_refresh, native_read_sequence, native_read_alter_sequence;
NativeRead native_read_trigger, native_read_policy, native_read_alter_policy, native_read_rule,
    native_read_statistics;
NativeRead native_read_vacuum, native_read_reindex, native_read_rename, native_read_move, native_read_owner,
    native_read_alter_relation;

/* native_object.c: all else. */
NativeRead native_read_enum, native_read_alter_domain;
NativeRead native_read_publication, native_read_alter_publication, native_read_comment;
NativeRead native_read_function, native_read_define, native_read_schema, native_read_extension,
    native_read_grant, native_read_foreign_table, native_read_import, native_read_unknown;

/* ---- what they note (native.c) --------------------------------------------------------------- */

void native_refuse(Native *native, const char *why, const char *hint);
/* `relation` may be NULL. */
void native_lock_on(Native *native, const PgQuery__RangeVar *relation, const char *mode);
void native_lock(Arena *arena, NativeSpec *spec, Name relation, const char *mode);

/* The statement as an operation without rule: its canonical or, where it cannot be written back, own text. */
Operation *native_add(const Statement *stmt, NativeSpec *spec, const char *words, NativeWhen when);

/* ---- texts and names ------------------------------------------------------------------------- */

/* native_text.c: tree_sql() in words that old servers know as well. */
const char *native_sql(Arena *arena, PgQuery__Node *node);
/* Without IF NOT EXISTS: where nothing was there when the plan was made, somebody else's object that came in
 * between must not be taken for ours. NULL where the statement has none, or cannot be written back. */
const char *native_plain_sql(Arena *arena, PgQuery__Node *node);

/* native_undo.c: "DROP VIEW public.v", what takes a made object away again, exactly; NULL where nothing does.
 */
const char *native_undo(Arena *arena, const PgQuery__Node *node, const ObjectName *made);

/* native_names.c: relations a statement names; identifiers in a text, in quoted bodies as well, sorted. */
void names_gather(Arena *arena, PgQuery__Node *node, const Name **ret_names, size_t *ret_count);
void mentions_gather(Arena *arena, const char *text, const char *const **ret_words, size_t *ret_count);

/* native_made.c: what a CREATE makes, and a DROP of one object takes away; with type NULL where it has no
 * such name. */
ObjectName object_made(Arena *arena, const PgQuery__Node *node);
ObjectName object_of(Arena *arena, PgQuery__ObjectType type, const PgQuery__Node *object);
/* A dotted name, each word quoted, as types are named. */
const char *object_type_text(Arena *arena, PgQuery__Node *const *words, size_t count);

/* native_same.c: the same object among temporary ones, for comparison: statements and its name. */
void native_same(Arena *arena, PgQuery__Node *node, NativeSpec *spec);
