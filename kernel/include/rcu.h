#pragma once
/* Grace periods. All kernel code runs with interrupts off and is a read section; a CPU is quiescent when it leaves the
 * kernel or idles. Callbacks run after every CPU was quiescent once since the callback was queued; because CPUs flush
 * their TLB on the way out of the kernel (mm/aspace.h), a frame freed by a callback is in no TLB either. */
#include "kernel.h"

struct rcu_head {
    struct rcu_head *next;
    void (*function)(struct rcu_head *head);
};

/** Run @function(@head) on some CPU, interrupts off, no lock held, after a grace period. Any lock may be held. */
void rcu_call(struct rcu_head *head, void (*function)(struct rcu_head *head));
/** Called on every exit to user mode and in the idle loop. */
void rcu_quiescent(void);
/** Called from the IPI and timer interrupt: advance grace periods, run callbacks that are due. */
void rcu_poll(void);
