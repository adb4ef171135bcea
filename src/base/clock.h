/* clock.h — monotonic time inside, wall clock for display and journal only. */
#pragma once
#include <pthread.h>
#include <stdint.h>
#include <time.h>

int64_t clock_ms(void);      /* monotonic milliseconds */
int64_t clock_us(void);      /* monotonic microseconds */
int64_t clock_wall_us(void); /* microseconds since 1970, by the time of day */
/* A condition whose waits end by that clock, whatever happens to the time of day; and when one of `ms` ends.
 */
void clock_condition_init(pthread_cond_t *condition);
struct timespec clock_after(int64_t ms);
/* "2026-11-20T21:04:31Z" into `ret_text`, which holds CLOCK_TEXT_BYTES. */
enum { CLOCK_TEXT_BYTES = 32 };
void clock_wall_text(char *ret_text);
