/* Levels: a thread has its own (policy.c), and while it serves a call the caller's if that is better; it is on the time then of whose level it
 * has. Through LENT_DEPTH servers that call one another; beyond, the call works and lends nothing. */
#include "level.h"

#include "arch.h"
#include "sched.h"

/* Who lends @thread its level: whose call it serves, or who helps it to be done with that; or NULL. */
static struct thread *lender(const struct thread *thread)
{
    struct thread *caller = __atomic_load_n(&thread->current_reply, __ATOMIC_RELAXED);
    struct thread *helper = __atomic_load_n(&thread->helper, __ATOMIC_RELAXED);
    if (helper != NULL && (caller == NULL || thread_level(helper) > thread_level(caller)))
        return helper;
    return caller;
}

static uint8_t best_of_chain(const struct thread *thread)
{
    uint8_t level = 0;
    for (uint32_t depth = 0; thread != NULL && depth <= LENT_DEPTH; depth++) {
        level = MAX(level, __atomic_load_n(&thread->priority, __ATOMIC_RELAXED));
        thread = lender(thread);
    }
    return level;
}

/* Who stores what a level follows from does this afterwards, so who comes last has seen it all: either we look again after he stored, or our store is
 * before his look. */
void level_settle(struct thread *thread)
{
    uint8_t level;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    do {
        level = best_of_chain(thread);
        __atomic_store_n(&thread->effective, level, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    } while (level != best_of_chain(thread));
}

static bool is_limited(const struct thread *thread)
{
    return __atomic_load_n(&thread->limited, __ATOMIC_ACQUIRE);
}

void level_update(struct thread *thread)
{
    uint8_t level = turn_level(&thread->turn, __atomic_load_n(&thread->base, __ATOMIC_RELAXED));
    if (is_limited(thread) && thread->realtime->allowance.spent)
        level = PRIORITY_IDLE;
    __atomic_store_n(&thread->priority, level, __ATOMIC_RELAXED);
    level_settle(thread);
}

void level_rise(struct thread *thread)
{
    turn_waited(&thread->turn, arch_time_now_ns());
    level_update(thread);
}

struct thread *level_payer(struct thread *thread)
{
    for (uint32_t depth = 0; depth < LENT_DEPTH; depth++) {
        struct thread *caller = lender(thread);
        if (caller == NULL || !level_is_lent(thread))
            break;
        thread = caller;
    }
    return thread;
}

uint64_t level_left_ns(struct thread *thread)
{
    const struct thread *payer = level_payer(thread);
    if (!is_limited(payer))
        return (uint64_t)MAX((int64_t)payer->turn.left_ns, 0);
    const struct allowance *allowance = &payer->realtime->allowance;
    if (allowance->spent)
        return TURN_NS;
    int64_t left_ns = allowance->left_ns;
    if (allowance->turn_ns != 0)
        left_ns = MIN(left_ns, allowance->turn_left_ns);
    return (uint64_t)MAX(left_ns, 0);
}

static void refill(struct ktimer *timer, uint64_t now_ns)
{
    (void)now_ns;
    struct realtime *realtime = container_of(timer, struct realtime, refill);
    allowance_refill(&realtime->allowance);
    level_update(realtime->thread);
    level_follow(realtime->thread);
}

/* It ran for @ran_ns. True: its turn, or all that it has of the period, is over. */
static bool charge_limited(struct realtime *realtime, uint64_t ran_ns, uint64_t now_ns)
{
    struct allowance *allowance = &realtime->allowance;
    if (!allowance->spent && allowance_charge(allowance, ran_ns, now_ns)) {
        allowance->spent = true;
        ktimer_arm(&realtime->refill, allowance->ends_ns, refill);
        return true;
    }
    uint64_t turn_ns = allowance->spent ? TURN_NS : allowance->turn_ns;
    allowance->turn_left_ns -= (int64_t)ran_ns;
    if (turn_ns == 0 || allowance->turn_left_ns > 0)
        return false;
    allowance->turn_left_ns = (int64_t)turn_ns;
    return true;
}

bool level_turn_over(struct thread *payer, struct thread *thread, uint64_t ran_ns, uint64_t now_ns)
{
    if (!is_limited(payer)) {
        turn_begin(&payer->turn, now_ns);
    } else {
        payer->turn.left_ns = 0;
        if (!charge_limited(payer->realtime, ran_ns, now_ns))
            return false;
    }
    level_update(payer);
    for (uint32_t depth = 0; thread != payer && thread != NULL && depth < LENT_DEPTH; depth++) {
        level_settle(thread);
        thread = lender(thread);
    }
    return true;
}
