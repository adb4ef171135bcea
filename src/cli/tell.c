/* Hooks and webhooks, from the options to notify/. */
#include "base/str.h"
#include "base/unit.h"
#include "cli/findings.h"
#include "cli/places.h"
#include "cli/session.h"
#include "notify/notify.h"

#include <stdlib.h>
#include <string.h>

enum { SECRET_LEAST_BYTES = 16 };

static Err *read_secret(Cli *cli, const char **ret_secret)
{
    const char *path = cli_setting(cli, OPT_WEBHOOK_SECRET_FILE)->text, *text = getenv("STOA_WEBHOOK_SECRET");
    size_t len = 0;
    if (path != NULL)
        TRY(check_file_text(cli->arena, path, &text, &len));
    *ret_secret =
        text == NULL || text[0] == '\0' ? NULL : arena_dupn(cli->arena, text, strcspn(text, "\r\n"));
    if (path == NULL && *ret_secret == NULL)
        return NULL;
    if (*ret_secret != NULL && strlen(*ret_secret) >= SECRET_LEAST_BYTES)
        return NULL;
    return err_hint(
        err_new(ERR_CONFIG, "the secret of webhooks is shorter than %d characters", SECRET_LEAST_BYTES),
        "openssl rand -hex 32 > FILE");
}

static Err *read_options(Cli *cli, NotifyOptions *ret_options)
{
    const Setting *hooks = cli_setting(cli, OPT_HOOK), *webhooks = cli_setting(cli, OPT_WEBHOOK);
    const Setting *after = cli_setting(cli, OPT_NOTIFY_THROTTLED_AFTER);
    NotifyOptions options = {.hooks = hooks->list,
                             .hook_count = hooks->given ? hooks->list_count : 0,
                             .webhooks = webhooks->list,
                             .webhook_count = webhooks->given ? webhooks->list_count : 0,
                             .environment = cli_setting(cli, OPT_ENV)->text,
                             .throttled_after_ms = after->number};
    options.database = cli->place != NULL ? place_name(cli->arena, cli->place)
                                          : target_redacted(cli->arena, cli_target(cli).url);
    if (!after->given)
        TRY(unit_parse_duration(all_options[OPT_NOTIFY_THROTTLED_AFTER].fallback,
                                &options.throttled_after_ms));
    TRY(read_secret(cli, &options.secret));
    *ret_options = options;
    return NULL;
}

/* Verbs that "stoa serve" starts leave the telling to it. */
static bool left_to_serve(void) { return str_eq(getenv("STOA_NOTIFY"), "off"); }

Err *session_notify(Cli *cli)
{
    VerbId verb = (VerbId)cli->args.verb;
    bool tells = option_for_verb(&all_options[OPT_NOTIFY_THROTTLED_AFTER], verb);
    NotifyOptions options;
    if (!tells || left_to_serve() || (!cli_given(cli, OPT_HOOK) && !cli_given(cli, OPT_WEBHOOK)))
        return NULL;
    TRY(read_options(cli, &options));
    return notify_start(&options, &cli->notify);
}

void session_notify_end(Cli *cli, const Err *err)
{
    bool asked_for =
        err == NULL || err->kind == ERR_STOPPED || err->kind == ERR_HELD || err->kind == ERR_USAGE;
    if (cli->notify == NULL)
        return;
    if (!asked_for) {
        char *text = err_text(err);
        notify_failed(cli->notify, text);
        free(text);
    }
    notify_stop(cli->notify, &cli->stop, NOTIFY_END_MS);
    cli->notify = NULL;
}

Err *session_notify_test(Cli *cli, json_t *doctor)
{
    NotifyOptions options;
    if (!cli_given(cli, OPT_NOTIFY))
        return NULL;
    TRY(read_options(cli, &options));
    if (options.hook_count + options.webhook_count == 0)
        return err_hint(err_new(ERR_USAGE, "--notify needs somebody to tell"), "give --hook or --webhook");
    json_t *checks = notify_test(&options, &cli->stop);
    (void)json_array_extend(json_object_get(doctor, "checks"), checks);
    json_decref(checks);
    return NULL;
}
