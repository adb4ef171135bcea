/* Rewrites statements from real schemas to their stand-ins, and answers back. */
#include "engine/postgres/spaces.h"

#include "engine/postgres/lexeme.h"
#include "engine/sql.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    NAME_BYTES_MAX = 63, /* NAMEDATALEN - 1: a longer name is cut by the server */
    TEXTS_DEEP = 5,      /* texts in texts: EXECUTE in a function body, a literal in that … */
};

/* ---- the table ------------------------------------------------------------------------------ */

static int space_compare(const void *left, const void *right)
{
    return strcmp(((const Space *)left)->real, ((const Space *)right)->real);
}

static int member_compare(const void *left, const void *right)
{
    const SpaceMember *a = left, *b = right;
    int by_schema = strcmp(a->schema, b->schema);
    return by_schema != 0 ? by_schema : strcmp(a->name, b->name);
}

void spaces_name(Arena *arena, Spaces *spaces)
{
    if (spaces->count > 0)
        qsort(spaces->items, spaces->count, sizeof *spaces->items, space_compare);
    if (spaces->member_count > 0)
        qsort(spaces->members, spaces->member_count, sizeof *spaces->members, member_compare);
    for (size_t i = 0; i < spaces->count; i++)
        spaces->items[i].scratch = arena_printf(arena, "%s_%zu", spaces->base, i);
}

const Space *spaces_find(const Spaces *spaces, const char *real)
{
    Space key = {.real = real};
    return spaces->count == 0 || real == NULL
               ? NULL
               : bsearch(&key, spaces->items, spaces->count, sizeof key, space_compare);
}

static bool is_member(const Spaces *spaces, const char *schema, const char *name)
{
    SpaceMember key = {schema, name};
    return spaces->member_count > 0 &&
           bsearch(&key, spaces->members, spaces->member_count, sizeof key, member_compare) != NULL;
}

/* ---- lexemes -------------------------------------------------------------------------------- */

typedef struct Piece {
    Lexeme lexeme;
    const char *name; /* of words and quoted names; NULL */
} Piece;

typedef struct Text {
    const char *text;
    size_t len;
    VEC(Piece) pieces;
} Text;

static Text text_split(Arena *arena, const char *text, size_t len)
{
    Text split = {.text = text, .len = len};
    Lexeme lexeme;
    for (size_t at = 0; lexeme_next(text, len, at, &lexeme); at = lexeme.end) {
        bool named = lexeme.kind == LEXEME_WORD || lexeme.kind == LEXEME_QUOTED;
        *vec_push(arena, &split.pieces) = (Piece){lexeme, named ? lexeme_name(arena, text, &lexeme) : NULL};
    }
    return split;
}

static const Piece *piece_at(const Text *text, size_t at)
{
    static const Piece none = {.lexeme = {.kind = LEXEME_SIGN}};
    return at < text->pieces.len ? &text->pieces.items[at] : &none;
}

static bool is_sign(const Text *text, size_t at, char sign)
{
    const Lexeme *lexeme = &piece_at(text, at)->lexeme;
    return at < text->pieces.len && lexeme->kind == LEXEME_SIGN && text->text[lexeme->start] == sign;
}

static bool is_word(const Text *text, size_t at, const char *word)
{
    const Piece *piece = piece_at(text, at);
    return piece->lexeme.kind == LEXEME_WORD && str_eq(piece->name, word);
}

/* ---- rewriting ------------------------------------------------------------------------------ */

typedef struct Rewriter {
    const Spaces *spaces;
    Arena *arena;
    const char *why; /* the first doubt; NULL */
} Rewriter;

static void doubt(Rewriter *rewriter, int depth, const char *why)
{
    if (depth == 0 && rewriter->why == NULL)
        rewriter->why = why;
}

/* What stands behind the point: a name, or the signs of an operator. */
static const char *name_behind(Arena *arena, const Text *text, size_t at)
{
    const Piece *piece = piece_at(text, at);
    if (piece->name != NULL || piece->lexeme.kind != LEXEME_SIGN)
        return piece->name;
    size_t end = at;
    while (end < text->pieces.len && piece_at(text, end)->lexeme.kind == LEXEME_SIGN &&
           strchr("+-*/<>=~!@#%^&|`?", text->text[piece_at(text, end)->lexeme.start]) != NULL &&
           (end == at || piece_at(text, end)->lexeme.start == piece_at(text, end - 1)->lexeme.end))
        end++;
    return end == at ? NULL
                     : arena_dupn(arena, text->text + piece->lexeme.start,
                                  piece_at(text, end - 1)->lexeme.end - piece->lexeme.start);
}

/* Behind SCHEMA, IF [NOT] EXISTS between them or not; `listed`: and a comma behind such a one. */
static bool is_schema_place(const Text *text, size_t at, bool listed)
{
    if (at > 0 && is_sign(text, at - 1, ','))
        return listed;
    size_t back = at;
    if (back >= 2 && is_word(text, back - 1, "exists")) {
        back--;
        back -= is_word(text, back - 1, "not") ? 1 : 0;
        if (back < 1 || !is_word(text, back - 1, "if"))
            return false;
        back--;
    }
    return back > 0 && is_word(text, back - 1, "schema");
}

/* In the list behind search_path = or TO. */
static bool is_path_place(const Text *text, size_t at, bool listed)
{
    if (at > 0 && is_sign(text, at - 1, ','))
        return listed;
    return at >= 2 && (is_word(text, at - 1, "to") || is_sign(text, at - 1, '=')) &&
           (is_word(text, at - 2, "search_path") || str_eq(piece_at(text, at - 2)->name, "search_path"));
}

/* The stand-in for the name at `at`, NULL if it stays. */
static const char *stand_in(Rewriter *rewriter, const Text *text, size_t at, int depth, bool *listed,
                            bool *in_path)
{
    const Piece *piece = piece_at(text, at);
    const Space *space = spaces_find(rewriter->spaces, piece->name);
    bool point = is_sign(text, at + 1, '.'), behind = at > 0 && is_sign(text, at - 1, '.');
    if (point && !behind && space == NULL && is_sign(text, at + 3, '.') &&
        spaces_find(rewriter->spaces, piece_at(text, at + 2)->name) != NULL)
        doubt(rewriter, depth, "a name of three parts");
    if (point && strlen(piece->name) > NAME_BYTES_MAX)
        doubt(rewriter, depth, "a name of more than 63 bytes");
    if (space == NULL || behind)
        return NULL;
    if (point) {
        const char *name = name_behind(rewriter->arena, text, at + 2);
        bool setting = at > 0 && (is_word(text, at - 1, "local") || is_word(text, at - 1, "session") ||
                                  is_word(text, at - 1, "set"));
        bool ours = name != NULL && is_member(rewriter->spaces, space->real, name);
        return ours || (setting && str_eq(space->real, "stoa")) ? NULL : space->scratch;
    }
    *listed = is_schema_place(text, at, *listed);
    *in_path = is_path_place(text, at, *in_path);
    return *listed || *in_path ? space->scratch : NULL;
}

static char *rewrite_text(Rewriter *rewriter, const char *text, size_t len, int depth);

static char *plain_inside(Arena *arena, const char *text, const Lexeme *lexeme)
{
    size_t size = lexeme->inner_end - lexeme->inner, out = 0;
    char *plain = arena_dupn(arena, text + lexeme->inner, size);
    for (size_t i = 0; i < size; i++) {
        if (plain[i] == '\'')
            i++; /* doubled */
        plain[out++] = plain[i < size ? i : size - 1];
    }
    plain[out] = '\0';
    return plain;
}

/* Does a text that is not taken apart hold the name of a schema? */
static bool speaks_of_schema(const Rewriter *rewriter, const char *text, const Lexeme *lexeme)
{
    char *inside = arena_dupn(rewriter->arena, text + lexeme->start, lexeme->end - lexeme->start);
    for (size_t i = 0; i < rewriter->spaces->count; i++)
        if (strcasestr(inside, rewriter->spaces->items[i].real) != NULL)
            return true;
    return false;
}

/* Adds the text rewritten, as it was where there is nothing to rewrite. */
static void add_text(Rewriter *rewriter, const Text *text, size_t at, int depth, bool in_path, Str *out)
{
    const Lexeme *lexeme = &piece_at(text, at)->lexeme;
    const char *from = text->text + lexeme->start;
    size_t size = lexeme->end - lexeme->start;
    bool dollar = lexeme->kind == LEXEME_DOLLAR;
    if (lexeme->escapes && memchr(text->text + lexeme->inner, '\\', lexeme->inner_end - lexeme->inner)) {
        if (speaks_of_schema(rewriter, text->text, lexeme))
            doubt(rewriter, depth, "a text with backslashes");
        str_addn(out, from, size);
        return;
    }
    char *inside =
        dollar ? arena_dupn(rewriter->arena, text->text + lexeme->inner, lexeme->inner_end - lexeme->inner)
               : plain_inside(rewriter->arena, text->text, lexeme);
    const Space *space = in_path ? spaces_find(rewriter->spaces, inside) : NULL;
    const char *now = space != NULL        ? space->scratch
                      : depth < TEXTS_DEEP ? rewrite_text(rewriter, inside, strlen(inside), depth + 1)
                                           : inside;
    if (str_eq(now, inside)) {
        str_addn(out, from, size);
    } else if (dollar) {
        str_addn(out, from, lexeme->inner - lexeme->start);
        str_add(out, now);
        str_addn(out, text->text + lexeme->inner_end, lexeme->end - lexeme->inner_end);
    } else {
        sql_add_literal(out, now);
    }
}

/* 'a' <new line> 'b' is one text. */
static bool goes_on(const Text *text, size_t at)
{
    const Lexeme *lexeme = &piece_at(text, at)->lexeme, *next = &piece_at(text, at + 1)->lexeme;
    return at + 1 < text->pieces.len && lexeme->kind == LEXEME_STRING && next->kind == LEXEME_STRING &&
           text->text[next->start] == '\'';
}

static char *rewrite_text(Rewriter *rewriter, const char *from, size_t len, int depth)
{
    Text text = text_split(rewriter->arena, from, len);
    CLEANUP(str_donep) Str out = STR_INIT;
    size_t done = 0;
    bool listed = false, in_path = false;
    for (size_t at = 0; at < text.pieces.len; at++) {
        const Piece *piece = &text.pieces.items[at];
        const Lexeme *lexeme = &piece->lexeme;
        str_addn(&out, from + done, lexeme->start - done);
        done = lexeme->start;
        const char *other = NULL;
        if (piece->name != NULL) {
            other = stand_in(rewriter, &text, at, depth, &listed, &in_path);
        } else if (lexeme->kind == LEXEME_ODD) {
            doubt(rewriter, depth, "a text or name in a form that is not read");
        } else if (lexeme->kind == LEXEME_STRING || lexeme->kind == LEXEME_DOLLAR) {
            in_path = is_path_place(&text, at, in_path);
            if (goes_on(&text, at) && speaks_of_schema(rewriter, from, lexeme))
                doubt(rewriter, depth, "a text of several parts");
            add_text(rewriter, &text, at, depth, in_path, &out);
            done = lexeme->end;
        } else if (!is_sign(&text, at, ',')) {
            listed = in_path = false;
        }
        if (other != NULL) {
            str_add(&out, other);
            done = lexeme->end;
        }
    }
    str_addn(&out, from + done, len - done);
    return arena_dup(rewriter->arena, out.buf);
}

const char *spaces_rewrite(const Spaces *spaces, Arena *arena, const char *sql, const char **ret_why)
{
    Rewriter rewriter = {.spaces = spaces, .arena = arena};
    char *now = rewrite_text(&rewriter, sql, strlen(sql), 0);
    /* Nothing is left of the real ones: to do it again changes nothing. */
    Rewriter again = {.spaces = spaces, .arena = arena};
    if (rewriter.why == NULL && !str_eq(rewrite_text(&again, now, strlen(now), 0), now))
        rewriter.why = "names that cannot be told apart";
    *ret_why = rewriter.why;
    return now;
}

/* ---- back ----------------------------------------------------------------------------------- */

/* The stand-in at the start of the text; NULL if there is none. */
static const Space *space_at(const Spaces *spaces, const char *text, const char **ret_end)
{
    size_t base_len = strlen(spaces->base);
    if (strncmp(text, spaces->base, base_len) != 0 || text[base_len] != '_')
        return NULL;
    char *end = NULL;
    unsigned long ordinal = strtoul(text + base_len + 1, &end, 10);
    if (end == text + base_len + 1 || ordinal >= spaces->count)
        return NULL;
    *ret_end = end;
    return &spaces->items[ordinal];
}

const char *spaces_real(const Spaces *spaces, const char *scratch)
{
    const char *end = "";
    const Space *space = scratch == NULL ? NULL : space_at(spaces, scratch, &end);
    return space != NULL && *end == '\0' ? space->real : scratch;
}

const char *spaces_back(const Spaces *spaces, Arena *arena, const char *text)
{
    if (text == NULL || strstr(text, spaces->base) == NULL)
        return text;
    CLEANUP(str_donep) Str out = STR_INIT;
    const char *from = text;
    for (const char *at = strstr(from, spaces->base); at != NULL; at = strstr(at, spaces->base)) {
        const char *end = at + 1;
        const Space *space = space_at(spaces, at, &end);
        if (space != NULL) {
            str_addn(&out, from, (size_t)(at - from));
            if (at > text && at[-1] == '"')
                str_add(&out, space->real);
            else
                sql_add_ident(&out, space->real);
            from = end;
        }
        at = end;
    }
    str_add(&out, from);
    return arena_dup(arena, out.buf);
}

/* ---- words ---------------------------------------------------------------------------------- */

static void add_words(Arena *arena, const char *text, size_t len, int depth, Str *out)
{
    Text split = text_split(arena, text, len);
    for (size_t at = 0; at < split.pieces.len; at++) {
        const Piece *piece = &split.pieces.items[at];
        bool literal = piece->lexeme.kind == LEXEME_STRING || piece->lexeme.kind == LEXEME_DOLLAR;
        if (literal && depth < TEXTS_DEEP)
            add_words(arena, text + piece->lexeme.inner, piece->lexeme.inner_end - piece->lexeme.inner,
                      depth + 1, out);
        if (piece->name == NULL || strlen(piece->name) > NAME_BYTES_MAX)
            continue;
        str_sep(out, ",");
        str_add(out, "\"");
        for (const char *c = piece->name; *c != '\0'; c++)
            str_addf(out, "%s%c", *c == '"' || *c == '\\' ? "\\" : "", *c);
        str_add(out, "\"");
    }
}

const char *spaces_words(Arena *arena, const char *sql)
{
    CLEANUP(str_donep) Str out = STR_INIT;
    add_words(arena, sql, strlen(sql), 0, &out);
    return arena_printf(arena, "{%s}", out.buf);
}

/* ---- what may be tried ---------------------------------------------------------------------- */

static bool is_one_of(const char *word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(word, words[i]))
            return true;
    return false;
}

/* Objects that stand in a schema, by the word behind CREATE, ALTER, DROP or COMMENT ON. */
static const char *const bound[] = {
    "table",    "index",     "view",     "materialized", "sequence",   "type",       "domain",
    "function", "procedure", "routine",  "aggregate",    "statistics", "trigger",    "policy",
    "rule",     "collation", "operator", "text",         "column",     "constraint", "conversion",
};
/* Words between CREATE and these. */
static const char *const between[] = {"or",     "replace", "unique",    "unlogged", "recursive",
                                      "global", "local",   "temporary", "temp"};
/* Statements that say themselves what they are about. */
static const char *const plain[] = {"select", "insert", "update", "delete", "truncate", "lock",
                                    "set",    "reset",  "vacuum", "with",   "refresh"};
/* What stands behind GRANT … ON and belongs to no schema. */
static const char *const unbound[] = {"database", "tablespace", "language", "parameter", "foreign", "large"};

static bool is_kept_grant(const Text *text, size_t at, size_t end)
{
    while (at < end && !is_word(text, at, "on"))
        at++;
    return at < end && !is_one_of(piece_at(text, at + 1)->name, unbound, ARRAY_LEN(unbound));
}

/* CREATE and DROP of a schema that has a stand-in. */
static bool is_known_schema(const Spaces *spaces, const Text *text, size_t at, size_t end)
{
    while (at < end && (is_word(text, at, "if") || is_word(text, at, "not") || is_word(text, at, "exists")))
        at++;
    return at < end && spaces_find(spaces, piece_at(text, at)->name) != NULL && !is_sign(text, at + 1, ',');
}

/* One statement, [at, end). */
static bool is_tried(const Spaces *spaces, const Text *text, size_t at, size_t end)
{
    const char *head = piece_at(text, at)->name;
    if (head == NULL || piece_at(text, at)->lexeme.kind != LEXEME_WORD)
        return false;
    if (is_one_of(head, plain, ARRAY_LEN(plain)))
        return true;
    if (str_eq(head, "grant") || str_eq(head, "revoke"))
        return is_kept_grant(text, at, end);
    size_t next = at + 1;
    if (str_eq(head, "cluster") || str_eq(head, "analyze"))
        return next < end;
    if (str_eq(head, "reindex")) {
        while (next < end && !is_word(text, next, "index") && !is_word(text, next, "table"))
            next++;
        return next < end;
    }
    if (str_eq(head, "comment"))
        next++; /* ON */
    else if (!str_eq(head, "create") && !str_eq(head, "alter") && !str_eq(head, "drop"))
        return false;
    while (next < end && is_one_of(piece_at(text, next)->name, between, ARRAY_LEN(between)))
        next++;
    const char *object = next < end ? piece_at(text, next)->name : NULL;
    if (str_eq(object, "schema"))
        return !str_eq(head, "alter") && is_known_schema(spaces, text, next + 1, end);
    bool all = is_word(text, next + 1, "all") && is_word(text, next + 2, "in"); /* TABLESPACE */
    bool view_all =
        str_eq(object, "materialized") && is_word(text, next + 2, "all") && is_word(text, next + 3, "in");
    return is_one_of(object, bound, ARRAY_LEN(bound)) && !all && !view_all;
}

/* The statement's end: behind BEGIN ATOMIC, semicolons are the function's. */
static size_t statement_end(const Text *text, size_t at)
{
    bool atomic = false;
    for (; at < text->pieces.len; at++) {
        atomic = atomic || (is_word(text, at, "begin") && is_word(text, at + 1, "atomic"));
        if (is_sign(text, at, ';') && !atomic)
            break;
    }
    return at;
}

const char *spaces_refuse(const Spaces *spaces, Arena *arena, const char *sql)
{
    Text text = text_split(arena, sql, strlen(sql));
    for (size_t at = 0; at < text.pieces.len;) {
        size_t end = statement_end(&text, at);
        if (at < end && !is_tried(spaces, &text, at, end)) {
            size_t shown = at + 2 < end ? at + 2 : end;
            return arena_printf(
                arena, "\"%.*s\" is about more than a schema, and is tried in a scratch database only",
                (int)(text.pieces.items[shown - 1].lexeme.end - text.pieces.items[at].lexeme.start),
                sql + text.pieces.items[at].lexeme.start);
        }
        at = end + 1;
    }
    return NULL;
}

bool spaces_chained(Arena *arena, const char *sql)
{
    Text text = text_split(arena, sql, strlen(sql));
    bool takes = false;
    for (size_t at = 0; at < text.pieces.len; at = statement_end(&text, at) + 1) {
        if (takes && !is_sign(&text, at, ';'))
            return true;
        takes = takes || is_word(&text, at, "drop") || is_word(&text, at, "alter");
    }
    return false;
}

const char *spaces_at_once(Arena *arena, const char *sql)
{
    Text text = text_split(arena, sql, strlen(sql));
    bool builds = is_word(&text, 0, "create") && (is_word(&text, 1, "index") || is_word(&text, 2, "index"));
    for (size_t at = 0; builds && at < text.pieces.len; at++) {
        const Lexeme *lexeme = &text.pieces.items[at].lexeme;
        if (is_word(&text, at, "concurrently"))
            return arena_printf(arena, "%.*s%s", (int)lexeme->start, sql, sql + lexeme->end);
    }
    return NULL;
}
