#pragma once
/* Time: nanoseconds of the monotonic clock, which begins at 0 when the machine starts. */
#include <arch_counter.h>
#include <stdbool.h>
#include <stdint.h>
#include <veridian/abi.h>

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

/** *@now_ns as system.clock would give it now, from @page, without entering the kernel. False: the kernel must be asked. */
static inline bool clock_page_now(const struct clock_page *page, uint64_t *now_ns)
{
    if ((page->flags & CLOCK_PAGE_COUNTER) == 0) {
        return false;
    }
    *now_ns = (uint64_t)((unsigned __int128)(arch_counter() - page->base) * page->mult >>
                         CLOCK_PAGE_SHIFT);
    return true;
}

/** Now: by the clock page, that is "self.clock", which the first call maps, or by the kernel. Never before what any thread of any program
 *  was told before, whichever way. */
uint64_t clock_now_ns(void);
/** The deadline @ns from now; DEADLINE_NEVER if that is beyond all time. */
uint64_t clock_deadline(uint64_t ns);
/** Wait for @ns. */
void clock_sleep(uint64_t ns);
