/* folder.h — files of a migration tool: which tool it is (by content first, by name second), in what order it
 * runs them, which parts are the way there and the way back, and what it puts into one transaction.
 *
 * Sources: the tools' own readers and manuals, as noted in rollout.md section 3 of the design notes. */
#pragma once
#include "check/stream.h"

typedef enum Tool {
    TOOL_NONE,
    TOOL_FLYWAY,
    TOOL_LIQUIBASE,
    TOOL_DBMATE,
    TOOL_GOOSE,
    TOOL_GOLANG_MIGRATE,
    TOOL_SQITCH,
    TOOL_ATLAS,
    TOOL_RAILS,
    TOOL_DJANGO,
    TOOL_PRISMA,
    TOOL_COUNT
} Tool;

/* Bytes of a file that the tool runs together. */
typedef struct Part {
    size_t start, end;
    bool down;
    TxModel model;
    const char *delimiter; /* what ends a statement instead of a semicolon; "": the end of the part; NULL */
    size_t marker;         /* with it: where the line begins that says so */
    bool applied;          /* by the state table of the tool */
} Part;

typedef struct Source {
    const char *path; /* as it is reported */
    const char *text; /* NUL-terminated */
    size_t len;
    size_t given; /* its place among those that were given */
    Tool tool;
    bool down;    /* all of it is the way back */
    bool skipped; /* the tool does not run it: verify scripts, files without a version */
    bool from_stdin;
    bool applied;             /* it has been applied: read, not checked */
    bool no_transaction;      /* a word of the tool says so for all of it */
    const char *version;      /* "" if none */
    const char *problem;      /* why the tool cannot read it, or what else is wrong with the file; NULL */
    const char *problem_rule; /* which rule says so; NULL: migration-malformed, of files that are checked */
    VEC(Part) parts;
} Source;

/* What is given together: a folder's files, or one file. */
typedef struct SourceSet {
    VEC(Source) files;
    const char *folder;      /* where it was read from; NULL: files that were given one by one */
    const char *plan;        /* text of sqitch.plan; NULL */
    bool atlas;              /* atlas.sum is there */
    const char *atlas_sum;   /* its text; NULL */
    bool prisma;             /* migration_lock.toml is there */
    bool read;               /* folder_read() was here */
    VEC(const char *) plain; /* files with a .conf beside them that says executeInTransaction=false */
} SourceSet;

const char *tool_name(Tool tool);
/* Finds the tool of each file, cuts it into parts, and sorts the files as the tools would. */
void folder_read(Arena *arena, SourceSet *set);
/* folder_parts.c: the parts of one file; sets its problem. */
void folder_cut(Arena *arena, Source *source);
/* folder_mask.c: the text with what the tool has instead of semicolons in the splitter's own words, at the
 * same offsets; *ret_start: where the part begins in it. */
const char *folder_masked(Arena *arena, const Source *source, const Part *part, bool my, size_t *ret_start);
/* folder_sum.c: sets the problem of the first file that atlas.sum does not agree with. */
void folder_sum(Arena *arena, SourceSet *set);
/* PostgreSQL, unless the words of the text are those of MySQL and MariaDB. */
CheckEngine engine_of_text(const char *text, size_t len);
