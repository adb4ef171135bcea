/* Approvals in the event log: how they come in, and which of them count. */
#include "run/approve.h"

#include "base/clock.h"
#include "base/ssh_sign.h"
#include "run/approval.h"

#include <string.h>
#include <time.h>

enum { STEP_WORDS = 400 };                             /* of each step, to tell plans apart by */
enum { COL_ID, COL_AT, COL_DETAIL, COL_BY, COL_KIND }; /* of JOURNAL_APPROVALS */

/* ---- what there is to say ------------------------------------------------------------------- */

static json_t *steps_json(Arena *arena, const Plan *plan)
{
    json_t *list = json_array();
    for (size_t i = 0; i < plan->step_count; i++) {
        const Step *step = &plan->steps[i];
        CLEANUP(str_donep) Str text = STR_INIT;
        str_addf(&text, "%s %s", phase_name(step->phase), step->title == NULL ? "" : step->title);
        for (size_t j = 0; j < step->sql_count; j++)
            str_addf(&text, "; %s", step->sql[j]);
        size_t len = text.len < STEP_WORDS ? text.len : STEP_WORDS;
        while (len > 0 && len < text.len && ((unsigned char)text.buf[len] & 0xC0) == 0x80)
            len--; /* not in the middle of a character */
        (void)json_array_append_new(list, json_string(arena_dupn(arena, text.buf, len)));
    }
    return list;
}

/* *ret_now: the server's time; *ret_role: as it stands in "by". */
static Err *ask_now(Runner *runner, const char **ret_now, const char **ret_role)
{
    Wait wait = journal_wait();
    Rows rows = {0};
    TRY(conn_query(runner->conn, &wait, runner->arena, &rows, runner->ops->journal_sql(JOURNAL_NOW)));
    *ret_now = arena_printf(runner->arena, "%sZ", rows_cell(&rows, 0, 0));
    *ret_role = rows_cell(&rows, 0, 1);
    return NULL;
}

/* Whether a moment as the log has it, "2026-11-30T13:05:00.123+00:00" or without the zone, is behind `at`. */
static bool is_later(const char *moment, const char *at)
{
    return moment != NULL && strncmp(moment, at, strlen("2026-11-30T13:05:00")) > 0;
}

static const char *later(Arena *arena, const char *now, int64_t ttl_ms)
{
    struct tm tm = {0};
    char text[40];
    if (strptime(now, "%Y-%m-%dT%H:%M:%SZ", &tm) == NULL)
        return now;
    time_t then = timegm(&tm) + (time_t)(ttl_ms / 1000);
    (void)gmtime_r(&then, &tm);
    (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return arena_dup(arena, text);
}

static Approval approval_of(const Runner *runner, const Plan *plan, const char *action)
{
    return (Approval){.action = action,
                      .change = plan->change,
                      .change_digest = plan->change_digest,
                      .plan_digest = plan->plan_digest,
                      .database = runner->server.database,
                      .system = runner->server.system_id,
                      .environment = runner->options->environment};
}

/* ---- approve -------------------------------------------------------------------------------- */

/* *ret_who: NULL where there are no allowed signers to tell. */
static Err *sign(Arena *arena, const RunOptions *options, const char *key, const char *text,
                 const char **ret_signature, const char **ret_who)
{
    const char *why = NULL;
    *ret_who = NULL;
    TRY(ssh_sign(arena, options->stop, key, text, ret_signature));
    if (options->signers == NULL)
        return NULL;
    TRY(ssh_verify(arena, options->stop, options->signers, text, *ret_signature, ret_who, &why));
    return *ret_who != NULL ? NULL
                            : err_new(ERR_UNSAFE, "the signature by \"%s\" would not count: %s", key, why);
}

/* What is about to be recorded. */
typedef struct Signed {
    const char *text, *signature, *who; /* signature: NULL by role; who: NULL where nobody can tell */
    bool known;                         /* it stands in the log already */
} Signed;

static Err *sign_here(Runner *runner, const ApproveWish *wish, const char *now, Signed *ret_signed)
{
    Approval approval = approval_of(runner, wish->plan, wish->revoke ? "revoke" : "approve");
    approval.at = now;
    approval.expires = later(runner->arena, now, wish->ttl_ms);
    TRY(approval_text(runner->arena, &approval, &ret_signed->text));
    return wish->key == NULL ? NULL
                             : sign(runner->arena, runner->options, wish->key, ret_signed->text,
                                    &ret_signed->signature, &ret_signed->who);
}

/* One that was signed elsewhere is recorded once: else it would come back after it was taken back. */
static Err *look_for(Runner *runner, Signed *ret_signed, const char *plan_digest, const char *at)
{
    Wait wait = journal_wait();
    Rows rows = {0};
    bool revoked = false;
    TRY(conn_query(runner->conn, &wait, runner->arena, &rows, runner->ops->journal_sql(JOURNAL_APPROVALS)));
    for (size_t i = 0; i < rows.row_count; i++) {
        const char *text = rows_cell(&rows, i, COL_DETAIL);
        json_t *detail = text == NULL ? NULL : json_loads(text, 0, NULL);
        bool its_plan = str_eq(json_string_value(json_object_get(detail, "plan_digest")), plan_digest);
        if (str_eq(json_string_value(json_object_get(detail, "signature")), ret_signed->signature))
            ret_signed->known = true;
        else if (its_plan && str_eq(rows_cell(&rows, i, COL_KIND), "approval-revoked"))
            revoked = revoked || is_later(rows_cell(&rows, i, COL_AT), at) || ret_signed->known;
        json_decref(detail);
    }
    return !revoked ? NULL
                    : err_hint(err_new(ERR_UNSAFE, "this approval was taken back"),
                               "whoever stands by it signs anew: stoa approve --sign KEY --to FILE");
}

static Err *take_signed(Runner *runner, const ApproveWish *wish, const char *now, Signed *ret_signed)
{
    const RunOptions *options = runner->options;
    Approval approval, wanted = approval_of(runner, wish->plan, "approve");
    const char *why = NULL;
    *ret_signed = (Signed){.text = wish->signed_text, .signature = wish->signature};
    if (options->signers == NULL)
        return err_hint(err_new(ERR_USAGE, "who signed this is told by the allowed signers"),
                        "give --allowed-signers FILE");
    if (!approval_read(runner->arena, wish->signed_text, &approval))
        return err_new(ERR_USAGE, "what was signed is no approval");
    why = approval_flaw(runner->arena, &approval, &wanted, now);
    if (why == NULL)
        TRY(ssh_verify(runner->arena, options->stop, options->signers, wish->signed_text, wish->signature,
                       &ret_signed->who, &why));
    if (ret_signed->who == NULL)
        return err_new(ERR_UNSAFE, "this approval does not count: %s", why);
    return look_for(runner, ret_signed, wish->plan->plan_digest, approval.at);
}

static Err *record(Runner *runner, const ApproveWish *wish, const Signed *made, const char *who)
{
    const Plan *plan = wish->plan;
    json_t *detail =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s?, s:s?, s:s?, s:o}", "change", plan->change, "change_digest",
                  plan->change_digest, "plan_digest", plan->plan_digest, "method",
                  made->signature != NULL ? "ssh" : "role", "text", made->text, "signature", made->signature,
                  "who", made->who, "account", wish->account, "steps", steps_json(runner->arena, plan));
    if (detail == NULL)
        return err_new(ERR_USAGE, "the approval is not UTF-8");
    Err *err = journal_event(runner->conn, 0, wish->revoke ? "approval-revoked" : "approval", 0, detail,
                             arena_printf(runner->arena, "%s: %s %s, plan %s", who,
                                          wish->revoke ? "takes back all approvals of" : "approves",
                                          plan->change, plan->plan_digest));
    json_decref(detail);
    runner->told = err == NULL;
    if (!err_is(err, ERR_CONN_LOST))
        return err;
    /* the answer is what was lost, and perhaps no more than that */
    return err_hint(err_wrap(err, wish->revoke
                                      ? "it may have been noted, or not, that approvals are taken back"
                                      : "the approval may have been noted, or not"),
                    "once the server is there: stoa approve again, since twice counts once; or look: stoa "
                    "history");
}

static Err *note_approval(Runner *runner, const ApproveWish *wish, const char **ret_who)
{
    const char *now = NULL, *role = NULL;
    Signed made = {0};
    TRY(ask_now(runner, &now, &role));
    TRY(wish->signed_text != NULL ? take_signed(runner, wish, now, &made)
                                  : sign_here(runner, wish, now, &made));
    *ret_who = made.who != NULL ? made.who : wish->key != NULL ? wish->key : role;
    return made.known ? NULL : record(runner, wish, &made, *ret_who);
}

static Err *approve(Runner *runner, const RunOptions *options, const ApproveWish *wish, const char **ret_who)
{
    TRY(runner_connect(runner));
    int version = runner->server.journal_version;
    /* whoever approves need not be able to carry anything out: a grant for the events is enough */
    if (version == 0)
        TRY(journal_ensure(runner->conn, options->ops, &runner->server));
    else if (version != options->ops->journal_version)
        TRY(journal_check_version(options->ops, &runner->server));
    TRY(journal_upgrade(runner->conn, options->ops, &runner->server));
    return note_approval(runner, wish, ret_who);
}

Err *run_approve(const RunOptions *options, Arena *arena, const ApproveWish *wish, const char **ret_who)
{
    Runner runner;
    TRY(runner_begin(&runner, options, arena));
    Err *err = approve(&runner, options, wish, ret_who);
    runner_close(&runner);
    return err;
}

Err *run_sign(const RunOptions *options, Arena *arena, const ApproveWish *wish, const char **ret_text,
              const char **ret_signature)
{
    const Plan *plan = wish->plan;
    const char *who = NULL;
    char now[CLOCK_TEXT_BYTES];
    clock_wall_text(now);
    Approval approval = {.action = "approve",
                         .change = plan->change,
                         .change_digest = plan->change_digest,
                         .plan_digest = plan->plan_digest,
                         .database = plan->database,
                         .system = plan->system_id,
                         .environment = options->environment,
                         .at = now,
                         .expires = later(arena, now, wish->ttl_ms)};
    TRY(approval_text(arena, &approval, ret_text));
    return sign(arena, options, wish->key, *ret_text, ret_signature, &who);
}

/* ---- whether there are enough --------------------------------------------------------------- */

typedef struct Count {
    Runner *runner;
    const Plan *plan;
    Approval wanted;
    const char *now, *role; /* of whoever applies */
    const char *applier;    /* who signed for that; NULL */
    const Rows *rows;
    VEC(const char *) people; /* who counts, each once */
    VEC(const char *) roles;  /* that have recorded a signature which counts */
    Str flaws;
    const char *difference;
} Count;

static bool has(const char *const *items, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(items[i], text))
            return true;
    return false;
}

static void flaw(Count *count, const char *who, const char *why)
{
    str_sep(&count->flaws, "; ");
    str_addf(&count->flaws, "%s: %s", who, why);
}

/* By what was noted behind it, or says that it is of a later time: who signed need not have recorded it. */
static bool is_revoked(const Count *count, size_t row, const char *at)
{
    for (size_t i = 0; i < count->rows->row_count; i++) {
        if (i <= row && !is_later(rows_cell(count->rows, i, COL_AT), at))
            continue;
        const char *text = rows_cell(count->rows, i, COL_DETAIL);
        json_t *detail = text == NULL ? NULL : json_loads(text, 0, NULL);
        bool same =
            str_eq(rows_cell(count->rows, i, COL_KIND), "approval-revoked") &&
            str_eq(json_string_value(json_object_get(detail, "plan_digest")), count->plan->plan_digest);
        json_decref(detail);
        if (same)
            return true;
    }
    return false;
}

/* Whose approval it is, by signature or role; NULL with the reason noted. */
static Err *person(Count *count, const json_t *detail, const char *by, const char *text, const char **ret_who)
{
    Runner *runner = count->runner;
    const RunOptions *options = runner->options;
    const char *signature = json_string_value(json_object_get(detail, "signature")), *why = NULL;
    *ret_who = NULL;
    if (signature == NULL) {
        *ret_who = by;
        return NULL;
    }
    const char *claimed = json_string_value(json_object_get(detail, "who"));
    if (options->signers == NULL) {
        flaw(count, claimed == NULL ? by : claimed, "signatures count with --allowed-signers only");
        return NULL;
    }
    TRY(ssh_verify(runner->arena, options->stop, options->signers, text, signature, ret_who, &why));
    if (*ret_who == NULL)
        flaw(count, claimed == NULL ? by : claimed, why);
    return NULL;
}

static Err *take(Count *count, size_t row, const json_t *detail, bool with_signature)
{
    Arena *arena = count->runner->arena;
    Approval approval;
    const char *by = rows_cell(count->rows, row, COL_BY), *who = NULL;
    const char *text = json_string_value(json_object_get(detail, "text"));
    bool has_signature = json_is_string(json_object_get(detail, "signature"));
    if (has_signature != with_signature || !approval_read(arena, text, &approval) ||
        !str_eq(approval.change, count->plan->change))
        return NULL;
    const char *why = approval_flaw(arena, &approval, &count->wanted, count->now);
    if (why == NULL && is_revoked(count, row, approval.at))
        why = "it was taken back";
    if (why != NULL) {
        const char *claimed = json_string_value(json_object_get(detail, "who"));
        flaw(count, arena_dup(arena, claimed == NULL ? by : claimed), why);
        if (str_eq(approval.change_digest, count->plan->change_digest) && count->difference == NULL) {
            json_t *present = steps_json(arena, count->plan);
            count->difference = approval_difference(arena, json_object_get(detail, "steps"), present);
            json_decref(present);
        }
        return NULL;
    }
    TRY(person(count, detail, by, text, &who));
    if (who == NULL)
        return NULL;
    who = arena_dup(arena, who);
    if (has(count->people.items, count->people.len, who))
        flaw(count, who, "has approved already");
    else if (!with_signature && str_eq(who, count->role))
        flaw(count, who, "is the role that applies");
    else if (with_signature && str_eq(who, count->applier))
        flaw(count, who, "is who applies");
    else if (!with_signature && has(count->roles.items, count->roles.len, who))
        flaw(count, who, "has recorded a signature that counts, as a role it is nobody else");
    else
        *vec_push(arena, &count->people) = who;
    if (with_signature)
        *vec_push(arena, &count->roles) = by;
    return NULL;
}

static Err *take_all(Count *count, bool with_signature)
{
    for (size_t i = 0; i < count->rows->row_count; i++) {
        const char *text = rows_cell(count->rows, i, COL_DETAIL);
        json_t *detail = text == NULL ? NULL : json_loads(text, 0, NULL);
        Err *err = NULL;
        if (detail != NULL && str_eq(rows_cell(count->rows, i, COL_KIND), "approval"))
            err = take(count, i, detail, with_signature);
        json_decref(detail);
        TRY(err);
    }
    return NULL;
}

/* Whoever applies says who he is, so that he cannot approve it himself. */
static Err *name_applier(Count *count)
{
    const RunOptions *options = count->runner->options;
    const char *text = NULL, *signature = NULL;
    if (options->sign_key == NULL)
        return NULL;
    if (options->signers == NULL)
        return err_hint(err_new(ERR_USAGE, "who signs is told by the allowed signers"),
                        "give --allowed-signers FILE");
    Approval applies = approval_of(count->runner, count->plan, "apply");
    applies.at = applies.expires = count->now;
    TRY(approval_text(count->runner->arena, &applies, &text));
    return sign(count->runner->arena, options, options->sign_key, text, &signature, &count->applier);
}

static Err *too_few(const Count *count)
{
    const RunOptions *options = count->runner->options;
    CLEANUP(str_donep) Str have = STR_INIT;
    for (size_t i = 0; i < count->people.len; i++) {
        str_sep(&have, ", ");
        str_add(&have, count->people.items[i]);
    }
    Err *err = err_new(ERR_UNSAFE, "\"%s\" needs %lld approvals of its plan %s, and has %zu%s%s%s%s%s%s%s",
                       count->plan->change, (long long)options->approvals, count->plan->plan_digest,
                       count->people.len, have.len > 0 ? " (" : "", have.buf, have.len > 0 ? ")" : "",
                       count->flaws.len > 0 ? "; what does not count: " : "", count->flaws.buf,
                       count->difference != NULL ? "; the plan is another one now: " : "",
                       count->difference != NULL ? count->difference : "");
    return err_hint(err, "stoa plan --bundle review …; then, as somebody else: stoa approve --bundle "
                         "review.json --sign KEY, or --by-role");
}

static Err *count_all(Count *count, json_t **ret_detail)
{
    Runner *runner = count->runner;
    Wait wait = journal_wait();
    Rows rows = {0};
    TRY(ask_now(runner, &count->now, &count->role));
    TRY(name_applier(count));
    if (runner->server.journal_version == runner->ops->journal_version)
        TRY(conn_query(runner->conn, &wait, runner->arena, &rows,
                       runner->ops->journal_sql(JOURNAL_APPROVALS)));
    count->rows = &rows;
    TRY(take_all(count, true));
    TRY(take_all(count, false));
    if ((int64_t)count->people.len < runner->options->approvals)
        return too_few(count);
    json_t *people = json_array();
    for (size_t i = 0; i < count->people.len; i++)
        (void)json_array_append_new(people, json_string(count->people.items[i]));
    *ret_detail = json_pack("{s:s, s:o, s:s?}", "plan_digest", count->plan->plan_digest, "by", people,
                            "applier", count->applier != NULL ? count->applier : count->role);
    return NULL;
}

Err *approval_check(Runner *runner, const Plan *plan, json_t **ret_detail)
{
    *ret_detail = NULL;
    if (runner->options->approvals <= 0)
        return NULL;
    Count count = {
        .runner = runner, .plan = plan, .wanted = approval_of(runner, plan, "approve"), .flaws = STR_INIT};
    Err *err = count_all(&count, ret_detail);
    str_done(&count.flaws);
    return err;
}
