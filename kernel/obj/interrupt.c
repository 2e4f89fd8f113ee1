/* Interrupts as objects.
 *
 * An interrupt is made from the root capability (held by devmgr): for a global line, or as a message that a device writes. When it comes the
 * line is masked, and an event is posted to the bound queue; interrupt_ack lets the next one through. What comes while nobody has bound
 * is counted and posted on bind.
 *
 * When the capability through which an interrupt was bound is revoked, its line is masked and unbound. A line that is detached cannot be
 * on its way to this object once a grace period has passed: trap_irq runs within one stay in the kernel. */
#include <arch.h>
#include <device.h>
#include <handlers.h>
#include <obj_create.h>
#include <queue.h>
#include <thread.h>

#define INTERRUPT_RIGHTS \
    (RIGHT_COPY | RIGHT_TRANSFER | RIGHT_REVOKE | RIGHT_INSPECT | RIGHT_RECEIVE | RIGHT_MANAGE)
#define IRQ_FLAGS 3u

struct interrupt {
    struct object object;
    struct spinlock lock; /* source_lock */
    bool root;            /* stands for no interrupt: others are made from it */
    bool attached;        /* has a vector */
    bool masked GUARDED_BY(source_lock);
    uint32_t vector;
    uint64_t missed GUARDED_BY(source_lock); /* came while nobody was bound */
    struct event_source source GUARDED_BY(source_lock);
    uint64_t bound_cap_id GUARDED_BY(source_lock); /* the node through which it was bound */
};

static inline struct interrupt *interrupt_of(struct object *object)
{
    return container_of(object, struct interrupt, object);
}

static void interrupt_mask(struct interrupt *interrupt) REQUIRES(source_lock)
{
    if (!interrupt->masked)
        arch_irq_mask(interrupt->vector);
    interrupt->masked = true;
}

static void interrupt_deliver(struct interrupt *interrupt, uint64_t count) REQUIRES(source_lock)
{
    if (interrupt->source.queue != NULL)
        event_post(&interrupt->source, count, EVENT_ADD);
    else
        interrupt->missed += count;
}

void trap_irq(void *cookie)
{
    struct interrupt *interrupt = cookie;

    source_lock_acquire(&interrupt->lock);
    interrupt_mask(interrupt);
    interrupt_deliver(interrupt, 1);
    source_lock_release(&interrupt->lock);
}

status_t sys_interrupt_ack(struct thread *self, struct cap *cap)
{
    (void)self;
    struct interrupt *interrupt = interrupt_of(cap->object);

    if (interrupt->root)
        return STATUS_WRONG_TYPE;
    source_lock_acquire(&interrupt->lock);
    if (interrupt->masked && interrupt->attached)
        arch_irq_unmask(interrupt->vector);
    interrupt->masked = false;
    source_lock_release(&interrupt->lock);
    return STATUS_OK;
}

status_t sys_interrupt_bind(struct thread *self, struct cap *cap, struct cap *queue_cap,
                            uint64_t cookie)
{
    (void)self;
    struct interrupt *interrupt = interrupt_of(cap->object);

    if (interrupt->root)
        return STATUS_WRONG_TYPE;
    source_lock_acquire(&interrupt->lock);
    /* Revocation marks the node before it visits the interrupt under this lock. */
    status_t status =
        !interrupt->attached || cap_is_dead(cap)
            ? STATUS_BAD_HANDLE
            : event_source_bind(&interrupt->source, queue_of(queue_cap->object), cookie);

    if (status_is_ok(status)) {
        uint64_t missed = interrupt->missed;

        interrupt->bound_cap_id = cap->id;
        interrupt->missed = 0;
        if (missed != 0)
            interrupt_deliver(interrupt, missed);
    }
    source_lock_release(&interrupt->lock);
    return status;
}

static void interrupt_revoked(struct object *object, const struct cap *cap)
{
    struct interrupt *interrupt = interrupt_of(object);

    source_lock_acquire(&interrupt->lock);
    if (interrupt->source.queue != NULL && interrupt->bound_cap_id == cap->id) {
        interrupt_mask(interrupt);
        event_source_unbind(&interrupt->source);
    }
    source_lock_release(&interrupt->lock);
}

/* ── The object ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static void interrupt_destroy(struct object *object)
{
    struct interrupt *interrupt = interrupt_of(object);

    source_lock_acquire(&interrupt->lock);
    bool attached = interrupt->attached;

    if (attached)
        interrupt_mask(interrupt);
    interrupt->attached = false;
    event_source_unbind(&interrupt->source);
    source_lock_release(&interrupt->lock);
    if (attached)
        arch_irq_detach(interrupt->vector);
}

static void interrupt_free(struct object *object)
{
    object_release(object, sizeof(struct interrupt));
}

static const struct object_ops interrupt_ops = {.type = OBJECT_INTERRUPT,
                                                .destroy = interrupt_destroy,
                                                .revoked = interrupt_revoked,
                                                .free = interrupt_free};

static struct interrupt *interrupt_new(const struct cap *budget) NO_THREAD_SAFETY
{
    struct interrupt *interrupt = object_allocate(budget, sizeof(*interrupt), &interrupt_ops);

    if (interrupt == NULL)
        return NULL;
    event_source_init(&interrupt->source, EVENT_INTERRUPT);
    interrupt->masked = true;
    return interrupt;
}

/* The vector is there: give the capability to the caller, or everything back. */
static status_t interrupt_publish(struct thread *self, struct interrupt *interrupt,
                                  handle_t *handle)
{
    interrupt->attached = true;
    status_t status = cap_create(self->process, &interrupt->object, INTERRUPT_RIGHTS, handle);

    if (status_is_ok(status))
        return STATUS_OK;
    interrupt_destroy(&interrupt->object);
    object_unref(&interrupt->object);
    return status;
}

status_t sys_interrupt_create(struct thread *self, struct cap *root, struct cap *budget,
                              uint32_t line, uint32_t flags, handle_t *handle)
{
    if (!interrupt_of(root->object)->root || (flags & ~IRQ_FLAGS) != 0)
        return STATUS_INVALID;
    struct interrupt *interrupt = interrupt_new(budget);

    if (interrupt == NULL)
        return STATUS_NO_MEMORY;
    status_t status = arch_irq_attach(line, flags, interrupt, &interrupt->vector);

    if (!status_is_ok(status)) {
        object_unref(&interrupt->object);
        return status;
    }
    return interrupt_publish(self, interrupt, handle);
}

status_t sys_interrupt_create_msi(struct thread *self, struct cap *root, struct cap *budget,
                                  uint32_t device, handle_t *handle, uint64_t *address,
                                  uint32_t *data)
{
    if (!interrupt_of(root->object)->root)
        return STATUS_INVALID;
    struct interrupt *interrupt = interrupt_new(budget);

    if (interrupt == NULL)
        return STATUS_NO_MEMORY;
    status_t status = arch_msi_attach(device, interrupt, &interrupt->vector, address, data);

    if (!status_is_ok(status)) {
        object_unref(&interrupt->object);
        return status;
    }
    return interrupt_publish(self, interrupt, handle);
}

status_t interrupt_create_root(struct process *process, struct budget *budget, handle_t *handle)
{
    struct interrupt *root = kmem_alloc(budget, sizeof(*root));

    if (root == NULL)
        return STATUS_NO_MEMORY;
    object_init(&root->object, &interrupt_ops, budget);
    root->root = true;
    return object_publish(process, &root->object, INTERRUPT_RIGHTS, handle);
}
