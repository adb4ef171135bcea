/* Findings against what the server says. */
#include "check/weigh.h"

#include "base/str.h"
#include "engine/lock.h"
#include "engine/sql.h"

#include <string.h>

/* What is over within this is no more than a hiccup; what takes longer than that makes requests time out. */
enum { SMALL_MS = 100, LARGE_MS = 1000, FEW_ROW_VERSIONS = 8 };

bool severity_is_given(const Severity *severities, const Rule *rule)
{
    return severities != NULL && severity_among(severities, rule) != rule->severity;
}

static Severity least(Severity a, Severity b) { return a < b ? a : b; }

static bool stops_writers(Cost cost)
{
    return cost == COST_SCAN || cost == COST_BUILD || cost == COST_REWRITE || cost == COST_COPY ||
           cost == COST_ROWS;
}

/* ---- sizes ---------------------------------------------------------------------------------- */

static void follow_size(const Weigh *weigh, Finding *finding)
{
    const TableFacts *table = finding->facts;
    if (table == NULL || table->view || finding->cost == COST_NONE)
        return;
    finding->estimate_ms = facts_estimate_ms(table, finding->cost);
    if (severity_is_given(weigh->severities, finding->rule))
        return;
    bool small = table->empty || (finding->cost != COST_CONTENT && finding->estimate_ms <= SMALL_MS);
    if (small)
        finding->severity = least(finding->severity, SEVERITY_NOTE);
    else if (finding->cost == COST_REBUILD ||
             (stops_writers(finding->cost) && finding->estimate_ms <= LARGE_MS))
        finding->severity = least(finding->severity, SEVERITY_WARN);
    else if (stops_writers(finding->cost) && finding->severity == SEVERITY_WARN &&
             finding->evidence != EVIDENCE_UNKNOWN)
        finding->severity = SEVERITY_BLOCK;
    if (finding->evidence == EVIDENCE_RULE)
        finding->evidence = EVIDENCE_CATALOG;
}

/* ---- what was measured ---------------------------------------------------------------------- */

static bool is_in(const Weigh *weigh, const char *const *names, size_t count, Name table)
{
    for (size_t i = 0; i < count; i++) {
        const char *schema = NULL, *name = NULL;
        sql_name_parts(weigh->arena, names[i], &schema, &name);
        if (str_eq(name, table.name) && (table.schema == NULL || str_eq(schema, table.schema)))
            return true;
    }
    return false;
}

static Name name_of(const Weigh *weigh, const char *relation)
{
    Name name = {0};
    sql_name_parts(weigh->arena, relation, &name.schema, &name.name);
    return name;
}

static bool is_own(const Weigh *weigh, const char *relation)
{
    return known_is_made(weigh->stream->known, name_of(weigh, relation));
}

/* One of them is in use: the run itself has not made it. */
static bool any_in_use(const Weigh *weigh, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!is_own(weigh, names[i]))
            return true;
    return false;
}

/* What the statement cost the table, or, where a part of it is not told by table, any of them. */
static Cost cost_by_probe(const Weigh *weigh, Name table)
{
    const Probe *probe = weigh->measured.probe;
    if (is_in(weigh, probe->rewritten, probe->rewritten_count, table))
        return COST_REWRITE;
    if (probe->built_count > 0)
        return COST_BUILD;
    if (any_in_use(weigh, probe->rewritten, probe->rewritten_count))
        return COST_REWRITE;
    return any_in_use(weigh, probe->scanned, probe->scanned_count) ? COST_SCAN : COST_NONE;
}

static Cost cost_by_ladder(const Ladder *ladder)
{
    if (ladder->rung == RUNG_SHARED || ladder->rung == RUNG_EXCLUSIVE)
        return COST_COPY;
    return ladder->rung == RUNG_INSTANT || ladder->rung == RUNG_METADATA ? COST_NONE : COST_REBUILD;
}

static bool is_of_size(Cost cost) { return cost != COST_NONE && cost != COST_CONTENT && cost != COST_ROWS; }

/* True where the server has shown that it is not so. */
static bool is_wrong(const Weigh *weigh, const Finding *finding, Cost measured)
{
    const Ladder *ladder = weigh->measured.ladder;
    if (ladder != NULL && str_eq(finding->rule->id, "modify-loses-attributes"))
        return ladder->lost_count == 0;
    return is_of_size(finding->rule->cost) && measured == COST_NONE;
}

static void follow_measured(Weigh *weigh, Finding *finding)
{
    const Measured *measured = &weigh->measured;
    if (measured->probe == NULL && measured->ladder == NULL)
        return;
    Cost cost =
        measured->probe != NULL ? cost_by_probe(weigh, finding->table) : cost_by_ladder(measured->ladder);
    if (is_wrong(weigh, finding, cost)) {
        finding->severity = SEVERITY_OFF;
        weigh->dropped++;
    } else if (is_of_size(finding->rule->cost)) {
        finding->cost = cost;
        finding->evidence = EVIDENCE_MEASURED;
    } else if (str_eq(finding->rule->id, "unknown-statement") ||
               str_eq(finding->rule->id, "syntax-unknown")) {
        finding->severity = least(finding->severity, SEVERITY_NOTE);
        finding->evidence = EVIDENCE_MEASURED;
        finding->message = arena_printf(
            weigh->arena, "%s; the server understands it, and what it did on an empty copy counts",
            finding->message);
    }
}

/* ---- what no rule has said ------------------------------------------------------------------ */

static void say(Weigh *weigh, const char *id, Name table, Cost cost, const char *message)
{
    const ActStatement *statement = stream_statement(weigh->stream);
    Finding finding = {.rule = rule_own(id),
                       .evidence = EVIDENCE_MEASURED,
                       .start = statement->start,
                       .end = statement->end,
                       .table = table,
                       .object = table.name == NULL ? "" : sql_name(weigh->arena, table.schema, table.name),
                       .message = message,
                       .cost = cost,
                       .facts = facts_table(weigh->server->facts, table)};
    finding.severity =
        weigh->severities == NULL ? finding.rule->severity : severity_among(weigh->severities, finding.rule);
    follow_size(weigh, &finding);
    if (finding.severity != SEVERITY_OFF)
        *vec_push(weigh->arena, &weigh->said) = finding;
}

static bool has_cost(const Finding *findings, size_t first, size_t count, Cost least_cost)
{
    for (size_t i = first; i < count; i++)
        if (findings[i].severity != SEVERITY_OFF && is_of_size(findings[i].rule->cost) &&
            findings[i].rule->cost >= least_cost)
            return true;
    return false;
}

static LockMode lock_of(const Probe *probe, const char *relation)
{
    for (size_t i = 0; i < probe->lock_count; i++)
        if (str_eq(probe->locks[i].relation, relation))
            return lock_mode(probe->locks[i].mode);
    return LOCK_NONE;
}

static bool act_names(const ActStatement *statement, const Stream *stream, Name table)
{
    for (size_t i = 0; i < statement->acts.len; i++) {
        const Act *act = &statement->acts.items[i];
        bool named = str_eq(act->table.name, table.name) || str_eq(act->other.name, table.name);
        if (named && act_lock(act, stream->target->version, &(LockMode){LOCK_NONE}) >= LOCK_SHARE)
            return true;
    }
    return false;
}

static bool all_named_made(const Weigh *weigh)
{
    const ActStatement *statement = stream_statement(weigh->stream);
    for (size_t i = 0; i < statement->acts.len; i++)
        if (!known_is_made(weigh->stream->known, statement->acts.items[i].table))
            return false;
    return true;
}

static void say_probe(Weigh *weigh, const Finding *findings, size_t first, size_t count)
{
    const Probe *probe = weigh->measured.probe;
    Arena *arena = weigh->arena;
    bool heavy = has_cost(findings, first, count, COST_SCAN);
    for (size_t i = 0; i < probe->rewritten_count && !heavy; i++)
        if (!is_own(weigh, probe->rewritten[i]))
            say(weigh, "measured-rewrite", name_of(weigh, probe->rewritten[i]), COST_REWRITE,
                arena_printf(arena, "the server writes all of %s anew", probe->rewritten[i]));
    bool from_new = all_named_made(weigh); /* a foreign key of an empty table looks nothing up in the other */
    for (size_t i = 0; i < probe->scanned_count && !heavy && !from_new && weigh->said.len == 0; i++)
        if (!is_own(weigh, probe->scanned[i]) && lock_of(probe, probe->scanned[i]) >= LOCK_SHARE)
            say(weigh, "measured-scan", name_of(weigh, probe->scanned[i]),
                probe->built_count > 0 ? COST_BUILD : COST_SCAN,
                arena_printf(arena, "the server reads all of %s under %s", probe->scanned[i],
                             lock_mode_name(lock_of(probe, probe->scanned[i]))));
    for (size_t i = 0; i < probe->lock_count && !heavy && weigh->said.len == 0; i++) {
        Name table = name_of(weigh, probe->locks[i].relation);
        bool strong = lock_mode(probe->locks[i].mode) >= LOCK_SHARE && !probe->locks[i].other;
        if (strong && !known_is_made(weigh->stream->known, table) &&
            !act_names(stream_statement(weigh->stream), weigh->stream, table))
            say(weigh, "measured-lock", table, COST_NONE,
                arena_printf(arena, "the server locks %s as well: %s", probe->locks[i].relation,
                             probe->locks[i].mode));
    }
}

static void say_ladder(Weigh *weigh, const Finding *findings, size_t first, size_t count)
{
    const Ladder *ladder = weigh->measured.ladder;
    const Act *act = &stream_statement(weigh->stream)->acts.items[0];
    Arena *arena = weigh->arena;
    Cost cost = cost_by_ladder(ladder);
    bool said = has_cost(findings, first, count, COST_SCAN);
    if (cost == COST_COPY && !has_cost(findings, first, count, COST_COPY))
        say(weigh, "measured-lock", act->table, COST_COPY,
            arena_printf(arena, "writers of %s wait until the server is done (%s)", act->table.name,
                         ladder->clause));
    else if (ladder->rebuilds && !said)
        say(weigh, "measured-rewrite", act->table, cost == COST_COPY ? COST_COPY : COST_REBUILD,
            arena_printf(arena, "the server writes all of %s anew", act->table.name));
    if (ladder->uses_row_version && ladder->row_versions_left >= 0 &&
        ladder->row_versions_left <= FEW_ROW_VERSIONS)
        say(weigh, "row-versions-left", act->table, COST_NONE,
            arena_printf(arena, "%s has %d instant changes left; the next one writes the whole table anew",
                         act->table.name, ladder->row_versions_left));
}

static void say_refused(Weigh *weigh)
{
    const Act *act = &stream_statement(weigh->stream)->acts.items[0];
    Arena *arena = weigh->arena;
    weigh->there = weigh->there || weigh->measured.there;
    if (!weigh->measured.mistake)
        return;
    say(weigh, "measured-refused", act->table, COST_NONE,
        arena_printf(arena, "the server refuses it: %s%s", weigh->measured.error,
                     weigh->measured.there ? "; has the file been applied? --pending leaves such files out"
                                           : ""));
    if (weigh->measured.there && weigh->said.len > 0)
        weigh->said.items[weigh->said.len - 1].severity =
            least(weigh->said.items[weigh->said.len - 1].severity, SEVERITY_NOTE);
}

/* ---- duplicates ----------------------------------------------------------------------------- */

static bool unique_of(const Act *act, const char *const **ret_columns, size_t *ret_count)
{
    bool index =
        act->kind == ACT_CREATE_INDEX && (act->flags & ACT_UNIQUE) != 0 && (act->flags & ACT_PARTIAL) == 0;
    bool constraint =
        act->kind == ACT_ADD_CONSTRAINT && act->constraint != NULL && !act->constraint->not_null &&
        act->constraint->index_name == NULL &&
        (act->constraint->kind == CONSTRAINT_UNIQUE || act->constraint->kind == CONSTRAINT_PRIMARY_KEY);
    *ret_columns = index ? act->keys : constraint ? act->constraint->columns : NULL;
    *ret_count = index ? act->key_count : constraint ? act->constraint->column_count : 0;
    for (size_t i = 0; i < *ret_count; i++)
        if ((*ret_columns)[i] == NULL)
            return false;
    return *ret_count > 0;
}

static Err *look_for_duplicates(Weigh *weigh, const Act *act, Finding *findings, size_t first, size_t count)
{
    const char *const *columns = NULL;
    size_t column_count = 0;
    int64_t twice = -1;
    const TableFacts *table = facts_table(weigh->server->facts, act->table);
    if (table == NULL || table->empty || weigh->server->duplicates == NULL ||
        known_is_made(weigh->stream->known, act->table) || !unique_of(act, &columns, &column_count))
        return NULL;
    TRY(weigh->server->duplicates(weigh->server->context, weigh->arena, table, columns, column_count,
                                  &twice));
    for (size_t i = first; i < count && twice == 0; i++)
        if (str_eq(findings[i].rule->id, "unique-index-duplicates"))
            findings[i].severity = SEVERITY_OFF;
    if (twice > 0)
        say(weigh, "measured-duplicates", act->table, COST_NONE,
            arena_printf(weigh->arena, "%lld%s values stand in %s more than once: the statement fails",
                         (long long)twice, twice >= 1000 ? " or more" : "", act->table.name));
    return NULL;
}

/* ---- the statement -------------------------------------------------------------------------- */

static bool all_made(const Weigh *weigh, const ActStatement *statement)
{
    bool any = false;
    for (size_t i = 0; i < statement->acts.len; i++) {
        const Act *act = &statement->acts.items[i];
        if (act->kind == ACT_UNKNOWN || !known_is_made(weigh->stream->known, act->table) ||
            stream_is_strong(weigh->stream, act))
            return false;
        any = true;
    }
    return any;
}

/* What sessions begin with is as good as a SET in the file. */
static bool is_set_on_server(const ServerFacts *facts, const Rule *rule)
{
    return (facts->lock_timeout_ms > 0 &&
            (str_eq(rule->id, "lock-timeout-missing") || str_eq(rule->id, "lock-wait-timeout-missing"))) ||
           (facts->statement_timeout_ms > 0 && str_eq(rule->id, "statement-timeout-missing"));
}

static Err *measure(Weigh *weigh, const ActStatement *statement)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    weigh->measured = (Measured){0};
    if (weigh->server->measure == NULL)
        return NULL;
    str_addn(&sql, weigh->stream->text + statement->start, statement->end - statement->start);
    TRY(weigh->server->measure(weigh->server->context, weigh->arena, arena_dup(weigh->arena, sql.buf),
                               statement, all_made(weigh, statement), weigh->stream->keys_unchecked,
                               &weigh->measured));
    weigh->tried += weigh->measured.tried;
    return NULL;
}

Err *weigh_statement(Weigh *weigh, Finding *findings, size_t first, size_t count)
{
    const ActStatement *statement = stream_statement(weigh->stream);
    weigh->said.len = 0;
    TRY(measure(weigh, statement));
    for (size_t i = first; i < count; i++) {
        Finding *finding = &findings[i];
        finding->facts = facts_table(weigh->server->facts, finding->table);
        finding->cost = finding->rule->cost;
        if (is_set_on_server(weigh->server->facts, finding->rule))
            finding->severity = SEVERITY_OFF;
        follow_measured(weigh, finding);
        follow_size(weigh, finding);
    }
    for (size_t i = 0; i < statement->acts.len; i++)
        TRY(look_for_duplicates(weigh, &statement->acts.items[i], findings, first, count));
    if (weigh->measured.probe != NULL)
        say_probe(weigh, findings, first, count);
    if (weigh->measured.ladder != NULL)
        say_ladder(weigh, findings, first, count);
    if (weigh->measured.error != NULL)
        say_refused(weigh);
    return NULL;
}
