/* Copying a table into its shadow. */
#include "run/runner.h"

Err *shadow_capture(Runner *runner UNUSED, const Step *step UNUSED) { return err_new(ERR_BUG, "no shadow"); }
Err *shadow_copy(Runner *runner UNUSED, const Step *step UNUSED) { return err_new(ERR_BUG, "no shadow"); }
Err *shadow_compare(Runner *runner UNUSED, const Step *step UNUSED) { return err_new(ERR_BUG, "no shadow"); }
Err *shadow_swap(Runner *runner UNUSED, const Step *step UNUSED) { return err_new(ERR_BUG, "no shadow"); }
