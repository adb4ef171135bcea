/* Files are read as they grow; the URL is asked once a second. */
#include "run/retire_watch.h"

#include "base/clock.h"
#include "base/str.h"
#include "run/url_probe.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES_MAX = 2000, READ_BYTES = 65536, URL_FIRST_MS = 5000, SHOWN_BYTES = 300 };

typedef struct LogFile {
    const char *path;
    int fd;
    ino_t inode;
    off_t at;
    Str line; /* the beginning of the next one */
} LogFile;

struct RetireWatch {
    Arena *arena;
    LogFile *files;
    size_t file_count;
    const char *const *names;
    size_t name_count;
    UrlProbe *probe;
    VEC(const char *) seen;
};

/* ---- lines ---------------------------------------------------------------------------------- */

static bool is_word(char at) { return isalnum((unsigned char)at) || at == '_' || (at & 0x80) != 0; }

/* The text stands in the line as a word of its own. */
static bool has_word(const char *line, const char *text)
{
    size_t len = strlen(text);
    for (const char *at = line; len > 0 && (at = strcasestr(at, text)) != NULL; at++)
        if ((at == line || !is_word(at[-1])) && !is_word(at[len]))
            return true;
    return false;
}

bool retire_line_tells(const char *line, const char *const *names, size_t count)
{
    static const char *const numbers[] = {"42501", "42703", "42P01", "42S22", "42S02"};
    static const char *const words[] = {
        "permission denied", "does not exist",         "doesn't exist",         "unknown column",
        "undefined column",  "insufficient privilege", "insufficientprivilege", "undefinedcolumn",
        "undefinedtable",    "command denied to user", "unknown table"};
    bool named = false, wrong = false;
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        if (has_word(line, numbers[i]))
            return true;
    for (size_t i = 0; i < ARRAY_LEN(words) && !wrong; i++)
        wrong = strcasestr(line, words[i]) != NULL;
    for (size_t i = 0; i < count && wrong && !named; i++)
        named = has_word(line, names[i]);
    return named;
}

static void take_line(RetireWatch *watch, const LogFile *file)
{
    if (watch->seen.len >= RETIRE_LINES_MAX ||
        !retire_line_tells(file->line.buf, watch->names, watch->name_count))
        return;
    *vec_push(watch->arena, &watch->seen) =
        arena_printf(watch->arena, "%s: %.*s", file->path, (int)SHOWN_BYTES, file->line.buf);
}

static void take_bytes(RetireWatch *watch, LogFile *file, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n') {
            take_line(watch, file);
            str_clear(&file->line);
        } else if (bytes[i] != '\0' && file->line.len < LINE_BYTES_MAX) {
            str_addn(&file->line, &bytes[i], 1);
        }
    }
}

/* ---- files ---------------------------------------------------------------------------------- */

static Err *open_file(LogFile *file, bool at_end)
{
    struct stat about;
    file->fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file->fd < 0 || fstat(file->fd, &about) != 0)
        return err_new(ERR_USAGE, "cannot read \"%s\": %s", file->path, strerror(errno));
    if (!S_ISREG(about.st_mode))
        return err_new(ERR_USAGE, "\"%s\" is not a regular file", file->path);
    file->inode = about.st_ino;
    file->at = at_end ? about.st_size : 0;
    return NULL;
}

static void read_on(RetireWatch *watch, LogFile *file)
{
    char buf[READ_BYTES];
    struct stat about;
    if (file->fd >= 0 && fstat(file->fd, &about) == 0 && about.st_size < file->at)
        file->at = 0; /* it was emptied */
    for (ssize_t got; file->fd >= 0 && (got = pread(file->fd, buf, sizeof buf, file->at)) > 0;) {
        take_bytes(watch, file, buf, (size_t)got);
        file->at += got;
    }
}

/* Another file stands under the name now. */
static void follow(RetireWatch *watch, LogFile *file)
{
    struct stat about;
    read_on(watch, file);
    if (stat(file->path, &about) != 0 || about.st_ino == file->inode)
        return;
    (void)close(file->fd);
    str_clear(&file->line);
    err_free(open_file(file, false));
    read_on(watch, file);
}

/* ---- the URL -------------------------------------------------------------------------------- */

static const char *url_says(RetireWatch *watch, int *ret_status)
{
    int64_t age_ms = 0;
    const char *why = "";
    *ret_status = url_probe_status(watch->probe, clock_ms(), &age_ms, &why);
    return *ret_status == 0
               ? arena_printf(watch->arena, "%s: %s", url_probe_url(watch->probe), why)
               : arena_printf(watch->arena, "%s answers %d", url_probe_url(watch->probe), *ret_status);
}

static Err *first_answer(RetireWatch *watch, const char *url)
{
    int status = -1;
    const char *says = "";
    watch->probe = url_probe_new(url);
    for (int64_t until = clock_ms() + URL_FIRST_MS; status < 0 && clock_ms() < until;) {
        url_probe_step(watch->probe, clock_ms());
        says = url_says(watch, &status);
        struct timespec pause = {.tv_nsec = 10000000L};
        (void)nanosleep(&pause, NULL);
    }
    return status >= 200 && status < 300
               ? NULL
               : err_hint(err_new(ERR_UNSAFE, "%s before anything is hidden: it could tell nothing",
                                  status < 0 ? "the URL does not answer" : says),
                          "--check-url must answer with 2xx while all is well");
}

static void look_at_url(RetireWatch *watch)
{
    int status = -1;
    url_probe_step(watch->probe, clock_ms());
    const char *says = url_says(watch, &status);
    if (status >= 0 && (status < 200 || status > 299) && watch->seen.len < RETIRE_LINES_MAX)
        *vec_push(watch->arena, &watch->seen) = says;
}

/* ---- all ------------------------------------------------------------------------------------ */

Err *retire_watch_open(const char *const *files, size_t file_count, const char *url, const char *const *names,
                       size_t name_count, RetireWatch **ret_watch)
{
    RetireWatch *watch = mem_zero(sizeof *watch);
    Err *err = NULL;
    watch->arena = arena_new();
    watch->names = names;
    watch->name_count = name_count;
    watch->files = arena_alloc(watch->arena, (file_count + 1) * sizeof *watch->files);
    for (size_t i = 0; i < file_count && err == NULL; i++) {
        watch->files[i] = (LogFile){.path = files[i], .fd = -1, .line = STR_INIT};
        watch->file_count++;
        err = open_file(&watch->files[i], true);
    }
    if (err == NULL && url != NULL)
        err = first_answer(watch, url);
    if (err != NULL) {
        retire_watch_free(watch);
        return err;
    }
    *ret_watch = watch;
    return NULL;
}

void retire_watch_step(RetireWatch *watch)
{
    for (size_t i = 0; i < watch->file_count; i++)
        follow(watch, &watch->files[i]);
    if (watch->probe != NULL && watch->seen.len == 0)
        look_at_url(watch);
}

const char *const *retire_watch_seen(const RetireWatch *watch, size_t *ret_count)
{
    *ret_count = watch->seen.len;
    return watch->seen.items;
}

const char *retire_watch_by(const RetireWatch *watch)
{
    return watch->file_count > 0  ? watch->probe != NULL ? "log and url" : "log"
           : watch->probe != NULL ? "url"
                                  : NULL;
}

void retire_watch_free(RetireWatch *watch)
{
    if (watch == NULL)
        return;
    for (size_t i = 0; i < watch->file_count; i++) {
        if (watch->files[i].fd >= 0)
            (void)close(watch->files[i].fd);
        str_done(&watch->files[i].line);
    }
    url_probe_free(watch->probe);
    arena_free(watch->arena);
    free(watch);
}
