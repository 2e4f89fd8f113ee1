/* Deadlines (wait.c, ktimer.c, endpoint.c): a thread waits with a deadline, is woken, and waits again with another; the timer of the first
 * wait fires late, on the CPU that armed it. And a wait that is published after its timer was armed: its acceptor looks whether it has fired.
 * Time is a number: 1 has passed when the first deadline has, 2 when the second has.
 *
 * code: kernel/sched/ktimer.c ktimer_interrupt | heap_remove(heap, timer); &&& kernel/sched/ktimer.c ktimer_interrupt | timer_lock_release(&heap->lock); fire(timer, now_ns);
 * code: kernel/sched/wait.c deadline_passed | uint64_t sequence = __atomic_load_n(&thread->deadline_sequence, __ATOMIC_ACQUIRE); &&& kernel/sched/wait.c deadline_passed | if (__atomic_load_n(&timer->deadline_ns, __ATOMIC_RELAXED) > now_ns) return;
 * code: kernel/sched/wait.c deadline_passed | if (wait_cancel(thread, wait_class, sequence))
 * code: kernel/sched/wait.c thread_arm_deadline | ktimer_arm(&thread->deadline, deadline_ns, deadline_passed); __atomic_store_n(&thread->deadline_sequence, thread->wait_sequence, __ATOMIC_RELEASE);
 * code: kernel/ipc/endpoint.c caller_await_answer | __atomic_store_n(&caller->wait_class, &answer_wait, __ATOMIC_SEQ_CST); &&& kernel/ipc/endpoint.c caller_await_answer | __atomic_load_n(&caller->deadline.armed, __ATOMIC_SEQ_CST) == 0
 *
 * fault NOT_ASKED: the timer does not ask whether the deadline has passed (as it was)
 * fault SEQUENCE_FIRST: the sequence is stored before the timer has its deadline (as it was)
 * fault NOT_LOOKED: the acceptor does not look whether the timer has fired */

byte deadline = 1, sequence = 1; /* what the timer is armed for; of which wait */
bool armed = true;
bool waits;                      /* wait_class is set */
byte wait_sequence = 1;
byte now;
bool busy;                       /* the CPU that arms the second timer takes no interrupt */
bool wake_first;                 /* the first wait ends by an event */
byte ended;                      /* how many waits the timer or the acceptor has ended */

/* wait_class.cancel, under the lock of what is waited on. */
inline wait_cancel(which, passed)
{
    atomic {
        if
        :: waits && wait_sequence == which ->
            waits = false;
            ended = which;
            assert(passed >= which) /* not before its time */
        :: else
        fi
    }
}

proctype clock()
{
    now = 1;
end:
    now = 2
}

/* The first wait is published late, as an accepted caller's; then an event ends it, or its deadline does; then comes the second. */
proctype thread()
{
    waits = true;
#ifndef NOT_LOOKED
    if
    :: !armed -> wait_cancel(1, 1)
    :: else
    fi;
#endif
    if
    :: atomic { waits && wake_first -> waits = false; armed = false } /* thread_wait_end */
    :: !waits
    fi;
    atomic { wait_sequence = 2; waits = true; busy = true };
#ifdef SEQUENCE_FIRST
    sequence = 2;
    deadline = 2;
    armed = true;
#else
    atomic { deadline = 2; armed = true };
    sequence = 2;
#endif
    busy = false;
    !waits
}

/* A CPU's timer interrupts: what is due leaves the heap, and then it fires. */
proctype timers()
{
    byte time, which;
    do
    :: atomic { armed && now >= deadline && !busy -> armed = false; time = now };
       which = sequence;
       if
#ifndef NOT_ASKED
       :: deadline > time
#endif
       :: else ->
            if
            :: waits -> wait_cancel(which, time)
            :: else
            fi
       fi
    :: ended == 2 -> break
    od
}

init {
    if
    :: wake_first = true
    :: wake_first = false
    fi;
    atomic { run clock(); run thread(); run timers() }
}
