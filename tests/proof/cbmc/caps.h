#pragma once
/* What proofs of kernel/cap stand on: a heap of a few pieces that may be used up, callbacks that are only counted, and two processes whose tables have
 * one leaf each. Included in place of the sources, which it includes. */
#include "kernel.h"

#include <arch_accessors.h>
#include <budget.h>
#include <endpoint.h>
#include <kmem.h>
#include <sched.h>

struct cpu *host_cpu;
uint8_t *host_ram;
static uint32_t retired; /* callbacks */

/* Callbacks are only counted, and not so much as named: to the checker a function whose address is taken may be any that is called by a pointer. */
#define rcu_call(head, function) ((void)(head), (void)retired++)

#include "kernel/cap/tree.c"

#include "kernel/cap/cap.c"

#include "kernel/lib/count.c"
#ifdef PROOF_REVOKES
#include "kernel/cap/revoke.c"
#endif

/* Each an object of its own: a place in an array that is not known is dear. */
static struct budget budget_a, budget_b;
static struct cap new_cap;
static struct notice new_notice;
static uint64_t heap_bytes;
static uint32_t badges_closed, objects_destroyed;

void *kmem_alloc(struct budget *budget, size_t bytes)
{
    PROVE(budget == &budget_a || budget == &budget_b, "somebody pays");
    if (any_bool())
        return NULL;
    heap_bytes += bytes;
    if (bytes == sizeof(new_notice)) {
        new_notice = (struct notice){0};
        return &new_notice;
    }
    PROVE(bytes == sizeof(new_cap), "a node");
    new_cap = (struct cap){0};
    return &new_cap;
}

void kmem_free(struct budget *budget, void *pointer, size_t bytes)
{
    (void)budget;
    (void)pointer;
    heap_bytes -= bytes;
}

size_t kmem_charge(size_t bytes)
{
    return bytes;
}

void rcu_expedite(void)
{
}

status_t budget_charge_kmem(struct budget *budget, uint64_t bytes)
{
    if (any_bool())
        return STATUS_NO_MEMORY;
    budget->quotas[QUOTA_KMEM].used += bytes;
    return STATUS_OK;
}

void budget_uncharge_kmem(struct budget *budget, uint64_t bytes)
{
    budget->quotas[QUOTA_KMEM].used -= bytes;
}

bool budget_is_below(const struct budget *budget, const struct budget *ancestor)
{
    return budget == ancestor;
}

struct process *process_next(uint64_t after, uint64_t last, const struct budget *budget)
{
    (void)after;
    (void)last;
    (void)budget;
    return NULL;
}

void endpoint_notify(struct notice *notice)
{
    (void)notice;
    badges_closed++;
}

uint64_t arch_time_now_ns(void)
{
    return any_u64();
}

void callers_leave(struct cap *cap)
{
    (void)cap;
    PROVE(false, "nobody calls");
}

void endpoint_cancel_cap(struct endpoint *endpoint, struct cap *cap)
{
    (void)endpoint;
    PROVE(cap_is_dead(cap), "only what is revoked is cancelled");
    PROVE(proof_held == 0, "without a lock");
}

bool thread_wait_begin(struct thread *self, const struct wait_class *wait_class, void *object,
                       uint64_t deadline_ns)
{
    (void)self;
    (void)wait_class;
    (void)object;
    (void)deadline_ns;
    return any_bool();
}

void thread_wait_grace(struct thread *self)
{
    (void)self;
}

void thread_wake(struct thread *thread)
{
    (void)thread;
}

void thread_wake_status(struct thread *thread, status_t status)
{
    (void)thread;
    (void)status;
}

void thread_restart_on_wake(struct thread *self)
{
    (void)self;
}

/* Always: a long work is one step after the other, and each is looked at by itself. */
bool sched_should_yield(void)
{
    return true;
}

void sched_yield_current(void)
{
}

void sched_forget_current(void)
{
}

bool ktimer_cancel(struct ktimer *timer)
{
    (void)timer;
    return any_bool();
}

static void object_destroyed(struct object *object)
{
    (void)object;
    objects_destroyed++;
}

static const struct object_ops object_ops = {.type = OBJECT_ENDPOINT, .destroy = object_destroyed};
static struct endpoint endpoint;
static struct process process_a, process_b;
static struct thread self;
static struct cspace_slot leaf_a[CSPACE_LEAF_SLOTS], leaf_b[CSPACE_LEAF_SLOTS];

/* The first leaf is there: all slots free, in a list. */
static void table_make(struct process *process, struct budget *budget, struct cspace_slot *leaf)
{
    process->object.budget = budget;
    budget->object.refs = 1;
    process->leaves[0] = leaf;
    process->slot_count = CSPACE_LEAF_SLOTS;
    for (uint32_t i = 0; i < CSPACE_LEAF_SLOTS; i++) {
        leaf[i].uses = i;
        leaf[i].next_free = i + 1 == CSPACE_LEAF_SLOTS ? SLOT_NONE : i + 1;
    }
    process->free_slot = 0;
    process->table_closed = any_bool();
}

static void tables_make(void)
{
    table_make(&process_a, &budget_a, leaf_a);
    table_make(&process_b, &budget_b, leaf_b);
    self.process = &process_a;
}

/* @cap sits in the first free slot of @process. */
static void slot_fill(struct process *process, struct cap *cap)
{
    struct cspace_slot *slot = &process->leaves[0][process->free_slot];
    cap->handle = (0x1000ull + process->free_slot) << 32 | process->free_slot;
    process->free_slot = slot->next_free;
    slot->cap = cap;
    process->caps++;
    cap->holder = process;
}

static void object_make(uint32_t revoking)
{
    object_init(&endpoint.object, &object_ops, &budget_a);
    endpoint.object.revoking = revoking;
    endpoint.home.epoch = any_u32();
}

/* A node of @kind below @parent (NULL: a top). */
static void node_make(struct cap *cap, struct cap *parent, enum cap_kind kind, uint32_t depth)
{
    cap->object = &endpoint.object;
    cap->type = OBJECT_ENDPOINT;
    cap->rights = any_u32();
    cap->badge = any_u64();
    cap->epoch = any_u32();
    cap->budget = &budget_a;
    cap->kind = (uint8_t)kind;
    list_init(&cap->children);
    list_init(&cap->sibling);
    tree_insert(&endpoint.object, parent, cap);
    cap->depth = (uint16_t)depth;
    if (kind == CAP_GHOST) {
        cap->dead = true;
        endpoint.object.live--;
    }
    budget_a.object.refs++;
}
