/* Seals over the event log: made behind the events, never in their way; and read again to verify them. */
#include "run/seal.h"

#include "base/log.h"
#include "run/chain.h"

#include <string.h>

enum {
    SEAL_EVERY_MS = 1000,
    WHOLE_EVERY_MS = 60000,
    LATE_IDS =
        10000, /* an event with a number this far back may still be committed: it is looked for always */
    SEALS_AT_ONCE = 1000,
    SEAL_TIMEOUT_MS = 5000,
    FIELDS_AT = 3, /* of JOURNAL_SEALS */
};

static const char *num(Arena *arena, int64_t value) { return arena_printf(arena, "%lld", (long long)value); }

static void fields_of(const Rows *rows, size_t row, size_t from, const char *ret_fields[CHAIN_FIELDS])
{
    for (size_t i = 0; i < CHAIN_FIELDS; i++)
        ret_fields[i] = rows_cell(rows, row, from + i);
}

static Err *load_head(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_ordinal, const char **ret_hash)
{
    Rows rows = {0};
    TRY(conn_query(conn, wait, arena, &rows,
                   "SELECT ordinal, hash FROM stoa.seals ORDER BY ordinal DESC LIMIT 1"));
    *ret_ordinal = rows.row_count > 0 ? rows_int(&rows, 0, 0) : 0;
    *ret_hash = rows.row_count > 0 ? rows_cell(&rows, 0, 1) : "";
    return NULL;
}

/* One INSERT for all of them. It fails as a whole where somebody else has put in a seal of these numbers. */
static Err *add_seals(Conn *conn, const Wait *wait, Arena *arena, const Rows *events, int64_t ordinal,
                      const char *hash)
{
    CLEANUP(str_donep) Str sql = STR_INIT;
    size_t count = events->row_count;
    const char **params = arena_alloc(arena, 3 * count * sizeof *params);
    str_add(&sql, "INSERT INTO stoa.seals (ordinal, event_id, hash) VALUES ");
    for (size_t i = 0; i < count; i++) {
        const char *fields[CHAIN_FIELDS];
        fields_of(events, i, 0, fields);
        hash = chain_hash(arena, hash, fields);
        params[3 * i] = num(arena, ordinal + 1 + (int64_t)i);
        params[3 * i + 1] = fields[CHAIN_ID];
        params[3 * i + 2] = hash;
        str_addf(&sql, "%s($%zu, $%zu, $%zu)", i == 0 ? "" : ", ", 3 * i + 1, 3 * i + 2, 3 * i + 3);
    }
    Rows rows = {0};
    return conn->ops->query(conn, wait, arena, sql.buf, 3 * count, params, &rows);
}

/* *ret_more: there may be further ones. */
static Err *seal_some(Conn *conn, Arena *arena, int64_t *from_id, int64_t *ret_last, bool *ret_more)
{
    Wait wait = {.timeout_ms = SEAL_TIMEOUT_MS};
    Rows events = {0};
    int64_t ordinal = 0;
    const char *hash = "";
    /* the head first: what is sealed behind it meanwhile makes the INSERT fail, never a seal twice */
    TRY(load_head(conn, &wait, arena, &ordinal, &hash));
    TRY(conn_params(conn, &wait, arena, &events, conn->ops->journal_sql(JOURNAL_UNSEALED),
                    num(arena, *from_id)));
    *ret_more = events.row_count >= SEALS_AT_ONCE;
    if (events.row_count == 0)
        return NULL;
    TRY(add_seals(conn, &wait, arena, &events, ordinal, hash));
    *ret_last = *from_id = rows_int(&events, events.row_count - 1, CHAIN_ID);
    return NULL;
}

Err *seal_events(Conn *conn, SealWatch *watch)
{
    bool whole = watch == NULL || watch->whole_ms == 0 || clock_ms() - watch->whole_ms > WHOLE_EVERY_MS;
    int64_t from = whole ? INT64_MIN : watch->from_id, last = 0; /* whoever forges may choose any number */
    for (bool more = true; more;) {
        CLEANUP(arena_freep) Arena *arena = arena_new();
        TRY(seal_some(conn, arena, &from, &last, &more));
    }
    if (watch == NULL)
        return NULL;
    if (last > watch->sealed_id)
        watch->sealed_id = last;
    if (whole)
        watch->whole_ms = clock_ms();
    watch->from_id = watch->sealed_id > LATE_IDS ? watch->sealed_id - LATE_IDS : 0;
    return NULL;
}

void seal_quietly(Conn *conn)
{
    Err *err = seal_events(conn, NULL);
    if (err != NULL)
        log_line(LOG_DEBUG, "events are not sealed yet: %s", err->msg);
    err_free(err);
}

void seal_now_and_then(Conn *conn, SealWatch *watch)
{
    if (clock_ms() - watch->looked_ms < SEAL_EVERY_MS)
        return;
    watch->looked_ms = clock_ms();
    Err *err = seal_events(conn, watch);
    if (err != NULL)
        log_line(LOG_DEBUG, "events are not sealed yet: %s", err->msg);
    err_free(err);
}

/* ---- verify --------------------------------------------------------------------------------- */

static Err *read_seals(Conn *conn, Chain *chain)
{
    Wait wait = journal_wait();
    for (bool more = true; more;) {
        CLEANUP(arena_freep) Arena *arena = arena_new();
        Rows rows = {0};
        TRY(conn_params(conn, &wait, arena, &rows, conn->ops->journal_sql(JOURNAL_SEALS),
                        num(arena, chain->ordinal)));
        for (size_t i = 0; i < rows.row_count; i++) {
            const char *fields[CHAIN_FIELDS];
            fields_of(&rows, i, FIELDS_AT, fields);
            chain_take(chain, &(ChainSeal){.ordinal = rows_int(&rows, i, 0),
                                           .hash = rows_cell(&rows, i, 1),
                                           .event_id = rows_int(&rows, i, 2),
                                           .fields = fields[CHAIN_ID] == NULL ? NULL : fields});
        }
        more = rows.row_count > 0;
    }
    return NULL;
}

static Err *read_unsealed(Conn *conn, Chain *chain, int64_t *ret_count)
{
    Wait wait = journal_wait();
    int64_t from = INT64_MIN;
    *ret_count = 0;
    for (bool more = true; more;) {
        CLEANUP(arena_freep) Arena *arena = arena_new();
        Rows rows = {0};
        TRY(conn_params(conn, &wait, arena, &rows, conn->ops->journal_sql(JOURNAL_UNSEALED),
                        num(arena, from)));
        for (size_t i = 0; i < rows.row_count; i++) {
            from = rows_int(&rows, i, CHAIN_ID);
            chain_unsealed(chain, from, rows_cell(&rows, i, CHAIN_AT));
        }
        *ret_count += (int64_t)rows.row_count;
        more = rows.row_count >= SEALS_AT_ONCE;
    }
    return NULL;
}

/* Numbers are given in the order of time. */
static Err *read_misplaced(Conn *conn, Chain *chain)
{
    CLEANUP(arena_freep) Arena *arena = arena_new();
    Wait wait = journal_wait();
    Rows rows = {0};
    TRY(conn_query(conn, &wait, arena, &rows, conn->ops->journal_sql(JOURNAL_MISPLACED)));
    for (size_t i = 0; i < rows.row_count; i++)
        chain_find(chain, "inserted", rows_int(&rows, i, 0), 0,
                   "event %lld tells of %s, more than an hour behind the event after it: it was put in "
                   "afterwards, or the server's clock was set back",
                   (long long)rows_int(&rows, i, 0), rows_cell(&rows, i, 1));
    return NULL;
}

static json_t *report(const Chain *chain, int64_t unsealed)
{
    json_t *head = json_null(), *expected = json_null();
    if (chain->ordinal > 0)
        head = json_pack("{s:I, s:s, s:I}", "seal", (json_int_t)chain->ordinal, "hash", chain->hash, "event",
                         (json_int_t)chain->event_id);
    if (chain->expected != NULL)
        expected = json_pack(
            "{s:s, s:b, s:o}", "hash", chain->expected, "found", chain->expected_ordinal > 0, "seal",
            chain->expected_ordinal > 0 ? json_integer(chain->expected_ordinal) : json_null());
    return json_pack("{s:i, s:b, s:I, s:I, s:o, s:o, s:I, s:O}", "v", 1, "verified",
                     chain->finding_count == 0, "sealed", (json_int_t)chain->sealed, "unsealed",
                     (json_int_t)unsealed, "head", head, "expected_head", expected, "finding_count",
                     (json_int_t)chain->finding_count, "findings", chain->findings);
}

/* A log without a journal is as empty as its chain. */
static Err *verify(Runner *runner, Chain *chain, json_t **ret_json)
{
    int64_t unsealed = 0;
    int version = runner->server.journal_version;
    if (version > 0 && version < runner->ops->journal_version)
        return err_hint(
            err_new(ERR_CONFIG, "the journal in schema \"stoa\" is of version %d and has no seals", version),
            "the next change that this stoa carries out seals its events");
    if (version > 0) {
        TRY(read_seals(runner->conn, chain));
        TRY(read_unsealed(runner->conn, chain, &unsealed));
        TRY(read_misplaced(runner->conn, chain));
    }
    chain_end(chain);
    *ret_json = report(chain, unsealed);
    return NULL;
}

Err *run_history_verify(const RunOptions *options, Arena *arena, const char *expected, json_t **ret_json)
{
    Runner runner;
    Chain *chain = chain_new(expected);
    Err *err = runner_open_to_read(&runner, options, arena);
    if (err == NULL)
        err = verify(&runner, chain, ret_json);
    runner_close(&runner);
    chain_free(chain);
    return err;
}
