/* mix.h — private to load/: the profile LOAD_MIX. */
#pragma once
#include "load/load.h"

typedef struct Session Session;
Err *mix_item(Session *session) MUST_USE;
