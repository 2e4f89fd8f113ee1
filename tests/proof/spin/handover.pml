/* Hand-over: one thread, two CPUs that run it, steal it, let it wait and wake it; somebody kills it (sched.c, wait.c). A store to thread.cpu
 * may be seen late (a store buffer) until a fence or a lock is taken.
 *
 * code: kernel/include/sched.h thread_moved | __atomic_store_n(&thread->cpu, cpu->id, __ATOMIC_RELAXED); __atomic_thread_fence(__ATOMIC_SEQ_CST);
 * code: kernel/sched/sched.c steal_at | thread_moved(thread, cpu);
 * code: kernel/sched/sched.c sched_leave | if (unlikely(__atomic_load_n(&thread->attention, __ATOMIC_RELAXED) != 0) && thread_attend(thread)) continue; &&& kernel/sched/sched.c sched_leave | arch_thread_resume(thread);
 * code: kernel/sched/wait.c settle | sched_save_fpu(cpu, self);
 * code: kernel/sched/wait.c thread_wait_begin | settle(self); return thread_wait_begin_here(self, wait_class, object, deadline_ns);
 * code: kernel/sched/wait.c thread_wait_begin_here | __atomic_store_n(&self->wait_class, wait_class, __ATOMIC_SEQ_CST); if (unlikely(__atomic_load_n(&self->attention, __ATOMIC_SEQ_CST) != 0)) { __atomic_store_n(&self->wait_class, NULL, __ATOMIC_RELEASE);
 * code: kernel/sched/wait.c thread_set_attention | __atomic_fetch_or(&thread->attention, bits, __ATOMIC_SEQ_CST); &&& kernel/sched/wait.c thread_set_attention | thread_cancel_wait(thread, STATUS_INTERRUPTED) &&& kernel/sched/wait.c thread_set_attention | cpus[__atomic_load_n(&thread->cpu, __ATOMIC_RELAXED)]; if (cpu != arch_cpu_local()) arch_ipi_send(cpu->id);
 * code: kernel/include/waiters.h waiter_enqueue | list_push_back(waiters, &self->wait_link); if (thread_wait_begin(self, wait_class, object, deadline_ns)) return KERNEL_BLOCKED; list_remove(&self->wait_link);
 * code: kernel/sched/cancel.c wait_cancel_listed | list_remove(&thread->wait_link); thread_wait_end(thread);
 *
 * fault NO_FENCE: no fence where the thread moves (as it was)
 * fault LOOKS_FIRST: who waits looks at its attention bits before it is found waiting
 * fault SAVES_LATE: the context (of the FPU) is saved after the thread can be found
 * fault NO_LOCK: who ends a wait takes no lock, so two may
 * fault NO_IPI: a kill interrupts nobody */

#define NOBODY 2

byte queue_of = 0;           /* on whose run queue, NOBODY: on none */
byte cpu_seen = 0, cpu = 0;  /* thread.cpu as others see it; as stored */
bool attention;
bool waits, listed;          /* wait_class; on the wait list */
bool object_lock;
bool saved = true;           /* the context is in memory, where another CPU finds it */
byte running = NOBODY, runs; /* who runs it; how many CPUs do */
bool ipi[2];
bool dead;

#define drained (cpu_seen == cpu)

/* The store buffer drains when it likes. */
proctype buffer()
{
end:
    do
    :: atomic { !drained -> cpu_seen = cpu }
    od
}

inline thread_wake(to)
{
    /* enqueue_on: under the queue's lock; the IPI makes the CPU choose again */
    atomic { assert(queue_of == NOBODY && running == NOBODY); cpu = to; cpu_seen = to; queue_of = to; ipi[to] = true }
}

/* Whoever ends the wait owns the thread: under the lock of what it waits on. */
inline wait_cancel(ours)
{
#ifdef NO_LOCK
    ours = listed && waits;
    listed = false;
    waits = false
#else
    atomic { !object_lock -> object_lock = true };
    ours = listed && waits;
    if
    :: ours -> listed = false; waits = false
    :: else
    fi;
    object_lock = false
#endif
}

proctype processor(byte me)
{
    byte turns;
choose:
    do
    :: atomic { queue_of == me -> queue_of = NOBODY; running = me; cpu_seen = cpu }; break
    :: atomic { queue_of == 1 - me -> queue_of = NOBODY; running = me; cpu = me }; /* steal_from, thread_moved */
#ifndef NO_FENCE
       (drained);
#endif
       break
    :: ipi[me] -> ipi[me] = false
    :: dead -> goto out
    od;
leave:
    if
    :: attention -> dead = true; running = NOBODY; goto choose
    :: else
    fi;
    atomic { runs++; assert(runs == 1); assert(saved); saved = false };
    /* user mode: forever, but for interrupts and what it does itself */
    if
    :: ipi[me]
    :: turns < 2 -> turns++; runs--; goto wait
    fi;
    ipi[me] = false;
    runs--;
    atomic { saved = true };
    if
    :: turns < 2 -> turns++; atomic { running = NOBODY; cpu_seen = cpu; queue_of = me }; goto choose /* its turn is over */
    :: goto leave
    fi;
wait:
#ifndef SAVES_LATE
    saved = true;
#endif
    atomic { !object_lock -> object_lock = true };
    listed = true;
    running = NOBODY;
#ifdef LOOKS_FIRST
    if
    :: attention -> listed = false; running = me; object_lock = false; saved = true; goto leave
    :: else
    fi;
    waits = true;
#else
    waits = true;
    if
    :: attention -> waits = false; listed = false; running = me; object_lock = false; saved = true; goto leave
    :: else
    fi;
#endif
    object_lock = false;
#ifdef SAVES_LATE
    saved = true;
#endif
    goto choose;
out:
    skip
}

/* Something happens that the thread waits for. */
proctype waker(byte to)
{
    bool ours;
end:
    do
    :: listed ->
        wait_cancel(ours);
        if
        :: ours -> thread_wake(to); break
        :: else
        fi
    :: dead -> break
    od
}

proctype killer()
{
    bool ours;
    attention = true;
    if
    :: waits -> wait_cancel(ours)
    :: else
    fi;
    if
    :: ours -> thread_wake(1)
#ifdef NO_IPI
    :: else
#else
    :: else -> ipi[cpu_seen] = true
#endif
    fi
}

init {
    atomic { run processor(0); run processor(1); run waker(0); run waker(1); run killer(); run buffer() }
}
