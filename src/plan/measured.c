/* What the server did with a step on an empty clone, against what the plan says of it: the server is right.
 */
#include "plan/plan.h"

#include "base/str.h"
#include "engine/lock.h"
#include "engine/sql.h"

#include <string.h>

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

/* The step's own table stays the first of the list. Of other tables those count that were loaded for the
 * plan, and only locks that application statements meet. */
static void take_table_locks(Arena *arena, Step *step, const Probe *probe, const Table *tables, size_t count)
{
    const char *own = sql_name(arena, step->table.schema, step->table.name);
    /* another change may have a part in the sync trigger when the step runs: then it is dropped and made anew
     */
    LockMode least = step->sync ? lock_mode(step->lock) : LOCK_NONE;
    Words on = {0}, as = {0};
    for (size_t i = 0; i < step->lock_count; i++) {
        *vec_push(arena, &on) = step->lock_on[i];
        *vec_push(arena, &as) = step->lock_modes[i];
    }
    for (size_t i = 0; i < probe->lock_count; i++) {
        const ProbeLock *lock = &probe->locks[i];
        LockMode mode = lock_mode(lock->mode);
        bool known = lock->other || table_of(arena, lock->relation, tables, count) != NULL;
        if (str_eq(lock->relation, own) && mode > LOCK_ROW_EXCLUSIVE && mode >= least)
            step->lock = lock_mode_name(mode);
        else if (mode >= LOCK_SHARE && known && !is_ours(lock->relation))
            raise_lock(arena, &on, &as, lock->relation, lock_mode_name(mode));
    }
    step->lock_on = on.items;
    step->lock_modes = as.items;
    step->lock_count = on.len;
}

/* A statement about no table in particular: what the server took, whatever it is on, strongest first. */
static void take_all_locks(Arena *arena, Step *step, const Probe *probe)
{
    Words on = {0}, as = {0};
    for (size_t i = 0; i < probe->lock_count; i++) {
        const ProbeLock *lock = &probe->locks[i];
        if (lock_mode(lock->mode) >= LOCK_SHARE_UPDATE_EXCLUSIVE && !is_ours(lock->relation))
            raise_lock(arena, &on, &as, lock->relation, lock->mode);
    }
    step->lock = as.len > 0 ? as.items[0] : "";
    step->lock_on = on.items;
    step->lock_modes = as.items;
    step->lock_count = on.len;
}

static void take_locks(Arena *arena, Step *step, const Probe *probe, const Table *tables, size_t count)
{
    if (step->table.name != NULL)
        take_table_locks(arena, step, probe, tables, count);
    else
        take_all_locks(arena, step, probe);
    for (size_t i = 0; i < probe->index_lock_count; i++)
        if (lock_mode(probe->index_locks[i].mode) == LOCK_ACCESS_EXCLUSIVE &&
            !is_ours(probe->index_locks[i].relation))
            step->lock = lock_mode_name(LOCK_ACCESS_EXCLUSIVE); /* stops queries of the table, too */
    if (step->table.name != NULL && step->lock_count > 0) {
        const char **modes = arena_alloc(arena, step->lock_count * sizeof *modes);
        for (size_t i = 0; i < step->lock_count; i++)
            modes[i] = i == 0 ? step->lock : step->lock_modes[i];
        step->lock_modes = modes;
    }
}

/* It was looked for and not there: the plan itself makes it, and nobody has put rows into it. */
static bool is_new(Arena *arena, const char *relation, const Table *tables, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (tables[i].kind != RELATION_MISSING || tables[i].name == NULL)
            continue;
        const char *name = sql_ident(arena, tables[i].name);
        const char *dot = strrchr(relation, '.');
        if (tables[i].schema != NULL ? str_eq(sql_name(arena, tables[i].schema, tables[i].name), relation)
                                     : dot != NULL && str_eq(dot + 1, name))
            return true;
    }
    return false;
}

/* A table with rows, read or rewritten under a lock that stops writers, which the plan did not foresee. */
static Err *judge(Arena *arena, const Step *step, const char *relation, const char *what, const Table *tables,
                  size_t count)
{
    const Table *table = table_of(arena, relation, tables, count);
    if (is_ours(relation) || (table != NULL && table->empty) || is_new(arena, relation, tables, count) ||
        lock_mode(step->lock) < LOCK_SHARE)
        return NULL;
    return err_hint(
        err_new(ERR_UNSAFE, "step %d (%s) would %s %s while it holds %s", step->ordinal, step->title, what,
                relation, step->lock),
        "this server did so on an empty copy; do it in smaller parts, or by hand while nobody writes");
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
