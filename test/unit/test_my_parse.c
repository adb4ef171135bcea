/* What is recognised in statements of MySQL and MariaDB: each case is a text and everything that must come of
 * it. */
#include "base/str.h"
#include "change/parse_my.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const MyDialect mysql = {.version = 80034};
static const MyDialect mysql9 = {.version = 90100};
static const MyDialect maria = {.mariadb = true, .version = 101119};
static const MyDialect ansi = {.version = 80034, .ansi_quotes = true};

typedef struct Case {
    const MyDialect *dialect;
    const char *sql;
    const char *expected;
} Case;

typedef struct Show {
    Str str;
    const char *text;
} Show;

/* ---- a statement as text -------------------------------------------------------------------- */

static void show_flag(Show *show, const char *label, bool flag)
{
    if (flag)
        str_addf(&show->str, " %s", label);
}

static void show_span(Show *show, const char *label, MySpan span)
{
    if (my_span_is(span))
        str_addf(&show->str, " %s<%.*s>", label, (int)(span.end - span.start), show->text + span.start);
}

static void show_word(Show *show, const char *label, MyWord word)
{
    if (word.text != NULL)
        str_addf(&show->str, " %s:%s", label, word.text);
}

static void show_name(Show *show, const char *label, const MyName *name)
{
    if (name->name == NULL)
        return;
    str_addf(&show->str, " %s:%s%s%s", label, name->database == NULL ? "" : name->database,
             name->database == NULL ? "" : ".", name->name);
}

static void show_column(Show *show, const MyColumnSpec *column)
{
    static const char *const stored[] = {NULL, "virtual", "stored", "persistent"};
    show_word(show, "column", column->name);
    show_span(show, "type", column->type);
    show_flag(show, "not-null", column->not_null);
    show_flag(show, "null", column->null);
    show_flag(show, "auto", column->auto_increment);
    show_flag(show, "unique", column->unique);
    show_flag(show, "primary", column->primary);
    show_flag(show, "invisible", column->invisible);
    show_flag(show, "visible", column->visible);
    show_flag(show, "compressed", column->compressed);
    show_flag(show, "unversioned", column->without_versioning);
    show_flag(show, "row-start", column->row_start);
    show_flag(show, "row-end", column->row_end);
    show_span(show, "default", column->default_value);
    show_span(show, "on-update", column->on_update);
    show_span(show, "comment", column->comment);
    show_span(show, "charset", column->charset);
    show_span(show, "collate", column->collate);
    show_span(show, "as", column->generated);
    if (stored[column->stored] != NULL)
        show_flag(show, stored[column->stored], true);
    show_word(show, "check-name", column->check_name);
    show_span(show, "check", column->check);
    show_flag(show, "not-enforced", column->not_enforced);
    show_name(show, "references", &column->references);
    show_span(show, "clause", column->references_clause);
    show_span(show, "extra", column->extra);
    show_flag(show, "first", column->first);
    show_word(show, "after", column->after);
}

static void show_key(Show *show, const MyKey *key)
{
    static const char *const kinds[] = {"index",  "unique",  "fulltext", "spatial",
                                        "vector", "primary", "foreign",  "check"};
    str_addf(&show->str, " %s", kinds[key->kind]);
    show_word(show, "constraint", key->constraint);
    show_word(show, "key", key->name);
    for (size_t i = 0; i < key->part_count; i++) {
        const MyKeyPart *part = &key->parts[i];
        str_addf(&show->str, "%s%s%s%s", i == 0 ? " on " : ",",
                 part->column.text == NULL ? "?" : part->column.text, part->prefix ? "(n)" : "",
                 part->descending ? "-" : "");
    }
    show_span(show, "options", key->options);
    show_flag(show, "hidden", key->invisible);
    show_span(show, "expr", key->expr);
    show_flag(show, "not-enforced", key->not_enforced);
    show_name(show, "references", &key->references);
    show_span(show, "to", key->references_parts);
    show_span(show, "on-delete", key->on_delete);
    show_span(show, "on-update", key->on_update);
}

static void show_action(Show *show, const MyAction *action)
{
    str_addf(&show->str, "%s%s", action->joined ? " & " : " | ", my_action_words(action->kind));
    show_flag(show, "if-exists", action->if_exists);
    show_flag(show, "if-not-exists", action->if_not_exists);
    show_word(show, "name", action->name);
    show_word(show, "new", action->new_name);
    show_name(show, "table", &action->table);
    if (action->column != NULL)
        show_column(show, action->column);
    if (action->key != NULL)
        show_key(show, action->key);
    if (action->option != NULL)
        str_addf(&show->str, " %s", action->option);
    show_span(show, "=", action->value);
    if (action->kind == MY_ACTION_OTHER)
        show_span(show, "text", action->span);
    for (size_t i = 0; i < action->item_count; i++) {
        str_add(&show->str, i == 0 ? " {" : ";");
        show_action(show, &action->items[i]);
        str_add(&show->str, i + 1 == action->item_count ? " }" : "");
    }
}

static void show_clause(Show *show, const char *label, const MyClause *clause)
{
    if (clause->count > 1)
        str_addf(&show->str, " %dx", clause->count);
    show_span(show, label, clause->value);
}

static void show_statement(Show *show, const MyStatement *statement)
{
    str_add(&show->str, statement->verb == NULL ? "-" : statement->verb);
    show_flag(show, "OTHER", statement->kind == MY_STATEMENT_OTHER);
    show_flag(show, "EMPTY", statement->kind == MY_STATEMENT_EMPTY);
    show_flag(show, "several", statement->several);
    show_flag(show, "executed", statement->executed);
    show_flag(show, "or-replace", statement->or_replace);
    show_flag(show, "temporary", statement->temporary);
    show_flag(show, "online", statement->online);
    show_flag(show, "offline", statement->offline);
    show_flag(show, "ignore", statement->ignore);
    show_flag(show, "if-exists", statement->if_exists);
    show_flag(show, "if-not-exists", statement->if_not_exists);
    show_word(show, "index", statement->index);
    for (size_t i = 0; i < statement->name_count; i++) {
        show_name(show, "on", &statement->names[i]);
        if (statement->new_names != NULL)
            show_name(show, "to", &statement->new_names[i]);
    }
    show_flag(show, "nowait", statement->wait == MY_WAIT_NOT);
    show_span(show, "wait", statement->wait_value);
    show_clause(show, "algorithm", &statement->algorithm);
    show_clause(show, "lock", &statement->lock);
    show_name(show, "like", &statement->like);
    if (statement->key != NULL)
        show_key(show, statement->key);
    for (size_t i = 0; i < statement->action_count; i++)
        show_action(show, &statement->actions[i]);
    show_span(show, "query", statement->query);
    show_span(show, "tail", statement->tail);
}

static char *show_case(Arena *arena, const Case *one)
{
    Show show = {.str = STR_INIT, .text = one->sql};
    MyStatement statement;
    MyFault fault;
    if (my_parse(arena, one->dialect, one->sql, (MySpan){0, strlen(one->sql)}, &statement, &fault))
        show_statement(&show, &statement);
    else
        str_addf(&show.str, "FAULT %zu", fault.offset);
    char *shown = arena_dup(arena, show.str.buf);
    str_done(&show.str);
    return shown;
}

static void check(const Case *cases, size_t count)
{
    size_t failed = 0;
    for (size_t i = 0; i < count; i++) {
        CLEANUP(arena_freep) Arena *arena = arena_new();
        char *shown = show_case(arena, &cases[i]);
        if (strcmp(shown, cases[i].expected) != 0) {
            print_error("case %zu\n  sql      %s\n  expected %s\n  is       %s\n", i, cases[i].sql,
                        cases[i].expected, shown);
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

/* ---- ALTER TABLE ---------------------------------------------------------------------------- */

static void test_columns(void **state UNUSED)
{
    static const Case cases[] = {
        {&mysql, "ALTER TABLE t ADD COLUMN a int", "ALTER TABLE on:t | ADD COLUMN name:a column:a type<int>"},
        {&mysql, "alter table d.t add a int", "ALTER TABLE on:d.t | ADD COLUMN name:a column:a type<int>"},
        {&mysql, "ALTER TABLE /* x */ `d` /* y */ . -- z\n `t` ADD /**/ COLUMN /**/ `a` /**/ int /**/ first",
         "ALTER TABLE on:d.t | ADD COLUMN name:a column:a type<int> first"},
        {&mysql, "ALTER TABLE t ADD COLUMN (a int, b int)",
         "ALTER TABLE on:t | ADD LIST { | ADD COLUMN name:a column:a type<int>; | ADD COLUMN name:b column:b "
         "type<int> }"},
        {&mysql, "ALTER TABLE t ADD (a decimal(10,2), b enum('x,)','y') not null, index i (a, b desc))",
         "ALTER TABLE on:t | ADD LIST { | ADD COLUMN name:a column:a type<decimal(10,2)>; | ADD COLUMN "
         "name:b column:b type<enum('x,)','y')> not-null; | ADD KEY name:i index key:i on a,b- }"},
        {&mysql, "ALTER TABLE t ADD COLUMN (a int, b)",
         "ALTER TABLE on:t | ADD LIST { | ADD COLUMN name:a column:a type<int>; | OTHER text<b> }"},
        {&maria, "ALTER TABLE t ADD COLUMN IF NOT EXISTS a int, DROP COLUMN IF EXISTS b",
         "ALTER TABLE on:t | ADD COLUMN if-not-exists name:a column:a type<int> | DROP COLUMN if-exists "
         "name:b"},
        {&maria, "ALTER TABLE t ADD IF NOT EXISTS (a int, constraint c check (a > 0))",
         "ALTER TABLE on:t | ADD LIST if-not-exists { | ADD COLUMN name:a column:a type<int>; | ADD KEY "
         "name:c check constraint:c expr<(a > 0)> }"},
        {&mysql, "ALTER TABLE t ADD a int NOT NULL DEFAULT 0 COMMENT 'a, b)' AFTER b, ADD c text NULL FIRST",
         "ALTER TABLE on:t | ADD COLUMN name:a column:a type<int> not-null default<0> comment<'a, b)'> "
         "after:b | ADD COLUMN name:c column:c type<text> null first"},
        {&mysql,
         "ALTER TABLE t ADD comment text comment 'x', ADD status int, ADD `key` int, ADD first int FIRST",
         "ALTER TABLE on:t | ADD COLUMN name:comment column:comment type<text> comment<'x'> | ADD COLUMN "
         "name:status column:status type<int> | ADD COLUMN name:key column:key type<int> | ADD COLUMN "
         "name:first column:first type<int> first"},
        {&mysql, "ALTER TABLE t ADD after int AFTER after",
         "ALTER TABLE on:t | ADD COLUMN name:after column:after type<int> after:after"},
        {&mysql,
         "ALTER TABLE t ADD a varchar(10) CHARACTER SET latin1 COLLATE latin1_bin, ADD b char(3) charset "
         "utf8mb4",
         "ALTER TABLE on:t | ADD COLUMN name:a column:a type<varchar(10)> charset<latin1> "
         "collate<latin1_bin> | ADD COLUMN name:b column:b type<char(3)> charset<utf8mb4>"},
        {&mysql,
         "ALTER TABLE t ADD a char(3) character set binary binary, ADD b char binary, ADD c char char set "
         "ascii",
         "ALTER TABLE on:t | ADD COLUMN name:a column:a type<char(3)> charset<binary> extra<binary> | ADD "
         "COLUMN name:b column:b type<char binary> | ADD COLUMN name:c column:c type<char> charset<ascii>"},
        {&mysql,
         "ALTER TABLE t ADD a double precision unsigned zerofill, ADD b national char varying(3), ADD c long "
         "varchar, ADD d bigint unsigned auto_increment unique",
         "ALTER TABLE on:t | ADD COLUMN name:a column:a type<double precision unsigned zerofill> | ADD "
         "COLUMN name:b column:b type<national char varying(3)> | ADD COLUMN name:c column:c type<long "
         "varchar> | ADD COLUMN name:d column:d type<bigint unsigned> auto unique"},
        {&mysql, "ALTER TABLE t ADD a set('x','y'), ADD b enum('it''s','a\\')b') default 'it''s'",
         "ALTER TABLE on:t | ADD COLUMN name:a column:a type<set('x','y')> | ADD COLUMN name:b column:b "
         "type<enum('it''s','a\\')b')> default<'it''s'>"},
        {&mysql,
         "ALTER TABLE t ADD a int AS (b + (c * 2)) VIRTUAL, ADD d int GENERATED ALWAYS AS "
         "(length(concat('a,)', b))) STORED NOT NULL",
         "ALTER TABLE on:t | ADD COLUMN name:a column:a type<int> as<(b + (c * 2))> virtual | ADD COLUMN "
         "name:d column:d type<int> not-null as<(length(concat('a,)', b)))> stored"},
        {&maria, "ALTER TABLE t ADD a int AS (b) PERSISTENT INVISIBLE",
         "ALTER TABLE on:t | ADD COLUMN name:a column:a type<int> invisible as<(b)> persistent"},
        {&mysql, "ALTER TABLE t ADD a json DEFAULT (json_array(1, 'x,)')), ADD b int DEFAULT (1 + 2)",
         "ALTER TABLE on:t | ADD COLUMN name:a column:a type<json> default<(json_array(1, 'x,)'))> | ADD "
         "COLUMN name:b column:b type<int> default<(1 + 2)>"},
        {&mysql,
         "ALTER TABLE t ADD a timestamp(6) NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)",
         "ALTER TABLE on:t | ADD COLUMN name:a column:a type<timestamp(6)> null "
         "default<CURRENT_TIMESTAMP(6)> on-update<CURRENT_TIMESTAMP(6)>"},
        {&mysql,
         "ALTER TABLE t ADD a datetime DEFAULT now() ON UPDATE now(), ADD b int DEFAULT -1, ADD c int "
         "DEFAULT +2.5e3",
         "ALTER TABLE on:t | ADD COLUMN name:a column:a type<datetime> default<now()> on-update<now()> | ADD "
         "COLUMN name:b column:b type<int> default<-1> | ADD COLUMN name:c column:c type<int> "
         "default<+2.5e3>"},
        {&mysql,
         "ALTER TABLE t ADD a varchar(9) DEFAULT _utf8mb4'x' 'y' NOT NULL, ADD b bit(3) DEFAULT b'101', ADD "
         "c binary(1) DEFAULT 0x41",
         "ALTER TABLE on:t | ADD COLUMN name:a column:a type<varchar(9)> not-null default<_utf8mb4'x' 'y'> | "
         "ADD COLUMN name:b column:b type<bit(3)> default<b'101'> | ADD COLUMN name:c column:c "
         "type<binary(1)> default<0x41>"},
        {&mysql, "ALTER TABLE t ADD a varchar(9) DEFAULT 'a\\'b,)' 'c' COMMENT 'x'",
         "ALTER TABLE on:t | ADD COLUMN name:a column:a type<varchar(9)> default<'a\\'b,)' 'c'> "
         "comment<'x'>"},
        {&mysql,
         "ALTER TABLE t ADD a date DEFAULT DATE '2020-01-01', ADD b int DEFAULT NULL, ADD c bool DEFAULT "
         "TRUE",
         "ALTER TABLE on:t | ADD COLUMN name:a column:a type<date> default<DATE '2020-01-01'> | ADD COLUMN "
         "name:b column:b type<int> default<NULL> | ADD COLUMN name:c column:c type<bool> default<TRUE>"},
        {&maria, "ALTER TABLE t ADD a int DEFAULT CASE WHEN 1 THEN 2 ELSE CASE 1 WHEN 1 THEN 3 END END NULL",
         "ALTER TABLE on:t | ADD COLUMN name:a column:a type<int> null default<CASE WHEN 1 THEN 2 ELSE CASE "
         "1 WHEN 1 THEN 3 END END>"},
        {&maria, "ALTER TABLE t ADD a int DEFAULT NEXT VALUE FOR d.s NOT NULL, ADD u uuid DEFAULT uuid()",
         "ALTER TABLE on:t | ADD COLUMN name:a column:a type<int> not-null default<NEXT VALUE FOR d.s> | ADD "
         "COLUMN name:u column:u type<uuid> default<uuid()>"},
        {&maria, "ALTER TABLE t ADD a int DEFAULT 1 + 1, ADD b int",
         "ALTER TABLE on:t | OTHER text<ADD a int DEFAULT 1 + 1> | ADD COLUMN name:b column:b type<int>"},
        {&mysql,
         "ALTER TABLE t ADD a int CHECK (a > 0) NOT ENFORCED, ADD b int CONSTRAINT c CHECK (b in (1,2)), ADD "
         "d int CONSTRAINT CHECK (d)",
         "ALTER TABLE on:t | ADD COLUMN name:a column:a type<int> check<(a > 0)> not-enforced | ADD COLUMN "
         "name:b column:b type<int> check-name:c check<(b in (1,2))> | ADD COLUMN name:d column:d type<int> "
         "check<(d)>"},
        {&mysql, "ALTER TABLE t ADD a int REFERENCES p (id) ON DELETE SET NULL ON UPDATE CASCADE NOT NULL",
         "ALTER TABLE on:t | ADD COLUMN name:a column:a type<int> not-null references:p clause<REFERENCES p "
         "(id) ON DELETE SET NULL ON UPDATE CASCADE>"},
        {&mysql, "ALTER TABLE t ADD a int REFERENCES d.p (id) MATCH FULL, ADD b int",
         "ALTER TABLE on:t | ADD COLUMN name:a column:a type<int> references:d.p clause<REFERENCES d.p (id) "
         "MATCH FULL> | ADD COLUMN name:b column:b type<int>"},
        {&mysql,
         "ALTER TABLE t ADD a int PRIMARY KEY, ADD b int KEY, ADD c int UNIQUE KEY, ADD d int INVISIBLE, ADD "
         "e int VISIBLE",
         "ALTER TABLE on:t | ADD COLUMN name:a column:a type<int> primary | ADD COLUMN name:b column:b "
         "type<int> primary | ADD COLUMN name:c column:c type<int> unique | ADD COLUMN name:d column:d "
         "type<int> invisible | ADD COLUMN name:e column:e type<int> visible"},
        {&mysql,
         "ALTER TABLE t ADD g geometry NOT NULL SRID 4326, ADD a int COLUMN_FORMAT FIXED STORAGE DISK",
         "ALTER TABLE on:t | ADD COLUMN name:g column:g type<geometry> not-null extra<SRID 4326> | ADD "
         "COLUMN name:a column:a type<int> extra<STORAGE DISK>"},
        {&maria,
         "ALTER TABLE t ADD a blob COMPRESSED, ADD b varchar(9) COMPRESSED=zlib, ADD c int WITHOUT SYSTEM "
         "VERSIONING",
         "ALTER TABLE on:t | ADD COLUMN name:a column:a type<blob> compressed | ADD COLUMN name:b column:b "
         "type<varchar(9)> compressed | ADD COLUMN name:c column:c type<int> unversioned"},
        {&maria,
         "ALTER TABLE t ADD s timestamp(6) GENERATED ALWAYS AS ROW START INVISIBLE, ADD e timestamp(6) AS "
         "ROW END",
         "ALTER TABLE on:t | ADD COLUMN name:s column:s type<timestamp(6)> invisible row-start | ADD COLUMN "
         "name:e column:e type<timestamp(6)> row-end"},
        {&maria, "ALTER TABLE t ADD d mariadb_schema.date, ADD x int my_option='y'",
         "ALTER TABLE on:t | ADD COLUMN name:d column:d type<mariadb_schema.date> | ADD COLUMN name:x "
         "column:x type<int> extra<my_option='y'>"},
        {&mysql, "ALTER TABLE t ADD a serial, ADD b bigint SERIAL DEFAULT VALUE",
         "ALTER TABLE on:t | ADD COLUMN name:a column:a type<serial> | ADD COLUMN name:b column:b "
         "type<bigint> auto"},
        {&mysql, "ALTER TABLE t ADD COLUMN a int strange thing, ADD b int",
         "ALTER TABLE on:t | OTHER text<ADD COLUMN a int strange thing> | ADD COLUMN name:b column:b "
         "type<int>"},
        {&mysql, "ALTER TABLE t ADD COLUMN a int, b int",
         "ALTER TABLE on:t | ADD COLUMN name:a column:a type<int> | OTHER text<b int>"},
        {&ansi, "ALTER TABLE \"t\" ADD \"a b\" int DEFAULT '\"'",
         "ALTER TABLE on:t | ADD COLUMN name:a b column:a b type<int> default<'\"'>"},
        {&mysql, "ALTER TABLE t ADD \"a\" int", "ALTER TABLE on:t | OTHER text<ADD \"a\" int>"},
        {&mysql, "ALTER TABLE t ADD 1abc int, ADD `a``b` int, ADD \xc3\xa9 int",
         "ALTER TABLE on:t | ADD COLUMN name:1abc column:1abc type<int> | ADD COLUMN name:a`b column:a`b "
         "type<int> | ADD COLUMN name:é column:é type<int>"},
        {&mysql,
         "ALTER TABLE t DROP a, DROP COLUMN `b`, DROP c CASCADE, DROP COLUMN d RESTRICT, DROP COLUMN t.e",
         "ALTER TABLE on:t | DROP COLUMN name:a | DROP COLUMN name:b | DROP COLUMN name:c | DROP COLUMN "
         "name:d | DROP COLUMN name:e"},
        {&mysql, "ALTER TABLE t DROP a b", "ALTER TABLE on:t | OTHER text<DROP a b>"},
        {&mysql,
         "ALTER TABLE t MODIFY a bigint, MODIFY COLUMN b varchar(20) NOT NULL AFTER c, MODIFY t.d int",
         "ALTER TABLE on:t | MODIFY COLUMN name:a column:a type<bigint> | MODIFY COLUMN name:b column:b "
         "type<varchar(20)> not-null after:c | MODIFY COLUMN name:d column:d type<int>"},
        {&maria, "ALTER TABLE t MODIFY COLUMN IF EXISTS a bigint, CHANGE IF EXISTS b c int",
         "ALTER TABLE on:t | MODIFY COLUMN if-exists name:a column:a type<bigint> | CHANGE COLUMN if-exists "
         "name:b column:c type<int>"},
        {&mysql, "ALTER TABLE t CHANGE a b int, CHANGE COLUMN `c` `c` bigint NOT NULL FIRST",
         "ALTER TABLE on:t | CHANGE COLUMN name:a column:b type<int> | CHANGE COLUMN name:c column:c "
         "type<bigint> not-null first"},
        {&mysql, "ALTER TABLE t CHANGE d.t.a b int",
         "ALTER TABLE on:t | CHANGE COLUMN name:a column:b type<int>"},
        {&mysql,
         "ALTER TABLE t ALTER a SET DEFAULT 'x', ALTER COLUMN b SET DEFAULT (1, 2), ALTER c DROP DEFAULT",
         "ALTER TABLE on:t | SET DEFAULT name:a =<'x'> | SET DEFAULT name:b =<(1, 2)> | DROP DEFAULT name:c"},
        {&mysql, "ALTER TABLE t ALTER a SET VISIBLE, ALTER COLUMN b SET INVISIBLE, ALTER c SET NOT NULL",
         "ALTER TABLE on:t | SET VISIBLE name:a | SET INVISIBLE name:b | OTHER text<ALTER c SET NOT NULL>"},
        {&mysql, "ALTER TABLE t RENAME COLUMN a TO b, RENAME INDEX i TO j, RENAME KEY k TO l",
         "ALTER TABLE on:t | RENAME COLUMN name:a new:b | RENAME INDEX name:i new:j | RENAME INDEX name:k "
         "new:l"},
        {&mysql, "ALTER TABLE t RENAME TO u, RENAME AS d.u, RENAME u, RENAME = u",
         "ALTER TABLE on:t | RENAME TO table:u | RENAME TO table:d.u | RENAME TO table:u | RENAME TO "
         "table:u"},
        {&maria, "ALTER TABLE t RENAME COLUMN IF EXISTS a TO b",
         "ALTER TABLE on:t | RENAME COLUMN if-exists name:a new:b"},
    };
    check(cases, ARRAY_LEN(cases));
}

static void test_keys(void **state UNUSED)
{
    static const Case cases[] = {
        {&mysql, "ALTER TABLE t ADD INDEX i (a), ADD KEY (a(10) DESC, `b` ASC), ADD INDEX j USING HASH (a)",
         "ALTER TABLE on:t | ADD KEY name:i index key:i on a | ADD KEY index on a(n)-,b | ADD KEY name:j "
         "index key:j on a"},
        {&mysql,
         "ALTER TABLE t ADD UNIQUE (a), ADD UNIQUE KEY u (a, b) COMMENT 'x,' INVISIBLE, ADD UNIQUE INDEX v "
         "(c)",
         "ALTER TABLE on:t | ADD KEY unique on a | ADD KEY name:u unique key:u on a,b options<COMMENT 'x,' "
         "INVISIBLE> hidden | ADD KEY name:v unique key:v on c"},
        {&mysql, "ALTER TABLE t ADD INDEX f ((lower(a)), b), ADD INDEX g ((a + b) DESC)",
         "ALTER TABLE on:t | ADD KEY name:f index key:f on ?,b | ADD KEY name:g index key:g on ?-"},
        {&mysql,
         "ALTER TABLE t ADD FULLTEXT f (a, b) WITH PARSER ngram, ADD SPATIAL INDEX s (g), ADD FULLTEXT KEY "
         "(c)",
         "ALTER TABLE on:t | ADD KEY name:f fulltext key:f on a,b options<WITH PARSER ngram> | ADD KEY "
         "name:s spatial key:s on g | ADD KEY fulltext on c"},
        {&mysql,
         "ALTER TABLE t ADD PRIMARY KEY (a), ADD CONSTRAINT PRIMARY KEY (a, b), ADD CONSTRAINT p PRIMARY KEY "
         "USING BTREE (c)",
         "ALTER TABLE on:t | ADD KEY primary on a | ADD KEY primary on a,b | ADD KEY name:p primary "
         "constraint:p on c"},
        {&mysql,
         "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY i (a, b) REFERENCES d.p (x, y) ON DELETE SET NULL ON "
         "UPDATE NO ACTION",
         "ALTER TABLE on:t | ADD KEY name:i foreign constraint:c key:i on a,b references:d.p to<(x, y)> "
         "on-delete<SET NULL> on-update<NO ACTION>"},
        {&mysql, "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES p (x) MATCH SIMPLE ON UPDATE SET DEFAULT",
         "ALTER TABLE on:t | ADD KEY foreign on a references:p to<(x)> on-update<SET DEFAULT>"},
        {&mysql, "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES p (x) ON DELETE EXPLODE",
         "ALTER TABLE on:t | OTHER text<ADD FOREIGN KEY (a) REFERENCES p (x) ON DELETE EXPLODE>"},
        {&mysql,
         "ALTER TABLE t ADD CHECK (a > 0), ADD CONSTRAINT c CHECK (b in (1, 2)) NOT ENFORCED, ADD CONSTRAINT "
         "CHECK (c)",
         "ALTER TABLE on:t | ADD KEY check expr<(a > 0)> | ADD KEY name:c check constraint:c expr<(b in (1, "
         "2))> not-enforced | ADD KEY check expr<(c)>"},
        {&mysql, "ALTER TABLE t ADD CONSTRAINT u UNIQUE (a), ADD CONSTRAINT UNIQUE INDEX v (b)",
         "ALTER TABLE on:t | ADD KEY name:u unique constraint:u on a | ADD KEY name:v unique key:v on b"},
        {&maria,
         "ALTER TABLE t ADD INDEX IF NOT EXISTS i (a), ADD UNIQUE INDEX IF NOT EXISTS u (b), ADD CONSTRAINT "
         "IF NOT EXISTS c CHECK (a), ADD FOREIGN KEY IF NOT EXISTS f (a) REFERENCES p (b)",
         "ALTER TABLE on:t | ADD KEY if-not-exists name:i index key:i on a | ADD KEY if-not-exists name:u "
         "unique key:u on b | ADD KEY if-not-exists name:c check constraint:c expr<(a)> | ADD KEY "
         "if-not-exists name:f foreign key:f on a references:p to<(b)>"},
        {&maria,
         "ALTER TABLE t ADD INDEX i (a) IGNORED, ADD INDEX j (b) NOT IGNORED, ALTER INDEX i NOT IGNORED, "
         "ALTER KEY j IGNORED",
         "ALTER TABLE on:t | ADD KEY name:i index key:i on a options<IGNORED> hidden | ADD KEY name:j index "
         "key:j on b options<NOT IGNORED> | ALTER INDEX name:i =<NOT IGNORED> | ALTER INDEX name:j "
         "=<IGNORED>"},
        {&maria, "ALTER TABLE t ADD VECTOR INDEX v (e) M=8 DISTANCE=cosine, ADD vector int",
         "ALTER TABLE on:t | ADD KEY name:v vector key:v on e options<M=8 DISTANCE=cosine> | ADD COLUMN "
         "name:vector column:vector type<int>"},
        {&maria, "ALTER TABLE t ADD PERIOD FOR p (a, b), ADD UNIQUE (x, p WITHOUT OVERLAPS), ADD period int",
         "ALTER TABLE on:t | ADD PERIOD name:p =<(a, b)> | ADD KEY unique on x,? | ADD COLUMN name:period "
         "column:period type<int>"},
        {&mysql,
         "ALTER TABLE t DROP INDEX i, DROP KEY j, DROP PRIMARY KEY, DROP FOREIGN KEY f, DROP CHECK c, DROP "
         "CONSTRAINT d",
         "ALTER TABLE on:t | DROP INDEX name:i | DROP INDEX name:j | DROP PRIMARY KEY | DROP FOREIGN KEY "
         "name:f | DROP CHECK name:c | DROP CONSTRAINT name:d"},
        {&maria,
         "ALTER TABLE t DROP INDEX IF EXISTS i, DROP FOREIGN KEY IF EXISTS f, DROP CONSTRAINT IF EXISTS c, "
         "DROP PERIOD FOR p, DROP SYSTEM VERSIONING",
         "ALTER TABLE on:t | DROP INDEX if-exists name:i | DROP FOREIGN KEY if-exists name:f | DROP "
         "CONSTRAINT if-exists name:c | DROP PERIOD name:p | DROP SYSTEM VERSIONING"},
        {&mysql, "ALTER TABLE t DROP INDEX `primary`, DROP `index`, DROP system",
         "ALTER TABLE on:t | DROP INDEX name:primary | DROP COLUMN name:index | DROP COLUMN name:system"},
        {&mysql,
         "ALTER TABLE t ALTER INDEX i VISIBLE, ALTER INDEX j INVISIBLE, ALTER CHECK c NOT ENFORCED, ALTER "
         "CONSTRAINT d ENFORCED",
         "ALTER TABLE on:t | ALTER INDEX name:i =<VISIBLE> | ALTER INDEX name:j =<INVISIBLE> | ALTER CHECK "
         "name:c =<NOT ENFORCED> | ALTER CHECK name:d =<ENFORCED>"},
        {&mysql, "ALTER TABLE t ADD INDEX i, ADD INDEX j ()",
         "ALTER TABLE on:t | OTHER text<ADD INDEX i> | ADD KEY name:j index key:j"},
    };
    check(cases, ARRAY_LEN(cases));
}

static void test_table(void **state UNUSED)
{
    static const Case cases[] = {
        {&mysql,
         "ALTER TABLE t ENGINE=InnoDB ROW_FORMAT=DYNAMIC, KEY_BLOCK_SIZE 8, AUTO_INCREMENT = 100, "
         "COMMENT='x, y'",
         "ALTER TABLE on:t | OPTION ENGINE =<InnoDB> & OPTION ROW_FORMAT =<DYNAMIC> | OPTION KEY_BLOCK_SIZE "
         "=<8> | OPTION AUTO_INCREMENT =<100> | OPTION COMMENT =<'x, y'>"},
        {&mysql,
         "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, DEFAULT CHARACTER SET = latin1 "
         "COLLATE latin1_bin",
         "ALTER TABLE on:t | CONVERT TO CHARACTER SET =<utf8mb4 COLLATE utf8mb4_bin> | OPTION CHARACTER SET "
         "=<latin1> & OPTION COLLATE =<latin1_bin>"},
        {&mysql, "ALTER TABLE t CHARSET utf8mb4, DEFAULT COLLATE utf8mb4_bin, DEFAULT CHARSET=latin1",
         "ALTER TABLE on:t | OPTION CHARACTER SET =<utf8mb4> | OPTION COLLATE =<utf8mb4_bin> | OPTION "
         "CHARACTER SET =<latin1>"},
        {&maria, "ALTER TABLE t CONVERT TO CHARACTER SET DEFAULT",
         "ALTER TABLE on:t | CONVERT TO CHARACTER SET =<DEFAULT>"},
        {&mysql, "ALTER TABLE t FORCE, ENABLE KEYS, DISABLE KEYS, DISCARD TABLESPACE, IMPORT TABLESPACE",
         "ALTER TABLE on:t | FORCE | ENABLE KEYS | DISABLE KEYS | DISCARD TABLESPACE | IMPORT TABLESPACE"},
        {&mysql, "ALTER TABLE t ORDER BY a, b DESC", "ALTER TABLE on:t | ORDER BY =<a, b DESC>"},
        {&mysql, "ALTER TABLE t ADD a int, ORDER BY a, ADD COLUMN b int",
         "ALTER TABLE on:t | ADD COLUMN name:a column:a type<int> | ORDER BY =<a, ADD COLUMN b int>"},
        {&mysql,
         "ALTER TABLE t TABLESPACE ts STORAGE DISK, UNION=(a,b), DATA DIRECTORY='/x', INSERT_METHOD=LAST",
         "ALTER TABLE on:t | OPTION TABLESPACE =<ts> & OPTION STORAGE =<DISK> | OPTION UNION =<(a,b)> | "
         "OPTION DATA DIRECTORY =<'/x'> | OPTION INSERT_METHOD =<LAST>"},
        {&maria, "ALTER TABLE t PAGE_COMPRESSED=1 `encryption_key_id`=2, my_option='x'",
         "ALTER TABLE on:t | OPTION PAGE_COMPRESSED =<1> & OPTION encryption_key_id =<2> | OPTION my_option "
         "=<'x'>"},
        {&maria, "ALTER TABLE t ADD SYSTEM VERSIONING, ADD COLUMN system int",
         "ALTER TABLE on:t | ADD SYSTEM VERSIONING | ADD COLUMN name:system column:system type<int>"},
        {&mysql, "ALTER TABLE t ADD a int, ALGORITHM=INPLACE, LOCK=NONE",
         "ALTER TABLE on:t algorithm<INPLACE> lock<NONE> | ADD COLUMN name:a column:a type<int> | ALGORITHM "
         "=<INPLACE> | LOCK =<NONE>"},
        {&mysql, "ALTER TABLE t ALGORITHM INSTANT, ADD a int, LOCK DEFAULT, algorithm = copy",
         "ALTER TABLE on:t 2x algorithm<copy> lock<DEFAULT> | ALGORITHM =<INSTANT> | ADD COLUMN name:a "
         "column:a type<int> | LOCK =<DEFAULT> | ALGORITHM =<copy>"},
        {&mysql, "ALTER TABLE t ADD algorithm int, ADD `lock` int, DROP algorithm",
         "ALTER TABLE on:t | ADD COLUMN name:algorithm column:algorithm type<int> | ADD COLUMN name:lock "
         "column:lock type<int> | DROP COLUMN name:algorithm"},
        {&mysql, "ALTER TABLE t ALGORITHM=INPLACE COMMENT='x', LOCK=NONE FORCE",
         "ALTER TABLE on:t | OTHER text<ALGORITHM=INPLACE COMMENT='x'> | OTHER text<LOCK=NONE FORCE>"},
        {&mysql, "ALTER TABLE t foo=1, ADD a int foo=1",
         "ALTER TABLE on:t | OTHER text<foo=1> | OTHER text<ADD a int foo=1>"},
        {&maria, "ALTER TABLE t ADD = 1, LOCK = 'x'",
         "ALTER TABLE on:t | OTHER text<ADD = 1> | OTHER text<LOCK = 'x'>"},
        {&maria, "ALTER TABLE t ADD PERIOD IF NOT EXISTS FOR p (a, b), DROP PERIOD IF EXISTS FOR p",
         "ALTER TABLE on:t | ADD PERIOD if-not-exists name:p =<(a, b)> | DROP PERIOD if-exists name:p"},
        {&mysql, "ALTER TABLE t WITH VALIDATION, WITHOUT VALIDATION",
         "ALTER TABLE on:t | VALIDATION | VALIDATION"},
        {&maria, "ALTER ONLINE IGNORE TABLE IF EXISTS t WAIT 10 ADD a int",
         "ALTER TABLE online ignore if-exists on:t wait<10> | ADD COLUMN name:a column:a type<int>"},
        {&maria, "ALTER TABLE t NOWAIT DROP a", "ALTER TABLE on:t nowait | DROP COLUMN name:a"},
        {&mysql, "ALTER TABLE t NOWAIT DROP a", "ALTER TABLE on:t | OTHER text<NOWAIT DROP a>"},
        {&mysql, "ALTER OFFLINE TABLE t ADD a int",
         "ALTER TABLE offline on:t | ADD COLUMN name:a column:a type<int>"},
        {&mysql, "ALTER TABLE t", "ALTER TABLE on:t"},
        {&mysql, "ALTER TABLE t ADD a int,, ADD b int,",
         "ALTER TABLE on:t | ADD COLUMN name:a column:a type<int> | OTHER | ADD COLUMN name:b column:b "
         "type<int> | OTHER"},
        {&mysql, "ALTER TABLE t SET x, ENGINE", "ALTER TABLE on:t | OTHER text<SET x> | OTHER text<ENGINE>"},
        {&mysql, "ALTER TABLE t ADD a int;", "ALTER TABLE on:t | ADD COLUMN name:a column:a type<int>"},
        {&mysql, "ALTER TABLE t ADD a int; DROP TABLE u;", "ALTER TABLE OTHER several on:t"},
        {&mysql, "ALTER TABLE t ADD a int)", "ALTER OTHER"},
        {&mysql, "ALTER TABLE t ADD a int DEFAULT (1", "ALTER OTHER"},
        {&mysql, "ALTER TABLE t ADD a int DEFAULT 'x", "FAULT 32"},
        {&mysql, "ALTER TABLE `table`.`alter` DROP `drop`",
         "ALTER TABLE on:table.alter | DROP COLUMN name:drop"},
        {&mysql, "ALTER TABLE a.b.c DROP d", "ALTER TABLE OTHER"},
        /* partitions */
        {&mysql, "ALTER TABLE t ADD a int PARTITION BY HASH (a) PARTITIONS 4",
         "ALTER TABLE on:t | ADD COLUMN name:a column:a type<int> & PARTITION BY =<HASH (a) PARTITIONS 4>"},
        {&mysql,
         "ALTER TABLE t PARTITION BY RANGE (a) (PARTITION p0 VALUES LESS THAN (1), PARTITION p1 VALUES LESS "
         "THAN MAXVALUE)",
         "ALTER TABLE on:t | PARTITION BY =<RANGE (a) (PARTITION p0 VALUES LESS THAN (1), PARTITION p1 "
         "VALUES LESS THAN MAXVALUE)>"},
        {&mysql, "ALTER TABLE t ENGINE=InnoDB REMOVE PARTITIONING",
         "ALTER TABLE on:t | OPTION ENGINE =<InnoDB> & REMOVE PARTITIONING"},
        {&mysql, "ALTER TABLE t ORDER BY a, b REMOVE PARTITIONING",
         "ALTER TABLE on:t | ORDER BY =<a, b> & REMOVE PARTITIONING"},
        {&mysql, "ALTER TABLE t ADD PARTITION (PARTITION p3 VALUES IN (1,2))",
         "ALTER TABLE on:t | PARTITION ADD =<PARTITION (PARTITION p3 VALUES IN (1,2))>"},
        {&mysql, "ALTER TABLE t ALGORITHM=INPLACE, LOCK=NONE, DROP PARTITION p0, p1",
         "ALTER TABLE on:t algorithm<INPLACE> lock<NONE> | ALGORITHM =<INPLACE> | LOCK =<NONE> | PARTITION "
         "DROP =<PARTITION p0, p1>"},
        {&mysql, "ALTER TABLE t REORGANIZE PARTITION p0, p1 INTO (PARTITION p VALUES LESS THAN (9))",
         "ALTER TABLE on:t | PARTITION REORGANIZE =<PARTITION p0, p1 INTO (PARTITION p VALUES LESS THAN "
         "(9))>"},
        {&mysql, "ALTER TABLE t EXCHANGE PARTITION p WITH TABLE d.u WITHOUT VALIDATION",
         "ALTER TABLE on:t | PARTITION table:d.u EXCHANGE =<PARTITION p WITH TABLE d.u WITHOUT VALIDATION>"},
        {&mysql, "ALTER TABLE t TRUNCATE PARTITION ALL, COALESCE PARTITION 2",
         "ALTER TABLE on:t | PARTITION TRUNCATE =<PARTITION ALL, COALESCE PARTITION 2>"},
        {&mysql, "ALTER TABLE t DISCARD PARTITION p0 TABLESPACE",
         "ALTER TABLE on:t | PARTITION DISCARD =<PARTITION p0 TABLESPACE>"},
        {&mysql, "ALTER TABLE t CHECK PARTITION p0, p1",
         "ALTER TABLE on:t | PARTITION CHECK =<PARTITION p0, p1>"},
        {&maria, "ALTER TABLE t CONVERT PARTITION p TO TABLE u",
         "ALTER TABLE on:t | PARTITION table:u CONVERT =<PARTITION p TO TABLE u>"},
        {&maria, "ALTER TABLE t CONVERT TABLE d.u TO PARTITION p VALUES LESS THAN (3)",
         "ALTER TABLE on:t | PARTITION table:d.u CONVERT =<TABLE d.u TO PARTITION p VALUES LESS THAN (3)>"},
        {&maria, "ALTER TABLE t DROP PARTITION IF EXISTS p",
         "ALTER TABLE on:t | PARTITION if-exists DROP =<PARTITION IF EXISTS p>"},
        {&mysql, "ALTER TABLE t PARTITION BY KEY () , ADD a int",
         "ALTER TABLE on:t | PARTITION BY =<KEY () , ADD a int>"},
        {&mysql, "ALTER TABLE t ADD remove int, DROP partitioning",
         "ALTER TABLE on:t | ADD COLUMN name:remove column:remove type<int> | DROP COLUMN name:partitioning"},
        /* executable comments change what a statement does */
        {&mysql, "ALTER TABLE t /*!50000 ADD a int, */ ADD b int",
         "ALTER TABLE executed on:t | ADD COLUMN name:a column:a type<int> | ADD COLUMN name:b column:b "
         "type<int>"},
        {&maria, "ALTER TABLE t /*!80000 ADD a int, */ ADD b int",
         "ALTER TABLE on:t | ADD COLUMN name:b column:b type<int>"},
        {&mysql, "ALTER TABLE t ADD b int /*M! , DROP a */",
         "ALTER TABLE on:t | ADD COLUMN name:b column:b type<int>"},
        {&maria, "ALTER TABLE t ADD b int /*M! , DROP a */",
         "ALTER TABLE executed on:t | ADD COLUMN name:b column:b type<int> | DROP COLUMN name:a"},
        {&mysql, "ALTER TABLE t DROP /*!99999 a, DROP */ b", "ALTER TABLE on:t | DROP COLUMN name:b"},
        {&mysql, "/*!50000 DROP TABLE t */", "DROP TABLE executed on:t"},
        {&mysql, "/*!99999 DROP TABLE t */", "- EMPTY"},
        {&mysql, "ALTER /*!50000 TABLE t ADD a int /* x */ */ , ADD b int",
         "ALTER TABLE executed on:t | ADD COLUMN name:a column:a type<int> | ADD COLUMN name:b column:b "
         "type<int>"},
        {&mysql, "ALTER TABLE t ALTER a SET DEFAULT 1 --5", "ALTER TABLE on:t | SET DEFAULT name:a =<1 --5>"},
    };
    check(cases, ARRAY_LEN(cases));
}

/* ---- other statements ----------------------------------------------------------------------- */

static void test_create(void **state UNUSED)
{
    static const Case cases[] = {
        {&mysql,
         "CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, a varchar(9) NOT NULL, KEY i (a)) ENGINE=InnoDB "
         "DEFAULT CHARSET=utf8mb4 COMMENT 'x'",
         "CREATE TABLE on:t | ADD COLUMN name:id column:id type<int> auto primary | ADD COLUMN name:a "
         "column:a type<varchar(9)> not-null | ADD KEY name:i index key:i on a & OPTION ENGINE =<InnoDB> & "
         "OPTION CHARACTER SET =<utf8mb4> & OPTION COMMENT =<'x'>"},
        {&mysql,
         "CREATE TEMPORARY TABLE IF NOT EXISTS d.t (a int, PRIMARY KEY (a), CONSTRAINT c FOREIGN KEY (a) "
         "REFERENCES p (id))",
         "CREATE TABLE temporary if-not-exists on:d.t | ADD COLUMN name:a column:a type<int> | ADD KEY "
         "primary on a | ADD KEY name:c foreign constraint:c on a references:p to<(id)>"},
        {&maria,
         "CREATE OR REPLACE TABLE t (a int, s timestamp(6) AS ROW START, PERIOD FOR SYSTEM_TIME (s, e), "
         "CHECK (a)) WITH SYSTEM VERSIONING",
         "CREATE TABLE or-replace on:t | ADD COLUMN name:a column:a type<int> | ADD COLUMN name:s column:s "
         "type<timestamp(6)> row-start | ADD PERIOD name:SYSTEM_TIME =<(s, e)> | ADD KEY check expr<(a)> & "
         "OPTION WITH SYSTEM VERSIONING"},
        {&mysql,
         "CREATE TABLE `t` (\n  `a` int DEFAULT NULL /*!80023 INVISIBLE */,\n  `g` geometry NOT NULL "
         "/*!80003 SRID "
         "4326 */,\n  KEY `i` ((`a` + 1)) /*!80000 INVISIBLE */,\n  CONSTRAINT `c` CHECK ((`a` > 0)) "
         "/*!80016 NOT "
         "ENFORCED */\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci\n/*!50100 "
         "PARTITION BY "
         "HASH (`a`)\nPARTITIONS 4 */",
         "CREATE TABLE executed on:t | ADD COLUMN name:a column:a type<int> invisible default<NULL> | ADD "
         "COLUMN name:g column:g type<geometry> not-null extra<SRID 4326> | ADD KEY name:i index key:i on ? "
         "options<INVISIBLE> hidden | ADD KEY name:c check constraint:c expr<((`a` > 0))> not-enforced & "
         "OPTION ENGINE =<InnoDB> & OPTION CHARACTER SET =<utf8mb4> & OPTION COLLATE =<utf8mb4_0900_ai_ci> & "
         "PARTITION BY =<HASH (`a`)\nPARTITIONS 4>"},
        {&mysql, "CREATE TABLE t LIKE d.u", "CREATE TABLE on:t like:d.u"},
        {&mysql, "CREATE TABLE t (LIKE u)", "CREATE TABLE on:t like:u"},
        {&mysql, "CREATE TABLE t LIKE u v", "CREATE TABLE OTHER on:t"},
        {&mysql, "CREATE TABLE t AS SELECT 1, 2", "CREATE TABLE on:t query<AS SELECT 1, 2>"},
        {&mysql, "CREATE TABLE t (a int) ENGINE=InnoDB IGNORE AS SELECT a FROM u",
         "CREATE TABLE on:t | ADD COLUMN name:a column:a type<int> & OPTION ENGINE =<InnoDB> query<IGNORE AS "
         "SELECT a FROM u>"},
        {&mysql, "CREATE TABLE t (SELECT 1)", "CREATE TABLE on:t query<(SELECT 1)>"},
        {&mysql, "CREATE TABLE t SELECT 1 a", "CREATE TABLE on:t query<SELECT 1 a>"},
        {&mysql, "CREATE TABLE t (a int) PARTITION BY HASH (a) PARTITIONS 3 SELECT 1 a",
         "CREATE TABLE on:t | ADD COLUMN name:a column:a type<int> & PARTITION BY =<HASH (a) PARTITIONS 3> "
         "query<SELECT 1 a>"},
        {&mysql, "CREATE TABLE t (a int, b) ENGINE InnoDB, COMMENT=''",
         "CREATE TABLE on:t | ADD COLUMN name:a column:a type<int> | OTHER text<b> & OPTION ENGINE =<InnoDB> "
         "| OPTION COMMENT =<''>"},
        {&mysql, "CREATE TABLE t (a int) nonsense", "CREATE TABLE OTHER on:t"},
        {&mysql, "CREATE TABLE t", "CREATE TABLE OTHER on:t"},
        {&mysql, "CREATE UNIQUE INDEX i ON d.t (a, b(3)) COMMENT 'x' INVISIBLE ALGORITHM=INPLACE LOCK NONE",
         "CREATE INDEX index:i on:d.t algorithm<INPLACE> lock<NONE> unique key:i on a,b(n) options<COMMENT "
         "'x' INVISIBLE> hidden"},
        {&mysql, "CREATE INDEX i USING BTREE ON t ((a + 1)) ALGORITHM DEFAULT",
         "CREATE INDEX index:i on:t algorithm<DEFAULT> index key:i on ?"},
        {&maria, "CREATE OR REPLACE FULLTEXT INDEX IF NOT EXISTS i ON t (a) WAIT 5",
         "CREATE INDEX or-replace if-not-exists index:i on:t wait<5> fulltext key:i on a"},
        {&maria, "CREATE ONLINE SPATIAL INDEX i ON t (g) NOWAIT",
         "CREATE INDEX online index:i on:t nowait spatial key:i on g"},
        {&mysql, "CREATE INDEX ON t (a)", "CREATE INDEX OTHER"},
        {&mysql, "CREATE VIEW v AS SELECT 1", "CREATE VIEW OTHER on:v"},
        {&mysql,
         "CREATE OR REPLACE ALGORITHM=MERGE DEFINER=`a`@`b` SQL SECURITY INVOKER VIEW d.v AS SELECT 1",
         "CREATE VIEW OTHER or-replace on:d.v"},
        {&mysql,
         "CREATE DEFINER=CURRENT_USER() TRIGGER tr BEFORE INSERT ON t FOR EACH ROW BEGIN SET new.a = 1; END",
         "CREATE TRIGGER OTHER several on:tr"},
        {&mysql, "CREATE PROCEDURE IF NOT EXISTS d.p() SELECT 1",
         "CREATE PROCEDURE OTHER if-not-exists on:d.p"},
        {&mysql, "CREATE DATABASE IF NOT EXISTS d", "CREATE DATABASE OTHER if-not-exists on:d"},
        {&mysql, "DROP USER u@h, v", "DROP USER OTHER"},
        {&mysql, "CREATE USER 'u'@'h'", "CREATE USER OTHER"},
        {&maria, "CREATE SEQUENCE s", "CREATE SEQUENCE OTHER on:s"},
        {&mysql9, "CREATE FUNCTION f() RETURNS int LANGUAGE JAVASCRIPT AS $$ return 1; $$",
         "CREATE FUNCTION OTHER on:f"},
    };
    check(cases, ARRAY_LEN(cases));
}

static void test_others(void **state UNUSED)
{
    static const Case cases[] = {
        {&mysql, "DROP TABLE t", "DROP TABLE on:t"},
        {&maria, "DROP TEMPORARY TABLE IF EXISTS a, d.b NOWAIT CASCADE",
         "DROP TABLE temporary if-exists on:a on:d.b nowait tail<CASCADE>"},
        {&mysql, "DROP TABLES a, b RESTRICT", "DROP TABLE on:a on:b tail<RESTRICT>"},
        {&mysql, "DROP TABLE a b", "DROP TABLE OTHER on:a"},
        {&mysql, "DROP INDEX i ON d.t ALGORITHM=INPLACE LOCK=NONE",
         "DROP INDEX index:i on:d.t algorithm<INPLACE> lock<NONE>"},
        {&maria, "DROP INDEX IF EXISTS `PRIMARY` ON t WAIT 3",
         "DROP INDEX if-exists index:PRIMARY on:t wait<3>"},
        {&mysql, "DROP INDEX i", "DROP INDEX OTHER"},
        {&mysql, "RENAME TABLE a TO b, d.c TO e.f", "RENAME TABLE on:a to:b on:d.c to:e.f"},
        {&maria, "RENAME TABLES IF EXISTS a WAIT 3 TO b", "RENAME TABLE if-exists on:a to:b wait<3>"},
        {&mysql, "RENAME TABLE a b", "RENAME OTHER"},
        {&mysql, "RENAME USER a TO b", "RENAME OTHER"},
        {&mysql, "TRUNCATE t", "TRUNCATE on:t"},
        {&mysql, "TRUNCATE TABLE d.t", "TRUNCATE on:d.t"},
        {&mysql, "DROP VIEW IF EXISTS v, w", "DROP VIEW OTHER if-exists on:v on:w"},
        {&mysql, "DROP DATABASE d", "DROP DATABASE OTHER on:d"},
        {&mysql, "ALTER DATABASE d CHARACTER SET latin1", "ALTER DATABASE OTHER on:d"},
        {&mysql, "ALTER DEFINER = a@b EVENT e ENABLE", "ALTER EVENT OTHER on:e"},
        {&mysql, "ALTER USER u IDENTIFIED BY 'x'", "ALTER USER OTHER on:u"},
        {&mysql, "INSERT IGNORE INTO d.t (a) VALUES (1)", "INSERT OTHER on:d.t"},
        {&mysql, "INSERT t SELECT 1", "INSERT OTHER on:t"},
        {&mysql, "REPLACE INTO t VALUES (1)", "REPLACE OTHER on:t"},
        {&mysql, "UPDATE LOW_PRIORITY t SET a = 1", "UPDATE OTHER on:t"},
        {&mysql, "UPDATE t, u SET t.a = 1", "UPDATE OTHER"},
        {&mysql, "DELETE FROM t WHERE a", "DELETE OTHER on:t"},
        {&mysql, "DELETE t FROM t JOIN u", "DELETE OTHER"},
        {&mysql, "DELETE FROM t USING t JOIN u", "DELETE OTHER"},
        {&mysql, "SET @a := 1", "SET OTHER"},
        {&maria, "SET STATEMENT max_statement_time=1 FOR ALTER TABLE t ADD a int", "SET STATEMENT OTHER"},
        {&mysql, "SET NAMES utf8mb4", "SET OTHER"},
        {&mysql, "(SELECT 1)", "- OTHER"},
        {&mysql, "WITH x AS (SELECT 1) SELECT * FROM x", "WITH OTHER"},
        {&mysql, "EXPLAIN ALTER TABLE t ADD a int", "EXPLAIN OTHER"},
        {&mysql, "PREPARE s FROM 'ALTER TABLE t ADD a int'", "PREPARE OTHER"},
        {&mysql, "OPTIMIZE LOCAL TABLE t", "OPTIMIZE TABLE OTHER on:t"},
        {&mysql, "ANALYZE TABLE t, u", "ANALYZE TABLE OTHER"},
        {&mysql, "use shop", "USE OTHER"},
        {&maria, "BEGIN NOT ATOMIC SELECT 1; END", "BEGIN NOT ATOMIC OTHER several"},
        {&mysql, "`alter` table t", "- OTHER"},
        {&mysql, "GRANT SELECT ON t TO u", "GRANT OTHER"},
        {&mysql, "", "- EMPTY"},
        {&mysql, "-- x\n/* y */ # z", "- EMPTY"},
        {&mysql, "12", "- OTHER"},
        {&mysql, ";", "- EMPTY"},
    };
    check(cases, ARRAY_LEN(cases));
}

/* ---- cutting -------------------------------------------------------------------------------- */

/* `keep` has a '1' for each action that stays. */
static void check_cut(const MyDialect *dialect, const char *sql, const char *keep, const char *expected)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *text = my_plain(arena, dialect, sql, 0, strlen(sql));
    assert_non_null(text);
    MyStatement statement;
    MyFault fault;
    assert_true(my_parse(arena, dialect, text, (MySpan){0, strlen(text)}, &statement, &fault));
    assert_int_equal(statement.action_count, strlen(keep));
    bool flags[8] = {false};
    for (size_t i = 0; i < statement.action_count; i++)
        flags[i] = keep[i] == '1';
    assert_string_equal(my_alter_with(arena, text, &statement, flags), expected);
}

static void test_cut(void **state UNUSED)
{
    check_cut(&mysql, "ALTER TABLE t ADD a int, DROP b, LOCK=NONE", "110", "ALTER TABLE t ADD a int, DROP b");
    check_cut(&mysql, "ALTER TABLE t ADD a int, DROP b", "01", "ALTER TABLE t DROP b");
    check_cut(&mysql, "ALTER TABLE t ADD a int, DROP b", "00", "ALTER TABLE t");
    check_cut(&mysql, "ALTER TABLE t ENGINE=InnoDB ROW_FORMAT=DYNAMIC", "11",
              "ALTER TABLE t ENGINE=InnoDB, ROW_FORMAT=DYNAMIC");
    check_cut(&mysql, "ALTER TABLE t ADD a int, DROP b PARTITION BY HASH (c)", "101",
              "ALTER TABLE t ADD a int PARTITION BY HASH (c)");
    check_cut(&mysql, "ALTER TABLE t /*!50000 ADD a int, */ ADD b int -- x", "01", "ALTER TABLE t ADD b int");
    check_cut(&maria, "ALTER TABLE t WAIT 3 ADD a int, DROP b;", "01", "ALTER TABLE t WAIT 3 DROP b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns), cmocka_unit_test(test_keys),   cmocka_unit_test(test_table),
        cmocka_unit_test(test_create),  cmocka_unit_test(test_others), cmocka_unit_test(test_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
