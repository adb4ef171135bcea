/* Statements of MySQL and MariaDB that are known by their verb, as acts. */
#include "base/str.h"
#include "change/act_my.h"

#include <string.h>

static MyTokens tokens_of(const ActReaderMy *reader, MySpan span)
{
    MyFault fault = {0};
    MyTokens all = my_lex(reader->scratch, reader->dialect, reader->text, span.start, span.end, &fault);
    MyTokens code = {0};
    for (size_t i = 0; i < all.len; i++)
        if (all.items[i].kind != MY_TOKEN_COMMENT && all.items[i].kind != MY_TOKEN_MARK)
            *vec_push(reader->scratch, &code) = all.items[i];
    return code;
}

static bool is_at(const ActReaderMy *reader, const MyTokens *tokens, size_t at, const char *word)
{
    return at < tokens->len && my_token_is(reader->text, &tokens->items[at], word);
}

static bool is_symbol_at(const ActReaderMy *reader, const MyTokens *tokens, size_t at, const char *symbol)
{
    return at < tokens->len && my_token_symbol(reader->text, &tokens->items[at], symbol);
}

static size_t find_word(const ActReaderMy *reader, const MyTokens *tokens, const char *word)
{
    size_t at = 0;
    while (at < tokens->len && !is_at(reader, tokens, at, word))
        at++;
    return at;
}

static Name name_at(const ActReaderMy *reader, const MyTokens *tokens, size_t at)
{
    if (at >= tokens->len)
        return (Name){0};
    const char *first = my_token_name(reader->arena, reader->text, &tokens->items[at]);
    if (is_symbol_at(reader, tokens, at + 1, ".") && at + 2 < tokens->len)
        return (Name){.schema = first,
                      .name = my_token_name(reader->arena, reader->text, &tokens->items[at + 2])};
    return (Name){.name = first};
}

static char *token_text(const ActReaderMy *reader, const MyToken *token)
{
    return arena_dupn(reader->arena, reader->text + token->start, token->end - token->start);
}

/* ---- rows and settings ---------------------------------------------------------------------- */

static void read_rows(ActReaderMy *reader, const MyTokens *tokens, ActKind kind, const char *words)
{
    static const char *const skipped[] = {"LOW_PRIORITY", "QUICK", "IGNORE", "FROM", "INTO", "DELAYED"};
    size_t at = 1;
    for (size_t i = 0; i < ARRAY_LEN(skipped); i++)
        if (is_at(reader, tokens, at, skipped[i])) {
            at++;
            i = SIZE_MAX;
        }
    Act *act = act_add_my(reader, kind, words);
    act->table = name_at(reader, tokens, at);
    bool where = find_word(reader, tokens, "WHERE") < tokens->len;
    bool limit = find_word(reader, tokens, "LIMIT") < tokens->len;
    act->flags |= where || limit ? ACT_WHERE : 0;
    if (kind == ACT_INSERT && find_word(reader, tokens, "SELECT") < tokens->len)
        act->value = "SELECT";
}

/* "SET [SESSION | LOCAL | GLOBAL] name = value, @@session.name := value, …" */
static void read_set(ActReaderMy *reader, const MyTokens *tokens)
{
    size_t before = reader->acts.len;
    bool begin = true;
    for (size_t at = 1; at < tokens->len; at++) {
        const MyToken *token = &tokens->items[at];
        bool scope = is_at(reader, tokens, at, "SESSION") || is_at(reader, tokens, at, "LOCAL");
        bool equals = is_symbol_at(reader, tokens, at + 1, "=") || is_symbol_at(reader, tokens, at + 1, ":=");
        if (begin && !scope && equals && at + 2 < tokens->len) {
            char *name = token_text(reader, token);
            char *dot = strrchr(name, '.');
            Act *act = act_add_my(reader, ACT_SET, "SET");
            act->name = dot != NULL ? dot + 1 : name[0] == '@' && name[1] == '@' ? name + 2 : name;
            act->value = token_text(reader, &tokens->items[at + 2]);
        }
        begin = is_symbol_at(reader, tokens, at, ",") || (begin && scope);
    }
    if (reader->acts.len == before)
        (void)act_add_my(reader, ACT_OTHER, "SET");
}

/* ---- stored programs ------------------------------------------------------------------------ */

static bool begins_inside(const ActReaderMy *reader, const MyTokens *tokens, size_t at)
{
    static const char *const words[] = {"BEGIN", "THEN", "ELSE", "DO", "LOOP", "REPEAT"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (is_at(reader, tokens, at, words[i]))
            return true;
    return is_symbol_at(reader, tokens, at, ";");
}

/* Statements about objects in the body, and what it makes up while it runs. */
static void read_body(ActReaderMy *reader, const MyTokens *tokens, const char *name)
{
    static const char *const verbs[] = {"ALTER", "DROP", "TRUNCATE", "RENAME", "CREATE", "OPTIMIZE"};
    ActReaderMy inner = *reader;
    inner.function = name == NULL ? "" : name;
    inner.acts = (Acts){0};
    for (size_t at = 2; at < tokens->len; at++) {
        if (!begins_inside(reader, tokens, at - 1))
            continue;
        size_t end = at;
        while (end < tokens->len && !is_symbol_at(reader, tokens, end, ";"))
            end++;
        MySpan span = {tokens->items[at].start,
                       end > at ? tokens->items[end - 1].end : tokens->items[at].end};
        inner.start = span.start;
        inner.end = span.end;
        if (is_at(reader, tokens, at, "EXECUTE") || is_at(reader, tokens, at, "PREPARE"))
            act_unknown_my(&inner, "EXECUTE", "its text is made while it runs");
        for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
            if (is_at(reader, tokens, at, verbs[i]))
                act_read_span_my(&inner, span);
    }
    for (size_t i = 0; i < inner.acts.len; i++)
        if (inner.acts.items[i].kind != ACT_OTHER)
            *vec_push(reader->scratch, &reader->acts) = inner.acts.items[i];
}

static void read_program(ActReaderMy *reader, const MyTokens *tokens, const char *what)
{
    size_t at = find_word(reader, tokens, what);
    size_t name = at + (is_at(reader, tokens, at + 1, "IF") ? 4 : 1);
    bool trigger = str_eq(what, "TRIGGER");
    Act *act = act_add_my(reader, trigger ? ACT_CREATE_TRIGGER : ACT_CREATE_FUNCTION,
                          arena_printf(reader->arena, "CREATE %s", what));
    act->table = name_at(reader, tokens, name);
    act->name = act->table.name;
    act->value = find_word(reader, tokens, "DEFINER") < at ? "DEFINER" : NULL;
    if (trigger)
        act->table = name_at(reader, tokens, find_word(reader, tokens, "ON") + 1);
    read_body(reader, tokens, act->name);
}

/* ---- by verb -------------------------------------------------------------------------------- */

static const struct {
    const char *verb; /* its first words */
    ActKind kind;
} verbs_known[] = {
    {"BEGIN", ACT_BEGIN},
    {"START TRANSACTION", ACT_BEGIN},
    {"COMMIT", ACT_COMMIT},
    {"ROLLBACK", ACT_ROLLBACK},
    {"SELECT", ACT_SELECT},
    {"WITH", ACT_SELECT},
    {"VALUES", ACT_SELECT},
    {"LOCK", ACT_LOCK},
    {"CREATE VIEW", ACT_CREATE_VIEW},
    {"ALTER VIEW", ACT_CREATE_VIEW},
    {"DROP VIEW", ACT_DROP_VIEW},
    {"DROP TRIGGER", ACT_DROP_TRIGGER},
    {"DROP DATABASE", ACT_DROP_DATABASE},
    {"DROP SCHEMA", ACT_DROP_DATABASE},
    {"OPTIMIZE", ACT_REBUILD},
    {"CREATE DATABASE", ACT_OTHER},
    {"CREATE SCHEMA", ACT_OTHER},
    {"ALTER DATABASE", ACT_OTHER},
    {"ALTER SCHEMA", ACT_OTHER},
    {"CREATE USER", ACT_OTHER},
    {"CREATE ROLE", ACT_OTHER},
    {"CREATE SEQUENCE", ACT_OTHER},
    {"ALTER USER", ACT_OTHER},
    {"DROP USER", ACT_OTHER},
    {"DROP ROLE", ACT_OTHER},
    {"DROP PROCEDURE", ACT_DROP_OTHER},
    {"DROP FUNCTION", ACT_DROP_OTHER},
    {"DROP EVENT", ACT_DROP_OTHER},
    {"DROP SEQUENCE", ACT_DROP_OTHER},
    {"GRANT", ACT_OTHER},
    {"REVOKE", ACT_OTHER},
    {"FLUSH", ACT_OTHER},
    {"USE", ACT_OTHER},
    {"SHOW", ACT_OTHER},
    {"ANALYZE", ACT_OTHER},
    {"CHECK", ACT_OTHER},
    {"EXPLAIN", ACT_OTHER},
    {"DESCRIBE", ACT_OTHER},
    {"DESC", ACT_OTHER},
    {"UNLOCK", ACT_OTHER},
    {"SAVEPOINT", ACT_OTHER},
    {"RELEASE", ACT_OTHER},
    {"DEALLOCATE", ACT_OTHER},
    {"DELIMITER", ACT_OTHER},
};

static bool verb_is(const char *verb, const char *word)
{
    size_t len = strlen(word);
    return strncmp(verb, word, len) == 0 && (verb[len] == '\0' || verb[len] == ' ');
}

static bool read_by_table(ActReaderMy *reader, const MyStatement *my, const char *verb)
{
    for (size_t i = 0; i < ARRAY_LEN(verbs_known); i++) {
        if (!verb_is(verb, verbs_known[i].verb))
            continue;
        Act *act = act_add_my(reader, verbs_known[i].kind, act_keep_my(reader, verb));
        if (my->name_count > 0)
            act->table = act_name_my(reader, &my->names[0]);
        act->name = act->table.name;
        act->flags |= my->or_replace ? ACT_REPLACES : 0;
        if (act->kind == ACT_REBUILD)
            act->value = "OPTIMIZE";
        return true;
    }
    return false;
}

void act_read_other_my(ActReaderMy *reader, const MyStatement *my)
{
    static const char *const programs[] = {"PROCEDURE", "FUNCTION", "TRIGGER", "EVENT", "PACKAGE"};
    MyTokens tokens = tokens_of(reader, my->span);
    const char *verb = my->verb == NULL ? "" : my->verb;
    for (size_t i = 0; i < ARRAY_LEN(programs) && verb_is(verb, "CREATE"); i++)
        if (find_word(reader, &tokens, programs[i]) < 12 && strstr(verb, programs[i]) != NULL) {
            read_program(reader, &tokens, programs[i]);
            return;
        }
    if (verb_is(verb, "UPDATE"))
        read_rows(reader, &tokens, ACT_UPDATE, "UPDATE");
    else if (verb_is(verb, "DELETE"))
        read_rows(reader, &tokens, ACT_DELETE, "DELETE");
    else if (verb_is(verb, "INSERT") || verb_is(verb, "REPLACE"))
        read_rows(reader, &tokens, ACT_INSERT, verb_is(verb, "INSERT") ? "INSERT" : "REPLACE");
    else if (verb_is(verb, "LOAD"))
        (void)act_add_my(reader, ACT_COPY, "LOAD DATA");
    else if (verb_is(verb, "SET"))
        read_set(reader, &tokens);
    else if (verb_is(verb, "CALL") || verb_is(verb, "EXECUTE") || verb_is(verb, "PREPARE"))
        act_unknown_my(reader, act_keep_my(reader, verb), "the statements that it runs are not in sight");
    else if (!read_by_table(reader, my, verb))
        act_unknown_my(reader, verb[0] == '\0' ? "statement" : act_keep_my(reader, verb),
                       "it is not understood to its last word");
}
