/* What is posted to webhooks, and how it is signed. */
#include "notify/notice.h"

#include "base/str.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

Err *webhook_check(const char *url)
{
    return post_is_url(url) ? NULL
                            : err_hint(err_new(ERR_USAGE, "a --webhook is no http:// or https:// URL"),
                                       "--webhook https://hooks.example.com/stoa");
}

char *webhook_label(const char *url)
{
    Str label = STR_INIT;
    CLEANUP(mem_freep) char *place = post_label(url);
    str_addf(&label, "webhook%s%s", place[0] == '\0' ? "" : " ", place);
    return str_take(&label);
}

static struct curl_slist *headers_of(const char *secret, const Parcel *parcel)
{
    struct curl_slist *headers = NULL;
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    post_add_header(&headers, "Content-Type", "application/json");
    post_add_header(&headers, "X-Stoa-Event", parcel->event);
    post_add_header(&headers, "X-Stoa-Delivery", parcel->delivery);
    if (secret == NULL)
        return headers;
    CLEANUP(str_donep) Str text = STR_INIT;
    if (HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char *)parcel->body,
             strlen(parcel->body), sum, &size) == NULL)
        abort();
    str_add(&text, "sha256=");
    for (unsigned i = 0; i < size; i++)
        str_addf(&text, "%02x", sum[i]);
    post_add_header(&headers, "X-Stoa-Signature", text.buf);
    return headers;
}

void webhook_post(const char *url, const char *secret, const Parcel *parcel, const Stop *stop,
                  PostResult *ret_result)
{
    struct curl_slist *headers = headers_of(secret, parcel);
    post_once(url, headers, parcel->body, stop, ret_result);
    curl_slist_free_all(headers);
}
