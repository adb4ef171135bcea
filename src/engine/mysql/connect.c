/* How a session with MySQL or MariaDB begins: TLS, credentials, and the settings that everything relies on.
 */
#include "engine/mysql/conn_parts.h"

#include "base/str.h"
#include "engine/mysql/error.h"
#include "engine/mysql/mysql.h"
#include "engine/mysql/own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static void set_tls(MYSQL *my, const MyUrl *url)
{
    my_bool yes = 1, no = 0;
    if (url->ssl_mode == MY_SSL_DISABLED)
        return;
    (void)mysql_ssl_set(my, url->ssl_key, url->ssl_cert, url->ssl_ca, NULL, NULL);
    (void)mysql_optionsv(my, MYSQL_OPT_SSL_ENFORCE, url->ssl_mode >= MY_SSL_REQUIRED ? &yes : &no);
    (void)mysql_optionsv(my, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, url->ssl_mode == MY_SSL_VERIFY ? &yes : &no);
    if (url->socket == NULL) /* no option means "where the server has it" */
        my->options.use_ssl = 1;
}

static MYSQL *handle_new(const MyConn *conn)
{
    MYSQL *my = mysql_init(NULL);
    if (my == NULL)
        abort(); /* out of memory */
    const MyUrl *url = &conn->url;
    size_t packet_most = 1 << 30;
    unsigned connect_seconds = CONNECT_TIMEOUT_MS / 1000;
    unsigned protocol = url->socket != NULL ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP, local_infile = 0;
    my_bool (*wait)(my_socket, my_bool, int) = my_wait_socket;
    (void)mysql_optionsv(my, MARIADB_OPT_IO_WAIT, *(void **)&wait);
    (void)mysql_optionsv(my, MYSQL_OPT_CONNECT_TIMEOUT, &connect_seconds);
    (void)mysql_optionsv(my, MYSQL_READ_DEFAULT_GROUP, "stoa");
    (void)mysql_optionsv(my, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    (void)mysql_optionsv(my, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet_most);
    (void)mysql_optionsv(my, MYSQL_OPT_LOCAL_INFILE, &local_infile);
    if (url->socket != NULL || url->port != 0) /* "localhost" would mean the socket otherwise */
        (void)mysql_optionsv(my, MYSQL_OPT_PROTOCOL, &protocol);
    (void)mysql_options4(my, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", conn->purpose);
    set_tls(my, url);
    return my;
}

static Err *connect_failure(MYSQL *my, const Target *target)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    unsigned number = mysql_errno(my);
    ErrKind kind = my_error_kind(number) == ERR_PRIVILEGE && number != 1045 && number != 1698 ? ERR_PRIVILEGE
                                                                                              : ERR_CONNECT;
    Err *err =
        err_new(kind, "cannot connect to %s: %s", target_redacted(arena, target->url), mysql_error(my));
    err->server_errno = number;
    (void)snprintf(err->sqlstate, sizeof err->sqlstate, "%s", mysql_sqlstate(my));
    if (number == 1045 || number == 1698)
        return err_hint(err,
                        "check user and password: in --url, STOA_URL or the [client] group of ~/.my.cnf");
    if (number == 1049 || number == 1044)
        return err_hint(err, "check database and user in --url or STOA_URL");
    if (number == 2026)
        return err_hint(err, "check ssl-mode, ssl-ca, ssl-cert and ssl-key in the URL");
    return err_hint(err,
                    "check that the server runs, and --url, STOA_URL or the [client] group of ~/.my.cnf");
}

/* Under TLS the library reads by SSL_read(), which on a blocking socket would never come to our wait. */
static Err *unblock(MYSQL *my)
{
    int socket = mysql_get_socket(my), flags = fcntl(socket, F_GETFL);
    if (flags < 0 || fcntl(socket, F_SETFL, flags | O_NONBLOCK) != 0)
        return err_new(ERR_IO, "cannot make a socket non-blocking: %s", strerror(errno));
    return NULL;
}

Err *my_connect_handle(const MyConn *conn, const Wait *wait, MYSQL **ret_my)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *password = NULL;
    TRY(target_password(arena, &conn->target, wait, &password));
    Wait limit = {.stop = wait == NULL ? NULL : wait->stop, .timeout_ms = CONNECT_TIMEOUT_MS};
    if (wait != NULL && wait->timeout_ms > 0 && wait->timeout_ms < limit.timeout_ms)
        limit.timeout_ms = wait->timeout_ms;
    MYSQL *my = handle_new(conn);
    const MyUrl *url = &conn->url;
    Patience patience = my_patience(&limit, NULL), *before = my_patience_swap(&patience);
    bool good =
        mysql_real_connect(my, url->host, url->user, password != NULL ? password : url->password,
                           url->database, url->port, url->socket,
                           CLIENT_MULTI_STATEMENTS | CLIENT_MULTI_RESULTS | CLIENT_FOUND_ROWS) != NULL;
    (void)my_patience_swap(before);
    Err *err = NULL;
    if (!good && err_is(patience.cancelled, ERR_STOPPED)) {
        err = patience.cancelled;
        patience.cancelled = NULL;
    } else if (!good) {
        err = connect_failure(my, &conn->target);
    } else if (url->ssl_mode >= MY_SSL_REQUIRED && mysql_get_ssl_cipher(my) == NULL) {
        err = err_new(ERR_CONNECT, "cannot connect to %s: the server has no TLS",
                      target_redacted(arena, conn->target.url));
    } else {
        err = unblock(my);
    }
    err_free(patience.cancelled);
    if (err != NULL)
        mysql_close(my);
    else
        *ret_my = my;
    return err;
}

/* One message. Without the zero date modes, since such values may be keys; the lock times are backstops in
 * whole seconds, and what must be shorter is cancelled. */
static const char session_sql[] =
    "SET NAMES utf8mb4; SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; "
    "SET SESSION autocommit = 1, time_zone = '+00:00', sql_mode = "
    "'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', "
    "lock_wait_timeout = 2, innodb_lock_wait_timeout = 1, sql_safe_updates = 0, wait_timeout = 86400, "
    "net_write_timeout = 600, group_concat_max_len = 1048576, sql_quote_show_create = 1, "
    "foreign_key_checks = 1, unique_checks = 1";

static Err *session_prepare(MyConn *conn)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = {.timeout_ms = CONNECT_TIMEOUT_MS};
    Rows rows = {0};
    TRY(my_query(&conn->base, &wait, arena, "SELECT CONNECTION_ID(), VERSION(), @@version_comment", 0, NULL,
                 &rows));
    if (rows.row_count != 1 || rows.col_count != 3)
        return err_new(ERR_CONNECT, "the server does not say which it is");
    conn->session_id = rows_int(&rows, 0, 0);
    my_own_begin(conn->server, conn->session_id);
    const char *version = rows_cell(&rows, 0, 1), *comment = rows_cell(&rows, 0, 2);
    TRY(flavor_parse(arena_dup(conn->arena, version == NULL ? "" : version), comment == NULL ? "" : comment,
                     &conn->flavor));
    TRY(my_exec(&conn->base, &wait, session_sql));
    /* Statement time limits under their brand's name; MySQL's INFORMATION_SCHEMA would tell yesterday's
     * counts. */
    if (flavor_is_mariadb(&conn->flavor))
        return conn->flavor.version < 100101
                   ? NULL
                   : my_exec(&conn->base, &wait, "SET SESSION max_statement_time = 0");
    if (conn->flavor.version < 50708)
        return NULL;
    return my_exec(&conn->base, &wait,
                   conn->flavor.version < 80000
                       ? "SET SESSION max_execution_time = 0"
                       : "SET SESSION max_execution_time = 0, information_schema_stats_expiry = 0");
}

Err *my_connect(const Target *target, const char *purpose, const Wait *wait, Conn **ret_conn)
{
    MyConn *conn = mem_zero(sizeof *conn);
    conn->base.ops = &engine_mysql;
    conn->arena = arena_new();
    (void)pthread_mutex_init(&conn->killer_lock, NULL);
    Err *err = my_url_parse(conn->arena, target->url == NULL ? "" : target->url, &conn->url);
    if (err == NULL) {
        if (target->database != NULL)
            conn->url.database = arena_dup(conn->arena, target->database);
        conn->target.url = arena_dup(conn->arena, target->url == NULL ? "" : target->url);
        if (target->password_command != NULL)
            conn->target.password_command = arena_dup(conn->arena, target->password_command);
        conn->server = arena_printf(conn->arena, "%s:%u:%s", conn->url.host == NULL ? "" : conn->url.host,
                                    conn->url.port, conn->url.socket == NULL ? "" : conn->url.socket);
        conn->purpose = arena_printf(conn->arena, "stoa: %s", purpose);
        err = my_connect_handle(conn, wait, &conn->my);
    }
    if (err == NULL)
        err = session_prepare(conn);
    if (err != NULL) {
        my_close(&conn->base);
        return err;
    }
    *ret_conn = &conn->base;
    return NULL;
}
