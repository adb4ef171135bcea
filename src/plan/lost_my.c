/* What a statement takes away without naming it: of all that differs, what its words do not say. */
#include "plan/maker_my.h"

#include <string.h>

/* "DEFAULT" of "DEFAULT 'x'": whichever side there is. */
static bool is_about(const LostAttribute *lost, const char *word)
{
    const char *text = lost->before[0] != '\0' ? lost->before : lost->after;
    return str_starts(text, word);
}

static bool is_for(const MyAction *action, const char *column)
{
    const char *name =
        action->kind == MY_ACTION_MODIFY_COLUMN ? action->column->name.text : action->name.text;
    return name != NULL && strcasecmp(name, column) == 0;
}

/* Of MODIFY and CHANGE. */
static bool definition_names(const MyColumnSpec *column, const LostAttribute *lost)
{
    bool charset = my_span_is(column->charset) || my_span_is(column->collate);
    if (is_about(lost, "TYPE"))
        return true;
    if (is_about(lost, "NOT NULL"))
        return lost->after[0] != '\0' ? column->not_null || column->primary : column->null;
    if (is_about(lost, "CHARACTER SET") || is_about(lost, "COLLATE")) /* a number has none */
        return charset || lost->after[0] == '\0' || lost->before[0] == '\0';
    return (is_about(lost, "DEFAULT") && my_span_is(column->default_value)) ||
           (is_about(lost, "ON UPDATE") && my_span_is(column->on_update)) ||
           (is_about(lost, "AUTO_INCREMENT") && column->auto_increment) ||
           (is_about(lost, "COMMENT") && my_span_is(column->comment)) ||
           (is_about(lost, "INVISIBLE") && (column->invisible || column->visible)) ||
           (is_about(lost, "GENERATED") && my_span_is(column->generated)) ||
           (is_about(lost, "CHECK") && my_span_is(column->check)) ||
           (is_about(lost, "WITHOUT SYSTEM") && column->without_versioning);
}

static bool column_is_named(const MyStatement *my, const char *column, const LostAttribute *lost)
{
    for (size_t i = 0; i < my->action_count; i++) {
        const MyAction *action = &my->actions[i];
        MyActionKind kind = action->kind;
        bool defines = kind == MY_ACTION_MODIFY_COLUMN || kind == MY_ACTION_CHANGE_COLUMN;
        if (kind == MY_ACTION_CONVERT &&
            (is_about(lost, "TYPE") || is_about(lost, "CHARACTER SET") || is_about(lost, "COLLATE")))
            return true;
        if (kind == MY_ACTION_ADD_KEY && action->key->kind == MY_KEY_PRIMARY && is_about(lost, "NOT NULL"))
            return true;
        if (!is_for(action, column))
            continue;
        if (kind == MY_ACTION_DROP_COLUMN || (defines && definition_names(action->column, lost)))
            return true;
        if ((kind == MY_ACTION_SET_DEFAULT || kind == MY_ACTION_DROP_DEFAULT) && is_about(lost, "DEFAULT"))
            return true;
        if ((kind == MY_ACTION_SET_VISIBLE || kind == MY_ACTION_SET_INVISIBLE) && is_about(lost, "INVISIBLE"))
            return true;
    }
    return false;
}

/* Of an index, foreign key or check. What a renamed column is called there says itself. */
static bool object_is_named(const MyStatement *my, const char *name)
{
    for (size_t i = 0; i < my->action_count; i++) {
        const MyAction *action = &my->actions[i];
        switch (action->kind) {
        case MY_ACTION_RENAME_COLUMN:
        case MY_ACTION_CHANGE_COLUMN:
        case MY_ACTION_CONVERT:
            return true;
        case MY_ACTION_DROP_PRIMARY_KEY:
            if (strcasecmp(name, "PRIMARY") == 0)
                return true;
            break;
        case MY_ACTION_DROP_INDEX:
        case MY_ACTION_DROP_FOREIGN_KEY:
        case MY_ACTION_DROP_CHECK:
        case MY_ACTION_DROP_CONSTRAINT:
        case MY_ACTION_RENAME_INDEX:
        case MY_ACTION_ALTER_INDEX:
        case MY_ACTION_ALTER_CHECK:
            if (action->name.text != NULL && strcasecmp(action->name.text, name) == 0)
                return true;
            break;
        case MY_ACTION_OTHER:
        case MY_ACTION_ADD_COLUMN:
        case MY_ACTION_ADD_LIST:
        case MY_ACTION_DROP_COLUMN:
        case MY_ACTION_MODIFY_COLUMN:
        case MY_ACTION_SET_DEFAULT:
        case MY_ACTION_DROP_DEFAULT:
        case MY_ACTION_SET_VISIBLE:
        case MY_ACTION_SET_INVISIBLE:
        case MY_ACTION_RENAME_TABLE:
        case MY_ACTION_ADD_KEY:
        case MY_ACTION_ADD_PERIOD:
        case MY_ACTION_ADD_VERSIONING:
        case MY_ACTION_DROP_PERIOD:
        case MY_ACTION_DROP_VERSIONING:
        case MY_ACTION_OPTION:
        case MY_ACTION_FORCE:
        case MY_ACTION_ORDER_BY:
        case MY_ACTION_ENABLE_KEYS:
        case MY_ACTION_DISABLE_KEYS:
        case MY_ACTION_DISCARD_TABLESPACE:
        case MY_ACTION_IMPORT_TABLESPACE:
        case MY_ACTION_ALGORITHM:
        case MY_ACTION_LOCK:
        case MY_ACTION_VALIDATION:
        case MY_ACTION_PARTITION_BY:
        case MY_ACTION_REMOVE_PARTITIONING:
        case MY_ACTION_PARTITION:
        case MY_ACTION_COUNT:
            break;
        }
    }
    return false;
}

static bool table_is_named(const MyStatement *my)
{
    for (size_t i = 0; i < my->action_count; i++) {
        MyActionKind kind = my->actions[i].kind;
        if (kind == MY_ACTION_OPTION || kind == MY_ACTION_CONVERT || kind == MY_ACTION_PARTITION_BY ||
            kind == MY_ACTION_PARTITION || kind == MY_ACTION_REMOVE_PARTITIONING ||
            kind == MY_ACTION_ADD_VERSIONING || kind == MY_ACTION_DROP_VERSIONING || kind == MY_ACTION_FORCE)
            return true;
    }
    return false;
}

static bool is_named(const MyStatement *my, const LostAttribute *lost)
{
    static const char column[] = "column ";
    if (str_starts(lost->object, column))
        return column_is_named(my, lost->object + strlen(column), lost);
    if (str_eq(lost->object, "table"))
        return table_is_named(my);
    const char *name = strrchr(lost->object, ' ');
    return name == NULL || object_is_named(my, name + 1);
}

void lost_note_my(MakerMy *maker, const char *table, const AskedMy *asked)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    for (size_t i = 0; i < asked->ladder.lost_count; i++) {
        const LostAttribute *lost = &asked->ladder.lost[i];
        if (is_named(asked->my, lost))
            continue;
        str_sep(&out, "; ");
        str_addf(&out, "%s: ", lost->object);
        if (lost->before[0] == '\0')
            str_addf(&out, "%s comes", lost->after);
        else if (lost->after[0] == '\0')
            str_addf(&out, "%s goes", lost->before);
        else
            str_addf(&out, "%s becomes %s", lost->before, lost->after);
    }
    if (out.len > 0)
        maker_risk_my(maker, "lost-attributes", "--accept-lost-attributes",
                      arena_printf(maker->arena,
                                   "the statement changes on %s what it does not name: %s. MODIFY and CHANGE "
                                   "have to repeat what is to stay",
                                   table, out.buf));
}
