/* approve.h — approvals in the event log, and whether there are enough. Private to run/. */
#pragma once
#include "run/runner.h"

/* ERR_UNSAFE where fewer than options->approvals others have approved exactly this plan: says who has, and
 * why what else is there does not count. Else *ret_detail says who (for the event "approved"), NULL where
 * none are needed. */
Err *approval_check(Runner *runner, const Plan *plan, json_t **ret_detail) MUST_USE;
