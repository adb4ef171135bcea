/* outside.h — a read of one row, and the disk that a server stands on. */
#pragma once
#include "engine/engine.h"

/* As EngineOps.canary. */
Err *my_canary(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *table,
               Canary *ret_canary) MUST_USE;
/* As EngineOps.standby_state: readers that have waited for a second, while replication waits for a table. */
Err *my_standby_state(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_waiting,
                      int64_t *ret_ended) MUST_USE;
/* As EngineOps.disk_free: by statvfs() where the server is proved to run on this machine, else by MariaDB's
 * plugin DISKS. */
Err *my_disk_free(Conn *conn, const Wait *wait, Arena *arena, int64_t *ret_bytes,
                  const char **ret_source) MUST_USE;
/* Pure: bytes that are free for `path` by rows of mount and kB; -1 where none of them is above it. */
int64_t my_disk_of(const Rows *disks, const char *path);
