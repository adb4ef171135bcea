/* listen.h — a socket for "127.0.0.1:8686", "[::1]:8686", ":8686" (all addresses) or "8686" (loopback). */
#pragma once
#include "base/arena.h"

/* *ret_at: where it listens, as it stands in a URL, in `arena`; port 0 is any free one. ERR_USAGE, ERR_IO. */
Err *listen_open(Arena *arena, const char *address, int *ret_socket, const char **ret_at) MUST_USE;
void listen_close(int socket);
/* Nobody but this machine can reach it. */
bool listen_is_loopback(int socket);
