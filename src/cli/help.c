/* Help for people, from the tables. */
#include "cli/help.h"

#include "cli/exit.h"

#include <assert.h>

enum { VERB_COLUMN = 13, OPTION_COLUMN = 30 };

void help_option_name(Str *ret_text, const Option *option)
{
    if (option->letter != 0)
        str_addf(ret_text, "-%c, ", option->letter);
    str_addf(ret_text, "%s%s", option->file_only ? "" : "--", option->name);
    if (option->metavar != NULL)
        str_addf(ret_text, option->kind == VALUE_MAYBE ? "[=%s]" : " %s", option->metavar);
}

void help_overview(Page *page)
{
    page_put(page, STYLE_BOLD, "stoa");
    page_put(page, STYLE_PLAIN, " — change the schema of live databases without downtime\n\n");
    page_put(page, STYLE_PLAIN, "usage: stoa VERB [OPTION]… [ARGUMENT]\n");
    for (int group = GROUP_LOOK; group <= GROUP_SELF; group++) {
        page_newline(page);
        page_put(page, STYLE_CYAN, verb_group_name((VerbGroup)group));
        page_newline(page);
        for (size_t i = 0; i < VERB_COUNT; i++) {
            if ((int)verbs[i].group != group)
                continue;
            page_to(page, 2);
            page_put(page, STYLE_BOLD, verbs[i].name);
            page_to(page, VERB_COLUMN);
            page_wrap(page, STYLE_PLAIN, VERB_COLUMN, verbs[i].summary);
            page_newline(page);
        }
    }
    page_put(page, STYLE_PLAIN, "\n\"stoa help VERB\" explains one; \"stoa demo\" shows it at work.\n");
}

static void show_option(Page *page, const Option *option, VerbId verb)
{
    CLEANUP(str_donep) Str name = STR_INIT, text = STR_INIT;
    help_option_name(&name, option);
    page_to(page, option->letter != 0 ? 2 : 6);
    page_put(page, STYLE_BOLD, name.buf);
    if (page->column >= OPTION_COLUMN)
        page_newline(page);
    page_to(page, OPTION_COLUMN);
    str_add(&text, option->help);
    if (option->choices != NULL)
        str_addf(&text, " (%s)", option_choices(option, verb));
    if (option->fallback != NULL)
        str_addf(&text, " [%s]", option->fallback);
    if (option->env != NULL)
        str_addf(&text, " [$%s]", option->env);
    if (option->file)
        str_add(&text, option->file_only ? " [file only]" : " [file]");
    page_wrap(page, STYLE_PLAIN, OPTION_COLUMN, text.buf);
    page_newline(page);
}

static void show_options(Page *page, const Verb *verb)
{
    VerbId id = (VerbId)(verb - verbs);
    for (int group = OPTIONS_WHERE; group <= OPTIONS_OUTPUT; group++) {
        bool titled = false;
        for (size_t i = 0; i < OPT_COUNT; i++) {
            if ((int)all_options[i].group != group || !option_for_verb(&all_options[i], id))
                continue;
            if (!titled) {
                page_newline(page);
                page_put(page, STYLE_CYAN, option_group_name((OptionGroup)group));
                page_newline(page);
            }
            titled = true;
            show_option(page, &all_options[i], id);
        }
    }
}

void help_verb(Page *page, const Verb *verb)
{
    page_putf(page, STYLE_BOLD, "stoa %s", verb->name);
    page_putf(page, STYLE_PLAIN, " — %s\n\n", verb->summary);
    page_putf(page, STYLE_PLAIN, "usage: stoa %s [OPTION]…%s%s\n\n", verb->name,
              verb->synopsis[0] == '\0' ? "" : " ", verb->synopsis);
    page_wrap(page, STYLE_PLAIN, 0, verb->details);
    page_newline(page);
    if (verb->example != NULL) {
        page_newline(page);
        page_put(page, STYLE_CYAN, "Example");
        page_newline(page);
        page_to(page, 2);
        for (const char *at = verb->example; *at != '\0'; at++) {
            page_putf(page, STYLE_PLAIN, "%c", *at);
            if (*at == '\n')
                page_to(page, 2);
        }
        page_newline(page);
    }
    show_options(page, verb);
}

json_t *help_tables(void)
{
    json_t *verb_list = json_array(), *option_list = json_array(), *exit_list = json_array();
    for (size_t i = 0; i < VERB_COUNT; i++) {
        json_t *names = json_array();
        for (size_t j = 0; j < OPT_COUNT; j++)
            if (option_for_verb(&all_options[j], (VerbId)i) && !all_options[j].file_only)
                (void)json_array_append_new(names, json_string(all_options[j].name));
        (void)json_array_append_new(verb_list,
                                    json_pack("{s:s, s:s, s:s, s:s, s:o}", "name", verbs[i].name, "group",
                                              verb_group_name(verbs[i].group), "synopsis", verbs[i].synopsis,
                                              "summary", verbs[i].summary, "options", names));
    }
    static const char *const kinds[] = {"flag",   "duration", "count", "whole", "text", "file",
                                        "choice", "url",      "list",  "urls",  "maybe"};
    static_assert(ARRAY_LEN(kinds) == VALUE_MAYBE + 1, "a name for every kind of value");
    for (size_t i = 0; i < OPT_COUNT; i++)
        (void)json_array_append_new(
            option_list,
            json_pack("{s:s, s:s, s:s?, s:s?, s:s?, s:b, s:b, s:s?, s:s}", "name", all_options[i].name,
                      "kind", kinds[all_options[i].kind], "metavar", all_options[i].metavar, "default",
                      all_options[i].fallback, "env", all_options[i].env, "file", (int)all_options[i].file,
                      "file_only", (int)all_options[i].file_only, "choices", all_options[i].choices, "help",
                      all_options[i].help));
    for (size_t i = 0; i < exit_info_count; i++)
        (void)json_array_append_new(
            exit_list, json_pack("{s:i, s:s}", "code", exit_infos[i].code, "meaning", exit_infos[i].meaning));
    return json_pack("{s:i, s:o, s:o, s:o}", "v", 1, "verbs", verb_list, "options", option_list, "exit_codes",
                     exit_list);
}
