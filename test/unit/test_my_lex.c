/* Tokens and statements of MySQL and MariaDB: each case is a text and what must come of it. */
#include "base/str.h"
#include "change/split_my.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const MyDialect mysql = {.version = 80034};
static const MyDialect mysql9 = {.version = 90100};
static const MyDialect mysql57 = {.version = 50744};
static const MyDialect maria = {.mariadb = true, .version = 101119};
static const MyDialect ansi = {.version = 80034, .ansi_quotes = true};
static const MyDialect plain = {.version = 80034, .no_backslash_escapes = true};

typedef struct Case {
    const MyDialect *dialect;
    const char *sql;
    const char *expected;
} Case;

static void check(const Case *cases, size_t count, char *show(Arena *arena, const Case *one))
{
    size_t failed = 0;
    for (size_t i = 0; i < count; i++) {
        CLEANUP(arena_freep) Arena *arena = arena_new();
        char *shown = show(arena, &cases[i]);
        if (strcmp(shown, cases[i].expected) != 0) {
            print_error("case %zu\n  sql      %s\n  expected %s\n  is       %s\n", i, cases[i].sql,
                        cases[i].expected, shown);
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

/* ---- tokens --------------------------------------------------------------------------------- */

static char *show_tokens(Arena *arena, const Case *one)
{
    static const char letters[] = "ewqsnvoc!";
    MyFault fault;
    MyTokens tokens = my_lex(arena, one->dialect, one->sql, 0, strlen(one->sql), &fault);
    CLEANUP(str_donep) Str str = STR_INIT;
    for (size_t i = 0; i < tokens.len; i++) {
        const MyToken *token = &tokens.items[i];
        str_sep(&str, " ");
        str_addf(&str, "%c%s<%.*s>", letters[token->kind], token->member ? "." : "",
                 (int)(token->end - token->start), one->sql + token->start);
    }
    if (fault.message != NULL) {
        str_sep(&str, " ");
        str_addf(&str, "FAULT %zu", fault.offset);
    }
    return arena_dup(arena, str.buf);
}

static void test_tokens(void **state UNUSED)
{
    static const Case cases[] = {
        /* names */
        {&mysql, "a$b _x $y é 名", "w<a$b> w<_x> w<$y> w<é> w<名>"},
        {&mysql, "1abc 0X1F 1e 12_ 0xg 0b2 0x 0b", "w<1abc> w<0X1F> w<1e> w<12_> w<0xg> w<0b2> w<0x> w<0b>"},
        {&mysql, "0x1F 0b01 1e5 1E+5 1e-5 1e5a 1e+",
         "n<0x1F> n<0b01> n<1e5> n<1E+5> n<1e-5> n<1e5> w<a> w<1e> o<+>"},
        {&mysql, "1 1.5 .5 1. 1.5e3 1.e3 1.5abc -5 +.5",
         "n<1> n<1.5> n<.5> n<1.> n<1.5e3> n<1.e3> n<1.5> w<abc> o<-> n<5> o<+> n<.5>"},
        {&mysql, "t.1abc t.1 t.1e5 `t`.a t.`1`",
         "w<t> o<.> w.<1abc> w<t> o<.> w.<1> w<t> o<.> w.<1e5> q<`t`> o<.> w.<a> w<t> o<.> q.<`1`>"},
        {&mysql, "t.select t. select t .select a.b.from",
         "w<t> o<.> w.<select> w<t> o<.> w<select> w<t> o<.> w.<select> w<a> o<.> w.<b> o<.> w.<from>"},
        {&mysql, "`a``b` `` `a'b` `a\\`", "q<`a``b`> q<``> q<`a'b`> q<`a\\`>"},
        {&mysql, "`a", "FAULT 0"},
        {&mysql, "`a``", "FAULT 0"},
        {&mysql, "\"a\"\"b\" 'c''d'", "s<\"a\"\"b\"> s<'c''d'>"},
        {&ansi, "\"a\"\"b\" \"c\\\" 'd\\''", "q<\"a\"\"b\"> q<\"c\\\"> s<'d\\''>"},
        {&ansi, "\"a", "FAULT 0"},
        /* strings */
        {&mysql, "'a\\'b' 'c\\\\' 'd'", "s<'a\\'b'> s<'c\\\\'> s<'d'>"},
        {&mysql, "'a\\'", "FAULT 0"},
        {&plain, "'a\\' 'b'", "s<'a\\'> s<'b'>"},
        {&plain, "\"a\\\" 'b'", "s<\"a\\\"> s<'b'>"},
        {&mysql, "'a' 'b' \"c\"", "s<'a'> s<'b'> s<\"c\">"},
        {&mysql, "_utf8mb4'x' _latin1 'y' N'z' n'z' N 'z'",
         "w<_utf8mb4> s<'x'> w<_latin1> s<'y'> s<N'z'> s<n'z'> w<N> s<'z'>"},
        {&mysql, "x'4F' X'' b'01' B'1' x 'a'", "s<x'4F'> s<X''> s<b'01'> s<B'1'> w<x> s<'a'>"},
        {&mysql, "x'4g'", "FAULT 0"},
        {&mysql, "b'2'", "FAULT 0"},
        {&mysql, "'a\nb;c--d/*e'", "s<'a\nb;c--d/*e'>"},
        {&mysql, "'abc", "FAULT 0"},
        {&mysql, "'abc\\", "FAULT 0"},
        {&mysql, "1 'abc''", "n<1> FAULT 2"},
        /* "0xBF5C" is one character of gbk: to utf8mb4 and latin1 the backslash escapes the quote */
        {&mysql, "'\xbf\\' 1'", "s<'\277\\' 1'>"},
        {&mysql, "'\xe8\xa1\xa8' `\xe8\xa1\xa8` \xe8\xa1\xa8", "s<'表'> q<`表`> w<表>"},
        {&mysql, "caf\xe9 '\xe9\xff'", "w<caf\351> s<'\351\377'>"},
        /* variables and accounts */
        {&mysql, "@a @`b c` @'d' @\"e\" @f.g @", "v<@a> v<@`b c`> v<@'d'> v<@\"e\"> v<@f.g> v<@>"},
        {&mysql, "@@global.x @@session.sql_mode @@`y` @@x.`z`",
         "v<@@global.x> v<@@session.sql_mode> v<@@`y`> v<@@x.`z`>"},
        {&mysql, "`root`@`localhost` 'u'@'%' u@host.example",
         "q<`root`> v<@`localhost`> s<'u'> v<@'%'> w<u> v<@host.example>"},
        {&mysql, "@a:=1, @b :=2", "v<@a> o<:=> n<1> o<,> v<@b> o<:=> n<2>"},
        {&mysql, "@'a", "FAULT 0"},
        /* operators */
        {&mysql, "a<=>b<=c>=d<>e!=f<<g>>h||i&&j",
         "w<a> o<<=>> w<b> o<<=> w<c> o<>=> w<d> o<<>> w<e> o<!=> w<f> o<<<> w<g> o<>>> w<h> o<||> w<i> "
         "o<&&> w<j>"},
        {&mysql, "a->'$.b' a->>'$.c' a-b a - >b",
         "w<a> o<->> s<'$.b'> w<a> o<->>> s<'$.c'> w<a> o<-> w<b> w<a> o<-> o<>> w<b>"},
        {&mysql, "(a,b);{?}[~^%&|!]",
         "o<(> w<a> o<,> w<b> o<)> o<;> o<{> o<?> o<}> o<[> o<~> o<^> o<%> o<&> o<|> o<!> o<]>"},
        {&mysql, "\\N", "o<\\N>"},
        {&mysql, "a \\G", "w<a> FAULT 2"},
        {&mysql, "a \x01", "w<a> FAULT 2"},
        /* comments */
        {&mysql, "1 --5", "n<1> o<-> o<-> n<5>"},
        {&mysql, "1 -- 5\n2", "n<1> c<-- 5> n<2>"},
        {&mysql, "1 --\t5\n2", "n<1> c<--\t5> n<2>"},
        {&mysql, "1 --\n2", "n<1> c<--> n<2>"},
        {&mysql, "1 --\x01 5\n2", "n<1> c<--\001 5> n<2>"},
        {&mysql, "1 --", "n<1> c<-->"},
        {&mysql, "1 -- x\r2\n3", "n<1> c<-- x\r2> n<3>"},
        {&mysql, "1 # '\n2 #", "n<1> c<# '> n<2> c<#>"},
        {&mysql, "a/*b*/c /**/ /***/ /*/*/ d", "w<a> c</*b*/> w<c> c</**/> c</***/> c</*/*/> w<d>"},
        {&mysql, "a /* b /* c */ d", "w<a> c</* b /* c */> w<d>"},
        {&mysql, "a /* b", "w<a> FAULT 2"},
        {&mysql, "a /*/", "w<a> FAULT 2"},
        {&mysql, "2*/3", "n<2> o<*> o</> n<3>"},
        {&mysql, "SELECT /*+ NO_INDEX(t) */ 1", "w<SELECT> c</*+ NO_INDEX(t) */> n<1>"},
        /* executable comments */
        {&mysql, "a /*!b*/ c", "w<a> !</*!> w<b> !<*/> w<c>"},
        {&mysql, "a /*!50110 b*/ c", "w<a> !</*!50110> w<b> !<*/> w<c>"},
        {&mysql, "a /*!50110b*/ c", "w<a> !</*!50110> w<b> !<*/> w<c>"},
        {&mysql, "a /*!99999 b 'c*/ d", "w<a> c</*!99999 b 'c*/> w<d>"},
        {&mysql, "a /*!1234 b*/ c", "w<a> !</*!> n<1234> w<b> !<*/> w<c>"},
        {&mysql57, "a /*!80000 b*/ c", "w<a> c</*!80000 b*/> w<c>"},
        {&mysql, "a /*!80034 b*/ /*!80035 c*/", "w<a> !</*!80034> w<b> !<*/> c</*!80035 c*/>"},
        {&mysql, "a /*!080034 b*/", "w<a> !</*!08003> n<4> w<b> !<*/>"},
        {&mysql9, "a /*!080034 b*/ /*!100000 c*/ /*!100000c*/",
         "w<a> !</*!080034> w<b> !<*/> c</*!100000 c*/> !</*!10000> w<0c> !<*/>"},
        {&mysql, "a /*!50000 b /* c */ d /* e */ f */ g",
         "w<a> !</*!50000> w<b> c</* c */> w<d> c</* e */> w<f> !<*/> w<g>"},
        {&mysql, "a /*!99999 b /* c */ d */ e", "w<a> c</*!99999 b /* c */ d */> w<e>"},
        {&mysql, "a /*!50000 b /*!50000 c */ d", "w<a> !</*!50000> w<b> !</*!50000> w<c> !<*/> w<d>"},
        {&mysql, "a /*!50000 b /*!50000 c */ d */ e",
         "w<a> !</*!50000> w<b> !</*!50000> w<c> !<*/> w<d> o<*> o</> w<e>"},
        {&mysql, "a /*!50000 b -- c */\n d */ e", "w<a> !</*!50000> w<b> c<-- c */> w<d> !<*/> w<e>"},
        {&mysql, "a /*!50000 'b*/' */ e", "w<a> !</*!50000> s<'b*/'> !<*/> w<e>"},
        {&mysql, "a /*!50000 b", "w<a> !</*!50000> w<b> FAULT 2"},
        {&mysql, "a /*!", "w<a> !</*!> FAULT 2"},
        {&mysql, "a /*M! b*/ c", "w<a> c</*M! b*/> w<c>"},
        {&maria, "a /*M! b*/ c /*m! d*/", "w<a> !</*M!> w<b> !<*/> w<c> c</*m! d*/>"},
        {&maria, "a /*M!100100 b*/ /*M!110000 c*/", "w<a> !</*M!100100> w<b> !<*/> c</*M!110000 c*/>"},
        {&maria, "a /*M!101100+1*/ /*!101100 b*/ /*!50600 c*/",
         "w<a> !</*M!101100> o<+> n<1> !<*/> !</*!101100> w<b> !<*/> !</*!50600> w<c> !<*/>"},
        {&maria, "a /*!50700 b*/ /*!80000 c*/ /*!99999 d*/ /*M!80000 e*/",
         "w<a> c</*!50700 b*/> c</*!80000 c*/> c</*!99999 d*/> !</*M!80000> w<e> !<*/>"},
        {&maria, "a /*!!50000 b*/", "w<a> FAULT 2"},
        {&maria, "a /*M!!50000 b*/", "w<a> FAULT 2"},
        {&mysql, "6/*!50000 *2*/", "n<6> !</*!50000> o<*> n<2> !<*/>"},
        /* dollar quotes */
        {&mysql9, "AS $$ a'; b $$ x", "w<AS> s<$$ a'; b $$> w<x>"},
        {&mysql9, "AS $js$ $$ $js$", "w<AS> s<$js$ $$ $js$>"},
        {&mysql9, "AS $js$ a", "w<AS> FAULT 3"},
        {&mysql, "$$ a$b $js$", "w<$$> w<a$b> w<$js$>"},
        {&mysql9, "a$b$c t.$$", "w<a$b$c> w<t> o<.> w.<$$>"},
        {&mysql, "", ""},
        {&mysql, " \t\r\n\f\v", ""},
    };
    check(cases, ARRAY_LEN(cases), show_tokens);
}

/* ---- the same text without comments --------------------------------------------------------- */

static char *show_plain(Arena *arena, const Case *one)
{
    const char *text = my_plain(arena, one->dialect, one->sql, 0, strlen(one->sql));
    return arena_dup(arena, text == NULL ? "NULL" : text);
}

static void test_plain(void **state UNUSED)
{
    static const Case cases[] = {
        {&mysql, "a /* b */ c -- d", "a         c     "},
        {&mysql, "a/*b\nc*/d#e\nf", "a   \n   d  \nf"},
        {&mysql, "a /*!50000 b, */ c /*!99999 d */", "a          b,    c              "},
        {&maria, "a /*!80000 b, */ c /*M! d */", "a                c      d   "},
        {&mysql, "SELECT /*+ x */ 1 /* y */", "SELECT /*+ x */ 1        "},
        {&mysql, "'/* a */' `-- b`", "'/* a */' `-- b`"},
        {&mysql, "a /* b", "NULL"},
        {&mysql, "1 --/* x */5", "NULL"},
        {&mysql, "1 - -/* x */5", "1 - -       5"},
    };
    check(cases, ARRAY_LEN(cases), show_plain);
}

static void test_nul_bytes(void **state UNUSED)
{
    static const struct {
        const char *text;
        size_t len, offset;
    } cases[] = {{"a\0b", 3, 1}, {"`a\0b`", 5, 0}, {"-- a\0b", 6, 0}, {"a @`b\0`", 7, 2}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_freep) Arena *arena = arena_new();
        MyFault fault;
        my_lex(arena, &mysql, cases[i].text, 0, cases[i].len, &fault);
        assert_non_null(fault.message);
        assert_int_equal(fault.offset, cases[i].offset);
    }
    CLEANUP(arena_freep) Arena *arena = arena_new();
    MyFault fault;
    MyTokens tokens = my_lex(arena, &mysql, "'a\0b' c", 0, 7, &fault);
    assert_null(fault.message);
    assert_int_equal(tokens.len, 2);
}

static void test_names(void **state UNUSED)
{
    static const struct {
        const char *token, *name;
    } cases[] = {{"`a``b`", "a`b"}, {"``", ""},       {"abc", "abc"}, {"'a''b'", "a'b"}, {"\"x\"", "x"},
                 {"1abc", "1abc"},  {"`a\\`", "a\\"}, {"12", NULL},   {"@x", NULL},      {"N'x'", NULL}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_freep) Arena *arena = arena_new();
        MyFault fault;
        MyTokens tokens = my_lex(arena, &mysql, cases[i].token, 0, strlen(cases[i].token), &fault);
        assert_int_equal(tokens.len, 1);
        const char *name = my_token_name(arena, cases[i].token, &tokens.items[0]);
        if (cases[i].name == NULL)
            assert_null(name);
        else
            assert_string_equal(name, cases[i].name);
    }
}

/* ---- statements ----------------------------------------------------------------------------- */

static char *show_split(Arena *arena, const Case *one)
{
    MySplit split = my_split(arena, one->dialect, one->sql, strlen(one->sql));
    CLEANUP(str_donep) Str str = STR_INIT;
    for (size_t i = 0; i < split.pieces.len; i++) {
        const MyPiece *piece = &split.pieces.items[i];
        str_addf(&str, "%s%d%s<%.*s>", i == 0 ? "" : " ", piece->line, piece->cut ? " cut" : "",
                 (int)(piece->span.end - piece->span.start), one->sql + piece->span.start);
    }
    for (size_t i = 0; i < split.notes.len; i++) {
        const MyNote *note = &split.notes.items[i];
        str_addf(&str, " note %d@%zu<%.*s>", note->line, note->piece,
                 (int)(note->span.end - note->span.start), one->sql + note->span.start);
    }
    for (size_t i = 0; i < split.faults.len; i++)
        str_addf(&str, " FAULT %zu", split.faults.items[i].offset);
    return arena_dup(arena, str.buf);
}

static void test_split(void **state UNUSED)
{
    static const Case cases[] = {
        {&mysql, "", ""},
        {&mysql, "a; b ;\n c", "1<a> 1<b> 2<c>"},
        {&mysql, ";; a;; -- x\n;", "1<a>"},
        {&mysql, "a ';' `;` \";\" /* ; */ -- ;\n# ;\n;b", "1<a ';' `;` \";\"> 3<b>"},
        {&mysql, "select 'a\\';b'; c", "1<select 'a\\';b'> 1<c>"},
        {&plain, "select 'a\\';b", "1<select 'a\\'> 1<b>"},
        {&mysql, "select `a\\`; b", "1<select `a\\`> 1<b>"},
        {&ansi, "select \"a\\\"; b", "1<select \"a\\\"> 1<b>"},
        {&mysql, "a --;b\n;c", "1<a --> 1<b> 2<c>"},
        {&mysql, "a -- ;b\n;c", "1<a> 2<c>"},
        {&mysql, "--a;b\nc --d;e", "2<c --d> 2<e>"},
        {&mysql, "a --\n;c", "1<a> 2<c>"},
        /* inside of an executable comment the client cuts, and so do we */
        {&maria, "select 2 /*! ; */; b", "1<select 2 /*!> 1<*/> 1<b>"},
        {&maria, "select 2 /*M! ; */", "1<select 2 /*M!> 1<*/>"},
        {&mysql, "select 2 /*M! ; */", "1<select 2>"},
        {&mysql, "/*!40101 SET NAMES utf8 */; a", "1</*!40101 SET NAMES utf8 */> 1<a>"},
        /* DELIMITER */
        {&mysql, "delimiter //\na; b//\nc //\ndelimiter ;\nd; e", "2<a; b> 3<c> 5<d> 5<e>"},
        {&mysql, "DELIMITER $$ foo\nselect 1 as a$$select 2$$\n  delimiter ;\nselect 3;",
         "2<select 1 as a> 2<select 2> 4<select 3>"},
        {&mysql, "delimiter\t//\r\na;b//\r\nDelimiter ;\r\nc;", "2<a;b> 4<c>"},
        {&mysql, "delimiter \"x y\"\nselect 1x y\n", "2<select 1>"},
        {&mysql, "DELIMITER;\na;", "2<a> FAULT 0"},
        {&mysql, "DELIMITER\na;", "2<a> FAULT 0"},
        {&mysql, "DELIMITER \\\\\na;", "2<a> FAULT 10"},
        {&mysql, "DELIMITER 0123456789abcdef\na;", "2<a> FAULT 10"},
        {&mysql, "-- x\n/* y */\ndelimiter //\na;b//", "4<a;b>"},
        {&mysql, "select 1 as delimiter ;\nselect 2;", "1<select 1 as delimiter> 2<select 2>"},
        {&mysql, "create table t (a int,\n  delimiter int);", "1<create table t (a int,\n  delimiter int)>"},
        {&mysql, "a\ndelimiter //\nb//", "1<a> 3<b> FAULT 2"},
        {&mysql, "/* delimiter // */ a; b;", "1<a> 1<b>"},
        {&mysql, "select xdelimiter //\n;b", "1<select xdelimiter //> 2<b>"},
        {&mysql9, "DELIMITER $$\na $$ b $$ c", "2<a> 2<b> 2<c>"},
        /* commands of the client */
        {&mysql, "use shop\nalter table t force;", "1<use shop> 2<alter table t force>"},
        {&mysql, "use shop; a;", "1<use shop> 1<a>"},
        {&mysql, "a\nuse d\n;b", "1<a\nuse d> 3<b>"},
        {&mysql, "source x.sql\na;", "2<a> FAULT 0"},
        {&mysql, "quit\na;", "2<a> FAULT 0"},
        {&mysql, "help me\n", " FAULT 0"},
        {&mysql, "status of\n;", "1<status of>"},
        {&mysql, "select 1\\gselect 2\\G select 3;", "1<select 1> 1<select 2> 1<select 3> FAULT 8 FAULT 18"},
        {&mysql, "select \\N;", "1<select \\N>"},
        {&mysql, "a \\x b;", "1<a \\x b> FAULT 2"},
        /* what does not end */
        {&mysql, "a; b 'c; d", "1<a> FAULT 5"},
        {&mysql, "a; b /* c; d", "1<a> FAULT 5"},
        {&mysql, "a; `b; c", "1<a> FAULT 3"},
        {&mysql9, "a; f $$ b; c", "1<a> FAULT 5"},
        {&mysql9, "create function f() as $$ a; b; $$; c;", "1<create function f() as $$ a; b; $$> 1<c>"},
        /* Stoa's words */
        {&mysql, "-- stoa: name x\na;\n# stoa: owner y\n/* stoa: backfill t.c = 1;\n */ b; -- stoa: z",
         "2<a> 5<b> note 1@0<name x> note 3@1<owner y> note 4@1<backfill t.c = 1;> note 5@2<z>"},
        {&mysql, "a -- stoa: name x\n, b; c", "1<a -- stoa: name x\n, b> 2<c> note 1@0<name x>"},
        {&mysql, "--stoa: name x\na;", "2<a> note 1@0<name x> FAULT 0"},
        {&mysql, "-- stoa\n--  stoa:\n-- xstoa: y\na;'-- stoa: z'", "4<a> 4<'-- stoa: z'> note 2@0<>"},
        {&mysql, "/*! -- stoa: name x\n a */;", "1</*! -- stoa: name x\n a */> note 1@0<name x>"},
    };
    check(cases, ARRAY_LEN(cases), show_split);
}

static void test_bodies(void **state UNUSED)
{
    static const Case cases[] = {
        {&mysql, "create procedure p() begin select 1; end;\na;",
         "1 cut<create procedure p() begin select 1> 1 cut<end> 2<a> FAULT 0"},
        {&mysql, "delimiter //\ncreate procedure p() begin select 1; end//\ndelimiter ;\na;",
         "2<create procedure p() begin select 1; end> 4<a>"},
        {&mysql, "create trigger t before insert on x for each row set new.a = 1; b;",
         "1<create trigger t before insert on x for each row set new.a = 1> 1<b>"},
        {&mysql,
         "create definer=`a`@`b` trigger t before insert on x for each row if new.a > 1 then set "
         "new.a = 1; end if;",
         "1 cut<create definer=`a`@`b` trigger t before insert on x for each row if new.a > 1 then set new.a "
         "= 1> 1 cut<end if> FAULT 0"},
        {&mysql, "create procedure if not exists p() select if(1,2,3); b;",
         "1<create procedure if not exists p() select if(1,2,3)> 1<b>"},
        {&mysql, "create procedure p() select case when 1 then 2 end; b;",
         "1<create procedure p() select case when 1 then 2 end> 1<b>"},
        {&mysql, "create event e on schedule every 1 day ends now() do begin delete from t; end;",
         "1 cut<create event e on schedule every 1 day ends now() do begin delete from t> 1 cut<end> FAULT "
         "0"},
        {&mysql, "alter event e do begin end; a", "1<alter event e do begin end> 1<a>"},
        {&maria, "begin not atomic select 1; end; b;",
         "1 cut<begin not atomic select 1> 1 cut<end> 1<b> FAULT 0"},
        {&mysql, "begin; a; commit;", "1<begin> 1<a> 1<commit>"},
        {&maria, "create or replace function f() returns int return repeat('a', 3); b",
         "1<create or replace function f() returns int return repeat('a', 3)> 1<b>"},
        {&maria, "if 1 then select 1; end if;", "1 cut<if 1 then select 1> 1 cut<end if> FAULT 0"},
        {&maria, "x: loop select 1; end loop;", "1 cut<x: loop select 1> 1 cut<end loop> FAULT 0"},
        {&mysql, "end; a;", "1 cut<end> 1<a> FAULT 0"},
        {&mysql, "create table begin (a int); create view v as select case 1 when 1 then 2 end;",
         "1<create table begin (a int)> 1<create view v as select case 1 when 1 then 2 end>"},
        {&maria, "for i in 1..3 do select i; end for;",
         "1 cut<for i in 1..3 do select i> 1 cut<end for> FAULT 0"},
        {&mysql, "create procedure p() begin declare c cursor for select 1; end;",
         "1 cut<create procedure p() begin declare c cursor for select 1> 1 cut<end> FAULT 0"},
    };
    check(cases, ARRAY_LEN(cases), show_split);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens), cmocka_unit_test(test_plain), cmocka_unit_test(test_nul_bytes),
        cmocka_unit_test(test_names),  cmocka_unit_test(test_split), cmocka_unit_test(test_bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
