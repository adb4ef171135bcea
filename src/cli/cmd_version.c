/* stoa version. */
#include "cli/cli.h"

#include "base/revision.h"

Err *cmd_version(Cli *cli)
{
    if (cli->term.json) {
        json_t *object =
            json_pack("{s:i, s:s, s:s}", "v", 1, "version", STOA_VERSION, "revision", stoa_revision);
        term_json(&cli->term, object, true);
        json_decref(object);
        return NULL;
    }
    Page page = term_page_out(&cli->term);
    page_put(&page, STYLE_PLAIN, "stoa " STOA_VERSION "\n");
    term_show_out(&cli->term, &page);
    return NULL;
}
