/* Rules about constraints of PostgreSQL. */
#include "base/str.h"
#include "check/fix.h"
#include "check/rule.h"

static const ActConstraint *spec_of(const RuleCall *call) { return call->act->constraint; }

static bool is_kind(const RuleCall *call, ConstraintKind kind)
{
    const ActConstraint *spec = spec_of(call);
    return spec != NULL && !spec->not_null && spec->kind == kind;
}

static bool match_check_scan(RuleCall *call)
{
    return is_kind(call, CONSTRAINT_CHECK) && !spec_of(call)->not_valid && !spec_of(call)->not_enforced;
}

static bool match_key_scan(RuleCall *call)
{
    return is_kind(call, CONSTRAINT_FOREIGN_KEY) && !spec_of(call)->not_valid && !spec_of(call)->not_enforced;
}

static bool match_key_partitioned(RuleCall *call)
{
    const KnownTable *table = known_table(call->stream->known, call->act->table);
    return is_kind(call, CONSTRAINT_FOREIGN_KEY) && spec_of(call)->not_valid && table != NULL &&
           table->partitioned;
}

static bool same_table(const Act *a, const Act *b) { return str_eq(a->table.name, b->table.name); }

static bool match_validate_same(RuleCall *call)
{
    const Stream *stream = call->stream;
    if (!stream_in_transaction(stream))
        return false;
    for (size_t i = 0; i < stream->not_valid.len; i++)
        if (str_eq(stream->not_valid.items[i]->name, call->act->name) &&
            same_table(stream->not_valid.items[i], call->act))
            return true;
    return false;
}

static bool match_unique(RuleCall *call)
{
    return is_kind(call, CONSTRAINT_UNIQUE) && spec_of(call)->index_name == NULL;
}

static bool match_using_index(RuleCall *call)
{
    return (is_kind(call, CONSTRAINT_UNIQUE) || is_kind(call, CONSTRAINT_PRIMARY_KEY)) &&
           spec_of(call)->index_name != NULL;
}

static bool match_primary(RuleCall *call)
{
    return is_kind(call, CONSTRAINT_PRIMARY_KEY) && spec_of(call)->index_name == NULL;
}

static bool unsure(RuleCall *call)
{
    call->evidence = EVIDENCE_UNKNOWN;
    call->severity = SEVERITY_WARN;
    return true;
}

/* The columns of the index are NOT NULL already, as far as that is in sight. */
static bool match_primary_nullable(RuleCall *call)
{
    KnownTable *table = known_table(call->stream->known, call->act->table);
    if (!is_kind(call, CONSTRAINT_PRIMARY_KEY) || spec_of(call)->index_name == NULL)
        return false;
    for (size_t i = 0; table != NULL && i < table->indexes.len; i++) {
        const KnownIndex *index = &table->indexes.items[i];
        bool all = true;
        if (!str_eq(index->name, spec_of(call)->index_name))
            continue;
        for (size_t j = 0; j < index->key_count; j++) {
            const KnownColumn *column = known_column(table, index->keys[j]);
            if (column != NULL && !column->not_null && column->proved == NULL)
                return true;
            all = all && column != NULL;
        }
        return all ? false : unsure(call);
    }
    return unsure(call);
}

static bool match_exclude(RuleCall *call) { return is_kind(call, CONSTRAINT_EXCLUDE); }

static const KnownConstraint *dropped(const RuleCall *call)
{
    const KnownTable *table = known_table(call->stream->known, call->act->table);
    for (size_t i = 0; table != NULL && i < table->constraints.len; i++)
        if (str_eq(table->constraints.items[i].name, call->act->name))
            return &table->constraints.items[i];
    return NULL;
}

/* A check that has done its work, or was never valid, takes nothing away. */
static bool match_drop(RuleCall *call)
{
    const KnownConstraint *known = dropped(call);
    if (known == NULL) {
        call->evidence = EVIDENCE_UNKNOWN;
        return true;
    }
    if (known->kind == CONSTRAINT_CHECK)
        return false;
    if (known->kind != CONSTRAINT_FOREIGN_KEY)
        call->detail = "its index goes along";
    return true;
}

/* ---- foreign keys --------------------------------------------------------------------------- */

/* Of a table constraint or a column, as one. */
static ActConstraint key_of(const Act *act, const char **columns)
{
    if (act->kind == ACT_ADD_CONSTRAINT)
        return *act->constraint;
    columns[0] = act->column->name;
    return (ActConstraint){.kind = CONSTRAINT_FOREIGN_KEY,
                           .columns = columns,
                           .column_count = 1,
                           .references = act->column->parent,
                           .on_delete = act->column->on_delete,
                           .ref_columns = &act->column->ref_column,
                           .ref_column_count = act->column->ref_column != NULL ? 1 : 0};
}

static bool is_key(const RuleCall *call)
{
    const Act *act = call->act;
    return act->kind == ACT_ADD_CONSTRAINT ? is_kind(call, CONSTRAINT_FOREIGN_KEY)
                                           : act->column != NULL && act->column->references;
}

static bool match_key_index(RuleCall *call)
{
    const char *columns[1];
    if (!is_key(call))
        return false;
    ActConstraint key = key_of(call->act, columns);
    const KnownTable *table = known_table(call->stream->known, call->act->table);
    if (table != NULL && known_index_on(table, key.columns, key.column_count) != NULL)
        return false;
    if (table == NULL || !table->complete)
        call->evidence = EVIDENCE_UNKNOWN;
    return true;
}

static bool match_key_type(RuleCall *call)
{
    const char *columns[1];
    if (!is_key(call))
        return false;
    ActConstraint key = key_of(call->act, columns);
    KnownTable *table = known_table(call->stream->known, call->act->table);
    KnownTable *parent = known_table(call->stream->known, key.references);
    for (size_t i = 0; i < key.column_count && i < key.ref_column_count; i++) {
        const KnownColumn *own = known_column(table, key.columns[i]);
        const KnownColumn *other = known_column(parent, key.ref_columns[i]);
        const ActType *type = own != NULL                 ? &own->type
                              : call->act->column != NULL ? &call->act->column->type
                                                          : NULL;
        if (type != NULL && other != NULL && type->name != NULL && other->type.name != NULL &&
            !str_eq(type->name, other->type.name))
            return true;
    }
    return false;
}

static bool match_key_cascade(RuleCall *call)
{
    const char *columns[1];
    return is_key(call) && key_of(call->act, columns).on_delete == 'c';
}

static bool match_key_set_null(RuleCall *call)
{
    const char *columns[1];
    if (!is_key(call))
        return false;
    ActConstraint key = key_of(call->act, columns);
    KnownTable *table = known_table(call->stream->known, call->act->table);
    const KnownColumn *column = key.column_count > 0 ? known_column(table, key.columns[0]) : NULL;
    bool not_null =
        column != NULL ? column->not_null : call->act->column != NULL && call->act->column->not_null;
    return key.on_delete == 'n' && not_null;
}

static bool match_enforced(RuleCall *call) { return str_eq(call->act->value, "ENFORCED"); }

static const Rule rules[] = {
    {.id = "add-check-scan",
     .severity = SEVERITY_BLOCK,
     .cost = COST_SCAN,
     .engines = RULE_PG,
     .kinds = {ACT_ADD_CONSTRAINT},
     .match = match_check_scan,
     .message = "adding a CHECK reads all of {table} under ACCESS EXCLUSIVE",
     .why =
         "NOT VALID takes the lock for a moment only, and binds new rows at once; VALIDATE reads the table "
         "under SHARE UPDATE EXCLUSIVE, beside readers and writers.",
     .safer = "ALTER TABLE {table} ADD {definition} NOT VALID;\n"
              "ALTER TABLE {table} VALIDATE CONSTRAINT {check}; -- in a later transaction",
     .fix = fix_not_valid,
     .aliases = "squawk/constraint-missing-not-valid, strong_migrations/add_check_constraint, eugene/E1, "
                "pg-migration-lint/PGM015, atlas/PG305"},
    {.id = "add-foreign-key-scan",
     .severity = SEVERITY_BLOCK,
     .cost = COST_SCAN,
     .engines = RULE_PG,
     .kinds = {ACT_ADD_CONSTRAINT},
     .match = match_key_scan,
     .message = "adding a foreign key stops writers of {table} and {other} while both are read",
     .why =
         "SHARE ROW EXCLUSIVE is held on both tables during the join. NOT VALID takes it for a moment only.",
     .safer = "ALTER TABLE {table} ADD {definition} NOT VALID;\n"
              "ALTER TABLE {table} VALIDATE CONSTRAINT {fkey}; -- in a later transaction",
     .fix = fix_not_valid,
     .aliases = "squawk/adding-foreign-key-constraint, strong_migrations/add_foreign_key, eugene/E1, "
                "pg-migration-lint/PGM014, atlas/PG306"},
    {.id = "foreign-key-partitioned",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_PG,
     .pg = {0, 18},
     .kinds = {ACT_ADD_CONSTRAINT},
     .match = match_key_partitioned,
     .on_new = true,
     .message = "a foreign key of the partitioned table {table} cannot be NOT VALID before PostgreSQL 18",
     .why = "The statement fails. Add the key to each partition first, so that the one of the parent finds "
            "nothing left to do.",
     .safer = "-- for each partition: ADD … NOT VALID, VALIDATE; then on {table}: ADD {definition}"},
    {.id = "validate-same-transaction",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_PG,
     .kinds = {ACT_VALIDATE},
     .match = match_validate_same,
     .message =
         "{name} is validated in the transaction that adds it: the strong lock is held during the scan",
     .why = "A transaction keeps its strongest lock to the end, so NOT VALID has gained nothing.",
     .safer =
         "COMMIT; -- then, in a transaction of its own:\nALTER TABLE {table} VALIDATE CONSTRAINT {name};",
     .aliases = "squawk/constraint-missing-not-valid, strong_migrations/validate_foreign_key, "
                "pgfence/not-valid-validate-same-tx"},
    {.id = "add-unique-build",
     .severity = SEVERITY_BLOCK,
     .cost = COST_BUILD,
     .engines = RULE_PG,
     .kinds = {ACT_ADD_CONSTRAINT},
     .match = match_unique,
     .message = "adding UNIQUE builds an index on {table} under ACCESS EXCLUSIVE",
     .why = "Build the index beside readers and writers, then give it to the constraint.",
     .safer = "CREATE UNIQUE INDEX CONCURRENTLY {key} ON {table} ({columns});\n"
              "ALTER TABLE {table} ADD CONSTRAINT {key} UNIQUE USING INDEX {key};",
     .fix = fix_unique,
     .aliases = "squawk/disallowed-unique-constraint, strong_migrations/add_unique_constraint, eugene/E7, "
                "pg-migration-lint/PGM017, atlas/PG105"},
    {.id = "using-index",
     .severity = SEVERITY_OFF,
     .engines = RULE_PG,
     .kinds = {ACT_ADD_CONSTRAINT},
     .match = match_using_index,
     .message = "USING INDEX takes ACCESS EXCLUSIVE on {table}, for a moment",
     .why = "It writes nothing: set lock_timeout and try again."},
    {.id = "add-primary-key-build",
     .severity = SEVERITY_BLOCK,
     .cost = COST_BUILD,
     .engines = RULE_PG,
     .kinds = {ACT_ADD_CONSTRAINT},
     .match = match_primary,
     .message = "adding a primary key reads {table} and builds an index under ACCESS EXCLUSIVE",
     .why = "The columns are proved NOT NULL and the index is built while everybody waits.",
     .safer = "CREATE UNIQUE INDEX CONCURRENTLY {pkey} ON {table} ({columns});\n"
              "-- prove NOT NULL by a validated check, then:\n"
              "ALTER TABLE {table} ADD CONSTRAINT {pkey} PRIMARY KEY USING INDEX {pkey};",
     .aliases = "squawk/adding-serial-primary-key-field, eugene/E7, pg-migration-lint/PGM016, atlas/PG104"},
    {.id = "primary-key-nullable",
     .severity = SEVERITY_BLOCK,
     .cost = COST_SCAN,
     .engines = RULE_PG,
     .kinds = {ACT_ADD_CONSTRAINT},
     .match = match_primary_nullable,
     .message = "the primary key reads all of {table} under ACCESS EXCLUSIVE unless its columns are NOT NULL "
                "already",
     .why = "PRIMARY KEY USING INDEX contains a SET NOT NULL for every column that is not.",
     .safer = "ALTER TABLE {table} ADD CONSTRAINT … CHECK (… IS NOT NULL) NOT VALID;\n"
              "ALTER TABLE {table} VALIDATE CONSTRAINT …; -- in a later transaction\n"
              "ALTER TABLE {table} ALTER COLUMN … SET NOT NULL;",
     .aliases = "eugene/W14, atlas/PG304, pgfence/add-pk-using-index"},
    {.id = "add-exclusion",
     .severity = SEVERITY_BLOCK,
     .cost = COST_BUILD,
     .engines = RULE_PG,
     .kinds = {ACT_ADD_CONSTRAINT},
     .match = match_exclude,
     .message =
         "EXCLUDE builds an index on {table} under ACCESS EXCLUSIVE, and there is no other way to add it",
     .why = "No index can be given to it.",
     .safer =
         "CREATE TABLE {copy} (LIKE {table} INCLUDING ALL);\n"
         "ALTER TABLE {copy} ADD {definition};\n-- fill it in batches beside a trigger, then swap the names",
     .aliases = "eugene/E8, strong_migrations/add_exclusion_constraint, pg-migration-lint/PGM019"},
    {.id = "drop-constraint",
     .severity = SEVERITY_WARN,
     .engines = RULE_ALL,
     .kinds = {ACT_DROP_CONSTRAINT},
     .match = match_drop,
     .message = "dropping {name} takes what it kept right; a foreign key locks the other table as well",
     .why = "PostgreSQL takes ACCESS EXCLUSIVE on both tables of a foreign key.",
     .aliases = "pgfence/drop-constraint, atlas/CD101"},
    {.id = "foreign-key-without-index",
     .severity = SEVERITY_NOTE,
     .engines = RULE_PG,
     .kinds = {ACT_ADD_CONSTRAINT, ACT_ADD_COLUMN},
     .match = match_key_index,
     .message =
         "no index on {table} ({columns}) is in sight: every DELETE or change of a key in {other} reads "
         "all of {table}",
     .why = "PostgreSQL makes no index for the referring side of a foreign key.",
     .safer = "CREATE INDEX CONCURRENTLY {idx} ON {table} ({columns});",
     .aliases = "eugene/E15, pg-migration-lint/PGM501, pgfence/fk-missing-index"},
    {.id = "foreign-key-type",
     .severity = SEVERITY_WARN,
     .engines = RULE_ALL,
     .kinds = {ACT_ADD_CONSTRAINT, ACT_ADD_COLUMN},
     .match = match_key_type,
     .on_new = true,
     .message = "{table}.{column} has another type than the key of {other} that it refers to",
     .why = "The smaller one runs over first, and comparing them may do without the index.",
     .aliases = "online_migrations/mismatched_foreign_key_type"},
    {.id = "foreign-key-set-null",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_ALL,
     .kinds = {ACT_ADD_CONSTRAINT, ACT_ADD_COLUMN},
     .match = match_key_set_null,
     .on_new = true,
     .message = "ON DELETE SET NULL on {table}.{column}, which is NOT NULL: every DELETE in {other} fails",
     .why = "The mistake shows when the first row is deleted."},
    {.id = "foreign-key-cascade",
     .severity = SEVERITY_NOTE,
     .engines = RULE_ALL,
     .kinds = {ACT_ADD_CONSTRAINT, ACT_ADD_COLUMN},
     .match = match_key_cascade,
     .on_new = true,
     .message = "ON DELETE CASCADE: one DELETE in {other} may take many rows of {table} along, in one "
                "transaction",
     .why = "It holds their locks to the end, and replicas apply it at once.",
     .aliases = "bytebase/disallow_on_del_cascade"},
    {.id = "constraint-enforced",
     .severity = SEVERITY_BLOCK,
     .cost = COST_SCAN,
     .engines = RULE_PG,
     .pg = {18, 0},
     .kinds = {ACT_ALTER_CONSTRAINT},
     .match = match_enforced,
     .message = "ENFORCED reads {table} to prove {name}, under the lock that ALTER TABLE takes",
     .why = "A constraint that was NOT ENFORCED has never been checked; enforcing it validates all rows.",
     .safer = "ALTER TABLE {table} DROP CONSTRAINT {name};\n"
              "ALTER TABLE {table} ADD CONSTRAINT {name} … NOT VALID;\n"
              "ALTER TABLE {table} VALIDATE CONSTRAINT {name}; -- in a later transaction"},
};

const RulePage rules_constraint_pg = {"Constraints", rules, ARRAY_LEN(rules)};
