/* The plain profile: single statements by key, 60 % reads, 25 % updates, 15 % inserts. */
#include "load/row.h"

Err *plain_item(Session *session)
{
    int64_t choice = random_between(&session->random, 0, 99);
    int64_t id = random_between(&session->random, 1, atomic_load(&session->load->max_id));
    if (choice < 60) {
        Rows rows = {0};
        return row_select(session, id, &rows);
    }
    if (choice < 85)
        return choice % 2 == 0 ? row_update_amount(session, id, false) : row_update_other(session, id);
    RowValues values;
    row_values(session, 0, &values);
    return row_insert(session, &values);
}
