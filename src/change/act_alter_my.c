/* ALTER TABLE, CREATE TABLE and statements about indexes of MySQL and MariaDB, as acts. */
#include "base/str.h"
#include "change/act_my.h"

#include <stdlib.h>
#include <string.h>

/* ---- columns -------------------------------------------------------------------------------- */

static char lower(char c) { return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c); }

static void read_values(const ActReaderMy *reader, MySpan type, ActColumn *column)
{
    MyFault fault = {0};
    MyTokens tokens = my_lex(reader->scratch, reader->dialect, reader->text, type.start, type.end, &fault);
    const char **values = arena_alloc(reader->arena, (tokens.len + 1) * sizeof *values);
    for (size_t i = 0; i < tokens.len; i++)
        if (tokens.items[i].kind == MY_TOKEN_STRING)
            values[column->value_count++] = arena_dupn(reader->arena, reader->text + tokens.items[i].start,
                                                       tokens.items[i].end - tokens.items[i].start);
    column->values = values;
}

static ActType read_type(const ActReaderMy *reader, MySpan span)
{
    ActType type = {.text = act_span_my(reader, span), .builtin = true};
    if (type.text == NULL)
        return type;
    size_t len = 0;
    while (my_is_word(type.text[len]))
        len++;
    char *name = arena_dupn(reader->arena, type.text, len);
    for (char *at = name; *at != '\0'; at++)
        *at = lower(*at);
    type.name = str_eq(name, "integer") ? "int" : name;
    const char *open = strchr(type.text, '(');
    while (open != NULL && type.mod_count < 2 && (*open == '(' || *open == ',')) {
        char *end = NULL;
        long long number = strtoll(open + 1, &end, 10);
        if (end == open + 1)
            break;
        type.mods[type.mod_count++] = number;
        open = end;
    }
    type.serial = str_eq(type.name, "serial");
    return type;
}

static ActDefault read_default(const ActReaderMy *reader, MySpan span)
{
    static const char *const stable[] = {"current_timestamp", "now", "localtime", "localtimestamp",
                                         "current_date"};
    const char *text = act_span_my(reader, span);
    if (text == NULL)
        return ACT_DEFAULT_NONE;
    if (strcasecmp(text, "null") == 0)
        return ACT_DEFAULT_NULL;
    for (size_t i = 0; i < ARRAY_LEN(stable); i++)
        if (strncasecmp(text, stable[i], strlen(stable[i])) == 0)
            return ACT_DEFAULT_STABLE;
    const char *call = text[0] == '\'' || text[0] == '"' ? NULL : strchr(text, '(');
    if (call == text)
        call = strchr(text + 1, '(');
    return call != NULL ? ACT_DEFAULT_VOLATILE : ACT_DEFAULT_CONSTANT;
}

static void read_column(const ActReaderMy *reader, const MyColumnSpec *my, ActColumn *ret_column)
{
    bool stored = my->stored == MY_STORED_STORED || my->stored == MY_STORED_PERSISTENT;
    *ret_column = (ActColumn){.name = act_keep_my(reader, my->name.text),
                              .type = read_type(reader, my->type),
                              .collation = act_span_my(reader, my->collate),
                              .kind = read_default(reader, my->default_value),
                              .default_text = act_span_my(reader, my->default_value),
                              .not_null = my->not_null,
                              .null = my->null,
                              .unique = my->unique,
                              .primary = my->primary,
                              .check = my_span_is(my->check) && !my->not_enforced,
                              .stored = my_span_is(my->generated) && stored,
                              .virtual_ = my_span_is(my->generated) && !stored,
                              .references = my->references.name != NULL,
                              .parent = act_name_my(reader, &my->references),
                              .auto_increment = my->auto_increment,
                              .comment = my_span_is(my->comment),
                              .charset = my_span_is(my->charset),
                              .on_update = my_span_is(my->on_update)};
    const char *name = ret_column->type.name;
    if (str_eq(name, "enum") || str_eq(name, "set"))
        read_values(reader, my->type, ret_column);
}

static void set_column(ActReaderMy *reader, const MyColumnSpec *my, Act *act)
{
    ActColumn *column = arena_alloc(reader->arena, sizeof *column);
    read_column(reader, my, column);
    act->column = column;
    act->name = column->name;
    act->other = column->parent;
    act->flags |= my->first || my->after.text != NULL ? ACT_FIRST : 0;
}

/* ---- keys ----------------------------------------------------------------------------------- */

static const char *const *key_columns(const ActReaderMy *reader, const MyKey *key)
{
    const char **columns = arena_alloc(reader->arena, (key->part_count + 1) * sizeof *columns);
    for (size_t i = 0; i < key->part_count; i++)
        columns[i] = act_keep_my(reader, key->parts[i].column.text);
    return columns;
}

static char delete_letter(const ActReaderMy *reader, MySpan span)
{
    const char *text = act_span_my(reader, span);
    if (text == NULL)
        return 'a';
    if (strcasecmp(text, "cascade") == 0)
        return 'c';
    return strncasecmp(text, "set n", 5) == 0 ? 'n' : 'r';
}

static bool is_constraint(const MyKey *key)
{
    return key->kind == MY_KEY_PRIMARY || key->kind == MY_KEY_FOREIGN || key->kind == MY_KEY_CHECK;
}

static void read_constraint(const ActReaderMy *reader, const MyKey *key, ActConstraint *ret_spec)
{
    bool named = key->constraint.text != NULL;
    *ret_spec = (ActConstraint){.kind = key->kind == MY_KEY_PRIMARY   ? CONSTRAINT_PRIMARY_KEY
                                        : key->kind == MY_KEY_FOREIGN ? CONSTRAINT_FOREIGN_KEY
                                                                      : CONSTRAINT_CHECK,
                                .name = act_keep_my(reader, named ? key->constraint.text : key->name.text),
                                .columns = key_columns(reader, key),
                                .column_count = key->part_count,
                                .references = act_name_my(reader, &key->references),
                                .on_delete = delete_letter(reader, key->on_delete),
                                .not_enforced = key->not_enforced};
}

/* An index, by any statement. */
static void set_index(ActReaderMy *reader, const MyKey *key, Act *act)
{
    bool special = key->kind == MY_KEY_FULLTEXT || key->kind == MY_KEY_SPATIAL;
    act->kind = ACT_CREATE_INDEX;
    act->name = act_keep_my(reader, key->name.text != NULL ? key->name.text : key->constraint.text);
    act->keys = key_columns(reader, key);
    act->key_count = key->part_count;
    act->flags |= (key->kind == MY_KEY_UNIQUE ? ACT_UNIQUE : 0) | (special ? ACT_SPECIAL : 0);
    act->method = key->kind == MY_KEY_FULLTEXT ? "FULLTEXT" : special ? "SPATIAL" : NULL;
}

static void set_key(ActReaderMy *reader, const MyKey *key, Act *act)
{
    if (!is_constraint(key)) {
        set_index(reader, key, act);
        return;
    }
    ActConstraint *spec = arena_alloc(reader->arena, sizeof *spec);
    read_constraint(reader, key, spec);
    spec->start = act->start;
    spec->end = act->end;
    act->kind = ACT_ADD_CONSTRAINT;
    act->constraint = spec;
    act->name = spec->name;
    act->other = spec->references;
}

/* ---- actions -------------------------------------------------------------------------------- */

static const struct {
    MyActionKind from;
    ActKind kind;
    unsigned flags;
    const char *value;
} plain[] = {
    {MY_ACTION_DROP_COLUMN, ACT_DROP_COLUMN, 0, NULL},
    {MY_ACTION_SET_DEFAULT, ACT_SET_DEFAULT, 0, NULL},
    {MY_ACTION_DROP_DEFAULT, ACT_SET_DEFAULT, ACT_DROPS, NULL},
    {MY_ACTION_SET_VISIBLE, ACT_ALTER_OTHER, 0, "VISIBLE"},
    {MY_ACTION_SET_INVISIBLE, ACT_ALTER_OTHER, 0, "INVISIBLE"},
    {MY_ACTION_RENAME_COLUMN, ACT_RENAME_COLUMN, 0, NULL},
    {MY_ACTION_RENAME_INDEX, ACT_ALTER_OTHER, 0, "RENAME INDEX"},
    {MY_ACTION_ADD_VERSIONING, ACT_VERSIONING, 0, "ADD"},
    {MY_ACTION_DROP_VERSIONING, ACT_VERSIONING, ACT_DROPS, "DROP"},
    {MY_ACTION_ADD_PERIOD, ACT_VERSIONING, 0, "ADD PERIOD"},
    {MY_ACTION_DROP_PERIOD, ACT_ALTER_OTHER, 0, "DROP PERIOD"},
    {MY_ACTION_DROP_INDEX, ACT_DROP_INDEX, 0, NULL},
    {MY_ACTION_DROP_PRIMARY_KEY, ACT_DROP_PRIMARY_KEY, 0, NULL},
    {MY_ACTION_DROP_FOREIGN_KEY, ACT_DROP_CONSTRAINT, 0, NULL},
    {MY_ACTION_DROP_CHECK, ACT_DROP_CONSTRAINT, 0, NULL},
    {MY_ACTION_DROP_CONSTRAINT, ACT_DROP_CONSTRAINT, 0, NULL},
    {MY_ACTION_CONVERT, ACT_CONVERT, 0, NULL},
    {MY_ACTION_FORCE, ACT_REBUILD, 0, "FORCE"},
    {MY_ACTION_ORDER_BY, ACT_REBUILD, ACT_FULL, "ORDER BY"},
    {MY_ACTION_ENABLE_KEYS, ACT_ALTER_OTHER, 0, "ENABLE KEYS"},
    {MY_ACTION_DISABLE_KEYS, ACT_ALTER_OTHER, 0, "DISABLE KEYS"},
    {MY_ACTION_DISCARD_TABLESPACE, ACT_PARTITION, ACT_DROPS, "DISCARD TABLESPACE"},
    {MY_ACTION_IMPORT_TABLESPACE, ACT_ALTER_OTHER, 0, "IMPORT TABLESPACE"},
    {MY_ACTION_VALIDATION, ACT_ALTER_OTHER, 0, "VALIDATION"},
    {MY_ACTION_PARTITION_BY, ACT_PARTITION, 0, "PARTITION BY"},
    {MY_ACTION_REMOVE_PARTITIONING, ACT_PARTITION, 0, "REMOVE PARTITIONING"},
};

/* Table options: most of them are words in the catalog. */
static void set_option(ActReaderMy *reader, const MyAction *action, Act *act)
{
    static const char *const rebuilding[] = {"ROW_FORMAT",      "KEY_BLOCK_SIZE", "COMPRESSION",
                                             "PAGE_COMPRESSED", "ENCRYPTION",     "ENCRYPTED",
                                             "PAGE_CHECKSUM"};
    act->kind = ACT_SET_OPTIONS;
    act->value = act_keep_my(reader, action->option);
    for (size_t i = 0; i < ARRAY_LEN(rebuilding); i++)
        if (str_eq(action->option, rebuilding[i]))
            act->kind = ACT_REBUILD;
    if (str_eq(action->option, "ENGINE")) {
        act->kind = ACT_ENGINE;
        act->value = act_span_my(reader, action->value);
    }
}

static void set_partition(ActReaderMy *reader, const MyAction *action, Act *act)
{
    act->kind = ACT_PARTITION;
    act->value = act_keep_my(reader, action->option);
    if (str_eq(action->option, "DROP") || str_eq(action->option, "TRUNCATE"))
        act->flags |= ACT_DROPS;
    const char *rest = act_span_my(reader, action->value);
    bool ranges = rest != NULL && strcasestr(rest, "VALUES") != NULL; /* of a hash, rows move */
    if (str_eq(action->option, "ADD") && ranges)
        act->flags |= ACT_ADDS;
}

static void set_by_kind(ActReaderMy *reader, const MyAction *action, Act *act)
{
    switch ((int)action->kind) {
    case MY_ACTION_ADD_COLUMN:
        act->kind = ACT_ADD_COLUMN;
        set_column(reader, action->column, act);
        break;
    case MY_ACTION_MODIFY_COLUMN:
    case MY_ACTION_CHANGE_COLUMN:
        act->kind = ACT_MODIFY_COLUMN;
        set_column(reader, action->column, act);
        if (action->kind == MY_ACTION_CHANGE_COLUMN) {
            act->name = act_keep_my(reader, action->name.text);
            act->new_name = act->column->name;
        }
        break;
    case MY_ACTION_ADD_KEY:
        set_key(reader, action->key, act);
        break;
    case MY_ACTION_RENAME_TABLE:
        act->kind = ACT_RENAME_TABLE;
        act->new_name = act_keep_my(reader, action->table.name);
        break;
    case MY_ACTION_ALTER_INDEX:
        act->kind = ACT_INDEX_VISIBLE;
        act->value = act_span_my(reader, action->value);
        break;
    case MY_ACTION_ALTER_CHECK:
        act->kind = ACT_ALTER_CONSTRAINT;
        act->value = act_span_my(reader, action->value);
        break;
    case MY_ACTION_OPTION:
        set_option(reader, action, act);
        break;
    case MY_ACTION_PARTITION:
        set_partition(reader, action, act);
        break;
    default:
        act->kind = ACT_UNKNOWN;
        act->words = "ALTER TABLE";
        act->reason = "one of its actions is not understood to its last word";
        break;
    }
}

static void read_action(ActReaderMy *reader, const MyStatement *my, const MyAction *action)
{
    if (action->kind == MY_ACTION_ALGORITHM || action->kind == MY_ACTION_LOCK || !my_span_is(action->span))
        return;
    Act *act = act_add_my(reader, ACT_ALTER_OTHER, "ALTER TABLE");
    act->start = action->span.start;
    act->end = action->span.end;
    act->table = act_name_my(reader, &my->names[0]);
    act->name = act_keep_my(reader, action->name.text);
    act->new_name = act_keep_my(reader, action->new_name.text);
    act->flags |= (action->if_exists ? ACT_IF_EXISTS : 0) | (action->if_not_exists ? ACT_IF_NOT_EXISTS : 0);
    for (size_t i = 0; i < ARRAY_LEN(plain); i++)
        if (plain[i].from == action->kind) {
            act->kind = plain[i].kind;
            act->flags |= plain[i].flags;
            act->value = plain[i].value;
            return;
        }
    set_by_kind(reader, action, act);
}

static unsigned statement_flags(const MyStatement *my)
{
    bool clause = my->algorithm.count > 0 || my->lock.count > 0 || my->online;
    return (my->temporary ? ACT_TEMPORARY : 0) | (clause ? ACT_ALGORITHM : 0) |
           (my->wait != MY_WAIT_DEFAULT ? ACT_WAITS : 0);
}

void act_read_alter_my(ActReaderMy *reader, const MyStatement *my)
{
    size_t before = reader->acts.len;
    for (size_t i = 0; i < my->action_count; i++) {
        const MyAction *action = &my->actions[i];
        for (size_t j = 0; action->kind == MY_ACTION_ADD_LIST && j < action->item_count; j++)
            read_action(reader, my, &action->items[j]);
        if (action->kind != MY_ACTION_ADD_LIST)
            read_action(reader, my, action);
    }
    if (reader->acts.len == before)
        act_add_my(reader, ACT_ALTER_OTHER, "ALTER TABLE")->table = act_name_my(reader, &my->names[0]);
    const char *algorithm = act_span_my(reader, my->algorithm.value),
               *lock = act_span_my(reader, my->lock.value);
    bool copy = algorithm != NULL && strcasecmp(algorithm, "copy") == 0;
    bool shared = lock != NULL && (strcasecmp(lock, "shared") == 0 || strcasecmp(lock, "exclusive") == 0);
    for (size_t i = before; i < reader->acts.len; i++) {
        reader->acts.items[i].actions = reader->acts.len - before;
        reader->acts.items[i].flags |= statement_flags(my);
        reader->acts.items[i].method = copy || shared ? "COPY" : reader->acts.items[i].method;
    }
}

static bool is_compressed(const ActReaderMy *reader, const MyAction *action)
{
    const char *value = act_span_my(reader, action->value);
    return str_eq(action->option, "KEY_BLOCK_SIZE") ||
           (str_eq(action->option, "ROW_FORMAT") && value != NULL && strcasecmp(value, "compressed") == 0);
}

void act_read_create_my(ActReaderMy *reader, const MyStatement *my)
{
    Act *act = act_add_my(reader, ACT_CREATE_TABLE, "CREATE TABLE");
    act->table = act_name_my(reader, &my->names[0]);
    act->flags |= statement_flags(my) | (my->if_not_exists ? ACT_IF_NOT_EXISTS : 0) |
                  (my->or_replace ? ACT_REPLACES : 0) |
                  (my->like.name != NULL || my_span_is(my->query) ? ACT_COPIED : 0);
    ActColumn *columns = arena_alloc(reader->arena, (my->action_count + 1) * sizeof *columns);
    ActConstraint *constraints = arena_alloc(reader->arena, (my->action_count + 1) * sizeof *constraints);
    for (size_t i = 0; i < my->action_count; i++) {
        const MyAction *action = &my->actions[i];
        if (action->kind == MY_ACTION_ADD_COLUMN)
            read_column(reader, action->column, &columns[act->column_count++]);
        if (action->kind == MY_ACTION_ADD_KEY && is_constraint(action->key))
            read_constraint(reader, action->key, &constraints[act->constraint_count++]);
        if (action->kind == MY_ACTION_OPTION && str_eq(action->option, "ENGINE"))
            act->value = act_span_my(reader, action->value);
        if (action->kind == MY_ACTION_OPTION && is_compressed(reader, action))
            act->flags |= ACT_COMPRESSED;
        if (action->kind == MY_ACTION_PARTITION_BY)
            act->flags |= ACT_PARTITIONED;
    }
    act->columns = columns;
    act->constraints = constraints;
    Name table = act->table;
    for (size_t i = 0; i < my->action_count; i++) {
        const MyAction *action = &my->actions[i];
        if (action->kind != MY_ACTION_ADD_KEY || is_constraint(action->key))
            continue;
        Act *index = act_add_my(reader, ACT_CREATE_INDEX, "CREATE TABLE");
        index->start = action->span.start;
        index->end = action->span.end;
        index->table = table;
        set_index(reader, action->key, index);
    }
}

void act_read_index_my(ActReaderMy *reader, const MyStatement *my)
{
    bool create = my->kind == MY_STATEMENT_CREATE_INDEX;
    Act *act = act_add_my(reader, ACT_DROP_INDEX, create ? "CREATE INDEX" : "DROP INDEX");
    act->table = act_name_my(reader, &my->names[0]);
    if (create && my->key != NULL)
        set_index(reader, my->key, act);
    act->name = act_keep_my(reader, my->index.text);
    act->flags |= statement_flags(my) | (my->if_exists ? ACT_IF_EXISTS : 0) |
                  (my->if_not_exists ? ACT_IF_NOT_EXISTS : 0);
}
