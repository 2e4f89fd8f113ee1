#pragma once
/* What endpoint.c, fastpath.c and raise.c share: calls and their answers, whoever made them. */
#include "arch_cpu.h"
#include "endpoint.h"
#include "process.h"
#include "waiters.h"

#define INFO_KIND(kind) ((uint64_t)(kind) << IPC_INFO_KIND_SHIFT)

/** Everything of an info word but label and byte count. */
#define INFO_EXTRA_MASK (~0ull << IPC_INFO_DATA_SHIFT)

static inline uint32_t info_data(uint64_t info)
{
    return (uint32_t)(info >> IPC_INFO_DATA_SHIFT & IPC_INFO_DATA_MASK);
}

static inline uint32_t info_kind(uint64_t info)
{
    return (uint32_t)(info >> IPC_INFO_KIND_SHIFT & IPC_INFO_KIND_MASK);
}

/** The caller waits for its answer: published by itself, ended under its reply_lock. */
extern const struct wait_class answer_wait;
/** The caller waits for a worker, in its endpoint's queue. */
extern const struct wait_class queued_wait;
/** The worker waits in a lane, the object of the wait: set under its lock. */
extern const struct wait_class receive_wait;

/* ── Workers: lanes.c ────────────────────────────────────────────────────────────────────────────────────────────── */

/** worker_here() where there are lanes. */
struct thread *lane_take_here(const struct endpoint *endpoint, bool bound, uint32_t epoch);
/** A worker that waits in the lane of this CPU, if that is not home, for a call that is (if @bound) of @epoch; it is ours. No lock held. */
static inline struct thread *worker_here(const struct endpoint *endpoint, bool bound,
                                         uint32_t epoch)
{
    return likely(load_dependent(&endpoint->lane) != NULL) ? NULL
                                                           : lane_take_here(endpoint, bound, epoch);
}
/** The same of all lanes but home, the nearest first. NULL: who comes to wait from now on, but at home, looks at the queues first, so what is
 *  queued before the lock is given back is found. */
struct thread *lanes_take(const struct endpoint *endpoint) REQUIRES(endpoint_lock);
/** The same with home, which is looked at first; home.pending is to be set with what is queued. */
struct thread *worker_find(struct endpoint *endpoint) REQUIRES(endpoint_lock);
/** The lane in which a worker shall wait on this CPU, which has none yet or is home where others wait. No lock held. */
struct lane *lane_choose(struct endpoint *endpoint);
/** Home if *@at is 0, then one after the other, all that there are; *@at goes on. NULL: no more. */
struct lane *lane_next(struct endpoint *endpoint, uint32_t *at);
/** Those of all lanes who wait to receive and are @wanted, as waiters_end(). */
void workers_end(struct endpoint *endpoint, bool (*wanted)(const struct thread *, const void *),
                 const void *context, status_t status);
/** With the endpoint, a grace period after its last reference. */
void lanes_free(struct endpoint *endpoint);

/** Whose current reply the call of @caller is. It may meanwhile have ended that call and begin another, without the lock. */
static inline const struct thread *reply_worker(const struct thread *caller) REQUIRES(reply_lock)
{
    return __atomic_load_n(&caller->reply_worker, __ATOMIC_RELAXED);
}

/** Make the pair of @caller and @worker, both ours: it has accepted the call. */
static inline void reply_link(struct thread *caller, struct thread *worker) NO_THREAD_SAFETY
{
    __atomic_store_n(&caller->reply_worker, worker, __ATOMIC_RELAXED);
    __atomic_store_n(&worker->current_reply, caller, __ATOMIC_RELAXED);
    uint8_t level = thread_level(caller);
    if (unlikely(level > thread_level(worker))) /* its own: it lent nothing, and served nobody */
        __atomic_store_n(&worker->effective, level, __ATOMIC_RELAXED);
}

/** The caller that @token names (0: the current reply), or NULL; to be looked at again under its lock. */
struct thread *reply_find(const struct thread *self, uint64_t token);
/** Copy @bytes, at most a chunk, page by page between @memory and @aspace (@out: to it) without waiting; *@done counts on. FAULT: nothing
 *  could be. RANGE: outside the Memory. */
__attribute__((warn_unused_result)) status_t reply_copy_memory(struct memory *memory,
                                                               uint64_t memory_offset,
                                                               struct aspace *aspace,
                                                               uint64_t address, uint64_t bytes,
                                                               bool out, uint64_t *done);
/** Does @self, or for a saved reply its process, owe @caller an answer? */
bool reply_is_owed(const struct thread *self, struct thread *caller, uint64_t token)
    REQUIRES(reply_lock);
/** Under the lock of @caller, which waits: break its pair, and end its wait. It is ours. @gone: it will not be answered, which the server
 *  is told if it saved the reply and wants to know. */
void reply_take(struct thread *caller, bool gone) REQUIRES(reply_lock);
/** wait_class.cancel of accepted calls. */
bool answer_cancel_class(struct thread *thread, uint64_t sequence,
                         const struct wait_class *wait_class);

/* ── Who waits for a worker: help.c ──────────────────────────────────────────────────────────────────────────────── */

/** @self, the current thread, queues at @endpoint through @cap (NULL: the kernel made the call), behind its equals, as @wait_class; the first in
 *  the queue helps one of those who serve there. KERNEL_BLOCKED: there is no current thread any more. INTERRUPTED: it is still that. */
MUST_CHECK status_t caller_queue(struct thread *self, struct endpoint *endpoint, struct cap *cap,
                                 const struct wait_class *wait_class) RELEASE(endpoint_lock);
/** The first of the callers of @endpoint may be another, or its level: he helps the one who is helped there, or else whom he may. Returns who has
 *  another level by that, if any: he is to be followed (level_follow) when the lock has been given back. */
struct thread *callers_help(struct endpoint *endpoint) REQUIRES(endpoint_lock);
/** The same when @self has taken the first, whose level it has anyway. */
static inline struct thread *caller_taken(struct endpoint *endpoint, struct thread *self)
    REQUIRES(endpoint_lock)
{
    struct list *node = endpoint->callers.next;
    struct thread *next = list_entry(node, struct thread, wait_link);
    if (node == &endpoint->callers)
        next = NULL;
    if (unlikely(endpoint->helped != self) ||
        unlikely(next != NULL && thread_level(next) > thread_level(self)))
        return callers_help(endpoint);
    __atomic_store_n(&self->helper, next, __ATOMIC_RELAXED);
    return NULL;
}
/** @caller, ours, has been taken off the callers of @endpoint: it leaves those of its capability, too. No lock held. */
void caller_left(struct endpoint *endpoint, struct thread *caller);
/** Those who are queued through @cap, which is dead, get BAD_HANDLE, one at a time. No lock held. Interrupts come in between. */
void callers_revoked(struct endpoint *endpoint, struct cap *cap);
/** wait_class.cancel of queued calls. */
bool caller_cancel(struct thread *thread, const struct wait_class *wait_class, uint64_t sequence);
/** @self, the current thread, serves @endpoint from now on (NULL: nobody), whose callers may help it. */
void serve(struct thread *self, struct endpoint *endpoint);
/** @endpoint has ended, and nobody queues or comes to serve there. */
void servers_leave(struct endpoint *endpoint);

/* ── Calls that the kernel made: raise.c ─────────────────────────────────────────────────────────────────────────── */

/** Who made one waits as this until somebody accepts it, and then as that. */
extern const struct wait_class raised_queued_wait, raised_wait;
/** Call @target in the name of @self, the current thread, with @info: it waits, or has attention pending. False: there is nobody any more. */
MUST_CHECK bool raise_call(struct thread *self, const struct raise_target *target, uint64_t info);
/** Deliver the call of @caller to @worker, both ours, which accepts it. */
void raised_accept(struct thread *caller, struct thread *worker);
/** @caller, which was queued and has been accepted, waits for the answer now. */
void raised_await(struct thread *caller);
/** Answer the call of @token as @info and the words of @self say. GONE: there is no such caller (any more). Other failures leave it waiting.
 *  OK: *@caller is ours and can run, or NULL. */
MUST_CHECK status_t raised_answer(struct thread *self, uint64_t token, uint64_t info,
                                  struct thread **caller);
/** The answer that @worker owed @caller will not come. */
void raised_abandon(struct thread *worker, struct thread *caller);
/** The same for one that is ours. */
void raised_abandoned(struct thread *caller);
/** The registers of @caller as data of @worker, if it has a buffer: the info word's part. */
uint64_t deliver_frame(struct thread *caller, struct thread *worker);

/* ── Foreign threads: foreign.c ──────────────────────────────────────────────────────────────────────────────────── */

/** fastpath.c: make a call with @info, of a system call of @self that brings its words along and no more, if the CPU can go over to a worker at once.
 *  Returns if not, and has changed nothing. */
void fast_foreign_call(struct thread *self, const struct raise_target *target, uint64_t info);
/** Words and data of a system call of @caller to @worker: the info word's part. */
uint64_t foreign_deliver(struct thread *caller, struct thread *worker);
/** Who serves @thread, which is foreign. */
const struct raise_target *foreign_personality(const struct thread *thread);
