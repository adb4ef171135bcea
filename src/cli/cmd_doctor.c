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
    if (cli_given(cli, OPT_AT) && !cli_given(cli, OPT_WINDOW))
        return err_hint(err_new(ERR_USAGE, "--at is the moment at which --window is looked at"),
                        "stoa doctor --window '22:00-06:00 Europe/Berlin' --at '2027-03-28 00:30'");
    TRY(run_doctor(&options, cli->arena, &doctor));
    bool window = cli_given(cli, OPT_WINDOW) && !cli_setting(cli, OPT_WINDOW)->from_file;
    Err *err = window ? run_window(&options, cli->arena, cli_setting(cli, OPT_WINDOW)->text,
                                   cli_setting(cli, OPT_AT)->text, doctor)
                      : NULL;
    if (err == NULL && cli_given(cli, OPT_QUIET_HOURS))
        err = run_quiet(&options, cli->arena, cli_setting(cli, OPT_QUIET_HOURS)->text, doctor);
    if (err == NULL)
        err = session_notify_test(cli, doctor);
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
