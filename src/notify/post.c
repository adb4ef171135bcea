/* POST over libcurl. */
#include "notify/post.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

enum { CONNECT_MS = 5000, POST_MS = 15000, LOOK_MS = 100, WAIT_MS = 1000, WAIT_MOST_MS = 60000 };

/* ---- URLs ----------------------------------------------------------------------------------- */

bool post_is_url(const char *url)
{
    CURLU *parts = curl_url();
    char *scheme = NULL;
    bool good = parts != NULL && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                (str_eq(scheme, "http") || str_eq(scheme, "https"));
    curl_free(scheme);
    curl_url_cleanup(parts);
    return good;
}

char *post_label(const char *url)
{
    CURLU *parts = curl_url();
    char *scheme = NULL, *host = NULL, *port = NULL;
    Str label = STR_INIT;
    if (parts != NULL && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
        bool ported = curl_url_get(parts, CURLUPART_PORT, &port, 0) == CURLUE_OK;
        str_addf(&label, "%s://%s%s%s/…", scheme, host, ported ? ":" : "", ported ? port : "");
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(parts);
    return str_take(&label);
}

/* ---- when to try again ---------------------------------------------------------------------- */

bool post_may_be_tried_again(const PostResult *result)
{
    return result->status == 0 || result->status == 429 || result->status >= 500;
}

int64_t post_wait_ms(int attempt, double chance, const PostResult *result)
{
    int64_t wait_ms = WAIT_MS;
    for (int i = 0; i < attempt && wait_ms < WAIT_MOST_MS; i++)
        wait_ms *= 2;
    wait_ms = wait_ms < WAIT_MOST_MS ? wait_ms : WAIT_MOST_MS;
    wait_ms -= (int64_t)((double)wait_ms * chance / 2);
    int64_t asked_ms = result->retry_after_s < INT32_MAX ? result->retry_after_s * 1000 : INT32_MAX;
    return asked_ms > wait_ms ? asked_ms : wait_ms;
}

/* ---- one try -------------------------------------------------------------------------------- */

static size_t drop(char *bytes, size_t size, size_t count, void *context)
{
    (void)bytes;
    (void)context;
    return size * count;
}

void post_add_header(struct curl_slist **headers, const char *name, const char *value)
{
    CLEANUP(str_donep) Str line = STR_INIT;
    str_addf(&line, "%s: %s", name, value);
    struct curl_slist *longer = curl_slist_append(*headers, line.buf);
    if (longer == NULL)
        abort();
    *headers = longer;
}

static void set_up(CURL *easy, const char *url, struct curl_slist *headers, const char *body, char *error)
{
    const char *authorities = getenv("SSL_CERT_FILE");
    (void)curl_easy_setopt(easy, CURLOPT_URL, url);
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)POST_MS);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "stoa/" STOA_VERSION);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error);
    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
    if (authorities != NULL && authorities[0] != '\0') /* as the program curl has it */
        (void)curl_easy_setopt(easy, CURLOPT_CAINFO, authorities);
}

/* Wakes often enough to be stopped. */
static CURLcode perform(CURLM *multi, CURL *easy, const Stop *stop)
{
    int running = 1, left = 0;
    CURLcode code = CURLE_ABORTED_BY_CALLBACK;
    if (curl_multi_add_handle(multi, easy) != CURLM_OK)
        return CURLE_FAILED_INIT;
    while (running > 0 && stop_level(stop) != STOP_NOW)
        if (curl_multi_perform(multi, &running) != CURLM_OK ||
            (running > 0 && curl_multi_poll(multi, NULL, 0, LOOK_MS, NULL) != CURLM_OK))
            break;
    for (const CURLMsg *message; (message = curl_multi_info_read(multi, &left)) != NULL;)
        if (message->msg == CURLMSG_DONE)
            code = message->data.result;
    (void)curl_multi_remove_handle(multi, easy);
    return code;
}

static void take_result(CURL *easy, CURLcode code, const char *error, PostResult *ret_result)
{
    long status = 0;
    curl_off_t after_s = 0;
    (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &after_s);
    *ret_result = (PostResult){.status = code == CURLE_OK ? (int)status : 0, .retry_after_s = after_s};
    if (code == CURLE_ABORTED_BY_CALLBACK)
        (void)snprintf(ret_result->why, sizeof ret_result->why, "there was no time left");
    else if (code != CURLE_OK)
        (void)snprintf(ret_result->why, sizeof ret_result->why, "%.200s",
                       error[0] != '\0' ? error : curl_easy_strerror(code));
    else
        (void)snprintf(ret_result->why, sizeof ret_result->why, "it answers %ld%s", status,
                       status >= 300 && status < 400 ? ", and redirects are not followed" : "");
}

void post_once(const char *url, struct curl_slist *headers, const char *body, const Stop *stop,
               PostResult *ret_result)
{
    char error[CURL_ERROR_SIZE] = "";
    CURLM *multi = curl_multi_init();
    CURL *easy = curl_easy_init();
    if (multi == NULL || easy == NULL)
        abort();
    set_up(easy, url, headers, body, error);
    CURLcode code = perform(multi, easy, stop);
    take_result(easy, code, error, ret_result);
    curl_easy_cleanup(easy);
    (void)curl_multi_cleanup(multi);
}
