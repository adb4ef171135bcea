/* Steps as SQL for MySQL and MariaDB. */
#include "cli/plan_sql.h"
#include "engine/sql.h"

#include <string.h>

enum { ROWS_OF_A_BATCH = 1000, LOCK_WAIT_S = 1 };

void plan_sql_head_my(const StepText *text)
{
    str_addf(text->out, "SET SESSION lock_wait_timeout = %d;\nSET SESSION innodb_lock_wait_timeout = %d;\n",
             LOCK_WAIT_S, LOCK_WAIT_S);
    if (text->plan->search_path_count > 0)
        str_addf(text->out, "USE %s;\n", sql_backtick(text->arena, text->plan->search_path[0]));
}

/* A text in quotes, in the sql_mode that the server comes with. */
static const char *literal(const StepText *text, const char *value)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    str_add(&out, "'");
    for (; *value != '\0'; value++)
        str_addf(&out, "%s%c", *value == '\'' || *value == '\\' ? "\\" : "", *value);
    str_add(&out, "'");
    return arena_dup(text->arena, out.buf);
}

/* Bodies of triggers hold semicolons, for which clients want another word at the end. */
static void statement(Str *out, const char *sql)
{
    if (strchr(sql, ';') != NULL)
        str_addf(out, "DELIMITER $$\n%s$$\nDELIMITER ;\n", sql);
    else
        str_addf(out, "%s;\n", sql);
}

static const char *unfilled(const StepText *text, const Step *step)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    for (size_t i = 0; i < step->fill_count; i++) {
        str_sep(&out, " OR ");
        str_addf(&out, "(%s IS NULL AND (%s) IS NOT NULL)", sql_backtick(text->arena, step->fills[i].column),
                 step->fills[i].expr);
    }
    return arena_dup(text->arena, out.buf);
}

static const char *assignments(const StepText *text, const Step *step)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    for (size_t i = 0; i < step->fill_count; i++) {
        const char *column = sql_backtick(text->arena, step->fills[i].column);
        str_sep(&out, ", ");
        if (step->fill_count > 1)
            str_addf(&out, "%s = COALESCE(%s, %s)", column, column, step->fills[i].expr);
        else
            str_addf(&out, "%s = %s", column, step->fills[i].expr);
    }
    return arena_dup(text->arena, out.buf);
}

/* In ranges of a primary key of one column, whose name the procedure asks for; else as many rows as are left,
 * a thousand at a time. */
static void backfill(const StepText *text, const Step *step)
{
    const char *table = sql_backtick(text->arena, step->table.name), *where = unfilled(text, step);
    const char *update =
        arena_printf(text->arena, "UPDATE %s SET %s WHERE (%s)", table, assignments(text, step), where);
    const char *name =
        sql_backtick(text->arena, arena_printf(text->arena, "stoa_fill_%.40s", step->table.name));
    str_addf(text->out, "DROP PROCEDURE IF EXISTS %s;\nDELIMITER $$\nCREATE PROCEDURE %s()\nBEGIN\n", name,
             name);
    str_addf(
        text->out,
        "    DECLARE parts INT;\n    DECLARE key_name VARCHAR(64);\n    DECLARE changed INT DEFAULT 1;\n"
        "    SELECT COUNT(*), MIN(COLUMN_NAME) INTO parts, key_name FROM information_schema.STATISTICS\n"
        "        WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s AND INDEX_NAME = 'PRIMARY';\n"
        "    IF parts = 1 THEN\n"
        "        SET key_name = CONCAT('`', REPLACE(key_name, '`', '``'), '`');\n"
        "        SET @stoa_from = NULL, @stoa_to = NULL;\n"
        "        part: LOOP\n"
        "            SET @stoa_sql = CONCAT('SELECT MAX(k) INTO @stoa_to FROM (SELECT ', key_name, ' AS k "
        "FROM ', %s, IF(@stoa_from IS NULL, '', CONCAT(' WHERE ', key_name, ' > @stoa_from')), ' ORDER BY "
        "', key_name, ' LIMIT %d) AS part');\n"
        "            PREPARE stoa_fill FROM @stoa_sql;\n            EXECUTE stoa_fill;\n"
        "            IF @stoa_to IS NULL THEN LEAVE part; END IF;\n"
        "            SET @stoa_sql = CONCAT(%s, IF(@stoa_from IS NULL, '', CONCAT(' AND ', key_name, ' > "
        "@stoa_from')), ' AND ', key_name, ' <= @stoa_to');\n"
        "            PREPARE stoa_fill FROM @stoa_sql;\n            EXECUTE stoa_fill;\n"
        "            COMMIT;\n            SET @stoa_from = @stoa_to, @stoa_to = NULL;\n"
        "        END LOOP;\n        DEALLOCATE PREPARE stoa_fill;\n"
        "    END IF;\n",
        literal(text, step->table.name), literal(text, table), ROWS_OF_A_BATCH, literal(text, update));
    str_addf(text->out,
             "    WHILE changed > 0 DO\n        %s LIMIT %d;\n        SET changed = ROW_COUNT();\n"
             "        COMMIT;\n    END WHILE;\nEND$$\nDELIMITER ;\nCALL %s();\nDROP PROCEDURE %s;\n",
             update, ROWS_OF_A_BATCH, name, name);
}

static void verify(const StepText *text, const Step *step)
{
    for (size_t i = 0; i < step->check_count; i++) {
        const Check *check = &step->checks[i];
        plan_sql_comment(text->out, "%s: %s", check->count_only ? "to know, no error" : "wrong",
                         check->label);
        const char *table = sql_backtick(text->arena, step->table.name);
        const char *sql =
            check->query != NULL
                ? arena_printf(text->arena, "%s;", check->query)
                : arena_printf(text->arena, "SELECT %s AS problem, %s.* FROM %s WHERE %s LIMIT 10;",
                               literal(text, check->label), table, table, check->predicate);
        if (check->count_only)
            plan_sql_comment(text->out, "%s", sql);
        else
            str_addf(text->out, "%s\n", sql);
    }
}

void plan_sql_step_my(const StepText *text, const Step *step)
{
    if (step->kind == STEP_BACKFILL) {
        backfill(text, step);
        return;
    }
    if (step->kind == STEP_VERIFY) {
        verify(text, step);
        return;
    }
    if (step->unchecked)
        str_add(text->out, "SET SESSION foreign_key_checks = 0;\n");
    for (size_t i = 0; i < step->sql_count; i++)
        statement(text->out, step->sql[i]);
    if (step->unchecked)
        str_add(text->out, "SET SESSION foreign_key_checks = 1;\n");
}
