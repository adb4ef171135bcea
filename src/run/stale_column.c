/* Columns without a value, or with one for all rows, by the server's own statistics. */
#include "run/stale.h"

enum {
    ROWS_MIN = 1000,    /* fewer say nothing */
    CHANGED_PART = 10,  /* more than a tenth of the rows written since: the statistics are old */
    OLD_S = 90 * 86400, /* and so they are after a quarter of a year */
};

static Confidence confidence_of(const json_t *row, bool nothing)
{
    int64_t rows = stale_int(row, "table_rows"), sampled = stale_int(row, "sampled_rows");
    bool age_known = stale_has(row, "analyzed_age_s");
    bool whole = sampled >= rows;
    Confidence confidence = nothing && whole   ? CONFIDENCE_HIGH
                            : nothing || whole ? CONFIDENCE_MEDIUM
                                               : CONFIDENCE_LOW;
    if (!age_known || stale_int(row, "analyzed_age_s") > OLD_S ||
        stale_int(row, "changed_rows") > rows / CHANGED_PART)
        confidence = confidence_lower(confidence);
    return confidence;
}

static void add_column(Stale *stale, const json_t *row)
{
    Arena *arena = stale->arena;
    bool nothing = stale_double(row, "null_frac") >= 1;
    const char *schema = stale_text(row, "schema"), *table = stale_text(row, "table"),
               *column = stale_text(row, "column");
    int64_t rows = stale_int(row, "table_rows"), sampled = stale_int(row, "sampled_rows");
    const char *age = stale_has(row, "analyzed_age_s")
                          ? arena_printf(arena, "%s ago", stale_age(arena, stale_int(row, "analyzed_age_s")))
                          : "at a time that is not known";
    const char *changed = stale_has(row, "changed_rows")
                              ? arena_printf(arena, ", %s rows written since",
                                             stale_count(arena, stale_int(row, "changed_rows")))
                              : "";
    const char *evidence = arena_printf(
        arena, "%s in %s%s of %s rows, by statistics gathered %s%s%s",
        nothing ? "NULL" : "one and the same value", sampled >= rows ? "all" : "every one of a sample",
        sampled >= rows ? "" : arena_printf(arena, " of %s", stale_count(arena, sampled)),
        stale_count(arena, rows), age, changed,
        nothing ? "" : "; a rare value may have been missed, or is yet to come");
    stale_add(stale, &(StaleFinding){.kind = nothing ? "null-column" : "constant-column",
                                     .object = arena_printf(arena, "%s.%s.%s", schema, table, column),
                                     .schema = schema,
                                     .table = table,
                                     .name = column,
                                     .confidence = confidence_of(row, nothing),
                                     .bytes = -1,
                                     .evidence = evidence,
                                     .todo = arena_printf(arena, "stoa retire %s.%s",
                                                          stale->quote(arena, schema, table),
                                                          stale->quote(arena, NULL, column))});
}

void stale_statistics(Stale *stale)
{
    size_t i = 0;
    const json_t *row = NULL;
    json_array_foreach(stale->facts[STALE_STATISTICS], i, row)
    {
        bool live = stale_is_live(stale, stale_text(row, "schema"), stale_text(row, "table"));
        const char *object = arena_printf(stale->arena, "%s.%s.%s", stale_text(row, "schema"),
                                          stale_text(row, "table"), stale_text(row, "column"));
        if (!live && stale_int(row, "table_rows") >= ROWS_MIN && !stale_is_left(stale, object))
            add_column(stale, row);
    }
}
