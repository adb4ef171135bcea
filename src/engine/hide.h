/* hide.h — hiding a column, a table or an index from the application for a while, and showing it again: a
 * brown-out.
 *
 * hide_plan looks and decides, and changes nothing; what it gives back is kept in the journal before hide is
 * asked, and all that show needs. Both look at what is there before they do anything, so each may be
 * repeated, and show does nothing where hide was never carried out. */
#pragma once
#include "base/arena.h"

typedef struct Conn Conn;
typedef struct Target Target;
typedef struct Wait Wait;
typedef struct Server Server;

typedef enum HideKind { HIDE_COLUMN, HIDE_TABLE, HIDE_INDEX } HideKind;

typedef enum HideBy {
    HIDE_BY_DEFAULT,    /* what suits the server and the kind */
    HIDE_BY_PRIVILEGES, /* grants on the table become grants on its other columns: PostgreSQL */
    HIDE_BY_RENAME,     /* another name */
    HIDE_BY_INVISIBLE,  /* INVISIBLE, or IGNORED: MySQL and MariaDB */
    HIDE_BY_NONE,       /* nothing is hidden */
} HideBy;
/* "privileges" …; HIDE_BY_DEFAULT is "default". */
const char *hide_by_name(HideBy by);

typedef struct HideRequest {
    HideKind kind;
    HideBy by;
    const char *schema, *table;
    const char *name; /* of the column or index; NULL: the table itself */
} HideRequest;

typedef struct HidePlan {
    HideBy by;                                /* never the default */
    const char *body;                         /* JSON, for hide and show alone */
    const char *const *sql, *const *undo_sql; /* for people: what hide and show do, as things are now */
    size_t sql_count, undo_count;
    /* Who would not notice: "role shop owns the table (3 sessions)". */
    const char *const *blind;
    size_t blind_count;
    size_t hit_count; /* by privileges: grants that are turned into others */
    /* What has to be known before, one sentence each. */
    const char *const *notes;
    size_t note_count;
} HidePlan;

typedef struct HideLimits {
    int64_t stall_ms; /* the longest that a statement of the application may wait because of us */
    bool queue;       /* it may wait in a lock's queue; else only where it is free */
} HideLimits;
