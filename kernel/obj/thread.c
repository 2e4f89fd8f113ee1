/* Threads: creation, the end, and their system calls. Waiting and attention: sched/wait.c.
 *
 * A started thread keeps itself alive; it ends by exit, by a kill of its process, or by a fault. It ends in its own context, as a
 * continuation, so all of its work in the kernel is over by then; the last thread of a process takes the process down the same way.
 * The thread table gives every thread a small index, by which a server names the saved reply of a caller. It is read without a lock, so
 * a thread leaves it when it ends, a grace period before its memory goes. */
#include "thread.h"

#include "../cap/tree.h"
#include "arch.h"
#include "arch_accessors.h"
#include "arch_cpu.h"
#include "budget.h"
#include "endpoint.h"
#include "handlers.h"
#include "kmem.h"
#include "mm/aspace.h"
#include "mm/phys.h"
#include "process.h"
#include "sched.h"
#include "trace.h"

/* ── The thread table ────────────────────────────────────────────────────────────────────────────────────────────── */

#define TABLE_LEAF 512u
#define TABLE_LEAVES 2048u
#define INDEX_NONE UINT32_MAX

struct table_entry {
    struct thread *thread; /* atomic; NULL: free */
    uint32_t next_free;
};

static struct spinlock table_lock;
static struct table_entry *table[TABLE_LEAVES]; /* atomic pointers, never taken back */
static uint32_t table_size GUARDED_BY(registry_lock);
static uint32_t table_free GUARDED_BY(registry_lock) = INDEX_NONE;

static struct table_entry *table_at(uint32_t index)
{
    if (index >= TABLE_LEAF * TABLE_LEAVES)
        return NULL;
    struct table_entry *leaf = __atomic_load_n(&table[index / TABLE_LEAF], __ATOMIC_ACQUIRE);
    return leaf == NULL ? NULL : &leaf[index % TABLE_LEAF];
}

struct thread *thread_by_index(uint32_t index)
{
    struct table_entry *entry = table_at(index);
    return entry == NULL ? NULL : __atomic_load_n(&entry->thread, __ATOMIC_ACQUIRE);
}

static bool table_grow(void) REQUIRES(registry_lock)
{
    if (table_size == TABLE_LEAF * TABLE_LEAVES)
        return false;
    struct table_entry *leaf = kmem_alloc(NULL, TABLE_LEAF * sizeof(*leaf));
    if (leaf == NULL)
        return false;
    for (uint32_t i = TABLE_LEAF; i-- > 0;) {
        leaf[i].next_free = table_free;
        table_free = table_size + i;
    }
    __atomic_store_n(&table[table_size / TABLE_LEAF], leaf, __ATOMIC_RELEASE);
    table_size += TABLE_LEAF;
    return true;
}

static bool table_add(struct thread *thread)
{
    registry_lock_acquire(&table_lock);
    bool room = table_free != INDEX_NONE || table_grow();
    if (room) {
        thread->index = table_free;
        struct table_entry *entry = table_at(table_free);
        table_free = entry->next_free;
        __atomic_store_n(&entry->thread, thread, __ATOMIC_RELEASE);
    }
    registry_lock_release(&table_lock);
    return room;
}

static void table_remove(struct thread *thread)
{
    registry_lock_acquire(&table_lock);
    struct table_entry *entry = table_at(thread->index);
    __atomic_store_n(&entry->thread, NULL, __ATOMIC_RELEASE);
    entry->next_free = table_free;
    table_free = thread->index;
    registry_lock_release(&table_lock);
}

/* ── Life ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define DEBUG_BYTES (ARCH_DEBUG_REGISTERS * sizeof(struct debug_register))

static void buffer_release(struct thread *thread)
{
    thread->buffer = NULL;
    pinned_page_drop(&thread->buffer_page);
}

static void thread_free(struct object *object)
{
    struct thread *thread = thread_of(object);
    struct budget *budget = object->budget;
    buffer_release(thread); /* one that was set while the thread came to its end */
    arch_fpu_free(thread);
    if (thread->realtime != NULL) {
        budget_uncharge_realtime(budget, thread->realtime->share); /* never started, or set late */
        kmem_free(budget, thread->realtime, sizeof(*thread->realtime));
    }
    if (thread->debug != NULL)
        kmem_free(budget, thread->debug, DEBUG_BYTES);
    raise_target_drop(&thread->debugger);
    foreign_drop(thread);
    object_unref(&thread->aspace->object);
    object_unref(&thread->process->object);
    kmem_free(budget, thread, sizeof(*thread));
    object_unref(&budget->object);
}

/* What @thread may have of the CPUs before others becomes @share. DENIED: its Budget has not so much left. */
static status_t share_set(struct thread *thread, uint64_t share) REQUIRES(process_lock)
{
    struct budget *budget = thread->object.budget;
    struct realtime *realtime = __atomic_load_n(&thread->realtime, __ATOMIC_ACQUIRE);
    if (realtime == NULL)
        return STATUS_OK; /* it has never had any */
    uint64_t before = realtime->share;
    if (share > before && budget_charge_realtime(budget, share - before) != STATUS_OK)
        return STATUS_DENIED;
    if (share < before)
        budget_uncharge_realtime(budget, before - share);
    realtime->share = share;
    return STATUS_OK;
}

/* Take @thread off its process. True: it was the last. */
static bool thread_unlink(struct thread *thread)
{
    struct process *process = thread->process;
    process_lock_acquire(&process->lock);
    list_remove(&thread->process_link);
    process->cpu_time_ns += thread->cpu_time_ns;
    bool last = --process->thread_count == 0;
    if (last)
        __atomic_store_n(&process->dying, true, __ATOMIC_SEQ_CST);
    process_lock_release(&process->lock);
    return last;
}

static void thread_end(struct thread *thread)
{
    __atomic_store_n(&thread->state, THREAD_DEAD, __ATOMIC_RELAXED);
    thread->continuation = NULL;
    struct realtime *realtime = __atomic_load_n(&thread->realtime, __ATOMIC_ACQUIRE);
    if (realtime != NULL) {
        level_end(realtime);
        process_lock_acquire(&thread->process->lock);
        status_ignore(share_set(thread, 0));
        process_lock_release(&thread->process->lock);
    }
    table_remove(thread);
    sched_forget_current();
    object_unref(&thread->object); /* the running thread's own */
}

/* The last thread works through its process's capabilities, some at a time. */
static void teardown_step(struct thread *self)
{
    struct process *process = self->process;
    if (!process_teardown_step(process)) {
        if (sched_should_yield())
            sched_yield_current();
        return;
    }
    thread_end(self);
}

void thread_die(struct thread *self)
{
    __atomic_fetch_and(&self->attention, ~(uint32_t)ATTENTION_KILL, __ATOMIC_RELAXED);
    sched_save_fpu(arch_cpu_local(), self);
    (void)sched_account(arch_cpu_local());
    ipc_thread_died(self);
    buffer_release(self);
    foreign_drop(self);
    bool last = thread_unlink(self);
    if (trace_is_on())
        trace_record(TRACE_END, self->process->object.id, last,
                     (uint64_t)self->process->exit_status);
    if (last)
        self->continuation = teardown_step;
    else
        thread_end(self);
}

/* No capability is left: a thread that never started will never start. */
static void thread_destroy(struct object *object)
{
    struct thread *thread = thread_of(object);
    uint8_t expected = THREAD_NEW;
    if (!__atomic_compare_exchange_n(&thread->state, &expected, THREAD_DEAD, false,
                                     __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        return;
    buffer_release(thread);
    table_remove(thread);
    struct process *process = thread->process;
    if (thread_unlink(thread))
        process_teardown_later(process);
    object_unref(object);
}

static const struct object_ops thread_ops = {.type = OBJECT_THREAD,
                                             .destroy = thread_destroy,
                                             .free = thread_free};

status_t thread_create(struct process *process, struct budget *budget, struct thread **out)
{
    struct thread *thread = kmem_alloc(budget, sizeof(*thread));
    if (thread == NULL)
        return STATUS_NO_MEMORY;
    if (!table_add(thread)) {
        kmem_free(budget, thread, sizeof(*thread));
        return STATUS_NO_MEMORY;
    }
    object_init(&thread->object, &thread_ops, budget);
    thread->id = thread->object.id;
    thread->process = process;
    thread->syscall_limit = SYS_LIMIT;
    thread->state = THREAD_NEW;
    thread->base = (uint8_t)MIN(PRIORITY_DEFAULT, budget->priority_ceiling);
    thread->priority = thread->effective = thread->base;
    thread->turn.left_ns = TURN_NS;
    thread->cpu = arch_cpu_local()->id;
    thread->fpu_cpu = UINT32_MAX;
    thread->derive_deadline_ns = DEADLINE_NEVER;
    for (uint32_t i = 0; i < CPU_MAX / 64; i++)
        thread->affinity[i] = ~0ull;
    list_init(&thread->run_link);
    list_init(&thread->wait_link);
    list_init(&thread->call_link);
    object_ref(&process->object);
    process_lock_acquire(&process->lock);
    thread->aspace = process->aspace;
    object_ref(&thread->aspace->object);
    bool alive = !process->dying;
    if (alive) {
        list_push_back(&process->threads, &thread->process_link);
        process->thread_count++;
        object_ref(&thread->object); /* the running thread's own */
    }
    process_lock_release(&process->lock);
    *out = thread;
    if (alive)
        return STATUS_OK;
    table_remove(thread);
    object_unref(&thread->object);
    return STATUS_GONE;
}

/* Undo thread_create before anyone has seen the thread. */
static void thread_discard(struct thread *thread)
{
    thread_destroy(&thread->object);
    object_unref(&thread->object);
}

status_t thread_start(struct thread *thread, uint64_t pc, uint64_t sp, uint64_t argument,
                      uint64_t tls)
{
    uint8_t expected = THREAD_NEW;
    if (!__atomic_compare_exchange_n(&thread->state, &expected, THREAD_WAITING, false,
                                     __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        return STATUS_BUSY;
    arch_context_init(thread, pc, sp, argument, tls);
    struct process *process = thread->process;
    process_lock_acquire(&process->lock);
    bool first = process->state == PROCESS_STATE_NEW;
    if (first) {
        process->state = PROCESS_STATE_RUNNING;
        process->start = pc;
    }
    process_lock_release(&process->lock);
    if (trace_is_on()) {
        if (first)
            trace_process(process);
        trace_record(TRACE_BEGIN, thread->id, process->object.id, pc);
    }
    thread_wake(thread);
    return STATUS_OK;
}

/* ── System calls ────────────────────────────────────────────────────────────────────────────────────────────────── */

status_t sys_thread_create(struct thread *self, struct cap *process, struct cap *budget,
                           handle_t *handle)
{
    struct thread *thread;
    if (!object_try_ref(process->object))
        return STATUS_GONE;
    status_t status = STATUS_NO_MEMORY;
    if (object_try_ref(budget->object)) {
        status = thread_create(process_of(process->object), budget_of(budget->object), &thread);
        object_unref(budget->object);
    }
    object_unref(process->object);
    if (status != STATUS_OK)
        return status;
    status = cap_create(self->process, &thread->object,
                        RIGHT_COPY | RIGHT_TRANSFER | RIGHT_REVOKE | RIGHT_INSPECT | RIGHT_MANAGE,
                        handle);
    if (status != STATUS_OK)
        thread_discard(thread);
    return status;
}

status_t sys_thread_start(struct thread *self, struct cap *thread, uint64_t pc, uint64_t sp,
                          uint64_t argument, uint64_t tls)
{
    (void)self;
    if (!arch_user_address_is_valid(pc) || !arch_user_address_is_valid(sp) ||
        (tls != 0 && !arch_user_address_is_valid(tls)))
        return STATUS_INVALID;
    return thread_start(thread_of(thread->object), pc, sp, argument, tls);
}

status_t sys_thread_set_buffer(struct thread *self, struct cap *cap, struct cap *memory_cap,
                               uint64_t offset)
{
    struct thread *thread = thread_of(cap->object);
    struct pinned_page page;
    if (!is_page_aligned(offset))
        return STATUS_INVALID;
    if (thread->buffer != NULL || __atomic_load_n(&thread->state, __ATOMIC_RELAXED) != THREAD_NEW)
        return STATUS_BUSY;
    status_t status = pinned_page_take(self, memory_of(memory_cap->object), offset, &page);
    if (status != STATUS_OK)
        return status;
    process_lock_acquire(&thread->process->lock);
    bool free =
        thread->buffer == NULL && __atomic_load_n(&thread->state, __ATOMIC_RELAXED) == THREAD_NEW;
    if (free) {
        thread->buffer_page = page;
        thread->buffer = page.address;
    }
    process_lock_release(&thread->process->lock);
    if (free)
        return STATUS_OK;
    pinned_page_drop(&page);
    return STATUS_BUSY;
}

status_t sys_thread_set_tls(struct thread *self, uint64_t tls)
{
    if (tls != 0 && !arch_user_address_is_valid(tls))
        return STATUS_INVALID;
    arch_tls_set(self, tls);
    arch_cpu_local()->changed = true;
    return STATUS_OK;
}

status_t sys_thread_suspend(struct thread *self, struct cap *thread)
{
    (void)self;
    thread_set_attention(thread_of(thread->object), ATTENTION_SUSPEND);
    return STATUS_OK;
}

status_t sys_thread_resume(struct thread *self, struct cap *thread)
{
    (void)self;
    thread_unsuspend(thread_of(thread->object));
    return STATUS_OK;
}

status_t sys_thread_get_regs(struct thread *self, struct cap *cap, struct thread_regs *regs)
{
    (void)self;
    struct thread *thread = thread_of(cap->object);
    if (!thread_has_frame(thread))
        return STATUS_BUSY;
    thread_frame_get(thread, regs);
    return STATUS_OK;
}

status_t sys_thread_set_regs(struct thread *self, struct cap *cap, const struct thread_regs *regs)
{
    (void)self;
    struct thread *thread = thread_of(cap->object);
    if (!thread_has_frame(thread))
        return STATUS_BUSY;
    return thread_frame_set(thread, regs);
}

/* @thread is answered under this lock, so it does not go on by a way that has not seen this. One that was suspended may be resumed meanwhile:
 * who sees that there are any (watched) sees where they are. */
static status_t debug_set(struct thread *thread, uint32_t index, const struct debug_register *new)
    REQUIRES(reply_lock)
{
    if (!thread_has_frame(thread))
        return STATUS_BUSY;
    if (thread->debug == NULL)
        thread->debug = kmem_alloc(thread->object.budget, DEBUG_BYTES);
    if (thread->debug == NULL)
        return STATUS_NO_MEMORY;
    uint32_t watched = thread->watched;
    watched = watched + (new->access != 0) - (thread->debug[index].access != 0);
    thread->debug[index] = *new;
    __atomic_store_n(&thread->watched, (uint8_t)watched, __ATOMIC_RELEASE);
    __atomic_store_n(&thread->moved, true, __ATOMIC_RELEASE);
    return STATUS_OK;
}

status_t sys_thread_set_debug(struct thread *self, struct cap *cap, uint32_t index,
                              uint64_t address, uint32_t bytes, uint32_t access)
{
    (void)self;
    struct thread *thread = thread_of(cap->object);
    struct debug_register new = {.address = address, .bytes = bytes, .access = access};
    if (ARCH_DEBUG_REGISTERS == 0)
        return STATUS_UNSUPPORTED;
    if (arch_debug_takes(index) == 0)
        return STATUS_RANGE;
    if (access == 0)
        new = (struct debug_register){0};
    else if (!arch_user_address_is_valid(address) || !arch_debug_encode(index, &new))
        return STATUS_INVALID;
    reply_lock_acquire(&thread->reply);
    status_t status = debug_set(thread, index, &new);
    reply_lock_release(&thread->reply);
    return status;
}

status_t sys_thread_get_debug(struct thread *self, struct cap *cap, uint32_t index,
                              uint64_t *address, uint32_t *bytes, uint32_t *access, uint32_t *takes)
{
    (void)self;
    struct thread *thread = thread_of(cap->object);
    struct debug_register found = {0};
    if (ARCH_DEBUG_REGISTERS == 0)
        return STATUS_UNSUPPORTED;
    *takes = arch_debug_takes(index);
    if (*takes == 0)
        return STATUS_RANGE;
    reply_lock_acquire(&thread->reply);
    if (thread->debug != NULL)
        found = thread->debug[index];
    reply_lock_release(&thread->reply);
    *address = found.address;
    *bytes = found.bytes;
    *access = found.access;
    return STATUS_OK;
}

status_t sys_thread_set_priority(struct thread *self, struct cap *cap, uint32_t priority)
{
    (void)self;
    struct thread *thread = thread_of(cap->object);
    if (priority >= PRIORITIES)
        return STATUS_RANGE;
    if (priority > thread->object.budget->priority_ceiling)
        return STATUS_DENIED;
    process_lock_acquire(&thread->process->lock);
    sched_set_priority(thread, (uint8_t)priority);
    status_ignore(share_set(thread, 0));
    process_lock_release(&thread->process->lock);
    return STATUS_OK;
}

/* What it needs of the kernel's memory is made once, and stays. */
static struct realtime *realtime_of(struct thread *thread)
{
    struct realtime *realtime = __atomic_load_n(&thread->realtime, __ATOMIC_ACQUIRE), *none = NULL;
    if (realtime != NULL)
        return realtime;
    realtime = kmem_alloc(thread->object.budget, sizeof(*realtime));
    if (realtime == NULL)
        return NULL;
    realtime->thread = thread;
    if (__atomic_compare_exchange_n(&thread->realtime, &none, realtime, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
        return realtime;
    kmem_free(thread->object.budget, realtime, sizeof(*realtime));
    return none;
}

status_t sys_thread_set_realtime(struct thread *self, struct cap *cap, uint32_t priority,
                                 uint64_t budget_ns, uint64_t period_ns, uint64_t turn_ns)
{
    (void)self;
    struct thread *thread = thread_of(cap->object);
    if (priority <= PRIORITY_NORMAL_MAX || priority > PRIORITY_MAX || budget_ns == 0 ||
        budget_ns > period_ns || period_ns < REALTIME_PERIOD_MIN_NS ||
        period_ns > REALTIME_PERIOD_MAX_NS)
        return STATUS_RANGE;
    if (realtime_of(thread) == NULL)
        return STATUS_NO_MEMORY;
    process_lock_acquire(&thread->process->lock);
    status_t status =
        share_set(thread, (budget_ns * BUDGET_REALTIME_CPU + period_ns - 1) / period_ns);
    if (status == STATUS_OK)
        sched_set_realtime(thread, (uint8_t)priority,
                           (struct allowance){.budget_ns = budget_ns,
                                              .period_ns = period_ns,
                                              .turn_ns = turn_ns});
    process_lock_release(&thread->process->lock);
    return status;
}

status_t sys_thread_set_affinity(struct thread *self, struct cap *cap, uint32_t index,
                                 uint64_t mask)
{
    (void)self;
    struct thread *thread = thread_of(cap->object);
    if (index >= CPU_MAX / 64)
        return STATUS_RANGE;
    bool any = false;
    for (uint32_t i = 0; i < cpu_count; i++) {
        uint64_t word =
            i / 64 == index ? mask : __atomic_load_n(&thread->affinity[i / 64], __ATOMIC_RELAXED);
        any |= cpu_is_online(cpus[i]) && (word >> (i % 64) & 1) != 0;
    }
    if (!any)
        return STATUS_INVALID;
    sched_set_affinity(thread, index, mask);
    return STATUS_OK;
}

status_t sys_thread_exit(struct thread *self)
{
    self->continuation = thread_die;
    return KERNEL_DONE;
}

status_t sys_thread_yield(struct thread *self)
{
    (void)self;
    sched_yield_current();
    return STATUS_OK;
}

/* Sleeping: a wait on itself, for nothing but its deadline. */
static const struct wait_class sleep_wait = {.name = "sleep",
                                             .deadline_is_success = true,
                                             WAIT_CLASS_LOCK(thread, reply, reply_lock)};

status_t sys_thread_sleep(struct thread *self, uint64_t deadline_ns)
{
    if (deadline_ns <= arch_time_now_ns())
        return STATUS_OK;
    reply_lock_acquire(&self->reply);
    list_init(&self->wait_link); /* on no list */
    bool waits = thread_wait_begin(self, &sleep_wait, self, deadline_ns);
    reply_lock_release(&self->reply);
    return waits ? KERNEL_BLOCKED : STATUS_INTERRUPTED;
}
