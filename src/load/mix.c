/* Statements given by the caller, by their shares, over rows that have numbers. */
#include "load/mix.h"

#include "load/session.h"

static const LoadItem *choose(const LoadConfig *config, Random *random)
{
    double all = 0, at = 0;
    for (size_t i = 0; i < config->item_count; i++)
        all += config->items[i].share;
    double chance = (double)(random_next(random) >> 11) / (double)(1ULL << 53) * all;
    for (size_t i = 0; i + 1 < config->item_count; i++) {
        at += config->items[i].share;
        if (chance < at)
            return &config->items[i];
    }
    return &config->items[config->item_count - 1];
}

Err *mix_item(Session *session)
{
    const LoadConfig *config = &session->load->config;
    const LoadItem *item = choose(config, &session->random);
    int64_t last = config->row_count > 0 ? config->row_count - 1 : 0;
    int64_t row =
        item->fresh ? atomic_fetch_add(&session->load->max_id, 1) : random_between(&session->random, 0, last);
    const char *params[2] = {
        arena_printf(session->arena, "%lld", (long long)row),
        arena_printf(session->arena, "%lld", (long long)random_between(&session->random, 0, last))};
    Rows rows = {0};
    return session_query(session, item->sql, (size_t)item->param_count, params, &rows);
}
