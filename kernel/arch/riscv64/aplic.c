/* The advanced platform-level interrupt controller (RISC-V Advanced Interrupt Architecture 1.0, chapter 4).
 *
 * Ours is the domain that delivers supervisor external interrupts, or sends messages to the harts' IMSICs where there are some; the
 * firmware has delegated the sources to it. Delivered directly, a line that is level-triggered is pending for as long as the device wants
 * it, so it is masked by disabling it and needs no completion. Sent as a message it is pending no more: when it is unmasked, the
 * controller is made to look at it again (4.7). */
#include <arch.h>
#include <boot.h>
#include <mm/kernelmap.h>

#include "csr.h"
#include "local.h"

#define SOURCES_MAX 1023u
#define HARTS_MAX 16384u
/* Word offsets: 4.5, 4.8. */
#define DOMAINCFG 0x0u
#define SOURCECFG (0x0u / 4) /* of source n at + n */
#define INPUT (0x1d00u / 4)  /* in_clrip: reads as the inputs, rectified */
#define SETIPNUM (0x1cdcu / 4)
#define CLRIE (0x1f00u / 4)
#define SETIENUM (0x1edcu / 4)
#define CLRIENUM (0x1fdcu / 4)
#define TARGET (0x3000u / 4) /* of source n at + n */
#define IDC (0x4000u / 4)
#define IDC_WORDS 8u
#define IDC_DELIVERY 0
#define IDC_FORCE 1
#define IDC_THRESHOLD 2
#define IDC_CLAIM 7

#define DOMAINCFG_ENABLE (1u << 8)
#define DOMAINCFG_MESSAGES (1u << 2)
#define SOURCE_RISING 4u
#define SOURCE_FALLING 5u
#define SOURCE_HIGH 6u
#define SOURCE_LOW 7u
#define TARGET_HART_SHIFT 18u
#define PRIORITY 1u

#define FLAG_LEVEL 1u
#define FLAG_ACTIVE_LOW 2u

static volatile uint32_t *registers;

static volatile uint32_t *idc_of(const struct cpu *cpu)
{
    return registers + IDC + arch_cpu_of(cpu)->irq_context * IDC_WORDS;
}

static void aplic_cpu_init(const struct cpu *cpu)
{
    idc_of(cpu)[IDC_FORCE] = 0;
    idc_of(cpu)[IDC_THRESHOLD] = 0;
    idc_of(cpu)[IDC_DELIVERY] = 1;
}

static bool is_level(uint32_t line)
{
    return registers[SOURCECFG + line] >= SOURCE_HIGH;
}

static bool has_input(uint32_t line)
{
    return (registers[INPUT + line / 32] >> line % 32 & 1) != 0;
}

/* QEMU 7.2 makes a line pending that it is told to look at, whatever the input. */
static void aplic_enable(uint32_t line, bool enabled)
{
    registers[enabled ? SETIENUM : CLRIENUM] = line;
    if (enabled && imsic_identities != 0 && is_level(line) && has_input(line))
        registers[SETIPNUM] = line;
}

static void aplic_route(uint32_t line, uint32_t flags, const struct cpu *cpu, uint32_t vector)
{
    bool low = (flags & FLAG_ACTIVE_LOW) != 0;

    aplic_enable(line, false);
    registers[SOURCECFG + line] = (flags & FLAG_LEVEL) ? (low ? SOURCE_LOW : SOURCE_HIGH)
                                                       : (low ? SOURCE_FALLING : SOURCE_RISING);
    registers[TARGET + line] = arch_cpu_of(cpu)->irq_context << TARGET_HART_SHIFT |
                               (imsic_identities != 0 ? vector : PRIORITY);
}

/* Of a level-triggered line that is quiet by now nothing is left to be told, though QEMU keeps it pending. */
static uint32_t aplic_claim(const struct cpu *cpu)
{
    uint32_t line = idc_of(cpu)[IDC_CLAIM] >> 16;

    return is_level(line) && !has_input(line) ? 0 : line;
}

static void aplic_complete(uint32_t line, const struct cpu *cpu)
{
    (void)line;
    (void)cpu;
}

static struct irq_controller aplic = {
    .cpu_init = aplic_cpu_init,
    .route = aplic_route,
    .enable = aplic_enable,
    .claim = aplic_claim,
    .complete = aplic_complete,
};

/** Pairs of a hart's interrupt controller and the interrupt there: the pair's index is the hart's. 0: this domain is not ours. */
static INIT_TEXT uint32_t harts_find(const struct boot_fdt_node *node)
{
    uint32_t intc, interrupt, count = 0;

    for (; count < HARTS_MAX && boot_fdt_cell(node, "interrupts-extended", 2 * count, &intc) &&
           boot_fdt_cell(node, "interrupts-extended", 2 * count + 1, &interrupt);
         count++) {
        struct cpu *cpu = boot_cpu_named(intc);

        if (interrupt != INTERRUPT_EXTERNAL)
            return 0;
        if (cpu == NULL)
            continue;
        arch_cpu_of(cpu)->irq_context = count;
        arch_cpu_of(cpu)->has_irq_context = true;
    }
    return count;
}

/** The domain's registers that we use, in bytes; 0: it is not ours. */
static INIT_TEXT uint64_t domain_bytes(const struct boot_fdt_node *node)
{
    if (imsic_identities != 0)
        return boot_fdt_u32(node, "msi-parent", 0) == imsic_handle ? IDC * sizeof(uint32_t) : 0;
    uint64_t count = harts_find(node);

    return count != 0 ? (IDC + count * IDC_WORDS) * sizeof(uint32_t) : 0;
}

static INIT_TEXT bool aplic_open(const struct boot_fdt_node *node)
{
    paddr_t base;
    uint64_t bytes, used = domain_bytes(node);

    aplic.lines = MIN(boot_fdt_u32(node, "riscv,num-sources", 0), SOURCES_MAX);
    if (used == 0 || aplic.lines == 0 || !boot_fdt_reg(node, 0, &base, &bytes) || used > bytes)
        return false;
    registers = kernelmap_device(base, used);
    if (registers == NULL)
        return false;
    for (uint32_t word = 0; word <= aplic.lines / 32; word++)
        registers[CLRIE + word] = UINT32_MAX;
    registers[DOMAINCFG] = DOMAINCFG_ENABLE | (imsic_identities != 0 ? DOMAINCFG_MESSAGES : 0);
    klog("interrupts: APLIC, %u lines%s", aplic.lines,
         imsic_identities != 0 ? ", by messages" : "");
    return true;
}

INIT_TEXT const struct irq_controller *aplic_find(void)
{
    struct boot_fdt_node node;

    for (uint32_t i = 0; boot_fdt_find("riscv,aplic", i, &node); i++) {
        if (aplic_open(&node))
            return &aplic;
    }
    return NULL;
}
