#include "engine/ladder.h"

const char *rung_name(Rung rung)
{
    switch (rung) {
    case RUNG_INSTANT:
        return "instant";
    case RUNG_METADATA:
        return "metadata only";
    case RUNG_NOCOPY:
        return "nocopy";
    case RUNG_INPLACE:
        return "inplace";
    case RUNG_ONLINE_COPY:
        return "online copy";
    case RUNG_SHARED:
        return "writers wait";
    case RUNG_EXCLUSIVE:
        return "readers and writers wait";
    case RUNG_REFUSED:
        return "refused";
    }
    return "unknown";
}
