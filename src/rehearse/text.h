/* text.h — a rehearsal's figures in words and tables. Private to rehearse/. */
#pragma once
#include "base/str.h"
#include "rehearse/rehearse.h"

typedef enum TextForm { TEXT_LINES, TEXT_MARKDOWN, TEXT_HTML } TextForm;

/* The report; as HTML what stands in the body of a page, all text escaped. In `arena`. */
char *text_write(Arena *arena, const json_t *json, TextForm form) __attribute__((returns_nonnull));
/* The text as text of an element or of a quoted attribute. */
void text_escape(Str *out, const char *text);
