/* --otlp: traces, from the option to notify/. */
#include "base/str.h"
#include "cli/session.h"
#include "notify/otlp.h"

#include <stdlib.h>

static void on_span(void *context, const TraceSpan *span)
{
    const Cli *cli = context;
    otlp_span(cli->otlp, span);
}

Err *session_trace(Cli *cli, RunOptions *options)
{
    OtlpOptions otlp = {.url = cli_setting(cli, OPT_OTLP)->text,
                        .headers = getenv("OTEL_EXPORTER_OTLP_HEADERS"),
                        .verb = verbs[cli->args.verb].name,
                        .environment = cli_setting(cli, OPT_ENV)->text};
    if (!option_for_verb(&all_options[OPT_OTLP], (VerbId)cli->args.verb) || otlp.url == NULL)
        return NULL;
    TRY(otlp_start(&otlp, &cli->otlp));
    options->observer.span = on_span;
    return NULL;
}

void session_trace_end(Cli *cli, const Err *err)
{
    CLEANUP(mem_freep) char *text = err == NULL ? NULL : err_text(err);
    otlp_stop(cli->otlp, text, &cli->stop, OTLP_END_MS);
    cli->otlp = NULL;
}
