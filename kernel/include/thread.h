#pragma once
/* Threads.
 *
 * Entry code saves user registers straight into thread.context of the CPU's current thread; the kernel works on that and leaves by
 * resuming some thread. A thread that must wait records everything in itself and is queued; the waker writes its results into its
 * context and makes it ready. After a thread is published on a wait list and the lock dropped, it may run elsewhere at once: its old
 * CPU must not touch it again. */
#include "arch_thread.h"
#include "cap.h"
#include "cpu.h"
#include "ktimer.h"
#include "list.h"
#include "mm/memory.h"
#include "object.h"
#include "policy.h"
#include "raise.h"

#include <veridian/syscall_numbers.h>

struct aspace;
struct cpu;
struct endpoint;
struct foreign;
struct memory;
struct process;
struct queue;

enum thread_state { THREAD_NEW, THREAD_READY, THREAD_RUNNING, THREAD_WAITING, THREAD_DEAD };

/** Why a running thread must stop by before it returns to user mode (bits of thread.attention). */
enum { ATTENTION_KILL = 1, ATTENTION_SUSPEND = 2, ATTENTION_INTERRUPT = 4 };

/** One per kind of wait. */
struct wait_class {
    const char *name;
    bool deadline_is_success; /* the wait is for its deadline: OK, not TIMED_OUT */
    /** What it is cancelled under, of what is waited on: a lock of class @lock_rank @lock_offset bytes into it. */
    uint8_t lock_rank;
    uint16_t lock_offset;
    uint16_t list_offset; /* of the list that waiters_end() looks at */
    /** NULL: wait_cancel_listed(). Else: take @thread off what it waits on, if it still waits there with wait_sequence @sequence.
     *  True: it was unlinked and belongs to the caller, who must wake it. No lock held. */
    bool (*cancel)(struct thread *thread, uint64_t sequence);
};

/** The class of a wait on lists of struct @type, under its lock @member. */
#define WAIT_CLASS_LOCK(type, member, class) \
    .lock_rank = LOCK_RANK_##class, .lock_offset = offsetof(struct type, member)

/** The same, and the list that waiters_end() looks at. */
#define WAIT_CLASS_LIST(type, member, class, list) \
    WAIT_CLASS_LOCK(type, member, class), .list_offset = offsetof(struct type, list)

/** What a thread of the real-time band has beside its turn. */
struct realtime {
    struct thread *thread;
    struct spinlock lock; /* realtime_lock */
    struct allowance allowance GUARDED_BY(realtime_lock);
    bool spent; /* atomic; realtime_lock to write: it is of the idle band until the period ends */
    struct ktimer refill; /* armed while it is spent, by who has the lock */
    uint64_t share;       /* process_lock of the thread's: what its Budget is charged for it */
};

/** A debug register: what was asked for, and how the CPU has it. */
struct debug_register {
    uint64_t address;
    uint32_t bytes, access; /* bits of `map`; 0: it is off, and so is all else */
    uint64_t value, control;
};

struct __attribute__((aligned(64))) thread {
    struct arch_context context; /* user registers while not in user mode */

    /* The two lines of the fast path of message calls. */
    __attribute__((aligned(64))) uint64_t
        syscall_limit; /* atomic: system calls below go the short way: thread_syscall_limit(); 0 of one that is traced */
    struct process *process; /* reference */
    struct aspace *aspace;   /* reference */
    union {
        struct {
            uint16_t cpu;       /* atomic: where it runs, ran last, or is queued */
            bool moved;         /* atomic: its affinity has changed since a handoff looked at it */
            bool timed;         /* atomic: the deadline of its wait was armed */
            uint32_t attention; /* atomic */
        };
        /* atomic: the CPU alone, or there is more to be looked at before it is handed that CPU */
        uint64_t handoff;
    };
    /* Waiting: set by the thread under the lock of what it waits on. */
    const struct wait_class *wait_class;                /* atomic; NULL: not waiting */
    uint64_t wait_sequence;                             /* atomic */
    struct thread *reply_worker GUARDED_BY(reply_lock); /* whose current reply this call is */
    struct thread *current_reply; /* worker: whose call it serves now; atomic */
    struct list wait_link;
    void *wait_object;  /* atomic: see wait_cancel_listed() */
    uint64_t wait_data; /* what the waker or canceller needs: mask, address … */
    union {
        struct queue *wait_queue; /* receive: the queue waited on together with the endpoint */
        /* of a saved reply: tells the server that this caller is gone; NULL: it does not want to know */
        struct notice *gone GUARDED_BY(reply_lock);
    };
    uint64_t call_cap_id;  /* node through which it came; 0: the kernel made the call */
    struct spinlock reply; /* reply_lock */
    bool in_syscall;       /* else it came by an exception or interrupt */
    bool wait_restarts;    /* woken, it executes its system call again */
    /* Scheduling: the run queue's lock while queued, else whoever owns the thread (its CPU, or its waker). */
    uint8_t state;           /* atomic: who kills a thread that has not begun looks */
    uint8_t priority;        /* atomic: its level: the base less what it has fallen */
    uint8_t effective;       /* atomic: with what callers lend */
    uint8_t queued_priority; /* the list of the run queue it is on */
    /* atomic: it comes to a CPU by arch_debug_load() only, handed to nobody; then "moved" is always set */
    union {
        struct {
            uint8_t stepped; /* the architecture's: 1 or 0 */
            uint8_t watched; /* reply_lock to write: how many debug registers are on */
        };
        uint16_t debugged;
    };
    uint8_t base; /* atomic: what set_priority says */
    bool limited; /* atomic: its time is limited (realtime); then "moved" is always set */
    bool killed;  /* process_lock: told to end */

    struct object object;
    struct list process_link; /* process_lock */
    uint64_t id;
    struct list run_link;
    /* atomic: the queue it is on, by whose lock it gets there and away; NULL: none */
    struct runqueue *queued;
    uint64_t affinity[CPU_MAX / 64]; /* atomic */
    uint64_t cpu_time_ns;            /* atomic; written by its CPU only */
    struct turn turn;
    struct realtime *realtime;    /* atomic: made once; looked at if it is limited */
    struct debug_register *debug; /* reply_lock to write: ARCH_DEBUG_REGISTERS, made once */
    struct ktimer deadline;
    /* atomic: the wait that the timer was armed for, stored after it was */
    uint64_t deadline_sequence;

    /** Work to be done in the kernel before the thread returns to user mode; runs with no lock held, whenever the thread is
     *  scheduled, until it clears itself. */
    void (*continuation)(struct thread *self);
    void *continuation_data;

    /* Calls: see ipc/endpoint.c. */
    struct ipc_buffer *buffer; /* the message buffer: buffer_page.address, or NULL */
    struct pinned_page buffer_page;
    struct process *reply_server GUARDED_BY(reply_lock); /* whose saved reply this call is */
    uint64_t call_badge;
    uint64_t call_deadline_ns;
    /* until when it waits for a revocation: DEADLINE_NEVER, but in cap_messages_make() */
    uint64_t derive_deadline_ns;
    struct cap *message_caps[IPC_CAPS_MAX]; /* capabilities of the outgoing message */
    uint32_t message_cap_count;
    uint32_t index; /* in the thread table: tokens of saved replies */
    /* queued: callers of the capability that it came through; its reply saved: the server's process.saved */
    struct list call_link;
    uint64_t progress_key; /* the restarted call whose first @progress bytes are done (mm) */
    uint64_t progress;
    uint64_t raised; /* the call that the kernel makes in its name: see ipc/raise.c */
    uint64_t raised_words[3];
    const struct endpoint *raised_to;
    struct raise_target debugger; /* process_lock */
    /* atomic, NULL: a native thread; set before it starts, NULL again at its end */
    struct foreign *foreign;
    uint64_t traced_pc; /* behind the system call that it is in, if its beginning was traced */
    uint64_t served_ns; /* by others, for its calls; atomic */
    /* Worker: where it came to receive last, but by the fast path, and the first of those who are queued there, if it is the one that they help.
     * Both atomic; endpoint_lock of that endpoint to write. */
    struct endpoint *serves;
    struct thread *helper;
    struct list serves_link;  /* the endpoint's lock: its servers */
    struct cap *revoke_at;    /* where its revocation goes on */
    struct rcu_head rcu_wait; /* waiting for a grace period (revoke) */
    struct arch_fpu *fpu;     /* allocated on first use */
    uint32_t fpu_cpu;         /* atomic: where the registers are live; UINT32_MAX: in memory */
    /* woken, the page waited for (wait_object, wait_data) cannot be had: why; 0: go on */
    int32_t pager_status;
};

#ifndef CONFIG_DEBUG /* whose locks are larger */
_Static_assert(offsetof(struct thread, object) - offsetof(struct thread, syscall_limit) == 128,
               "what the fast path needs of a thread is two lines");
#endif

/** Who brings it to a CPU has something to load. */
static inline bool thread_is_debugged(const struct thread *thread)
{
    return ARCH_DEBUG_REGISTERS != 0 && __atomic_load_n(&thread->debugged, __ATOMIC_RELAXED) != 0;
}

/** Its system calls go to a personality: settled before it starts. */
static inline bool thread_is_foreign(const struct thread *thread)
{
    return __atomic_load_n(&thread->foreign, __ATOMIC_RELAXED) != NULL;
}

/** Of a foreign thread no system call goes the short way; nor of one whose time is limited, so that no call of it is made before its time is charged. */
static inline uint64_t thread_syscall_limit(const struct thread *thread)
{
    return thread_is_foreign(thread) || __atomic_load_n(&thread->limited, __ATOMIC_RELAXED)
               ? 0
               : SYS_LIMIT;
}

/** The level it runs at; the CPUs of whom it calls and of who wakes it change it. */
static inline uint8_t thread_level(const struct thread *thread)
{
    return __atomic_load_n(&thread->effective, __ATOMIC_RELAXED);
}

/** It serves nobody any more, and nobody helps it: its level is its own. */
static inline void thread_level_own(struct thread *thread)
{
    uint8_t level = __atomic_load_n(&thread->priority, __ATOMIC_RELAXED);
    __atomic_store_n(&thread->effective, level, __ATOMIC_RELAXED);
}

static inline struct thread *thread_of(struct object *object)
{
    return container_of(object, struct thread, object);
}

/** Prepare to wait: called under the lock of the thing waited on, after linking self->wait_link there. False: attention is pending,
 *  the caller unlinks and returns STATUS_INTERRUPTED. After true and the unlock the thread must not be touched; return KERNEL_BLOCKED. */
MUST_CHECK bool thread_wait_begin(struct thread *self, const struct wait_class *wait_class,
                                  void *object, uint64_t deadline_ns);
/** The same leaving the FPU state in the registers: for waits that end by a direct handoff on this CPU as a rule. */
MUST_CHECK bool thread_wait_begin_here(struct thread *self, const struct wait_class *wait_class,
                                       void *object, uint64_t deadline_ns);
/** Arm the deadline of the wait with the present wait_sequence. */
void thread_arm_deadline(struct thread *thread, uint64_t deadline_ns);
/** The thread with table index @index, or NULL: valid until the kernel is left. */
struct thread *thread_by_index(uint32_t index);
/** The same for a short wait that ends by itself: no deadline, attention does not end it. */
void thread_wait_uncancellable(struct thread *self, const struct wait_class *wait_class);
/** The current thread goes on with what its registers and its continuation say when a grace period is over. */
void thread_wait_grace(struct thread *self);
/** Take @thread off the list it is on if it still waits as @wait_class with @sequence. True: it belongs to the caller. No lock held. */
bool wait_cancel_listed(struct thread *thread, const struct wait_class *wait_class,
                        uint64_t sequence);
/** wait_class.cancel, whatever it is. */
bool wait_cancel(struct thread *thread, const struct wait_class *wait_class, uint64_t sequence);
/** End the wait of @thread if it waits: with @status, or by restarting its call. False: it does not wait (any more), or cannot. */
bool thread_cancel_wait(struct thread *thread, status_t status);
/** Act on attention bits of the current thread on its way out. True: another must be chosen. */
bool thread_attend(struct thread *thread);
/** Continuation of a thread that ends; the last one of a process takes the process down. */
void thread_die(struct thread *self);
bool thread_is_suspended(const struct thread *thread);
/** It is suspended, or waits for the answer to a call that the kernel made: its registers are there to be looked at and changed. */
bool thread_has_frame(const struct thread *thread);
/** Its frame then, and another in its place. INVALID: user mode may not have such registers; nothing is changed. */
void thread_frame_get(const struct thread *thread, struct thread_regs *regs);
MUST_CHECK status_t thread_frame_set(struct thread *thread, const struct thread_regs *regs);
void thread_unsuspend(struct thread *thread);
/** Call before thread_wait_begin if, once woken, @self shall execute its system call (or the faulting instruction) again from the
 *  start. The handler then returns KERNEL_BLOCKED, which everybody passes up unchanged. */
void thread_restart_on_wake(struct thread *self);
/** The waker's side, under the same lock, after unlinking: the thread stops waiting and belongs to the caller, who must thread_wake() it. */
static inline void thread_wait_end(struct thread *thread)
{
    __atomic_store_n(&thread->wait_class, NULL, __ATOMIC_RELEASE);
    if (unlikely(__atomic_load_n(&thread->timed, __ATOMIC_RELAXED))) {
        ktimer_cancel(&thread->deadline);
        __atomic_store_n(&thread->timed, false, __ATOMIC_RELAXED);
    }
}
/** Make a thread that belongs to the caller runnable. Locks up to endpoint_lock may be held. */
void thread_wake(struct thread *thread);
/** thread_wake after setting the status of its system call, unless it executes that again. */
void thread_wake_status(struct thread *thread, status_t status);
