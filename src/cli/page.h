/* page.h — text for people: styled words, aligned labels, wrapped prose and SQL, built whole and then shown.
 */
#pragma once
#include "base/str.h"

typedef enum Style {
    STYLE_PLAIN,
    STYLE_BOLD,
    STYLE_DIM,
    STYLE_RED,
    STYLE_GREEN,
    STYLE_YELLOW,
    STYLE_CYAN,
} Style;

typedef struct Page {
    Str text;
    bool color;
    bool utf8;  /* false: marks are plain ASCII */
    int width;  /* columns */
    int column; /* where the next character goes, from 0 */
} Page;

void page_put(Page *page, Style style, const char *text);
void page_putf(Page *page, Style style, const char *fmt, ...) PRINTF(3, 4);
void page_newline(Page *page);
/* Spaces up to this column; at least one unless the column is where we are. */
void page_to(Page *page, int column);
/* Prose, broken at spaces and newlines so that it stays within the page; following lines begin at `indent`.
 */
void page_wrap(Page *page, Style style, int indent, const char *text);
/* SQL, with its own line ends kept; lines too long are broken at spaces outside of quotes, so that what is
 * shown can be pasted. */
void page_sql(Page *page, int indent, const char *sql);
/* Columns that a UTF-8 text takes. */
int text_columns(const char *text);
static inline void page_donep(Page *page) { str_done(&page->text); }
