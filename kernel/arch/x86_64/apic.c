/* The local APIC: interrupts to and between CPUs, and the one-shot timer (SDM vol. 3, chapter 11).
 *
 * Registers are in memory, or with x2APIC, where the CPU has it, in MSRs; they are numbered alike, so that a register is named by its
 * memory offset throughout. The timer is the TSC deadline where present, else a counter of its own. */
#include <arch.h>
#include <arch_cpu.h>
#include <mm/kernelmap.h>

#include "cpu_regs.h"
#include "local.h"

#define APIC_ID 0x20u
#define APIC_TPR 0x80u
#define APIC_EOI 0xb0u
#define APIC_SPURIOUS 0xf0u
#define APIC_IRR 0x200u
#define APIC_ICR 0x300u
#define APIC_ICR_HIGH 0x310u
#define APIC_LVT_TIMER 0x320u
#define APIC_LVT_LINT0 0x350u
#define APIC_LVT_LINT1 0x360u
#define APIC_LVT_ERROR 0x370u
#define APIC_TIMER_START 0x380u
#define APIC_TIMER_COUNT 0x390u
#define APIC_TIMER_DIVIDE 0x3e0u

#define BASE_ENABLE (1ull << 11)
#define BASE_X2APIC (1ull << 10)
#define BASE_ADDRESS 0x000ffffffffff000ull
#define SPURIOUS_ENABLE (1u << 8)
#define LVT_MASKED (1u << 16)
#define LVT_NMI (4u << 8)
#define LVT_TIMER_DEADLINE (2u << 17)
#define DIVIDE_BY_1 0xbu
#define ICR_PENDING (1u << 12)
#define ICR_ASSERT (1u << 14)
#define ICR_NMI (4u << 8)
#define ICR_INIT (5u << 8)
#define ICR_STARTUP (6u << 8)
/* A timer farther off than this fires early and is armed again. */
#define TIMER_NS_MAX 3600000000000ull

/* The two legacy controllers: out of the way and silent. */
#define PIC_MASTER 0x20u
#define PIC_SLAVE 0xa0u
#define PIC_VECTOR 0x20u

bool apic_has_deadline;

static bool x2apic;
static volatile uint32_t *registers;
/* Timer ticks are nanoseconds * timer_mult >> 32. */
static uint64_t timer_mult;

static uint32_t apic_read(uint32_t at)
{
    if (x2apic)
        return (uint32_t)msr_read(MSR_X2APIC + (at >> 4));
    return device_read(&registers[at / 4]);
}

static void apic_write(uint32_t at, uint32_t value)
{
    if (x2apic)
        msr_write(MSR_X2APIC + (at >> 4), value);
    else
        device_write(&registers[at / 4], value);
}

static void icr_write(uint32_t target, uint32_t command)
{
    if (x2apic) {
        /* Stores before this must be seen by who gets the interrupt; the MSR write does not wait for them. */
        __asm__ volatile("mfence" : : : "memory");
        msr_write(MSR_X2APIC + (APIC_ICR >> 4), (uint64_t)target << 32 | command);
        return;
    }
    while (apic_read(APIC_ICR) & ICR_PENDING)
        arch_cpu_relax();
    apic_write(APIC_ICR_HIGH, target << 24);
    apic_write(APIC_ICR, command);
}

uint32_t apic_id(void)
{
    return x2apic ? apic_read(APIC_ID) : apic_read(APIC_ID) >> 24;
}

void apic_end_of_interrupt(void)
{
    apic_write(APIC_EOI, 0);
}

void apic_send(uint32_t target, uint32_t vector)
{
    icr_write(target, ICR_ASSERT | vector);
}

void apic_send_nmi(uint32_t target)
{
    icr_write(target, ICR_ASSERT | ICR_NMI);
}

void apic_send_init(uint32_t target)
{
    icr_write(target, ICR_ASSERT | ICR_INIT);
}

void apic_send_startup(uint32_t target, uint32_t page)
{
    icr_write(target, ICR_ASSERT | ICR_STARTUP | page);
}

uint32_t apic_requests(uint32_t word)
{
    return apic_read(APIC_IRR + 0x10 * word);
}

void arch_ipi_send(uint32_t id)
{
    apic_send(cpus[id]->arch_id, VECTOR_IPI);
}

bool arch_irq_pending(void)
{
    uint32_t words = __atomic_load_n(&arch_cpu_of(arch_cpu_local())->irq_words, __ATOMIC_RELAXED);

    for (; words != 0; words &= words - 1)
        if (apic_requests((uint32_t)__builtin_ctz(words)) != 0)
            return true;
    return false;
}

/* ── Timer ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

void apic_timer_start_raw(uint32_t count)
{
    apic_write(APIC_TIMER_START, count);
}

uint32_t apic_timer_count(void)
{
    return apic_read(APIC_TIMER_COUNT);
}

void apic_timer_set_rate(uint64_t ticks_per_second)
{
    timer_mult = (ticks_per_second << 20) / 1000000000u << 12;
    if (ticks_per_second == 1000000000u)
        timer_mult = 1ull << 32;
}

void arch_timer_arm(uint64_t deadline_ns)
{
    uint64_t now_ns = arch_time_now_ns();
    uint64_t delta_ns = deadline_ns > now_ns ? MIN(deadline_ns - now_ns, TIMER_NS_MAX) : 0;

    if (apic_has_deadline) {
        msr_write(MSR_TSC_DEADLINE, deadline_ns == UINT64_MAX ? 0 : time_to_tsc(now_ns + delta_ns));
        return;
    }
    if (deadline_ns == UINT64_MAX) {
        apic_write(APIC_TIMER_START, 0);
        return;
    }
    uint64_t ticks = (uint64_t)((unsigned __int128)delta_ns * timer_mult >> 32) + 1;

    apic_write(APIC_TIMER_START, (uint32_t)MIN(ticks, UINT32_MAX));
}

/* ── Bringing up ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static void pic_silence(void)
{
    port_out8(PIC_MASTER, 0x11); /* ICW1: cascade, ICW4 follows */
    port_out8(PIC_SLAVE, 0x11);
    port_out8(PIC_MASTER + 1, PIC_VECTOR);
    port_out8(PIC_SLAVE + 1, PIC_VECTOR + 8);
    port_out8(PIC_MASTER + 1, 4);
    port_out8(PIC_SLAVE + 1, 2);
    port_out8(PIC_MASTER + 1, 1);
    port_out8(PIC_SLAVE + 1, 1);
    port_out8(PIC_MASTER + 1, 0xff);
    port_out8(PIC_SLAVE + 1, 0xff);
}

INIT_TEXT void apic_init(void)
{
    struct cpuid basic = cpuid(1, 0);

    pic_silence();
    x2apic = (basic.ecx & (1u << 21)) != 0;
    apic_has_deadline = (basic.ecx & (1u << 24)) != 0;
    if (!x2apic) {
        paddr_t base =
            acpi_apic_base != 0 ? acpi_apic_base : msr_read(MSR_APIC_BASE) & BASE_ADDRESS;

        registers = kernelmap_device(base, PAGE_SIZE);
        if (registers == NULL)
            panic("cannot map the local APIC");
    }
    apic_cpu_init();
}

void apic_cpu_init(void)
{
    struct arch_cpu *arch = arch_cpu_of(arch_cpu_local());

    msr_write(MSR_APIC_BASE, msr_read(MSR_APIC_BASE) | BASE_ENABLE | (x2apic ? BASE_X2APIC : 0));
    apic_write(APIC_TPR, 0);
    apic_write(APIC_LVT_LINT0, LVT_MASKED);
    /* The machine's NMI goes to the boot CPU alone: one is enough to report it. */
    apic_write(APIC_LVT_LINT1, arch_cpu_local()->id == 0 ? LVT_NMI : LVT_MASKED);
    apic_write(APIC_LVT_ERROR, LVT_MASKED);
    apic_write(APIC_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
    apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
    apic_write(APIC_LVT_TIMER, VECTOR_TIMER | (apic_has_deadline ? LVT_TIMER_DEADLINE : 0));
    __atomic_fetch_or(&arch->irq_words, 1u << VECTOR_TIMER / 32, __ATOMIC_RELAXED);
}
