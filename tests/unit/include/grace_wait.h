#pragma once
/* Waiting for a grace period where no scheduler runs. Included by one source of a program. */
#include <sched.h>
#include <thread.h>

static void grace_over(struct rcu_head *head)
{
    struct thread *thread = container_of(head, struct thread, rcu_wait);
    thread->wait_class = NULL;
    thread_wake(thread);
}

void thread_wait_grace(struct thread *self)
{
    static const struct wait_class grace_wait = {.name = "grace period"};
    self->wait_class = &grace_wait;
    sched_forget_current();
    rcu_call(&self->rcu_wait, grace_over);
    rcu_expedite();
}
