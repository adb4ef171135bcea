/* Statements, names of transactions, and positions. */
#include "engine/mysql/binlog_parts.h"

#include "base/str.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

/* ---- statements ------------------------------------------------------------------------------------------
 */

/* What the first word of a logged statement means to us. Of the rest, all that is neither a statement of the
 * transaction nor one that changes rows is DDL: it commits, and says so by itself. */
typedef enum WordKind {
    WORD_BEGIN,
    WORD_COMMIT,
    WORD_WITHIN, /* goes on within the transaction */
    WORD_XA,
    WORD_INSERT, /* changes rows of the one table that it names first, and not one row event tells which */
    WORD_WRITE,  /* changes rows of tables that it names, likewise */
    WORD_CHANGE, /* may change rows of any table */
} WordKind;

static const struct {
    const char *word;
    WordKind kind;
} words[] = {
    {"BEGIN", WORD_BEGIN},    {"COMMIT", WORD_COMMIT},  {"ROLLBACK", WORD_COMMIT}, {"SAVEPOINT", WORD_WITHIN},
    {"RELEASE", WORD_WITHIN}, {"XA", WORD_XA},          {"DELETE", WORD_WRITE},    {"INSERT", WORD_INSERT},
    {"UPDATE", WORD_WRITE},   {"REPLACE", WORD_INSERT}, {"LOAD", WORD_CHANGE},     {"CALL", WORD_CHANGE},
    {"SELECT", WORD_CHANGE},  {"DO", WORD_CHANGE},      {"WITH", WORD_WRITE},      {"VALUES", WORD_CHANGE},
    {"HANDLER", WORD_CHANGE}, {"TABLE", WORD_CHANGE},   {"EXECUTE", WORD_CHANGE},
};

/* Comments of the three forms, and the opening of an executable one, whose inside counts. */
static const char *skip_noise(const char *text)
{
    for (;;) {
        while (isspace((unsigned char)*text) || *text == '(' || *text == ';')
            text++;
        bool is_line = *text == '#' || str_starts(text, "-- ");
        if (is_line) {
            text += strcspn(text, "\n");
        } else if (str_starts(text, "/*!") || str_starts(text, "/*M!")) {
            text += strcspn(text, "!") + 1;
            text += strspn(text, "0123456789");
        } else if (str_starts(text, "*/")) {
            text += 2;
        } else if (str_starts(text, "/*")) {
            const char *end = strstr(text + 2, "*/");
            text = end == NULL ? text + strlen(text) : end + 2;
        } else {
            return text;
        }
    }
}

static bool is_word(const char *text, const char *word)
{
    size_t len = strlen(word);
    return strncasecmp(text, word, len) == 0 && !isalnum((unsigned char)text[len]) && text[len] != '_';
}

/* MariaDB logs SET STATEMENT name = value, … FOR with the statement behind it. */
static const char *skip_settings(const char *text)
{
    const char *at = is_word(text, "SET") ? skip_noise(text + strlen("SET")) : text;
    if (at == text || !is_word(at, "STATEMENT"))
        return text;
    while (*at != '\0' && !is_word(at, "FOR")) {
        char quote = *at == '\'' || *at == '"' || *at == '`' ? *at : '\0';
        bool in_word = isalnum((unsigned char)*at) || *at == '_';
        at++;
        while (in_word && (isalnum((unsigned char)*at) || *at == '_'))
            at++;
        for (; quote != '\0' && *at != '\0'; at++)
            if (*at == '\\' && quote != '`' && at[1] != '\0') {
                at++;
            } else if (*at == quote) {
                at++;
                break;
            }
    }
    return *at == '\0' ? at : skip_noise(at + strlen("FOR"));
}

/* ROLLBACK TO SAVEPOINT ends nothing. */
static bool is_rollback_to(const char *text)
{
    return is_word(text, "ROLLBACK") && strcasestr(text, " TO ") != NULL;
}

/* After a restart the server logs this for each MEMORY table, in just this form. ROW format makes no other.
 */
static bool is_memory_reset(const char *text, const BinlogTable *tables, size_t count)
{
    if (!str_starts(text, "DELETE FROM `"))
        return false;
    const char *schema = text + strlen("DELETE FROM `");
    size_t schema_len = strcspn(schema, "`");
    if (!str_starts(schema + schema_len, "`.`"))
        return false;
    const char *name = schema + schema_len + 3;
    size_t name_len = strcspn(name, "`");
    if (strcmp(name + name_len, "`") != 0)
        return false;
    for (size_t i = 0; i < count; i++)
        if (binlog_table_named(&tables[i], schema, schema_len, name, name_len))
            return false;
    return true;
}

static bool is_name_byte(char byte)
{
    return isalnum((unsigned char)byte) || byte == '_' || byte == '$' || byte < 0;
}

/* A name that may stand otherwise in the text: with a quote that is doubled there, or in another character
 * set.
 */
static bool is_twisted(const char *name)
{
    for (; *name != '\0'; name++)
        if (*name == '`' || *name == '"' || *name < 0)
            return true;
    return false;
}

bool binlog_text_names(const char *text, const char *name)
{
    if (is_twisted(name))
        return true;
    size_t len = strlen(name);
    for (const char *at = text; (at = strcasestr(at, name)) != NULL; at++)
        if ((at == text || !is_name_byte(at[-1])) && !is_name_byte(at[len]))
            return true;
    return false;
}

static bool text_mentions(const char *text, const BinlogTable *tables, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (binlog_text_names(text, tables[i].name))
            return true;
    return false;
}

static Err *statement_format(const char *text)
{
    enum { SHOWN = 80 };
    return err_hint(
        err_new(ERR_UNSAFE,
                "a session wrote in statement format, so its changed rows are not in the binary log: "
                "\"%.*s%s\"",
                SHOWN, text, strlen(text) > SHOWN ? "…" : ""),
        "binlog_format must be ROW in every session that writes");
}

/* Whether what is written first, behind the words INSERT, REPLACE, INTO and such, is a table of the server's
 * own, like the heartbeat that Amazon RDS logs as a statement whatever the format. `first`: the verb. */
static bool is_servers_own(const char *first, const char *database)
{
    static const char *const modes[] = {"LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "IGNORE", "INTO"};
    static const char *const own[] = {"mysql", "sys", "performance_schema"};
    const char *at =
        skip_noise(first + strspn(first, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"));
    for (size_t i = 0; i < ARRAY_LEN(modes); i++)
        if (is_word(at, modes[i])) {
            at = skip_noise(at + strlen(modes[i]));
            i = (size_t)-1; /* from the first one again */
        }
    bool quoted = *at == '`';
    const char *name = at + quoted;
    size_t len = quoted ? strcspn(name, "`") : 0;
    while (!quoted && is_name_byte(name[len]))
        len++;
    at = skip_noise(name + len + (quoted && name[len] == '`'));
    if (*at != '.')
        name = database, len = strlen(database);
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (strlen(own[i]) == len && strncasecmp(name, own[i], len) == 0)
            return true;
    return false;
}

/* A statement that changed rows without a row event. */
static Err *judge_write(const char *first, WordKind kind, BinlogEvent *event)
{
    if (kind == WORD_INSERT && is_servers_own(first, event->schema))
        return NULL;
    if (event->mentions || kind == WORD_CHANGE)
        return statement_format(event->statement);
    event->unlogged = true;
    return NULL;
}

static Err *judge(const BinlogTable *tables, size_t count, const char *text, BinlogEvent *event)
{
    event->kind = BINLOG_STATEMENT;
    event->statement = text;
    event->mentions = text_mentions(text, tables, count);
    const char *first = skip_settings(skip_noise(text));
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!is_word(first, words[i].word))
            continue;
        switch (words[i].kind) {
        case WORD_BEGIN:
            event->kind = BINLOG_BEGIN;
            return NULL;
        case WORD_COMMIT:
            event->kind = is_rollback_to(first) ? BINLOG_OTHER : BINLOG_COMMIT;
            return NULL;
        case WORD_WITHIN:
            event->kind = BINLOG_OTHER;
            return NULL;
        case WORD_XA: /* XA START opens, XA END stays inside, XA COMMIT and ROLLBACK stand alone */
            first = skip_noise(first + 2);
            event->kind = is_word(first, "START") || is_word(first, "BEGIN") ? BINLOG_BEGIN
                          : is_word(first, "END")                            ? BINLOG_OTHER
                                                                             : BINLOG_STATEMENT;
            return NULL;
        case WORD_WRITE:
            return is_memory_reset(text, tables, count) ? NULL : judge_write(first, words[i].kind, event);
        case WORD_INSERT:
        case WORD_CHANGE:
            return judge_write(first, words[i].kind, event);
        }
    }
    return NULL;
}

Err *binlog_query_read(const BinlogTable *tables, size_t table_count, bool is_compressed, Bytes body,
                       Arena *arena, BinlogEvent *ret_event)
{
    (void)bytes_take(&body, 8); /* session, duration */
    size_t schema_len = (size_t)bytes_little(&body, 1);
    (void)bytes_take(&body, 2); /* error number */
    size_t variables_len = (size_t)bytes_little(&body, 2);
    (void)bytes_take(&body, variables_len);
    const uint8_t *schema = bytes_take(&body, schema_len);
    if (bytes_little(&body, 1) != 0 || body.bad)
        return err_new(ERR_IO, "the binary log is damaged: QUERY ends within its head");
    if (is_compressed)
        TRY(binlog_inflate(body, arena, &body));
    ret_event->schema = arena_dupn(arena, (const char *)schema, schema_len);
    const char *text = arena_dupn(arena, (const char *)body.at, bytes_left(&body));
    return judge(tables, table_count, text, ret_event);
}

/* ---- names of transactions -------------------------------------------------------------------------------
 */

static char *uuid_text(Arena *arena, const uint8_t *uuid)
{
    CLEANUP(str_donep) Str str = STR_INIT;
    for (size_t i = 0; i < 16; i++)
        str_addf(&str, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
    return arena_dupn(arena, str.buf, str.len);
}

/* An integer of mysql::serialization: as many low bits of the first byte are set as bytes follow, and what
 * the first byte has left are the value's lowest bits. */
static uint64_t take_number(Bytes *bytes)
{
    uint64_t first = bytes_little(bytes, 1);
    size_t more = 0;
    while (more < 8 && (first >> more & 1) != 0)
        more++;
    uint64_t rest = more == 0 ? 0 : bytes_little(bytes, more);
    return more >= 7 ? rest : first >> (more + 1) | rest << (7 - more);
}

/* Fields by number, in order: flags, 16 bytes of uuid, number (signed, zigzag), tag; what follows is of no
 * use here (Gtid_event, mysql/serialization). */
static Err *read_tagged(Bytes body, Arena *arena, BinlogEvent *event)
{
    enum { FLAGS, UUID, NUMBER, TAG, TAG_MOST = 32 };
    uint64_t version = take_number(&body);
    (void)take_number(&body); /* size */
    (void)take_number(&body); /* last field that may not be ignored */
    uint8_t uuid[16];
    if (take_number(&body) != FLAGS || version > 1)
        body.bad = true;
    (void)take_number(&body);
    if (take_number(&body) != UUID)
        body.bad = true;
    for (size_t i = 0; i < sizeof uuid; i++)
        uuid[i] = (uint8_t)take_number(&body);
    if (take_number(&body) != NUMBER)
        body.bad = true;
    uint64_t number = take_number(&body) >> 1;
    if (take_number(&body) != TAG)
        body.bad = true;
    uint64_t tag_len = take_number(&body);
    const uint8_t *tag = tag_len > TAG_MOST ? NULL : bytes_take(&body, (size_t)tag_len);
    if (body.bad || tag == NULL)
        return err_new(ERR_IO, "the binary log is damaged: GTID_TAGGED cannot be read");
    event->gtid = arena_printf(arena, "%s%s%.*s:%" PRIu64, uuid_text(arena, uuid), tag_len > 0 ? ":" : "",
                               (int)tag_len, (const char *)tag, number);
    return NULL;
}

Err *binlog_gtid_read(unsigned type, Bytes body, Arena *arena, BinlogEvent *ret_event)
{
    enum { FLAG_STANDALONE = 1 };
    ret_event->kind = BINLOG_GTID;
    if (type == BINLOG_TYPE_GTID_TAGGED)
        return read_tagged(body, arena, ret_event);
    if (type == BINLOG_TYPE_MARIADB_GTID) {
        uint64_t number = bytes_little(&body, 8), domain = bytes_little(&body, 4),
                 flags = bytes_little(&body, 1);
        ret_event->gtid =
            arena_printf(arena, "%" PRIu64 "-%" PRIu32 "-%" PRIu64, domain, ret_event->server_id, number);
        ret_event->standalone = (flags & FLAG_STANDALONE) != 0;
    } else {
        (void)bytes_little(&body, 1);
        const uint8_t *uuid = bytes_take(&body, 16);
        uint64_t number = bytes_little(&body, 8);
        if (!body.bad && type == BINLOG_TYPE_GTID)
            ret_event->gtid = arena_printf(arena, "%s:%" PRIu64, uuid_text(arena, uuid), number);
    }
    if (body.bad)
        return err_new(ERR_IO, "the binary log is damaged: %s is too short", binlog_type_name(arena, type));
    return NULL;
}

/* ---- positions -------------------------------------------------------------------------------------------
 */

static Err *take_file(const uint8_t *name, size_t len, unsigned type, Arena *arena, BinlogEvent *event)
{
    enum { NAME_MOST = 512 };
    bool bad = name == NULL || len == 0 || len > NAME_MOST;
    for (size_t i = 0; !bad && i < len; i++)
        bad = name[i] < ' ';
    if (bad)
        return err_new(ERR_IO, "the binary log is damaged: %s has no file name",
                       binlog_type_name(arena, type));
    event->file = arena_dupn(arena, (const char *)name, len);
    return NULL;
}

Err *binlog_rotate_read(Bytes body, Arena *arena, BinlogEvent *ret_event)
{
    ret_event->kind = BINLOG_ROTATE;
    ret_event->position = bytes_little(&body, 8);
    return take_file(body.bad ? NULL : body.at, bytes_left(&body), BINLOG_TYPE_ROTATE, arena, ret_event);
}

/* Version 2 has fields by type and length: 1 the file, 2 the position (Heartbeat_event_v2). */
Err *binlog_heartbeat_read(unsigned type, Bytes body, Arena *arena, BinlogEvent *ret_event)
{
    ret_event->kind = BINLOG_HEARTBEAT;
    ret_event->position = ret_event->end_position;
    if (type == BINLOG_TYPE_HEARTBEAT)
        return take_file(body.at, bytes_left(&body), type, arena, ret_event);
    const uint8_t *name = NULL;
    size_t name_len = 0;
    for (;;) {
        uint64_t field = bytes_left(&body) == 0 ? 0 : bytes_lenenc(&body);
        if (field == 0)
            break;
        size_t len = (size_t)bytes_lenenc(&body);
        const uint8_t *value = bytes_take(&body, len);
        if (value == NULL)
            break;
        Bytes number = bytes_of(value, len);
        if (field == 1)
            name = value, name_len = len;
        else if (field == 2)
            ret_event->position = bytes_lenenc(&number);
    }
    return take_file(body.bad ? NULL : name, name_len, type, arena, ret_event);
}
