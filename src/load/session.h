/* session.h — private to load/: one run, its sessions, and the names they put into SQL. */
#pragma once
#include "load/dialect.h"
#include "load/random.h"
#include "load/tally.h"

#include <pthread.h>
#include <stdatomic.h>

/* Quoted and ready for SQL text; `twin`, `new_column` and what follows it are NULL where not configured. */
typedef struct LoadNames {
    const char *main, *twin, *item; /* qualified */
    const char *main_literal;       /* main as a string literal, for to_regclass() */
    const char *alias;              /* the bare table name: what an expression may qualify columns with */
    const char *sequence;           /* literal of the identity's sequence */
    const char *new_column, *new_column_literal;
} LoadNames;

struct Session {
    Load *load;
    pthread_t thread;
    Conn *conn;   /* NULL after the connection was lost */
    Arena *arena; /* of the item at hand */
    Random random;
    bool star_prepared;
    bool has_column; /* the new application has seen the new column */
    bool can_shift;  /* … and it is a number */
    bool on_hot_row; /* the item at hand touches rows that everybody wants */
    int64_t column_checked_ms;
    int64_t slept_us;           /* pauses of its own in the item at hand */
    pthread_mutex_t tally_lock; /* guards tally */
    LoadTally tally;
};

struct Load {
    LoadConfig config;
    const LoadDialect *dialect;
    LoadNames names;
    Arena *arena;
    Stop stop; /* STOP_NOW cancels what still runs */
    Session *sessions;
    int session_count, started;
    int64_t base_max_id;    /* the greatest id when the load began: keys up to it are taken at random */
    _Atomic int64_t max_id; /* the greatest one known */
    pthread_mutex_t lock;   /* guards what follows */
    pthread_cond_t changed;
    int64_t next_index, start_us, stop_us, mark_us;
    int running;
    bool stopping, stopped;
};

/* The columns of an orders table that the application knows, in order. */
#define LOAD_COLUMNS "id, customer_id, amount, status, note, created_at, updated_at"

/* One statement of the session; `ret_rows` may be NULL. */
Err *session_query(Session *session, const char *sql, size_t param_count, const char *const *params,
                   Rows *ret_rows) MUST_USE;
Err *session_exec(Session *session, const char *sql) MUST_USE;
/* A pause of the application's own, which no latency counts. */
void session_pause(Session *session, int64_t ms);
/* True when statements of this item shall name the new column. */
bool session_writes_column(const Session *session);
void session_saw_id(Session *session, int64_t id);
