/* ssh_sign.h — texts signed with SSH keys, by the user's own ssh-keygen (OpenSSH 8.2 and later), in the
 * namespace "stoa". */
#pragma once
#include "base/arena.h"
#include "base/stop.h"

/* Signs with a private key file, or by the agent where `key` is a public one; a passphrase is asked for on
 * the terminal. Errors: ERR_USAGE with what ssh-keygen says, ERR_STOPPED. */
Err *ssh_sign(Arena *arena, const Stop *stop, const char *key, const char *text,
              const char **ret_signature) MUST_USE;
/* Whose signature it is, by a file of allowed signers: *ret_who is the first principal of the key, or NULL,
 * and *ret_why says why it is nobody's. Errors: ERR_IO, ERR_USAGE (no ssh-keygen, no such file), ERR_STOPPED.
 */
Err *ssh_verify(Arena *arena, const Stop *stop, const char *allowed_signers, const char *text,
                const char *signature, const char **ret_who, const char **ret_why) MUST_USE;
