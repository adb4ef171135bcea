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
#include "engine/mysql/shadow_conflict.h"
#include "engine/mysql/shadow_my.h"

#include <stdlib.h>
#include <string.h>

enum {
    LOCK_WAIT_MS = 40, /* where the server has no NOWAIT: while holding nothing */
    FINISH_MS = 15000,
};

typedef VEC(const char *) Keys;

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
    Keys displaced;
    int64_t rows;
} Apply;

static KeyList keys_list(const Keys *keys) { return (KeyList){.keys = keys->items, .count = keys->len}; }

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Each key once. */
static KeyList distinct(Arena *arena, const KeyList *keys)
{
    const char **sorted = arena_alloc(arena, (keys->count + 1) * sizeof *sorted);
    if (keys->count > 0)
        memcpy(sorted, keys->keys, keys->count * sizeof *sorted);
    qsort(sorted, keys->count, sizeof *sorted, compare_text);
    size_t count = 0;
    for (size_t i = 0; i < keys->count; i++)
        if (count == 0 || strcmp(sorted[count - 1], sorted[i]) != 0)
            sorted[count++] = sorted[i];
    return (KeyList){.keys = sorted, .count = count};
}

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

/* With NOWAIT: a batch that is refused is split until the busy rows stand alone. */
static Err *look_nowait(Apply *apply, const KeyList *keys, size_t from, size_t to)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    Rows rows = {0};
    add_look(apply, &sql, keys, from, to, lock_clause(apply));
    Err *err = conn_query(apply->conn, apply->wait, apply->arena, &rows, sql.buf);
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
    Err *err = conn_query(apply->conn, &brief, apply->arena, &rows, sql.buf);
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

/* START TRANSACTION would end LOCK TABLES. */
static Err *begin(const Apply *apply)
{
    return my_exec(apply->conn, apply->wait, apply->locked ? "SET autocommit = 0" : "START TRANSACTION");
}

/* Not given up early, but where writers wait for it. */
static Wait finishing(const Apply *apply)
{
    Wait finish = {.timeout_ms = FINISH_MS};
    if (apply->wait != NULL) {
        finish.stop = apply->wait->stop;
        finish.until_ms = apply->locked ? apply->wait->until_ms : 0;
    }
    return finish;
}

static Err *commit(const Apply *apply)
{
    Wait finish = finishing(apply);
    TRY(my_exec(apply->conn, &finish, "COMMIT"));
    return apply->locked ? my_exec(apply->conn, &finish, "SET autocommit = 1") : NULL;
}

static void give_up(const Apply *apply)
{
    rows_rollback(apply->conn);
    Wait finish = finishing(apply);
    if (apply->locked)
        err_free(my_exec(apply->conn, &finish, "SET autocommit = 1"));
}

/* Rows of the shadow with these targets that are copies of other rows of the source: where the new key takes
 * for one what the old one holds apart, 'a' would take 'A' away with it. */
static Err *find_others(Apply *apply, const KeyList *keys, const KeyList *targets, Conflict *conflict)
{
    const Form *form = apply->form;
    CLEANUP(str_donep) Str sql = STR_INIT;
    Rows rows = {0};
    if (apply->spec->key_exact || form->direct || targets->count == 0)
        return NULL;
    const char *hint =
        form->target_index == NULL ? "" : arena_printf(apply->arena, " FORCE INDEX (%s)", form->target_index);
    str_addf(&sql, "SELECT %s, %s FROM %s%s WHERE ", form_key_text(apply->arena, form, true, ""),
             form_target_text(apply->arena, form, ""), form->shadow, hint);
    form_add_keys(&sql, form->target_names, form->key_count, targets, 0, targets->count);
    TRY(conn_query(apply->conn, apply->wait, apply->arena, &rows, sql.buf));
    Keys others = {0}, their = {0};
    for (size_t i = 0; i < conflict->keys.count; i++) {
        *vec_push(apply->arena, &others) = conflict->keys.keys[i];
        *vec_push(apply->arena, &their) = conflict->targets.keys[i];
    }
    for (size_t i = 0; i < rows.row_count; i++) {
        const char *key = rows_cell(&rows, i, 0);
        bool known = false;
        for (size_t k = 0; k < keys->count && !known; k++)
            known = str_eq(keys->keys[k], key);
        if (known)
            continue;
        *vec_push(apply->arena, &others) = key;
        *vec_push(apply->arena, &their) = rows_cell(&rows, i, 1);
    }
    *conflict = (Conflict){.keys = keys_list(&others), .targets = keys_list(&their)};
    return NULL;
}

/* Those that make room are read again with the others, so that nothing is gone if nobody comes to them any
 * more. */
static const char *rows_of(Apply *apply, const KeyList *keys, const KeyList *more)
{
    CLEANUP(str_donep) Str where = STR_INIT;
    const Form *form = apply->form;
    str_add(&where, "(");
    form_add_keys(&where, form->source_names, form->key_count, keys, 0, keys->count);
    if (more->count > 0) {
        str_add(&where, " OR ");
        form_add_keys(&where, form->source_names, form->key_count, more, 0, more->count);
    }
    str_add(&where, ")");
    return arena_dupn(apply->arena, where.buf, where.len);
}

static Err *write_once(Apply *apply, const KeyList *keys, const KeyList *found, const Conflict *conflict,
                       bool deep)
{
    Form *form = apply->form;
    KeyList targets = {0}, others = {0};
    Conflict room = *conflict;
    int64_t gone = 0, written = 0;
    TRY(stage_targets(apply->conn, apply->wait, apply->arena, apply->spec, form, keys, &targets));
    TRY(stage_targets(apply->conn, apply->wait, apply->arena, apply->spec, form, found, &others));
    TRY(find_others(apply, keys, &targets, &room));
    KeyList again = room.keys;
    if (deep) { /* but for those that were found just now */
        again.keys += conflict->keys.count;
        again.count -= conflict->keys.count;
    }
    const char *where = rows_of(apply, keys, &again);
    TRY(begin(apply));
    if (!apply->locked) /* LOCK TABLES does not know the parents */
        TRY(rows_lock_parents(apply->conn, apply->wait, apply->spec, form, where));
    TRY(rows_delete(apply->conn, apply->wait, form, &targets, &gone));
    TRY(rows_delete(apply->conn, apply->wait, form, &others, &gone));
    TRY(rows_delete(apply->conn, apply->wait, form, &room.targets, &gone));
    TRY(rows_insert(apply->conn, apply->wait, apply->spec, form, form->shadow, where, &written));
    TRY(commit(apply));
    apply->rows += written;
    for (size_t i = 0; i < room.keys.count; i++)
        *vec_push(apply->arena, &apply->displaced) = room.keys.keys[i];
    return NULL;
}

/* A row of the shadow with a unique value that has moved on in the source makes room, and its key is one to
 * be applied as well. */
static Err *make_room(Apply *apply, const KeyList *keys, bool deep, Conflict *conflict)
{
    Conflict more = {0};
    Keys own = {0};
    const KeyList *lists[] = {keys, &conflict->keys};
    for (size_t k = 0; k < ARRAY_LEN(lists); k++)
        for (size_t i = 0; i < lists[k]->count; i++)
            *vec_push(apply->arena, &own) = lists[k]->keys[i];
    KeyList together = keys_list(&own);
    TRY(conflict_find(apply->conn, apply->wait, apply->arena, apply->spec, apply->form,
                      rows_of(apply, keys, deep ? &(KeyList){0} : &conflict->keys), &together, &more));
    Keys all = {0}, targets = {0};
    const Conflict *both[] = {conflict, &more};
    for (size_t k = 0; k < ARRAY_LEN(both); k++)
        for (size_t i = 0; i < both[k]->keys.count; i++) {
            *vec_push(apply->arena, &all) = both[k]->keys.keys[i];
            *vec_push(apply->arena, &targets) = both[k]->targets.keys[i];
        }
    *conflict = (Conflict){.keys = keys_list(&all), .targets = keys_list(&targets)};
    return NULL;
}

/* Rows that make room are read again in the same transaction, so that none is gone if this process dies.
 * Where whole chains of values have moved on, that would bring in row after row: from some depth on they only
 * wait to be applied, and when there are too many, the other keys come first. */
static Err *write_try(Apply *apply, const KeyList *keys, const KeyList *found, bool *ret_crowded)
{
    enum { DEEP = 2, ROOMS = 8 };
    Conflict conflict = {0};
    *ret_crowded = false;
    for (int attempt = 0, rooms = 0;; attempt++) {
        Err *err = write_once(apply, keys, found, &conflict, rooms > DEEP);
        if (err == NULL)
            return NULL;
        give_up(apply);
        if (err->server_errno == MY_ER_DUP_ENTRY) {
            *ret_crowded = rooms++ >= ROOMS;
            if (*ret_crowded)
                return err;
            err_free(err);
            TRY(make_room(apply, keys, rooms > DEEP, &conflict));
        } else if (!rows_again(err, apply->wait, attempt)) {
            return err;
        }
    }
}

/* Where a batch is refused for long, each half by itself, until those that are in the way of others, or of
 * whose parents others are, stand alone. */
static Err *write(Apply *apply, const KeyList *keys, const KeyList *found)
{
    bool crowded = false;
    Err *err = write_try(apply, keys, found, &crowded);
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
    TRY(write(apply, &(KeyList){.keys = keys->keys, .count = half}, found));
    return write(apply, &(KeyList){.keys = keys->keys + half, .count = keys->count - half}, found);
}

Err *my_shadow_apply(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, const KeyList *keys,
                     bool locked, Applied *ret_applied)
{
    Apply apply = {.conn = conn, .wait = wait, .arena = arena, .spec = spec, .locked = locked};
    TRY(form_load(conn, wait, spec, &apply.form));
    KeyList all = distinct(arena, keys);
    for (size_t from = 0; from < all.count; from += FORM_KEYS_MOST) {
        size_t to = from + FORM_KEYS_MOST < all.count ? from + FORM_KEYS_MOST : all.count;
        apply.ready.len = apply.found.len = 0;
        TRY(look(&apply, &all, from, to));
        KeyList ready = keys_list(&apply.ready), found = keys_list(&apply.found);
        if (ready.count > 0)
            TRY(write(&apply, &ready, &found));
    }
    *ret_applied = (Applied){
        .busy = keys_list(&apply.busy), .displaced = keys_list(&apply.displaced), .rows = apply.rows};
    return NULL;
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
