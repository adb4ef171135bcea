/* err.h — errors as values: NULL means success, anything else is owned by whoever receives it.
 *
 * Libraries below cli/ never print. An error is wrapped on its way up, and printed once, at the top.
 * Messages are lower case with the object in double quotes; a hint is one line that can be pasted or done. */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CLEANUP(fn)  __attribute__((cleanup(fn)))
#define PRINTF(a, b) __attribute__((format(printf, a, b)))
#define MUST_USE     __attribute__((warn_unused_result))
#define UNUSED       __attribute__((unused))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* What a caller may decide on. The exit code of each kind stands in cli/exit.c. */
typedef enum ErrKind {
    ERR_BUG = 1,      /* a broken promise of our own */
    ERR_USAGE,        /* the command line */
    ERR_CONFIG,       /* a file, an environment variable, an annotation */
    ERR_IO,           /* a file or a descriptor */
    ERR_CONNECT,      /* no connection, or the server refuses this user */
    ERR_PRIVILEGE,    /* the role lacks a grant; the hint names it */
    ERR_SQL,          /* the server refused a statement */
    ERR_LOCK_TIMEOUT, /* lock not granted in time (55P03) */
    ERR_DEADLOCK,     /* we were the victim (40P01) */
    ERR_SERIALIZE,    /* could not serialize (40001) */
    ERR_CANCELLED,    /* cancelled by us, or by statement_timeout (57014) */
    ERR_CONN_LOST,    /* the connection died; a statement may or may not have committed */
    ERR_DISK_FULL,    /* 53100 and kin: a person has to act, then resume works */
    ERR_UNSAFE,       /* refused: no safe way, or a risk that was not accepted */
    ERR_GONE,         /* what captured changes would be read on from is gone: a copy must begin anew */
    ERR_VERIFY,       /* data differs from what it must be */
    ERR_HELD,         /* somebody else runs it, or it waits: can be resumed */
    ERR_LOCK_BUDGET,  /* --lock-wait used up */
    ERR_FENCED,       /* our lease was taken over: stop at once, touch nothing */
    ERR_AMBIGUOUS,    /* cannot tell whether it happened: a person must look; never retried */
    ERR_STOPPED,      /* a signal asked us to stop, and we did at a safe place */
} ErrKind;

typedef struct Err Err;
struct Err {
    ErrKind kind;
    char sqlstate[6];      /* "55P03", or MySQL's SQLSTATE; "" if none */
    unsigned server_errno; /* MySQL error number; 0 for PostgreSQL */
    const char *file;      /* where it was made, for bug reports */
    int line;
    char *msg;
    char *hint; /* may be NULL */
    Err *cause; /* owned; may be NULL */
};

Err *err_new_at(const char *file, int line, ErrKind kind, const char *fmt, ...) PRINTF(4, 5) MUST_USE;
/* Takes ownership of `cause`, which must not be NULL; kind, SQLSTATE and server number are inherited. */
Err *err_wrap_at(const char *file, int line, Err *cause, const char *fmt, ...) PRINTF(4, 5) MUST_USE;
/* Sets (or replaces) the hint and returns the same error. */
Err *err_hint(Err *err, const char *fmt, ...) PRINTF(2, 3) MUST_USE;
/* The innermost cause. */
const Err *err_root(const Err *err) __attribute__((returns_nonnull));
void err_free(Err *err);
/* "message: cause: cause (SQLSTATE 55P03)" on one line, without hint; the caller frees. */
char *err_text(const Err *err);
/* The innermost hint, or NULL; borrowed. */
const char *err_first_hint(const Err *err);
/* True when `err` is not NULL and of that kind. */
static inline bool err_is(const Err *err, ErrKind kind) { return err != NULL && err->kind == kind; }
const char *err_kind_name(ErrKind kind);

#define err_new(kind, ...)   err_new_at(__FILE__, __LINE__, kind, __VA_ARGS__)
#define err_wrap(cause, ...) err_wrap_at(__FILE__, __LINE__, cause, __VA_ARGS__)
static inline void err_freep(Err **err)
{
    err_free(*err);
    *err = NULL;
}

/* The only control-flow macro in the program. */
#define TRY(expr)                                                                                            \
    do {                                                                                                     \
        Err *try_err_ = (expr);                                                                              \
        if (try_err_ != NULL)                                                                                \
            return try_err_;                                                                                 \
    } while (0)

/* Allocation that never fails: without memory the process aborts; crash and resume is a tested path. */
void *mem_resize(void *ptr, size_t size) __attribute__((returns_nonnull));
void *mem_zero(size_t size) __attribute__((returns_nonnull, malloc));
char *mem_dup(const char *text) __attribute__((returns_nonnull));
/* printf into fresh heap memory; the caller frees. */
char *mem_format(const char *fmt, va_list args) PRINTF(1, 0) __attribute__((returns_nonnull, nonnull(1)));
void mem_freep(void *ptr_to_ptr);
