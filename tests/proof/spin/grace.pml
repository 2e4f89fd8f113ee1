/* Grace periods with CPUs that idle (rcu.c, sched.c): a CPU that takes interrupts out of idle reads shared data in their handlers, another
 * takes the data away and idles itself until it may be freed. The mark cpu->idle may be stored late (a store buffer) until a fence.
 *
 * code: kernel/include/sched.h sched_interrupt_begin | if (cpu->idle) sched_idle_set(cpu, false);
 * code: kernel/include/sched.h sched_idle_set | __atomic_store_n(&cpu->idle, idle, __ATOMIC_RELEASE); __atomic_thread_fence(__ATOMIC_SEQ_CST);
 * code: kernel/sched/rcu.c begin_period | __atomic_thread_fence(__ATOMIC_SEQ_CST); &&& kernel/sched/rcu.c begin_period | if (__atomic_load_n(&cpu->idle, __ATOMIC_SEQ_CST)) { note(cpu); } else { arch_ipi_send(i); }
 * code: kernel/sched/rcu.c note | __atomic_store_n(&completed, rcu_period, __ATOMIC_RELEASE); &&& kernel/sched/rcu.c note | arch_ipi_send(i);
 * code: kernel/sched/sched.c idle | rcu_quiescent(rcu_period_now()); if (has_callbacks(cpu) && rcu_poll()) return; sched_idle_set(cpu, true); &&& kernel/sched/sched.c has_callbacks | return cpu->rcu_next != NULL || cpu->rcu_current != NULL;
 * code: kernel/sched/sched.c idle | arch_cpu_idle(); cpu->lets_in = false; sched_idle_set(cpu, false);
 *
 * fault NO_MARK: an interrupt handler does not say that the CPU does not idle any more
 * fault NO_FENCE: the mark may be seen after the handler's reads (as exchanges of LR and SC allow)
 * fault SELF_UNNOTED: an idle CPU does not note a period that it begins
 * fault NO_WAKE: nobody tells an idle CPU that its period is over */

bool pointer = true, freed;
byte period, completed, needed, remaining;
byte quiescent[2];
bool ipi[2], idle[2], waits;
bool marked = true; /* the waker's store to idle[1] is out of its buffer */

inline note(cpu)
{
    if
    :: quiescent[cpu] != period ->
        quiescent[cpu] = period;
        remaining--;
        if
        :: remaining == 0 ->
            completed = period;
#ifndef NO_WAKE
            if
            :: waits -> ipi[0] = true
            :: else
            fi
#endif
        :: else
        fi
    :: else
    fi
}

inline begin_period(self, other)
{
    period++;
    remaining = 2;
    if
    :: idle[other] -> note(other)
    :: else -> ipi[other] = true
    fi
}

inline rcu_quiescent(self, other)
{
    d_step {
        note(self);
        do
        :: completed == period && needed > completed ->
            begin_period(self, other);
#ifndef SELF_UNNOTED
            note(self)
#endif
        :: else -> break
        od
    }
}

/* CPU 0: takes the data away in a system call, or on behalf of a period that another callback wanted before; then idles. */
proctype remover()
{
    byte due;
    if
    :: d_step { needed = 1; begin_period(0, 1) }
    :: true
    fi;
    pointer = false;
    waits = true;
    d_step {
        due = period + 1;
        if
        :: needed < due -> needed = due
        :: else
        fi;
        if
        :: completed == period -> begin_period(0, 1)
        :: else
        fi
    };
    do
    :: rcu_quiescent(0, 1);
       if
       :: completed >= due -> break
       :: else
       fi;
       idle[0] = true;
       (ipi[0]);
       ipi[0] = false;
       idle[0] = false
    od;
    waits = false;
    freed = true;
    idle[0] = true
}

/* The store buffer of CPU 1 drains when it likes. */
proctype buffer()
{
end:
    do
    :: atomic { !marked -> idle[1] = false; marked = true }
    od
}

/* CPU 1: idles; up to two interrupts of devices and any number of IPIs come. */
proctype idler()
{
    byte interrupts;
    bool found;
idling:
    rcu_quiescent(1, 0);
    atomic { marked -> idle[1] = true };
end:
    if
    :: interrupts < 2 -> interrupts++
    :: ipi[1] -> ipi[1] = false
    fi;
    /* sched_interrupt_begin */
#ifndef NO_MARK
    marked = false;
#ifndef NO_FENCE
    (marked);
#endif
#endif
    /* the handler: what it finds it may look at */
    found = pointer;
    if
    :: found -> assert(!freed); assert(!freed)
    :: else
    fi;
#ifndef NO_MARK
    (marked);
#else
    idle[1] = false;
#endif
    goto idling
}

init {
    atomic { run remover(); run idler(); run buffer() }
}
