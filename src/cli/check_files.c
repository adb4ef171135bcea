/* Files and folders of "stoa check", read. */
#include "base/str.h"
#include "cli/findings.h"

#include <dirent.h>
#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_MOST_BYTES = 256 << 20 };

/* What is no UTF-8 becomes "?", byte by byte, so that places stay what they are. */
static void mend_utf8(char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        unsigned char c = (unsigned char)text[i];
        size_t size = c < 0x80                ? 1
                      : c >= 0xC2 && c < 0xE0 ? 2
                      : c >= 0xE0 && c < 0xF0 ? 3
                      : c >= 0xF0 && c < 0xF5 ? 4
                                              : 0;
        bool good = size > 0 && i + size <= len;
        for (size_t j = 1; good && j < size; j++)
            good = ((unsigned char)text[i + j] & 0xC0) == 0x80;
        if (good && size > 2) {
            unsigned char d = (unsigned char)text[i + 1];
            good = !(c == 0xE0 && d < 0xA0) && !(c == 0xED && d > 0x9F) && !(c == 0xF0 && d < 0x90) &&
                   !(c == 0xF4 && d > 0x8F);
        }
        if (!good)
            text[i] = '?';
        i += good ? size : 1;
    }
}

static Err *read_stream(Arena *arena, FILE *file, const char *label, const char **ret_text, size_t *ret_len)
{
    CLEANUP(str_donep) Str all = STR_INIT;
    char buf[65536];
    for (size_t len; (len = fread(buf, 1, sizeof buf, file)) > 0;) {
        if (memchr(buf, '\0', len) != NULL)
            return err_new(ERR_USAGE, "\"%s\" is not text", label);
        str_addn(&all, buf, len);
        if (all.len > FILE_MOST_BYTES)
            return err_new(ERR_USAGE, "\"%s\" is larger than 256 MB", label);
    }
    if (ferror(file))
        return err_new(ERR_USAGE, "cannot read \"%s\": %s", label, strerror(errno));
    char *text = arena_dupn(arena, all.buf, all.len);
    mend_utf8(text, all.len);
    *ret_text = text;
    *ret_len = all.len;
    return NULL;
}

Err *check_file_text(Arena *arena, const char *path, const char **ret_text, size_t *ret_len)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return err_new(ERR_USAGE, "cannot read \"%s\": %s", path, strerror(errno));
    Err *err = read_stream(arena, file, path, ret_text, ret_len);
    (void)fclose(file);
    return err;
}

static Err *add_file(Cli *cli, SourceSet *set, const char *path)
{
    Source source = {.path = arena_dup(cli->arena, path)};
    TRY(check_file_text(cli->arena, path, &source.text, &source.len));
    *vec_push(cli->arena, &set->files) = source;
    return NULL;
}

static bool ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

/* What a tool keeps beside its files. */
static Err *read_beside(Cli *cli, SourceSet *set, const char *path, const char *name)
{
    const char *text = "";
    size_t len = 0;
    set->atlas = set->atlas || str_eq(name, "atlas.sum");
    set->prisma = set->prisma || str_eq(name, "migration_lock.toml");
    if (str_eq(name, "atlas.sum"))
        TRY(check_file_text(cli->arena, path, &set->atlas_sum, &len));
    if (str_eq(name, "sqitch.plan"))
        TRY(check_file_text(cli->arena, path, &set->plan, &len));
    if (!ends_with(name, ".sql.conf"))
        return NULL;
    TRY(check_file_text(cli->arena, path, &text, &len));
    if (strstr(text, "executeInTransaction=false") != NULL)
        *vec_push(cli->arena, &set->plain) = arena_dupn(cli->arena, path, strlen(path) - strlen(".conf"));
    return NULL;
}

static int compare_entries(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static Err *take_entry(Cli *cli, SourceSet *set, FTS *tree, FTSENT *entry)
{
    bool hidden = entry->fts_level > 0 && entry->fts_name[0] == '.';
    if (entry->fts_info == FTS_D && (hidden || str_eq(entry->fts_name, "node_modules")))
        (void)fts_set(tree, entry, FTS_SKIP);
    if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR)
        return err_new(ERR_USAGE, "cannot read \"%s\": %s", entry->fts_path, strerror(entry->fts_errno));
    if ((entry->fts_info != FTS_F && entry->fts_info != FTS_SL) || hidden)
        return NULL;
    TRY(read_beside(cli, set, entry->fts_path, entry->fts_name));
    return ends_with(entry->fts_name, ".sql") ? add_file(cli, set, entry->fts_path) : NULL;
}

static Err *add_folder(Cli *cli, SourceSet *set, const char *path)
{
    char *root = arena_dup(cli->arena, path);
    for (size_t len = strlen(root); len > 1 && root[len - 1] == '/'; len--)
        root[len - 1] = '\0';
    set->folder = root;
    char *roots[] = {root, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, compare_entries);
    if (tree == NULL)
        return err_new(ERR_USAGE, "cannot read \"%s\": %s", path, strerror(errno));
    Err *err = NULL;
    for (FTSENT *entry; err == NULL && (entry = fts_read(tree)) != NULL;)
        err = take_entry(cli, set, tree, entry);
    (void)fts_close(tree);
    if (err == NULL && set->files.len == 0)
        err = err_hint(err_new(ERR_USAGE, "\"%s\" holds no SQL file", path), "files end in .sql");
    return err;
}

static Err *add_stdin(Cli *cli, SourceSet *set)
{
    const char *path = cli_setting(cli, OPT_STDIN_FILEPATH)->text;
    Source source = {.path = path == NULL ? "<stdin>" : path, .from_stdin = true};
    TRY(read_stream(cli->arena, stdin, "standard input", &source.text, &source.len));
    *vec_push(cli->arena, &set->files) = source;
    return NULL;
}

/* Beside a file that is given alone. */
static Err *look_beside(Cli *cli, SourceSet *set, const char *path)
{
    const char *conf = arena_printf(cli->arena, "%s.conf", path);
    struct stat there;
    return stat(conf, &there) == 0 ? read_beside(cli, set, conf, conf) : NULL;
}

static int is_visible(const struct dirent *entry) { return entry->d_name[0] != '.'; }

enum { MOST_NEIGHBOURS = 2000 };

void check_neighbours(Cli *cli, SourceSet *set, const char *path)
{
    const char *slash = strrchr(path, '/');
    struct dirent **entries = NULL;
    if (slash == NULL)
        return;
    const char *folder = arena_dupn(cli->arena, path, (size_t)(slash - path));
    int count = scandir(folder[0] == '\0' ? "/" : folder, &entries, is_visible, alphasort);
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name, *full = arena_printf(cli->arena, "%s/%s", folder, name);
        Err *err = i < MOST_NEIGHBOURS ? read_beside(cli, set, full, name) : NULL;
        if (err == NULL && i < MOST_NEIGHBOURS && ends_with(name, ".sql") && strcmp(full, path) != 0) {
            err = add_file(cli, set, full);
            if (err == NULL)
                set->files.items[set->files.len - 1].applied = true;
        }
        err_free(err);
        free(entries[i]);
    }
    free(entries);
}

/* Files that are given one by one go together, in the order of their tool; each folder is a set. */
Err *check_sets(Cli *cli, SourceSet ***ret_sets, size_t *ret_count)
{
    static const char *const standard[] = {"-"};
    bool none = cli->args.positional_count == 0;
    const char *const *paths = none ? standard : cli->args.positionals;
    size_t count = none ? 1 : cli->args.positional_count;
    SourceSet **sets = arena_alloc(cli->arena, (count + 1) * sizeof(SourceSet *));
    SourceSet *files = NULL;
    *ret_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct stat there;
        bool folder = strcmp(paths[i], "-") != 0 && stat(paths[i], &there) == 0 && S_ISDIR(there.st_mode);
        SourceSet *set = folder || files == NULL ? arena_alloc(cli->arena, sizeof *set) : files;
        if (folder || files == NULL)
            sets[(*ret_count)++] = set;
        files = folder ? files : set;
        if (folder) {
            TRY(add_folder(cli, set, paths[i]));
        } else if (strcmp(paths[i], "-") == 0) {
            TRY(add_stdin(cli, set));
        } else {
            TRY(add_file(cli, set, paths[i]));
            TRY(look_beside(cli, set, paths[i]));
        }
    }
    *ret_sets = sets;
    return NULL;
}
