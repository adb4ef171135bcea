/* Changed keys, brought over into the shadow.
 *
 * The log announces a change before it can be seen. A transaction keeps its row locks until all others see
 * it, so a locking read that is granted proves that the announced change is visible from then on; and what
 * changes later is announced later. So the read is a statement of its own whose locks end with it, and the
 * application never waits for the work on the shadow that follows. A key log filled by triggers is seen when
 * its change is, and needs no lock. */
#include "base/clock.h"
#include "engine/mysql/conn.h"
#include "engine/mysql/error.h"
#include "engine/mysql/shadow_my.h"
#include "engine/mysql/shadow_stage.h"
#include "engine/mysql/shadow_write.h"

#include <stdlib.h>
#include <string.h>

enum { LOCK_WAIT_MS = 40 /* where the server has no NOWAIT: while holding nothing */ };

typedef struct Apply {
    Conn *conn;
    const Wait *wait;
    Arena *arena;
    const ShadowSpec *spec;
    Form *form;
    bool locked;
    Keys ready; /* visible, to be written */
    Keys found; /* what the source's rows are called; where spellings differ */
    Keys busy;
    int64_t held_ms; /* by a look */
} Apply;

/* ---- seeing what was announced ---------------------------------------------------------------------------
 */

/* A shared lock by way of an index that is not the primary key and holds all that is asked for would be one
 * on the index alone, and a change of another column would not be waited for; an exclusive one is on the row
 * in any case (InnoDB, ha_innobase::build_template). */
static const char *lock_clause(const Apply *apply)
{
    const Flavor *flavor = my_flavor(apply->conn);
    if (strcasecmp(apply->spec->key, "PRIMARY") != 0)
        return flavor_can(flavor, FACT_UPDATE_NOWAIT) ? " FOR UPDATE NOWAIT" : " FOR UPDATE";
    if (flavor_can(flavor, FACT_FOR_SHARE))
        return " FOR SHARE NOWAIT";
    return flavor_can(flavor, FACT_SHARE_NOWAIT) ? " LOCK IN SHARE MODE NOWAIT" : " LOCK IN SHARE MODE";
}

static void add_look(const Apply *apply, Str *sql, const KeyList *keys, size_t from, size_t to,
                     const char *clause)
{
    const Form *form = apply->form;
    str_addf(sql, "SELECT %s FROM %s FORCE INDEX (%s) WHERE ", form->literal, form->source, form->key_index);
    form_add_keys(sql, form->source_names, form->key_count, keys, from, to);
    str_add(sql, clause);
}

static void take_ready(Apply *apply, const KeyList *keys, size_t from, size_t to, const Rows *rows)
{
    for (size_t i = from; i < to; i++)
        *vec_push(apply->arena, &apply->ready) = keys->keys[i];
    for (size_t i = 0; rows != NULL && !apply->spec->key_exact && i < rows->row_count; i++)
        *vec_push(apply->arena, &apply->found) = rows_cell(rows, i, 0);
}

static bool is_in_the_way(const Err *err)
{
    return err_is(err, ERR_LOCK_TIMEOUT) || err_is(err, ERR_DEADLOCK);
}

static Err *ask(Apply *apply, const Wait *wait, const char *sql, Rows *ret_rows)
{
    int64_t from_ms = clock_ms();
    Err *err = conn_query(apply->conn, wait, apply->arena, ret_rows, sql);
    int64_t took_ms = clock_ms() - from_ms;
    apply->held_ms = took_ms > apply->held_ms ? took_ms : apply->held_ms;
    return err;
}

/* With NOWAIT: a batch that is refused is split until the busy rows stand alone. */
static Err *look_nowait(Apply *apply, const KeyList *keys, size_t from, size_t to)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    Rows rows = {0};
    add_look(apply, &sql, keys, from, to, lock_clause(apply));
    Err *err = ask(apply, apply->wait, sql.buf, &rows);
    if (err == NULL) {
        take_ready(apply, keys, from, to, &rows);
        return NULL;
    }
    if (!is_in_the_way(err))
        return err;
    err_free(err);
    if (to - from == 1) {
        *vec_push(apply->arena, &apply->busy) = keys->keys[from];
        return NULL;
    }
    size_t middle = from + (to - from) / 2;
    TRY(look_nowait(apply, keys, from, middle));
    return look_nowait(apply, keys, middle, to);
}

/* Without: one key a statement, each its own transaction, so that nothing is held while one waits. Not
 * several in one message: a KILL QUERY between two of them ends the message, and the client would wait for
 * the rest (dispatch_command; seen on MySQL 5.6). */
static Err *look_waiting(Apply *apply, const KeyList *keys, size_t at)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    Rows rows = {0};
    Wait brief = {.stop = apply->wait == NULL ? NULL : apply->wait->stop, .timeout_ms = LOCK_WAIT_MS};
    add_look(apply, &sql, keys, at, at + 1, lock_clause(apply));
    Err *err = ask(apply, &brief, sql.buf, &rows);
    if (err == NULL) {
        take_ready(apply, keys, at, at + 1, &rows);
        return NULL;
    }
    if (!is_in_the_way(err) && !err_is(err, ERR_CANCELLED))
        return err;
    err_free(err);
    *vec_push(apply->arena, &apply->busy) = keys->keys[at];
    return NULL;
}

static Err *look(Apply *apply, const KeyList *keys, size_t from, size_t to)
{
    bool must_wait = !apply->locked && apply->spec->capture == CAPTURE_LOG;
    if (!must_wait) {
        CLEANUP(str_donep) Str sql = STR_INIT;
        Rows rows = {0};
        add_look(apply, &sql, keys, from, to, "");
        if (!apply->spec->key_exact)
            TRY(conn_query(apply->conn, apply->wait, apply->arena, &rows, sql.buf));
        take_ready(apply, keys, from, to, &rows);
        return NULL;
    }
    if (flavor_can(my_flavor(apply->conn), FACT_SHARE_NOWAIT))
        return look_nowait(apply, keys, from, to);
    for (; from < to; from++)
        TRY(look_waiting(apply, keys, from));
    return NULL;
}

/* ---- writing ---------------------------------------------------------------------------------------------
 */

/* Where a batch is refused for long, each half by itself, until those that are in the way of others, or of
 * whose parents others are, stand alone. */
static Err *write(Apply *apply, Writing *writing, const KeyList *keys, const KeyList *found)
{
    Err *err = write_keys(writing, keys, found);
    bool crowded = err != NULL && err->server_errno == MY_ER_DUP_ENTRY;
    if (crowded && apply->locked)
        err->kind = ERR_SERIALIZE; /* this attempt is given up */
    if ((!is_in_the_way(err) && !crowded) || apply->locked)
        return err;
    err_free(err);
    if (keys->count == 1) {
        *vec_push(apply->arena, &apply->busy) = keys->keys[0];
        return NULL;
    }
    size_t half = keys->count / 2;
    TRY(write(apply, writing, &(KeyList){.keys = keys->keys, .count = half}, found));
    return write(apply, writing, &(KeyList){.keys = keys->keys + half, .count = keys->count - half}, found);
}

static Err *apply_all(Apply *apply, Writing *writing, const KeyList *keys)
{
    KeyList all = keys_distinct(apply->arena, keys);
    for (size_t from = 0; from < all.count; from += FORM_KEYS_MOST) {
        size_t to = from + FORM_KEYS_MOST < all.count ? from + FORM_KEYS_MOST : all.count;
        apply->ready.len = apply->found.len = 0;
        TRY(look(apply, &all, from, to));
        KeyList ready = keys_list(&apply->ready), found = keys_list(&apply->found);
        if (ready.count > 0)
            TRY(write(apply, writing, &ready, &found));
    }
    return NULL;
}

Err *my_shadow_apply(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, const KeyList *keys,
                     const KeyList *owed, bool locked, Applied *ret_applied)
{
    Form *form;
    *ret_applied = (Applied){0};
    TRY(form_load(conn, wait, spec, &form));
    Apply apply = {.conn = conn, .wait = wait, .arena = arena, .spec = spec, .form = form, .locked = locked};
    Writing writing = {.conn = conn,
                       .wait = wait,
                       .arena = arena,
                       .spec = spec,
                       .form = form,
                       .locked = locked,
                       .owed = keys_distinct(arena, owed)};
    Err *err = apply_all(&apply, &writing, keys);
    *ret_applied = (Applied){.busy = keys_list(&apply.busy),
                             .displaced = keys_list(&writing.displaced),
                             .rows = writing.rows,
                             .held_ms = apply.held_ms > writing.held_ms ? apply.held_ms : writing.held_ms};
    return err;
}

Err *my_shadow_ready(Conn *conn, const Wait *wait, const ShadowSpec *spec)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Form *form;
    const char *stage;
    KeyList targets = {0};
    if (spec->key_count == 0) /* there will be nothing to apply */
        return NULL;
    TRY(form_load(conn, wait, spec, &form));
    TRY(stage_open(conn, wait, arena, spec, form, &stage));
    return stage_targets(conn, wait, arena, spec, form, &(KeyList){0}, &targets);
}
