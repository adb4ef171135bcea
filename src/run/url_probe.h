/* url_probe.h — asks a URL again and again, without waiting for it. */
#pragma once
#include "base/err.h"

typedef struct UrlProbe UrlProbe;

UrlProbe *url_probe_new(const char *url) __attribute__((returns_nonnull));
const char *url_probe_url(const UrlProbe *probe);
/* Goes on with what is under way, and begins anew a second after the last answer. To be called often; never
 * waits. */
void url_probe_step(UrlProbe *probe, int64_t now_ms);
/* The status of the last answer, 0 where it failed: then *ret_why says why. -1: there was none yet.
 * *ret_age_ms: how long ago. */
int url_probe_status(const UrlProbe *probe, int64_t now_ms, int64_t *ret_age_ms, const char **ret_why);
void url_probe_free(UrlProbe *probe);
