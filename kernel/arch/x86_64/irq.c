/* Device interrupts: lines of the I/O APICs, and messages.
 *
 * Each CPU has vectors of its own (VECTOR_DEVICES of them); an interrupt gets one on the CPU with the fewest in use. What arch.h calls a
 * vector names both: CPU id and vector. A line is masked in its I/O APIC. A message cannot be masked here, so it is remembered instead:
 * one that comes while masked sets `pending`, and unmasking raises the vector again by an interrupt from CPU to CPU.
 * Entry code finds a struct irq without a lock; it is freed after a grace period. */
#include <arch.h>
#include <arch_cpu.h>
#include <kmem.h>
#include <mm/kernelmap.h>
#include <spinlock.h>

#include "local.h"

#define FLAG_LEVEL 1u
#define FLAG_ACTIVE_LOW 2u

/* 82093AA: register select and window; redirection entry of line n in registers 0x10 + 2n. */
#define IOAPIC_SELECT 0
#define IOAPIC_WINDOW 4
#define IOAPIC_VERSION 1u
#define IOAPIC_REDIRECTION 0x10u
#define REDIRECTION_ACTIVE_LOW (1u << 13)
#define REDIRECTION_LEVEL (1u << 15)
#define REDIRECTION_MASKED (1u << 16)
#define MSI_ADDRESS 0xfee00000ull
#define XAPIC_ID_MAX 254u

struct irq {
    void *cookie;
    struct cpu *cpu;
    uint32_t vector;
    struct ioapic *ioapic; /* NULL: a message */
    uint32_t pin;
    uint32_t redirection; /* low word but for the mask */
    bool masked, pending; /* arch_lock; for messages */
    struct rcu_head rcu;
};

static struct spinlock irq_lock;

/* ── I/O APIC ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static uint32_t ioapic_read(const struct ioapic *ioapic, uint32_t at)
{
    device_write(&ioapic->registers[IOAPIC_SELECT], at);
    return device_read(&ioapic->registers[IOAPIC_WINDOW]);
}

static void ioapic_write(const struct ioapic *ioapic, uint32_t at, uint32_t value)
{
    device_write(&ioapic->registers[IOAPIC_SELECT], at);
    device_write(&ioapic->registers[IOAPIC_WINDOW], value);
}

static void line_write(const struct irq *irq, bool masked) REQUIRES(arch_lock)
{
    ioapic_write(irq->ioapic, IOAPIC_REDIRECTION + 2 * irq->pin,
                 irq->redirection | (masked ? REDIRECTION_MASKED : 0));
}

INIT_TEXT void irq_init(void)
{
    for (uint32_t i = 0; i < ioapic_count; i++) {
        struct ioapic *ioapic = &ioapics[i];

        ioapic->registers = kernelmap_device(ioapic->base, PAGE_SIZE);
        if (ioapic->registers == NULL)
            continue;
        ioapic->lines = (ioapic_read(ioapic, IOAPIC_VERSION) >> 16 & 0xff) + 1;
        for (uint32_t pin = 0; pin < ioapic->lines; pin++)
            ioapic_write(ioapic, IOAPIC_REDIRECTION + 2 * pin, REDIRECTION_MASKED);
    }
}

static struct ioapic *ioapic_find(uint32_t line)
{
    for (uint32_t i = 0; i < ioapic_count; i++)
        if (line - ioapics[i].first_line < ioapics[i].lines)
            return &ioapics[i];
    return NULL;
}

/* ── Vectors ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static uint32_t name_of(const struct irq *irq)
{
    return (uint32_t)irq->cpu->id << 8 | irq->vector;
}

static struct irq *irq_named(uint32_t name)
{
    ASSERT(name >> 8 < cpu_count && (name & 0xff) - VECTOR_DEVICE_FIRST < VECTOR_DEVICES);
    struct irq *irq = arch_cpu_of(cpus[name >> 8])->irqs[(name & 0xff) - VECTOR_DEVICE_FIRST];

    ASSERT(irq != NULL);
    return irq;
}

static struct cpu *cpu_with_fewest(void) REQUIRES(arch_lock)
{
    struct cpu *best = NULL;

    for (uint32_t i = 0; i < cpu_count; i++) {
        struct cpu *cpu = cpus[i];

        if (cpu_is_online(cpu) && cpu->arch_id <= XAPIC_ID_MAX &&
            (best == NULL || arch_cpu_of(cpu)->irq_count < arch_cpu_of(best)->irq_count))
            best = cpu;
    }
    return best;
}

/** Give @irq a CPU and a vector. False: all are taken. */
static bool vector_take(struct irq *irq) REQUIRES(arch_lock)
{
    struct cpu *cpu = cpu_with_fewest();
    struct arch_cpu *arch = cpu != NULL ? arch_cpu_of(cpu) : NULL;

    for (uint32_t i = 0; arch != NULL && i < VECTOR_DEVICES; i++) {
        if (arch->irqs[i] != NULL)
            continue;
        irq->cpu = cpu;
        irq->vector = VECTOR_DEVICE_FIRST + i;
        arch->irq_count++;
        __atomic_fetch_or(&arch->irq_words, 1u << irq->vector / 32, __ATOMIC_RELAXED);
        __atomic_store_n(&arch->irqs[i], irq, __ATOMIC_RELEASE);
        return true;
    }
    return false;
}

static bool pin_is_taken(const struct ioapic *ioapic, uint32_t pin) REQUIRES(arch_lock)
{
    for (uint32_t id = 0; id < cpu_count; id++) {
        for (uint32_t i = 0; i < VECTOR_DEVICES; i++) {
            const struct irq *irq = arch_cpu_of(cpus[id])->irqs[i];

            if (irq != NULL && irq->ioapic == ioapic && irq->pin == pin)
                return true;
        }
    }
    return false;
}

/** Claim what @irq asks for, masked. */
static status_t irq_claim(struct irq *irq) REQUIRES(arch_lock)
{
    if (irq->ioapic != NULL && pin_is_taken(irq->ioapic, irq->pin))
        return STATUS_BUSY;
    if (!vector_take(irq))
        return STATUS_NO_MEMORY;
    irq->masked = true;
    if (irq->ioapic != NULL) {
        irq->redirection |= irq->vector;
        ioapic_write(irq->ioapic, IOAPIC_REDIRECTION + 2 * irq->pin + 1, irq->cpu->arch_id << 24);
        line_write(irq, true);
    }
    return STATUS_OK;
}

static status_t irq_create(const struct irq *wanted, struct irq **created)
{
    struct irq *irq = kmem_alloc(NULL, sizeof(*irq));

    if (irq == NULL)
        return STATUS_NO_MEMORY;
    *irq = *wanted;
    arch_lock_acquire(&irq_lock);
    status_t status = irq_claim(irq);
    arch_lock_release(&irq_lock);
    if (!status_is_ok(status))
        kmem_free(NULL, irq, sizeof(*irq));
    *created = irq;
    return status;
}

status_t arch_irq_attach(uint32_t line, uint32_t flags, void *cookie, uint32_t *vector)
{
    struct irq wanted = {.cookie = cookie};
    struct irq *irq;

    if (flags & ~(FLAG_LEVEL | FLAG_ACTIVE_LOW))
        return STATUS_INVALID;
    if (line < ISA_LINES) {
        struct line_override isa = isa_overrides[line];

        line = isa.line;
        flags |= (isa.level ? FLAG_LEVEL : 0) | (isa.active_low ? FLAG_ACTIVE_LOW : 0);
    }
    wanted.ioapic = ioapic_find(line);
    if (wanted.ioapic == NULL)
        return STATUS_INVALID;
    wanted.pin = line - wanted.ioapic->first_line;
    wanted.redirection = (flags & FLAG_LEVEL ? REDIRECTION_LEVEL : 0) |
                         (flags & FLAG_ACTIVE_LOW ? REDIRECTION_ACTIVE_LOW : 0);
    status_t status = irq_create(&wanted, &irq);

    if (status_is_ok(status))
        *vector = name_of(irq);
    return status;
}

status_t arch_msi_attach(uint32_t device, void *cookie, uint32_t *vector, uint64_t *address,
                         uint32_t *data)
{
    (void)device; /* the controller takes messages from anyone */
    struct irq wanted = {.cookie = cookie};
    struct irq *irq;
    status_t status = irq_create(&wanted, &irq);

    if (!status_is_ok(status))
        return status;
    *vector = name_of(irq);
    *address = MSI_ADDRESS | (uint64_t)irq->cpu->arch_id << 12;
    *data = irq->vector;
    return STATUS_OK;
}

void arch_irq_mask(uint32_t vector)
{
    struct irq *irq = irq_named(vector);

    arch_lock_acquire(&irq_lock);
    irq->masked = true;
    if (irq->ioapic != NULL)
        line_write(irq, true);
    arch_lock_release(&irq_lock);
}

void arch_irq_unmask(uint32_t vector)
{
    struct irq *irq = irq_named(vector);

    arch_lock_acquire(&irq_lock);
    bool raise = irq->pending;

    irq->masked = false;
    irq->pending = false;
    if (irq->ioapic != NULL)
        line_write(irq, false);
    if (raise)
        apic_send(irq->cpu->arch_id, irq->vector);
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
    struct arch_cpu *arch = arch_cpu_of(irq->cpu);

    arch_lock_acquire(&irq_lock);
    if (irq->ioapic != NULL)
        line_write(irq, true);
    __atomic_store_n(&arch->irqs[irq->vector - VECTOR_DEVICE_FIRST], NULL, __ATOMIC_RELEASE);
    arch->irq_count--;
    arch_lock_release(&irq_lock);
    rcu_call(&irq->rcu, irq_free);
}

/** May it go up? A message that is masked is remembered. */
static bool irq_passes(struct irq *irq)
{
    arch_lock_acquire(&irq_lock);
    bool passes = !irq->masked;

    irq->pending = !passes && irq->ioapic == NULL;
    arch_lock_release(&irq_lock);
    return passes;
}

void irq_handle(uint32_t vector)
{
    struct arch_cpu *arch = arch_cpu_of(arch_cpu_local());
    struct irq *irq = __atomic_load_n(&arch->irqs[vector - VECTOR_DEVICE_FIRST], __ATOMIC_ACQUIRE);

    /* Whoever gets it masks it; only then may a level-triggered line be answered. */
    if (irq != NULL && irq_passes(irq))
        trap_irq(irq->cookie);
    apic_end_of_interrupt();
}
