/* version.h — both applications at once: a schema of views that show the new shape; known inside plan/ only.
 *
 * The base table keeps the old shape until `complete`. Which application a session belongs to is said by the
 * setting stoa.version, never by its search_path: the views raise for a session that does not name the
 * version, and a trigger of the base table raises for one that names it and writes past the view. */
#pragma once
#include "plan/maker.h"

enum { VERSION_INVOKER = 150000 }; /* from here on a view may ask with the rights of whoever uses it */

/* A column as the view shows it. */
typedef struct ShownColumn {
    const char *column; /* of the base table */
    const char *shown;  /* in the view */
    const char *old;    /* whose place it takes, and whose grants and comments: itself, or the column of which
                           it is the twin */
    const char *default_sql; /* of the view: a twin has none of its own until `complete`; NULL */
} ShownColumn;

/* One view. */
typedef struct VersionTable {
    TableWork *work;
    const Face *face;
    const char *view;       /* its name */
    const char *new_name;   /* RENAME TO: of the table, with `complete`; NULL */
    const char *new_schema; /* SET SCHEMA; NULL */
    VEC(ShownColumn) columns;
    VEC(ShownColumn) renames; /* with `complete` */
} VersionTable;

typedef struct Version {
    const char *change; /* what stoa.version must say */
    const char *schema; /* its name */
    const char *owner;  /* of the schema: the first table's */
    VersionTable *tables;
    size_t table_count;
} Version;

/* ---- the statements (version_sql_pg.c) ------------------------------------------------------ */

/* The functions by which the views know their application. Names without schema. */
#define VERSION_FITS   "stoa_version_fits"
#define VERSION_WRITES "stoa_version_writes"

/* `lasting`: as it stays after `complete`, without the trace that the base table's trigger looks for; only
 * then may parallel plans use it. */
const char *version_fits_sql(Arena *arena, const Version *version, bool lasting);
const char *version_writes_sql(Arena *arena, const Version *version);
/* The trigger of a base table, and its end. */
const char *version_trigger_sql(Arena *arena, const Version *version, const VersionTable *table);
const char *version_trigger_drop_sql(Arena *arena, const Version *version, const VersionTable *table);
/* CREATE VIEW, comments and grants, in order. */
Texts version_view_sql(Arena *arena, const Server *server, const Version *version, const VersionTable *table);
/* Grants on the schema for whoever may use the tables' schemas, and for the owners of its views. */
Texts version_schema_grants(Arena *arena, const Version *version);

/* ---- the steps (version_pg.c) --------------------------------------------------------------- */

/* RENAME of a column or table and SET SCHEMA with --versioned: nothing is copied, the view shows the new name
 * and `complete` gives it to the table. */
Err *version_rename(Maker *maker, const Operation *op, TableWork *work) MUST_USE;
/* After all operations have written their steps: schema, functions, triggers and views, and what `complete`
 * and `revert` do with them. */
Err *version_finish(Maker *maker) MUST_USE;
