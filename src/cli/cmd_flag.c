/* stoa flag: shows what is answered for flags, and lets operators say what they want. */
#include "cli/session.h"
#include "serve/flagset.h"

#include <string.h>

/* The flags of the journal as it is now. */
static Err *make_set(const RunOptions *options, Arena *arena, FlagSet **ret_set)
{
    RunView *view = NULL;
    json_t *changes = NULL, *events = NULL;
    TRY(run_view_open(options, &view));
    Err *err = run_view_look(view, arena, -1, &changes, &events);
    if (err == NULL) {
        const Server *server = run_view_server(view);
        *ret_set = flagset_make(&(FlagSource){.changes = changes,
                                              .said = run_view_flags(view),
                                              .database = server->database,
                                              .system = server->system_id});
        json_decref(changes);
        json_decref(events);
    }
    run_view_close(view);
    return err;
}

static void show_one(Page *page, const json_t *flag)
{
    const json_t *said = json_object_get(flag, "said"), *value = json_object_get(flag, "value");
    const char *text = json_is_string(value) ? json_string_value(value)
                       : json_is_true(value) ? "true"
                                             : "false";
    double share = json_number_value(json_object_get(flag, "share"));
    page_put(page, json_is_true(value) ? STYLE_GREEN : STYLE_PLAIN, text);
    page_to(page, 10);
    page_put(page, STYLE_BOLD, json_string_value(json_object_get(flag, "key")));
    page_putf(page, STYLE_DIM, "  %s", json_string_value(json_object_get(flag, "change")));
    if (json_is_true(json_object_get(flag, "off")))
        page_put(page, STYLE_YELLOW, "  off");
    else if (share < 100)
        page_putf(page, STYLE_YELLOW, "  %g%%", share);
    if (json_is_object(said))
        page_putf(page, STYLE_DIM, "  (%s, %.16s)", json_string_value(json_object_get(said, "account")),
                  json_string_value(json_object_get(said, "at")));
    page_newline(page);
}

/* All, or the one. */
static void show(Cli *cli, const FlagSet *set, const Flag *flag)
{
    json_t *all = flagset_told(set), *list = json_array(), *each = NULL;
    Page page = term_lines_out(&cli->term);
    size_t i = 0;
    json_array_foreach(all, i, each)
    {
        if (flag != NULL && strcmp(json_string_value(json_object_get(each, "key")), flag->key) != 0)
            continue;
        json_array_append(list, each);
        show_one(&page, each);
    }
    if (cli->term.json) {
        json_t *told = json_pack("{s:i, s:O}", "v", 1, "flags", list);
        term_json(&cli->term, told, false);
        json_decref(told);
        page_donep(&page);
    } else {
        term_show_out(&cli->term, &page);
    }
    json_decref(list);
    json_decref(all);
}

static Err *say(Cli *cli, const RunOptions *options, const Flag *flag, const char *word)
{
    bool share = flag_share_read(word) >= 0;
    if (!share && strcmp(word, "on") != 0 && strcmp(word, "off") != 0)
        return err_hint(err_new(ERR_USAGE, "a flag is set on, off or to a share, not \"%s\"", word),
                        "stoa flag %s 25%%", flag->key);
    if (share && flag->kind == FLAG_STAGE)
        return err_new(ERR_USAGE, "a stage is the same for everybody: it has no share");
    FlagWish wish = {
        .key = flag->key, .change = flag->change, .set = word, .reason = cli_setting(cli, OPT_REASON)->text};
    TRY(run_flag(options, cli->arena, &wish));
    session_done(cli, "flag", flag->key,
                 strcmp(word, "on") == 0    ? "says again what the journal says"
                 : strcmp(word, "off") == 0 ? "is off for everybody until \"stoa flag … on\""
                                            : "is for a share of the targets, once it is true");
    return NULL;
}

static Err *show_or_say(Cli *cli, const RunOptions *options, const FlagSet *set)
{
    const char *key = cli->args.positional, *why = "";
    const Flag *flag = key == NULL ? NULL : flagset_find(set, cli->arena, key, &why);
    if (key != NULL && flag == NULL)
        return err_hint(err_new(ERR_USAGE, "flag \"%s\": %s", key, why), "\"stoa flag\" lists them");
    if (cli->args.positional_count == 2)
        return say(cli, options, flag, cli->args.positionals[1]);
    show(cli, set, flag);
    return NULL;
}

Err *cmd_flag(Cli *cli)
{
    RunOptions options;
    FlagSet *set = NULL;
    TRY(session_options(cli, &options));
    TRY(make_set(&options, cli->arena, &set));
    Err *err = show_or_say(cli, &options, set);
    flagset_free(set);
    return err;
}
