/* maker.h — what plan_make_pg keeps while it works; known inside plan/ only. */
#pragma once
#include "base/str.h"
#include "engine/sql.h"
#include "plan/plan.h"

typedef VEC(const char *) Texts;

/* A column that is to get another type or name, and the new one that takes its place. */
typedef struct Twin {
    const Operation *op;
    const Column *old;
    const char *hidden; /* the new column's name until the cutover, the old one's from then on */
    const char *type;   /* the new one's */
    const PlanExpr *expr;
    bool plain; /* converted by a cast alone */
    const ColumnParts *column_parts;
    const char *default_sql; /* of the new one; NULL: none */
} Twin;

/* What is gathered for one table before its shared steps (one sync trigger, one pass of the backfill) are
 * written. */
typedef struct TableWork {
    const Table *table;
    const char *sql; /* schema.name, quoted */
    Texts expand_sql, expand_undo;
    Texts added;    /* columns that this change adds */
    Texts new_defs; /* "amount_cents bigint": every new column, for subscribers */
    Texts contract_sql;
    VEC(FillColumn) fills;
    VEC(Check) prepare, verify;
    VEC(Twin) twins;
    VEC(const char *) names; /* given to indexes and constraints by this plan */
    const Step *swap; /* --versioned: locks of the swap of names that `contract_sql` begins with; NULL */
    size_t expand_at; /* place of the shared expand step in its phase */
    bool expand_placed;
    bool quiet;             /* an old application may depend on the trigger: it stays until complete */
    bool touched;           /* has steps */
    struct TableWork *root; /* of the partitioned table that it was loaded as a part of; NULL */
} TableWork;

typedef struct Maker {
    Arena *arena;
    const PlanInput *input;
    const Change *change;
    const Server *server;
    WantedName *wanted;
    size_t wanted_count;
    TableWork *works; /* one per distinct table */
    size_t work_count;
    VEC(Step) steps[PHASE_COUNT];
    VEC(Risk) risks;
    struct NativePlace *natives; /* per operation; native_pg.c */
    bool *consumed;              /* per operation: done as part of another one */
    Texts covered; /* statements that a revert need not take back: they go with a new column, or are undone in
                      another way */
    VEC(Step) reverts_first;    /* of a revert, before all others: views of columns that it takes away */
    bool derives_revert;        /* the steps of a revert are made from the undo of those forward */
    const char *version_schema; /* Plan.version_schema */
    const char *no_revert;      /* why the change as a whole cannot be reverted once it is ready; NULL */
} Maker;

/* ---- partitioned tables (partition_pg.c) ----------------------------------------------------- */

/* From here on ALTER INDEX … ATTACH PARTITION leaves the parent's table alone. */
enum { INDEX_ATTACH_WEAK_VERSION = 120000 };

/* One work for each distinct table that was loaded, partitions included. */
void works_open(Maker *maker);
/* It has partitions. */
bool work_is_tree(const TableWork *work);
/* The works of the tables that hold its rows: of each partition, or itself. `at` begins at 0; NULL: no more.
 */
TableWork *work_next_leaf(const Maker *maker, const TableWork *work, size_t *at);
/* The table itself, then all beneath it, parents before their children. */
TableWork *work_next_part(const Maker *maker, TableWork *work, size_t *at);
/* ERR_UNSAFE where a column is named in the partition key of the table or of a partition: `what` may not be
 * done to it, and `hint` says what can be done instead. */
Err *partition_key_check(const TableWork *work, const char *column, const char *what,
                         const char *hint) MUST_USE;
/* The table whose lease a change of it takes: the top of its tree. */
const char *work_lease(const TableWork *work);
/* The step locks its table only, not the partitions. */
void step_only(Step *step);
/* Adds the table's partitions to those that the step locks. */
void step_add_tree(Maker *maker, Step *step, const Table *table, const char *mode);
/* "fill c in ranges in public.orders_7" */
const char *in_leaf(Maker *maker, const TableWork *work, const TableWork *leaf, const char *title);
/* What cannot be done to a partitioned table, a partition, or in an inheritance tree: ERR_UNSAFE with the
 * reason and the way. `op` NULL: a backfill. */
Err *partition_check(const Maker *maker, const Operation *op, const Table *table) MUST_USE;

/* CREATE INDEX, UNIQUE and PRIMARY KEY of a partitioned table (partition_key_pg.c). `name` is the parent's,
 * `middle` the part of the conventional name that the columns give. */
Err *index_tree(Maker *maker, TableWork *work, const IndexSpec *spec, const char *name,
                const char *middle) MUST_USE;
Err *index_tree_drop(Maker *maker, TableWork *work, const Index *index) MUST_USE;
Err *key_tree(Maker *maker, TableWork *work, const ConstraintSpec *spec, const char *name) MUST_USE;

/* attach_pg.c; `parent` is the partitioned table */
Err *partition_attach(Maker *maker, const Operation *op, TableWork *parent) MUST_USE;
Err *partition_create(Maker *maker, const Operation *op, TableWork *parent) MUST_USE;
Err *partition_detach(Maker *maker, const Operation *op, TableWork *parent) MUST_USE;

/* ---- looking up (rewrite_pg.c) -------------------------------------------------------------- */

/* The loaded table of a name as written; kind RELATION_MISSING where there is none. */
const Table *maker_table(const Maker *maker, Name name, bool index);
TableWork *maker_work(const Maker *maker, const Table *table);
/* The ADD COLUMN of this change that makes the column; NULL. */
const Operation *maker_adds(const Maker *maker, const Table *table, const char *column);
/* The column stands in the table or is added by this change; else ERR_USAGE. */
Err *maker_needs_column(const Maker *maker, const Table *table, const char *column) MUST_USE;
/* The server's answer for an expression; ERR_BUG when it was not asked, ERR_USAGE in the server's words. */
Err *maker_expr(const Maker *maker, const Table *table, const char *column, bool of_default,
                const PlanExpr **ret_expr) MUST_USE;
bool maker_accepts(const Maker *maker, const char *id);

/* ---- steps (step.c) ------------------------------------------------------------------------- */

/* Adds a step; the pointer holds until the next one is added to the same phase. */
Step *maker_step(Maker *maker, Phase phase, StepKind kind, const TableWork *work, const char *title);
/* A short transaction under `lock`; `undo` may be NULL. */
Step *maker_ddl(Maker *maker, Phase phase, TableWork *work, const char *lock, const char *title,
                const char *sql, const char *undo);
/* ALTER TABLE … VALIDATE CONSTRAINT. */
void maker_validate(Maker *maker, TableWork *work, const char *constraint, const Table *also);
void step_add_sql(Maker *maker, Step *step, const char *sql);
void step_add_undo(Maker *maker, Step *step, const char *undo);
/* The step's own lock for its own table, SHARE ROW EXCLUSIVE for any other (the far end of a foreign key). */
void step_add_lock(Maker *maker, Step *step, const Table *table);
/* `relation` as sql_name() writes it; `mode` "ACCESS EXCLUSIVE" … */
void step_add_lock_mode(Maker *maker, Step *step, const char *relation, const char *mode);
void step_estimate(Step *step, int64_t low_ms, int64_t high_ms);
/* A part of the change that has no way back once it is ready: then the whole has none, and `why` says so. The
 * first reason stays. Steps of phase PHASE_REVERT are written with maker_step() and maker_ddl() like all
 * others, in the order they are to be run. */
void maker_no_revert(Maker *maker, const char *why);
/* A note or, with `accept`, something to be accepted. */
void maker_risk(Maker *maker, const char *id, const char *accept, const char *message, const char *sql);
/* A step that counts rows, with its own copy of the checks. */
void maker_checks(Maker *maker, Phase phase, TableWork *work, const char *title, const Check *checks,
                  size_t count);

/* A whole query that must return no row, asked once of the table itself. */
void maker_look(Maker *maker, Phase phase, TableWork *work, const char *title, const Check *check);
/* In the verify phase: the same checks of partitions that the plan does not know. */
void maker_newcomers(Maker *maker, TableWork *work, const Check *checks, size_t count);

/* ---- how long (estimate.c): [low, high] in milliseconds ------------------------------------- */

typedef struct Span {
    int64_t low, high;
} Span;
Span estimate_scan(const Table *table);
Span estimate_backfill(const Table *table);
Span estimate_vacuum(const Table *table);
Span estimate_index(const Table *table);
/* How long a scan under a strong lock would hold it, as likely as not: 10 M rows/s, 1 GB/s. */
int64_t estimate_stall_ms(const Table *table);

/* ---- all of a change in a shadow table (shadow_pg.c, shadow_steps_pg.c) ------------------------ */

/* ERR_UNSAFE, naming it, where something of the table could not be carried over, or is not done so. */
Err *shadow_write_pg(Maker *maker) MUST_USE;

/* ---- names as the server makes them (name_pg.c) ---------------------------------------------------------
 */

/* makeObjectName(): "name1_name2_label", the longer of the two cut until it fits 63 bytes. `name2` and
 * `label` may be NULL. */
char *name_object(Arena *arena, const char *name1, const char *name2, const char *label);
/* The same with a number behind the label until no index, constraint of the table or name given by this plan
 * has it; remembered in the work. */
const char *name_free(Maker *maker, TableWork *work, const char *name2, const char *label);
/* Another word than "_stoa_" before it. */
const char *name_headed(Arena *arena, const char *head, const char *name);
/* "_stoa_" and the name, cut to 63 bytes; what is cut off is kept apart by eight digits of its digest. */
const char *name_hidden(Arena *arena, const char *name);
/* Remembers a name that the user chose. */
void name_take(Maker *maker, TableWork *work, const char *name);
/* "a_b" of several columns, as ChooseIndexNameAddition() does. */
const char *name_columns(Arena *arena, const char *const *columns, size_t count);
/* The single column that a CHECK expression names, or NULL: the server puts it into the constraint's name. */
const char *name_check_column(Arena *arena, const TableWork *work, const char *expr_sql);
/* Two texts of the same definition, whoever wrote them: compares without blanks, parentheses, quotes, casts
 * and letter case. May say false for equal ones that the server writes in other words. */
bool definition_like(Arena *arena, const char *a, const char *b);

/* ---- types (type_pg.c) ---------------------------------------------------------------------- */

/* "int8" -> "bigint", "varchar(20)" -> "character varying(20)": as the server writes it. */
const char *type_canonical(Arena *arena, const char *type);
bool type_same(Arena *arena, const char *a, const char *b);
/* One of the server's own types: not a domain, whose constraints would be checked row by row. */
bool type_builtin(Arena *arena, const char *type);
/* "=" of the type is true for identical bytes only. */
bool type_exact(Arena *arena, const char *type, const char *collation_sql);
/* Rows need not be looked at to give a column of one type the other: the values are the same bytes, and none
 * can be too long. By rule; E5 in the notes says what may hang on the column all the same. */
bool type_widens(Arena *arena, const char *from, const char *to);
/* No two values become one. */
bool type_injective(Arena *arena, const char *from, const char *to);
/* "(value)::type IS NOT DISTINCT FROM other": a value that has been through another type is what it was. NULL
 * for types of which it is not known that "=" tells. */
const char *type_same_again(Arena *arena, const char *value, const char *type, const char *other);
/* Large values may be compressed and stored outside the row. */
bool type_toasts(Arena *arena, const char *type);
/* n of varchar(n) and char(n), to which a cast cuts silently where an assignment raises; 0 for others. */
long type_char_limit(Arena *arena, const char *type);

/* ---- operations ------------------------------------------------------------------------------------------
 */

/* What is asked of a column that is added, by all operations of the change together. */
typedef struct Wish {
    const Operation *op;
    ColumnSpec spec; /* with SET/DROP NOT NULL and SET DEFAULT of the same change in it */
    bool drop_default_later;
    const BackfillSpec *backfill;
    const char *ident, *type;
} Wish;

/* Whether it needs the server's own NOT NULL: a primary key, an identity. */
bool wish_hard(const Maker *maker, const TableWork *work, const Wish *wish);
const char *column_add_sql(Arena *arena, const TableWork *work, const Wish *wish, const char *type);
const char *column_drop_sql(Arena *arena, const TableWork *work, const Wish *wish);
/* As a subscriber needs it: rows that are there already get a default by no message, so the column is to have
 * it there as well, unless it is `filled` row by row. */
const char *column_far(Arena *arena, const Wish *wish, bool filled);
/* With a backfill expression; with a default that existing rows must be given one by one (fill_pg.c). */
Err *column_backfill(Maker *maker, TableWork *work, const Wish *wish) MUST_USE;
Err *column_phased_default(Maker *maker, TableWork *work, const Wish *wish) MUST_USE;

Err *column_add(Maker *maker, const Operation *op, TableWork *work) MUST_USE;
/* The new column of a twin: expand, backfill and verify, as for a backfill. */
Err *column_twin(Maker *maker, TableWork *work, const Wish *wish, const PlanExpr *expr) MUST_USE;
/* Its part of a backfill and of the sync trigger of `work`. */
FillColumn column_fill(Maker *maker, const TableWork *work, const ColumnSpec *spec, const char *type,
                       const PlanExpr *expr);
/* The step adds the work's fills to the sync trigger of its table, or takes this change's part out of it. */
void fills_sync(Maker *maker, const TableWork *work, Step *step);
void fills_unsync(Maker *maker, const TableWork *work, Step *step);
/* The steps of complete: no old writer, then out of the trigger, and what had to wait until then. */
void fills_contract(Maker *maker, TableWork *work);
Err *column_default(Maker *maker, const Operation *op, TableWork *work) MUST_USE;
/* Backfills of columns that the table has already. */
Err *column_fill_existing(Maker *maker, const BackfillSpec *fill, TableWork *work) MUST_USE;
/* The shared steps of a table: expand, backfill, vacuum, verify, contract. */
Err *column_finish(Maker *maker, TableWork *work) MUST_USE;

Err *not_null_set(Maker *maker, const Operation *op, TableWork *work) MUST_USE;
Err *not_null_drop(Maker *maker, const Operation *op, TableWork *work) MUST_USE;
/* Makes a column NOT NULL whose rows are known to have values. With `hard` the server's own mark is needed
 * (primary key, identity), a validated CHECK is not enough. `new_column`: undo need not restore anything. */
Err *not_null_prove(Maker *maker, TableWork *work, const char *column, bool new_column, bool hard) MUST_USE;

/* The server's own mark, or a validated CHECK, says that the column has no NULL. */
bool not_null_known(Arena *arena, const Table *table, const char *column);

Err *constraint_add(Maker *maker, TableWork *work, const ConstraintSpec *spec,
                    const char *of_column) MUST_USE;
Err *constraint_validate(Maker *maker, const Operation *op, TableWork *work) MUST_USE;
/* The constraint's name as the server would choose it, made free; remembered. */
const char *constraint_name(Maker *maker, TableWork *work, const ConstraintSpec *spec, const char *of_column);

/* The change makes this index into a constraint (USING INDEX renames it), and the constraint is there. */
bool constraint_made_of(Maker *maker, const TableWork *work, const char *index);

/* ADD CONSTRAINT … NOT VALID; `also` is the table at the other end, or NULL. */
void constraint_not_valid(Maker *maker, TableWork *work, const char *name, const char *definition,
                          const char *lock, const Table *also);

/* ALTER COLUMN TYPE: at once where that costs nothing, else a twin. */
Err *twin_change_type(Maker *maker, const Operation *op, TableWork *work) MUST_USE;
/* RENAME COLUMN: both names until `complete`, or at once. */
Err *rename_column(Maker *maker, const Operation *op, TableWork *work) MUST_USE;
/* ERR_UNSAFE where another operation of the change works on the same column, defaults excepted. */
Err *column_alone(const Maker *maker, const Operation *op, const TableWork *work) MUST_USE;
/* What was loaded of it; NULL. */
const ColumnParts *column_parts_find(const Table *table, const char *column);
/* The name of a column that stands beside the one that it is to replace. */
bool twin_hidden(const TableWork *work, const char *column);
/* All that hangs on the columns is made for their twins, and the cutover, for all tables of the change. */
Err *twins_finish(Maker *maker) MUST_USE;
/* A short step that does it at once, with all that hangs on the column; *ret_done false: it cannot be. */
Err *widen_write(Maker *maker, const Operation *op, TableWork *work, const ColumnParts *column_parts,
                 bool *ret_done) MUST_USE;
/* Adds what takes away, or makes again, the views, triggers and policies that name these columns. */
void text_drop_sql(Maker *maker, Step *step, const TableWork *work, const ColumnPart *const *items,
                   size_t count);
void text_make_sql(Maker *maker, Step *step, const TableWork *work, const ColumnPart *const *items,
                   size_t count);
/* The column_parts of all twins of the table, each once; with `extra` of those of one more column. */
void column_parts_all(Maker *maker, const TableWork *work, const ColumnParts *extra,
                      const ColumnPart *const **ret_items, size_t *ret_count);
/* Of a partitioned table: ERR_UNSAFE with what stands in the way of another type, and the way around it.
 * `keeps_bytes`: the rows are not touched. */
Err *type_tree_check(Maker *maker, const Operation *op, TableWork *work, const ColumnParts *parts,
                     bool keeps_bytes) MUST_USE;
/* Refuses what cannot be carried over, and what belongs to others. */
Err *column_parts_check(Maker *maker, const TableWork *work, const char *column,
                        const ColumnParts *column_parts) MUST_USE;

Err *index_create(Maker *maker, const Operation *op, TableWork *work) MUST_USE;
Err *index_drop(Maker *maker, const Operation *op, TableWork *work) MUST_USE;
/* CREATE [UNIQUE] INDEX CONCURRENTLY in the constrain phase. */
void index_build(Maker *maker, TableWork *work, const char *name, bool unique, const char *definition);
/* The server's CREATE INDEX with CONCURRENTLY in it. */
const char *index_rebuild_sql(Arena *arena, const Index *index);
/* The definition is what the index has, whoever wrote it. */
bool index_like(Arena *arena, const Index *there, const IndexSpec *spec);
/* Rows with equal keys, as a query for a Check. */
const char *index_duplicates_query(Maker *maker, const TableWork *work, const char *const *columns,
                                   size_t count, bool nulls_equal);

/* Settings of tables, columns and triggers; names of constraints and indexes. */
Err *setting_write(Maker *maker, const Operation *op, TableWork *work) MUST_USE;
Err *rename_write(Maker *maker, const Operation *op, TableWork *work) MUST_USE;
/* The step of a setting, with what its form presupposes and takes along (form_pg.c). */
Err *form_write(Maker *maker, const Operation *op, TableWork *work) MUST_USE;
/* A later ADD IDENTITY of the change drops this default in its own transaction. */
bool identity_takes_default(const Maker *maker, const Operation *op);

/* Ways back (reverse_pg.c): what is asked makes sense at all; a table's, after its columns are known; and the
 * steps of a revert behind those that were written for it. */
Err *reverses_check(const Maker *maker) MUST_USE;
Err *reverse_write(Maker *maker, TableWork *work) MUST_USE;
/* The way back from a twin that is written before the cutover, by a new application through its view. */
Err *reverse_twin(Maker *maker, TableWork *work, const Twin *twin) MUST_USE;
void reverts_derive(Maker *maker, const Step *steps, size_t count);
/* ---- what goes away (drop_pg.c, back_pg.c) ------------------------------------------------------------- */

Err *column_drop(Maker *maker, const Operation *op, TableWork *work) MUST_USE;
Err *constraint_drop(Maker *maker, const Operation *op, TableWork *work) MUST_USE;
Err *table_drop(Maker *maker, const Operation *op, TableWork *work) MUST_USE;
/* RENAME TO and SET SCHEMA, with both names usable until `complete` (rename_pg.c). */
Err *table_rename(Maker *maker, const Operation *op, TableWork *work) MUST_USE;
/* The primary key that an earlier operation of the change drops, so that a new one can take its place in one
 * transaction; NULL. */
const TableConstraint *primary_key_dropped(const Maker *maker, const TableWork *work);

/* Contract begins with a look for whoever still uses the column. NULL: the table itself, or (`name_only`)
 * only its name. One step a table for columns. */
void maker_evidence(Maker *maker, TableWork *work, const char *column, bool name_only);
/* A further step to be run before the undo of `step`, on `table` and what lies beneath it; holds until the
 * next one is pushed. */
Step *back_push(Maker *maker, Step *step, const Table *table, StepKind kind, const char *lock,
                const char *title);
/* Such steps: the constraint NOT VALID, in place of what an earlier try may have left; its validation,
 * partition by partition; the index, built CONCURRENTLY. */
Step *back_not_valid(Maker *maker, const TableWork *work, Step *step, const char *name,
                     const char *definition);
void back_validate(Maker *maker, const TableWork *work, Step *step, const char *name);
void back_index(Maker *maker, const TableWork *work, Step *step, const Index *index);
/* ALTER TABLE … ADD CONSTRAINT name … USING INDEX name, as unique or primary as the constraint was. */
const char *back_key_sql(Arena *arena, const TableWork *work, const TableConstraint *constraint,
                         const char *name);
/* The way back of a step that drops a constraint or a NOT NULL: its undo, without a scan under a strong lock.
 * To be called when its locks are known. */
void back_constraint(Maker *maker, TableWork *work, Step *step, const TableConstraint *constraint);
void back_not_null(Maker *maker, TableWork *work, Step *step, const char *column);
/* The table's own NOT NULL, which stays when its parent's goes (18: before, there is none). */
bool not_null_own(Arena *arena, const Table *table, const char *column);
/* The same of partitioned tables (back_tree_pg.c): valid unique constraints, primary keys and foreign keys; a
 * NOT NULL before 12. */
void back_constraint_tree(Maker *maker, TableWork *work, Step *step, const TableConstraint *constraint);
void back_not_null_tree(Maker *maker, TableWork *work, Step *step, const char *column);

/* native_pg.c: statements that are carried out as written. Sorts out first what each of them is about: which
 * are done already, which run together, which of all operations are about a table that the change makes. */
Err *natives_sort(Maker *maker) MUST_USE;
/* The steps that come before those of tables, and those after them. */
Err *natives_before(Maker *maker) MUST_USE;
Err *natives_after(Maker *maker) MUST_USE;
/* Another step's part, or one of its own: not to be written by the operation's own writer. */
bool native_has(const Maker *maker, size_t operation);
/* An earlier statement of the change than `op` makes this table, without rows. */
bool native_makes_table(const Maker *maker, const Operation *op, Name name);

/* The view is one of an earlier version that `complete` of this change takes away (--versioned). */
bool version_ends(const Maker *maker, const Table *table, const char *schema, const char *view);

/* ---- bounds of a partition (bound_pg.c) ------------------------------------------------------ */

typedef struct Bounds {
    Arena *arena;
    const Table *parent;
    const PartitionSpec *spec;
} Bounds;
/* ERR_USAGE: they do not fit how the parent is partitioned; ERR_UNSAFE: by an expression. */
Err *bounds_check(const Bounds *bounds) MUST_USE;
/* What holds for the rows of the partition, and for no others of the parent's. */
const char *bounds_sql(const Bounds *bounds);

/* What a person should know before saying yes. */
Err *risk_gather(Maker *maker) MUST_USE;
