/* way_my.h — by which algorithm MySQL and MariaDB carry an action out, as far as words and versions tell.
 *
 * Sources: "Online DDL Operations" of MySQL 5.7 to 9, "InnoDB Online DDL Operations" of MariaDB; asked of
 * MariaDB 10.11 where the notes say so. */
#pragma once
#include "check/stream.h"

typedef enum WayMy {
    WAY_INSTANT,
    WAY_NOCOPY,  /* an index is built, or less */
    WAY_REBUILD, /* the table is written anew, beside writers */
    WAY_COPY,    /* the table is copied while writers wait */
    WAY_UNKNOWN  /* the old definition is not in sight */
} WayMy;

WayMy way_my(const Stream *stream, const Act *act);
/* What the table itself makes of it, where that is in sight: NULL, or words for why it is dearer. */
const char *way_lost_my(const Stream *stream, const Act *act);
/* Of MODIFY and CHANGE: what the type alone asks for. */
WayMy way_of_type_my(const ActType *from, const ActColumn *old_spec, const ActColumn *to);
