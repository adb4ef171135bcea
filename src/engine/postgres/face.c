/* What a view that stands in for a table has to carry: comments, grants, and the versions that are there. */
#include "engine/postgres/catalog.h"
#include "engine/postgres/catalog_sql.h"

static void read_grants(Arena *arena, const json_t *list, Face *face)
{
    face->grant_count = json_array_size(list);
    face->grants = arena_alloc(arena, (face->grant_count + 1) * sizeof *face->grants);
    for (size_t i = 0; i < face->grant_count; i++) {
        const json_t *item = json_array_get(list, i);
        face->grants[i] = (Grant){.column = catalog_text(arena, item, "column"),
                                  .privilege = catalog_text(arena, item, "privilege"),
                                  .grantee = catalog_text(arena, item, "grantee"),
                                  .grantable = catalog_bool(item, "grantable")};
    }
}

static void read_comments(Arena *arena, const json_t *list, Face *face)
{
    face->comment_count = json_array_size(list);
    face->comments = arena_alloc(arena, (face->comment_count + 1) * sizeof *face->comments);
    for (size_t i = 0; i < face->comment_count; i++) {
        const json_t *item = json_array_get(list, i);
        face->comments[i] = (ColumnComment){.column = catalog_text(arena, item, "column"),
                                            .comment = catalog_text(arena, item, "comment")};
    }
}

static void read_versions(Arena *arena, const json_t *list, Face *face)
{
    face->version_count = json_array_size(list);
    face->versions = arena_alloc(arena, (face->version_count + 1) * sizeof *face->versions);
    for (size_t i = 0; i < face->version_count; i++) {
        const json_t *item = json_array_get(list, i);
        face->versions[i] = (VersionView){.schema = catalog_text(arena, item, "schema"),
                                          .view = catalog_text(arena, item, "view"),
                                          .other_count = catalog_int(item, "others")};
    }
}

Err *pg_load_face(Conn *conn, const Wait *wait, Arena *arena, int64_t table_id, Face *ret_face)
{
    CLEANUP(catalog_json_freep) json_t *rows = NULL;
    const char *id = arena_printf(arena, "%lld", (long long)table_id);
    TRY(catalog_query(conn, wait, catalog_face_sql, 1, &id, &rows));
    *ret_face = (Face){0};
    if (json_array_size(rows) == 0)
        return NULL;
    const json_t *row = json_array_get(rows, 0);
    ret_face->comment = catalog_text(arena, row, "comment");
    read_comments(arena, json_object_get(row, "comments"), ret_face);
    read_grants(arena, json_object_get(row, "grants"), ret_face);
    ret_face->schema_users = catalog_texts(arena, row, "users", &ret_face->schema_user_count);
    read_versions(arena, json_object_get(row, "versions"), ret_face);
    return NULL;
}

Err *pg_find_schema(Conn *conn, const Wait *wait, Arena *arena, const char *name, bool *ret_there)
{
    Rows rows = {0};
    TRY(conn_params(conn, wait, arena, &rows,
                    "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1)", name));
    *ret_there = rows_bool(&rows, 0, 0);
    return NULL;
}
