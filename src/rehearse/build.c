/* A database like the source's, with rows of its own. */
#include "rehearse/build.h"

#include "base/str.h"

#include <string.h>

Err *build_run(const Build *build, const char *sql) { return conn_exec(build->conn, &build->wait, sql); }

Err *build_number(const Build *build, const char *sql, int64_t *ret_number)
{
    Rows rows = {0};
    TRY(conn_query(build->conn, &build->wait, build->arena, &rows, sql));
    *ret_number = rows_int(&rows, 0, 0);
    return NULL;
}

double build_share(const Build *build, const FactTable *table, int64_t source_bytes)
{
    return (double)source_bytes * (double)fill_row_count(build->fill, table) /
           (double)(table->rows > 0 ? table->rows : 1);
}

/* ---- definitions ---------------------------------------------------------------------------- */

static bool is_end(const Err *err)
{
    return err != NULL && err->kind != ERR_SQL && err->kind != ERR_PRIVILEGE && err->kind != ERR_LOCK_TIMEOUT;
}

/* A check that made rows do not hold is kept as one that costs the same and says nothing. */
static Err *soften(const Build *build, const CopyStatement *statement, Err *cause)
{
    static const char word[] = " CHECK (";
    const char *check = strstr(statement->sql, word), *end = strrchr(statement->sql, ')');
    err_free(cause);
    if (check == NULL || end == NULL || end < check)
        return NULL;
    const char *inside = check + strlen(word);
    const char *sql =
        arena_printf(build->arena, "%.*s CHECK (coalesce((%.*s) IN (true, false), true))%s",
                     (int)(check - statement->sql), statement->sql, (int)(end - inside), inside, end + 1);
    Err *err = build_run(build, sql);
    if (is_end(err))
        return err;
    stage_note(build->stage, "%s does not hold for made rows: it is %s here", statement->what,
               err == NULL ? "looked at and not enforced" : "left out");
    err_free(err);
    return NULL;
}

static Err *give_up(const Build *build, const CopyStatement *statement, Err *err)
{
    CopyPart part = statement->part;
    if (statement->optional) {
        err_free(err);
        return NULL;
    }
    if (part == COPY_CHECK)
        return soften(build, statement, err);
    if (part == COPY_BEFORE || part == COPY_TABLE)
        return err_wrap(err, "cannot make %s on the rehearsal's server", statement->what);
    CLEANUP(mem_freep) char *why = err_text(err);
    err_free(err);
    stage_note(build->stage, "%s is missing on the rehearsal's server: %s", statement->what, why);
    return NULL;
}

/* Whether it is to be made here. */
static bool is_wanted(const Build *build, const CopyStatement *statement, CopyPart part)
{
    if (statement->part != part || statement->sql == NULL)
        return false;
    const RehearseEngine *engine = build->stage->engine;
    if (engine->is_foreign == NULL || !engine->is_foreign(build->stage->wish.facts, statement))
        return true;
    stage_note(build->stage, "%s is of another change of Stoa: it is left out, and so is what it costs",
               statement->what);
    return false;
}

Err *build_parts(const Build *build, CopyPart first, CopyPart last)
{
    const Facts *facts = build->stage->wish.facts;
    VEC(const CopyStatement *) pending = {0};
    for (int part = (int)first; part <= (int)last; part++)
        for (size_t i = 0; i < facts->statement_count; i++)
            if (is_wanted(build, &facts->statements[i], (CopyPart)part))
                /* a list of pointers: NOLINTNEXTLINE(bugprone-sizeof-expression) */
                *vec_push(build->arena, &pending) = &facts->statements[i];
    for (size_t left = pending.len, before = left + 1; left > 0;) {
        bool final = left == before;
        size_t kept = 0;
        before = left;
        for (size_t i = 0; i < before; i++) {
            Err *err = build_run(build, pending.items[i]->sql);
            if (is_end(err))
                return err;
            if (err != NULL && final) {
                TRY(give_up(build, pending.items[i], err));
                continue;
            }
            if (err != NULL)
                pending.items[kept++] = pending.items[i];
            err_free(err);
        }
        left = kept;
    }
    return NULL;
}

/* ---- rows ----------------------------------------------------------------------------------- */

static Err *fill_one(const Build *build, const FactTable *table)
{
    const RehearseEngine *engine = build->stage->engine;
    const char *sql = NULL;
    int64_t rows = fill_row_count(build->fill, table), chunk = fill_chunk_rows(build->fill);
    if (rows == 0)
        return NULL;
    if (engine->before_rows != NULL)
        TRY(engine->before_rows(build, table));
    for (int64_t low = 0; low < rows; low += chunk) {
        int64_t high = low + chunk < rows ? low + chunk : rows;
        TRY(stop_check(build->stage->wish.stop));
        TRY(fill_insert(build->fill, table, NULL, low, high, &sql));
        Err *err = build_run(build, sql);
        if (err != NULL)
            return err_wrap(err, "cannot make rows of \"%s.%s\"", table->schema, table->name);
    }
    return engine->after_rows == NULL ? NULL : engine->after_rows(build, table);
}

static Err *build_all(const Build *build)
{
    const RehearseEngine *engine = build->stage->engine;
    TRY(build_run(build, engine->begin_sql));
    if (engine->prepare != NULL)
        TRY(engine->prepare(build));
    TRY(build_parts(build, COPY_BEFORE, COPY_DEFAULT));
    for (size_t i = 0; i < build->table_count; i++)
        TRY(fill_one(build, build->tables[i]));
    TRY(build_parts(build, COPY_CHECK, COPY_CHECK));
    TRY(build_parts(build, COPY_INDEX, COPY_INDEX));
    TRY(engine->settle(build));
    TRY(build_parts(build, COPY_REFERENCE, COPY_REFERENCE));
    TRY(build_parts(build, COPY_AROUND, COPY_AROUND));
    return engine->finish(build);
}

Err *stage_build(Stage *stage, const Fill *fill, const FactTable *const *tables, size_t table_count,
                 const char *name)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    CLEANUP(conn_closep) Conn *conn = NULL;
    TRY(stage_create(stage, name));
    TRY(stage_connect(stage, name, &conn));
    Build build = {.stage = stage,
                   .fill = fill,
                   .tables = tables,
                   .table_count = table_count,
                   .database = name,
                   .conn = conn,
                   .wait = {.stop = stage->wish.stop},
                   .arena = arena};
    return build_all(&build);
}
