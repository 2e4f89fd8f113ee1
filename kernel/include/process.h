#pragma once
/* Processes: a capability table, a budget, threads, an address space. */
#include "cap.h"
#include "queue.h"
#include "raise.h"

struct cspace_slot {
    struct cap *cap; /* atomic; its handle must match */
    uint32_t uses;   /* each gives the next capability here another tag */
    uint32_t next_free;
};

#define CSPACE_LEAF_SLOTS 128u
#define CSPACE_LEAVES 1024u

struct process {
    struct object object;
    struct spinlock lock; /* process_lock */
    struct list threads GUARDED_BY(process_lock);
    uint32_t thread_count GUARDED_BY(process_lock);
    uint8_t state; /* enum process_state; process_lock to write */
    bool dying;    /* atomic */
    int64_t exit_status;
    struct aspace *aspace; /* reference */
    struct event_source exit_event;
    char name[PROCESS_NAME_BYTES];
    struct raise_target exception GUARDED_BY(process_lock); /* its threads' exceptions */
    struct list registry_link;                              /* registry_lock */

    struct spinlock cspace;                    /* cspace_lock */
    struct cspace_slot *leaves[CSPACE_LEAVES]; /* atomic pointers, filled on demand */
    uint32_t free_slot GUARDED_BY(cspace_lock);
    uint32_t slot_count GUARDED_BY(cspace_lock);
    bool table_closed GUARDED_BY(cspace_lock); /* teardown began, no more capabilities arrive */
    uint64_t secret;
    uint64_t caps GUARDED_BY(cspace_lock); /* atomic, cspace_lock to write */

    struct spinlock saved_lock;               /* futex_lock class (innermost of the waits) */
    struct list saved GUARDED_BY(futex_lock); /* callers whose replies this process has saved */
    uint32_t teardown_cursor;
    struct rcu_head teardown_rcu;
    uint64_t cpu_time_ns; /* of threads that ended */
    uint64_t start;       /* pc of its first thread; process_lock */
};

/** cap_lookup for paths that count instructions: NULL and *@status, or the capability. Needs no lock: see cap/cap.c. */
static inline __attribute__((always_inline)) struct cap *cap_find(struct process *process,
                                                                  handle_t handle, uint32_t type,
                                                                  uint32_t rights, status_t *status)
{
    uint32_t index = (uint32_t)handle; /* too large: some slot's, whose name is another */
    struct cspace_slot *leaf =
        load_dependent(&process->leaves[index / CSPACE_LEAF_SLOTS % CSPACE_LEAVES]);
    struct cap *cap = leaf == NULL ? NULL : load_dependent(&leaf[index % CSPACE_LEAF_SLOTS].cap);
    /* A node on its way from table to table may get its new name meanwhile: then it is not found under the old one. */
    if (unlikely(cap == NULL || __atomic_load_n(&cap->handle, __ATOMIC_RELAXED) != handle))
        *status = STATUS_BAD_HANDLE;
    else if (unlikely(type != OBJECT_NONE && cap->type != type))
        *status = STATUS_WRONG_TYPE;
    else if (unlikely((cap->rights & rights) != rights))
        *status = STATUS_DENIED;
    else
        return cap;
    return NULL;
}

static inline struct process *process_of(struct object *object)
{
    return container_of(object, struct process, object);
}

/** A process with an empty table; charged to @budget; holds references on @aspace. */
MUST_CHECK status_t process_create(struct budget *budget, struct aspace *aspace, const char *name,
                                   struct process **process);
/** A stopped thread of @process. */
MUST_CHECK status_t thread_create(struct process *process, struct budget *budget,
                                  struct thread **thread);
/** Start: state NEW to READY. BUSY if it was started before. */
MUST_CHECK status_t thread_start(struct thread *thread, uint64_t pc, uint64_t sp, uint64_t argument,
                                 uint64_t tls);
/** init. What it does nobody else can do: when it ends, the kernel panics with the status code that it ended with. */
extern struct process *process_init;
/** End the process: all threads get ATTENTION_KILL. @status is kept for whoever waits. */
void process_kill(struct process *process, int64_t status);
/** The process a thread of which made an unresolvable fault: log it with registers, kill the process with @status. */
void process_fault(struct thread *thread, const char *what, uint64_t address, int64_t status);
/** Exit statuses that nobody chose: a fault, one for want of memory, and the loss of the last capability to the process. */
#define PROCESS_FAULTED ((int64_t)status_code(STATUS_FAULT))
#define PROCESS_WITHOUT_MEMORY ((int64_t)status_code(STATUS_NO_MEMORY))
#define PROCESS_ORPHANED ((int64_t)status_code(STATUS_GONE))
/** Take a process without threads down, a stretch at a time: true when it is done. */
bool process_teardown_step(struct process *process);
/** The same by callbacks, when no thread is left to do it. */
void process_teardown_later(struct process *process);
/** Set up and give back the capability table. */
void cap_table_init(struct process *process);
void cap_table_free(struct process *process);
/** Walk all processes in order of id: the first with an id above @after and not above @last whose budget is @budget or below it; with a
 *  reference, or NULL. */
struct process *process_next(uint64_t after, uint64_t last, const struct budget *budget);
