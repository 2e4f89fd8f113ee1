/* The clock and the timer: the generic timer's virtual counter, which EL1 has whoever booted us; all CPUs share it (Arm ARM D11). */
#include <arch.h>

#include "cpu_regs.h"
#include "local.h"

#define NS_PER_S 1000000000u
#define TICKS_SHIFT 28
#define CTL_ENABLE 1u

static uint64_t ticks_mult; /* ticks = ns * ticks_mult >> TICKS_SHIFT */

static uint64_t counter(void)
{
    isb(); /* not before what comes before */
    return SYSREG_READ(cntvct_el0);
}

uint64_t arch_time_now_ns(void)
{
    return (uint64_t)((unsigned __int128)(counter() - clock_page.base) * clock_page.mult >>
                      CLOCK_PAGE_SHIFT);
}

void arch_timer_arm(uint64_t deadline_ns)
{
    if (deadline_ns == UINT64_MAX) {
        time_silence();
        return;
    }
    unsigned __int128 ticks = ((unsigned __int128)deadline_ns * ticks_mult >> TICKS_SHIFT) + 1;

    /* Far beyond any machine's life is never. */
    SYSREG_WRITE(cntv_cval_el0,
                 clock_page.base + (ticks > INT64_MAX ? (uint64_t)INT64_MAX : (uint64_t)ticks));
    SYSREG_WRITE(cntv_ctl_el0, CTL_ENABLE);
    isb();
}

void time_silence(void)
{
    SYSREG_WRITE(cntv_ctl_el0, 0);
    isb();
}

void time_cpu_init(void)
{
    time_silence();
}

INIT_TEXT void time_init(void)
{
    uint64_t hz = SYSREG_READ(cntfrq_el0);

    if (hz < 1000 || hz > 100000000000ull)
        panic("the generic timer says that it runs at %llu Hz", (unsigned long long)hz);
    clock_page.base = counter();
    ticks_mult = (hz << TICKS_SHIFT) / NS_PER_S;
    clock_page.mult = ((uint64_t)NS_PER_S << CLOCK_PAGE_SHIFT) / hz;
    clock_page.flags = CLOCK_PAGE_COUNTER; /* CNTKCTL_EL1: cpu.c */
    time_cpu_init();
    klog("time: generic timer at %llu kHz", (unsigned long long)(hz / 1000));
}
