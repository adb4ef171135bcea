/* --listen, with token and certificate; --textfile. */
#include "base/str.h"
#include "cli/config.h"
#include "cli/findings.h"
#include "cli/session.h"
#include "notify/notify.h"
#include "serve/serve.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { TOKEN_LEAST_BYTES = 16 };

/* Limits, and what a person would say to be sure; the rest is for a terminal. */
static bool may_give(const char *verb, const char *name)
{
    static const OptionId allowed[] = {OPT_MAX_STALL,  OPT_LOCK_WAIT, OPT_MAX_LAG, OPT_MAX_LOAD,
                                       OPT_CHUNK_TIME, OPT_WINDOW,    OPT_QUIET,   OPT_FORCE,
                                       OPT_UNTIL,      OPT_REASON};
    int id = verb_find(verb);
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
        if (str_eq(all_options[allowed[i]].name, name))
            return id >= 0 && option_for_verb(&all_options[allowed[i]], (VerbId)id);
    return false;
}

static Err *read_token(Cli *cli, const char **ret_token)
{
    const char *path = cli_setting(cli, OPT_TOKEN_FILE)->text, *text = getenv("STOA_TOKEN");
    size_t len = 0;
    if (path != NULL)
        TRY(check_file_text(cli->arena, path, &text, &len));
    *ret_token = text == NULL || text[0] == '\0' ? NULL : arena_dupn(cli->arena, text, strcspn(text, "\r\n"));
    if (path == NULL && *ret_token == NULL)
        return NULL;
    if (*ret_token != NULL && strlen(*ret_token) >= TOKEN_LEAST_BYTES)
        return NULL;
    return err_hint(err_new(ERR_CONFIG, "the token is shorter than %d characters", TOKEN_LEAST_BYTES),
                    "openssl rand -hex 32 > FILE");
}

static Err *read_tls(Cli *cli, ServeOptions *serve)
{
    const char *cert = cli_setting(cli, OPT_TLS_CERT)->text, *key = cli_setting(cli, OPT_TLS_KEY)->text;
    size_t len = 0;
    if ((cert == NULL) != (key == NULL))
        return err_new(ERR_USAGE, "--tls-cert and --tls-key go together");
    if (cert == NULL)
        return NULL;
    TRY(check_file_text(cli->arena, cert, &serve->tls_cert, &len));
    return check_file_text(cli->arena, key, &serve->tls_key, &len);
}

/* Where the database is, for those that are started. */
static const char *const *variables(Cli *cli)
{
    VEC(const char *) all = {0};
    Target target = cli_target(cli);
    if (target.url != NULL)
        *vec_push(cli->arena, &all) = arena_printf(cli->arena, "STOA_URL=%s", target.url);
    if (target.password_command != NULL)
        *vec_push(cli->arena, &all) =
            arena_printf(cli->arena, "STOA_PASSWORD_COMMAND=%s", target.password_command);
    if (cli->args.config != NULL)
        *vec_push(cli->arena, &all) = arena_printf(cli->arena, "STOA_CONFIG=%s", cli->args.config->path);
    if (cli->args.verb == VERB_SERVE && cli->notify != NULL)
        *vec_push(cli->arena, &all) = "STOA_NOTIFY=off"; /* it is seen, and told, from here */
    *vec_push(cli->arena, &all) = NULL;
    return all.items;
}

static void on_look(void *context, const Picture *picture)
{
    const Cli *cli = context;
    notify_look(cli->notify, picture->changes, picture->events);
}

Err *session_listen(Cli *cli, const RunOptions *options, const char *otherwise, Serve **ret_serve)
{
    const char *listen = cli_setting(cli, OPT_LISTEN)->text, *textfile = cli_setting(cli, OPT_TEXTFILE)->text;
    *ret_serve = NULL;
    if (listen == NULL && otherwise == NULL && textfile == NULL)
        return NULL;
    RunOptions *run = arena_alloc(cli->arena, sizeof *run);
    *run = *options;
    run->observer = (Observer){0};
    ServeOptions serve = {
        .run = run,
        .listen = listen == NULL ? otherwise : listen,
        .environment = cli_setting(cli, OPT_ENV)->text,
        .signers = cli_setting(cli, OPT_ALLOWED_SIGNERS)->text,
        .textfile = textfile,
        .state_file = cli_setting(cli, OPT_STATE_FILE)->text,
        .flagd_file = cli_setting(cli, OPT_FLAGD_FILE)->text,
        .public_hosts = cli_setting(cli, OPT_PUBLIC_HOST)->list,
        .public_host_count = cli_setting(cli, OPT_PUBLIC_HOST)->list_count,
        .looked = cli->args.verb == VERB_SERVE ? on_look : NULL, /* a run tells of itself */
        .looked_context = cli,
        .actor = {.program = "/proc/self/exe", .variables = variables(cli), .may_give = may_give}};
    TRY(read_token(cli, &serve.token));
    TRY(read_tls(cli, &serve));
    TRY(serve_start(&serve, ret_serve));
    if ((*ret_serve)->http == NULL)
        return NULL;
    Page page = term_lines_err(&cli->term);
    page_putf(&page, STYLE_PLAIN, "listening at %s%s", http_url((*ret_serve)->http),
              serve.token == NULL ? ", to show only: there is no token" : "");
    page_newline(&page);
    term_show_err(&cli->term, &page, true);
    return NULL;
}
