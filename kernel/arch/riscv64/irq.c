/* Device interrupts: the lines of one controller, PLIC or APLIC, whichever the device tree names, and messages where the harts have IMSICs.
 *
 * An interrupt goes to the CPU with the fewest. What arch.h calls a vector is the line itself, or, with IMSICs, an identity, which one CPU's
 * file has for it and no other uses. A PLIC keeps a claimed line quiet until it is completed: so a line that is masked by who got it stays
 * claimed, and unmasking completes it. What an APLIC has claimed comes again while the device wants it, so there masking is disabling. At
 * an IMSIC nothing can be masked from here: what comes while it is masked is remembered, and unmasking raises it again.
 * The cookie outlives a handler that has just read it by a grace period: who detaches waits that long. */
#include <arch.h>
#include <arch_cpu.h>
#include <kmem.h>
#include <spinlock.h>

#include "csr.h"
#include "local.h"

#define FLAG_LEVEL 1u
#define FLAG_ACTIVE_LOW 2u

struct irq {
    void *cookie; /* atomic; NULL: nobody's. arch_lock to write */
    struct cpu *cpu;
    uint32_t line;                 /* 0: a message */
    bool masked, claimed, pending; /* arch_lock */
};

static struct spinlock irq_lock;
static const struct irq_controller *controller; /* of lines; NULL: there is none */
static struct irq *irqs;                        /* by vector */
static uint32_t vectors;                        /* the highest */

INIT_TEXT void irq_init(void)
{
    imsic_find();
    controller = imsic_identities == 0 ? plic_find() : NULL;
    if (controller == NULL)
        controller = aplic_find();
    if (controller == NULL)
        klog("interrupts: no controller of lines");
    vectors = imsic_identities != 0 ? imsic_identities : controller != NULL ? controller->lines : 0;
    irqs = kmem_alloc(NULL, (vectors + 1) * sizeof(*irqs));
    if (irqs == NULL)
        panic("no memory for %u interrupts", vectors);
}

void irq_cpu_init(void)
{
    const struct cpu *cpu = arch_cpu_local();

    if (!arch_cpu_of(cpu)->has_irq_context)
        return;
    if (imsic_identities != 0)
        imsic_cpu_init();
    else
        controller->cpu_init(cpu);
    csr_set("sie", SIE_EXTERNAL);
}

static struct cpu *cpu_with_fewest(void) REQUIRES(arch_lock)
{
    struct cpu *best = NULL;

    for (uint32_t i = 0; i < cpu_count; i++) {
        struct cpu *cpu = cpus[i];

        if (cpu_is_online(cpu) && arch_cpu_of(cpu)->has_irq_context &&
            (best == NULL || arch_cpu_of(cpu)->irq_count < arch_cpu_of(best)->irq_count))
            best = cpu;
    }
    return best;
}

/** The vector for @line, or for a message: if there are messages, the first identity that nobody has. */
static status_t vector_find(uint32_t line, uint32_t *vector) REQUIRES(arch_lock)
{
    *vector = line;
    if (imsic_identities == 0)
        return irqs[line].cookie != NULL ? STATUS_BUSY : STATUS_OK;
    *vector = 0;
    for (uint32_t i = vectors; i > 0; i--) {
        if (irqs[i].cookie == NULL)
            *vector = i;
        else if (line != 0 && irqs[i].line == line)
            return STATUS_BUSY;
    }
    return *vector != 0 ? STATUS_OK : STATUS_NO_MEMORY;
}

static status_t irq_take(uint32_t line, uint32_t flags, void *cookie, uint32_t *vector)
    REQUIRES(arch_lock)
{
    struct cpu *cpu = cpu_with_fewest();
    status_t status = vector_find(line, vector);

    if (!status_is_ok(status))
        return status;
    if (cpu == NULL)
        return STATUS_UNSUPPORTED;
    struct irq *irq = &irqs[*vector];

    *irq = (struct irq){.cpu = cpu, .line = line, .masked = true};
    arch_cpu_of(cpu)->irq_count++;
    if (line != 0)
        controller->route(line, flags, cpu, *vector);
    __atomic_store_n(&irq->cookie, cookie, __ATOMIC_RELEASE);
    return STATUS_OK;
}

static status_t irq_attach(uint32_t line, uint32_t flags, void *cookie, uint32_t *vector)
{
    arch_lock_acquire(&irq_lock);
    status_t status = irq_take(line, flags, cookie, vector);

    arch_lock_release(&irq_lock);
    return status;
}

status_t arch_irq_attach(uint32_t line, uint32_t flags, void *cookie, uint32_t *vector)
{
    if ((flags & ~(FLAG_LEVEL | FLAG_ACTIVE_LOW)) != 0 || controller == NULL || line == 0 ||
        line > controller->lines)
        return STATUS_INVALID;
    status_t status = irq_attach(line, flags, cookie, vector);

    if (status_is_ok(status))
        debug_line_taken(line, true);
    return status;
}

status_t arch_msi_attach(uint32_t device, void *cookie, uint32_t *vector, uint64_t *address,
                         uint32_t *data)
{
    (void)device; /* a file takes messages from anyone */
    if (imsic_identities == 0)
        return STATUS_UNSUPPORTED;
    status_t status = irq_attach(0, 0, cookie, vector);

    if (!status_is_ok(status))
        return status;
    *address = arch_cpu_of(irqs[*vector].cpu)->file_address;
    *data = *vector;
    return STATUS_OK;
}

void arch_irq_mask(uint32_t vector)
{
    struct irq *irq = &irqs[vector];

    arch_lock_acquire(&irq_lock);
    irq->masked = true;
    if (irq->line != 0 && !irq->claimed)
        controller->enable(irq->line, false);
    arch_lock_release(&irq_lock);
}

static void line_release(struct irq *irq) REQUIRES(arch_lock)
{
    if (irq->claimed)
        controller->complete(irq->line, irq->cpu);
    irq->claimed = false;
}

void arch_irq_unmask(uint32_t vector)
{
    struct irq *irq = &irqs[vector];

    arch_lock_acquire(&irq_lock);
    irq->masked = false;
    line_release(irq);
    if (irq->line != 0)
        controller->enable(irq->line, true);
    if (irq->pending)
        imsic_raise(irq->cpu, vector);
    irq->pending = false;
    arch_lock_release(&irq_lock);
}

void arch_irq_detach(uint32_t vector)
{
    struct irq *irq = &irqs[vector];

    arch_lock_acquire(&irq_lock);
    if (irq->line != 0)
        controller->enable(irq->line, false);
    line_release(irq);
    __atomic_store_n(&irq->cookie, NULL, __ATOMIC_RELEASE);
    arch_cpu_of(irq->cpu)->irq_count--;
    arch_lock_release(&irq_lock);
    if (irq->line != 0)
        debug_line_taken(irq->line, false);
}

/** @irq is ours to handle: for whom? NULL: it was masked or given up meanwhile. */
static void *irq_begin(struct irq *irq)
{
    arch_lock_acquire(&irq_lock);
    void *cookie = irq->masked ? NULL : irq->cookie;

    irq->claimed = controller != NULL && controller->holds;
    irq->pending = irq->masked && imsic_identities != 0;
    arch_lock_release(&irq_lock);
    return cookie;
}

/** Whoever got it has masked it as a rule: then it stays claimed. */
static void irq_end(struct irq *irq)
{
    arch_lock_acquire(&irq_lock);
    if (irq->cookie == NULL || !irq->masked)
        line_release(irq);
    arch_lock_release(&irq_lock);
}

/* One a time: the next one interrupts again. */
void irq_handle(void)
{
    uint32_t vector = imsic_identities != 0 ? imsic_claim() : controller->claim(arch_cpu_local());

    if (vector == 0 || vector > vectors)
        return; /* another CPU was quicker, or it was masked meanwhile */
    struct irq *irq = &irqs[vector];
    void *cookie = irq_begin(irq);

    if (cookie != NULL)
        trap_irq(cookie);
    irq_end(irq);
}
