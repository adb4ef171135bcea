/* stoa completion: prints the script that completes verbs, options and values. */
#include "cli/cli.h"
#include "cli/help.h"

Err *cmd_completion(Cli *cli)
{
    (void)cli;
    CLEANUP(str_donep) Str text = STR_INIT;
    help_completion(&text);
    (void)fwrite(text.buf, 1, text.len, stdout);
    return NULL;
}
