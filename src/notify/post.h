/* post.h — POST over libcurl, one at a time. Private to notify/. */
#pragma once
#include "base/stop.h"

#include <curl/curl.h>
#include <stdint.h>

typedef struct PostResult {
    int status;            /* 0: no answer */
    int64_t retry_after_s; /* what the other side asks for; 0 */
    char why[256];         /* without the URL's secrets */
} PostResult;

/* One try with these headers, which stay the caller's: 15 s at most, less where `stop` is at STOP_NOW.
 * Redirects are not followed. */
void post_once(const char *url, struct curl_slist *headers, const char *body, const Stop *stop,
               PostResult *ret_result);
/* One header more. */
void post_add_header(struct curl_slist **headers, const char *name, const char *value);
static inline bool post_came_through(const PostResult *result)
{
    return result->status >= 200 && result->status < 300;
}
/* No answer, 429, 5xx: another try may come through. */
bool post_may_be_tried_again(const PostResult *result);
/* How long to wait after try `attempt` (from 0): 1 s, doubled each time up to a minute, less up to half of it
 * by `chance` in [0, 1); what the other side asked for where that is longer. */
int64_t post_wait_ms(int attempt, double chance, const PostResult *result);
bool post_is_url(const char *url); /* http:// or https:// */
/* "https://host:port/…": paths and users are often secrets. The caller frees. */
char *post_label(const char *url);
