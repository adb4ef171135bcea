/* Statements that are carried out as written: what is there already, which of them run together, and when. */
#include "plan/maker.h"

#include "engine/lock.h"

#include <string.h>

enum { NOBODY = -1 };

typedef struct NativePlace {
    bool ours;      /* written here */
    bool skip;      /* nothing is left to do */
    bool new_table; /* about a table that the change makes */
    NativeWhen when;
    int leader; /* the operation in whose step it runs; NOBODY: its own */
} NativePlace;

static NativePlace *place_of(const Maker *maker, size_t i) { return &maker->natives[i]; }

static const Operation *op_of(const Maker *maker, size_t i) { return &maker->change->operations[i]; }

bool native_has(const Maker *maker, size_t operation) { return place_of(maker, operation)->ours; }

static const ObjectState *state_of(const Maker *maker, size_t i)
{
    static const ObjectState nothing = {0};
    return maker->input->objects != NULL ? &maker->input->objects[i] : &nothing;
}

/* ---- names ---------------------------------------------------------------------------------- */

static bool name_may_be(Name a, Name b)
{
    return str_eq(a.name, b.name) && (a.schema == NULL || b.schema == NULL || str_eq(a.schema, b.schema));
}

static bool is_relation(const ObjectName *object)
{
    return str_eq(object->type, "table") || str_eq(object->type, "view") ||
           str_eq(object->type, "materialized view") || str_eq(object->type, "sequence");
}

static Name relation_name(const ObjectName *object)
{
    size_t count = object->name_count;
    return (Name){.schema = count > 1 ? object->names[count - 2] : NULL, .name = object->names[count - 1]};
}

/* The last word of a type's name, which is kept as one text. */
static const char *last_name(Arena *arena, const ObjectName *object)
{
    const char *name = object->names[object->name_count - 1];
    if (!str_eq(object->type, "type") && !str_eq(object->type, "domain"))
        return name;
    const char *from = name;
    bool quoted = false;
    for (const char *at = name; *at != '\0'; at++) {
        quoted = quoted != (*at == '"');
        from = *at == '.' && !quoted ? at + 1 : from;
    }
    size_t len = strlen(from);
    bool strip = len >= 2 && from[0] == '"' && from[len - 1] == '"';
    return strip ? arena_dupn(arena, from + 1, len - 2) : from;
}

static bool object_same(const ObjectName *a, const ObjectName *b)
{
    if (a->type == NULL || !str_eq(a->type, b->type) || a->name_count != b->name_count ||
        a->arg_count != b->arg_count)
        return false;
    for (size_t i = 0; i < a->name_count; i++)
        if (!str_eq(a->names[i], b->names[i]))
            return false;
    for (size_t i = 0; i < a->arg_count; i++)
        if (!str_eq(a->args[i], b->args[i]))
            return false;
    return true;
}

static bool mentions(const NativeSpec *native, const char *word)
{
    return str_in_sorted(native->mentions, native->mention_count, word);
}

/* ---- what is there -------------------------------------------------------------------------- */

static const char *object_text(Arena *arena, const ObjectName *object)
{
    Str text CLEANUP(str_donep) = STR_INIT;
    str_addf(&text, "%s \"", object->type);
    for (size_t i = 0; i < object->name_count; i++)
        str_addf(&text, "%s%s", i > 0 ? "." : "", object->names[i]);
    str_add(&text, "\"");
    return arena_dup(arena, text.buf);
}

/* Each line of `part` stands in `whole`: a table may have got more than its CREATE TABLE says. */
static bool lines_in(const char *part, const char *whole)
{
    for (const char *at = part; *at != '\0';) {
        size_t len = strcspn(at, "\n");
        bool found = false;
        for (const char *in = whole; !found && *in != '\0';) {
            size_t in_len = strcspn(in, "\n");
            found = in_len == len && strncmp(in, at, len) == 0;
            in += in_len + (in[in_len] == '\n');
        }
        if (!found)
            return false;
        at += len + (at[len] == '\n');
    }
    return true;
}

static bool is_same(const ObjectName *object, const ObjectState *state)
{
    if (state->wanted == NULL || state->definition == NULL)
        return str_eq(object->type, "schema");
    if (str_eq(object->type, "table"))
        return lines_in(state->wanted, state->definition);
    return str_eq(state->wanted, state->definition);
}

static bool dropped_before(const Maker *maker, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (op_of(maker, j)->kind == OPERATION_NATIVE && !place_of(maker, j)->skip &&
            object_same(&op_of(maker, j)->native->drops, &op_of(maker, i)->native->makes))
            return true;
    return false;
}

static bool made_before(const Maker *maker, size_t i, const ObjectName *object)
{
    for (size_t j = 0; j < i; j++)
        if (op_of(maker, j)->kind == OPERATION_NATIVE && object_same(&op_of(maker, j)->native->makes, object))
            return true;
    return false;
}

static void skip(Maker *maker, size_t i, const char *why)
{
    place_of(maker, i)->skip = true;
    maker_risk(maker, "exists", NULL, why, NULL);
}

/* An object of that name is there, and the change does not take it away first. */
static Err *there_already(Maker *maker, size_t i)
{
    Arena *arena = maker->arena;
    const Operation *op = op_of(maker, i);
    const ObjectName *object = &op->native->makes;
    const ObjectState *state = state_of(maker, i);
    const char *text = object_text(arena, object);
    bool same = is_same(object, state);
    if (same || (op->native->quiet && !op->native->replaces)) {
        skip(maker, i,
             arena_printf(arena, "%s %s", text,
                          same ? "is there as asked: nothing to do"
                          : state->wanted != NULL
                              ? "is there with another definition: left alone, as IF NOT EXISTS asks"
                              : "is there: left alone, as IF NOT EXISTS asks"));
        return NULL;
    }
    if (op->native->replaces)
        return NULL;
    if (state->wanted != NULL)
        return err_hint(err_new(ERR_USAGE, "line %d: %s exists with another definition", op->line, text),
                        "write the change from what is there to what is wanted, or another name");
    return err_hint(
        err_new(ERR_USAGE, "line %d: %s exists, and whether it is the same cannot be seen", op->line, text),
        "leave the statement out if it is, or give another name");
}

static Err *look(Maker *maker, size_t i)
{
    const Operation *op = op_of(maker, i);
    const NativeSpec *native = op->native;
    const ObjectState *state = state_of(maker, i);
    if (native->since > maker->server->version_num)
        return err_new(ERR_USAGE,
                       "line %d: %s in this form is known from PostgreSQL %d on; this server is %s", op->line,
                       op->words, native->since / 10000, maker->server->version);
    if (state->done) {
        skip(maker, i, arena_printf(maker->arena, "line %d: %s: done already", op->line, op->words));
        return NULL;
    }
    if (native->makes.type != NULL && state->there && !dropped_before(maker, i))
        return there_already(maker, i);
    if (native->drops.type == NULL || state->there || made_before(maker, i, &native->drops))
        return NULL;
    const char *text = object_text(maker->arena, &native->drops);
    if (!native->quiet)
        return err_hint(err_new(ERR_USAGE, "line %d: %s does not exist", op->line, text),
                        "check the name and the search_path, or write IF EXISTS");
    skip(maker, i, arena_printf(maker->arena, "%s does not exist: skipped as IF EXISTS asks", text));
    return NULL;
}

/* ---- which run together ---------------------------------------------------------------------- */

/* The statement of the change that makes this relation, where nothing of the name is there now. */
static int maker_of(const Maker *maker, size_t before, Name name)
{
    for (size_t i = 0; i < before; i++) {
        const Operation *op = op_of(maker, i);
        if (op->kind == OPERATION_NATIVE && is_relation(&op->native->makes) && !state_of(maker, i)->there &&
            name_may_be(relation_name(&op->native->makes), name))
            return (int)i;
    }
    return NOBODY;
}

bool native_makes_table(const Maker *maker, const Operation *op, Name name)
{
    int i = maker_of(maker, (size_t)(op - maker->change->operations), name);
    return i != NOBODY && str_eq(op_of(maker, (size_t)i)->words, "CREATE TABLE");
}

static bool is_about(const Operation *op)
{
    static const char *const words[] = {"GRANT", "REVOKE", "COMMENT", "SECURITY", "ALTER"};
    if (op->kind != OPERATION_NATIVE || op->native->makes.type != NULL || op->native->drops.type != NULL)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_starts(op->words, words[i]))
            return true;
    return false;
}

static int leader_root(const Maker *maker, int leader)
{
    while (leader != NOBODY && place_of(maker, (size_t)leader)->leader != NOBODY)
        leader = place_of(maker, (size_t)leader)->leader;
    return leader;
}

/* GRANT, COMMENT and the like on what an earlier statement makes come with it; on what several make, in a
 * step of their own. */
static int object_maker(const Maker *maker, size_t i)
{
    int found = NOBODY;
    for (size_t j = i; j-- > 0;) {
        const Operation *op = op_of(maker, j);
        if (op->kind != OPERATION_NATIVE || op->native->makes.type == NULL || place_of(maker, j)->skip ||
            (state_of(maker, j)->there && !dropped_before(maker, j)))
            continue;
        if (!mentions(op_of(maker, i)->native, last_name(maker->arena, &op->native->makes)))
            continue;
        int root = place_of(maker, j)->leader != NOBODY ? leader_root(maker, (int)j) : (int)j;
        if (found != NOBODY && found != root)
            return NOBODY;
        found = root;
    }
    return found;
}

static int drop_before(const Maker *maker, size_t i)
{
    for (size_t j = i; j-- > 0;) {
        const Operation *op = op_of(maker, j);
        if (op->kind == OPERATION_NATIVE && !place_of(maker, j)->skip &&
            object_same(&op->native->drops, &op_of(maker, i)->native->makes))
            return (int)j;
    }
    return NOBODY;
}

static Err *join(Maker *maker, size_t i)
{
    const Operation *op = op_of(maker, i);
    NativePlace *place = place_of(maker, i);
    int leader = op->on_new ? maker_of(maker, i, op->table) : NOBODY;
    place->new_table = leader != NOBODY;
    if (op->kind == OPERATION_NATIVE && op->native->only_new != NULL && leader == NOBODY) {
        Err *err = err_new(ERR_UNSAFE, "line %d: %s", op->line, op->native->only_new);
        return op->native->only_new_hint != NULL ? err_hint(err, "%s", op->native->only_new_hint) : err;
    }
    if (leader == NOBODY && is_about(op))
        leader = object_maker(maker, i);
    if (leader == NOBODY && op->kind == OPERATION_COMMENT) {
        leader = maker_of(maker, i, op->table);
        place->new_table = leader != NOBODY;
    }
    if (leader == NOBODY && op->kind == OPERATION_NATIVE && op->native->makes.type != NULL) {
        leader = drop_before(maker, i);
        if (leader != NOBODY) /* one takes the place of the other */
            place_of(maker, (size_t)leader)->when = place->when;
    }
    place->leader = leader_root(maker, leader);
    place->ours = place->ours || place->leader != NOBODY;
    return NULL;
}

/* What needs a column that the change adds, or something that comes last, comes last, too. */
static void put_last(const Maker *maker, size_t i)
{
    const NativeSpec *native = op_of(maker, i)->native;
    NativePlace *place = place_of(maker, i);
    bool reads = native->run == NATIVE_LONG || str_eq(native->makes.type, "function") ||
                 str_eq(native->makes.type, "procedure");
    for (size_t j = 0; j < maker->change->operation_count && place->when == NATIVE_FIRST; j++) {
        const Operation *op = op_of(maker, j);
        bool column = reads && op->kind == OPERATION_ADD_COLUMN && !place_of(maker, j)->ours;
        if (column && mentions(native, op->add->name))
            place->when = NATIVE_LAST;
        bool later = j < i && op->kind == OPERATION_NATIVE && op->native->makes.type != NULL &&
                     place_of(maker, j)->when == NATIVE_LAST;
        if (later && mentions(native, last_name(maker->arena, &op->native->makes)))
            place->when = NATIVE_LAST;
    }
}

/* COMMENT ON of what is no table: nothing but the statement. */
static bool is_plain_comment(const Maker *maker, const Operation *op)
{
    if (op->kind != OPERATION_COMMENT || op->on_index)
        return false;
    const Table *table = maker_table(maker, op->table, false);
    return table->kind != RELATION_TABLE && table->kind != RELATION_MISSING && table->kind != RELATION_SYSTEM;
}

Err *natives_sort(Maker *maker)
{
    size_t count = maker->change->operation_count;
    maker->natives = arena_alloc(maker->arena, (count + 1) * sizeof *maker->natives);
    for (size_t i = 0; i < count; i++) {
        const Operation *op = op_of(maker, i);
        bool native = op->kind == OPERATION_NATIVE;
        *place_of(maker, i) = (NativePlace){.ours = native || is_plain_comment(maker, op),
                                            .when = native ? op->when : NATIVE_LAST,
                                            .leader = NOBODY};
    }
    for (size_t i = 0; i < count; i++)
        if (op_of(maker, i)->kind == OPERATION_NATIVE)
            TRY(look(maker, i));
    for (size_t i = 0; i < count; i++)
        TRY(join(maker, i));
    for (size_t i = 0; i < count; i++)
        if (op_of(maker, i)->kind == OPERATION_NATIVE)
            put_last(maker, i);
    return NULL;
}

/* ---- steps ---------------------------------------------------------------------------------- */

/* The relation as it is there now; one that the change makes has nobody on it. */
static void take_lock(Maker *maker, Step *step, Name name, const char *mode)
{
    const Table *table = maker_table(maker, name, false);
    if (table->kind == RELATION_MISSING || table->kind == RELATION_SYSTEM)
        return;
    TableWork *work = maker_work(maker, table);
    work->touched = true;
    if (lock_mode(mode) > lock_mode(step->lock))
        step->lock = mode;
    for (size_t i = 0; i < step->lock_count; i++) {
        if (!str_eq(step->lock_on[i], work->sql))
            continue;
        if (lock_mode(mode) > lock_mode(step->lock_modes[i])) {
            const char **modes = arena_alloc(maker->arena, step->lock_count * sizeof *modes);
            memcpy(modes, step->lock_modes, step->lock_count * sizeof *modes);
            modes[i] = mode;
            step->lock_modes = modes;
        }
        return;
    }
    step_add_lock_mode(maker, step, work->sql, mode);
}

static void take_references(Maker *maker, Step *step, const ConstraintSpec *specs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (specs[i].kind == CONSTRAINT_FOREIGN_KEY)
            take_lock(maker, step, specs[i].references, "SHARE ROW EXCLUSIVE");
}

static void take_locks(Maker *maker, Step *step, const Operation *op)
{
    if (op->kind == OPERATION_NATIVE) {
        for (size_t i = 0; i < op->native->lock_count; i++)
            take_lock(maker, step, op->native->locks[i].relation, op->native->locks[i].mode);
        return;
    }
    if (op->add != NULL)
        take_references(maker, step, op->add->constraints, op->add->constraint_count);
    if (op->constraint != NULL)
        take_references(maker, step, op->constraint, 1);
    if (op->kind == OPERATION_COMMENT)
        take_lock(maker, step, op->table, "SHARE UPDATE EXCLUSIVE");
}

/* On a table that nobody uses yet an index is built at once. */
static const char *statement_of(Maker *maker, size_t i)
{
    Arena *arena = maker->arena;
    const Operation *op = op_of(maker, i);
    if (op->kind == OPERATION_CREATE_INDEX) {
        const IndexSpec *index = op->index;
        return arena_printf(arena, "CREATE %sINDEX %s%s%s ON %s%s %s", index->unique ? "UNIQUE " : "",
                            index->if_not_exists ? "IF NOT EXISTS " : "",
                            index->name != NULL ? sql_ident(arena, index->name) : "", "",
                            op->only ? "ONLY " : "", sql_name(arena, op->table.schema, op->table.name),
                            index->definition_sql);
    }
    bool plain = op->kind == OPERATION_NATIVE && op->native->plain_sql != NULL && !state_of(maker, i)->there;
    return plain ? op->native->plain_sql : op->sql;
}

/* A trigger that fires after ours sees filled rows, and may change what was computed from. */
static void trigger_note(Maker *maker, const Operation *op)
{
    const ObjectName *made = &op->native->makes;
    if (!str_eq(made->type, "trigger"))
        return;
    const Table *table = maker_table(maker, op->native->locks[0].relation, false);
    for (size_t i = 0; i < table->trigger_count; i++)
        if (table->triggers[i].stoa &&
            strcmp(made->names[made->name_count - 1], table->triggers[i].name) > 0) {
            maker_risk(maker, "trigger-order", NULL,
                       arena_printf(maker->arena,
                                    "trigger \"%s\" sorts behind Stoa's own on \"%s\": what it writes into "
                                    "source columns is not seen by the change that is under way there",
                                    made->names[made->name_count - 1], table->name),
                       NULL);
            return;
        }
}

/* A view that has got more columns cannot be replaced by one without them. The columns stand in front of the
 * query, which begins with a space. */
static bool may_be_replaced(const ObjectName *object, const ObjectState *state)
{
    if (!str_eq(object->type, "view"))
        return true;
    const char *end = state->definition == NULL ? NULL : strstr(state->definition, "\n ");
    return end != NULL && state->wanted != NULL &&
           strncmp(state->definition, state->wanted, (size_t)(end - state->definition) + 2) == 0;
}

static void add_undo(Maker *maker, Step *step, size_t i)
{
    const Operation *op = op_of(maker, i);
    const ObjectState *state = state_of(maker, i);
    if (op->kind != OPERATION_NATIVE || step->phase == PHASE_CONTRACT)
        return;
    bool replaced = op->native->makes.type != NULL && state->there && drop_before(maker, i) == NOBODY;
    bool back = replaced && may_be_replaced(&op->native->makes, state);
    if (back && state->restore_sql != NULL)
        step_add_undo(maker, step, state->restore_sql);
    if (replaced && !back)
        maker_risk(
            maker, "view-columns", NULL,
            arena_printf(maker->arena,
                         "view %s gets other columns: an abort leaves it as it is then, since no view can "
                         "be replaced by one with fewer",
                         last_name(maker->arena, &op->native->makes)),
            NULL);
    if (!replaced && op->native->undo_sql != NULL)
        step_add_undo(maker, step, op->native->undo_sql);
    bool rule = str_eq(op->native->drops.type, "trigger") || str_eq(op->native->drops.type, "rule");
    if (rule && state->restore_sql != NULL)
        step_add_undo(maker, step, state->restore_sql);
}

static StepKind kind_of(const Maker *maker, const Operation *op)
{
    if (op->kind != OPERATION_NATIVE)
        return STEP_DDL;
    if (op->native->run == NATIVE_OUTSIDE || op->native->outside_before > maker->server->version_num)
        return STEP_OUTSIDE;
    return op->native->run == NATIVE_LONG ? STEP_LONG : STEP_DDL;
}

static const char *title_of(Maker *maker, const Operation *op)
{
    Arena *arena = maker->arena;
    if (op->kind != OPERATION_NATIVE)
        return "set a comment";
    const ObjectName *object = op->native->makes.type != NULL ? &op->native->makes : &op->native->drops;
    if (object->type != NULL)
        return arena_printf(arena, "%s %s", op->words, last_name(arena, object));
    if (op->name_count > 0)
        return arena_printf(arena, "%s on %s", op->words, op->names[0].name);
    return op->words;
}

static void add_queries(Maker *maker, Step *step, const Operation *op)
{
    const char *queries[] = {op->native->done_query, op->native->leftovers_query};
    static const char *const labels[] = {"done", "leftovers"};
    Check *checks = arena_alloc(maker->arena, ARRAY_LEN(queries) * sizeof *checks);
    for (size_t i = 0; i < ARRAY_LEN(queries); i++)
        if (queries[i] != NULL)
            checks[step->check_count++] = (Check){.label = labels[i], .query = queries[i]};
    step->checks = checks;
}

static void add_estimate(Maker *maker, Step *step, const Operation *op)
{
    Span span = {.low = 1, .high = 20};
    for (size_t i = 0; i < op->name_count && step->kind != STEP_DDL; i++) {
        const Table *table = maker_table(maker, op->names[i], false);
        if (table->kind != RELATION_TABLE && table->kind != RELATION_MATVIEW)
            continue;
        Span one = estimate_scan(table);
        span.low += one.low;
        span.high += one.high * 3; /* read, computed, written */
    }
    step_estimate(step, span.low, span.high);
}

static void write_member(Maker *maker, Step *step, size_t i)
{
    const Operation *op = op_of(maker, i);
    step_add_sql(maker, step, statement_of(maker, i));
    take_locks(maker, step, op);
    if (op->kind != OPERATION_NATIVE)
        return;
    if (op->native->unknown)
        step->evidence = EVIDENCE_UNKNOWN;
    if (op->native->note != NULL)
        maker_risk(maker, "note", NULL, op->native->note, NULL);
    trigger_note(maker, op);
}

static Err *write_step(Maker *maker, size_t leader, Phase phase)
{
    const Operation *op = op_of(maker, leader);
    StepKind kind = kind_of(maker, op);
    Step *step = maker_step(maker, phase, kind, NULL, title_of(maker, op));
    step->timeout = kind == STEP_DDL ? TIMEOUT_LOCK : TIMEOUT_WATCHDOG;
    for (size_t i = leader; i < maker->change->operation_count; i++)
        if ((i == leader || place_of(maker, i)->leader == (int)leader) && !place_of(maker, i)->skip) {
            if (i != leader && kind == STEP_OUTSIDE)
                return err_hint(err_new(ERR_UNSAFE,
                                        "line %d: cannot run together with line %d, which is "
                                        "outside a transaction",
                                        op_of(maker, i)->line, op->line),
                                "write it as a change of its own");
            write_member(maker, step, i);
        }
    for (size_t i = maker->change->operation_count; i-- > leader;)
        if ((i == leader || (place_of(maker, i)->leader == (int)leader && !place_of(maker, i)->new_table)) &&
            !place_of(maker, i)->skip)
            add_undo(maker, step, i);
    if (kind == STEP_OUTSIDE)
        add_queries(maker, step, op);
    if (kind == STEP_LONG)
        step->scans = true;
    add_estimate(maker, step, op);
    maker_no_revert(maker, arena_printf(maker->arena, "\"%s\" is carried out as written", step->title));
    return NULL;
}

static Err *write_all(Maker *maker, NativeWhen when, bool late, Phase phase)
{
    for (size_t i = 0; i < maker->change->operation_count; i++) {
        const NativePlace *place = place_of(maker, i);
        const Operation *op = op_of(maker, i);
        bool is_late = op->kind == OPERATION_NATIVE && op->native->late;
        if (!place->ours || place->skip || place->leader != NOBODY || place->when != when ||
            (when == NATIVE_CONTRACT && is_late != late))
            continue;
        TRY(write_step(maker, i, phase));
    }
    return NULL;
}

Err *natives_before(Maker *maker)
{
    TRY(write_all(maker, NATIVE_FIRST, false, PHASE_EXPAND));
    return write_all(maker, NATIVE_CONTRACT, false, PHASE_CONTRACT);
}

Err *natives_after(Maker *maker)
{
    TRY(write_all(maker, NATIVE_LAST, false, PHASE_CONSTRAIN));
    return write_all(maker, NATIVE_CONTRACT, true, PHASE_CONTRACT);
}
