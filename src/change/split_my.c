/* Statements of MySQL and MariaDB, cut where the command line client cuts them. */
#include "change/split_my.h"

#include <string.h>
#include <strings.h>

enum { DELIMITER_MAX = 15 };

typedef struct Splitter {
    Arena *arena;
    const MyDialect *dialect;
    const char *text;
    size_t at, end;
    size_t begin;       /* of the piece: behind the delimiter before it */
    bool open;          /* it has code: */
    size_t first, last; /* its first byte, and behind its last one */
    int first_line;
    const char *delimiter;
    size_t delimiter_len;
    size_t counted; /* up to here lines are counted */
    int line;
    MySplit split;
} Splitter;

static void add_fault(Splitter *splitter, size_t offset, const char *message, const char *hint)
{
    *vec_push(splitter->arena, &splitter->split.faults) =
        (MyFault){.message = message, .hint = hint, .offset = offset};
}

/* The line of an offset; each call asks for one that is not before the last. */
static int line_of(Splitter *splitter, size_t offset)
{
    for (; splitter->counted < offset; splitter->counted++)
        splitter->line += splitter->text[splitter->counted] == '\n' ? 1 : 0;
    return splitter->line;
}

/* The bytes up to `end` are code. */
static void take_code(Splitter *splitter, size_t end)
{
    if (!splitter->open) {
        splitter->first = splitter->at;
        splitter->first_line = line_of(splitter, splitter->first);
    }
    splitter->open = true;
    splitter->at = splitter->last = end;
}

/* Ends the piece before `end`; the next one begins at `next`. */
static void finish(Splitter *splitter, size_t end, size_t next)
{
    if (splitter->open)
        *vec_push(splitter->arena, &splitter->split.pieces) =
            (MyPiece){.span = {splitter->first, splitter->last},
                      .whole = {splitter->begin, end},
                      .line = splitter->first_line};
    splitter->open = false;
    splitter->at = splitter->begin = next;
}

static bool matches(const Splitter *splitter, size_t at, const char *word, size_t len)
{
    return splitter->end - at >= len && memcmp(splitter->text + at, word, len) == 0;
}

/* ---- comments ------------------------------------------------------------------------------- */

static void take_note(Splitter *splitter, size_t start, size_t end)
{
    static const char mark[] = "stoa:";
    const char *text = splitter->text;
    while (start < end && my_is_space(text[start]))
        start++;
    if (end - start < sizeof mark - 1 || memcmp(text + start, mark, sizeof mark - 1) != 0)
        return;
    for (start += sizeof mark - 1; start < end && my_is_space(text[start]);)
        start++;
    while (end > start && my_is_space(text[end - 1]))
        end--;
    int line = line_of(splitter, start);
    *vec_push(splitter->arena, &splitter->split.notes) =
        (MyNote){.span = {start, end}, .line = line, .piece = splitter->split.pieces.len};
}

/* True where the comment at `at` is read by the client as code. */
static bool is_code_comment(const Splitter *splitter)
{
    size_t mark = splitter->at + 2;
    return matches(splitter, mark, "!", 1) ||
           (splitter->dialect->mariadb && matches(splitter, mark, "M!", 2));
}

static void skip_block(Splitter *splitter)
{
    size_t start = splitter->at + 2;
    const char *close =
        start >= splitter->end ? NULL : memmem(splitter->text + start, splitter->end - start, "*/", 2);
    if (close == NULL) {
        add_fault(splitter, splitter->at, "the comment that begins here does not end", "close it with */");
        splitter->at = splitter->end;
        splitter->open = false;
        return;
    }
    size_t end = (size_t)(close - splitter->text);
    take_note(splitter, start, end);
    splitter->at = end + 2;
}

static void skip_line(Splitter *splitter)
{
    size_t end = my_line_end(splitter->text, splitter->at, splitter->end);
    take_note(splitter, splitter->at + (splitter->text[splitter->at] == '#' ? 1 : 2), end);
    splitter->at = end;
}

/* ---- commands of the client ----------------------------------------------------------------- */

static const char hint_delimiter[] = "write DELIMITER and the new delimiter on a line of their own";

/* Reads the delimiter in [at, end) of a line. */
static void set_delimiter(Splitter *splitter, size_t at, size_t end)
{
    const char *text = splitter->text;
    while (at < end && my_is_space(text[at]))
        at++;
    size_t start = at;
    char quote = my_byte_at(text, at, end);
    bool quoted = quote == '\'' || quote == '"' || quote == '`';
    if (quoted)
        start = ++at;
    while (at < end && (quoted ? text[at] != quote : !my_is_space(text[at])))
        at++;
    size_t len = at - start;
    if (len == 0)
        add_fault(splitter, splitter->at, "DELIMITER without a delimiter", hint_delimiter);
    else if (memchr(text + start, '\\', len) != NULL)
        add_fault(splitter, start, "a delimiter with a backslash in it", "use // or ;;");
    else if (len > DELIMITER_MAX)
        add_fault(splitter, start, "a delimiter of more than 15 bytes", "use // or ;;");
    else {
        splitter->delimiter = text + start;
        splitter->delimiter_len = len;
    }
}

static bool word_is(const char *text, size_t start, size_t end, const char *word)
{
    return end - start == strlen(word) && strncasecmp(text + start, word, end - start) == 0;
}

static bool is_client_word(const char *text, size_t start, size_t end, bool alone)
{
    static const char *const with_words[] = {"charset", "connect", "help",   "pager",
                                             "prompt",  "source",  "system", "tee"};
    static const char *const without[] = {"?",    "clear",   "edit",   "ego",       "exit",
                                          "go",   "nopager", "notee",  "nowarning", "print",
                                          "quit", "rehash",  "status", "warnings"};
    for (size_t i = 0; i < ARRAY_LEN(with_words); i++)
        if (word_is(text, start, end, with_words[i]))
            return true;
    for (size_t i = 0; alone && i < ARRAY_LEN(without); i++)
        if (word_is(text, start, end, without[i]))
            return true;
    return false;
}

/* A line at the beginning of a statement; false: the client has no command for it. */
static bool take_command(Splitter *splitter)
{
    const char *text = splitter->text;
    size_t end = my_line_end(text, splitter->at, splitter->end), start = splitter->at;
    while (start < end && my_is_space(text[start]))
        start++;
    size_t word = start;
    while (word < end && !my_is_space(text[word]))
        word++;
    size_t last = end;
    while (last > word && my_is_space(text[last - 1]))
        last--;
    if (word_is(text, start, word, "delimiter") ||
        (word - start > 9 && strncasecmp(text + start, "delimiter", 9) == 0 &&
         !my_is_word(text[start + 9]))) {
        splitter->at = start;
        set_delimiter(splitter, start + 9 == word ? word : end, end);
        finish(splitter, start, end);
        return true;
    }
    if (start == word ||
        memmem(text + start, end - start, splitter->delimiter, splitter->delimiter_len) != NULL)
        return false;
    if (word_is(text, start, word, "use") && last > word) {
        splitter->at = start;
        take_code(splitter, last);
        finish(splitter, end, end);
        return true;
    }
    if (!is_client_word(text, start, word, last == word))
        return false;
    add_fault(splitter, start, "a command of the command line client, not SQL", "take the line out");
    splitter->at = end;
    return true;
}

/* A line inside of a statement that can only be meant for the client. */
static bool is_late_delimiter(const Splitter *splitter)
{
    const char *text = splitter->text;
    size_t end = my_line_end(text, splitter->at, splitter->end), at = splitter->at;
    while (at < end && my_is_space(text[at]))
        at++;
    if (end - at < 11 || strncasecmp(text + at, "delimiter", 9) != 0 || !my_is_space(text[at + 9]))
        return false;
    bool marks = false;
    for (at += 9; at < end; at++) {
        if (my_is_space(text[at]))
            continue;
        marks = strchr(";/|$%&^~!:", text[at]) != NULL && text[at] != '\0';
        if (!marks)
            return false;
    }
    return marks;
}

static bool take_line(Splitter *splitter)
{
    if (splitter->at > 0 && splitter->text[splitter->at - 1] != '\n')
        return false;
    if (!splitter->open)
        return take_command(splitter);
    if (!is_late_delimiter(splitter))
        return false;
    add_fault(splitter, splitter->at, "DELIMITER in the middle of a statement",
              "end the statement before it with the delimiter");
    finish(splitter, splitter->at, splitter->at);
    return take_command(splitter);
}

/* ---- code ----------------------------------------------------------------------------------- */

static void take_backslash(Splitter *splitter)
{
    size_t at = splitter->at;
    char next = my_byte_at(splitter->text, at + 1, splitter->end);
    if (next == 'N') {
        take_code(splitter, at + 2);
        return;
    }
    add_fault(splitter, at, "a backslash outside of a string",
              "commands of the client, such as \\G, are not SQL: end the statement with the delimiter");
    if (next == 'g' || next == 'G')
        finish(splitter, at, at + 2);
    else
        take_code(splitter, at + 1);
}

static void take_quoted(Splitter *splitter)
{
    size_t end = my_skip_quoted(splitter->dialect, splitter->text, splitter->at, splitter->end);
    if (end != 0) {
        take_code(splitter, end);
        return;
    }
    add_fault(splitter, splitter->at, "the quote that opens here is not closed",
              "close it, or double a quote that belongs to it");
    splitter->at = splitter->end;
    splitter->open = false;
}

/* "--" at the beginning of a statement is a comment to the client, whatever follows. */
static bool is_comment(const Splitter *splitter)
{
    return my_is_line_comment(splitter->text, splitter->at, splitter->end) ||
           (!splitter->open && matches(splitter, splitter->at, "--", 2));
}

/* "--stoa:" is arithmetic to every server; no one means it. */
static void check_dashes(Splitter *splitter)
{
    if (matches(splitter, splitter->at, "--stoa:", 7))
        add_fault(splitter, splitter->at, "\"--\" begins a comment only before a space", "write: -- stoa: …");
}

static bool take_dollar(Splitter *splitter)
{
    size_t at = splitter->at;
    if (at > splitter->begin && my_is_word(splitter->text[at - 1]))
        return false;
    size_t end = my_skip_dollar(splitter->dialect, splitter->text, at, splitter->end);
    if (end == 0)
        return false;
    if (end == SIZE_MAX) {
        add_fault(splitter, at, "the dollar quoted text that begins here does not end", NULL);
        splitter->at = splitter->end;
        splitter->open = false;
    } else {
        take_code(splitter, end);
    }
    return true;
}

static void step(Splitter *splitter)
{
    size_t at = splitter->at;
    char c = splitter->text[at];
    if (take_line(splitter))
        return;
    at = splitter->at;
    if (matches(splitter, at, splitter->delimiter, splitter->delimiter_len))
        finish(splitter, at, at + splitter->delimiter_len);
    else if (my_is_space(c))
        splitter->at++;
    else if (is_comment(splitter)) {
        check_dashes(splitter);
        skip_line(splitter);
    } else if (matches(splitter, at, "/*", 2) && !is_code_comment(splitter))
        skip_block(splitter);
    else if (c == '\'' || c == '"' || c == '`')
        take_quoted(splitter);
    else if (c == '\\')
        take_backslash(splitter);
    else if (c != '$' || !take_dollar(splitter)) {
        check_dashes(splitter);
        take_code(splitter, at + 1);
    }
}

/* ---- bodies --------------------------------------------------------------------------------- */

static void find_cut_bodies(Splitter *splitter)
{
    bool inside = false;
    for (size_t i = 0; i < splitter->split.pieces.len; i++) {
        MyPiece *piece = &splitter->split.pieces.items[i];
        bool tail;
        bool cut = my_body_is_cut(splitter->dialect, splitter->text, piece->span, &tail);
        piece->cut = cut || tail;
        if (cut || (tail && !inside))
            add_fault(
                splitter, piece->span.start,
                cut ? "the delimiter inside of this body cuts it: its END is missing"
                    : "a part of a body stands alone: the delimiter cuts it",
                "put DELIMITER // on a line before the statement, // behind its END, and DELIMITER ; on "
                "a line after it");
        inside = inside || cut;
    }
}

MySplit my_split(Arena *arena, const MyDialect *dialect, const char *text, size_t len)
{
    Splitter splitter = {.arena = arena,
                         .dialect = dialect,
                         .text = text,
                         .end = len,
                         .delimiter = ";",
                         .delimiter_len = 1,
                         .line = 1};
    while (splitter.at < splitter.end)
        step(&splitter);
    finish(&splitter, splitter.end, splitter.end);
    find_cut_bodies(&splitter);
    return splitter.split;
}
