/* Captured keys that stay in the server: they are brought over there, all of them at once, in one snapshot.
 * No thread reads them and none waits in memory; what a turn of applying is elsewhere is one call here. */
#include "run/shadow.h"

#include "base/clock.h"
#include "base/failpoint.h"

enum { AGAIN_MS = 10 };

bool shadow_stays(const ShadowRun *run) { return run->ops->bring != NULL; }

static void take_note(ShadowRun *run, const Brought *brought)
{
    pthread_mutex_lock(&run->lock);
    run->brought = !brought->emptied;
    run->emptied = run->emptied || brought->emptied;
    run->keys_applied += brought->keys;
    run->turn_done += brought->keys + 1;
    pthread_mutex_unlock(&run->lock);
}

static Err *bring_task(Worker *worker)
{
    ShadowRun *run = worker->run;
    Wait wait = shadow_worker_wait(worker, 0);
    Brought brought = {0};
    TRY(failpoint_at("bring_before"));
    TRY(run->ops->bring(worker->conn, &wait, worker->arena, run->spec, false, &brought));
    TRY(failpoint_at("bring_after"));
    take_note(run, &brought);
    return NULL;
}

Err *shadow_bring_turn(ShadowRun *run)
{
    run->brought = false;
    return shadow_forgive(run, shadow_turn(run, bring_task, 1, INT64_MAX));
}

Err *shadow_bring_all(ShadowRun *run)
{
    for (;;) {
        TRY(shadow_gate(run));
        if (!run->copied && !pass_is_through(&run->copy)) /* begun anew */
            return NULL;
        TRY(shadow_bring_turn(run));
        TRY(shadow_save_if_due(run));
        shadow_report(run, run->copied ? &run->compare : &run->copy);
        if (run->brought)
            return NULL;
        if (!run->emptied)
            stop_sleep(run->runner->options->stop, AGAIN_MS);
    }
}

Err *shadow_bring_locked(ShadowRun *run, Conn *locked, const Wait *wait)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Brought brought = {0};
    TRY(lease_prove(run->runner));
    TRY(run->ops->bring(locked, wait, arena, run->spec, true, &brought));
    if (brought.emptied) {
        take_note(run, &brought);
        return err_new(ERR_CANCELLED, "the source was emptied while it was to be swapped");
    }
    run->keys_applied += brought.keys;
    return failpoint_at("swap_applied");
}

static Err *copied_task(Worker *worker)
{
    ShadowRun *run = worker->run;
    Wait wait = shadow_worker_wait(worker, 0);
    TRY(failpoint_at("copied_before"));
    TRY(run->ops->copied(worker->conn, &wait, run->spec));
    TRY(failpoint_at("copied_after"));
    pthread_mutex_lock(&run->lock);
    run->brought = true;
    run->turn_done++;
    pthread_mutex_unlock(&run->lock);
    return NULL;
}

Err *shadow_all_copied(ShadowRun *run)
{
    for (run->brought = false; !run->brought;) {
        TRY(shadow_gate(run));
        if (!pass_is_through(&run->copy))
            return NULL;
        Err *err = shadow_turn(run, copied_task, 1, INT64_MAX);
        if (err_is(err, ERR_GONE)) {
            CLEANUP(mem_freep) char *why = err_text(err);
            err_free(err);
            TRY(shadow_begin_anew(run, why));
            continue;
        }
        TRY(shadow_forgive(run, err));
    }
    return NULL;
}
