/* The journal's tables on PostgreSQL, documented in docs/journal.md. */
#include "engine/postgres/pg.h"

/* Every table that is updated has a primary key: a publication FOR ALL TABLES refuses updates of one without.
 * Times are the server's. Events are append-only, which a trigger enforces for everybody. */

/* Directions in which a value was lost: see "The way back" in ARCHITECTURE.md. */
#define BROKEN_TABLE                                                                                         \
    "CREATE TABLE IF NOT EXISTS stoa.sync_broken (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "      \
    "change_id bigint "                                                                                      \
    "NOT NULL, table_id bigint NOT NULL, column_name text NOT NULL, at timestamptz NOT NULL DEFAULT "        \
    "clock_timestamp(), key text, sqlstate text NOT NULL, message text NOT NULL);\n"                         \
    "CREATE INDEX IF NOT EXISTS sync_broken_change ON stoa.sync_broken (change_id, column_name);\n"

/* What was given for a change beside its controls, and what its signals said last. */
#define SIGNAL_TABLES                                                                                        \
    "CREATE TABLE IF NOT EXISTS stoa.settings (change_id bigint NOT NULL, name text NOT NULL, value text "   \
    "NOT "                                                                                                   \
    "NULL, PRIMARY KEY (change_id, name));\n"                                                                \
    "CREATE TABLE IF NOT EXISTS stoa.signals (change_id bigint PRIMARY KEY, body json NOT NULL, at "         \
    "timestamptz NOT NULL DEFAULT clock_timestamp()) WITH (fillfactor = 40);\n"

/* The hash chain over the events (run/chain.h). It drops nothing: all of this runs as one string on empty
 * copies as well, where several statements of which one takes names away are refused (scratch_guard.c). */
#define SEAL_TABLE                                                                                           \
    "CREATE TABLE IF NOT EXISTS stoa.seals (ordinal bigint PRIMARY KEY, event_id bigint NOT NULL UNIQUE, "   \
    "hash text NOT NULL);\n"                                                                                 \
    "CREATE OR REPLACE FUNCTION stoa.events_append_only() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN "      \
    "RAISE EXCEPTION 'stoa.% is append-only', TG_TABLE_NAME; END$$;\n"                                       \
    "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON stoa.seals FOR EACH STATEMENT "       \
    "EXECUTE PROCEDURE stoa.events_append_only();\n"

static const char create_sql[] =
    "CREATE SCHEMA IF NOT EXISTS stoa;\n"
    "COMMENT ON SCHEMA stoa IS 'Journal of Stoa: schema changes, their steps and checkpoints. Remove it "
    "with: stoa "
    "uninstall';\n"
    "CREATE TABLE stoa.meta (version int PRIMARY KEY, created_at timestamptz NOT NULL DEFAULT now(), "
    "created_by text NOT "
    "NULL DEFAULT current_user);\n"
    "INSERT INTO stoa.meta (version) VALUES (4);\n"
    "CREATE TABLE stoa.changes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, "
    "owner text NOT "
    "NULL DEFAULT '', change_digest text NOT NULL, plan_digest text NOT NULL, sql text NOT NULL, plan json "
    "NOT NULL, state "
    "text NOT NULL, phase text NOT NULL, throttled_by text, error text, ready_position text, replicas "
    "text[], created_by text "
    "NOT NULL "
    "DEFAULT session_user, created_at timestamptz NOT NULL DEFAULT now(), ready_at timestamptz, ended_at "
    "timestamptz);\n"
    "CREATE UNIQUE INDEX changes_name ON stoa.changes (name) WHERE state NOT IN ('aborted', 'reverted');\n"
    "CREATE TABLE stoa.steps (change_id bigint NOT NULL REFERENCES stoa.changes, ordinal int NOT NULL, phase "
    "text NOT NULL, "
    "kind text NOT NULL, title text NOT NULL, state text NOT NULL DEFAULT 'pending', attempts int NOT NULL "
    "DEFAULT 0, "
    "started_at timestamptz, ended_at timestamptz, error text, PRIMARY KEY (change_id, ordinal));\n"
    "CREATE TABLE stoa.checkpoints (change_id bigint NOT NULL, ordinal int NOT NULL, body json NOT NULL, "
    "updated_at "
    "timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (change_id, ordinal)) WITH (fillfactor = 40);\n"
    "CREATE TABLE stoa.controls (change_id bigint PRIMARY KEY REFERENCES stoa.changes, paused boolean NOT "
    "NULL DEFAULT "
    "false, abort_requested boolean NOT NULL DEFAULT false, max_stall_ms bigint NOT NULL, lock_wait_ms "
    "bigint NOT NULL, "
    "max_lag_ms bigint NOT NULL, chunk_time_ms bigint NOT NULL, quiet_ms bigint NOT NULL, time_window text, "
    "updated_at "
    "timestamptz NOT NULL DEFAULT now());\n"
    "CREATE TABLE stoa.events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, change_id bigint, at "
    "timestamptz NOT "
    "NULL DEFAULT clock_timestamp(), kind text NOT NULL, step int NOT NULL DEFAULT 0, detail json, text text "
    "NOT NULL, by "
    "text NOT NULL DEFAULT session_user);\n"
    "CREATE INDEX events_change ON stoa.events (change_id, id);\n" SEAL_TABLE
    "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON stoa.events FOR EACH STATEMENT "
    "EXECUTE PROCEDURE "
    "stoa.events_append_only();\n"
    "CREATE TABLE stoa.leases (table_key text PRIMARY KEY, epoch bigint NOT NULL, change_id bigint, holder "
    "text, host text, "
    "pid int, session_id bigint, session_started text, since timestamptz, expires_at timestamptz NOT NULL "
    "DEFAULT "
    "'-infinity', UNIQUE (table_key, epoch)) WITH (fillfactor = 40);\n"
    "CREATE TABLE stoa.sync_columns (change_id bigint NOT NULL, table_id bigint NOT NULL, column_name text "
    "NOT NULL, expr "
    "text NOT NULL, sources text[] NOT NULL, counter text NOT NULL, seen_count bigint NOT NULL DEFAULT 0, "
    "quiet_since "
    "timestamptz, back json NOT NULL DEFAULT '[]', null_ok boolean NOT NULL DEFAULT false, after boolean NOT "
    "NULL DEFAULT false, PRIMARY KEY (table_id, column_name));\n"
    "CREATE TABLE stoa.sync_failures (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, table_id bigint "
    "NOT NULL, "
    "column_name text NOT NULL, key text, sqlstate text, message text, at timestamptz NOT NULL DEFAULT "
    "now());\n" BROKEN_TABLE SIGNAL_TABLES
    "CREATE TABLE stoa.writers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, table_id "
    "bigint NOT NULL, column_name text NOT NULL, application_name text, role_name text, at timestamptz NOT "
    "NULL DEFAULT clock_timestamp())";

/* Version 1 had no ways back, version 2 no settings and signals, version 3 no seals. What they wrote stays as
 * it is; the roles that could use it can use what is new: those that may write what the trigger writes, too.
 */
static const char upgrade_sql[] =
    "ALTER TABLE stoa.sync_columns ADD COLUMN IF NOT EXISTS back json NOT NULL DEFAULT '[]', ADD COLUMN IF "
    "NOT "
    "EXISTS null_ok boolean NOT NULL DEFAULT false, ADD COLUMN IF NOT EXISTS after boolean NOT NULL DEFAULT "
    "false;\n" BROKEN_TABLE SIGNAL_TABLES "DROP TABLE IF EXISTS stoa.seals;\n" SEAL_TABLE
    "DO $$DECLARE grants record; BEGIN\n"
    "FOR grants IN SELECT DISTINCT acl.grantee::regrole AS role FROM pg_catalog.pg_class c, "
    "pg_catalog.aclexplode(c.relacl) acl WHERE c.oid = 'stoa.sync_failures'::regclass AND acl.privilege_type "
    "= 'INSERT' AND acl.grantee <> 0 LOOP\n"
    "EXECUTE pg_catalog.format('GRANT SELECT, INSERT ON stoa.sync_broken TO %s', grants.role); END LOOP;\n"
    "FOR grants IN SELECT DISTINCT acl.grantee::regrole AS role FROM pg_catalog.pg_class c, "
    "pg_catalog.aclexplode(c.relacl) acl WHERE c.oid = 'stoa.meta'::regclass AND acl.privilege_type = "
    "'UPDATE' AND acl.grantee <> 0 LOOP\n"
    "EXECUTE pg_catalog.format('GRANT ALL ON stoa.sync_broken, stoa.settings, stoa.signals, stoa.seals TO "
    "%s', "
    "grants.role); END "
    "LOOP; END$$;\n"
    "UPDATE stoa.meta SET version = 4";

/* Sync functions stand in the schema; their triggers stand on the users' tables and go with CASCADE. */
static const char drop_sql[] = "DROP SCHEMA IF EXISTS stoa CASCADE";

static const char *const texts[JOURNAL_SQL_COUNT] = {
    [JOURNAL_CREATE] = create_sql,
    [JOURNAL_PROTECT] = "",
    [JOURNAL_PROTECT_SEALS] = "",
    [JOURNAL_UPGRADE] = upgrade_sql,
    [JOURNAL_DROP] = drop_sql,
    [JOURNAL_GRANTS] = "GRANT ALL ON SCHEMA stoa TO {role}; GRANT ALL ON ALL TABLES IN SCHEMA stoa TO {role}",
    [JOURNAL_READ_GRANTS] =
        "GRANT USAGE ON SCHEMA stoa TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA stoa TO {role}",
};

const char *pg_journal_sql(JournalSql statement)
{
    return texts[statement] != NULL ? texts[statement] : pg_journal_work_sql(statement);
}
