/* help.h — what the tables of option.h say, in the forms that people and tools read. */
#pragma once
#include "cli/option.h"
#include "cli/page.h"

#include <jansson.h>

/* All verbs, a line each. */
void help_overview(Page *page);
/* One verb in full. */
void help_verb(Page *page, const Verb *verb);
/* The whole manual page as scdoc source; added to `ret_text`. */
void help_man(Str *ret_text);
/* The completion script for bash; added to `ret_text`. */
void help_completion(Str *ret_text);
/* {"v":1,"verbs":[{"name","options":[…]}],"options":[…],"exit_codes":[…]}; owned by the caller. */
json_t *help_tables(void);

/* "-f, --file FILE"; the metavar is preceded by "=" where `equals`. */
void help_option_name(Str *ret_text, const Option *option);
