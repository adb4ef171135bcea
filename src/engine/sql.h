/* sql.h — quoting: the only way a name or a literal gets into SQL text.
 *
 * PostgreSQL: identifiers are quoted unless they are lower-case words that are no keyword; literals never
 * rely on standard_conforming_strings (a backslash makes an E'' literal). MySQL and MariaDB: backticks, and
 * literals that are right in every sql_mode are built by the engine's own client library instead. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

/* "Orders" -> "\"Orders\"", orders -> orders; in `arena`. */
char *sql_ident(Arena *arena, const char *name) __attribute__((returns_nonnull));
/* schema.name, each quoted as needed; `schema` may be NULL. */
char *sql_name(Arena *arena, const char *schema, const char *name) __attribute__((returns_nonnull));
/* What sql_name() wrote, apart again; *ret_schema NULL where it stands alone. */
void sql_name_parts(Arena *arena, const char *sql, const char **ret_schema, const char **ret_name);
/* 'text' with quotes doubled; NULL gives NULL without quotes. */
char *sql_literal(Arena *arena, const char *text) __attribute__((returns_nonnull));
/* A literal in dollar quotes with a tag that the text does not contain, for function bodies. */
char *sql_dollar(Arena *arena, const char *text) __attribute__((returns_nonnull));
/* Identifiers separated by ", ". */
char *sql_ident_list(Arena *arena, const char *const *names, size_t count) __attribute__((returns_nonnull));
/* MySQL and MariaDB: "or`ders" -> "`or``ders`"; in `arena`. */
char *sql_backtick(Arena *arena, const char *name) __attribute__((returns_nonnull));
void sql_add_ident(Str *str, const char *name);
void sql_add_name(Str *str, const char *schema, const char *name);
void sql_add_literal(Str *str, const char *text);
