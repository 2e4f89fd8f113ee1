/* Timer objects: a deadline, once or periodic, that posts an event.
 *
 * A periodic timer runs on only when its event has been taken: who takes it arms the next deadline, and if that has passed already, it
 * fires at once and counts the periods in between. So a timer costs the kernel one interrupt for each event that somebody wants, whatever its period, and many that nobody
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
    bool waiting;         /* atomic: fired, and armed again when its event is taken */
    uint64_t deadline_ns; /* atomic; source_lock to write */
    uint64_t period_ns;   /* atomic; source_lock to write */
    uint64_t missed GUARDED_BY(source_lock); /* fired while not bound */
    struct event_source source GUARDED_BY(source_lock);
    struct ktimer ktimer;
};

static inline struct timer *timer_of(struct object *object)
{
    return container_of(object, struct timer, object);
}

/* How many deadlines have passed at @now_ns; deadline_ns is the next one, which is not armed: see timer_event_taken(). */
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
    uint64_t next_ns;

    if (__builtin_add_overflow(timer->deadline_ns, count * timer->period_ns, &next_ns))
        timer->active = false;
    else
        __atomic_store_n(&timer->deadline_ns, next_ns, __ATOMIC_SEQ_CST);
    return count;
}

static void timer_fire(struct ktimer *ktimer, uint64_t now_ns)
{
    struct timer *timer = container_of(ktimer, struct timer, ktimer);

    source_lock_acquire(&timer->lock);
    uint64_t count = timer_advance(timer, now_ns);

    if (count != 0) {
        __atomic_store_n(&timer->waiting, true, __ATOMIC_RELAXED);
        if (timer->source.queue == NULL)
            timer->missed += count;
        event_post(&timer->source, count, EVENT_ADD);
    } else if (timer->active) {
        ktimer_arm(ktimer, timer->deadline_ns, timer_fire); /* was set anew meanwhile */
    }
    source_lock_release(&timer->lock);
}

/* Without the timer's lock: sys_timer_set() stores the deadline and then arms, so either it arms last or we see what it stored. */
void timer_event_taken(struct event_source *source) NO_THREAD_SAFETY
{
    struct timer *timer = container_of(source, struct timer, source);
    uint64_t deadline_ns;

    if (!__atomic_exchange_n(&timer->waiting, false, __ATOMIC_SEQ_CST) ||
        __atomic_load_n(&timer->period_ns, __ATOMIC_RELAXED) == 0)
        return;
    do {
        deadline_ns = __atomic_load_n(&timer->deadline_ns, __ATOMIC_SEQ_CST);
        ktimer_arm(&timer->ktimer, deadline_ns, timer_fire);
    } while (deadline_ns != __atomic_load_n(&timer->deadline_ns, __ATOMIC_SEQ_CST));
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
    __atomic_store_n(&timer->deadline_ns,
                     period_ns != 0 ? MAX(deadline_ns, arch_time_now_ns()) : deadline_ns,
                     __ATOMIC_SEQ_CST);
    __atomic_store_n(&timer->period_ns, period_ns, __ATOMIC_RELAXED);
    timer->active = !timer->dead;
    __atomic_store_n(&timer->waiting, false, __ATOMIC_SEQ_CST);
    if (timer->active)
        ktimer_arm(&timer->ktimer, timer->deadline_ns, timer_fire);
    source_lock_release(&timer->lock);
    return STATUS_OK;
}

static void timer_stop(struct timer *timer) REQUIRES(source_lock)
{
    timer->active = false;
    __atomic_store_n(&timer->waiting, false, __ATOMIC_SEQ_CST);
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

    /* What fired while it was not bound; or its event went with another queue. */
    if (status_is_ok(status) &&
        (timer->missed != 0 || __atomic_load_n(&timer->waiting, __ATOMIC_RELAXED)))
        event_post(&timer->source, MAX(timer->missed, 1), EVENT_ADD);
    if (status_is_ok(status))
        timer->missed = 0;
    source_lock_release(&timer->lock);
    return status;
}

static void timer_destroy(struct object *object)
{
    struct timer *timer = timer_of(object);

    source_lock_acquire(&timer->lock);
    timer->dead = true;
    event_source_unbind(&timer->source);
    timer_stop(timer); /* nobody takes its event any more, and arms it */
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
