/* Futexes: waiting on a 32-bit word of user memory.
 *
 * Waiters are kept in a fixed table of buckets, hashed by address space and address; the key of a waiter is its thread's aspace and
 * wait_data. futex_wait compares the word and queues under the bucket's lock; a waker changes the word first and takes the same lock
 * afterwards, so it sees the waiter, or the waiter sees the new word. The word's frame is found before the lock, for writing where that
 * is allowed, so that no pending copy-on-write can give the word another frame in between.
 * Where many wait, a waker lets go of the lock now and then. Its place in the list is kept by a node of its own; others who want to wait or to
 * wake there let it finish first, and who is cancelled takes but himself out. */
#include <arch.h>
#include <arch_accessors.h>
#include <handlers.h>
#include <mm/aspace.h>
#include <mm/phys.h>
#include <waiters.h>

#define BUCKETS 256u
/** Waiters that are looked at with interrupts off. */
#define STRETCH 256u

struct bucket {
    struct spinlock lock;             /* futex_lock */
    bool busy GUARDED_BY(futex_lock); /* a waker, who has let go of the lock, goes on soon */
    struct list waiters GUARDED_BY(futex_lock);
};

static struct bucket buckets[BUCKETS];

static const struct wait_class futex_wait_class = {.name = "futex",
                                                   WAIT_CLASS_LOCK(bucket, lock, futex_lock)};

/* In front of @node. */
static struct list *bucket_pause(struct bucket *bucket, struct list *node) REQUIRES(futex_lock)
{
    return walk_pause(node, &bucket->lock, LOCK_RANK_futex_lock);
}

/* The list of an unused bucket is all zeros: it is made when first looked at. */
static struct bucket *bucket_lock(const struct aspace *aspace, uint64_t address) ACQUIRE(futex_lock)
{
    uint64_t hash = ((aspace->object.id << 40) ^ (address >> 2)) * 0x9e3779b97f4a7c15ull;
    struct bucket *bucket = &buckets[hash >> 56];

    _Static_assert(BUCKETS == 256, "the hash gives 8 bits");
    futex_lock_acquire(&bucket->lock);
    while (unlikely(bucket->busy))
        (void)bucket_pause(bucket, NULL);
    if (bucket->waiters.next == NULL)
        list_init(&bucket->waiters);
    return bucket;
}

static bool address_is_valid(uint64_t address)
{
    return address % sizeof(uint32_t) == 0 && arch_user_address_is_valid(address);
}

static status_t word_find(struct thread *self, uint64_t address, const uint32_t **word)
{
    paddr_t frame;
    status_t status = aspace_frame(self->aspace, self, address, MAP_WRITE, &frame);

    if (status == STATUS_FAULT || status == STATUS_DENIED)
        status = aspace_frame(self->aspace, self, address, MAP_READ, &frame);
    if (status_is_ok(status))
        *word = (const uint32_t *)phys_to_virt(frame) + address % PAGE_SIZE / sizeof(uint32_t);
    return status;
}

status_t sys_thread_futex_wait(struct thread *self, uint64_t address, uint32_t expected,
                               uint64_t deadline_ns)
{
    const uint32_t *word;

    if (!address_is_valid(address))
        return STATUS_INVALID;
    status_t status = word_find(self, address, &word);

    if (!status_is_ok(status))
        return status;
    struct bucket *bucket = bucket_lock(self->aspace, address);

    self->wait_data = address;
    if (__atomic_load_n(word, __ATOMIC_SEQ_CST) != expected)
        status = STATUS_BUSY;
    else
        status = waiter_enqueue(self, &bucket->waiters, &futex_wait_class, bucket, deadline_ns);
    futex_lock_release(&bucket->lock);
    return status;
}

status_t sys_thread_futex_wake(struct thread *self, uint64_t address, uint32_t count,
                               uint32_t *woken)
{
    struct list ready;
    uint32_t left = STRETCH;

    *woken = 0;
    if (!address_is_valid(address))
        return STATUS_INVALID;
    list_init(&ready);
    struct bucket *bucket = bucket_lock(self->aspace, address);

    struct list *node = bucket->waiters.next;

    while (node != &bucket->waiters && *woken != count) {
        struct thread *thread = list_entry(node, struct thread, wait_link);

        if (unlikely(left-- == 0)) {
            left = STRETCH;
            bucket->busy = true;
            node = bucket_pause(bucket, node);
            continue;
        }
        node = node->next;
        if (thread->wait_data != address || thread->aspace != self->aspace)
            continue;
        waiter_move(thread, &ready);
        (*woken)++;
    }
    bucket->busy = false;
    futex_lock_release(&bucket->lock);
    waiters_wake(&ready, NULL, STATUS_OK);
    return STATUS_OK;
}
