/* hide.h — brown-outs on MySQL and MariaDB: another name, INVISIBLE, IGNORED. Members of EngineOps. */
#pragma once
#include "engine/engine.h"

Err *my_hide_plan(Conn *conn, const Wait *wait, Arena *arena, const Server *server,
                  const HideRequest *request, HidePlan *ret_plan) MUST_USE;
Err *my_hide(Conn *conn, const Target *target, const Wait *wait, const char *body, const HideLimits *limits,
             bool *ret_done) MUST_USE;
Err *my_show(Conn *conn, const Target *target, const Wait *wait, const char *body, const HideLimits *limits,
             bool *ret_done) MUST_USE;
