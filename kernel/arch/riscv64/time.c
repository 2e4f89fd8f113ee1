/* The clock: the time register, which all harts share, scaled to nanoseconds since time_init(). The timer of each hart is its
 * stimecmp (extension Sstc), or the firmware's (SBI TIME), which costs a call.
 *
 * A deadline that has passed keeps the interrupt pending until it is replaced; so it is masked when it comes, and let in again
 * by the next arch_timer_arm(). */
#include <arch.h>
#include <boot.h>

#include "csr.h"
#include "local.h"

#define NS_PER_S 1000000000ull
#define HZ_MIN 1000u
#define HZ_MAX 4000000000u

static uint64_t ticks_per_s;

uint64_t arch_time_now_ns(void)
{
    /* Reading the counter is a device's input to a fence (unprivileged specification, Zicsr). */
    __asm__ volatile("fence r, i" : : : "memory");
    return (uint64_t)((unsigned __int128)(csr_read("time") - clock_page.base) * clock_page.mult >>
                      CLOCK_PAGE_SHIFT);
}

/** The first tick that is not before @time_ns: exactly, or a timer set for much later would come early, again and again. */
static uint64_t ticks_at(uint64_t time_ns)
{
    uint64_t seconds = time_ns / NS_PER_S;

    if (seconds >= UINT64_MAX / 2 / ticks_per_s)
        return UINT64_MAX;
    return clock_page.base + seconds * ticks_per_s + time_ns % NS_PER_S * ticks_per_s / NS_PER_S +
           1;
}

void arch_timer_arm(uint64_t deadline_ns)
{
    uint64_t ticks = ticks_at(deadline_ns);

    if (isa.sstc)
        csr_write(CSR_STIMECMP, ticks);
    else
        (void)sbi_call(SBI_TIME, 0, ticks, 0, 0);
    csr_set("sie", SIE_TIMER);
}

INIT_TEXT void time_init(void)
{
    struct boot_fdt_node cpus_node;
    uint32_t hz =
        boot_fdt_path("/cpus", &cpus_node) ? boot_fdt_u32(&cpus_node, "timebase-frequency", 0) : 0;

    if (hz < HZ_MIN || hz > HZ_MAX)
        panic("device tree: no timebase-frequency of a clock that runs");
    clock_page.base = csr_read("time");
    clock_page.mult =
        ((NS_PER_S << CLOCK_PAGE_SHIFT) + hz - 1) / hz; /* rather ahead: no timer comes early */
    clock_page.flags = CLOCK_PAGE_COUNTER;              /* scounteren: cpu.c */
    ticks_per_s = hz;
    klog("time: %u Hz, %s", hz, isa.sstc ? "stimecmp" : "the firmware's timer");
}
