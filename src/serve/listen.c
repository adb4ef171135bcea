/* Addresses and sockets. */
#include "serve/listen.h"

#include "base/str.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 512 };

typedef struct Place {
    const char *host; /* NULL: all addresses */
    const char *port;
} Place;

static Err *wrong(const char *address)
{
    return err_hint(err_new(ERR_USAGE, "\"%s\" is no address to listen at", address),
                    "write --listen 127.0.0.1:8686, [::1]:8686, or :8686 for all addresses");
}

static Err *read_place(Arena *arena, const char *address, Place *ret_place)
{
    const char *colon = strrchr(address, ':');
    size_t len = colon == NULL ? 0 : (size_t)(colon - address);
    *ret_place = (Place){.host = "127.0.0.1", .port = colon == NULL ? address : colon + 1};
    if (colon != NULL)
        ret_place->host = len == 0 ? NULL : arena_dupn(arena, address, len);
    if (len > 1 && address[0] == '[' && address[len - 1] == ']')
        ret_place->host = arena_dupn(arena, address + 1, len - 2);
    else if (len > 0 && memchr(address, ':', len) != NULL)
        return wrong(address);
    size_t digits = strspn(ret_place->port, "0123456789");
    return digits > 0 && digits <= 5 && ret_place->port[digits] == '\0' ? NULL : wrong(address);
}

/* What one port of all addresses means for both families. */
static void allow(int socket, int family)
{
    int yes = 1, no = 0;
    (void)setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (family == AF_INET6)
        (void)setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
}

static bool try_at(const struct addrinfo *info, int *ret_socket)
{
    int made = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (made < 0)
        return false;
    allow(made, info->ai_family);
    if (bind(made, info->ai_addr, info->ai_addrlen) == 0 && listen(made, BACKLOG) == 0) {
        *ret_socket = made;
        return true;
    }
    int why = errno;
    (void)close(made);
    errno = why;
    return false;
}

static const char *name_of(Arena *arena, int socket)
{
    struct sockaddr_storage there;
    socklen_t len = sizeof there;
    char host[64] = "", port[8] = "";
    if (getsockname(socket, (struct sockaddr *)(void *)&there, &len) == 0)
        (void)getnameinfo((struct sockaddr *)(void *)&there, len, host, sizeof host, port, sizeof port,
                          NI_NUMERICHOST | NI_NUMERICSERV);
    bool all = str_eq(host, "::") || str_eq(host, "0.0.0.0");
    return strchr(host, ':') != NULL && !all ? arena_printf(arena, "[%s]:%s", host, port)
                                             : arena_printf(arena, "%s:%s", all ? "localhost" : host, port);
}

Err *listen_open(Arena *arena, const char *address, int *ret_socket, const char **ret_at)
{
    Place place;
    struct addrinfo wish = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *all = NULL;
    TRY(read_place(arena, address, &place));
    if (place.host == NULL)
        wish.ai_family = AF_INET6; /* takes both */
    int failed = getaddrinfo(place.host, place.port, &wish, &all);
    if (failed != 0)
        return err_new(ERR_USAGE, "cannot listen at %s: %s", address, gai_strerror(failed));
    bool good = false;
    for (const struct addrinfo *at = all; at != NULL && !good; at = at->ai_next)
        good = try_at(at, ret_socket);
    int why = errno;
    freeaddrinfo(all);
    if (!good)
        return err_hint(err_new(ERR_IO, "cannot listen at %s: %s", address, strerror(why)),
                        why == EADDRINUSE ? "another one listens there; give another port with --listen"
                                          : "give another address with --listen");
    *ret_at = name_of(arena, *ret_socket);
    return NULL;
}

void listen_close(int socket) { (void)close(socket); }

bool listen_is_loopback(int socket)
{
    struct sockaddr_storage there = {0};
    socklen_t len = sizeof there;
    if (getsockname(socket, (struct sockaddr *)(void *)&there, &len) != 0)
        return false;
    const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)&there;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)&there;
    return there.ss_family == AF_INET ? ntohl(four->sin_addr.s_addr) >> 24 == 127
                                      : IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}
