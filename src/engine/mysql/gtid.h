/* gtid.h — sets of transactions by their global names: what was read of the log, and where to go on.
 *
 * MySQL: intervals by source, "3e11fa47-…:1-5:7,…", with tags from 8.3 on ("3e11fa47-…:tag:1-3"; refman "GTID
 * Format and Storage"). MariaDB: the last one of each domain, "0-1-17,3-1-4" (MariaDB KB "Global Transaction
 * ID"). Pure. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

typedef struct GtidSet GtidSet;
GtidSet *gtid_new(bool is_mariadb) __attribute__((returns_nonnull));
void gtid_free(GtidSet *set);
/* Adds what a text names, as the server's own variables write it; ERR_CONFIG where it is none. */
Err *gtid_add(GtidSet *set, const char *text) MUST_USE;
bool gtid_is_empty(const GtidSet *set);
/* Sources and intervals in order; "" for none. */
char *gtid_text(Arena *arena, const GtidSet *set) __attribute__((returns_nonnull));
/* MySQL: as COM_BINLOG_DUMP_GTID takes it (Gtid_set::encode; the tagged form, known from 8.3 on, only where
 * there is a tag). */
void gtid_encode(const GtidSet *set, Str *ret_bytes);

static inline void gtid_freep(GtidSet **set)
{
    gtid_free(*set);
    *set = NULL;
}
