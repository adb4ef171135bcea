/* PostgreSQL's statements as acts. */
#include "change/act_pg.h"

#include "base/str.h"
#include "change/parser.h"

#include <string.h>

/* ---- what an act keeps ---------------------------------------------------------------------- */

const char *act_keep(const ActReader *reader, const char *text)
{
    return text == NULL ? NULL : arena_dup(reader->arena, text);
}

Name act_relation(const ActReader *reader, const PgQuery__RangeVar *relation)
{
    if (relation == NULL)
        return (Name){0};
    bool schema = relation->schemaname != NULL && relation->schemaname[0] != '\0';
    return (Name){.schema = schema ? act_keep(reader, relation->schemaname) : NULL,
                  .name = act_keep(reader, relation->relname)};
}

Name act_dotted(const ActReader *reader, PgQuery__Node *const *words, size_t count)
{
    if (count == 0)
        return (Name){0};
    return (Name){.schema = count > 1 ? act_keep(reader, tree_string_of(words[count - 2])) : NULL,
                  .name = act_keep(reader, tree_string_of(words[count - 1]))};
}

Name act_object(const ActReader *reader, const PgQuery__Node *node)
{
    if (node == NULL)
        return (Name){0};
    if (node->node_case == NODE(LIST))
        return act_dotted(reader, node->list->items, node->list->n_items);
    if (node->node_case == NODE(TYPE_NAME))
        return act_dotted(reader, node->type_name->names, node->type_name->n_names);
    if (node->node_case == NODE(OBJECT_WITH_ARGS))
        return act_dotted(reader, node->object_with_args->objname, node->object_with_args->n_objname);
    return (Name){.name = act_keep(reader, tree_string_of(node))};
}

const char *const *act_words(const ActReader *reader, PgQuery__Node *const *nodes, size_t count)
{
    const char **words = arena_alloc(reader->arena, (count + 1) * sizeof *words);
    for (size_t i = 0; i < count; i++)
        words[i] = act_keep(reader, tree_string_of(nodes[i]));
    return words;
}

Act *act_add(ActReader *reader, ActKind kind, const char *words)
{
    Act *act = vec_push(reader->scratch, &reader->acts);
    *act = (Act){.kind = kind,
                 .words = words,
                 .start = reader->start,
                 .end = reader->end,
                 .function = reader->function,
                 .actions = 1};
    return act;
}

void act_unknown(ActReader *reader, const char *words, const char *reason)
{
    act_add(reader, ACT_UNKNOWN, words)->reason = reason;
}

/* ---- one statement -------------------------------------------------------------------------- */

/* Statements that take nothing from the application, whatever they are given. */
static const PgQuery__Node__NodeCase quiet[] = {
    NODE(ALTER_COLLATION_STMT),
    NODE(ALTER_DATABASE_SET_STMT),
    NODE(ALTER_DATABASE_STMT),
    NODE(ALTER_EVENT_TRIG_STMT),
    NODE(ALTER_FDW_STMT),
    NODE(ALTER_FOREIGN_SERVER_STMT),
    NODE(ALTER_OBJECT_DEPENDS_STMT),
    NODE(ALTER_OP_FAMILY_STMT),
    NODE(ALTER_PUBLICATION_STMT),
    NODE(ALTER_SUBSCRIPTION_STMT),
    NODE(ALTER_TSCONFIGURATION_STMT),
    NODE(ALTER_TSDICTIONARY_STMT),
    NODE(ALTER_USER_MAPPING_STMT),
    NODE(CREATE_CONVERSION_STMT),
    NODE(CREATE_EVENT_TRIG_STMT),
    NODE(CREATE_FDW_STMT),
    NODE(CREATE_FOREIGN_SERVER_STMT),
    NODE(CREATE_OP_CLASS_STMT),
    NODE(CREATE_OP_FAMILY_STMT),
    NODE(CREATE_PLANG_STMT),
    NODE(CREATE_SUBSCRIPTION_STMT),
    NODE(CREATE_TRANSFORM_STMT),
    NODE(CREATE_USER_MAPPING_STMT),
    NODE(DROP_SUBSCRIPTION_STMT),
    NODE(DROP_USER_MAPPING_STMT),
    NODE(IMPORT_FOREIGN_SCHEMA_STMT),
    NODE(ALTER_DEFAULT_PRIVILEGES_STMT),
    NODE(ALTER_FUNCTION_STMT),
    NODE(ALTER_OPERATOR_STMT),
    NODE(ALTER_OWNER_STMT),
    NODE(ALTER_POLICY_STMT),
    NODE(ALTER_ROLE_SET_STMT),
    NODE(ALTER_ROLE_STMT),
    NODE(ALTER_STATS_STMT),
    NODE(ALTER_TYPE_STMT),
    NODE(CHECK_POINT_STMT),
    NODE(COMPOSITE_TYPE_STMT),
    NODE(CREATEDB_STMT),
    NODE(CREATE_CAST_STMT),
    NODE(CREATE_EXTENSION_STMT),
    NODE(CREATE_FOREIGN_TABLE_STMT),
    NODE(CREATE_PUBLICATION_STMT),
    NODE(CREATE_RANGE_STMT),
    NODE(CREATE_ROLE_STMT),
    NODE(CREATE_SCHEMA_STMT),
    NODE(CREATE_SEQ_STMT),
    NODE(CREATE_STATS_STMT),
    NODE(DEALLOCATE_STMT),
    NODE(DEFINE_STMT),
    NODE(DISCARD_STMT),
    NODE(DROP_ROLE_STMT),
    NODE(EXPLAIN_STMT),
    NODE(GRANT_ROLE_STMT),
    NODE(GRANT_STMT),
    NODE(LISTEN_STMT),
    NODE(MERGE_STMT),
    NODE(NOTIFY_STMT),
    NODE(PREPARE_STMT),
    NODE(SEC_LABEL_STMT),
    NODE(CONSTRAINTS_SET_STMT),
    NODE(VARIABLE_SHOW_STMT),
};

static bool is_quiet(const PgQuery__Node *node)
{
    for (size_t i = 0; i < ARRAY_LEN(quiet); i++)
        if (quiet[i] == node->node_case)
            return true;
    return false;
}

static void read_node(ActReader *reader, const PgQuery__Node *node)
{
    if (act_read_object(reader, node) || act_read_stmt(reader, node))
        return;
    const char *words = statement_words(reader->arena, node);
    if (is_quiet(node))
        (void)act_add(reader, ACT_OTHER, words);
    else
        act_unknown(reader, words, "no rule tells what it does");
}

void act_read_sql(ActReader *reader, const char *sql, const char *reason_prefix)
{
    TreeFault fault;
    const char *outer = reader->sql;
    reader->sql = sql;
    PgQuery__Node *node = tree_parse_quick(reader->scratch, sql, &fault);
    if (node != NULL) {
        read_node(reader, node);
    } else if (fault.too_deep || !act_read_newer(reader)) {
        act_unknown(reader, "statement", reason_prefix != NULL ? reason_prefix : "it does not parse");
        Act *act = &reader->acts.items[reader->acts.len - 1];
        act->value = act_keep(reader, fault.message);
        act->start = reader->start + (fault.offset < strlen(sql) ? fault.offset : 0);
    }
    reader->sql = outer;
}

/* ---- all of them ---------------------------------------------------------------------------- */

static void read_meta(ActReader *reader)
{
    static const char *const files[] = {"i", "ir", "include", "include_relative", "gexec"};
    size_t len = 0;
    const char *word = reader->text + reader->start + 1;
    while ((word[len] >= 'a' && word[len] <= 'z') || word[len] == '_')
        len++;
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        if (strlen(files[i]) == len && strncmp(files[i], word, len) == 0) {
            act_unknown(reader, arena_printf(reader->arena, "\\%s", files[i]),
                        "what it reads is not in sight; give that file to check as well");
            return;
        }
    (void)act_add(reader, ACT_OTHER, "\\");
}

static void read_piece(ActReader *reader, const PgPiece *piece)
{
    if (piece->kind == PG_PIECE_DATA)
        (void)act_add(reader, ACT_OTHER, "data");
    else if (piece->kind == PG_PIECE_META)
        read_meta(reader);
    else if (piece->executed)
        act_unknown(reader, "\\gexec", "its rows are run as statements");
    else
        act_read_sql(reader, pg_piece_text(reader->scratch, reader->text, piece),
                     piece->open    ? "a quote in it does not end"
                     : piece->holes ? "with names in place of its placeholders it does not parse"
                                    : NULL);
}

void acts_pg(Arena *arena, Arena *scratch, const char *text, size_t start, size_t end,
             ActStatements *ret_statements, ActComments *ret_comments)
{
    PgSplit split = pg_split(arena, text, start, end);
    for (size_t i = 0; i < split.comments.len; i++)
        *vec_push(arena, ret_comments) =
            (ActComment){split.comments.items[i].start, split.comments.items[i].end};
    for (size_t i = 0; i < split.pieces.len; i++) {
        const PgPiece *piece = &split.pieces.items[i];
        ActReader reader = {.arena = arena,
                            .scratch = scratch,
                            .text = text,
                            .sql = "",
                            .start = piece->start,
                            .end = piece->end};
        read_piece(&reader, piece);
        ActStatement *statement = vec_push(arena, ret_statements);
        *statement =
            (ActStatement){.start = piece->start, .end = piece->end, .data = piece->kind == PG_PIECE_DATA};
        statement->acts.items = arena_alloc(arena, reader.acts.len * sizeof(Act));
        statement->acts.len = statement->acts.cap = reader.acts.len;
        memcpy(statement->acts.items, reader.acts.items, reader.acts.len * sizeof(Act));
        for (size_t j = 0; j < reader.acts.len; j++)
            statement->unknown = statement->unknown || reader.acts.items[j].kind == ACT_UNKNOWN;
        arena_clear(scratch);
    }
}
