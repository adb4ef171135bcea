/* Names, addresses and ports. */
#include "serve/host.h"

#include "base/str.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

enum { HOST_MAX = 256 };

/* The part before the port, without brackets; false where it is too long. */
static bool name_of(const char *host, char *ret_name)
{
    const char *from = host, *end = NULL;
    if (host[0] == '[') {
        from = host + 1;
        end = strchr(from, ']');
    } else {
        end = strchr(host, ':');
    }
    size_t len = end == NULL ? strlen(from) : (size_t)(end - from);
    if (len >= HOST_MAX)
        return false;
    memcpy(ret_name, from, len);
    ret_name[len] = '\0';
    return true;
}

bool host_is_loopback(const char *host)
{
    char name[HOST_MAX];
    struct in_addr four;
    struct in6_addr six;
    if (!name_of(host, name))
        return false;
    if (inet_pton(AF_INET, name, &four) == 1)
        return ntohl(four.s_addr) >> 24 == 127;
    return strcasecmp(name, "localhost") == 0 ||
           (inet_pton(AF_INET6, name, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six));
}

bool host_is_address(const char *host)
{
    char name[HOST_MAX];
    unsigned char bytes[sizeof(struct in6_addr)];
    return name_of(host, name) &&
           (inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1);
}

bool host_is_listed(const char *host, const char *const *names, size_t count)
{
    char name[HOST_MAX];
    if (!name_of(host, name))
        return false;
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(names[i], host) == 0 || strcasecmp(names[i], name) == 0)
            return true;
    return false;
}

bool origin_is_host(const char *origin, const char *host)
{
    const char *from = strstr(origin, "://");
    return from != NULL && host != NULL && strcasecmp(from + 3, host) == 0;
}
