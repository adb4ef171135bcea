/* Bytes as what a client sends, to a real server with all of its routes over a journal that never changes.
 * The first byte says in which pieces they come. */
#include "serve/serve.h"

#include "engine/my_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char token[] = "a-token-that-is-long-enough";

/* A journal that never changes. */
static const char changes_text[] =
    "[{\"name\":\"w\",\"state\":\"ready\",\"phase\":\"ready\",\"ready_position\":\"0/"
    "1\",\"columns\":[{\"schema\":\"public\","
    "\"table\":\"orders\",\"column\":\"c\",\"is\":\"added\"}],\"steps\":[{\"ordinal\":1,\"phase\":\"expand\","
    "\"kind\":\"ddl\","
    "\"state\":\"done\"}]},{\"name\":\"a "
    "b\",\"state\":\"running\",\"phase\":\"backfill\",\"columns\":[],\"steps\":[]}]";
static const char flags_text[] =
    "[{\"flag\":\"schema.public.orders.c.write\",\"set\":\"25%\",\"at\":\"2026-11-20T21:04:31Z\"}]";
static const char events_text[] = "[{\"id\":1,\"change\":\"w\",\"event\":\"planned\",\"text\":\"x\"},"
                                  "{\"id\":4,\"change\":\"w\",\"event\":\"ready\",\"text\":\"x\"}]";
struct RunView {
    json_t *flags;
};
static RunView view;

Err *run_view_open(const RunOptions *options UNUSED, RunView **ret_view)
{
    view.flags = json_loads(flags_text, 0, NULL);
    *ret_view = &view;
    return NULL;
}
Err *run_view_look(RunView *looked UNUSED, Arena *arena UNUSED, int64_t after UNUSED, json_t **ret_changes,
                   json_t **ret_events)
{
    *ret_changes = json_loads(changes_text, 0, NULL);
    *ret_events = json_loads(events_text, 0, NULL);
    return NULL;
}
const json_t *run_view_flags(const RunView *looked) { return looked->flags; }
const Server *run_view_server(const RunView *looked UNUSED)
{
    static const Server server = {
        .engine = "postgres", .version = "15", .database = "shop", .system_id = "7", .may_use_journal = true};
    return &server;
}
void run_view_close(RunView *looked) { json_decref(looked->flags); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool may_give(const char *verb UNUSED, const char *option UNUSED) { return false; }

static int start(void)
{
    static RunOptions run = {.database_label = "shop"};
    Serve *serve = NULL;
    Err *err = serve_start(&(ServeOptions){.run = &run,
                                           .listen = "127.0.0.1:0",
                                           .token = token,
                                           .actor = {.program = "/bin/false", .may_give = may_give}},
                           &serve);
    if (err != NULL)
        abort();
    return atoi(strrchr(http_url(serve->http), ':') + 1);
}

/* From one of 200 addresses, so that ports do not run out. */
static int connect_to(int port)
{
    static unsigned count;
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)},
                       here = {.sin_family = AF_INET};
    struct linger at_once = {.l_onoff = 1}; /* nothing stays behind */
    int yes = 1;
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + count++ % 200);
    int made = socket(AF_INET, SOCK_STREAM, 0);
    (void)setsockopt(made, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
    if (made < 0 || bind(made, (struct sockaddr *)&here, sizeof here) != 0 ||
        connect(made, (struct sockaddr *)&there, sizeof there) != 0) {
        perror("connect");
        abort();
    }
    (void)setsockopt(made, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    return made;
}

/* Whatever comes back first is HTTP. Nothing need come: most of what is sent is no whole request. */
static size_t read_answer(int made, int wait_ms, char *buf, size_t size)
{
    size_t got = 0;
    struct pollfd ready = {.fd = made, .events = POLLIN};
    while (got < size && poll(&ready, 1, got == 0 ? wait_ms : 1) > 0) {
        ssize_t len = recv(made, buf + got, size - got, 0);
        if (len <= 0)
            break;
        got += (size_t)len;
    }
    if (got >= 5 && memcmp(buf, "HTTP/", 5) != 0)
        abort();
    return got;
}

static void send_all(int made, const uint8_t *data, size_t size, size_t piece)
{
    for (size_t at = 0; at < size; at += piece)
        if (send(made, data + at, piece < size - at ? piece : size - at, MSG_NOSIGNAL) < 0)
            return;
}

/* It is still there, for others. */
static void must_be_well(int port)
{
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    char buf[4096];
    int made = connect_to(port);
    send_all(made, (const uint8_t *)request, sizeof request - 1, sizeof request);
    size_t got = read_answer(made, 10000, buf, sizeof buf);
    if (got < 12 || memcmp(buf, "HTTP/1.1 200", 12) != 0)
        abort();
    (void)close(made);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { WAIT_MS = 3, OFTEN = 64 };
    static int port;
    static unsigned count;
    char buf[4096];
    if (size < 2)
        return 0;
    port = port == 0 ? start() : port;
    int made = connect_to(port);
    send_all(made, data + 1, size - 1, data[0] < 128 ? size : data[0] - 127u);
    (void)read_answer(made, WAIT_MS, buf, sizeof buf);
    (void)close(made);
    if (count++ % OFTEN == 0)
        must_be_well(port);
    return 0;
}
