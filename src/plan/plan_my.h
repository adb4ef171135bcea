/* plan_my.h — the plan for MySQL and MariaDB: what the server was asked, and what is made of its answers. */
#pragma once
#include "change/parse_my.h"
#include "engine/ladder.h"
#include "engine/my_server.h"
#include "engine/my_table.h"
#include "plan/plan.h"

/* One ALTER TABLE, and what the server makes of it on an empty clone. */
typedef struct AskedMy {
    const char *sql;
    const MyStatement *my; /* read from `sql` */
    bool hides;            /* columns that it adds are invisible, although the user did not say so */
    Ladder ladder;
    const Table *before, *after; /* the table there, without and with it; `after` NULL where it was refused */
    const struct AskedMy *parts; /* its actions one by one; none where it is cheap as it is, or has one */
    size_t part_count;
} AskedMy;

/* Statements that belong together: ALTER TABLEs of one table that stand next to each other, or one other
 * statement. */
typedef struct WorkMy {
    const Operation *const *operations;
    size_t count;
    const AskedMy *asked;  /* one per operation; NULL where it is no ALTER TABLE */
    const AskedMy *joined; /* all of them as one statement, where that leads to the same table; NULL */
    const Table *table;    /* as it is: kind RELATION_MISSING where there is none (or the change makes it) */
    const Table *other;    /* CREATE TABLE … LIKE: that one; NULL */
    const char *leftover;  /* a table that has the name of the shadow or of the old table; NULL */
} WorkMy;

typedef struct PlanInputMy {
    const Change *change;
    const Server *server; /* with server->my */
    const WorkMy *works;  /* in the order in which the clone has seen them: what waits for `complete` last */
    size_t work_count;
    PlanOptions options;
} PlanInputMy;

/* Makes the plan; its looks have names, but no digests yet (plan_look_my). Errors as plan_make_pg. */
Err *plan_make_my(Arena *arena, const PlanInputMy *input, Plan *ret_plan) MUST_USE;

/* The ALTER TABLE with the columns that it adds invisible, so that INSERTs without a column list go on
 * working; NULL where it adds none, or says so itself. `text` is the operation's. */
const char *plan_hide_my(Arena *arena, const Operation *operation);
/* "orders__stoa_new", "orders__stoa_old": names that sort behind the table's by bytes, of at most 64
 * characters; NULL where there is none. */
const char *plan_shadow_name_my(Arena *arena, const char *table, const char *suffix);
/* Cheap: the catalog alone changes. */
static inline bool ladder_is_cheap(const Ladder *ladder) { return ladder->rung <= RUNG_METADATA; }

/* Whether a statement adds foreign keys and nothing else: it is carried out without a look at the rows
 * (AlterRequest.unchecked), which comes behind it. */
bool unchecked_my(const MyStatement *my);

/* Columns that the statement gives another name, for the ladder. */
void plan_renames_my(Arena *arena, const MyStatement *my, LadderRequest *request);
