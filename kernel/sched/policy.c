/* The policy of the normal band: a multi-level feedback queue.
 *
 * A thread's level is its priority less one for each turn it has used and not waited off yet: who computes falls, to TURN_LEVELS below its
 * priority, and there takes turns with its equals; who waits four fifths of the time stays in front. What a turn ran too long is
 * taken off the next, so that equals get equal time however late a timer comes. A thread that is ready and passed over climbs (sched.c), a level
 * at a time, until it has a turn, and is back at its own level then: so who is n levels behind still gets about a turn in TURN_PATIENCE * n.
 * Levels of the idle and the real-time band are the priorities themselves, but who has spent its allowance of a period is of the idle band until the
 * next: it gets what nobody else wants, as POSIX has it of a sporadic server, and so keeps nobody waiting whom it owes an answer. */
#include "policy.h"

/* It begins to be passed over again. */
static void set_used(struct turn *turn, uint32_t used_ns)
{
    __atomic_store_n(&turn->used_ns, used_ns, __ATOMIC_RELAXED);
    __atomic_store_n(&turn->passed, 0, __ATOMIC_RELAXED);
}

void turn_begin(struct turn *turn, uint64_t now_ns)
{
    int64_t left_ns = (int64_t)__atomic_load_n(&turn->left_ns, __ATOMIC_RELAXED);
    uint32_t used_ns = __atomic_load_n(&turn->used_ns, __ATOMIC_RELAXED);
    left_ns = MAX(left_ns, -(int64_t)TURN_NS / 2) + TURN_NS;
    __atomic_store_n(&turn->left_ns, (uint64_t)left_ns, __ATOMIC_RELAXED);
    set_used(turn, MIN(used_ns + TURN_NS, TURN_LEVELS * TURN_NS));
    turn_rest(turn, now_ns);
}

void turn_waited(struct turn *turn, uint64_t now_ns)
{
    uint64_t off = (now_ns - __atomic_load_n(&turn->since_ns, __ATOMIC_RELAXED)) / TURN_RECOVERY;
    uint32_t used_ns = __atomic_load_n(&turn->used_ns, __ATOMIC_RELAXED);
    set_used(turn, used_ns - (uint32_t)MIN(off, used_ns));
}

uint8_t turn_level(const struct turn *turn, uint8_t priority)
{
    if (priority == PRIORITY_IDLE || priority > PRIORITY_NORMAL_MAX)
        return priority;
    uint32_t fallen = __atomic_load_n(&turn->used_ns, __ATOMIC_RELAXED) / TURN_NS;
    return priority > fallen ? (uint8_t)(priority - fallen) : PRIORITY_IDLE + 1;
}

bool allowance_charge(struct allowance *allowance, uint64_t ran_ns, uint64_t now_ns)
{
    if (now_ns - ran_ns >= allowance->ends_ns) {
        allowance->ends_ns = now_ns - ran_ns + allowance->period_ns;
        allowance->left_ns = (int64_t)allowance->budget_ns;
    }
    allowance->left_ns -= (int64_t)ran_ns;
    if (now_ns >= allowance->ends_ns) { /* it ran into another period, or several */
        uint64_t into_ns = (now_ns - allowance->ends_ns) % allowance->period_ns;
        allowance->ends_ns = now_ns - into_ns + allowance->period_ns;
        allowance->left_ns = (int64_t)(allowance->budget_ns - into_ns);
    }
    return allowance->left_ns <= 0;
}

void allowance_refill(struct allowance *allowance)
{
    allowance->ends_ns += allowance->period_ns;
    allowance->left_ns =
        (int64_t)allowance->budget_ns + MAX(allowance->left_ns, -(int64_t)allowance->budget_ns / 2);
}
