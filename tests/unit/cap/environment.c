/* What the capability code asks of the rest of the kernel, for the host: a counting heap, grace periods that the test ends, and threads that
 * may not wait: their calls start again at once. */
#include "environment.h"

#include <stdio.h>
#include <stdlib.h>

#include "arch.h"
#include "arch_cpu.h"
#include "budget.h"
#include "endpoint.h"
#include "kmem.h"
#include "sched.h"
#include <grace_period.h>
#include <grace_wait.h>
#include <one_cpu.h>
#include <stop.h>

static struct cpu cpu;
struct cpu *host_cpu = &cpu;
size_t environment_allocated;
size_t environment_limit = SIZE_MAX;

void *kmem_alloc(struct budget *budget, size_t bytes)
{
    (void)budget;
    if (environment_allocated + bytes > environment_limit)
        return NULL;
    environment_allocated += bytes;
    return calloc(1, bytes);
}

size_t kmem_charge(size_t bytes)
{
    return bytes;
}

void kmem_free(struct budget *budget, void *pointer, size_t bytes)
{
    (void)budget;
    environment_allocated -= bytes;
    free(pointer);
}

void environment_grace_period(void)
{
    callbacks_run();
}

status_t budget_charge_kmem(struct budget *budget, uint64_t bytes)
{
    (void)budget;
    (void)bytes;
    return STATUS_OK;
}

void budget_uncharge_kmem(struct budget *budget, uint64_t bytes)
{
    (void)budget;
    (void)bytes;
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

uint64_t environment_closed_badge;
void (*environment_badge_closed)(uint64_t badge);

void endpoint_notify(struct notice *notice)
{
    environment_closed_badge = notice->cookie;
    if (environment_badge_closed != NULL)
        environment_badge_closed(notice->cookie);
    notice_retire(notice);
}

void callers_leave(struct cap *cap)
{
    (void)cap;
    abort(); /* nobody calls */
}

void endpoint_cancel_cap(struct endpoint *endpoint, struct cap *cap)
{
    (void)endpoint;
    (void)cap;
}

bool thread_wait_begin(struct thread *self, const struct wait_class *wait_class, void *object,
                       uint64_t deadline_ns)
{
    (void)self;
    (void)wait_class;
    (void)object;
    (void)deadline_ns;
    return false;
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

/* Every other preemption point gives way, so that revocations are resumed. */
bool sched_should_yield(void)
{
    static bool yield;
    yield = !yield;
    return yield;
}

void sched_yield_current(void)
{
}

void sched_forget_current(void)
{
}

uint64_t arch_time_now_ns(void)
{
    return 0;
}

bool ktimer_cancel(struct ktimer *timer)
{
    bool armed = timer->armed != 0;
    timer->armed = 0;
    return armed;
}
