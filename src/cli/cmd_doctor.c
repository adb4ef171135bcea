/* stoa doctor: can this server and role do it. */
#include "cli/session.h"
#include "cli/show.h"

#include <string.h>

static bool blocked(const json_t *doctor)
{
    size_t i;
    const json_t *check;
    json_array_foreach(json_object_get(doctor, "checks"), i, check)
    {
        const char *severity = json_string_value(json_object_get(check, "severity"));
        if (!json_is_true(json_object_get(check, "ok")) && str_eq(severity, "block"))
            return true;
    }
    return false;
}

Err *cmd_doctor(Cli *cli)
{
    RunOptions options;
    json_t *doctor = NULL;
    TRY(session_options(cli, &options));
    TRY(run_doctor(&options, cli->arena, &doctor));
    Err *err = session_notify_test(cli, doctor);
    if (err != NULL) {
        json_decref(doctor);
        return err;
    }
    if (cli->term.json) {
        term_json(&cli->term, doctor, true);
    } else {
        Page page = term_page_out(&cli->term);
        show_doctor(&page, doctor);
        term_show_out(&cli->term, &page);
    }
    cli->exit_code = blocked(doctor) ? EXIT_UNSAFE : EXIT_DONE;
    json_decref(doctor);
    return NULL;
}
