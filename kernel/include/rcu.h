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
/** Somebody waits for the callbacks queued here: begin their grace period at the next rcu_poll. */
void rcu_expedite(void);
/** On the way to user mode and in the idle loop: this CPU was quiescent in @period, read (rcu_period_now) before it flushed what was
 *  stale. A later period that has begun since is not noted, unless no address space is loaded: look again. */
void rcu_quiescent(uint64_t period);
/** Called on the way out when this CPU has callbacks: advance grace periods, run callbacks that are due, with interrupts in between. True:
 *  there is more to do once this CPU has been quiescent, or interrupts came, so an idle CPU may not sleep yet. */
bool rcu_poll(void);
/** The number of a grace period that begins after everything that this CPU did so far. Nobody sees to it that it does begin. */
uint64_t rcu_period_next(void);
/** Is grace period @period, a number of rcu_period_next(), over? If not, it begins as soon as it can. */
bool rcu_is_over(uint64_t period);
/** The number of the last grace period that is over: what a CPU did in the kernel, or through its TLB, before it began is over too. */
uint64_t rcu_completed(void);
/** Are all other CPUs idle? Then a grace period that began now would be over once this CPU leaves the kernel: nobody else is inside it,
 *  or has a translation. */
bool rcu_others_idle(void);
struct cpu;
/** @cpu takes part from now on. Called on it, once, before it leaves the kernel or idles. */
void rcu_cpu_online(struct cpu *cpu);
