/* standin.h — a definition from SHOW CREATE TABLE alone, until there is one that tells every difference. */
#pragma once
#include "engine/engine.h"

Err *my_definition(Conn *conn, const Wait *wait, Arena *arena, const char *schema, const char *name,
                   const char **ret_text) MUST_USE;
