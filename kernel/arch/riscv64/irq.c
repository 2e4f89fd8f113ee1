/* Device interrupts: the lines of one controller, PLIC or APLIC, whichever the device tree names. There are no messages: that takes an
 * IMSIC on every hart.
 *
 * A line goes to the CPU with the fewest. What arch.h calls a vector is the line itself. A PLIC keeps a claimed line quiet until it is
 * completed: so a line that is masked by who got it stays claimed, and unmasking completes it. What an APLIC has claimed comes again
 * while the device wants it, so there masking is disabling.
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
    bool masked, claimed; /* arch_lock */
};

static struct spinlock irq_lock;
static const struct irq_controller *controller; /* NULL: there is none */
static struct irq *irqs;                        /* by line */

void irq_init(void)
{
    controller = plic_find();
    if (controller == NULL)
        controller = aplic_find();
    if (controller == NULL) {
        klog("interrupts: no controller");
        return;
    }
    irqs = kmem_alloc(NULL, (controller->lines + 1) * sizeof(*irqs));
    if (irqs == NULL)
        panic("no memory for %u interrupt lines", controller->lines);
}

void irq_cpu_init(void)
{
    const struct cpu *cpu = arch_cpu_local();

    if (controller == NULL || !arch_cpu_of(cpu)->has_irq_context)
        return;
    controller->cpu_init(cpu);
    csr_set("sie", SIE_EXTERNAL);
}

struct cpu *cpu_by_intc(uint32_t phandle, uint32_t *hint)
{
    for (uint32_t n = 0; n < cpu_count; n++) {
        uint32_t after = (*hint + n) % cpu_count;
        uint32_t before = (*hint + cpu_count - n) % cpu_count;

        if (arch_cpu_of(cpus[after])->intc == phandle)
            *hint = after;
        else if (arch_cpu_of(cpus[before])->intc == phandle)
            *hint = before;
        else
            continue;
        return cpus[*hint];
    }
    return NULL;
}

static struct cpu *cpu_with_fewest(void) REQUIRES(arch_lock)
{
    struct cpu *best = NULL;

    for (uint32_t i = 0; i < cpu_count; i++) {
        struct cpu *cpu = cpus[i];

        if (cpu->online && arch_cpu_of(cpu)->has_irq_context &&
            (best == NULL || arch_cpu_of(cpu)->irq_count < arch_cpu_of(best)->irq_count))
            best = cpu;
    }
    return best;
}

static status_t line_take(uint32_t line, uint32_t flags, void *cookie) REQUIRES(arch_lock)
{
    struct irq *irq = &irqs[line];
    struct cpu *cpu = cpu_with_fewest();

    if (irq->cookie != NULL)
        return STATUS_BUSY;
    if (cpu == NULL)
        return STATUS_UNSUPPORTED;
    *irq = (struct irq){.cpu = cpu, .masked = true};
    arch_cpu_of(cpu)->irq_count++;
    controller->route(line, flags, cpu);
    __atomic_store_n(&irq->cookie, cookie, __ATOMIC_RELEASE);
    return STATUS_OK;
}

status_t arch_irq_attach(uint32_t line, uint32_t flags, void *cookie, uint32_t *vector)
{
    if ((flags & ~(FLAG_LEVEL | FLAG_ACTIVE_LOW)) != 0 || controller == NULL || line == 0 ||
        line > controller->lines)
        return STATUS_INVALID;
    arch_lock_acquire(&irq_lock);
    status_t status = line_take(line, flags, cookie);

    arch_lock_release(&irq_lock);
    if (status_is_ok(status))
        debug_line_taken(line, true);
    *vector = line;
    return status;
}

status_t arch_msi_attach(uint32_t device, void *cookie, uint32_t *vector, uint64_t *address,
                         uint32_t *data)
{
    (void)device;
    (void)cookie;
    (void)vector;
    (void)address;
    (void)data;
    return STATUS_UNSUPPORTED;
}

void arch_irq_mask(uint32_t vector)
{
    struct irq *irq = &irqs[vector];

    arch_lock_acquire(&irq_lock);
    irq->masked = true;
    if (!irq->claimed)
        controller->enable(vector, false);
    arch_lock_release(&irq_lock);
}

static void line_release(uint32_t line) REQUIRES(arch_lock)
{
    struct irq *irq = &irqs[line];

    if (irq->claimed)
        controller->complete(line, irq->cpu);
    irq->claimed = false;
}

void arch_irq_unmask(uint32_t vector)
{
    arch_lock_acquire(&irq_lock);
    irqs[vector].masked = false;
    line_release(vector);
    controller->enable(vector, true);
    arch_lock_release(&irq_lock);
}

void arch_irq_detach(uint32_t vector)
{
    struct irq *irq = &irqs[vector];

    arch_lock_acquire(&irq_lock);
    controller->enable(vector, false);
    line_release(vector);
    __atomic_store_n(&irq->cookie, NULL, __ATOMIC_RELEASE);
    arch_cpu_of(irq->cpu)->irq_count--;
    arch_lock_release(&irq_lock);
    debug_line_taken(vector, false);
}

/** The line of @irq is ours to handle: for whom? NULL: it was masked or given up meanwhile. */
static void *line_begin(struct irq *irq)
{
    arch_lock_acquire(&irq_lock);
    void *cookie = irq->masked ? NULL : irq->cookie;

    irq->claimed = controller->holds;
    arch_lock_release(&irq_lock);
    return cookie;
}

/** Whoever got it has masked it as a rule: then it stays claimed. */
static void line_end(uint32_t line)
{
    struct irq *irq = &irqs[line];

    arch_lock_acquire(&irq_lock);
    if (irq->cookie == NULL || !irq->masked)
        line_release(line);
    arch_lock_release(&irq_lock);
}

/* One line a time: the next one interrupts again. */
void irq_handle(void)
{
    uint32_t line = controller->claim(arch_cpu_local());

    if (line == 0 || line > controller->lines)
        return; /* another CPU was quicker, or it was masked meanwhile */
    void *cookie = line_begin(&irqs[line]);

    if (cookie != NULL)
        trap_irq(cookie);
    line_end(line);
}
