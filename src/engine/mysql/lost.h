/* lost.h — what differs between two definitions of a table, attribute by attribute. Pure. */
#pragma once
#include "engine/ladder.h"
#include "engine/schema.h"

/* Every attribute of a column, index, foreign key, check or of the table that is in both and differs, or was
 * there before and is not any more. A column that is gone is told once ("column c": "TYPE int(11)", "");
 * `renames` are those that have another name now. Attributes read as they are written, a key word first:
 * "NOT NULL", "DEFAULT 'x'", "COMMENT 'x'", "CHARACTER SET latin1", "COLLATE x", "AUTO_INCREMENT",
 * "ON UPDATE …", "INVISIBLE", "TYPE int(11)", "GENERATED …", "CHECK (…)"; "" where there is none. In `arena`.
 */
void lost_list(Arena *arena, const Table *before, const Table *after, const ColumnRename *renames,
               size_t rename_count, LostAttribute **ret_lost, size_t *ret_count);
