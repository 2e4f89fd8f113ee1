/* Shootdown: a page is unmapped and its frame freed a grace period later, while another CPU runs user code of the address space (aspace.c,
 * rcu.c, sched_leave). Nobody waits for the interrupt that is sent: it may come late.
 *
 * CPU 0 unmaps, CPU 1 runs user code and enters and leaves the kernel, CPU 2 idles and has a callback of its own, so that periods run before.
 * The page's frame has another sharer too: it writes in place when the period is over whose number the unmapper left, without beginning it.
 *
 * code: kernel/mm/aspace_map.c range_restrict | pagetable_restrict(aspace->root, start, end, change, effort, &removed); &&& kernel/mm/aspace_map.c range_restrict | if (changed) aspace_invalidate(aspace, PAGES_ALL);
 * code: kernel/mm/aspace.c aspace_invalidate | __atomic_add_fetch(&generations, 1, __ATOMIC_SEQ_CST); while (old < generation && !__atomic_compare_exchange_n(&aspace->generation, &old, generation, false, __ATOMIC_SEQ_CST, &&& kernel/mm/aspace.c aspace_invalidate | arch_ipi_send(i);
 * code: kernel/sched/sched.c sched_leave | uint64_t period = rcu_period_now(); frames_unmaps_see(cpu); if (unlikely(!aspace_is_current(thread->aspace, cpu))) aspace_load(thread->aspace, cpu); if (unlikely(__atomic_load_n(&cpu->quiescent, __ATOMIC_RELAXED) != period)) { rcu_quiescent(period); continue;
 * code: kernel/sched/rcu.c rcu_quiescent | if (nothing_loaded || period == rcu_period) note(cpu); while (completed == rcu_period && needed > completed) { begin_period(); if (nothing_loaded) note(cpu); }
 * code: kernel/sched/rcu.c start_current | cpu->rcu_current_period = rcu_period + 1; period_need(rcu_period + 1); &&& kernel/sched/rcu.c period_need | needed = MAX(needed, period); if (completed == rcu_period) begin_period();
 *
 * code: kernel/sched/rcu.c rcu_period_next | return __atomic_load_n(&rcu_period, __ATOMIC_SEQ_CST) + 1;
 * code: kernel/mm/memory.c page_own | !mappings_restrict(memory, index, 1, PAGETABLE_REMOVE, true))) { frame_put_now(frame); radix_tidy(&memory->tree, memory->first + index); return own_later(memory, index); } else { &&& kernel/mm/memory.c page_own | if (old == 0) { radix_slot_fill(&memory->tree, memory->first + index, slot, frame | PAGE_ENTRY_PRESENT | PAGE_ENTRY_DIRTY); } else { *slot = frame | PAGE_ENTRY_DIRTY | (*slot & (PAGE_SIZE - 1)); frame_put(old); }
 * code: kernel/mm/phys.c frame_unref_seen | uint64_t period = MAX(rcu_period_next() & PERIOD_MASK, 1u);
 * code: kernel/mm/phys.c frame_is_own | uint64_t since = (rcu_completed() - (word >> REFS_BITS)) & PERIOD_MASK; if ((word & REFS_MASK) != 1 || since > PERIOD_MASK / 2) return false;
 *
 * fault GENERATION_FIRST: the way out looks at the generation before it reads the period (as it was)
 * fault NOTES_OWN: it notes a period that it begins itself (as it was)
 * fault RUNNING_PERIOD: a callback is due after the period that runs already
 * fault DROPS_AT_ONCE: the sharer that is left may write as soon as the reference is dropped (as it was)
 * fault DROP_RUNNING: it may write after the period that runs already
 * fault NO_RAISE: the generation is not raised
 * fault NO_NOTE: the way out notes no period, so that none ends */

byte entry = 1, generation = 1;
bool tlb; /* CPU 1 keeps the translation */
bool freed;
byte own; /* the period after which the frame is the other sharer's own */
bool dropped;
byte period, completed, needed, remaining;
byte quiescent[3];
bool ipi[3];

inline begin_period(self)
{
    period++;
    remaining = 3;
    ipi[0] = ipi[0] || self != 0;
    ipi[1] = ipi[1] || self != 1;
    ipi[2] = ipi[2] || self != 2
}

inline note(cpu)
{
    if
    :: quiescent[cpu] != period ->
        quiescent[cpu] = period;
        remaining--;
        if
        :: remaining == 0 -> completed = period; ipi[0] = true; ipi[2] = true /* who has callbacks */
        :: else
        fi
    :: else
    fi
}

inline rcu_quiescent(cpu, p, nothing_loaded)
{
    d_step {
        if
#ifdef NO_NOTE
        :: nothing_loaded -> note(cpu)
#else
        :: nothing_loaded || p == period -> note(cpu)
#endif
        :: else
        fi;
        do
        :: completed == period && needed > completed ->
            begin_period(cpu);
            if
#ifdef NOTES_OWN
            :: true -> note(cpu)
#else
            :: nothing_loaded -> note(cpu)
#endif
            :: else
            fi
        :: else -> break
        od
    }
}

inline start_current(cpu, due)
{
    d_step {
#ifdef RUNNING_PERIOD
        due = (completed == period -> period + 1 : period);
#else
        due = period + 1;
#endif
        if
        :: needed < due -> needed = due
        :: else
        fi;
        if
        :: completed == period -> begin_period(cpu)
        :: else
        fi
    }
}

/* Unmaps in a system call, then idles until the frame may go. */
proctype unmapper()
{
    byte due;
    entry = 0;
#ifndef NO_RAISE
    generation++;
#endif
    ipi[1] = true;
#if defined(DROPS_AT_ONCE)
    own = completed;
#elif defined(DROP_RUNNING)
    own = period;
#else
    own = period + 1;
#endif
    dropped = true;
    start_current(0, due);
    do
    :: completed >= due -> break
    :: completed < due -> rcu_quiescent(0, period, true); (ipi[0]); ipi[0] = false
    od;
    atomic {
        assert(!tlb); /* not even a CPU in the kernel has the translation: it may walk and read by speculation */
        freed = true
    }
}

proctype user()
{
    byte p, seen = 1, calls;
    tlb = true;
user_mode:
    if
    :: !tlb && entry == 1 -> tlb = true
    :: true
    fi;
end:
    if
    :: ipi[1] -> goto kernel
    :: calls < 2 -> calls++; goto kernel
    fi;
kernel:
    ipi[1] = false;
leave:
#ifdef GENERATION_FIRST
    if
    :: seen != generation -> seen = generation; tlb = false
    :: else
    fi;
    p = period;
#else
    p = period;
    if
    :: seen != generation -> seen = generation; tlb = false
    :: else
    fi;
#endif
    if
#ifdef NO_NOTE
    :: false
#else
    :: quiescent[1] != p -> rcu_quiescent(1, p, false); goto leave
#endif
    :: else
    fi;
    goto user_mode
}

proctype idler()
{
    byte due;
    start_current(2, due);
    do
    :: rcu_quiescent(2, period, true);
end:
       (ipi[2]);
       ipi[2] = false
    od
}

proctype sharer()
{
    atomic {
        dropped && completed >= own ->
        assert(!tlb)
    }
}

init {
    atomic { run unmapper(); run user(); run idler(); run sharer() }
}
