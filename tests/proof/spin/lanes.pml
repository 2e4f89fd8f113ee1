/* Lanes (lanes.c, endpoint.c, fastpath.c): an endpoint with home and the lanes of two CPUs, of which one is made meanwhile. Workers of each CPU
 * receive and answer; a caller comes, finds one in the lane of its CPU, or looks through all of them, or queues; meanwhile another does, or an epoch
 * ends, or an event is posted that one worker takes. Nobody waits while a call is queued,
 * and in the end everybody does, and no event is there. That who looks through the lanes from home on sees each or is seen is lanes.c's last argument:
 * ../litmus, "lanes".
 *
 * code: kernel/ipc/endpoint.c receive_from | endpoint_lock_acquire(&lane->lock); status_t status = receive_check(caps); &&& kernel/ipc/endpoint.c receive_from | if (__atomic_load_n(&lane->pending, __ATOMIC_RELAXED) == 0) break; if (unlikely(lane != &endpoint->home)) { endpoint_lock_release(&lane->lock); endpoint_lock_acquire(&endpoint->home.lock); } if (receive_queued(self, endpoint, lane)) return KERNEL_DONE; if (likely(lane == &endpoint->home)) break; endpoint_lock_release(&endpoint->home.lock);
 * code: kernel/ipc/endpoint.c receive_queued | node = list_take(&endpoint->callers); if (list_is_empty(&endpoint->callers)) __atomic_store_n(&lane->pending, 0, __ATOMIC_RELAXED);
 * code: kernel/ipc/endpoint.c receive_from | if (queue != NULL && queue_has_events(queue)) { endpoint_lock_release(&lane->lock); return KERNEL_RESTART; } &&& kernel/ipc/endpoint.c receive_from | list_push_front(&lane->workers, &self->wait_link); bool waits = thread_wait_begin_here(self, &receive_wait, lane, deadline_ns);
 * code: kernel/ipc/fastpath.c is_quiet | likely(!__atomic_load_n(&lane->pending, __ATOMIC_RELAXED)) && (queue_cap == NULL || likely(queue_is_quiet(queue_cap, endpoint_of(cap->object))))
 * code: kernel/ipc/lanes.c lane_take | if (__atomic_load_n(&lane->pending, __ATOMIC_RELAXED) != 0) return NULL; lane_lock_acquire(&lane->lock); if (!bound || lane->epoch == epoch) { worker = waiter_take(&lane->workers); __atomic_store_n(&lane->pending, worker == NULL, __ATOMIC_RELAXED); } lane_lock_release(&lane->lock);
 * code: kernel/ipc/endpoint.c raw_endpoint_call | worker_here(endpoint, (cap->badge & IPC_BADGE_SESSION) != 0, cap->epoch); if (likely(worker == NULL)) { endpoint_lock_acquire(&endpoint->home.lock); status = call_check(endpoint, cap); &&& kernel/ipc/endpoint.c raw_endpoint_call | worker = waiter_take(&endpoint->home.workers); if (unlikely(worker == NULL) && unlikely(endpoint->lanes != NULL)) worker = lanes_take(endpoint);
 * code: kernel/ipc/help.c caller_queue | __atomic_store_n(&endpoint->home.pending, 1, __ATOMIC_RELAXED); list_insert_before(place_for(endpoint, thread_level(self)), &self->wait_link); &&& kernel/ipc/help.c caller_queue | bool waits = thread_wait_begin(self, wait_class, endpoint, self->call_deadline_ns);
 * code: kernel/ipc/lanes.c lane_make | lane->epoch = endpoint->home.epoch; lane->pending = 1; &&& kernel/ipc/lanes.c lane_make | __atomic_store_n(&lanes[arch_cpu_local()->id], lane, __ATOMIC_RELEASE);
 * code: kernel/ipc/lanes.c lane_choose | endpoint_lock_acquire(&endpoint->home.lock); if (is_wanted(endpoint)) lane_make(endpoint);
 * code: kernel/ipc/endpoint.c epoch_end | __atomic_fetch_add(&endpoint->home.epoch, 1, __ATOMIC_ACQ_REL); &&& kernel/ipc/endpoint.c epoch_end | for (uint32_t at = 1; (lane = lane_next(endpoint, &at)) != NULL;) { endpoint_lock_acquire(&lane->lock); lane->epoch = __atomic_load_n(&endpoint->home.epoch, __ATOMIC_RELAXED); endpoint_lock_release(&lane->lock);
 * code: kernel/ipc/endpoint.c endpoint_queue_event | for (uint32_t at = 0; worker == NULL && (lane = lane_next(endpoint, &at)) != NULL;) worker = take_worker(lane, queue);
 *
 * fault NO_MARK: who finds nobody in a lane does not mark it
 * fault MARKS_LATE: it marks the lane when it has given its lock back
 * fault MADE_PLAIN: a lane is made without a mark
 * fault CLEARS_ALONE: a worker clears the mark without having looked at what is queued
 * fault LOOKS_FIRST: a worker looks at the mark before it has the lane's lock
 * fault QUEUES_LATE: a caller gives the endpoint's lock back before it queues
 * fault EPOCH_AT_HOME: the end of an epoch leaves the lanes alone
 * fault NO_EVENT_LOOK: a worker looks for events before it has the lane's lock */

#define HOME 0
#define LANES 3   /* home; of CPU 1, there from the beginning; of CPU 2, made */
#define WORKERS 2 /* worker w is on CPU w + 1 */

bool lock[LANES], made[LANES], pending[LANES];
bool waits[LANES];          /* the lane's worker waits there, HOME: that of CPU 2 */
byte epoch[LANES];
byte queued, over;          /* calls in the queue; processes that have ended */
bool asleep[WORKERS];
bool event, epoch_over;

#define take(l) atomic { !lock[l] -> lock[l] = true }
#define give(l) lock[l] = false
#define worker_of(l) (l == 1 -> 0 : 1)

/* Under the lane's lock: whoever waits there is handed the call. */
inline take_worker(l, found)
{
    d_step {
        found = waits[l];
        if
        :: found -> waits[l] = false; asleep[worker_of(l)] = false
        :: else
        fi
    }
}

/* lane_take() */
inline look(l, found)
{
    found = false;
    if
    :: !made[l] || pending[l]
    :: else ->
        take(l);
        take_worker(l, found);
#ifdef MARKS_LATE
        give(l);
        if
        :: !found -> pending[l] = true
        :: else
        fi
#else
#ifndef NO_MARK
        if
        :: !found -> pending[l] = true
        :: else
        fi;
#endif
        give(l)
#endif
    fi
}

proctype caller(byte own)
{
    byte mine = epoch[HOME]; /* of the session that it begins */
    bool found;
    if
    :: made[own] ->
        /* As the fast path: the lane's lock alone. */
        take(own);
        if
        :: epoch[own] == mine ->
            take_worker(own, found);
            assert(!found || !epoch_over || mine != 0) /* nobody is called in an epoch that is over */
        :: else
        fi;
        give(own)
    :: else
    fi;
    if
    :: found
    :: else ->
        take(HOME);
        if
        :: epoch[HOME] == mine ->
            take_worker(HOME, found);
            if
            :: !found -> look(1, found)
            :: else
            fi;
            if
            :: !found -> look(2, found)
            :: else
            fi;
#ifdef QUEUES_LATE
            give(HOME);
            take(HOME);
#endif
            if
            :: !found -> d_step { pending[HOME] = true; queued++ }
            :: else
            fi
        :: else
        fi;
        give(HOME)
    fi;
    over++
}

proctype server()
{
    take(HOME);
    d_step { epoch[HOME]++; queued = 0 /* those of the epoch are sent away */ };
    give(HOME);
#ifndef EPOCH_AT_HOME
    if
    :: made[1] -> take(1); epoch[1] = epoch[HOME]; give(1)
    :: else
    fi;
    if
    :: made[2] -> take(2); epoch[2] = epoch[HOME]; give(2)
    :: else
    fi;
#endif
    epoch_over = true;
    over++
}

inline find_for_event(l)
{
    if
    :: event && made[l] ->
        take(l);
        if
        :: waits[l] -> d_step { waits[l] = false; asleep[worker_of(l)] = false }
        :: else
        fi;
        give(l)
    :: else
    fi
}

proctype poster()
{
    event = true;
    find_for_event(HOME);
    find_for_event(1);
    find_for_event(2);
    over++
}

proctype worker(byte w)
{
    byte lane;
    bool done, marked;
end:
    do
    :: true ->
        /* It has answered, or took the event, and receives again. */
        if
        :: made[w + 1] -> lane = w + 1
        :: !made[w + 1] -> lane = HOME
        :: !made[w + 1] ->
            take(HOME);
            epoch[w + 1] = epoch[HOME];
#ifndef MADE_PLAIN
            pending[w + 1] = true;
#endif
            made[w + 1] = true;
            give(HOME);
            lane = w + 1
        fi;
        done = false;
        do
        :: !done ->
#ifdef LOOKS_FIRST
            marked = pending[lane];
            take(lane);
#else
            take(lane);
            marked = pending[lane];
#endif
            if
            :: marked ->
                if
                :: lane != HOME -> give(lane); take(HOME)
                :: else
                fi;
                d_step {
#ifdef CLEARS_ALONE
                    pending[lane] = false;
#else
                    if
                    :: queued > 0 -> queued--; done = true
                    :: else
                    fi;
                    if
                    :: queued == 0 -> pending[lane] = false
                    :: else
                    fi
#endif
                };
                if
                :: done -> give(HOME)
                :: !done && lane != HOME -> give(HOME)
                :: else -> break
                fi
            :: else -> break
            fi
        :: else -> break
        od;
        if
        :: done
        :: else ->
#ifndef NO_EVENT_LOOK
            if
            :: event -> event = false; give(lane)
            :: else ->
#endif
                atomic { waits[lane] = true; asleep[w] = true };
                give(lane);
end1:
                !asleep[w]
#ifndef NO_EVENT_LOOK
            fi
#endif
        fi
    od
}

/* Nobody waits while a call is queued, but for who queues it and has not given the endpoint's lock back. */
active proctype watcher()
{
end:
    atomic { queued > 0 && !lock[HOME] && (waits[HOME] || waits[1] || waits[2]) -> assert(false) }
}

/* When the others have ended and nobody holds a lock: who sleeps does so for a reason. */
active proctype judge()
{
    over == 2 && asleep[0] && asleep[1] && !lock[0] && !lock[1] && !lock[2];
    assert(queued == 0 && !event)
}

init {
    atomic {
        made[HOME] = true;
        made[1] = true;
        pending[1] = true;
        run worker(0); run worker(1); run caller(2);
        if
        :: run caller(1)
        :: run server()
        :: run poster()
        fi
    }
}
