/* A kill and a resume. */
#include "rehearse/fault.h"

#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { POLL_MS = 5, WARM_MS = 500, LATEST_MS = 120000, HELD_MS = 30000, HELD_PAUSE_MS = 200 };

/* The first process. Forked before there are threads, it waits until it is told to begin. */
typedef struct Worker {
    pid_t pid;
    int go; /* a byte lets it begin; its end ends it */
} Worker;

static __attribute__((noreturn)) void worker_main(const TrialWish *wish, const char *database, int go)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    RunOptions options;
    Change change = *wish->change;
    RunSummary summary = {0};
    char byte = 0;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null >= 0) {
        (void)dup2(null, STDOUT_FILENO);
        (void)dup2(null, STDERR_FILENO);
    }
    if (read(go, &byte, 1) != 1)
        _exit(1);
    trial_options(wish, database, &options);
    Err *err = run_apply(&options, arena, &change, NULL, NULL, &summary);
    _exit(err == NULL ? 0 : 1);
}

static Err *worker_start(const TrialWish *wish, const char *database, Worker *ret_worker)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_new(ERR_IO, "cannot make a pipe: %s", strerror(errno));
    (void)fflush(NULL); /* else it would be written twice */
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(ends[1]);
        worker_main(wish, database, ends[0]);
    }
    (void)close(ends[0]);
    *ret_worker = (Worker){.pid = pid, .go = ends[1]};
    if (pid > 0)
        return NULL;
    (void)close(ends[1]);
    return err_new(ERR_IO, "cannot start a process: %s", strerror(errno));
}

static bool worker_is_over(const Worker *worker)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)worker->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0;
}

static void worker_end(Worker *worker)
{
    (void)close(worker->go);
    (void)kill(worker->pid, SIGKILL);
    while (waitpid(worker->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* ---- the kill ------------------------------------------------------------------------------- */

static const TrialStep *longest_of(const TrialStep *steps, size_t count)
{
    const TrialStep *longest = NULL;
    for (size_t i = 0; i < count; i++)
        if (longest == NULL || steps[i].seconds > longest->seconds)
            longest = &steps[i];
    return longest;
}

/* Whether the journal says that the step runs. There may be no journal yet. */
static bool runs(Conn *conn, const TrialWish *wish, int ordinal)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = {.stop = wish->stage->wish.stop, .timeout_ms = 10000};
    Rows rows = {0};
    Err *err = conn_params(conn, &wait, arena, &rows,
                           "SELECT state FROM stoa.steps WHERE ordinal = $1 AND state = 'running'",
                           arena_printf(arena, "%d", ordinal));
    bool running = err == NULL && rows.row_count > 0;
    err_free(err);
    return running;
}

/* Half-way through the step, or never where it is over too soon. */
static Err *kill_within(const TrialWish *wish, Conn *conn, Worker *worker, const TrialStep *step,
                        Fault *fault)
{
    const Stop *stop = wish->stage->wish.stop;
    int64_t begun = clock_ms();
    char byte = 'g';
    if (write(worker->go, &byte, 1) != 1)
        return err_new(ERR_IO, "the process that was to be killed is gone already");
    while (!runs(conn, wish, step->ordinal)) {
        TRY(stop_check(stop));
        if (worker_is_over(worker) || clock_ms() - begun > LATEST_MS)
            return NULL;
        stop_sleep(stop, POLL_MS);
    }
    stop_sleep(stop, (int64_t)(step->seconds * 500));
    if (worker_is_over(worker) || !runs(conn, wish, step->ordinal))
        return NULL;
    fault->ordinal = step->ordinal;
    fault->title = step->title;
    fault->killed_s = (double)(clock_ms() - begun) / 1000;
    stage_say(wish->stage, "killed in step %d after %.1f s; a second process goes on", step->ordinal,
              fault->killed_s);
    return NULL;
}

/* ---- the second process --------------------------------------------------------------------- */

/* The server may need a moment to see that the first one is gone. */
static Err *go_on(Arena *arena, const TrialWish *wish, const char *database, Fault *fault)
{
    RunOptions options;
    RunSummary summary = {0};
    int64_t begun = clock_ms();
    trial_options(wish, database, &options);
    Err *err = NULL;
    for (;;) {
        Change change = *wish->change;
        err = run_apply(&options, arena, &change, NULL, NULL, &summary);
        if (!err_is(err, ERR_HELD) || clock_ms() - begun > HELD_MS)
            break;
        err_free(err);
        stop_sleep(wish->stage->wish.stop, HELD_PAUSE_MS);
    }
    fault->resumed_s = (double)(clock_ms() - begun) / 1000;
    fault->ready = err == NULL;
    if (err == NULL || err_is(err, ERR_STOPPED))
        return err;
    CLEANUP(mem_freep) char *text = err_text(err);
    fault->error = arena_dup(arena, text);
    err_free(err);
    return NULL;
}

static void load_freep(Load **load) { load_free(*load); }

static Err *with_load(Arena *arena, const TrialWish *wish, const char *database, Worker *worker,
                      const TrialStep *step, Fault *fault)
{
    CLEANUP(conn_closep) Conn *conn = NULL;
    CLEANUP(load_freep) Load *load = NULL;
    LoadReport warm;
    TRY(stage_connect(wish->stage, database, &conn));
    if (wish->mix != NULL) {
        TRY(trial_application(wish, database, &load));
        stop_sleep(wish->stage->wish.stop, WARM_MS);
        load_mark(load, &warm);
    }
    TRY(kill_within(wish, conn, worker, step, fault));
    worker_end(worker);
    worker->pid = 0;
    if (fault->ordinal != 0)
        TRY(go_on(arena, wish, database, fault));
    if (load != NULL)
        load_mark(load, &fault->during);
    return NULL;
}

Err *fault_run(Arena *arena, const TrialWish *wish, const TrialStep *steps, size_t step_count,
               Fault *ret_fault)
{
    Stage *stage = wish->stage;
    const char *database = stage_trial_name(stage, "fault");
    const TrialStep *step = longest_of(steps, step_count);
    Fault fault = {0};
    Worker worker = {0};
    *ret_fault = fault;
    if (step == NULL)
        return NULL;
    TRY(stage_copy(stage, database, wish->base));
    TRY(stage_hurry(stage, false));
    stage_say(stage, "once more, to be killed in step %d: %s", step->ordinal, step->title);
    TRY(worker_start(wish, database, &worker));
    Err *err = with_load(arena, wish, database, &worker, step, &fault);
    if (worker.pid != 0)
        worker_end(&worker);
    TRY(err);
    TRY(stage_hurry(stage, true));
    TRY(stage_drop(stage, database));
    *ret_fault = fault;
    return NULL;
}
