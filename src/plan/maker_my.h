/* maker_my.h — what plan_make_my keeps while it works; known inside plan/ only. */
#pragma once
#include "base/str.h"
#include "engine/sql.h"
#include "plan/plan_my.h"

typedef struct MakerMy {
    Arena *arena;
    const PlanInputMy *input;
    const Server *server;
    VEC(Step) steps[PHASE_COUNT];
    VEC(Risk) risks;
    VEC(const char *) tables; /* that the lease holds */
    bool scans, copies;       /* a long build in place; a shadow table */
    size_t in_place_count;    /* statements carried out on the table itself */
    VEC(const char *) copied; /* tables that get a shadow */
    VEC(const char *) filled; /* tables of which columns are filled in place */
    VEC(Step) reverts;
    const char *no_revert;
} MakerMy;

/* How a statement is carried out. */
typedef enum Way {
    WAY_NOTHING,
    WAY_NATIVE,
    WAY_FILL, /* native, and then columns are filled in the table itself */
    WAY_SHADOW
} Way;

typedef struct SpanMs {
    int64_t low, high;
} SpanMs;

/* ---- maker_my.c ---- */

Step *maker_step_my(MakerMy *maker, Phase phase, StepKind kind, Name table, const char *title);
/* One statement that commits by itself; `undo` may be NULL. The table itself is what tells whether it is
 * done. */
Step *maker_alter_my(MakerMy *maker, Phase phase, Name table, const char *title, const char *sql,
                     const char *undo);
void maker_look_my(MakerMy *maker, Step *step, Name table);
void maker_check_my(MakerMy *maker, Phase phase, Name table, const Table *of, const Check *check);
void maker_risk_my(MakerMy *maker, const char *id, const char *accept, const char *message);
bool maker_accepts_my(const MakerMy *maker, const char *id);
void maker_lease_my(MakerMy *maker, Name table);
bool maker_is_copied(const MakerMy *maker, const char *table); /* it has got a shadow in this plan */
bool maker_is_filled(const MakerMy *maker, const char *table); /* columns of it are filled in place */
Name maker_name_my(const MakerMy *maker, Name name);           /* with the database */
/* The server has replicas, or may have some that cannot be seen. */
bool maker_replicates(const MakerMy *maker);
/* Building indexes, or the whole table, of so many rows and bytes. */
SpanMs estimate_build_my(const Table *table);
SpanMs estimate_copy_my(const Table *table);
const char *words_of_my(Arena *arena, const AskedMy *asked); /* "MODIFY amount bigint, …" for people */

/* ---- way_my.c ---- */

/* It is worked on in no time, here and on replicas. */
bool is_tiny_my(const WorkMy *work);

/* ERR_UNSAFE where no way is left. */
Err *way_choose_my(MakerMy *maker, const WorkMy *work, const AskedMy *asked, Way *ret_way) MUST_USE;

/* The way and its reason as a note. */
void way_note_my(MakerMy *maker, const WorkMy *work, const AskedMy *asked, Way way);

/* ---- lost_my.c ---- */

/* What it takes away without naming it, as a risk to be accepted. */
void lost_note_my(MakerMy *maker, const char *table, const AskedMy *asked);

/* ---- native_my.c ---- */

/* What an ALTER TABLE means for applications, whichever way it goes. `of` is the table as it is. */
void notes_alter_my(MakerMy *maker, const Table *of, const char *table, const AskedMy *asked);

Err *native_alter_my(MakerMy *maker, const WorkMy *work, const Operation *operation, const AskedMy *asked,
                     Phase phase) MUST_USE;
/* CREATE, DROP, RENAME TABLE; CREATE, DROP VIEW. */
Err *native_other_my(MakerMy *maker, const WorkMy *work) MUST_USE;
/* Statements that make what the ALTER TABLE hid visible; NULL. */
const char *show_columns_my(MakerMy *maker, const char *table, const AskedMy *asked);

/* ---- shadow_my.c, spec_my.c ---- */

/* NULL, or why the table cannot be copied; `ret_hint` may stay NULL. */
const char *shadow_blocker_my(const MakerMy *maker, const WorkMy *work, const AskedMy *asked,
                              const char **ret_hint);
Err *shadow_write_my(MakerMy *maker, const WorkMy *work, const AskedMy *asked) MUST_USE;
/* The copy of `before` into `shadow` with the definition `after`, called `old` behind the swap. `names` maps
 * columns: of a copy forward those of the statement, of the way back the same the other way round. NULL where
 * no key can be used. */
typedef struct ColumnMapMy {
    const char *const *from, *const *to; /* renamed */
    size_t count;
    const char *const *fresh; /* columns of the target that are none of the source, whatever their name */
    size_t fresh_count;
} ColumnMapMy;
const ShadowSpec *spec_make_my(MakerMy *maker, const Table *before, const Table *after, const char *source,
                               const char *shadow, const char *old, const ColumnMapMy *map);
ColumnMapMy column_map_my(Arena *arena, const MyStatement *my);
ColumnMapMy column_map_back_my(Arena *arena, const Table *before, const ColumnMapMy *map,
                               const MyStatement *my);
/* The source's column that the target's column is a copy of; NULL. */
const MyColumn *column_source_my(const ColumnMapMy *map, const Table *before, const char *column);
const MyColumn *column_my(const Table *table, const char *name);
/* The key by which rows are copied and named; NULL. */
const MyIndex *key_my(const Table *before, const Table *after, const ColumnMapMy *map);

/* ---- late_index_my.c: indexes of a shadow that are built behind its rows ---- */

/* The definition that the shadow begins with. */
const char *late_indexes_go_my(MakerMy *maker, const WorkMy *work, const AskedMy *asked,
                               const ShadowSpec *spec);
/* The step that builds the others. */
void late_indexes_come_my(MakerMy *maker, const WorkMy *work, const AskedMy *asked, const ShadowSpec *spec);

/* ---- fill_my.c: columns that are computed from others ---- */

/* The backfill of the column; NULL. */
const BackfillSpec *fill_of_my(const MakerMy *maker, const char *table, const char *column);
/* The statement adds a column that has one. */
bool fills_my(const MakerMy *maker, const char *table, const AskedMy *asked);
/* It as it stands in SELECT … FROM the table; NULL. */
const char *fill_expr_my(MakerMy *maker, const Table *before, const char *table, const char *column);
Err *fills_check_my(const MakerMy *maker) MUST_USE;
/* The columns of the table that it reads. */
const char *const *fill_sources_my(MakerMy *maker, const Table *before, const char *table, const char *column,
                                   size_t *ret_count);
/* The trigger `name` on the table `on` that fills what the statement adds, before an INSERT or an UPDATE. */
const char *fill_trigger_my(MakerMy *maker, const Table *before, const char *table, const char *on,
                            const AskedMy *asked, bool update, const char *name);

/* ---- fill_in_place_my.c: nullable column, triggers, an UPDATE in chunks ---- */

/* NULL, or why the columns cannot be filled in the table itself. */
const char *fill_blocker_my(MakerMy *maker, const WorkMy *work, const AskedMy *asked);
/* In the table itself or in a copy: what --strategy says, else what is possible, else what costs less.
 * ERR_UNSAFE where neither can be. */
Err *fill_choose_my(MakerMy *maker, const WorkMy *work, const AskedMy *asked, Way *ret_way) MUST_USE;
/* The way and its reason as a note. */
void fill_note_my(MakerMy *maker, const WorkMy *work, const AskedMy *asked, Way way);
Err *fill_write_my(MakerMy *maker, const WorkMy *work, const Operation *operation, const AskedMy *asked,
                   Phase phase) MUST_USE;
/* The triggers on the shadow, and their end. */
void fills_write_my(MakerMy *maker, const WorkMy *work, const AskedMy *asked, const ShadowSpec *spec);

/* ---- check_my.c: rows that would not fit, found before anything is done ---- */

/* `phase` is that of the statement. */
void checks_write_my(MakerMy *maker, const WorkMy *work, const AskedMy *asked, Phase phase);

/* ---- key_my.c: foreign keys that are added ---- */

/* What looks at the rows of before, behind the step that adds the keys. */
void keys_write_my(MakerMy *maker, const WorkMy *work, const AskedMy *asked);
/* "DROP FOREIGN KEY `x`", for those that the statement made. */
void keys_drop_new_my(Arena *arena, Str *out, const AskedMy *asked);

/* ---- users_my.c: triggers and views that name what goes ---- */

void users_note_my(MakerMy *maker, const Table *table, const AskedMy *asked);
/* Of a table that goes, or is called otherwise. */
void users_note_name_my(MakerMy *maker, const Table *table);

/* ---- definition_my.c: lines of SHOW CREATE TABLE ---- */

/* The line that begins so, without what stands around it: "`amount` int NOT NULL"; NULL. */
const char *definition_line_my(Arena *arena, const char *create_sql, const char *beginning);
const char *definition_column_my(Arena *arena, const char *create_sql, const char *column);
/* "UNIQUE KEY `a` (`b`)", to stand behind ADD; NULL. */
const char *definition_index_my(Arena *arena, const char *create_sql, const char *index);
/* The table under another name, empty and without foreign keys; CHECK constraints that `taken`, another
 * definition, has as well get names from the server. NULL: there is none. `counter` is where its
 * AUTO_INCREMENT begins, NULL at 1. */
const char *definition_as_my(Arena *arena, const char *create_sql, const char *name, const char *taken,
                             const char *counter);
/* "CONSTRAINT `x` FOREIGN KEY …" as it stands in the definition; NULL. */
const char *definition_foreign_key_my(Arena *arena, const char *create_sql, const char *name);
/* What the statement says of AUTO_INCREMENT = n, as written; NULL. */
const char *counter_said_my(Arena *arena, const AskedMy *asked);
/* What takes the ALTER TABLE back, as one statement; NULL where that is not known. */
const char *undo_sql_my(Arena *arena, const char *table, const AskedMy *asked);
