/* The language server on standard input and output. */
#include "base/clock.h"
#include "cli/findings.h"
#include "lsp/frame.h"
#include "lsp/lsp.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* A text is checked when nothing has come for so long, and while somebody types, every so often. */
enum { REST_MS = 30, AT_LATEST_MS = 500 };

typedef struct Line {
    Cli *cli;
    bool broken; /* nobody reads what we send */
} Line;

static void send_message(void *context, const char *text, size_t len)
{
    Line *line = context;
    if (line->broken)
        return;
    line->broken = fprintf(stdout, "Content-Length: %zu\r\n\r\n", len) < 0 ||
                   fwrite(text, 1, len, stdout) != len || fflush(stdout) != 0;
}

/* What is read for one check goes with it. */
static void look_beside(void *context, Arena *arena, SourceSet *set, const char *path)
{
    const Line *line = context;
    Cli borrowed = *line->cli;
    borrowed.arena = arena;
    check_neighbours(&borrowed, set, path);
}

static void take_all(Lsp *lsp, Frames *frames)
{
    const char *body = NULL;
    size_t len = 0;
    while (!lsp_over(lsp))
        switch (frames_next(frames, &body, &len)) {
        case FRAME_NONE:
            return;
        case FRAME_MESSAGE:
            lsp_take(lsp, body, len);
            break;
        case FRAME_BAD:
            lsp_refuse(lsp, "no header that tells Content-Length");
            break;
        case FRAME_LARGE:
            lsp_refuse(lsp, "a message of more than 64 MB");
            break;
        }
}

/* Reads what is there; false at the end. */
static bool read_some(Frames *frames)
{
    char bytes[65536];
    ssize_t got = read(STDIN_FILENO, bytes, sizeof bytes);
    if (got > 0)
        frames_add(frames, bytes, (size_t)got);
    return got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN));
}

static void serve(Cli *cli, Lsp *lsp, Frames *frames, const Line *line)
{
    int64_t since_ms = 0; /* when the first change came that was not checked */
    while (!lsp_over(lsp) && !line->broken && stop_level(&cli->stop) == STOP_NONE) {
        take_all(lsp, frames);
        bool waits = lsp_waits(lsp) && !lsp_over(lsp);
        int64_t now_ms = clock_ms();
        since_ms = !waits ? 0 : since_ms == 0 ? now_ms : since_ms;
        struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
        int ready = waits && now_ms - since_ms > AT_LATEST_MS ? 0 : poll(&input, 1, waits ? REST_MS : 1000);
        if (ready > 0 && !read_some(frames))
            return;
        if (ready == 0 && waits) {
            lsp_check(lsp);
            since_ms = 0;
        }
    }
}

Err *check_lsp(Cli *cli, const CheckOptions *options)
{
    Arena *arena = arena_new();
    SourceSet none = {0}, *sets[] = {&none};
    CheckResult result;
    Line line = {.cli = cli};
    Err *err = check_run(arena, sets, 1, options, &result); /* the options are right, or never will be */
    arena_free(arena);
    if (err != NULL)
        return err;
    LspHost host = {.context = &line, .send = send_message, .beside = look_beside};
    Lsp *lsp = lsp_new(options, &host);
    Frames frames;
    frames_init(&frames);
    serve(cli, lsp, &frames, &line);
    cli->exit_code = lsp_exit_code(lsp);
    frames_done(&frames);
    lsp_free(lsp);
    return NULL;
}
