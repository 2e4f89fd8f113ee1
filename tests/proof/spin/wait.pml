/* Cancelling (wait.c, cancel.c, endpoint.c): a thread waits on one thing, is woken, and waits on others, while a canceller - a timer or a
 * kill - has looked at it and goes for the lock of what it found. Things 1 and 3 are of kind (wait class) 1, thing 2 of kind 2;
 * thing 1 ends meanwhile and is freed a grace period later.
 *
 * code: kernel/sched/wait.c thread_wait_begin_here | __atomic_store_n(&self->wait_object, object, __ATOMIC_RELEASE); __atomic_store_n(&self->wait_sequence, self->wait_sequence + 1, __ATOMIC_RELEASE); &&& kernel/sched/wait.c thread_wait_begin_here | __atomic_store_n(&self->wait_class, wait_class, __ATOMIC_SEQ_CST);
 * code: kernel/sched/wait.c thread_cancel_wait | wait_cancel(thread, wait_class, __atomic_load_n(&thread->wait_sequence, __ATOMIC_ACQUIRE))
 * code: kernel/sched/cancel.c wait_cancel_listed | char *object = __atomic_load_n(&thread->wait_object, __ATOMIC_ACQUIRE); if (__atomic_load_n(&thread->wait_class, __ATOMIC_SEQ_CST) != wait_class || __atomic_load_n(&thread->wait_sequence, __ATOMIC_ACQUIRE) != sequence) return false;
 * code: kernel/sched/cancel.c wait_cancel_listed | spinlock_take(lock, wait_class->lock_rank); &&& kernel/sched/cancel.c wait_cancel_listed | bool waits = __atomic_load_n(&thread->wait_class, __ATOMIC_RELAXED) == wait_class && __atomic_load_n(&thread->wait_object, __ATOMIC_RELAXED) == object && __atomic_load_n(&thread->wait_sequence, __ATOMIC_RELAXED) == sequence;
 * code: kernel/ipc/endpoint.c receive_from | endpoint_lock_acquire(&lane->lock); status_t status = receive_check(caps);
 * code: kernel/ipc/endpoint.c call_check | if (unlikely(endpoint->dead)) return STATUS_PEER_DIED;
 * code: kernel/ipc/queue.c sys_queue_wait | if (queue->dead) status = STATUS_GONE; &&& kernel/ipc/queue.c sys_queue_wait | waiter_enqueue(
 *
 * fault NOT_TOGETHER: the canceller takes the lock of what it finds after the class (as it was)
 * fault CLASS_ALONE: it looks at the class again, and not at the sequence
 * fault NOT_ASKED: who waits does not ask whether the thing has ended (as a receive did not) */

byte class, object, sequence;
bool lock; /* of thing 1 */
bool ended, freed; /* thing 1 */
bool calling = true; /* the thread is in the kernel since before thing 1 ended */
bool cancelling;     /* the canceller is */
bool over;

inline take() { atomic { !lock -> lock = true } }

inline wait_begin(o, k)
{
    object = o;
    sequence++;
    class = k
}

proctype thread()
{
    take();
    if
#ifndef NOT_ASKED
    :: ended
#endif
    :: else -> wait_begin(1, 1)
    fi;
    lock = false;
    calling = false;
    class == 0;
    wait_begin(2, 2);
    class == 0;
    wait_begin(3, 1);
    class == 0;
    over = true
}

/* What the thread waits for comes. */
proctype events()
{
    do
    :: class != 0 -> atomic { !(object == 1 && lock) -> class = 0 }
    :: over -> break
    od
}

proctype owner()
{
    take();
    ended = true;
    if
    :: class == 1 && object == 1 -> class = 0
    :: else
    fi;
    lock = false;
    !calling;
    !cancelling;
    freed = true
}

proctype canceller()
{
    byte round, c, s, o;
    bool found;
    do
    :: round < 2 ->
        round++;
        cancelling = true;
        c = class;
        if
        :: c != 0 ->
            s = sequence;
            o = object;
            found = true;
#ifndef NOT_TOGETHER
            if
            :: class == c
            :: else -> found = false
            fi;
#ifndef CLASS_ALONE
            if
            :: sequence == s
            :: else -> found = false
            fi;
#endif
#endif
            if
            :: found ->
                assert((o == 2 -> 2 : 1) == c); /* a lock of that kind is there */
                assert(o != 1 || !freed);
                atomic {
                    !(o == 1 && lock);
                    if
                    :: class == c && sequence == s && object == o -> class = 0
                    :: else
                    fi
                }
            :: else
            fi
        :: else
        fi;
        cancelling = false
    :: else -> break
    od
}

init { atomic { run thread(); run events(); run owner(); run canceller() } }
