/* mask.h — takes out of facts what may be personal, so that they can be handed on: no value of the source is
 * left.
 *
 * Text becomes text of the same length and shape, the same one for the same text wherever it stands (common
 * values, enum labels, literals), so that a CHECK still holds for the values it names. Bounds keep their
 * distances to two digits, and begin elsewhere. Literals of other types become one fixed value of the type.
 * Comments, policies, owners and partition bounds go. What stays: names of objects, sizes, counts, shares,
 * rates, settings. */
#pragma once
#include "base/arena.h"

#include <jansson.h>
#include <stdint.h>

typedef struct Mask Mask;
/* `salt` decides what becomes what: random, and thrown away, or nobody could be sure that it cannot be
 * undone. */
Mask *mask_new(Arena *arena, uint64_t salt) __attribute__((returns_nonnull));

Arena *mask_arena(const Mask *mask) __attribute__((returns_nonnull));

/* Text for text. */
const char *mask_text(Mask *mask, const char *text) __attribute__((returns_nonnull));
/* An expression, or any code, without its literals and comments; types keep their modifiers. */
char *mask_code(Mask *mask, const char *sql) __attribute__((returns_nonnull));
/* Of digits: as many, and no greater number, so that its type stays what it is; one digit is no secret. */
const char *mask_number(Mask *mask, const char *digits) __attribute__((returns_nonnull));
/* A statement of a copy (facts.h), by what it makes; NULL: it is left out. */
char *mask_statement(Mask *mask, const char *part, const char *what, const char *sql);
char *mask_statement_my(Mask *mask, const char *part, const char *what, const char *sql);
/* The texts that stand in a statement become keys of `words`. */
void mask_words(const char *sql, json_t *words);
void mask_words_my(const char *sql, json_t *words);
/* Sorted numbers: distances to two digits, another beginning. `values` (not sorted) go along, distinct ones
 * stay so. */
void mask_axis(Mask *mask, double *bounds, size_t bound_count, double *values, size_t value_count);

/* All of a facts object, in place; "masked" is true then. */
void mask_facts(Arena *arena, json_t *facts, uint64_t salt);
