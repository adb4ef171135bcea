/* The table of functions that run/ asks for. */
#include "engine/mysql/shadow_my.h"

#include "engine/mysql/swap.h"

const ShadowOps my_shadow_ops = {
    .next = my_shadow_next,
    .copy = my_shadow_copy,
    .apply = my_shadow_apply,
    .owed = my_shadow_owed,
    .compare = my_shadow_compare,
    .compare_keys = my_shadow_compare_keys,
    .empty = my_shadow_empty,
    .key_text = my_shadow_key_text,
    .fraction = my_shadow_fraction,
    .capture_begin = my_capture_begin,
    .capture_end = my_capture_end,
    .capture_open = my_capture_open,
    .capture_close = my_capture_close,
    .capture_next = my_capture_next,
    .capture_applied = my_capture_applied,
    .capture_mark = my_capture_mark,
    .capture_reached = my_capture_reached,
    .swap = my_swap,
    .swap_state = my_swap_state,
    .swap_clear = my_swap_clear,
};
