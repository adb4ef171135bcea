/* Which tables a change of MySQL and MariaDB speaks of, and which of its statements belong together. */
#include "change/lex_my.h"
#include "run/load_my.h"

#include <string.h>

/* ---- tables --------------------------------------------------------------------------------- */

const Table *load_named_my(const LoadMy *load, const char *name)
{
    for (size_t i = 0; i < load->tables.len; i++)
        if (str_eq(load->tables.items[i].name, name))
            return &load->tables.items[i];
    return NULL;
}

static Err *load_name(LoadMy *load, const char *name)
{
    if (load_named_my(load, name) != NULL)
        return NULL;
    Table table = {0};
    TRY(runner_load_table(load->runner, load->arena,
                          &(Name){.schema = load->runner->server.database, .name = name}, &table));
    table.name = table.kind == RELATION_MISSING ? name : table.name;
    *vec_push(load->arena, &load->tables) = table;
    return NULL;
}

static Err *load_reference(LoadMy *load, const MyName *name)
{
    bool own = name->database == NULL || str_eq(name->database, load->runner->server.database);
    return name->name == NULL || !own ? NULL : load_name(load, name->name);
}

static Err *load_references(LoadMy *load, const MyAction *actions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (actions[i].column != NULL)
            TRY(load_reference(load, &actions[i].column->references));
        if (actions[i].key != NULL)
            TRY(load_reference(load, &actions[i].key->references));
    }
    return NULL;
}

static bool is_known(const LoadMy *load, const char *name)
{
    for (size_t i = 0; i < load->tables.len; i++)
        if (strcasecmp(load->tables.items[i].name, name) == 0)
            return true;
    return false;
}

/* Whatever word of the text is a table's or view's name: rather too much than too little. */
static Err *load_words(LoadMy *load, const MyDialect *lexis, const char *text)
{
    MyFault fault = {0};
    MyTokens tokens = my_lex(load->arena, lexis, text, 0, strlen(text), &fault);
    Wait wait = runner_wait(load->runner);
    for (size_t i = 0; i < tokens.len; i++) {
        const MyToken *token = &tokens.items[i];
        bool word = token->kind == MY_TOKEN_WORD || token->kind == MY_TOKEN_QUOTED;
        bool dot = i + 1 < tokens.len && my_token_symbol(text, &tokens.items[i + 1], ".");
        const char *name = word && !dot ? my_token_name(load->arena, text, token) : NULL;
        int64_t id = 0;
        if (name == NULL || is_known(load, name))
            continue;
        TRY(load->runner->ops->find_table(load->runner->conn, &wait, load->arena,
                                          load->runner->server.database, name, &id));
        if (id != 0)
            TRY(load_name(load, name));
    }
    return NULL;
}

static bool is_view_statement(const Operation *operation)
{
    return operation->my->kind == MY_STATEMENT_OTHER;
}

Err *load_tables_my(LoadMy *load)
{
    const Change *change = load->change;
    for (size_t i = 0; i < change->operation_count; i++) {
        const Operation *operation = &change->operations[i];
        TRY(load_name(load, operation->table.name));
        for (size_t k = 0; k < operation->name_count; k++)
            TRY(load_name(load, operation->names[k].name));
        TRY(load_references(load, operation->my->actions, operation->my->action_count));
        if (is_view_statement(operation))
            TRY(load_words(load, operation->lexis, operation->sql));
    }
    for (size_t i = 0; i < load->tables.len; i++) { /* which grows meanwhile */
        const Table *table = &load->tables.items[i];
        const char *text = table->kind == RELATION_VIEW && table->my != NULL ? table->my->create_sql : NULL;
        MyDialect plain = *change->operations[0].lexis; /* as our own session shows it */
        plain.ansi_quotes = plain.no_backslash_escapes = false;
        if (text != NULL)
            TRY(load_words(load, &plain, text));
    }
    return NULL;
}

/* As the tables are that those of a rehearsal stand for: what is done may depend on how large they are. */
void load_scale_my(LoadMy *load)
{
    double times = load->runner->options->plan.stands_for;
    for (size_t i = 0; times > 1 && i < load->tables.len; i++) {
        Table *table = &load->tables.items[i];
        int64_t *sizes[] = {&table->row_estimate, &table->heap_bytes, &table->index_bytes,
                            &table->total_bytes};
        for (size_t k = 0; k < ARRAY_LEN(sizes); k++)
            *sizes[k] = (int64_t)((double)*sizes[k] * times);
        if (table->my == NULL || table->my->row_count < 0)
            continue;
        MyTable *my = arena_alloc(load->arena, sizeof *my);
        *my = *table->my;
        double rows = (double)my->row_count * times;
        my->row_count = rows > MY_ROWS_COUNTED ? MY_ROWS_COUNTED : (int64_t)rows;
        table->my = my;
    }
}

/* ---- order ---------------------------------------------------------------------------------- */

static bool is_alter(const Operation *operation) { return operation->my->kind == MY_STATEMENT_ALTER_TABLE; }

static bool goes_with(const Operation *a, const Operation *b)
{
    return is_alter(a) && is_alter(b) && a->when == b->when && str_eq(a->table.name, b->table.name);
}

/* It is about its own table alone: what is done to another one may come before or behind it. */
static bool stands_alone(const Operation *operation)
{
    bool alone = is_alter(operation);
    for (size_t i = 0; i < operation->my->action_count && alone; i++) {
        const MyAction *action = &operation->my->actions[i];
        bool key = action->key != NULL && action->key->kind == MY_KEY_FOREIGN;
        bool reference = action->column != NULL && action->column->references.name != NULL;
        alone = !key && !reference && action->kind != MY_ACTION_OTHER &&
                action->kind != MY_ACTION_DROP_FOREIGN_KEY && action->kind != MY_ACTION_DROP_CONSTRAINT &&
                action->kind != MY_ACTION_RENAME_TABLE && action->kind != MY_ACTION_PARTITION;
    }
    return alone;
}

/* First what is done now, in its order, then what waits for `complete`. */
static size_t by_time(const Change *change, const Operation **order)
{
    size_t count = 0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < change->operation_count; i++)
            if ((change->operations[i].when == NATIVE_CONTRACT) == (pass == 1))
                order[count++] = &change->operations[i];
    return count;
}

/* Moves operation `from` to place `to`, before those in between. */
static void move_up(const Operation **order, size_t from, size_t to)
{
    const Operation *moved = order[from];
    for (size_t i = from; i > to; i--)
        order[i] = order[i - 1];
    order[to] = moved;
}

void load_order_my(const LoadMy *load, const Operation ***ret_order, size_t **ret_len)
{
    size_t most = load->change->operation_count + 1;
    const Operation **order = arena_alloc(load->arena, most * sizeof *order);
    size_t *len = arena_alloc(load->arena, most * sizeof *len);
    size_t count = by_time(load->change, order);
    for (size_t i = 0; i < count; i += len[i]) {
        bool others_alone = true;
        len[i] = 1;
        for (size_t k = i + 1; k < count; k++) {
            bool next = k == i + len[i];
            if (goes_with(order[i], order[k]) && (next || (others_alone && stands_alone(order[k])))) {
                move_up(order, k, i + len[i]);
                len[i]++;
                continue;
            }
            others_alone = others_alone && stands_alone(order[k]);
        }
    }
    *ret_order = order;
    *ret_len = len;
}
