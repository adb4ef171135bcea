/* The figures of a rehearsal for people: one description of lines and tables, written as aligned text, as
 * Markdown, or as the body of a page. */
#include "rehearse/text.h"

#include "base/str.h"
#include "base/unit.h"

#include <string.h>

enum { COLUMNS_MOST = 8, CELL_BYTES = 160 };

typedef struct Writer {
    Str out;
    TextForm form;
} Writer;

/* ---- figures -------------------------------------------------------------------------------- */

static double at(const json_t *json, const char *path)
{
    while (json != NULL && *path != '\0') {
        char key[64];
        size_t len = strcspn(path, ".");
        (void)snprintf(key, sizeof key, "%.*s", (int)len, path);
        json = json_object_get(json, key);
        path += len + (path[len] == '.');
    }
    return json_number_value(json);
}

static const char *text_at(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text == NULL ? "" : text;
}

static void seconds_text(double seconds, char *ret_text)
{
    if (seconds < 1)
        (void)snprintf(ret_text, UNIT_TEXT_BYTES, "%.0f ms", seconds * 1000);
    else
        (void)unit_duration_text((int64_t)(seconds * 1000), ret_text);
}

static void range_cell(const json_t *range, bool bytes, double times, char *ret_cell)
{
    char low[UNIT_TEXT_BYTES], high[UNIT_TEXT_BYTES];
    if (range == NULL) {
        ret_cell[0] = '\0';
        return;
    }
    if (bytes) {
        (void)unit_size_text((int64_t)at(range, "low"), low);
        (void)unit_size_text((int64_t)at(range, "high"), high);
    } else {
        seconds_text(at(range, "low") * times, low);
        seconds_text(at(range, "high") * times, high);
    }
    if (strcmp(low, high) == 0)
        (void)snprintf(ret_cell, CELL_BYTES, "%s", low);
    else
        (void)snprintf(ret_cell, CELL_BYTES, "%s – %s", low, high);
}

/* ---- writing -------------------------------------------------------------------------------- */

/* Characters, not bytes: names and dashes. */
static int width_of(const char *text)
{
    int width = 0;
    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

/* Text of a server's or a user's: nothing in it is Markdown, or HTML. */
static void plain(Writer *writer, const char *text)
{
    switch (writer->form) {
    case TEXT_LINES:
        str_add(&writer->out, text);
        return;
    case TEXT_MARKDOWN:
        for (const char *c = text; *c != '\0'; c++) {
            if (strchr("\\`*_{}[]<>#|~", *c) != NULL)
                str_add(&writer->out, "\\");
            str_addn(&writer->out, *c == '\n' ? " " : c, 1);
        }
        return;
    case TEXT_HTML:
        text_escape(&writer->out, text);
        return;
    }
}

void text_escape(Str *out, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        const char *as = *c == '&'    ? "&amp;"
                         : *c == '<'  ? "&lt;"
                         : *c == '>'  ? "&gt;"
                         : *c == '"'  ? "&quot;"
                         : *c == '\'' ? "&#39;"
                                      : NULL;
        if (as != NULL)
            str_add(out, as);
        else
            str_addn(out, c, 1);
    }
}

/* What stands around cells, by form: before and behind a row, before and behind a cell. */
static const struct {
    const char *row, *row_end, *cell, *cell_end;
} frames[] = {[TEXT_LINES] = {"", "\n", "  ", ""},
              [TEXT_MARKDOWN] = {"|", "\n", " ", " |"},
              [TEXT_HTML] = {"<tr>", "</tr>\n", "<td>", "</td>"}};

static void row(Writer *writer, const int *widths, size_t count, char cells[][CELL_BYTES], bool head)
{
    bool html = writer->form == TEXT_HTML;
    str_add(&writer->out, frames[writer->form].row);
    for (size_t i = 0; i < count; i++) {
        str_add(&writer->out, html && head ? "<th scope=\"col\">" : frames[writer->form].cell);
        plain(writer, cells[i]);
        str_add(&writer->out, html && head ? "</th>" : frames[writer->form].cell_end);
        int width = writer->form == TEXT_LINES && i + 1 < count ? widths[i] : 0;
        for (int pad = width_of(cells[i]); pad < width; pad++)
            str_add(&writer->out, " ");
    }
    str_add(&writer->out, frames[writer->form].row_end);
}

static void table(Writer *writer, size_t count, size_t row_count, char (*cells)[COLUMNS_MOST][CELL_BYTES])
{
    int widths[COLUMNS_MOST] = {0};
    bool html = writer->form == TEXT_HTML;
    for (size_t r = 0; r < row_count; r++)
        for (size_t i = 0; i < count; i++)
            widths[i] = width_of(cells[r][i]) > widths[i] ? width_of(cells[r][i]) : widths[i];
    str_add(&writer->out, html ? "<div class=\"wide\"><table>\n" : "");
    for (size_t r = 0; r < row_count; r++) {
        row(writer, widths, count, cells[r], r == 0);
        for (size_t i = 0; writer->form == TEXT_MARKDOWN && r == 0 && i < count; i++)
            str_add(&writer->out, i == 0 ? "| --- |" : " --- |");
        if (writer->form == TEXT_MARKDOWN && r == 0)
            str_add(&writer->out, "\n");
    }
    str_add(&writer->out, html ? "</table></div>\n" : "");
}

/* What stands around lines: before and behind a heading, a point, a sentence. */
static const struct {
    const char *heading, *heading_end, *point, *point_end, *line, *line_end;
} lines[] = {[TEXT_LINES] = {"\n", "\n", "  ", "\n", "\n  ", "\n"},
             [TEXT_MARKDOWN] = {"\n### ", "\n\n", "- ", "\n", "\n", "\n"},
             [TEXT_HTML] = {"<h2>", "</h2>\n", "<p class=\"point\">", "</p>\n", "<p>", "</p>\n"}};

static void heading(Writer *writer, const char *text)
{
    str_add(&writer->out, lines[writer->form].heading);
    plain(writer, text);
    str_add(&writer->out, lines[writer->form].heading_end);
}

static void point(Writer *writer, const char *text)
{
    str_add(&writer->out, lines[writer->form].point);
    plain(writer, text);
    str_add(&writer->out, lines[writer->form].point_end);
}

static void sentence(Writer *writer, const char *fmt, ...) PRINTF(2, 3);
static void sentence(Writer *writer, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    CLEANUP(mem_freep) char *text = mem_format(fmt, args);
    va_end(args);
    str_add(&writer->out, lines[writer->form].line);
    plain(writer, text);
    str_add(&writer->out, lines[writer->form].line_end);
}

/* ---- parts ---------------------------------------------------------------------------------- */

static void failure(Writer *writer, const json_t *way, const char *what)
{
    const char *error = json_string_value(json_object_get(way, "error"));
    if (error != NULL)
        sentence(writer, "%s: %s", what, error);
}

/* What earlier predictions did to the ranges. */
static void past(Writer *writer, const json_t *json)
{
    double factor = at(json, "factor");
    char effect[120] = "";
    if (factor > 1.005)
        (void)snprintf(effect, sizeof effect, ": ranges of time reach %.0f %% further, as those should have",
                       (factor - 1) * 100);
    else if (factor < 0.995)
        (void)snprintf(effect, sizeof effect,
                       ": ranges of time end %.0f %% closer, and those would have held all the same",
                       (1 - factor) * 100);
    if (at(json, "changes") > 0)
        sentence(writer, "%.0f of %.0f earlier predictions for this database held%s", at(json, "inside"),
                 at(json, "changes"), effect);
}

static void prediction(Writer *writer, const json_t *json)
{
    char cells[4][COLUMNS_MOST][CELL_BYTES] = {{"", "stoa apply", "as usually written"},
                                               {"takes"},
                                               {"writes to the log"},
                                               {"longest stall of the application"}};
    const json_t *ways[] = {json_object_get(json, "prediction"), json_object_get(json, "naive")};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        bool failed = json_is_string(json_object_get(ways[i], "error"));
        range_cell(json_object_get(ways[i], "seconds"), false, 1, cells[1][i + 1]);
        range_cell(json_object_get(ways[i], "wal_bytes"), true, 1, cells[2][i + 1]);
        range_cell(json_object_get(ways[i], "longest_stall_ms"), false, 0.001, cells[3][i + 1]);
        if (failed)
            (void)snprintf(cells[1][i + 1], CELL_BYTES, "fails");
    }
    table(writer, 3, json_object_get(ways[0], "longest_stall_ms") != NULL ? 4 : 3, cells);
    failure(writer, ways[0], "The plan does not get through beside the application");
    failure(writer, ways[1], "As usually written, the server refuses it");
    past(writer, json_object_get(json, "past"));
}

static void steps(Writer *writer, const json_t *json)
{
    const json_t *list = json_object_get(json, "steps"), *step = NULL;
    size_t count = json_array_size(list), i = 0;
    char(*cells)[COLUMNS_MOST][CELL_BYTES] = mem_zero((count + 1) * sizeof *cells);
    static const char *const heads[] = {"step",           "lock",          "rehearsed", "predicted",
                                        "log, predicted", "app's longest", "blocked"};
    for (size_t c = 0; c < ARRAY_LEN(heads); c++)
        (void)snprintf(cells[0][c], CELL_BYTES, "%s", heads[c]);
    json_array_foreach(list, i, step)
    {
        char(*cell)[CELL_BYTES] = cells[i + 1];
        const json_t *seen = json_object_get(step, "rehearsed");
        (void)snprintf(cell[0], CELL_BYTES, "%d %.140s", (int)at(step, "ordinal"), text_at(step, "title"));
        (void)snprintf(cell[1], CELL_BYTES, "%s", text_at(step, "lock"));
        seconds_text(at(seen, "seconds"), cell[2]);
        range_cell(json_object_get(step, "seconds"), false, 1, cell[3]);
        range_cell(json_object_get(step, "wal_bytes"), true, 1, cell[4]);
        if (json_object_get(seen, "application") != NULL && at(seen, "application.max_ms") > 0)
            seconds_text(at(seen, "application.max_ms") / 1000, cell[5]);
        if (at(seen, "blocked") > 0)
            (void)snprintf(cell[6], CELL_BYTES, "%d", (int)at(seen, "blocked"));
    }
    heading(writer, "Steps");
    table(writer, ARRAY_LEN(heads), count + 1, cells);
    mem_freep(&cells);
}

static void application(Writer *writer, const json_t *json)
{
    const json_t *ways[] = {json_object_get(json, "application"),
                            json_object_get(json_object_get(json, "naive"), "application")};
    if (ways[0] == NULL)
        return;
    char cells[6][COLUMNS_MOST][CELL_BYTES] = {{"", "before", "stoa apply", "as usually written"},
                                               {"p50"},
                                               {"p99"},
                                               {"longest"},
                                               {"blocked at the worst moment"},
                                               {"errors"}};
    static const char *const keys[] = {"p50_ms", "p99_ms", "max_ms"};
    for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
        char path[64];
        (void)snprintf(path, sizeof path, "before.%s", keys[k]);
        (void)snprintf(cells[k + 1][1], CELL_BYTES, "%.1f ms", at(ways[0], path));
        (void)snprintf(path, sizeof path, "during.%s", keys[k]);
        for (size_t i = 0; i < ARRAY_LEN(ways); i++)
            (void)snprintf(cells[k + 1][i + 2], CELL_BYTES, "%.1f ms", at(ways[i], path));
    }
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        (void)snprintf(cells[4][i + 2], CELL_BYTES, "%d", (int)at(ways[i], "blocked"));
        (void)snprintf(cells[5][i + 2], CELL_BYTES, "%d", (int)at(ways[i], "errors"));
    }
    char title[120], rows[UNIT_TEXT_BYTES];
    (void)snprintf(title, sizeof title, "The application, at %s rows and %.0f statements a second",
                   unit_count_text((int64_t)at(json, "rehearsed_rows"), rows), at(json, "mix.per_s"));
    heading(writer, title);
    table(writer, 4, ARRAY_LEN(cells), cells);
}

static void faults(Writer *writer, const json_t *json)
{
    const json_t *killed = json_object_get(json, "killed_in");
    char text[600], before[UNIT_TEXT_BYTES], after[UNIT_TEXT_BYTES], whole[UNIT_TEXT_BYTES];
    if (json == NULL)
        return;
    heading(writer, "Killed, and gone on with");
    if (!json_is_object(killed)) {
        point(writer, "no step takes long enough here to be killed half-way");
        return;
    }
    seconds_text(at(json, "killed_after_s"), before);
    seconds_text(at(json, "resumed_s"), after);
    seconds_text(at(json, "undisturbed_s"), whole);
    (void)snprintf(text, sizeof text,
                   "its process was killed after %s, in step %d (%.200s); another one went on for %s and %s; "
                   "undisturbed all steps take %s",
                   before, (int)at(killed, "ordinal"), text_at(killed, "title"), after,
                   json_is_true(json_object_get(json, "ready")) ? "made it ready" : "failed", whole);
    point(writer, text);
    if (text_at(json, "error")[0] != '\0')
        point(writer, text_at(json, "error"));
    if (json_object_get(json, "application") == NULL)
        return;
    (void)snprintf(text, sizeof text, "the application had %d errors, and waited %.1f ms at most",
                   (int)at(json, "application.errors"), at(json, "application.max_ms"));
    point(writer, text);
}

static void unlike(Writer *writer, const char *table, const char *what, const json_t *size)
{
    char text[400], expected[UNIT_TEXT_BYTES], actual[UNIT_TEXT_BYTES];
    if (size == NULL || json_is_true(json_object_get(size, "alike")))
        return;
    (void)snprintf(text, sizeof text, "%s, %s: %s, and %s would be right", table, what,
                   unit_size_text((int64_t)at(size, "actual"), actual),
                   unit_size_text((int64_t)at(size, "expected"), expected));
    point(writer, text);
}

static void realism(Writer *writer, const json_t *json)
{
    const json_t *list = json_object_get(json_object_get(json, "comparison"), "tables"), *table = NULL,
                 *index = NULL;
    size_t i = 0, j = 0;
    bool realistic = json_is_true(json_object_get(json, "realistic"));
    heading(writer, realistic ? "Made rows take as much room as the source's (within 15 %)"
                              : "Not realistic: made rows do not take as much room as the source's");
    json_array_foreach(list, i, table)
    {
        unlike(writer, text_at(table, "table"), "heap", json_object_get(table, "heap"));
        unlike(writer, text_at(table, "table"), "long values", json_object_get(table, "toast"));
        json_array_foreach(json_object_get(table, "indexes"), j, index)
            unlike(writer, text_at(table, "table"), text_at(index, "index"), index);
    }
    json_array_foreach(json_object_get(json, "regime"), i, table)
    {
        char text[400];
        (void)snprintf(text, sizeof text, "%s: the ranges are twice as wide upwards",
                       json_string_value(table));
        point(writer, text);
    }
    json_array_foreach(json_object_get(json, "notes"), i, table) point(writer, json_string_value(table));
}

static const char *const titles[] = {
    [TEXT_LINES] = "rehearsal of ", [TEXT_MARKDOWN] = "## Rehearsal of ", [TEXT_HTML] = "<h1>Rehearsal of "};
static const char *const title_ends[] = {
    [TEXT_LINES] = "\n", [TEXT_MARKDOWN] = "\n", [TEXT_HTML] = "</h1>\n"};

char *text_write(Arena *arena, const json_t *json, TextForm form)
{
    Writer writer = {.out = STR_INIT, .form = form};
    char rows[UNIT_TEXT_BYTES], made[UNIT_TEXT_BYTES];
    str_add(&writer.out, titles[form]);
    plain(&writer, text_at(json, "change"));
    str_add(&writer.out, title_ends[form]);
    sentence(&writer, "For %s of %s rows on %s %s, by made rows up to %s.%s", text_at(json, "table"),
             unit_count_text((int64_t)at(json, "rows"), rows),
             strcmp(text_at(json, "engine"), "postgres") == 0 ? "PostgreSQL" : text_at(json, "engine"),
             text_at(json, "server"), unit_count_text((int64_t)at(json, "rehearsed_rows"), made),
             json_is_true(json_object_get(json, "masked")) ? " From a snapshot without values." : "");
    str_add(&writer.out, form == TEXT_HTML ? "" : "\n");
    prediction(&writer, json);
    steps(&writer, json);
    application(&writer, json);
    faults(&writer, json_object_get(json, "faults"));
    realism(&writer, json);
    char *text = arena_dup(arena, writer.out.buf);
    str_done(&writer.out);
    return text;
}

char *rehearse_text(Arena *arena, const json_t *json) { return text_write(arena, json, TEXT_LINES); }
char *rehearse_markdown(Arena *arena, const json_t *json) { return text_write(arena, json, TEXT_MARKDOWN); }
