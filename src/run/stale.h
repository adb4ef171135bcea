/* stale.h — what may be removed from a database, judged from facts (engine/stale.h). Everything but
 * run_stale() is pure. Private to run/ and its tests. */
#pragma once
#include "base/arena.h"
#include "engine/engine.h"
#include "engine/stale.h"

struct MyDialect;

typedef enum Confidence { CONFIDENCE_LOW, CONFIDENCE_MEDIUM, CONFIDENCE_HIGH } Confidence;

/* What is known, and what comes of it. */
typedef struct Stale {
    Arena *arena;
    Dialect dialect;
    bool mariadb;
    int version_num;
    bool standby; /* the server asked is one itself */
    char *(*quote)(Arena *arena, const char *schema, const char *name);
    json_t *facts[STALE_FACT_COUNT]; /* arrays; NULL: could not be had */
    json_t *elsewhere;               /* "schema.table.index": scans on the replicas that were asked */
    size_t replicas_asked;           /* that told their indexes */
    bool statements_elsewhere;       /* and all of them their statements */
    json_t *live;                    /* "schema.table" and "change:17" of what a change under way works on */
    json_t *findings;
} Stale;

/* One finding; `object` is a name as people write it. */
typedef struct StaleFinding {
    const char *kind, *object, *schema, *table, *name;
    Confidence confidence;
    int64_t bytes; /* that would be free; below 0: not known */
    const char *evidence, *todo, *tool;
} StaleFinding;
void stale_add(Stale *stale, const StaleFinding *finding);

/* Members of a fact's row. A number may stand there as text. */
const char *stale_text(const json_t *row, const char *member);
int64_t stale_int(const json_t *row, const char *member); /* 0 where it is missing */
double stale_double(const json_t *row, const char *member);
bool stale_flag(const json_t *row, const char *member);
bool stale_has(const json_t *row, const char *member);
const json_t *stale_server(const Stale *stale); /* the row; NULL */
/* A change under way works on the table. */
bool stale_is_live(const Stale *stale, const char *schema, const char *table);

/* The object is a tool's own leftover already: nothing more is said of it. Of what stale_objects() has found.
 */
bool stale_is_left(const Stale *stale, const char *object);

/* A month is high, a week medium. */
Confidence stale_by_age(int64_t age_s);
static inline Confidence confidence_lower(Confidence confidence)
{
    return confidence == CONFIDENCE_LOW ? CONFIDENCE_LOW : (Confidence)(confidence - 1);
}
static inline Confidence confidence_least(Confidence a, Confidence b) { return a < b ? a : b; }
const char *confidence_name(Confidence confidence);
/* "3 days", from seconds. */
const char *stale_age(Arena *arena, int64_t age_s);
const char *stale_size(Arena *arena, int64_t bytes);
const char *stale_count(Arena *arena, int64_t count);
/* "stoa apply '…'", for a shell. */
const char *stale_apply(Arena *arena, const char *sql);
/* Uses on standbys are not known: why, as a clause; NULL: they are, or there is none. */
const char *stale_unseen(const Stale *stale);

void stale_indexes(Stale *stale);
void stale_constraints(Stale *stale);
void stale_statistics(Stale *stale);
/* ret_read, ret_unread: statements that were understood, and not to their end. */
void stale_unnamed(Stale *stale, const struct MyDialect *dialect, size_t *ret_read, size_t *ret_unread);
void stale_objects(Stale *stale);
void stale_waiting(Stale *stale);
