/* The demo from the first initdb to the last removed file. */
#include "demo/demo.h"

Err *demo_run(const DemoOptions *options, Arena *arena, json_t **ret_json)
{
    (void)options, (void)arena, (void)ret_json;
    return err_new(ERR_CONFIG, "the demo is not built in yet");
}

char *demo_table(Arena *arena, const json_t *json)
{
    (void)json;
    return arena_dup(arena, "");
}
