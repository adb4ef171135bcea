/* The words for the ways of hiding. */
#include "engine/hide.h"

const char *hide_by_name(HideBy by)
{
    switch (by) {
    case HIDE_BY_DEFAULT:
        return "default";
    case HIDE_BY_PRIVILEGES:
        return "privileges";
    case HIDE_BY_RENAME:
        return "rename";
    case HIDE_BY_INVISIBLE:
        return "invisible";
    case HIDE_BY_NONE:
        return "none";
    }
    return "unknown";
}
