/* Where a server is, as a URL says it. */
#include "engine/mysql/url.h"

#include "base/str.h"
#include "base/unit.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static Err *url_error(const char *what)
{
    return err_hint(err_new(ERR_USAGE, "the URL %s", what),
                    "write mysql://user@host:3306/database, or mysql://user@/database?socket=/path");
}

/* %41 -> A; a NUL cannot be meant. */
static Err *decode(Arena *arena, const char *from, size_t len, const char **ret_text)
{
    char *text = arena_alloc(arena, len + 1);
    size_t out = 0;
    for (size_t i = 0; i < len; i++) {
        if (from[i] != '%') {
            text[out++] = from[i];
            continue;
        }
        if (i + 2 >= len || !isxdigit((unsigned char)from[i + 1]) || !isxdigit((unsigned char)from[i + 2]))
            return url_error("has a % without two hexadecimal digits (a % itself is written %25)");
        char pair[3] = {from[i + 1], from[i + 2], '\0'};
        text[out] = (char)strtoul(pair, NULL, 16);
        if (text[out++] == '\0')
            return url_error("has a %00");
        i += 2;
    }
    *ret_text = text;
    return NULL;
}

/* Empty parts count as left out. */
static Err *decode_part(Arena *arena, const char *from, size_t len, const char **ret_text)
{
    return len == 0 ? NULL : decode(arena, from, len, ret_text);
}

static Err *read_user(Arena *arena, const char *from, size_t len, MyUrl *url)
{
    const char *colon = memchr(from, ':', len);
    size_t user_len = colon == NULL ? len : (size_t)(colon - from);
    TRY(decode_part(arena, from, user_len, &url->user));
    return colon == NULL ? NULL : decode(arena, colon + 1, len - user_len - 1, &url->password);
}

static Err *read_host(Arena *arena, const char *from, size_t len, MyUrl *url)
{
    const char *end = from + len, *name_end;
    if (len > 0 && *from == '[') { /* an IPv6 address */
        from++;
        name_end = memchr(from, ']', len - 1);
        if (name_end == NULL)
            return url_error("has a [ without ]");
        len = (size_t)(name_end - from);
        name_end++;
    } else {
        const char *colon = memchr(from, ':', len);
        name_end = colon == NULL ? end : colon;
        len = (size_t)(name_end - from);
    }
    TRY(decode_part(arena, from, len, &url->host));
    if (name_end == end)
        return NULL;
    int64_t port;
    Err *err = *name_end != ':'
                   ? url_error("has no port behind the host")
                   : unit_parse_count(arena_dupn(arena, name_end + 1, (size_t)(end - name_end - 1)), 1, 65535,
                                      &port);
    if (err != NULL) {
        err_free(err);
        return url_error("has no port from 1 to 65535 behind the host");
    }
    url->port = (unsigned)port;
    return NULL;
}

static Err *read_ssl_mode(const char *value, MySslMode *ret_mode)
{
    static const struct {
        const char *name;
        MySslMode mode;
    } modes[] = {
        {"disabled", MY_SSL_DISABLED},      {"preferred", MY_SSL_PREFERRED},
        {"required", MY_SSL_REQUIRED},      {"verify-ca", MY_SSL_VERIFY},
        {"verify_ca", MY_SSL_VERIFY},       {"verify-identity", MY_SSL_VERIFY},
        {"verify_identity", MY_SSL_VERIFY},
    };
    for (size_t i = 0; i < ARRAY_LEN(modes); i++)
        if (strcasecmp(value, modes[i].name) == 0) {
            *ret_mode = modes[i].mode;
            return NULL;
        }
    return err_new(ERR_USAGE,
                   "ssl-mode \"%s\" is none of disabled, preferred, required, verify-ca, verify-identity",
                   value);
}

static Err *read_parameter(Arena *arena, const char *from, size_t len, MyUrl *url)
{
    const struct {
        const char *name;
        const char **text;
    } texts[] = {
        {"socket", &url->socket}, {"user", &url->user},         {"password", &url->password},
        {"ssl-ca", &url->ssl_ca}, {"ssl-cert", &url->ssl_cert}, {"ssl-key", &url->ssl_key},
    };
    const char *equals = memchr(from, '=', len);
    if (equals == NULL)
        return url_error("has a parameter without a value");
    const char *name = NULL, *value = NULL;
    TRY(decode(arena, from, (size_t)(equals - from), &name));
    TRY(decode(arena, equals + 1, len - (size_t)(equals - from) - 1, &value));
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (str_eq(name, texts[i].name)) {
            *texts[i].text = value;
            return NULL;
        }
    if (str_eq(name, "ssl-mode") || str_eq(name, "sslmode"))
        return read_ssl_mode(value, &url->ssl_mode);
    return err_hint(err_new(ERR_USAGE, "the URL's parameter \"%s\" is not known", name),
                    "use socket, user, password, ssl-mode, ssl-ca, ssl-cert or ssl-key");
}

Err *my_url_parse(Arena *arena, const char *url, MyUrl *ret_url)
{
    MyUrl res = {.ssl_mode = MY_SSL_PREFERRED};
    const char *at = strstr(url, "://");
    if (url[0] == '\0') {
        *ret_url = res;
        return NULL;
    }
    if (at == NULL || (!str_starts(url, "mysql://") && !str_starts(url, "mariadb://")))
        return url_error("begins neither with mysql:// nor with mariadb://");
    at += 3;
    size_t len = strcspn(at, "/?");
    const char *host = at;
    for (size_t i = 0; i < len; i++)
        host = at[i] == '@' ? at + i + 1 : host;
    if (host != at)
        TRY(read_user(arena, at, (size_t)(host - at) - 1, &res));
    TRY(read_host(arena, host, len - (size_t)(host - at), &res));
    at += len;
    if (*at == '/') {
        len = strcspn(++at, "?");
        TRY(decode_part(arena, at, len, &res.database));
        at += len;
    }
    while (*at != '\0') {
        len = strcspn(++at, "&");
        if (len > 0)
            TRY(read_parameter(arena, at, len, &res));
        at += len;
    }
    *ret_url = res;
    return NULL;
}
