/* Parsing of requests: each case is a text and everything that must come of it. */
#include "base/str.h"
#include "change/change.h"
#include "change/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- a change as text ----------------------------------------------------------------------- */

static void show_text(Str *str, const char *label, const char *text)
{
    if (text != NULL)
        str_addf(str, " %s<%s>", label, text);
}

static void show_flag(Str *str, const char *label, bool flag)
{
    if (flag)
        str_addf(str, " %s", label);
}

static void show_list(Str *str, const char *label, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        str_addf(str, "%s%s", i == 0 ? label : ",", words[i] == NULL ? "*" : words[i]);
}

static void show_constraint(Str *str, const ConstraintSpec *spec)
{
    static const char *const kinds[] = {"check", "fk", "unique", "pk", "exclude"};
    str_addf(str, "    %s", kinds[spec->kind]);
    show_text(str, "name", spec->name);
    show_list(str, " on ", spec->columns, spec->column_count);
    show_text(str, "expr", spec->expr_sql);
    show_text(str, "refs", spec->references.name);
    show_text(str, "schema", spec->references.schema);
    show_list(str, " to ", spec->ref_columns, spec->ref_column_count);
    show_text(str, "def", spec->definition_sql);
    show_text(str, "using", spec->index_name);
    show_text(str, "index", spec->index_sql);
    show_text(str, "suffix", spec->suffix_sql[0] == '\0' ? NULL : spec->suffix_sql);
    show_flag(str, "not-valid", spec->not_valid);
    str_add(str, "\n");
}

static void show_column(Str *str, const ColumnSpec *spec)
{
    str_addf(str, "    column<%s> type<%s>", spec->name, spec->type_sql);
    show_text(str, "collate", spec->collation_sql);
    show_text(str, "extra", spec->extra_sql);
    show_text(str, "default", spec->default_sql);
    show_flag(str, "constant", spec->default_constant);
    show_flag(str, "serial", spec->serial);
    show_flag(str, "not-null", spec->not_null);
    show_text(str, "named", spec->not_null_name);
    show_flag(str, "null", spec->explicit_null);
    show_text(str, "generated", spec->generated_sql);
    if (spec->identity != '\0')
        str_addf(str, " identity<%c %s>", spec->identity, spec->identity_options_sql);
    str_add(str, "\n");
    for (size_t i = 0; i < spec->constraint_count; i++)
        show_constraint(str, &spec->constraints[i]);
}

static void show_object(Str *str, const char *label, const ObjectName *object)
{
    if (object->type == NULL)
        return;
    str_addf(str, " %s<%s", label, object->type);
    for (size_t i = 0; i < object->name_count; i++)
        str_addf(str, "%s%s", i == 0 ? " " : "|", object->names[i]);
    show_list(str, " of ", object->args, object->arg_count);
    str_add(str, ">");
}

static void show_native(Str *str, const Operation *operation)
{
    static const char *const whens[] = {"first", "last", "contract"}, *const runs[] = {"", " long",
                                                                                       " outside"};
    const NativeSpec *native = operation->native;
    str_addf(str, "    %s%s", whens[operation->when], runs[native->run]);
    show_flag(str, "quiet", native->quiet);
    show_flag(str, "replaces", native->replaces);
    show_flag(str, "unknown", native->unknown);
    show_flag(str, "late", native->late);
    show_flag(str, "new", operation->on_new);
    if (native->outside_before != 0 || native->since != 0)
        str_addf(str, " outside-before<%d> since<%d>", native->outside_before, native->since);
    show_object(str, "makes", &native->makes);
    show_object(str, "drops", &native->drops);
    for (size_t i = 0; i < native->lock_count; i++)
        str_addf(str, " %s on %s", native->locks[i].mode, native->locks[i].relation.name);
    for (size_t i = 0; i < operation->name_count; i++)
        str_addf(str, "%s%s", i == 0 ? " names<" : ",", operation->names[i].name);
    str_add(str, operation->name_count > 0 ? ">" : "");
    show_text(str, "plain", native->plain_sql);
    show_text(str, "undo", native->undo_sql);
    show_text(str, "only-new", native->only_new);
    str_add(str, "\n");
    for (size_t i = 0; i < native->same_count; i++)
        str_addf(str, "    same: %s\n", native->same_sql[i]);
}

static void show_operation(Str *str, const Operation *operation)
{
    static const char *const kinds[] = {"add-column",   "set-not-null",     "drop-not-null", "set-default",
                                        "drop-default", "add-constraint",   "validate",      "create-index",
                                        "drop-index",   "comment",          "setting",       "rename",
                                        "change-type",  "rename-column",    "rename-table",  "set-schema",
                                        "drop-column",  "drop-constraint",  "drop-table",    "attach",
                                        "detach",       "create-partition", "native"};
    str_addf(str, "%d %s %s%s%s", operation->line, kinds[operation->kind],
             operation->table.schema == NULL ? "" : operation->table.schema,
             operation->table.schema == NULL ? "" : "|",
             operation->table.name == NULL ? "-" : operation->table.name);
    if (operation->partition != NULL)
        str_addf(str, " part<%s> bound<%s> %c", operation->partition->name.name,
                 operation->partition->bound_sql != NULL ? operation->partition->bound_sql : "",
                 operation->partition->strategy != '\0' ? operation->partition->strategy : '-');
    show_flag(str, "if-exists", operation->if_exists);
    show_flag(str, "if-not-exists", operation->if_not_exists);
    show_flag(str, "only", operation->only);
    show_flag(str, "cascade", operation->cascade);
    show_flag(str, "concurrently", operation->concurrently);
    show_flag(str, "on-index", operation->on_index);
    show_text(str, "column", operation->column);
    show_text(str, "constraint", operation->constraint_name);
    show_text(str, "default", operation->default_sql);
    show_text(str, "trigger", operation->trigger);
    show_text(str, "words", operation->words);
    show_text(str, "lock", operation->lock);
    show_text(str, "to", operation->new_name);
    show_text(str, "type", operation->type_sql);
    show_text(str, "collation", operation->collation_sql);
    show_text(str, "using", operation->using_sql);
    show_flag(str, "part-if-exists", operation->part_if_exists);
    str_addf(str, "\n  %s\n", operation->sql);
    if (operation->native != NULL)
        show_native(str, operation);
    if (operation->add != NULL)
        show_column(str, operation->add);
    if (operation->constraint != NULL)
        show_constraint(str, operation->constraint);
    if (operation->index == NULL)
        return;
    str_add(str, "   ");
    show_text(str, "name", operation->index->name);
    show_flag(str, "unique", operation->index->unique);
    show_flag(str, "concurrently", operation->index->concurrently);
    show_flag(str, "if-not-exists", operation->index->if_not_exists);
    show_list(str, " on ", operation->index->columns, operation->index->column_count);
    show_text(str, "def", operation->index->definition_sql);
    str_add(str, "\n");
}

static void show_clause(Str *str, const char *word, const BackfillSpec *spec)
{
    str_addf(str, "%d %s %s%s%s.%s = %s", spec->line, word,
             spec->table.schema == NULL ? "" : spec->table.schema, spec->table.schema == NULL ? "" : "|",
             spec->table.name, spec->column, spec->expr_sql);
    show_list(str, " refs ", spec->refs, spec->ref_count);
    show_flag(str, "whole-row", spec->whole_row);
    show_flag(str, "sub-select", spec->sub_select);
    str_add(str, "\n");
}

static char *show(const Change *change)
{
    Str str = STR_INIT;
    for (size_t i = 0; i < change->operation_count; i++)
        show_operation(&str, &change->operations[i]);
    for (size_t i = 0; i < change->backfill_count; i++)
        show_clause(&str, "backfill", &change->backfills[i]);
    for (size_t i = 0; i < change->reverse_count; i++)
        show_clause(&str, "reverse", &change->reverses[i]);
    for (size_t i = 0; i < change->problem_count; i++) {
        const Problem *problem = &change->problems[i];
        str_addf(&str, "%s %d:%d %s", err_kind_name(problem->kind), problem->line, problem->column,
                 problem->message);
        show_text(&str, "hint", problem->hint);
        str_add(&str, "\n");
    }
    return str_take(&str);
}

static void expect(const ChangeInput *input, const char *expected)
{
    Arena *arena = arena_new();
    Change change;
    change_parse_pg(arena, input, &change);
    char *shown = show(&change);
    assert_string_equal(shown, expected);
    free(shown);
    arena_free(arena);
}

typedef struct Case {
    const char *sql, *expected;
} Case;

static void expect_all(const Case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        expect(&(ChangeInput){.sql = cases[i].sql}, cases[i].expected);
}

static void test_add_column(void **state UNUSED)
{
    static const Case cases[] = {
        {"alter table orders add amount_cents bigint", "1 add-column orders column<amount_cents>\n"
                                                       "  ALTER TABLE orders ADD COLUMN amount_cents bigint\n"
                                                       "    column<amount_cents> type<bigint>\n"},
        {"ALTER TABLE IF EXISTS ONLY public.\"Orders\" ADD COLUMN IF NOT EXISTS \"A b\" numeric(10,2)[] "
         "COLLATE \"C\" NOT NULL DEFAULT '{}'",
         "1 add-column public|Orders if-exists if-not-exists only column<A b>\n"
         "  ALTER TABLE IF EXISTS ONLY public.\"Orders\" ADD COLUMN IF NOT EXISTS \"A b\" numeric(10, 2)[] "
         "COLLATE \"C\" NOT NULL DEFAULT '{}'\n"
         "    column<A b> type<numeric(10,2)[]> collate<\"C\"> default<'{}'> constant not-null\n"},
        {"ALTER TABLE t ADD a int NULL, ADD b int CONSTRAINT nn NOT NULL, ADD c varchar(3)",
         "1 add-column t column<a>\n"
         "  ALTER TABLE t ADD COLUMN a int NULL\n"
         "    column<a> type<integer> null\n"
         "1 add-column t column<b>\n"
         "  ALTER TABLE t ADD COLUMN b int CONSTRAINT nn NOT NULL\n"
         "    column<b> type<integer> not-null named<nn>\n"
         "1 add-column t column<c>\n"
         "  ALTER TABLE t ADD COLUMN c varchar(3)\n"
         "    column<c> type<character varying(3)>\n"},
        {"ALTER TABLE t ADD c int CONSTRAINT foo CHECK (c > 0) NO INHERIT CHECK (c < 9)",
         "1 add-column t column<c>\n"
         "  ALTER TABLE t ADD COLUMN c int CONSTRAINT foo CHECK (c > 0) NO INHERIT CHECK (c < 9)\n"
         "    column<c> type<integer>\n"
         "    check name<foo> expr<c > 0> def<CHECK (c > 0) NO INHERIT>\n"
         "    check expr<c < 9> def<CHECK (c < 9)>\n"},
        {"ALTER TABLE t ADD c text UNIQUE NULLS NOT DISTINCT WITH (fillfactor=70) DEFERRABLE INITIALLY "
         "DEFERRED",
         "1 add-column t column<c>\n"
         "  ALTER TABLE t ADD COLUMN c text UNIQUE NULLS NOT DISTINCT WITH (fillfactor=70) DEFERRABLE "
         "INITIALLY DEFERRED\n"
         "    column<c> type<text>\n"
         "    unique on c def<UNIQUE NULLS NOT DISTINCT (c) WITH (fillfactor=70) DEFERRABLE INITIALLY "
         "DEFERRED> index<(c) NULLS NOT DISTINCT WITH (fillfactor=70)> suffix< DEFERRABLE INITIALLY "
         "DEFERRED>\n"},
        {"ALTER TABLE t ADD c int CONSTRAINT k PRIMARY KEY USING INDEX TABLESPACE ts",
         "1 add-column t column<c>\n"
         "  ALTER TABLE t ADD COLUMN c int CONSTRAINT k PRIMARY KEY USING INDEX TABLESPACE ts\n"
         "    column<c> type<integer> not-null\n"
         "    pk name<k> on c def<PRIMARY KEY (c) USING INDEX TABLESPACE ts> index<(c) TABLESPACE ts>\n"},
        {"ALTER TABLE t ADD \"C d\" int CONSTRAINT fk REFERENCES s.u (\"ID\") MATCH FULL ON DELETE CASCADE "
         "ON UPDATE SET NULL DEFERRABLE",
         "1 add-column t column<C d>\n"
         "  ALTER TABLE t ADD COLUMN \"C d\" int CONSTRAINT fk REFERENCES s.u (\"ID\") MATCH FULL ON UPDATE "
         "SET NULL ON DELETE CASCADE DEFERRABLE\n"
         "    column<C d> type<integer>\n"
         "    fk name<fk> on C d refs<u> schema<s> to ID def<FOREIGN KEY (\"C d\") REFERENCES s.u (\"ID\") "
         "MATCH FULL ON UPDATE SET NULL ON DELETE CASCADE DEFERRABLE> suffix< DEFERRABLE>\n"},
        {"ALTER TABLE t ADD c int REFERENCES u NOT DEFERRABLE INITIALLY IMMEDIATE",
         "1 add-column t column<c>\n"
         "  ALTER TABLE t ADD COLUMN c int REFERENCES u NOT DEFERRABLE INITIALLY IMMEDIATE\n"
         "    column<c> type<integer>\n"
         "    fk on c refs<u> def<FOREIGN KEY (c) REFERENCES u>\n"},
        {"ALTER TABLE t ADD c int GENERATED ALWAYS AS (a * 2) STORED",
         "1 add-column t column<c>\n"
         "  ALTER TABLE t ADD COLUMN c int GENERATED ALWAYS AS (a * 2) STORED\n"
         "    column<c> type<integer> generated<a * 2>\n"},
        {"ALTER TABLE t ADD c int GENERATED BY DEFAULT AS IDENTITY (START WITH 10 INCREMENT BY 5 CYCLE), ADD "
         "d bigint GENERATED ALWAYS AS IDENTITY",
         "1 add-column t column<c>\n"
         "  ALTER TABLE t ADD COLUMN c int GENERATED BY DEFAULT AS IDENTITY (START 10 INCREMENT 5 CYCLE)\n"
         "    column<c> type<integer> not-null identity<d START 10 INCREMENT 5 CYCLE>\n"
         "1 add-column t column<d>\n"
         "  ALTER TABLE t ADD COLUMN d bigint GENERATED ALWAYS AS IDENTITY\n"
         "    column<d> type<bigint> not-null identity<a >\n"},
        {"ALTER TABLE t ADD a serial, ADD b bigserial, ADD c smallserial, ADD d pg_catalog.serial",
         "1 add-column t column<a>\n"
         "  ALTER TABLE t ADD COLUMN a serial\n"
         "    column<a> type<integer> serial not-null\n"
         "1 add-column t column<b>\n"
         "  ALTER TABLE t ADD COLUMN b bigserial\n"
         "    column<b> type<bigint> serial not-null\n"
         "1 add-column t column<c>\n"
         "  ALTER TABLE t ADD COLUMN c smallserial\n"
         "    column<c> type<smallint> serial not-null\n"
         "1 add-column t column<d>\n"
         "  ALTER TABLE t ADD COLUMN d pg_catalog.serial\n"
         "    column<d> type<integer> serial not-null\n"},
        {"ALTER TABLE t ADD c text COMPRESSION lz4", "1 add-column t column<c>\n"
                                                     "  ALTER TABLE t ADD COLUMN c text COMPRESSION lz4\n"
                                                     "    column<c> type<text> extra<COMPRESSION lz4>\n"},
    };
    expect_all(cases, ARRAY_LEN(cases));
}

static void test_default(void **state UNUSED)
{
    static const Case cases[] = {
        {"ALTER TABLE t ADD a int DEFAULT -5, ADD b text DEFAULT 'x', ADD c bool DEFAULT true, ADD d int "
         "DEFAULT NULL",
         "1 add-column t column<a>\n"
         "  ALTER TABLE t ADD COLUMN a int DEFAULT -5\n"
         "    column<a> type<integer> default<-5> constant\n"
         "1 add-column t column<b>\n"
         "  ALTER TABLE t ADD COLUMN b text DEFAULT 'x'\n"
         "    column<b> type<text> default<'x'> constant\n"
         "1 add-column t column<c>\n"
         "  ALTER TABLE t ADD COLUMN c bool DEFAULT true\n"
         "    column<c> type<boolean> default<true> constant\n"
         "1 add-column t column<d>\n"
         "  ALTER TABLE t ADD COLUMN d int DEFAULT NULL\n"
         "    column<d> type<integer> default<NULL> constant\n"},
        {"ALTER TABLE t ADD a timestamptz DEFAULT '2020-01-01'::timestamptz, ADD b int[] DEFAULT ARRAY[1, "
         "-2], ADD c text[] DEFAULT ARRAY[]::text[]",
         "1 add-column t column<a>\n"
         "  ALTER TABLE t ADD COLUMN a timestamptz DEFAULT '2020-01-01'::timestamptz\n"
         "    column<a> type<timestamp with time zone> default<'2020-01-01'::timestamptz> constant\n"
         "1 add-column t column<b>\n"
         "  ALTER TABLE t ADD COLUMN b int[] DEFAULT ARRAY[1, -2]\n"
         "    column<b> type<integer[]> default<ARRAY[1, -2]> constant\n"
         "1 add-column t column<c>\n"
         "  ALTER TABLE t ADD COLUMN c text[] DEFAULT ARRAY[]::text[]\n"
         "    column<c> type<text[]> default<ARRAY[]::text[]> constant\n"},
        {"ALTER TABLE t ADD a bigint DEFAULT 0::bigint, ADD b text DEFAULT 1::mytype, ADD c text DEFAULT "
         "'x'::text::mytype, ADD d numeric DEFAULT + 1",
         "1 add-column t column<a>\n"
         "  ALTER TABLE t ADD COLUMN a bigint DEFAULT 0::bigint\n"
         "    column<a> type<bigint> default<0::bigint> constant\n"
         "1 add-column t column<b>\n"
         "  ALTER TABLE t ADD COLUMN b text DEFAULT 1::mytype\n"
         "    column<b> type<text> default<1::mytype>\n"
         "1 add-column t column<c>\n"
         "  ALTER TABLE t ADD COLUMN c text DEFAULT 'x'::text::mytype\n"
         "    column<c> type<text> default<'x'::text::mytype>\n"
         "1 add-column t column<d>\n"
         "  ALTER TABLE t ADD COLUMN d numeric DEFAULT + 1\n"
         "    column<d> type<numeric> default<+ 1> constant\n"},
        {"ALTER TABLE t ADD a timestamptz DEFAULT now(), ADD b uuid DEFAULT gen_random_uuid(), ADD c date "
         "DEFAULT CURRENT_DATE, ADD d int DEFAULT 1 + 1",
         "1 add-column t column<a>\n"
         "  ALTER TABLE t ADD COLUMN a timestamptz DEFAULT now()\n"
         "    column<a> type<timestamp with time zone> default<now()>\n"
         "1 add-column t column<b>\n"
         "  ALTER TABLE t ADD COLUMN b uuid DEFAULT gen_random_uuid()\n"
         "    column<b> type<uuid> default<gen_random_uuid()>\n"
         "1 add-column t column<c>\n"
         "  ALTER TABLE t ADD COLUMN c date DEFAULT current_date\n"
         "    column<c> type<date> default<current_date>\n"
         "1 add-column t column<d>\n"
         "  ALTER TABLE t ADD COLUMN d int DEFAULT 1 + 1\n"
         "    column<d> type<integer> default<1 + 1>\n"},
        {"ALTER TABLE t ADD a bool DEFAULT (1 IS NULL), ADD b text DEFAULT ('a' || 'b'), ADD c bool DEFAULT "
         "(1 IN (1, 2))",
         "1 add-column t column<a>\n"
         "  ALTER TABLE t ADD COLUMN a bool DEFAULT (1 IS NULL)\n"
         "    column<a> type<boolean> default<(1 IS NULL)>\n"
         "1 add-column t column<b>\n"
         "  ALTER TABLE t ADD COLUMN b text DEFAULT 'a' || 'b'\n"
         "    column<b> type<text> default<'a' || 'b'>\n"
         "1 add-column t column<c>\n"
         "  ALTER TABLE t ADD COLUMN c bool DEFAULT (1 IN (1, 2))\n"
         "    column<c> type<boolean> default<(1 IN (1, 2))>\n"},
    };
    expect_all(cases, ARRAY_LEN(cases));
}

static void test_type(void **state UNUSED)
{
    static const Case cases[] = {
        {"ALTER TABLE t ADD a int4, ADD b integer[3][2], ADD c varchar, ADD d char, ADD e bpchar, ADD f "
         "float, ADD g dec(3), ADD h bit(3)",
         "1 add-column t column<a>\n"
         "  ALTER TABLE t ADD COLUMN a int4\n"
         "    column<a> type<integer>\n"
         "1 add-column t column<b>\n"
         "  ALTER TABLE t ADD COLUMN b int[3][2]\n"
         "    column<b> type<integer[]>\n"
         "1 add-column t column<c>\n"
         "  ALTER TABLE t ADD COLUMN c varchar\n"
         "    column<c> type<character varying>\n"
         "1 add-column t column<d>\n"
         "  ALTER TABLE t ADD COLUMN d char(1)\n"
         "    column<d> type<character(1)>\n"
         "1 add-column t column<e>\n"
         "  ALTER TABLE t ADD COLUMN e bpchar\n"
         "    column<e> type<bpchar>\n"
         "1 add-column t column<f>\n"
         "  ALTER TABLE t ADD COLUMN f double precision\n"
         "    column<f> type<double precision>\n"
         "1 add-column t column<g>\n"
         "  ALTER TABLE t ADD COLUMN g numeric(3)\n"
         "    column<g> type<numeric(3,0)>\n"
         "1 add-column t column<h>\n"
         "  ALTER TABLE t ADD COLUMN h pg_catalog.bit(3)\n"
         "    column<h> type<bit(3)>\n"},
        {"ALTER TABLE t ADD a timestamp(3), ADD b timestamptz, ADD c time with time zone, ADD d interval day "
         "to second(3), ADD e s.\"My Type\"(3), ADD f \"char\", ADD g uuid",
         "1 add-column t column<a>\n"
         "  ALTER TABLE t ADD COLUMN a timestamp(3)\n"
         "    column<a> type<timestamp(3) without time zone>\n"
         "1 add-column t column<b>\n"
         "  ALTER TABLE t ADD COLUMN b timestamptz\n"
         "    column<b> type<timestamp with time zone>\n"
         "1 add-column t column<c>\n"
         "  ALTER TABLE t ADD COLUMN c time with time zone\n"
         "    column<c> type<time with time zone>\n"
         "1 add-column t column<d>\n"
         "  ALTER TABLE t ADD COLUMN d interval day to second(3)\n"
         "    column<d> type<interval day to second(3)>\n"
         "1 add-column t column<e>\n"
         "  ALTER TABLE t ADD COLUMN e s.\"My Type\"(3)\n"
         "    column<e> type<s.\"My Type\"(3)>\n"
         "1 add-column t column<f>\n"
         "  ALTER TABLE t ADD COLUMN f \"char\"\n"
         "    column<f> type<\"char\">\n"
         "1 add-column t column<g>\n"
         "  ALTER TABLE t ADD COLUMN g uuid\n"
         "    column<g> type<uuid>\n"},
    };
    expect_all(cases, ARRAY_LEN(cases));
}

static void test_alter(void **state UNUSED)
{
    static const Case cases[] = {
        {"ALTER TABLE t ALTER a SET NOT NULL, ALTER COLUMN b DROP NOT NULL, ALTER \"C\" SET DEFAULT (a > "
         "0)::text, ALTER d DROP DEFAULT, ALTER e SET DEFAULT 5",
         "1 set-not-null t column<a>\n"
         "  ALTER TABLE t ALTER COLUMN a SET NOT NULL\n"
         "1 drop-not-null t column<b>\n"
         "  ALTER TABLE t ALTER COLUMN b DROP NOT NULL\n"
         "1 set-default t column<C> default<(a > 0)::text>\n"
         "  ALTER TABLE t ALTER COLUMN \"C\" SET DEFAULT (a > 0)::text\n"
         "1 drop-default t column<d>\n"
         "  ALTER TABLE t ALTER COLUMN d DROP DEFAULT\n"
         "1 set-default t column<e> default<5>\n"
         "  ALTER TABLE t ALTER COLUMN e SET DEFAULT 5\n"},
        {"ALTER TABLE t ADD CHECK (a > 0) NOT VALID, ADD CONSTRAINT \"X y\" CHECK (a > 0 AND (b OR c)) NO "
         "INHERIT",
         "1 add-constraint t\n"
         "  ALTER TABLE t ADD CHECK (a > 0) NOT VALID\n"
         "    check expr<a > 0> def<CHECK (a > 0)> not-valid\n"
         "1 add-constraint t\n"
         "  ALTER TABLE t ADD CONSTRAINT \"X y\" CHECK (a > 0 AND (b OR c)) NO INHERIT\n"
         "    check name<X y> expr<a > 0 AND (b OR c)> def<CHECK (a > 0 AND (b OR c)) NO INHERIT>\n"},
        {"ALTER TABLE t ADD CONSTRAINT x FOREIGN KEY (a, b) REFERENCES s.u (c, d) ON DELETE SET NULL (a) "
         "DEFERRABLE INITIALLY DEFERRED NOT VALID",
         "1 add-constraint t\n"
         "  ALTER TABLE t ADD CONSTRAINT x FOREIGN KEY (a, b) REFERENCES s.u (c, d) ON DELETE SET NULL (a) "
         "DEFERRABLE INITIALLY DEFERRED NOT VALID\n"
         "    fk name<x> on a,b refs<u> schema<s> to c,d def<FOREIGN KEY (a, b) REFERENCES s.u (c, d) ON "
         "DELETE SET NULL (a) DEFERRABLE INITIALLY DEFERRED> suffix< DEFERRABLE INITIALLY DEFERRED> "
         "not-valid\n"},
        {"ALTER TABLE t ADD FOREIGN KEY (\"json\") REFERENCES u",
         "1 add-constraint t\n"
         "  ALTER TABLE t ADD FOREIGN KEY (\"json\") REFERENCES u\n"
         "    fk on json refs<u> def<FOREIGN KEY (\"json\") REFERENCES u>\n"},
        {"ALTER TABLE t ADD CONSTRAINT x UNIQUE NULLS NOT DISTINCT (a, \"B\") INCLUDE (c) WITH "
         "(fillfactor=70) USING INDEX TABLESPACE ts DEFERRABLE",
         "1 add-constraint t\n"
         "  ALTER TABLE t ADD CONSTRAINT x UNIQUE NULLS NOT DISTINCT (a, \"B\") INCLUDE (c) WITH "
         "(fillfactor=70) USING INDEX TABLESPACE ts DEFERRABLE\n"
         "    unique name<x> on a,B def<UNIQUE NULLS NOT DISTINCT (a, \"B\") INCLUDE (c) WITH "
         "(fillfactor=70) USING INDEX TABLESPACE ts DEFERRABLE> index<(a, \"B\") INCLUDE (c) NULLS NOT "
         "DISTINCT WITH (fillfactor=70) TABLESPACE ts> suffix< DEFERRABLE>\n"},
        {"ALTER TABLE t ADD PRIMARY KEY (a) INCLUDE (b), ADD UNIQUE (c)",
         "1 add-constraint t\n"
         "  ALTER TABLE t ADD PRIMARY KEY (a) INCLUDE (b)\n"
         "    pk on a def<PRIMARY KEY (a) INCLUDE (b)> index<(a) INCLUDE (b)>\n"
         "1 add-constraint t\n"
         "  ALTER TABLE t ADD UNIQUE (c)\n"
         "    unique on c def<UNIQUE (c)> index<(c)>\n"},
        {"ALTER TABLE t ADD CONSTRAINT x UNIQUE USING INDEX \"Idx\" DEFERRABLE INITIALLY DEFERRED, ADD "
         "PRIMARY KEY USING INDEX i",
         "1 add-constraint t\n"
         "  ALTER TABLE t ADD CONSTRAINT x UNIQUE USING INDEX \"Idx\" DEFERRABLE INITIALLY DEFERRED\n"
         "    unique name<x> def<UNIQUE DEFERRABLE INITIALLY DEFERRED> using<Idx> suffix< DEFERRABLE "
         "INITIALLY DEFERRED>\n"
         "1 add-constraint t\n"
         "  ALTER TABLE t ADD PRIMARY KEY USING INDEX i\n"
         "    pk def<PRIMARY KEY> using<i>\n"},
        {"ALTER TABLE ONLY s.t VALIDATE CONSTRAINT x", "1 validate s|t only constraint<x>\n"
                                                       "  ALTER TABLE ONLY s.t VALIDATE CONSTRAINT x\n"},
    };
    expect_all(cases, ARRAY_LEN(cases));
}

static void test_index_and_comment(void **state UNUSED)
{
    static const Case cases[] = {
        {"CREATE INDEX ON t (a)", "1 create-index t\n"
                                  "  CREATE INDEX ON t USING btree (a)\n"
                                  "    on a def<USING btree (a)>\n"},
        {"create unique index concurrently if not exists \"Foo\" on only s.t using gin (lower(b) collate "
         "\"C\" public.text_ops (x=1) desc nulls last, (a+b), c) include (d) nulls not distinct with "
         "(fillfactor=70) tablespace ts where a > 0",
         "1 create-index s|t only\n"
         "  CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS \"Foo\" ON ONLY s.t USING gin (lower(b)COLLATE "
         "\"C\" public.text_ops(x=1) DESC NULLS LAST, (a + b), c) INCLUDE (d) NULLS NOT DISTINCT WITH "
         "(fillfactor=70) TABLESPACE ts WHERE a > 0\n"
         "    name<Foo> unique concurrently if-not-exists on *,*,c def<USING gin (lower(b)COLLATE \"C\" "
         "public.text_ops(x=1) DESC NULLS LAST, (a + b), c) INCLUDE (d) NULLS NOT DISTINCT WITH "
         "(fillfactor=70) TABLESPACE ts WHERE a > 0>\n"},
        {"DROP INDEX CONCURRENTLY IF EXISTS a, s.\"B\" CASCADE; DROP INDEX c",
         "1 drop-index a if-exists cascade concurrently on-index\n"
         "  DROP INDEX CONCURRENTLY IF EXISTS a CASCADE\n"
         "1 drop-index s|B if-exists cascade concurrently on-index\n"
         "  DROP INDEX CONCURRENTLY IF EXISTS s.\"B\" CASCADE\n"
         "1 drop-index c on-index\n"
         "  DROP INDEX c\n"},
        {"COMMENT ON TABLE s.t IS 'it''s'; COMMENT ON COLUMN t.c IS NULL; COMMENT ON INDEX s.i IS E'a\\\\b'; "
         "COMMENT ON CONSTRAINT c ON s.t IS 'x'",
         "1 comment s|t\n"
         "  COMMENT ON TABLE s.t IS 'it''s'\n"
         "1 comment t column<c>\n"
         "  COMMENT ON COLUMN t.c IS NULL\n"
         "1 comment s|i on-index\n"
         "  COMMENT ON INDEX s.i IS E'a\\\\b'\n"
         "1 comment s|t constraint<c>\n"
         "  COMMENT ON CONSTRAINT c ON s.t IS 'x'\n"},
    };
    expect_all(cases, ARRAY_LEN(cases));
}

static void test_settings_and_names(void **state UNUSED)
{
    static const Case cases[] = {
        {"ALTER TABLE s.t ALTER \"C\" SET STATISTICS 500, ALTER c SET (n_distinct = -0.5), ALTER c RESET "
         "(n_distinct), ALTER c SET STORAGE external, ALTER c SET COMPRESSION lz4",
         "1 setting s|t column<C> words<SET STATISTICS> lock<SHARE UPDATE EXCLUSIVE>\n"
         "  ALTER TABLE s.t ALTER COLUMN \"C\" SET STATISTICS 500\n"
         "1 setting s|t column<c> words<SET (options)> lock<SHARE UPDATE EXCLUSIVE>\n"
         "  ALTER TABLE s.t ALTER COLUMN c SET (n_distinct=-0.5)\n"
         "1 setting s|t column<c> words<RESET (options)> lock<SHARE UPDATE EXCLUSIVE>\n"
         "  ALTER TABLE s.t ALTER COLUMN c RESET (n_distinct)\n"
         "1 setting s|t column<c> words<SET STORAGE> lock<ACCESS EXCLUSIVE>\n"
         "  ALTER TABLE s.t ALTER COLUMN c SET STORAGE external\n"
         "1 setting s|t column<c> words<SET COMPRESSION> lock<ACCESS EXCLUSIVE>\n"
         "  ALTER TABLE s.t ALTER COLUMN c SET COMPRESSION lz4\n"},
        {"ALTER TABLE IF EXISTS ONLY t CLUSTER ON i; ALTER TABLE t SET WITHOUT CLUSTER; ALTER TABLE t RESET "
         "(fillfactor); ALTER TABLE t REPLICA IDENTITY USING INDEX i; ALTER TABLE t REPLICA IDENTITY FULL",
         "1 setting t if-exists only words<CLUSTER ON> lock<SHARE UPDATE EXCLUSIVE>\n"
         "  ALTER TABLE IF EXISTS ONLY t CLUSTER ON i\n"
         "1 setting t words<SET WITHOUT CLUSTER> lock<SHARE UPDATE EXCLUSIVE>\n"
         "  ALTER TABLE t SET WITHOUT CLUSTER\n"
         "1 setting t words<RESET (storage parameters)> lock<SHARE UPDATE EXCLUSIVE>\n"
         "  ALTER TABLE t RESET (fillfactor)\n"
         "1 setting t words<REPLICA IDENTITY> lock<ACCESS EXCLUSIVE>\n"
         "  ALTER TABLE t REPLICA IDENTITY USING INDEX i\n"
         "1 setting t words<REPLICA IDENTITY> lock<ACCESS EXCLUSIVE>\n"
         "  ALTER TABLE t REPLICA IDENTITY FULL\n"},
        {"ALTER TABLE t ENABLE TRIGGER a, ENABLE ALWAYS TRIGGER a, ENABLE REPLICA TRIGGER a, DISABLE TRIGGER "
         "a, "
         "DISABLE TRIGGER ALL",
         "1 setting t trigger<a> words<ENABLE TRIGGER> lock<SHARE ROW EXCLUSIVE>\n"
         "  ALTER TABLE t ENABLE TRIGGER a\n"
         "1 setting t trigger<a> words<ENABLE ALWAYS TRIGGER> lock<SHARE ROW EXCLUSIVE>\n"
         "  ALTER TABLE t ENABLE ALWAYS TRIGGER a\n"
         "1 setting t trigger<a> words<ENABLE REPLICA TRIGGER> lock<SHARE ROW EXCLUSIVE>\n"
         "  ALTER TABLE t ENABLE REPLICA TRIGGER a\n"
         "1 setting t trigger<a> words<DISABLE TRIGGER> lock<SHARE ROW EXCLUSIVE>\n"
         "  ALTER TABLE t DISABLE TRIGGER a\n"
         "unsafe 1:1 DISABLE TRIGGER ALL concerns Stoa's own triggers, too, and ALL those of foreign keys "
         "hint<name the trigger>\n"},
        {"ALTER TABLE ONLY s.t RENAME CONSTRAINT \"My c\" TO b; ALTER INDEX IF EXISTS s.i RENAME TO \"J\"",
         "1 rename s|t only constraint<My c> to<b>\n"
         "  ALTER TABLE ONLY s.t RENAME CONSTRAINT \"My c\" TO b\n"
         "1 rename s|i if-exists on-index to<J>\n"
         "  ALTER INDEX IF EXISTS s.i RENAME TO \"J\"\n"},
    };
    expect_all(cases, ARRAY_LEN(cases));
}

static void test_shapes(void **state UNUSED)
{
    static const Case cases[] = {
        {"ALTER TABLE t DROP COLUMN IF EXISTS c CASCADE, ALTER c TYPE int8 USING c::bigint, ALTER d SET DATA "
         "TYPE varchar(9) COLLATE \"C\", DROP CONSTRAINT x",
         "1 drop-column t cascade column<c> part-if-exists\n"
         "  ALTER TABLE t DROP IF EXISTS c CASCADE\n"
         "1 change-type t column<c> type<bigint> using<c::bigint>\n"
         "  ALTER TABLE t ALTER COLUMN c TYPE int8 USING c::bigint\n"
         "1 change-type t column<d> type<character varying(9)> collation<\"C\">\n"
         "  ALTER TABLE t ALTER COLUMN d TYPE varchar(9) COLLATE \"C\"\n"
         "1 drop-constraint t constraint<x>\n"
         "  ALTER TABLE t DROP CONSTRAINT x\n"},
        {"ALTER TABLE t RENAME a TO b; ALTER TABLE IF EXISTS t RENAME TO u; ALTER TABLE t SET SCHEMA s",
         "1 rename-column t column<a> to<b>\n"
         "  ALTER TABLE t RENAME COLUMN a TO b\n"
         "1 rename-table t if-exists to<u>\n"
         "  ALTER TABLE IF EXISTS t RENAME TO u\n"
         "1 set-schema t to<s>\n"
         "  ALTER TABLE t SET SCHEMA s\n"},
        {"DROP TABLE IF EXISTS a, s.\"B\" CASCADE", "1 drop-table a if-exists cascade\n"
                                                    "  DROP TABLE IF EXISTS a CASCADE\n"
                                                    "1 drop-table s|B if-exists cascade\n"
                                                    "  DROP TABLE IF EXISTS s.\"B\" CASCADE\n"},
    };
    expect_all(cases, ARRAY_LEN(cases));
}

static void test_native(void **state UNUSED)
{
    static const Case cases[] = {
        {"CREATE TABLE IF NOT EXISTS s.items (id serial PRIMARY KEY, o bigint REFERENCES orders, b int, "
         "FOREIGN KEY (b) REFERENCES s.b); CREATE INDEX CONCURRENTLY ON s.items (o); ALTER TABLE items ADD "
         "EXCLUDE USING gist (b WITH =)",
         "1 native s|items words<CREATE TABLE>\n"
         "  CREATE TABLE IF NOT EXISTS s.items (id serial PRIMARY KEY, o bigint REFERENCES orders, b int, "
         "FOREIGN KEY (b) REFERENCES s.b)\n"
         "    first quiet makes<table s|items> SHARE ROW EXCLUSIVE on orders SHARE ROW EXCLUSIVE on b "
         "names<items,orders,b> plain<CREATE TABLE s.items (id serial PRIMARY KEY, o bigint REFERENCES "
         "orders, b int, FOREIGN KEY (b) REFERENCES s.b)> undo<DROP TABLE s.items>\n"
         "    same: CREATE TEMPORARY TABLE items (id serial PRIMARY KEY, o bigint, b int)\n"
         "1 create-index s|items\n"
         "  CREATE INDEX CONCURRENTLY ON s.items USING btree (o)\n"
         "    concurrently on o def<USING btree (o)>\n"
         "1 add-constraint items\n"
         "  ALTER TABLE items ADD EXCLUDE USING gist (b WITH =)\n"
         "    exclude on b def<EXCLUDE USING gist (b WITH =)>\n"},
        {"CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2); SELECT a INTO t FROM b",
         "1 create-partition p part<p2> bound<FOR VALUES IN (2)> l\n"
         "  CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2)\n"
         "1 native t words<SELECT INTO>\n"
         "  SELECT a INTO t FROM b\n"
         "    first long makes<table t> names<t,b> undo<DROP TABLE t>\n"},
        {"CREATE TABLE c AS SELECT 1 AS a WITH NO DATA; CREATE MATERIALIZED VIEW m AS SELECT a FROM b; "
         "CREATE INDEX ON m (a)",
         "1 native c words<CREATE TABLE AS>\n"
         "  CREATE TABLE c AS SELECT 1 AS a WITH NO DATA\n"
         "    first makes<table c> names<c> undo<DROP TABLE c>\n"
         "1 native m words<CREATE MATERIALIZED VIEW>\n"
         "  CREATE MATERIALIZED VIEW m AS SELECT a FROM b\n"
         "    last long makes<materialized view m> names<b,m> undo<DROP MATERIALIZED VIEW m>\n"
         "1 create-index m\n"
         "  CREATE INDEX ON m USING btree (a)\n"
         "    on a def<USING btree (a)>\n"},
        {"CREATE VIEW \"S\".v AS SELECT 1 AS a; CREATE OR REPLACE VIEW v AS SELECT a FROM b; DROP VIEW IF "
         "EXISTS x, y.z CASCADE; ALTER VIEW v RENAME TO w",
         "1 native S|v words<CREATE VIEW>\n"
         "  CREATE VIEW \"S\".v AS SELECT 1 AS a\n"
         "    last makes<view S|v> names<v> undo<DROP VIEW \"S\".v>\n"
         "    same: CREATE TEMPORARY VIEW v AS SELECT 1 AS a\n"
         "1 native v words<CREATE VIEW>\n"
         "  CREATE OR REPLACE VIEW v AS SELECT a FROM b\n"
         "    last replaces makes<view v> ACCESS EXCLUSIVE on v names<v,b> undo<DROP VIEW v>\n"
         "    same: CREATE TEMPORARY VIEW v AS SELECT a FROM b\n"
         "1 native x words<DROP VIEW>\n"
         "  DROP VIEW IF EXISTS x CASCADE\n"
         "    contract quiet unknown drops<view x> ACCESS EXCLUSIVE on x names<x>\n"
         "1 native y|z words<DROP VIEW>\n"
         "  DROP VIEW IF EXISTS y.z CASCADE\n"
         "    contract quiet unknown drops<view y|z> ACCESS EXCLUSIVE on z names<z>\n"
         "1 native v words<ALTER VIEW RENAME TO>\n"
         "  ALTER VIEW v RENAME TO w\n"
         "    contract ACCESS EXCLUSIVE on v names<v>\n"},
        {"CREATE TYPE \"Mood\" AS ENUM ('a'); CREATE TYPE s.p AS (a int); CREATE DOMAIN d AS int CHECK "
         "(VALUE > 0); CREATE TYPE r AS RANGE (subtype = int)",
         "1 native - words<CREATE TYPE>\n"
         "  CREATE TYPE \"Mood\" AS ENUM ('a')\n"
         "    first makes<type \"Mood\"> undo<DROP TYPE \"Mood\">\n"
         "    same: CREATE TYPE pg_temp.\"Mood\" AS ENUM ('a')\n"
         "1 native - words<CREATE TYPE>\n"
         "  CREATE TYPE s.p AS (a int)\n"
         "    first makes<type s.p> names<p> undo<DROP TYPE s.p>\n"
         "    same: CREATE TYPE pg_temp.p AS (a int)\n"
         "1 native - words<CREATE DOMAIN>\n"
         "  CREATE DOMAIN d AS int CHECK (value > 0)\n"
         "    first makes<domain d> undo<DROP DOMAIN d>\n"
         "    same: CREATE DOMAIN pg_temp.d AS int CHECK (value > 0)\n"
         "1 native - words<CREATE TYPE>\n"
         "  CREATE TYPE r AS RANGE (subtype = int)\n"
         "    first makes<type r> undo<DROP TYPE r>\n"
         "    same: CREATE TYPE pg_temp.r AS RANGE (subtype = int)\n"},
        {"ALTER TYPE s.mood ADD VALUE IF NOT EXISTS 'b'; ALTER TYPE mood RENAME VALUE 'a' TO 'c'; ALTER "
         "DOMAIN d ADD CONSTRAINT k CHECK (VALUE < 9); ALTER DOMAIN d SET NOT NULL; ALTER TYPE p DROP "
         "ATTRIBUTE a",
         "1 native - words<ALTER TYPE ADD VALUE>\n"
         "  ALTER TYPE s.mood ADD VALUE IF NOT EXISTS 'b'\n"
         "    first outside-before<120000> since<0>\n"
         "1 native - words<ALTER TYPE RENAME VALUE>\n"
         "  ALTER TYPE mood RENAME VALUE 'a' TO 'c'\n"
         "    contract\n"
         "1 native - words<ALTER DOMAIN>\n"
         "  ALTER DOMAIN d ADD CONSTRAINT k CHECK (value < 9) NOT VALID\n"
         "    first\n"
         "1 native - words<ALTER DOMAIN>\n"
         "  ALTER DOMAIN d VALIDATE CONSTRAINT k\n"
         "    first unknown\n"
         "1 native - words<ALTER DOMAIN>\n"
         "  ALTER DOMAIN d SET NOT NULL\n"
         "    first unknown\n"
         "1 native - words<ALTER TYPE>\n"
         "  ALTER TYPE p DROP ATTRIBUTE a\n"
         "    contract unknown names<p>\n"},
        {"CREATE OR REPLACE FUNCTION f(a int, OUT b text, VARIADIC c text[]) LANGUAGE plpgsql AS $$BEGIN "
         "ALTER TABLE t ADD c int; END$$; DROP FUNCTION f(int), g",
         "1 native - words<CREATE FUNCTION>\n"
         "  CREATE OR REPLACE FUNCTION f(a int, OUT b text, VARIADIC c text[]) LANGUAGE plpgsql AS $$BEGIN "
         "ALTER TABLE t ADD c int; END$$\n"
         "    first replaces makes<function f of integer,text[]> undo<DROP FUNCTION f(integer, text[])>\n"
         "    same: CREATE FUNCTION pg_temp.f(a int, OUT b text, VARIADIC c text[]) LANGUAGE plpgsql AS "
         "$$BEGIN ALTER TABLE t ADD c int; END$$\n"
         "1 native - words<DROP FUNCTION>\n"
         "  DROP FUNCTION f(int)\n"
         "    contract late drops<function f of integer>\n"
         "1 native - words<DROP FUNCTION>\n"
         "  DROP FUNCTION g\n"
         "    contract late\n"},
        {"CREATE TRIGGER t BEFORE INSERT ON s.o FOR EACH ROW EXECUTE FUNCTION f(); DROP TRIGGER t ON s.o; "
         "CREATE POLICY p ON o USING (true); CREATE RULE r AS ON DELETE TO o DO INSTEAD NOTHING",
         "1 native s|o words<CREATE TRIGGER>\n"
         "  CREATE TRIGGER t BEFORE INSERT ON s.o FOR EACH ROW EXECUTE PROCEDURE f()\n"
         "    last makes<trigger s|o|t> SHARE ROW EXCLUSIVE on o names<o> undo<DROP TRIGGER t ON s.o>\n"
         "    same: CREATE TEMPORARY TABLE o (LIKE s.o)\n"
         "    same: CREATE TRIGGER t BEFORE INSERT ON pg_temp.o FOR EACH ROW EXECUTE PROCEDURE f()\n"
         "1 native s|o words<DROP TRIGGER>\n"
         "  DROP TRIGGER t ON s.o\n"
         "    contract drops<trigger s|o|t> ACCESS EXCLUSIVE on o names<o>\n"
         "1 native o words<CREATE POLICY>\n"
         "  CREATE POLICY p ON o TO public USING (true)\n"
         "    last makes<policy o|p> ACCESS EXCLUSIVE on o names<o> undo<DROP POLICY p ON o>\n"
         "    same: CREATE TEMPORARY TABLE o (LIKE o)\n"
         "    same: CREATE POLICY p ON pg_temp.o TO public USING (true)\n"
         "1 native o words<CREATE RULE>\n"
         "  CREATE RULE r AS ON DELETE TO o DO INSTEAD NOTHING\n"
         "    last makes<rule o|r> ACCESS EXCLUSIVE on o names<o> undo<DROP RULE r ON o>\n"
         "    same: CREATE TEMPORARY TABLE o (LIKE o)\n"
         "    same: CREATE RULE r AS ON DELETE TO pg_temp.o DO INSTEAD NOTHING\n"},
        {"GRANT SELECT ON a, b TO x; REVOKE ALL ON a FROM x; GRANT CONNECT ON DATABASE d TO x; COMMENT ON "
         "TRIGGER t ON s.o IS 'x'",
         "1 native - words<GRANT>\n"
         "  GRANT select ON a, b TO x\n"
         "    last names<a,b>\n"
         "1 native - words<REVOKE>\n"
         "  REVOKE ALL ON a FROM x\n"
         "    contract names<a>\n"
         "1 native s|o words<COMMENT ON TRIGGER>\n"
         "  COMMENT ON TRIGGER t ON s.o IS 'x'\n"
         "    last SHARE UPDATE EXCLUSIVE on o\n"
         "unsafe 1:52 GRANT on a database or tablespace is not a change of a schema hint<run it by hand, "
         "with psql>\n"},
        {"CREATE AGGREGATE a (int) (sfunc = f, stype = int); CREATE OPERATOR s.=== (leftarg = int, rightarg "
         "= bigint, procedure = f); CREATE CAST (int AS \"Mood\") WITHOUT FUNCTION",
         "1 native - words<CREATE AGGREGATE>\n"
         "  CREATE AGGREGATE a (int) (sfunc = f, stype = int)\n"
         "    first makes<aggregate a of integer> undo<DROP AGGREGATE a(integer)>\n"
         "1 native - words<CREATE OPERATOR>\n"
         "  CREATE OPERATOR s.=== (leftarg = int, rightarg = bigint, procedure = f)\n"
         "    first undo<DROP OPERATOR s.=== (integer, bigint)>\n"
         "1 native - words<CREATE CAST>\n"
         "  CREATE CAST (int AS \"Mood\") WITHOUT FUNCTION\n"
         "    first undo<DROP CAST (integer AS \"Mood\")>\n"},
        {"REFRESH MATERIALIZED VIEW CONCURRENTLY m; REFRESH MATERIALIZED VIEW m; REINDEX INDEX CONCURRENTLY "
         "i; VACUUM (ANALYZE) t; VACUUM FULL t",
         "1 native m words<REFRESH MATERIALIZED VIEW>\n"
         "  REFRESH MATERIALIZED VIEW CONCURRENTLY m\n"
         "    last long EXCLUSIVE on m names<m>\n"
         "1 native - words<REINDEX>\n"
         "  REINDEX INDEX CONCURRENTLY i\n"
         "    last outside outside-before<0> since<120000> names<i>\n"
         "1 native - words<VACUUM>\n"
         "  VACUUM (ANALYZE) t\n"
         "    last outside names<t>\n"
         "unsafe 1:43 REFRESH MATERIALIZED VIEW without CONCURRENTLY stops its readers for as long as it "
         "computes hint<CREATE UNIQUE INDEX on it over plain columns of all rows, then REFRESH MATERIALIZED "
         "VIEW CONCURRENTLY>\n"
         "unsafe 1:122 VACUUM FULL rewrites the table under ACCESS EXCLUSIVE: readers and writers stand "
         "still hint<use pg_repack; a plain VACUUM lets new rows use the room again>\n"},
        {"CREATE TEMP TABLE t (a int); CREATE TEMP VIEW v AS SELECT 1; ALTER DATABASE d SET x = 1; ALTER "
         "ROLE r RENAME TO s; CALL p()",
         "unsafe 1:1 CREATE TABLE of a temporary table concerns one session only hint<leave it out>\n"
         "unsafe 1:30 CREATE VIEW of a temporary view concerns one session only hint<leave it out>\n"
         "unsafe 1:62 ALTER DATABASE is not a change of a schema hint<run it by hand, with psql>\n"
         "unsafe 1:90 ALTER ROLE RENAME TO is not a change of a schema hint<run it by hand, with psql>\n"
         "unsafe 1:116 CALL runs a procedure, which may do anything hint<write the statements themselves, or "
         "call it by hand>\n"},
    };
    expect_all(cases, ARRAY_LEN(cases));
}

static void test_do_blocks(void **state UNUSED)
{
    static const Case cases[] = {
        {"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_type) THEN CREATE TYPE m AS ENUM ('a'); END IF; END $$",
         "1 native - words<DO>\n"
         "  DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_type) THEN CREATE TYPE m AS ENUM ('a'); END IF; END "
         "$$\n"
         "    first\n"},
        {"DO $$\nBEGIN\n  ALTER TABLE t ADD COLUMN IF NOT EXISTS c int DEFAULT 5;\n  EXECUTE 'COMMENT ON "
         "TABLE t IS ''x''';\nEXCEPTION WHEN OTHERS THEN NULL;\nEND $$",
         "1 native t words<DO>\n"
         "  DO $$\n"
         "BEGIN\n"
         "  ALTER TABLE t ADD COLUMN IF NOT EXISTS c int DEFAULT 5;\n"
         "  EXECUTE 'COMMENT ON TABLE t IS ''x''';\n"
         "EXCEPTION WHEN OTHERS THEN NULL;\n"
         "END $$\n"
         "    first ACCESS EXCLUSIVE on t SHARE UPDATE EXCLUSIVE on t names<t,t>\n"},
        {"SELECT 1;\nDO $$\nBEGIN\n  LOOP\n    ALTER TABLE t ALTER c SET NOT NULL;\n  END LOOP;\n  UPDATE t "
         "SET c = 1;\n  COMMIT;\nEND $$",
         "unsafe 1:1 SELECT changes or reads rows, not the schema hint<rows are filled by a backfill: -- "
         "stoa: backfill table.column = expression>\n"
         "unsafe 5:1 in the DO block: \"ALTER TABLE t ALTER COLUMN c SET NOT NULL\" must be taken apart into "
         "safe steps hint<write it as a statement of its own, without the DO: ALTER TABLE t ALTER COLUMN c "
         "SET NOT NULL; what is there already is found by Stoa itself>\n"
         "unsafe 7:1 in the DO block: UPDATE changes or reads rows, not the schema hint<rows are filled by a "
         "backfill: -- stoa: backfill table.column = expression>\n"
         "unsafe 8:1 in the DO block: COMMIT and ROLLBACK would end the transaction that Stoa bounds "
         "hint<write the parts as statements of their own>\n"},
        {"DO $$ DECLARE r record; BEGIN FOR r IN SELECT 1 LOOP EXECUTE 'DROP TABLE ' || r; END LOOP; EXECUTE "
         "format('x'); CALL p(); END $$",
         "unsafe 1:1 in the DO block: CALL runs a procedure, which may do anything hint<write the statements "
         "themselves, or call it by hand>\n"
         "unsafe 1:1 in the DO block: EXECUTE of a text that is computed in a loop cannot be judged before "
         "it runs hint<write the statements themselves>\n"},
        {"DO $$ BEGIN EXECUTE format('ALTER TABLE %I ADD c int', 't'); PERFORM f(); END $$",
         "1 native - words<DO>\n"
         "  DO $$ BEGIN EXECUTE format('ALTER TABLE %I ADD c int', 't'); PERFORM f(); END $$\n"
         "    first unknown\n"},
        {"DO $$ BEGIN DROP VIEW v; CREATE TYPE t AS ENUM (); END $$",
         "unsafe 1:1 in the DO block: it makes something and takes something away, which cannot be done at "
         "the same time hint<write each as a statement of its own>\n"},
        {"DO LANGUAGE plperl 'x'; DO 'nonsense'; DO $$ BEGIN EXECUTE 'DO ''BEGIN END'''; END $$",
         "unsafe 1:1 DO in another language than plpgsql cannot be judged hint<write its statements without "
         "it>\n"
         "usage 1:1 in the DO block: syntax error at or near \"nonsense\"\n"
         "unsafe 1:1 in the DO block: DO inside a DO is not opened hint<write its statements without it>\n"},
    };
    expect_all(cases, ARRAY_LEN(cases));
}

static void test_newer_syntax(void **state UNUSED)
{
    static const Case cases[] = {
        {"ALTER TABLE s.t ADD CONSTRAINT n NOT NULL \"C\", ADD x int",
         "1 native s|t words<ADD NOT NULL constraint>\n"
         "  ALTER TABLE s.t ADD CONSTRAINT n NOT NULL \"C\" NOT VALID\n"
         "    last outside-before<0> since<180000> ACCESS EXCLUSIVE on t names<t> undo<ALTER TABLE s.t DROP "
         "CONSTRAINT n>\n"
         "1 native s|t words<VALIDATE NOT NULL constraint>\n"
         "  ALTER TABLE s.t VALIDATE CONSTRAINT n\n"
         "    last long outside-before<0> since<180000> SHARE UPDATE EXCLUSIVE on t names<t>\n"
         "1 add-column s|t column<x>\n"
         "  ALTER TABLE s.t ADD COLUMN x int\n"
         "    column<x> type<integer>\n"},
        {"ALTER TABLE ONLY t ADD NOT NULL c NO INHERIT NOT VALID",
         "1 native t words<ADD NOT NULL constraint>\n"
         "  ALTER TABLE ONLY t ADD CONSTRAINT t_c_not_null NOT NULL c NO INHERIT NOT VALID\n"
         "    last outside-before<0> since<180000> ACCESS EXCLUSIVE on t names<t> undo<ALTER TABLE ONLY t "
         "DROP CONSTRAINT t_c_not_null>\n"},
        {"ALTER TABLE t ADD COLUMN d int GENERATED ALWAYS AS (a + 1) VIRTUAL, ADD CONSTRAINT f FOREIGN KEY "
         "(a) REFERENCES s.u (b) NOT ENFORCED",
         "1 native t words<ALTER TABLE>\n"
         "  ALTER TABLE t ADD COLUMN d int GENERATED ALWAYS AS (a + 1) VIRTUAL\n"
         "    last unknown outside-before<0> since<180000> ACCESS EXCLUSIVE on t names<t> undo<ALTER TABLE t "
         "DROP COLUMN d>\n"
         "1 native t words<ALTER TABLE>\n"
         "  ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES s.u (b) NOT ENFORCED\n"
         "    last unknown outside-before<0> since<180000> ACCESS EXCLUSIVE on t SHARE ROW EXCLUSIVE on u "
         "names<t,u> undo<ALTER TABLE t DROP CONSTRAINT f>\n"},
        {"ALTER TABLE t ALTER COLUMN d SET EXPRESSION AS (a + 2); ALTER TABLE t SET ACCESS METHOD DEFAULT; "
         "ALTER TABLE p MERGE PARTITIONS (a, b) INTO c",
         "1 native t words<ALTER TABLE>\n"
         "  ALTER TABLE t ALTER COLUMN d SET EXPRESSION AS (a + 2)\n"
         "    last unknown outside-before<0> since<170000> ACCESS EXCLUSIVE on t names<t>\n"
         "1 native t words<ALTER TABLE>\n"
         "  ALTER TABLE t SET ACCESS METHOD DEFAULT\n"
         "    last unknown outside-before<0> since<170000> ACCESS EXCLUSIVE on t names<t>\n"
         "1 native p words<ALTER TABLE>\n"
         "  ALTER TABLE p MERGE PARTITIONS (a, b) INTO c\n"
         "    last unknown outside-before<0> since<190000> ACCESS EXCLUSIVE on p names<p>\n"},
        {"CREATE TABLE IF NOT EXISTS s.t (id int4range, a text STORAGE plain, u int REFERENCES u, PRIMARY "
         "KEY (id WITHOUT OVERLAPS)); ALTER TABLE s.t ADD NOT NULL a",
         "1 native s|t words<CREATE TABLE>\n"
         "  CREATE TABLE IF NOT EXISTS s.t (id int4range, a text STORAGE plain, u int REFERENCES u, PRIMARY "
         "KEY (id WITHOUT OVERLAPS))\n"
         "    first quiet outside-before<0> since<180000> makes<table s|t> SHARE ROW EXCLUSIVE on u "
         "names<t,u> undo<DROP TABLE s.t>\n"
         "1 native s|t words<ADD NOT NULL constraint>\n"
         "  ALTER TABLE s.t ADD NOT NULL a\n"
         "    first new outside-before<0> since<180000> names<t>\n"},
        {"ALTER TABLE t ADD COLUMNN c int; ALTER TABLE t ADD NOT NULL; ALTER TABLE ENFORCED",
         "1 native t words<ALTER TABLE>\n"
         "  ALTER TABLE t ADD NOT NULL\n"
         "    last unknown outside-before<0> since<180000> ACCESS EXCLUSIVE on t names<t>\n"
         "usage 1:29 syntax error at or near \"int\" hint<the parser at hand is PostgreSQL 15's, and the "
         "statement is none of the newer ones that are known>\n"
         "usage 1:82 syntax error at end of input hint<the parser at hand is PostgreSQL 15's, and the "
         "statement is none of the newer ones that are known>\n"},
    };
    expect_all(cases, ARRAY_LEN(cases));
}

static void test_refused(void **state UNUSED)
{
    static const Case cases[] = {
        {"CREATE TABLE y (a int); CREATE TABLE z AS SELECT 1; CREATE MATERIALIZED VIEW m AS "
         "SELECT 1; TRUNCATE x",
         "1 native y words<CREATE TABLE>\n"
         "  CREATE TABLE y (a int)\n"
         "    first makes<table y> names<y> undo<DROP TABLE y>\n"
         "    same: CREATE TEMPORARY TABLE y (a int)\n"
         "1 native z words<CREATE TABLE AS>\n"
         "  CREATE TABLE z AS SELECT 1\n"
         "    first long makes<table z> names<z> undo<DROP TABLE z>\n"
         "1 native m words<CREATE MATERIALIZED VIEW>\n"
         "  CREATE MATERIALIZED VIEW m AS SELECT 1\n"
         "    last long makes<materialized view m> names<m> undo<DROP MATERIALIZED VIEW m>\n"
         "unsafe 1:93 TRUNCATE takes away all rows, under ACCESS EXCLUSIVE, and nothing brings them back "
         "hint<delete in batches by hand; or make a new table, and drop this one when nobody needs it>\n"},
        {"INSERT INTO x VALUES (1); UPDATE x SET a = 1; DELETE FROM x; SELECT 1; COPY x FROM STDIN; MERGE "
         "INTO a USING b ON true WHEN MATCHED THEN DELETE",
         "unsafe 1:1 INSERT changes or reads rows, not the schema hint<rows are filled by a backfill: -- "
         "stoa: backfill table.column = expression>\n"
         "unsafe 1:27 UPDATE changes or reads rows, not the schema hint<rows are filled by a backfill: -- "
         "stoa: backfill table.column = expression>\n"
         "unsafe 1:47 DELETE changes or reads rows, not the schema hint<delete in batches by hand>\n"
         "unsafe 1:62 SELECT changes or reads rows, not the schema hint<rows are filled by a backfill: -- "
         "stoa: backfill table.column = expression>\n"
         "unsafe 1:72 COPY changes or reads rows, not the schema hint<rows are filled by a backfill: -- "
         "stoa: backfill table.column = expression>\n"
         "unsafe 1:91 MERGE changes or reads rows, not the schema hint<rows are filled by a backfill: -- "
         "stoa: backfill table.column = expression>\n"},
        {"ALTER TABLE t DROP COLUMN c, ALTER c TYPE bigint, DROP CONSTRAINT x, OWNER TO bob, SET "
         "(fillfactor=70), ENABLE ROW LEVEL SECURITY, ADD x int, ATTACH PARTITION p DEFAULT",
         "usage 1:143 syntax error at or near \"ATTACH\" hint<the parser at hand is PostgreSQL 15's, and the "
         "statement is none of the newer ones that are known>\n"},
        {"ALTER TABLE t OWNER TO bob, SET (fillfactor=70), ENABLE ROW LEVEL SECURITY, ADD x int",
         "1 setting t words<OWNER TO> lock<ACCESS EXCLUSIVE> to<bob>\n"
         "  ALTER TABLE t OWNER TO bob\n"
         "1 setting t words<SET (storage parameters)> lock<SHARE UPDATE EXCLUSIVE>\n"
         "  ALTER TABLE t SET (fillfactor=70)\n"
         "1 setting t words<ENABLE ROW LEVEL SECURITY> lock<ACCESS EXCLUSIVE>\n"
         "  ALTER TABLE t ENABLE ROW LEVEL SECURITY\n"
         "1 add-column t column<x>\n"
         "  ALTER TABLE t ADD COLUMN x int\n"
         "    column<x> type<integer>\n"},
        {"ALTER TYPE c OWNER TO x", "1 native - words<ALTER TYPE OWNER TO>\n"
                                    "  ALTER TYPE c OWNER TO x\n"
                                    "    last\n"},
        {"ALTER INDEX i SET (fillfactor=70); ALTER VIEW v ALTER c SET DEFAULT 5; ALTER FOREIGN TABLE t ADD c "
         "int; COMMENT ON VIEW v IS 'x'; DROP VIEW v",
         "1 native i words<ALTER INDEX>\n"
         "  ALTER INDEX i SET (fillfactor=70)\n"
         "    last SHARE UPDATE EXCLUSIVE on i names<i>\n"
         "1 native v words<ALTER VIEW>\n"
         "  ALTER VIEW v ALTER COLUMN c SET DEFAULT 5\n"
         "    last ACCESS EXCLUSIVE on v names<v>\n"
         "1 native t words<ALTER FOREIGN TABLE>\n"
         "  ALTER FOREIGN TABLE t ADD COLUMN c int\n"
         "    last ACCESS EXCLUSIVE on t names<t>\n"
         "1 native - words<COMMENT ON VIEW>\n"
         "  COMMENT ON VIEW v IS 'x'\n"
         "    last\n"
         "1 native v words<DROP VIEW>\n"
         "  DROP VIEW v\n"
         "    contract drops<view v> ACCESS EXCLUSIVE on v names<v>\n"},
        {"GRANT SELECT ON x TO y; REVOKE a FROM b; CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE "
         "FUNCTION f(); ALTER TYPE x ADD VALUE 'y'; VACUUM x; ANALYZE; REINDEX TABLE x; DO ''; CREATE "
         "PROCEDURE p() LANGUAGE sql AS ''",
         "1 native - words<GRANT>\n"
         "  GRANT select ON x TO y\n"
         "    last names<x>\n"
         "1 native t words<CREATE TRIGGER>\n"
         "  CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE PROCEDURE f()\n"
         "    last makes<trigger t|x> SHARE ROW EXCLUSIVE on t names<t> undo<DROP TRIGGER x ON t>\n"
         "    same: CREATE TEMPORARY TABLE t (LIKE t)\n"
         "    same: CREATE TRIGGER x BEFORE INSERT ON pg_temp.t FOR EACH ROW EXECUTE PROCEDURE f()\n"
         "1 native - words<ALTER TYPE ADD VALUE>\n"
         "  ALTER TYPE x ADD VALUE 'y'\n"
         "    first outside-before<120000> since<0>\n"
         "1 native - words<VACUUM>\n"
         "  VACUUM x\n"
         "    last outside names<x>\n"
         "1 native - words<ANALYZE>\n"
         "  ANALYZE\n"
         "    last outside\n"
         "1 native - words<CREATE PROCEDURE>\n"
         "  CREATE PROCEDURE p() LANGUAGE sql AS $$$$\n"
         "    first makes<procedure p> undo<DROP PROCEDURE p()>\n"
         "    same: CREATE PROCEDURE pg_temp.p() LANGUAGE sql AS $$$$\n"
         "usage 1:1 in the DO block: syntax error at end of input\n"
         "unsafe 1:25 REVOKE of a role is not a change of a schema hint<run it by hand, with psql>\n"
         "unsafe 1:160 REINDEX without CONCURRENTLY stops writers, and whoever plans a query, while it "
         "builds hint<REINDEX TABLE CONCURRENTLY for each table, on 12 and later; before that CREATE INDEX "
         "CONCURRENTLY under another name, then drop the old one>\n"},
        {"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END; CREATE TYPE e AS ENUM (); "
         "CREATE AGGREGATE a (int) (sfunc = f, stype = int)",
         "1 native - words<CREATE FUNCTION>\n"
         "  CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END\n"
         "    first makes<function f> undo<DROP FUNCTION f()>\n"
         "1 native - words<CREATE TYPE>\n"
         "  CREATE TYPE e AS ENUM ()\n"
         "    first makes<type e> undo<DROP TYPE e>\n"
         "    same: CREATE TYPE pg_temp.e AS ENUM ()\n"
         "1 native - words<CREATE AGGREGATE>\n"
         "  CREATE AGGREGATE a (int) (sfunc = f, stype = int)\n"
         "    first makes<aggregate a of integer> undo<DROP AGGREGATE a(integer)>\n"},
        {"SET lock_timeout = '2s'; SET LOCAL search_path TO s; RESET ALL; LOCK TABLE x; ROLLBACK; SAVEPOINT "
         "a; COMMIT PREPARED 'x'; COMMIT AND CHAIN",
         "unsafe 1:1 SET holds for a session only hint<leave it out: Stoa bounds its own waits (--max-stall, "
         "--lock-wait); write schema.table where search_path was meant>\n"
         "unsafe 1:26 SET holds for a session only hint<leave it out: Stoa bounds its own waits "
         "(--max-stall, --lock-wait); write schema.table where search_path was meant>\n"
         "unsafe 1:54 SET holds for a session only hint<leave it out: Stoa bounds its own waits "
         "(--max-stall, --lock-wait); write schema.table where search_path was meant>\n"
         "unsafe 1:65 LOCK TABLE holds a lock for as long as the transaction lasts hint<leave it out: Stoa "
         "takes the locks it needs, each for a moment>\n"
         "unsafe 1:79 ROLLBACK is not for a change to say hint<leave it out: Stoa makes its own "
         "transactions>\n"
         "unsafe 1:89 SAVEPOINT is not for a change to say hint<leave it out: Stoa makes its own "
         "transactions>\n"
         "unsafe 1:102 COMMIT PREPARED is not for a change to say hint<leave it out: Stoa makes its own "
         "transactions>\n"
         "unsafe 1:123 COMMIT AND CHAIN is not for a change to say hint<leave it out: Stoa makes its own "
         "transactions>\n"},
        {"ALTER TABLE t ADD CONSTRAINT x EXCLUDE USING gist (lower(a) WITH =, b WITH &&) WHERE (b IS NOT "
         "NULL)",
         "1 add-constraint t\n"
         "  ALTER TABLE t ADD CONSTRAINT x EXCLUDE USING gist (lower(a) WITH =, b WITH &&) WHERE (b IS NOT "
         "NULL)\n"
         "    exclude name<x> on *,b def<EXCLUDE USING gist (lower(a) WITH =, b WITH &&) WHERE (b IS NOT "
         "NULL)>\n"},
        {"ALTER TABLE db.s.t ADD c int; CREATE INDEX ON db.s.t (a); DROP INDEX db.s.i; COMMENT ON COLUMN c "
         "IS 'x'",
         "usage 1:1 a name with a database in front is not possible hint<write schema.table, and choose the "
         "database by --url>\n"
         "usage 1:31 a name with a database in front is not possible hint<write schema.table, and choose the "
         "database by --url>\n"
         "usage 1:59 a name with a database in front is not possible hint<write schema.table, and choose the "
         "database by --url>\n"
         "usage 1:78 the comment's column lacks its table hint<write table.column>\n"},
        {"ALTER TABLE t ADD c SETOF int; ALTER TABLE t ADD c serial[]; ALTER TABLE t ADD c serial DEFAULT 5; "
         "ALTER TABLE t ADD c int DEFAULT 1 DEFAULT 2; ALTER TABLE t ADD c int NULL NOT NULL; ALTER TABLE t "
         "ADD c int CHECK (c > 0) DEFERRABLE; ALTER TABLE t ADD c int UNIQUE NOT DEFERRABLE INITIALLY "
         "DEFERRED; ALTER TABLE t ADD c int PRIMARY KEY PRIMARY KEY",
         "usage 1:1 column \"c\": cannot be a set\n"
         "usage 1:32 column \"c\": an array of serial is not possible\n"
         "usage 1:62 column \"c\": only one of DEFAULT, GENERATED, IDENTITY and serial can be\n"
         "usage 1:100 column \"c\": more than one default\n"
         "usage 1:145 column \"c\": both NULL and NOT NULL\n"
         "usage 1:184 column \"c\": DEFERRABLE or INITIALLY stands behind no constraint that can be "
         "deferred\n"
         "usage 1:234 column \"c\": both DEFERRABLE and NOT DEFERRABLE\n"
         "usage 1:300 column \"c\": more than one primary key\n"},
    };
    expect_all(cases, ARRAY_LEN(cases));
}

static void test_wrong_text(void **state UNUSED)
{
    static const Case cases[] = {
        {"", "usage 1:1 there is no statement hint<give a statement, for example: ALTER TABLE orders ADD "
             "COLUMN note text>\n"},
        {"-- only a comment\n"
         "/* and another */ ;;",
         "usage 1:1 there is no statement hint<give a statement, for example: ALTER TABLE orders ADD COLUMN "
         "note text>\n"},
        {"BEGIN; COMMIT;", "usage 1:1 there is no statement hint<give a statement, for example: ALTER TABLE "
                           "orders ADD COLUMN note text>\n"},
        {"BEGIN ISOLATION LEVEL SERIALIZABLE; ALTER TABLE a ADD b int; END;",
         "1 add-column a column<b>\n"
         "  ALTER TABLE a ADD COLUMN b int\n"
         "    column<b> type<integer>\n"},
        {"ALTER TABLE a ADD b int;\n"
         "ALTER TABEL x;\n"
         "  žluť x;\n"
         "ALTER TABLE a ADD c int",
         "1 add-column a column<b>\n"
         "  ALTER TABLE a ADD COLUMN b int\n"
         "    column<b> type<integer>\n"
         "4 add-column a column<c>\n"
         "  ALTER TABLE a ADD COLUMN c int\n"
         "    column<c> type<integer>\n"
         "usage 2:7 syntax error at or near \"TABEL\" hint<the parser at hand is PostgreSQL 15's, and the "
         "statement is none of the newer ones that are known>\n"
         "usage 3:3 syntax error at or near \"žluť\" hint<the parser at hand is PostgreSQL 15's, and the "
         "statement is none of the newer ones that are known>\n"},
        {"ALTER TABLE a ADD b int;\n"
         " ALTER TABLE a ADD c text DEFAULT 'oops;\n"
         "ALTER TABLE a ADD d int;",
         "1 add-column a column<b>\n"
         "  ALTER TABLE a ADD COLUMN b int\n"
         "    column<b> type<integer>\n"
         "usage 2:35 unterminated quoted string at or near \"'oops;…\"\n"},
        {"ALTER TABLE a ADD b int; /* open", "1 add-column a column<b>\n"
                                             "  ALTER TABLE a ADD COLUMN b int\n"
                                             "    column<b> type<integer>\n"
                                             "usage 1:26 unterminated /* comment at or near \"/* open\"\n"},
        {"/* ž */ ALTER TABLE a ADD b text DEFAULT 'žž' x y",
         "usage 1:47 syntax error at or near \"x\" hint<the parser at hand is PostgreSQL 15's, and the "
         "statement is none of the newer ones that are known>\n"},
        {"ALTER TABLE t ADD CONSTRAINT x NOT NULL c",
         "1 native t words<ADD NOT NULL constraint>\n"
         "  ALTER TABLE t ADD CONSTRAINT x NOT NULL c NOT VALID\n"
         "    last outside-before<0> since<180000> ACCESS EXCLUSIVE on t names<t> undo<ALTER TABLE t DROP "
         "CONSTRAINT x>\n"
         "1 native t words<VALIDATE NOT NULL constraint>\n"
         "  ALTER TABLE t VALIDATE CONSTRAINT x\n"
         "    last long outside-before<0> since<180000> SHARE UPDATE EXCLUSIVE on t names<t>\n"},
        {"ALTER TABLE t ADD c int -- not a word of it\n  STORAGE/* nor of this */plain",
         "1 native t words<ALTER TABLE>\n"
         "  ALTER TABLE t ADD c int STORAGE plain\n"
         "    last unknown outside-before<0> since<160000> ACCESS EXCLUSIVE on t names<t> undo<ALTER TABLE t "
         "DROP COLUMN c>\n"},
        {"ALTER TABLE t ADD c int STORAGE plain",
         "1 native t words<ALTER TABLE>\n"
         "  ALTER TABLE t ADD c int STORAGE plain\n"
         "    last unknown outside-before<0> since<160000> ACCESS EXCLUSIVE on t names<t> undo<ALTER TABLE t "
         "DROP COLUMN c>\n"},
        {"foo; ALTER TABLE a ADD b int",
         "1 add-column a column<b>\n"
         "  ALTER TABLE a ADD COLUMN b int\n"
         "    column<b> type<integer>\n"
         "usage 1:1 syntax error at or near \"foo\" hint<the parser at hand is PostgreSQL 15's, and the "
         "statement is none of the newer ones that are known>\n"},
        {"ALTER TABLE a ADD CHECK (b > 0; ALTER TABLE a ADD b int",
         "1 add-column a column<b>\n"
         "  ALTER TABLE a ADD COLUMN b int\n"
         "    column<b> type<integer>\n"
         "usage 1:31 syntax error at end of input hint<the parser at hand is PostgreSQL 15's, and the "
         "statement is none of the newer ones that are known>\n"},
        {"CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); CREATE FUNCTION f() RETURNS int BEGIN "
         "ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; bad; ALTER TABLE a ADD b int",
         "1 native t words<CREATE RULE>\n"
         "  CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)\n"
         "    last makes<rule t|r> ACCESS EXCLUSIVE on t names<t> undo<DROP RULE r ON t>\n"
         "    same: CREATE TEMPORARY TABLE t (LIKE t)\n"
         "    same: CREATE RULE r AS ON INSERT TO pg_temp.t DO (SELECT 1; SELECT 2)\n"
         "1 native - words<CREATE FUNCTION>\n"
         "  CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END\n"
         "    first makes<function f> undo<DROP FUNCTION f()>\n"
         "1 add-column a column<b>\n"
         "  ALTER TABLE a ADD COLUMN b int\n"
         "    column<b> type<integer>\n"
         "usage 1:152 syntax error at or near \"bad\" hint<the parser at hand is PostgreSQL 15's, and the "
         "statement is none of the newer ones that are known>\n"},
        {"\\set x\n"
         ";ALTER TABLE a ADD b int",
         "2 add-column a column<b>\n"
         "  ALTER TABLE a ADD COLUMN b int\n"
         "    column<b> type<integer>\n"
         "usage 1:1 syntax error at or near \"\\\" hint<commands of psql are not SQL: take the line out>\n"},
    };
    expect_all(cases, ARRAY_LEN(cases));
}

static void test_annotations(void **state UNUSED)
{
    static const Case cases[] = {
        {"-- stoa: backfill t.c = a*2\n"
         "/* stoa: backfill s.\"T\".\"C d\" =\n"
         "   (SELECT max(r.rate) FROM rates r\n"
         "     WHERE r.c = \"T\".currency) */\n"
         "ALTER TABLE t ADD c int",
         "5 add-column t column<c>\n"
         "  ALTER TABLE t ADD COLUMN c int\n"
         "    column<c> type<integer>\n"
         "1 backfill t.c = a * 2 refs a\n"
         "2 backfill s|T.C d = (SELECT max(r.rate) FROM rates r WHERE r.c = \"T\".currency) refs "
         "c,currency,rate sub-select\n"},
        {"SELECT '-- stoa: bogus x', $$\n"
         "-- stoa: bogus y\n"
         "$$, \"-- stoa: bogus\" -- not stoa: bogus\n",
         "unsafe 1:1 SELECT changes or reads rows, not the schema hint<rows are filled by a backfill: -- "
         "stoa: backfill table.column = expression>\n"},
        {"--stoa:bakfill x\n"
         "-- stoa: nmae x\n"
         "-- stoa: zzzzzzz\n"
         "-- stoa: name\n"
         "-- stoa:\n"
         "ALTER TABLE t ADD c int",
         "6 add-column t column<c>\n"
         "  ALTER TABLE t ADD COLUMN c int\n"
         "    column<c> type<integer>\n"
         "usage 1:8 unknown word \"bakfill\" behind \"stoa:\" hint<did you mean \"backfill\"?>\n"
         "usage 2:10 unknown word \"nmae\" behind \"stoa:\" hint<did you mean \"name\"?>\n"
         "usage 3:10 unknown word \"zzzzzzz\" behind \"stoa:\" hint<the words are: name, owner, purpose, "
         "flag, expires, backfill, "
         "reverse>\n"
         "usage 4:10 nothing stands behind \"stoa: name\"\n"
         "usage 5:9 unknown word \"\" behind \"stoa:\" hint<the words are: name, owner, purpose, flag, "
         "expires, backfill, "
         "reverse>\n"},
        {"-- stoa: name a\n"
         "-- stoa: name b\n"
         "-- stoa: owner x\n"
         "-- stoa: owner x\n"
         "ALTER TABLE t ADD c int",
         "5 add-column t column<c>\n"
         "  ALTER TABLE t ADD COLUMN c int\n"
         "    column<c> type<integer>\n"
         "usage 2:15 a second name \"b\", the first is \"a\"\n"},
        {"-- stoa: backfill T.C = Lower(\"X\") || t.y || f(t.*) -- why\r\n"
         "ALTER TABLE t ADD c int",
         "2 add-column t column<c>\n"
         "  ALTER TABLE t ADD COLUMN c int\n"
         "    column<c> type<integer>\n"
         "1 backfill t.c = (lower(\"X\") || t.y) || f(t.*) refs X,y whole-row\n"},
        {"ALTER TABLE t ADD c int; -- stoa: backfill t.c = to_jsonb(t)",
         "1 add-column t column<c>\n"
         "  ALTER TABLE t ADD COLUMN c int\n"
         "    column<c> type<integer>\n"
         "1 backfill t.c = to_jsonb(t) refs t whole-row\n"},
        {"-- stoa: backfill t.c = a;\n"
         "-- stoa: backfill t.d =\n"
         "-- stoa: backfill t = 1\n"
         "-- stoa: backfill a.b.c.d = 1\n"
         "-- stoa: backfill order.x = 1\n"
         "-- stoa: backfill t.e == 1\n"
         "-- stoa: backfill t.f = a b\n"
         "-- stoa: backfill t.g = 1, 2\n"
         "-- stoa: backfill t.h = 1 FROM x\n"
         "-- stoa: backfill t.i = 1) + (2\n"
         "-- stoa: backfill t.j = *\n"
         "-- stoa: backfill t.k = sum(x)\n"
         "-- stoa: backfill t.l = $1\n"
         "-- stoa: backfill t.m = DEFAULT\n"
         "-- stoa: backfill t.n = 'x\n"
         "-- stoa: backfill t.o = 1\n"
         "-- stoa: backfill t.o = 1\n"
         "-- stoa: backfill t.p = row_number() OVER ()\n"
         "-- stoa: backfill t.q = unnest(a)\n"
         "ALTER TABLE t ADD c int",
         "20 add-column t column<c>\n"
         "  ALTER TABLE t ADD COLUMN c int\n"
         "    column<c> type<integer>\n"
         "4 backfill a|b.c = 1\n"
         "16 backfill t.o = 1\n"
         "usage 1:26 a backfill expression has no semicolon hint<take the semicolon away>\n"
         "usage 2:19 the backfill has no expression behind \"=\" hint<write: backfill table.column = "
         "expression>\n"
         "usage 3:19 \"t = 1\" is not table.column = expression hint<write: backfill table.column = "
         "expression>\n"
         "usage 5:19 \"order.x = 1\" is not table.column = expression hint<write: backfill table.column = "
         "expression>\n"
         "usage 6:19 \"t.e == 1\" is not table.column = expression hint<write: backfill table.column = "
         "expression>\n"
         "usage 7:25 backfill \"t.f = a b\": one expression is expected here\n"
         "usage 8:25 backfill \"t.g = 1, 2\": one expression is expected here\n"
         "usage 9:25 backfill \"t.h = 1 FROM x\": one expression is expected here\n"
         "usage 10:26 backfill \"t.i = 1) + (2\": syntax error at or near \")\"\n"
         "usage 11:25 backfill \"t.j = *\": \"*\" is no value\n"
         "usage 12:25 backfill \"t.k = sum(x)\": the aggregate \"sum\" needs more than one row\n"
         "usage 13:25 backfill \"t.l = $1\": there is no parameter $1\n"
         "usage 14:25 backfill \"t.m = DEFAULT\": DEFAULT is no expression\n"
         "usage 15:25 backfill \"t.n = 'x\": unterminated quoted string at or near \"'x\"\n"
         "usage 17:19 a second backfill for t.o\n"
         "usage 18:25 backfill \"t.p = row_number() OVER ()\": the window function \"row_number\" needs more "
         "than one row\n"
         "usage 19:25 backfill \"t.q = unnest(a)\": \"unnest\" returns a set of rows, not one value\n"},
    };
    expect_all(cases, ARRAY_LEN(cases));
}

static void test_command_line(void **state UNUSED)
{
    const char *backfills[] = {"t.a = x + 1", "t.b = x; ", "t.c = )", "t.c = 2", "\xff"};
    expect(&(ChangeInput){.sql = "-- stoa: backfill t.c = 1\nALTER TABLE t ADD a int",
                          .name = "bad name",
                          .backfills = backfills,
                          .backfill_count = ARRAY_LEN(backfills)},
           "2 add-column t column<a>\n"
           "  ALTER TABLE t ADD COLUMN a int\n"
           "    column<a> type<integer>\n"
           "1 backfill t.c = 1\n"
           "0 backfill t.a = x + 1 refs x\n"
           "usage 0:0 a backfill expression has no semicolon hint<take the semicolon away>\n"
           "usage 0:0 backfill \"t.c = )\": syntax error at or near \")\"\n"
           "usage 0:0 a second backfill for t.c\n"
           "usage 0:0 backfill 5 is not UTF-8\n"
           "usage 0:0 the name \"bad name\" is not possible hint<a name has 1 to 100 letters, digits, dots, "
           "hyphens and underscores>\n");
}

static void test_reverses(void **state UNUSED)
{
    const char *reverses[] = {"t.b = last", "t.c", "t.a = x;", "t.b = 1", "t.d = max(x)"};
    expect(&(ChangeInput){.sql = "-- stoa: reverse t.a = first || last\n"
                                 "-- stoa: revers t.a = 1\nALTER TABLE t ADD first text",
                          .reverses = reverses,
                          .reverse_count = ARRAY_LEN(reverses)},
           "3 add-column t column<first>\n"
           "  ALTER TABLE t ADD COLUMN first text\n"
           "    column<first> type<text>\n"
           "1 reverse t.a = first || last refs first,last\n"
           "0 reverse t.b = last refs last\n"
           "usage 0:0 \"t.c\" is not table.column = expression hint<write: reverse table.oldcolumn = "
           "expression over the new columns>\n"
           "usage 0:0 a reverse expression has no semicolon hint<take the semicolon away>\n"
           "usage 0:0 a second reverse for t.b\n"
           "usage 0:0 reverse \"t.d = max(x)\": the aggregate \"max\" needs more than one row\n"
           "usage 2:10 unknown word \"revers\" behind \"stoa:\" hint<did you mean \"reverse\"?>\n");
}

static void test_not_utf8(void **state UNUSED)
{
    expect(&(ChangeInput){.sql = "ALTER TABLE t\n ADD \xc0\x80 int"},
           "usage 2:6 the text is not UTF-8 hint<save the file as UTF-8>\n");
    expect(&(ChangeInput){.sql = "\xed\xa0\x80"},
           "usage 1:1 the text is not UTF-8 hint<save the file as UTF-8>\n");
}

static void expect_name(const ChangeInput *input, const char *name, const char *owner)
{
    Arena *arena = arena_new();
    Change change;
    change_parse_pg(arena, input, &change);
    assert_string_equal(change.name, name);
    assert_string_equal(change.owner, owner);
    arena_free(arena);
}

static void test_names(void **state UNUSED)
{
    static const struct {
        const char *sql, *name;
    } cases[] = {
        {"ALTER TABLE orders ADD amount_cents bigint", "orders-amount-cents"},
        {"ALTER TABLE s.\"Orders\" ADD \"Amount  Cents_\" bigint", "orders-amount-cents"},
        {"ALTER TABLE orders ALTER a SET NOT NULL", "orders-a-set-not-null"},
        {"ALTER TABLE orders ALTER a DROP NOT NULL", "orders-a-drop-not-null"},
        {"ALTER TABLE orders ALTER a SET DEFAULT 1", "orders-a-set-default"},
        {"ALTER TABLE orders ALTER a DROP DEFAULT", "orders-a-drop-default"},
        {"ALTER TABLE orders ADD CONSTRAINT orders_total_check CHECK (a > 0)",
         "orders-add-constraint-orders-total-check"},
        {"ALTER TABLE orders ADD FOREIGN KEY (a, b) REFERENCES u", "orders-add-foreign-key-a-b"},
        {"ALTER TABLE orders VALIDATE CONSTRAINT x", "orders-validate-x"},
        {"CREATE INDEX i ON orders (a)", "orders-create-index-i"},
        {"CREATE INDEX ON orders (a, lower(b))", "orders-create-index-using-btree-a-lower-b"},
        {"DROP INDEX s.i", "drop-index-i"},
        {"COMMENT ON TABLE t IS 'x'", "t-comment"},
        {"COMMENT ON COLUMN t.c IS 'x'", "t-c-comment"},
        {"-- stoa: name my.Change_1\nALTER TABLE t ADD c int", "my.Change_1"},
        {"", ""},
        {"DROP TABLE x", "drop-table-x"},
        {"TRUNCATE x", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_name(&(ChangeInput){.sql = cases[i].sql}, cases[i].name, "");
    expect_name(
        &(ChangeInput){.sql = "-- stoa: name a\n-- stoa: owner team x\nALTER TABLE t ADD c int", .name = "b"},
        "b", "team x");
    expect_name(&(ChangeInput){.sql = "-- stoa: owner x\nALTER TABLE t ADD c int", .owner = "y"}, "t-c", "y");
}

/* Names that are cut or lose letters stay different from each other. */
static void test_long_names(void **state UNUSED)
{
    static const char *const texts[] = {
        "ALTER TABLE a_table_with_a_rather_long_name_indeed ADD and_a_column_with_a_long_name_1 int",
        "ALTER TABLE a_table_with_a_rather_long_name_indeed ADD and_a_column_with_a_long_name_2 int",
        "ALTER TABLE \"ž\" ADD \"ě\" int", "ALTER TABLE \"š\" ADD \"č\" int"};
    char names[ARRAY_LEN(texts)][61];
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        Arena *arena = arena_new();
        Change change;
        change_parse_pg(arena, &(ChangeInput){.sql = texts[i]}, &change);
        assert_in_range(strlen(change.name), 8, 60);
        assert_int_equal(strspn(change.name, "abcdefghijklmnopqrstuvwxyz0123456789-"), strlen(change.name));
        (void)snprintf(names[i], sizeof names[i], "%s", change.name);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(names[i], names[j]);
        arena_free(arena);
    }
}

static void read_digest(const char *sql, const char *backfill, char *ret_digest)
{
    Arena *arena = arena_new();
    Change change;
    const char *backfills[] = {backfill};
    change_parse_pg(arena,
                    &(ChangeInput){.sql = sql, .backfills = backfills, .backfill_count = backfill != NULL},
                    &change);
    (void)snprintf(ret_digest, 72, "%s", change.change_digest);
    arena_free(arena);
}

static void test_digest(void **state UNUSED)
{
    static const struct {
        const char *sql, *backfill;
    } same[] = {
        {"-- stoa: backfill t.a = x * 2\nALTER TABLE t ADD COLUMN a bigint NOT NULL, ALTER b SET NOT NULL",
         NULL},
        {"-- stoa: name other\n-- stoa: owner o\nBEGIN;\nalter table T add A BIGINT  not null ;\n\n"
         "/* x */ALTER TABLE \"t\" ALTER COLUMN b set not null;COMMIT",
         "t.a=(x*2)"},
    };
    static const struct {
        const char *sql, *backfill;
    } other[] = {
        {"ALTER TABLE t ALTER b SET NOT NULL, ADD COLUMN a bigint NOT NULL", "t.a = x * 2"},
        {"ALTER TABLE t ADD COLUMN a bigint NOT NULL, ALTER b SET NOT NULL", "t.a = x * 3"},
        {"ALTER TABLE t ADD COLUMN a bigint NOT NULL, ALTER b SET NOT NULL", NULL},
        {"ALTER TABLE s.t ADD COLUMN a bigint NOT NULL, ALTER b SET NOT NULL", "t.a = x * 2"},
    };
    char first[72], digest[72];
    read_digest(same[0].sql, same[0].backfill, first);
    assert_memory_equal(first, "sha256:", 7);
    assert_int_equal(strlen(first), 71);
    for (size_t i = 1; i < ARRAY_LEN(same); i++) {
        read_digest(same[i].sql, same[i].backfill, digest);
        assert_string_equal(digest, first);
    }
    for (size_t i = 0; i < ARRAY_LEN(other); i++) {
        read_digest(other[i].sql, other[i].backfill, digest);
        assert_string_not_equal(digest, first);
    }
    /* The order of backfills means nothing; where they are written neither. */
    read_digest("-- stoa: backfill t.a = 1\n-- stoa: backfill t.b = 2\nALTER TABLE t ADD a int", NULL, first);
    read_digest("-- stoa: backfill t.b = 2\nALTER TABLE t ADD a int", "t.a = 1", digest);
    assert_string_equal(digest, first);
}

/* head, then `count` times `again`, then tail. */
static char *repeated(const char *head, const char *again, const char *middle, const char *close, int count,
                      const char *tail)
{
    Str str = STR_INIT;
    str_add(&str, head);
    for (int i = 0; i < count; i++)
        str_add(&str, again);
    str_add(&str, middle);
    for (int i = 0; i < count; i++)
        str_add(&str, close);
    str_add(&str, tail);
    return str_take(&str);
}

static void test_nesting(void **state UNUSED)
{
    static const struct {
        const char *again, *middle, *close;
        int count;
    } deep[] = {
        {"(", "1", ")", 2000},
        {"1 + ", "1", "", 4000},
        {"- ", "1", "", 4000},
        {"NOT ", "true", "", 4000},
        {"CASE WHEN true THEN ", "1", " END", 1000},
        {"ARRAY[", "1", "]", 1000},
        {"(SELECT ", "1", ")", 1000},
        {"f(1, ", "1", ")", 1000},
        {"", "1", "::int", 4000},
        {"", "1", " IS NULL BETWEEN 1 AND 2", 4000},
        {"", "a", " COLLATE b", 4000},
        {"", "(SELECT 1, 2", " UNION SELECT 1, 2", 4000},
        {"", "(SELECT 1 FROM a", " JOIN b ON true", 4000},
    };
    for (size_t i = 0; i < ARRAY_LEN(deep); i++) {
        char *sql = repeated("ALTER TABLE t ADD c int DEFAULT (", deep[i].again, deep[i].middle,
                             deep[i].close, deep[i].count, ")); ALTER TABLE t ADD d int");
        Arena *arena = arena_new();
        Change change;
        change_parse_pg(arena, &(ChangeInput){.sql = sql}, &change);
        assert_int_equal(change.problem_count, 1);
        assert_int_equal(change.problems[0].kind, ERR_USAGE);
        assert_string_equal(change.problems[0].message, "the expression is nested too deep");
        assert_int_equal(change.operation_count, 1);
        arena_free(arena);
        free(sql);
    }
    /* Long lists are not deep, and what a person would write is not either. */
    char *sql = repeated("ALTER TABLE t ADD c int CHECK (c IN (0", ", 1", "", "", 2000, "))");
    expect_name(&(ChangeInput){.sql = sql}, "t-c", "");
    free(sql);
    sql = repeated("ALTER TABLE t ADD c text DEFAULT (''", " || 'x'", "", "", 400, ")");
    Arena *arena = arena_new();
    Change change;
    change_parse_pg(arena, &(ChangeInput){.sql = sql}, &change);
    assert_int_equal(change.problem_count, 0);
    assert_int_equal(change.operation_count, 1);
    arena_free(arena);
    free(sql);
}

/* ---- what statements speak of ---------------------------------------------------------------- */

static const struct {
    const char *sql, *names;
} named[] = {
    {"ALTER TABLE a.t ADD c b.state CHECK (b.good(c)) REFERENCES r", "a.t! a b b.state b.good r"},
    {"SELECT t.x FROM s.t, \"Odd \"\"T\" o WHERE t.x = 5", "s.t s Odd \"T ="},
    {"DROP TYPE a.state", "a! a.state!"},
    {"ALTER TABLE t ALTER c SET DEFAULT nextval('s.\"N\"'::regclass)", "t! nextval s s.N regclass"},
    {"ALTER TABLE t ADD NOT NULL a NO INHERIT", "alter! t! add! a! no! inherit!"},
    {"DO $a$BEGIN EXECUTE 'DROP TABLE S.T'; END$a$", "begin! execute! drop! s! s.t!"},
    {"CREATE FUNCTION stoa.sync_1() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'", ""},
    {"SELECT 'it''s', '', $$$$, 'x", "it! s!"},
    {"", ""},
};

static void test_mentions(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(named); i++) {
        CLEANUP(arena_freep) Arena *arena = arena_new();
        CLEANUP(str_donep) Str text = STR_INIT;
        Mentions mentions = {0};
        names_of_sql(arena, named[i].sql, &mentions);
        for (size_t n = 0; n < mentions.len; n++) {
            const Mention *mention = &mentions.items[n];
            str_sep(&text, " ");
            str_addf(&text, "%s%s%s%s", mention->schema == NULL ? "" : mention->schema,
                     mention->schema == NULL ? "" : ".", mention->name, mention->target ? "!" : "");
        }
        assert_string_equal(text.buf, named[i].names);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add_column),
        cmocka_unit_test(test_default),
        cmocka_unit_test(test_type),
        cmocka_unit_test(test_alter),
        cmocka_unit_test(test_index_and_comment),
        cmocka_unit_test(test_settings_and_names),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_native),
        cmocka_unit_test(test_do_blocks),
        cmocka_unit_test(test_newer_syntax),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_wrong_text),
        cmocka_unit_test(test_annotations),
        cmocka_unit_test(test_command_line),
        cmocka_unit_test(test_reverses),
        cmocka_unit_test(test_not_utf8),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_mentions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
