/* The SQL of --versioned on PostgreSQL: the two functions, the views and their grants. */
#include "plan/version.h"

#include "base/digest.h"

#include <string.h>

enum { NAME_BYTES_MAX = 63 };

static char *into(Arena *arena, Str *str)
{
    char *text = arena_dupn(arena, str->buf, str->len);
    str_done(str);
    return text;
}

/* ---- functions ------------------------------------------------------------------------------ */

/* stoa_version names this version. It may name several, separated by commas: an application may be new for
 * two changes at once. Everything is qualified, operators too: the function runs under the application's
 * search_path. */
static const char *is_named(Arena *arena, const Version *version)
{
    const char *name = sql_literal(arena, version->change);
    return arena_printf(arena,
                        "stoa_version OPERATOR(pg_catalog.=) %s OR %s OPERATOR(pg_catalog.=) ANY "
                        "(pg_catalog.regexp_split_to_array(stoa_version, ' *, *'))",
                        name, name);
}

const char *version_fits_sql(Arena *arena, const Version *version, bool lasting)
{
    const char *schema = sql_ident(arena, version->schema);
    const char *message = arena_printf(
        arena, "this session reads or writes schema %s, which is for version \"%s\" of the application, ",
        schema, version->change);
    const char *hint = arena_printf(arena,
                                    "SET stoa.version = %s, best in the connection's options; or leave %s "
                                    "out of the search_path",
                                    sql_literal(arena, version->change), schema);
    Str body CLEANUP(str_donep) = STR_INIT;
    str_add(&body, "\nDECLARE\n"
                   "  stoa_version pg_catalog.text := pg_catalog.current_setting('stoa.version', true);\n");
    if (!lasting)
        str_add(&body, "  stoa_now pg_catalog.text;\n");
    str_add(&body, "BEGIN\n");
    str_addf(&body, "  IF %s THEN\n", is_named(arena, version));
    if (!lasting)
        str_add(&body,
                "    stoa_now := pg_catalog.statement_timestamp()::pg_catalog.text;\n"
                "    IF pg_catalog.current_setting('stoa.through', true) IS DISTINCT FROM stoa_now THEN\n"
                "      stoa_now := pg_catalog.set_config('stoa.through', stoa_now, true);\n"
                "    END IF;\n");
    str_addf(&body,
             "    RETURN true;\n"
             "  END IF;\n"
             "  RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = %s OPERATOR(pg_catalog.||) coalesce("
             "'but says stoa.version = \"' OPERATOR(pg_catalog.||) nullif(stoa_version, '') "
             "OPERATOR(pg_catalog.||) '\"', 'but has not set stoa.version'), HINT = %s;\n"
             "END\n",
             sql_literal(arena, message), sql_literal(arena, hint));
    return arena_printf(
        arena, "CREATE OR REPLACE FUNCTION %s() RETURNS boolean LANGUAGE plpgsql STABLE PARALLEL %s AS %s",
        sql_name(arena, version->schema, VERSION_FITS), lasting ? "SAFE" : "RESTRICTED",
        sql_dollar(arena, body.buf));
}

const char *version_writes_sql(Arena *arena, const Version *version)
{
    const char *schema = sql_ident(arena, version->schema);
    const char *message = arena_printf(
        arena, "this session says stoa.version = \"%s\", but writes past the views of that version: ",
        version->change);
    const char *hint = arena_printf(
        arena, "put %s first in the search_path; the old application leaves stoa.version unset", schema);
    Str body CLEANUP(str_donep) = STR_INIT;
    str_addf(&body,
             "\nDECLARE\n"
             "  stoa_version pg_catalog.text := pg_catalog.current_setting('stoa.version', true);\n"
             "BEGIN\n"
             "  IF pg_catalog.current_setting('stoa.through', true) OPERATOR(pg_catalog.=) "
             "pg_catalog.statement_timestamp()::pg_catalog.text THEN\n"
             "    RETURN NULL;\n"
             "  ELSIF %s THEN\n"
             "    RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = %s OPERATOR(pg_catalog.||) "
             "pg_catalog.format('%%I.%%I', TG_TABLE_SCHEMA, TG_TABLE_NAME), HINT = %s;\n"
             "  END IF;\n"
             "  RETURN NULL;\n"
             "END\n",
             is_named(arena, version), sql_literal(arena, message), sql_literal(arena, hint));
    return arena_printf(arena, "CREATE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql AS %s",
                        sql_name(arena, version->schema, VERSION_WRITES), sql_dollar(arena, body.buf));
}

/* ---- the base table's trigger --------------------------------------------------------------- */

static const char *trigger_name(Arena *arena, const Version *version)
{
    const char *name = arena_printf(arena, "zz_stoa_version_%s", version->schema);
    if (strlen(name) <= NAME_BYTES_MAX)
        return sql_ident(arena, name);
    const char *digest = digest_text(arena, name, strlen(name)) + strlen("sha256:");
    return arena_printf(arena, "zz_stoa_version_%.16s", digest);
}

/* The condition is as short as can be, since the server reads it anew for each statement: this one costs the
 * old application 4 to 5 us a statement where the whole of what the function asks would cost 14 (measured on
 * 15). Writes by other triggers and by foreign keys are left alone: they know no versions. Only here can they
 * be told, as those of a foreign key come to their AFTER triggers when its own is over. */
const char *version_trigger_sql(Arena *arena, const Version *version, const VersionTable *table)
{
    return arena_printf(
        arena,
        "CREATE TRIGGER %s AFTER INSERT OR UPDATE ON %s FOR EACH ROW WHEN "
        "(pg_catalog.current_setting('stoa.version', true) <> '' AND pg_catalog.pg_trigger_depth() = 0) "
        "EXECUTE PROCEDURE %s()",
        trigger_name(arena, version), table->work->sql, sql_name(arena, version->schema, VERSION_WRITES));
}

const char *version_trigger_drop_sql(Arena *arena, const Version *version, const VersionTable *table)
{
    return arena_printf(arena, "DROP TRIGGER IF EXISTS %s ON %s", trigger_name(arena, version),
                        table->work->sql);
}

/* ---- the view ------------------------------------------------------------------------------- */

static const char *grantee_sql(Arena *arena, const char *grantee)
{
    return grantee == NULL ? "PUBLIC" : sql_ident(arena, grantee);
}

static const char *shown_as(const VersionTable *table, const char *column)
{
    for (size_t i = 0; i < table->columns.len; i++)
        if (str_eq(table->columns.items[i].old, column))
            return table->columns.items[i].shown;
    return NULL;
}

/* All privileges of one grantee on the view or on one column of it, in one statement. */
static void add_grants(Arena *arena, const VersionTable *table, const char *view, Texts *sql)
{
    const Face *face = table->face;
    for (size_t i = 0, next; i < face->grant_count; i = next) {
        const Grant *grant = &face->grants[i];
        const char *shown = grant->column == NULL ? NULL : shown_as(table, grant->column);
        Str words CLEANUP(str_donep) = STR_INIT;
        for (next = i; next < face->grant_count; next++) {
            const Grant *other = &face->grants[next];
            if (!str_eq(other->column, grant->column) || !str_eq(other->grantee, grant->grantee) ||
                other->grantable != grant->grantable)
                break;
            str_sep(&words, ", ");
            str_add(&words, other->privilege);
            if (shown != NULL)
                str_addf(&words, " (%s)", sql_ident(arena, shown));
        }
        if (grant->column == NULL || shown != NULL)
            *vec_push(arena, sql) = arena_printf(arena, "GRANT %s ON %s TO %s%s", words.buf, view,
                                                 grantee_sql(arena, grant->grantee),
                                                 grant->grantable ? " WITH GRANT OPTION" : "");
    }
}

static void add_comments(Arena *arena, const VersionTable *table, const char *view, Texts *sql)
{
    const Face *face = table->face;
    if (face->comment != NULL)
        *vec_push(arena, sql) =
            arena_printf(arena, "COMMENT ON VIEW %s IS %s", view, sql_literal(arena, face->comment));
    for (size_t i = 0; i < face->comment_count; i++) {
        const char *shown = shown_as(table, face->comments[i].column);
        if (shown != NULL)
            *vec_push(arena, sql) =
                arena_printf(arena, "COMMENT ON COLUMN %s.%s IS %s", view, sql_ident(arena, shown),
                             sql_literal(arena, face->comments[i].comment));
    }
}

/* Rights of whoever asks rather than of the owner, from 15 on: policies hold for him, and what is revoked on
 * the table is revoked here. But then he needs SELECT on every column that the view has, whichever he asks
 * for (seen on 15 and 18), so a grant on single columns is only kept by a view with the owner's rights. */
static bool asks_as_invoker(const Server *server, const VersionTable *table)
{
    bool columns = false;
    for (size_t i = 0; i < table->face->grant_count; i++)
        columns = columns || table->face->grants[i].column != NULL;
    return server->version_num >= VERSION_INVOKER && (table->work->table->rls || !columns);
}

Texts version_view_sql(Arena *arena, const Server *server, const Version *version, const VersionTable *table)
{
    const char *view = sql_name(arena, version->schema, table->view);
    Str columns = STR_INIT;
    for (size_t i = 0; i < table->columns.len; i++) {
        const ShownColumn *column = &table->columns.items[i];
        str_sep(&columns, ", ");
        str_add(&columns, sql_ident(arena, column->column));
        if (!str_eq(column->column, column->shown))
            str_addf(&columns, " AS %s", sql_ident(arena, column->shown));
    }
    Texts sql = {0};
    *vec_push(arena, &sql) =
        arena_printf(arena, "CREATE VIEW %s WITH (%scheck_option = local) AS SELECT %s FROM %s WHERE %s()",
                     view, asks_as_invoker(server, table) ? "security_invoker = true, " : "",
                     into(arena, &columns), table->work->sql, sql_name(arena, version->schema, VERSION_FITS));
    for (size_t i = 0; i < table->columns.len; i++)
        if (table->columns.items[i].default_sql != NULL)
            *vec_push(arena, &sql) = arena_printf(arena, "ALTER VIEW %s ALTER COLUMN %s SET DEFAULT %s", view,
                                                  sql_ident(arena, table->columns.items[i].shown),
                                                  table->columns.items[i].default_sql);
    add_comments(arena, table, view, &sql);
    add_grants(arena, table, view, &sql);
    return sql;
}

static bool has_text(const Texts *texts, const char *text)
{
    for (size_t i = 0; i < texts->len; i++)
        if (str_eq(texts->items[i], text))
            return true;
    return false;
}

Texts version_schema_grants(Arena *arena, const Version *version)
{
    const char *schema = sql_ident(arena, version->schema);
    Texts sql = {0};
    for (size_t i = 0; i < version->table_count; i++) {
        const VersionTable *table = &version->tables[i];
        for (size_t j = 0; j < table->face->schema_user_count; j++) {
            const char *user = table->face->schema_users[j];
            const char *grant =
                arena_printf(arena, "GRANT USAGE ON SCHEMA %s TO %s", schema, grantee_sql(arena, user));
            if (!str_eq(user, version->owner) && !has_text(&sql, grant))
                *vec_push(arena, &sql) = grant;
        }
        const char *owner = table->work->table->owner;
        const char *grant =
            arena_printf(arena, "GRANT USAGE, CREATE ON SCHEMA %s TO %s", schema, sql_ident(arena, owner));
        if (!str_eq(owner, version->owner) && !has_text(&sql, grant))
            *vec_push(arena, &sql) = grant;
    }
    return sql;
}
