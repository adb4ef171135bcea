/* Table options, of CREATE TABLE and ALTER TABLE. */
#include "change/parser_my.h"

#include <string.h>

/* Options with one value behind them, "=" or not. The first that fits counts: longer ones stand first. */
static const struct {
    const char *words;
    const char *option;
} options[] = {
    {"DEFAULT CHARACTER SET", "CHARACTER SET"},
    {"DEFAULT CHAR SET", "CHARACTER SET"},
    {"DEFAULT CHARSET", "CHARACTER SET"},
    {"DEFAULT COLLATE", "COLLATE"},
    {"CHARACTER SET", "CHARACTER SET"},
    {"CHAR SET", "CHARACTER SET"},
    {"CHARSET", "CHARACTER SET"},
    {"COLLATE", "COLLATE"},
    {"ENGINE", NULL},
    {"STORAGE ENGINE", "ENGINE"},
    {"AUTO_INCREMENT", NULL},
    {"COMMENT", NULL},
    {"ROW_FORMAT", NULL},
    {"KEY_BLOCK_SIZE", NULL},
    {"AUTOEXTEND_SIZE", NULL},
    {"AVG_ROW_LENGTH", NULL},
    {"CHECKSUM", NULL},
    {"TABLE_CHECKSUM", "CHECKSUM"},
    {"COMPRESSION", NULL},
    {"CONNECTION", NULL},
    {"DATA DIRECTORY", NULL},
    {"INDEX DIRECTORY", NULL},
    {"DELAY_KEY_WRITE", NULL},
    {"ENCRYPTION", NULL},
    {"ENGINE_ATTRIBUTE", NULL},
    {"INSERT_METHOD", NULL},
    {"MAX_ROWS", NULL},
    {"MIN_ROWS", NULL},
    {"PACK_KEYS", NULL},
    {"PASSWORD", NULL},
    {"SECONDARY_ENGINE", NULL},
    {"SECONDARY_ENGINE_ATTRIBUTE", NULL},
    {"STATS_AUTO_RECALC", NULL},
    {"STATS_PERSISTENT", NULL},
    {"STATS_SAMPLE_PAGES", NULL},
    {"STORAGE", NULL},
    {"TABLESPACE", NULL},
    {"TRANSACTIONAL", NULL},
    {"PAGE_CHECKSUM", NULL},
    {"UNION", NULL},
};

/* "START TRANSACTION", "WITH SYSTEM VERSIONING": without a value. */
static bool take_alone(MyCursor *cursor, MyAction *action)
{
    static const char *const words[] = {"START TRANSACTION", "WITH SYSTEM VERSIONING"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (my_take(cursor, words[i])) {
            action->option = words[i];
            return true;
        }
    return false;
}

/* The value is a token of its own: no comma, no operator. */
static bool take_value(MyCursor *cursor, MyAction *action)
{
    MyTokenKind kind = my_peek(cursor, 0)->kind;
    if (kind == MY_TOKEN_END || kind == MY_TOKEN_VARIABLE ||
        (kind == MY_TOKEN_SYMBOL && !my_is_symbol(cursor, 0, "(")))
        return false;
    return my_take_value(cursor, &action->value);
}

/* Last, what MariaDB lets an engine define: "x = y". */
bool my_parse_option(MyCursor *cursor, MyAction *action)
{
    action->kind = MY_ACTION_OPTION;
    if (take_alone(cursor, action))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        if (my_take(cursor, options[i].words)) {
            action->option = options[i].option == NULL ? options[i].words : options[i].option;
            my_take_symbol(cursor, "=");
            return take_value(cursor, action);
        }
    MyWord name;
    if (!cursor->dialect->mariadb || !my_is_symbol(cursor, 1, "=") || !my_take_word(cursor, &name))
        return false;
    action->option = name.text;
    cursor->at++;
    return take_value(cursor, action);
}
