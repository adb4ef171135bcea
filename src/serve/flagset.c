/* Which change a flag speaks of, and under which names it is found. */
#include "serve/flagset.h"

#include "serve/flag_facts.h"

#include <stdlib.h>
#include <string.h>

/* A shorter name. Two flags with the same one: neither is found by it. */
typedef struct Alias {
    const char *plain;
    size_t at;
} Alias;

struct FlagSet {
    Arena *arena;
    VEC(Flag) flags;
    VEC(Alias) aliases;
    VEC(const json_t *) changes; /* of each flag; NULL */
    json_t *index;               /* of keys in full */
    json_t *kept[3];             /* what flags point into: changes, said, promised */
    FlagSource source;
    FlagDoc bulk, flagd;
    bool split;
};

/* One column of one change. */
typedef struct Place {
    const char *schema, *table, *column, *is;
    const json_t *change;
    const char *name; /* of the change */
    FlagFacts facts;
} Place;

static const char *const kinds[FLAG_KIND_COUNT] = {
    [FLAG_WRITE] = "write", [FLAG_READ] = "read", [FLAG_STAGE] = "stage", [FLAG_DROP_READY] = "drop_ready"};

const char *flag_kind_name(FlagKind kind) { return kinds[kind]; }

static const char *text_of(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text == NULL ? "" : text;
}

/* ---- making flags --------------------------------------------------------------------------- */

static bool is_on(const Place *place, FlagKind kind)
{
    switch (kind) {
    case FLAG_WRITE:
        return place->facts.expanded;
    case FLAG_READ:
        return place->facts.ready;
    case FLAG_STAGE:
        return !str_eq(flag_stage(&place->facts), "off");
    case FLAG_DROP_READY:
        return str_eq(place->is, "dropped") && place->facts.evidence;
    case FLAG_KIND_COUNT:
        break;
    }
    return false;
}

static const char *full_key(Arena *arena, const Place *place, FlagKind kind, bool with_change)
{
    const char *at = with_change ? arena_printf(arena, "@%s", place->name) : "";
    return arena_printf(arena, "schema.%s.%s.%s.%s%s", flag_key_part(arena, place->schema),
                        flag_key_part(arena, place->table), flag_key_part(arena, place->column), kinds[kind],
                        at);
}

static Flag flag_of(FlagSet *set, const Place *place, FlagKind kind, bool with_change)
{
    const char *key = full_key(set->arena, place, kind, with_change);
    return (Flag){.key = key,
                  .plain = flag_key_plain(set->arena, key),
                  .kind = kind,
                  .change = place->name,
                  .named = with_change,
                  .on = is_on(place, kind),
                  .ended = place->facts.ended,
                  .stage = flag_stage(&place->facts),
                  .share = FLAG_SHARE_ALL};
}

/* flags.len: there is none. */
static size_t find_key(const FlagSet *set, const char *key)
{
    const json_t *at = json_object_get(set->index, key);
    return at == NULL ? set->flags.len : (size_t)json_integer_value(at);
}

static void push(FlagSet *set, const Flag *flag, const json_t *change)
{
    json_object_set_new(set->index, flag->key, json_integer((json_int_t)set->flags.len));
    *vec_push(set->arena, &set->flags) = *flag;
    *vec_push(set->arena, &set->changes) = change;
}

/* The key in full belongs to the first change of a column that lives; later ones have theirs with "@CHANGE",
 * so that what was true for one shape is never taken for the next one. Only drop_ready belongs to whoever
 * drops the column. */
static void claim(FlagSet *set, const Place *place, FlagKind kind)
{
    Flag flag = flag_of(set, place, kind, false);
    size_t at = find_key(set, flag.key);
    bool drops = kind == FLAG_DROP_READY && str_eq(place->is, "dropped");
    if (at == set->flags.len) {
        push(set, &flag, place->change);
    } else if (set->flags.items[at].ended || (drops && !flag.ended)) {
        set->flags.items[at] = flag;
        set->changes.items[at] = place->change;
    } else if (!flag.ended) {
        flag = flag_of(set, place, kind, true);
        push(set, &flag, place->change);
    }
}

/* The column is gone, and all that was said of it with it. */
static void end_claims(FlagSet *set, const Place *place)
{
    for (FlagKind kind = FLAG_WRITE; kind <= FLAG_STAGE; kind++) {
        size_t at = find_key(set, full_key(set->arena, place, kind, false));
        if (at == set->flags.len)
            continue;
        set->flags.items[at].on = false;
        set->flags.items[at].ended = true;
        set->flags.items[at].stage = "off";
    }
}

static void add_change(FlagSet *set, const json_t *change)
{
    Place place = {.change = change, .name = text_of(change, "name"), .facts = flag_facts(change)};
    size_t i = 0;
    const json_t *column = NULL;
    json_array_foreach(json_object_get(change, "columns"), i, column)
    {
        place.schema = text_of(column, "schema");
        place.table = text_of(column, "table");
        place.column = text_of(column, "column");
        place.is = text_of(column, "is");
        bool dropped = str_eq(place.is, "dropped");
        for (FlagKind kind = FLAG_WRITE; kind < FLAG_KIND_COUNT; kind++)
            if (!dropped || kind == FLAG_DROP_READY)
                claim(set, &place, kind);
        if (dropped && place.facts.completed)
            end_claims(set, &place);
    }
}

/* ---- promises, and what operators say ------------------------------------------------------- */

/* "….read", "….read@CHANGE". */
static FlagKind kind_of(Arena *arena, const char *key)
{
    const char *plain = flag_key_plain(arena, key), *last = strrchr(plain, FLAG_PART_END);
    size_t len = last == NULL ? 0 : strcspn(last + 1, "@");
    for (FlagKind kind = FLAG_WRITE; kind < FLAG_KIND_COUNT && last != NULL; kind++)
        if (strlen(kinds[kind]) == len && memcmp(kinds[kind], last + 1, len) == 0)
            return kind;
    return FLAG_WRITE;
}

/* A key of the right shape: it may come from a file. */
static bool has_parts(Arena *arena, const char *key)
{
    size_t ends = 0;
    for (const char *at = flag_key_plain(arena, key); *at != '\0'; at++)
        ends += *at == FLAG_PART_END;
    return ends >= 4;
}

static void add_ghost(FlagSet *set, const char *key, const char *change)
{
    Flag ghost = {.key = arena_dup(set->arena, key),
                  .plain = flag_key_plain(set->arena, key),
                  .kind = kind_of(set->arena, key),
                  .change = change,
                  .stage = "off",
                  .share = FLAG_SHARE_ALL,
                  .unproved = "the journal knows nothing of this flag any more, and it was true"};
    if (has_parts(set->arena, key))
        push(set, &ghost, NULL);
}

/* What was true and is neither true nor ended is not proved any more. */
static void hold_to_promises(FlagSet *set)
{
    const char *key = NULL;
    json_t *promise = NULL;
    json_object_foreach(set->kept[2], key, promise)
    {
        const char *change = json_string_value(promise);
        size_t at = find_key(set, key);
        Flag *flag = at < set->flags.len ? &set->flags.items[at] : NULL;
        if (change == NULL)
            continue;
        if (flag == NULL)
            add_ghost(set, key, change);
        else if (!flag->on && !flag->ended && str_eq(flag->change, change))
            flag->unproved = "it was true, and the journal does not say so any more";
    }
}

static void obey(Flag *flag, const json_t *said)
{
    const char *set = text_of(said, "set");
    int share = flag_share_read(set);
    flag->said = said;
    flag->off = str_eq(set, "off");
    flag->share = share >= 0 && flag->kind != FLAG_STAGE ? share : FLAG_SHARE_ALL;
}

static void finish_flags(FlagSet *set)
{
    FlagMaker maker = {.arena = set->arena, .source = &set->source};
    size_t i = 0;
    const json_t *said = NULL;
    json_array_foreach(set->kept[1], i, said)
    {
        size_t at = find_key(set, text_of(said, "flag"));
        if (at < set->flags.len)
            obey(&set->flags.items[at], said);
    }
    for (i = 0; i < set->flags.len; i++) {
        Flag *flag = &set->flags.items[i];
        if (set->source.unproved != NULL)
            flag->unproved = set->source.unproved;
        if (set->source.counts != NULL)
            flag->counted = flag_counts_of(set->source.counts, flag->key);
        flag_prepare(&maker, flag, set->changes.items[i]);
        set->split = set->split || flag->in.reason == FLAG_SPLIT;
    }
}

/* ---- names ---------------------------------------------------------------------------------- */

/* Every end of "database.schema.table.column.kind" from the table on, each with and without "schema." before
 * it, and with and without the change's name. */
static void add_aliases(FlagSet *set, size_t at)
{
    const Flag *flag = &set->flags.items[at];
    const char end[] = {FLAG_PART_END, '\0'};
    const char *name = strchr(flag->plain, FLAG_PART_END) + 1, *table = strchr(name, FLAG_PART_END);
    const char *change = flag_key_plain(set->arena, arena_printf(set->arena, "@%s", flag->change));
    const char *starts[] = {table == NULL ? name : table + 1, name,
                            arena_printf(set->arena, "%s%s%s", set->source.database, end, name)};
    for (size_t i = 0; i < ARRAY_LEN(starts); i++)
        for (int with = 0; with < 4; with++) {
            bool named = (with & 1) != 0;
            if (named && flag->named)
                continue;
            bool worded = (with & 2) != 0;
            const char *plain = arena_printf(set->arena, "%s%s%s%s", worded ? "schema" : "",
                                             worded ? end : "", starts[i], named ? change : "");
            *vec_push(set->arena, &set->aliases) = (Alias){.plain = plain, .at = at};
        }
}

static int by_plain(const void *a, const void *b)
{
    return strcmp(((const Alias *)a)->plain, ((const Alias *)b)->plain);
}

static const Alias *first_alias(const FlagSet *set, const char *plain)
{
    size_t low = 0, high = set->aliases.len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(set->aliases.items[middle].plain, plain) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < set->aliases.len && str_eq(set->aliases.items[low].plain, plain);
    return found ? &set->aliases.items[low] : NULL;
}

const Flag *flagset_find(const FlagSet *set, Arena *arena, const char *key, const char **ret_why)
{
    const char *plain = flag_key_plain(arena, key);
    const Alias *found = first_alias(set, plain), *end = set->aliases.items + set->aliases.len;
    const Flag *flag = NULL, *other = NULL;
    for (const Alias *at = found; at != NULL && at < end && str_eq(at->plain, plain); at++) {
        const Flag *each = &set->flags.items[at->at];
        if (str_eq(each->plain, plain))
            return each;
        other = flag != NULL && each != flag ? each : other;
        flag = flag == NULL ? each : flag;
    }
    if (flag == NULL)
        *ret_why = "no change that the journal knows of has this flag";
    else if (other != NULL)
        *ret_why = arena_printf(arena, "%s and %s are meant by it: use one in full", flag->key, other->key);
    return other == NULL ? flag : NULL;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void make_docs(FlagSet *set)
{
    CLEANUP(str_donep) Str bulk = STR_INIT;
    CLEANUP(str_donep) Str flagd = STR_INIT;
    flag_bulk_text(&set->source, set->flags.items, set->flags.len, NULL, 0, &bulk);
    set->bulk = flag_doc(set->arena, &bulk);
    flag_flagd_text(&set->source, set->flags.items, set->flags.len, &flagd);
    set->flagd = flag_doc(set->arena, &flagd);
}

static json_t *keep(const json_t *json) { return json_incref((json_t *)(uintptr_t)json); }

static void keep_source(FlagSet *set, const FlagSource *source)
{
    Arena *arena = set->arena;
    set->kept[0] = keep(source->changes);
    set->kept[1] = keep(source->said);
    set->kept[2] = json_deep_copy(source->promised);
    set->source = (FlagSource){
        .database = arena_dup(arena, source->database),
        .system = arena_dup(arena, source->system),
        .environment = source->environment == NULL ? NULL : arena_dup(arena, source->environment),
        .unproved = source->unproved == NULL ? NULL : arena_dup(arena, source->unproved),
        .counts = source->counts};
}

FlagSet *flagset_make(const FlagSource *source)
{
    FlagSet *set = mem_zero(sizeof *set);
    set->arena = arena_new();
    set->index = json_object();
    keep_source(set, source);
    size_t i = 0;
    const json_t *change = NULL;
    json_array_foreach(set->kept[0], i, change) add_change(set, change);
    hold_to_promises(set);
    finish_flags(set);
    for (i = 0; i < set->flags.len; i++)
        add_aliases(set, i);
    if (set->aliases.len > 0)
        qsort(set->aliases.items, set->aliases.len, sizeof *set->aliases.items, by_plain);
    make_docs(set);
    return set;
}

void flagset_free(FlagSet *set)
{
    if (set == NULL)
        return;
    for (size_t i = 0; i < ARRAY_LEN(set->kept); i++)
        json_decref(set->kept[i]);
    json_decref(set->index);
    arena_free(set->arena);
    free(set);
}

size_t flagset_count(const FlagSet *set) { return set->flags.len; }

const Flag *flagset_at(const FlagSet *set, size_t at) { return &set->flags.items[at]; }

FlagDoc flagset_bulk(const FlagSet *set, bool *ret_split)
{
    *ret_split = set->split;
    return set->bulk;
}

FlagDoc flagset_bulk_for(const FlagSet *set, Arena *arena, const char *target, size_t target_len)
{
    CLEANUP(str_donep) Str text = STR_INIT;
    flag_bulk_text(&set->source, set->flags.items, set->flags.len, target, target_len, &text);
    return flag_doc(arena, &text);
}

FlagDoc flagset_flagd(const FlagSet *set) { return set->flagd; }

json_t *flagset_told(const FlagSet *set)
{
    json_t *list = json_array();
    for (size_t i = 0; i < set->flags.len; i++) {
        const Flag *flag = &set->flags.items[i];
        bool on = flag->in.on;
        json_t *value = flag->unproved != NULL     ? json_null()
                        : flag->kind == FLAG_STAGE ? json_string(on ? flag->stage : "off")
                                                   : json_boolean(on);
        json_t *said = flag->said == NULL ? json_null() : keep(flag->said);
        json_array_append_new(list, json_pack("{s:s, s:o, s:s, s:s, s:b, s:f, s:o, s:s?}", "key", flag->key,
                                              "value", value, "kind", kinds[flag->kind], "change",
                                              flag->change, "off", flag->off, "share",
                                              (double)flag->share / (FLAG_SHARE_ALL / 100), "said", said,
                                              "error", flag->unproved));
    }
    return list;
}
