/* libFuzzer target: any bytes as a request and as an expression; nothing may crash, and what is written back
 * must be stable. */
#include "base/str.h"
#include "change/change.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* The canonical text of all operations is a request of its own, with the same meaning and no problem. */
static void check_request(Arena *arena, const char *text)
{
    const char *backfills[] = {text};
    Change change, again;
    change_parse_pg(arena, &(ChangeInput){.sql = text, .backfills = backfills, .backfill_count = 1}, &change);
    Str canonical = STR_INIT;
    for (size_t i = 0; i < change.operation_count; i++)
        str_addf(&canonical, "%s;\n", change.operations[i].sql);
    change_parse_pg(arena, &(ChangeInput){.sql = canonical.buf}, &again);
    require(again.operation_count == change.operation_count);
    require(change.operation_count == 0 || again.problem_count == 0);
    for (size_t i = 0; i < change.operation_count; i++)
        require(str_eq(change.operations[i].sql, again.operations[i].sql));
    str_done(&canonical);
}

static void check_expression(Arena *arena, const char *text)
{
    static const char *const columns[] = {"a", "B", "g"};
    static const char *const generated[] = {NULL, NULL, "a + \"B\""};
    static const char *const types[] = {"int", "int", "numeric(10,2)"};
    const ExprScope scope = {.table = {.schema = "s", .name = "t"},
                             .columns = columns,
                             .generated = generated,
                             .types = types,
                             .column_count = ARRAY_LEN(columns)};
    ExprForms forms, again;
    Err *err = expr_forms_pg(arena, text, &scope, &forms);
    if (err == NULL && !forms.whole_row) {
        err = expr_forms_pg(arena, forms.plain, &scope, &again);
        require(err == NULL);
        require(str_eq(forms.plain, again.plain));
    }
    err_free(err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new();
    const char *text = arena_dupn(arena, (const char *)data, size);
    check_request(arena, text);
    check_expression(arena, text);
    arena_free(arena);
    return 0;
}
