/* Notifications: 64 sticky bits.
 *
 * signal() gives the new bits to the threads whose mask has some of them, first come first served; what is left stays set until a wait or
 * poll takes it. A bound notification hands its bits on to the queue: the event's data are the bits, taken. Everything is under the
 * notification's own lock (source_lock). */
#include <arch_accessors.h>
#include <handlers.h>
#include <obj_create.h>
#include <queue.h>
#include <sched.h>
#include <waiters.h>

#define NOTIFICATION_RIGHTS                                                                    \
    (RIGHT_COPY | RIGHT_TRANSFER | RIGHT_REVOKE | RIGHT_INSPECT | RIGHT_CALL | RIGHT_RECEIVE | \
     RIGHT_MANAGE)

struct notification {
    struct object object;
    struct spinlock lock; /* source_lock */
    bool dead GUARDED_BY(source_lock);
    uint64_t bits GUARDED_BY(source_lock);
    struct list waiters GUARDED_BY(source_lock); /* wait_data: the mask */
    struct event_source source GUARDED_BY(source_lock);
};

static inline struct notification *notification_of(struct object *object)
{
    return container_of(object, struct notification, object);
}

static const struct wait_class notification_wait_class = {.name = "notification",
                                                          WAIT_CLASS_LIST(notification, lock,
                                                                          source_lock, waiters)};

static uint64_t bits_take(struct notification *notification, uint64_t mask) REQUIRES(source_lock)
{
    uint64_t taken = notification->bits & mask;

    notification->bits &= ~taken;
    return taken;
}

/* Give the bits that are set to whom they are for. The last one, ours, is still to be woken; NULL: there was none. */
static inline __attribute__((always_inline)) struct thread *bits_deliver(
    struct notification *notification) REQUIRES(source_lock)
{
    struct thread *last = NULL;
    list_for_each_safe (node, after, &notification->waiters) {
        struct thread *thread = list_entry(node, struct thread, wait_link);
        uint64_t taken = bits_take(notification, thread->wait_data);

        if (taken == 0)
            continue;
        list_remove(node);
        thread_wait_end(thread);
        arch_syscall_result_set(thread, 0, taken);
        arch_syscall_status_set(thread, STATUS_OK);
        if (last != NULL)
            thread_wake(last);
        last = thread;
        if (notification->bits == 0)
            return last;
    }
    if (notification->source.queue != NULL && notification->bits != 0)
        event_post(&notification->source, bits_take(notification, UINT64_MAX), EVENT_OR);
    return last;
}

status_t sys_notification_signal(struct thread *self, struct cap *cap, uint64_t bits)
{
    struct notification *notification = notification_of(cap->object);
    struct thread *woken = NULL;

    source_lock_acquire(&notification->lock);
    notification->bits |= bits;
    if (notification->bits != 0)
        woken = bits_deliver(notification);
    source_lock_release(&notification->lock);
    if (woken == NULL)
        return STATUS_OK;
    arch_syscall_status_set(self, STATUS_OK); /* it may run elsewhere before we are out of here */
    if (likely(sched_give_way(woken))) {
        sched_leave_quickly();
        sched_leave();
    }
    thread_wake(woken);
    return STATUS_OK;
}

status_t sys_notification_wait(struct thread *self, struct cap *cap, uint64_t mask,
                               uint64_t deadline_ns, uint64_t *bits)
{
    struct notification *notification = notification_of(cap->object);
    status_t status = STATUS_OK;

    if (mask == 0)
        return STATUS_INVALID;
    source_lock_acquire(&notification->lock);
    *bits = bits_take(notification, mask);
    if (*bits == 0) {
        self->wait_data = mask;
        self->call_cap_id = cap->id;
        if (notification->dead)
            status = STATUS_GONE;
        else if (cap_is_dead(cap))
            status = STATUS_BAD_HANDLE;
        else
            status = waiter_enqueue(self, &notification->waiters, &notification_wait_class,
                                    notification, deadline_ns);
    }
    source_lock_release(&notification->lock);
    return status;
}

status_t sys_notification_poll(struct thread *self, struct cap *cap, uint64_t mask, uint64_t *bits)
{
    (void)self;
    struct notification *notification = notification_of(cap->object);

    source_lock_acquire(&notification->lock);
    *bits = bits_take(notification, mask);
    source_lock_release(&notification->lock);
    return STATUS_OK;
}

status_t sys_notification_bind(struct thread *self, struct cap *cap, struct cap *queue_cap,
                               uint64_t cookie)
{
    (void)self;
    struct notification *notification = notification_of(cap->object);

    source_lock_acquire(&notification->lock);
    status_t status = notification->dead ? STATUS_BAD_HANDLE
                                         : event_source_bind(&notification->source,
                                                             queue_of(queue_cap->object), cookie);

    struct thread *woken =
        status_is_ok(status) && notification->bits != 0 ? bits_deliver(notification) : NULL;
    if (woken != NULL)
        thread_wake(woken);
    source_lock_release(&notification->lock);
    return status;
}

static COLD void notification_destroy(struct object *object)
{
    struct notification *notification = notification_of(object);

    source_lock_acquire(&notification->lock);
    notification->dead = true;
    event_source_unbind(&notification->source);
    source_lock_release(&notification->lock);
    waiters_end(&notification_wait_class, notification, NULL, NULL, STATUS_GONE);
}

static COLD void notification_revoked(struct object *object, const struct cap *cap)
{
    waiters_end(&notification_wait_class, notification_of(object), waiter_came_through, cap,
                STATUS_BAD_HANDLE);
}

static COLD void notification_free(struct object *object)
{
    object_release(object, sizeof(struct notification));
}

static const struct object_ops notification_ops = {
    .type = OBJECT_NOTIFICATION,
    .destroy = notification_destroy,
    .revoked = notification_revoked,
    .free = notification_free,
};

static void notification_init(struct notification *notification) NO_THREAD_SAFETY
{
    list_init(&notification->waiters);
    event_source_init(&notification->source, EVENT_NOTIFICATION);
}

status_t sys_notification_create(struct thread *self, struct cap *budget, handle_t *handle)
{
    struct notification *notification =
        object_allocate(budget, sizeof(*notification), &notification_ops);

    if (notification == NULL)
        return STATUS_NO_MEMORY;
    notification_init(notification);
    return object_publish(self->process, &notification->object, NOTIFICATION_RIGHTS, handle);
}
