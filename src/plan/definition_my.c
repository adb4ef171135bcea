/* Parts of SHOW CREATE TABLE, one a line there, and statements made of them: the way back of an ALTER TABLE.
 */
#include "change/text_my.h"
#include "plan/maker_my.h"

#include <string.h>

const char *definition_line_my(Arena *arena, const char *create_sql, const char *beginning)
{
    size_t len = strlen(beginning);
    for (const char *line = create_sql; line != NULL; line = strchr(line, '\n')) {
        line += line == create_sql ? 0 : 1;
        if (strncmp(line, "  ", 2) != 0 || strncasecmp(line + 2, beginning, len) != 0)
            continue;
        size_t end = strcspn(line, "\n");
        end -= line[end - 1] == ',';
        return arena_dupn(arena, line + 2, end - 2);
    }
    return NULL;
}

const char *definition_column_my(Arena *arena, const char *create_sql, const char *column)
{
    return definition_line_my(arena, create_sql, arena_printf(arena, "%s ", sql_backtick(arena, column)));
}

const char *definition_index_my(Arena *arena, const char *create_sql, const char *index)
{
    static const char *const kinds[] = {"KEY", "UNIQUE KEY", "FULLTEXT KEY", "SPATIAL KEY", "VECTOR KEY"};
    if (strcasecmp(index, "PRIMARY") == 0)
        return definition_line_my(arena, create_sql, "PRIMARY KEY ");
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        const char *line = definition_line_my(
            arena, create_sql, arena_printf(arena, "%s %s ", kinds[i], sql_backtick(arena, index)));
        if (line != NULL)
            return line;
    }
    return NULL;
}

/* Behind the name in backticks at `at`. */
static const char *behind_name(const char *at)
{
    for (at++; *at != '\0'; at++)
        if (*at == '`' && at[1] != '`')
            return at + 1;
        else if (*at == '`')
            at++;
    return at;
}

/* "CONSTRAINT `x` CHECK " at the beginning of a line's text; NULL. */
static const char *check_name(Arena *arena, const char *line, const char **ret_behind)
{
    static const char constraint[] = "  CONSTRAINT `", check[] = " CHECK ";
    if (strncmp(line, constraint, strlen(constraint)) != 0)
        return NULL;
    const char *behind = behind_name(line + strlen(constraint) - 1);
    if (strncmp(behind, check, strlen(check)) != 0)
        return NULL;
    *ret_behind = behind + 1;
    return arena_dupn(arena, line + 2, (size_t)(behind - line) - 2 + strlen(check));
}

/* Without the name of a CHECK that `taken` has as well; the server makes one. */
static void add_line(Arena *arena, Str *out, const char *line, size_t len, const char *taken)
{
    const char *behind = NULL, *name = taken == NULL ? NULL : check_name(arena, line, &behind);
    if (name == NULL || strstr(taken, name) == NULL) {
        str_addn(out, line, len);
        return;
    }
    str_add(out, "  ");
    str_addn(out, behind, len - (size_t)(behind - line));
}

/* The options stand in the one line that begins with a parenthesis; the counter comes before any comment. */
static void add_options(Str *out, const char *line, const char *counter)
{
    static const char word[] = " AUTO_INCREMENT=";
    const char *at = strstr(line, word), *comment = strstr(line, " COMMENT='");
    if (at == NULL || (comment != NULL && comment < at)) {
        str_add(out, line);
        return;
    }
    str_addn(out, line, (size_t)(at - line));
    if (counter != NULL)
        str_addf(out, "%s%s", word, counter);
    at += strlen(word);
    str_add(out, at + strspn(at, "0123456789"));
}

/* "  CONSTRAINT `x` FOREIGN KEY …" */
static bool is_foreign_key(const char *line)
{
    static const char constraint[] = "  CONSTRAINT `";
    return strncmp(line, constraint, strlen(constraint)) == 0 &&
           strncmp(behind_name(line + strlen(constraint) - 1), " FOREIGN KEY ", strlen(" FOREIGN KEY ")) == 0;
}

const char *counter_said_my(Arena *arena, const AskedMy *asked)
{
    const char *said = NULL;
    for (size_t i = 0; i < asked->my->action_count; i++) {
        const MyAction *action = &asked->my->actions[i];
        if (action->kind == MY_ACTION_OPTION && str_eq(action->option, "AUTO_INCREMENT"))
            said = my_text(arena, asked->sql, action->value);
    }
    return said != NULL && said[0] != '\0' && strspn(said, "0123456789") == strlen(said) ? said : NULL;
}

const char *definition_as_my(Arena *arena, const char *create_sql, const char *name, const char *taken,
                             const char *counter)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    const char *open = strchr(create_sql, '`');
    const char *line = open == NULL ? "" : behind_name(open);
    size_t len = strcspn(line, "\n");
    str_addf(&out, "CREATE TABLE %s", sql_backtick(arena, name));
    str_addn(&out, line, len);
    bool is_first = true;
    for (line += len; *line == '\n'; line += len) {
        line++;
        len = strcspn(line, "\n");
        if (line[0] == ')') {
            str_add(&out, "\n");
            add_options(&out, line, counter);
            break;
        }
        if (is_foreign_key(line))
            continue;
        str_add(&out, is_first ? "\n" : ",\n");
        add_line(arena, &out, line, len - (line[len - 1] == ','), taken);
        is_first = false;
    }
    return arena_dup(arena, out.buf);
}

const char *definition_foreign_key_my(Arena *arena, const char *create_sql, const char *name)
{
    return definition_line_my(arena, create_sql,
                              arena_printf(arena, "CONSTRAINT %s FOREIGN KEY ", sql_backtick(arena, name)));
}

/* " AFTER `b`" or " FIRST": where the column stood. */
static const char *place_of(Arena *arena, const Table *table, const char *column)
{
    const MyTable *my = table->my;
    for (size_t i = 0; i < my->column_count; i++)
        if (strcasecmp(my->columns[i].name, column) == 0)
            return i == 0 ? " FIRST"
                          : arena_printf(arena, " AFTER %s", sql_backtick(arena, my->columns[i - 1].name));
    return "";
}

static const MyIndex *index_named(const Table *table, const char *name)
{
    for (size_t i = 0; i < table->my->index_count; i++)
        if (strcasecmp(table->my->indexes[i].name, name) == 0)
            return &table->my->indexes[i];
    return NULL;
}

/* Indexes that the statement made: the server may have named them. */
static void drop_new_indexes(Arena *arena, Str *out, const AskedMy *asked)
{
    for (size_t i = 0; i < asked->after->my->index_count; i++) {
        const char *name = asked->after->my->indexes[i].name;
        if (index_named(asked->before, name) != NULL)
            continue;
        str_sep(out, ", ");
        if (strcasecmp(name, "PRIMARY") == 0)
            str_add(out, "DROP PRIMARY KEY");
        else
            str_addf(out, "DROP INDEX %s", sql_backtick(arena, name));
    }
}

static bool undo_column(Arena *arena, Str *out, const AskedMy *asked, const MyAction *action)
{
    bool change = action->kind == MY_ACTION_CHANGE_COLUMN;
    const char *old = action->kind == MY_ACTION_MODIFY_COLUMN ? action->column->name.text : action->name.text;
    const char *line = definition_column_my(arena, asked->before->my->create_sql, old);
    if (line == NULL)
        return false;
    str_sep(out, ", ");
    if (change)
        str_addf(out, "CHANGE COLUMN %s %s", sql_backtick(arena, action->column->name.text), line);
    else
        str_addf(out, "MODIFY COLUMN %s", line);
    if (action->column != NULL && my_span_is(action->column->position))
        str_add(out, place_of(arena, asked->before, old));
    return true;
}

static bool undo_index(Arena *arena, Str *out, const AskedMy *asked, const char *name)
{
    const char *line = definition_index_my(arena, asked->before->my->create_sql, name);
    if (line == NULL)
        return false;
    str_sep(out, ", ");
    str_addf(out, "ADD %s", line);
    return true;
}

static void undo_name(Arena *arena, Str *out, const char *what, const char *name, const char *to)
{
    str_sep(out, ", ");
    str_addf(out, "%s %s", what, sql_backtick(arena, name));
    if (to != NULL)
        str_addf(out, " TO %s", sql_backtick(arena, to));
}

/* False: it is not known how. Indexes that are added are seen in the table, not in the statement. */
static bool undo_action(Arena *arena, Str *out, const AskedMy *asked, const MyAction *action)
{
    if (action->kind == MY_ACTION_ADD_COLUMN) {
        if (column_my(asked->before, action->column->name.text) == NULL)
            undo_name(arena, out, "DROP COLUMN", action->column->name.text, NULL);
        return true;
    }
    if (action->kind == MY_ACTION_MODIFY_COLUMN || action->kind == MY_ACTION_CHANGE_COLUMN ||
        action->kind == MY_ACTION_SET_DEFAULT || action->kind == MY_ACTION_DROP_DEFAULT ||
        action->kind == MY_ACTION_SET_VISIBLE || action->kind == MY_ACTION_SET_INVISIBLE)
        return undo_column(arena, out, asked, action);
    if (action->kind == MY_ACTION_RENAME_COLUMN)
        undo_name(arena, out, "RENAME COLUMN", action->new_name.text, action->name.text);
    else if (action->kind == MY_ACTION_RENAME_INDEX)
        undo_name(arena, out, "RENAME INDEX", action->new_name.text, action->name.text);
    else if (action->kind == MY_ACTION_DROP_INDEX || action->kind == MY_ACTION_DROP_PRIMARY_KEY)
        return undo_index(arena, out, asked,
                          action->kind == MY_ACTION_DROP_INDEX ? action->name.text : "PRIMARY");
    else if (action->kind != MY_ACTION_ADD_KEY || action->key->kind == MY_KEY_CHECK)
        return false;
    return true;
}

const char *undo_sql_my(Arena *arena, const char *table, const AskedMy *asked)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    bool known = asked->after != NULL && asked->before != NULL;
    if (known) {
        keys_drop_new_my(arena, &out, asked);
        drop_new_indexes(arena, &out, asked);
    }
    for (size_t i = asked->my->action_count; i > 0 && known; i--)
        known = undo_action(arena, &out, asked, &asked->my->actions[i - 1]);
    if (!known || out.len == 0)
        return NULL;
    return arena_printf(arena, "ALTER TABLE %s %s", sql_backtick(arena, table), out.buf);
}
