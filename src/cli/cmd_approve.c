/* stoa approve: records that a plan was reviewed and may be carried out. */
#include "cli/bundle.h"
#include "cli/rehearsals.h"
#include "cli/session.h"
#include "cli/show.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

enum { TTL_MS = 72 * 3600 * 1000 };

static const char *account(Arena *arena)
{
    char host[256] = "";
    const struct passwd *entry = getpwuid(getuid());
    (void)gethostname(host, sizeof host - 1);
    return arena_printf(arena, "%s@%s", entry == NULL ? "?" : entry->pw_name, host);
}

static int64_t ttl_ms(Cli *cli)
{
    return cli_given(cli, OPT_APPROVAL_TTL) ? cli_setting(cli, OPT_APPROVAL_TTL)->number : TTL_MS;
}

static Err *check_plan(Cli *cli, const Plan *plan)
{
    const char *wanted = cli_setting(cli, OPT_PLAN)->text;
    if (plan->nothing_to_do)
        return err_new(ERR_USAGE, "there is nothing to do for \"%s\", and so nothing to approve",
                       plan->change);
    if (wanted != NULL && !str_eq(wanted, plan->plan_digest))
        return err_hint(
            err_new(ERR_UNSAFE, "the plan is %s, not the %s that was reviewed", plan->plan_digest, wanted),
            "review it anew: stoa plan --bundle review …; or approve the bundle that was reviewed");
    return NULL;
}

static void json_freep(json_t **json) { json_decref(*json); }

/* The plan of the bundle, or the one that apply would make, and its rehearsal (the caller's; NULL). */
static Err *find_plan(Cli *cli, const RunOptions *options, Plan *ret_plan, json_t **ret_rehearsal)
{
    const char *bundle = cli_setting(cli, OPT_BUNDLE)->text;
    Change change;
    bool journalled = false;
    if (bundle != NULL && (cli->args.positional != NULL || cli_given(cli, OPT_FILE)))
        return err_hint(err_new(ERR_USAGE, "the plan is given twice: by a bundle and by SQL"),
                        "leave out one");
    if (bundle != NULL) {
        TRY(bundle_read(cli, bundle, ret_plan, ret_rehearsal));
    } else {
        TRY(session_change(cli, &change));
        TRY(run_plan(options, cli->arena, &change, ret_plan, &journalled));
        term_progress_end(&cli->term);
    }
    if (*ret_rehearsal == NULL)
        *ret_rehearsal = rehearsals_find(cli, ret_plan);
    return check_plan(cli, ret_plan);
}

/* Whoever named the plan has read it; what its rehearsal said is shown all the same. */
static Err *ask(Cli *cli, const Plan *plan, const json_t *rehearsal)
{
    bool named = cli_given(cli, OPT_PLAN) || cli_given(cli, OPT_YES);
    if (!cli->term.json && (!named || rehearsal != NULL)) {
        Page page = term_page_err(&cli->term);
        if (named)
            show_rehearsal(&page, rehearsal);
        else
            show_plan(&page, plan, cli_given(cli, OPT_VERBOSE), rehearsal);
        page_newline(&page);
        term_show_err(&cli->term, &page, false);
    }
    if (named)
        return NULL;
    return session_confirm(cli, cli_given(cli, OPT_REVOKE) ? "Take its approvals back?" : "Approve it?");
}

/* ---- what was signed elsewhere -------------------------------------------------------------- */

typedef struct Paper {
    const char *path; /* for messages */
    const char *text, *signature, *account;
    json_t *json;
} Paper;

static Err *paper_open(const char *path, Paper *ret_paper)
{
    json_error_t why;
    bool in = str_eq(path, "-");
    json_t *json = in ? json_loadf(stdin, 0, &why) : json_load_file(path, 0, &why);
    Paper paper = {.path = in ? "<stdin>" : path,
                   .text = json_string_value(json_object_get(json, "text")),
                   .signature = json_string_value(json_object_get(json, "signature")),
                   .account = json_string_value(json_object_get(json, "account")),
                   .json = json};
    *ret_paper = paper;
    if (paper.text != NULL && paper.signature != NULL)
        return NULL;
    return err_hint(err_new(ERR_USAGE, "\"%s\" is no signed approval: %s", paper.path,
                            json == NULL ? why.text : "it has no text, or no signature"),
                    "stoa approve --bundle review.json --sign KEY --to %s", path);
}

static Err *record(Cli *cli, const Paper *paper)
{
    RunOptions options;
    Plan plan;
    const char *who = NULL;
    TRY(session_options(cli, &options));
    TRY(bundle_take(cli->arena, json_object_get(paper->json, "bundle"), paper->path, &plan, NULL));
    ApproveWish wish = {
        .plan = &plan, .account = paper->account, .signed_text = paper->text, .signature = paper->signature};
    TRY(run_approve(&options, cli->arena, &wish, &who));
    session_done(cli, "approval", plan.change,
                 arena_printf(cli->arena, "%s approves plan %s", who, plan.plan_digest));
    return NULL;
}

static Err *record_signed(Cli *cli, const char *path)
{
    Paper paper;
    Err *err = paper_open(path, &paper);
    if (err == NULL)
        err = record(cli, &paper);
    json_decref(paper.json);
    return err;
}

static Err *put(const char *path, const char *text)
{
    bool out = str_eq(path, "-");
    FILE *file = out ? stdout : fopen(path, "we");
    bool good = file != NULL && fprintf(file, "%s\n", text) >= 0 && fflush(file) == 0;
    int why = errno;
    if (file != NULL && !out && fclose(file) != 0)
        good = false;
    return good ? NULL : err_new(ERR_IO, "cannot write \"%s\": %s", path, strerror(why));
}

/* Needs no database: whoever approves may have no access to one. */
static Err *sign_to(Cli *cli, const json_t *bundle, const char *path)
{
    RunOptions options = {.stop = &cli->stop, .signers = cli_setting(cli, OPT_ALLOWED_SIGNERS)->text};
    Plan plan;
    const char *text = NULL, *signature = NULL;
    TRY(bundle_take(cli->arena, bundle, cli_setting(cli, OPT_BUNDLE)->text, &plan, &options.environment));
    TRY(check_plan(cli, &plan));
    TRY(ask(cli, &plan, bundle_rehearsal(bundle, &plan)));
    ApproveWish wish = {.plan = &plan, .key = cli_setting(cli, OPT_SIGN)->text, .ttl_ms = ttl_ms(cli)};
    TRY(run_sign(&options, cli->arena, &wish, &text, &signature));
    json_t *json = json_pack("{s:i, s:s, s:s, s:s, s:O}", "v", 1, "text", text, "signature", signature,
                             "account", account(cli->arena), "bundle", bundle);
    CLEANUP(mem_freep) char *whole = json_dumps(json, JSON_INDENT(1));
    json_decref(json);
    return whole == NULL ? err_new(ERR_USAGE, "the approval is not UTF-8") : put(path, whole);
}

static Err *sign_bundle(Cli *cli, const char *path)
{
    json_error_t why;
    const char *bundle = cli_setting(cli, OPT_BUNDLE)->text;
    if (bundle == NULL || cli_setting(cli, OPT_SIGN)->text == NULL)
        return err_hint(err_new(ERR_USAGE, "--to is for a bundle that is signed"),
                        "stoa approve --bundle review.json --sign KEY --to %s", path);
    json_t *json = json_load_file(bundle, 0, &why);
    Err *err = json == NULL ? err_new(ERR_USAGE, "cannot read \"%s\" as a bundle: %s", bundle, why.text)
                            : sign_to(cli, json, path);
    json_decref(json);
    return err;
}

/* ---- the verb ------------------------------------------------------------------------------- */

Err *cmd_approve(Cli *cli)
{
    const char *key = cli_setting(cli, OPT_SIGN)->text, *to = cli_setting(cli, OPT_SIGN_TO)->text;
    const char *paper = cli_setting(cli, OPT_SIGNED)->text;
    bool revoke = cli_given(cli, OPT_REVOKE), by_role = cli_given(cli, OPT_BY_ROLE);
    bool key_here = key != NULL && !cli_setting(cli, OPT_SIGN)->from_file;
    RunOptions options;
    Plan plan;
    const char *who = NULL;
    if (key_here && by_role)
        return err_new(ERR_USAGE, "--sign and --by-role do not go together");
    if (paper != NULL && (key_here || by_role || revoke || to != NULL || cli_given(cli, OPT_BUNDLE)))
        return err_hint(err_new(ERR_USAGE, "--signed has who approves what in it"),
                        "leave out --sign, --by-role, --revoke, --to and --bundle");
    if (paper != NULL)
        return record_signed(cli, paper);
    if (key == NULL && !by_role && !revoke)
        return err_hint(err_new(ERR_USAGE, "a name alone does not count: who approves?"),
                        "give --sign KEY, or --by-role for the role of this session");
    if (!cli_given(cli, OPT_YES) && !cli_given(cli, OPT_PLAN) && !term_can_ask())
        return err_hint(err_new(ERR_USAGE, "nobody can be asked here whether the plan is right"),
                        "give --plan with the digest that was reviewed, or --yes");
    if (to != NULL && (by_role || revoke))
        return err_new(ERR_USAGE, "--to writes a signature: it does not go with --by-role and --revoke");
    if (to != NULL)
        return sign_bundle(cli, to);
    TRY(session_options(cli, &options));
    CLEANUP(json_freep) json_t *rehearsal = NULL;
    TRY(find_plan(cli, &options, &plan, &rehearsal));
    TRY(ask(cli, &plan, rehearsal));
    ApproveWish wish = {.plan = &plan,
                        .revoke = revoke,
                        .key = by_role ? NULL : key,
                        .ttl_ms = ttl_ms(cli),
                        .account = account(cli->arena)};
    TRY(run_approve(&options, cli->arena, &wish, &who));
    session_done(cli, revoke ? "approval-revoked" : "approval", plan.change,
                 arena_printf(cli->arena,
                              revoke ? "%s takes back all approvals of plan %s" : "%s approves plan %s", who,
                              plan.plan_digest));
    return NULL;
}
