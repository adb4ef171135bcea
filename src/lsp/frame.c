/* Messages out of a stream of bytes. */
#include "lsp/frame.h"

#include <string.h>
#include <strings.h>

static const char mark[] = "Content-Length:";
enum { MARK_LEN = sizeof mark - 1 };

void frames_init(Frames *frames)
{
    *frames = (Frames){0};
    str_add(&frames->in, ""); /* on the heap, since it outlives us */
}

void frames_done(Frames *frames) { str_done(&frames->in); }

/* What has been read goes when it is the larger part, so that no byte moves more than once on average. */
static void compact(Frames *frames)
{
    if (frames->at == 0 || frames->at < frames->in.len / 2)
        return;
    size_t left = frames->in.len - frames->at;
    memmove(frames->in.buf, frames->in.buf + frames->at, left);
    frames->in.len = left;
    frames->in.buf[left] = '\0';
    frames->at = 0;
}

static void skip(Frames *frames)
{
    size_t there = frames->in.len - frames->at, now = frames->skip < there ? frames->skip : there;
    frames->at += now;
    frames->skip -= now;
}

void frames_add(Frames *frames, const char *bytes, size_t len)
{
    compact(frames);
    if (len > 0)
        str_addn(&frames->in, bytes, len);
    skip(frames);
}

/* The length that one header line tells; -1: the line tells none; -2: it is no header. */
static int64_t length_of(const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);
    if (colon == NULL || colon == line)
        return -2;
    if (len < MARK_LEN || strncasecmp(line, mark, MARK_LEN) != 0)
        return -1;
    int64_t number = 0;
    size_t at = MARK_LEN, digits = 0;
    while (at < len && line[at] == ' ')
        at++;
    for (; at < len && line[at] >= '0' && line[at] <= '9' && digits < 15; at++, digits++)
        number = number * 10 + (line[at] - '0');
    while (at < len && (line[at] == ' ' || line[at] == '\r'))
        at++;
    return at < len || digits == 0 ? -2 : number;
}

/* Reads the header [from, to); -1: it is none. */
static int64_t header_length(const char *from, const char *to)
{
    int64_t found = -1;
    while (from < to) {
        const char *end = memchr(from, '\n', (size_t)(to - from));
        if (end == NULL)
            end = to;
        size_t len = (size_t)(end - from);
        len -= len > 0 && from[len - 1] == '\r';
        int64_t number = len == 0 ? -1 : length_of(from, len);
        if (number == -2)
            return -1;
        if (number >= 0)
            found = number;
        from = end + 1;
    }
    return found;
}

/* The end of the header, behind its empty line; NULL: not there yet. */
static const char *header_end(const char *from, size_t len)
{
    const char *end = memmem(from, len, "\r\n\r\n", 4), *bare = memmem(from, len, "\n\n", 2);
    if (end != NULL && (bare == NULL || end < bare))
        return end + 4;
    return bare == NULL ? NULL : bare + 2;
}

/* Goes on at the next thing that looks like a header, behind the first byte. */
static FrameKind drop_bad(Frames *frames)
{
    const char *from = frames->in.buf + frames->at;
    size_t len = frames->in.len - frames->at;
    const char *next = len > 1 ? memmem(from + 1, len - 1, mark, MARK_LEN) : NULL;
    size_t keep = len < MARK_LEN ? 0 : MARK_LEN - 1; /* the beginning of one may be at the end */
    frames->at += next != NULL ? (size_t)(next - from) : len - keep;
    return FRAME_BAD;
}

FrameKind frames_next(Frames *frames, const char **ret_body, size_t *ret_len)
{
    skip(frames);
    const char *from = frames->in.buf + frames->at;
    size_t len = frames->in.len - frames->at;
    if (from == NULL || len == 0 || frames->skip > 0)
        return FRAME_NONE;
    const char *body = header_end(from, len < FRAME_HEADER_MOST_BYTES ? len : FRAME_HEADER_MOST_BYTES);
    if (body == NULL)
        return len < FRAME_HEADER_MOST_BYTES ? FRAME_NONE : drop_bad(frames);
    int64_t wanted = header_length(from, body);
    if (wanted < 0)
        return drop_bad(frames);
    size_t header = (size_t)(body - from);
    if (wanted > FRAME_MOST_BYTES) {
        frames->at += header;
        frames->skip = (size_t)wanted;
        skip(frames);
        return FRAME_LARGE;
    }
    if (len - header < (size_t)wanted)
        return FRAME_NONE;
    frames->at += header + (size_t)wanted;
    *ret_body = body;
    *ret_len = (size_t)wanted;
    return FRAME_MESSAGE;
}
