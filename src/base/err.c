/* Errors as values, and the allocation that never returns NULL. */
#include "base/err.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

void *mem_resize(void *ptr, size_t size)
{
    void *res = realloc(ptr, size == 0 ? 1 : size);
    if (res == NULL) {
        fputs("stoa: out of memory\n", stderr);
        abort();
    }
    return res;
}

void *mem_zero(size_t size) { return memset(mem_resize(NULL, size), 0, size); }

char *mem_dup(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(mem_resize(NULL, size), text, size);
}

char *mem_format(const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (len < 0)
        abort();
    char *res = mem_resize(NULL, (size_t)len + 1);
    (void)vsnprintf(res, (size_t)len + 1, fmt, args);
    return res;
}

void mem_freep(void *ptr_to_ptr)
{
    void **ptr = ptr_to_ptr;
    free(*ptr);
    *ptr = NULL;
}

Err *err_new_at(const char *file, int line, ErrKind kind, const char *fmt, ...)
{
    Err *err = mem_resize(NULL, sizeof *err);
    *err = (Err){.kind = kind, .file = file, .line = line};
    va_list args;
    va_start(args, fmt);
    err->msg = mem_format(fmt, args);
    va_end(args);
    return err;
}

Err *err_wrap_at(const char *file, int line, Err *cause, const char *fmt, ...)
{
    Err *err = mem_resize(NULL, sizeof *err);
    *err = (Err){.kind = cause->kind, .file = file, .line = line, .cause = cause};
    memcpy(err->sqlstate, cause->sqlstate, sizeof err->sqlstate);
    err->server_errno = cause->server_errno;
    va_list args;
    va_start(args, fmt);
    err->msg = mem_format(fmt, args);
    va_end(args);
    return err;
}

Err *err_hint(Err *err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    free(err->hint);
    err->hint = mem_format(fmt, args);
    va_end(args);
    return err;
}

const Err *err_root(const Err *err)
{
    while (err->cause != NULL)
        err = err->cause;
    return err;
}

void err_free(Err *err)
{
    while (err != NULL) {
        Err *cause = err->cause;
        free(err->msg);
        free(err->hint);
        free(err);
        err = cause;
    }
}

char *err_text(const Err *err)
{
    Str text = STR_INIT;
    str_add(&text, err->msg);
    for (const Err *at = err->cause; at != NULL; at = at->cause)
        str_addf(&text, ": %s", at->msg);
    if (err->sqlstate[0] != '\0')
        str_addf(&text, " (SQLSTATE %s)", err->sqlstate);
    return str_take(&text);
}

const char *err_first_hint(const Err *err)
{
    const char *hint = NULL;
    for (const Err *at = err; at != NULL; at = at->cause)
        hint = at->hint != NULL ? at->hint : hint;
    return hint;
}

const char *err_kind_name(ErrKind kind)
{
    switch (kind) {
    case ERR_BUG:
        return "bug";
    case ERR_USAGE:
        return "usage";
    case ERR_CONFIG:
        return "config";
    case ERR_IO:
        return "io";
    case ERR_CONNECT:
        return "connect";
    case ERR_PRIVILEGE:
        return "privilege";
    case ERR_SQL:
        return "sql";
    case ERR_LOCK_TIMEOUT:
        return "lock_timeout";
    case ERR_DEADLOCK:
        return "deadlock";
    case ERR_SERIALIZE:
        return "serialize";
    case ERR_CANCELLED:
        return "cancelled";
    case ERR_CONN_LOST:
        return "conn_lost";
    case ERR_DISK_FULL:
        return "disk_full";
    case ERR_UNSAFE:
        return "unsafe";
    case ERR_GONE:
        return "gone";
    case ERR_VERIFY:
        return "verify";
    case ERR_HELD:
        return "held";
    case ERR_LOCK_BUDGET:
        return "lock_budget";
    case ERR_FENCED:
        return "fenced";
    case ERR_AMBIGUOUS:
        return "ambiguous";
    case ERR_STOPPED:
        return "stopped";
    }
    return "unknown";
}
