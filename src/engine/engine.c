/* What all engines share: finding one by URL, redacting URLs, reading result cells. */
#include "engine/engine.h"

#include "base/clock.h"
#include "base/command.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { PASSWORD_MS = 30000 };

static bool scheme_matches(const char *url, const char *scheme)
{
    size_t len = strlen(scheme);
    return strncmp(url, scheme, len) == 0 && strncmp(url + len, "://", 3) == 0;
}

Err *engine_for_url(const EngineOps *const *engines, size_t count, const char *url, const EngineOps **ret_ops)
{
    const char *end = url == NULL ? NULL : strstr(url, "://");
    if (end == NULL) { /* no URL, or the engine's own connection string */
        *ret_ops = engines[0];
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        for (const char *const *scheme = engines[i]->schemes; *scheme != NULL; scheme++)
            if (scheme_matches(url, *scheme)) {
                *ret_ops = engines[i];
                return NULL;
            }
    return err_hint(err_new(ERR_USAGE, "no engine for \"%.*s://\"", (int)(end - url), url),
                    "use --url postgres://user@host:5432/database");
}

/* Blanks the value that follows `name` (as "name=value") up to the next separator. */
static void redact_value(char *text, const char *name)
{
    size_t len = strlen(name);
    for (char *at = text; (at = strstr(at, name)) != NULL;) {
        at += len;
        char *out = at;
        bool quoted = *at == '\'';
        while (*at != '\0' && (quoted ? !(at > out && *at == '\'') : strchr("& \t\n", *at) == NULL))
            at++;
        if (at == out)
            continue;
        *out++ = '*';
        memmove(out, at, strlen(at) + 1);
        at = out;
    }
}

char *target_redacted(Arena *arena, const char *url)
{
    if (url == NULL || *url == '\0')
        return arena_dup(arena, "(environment)");
    char *text = arena_dup(arena, url);
    char *host = strstr(text, "://");
    if (host != NULL) {
        host += 3;
        size_t authority = strcspn(host, "/?#");
        char *at = NULL;
        for (size_t i = 0; i < authority; i++)
            at = host[i] == '@' ? host + i : at;
        char *colon = at == NULL ? NULL : memchr(host, ':', (size_t)(at - host));
        if (colon != NULL)
            memmove(colon, at, strlen(at) + 1);
    }
    redact_value(text, "password=");
    return text;
}

static Err *password_printed(const Str *text, int status)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
        return err_new(ERR_CONNECT, "it ends with code %d", WEXITSTATUS(status));
    if (!WIFEXITED(status))
        return err_new(ERR_CONNECT, "it is ended by signal %d", WTERMSIG(status));
    if (strlen(text->buf) != text->len)
        return err_new(ERR_CONNECT, "it prints a NUL");
    return text->len > 0 ? NULL : err_new(ERR_CONNECT, "it prints nothing");
}

Err *target_password(Arena *arena, const Target *target, const Wait *wait, const char **ret_password)
{
    *ret_password = NULL;
    if (target->password_command == NULL)
        return NULL;
    const char *words[] = {"sh", "-c", target->password_command, NULL};
    const char *variables[] = {arena_printf(arena, "STOA_TARGET=%s", target_redacted(arena, target->url)),
                               NULL};
    Command command = {.words = (char *const *)(const void *)words,
                       .variables = variables,
                       .stop = wait == NULL ? NULL : wait->stop,
                       .timeout_ms = PASSWORD_MS};
    CLEANUP(str_donep) Str text = STR_INIT;
    int status = 0;
    Err *err = command_run(&command, &text, &status);
    if (err_is(err, ERR_STOPPED))
        return err;
    while (text.len > 0 && (text.buf[text.len - 1] == '\n' || text.buf[text.len - 1] == '\r'))
        text.buf[--text.len] = '\0';
    if (err == NULL)
        err = password_printed(&text, status);
    if (err != NULL) {
        err = err_wrap(err, "no password from the password command");
        err->kind = ERR_CONNECT;
        return err_hint(err, "run it by itself: %s", target->password_command);
    }
    *ret_password = arena_dup(arena, text.buf);
    explicit_bzero(text.buf, text.len);
    return NULL;
}

int64_t rows_int(const Rows *rows, size_t row, size_t col)
{
    const char *cell = rows_cell(rows, row, col);
    return cell == NULL ? 0 : strtoll(cell, NULL, 10);
}

double rows_double(const Rows *rows, size_t row, size_t col)
{
    const char *cell = rows_cell(rows, row, col);
    return cell == NULL ? 0 : strtod(cell, NULL);
}

size_t rows_statements(const Rows *rows, LoadStatement *statements)
{
    size_t count = rows->row_count < LOAD_STATEMENTS_MAX ? rows->row_count : LOAD_STATEMENTS_MAX;
    for (size_t i = 0; i < count; i++)
        statements[i] = (LoadStatement){.id = rows_int(rows, i, 0),
                                        .calls = rows_double(rows, i, 1),
                                        .total_ms = rows_double(rows, i, 2)};
    return count;
}

bool rows_bool(const Rows *rows, size_t row, size_t col)
{
    const char *cell = rows_cell(rows, row, col);
    return cell != NULL && (cell[0] == 't' || cell[0] == '1');
}

Err *conn_exec(Conn *conn, const Wait *wait, const char *sql)
{
    return conn->ops->query(conn, wait, NULL, sql, 0, NULL, NULL);
}

Err *conn_query(Conn *conn, const Wait *wait, Arena *arena, Rows *ret_rows, const char *sql)
{
    return conn->ops->query(conn, wait, arena, sql, 0, NULL, ret_rows);
}

/* ---- waiting -------------------------------------------------------------------------------- */

int64_t wait_limit_ms(const Wait *wait)
{
    int64_t limit = wait == NULL || wait->timeout_ms <= 0 ? INT64_MAX : wait->timeout_ms;
    if (wait == NULL || wait->until_ms <= 0)
        return limit;
    int64_t left = wait->until_ms - clock_ms();
    return left >= limit ? limit : left < 1 ? 1 : left;
}

int wait_poll_ms(int64_t deadline_ms)
{
    enum { MOST_MS = 60000 };
    if (deadline_ms == INT64_MAX)
        return -1;
    int64_t left = deadline_ms - clock_ms();
    return left < 0 ? 0 : left > MOST_MS ? MOST_MS : (int)left;
}
