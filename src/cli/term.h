/* term.h — the two streams: data on stdout, talk and the progress line on stderr, colour only where a person
 * looks. Safe to use from several threads. */
#pragma once
#include "cli/page.h"
#include "engine/engine.h"
#include "run/run.h"

#include <jansson.h>
#include <pthread.h>

typedef enum ColorWhen { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER } ColorWhen;

typedef struct Term {
    pthread_mutex_t lock;
    bool json;     /* stdout carries JSON */
    bool silent;   /* -q */
    bool log_json; /* stderr carries JSON, too: an object on each line */
    bool out_tty;
    bool err_tty; /* the progress line is redrawn in place */
    bool out_color, err_color, utf8;
    int width;       /* of the terminal, 40 … 100 */
    bool drawn;      /* a progress line stands on the terminal */
    char *line;      /* the progress line as last made; NULL */
    int64_t said_ms; /* when it was last said off a terminal */
} Term;

void term_init(Term *term, ColorWhen color, bool json, bool silent, bool log_json);
void term_done(Term *term);

/* An empty page for one of the streams; free it with term_show or page_donep. */
Page term_page_out(const Term *term);
Page term_page_err(const Term *term);
/* The same for texts of a line each: off a terminal nothing is wrapped, so that it can be searched. */
Page term_lines_out(const Term *term);
Page term_lines_err(const Term *term);
/* Writes the page and empties it. Talk is dropped with -q unless `always`. With --log-format json each line
 * of talk becomes an object, at level info. */
void term_show_out(Term *term, Page *page);
void term_show_err(Term *term, Page *page, bool always);
/* What is said on stderr with --log-format json; members that are NULL or 0 are left out. */
typedef struct LogEntry {
    const char *level; /* "error", "warn", "info", "debug" */
    const char *event, *change;
    int step;
    const char *text, *hint, *kind;
} LogEntry;
/* True where that is the format, and it was said (or dropped, with -q, unless `always`). */
bool term_log(Term *term, const LogEntry *entry, bool always);

/* One JSON object: on a line of its own, or indented where `pretty` and stdout is a terminal. Not freed. */
void term_json(Term *term, const json_t *json, bool pretty);

/* The progress line: redrawn on a terminal, said every 30 s elsewhere (as an event with --json). */
void term_progress(Term *term, const Progress *progress);
/* Says the last progress line now, whatever the stream; for SIGUSR1. */
void term_progress_now(Term *term);
/* Takes the progress line off the terminal. */
void term_progress_end(Term *term);

/* True when a person can be asked: stdin and stderr are terminals. */
bool term_can_ask(void);
/* Asks; true for "y" or "yes". A stop means no. */
bool term_ask(Term *term, const Stop *stop, const char *question);
/* NULL, or ERR_IO when what was written to stdout did not get there. */
Err *term_flush(Term *term) MUST_USE;
