/* Levels: a thread has its own (policy.c), and while it serves a call the caller's if that is better; it is on the time then of whose level it
 * has. Through LENT_DEPTH servers that call one another; beyond, the call works and lends nothing. */
#include "level.h"

#include "arch.h"
#include "sched.h"

static uint8_t best_of_chain(const struct thread *thread)
{
    uint8_t level = 0;
    for (uint32_t depth = 0; thread != NULL && depth < LENT_DEPTH; depth++) {
        level = MAX(level, __atomic_load_n(&thread->priority, __ATOMIC_RELAXED));
        thread = __atomic_load_n(&thread->current_reply, __ATOMIC_RELAXED);
    }
    return level;
}

void level_update(struct thread *thread)
{
    __atomic_store_n(&thread->priority, turn_level(&thread->turn, thread->base), __ATOMIC_RELAXED);
    __atomic_store_n(&thread->effective, best_of_chain(thread), __ATOMIC_RELAXED);
}

void level_rise(struct thread *thread)
{
    turn_waited(&thread->turn, arch_time_now_ns());
    level_update(thread);
}

struct thread *level_payer(struct thread *thread)
{
    for (uint32_t depth = 0; depth < LENT_DEPTH; depth++) {
        struct thread *caller = __atomic_load_n(&thread->current_reply, __ATOMIC_RELAXED);
        if (caller == NULL || __atomic_load_n(&thread->effective, __ATOMIC_RELAXED) <=
                                  __atomic_load_n(&thread->priority, __ATOMIC_RELAXED))
            break;
        thread = caller;
    }
    return thread;
}

void level_turn_over(struct thread *payer, struct thread *thread, uint64_t now_ns)
{
    turn_begin(&payer->turn, now_ns);
    level_update(payer);
    for (uint32_t depth = 0; thread != payer && thread != NULL && depth < LENT_DEPTH; depth++) {
        __atomic_store_n(&thread->effective, best_of_chain(thread), __ATOMIC_RELAXED);
        thread = __atomic_load_n(&thread->current_reply, __ATOMIC_RELAXED);
    }
}
