#pragma once
/* Per-CPU data. arch_cpu_local() gives the running CPU's. The first fields are known to assembly (arch/…/offsets). */
#include "kernel.h"
#include "ktimer.h"
#include "list.h"
#include "rcu.h"
#include "spinlock.h"

#define CPU_MAX 1024
#define PRIORITIES 64

struct thread;
struct aspace;

struct runqueue {
    struct spinlock lock;                      /* runqueue_lock */
    uint64_t bitmap GUARDED_BY(runqueue_lock); /* atomic, as count: runqueue_lock to write */
    struct list threads[PRIORITIES] GUARDED_BY(runqueue_lock);
    uint32_t count;
};

struct timer_heap {
    struct spinlock lock; /* timer_lock */
    struct ktimer *root GUARDED_BY(timer_lock);
    uint64_t armed_ns; /* what the hardware is set to; own CPU only */
};

struct __attribute__((aligned(64))) cpu {
    struct cpu *self;       /* offset 0 */
    uint64_t kernel_stack;  /* offset 8: top */
    struct thread *current; /* offset 16: whose registers entry saves to */
    uint64_t scratch;       /* offset 24: for entry code */
    uint64_t scratch2;      /* offset 32 */
    uint64_t stack_guard;   /* offset 40: stack protector canary */
    uint16_t id;            /* offset 48 */
    bool lets_in;           /* interrupts come in kernel mode: none do in one of these */
    union {
        /** What has come up on this CPU: not 0, the way out is the long one, sched_leave(). What others do comes with an interrupt. */
        uint32_t work; /* offset 52 */
        struct {
            bool resched; /* set by IPI or wake-up: choose again on exit */
            bool rcu_due; /* rcu_poll() has something to do */
            /* translations, FPU or TLS of the current thread: the long way looks by itself */
            bool changed;
            bool traced; /* while there is a trace: obj/trace.c */
        };
    };
    uint32_t arch_id;           /* APIC id, MPIDR, hart */
    bool online;                /* atomic: cpu_is_online() */
    bool idle;                  /* atomic */
    bool yielded;               /* the current thread goes behind its equals */
    bool fpu_on;                /* the FPU can be used without a trap: its owner runs */
    struct aspace *aspace;      /* whose page tables are loaded */
    uint64_t aspace_generation; /* its TLB generation when last flushed here */
    uint64_t entry_words[2];    /* offset 80: the architecture's, for entry code */
    struct thread *fpu_owner;   /* atomic: whose FPU state is in the registers */
    void *arch;                 /* the architecture's own per-CPU data */
    struct runqueue queue;
    struct timer_heap timers;
    struct ktimer turn; /* armed while anybody is on the queue */
    struct ktimer rcu_timer;
    uint32_t rcu_count; /* callbacks in rcu_next */
    uint32_t irq_name;  /* what interrupt controllers call this CPU */
    uint64_t quiescent; /* atomic, rcu_lock to write: last grace period seen; see sched/rcu.c */
    struct rcu_head *rcu_next;    /* callbacks waiting for the next grace period */
    struct rcu_head *rcu_current; /* callbacks of the running grace period */
    uint64_t rcu_current_period;
    uint64_t last_clock_ns;     /* for CPU time accounting */
    uint64_t blocks_generation; /* up to which it has caught up */
    struct cpu *below[2];       /* in the tree of irq_names: boot/cpus.c */
#ifdef CONFIG_DEBUG
    uint8_t held_ranks[16];
    uint32_t held_count;
    uint64_t unmaps_seen, unmaps_passed; /* the latter atomic: see frames_unmapped() */
#endif
};

/** Does @cpu take part? Then its queues and timers are ready to be looked at. */
static inline bool cpu_is_online(const struct cpu *cpu)
{
    return __atomic_load_n(&cpu->online, __ATOMIC_ACQUIRE);
}

/** All CPUs, by id; NULL beyond cpu_count. */
extern struct cpu *cpus[CPU_MAX];
extern uint32_t cpu_count;
