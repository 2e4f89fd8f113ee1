/* Interrupts as objects.
 *
 * An interrupt is made from the root capability (held by devmgr): for a global line, or as a message that a device writes. When it comes its
 * line is masked, and an event is posted to the bound queue; interrupt_ack lets the next one through. What comes while nobody has bound
 * is counted and posted on bind.
 *
 * Devices may share a line that is level-triggered: each has an interrupt of its own. The line cannot tell whose device it is, so it is
 * told to all that were acknowledged, and stays masked until each of them has looked and said so. An interrupt that nobody has acknowledged
 * yet, or whose binding was revoked, is not asked: it cannot hold up the others.
 *
 * When the capability through which an interrupt was bound is revoked, the interrupt is unbound and silent. A line that is detached cannot
 * be in trap_irq any more once a grace period has passed: trap_irq runs within one stay in the kernel. */
#include <arch.h>
#include <device.h>
#include <handlers.h>
#include <kmem.h>
#include <list.h>
#include <obj_create.h>
#include <queue.h>
#include <rcu.h>
#include <thread.h>
#include <trace.h>

#define INTERRUPT_RIGHTS \
    (RIGHT_COPY | RIGHT_TRANSFER | RIGHT_REVOKE | RIGHT_INSPECT | RIGHT_RECEIVE | RIGHT_MANAGE)
#define FLAG_LEVEL 1u
#define IRQ_FLAGS 3u

/** Where interrupts enter the kernel: a global line, or a message. */
struct irq_line {
    struct spinlock lock;                           /* source_lock: its interrupts' too */
    struct list interrupts GUARDED_BY(source_lock); /* interrupt.link */
    bool masked GUARDED_BY(source_lock);
    uint32_t number, flags; /* of a global line */
    uint32_t vector;
    uint32_t users GUARDED_BY(registry_lock);
    struct list link GUARDED_BY(registry_lock); /* global lines: lines */
    struct rcu_head rcu;
};

enum irq_state {
    IRQ_SILENT, /* not acknowledged since it was made or revoked: does not count */
    IRQ_ARMED,  /* wants to hear of the next */
    IRQ_PENDING /* told, not yet acknowledged */
};

struct interrupt {
    struct object object;
    bool root;             /* stands for no interrupt: others are made from it */
    struct irq_line *line; /* of all but the root */
    struct list link GUARDED_BY(source_lock);
    bool attached GUARDED_BY(source_lock); /* on its line's list */
    enum irq_state state GUARDED_BY(source_lock);
    uint64_t missed GUARDED_BY(source_lock); /* came while nobody was bound */
    struct event_source source GUARDED_BY(source_lock);
    uint64_t bound_cap_id GUARDED_BY(source_lock); /* the node through which it was bound */
};

static inline struct interrupt *interrupt_of(struct object *object)
{
    return container_of(object, struct interrupt, object);
}

/* ── Lines ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static struct spinlock lines_lock; /* registry_lock */
static struct list lines GUARDED_BY(registry_lock) = {&lines, &lines};

/* Open while somebody wants to hear of the next, and all have acknowledged the last. */
static void line_update(struct irq_line *line) REQUIRES(source_lock)
{
    bool open = false;

    list_for_each (node, &line->interrupts) {
        enum irq_state state = list_entry(node, struct interrupt, link)->state;

        if (state == IRQ_PENDING) {
            open = false;
            break;
        }
        open |= state == IRQ_ARMED;
    }
    if (open != line->masked)
        return;
    if (open)
        arch_irq_unmask(line->vector);
    else
        arch_irq_mask(line->vector);
    line->masked = !open;
}

static struct irq_line *line_find(uint32_t number) REQUIRES(registry_lock)
{
    list_for_each (node, &lines) {
        struct irq_line *line = list_entry(node, struct irq_line, link);

        if (line->number == number)
            return line;
    }
    return NULL;
}

static struct irq_line *line_new(void) NO_THREAD_SAFETY
{
    struct irq_line *line = kmem_alloc(NULL, sizeof(*line));

    if (line == NULL)
        return NULL;
    *line = (struct irq_line){.masked = true, .users = 1};
    list_init(&line->interrupts);
    list_init(&line->link);
    return line;
}

static void line_free(struct rcu_head *head)
{
    kmem_free(NULL, container_of(head, struct irq_line, rcu), sizeof(struct irq_line));
}

static status_t line_attach(uint32_t number, uint32_t flags, struct irq_line **line)
    REQUIRES(registry_lock)
{
    struct irq_line *made = line_new();

    if (made == NULL)
        return STATUS_NO_MEMORY;
    made->number = number;
    made->flags = flags;
    status_t status = arch_irq_attach(number, flags, made, &made->vector);

    if (!status_is_ok(status)) {
        kmem_free(NULL, made, sizeof(*made));
        return status;
    }
    list_push_back(&lines, &made->link);
    *line = made;
    return STATUS_OK;
}

/* The global line @number, shared if it may be: an edge says nothing to who comes second. */
static status_t line_get(uint32_t number, uint32_t flags, struct irq_line **line)
{
    status_t status = STATUS_OK;

    registry_lock_acquire(&lines_lock);
    *line = line_find(number);
    if (*line == NULL)
        status = line_attach(number, flags, line);
    else if ((flags & FLAG_LEVEL) == 0 || (*line)->flags != flags)
        status = STATUS_BUSY;
    else
        (*line)->users++;
    registry_lock_release(&lines_lock);
    return status;
}

static status_t line_get_message(uint32_t source, struct irq_line **line, uint64_t *address,
                                 uint32_t *data)
{
    struct irq_line *made = line_new();

    if (made == NULL)
        return STATUS_NO_MEMORY;
    status_t status = arch_msi_attach(source, made, &made->vector, address, data);

    if (!status_is_ok(status))
        kmem_free(NULL, made, sizeof(*made));
    *line = made;
    return status;
}

static void line_put(struct irq_line *line)
{
    registry_lock_acquire(&lines_lock);
    bool last = --line->users == 0;

    if (last) {
        list_remove(&line->link);
        arch_irq_detach(line->vector);
        rcu_call(&line->rcu, line_free);
    }
    registry_lock_release(&lines_lock);
}

/* ── What comes and what is answered ─────────────────────────────────────────────────────────────────────────────── */

static void interrupt_deliver(struct interrupt *interrupt, uint64_t count) REQUIRES(source_lock)
{
    if (interrupt->source.queue != NULL)
        event_post(&interrupt->source, count, EVENT_ADD);
    else
        interrupt->missed += count;
}

void trap_irq(void *cookie)
{
    struct irq_line *line = cookie;

    if (trace_is_on())
        trace_record(TRACE_INTERRUPT, 2, line->vector, 0);
    source_lock_acquire(&line->lock);
    list_for_each (node, &line->interrupts) {
        struct interrupt *interrupt = list_entry(node, struct interrupt, link);

        if (interrupt->state == IRQ_SILENT)
            continue;
        interrupt->state = IRQ_PENDING;
        interrupt_deliver(interrupt, 1);
    }
    line_update(line);
    source_lock_release(&line->lock);
}

static void interrupt_set_state(struct interrupt *interrupt, enum irq_state state)
    REQUIRES(source_lock)
{
    interrupt->state = state;
    line_update(interrupt->line);
}

status_t sys_interrupt_ack(struct thread *self, struct cap *cap)
{
    (void)self;
    struct interrupt *interrupt = interrupt_of(cap->object);

    if (interrupt->root)
        return STATUS_WRONG_TYPE;
    source_lock_acquire(&interrupt->line->lock);
    if (interrupt->attached)
        interrupt_set_state(interrupt, IRQ_ARMED);
    source_lock_release(&interrupt->line->lock);
    return STATUS_OK;
}

status_t sys_interrupt_bind(struct thread *self, struct cap *cap, struct cap *queue_cap,
                            uint64_t cookie)
{
    (void)self;
    struct interrupt *interrupt = interrupt_of(cap->object);

    if (interrupt->root)
        return STATUS_WRONG_TYPE;
    source_lock_acquire(&interrupt->line->lock);
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
    source_lock_release(&interrupt->line->lock);
    return status;
}

static void interrupt_revoked(struct object *object, const struct cap *cap)
{
    struct interrupt *interrupt = interrupt_of(object);

    if (interrupt->root)
        return;
    source_lock_acquire(&interrupt->line->lock);
    if (interrupt->source.queue != NULL && interrupt->bound_cap_id == cap->id) {
        event_source_unbind(&interrupt->source);
        interrupt_set_state(interrupt, IRQ_SILENT);
    }
    source_lock_release(&interrupt->line->lock);
}

/* ── The object ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static void interrupt_destroy(struct object *object)
{
    struct interrupt *interrupt = interrupt_of(object);

    if (interrupt->root)
        return;
    source_lock_acquire(&interrupt->line->lock);
    list_remove(&interrupt->link);
    interrupt->attached = false;
    event_source_unbind(&interrupt->source);
    line_update(interrupt->line);
    source_lock_release(&interrupt->line->lock);
    line_put(interrupt->line);
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
    list_init(&interrupt->link);
    return interrupt;
}

/* Put @interrupt on its line, and give the capability to the caller, or everything back. */
static status_t interrupt_publish(struct thread *self, struct interrupt *interrupt,
                                  handle_t *handle)
{
    source_lock_acquire(&interrupt->line->lock);
    list_push_back(&interrupt->line->interrupts, &interrupt->link);
    interrupt->attached = true;
    source_lock_release(&interrupt->line->lock);
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
    status_t status = line_get(line, flags, &interrupt->line);

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
    status_t status = line_get_message(device, &interrupt->line, address, data);

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
