/* A change carried out in a shadow table: what stands against it, and its steps. */
#include "plan/maker_my.h"

#include <string.h>

enum { NAME_CHARACTERS = 64 };

/* ---- names ---------------------------------------------------------------------------------- */

static size_t characters(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

const char *plan_shadow_name_my(Arena *arena, const char *table, const char *suffix)
{
    const char *name = arena_printf(arena, "%s__%s", table, suffix);
    if (characters(name) <= NAME_CHARACTERS)
        return name;
    size_t keep = NAME_CHARACTERS - 1 - strlen(suffix), len = 0;
    for (size_t count = 0; table[len] != '\0'; len++) {
        count += ((unsigned char)table[len] & 0xC0) != 0x80;
        if (count > keep)
            break;
    }
    name = arena_printf(arena, "%.*s~%s", (int)len, table, suffix);
    return strcmp(name, table) > 0 ? name : NULL;
}

/* ---- what stands against it ----------------------------------------------------------------- */

static bool adds_auto_increment(const Table *before, const Table *after)
{
    for (size_t i = 0; i < after->my->column_count; i++)
        if (after->my->columns[i].auto_increment && column_my(before, after->my->columns[i].name) == NULL)
            return true;
    return false;
}

/* A new column whose default is the time of day: our sessions are in UTC. A TIMESTAMP is the same everywhere.
 */
static const char *wall_clock_column(const MakerMy *maker, const AskedMy *asked)
{
    static const char *const words[] = {"current_timestamp", "now(",    "localtime", "curdate",
                                        "current_date",      "curtime", "sysdate",   "current_time"};
    for (size_t i = 0; i < asked->after->my->column_count && !maker->server->my->utc; i++) {
        const MyColumn *column = &asked->after->my->columns[i];
        if (column->default_sql == NULL || str_eq(column->data_type, "timestamp") ||
            column_my(asked->before, column->name) != NULL)
            continue;
        for (size_t k = 0; k < ARRAY_LEN(words); k++)
            if (strcasestr(column->default_sql, words[k]) != NULL)
                return column->name;
    }
    return NULL;
}

static const char *names_of_triggers(Arena *arena, const Table *table)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    for (size_t i = 0; i < table->trigger_count; i++) {
        if (table->triggers[i].stoa)
            continue;
        str_sep(&out, ", ");
        str_add(&out, table->triggers[i].name);
    }
    return out.len == 0 ? NULL : arena_dup(arena, out.buf);
}

/* NULL for a key that only refuses. */
static const char *acts_of(const char *action)
{
    return str_eq(action, "RESTRICT") || str_eq(action, "NO ACTION") ? NULL : action;
}

static bool has_same_key(Arena *arena, const Table *before, const Table *after, const char *name)
{
    return str_eq(definition_foreign_key_my(arena, before->my->create_sql, name),
                  definition_foreign_key_my(arena, after->my->create_sql, name));
}

static const char *keys_blocker(Arena *arena, const Table *table, const Table *after, const char **ret_hint)
{
    const MyTable *my = table->my;
    *ret_hint = "GRANT PROCESS ON *.* TO this user, which shows all foreign keys";
    if (!my->children_known && my->child_count == 0)
        return "foreign keys of tables that this user may not see may refer to it";
    *ret_hint = "drop the foreign key in a change before, and add it again in one behind";
    if (my->child_count > 0)
        return arena_printf(arena,
                            "foreign key %s of %s refers to it, and would go on referring to the old table",
                            my->children[0].name, my->children[0].table);
    for (size_t i = 0; i < my->parent_count; i++) {
        const MyForeignKey *key = &my->parents[i];
        const char *acts = acts_of(key->on_delete), *moves = acts_of(key->on_update);
        if (acts != NULL || moves != NULL)
            return arena_printf(arena,
                                "its foreign key %s is ON %s %s: the server changes rows by it that neither "
                                "triggers nor the binary log show",
                                key->name, acts != NULL ? "DELETE" : "UPDATE", acts != NULL ? acts : moves);
    }
    *ret_hint = "add the foreign key in a change of its own";
    for (size_t i = 0; i < after->my->parent_count; i++)
        if (!has_same_key(arena, table, after, after->my->parents[i].name))
            return arena_printf(arena,
                                "its rows are not known to have parents by foreign key %s, which is new",
                                after->my->parents[i].name);
    return NULL;
}

static const char *server_blocker(Arena *arena, const MyServer *server, const char **ret_hint)
{
    *ret_hint = server->galera || server->group_replication
                    ? "make the change node by node (a rolling upgrade), outside of Stoa"
                    : NULL;
    if (server->no_log != NULL && server->no_triggers != NULL) {
        *ret_hint = "connect to the primary, or have this server log all changes by rows (log_slave_updates)";
        return arena_printf(arena, "its changes cannot be captured: %s; %s", server->no_log,
                            server->no_triggers);
    }
    if (server->no_rows != NULL) {
        *ret_hint = "or SET GLOBAL binlog_format = 'ROW'";
        return server->no_rows;
    }
    if (server->galera)
        return "this is a Galera cluster, where LOCK TABLES holds no other node";
    if (server->group_replication)
        return "this server is in a replication group, where LOCK TABLES holds no other member";
    return NULL;
}

const char *shadow_blocker_my(const MakerMy *maker, const WorkMy *work, const AskedMy *asked,
                              const char **ret_hint)
{
    Arena *arena = maker->arena;
    const Table *table = work->table;
    const char *blocker = server_blocker(arena, maker->server->my, ret_hint);
    if (blocker != NULL)
        return blocker;
    *ret_hint = NULL;
    if (table->kind == RELATION_MISSING || table->kind == RELATION_VIEW || table->my == NULL)
        return "there is no such table yet";
    if (!table->my->innodb)
        return arena_printf(arena, "its engine is %s: only InnoDB locks single rows", table->my->engine);
    if (table->my->system_versioned || asked->after->my->system_versioned)
        return "it is system-versioned: its history would be lost";
    *ret_hint = "keep what the triggers do in the application for the time of the change, and drop them";
    const char *triggers = names_of_triggers(arena, table);
    if (triggers != NULL)
        return arena_printf(arena, "it has triggers (%s), which would not fire for the shadow", triggers);
    blocker = keys_blocker(arena, table, asked->after, ret_hint);
    if (blocker != NULL)
        return blocker;
    *ret_hint = "give it a PRIMARY KEY, or a UNIQUE index over NOT NULL columns, first";
    ColumnMapMy map = column_map_my(arena, asked->my);
    if (key_my(asked->before, asked->after, &map) == NULL)
        return "it has no PRIMARY KEY or UNIQUE index over NOT NULL columns that stays";
    const char *column = wall_clock_column(maker, asked);
    *ret_hint = "add it with a constant DEFAULT, or none, and set the DEFAULT in a change behind";
    if (column != NULL)
        return arena_printf(arena,
                            "the rows that are there would get the present time in UTC in the new column %s, "
                            "and this server's zone is another one",
                            column);
    *ret_hint = NULL;
    if (adds_auto_increment(asked->before, asked->after))
        return "the rows' new AUTO_INCREMENT numbers would not be the same on both sides";
    const char *name = table->name;
    if (plan_shadow_name_my(arena, name, "stoa_new") == NULL ||
        plan_shadow_name_my(arena, name, "stoa_old") == NULL)
        return "its name is too long for a second one that sorts behind it";
    if (work->leftover != NULL) {
        *ret_hint = arena_printf(arena, "look what is in it, then DROP TABLE %s",
                                 sql_backtick(arena, work->leftover));
        return arena_printf(arena, "there is a table %s already", work->leftover);
    }
    for (size_t i = 0; i < asked->my->action_count; i++)
        if (asked->my->actions[i].kind == MY_ACTION_RENAME_TABLE ||
            asked->my->actions[i].kind == MY_ACTION_OTHER)
            return arena_printf(arena, "%s: such an action is carried out on the table itself only",
                                my_action_words(asked->my->actions[i].kind));
    return NULL;
}

/* ---- steps ---------------------------------------------------------------------------------- */

static void estimate(Step *step, SpanMs ms)
{
    step->estimate_low_ms = ms.low;
    step->estimate_high_ms = ms.high;
}

static Step *shadow_step(MakerMy *maker, Phase phase, StepKind kind, Name table, const ShadowSpec *spec,
                         const char *title)
{
    Step *step = maker_step_my(maker, phase, kind, table, title);
    step->shadow = spec;
    return step;
}

static void add_text(Arena *arena, const char *const **items, size_t *count, const char *text)
{
    const char **one = arena_alloc(arena, sizeof *one);
    one[0] = text;
    *items = one;
    *count = 1;
}

/* Actions of ALTER TABLE: all foreign keys of the table go, or come; NULL: it has none. */
static const char *keys_go(Arena *arena, const Table *table)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    for (size_t i = 0; i < table->my->parent_count; i++)
        str_addf(&out, "%sDROP FOREIGN KEY %s", i > 0 ? ", " : "",
                 sql_backtick(arena, table->my->parents[i].name));
    return out.len == 0 ? NULL : arena_dup(arena, out.buf);
}

static const char *keys_come(Arena *arena, const Table *table)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    for (size_t i = 0; i < table->my->parent_count; i++)
        str_addf(&out, "%sADD %s", i > 0 ? ", " : "",
                 definition_foreign_key_my(arena, table->my->create_sql, table->my->parents[i].name));
    return out.len == 0 ? NULL : arena_dup(arena, out.buf);
}

static const ShadowSpec *with_keys(Arena *arena, const ShadowSpec *spec, const Table *before,
                                   const Table *after)
{
    ShadowSpec *made = arena_alloc(arena, sizeof *made);
    if (spec == NULL)
        return NULL;
    *made = *spec;
    made->keys_off = keys_go(arena, before);
    made->keys_on = keys_come(arena, after);
    made->keys_away = keys_go(arena, after);
    made->keys_back = keys_come(arena, before);
    return made;
}

/* One statement with the whole definition, not LIKE and an ALTER TABLE: so that one look tells whether it is
 * done, and one statement takes it back. */
static void make_shadow(MakerMy *maker, const WorkMy *work, const AskedMy *asked, const ShadowSpec *spec)
{
    Arena *arena = maker->arena;
    maker_alter_my(
        maker, PHASE_EXPAND, (Name){.name = spec->shadow},
        arena_printf(arena, "an empty shadow of %s: %s", spec->source, words_of_my(arena, asked)),
        definition_as_my(arena, late_indexes_go_my(maker, work, asked, spec), spec->shadow,
                         maker->server->my->checks_by_schema ? asked->before->my->create_sql : NULL,
                         counter_said_my(arena, asked)),
        arena_printf(arena, "DROP TABLE %s", sql_backtick(arena, spec->shadow)));
}

/* A CHECK that somebody has named: those that the server names (orders_chk_1) follow the table's name. */
static bool names_checks(Arena *arena, const Table *table, const char *name)
{
    static const char constraint[] = "CONSTRAINT `";
    const char *own = arena_printf(arena, "%s_chk_", name);
    for (const char *at = table->my->create_sql; (at = strstr(at, constraint)) != NULL; at++) {
        const char *called = at + strlen(constraint);
        const char *behind = strstr(called, "` ");
        if (behind != NULL && str_starts(behind, "` CHECK ") && !str_starts(called, own))
            return true;
    }
    return false;
}

static void copy_rows(MakerMy *maker, const WorkMy *work, const AskedMy *asked, const ShadowSpec *spec)
{
    Arena *arena = maker->arena;
    Name name = {.name = spec->source};
    const char *log = "by the keys in the binary log", *triggers = "by triggers into a key log";
    Step *step = shadow_step(maker, PHASE_EXPAND, STEP_CAPTURE, name, spec,
                             arena_printf(arena, "capture changes of %s %s", spec->source,
                                          spec->capture == CAPTURE_LOG ? log : triggers));
    if (spec->capture == CAPTURE_TRIGGER) {
        step->lock = "EXCLUSIVE METADATA";
        add_text(arena, &step->lock_on, &step->lock_count,
                 sql_name(arena, step->table.schema, step->table.name));
        size_t count = 0;
        add_text(arena, &step->lock_modes, &count, step->lock);
        step->timeout = TIMEOUT_LOCK;
    }
    step =
        shadow_step(maker, PHASE_BACKFILL, STEP_COPY, name, spec,
                    arena_printf(arena, "copy rows and changes of %s into the shadow, by key %s%s",
                                 spec->source, spec->key, spec->one_writer ? ", one writer at a time" : ""));
    step->timeout = TIMEOUT_CHUNK;
    estimate(step, estimate_copy_my(work->table));
    late_indexes_come_my(maker, work, asked, spec);
    step = shadow_step(maker, PHASE_VERIFY, STEP_COMPARE, name, spec,
                       arena_printf(arena, "compare every row of %s and its shadow", spec->source));
    step->timeout = TIMEOUT_CHUNK;
    step->scans = true;
    estimate(step, estimate_copy_my(work->table));
}

static void swap_tables(MakerMy *maker, const ShadowSpec *spec, const ShadowSpec *back)
{
    Arena *arena = maker->arena;
    Name name = {.name = spec->source};
    const ShadowSpec *specs[] = {spec, back};
    for (size_t i = 0; i < 2 && specs[i] != NULL; i++) {
        Step *step = shadow_step(
            maker, i == 0 ? PHASE_CUTOVER : PHASE_REVERT, STEP_SWAP, name, specs[i],
            i == 0 ? arena_printf(arena, "the shadow takes the place of %s, which is called %s from then on",
                                  spec->source, spec->old)
                   : arena_printf(arena, "%s takes its place again", spec->old));
        step->lock = "EXCLUSIVE METADATA";
        add_text(arena, &step->lock_on, &step->lock_count,
                 sql_name(arena, step->table.schema, step->table.name));
        size_t count = 0;
        add_text(arena, &step->lock_modes, &count, step->lock);
        step->timeout = TIMEOUT_LOCK;
        step->estimate_low_ms = 5;
        step->estimate_high_ms = 200;
        maker_look_my(maker, step, name);
        maker_look_my(maker, step, (Name){.name = specs[i]->old});
        maker_look_my(maker, step, (Name){.name = specs[i]->shadow});
    }
}

/* What it was swapped with goes, with its triggers. */
static void drop_reverted(MakerMy *maker, const ShadowSpec *spec, const ShadowSpec *back)
{
    if (back != NULL)
        maker_alter_my(maker, PHASE_REVERT, (Name){.name = spec->shadow},
                       arena_printf(maker->arena, "drop the table that was new, %s", spec->shadow),
                       arena_printf(maker->arena, "DROP TABLE %s", sql_backtick(maker->arena, spec->shadow)),
                       NULL);
}

static void drop_old(MakerMy *maker, const ShadowSpec *spec, const ShadowSpec *back)
{
    Arena *arena = maker->arena;
    if (back != NULL)
        shadow_step(maker, PHASE_CONTRACT, STEP_CAPTURE, (Name){.name = spec->source}, back,
                    arena_printf(arena, "%s is no longer kept in step", spec->old));
    maker_alter_my(maker, PHASE_CONTRACT, (Name){.name = spec->old},
                   arena_printf(arena, "drop the old table %s", spec->old),
                   arena_printf(arena, "DROP TABLE %s", sql_backtick(arena, spec->old)), NULL);
}

/* Values that the table as it was cannot hold: then the way back has nowhere to put them. */
static const char *back_blocker(const Table *before, const Table *after, const ColumnMapMy *map)
{
    for (size_t i = 0; i < after->my->column_count; i++) {
        const MyColumn *column = &after->my->columns[i];
        const MyColumn *source = column_source_my(map, before, column->name);
        if (source != NULL && !column->not_null && source->not_null)
            return "the table as it was cannot hold NULLs that may be written by then";
    }
    return NULL;
}

static void notes(MakerMy *maker, const ShadowSpec *spec, const AskedMy *asked)
{
    Arena *arena = maker->arena;
    if (spec->capture == CAPTURE_TRIGGER)
        maker_risk_my(maker, "capture", NULL,
                      arena_printf(arena,
                                   "changes of %s are captured by triggers, which cost its writers time: %s",
                                   spec->source, maker->server->my->no_log));
    if (spec->keys_off != NULL)
        maker_risk_my(
            maker, "foreign-keys", NULL,
            arena_printf(
                arena,
                "foreign keys of %s change over with it, under the same lock; the old table has none "
                "from then on",
                spec->source));
    if (spec->one_writer)
        maker_risk_my(
            maker, "one-writer", NULL,
            arena_printf(arena,
                         "innodb_autoinc_lock_mode is below 2: rows go into the shadow of %s by one "
                         "session at a time",
                         spec->source));
    if (!spec->key_exact)
        maker_risk_my(
            maker, "key-collation", NULL,
            arena_printf(arena,
                         "key %s of %s has values that are equal in other bytes: one session applies "
                         "its changes",
                         spec->key, spec->source));
    if (maker->server->my->checks_by_schema && names_checks(arena, asked->before, spec->source))
        maker_risk_my(
            maker, "check-names", NULL,
            arena_printf(arena,
                         "CHECK constraints of %s get names that the server makes: names are unique in "
                         "a database, and the old table keeps its own until \"stoa complete\"",
                         spec->source));
    bool allowed = maker_accepts_my(maker, "old-snapshots");
    maker_risk_my(maker, allowed ? "old-snapshots" : "snapshots", allowed ? "--allow-old-snapshots" : NULL,
                  arena_printf(arena,
                               allowed
                                   ? "a transaction whose snapshot is older than the last row of the shadow "
                                     "sees %s without rows behind the cutover"
                                   : "the cutover waits for transactions whose snapshot is older than the "
                                     "last row of the shadow, since they would see %s without rows; "
                                     "--allow-old-snapshots does not wait",
                               spec->source));
}

/* From the new table, which has the source's name then, into the old one. */
static const ShadowSpec *spec_back(MakerMy *maker, const AskedMy *asked, const char *name, const char *shadow,
                                   const char *old, const ColumnMapMy *map)
{
    const ShadowSpec *spec = spec_make_my(maker, asked->after, asked->before, name, old, shadow, map);
    if (spec == NULL)
        return NULL;
    ShadowSpec *back = arena_alloc(maker->arena, sizeof *back);
    *back = *spec;
    back->back = true;
    return back;
}

Err *shadow_write_my(MakerMy *maker, const WorkMy *work, const AskedMy *asked)
{
    Arena *arena = maker->arena;
    const char *name = work->table->name;
    const char *shadow = plan_shadow_name_my(arena, name, "stoa_new");
    const char *old = plan_shadow_name_my(arena, name, "stoa_old");
    ColumnMapMy map = column_map_my(arena, asked->my);
    ColumnMapMy map_back = column_map_back_my(arena, asked->before, &map, asked->my);
    const ShadowSpec *spec = spec_make_my(maker, asked->before, asked->after, name, shadow, old, &map);
    if (spec == NULL)
        return err_new(ERR_BUG, "there is no key to copy \"%s\" by", name);
    const ShadowSpec *back = spec_back(maker, asked, name, shadow, old, &map_back);
    const char *no_back = back == NULL ? "no key of the new table names a row of the old one"
                                       : back_blocker(asked->before, asked->after, &map);
    if (no_back != NULL) {
        maker->no_revert = maker->no_revert != NULL ? maker->no_revert : no_back;
        back = NULL;
    }
    spec = with_keys(arena, spec, asked->before, asked->after);
    back = with_keys(arena, back, asked->after, asked->before);
    maker_lease_my(maker, (Name){.name = name});
    *vec_push(arena, &maker->copied) = name;
    maker->copies = true;
    checks_write_my(maker, work, asked, PHASE_EXPAND);
    make_shadow(maker, work, asked, spec);
    fills_write_my(maker, work, asked, spec);
    copy_rows(maker, work, asked, spec);
    swap_tables(maker, spec, back);
    drop_reverted(maker, spec, back);
    drop_old(maker, spec, back);
    const char *show = show_columns_my(maker, name, asked);
    if (show != NULL)
        maker_alter_my(maker, PHASE_CONTRACT, (Name){.name = name},
                       arena_printf(arena, "%s: its new columns become visible", name), show, NULL);
    notes(maker, spec, asked);
    return NULL;
}
