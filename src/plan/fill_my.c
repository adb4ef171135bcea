/* A column that is computed from others. In a copy: for the rows that are there in its one pass, for those
 * that old applications write behind the cutover by triggers of the new table. In the table itself:
 * fill_in_place_my.c. */
#include "change/lex_my.h"
#include "plan/maker_my.h"

#include <string.h>

const BackfillSpec *fill_of_my(const MakerMy *maker, const char *table, const char *column)
{
    const Change *change = maker->input->change;
    for (size_t i = 0; i < change->backfill_count; i++)
        if (str_eq(change->backfills[i].table.name, table) &&
            strcasecmp(change->backfills[i].column, column) == 0)
            return &change->backfills[i];
    return NULL;
}

bool fills_my(const MakerMy *maker, const char *table, const AskedMy *asked)
{
    for (size_t i = 0; i < asked->my->action_count; i++)
        if (asked->my->actions[i].kind == MY_ACTION_ADD_COLUMN &&
            fill_of_my(maker, table, asked->my->actions[i].column->name.text) != NULL)
            return true;
    return false;
}

/* ---- expressions ---------------------------------------------------------------------------- */

typedef struct Sources {
    const char *const *names; /* as the table has them, each once */
    size_t count;
} Sources;

static void add_source(Arena *arena, Sources *sources, const char *name)
{
    for (size_t i = 0; i < sources->count; i++)
        if (str_eq(sources->names[i], name))
            return;
    const char **grown = arena_alloc(arena, (sources->count + 1) * sizeof *grown);
    for (size_t i = 0; i < sources->count; i++)
        grown[i] = sources->names[i];
    grown[sources->count++] = name;
    sources->names = grown;
}

/* The expression with each column of `table` in backticks behind `prefix`; "orders.amount" loses its table.
 * Adds the columns to `sources`. */
static const char *expr_over(MakerMy *maker, const Table *table, const char *name, const char *expr,
                             const char *prefix, Sources *sources)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    Arena *arena = maker->arena;
    const MyDialect *lexis = maker->input->change->operations[0].lexis;
    MyFault fault = {0};
    MyTokens tokens = my_lex(arena, lexis, expr, 0, strlen(expr), &fault);
    size_t at = 0;
    for (size_t i = 0; i < tokens.len; i++) {
        const MyToken *token = &tokens.items[i];
        bool word = token->kind == MY_TOKEN_WORD || token->kind == MY_TOKEN_QUOTED;
        const char *text = word ? my_token_name(arena, expr, token) : NULL;
        bool dot = i + 1 < tokens.len && my_token_symbol(expr, &tokens.items[i + 1], ".");
        bool call = i + 1 < tokens.len && my_token_symbol(expr, &tokens.items[i + 1], "(");
        if (word && dot && strcasecmp(text, name) == 0) {
            str_addn(&out, expr + at, token->start - at);
            at = tokens.items[i + 1].end;
            continue;
        }
        const MyColumn *column =
            word && !dot && !(call && token->kind == MY_TOKEN_WORD) ? column_my(table, text) : NULL;
        if (column == NULL)
            continue;
        str_addn(&out, expr + at, token->start - at);
        str_addf(&out, "%s%s", prefix, sql_backtick(arena, column->name));
        at = token->end;
        add_source(arena, sources, column->name);
    }
    str_add(&out, expr + at);
    return arena_dup(arena, out.buf);
}

const char *const *fill_sources_my(MakerMy *maker, const Table *before, const char *table, const char *column,
                                   size_t *ret_count)
{
    const BackfillSpec *fill = fill_of_my(maker, table, column);
    Sources sources = {0};
    if (fill != NULL)
        (void)expr_over(maker, before, table, fill->expr_sql, "", &sources);
    *ret_count = sources.count;
    return sources.names;
}

const char *fill_expr_my(MakerMy *maker, const Table *before, const char *table, const char *column)
{
    const BackfillSpec *fill = fill_of_my(maker, table, column);
    Sources sources = {0};
    return fill == NULL ? NULL
                        : arena_printf(maker->arena, "(%s)",
                                       expr_over(maker, before, table, fill->expr_sql, "", &sources));
}

/* ---- what cannot be ------------------------------------------------------------------------- */

/* Not the same for the same row: the comparison would never end. */
static const char *volatile_word(const BackfillSpec *fill, const MyDialect *lexis, Arena *arena)
{
    static const char *const words[] = {
        "RAND",           "UUID",           "UUID_SHORT",   "NOW",          "SYSDATE",
        "CURDATE",        "CURTIME",        "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP",
        "LOCALTIME",      "LOCALTIMESTAMP", "UTC_DATE",     "UTC_TIME",     "UTC_TIMESTAMP",
        "CONNECTION_ID",  "USER",           "CURRENT_USER", "SESSION_USER", "DATABASE",
        "LAST_INSERT_ID", "ROW_COUNT",      "FOUND_ROWS",   "SLEEP",        "NEXTVAL",
        "SYS_GUID",       "UUID_V4",        "UUID_V7"};
    MyFault fault = {0};
    MyTokens tokens = my_lex(arena, lexis, fill->expr_sql, 0, strlen(fill->expr_sql), &fault);
    for (size_t i = 0; i < tokens.len; i++)
        for (size_t k = 0; k < ARRAY_LEN(words); k++)
            if (my_token_is(fill->expr_sql, &tokens.items[i], words[k]))
                return words[k];
    return NULL;
}

/* What depends on the zone of the session that asks: the copy's is in UTC, each writer's is its own. The
 * seconds of a TIMESTAMP are the same everywhere. NULL: nothing. */
static const char *zone_word(const MakerMy *maker, const Table *table, const BackfillSpec *fill)
{
    Arena *arena = maker->arena;
    const char *expr = fill->expr_sql;
    MyFault fault = {0};
    MyTokens tokens = my_lex(arena, maker->input->change->operations[0].lexis, expr, 0, strlen(expr), &fault);
    const char *found = NULL;
    for (size_t i = 0; i < tokens.len && found == NULL; i++) {
        const MyToken *token = &tokens.items[i];
        bool word = token->kind == MY_TOKEN_WORD || token->kind == MY_TOKEN_QUOTED;
        const MyColumn *column = word ? column_my(table, my_token_name(arena, expr, token)) : NULL;
        bool seconds = i >= 2 && i + 1 < tokens.len &&
                       my_token_is(expr, &tokens.items[i - 2], "UNIX_TIMESTAMP") &&
                       my_token_symbol(expr, &tokens.items[i - 1], "(") &&
                       my_token_symbol(expr, &tokens.items[i + 1], ")");
        bool stamp = column != NULL && str_eq(column->data_type, "timestamp");
        if (stamp && !seconds)
            found = arena_printf(arena, "the TIMESTAMP %s", column->name);
        else if (my_token_is(expr, token, "FROM_UNIXTIME"))
            found = "FROM_UNIXTIME";
        else if (my_token_is(expr, token, "UNIX_TIMESTAMP")) {
            const MyToken *next = i + 2 < tokens.len ? &tokens.items[i + 2] : token;
            const char *name = my_token_name(arena, expr, next);
            const MyColumn *of = name == NULL ? NULL : column_my(table, name);
            if (of == NULL || !str_eq(of->data_type, "timestamp"))
                found = "UNIX_TIMESTAMP";
        }
    }
    return found;
}

/* The expression is the user's, and is computed in sessions of ours: it must mean the same there. */
static Err *check_meaning(const MakerMy *maker, const Table *table, const BackfillSpec *fill)
{
    const MyServer *server = maker->server->my;
    if (server->odd_mode != NULL)
        return err_hint(err_new(ERR_UNSAFE,
                                "this server's sql_mode has %s, under which the backfill of \"%s\" may mean "
                                "something else than in sessions of Stoa's own",
                                server->odd_mode, fill->column),
                        "fill the column from the application, or make it a generated one");
    const char *word = table->my == NULL || server->utc ? NULL : zone_word(maker, table, fill);
    if (word != NULL)
        return err_hint(err_new(ERR_UNSAFE,
                                "the backfill of \"%s\" uses %s, which is another time in the zone of each "
                                "session, and this server's own is not UTC",
                                fill->column, word),
                        "use a DATETIME, or UNIX_TIMESTAMP() of the TIMESTAMP itself");
    return NULL;
}

static const MyColumnSpec *added_by(const Change *change, const BackfillSpec *fill)
{
    for (size_t i = 0; i < change->operation_count; i++) {
        const Operation *operation = &change->operations[i];
        if (operation->my->kind != MY_STATEMENT_ALTER_TABLE ||
            !str_eq(operation->table.name, fill->table.name))
            continue;
        for (size_t k = 0; k < operation->my->action_count; k++) {
            const MyAction *action = &operation->my->actions[k];
            if (action->kind == MY_ACTION_ADD_COLUMN &&
                strcasecmp(action->column->name.text, fill->column) == 0)
                return action->column;
        }
    }
    return NULL;
}

static Err *check_fill(const MakerMy *maker, const BackfillSpec *fill)
{
    const Change *change = maker->input->change;
    const MyColumnSpec *column = added_by(change, fill);
    const char *table = fill->table.name;
    if (column == NULL)
        return err_hint(
            err_new(ERR_USAGE, "the backfill is of \"%s.%s\", which no statement adds", table, fill->column),
            "ALTER TABLE %s ADD COLUMN %s …", table, fill->column);
    if (my_span_is(column->default_value))
        return err_hint(
            err_new(ERR_UNSAFE,
                    "column \"%s\" is added with a DEFAULT: what an old application did not write could not "
                    "be told from what a new one has written",
                    fill->column),
            "add it as NULL without a DEFAULT");
    /* Seen: where the trigger's expression fails or is NULL, the INSERT fails with 1048; and MariaDB gives
     * the trigger 0 instead of NULL for INSERT … SELECT, in which nobody has written anything. */
    if (column->not_null)
        return err_hint(
            err_new(ERR_UNSAFE,
                    "column \"%s\" is NOT NULL: a trigger cannot promise that the writes of an old "
                    "application get a value, and those that get none would fail",
                    fill->column),
            "add it as NULL without a DEFAULT, and make it NOT NULL in a change behind");
    if (my_span_is(column->generated) || column->auto_increment)
        return err_new(ERR_USAGE, "column \"%s\" is computed by the server itself", fill->column);
    const char *word = volatile_word(fill, change->operations[0].lexis, maker->arena);
    if (word != NULL)
        return err_hint(err_new(ERR_UNSAFE, "the backfill of \"%s\" uses %s, which is not the same twice",
                                fill->column, word),
                        "it must depend on the row alone");
    for (size_t i = 0; i < maker->input->work_count; i++)
        if (str_eq(maker->input->works[i].operations[0]->table.name, table))
            TRY(check_meaning(maker, maker->input->works[i].table, fill));
    if (!maker->server->my->repeatable_triggers)
        return err_hint(
            err_new(ERR_UNSAFE,
                    "on this server the trigger that fills \"%s\" cannot be made so that it can be "
                    "repeated after a crash",
                    fill->column),
            "MariaDB 10.3 or MySQL 8.0.29 and later; or fill the column from the application");
    return NULL;
}

Err *fills_check_my(const MakerMy *maker)
{
    const Change *change = maker->input->change;
    if (change->reverse_count > 0)
        return err_hint(err_new(ERR_UNSAFE,
                                "a way back by expression (\"%s.%s\") is not there on MySQL and "
                                "MariaDB",
                                change->reverses[0].table.name, change->reverses[0].column),
                        "leave it out: \"stoa revert\" gives the old table back as long as the change is not "
                        "complete");
    for (size_t i = 0; i < change->backfill_count; i++)
        TRY(check_fill(maker, &change->backfills[i]));
    return NULL;
}

/* ---- the triggers --------------------------------------------------------------------------- */

/* Texts that compare as equal may still differ. */
static const char *differs(Arena *arena, const MyColumn *column)
{
    const char *name = sql_backtick(arena, column->name);
    return column->collation == NULL
               ? arena_printf(arena, "NOT (NEW.%s <=> OLD.%s)", name, name)
               : arena_printf(arena, "NOT (CAST(NEW.%s AS BINARY) <=> CAST(OLD.%s AS BINARY))", name, name);
}

/* Whatever INSERT or UPDATE touches a row leaves it filled; what the application wrote itself stays; what
 * cannot be computed stays empty, and never fails the write. */
/* Emptied by its own handler: the server stores what it could make of a value before it raises the error
 * (127 for 2000 in a TINYINT, seen on MariaDB 10.11), and an UPDATE would keep what the row had before. */
static void add_fill(MakerMy *maker, const Table *before, const char *table, const BackfillSpec *fill,
                     bool update, Str *out)
{
    Arena *arena = maker->arena;
    Sources sources = {0};
    const char *name = sql_backtick(arena, fill->column);
    const char *expr = expr_over(maker, before, table, fill->expr_sql, "NEW.", &sources);
    str_addf(out, " BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION SET NEW.%s = NULL; IF NEW.%s IS NULL", name,
             name);
    for (size_t i = 0; update && i < sources.count; i++)
        str_addf(out, "%s%s", i == 0 ? " OR (" : " OR ", differs(arena, column_my(before, sources.names[i])));
    if (update && sources.count > 0)
        str_addf(out, ") AND NEW.%s <=> OLD.%s", name, name);
    str_addf(out, " THEN SET NEW.%s = (%s); END IF; END;", name, expr);
}

const char *fill_trigger_my(MakerMy *maker, const Table *before, const char *table, const char *on,
                            const AskedMy *asked, bool update, const char *name)
{
    CLEANUP(str_donep) Str body = STR_INIT;
    for (size_t i = 0; i < asked->my->action_count; i++) {
        const MyAction *action = &asked->my->actions[i];
        const BackfillSpec *fill =
            action->kind == MY_ACTION_ADD_COLUMN ? fill_of_my(maker, table, action->column->name.text) : NULL;
        if (fill != NULL)
            add_fill(maker, before, table, fill, update, &body);
    }
    bool mariadb = maker->server->my->mariadb;
    return arena_printf(maker->arena, "CREATE %sTRIGGER %s%s BEFORE %s ON %s FOR EACH ROW BEGIN%s END",
                        mariadb ? "OR REPLACE " : "", mariadb ? "" : "IF NOT EXISTS ",
                        sql_backtick(maker->arena, name), update ? "UPDATE" : "INSERT",
                        sql_backtick(maker->arena, on), body.buf);
}

void fills_write_my(MakerMy *maker, const WorkMy *work, const AskedMy *asked, const ShadowSpec *spec)
{
    static const char *const suffixes[] = {"stoa_fill_ins", "stoa_fill_upd"};
    Arena *arena = maker->arena;
    const char *table = work->table->name;
    if (!fills_my(maker, table, asked))
        return;
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        const char *name = plan_shadow_name_my(arena, table, suffixes[i]);
        name = name != NULL ? name : suffixes[i];
        maker_alter_my(maker, PHASE_EXPAND, (Name){.name = spec->shadow},
                       arena_printf(arena,
                                    "what old applications %s behind the cutover is filled by a trigger",
                                    i == 0 ? "insert" : "update"),
                       fill_trigger_my(maker, asked->before, table, spec->shadow, asked, i == 1, name), NULL)
            ->as_written = true;
        maker_alter_my(maker, PHASE_CONTRACT, (Name){.name = table},
                       arena_printf(arena, "trigger %s goes", name),
                       arena_printf(arena, "DROP TRIGGER IF EXISTS %s", sql_backtick(arena, name)), NULL);
    }
    maker_risk_my(maker, "fill", NULL,
                  arena_printf(arena,
                               "triggers of %s fill the new columns for old applications until \"stoa "
                               "complete\"; they act as %s, an account that must stay until then",
                               table, maker->server->role != NULL ? maker->server->role : "this account"));
}
