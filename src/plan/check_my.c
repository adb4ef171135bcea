/* Rows that would not fit the new definition, found before anything is done: whole queries over the source
 * that return the keys of a few of them. */
#include "plan/maker_my.h"

#include <stdlib.h>
#include <string.h>

enum { SHOWN_ROWS = 5 };

typedef struct Checking {
    MakerMy *maker;
    const WorkMy *work;
    const AskedMy *asked;
    ColumnMapMy map;
    Phase phase;              /* of the statement */
    const char *table, *keys; /* quoted; the columns that name a row */
} Checking;

/* Before anything is done; of a column that an earlier statement of the change makes, right before this one.
 */
static Phase phase_of(const Checking *checking, const char *column)
{
    return column_my(checking->work->table, column) != NULL ? PHASE_PREPARE : checking->phase;
}

static void put(const Checking *checking, const char *column, const char *label, const char *predicate,
                const char *hint)
{
    Arena *arena = checking->maker->arena;
    Check check = {.label = label,
                   .query = arena_printf(arena, "SELECT %s FROM %s WHERE %s LIMIT %d", checking->keys,
                                         checking->table, predicate, SHOWN_ROWS),
                   .hint = hint};
    maker_check_my(checking->maker, phase_of(checking, column),
                   (Name){.name = checking->work->operations[0]->table.name}, checking->work->table, &check);
}

/* ---- single values -------------------------------------------------------------------------- */

static bool is_type(const MyColumn *column, const char *const *types, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(column->data_type, types[i]))
            return true;
    return false;
}

typedef struct IntegerRange {
    const char *type, *low, *high, *unsigned_high;
} IntegerRange;
static const IntegerRange integers[] = {
    {"tinyint", "-128", "127", "255"},
    {"smallint", "-32768", "32767", "65535"},
    {"mediumint", "-8388608", "8388607", "16777215"},
    {"int", "-2147483648", "2147483647", "4294967295"},
    {"bigint", "-9223372036854775808", "9223372036854775807", "18446744073709551615"},
};

static const IntegerRange *integer_of(const MyColumn *column)
{
    for (size_t i = 0; i < ARRAY_LEN(integers); i++)
        if (str_eq(column->data_type, integers[i].type))
            return &integers[i];
    return NULL;
}

static bool is_unsigned(const MyColumn *column) { return strstr(column->type, "unsigned") != NULL; }

static bool is_number(const MyColumn *column)
{
    static const char *const types[] = {"decimal", "float", "double"};
    return integer_of(column) != NULL || is_type(column, types, ARRAY_LEN(types));
}

static bool is_text(const MyColumn *column)
{
    static const char *const types[] = {"char", "varchar", "tinytext", "text", "mediumtext", "longtext"};
    return is_type(column, types, ARRAY_LEN(types));
}

static bool is_binary(const MyColumn *column)
{
    static const char *const types[] = {"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"};
    return is_type(column, types, ARRAY_LEN(types));
}

static const char *integer_fault(Arena *arena, const char *name, const MyColumn *from, const MyColumn *to)
{
    const IntegerRange *target = integer_of(to), *source = integer_of(from);
    if (target == NULL || !is_number(from))
        return NULL;
    bool wider = source != NULL && source <= target && is_unsigned(from) == is_unsigned(to);
    bool wider_signed = source != NULL && source < target && is_unsigned(from) && !is_unsigned(to);
    if (wider || wider_signed)
        return NULL;
    const char *low = is_unsigned(to) ? "0" : target->low;
    const char *high = is_unsigned(to) ? target->unsigned_high : target->high;
    const char *part = source == NULL ? arena_printf(arena, " OR %s <> ROUND(%s)", name, name) : "";
    return arena_printf(arena, "%s < %s OR %s > %s%s", name, low, name, high, part);
}

/* What a DOUBLE or FLOAT surely holds: integers up to 2^53 and 2^24, and else as many digits as come back
 * from it. A few values more would fit; they are named all the same. */
static const char *float_fault(Arena *arena, const char *name, const MyColumn *from, const MyColumn *to)
{
    bool single = str_eq(to->data_type, "float"), integer = integer_of(from) != NULL;
    bool decimal = str_eq(from->data_type, "decimal"), real = !integer && !decimal;
    CLEANUP(str_donep) Str out = STR_INIT;
    if ((!single && !str_eq(to->data_type, "double")) || !is_number(from))
        return NULL;
    if (is_unsigned(to) && !is_unsigned(from))
        str_addf(&out, "%s < 0", name);
    bool small = str_eq(from->data_type, "tinyint") || str_eq(from->data_type, "smallint") ||
                 str_eq(from->data_type, "mediumint") || (!single && str_eq(from->data_type, "int"));
    if (integer && !small) {
        str_sep(&out, " OR ");
        str_addf(&out,
                 single ? "%s NOT BETWEEN -16777216 AND 16777216"
                        : "%s NOT BETWEEN -9007199254740992 AND 9007199254740992",
                 name);
    }
    if (decimal && !single && from->precision > 15) {
        str_sep(&out, " OR ");
        str_addf(&out, "CAST(%s + 0e0 AS DECIMAL(%d,%d)) <> %s", name, from->precision, from->scale, name);
    }
    if (single && ((decimal && from->precision > 6) || (real && !str_eq(from->data_type, "float")))) {
        str_sep(&out, " OR ");
        str_addf(&out,
                 "(%s <> 0 AND ROUND(%s, 5 - FLOOR(LOG10(ABS(%s)))) <> %s AND NOT (%s = ROUND(%s) AND "
                 "ABS(%s) <= 16777216)) OR ABS(%s) > 3.4028234e38",
                 name, name, name, name, name, name, name, name);
    }
    if (to->scale >= 0 && (real || from->scale > to->scale)) {
        str_sep(&out, " OR ");
        str_addf(&out, "ROUND(%s, %d) <> %s", name, to->scale, name);
    }
    return out.len == 0 ? NULL : arena_dup(arena, out.buf);
}

/* Texts that a number or a time is read from, although not all of them is kept: digits behind the last one
 * that the type has are rounded without a word, and what stands behind a date is cut off. */
static const char *text_fault(Arena *arena, const char *name, const MyColumn *from, const MyColumn *to)
{
    bool stamp = str_eq(to->data_type, "datetime") || str_eq(to->data_type, "timestamp");
    if (!is_text(from))
        return NULL;
    if (integer_of(to) != NULL || str_eq(to->data_type, "year"))
        return arena_printf(arena, "NOT (%s REGEXP '^ *[-+]?[0-9]+ *$')", name);
    if (str_eq(to->data_type, "decimal"))
        return arena_printf(arena, "NOT (%s REGEXP '^ *[-+]?[0-9]*([.][0-9]{0,%d}0*)? *$')", name, to->scale);
    if (str_eq(to->data_type, "date"))
        return arena_printf(arena, "CAST(%s AS DATETIME(6)) <> CAST(%s AS DATE)", name, name);
    if (!stamp && !str_eq(to->data_type, "time"))
        return NULL;
    const char *zone = stamp ? arena_printf(arena, " OR %s REGEXP '[-+][0-9]{1,2}:[0-9]{2} *$'", name) : "";
    return arena_printf(arena, "%s REGEXP '[.][0-9]{%d}0*[1-9]'%s", name, to->fraction < 0 ? 0 : to->fraction,
                        zone);
}

static const char *decimal_fault(Arena *arena, const char *name, const MyColumn *from, const MyColumn *to)
{
    if (!str_eq(to->data_type, "decimal") || !is_number(from))
        return NULL;
    bool wider = str_eq(from->data_type, "decimal") && from->scale <= to->scale &&
                 from->precision - from->scale <= to->precision - to->scale &&
                 (!is_unsigned(to) || is_unsigned(from));
    if (wider)
        return NULL;
    const char *sign = is_unsigned(to) && !is_unsigned(from) ? arena_printf(arena, " OR %s < 0", name) : "";
    return arena_printf(arena, "%s <> CAST(%s AS DECIMAL(%d,%d))%s", name, name, to->precision, to->scale,
                        sign);
}

static const char *length_fault(Arena *arena, const char *name, const MyColumn *from, const MyColumn *to)
{
    bool text = is_text(from) && is_text(to), binary = is_binary(from) && is_binary(to);
    const char *charset = text ? to->charset : NULL;
    if ((!text && !binary) || to->characters < 0 || to->bytes < 0)
        return NULL;
    bool whole = strstr(to->data_type, "text") != NULL || strstr(to->data_type, "blob") != NULL;
    if (whole && to->bytes < from->bytes)
        return charset == NULL ? arena_printf(arena, "LENGTH(%s) > %lld", name, (long long)to->bytes)
                               : arena_printf(arena, "LENGTH(CONVERT(%s USING %s)) > %lld", name, charset,
                                              (long long)to->bytes);
    if (!whole && to->characters < from->characters)
        return arena_printf(arena, "CHAR_LENGTH(%s) > %lld", name, (long long)to->characters);
    return NULL;
}

/* What does not come back from the other character set is lost there. */
static const char *charset_fault(Arena *arena, const char *name, const MyColumn *from, const MyColumn *to)
{
    bool both = from->charset != NULL && to->charset != NULL && !str_eq(from->charset, to->charset);
    bool wider =
        str_eq(to->charset, "utf8mb4") || str_eq(to->charset, "utf16") || str_eq(to->charset, "utf32") ||
        str_eq(from->charset, "ascii") ||
        (from->charset != NULL && strncmp(from->charset, "utf8", 4) == 0 && str_eq(to->charset, "utf8mb4"));
    if (!both || wider || str_eq(from->charset, "binary") || str_eq(to->charset, "binary"))
        return NULL;
    return arena_printf(arena,
                        "NOT (CAST(CONVERT(CONVERT(%s USING %s) USING %s) AS BINARY) <=> CAST(%s AS BINARY))",
                        name, to->charset, from->charset, name);
}

/* The members of "enum('a','b')", as they are written there. */
static const char *members(const MyColumn *column)
{
    const char *open = strchr(column->type, '(');
    return open == NULL ? "" : open + 1;
}

static const char *member_end(const char *at)
{
    for (at++; *at != '\0'; at++)
        if (*at == '\'' && at[1] != '\'')
            return at + 1;
        else if (*at == '\'')
            at++;
    return at;
}

static bool has_member(const MyColumn *column, const char *member, size_t len)
{
    for (const char *at = members(column); *at == '\'';) {
        const char *end = member_end(at);
        if ((size_t)(end - at) == len && strncmp(at, member, len) == 0)
            return true;
        at = *end == ',' ? end + 1 : end;
    }
    return false;
}

static const char *member_fault(Arena *arena, const char *name, const MyColumn *from, const MyColumn *to)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    bool is_enum = str_eq(from->data_type, "enum") && str_eq(to->data_type, "enum");
    bool is_set = str_eq(from->data_type, "set") && str_eq(to->data_type, "set");
    if (is_text(from) && str_eq(to->data_type, "enum")) /* found by its collation: 'A' would become 'a' */
        return arena_printf(arena, "CONVERT(%s USING utf8mb4) COLLATE utf8mb4_bin NOT IN (%s", name,
                            members(to));
    if (!is_enum && !is_set)
        return NULL;
    for (const char *at = members(from); *at == '\'';) {
        const char *end = member_end(at);
        int len = (int)(end - at);
        if (!has_member(to, at, (size_t)len)) {
            str_sep(&out, " OR ");
            if (is_set)
                str_addf(&out, "FIND_IN_SET(%.*s, %s) > 0", len, at, name);
            else
                str_addf(&out, "%s = %.*s", name, len, at);
        }
        at = *end == ',' ? end + 1 : end;
    }
    return out.len == 0 ? NULL : arena_dup(arena, out.buf);
}

static const char *time_fault(Arena *arena, const char *name, const MyColumn *from, const MyColumn *to)
{
    static const char *const times[] = {"datetime", "timestamp", "time"};
    bool dated = str_eq(from->data_type, "datetime") || str_eq(from->data_type, "timestamp") ||
                 str_eq(from->data_type, "date");
    bool time = str_eq(from->data_type, "time");
    /* The date goes, or, of a TIME, today's comes. */
    if ((dated && (str_eq(to->data_type, "time") || str_eq(to->data_type, "year"))) ||
        (time && (str_eq(to->data_type, "date") || str_eq(to->data_type, "datetime") ||
                  str_eq(to->data_type, "timestamp") || str_eq(to->data_type, "year"))))
        return arena_printf(arena, "%s IS NOT NULL", name);
    if (!is_type(from, times, ARRAY_LEN(times)))
        return NULL;
    if (str_eq(to->data_type, "date") && str_eq(from->data_type, "timestamp")) /* the server's wall clock */
        return arena_printf(arena,
                            "TIME(COALESCE(CONVERT_TZ(%s, '+00:00', @@GLOBAL.time_zone), %s)) <> '00:00:00'",
                            name, name);
    if (str_eq(to->data_type, "date"))
        return arena_printf(arena, "%s <> CAST(%s AS DATE)", name, name);
    if (integer_of(to) != NULL && from->fraction > 0)
        return arena_printf(arena, "MICROSECOND(%s) <> 0", name);
    if (!is_type(to, times, ARRAY_LEN(times)) || to->fraction < 0 || to->fraction >= from->fraction)
        return NULL;
    int64_t unit = 1;
    for (int i = to->fraction; i < 6; i++)
        unit *= 10;
    return arena_printf(arena, "MICROSECOND(%s) %% %lld <> 0", name, (long long)unit);
}

/* Text to numbers and the like: strict mode stops the copy at the first one that does not fit. */
static bool is_other_family(const MyColumn *from, const MyColumn *to)
{
    if (is_number(from) && is_number(to))
        return false;
    if ((is_text(from) || is_number(from)) && is_text(to))
        return false;
    return !str_eq(from->data_type, to->data_type) && !(is_binary(from) && is_binary(to));
}

static void check_column(const Checking *checking, const MyColumn *from, const MyColumn *to)
{
    Arena *arena = checking->maker->arena;
    const char *name = sql_backtick(arena, from->name);
    if (to->not_null && !from->not_null)
        put(checking, from->name, arena_printf(arena, "%s is NULL, and becomes NOT NULL", from->name),
            arena_printf(arena, "%s IS NULL", name), "give these rows a value first");
    const char *faults[] = {integer_fault(arena, name, from, to), decimal_fault(arena, name, from, to),
                            length_fault(arena, name, from, to),  charset_fault(arena, name, from, to),
                            member_fault(arena, name, from, to),  time_fault(arena, name, from, to),
                            float_fault(arena, name, from, to),   text_fault(arena, name, from, to)};
    bool known = false;
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        known = known || faults[i] != NULL;
        if (faults[i] != NULL)
            put(checking, from->name, arena_printf(arena, "%s does not fit %s", from->name, to->type),
                faults[i], "change these values first, or choose a type that holds them");
    }
    if (!known && is_other_family(from, to))
        maker_risk_my(checking->maker, "conversion", NULL,
                      arena_printf(arena,
                                   "%s of %s becomes %s: a value that does not fit stops the copy, and "
                                   "nothing is lost",
                                   from->name, from->type, to->type));
}

/* ---- uniqueness ----------------------------------------------------------------------------- */

static bool is_new_unique(const Checking *checking, const MyIndex *index)
{
    const Table *before = checking->asked->before;
    for (size_t i = 0; i < before->my->index_count; i++) {
        const MyIndex *old = &before->my->indexes[i];
        bool same = old->unique && old->part_count == index->part_count;
        for (size_t k = 0; k < index->part_count && same; k++) {
            const MyIndexPart *a = &old->parts[k], *b = &index->parts[k];
            const MyColumn *source =
                b->column == NULL ? NULL : column_source_my(&checking->map, before, b->column);
            const MyColumn *target = b->column == NULL ? NULL : column_my(checking->asked->after, b->column);
            same = source != NULL && target != NULL && a->column != NULL && a->prefix == b->prefix &&
                   strcasecmp(a->column, source->name) == 0 && str_eq(source->type, target->type) &&
                   str_eq(source->collation, target->collation);
        }
        if (same)
            return false;
    }
    return index->unique;
}

/* The column as the new table would compare it; NULL where that cannot be said. */
static const char *compared(const Checking *checking, const MyIndexPart *part)
{
    Arena *arena = checking->maker->arena;
    const Table *before = checking->asked->before;
    const MyColumn *source =
        part->column == NULL ? NULL : column_source_my(&checking->map, before, part->column);
    const MyColumn *target = part->column == NULL ? NULL : column_my(checking->asked->after, part->column);
    if (source == NULL || target == NULL)
        return NULL;
    const char *expr = sql_backtick(arena, source->name);
    if (part->prefix > 0)
        expr = arena_printf(arena, "LEFT(%s, %lld)", expr, (long long)part->prefix);
    if (target->collation == NULL || str_eq(source->collation, target->collation) ||
        source->charset == NULL || str_eq(target->charset, "binary"))
        return expr;
    return arena_printf(arena, "CONVERT(%s USING %s) COLLATE %s", expr, target->charset, target->collation);
}

static void check_unique(const Checking *checking, const MyIndex *index)
{
    Arena *arena = checking->maker->arena;
    CLEANUP(str_donep) Str list = STR_INIT;
    CLEANUP(str_donep) Str given = STR_INIT;
    Phase phase = PHASE_PREPARE;
    for (size_t i = 0; i < index->part_count; i++) {
        const char *expr = compared(checking, &index->parts[i]);
        if (expr == NULL) {
            maker_risk_my(
                checking->maker, "unique", NULL,
                arena_printf(arena,
                             "whether rows are equal in the new unique index %s is seen only when it "
                             "is built",
                             index->name));
            return;
        }
        const MyColumn *source =
            column_source_my(&checking->map, checking->asked->before, index->parts[i].column);
        phase = phase == PHASE_PREPARE ? phase_of(checking, source->name) : phase;
        str_sep(&list, ", ");
        str_add(&list, expr);
        str_sep(&given, " AND ");
        str_addf(&given, "%s IS NOT NULL", sql_backtick(arena, source->name));
    }
    Check check = {.label = arena_printf(arena, "rows are equal in unique index %s", index->name),
                   .query =
                       arena_printf(arena,
                                    "SELECT %s, COUNT(*) FROM %s WHERE %s GROUP BY %s HAVING COUNT(*) > 1 "
                                    "LIMIT %d",
                                    list.buf, checking->table, given.buf, list.buf, SHOWN_ROWS),
                   .hint = "make them different, or take all but one of each away, first"};
    maker_check_my(checking->maker, phase, (Name){.name = checking->work->operations[0]->table.name},
                   checking->work->table, &check);
}

/* ---- the whole ------------------------------------------------------------------------------ */

static const char *keys_of(Arena *arena, const Table *table)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    const Index *key = table_key(table);
    for (size_t i = 0; key != NULL && i < key->column_count; i++) {
        str_sep(&out, ", ");
        str_add(&out, sql_backtick(arena, key->columns[i]));
    }
    return out.len == 0 ? "*" : arena_dup(arena, out.buf);
}

void checks_write_my(MakerMy *maker, const WorkMy *work, const AskedMy *asked, Phase phase)
{
    Arena *arena = maker->arena;
    if (work->table->kind == RELATION_MISSING || work->table->empty)
        return;
    Checking checking = {.maker = maker,
                         .work = work,
                         .asked = asked,
                         .map = column_map_my(arena, asked->my),
                         .phase = phase,
                         .table = sql_backtick(arena, work->operations[0]->table.name),
                         .keys = keys_of(arena, asked->before)};
    for (size_t i = 0; i < asked->after->my->column_count; i++) {
        const MyColumn *to = &asked->after->my->columns[i];
        const MyColumn *from = column_source_my(&checking.map, asked->before, to->name);
        if (from != NULL && to->generated == NULL)
            check_column(&checking, from, to);
    }
    for (size_t i = 0; i < asked->after->my->index_count; i++)
        if (is_new_unique(&checking, &asked->after->my->indexes[i]))
            check_unique(&checking, &asked->after->my->indexes[i]);
}
