#pragma once
/* Who goes before whom, and for how long: pure functions of what a thread has used and waited (sched/policy.c). */
#include "kernel.h"

#include <veridian/abi.h>

/** A turn: what a thread runs before others of its level. */
#define TURN_NS 5000000u
/** How many levels below its priority a thread falls at most: one for each turn that it has used and not waited off. */
#define TURN_LEVELS 8u
/** It waits off a turn in this many times TURN_NS. */
#define TURN_RECOVERY 4u
/** After how many looks at which it was the first of its level, and others ran, a thread climbs a level. */
#define TURN_PATIENCE 4u

/** A thread's part in it. Written by the CPU whose current thread it is or serves, by who wakes it, or under its run queue's lock. Who serves a call that
 *  another CPU breaks off does so beside the caller for a moment: all are atomic, and of two that write at once one is lost. */
struct turn {
    uint64_t left_ns;  /* of its turn; less than 0: it has had more */
    uint64_t since_ns; /* when it began to wait, or its last turn ended */
    uint32_t used_ns;  /* turns that it has not waited off, at most TURN_LEVELS */
    uint8_t passed;    /* looks at which it was passed over */
};

/** It ran for @ns. True: its turn is over. */
static inline bool turn_charge(struct turn *turn, uint64_t ns)
{
    uint64_t left_ns = __atomic_load_n(&turn->left_ns, __ATOMIC_RELAXED) - ns;
    __atomic_store_n(&turn->left_ns, left_ns, __ATOMIC_RELAXED);
    return unlikely((int64_t)left_ns <= 0);
}
/** From @now_ns on its waiting counts. */
static inline void turn_rest(struct turn *turn, uint64_t now_ns)
{
    __atomic_store_n(&turn->since_ns, now_ns, __ATOMIC_RELAXED);
}
/** Another look at which it was passed over: the count of them, which stops at the most there can be. */
static inline uint8_t turn_passed_over(struct turn *turn)
{
    uint8_t before = __atomic_load_n(&turn->passed, __ATOMIC_RELAXED);
    uint8_t passed = (uint8_t)MIN(before + 1, UINT8_MAX);
    __atomic_store_n(&turn->passed, passed, __ATOMIC_RELAXED);
    return passed;
}

#define REALTIME_PERIOD_MIN_NS 100000u
#define REALTIME_PERIOD_MAX_NS 1000000000u

/** What a thread of the real-time band may use of each period, which begins when it first runs after the last one's end. */
struct allowance {
    uint64_t budget_ns, period_ns;
    uint64_t turn_ns; /* before others of its level; 0: as long as it likes */
    uint64_t ends_ns; /* of the period */
    int64_t left_ns;  /* less than 0: it has had more */
    int64_t turn_left_ns;
};

/** It ran for @ran_ns until @now_ns. True: nothing is left. */
bool allowance_charge(struct allowance *allowance, uint64_t ran_ns, uint64_t now_ns);
/** Its period is over, and another begins; what it had too much of the last is taken off. */
void allowance_refill(struct allowance *allowance);
/** A turn is used up at @now_ns, and a new one begins; what it had too much is taken off that, but never more than half. */
void turn_begin(struct turn *turn, uint64_t now_ns);
/** It has waited until @now_ns. */
void turn_waited(struct turn *turn, uint64_t now_ns);
/** The level of a thread with @priority. */
uint8_t turn_level(const struct turn *turn, uint8_t priority);
