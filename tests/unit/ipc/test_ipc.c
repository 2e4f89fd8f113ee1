/* Calls and receives that meet, on another CPU, the end or the revocation of what they have just looked up: whoever comes second finds out,
 * and nobody is left waiting at something that is gone. */
#include "environment.h"

#include <budget.h>
#include <endpoint.h>
#include <handlers.h>
#include <mm/aspace.h>
#include <queue.h>
#include <stdio.h>
#include <string.h>

static int failures, tests;
static bool good;

#define CHECK(condition) ((condition) ? (void)0 : check_failed(__LINE__, #condition))

static void check_failed(int line, const char *condition)
{
    good = false;
    printf("# line %d: %s\n", line, condition);
}

static struct budget budget;
static struct process process;
static struct thread worker, owner;
static struct cap *budget_cap, *endpoint_cap, *derived_cap, *queue_cap;
static struct endpoint *endpoint;
static struct queue *queue;

static struct cap *cap_of(handle_t handle)
{
    struct cap *cap = NULL;
    CHECK(cap_lookup(&process, handle, OBJECT_NONE, 0, &cap) == STATUS_OK);
    return cap;
}

static void thread_init(struct thread *thread)
{
    memset(thread, 0, sizeof(*thread));
    thread->process = &process;
    thread->fpu_cpu = UINT32_MAX;
    thread->derive_deadline_ns = DEADLINE_NEVER;
    thread->affinity[0] = ~0ull;
    list_init(&thread->wait_link);
    list_init(&thread->call_link);
}

/* An endpoint with a capability derived from its first, and a queue. */
static void set_up(void)
{
    handle_t handle = 0;
    environment_reset();
    memset(&process, 0, sizeof(process));
    memset(&budget, 0, sizeof(budget));
    budget.object.refs = 1;
    process.object.budget = &budget;
    process.object.refs = 1;
    list_init(&process.saved);
    cap_table_init(&process);
    thread_init(&worker);
    thread_init(&owner);
    static const struct object_ops budget_ops = {.type = OBJECT_BUDGET};
    static struct cap spend;
    budget.object.ops = &budget_ops;
    spend = (struct cap){.object = &budget.object, .type = OBJECT_BUDGET};
    budget_cap = &spend;
    CHECK(sys_endpoint_create(&owner, budget_cap, &handle) == STATUS_OK);
    endpoint_cap = cap_of(handle);
    endpoint = endpoint_of(endpoint_cap->object);
    CHECK(sys_cap_derive(&owner, endpoint_cap, endpoint_cap->rights, 0, &handle) == STATUS_OK);
    derived_cap = cap_of(handle);
    CHECK(sys_queue_create(&owner, budget_cap, &handle) == STATUS_OK);
    queue_cap = cap_of(handle);
    queue = queue_of(queue_cap->object);
}

/* Nothing is left but the budget. */
static void tear_down(const char *name)
{
    uint32_t cursor = 0;
    while (!cap_table_destroy_step(&process, &cursor, 64))
        continue;
    cap_table_free(&process);
    environment_grace_period();
    CHECK(environment_allocated == 0 && budget.object.refs == 1);
    tests++;
    failures += !good;
    printf("%sok %d - %s\n", good ? "" : "not ", tests, name);
    good = true;
}

static status_t receive(struct cap *from, const struct cap *with)
{
    worker.context.handle = from->handle;
    worker.context.queue = with == NULL ? 0 : with->handle;
    worker.context.deadline = DEADLINE_NEVER;
    return raw_endpoint_receive(&worker);
}

static bool worker_waits(void) NO_THREAD_SAFETY
{
    return worker.wait_class != NULL || !list_is_empty(&endpoint->home.workers);
}

static bool woken_with(status_t status)
{
    return worker.wait_class == NULL && environment_wakes == 1 &&
           (int32_t)(uint32_t)worker.context.status == status_code(status);
}

static void close_endpoint(void)
{
    cap_close(&process, derived_cap);
    cap_close(&process, endpoint_cap);
}

static void close_queue(void)
{
    cap_close(&process, queue_cap);
}

static void revoke_endpoint(void)
{
    CHECK(sys_cap_revoke(&owner, endpoint_cap) == KERNEL_DONE);
    while (owner.continuation != NULL)
        owner.continuation(&owner);
}

static void test_receive_meets_the_end_of_its_endpoint(void)
{
    set_up();
    environment_other_holds(&endpoint->home.lock, close_endpoint);
    CHECK(receive(endpoint_cap, NULL) == STATUS_GONE && environment_other_is_done());
    CHECK(!worker_waits() && environment_wakes == 0);
    tear_down("test_receive_meets_the_end_of_its_endpoint");
}

static void test_receive_meets_its_revocation(void)
{
    set_up();
    environment_other_holds(&endpoint->home.lock, revoke_endpoint);
    CHECK(receive(derived_cap, NULL) == STATUS_BAD_HANDLE && environment_other_is_done());
    CHECK(!worker_waits() && environment_wakes == 0);
    tear_down("test_receive_meets_its_revocation");
}

static void test_receive_is_revoked_while_it_waits(void)
{
    set_up();
    CHECK(receive(derived_cap, NULL) == KERNEL_BLOCKED && worker_waits());
    revoke_endpoint();
    CHECK(woken_with(STATUS_BAD_HANDLE) && !worker_waits());
    tear_down("test_receive_is_revoked_while_it_waits");
}

static void test_receive_meets_the_end_of_its_queue(void)
{
    set_up();
    environment_other_holds(&queue->lock, close_queue);
    CHECK(receive(endpoint_cap, queue_cap) == STATUS_GONE && environment_other_is_done());
    CHECK(!worker_waits());
    close_endpoint();
    environment_grace_period(); /* the endpoint is gone: nobody holds it */
    tear_down("test_receive_meets_the_end_of_its_queue");
    set_up();
    CHECK(receive(endpoint_cap, queue_cap) == KERNEL_BLOCKED);
    CHECK(thread_cancel_wait(&worker, STATUS_INTERRUPTED));
    environment_other_holds(&endpoint->home.lock, close_queue);
    CHECK(receive(endpoint_cap, queue_cap) == STATUS_BAD_HANDLE && environment_other_is_done());
    CHECK(!worker_waits());
    tear_down("test_receive_meets_the_end_of_its_queue_later");
}

static void test_receive_loses_its_queue_while_it_waits(void)
{
    set_up();
    CHECK(receive(endpoint_cap, queue_cap) == KERNEL_BLOCKED && worker_waits());
    close_queue();
    CHECK(woken_with(STATUS_GONE) && !worker_waits());
    tear_down("test_receive_loses_its_queue_while_it_waits");
    handle_t handle = 0;
    set_up();
    CHECK(sys_cap_derive(&owner, queue_cap, queue_cap->rights, 0, &handle) == STATUS_OK);
    CHECK(receive(endpoint_cap, cap_of(handle)) == KERNEL_BLOCKED && worker_waits());
    CHECK(sys_cap_revoke(&owner, queue_cap) == KERNEL_DONE);
    while (owner.continuation != NULL)
        owner.continuation(&owner);
    CHECK(woken_with(STATUS_BAD_HANDLE) && !worker_waits());
    tear_down("test_receive_loses_its_queue_by_revocation_while_it_waits");
}

/* Who cancels has looked at the wait's class; by now the thread waits on another kind of thing, or on nothing. */
static bool nothing_cancel(struct thread *thread, uint64_t sequence)
{
    (void)thread;
    (void)sequence;
    return false;
}

static void test_wait_cancel_comes_late(void)
{
    static const struct wait_class nothing = {.name = "nothing", .cancel = nothing_cancel};
    set_up();
    CHECK(receive(endpoint_cap, NULL) == KERNEL_BLOCKED);
    const struct wait_class *seen = worker.wait_class;
    uint64_t sequence = worker.wait_sequence;
    CHECK(!wait_cancel(&worker, seen, sequence + 1) && wait_cancel(&worker, seen, sequence));
    CHECK(thread_wait_begin(&worker, &nothing, NULL, DEADLINE_NEVER));
    CHECK(!wait_cancel(&worker, seen, sequence) &&
          !wait_cancel(&worker, seen, worker.wait_sequence));
    thread_wait_end(&worker);
    struct event event;
    CHECK(sys_queue_wait(&worker, queue_cap, DEADLINE_NEVER, &event) == KERNEL_BLOCKED);
    CHECK(!wait_cancel(&worker, seen, sequence) &&
          !wait_cancel(&worker, seen, worker.wait_sequence));
    CHECK(thread_cancel_wait(&worker, STATUS_INTERRUPTED) && !worker_waits());
    tear_down("test_wait_cancel_comes_late");
}

/* ── Many who wait ───────────────────────────────────────────────────────────────────────────────────────────────── */

#define CROWD 200u

static struct thread crowd[CROWD];
static struct aspace space;
static struct cap *other_cap;

static status_t call_through(struct thread *caller, const struct cap *cap)
{
    caller->context.handle = cap->handle;
    caller->context.info = 0;
    caller->context.deadline = DEADLINE_NEVER;
    return raw_endpoint_call(caller);
}

static bool is_wanted(unsigned i)
{
    return i % 3 == 0;
}

/* Each third came through derived_cap, the others through other_cap. */
static void gather(void)
{
    handle_t handle = 0;
    CHECK(sys_cap_derive(&owner, endpoint_cap, endpoint_cap->rights, 0, &handle) == STATUS_OK);
    other_cap = cap_of(handle);
    for (unsigned i = 0; i < CROWD; i++) {
        thread_init(&crowd[i]);
        CHECK(call_through(&crowd[i], is_wanted(i) ? derived_cap : other_cap) == KERNEL_BLOCKED);
    }
}

static bool has_status(const struct thread *thread, status_t status)
{
    return thread->wait_class == NULL && thread->state == THREAD_READY &&
           (int32_t)(uint32_t)thread->context.status == status_code(status);
}

static unsigned with_status(status_t status)
{
    unsigned count = 0;
    for (unsigned i = 0; i < CROWD; i++)
        count += has_status(&crowd[i], status);
    return count;
}

/* All of the queue's, in the order in which they came. */
static unsigned queued_in_order(void) NO_THREAD_SAFETY
{
    unsigned count = 0;
    const struct thread *last = NULL;
    list_for_each (node, &endpoint->callers) {
        const struct thread *thread = list_entry(node, struct thread, wait_link);
        CHECK(thread->wait_class != NULL && (last == NULL || last < thread));
        last = thread;
        count++;
    }
    return count;
}

static void test_end_wakes_all(void)
{
    set_up();
    gather();
    cap_close(&process, other_cap);
    close_endpoint();
    CHECK(with_status(STATUS_PEER_DIED) == CROWD && environment_wakes == CROWD);
    CHECK(environment_windows >= CROWD);
    tear_down("test_end_wakes_all");
}

static void test_revocation_finds_its_own_among_many(void)
{
    unsigned wanted = 0;
    set_up();
    gather();
    for (unsigned i = 0; i < CROWD; i++)
        wanted += is_wanted(i);
    __atomic_store_n(&derived_cap->dead, true, __ATOMIC_SEQ_CST);
    endpoint_cancel_cap(endpoint, derived_cap);
    CHECK(with_status(STATUS_BAD_HANDLE) == wanted && environment_wakes == wanted);
    CHECK(queued_in_order() == CROWD - wanted && environment_windows >= wanted);
    __atomic_store_n(&derived_cap->dead, false, __ATOMIC_SEQ_CST);
    cap_close(&process, other_cap);
    close_endpoint();
    CHECK(with_status(STATUS_PEER_DIED) == CROWD - wanted);
    tear_down("test_revocation_finds_its_own_among_many");
}

static unsigned listed(const struct cap *cap) NO_THREAD_SAFETY
{
    unsigned count = 0;
    list_for_each (node, &cap->callers)
        count++;
    return count;
}

/* The handle is closed and its node freed: who is queued through it stays so, off its list, and leaves when and how he likes. */
static void test_queued_callers_outlive_their_capability(void) NO_THREAD_SAFETY
{
    set_up();
    gather();
    CHECK(listed(other_cap) == CROWD - listed(derived_cap));
    int32_t refs = (int32_t)endpoint->object.refs;
    cap_close(&process, other_cap);
    environment_grace_period();
    CHECK((int32_t)endpoint->object.refs == refs - 1 && queued_in_order() == CROWD);
    for (unsigned i = 0; i < CROWD; i++)
        if (i % 3 == 1)
            CHECK(thread_cancel_wait(&crowd[i], STATUS_TIMED_OUT) &&
                  list_is_empty(&crowd[i].call_link));
    for (unsigned i = 1; i < 5; i++) { /* what is gone has no mark on them */
        CHECK(receive(endpoint_cap, NULL) == KERNEL_DONE);
        CHECK(thread_cancel_wait(worker.current_reply, STATUS_TIMED_OUT));
    }
    close_endpoint();
    for (unsigned i = 0; i < CROWD; i++)
        CHECK(crowd[i].wait_class == NULL && list_is_empty(&crowd[i].call_link));
    CHECK(environment_wakes == CROWD);
    tear_down("test_queued_callers_outlive_their_capability");
}

static void first_gives_up(void)
{
    CHECK(thread_cancel_wait(&crowd[0], STATUS_TIMED_OUT));
}

static void first_calls_again(void)
{
    first_gives_up();
    thread_init(&crowd[0]);
    crowd[0].wait_sequence = 1000; /* as it would have gone on to */
    CHECK(call_through(&crowd[0], endpoint_cap) == KERNEL_BLOCKED);
}

/* What the crowd queued through is revoked, and as its callers are about to be ended another CPU does @meanwhile to the first. */
static void revoke_meanwhile(void (*meanwhile)(void))
{
    unsigned wanted = 0;
    for (unsigned i = 0; i < CROWD; i++)
        wanted += is_wanted(i);
    set_up();
    gather();
    environment_other_holds(&endpoint->home.lock, meanwhile);
    __atomic_store_n(&derived_cap->dead, true, __ATOMIC_SEQ_CST);
    endpoint_cancel_cap(endpoint, derived_cap);
    CHECK(environment_other_is_done() && listed(derived_cap) == 0);
    CHECK(with_status(STATUS_BAD_HANDLE) == wanted - 1);
}

static void end_meanwhile(const char *name)
{
    __atomic_store_n(&derived_cap->dead, false, __ATOMIC_SEQ_CST);
    cap_close(&process, other_cap);
    close_endpoint();
    tear_down(name);
}

/* A caller that a revocation is about to end gives up on another CPU. */
static void test_revocation_meets_the_end_of_a_call(void)
{
    revoke_meanwhile(first_gives_up);
    CHECK(has_status(&crowd[0], STATUS_TIMED_OUT));
    end_meanwhile("test_revocation_meets_the_end_of_a_call");
}

/* Or has, and is queued again through what is not revoked. */
static void test_revocation_spares_a_later_call(void)
{
    revoke_meanwhile(first_calls_again);
    CHECK(crowd[0].wait_class != NULL && listed(endpoint_cap) == 1);
    end_meanwhile("test_revocation_spares_a_later_call");
}

static status_t session_make(void)
{
    handle_t handle = 0;
    status_t status =
        sys_cap_derive(&owner, endpoint_cap, RIGHT_CALL, IPC_BADGE_SESSION | 7, &handle);
    other_cap = cap_of(handle);
    return status;
}

static void new_session_calls(void)
{
    environment_interrupt = NULL;
    thread_init(&owner);
    CHECK(session_make() == STATUS_OK && call_through(&owner, other_cap) == KERNEL_BLOCKED);
}

/* Who calls through a session of the new epoch while the old one's callers are sent away is none of those. */
static void test_new_epoch_spares_its_own_sessions(void)
{
    set_up();
    CHECK(session_make() == STATUS_OK);
    for (unsigned i = 0; i < CROWD; i++) {
        thread_init(&crowd[i]);
        CHECK(call_through(&crowd[i], other_cap) == KERNEL_BLOCKED);
    }
    environment_interrupt = new_session_calls;
    CHECK(sys_endpoint_new_epoch(&worker, endpoint_cap) == STATUS_OK);
    CHECK(environment_interrupt == NULL && with_status(STATUS_STALE) == CROWD);
    CHECK(queued_in_order() == 1 && owner.wait_class != NULL);
    CHECK(thread_cancel_wait(&owner, STATUS_INTERRUPTED));
    tear_down("test_new_epoch_spares_its_own_sessions");
}

static void test_futex_wakes_as_many_as_asked(void)
{
    const uint64_t address = 0x10000;
    uint32_t woken = 0;
    set_up();
    owner.aspace = &space;
    for (unsigned i = 0; i < CROWD; i++) {
        thread_init(&crowd[i]);
        crowd[i].aspace = &space;
        CHECK(sys_thread_futex_wait(&crowd[i], address, 0, DEADLINE_NEVER) == KERNEL_BLOCKED);
    }
    CHECK(sys_thread_futex_wake(&owner, address + 4, CROWD, &woken) == STATUS_OK && woken == 0);
    CHECK(sys_thread_futex_wake(&owner, address, 1, &woken) == STATUS_OK && woken == 1);
    CHECK(has_status(&crowd[0], STATUS_OK) && environment_wakes == 1);
    CHECK(sys_thread_futex_wake(&owner, address, CROWD - 11, &woken) == STATUS_OK);
    CHECK(woken == CROWD - 11 && environment_wakes == CROWD - 10);
    CHECK(with_status(STATUS_OK) == CROWD - 10 && environment_windows >= CROWD - 10);
    CHECK(sys_thread_futex_wake(&owner, address, UINT32_MAX, &woken) == STATUS_OK && woken == 10);
    CHECK(with_status(STATUS_OK) == CROWD);
    tear_down("test_futex_wakes_as_many_as_asked");
}

/* ── Granted buffers ─────────────────────────────────────────────────────────────────────────────────────────────── */

static unsigned copies;

static void call_cannot_end(void) NO_THREAD_SAFETY
{
    copies++;
    CHECK(owner.reply.held != 0 && owner.reply_worker == &worker);
}

/* The caller's buffers are the server's for the call: what ends it waits for the copy, and finds no second one. */
static void test_call_ends_after_the_copy(void) NO_THREAD_SAFETY
{
    static struct ipc_buffer buffer;
    uint64_t done = 0;
    set_up();
    environment_during_copy = call_cannot_end;
    copies = 0;
    CHECK(receive(endpoint_cap, NULL) == KERNEL_BLOCKED);
    buffer.grants[0] = (struct grant){4096, 512, RIGHT_READ | RIGHT_WRITE, 0};
    owner.buffer = &buffer;
    owner.context.handle = endpoint_cap->handle;
    owner.context.info = UINT64_C(1) << IPC_INFO_GRANTS_SHIFT;
    owner.context.deadline = DEADLINE_NEVER;
    CHECK(raw_endpoint_call(&owner) == KERNEL_BLOCKED);
    CHECK(sys_endpoint_reply_write(&worker, 0, 0, 0, (struct user_in){8192, 512}, &done) ==
              STATUS_OK &&
          done == 512);
    CHECK(sys_endpoint_reply_read(&worker, 0, 0, 0, (struct user_out){8192, 512}, &done) ==
              STATUS_OK &&
          done == 512 && copies == 2 && owner.reply.held == 0);
    CHECK(thread_cancel_wait(&owner, STATUS_TIMED_OUT));
    CHECK(sys_endpoint_reply_write(&worker, 0, 0, 0, (struct user_in){8192, 512}, &done) ==
              STATUS_NOT_FOUND &&
          copies == 2);
    tear_down("test_call_ends_after_the_copy");
}

/* ── Saved replies ───────────────────────────────────────────────────────────────────────────────────────────────── */

#define COOKIE (IPC_BADGE_SESSION | 0xc00c1e)

static uint64_t saved_token;

/* The call of owner is accepted by worker, which has saved its reply with a notice. */
static void save(void)
{
    set_up();
    environment_thread = &owner;
    CHECK(receive(endpoint_cap, NULL) == KERNEL_BLOCKED);
    CHECK(call_through(&owner, endpoint_cap) == KERNEL_BLOCKED);
    CHECK(sys_endpoint_reply_save(&worker, endpoint_cap->handle, COOKIE, &saved_token) ==
          STATUS_OK);
}

static status_t answer_saved(void)
{
    worker.context.handle = saved_token;
    worker.context.info = 0;
    return raw_endpoint_reply(&worker);
}

static void answer_elsewhere(void)
{
    CHECK(answer_saved() == STATUS_OK);
}

static void caller_gives_up(void)
{
    CHECK(thread_cancel_wait(&owner, STATUS_TIMED_OUT));
}

static bool has_notice(const struct thread *thread)
{
    return thread->context.handle == COOKIE &&
           (thread->context.info >> IPC_INFO_KIND_SHIFT & IPC_INFO_KIND_MASK) == IPC_KIND_GONE;
}

/* Nobody waits after that, whatever came. */
static bool is_told(void)
{
    bool told = receive(endpoint_cap, NULL) == KERNEL_DONE && has_notice(&worker);
    return !thread_cancel_wait(&worker, STATUS_INTERRUPTED) && told;
}

static bool is_told_nothing(void)
{
    bool waits = receive(endpoint_cap, NULL) == KERNEL_BLOCKED;
    return waits && thread_cancel_wait(&worker, STATUS_INTERRUPTED);
}

/* Who comes first to the caller's lock settles whether the server is told, or its answer taken. */
static void test_gone_meets_the_answer(void) NO_THREAD_SAFETY
{
    save();
    environment_other_holds(&owner.reply, caller_gives_up);
    CHECK(answer_saved() == STATUS_GONE && environment_other_is_done());
    CHECK(is_told() && answer_saved() == STATUS_GONE && is_told_nothing());
    tear_down("test_gone_meets_the_answer");
    save();
    environment_other_holds(&owner.reply, answer_elsewhere);
    CHECK(!thread_cancel_wait(&owner, STATUS_TIMED_OUT) && environment_other_is_done());
    CHECK(has_status(&owner, STATUS_OK) && is_told_nothing());
    tear_down("test_answer_meets_the_end_of_its_caller");
}

static void begin_epoch(void)
{
    CHECK(sys_endpoint_new_epoch(&crowd[0], endpoint_cap) == STATUS_OK);
}

/* It waits for who receives, or is handed to who waits; and the end of its epoch, or of the endpoint, takes it away wherever it is. */
static void test_gone_is_of_its_epoch(void)
{
    save();
    CHECK(receive(endpoint_cap, NULL) == KERNEL_BLOCKED);
    caller_gives_up();
    CHECK(!thread_cancel_wait(&worker, STATUS_INTERRUPTED) && has_notice(&worker));
    CHECK(is_told_nothing());
    tear_down("test_gone_finds_a_worker");
    save();
    begin_epoch();
    caller_gives_up();
    CHECK(is_told_nothing());
    tear_down("test_gone_after_its_epoch");
    save();
    caller_gives_up();
    begin_epoch();
    CHECK(is_told_nothing());
    tear_down("test_gone_loses_its_epoch");
    save();
    environment_other_holds(&endpoint->home.lock, begin_epoch);
    caller_gives_up();
    CHECK(environment_other_is_done() && is_told_nothing());
    tear_down("test_gone_meets_the_end_of_its_epoch");
    save();
    environment_other_holds(&endpoint->home.lock, close_endpoint);
    caller_gives_up();
    CHECK(environment_other_is_done());
    tear_down("test_gone_meets_the_end_of_its_endpoint");
}

/* The server's process ends: its callers are told, and nobody of them. */
static void test_gone_ends_with_its_server(void)
{
    save();
    ipc_process_died(&process);
    CHECK(has_status(&owner, STATUS_PEER_DIED) && is_told_nothing());
    tear_down("test_gone_ends_with_its_server");
}

/* A save that fails has changed nothing. */
static void test_save_fails_without_memory(void)
{
    set_up();
    environment_thread = &owner;
    CHECK(sys_endpoint_reply_save(&worker, endpoint_cap->handle, 1, &saved_token) ==
          STATUS_NOT_FOUND);
    CHECK(receive(endpoint_cap, NULL) == KERNEL_BLOCKED);
    CHECK(call_through(&owner, endpoint_cap) == KERNEL_BLOCKED);
    environment_without_memory = true;
    CHECK(sys_endpoint_reply_save(&worker, endpoint_cap->handle, 1, &saved_token) ==
          STATUS_NO_MEMORY);
    CHECK(worker.current_reply == &owner && list_is_empty(&process.saved));
    CHECK(sys_endpoint_reply_save(&worker, queue_cap->handle, 1, &saved_token) ==
          STATUS_WRONG_TYPE);
    CHECK(sys_endpoint_reply_save(&worker, 0, 1, &saved_token) == STATUS_OK);
    caller_gives_up();
    CHECK(is_told_nothing() && answer_saved() == STATUS_GONE);
    tear_down("test_save_fails_without_memory");
}

/* The caller gives up while its reply is being saved. */
static void test_save_meets_the_end_of_its_caller(void) NO_THREAD_SAFETY
{
    set_up();
    CHECK(receive(endpoint_cap, NULL) == KERNEL_BLOCKED);
    CHECK(call_through(&owner, endpoint_cap) == KERNEL_BLOCKED);
    environment_other_holds(&owner.reply, caller_gives_up);
    CHECK(sys_endpoint_reply_save(&worker, endpoint_cap->handle, 1, &saved_token) ==
          STATUS_NOT_FOUND);
    CHECK(environment_other_is_done() && is_told_nothing());
    tear_down("test_save_meets_the_end_of_its_caller");
}

/* ── Capabilities on their way ───────────────────────────────────────────────────────────────────────────────────────── */

/* It waits in a call that nobody accepts, and its object is long gone when that ends. */
static void test_message_outlives_its_object(void)
{
    struct cap *message = NULL;
    set_up();
    struct cap_out out = {.handle = endpoint_cap->handle,
                          .mode = CAP_TRANSFER_DERIVE,
                          .rights = RIGHT_CALL};
    CHECK(cap_to_message(&worker, &out, &message) == STATUS_OK);
    revoke_endpoint();
    cap_close(&process, endpoint_cap);
    environment_grace_period();
    cap_message_drop(message);
    tear_down("test_message_outlives_its_object");
    handle_t handle = 0;
    set_up();
    out.handle = endpoint_cap->handle;
    CHECK(cap_to_message(&worker, &out, &message) == STATUS_OK);
    revoke_endpoint();
    cap_close(&process, endpoint_cap);
    environment_grace_period();
    CHECK(cap_from_message(message, &process, &handle) == STATUS_GONE);
    tear_down("test_message_arrives_after_its_object");
}

/* The revocation has the node, and frees it: it is no message. */
static void test_message_meets_its_revocation(void)
{
    struct cap *message = NULL;
    set_up();
    struct cap_out out = {.handle = derived_cap->handle, .mode = CAP_TRANSFER_MOVE};
    environment_other_holds(&endpoint->object.lock, revoke_endpoint);
    CHECK(cap_to_message(&worker, &out, &message) == STATUS_BAD_HANDLE && message == NULL);
    CHECK(environment_other_is_done());
    tear_down("test_message_meets_its_revocation");
}

/* ── Processes ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void aspace_ends(struct object *object)
{
    (void)object;
}

static struct cap *child_cap;

static void close_child(void)
{
    cap_close(&process, child_cap);
}

/* Bound afterwards its queue would have a reference that nobody drops. */
static void test_process_bind_meets_its_end(void)
{
    static const struct object_ops aspace_ops = {.type = OBJECT_ASPACE,
                                                 .destroy = aspace_ends,
                                                 .free = aspace_ends};
    handle_t handle = 0;
    set_up();
    object_init(&space.object, &aspace_ops, &budget);
    struct cap space_cap = {.object = &space.object, .type = OBJECT_ASPACE};
    CHECK(sys_process_create(&owner, budget_cap, &space_cap,
                             (struct user_in){(uintptr_t)"child", 5}, &handle) == STATUS_OK);
    child_cap = cap_of(handle);
    environment_other_holds(&process_of(child_cap->object)->lock, close_child);
    CHECK(sys_process_bind(&worker, child_cap, queue_cap, 7) == STATUS_BAD_HANDLE);
    CHECK(environment_other_is_done());
    object_unref(&budget.object); /* the address space's, which is no allocation */
    tear_down("test_process_bind_meets_its_end");
}

/* ── Timers ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static struct ktimer timer;
static unsigned fired;

static void fire(struct ktimer *which, uint64_t now_ns)
{
    (void)now_ns;
    fired += which == &timer;
}

static void arm_elsewhere(void)
{
    ktimer_arm(&timer, 3000, fire);
}

static unsigned heaps_of_timer(void) NO_THREAD_SAFETY
{
    return (cpus[0]->timers.root == &timer) + (cpus[1]->timers.root == &timer);
}

/* Two CPUs arm one timer, as who takes a periodic timer's event and who sets it may: it is in one heap, and fires once. */
static void test_ktimer_is_armed_twice_at_once(void)
{
    set_up();
    fired = 0;
    environment_other_holds(&cpus[0]->timers.lock, arm_elsewhere);
    ktimer_arm(&timer, 2000, fire);
    CHECK(environment_other_is_done() && heaps_of_timer() == 1 && timer.deadline_ns == 2000);
    CHECK(ktimer_cancel(&timer) && heaps_of_timer() == 0 && !ktimer_cancel(&timer));
    ktimer_arm(&timer, 2000, fire);
    environment_now_ns = 4000;
    ktimer_interrupt();
    ktimer_interrupt();
    CHECK(fired == 1 && heaps_of_timer() == 0 && timer.armed == 0);
    tear_down("test_ktimer_is_armed_twice_at_once");
}

#define TIMERS 1000u

static struct ktimer timers[TIMERS];
static unsigned fired_each[TIMERS];
static uint64_t fired_last_ns;

static void fire_one(struct ktimer *which, uint64_t now_ns)
{
    CHECK(which->deadline_ns <= now_ns && which->deadline_ns >= fired_last_ns);
    fired_last_ns = which->deadline_ns;
    fired_each[which - timers]++;
    fired++;
}

/* Many at one moment: some fire in each interrupt, and the next comes at once. */
static void test_ktimers_of_one_moment_fire_by_and_by(void)
{
    unsigned interrupts_taken = 0;
    set_up();
    fired = 0;
    fired_last_ns = 0;
    memset(fired_each, 0, sizeof(fired_each));
    for (unsigned i = 0; i < TIMERS; i++)
        ktimer_arm(&timers[i], 5000, fire_one);
    environment_now_ns = 5000;
    while (fired < TIMERS && cpus[0]->timers.armed_ns <= environment_now_ns) {
        unsigned before = fired;
        ktimer_interrupt();
        interrupts_taken++;
        CHECK(fired > before && fired - before <= 16);
    }
    for (unsigned i = 0; i < TIMERS; i++)
        CHECK(fired_each[i] == 1 && timers[i].armed == 0);
    CHECK(interrupts_taken >= TIMERS / 16 && cpus[0]->timers.armed_ns == DEADLINE_NEVER);
    tear_down("test_ktimers_of_one_moment_fire_by_and_by");
}

static unsigned heap_check(const struct ktimer *node, const struct ktimer *parent)
{
    if (node == NULL)
        return 0;
    unsigned left = node->child[0] == NULL ? 0 : node->child[0]->rank;
    unsigned right = node->child[1] == NULL ? 0 : node->child[1]->rank;
    CHECK(node->parent == parent && left >= right && node->rank == right + 1);
    CHECK(parent == NULL || parent->deadline_ns <= node->deadline_ns);
    return 1 + heap_check(node->child[0], node) + heap_check(node->child[1], node);
}

/* Armed, armed anew, cancelled and fired in any order: the heap keeps its shape, and each fires once, in time. */
static void test_ktimer_heap_keeps_its_shape(void) NO_THREAD_SAFETY
{
    uint32_t random = 1;
    unsigned armed = 0, expected = 0;
    set_up();
    fired = 0;
    fired_last_ns = 0;
    for (unsigned round = 0; round < 20000; round++) {
        random = random * 1664525 + 1013904223;
        struct ktimer *one = &timers[(random >> 8) % TIMERS];
        bool was = one->armed != 0;
        if (random >> 30 == 0) {
            CHECK(ktimer_cancel(one) == was);
            armed -= was;
        } else if (random >> 30 == 1 && round % 16 == 0) {
            unsigned before = fired;
            environment_now_ns += random % 1000;
            ktimer_interrupt();
            armed -= fired - before;
            expected += fired - before;
            fired_last_ns = 0;
        } else {
            ktimer_arm(one, environment_now_ns + (random >> 4) % 4096, fire_one);
            armed += !was;
        }
        if (round % 100 == 0)
            CHECK(heap_check(cpus[0]->timers.root, NULL) == armed);
    }
    for (unsigned i = 0; i < TIMERS; i++)
        armed -= ktimer_cancel(&timers[i]);
    CHECK(armed == 0 && fired == expected && fired > 100 && cpus[0]->timers.root == NULL);
    tear_down("test_ktimer_heap_keeps_its_shape");
}

int main(void)
{
    good = true;
    test_receive_meets_the_end_of_its_endpoint();
    test_receive_meets_its_revocation();
    test_receive_is_revoked_while_it_waits();
    test_receive_meets_the_end_of_its_queue();
    test_receive_loses_its_queue_while_it_waits();
    test_wait_cancel_comes_late();
    test_end_wakes_all();
    test_revocation_finds_its_own_among_many();
    test_queued_callers_outlive_their_capability();
    test_revocation_meets_the_end_of_a_call();
    test_revocation_spares_a_later_call();
    test_new_epoch_spares_its_own_sessions();
    test_futex_wakes_as_many_as_asked();
    test_call_ends_after_the_copy();
    test_gone_meets_the_answer();
    test_gone_is_of_its_epoch();
    test_gone_ends_with_its_server();
    test_save_fails_without_memory();
    test_save_meets_the_end_of_its_caller();
    test_message_outlives_its_object();
    test_message_meets_its_revocation();
    test_process_bind_meets_its_end();
    test_ktimer_is_armed_twice_at_once();
    test_ktimers_of_one_moment_fire_by_and_by();
    test_ktimer_heap_keeps_its_shape();
    printf("1..%d\n", tests);
    return failures != 0;
}
