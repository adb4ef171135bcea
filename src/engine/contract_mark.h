/* contract_mark.h — where a column's contract stands in its comment: "… [stoa: owner payments]". Pure. */
#pragma once
#include <stddef.h>

#define CONTRACT_MARK "[stoa: "

/* Where it begins at the end of `text`, the one space before it included; `len` where there is none. What
 * stands before is somebody else's. Quotes may be doubled there, as in SQL. */
size_t contract_mark_at(const char *text, size_t len);
