/* The completion script for bash, from the tables. */
#include "cli/help.h"

static void add_verb_options(Str *text, VerbId verb)
{
    str_addf(text, "    %s)\n        options=\"", verbs[verb].name);
    for (size_t i = 0, count = 0; i < OPT_COUNT; i++)
        if (option_for_verb(&all_options[i], verb) && !all_options[i].file_only)
            str_addf(text, "%s--%s", count++ == 0 ? "" : " ", all_options[i].name);
    str_add(text, "\"\n        ;;\n");
}

static void add_words(Str *text, const char *choices)
{
    for (; *choices != '\0'; choices++)
        str_addn(text, *choices == '|' ? " " : choices, 1);
}

/* What may follow an option: its choices, a file, or something only the user knows. */
static void add_values(Str *text)
{
    for (size_t i = 0; i < OPT_COUNT; i++) {
        if (all_options[i].kind == VALUE_FLAG || all_options[i].kind == VALUE_MAYBE ||
            all_options[i].file_only)
            continue;
        str_addf(text, "    --%s", all_options[i].name);
        if (all_options[i].letter != 0)
            str_addf(text, " | -%c", all_options[i].letter);
        str_add(text, ")\n        ");
        if (all_options[i].kind == VALUE_FILE) {
            str_add(text, "COMPREPLY=($(compgen -f -- \"$current\"))\n        ");
        } else if (all_options[i].choices != NULL) {
            str_add(text, "COMPREPLY=($(compgen -W \"");
            add_words(text, all_options[i].choices);
            str_add(text, "\" -- \"$current\"))\n        ");
        }
        str_add(text, "return\n        ;;\n");
    }
}

static void add_verbs(Str *text)
{
    for (size_t i = 0; i < VERB_COUNT; i++)
        str_addf(text, "%s%s", i == 0 ? "" : " ", verbs[i].name);
}

void help_completion(Str *ret_text)
{
    str_add(ret_text,
            "# bash completion for stoa; made by \"stoa completion bash\"\n"
            "_stoa()\n{\n"
            "    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
            "    local verb=${COMP_WORDS[1]} options=\"\"\n"
            "    COMPREPLY=()\n"
            "    if [[ $current == = ]]; then\n        current=\"\"\n"
            "    elif [[ $before == = ]]; then\n        before=${COMP_WORDS[COMP_CWORD-2]}\n    fi\n"
            "    if ((COMP_CWORD == 1)); then\n        COMPREPLY=($(compgen -W \"");
    add_verbs(ret_text);
    str_add(ret_text, " --help --version\" -- \"$current\"))\n        return\n    fi\n"
                      "    case $before in\n");
    add_values(ret_text);
    str_add(ret_text, "    esac\n    case $verb in\n");
    for (int i = 0; i < VERB_COUNT; i++)
        add_verb_options(ret_text, (VerbId)i);
    str_add(ret_text, "    esac\n"
                      "    if [[ $current == -* ]]; then\n"
                      "        COMPREPLY=($(compgen -W \"$options\" -- \"$current\"))\n"
                      "    elif [[ $verb == help ]]; then\n        COMPREPLY=($(compgen -W \"");
    add_verbs(ret_text);
    str_add(ret_text, "\" -- \"$current\"))\n"
                      "    elif [[ $verb == completion ]]; then\n"
                      "        COMPREPLY=($(compgen -W \"bash\" -- \"$current\"))\n"
                      "    elif [[ $verb == check ]]; then\n"
                      "        COMPREPLY=($(compgen -f -- \"$current\"))\n    fi\n}\n"
                      "complete -F _stoa stoa\n");
}
