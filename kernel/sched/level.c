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

static bool is_spent(const struct thread *thread)
{
    return is_limited(thread) && __atomic_load_n(&thread->realtime->spent, __ATOMIC_RELAXED);
}

/* As level_settle(): who comes last has seen it all. Its turn alone may be one ago. */
void level_update(struct thread *thread)
{
    uint8_t base;
    bool spent;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    do {
        base = __atomic_load_n(&thread->base, __ATOMIC_RELAXED);
        spent = is_spent(thread);
        uint8_t level = spent ? PRIORITY_IDLE : turn_level(&thread->turn, base);
        __atomic_store_n(&thread->priority, level, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    } while (unlikely(base != __atomic_load_n(&thread->base, __ATOMIC_RELAXED) ||
                      spent != is_spent(thread)));
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

static COLD int64_t realtime_left_ns(struct realtime *realtime)
{
    realtime_lock_acquire(&realtime->lock);
    const struct allowance *allowance = &realtime->allowance;
    int64_t left_ns = allowance->left_ns;
    if (realtime->spent)
        left_ns = TURN_NS;
    else if (allowance->turn_ns != 0)
        left_ns = MIN(left_ns, allowance->turn_left_ns);
    realtime_lock_release(&realtime->lock);
    return left_ns;
}

uint64_t level_left_ns(struct thread *thread)
{
    const struct thread *payer = level_payer(thread);
    int64_t left_ns = is_limited(payer)
                          ? realtime_left_ns(payer->realtime)
                          : (int64_t)__atomic_load_n(&payer->turn.left_ns, __ATOMIC_RELAXED);
    return (uint64_t)MAX(left_ns, 0);
}

static void refill(struct ktimer *timer, uint64_t now_ns)
{
    struct realtime *realtime = container_of(timer, struct realtime, refill);
    realtime_lock_acquire(&realtime->lock);
    /* Else it has been given another allowance meanwhile. */
    if (realtime->spent && now_ns >= realtime->allowance.ends_ns) {
        allowance_refill(&realtime->allowance);
        __atomic_store_n(&realtime->spent, false, __ATOMIC_RELAXED);
    }
    realtime_lock_release(&realtime->lock);
    level_update(realtime->thread);
    level_follow(realtime->thread);
}

static bool charge_locked(struct realtime *realtime, uint64_t ran_ns, uint64_t now_ns)
    REQUIRES(realtime_lock)
{
    struct allowance *allowance = &realtime->allowance;
    if (!realtime->spent && allowance_charge(allowance, ran_ns, now_ns)) {
        __atomic_store_n(&realtime->spent, true, __ATOMIC_RELAXED);
        if (__atomic_load_n(&realtime->thread->state, __ATOMIC_RELAXED) != THREAD_DEAD)
            ktimer_arm(&realtime->refill, allowance->ends_ns, refill);
        return true;
    }
    uint64_t turn_ns = realtime->spent ? TURN_NS : allowance->turn_ns;
    allowance->turn_left_ns -= (int64_t)ran_ns;
    if (turn_ns == 0 || allowance->turn_left_ns > 0)
        return false;
    allowance->turn_left_ns = (int64_t)turn_ns;
    return true;
}

/* It ran for @ran_ns. True: its turn, or all that it has of the period, is over. */
static COLD bool charge_limited(struct realtime *realtime, uint64_t ran_ns, uint64_t now_ns)
{
    realtime_lock_acquire(&realtime->lock);
    bool over = charge_locked(realtime, ran_ns, now_ns);
    realtime_lock_release(&realtime->lock);
    return over;
}

void level_limit(struct thread *thread, const struct allowance *allowance)
{
    struct realtime *realtime = thread->realtime;
    realtime_lock_acquire(&realtime->lock);
    (void)ktimer_cancel(&realtime->refill);
    realtime->allowance = *allowance;
    realtime->allowance.left_ns = (int64_t)allowance->budget_ns;
    realtime->allowance.turn_left_ns = (int64_t)allowance->turn_ns;
    __atomic_store_n(&realtime->spent, false, __ATOMIC_RELAXED);
    realtime_lock_release(&realtime->lock);
    __atomic_store_n(&thread->limited, true, __ATOMIC_RELEASE);
    /* So each use is looked at. Who charges it at this moment may leave it the rest of its turn instead, before its budget counts. */
    __atomic_store_n(&thread->turn.left_ns, 0, __ATOMIC_RELAXED);
}

void level_end(struct realtime *realtime)
{
    realtime_lock_acquire(&realtime->lock);
    (void)ktimer_cancel(&realtime->refill);
    realtime_lock_release(&realtime->lock);
}

bool level_turn_over(struct thread *payer, struct thread *thread, uint64_t ran_ns, uint64_t now_ns)
{
    if (!is_limited(payer)) {
        turn_begin(&payer->turn, now_ns);
    } else {
        __atomic_store_n(&payer->turn.left_ns, 0, __ATOMIC_RELAXED);
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
