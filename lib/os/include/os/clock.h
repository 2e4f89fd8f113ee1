#pragma once
/* Time: nanoseconds of the monotonic clock, which begins at 0 when the machine starts. */
#include <stdint.h>

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

uint64_t clock_now_ns(void);
/** The deadline @ns from now; DEADLINE_NEVER if that is beyond all time. */
uint64_t clock_deadline(uint64_t ns);
/** Wait for @ns. */
void clock_sleep(uint64_t ns);
