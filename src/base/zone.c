/* Files of time zones: transitions, and a rule for the time behind the last of them. */
#include "base/zone.h"

#include "base/str.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BYTES = 1 << 20, HEADER_BYTES = 44, DAY_S = 86400, HOUR_S = 3600 };

/* ---- a rule: "CET-1CEST,M3.5.0,M10.5.0/3" ---------------------------------------------------- */

typedef struct RuleDay {
    char kind; /* 'M' month.week.day, 'J' day without leap days, '0' day from 0 */
    int month, week, day;
    int64_t time_s;
} RuleDay;

typedef struct Rule {
    int64_t standard_s, summer_s; /* east of Greenwich */
    bool has_summer;
    RuleDay from, to;
} Rule;

static bool skip_name(const char **at)
{
    const char *from = *at;
    if (**at == '<') {
        size_t len = strcspn(*at, ">");
        if ((*at)[len] != '>')
            return false;
        *at += len + 1;
        return true;
    }
    while (isalpha((unsigned char)**at))
        (*at)++;
    return *at - from >= 3;
}

static bool read_int(const char **at, int most, int *ret_value)
{
    int value = 0;
    if (!isdigit((unsigned char)**at))
        return false;
    while (isdigit((unsigned char)**at) && value <= most)
        value = value * 10 + *(*at)++ - '0';
    *ret_value = value;
    return value <= most;
}

/* [+-]hh[:mm[:ss]] */
static bool read_time(const char **at, int64_t *ret_s)
{
    int parts[3] = {0};
    int sign = **at == '-' ? -1 : 1;
    *at += **at == '-' || **at == '+';
    for (int i = 0; i < 3; i++) {
        if (!read_int(at, i == 0 ? 167 : 59, &parts[i]))
            return false;
        if (i == 2 || **at != ':')
            break;
        (*at)++;
    }
    *ret_s = sign * ((int64_t)parts[0] * HOUR_S + parts[1] * 60 + parts[2]);
    return true;
}

static bool read_day(const char **at, RuleDay *ret_day)
{
    RuleDay day = {.kind = '0', .time_s = 2 * HOUR_S};
    if (*(*at)++ != ',')
        return false;
    if (**at == 'M' || **at == 'J')
        day.kind = *(*at)++;
    if (day.kind == 'M') {
        if (!read_int(at, 12, &day.month) || *(*at)++ != '.' || !read_int(at, 5, &day.week) ||
            *(*at)++ != '.' || !read_int(at, 6, &day.day) || day.month < 1 || day.week < 1)
            return false;
    } else if (!read_int(at, 366, &day.day)) {
        return false;
    }
    if (**at == '/') {
        (*at)++;
        if (!read_time(at, &day.time_s))
            return false;
    }
    *ret_day = day;
    return true;
}

static bool read_rule(const char *text, Rule *ret_rule)
{
    Rule rule = {0};
    const char *at = text;
    if (!skip_name(&at) || !read_time(&at, &rule.standard_s))
        return false;
    rule.standard_s = -rule.standard_s; /* POSIX counts west of Greenwich */
    rule.has_summer = *at != '\0';
    if (rule.has_summer) {
        rule.summer_s = rule.standard_s + HOUR_S;
        if (!skip_name(&at))
            return false;
        if (*at != ',') {
            if (!read_time(&at, &rule.summer_s))
                return false;
            rule.summer_s = -rule.summer_s;
        }
        if (!read_day(&at, &rule.from) || !read_day(&at, &rule.to) || *at != '\0')
            return false;
    }
    *ret_rule = rule;
    return true;
}

static bool is_leap(int64_t year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

/* Days from 1970-01-01 to the first of January. */
static int64_t year_days(int64_t year)
{
    int64_t before = year - 1;
    return 365 * (year - 1970) + (before / 4 - before / 100 + before / 400) -
           (1969 / 4 - 1969 / 100 + 1969 / 400);
}

static int64_t year_of(int64_t local_s)
{
    int64_t year = 1970 + local_s / (365 * DAY_S + DAY_S / 4);
    while (year_days(year) * DAY_S > local_s)
        year--;
    while (year_days(year + 1) * DAY_S <= local_s)
        year++;
    return year;
}

/* Local seconds since 1970 at which the day's change happens in that year. */
static int64_t day_in(const RuleDay *day, int64_t year)
{
    static const int months[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t days = year_days(year);
    if (day->kind == '0')
        return (days + day->day) * DAY_S + day->time_s;
    if (day->kind == 'J')
        return (days + day->day - 1 + (is_leap(year) && day->day >= 60)) * DAY_S + day->time_s;
    for (int i = 0; i < day->month - 1; i++)
        days += months[i] + (i == 1 && is_leap(year));
    int length = months[day->month - 1] + (day->month == 2 && is_leap(year));
    int weekday = (int)(((days + 4) % 7 + 7) % 7); /* 1970 began on a Thursday */
    int at = (day->day - weekday + 7) % 7 + (day->week - 1) * 7;
    while (at >= length)
        at -= 7;
    return (days + at) * DAY_S + day->time_s;
}

static int64_t rule_offset(const Rule *rule, int64_t utc_s)
{
    if (!rule->has_summer)
        return rule->standard_s;
    int64_t year = year_of(utc_s + rule->standard_s);
    int64_t from = day_in(&rule->from, year) - rule->standard_s,
            to = day_in(&rule->to, year) - rule->summer_s;
    bool summer = from < to ? utc_s >= from && utc_s < to : utc_s >= from || utc_s < to;
    return summer ? rule->summer_s : rule->standard_s;
}

/* ---- the file ------------------------------------------------------------------------------- */

typedef struct Counts {
    uint32_t utc, standard, leap, time, type, chars;
} Counts;

static uint32_t big32(const char *at)
{
    const unsigned char *byte = (const unsigned char *)at;
    return (uint32_t)byte[0] << 24 | (uint32_t)byte[1] << 16 | (uint32_t)byte[2] << 8 | byte[3];
}

static int64_t big64(const char *at) { return (int64_t)((uint64_t)big32(at) << 32 | big32(at + 4)); }

static bool read_counts(const char *at, size_t left, Counts *ret_counts)
{
    if (left < HEADER_BYTES || memcmp(at, "TZif", 4) != 0 || at[4] < '2')
        return false;
    *ret_counts = (Counts){big32(at + 20), big32(at + 24), big32(at + 28),
                           big32(at + 32), big32(at + 36), big32(at + 40)};
    const uint32_t *all = (const uint32_t *)ret_counts;
    for (size_t i = 0; i < sizeof *ret_counts / sizeof *all; i++)
        if (all[i] > MOST_BYTES)
            return false;
    return true;
}

static size_t block_bytes(const Counts *counts, size_t time_bytes)
{
    return counts->time * (time_bytes + 1) + counts->type * (size_t)6 + counts->chars +
           counts->leap * (time_bytes + 4) + counts->standard + counts->utc;
}

static bool offset_in(const char *bytes, size_t len, int64_t utc_s, int64_t *ret_offset_s)
{
    Counts counts;
    if (!read_counts(bytes, len, &counts))
        return false;
    size_t second = HEADER_BYTES + block_bytes(&counts, 4);
    if (second > len || !read_counts(bytes + second, len - second, &counts) || counts.type == 0)
        return false;
    const char *times = bytes + second + HEADER_BYTES;
    size_t size = block_bytes(&counts, 8), left = len - second - HEADER_BYTES;
    if (size > left)
        return false;
    const char *kinds = times + counts.time * (size_t)8, *types = kinds + counts.time;
    const char *footer = times + size;
    size_t rule_len = left - size > 1 && footer[0] == '\n' ? strcspn(footer + 1, "\n") : 0;
    uint32_t at = 0;
    while (at < counts.time && big64(times + at * (size_t)8) <= utc_s)
        at++;
    if (at == counts.time && rule_len > 0) {
        Rule rule;
        char text[128];
        if (rule_len >= sizeof text)
            return false;
        memcpy(text, footer + 1, rule_len);
        text[rule_len] = '\0';
        if (!read_rule(text, &rule))
            return false;
        *ret_offset_s = rule_offset(&rule, utc_s);
        return true;
    }
    unsigned char kind = at == 0 ? 0 : (unsigned char)kinds[at - 1];
    if (kind >= counts.type)
        return false;
    *ret_offset_s = (int32_t)big32(types + kind * (size_t)6);
    return true;
}

static bool is_name(const char *name)
{
    for (const char *at = name; *at != '\0'; at++)
        if (!isalnum((unsigned char)*at) && strchr("_+-/", *at) == NULL)
            return false;
    return name[0] != '\0' && name[0] != '/';
}

Err *zone_offset_s(const char *folder, const char *name, int64_t utc_s, int64_t *ret_offset_s)
{
    CLEANUP(str_donep) Str path = STR_INIT, bytes = STR_INIT;
    char buf[4096];
    const char *given = folder != NULL ? folder : getenv("TZDIR");
    str_addf(&path, "%s/%s", given == NULL || given[0] == '\0' ? "/usr/share/zoneinfo" : given, name);
    FILE *file = is_name(name) ? fopen(path.buf, "re") : NULL;
    if (file == NULL)
        return err_new(ERR_USAGE, "there is no time zone \"%s\"", name);
    for (size_t len; (len = fread(buf, 1, sizeof buf, file)) > 0 && bytes.len < MOST_BYTES;)
        str_addn(&bytes, buf, len);
    (void)fclose(file);
    return offset_in(bytes.buf, bytes.len, utc_s, ret_offset_s)
               ? NULL
               : err_new(ERR_IO, "\"%s\" is no time zone's file that can be understood", path.buf);
}
