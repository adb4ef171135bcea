/* What online tools leave when they are killed, and what waits for ever. Names alone prove little: who works
 * with them now, which changes are under way and how old they are decide. */
#include "run/stale.h"

#include "base/str.h"

#include <string.h>

enum {
    QUIET_S = 3600,            /* a tool that works touches its tables more often */
    PGROLL_OLD_S = 30 * 86400, /* its own schema is no leftover while people migrate with it */
    PREPARED_S = 10,           /* a commit in two phases takes milliseconds */
    PREPARED_SURE_S = 86400,
    SLOT_SURE_S = 86400,
};
static const int64_t slot_sure_bytes = INT64_C(1) << 30;

/* How a tool names what it makes: words before and behind the name of the user's table; NULL: none. */
typedef struct Habit {
    const char *tool, *type;
    const char *before, *behind;
    bool needs_base; /* the name between must be that of a table: else the pattern is too common */
    const char *what;
} Habit;

static const Habit habits[] = {
    {"gh-ost", "table", "_", "_gho", false, "the copy that gh-ost was filling"},
    {"gh-ost", "table", "_", "_ghc", false, "gh-ost's log of a migration"},
    {"gh-ost", "table", "_", "_ghk", false, "gh-ost's checkpoints of a migration"},
    {"gh-ost", "table", "_", "_del", true, "the old table that gh-ost put aside"},
    {"pt-online-schema-change", "table", "_", "_new", true,
     "the copy that pt-online-schema-change was filling"},
    {"pt-online-schema-change", "table", "_", "_old", true,
     "the old table that pt-online-schema-change put aside"},
    {"pt-online-schema-change", "trigger", "pt_osc_", "", false,
     "it writes every change of the table into a copy of pt-online-schema-change"},
    {"spirit", "table", "_", "_chkpnt", false, "Spirit's checkpoints of a migration"},
    {"lhm", "table", "lhmn_", "", true, "the copy that LHM was filling"},
    {"lhm", "table", "lhma_", "", false, "the old table that LHM put aside"},
    {"lhm", "trigger", "lhmt_", "", false, "it writes every change of the table into a copy of LHM"},
    {"pg-osc", "table", "pgosc_", "", false, "a table of pg-online-schema-change"},
    {"pg-osc", "trigger", "primary_to_audit_table_trigger", "", false,
     "it writes every change of the table into a log of pg-online-schema-change"},
    {"pg_repack", "table", "log_", "", false, "pg_repack's log of changes to a table"},
    {"pg_repack", "table", "table_", "", false, "the copy that pg_repack was filling"},
    {"pg_repack", "trigger", "repack_trigger", "", false,
     "it writes every change of the table into pg_repack's log"},
    {"pg_repack", "trigger", "a_repack_trigger", "", false,
     "it writes every change of the table into pg_repack's log"},
    {"pg_repack", "trigger", "z_repack_trigger", "", false,
     "it writes every change of the table into pg_repack's log"},
    {"pgroll", "trigger", "_pgroll_", "", false, "pgroll's trigger of a migration that is not under way"},
    {"pgroll", "column", "_pgroll_", "", false, "pgroll's column of a migration that is not under way"},
    {"pgroll", "function", "_pgroll_", "", false, "pgroll's function of a migration that is not under way"},
    {"reshape", "trigger", "__reshape", "", false, "Reshape's trigger of a migration"},
    {"reshape", "column", "__reshape", "", false, "Reshape's column of a migration"},
    {"reshape", "function", "__reshape", "", false, "Reshape's function of a migration"},
    {"stoa", "table", "", "__stoa_new", false, "a shadow table of Stoa's"},
    {"stoa", "table", "", "~stoa_new", false, "a shadow table of Stoa's"},
    {"stoa", "table", "", "__stoa_old", false, "the old table that Stoa put aside"},
    {"stoa", "table", "", "~stoa_old", false, "the old table that Stoa put aside"},
    {"stoa", "trigger", "stoa_", "", false, "it notes the keys of changed rows for Stoa"},
    {"stoa", "trigger", "", "__stoa_fill_ins", false, "it fills a column for Stoa"},
    {"stoa", "trigger", "", "__stoa_fill_upd", false, "it fills a column for Stoa"},
    {"stoa", "trigger", "", "~stoa_fill_ins", false, "it fills a column for Stoa"},
    {"stoa", "trigger", "", "~stoa_fill_upd", false, "it fills a column for Stoa"},
    {"stoa", "schema", "stoa_scratch_", "", false, "empty copies that a killed plan was tried on"},
    {"stoa", "database", "stoa_scratch_", "", false, "empty copies that a killed plan was tried on"},
    {"stoa", "function", "sync_", "", false, "Stoa's sync function"},
    {"stoa", "sequence", "", "", false, "a counter of Stoa's sync trigger"},
};

static bool fits(const Habit *habit, const json_t *row)
{
    const char *name = stale_text(row, "name"), *note = stale_text(row, "note");
    size_t before = strlen(habit->before), behind = strlen(habit->behind), len = strlen(name);
    bool named = str_eq(stale_text(row, "type"), habit->type) && len > before + behind - (behind == 0) &&
                 strncmp(name, habit->before, before) == 0 && strcmp(name + len - behind, habit->behind) == 0;
    bool own = str_eq(stale_text(row, "schema"), "stoa");
    if (str_eq(habit->type, "function") || str_eq(habit->type, "sequence"))
        named = named && own == str_eq(habit->tool, "stoa");
    if (str_eq(habit->tool, "pg_repack") && str_eq(habit->type, "table"))
        named = named && str_eq(stale_text(row, "schema"), "repack");
    return named && (!habit->needs_base || note != NULL);
}

static const Habit *habit_of(const json_t *row)
{
    for (size_t i = 0; i < ARRAY_LEN(habits); i++)
        if (fits(&habits[i], row))
            return &habits[i];
    return NULL;
}

static const char *object_of(const Stale *stale, const json_t *row)
{
    const char *type = stale_text(row, "type"), *schema = stale_text(row, "schema"),
               *name = stale_text(row, "name");
    if (str_eq(type, "schema") || str_eq(type, "database"))
        return name;
    bool inside = str_eq(type, "trigger") || str_eq(type, "column");
    return inside ? arena_printf(stale->arena, "%s.%s.%s", schema, stale_text(row, "table"), name)
                  : arena_printf(stale->arena, "%s.%s", schema, name);
}

/* The table that the object is about is one that a change under way works on: its own name, what Stoa's or
 * the tool's name says it was made for, or for a function of Stoa's the schema and table of its number. */
static bool is_of_live_change(const Stale *stale, const json_t *row, const Habit *habit)
{
    const char *schema = stale_text(row, "schema"), *table = stale_text(row, "table"),
               *note = stale_text(row, "note");
    if (str_eq(schema, "stoa"))
        return table != NULL && stale_is_live(stale, note, table);
    if (stale_is_live(stale, schema, table) || (habit->needs_base && stale_is_live(stale, schema, note)))
        return true;
    return str_eq(habit->tool, "stoa") && note != NULL &&
           (stale_is_live(stale, schema, note) ||
            json_object_get(stale->live, arena_printf(stale->arena, "change:%s", note)) != NULL);
}

static Confidence confidence_of(const json_t *row, const Habit *habit)
{
    if (str_eq(habit->tool, "stoa"))
        return CONFIDENCE_HIGH; /* the journal knows */
    if (stale_has(row, "age_s"))
        return stale_int(row, "age_s") < QUIET_S ? CONFIDENCE_LOW
               : stale_int(row, "age_s") < 86400 ? CONFIDENCE_MEDIUM
                                                 : CONFIDENCE_HIGH;
    return CONFIDENCE_MEDIUM;
}

static void add_left(Stale *stale, const json_t *row, const char *tool, const char *what,
                     Confidence confidence)
{
    Arena *arena = stale->arena;
    const char *type = stale_text(row, "type"), *schema = stale_text(row, "schema"),
               *drop = stale_text(row, "drop");
    const char *age = !stale_has(row, "age_s") ? ""
                                               : arena_printf(arena, "; last touched %s ago",
                                                              stale_age(arena, stale_int(row, "age_s")));
    const char *who = str_eq(tool, "stoa") ? "no change under way in the journal works with it"
                                           : "no session of it is here now";
    const char *comment = stale_text(row, "comment");
    bool alone = str_eq(schema, "stoa") || str_eq(type, "schema") || str_eq(type, "database");
    stale_add(stale, &(StaleFinding){
                         .kind = "leftover",
                         .tool = tool,
                         .object = object_of(stale, row),
                         .schema = schema,
                         .table = stale_text(row, "table"),
                         .name = stale_text(row, "name"),
                         .confidence = confidence,
                         .bytes = stale_has(row, "bytes") ? stale_int(row, "bytes") : -1,
                         .evidence = arena_printf(arena, "%s: %s; %s%s%s%s", type, what, who, age,
                                                  comment == NULL || comment[0] == '\0' ? "" : "; comment: ",
                                                  comment == NULL ? "" : comment),
                         .todo = alone || stale->dialect == DIALECT_MYSQL ? drop : stale_apply(arena, drop)});
}

/* Schemas of tools that have a state of their own. */
static bool add_tool_schema(Stale *stale, const json_t *row)
{
    const char *name = stale_text(row, "name"), *note = stale_text(row, "note");
    bool version = str_eq(note, "pgroll"), known = stale_has(row, "age_s");
    if (!str_eq(stale_text(row, "type"), "schema") || str_starts(name, "stoa_"))
        return false;
    if (known && stale_int(row, "age_s") < PGROLL_OLD_S)
        return true; /* somebody works that way */
    bool pgroll = version || str_eq(name, "pgroll");
    add_left(stale, row, pgroll ? "pgroll" : "reshape",
             version  ? "views of a pgroll version; applications may still have it in their search_path"
             : pgroll ? "pgroll's state, where no migration was made for long"
                      : "Reshape's state",
             known && !version ? CONFIDENCE_MEDIUM : CONFIDENCE_LOW);
    return true;
}

void stale_objects(Stale *stale)
{
    size_t i = 0;
    const json_t *row = NULL;
    json_array_foreach(stale->facts[STALE_OBJECTS], i, row)
    {
        if (stale_flag(row, "alive") || stale_text(row, "name") == NULL)
            continue;
        if (add_tool_schema(stale, row))
            continue;
        const Habit *habit = habit_of(row);
        static const Habit sync = {"stoa", "trigger", "", "", false, "Stoa's sync trigger"};
        if (habit == NULL && str_eq(stale_text(row, "type"), "trigger") &&
            str_eq(stale_text(row, "note"), "stoa"))
            habit = &sync;
        if (habit != NULL && !is_of_live_change(stale, row, habit))
            add_left(stale, row, habit->tool, habit->what, confidence_of(row, habit));
    }
}

/* ---- what waits ----------------------------------------------------------------------------- */

static void add_prepared(Stale *stale, const json_t *row)
{
    Arena *arena = stale->arena;
    const char *name = stale_text(row, "name"), *todo = stale_text(row, "do");
    int64_t age_s = stale_int(row, "age_s");
    bool known = stale_has(row, "age_s");
    if (known && age_s < PREPARED_S)
        return;
    const char *age = known ? arena_printf(arena, "prepared %s ago", stale_age(arena, age_s)) : "prepared";
    const char *owner =
        stale_text(row, "owner") == NULL ? "" : arena_printf(arena, " by %s", stale_text(row, "owner"));
    CLEANUP(str_donep) Str sql = STR_INIT;
    if (todo == NULL) {
        str_add(&sql, "ROLLBACK PREPARED '");
        for (const char *at = name; *at != '\0'; at++)
            str_addn(&sql, *at == '\'' ? "''" : at, *at == '\'' ? 2 : 1);
        str_add(&sql, "'");
    }
    stale_add(stale,
              &(StaleFinding){.kind = "prepared-transaction",
                              .object = name,
                              .name = name,
                              .confidence = age_s >= PREPARED_SURE_S ? CONFIDENCE_HIGH
                                            : age_s >= QUIET_S       ? CONFIDENCE_MEDIUM
                                                                     : CONFIDENCE_LOW,
                              .bytes = -1,
                              .evidence = arena_printf(arena,
                                                       "%s%s and never ended: it keeps its locks, and dead "
                                                       "rows from being removed",
                                                       age, owner),
                              .todo = todo != NULL ? todo : arena_dup(arena, sql.buf)});
}

static void add_slot(Stale *stale, const json_t *row)
{
    Arena *arena = stale->arena;
    const char *name = stale_text(row, "name");
    bool lost = stale_flag(row, "lost"), known = stale_has(row, "age_s");
    int64_t bytes = stale_has(row, "bytes") ? stale_int(row, "bytes") : -1, age_s = stale_int(row, "age_s");
    Confidence confidence = lost || (known && age_s >= SLOT_SURE_S) || bytes >= slot_sure_bytes
                                ? CONFIDENCE_HIGH
                            : known && age_s >= QUIET_S ? CONFIDENCE_MEDIUM
                                                        : CONFIDENCE_LOW;
    const char *evidence =
        arena_printf(arena, "nobody reads it%s%s; it keeps %s of the log, and dead rows",
                     known ? arena_printf(arena, " since %s", stale_age(arena, age_s)) : "",
                     lost ? ", and what it needs is gone already" : "",
                     bytes < 0 ? "an unknown part" : stale_size(arena, bytes));
    stale_add(stale,
              &(StaleFinding){.kind = "inactive-slot",
                              .object = name,
                              .name = name,
                              .confidence = confidence,
                              .bytes = bytes,
                              .evidence = evidence,
                              .todo = arena_printf(arena, "SELECT pg_drop_replication_slot('%s')", name)});
}

void stale_waiting(Stale *stale)
{
    size_t i = 0;
    const json_t *row = NULL;
    json_array_foreach(stale->facts[STALE_WAITING], i, row)
    {
        if (str_eq(stale_text(row, "type"), "prepared transaction"))
            add_prepared(stale, row);
        else
            add_slot(stale, row);
    }
}
