/* conn_parts.h — what conn.c and connect.c share; nobody else includes it. */
#pragma once
#include "engine/mysql/conn.h"
#include "engine/mysql/sessions.h"
#include "engine/mysql/url.h"

#include <mysql.h>
#include <pthread.h>

enum { CONNECT_TIMEOUT_MS = 10000 };

typedef struct MyConn {
    Conn base;
    MYSQL *my;
    Arena *arena; /* as long as the session */
    MyUrl url;
    Target target; /* as it was given; its texts are the session's own */
    const char *purpose;
    const char *server; /* which one it is: host, port and socket of the URL */
    Flavor flavor;
    int64_t session_id;
    bool was_killed;
    unsigned warning_count;
    SessionsView sessions;
    void *memo;
    const char *only_lock; /* see my_only_lock() */
    pthread_mutex_t killer_lock;
    MYSQL *killer; /* a second session, for KILL QUERY; NULL until it is needed */
    bool killer_is_lent;
} MyConn;

/* What the present thread waits for; libmariadb's callback takes no argument of ours. */
typedef struct Patience {
    MyConn *conn;        /* whom to cancel; NULL while connecting, or where a stop ends the session */
    const Stop *stop;    /* may be NULL */
    int64_t timeout_ms;  /* 0 none */
    int64_t deadline_ms; /* monotonic; INT64_MAX none */
    Err *cancelled;      /* why we cancelled; NULL if we did not */
} Patience;

Patience my_patience(const Wait *wait, MyConn *conn);
/* From now on this thread waits so; returns how it did before. NULL: outside of any statement. */
Patience *my_patience_swap(Patience *patience);
/* libmariadb's way to wait. Above 0: the socket is ready; else the connection is given up. */
my_bool my_wait_socket(my_socket socket, my_bool is_read, int timeout_ms);
/* connect.c: a handle that is logged in, for conn->url; ERR_CONNECT, ERR_PRIVILEGE, ERR_STOPPED. */
Err *my_connect_handle(const MyConn *conn, const Wait *wait, MYSQL **ret_my) MUST_USE;
