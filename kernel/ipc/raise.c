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

static bool raised_queued_cancel(struct thread *thread, uint64_t sequence);
static bool raised_cancel(struct thread *thread, uint64_t sequence);

const struct wait_class raised_queued_wait = {.name = "raise", .cancel = raised_queued_cancel};
const struct wait_class raised_wait = {.name = "answer", .cancel = raised_cancel};

static bool raised_queued_cancel(struct thread *thread, uint64_t sequence)
{
    return queued_cancel_class(thread, sequence, &raised_queued_wait);
}

static bool is_killed(const struct thread *thread)
{
    return (__atomic_load_n(&thread->attention, __ATOMIC_SEQ_CST) & ATTENTION_KILL) != 0;
}

static bool raised_cancel(struct thread *thread, uint64_t sequence)
{
    return is_killed(thread) && answer_cancel_class(thread, sequence, &raised_wait);
}

/* ── Where to ────────────────────────────────────────────────────────────────────────────────────────────────────── */

status_t raise_target_set(struct thread *self, struct process *process, struct raise_target *target,
                          handle_t handle, uint64_t cookie)
{
    struct raise_target new = {.cookie = cookie};
    if (handle != 0) {
        struct cap *cap;
        status_t status = cap_lookup(self->process, handle, OBJECT_ENDPOINT, RIGHT_MANAGE, &cap);
        if (status != STATUS_OK)
            return status;
        if (!object_try_ref(cap->object))
            return STATUS_BAD_HANDLE;
        new.endpoint = endpoint_of(cap->object);
        new.epoch = __atomic_load_n(&new.endpoint->epoch, __ATOMIC_ACQUIRE);
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

/* The registers as message data of @worker, and what everybody looks at in the last words: the info word's part. */
static uint64_t deliver_frame(struct thread *caller, struct thread *worker)
{
    struct thread_regs regs;
    arch_regs_get(caller, &regs);
    arch_ipc_word_set(worker, 3, regs.pc);
    arch_ipc_word_set(worker, 4, regs.sp);
    arch_ipc_word_set(worker, 5, 0);
    if (worker->buffer == NULL)
        return 0;
    memcpy(worker->buffer->data, &regs, sizeof(regs));
    return sizeof(regs) << IPC_INFO_DATA_SHIFT;
}

void raised_accept(struct thread *caller, struct thread *worker)
{
    uint64_t info = caller->raised;
    for (unsigned i = 0; i < ARRAY_SIZE(caller->raised_words); i++)
        arch_ipc_word_set(worker, i, caller->raised_words[i]);
    info |= deliver_frame(caller, worker);
    arch_ipc_set(worker, STATUS_OK, caller->call_badge, info);
    reply_link(caller, worker);
}

void raised_await(struct thread *caller)
{
    uint64_t sequence = caller->wait_sequence;
    __atomic_store_n(&caller->wait_class, &raised_wait, __ATOMIC_SEQ_CST);
    if (unlikely(is_killed(caller)) && raised_cancel(caller, sequence))
        thread_wake(caller);
}

/* Nobody waits: queue. If attention is pending it is seen to first, and what led here executed again. */
static void raise_queue(struct thread *self, struct endpoint *endpoint) RELEASE(endpoint_lock)
{
    list_push_back(&endpoint->callers, &self->wait_link);
    bool waits = thread_wait_begin(self, &raised_queued_wait, endpoint, DEADLINE_NEVER);
    if (!waits)
        list_remove(&self->wait_link);
    endpoint_lock_release(&endpoint->lock);
    if (waits)
        sched_forget_current();
}

/* Call @target in the name of @self, the current thread. False: there is nobody any more. */
static bool raise(struct thread *self, const struct raise_target *target, uint64_t info)
{
    struct endpoint *endpoint = target->endpoint;
    self->raised = info;
    self->call_badge = target->cookie;
    self->call_cap_id = 0;
    self->call_sequence++;
    self->call_deadline_ns = DEADLINE_NEVER;
    self->wait_restarts = true;
    endpoint_lock_acquire(&endpoint->lock);
    if (unlikely(endpoint->dead || endpoint->epoch != target->epoch)) {
        endpoint_lock_release(&endpoint->lock);
        return false;
    }
    struct list *node = list_first(&endpoint->workers);
    if (unlikely(node == NULL)) {
        raise_queue(self, endpoint);
        return true;
    }
    struct thread *worker = list_entry(node, struct thread, wait_link);
    list_remove(node);
    thread_wait_end(worker);
    endpoint_lock_release(&endpoint->lock);
    raised_accept(self, worker);
    self->wait_sequence++;
    self->state = THREAD_WAITING;
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
    memcpy(self->raised_words, words, sizeof(self->raised_words));
    for (unsigned i = 0; i < ARRAY_SIZE(targets); i++) {
        self->raised_to_debugger = i == 0;
        if (targets[i].endpoint != NULL &&
            raise(self, &targets[i], INFO_KIND(IPC_KIND_EXCEPTION) | exception))
            return;
    }
    process_fault(self, what, words[0]);
}

/* ── The answer ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool awaits(const struct thread *self, struct thread *caller, uint64_t token)
    REQUIRES(reply_lock)
{
    return caller->wait_class == &raised_wait && reply_is_owed(self, caller, token);
}

/* What the answer changes in @caller, which still waits. */
static status_t answer_apply(struct thread *self, struct thread *caller, uint64_t info)
{
    struct thread_regs regs;
    switch ((uint32_t)info) {
    case ANSWER_RESTART:
        return STATUS_OK;
    case ANSWER_FRAME:
        if (self->buffer == NULL || info_data(info) != sizeof(regs))
            return STATUS_INVALID;
        memcpy(&regs, self->buffer->data, sizeof(regs));
        return arch_regs_set(caller, &regs);
    case ANSWER_EXIT:
        caller->continuation = thread_die;
        return STATUS_OK;
    case ANSWER_KILL:
        return STATUS_OK;
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
    status_t status = awaits(self, caller, token) ? answer_apply(self, caller, info) : STATUS_GONE;
    if (status == STATUS_OK) {
        reply_unlink(caller);
        thread_wait_end(caller);
        *out = caller;
    }
    reply_lock_release(&caller->reply);
    if (status != STATUS_OK)
        return status;
    if (token == 0)
        self->effective = self->priority;
    if ((uint32_t)info == ANSWER_KILL)
        process_kill(caller->process, (int64_t)arch_ipc_word(self, 0));
    return STATUS_OK;
}

void raised_abandoned(struct thread *caller)
{
    if (!caller->raised_to_debugger)
        process_fault(caller, "no answer to its exception", caller->raised_words[0]);
    thread_wake(caller);
}

void raised_abandon(struct thread *worker, struct thread *caller)
{
    reply_lock_acquire(&caller->reply);
    bool ours = awaits(worker, caller, 0);
    if (ours) {
        reply_unlink(caller);
        thread_wait_end(caller);
    }
    reply_lock_release(&caller->reply);
    if (ours)
        raised_abandoned(caller);
}
