#include "base/revision.h"

const char *stoa_revision = "unknown";
