/* Affinity: a thread that waits on the queue of CPU 0 may run on CPU 0 alone from now on, while CPU 1 steals it (sched.c). Stores to
 * thread.cpu and thread.affinity may be seen late (store buffers) until a fence or a lock is taken.
 *
 * code: kernel/include/sched.h thread_moved | __atomic_store_n(&thread->cpu, cpu->id, __ATOMIC_RELAXED); __atomic_thread_fence(__ATOMIC_SEQ_CST);
 * code: kernel/sched/sched.c steal_at | thread_moved(thread, cpu); if (likely(sched_may_run_on(thread, cpu))) return thread; make_ready_again(choose_cpu(thread), thread);
 * code: kernel/sched/sched.c sched_set_affinity | __atomic_store_n(&thread->affinity[index], mask, __ATOMIC_RELAXED); __atomic_store_n(&thread->moved, true, __ATOMIC_RELEASE); sched_requeue_ready(thread);
 * code: kernel/sched/sched.c sched_requeue_ready | if (unqueue(thread)) { make_ready_again(choose_cpu(thread), thread); return; } __atomic_thread_fence(__ATOMIC_SEQ_CST); struct cpu *cpu = cpus[__atomic_load_n(&thread->cpu, __ATOMIC_RELAXED)];
 *
 * fault READS_FIRST: whom to tell is read before the queue is looked at (as it was)
 * fault NO_LOOK: who has stolen it does not look again (as it was)
 * fault NO_FENCE: thread.cpu may be read before the affinity is stored */

#define NOBODY 2

byte queue_of = 0;
byte cpu_seen = 0, cpu = 0;       /* thread.cpu as others see it; as stored */
bool both_seen = true, both = true; /* may it run on CPU 1 too? */
byte running = NOBODY;
bool resched[2];
bool told;                        /* the one who sets it has done so */

proctype buffers()
{
end:
    do
    :: atomic { cpu_seen != cpu -> cpu_seen = cpu }
    :: atomic { both_seen != both -> both_seen = both }
    od
}

proctype owner() /* CPU 0 */
{
end:
    do
    :: atomic { queue_of == 0 && running == NOBODY -> queue_of = NOBODY; running = 0; cpu_seen = cpu } /* in two steps nothing comes between */
    od
}

proctype thief() /* CPU 1 */
{
end:
    do
    :: atomic { queue_of == 0 && both_seen -> queue_of = NOBODY }; /* steal_from, under the queue's lock */
       cpu = 1;
       (cpu_seen == cpu); /* thread_moved */
#ifdef NO_LOOK
       running = 1;
#else
       if
       :: !both_seen
       :: else -> running = 1
       fi;
#endif
       /* it runs until somebody wants it to go, or goes at once */
       atomic { running != 1 || resched[1] -> resched[1] = false; running = NOBODY; cpu = 0; cpu_seen = 0; queue_of = 0 }
    od
}

proctype setter()
{
    byte whom;
    both = false;
#ifdef READS_FIRST
    whom = cpu_seen;
#endif
    if
    :: atomic { queue_of != NOBODY -> both_seen = both; queue_of = 0; cpu = 0; cpu_seen = 0 } /* the lock is a fence */
    :: queue_of == NOBODY ->
#ifndef NO_FENCE
        (both_seen == both);
#endif
#ifndef READS_FIRST
        whom = cpu_seen;
#endif
        resched[whom] = true
    fi;
    told = true
}

/* In the end it does not run where it may not. */
active proctype judge()
{
    timeout -> assert(!told || running != 1)
}

init {
    atomic { run owner(); run thief(); run setter(); run buffers() }
}
