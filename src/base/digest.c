/* SHA-256 over text. */
#include "base/digest.h"

#include "base/str.h"

#include <openssl/evp.h>
#include <stdlib.h>

char *digest_text(Arena *arena, const char *text, size_t len)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    if (EVP_Digest(text, len, hash, &size, EVP_sha256(), NULL) != 1)
        abort();
    CLEANUP(str_donep) Str hex = STR_INIT;
    str_add(&hex, "sha256:");
    for (unsigned int i = 0; i < size; i++)
        str_addf(&hex, "%02x", hash[i]);
    return arena_dup(arena, hex.buf);
}
