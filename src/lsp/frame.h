/* frame.h — messages out of a stream of bytes: header lines, an empty line, Content-Length bytes of JSON.
 *
 * Source: "Base Protocol" of the Language Server Protocol 3.17. */
#pragma once
#include "base/str.h"

typedef enum FrameKind {
    FRAME_NONE,    /* more bytes are needed */
    FRAME_MESSAGE, /* a whole body */
    FRAME_BAD,     /* a header that is none: bytes were thrown away up to the next that may be one */
    FRAME_LARGE    /* a body beyond FRAME_MOST_BYTES: it is skipped as it comes */
} FrameKind;

enum { FRAME_MOST_BYTES = 64 << 20, FRAME_HEADER_MOST_BYTES = 8 << 10 };

typedef struct Frames {
    Str in;
    size_t at;   /* of `in`: what has been read */
    size_t skip; /* bytes of a body that is not wanted */
} Frames;

void frames_init(Frames *frames);
void frames_done(Frames *frames);
void frames_add(Frames *frames, const char *bytes, size_t len);
/* The body is good until the next call of either function. */
FrameKind frames_next(Frames *frames, const char **ret_body, size_t *ret_len);
