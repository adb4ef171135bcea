/* Programs of the user's. */
#include "notify/notice.h"

#include "base/command.h"
#include "base/log.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { HOOK_MS = 30000 };

/* The last line that it has printed, which is most often what went wrong. */
static char *last_words(Str *said)
{
    while (said->len > 0 && strchr(" \r\n\t", said->buf[said->len - 1]) != NULL)
        said->buf[--said->len] = '\0';
    const char *line = strrchr(said->buf, '\n');
    return utf8_line(line == NULL ? said->buf : line + 1);
}

Err *hook_run(const char *program, const Parcel *parcel, const Stop *stop)
{
    static const char *const secrets[] = {
        "STOA_URL",  "STOA_TOKEN", "STOA_WEBHOOK_SECRET", "STOA_PASSWORD_COMMAND", "PGPASSWORD",
        "MYSQL_PWD", NULL};
    const char *words[] = {"sh", "-c", program, NULL};
    Command command = {.words = (char *const *)(uintptr_t)words,
                       .variables = (const char *const *)parcel->variables,
                       .without = secrets,
                       .input = parcel->body,
                       .errors_too = true,
                       .own_group = true,
                       .stop = stop,
                       .timeout_ms = HOOK_MS};
    CLEANUP(str_donep) Str said = STR_INIT;
    int status = 0;
    TRY(command_run(&command, &said, &status));
    if (status == 0)
        return NULL;
    CLEANUP(mem_freep) char *words_said = last_words(&said);
    const char *colon = words_said[0] == '\0' ? "" : ": ";
    return WIFEXITED(status)
               ? err_new(ERR_IO, "it ended with code %d%s%.200s", WEXITSTATUS(status), colon, words_said)
               : err_new(ERR_IO, "it was ended by signal %d%s%.200s", WTERMSIG(status), colon, words_said);
}
