/* host.h — whom a request is made to. A name that a foreign page's server resolves to us (DNS rebinding) must
 * not be answered, and what acts must not be asked for by other sites. */
#pragma once
#include "base/err.h"

/* "localhost:8686", "127.0.0.1", "[::1]:80". */
bool host_is_loopback(const char *host);
/* "192.0.2.1:80", "[2001:db8::1]": no name, so nobody else decides where it leads. */
bool host_is_address(const char *host);
/* The same name, whatever the port; one that is listed with a port needs that. */
bool host_is_listed(const char *host, const char *const *names, size_t count);
/* "https://stoa.example.com" is where a page of `host` comes from. */
bool origin_is_host(const char *origin, const char *host);
