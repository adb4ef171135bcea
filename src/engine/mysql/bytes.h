/* bytes.h — a bounds-checked reader of bytes that others wrote.
 *
 * A read past the end gives zeros, moves to the end and leaves `bad` set for good: whoever reads checks once,
 * before using what was read. Nothing outside [at, end) is ever touched. */
#pragma once
#include "base/err.h"

typedef struct Bytes {
    const uint8_t *at, *end;
    bool bad;
} Bytes;

static inline Bytes bytes_of(const uint8_t *at, size_t len) { return (Bytes){.at = at, .end = at + len}; }
static inline size_t bytes_left(const Bytes *bytes) { return (size_t)(bytes->end - bytes->at); }

/* The next `len` bytes; NULL when there are not so many. */
static inline const uint8_t *bytes_take(Bytes *bytes, size_t len)
{
    if (bytes->bad || len > bytes_left(bytes)) {
        bytes->bad = true;
        bytes->at = bytes->end;
        return NULL;
    }
    const uint8_t *taken = bytes->at;
    bytes->at += len;
    return taken;
}

/* Little-endian, of `size` (1 to 8) bytes. */
static inline uint64_t bytes_little(Bytes *bytes, size_t size)
{
    const uint8_t *from = bytes_take(bytes, size);
    uint64_t value = 0;
    for (size_t i = 0; from != NULL && i < size; i++)
        value |= (uint64_t)from[i] << (8 * i);
    return value;
}

/* Big-endian, of `size` (1 to 8) bytes. */
static inline uint64_t bytes_big(Bytes *bytes, size_t size)
{
    const uint8_t *from = bytes_take(bytes, size);
    uint64_t value = 0;
    for (size_t i = 0; from != NULL && i < size; i++)
        value = value << 8 | from[i];
    return value;
}

/* A length-encoded integer of the client protocol (MySQL internals, "Protocol::LengthEncodedInteger"). */
static inline uint64_t bytes_lenenc(Bytes *bytes)
{
    uint64_t first = bytes_little(bytes, 1);
    if (first < 251)
        return first;
    if (first == 252 || first == 253)
        return bytes_little(bytes, first == 252 ? 2 : 3);
    if (first == 254)
        return bytes_little(bytes, 8);
    bytes->bad = true; /* 251 is NULL, 255 an error packet */
    return 0;
}

static inline bool bytes_bit(const uint8_t *bits, size_t index)
{
    return (bits[index / 8] >> (index % 8) & 1) != 0;
}
