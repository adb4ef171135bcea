/* machine.h — where a rehearsal was made, as far as its times depend on it. */
#pragma once
#include <jansson.h>
#include <stdbool.h>

/* {"cores","memory_bytes","sync_ms"} of this machine: the last is what it takes until 16 kB are on the disk
 * that `folder` is on, the shortest of some tries, and absent where that cannot be told. The caller's. */
json_t *machine_json(const char *folder);
/* Whether times of one tell something of the other: as many cores, as much memory within a quarter, and no
 * more than a factor of ten between their disks. What is not known of either is taken as alike. */
bool machine_is_alike(const json_t *a, const json_t *b);
