/* The streams, colour, and the progress line. */
#include "cli/term.h"

#include "base/clock.h"
#include "base/unit.h"
#include "base/utf8.h"
#include "cli/show.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { SAY_EVERY_MS = 30000, WIDTH_MOST = 100, WIDTH_LEAST = 40, WIDTH_ENDLESS = 1 << 20 };

static bool wants_color(ColorWhen when, int fd)
{
    const char *none = getenv("NO_COLOR"), *kind = getenv("TERM");
    if (when != COLOR_AUTO)
        return when == COLOR_ALWAYS;
    return isatty(fd) && (none == NULL || *none == '\0') && !str_eq(kind, "dumb");
}

static int columns_now(void)
{
    struct winsize size = {0};
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
        return WIDTH_MOST;
    if (size.ws_col == 0)
        return WIDTH_MOST;
    return size.ws_col < WIDTH_LEAST ? WIDTH_LEAST : size.ws_col;
}

void term_init(Term *term, ColorWhen color, bool json, bool silent, bool log_json)
{
    (void)setlocale(LC_CTYPE, ""); /* only to learn whether the terminal speaks UTF-8 */
    int columns = columns_now();
    *term = (Term){
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .json = json,
        .silent = silent,
        .log_json = log_json,
        .out_tty = isatty(STDOUT_FILENO) != 0,
        .err_tty = !log_json && isatty(STDERR_FILENO) != 0 && !str_eq(getenv("TERM"), "dumb"),
        .out_color = wants_color(color, STDOUT_FILENO),
        .err_color = !log_json && wants_color(color, STDERR_FILENO),
        .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0 || !isatty(STDERR_FILENO),
        .width = columns < WIDTH_MOST ? columns : WIDTH_MOST,
        .said_ms = clock_ms(),
    };
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
}

void term_done(Term *term)
{
    term_progress_end(term);
    free(term->line);
    term->line = NULL;
}

Page term_page_out(const Term *term)
{
    return (Page){.text = STR_INIT, .color = term->out_color, .utf8 = term->utf8, .width = term->width};
}

Page term_page_err(const Term *term)
{
    return (Page){.text = STR_INIT, .color = term->err_color, .utf8 = term->utf8, .width = term->width};
}

Page term_lines_out(const Term *term)
{
    Page page = term_page_out(term);
    page.width = term->out_tty ? page.width : WIDTH_ENDLESS;
    return page;
}

Page term_lines_err(const Term *term)
{
    Page page = term_page_err(term);
    page.width = term->err_tty ? page.width : WIDTH_ENDLESS;
    return page;
}

/* With the lock held. */
static void erase_line(Term *term)
{
    if (term->drawn)
        (void)fputs("\r\033[K", stderr);
    term->drawn = false;
}

static void draw_line(Term *term)
{
    if (!term->err_tty || term->silent || term->line == NULL)
        return;
    erase_line(term);
    (void)fputs(term->line, stderr);
    (void)fflush(stderr);
    term->drawn = true;
}

void term_show_out(Term *term, Page *page)
{
    pthread_mutex_lock(&term->lock);
    erase_line(term);
    (void)fwrite(page->text.buf, 1, page->text.len, stdout);
    (void)fflush(stdout);
    pthread_mutex_unlock(&term->lock);
    str_done(&page->text);
    page->column = 0;
}

/* ---- JSON lines ----------------------------------------------------------------------------- */

static void add_text(json_t *line, const char *key, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    CLEANUP(mem_freep) char *mended = utf8_mend(text);
    (void)json_object_set_new(line, key, json_string(mended));
}

bool term_log(Term *term, const LogEntry *entry, bool always)
{
    char at[CLOCK_TEXT_BYTES];
    if (!term->log_json)
        return false;
    if (term->silent && !always)
        return true;
    clock_wall_text(at);
    json_t *line = json_pack("{s:s, s:s}", "at", at, "level", entry->level);
    add_text(line, "event", entry->event);
    add_text(line, "change", entry->change);
    if (entry->step > 0)
        (void)json_object_set_new(line, "step", json_integer(entry->step));
    add_text(line, "kind", entry->kind);
    (void)json_object_set_new(line, "text", json_string(""));
    add_text(line, "text", entry->text);
    add_text(line, "hint", entry->hint);
    char *text = json_dumps(line, JSON_COMPACT);
    pthread_mutex_lock(&term->lock);
    (void)fprintf(stderr, "%s\n", text);
    pthread_mutex_unlock(&term->lock);
    free(text);
    json_decref(line);
    return true;
}

static void log_page(Term *term, char *text, bool always)
{
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        if (line[strspn(line, " ")] != '\0')
            (void)term_log(term, &(LogEntry){.level = "info", .text = line}, always);
}

void term_show_err(Term *term, Page *page, bool always)
{
    if (term->log_json) {
        log_page(term, page->text.buf, always);
        str_clear(&page->text);
    }
    pthread_mutex_lock(&term->lock);
    if (!term->silent || always) {
        bool redraw = term->drawn;
        erase_line(term);
        (void)fwrite(page->text.buf, 1, page->text.len, stderr);
        if (redraw)
            draw_line(term);
    }
    pthread_mutex_unlock(&term->lock);
    str_done(&page->text);
    page->column = 0;
}

void term_json(Term *term, const json_t *json, bool pretty)
{
    size_t flags = pretty && isatty(STDOUT_FILENO) ? JSON_INDENT(2) : JSON_COMPACT;
    char *text = json_dumps(json, flags | JSON_REAL_PRECISION(12));
    pthread_mutex_lock(&term->lock);
    erase_line(term);
    (void)fprintf(stdout, "%s\n", text == NULL ? "null" : text);
    (void)fflush(stdout);
    pthread_mutex_unlock(&term->lock);
    free(text);
}

/* Cuts styled text to `columns` so that it stays in one row; escape sequences take none. */
static void cut_row(Str *text, int columns)
{
    int column = 0;
    bool escape = false;
    for (size_t i = 0; i < text->len; i++) {
        if (escape || text->buf[i] == '\033') {
            escape = !escape || text->buf[i] != 'm';
            continue;
        }
        column += ((unsigned char)text->buf[i] & 0xc0) != 0x80;
        if (column > columns) {
            text->len = i;
            text->buf[i] = '\0';
            str_add(text, strchr(text->buf, '\033') != NULL ? "\033[0m" : "");
            return;
        }
    }
}

void term_progress(Term *term, const Progress *progress)
{
    Page page = term_page_err(term);
    page.width = columns_now();
    show_progress(&page, progress, term->err_tty);
    if (term->err_tty)
        cut_row(&page.text, page.width - 1);
    pthread_mutex_lock(&term->lock);
    free(term->line);
    term->line = str_take(&page.text);
    bool due = !term->err_tty && clock_ms() - term->said_ms >= SAY_EVERY_MS;
    if (term->err_tty)
        draw_line(term);
    else if (due && !term->silent && !term->log_json)
        (void)fprintf(stderr, "%s\n", term->line);
    CLEANUP(mem_freep) char *line = due ? mem_dup(term->line) : NULL;
    pthread_mutex_unlock(&term->lock);
    if (!due)
        return;
    term->said_ms = clock_ms();
    (void)term_log(term,
                   &(LogEntry){.level = "info",
                               .event = "progress",
                               .change = progress->change,
                               .step = progress->step,
                               .text = line},
                   false);
    if (term->json) {
        json_t *event = progress_json(progress);
        term_json(term, event, false);
        json_decref(event);
    }
}

void term_progress_now(Term *term)
{
    pthread_mutex_lock(&term->lock);
    CLEANUP(mem_freep) char *line = mem_dup(term->line == NULL ? "no progress to report yet" : term->line);
    pthread_mutex_unlock(&term->lock);
    if (term_log(term, &(LogEntry){.level = "info", .event = "progress", .text = line}, true))
        return;
    pthread_mutex_lock(&term->lock);
    erase_line(term);
    (void)fprintf(stderr, "%s\n", line);
    pthread_mutex_unlock(&term->lock);
}

void term_progress_end(Term *term)
{
    pthread_mutex_lock(&term->lock);
    erase_line(term);
    (void)fflush(stderr);
    free(term->line);
    term->line = NULL;
    pthread_mutex_unlock(&term->lock);
}

bool term_can_ask(void) { return isatty(STDIN_FILENO) && isatty(STDERR_FILENO); }

/* A signal may come just before poll(): so it looks at the stop token now and then. */
static bool wait_for_input(const Stop *stop)
{
    enum { LOOK_MS = 50 };
    struct pollfd wait = {.fd = STDIN_FILENO, .events = POLLIN};
    for (;;) {
        if (stop_level(stop) != STOP_NONE)
            return false;
        int count = poll(&wait, 1, LOOK_MS);
        if (count > 0 || (count < 0 && errno != EINTR))
            return count > 0;
    }
}

bool term_ask(Term *term, const Stop *stop, const char *question)
{
    term_progress_end(term);
    char answer[16] = "";
    if (!term_log(term, &(LogEntry){.level = "info", .event = "question", .text = question}, true))
        (void)fprintf(stderr, "%s [y/N] ", question);
    (void)fflush(stderr);
    ssize_t len = wait_for_input(stop) ? read(STDIN_FILENO, answer, sizeof answer - 1) : -1;
    if (len <= 0) {
        (void)fputs(term->log_json ? "" : "\n", stderr);
        return false;
    }
    answer[strcspn(answer, "\r\n")] = '\0';
    return strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0;
}

Err *term_flush(Term *term)
{
    (void)term;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return NULL;
    return err_new(ERR_IO, "cannot write the output: %s", strerror(errno));
}
