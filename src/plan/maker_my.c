/* Steps, risks and estimates of a plan for MySQL and MariaDB. */
#include "plan/maker_my.h"

#include "change/text_my.h"

#include <string.h>

enum {
    BUILD_FAST_ROWS_MS = 2000, /* an index in place */
    BUILD_SLOW_ROWS_MS = 100,
    COPY_FAST_ROWS_MS = 100, /* 65,000 rows a second and worker under load, see docs/mysql-measurements.md */
    COPY_SLOW_ROWS_MS = 15,
    FAST_BYTES_MS = 500000,
    SLOW_BYTES_MS = 20000,
    CHECK_LIMIT_FAST_ROWS_MS = 20000,
    CHECK_LIMIT_SLOW_ROWS_MS = 1000,
};

static int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

static SpanMs span(const Table *table, int64_t fast, int64_t slow)
{
    int64_t low = most(1, most(table->row_estimate / fast, table->total_bytes / FAST_BYTES_MS));
    return (SpanMs){.low = low,
                    .high = most(low + 1, table->row_estimate / slow + table->total_bytes / SLOW_BYTES_MS)};
}

SpanMs estimate_build_my(const Table *table) { return span(table, BUILD_FAST_ROWS_MS, BUILD_SLOW_ROWS_MS); }

SpanMs estimate_copy_my(const Table *table) { return span(table, COPY_FAST_ROWS_MS, COPY_SLOW_ROWS_MS); }

Name maker_name_my(const MakerMy *maker, Name name)
{
    return (Name){.schema = name.schema != NULL ? name.schema : maker->server->database, .name = name.name};
}

Step *maker_step_my(MakerMy *maker, Phase phase, StepKind kind, Name table, const char *title)
{
    Step *step = phase == PHASE_REVERT ? (Step *)vec_push(maker->arena, &maker->reverts)
                                       : (Step *)vec_push(maker->arena, &maker->steps[phase]);
    *step = (Step){.phase = phase,
                   .kind = kind,
                   .title = title,
                   .lock = "",
                   .evidence = EVIDENCE_RULE,
                   .timeout = TIMEOUT_NONE,
                   .estimate_high_ms = 1,
                   .table = table.name != NULL ? maker_name_my(maker, table) : table};
    return step;
}

static void append(Arena *arena, const char *const **items, size_t *count, const char *text)
{
    const char **grown = arena_alloc(arena, (*count + 1) * sizeof *grown);
    if (*count > 0)
        memcpy(grown, *items, *count * sizeof *grown);
    grown[(*count)++] = text;
    *items = grown;
}

void maker_look_my(MakerMy *maker, Step *step, Name table)
{
    StepLook *looks = arena_alloc(maker->arena, (step->look_count + 1) * sizeof *looks);
    if (step->look_count > 0)
        memcpy(looks, step->looks, step->look_count * sizeof *looks);
    looks[step->look_count++] = (StepLook){.table = maker_name_my(maker, table)};
    step->looks = looks;
}

Step *maker_alter_my(MakerMy *maker, Phase phase, Name table, const char *title, const char *sql,
                     const char *undo)
{
    Step *step = maker_step_my(maker, phase, STEP_ALTER, table, title);
    const char *on = sql_name(maker->arena, step->table.schema, step->table.name);
    size_t count = 0;
    append(maker->arena, &step->sql, &step->sql_count, sql);
    if (undo != NULL)
        append(maker->arena, &step->undo, &step->undo_count, undo);
    step->lock = "EXCLUSIVE METADATA";
    append(maker->arena, &step->lock_on, &step->lock_count, on);
    append(maker->arena, &step->lock_modes, &count, step->lock);
    step->timeout = TIMEOUT_LOCK;
    step->estimate_low_ms = 1;
    step->estimate_high_ms = 50;
    maker_look_my(maker, step, table);
    return step;
}

void maker_check_my(MakerMy *maker, Phase phase, Name table, const Table *of, const Check *check)
{
    Check *copy = arena_alloc(maker->arena, sizeof *copy);
    *copy = *check;
    Step *step = maker_step_my(maker, phase, STEP_VERIFY, table, check->label);
    step->checks = copy;
    step->check_count = 1;
    append(maker->arena, &step->sql, &step->sql_count, check->query);
    step->scans = true;
    step->timeout = TIMEOUT_CHUNK;
    SpanMs ms = span(of, CHECK_LIMIT_FAST_ROWS_MS, CHECK_LIMIT_SLOW_ROWS_MS);
    step->estimate_low_ms = ms.low;
    step->estimate_high_ms = ms.high;
}

bool maker_accepts_my(const MakerMy *maker, const char *id)
{
    const PlanOptions *options = &maker->input->options;
    for (size_t i = 0; i < options->accepted_count; i++)
        if (str_eq(options->accepted[i], id))
            return true;
    return false;
}

void maker_risk_my(MakerMy *maker, const char *id, const char *accept, const char *message)
{
    *vec_push(maker->arena, &maker->risks) = (Risk){.id = id,
                                                    .accept = accept,
                                                    .accepted = accept != NULL && maker_accepts_my(maker, id),
                                                    .message = message};
}

void maker_lease_my(MakerMy *maker, Name table)
{
    Name whole = maker_name_my(maker, table);
    const char *name = sql_name(maker->arena, whole.schema, whole.name);
    for (size_t i = 0; i < maker->tables.len; i++)
        if (str_eq(maker->tables.items[i], name))
            return;
    *vec_push(maker->arena, &maker->tables) = name;
}

static bool is_among(const char *const *tables, size_t count, const char *table)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(tables[i], table))
            return true;
    return false;
}

bool maker_is_copied(const MakerMy *maker, const char *table)
{
    return is_among(maker->copied.items, maker->copied.len, table);
}

bool maker_is_filled(const MakerMy *maker, const char *table)
{
    return is_among(maker->filled.items, maker->filled.len, table);
}

bool maker_replicates(const MakerMy *maker)
{
    const PlanOptions *options = &maker->input->options;
    if (options->replicas_given)
        return options->replica_count > 0;
    return maker->server->standby_count > 0 || maker->server->my->replicas_unknown;
}

const char *words_of_my(Arena *arena, const AskedMy *asked)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    enum { WORDS_BYTES = 90 };
    for (size_t i = 0; i < asked->my->action_count; i++) {
        str_sep(&out, ", ");
        str_add(&out, my_text(arena, asked->sql, asked->my->actions[i].span));
    }
    if (out.len <= WORDS_BYTES)
        return arena_dup(arena, out.buf);
    size_t len = WORDS_BYTES;
    while (len > 0 && ((unsigned char)out.buf[len] & 0xC0) == 0x80)
        len--;
    return arena_printf(arena, "%.*s …", (int)len, out.buf);
}
