/* Kept values, line by line. */
#include "run/keep_file.h"

#include "base/digest.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WHAT "kept column"

struct KeepWriter {
    char *path, *part;
    FILE *file;
    DigestRun *digest;
    int64_t rows;
    Str line;
    bool done;
};

struct KeepReader {
    FILE *file;
    char *path, *line;
    size_t cap;
    json_t *header;
    int64_t rows, at;
};

/* ---- written -------------------------------------------------------------------------------- */

static bool same_column(const json_t *a, const json_t *b)
{
    static const char *const members[] = {"schema", "table", "column"};
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (!json_equal(json_object_get(a, members[i]), json_object_get(b, members[i])))
            return false;
    return true;
}

static json_t *first_line(FILE *file, char **line, size_t *cap)
{
    ssize_t len = getline(line, cap, file);
    json_t *json = len > 0 ? json_loadb(*line, (size_t)len, 0, NULL) : NULL;
    if (json != NULL && !str_eq(json_string_value(json_object_get(json, "stoa")), WHAT)) {
        json_decref(json);
        return NULL;
    }
    return json;
}

static Err *may_replace(const char *path, const json_t *header)
{
    char *line = NULL;
    size_t cap = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return errno == ENOENT ? NULL : err_new(ERR_USAGE, "cannot write \"%s\": %s", path, strerror(errno));
    json_t *there = first_line(file, &line, &cap);
    (void)fclose(file);
    free(line);
    bool same = there != NULL && same_column(there, header);
    json_decref(there);
    return same ? NULL : err_new(ERR_USAGE, "there is another file \"%s\" already", path);
}

static Err *write_failed(const KeepWriter *writer)
{
    return err_new(errno == ENOSPC ? ERR_DISK_FULL : ERR_IO, "cannot write \"%s\": %s", writer->part,
                   strerror(errno));
}

static Err *put_line(KeepWriter *writer, bool counts)
{
    str_add(&writer->line, "\n");
    if (counts)
        digest_run_add(writer->digest, writer->line.buf, writer->line.len);
    bool written = fwrite(writer->line.buf, 1, writer->line.len, writer->file) == writer->line.len;
    str_clear(&writer->line);
    return written ? NULL : write_failed(writer);
}

static Err *put_json(KeepWriter *writer, const json_t *json, bool counts)
{
    char *text = json_dumps(json, JSON_COMPACT);
    str_add(&writer->line, text == NULL ? "{}" : text);
    free(text);
    return put_line(writer, counts);
}

Err *keep_writer_open(const char *path, json_t *header, KeepWriter **ret_writer)
{
    TRY(may_replace(path, header));
    KeepWriter *writer = mem_zero(sizeof *writer);
    CLEANUP(str_donep) Str part = STR_INIT;
    str_addf(&part, "%s.part", path);
    writer->path = mem_dup(path);
    writer->part = mem_dup(part.buf);
    writer->line = STR_INIT;
    writer->digest = digest_run_new();
    int fd = open(writer->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    writer->file = fd < 0 || fchmod(fd, 0600) != 0 ? NULL : fdopen(fd, "w");
    Err *err = writer->file == NULL ? write_failed(writer) : NULL;
    json_t *first = json_pack("{s:s, s:i}", "stoa", WHAT, "v", 1);
    (void)json_object_update_missing(first, header);
    if (err == NULL)
        err = put_json(writer, first, true);
    json_decref(first);
    if (err != NULL) {
        keep_writer_free(writer);
        return err;
    }
    *ret_writer = writer;
    return NULL;
}

static void put_cell(Str *line, const char *cell)
{
    static const char marks[] = "\\\t\n\r", letters[] = "\\tnr";
    if (cell == NULL) {
        str_add(line, "\\N");
        return;
    }
    for (size_t len; *cell != '\0'; cell += len) {
        len = strcspn(cell, marks);
        str_addn(line, cell, len);
        if (cell[len] == '\0')
            return;
        const char pair[] = {'\\', letters[strchr(marks, cell[len]) - marks]};
        str_addn(line, pair, sizeof pair);
        len++;
    }
}

Err *keep_writer_add(KeepWriter *writer, const char *const *cells, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        str_addn(&writer->line, "\t", i > 0);
        str_add(&writer->line, i == 0 && cells[i] != NULL && cells[i][0] == '{' ? "\\" : "");
        put_cell(&writer->line, cells[i]);
    }
    writer->rows++;
    return put_line(writer, true);
}

static void sync_folder(const char *path)
{
    CLEANUP(mem_freep) char *copy = mem_dup(path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd);
    (void)close(fd);
}

Err *keep_writer_done(KeepWriter *writer)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    json_t *end = json_pack("{s:s, s:I, s:s}", "stoa", "end", "rows", (json_int_t)writer->rows, "sha256",
                            digest_run_base64(arena, writer->digest));
    Err *err = put_json(writer, end, false);
    json_decref(end);
    TRY(err);
    if (fflush(writer->file) != 0 || fsync(fileno(writer->file)) != 0 ||
        rename(writer->part, writer->path) != 0)
        return write_failed(writer);
    writer->done = true;
    sync_folder(writer->path);
    return NULL;
}

int64_t keep_writer_rows(const KeepWriter *writer) { return writer->rows; }

void keep_writer_free(KeepWriter *writer)
{
    if (writer == NULL)
        return;
    if (writer->file != NULL)
        (void)fclose(writer->file);
    if (writer->file != NULL && !writer->done)
        (void)unlink(writer->part);
    digest_run_free(writer->digest);
    str_done(&writer->line);
    free(writer->path);
    free(writer->part);
    free(writer);
}

/* ---- read ----------------------------------------------------------------------------------- */

static Err *broken(const KeepReader *reader, const char *why)
{
    return err_hint(err_new(ERR_VERIFY, "\"%s\" is not whole: %s", reader->path, why),
                    "take another copy of the file");
}

/* The last line; *ret_rows and digest as it says. */
static Err *check_end(KeepReader *reader, const char *text, size_t len, int64_t rows, const DigestRun *digest)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    json_t *end = json_loadb(text, len, 0, NULL);
    bool is_end = str_eq(json_string_value(json_object_get(end, "stoa")), "end");
    bool same = json_integer_value(json_object_get(end, "rows")) == rows &&
                str_eq(json_string_value(json_object_get(end, "sha256")), digest_run_base64(arena, digest));
    json_decref(end);
    if (!is_end)
        return broken(reader, "its last line is missing");
    return same ? NULL : broken(reader, "its rows are not those that were saved");
}

static Err *check_all(KeepReader *reader)
{
    DigestRun *digest = digest_run_new();
    Err *err = NULL;
    bool begun = false, ended = false;
    rewind(reader->file);
    for (ssize_t len; err == NULL && (len = getline(&reader->line, &reader->cap, reader->file)) > 0;) {
        bool json = reader->line[0] == '{'; /* no row begins so */
        if (ended) {
            err = broken(reader, "something follows its last line");
        } else if (json && begun) {
            err = check_end(reader, reader->line, (size_t)len, reader->rows, digest);
            ended = true;
        } else {
            digest_run_add(digest, reader->line, (size_t)len);
            reader->rows += begun;
            begun = true;
        }
    }
    digest_run_free(digest);
    TRY(err);
    return ended ? NULL : broken(reader, "its last line is missing");
}

Err *keep_reader_open(const char *path, KeepReader **ret_reader)
{
    KeepReader *reader = mem_zero(sizeof *reader);
    reader->path = mem_dup(path);
    reader->file = fopen(path, "re");
    Err *err =
        reader->file == NULL ? err_new(ERR_USAGE, "cannot read \"%s\": %s", path, strerror(errno)) : NULL;
    if (err == NULL && (reader->header = first_line(reader->file, &reader->line, &reader->cap)) == NULL)
        err = err_hint(err_new(ERR_USAGE, "\"%s\" was not written by stoa retire --keep-data", path),
                       "give --from the file that --keep-data has written");
    if (err == NULL)
        err = check_all(reader);
    if (err != NULL) {
        keep_reader_free(reader);
        return err;
    }
    rewind(reader->file);
    if (getline(&reader->line, &reader->cap, reader->file) <= 0)
        err = broken(reader, "it became shorter");
    *ret_reader = reader;
    if (err != NULL)
        keep_reader_free(reader);
    return err;
}

const json_t *keep_reader_header(const KeepReader *reader) { return reader->header; }
int64_t keep_reader_rows(const KeepReader *reader) { return reader->rows; }

/* Takes one cell out of the line, which is changed; NULL for \N. */
static const char *take_cell(Arena *arena, char **at)
{
    char *end = *at + strcspn(*at, "\t\n"), *out = *at, *from = *at;
    bool is_null = end - *at == 2 && strncmp(*at, "\\N", 2) == 0;
    char stop = *end;
    for (; from < end; from++) {
        if (*from == '\\' && from + 1 < end) {
            from++;
            *out++ = *from == 't' ? '\t' : *from == 'n' ? '\n' : *from == 'r' ? '\r' : *from;
        } else {
            *out++ = *from;
        }
    }
    const char *cell = is_null ? NULL : arena_dupn(arena, *at, (size_t)(out - *at));
    *at = stop == '\t' ? end + 1 : end;
    return cell;
}

Err *keep_reader_next(KeepReader *reader, Arena *arena, const char **ret_cells, size_t count, bool *ret_done)
{
    *ret_done = reader->at >= reader->rows;
    if (*ret_done)
        return NULL;
    if (getline(&reader->line, &reader->cap, reader->file) <= 0)
        return broken(reader, "it became shorter");
    reader->at++;
    char *at = reader->line;
    for (size_t i = 0; i < count; i++)
        ret_cells[i] = take_cell(arena, &at);
    return *at == '\n' || *at == '\0' ? NULL : broken(reader, "a row has more cells than its key");
}

void keep_reader_free(KeepReader *reader)
{
    if (reader == NULL)
        return;
    if (reader->file != NULL)
        (void)fclose(reader->file);
    json_decref(reader->header);
    free(reader->line);
    free(reader->path);
    free(reader);
}
