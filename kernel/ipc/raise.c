/* Calls that the kernel makes in a thread's name.
 *
 * An exception that nothing resolves becomes a call on an endpoint: of the debugger that overrides the thread, else of its process; else it
 * ends the process. Such a call is like any other (endpoint.c) but for four things. Its message is made of what the thread was about when
 * somebody accepts it, so the frame stays as it was. It waits as another wait_class, which tells the two apart where it matters: an answer
 * of one kind never reaches a caller of the other. It has no status to come back with, so what is cancelled while it is queued is just
 * executed again, and finds its way anew. And when it has been accepted only an answer ends it, or the thread's end: if who owes it is
 * gone, the process ends, or, if that was a debugger, the thread executes again what it was about.
 * An endpoint is named by a reference: that does not keep it from ending, and an endpoint that has ended is as good as none. */
#include "arch.h"
#include "arch_accessors.h"
#include "handlers.h"
#include "kstring.h"
#include "reply.h"
#include "sched.h"
#include "waiters.h"

static bool raised_cancel(struct thread *thread, uint64_t sequence);

static bool raised_queued_cancel(struct thread *thread, uint64_t sequence);

const struct wait_class raised_queued_wait = {.name = "raise",
                                              WAIT_CLASS_LOCK(endpoint, home.lock, endpoint_lock),
                                              .cancel = raised_queued_cancel};
const struct wait_class raised_wait = {.name = "answer", .cancel = raised_cancel};

static bool is_killed(const struct thread *thread)
{
    return (__atomic_load_n(&thread->attention, __ATOMIC_SEQ_CST) & ATTENTION_KILL) != 0;
}

static COLD bool raised_queued_cancel(struct thread *thread, uint64_t sequence)
{
    return caller_cancel(thread, &raised_queued_wait, sequence);
}

static bool raised_cancel(struct thread *thread, uint64_t sequence)
{
    return is_killed(thread) && answer_cancel_class(thread, sequence, &raised_wait);
}

/* ── Where to ────────────────────────────────────────────────────────────────────────────────────────────────────── */

status_t raise_target_init(struct raise_target *target, struct cap *endpoint, uint64_t cookie)
{
    if (!object_try_ref(endpoint->object))
        return STATUS_BAD_HANDLE;
    target->endpoint = endpoint_of(endpoint->object);
    target->cookie = cookie;
    target->epoch = __atomic_load_n(&target->endpoint->home.epoch, __ATOMIC_ACQUIRE);
    return STATUS_OK;
}

status_t raise_target_set(struct thread *self, struct process *process, struct raise_target *target,
                          handle_t handle, uint64_t cookie)
{
    struct raise_target new = {0};
    if (handle != 0) {
        struct cap *cap;
        status_t status = cap_lookup(self->process, handle, OBJECT_ENDPOINT, RIGHT_MANAGE, &cap);
        if (status != STATUS_OK)
            return status;
        status = raise_target_init(&new, cap, cookie);
        if (status != STATUS_OK)
            return status;
    }
    process_lock_acquire(&process->lock);
    struct raise_target old = *target;
    *target = new;
    process_lock_release(&process->lock);
    raise_target_drop(&old);
    return STATUS_OK;
}

void raise_target_drop(struct raise_target *target)
{
    if (target->endpoint != NULL)
        object_unref(&target->endpoint->object);
}

status_t sys_process_set_exception(struct thread *self, struct cap *cap, handle_t endpoint,
                                   uint64_t cookie) NO_THREAD_SAFETY
{
    struct process *process = process_of(cap->object);
    return raise_target_set(self, process, &process->exception, endpoint, cookie);
}

status_t sys_thread_set_exception(struct thread *self, struct cap *cap, handle_t endpoint,
                                  uint64_t cookie)
{
    struct thread *thread = thread_of(cap->object);
    return raise_target_set(self, thread->process, &thread->debugger, endpoint, cookie);
}

/* ── The call ────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Once each: they are long. */
__attribute__((noinline)) void thread_frame_get(const struct thread *thread,
                                                struct thread_regs *regs)
{
    arch_regs_get(thread, regs);
}

__attribute__((noinline)) status_t thread_frame_set(struct thread *thread,
                                                    const struct thread_regs *regs)
{
    return arch_regs_set(thread, regs);
}

uint64_t deliver_frame(struct thread *caller, struct thread *worker)
{
    if (worker->buffer == NULL)
        return 0;
    thread_frame_get(caller, (struct thread_regs *)(void *)worker->buffer->data);
    return sizeof(struct thread_regs) << IPC_INFO_DATA_SHIFT;
}

static uint64_t exception_deliver(struct thread *caller, struct thread *worker)
{
    for (unsigned i = 0; i < IPC_WORDS; i++)
        arch_ipc_word_set(worker, i,
                          i < ARRAY_SIZE(caller->raised_words) ? caller->raised_words[i] : 0);
    return deliver_frame(caller, worker);
}

void raised_accept(struct thread *caller, struct thread *worker)
{
    uint64_t info = caller->raised;
    if (likely(info_kind(info) == IPC_KIND_FOREIGN))
        info |= foreign_deliver(caller, worker);
    else
        info |= exception_deliver(caller, worker);
    arch_ipc_set(worker, STATUS_OK, caller->call_badge, info);
    reply_link(caller, worker);
}

bool raise_is_accepted(const struct thread *thread)
{
    return __atomic_load_n(&thread->wait_class, __ATOMIC_SEQ_CST) == &raised_wait;
}

void raised_await(struct thread *caller)
{
    uint64_t sequence = caller->wait_sequence;
    __atomic_store_n(&caller->wait_class, &raised_wait, __ATOMIC_SEQ_CST);
    if (unlikely(is_killed(caller)) && raised_cancel(caller, sequence))
        thread_wake(caller);
}

bool raise_call(struct thread *self, const struct raise_target *target, uint64_t info)
{
    struct endpoint *endpoint = target->endpoint;
    self->raised = info;
    self->raised_to = endpoint;
    self->call_badge = target->cookie;
    self->call_cap_id = 0;
    self->call_deadline_ns = DEADLINE_NEVER;
    self->wait_restarts = true;
    struct thread *worker = worker_here(endpoint, true, target->epoch);
    if (worker == NULL) {
        endpoint_lock_acquire(&endpoint->home.lock);
        if (unlikely(endpoint->dead || endpoint->home.epoch != target->epoch)) {
            endpoint_lock_release(&endpoint->home.lock);
            return false;
        }
        worker = worker_find(endpoint);
        if (unlikely(worker == NULL)) {
            /* If attention is pending it is seen to first, and what led here executed again. */
            status_ignore(caller_queue(self, endpoint, NULL, &raised_queued_wait));
            return true;
        }
        endpoint_lock_release(&endpoint->home.lock);
    }
    (void)sched_account(arch_cpu_local());
    raised_accept(self, worker);
    add_owned(&self->wait_sequence, 1);
    __atomic_store_n(&self->state, THREAD_WAITING, __ATOMIC_RELAXED);
    raised_await(self); /* from here on it may be cancelled, and run elsewhere */
    sched_handoff(worker);
    return true;
}

void raise_exception(struct thread *self, uint32_t exception, const char *what,
                     const uint64_t words[3])
{
    struct process *process = self->process;
    process_lock_acquire(&process->lock); /* the endpoints stay until we leave the kernel */
    struct raise_target targets[] = {self->debugger, process->exception};
    process_lock_release(&process->lock);
    if (self->foreign != NULL)
        targets[1] = *foreign_personality(self);
    memcpy(self->raised_words, words, sizeof(self->raised_words));
    for (unsigned i = 0; i < ARRAY_SIZE(targets); i++) {
        if (targets[i].endpoint == NULL ||
            !raise_call(self, &targets[i], INFO_KIND(IPC_KIND_EXCEPTION) | exception))
            continue;
        return;
    }
    bool memory = words[2] == (uint64_t)PROCESS_WITHOUT_MEMORY;
    process_fault(self, what, words[0], memory ? PROCESS_WITHOUT_MEMORY : PROCESS_FAULTED);
}

/* ── The answer ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool awaits(const struct thread *self, struct thread *caller, uint64_t token)
    REQUIRES(reply_lock)
{
    return __atomic_load_n(&caller->wait_class, __ATOMIC_RELAXED) == &raised_wait &&
           reply_is_owed(self, caller, token);
}

static void fault_in(struct thread *self)
{
    self->continuation = NULL;
    raise_page_fault(self, self->raised_words[0], (uint32_t)self->raised_words[1]);
}

static void result_set(const struct thread *self, struct thread *caller)
{
    arch_foreign_result_set(caller, arch_ipc_word(self, 0));
    arch_syscall_skip(caller);
}

/* The result of a foreign call, and the worker's data to where it belongs. */
static status_t answer_value(const struct thread *self, struct thread *caller, uint64_t info)
{
    uint64_t bytes = info_data(info);
    status_t status = STATUS_OK;
    if (info_kind(caller->raised) != IPC_KIND_FOREIGN)
        return STATUS_INVALID;
    if (unlikely(bytes != 0)) {
        if (self->buffer == NULL || bytes > FOREIGN_VALUE_MAX)
            return STATUS_INVALID;
        status = aspace_copy_out(caller->aspace, NULL, arch_ipc_word(self, 1), self->buffer->data,
                                 bytes, NULL);
    }
    if (status == STATUS_OK)
        result_set(self, caller);
    return status == STATUS_BUSY ? STATUS_FAULT : status;
}

/* The same with a part of a Memory. */
static __attribute__((noinline)) status_t answer_memory(struct thread *self, struct thread *caller)
{
    uint64_t bytes = arch_ipc_word(self, 4);
    uint64_t done = 0;
    struct cap *cap;
    if (info_kind(caller->raised) != IPC_KIND_FOREIGN)
        return STATUS_INVALID;
    status_t status =
        cap_lookup(self->process, arch_ipc_word(self, 2), OBJECT_MEMORY, RIGHT_READ, &cap);
    if (status == STATUS_OK)
        status = reply_copy_memory(memory_of(cap->object), arch_ipc_word(self, 3), caller->aspace,
                                   arch_ipc_word(self, 1), bytes, true, &done);
    if (status == STATUS_OK && done != bytes)
        status = STATUS_FAULT;
    if (status == STATUS_OK)
        result_set(self, caller);
    return status;
}

static __attribute__((noinline)) status_t answer_frame(const struct thread *self,
                                                       struct thread *caller, uint64_t info)
{
    struct thread_regs regs;
    if (self->buffer == NULL || info_data(info) != sizeof(regs))
        return STATUS_INVALID;
    memcpy(&regs, self->buffer->data, sizeof(regs));
    return thread_frame_set(caller, &regs);
}

static status_t answer_fault_in(const struct thread *self, struct thread *caller)
{
    uint64_t access = arch_ipc_word(self, 1);
    if (access != MAP_READ && access != MAP_WRITE && access != MAP_EXECUTE)
        return STATUS_INVALID;
    caller->raised_words[0] = arch_ipc_word(self, 0);
    caller->raised_words[1] = access;
    caller->continuation = fault_in;
    return STATUS_OK;
}

/* What the answer changes in @caller, which still waits. */
static status_t answer_apply(struct thread *self, struct thread *caller, uint64_t info)
{
    switch ((uint32_t)info) {
    case ANSWER_VALUE:
        return answer_value(self, caller, info);
    case ANSWER_MEMORY:
        return answer_memory(self, caller);
    case ANSWER_RESTART:
    case ANSWER_KILL:
        return STATUS_OK;
    case ANSWER_FRAME:
        return answer_frame(self, caller, info);
    case ANSWER_EXIT:
        caller->continuation = thread_die;
        return STATUS_OK;
    case ANSWER_FAULT_IN:
        return answer_fault_in(self, caller);
    default:
        return STATUS_INVALID;
    }
}

status_t raised_answer(struct thread *self, uint64_t token, uint64_t info, struct thread **out)
{
    struct thread *caller = reply_find(self, token);
    *out = NULL;
    if (caller == NULL)
        return STATUS_GONE;
    reply_lock_acquire(&caller->reply);
    bool owed = awaits(self, caller, token);
    status_t status = owed ? answer_apply(self, caller, info) : STATUS_GONE;
    if (status == STATUS_OK) {
        (void)sched_account(arch_cpu_local()); /* while it is known for whom we worked */
        reply_take(caller, false);
        *out = caller;
    }
    reply_lock_release(&caller->reply);
    if (status != STATUS_OK)
        return status;
    if (token == 0)
        level_served(self);
    if ((uint32_t)info == ANSWER_KILL)
        process_kill(caller->process, (int64_t)arch_ipc_word(self, 0));
    return STATUS_OK;
}

void raised_abandoned(struct thread *caller)
{
    if (caller->raised_to != caller->debugger.endpoint)
        process_fault(caller, "no answer to its call", caller->raised, PROCESS_FAULTED);
    thread_wake(caller);
}

void raised_abandon(struct thread *worker, struct thread *caller)
{
    reply_lock_acquire(&caller->reply);
    bool ours = awaits(worker, caller, 0);
    if (ours)
        reply_take(caller, false);
    reply_lock_release(&caller->reply);
    if (ours)
        raised_abandoned(caller);
}
