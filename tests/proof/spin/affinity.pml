/* Affinity: a thread that may run on CPU 0 alone from now on, while a third wakes it for CPU 1, or CPU 1 steals it from CPU 0's queue
 * (sched.c). Stores to thread.cpu and thread.affinity may be seen late (store buffers) until a fence or a lock is taken.
 *
 * code: kernel/include/sched.h thread_moved | __atomic_store_n(&thread->cpu, cpu->id, __ATOMIC_RELAXED); __atomic_thread_fence(__ATOMIC_SEQ_CST);
 * code: kernel/sched/sched.c make_ready_on | enqueue_on(cpu, thread, false);
 * code: kernel/sched/sched.c enqueue_on | runqueue_lock_acquire(&cpu->queue.lock); __atomic_store_n(&thread->cpu, cpu->id, __ATOMIC_RELAXED); queue_insert(&cpu->queue, thread, front);
 * code: kernel/sched/sched.c steal_at | if (thread != NULL) { thread_moved(thread, cpu); return thread; }
 * code: kernel/sched/sched.c choose | while (unlikely(__atomic_load_n(&thread->moved, __ATOMIC_RELAXED)) && !stays(cpu, thread));
 * code: kernel/sched/sched.c stays | (void)sched_look_at_move(thread); if (sched_may_run_on(thread, cpu)) return true; make_ready_again(choose_cpu(thread), thread); return false;
 * code: kernel/sched/sched.c sched_look_at_move | (void)__atomic_exchange_n(&thread->moved, never, __ATOMIC_ACQUIRE);
 * code: kernel/sched/sched.c sched_set_affinity | __atomic_store_n(&thread->affinity[index], mask, __ATOMIC_RELAXED); __atomic_store_n(&thread->moved, true, __ATOMIC_RELEASE); sched_requeue_ready(thread);
 * code: kernel/sched/sched.c sched_requeue_ready | __atomic_thread_fence(__ATOMIC_SEQ_CST); if (unqueue(thread)) { make_ready_again(choose_cpu(thread), thread); return; } struct cpu *cpu = cpus[__atomic_load_n(&thread->cpu, __ATOMIC_RELAXED)];
 *
 * fault NO_LOOK_STOLEN: who has stolen it does not look again (as it was)
 * fault NO_LOOK_QUEUED: who takes it off its own queue does not look again (as it was)
 * fault NO_FENCE: the queue and thread.cpu may be read before the affinity is stored
 * fault NOT_TOLD: the CPU where it runs is not told */

#define NOBODY 2

bool waits = true;
byte queue_of = NOBODY;
byte cpu_seen = 0, cpu = 0;       /* thread.cpu as others see it; as stored */
bool both_seen = true, both = true; /* may it run on CPU 1 too? */
byte running = NOBODY;
bool resched[2];
bool told;                        /* the one who sets it has done so */
byte pauses;                      /* how often it waits again on CPU 1 */

proctype buffers()
{
end:
    do
    :: atomic { cpu_seen != cpu -> cpu_seen = cpu }
    :: atomic { both_seen != both -> both_seen = both }
    od
}

inline enqueue(where) /* the lock is a fence */
{
    atomic { queue_of = where; cpu = where; cpu_seen = where }
}

proctype waker() /* on another CPU: chooses, and then queues it */
{
    byte chosen;
end:
    do
    :: atomic { waits -> waits = false };
       if
       :: both_seen -> chosen = 1
       :: chosen = 0
       fi;
       enqueue(chosen)
    od
}

proctype first() /* CPU 0 */
{
end:
    do
    :: atomic { queue_of == 0 && running == NOBODY -> queue_of = NOBODY; running = 0; cpu_seen = cpu } /* in two steps nothing comes between */
    od
}

proctype second() /* CPU 1 */
{
    bool allowed;
end:
    do
    :: if
       :: atomic { queue_of == 1 -> queue_of = NOBODY; allowed = true };
#ifndef NO_LOOK_QUEUED
          allowed = both_seen
#endif
       :: atomic { queue_of == 0 && both_seen -> queue_of = NOBODY; allowed = true }; /* steal_from, under the queue's lock */
          cpu = 1;
          (cpu_seen == cpu); /* thread_moved */
#ifndef NO_LOOK_STOLEN
          allowed = both_seen
#endif
       fi;
       if
       :: !allowed -> enqueue(0)
       :: else ->
          running = 1;
          /* it runs until somebody wants it to go, or it waits */
          if
          :: atomic { resched[1] -> resched[1] = false; running = NOBODY };
             enqueue(0)
          :: atomic { pauses > 0 -> pauses--; running = NOBODY; waits = true }
          fi
       fi
    od
}

proctype setter()
{
    byte whom;
    both = false;
#ifndef NO_FENCE
    (both_seen == both);
#endif
    if
    :: atomic { queue_of != NOBODY -> both_seen = both; queue_of = 0; cpu = 0; cpu_seen = 0 }
    :: queue_of == NOBODY ->
        whom = cpu_seen;
#ifndef NOT_TOLD
        resched[whom] = true
#endif
    fi;
    told = true
}

/* In the end it does not run where it may not. */
active proctype judge()
{
    timeout -> assert(!told || running != 1)
}

init {
    if :: pauses = 0 :: pauses = 1 :: pauses = 2 fi;
    atomic { run waker(); run first(); run second(); run setter(); run buffers() }
}
