/* By which algorithm MySQL and MariaDB carry an action out. */
#include "check/way_my.h"

#include "base/str.h"

#include <string.h>

static bool at_least(const Stream *stream, int mysql, int mariadb)
{
    return stream->target->version >= (stream->target->engine == CHECK_MARIADB ? mariadb : mysql);
}

static WayMy of_added_column(const Stream *stream, const Act *act)
{
    const ActColumn *column = act->column;
    if (column == NULL)
        return WAY_UNKNOWN;
    bool moved = (act->flags & ACT_FIRST) != 0;
    if (column->auto_increment || column->stored || column->kind == ACT_DEFAULT_VOLATILE)
        return WAY_COPY;
    if (column->references && stream->target->engine == CHECK_MARIADB && at_least(stream, 0, 100500))
        return WAY_COPY;
    if (column->primary)
        return WAY_REBUILD;
    if (column->unique)
        return WAY_NOCOPY;
    if (column->virtual_)
        return WAY_INSTANT;
    bool instant = moved ? at_least(stream, 80029, 100400) : at_least(stream, 80012, 100300);
    return instant ? WAY_INSTANT : WAY_REBUILD;
}

/* Values may be added at the end while their numbers take the same room. */
static bool is_appended(const ActColumn *from, const ActColumn *to, bool set)
{
    if (to->value_count < from->value_count)
        return false;
    for (size_t i = 0; i < from->value_count; i++)
        if (!str_eq(from->values[i], to->values[i]))
            return false;
    if (!set)
        return (from->value_count > 255) == (to->value_count > 255);
    return (from->value_count + 7) / 8 == (to->value_count + 7) / 8;
}

WayMy way_of_type_my(const ActType *from, const ActColumn *old_spec, const ActColumn *to)
{
    if (from->name == NULL || to->type.name == NULL || !str_eq(from->name, to->type.name))
        return WAY_COPY;
    bool set = str_eq(from->name, "set");
    if (set || str_eq(from->name, "enum"))
        return old_spec != NULL && is_appended(old_spec, to, set) ? WAY_INSTANT : WAY_COPY;
    if (to->charset || to->collation != NULL)
        return old_spec != NULL && (old_spec->charset || old_spec->collation != NULL) ? WAY_UNKNOWN
                                                                                      : WAY_COPY;
    if (from->text != NULL && to->type.text != NULL && strcasecmp(from->text, to->type.text) == 0)
        return WAY_INSTANT;
    int64_t old_len = from->mods[0], new_len = to->type.mods[0];
    if (str_eq(from->name, "varchar") && new_len >= old_len) {
        /* the limit is 255 bytes; a character has one to four */
        if (new_len * 4 <= 255 || old_len > 255)
            return WAY_INSTANT;
        return old_len * 4 > 255 && new_len <= 255 ? WAY_INSTANT : WAY_UNKNOWN;
    }
    if (str_eq(from->name, "varbinary") && new_len >= old_len)
        return new_len <= 255 || old_len > 255 ? WAY_INSTANT : WAY_UNKNOWN;
    bool whole = strstr(from->name, "int") != NULL;
    bool sign = (from->text != NULL && strcasestr(from->text, "unsigned") != NULL) ==
                (to->type.text != NULL && strcasestr(to->type.text, "unsigned") != NULL);
    return whole && sign ? WAY_INSTANT : WAY_COPY; /* another display width */
}

static WayMy of_modified(const Stream *stream, const Act *act)
{
    const KnownColumn *known = known_column(known_table(stream->known, act->table), act->name);
    if (known == NULL || act->column == NULL)
        return WAY_UNKNOWN;
    if (act->column->stored != (known->spec != NULL && known->spec->stored))
        return WAY_COPY;
    WayMy way = way_of_type_my(&known->type, known->spec, act->column);
    if (way != WAY_INSTANT)
        return way;
    if (known->not_null != act->column->not_null)
        return WAY_REBUILD;
    return (act->flags & ACT_FIRST) != 0 && !at_least(stream, 80029, 100400) ? WAY_REBUILD : WAY_INSTANT;
}

static WayMy of_constraint(const Stream *stream, const Act *act)
{
    const ActConstraint *spec = act->constraint;
    if (spec->kind == CONSTRAINT_PRIMARY_KEY)
        return WAY_REBUILD;
    if (spec->kind == CONSTRAINT_FOREIGN_KEY)
        return stream->keys_unchecked ? WAY_NOCOPY : WAY_COPY;
    return spec->not_enforced ? WAY_INSTANT : WAY_COPY;
}

static WayMy of_partition(const Act *act)
{
    bool quick = (act->flags & (ACT_DROPS | ACT_ADDS)) != 0 || str_eq(act->value, "EXCHANGE") ||
                 str_eq(act->value, "ANALYZE") || str_eq(act->value, "CHECK");
    return quick ? WAY_NOCOPY : WAY_COPY;
}

const char *way_lost_my(const Stream *stream, const Act *act)
{
    const KnownTable *table = known_table(stream->known, act->table);
    bool maria = stream->target->engine == CHECK_MARIADB;
    bool moved = act->kind == ACT_ADD_COLUMN && (act->flags & ACT_FIRST) != 0;
    bool column = act->kind == ACT_ADD_COLUMN || act->kind == ACT_DROP_COLUMN;
    if (table == NULL)
        return NULL;
    if (table->not_innodb && (column || act->kind == ACT_MODIFY_COLUMN || act->kind == ACT_CREATE_INDEX))
        return "the table is not InnoDB";
    if (table->has_virtual && maria && moved)
        return "it has a virtual column";
    if (table->has_fulltext && column)
        return "it has a FULLTEXT index";
    return table->compressed && column ? "it is compressed" : NULL;
}

WayMy way_my(const Stream *stream, const Act *act)
{
    if (way_lost_my(stream, act) != NULL)
        return WAY_COPY;
    switch ((int)act->kind) {
    case ACT_ADD_COLUMN:
        return of_added_column(stream, act);
    case ACT_DROP_COLUMN:
        return at_least(stream, 80029, 100400) ? WAY_INSTANT : WAY_REBUILD;
    case ACT_MODIFY_COLUMN:
        return of_modified(stream, act);
    case ACT_CREATE_INDEX:
        return (act->flags & ACT_SPECIAL) != 0 ? WAY_COPY : WAY_NOCOPY;
    case ACT_DROP_INDEX:
        return WAY_NOCOPY;
    case ACT_ADD_CONSTRAINT:
        return of_constraint(stream, act);
    case ACT_ALTER_CONSTRAINT:
        return str_eq(act->value, "ENFORCED") ? WAY_COPY : WAY_INSTANT;
    case ACT_DROP_PRIMARY_KEY:
    case ACT_CONVERT:
    case ACT_ENGINE:
        return WAY_COPY;
    case ACT_REBUILD:
        return (act->flags & ACT_FULL) != 0 ? WAY_COPY : WAY_REBUILD;
    case ACT_PARTITION:
        return of_partition(act);
    case ACT_VERSIONING:
        return (act->flags & ACT_DROPS) != 0 ? WAY_REBUILD : WAY_COPY;
    default:
        return WAY_INSTANT;
    }
}
