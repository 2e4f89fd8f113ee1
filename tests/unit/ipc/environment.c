#include "environment.h"

#include "../../../kernel/ipc/reply.h"

#include <arch.h>
#include <arch_accessors.h>
#include <arch_cpu.h>
#include <budget.h>
#include <grace_period.h>
#include <inject.h>
#include <kmem.h>
#include <mm/aspace.h>
#include <mm/memory.h>
#include <mm/phys.h>
#include <random.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <stop.h>
#include <string.h>

static struct cpu cpu, other;
struct cpu *host_cpu = &cpu;
struct cpu *cpus[CPU_MAX] = {&cpu, &other};
uint32_t cpu_count = 2;
size_t environment_allocated;
unsigned environment_wakes;
uint64_t environment_now_ns;
static struct spinlock *held;
static void (*meanwhile)(void);

void environment_reset(void)
{
    memset(&cpu, 0, sizeof(cpu));
    memset(&other, 0, sizeof(other));
    other.id = 1;
    cpu.timers.armed_ns = other.timers.armed_ns = DEADLINE_NEVER;
    environment_allocated = 0;
    environment_wakes = 0;
    environment_now_ns = 1000;
    environment_interrupt = NULL;
    environment_windows = 0;
    environment_without_memory = false;
    environment_thread = NULL;
}

/* ── The other CPU ───────────────────────────────────────────────────────────────────────────────────────────────── */

void environment_other_holds(struct spinlock *lock, void (*what)(void))
{
    lock->held = 1;
    held = lock;
    meanwhile = what;
}

bool environment_other_is_done(void)
{
    return held == NULL;
}

void spinlock_wait(struct spinlock *lock)
{
    if (lock != held)
        panic("a lock is held when it should be free: %p", (void *)lock);
    held = NULL;
    lock->held = 0;
    host_cpu = &other;
    meanwhile();
    host_cpu = &cpu;
    if (lock->held != 0)
        panic("the other CPU has kept a lock: %p", (void *)lock);
    lock->held = 1;
}

/* ── Heap and grace periods ──────────────────────────────────────────────────────────────────────────────────────── */

bool environment_without_memory;

void *kmem_alloc(struct budget *budget, size_t bytes)
{
    (void)budget;
    if (environment_without_memory)
        return NULL;
    environment_allocated += bytes;
    return calloc(1, bytes);
}

size_t kmem_charge(size_t bytes)
{
    return bytes;
}

void kmem_free(struct budget *budget, void *pointer, size_t bytes)
{
    (void)budget;
    environment_allocated -= bytes;
    free(pointer);
}

status_t budget_charge_kmem(struct budget *budget, uint64_t bytes)
{
    (void)budget;
    (void)bytes;
    return STATUS_OK;
}

void budget_uncharge_kmem(struct budget *budget, uint64_t bytes)
{
    (void)budget;
    (void)bytes;
}

bool budget_is_below(const struct budget *budget, const struct budget *ancestor)
{
    return budget == ancestor;
}

void environment_grace_period(void)
{
    callbacks_run();
}

/* ── Threads ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

void environment_continue(struct thread *self)
{
    while (self->continuation != NULL)
        self->continuation(self);
    environment_grace_period();
}

void thread_wake(struct thread *thread)
{
    thread->state = THREAD_READY;
    environment_wakes++;
}

void thread_wake_status(struct thread *thread, status_t status)
{
    if (!thread->wait_restarts)
        arch_syscall_status_set(thread, status);
    thread_wake(thread);
}

void thread_die(struct thread *self)
{
    (void)self;
    abort(); /* nobody is killed */
}

struct thread *environment_thread;

struct thread *thread_by_index(uint32_t index)
{
    return index == 0 ? environment_thread : NULL;
}

void sched_forget_current(void)
{
    host_cpu->current = NULL;
}

void sched_requeue_ready(struct thread *thread)
{
    (void)thread; /* nobody runs here */
}

void sched_yield_current(void)
{
}

bool sched_should_yield(void)
{
    return false;
}

bool sched_look_at_move(struct thread *thread)
{
    (void)__atomic_exchange_n(&thread->moved, false, __ATOMIC_ACQUIRE);
    return false;
}

void (*environment_interrupt)(void);
unsigned environment_windows;

bool inject_here(struct thread *current)
{
    (void)current;
    return false;
}

void sched_let_interrupts_in(void)
{
    environment_windows++;
    if (host_cpu->held_count != 0)
        panic("interrupts come in while a lock is held");
    if (environment_interrupt != NULL)
        environment_interrupt();
}

void arch_print_registers(const struct thread *thread, void (*pause)(void))
{
    (void)pause;
    (void)thread;
}

void random_bytes(void *buffer, size_t bytes)
{
    memset(buffer, 1, bytes);
}

uint64_t arch_time_now_ns(void)
{
    return environment_now_ns;
}

void arch_timer_arm(uint64_t deadline_ns)
{
    (void)deadline_ns;
}

void arch_ipi_send(uint32_t id)
{
    (void)id;
}

void arch_fpu_save(struct thread *thread)
{
    (void)thread;
    abort(); /* nobody uses it */
}

/* ── User memory: nothing here has any, but copies are told  ───────────────────────────────────────────────────────────────────────────── */

/* The only page of user memory, at any address. */
static unsigned char page[PAGE_SIZE];
unsigned char *host_ram = page;

status_t aspace_frame(struct aspace *aspace, struct thread *self, uint64_t address, uint32_t access,
                      paddr_t *frame)
{
    (void)aspace;
    (void)self;
    (void)address;
    (void)access;
    *frame = 0;
    return STATUS_OK;
}

status_t memory_page(struct memory *memory, struct thread *self, uint64_t index, bool write,
                     paddr_t *frame)
{
    (void)memory;
    (void)self;
    (void)index;
    (void)write;
    (void)frame;
    return STATUS_RANGE;
}

void (*environment_during_copy)(void);

status_t aspace_copy(struct aspace *to, uint64_t to_address, struct aspace *from,
                     uint64_t from_address, size_t bytes, size_t *copied)
{
    (void)to;
    (void)to_address;
    (void)from;
    (void)from_address;
    environment_during_copy();
    *copied = bytes;
    return STATUS_OK;
}

status_t aspace_copy_in(struct aspace *aspace, struct thread *self, void *to, uint64_t address,
                        size_t bytes, size_t *copied)
{
    (void)aspace;
    (void)self;
    (void)to;
    (void)address;
    (void)bytes;
    (void)copied;
    return STATUS_FAULT;
}

status_t aspace_copy_out(struct aspace *aspace, struct thread *self, uint64_t address,
                         const void *from, size_t bytes, size_t *copied)
{
    (void)aspace;
    (void)self;
    (void)address;
    (void)from;
    (void)bytes;
    (void)copied;
    return STATUS_FAULT;
}

status_t user_copy_in(struct thread *self, void *to, uint64_t address, size_t bytes)
{
    (void)self;
    memcpy(to, (const void *)(uintptr_t)address, bytes);
    return STATUS_OK;
}

/* No thread of these tests is foreign. */

uint64_t foreign_deliver(struct thread *caller, struct thread *worker)
{
    (void)caller;
    (void)worker;
    abort();
}

const struct raise_target *foreign_personality(const struct thread *thread)
{
    (void)thread;
    abort();
}

void foreign_interrupted(struct thread *self)
{
    (void)self;
    abort();
}

void raise_page_fault(struct thread *self, uint64_t address, uint32_t access)
{
    (void)self;
    (void)address;
    (void)access;
    abort();
}

bool sched_account(struct cpu *of)
{
    (void)of;
    return false;
}

void klog(const char *format, ...)
{
    (void)format;
}

status_t aspace_age(struct aspace *aspace, uint64_t *start, struct page_use *use)
{
    (void)aspace;
    (void)start;
    (void)use;
    return STATUS_NOT_FOUND;
}

status_t memory_flush_end(struct thread *self)
{
    (void)self;
    return KERNEL_DONE;
}
