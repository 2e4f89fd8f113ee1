#pragma once
/* Grace periods where one thread plays all CPUs: callbacks wait until the test lets a period end. Included by one source of a program. */
#include <rcu.h>
#include <stddef.h>

static struct rcu_head *callbacks;

void rcu_call(struct rcu_head *head, void (*function)(struct rcu_head *))
{
    head->function = function;
    head->next = callbacks;
    callbacks = head;
}

void rcu_expedite(void)
{
}

/** Run all callbacks, and those that they queue. */
static inline void callbacks_run(void)
{
    while (callbacks != NULL) {
        struct rcu_head *head = callbacks;
        callbacks = head->next;
        head->function(head);
    }
}
