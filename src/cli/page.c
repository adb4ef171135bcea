/* Builds text for people: styles, alignment, wrapping. */
#include "cli/page.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

int text_columns(const char *text)
{
    int columns = 0;
    for (; *text != '\0'; text++)
        columns += ((unsigned char)*text & 0xc0) != 0x80;
    return columns;
}

static const char *style_code(Style style)
{
    switch (style) {
    case STYLE_PLAIN:
        return "";
    case STYLE_BOLD:
        return "\033[1m";
    case STYLE_DIM:
        return "\033[2m";
    case STYLE_RED:
        return "\033[31m";
    case STYLE_GREEN:
        return "\033[32m";
    case STYLE_YELLOW:
        return "\033[33m";
    case STYLE_CYAN:
        return "\033[36m";
    }
    return "";
}

/* What stands in for a mark where the terminal knows ASCII only. */
static const char *ascii_for(const char *text, size_t *ret_len)
{
    static const struct {
        const char *utf8, *ascii;
    } marks[] = {{"–", "-"}, {"—", "-"}, {"…", "..."}, {"·", "|"}, {"✓", "+"},
                 {"━", "="}, {"─", "-"}, {"×", "x"},   {"≈", "~"}};
    for (size_t i = 0; i < ARRAY_LEN(marks); i++)
        if (str_starts(text, marks[i].utf8)) {
            *ret_len = strlen(marks[i].utf8);
            return marks[i].ascii;
        }
    return NULL;
}

/* Adds bytes; control characters from a server or a file cannot play with the terminal. */
static void put_bytes(Page *page, const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t size = 1;
        const char *ascii = page->utf8 ? NULL : ascii_for(text + i, &size);
        unsigned char c = (unsigned char)text[i];
        if (ascii != NULL) {
            str_add(&page->text, ascii);
            page->column += text_columns(ascii);
        } else if (c == '\t') {
            str_add(&page->text, " ");
            page->column++;
        } else if (c >= 0x20 && c != 0x7f) {
            str_addn(&page->text, text + i, 1);
            page->column += (c & 0xc0) != 0x80;
        } else {
            str_add(&page->text, "?");
            page->column++;
        }
        i += size;
    }
}

static void put_styled(Page *page, Style style, const char *text, size_t len)
{
    bool colored = page->color && style != STYLE_PLAIN && len > 0;
    if (colored)
        str_add(&page->text, style_code(style));
    put_bytes(page, text, len);
    if (colored)
        str_add(&page->text, "\033[0m");
}

void page_newline(Page *page)
{
    str_add(&page->text, "\n");
    page->column = 0;
}

void page_put(Page *page, Style style, const char *text)
{
    for (;;) {
        size_t len = strcspn(text, "\n");
        put_styled(page, style, text, len);
        if (text[len] == '\0')
            return;
        page_newline(page);
        text += len + 1;
    }
}

void page_putf(Page *page, Style style, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = mem_format(fmt, args);
    va_end(args);
    page_put(page, style, text);
    free(text);
}

void page_to(Page *page, int column)
{
    if (page->column > column)
        put_bytes(page, " ", 1);
    while (page->column < column)
        put_bytes(page, " ", 1);
}

static void break_line(Page *page, int indent)
{
    page_newline(page);
    page_to(page, indent);
}

static int columns_of(const char *text, size_t len)
{
    int columns = 0;
    for (size_t i = 0; i < len; i++)
        columns += ((unsigned char)text[i] & 0xc0) != 0x80;
    return columns;
}

void page_wrap(Page *page, Style style, int indent, const char *text)
{
    Str line = STR_INIT; /* one line of the result, so that its style is set once */
    int column = page->column;
    for (;;) {
        text += strspn(text, " ");
        size_t len = strcspn(text, " \n");
        int wide = columns_of(text, len);
        bool full = line.len > 0 && column + 1 + wide > page->width;
        if (len > 0 && !full) {
            column += wide + (line.len > 0);
            str_sep(&line, " ");
            str_addn(&line, text, len);
            text += len;
            continue;
        }
        put_styled(page, style, line.buf, line.len);
        str_clear(&line);
        if (*text == '\0')
            break;
        break_line(page, indent);
        column = page->column;
        text += *text == '\n';
    }
    str_done(&line);
}

/* The length of the piece of SQL at `text` that must stay in one line: up to the next space outside of
 * quotes, or a whole comment; never past the line's end. `state` carries an open quote from line to line. */
typedef struct SqlState {
    char quote;      /* ' or " or $ when inside, else 0 */
    const char *tag; /* of a dollar quote: begins with $ */
    size_t tag_len;
} SqlState;

static size_t dollar_tag(const char *text)
{
    size_t len = 1;
    while (isalnum((unsigned char)text[len]) || text[len] == '_')
        len++;
    return text[0] == '$' && !isdigit((unsigned char)text[1]) && text[len] == '$' ? len + 1 : 0;
}

static size_t sql_piece(const char *text, SqlState *state)
{
    size_t at = 0;
    for (; text[at] != '\0' && text[at] != '\n'; at++) {
        char c = text[at];
        if (state->quote == '$') {
            if (strncmp(text + at, state->tag, state->tag_len) == 0) {
                at += state->tag_len - 1;
                state->quote = 0;
            }
        } else if (state->quote != 0) {
            if (c == state->quote)
                state->quote = 0;
        } else if (c == ' ') {
            break;
        } else if (c == '-' && text[at + 1] == '-') {
            return at + strcspn(text + at, "\n");
        } else if (c == '\'' || c == '"') {
            state->quote = c;
        } else if (dollar_tag(text + at) > 0) {
            *state = (SqlState){.quote = '$', .tag = text + at, .tag_len = dollar_tag(text + at)};
            at += state->tag_len - 1;
        }
    }
    return at;
}

/* Inside a dollar quote (a function's body) lines stay as they are. */
void page_sql(Page *page, int indent, const char *sql)
{
    SqlState state = {0};
    int deeper = 0; /* indentation of the line that is being continued */
    for (bool line_start = true; *sql != '\0';) {
        if (*sql == '\n') {
            break_line(page, indent);
            line_start = true;
            sql++;
            continue;
        }
        size_t spaces = strspn(sql, " ");
        if (line_start)
            deeper = (int)spaces + 4;
        if (sql[spaces] == '\0' || sql[spaces] == '\n') {
            sql += spaces;
            continue;
        }
        size_t len = state.quote == 0 ? sql_piece(sql + spaces, &state) : 0;
        if (len == 0) { /* goes on inside a quote: keep every byte */
            spaces = 0;
            len = sql_piece(sql, &state);
        }
        if (!line_start &&
            page->column + (int)spaces + columns_of(sql + spaces, len) >= page->width) /* a ";" may follow */
            break_line(page, indent + deeper);
        else
            put_bytes(page, sql, spaces);
        put_bytes(page, sql + spaces, len);
        line_start = false;
        sql += spaces + len;
    }
}
