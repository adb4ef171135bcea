/* The exit codes, and which kind of error becomes which. */
#include "cli/exit.h"

const ExitInfo exit_infos[] = {
    {EXIT_DONE, "done, or nothing to do"},
    {EXIT_FAILED, "failed"},
    {EXIT_USAGE, "wrong usage or configuration; nothing was changed"},
    {EXIT_HELD, "paused, waiting or held by another process; can be resumed"},
    {EXIT_UNSAFE, "refused as unsafe, or findings"},
    {EXIT_LOCK, "a lock was never granted within --lock-wait"},
    {EXIT_VERIFY, "verify found differences"},
    {EXIT_CONNECT, "no connection, or a missing permission"},
    {EXIT_AMBIGUOUS, "ambiguous: look before retrying"},
    {EXIT_BUG, "a bug in Stoa"},
    {EXIT_SIGNAL, "plus n: ended by a second signal n"},
};
const size_t exit_info_count = ARRAY_LEN(exit_infos);

int exit_for(ErrKind kind)
{
    switch (kind) {
    case ERR_BUG:
        return EXIT_BUG;
    case ERR_USAGE:
    case ERR_CONFIG:
        return EXIT_USAGE;
    case ERR_IO:
    case ERR_SQL:
    case ERR_DEADLOCK:
    case ERR_SERIALIZE:
    case ERR_CANCELLED:
    case ERR_DISK_FULL:
        return EXIT_FAILED;
    case ERR_CONNECT:
    case ERR_PRIVILEGE:
    case ERR_CONN_LOST:
        return EXIT_CONNECT;
    case ERR_LOCK_TIMEOUT:
    case ERR_LOCK_BUDGET:
        return EXIT_LOCK;
    case ERR_UNSAFE:
    case ERR_GONE:
        return EXIT_UNSAFE;
    case ERR_VERIFY:
        return EXIT_VERIFY;
    case ERR_HELD:
    case ERR_FENCED:
    case ERR_STOPPED:
        return EXIT_HELD;
    case ERR_AMBIGUOUS:
        return EXIT_AMBIGUOUS;
    }
    return EXIT_BUG;
}
