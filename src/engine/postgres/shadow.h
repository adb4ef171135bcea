/* shadow.h — what the files of the PostgreSQL side of shadow tables share. See engine/shadow.h.
 *
 * Source, shadow and key log are tables of one database, so one snapshot shows all three as they were at one
 * moment: a key is in the log exactly when the change that it stands for is in the source (they were
 * committed together). Therefore nothing here takes a lock on a row of the source, and what is brought over
 * in one snapshot cannot meet a unique value that has moved on. */
#pragma once
#include "engine/postgres/pg.h"

extern const ShadowOps pg_shadow_ops;

/* ShadowSpec.copied_log.low of the row that has the last transaction that wrote to the shadow, as
 * txid_current() says it. */
enum { SHADOW_MARK_WRITTEN = -2 };

/* "public.orders", quoted. */
char *shadow_source_sql(Arena *arena, const ShadowSpec *spec) __attribute__((returns_nonnull));
char *shadow_table_sql(Arena *arena, const ShadowSpec *spec) __attribute__((returns_nonnull));
/* "s.a, (s.b)::bigint": what the shadow's columns are of the source, and the columns themselves. */
char *shadow_exprs_sql(Arena *arena, const ShadowSpec *spec) __attribute__((returns_nonnull));
char *shadow_columns_sql(Arena *arena, const ShadowSpec *spec, const char *prefix)
    __attribute__((returns_nonnull));
/* "l.a = d.b AND …" of the key's columns in two relations; `targets`: the right one is the shadow. */
char *shadow_join_sql(Arena *arena, const ShadowSpec *spec, const char *left, const char *right, bool targets)
    __attribute__((returns_nonnull));
/* "l.a, l.b" of the key's columns in the log, or with `targets` in the shadow. */
char *shadow_key_sql(Arena *arena, const ShadowSpec *spec, const char *prefix, bool targets)
    __attribute__((returns_nonnull));
/* "json_build_array(l.a::text, l.b::text)::text": a key as the run layer knows it. */
char *shadow_key_json_sql(Arena *arena, const ShadowSpec *spec, const char *prefix, bool targets)
    __attribute__((returns_nonnull));
/* "ROW('1'::integer)" of such a key. */
char *shadow_row_sql(Arena *arena, const ShadowSpec *spec, const char *key) __attribute__((returns_nonnull));
/* "ROW(s.a) >= ROW(…) AND ROW(s.a) < ROW(…)" of the source, or with `targets` of the shadow ("d."). */
char *shadow_range_sql(Arena *arena, const ShadowSpec *spec, const Range *range, bool targets)
    __attribute__((returns_nonnull));
/* "VALUES ('1'::integer, 'x'::text), …": keys of which at least one is there. */
char *shadow_values_sql(Arena *arena, const ShadowSpec *spec, const KeyList *keys)
    __attribute__((returns_nonnull));
/* A transaction of ours, as the table's owner. `isolated`: all of its statements see one snapshot. */
Err *shadow_begin(Conn *conn, const Wait *wait, const ShadowSpec *spec, bool isolated) MUST_USE;
/* Ends it: commits, or rolls back where `err` is one, which is given back. */
Err *shadow_end(Conn *conn, const Wait *wait, Err *err) MUST_USE;

Err *pg_shadow_next(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, ShadowPass pass,
                    const char *low, int64_t size, Range *ret_range, bool *ret_done) MUST_USE;
Err *pg_shadow_copy(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, const Range *range,
                    int64_t *ret_rows, KeyList *ret_displaced) MUST_USE;
Err *pg_shadow_copied(Conn *conn, const Wait *wait, const ShadowSpec *spec) MUST_USE;
Err *pg_shadow_bring(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, bool locked,
                     Brought *ret_brought) MUST_USE;
Err *pg_shadow_owe(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                   const KeyList *keys) MUST_USE;
Err *pg_shadow_empty(Conn *conn, const Wait *wait, const ShadowSpec *spec) MUST_USE;
double pg_shadow_fraction(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                          const char *position);
char *pg_shadow_key_text(Arena *arena, const ShadowSpec *spec, const char *key);
Err *pg_shadow_compare(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec, const Range *range,
                       int64_t *ret_rows, KeyList *ret_different) MUST_USE;
Err *pg_shadow_compare_keys(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                            const KeyList *keys, KeyList *ret_different, KeyList *ret_busy) MUST_USE;
Err *pg_shadow_swap(const Target *target, Conn *conn, const Wait *wait, Arena *arena,
                    const SwapRequest *request, SwapResult *ret_result) MUST_USE;
Err *pg_shadow_swap_state(Conn *conn, const Wait *wait, Arena *arena, const ShadowSpec *spec,
                          SwapState *ret_state) MUST_USE;
/* The triggers of the capture stand on `relation` and fire for everybody; else ERR_UNSAFE. */
Err *pg_shadow_is_captured(Conn *conn, const Wait *wait, const char *schema, const char *relation) MUST_USE;
