/* URLs of webhooks and collectors: whatever is given, what is shown of it holds no secret and does nothing to
 * a terminal. */
#include "notify/notice.h"
#include "notify/otlp.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

static void must_be_plain(const char *text)
{
    for (const char *at = text; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            abort();
}

/* The same URL with a password and a token behind it. */
static void hide_secrets(const char *url)
{
    static const char secret[] = "hunter2hunter2";
    const char *host = strstr(url, "://");
    CLEANUP(str_donep) Str text = STR_INIT;
    if (host == NULL || strstr(url, secret) != NULL)
        return;
    str_addn(&text, url, (size_t)(host + 3 - url));
    str_addf(&text, "u:%s@%s/%s?token=%s", secret, host + 3, secret, secret);
    CLEANUP(mem_freep) char *label = webhook_label(text.buf);
    must_be_plain(label);
    /* where the host's own text ends the authority, what follows is a path anyway */
    Err *err = webhook_check(text.buf);
    if (err == NULL && strstr(label, secret) != NULL)
        abort();
    err_free(err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *url = malloc(size + 1);
    if (url == NULL)
        abort();
    memcpy(url, data, size);
    url[size] = '\0';
    Err *err = webhook_check(url);
    CLEANUP(mem_freep) char *label = webhook_label(url);
    CLEANUP(mem_freep) char *address = otlp_address(url);
    must_be_plain(label);
    if (err == NULL ? strncmp(label, "webhook http", 12) != 0 : address != NULL)
        abort();
    if (address != NULL && !post_is_url(address))
        abort();
    if (err == NULL)
        hide_secrets(url);
    err_free(err);
    free(url);
    return 0;
}
