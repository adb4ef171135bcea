/* A migration file cut into its parts: up and down, change sets, transactions. */
#include "check/folder.h"

#include "base/str.h"

#include <string.h>
#include <strings.h>

/* ---- lines ---------------------------------------------------------------------------------- */

typedef struct Line {
    size_t start, end, next;
    const char *words; /* behind "--" and white space; NULL for any other line */
    size_t word_len;   /* up to the end of the line */
} Line;

static Line line_at(const char *text, size_t at, size_t len)
{
    const char *end = memchr(text + at, '\n', len - at);
    Line line = {.start = at, .end = end == NULL ? len : (size_t)(end - text)};
    line.next = end == NULL ? len : line.end + 1;
    size_t from = at;
    while (from < line.end && (text[from] == ' ' || text[from] == '\t'))
        from++;
    if (from + 1 < line.end && text[from] == '-' && text[from + 1] == '-') {
        from += 2;
        while (from < line.end && (text[from] == ' ' || text[from] == '\t'))
            from++;
        line.words = text + from;
        line.word_len = line.end - from;
    }
    return line;
}

static bool begins(const Line *line, const char *word)
{
    size_t len = strlen(word);
    return line->words != NULL && line->word_len >= len && strncasecmp(line->words, word, len) == 0;
}

static bool contains(const Line *line, const char *word)
{
    return line->words != NULL && memmem(line->words, line->word_len, word, strlen(word)) != NULL;
}

/* ---- parts ---------------------------------------------------------------------------------- */

static void add(Arena *arena, Source *source, size_t start, size_t end, bool down, TxModel model)
{
    *vec_push(arena, &source->parts) = (Part){.start = start, .end = end, .down = down, .model = model};
}

static void add_part(Arena *arena, Source *source, Part part, size_t end)
{
    part.end = end;
    *vec_push(arena, &source->parts) = part;
}

/* A tool whose markers stand on lines of their own. */
typedef struct Marks {
    const char *up, *down, *plain; /* plain: what the marker's line (or any line) says for no transaction */
    bool plain_anywhere;
    TxModel without; /* what it does then */
    const char *missing;
} Marks;

static void cut_marked(Arena *arena, Source *source, const Marks *marks)
{
    bool plain_all = false, open = false, down = false, plain = false, seen_up = false;
    size_t from = 0;
    for (size_t at = 0; at < source->len && marks->plain_anywhere;) {
        Line line = line_at(source->text, at, source->len);
        plain_all = plain_all || begins(&line, marks->plain);
        at = line.next;
    }
    for (size_t at = 0; at < source->len;) {
        Line line = line_at(source->text, at, source->len);
        bool up = begins(&line, marks->up), back = begins(&line, marks->down);
        if (up || back) {
            if (open)
                add(arena, source, from, line.start, down, plain ? marks->without : TX_WRAPPED);
            open = true;
            down = back;
            seen_up = seen_up || up;
            plain = plain_all || (!marks->plain_anywhere && contains(&line, marks->plain));
            from = line.next;
        }
        at = line.next;
    }
    if (open)
        add(arena, source, from, source->len, down, plain ? marks->without : TX_WRAPPED);
    if (!seen_up)
        source->problem = marks->missing;
}

/* The value of "name:value" on the line, up to a space or to the end of the line, quotes taken off and \n and
 * kin read; NULL. */
static const char *value_of(Arena *arena, const Line *line, const char *name, bool rest)
{
    const char *at = line->words == NULL ? NULL : memmem(line->words, line->word_len, name, strlen(name));
    if (at == NULL)
        return NULL;
    const char *end = line->words + line->word_len;
    at += strlen(name);
    while (rest && end > at && strchr(" \t\r", end[-1]) != NULL)
        end--;
    char quote = !rest && at < end && (*at == '"' || *at == '\'') ? *at++ : rest ? '\r' : ' ';
    CLEANUP(str_donep) Str text = STR_INIT;
    for (; at < end && *at != quote && *at != '\r' && (quote != ' ' || *at != '\t'); at++) {
        bool escape = *at == '\\' && at + 1 < end && strchr("nrt", at[1]) != NULL;
        char c = !escape ? *at : at[1] == 'n' ? '\n' : at[1] == 'r' ? '\r' : '\t';
        at += escape;
        str_addn(&text, &c, 1);
    }
    return text.len == 0 ? NULL : arena_dup(arena, text.buf);
}

/* A change set's words hold up to the next one. */
static const char *liquibase_delimiter(Arena *arena, const Line *line)
{
    return contains(line, "splitStatements:false") ? "" : value_of(arena, line, "endDelimiter:", false);
}

static void cut_liquibase(Arena *arena, Source *source)
{
    bool open = false, plain = false;
    Part part = {0};
    for (size_t at = 0; at < source->len;) {
        Line line = line_at(source->text, at, source->len);
        if (begins(&line, "changeset")) {
            if (open)
                add_part(arena, source, part, line.start);
            open = true;
            plain = contains(&line, "runInTransaction:false");
            part = (Part){.start = line.next,
                          .model = plain ? TX_EACH : TX_WRAPPED,
                          .delimiter = liquibase_delimiter(arena, &line),
                          .marker = line.start};
            if (plain && part.delimiter != NULL && part.delimiter[0] == '\0')
                part.model = TX_MESSAGE;
            if (memchr(line.words, ':', line.word_len) == NULL)
                source->problem = "a change set needs author:id";
        }
        at = line.next;
    }
    if (open)
        add_part(arena, source, part, source->len);
    else
        source->problem = "there is no change set in it";
}

/* Directives stand in the comments at the head of the file. */
static void cut_atlas(Arena *arena, Source *source)
{
    Part part = {.model = TX_WRAPPED};
    for (size_t at = 0; at < source->len;) {
        Line line = line_at(source->text, at, source->len);
        if (line.words == NULL && line.end > line.start)
            break;
        if (begins(&line, "atlas:txmode") && contains(&line, "none"))
            part.model = TX_EACH;
        if (begins(&line, "atlas:delimiter ")) {
            part.delimiter = value_of(arena, &line, "atlas:delimiter ", true);
            part.marker = line.start;
            part.start = line.next; /* the word itself ends nothing */
        }
        at = line.next;
    }
    add_part(arena, source, part, source->len);
}

void folder_cut(Arena *arena, Source *source)
{
    static const Marks dbmate = {.up = "migrate:up",
                                 .down = "migrate:down",
                                 .plain = "transaction:false",
                                 .without = TX_MESSAGE,
                                 .missing = "\"-- migrate:up\" is missing"};
    static const Marks goose = {.up = "+goose Up",
                                .down = "+goose Down",
                                .plain = "+goose NO TRANSACTION",
                                .plain_anywhere = true,
                                .without = TX_EACH,
                                .missing = "\"-- +goose Up\" is missing"};
    switch (source->tool) {
    case TOOL_DBMATE:
        cut_marked(arena, source, &dbmate);
        break;
    case TOOL_GOOSE:
        cut_marked(arena, source, &goose);
        break;
    case TOOL_LIQUIBASE:
        cut_liquibase(arena, source);
        break;
    case TOOL_ATLAS:
        cut_atlas(arena, source);
        break;
    case TOOL_FLYWAY:
        add(arena, source, 0, source->len, source->down, source->no_transaction ? TX_EACH : TX_WRAPPED);
        break;
    case TOOL_GOLANG_MIGRATE:
    case TOOL_PRISMA:
        add(arena, source, 0, source->len, source->down, TX_MESSAGE);
        break;
    case TOOL_NONE:
    case TOOL_SQITCH:
    case TOOL_RAILS:
    case TOOL_DJANGO:
    case TOOL_COUNT:
        add(arena, source, 0, source->len, source->down, TX_EACH);
        break;
    }
}
