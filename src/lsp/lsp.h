/* lsp.h — "stoa check" for editors: the Language Server Protocol 3.17 over messages that somebody else reads
 * and sends. One message at a time; nothing is asked of a server, and nothing is written. */
#pragma once
#include "check/check.h"
#include "lsp/document.h"

typedef struct LspHost {
    void *context;
    /* Sends one message; its bytes are good during the call. */
    void (*send)(void *context, const char *text, size_t len);
    /* Adds the other files of the folder, marked as applied, so that what they make is in sight. May be NULL.
     */
    void (*beside)(void *context, Arena *arena, SourceSet *set, const char *path);
} LspHost;

typedef struct Lsp Lsp;

/* `options` and what they point to must live as long. */
Lsp *lsp_new(const CheckOptions *options, const LspHost *host) __attribute__((returns_nonnull));
void lsp_free(Lsp *lsp);
/* Takes a message. What it changes is checked by lsp_check(), or when it is asked for. */
void lsp_take(Lsp *lsp, const char *body, size_t len);
/* Answers what is no message: with an error, whose id is null. */
void lsp_refuse(Lsp *lsp, const char *why);
/* A file waits to be checked. */
bool lsp_waits(const Lsp *lsp);
/* Checks what has changed and publishes the findings. */
void lsp_check(Lsp *lsp);
/* True behind "exit". */
bool lsp_over(const Lsp *lsp);
/* As the protocol has it: 0 where "shutdown" came before "exit", else 1. */
int lsp_exit_code(const Lsp *lsp);

/* ---- inside the folder -------------------------------------------------------------------- */

typedef struct LspDocument {
    struct LspDocument *next;
    char *uri;
    Str text;
    json_int_t version;
    bool dirty;          /* changed since it was checked */
    Arena *arena;        /* of what follows */
    const char *checked; /* the text that was checked */
    LspLines lines;
    CheckResult result;
} LspDocument;

/* findings.c */
json_t *lsp_diagnostic(const LspDocument *document, const Finding *finding, LspEncoding encoding);
json_t *lsp_diagnostics(const LspDocument *document, LspEncoding encoding);
json_t *lsp_hover(const LspDocument *document, const json_t *position, LspEncoding encoding);
json_t *lsp_actions(const LspDocument *document, const json_t *params, LspEncoding encoding);
