/* Rules about tables and other objects; most of PostgreSQL, what takes something away of all. */
#include "base/str.h"
#include "check/rule.h"

#include <string.h>

static bool has(const RuleCall *call, unsigned flag) { return (call->act->flags & flag) != 0; }

static bool value_is(const RuleCall *call, const char *value) { return str_eq(call->act->value, value); }

static bool match_user_catalog(RuleCall *call) { return value_is(call, "user_catalog_table"); }

static bool match_options(RuleCall *call) { return !value_is(call, "user_catalog_table"); }

static bool match_create_unlogged(RuleCall *call) { return has(call, ACT_UNLOGGED); }

/* A view under the old name, made in the same transaction, serves the running application. */
static bool gets_view(const RuleCall *call)
{
    const Stream *stream = call->stream;
    for (size_t i = stream->at; stream_in_transaction(stream) && i < stream->statements->len; i++) {
        const Act *act = &stream->statements->items[i].acts.items[0];
        if (act->kind == ACT_COMMIT || act->kind == ACT_ROLLBACK)
            return false;
        if (act->kind == ACT_CREATE_VIEW && str_eq(act->table.name, call->act->table.name))
            return true;
    }
    return false;
}

static bool match_rename(RuleCall *call)
{
    if (call->stream->target->engine != CHECK_POSTGRES) {
        call->safer = "";
    } else if (gets_view(call)) {
        call->severity = SEVERITY_NOTE;
        call->detail =
            "the view under the old name serves those who read it, and write to it as far as a view can "
            "be written to";
    }
    return call->act->new_name != NULL;
}

static bool match_drop_table(RuleCall *call) { return !has(call, ACT_TEMPORARY); }

static bool match_cascade(RuleCall *call) { return has(call, ACT_CASCADES); }

static bool match_truncate_plain(RuleCall *call) { return !has(call, ACT_CASCADES); }

static bool match_trigger_state(RuleCall *call)
{
    if (has(call, ACT_FULL))
        call->severity = SEVERITY_BLOCK;
    if (has(call, ACT_FULL))
        call->detail = "ALL includes the triggers of foreign keys: they are not checked meanwhile";
    return true;
}

/* Rows vanish for everybody but the owner. */
static bool match_row_security(RuleCall *call)
{
    KnownTable *table = known_table(call->stream->known, call->act->table);
    if (!value_is(call, "ENABLE"))
        return false;
    if (table != NULL && table->policies)
        return false;
    if (table == NULL || !table->made)
        call->evidence = EVIDENCE_UNKNOWN;
    return true;
}

static bool match_replace_view(RuleCall *call) { return has(call, ACT_REPLACES); }

static bool match_view_table(RuleCall *call)
{
    const KnownThing *view = known_find(call->stream->known, KNOWN_VIEW, call->act->table);
    return view == NULL || !view->made; /* nobody reads yet what this run makes */
}

static bool match_domain_constraint(RuleCall *call)
{
    return value_is(call, "ADD CONSTRAINT") || value_is(call, "SET NOT NULL");
}

/* DROP TABLE and CREATE TABLE of one name: all rows are gone, without anybody having said so. */
static bool match_drop_and_create(RuleCall *call)
{
    const KnownThing *thing = known_find(call->stream->known, KNOWN_TABLE, call->act->table);
    return thing != NULL && thing->table->gone && !thing->table->made && !has(call, ACT_TEMPORARY);
}

static const Rule rules[] = {
    {.id = "set-storage-parameter",
     .severity = SEVERITY_OFF,
     .engines = RULE_PG,
     .kinds = {ACT_SET_OPTIONS},
     .match = match_options,
     .message = "{table} is locked SHARE UPDATE EXCLUSIVE: nobody but vacuum and other definitions waits",
     .why = "fillfactor, autovacuum_* and kin stop neither readers nor writers; they wait for a running "
            "vacuum."},
    {.id = "set-user-catalog-table",
     .severity = SEVERITY_NOTE,
     .engines = RULE_PG,
     .kinds = {ACT_SET_OPTIONS},
     .match = match_user_catalog,
     .message = "user_catalog_table takes ACCESS EXCLUSIVE on {table}, unlike other storage parameters",
     .why =
         "It writes nothing, but waits behind every query of the table and holds up those that come later."},
    {.id = "set-logged",
     .severity = SEVERITY_BLOCK,
     .cost = COST_REWRITE,
     .engines = RULE_PG,
     .kinds = {ACT_SET_LOGGED},
     .message = "SET {value} writes {table} and its indexes anew under ACCESS EXCLUSIVE",
     .why = "Readers and writers wait for all of it; LOGGED writes it all into the WAL as well.",
     .safer = "CREATE TABLE {copy} (LIKE {table} INCLUDING ALL);\n"
              "-- fill it in batches beside a trigger, then swap the names",
     .aliases = "pgfence/set-logged-unlogged"},
    {.id = "create-unlogged-table",
     .severity = SEVERITY_WARN,
     .engines = RULE_PG,
     .kinds = {ACT_CREATE_TABLE},
     .match = match_create_unlogged,
     .on_new = true,
     .message = "{table} is unlogged: a crash empties it, and replicas never see its rows",
     .why = "It is right for what can be computed again, and nothing else.",
     .aliases = "pg-migration-lint/PGM506"},
    {.id = "set-tablespace",
     .severity = SEVERITY_BLOCK,
     .cost = COST_REWRITE,
     .engines = RULE_PG,
     .kinds = {ACT_SET_TABLESPACE},
     .message = "SET TABLESPACE copies {table} under ACCESS EXCLUSIVE",
     .why = "Readers and writers wait until every page has been copied.",
     .safer = "-- pg_repack --tablespace, or a new table beside it that takes its place"},
    {.id = "set-access-method",
     .severity = SEVERITY_BLOCK,
     .cost = COST_REWRITE,
     .engines = RULE_PG,
     .pg = {15, 0},
     .kinds = {ACT_SET_ACCESS_METHOD},
     .message = "SET ACCESS METHOD writes {table} anew under ACCESS EXCLUSIVE",
     .why = "Readers and writers wait for all of it.",
     .safer = "CREATE TABLE {copy} (LIKE {table} INCLUDING ALL) USING …;\n"
              "-- fill it in batches beside a trigger, then swap the names"},
    {.id = "rename-table",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_ALL,
     .kinds = {ACT_RENAME_TABLE},
     .match = match_rename,
     .message = "renaming {table} to {new} breaks whoever still uses the old name",
     .why =
         "Old and new application run side by side during a rollout. A view under the old name, made in the "
         "same transaction, serves the old one (and can be written to where it is simple).",
     .safer = "BEGIN;\nALTER TABLE {table} RENAME TO {new};\n"
              "CREATE VIEW {table} AS SELECT * FROM {new};\nCOMMIT;",
     .aliases = "squawk/renaming-table, strong_migrations/rename_table, pg-migration-lint/PGM504, "
                "pgfence/rename-table, atlas/BC101"},
    {.id = "set-schema",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_PG,
     .kinds = {ACT_SET_SCHEMA},
     .match = match_rename,
     .message = "moving {table} to schema {new} breaks whoever still looks for it in the old one",
     .why = "It is a rename: old and new application run side by side during a rollout.",
     .safer = "BEGIN;\nALTER TABLE {table} SET SCHEMA {new};\n"
              "CREATE VIEW {table} AS SELECT * FROM {new}.{bare};\nCOMMIT;"},
    {.id = "rename-schema",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_PG,
     .kinds = {ACT_RENAME_SCHEMA},
     .message = "renaming schema {table} to {new} breaks whoever names anything in it",
     .why = "Every search_path and every qualified name of the running application points into the old one.",
     .aliases = "strong_migrations/rename_schema, pgfence/rename-schema"},
    {.id = "drop-table",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_ALL,
     .kinds = {ACT_DROP_TABLE},
     .match = match_drop_table,
     .message = "dropping {table} loses its data and locks every table that its foreign keys name",
     .why = "ACCESS EXCLUSIVE is taken on each referenced table, too, so all of them stand still while it "
            "waits. "
            "Drop the foreign keys one by one first, and the table once nobody has read it for a while.",
     .safer = "ALTER TABLE {table} DROP CONSTRAINT …; -- each foreign key in a transaction of its own\n"
              "DROP TABLE {table};",
     .aliases = "squawk/ban-drop-table, pg-migration-lint/PGM201, atlas/DS102, "
                "online_migrations/drop_table_multiple_foreign_keys"},
    {.id = "drop-cascade",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_PG,
     .kinds = {ACT_DROP_TABLE, ACT_DROP_VIEW, ACT_DROP_SCHEMA, ACT_DROP_OTHER, ACT_DROP_COLUMN,
               ACT_DROP_CONSTRAINT, ACT_DROP_INDEX},
     .match = match_cascade,
     .on_new = true,
     .message = "CASCADE takes along whatever depends on {table}, unseen",
     .why = "Views, foreign keys and functions of others go without a word. Name what is to go.",
     .aliases = "pg-migration-lint/PGM202, pgfence/drop-cascade"},
    {.id = "drop-schema",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_PG,
     .kinds = {ACT_DROP_SCHEMA},
     .message = "dropping schema {table} takes everything in it",
     .why = "Drop what is in it by name, one after the other; an empty schema does no harm.",
     .aliases = "pg-migration-lint/PGM205, atlas/DS101"},
    {.id = "drop-database",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_ALL,
     .kinds = {ACT_DROP_DATABASE},
     .on_new = true,
     .message = "dropping database {table} takes everything in it",
     .why = "There is no way back but a backup.",
     .aliases = "squawk/ban-drop-database, atlas/DS101"},
    {.id = "truncate",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_ALL,
     .kinds = {ACT_TRUNCATE},
     .match = match_truncate_plain,
     .message = "TRUNCATE empties {table} at once, under a lock that stops readers",
     .why =
         "PostgreSQL takes ACCESS EXCLUSIVE and builds all indexes anew; snapshots that began before see an "
         "empty table. MySQL drops and makes it again.",
     .safer = "DELETE FROM {table} WHERE …; -- in batches by key",
     .aliases = "pg-migration-lint/PGM203, pgfence/truncate"},
    {.id = "truncate-cascade",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_PG,
     .kinds = {ACT_TRUNCATE},
     .match = match_cascade,
     .message = "TRUNCATE … CASCADE empties {table} and every table that refers to it",
     .why = "All of them are locked ACCESS EXCLUSIVE, and their rows are gone.",
     .safer = "DELETE FROM {table} WHERE …; -- in batches by key",
     .aliases = "squawk/ban-truncate-cascade, pg-migration-lint/PGM204"},
    {.id = "trigger-state",
     .severity = SEVERITY_WARN,
     .engines = RULE_PG,
     .kinds = {ACT_TRIGGER_STATE},
     .match = match_trigger_state,
     .message =
         "{value} on {table} stops its writers (SHARE ROW EXCLUSIVE), and what the trigger keeps right "
         "goes wrong for all sessions",
     .why = "Where one session is to do without, SET session_replication_role does it for that session.",
     .aliases = "pg-migration-lint/PGM020, pgfence/disable-trigger"},
    {.id = "create-trigger",
     .severity = SEVERITY_NOTE,
     .engines = RULE_PG,
     .kinds = {ACT_CREATE_TRIGGER},
     .message = "CREATE TRIGGER takes SHARE ROW EXCLUSIVE on {table}: writers wait",
     .why = "The work is short, the waiting for it is not: set lock_timeout and try again.",
     .aliases = "pgfence/create-trigger"},
    {.id = "drop-trigger",
     .severity = SEVERITY_WARN,
     .engines = RULE_PG,
     .kinds = {ACT_DROP_TRIGGER},
     .message = "DROP TRIGGER takes ACCESS EXCLUSIVE on {table}: readers wait as well",
     .why = "The work is short, the waiting for it is not: set lock_timeout and try again.",
     .aliases = "pgfence/drop-trigger"},
    {.id = "row-security",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_PG,
     .kinds = {ACT_ROW_SECURITY},
     .match = match_row_security,
     .message = "row level security without a policy hides every row of {table} from all but its owner",
     .why = "Make the policies first, then enable it; both take ACCESS EXCLUSIVE for a moment.",
     .safer = "CREATE POLICY … ON {table} …;\nALTER TABLE {table} ENABLE ROW LEVEL SECURITY;"},
    {.id = "policy-lock",
     .severity = SEVERITY_NOTE,
     .engines = RULE_PG,
     .kinds = {ACT_CREATE_POLICY, ACT_DROP_POLICY},
     .message = "{words} takes ACCESS EXCLUSIVE on {table}, for a moment",
     .why = "It waits behind every query of the table and holds up those that come later."},
    {.id = "create-rule",
     .severity = SEVERITY_WARN,
     .engines = RULE_PG,
     .kinds = {ACT_CREATE_RULE},
     .message =
         "CREATE RULE takes ACCESS EXCLUSIVE on {table}, and rewrites statements in ways that surprise",
     .why = "A trigger does the same without changing what statements mean."},
    {.id = "table-link",
     .severity = SEVERITY_NOTE,
     .engines = RULE_PG,
     .kinds = {ACT_TABLE_LINK},
     .message = "{value} takes ACCESS EXCLUSIVE on {table}, for a moment",
     .why = "REPLICA IDENTITY, OF and INHERIT write no row, but wait behind every query of the table and "
            "hold up "
            "those that come later."},
    {.id = "comment-lock",
     .severity = SEVERITY_OFF,
     .engines = RULE_PG,
     .kinds = {ACT_COMMENT},
     .message = "COMMENT takes SHARE UPDATE EXCLUSIVE on {table}: it waits for a running vacuum",
     .why = "Neither readers nor writers are stopped."},
    {.id = "replace-view",
     .severity = SEVERITY_WARN,
     .engines = RULE_PG,
     .kinds = {ACT_CREATE_VIEW},
     .match = match_replace_view,
     .message =
         "CREATE OR REPLACE VIEW takes ACCESS EXCLUSIVE on {table}; columns cannot be renamed or taken "
         "away by it",
     .why = "Readers of the view wait. A view under a new name disturbs nobody."},
    {.id = "drop-view",
     .severity = SEVERITY_WARN,
     .engines = RULE_ALL,
     .kinds = {ACT_DROP_VIEW},
     .match = match_view_table,
     .message = "dropping view {table} breaks whoever still reads it",
     .why = "Make the new view under another name, move the readers, then drop the old one."},
    {.id = "alter-sequence",
     .severity = SEVERITY_WARN,
     .engines = RULE_PG,
     .pg = {10, 0},
     .kinds = {ACT_ALTER_SEQUENCE},
     .message =
         "ALTER SEQUENCE takes SHARE ROW EXCLUSIVE on {table}: nextval() waits, and with it every INSERT",
     .why = "From PostgreSQL 10 on a change of a sequence is transactional: keep the transaction short."},
    {.id = "rename-enum-value",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_PG,
     .kinds = {ACT_ENUM_RENAME},
     .on_new = true,
     .message = "renaming a value of {table} to {value} breaks whoever still writes or compares the old one",
     .why = "Add the new value, move rows and code, and leave the old one.",
     .aliases = "strong_migrations/rename_enum_value"},
    {.id = "domain-constraint",
     .severity = SEVERITY_BLOCK,
     .cost = COST_SCAN,
     .engines = RULE_PG,
     .kinds = {ACT_ALTER_DOMAIN},
     .match = match_domain_constraint,
     .message =
         "ALTER DOMAIN {table} {value} reads every table that uses it, under SHARE: their writers wait",
     .why = "All of them are locked together until the last one has been read.",
     .safer = "ALTER DOMAIN {table} ADD CONSTRAINT … CHECK (…) NOT VALID;\n"
              "ALTER DOMAIN {table} VALIDATE CONSTRAINT …; -- in a later transaction",
     .aliases = "squawk/ban-alter-domain-with-add-constraint"},
    {.id = "drop-and-create-table",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_ALL,
     .kinds = {ACT_CREATE_TABLE},
     .match = match_drop_and_create,
     .on_new = true,
     .message = "{table} is dropped and made again: its rows are gone",
     .why = "Frameworks write this for \"force\"; in production it empties the table.",
     .aliases = "strong_migrations/create_table, online_migrations/create_table"},
};

const RulePage rules_table_pg = {"Tables and other objects", rules, ARRAY_LEN(rules)};
