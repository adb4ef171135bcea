/* spaces.h — schemas that stand for others: what is said of the real one is said of its stand-in, and back.
 *
 * A clone inside the user's own database keeps the copies of each schema in a scratch schema. Whatever is
 * sent there goes through spaces_rewrite(), whatever comes back through spaces_back(). Every schema of the
 * database has a stand-in, whether it was made or not: so no qualified name leads to a real object, except
 * that of a member of an extension, which is not copied. A name without a schema is looked up by search_path.
 */
#pragma once
#include "base/arena.h"
#include "base/str.h"

typedef struct Space {
    const char *real, *scratch;
} Space;

/* A function, type, operator, relation … of an extension. */
typedef struct SpaceMember {
    const char *schema, *name;
} SpaceMember;

typedef struct Spaces {
    const char *base; /* "stoa_scratch_1764377000_4711_0a1b2c3d": the stand-ins add "_<ordinal>" */
    Space *items;     /* by real name */
    size_t count;
    SpaceMember *members; /* by schema and name */
    size_t member_count;
    /* Schemas of the search path that hold members, and their stand-ins, as {"a","b"}; NULL: none. */
    const char *real_path, *scratch_path;
} Spaces;

/* Sorts, and gives each schema its stand-in. */
void spaces_name(Arena *arena, Spaces *spaces);
const Space *spaces_find(const Spaces *spaces, const char *real);

/* The statements with all real schemas replaced, in texts and function bodies, too, down to a few levels.
 * *ret_why tells why that cannot be told for sure, NULL if it can. */
const char *spaces_rewrite(const Spaces *spaces, Arena *arena, const char *sql, const char **ret_why);
/* A text of the server's with the real names in place of the stand-ins, quoted as SQL needs it unless they
 * stand right behind a quote. */
const char *spaces_back(const Spaces *spaces, Arena *arena, const char *text);
/* The schema's real name; itself if it is no stand-in. */
const char *spaces_real(const Spaces *spaces, const char *scratch);
/* Whether one of the statements may take away or rename what a later one names. */
bool spaces_chained(Arena *arena, const char *sql);
/* All names in the statements, in the texts in them as well, as {"a","b"}. */
const char *spaces_words(Arena *arena, const char *sql);
/* The statement without the word CONCURRENTLY, where it builds an index; NULL: another statement. */
const char *spaces_at_once(Arena *arena, const char *sql);
/* Why statements may not be tried in a scratch schema: they are about what stands in no schema (roles,
 * extensions, schemas …), about all of a database, or run what cannot be read. NULL: they may. */
const char *spaces_refuse(const Spaces *spaces, Arena *arena, const char *sql);
