/* The next AUTO_INCREMENT value goes along with the name: numbers that were given, and whose rows are gone,
 * are not given again. */
#include "engine/mysql/swap_parts.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

enum { COUNTER_MS = 2000 };

/* 0: it has none, or has given none. information_schema may be a day old on MySQL 8. */
static Err *counter_of(Attempt *a, const char *table, unsigned long long *ret_counter)
{
    static const char word[] = " AUTO_INCREMENT=";
    Rows rows = {0};
    Wait wait = {.stop = a->wait == NULL ? NULL : a->wait->stop, .timeout_ms = COUNTER_MS};
    TRY(my_query(a->control, &wait, a->arena, arena_printf(a->arena, "SHOW CREATE TABLE %s", table), 0, NULL,
                 &rows));
    const char *sql = rows.row_count > 0 ? rows_cell(&rows, 0, 1) : NULL;
    const char *options = sql == NULL ? NULL : strstr(sql, "\n)");
    const char *at = options == NULL ? NULL : strstr(options, word);
    const char *comment = options == NULL ? NULL : strstr(options, " COMMENT='");
    bool known = at != NULL && (comment == NULL || at < comment);
    *ret_counter = known ? strtoull(at + strlen(word), NULL, 10) : 0;
    return NULL;
}

Err *swap_carry_counter(Attempt *a)
{
    unsigned long long source = 0, shadow = 0;
    TRY(counter_of(a, a->source, &source));
    TRY(counter_of(a, a->shadow, &shadow));
    if (source <= shadow)
        return NULL;
    Wait wait = {.stop = a->wait == NULL ? NULL : a->wait->stop, .timeout_ms = COUNTER_MS};
    Err *err = my_exec(a->control, &wait,
                       arena_printf(a->arena, "ALTER TABLE %s AUTO_INCREMENT = %llu", a->shadow, source));
    if (err_is(err, ERR_SQL)) { /* the new table has no such column, or cannot count so far */
        err_free(err);
        return NULL;
    }
    return err;
}
