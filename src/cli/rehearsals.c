/* Where reports of rehearsals are kept and found. */
#include "cli/rehearsals.h"

#include "base/digest.h"
#include "base/log.h"
#include "serve/flag_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { KEPT_MOST_BYTES = 16 << 20, PLACE_DIGITS = 12 };

/* NULL: nobody says where. */
static const char *folder_of(const Cli *cli)
{
    const char *given = cli_setting(cli, OPT_REHEARSALS)->text;
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (given != NULL)
        return given;
    if (state != NULL && state[0] == '/')
        return arena_printf(cli->arena, "%s/stoa/rehearsals", state);
    if (home != NULL && home[0] == '/')
        return arena_printf(cli->arena, "%s/.local/state/stoa/rehearsals", home);
    return NULL;
}

/* With all that is above it. */
static Err *make_folder(Arena *arena, const char *folder)
{
    char *path = arena_dup(arena, folder);
    for (char *at = path + 1;; at++) {
        if (*at != '/' && *at != '\0')
            continue;
        char was = *at;
        *at = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return err_new(ERR_IO, "cannot make the folder \"%s\": %s", path, strerror(errno));
        *at = was;
        if (was == '\0')
            return NULL;
    }
}

/* One plan may be that of many databases. */
static const char *file_of(Arena *arena, const char *folder, const char *plan_digest, const char *system,
                           const char *database)
{
    const char *colon = strchr(plan_digest, ':');
    const char *place =
        arena_printf(arena, "%s\n%s", system == NULL ? "" : system, database == NULL ? "" : database);
    const char *hash = strchr(digest_text(arena, place, strlen(place)), ':') + 1;
    return arena_printf(arena, "%s/%s-%.*s.json", folder, colon == NULL ? plan_digest : colon + 1,
                        PLACE_DIGITS, hash);
}

static const char *text_in(const json_t *json, const char *key)
{
    return json_string_value(json_object_get(json, key));
}

Err *rehearsals_keep(Cli *cli, const json_t *report, const char **ret_path)
{
    const char *folder = folder_of(cli), *digest = text_in(report, "plan_digest");
    *ret_path = NULL;
    if (folder == NULL || digest == NULL || strchr(digest, '/') != NULL)
        return NULL;
    TRY(make_folder(cli->arena, folder));
    const char *path =
        file_of(cli->arena, folder, digest, text_in(report, "system"), text_in(report, "database"));
    CLEANUP(mem_freep)
    char *text = json_dumps(report, JSON_INDENT(1) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(12));
    if (text == NULL)
        return err_new(ERR_BUG, "a report of a rehearsal that is no JSON");
    TRY(flag_file_write(path, text, strlen(text)));
    *ret_path = path;
    return NULL;
}

/* Whatever stands in the file: it has to say itself what it is of. */
static bool is_of(const json_t *report, const Plan *plan)
{
    const char *system = text_in(report, "system"), *database = text_in(report, "database");
    return str_eq(text_in(report, "plan_digest"), plan->plan_digest) &&
           (system == NULL || str_eq(system, plan->system_id)) &&
           (database == NULL || str_eq(database, plan->database)) &&
           json_is_object(json_object_get(report, "prediction"));
}

static json_t *read_report(Arena *arena, const char *path, const Plan *plan)
{
    const char *text = NULL;
    size_t len = 0;
    struct stat about;
    if (stat(path, &about) != 0 || about.st_size > KEPT_MOST_BYTES)
        return NULL;
    Err *err = flag_file_read(arena, path, &text, &len);
    json_t *report = err == NULL && text != NULL ? json_loadb(text, len, 0, NULL) : NULL;
    err_free(err);
    if (report != NULL && is_of(report, plan))
        return report;
    log_line(LOG_WARN, "\"%s\" is no rehearsal of this plan, and is left aside", path);
    json_decref(report);
    return NULL;
}

json_t *rehearsals_find(Cli *cli, const Plan *plan)
{
    const char *folder = folder_of(cli);
    if (folder == NULL || plan->plan_digest == NULL)
        return NULL;
    json_t *report = read_report(
        cli->arena, file_of(cli->arena, folder, plan->plan_digest, plan->system_id, plan->database), plan);
    return report != NULL
               ? report
               : read_report(cli->arena, file_of(cli->arena, folder, plan->plan_digest, NULL, NULL), plan);
}

json_t *rehearsals_ask(void *context, const Plan *plan) { return rehearsals_find(context, plan); }
