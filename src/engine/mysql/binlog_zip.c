/* Compressed parts of a log: MariaDB's zlib, MySQL's zstd. */
#include "engine/mysql/binlog_parts.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

/* ---- zlib ------------------------------------------------------------------------------------------------
 */

static Err *inflate_all(z_stream *zip, size_t plain_len, Arena *arena, Bytes *ret_plain)
{
    /* Grown as bytes come out: the length is only what somebody wrote. */
    size_t cap = 4096, len = 0;
    uint8_t *plain = mem_resize(NULL, cap);
    int status = Z_OK;
    while (status == Z_OK) {
        if (len == cap) {
            cap *= 2;
            plain = mem_resize(plain, cap);
        }
        zip->next_out = plain + len;
        zip->avail_out = (uInt)(cap - len);
        status = inflate(zip, Z_NO_FLUSH);
        size_t now = cap - zip->avail_out;
        if (now == len && status == Z_OK)
            break; /* no progress: the stream is cut off */
        len = now;
        if (len > plain_len)
            break;
    }
    if (status == Z_STREAM_END && len == plain_len) {
        uint8_t *kept = arena_alloc(arena, len + 1);
        memcpy(kept, plain, len);
        *ret_plain = bytes_of(kept, len);
    }
    free(plain);
    if (status != Z_STREAM_END || len != plain_len)
        return err_new(ERR_IO, "the binary log is damaged: a compressed event cannot be decompressed");
    return NULL;
}

Err *binlog_inflate(Bytes body, Arena *arena, Bytes *ret_plain)
{
    /* The highest bit is always set, the next three are the algorithm: 0 is zlib, and no other was ever made
     * (MariaDB, sql/log_event.cc, binlog_get_uncompress_len). */
    uint64_t head = bytes_little(&body, 1);
    size_t size = (size_t)(head & 7);
    if (body.bad || (head & 0x80) == 0 || size < 1 || size > 4)
        return err_new(ERR_IO, "the binary log is damaged: a compressed event has no length");
    if ((head >> 4 & 7) != 0)
        return err_new(ERR_UNSAFE, "a compressed event uses algorithm %u, which is not known",
                       (unsigned)(head >> 4 & 7));
    uint64_t plain_len = bytes_big(&body, size);
    if (body.bad || plain_len > BINLOG_EVENT_MOST)
        return err_new(ERR_IO, "the binary log is damaged: a compressed event has a wrong length");
    z_stream zip = {.avail_in = (uInt)bytes_left(&body)};
    Bytef *in = arena_alloc(arena, bytes_left(&body) + 1); /* zlib's interface knows no const */
    memcpy(in, body.at, bytes_left(&body));
    zip.next_in = in;
    if (inflateInit(&zip) != Z_OK)
        return err_new(ERR_BUG, "zlib cannot be used");
    Err *err = inflate_all(&zip, (size_t)plain_len, arena, ret_plain);
    (void)inflateEnd(&zip);
    return err;
}

/* ---- zstd ------------------------------------------------------------------------------------------------
 */

struct BinlogPayload {
    ZSTD_DStream *zstd; /* NULL: the payload is not compressed */
    uint8_t *source;    /* owned copy */
    ZSTD_inBuffer in;
    uint8_t *plain; /* decompressed and not handed out yet, from `begin` to `len` */
    size_t begin, len, cap;
    size_t end_state; /* 0: the frame is complete */
};

/* Fields of a payload event's head (Transaction_payload_event): type and length, both length-encoded. */
enum { FIELD_END = 0, FIELD_SIZE = 1, FIELD_COMPRESSION = 2, FIELD_PLAIN_SIZE = 3 };
enum { COMPRESSION_ZSTD = 0, COMPRESSION_NONE = 255 };

static Err *payload_head(Bytes *body, uint64_t *ret_compression, Bytes *ret_payload)
{
    uint64_t size = UINT64_MAX;
    *ret_compression = UINT64_MAX;
    for (;;) {
        uint64_t field = bytes_lenenc(body);
        if (body->bad || field == FIELD_END)
            break;
        size_t len = (size_t)bytes_lenenc(body);
        const uint8_t *value = bytes_take(body, len);
        if (value == NULL)
            break;
        Bytes number = bytes_of(value, len);
        if (field == FIELD_SIZE)
            size = bytes_lenenc(&number);
        else if (field == FIELD_COMPRESSION)
            *ret_compression = bytes_lenenc(&number);
        else if (field != FIELD_PLAIN_SIZE)
            return err_new(ERR_UNSAFE, "TRANSACTION_PAYLOAD has field %u, which is not known",
                           (unsigned)field);
    }
    if (body->bad || size != bytes_left(body))
        return err_new(ERR_IO, "the binary log is damaged: TRANSACTION_PAYLOAD has a wrong length");
    *ret_payload = *body;
    return NULL;
}

Err *binlog_payload_open(Bytes body, BinlogPayload **ret_payload)
{
    uint64_t compression;
    Bytes source = {0};
    TRY(payload_head(&body, &compression, &source));
    if (compression != COMPRESSION_ZSTD && compression != COMPRESSION_NONE)
        return err_new(ERR_UNSAFE, "TRANSACTION_PAYLOAD is compressed by algorithm %u, which is not known",
                       (unsigned)compression);
    BinlogPayload *payload = mem_zero(sizeof *payload);
    payload->source = mem_resize(NULL, bytes_left(&source));
    if (bytes_left(&source) > 0)
        memcpy(payload->source, source.at, bytes_left(&source));
    payload->in = (ZSTD_inBuffer){.src = payload->source, .size = bytes_left(&source)};
    if (compression == COMPRESSION_ZSTD) {
        payload->zstd = ZSTD_createDStream();
        if (payload->zstd == NULL)
            abort(); /* out of memory */
        payload->end_state = 1;
    }
    *ret_payload = payload;
    return NULL;
}

void binlog_payload_close(BinlogPayload *payload)
{
    if (payload == NULL)
        return;
    (void)ZSTD_freeDStream(payload->zstd);
    free(payload->source);
    free(payload->plain);
    free(payload);
}

static void payload_reserve(BinlogPayload *payload, size_t more)
{
    if (payload->begin > 0) {
        memmove(payload->plain, payload->plain + payload->begin, payload->len - payload->begin);
        payload->len -= payload->begin;
        payload->begin = 0;
    }
    if (payload->cap - payload->len < more) {
        payload->cap = (payload->len + more) * 2;
        payload->plain = mem_resize(payload->plain, payload->cap);
    }
}

static bool payload_is_used_up(const BinlogPayload *payload)
{
    return payload->end_state == 0 && payload->in.pos == payload->in.size;
}

static Err *payload_more(BinlogPayload *payload, bool *ret_more)
{
    enum { STEP = 65536 };
    *ret_more = false;
    if (payload_is_used_up(payload)) /* one more call would begin another frame */
        return NULL;
    payload_reserve(payload, STEP);
    if (payload->zstd == NULL) {
        size_t left = payload->in.size - payload->in.pos, step = left < STEP ? left : STEP;
        memcpy(payload->plain + payload->len, payload->source + payload->in.pos, step);
        payload->in.pos += step;
        payload->len += step;
        *ret_more = step > 0;
        return NULL;
    }
    ZSTD_outBuffer out = {.dst = payload->plain, .size = payload->cap, .pos = payload->len};
    size_t read_before = payload->in.pos;
    payload->end_state = ZSTD_decompressStream(payload->zstd, &out, &payload->in);
    if (ZSTD_isError(payload->end_state))
        return err_new(ERR_IO, "the binary log is damaged: TRANSACTION_PAYLOAD cannot be decompressed (%s)",
                       ZSTD_getErrorName(payload->end_state));
    *ret_more = out.pos > payload->len || payload->in.pos > read_before;
    payload->len = out.pos;
    return NULL;
}

/* Has `want` bytes ready, or as many as there are. */
static Err *payload_fill(BinlogPayload *payload, size_t want)
{
    bool more = true;
    while (more && payload->len - payload->begin < want)
        TRY(payload_more(payload, &more));
    return NULL;
}

Err *binlog_payload_next(BinlogPayload *payload, Bytes *ret_event)
{
    enum { SIZE_AT = 9 };
    TRY(payload_fill(payload, BINLOG_HEADER));
    size_t left = payload->len - payload->begin;
    if (left == 0 && payload_is_used_up(payload)) {
        *ret_event = (Bytes){0};
        return NULL;
    }
    Bytes head = bytes_of(payload->plain + payload->begin, left);
    (void)bytes_take(&head, SIZE_AT);
    size_t size = (size_t)bytes_little(&head, 4);
    bool bad = head.bad || size < BINLOG_HEADER || size > BINLOG_EVENT_MOST;
    if (!bad)
        TRY(payload_fill(payload, size));
    if (bad || payload->len - payload->begin < size)
        return err_new(ERR_IO, "the binary log is damaged: TRANSACTION_PAYLOAD ends within an event");
    *ret_event = bytes_of(payload->plain + payload->begin, size);
    payload->begin += size;
    return NULL;
}
