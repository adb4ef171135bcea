/* Statements that commit by themselves. */
#include "run/runner.h"

Err *alter_run(Runner *runner UNUSED, const Step *step UNUSED) { return err_new(ERR_BUG, "no alter"); }
Err *alter_undo(Runner *runner UNUSED, const Step *step UNUSED) { return err_new(ERR_BUG, "no alter"); }
