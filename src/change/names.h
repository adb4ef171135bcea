/* names.h — what a statement speaks of, so that a clone can hold it. */
#pragma once
#include "engine/probe.h"

typedef VEC(Mention) Mentions;

/* Adds the names in one PostgreSQL statement: relations, types, functions, operators, collations …, those in
 * the bodies of DO blocks and functions and in literals that may name something. Rather too many than too
 * few: from text that the parser at hand cannot read, and from bodies, every word is taken for a name. */
void names_of_sql(Arena *arena, const char *sql, Mentions *mentions);
