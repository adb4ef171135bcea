/* Statements that the server carries out in the table itself, each as one step. */
#include "change/text_my.h"
#include "plan/maker_my.h"

#include <string.h>

/* What the ladder has found stands behind the actions; about partitions nothing does. */
static const char *with_clause(Arena *arena, const AskedMy *asked)
{
    const char *clause = asked->ladder.clause;
    return clause == NULL || clause[0] == '\0' ? asked->sql
                                               : arena_printf(arena, "%s, %s", asked->sql, clause);
}

static void note_renames(MakerMy *maker, const char *table, const AskedMy *asked)
{
    for (size_t i = 0; i < asked->my->action_count; i++) {
        const MyAction *action = &asked->my->actions[i];
        const char *to = action->kind == MY_ACTION_RENAME_COLUMN   ? action->new_name.text
                         : action->kind == MY_ACTION_CHANGE_COLUMN ? action->column->name.text
                         : action->kind == MY_ACTION_RENAME_TABLE  ? action->table.name
                                                                   : NULL;
        const char *from = action->kind == MY_ACTION_RENAME_TABLE ? table : action->name.text;
        if (to != NULL && from != NULL && strcasecmp(from, to) != 0)
            maker_risk_my(maker, "rename", "--accept-rename",
                          arena_printf(maker->arena,
                                       "%s is called %s from one moment to the next: whoever still uses the "
                                       "old name fails",
                                       from, to));
    }
}

static void note_added(MakerMy *maker, const char *table, const AskedMy *asked)
{
    for (size_t i = 0; i < asked->my->action_count; i++) {
        const MyAction *action = &asked->my->actions[i];
        if (action->kind != MY_ACTION_ADD_COLUMN)
            continue;
        const MyColumnSpec *column = action->column;
        if (!asked->hides && !column->invisible)
            maker_risk_my(
                maker, "star", "--accept-star",
                arena_printf(maker->arena,
                             "INSERT INTO %s without a column list fails once the column %s is there", table,
                             column->name.text));
        else if (asked->hides)
            maker_risk_my(maker, "hidden", NULL,
                          arena_printf(maker->arena,
                                       "column %s of %s is invisible until \"stoa complete\": it can be used "
                                       "by its name, and INSERTs without a column list go on working",
                                       column->name.text, table));
        bool filled = my_span_is(column->default_value) || my_span_is(column->generated) ||
                      column->auto_increment || column->row_start || column->row_end;
        if (column->not_null && !filled)
            maker_risk_my(maker, "no-default", "--accept-no-default",
                          arena_printf(maker->arena,
                                       "column %s of %s is NOT NULL without a DEFAULT: in strict mode every "
                                       "INSERT that does not name it fails",
                                       column->name.text, table));
    }
}

static void note_versions(MakerMy *maker, const char *table, const AskedMy *asked)
{
    const Ladder *ladder = &asked->ladder;
    if (!ladder->uses_row_version)
        return;
    maker_risk_my(
        maker, "row-version", NULL,
        arena_printf(maker->arena,
                     "it uses one of the %d row versions that %s has left; a rebuild gives all back",
                     ladder->row_versions_left, table));
}

/* Long builds wait for the metadata lock once more when they are done. */
static void note_build(MakerMy *maker, const char *table, const AskedMy *asked)
{
    const Ladder *ladder = &asked->ladder;
    Arena *arena = maker->arena;
    if (maker_replicates(maker))
        maker_risk_my(
            maker, "replica-lag", "--accept-replica-lag",
            arena_printf(arena,
                         "replicas begin the build of %s when it is done here, and lag by as long as "
                         "it takes",
                         table));
    if (ladder->rung == RUNG_ONLINE_COPY)
        maker_risk_my(maker, "online-copy", "--accept-online-copy",
                      arena_printf(arena, "%s is copied by the server in one piece, unthrottled", table));
    maker_risk_my(
        maker, "build", NULL,
        arena_printf(arena,
                     "the build of %s takes its lock once more at its end, within --max-stall: a "
                     "transaction that is open on the table then can cost the whole build, which is "
                     "begun anew",
                     table));
}

const char *show_columns_my(MakerMy *maker, const char *table, const AskedMy *asked)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    Arena *arena = maker->arena;
    for (size_t i = 0; asked->hides && i < asked->my->action_count; i++) {
        const MyAction *action = &asked->my->actions[i];
        if (action->kind != MY_ACTION_ADD_COLUMN)
            continue;
        const char *name = action->column->name.text;
        str_sep(&out, ", ");
        if (maker->server->my->set_visible) {
            str_addf(&out, "ALTER COLUMN %s SET VISIBLE", sql_backtick(arena, name));
            continue;
        }
        const char *line = definition_column_my(arena, asked->after->my->create_sql, name);
        const char *word = line == NULL ? NULL : strstr(line, " INVISIBLE");
        if (word == NULL)
            return NULL;
        str_addf(&out, "MODIFY COLUMN %.*s%s", (int)(word - line), line, word + strlen(" INVISIBLE"));
    }
    return out.len == 0 ? NULL
                        : arena_printf(arena, "ALTER TABLE %s %s", sql_backtick(arena, table), out.buf);
}

static void write_step(MakerMy *maker, const WorkMy *work, const AskedMy *asked, Phase phase)
{
    Arena *arena = maker->arena;
    Name name = {.name = work->operations[0]->table.name};
    const Ladder *ladder = &asked->ladder;
    bool build = !ladder_is_cheap(ladder);
    const char *how = ladder->rung == RUNG_INSTANT ? "instant"
                      : build                      ? "in place, while writers go on"
                                                   : "in place, catalog only";
    if (ladder->rung > RUNG_ONLINE_COPY)
        how = "copied within --max-stall";
    Step *step = maker_alter_my(
        maker, phase, name, arena_printf(arena, "%s: %s, %s", name.name, words_of_my(arena, asked), how),
        with_clause(arena, asked), phase == PHASE_CONTRACT ? NULL : undo_sql_my(arena, name.name, asked));
    step->evidence = EVIDENCE_MEASURED;
    step->as_written = true;
    step->unchecked = unchecked_my(asked->my);
    step->rewrites = ladder->rebuilds;
    step->scans = build;
    if (build && ladder->rung <= RUNG_ONLINE_COPY) {
        SpanMs ms = ladder->rebuilds || ladder->rung == RUNG_ONLINE_COPY ? estimate_copy_my(work->table)
                                                                         : estimate_build_my(work->table);
        step->timeout = TIMEOUT_WATCHDOG;
        step->estimate_low_ms = ms.low;
        step->estimate_high_ms = ms.high;
        maker->scans = true;
    }
    for (size_t i = 0; i < asked->my->action_count; i++)
        if (asked->my->actions[i].kind == MY_ACTION_RENAME_TABLE)
            maker_look_my(maker, step, (Name){.name = asked->my->actions[i].table.name});
    if (step->undo_count == 0 && phase != PHASE_CONTRACT)
        maker_risk_my(maker, "no-undo", NULL,
                      arena_printf(arena, "\"stoa abort\" cannot take this back: %s", step->title));
}

void notes_alter_my(MakerMy *maker, const Table *of, const char *table, const AskedMy *asked)
{
    lost_note_my(maker, table, asked);
    if (of->kind == RELATION_MISSING)
        return; /* the change makes it: nobody uses it yet */
    users_note_my(maker, of, asked);
    note_renames(maker, table, asked);
    note_added(maker, table, asked);
}

Err *native_alter_my(MakerMy *maker, const WorkMy *work, const Operation *operation, const AskedMy *asked,
                     Phase phase)
{
    const char *table = operation->table.name;
    maker_lease_my(maker, operation->table);
    maker->in_place_count++;
    note_versions(maker, table, asked);
    if (!ladder_is_cheap(&asked->ladder) && asked->ladder.rung <= RUNG_ONLINE_COPY && !is_tiny_my(work))
        note_build(maker, table, asked);
    checks_write_my(maker, work, asked, phase);
    write_step(maker, work, asked, phase);
    if (unchecked_my(asked->my))
        keys_write_my(maker, work, asked);
    const char *show = show_columns_my(maker, table, asked);
    if (show != NULL)
        maker_alter_my(maker, PHASE_CONTRACT, operation->table,
                       arena_printf(maker->arena, "%s: its new columns become visible", table), show, NULL);
    return NULL;
}

/* ---- other statements ----------------------------------------------------------------------- */

static Err *create_table(MakerMy *maker, const WorkMy *work)
{
    const Operation *op = work->operations[0];
    Arena *arena = maker->arena;
    if (work->table->kind != RELATION_MISSING && op->if_not_exists)
        return NULL;
    if (work->table->kind != RELATION_MISSING)
        return err_new(ERR_USAGE, "there is a %s \"%s\" already", relation_kind_name(work->table->kind),
                       op->table.name);
    maker_lease_my(maker, op->table);
    maker_alter_my(maker, PHASE_EXPAND, op->table, arena_printf(arena, "create table %s", op->table.name),
                   op->sql, arena_printf(arena, "DROP TABLE %s", sql_backtick(arena, op->table.name)))
        ->as_written = true;
    return NULL;
}

static Err *drop_table(MakerMy *maker, const WorkMy *work)
{
    const Operation *op = work->operations[0];
    const Table *table = work->table;
    if (table->kind == RELATION_MISSING && op->if_exists)
        return NULL;
    if (table->kind == RELATION_MISSING || table->kind == RELATION_VIEW)
        return err_new(ERR_USAGE, "there is no table \"%s\"", op->table.name);
    for (size_t i = 0; i < table->my->child_count; i++) {
        const MyForeignKey *key = &table->my->children[i];
        if (!str_eq(key->table, table->name) || !str_eq(key->schema, table->schema))
            return err_hint(err_new(ERR_UNSAFE, "\"%s\" cannot be dropped: foreign key %s of %s refers to it",
                                    table->name, key->name, key->table),
                            "drop that key, or that table, in a change before");
    }
    maker_lease_my(maker, op->table);
    users_note_name_my(maker, table);
    maker_risk_my(
        maker, "use-unknown", NULL,
        arena_printf(maker->arena,
                     "whether anybody still uses %s is not known from here: \"stoa complete\" drops "
                     "it, and there is no way back",
                     op->table.name));
    maker_alter_my(maker, PHASE_CONTRACT, op->table,
                   arena_printf(maker->arena, "drop table %s", op->table.name), op->sql, NULL);
    return NULL;
}

static Err *rename_tables(MakerMy *maker, const WorkMy *work)
{
    const Operation *op = work->operations[0];
    Arena *arena = maker->arena;
    CLEANUP(str_donep) Str undo = STR_INIT;
    for (size_t i = op->my->name_count; i > 0; i--)
        str_addf(&undo, "%s%s TO %s", undo.len == 0 ? "RENAME TABLE " : ", ",
                 sql_backtick(arena, op->my->new_names[i - 1].name),
                 sql_backtick(arena, op->my->names[i - 1].name));
    Step *step =
        maker_alter_my(maker, PHASE_CUTOVER, op->table, op->sql, op->sql, arena_dup(arena, undo.buf));
    for (size_t i = 0; i < op->name_count; i++) {
        bool known = false;
        for (size_t k = 0; k < step->look_count; k++)
            known = known || str_eq(step->looks[k].table.name, op->names[i].name);
        if (!known)
            maker_look_my(maker, step, op->names[i]);
        maker_lease_my(maker, op->names[i]);
    }
    users_note_name_my(maker, work->table);
    maker_risk_my(maker, "rename", "--accept-rename",
                  arena_printf(arena, "%s: from one moment to the next; whoever still uses an old name fails",
                               op->sql));
    return NULL;
}

static Err *view(MakerMy *maker, const WorkMy *work)
{
    const Operation *op = work->operations[0];
    const Table *table = work->table;
    Arena *arena = maker->arena;
    const char *name = sql_backtick(arena, op->table.name), *undo = NULL;
    bool drop = str_eq(op->my->verb, "DROP VIEW"), there = table->kind == RELATION_VIEW;
    if ((drop && op->if_exists && !there) || (!drop && op->if_not_exists && there))
        return NULL;
    if (drop && !there)
        return err_new(ERR_USAGE, "there is no view \"%s\"", op->table.name);
    if (!drop && table->kind != RELATION_MISSING && !there)
        return err_new(ERR_USAGE, "\"%s\" is a %s", op->table.name, relation_kind_name(table->kind));
    if (!drop && !there)
        undo = arena_printf(arena, "DROP VIEW %s", name);
    else if (!drop && str_starts(table->my->create_sql, "CREATE "))
        undo = arena_printf(arena, "CREATE OR REPLACE %s", table->my->create_sql + strlen("CREATE "));
    maker_lease_my(maker, op->table);
    /* It may be about columns that come with a shadow. */
    Phase make = maker->copies ? PHASE_CUTOVER : PHASE_CONSTRAIN;
    maker_alter_my(maker, drop ? PHASE_CONTRACT : make, op->table,
                   arena_printf(arena, "%s view %s", drop ? "drop" : "create", op->table.name), op->sql, undo)
        ->as_written = true;
    return NULL;
}

Err *native_other_my(MakerMy *maker, const WorkMy *work)
{
    const Operation *op = work->operations[0];
    maker->in_place_count++;
    if (op->my->kind == MY_STATEMENT_CREATE_TABLE)
        return create_table(maker, work);
    if (op->my->kind == MY_STATEMENT_DROP_TABLE)
        return drop_table(maker, work);
    if (op->my->kind == MY_STATEMENT_RENAME_TABLE)
        return rename_tables(maker, work);
    return view(maker, work);
}
