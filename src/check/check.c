/* Statements through the table of rules. */
#include "check/check.h"

#include "base/digest.h"
#include "base/str.h"
#include "check/fix.h"
#include "check/silence.h"
#include "check/weigh.h"

#include <stdlib.h>
#include <string.h>

typedef VEC(const Rule *) RuleList;

/* A file that was checked. */
typedef struct Checked {
    const Source *source;
    size_t order; /* Known.file */
    Silencers silencers;
} Checked;

typedef struct Run {
    Arena *arena, *scratch;
    const CheckOptions *options;
    CheckResult *result;
    Known known;
    Stream stream;
    CheckTarget target;
    Weigh weigh;
    Err *err; /* of the server, which ends the run */
    RuleList by_kind[ACT_KIND_COUNT];
    /* of the file */
    const Source *source;
    ActStatements statements;
    ActComments comments;
    VEC(size_t) lines; /* where each begins */
    bool counted_new;
    VEC(Checked) checked;
} Run;

/* ---- rules of the server -------------------------------------------------------------------- */

static Severity severity_for(const Run *run, const Rule *rule)
{
    return run->weigh.severities == NULL ? rule->severity : severity_among(run->weigh.severities, rule);
}

/* Rules without a list of kinds look at every act. */
static void sort_rules(Run *run)
{
    for (size_t kind = 0; kind < ACT_KIND_COUNT; kind++)
        run->by_kind[kind].len = 0;
    for (size_t i = 0; i < rule_count(); i++) {
        const Rule *rule = rule_at(i);
        if (!rule_applies(rule, &run->target) || severity_for(run, rule) == SEVERITY_OFF)
            continue;
        if (rule->kinds[0] == ACT_OTHER)
            for (size_t kind = 0; kind < ACT_KIND_COUNT; kind++)
                *vec_push(run->arena, &run->by_kind[kind]) = rule;
        for (size_t j = 0; j < RULE_KINDS_MAX && rule->kinds[j] != ACT_OTHER; j++)
            *vec_push(run->arena, &run->by_kind[rule->kinds[j]]) = rule;
    }
}

/* ---- places --------------------------------------------------------------------------------- */

static void use_source(Run *run, const Source *source)
{
    const CheckOptions *options = run->options;
    const Severity *severities = options->severities_for == NULL
                                     ? options->severities
                                     : options->severities_for(options->severities_context, source->path);
    if (severities != run->weigh.severities) {
        run->weigh.severities = severities;
        sort_rules(run);
    }
    run->source = source;
    run->stream.text = source->text;
    run->lines.len = 0;
    *vec_push(run->arena, &run->lines) = 0;
    for (const char *at = run->source->text; (at = strchr(at, '\n')) != NULL;) {
        at++;
        *vec_push(run->arena, &run->lines) = (size_t)(at - run->source->text);
    }
}

static void place(const Run *run, size_t offset, int *ret_line, int *ret_column)
{
    size_t low = 0, high = run->lines.len;
    if (offset > run->source->len)
        offset = run->source->len;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (run->lines.items[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    int column = 1;
    for (size_t at = run->lines.items[low]; at < offset; at++)
        column += ((unsigned char)run->source->text[at] & 0xC0) != 0x80;
    *ret_line = (int)low + 1;
    *ret_column = column;
}

/* Of rule, file and words, so that it stays the same wherever the statement moves. */
static const char *print_of(Run *run, const Rule *rule, size_t start, size_t end)
{
    CLEANUP(str_donep) Str text = STR_INIT;
    str_addf(&text, "%s\n%s\n", rule->id, run->source->path);
    bool space = false;
    for (size_t i = start; i < end && i < run->source->len; i++) {
        char c = run->source->text[i];
        bool blank = c == ' ' || (c >= '\t' && c <= '\r');
        if (!blank && space)
            str_addn(&text, " ", 1);
        space = blank;
        if (!blank)
            str_addn(&text, &c, 1);
    }
    return digest_text(run->arena, text.buf, text.len);
}

/* ---- findings ------------------------------------------------------------------------------- */

static void report(Run *run, const Rule *rule, Finding finding)
{
    finding.rule = rule;
    finding.file = run->source->path;
    finding.order = run->known.file;
    finding.object = finding.object == NULL ? "" : finding.object;
    place(run, finding.start, &finding.line, &finding.column);
    place(run, finding.end, &finding.end_line, &finding.end_column);
    if (finding.severity != SEVERITY_OFF)
        *vec_push(run->arena, &run->result->findings) = finding;
}

/* What check says by itself, not by an act. */
static void report_own(Run *run, const char *id, size_t start, size_t end, const char *more)
{
    const Rule *rule = rule_own(id);
    report(run, rule,
           (Finding){.severity = severity_for(run, rule),
                     .evidence = EVIDENCE_RULE,
                     .start = start,
                     .end = end,
                     .print = print_of(run, rule, start, end),
                     .message = more == NULL ? rule->message
                                             : arena_printf(run->arena, "%s: %s", rule->message, more)});
}

static const char *object_of(Run *run, const Act *act)
{
    if (act->table.name == NULL)
        return "";
    return rule_fill(run->arena, &run->stream, act, "{table}");
}

static const char *message_of(Run *run, const RuleCall *call, const Act *about)
{
    const char *message = rule_fill(run->arena, &run->stream, about, call->rule->message);
    if (call->detail != NULL)
        message = arena_printf(run->arena, "%s; %s", message, call->detail);
    if (about->function != NULL && about->function[0] != '\0')
        message = arena_printf(run->arena, "in function %s: %s", about->function, message);
    return message;
}

static void report_call(Run *run, const RuleCall *call)
{
    const Act *about = call->about != NULL ? call->about : call->act;
    const ActStatement *statement = stream_statement(&run->stream);
    const char *safer = call->safer != NULL ? call->safer : call->rule->safer;
    bool called = about->function != NULL && about->function[0] != '\0';
    Severity severity = called && call->severity > SEVERITY_WARN ? SEVERITY_WARN : call->severity;
    Fix fix = {0};
    if (run->options->fixes && call->rule->fix != NULL && about == call->act && !called)
        fix_make(run->arena, call, &fix);
    report(run, call->rule,
           (Finding){.severity = severity,
                     .evidence = call->evidence,
                     .start = about->start,
                     .end = about->end,
                     .statement_start = statement->start,
                     .statement_end = statement->end,
                     .whole = statement->acts.len == 1 && about->function == NULL,
                     .edits = fix.edits.items,
                     .edit_count = fix.edits.len,
                     .fixed = fix.what,
                     .object = object_of(run, about),
                     .table = about->table,
                     .message = message_of(run, call, about),
                     .safer = safer == NULL || safer[0] == '\0'
                                  ? NULL
                                  : rule_fill(run->arena, &run->stream, about, safer),
                     .print = print_of(run, call->rule, statement->start, statement->end)});
}

/* ---- statements ----------------------------------------------------------------------------- */

static bool is_on_new(const Run *run, const Act *act)
{
    return (act->flags & ACT_TEMPORARY) != 0 || known_is_made(&run->known, act->table);
}

static void judge(Run *run, const Act *act, size_t index)
{
    const RuleList *rules = &run->by_kind[act->kind];
    bool on_new = is_on_new(run, act);
    for (size_t i = 0; i < rules->len; i++) {
        const Rule *rule = rules->items[i];
        bool maybe = on_new && !rule->on_new && known_is_maybe(&run->known, act->table);
        if (on_new && !rule->on_new && !maybe) {
            run->counted_new = true;
            continue;
        }
        RuleCall call = {.rule = rule,
                         .stream = &run->stream,
                         .act = act,
                         .index = index,
                         .severity = severity_for(run, rule),
                         .evidence = EVIDENCE_RULE};
        Severity own = call.severity;
        if (rule->match != NULL && !rule->match(&call))
            continue;
        if (own != rule->severity)
            call.severity = own; /* whoever sets it means all of its findings */
        if (maybe) {
            call.severity = SEVERITY_NOTE;
            call.evidence = EVIDENCE_UNKNOWN;
            call.detail = "that is, where IF NOT EXISTS has found the table there";
        }
        report_call(run, &call);
    }
}

enum { CALLS_MAX = 4 };

/* What a function of this run does when it is called here; each function counts once for a call of the file,
 * `outer`, however often functions call each other. */
static void run_body(Run *run, const Act *outer, const Act *call, size_t index, int depth)
{
    KnownThing *thing = known_find(&run->known, KNOWN_FUNCTION, call->table);
    if (thing == NULL || thing->followed == outer)
        return;
    thing->followed = outer;
    for (size_t i = 0; thing->body != NULL && i < thing->body->len; i++) {
        const Act *inner = &thing->body->items[i];
        if (inner->function == NULL || !str_eq(inner->function, call->table.name))
            continue;
        Act *act = arena_alloc(run->arena, sizeof *act);
        *act = *inner;
        act->function = "";
        act->start = call->start;
        act->end = call->end;
        if (!run->known.applied)
            judge(run, act, index + 1);
        stream_take(&run->stream, act);
        if ((act->flags & ACT_READS_FUNCTION) != 0 && depth < CALLS_MAX)
            run_body(run, outer, act, index, depth + 1);
    }
}

/* The statement's findings against what the server says. */
static void weigh(Run *run, size_t first)
{
    const CheckResult *result = run->result;
    if (run->options->server == NULL || run->known.applied)
        return;
    run->err = weigh_statement(&run->weigh, result->findings.items, first, result->findings.len);
    for (size_t i = 0; run->err == NULL && i < run->weigh.said.len; i++) {
        Finding finding = run->weigh.said.items[i];
        finding.print = print_of(run, finding.rule, finding.start, finding.end);
        report(run, finding.rule, finding);
    }
}

static void run_statement(Run *run)
{
    const ActStatement *statement = stream_statement(&run->stream);
    size_t first = run->result->findings.len;
    run->counted_new = false;
    for (size_t i = 0; i < statement->acts.len; i++) {
        const Act *act = &statement->acts.items[i];
        if (!run->known.applied)
            judge(run, act, i);
        stream_take(&run->stream, act);
        KnownThing *made = act->kind == ACT_CREATE_FUNCTION && act->function == NULL
                               ? known_find(&run->known, KNOWN_FUNCTION, act->table)
                               : NULL;
        if (made != NULL)
            made->body = &statement->acts;
        if ((act->flags & ACT_READS_FUNCTION) != 0 && (act->function == NULL || act->function[0] == '\0'))
            run_body(run, act, act, i, 0);
    }
    if (!statement->data)
        weigh(run, first);
    stream_statement_end(&run->stream);
    if (run->known.applied || statement->data)
        return;
    run->result->statements +=
        statement->acts.items[0].kind != ACT_OTHER || !str_eq(statement->acts.items[0].words, "\\");
    run->result->unknown += statement->unknown;
    run->result->on_new += run->counted_new;
}

/* ---- parts and files ------------------------------------------------------------------------ */

/* Flyway runs a file without a transaction where none of its statements can have one. */
static TxModel model_of(const Run *run, const Part *part, const ActStatements *statements)
{
    if (run->source->tool != TOOL_FLYWAY || part->model != TX_WRAPPED)
        return part->model;
    size_t plain = 0, definitions = 0;
    for (size_t i = 0; i < statements->len; i++)
        for (size_t j = 0; j < statements->items[i].acts.len; j++) {
            const Act *act = &statements->items[i].acts.items[j];
            definitions += act_is_definition(act);
            plain += (act->flags & ACT_CONCURRENTLY) != 0 || act->kind == ACT_VACUUM;
        }
    return plain > 0 && plain == definitions ? TX_EACH : part->model;
}

/* Frameworks print a comment where they run code of their own. */
static void tell_opaque(Run *run, size_t first_comment)
{
    static const char words[] = "CANNOT BE WRITTEN AS SQL";
    for (size_t i = first_comment; i < run->comments.len; i++) {
        const ActComment *comment = &run->comments.items[i];
        if (memmem(run->source->text + comment->start, comment->end - comment->start, words,
                   sizeof words - 1) == NULL)
            continue;
        size_t before = run->result->findings.len;
        report_own(run, "opaque-operation", comment->start, comment->end, NULL);
        if (run->result->findings.len > before)
            run->result->findings.items[before].evidence = EVIDENCE_UNKNOWN;
        run->result->unknown++;
    }
}

static void run_part(Run *run, const Part *part)
{
    const Source *source = run->source;
    ActStatements statements = {0};
    size_t first_comment = run->comments.len, start;
    bool my = run->target.engine != CHECK_POSTGRES;
    const char *text = folder_masked(run->arena, source, part, my, &start);
    if (!my) {
        acts_pg(run->arena, run->scratch, text, start, part->end, &statements, &run->comments);
    } else {
        MyDialect dialect = {.mariadb = run->target.engine == CHECK_MARIADB, .version = run->target.version};
        acts_my(run->arena, run->scratch, &dialect, text, start, part->end, &statements, &run->comments);
    }
    if (source->tool == TOOL_DJANGO && !run->known.applied)
        tell_opaque(run, first_comment);
    run->stream.statements = &statements;
    run->stream.dump = source->tool == TOOL_RAILS;
    stream_begin(&run->stream, model_of(run, part, &statements));
    for (size_t i = 0; i < statements.len && run->err == NULL; i++) {
        run->stream.at = i;
        run_statement(run);
        *vec_push(run->arena, &run->statements) = statements.items[i];
    }
    if (run->stream.begun && !run->known.applied)
        report_own(run, "transaction-unclosed", run->stream.begun_at, run->stream.begun_at + 5, NULL);
}

/* NULL: the file was only read. */
static Checked *checked_of(const Run *run, size_t order)
{
    for (size_t i = 0; i < run->checked.len; i++)
        if (run->checked.items[i].order == order)
            return &run->checked.items[i];
    return NULL;
}

/* Takes out what comments and the baseline know, and tells comments that silence nothing. */
static void silence(Run *run)
{
    CheckResult *result = run->result;
    size_t kept = 0;
    Checked *checked = NULL;
    for (size_t i = 0; i < result->findings.len; i++) {
        Finding finding = result->findings.items[i];
        if (finding.severity == SEVERITY_OFF)
            continue;
        if (checked == NULL || checked->order != finding.order)
            checked = checked_of(run, finding.order);
        if (checked != NULL && silence_takes(&checked->silencers, &finding))
            result->silenced++;
        else
            result->findings.items[kept++] = finding;
    }
    result->findings.len = kept;
    for (size_t i = 0; i < run->checked.len; i++) {
        const Checked *file = &run->checked.items[i];
        if (file->silencers.len > 0)
            use_source(run, file->source);
        run->known.file = file->order;
        for (size_t j = 0; j < file->silencers.len; j++) {
            const Silencer *silencer = &file->silencers.items[j];
            const char *id = silencer->malformed ? "silence-malformed"
                             : silencer->expired ? "silence-expired"
                             : !silencer->used   ? "silence-unused"
                             : !silencer->reason ? "silence-without-reason"
                                                 : NULL;
            if (id != NULL)
                report_own(run, id, silencer->start, silencer->end, silencer->problem);
        }
    }
}

static void take_baseline(Run *run)
{
    size_t kept = 0;
    CheckResult *result = run->result;
    if (run->options->baseline == NULL)
        return;
    for (size_t i = 0; i < result->findings.len; i++) {
        Finding finding = result->findings.items[i];
        if (baseline_takes(run->options->baseline, &finding))
            result->known++;
        else
            result->findings.items[kept++] = finding;
    }
    result->findings.len = kept;
}

static void run_source(Run *run, const Source *source)
{
    run->statements = (ActStatements){0};
    run->comments = (ActComments){0};
    run->known.applied = source->applied;
    run->known.file++;
    use_source(run, source);
    if (source->problem != NULL && (!source->applied || source->problem_rule != NULL))
        report_own(run, source->problem_rule == NULL ? "migration-malformed" : source->problem_rule, 0, 0,
                   source->problem);
    for (size_t i = 0; i < source->parts.len; i++) {
        run->known.applied = source->applied || source->parts.items[i].applied;
        if (source->parts.items[i].down == run->options->down)
            run_part(run, &source->parts.items[i]);
        else
            run->result->other_way++;
    }
    run->known.applied = source->applied;
    run->result->applied += source->applied;
    run->result->files += !source->applied;
    if (source->applied)
        return;
    Checked *checked = vec_push(run->arena, &run->checked);
    *checked = (Checked){.source = source, .order = run->known.file};
    silence_read(run->arena, source->text, &run->comments, &run->statements, run->options->today,
                 &checked->silencers);
}

/* ---- sets ----------------------------------------------------------------------------------- */

static Err *set_target(Run *run, const SourceSet *set)
{
    const CheckOptions *options = run->options;
    const ServerFacts *facts = options->server == NULL ? NULL : options->server->facts;
    run->target =
        (CheckTarget){.engine = options->engine, .given = options->version != NULL || facts != NULL};
    size_t my = 0, pg = 0;
    for (size_t i = 0; i < set->files.len && !options->engine_given; i++) {
        bool is_my = engine_of_text(set->files.items[i].text, set->files.items[i].len) != CHECK_POSTGRES;
        my += is_my;
        pg += !is_my;
    }
    if (!options->engine_given)
        run->target.engine = my > pg ? CHECK_MYSQL : CHECK_POSTGRES;
    run->target.version = check_target_oldest(run->target.engine);
    if (facts != NULL)
        run->target.version = facts->version;
    if (options->version != NULL)
        TRY(check_target_version(run->target.engine, options->version, &run->target.version));
    run->result->target = run->target;
    sort_rules(run);
    return NULL;
}

/* At a place of a file that was read before, of a rule that needs all of them. */
static void report_late(Run *run, const Rule *rule, const Checked *checked, Act act)
{
    if (run->source != checked->source)
        use_source(run, checked->source);
    run->known.file = checked->order;
    report(run, rule,
           (Finding){.severity = severity_for(run, rule),
                     .evidence = EVIDENCE_RULE,
                     .start = act.start,
                     .end = act.end,
                     .object = object_of(run, &act),
                     .message = rule_fill(run->arena, &run->stream, &act, rule->message),
                     .safer =
                         rule->safer == NULL ? NULL : rule_fill(run->arena, &run->stream, &act, rule->safer),
                     .print = print_of(run, rule, act.start, act.end)});
}

/* Tables without a key, and what was added NOT VALID and is not validated by anything that was read. */
static void tell_late(Run *run)
{
    const Rule *no_key = rule_own("table-without-key"), *not_valid = rule_own("not-valid-forgotten");
    for (size_t i = 0; i < run->known.slot_count; i++) {
        const KnownTable *table = run->known.slots[i].kind == KNOWN_TABLE ? run->known.slots[i].table : NULL;
        if (table == NULL || table->gone)
            continue;
        const Checked *checked = checked_of(run, table->file);
        if (table->wants_key && !table->keyed && checked != NULL)
            report_late(run, no_key, checked,
                        (Act){.table = table->name, .start = table->start, .end = table->end});
        for (size_t j = 0; j < table->constraints.len; j++) {
            const KnownConstraint *constraint = &table->constraints.items[j];
            checked = checked_of(run, constraint->file);
            if (!constraint->valid && constraint->name != NULL && checked != NULL)
                report_late(run, not_valid, checked,
                            (Act){.table = table->name,
                                  .name = constraint->name,
                                  .start = constraint->start,
                                  .end = constraint->end});
        }
    }
}

static void finish(Run *run)
{
    CheckResult *result = run->result;
    tell_late(run);
    silence(run);
    if (result->findings.len > 1)
        qsort(result->findings.items, result->findings.len, sizeof result->findings.items[0],
              finding_compare);
    take_baseline(run);
}

/* Tables of the server are as good as files that have made them. */
static void take_facts(Run *run)
{
    const ServerFacts *facts = run->options->server == NULL ? NULL : run->options->server->facts;
    if (facts == NULL || run->known.whole)
        return;
    CLEANUP(str_donep) Str text = STR_INIT;
    for (size_t i = 0; i < facts->table_count; i++)
        for (size_t j = 0; j < facts->tables[i].ddl_count; j++)
            str_addf(&text, "%s;\n", facts->tables[i].ddl[j]);
    Source source = {
        .path = "the server", .text = arena_dup(run->arena, text.buf), .len = text.len, .applied = true};
    *vec_push(run->arena, &source.parts) = (Part){.end = text.len, .down = run->options->down};
    run_source(run, &source);
    run->result->applied--;
    run->known.whole = true;
}

static Err *run_set(Run *run, const SourceSet *set)
{
    TRY(set_target(run, set));
    take_facts(run);
    size_t tools[TOOL_COUNT] = {0};
    for (size_t i = 0; i < set->files.len; i++) {
        const Source *source = &set->files.items[i];
        if (source->skipped)
            continue;
        if (++tools[source->tool] > tools[run->result->tool] || run->result->tool == TOOL_NONE)
            run->result->tool = source->tool;
        run_source(run, source);
    }
    return run->err;
}

Err *check_run(Arena *arena, SourceSet *const *sets, size_t count, const CheckOptions *options,
               CheckResult *ret_result)
{
    Run run = {.arena = arena,
               .scratch = arena_new(),
               .options = options,
               .result = ret_result,
               .known = {.arena = arena}};
    run.stream = (Stream){.arena = arena, .target = &run.target, .known = &run.known};
    run.weigh = (Weigh){
        .arena = arena, .server = options->server, .stream = &run.stream, .severities = options->severities};
    *ret_result = (CheckResult){0};
    Err *err = check_read(arena, sets, count, options);
    for (size_t i = 0; i < count && err == NULL; i++)
        err = run_set(&run, sets[i]);
    if (err == NULL)
        finish(&run);
    ret_result->measured = run.weigh.tried;
    ret_result->contradicted = run.weigh.dropped;
    arena_free(run.scratch);
    return err;
}
