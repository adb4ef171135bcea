/* ssh-keygen -Y: sign, find-principals, verify. */
#include "base/ssh_sign.h"

#include "base/command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIGN_MS = 120000, VERIFY_MS = 15000 }; /* a person may have to touch a key */

static const char name_space[] = "stoa";

/* *ret_good: it ended with 0. What it printed, errors too, without the end of its last line. */
static Err *keygen(Arena *arena, const Stop *stop, const char *const *arguments, const char *input,
                   int64_t timeout_ms, const char **ret_said, bool *ret_good)
{
    CLEANUP(str_donep) Str said = STR_INIT;
    VEC(char *) all = {0};
    int status = 0;
    *vec_push(arena, &all) = arena_dup(arena, "ssh-keygen");
    for (size_t i = 0; arguments[i] != NULL; i++)
        *vec_push(arena, &all) = arena_dup(arena, arguments[i]);
    *vec_push(arena, &all) = NULL;
    char *const *words = all.items;
    Err *err = command_run(
        &(Command){
            .words = words, .input = input, .errors_too = true, .stop = stop, .timeout_ms = timeout_ms},
        &said, &status);
    if (err_is(err, ERR_IO))
        return err_hint(err, "signatures need OpenSSH 8.2 or later: ssh-keygen -Y");
    TRY(err);
    while (said.len > 0 && said.buf[said.len - 1] == '\n')
        said.buf[--said.len] = '\0';
    *ret_said = arena_dup(arena, said.buf);
    *ret_good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    return NULL;
}

Err *ssh_sign(Arena *arena, const Stop *stop, const char *key, const char *text, const char **ret_signature)
{
    static const char begin[] = "-----BEGIN SSH SIGNATURE-----", end[] = "-----END SSH SIGNATURE-----";
    const char *const words[] = {"-Y", "sign", "-n", name_space, "-f", key, NULL};
    const char *said = NULL;
    bool good = false;
    TRY(keygen(arena, stop, words, text, SIGN_MS, &said, &good));
    const char *from = strstr(said, begin), *to = from == NULL ? NULL : strstr(from, end);
    if (!good || to == NULL)
        return err_new(ERR_USAGE, "ssh-keygen cannot sign with \"%s\": %s", key, said);
    *ret_signature = arena_printf(arena, "%.*s\n", (int)(to - from) + (int)sizeof end - 1, from);
    return NULL;
}

static Err *put_file(Arena *arena, const char *text, const char **ret_path)
{
    const char *folder = getenv("TMPDIR");
    char *path = arena_printf(arena, "%s/stoa-XXXXXX", folder == NULL || folder[0] == '\0' ? "/tmp" : folder);
    int fd = mkstemp(path);
    size_t len = strlen(text);
    if (fd < 0)
        return err_new(ERR_IO, "cannot write \"%s\": %s", path, strerror(errno));
    bool good = write(fd, text, len) == (ssize_t)len;
    good = close(fd) == 0 && good;
    *ret_path = path;
    if (good)
        return NULL;
    (void)unlink(path);
    return err_new(ERR_IO, "cannot write \"%s\": %s", path, strerror(errno));
}

static Err *verify_file(Arena *arena, const Stop *stop, const char *allowed, const char *text,
                        const char *file, const char **ret_who, const char **ret_why)
{
    const char *const find[] = {"-Y", "find-principals", "-s", file, "-f", allowed, NULL};
    const char *said = NULL;
    bool good = false;
    *ret_who = NULL;
    TRY(keygen(arena, stop, find, NULL, VERIFY_MS, &said, &good));
    size_t len = strcspn(said, ",\n");
    if (!good || len == 0) {
        *ret_why = "the key is not among the allowed signers";
        return NULL;
    }
    const char *who = arena_dupn(arena, said, len);
    const char *const check[] = {"-Y", "verify", "-n", name_space, "-I", who,
                                 "-s", file,     "-f", allowed,    NULL};
    TRY(keygen(arena, stop, check, text, VERIFY_MS, &said, &good));
    if (good)
        *ret_who = who;
    else
        *ret_why = arena_printf(arena, "the signature is not good: %s", said);
    return NULL;
}

Err *ssh_verify(Arena *arena, const Stop *stop, const char *allowed_signers, const char *text,
                const char *signature, const char **ret_who, const char **ret_why)
{
    const char *path = NULL;
    if (access(allowed_signers, R_OK) != 0)
        return err_new(ERR_USAGE, "cannot read \"%s\", the allowed signers: %s", allowed_signers,
                       strerror(errno));
    TRY(put_file(arena, signature, &path));
    Err *err = verify_file(arena, stop, allowed_signers, text, path, ret_who, ret_why);
    (void)unlink(path);
    return err;
}
