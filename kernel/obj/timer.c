/* Timer objects: a deadline, once or periodic, that posts an event.
 *
 * A periodic timer runs on only when its event has been taken: the taker counts the periods that passed meanwhile and sets the next
 * deadline. So a timer costs the kernel one interrupt for each event that somebody wants, whatever its period, and many that nobody
 * looks at cost nothing.
 *
 * The kernel timer below may be on its way to fire while it is set anew or cancelled on another CPU. So fire() looks again under the lock:
 * it does nothing unless the timer is active and its deadline has really passed. A timer that is freed cannot fire any more, since
 * memory is given back only after a grace period, and firing happens within one stay in the kernel. */
#include <arch.h>
#include <handlers.h>
#include <ktimer.h>
#include <obj_create.h>
#include <queue.h>
#include <thread.h>

#define TIMER_RIGHTS (RIGHT_COPY | RIGHT_TRANSFER | RIGHT_REVOKE | RIGHT_INSPECT | RIGHT_MANAGE)
#define PERIOD_MIN_NS 100000u

struct timer {
    struct object object;
    struct spinlock lock; /* source_lock */
    bool dead GUARDED_BY(source_lock);
    bool active GUARDED_BY(source_lock);
    bool waiting GUARDED_BY(source_lock); /* fired, and not set again before its event is taken */
    uint64_t deadline_ns GUARDED_BY(source_lock);
    uint64_t period_ns GUARDED_BY(source_lock);
    uint64_t missed GUARDED_BY(source_lock); /* fired while not bound */
    struct event_source source GUARDED_BY(source_lock);
    struct ktimer ktimer;
};

static inline struct timer *timer_of(struct object *object)
{
    return container_of(object, struct timer, object);
}

/* How many deadlines have passed at @now_ns; deadline_ns is the next one. It is not set: see timer_go_on(). */
static uint64_t timer_advance(struct timer *timer, uint64_t now_ns) REQUIRES(source_lock)
{
    if (!timer->active || now_ns < timer->deadline_ns)
        return 0;
    if (timer->period_ns == 0) {
        timer->active = false;
        return 1;
    }
    uint64_t count = (now_ns - timer->deadline_ns) / timer->period_ns + 1;

    /* No overflow before the year 2554: the new deadline is at most one period after now. */
    if (__builtin_add_overflow(timer->deadline_ns, count * timer->period_ns, &timer->deadline_ns))
        timer->active = false;
    return count;
}

static void timer_fire(struct ktimer *ktimer, uint64_t now_ns)
{
    struct timer *timer = container_of(ktimer, struct timer, ktimer);

    source_lock_acquire(&timer->lock);
    uint64_t count = timer_advance(timer, now_ns);

    if (count != 0) {
        timer->waiting = true;
        if (timer->source.queue == NULL)
            timer->missed += count;
        event_post(&timer->source, count, EVENT_ADD);
    }
    source_lock_release(&timer->lock);
}

/* Its last event is out of the way: the periods that passed since, and the next deadline is set. */
static uint64_t timer_go_on(struct timer *timer) REQUIRES(source_lock)
{
    uint64_t count = timer_advance(timer, arch_time_now_ns());

    timer->waiting = false;
    if (timer->active)
        ktimer_arm(&timer->ktimer, timer->deadline_ns, timer_fire);
    return count;
}

void timer_event_taken(struct event_source *source, struct event *event)
{
    struct timer *timer = container_of(source, struct timer, source);

    source_lock_acquire(&timer->lock);
    if (timer->waiting)
        event->data += timer_go_on(timer);
    source_lock_release(&timer->lock);
}

status_t sys_timer_set(struct thread *self, struct cap *cap, uint64_t deadline_ns,
                       uint64_t period_ns)
{
    (void)self;
    struct timer *timer = timer_of(cap->object);

    if (period_ns != 0 && period_ns < PERIOD_MIN_NS)
        return STATUS_INVALID;
    source_lock_acquire(&timer->lock);
    /* A periodic timer set far into the past does not count what was never waited for. */
    timer->deadline_ns = period_ns != 0 ? MAX(deadline_ns, arch_time_now_ns()) : deadline_ns;
    timer->period_ns = period_ns;
    timer->active = !timer->dead;
    timer->waiting = false;
    if (timer->active)
        ktimer_arm(&timer->ktimer, timer->deadline_ns, timer_fire);
    source_lock_release(&timer->lock);
    return STATUS_OK;
}

static void timer_stop(struct timer *timer) REQUIRES(source_lock)
{
    timer->active = false;
    timer->waiting = false;
    ktimer_cancel(&timer->ktimer);
}

status_t sys_timer_cancel(struct thread *self, struct cap *cap)
{
    (void)self;
    struct timer *timer = timer_of(cap->object);

    source_lock_acquire(&timer->lock);
    timer_stop(timer);
    source_lock_release(&timer->lock);
    return STATUS_OK;
}

status_t sys_timer_bind(struct thread *self, struct cap *cap, struct cap *queue_cap,
                        uint64_t cookie)
{
    (void)self;
    struct timer *timer = timer_of(cap->object);

    source_lock_acquire(&timer->lock);
    status_t status = timer->dead
                          ? STATUS_BAD_HANDLE
                          : event_source_bind(&timer->source, queue_of(queue_cap->object), cookie);

    if (status_is_ok(status) && timer->missed != 0) {
        event_post(&timer->source, timer->missed, EVENT_ADD);
        timer->missed = 0;
    } else if (status_is_ok(status) && timer->waiting) {
        event_post(&timer->source, timer_go_on(timer) + 1,
                   EVENT_ADD); /* its event went with another queue */
    }
    source_lock_release(&timer->lock);
    return status;
}

static void timer_destroy(struct object *object)
{
    struct timer *timer = timer_of(object);

    source_lock_acquire(&timer->lock);
    timer->dead = true;
    timer_stop(timer);
    event_source_unbind(&timer->source);
    source_lock_release(&timer->lock);
}

static void timer_free(struct object *object)
{
    object_release(object, sizeof(struct timer));
}

static const struct object_ops timer_ops = {.type = OBJECT_TIMER,
                                            .destroy = timer_destroy,
                                            .free = timer_free};

static void timer_init(struct timer *timer) NO_THREAD_SAFETY
{
    event_source_init(&timer->source, EVENT_TIMER);
}

status_t sys_timer_create(struct thread *self, struct cap *budget, handle_t *handle)
{
    struct timer *timer = object_allocate(budget, sizeof(*timer), &timer_ops);

    if (timer == NULL)
        return STATUS_NO_MEMORY;
    timer_init(timer);
    return object_publish(self->process, &timer->object, TIMER_RIGHTS, handle);
}
