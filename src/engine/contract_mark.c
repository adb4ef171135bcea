/* The contract's place in a comment: whatever begins with the mark and ends with the text's only bracket
 * behind it. */
#include "engine/contract_mark.h"

#include <string.h>

size_t contract_mark_at(const char *text, size_t len)
{
    size_t mark_len = strlen(CONTRACT_MARK);
    if (len < mark_len || text[len - 1] != ']')
        return len;
    for (size_t at = len - 1; at > 0; at--) {
        if (text[at - 1] == ']')
            return len;
        if (len - (at - 1) < mark_len || memcmp(text + at - 1, CONTRACT_MARK, mark_len) != 0)
            continue;
        at--;
        return at > 0 && text[at - 1] == ' ' ? at - 1 : at;
    }
    return len;
}
