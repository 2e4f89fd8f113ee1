/* The interrupt controller: GICv3 by its system registers, affinity routing on (Arm IHI 0069). One priority for everything. */
#include <arch.h>
#include <arch_cpu.h>
#include <boot.h>
#include <mm/kernelmap.h>

#include "cpu_regs.h"
#include "local.h"

/* Distributor, 12.9 */
#define GICD_BYTES 0x10000u
#define GICD_CTLR 0x0u
#define GICD_TYPER 0x4u
#define GICD_IGROUPR 0x80u
#define GICD_ISENABLER 0x100u
#define GICD_ICENABLER 0x180u
#define GICD_IPRIORITYR 0x400u
#define GICD_ICFGR 0xc00u
#define GICD_IROUTER 0x6000u
#define CTLR_GROUP1 \
    3u /* both names of group 1: with one security state bit 1, seen from the non-secure of two bit 0 or 1 */
#define CTLR_ARE (1u << 4)
#define CTLR_PENDING (1u << 31)

/* Redistributor, 12.11: two frames, the second for interrupts private to the CPU; two more with GICv4. */
#define GICR_FRAME_BYTES 0x20000u
#define GICR_TYPER 0x8u
#define GICR_WAKER 0x14u
#define GICR_PRIVATE 0x10000u
#define TYPER_VIRTUAL (1u << 1)
#define TYPER_LAST (1u << 4)
#define WAKER_SLEEP (1u << 1)
#define WAKER_ASLEEP (1u << 2)

#define PRIORITY 0xa0a0a0a0u
#define PRIORITY_ALL 0xf0u

volatile uint8_t *gic_distributor;
static uint32_t line_end;
static bool is_ready;

static uint32_t read32(const volatile uint8_t *base, uint32_t at)
{
    return *(const volatile uint32_t *)(const volatile void *)(base + at);
}

static void write32(volatile uint8_t *base, uint32_t at, uint32_t value)
{
    *(volatile uint32_t *)(volatile void *)(base + at) = value;
}

static void write64(volatile uint8_t *base, uint32_t at, uint64_t value)
{
    *(volatile uint64_t *)(volatile void *)(base + at) = value;
}

static void distributor_wait(void)
{
    while (read32(gic_distributor, GICD_CTLR) & CTLR_PENDING)
        arch_cpu_relax();
}

/** MPIDR's fields where GICD_IROUTER has them. */
static uint64_t route_to(uint32_t mpidr)
{
    return (uint64_t)(mpidr >> 24) << 32 | (mpidr & 0xffffff);
}

static void distributor_init(void)
{
    write32(gic_distributor, GICD_CTLR, 0);
    distributor_wait();
    line_end = MIN(32 * ((read32(gic_distributor, GICD_TYPER) & 0x1f) + 1), SPI_END);
    for (uint32_t i = SPI_FIRST; i < line_end; i += 32) {
        write32(gic_distributor, GICD_ICENABLER + i / 8, UINT32_MAX);
        write32(gic_distributor, GICD_IGROUPR + i / 8, UINT32_MAX);
    }
    for (uint32_t i = SPI_FIRST; i < line_end; i += 4)
        write32(gic_distributor, GICD_IPRIORITYR + i, PRIORITY);
    write32(gic_distributor, GICD_CTLR, CTLR_ARE);
    distributor_wait();
    write32(gic_distributor, GICD_CTLR, CTLR_ARE | CTLR_GROUP1);
    distributor_wait();
}

bool gic_has_line(uint32_t intid)
{
    return intid >= SPI_FIRST && intid < line_end;
}

void gic_line_set(uint32_t intid, bool level, uint32_t mpidr)
{
    uint32_t at = GICD_ICFGR + intid / 16 * 4;
    uint32_t edge = 2u << intid % 16 * 2;
    uint32_t value = read32(gic_distributor, at);

    write32(gic_distributor, at, level ? value & ~edge : value | edge);
    write64(gic_distributor, GICD_IROUTER + intid * 8, route_to(mpidr));
}

void gic_line_enable(uint32_t intid, bool enabled)
{
    write32(gic_distributor, (enabled ? GICD_ISENABLER : GICD_ICENABLER) + intid / 32 * 4,
            1u << intid % 32);
    if (!enabled)
        distributor_wait(); /* or it could come again after this */
}

/* ── The CPUs' parts ──────────────────────────────────────────────────────────────────────────────────────────────── */

/** Look through one region of redistributors; the CPUs found so far. */
static INIT_TEXT uint32_t region_read(const struct boot_range *region, uint32_t found)
{
    paddr_t at = region->base;

    while (found < cpu_count && at - region->base < region->bytes) {
        volatile uint8_t *frame = kernelmap_device(at, GICR_FRAME_BYTES);

        if (frame == NULL)
            break;
        uint32_t low = read32(frame, GICR_TYPER);
        struct cpu *cpu = boot_cpu_named(read32(frame, GICR_TYPER + 4));

        if (cpu != NULL && arch_cpu_of(cpu)->gicr == NULL) {
            struct arch_cpu *arch = arch_cpu_of(cpu);

            arch->redistributor = at;
            arch->gicr = frame;
            arch->processor = low >> 8 & 0xffff;
            found++;
        }
        if (low & TYPER_LAST)
            break;
        at += (low & TYPER_VIRTUAL) ? 2 * GICR_FRAME_BYTES : GICR_FRAME_BYTES;
    }
    return found;
}

INIT_TEXT void gic_init(void)
{
    uint32_t found = 0;
    struct boot_range region;

    gic_distributor = platform.gicd != 0 ? kernelmap_device(platform.gicd, GICD_BYTES) : NULL;
    if (gic_distributor == NULL)
        panic("no GICv3 in the device tree");
    uint32_t regions = boot_fdt_u32(&platform.gic, "#redistributor-regions", 1);

    for (uint32_t i = 0;
         i < regions && boot_fdt_reg(&platform.gic, 1 + i, &region.base, &region.bytes); i++)
        found = region_read(&region, found);
    if (boot_arch_cpu.gicr == NULL)
        panic("the boot CPU has no redistributor");
    distributor_init();
    gic_cpu_init();
    is_ready = true;
    klog("gic: lines to %u, %u redistributors", line_end, found);
}

void gic_cpu_init(void)
{
    volatile uint8_t *gicr = arch_cpu_of(arch_cpu_local())->gicr;
    volatile uint8_t *private = gicr + GICR_PRIVATE;

    write32(gicr, GICR_WAKER, read32(gicr, GICR_WAKER) & ~WAKER_SLEEP);
    while (read32(gicr, GICR_WAKER) & WAKER_ASLEEP)
        arch_cpu_relax();
    write32(private, GICD_IGROUPR, UINT32_MAX);
    for (uint32_t i = 0; i < SPI_FIRST; i += 4)
        write32(private, GICD_IPRIORITYR + i, PRIORITY);
    write32(private, GICD_ICENABLER, ~0xffffu);
    write32(private, GICD_ISENABLER, 0xffffu | 1u << platform.timer_intid);
    SYSREG_WRITE(ICC_SRE_EL1, 7);
    isb();
    SYSREG_WRITE(ICC_PMR_EL1, PRIORITY_ALL);
    SYSREG_WRITE(ICC_BPR1_EL1, 0);
    SYSREG_WRITE(ICC_CTLR_EL1, 0); /* the end of an interrupt also deactivates it */
    SYSREG_WRITE(ICC_IGRPEN1_EL1, 1);
    isb();
}

uint32_t gic_acknowledge(void)
{
    uint32_t intid = (uint32_t)SYSREG_READ(ICC_IAR1_EL1) & 0xffffff;

    dsb_system(); /* the acknowledgement, before what the interrupt is about is looked at */
    return intid;
}

void gic_end(uint32_t intid)
{
    SYSREG_WRITE(ICC_EOIR1_EL1, intid);
    isb();
}

void gic_send(uint32_t mpidr, uint32_t sgi)
{
    uint64_t range = mpidr >> 4 & 0xf;

    dsb_store(); /* what was stored is seen by who gets it */
    SYSREG_WRITE(ICC_SGI1R_EL1, (uint64_t)(mpidr >> 24) << 48 | range << 44 |
                                    (uint64_t)(mpidr >> 16 & 0xff) << 32 | (uint64_t)sgi << 24 |
                                    (mpidr >> 8 & 0xff) << 16 | 1u << (mpidr & 0xf));
    isb();
}

void gic_send_to_others(uint32_t sgi)
{
    if (!is_ready)
        return; /* they do not run yet */
    dsb_store();
    SYSREG_WRITE(ICC_SGI1R_EL1, 1ull << 40 | (uint64_t)sgi << 24);
    isb();
}

void arch_ipi_send(uint32_t id)
{
    gic_send(cpus[id]->arch_id, SGI_IPI);
}
