/* Device interrupts: lines of the distributor, and messages that the ITS translates.
 *
 * What arch.h calls a line and a vector is the interrupt's number (INTID). A line is masked in the distributor. Masking a message would
 * need a command of the ITS each time, so it is remembered instead: one that comes while masked sets `pending`, and unmasking raises it again.
 * Entry code finds a struct irq without a lock; it is freed after a grace period. */
#include <arch.h>
#include <arch_cpu.h>
#include <kmem.h>
#include <spinlock.h>

#include "local.h"

#define FLAG_LEVEL 1u
#define FLAG_ACTIVE_LOW 2u

struct irq {
    void *cookie;
    struct cpu *cpu;
    uint32_t intid;
    uint32_t device, event; /* of a message */
    bool is_message;
    bool masked, pending; /* arch_lock; for messages */
    struct rcu_head rcu;
};

static struct spinlock irq_lock;
/* Atomic pointers; arch_lock to write. */
static struct irq *lines[SPI_END - SPI_FIRST];
static struct irq *messages[LPI_COUNT];

static struct irq **slot_of(uint32_t intid)
{
    if (intid - SPI_FIRST < ARRAY_SIZE(lines))
        return &lines[intid - SPI_FIRST];
    if (intid - LPI_FIRST < ARRAY_SIZE(messages))
        return &messages[intid - LPI_FIRST];
    return NULL;
}

static struct irq *irq_named(uint32_t vector)
{
    struct irq **slot = slot_of(vector);

    ASSERT(slot != NULL && *slot != NULL);
    return *slot;
}

static struct cpu *cpu_with_fewest(void) REQUIRES(arch_lock)
{
    struct cpu *best = cpus[0];

    for (uint32_t i = 1; i < cpu_count; i++) {
        struct cpu *cpu = cpus[i];

        if (cpu_is_online(cpu) && arch_cpu_of(cpu)->irq_count < arch_cpu_of(best)->irq_count)
            best = cpu;
    }
    return best;
}

/** A number for @irq, a message. False: all are taken. */
static bool message_number(struct irq *irq) REQUIRES(arch_lock)
{
    for (uint32_t i = 0; i < LPI_COUNT; i++) {
        if (messages[i] == NULL) {
            irq->intid = LPI_FIRST + i;
            return true;
        }
    }
    return false;
}

/** Claim what @irq asks for, masked. */
static status_t irq_claim(struct irq *irq, bool level) REQUIRES(arch_lock)
{
    if (irq->is_message && !message_number(irq))
        return STATUS_NO_MEMORY;
    struct irq **slot = slot_of(irq->intid);

    if (*slot != NULL)
        return STATUS_BUSY;
    irq->masked = true;
    if (irq->is_message) {
        if (!its_map(irq->device, irq->intid, irq->cpu, &irq->event))
            return STATUS_NO_MEMORY;
    } else {
        irq->cpu = cpu_with_fewest();
        gic_line_enable(irq->intid, false);
        gic_line_set(irq->intid, level, irq->cpu->arch_id);
        debug_line_taken(irq->intid, true);
    }
    arch_cpu_of(irq->cpu)->irq_count++;
    __atomic_store_n(slot, irq, __ATOMIC_RELEASE);
    return STATUS_OK;
}

static status_t irq_create(const struct irq *wanted, bool level, struct irq **created)
{
    struct irq *irq = kmem_alloc(NULL, sizeof(*irq));

    if (irq == NULL)
        return STATUS_NO_MEMORY;
    *irq = *wanted;
    arch_lock_acquire(&irq_lock);
    status_t status = irq_claim(irq, level);
    arch_lock_release(&irq_lock);
    if (!status_is_ok(status))
        kmem_free(NULL, irq, sizeof(*irq));
    *created = irq;
    return status;
}

/* The controller has no polarity: a line that is low when active was inverted on its way. */
status_t arch_irq_attach(uint32_t line, uint32_t flags, void *cookie, uint32_t *vector)
{
    struct irq wanted = {.cookie = cookie, .intid = line};
    struct irq *irq;

    if ((flags & ~(FLAG_LEVEL | FLAG_ACTIVE_LOW)) != 0 || !gic_has_line(line))
        return STATUS_INVALID;
    status_t status = irq_create(&wanted, (flags & FLAG_LEVEL) != 0, &irq);

    if (status_is_ok(status))
        *vector = irq->intid;
    return status;
}

/** Choose the CPU for @irq, a message, and make the ITS ready for it. */
static status_t message_prepare(struct irq *irq)
{
    struct its_spare spare;

    arch_lock_acquire(&irq_lock);
    irq->cpu = cpu_with_fewest();
    arch_lock_release(&irq_lock);
    bool is_made = its_spare_make(&spare, irq->cpu);

    arch_lock_acquire(&irq_lock);
    bool is_ready = is_made && its_prepare(irq->device, irq->cpu, &spare);
    arch_lock_release(&irq_lock);
    its_spare_free(&spare);
    return is_ready ? STATUS_OK : is_made ? STATUS_INVALID : STATUS_NO_MEMORY;
}

status_t arch_msi_attach(uint32_t device, void *cookie, uint32_t *vector, uint64_t *address,
                         uint32_t *data)
{
    struct irq wanted = {.cookie = cookie, .device = device, .is_message = true};
    struct irq *irq;

    if (its_address() == 0)
        return STATUS_UNSUPPORTED;
    status_t status = message_prepare(&wanted);

    if (status_is_ok(status))
        status = irq_create(&wanted, false, &irq);

    if (!status_is_ok(status))
        return status;
    *vector = irq->intid;
    *address = its_address();
    *data = irq->event;
    return STATUS_OK;
}

void arch_irq_mask(uint32_t vector)
{
    struct irq *irq = irq_named(vector);

    arch_lock_acquire(&irq_lock);
    irq->masked = true;
    if (!irq->is_message)
        gic_line_enable(irq->intid, false);
    arch_lock_release(&irq_lock);
}

void arch_irq_unmask(uint32_t vector)
{
    struct irq *irq = irq_named(vector);

    arch_lock_acquire(&irq_lock);
    bool raise = irq->pending;

    irq->masked = false;
    irq->pending = false;
    if (!irq->is_message)
        gic_line_enable(irq->intid, true);
    else if (raise)
        its_raise(irq->device, irq->event);
    arch_lock_release(&irq_lock);
}

static void irq_free(struct rcu_head *head)
{
    struct irq *irq = container_of(head, struct irq, rcu);

    kmem_free(NULL, irq, sizeof(*irq));
}

void arch_irq_detach(uint32_t vector)
{
    struct irq *irq = irq_named(vector);

    arch_lock_acquire(&irq_lock);
    if (irq->is_message) {
        its_unmap(irq->device, irq->event, irq->cpu);
    } else {
        gic_line_enable(irq->intid, false);
        debug_line_taken(irq->intid, false);
    }
    __atomic_store_n(slot_of(irq->intid), NULL, __ATOMIC_RELEASE);
    arch_cpu_of(irq->cpu)->irq_count--;
    arch_lock_release(&irq_lock);
    rcu_call(&irq->rcu, irq_free);
}

/** May it go up? A message that is masked is remembered. */
static bool irq_passes(struct irq *irq)
{
    arch_lock_acquire(&irq_lock);
    bool passes = !irq->masked;

    irq->pending = !passes && irq->is_message;
    arch_lock_release(&irq_lock);
    return passes;
}

void irq_handle(uint32_t intid)
{
    struct irq **slot = slot_of(intid);
    struct irq *irq = slot != NULL ? __atomic_load_n(slot, __ATOMIC_ACQUIRE) : NULL;

    /* Whoever gets it masks it; only then may a level-triggered line be answered. */
    if (irq != NULL && irq_passes(irq))
        trap_irq(irq->cookie);
    gic_end(intid);
}
