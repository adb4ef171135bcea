/* Rules about indexes and partitions of PostgreSQL, and maintenance that rewrites. */
#include "base/str.h"
#include "check/fix.h"
#include "check/rule.h"

#include <string.h>
#include <strings.h>

static bool has(const RuleCall *call, unsigned flag) { return (call->act->flags & flag) != 0; }

static KnownTable *table_of(const RuleCall *call)
{
    return known_table(call->stream->known, call->act->table);
}

static bool is_partitioned(const RuleCall *call)
{
    return table_of(call) != NULL && table_of(call)->partitioned;
}

static bool match_create(RuleCall *call)
{
    if (has(call, ACT_ONLY)) {
        call->evidence = EVIDENCE_UNKNOWN;
        call->severity = SEVERITY_WARN;
        call->detail = "on a partitioned table ON ONLY builds nothing";
    }
    return !has(call, ACT_CONCURRENTLY) && !is_partitioned(call);
}

static bool match_create_partitioned(RuleCall *call)
{
    if (!is_partitioned(call) || has(call, ACT_ONLY))
        return false;
    if (has(call, ACT_CONCURRENTLY))
        call->detail = "CONCURRENTLY is refused there";
    return has(call, ACT_CONCURRENTLY) || !table_of(call)->made;
}

static bool match_concurrently(RuleCall *call)
{
    if (!has(call, ACT_CONCURRENTLY) || call->act->kind == ACT_REFRESH ||
        !stream_in_transaction(call->stream))
        return false;
    if (call->stream->model == TX_MESSAGE && !call->stream->begun)
        call->detail =
            "the tool sends the file as one message: leave the statement alone in a file of its own";
    else if (call->stream->model == TX_WRAPPED && !call->stream->begun)
        call->detail = "the tool puts the file into a transaction: write its word for none";
    return true;
}

static bool match_quiet(RuleCall *call)
{
    return has(call, ACT_CONCURRENTLY) && has(call, ACT_IF_NOT_EXISTS);
}

static bool match_unnamed(RuleCall *call) { return has(call, ACT_CONCURRENTLY) && call->act->name == NULL; }

static bool match_any_concurrently(RuleCall *call) { return has(call, ACT_CONCURRENTLY); }

static bool match_unique(RuleCall *call) { return has(call, ACT_UNIQUE) && call->act->words != NULL; }

static bool is_index_of_made(const RuleCall *call)
{
    const KnownThing *index = known_find(call->stream->known, KNOWN_INDEX, call->act->table);
    return index != NULL && index->table->made;
}

static bool match_drop(RuleCall *call) { return !has(call, ACT_CONCURRENTLY) && !is_index_of_made(call); }

static bool match_drop_used(RuleCall *call) { return !is_index_of_made(call); }

static bool match_reindex(RuleCall *call)
{
    if (call->stream->target->version < 120000)
        call->safer = "-- build a new index CONCURRENTLY, drop the old one CONCURRENTLY, rename the new one";
    return !has(call, ACT_CONCURRENTLY);
}

static bool match_hash(RuleCall *call) { return str_eq(call->act->method, "hash"); }

static bool match_wide(RuleCall *call) { return call->act->key_count > 3 && !has(call, ACT_UNIQUE); }

static bool match_duplicate(RuleCall *call)
{
    const KnownTable *table = table_of(call);
    bool other = call->act->method != NULL && strcasecmp(call->act->method, "btree") != 0;
    if (table == NULL || has(call, ACT_UNIQUE | ACT_PARTIAL | ACT_SPECIAL) || call->act->key_count == 0 ||
        other)
        return false; /* a small BRIN beside a btree has its use */
    for (size_t i = 0; i < call->act->key_count; i++)
        if (call->act->keys[i] == NULL)
            return false;
    return known_index_on(table, call->act->keys, call->act->key_count) != NULL;
}

static bool match_vacuum(RuleCall *call) { return has(call, ACT_FULL); }

static bool match_refresh(RuleCall *call) { return !has(call, ACT_CONCURRENTLY) && !has(call, ACT_DROPS); }

static bool match_refresh_concurrently(RuleCall *call) { return has(call, ACT_CONCURRENTLY); }

static bool match_repack(RuleCall *call) { return !has(call, ACT_CONCURRENTLY); }

/* ---- partitions ----------------------------------------------------------------------------- */

static bool match_attach(RuleCall *call)
{
    const KnownTable *partition = known_table(call->stream->known, call->act->other);
    if (partition != NULL && partition->made)
        return false;
    for (size_t i = 0; partition != NULL && i < partition->constraints.len; i++)
        if (partition->constraints.items[i].kind == CONSTRAINT_CHECK &&
            partition->constraints.items[i].valid) {
            call->severity = SEVERITY_NOTE;
            call->detail =
                "a validated check is in sight; whether it matches the bounds, IS NOT NULL included, "
                "\"stoa plan\" finds out";
        }
    call->evidence = EVIDENCE_UNKNOWN;
    return true;
}

/* The default partition is read for rows that now belong elsewhere. */
static bool match_default_partition(RuleCall *call)
{
    const Act *act = call->act;
    Name parent = act->kind == ACT_ATTACH ? act->table : act->other;
    const KnownTable *table = known_table(call->stream->known, parent);
    if ((act->kind == ACT_CREATE_TABLE && !has(call, ACT_PARTITION_OF)) ||
        (table != NULL && table->made && !table->default_partition) || has(call, ACT_DEFAULT_PARTITION))
        return false;
    if (table == NULL || !table->default_partition) {
        call->evidence = EVIDENCE_UNKNOWN;
        call->severity = SEVERITY_NOTE;
        call->detail = "whether there is one is not in sight";
    }
    return table == NULL || !table->made;
}

static bool match_partition_of(RuleCall *call)
{
    return has(call, ACT_PARTITION_OF) && !known_is_made(call->stream->known, call->act->other);
}

static bool match_detach(RuleCall *call) { return !has(call, ACT_CONCURRENTLY) && !has(call, ACT_FINALIZE); }

static bool match_drop_partition(RuleCall *call)
{
    const KnownTable *table = table_of(call);
    return table != NULL && table->parent.name != NULL && !table->made;
}

static const Rule rules[] = {
    {.id = "create-index-blocks",
     .severity = SEVERITY_BLOCK,
     .cost = COST_BUILD,
     .engines = RULE_PG,
     .kinds = {ACT_CREATE_INDEX},
     .match = match_create,
     .message = "CREATE INDEX stops all writers of {table} until it is built",
     .why = "SHARE conflicts with every INSERT, UPDATE and DELETE. CONCURRENTLY builds beside them.",
     .safer = "CREATE INDEX CONCURRENTLY {idx} ON {table} ({columns}); -- outside of a transaction",
     .fix = fix_concurrently,
     .aliases = "squawk/require-concurrent-index-creation, strong_migrations/add_index, eugene/E6, "
                "pg-migration-lint/PGM001, atlas/PG101"},
    {.id = "create-index-partitioned",
     .severity = SEVERITY_BLOCK,
     .cost = COST_BUILD,
     .engines = RULE_PG,
     .pg = {11, 0},
     .kinds = {ACT_CREATE_INDEX},
     .match = match_create_partitioned,
     .on_new = true,
     .message = "an index on the partitioned table {table} stops the writers of all partitions together",
     .why = "Make it on the parent alone, build one for each partition concurrently, and attach them.",
     .safer = "CREATE INDEX {idx} ON ONLY {table} ({columns});\n"
              "-- for each partition p: CREATE INDEX CONCURRENTLY p_idx ON p ({columns});\n"
              "--                       ALTER INDEX {idx} ATTACH PARTITION p_idx;"},
    {.id = "concurrently-in-transaction",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_PG,
     .kinds = {ACT_CREATE_INDEX, ACT_DROP_INDEX, ACT_REINDEX, ACT_DETACH, ACT_REPACK},
     .match = match_concurrently,
     .on_new = true,
     .message = "CONCURRENTLY cannot run in a transaction: the statement fails (25001)",
     .why = "It commits several times by itself. Tools that wrap a file in a transaction, or send several "
            "statements as one message, make it fail as well.",
     .safer = "COMMIT; -- or the tool's word for no transaction, in a file of its own\n{action};",
     .aliases = "squawk/ban-concurrent-index-creation-in-transaction, pg-migration-lint/PGM003, atlas/PG103"},
    {.id = "index-if-not-exists",
     .severity = SEVERITY_WARN,
     .engines = RULE_PG,
     .kinds = {ACT_CREATE_INDEX},
     .match = match_quiet,
     .message = "IF NOT EXISTS keeps an INVALID {name} that an interrupted build left, and says only "
                "\"skipping\"",
     .why = "The index is never used, but slows every write. Drop a leftover before building.",
     .safer = "DROP INDEX CONCURRENTLY IF EXISTS {name}; -- where pg_index.indisvalid is false\n"
              "CREATE INDEX CONCURRENTLY {idx} ON {table} ({columns});",
     .aliases = "strong_migrations/remove_invalid_indexes"},
    {.id = "index-unnamed",
     .severity = SEVERITY_WARN,
     .engines = RULE_PG,
     .kinds = {ACT_CREATE_INDEX},
     .match = match_unnamed,
     .message = "an index without a name on {table}: each try that fails leaves another INVALID one",
     .why = "With a name the second try finds the leftover of the first.",
     .safer = "CREATE INDEX CONCURRENTLY {idx} ON {table} ({columns});",
     .aliases = "squawk/prefer-robust-stmts"},
    {.id = "index-corruption-14",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_PG,
     .pg = {140000, 140004},
     .kinds = {ACT_CREATE_INDEX, ACT_REINDEX},
     .match = match_any_concurrently,
     .message = "indexes built concurrently on PostgreSQL 14.0 to 14.3 may lack rows",
     .why = "A bug of these versions; 14.4 mends it. Upgrade first, and rebuild what was built.",
     .aliases = "strong_migrations/add_index_corruption"},
    {.id = "unique-index-duplicates",
     .severity = SEVERITY_NOTE,
     .engines = RULE_ALL,
     .kinds = {ACT_CREATE_INDEX},
     .match = match_unique,
     .message = "a unique index on {table} ({columns}) fails at its end where two rows are alike",
     .why =
         "PostgreSQL leaves an INVALID index that still refuses new duplicates; MySQL has copied or built in "
         "vain.",
     .safer =
         "SELECT {columns}, count(*) FROM {table} GROUP BY {columns} HAVING count(*) > 1 LIMIT 10; -- first",
     .aliases = "atlas/MF101, atlas/MF102"},
    {.id = "drop-index-blocks",
     .severity = SEVERITY_WARN,
     .engines = RULE_PG,
     .kinds = {ACT_DROP_INDEX},
     .match = match_drop,
     .message = "DROP INDEX {table} takes ACCESS EXCLUSIVE on its table: readers and writers wait",
     .why = "CONCURRENTLY waits for them instead. An index of a constraint or a partitioned table cannot be "
            "dropped so.",
     .safer = "DROP INDEX CONCURRENTLY {table}; -- outside of a transaction",
     .fix = fix_concurrently,
     .aliases = "squawk/require-concurrent-index-deletion, strong_migrations/remove_index, "
                "pg-migration-lint/PGM002, atlas/PG102"},
    {.id = "drop-index-in-use",
     .severity = SEVERITY_NOTE,
     .engines = RULE_ALL,
     .kinds = {ACT_DROP_INDEX},
     .match = match_drop_used,
     .message = "queries that use index {name} become slow at once, and building it again takes its time",
     .why = "Look at pg_stat_user_indexes first; MySQL 8.0 can make it INVISIBLE, MariaDB 10.6 IGNORED, and "
            "back "
            "in a moment.",
     .aliases = "online_migrations/replace_index"},
    {.id = "reindex-blocks",
     .severity = SEVERITY_BLOCK,
     .cost = COST_BUILD,
     .engines = RULE_PG,
     .kinds = {ACT_REINDEX},
     .match = match_reindex,
     .message = "REINDEX stops writers of the table, and readers that want the index",
     .why = "SHARE on the table and ACCESS EXCLUSIVE on the index; CONCURRENTLY builds a new one beside it.",
     .safer = "REINDEX {value} CONCURRENTLY {table}; -- outside of a transaction",
     .fix = fix_concurrently,
     .aliases = "squawk/require-concurrent-reindex, pg-migration-lint/PGM022"},
    {.id = "index-hash",
     .severity = SEVERITY_OFF,
     .engines = RULE_PG,
     .kinds = {ACT_CREATE_INDEX},
     .match = match_hash,
     .on_new = true,
     .message = "a hash index on {table} answers = only, and cannot be unique",
     .why = "A btree does the same and more.",
     .aliases = "online_migrations/add_hash_index"},
    {.id = "index-wide",
     .severity = SEVERITY_NOTE,
     .engines = RULE_ALL,
     .kinds = {ACT_CREATE_INDEX},
     .match = match_wide,
     .on_new = true,
     .message = "an index over {columns} is large, and columns behind the third seldom help",
     .why = "Every write of the table pays for it.",
     .aliases = "strong_migrations/add_index_columns"},
    {.id = "index-duplicate",
     .severity = SEVERITY_WARN,
     .engines = RULE_ALL,
     .kinds = {ACT_CREATE_INDEX},
     .match = match_duplicate,
     .on_new = true,
     .message = "another index of {table} begins with {columns} already",
     .why = "The longer one answers the same queries; every write pays for both.",
     .aliases = "pg-migration-lint/PGM508, skeema/lint-dupe-index"},
    {.id = "cluster",
     .severity = SEVERITY_BLOCK,
     .cost = COST_REWRITE,
     .engines = RULE_PG,
     .kinds = {ACT_CLUSTER},
     .message = "CLUSTER writes {table} anew under ACCESS EXCLUSIVE",
     .why = "Readers and writers wait for all of it.",
     .safer = "-- pg_repack, or from PostgreSQL 19: REPACK (CONCURRENTLY) {table};",
     .aliases = "squawk/prefer-repack, pg-migration-lint/PGM018"},
    {.id = "vacuum-full",
     .severity = SEVERITY_BLOCK,
     .cost = COST_REWRITE,
     .engines = RULE_PG,
     .kinds = {ACT_VACUUM},
     .match = match_vacuum,
     .message = "VACUUM FULL writes {table} anew under ACCESS EXCLUSIVE",
     .why = "Readers and writers wait for all of it.",
     .safer = "-- pg_repack, or from PostgreSQL 19: REPACK (CONCURRENTLY) {table};",
     .aliases = "squawk/prefer-repack, pg-migration-lint/PGM021, pgfence/vacuum-full"},
    {.id = "repack-blocks",
     .severity = SEVERITY_BLOCK,
     .cost = COST_REWRITE,
     .engines = RULE_PG,
     .pg = {19, 0},
     .kinds = {ACT_REPACK},
     .match = match_repack,
     .message = "REPACK without CONCURRENTLY writes {table} anew under ACCESS EXCLUSIVE",
     .why = "Readers and writers wait for all of it.",
     .safer = "REPACK (CONCURRENTLY) {table}; -- one at a time: it uses a replication slot"},
    {.id = "refresh-materialized-view",
     .severity = SEVERITY_BLOCK,
     .cost = COST_REWRITE,
     .engines = RULE_PG,
     .kinds = {ACT_REFRESH},
     .match = match_refresh,
     .message = "REFRESH MATERIALIZED VIEW stops all readers of {table} until it is done",
     .why = "CONCURRENTLY lets them read on; it needs a unique index over all rows.",
     .safer = "REFRESH MATERIALIZED VIEW CONCURRENTLY {table};"},
    {.id = "refresh-concurrently",
     .severity = SEVERITY_OFF,
     .engines = RULE_PG,
     .kinds = {ACT_REFRESH},
     .match = match_refresh_concurrently,
     .message = "REFRESH … CONCURRENTLY takes EXCLUSIVE on {table}: readers go on, other refreshes wait",
     .why = "It needs a unique index over all rows, and fails without."},
    {.id = "attach-partition-scan",
     .severity = SEVERITY_BLOCK,
     .cost = COST_SCAN,
     .engines = RULE_PG,
     .kinds = {ACT_ATTACH},
     .match = match_attach,
     .message =
         "ATTACH reads all of {other} under ACCESS EXCLUSIVE unless a validated check proves its bounds",
     .why = "The check must say what the bounds say, IS NOT NULL included. Up to PostgreSQL 11 the parent is "
            "locked ACCESS EXCLUSIVE as well.",
     .safer =
         "ALTER TABLE {other} ADD CONSTRAINT … CHECK (key IS NOT NULL AND key >= … AND key < …) NOT VALID;\n"
         "ALTER TABLE {other} VALIDATE CONSTRAINT …; -- in a later transaction, then ATTACH",
     .aliases = "pg-migration-lint/PGM005"},
    {.id = "default-partition-scan",
     .severity = SEVERITY_BLOCK,
     .cost = COST_SCAN,
     .engines = RULE_PG,
     .pg = {11, 0},
     .kinds = {ACT_ATTACH, ACT_CREATE_TABLE},
     .match = match_default_partition,
     .on_new = true,
     .message = "the default partition is read under ACCESS EXCLUSIVE for rows that belong into the new one",
     .why = "A validated check on the default partition that excludes the new bounds saves the scan.",
     .safer = "-- on the default partition: ADD CONSTRAINT … CHECK (NOT (key >= … AND key < …)) NOT VALID; "
              "VALIDATE; then attach"},
    {.id = "create-partition-of",
     .severity = SEVERITY_WARN,
     .engines = RULE_PG,
     .kinds = {ACT_CREATE_TABLE},
     .match = match_partition_of,
     .on_new = true,
     .message = "CREATE TABLE … PARTITION OF takes ACCESS EXCLUSIVE on {other}",
     .why =
         "A table made by itself and attached takes SHARE UPDATE EXCLUSIVE on the parent (PostgreSQL 12 and "
         "later).",
     .safer = "CREATE TABLE {table} (LIKE {other} INCLUDING ALL);\n"
              "ALTER TABLE {other} ATTACH PARTITION {table} FOR VALUES …;"},
    {.id = "detach-partition",
     .severity = SEVERITY_WARN,
     .engines = RULE_PG,
     .kinds = {ACT_DETACH},
     .match = match_detach,
     .message = "DETACH PARTITION takes ACCESS EXCLUSIVE on {table}",
     .why =
         "From PostgreSQL 14 on CONCURRENTLY does it in two transactions under a weak lock (not where there "
         "is a default partition); an interrupted one needs FINALIZE.",
     .safer =
         "ALTER TABLE {table} DETACH PARTITION {other} CONCURRENTLY; -- outside of a transaction, from 14 on",
     .fix = fix_detach,
     .aliases = "squawk/require-concurrent-partition-detach, pg-migration-lint/PGM004"},
    {.id = "drop-partition",
     .severity = SEVERITY_WARN,
     .engines = RULE_PG,
     .kinds = {ACT_DROP_TABLE},
     .match = match_drop_partition,
     .message = "dropping partition {table} takes ACCESS EXCLUSIVE on its parent",
     .why = "Detach it concurrently first.",
     .safer = "-- ALTER TABLE parent DETACH PARTITION {table} CONCURRENTLY; then DROP TABLE {table};"},
    {.id = "merge-split-partition",
     .severity = SEVERITY_BLOCK,
     .cost = COST_REWRITE,
     .engines = RULE_PG,
     .pg = {19, 0},
     .kinds = {ACT_MERGE_SPLIT},
     .message = "{value} PARTITION copies rows under ACCESS EXCLUSIVE on {table}",
     .why = "Readers and writers of the whole table wait until all rows have moved.",
     .safer = "-- make new partitions by themselves, fill them in batches, then detach the old and attach "
              "the new"},
};

const RulePage rules_index_pg = {"Indexes, partitions, maintenance", rules, ARRAY_LEN(rules)};
