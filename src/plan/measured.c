/* What the server did with a step on an empty clone, against what the plan says of it: the server is right.
 */
#include "plan/plan.h"

#include "base/str.h"
#include "engine/sql.h"

#include <string.h>

/* From the weakest to the strongest; the order in which PostgreSQL's manual lists them. */
static const char *const modes[] = {
    "ACCESS SHARE", "ROW SHARE",           "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE",
    "SHARE",        "SHARE ROW EXCLUSIVE", "EXCLUSIVE",     "ACCESS EXCLUSIVE",
};
enum { MODE_ROW_EXCLUSIVE = 2, MODE_SHARE = 4, MODE_ACCESS_EXCLUSIVE = 7 };

static int strength(const char *mode)
{
    for (size_t i = 0; i < ARRAY_LEN(modes); i++)
        if (str_eq(modes[i], mode))
            return (int)i;
    return -1;
}

static bool is_ours(const char *relation) { return str_starts(relation, "stoa."); }

static const Table *table_of(Arena *arena, const char *relation, const Table *tables, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (tables[i].kind != RELATION_MISSING &&
            str_eq(sql_name(arena, tables[i].schema, tables[i].name), relation))
            return &tables[i];
    return NULL;
}

static bool has(const char *const *items, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(items[i], text))
            return true;
    return false;
}

typedef VEC(const char *) Words;

/* A relation that is there already keeps its place, under what the server took. */
static void raise_lock(Arena *arena, Words *on, Words *as, const char *relation, const char *mode)
{
    for (size_t i = 0; i < on->len; i++)
        if (str_eq(on->items[i], relation)) {
            as->items[i] = mode;
            return;
        }
    *vec_push(arena, on) = relation;
    *vec_push(arena, as) = mode;
}

/* The step's own table stays the first of the list. Of others those count that were loaded for the plan, and
 * only locks that application statements meet. */
static void take_locks(Arena *arena, Step *step, const Probe *probe, const Table *tables, size_t count)
{
    const char *own = step->table.name == NULL ? NULL : sql_name(arena, step->table.schema, step->table.name);
    /* another change may have a part in the sync trigger when the step runs: then it is dropped and made anew
     */
    int least = step->sync ? strength(step->lock) : 0;
    Words on = {0}, as = {0};
    for (size_t i = 0; i < step->lock_count; i++) {
        *vec_push(arena, &on) = step->lock_on[i];
        *vec_push(arena, &as) = step->lock_modes[i];
    }
    for (size_t i = 0; i < probe->lock_count; i++) {
        const ProbeLock *lock = &probe->locks[i];
        int mode = strength(lock->mode);
        if (str_eq(lock->relation, own) && mode > MODE_ROW_EXCLUSIVE && mode >= least)
            step->lock = modes[mode];
        else if (mode >= MODE_SHARE && table_of(arena, lock->relation, tables, count) != NULL)
            raise_lock(arena, &on, &as, lock->relation, modes[mode]);
    }
    for (size_t i = 0; i < probe->index_lock_count; i++)
        if (strength(probe->index_locks[i].mode) ==
            MODE_ACCESS_EXCLUSIVE) /* stops queries of the table, too */
            step->lock = modes[MODE_ACCESS_EXCLUSIVE];
    step->lock_on = on.items;
    step->lock_modes = as.items;
    step->lock_count = on.len;
    if (own != NULL && as.len > 0)
        as.items[0] = step->lock;
}

/* A table with rows, read or rewritten under a lock that stops writers, which the plan did not foresee. */
static Err *judge(Arena *arena, const Step *step, const char *relation, const char *what, const Table *tables,
                  size_t count)
{
    const Table *table = table_of(arena, relation, tables, count);
    if (is_ours(relation) || (table != NULL && table->empty) || strength(step->lock) < MODE_SHARE)
        return NULL;
    return err_hint(err_new(ERR_UNSAFE, "step %d (%s) would %s %s while it holds %s", step->ordinal,
                            step->title, what, relation, step->lock),
                    "this server did so on an empty copy; there is no way yet that avoids it");
}

Err *step_measured(Arena *arena, Step *step, const Probe *probe, const Table *tables, size_t count)
{
    take_locks(arena, step, probe, tables, count);
    for (size_t i = 0; i < probe->rewritten_count && !step->rewrites; i++)
        TRY(judge(arena, step, probe->rewritten[i], "rewrite", tables, count));
    for (size_t i = 0; i < probe->scanned_count && !step->scans; i++)
        if (!has(probe->rewritten, probe->rewritten_count, probe->scanned[i]))
            TRY(judge(arena, step, probe->scanned[i], "read the whole of", tables, count));
    step->evidence = EVIDENCE_MEASURED;
    return NULL;
}
