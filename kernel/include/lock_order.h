#pragma once
/* The lock order of the kernel: this file is it. A lock class may be taken only while classes above it in this list are
 * held, never two of one class. clang checks it (-Wthread-safety -Wthread-safety-beta), debug builds check it at run time. */
#include "kernel.h"

#if defined(__clang__)
#define THREAD_ANNOTATION(x) __attribute__((x))
#else
#define THREAD_ANNOTATION(x)
#endif
#define CAPABILITY(x) THREAD_ANNOTATION(capability(x))
#define GUARDED_BY(x) THREAD_ANNOTATION(guarded_by(x))
#define PT_GUARDED_BY(x) THREAD_ANNOTATION(pt_guarded_by(x))
#define ACQUIRED_AFTER(...) THREAD_ANNOTATION(acquired_after(__VA_ARGS__))
#define ACQUIRE(...) THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define RELEASE(...) THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define TRY_ACQUIRE(...) THREAD_ANNOTATION(try_acquire_capability(__VA_ARGS__))
#define REQUIRES(...) THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define NO_THREAD_SAFETY THREAD_ANNOTATION(no_thread_safety_analysis)

struct CAPABILITY("lock class") lock_class {
    int rank;
};

#define LOCK_CLASSES(X)                                                                          \
    X(process_lock)  /* a process: its threads, its state */                                     \
    X(cspace_lock)   /* a process's capability table: slots taken and freed */                   \
    X(tree_lock)     /* an object's derivation tree */                                           \
    X(reply_lock)    /* a caller's reply state (in the thread), copies from and to it */         \
    X(aspace_lock)   /* mappings and page tables */                                              \
    X(memory_lock)   /* a Memory's pages, pager requests, mapping list */                        \
    X(source_lock)   /* channel, notification, timer object, interrupt: the sources of events */ \
    X(queue_lock)    /* a Queue's events and waiters */                                          \
    X(endpoint_lock) /* an Endpoint's callers and workers */                                     \
    X(lane_lock)     /* a lane's workers, looked through by who holds the Endpoint's lock */     \
    X(futex_lock)    /* a bucket of futex waiters */                                             \
    X(registry_lock) /* lists of all processes and threads */                                    \
    X(realtime_lock) /* what a thread of the real-time band has left of its period */            \
    X(timer_lock)    /* a CPU's timer heap */                                                    \
    X(runqueue_lock) /* a CPU's run queue */                                                     \
    X(rcu_lock)      /* grace periods */                                                         \
    X(budget_lock)   /* quota tree */                                                            \
    X(kmem_lock)     /* kernel heap */                                                           \
    X(phys_lock)     /* physical allocator */                                                    \
    X(arch_lock)     /* interrupt controllers, IPIs */                                           \
    X(random_lock)   /* the random generator's key */                                            \
    X(log_lock)      /* kernel log */

enum lock_rank {
#define X(name) LOCK_RANK_##name,
    LOCK_CLASSES(X)
#undef X
};

extern struct lock_class process_lock;
extern struct lock_class cspace_lock ACQUIRED_AFTER(process_lock);
extern struct lock_class tree_lock ACQUIRED_AFTER(cspace_lock);
extern struct lock_class reply_lock ACQUIRED_AFTER(tree_lock);
extern struct lock_class aspace_lock ACQUIRED_AFTER(reply_lock);
extern struct lock_class memory_lock ACQUIRED_AFTER(aspace_lock);
extern struct lock_class source_lock ACQUIRED_AFTER(memory_lock);
extern struct lock_class queue_lock ACQUIRED_AFTER(source_lock);
extern struct lock_class endpoint_lock ACQUIRED_AFTER(queue_lock);
extern struct lock_class lane_lock ACQUIRED_AFTER(endpoint_lock);
extern struct lock_class futex_lock ACQUIRED_AFTER(lane_lock);
extern struct lock_class registry_lock ACQUIRED_AFTER(futex_lock);
extern struct lock_class realtime_lock ACQUIRED_AFTER(registry_lock);
extern struct lock_class timer_lock ACQUIRED_AFTER(realtime_lock);
extern struct lock_class runqueue_lock ACQUIRED_AFTER(timer_lock);
extern struct lock_class rcu_lock ACQUIRED_AFTER(runqueue_lock);
extern struct lock_class budget_lock ACQUIRED_AFTER(rcu_lock);
extern struct lock_class kmem_lock ACQUIRED_AFTER(budget_lock);
extern struct lock_class phys_lock ACQUIRED_AFTER(kmem_lock);
extern struct lock_class arch_lock ACQUIRED_AFTER(phys_lock);
extern struct lock_class random_lock ACQUIRED_AFTER(arch_lock);
extern struct lock_class log_lock ACQUIRED_AFTER(random_lock);
