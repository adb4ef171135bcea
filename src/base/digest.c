/* SHA-256 over text. */
#include "base/digest.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Found once: libcrypto looks for an algorithm that is named anew each time. */
static EVP_MD *sha256;
static pthread_once_t fetched = PTHREAD_ONCE_INIT;

static void fetch(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (sha256 == NULL)
        abort();
}

char *digest_text(Arena *arena, const char *text, size_t len)
{
    static const char digits[] = "0123456789abcdef", name[] = "sha256:";
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    (void)pthread_once(&fetched, fetch);
    if (EVP_Digest(text, len, hash, &size, sha256, NULL) != 1)
        abort();
    char *hex = arena_alloc(arena, sizeof name + 2 * (size_t)size);
    memcpy(hex, name, sizeof name);
    for (size_t i = 0, at = sizeof name - 1; i < size; i++, at += 2) {
        hex[at] = digits[hash[i] >> 4];
        hex[at + 1] = digits[hash[i] & 15];
    }
    return hex;
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
