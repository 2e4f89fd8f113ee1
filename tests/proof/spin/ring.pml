/* Rings (lib/ring/ring.c): a producer and a consumer that sleep and ring one another's doorbells. The indices and the marks that one stores
 * may be seen late by the other (store buffers) until a fence.
 *
 * code: lib/ring/ring.c ring_publish | __atomic_store_n(&ring->header->head, ring->mine, __ATOMIC_RELEASE); __atomic_thread_fence(__ATOMIC_SEQ_CST); if (__atomic_load_n(&ring->header->consumer_sleeps, __ATOMIC_RELAXED) == 0) return false; __atomic_store_n(&ring->header->consumer_sleeps, 0, __ATOMIC_RELAXED); return true;
 * code: lib/ring/ring.c ring_consumer_sleep | __atomic_store_n(&ring->header->consumer_sleeps, 1, __ATOMIC_RELAXED); __atomic_thread_fence(__ATOMIC_SEQ_CST); if (is_empty(ring)) return ring->broken; __atomic_store_n(&ring->header->consumer_sleeps, 0, __ATOMIC_RELAXED); return true;
 * code: lib/ring/ring.c ring_release | __atomic_store_n(&ring->header->tail, ring->mine, __ATOMIC_RELEASE); __atomic_thread_fence(__ATOMIC_SEQ_CST); if (__atomic_load_n(&ring->header->producer_sleeps, __ATOMIC_RELAXED) == 0) return false; __atomic_store_n(&ring->header->producer_sleeps, 0, __ATOMIC_RELAXED); return true;
 * code: lib/ring/ring.c ring_producer_sleep | __atomic_store_n(&ring->header->producer_sleeps, 1, __ATOMIC_RELAXED); __atomic_thread_fence(__ATOMIC_SEQ_CST); if (ring_room(ring) == 0) return ring->broken; __atomic_store_n(&ring->header->producer_sleeps, 0, __ATOMIC_RELAXED); return true;
 * code: lib/ring/ring.c distance | uint32_t between = head - tail; if (between > ring->entries)
 *
 * fault PUBLISH_UNFENCED: no fence between the head and the look at the consumer's mark
 * fault SLEEP_UNFENCED: no fence between the consumer's mark and its look at the head
 * fault RELEASE_UNFENCED: no fence between the tail and the look at the producer's mark
 * fault NO_SECOND_LOOK: the consumer sleeps without looking again
 * fault NO_DOORBELL: the producer clears the mark and does not ring
 * fault ONE_TOO_MANY: a full ring takes one more */

#define ENTRIES 2
#define MESSAGES 5 /* indices are far from their end here: tests/unit/ring takes them past it */

byte descriptors[ENTRIES];
byte head, tail; /* as the other side sees them */
bool consumer_sleeps, producer_sleeps;
bool doorbell, room_bell;

/* What each side has stored and the other does not see yet: one store at most, as a fence follows each. */
byte head_stored, tail_stored;
bool consumer_mark, consumer_marks; /* the mark stored; there is one on its way */
bool producer_mark, producer_marks;

proctype buffers()
{
end:
    do
    :: atomic { head != head_stored -> head = head_stored }
    :: atomic { tail != tail_stored -> tail = tail_stored }
    :: atomic { consumer_marks -> consumer_sleeps = consumer_mark; consumer_marks = false }
    :: atomic { producer_marks -> producer_sleeps = producer_mark; producer_marks = false }
    od
}

#define producer_fence (head == head_stored && !producer_marks)
#define consumer_fence (tail == tail_stored && !consumer_marks)
#ifdef ONE_TOO_MANY
#define is_full (mine - tail > ENTRIES)
#else
#define is_full (mine - tail >= ENTRIES)
#endif

proctype producer()
{
    byte mine, message;
    do
    :: message == MESSAGES -> break
    :: message < MESSAGES && !is_full ->
        descriptors[mine % ENTRIES] = message;
        mine++;
        message++;
        /* ring_publish: the descriptors are out before the head (ring.litmus) */
        head_stored = mine;
#ifndef PUBLISH_UNFENCED
        (producer_fence);
#endif
        if
        :: consumer_sleeps ->
            consumer_sleeps = false;
#ifndef NO_DOORBELL
            doorbell = true
#endif
        :: else
        fi
    :: message < MESSAGES && is_full ->
        /* ring_producer_sleep */
        atomic { !producer_marks -> producer_mark = true; producer_marks = true };
        (producer_fence);
        if
        :: is_full -> (room_bell); room_bell = false
        :: else -> atomic { producer_sleeps = false }
        fi
    od
}

proctype consumer()
{
    byte mine, expected;
    do
    :: expected == MESSAGES -> break
    :: expected < MESSAGES && head != mine ->
        assert(head - mine <= ENTRIES);
        assert(descriptors[mine % ENTRIES] == expected);
        expected++;
        mine++;
        /* ring_release: the copy is made before the tail (ring.litmus) */
        tail_stored = mine;
#ifndef RELEASE_UNFENCED
        (consumer_fence);
#endif
        if
        :: producer_sleeps -> producer_sleeps = false; room_bell = true
        :: else
        fi
    :: expected < MESSAGES && head == mine ->
        /* ring_consumer_sleep */
        atomic { !consumer_marks -> consumer_mark = true; consumer_marks = true };
#ifndef SLEEP_UNFENCED
        (consumer_fence);
#endif
        if
#ifdef NO_SECOND_LOOK
        :: true -> (doorbell); doorbell = false
#else
        :: head == mine -> (doorbell); doorbell = false
        :: else -> consumer_sleeps = false
#endif
        fi
    od
}

init {
    atomic { run producer(); run consumer(); run buffers() }
}
