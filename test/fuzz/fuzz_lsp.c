/* Bytes as what an editor sends: its first byte says in which pieces they come. */
#include "lsp/frame.h"
#include "lsp/lsp.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_json(void *context UNUSED, const char *text, size_t len)
{
    json_t *message = json_loadb(text, len, 0, NULL);
    if (!json_is_object(message) || json_object_get(message, "jsonrpc") == NULL)
        abort();
    json_decref(message);
}

static void take_all(Lsp *lsp, Frames *frames)
{
    const char *body;
    size_t len;
    for (FrameKind kind; (kind = frames_next(frames, &body, &len)) != FRAME_NONE;) {
        if (kind == FRAME_MESSAGE)
            lsp_take(lsp, body, len);
        else
            lsp_refuse(lsp, "bad");
    }
}

/* Without headers as well, since a body of random length is seldom whole: lines are messages. */
static void take_lines(Lsp *lsp, const char *text, size_t size)
{
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t len = end == NULL ? size - at : (size_t)(end - text) - at;
        lsp_take(lsp, text + at, len);
        at += len + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char first[] = "{\"id\":1,\"method\":\"initialize\",\"params\":{}}";
    static const CheckOptions options = {.today = "2026-11-29", .fixes = true};
    if (size < 1)
        return 0;
    LspHost host = {.send = must_be_json};
    Lsp *lsp = lsp_new(&options, &host);
    Frames frames;
    frames_init(&frames);
    const char *bytes = (const char *)(const void *)(data + 1);
    lsp_take(lsp, first, sizeof first - 1);
    size_t piece = data[0] % 64u + 1u;
    if (data[0] >= 128) {
        take_lines(lsp, bytes, size - 1);
    } else {
        for (size_t at = 0; at < size - 1; at += piece) {
            frames_add(&frames, bytes + at, piece < size - 1 - at ? piece : size - 1 - at);
            take_all(lsp, &frames);
        }
    }
    lsp_check(lsp);
    frames_done(&frames);
    lsp_free(lsp);
    return 0;
}
