/* Processes: creation, the end, the list of all, and their system calls.
 *
 * A process ends when its last thread does. process_kill() marks it dying (no thread is added any more) and sends each thread its
 * end; the last one closes the capabilities, in pieces, answers the calls the process had accepted, and posts the EXIT event. */
#include "process.h"

#include "arch.h"
#include "arch_accessors.h"
#include "arch_cpu.h"
#include "budget.h"
#include "endpoint.h"
#include "handlers.h"
#include "ipc/reply.h"
#include "kmem.h"
#include "kstring.h"
#include "mm/aspace.h"
#include "random.h"
#include "sched.h"

#include <veridian/syscall_numbers.h>

#define TEARDOWN_SLOTS 32

struct process *process_init;
static struct spinlock registry;
static struct list processes GUARDED_BY(registry_lock) = {&processes, &processes};

static void process_free(struct object *object) NO_THREAD_SAFETY
{
    struct process *process = process_of(object);
    struct budget *budget = object->budget;
    cap_table_free(process);
    raise_target_drop(&process->exception);
    object_unref(&process->aspace->object);
    kmem_free(budget, process, sizeof(*process));
    object_unref(&budget->object);
}

static void process_destroy(struct object *object)
{
    struct process *process = process_of(object);
    process_kill(process, PROCESS_ORPHANED);
    process_lock_acquire(&process->lock);
    event_source_unbind(&process->exit_event);
    process_lock_release(&process->lock);
}

static const struct object_ops process_ops = {.type = OBJECT_PROCESS,
                                              .destroy = process_destroy,
                                              .free = process_free};

status_t process_create(struct budget *budget, struct aspace *aspace, const char *name,
                        struct process **out) NO_THREAD_SAFETY
{
    struct process *process = kmem_alloc(budget, sizeof(*process));
    if (process == NULL)
        return STATUS_NO_MEMORY;
    object_init(&process->object, &process_ops, budget);
    list_init(&process->threads);
    list_init(&process->saved);
    cap_table_init(process);
    process->aspace = aspace;
    object_ref(&aspace->object);
    event_source_init(&process->exit_event, EVENT_EXIT);
    memcpy(process->name, name, strnlen(name, sizeof(process->name) - 1));
    random_bytes(&process->secret, sizeof(process->secret));
    object_ref(&process->object); /* the list's, dropped at the end */
    registry_lock_acquire(&registry);
    list_push_back(&processes, &process->registry_link);
    registry_lock_release(&registry);
    *out = process;
    return STATUS_OK;
}

/* ── The end ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The next thread that has not been told to end, moved to the back of the list; NULL: all have. */
static struct thread *next_to_kill(struct process *process)
{
    struct thread *thread = NULL;
    process_lock_acquire(&process->lock);
    struct list *node = list_first(&process->threads);
    if (node != NULL && !list_entry(node, struct thread, process_link)->killed) {
        thread = list_entry(node, struct thread, process_link);
        thread->killed = true;
        list_remove(node);
        list_push_back(&process->threads, node);
    }
    process_lock_release(&process->lock);
    return thread;
}

/* Give every thread its end, with no lock held. No thread is added to a dying process; threads stay valid until we leave the kernel. */
static void kill_threads(struct process *process)
{
    struct thread *thread;
    while ((thread = next_to_kill(process)) != NULL) {
        uint8_t expected = THREAD_NEW;
        bool was_new = __atomic_compare_exchange_n(&thread->state, &expected, THREAD_WAITING, false,
                                                   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
        thread_set_attention(thread, ATTENTION_KILL);
        if (was_new)
            thread_wake(thread); /* it dies on its way to a user mode that it never sees */
        sched_let_interrupts_in();
    }
}

void process_kill(struct process *process, int64_t status)
{
    process_lock_acquire(&process->lock);
    bool first = !process->dying;
    if (first) {
        process->exit_status = status;
        __atomic_store_n(&process->dying, true, __ATOMIC_SEQ_CST);
    }
    bool empty = process->thread_count == 0;
    process_lock_release(&process->lock);
    if (first && process == process_init)
        panic("init ended: %s", status_name(status_from_code((uint64_t)status)));
    if (first && empty)
        process_teardown_later(process);
    else if (first)
        kill_threads(process);
}

bool process_teardown_step(struct process *process)
{
    if (!cap_table_destroy_step(process, &process->teardown_cursor, TEARDOWN_SLOTS))
        return false;
    ipc_process_died(process);
    process_lock_acquire(&process->lock);
    process->state = PROCESS_STATE_DEAD;
    event_post(&process->exit_event, (uint64_t)process->exit_status, EVENT_REPLACE);
    process_lock_release(&process->lock);
    registry_lock_acquire(&registry);
    list_remove(&process->registry_link);
    registry_lock_release(&registry);
    object_unref(&process->object);
    return true;
}

/* A process without threads has nobody to take it down: callbacks do, a stretch at a time. */
static void teardown_callback(struct rcu_head *head)
{
    struct process *process = container_of(head, struct process, teardown_rcu);
    if (!process_teardown_step(process))
        rcu_call(&process->teardown_rcu, teardown_callback);
}

void process_teardown_later(struct process *process)
{
    rcu_call(&process->teardown_rcu, teardown_callback);
}

void process_fault(struct thread *thread, const char *what, uint64_t address, int64_t status)
{
    struct process *process = thread->process;
    klog("%s[%lu]: thread %lu: %s at %#lx", process->name, process->object.id, thread->id, what,
         address);
    sched_let_interrupts_in();
    arch_print_registers(thread, sched_let_interrupts_in);
    process_kill(process, status);
}

struct process *process_next(uint64_t after, uint64_t last, const struct budget *budget)
{
    struct process *best = NULL;
    registry_lock_acquire(&registry);
    list_for_each (node, &processes) {
        struct process *process = list_entry(node, struct process, registry_link);
        uint64_t id = process->object.id;
        if (id > after && id <= last && budget_is_below(process->object.budget, budget)) {
            best = process;
            last = id;
        }
    }
    if (best != NULL)
        object_ref(&best->object);
    registry_lock_release(&registry);
    return best;
}

/* ── System calls ────────────────────────────────────────────────────────────────────────────────────────────────── */

status_t sys_process_create(struct thread *self, struct cap *budget, struct cap *aspace,
                            struct user_in name_in, handle_t *handle)
{
    char name[PROCESS_NAME_BYTES] = {0};
    if (name_in.length >= PROCESS_NAME_BYTES)
        return STATUS_INVALID;
    status_t status = user_copy_in(self, name, name_in.address, name_in.length);
    if (status != STATUS_OK)
        return status;
    for (uint32_t i = 0; i < PROCESS_NAME_BYTES && name[i] != 0; i++)
        if (name[i] < ' ' || name[i] > '~')
            return STATUS_INVALID;
    struct process *process;
    if (!object_try_ref(budget->object))
        return STATUS_BAD_HANDLE;
    status = STATUS_BAD_HANDLE;
    if (object_try_ref(aspace->object)) {
        status =
            process_create(budget_of(budget->object), aspace_of(aspace->object), name, &process);
        object_unref(aspace->object);
    }
    object_unref(budget->object);
    if (status != STATUS_OK)
        return status;
    status = cap_create(self->process, &process->object,
                        RIGHT_COPY | RIGHT_TRANSFER | RIGHT_REVOKE | RIGHT_INSPECT | RIGHT_MANAGE,
                        handle);
    if (status != STATUS_OK) {
        process_kill(process, 0);
        object_unref(&process->object);
    }
    return status;
}

status_t sys_process_give(struct thread *self, struct cap *process_cap, handle_t source,
                          uint32_t rights, uint64_t badge, uint32_t mode, handle_t *given)
{
    struct process *process = process_of(process_cap->object);
    struct cap *cap;
    status_t status = cap_lookup(self->process, source, OBJECT_NONE, RIGHT_TRANSFER, &cap);
    if (status != STATUS_OK)
        return status;
    /* The node names its holder while it looks for a slot. */
    if (!object_try_ref(&process->object))
        return STATUS_GONE;
    status = cap_transfer(self, cap, process, mode, rights, badge, given);
    object_unref(&process->object);
    return status;
}

status_t sys_process_kill(struct thread *self, struct cap *process, int64_t status)
{
    (void)self;
    process_kill(process_of(process->object), status);
    return STATUS_OK;
}

status_t sys_process_exit(struct thread *self, int64_t status)
{
    process_kill(self->process, status);
    return KERNEL_DONE;
}

status_t sys_process_bind(struct thread *self, struct cap *process_cap, struct cap *queue,
                          uint64_t cookie)
{
    (void)self;
    struct process *process = process_of(process_cap->object);
    process_lock_acquire(&process->lock);
    /* All capabilities are dead before process_destroy() unbinds what is bound. */
    status_t status = cap_is_dead(process_cap) ? STATUS_BAD_HANDLE
                                               : event_source_bind(&process->exit_event,
                                                                   queue_of(queue->object), cookie);
    if (status == STATUS_OK && process->state == PROCESS_STATE_DEAD)
        event_post(&process->exit_event, (uint64_t)process->exit_status, EVENT_REPLACE);
    process_lock_release(&process->lock);
    return status;
}

static void describe(struct process *process, struct process_info *info) NO_THREAD_SAFETY
{
    process_lock_acquire(&process->lock);
    info->id = process->object.id;
    info->budget_id = process->object.budget->object.id;
    info->aspace_id = process->aspace->object.id;
    info->state = process->state;
    info->start = process->start;
    info->threads = process->thread_count;
    info->exit_status = process->exit_status;
    info->caps = __atomic_load_n(&process->caps, __ATOMIC_RELAXED);
    info->cpu_time_ns = process->cpu_time_ns;
    list_for_each (node, &process->threads)
        info->cpu_time_ns +=
            __atomic_load_n(&list_entry(node, struct thread, process_link)->cpu_time_ns,
                            __ATOMIC_RELAXED);
    info->resident_pages = __atomic_load_n(&process->aspace->resident, __ATOMIC_RELAXED);
    memcpy(info->name, process->name, sizeof(info->name));
    process_lock_release(&process->lock);
}

status_t sys_process_info(struct thread *self, struct cap *process, struct process_info *info)
{
    (void)self;
    describe(process_of(process->object), info);
    return STATUS_OK;
}

status_t sys_budget_process_next(struct thread *self, struct cap *budget, uint64_t after,
                                 struct process_info *info)
{
    (void)self;
    struct process *process = process_next(after, UINT64_MAX, budget_of(budget->object));
    if (process == NULL)
        return STATUS_NOT_FOUND;
    describe(process, info);
    object_unref(&process->object);
    return STATUS_OK;
}

/* A thread that is woken meanwhile shows what it has in its registers by then. */
static void describe_thread(const struct thread *thread, struct thread_info *info)
{
    info->id = thread->id;
    info->cpu_time_ns = __atomic_load_n(&thread->cpu_time_ns, __ATOMIC_RELAXED);
    info->served_ns = __atomic_load_n(&thread->served_ns, __ATOMIC_RELAXED);
    info->priority = __atomic_load_n(&thread->base, __ATOMIC_RELAXED);
    info->level = __atomic_load_n(&thread->priority, __ATOMIC_RELAXED);
    info->cpu = __atomic_load_n(&thread->cpu, __ATOMIC_RELAXED);
    const struct wait_class *wait_class = __atomic_load_n(&thread->wait_class, __ATOMIC_ACQUIRE);
    if (wait_class == NULL)
        return;
    info->wait = !thread->in_syscall          ? THREAD_WAIT_PAGE
                 : !thread_is_foreign(thread) ? THREAD_WAIT_SYSCALL
                                              : THREAD_WAIT_FOREIGN;
    if (thread->in_syscall) {
        /* Not in the registers if the fast path was taken. */
        info->syscall = wait_class == &answer_wait    ? SYS_ENDPOINT_CALL
                        : wait_class == &receive_wait ? SYS_ENDPOINT_RECEIVE
                                                      : (uint32_t)arch_syscall_number(thread);
        info->label = info->syscall == SYS_ENDPOINT_CALL ? (uint32_t)arch_ipc_info(thread) : 0;
    }
}

static status_t describe_thread_after(struct process *process, uint64_t after,
                                      struct thread_info *info)
{
    const struct thread *next = NULL;
    process_lock_acquire(&process->lock);
    list_for_each (node, &process->threads) {
        const struct thread *thread = list_entry(node, struct thread, process_link);
        if (thread->id > after && (next == NULL || thread->id < next->id))
            next = thread;
    }
    if (next != NULL)
        describe_thread(next, info);
    process_lock_release(&process->lock);
    return next != NULL ? STATUS_OK : STATUS_NOT_FOUND;
}

/* Process @id if its budget is @budget or below it, with a reference, or NULL. */
static struct process *process_below(const struct cap *budget, uint64_t id)
{
    return process_next(id - 1, id, budget_of(budget->object));
}

status_t sys_budget_process_kill(struct thread *self, struct cap *budget, uint64_t process_id,
                                 int64_t exit_status)
{
    (void)self;
    struct process *process = process_below(budget, process_id);
    if (process == NULL)
        return STATUS_NOT_FOUND;
    process_kill(process, exit_status);
    object_unref(&process->object);
    return STATUS_OK;
}

status_t sys_budget_thread_next(struct thread *self, struct cap *budget, uint64_t process_id,
                                uint64_t after, struct thread_info *info)
{
    (void)self;
    struct process *process = process_below(budget, process_id);
    if (process == NULL)
        return STATUS_NOT_FOUND;
    status_t status = describe_thread_after(process, after, info);
    object_unref(&process->object);
    return status;
}

status_t sys_budget_process_pages(struct thread *self, struct cap *budget, uint64_t process_id,
                                  uint64_t address, uint64_t *start, uint64_t *present,
                                  uint64_t *accessed, uint64_t *written) NO_THREAD_SAFETY
{
    struct process *process = process_below(budget, process_id);
    if (process == NULL)
        return STATUS_NOT_FOUND;
    process_lock_acquire(&process->lock);
    struct aspace *aspace = process->aspace;
    object_ref(&aspace->object);
    process_lock_release(&process->lock);
    object_unref(&process->object);
    struct page_use use = {0};
    status_t status = aspace_age(aspace, &address, &use);
    object_unref(&aspace->object);
    *start = address;
    *present = use.present;
    *accessed = use.accessed;
    *written = use.written;
    if (!status_is_ok(status) || (use.accessed | use.written) == 0)
        return status;
    const uint64_t results[] = {address, use.present, use.accessed, use.written};
    for (unsigned i = 0; i < ARRAY_SIZE(results); i++)
        arch_syscall_result_set(self, i, results[i]);
    return memory_flush_end(self);
}
