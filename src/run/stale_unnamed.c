/* Columns that no statement names, with how much of all statements was seen. */
#include "run/stale.h"
#include "run/stale_named.h"

#include "base/str.h"

/* What was seen of all that was ever asked. */
typedef struct Cover {
    const json_t *row;
    double share; /* calls seen for each transaction counted; below 0: not known */
    const char *text;
    Confidence confidence;
} Cover;

static const double share_good = 0.95, share_poor = 0.5;

static const char *const *texts_of(Arena *arena, const json_t *row, const char *member, size_t *ret_count)
{
    const json_t *list = json_object_get(row, member);
    const char **texts = arena_alloc(arena, (json_array_size(list) + 1) * sizeof *texts);
    for (size_t i = 0; i < json_array_size(list); i++)
        texts[i] = json_string_value(json_array_get(list, i));
    *ret_count = json_array_size(list);
    return texts;
}

static Named *tables_of(const Stale *stale)
{
    Named *named = named_new(stale->arena);
    size_t i = 0;
    const json_t *row = NULL;
    json_array_foreach(stale->facts[STALE_COLUMNS], i, row)
    {
        size_t columns = 0, parts = 0;
        const char *const *names = texts_of(stale->arena, row, "columns", &columns);
        const char *const *part_names = texts_of(stale->arena, row, "parts", &parts);
        named_add(named, stale_text(row, "schema"), stale_text(row, "table"), part_names, parts, names,
                  columns);
    }
    return named;
}

static void read_texts(const Stale *stale, Named *named, const MyDialect *dialect, size_t *read,
                       size_t *unread)
{
    size_t i = 0;
    const json_t *row = NULL;
    json_array_foreach(stale->facts[STALE_STATEMENTS], i, row)
    {
        CLEANUP(arena_freep) Arena *arena = arena_new();
        const char *text = stale_text(row, "text");
        if (text == NULL)
            continue;
        Words words =
            stale->dialect == DIALECT_MYSQL ? words_my(arena, dialect, text) : words_pg(arena, text);
        named_statement(named, &words, stale_int(row, "calls"));
        *read += words.whole;
        *unread += !words.whole;
    }
    json_array_foreach(stale->facts[STALE_BODIES], i, row)
    {
        CLEANUP(arena_freep) Arena *arena = arena_new();
        const char *text = stale_text(row, "text");
        if (text == NULL)
            continue;
        Words words =
            stale->dialect == DIALECT_MYSQL ? words_my(arena, dialect, text) : words_pg(arena, text);
        named_body(named, &words);
        *unread += !words.whole;
    }
}

/* Both count from a time of their own: the share is of the shorter span. */
static double share_of(const Stale *stale, const json_t *coverage)
{
    const json_t *server = stale_server(stale);
    double calls = stale_double(coverage, "calls"), transactions = stale_double(server, "transactions");
    double age_s = stale_double(coverage, "age_s"), all_s = stale_double(server, "statistics_age_s");
    if (transactions <= 0)
        return -1;
    if (stale_has(coverage, "age_s") && all_s > age_s && age_s > 0)
        transactions *= age_s / all_s;
    double share = calls / transactions;
    return share > 1 ? 1 : share;
}

static Cover cover(const Stale *stale, size_t unread)
{
    Arena *arena = stale->arena;
    const json_t *row = json_array_get(stale->facts[STALE_COVERAGE], 0);
    Cover cover = {.row = row, .share = share_of(stale, row), .confidence = CONFIDENCE_LOW};
    CLEANUP(str_donep) Str text = STR_INIT;
    str_addf(&text, "%s calls of %s statements seen", stale_count(arena, stale_int(row, "calls")),
             stale_count(arena, stale_int(row, "statements")));
    if (cover.share >= 0)
        str_addf(&text, " for %s transactions counted (%.0f%% covered)",
                 stale_count(arena, stale_int(stale_server(stale), "transactions")), cover.share * 100);
    if (stale_has(row, "age_s")) {
        str_addf(&text, " in %s", stale_age(arena, stale_int(row, "age_s")));
        cover.confidence = stale_by_age(stale_int(row, "age_s"));
    } else {
        str_add(&text, ", since when is not known");
    }
    if (cover.share < share_good)
        cover.confidence = cover.share < share_poor ? CONFIDENCE_LOW : confidence_lower(cover.confidence);
    if (stale_has(row, "evicted") && stale_int(row, "evicted") > 0) {
        str_addf(&text, "; statements were thrown out %s times",
                 stale_count(arena, stale_int(row, "evicted")));
        cover.confidence = CONFIDENCE_LOW;
    } else if (!stale_has(row, "evicted")) {
        cover.confidence = confidence_lower(cover.confidence); /* it does not tell */
    }
    if (unread > 0) {
        str_addf(&text, "; %zu could not be read to their end", unread);
        cover.confidence = confidence_lower(cover.confidence);
    }
    if (!stale->statements_elsewhere && stale_int(stale_server(stale), "standbys") > 0) {
        str_add(&text, "; statements on standbys were not seen");
        cover.confidence = CONFIDENCE_LOW;
    }
    cover.text = arena_dup(arena, text.buf);
    return cover;
}

static void add_unnamed(Stale *stale, const NamedTable *table, const char *column, const Cover *cover,
                        bool alone)
{
    Arena *arena = stale->arena;
    const char *evidence =
        arena_printf(arena,
                     "none of the %zu statements on %s (%s calls) names it, and none has a star or leaves "
                     "its columns out; "
                     "nothing in the catalog and no function does either; %s%s",
                     table->statements, table->name, stale_count(arena, table->calls), cover->text,
                     alone ? "" : "; no column of the table is named at all, so much may have gone unseen");
    stale_add(stale,
              &(StaleFinding){.kind = "unnamed-column",
                              .object = arena_printf(arena, "%s.%s.%s", table->schema, table->name, column),
                              .schema = table->schema,
                              .table = table->name,
                              .name = column,
                              .confidence = alone ? cover->confidence : CONFIDENCE_LOW,
                              .bytes = -1,
                              .evidence = evidence,
                              .todo = arena_printf(arena, "stoa retire %s.%s",
                                                   stale->quote(arena, table->schema, table->name),
                                                   stale->quote(arena, NULL, column))});
}

void stale_unnamed(Stale *stale, const MyDialect *dialect, size_t *ret_read, size_t *ret_unread)
{
    if (stale->facts[STALE_STATEMENTS] == NULL || stale->facts[STALE_COLUMNS] == NULL ||
        stale->facts[STALE_BODIES] == NULL)
        return;
    Named *named = tables_of(stale);
    read_texts(stale, named, dialect, ret_read, ret_unread);
    Cover seen = cover(stale, *ret_unread);
    for (size_t i = 0; i < named_count(named); i++) {
        const NamedTable *table = named_at(named, i);
        size_t named_columns = 0;
        for (size_t j = 0; j < table->column_count; j++)
            named_columns += table->columns[j].named;
        if (table->calls == 0 || stale_is_live(stale, table->schema, table->name))
            continue;
        for (size_t j = 0; j < table->column_count; j++)
            if (!table->columns[j].named &&
                !stale_is_left(stale, arena_printf(stale->arena, "%s.%s.%s", table->schema, table->name,
                                                   table->columns[j].name)))
                add_unnamed(stale, table, table->columns[j].name, &seen, named_columns > 0);
    }
}
