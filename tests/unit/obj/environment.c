#include "environment.h"

#include "../../../kernel/ipc/reply.h"

#include <arch.h>
#include <arch_accessors.h>
#include <arch_cpu.h>
#include <endpoint.h>
#include <inject.h>
#include <kmem.h>
#include <mm/aspace.h>
#include <no_trace.h>
#include <one_cpu.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <stop.h>
#include <string.h>

#define THREADS 8

struct environment env;
static struct cpu cpu;
struct cpu *host_cpu = &cpu;
static struct thread *threads[THREADS];
static struct ipc_buffer *buffers[THREADS];
static unsigned thread_count;

void environment_reset(void)
{
    for (unsigned i = 0; i < thread_count; i++) {
        free(threads[i]);
        free(buffers[i]);
    }
    thread_count = 0;
    memset(&env, 0, sizeof(env));
    env.limit = SIZE_MAX;
    env.creates_left = env.converts_left = UINT32_MAX;
    struct budget *root = budget_create_root(1000, 1 << 30, 1900000);

    env.process.object.budget = root;
    env.budget_cap = (struct cap){.object = &root->object, .type = OBJECT_BUDGET};
}

struct thread *environment_thread(void)
{
    struct thread *thread = calloc(1, sizeof(*thread));

    if (thread == NULL || thread_count == THREADS)
        abort();
    thread->process = &env.process;
    thread->buffer = buffers[thread_count] = calloc(1, sizeof(struct ipc_buffer));
    list_init(&thread->wait_link);
    threads[thread_count++] = thread;
    return thread;
}

/* ── Heap and user memory ────────────────────────────────────────────────────────────────────────────────────────── */

void *kmem_alloc(struct budget *budget, size_t bytes)
{
    (void)budget;
    if (env.allocated + bytes > env.limit)
        return NULL;
    env.allocated += bytes;
    return calloc(1, bytes);
}

void kmem_free(struct budget *budget, void *pointer, size_t bytes)
{
    (void)budget;
    env.allocated -= bytes;
    free(pointer);
}

status_t user_copy_in(struct thread *self, void *to, uint64_t address, size_t bytes)
{
    (void)self;
    if (env.user_faults)
        return STATUS_FAULT;
    memcpy(to, (const void *)(uintptr_t)address, bytes);
    return STATUS_OK;
}

status_t user_copy_out(struct thread *self, uint64_t address, const void *from, size_t bytes)
{
    (void)self;
    if (env.user_faults)
        return STATUS_FAULT;
    memcpy((void *)(uintptr_t)address, from, bytes);
    return STATUS_OK;
}

/* ── Objects and capabilities ────────────────────────────────────────────────────────────────────────────────────── */

void object_init(struct object *object, const struct object_ops *ops, struct budget *budget)
{
    object->ops = ops;
    object->refs = 1;
    object->budget = budget;
    if (budget != NULL)
        object_ref(&budget->object);
}

void object_unref(struct object *object)
{
    if (--object->refs == 0)
        object->ops->free(object);
}

status_t cap_create(struct process *process, struct object *object, uint32_t rights,
                    handle_t *handle)
{
    (void)process;
    if (env.creates_left == 0)
        return STATUS_NO_MEMORY;
    env.creates_left--;
    for (unsigned i = 0; i < ENVIRONMENT_CAPS; i++) {
        if (env.caps[i].object != NULL)
            continue;
        env.caps[i] = (struct cap){.object = object,
                                   .type = object->ops->type,
                                   .rights = rights,
                                   .id = i + 1};
        *handle = i + 1;
        return STATUS_OK;
    }
    return STATUS_NO_MEMORY;
}

struct cap *environment_cap(handle_t handle)
{
    return &env.caps[handle - 1];
}

status_t cap_lookup(struct process *process, handle_t handle, uint32_t type, uint32_t rights,
                    struct cap **cap)
{
    (void)process;
    (void)type;
    (void)rights;
    if (handle == 0 || handle > ENVIRONMENT_CAPS || env.caps[handle - 1].object == NULL)
        return STATUS_BAD_HANDLE;
    *cap = &env.caps[handle - 1];
    return STATUS_OK;
}

void cap_close(struct process *process, struct cap *cap)
{
    struct object *object = cap->object;

    (void)process;
    cap->object = NULL;
    object->ops->destroy(object);
    object_unref(object);
}

void environment_close(handle_t handle)
{
    cap_close(&env.process, environment_cap(handle));
}

status_t cap_to_message(struct thread *self, const struct cap_out *out, struct cap **message)
{
    (void)self;
    (void)out;
    if (env.converts_left == 0)
        return STATUS_NO_MEMORY;
    env.converts_left--;
    env.messages++;
    *message = calloc(1, sizeof(**message));
    return STATUS_OK;
}

status_t cap_from_message(struct cap *message, struct process *to, handle_t *handle)
{
    (void)to;
    *handle = 77;
    cap_message_drop(message);
    return STATUS_OK;
}

void cap_message_drop(struct cap *message)
{
    env.messages--;
    free(message);
}

/* ── Threads ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

bool thread_wait_begin(struct thread *self, const struct wait_class *wait_class, void *object,
                       uint64_t deadline_ns)
{
    (void)deadline_ns;
    if (self->attention != 0)
        return false;
    self->wait_object = object;
    self->wait_class = wait_class;
    self->wait_sequence++;
    return true;
}

/* Nobody runs here who could be given way to. */
bool sched_give_way(struct thread *next)
{
    (void)next;
    return false;
}

NORETURN void sched_leave(void)
{
    abort();
}

NORETURN void arch_thread_resume(struct thread *thread)
{
    (void)thread;
    abort();
}

void arch_fpu_switch(struct thread *thread)
{
    (void)thread;
    abort();
}

void arch_aspace_activate(paddr_t root, uint64_t generation)
{
    (void)root;
    (void)generation;
    abort();
}

void thread_wake(struct thread *thread)
{
    (void)thread;
    env.wakes++;
}

void thread_wake_status(struct thread *thread, status_t status)
{
    if (!thread->wait_restarts)
        arch_syscall_status_set(thread, status);
    env.wakes++;
}

const struct wait_class queued_wait = {.name = "call"}; /* nobody waits so */

void caller_left(struct endpoint *endpoint, struct thread *caller)
{
    (void)endpoint;
    (void)caller;
    abort();
}

void endpoint_queue_event(struct endpoint *endpoint, struct queue *queue)
{
    (void)endpoint;
    (void)queue;
    env.endpoint_events++;
}

void endpoint_queue_ended(struct endpoint *endpoint, const struct queue *queue)
{
    (void)endpoint;
    (void)queue;
}

void endpoint_queue_revoked(struct endpoint *endpoint, const struct cap *cap)
{
    (void)endpoint;
    (void)cap;
}

uint64_t arch_time_now_ns(void)
{
    return env.now_ns;
}

void ktimer_arm(struct ktimer *timer, uint64_t deadline_ns, void (*fire)(struct ktimer *, uint64_t))
{
    timer->deadline_ns = deadline_ns;
    timer->fire = fire;
    timer->armed = 1;
    env.timer = timer;
}

bool inject_here(struct thread *current)
{
    (void)current;
    return false;
}

void sched_let_interrupts_in(void)
{
}

bool ktimer_cancel(struct ktimer *timer)
{
    bool armed = timer->armed != 0;
    timer->armed = 0;
    return armed;
}
