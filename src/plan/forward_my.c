/* What of an unfinished change of MySQL or MariaDB can be kept. Whether a table without it is as it was
 * before is not concluded from statements: the definition tells, once its undo has run on an empty copy. */
#include "plan/forward.h"

#include "engine/my_table.h"
#include "engine/sql.h"

#include <string.h>
#include <strings.h>

bool forward_is_trigger_my(const Step *step)
{
    return step->kind == STEP_ALTER && step->sql_count > 0 &&
           (str_starts(step->sql[0], "CREATE TRIGGER ") ||
            str_starts(step->sql[0], "CREATE OR REPLACE TRIGGER "));
}

/* A change of the definition of one table. */
static bool is_alter(const Step *step)
{
    return step->kind == STEP_ALTER && step->look_count == 1 && step->sql_count == 1 &&
           str_starts(step->sql[0], "ALTER TABLE ");
}

bool forward_alters_my(const Forward *forward, size_t at)
{
    return forward->left[at] != LEFT_NOTHING && is_alter(&forward->plan.steps[at]);
}

static const char *why_step(Arena *arena, const Step *step)
{
    if (step->kind == STEP_BACKFILL || step->kind == STEP_VERIFY || forward_is_trigger_my(step))
        return NULL;
    if (!is_alter(step))
        return arena_printf(arena, "\"%s\" is more than a change of one table's definition", step->title);
    if (step->undo_count != 1)
        return arena_printf(arena, "nothing takes back \"%s\"", step->title);
    if (strcasestr(step->sql[0], "REFERENCES") != NULL || strcasestr(step->undo[0], "REFERENCES") != NULL)
        return arena_printf(arena, "\"%s\" is about a foreign key, and so about another table", step->title);
    return NULL;
}

const char *forward_why_not_my(Arena *arena, const Forward *forward)
{
    for (size_t i = 0; i < forward->plan.step_count; i++) {
        const Step *step = &forward->plan.steps[i];
        if (step->phase == PHASE_CUTOVER)
            return "the old change has a cutover";
        const char *why =
            forward->left[i] == LEFT_NOTHING || step->phase >= PHASE_READY ? NULL : why_step(arena, step);
        if (why != NULL)
            return why;
    }
    return NULL;
}

static bool drops(Arena *arena, const Step *step, const Trigger *trigger)
{
    const char *sql = arena_printf(arena, "DROP TRIGGER IF EXISTS %s", sql_backtick(arena, trigger->name));
    return forward_is_trigger_my(step) && step->undo_count == 1 && str_eq(step->undo[0], sql);
}

static void strip_triggers(Arena *arena, const Forward *forward, Table *table)
{
    Trigger *kept = arena_alloc(arena, (table->trigger_count + 1) * sizeof *kept);
    size_t count = 0;
    for (size_t i = 0; i < table->trigger_count; i++) {
        bool goes = false;
        for (size_t k = 0; k < forward->plan.step_count && !goes; k++)
            goes = forward->left[k] != LEFT_NOTHING &&
                   drops(arena, &forward->plan.steps[k], &table->triggers[i]);
        if (!goes)
            kept[count++] = table->triggers[i];
    }
    table->triggers = kept;
    table->trigger_count = count;
}

/* What its columns and indexes are is the copy's word; rows, sizes, privileges and who uses it the real
 * one's.
 */
void forward_strip_my(Arena *arena, const Forward *forward, const Table *real, const Table *copy,
                      const char *definition, Table *ret_table)
{
    MyTable *my = arena_alloc(arena, sizeof *my);
    const MyTable *bare = copy->my;
    *my = *real->my;
    my->columns = bare->columns;
    my->column_count = bare->column_count;
    my->indexes = bare->indexes;
    my->index_count = bare->index_count;
    my->row_format = bare->row_format;
    my->charset = bare->charset;
    my->collation = bare->collation;
    my->comment = bare->comment;
    my->options = bare->options;
    my->partition_by = bare->partition_by;
    my->fulltext = bare->fulltext;
    my->spatial = bare->spatial;
    my->virtual_columns = bare->virtual_columns;
    my->create_sql = definition;
    *ret_table = *real;
    ret_table->columns = copy->columns;
    ret_table->column_count = copy->column_count;
    ret_table->indexes = copy->indexes;
    ret_table->index_count = copy->index_count;
    ret_table->constraints = copy->constraints;
    ret_table->constraint_count = copy->constraint_count;
    ret_table->my = my;
    strip_triggers(arena, forward, ret_table);
}
