#pragma once
/* A machine that does nothing but schedule: CPUs whose time goes from event to event, and threads that compute and wait as told. */
#include <cpu.h>
#include <stdbool.h>
#include <thread.h>

#define MS UINT64_C(1000000)

/** A thread of the machine. */
struct actor {
    struct thread thread;
    uint64_t compute_ns; /* how long it computes before it waits; 0: always */
    uint64_t wait_ns;
    uint64_t left_ns;  /* until it waits */
    uint64_t wakes_ns; /* when it waits: until then */
    uint64_t ready_ns; /* since when it wants to run */
    uint64_t ran_ns;   /* since machine_clear() */
    uint64_t all_ns;   /* in all */
    uint64_t delay_ns; /* the longest from ready to running */
    uint64_t since_ns; /* when it was left to run, and the longest that it was: */
    uint64_t stretch_ns;
    bool runs, waits;
    struct realtime realtime;
};

/** Interrupts that each CPU has taken. */
extern uint64_t machine_interrupts[CPU_MAX];
extern uint64_t machine_now_ns;
extern uint32_t machine_waker; /* the CPU on which threads are begun */

/** A machine of @cpus CPUs, idle. */
void machine_start(uint32_t cpus);
/** A thread of @priority that computes for @compute_ns (0: for ever), waits for @wait_ns, and so on. */
struct actor *machine_thread(uint8_t priority, uint64_t compute_ns, uint64_t wait_ns);
/** The same, which may run on the CPUs of @affinity and ran on CPU @last. */
struct actor *machine_thread_on(uint8_t priority, uint64_t compute_ns, uint64_t wait_ns,
                                uint64_t affinity, uint32_t last);
/** The threads there are, in the order in which they were made. */
struct actor *machine_actor(unsigned number);
unsigned machine_actor_count(void);
void machine_priority(struct actor *actor, uint8_t priority);
/** It runs on the CPUs of @affinity from now on: one that the machine has is among them. */
void machine_affinity(struct actor *actor, uint64_t affinity);
/** Make it one of the real-time band. */
void machine_realtime(struct actor *actor, uint8_t priority, struct allowance allowance);
void machine_run(uint64_t ns);
/** What always holds between events: each thread is in one place and one that it may be in; queues, their bitmaps and counts agree; on no CPU
 *  somebody waits who is better than who runs, nor without a timer for the turn; levels are those that base, turn and allowance allow; each
 *  has been charged for what it ran. Else says what does not, and returns false. */
bool machine_check(void);
/** The next CPU to idle goes on from there after @event, which must send it an interrupt. All others leave the kernel anew when one comes. */
void machine_while_idle(void (*event)(void));
/** CPU @id takes the interrupt that it was sent. */
void machine_interrupt(uint32_t id);
/** CPU @id ends the wait of @actor, and goes on as it did. */
void machine_wake(uint32_t id, struct actor *actor);
/** Forget what the threads had. */
void machine_clear(void);
