/* Advice about types and tables; off, or notes, unless it is asked for. */
#include "base/str.h"
#include "change/reserved.h"
#include "check/rule.h"

#include <string.h>

typedef bool ColumnTest(const RuleCall *call, const ActColumn *column);

/* The act's columns, one after the other; the first that the test is true of becomes the act's name. */
static bool any_column(RuleCall *call, ColumnTest *test)
{
    const Act *act = call->act;
    size_t count = act->kind == ACT_CREATE_TABLE ? act->column_count : act->column != NULL ? 1 : 0;
    for (size_t i = 0; i < count; i++) {
        const ActColumn *column = act->kind == ACT_CREATE_TABLE ? &act->columns[i] : act->column;
        if (!test(call, column))
            continue;
        call->about = arena_alloc(call->stream->arena, sizeof *call->about);
        *call->about = *act;
        call->about->name = column->name;
        call->about->column = column;
        call->about->constraint = NULL;
        return true;
    }
    return false;
}

static bool in_primary_key(const RuleCall *call, const ActColumn *column)
{
    const Act *act = call->act;
    if (column->primary)
        return true;
    for (size_t i = 0; act->kind == ACT_CREATE_TABLE && i < act->constraint_count; i++)
        if (act->constraints[i].kind == CONSTRAINT_PRIMARY_KEY && act->constraints[i].column_count == 1 &&
            str_eq(act->constraints[i].columns[0], column->name))
            return true;
    return false;
}

static bool type_is(const ActColumn *column, const char *name)
{
    return column->type.name != NULL && strcasecmp(column->type.name, name) == 0;
}

static bool test_integer_key(const RuleCall *call, const ActColumn *column)
{
    bool small = type_is(column, "int4") || type_is(column, "int2") || type_is(column, "int") ||
                 type_is(column, "smallint") || type_is(column, "mediumint") || type_is(column, "tinyint");
    return small && in_primary_key(call, column);
}

static bool test_integer(const RuleCall *call UNUSED, const ActColumn *column)
{
    return type_is(column, "int4") || type_is(column, "int2");
}

static bool test_char(const RuleCall *call UNUSED, const ActColumn *column)
{
    return type_is(column, "bpchar");
}

static bool test_varchar(const RuleCall *call UNUSED, const ActColumn *column)
{
    return type_is(column, "varchar") && column->type.mod_count > 0;
}

static bool test_timestamp(const RuleCall *call UNUSED, const ActColumn *column)
{
    return type_is(column, "timestamp");
}

static bool test_timetz(const RuleCall *call UNUSED, const ActColumn *column)
{
    return type_is(column, "timetz");
}

static bool test_money(const RuleCall *call UNUSED, const ActColumn *column)
{
    return type_is(column, "money");
}

static bool test_float(const RuleCall *call UNUSED, const ActColumn *column)
{
    return type_is(column, "float4") || type_is(column, "float8") || type_is(column, "float") ||
           type_is(column, "double") || type_is(column, "real");
}

static bool test_serial(const RuleCall *call UNUSED, const ActColumn *column) { return column->type.serial; }

static bool test_inheritance(const RuleCall *call UNUSED, const ActColumn *column)
{
    return str_eq(column->name, "type") && column->kind == ACT_DEFAULT_NONE;
}

static bool test_display_width(const RuleCall *call UNUSED, const ActColumn *column)
{
    bool whole = type_is(column, "int") || type_is(column, "bigint") || type_is(column, "smallint") ||
                 type_is(column, "mediumint") || (type_is(column, "tinyint") && column->type.mods[0] != 1);
    return whole && column->type.mod_count > 0;
}

static bool test_zero_date(const RuleCall *call UNUSED, const ActColumn *column)
{
    return column->default_text != NULL && strstr(column->default_text, "0000-00-00") != NULL;
}

static bool test_json(const RuleCall *call, const ActColumn *column)
{
    return call->act->kind == ACT_CREATE_TABLE && type_is(column, "json");
}

#define COLUMN_MATCH(name)                                                                                   \
    static bool match_##name(RuleCall *call) { return any_column(call, test_##name); }
COLUMN_MATCH(integer_key)
COLUMN_MATCH(integer)
COLUMN_MATCH(char)
COLUMN_MATCH(varchar)
COLUMN_MATCH(timestamp)
COLUMN_MATCH(timetz)
COLUMN_MATCH(money)
COLUMN_MATCH(float)
COLUMN_MATCH(serial)
COLUMN_MATCH(inheritance)
COLUMN_MATCH(display_width)
COLUMN_MATCH(zero_date)
COLUMN_MATCH(json)

/* Told at the end, since dumps add keys behind their tables. */
static bool never(RuleCall *call UNUSED) { return false; }

static bool has_capital(const char *name)
{
    return name != NULL && strpbrk(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != NULL;
}

static bool match_mixed_case(RuleCall *call)
{
    return has_capital(call->act->table.name) ||
           (call->act->kind == ACT_ADD_COLUMN && has_capital(call->act->name));
}

static const unsigned reserved_bits[] = {
    [CHECK_POSTGRES] = RESERVED_POSTGRES, [CHECK_MYSQL] = RESERVED_MYSQL, [CHECK_MARIADB] = RESERVED_MARIADB};

static bool is_reserved(const RuleCall *call, const char *name)
{
    return name != NULL && (word_reserved(name) & reserved_bits[call->stream->target->engine]) != 0;
}

static bool test_reserved(const RuleCall *call, const ActColumn *column)
{
    return is_reserved(call, column->name);
}

/* Names the word in {name}. */
static bool match_reserved(RuleCall *call)
{
    const char *word = call->act->new_name != NULL ? call->act->new_name : call->act->table.name;
    if (any_column(call, test_reserved))
        return true;
    if (call->act->kind == ACT_ADD_COLUMN || !is_reserved(call, word))
        return false;
    call->about = arena_alloc(call->stream->arena, sizeof *call->about);
    *call->about = *call->act;
    call->about->name = word;
    return true;
}

static bool match_no_schema(RuleCall *call)
{
    return call->act->table.name != NULL && call->act->table.schema == NULL &&
           (call->act->flags & ACT_TEMPORARY) == 0;
}

static bool match_definer(RuleCall *call) { return str_eq(call->act->value, "DEFINER"); }

static bool match_references(RuleCall *call)
{
    const Act *act = call->act;
    for (size_t i = 0; i < act->column_count + act->constraint_count; i++) {
        bool column = i < act->column_count;
        bool key = column ? act->columns[i].references
                          : act->constraints[i - act->column_count].kind == CONSTRAINT_FOREIGN_KEY;
        Name parent = column ? act->columns[i].parent : act->constraints[i - act->column_count].references;
        if (!key || known_is_made(call->stream->known, parent) || str_eq(parent.name, act->table.name))
            continue;
        call->about = arena_alloc(call->stream->arena, sizeof *call->about);
        *call->about = *act;
        call->about->other = parent;
        return true;
    }
    return false;
}

#define TABLES .kinds = {ACT_CREATE_TABLE, ACT_ADD_COLUMN}, .on_new = true

static const Rule rules[] = {
    {.id = "integer-key",
     .severity = SEVERITY_WARN,
     .engines = RULE_ALL,
     TABLES,
     .match = match_integer_key,
     .message = "{table}.{column}: a key of {type} runs over, and widening it later writes the table anew",
     .why = "bigint costs four bytes a row, and nobody has to change it under load.",
     .aliases = "squawk/prefer-bigint-over-int, online_migrations/short_primary_key_type, "
                "pg-migration-lint/PGM101"},
    {.id = "prefer-bigint",
     .severity = SEVERITY_OFF,
     .engines = RULE_PG,
     TABLES,
     .match = match_integer,
     .message = "{table}.{column}: {type} may run over; bigint does not",
     .why = "Widening it later writes the table anew.",
     .aliases = "squawk/prefer-bigint-over-int, squawk/prefer-bigint-over-smallint"},
    {.id = "char-type",
     .severity = SEVERITY_NOTE,
     .engines = RULE_PG,
     TABLES,
     .match = match_char,
     .message = "{table}.{column}: char(n) pads with spaces, and saves nothing",
     .why = "text with a CHECK says the same without surprises.",
     .aliases = "squawk/ban-char-field, pg-migration-lint/PGM103"},
    {.id = "varchar-limit",
     .severity = SEVERITY_OFF,
     .engines = RULE_PG,
     TABLES,
     .match = match_varchar,
     .message = "{table}.{column}: the limit of {type} is part of the type, a CHECK is not",
     .why = "A CHECK can be changed without touching the column.",
     .aliases = "squawk/prefer-text-field"},
    {.id = "timestamp-without-zone",
     .severity = SEVERITY_NOTE,
     .engines = RULE_PG,
     TABLES,
     .match = match_timestamp,
     .message = "{table}.{column}: timestamp without time zone means another moment in every zone",
     .why = "timestamptz takes the same room and means a moment.",
     .aliases = "squawk/prefer-timestamp-tz, pg-migration-lint/PGM102"},
    {.id = "timetz",
     .severity = SEVERITY_NOTE,
     .engines = RULE_PG,
     TABLES,
     .match = match_timetz,
     .message = "{table}.{column}: a time with a zone, but without a date, cannot know its offset",
     .why = "The manual advises against it.",
     .aliases = "pg-migration-lint/PGM107"},
    {.id = "money",
     .severity = SEVERITY_NOTE,
     .engines = RULE_PG,
     TABLES,
     .match = match_money,
     .message = "{table}.{column}: money reads and writes by lc_monetary of the server",
     .why = "A dump restored elsewhere is another amount. Use numeric, or cents as bigint.",
     .aliases = "pg-migration-lint/PGM104"},
    {.id = "float",
     .severity = SEVERITY_OFF,
     .engines = RULE_ALL,
     TABLES,
     .match = match_float,
     .message = "{table}.{column}: {type} is not exact",
     .why = "0.1 has no binary form; sums drift. Use numeric or decimal for amounts.",
     .aliases = "pg-migration-lint/PGM105, skeema/lint-has-float"},
    {.id = "prefer-identity",
     .severity = SEVERITY_OFF,
     .engines = RULE_PG,
     .pg = {10, 0},
     TABLES,
     .match = match_serial,
     .message = "{table}.{column}: serial leaves a sequence with grants of its own; identity does not",
     .why = "GENERATED ALWAYS AS IDENTITY is the standard's way from PostgreSQL 10 on.",
     .aliases = "squawk/prefer-identity, pg-migration-lint/PGM108"},
    {.id = "json-type",
     .severity = SEVERITY_NOTE,
     .engines = RULE_PG,
     TABLES,
     .match = match_json,
     .message = "{table}.{column} is json, which has no equality; jsonb has",
     .why = "DISTINCT, GROUP BY and UNION fail on it.",
     .aliases = "pg-migration-lint/PGM106"},
    {.id = "inheritance-column",
     .severity = SEVERITY_OFF,
     .engines = RULE_ALL,
     .kinds = {ACT_ADD_COLUMN},
     .match = match_inheritance,
     .message = "a column named {column} is what object mappers keep classes in",
     .why = "Some of them turn on single table inheritance by it.",
     .aliases = "online_migrations/add_inheritance_column"},
    {.id = "table-without-key",
     .severity = SEVERITY_WARN,
     .engines = RULE_ALL,
     .match = never,
     .message = "{table} has no primary key: replicas, logical replication and batches cannot find its rows",
     .why = "UPDATE and DELETE fail on a published table without replica identity; MySQL's replicas read the "
            "whole table for every row.",
     .aliases = "pg-migration-lint/PGM502, bytebase/table_require_pk, skeema/lint-pk"},
    {.id = "mixed-case",
     .severity = SEVERITY_OFF,
     .engines = RULE_PG,
     .kinds = {ACT_CREATE_TABLE, ACT_ADD_COLUMN},
     .match = match_mixed_case,
     .on_new = true,
     .message = "{table}: a name with capitals has to be quoted for ever",
     .why = "PostgreSQL folds what is not quoted to lower case.",
     .aliases = "pg-migration-lint/PGM509, bytebase/naming_table"},
    {.id = "reserved-word",
     .severity = SEVERITY_OFF,
     .engines = RULE_ALL,
     .kinds = {ACT_CREATE_TABLE, ACT_ADD_COLUMN, ACT_RENAME_COLUMN, ACT_RENAME_TABLE},
     .match = match_reserved,
     .on_new = true,
     .message = "{name} is a word of the server: it has to be quoted for ever",
     .why = "Statements that forget the quotes fail, and tools that write SQL may be among them. Another "
            "name costs "
            "nothing now.",
     .aliases = "skeema/lint-reserved-word, bytebase/naming_identifier_no_keyword"},
    {.id = "schema-missing",
     .severity = SEVERITY_OFF,
     .engines = RULE_PG,
     .kinds = {ACT_CREATE_TABLE},
     .match = match_no_schema,
     .on_new = true,
     .message = "{table} is made wherever search_path points",
     .why = "Name the schema.",
     .aliases = "squawk/require-table-schema, pg-migration-lint/PGM503"},
    {.id = "create-enum",
     .severity = SEVERITY_OFF,
     .engines = RULE_PG,
     .kinds = {ACT_CREATE_ENUM},
     .on_new = true,
     .message = "values of enum {table} can be added, but never taken away",
     .why = "A table of values with a foreign key, or a CHECK, can be changed.",
     .aliases = "eugene/W13"},
    {.id = "create-domain-constraint",
     .severity = SEVERITY_OFF,
     .engines = RULE_PG,
     .kinds = {ACT_CREATE_DOMAIN},
     .on_new = true,
     .message = "constraints of domain {table} can be changed only by reading every table that uses it",
     .why = "A CHECK at the table can be changed alone.",
     .aliases = "squawk/ban-create-domain-with-constraint"},
    {.id = "create-table-references",
     .severity = SEVERITY_NOTE,
     .engines = RULE_PG,
     .kinds = {ACT_CREATE_TABLE},
     .match = match_references,
     .on_new = true,
     .message =
         "the foreign key of {table} takes SHARE ROW EXCLUSIVE on {other}: its writers wait, for a moment",
     .why = "Nothing is read, but the statement waits behind every writer of {other} and holds up those that "
            "come later: set lock_timeout."},
    {.id = "int-display-width",
     .severity = SEVERITY_OFF,
     .engines = RULE_MY,
     TABLES,
     .match = match_display_width,
     .message = "{table}.{column}: the width in {type} means nothing",
     .why = "MySQL 8.0.17 and later warn about it.",
     .aliases = "skeema/lint-display-width"},
    {.id = "zero-date",
     .severity = SEVERITY_NOTE,
     .engines = RULE_MY,
     TABLES,
     .match = match_zero_date,
     .message = "{table}.{column}: a default of zero is no date, and strict mode refuses it",
     .why = "NO_ZERO_DATE is part of the default sql_mode.",
     .aliases = "skeema/lint-zero-date"},
    {.id = "definer",
     .severity = SEVERITY_OFF,
     .engines = RULE_MY,
     .kinds = {ACT_CREATE_TRIGGER, ACT_CREATE_FUNCTION},
     .match = match_definer,
     .on_new = true,
     .message = "{words} with a DEFINER fails, or runs as the wrong account, on another server",
     .why = "Accounts are not part of a dump.",
     .aliases = "skeema/lint-definer"},
};

const RulePage rules_style = {"Types and style", rules, ARRAY_LEN(rules)};
