/* Sets of transactions by their global names. */
#include "engine/mysql/gtid.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { UUID_TEXT = 36, TAG_MOST = 32 };

typedef struct Interval {
    uint64_t first, last; /* both belong to it */
} Interval;

/* MySQL: a source, or one of its tags. MariaDB: a domain, its server in first, its number in last. */
typedef struct Source {
    char uuid[UUID_TEXT + 1];
    char tag[TAG_MOST + 1];
    uint64_t domain;
    Interval *intervals;
    size_t count, cap;
} Source;

struct GtidSet {
    bool is_mariadb;
    Source *sources;
    size_t count, cap;
};

GtidSet *gtid_new(bool is_mariadb)
{
    GtidSet *set = mem_zero(sizeof *set);
    set->is_mariadb = is_mariadb;
    return set;
}

void gtid_free(GtidSet *set)
{
    if (set == NULL)
        return;
    for (size_t i = 0; i < set->count; i++)
        free(set->sources[i].intervals);
    free(set->sources);
    free(set);
}

bool gtid_is_empty(const GtidSet *set) { return set->count == 0; }

static int source_compare(const Source *a, const Source *b)
{
    int order = a->domain < b->domain ? -1 : a->domain > b->domain;
    order = order != 0 ? order : strcmp(a->uuid, b->uuid);
    return order != 0 ? order : strcmp(a->tag, b->tag);
}

/* The source like `wanted`, made where there is none; they stay sorted. */
static Source *source_of(GtidSet *set, const Source *wanted)
{
    size_t at = 0;
    while (at < set->count && source_compare(&set->sources[at], wanted) < 0)
        at++;
    if (at < set->count && source_compare(&set->sources[at], wanted) == 0)
        return &set->sources[at];
    if (set->count == set->cap) {
        set->cap = set->cap == 0 ? 4 : set->cap * 2;
        set->sources = mem_resize(set->sources, set->cap * sizeof *set->sources);
    }
    memmove(&set->sources[at + 1], &set->sources[at], (set->count - at) * sizeof *set->sources);
    set->count++;
    set->sources[at] = *wanted;
    return &set->sources[at];
}

/* Puts an interval in its place and joins it with those that it touches. */
static void add_interval(Source *source, Interval added)
{
    size_t at = 0;
    while (at < source->count && source->intervals[at].last < added.first - 1)
        at++;
    size_t end = at;
    for (; end < source->count && source->intervals[end].first <= added.last + 1; end++) {
        if (source->intervals[end].first < added.first)
            added.first = source->intervals[end].first;
        if (source->intervals[end].last > added.last)
            added.last = source->intervals[end].last;
    }
    if (source->count == source->cap) {
        source->cap = source->cap == 0 ? 4 : source->cap * 2;
        source->intervals = mem_resize(source->intervals, source->cap * sizeof *source->intervals);
    }
    memmove(&source->intervals[at + 1], &source->intervals[end], (source->count - end) * sizeof(Interval));
    source->count = source->count - (end - at) + 1;
    source->intervals[at] = added;
}

/* ---- reading ---------------------------------------------------------------------------------------------
 */

static const char *skip_space(const char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    return text;
}

static bool take_number(const char **text, uint64_t *ret_number)
{
    const char *at = skip_space(*text);
    if (!isdigit((unsigned char)*at))
        return false;
    char *end;
    *ret_number = strtoull(at, &end, 10);
    *text = skip_space(end);
    return *ret_number < INT64_MAX;
}

/* The text's dashes may be left out, and letters may be capital ones. */
static bool take_uuid(const char **text, char *ret_uuid)
{
    size_t len = 0;
    const char *at = *text;
    for (; len < UUID_TEXT; at++) {
        if (len == 8 || len == 13 || len == 18 || len == 23) {
            ret_uuid[len++] = '-';
            if (*at == '-')
                continue;
        }
        if (len == UUID_TEXT || !isxdigit((unsigned char)*at))
            return false;
        ret_uuid[len++] = (char)tolower((unsigned char)*at);
    }
    ret_uuid[len] = '\0';
    *text = skip_space(at);
    return true;
}

static bool take_tag(const char **text, char *ret_tag)
{
    const char *at = skip_space(*text);
    size_t len = 0;
    memset(ret_tag, 0, TAG_MOST + 1);
    while ((isalnum((unsigned char)at[len]) || at[len] == '_') && len < TAG_MOST) {
        ret_tag[len] = (char)tolower((unsigned char)at[len]);
        len++;
    }
    *text = skip_space(at + len);
    return len > 0;
}

/* uuid, then by colons: intervals, and tags for the intervals behind them. */
static bool add_source(GtidSet *set, const char **text)
{
    Source wanted = {0};
    if (!take_uuid(text, wanted.uuid) || **text != ':')
        return false;
    while (**text == ':') {
        *text = skip_space(*text + 1);
        if (!isdigit((unsigned char)**text)) {
            if (!take_tag(text, wanted.tag) || **text != ':')
                return false;
            continue;
        }
        Interval added;
        if (!take_number(text, &added.first))
            return false;
        added.last = added.first;
        if (**text == '-') {
            ++*text;
            if (!take_number(text, &added.last))
                return false;
        }
        if (added.first == 0 || added.last < added.first)
            return false;
        add_interval(source_of(set, &wanted), added);
    }
    return true;
}

static bool add_domain(GtidSet *set, const char **text)
{
    Source wanted = {0};
    Interval last;
    if (!take_number(text, &wanted.domain) || *(*text)++ != '-' || !take_number(text, &last.first) ||
        *(*text)++ != '-' || !take_number(text, &last.last))
        return false;
    Source *source = source_of(set, &wanted);
    source->count = 0;
    if (source->cap == 0)
        source->intervals = mem_resize(NULL, (source->cap = 1) * sizeof *source->intervals);
    source->intervals[source->count++] = last;
    return true;
}

Err *gtid_add(GtidSet *set, const char *text)
{
    const char *at = skip_space(text);
    while (*at != '\0') {
        if (!(set->is_mariadb ? add_domain(set, &at) : add_source(set, &at)) || (*at != '\0' && *at != ','))
            return err_new(ERR_CONFIG, "\"%s\" is no GTID set", text);
        at = skip_space(*at == ',' ? at + 1 : at);
    }
    return NULL;
}

/* ---- writing ---------------------------------------------------------------------------------------------
 */

static void add_source_text(Str *str, const Source *source, bool goes_on)
{
    if (!goes_on) {
        str_sep(str, ",");
        str_add(str, source->uuid);
    }
    if (source->tag[0] != '\0')
        str_addf(str, ":%s", source->tag);
    for (size_t i = 0; i < source->count; i++) {
        const Interval *interval = &source->intervals[i];
        str_addf(str, ":%" PRIu64, interval->first);
        if (interval->last > interval->first)
            str_addf(str, "-%" PRIu64, interval->last);
    }
}

char *gtid_text(Arena *arena, const GtidSet *set)
{
    CLEANUP(str_donep) Str str = STR_INIT;
    for (size_t i = 0; i < set->count; i++) {
        const Source *source = &set->sources[i];
        if (set->is_mariadb) {
            str_sep(&str, ",");
            str_addf(&str, "%" PRIu64 "-%" PRIu64 "-%" PRIu64, source->domain, source->intervals[0].first,
                     source->intervals[0].last);
        } else {
            add_source_text(&str, source, i > 0 && strcmp(set->sources[i - 1].uuid, source->uuid) == 0);
        }
    }
    return arena_dupn(arena, str.buf, str.len);
}

static void add_byte(Str *bytes, unsigned long value)
{
    char byte = (char)(value & 0xff);
    str_addn(bytes, &byte, 1);
}

static void add_eight(Str *bytes, uint64_t value)
{
    char text[8];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(value >> (8 * i) & 0xff);
    str_addn(bytes, text, sizeof text);
}

static void add_uuid(Str *bytes, const char *uuid)
{
    for (const char *at = uuid; *at != '\0'; at += 2) {
        at += *at == '-';
        char pair[3] = {at[0], at[1], '\0'};
        add_byte(bytes, strtoul(pair, NULL, 16));
    }
}

void gtid_encode(const GtidSet *set, Str *ret_bytes)
{
    bool is_tagged = false;
    for (size_t i = 0; i < set->count; i++)
        is_tagged = is_tagged || set->sources[i].tag[0] != '\0';
    add_eight(ret_bytes, is_tagged ? (uint64_t)1 << 56 | (uint64_t)set->count << 8 | 1 : set->count);
    for (size_t i = 0; i < set->count; i++) {
        const Source *source = &set->sources[i];
        add_uuid(ret_bytes, source->uuid);
        if (is_tagged) {
            add_byte(ret_bytes, strlen(source->tag) << 1);
            str_add(ret_bytes, source->tag);
        }
        add_eight(ret_bytes, source->count);
        for (size_t k = 0; k < source->count; k++) {
            add_eight(ret_bytes, source->intervals[k].first);
            add_eight(ret_bytes, source->intervals[k].last + 1);
        }
    }
}
