/* clock.h — monotonic time inside, wall clock for display and journal only. */
#pragma once
#include <stdint.h>

int64_t clock_ms(void); /* monotonic milliseconds */
int64_t clock_us(void); /* monotonic microseconds */
/* "2026-11-20T21:04:31Z" into `ret_text`, which holds CLOCK_TEXT_BYTES. */
enum { CLOCK_TEXT_BYTES = 32 };
void clock_wall_text(char *ret_text);
