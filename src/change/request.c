/* The request as a whole, whatever the language of its statements: name, digest, problems in their order. */
#include "base/digest.h"
#include "change/parser.h"
#include "engine/sql.h"

#include <stdlib.h>
#include <string.h>

enum {
    NAME_BYTES = 100,
    DEFAULT_NAME_BYTES = 60,
    OWNER_BYTES = 200,
    CONTRACT_BYTES = 300,
    TEXT_BYTES_MAX = 16 << 20
};

/* ---- name ----------------------------------------------------------------------------------- */

static bool name_is_good(const char *name)
{
    size_t len = strlen(name);
    return len >= 1 && len <= NAME_BYTES &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == len;
}

static const char *constraint_part(Arena *arena, const ConstraintSpec *spec)
{
    static const char *const kinds[] = {[CONSTRAINT_CHECK] = "check",
                                        [CONSTRAINT_FOREIGN_KEY] = "foreign-key",
                                        [CONSTRAINT_UNIQUE] = "unique",
                                        [CONSTRAINT_PRIMARY_KEY] = "primary-key",
                                        [CONSTRAINT_EXCLUDE] = "exclude"};
    if (spec->name != NULL)
        return arena_printf(arena, "add-constraint-%s", spec->name);
    Str str = STR_INIT;
    str_addf(&str, "add-%s", kinds[spec->kind]);
    for (size_t i = 0; i < spec->column_count; i++)
        str_addf(&str, "-%s", spec->columns[i] != NULL ? spec->columns[i] : "expr");
    const char *res = arena_dup(arena, str.buf);
    str_done(&str);
    return res;
}

static const char *describe_native(Arena *arena, const Operation *operation)
{
    const NativeSpec *native = operation->native;
    const ObjectName *object = native->makes.type != NULL ? &native->makes : &native->drops;
    const char *of = object->type != NULL            ? object->names[object->name_count - 1]
                     : operation->name_count > 0     ? operation->names[0].name
                     : operation->table.name != NULL ? operation->table.name
                                                     : operation->sql;
    return arena_printf(arena, "%s-%s", operation->words, of);
}

/* What the first operation does, before it is made fit for a name. */
static const char *describe(Arena *arena, const Operation *operation)
{
    const char *table = operation->table.name;
    switch (operation->kind) {
    case OPERATION_ADD_COLUMN:
        return arena_printf(arena, "%s-%s", table, operation->column);
    case OPERATION_SET_NOT_NULL:
        return arena_printf(arena, "%s-%s-set-not-null", table, operation->column);
    case OPERATION_DROP_NOT_NULL:
        return arena_printf(arena, "%s-%s-drop-not-null", table, operation->column);
    case OPERATION_SET_DEFAULT:
        return arena_printf(arena, "%s-%s-set-default", table, operation->column);
    case OPERATION_DROP_DEFAULT:
        return arena_printf(arena, "%s-%s-drop-default", table, operation->column);
    case OPERATION_ADD_CONSTRAINT:
        return arena_printf(arena, "%s-%s", table, constraint_part(arena, operation->constraint));
    case OPERATION_VALIDATE_CONSTRAINT:
        return arena_printf(arena, "%s-validate-%s", table, operation->constraint_name);
    case OPERATION_CREATE_INDEX:
        return operation->index->name != NULL
                   ? arena_printf(arena, "%s-create-index-%s", table, operation->index->name)
                   : arena_printf(arena, "%s-create-index-%s", table, operation->index->definition_sql);
    case OPERATION_DROP_INDEX:
        return arena_printf(arena, "drop-index-%s", table);
    case OPERATION_COMMENT:
        if (operation->column != NULL)
            return arena_printf(arena, "%s-%s-comment", table, operation->column);
        return operation->constraint_name != NULL
                   ? arena_printf(arena, "%s-%s-comment", table, operation->constraint_name)
                   : arena_printf(arena, "%s-comment", table);
    case OPERATION_SETTING:
        return arena_printf(arena, "%s-%s-%s", table,
                            operation->column != NULL    ? operation->column
                            : operation->trigger != NULL ? operation->trigger
                                                         : "table",
                            operation->words);
    case OPERATION_RENAME:
        return arena_printf(arena, "%s-%s-rename-to-%s", table,
                            operation->on_index ? "index" : operation->constraint_name, operation->new_name);
    case OPERATION_CHANGE_TYPE:
        return arena_printf(arena, "%s-%s-type-%s", table, operation->column, operation->type_sql);
    case OPERATION_RENAME_COLUMN:
        return arena_printf(arena, "%s-%s-rename-to-%s", table, operation->column, operation->new_name);
    case OPERATION_RENAME_TABLE:
        return arena_printf(arena, "%s-rename-to-%s", table, operation->new_name);
    case OPERATION_SET_SCHEMA:
        return arena_printf(arena, "%s-to-schema-%s", table, operation->new_name);
    case OPERATION_DROP_COLUMN:
        return arena_printf(arena, "%s-drop-%s", table, operation->column);
    case OPERATION_DROP_CONSTRAINT:
        return arena_printf(arena, "%s-drop-constraint-%s", table, operation->constraint_name);
    case OPERATION_ATTACH_PARTITION:
        return arena_printf(arena, "%s-attach-%s", table, operation->partition->name.name);
    case OPERATION_DETACH_PARTITION:
        return arena_printf(arena, "%s-detach-%s", table, operation->partition->name.name);
    case OPERATION_CREATE_PARTITION:
        return arena_printf(arena, "%s-create-%s", table, operation->partition->name.name);
    case OPERATION_DROP_TABLE:
        return arena_printf(arena, "drop-table-%s", table);
    case OPERATION_NATIVE:
        return describe_native(arena, operation);
    case OPERATION_MY:
        return operation->words;
    case OPERATION_COUNT:
        break;
    }
    return "change";
}

/* Lower case, words separated by single hyphens. What does not fit, or lost letters, ends in eight digits of
 * the description's digest, so that different descriptions keep different names. */
static const char *make_name(Arena *arena, const Operation *operation)
{
    const char *description = describe(arena, operation);
    Str str = STR_INIT;
    bool gap = false, lost = false;
    for (const char *at = description; *at != '\0'; at++) {
        char c = *at;
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        lost = lost || (unsigned char)c >= 0x80;
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))) {
            gap = true;
            continue;
        }
        if (gap)
            str_sep(&str, "-");
        gap = false;
        str_addn(&str, &c, 1);
    }
    const char *res = arena_dupn(arena, str.buf, str.len);
    if (lost || str.len == 0 || str.len > DEFAULT_NAME_BYTES) {
        const char *digest = digest_text(arena, description, strlen(description)) + strlen("sha256:");
        int keep = DEFAULT_NAME_BYTES - 9;
        while (keep > 0 && ((size_t)keep > str.len || str.buf[keep - 1] == '-'))
            keep--;
        res = arena_printf(arena, "%.*s%s%.8s", keep, res, keep > 0 ? "-" : "change-", digest);
    }
    str_done(&str);
    return res;
}

static void read_name(Parser *parser, const ChangeInput *input, Change *change)
{
    const char *name = input->name != NULL ? input->name : parser->name;
    if (name != NULL && !name_is_good(name))
        parser_problem(parser, ERR_USAGE, NOWHERE,
                       "a name has 1 to 100 letters, digits, dots, hyphens and underscores",
                       "the name \"%s\" is not possible", name);
    change->name_made = name == NULL;
    if (name == NULL)
        name = parser->operations.len > 0 ? make_name(parser->arena, &parser->operations.items[0]) : "";
    change->name = arena_dup(parser->arena, name);
    const char *owner = input->owner != NULL ? input->owner : parser->owner;
    if (owner != NULL && strlen(owner) > OWNER_BYTES)
        parser_problem(parser, ERR_USAGE, NOWHERE, NULL, "the owner is longer than %d bytes", OWNER_BYTES);
    change->owner = arena_dup(parser->arena, owner == NULL ? "" : owner);
}

/* A day of the calendar that everybody writes alike, so that two of them compare as texts. */
static bool is_day(const char *text)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    for (size_t i = 0; i < 10; i++)
        if (i == 4 || i == 7 ? text[i] != '-' : text[i] < '0' || text[i] > '9')
            return false;
    int year = (int)strtol(text, NULL, 10), month = (int)strtol(text + 5, NULL, 10);
    int day = (int)strtol(text + 8, NULL, 10);
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return text[10] == '\0' && month >= 1 && month <= 12 && day >= 1 &&
           day <= days[month - 1] + (month == 2 && leap ? 1 : 0);
}

/* One of a contract's words: from the command line, else from the text. */
static const char *read_word(Parser *parser, const char *what, const char *given, const char *noted)
{
    const char *text = given != NULL ? given : noted;
    if (text != NULL && strlen(text) > CONTRACT_BYTES)
        parser_problem(parser, ERR_USAGE, NOWHERE, NULL, "the %s is longer than %d bytes", what,
                       CONTRACT_BYTES);
    else if (text != NULL && (strchr(text, ']') != NULL || strchr(text, '[') != NULL ||
                              strchr(text, ';') != NULL || strchr(text, '\n') != NULL))
        parser_problem(parser, ERR_USAGE, NOWHERE, "it stands in the column's comment between brackets",
                       "the %s has a bracket, a semicolon or a line end in it", what);
    return text == NULL ? NULL : arena_dup(parser->arena, text);
}

static void read_contract(Parser *parser, const ChangeInput *input, Change *change)
{
    Contract *contract = &change->contract;
    contract->purpose = read_word(parser, "purpose", input->contract.purpose, parser->contract.purpose);
    contract->flag = read_word(parser, "flag", input->contract.flag, parser->contract.flag);
    contract->expires = read_word(parser, "expiry", input->contract.expires, parser->contract.expires);
    if (contract->expires != NULL && !is_day(contract->expires))
        parser_problem(parser, ERR_USAGE, NOWHERE, "write a day: expires 2027-06-30",
                       "\"%s\" is no day on which a contract could expire", contract->expires);
}

/* ---- digest --------------------------------------------------------------------------------- */

static void digest_part(Str *str, const char *kind, const char *text)
{
    str_addf(str, "%s %zu\n%s\n", kind, strlen(text), text);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, because their order means nothing. */
static void digest_clauses(Str *str, Arena *arena, const char *word, const BackfillSpec *specs, size_t count)
{
    const char **texts = arena_alloc(arena, (count + 1) * sizeof *texts);
    for (size_t i = 0; i < count; i++)
        texts[i] =
            arena_printf(arena, "%s.%s = %s", sql_name(arena, specs[i].table.schema, specs[i].table.name),
                         sql_ident(arena, specs[i].column), specs[i].expr_sql);
    qsort(texts, count, sizeof *texts, compare_texts);
    for (size_t i = 0; i < count; i++)
        digest_part(str, word, texts[i]);
}

/* Operations in order, then backfills and the ways back. */
static const char *digest(const Parser *parser)
{
    Arena *arena = parser->arena;
    Str str = STR_INIT;
    str_add(&str, "stoa change 1\n");
    for (size_t i = 0; i < parser->operations.len; i++)
        digest_part(&str, "operation", parser->operations.items[i].sql);
    digest_clauses(&str, arena, "backfill", parser->backfills.items, parser->backfills.len);
    digest_clauses(&str, arena, "reverse", parser->reverses.items, parser->reverses.len);
    const char *res = digest_text(arena, str.buf, str.len);
    str_done(&str);
    return res;
}

/* ---- the whole ------------------------------------------------------------------------------------------
 */

/* Offset of the first byte that is not UTF-8, or SIZE_MAX. */
static size_t utf8_fault(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    while (*at != '\0') {
        size_t more = *at < 0x80 ? 0 : *at >= 0xF0 ? 3 : *at >= 0xE0 ? 2 : 1;
        bool bad = (*at >= 0x80 && *at < 0xC2) || *at > 0xF4 || (*at == 0xE0 && at[1] < 0xA0) ||
                   (*at == 0xED && at[1] > 0x9F) || (*at == 0xF0 && at[1] < 0x90) ||
                   (*at == 0xF4 && at[1] > 0x8F);
        for (size_t i = 1; i <= more && !bad; i++)
            bad = (at[i] & 0xC0) != 0x80;
        if (bad)
            return (size_t)(at - (const unsigned char *)text);
        at += more + 1;
    }
    return SIZE_MAX;
}

static int compare_problems(const void *a, const void *b)
{
    const Problem *x = *(const Problem *const *)a, *y = *(const Problem *const *)b;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    if (x->column != y->column)
        return x->column < y->column ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* By place in the text, those of one place as they were found. */
static const Problem *sort_problems(const Parser *parser)
{
    size_t count = parser->problems.len;
    const Problem **order = arena_alloc(parser->arena, (count + 1) * sizeof(const Problem *));
    Problem *sorted = arena_alloc(parser->arena, (count + 1) * sizeof *sorted);
    for (size_t i = 0; i < count; i++)
        order[i] = &parser->problems.items[i];
    qsort(order, count, sizeof(const Problem *), compare_problems);
    for (size_t i = 0; i < count; i++)
        sorted[i] = *order[i];
    return sorted;
}

bool parser_takes(Parser *parser)
{
    size_t bad = utf8_fault(parser->text);
    if (bad != SIZE_MAX) {
        parser_problem(parser, ERR_USAGE, bad, "save the file as UTF-8", "the text is not UTF-8");
        return false;
    }
    if (strlen(parser->text) > TEXT_BYTES_MAX) {
        parser_problem(parser, ERR_USAGE, 0, NULL, "the text is longer than %d bytes", TEXT_BYTES_MAX);
        return false;
    }
    return true;
}

static void parse_given_clauses(Parser *parser, const ChangeInput *input)
{
    for (size_t i = 0; i < input->backfill_count; i++) {
        if (utf8_fault(input->backfills[i]) != SIZE_MAX)
            parser_problem(parser, ERR_USAGE, NOWHERE, NULL, "backfill %zu is not UTF-8", i + 1);
        else
            parse_backfill(parser, input->backfills[i], NOWHERE);
    }
    for (size_t i = 0; i < input->reverse_count; i++) {
        if (utf8_fault(input->reverses[i]) != SIZE_MAX)
            parser_problem(parser, ERR_USAGE, NOWHERE, NULL, "reverse %zu is not UTF-8", i + 1);
        else
            parse_reverse(parser, input->reverses[i], NOWHERE);
    }
}

void parser_finish(Parser *parser, const ChangeInput *input, Change *ret_change)
{
    parse_given_clauses(parser, input);
    Change change = {.sql = parser->text};
    read_name(parser, input, &change);
    read_contract(parser, input, &change);
    change.operations = parser->operations.items;
    change.operation_count = parser->operations.len;
    change.backfills = parser->backfills.items;
    change.backfill_count = parser->backfills.len;
    change.reverses = parser->reverses.items;
    change.reverse_count = parser->reverses.len;
    change.problems = sort_problems(parser);
    change.problem_count = parser->problems.len;
    change.change_digest = digest(parser);
    *ret_change = change;
}
