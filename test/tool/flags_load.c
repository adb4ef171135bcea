/* flags_load PORT PATH RATE SECONDS CONNECTIONS: POSTs evaluations at a fixed rate, whether or not the server
 * keeps up, and prints figures as JSON. A request's time counts from when it was due. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_BYTES = 1 << 20, CONNECTIONS_MAX = 1000, LATE_S = 5 };

typedef struct Line {
    int socket;
    bool busy;
    double due;
    size_t got;
    char *answer;
} Line;

typedef struct Load {
    char request[4096];
    size_t request_len;
    int epoll;
    Line lines[CONNECTIONS_MAX];
    size_t line_count, sent, done, failed, wanted;
    double *ms;
} Load;

static double now(void)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int dial(uint16_t port)
{
    struct sockaddr_in there = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (made < 0 || connect(made, (struct sockaddr *)(void *)&there, sizeof there) != 0)
        die("connect");
    return made;
}

/* The length of the whole answer, or 0 while it is not known. */
static size_t whole(const Line *line)
{
    const char *end = strstr(line->answer, "\r\n\r\n"), *len = strcasestr(line->answer, "content-length:");
    return end == NULL || len == NULL || len > end
               ? 0
               : (size_t)(end - line->answer) + 4 + strtoul(len + 15, NULL, 10);
}

static void take(Load *load, Line *line)
{
    ssize_t len = recv(line->socket, line->answer + line->got, ANSWER_BYTES - 1 - line->got, MSG_DONTWAIT);
    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (len <= 0)
        die("the server has hung up");
    line->got += (size_t)len;
    line->answer[line->got] = '\0';
    size_t wanted = whole(line);
    if (wanted == 0 || line->got < wanted)
        return;
    load->failed += strncmp(line->answer, "HTTP/1.1 200", 12) != 0;
    load->ms[load->done++] = (now() - line->due) * 1000;
    line->busy = false;
}

static void fire(Load *load, Line *line, double due)
{
    line->busy = true;
    line->due = due;
    line->got = 0;
    if (send(line->socket, load->request, load->request_len, MSG_NOSIGNAL) != (ssize_t)load->request_len)
        die("send");
    load->sent++;
}

static Line *idle_line(Load *load, size_t *next)
{
    for (size_t i = 0; i < load->line_count; i++) {
        Line *line = &load->lines[(*next + i) % load->line_count];
        if (line->busy)
            continue;
        *next = (*next + i + 1) % load->line_count;
        return line;
    }
    return NULL;
}

static void receive(Load *load, int wait_ms)
{
    struct epoll_event events[64];
    int count = epoll_wait(load->epoll, events, 64, wait_ms);
    for (int i = 0; i < count; i++)
        take(load, events[i].data.ptr);
}

static void run(Load *load, double rate)
{
    double start = now();
    size_t next = 0;
    double last = start + (double)load->wanted / rate + LATE_S;
    while (load->done < load->wanted && now() < last) {
        double due = start + (double)load->sent / rate;
        Line *line = load->sent < load->wanted && now() >= due ? idle_line(load, &next) : NULL;
        if (line != NULL)
            fire(load, line, due);
        else
            receive(load, load->sent == load->wanted || due - now() > 0.002 ? 1 : 0);
    }
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    static Load load;
    if (argc != 6)
        return 2;
    static const char body[] = "{\"context\":{\"targetingKey\":\"user-4711\",\"plan\":\"gold\"}}";
    double rate = strtod(argv[3], NULL), seconds = strtod(argv[4], NULL), begun = 0;
    load.line_count = strtoul(argv[5], NULL, 10);
    load.wanted = (size_t)(rate * seconds);
    if (load.line_count == 0 || load.line_count > CONNECTIONS_MAX || load.wanted == 0)
        return 2;
    load.request_len =
        (size_t)snprintf(load.request, sizeof load.request,
                         "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                         "Content-Length: %zu\r\n\r\n%s",
                         argv[2], sizeof body - 1, body);
    load.ms = calloc(load.wanted, sizeof *load.ms);
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    for (size_t i = 0; i < load.line_count; i++) {
        Line *line = &load.lines[i];
        *line = (Line){.socket = dial((uint16_t)strtoul(argv[1], NULL, 10)), .answer = malloc(ANSWER_BYTES)};
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = line};
        if (line->answer == NULL || load.ms == NULL ||
            epoll_ctl(load.epoll, EPOLL_CTL_ADD, line->socket, &event) != 0)
            die("epoll");
    }
    begun = now();
    run(&load, rate);
    double took = now() - begun;
    if (load.done == 0)
        return 1;
    qsort(load.ms, load.done, sizeof *load.ms, by_size);
    printf("{\"wanted\": %zu, \"done\": %zu, \"failed\": %zu, \"per_s\": %.0f, \"p50_ms\": %.3f, \"p99_ms\": "
           "%.3f, "
           "\"p999_ms\": %.3f, \"max_ms\": %.3f}\n",
           load.wanted, load.done, load.failed, (double)load.done / took, load.ms[load.done / 2],
           load.ms[load.done * 99 / 100], load.ms[load.done * 999 / 1000], load.ms[load.done - 1]);
    return 0;
}
