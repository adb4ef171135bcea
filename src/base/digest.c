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

/* An EVP_MD_CTX under a name of ours. */
static EVP_MD_CTX *context_of(const DigestRun *run) { return (EVP_MD_CTX *)(uintptr_t)run; }

DigestRun *digest_run_new(void)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context == NULL || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1)
        abort();
    return (DigestRun *)(void *)context;
}

void digest_run_add(DigestRun *run, const char *bytes, size_t len)
{
    if (EVP_DigestUpdate(context_of(run), bytes, len) != 1)
        abort();
}

char *digest_run_base64(Arena *arena, const DigestRun *run)
{
    unsigned char hash[EVP_MAX_MD_SIZE], text[2 * EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    EVP_MD_CTX *copy = EVP_MD_CTX_new();
    if (copy == NULL || EVP_MD_CTX_copy_ex(copy, context_of(run)) != 1 ||
        EVP_DigestFinal_ex(copy, hash, &size) != 1)
        abort();
    EVP_MD_CTX_free(copy);
    int len = EVP_EncodeBlock(text, hash, (int)size);
    return arena_dupn(arena, (const char *)text, (size_t)len);
}

void digest_run_free(DigestRun *run) { EVP_MD_CTX_free(context_of(run)); }
