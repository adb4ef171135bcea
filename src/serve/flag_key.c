/* Quoting as SQL does it, and murmur3. */
#include "serve/flag_key.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

const char *flag_key_part(Arena *arena, const char *name)
{
    bool plain = name[0] != '\0';
    for (const char *at = name; *at != '\0' && plain; at++)
        plain = is_plain(*at);
    if (plain)
        return name;
    CLEANUP(str_donep) Str text = STR_INIT;
    str_add(&text, "\"");
    for (const char *at = name; *at != '\0'; at++)
        str_addn(&text, *at == '"' ? "\"\"" : at, *at == '"' ? 2 : 1);
    str_add(&text, "\"");
    return arena_dupn(arena, text.buf, text.len);
}

char *flag_key_plain(Arena *arena, const char *key)
{
    char *plain = arena_alloc(arena, strlen(key) + 1);
    size_t len = 0;
    char quote = 0;
    bool begins = true; /* of a part: only there is a quote one */
    for (const char *at = key; *at != '\0'; at++) {
        if (quote != 0 && *at == quote && at[1] == quote) {
            plain[len++] = *at++;
        } else if (quote != 0 && *at == quote) {
            quote = 0;
        } else if (quote == 0 && begins && (*at == '"' || *at == '`')) {
            quote = *at;
        } else {
            plain[len++] = *at == '.' && quote == 0 ? (char)FLAG_PART_END : *at;
        }
        begins = quote == 0 && *at == '.';
    }
    plain[len] = '\0';
    return plain;
}

int flag_share_read(const char *text)
{
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9' || strspn(text, "0123456789.") + 1 != strlen(text))
        return -1;
    double percent = strtod(text, &end);
    if (!str_eq(end, "%") || !(percent >= 0 && percent <= 100))
        return -1;
    return (int)(percent * 100 + 0.5);
}

static uint32_t turn(uint32_t word, int by) { return word << by | word >> (32 - by); }

static uint32_t stir(uint32_t word) { return turn(word * 0xcc9e2d51u, 15) * 0x1b873593u; }

uint32_t flag_murmur3(const char *bytes, size_t len)
{
    uint32_t hash = 0, word = 0;
    const unsigned char *at = (const unsigned char *)bytes;
    for (size_t i = 0; i < len; i++) {
        word |= (uint32_t)at[i] << 8 * (i % 4);
        if (i % 4 == 3) {
            hash = turn(hash ^ stir(word), 13) * 5 + 0xe6546b64u;
            word = 0;
        }
    }
    if (len % 4 != 0)
        hash ^= stir(word);
    hash ^= (uint32_t)len;
    hash = (hash ^ hash >> 16) * 0x85ebca6bu;
    hash = (hash ^ hash >> 13) * 0xc2b2ae35u;
    return hash ^ hash >> 16;
}

bool flag_share_has(const char *key, const char *target, size_t target_len, int share)
{
    CLEANUP(str_donep) Str text = STR_INIT;
    str_add(&text, key);
    str_addn(&text, target, target_len);
    uint32_t hash = flag_murmur3(text.buf, text.len);
    double size = hash >> 31 != 0 ? 4294967296.0 - (double)hash : (double)hash;
    return size / 2147483647.0 * FLAG_SHARE_ALL < (double)share;
}
