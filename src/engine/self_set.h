/* self_set.h — which columns a backfill also sets to themselves (Column.self_set), by what is known of a
 * table. */
#pragma once
#include "engine/schema.h"

/* Marks one column of each plain B-tree index that our UPDATEs also set to itself.
 *
 * From 14 on, an update that leaves an index's columns out of its SET list tells the index so, and a full
 * leaf then looks for dead entries in the heap before it deduplicates or splits (bottom-up deletion;
 * index_unchanged_by_update() in execIndexing.c). During a backfill that look is nearly always in vain, since
 * the versions it hopes for are our own, not dead yet: of 29,897 looks 26,784 found nothing, and all of them
 * took a third of the time (15.18, 1 M rows, three indexes). With the column in the SET list nothing is
 * looked for. The index may come out larger by what the look would have saved, which mostly is nothing, and
 * never is more than one entry a row that any update of all rows adds. Whether an update is HOT goes by the
 * values, so it still is. Columns of unique indexes are left out: the row would be locked against foreign
 * keys that refer to it. */
void self_set_mark(const Server *server, Table *table);
