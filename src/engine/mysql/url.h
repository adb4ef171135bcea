/* url.h — where a MySQL or MariaDB server is, as a URL says it. Pure.
 *
 *   mysql://user:password@host:3306/database?ssl-mode=required      mariadb:// is the same
 *   mysql:///database?socket=/run/mysqld/mysqld.sock
 *
 * Parts are percent-decoded. What a URL leaves out comes from the [client] group of the option files
 * (~/.my.cnf, /etc/mysql/…), as for every client. Parameters: socket, user, password, ssl-mode (disabled,
 * preferred, required, verify-ca, verify-identity), ssl-ca, ssl-cert, ssl-key. */
#pragma once
#include "base/arena.h"

typedef enum MySslMode {
    MY_SSL_DISABLED,
    MY_SSL_PREFERRED, /* the default: TLS where the server has it */
    MY_SSL_REQUIRED,
    MY_SSL_VERIFY, /* verify-ca and verify-identity: the client library knows only both together */
} MySslMode;

typedef struct MyUrl {
    const char *user, *password, *host, *database, *socket; /* NULL where the URL does not say */
    unsigned port;                                          /* 0: it does not say */
    MySslMode ssl_mode;
    const char *ssl_ca, *ssl_cert, *ssl_key;
} MyUrl;

/* Texts in `arena`. ERR_USAGE with the part that is wrong, never with a password. */
Err *my_url_parse(Arena *arena, const char *url, MyUrl *ret_url) MUST_USE;
