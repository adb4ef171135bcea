/* Rules about columns of PostgreSQL. */
#include "base/str.h"
#include "check/fix.h"
#include "check/rule.h"

#include <stdlib.h>

static const ActColumn *column_of(const RuleCall *call) { return call->act->column; }

static int version_of(const RuleCall *call) { return call->stream->target->version; }

/* ---- ADD COLUMN ----------------------------------------------------------------------------- */

static bool match_default_volatile(RuleCall *call)
{
    const ActColumn *column = column_of(call);
    if (column == NULL || column->stored || column->identity || column->type.serial)
        return false;
    if (column->kind == ACT_DEFAULT_FUNCTION) {
        call->severity = SEVERITY_WARN;
        call->evidence = EVIDENCE_UNKNOWN;
        call->detail = "whether the function is volatile is not in sight; a volatile one rewrites the table";
        return true;
    }
    return column->kind == ACT_DEFAULT_VOLATILE;
}

static bool match_default_old(RuleCall *call)
{
    const ActColumn *column = column_of(call);
    return column != NULL && column->kind != ACT_DEFAULT_NONE && column->kind != ACT_DEFAULT_NULL;
}

static bool match_serial(RuleCall *call)
{
    const ActColumn *column = column_of(call);
    return column != NULL && (column->type.serial || column->identity);
}

static bool match_stored(RuleCall *call) { return column_of(call) != NULL && column_of(call)->stored; }

static bool match_domain(RuleCall *call)
{
    const ActColumn *column = column_of(call);
    if (column == NULL || column->type.builtin || column->type.serial || column->type.name == NULL)
        return false;
    Name name = {column->type.schema, column->type.name};
    const KnownThing *domain = known_find(call->stream->known, KNOWN_DOMAIN, name);
    if (known_find(call->stream->known, KNOWN_ENUM, name) != NULL || column->type.array)
        return false;
    if (domain != NULL)
        return domain->constrained;
    call->severity = SEVERITY_NOTE;
    call->evidence = EVIDENCE_UNKNOWN;
    call->detail = "the type is not in sight: only a domain with constraints does that";
    return true;
}

static bool match_required(RuleCall *call)
{
    const ActColumn *column = column_of(call);
    return column != NULL && (column->not_null || column->primary) && !column->identity && !column->stored &&
           !column->virtual_ && !column->type.serial &&
           (column->kind == ACT_DEFAULT_NONE || column->kind == ACT_DEFAULT_NULL);
}

static bool match_check(RuleCall *call) { return column_of(call) != NULL && column_of(call)->check; }

static bool match_unique(RuleCall *call)
{
    return column_of(call) != NULL && (column_of(call)->unique || column_of(call)->primary);
}

static bool match_references_default(RuleCall *call)
{
    const ActColumn *column = column_of(call);
    return column != NULL && column->references && column->kind != ACT_DEFAULT_NONE &&
           column->kind != ACT_DEFAULT_NULL;
}

static bool match_references(RuleCall *call)
{
    return column_of(call) != NULL && column_of(call)->references && !match_references_default(call) &&
           !known_is_made(call->stream->known, column_of(call)->parent);
}

static bool match_json(RuleCall *call)
{
    return column_of(call) != NULL && str_eq(column_of(call)->type.name, "json");
}

static bool match_quiet_column(RuleCall *call) { return (call->act->flags & ACT_IF_NOT_EXISTS) != 0; }

/* ---- types ---------------------------------------------------------------------------------- */

static bool is_text(const char *name) { return str_eq(name, "text") || str_eq(name, "varchar"); }

/* A change for which PostgreSQL writes no row anew, seen from its types. */
static bool is_free(const ActType *from, const ActType *to)
{
    bool same = str_eq(from->name, to->name) && from->array == to->array;
    if (to->array || from->array)
        return false;
    if (is_text(from->name) && is_text(to->name))
        return str_eq(to->name, "text") || to->mod_count == 0 ||
               (from->mod_count == 1 && to->mods[0] >= from->mods[0] && str_eq(from->name, "varchar"));
    if (same &&
        (str_eq(to->name, "varbit") || str_eq(to->name, "timestamp") || str_eq(to->name, "timestamptz") ||
         str_eq(to->name, "time") || str_eq(to->name, "timetz") || str_eq(to->name, "interval")))
        return to->mod_count == 0 || (from->mod_count == 1 && to->mods[0] >= from->mods[0]);
    if (same && str_eq(to->name, "numeric")) {
        int64_t old_scale = from->mod_count > 1 ? from->mods[1] : 0;
        int64_t new_scale = to->mod_count > 1 ? to->mods[1] : 0;
        return to->mod_count == 0 ||
               (from->mod_count > 0 && old_scale == new_scale && to->mods[0] >= from->mods[0]);
    }
    if ((str_eq(from->name, "cidr") && str_eq(to->name, "inet")) ||
        (str_eq(from->name, "int4") && str_eq(to->name, "oid")))
        return true;
    return same && to->mod_count == from->mod_count && (to->mod_count < 1 || to->mods[0] == from->mods[0]);
}

static KnownColumn *known_of(const RuleCall *call)
{
    return known_column(known_table(call->stream->known, call->act->table), call->act->name);
}

/* USING computes each row anew, whatever the types are. */
static bool computes(const RuleCall *call) { return (call->act->flags & ACT_USING) != 0; }

static bool match_type_rewrite(RuleCall *call)
{
    const KnownColumn *known = known_of(call);
    if (column_of(call) == NULL)
        return false;
    if (known == NULL) {
        call->evidence = EVIDENCE_UNKNOWN;
        call->detail = "the old type is not in sight: a wider varchar or numeric, or text, would not be "
                       "written anew; \"stoa plan\" asks the server";
        return true;
    }
    return computes(call) || !is_free(&known->type, &column_of(call)->type);
}

static bool match_type_dependants(RuleCall *call)
{
    const KnownColumn *known = known_of(call);
    if (column_of(call) == NULL || known == NULL || computes(call) ||
        !is_free(&known->type, &column_of(call)->type))
        return false;
    call->evidence = EVIDENCE_UNKNOWN;
    return true;
}

static bool match_narrowing(RuleCall *call)
{
    const KnownColumn *known = known_of(call);
    const ActColumn *column = column_of(call);
    if (known == NULL || column == NULL || column->type.mod_count == 0)
        return false;
    bool texts = is_text(known->type.name) && is_text(column->type.name);
    bool same = str_eq(known->type.name, column->type.name);
    return (texts || same) && (known->type.mod_count == 0 || column->type.mods[0] < known->type.mods[0]);
}

static bool match_collation(RuleCall *call)
{
    return column_of(call) != NULL && column_of(call)->collation != NULL;
}

/* ---- NOT NULL ------------------------------------------------------------------------------- */

/* A validated check on the table proves it (12 and later). */
static bool is_proved(const RuleCall *call)
{
    KnownTable *table = known_table(call->stream->known, call->act->table);
    const KnownColumn *column = known_column(table, call->act->name);
    if (column != NULL && (column->not_null || (column->proved != NULL && version_of(call) >= 120000)))
        return true;
    for (size_t i = 0; table != NULL && i < table->constraints.len; i++)
        if (table->constraints.items[i].valid && str_eq(table->constraints.items[i].proves, call->act->name))
            return version_of(call) >= 120000;
    return false;
}

static bool match_set_not_null(RuleCall *call)
{
    const KnownTable *table = known_table(call->stream->known, call->act->table);
    if (is_proved(call))
        return false;
    if ((table == NULL || !table->complete) && version_of(call) >= 120000)
        call->evidence = EVIDENCE_UNKNOWN; /* a check may be there */
    if (version_of(call) >= 180000)
        call->safer = "ALTER TABLE {table} ADD CONSTRAINT {not_null} NOT NULL {column} NOT VALID;\n"
                      "ALTER TABLE {table} VALIDATE CONSTRAINT {not_null}; -- in a later transaction";
    if (version_of(call) < 120000)
        call->safer =
            "ALTER TABLE {table} ADD CONSTRAINT {not_null} CHECK ({column} IS NOT NULL) NOT VALID;\n"
            "ALTER TABLE {table} VALIDATE CONSTRAINT {not_null}; -- in a later transaction; keep the "
            "check";
    return true;
}

/* Nobody uses a column that the run itself adds. */
static bool match_old_column(RuleCall *call) { return known_of(call) == NULL || !known_of(call)->made; }

static bool match_named_not_null(RuleCall *call)
{
    const ActConstraint *spec = call->act->constraint;
    return spec != NULL && spec->not_null && !spec->not_valid;
}

/* ---- the rows ------------------------------------------------------------------------------- */

static const Rule rules[] = {
    {.id = "add-column-volatile-default",
     .severity = SEVERITY_BLOCK,
     .cost = COST_REWRITE,
     .engines = RULE_PG,
     .pg = {11, 0},
     .kinds = {ACT_ADD_COLUMN},
     .match = match_default_volatile,
     .message = "adding {table}.{column} with a default that is volatile writes the whole table anew",
     .why =
         "A volatile default gives every row a value of its own, so the server rewrites the heap and all "
         "indexes under ACCESS EXCLUSIVE; nobody reads or writes the table meanwhile. A constant, now() and "
         "other stable functions cost nothing from PostgreSQL 11 on.",
     .safer = "ALTER TABLE {table} ADD COLUMN {column} {type};\n"
              "ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT …; -- for new rows\n"
              "-- then fill old rows in batches, or: stoa apply with a backfill",
     .aliases = "squawk/adding-field-with-default, strong_migrations/add_column_default, "
                "online_migrations/add_column_with_default, pg-migration-lint/PGM006, "
                "pgfence/add-column-non-constant-default, atlas/PG302, "
                "bytebase/column_default_disallow_volatile, "
                "bytebase/statement_disallow_add_column_with_default"},
    {.id = "add-column-default-rewrite",
     .severity = SEVERITY_BLOCK,
     .cost = COST_REWRITE,
     .engines = RULE_PG,
     .pg = {0, 11},
     .kinds = {ACT_ADD_COLUMN},
     .match = match_default_old,
     .message = "adding {table}.{column} with a default writes the whole table anew before PostgreSQL 11",
     .why = "Up to PostgreSQL 10 every default but NULL is stored into all rows under ACCESS EXCLUSIVE.",
     .safer = "ALTER TABLE {table} ADD COLUMN {column} {type};\n"
              "ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT …;\n"
              "-- then fill old rows in batches",
     .aliases = "squawk/adding-field-with-default, strong_migrations/add_column_default"},
    {.id = "add-column-serial",
     .severity = SEVERITY_BLOCK,
     .cost = COST_REWRITE,
     .engines = RULE_PG,
     .kinds = {ACT_ADD_COLUMN},
     .match = match_serial,
     .message = "adding {table}.{column} as serial or identity writes the whole table anew",
     .why =
         "Every row is given the next number of a sequence, so heap and indexes are rewritten under ACCESS "
         "EXCLUSIVE.",
     .safer = "ALTER TABLE {table} ADD COLUMN {column} bigint;\n"
              "CREATE SEQUENCE {idx} OWNED BY {table}.{column};\n"
              "ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT nextval('{idx}');\n"
              "-- then fill old rows in batches and prove NOT NULL",
     .aliases = "eugene/E11, strong_migrations/add_column_auto_incrementing, pgfence/add-column-serial"},
    {.id = "add-column-stored-generated",
     .severity = SEVERITY_BLOCK,
     .cost = COST_REWRITE,
     .engines = RULE_PG,
     .pg = {12, 0},
     .kinds = {ACT_ADD_COLUMN},
     .match = match_stored,
     .message = "adding {table}.{column} as a stored generated column writes the whole table anew",
     .why =
         "The expression is computed for every row under ACCESS EXCLUSIVE. A column that a trigger fills, or "
         "a virtual one on PostgreSQL 18, writes no row.",
     .safer =
         "ALTER TABLE {table} ADD COLUMN {column} {type};\n"
         "-- fill it by trigger and in batches (stoa apply does both), or on 18: GENERATED ALWAYS AS (…) "
         "VIRTUAL",
     .aliases =
         "squawk/adding-field-with-default, strong_migrations/add_column_generated_stored, eugene/E11, "
         "pgfence/add-column-stored-generated"},
    {.id = "add-column-domain",
     .severity = SEVERITY_BLOCK,
     .cost = COST_REWRITE,
     .engines = RULE_PG,
     .kinds = {ACT_ADD_COLUMN},
     .match = match_domain,
     .message = "adding {table}.{column} of a domain with constraints writes the whole table anew",
     .why =
         "The server checks the domain's constraints row by row, and rewrites the table for it even without "
         "a default.",
     .safer = "ALTER TABLE {table} ADD COLUMN {column} …; -- the domain's base type\n"
              "ALTER TABLE {table} ADD CONSTRAINT {check} CHECK (…) NOT VALID;\n"
              "ALTER TABLE {table} VALIDATE CONSTRAINT {check}; -- in a later transaction"},
    {.id = "add-column-not-null",
     .severity = SEVERITY_BLOCK,
     .cost = COST_CONTENT,
     .engines = RULE_PG,
     .kinds = {ACT_ADD_COLUMN},
     .match = match_required,
     .message = "adding {table}.{column} NOT NULL without a default fails as soon as the table has a row",
     .why = "Old rows would have no value. On an empty table it works, so tests do not notice. The running "
            "application does not know the column either, and its INSERTs fail.",
     .safer = "ALTER TABLE {table} ADD COLUMN {column} {type};\n"
              "-- fill it in batches, then prove NOT NULL:\n"
              "ALTER TABLE {table} ADD CONSTRAINT {not_null} CHECK ({column} IS NOT NULL) NOT VALID;\n"
              "ALTER TABLE {table} VALIDATE CONSTRAINT {not_null}; -- in a later transaction\n"
              "ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL;",
     .aliases = "squawk/adding-required-field, pg-migration-lint/PGM008, atlas/MF103"},
    {.id = "add-column-check",
     .severity = SEVERITY_BLOCK,
     .cost = COST_SCAN,
     .engines = RULE_PG,
     .kinds = {ACT_ADD_COLUMN},
     .match = match_check,
     .message = "the check at {table}.{column} reads the whole table under ACCESS EXCLUSIVE",
     .why =
         "The server verifies the table even where the column's default is a constant (\"verifying table\" "
         "at debug1).",
     .safer = "ALTER TABLE {table} ADD COLUMN {column} {type};\n"
              "ALTER TABLE {table} ADD CONSTRAINT {check} CHECK (…) NOT VALID;\n"
              "ALTER TABLE {table} VALIDATE CONSTRAINT {check}; -- in a later transaction",
     .aliases = "eugene/E1"},
    {.id = "add-column-unique",
     .severity = SEVERITY_BLOCK,
     .cost = COST_BUILD,
     .engines = RULE_PG,
     .kinds = {ACT_ADD_COLUMN},
     .match = match_unique,
     .message = "the unique or primary key at {table}.{column} builds its index under ACCESS EXCLUSIVE",
     .why = "Readers and writers wait until the index is built.",
     .safer = "ALTER TABLE {table} ADD COLUMN {column} {type};\n"
              "CREATE UNIQUE INDEX CONCURRENTLY {key} ON {table} ({column});\n"
              "ALTER TABLE {table} ADD CONSTRAINT {key} UNIQUE USING INDEX {key};",
     .aliases = "squawk/disallowed-unique-constraint, squawk/adding-serial-primary-key-field"},
    {.id = "add-column-references-scan",
     .severity = SEVERITY_BLOCK,
     .cost = COST_SCAN,
     .engines = RULE_PG,
     .kinds = {ACT_ADD_COLUMN},
     .match = match_references_default,
     .message = "the foreign key at {table}.{column} with a default reads both tables under strong locks",
     .why =
         "With a default every row has a value to look up; {other} is locked SHARE ROW EXCLUSIVE meanwhile.",
     .safer =
         "ALTER TABLE {table} ADD COLUMN {column} {type} DEFAULT …;\n"
         "ALTER TABLE {table} ADD CONSTRAINT {fkey} FOREIGN KEY ({column}) REFERENCES {other} NOT VALID;\n"
         "ALTER TABLE {table} VALIDATE CONSTRAINT {fkey}; -- in a later transaction",
     .aliases = "squawk/adding-foreign-key-constraint"},
    {.id = "add-column-references",
     .severity = SEVERITY_NOTE,
     .engines = RULE_PG,
     .kinds = {ACT_ADD_COLUMN},
     .match = match_references,
     .message = "the foreign key at {table}.{column} locks {other} as well, for a moment",
     .why =
         "Nothing is read, since all values are NULL, but SHARE ROW EXCLUSIVE on {other} stops its writers "
         "while the statement waits for {table}.",
     .aliases = "squawk/adding-foreign-key-constraint"},
    {.id = "add-column-json",
     .severity = SEVERITY_WARN,
     .engines = RULE_PG,
     .kinds = {ACT_ADD_COLUMN},
     .match = match_json,
     .on_new = true,
     .message = "{table}.{column} is json, which has no equality: DISTINCT, GROUP BY and UNION fail on it",
     .why = "Queries that compare whole rows break as soon as the column is there; jsonb can be compared.",
     .safer = "ALTER TABLE {table} ADD COLUMN {column} jsonb;",
     .aliases = "strong_migrations/add_column_json, eugene/E3, pg-migration-lint/PGM106, "
                "pgfence/add-column-json"},
    {.id = "add-column-if-not-exists",
     .severity = SEVERITY_OFF,
     .engines = RULE_PG,
     .kinds = {ACT_ADD_COLUMN},
     .match = match_quiet_column,
     .message = "ADD COLUMN IF NOT EXISTS takes ACCESS EXCLUSIVE even where the column is there",
     .why =
         "It looks for the column under the lock, and hides a column of another type. Look into the catalog "
         "first."},
    {.id = "drop-column",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_ALL,
     .kinds = {ACT_DROP_COLUMN},
     .match = match_old_column,
     .message = "dropping {table}.{column} loses its data and breaks whoever still names it",
     .why = "The running application, views, functions and prepared statements may name the column; its "
            "indexes, "
            "constraints and foreign keys go along without a word. Take it out of the code first, see that "
            "nobody reads it, then drop its indexes, then the column.",
     .aliases = "squawk/ban-drop-column, strong_migrations/remove_column, pg-migration-lint/PGM009, "
                "pgfence/drop-column, atlas/DS103, bytebase/column_disallow_drop"},
    {.id = "rename-column",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_ALL,
     .kinds = {ACT_RENAME_COLUMN},
     .match = match_old_column,
     .message = "renaming {table}.{name} to {new} breaks whoever still uses the old name",
     .why =
         "Old and new application run side by side during a rollout, and one of them always names a column "
         "that is not there. Add the new column, write both, move the readers, then drop the old one "
         "(\"stoa apply\" does it), or offer both names by a view.",
     .aliases = "squawk/renaming-column, strong_migrations/rename_column, pg-migration-lint/PGM505, "
                "pgfence/rename-column, atlas/BC102, bytebase/migration_compatibility"},
    {.id = "change-type-rewrite",
     .severity = SEVERITY_BLOCK,
     .cost = COST_REWRITE,
     .engines = RULE_PG,
     .kinds = {ACT_CHANGE_TYPE},
     .match = match_type_rewrite,
     .message = "changing {table}.{column} to {type} writes the table and its indexes anew under ACCESS "
                "EXCLUSIVE",
     .why = "Readers and writers wait for all of it, and it fails where a view uses the column.",
     .safer = "ALTER TABLE {table} ADD COLUMN {column}_new {type};\n"
              "-- keep it filled by trigger, fill old rows in batches, then swap the names (stoa apply does)",
     .aliases = "squawk/changing-column-type, strong_migrations/change_column, eugene/E5, "
                "pg-migration-lint/PGM007, pgfence/alter-column-type, atlas/PG301, "
                "bytebase/column_disallow_changing_type"},
    {.id = "change-type-dependants",
     .severity = SEVERITY_NOTE,
     .cost = COST_SCAN,
     .engines = RULE_PG,
     .kinds = {ACT_CHANGE_TYPE},
     .match = match_type_dependants,
     .message =
         "the wider {table}.{column} writes no row, but builds partial and expression indexes over it, "
         "verifies its checks and locks tables that its foreign keys name",
     .why =
         "Measured on PostgreSQL 15: such an index is built under ACCESS EXCLUSIVE, a CHECK is verified, and "
         "a foreign key takes ACCESS EXCLUSIVE on the other table and reads both. Plain indexes are kept.",
     .safer = "-- if there are any: drop them before (DROP INDEX CONCURRENTLY) and make them again behind it",
     .aliases = "strong_migrations/change_column_constraint"},
    {.id = "change-type-narrowing",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_PG,
     .kinds = {ACT_CHANGE_TYPE},
     .match = match_narrowing,
     .message = "{table}.{column} gets a smaller limit: rows that do not fit make the statement fail",
     .why =
         "The table is read, or written anew, under ACCESS EXCLUSIVE, and all for nothing where one row is "
         "too long.",
     .safer = "ALTER TABLE {table} ADD CONSTRAINT {check} CHECK (length({column}) <= …) NOT VALID;\n"
              "ALTER TABLE {table} VALIDATE CONSTRAINT {check}; -- in a later transaction",
     .aliases = "squawk/changing-column-type"},
    {.id = "change-collation",
     .severity = SEVERITY_BLOCK,
     .cost = COST_BUILD,
     .engines = RULE_PG,
     .kinds = {ACT_CHANGE_TYPE},
     .match = match_collation,
     .message = "another collation for {table}.{column} builds all indexes over it under ACCESS EXCLUSIVE",
     .why = "The heap stays as it is, the order in every index does not.",
     .safer = "-- build indexes with COLLATE \"…\" concurrently and let queries name the collation"},
    {.id = "set-not-null-scan",
     .severity = SEVERITY_BLOCK,
     .cost = COST_SCAN,
     .engines = RULE_PG,
     .kinds = {ACT_SET_NOT_NULL},
     .match = match_set_not_null,
     .message = "SET NOT NULL on {table}.{column} reads the whole table under ACCESS EXCLUSIVE",
     .why =
         "From PostgreSQL 12 on a validated CHECK that implies it saves the scan; from 18 on NOT NULL itself "
         "can be added NOT VALID and validated while writers go on.",
     .safer = "ALTER TABLE {table} ADD CONSTRAINT {not_null} CHECK ({column} IS NOT NULL) NOT VALID;\n"
              "ALTER TABLE {table} VALIDATE CONSTRAINT {not_null}; -- in a later transaction\n"
              "ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL;\n"
              "ALTER TABLE {table} DROP CONSTRAINT {not_null};",
     .fix = fix_not_null,
     .aliases = "squawk/adding-not-nullable-field, strong_migrations/change_column_null, eugene/E2, "
                "pg-migration-lint/PGM013, atlas/PG303, bytebase/column_disallow_add_not_null"},
    {.id = "add-not-null-scan",
     .severity = SEVERITY_BLOCK,
     .cost = COST_SCAN,
     .engines = RULE_PG,
     .pg = {18, 0},
     .kinds = {ACT_ADD_CONSTRAINT},
     .match = match_named_not_null,
     .message = "adding NOT NULL for {table}.{column} reads the whole table under ACCESS EXCLUSIVE",
     .why = "PostgreSQL 18 can add it NOT VALID: one short lock, then a scan beside readers and writers.",
     .safer = "ALTER TABLE {table} ADD CONSTRAINT {not_null} NOT NULL {column} NOT VALID;\n"
              "ALTER TABLE {table} VALIDATE CONSTRAINT {not_null}; -- in a later transaction",
     .fix = fix_not_valid},
    {.id = "drop-not-null",
     .severity = SEVERITY_WARN,
     .engines = RULE_PG,
     .kinds = {ACT_DROP_NOT_NULL},
     .match = match_old_column,
     .message = "{table}.{column} may be NULL from now on: readers that do not expect it break",
     .why = "The lock is short; the running application is the risk.",
     .aliases = "squawk/ban-drop-not-null, pg-migration-lint/PGM507, pgfence/drop-not-null"},
    {.id = "change-default",
     .severity = SEVERITY_NOTE,
     .engines = RULE_ALL,
     .kinds = {ACT_SET_DEFAULT},
     .match = match_old_column,
     .message =
         "another default for {table}.{column} holds for new rows only, and not for an application that "
         "sends the old one",
     .why = "Libraries that remember defaults go on writing the old value until they are restarted.",
     .aliases = "strong_migrations/change_column_default, online_migrations/change_column_default"},
    {.id = "set-storage",
     .severity = SEVERITY_NOTE,
     .engines = RULE_PG,
     .kinds = {ACT_SET_STORAGE},
     .message = "SET {value} for {table}.{column} takes ACCESS EXCLUSIVE, for a moment",
     .why =
         "It writes no row, but waits behind every query of the table and holds up those that come later."},
    {.id = "set-statistics",
     .severity = SEVERITY_OFF,
     .engines = RULE_PG,
     .kinds = {ACT_SET_STATISTICS},
     .message = "{table} is locked SHARE UPDATE EXCLUSIVE: nobody but vacuum and other definitions waits",
     .why = "SET STATISTICS and options of columns stop neither readers nor writers; they wait for a running "
            "vacuum."},
    {.id = "set-expression",
     .severity = SEVERITY_BLOCK,
     .cost = COST_REWRITE,
     .engines = RULE_PG,
     .pg = {17, 0},
     .kinds = {ACT_SET_EXPRESSION},
     .message = "SET EXPRESSION for {table}.{name} writes the whole table anew",
     .why = "All stored values are computed again under ACCESS EXCLUSIVE (PostgreSQL 17).",
     .safer = "-- add a new column with the new expression, fill it, and swap the names"},
};

const RulePage rules_column_pg = {"Columns", rules, ARRAY_LEN(rules)};
