/* What is signed, and what of it counts. */
#include "run/approval.h"

#include "base/str.h"

#include <string.h>

static const char title[] = "stoa approval 1\n";

enum { FIELD_COUNT = 9 };
static const char *const names[FIELD_COUNT] = {
    "action", "change", "change-digest", "plan-digest", "database", "system", "environment", "at", "expires"};

static const char **field(Approval *approval, size_t index)
{
    const char **fields[FIELD_COUNT] = {&approval->action,      &approval->change,   &approval->change_digest,
                                        &approval->plan_digest, &approval->database, &approval->system,
                                        &approval->environment, &approval->at,       &approval->expires};
    return fields[index];
}

Err *approval_text(Arena *arena, const Approval *approval, const char **ret_text)
{
    CLEANUP(str_donep) Str text = STR_INIT;
    Approval copy = *approval;
    str_add(&text, title);
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        const char *value = *field(&copy, i) == NULL ? "" : *field(&copy, i);
        if (strpbrk(value, "\r\n") != NULL)
            return err_new(ERR_USAGE, "the %s \"%s\" has more than one line", names[i], value);
        str_addf(&text, "%s: %s\n", names[i], value);
    }
    *ret_text = arena_dup(arena, text.buf);
    return NULL;
}

bool approval_read(Arena *arena, const char *text, Approval *ret_approval)
{
    Approval read = {0};
    if (text == NULL || !str_starts(text, title))
        return false;
    const char *at = text + strlen(title);
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        size_t len = strlen(names[i]), line = strcspn(at, "\n");
        if (line < len + 2 || strncmp(at, names[i], len) != 0 || strncmp(at + len, ": ", 2) != 0 ||
            at[line] != '\n')
            return false;
        *field(&read, i) = arena_dupn(arena, at + len + 2, line - len - 2);
        at += line + 1;
    }
    if (*at != '\0')
        return false;
    *ret_approval = read;
    return true;
}

static bool differs(const char *a, const char *b)
{
    bool known = a != NULL && b != NULL && a[0] != '\0' && b[0] != '\0';
    return known && !str_eq(a, b);
}

const char *approval_flaw(Arena *arena, const Approval *approval, const Approval *wanted, const char *now)
{
    if (!str_eq(approval->action, "approve"))
        return "it is no approval";
    if (!str_eq(approval->change, wanted->change))
        return arena_printf(arena, "it is for change \"%s\"", approval->change);
    if (!str_eq(approval->plan_digest, wanted->plan_digest))
        return arena_printf(arena, "it is for the plan %s", approval->plan_digest);
    if (!str_eq(approval->change_digest, wanted->change_digest))
        return arena_printf(arena, "it is for other content, %s", approval->change_digest);
    if (differs(approval->system, wanted->system) || differs(approval->database, wanted->database))
        return arena_printf(arena, "it is for database \"%s\" of another server", approval->database);
    if (differs(approval->environment, wanted->environment))
        return arena_printf(arena, "it is for environment \"%s\"", approval->environment);
    /* both are of the same form, so that their order is that of time */
    if (strlen(approval->expires) != strlen("2026-11-30T13:05:00Z") || strcmp(now, approval->expires) >= 0)
        return arena_printf(arena, "it has expired at %s", approval->expires);
    return NULL;
}

const char *approval_difference(Arena *arena, const json_t *approved, const json_t *present)
{
    size_t left = json_array_size(approved), right = json_array_size(present);
    for (size_t i = 0; i < left || i < right; i++) {
        const char *then = json_string_value(json_array_get(approved, i)),
                   *now = json_string_value(json_array_get(present, i));
        if (then == NULL && now == NULL)
            return NULL;
        if (!str_eq(then, now))
            return arena_printf(arena, "step %zu was \"%s\" and is \"%s\"", i + 1, then == NULL ? "" : then,
                                now == NULL ? "" : now);
    }
    return NULL;
}
