/* hide.h — brown-outs on PostgreSQL: by privileges (hide_acl.c) or by another name (hide.c). */
#pragma once
#include "engine/postgres/catalog.h"

/* Members of EngineOps. */
Err *pg_hide_plan(Conn *conn, const Wait *wait, Arena *arena, const Server *server,
                  const HideRequest *request, HidePlan *ret_plan) MUST_USE;
Err *pg_hide(Conn *conn, const Target *target, const Wait *wait, const char *body, const HideLimits *limits,
             bool *ret_done) MUST_USE;
Err *pg_show(Conn *conn, const Target *target, const Wait *wait, const char *body, const HideLimits *limits,
             bool *ret_done) MUST_USE;

/* hide_acl.c: the same by privileges; `body` is what acl_plan made of the request. */
Err *acl_plan(Conn *conn, const Wait *wait, Arena *arena, const HideRequest *request, const Table *table,
              HidePlan *ret_plan) MUST_USE;
/* ERR_SERIALIZE where the privileges are no longer those of the plan. */
Err *acl_hide(Conn *conn, const Wait *wait, const json_t *body) MUST_USE;
Err *acl_show(Conn *conn, const Wait *wait, const json_t *body) MUST_USE;
