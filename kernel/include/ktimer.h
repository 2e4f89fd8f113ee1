#pragma once
/* Kernel timers: nodes in the leftist heap of the CPU that armed them. */
#include "kernel.h"

struct ktimer {
    uint64_t deadline_ns;
    struct ktimer *child[2], *parent; /* timer_lock of the heap that it is in */
    /* Nodes on the way down by child[1], this one included. */
    uint32_t rank;
    /* atomic: 1 + the CPU in whose heap it is, by whose lock it gets there and away; 0: in none */
    uint32_t armed;
    /** Runs on the CPU that armed it, interrupts off, no lock held. */
    void (*fire)(struct ktimer *timer, uint64_t now_ns);
};

/** Arm on this CPU (rearms if armed). Locks above timer_lock may be held. Several may arm one timer at once: one of them is the last. */
void ktimer_arm(struct ktimer *timer, uint64_t deadline_ns,
                void (*fire)(struct ktimer *, uint64_t));
/** Disarm. False: it was not armed, or fire() has begun or will (the heap no longer has it). */
bool ktimer_cancel(struct ktimer *timer);
/** From the timer interrupt: fire what is due, program the next. */
void ktimer_interrupt(void);
