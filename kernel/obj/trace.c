/* Traces: what the kernel does, written as events into rings that user space reads.
 *
 * Who traces gives a contiguous Memory. Each CPU has an equal part of it: a struct trace_ring and behind it the events. Only that CPU
 * writes there, in the kernel, where no other writer can come in between; it publishes its head after the event. The reader's tail is
 * whatever user space wrote: it says which events are lost, and nothing else. Nothing is overwritten before it was read.
 *
 * A trace ends with its last capability, so with the process of who made it at the latest. A CPU may be writing then; it has left the kernel
 * when the object is freed, a grace period later, and the Memory with it. A timer that is firing looks after it was armed again whether the
 * trace still is, so it is armed before the end cancels it, or cancels itself.
 *
 * The kernel runs with interrupts off, so a timer never sees it at work. When a sample's time comes there it is taken at the next
 * preemption point, with the kernel's stack, or on the way out: then it names the system call alone. */
#include <arch.h>
#include <arch_accessors.h>
#include <handlers.h>
#include <kstring.h>
#include <ktimer.h>
#include <mm/aspace.h>
#include <mm/memory.h>
#include <mm/phys.h>
#include <process.h>
#include <sched.h>
#include <trace.h>

#include "../mm/pagetable.h"

#define TRACE_RIGHTS (RIGHT_COPY | RIGHT_TRANSFER | RIGHT_REVOKE | RIGHT_INSPECT | RIGHT_MANAGE)
#define SLOT 64u
#define EVENT_WORDS ARRAY_SIZE(((struct trace_event *)0)->words)
#define PERIOD_MIN_NS 100000u
#define PERIOD_MAX_NS 1000000000u
#define RING_SLOTS_MIN 64u
#define STACK_KERNEL 8u
#define STACK_USER 16u

/** A CPU's side of its ring; only it looks here, but for the timer's cancelling. */
struct ring {
    struct trace_ring *shared;
    uint64_t capacity, head, lost;
    uint64_t running; /* the thread that the last SWITCH named */
    struct ktimer timer;
    uint64_t period_ns;     /* of samples; 0: none */
    uint64_t due_ns;        /* of the next one; 0: this CPU has not joined */
    struct thread *entered; /* who is in a system call; NULL: nobody, or the kernel was left */
    uint64_t call, pc, frame;
};

struct trace {
    struct object object;
    struct memory *memory; /* reference; NULL: the root, from which the others are made */
    uint32_t kinds;
    struct ring rings[];
};

_Static_assert(sizeof(struct trace_event) == SLOT && sizeof(struct trace_ring) == SLOT, "a slot");

struct trace *trace_now;

static inline struct trace *trace_of(struct object *object)
{
    return container_of(object, struct trace, object);
}

/* ── Events ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* NULL: nobody traces, or none of @kinds. */
static struct ring *ring_for(uint32_t kinds)
{
    struct trace *trace = __atomic_load_n(&trace_now, __ATOMIC_ACQUIRE);
    return trace == NULL || (trace->kinds & kinds) == 0 ? NULL
                                                        : &trace->rings[arch_cpu_local()->id];
}

/* Room for @count events, or all of them are lost. */
static bool ring_has(struct ring *ring, uint64_t count)
{
    uint64_t tail = __atomic_load_n(&ring->shared->tail, __ATOMIC_ACQUIRE);
    if (ring->head - tail <= ring->capacity && ring->capacity - (ring->head - tail) >= count)
        return true;
    ring->lost += count;
    __atomic_store_n(&ring->shared->lost, ring->lost, __ATOMIC_RELAXED);
    return false;
}

static void ring_write(struct ring *ring, uint32_t kind, const struct thread *thread,
                       const uint64_t *words, uint64_t count)
{
    struct trace_event *events = (struct trace_event *)(void *)(ring->shared + 1);
    struct trace_event *event = &events[ring->head % ring->capacity];
    event->time_ns = arch_time_now_ns();
    event->thread = thread == NULL ? 0 : thread->id;
    event->kind = kind;
    event->cpu = arch_cpu_local()->id;
    memset(event->words, 0, sizeof(event->words));
    memcpy(event->words, words, count * sizeof(*words));
    __atomic_store_n(&ring->shared->head, ++ring->head, __ATOMIC_RELEASE);
}

static bool put(uint32_t kind, const struct thread *thread, const uint64_t *words, uint64_t count)
{
    struct ring *ring = ring_for(kind);
    if (ring == NULL || !ring_has(ring, 1))
        return false;
    ring_write(ring, kind, thread, words, count);
    return true;
}

void trace_record(uint32_t kind, uint64_t first, uint64_t second, uint64_t third)
{
    put(kind, arch_cpu_local()->current, (uint64_t[]){first, second, third}, 3);
}

void trace_process(const struct process *process)
{
    uint64_t words[EVENT_WORDS];
    memcpy(words, process->name, PROCESS_NAME_BYTES);
    words[EVENT_WORDS - 1] = process->object.id;
    put(TRACE_PROCESS, arch_cpu_local()->current, words, EVENT_WORDS);
}

/* Whose call @thread serves. */
static uint64_t served_by(const struct thread *thread)
{
    const struct thread *caller = __atomic_load_n(&thread->current_reply, __ATOMIC_RELAXED);
    return caller == NULL ? 0 : caller->id;
}

/* ── Samples ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The word at @address, if the page tables lead to it: nothing is resolved, and no lock is taken. */
static bool peek(const struct aspace *aspace, uint64_t address, uint64_t *word)
{
    unsigned level;
    pte_t entry = address % sizeof(*word) != 0 || !arch_user_address_is_valid(address)
                      ? 0
                      : pagetable_peek(aspace->root, address, &level);
    if (entry == 0 || (arch_pte_flags(entry) & MAP_READ) == 0 || arch_pte_is_device(entry))
        return false;
    paddr_t at = arch_pte_address(entry) + (address & (arch_pt_span(level) - 1));
    *word = __atomic_load_n((const uint64_t *)phys_to_virt(at), __ATOMIC_RELAXED);
    return true;
}

/* Return addresses of user code that has frame pointers, as far as its stack is there. */
static uint64_t stack_of_user(const struct aspace *aspace, uint64_t pc, uint64_t frame,
                              uint64_t *addresses)
{
    uint64_t count = 0, caller, last;
    addresses[count++] = pc;
    while (count < STACK_USER && peek(aspace, frame + ARCH_FRAME_BASE, &caller) &&
           peek(aspace, frame + ARCH_FRAME_BASE + sizeof(caller), &last) && last != 0) {
        addresses[count++] = last;
        if (caller <= frame)
            break;
        frame = caller;
    }
    return count;
}

/* If the time has come, a sample of @thread with its registers @pc and @frame, in system call number @call - 1 (0: none), and of the
 * kernel's stack if @inside. */
static void sample(struct ring *ring, const struct thread *thread, uint64_t pc, uint64_t frame,
                   uint64_t call, bool inside)
{
    uint64_t stack[STACK_KERNEL + STACK_USER], now_ns = arch_time_now_ns();
    if (ring->period_ns == 0 || now_ns < ring->due_ns)
        return;
    uint64_t periods = (now_ns - ring->due_ns) / ring->period_ns + 1;
    ring->due_ns += periods * ring->period_ns;
    uint64_t kernel = inside ? arch_backtrace(0, stack, STACK_KERNEL) : 0;
    uint64_t user = stack_of_user(thread->aspace, pc, frame, stack + kernel);
    uint64_t parts = (kernel + user + EVENT_WORDS - 1) / EVENT_WORDS;
    if (!ring_has(ring, 1 + parts))
        return;
    ring_write(ring, TRACE_SAMPLE, thread, (uint64_t[]){kernel, user, periods, call}, 4);
    for (uint64_t done = 0; done < kernel + user; done += EVENT_WORDS)
        ring_write(ring, TRACE_STACK, thread, stack + done, MIN(kernel + user - done, EVENT_WORDS));
}

/* What interrupts came in user mode, or where long work in the kernel lets them in. */
static void sample_timer(struct ktimer *timer, uint64_t now_ns);

static void sample_arm(struct ring *ring)
{
    ktimer_arm(&ring->timer, ring->due_ns, sample_timer);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (ring_for(TRACE_SAMPLE) != ring)
        ktimer_cancel(&ring->timer);
}

static void sample_timer(struct ktimer *timer, uint64_t now_ns)
{
    const struct cpu *cpu = arch_cpu_local();
    const struct thread *thread = cpu->current;
    struct ring *ring = ring_for(TRACE_SAMPLE);
    if (ring == NULL || timer != &ring->timer)
        return;
    if (thread == NULL)
        ring->due_ns = MAX(ring->due_ns, now_ns + ring->period_ns); /* it idles */
    else
        sample(ring, thread, thread->context.ARCH_PC, thread->context.ARCH_FRAME,
               ring->entered == NULL ? 0 : ring->call, cpu->lets_in);
    sample_arm(ring);
}

void trace_point(void)
{
    struct ring *ring = ring_for(TRACE_SAMPLE);
    if (ring != NULL && ring->entered != NULL)
        sample(ring, ring->entered, ring->pc, ring->frame, ring->call, true);
}

/* ── Into the kernel and out of it ───────────────────────────────────────────────────────────────────────────────── */

void trace_join(struct cpu *cpu)
{
    struct ring *ring = ring_for(TRACE_ALL);
    cpu->traced = ring != NULL;
    if (ring == NULL || ring->due_ns != 0)
        return;
    ring->due_ns = arch_time_now_ns() + ring->period_ns;
    if (ring->period_ns != 0)
        sample_arm(ring);
}

/* A call that is executed again is one call. */
void trace_call(struct thread *self)
{
    struct ring *ring = ring_for(TRACE_CALL | TRACE_RETURN | TRACE_SAMPLE);
    uint64_t number = arch_syscall_number(self), pc = self->context.ARCH_PC;
    if (ring == NULL) {
        sched_settle_syscall_limit(self);
        return;
    }
    trace_join(arch_cpu_local()); /* it may have been made so on another CPU */
    ring->entered = self;
    ring->call = number + 1;
    ring->pc = pc;
    ring->frame = self->context.ARCH_FRAME;
    if (self->traced_pc != pc)
        put(TRACE_CALL, self,
            (uint64_t[]){number, arch_syscall_arg(self, 0), arch_syscall_arg(self, 1),
                         served_by(self), thread_is_foreign(self)},
            5);
    self->traced_pc = pc;
}

void trace_fault(struct thread *self, uint64_t address, uint32_t access, bool resolved)
{
    struct ring *ring = ring_for(TRACE_SAMPLE);
    put(TRACE_FAULT, self, (uint64_t[]){address, access, resolved}, 3);
    if (ring != NULL && resolved)
        sample(ring, self, self->context.ARCH_PC, self->context.ARCH_FRAME, 0, true);
}

/* Its call is over, unless it is at the instruction of it again. */
static void call_end(struct thread *thread)
{
    uint64_t pc = thread->traced_pc;
    if (pc == 0 || thread->context.ARCH_PC == pc - ARCH_SYSCALL_BYTES)
        return;
    uint64_t result = thread->context.ARCH_STATUS;
    if (thread_is_foreign(thread))
        result = thread->context.ARCH_FOREIGN_RESULT;
    thread->traced_pc = 0;
    put(TRACE_RETURN, thread,
        (uint64_t[]){result, arch_ipc_handle(thread), arch_ipc_info(thread), served_by(thread)}, 4);
}

void trace_leave(struct cpu *cpu, struct thread *thread)
{
    struct ring *ring = ring_for(TRACE_ALL);
    uint64_t id = thread == NULL ? 0 : thread->id;
    cpu->traced = ring != NULL;
    if (ring != NULL) {
        if (ring->entered != NULL)
            sample(ring, ring->entered, ring->pc, ring->frame, ring->call, false);
        ring->entered = NULL;
        if (ring->running != id && put(TRACE_SWITCH, thread, &ring->running, 1))
            ring->running = id;
    }
    if (thread == NULL)
        return;
    if (ring != NULL)
        call_end(thread);
    else
        thread->traced_pc = 0;
    if (ring_for(TRACE_CALL | TRACE_RETURN | TRACE_SAMPLE) == NULL)
        sched_settle_syscall_limit(thread);
    else
        __atomic_store_n(&thread->syscall_limit, 0, __ATOMIC_RELAXED);
}

/* ── The object ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static size_t trace_bytes(const struct trace *trace)
{
    return sizeof(*trace) + (trace->memory == NULL ? 0 : cpu_count * sizeof(struct ring));
}

static void trace_destroy(struct object *object)
{
    struct trace *trace = trace_of(object), *expected = trace;
    if (!__atomic_compare_exchange_n(&trace_now, &expected, NULL, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_RELAXED))
        return;
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* sample_arm() has one: either sees the other */
    for (uint32_t i = 0; i < cpu_count; i++)
        ktimer_cancel(&trace->rings[i].timer);
}

static void trace_free(struct object *object)
{
    struct trace *trace = trace_of(object);
    size_t bytes = trace_bytes(trace);
    if (trace->memory != NULL)
        object_unref(&trace->memory->object);
    object_release(object, bytes);
}

static const struct object_ops trace_ops = {.type = OBJECT_TRACE,
                                            .destroy = trace_destroy,
                                            .free = trace_free};

static void rings_init(struct trace *trace, uint64_t period_ns)
{
    uint64_t slots = (memory_pages(trace->memory) << PAGE_SHIFT) / cpu_count / SLOT;
    struct trace_ring *shared = phys_to_virt(trace->memory->base);
    for (uint32_t i = 0; i < cpu_count; i++, shared += slots) {
        *shared = (struct trace_ring){.events = slots - 1, .cpus = cpu_count};
        trace->rings[i].shared = shared;
        trace->rings[i].capacity = slots - 1;
        trace->rings[i].period_ns = period_ns;
    }
}

/* Every CPU joins, this one at once. BUSY: there is a trace. */
static status_t trace_begin(struct trace *trace)
{
    struct cpu *here = arch_cpu_local();
    struct trace *none = NULL;
    if (!__atomic_compare_exchange_n(&trace_now, &none, trace, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_RELAXED))
        return STATUS_BUSY;
    trace_join(here);
    for (uint32_t i = 0; i < cpu_count; i++)
        if (cpus[i] != here && cpu_is_online(cpus[i]))
            arch_ipi_send(i);
    return STATUS_OK;
}

status_t sys_trace_start(struct thread *self, struct cap *root, struct cap *budget,
                         struct cap *memory_cap, uint32_t kinds, uint64_t period_ns,
                         handle_t *handle)
{
    struct memory *memory = memory_of(memory_cap->object);
    if (trace_of(root->object)->memory != NULL || memory->kind != MEMORY_KIND_CONTIGUOUS)
        return STATUS_WRONG_TYPE;
    if (kinds == 0 || ((kinds & TRACE_SAMPLE) != 0) != (period_ns != 0) ||
        (period_ns != 0 && (period_ns < PERIOD_MIN_NS || period_ns > PERIOD_MAX_NS)))
        return STATUS_INVALID;
    if ((memory_pages(memory) << PAGE_SHIFT) / cpu_count / SLOT < RING_SLOTS_MIN)
        return STATUS_RANGE;
    if (__atomic_load_n(&trace_now, __ATOMIC_RELAXED) != NULL)
        return STATUS_BUSY;
    if (!object_try_ref(&memory->object))
        return STATUS_BAD_HANDLE;
    struct trace *trace =
        object_allocate(budget, sizeof(*trace) + cpu_count * sizeof(struct ring), &trace_ops);
    if (trace == NULL) {
        object_unref(&memory->object);
        return STATUS_NO_MEMORY;
    }
    trace->memory = memory;
    trace->kinds = kinds | ((kinds & TRACE_SAMPLE) != 0 ? TRACE_STACK : 0);
    rings_init(trace, period_ns);
    status_t status = trace_begin(trace);
    if (!status_is_ok(status)) {
        object_unref(&trace->object);
        return status;
    }
    status = cap_create(self->process, &trace->object, TRACE_RIGHTS, handle);
    if (!status_is_ok(status)) {
        trace_destroy(&trace->object);
        object_unref(&trace->object);
    }
    return status;
}

status_t trace_create_root(struct process *process, struct budget *budget, handle_t *handle)
{
    struct trace *root = kmem_alloc(budget, sizeof(*root));
    if (root == NULL)
        return STATUS_NO_MEMORY;
    object_init(&root->object, &trace_ops, budget);
    return object_publish(process, &root->object, TRACE_RIGHTS, handle);
}
