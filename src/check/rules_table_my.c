/* Rules about tables, indexes and constraints of MySQL and MariaDB. */
#include "base/str.h"
#include "check/fix.h"
#include "check/rule.h"
#include "check/way_my.h"

#include <string.h>
#include <strings.h>

static bool has(const RuleCall *call, unsigned flag) { return (call->act->flags & flag) != 0; }

static bool is_alter(const Act *act)
{
    return str_eq(act->words, "ALTER TABLE") || act->kind == ACT_CREATE_INDEX || act->kind == ACT_DROP_INDEX;
}

/* ---- ALTER TABLE as a whole ----------------------------------------------------------------- */

static bool match_no_algorithm(RuleCall *call)
{
    const KnownTable *table = known_table(call->stream->known, call->act->table);
    if (table == NULL || !table->complete) {
        call->evidence = EVIDENCE_UNKNOWN;
        call->severity = SEVERITY_WARN;
        call->detail =
            "the table is not in sight, and virtual columns, FULLTEXT indexes, compression or another "
            "engine can make a copy of what is instant elsewhere";
    }
    return call->index == 0 && is_alter(call->act) && !has(call, ACT_ALGORITHM) &&
           !str_eq(call->act->words, "CREATE TABLE") && call->act->kind != ACT_RENAME_TABLE;
}

static bool match_copy_asked(RuleCall *call) { return call->index == 0 && str_eq(call->act->method, "COPY"); }

/* Cheap actions of different kinds in one statement end in the dearest way that is common to them. */
static bool match_combination(RuleCall *call)
{
    const ActStatement *statement = stream_statement(call->stream);
    if (call->index > 0 || !str_eq(call->act->words, "ALTER TABLE") || call->act->actions < 2)
        return false;
    bool ways[WAY_UNKNOWN + 1] = {false};
    for (size_t i = 0; i < statement->acts.len; i++)
        ways[way_my(call->stream, &statement->acts.items[i])] = true;
    bool dear = ways[WAY_COPY] || ways[WAY_REBUILD];
    if (dear)
        call->detail = "one of them copies or rebuilds, and takes the others along";
    if (ways[WAY_UNKNOWN] && !dear)
        call->evidence = EVIDENCE_UNKNOWN;
    return (ways[WAY_INSTANT] && (ways[WAY_NOCOPY] || dear || ways[WAY_UNKNOWN])) ||
           (ways[WAY_NOCOPY] && dear);
}

static bool match_replica_lag(RuleCall *call)
{
    Stream *stream = call->stream;
    WayMy way = way_my(stream, call->act);
    if (stream->told_replicas || !is_alter(call->act) || str_eq(call->act->words, "CREATE TABLE"))
        return false;
    bool is_long = way == WAY_REBUILD || way == WAY_COPY || call->act->kind == ACT_CREATE_INDEX;
    return is_long ? stream->told_replicas = true : false;
}

/* ---- indexes -------------------------------------------------------------------------------- */

static bool match_index(RuleCall *call)
{
    return !has(call, ACT_SPECIAL) && !str_eq(call->act->words, "CREATE TABLE");
}

static bool match_special(RuleCall *call) { return has(call, ACT_SPECIAL); }

/* No other index begins with the columns of a foreign key. */
static bool match_index_of_key(RuleCall *call)
{
    const KnownTable *table = known_table(call->stream->known, call->act->table);
    const KnownIndex *gone = NULL;
    for (size_t i = 0; table != NULL && i < table->indexes.len; i++)
        if (str_eq(table->indexes.items[i].name, call->act->name))
            gone = &table->indexes.items[i];
    for (size_t i = 0; gone != NULL && i < table->constraints.len; i++) {
        const KnownConstraint *key = &table->constraints.items[i];
        if (key->kind != CONSTRAINT_FOREIGN_KEY || key->spec == NULL || key->spec->column_count == 0)
            continue;
        size_t same = 0;
        while (same < key->spec->column_count && same < gone->key_count &&
               str_eq(key->spec->columns[same], gone->keys[same]))
            same++;
        if (same == key->spec->column_count)
            return true;
    }
    return false;
}

/* ---- keys and checks ------------------------------------------------------------------------ */

static bool is_kind(const RuleCall *call, ConstraintKind kind)
{
    return call->act->constraint != NULL && call->act->constraint->kind == kind;
}

static bool statement_has(const RuleCall *call, ActKind kind, ConstraintKind constraint)
{
    const ActStatement *statement = stream_statement(call->stream);
    for (size_t i = 0; i < statement->acts.len; i++) {
        const Act *act = &statement->acts.items[i];
        if (act->kind == kind && (act->constraint == NULL || act->constraint->kind == constraint))
            return true;
    }
    return false;
}

static bool match_add_primary(RuleCall *call) { return is_kind(call, CONSTRAINT_PRIMARY_KEY); }

static bool match_drop_primary(RuleCall *call)
{
    return !statement_has(call, ACT_ADD_CONSTRAINT, CONSTRAINT_PRIMARY_KEY);
}

static bool match_add_key(RuleCall *call)
{
    return is_kind(call, CONSTRAINT_FOREIGN_KEY) && !call->stream->keys_unchecked;
}

static bool match_key_unchecked(RuleCall *call)
{
    return is_kind(call, CONSTRAINT_FOREIGN_KEY) && call->stream->keys_unchecked;
}

static bool match_add_check(RuleCall *call)
{
    return is_kind(call, CONSTRAINT_CHECK) && !call->act->constraint->not_enforced;
}

static bool match_enforce(RuleCall *call)
{
    return call->act->value != NULL && strcasecmp(call->act->value, "ENFORCED") == 0;
}

/* ---- tables --------------------------------------------------------------------------------- */

static bool is_innodb(const char *engine) { return engine == NULL || strcasecmp(engine, "innodb") == 0; }

static bool match_create_engine(RuleCall *call)
{
    const char *engine = call->act->value;
    return !has(call, ACT_TEMPORARY) && engine != NULL &&
           (strncasecmp(engine, "myisam", 6) == 0 || strncasecmp(engine, "aria", 4) == 0 ||
            strncasecmp(engine, "memory", 6) == 0 || strncasecmp(engine, "csv", 3) == 0);
}

static bool match_engine(RuleCall *call)
{
    if (is_innodb(call->act->value)) {
        call->evidence = EVIDENCE_UNKNOWN;
        call->detail = "for a table that is InnoDB already it is a rebuild beside writers";
    }
    return true;
}

static bool match_partition_copy(RuleCall *call) { return way_my(call->stream, call->act) == WAY_COPY; }

static bool match_partition_drop(RuleCall *call) { return has(call, ACT_DROPS); }

static bool match_versioning(RuleCall *call) { return !has(call, ACT_DROPS); }

static bool match_drop_versioning(RuleCall *call) { return has(call, ACT_DROPS); }

static const Rule rules[] = {
    {.id = "algorithm-missing",
     .severity = SEVERITY_NOTE,
     .engines = RULE_MY,
     .match = match_no_algorithm,
     .message =
         "an ALTER of {table} without ALGORITHM and LOCK: the server copies where it must, without a word",
     .why = "With ALGORITHM=INSTANT, or INPLACE and LOCK=NONE, the server refuses what it cannot do so, and "
            "nothing has happened. Never rely on the default.",
     .safer = "{action}, ALGORITHM=INSTANT; -- else ALGORITHM=INPLACE, LOCK=NONE",
     .fix = fix_algorithm,
     .aliases = "bytebase/statement_require_algorithm_or_lock_options, strong_migrations/lock_option"},
    {.id = "algorithm-copy",
     .severity = SEVERITY_BLOCK,
     .cost = COST_COPY,
     .engines = RULE_MY,
     .match = match_copy_asked,
     .message = "ALGORITHM=COPY, or LOCK=SHARED or EXCLUSIVE, stops writers of {table} until it is done",
     .why = "The statement asks for it in so many words.",
     .safer = "-- leave it out, or let stoa apply copy the table beside the application",
     .aliases = "strong_migrations/copy_algorithm"},
    {.id = "alter-dear-combination",
     .severity = SEVERITY_WARN,
     .cost = COST_REBUILD,
     .engines = RULE_MY,
     .match = match_combination,
     .message = "cheap actions on {table} in one ALTER TABLE become one dear one",
     .why = "The server takes a way that is common to all of them: instant and an index build together are a "
            "rebuild (measured on MariaDB 10.11). Split them: what is instant, what builds indexes, what "
            "rebuilds.",
     .aliases = "bytebase/statement_merge_alter_table"},
    {.id = "add-index-long",
     .severity = SEVERITY_NOTE,
     .cost = COST_REBUILD,
     .engines = RULE_MY,
     .kinds = {ACT_CREATE_INDEX},
     .match = match_index,
     .message =
         "an index on {table} is built beside writers, but replicas stand still for as long afterwards",
     .why = "Where writes overflow innodb_online_alter_log_max_size the build fails; Galera stops the whole "
            "cluster for it (TOI).",
     .safer = "ALTER TABLE {table} ADD INDEX {idx} ({columns}), ALGORITHM=INPLACE, LOCK=NONE;",
     .aliases = "bytebase/statement_online_migration"},
    {.id = "special-index",
     .severity = SEVERITY_BLOCK,
     .cost = COST_COPY,
     .engines = RULE_MY,
     .kinds = {ACT_CREATE_INDEX},
     .match = match_special,
     .message = "a FULLTEXT or SPATIAL index stops writers of {table} while it is built",
     .why = "It needs LOCK=SHARED; the first FULLTEXT index writes the table anew for a hidden column.",
     .safer = "-- stoa apply copies the table beside the application"},
    {.id = "drop-index-of-foreign-key",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_MY,
     .kinds = {ACT_DROP_INDEX},
     .match = match_index_of_key,
     .on_new = true,
     .message = "index {name} of {table} is needed by a foreign key: the statement fails (1553)",
     .why = "Every foreign key needs an index that begins with its columns.",
     .safer = "-- drop the foreign key first, or make another index that begins with its columns"},
    {.id = "index-not-hidden-first",
     .severity = SEVERITY_OFF,
     .engines = RULE_MY,
     .mysql = {80000, 0},
     .mariadb = {100600, 0},
     .kinds = {ACT_DROP_INDEX},
     .message = "index {name} of {table} can be hidden first, and shown again in a moment",
     .why = "ALTER INDEX … INVISIBLE (MySQL 8.0) or IGNORED (MariaDB 10.6) is instant; building it again is "
            "not.",
     .safer = "ALTER TABLE {table} ALTER INDEX {name} INVISIBLE; -- MariaDB: IGNORED"},
    {.id = "add-primary-key-rebuild",
     .severity = SEVERITY_WARN,
     .cost = COST_REBUILD,
     .engines = RULE_MY,
     .kinds = {ACT_ADD_CONSTRAINT},
     .match = match_add_primary,
     .message = "adding a primary key writes all of {table} anew",
     .why = "Rows are kept in the order of the primary key; writers go on, replicas stand still for as long.",
     .safer = "-- stoa apply copies the table beside the application",
     .aliases = "skeema/lint-pk"},
    {.id = "drop-primary-key-copy",
     .severity = SEVERITY_BLOCK,
     .cost = COST_COPY,
     .engines = RULE_MY,
     .kinds = {ACT_DROP_PRIMARY_KEY},
     .match = match_drop_primary,
     .message = "dropping the primary key alone copies {table} while writers wait",
     .why = "Dropped and added in one statement it is a rebuild beside writers.",
     .safer = "ALTER TABLE {table} DROP PRIMARY KEY, ADD PRIMARY KEY (…), ALGORITHM=INPLACE, LOCK=NONE;"},
    {.id = "add-foreign-key-copy",
     .severity = SEVERITY_BLOCK,
     .cost = COST_COPY,
     .engines = RULE_MY,
     .kinds = {ACT_ADD_CONSTRAINT},
     .match = match_add_key,
     .message = "adding a foreign key copies {table} while writers wait, and locks {other}",
     .why =
         "With foreign_key_checks = 0 nothing is copied, and nothing is checked either: look for orphans by "
         "a query then.",
     .safer = "-- stoa apply copies the table beside the application and proves every row",
     .aliases = "strong_migrations/add_foreign_key_mysql, bytebase/table_no_foreign_key, skeema/lint-has-fk"},
    {.id = "foreign-key-checks-off",
     .severity = SEVERITY_WARN,
     .engines = RULE_MY,
     .kinds = {ACT_ADD_CONSTRAINT},
     .match = match_key_unchecked,
     .message = "the foreign key of {table} is added unchecked: rows without a parent stay",
     .why = "The server never looks at them again.",
     .safer = "SELECT … FROM {table} c LEFT JOIN {other} p ON … WHERE p.… IS NULL LIMIT 10; -- behind it"},
    {.id = "add-check-copy",
     .severity = SEVERITY_BLOCK,
     .cost = COST_COPY,
     .engines = RULE_MY,
     .mysql = {80016, 0},
     .mariadb = {100200, 0},
     .kinds = {ACT_ADD_CONSTRAINT},
     .match = match_add_check,
     .message = "adding a CHECK copies {table} while writers wait",
     .why = "MySQL can add it NOT ENFORCED at once; with a new column it is instant on MariaDB.",
     .safer = "ALTER TABLE {table} ADD {definition} NOT ENFORCED; -- MySQL; and check in the application",
     .aliases = "strong_migrations/add_check_constraint_mysql"},
    {.id = "enforce-check-copy",
     .severity = SEVERITY_BLOCK,
     .cost = COST_COPY,
     .engines = RULE_MYSQL,
     .kinds = {ACT_ALTER_CONSTRAINT},
     .match = match_enforce,
     .message = "ENFORCED copies {table} while writers wait",
     .why = "All rows are checked.",
     .safer = "-- stoa apply copies the table beside the application"},
    {.id = "convert-charset-copy",
     .severity = SEVERITY_BLOCK,
     .cost = COST_COPY,
     .engines = RULE_MY,
     .kinds = {ACT_CONVERT},
     .message = "CONVERT TO CHARACTER SET copies {table} while writers wait",
     .why = "Every text is written anew, and types may grow with it.",
     .safer = "-- stoa apply copies the table beside the application",
     .aliases = "skeema/lint-charset"},
    {.id = "engine-copy",
     .severity = SEVERITY_BLOCK,
     .cost = COST_COPY,
     .engines = RULE_MY,
     .kinds = {ACT_ENGINE},
     .match = match_engine,
     .message = "another engine copies {table} while writers wait",
     .why = "MariaDB accepts ALGORITHM=INSTANT for it, and copies all the same (measured).",
     .safer = "-- stoa apply copies the table beside the application",
     .aliases = "bytebase/engine_mysql_use_innodb, skeema/lint-engine"},
    {.id = "table-rebuild",
     .severity = SEVERITY_WARN,
     .cost = COST_REBUILD,
     .engines = RULE_MY,
     .kinds = {ACT_REBUILD},
     .message = "{value} writes all of {table} anew",
     .why = "Writers go on (not for ORDER BY), but it needs the room twice, and replicas stand still for as "
            "long.",
     .safer = "-- stoa apply copies the table beside the application",
     .aliases = "skeema/lint-compression"},
    {.id = "partition-copy",
     .severity = SEVERITY_BLOCK,
     .cost = COST_COPY,
     .engines = RULE_MY,
     .kinds = {ACT_PARTITION},
     .match = match_partition_copy,
     .message = "{value} copies rows of {table} while writers wait",
     .why = "Rows move between partitions under LOCK=SHARED.",
     .safer = "-- stoa apply copies the table beside the application",
     .aliases = "bytebase/table_disallow_partition"},
    {.id = "drop-partition-data",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_MY,
     .kinds = {ACT_PARTITION},
     .match = match_partition_drop,
     .message = "{value} of a partition of {table}: its rows are gone at once",
     .why = "There is no way back but a backup."},
    {.id = "ghost-trigger",
     .severity = SEVERITY_NOTE,
     .engines = RULE_MY,
     .kinds = {ACT_CREATE_TRIGGER},
     .message = "a trigger on {table}: tools that copy tables refuse it, or lose it",
     .why = "gh-ost refuses tables with triggers, pt-online-schema-change may conflict with them."},
    {.id = "system-versioning",
     .severity = SEVERITY_BLOCK,
     .cost = COST_COPY,
     .engines = RULE_MARIADB,
     .kinds = {ACT_VERSIONING},
     .match = match_versioning,
     .message = "ADD SYSTEM VERSIONING copies {table} while writers wait",
     .why = "And every later ALTER fails with 4119 unless system_versioning_alter_history = KEEP.",
     .safer = "-- a new table with versioning beside it"},
    {.id = "drop-system-versioning",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_MARIADB,
     .kinds = {ACT_VERSIONING},
     .match = match_drop_versioning,
     .message = "DROP SYSTEM VERSIONING of {table} throws its history away",
     .why = "Old versions of rows are gone at once."},
    {.id = "engine-not-transactional",
     .severity = SEVERITY_WARN,
     .engines = RULE_MY,
     .kinds = {ACT_CREATE_TABLE},
     .match = match_create_engine,
     .on_new = true,
     .message = "{table} is made with engine {value}: every later ALTER copies it while writers wait",
     .why = "MyISAM, Aria and kin have no transactions and no online changes.",
     .safer = "-- leave ENGINE out, or write ENGINE=InnoDB",
     .aliases = "bytebase/engine_mysql_use_innodb, skeema/lint-engine"},
    {.id = "replica-lag",
     .severity = SEVERITY_NOTE,
     .cost = COST_REBUILD,
     .engines = RULE_MY,
     .match = match_replica_lag,
     .message = "replicas stand still for as long as this takes on {table}, once it is done here",
     .why = "A definition is replayed after it has ended, and by itself. MariaDB 10.8 and later can begin at "
            "once (binlog_alter_two_phase)."},
};

const RulePage rules_table_my = {"Tables, indexes and constraints of MySQL and MariaDB", rules,
                                 ARRAY_LEN(rules)};
