/* What a logged statement did to the source. */
#include "engine/mysql/capture_parts.h"

#include "base/str.h"
#include "engine/mysql/comment.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

typedef enum TokenKind { TOKEN_END, TOKEN_WORD, TOKEN_NAME, TOKEN_OTHER } TokenKind;

/* TOKEN_NAME is a quoted name, TOKEN_WORD a keyword or a bare name. */
typedef struct Token {
    TokenKind kind;
    const char *at;
    size_t len;
    char quote; /* of a name */
} Token;

typedef struct Reader {
    const char *at;
    const ShadowSpec *spec;
    const char *database;
    bool any_case;
} Reader;

static bool is_word_byte(char byte)
{
    return isalnum((unsigned char)byte) || byte == '_' || byte == '$' || byte < 0;
}

/* Comments go; of an executable one only its brackets. */
static const char *skip_noise(const char *at)
{
    for (;;) {
        if (isspace((unsigned char)*at)) {
            at++;
        } else if (*at == '#' || (str_starts(at, "--") && (at[2] == '\0' || isspace((unsigned char)at[2])))) {
            at += strcspn(at, "\n");
        } else if (str_starts(at, "/*!") || str_starts(at, "/*M!")) {
            at += strcspn(at, "!") + 1;
            at += strspn(at, "0123456789");
        } else if (str_starts(at, "*/")) {
            at += 2;
        } else if (str_starts(at, "/*")) {
            const char *end = strstr(at + 2, "*/");
            at = end == NULL ? at + strlen(at) : end + 2;
        } else {
            return at;
        }
    }
}

/* Behind the closing quote; a doubled one, and in strings an escaped one, is none. */
static const char *skip_quoted(const char *at)
{
    char quote = *at++;
    for (; *at != '\0'; at++) {
        if (*at == '\\' && quote != '`' && at[1] != '\0')
            at++;
        else if (*at == quote && at[1] == quote)
            at++;
        else if (*at == quote)
            return at + 1;
    }
    return at;
}

static Token next_token(Reader *reader)
{
    const char *at = skip_noise(reader->at), *end = at;
    Token token = {.at = at};
    if (*at == '\0') {
        token.kind = TOKEN_END;
    } else if (*at == '`' || *at == '"') {
        end = skip_quoted(at);
        token = (Token){.kind = TOKEN_NAME, .at = at + 1, .quote = *at};
        token.len = end > at + 1 ? (size_t)(end - at) - 2 : 0;
    } else if (*at == '\'') {
        end = skip_quoted(at);
        token.kind = TOKEN_OTHER;
    } else if (is_word_byte(*at)) {
        while (is_word_byte(*end))
            end++;
        token = (Token){.kind = TOKEN_WORD, .at = at, .len = (size_t)(end - at)};
    } else {
        end = at + 1;
        token = (Token){.kind = TOKEN_OTHER, .at = at, .len = 1};
    }
    reader->at = end;
    return token;
}

static Token peek(const Reader *reader)
{
    Reader copy = *reader;
    return next_token(&copy);
}

static bool is_word(const Token *token, const char *word)
{
    return token->kind == TOKEN_WORD && strlen(word) == token->len &&
           strncasecmp(token->at, word, token->len) == 0;
}

static bool is_sign(const Token *token, char sign)
{
    return token->kind == TOKEN_OTHER && token->len == 1 && *token->at == sign;
}

/* Takes the next word where it is this one. */
static bool take(Reader *reader, const char *word)
{
    Token token = peek(reader);
    if (!is_word(&token, word))
        return false;
    (void)next_token(reader);
    return true;
}

static void take_any(Reader *reader, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (take(reader, words[i]))
            i = (size_t)-1; /* from the first one again */
}

static bool token_is(const Token *token, const char *name, bool any_case)
{
    const char *at = token->at, *end = token->at + token->len;
    for (; at < end && *name != '\0'; at++, name++) {
        if (token->quote != 0 && *at == token->quote)
            at++; /* doubled */
        if (any_case ? tolower((unsigned char)*at) != tolower((unsigned char)*name) : *at != *name)
            return false;
    }
    return at == end && *name == '\0';
}

typedef struct TableName {
    Token schema, name; /* schema.kind TOKEN_END: the default database */
} TableName;

static bool take_name(Reader *reader, TableName *ret_name)
{
    Token token = next_token(reader);
    if (token.kind != TOKEN_NAME && token.kind != TOKEN_WORD)
        return false;
    *ret_name = (TableName){.name = token};
    Token dot = peek(reader);
    if (is_sign(&dot, '.')) {
        (void)next_token(reader);
        ret_name->schema = token;
        ret_name->name = next_token(reader);
    }
    return true;
}

static bool is_table(const Reader *reader, const TableName *name, const char *table)
{
    if (table == NULL || !token_is(&name->name, table, reader->any_case))
        return false;
    if (name->schema.kind != TOKEN_END)
        return token_is(&name->schema, reader->spec->schema, reader->any_case);
    return reader->any_case ? strcasecmp(reader->database, reader->spec->schema) == 0
                            : str_eq(reader->database, reader->spec->schema);
}

static bool is_source(const Reader *reader, const TableName *name)
{
    return is_table(reader, name, reader->spec->source);
}

static bool is_ours(const Reader *reader, const TableName *name)
{
    const ShadowSpec *spec = reader->spec;
    return is_table(reader, name, spec->shadow) || is_table(reader, name, spec->old) ||
           is_table(reader, name, spec->sentry);
}

/* Names up to the statement's end: whether the source is among them, and whether others than our own are. */
static void read_list(Reader *reader, bool *ret_source, bool *ret_others)
{
    for (;;) {
        Token token = peek(reader);
        TableName name;
        if (token.kind == TOKEN_END)
            return;
        if (is_word(&token, "TO") || is_word(&token, "NOWAIT") || is_word(&token, "RESTRICT") ||
            is_word(&token, "CASCADE") || token.kind == TOKEN_OTHER) {
            (void)next_token(reader);
        } else if (is_word(&token, "WAIT")) {
            (void)next_token(reader);
            (void)next_token(reader);
        } else if (take_name(reader, &name)) {
            *ret_source = *ret_source || is_source(reader, &name);
            *ret_others = *ret_others || !(is_source(reader, &name) || is_ours(reader, &name));
        }
    }
}

/* "… INDEX name … ON table": behind the word INDEX. */
static DdlKind judge_index(Reader *reader)
{
    TableName name;
    for (Token token = next_token(reader); token.kind != TOKEN_END; token = next_token(reader))
        if (is_word(&token, "ON"))
            return take_name(reader, &name) && is_source(reader, &name) ? DDL_ALTERED : DDL_NONE;
    return DDL_NONE;
}

static void skip_if(Reader *reader)
{
    static const char *const words[] = {"IF", "NOT", "EXISTS"};
    take_any(reader, words, ARRAY_LEN(words));
}

static DdlKind judge_drop(Reader *reader)
{
    bool has_source = false, has_others = false;
    TableName name;
    static const char *const modes[] = {"ONLINE", "OFFLINE"};
    take_any(reader, modes, ARRAY_LEN(modes));
    if (take(reader, "INDEX"))
        return judge_index(reader);
    if (take(reader, "DATABASE") || take(reader, "SCHEMA")) {
        skip_if(reader);
        return take_name(reader, &name) && token_is(&name.name, reader->spec->schema, reader->any_case)
                   ? DDL_ALTERED
                   : DDL_NONE;
    }
    if (!take(reader, "TABLE") && !take(reader, "TABLES"))
        return DDL_NONE;
    skip_if(reader);
    read_list(reader, &has_source, &has_others);
    return has_source ? DDL_ALTERED : DDL_NONE;
}

/* The table of a foreign key that another table is given. Without a database it is of that one's own. */
static bool refers_to_source(Reader *reader)
{
    TableName name;
    if (!take_name(reader, &name) || !token_is(&name.name, reader->spec->source, reader->any_case))
        return false;
    return name.schema.kind == TOKEN_END || is_source(reader, &name);
}

/* Triggers of changes: stoa_<number>_…, and <table>__stoa_fill_…, which may be cut to <table>~stoa_fill_…. */
static bool is_own_trigger(const Token *name)
{
    static const char *const marks[] = {"__stoa_", "~stoa_"};
    if (name->len > 5 && strncasecmp(name->at, "stoa_", 5) == 0)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(marks); i++)
        if (memmem(name->at, name->len, marks[i], strlen(marks[i])) != NULL)
            return true;
    return false;
}

/* A trigger goes with the old table. Behind the word TRIGGER. */
static DdlKind judge_trigger(Reader *reader)
{
    TableName name;
    skip_if(reader);
    if (!take_name(reader, &name) || is_own_trigger(&name.name))
        return DDL_NONE;
    for (Token token = next_token(reader); token.kind != TOKEN_END; token = next_token(reader))
        if (is_word(&token, "ON"))
            return take_name(reader, &name) && is_source(reader, &name) ? DDL_ALTERED : DDL_NONE;
    return DDL_NONE;
}

/* "DEFINER = user@host", or a role, up to the word behind it. */
static void skip_definer(Reader *reader)
{
    static const char *const kinds[] = {"TRIGGER", "FUNCTION", "PROCEDURE", "EVENT",
                                        "VIEW",    "SQL",      "AGGREGATE"};
    if (!take(reader, "DEFINER"))
        return;
    for (Token token = peek(reader); token.kind != TOKEN_END; token = peek(reader)) {
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
            if (is_word(&token, kinds[i]))
                return;
        (void)next_token(reader);
    }
}

/* Another table that takes the source's place, or refers to it: then to the old table behind the swap. */
static DdlKind judge_create(Reader *reader)
{
    TableName name;
    static const char *const modes[] = {"OR",     "REPLACE",  "ONLINE",  "OFFLINE",
                                        "UNIQUE", "FULLTEXT", "SPATIAL", "VECTOR"};
    take_any(reader, modes, ARRAY_LEN(modes));
    if (take(reader, "INDEX"))
        return judge_index(reader);
    skip_definer(reader);
    if (take(reader, "TRIGGER"))
        return judge_trigger(reader);
    if (!take(reader, "TABLE"))
        return DDL_NONE;
    skip_if(reader);
    if (!take_name(reader, &name) || is_ours(reader, &name))
        return DDL_NONE;
    if (is_source(reader, &name))
        return DDL_ALTERED;
    for (Token token = next_token(reader); token.kind != TOKEN_END; token = next_token(reader))
        if (is_word(&token, "REFERENCES") && refers_to_source(reader))
            return DDL_ALTERED;
    return DDL_NONE;
}

/* RENAME [TO | AS | =] table, or of a part of the table; behind the word RENAME. */
static bool renames_to_source(Reader *reader)
{
    static const char *const parts[] = {"COLUMN", "INDEX", "KEY"};
    TableName name;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (take(reader, parts[i])) {
            for (int words = 0; words < 3; words++) /* one TO other */
                (void)next_token(reader);
            return false;
        }
    Token sign = peek(reader);
    if (is_sign(&sign, '=') || is_word(&sign, "TO") || is_word(&sign, "AS"))
        (void)next_token(reader);
    return take_name(reader, &name) && is_source(reader, &name);
}

/* Another table's ALTER takes the source's place by RENAME, exchanges or converts it (… TABLE source), or
 * refers to it. */
static DdlKind judge_alter(Reader *reader)
{
    static const char *const modes[] = {"ONLINE", "OFFLINE", "IGNORE"};
    TableName name;
    take_any(reader, modes, ARRAY_LEN(modes));
    if (!take(reader, "TABLE"))
        return DDL_NONE;
    skip_if(reader);
    if (!take_name(reader, &name) || is_ours(reader, &name))
        return DDL_NONE;
    if (is_source(reader, &name))
        return DDL_ALTERED;
    for (Token token = next_token(reader); token.kind != TOKEN_END; token = next_token(reader)) {
        bool names = false;
        if (is_word(&token, "REFERENCES"))
            names = refers_to_source(reader);
        else if (is_word(&token, "RENAME"))
            names = renames_to_source(reader);
        else if (is_word(&token, "TABLE"))
            names = take_name(reader, &name) && is_source(reader, &name);
        if (names)
            return DDL_ALTERED;
    }
    return DDL_NONE;
}

static DdlKind judge_rename(Reader *reader)
{
    bool has_source = false, has_others = false;
    if (!take(reader, "TABLE") && !take(reader, "TABLES"))
        return DDL_NONE;
    skip_if(reader);
    read_list(reader, &has_source, &has_others);
    return has_source && has_others ? DDL_ALTERED : DDL_NONE;
}

char *my_keys_mark(Arena *arena, int64_t change_id)
{
    return arena_printf(arena, "/* stoa: foreign keys of change %lld */", (long long)change_id);
}

static bool is_marked(const ShadowSpec *spec, const char *statement)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    return str_starts(statement, COMMENT_MARK) || str_starts(statement, my_keys_mark(arena, spec->change_id));
}

/* MariaDB logs SET STATEMENT name = value, … FOR with the statement behind it (seen on 10.11). */
static void skip_settings(Reader *reader)
{
    Reader at = *reader;
    if (!take(&at, "SET") || !take(&at, "STATEMENT"))
        return;
    for (Token token = next_token(&at); token.kind != TOKEN_END; token = next_token(&at))
        if (is_word(&token, "FOR")) {
            *reader = at;
            return;
        }
}

DdlKind ddl_judge(const ShadowSpec *spec, bool any_case, const char *database, const char *statement)
{
    Reader reader = {.at = statement, .spec = spec, .database = database, .any_case = any_case};
    TableName name;
    if (is_marked(spec, statement))
        return DDL_NONE;
    skip_settings(&reader);
    if (take(&reader, "TRUNCATE")) {
        (void)take(&reader, "TABLE");
        return take_name(&reader, &name) && is_source(&reader, &name) ? DDL_EMPTIED : DDL_NONE;
    }
    if (take(&reader, "DROP"))
        return judge_drop(&reader);
    if (take(&reader, "CREATE"))
        return judge_create(&reader);
    if (take(&reader, "ALTER"))
        return judge_alter(&reader);
    return take(&reader, "RENAME") ? judge_rename(&reader) : DDL_NONE;
}
