/* The manual page as scdoc source, from the tables. */
#include "cli/exit.h"
#include "cli/help.h"

#include <string.h>

/* Text in which scdoc must see no markup. */
static void add_plain(Str *text, const char *plain)
{
    for (; *plain != '\0'; plain++) {
        if (strchr("_*\\#<>|[]~", *plain) != NULL)
            str_add(text, "\\");
        str_addn(text, plain, 1);
    }
}

static void add_option(Str *text, const Option *option)
{
    CLEANUP(str_donep) Str name = STR_INIT;
    help_option_name(&name, option);
    str_add(text, "*");
    add_plain(text, name.buf);
    str_add(text, "*\n\t");
    add_plain(text, option->help);
    str_add(text, ".");
    if (option->choices != NULL) {
        str_add(text, " One of ");
        add_plain(text, option->choices);
        str_add(text, ".");
        for (int verb = 0; option->verb_choices != NULL && verb < VERB_COUNT; verb++) {
            if (option->verb_choices[verb] == NULL)
                continue;
            str_addf(text, " %s: ", verbs[verb].name);
            add_plain(text, option->verb_choices[verb]);
            str_add(text, ".");
        }
    }
    if (option->fallback != NULL) {
        str_add(text, " Default: ");
        add_plain(text, option->fallback);
        str_add(text, ".");
    }
    str_add(text, "\n\n");
}

static void add_verb(Str *text, const Verb *verb)
{
    CLEANUP(str_donep) Str names = STR_INIT;
    str_addf(text, "*stoa %s* ", verb->name);
    add_plain(text, verb->synopsis);
    str_add(text, "\n\t");
    add_plain(text, verb->summary);
    str_add(text, ".\n\n\t");
    for (const char *at = verb->details; *at != '\0'; at++) {
        char one[2] = {*at, '\0'};
        if (strncmp(at, "\n\n", 2) == 0) {
            str_add(text, "\n\n\t");
            at++;
        } else {
            add_plain(text, one);
        }
    }
    for (size_t i = 0; i < OPT_COUNT; i++)
        if (option_for_verb(&all_options[i], (VerbId)(verb - verbs)) &&
            all_options[i].group != OPTIONS_OUTPUT) {
            str_sep(&names, ", ");
            str_addf(&names, "--%s", all_options[i].name);
        }
    if (names.len > 0)
        str_addf(text, "\n\n\tOptions: %s.", names.buf);
    str_add(text, "\n\n");
}

static void add_ends(Str *text)
{
    str_add(text, "# EXIT STATUS\n\n");
    for (size_t i = 0; i < exit_info_count; i++)
        str_addf(text, "*%d*\n\t%s.\n\n", exit_infos[i].code, exit_infos[i].meaning);
    str_add(text, "# ENVIRONMENT\n\n");
    for (size_t i = 0; i < OPT_COUNT; i++)
        if (all_options[i].env != NULL) {
            str_add(text, "*");
            add_plain(text, all_options[i].env);
            str_addf(text, "*\n\tThe default of --%s.\n\n", all_options[i].name);
        }
    str_add(text, "*NO\\_COLOR*\n\tNo colour, whatever the terminal can do.\n\n");
    str_add(text,
            "# FILES\n\n*stoa.yaml*\n\tOptions of a project, environments, severities of rules: the one in "
            "this folder, or the nearest above, up to the root of the repository.");
    const char *before = " These options may stand in it: --";
    for (size_t i = 0; i < OPT_COUNT; i++)
        if (all_options[i].file) {
            str_addf(text, "%s%s", before, all_options[i].name);
            before = ", --";
        }
    str_add(text, ".\n\n");
    str_add(text,
            "# SIGNALS\n\n"
            "*SIGINT*, *SIGTERM*\n\tThe first one finishes the chunk, writes a checkpoint and exits 3. The "
            "second one cancels the running statement too.\n\n"
            "*SIGUSR1*\n\tPrints the status.\n\n"
            "*SIGHUP*\n\tEnds nothing. Settings are read from the journal all the time.\n\n");
    str_add(text, "# SEE ALSO\n\n*psql*(1)\n");
}

void help_man(Str *ret_text)
{
    str_add(ret_text,
            "stoa(1) \"stoa " STOA_VERSION "\"\n\n# NAME\n\n"
            "stoa - change the schema of live databases without downtime\n\n"
            "# SYNOPSIS\n\n*stoa* _VERB_ \\[_OPTION_\\]... \\[_ARGUMENT_\\]\n\n# DESCRIPTION\n\n"
            "Stoa adds columns, indexes and constraints to tables that an application goes on using. It "
            "asks the server what a change would do, makes a plan of small steps, and carries it out so "
            "that no statement of the application waits longer than a given time. Every step is written "
            "into a journal in the database; what was interrupted is resumed.\n\n");
    for (int group = GROUP_LOOK; group <= GROUP_SELF; group++) {
        str_addf(ret_text, "# VERBS: %s\n\n", verb_group_name((VerbGroup)group));
        for (size_t i = 0; i < VERB_COUNT; i++)
            if ((int)verbs[i].group == group)
                add_verb(ret_text, &verbs[i]);
    }
    str_add(ret_text, "# OPTIONS\n\nDurations carry a unit: 200ms, 10s, 5m, 2h, 1d. Values follow as "
                      "*--option value* or *--option=value*; *--* ends the options.\n\n");
    for (int group = OPTIONS_WHERE; group <= OPTIONS_OUTPUT; group++) {
        str_addf(ret_text, "## %s\n\n", option_group_name((OptionGroup)group));
        for (size_t i = 0; i < OPT_COUNT; i++)
            if ((int)all_options[i].group == group)
                add_option(ret_text, &all_options[i]);
    }
    add_ends(ret_text);
}
