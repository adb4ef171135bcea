/* One transfer at a time over libcurl. */
#include "run/url_probe.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>

enum { EVERY_MS = 1000, ANSWER_MS = 2000 };

struct UrlProbe {
    char *url;
    CURLM *multi;
    CURL *easy;
    bool busy;
    int64_t asked_ms, answered_ms;
    int status;
    char why[CURL_ERROR_SIZE], error[CURL_ERROR_SIZE];
};

static pthread_once_t ready = PTHREAD_ONCE_INIT;
static void make_ready(void) { (void)curl_global_init(CURL_GLOBAL_DEFAULT); }

static size_t drop(char *bytes, size_t size, size_t count, void *context)
{
    (void)bytes;
    (void)context;
    return size * count;
}

UrlProbe *url_probe_new(const char *url)
{
    UrlProbe *probe = mem_zero(sizeof *probe);
    (void)pthread_once(&ready, make_ready);
    probe->url = mem_dup(url);
    probe->multi = curl_multi_init();
    probe->easy = curl_easy_init();
    probe->status = -1;
    if (probe->multi == NULL || probe->easy == NULL)
        abort();
    (void)curl_easy_setopt(probe->easy, CURLOPT_URL, probe->url);
    (void)curl_easy_setopt(probe->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(probe->easy, CURLOPT_TIMEOUT_MS, (long)ANSWER_MS);
    (void)curl_easy_setopt(probe->easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(probe->easy, CURLOPT_USERAGENT, "stoa/" STOA_VERSION);
    (void)curl_easy_setopt(probe->easy, CURLOPT_WRITEFUNCTION, drop);
    (void)curl_easy_setopt(probe->easy, CURLOPT_ERRORBUFFER, probe->error);
    return probe;
}

const char *url_probe_url(const UrlProbe *probe) { return probe->url; }

static void take_answer(UrlProbe *probe, CURLcode code, int64_t now_ms)
{
    long status = 0;
    (void)curl_easy_getinfo(probe->easy, CURLINFO_RESPONSE_CODE, &status);
    probe->status = code == CURLE_OK ? (int)status : 0;
    (void)snprintf(probe->why, sizeof probe->why, "%s",
                   code == CURLE_OK          ? ""
                   : probe->error[0] != '\0' ? probe->error
                                             : curl_easy_strerror(code));
    probe->answered_ms = now_ms;
    probe->busy = false;
    (void)curl_multi_remove_handle(probe->multi, probe->easy);
}

void url_probe_step(UrlProbe *probe, int64_t now_ms)
{
    int running = 0, left = 0;
    if (!probe->busy && (probe->status < 0 || now_ms - probe->asked_ms >= EVERY_MS)) {
        probe->busy = curl_multi_add_handle(probe->multi, probe->easy) == CURLM_OK;
        probe->asked_ms = now_ms;
    }
    if (!probe->busy)
        return;
    (void)curl_multi_perform(probe->multi, &running);
    for (const CURLMsg *message; (message = curl_multi_info_read(probe->multi, &left)) != NULL;)
        if (message->msg == CURLMSG_DONE) {
            take_answer(probe, message->data.result, now_ms);
            return;
        }
}

int url_probe_status(const UrlProbe *probe, int64_t now_ms, int64_t *ret_age_ms, const char **ret_why)
{
    *ret_why = probe->why;
    *ret_age_ms = probe->status < 0 ? now_ms - probe->asked_ms : now_ms - probe->answered_ms;
    return probe->status;
}

void url_probe_free(UrlProbe *probe)
{
    if (probe == NULL)
        return;
    if (probe->busy)
        (void)curl_multi_remove_handle(probe->multi, probe->easy);
    curl_easy_cleanup(probe->easy);
    (void)curl_multi_cleanup(probe->multi);
    free(probe->url);
    free(probe);
}
