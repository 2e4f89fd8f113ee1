/* The platform-level interrupt controller (RISC-V PLIC specification 1.0).
 *
 * Each hart has contexts, one for each mode that takes interrupts; ours are those whose output is the hart's supervisor external
 * interrupt. A source is masked by priority 0, which is one register for each, and so needs no care for its neighbours. */
#include <arch.h>
#include <boot.h>
#include <mm/kernelmap.h>

#include "csr.h"
#include "local.h"

#define SOURCES_MAX 1023u
#define CONTEXTS_MAX 15872u
/* Byte offsets: section 3. */
#define PRIORITY 0x0u
#define ENABLE 0x2000u
#define ENABLE_BYTES 0x80u
#define CONTEXT 0x200000u
#define CONTEXT_BYTES 0x1000u
/* In a context, in words. */
#define CONTEXT_THRESHOLD 0
#define CONTEXT_CLAIM 1
#define PRIORITY_ON 1u

static volatile uint32_t *priorities, *enables, *contexts;

static volatile uint32_t *context_of(const struct cpu *cpu)
{
    return contexts + arch_cpu_of(cpu)->irq_context * (CONTEXT_BYTES / sizeof(uint32_t));
}

static volatile uint32_t *enables_of(const struct cpu *cpu)
{
    return enables + arch_cpu_of(cpu)->irq_context * (ENABLE_BYTES / sizeof(uint32_t));
}

static void plic_cpu_init(const struct cpu *cpu)
{
    for (unsigned i = 0; i < ENABLE_BYTES / sizeof(uint32_t); i++)
        enables_of(cpu)[i] = 0;
    context_of(cpu)[CONTEXT_THRESHOLD] = 0;
}

static void plic_enable(uint32_t line, bool enabled)
{
    priorities[line] = enabled ? PRIORITY_ON : 0;
}

/* How a source is triggered is the gateway's affair, and fixed. */
static void plic_route(uint32_t line, uint32_t flags, const struct cpu *cpu, uint32_t vector)
{
    (void)flags;
    (void)vector;
    plic_enable(line, false);
    for (uint32_t i = 0; i < cpu_count; i++) {
        if (arch_cpu_of(cpus[i])->has_irq_context)
            enables_of(cpus[i])[line / 32] &= ~(1u << line % 32);
    }
    enables_of(cpu)[line / 32] |= 1u << line % 32;
}

static uint32_t plic_claim(const struct cpu *cpu)
{
    return context_of(cpu)[CONTEXT_CLAIM];
}

static void plic_complete(uint32_t line, const struct cpu *cpu)
{
    context_of(cpu)[CONTEXT_CLAIM] = line;
}

static struct irq_controller plic = {
    .holds = true,
    .cpu_init = plic_cpu_init,
    .route = plic_route,
    .enable = plic_enable,
    .claim = plic_claim,
    .complete = plic_complete,
};

/** Pairs of a hart's interrupt controller and the interrupt there: the pair's index is the context. Returns how many there are. */
static INIT_TEXT uint32_t contexts_find(const struct boot_fdt_node *node)
{
    uint32_t intc, interrupt, count = 0;

    for (; count < CONTEXTS_MAX && boot_fdt_cell(node, "interrupts-extended", 2 * count, &intc) &&
           boot_fdt_cell(node, "interrupts-extended", 2 * count + 1, &interrupt);
         count++) {
        struct cpu *cpu = interrupt == INTERRUPT_EXTERNAL ? boot_cpu_named(intc) : NULL;

        if (cpu == NULL)
            continue;
        arch_cpu_of(cpu)->irq_context = count;
        arch_cpu_of(cpu)->has_irq_context = true;
    }
    return count;
}

INIT_TEXT const struct irq_controller *plic_find(void)
{
    struct boot_fdt_node node;
    paddr_t base;
    uint64_t bytes;

    if ((!boot_fdt_find("sifive,plic-1.0.0", 0, &node) &&
         !boot_fdt_find("riscv,plic0", 0, &node)) ||
        !boot_fdt_reg(&node, 0, &base, &bytes))
        return NULL;
    plic.lines = MIN(boot_fdt_u32(&node, "riscv,ndev", 0), SOURCES_MAX);
    uint32_t count = contexts_find(&node);

    if (plic.lines == 0 || count == 0 || CONTEXT + (uint64_t)count * CONTEXT_BYTES > bytes)
        return NULL;
    priorities = kernelmap_device(base + PRIORITY, (plic.lines + 1) * sizeof(uint32_t));
    enables = kernelmap_device(base + ENABLE, count * ENABLE_BYTES);
    contexts = kernelmap_device(base + CONTEXT, (uint64_t)count * CONTEXT_BYTES);
    if (priorities == NULL || enables == NULL || contexts == NULL)
        return NULL;
    for (uint32_t line = 1; line <= plic.lines; line++)
        plic_enable(line, false);
    klog("interrupts: PLIC, %u lines, %u contexts", plic.lines, count);
    return &plic;
}
