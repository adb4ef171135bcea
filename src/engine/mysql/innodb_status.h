/* innodb_status.h — who has a snapshot, from the text of SHOW ENGINE INNODB STATUS, which is of the very
 * moment, unlike information_schema.INNODB_TRX. Pure but for the query. */
#pragma once
#include "engine/mysql/conn.h"

typedef struct InnodbStatus {
    const char *list; /* of transactions; "" where the text has none */
    bool has_all;     /* sessions that have only read are in it, and it was not cut (at 1 MB) */
} InnodbStatus;

/* Needs PROCESS. Seen on MariaDB 10.11 and 11.8 and on MySQL 5.6: all transactions are listed; on MySQL 9.7
 * only those that have written something. */
Err *innodb_status_load(Conn *conn, const Wait *wait, Arena *arena, InnodbStatus *ret_status) MUST_USE;

/* A session's snapshot: what it does not see. */
typedef struct InnodbView {
    int64_t id;         /* of the session; 0 unknown */
    const char *limits; /* "Trx read view will not see trx with id >= 21, sees < 21" */
} InnodbView;
typedef VEC(InnodbView) InnodbViews;
/* All of them, but that of one session; into `arena`. */
void innodb_status_views(const InnodbStatus *status, Arena *arena, int64_t except_id, InnodbViews *views);
/* Those of `views` that are not there any more are taken out. A snapshot that is made anew within one
 * transaction number looks the same. */
void innodb_views_keep(InnodbViews *views, const InnodbViews *now);
/* Whether this session has certainly none. A session that is listed twice proves nothing: statements are part
 * of the text, and one may imitate it. */
bool innodb_status_lacks_view(const InnodbStatus *status, int64_t id);
