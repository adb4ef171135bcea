/* The list of transactions in SHOW ENGINE INNODB STATUS. */
#include "engine/mysql/innodb_status.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

static const char block_head[] = "\n---TRANSACTION ";
static const char view_line[] = "\nTrx read view ";

typedef struct Block {
    const char *text; /* NULL behind the last one */
    size_t len;
} Block;

static Block block_from(const char *at)
{
    const char *text = strstr(at, block_head);
    const char *next = text == NULL ? NULL : strstr(text + 1, block_head);
    return (Block){.text = text,
                   .len = text == NULL   ? 0
                          : next == NULL ? strlen(text)
                                         : (size_t)(next - text)};
}

static bool block_has(const Block *block, const char *word)
{
    return memmem(block->text, block->len, word, strlen(word)) != NULL;
}

static bool block_is_of(const Block *block, int64_t id)
{
    char mysql[64], mariadb[64];
    (void)snprintf(mysql, sizeof mysql, "\nMySQL thread id %lld,", (long long)id);
    (void)snprintf(mariadb, sizeof mariadb, "\nMariaDB thread id %lld,", (long long)id);
    return block_has(block, mysql) || block_has(block, mariadb);
}

Err *innodb_status_load(Conn *conn, const Wait *wait, Arena *arena, InnodbStatus *ret_status)
{
    Rows rows = {0};
    TRY(my_query(conn, wait, arena, "SHOW ENGINE INNODB STATUS", 0, NULL, &rows));
    const char *text = rows.row_count == 1 && rows.col_count == 3 ? rows_cell(&rows, 0, 2) : NULL;
    const char *list = text == NULL ? NULL : strstr(text, "LIST OF TRANSACTIONS FOR EACH SESSION:");
    const Flavor *flavor = my_flavor(conn);
    bool lists_readers = flavor_is_mariadb(flavor) || flavor->version < 50700;
    *ret_status = (InnodbStatus){
        .list = list == NULL ? "" : list,
        .has_all = list != NULL && lists_readers && strstr(text, "... truncated...") == NULL,
    };
    return NULL;
}

static const char *find_in(const Block *block, const char *word)
{
    return memmem(block->text, block->len, word, strlen(word));
}

void innodb_status_views(const InnodbStatus *status, Arena *arena, int64_t except_id, InnodbViews *views)
{
    static const char mark[] = "SQL thread id ", maria_mark[] = "\nMariaDB thread id ";
    for (Block block = block_from(status->list); block.text != NULL;
         block = block_from(block.text + block.len)) {
        const char *view = find_in(&block, view_line);
        const char *session = find_in(&block, maria_mark), *mysql = find_in(&block, mark);
        if (view == NULL || block_is_of(&block, except_id))
            continue;
        const char *number = session != NULL ? session + strlen(maria_mark)
                             : mysql != NULL ? mysql + strlen(mark)
                                             : "0";
        *vec_push(arena, views) = (InnodbView){
            .id = strtoll(number, NULL, 10), .limits = arena_dupn(arena, view + 1, strcspn(view + 1, "\n"))};
    }
}

void innodb_views_keep(InnodbViews *views, const InnodbViews *now)
{
    size_t kept = 0;
    for (size_t i = 0; i < views->len; i++) {
        bool is_there = false;
        for (size_t j = 0; j < now->len; j++)
            is_there = is_there || (now->items[j].id == views->items[i].id &&
                                    str_eq(now->items[j].limits, views->items[i].limits));
        if (is_there)
            views->items[kept++] = views->items[i];
    }
    views->len = kept;
}

bool innodb_status_lacks_view(const InnodbStatus *status, int64_t id)
{
    int blocks = 0, views = 0;
    for (Block block = block_from(status->list); block.text != NULL;
         block = block_from(block.text + block.len))
        if (block_is_of(&block, id)) {
            blocks++;
            views += block_has(&block, view_line);
        }
    return (blocks == 1 && views == 0) || (blocks == 0 && status->has_all);
}
