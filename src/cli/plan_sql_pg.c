/* Steps as SQL for PostgreSQL. */
#include "cli/plan_sql.h"
#include "engine/sql.h"

#include <string.h>

enum { PAGES_OF_A_BATCH = 64, PAGES_BEFORE_14 = 16, TUPLES_OF_A_PAGE = 291, STRONG_STATEMENT_MS = 5000 };

static const char *table_of(const StepText *text, const Step *step)
{
    return sql_name(text->arena, step->table.schema, step->table.name);
}

static void statements(Str *out, const char *const *sql, size_t count)
{
    for (size_t i = 0; i < count; i++)
        str_addf(out, "%s;\n", sql[i]);
}

void plan_sql_head_pg(const StepText *text)
{
    const Plan *plan = text->plan;
    if (plan->search_path_count > 0)
        str_addf(text->out, "SET search_path = %s;\n",
                 sql_ident_list(text->arena, plan->search_path, plan->search_path_count));
}

/* ---- the trigger ---------------------------------------------------------------------------- */

/* In the table's schema, one for the change. */
static const char *trigger_name(const StepText *text, const Step *step)
{
    return arena_printf(text->arena, "stoa_fill_%.40s", step->table.name);
}

static void drop_trigger(const StepText *text, const Step *step)
{
    const char *name = trigger_name(text, step);
    str_addf(text->out, "DROP TRIGGER IF EXISTS %s ON %s;\n", sql_ident(text->arena, name),
             table_of(text, step));
    str_addf(text->out, "DROP FUNCTION IF EXISTS %s();\n", sql_name(text->arena, step->table.schema, name));
}

/* Whatever INSERT or UPDATE touches a row leaves its new columns filled. */
static const char *trigger_body(const StepText *text, const Step *step)
{
    CLEANUP(str_donep) Str body = STR_INIT;
    str_add(&body, "\nBEGIN\n");
    for (size_t i = 0; i < step->fill_count; i++) {
        const FillColumn *fill = &step->fills[i];
        const char *column = sql_ident(text->arena, fill->column);
        CLEANUP(str_donep) Str moved = STR_INIT;
        for (size_t j = 0; j < fill->sync.source_count; j++) {
            const char *source = sql_ident(text->arena, fill->sync.sources[j]);
            str_sep(&moved, " OR ");
            str_addf(&moved, "pg_catalog.record_image_ne(ROW(NEW.%s), ROW(OLD.%s))", source, source);
        }
        str_addf(&body, "    IF NEW.%s IS NULL THEN\n        NEW.%s := %s;\n", column, column,
                 fill->sync.expr);
        if (moved.len > 0)
            str_addf(&body,
                     "    ELSIF TG_OP = 'UPDATE' THEN\n"
                     "        IF (%s) AND NOT pg_catalog.record_image_ne(ROW(NEW.%s), ROW(OLD.%s)) THEN\n"
                     "            NEW.%s := %s;\n        END IF;\n",
                     moved.buf, column, column, column, fill->sync.expr);
        str_add(&body, "    END IF;\n");
    }
    str_add(&body, "    RETURN NEW;\nEND\n");
    return sql_dollar(text->arena, body.buf);
}

static void make_trigger(const StepText *text, const Step *step)
{
    const char *name = trigger_name(text, step);
    const Plan *plan = text->plan;
    str_addf(text->out, "CREATE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql",
             sql_name(text->arena, step->table.schema, name));
    if (plan->search_path_count > 0)
        str_addf(text->out, " SET search_path = %s",
                 sql_ident_list(text->arena, plan->search_path, plan->search_path_count));
    str_addf(text->out, " AS %s;\n", trigger_body(text, step));
    str_addf(text->out, "CREATE TRIGGER %s BEFORE INSERT OR UPDATE ON %s FOR EACH ROW EXECUTE %s %s();\n",
             sql_ident(text->arena, name), table_of(text, step),
             text->version < 11 ? "PROCEDURE" : "FUNCTION", sql_name(text->arena, step->table.schema, name));
}

/* ---- rows ----------------------------------------------------------------------------------- */

/* Rows that still lack something that can be computed; `last`: what must be gone at the end. */
static const char *unfilled(const StepText *text, const Step *step, bool last)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    for (size_t i = 0; i < step->fill_count; i++) {
        const FillColumn *fill = &step->fills[i];
        if (last && fill->null_legal && !fill->immutable)
            continue; /* asked again, it may give something else */
        str_sep(&out, " OR ");
        str_addf(&out, "(%s IS NULL", sql_ident(text->arena, fill->column));
        if (fill->null_legal && fill->immutable)
            str_addf(&out, " AND (%s) IS NOT NULL", fill->expr);
        str_add(&out, ")");
    }
    return out.len == 0 ? "false" : arena_dup(text->arena, out.buf);
}

/* What the typical statement of the plan assigns: it knows of columns that have to be set along. */
static const char *assignments(const StepText *text, const Step *step)
{
    const char *sql = step->sql[0], *from = strstr(sql, " SET "), *to = NULL;
    static const char *const ranges[] = {" WHERE ctid >= '(0,0)'::tid AND", " WHERE ROW("};
    for (size_t i = 0; i < ARRAY_LEN(ranges) && to == NULL; i++)
        for (const char *at = sql; (at = strstr(at, ranges[i])) != NULL; at++)
            to = at;
    return from == NULL || to == NULL ? "" : arena_dupn(text->arena, from + 5, (size_t)(to - from) - 5);
}

static const char *range_of_pages(const StepText *text)
{
    if (text->version >= 14)
        return arena_printf(text->arena,
                            "ctid >= ('(' || page || ',0)')::tid AND ctid < ('(' || page + %d || ',0)')::tid",
                            PAGES_OF_A_BATCH);
    return arena_printf(text->arena,
                        "ctid = ANY (ARRAY(SELECT ('(' || p || ',' || i || ')')::tid FROM "
                        "generate_series(page, page + %d) p, generate_series(1, %d) i))",
                        PAGES_BEFORE_14 - 1, TUPLES_OF_A_PAGE);
}

static void backfill(const StepText *text, const Step *step)
{
    const char *table = table_of(text, step), *where = unfilled(text, step, false);
    const char *literal = sql_literal(text->arena, table);
    CLEANUP(str_donep) Str body = STR_INIT;
    str_addf(&body,
             "\nDECLARE\n    page bigint;\n    pages bigint;\nBEGIN\n"
             "    LOOP -- rows that somebody holds are left to the next pass\n"
             "        page := 0;\n"
             "        pages := pg_catalog.pg_relation_size(%s::regclass) / "
             "pg_catalog.current_setting('block_size')::bigint;\n"
             "        WHILE page <= pages LOOP\n"
             "            UPDATE ONLY %s SET %s\n"
             "                WHERE ctid = ANY (ARRAY(SELECT ctid FROM ONLY %s\n"
             "                    WHERE %s\n"
             "                    AND (%s) FOR NO KEY UPDATE SKIP LOCKED)) AND (%s);\n"
             "            COMMIT;\n"
             "            page := page + %d;\n"
             "        END LOOP;\n"
             "        EXIT WHEN NOT EXISTS (SELECT FROM ONLY %s WHERE %s);\n"
             "        COMMIT;\n"
             "        PERFORM pg_catalog.pg_sleep(1);\n"
             "    END LOOP;\nEND\n",
             literal, table, assignments(text, step), table, range_of_pages(text), where, where,
             text->version >= 14 ? PAGES_OF_A_BATCH : PAGES_BEFORE_14, table, unfilled(text, step, true));
    str_add(text->out, "SET statement_timeout = 0;\n");
    if (step->quiet_triggers)
        str_add(text->out, "SET session_replication_role = replica; -- triggers keep quiet\n");
    str_addf(text->out, "DO %s;\n", sql_dollar(text->arena, body.buf));
    if (step->quiet_triggers)
        str_add(text->out, "RESET session_replication_role;\n");
    str_add(text->out, "RESET statement_timeout;\n");
}

static void verify(const StepText *text, const Step *step)
{
    Str *out = text->out;
    for (size_t i = 0; i < step->check_count; i++) {
        const Check *check = &step->checks[i];
        plan_sql_comment(out, "%s: %s", check->count_only ? "to know, no error" : "wrong", check->label);
        if (check->hint != NULL)
            plan_sql_comment(out, "then: %s", check->hint);
        const char *sql =
            check->query != NULL
                ? arena_printf(text->arena, "%s;", check->query)
                : arena_printf(text->arena, "SELECT %s AS problem, * FROM ONLY %s WHERE %s LIMIT 10;",
                               sql_literal(text->arena, check->label), table_of(text, step),
                               check->predicate);
        if (check->count_only)
            plan_sql_comment(out, "%s", sql);
        else
            str_addf(out, "%s\n", sql);
    }
}

/* ---- steps ---------------------------------------------------------------------------------- */

static void transaction(const StepText *text, const Step *step, bool is_long)
{
    Str *out = text->out;
    str_addf(out, "BEGIN;\nSET LOCAL lock_timeout = '%lldms';\nSET LOCAL statement_timeout = '%dms';\n",
             (long long)text->max_stall_ms, is_long ? 0 : STRONG_STATEMENT_MS);
    if (step->role != NULL)
        str_addf(out, "SET LOCAL ROLE %s;\n", sql_ident(text->arena, step->role));
    if (step->sync && step->fill_count == 0)
        drop_trigger(text, step);
    statements(out, step->sql, step->sql_count);
    if (step->sync && step->fill_count > 0)
        make_trigger(text, step);
    str_add(out, "COMMIT;\n");
}

/* One that commits by itself, and waits for others as long as it has to. */
static void outside(const StepText *text, const Step *step)
{
    Str *out = text->out;
    str_add(out, "SET lock_timeout = 0;\nSET statement_timeout = 0;\n");
    if (step->role != NULL)
        str_addf(out, "SET ROLE %s;\n", sql_ident(text->arena, step->role));
    if (step->kind == STEP_CREATE_INDEX)
        str_addf(out, "DROP INDEX CONCURRENTLY IF EXISTS %s; -- what an interrupted run left\n",
                 sql_name(text->arena, step->table.schema, step->index));
    statements(out, step->sql, step->kind == STEP_DETACH && step->sql_count > 1 ? 1 : step->sql_count);
    if (step->kind == STEP_DETACH && step->sql_count > 1)
        plan_sql_comment(out, "where it was cut off: %s;", step->sql[1]);
    if (step->kind == STEP_CREATE_INDEX)
        str_addf(out,
                 "SELECT 'invalid index' AS problem, indexrelid::regclass FROM pg_catalog.pg_index WHERE "
                 "indexrelid = %s::regclass AND NOT indisvalid;\n",
                 sql_literal(text->arena, sql_name(text->arena, step->table.schema, step->index)));
    if (step->role != NULL)
        str_add(out, "RESET ROLE;\n");
    str_add(out, "RESET lock_timeout;\nRESET statement_timeout;\n");
}

void plan_sql_step_pg(const StepText *text, const Step *step)
{
    switch (step->kind) {
    case STEP_DDL:
        transaction(text, step, false);
        break;
    case STEP_VALIDATE:
    case STEP_LONG:
        transaction(text, step, true);
        break;
    case STEP_BACKFILL:
        backfill(text, step);
        break;
    case STEP_VERIFY:
        verify(text, step);
        break;
    case STEP_VACUUM:
    case STEP_CREATE_INDEX:
    case STEP_DROP_INDEX:
    case STEP_DETACH:
    case STEP_OUTSIDE:
        outside(text, step);
        break;
    case STEP_READY:
    case STEP_QUIET:
    case STEP_EVIDENCE:
    case STEP_ALTER:
    case STEP_CAPTURE:
    case STEP_COPY:
    case STEP_COMPARE:
    case STEP_SWAP:
    case STEP_KIND_COUNT:
        break; /* plan_sql_refusal() has turned them away, or they have no SQL */
    }
}
