/* Code without its literals. */
#include "rehearse/mask.h"

#include "base/str.h"
#include "change/split_pg.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Literals that stand for a name of an object, not for a value. */
static bool is_name_type(const char *type)
{
    static const char *const types[] = {"regclass",      "regtype",     "regproc",      "regprocedure",
                                        "regoper",       "regoperator", "regnamespace", "regconfig",
                                        "regdictionary", "regcollation"};
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (strcasecmp(types[i], type) == 0)
            return true;
    return false;
}

/* A value of the type, whatever it was; NULL: the type is text, or unknown, and takes text. */
static const char *fixed_value(const char *type)
{
    static const struct {
        const char *type, *value;
    } values[] = {{"date", "2000-01-01"},
                  {"timestamp", "2000-01-01 00:00:00"},
                  {"timestamptz", "2000-01-01 00:00:00+00"},
                  {"time", "00:00:00"},
                  {"timetz", "00:00:00+00"},
                  {"interval", "1 day"},
                  {"numeric", "1"},
                  {"integer", "1"},
                  {"bigint", "1"},
                  {"smallint", "1"},
                  {"real", "1"},
                  {"double", "1"},
                  {"money", "1"},
                  {"oid", "1"},
                  {"json", "{}"},
                  {"jsonb", "{}"},
                  {"xml", ""},
                  {"uuid", "00000000-0000-0000-0000-000000000000"},
                  {"inet", "10.0.0.0"},
                  {"cidr", "10.0.0.0/32"},
                  {"macaddr", "00:00:00:00:00:00"},
                  {"bytea", "\\x00"},
                  {"tsvector", ""},
                  {"tsquery", ""},
                  {"point", "(0,0)"},
                  {"box", "(0,0),(0,0)"},
                  {"int4range", "empty"},
                  {"int8range", "empty"},
                  {"numrange", "empty"},
                  {"daterange", "empty"},
                  {"tsrange", "empty"},
                  {"tstzrange", "empty"}};
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        if (strcasecmp(values[i].type, type) == 0)
            return values[i].value;
    return NULL;
}

typedef struct Walk {
    Mask *mask;
    const char *sql;
    size_t end;
    Str out;
} Walk;

static void copy(Walk *walk, size_t from, size_t to) { str_addn(&walk->out, walk->sql + from, to - from); }

/* Words behind the first of a type: "timestamp without time zone". */
static bool word_of_type(const char *sql, const PgLexeme *lexeme)
{
    static const char *const words[] = {"varying", "precision", "without", "with", "time", "zone"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (pg_lexeme_is(sql, lexeme, words[i]))
            return true;
    return false;
}

/* Behind a literal: "::timestamp without time zone", "::public.mood[]". What its last plain word is, and
 * whether it is an array. "" where there is no cast. */
static void cast_of(const Walk *walk, size_t at, char *ret_type, size_t size, bool *ret_array)
{
    ret_type[0] = '\0';
    *ret_array = false;
    if (at + 2 > walk->end || strncmp(walk->sql + at, "::", 2) != 0)
        return;
    at += 2;
    for (bool named = false;;) {
        PgLexeme lexeme = pg_lexeme(walk->sql, at, walk->end);
        bool word = lexeme.kind == PG_LEXEME_WORD || lexeme.kind == PG_LEXEME_QUOTED;
        char symbol = pg_lexeme_symbol(walk->sql, &lexeme);
        if (word && !named) {
            (void)snprintf(ret_type, size, "%.*s", (int)(lexeme.end - lexeme.start),
                           walk->sql + lexeme.start);
            named = true;
        } else if (symbol == '.') {
            named = false;
        } else if (symbol == '[') {
            *ret_array = true;
            return;
        } else if (symbol == '(') { /* a modifier, and an array may be behind it */
            const char *close = memchr(walk->sql + lexeme.end, ')', walk->end - lexeme.end);
            if (close == NULL)
                return;
            at = (size_t)(close - walk->sql) + 1;
            continue;
        } else if (!word_of_type(walk->sql, &lexeme)) {
            return;
        }
        at = lexeme.end;
    }
}

static void add_quoted(Walk *walk, const char *text)
{
    str_add(&walk->out, "'");
    for (; *text != '\0'; text++)
        str_addn(&walk->out, *text == '\'' ? "''" : text, *text == '\'' ? 2 : 1);
    str_add(&walk->out, "'");
}

/* 'it''s' → it's; the backslashes of E'' stay, which is text of the same shape as well. */
static char *unquoted(const Walk *walk, size_t from, size_t to)
{
    CLEANUP(str_donep) Str text = STR_INIT;
    for (size_t i = from; i < to; i++) {
        str_addn(&text, walk->sql + i, 1);
        i += walk->sql[i] == '\'' && i + 1 < to && walk->sql[i + 1] == '\'';
    }
    return str_take(&text);
}

static void add_dollar(Walk *walk, const PgLexeme *lexeme)
{
    const char *open = memchr(walk->sql + lexeme->start + 1, '$', lexeme->end - lexeme->start - 1);
    size_t tag = open == NULL ? 0 : (size_t)(open - (walk->sql + lexeme->start)) + 1;
    if (tag == 0 || lexeme->end - lexeme->start < 2 * tag)
        return; /* not closed: nothing of it is taken over */
    CLEANUP(mem_freep) char *body = mem_dup("");
    size_t len = lexeme->end - lexeme->start - 2 * tag;
    body = mem_resize(body, len + 1);
    memcpy(body, walk->sql + lexeme->start + tag, len);
    body[len] = '\0';
    copy(walk, lexeme->start, lexeme->start + tag);
    str_add(&walk->out, mask_code(walk->mask, body));
    copy(walk, lexeme->end - tag, lexeme->end);
}

static void add_string(Walk *walk, const PgLexeme *lexeme)
{
    if (walk->sql[lexeme->start] == '$') {
        add_dollar(walk, lexeme);
        return;
    }
    char type[80];
    bool array = false;
    const char *quote = memchr(walk->sql + lexeme->start, '\'', lexeme->end - lexeme->start);
    size_t from = quote == NULL ? lexeme->end : (size_t)(quote - walk->sql) + 1;
    size_t to = lexeme->open || lexeme->end <= from ? lexeme->end : lexeme->end - 1;
    char prefix = (char)tolower((unsigned char)walk->sql[lexeme->start]);
    cast_of(walk, lexeme->end, type, sizeof type, &array);
    CLEANUP(mem_freep) char *text = unquoted(walk, from, to);
    if (is_name_type(type)) {
        copy(walk, lexeme->start, lexeme->end);
    } else if (prefix == 'b' || prefix == 'x') { /* bits: as many */
        str_addn(&walk->out, walk->sql + lexeme->start, 1);
        memset(text, '0', strlen(text));
        add_quoted(walk, text);
    } else if (array) {
        add_quoted(walk, "{}");
    } else if (strcasecmp(type, "boolean") == 0 || strcasecmp(type, "bool") == 0) {
        copy(walk, lexeme->start, lexeme->end);
    } else if (fixed_value(type) != NULL) {
        add_quoted(walk, fixed_value(type));
    } else {
        for (char *at = text; prefix == 'e' && *at != '\0'; at++)
            *at = *at == '\\' ? '/' : *at;
        add_quoted(walk, mask_text(walk->mask, text));
    }
}

const char *mask_number(Mask *mask, const char *digits)
{
    size_t len = strlen(digits);
    if (len <= 1 || digits[0] == '$')
        return digits;
    char *other = arena_dup(mask_arena(mask), mask_text(mask, digits));
    for (size_t i = 0; i < len; i++) /* 1.5e3 and 0x1F: letters mean something here */
        other[i] = isdigit((unsigned char)digits[i]) ? other[i] : digits[i];
    if (isdigit((unsigned char)digits[0]) && digits[0] != '0')
        other[0] = digits[0] > '1' ? (char)(digits[0] - 1) : '1';
    return other;
}

static void add_number(Walk *walk, const PgLexeme *lexeme)
{
    CLEANUP(mem_freep) char *digits = unquoted(walk, lexeme->start, lexeme->end);
    str_add(&walk->out, mask_number(walk->mask, digits));
}

/* Up to the parenthesis that closes the one at `at`. */
static size_t past_parentheses(const Walk *walk, size_t at)
{
    int depth = 0;
    for (PgLexeme lexeme = pg_lexeme(walk->sql, at, walk->end); lexeme.kind != PG_LEXEME_END;
         lexeme = pg_lexeme(walk->sql, lexeme.end, walk->end)) {
        char symbol = pg_lexeme_symbol(walk->sql, &lexeme);
        depth += (symbol == '(') - (symbol == ')');
        if (depth == 0 && symbol == ')')
            return lexeme.end;
    }
    return walk->end;
}

char *mask_code(Mask *mask, const char *sql)
{
    Walk walk = {.mask = mask, .sql = sql, .end = strlen(sql), .out = STR_INIT};
    size_t at = 0;
    bool cast = false, begins = false, with = false; /* by the lexeme before */
    for (;;) {
        PgLexeme lexeme = pg_lexeme(sql, at, walk.end);
        copy(&walk, at, lexeme.start); /* white space */
        if (lexeme.kind == PG_LEXEME_END)
            break;
        char symbol = pg_lexeme_symbol(sql, &lexeme);
        if (symbol == '(' && (with || cast)) { /* options of an index, a type's modifiers */
            lexeme.end = past_parentheses(&walk, lexeme.start);
            copy(&walk, lexeme.start, lexeme.end);
        } else if (lexeme.kind == PG_LEXEME_STRING) {
            add_string(&walk, &lexeme);
        } else if (lexeme.kind == PG_LEXEME_NUMBER) {
            add_number(&walk, &lexeme);
        } else if (lexeme.kind == PG_LEXEME_COMMENT) {
            str_add(&walk.out, " ");
        } else if (lexeme.kind != PG_LEXEME_META && lexeme.kind != PG_LEXEME_HOLE) {
            copy(&walk, lexeme.start, lexeme.end);
        } else if (memchr(sql + lexeme.start, '\'', lexeme.end - lexeme.start) == NULL) {
            copy(&walk, lexeme.start, lexeme.end); /* the bounds of a slice */
        }
        bool goes_on = word_of_type(sql, &lexeme);
        bool colons = symbol == ':' && lexeme.start > 0 && sql[lexeme.start - 1] == ':';
        bool word = lexeme.kind == PG_LEXEME_WORD || lexeme.kind == PG_LEXEME_QUOTED;
        cast = colons || (cast && ((word && (begins || goes_on)) || symbol == '.'));
        begins = colons || symbol == '.';
        with = pg_lexeme_is(sql, &lexeme, "with");
        at = lexeme.end;
    }
    char *code = arena_dup(mask_arena(mask), walk.out.buf);
    str_done(&walk.out);
    return code;
}

/* ---- statements ----------------------------------------------------------------------------- */

/* All behind the first `word` as code, what is before it as it is; NULL where the word is not there. */
static char *behind(Mask *mask, const char *sql, const char *word)
{
    const char *at = strstr(sql, word);
    if (at == NULL)
        return NULL;
    at += strlen(word);
    return arena_printf(mask_arena(mask), "%.*s%s", (int)(at - sql), sql, mask_code(mask, at));
}

/* Column types keep their modifiers, so only what generates columns is code. */
static char *table_code(Mask *mask, const char *sql)
{
    static const char word[] = " GENERATED ALWAYS AS ";
    Walk walk = {.mask = mask, .sql = sql, .end = strlen(sql), .out = STR_INIT};
    size_t at = 0;
    for (const char *next; (next = strstr(sql + at, word)) != NULL;) {
        size_t from = (size_t)(next - sql) + strlen(word);
        copy(&walk, at, from);
        at = from;
        if (sql[from] != '(')
            continue; /* a name that reads like it */
        at = past_parentheses(&walk, from);
        CLEANUP(mem_freep) char *code = mem_dup(sql + from);
        code[at - from] = '\0';
        str_add(&walk.out, mask_code(mask, code));
    }
    copy(&walk, at, walk.end);
    char *masked = arena_dup(mask_arena(mask), walk.out.buf);
    str_done(&walk.out);
    return masked;
}

char *mask_statement(Mask *mask, const char *part, const char *what, const char *sql)
{
    char *same = arena_dup(mask_arena(mask), sql);
    if (strstr(sql, " OWNER TO ") != NULL || strstr(sql, " ATTACH PARTITION ") != NULL ||
        str_starts(sql, "CREATE POLICY "))
        return NULL; /* names of people, values of a key */
    if (str_eq(part, "table"))
        return table_code(mask, sql);
    if (str_eq(part, "default")) {
        char *masked = behind(mask, sql, " SET DEFAULT ");
        return masked != NULL ? masked : same;
    }
    if (str_eq(part, "index") && str_starts(sql, "ALTER INDEX "))
        return same;
    if (!str_eq(part, "before"))
        return mask_code(mask, sql);
    if (str_starts(what, "domain ")) {
        char *masked = behind(mask, sql, " DEFAULT ");
        return masked != NULL ? masked : same;
    }
    bool code = str_starts(what, "type ") || str_starts(what, "function ") || str_starts(what, "aggregate ");
    return code ? mask_code(mask, sql) : same;
}

void mask_words(const char *sql, json_t *words)
{
    size_t end = strlen(sql);
    for (PgLexeme lexeme = pg_lexeme(sql, 0, end); lexeme.kind != PG_LEXEME_END;
         lexeme = pg_lexeme(sql, lexeme.end, end)) {
        if (lexeme.kind != PG_LEXEME_STRING || sql[lexeme.start] != '\'' || lexeme.end - lexeme.start < 2)
            continue;
        CLEANUP(str_donep) Str word = STR_INIT;
        for (size_t i = lexeme.start + 1; i + 1 < lexeme.end; i++) {
            str_addn(&word, sql + i, 1);
            i += sql[i] == '\'' && sql[i + 1] == '\'';
        }
        (void)json_object_set_new(words, word.buf, json_true());
    }
}
