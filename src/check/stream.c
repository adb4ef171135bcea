/* Statements in the order in which a server gets them. */
#include "check/stream.h"

#include "base/str.h"
#include "base/unit.h"

#include <stdlib.h>
#include <string.h>

/* ---- locks ---------------------------------------------------------------------------------- */

/* Looked at on PostgreSQL 15 (rules 1 to 78 of the notes), versions by the manual; ALTER TABLE takes ACCESS
 * EXCLUSIVE for whatever is not named here. */
static const struct {
    ActKind kind;
    LockMode lock, other;
} locks[] = {
    {ACT_SET_STATISTICS, LOCK_SHARE_UPDATE_EXCLUSIVE, LOCK_NONE},
    {ACT_VALIDATE, LOCK_SHARE_UPDATE_EXCLUSIVE, LOCK_ROW_SHARE},
    {ACT_TRIGGER_STATE, LOCK_SHARE_ROW_EXCLUSIVE, LOCK_NONE},
    {ACT_COMMENT, LOCK_SHARE_UPDATE_EXCLUSIVE, LOCK_NONE},
    {ACT_CREATE_TRIGGER, LOCK_SHARE_ROW_EXCLUSIVE, LOCK_NONE},
    {ACT_CREATE_INDEX, LOCK_SHARE, LOCK_NONE},
    {ACT_REINDEX, LOCK_SHARE, LOCK_ACCESS_EXCLUSIVE},
    {ACT_ALTER_SEQUENCE, LOCK_SHARE_ROW_EXCLUSIVE, LOCK_NONE},
    {ACT_INSERT, LOCK_ROW_EXCLUSIVE, LOCK_NONE},
    {ACT_UPDATE, LOCK_ROW_EXCLUSIVE, LOCK_NONE},
    {ACT_DELETE, LOCK_ROW_EXCLUSIVE, LOCK_NONE},
    {ACT_COPY, LOCK_ROW_EXCLUSIVE, LOCK_NONE},
    {ACT_REPACK, LOCK_ACCESS_EXCLUSIVE, LOCK_NONE},
    {ACT_CLUSTER, LOCK_ACCESS_EXCLUSIVE, LOCK_NONE},
    {ACT_REFRESH, LOCK_ACCESS_EXCLUSIVE, LOCK_NONE},
    {ACT_DROP_TABLE, LOCK_ACCESS_EXCLUSIVE, LOCK_ACCESS_EXCLUSIVE},
    {ACT_DROP_INDEX, LOCK_ACCESS_EXCLUSIVE, LOCK_NONE},
    {ACT_TRUNCATE, LOCK_ACCESS_EXCLUSIVE, LOCK_NONE},
    {ACT_DROP_TRIGGER, LOCK_ACCESS_EXCLUSIVE, LOCK_NONE},
    {ACT_CREATE_POLICY, LOCK_ACCESS_EXCLUSIVE, LOCK_NONE},
    {ACT_DROP_POLICY, LOCK_ACCESS_EXCLUSIVE, LOCK_NONE},
    {ACT_CREATE_RULE, LOCK_ACCESS_EXCLUSIVE, LOCK_NONE},
    {ACT_DROP_VIEW, LOCK_ACCESS_EXCLUSIVE, LOCK_NONE},
    {ACT_RENAME_TABLE, LOCK_ACCESS_EXCLUSIVE, LOCK_NONE},
    {ACT_RENAME_COLUMN, LOCK_ACCESS_EXCLUSIVE, LOCK_NONE},
    {ACT_SET_SCHEMA, LOCK_ACCESS_EXCLUSIVE, LOCK_NONE},
    {ACT_DROP_CONSTRAINT, LOCK_ACCESS_EXCLUSIVE, LOCK_NONE},
};

static bool is_alter(ActKind kind)
{
    return (kind >= ACT_ADD_COLUMN && kind <= ACT_MERGE_SPLIT) || kind == ACT_RENAME_COLUMN;
}

static LockMode lock_concurrently(const Act *act, int version, LockMode *ret_other)
{
    *ret_other = LOCK_NONE;
    if (act->kind == ACT_REFRESH)
        return LOCK_EXCLUSIVE;
    if (act->kind == ACT_DETACH && version < 140000)
        return LOCK_ACCESS_EXCLUSIVE;
    return LOCK_SHARE_UPDATE_EXCLUSIVE;
}

static LockMode lock_of_definition(const Act *act, int version, LockMode *ret_other)
{
    const ActConstraint *spec = act->constraint;
    if (act->kind == ACT_ADD_COLUMN && act->column != NULL && act->column->references)
        *ret_other = LOCK_SHARE_ROW_EXCLUSIVE;
    if (act->kind == ACT_ADD_CONSTRAINT && spec != NULL && !spec->not_null &&
        spec->kind == CONSTRAINT_FOREIGN_KEY)
        return *ret_other = LOCK_SHARE_ROW_EXCLUSIVE;
    if (act->kind == ACT_SET_OPTIONS && !str_eq(act->value, "user_catalog_table"))
        return LOCK_SHARE_UPDATE_EXCLUSIVE;
    if (act->kind == ACT_ATTACH) {
        *ret_other = LOCK_ACCESS_EXCLUSIVE;
        return version >= 120000 ? LOCK_SHARE_UPDATE_EXCLUSIVE : LOCK_ACCESS_EXCLUSIVE;
    }
    return LOCK_ACCESS_EXCLUSIVE;
}

LockMode act_lock(const Act *act, int version, LockMode *ret_other)
{
    *ret_other = LOCK_NONE;
    if ((act->flags & ACT_CONCURRENTLY) != 0)
        return lock_concurrently(act, version, ret_other);
    if (act->kind == ACT_CREATE_TABLE) {
        bool partition = (act->flags & ACT_PARTITION_OF) != 0;
        *ret_other = partition ? LOCK_ACCESS_EXCLUSIVE : LOCK_NONE;
        return LOCK_NONE;
    }
    if (act->kind == ACT_VACUUM)
        return (act->flags & ACT_FULL) != 0 ? LOCK_ACCESS_EXCLUSIVE : LOCK_SHARE_UPDATE_EXCLUSIVE;
    if (act->kind == ACT_CREATE_VIEW)
        return (act->flags & ACT_REPLACES) != 0 ? LOCK_ACCESS_EXCLUSIVE : LOCK_NONE;
    if (act->kind == ACT_ALTER_DOMAIN)
        return str_eq(act->value, "ADD CONSTRAINT") || str_eq(act->value, "SET NOT NULL") ? LOCK_SHARE
                                                                                          : LOCK_NONE;
    if (act->kind == ACT_DROP_SCHEMA) /* all that stands in it; without CASCADE nothing does */
        return (act->flags & ACT_CASCADES) != 0 ? LOCK_ACCESS_EXCLUSIVE : LOCK_NONE;
    if (act->kind == ACT_LOCK)
        return act->value == NULL ? LOCK_ACCESS_EXCLUSIVE : (LockMode)strtol(act->value, NULL, 10);
    for (size_t i = 0; i < ARRAY_LEN(locks); i++)
        if (locks[i].kind == act->kind) {
            *ret_other = locks[i].other;
            return locks[i].lock;
        }
    return is_alter(act->kind) ? lock_of_definition(act, version, ret_other) : LOCK_NONE;
}

bool act_is_long(const Act *act)
{
    switch ((int)act->kind) {
    case ACT_UPDATE:
    case ACT_DELETE:
    case ACT_COPY:
    case ACT_VALIDATE:
    case ACT_CREATE_INDEX:
    case ACT_REINDEX:
    case ACT_REFRESH:
    case ACT_CLUSTER:
    case ACT_SET_NOT_NULL:
    case ACT_CHANGE_TYPE:
    case ACT_SET_LOGGED:
    case ACT_SET_TABLESPACE:
    case ACT_REPACK:
        return true;
    case ACT_INSERT:
        return act->value != NULL;
    case ACT_ADD_CONSTRAINT:
        return !act->constraint->not_valid && act->constraint->index_name == NULL;
    default:
        return false;
    }
}

bool act_is_definition(const Act *act)
{
    switch ((int)act->kind) {
    case ACT_OTHER:
    case ACT_UNKNOWN:
    case ACT_BEGIN:
    case ACT_COMMIT:
    case ACT_ROLLBACK:
    case ACT_SET:
    case ACT_LOCK:
    case ACT_SELECT:
    case ACT_INSERT:
    case ACT_UPDATE:
    case ACT_DELETE:
    case ACT_COPY:
        return false;
    default:
        return true;
    }
}

/* CREATE TABLE takes SHARE ROW EXCLUSIVE on tables that its foreign keys name. */
static bool refers_to_used(const Stream *stream, const Act *act)
{
    for (size_t i = 0; act->kind == ACT_CREATE_TABLE && i < act->column_count; i++)
        if (act->columns[i].references && !str_eq(act->columns[i].parent.name, act->table.name) &&
            !known_is_made(stream->known, act->columns[i].parent))
            return true;
    for (size_t i = 0; act->kind == ACT_CREATE_TABLE && i < act->constraint_count; i++)
        if (act->constraints[i].kind == CONSTRAINT_FOREIGN_KEY &&
            !str_eq(act->constraints[i].references.name, act->table.name) &&
            !known_is_made(stream->known, act->constraints[i].references))
            return true;
    return false;
}

bool stream_is_strong(const Stream *stream, const Act *act)
{
    if (stream->target->engine != CHECK_POSTGRES)
        return false;
    if (refers_to_used(stream, act))
        return true;
    LockMode other, mode = act_lock(act, stream->target->version, &other);
    bool named = act->table.name != NULL && !known_is_made(stream->known, act->table);
    bool second = act->other.name != NULL && !known_is_made(stream->known, act->other);
    return (named && mode >= LOCK_SHARE) || (second && other >= LOCK_SHARE);
}

/* ---- transactions and settings -------------------------------------------------------------- */

static void transaction_over(Stream *stream)
{
    stream->begun = false;
    stream->strong = stream->definition = NULL;
    stream->told_after = stream->told_tables = false;
    stream->not_valid.len = stream->values.len = 0;
    stream->lock_timeout.local = stream->statement_timeout.local = false;
}

void stream_begin(Stream *stream, TxModel model)
{
    size_t sql = 0;
    for (size_t i = 0; i < stream->statements->len; i++) {
        const ActStatement *statement = &stream->statements->items[i];
        sql += !statement->data &&
               !(statement->acts.items[0].kind == ACT_OTHER && str_eq(statement->acts.items[0].words, "\\"));
    }
    transaction_over(stream);
    stream->model = model;
    stream->wrapped = model == TX_WRAPPED || (model == TX_MESSAGE && sql > 1);
    stream->lock_timeout = stream->statement_timeout = (StreamSetting){0};
    stream->told_timeout = stream->told_statement_timeout = stream->told_not_rerunnable = false;
    stream->told_replicas = stream->told_several = stream->keys_unchecked = false;
    stream->ddl_count = 0;
    stream->last_alter = NULL;
}

static int64_t timeout_ms(const char *value)
{
    int64_t ms = 0;
    char *end = NULL;
    if (value == NULL)
        return 1;
    long number = strtol(value, &end, 10);
    if (*end == '\0')
        return number;
    Err *err = unit_parse_duration(value, &ms);
    if (err != NULL)
        ms = str_eq(end, "min") ? number * 60000 : 1;
    err_free(err);
    return ms;
}

static void take_setting(Stream *stream, const Act *act)
{
    StreamSetting *setting = NULL;
    bool my = stream->target->engine != CHECK_POSTGRES;
    if (act->name == NULL) {
        stream->lock_timeout = stream->statement_timeout = (StreamSetting){0}; /* RESET ALL */
        return;
    }
    if (strcasecmp(act->name, "lock_timeout") == 0 || (my && strcasecmp(act->name, "lock_wait_timeout") == 0))
        setting = &stream->lock_timeout;
    if (strcasecmp(act->name, "statement_timeout") == 0 || strcasecmp(act->name, "transaction_timeout") == 0)
        setting = &stream->statement_timeout;
    if (my && strcasecmp(act->name, "foreign_key_checks") == 0)
        stream->keys_unchecked =
            str_eq(act->value, "0") || (act->value != NULL && strcasecmp(act->value, "off") == 0);
    if (setting == NULL)
        return;
    bool reset = (act->flags & ACT_RESET) != 0;
    setting->ms = my ? 1000 * timeout_ms(act->value) : timeout_ms(act->value);
    bool on = !reset && setting->ms != 0;
    if ((act->flags & ACT_LOCAL) == 0)
        setting->session = on;
    else if (stream_in_transaction(stream))
        setting->local = on;
}

void stream_take(Stream *stream, const Act *act)
{
    bool called = act->function != NULL && act->function[0] != '\0';
    if (called)
        return;
    switch ((int)act->kind) {
    case ACT_BEGIN:
        stream->begun = true;
        stream->begun_at = act->start;
        break;
    case ACT_COMMIT:
    case ACT_ROLLBACK:
        if (act->function == NULL)
            transaction_over(stream);
        break;
    case ACT_SET:
        take_setting(stream, act);
        break;
    case ACT_ADD_CONSTRAINT:
        if (act->constraint->not_valid)
            *vec_push(stream->arena, &stream->not_valid) = act;
        break;
    case ACT_ENUM_ADD:
        *vec_push(stream->arena, &stream->values) = act;
        break;
    default:
        break;
    }
    if (act_is_definition(act) && !known_is_made(stream->known, act->table))
        stream->definition = act;
    if (stream->strong == NULL && stream_in_transaction(stream) && stream_is_strong(stream, act))
        stream->strong = act;
    known_take(stream->known, act);
}

void stream_statement_end(Stream *stream)
{
    const ActStatement *statement = stream_statement(stream);
    const Act *act = &statement->acts.items[0];
    bool alter = act->function == NULL && str_eq(act->words, "ALTER TABLE");
    if (alter || (act->kind != ACT_SET && act->kind != ACT_OTHER))
        stream->last_alter = alter ? act : NULL;
    if (act_is_definition(act) && act->function == NULL)
        stream->ddl_count++;
    if (!stream_in_transaction(stream)) {
        stream->strong = stream->definition = NULL;
        stream->not_valid.len = stream->values.len = 0;
    }
}
