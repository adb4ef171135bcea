/* Puts a plan written by hand into the journal, so that the program can carry it out; and tells definitions.
 *
 *   stoa-plan-tool register URL FILE             the plan is under way, as if its process had died at once
 *   stoa-plan-tool digest URL SCHEMA TABLE       what StepLook holds of the table as it is
 */
#include "base/digest.h"
#include "engine/mysql/mysql.h"
#include "run/runner.h"

#include <string.h>

static Err *register_plan(Runner *runner, Arena *arena, const char *file)
{
    const EngineOps *ops = runner->ops;
    Wait wait = journal_wait();
    Plan plan = {0};
    int64_t id = 0;
    json_error_t why;
    json_t *json = json_load_file(file, 0, &why);
    if (json == NULL)
        return err_new(ERR_USAGE, "%s: %s", file, why.text);
    Err *err = plan_from_json(arena, json, &plan);
    json_decref(json);
    TRY(err);
    TRY(journal_ensure(runner->conn, ops, &runner->server));
    TRY(ops->begin(runner->conn, &wait, &(TxSettings){0}));
    TRY(journal_insert(runner->conn, arena, &plan, &runner->options->controls, &id));
    TRY(ops->commit(runner->conn, &wait));
    printf("%lld\n", (long long)id);
    return NULL;
}

static Err *print_digest(Runner *runner, Arena *arena, const char *schema, const char *table)
{
    Wait wait = journal_wait();
    const char *text = NULL;
    TRY(runner->ops->definition(runner->conn, &wait, arena, schema, table, &text));
    printf("%s\n", text == NULL ? "none" : digest_text(arena, text, strlen(text)));
    return NULL;
}

static Err *work(Arena *arena, int argc, char **argv)
{
    if (argc < 4)
        return err_new(ERR_USAGE, "stoa-plan-tool register|digest URL …");
    RunOptions options = {.ops = &engine_mysql, .target.url = argv[2], .until = -1};
    controls_default(&options.controls);
    Runner runner;
    Err *err = runner_open(&runner, &options, arena);
    if (err == NULL)
        err = strcmp(argv[1], "register") == 0 ? register_plan(&runner, arena, argv[3])
              : argc > 4                       ? print_digest(&runner, arena, argv[3], argv[4])
                                               : err_new(ERR_USAGE, "which table?");
    runner_close(&runner);
    return err;
}

int main(int argc, char **argv)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Err *err = work(arena, argc, argv);
    if (err == NULL)
        return 0;
    CLEANUP(mem_freep) char *text = err_text(err);
    (void)fprintf(stderr, "%s\n", text);
    err_free(err);
    return 1;
}
