/* The server of a rehearsal and its databases. */
#include "rehearse/stage.h"

#include "base/clock.h"
#include "base/str.h"
#include "engine/sql.h"
#include "rehearse/machine.h"

#include <math.h>
#include <string.h>
#include <sys/random.h>

enum { CONNECT_MS = 30000, ALIKE_PERCENT = 15, ALIKE_PAGES = 4, PAGE_BYTES = 8192 };

static Wait stage_wait(const Stage *stage) { return (Wait){.stop = stage->wish.stop}; }

void stage_say(const Stage *stage, const char *fmt, ...)
{
    if (stage->wish.say == NULL)
        return;
    va_list args;
    va_start(args, fmt);
    CLEANUP(mem_freep) char *line = mem_format(fmt, args);
    va_end(args);
    stage->wish.say(stage->wish.context, line);
}

void stage_note(Stage *stage, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    CLEANUP(mem_freep) char *line = mem_format(fmt, args);
    va_end(args);
    for (size_t i = 0; i < stage->notes.len; i++)
        if (str_eq(stage->notes.items[i], line))
            return;
    *vec_push(stage->arena, &stage->notes) = arena_dup(stage->arena, line);
}

bool stage_is_alike(double expected_bytes, double actual_bytes)
{
    double apart = fabs(expected_bytes - actual_bytes);
    return apart <= ALIKE_PAGES * PAGE_BYTES || apart * 100 <= expected_bytes * ALIKE_PERCENT;
}

/* ---- where ---------------------------------------------------------------------------------- */

Target stage_target(const Stage *stage, const char *database)
{
    if (stage->server != NULL)
        return (Target){.url = server_url(stage->arena, stage->server, database)};
    return (Target){.url = stage->wish.on, .database = str_eq(database, "") ? NULL : database};
}

/* The database that is there in any case. */
static const char *admin_database(const Stage *stage)
{
    return stage->server != NULL ? stage->engine->host->admin : "";
}

Err *stage_connect(const Stage *stage, const char *database, Conn **ret_conn)
{
    Target target = stage_target(stage, database);
    Wait wait = {.stop = stage->wish.stop, .timeout_ms = CONNECT_MS};
    return stage->wish.ops->connect(&target, "rehearse", &wait, ret_conn);
}

Err *stage_admin_exec(const Stage *stage, const char *sql)
{
    CLEANUP(conn_closep) Conn *conn = NULL;
    Wait wait = stage_wait(stage);
    TRY(stage_connect(stage, admin_database(stage), &conn));
    return conn_exec(conn, &wait, sql);
}

static Err *check_version(Stage *stage)
{
    CLEANUP(conn_closep) Conn *conn = NULL;
    Wait wait = stage_wait(stage);
    Server server = {0};
    TRY(stage_connect(stage, admin_database(stage), &conn));
    TRY(stage->wish.ops->load_server(conn, &wait, stage->arena, &server));
    stage->version = server.version_num;
    const RehearseEngine *engine = stage->engine;
    int wanted = engine->series(stage->wish.facts->version);
    bool brand = str_eq(server.engine, stage->wish.facts->engine);
    if (!brand || engine->series(server.version_num) != wanted)
        return err_hint(err_new(ERR_CONFIG, "the staging server is %s, and the change is for %s",
                                server.version, stage->wish.facts->version_text),
                        "name one of the same major version");
    if (stage->server == NULL && engine->own_name && server.journal_version != 0)
        return err_hint(err_new(ERR_CONFIG, "the staging server has a journal of Stoa already"),
                        "name one on which no change was carried out, or leave --on out");
    if (stage->server == NULL && !engine->own_name && !server.may_create_database)
        return err_hint(
            err_new(ERR_PRIVILEGE, "role \"%s\" may not make databases on the staging server", server.role),
            "ALTER ROLE %s CREATEDB", server.role_sql);
    if (stage->server == NULL && !server.superuser)
        stage_note(stage,
                   "the role on the staging server is no superuser: some of what is counted may be missing");
    return NULL;
}

Err *stage_set_up(Arena *arena, const StageWish *wish, Stage *ret_stage)
{
    Stage *stage = ret_stage;
    uint32_t number = 0;
    *stage = (Stage){.wish = *wish, .arena = arena, .engine = rehearse_engine(wish->facts->engine)};
    if (stage->engine == NULL)
        return err_new(ERR_UNSAFE, "rehearsals of this kind of server are not there yet");
    if (stage->engine->check != NULL)
        TRY(stage->engine->check(wish->facts));
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
        return err_new(ERR_IO, "the system gives no random numbers");
    stage->prefix = arena_printf(arena, "stoa_rehearsal_%08x", number);
    stage->row_bytes = arena_alloc(arena, (wish->facts->table_count + 1) * sizeof *stage->row_bytes);
    if (wish->on == NULL) {
        HostWish host = {.purpose = "rehearsal",
                         .major = stage->engine->series(wish->facts->version),
                         .need_bytes = wish->need_bytes,
                         .settings = stage->engine->settings(arena, wish->facts, wish->share)};
        stage_say(stage, "starting a private server like %s", wish->facts->version_text);
        TRY(server_start(stage->engine->host, wish->ops, wish->stop, &host, &stage->server));
        stage->machine = machine_json(server_dir(stage->server));
    }
    return check_version(stage);
}

void stage_close(Stage *stage)
{
    Stage own = *stage;
    own.wish.stop = NULL; /* also when we were stopped */
    for (size_t i = 0; own.server == NULL && i < own.databases.len; i++)
        if (own.databases.items[i] != NULL)
            err_free(stage_admin_exec(&own, own.engine->drop_sql(own.arena, own.databases.items[i])));
    server_stop(stage->server);
    stage->server = NULL;
    json_decref(stage->machine);
    stage->machine = NULL;
}

Err *stage_hurry(const Stage *stage, bool hurry)
{
    const char *const *sql = stage->engine->pace_sql(stage->arena, stage->wish.facts, hurry);
    for (; stage->server != NULL && *sql != NULL; sql++)
        TRY(stage_admin_exec(stage, *sql));
    return NULL;
}

/* ---- databases ------------------------------------------------------------------------------ */

const char *stage_name(const Stage *stage, const char *what, int64_t number)
{
    return arena_printf(stage->arena, "%s_%s_%lld", stage->prefix, what, (long long)number);
}

const char *stage_trial_name(const Stage *stage, const char *what)
{
    const char *own = stage->wish.facts->database;
    return stage->engine->own_name && own != NULL ? own : stage_name(stage, what, clock_us());
}

const char *stage_schema(const Stage *stage, const FactTable *table, const char *database)
{
    return stage->engine->own_name ? database : table->schema;
}

void stage_own(Stage *stage, const char *name) { *vec_push(stage->arena, &stage->databases) = name; }

static Err *set_path(Stage *stage, const char *name)
{
    if (stage->engine->path_sql == NULL)
        return NULL;
    const char *sql = stage->engine->path_sql(stage->arena, stage->wish.facts, name);
    return sql == NULL ? NULL : stage_admin_exec(stage, sql);
}

Err *stage_create(Stage *stage, const char *name)
{
    const RehearseEngine *engine = stage->engine;
    Err *err = stage_admin_exec(stage, engine->create_sql(stage->arena, stage->wish.facts, name, true));
    if (err_is(err, ERR_SQL)) {
        err_free(err);
        stage_note(stage,
                   "the locale of the source (%s) is not on this machine: texts are compared byte by byte, "
                   "which is faster",
                   stage->wish.facts->collate);
        err = stage_admin_exec(stage, engine->create_sql(stage->arena, stage->wish.facts, name, false));
    }
    TRY(err);
    stage_own(stage, name);
    return set_path(stage, name);
}

Err *stage_copy(Stage *stage, const char *name, const char *from)
{
    TRY(stage->engine->copy(stage, name, from));
    stage_own(stage, name);
    return set_path(stage, name);
}

Err *stage_drop(Stage *stage, const char *name)
{
    for (size_t i = 0; i < stage->databases.len; i++)
        if (str_eq(stage->databases.items[i], name))
            stage->databases.items[i] = NULL;
    return stage_admin_exec(stage, stage->engine->drop_sql(stage->arena, name));
}
