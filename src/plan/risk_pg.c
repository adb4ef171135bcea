/* What a person should know before saying yes: readers, subscribers, triggers, standbys, old snapshots. */
#include "base/unit.h"
#include "plan/maker.h"

#include <string.h>

static void star_risk(Maker *maker, const TableWork *work)
{
    const Table *table = work->table;
    if (work->new_defs.len == 0)
        return;
    if (!table->stars_known) {
        maker_risk(
            maker, "star", NULL,
            arena_printf(
                maker->arena,
                "pg_stat_statements cannot be read: prepared SELECT * and RETURNING *, and INSERT or COPY "
                "without a column list on %s would fail once or for good, and cannot be seen from here",
                work->sql),
            NULL);
        return;
    }
    if (table->star_count == 0)
        return;
    Str str CLEANUP(str_donep) = STR_INIT;
    str_addf(&str, "a new column on %s can break: ", work->sql);
    for (size_t i = 0; i < table->star_count; i++) {
        const StarStatement *star = &table->stars[i];
        str_addf(&str, "%s%s (%lld calls): %s", i > 0 ? "; " : "", star->why, (long long)star->calls,
                 star->statement);
    }
    maker_risk(maker, "star", "--accept-star", arena_dup(maker->arena, str.buf), NULL);
}

/* The columns as subscribers need them first: nullable, without anything that could refuse a row. */
static const char *subscriber_sql(Arena *arena, const TableWork *work)
{
    Str str CLEANUP(str_donep) = STR_INIT;
    for (size_t i = 0; i < work->new_defs.len; i++) {
        str_sep(&str, ";\n");
        str_addf(&str, "ALTER TABLE %s ADD COLUMN %s", work->sql, work->new_defs.items[i]);
    }
    return arena_dup(arena, str.buf);
}

static void table_publications(Maker *maker, const TableWork *work)
{
    Arena *arena = maker->arena;
    for (size_t i = 0; i < work->table->publication_count; i++) {
        const Publication *publication = &work->table->publications[i];
        const char *name = sql_ident(arena, publication->name);
        if (work->fills.len > 0)
            maker_risk(maker, "publication", NULL,
                       arena_printf(arena,
                                    "the backfill sends about %lld row updates of %s through publication %s",
                                    (long long)work->table->row_estimate, work->sql, name),
                       NULL);
        if (work->new_defs.len == 0)
            continue;
        if (publication->column_list) {
            maker_risk(maker, "publication", NULL,
                       arena_printf(arena,
                                    "publication %s names the columns of %s: new ones are not carried to its "
                                    "subscribers",
                                    name, work->sql),
                       NULL);
            continue;
        }
        maker_risk(maker, "subscribers", "--subscribers-ready",
                   arena_printf(arena,
                                "publication %s carries %s: a subscriber without the new column stops at the "
                                "first row; add it there first",
                                name, work->sql),
                   subscriber_sql(arena, work));
    }
}

static void journal_publications(Maker *maker)
{
    const Server *server = maker->server;
    for (size_t i = 0; i < server->publication_count; i++)
        maker_risk(
            maker, "subscribers", "--subscribers-ready",
            arena_printf(maker->arena,
                         "publication %s carries the journal (schema stoa) as well: a subscriber without its "
                         "tables stops at the first row; create them there first",
                         sql_ident(maker->arena, server->publications[i].name)),
            maker->input->journal_sql);
}

static void slot_notes(Maker *maker)
{
    for (size_t i = 0; i < maker->server->slot_count; i++) {
        const Slot *slot = &maker->server->slots[i];
        if (slot->active)
            continue;
        char size[UNIT_TEXT_BYTES];
        maker_risk(
            maker, "slot", NULL,
            arena_printf(maker->arena,
                         "logical slot %s (%s) is not active and retains %s of WAL: the change adds to it",
                         sql_ident(maker->arena, slot->name), slot->plugin != NULL ? slot->plugin : "?",
                         unit_size_text(slot->retained_bytes, size)),
            NULL);
    }
}

static void trigger_risk(Maker *maker, const TableWork *work)
{
    if (work->fills.len == 0)
        return;
    Str str CLEANUP(str_donep) = STR_INIT;
    for (size_t i = 0; i < work->table->trigger_count; i++) {
        const Trigger *trigger = &work->table->triggers[i];
        bool fires =
            maker->server->may_quiet_triggers ? trigger->fires_when_quiet : trigger->fires_on_backfill;
        if (!fires || trigger->stoa || trigger->internal)
            continue;
        str_sep(&str, ", ");
        sql_add_ident(&str, trigger->name);
        str_addf(&str, " (%s)", trigger->function != NULL ? trigger->function : "?");
    }
    if (str.len == 0)
        return;
    const char *why = maker->server->may_quiet_triggers ? "they are ENABLE ALWAYS or REPLICA"
                                                        : "this role may not set session_replication_role";
    maker_risk(maker, "triggers", "--accept-triggers",
               arena_printf(maker->arena,
                            "the backfill of %s fires these triggers for every row, because %s: %s",
                            work->sql, why, str.buf),
               NULL);
}

static bool has_exclusive(const Maker *maker)
{
    for (int phase = 0; phase < PHASE_COUNT; phase++)
        for (size_t i = 0; i < maker->steps[phase].len; i++)
            if (str_eq(maker->steps[phase].items[i].lock, "ACCESS EXCLUSIVE"))
                return true;
    return false;
}

static void standby_risk(Maker *maker)
{
    const Server *server = maker->server;
    if (server->standby_count == 0 || !has_exclusive(maker))
        return;
    Str str CLEANUP(str_donep) = STR_INIT;
    for (size_t i = 0; i < server->standby_count; i++) {
        str_sep(&str, ", ");
        sql_add_ident(&str, server->standbys[i].name);
        if (!server->standbys[i].visible)
            str_addf(&str, " (its lag is hidden from this role: GRANT pg_monitor TO %s)",
                     sql_ident(maker->arena, server->role));
    }
    bool listed = maker->input->options.replicas_given && maker->input->options.replica_count > 0;
    maker_risk(maker, "standby-stall", listed ? NULL : "--accept-standby-stall",
               arena_printf(
                   maker->arena,
                   "each ACCESS EXCLUSIVE lock is replayed on the standbys, where readers queue behind it as "
                   "long as a query there holds it up: %s%s",
                   str.buf,
                   listed ? "; those given by --replicas are looked at first"
                          : "; name them with --replicas to have them looked at"),
               NULL);
}

static void table_notes(Maker *maker, const TableWork *work)
{
    Arena *arena = maker->arena;
    const Table *table = work->table;
    char age[UNIT_TEXT_BYTES];
    if (table->oldest_writer_ms > 1000)
        maker_risk(maker, "old-transaction", NULL,
                   arena_printf(arena,
                                "a transaction has held %s for %s: steps with strong locks wait for it",
                                work->sql, unit_duration_text(table->oldest_writer_ms, age)),
                   NULL);
    if (table->repeatable_read_default && work->fills.len > 0)
        maker_risk(
            maker, "repeatable-read", NULL,
            arena_printf(
                arena,
                "transactions default to REPEATABLE READ or higher: one that updates a row of %s which "
                "the backfill has filled since its snapshot gets \"could not serialize access\" and must "
                "be retried",
                work->sql),
            NULL);
    if (table->unlogged)
        maker_risk(maker, "unlogged", NULL,
                   arena_printf(arena, "%s is unlogged: after a crash of the server it is empty", work->sql),
                   NULL);
}

/* FORCE ROW LEVEL SECURITY binds the owner too, and our sessions refuse to read through a policy. */
static Err *forced_check(Maker *maker, const TableWork *work)
{
    if (!work->table->rls_forced)
        return NULL;
    bool reads = work->fills.len > 0;
    for (int phase = PHASE_PREPARE; phase <= PHASE_VERIFY; phase++)
        for (size_t i = 0; i < maker->steps[phase].len; i++)
            reads = reads || (maker->steps[phase].items[i].kind == STEP_VERIFY &&
                              str_eq(maker->steps[phase].items[i].table.name, work->table->name) &&
                              str_eq(maker->steps[phase].items[i].table.schema, work->table->schema));
    bool above = maker->server->superuser && str_eq(work->table->owner, maker->server->role);
    if (!reads || above)
        return NULL;
    return err_hint(
        err_new(ERR_UNSAFE,
                "\"%s.%s\" has FORCE ROW LEVEL SECURITY: its policies would hide rows from its owner, as "
                "whom they are read and filled",
                work->table->schema, work->table->name),
        "ALTER TABLE %s NO FORCE ROW LEVEL SECURITY for the time of the change", work->sql);
}

Err *risk_gather(Maker *maker)
{
    bool touched = false;
    for (size_t i = 0; i < maker->work_count; i++) {
        const TableWork *work = &maker->works[i];
        if (!work->touched)
            continue;
        touched = true;
        TRY(forced_check(maker, work));
        star_risk(maker, work);
        table_publications(maker, work);
        trigger_risk(maker, work);
        table_notes(maker, work);
    }
    if (!touched)
        return NULL;
    journal_publications(maker);
    slot_notes(maker);
    standby_risk(maker);
    return NULL;
}
