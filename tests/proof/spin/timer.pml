/* Kernel timers (ktimer.c): two CPUs arm one timer again and again - a periodic timer is armed by who takes its event, and set by its
 * owner, under different locks - while it fires on either.
 *
 * code: kernel/sched/ktimer.c heap_insert | timer_lock_acquire(&heap->lock); bool ours = __atomic_compare_exchange_n(&timer->armed, &none, cpu->id + 1, &&& kernel/sched/ktimer.c heap_insert | heap_meld(heap->root, timer, NULL, &heap->root); &&& kernel/sched/ktimer.c heap_insert | timer_lock_release(&heap->lock);
 * code: kernel/sched/ktimer.c ktimer_arm | do { ktimer_cancel(timer); } while (!heap_insert(
 * code: kernel/sched/ktimer.c ktimer_cancel | uint32_t armed = __atomic_load_n(&timer->armed, __ATOMIC_ACQUIRE); if (armed == 0) return false; struct timer_heap *heap = &cpus[armed - 1]->timers; timer_lock_acquire(&heap->lock); bool ours = __atomic_load_n(&timer->armed, __ATOMIC_RELAXED) == armed; if (ours) heap_remove(heap, timer);
 * code: kernel/sched/ktimer.c heap_remove | __atomic_store_n(&timer->armed, 0, __ATOMIC_RELEASE);
 * code: kernel/obj/timer.c timer_event_taken | ktimer_arm(&timer->ktimer, deadline_ns, timer_fire);
 *
 * fault NOT_CLAIMED: who arms does not look whether the timer is in a heap meanwhile (as it was)
 * fault TWO_WORDS: the CPU stands in a word of its own, stored after the claim */

byte armed; /* 0: in no heap; 1 + CPU */
byte cpu;   /* TWO_WORDS: whose heap */
bool in_heap[2], lock[2];
byte done;

inline take(c) { atomic { !lock[c] -> lock[c] = true } }

inline remove(c)
{
    assert(in_heap[c]);
    in_heap[c] = false;
    armed = 0
}

inline cancel()
{
    seen = armed;
    if
    :: seen != 0 ->
#ifdef TWO_WORDS
        heap = cpu;
#else
        heap = seen - 1;
#endif
        take(heap);
        if
#ifdef TWO_WORDS
        :: armed != 0 -> remove(heap)
#else
        :: armed == seen -> remove(heap)
#endif
        :: else
        fi;
        lock[heap] = false
    :: else
    fi
}

proctype armer(byte me)
{
    byte seen, heap, round;
    bool ours;
    do
    :: round < 2 ->
        cancel();
        take(me);
#ifdef NOT_CLAIMED
        armed = me + 1;
        ours = true;
#else
        atomic { ours = (armed == 0); if :: ours -> armed = me + 1 :: else fi };
#endif
        if
        :: ours ->
            cpu = me;
            assert(!in_heap[0] && !in_heap[1]);
            in_heap[me] = true;
            round++
        :: else
        fi;
        lock[me] = false
    :: else -> break
    od;
    done++
}

proctype interrupt(byte me)
{
    do
    :: atomic { in_heap[me] && !lock[me] -> lock[me] = true };
        if
        :: in_heap[me] -> remove(me)
        :: else
        fi;
        lock[me] = false
    :: done == 2 -> break
    od
}

init { atomic { run armer(0); run armer(1); run interrupt(0); run interrupt(1) } }
