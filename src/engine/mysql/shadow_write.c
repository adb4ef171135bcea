/* Transactions that bring rows over.
 *
 * The usual one deletes the shadow's rows of its keys and inserts what the source has. Where a unique value
 * has moved on in the source, a row of another key still has it in the shadow, and the server refuses. Then
 * the source's rows are staged, what is in their way is found by joins, and goes: it is owed from then on,
 * which is noted in the same transaction, and is brought over by a later one like every other key. So chains
 * of moved values, however long, are sets. Under LOCK TABLES the source stands still and there is no place
 * for notes: there the debts are paid in the same transaction. */
#include "engine/mysql/shadow_write.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "engine/mysql/conn.h"
#include "engine/mysql/error.h"
#include "engine/mysql/session.h"
#include "engine/mysql/shadow_conflict.h"
#include "engine/mysql/shadow_owed.h"

#include <stdlib.h>
#include <string.h>

enum { FINISH_MS = 15000 };

/* ---- keys ------------------------------------------------------------------------------------------------
 */

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

KeyList keys_distinct(Arena *arena, const KeyList *keys)
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

static bool is_among(const KeyList *sorted, const char *key)
{
    return sorted->count > 0 &&
           bsearch(&key, sorted->keys, sorted->count, sizeof *sorted->keys, compare_text) != NULL;
}

static void push_all(Arena *arena, Keys *keys, const KeyList *list)
{
    for (size_t i = 0; i < list->count; i++)
        *vec_push(arena, keys) = list->keys[i];
}

/* ---- transactions ----------------------------------------------------------------------------------------
 */

/* START TRANSACTION would end LOCK TABLES. */
static Err *begin(const Writing *w)
{
    return w->locked ? my_exec(w->conn, w->wait, "SET autocommit = 0")
                     : rows_start(w->conn, w->wait, w->form);
}

/* Not given up early, but where writers wait for it. */
static Wait finishing(const Writing *w)
{
    Wait finish = {.timeout_ms = FINISH_MS};
    if (w->wait != NULL) {
        finish.stop = w->wait->stop;
        finish.until_ms = w->locked ? w->wait->until_ms : 0;
    }
    return finish;
}

static Err *commit(const Writing *w)
{
    Wait finish = finishing(w);
    return w->locked ? my_exec(w->conn, &finish, "COMMIT; SET autocommit = 1")
                     : my_end(w->conn, &finish, "COMMIT");
}

static void give_up(const Writing *w)
{
    if (!w->locked) {
        rows_rollback(w->conn);
        return;
    }
    /* The session goes on to end soon when it hears nothing of us. */
    Wait finish = finishing(w), patient = {.timeout_ms = FINISH_MS};
    err_free(my_exec(w->conn, &patient, "ROLLBACK"));
    err_free(my_exec(w->conn, &finish, "SET autocommit = 1"));
}

/* Debts that this transaction pays. */
static Err *settle(const Writing *w, const KeyList *keys)
{
    Keys paid = {0};
    if (w->locked)
        return NULL;
    for (size_t i = 0; i < keys->count; i++)
        if (is_among(&w->owed, keys->keys[i]))
            *vec_push(w->arena, &paid) = keys->keys[i];
    KeyList list = keys_list(&paid);
    return owed_settle(w->conn, w->wait, w->spec, &list);
}

/* LOCK TABLES does not know the parents. */
static Err *lock_parents(const Writing *w, const char *where)
{
    return w->locked ? NULL : rows_lock_parents(w->conn, w->wait, w->spec, w->form, where);
}

/* ---- the usual one ---------------------------------------------------------------------------------------
 */

/* One transaction's worth. */
typedef struct Lot {
    KeyList keys;    /* sorted */
    KeyList targets; /* what they, and other spellings of them, are called in the shadow */
    const char *where;
} Lot;

/* Rows of the shadow with these targets that are copies of other rows of the source: where the new key takes
 * for one what the old one holds apart, 'a' would take 'A' away with it. So they come along. */
static Err *add_namesakes(const Writing *w, Keys *keys, Keys *targets)
{
    const Form *form = w->form;
    KeyList own = keys_list(keys), list = keys_list(targets);
    if (w->spec->key_exact || form->direct)
        return NULL;
    const char *hint =
        form->target_index == NULL ? "" : arena_printf(w->arena, " FORCE INDEX (%s)", form->target_index);
    for (size_t from = 0; from < list.count; from += FORM_KEYS_MOST) {
        CLEANUP(str_donep) Str sql = STR_INIT;
        Rows rows = {0};
        str_addf(&sql, "SELECT %s, %s FROM %s%s WHERE ", form_key_text(w->arena, form, true, ""),
                 form_target_text(w->arena, form, ""), form->shadow, hint);
        form_add_keys(&sql, form->target_names, form->key_count, &list, from,
                      from + FORM_KEYS_MOST < list.count ? from + FORM_KEYS_MOST : list.count);
        TRY(conn_query(w->conn, w->wait, w->arena, &rows, sql.buf));
        for (size_t i = 0; i < rows.row_count; i++) {
            if (is_among(&own, rows_cell(&rows, i, 0)))
                continue;
            *vec_push(w->arena, keys) = rows_cell(&rows, i, 0);
            *vec_push(w->arena, targets) = rows_cell(&rows, i, 1);
        }
    }
    return NULL;
}

static Err *make_lot(const Writing *w, const KeyList *keys, const KeyList *found, Lot *ret_lot)
{
    KeyList list = {0};
    Keys all = {0}, targets = {0};
    CLEANUP(str_donep) Str where = STR_INIT;
    TRY(stage_targets(w->conn, w->wait, w->arena, w->spec, w->form, keys, &list));
    push_all(w->arena, &targets, &list);
    if (found->count > 0) {
        TRY(stage_targets(w->conn, w->wait, w->arena, w->spec, w->form, found, &list));
        push_all(w->arena, &targets, &list);
    }
    push_all(w->arena, &all, keys);
    TRY(add_namesakes(w, &all, &targets));
    list = keys_list(&all);
    *ret_lot = (Lot){.keys = keys_distinct(w->arena, &list), .targets = keys_list(&targets)};
    form_add_keys(&where, w->form->source_names, w->form->key_count, &ret_lot->keys, 0, ret_lot->keys.count);
    ret_lot->where = arena_dupn(w->arena, where.buf, where.len);
    return NULL;
}

static Err *write_plainly(Writing *w, const Lot *lot)
{
    int64_t gone = 0, written = 0;
    TRY(begin(w));
    TRY(lock_parents(w, lot->where));
    TRY(rows_delete(w->conn, w->wait, w->form, &lot->targets, &gone));
    TRY(rows_insert(w->conn, w->wait, w->spec, w->form, w->form->shadow, lot->where, &written));
    TRY(settle(w, &lot->keys));
    TRY(commit(w));
    w->rows += written;
    return NULL;
}

/* ---- the one that makes room -----------------------------------------------------------------------------
 */

/* In the transaction at hand. ret_displaced: each once. */
static Err *make_room_and_write(const Writing *w, const Lot *lot, KeyList *ret_displaced, int64_t *written)
{
    Conflict conflict = {0};
    const char *stage;
    int64_t gone = 0, rows = 0;
    TRY(lock_parents(w, lot->where));
    TRY(rows_delete(w->conn, w->wait, w->form, &lot->targets, &gone));
    TRY(conflict_find(w->conn, w->wait, w->arena, w->spec, w->form, lot->where, &stage, &conflict));
    TRY(rows_delete(w->conn, w->wait, w->form, &conflict.targets, &gone));
    TRY(rows_insert_staged(w->conn, w->wait, w->spec, w->form, stage, lot->where, &rows));
    *written += rows;
    *ret_displaced = keys_distinct(w->arena, &conflict.keys);
    return NULL;
}

/* The source stands still, so a row that is written is not in anybody's way any more. */
static Err *pay_at_once(const Writing *w, KeyList displaced, int64_t *written)
{
    while (displaced.count > 0) {
        Keys next = {0};
        for (size_t from = 0; from < displaced.count; from += FORM_KEYS_MOST) {
            size_t left = displaced.count - from;
            KeyList more = {.keys = displaced.keys + from,
                            .count = left < FORM_KEYS_MOST ? left : FORM_KEYS_MOST};
            Lot lot;
            TRY(make_lot(w, &more, &(KeyList){0}, &lot));
            TRY(make_room_and_write(w, &lot, &more, written));
            push_all(w->arena, &next, &more);
        }
        KeyList all = keys_list(&next);
        displaced = keys_distinct(w->arena, &all);
    }
    return NULL;
}

static Err *write_staged(Writing *w, const Lot *lot)
{
    KeyList displaced = {0};
    int64_t written = 0;
    const char *stage;
    TRY(stage_open(w->conn, w->wait, w->arena, w->spec, w->form, &stage));
    if (!w->locked)
        TRY(owed_make(w->conn, w->wait, w->spec, w->form));
    TRY(begin(w));
    TRY(make_room_and_write(w, lot, &displaced, &written));
    if (w->locked)
        TRY(pay_at_once(w, displaced, &written));
    else
        TRY(owed_note(w->conn, w->wait, w->spec, &displaced));
    TRY(settle(w, &lot->keys));
    TRY(commit(w));
    w->rows += written;
    if (displaced.count == 0)
        return NULL;
    w->form->staged_batches = FORM_STAGED_BATCHES;
    if (w->locked)
        return NULL;
    push_all(w->arena, &w->displaced, &displaced);
    return failpoint_at("apply_displaced");
}

/* ---- either ----------------------------------------------------------------------------------------------
 */

Err *write_keys(Writing *w, const KeyList *keys, const KeyList *found)
{
    Lot lot;
    TRY(make_lot(w, keys, found, &lot));
    bool is_staged = w->form->staged_batches > 0;
    w->form->staged_batches -= is_staged;
    for (int attempt = 0, refusals = 0;; attempt++) {
        int64_t from_ms = clock_ms();
        Err *err = is_staged ? write_staged(w, &lot) : write_plainly(w, &lot);
        if (w->form->has_fk && clock_ms() - from_ms > w->held_ms)
            w->held_ms = clock_ms() - from_ms;
        if (err == NULL)
            return NULL;
        give_up(w);
        if (err->server_errno == MY_ER_DUP_ENTRY && (!is_staged || refusals++ < FORM_REFUSALS_MAX)) {
            err_free(err);
            is_staged = true;
        } else if (!rows_again(err, w->wait, attempt)) {
            return err;
        }
    }
}
