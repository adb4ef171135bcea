/* write, fsync, rename, fsync of the folder. */
#include "serve/flag_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static Err *failed(const char *what, const char *path)
{
    return err_new(ERR_IO, "cannot %s \"%s\": %s", what, path, strerror(errno));
}

static bool put(int file, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t done = write(file, text, len);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        text += done;
        len -= (size_t)done;
    }
    return fsync(file) == 0;
}

/* The new name is there after a crash of the machine, too. */
static void keep_name(Arena *arena, const char *path)
{
    int folder = open(dirname(arena_dup(arena, path)), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return;
    (void)fsync(folder);
    (void)close(folder);
}

Err *flag_file_write(const char *path, const char *text, size_t len)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    const char *fresh = arena_printf(arena, "%s.%d.new", path, (int)getpid());
    int file = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0)
        return failed("write", fresh);
    Err *err = put(file, text, len) ? NULL : failed("write", fresh);
    if (close(file) != 0 && err == NULL)
        err = failed("write", fresh);
    if (err == NULL && rename(fresh, path) != 0)
        err = failed("rename to", path);
    if (err != NULL)
        (void)unlink(fresh);
    else
        keep_name(arena, path);
    return err;
}

Err *flag_file_read(Arena *arena, const char *path, const char **ret_text, size_t *ret_len)
{
    FILE *file = fopen(path, "re");
    *ret_text = NULL;
    if (file == NULL)
        return errno == ENOENT ? NULL : failed("read", path);
    CLEANUP(str_donep) Str text = STR_INIT;
    char bytes[4096];
    for (size_t len = 0; (len = fread(bytes, 1, sizeof bytes, file)) > 0;)
        str_addn(&text, bytes, len);
    Err *err = ferror(file) != 0 ? failed("read", path) : NULL;
    (void)fclose(file);
    if (err != NULL)
        return err;
    *ret_text = arena_dupn(arena, text.buf, text.len);
    *ret_len = text.len;
    return NULL;
}
