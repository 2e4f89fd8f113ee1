/* The clock: the TSC, scaled to nanoseconds since time_init().
 *
 * How fast it runs comes, best first, from CPUID (leaf 0x15, or the hypervisor's 0x40000010), from the local APIC's timer where an emulator
 * runs that at 1 GHz exactly (QEMU's TCG and KVM do), or from the 8254. Under TCG's instruction counting the TSC is 1 GHz by definition and
 * a short look recognises it, since there each nanosecond of measuring is an instruction executed.
 * All CPUs are taken to have the same TSC, as every invariant one has. Programs read it only where CPUID says that it is one (CR4.TSD is
 * never set, so they may); elsewhere they ask the kernel, whose clock might have to be another one there. */
#include <arch.h>

#include "cpu_regs.h"
#include "local.h"

#define GHZ 1000000000u
#define NS_PER_S 1000000000u
#define TICKS_SHIFT 28

#define PIT_HZ 1193182u
#define PIT_CHANNEL_2 0x42u
#define PIT_COMMAND 0x43u
#define PORT_SPEAKER 0x61u
#define PIT_WAIT_MS 10u

#define HYPERVISOR_LEAF 0x40000000u
#define HYPERVISOR_TIMING_LEAF 0x40000010u

static uint64_t tsc_hz;
static uint64_t ticks_mult; /* ticks = ns * ticks_mult >> TICKS_SHIFT */

uint64_t arch_time_now_ns(void)
{
    __asm__ volatile("lfence" : : : "memory"); /* rdtsc may else go before (SDM vol. 2B) */
    return (uint64_t)((unsigned __int128)(tsc_read() - clock_page.base) * clock_page.mult >>
                      CLOCK_PAGE_SHIFT);
}

uint64_t time_to_tsc(uint64_t time_ns)
{
    return clock_page.base + (uint64_t)((unsigned __int128)time_ns * ticks_mult >> TICKS_SHIFT);
}

/* ── Calibration ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/** What CPUID says of the TSC, or 0. */
static uint64_t cpuid_tsc_hz(void)
{
    if (cpuid(0, 0).eax >= 0x15) {
        struct cpuid ratio = cpuid(0x15, 0);

        if (ratio.eax != 0 && ratio.ebx != 0 && ratio.ecx != 0)
            return (uint64_t)ratio.ecx * ratio.ebx / ratio.eax;
    }
    return 0;
}

struct hypervisor {
    bool emulator; /* QEMU's TCG or KVM: the APIC timer runs at 1 GHz */
    bool tcg;
    uint64_t tsc_hz, apic_hz; /* 0: not said */
};

static struct hypervisor hypervisor_find(void)
{
    struct hypervisor found = {0};

    if (!(cpuid(1, 0).ecx & (1u << 31)))
        return found;
    struct cpuid head = cpuid(HYPERVISOR_LEAF, 0);

    found.tcg = head.ebx == 0x54474354u && head.ecx == 0x43544743u; /* "TCGT" "CGTC" "GTCG" */
    found.emulator =
        found.tcg || (head.ebx == 0x4b4d564bu && head.ecx == 0x564b4d56u); /* "KVMK" "VMKV" "M" */
    if (!found.tcg && head.eax >= HYPERVISOR_TIMING_LEAF) {
        struct cpuid timing = cpuid(HYPERVISOR_TIMING_LEAF, 0);

        found.tsc_hz = (uint64_t)timing.eax * 1000;
        found.apic_hz = (uint64_t)timing.ebx * 1000;
    }
    return found;
}

struct sample {
    uint64_t tsc;
    uint32_t count;
};

/** TSC and APIC counter at one moment: the closest of a few looks. */
static INIT_TEXT struct sample sample_take(void)
{
    struct sample best = {0};
    uint64_t best_width = UINT64_MAX;

    for (int i = 0; i < 5; i++) {
        uint64_t before = tsc_read();
        uint32_t count = apic_timer_count();
        uint64_t width = tsc_read() - before;

        if (width < best_width) {
            best_width = width;
            best = (struct sample){before + width / 2, count};
        }
    }
    return best;
}

/** TSC rate against the APIC timer at 1 GHz, over @ns. */
static INIT_TEXT uint64_t measure_by_apic(uint32_t ns)
{
    apic_timer_start_raw(UINT32_MAX);
    struct sample first = sample_take();

    while (first.count - apic_timer_count() < ns)
        arch_cpu_relax();
    struct sample last = sample_take();

    apic_timer_start_raw(0);
    return (last.tsc - first.tsc) * GHZ / (first.count - last.count);
}

/** Both rates against the 8254. */
static void measure_by_pit(uint64_t *tsc, uint64_t *apic)
{
    uint32_t ticks = PIT_HZ * PIT_WAIT_MS / 1000;

    port_out8(PORT_SPEAKER,
              (uint8_t)((port_in8(PORT_SPEAKER) & ~2u) | 1u)); /* gate on, speaker off */
    port_out8(PIT_COMMAND, 0xb0);                              /* channel 2, both bytes, mode 0 */
    port_out8(PIT_CHANNEL_2, (uint8_t)ticks);
    apic_timer_start_raw(UINT32_MAX);
    uint64_t tsc_before = tsc_read();

    port_out8(PIT_CHANNEL_2, (uint8_t)(ticks >> 8));
    while (!(port_in8(PORT_SPEAKER) & 0x20))
        ;
    uint64_t tsc_after = tsc_read();
    uint32_t count = apic_timer_count();

    apic_timer_start_raw(0);
    *tsc = (tsc_after - tsc_before) * (1000 / PIT_WAIT_MS);
    *apic = (uint64_t)(UINT32_MAX - count) * (1000 / PIT_WAIT_MS);
}

static bool is_within(uint64_t value, uint64_t expected, uint64_t parts_per_million)
{
    uint64_t off = value > expected ? value - expected : expected - value;

    return off * 1000000 <= expected * parts_per_million;
}

/** Does the TSC run at one rate, whatever the CPU does? TCG's does, and does not say so (CPUID 0x80000007). */
static bool tsc_is_invariant(const struct hypervisor *hypervisor)
{
    return hypervisor->tcg ||
           (cpuid(0x80000000u, 0).eax >= 0x80000007u && (cpuid(0x80000007u, 0).edx & 1u << 8) != 0);
}

static void rates_find(uint64_t *tsc, uint64_t *apic)
{
    struct hypervisor hypervisor = hypervisor_find();

    if (tsc_is_invariant(&hypervisor))
        clock_page.flags = CLOCK_PAGE_COUNTER;
    *tsc = hypervisor.tsc_hz != 0 ? hypervisor.tsc_hz : cpuid_tsc_hz();
    *apic = hypervisor.apic_hz != 0 ? hypervisor.apic_hz : hypervisor.emulator ? GHZ : 0;
    if (*tsc != 0 && (*apic != 0 || apic_has_deadline))
        return;
    if (*apic != GHZ) {
        uint64_t measured_tsc;

        measure_by_pit(&measured_tsc, apic);
        if (*tsc == 0)
            *tsc = measured_tsc;
        return;
    }
    *tsc = measure_by_apic(100000);
    if (hypervisor.tcg && is_within(*tsc, GHZ, 500))
        *tsc = GHZ;
    else
        *tsc = measure_by_apic(10000000);
}

INIT_TEXT void time_init(void)
{
    uint64_t apic_hz;

    rates_find(&tsc_hz, &apic_hz);
    if (tsc_hz < 1000000)
        panic("the time-stamp counter does not run");
    clock_page.base = tsc_read();
    ticks_mult = (tsc_hz << TICKS_SHIFT) / NS_PER_S;
    clock_page.mult = ((uint64_t)NS_PER_S << CLOCK_PAGE_SHIFT) / tsc_hz;
    apic_timer_set_rate(apic_hz);
    klog("time: TSC at %llu kHz%s%s", (unsigned long long)(tsc_hz / 1000),
         clock_page.flags == 0 ? ", not invariant" : "",
         apic_has_deadline ? ", deadline timer" : "");
}
