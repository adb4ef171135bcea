/* Rules about columns of MySQL and MariaDB. */
#include "base/str.h"
#include "check/rule.h"
#include "check/way_my.h"

#include <string.h>

static const ActColumn *column_of(const RuleCall *call) { return call->act->column; }

static KnownColumn *known_of(const RuleCall *call)
{
    return known_column(known_table(call->stream->known, call->act->table), call->act->name);
}

/* ---- ADD COLUMN ----------------------------------------------------------------------------- */

static bool is_moved(const RuleCall *call) { return (call->act->flags & ACT_FIRST) != 0; }

static bool is_plain(const RuleCall *call)
{
    const ActColumn *column = column_of(call);
    return column != NULL && !column->auto_increment && !column->stored && !column->virtual_ &&
           !column->primary && column->kind != ACT_DEFAULT_VOLATILE;
}

static bool match_add_last(RuleCall *call) { return is_plain(call) && !is_moved(call); }

static bool match_add_moved(RuleCall *call) { return is_plain(call) && is_moved(call); }

static bool match_add_expression(RuleCall *call)
{
    const ActColumn *column = column_of(call);
    if (column == NULL || column->kind != ACT_DEFAULT_VOLATILE)
        return false;
    if (call->stream->target->engine == CHECK_MARIADB && strcasestr(column->default_text, "uuid") == NULL) {
        call->evidence = EVIDENCE_UNKNOWN;
        call->severity = SEVERITY_WARN;
        call->detail = "MariaDB computes some of them once, which is instant";
    }
    return true;
}

static bool match_add_implicit(RuleCall *call)
{
    const ActColumn *column = column_of(call);
    return column != NULL && column->not_null && column->kind == ACT_DEFAULT_NONE &&
           !column->auto_increment && !column->stored && !column->virtual_ && !column->primary;
}

static bool match_add_counter(RuleCall *call)
{
    return column_of(call) != NULL && (column_of(call)->auto_increment || column_of(call)->type.serial);
}

static bool match_add_stored(RuleCall *call) { return column_of(call) != NULL && column_of(call)->stored; }

static bool match_add_references(RuleCall *call)
{
    const CheckTarget *target = call->stream->target;
    if (column_of(call) == NULL || !column_of(call)->references)
        return false;
    if (target->engine == CHECK_MYSQL && target->version < 90000) {
        call->severity = SEVERITY_WARN;
        call->detail =
            "MySQL before 9.0 reads REFERENCES at a column and forgets it: there is no foreign key";
    }
    return true;
}

static bool match_create_references(RuleCall *call)
{
    for (size_t i = 0; i < call->act->column_count; i++)
        if (call->act->columns[i].references)
            return true;
    return false;
}

/* ---- MODIFY and CHANGE ---------------------------------------------------------------------- */

static bool is_list(const RuleCall *call)
{
    const ActColumn *column = column_of(call);
    return column != NULL && (str_eq(column->type.name, "enum") || str_eq(column->type.name, "set"));
}

static WayMy type_way(const RuleCall *call)
{
    const KnownColumn *known = known_of(call);
    if (known == NULL || column_of(call) == NULL)
        return WAY_UNKNOWN;
    return way_of_type_my(&known->type, known->spec, column_of(call));
}

static bool match_type(RuleCall *call)
{
    const ActColumn *column = column_of(call);
    if (column == NULL || is_list(call) || column->charset || column->collation != NULL)
        return false;
    WayMy way = type_way(call);
    if (way == WAY_UNKNOWN && known_of(call) == NULL) {
        call->evidence = EVIDENCE_UNKNOWN;
        call->detail =
            "the old type is not in sight: a varchar that grows within 255 bytes would be instant; "
            "\"stoa plan\" asks the server";
    } else if (way == WAY_UNKNOWN) {
        call->evidence = EVIDENCE_UNKNOWN;
        call->severity = SEVERITY_WARN;
        call->detail = "the limit is 255 bytes, not characters, so it depends on the character set";
    }
    return way == WAY_COPY || way == WAY_UNKNOWN;
}

static bool match_list(RuleCall *call)
{
    WayMy way = type_way(call);
    if (!is_list(call) || way == WAY_INSTANT)
        return false;
    if (way == WAY_UNKNOWN) {
        call->severity = SEVERITY_WARN;
        call->evidence = EVIDENCE_UNKNOWN;
        call->detail = "the old values are not in sight: only new ones at the end are instant";
    }
    return true;
}

static bool match_charset(RuleCall *call)
{
    const ActColumn *column = column_of(call);
    if (column == NULL || is_list(call) || (!column->charset && column->collation == NULL))
        return false;
    if (known_of(call) == NULL || type_way(call) == WAY_UNKNOWN)
        call->evidence = EVIDENCE_UNKNOWN;
    if (!column->charset) {
        call->severity = SEVERITY_WARN;
        call->evidence = EVIDENCE_UNKNOWN;
        call->detail = "where the character set stays the same, only a column with an index is dear";
    }
    return type_way(call) != WAY_INSTANT;
}

static bool match_to_not_null(RuleCall *call)
{
    const KnownColumn *known = known_of(call);
    if (column_of(call) == NULL || !column_of(call)->not_null)
        return false;
    if (known == NULL) {
        call->evidence = EVIDENCE_UNKNOWN;
        call->severity = SEVERITY_NOTE;
        call->detail = "whether it was NULL before is not in sight";
        return true;
    }
    return !known->not_null;
}

static bool match_to_null(RuleCall *call)
{
    const KnownColumn *known = known_of(call);
    return known != NULL && known->not_null && column_of(call) != NULL && !column_of(call)->not_null;
}

static void add_lost(Str *lost, bool is, const char *word)
{
    if (!is)
        return;
    str_sep(lost, ", ");
    str_add(lost, word);
}

/* A MODIFY says all of the column: what it leaves out is gone. */
static bool match_lost(RuleCall *call)
{
    const KnownColumn *known = known_of(call);
    const ActColumn *now = column_of(call);
    if (now == NULL)
        return false;
    if (known == NULL || known->spec == NULL) {
        bool all = now->not_null && now->kind != ACT_DEFAULT_NONE && now->comment;
        call->evidence = EVIDENCE_UNKNOWN;
        call->severity = SEVERITY_NOTE;
        call->detail = "the old definition is not in sight: compare it with SHOW CREATE TABLE";
        return !all;
    }
    const ActColumn *old = known->spec;
    CLEANUP(str_donep) Str lost = STR_INIT;
    add_lost(&lost, old->not_null && !now->not_null && !now->null, "NOT NULL");
    add_lost(&lost,
             old->kind != ACT_DEFAULT_NONE && old->kind != ACT_DEFAULT_NULL && now->kind == ACT_DEFAULT_NONE,
             "DEFAULT");
    add_lost(&lost, old->comment && !now->comment, "COMMENT");
    add_lost(&lost, old->charset && !now->charset, "CHARACTER SET");
    add_lost(&lost, old->collation != NULL && now->collation == NULL, "COLLATE");
    add_lost(&lost, old->auto_increment && !now->auto_increment, "AUTO_INCREMENT");
    add_lost(&lost, old->on_update && !now->on_update, "ON UPDATE");
    add_lost(&lost, old->check && !now->check, "CHECK");
    if (lost.len == 0)
        return false;
    call->detail = arena_printf(call->stream->arena, "it loses %s", lost.buf);
    return true;
}

static bool match_add_check(RuleCall *call) { return column_of(call) != NULL && column_of(call)->check; }

static bool match_moved(RuleCall *call) { return column_of(call) != NULL && is_moved(call); }

static bool match_generated(RuleCall *call)
{
    call->evidence = EVIDENCE_UNKNOWN;
    return column_of(call) != NULL && (column_of(call)->virtual_ || column_of(call)->stored);
}

static bool match_lost_instant(RuleCall *call)
{
    call->detail = way_lost_my(call->stream, call->act);
    return call->detail != NULL;
}

static bool match_change_name(RuleCall *call)
{
    return call->act->new_name != NULL && call->act->name != NULL &&
           strcasecmp(call->act->new_name, call->act->name) != 0;
}

static const Rule rules[] = {
    {.id = "add-column-rebuild",
     .severity = SEVERITY_WARN,
     .cost = COST_REBUILD,
     .engines = RULE_MY,
     .mysql = {0, 80012},
     .mariadb = {0, 100300},
     .kinds = {ACT_ADD_COLUMN},
     .match = match_add_last,
     .message = "adding {table}.{column} writes the whole table anew before MySQL 8.0.12 and MariaDB 10.3",
     .why = "Writers go on, but replicas stand still for as long, and the log of changes may run over.",
     .safer = "-- stoa apply copies the table beside the application"},
    {.id = "column-position-rebuild",
     .severity = SEVERITY_WARN,
     .cost = COST_REBUILD,
     .engines = RULE_MY,
     .mysql = {0, 80029},
     .mariadb = {0, 100400},
     .kinds = {ACT_ADD_COLUMN},
     .match = match_add_moved,
     .message = "FIRST and AFTER write all of {table} anew before MySQL 8.0.29 and MariaDB 10.4",
     .why = "The order of columns matters to nobody who names them: at the end it is instant.",
     .safer = "ALTER TABLE {table} ADD COLUMN {column} {type}, ALGORITHM=INSTANT;",
     .aliases = "bytebase/column_disallow_changing_order"},
    {.id = "drop-column-rebuild",
     .severity = SEVERITY_WARN,
     .cost = COST_REBUILD,
     .engines = RULE_MY,
     .mysql = {0, 80029},
     .mariadb = {0, 100400},
     .kinds = {ACT_DROP_COLUMN},
     .message = "dropping {table}.{column} writes the whole table anew before MySQL 8.0.29 and MariaDB 10.4",
     .why = "Writers go on, but replicas stand still for as long."},
    {.id = "add-column-expression-default",
     .severity = SEVERITY_BLOCK,
     .cost = COST_COPY,
     .engines = RULE_MY,
     .kinds = {ACT_ADD_COLUMN},
     .match = match_add_expression,
     .message = "a default that is computed for {table}.{column} copies the table while writers wait",
     .why = "Every row gets a value of its own, and statement based replication gives replicas other ones.",
     .safer = "ALTER TABLE {table} ADD COLUMN {column} {type}, ALGORITHM=INSTANT;\n"
              "-- fill old rows in batches, then ALTER COLUMN {column} SET DEFAULT (…)",
     .aliases = "strong_migrations/add_column_default_callable"},
    {.id = "add-column-implicit-default",
     .severity = SEVERITY_WARN,
     .engines = RULE_MY,
     .kinds = {ACT_ADD_COLUMN},
     .match = match_add_implicit,
     .message = "old rows get 0, '' or a zero date in {table}.{column}, without a word",
     .why = "NOT NULL without a default means the type's own zero, whatever the application means by it; and "
            "the running application's INSERTs fail in strict mode.",
     .safer = "ALTER TABLE {table} ADD COLUMN {column} {type} NOT NULL DEFAULT …;",
     .aliases = "atlas/MY101"},
    {.id = "add-column-auto-increment",
     .severity = SEVERITY_BLOCK,
     .cost = COST_COPY,
     .engines = RULE_MY,
     .kinds = {ACT_ADD_COLUMN},
     .match = match_add_counter,
     .message =
         "adding {table}.{column} with AUTO_INCREMENT writes the table anew while writers wait, and may "
         "number rows otherwise on replicas",
     .why = "Each server numbers the rows in the order in which it finds them.",
     .safer = "-- stoa apply copies the table beside the application",
     .aliases = "strong_migrations/add_column_auto_incrementing"},
    {.id = "add-column-stored",
     .severity = SEVERITY_BLOCK,
     .cost = COST_COPY,
     .engines = RULE_MY,
     .kinds = {ACT_ADD_COLUMN},
     .match = match_add_stored,
     .message = "a stored generated column copies {table} while writers wait",
     .why = "A virtual one is instant, and can have an index.",
     .safer = "ALTER TABLE {table} ADD COLUMN {column} {type} GENERATED ALWAYS AS (…) VIRTUAL;",
     .aliases = "strong_migrations/add_column_generated_stored"},
    {.id = "add-column-inline-references",
     .severity = SEVERITY_BLOCK,
     .cost = COST_COPY,
     .engines = RULE_MY,
     .kinds = {ACT_ADD_COLUMN},
     .match = match_add_references,
     .message = "REFERENCES at {table}.{column} copies the table while writers wait, or means nothing",
     .why = "MariaDB from 10.5 and MySQL from 9.0 on make a foreign key of it, older ones ignore it.",
     .safer = "ALTER TABLE {table} ADD COLUMN {column} {type};\n"
              "-- then the foreign key as one of the table",
     .aliases = "atlas/MY102"},
    {.id = "inline-references",
     .severity = SEVERITY_WARN,
     .engines = RULE_MYSQL,
     .mysql = {0, 90000},
     .kinds = {ACT_CREATE_TABLE},
     .match = match_create_references,
     .on_new = true,
     .message = "REFERENCES at a column of {table} makes no foreign key before MySQL 9.0",
     .why = "It is read and forgotten. Write FOREIGN KEY (…) REFERENCES … behind the columns.",
     .aliases = "atlas/MY102"},
    {.id = "change-type-copy",
     .severity = SEVERITY_BLOCK,
     .cost = COST_COPY,
     .engines = RULE_MY,
     .kinds = {ACT_MODIFY_COLUMN},
     .match = match_type,
     .message = "another type for {table}.{column} copies the table while writers wait",
     .why =
         "Only INSERT, UPDATE and DELETE wait, but for all of it; MariaDB 11.2 and later copy beside them. "
         "The statement then takes as long again on every replica.",
     .safer = "-- stoa apply copies the table beside the application",
     .aliases = "strong_migrations/change_column, bytebase/column_disallow_changing_type"},
    {.id = "change-list-copy",
     .severity = SEVERITY_BLOCK,
     .cost = COST_COPY,
     .engines = RULE_MY,
     .kinds = {ACT_MODIFY_COLUMN},
     .match = match_list,
     .message = "values of {table}.{column} that go, move, or pass a limit of their storage copy the table "
                "while writers wait",
     .why =
         "ENUM keeps one byte up to 255 values, SET one for every eight. New values at the end are instant.",
     .safer = "-- add new values at the end, or keep them in a table of their own",
     .aliases = "atlas/MY110, atlas/MY120, skeema/lint-has-enum"},
    {.id = "change-column-charset",
     .severity = SEVERITY_BLOCK,
     .cost = COST_COPY,
     .engines = RULE_MY,
     .kinds = {ACT_MODIFY_COLUMN},
     .match = match_charset,
     .message = "another character set or collation for {table}.{column} copies the table while writers wait",
     .why = "Every value is written anew, and indexes over it get another order.",
     .safer = "-- stoa apply copies the table beside the application",
     .aliases = "bytebase/column_disallow_set_charset"},
    {.id = "set-not-null-rebuild",
     .severity = SEVERITY_WARN,
     .cost = COST_REBUILD,
     .engines = RULE_MY,
     .kinds = {ACT_MODIFY_COLUMN},
     .match = match_to_not_null,
     .message = "NOT NULL for {table}.{column} writes the whole table anew; without strict mode NULLs become "
                "zeros",
     .why = "In strict mode one NULL makes it fail at its end.",
     .safer = "SELECT count(*) FROM {table} WHERE {column} IS NULL; -- first",
     .aliases = "strong_migrations/change_column_null_mysql, atlas/MF104"},
    {.id = "drop-not-null-rebuild",
     .severity = SEVERITY_WARN,
     .cost = COST_REBUILD,
     .engines = RULE_MY,
     .kinds = {ACT_MODIFY_COLUMN},
     .match = match_to_null,
     .message = "{table}.{column} may be NULL from now on, for which the table is written anew",
     .why = "Writers go on; readers that do not expect NULL break."},
    {.id = "modify-loses-attributes",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_MY,
     .kinds = {ACT_MODIFY_COLUMN},
     .match = match_lost,
     .on_new = true,
     .message = "MODIFY and CHANGE say all of {table}.{column}: what they leave out is gone",
     .why = "NOT NULL, DEFAULT, COMMENT, character set and AUTO_INCREMENT are lost without a word.",
     .safer = "-- repeat every attribute that SHOW CREATE TABLE shows"},
    {.id = "add-column-check-copy",
     .severity = SEVERITY_BLOCK,
     .cost = COST_COPY,
     .engines = RULE_MYSQL,
     .mysql = {80016, 0},
     .kinds = {ACT_ADD_COLUMN},
     .match = match_add_check,
     .message = "the check at {table}.{column} copies the table while writers wait",
     .why =
         "MySQL checks every row, although all of them have the default; MariaDB adds it at once (measured).",
     .safer = "ALTER TABLE {table} ADD COLUMN {column} {type}, ALGORITHM=INSTANT;\n"
              "-- and the check NOT ENFORCED, or in the application"},
    {.id = "modify-position-rebuild",
     .severity = SEVERITY_WARN,
     .cost = COST_REBUILD,
     .engines = RULE_MY,
     .mariadb = {0, 100400},
     .kinds = {ACT_MODIFY_COLUMN},
     .match = match_moved,
     .message = "moving {table}.{column} writes the whole table anew",
     .why = "FIRST and AFTER of a column that is there already are a rebuild on every MySQL; the order of "
            "columns "
            "matters to nobody who names them.",
     .aliases = "bytebase/column_disallow_changing_order"},
    {.id = "change-generated-copy",
     .severity = SEVERITY_BLOCK,
     .cost = COST_COPY,
     .engines = RULE_MY,
     .kinds = {ACT_MODIFY_COLUMN},
     .match = match_generated,
     .message = "another expression for {table}.{column} copies the table while writers wait",
     .why = "The server proves the new expression on every row, even of a virtual column.",
     .safer = "-- add a virtual column with the new expression, move the readers, then drop this one"},
    {.id = "table-loses-instant",
     .severity = SEVERITY_BLOCK,
     .cost = COST_COPY,
     .engines = RULE_MY,
     .kinds = {ACT_ADD_COLUMN, ACT_DROP_COLUMN, ACT_MODIFY_COLUMN, ACT_CREATE_INDEX},
     .match = match_lost_instant,
     .message = "what is instant elsewhere copies or rebuilds {table}",
     .why =
         "Virtual columns (MariaDB), FULLTEXT indexes, compressed rows and other engines take the cheap ways "
         "away from actions that have nothing to do with them.",
     .safer = "-- {action}, ALGORITHM=INSTANT makes the server refuse; stoa apply copies the table beside "
              "the application"},
    {.id = "change-column-name",
     .severity = SEVERITY_BLOCK,
     .engines = RULE_MY,
     .kinds = {ACT_MODIFY_COLUMN},
     .match = match_change_name,
     .message = "renaming {table}.{name} to {new} breaks whoever still uses the old name",
     .why = "Old and new application run side by side during a rollout.",
     .aliases = "strong_migrations/rename_column, atlas/BC102"},
};

const RulePage rules_column_my = {"Columns of MySQL and MariaDB", rules, ARRAY_LEN(rules)};
