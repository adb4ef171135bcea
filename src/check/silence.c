/* Comments that silence findings. */
#include "check/silence.h"

#include "base/str.h"

#include <string.h>
#include <strings.h>

typedef struct Text {
    const char *at, *end;
} Text;

static void skip_space(Text *text)
{
    while (text->at < text->end && strchr(" \t\r\n*", *text->at) != NULL)
        text->at++;
}

static bool take(Text *text, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(text->end - text->at) < len || strncasecmp(text->at, word, len) != 0)
        return false;
    bool last = text->at + len == text->end;
    if (word[len - 1] != ':' && !last && strchr(" \t\r\n:,", text->at[len]) == NULL)
        return false;
    text->at += len;
    skip_space(text);
    return true;
}

static const char *take_word(Arena *arena, Text *text)
{
    const char *from = text->at;
    while (text->at < text->end && strchr(" \t\r\n,:", *text->at) == NULL)
        text->at++;
    const char *word = arena_dupn(arena, from, (size_t)(text->at - from));
    skip_space(text);
    return word;
}

static bool is_date(const char *word)
{
    static const char form[] = "0000-00-00";
    if (strlen(word) != sizeof form - 1)
        return false;
    for (size_t i = 0; form[i] != '\0'; i++)
        if (form[i] == '-' ? word[i] != '-' : word[i] < '0' || word[i] > '9')
            return false;
    return true;
}

static void add_rule(Arena *arena, Silencer *silencer, const char *name)
{
    size_t next = 0, before = silencer->rules.len;
    for (const Rule *rule; (rule = rule_find(name, &next)) != NULL;)
        *vec_push(arena, &silencer->rules) = rule;
    if (silencer->rules.len == before) {
        silencer->malformed = true;
        silencer->problem = arena_printf(arena, "\"%s\" is no rule", name);
    }
}

/* "rule, rule until 2027-01-01: reason" */
static void read_list(Arena *arena, Text *text, const char *today, Silencer *silencer)
{
    while (text->at < text->end && *text->at != ':') {
        if (take(text, "until")) {
            const char *day = take_word(arena, text);
            if (!is_date(day)) {
                silencer->malformed = true;
                silencer->problem = arena_printf(arena, "\"%s\" is no day: write 2027-01-01", day);
            }
            silencer->expired = strcmp(day, today) < 0;
            continue;
        }
        if (*text->at == ',') {
            text->at++;
            skip_space(text);
            continue;
        }
        add_rule(arena, silencer, take_word(arena, text));
    }
    if (text->at < text->end) {
        text->at++;
        skip_space(text);
        silencer->reason = text->at < text->end;
    }
}

/* What a comment says, without its marks; false: it silences nothing. */
static bool read_comment(Arena *arena, const char *from, size_t len, const char *today, Silencer *silencer,
                         bool *ret_file)
{
    Text text = {from, from + len};
    while (text.at < text.end && strchr("-/*# \t\r\n!", *text.at) != NULL)
        text.at++;
    while (text.end > text.at && strchr(" \t\r\n*/", text.end[-1]) != NULL)
        text.end--;
    bool own = take(&text, "stoa:");
    *ret_file = own ? take(&text, "ignore-file") : take(&text, "squawk-ignore-file");
    bool next = !*ret_file && (own ? take(&text, "ignore") : take(&text, "squawk-ignore"));
    bool atlas = !own && !*ret_file && !next && take(&text, "atlas:nolint");
    if (!*ret_file && !next && !atlas)
        return false;
    if (own) {
        read_list(arena, &text, today, silencer);
        return true;
    }
    silencer->reason = true; /* theirs have no place for one */
    while (text.at < text.end) {
        size_t before = 0;
        const char *word = take_word(arena, &text);
        if (rule_find(word, &before) != NULL)
            add_rule(arena, silencer, word);
        while (text.at < text.end && strchr(",:", *text.at) != NULL) {
            text.at++;
            skip_space(&text);
        }
    }
    return true;
}

void silence_read(Arena *arena, const char *text, const ActComments *comments,
                  const ActStatements *statements, const char *today, Silencers *ret_silencers)
{
    size_t at = 0;
    for (size_t i = 0; i < comments->len; i++) {
        const ActComment *comment = &comments->items[i];
        Silencer silencer = {.start = comment->start, .end = comment->end};
        bool file = false;
        if (memchr(text + comment->start, ':', comment->end - comment->start) == NULL &&
            memmem(text + comment->start, comment->end - comment->start, "squawk-ignore", 13) == NULL)
            continue;
        if (!read_comment(arena, text + comment->start, comment->end - comment->start, today, &silencer,
                          &file))
            continue;
        while (at < statements->len && statements->items[at].end < comment->start)
            at++;
        if (file)
            silencer.to = SIZE_MAX;
        else if (at < statements->len) {
            silencer.from = statements->items[at].start;
            silencer.to = statements->items[at].end + 1;
        }
        *vec_push(arena, ret_silencers) = silencer;
    }
}

static bool covers(const Silencer *silencer, const Finding *finding)
{
    if (finding->start < silencer->from || finding->start >= silencer->to)
        return false;
    for (size_t i = 0; i < silencer->rules.len; i++)
        if (silencer->rules.items[i] == finding->rule)
            return true;
    return silencer->rules.len == 0 && !silencer->malformed;
}

bool silence_takes(Silencers *silencers, const Finding *finding)
{
    bool taken = false;
    for (size_t i = 0; i < silencers->len; i++) {
        Silencer *silencer = &silencers->items[i];
        if (silencer->expired || !covers(silencer, finding))
            continue;
        silencer->used = true;
        taken = true;
    }
    return taken;
}
