/* Foreign threads: their system calls are calls on their personality's endpoint.
 *
 * Such a thread has no native calls, so entry code brings all of its calls here: it compares the number with thread.syscall_limit, which is
 * 0 for foreign threads, and for those whose calls are traced. The call table, one page that the personality shares with the kernel and may change at any time, says what
 * becomes of each; an entry is read once. The pc goes back to the call at once and over it with the answer, so that whatever comes in
 * between - an interruption, a page to be fetched, nobody there to be called - leaves a thread that will just make its call again. */
#include "arch.h"
#include "arch_accessors.h"
#include "budget.h"
#include "handlers.h"
#include "kmem.h"
#include "kstring.h"
#include "mm/aspace.h"
#include "mm/phys.h"
#include "reply.h"
#include "sched.h"
#include "trace.h"

struct foreign {
    struct raise_target personality;
    struct pinned_page table, constants;
    uint64_t constants_first;
    struct foreign_call call; /* the entry of the call under way */
};

_Static_assert(FOREIGN_CALLS * sizeof(struct foreign_call) == PAGE_SIZE, "a table is a page");

/* ── Binding ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void foreign_free(struct foreign *foreign, struct budget *budget)
{
    raise_target_drop(&foreign->personality);
    pinned_page_drop(&foreign->table);
    pinned_page_drop(&foreign->constants);
    kmem_free(budget, foreign, sizeof(*foreign));
}

COLD void foreign_drop(struct thread *thread)
{
    struct foreign *foreign = thread->foreign;
    __atomic_store_n(&thread->foreign, NULL, __ATOMIC_RELAXED);
    if (foreign != NULL)
        foreign_free(foreign, thread->object.budget);
}

const struct raise_target *foreign_personality(const struct thread *thread)
{
    return &thread->foreign->personality;
}

status_t sys_thread_set_foreign(struct thread *self, struct cap *cap, struct cap *endpoint,
                                uint64_t cookie, struct cap *table, struct cap *constants,
                                uint64_t offset)
{
    struct thread *thread = thread_of(cap->object);
    if (offset % sizeof(uint64_t) != 0)
        return STATUS_INVALID;
    struct foreign *foreign = kmem_alloc(thread->object.budget, sizeof(*foreign));
    if (foreign == NULL)
        return STATUS_NO_MEMORY;
    foreign->constants_first = offset % PAGE_SIZE / sizeof(uint64_t);
    status_t status = raise_target_init(&foreign->personality, endpoint, cookie);
    if (status == STATUS_OK)
        status = pinned_page_take(self, memory_of(table->object), 0, &foreign->table);
    if (status == STATUS_OK)
        status = pinned_page_take(self, memory_of(constants->object), offset, &foreign->constants);
    if (status == STATUS_OK) {
        process_lock_acquire(&thread->process->lock);
        if (__atomic_load_n(&thread->state, __ATOMIC_RELAXED) == THREAD_NEW &&
            thread->foreign == NULL) {
            __atomic_store_n(&thread->foreign, foreign, __ATOMIC_RELAXED);
            __atomic_store_n(&thread->syscall_limit, 0, __ATOMIC_RELAXED);
        } else {
            status = STATUS_BUSY;
        }
        process_lock_release(&thread->process->lock);
    }
    if (status != STATUS_OK)
        foreign_free(foreign, thread->object.budget);
    return status;
}

/* ── System calls ────────────────────────────────────────────────────────────────────────────────────────────────── */

static inline struct foreign_call call_of(const struct foreign *foreign, uint64_t number)
{
    union {
        uint64_t word;
        struct foreign_call call;
    } entry = {0};
    if (number < FOREIGN_CALLS)
        entry.word =
            __atomic_load_n((const uint64_t *)foreign->table.address + number, __ATOMIC_RELAXED);
    return entry.call;
}

static uint64_t constant(const struct foreign *foreign, uint64_t index)
{
    index += foreign->constants_first;
    return index >= PAGE_SIZE / sizeof(uint64_t)
               ? 0
               : __atomic_load_n((const uint64_t *)foreign->constants.address + index,
                                 __ATOMIC_RELAXED);
}

static __attribute__((noinline)) void call_slowly(struct thread *self, uint64_t info)
{
    if (trace_is_on())
        trace_call(self);
    if (unlikely(!raise_call(self, &self->foreign->personality, info)))
        process_fault(self, "its personality is gone", (uint32_t)info, PROCESS_FAULTED);
}

NORETURN void trap_foreign(struct thread *self)
{
    struct foreign *foreign = self->foreign;
    uint64_t number = arch_syscall_number(self);
    if (unlikely(foreign == NULL))
        trap_native(self, number);
    struct foreign_call call = call_of(foreign, number);
    self->in_syscall = true;
    if (call.action == FOREIGN_ACTION_CONSTANT) {
        arch_foreign_result_set(self, constant(foreign, call.value));
    } else {
        uint64_t info = INFO_KIND(IPC_KIND_FOREIGN) | (uint32_t)number;
        struct cpu *cpu = arch_cpu_local();
        arch_syscall_restart(self);
        cpu->resched |= sched_account_here(cpu);
        if (likely(call.action == FOREIGN_ACTION_FORWARD))
            fast_foreign_call(self, &foreign->personality, info);
        foreign->call = call;
        call_slowly(self, info);
    }
    sched_leave_quickly();
    sched_leave();
}

/* What the table says that the message brings along: bytes of the caller's memory, as far as they are there. */
static __attribute__((noinline)) uint64_t deliver_copy(struct thread *caller, struct thread *worker)
{
    const struct foreign_call *call = &caller->foreign->call;
    size_t done = 0;
    uint64_t bytes = MIN(call->value, IPC_DATA_MAX);
    if (call->limit < IPC_WORDS)
        bytes = MIN(bytes, arch_syscall_arg(caller, call->limit));
    status_ignore(aspace_copy_in(caller->aspace, NULL, worker->buffer->data,
                                 arch_syscall_arg(caller, call->argument % IPC_WORDS), bytes,
                                 &done));
    return done << IPC_INFO_DATA_SHIFT;
}

uint64_t foreign_deliver(struct thread *caller, struct thread *worker)
{
    for (unsigned i = 0; i < IPC_WORDS; i++)
        arch_ipc_word_set(worker, i, arch_syscall_arg(caller, i));
    switch (worker->buffer == NULL ? FOREIGN_ACTION_FORWARD : caller->foreign->call.action) {
    case FOREIGN_ACTION_COPY:
        return deliver_copy(caller, worker);
    case FOREIGN_ACTION_FRAME:
        return deliver_frame(caller, worker);
    default:
        return 0;
    }
}

/* ── Interruption ────────────────────────────────────────────────────────────────────────────────────────────────── */

void foreign_interrupted(struct thread *self)
{
    __atomic_fetch_and(&self->attention, ~(uint32_t)ATTENTION_INTERRUPT, __ATOMIC_RELAXED);
    self->in_syscall = false;
    if (!raise_call(self, &self->foreign->personality, INFO_KIND(IPC_KIND_INTERRUPTED)))
        process_fault(self, "its personality is gone", 0, PROCESS_FAULTED);
}

/* The bit is set before it is looked whether the thread is in a call; if so it is taken back, and the personality knows where it is. */
status_t sys_thread_interrupt(struct thread *self, struct cap *cap, uint64_t *call)
{
    (void)self;
    struct thread *thread = thread_of(cap->object);
    *call = FOREIGN_NO_CALL;
    thread_set_attention(thread, ATTENTION_INTERRUPT);
    if (!thread_is_foreign(thread))
        return STATUS_OK;
    reply_lock_acquire(&thread->reply);
    if (__atomic_load_n(&thread->wait_class, __ATOMIC_RELAXED) == &raised_wait &&
        info_kind(thread->raised) == IPC_KIND_FOREIGN) {
        *call = (uint32_t)thread->raised;
        __atomic_fetch_and(&thread->attention, ~(uint32_t)ATTENTION_INTERRUPT, __ATOMIC_RELAXED);
    }
    reply_lock_release(&thread->reply);
    return STATUS_OK;
}

/* ── Other address spaces ────────────────────────────────────────────────────────────────────────────────────────── */

status_t sys_thread_set_aspace(struct thread *self, struct cap *cap, struct cap *aspace_cap)
{
    (void)self;
    struct thread *thread = thread_of(cap->object);
    struct process *process = thread->process;
    struct aspace *aspace = aspace_of(aspace_cap->object);
    if (!object_try_ref(&aspace->object))
        return STATUS_BAD_HANDLE;
    process_lock_acquire(&process->lock);
    bool stands =
        __atomic_load_n(&thread->state, __ATOMIC_RELAXED) == THREAD_NEW || thread_has_frame(thread);
    bool alone = stands && process->thread_count == 1;
    struct aspace *old = aspace;
    struct aspace *old_of_process = aspace;
    if (stands) {
        old = thread->aspace;
        thread->aspace = aspace;
    }
    if (alone) {
        object_ref(&aspace->object);
        old_of_process = process->aspace;
        process->aspace = aspace;
    }
    process_lock_release(&process->lock);
    object_unref(&old->object);
    if (alone)
        object_unref(&old_of_process->object);
    return stands ? STATUS_OK : STATUS_BUSY;
}
