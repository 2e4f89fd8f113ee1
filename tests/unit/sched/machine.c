#include "machine.h"

#include <arch.h>
#include <mm/aspace.h>
#include <mm/kernelmap.h>
#include <mm/phys.h>
#include <no_trace.h>
#include <one_cpu.h>
#include <process.h>
#include <sched.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <stop.h>
#include <string.h>

#define ACTORS 64u

static struct cpu machine_cpus[8];
static struct aspace aspace;
static struct process process;
static struct actor actors[ACTORS];
static unsigned actor_count;
static bool interrupted[8];
static jmp_buf *out; /* of who leaves last: an idle CPU lets others leave meanwhile */
static void (*idle_event)(void);
struct cpu *host_cpu;
uint64_t machine_now_ns, machine_interrupts[CPU_MAX];
uint32_t machine_waker;
paddr_t kernelmap_root;

/* ── What the scheduler needs of the rest of the kernel ──────────────────────────────────────────────────────────── */

uint64_t arch_time_now_ns(void)
{
    return machine_now_ns;
}

/* As kernel/sched/trap.c has it. */
void trap_ipi(void)
{
    host_cpu->resched = true;
    host_cpu->rcu_due = true;
}

void arch_timer_arm(uint64_t deadline_ns)
{
    (void)deadline_ns; /* timers.armed_ns says it */
}

void arch_ipi_send(uint32_t id)
{
    interrupted[id] = true;
}

bool arch_irq_pending(void)
{
    return false;
}

void level_follow(struct thread *thread)
{
    sched_requeue_ready(thread); /* nobody calls anybody here */
}

/* Nothing is mapped. */
void frames_unmaps_see(struct cpu *cpu)
{
    (void)cpu;
}

void frames_unmaps_pass(struct cpu *cpu)
{
    (void)cpu;
}

void blocks_catch_up(struct cpu *cpu)
{
    (void)cpu;
}

void arch_irq_window(void)
{
}

void arch_cpu_idle(void)
{
    void (*event)(void) = idle_event;
    struct cpu *cpu = host_cpu;
    if (event == NULL)
        longjmp(*out, 1);
    idle_event = NULL;
    event();
    host_cpu = cpu;
    if (!interrupted[cpu->id])
        panic("an idle CPU goes on without an interrupt");
    interrupted[cpu->id] = false;
    machine_interrupts[cpu->id]++;
    sched_interrupt_begin();
    trap_ipi();
}

NORETURN void arch_thread_resume(struct thread *thread)
{
    struct actor *actor = container_of(thread, struct actor, thread);
    if (!actor->runs) {
        uint64_t delay_ns = machine_now_ns - actor->ready_ns;
        actor->delay_ns = MAX(actor->delay_ns, delay_ns);
        actor->runs = true;
        actor->since_ns = machine_now_ns;
    }
    longjmp(*out, 1);
}

void arch_fpu_save(struct thread *thread)
{
    (void)thread;
}

void arch_fpu_switch(struct thread *thread)
{
    (void)thread;
}

void arch_aspace_activate(paddr_t root, uint64_t generation)
{
    (void)root;
    (void)generation;
}

void aspace_deactivate(struct cpu *cpu)
{
    cpu->aspace = NULL;
}

void thread_die(struct thread *self)
{
    (void)self;
}

bool raise_is_accepted(const struct thread *thread)
{
    (void)thread;
    return false;
}

void foreign_interrupted(struct thread *thread)
{
    (void)thread;
}

/* ── Events ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool sleep_cancel(struct thread *thread, uint64_t sequence)
{
    (void)thread;
    (void)sequence;
    return false;
}

static const struct wait_class sleep_class = {.name = "sleep", .cancel = sleep_cancel};

/* @cpu leaves the kernel, for a thread or to idle; who does not run any more is ready since now, unless it waits. */
static void leave(struct cpu *cpu)
{
    struct actor *before =
        cpu->current == NULL ? NULL : container_of(cpu->current, struct actor, thread);
    jmp_buf here, *outer = out;
    host_cpu = cpu;
    if (cpu->current == NULL)
        cpu->last_clock_ns = machine_now_ns; /* as where an interrupt out of idling returns to */
    out = &here;
    if (setjmp(here) == 0)
        sched_leave();
    out = outer;
    if (before != NULL && cpu->current != &before->thread && before->runs) {
        before->runs = false;
        before->ready_ns = machine_now_ns;
        before->stretch_ns = MAX(before->stretch_ns, machine_now_ns - before->since_ns);
    }
}

/* Time passes for who runs. */
static void pass(uint64_t ns)
{
    for (uint32_t i = 0; i < cpu_count; i++) {
        if (cpus[i]->current == NULL)
            continue;
        struct actor *actor = container_of(cpus[i]->current, struct actor, thread);
        actor->ran_ns += ns;
        actor->all_ns += ns;
        if (actor->compute_ns != 0)
            actor->left_ns -= ns;
    }
    machine_now_ns += ns;
}

static void interrupt(struct cpu *cpu, bool timer)
{
    host_cpu = cpu;
    machine_interrupts[cpu->id]++;
    sched_interrupt_begin();
    if (timer)
        ktimer_interrupt();
    else
        trap_ipi();
    leave(cpu);
}

void machine_while_idle(void (*event)(void))
{
    idle_event = event;
}

void machine_interrupt(uint32_t id)
{
    if (!interrupted[id])
        panic("nobody has interrupted that CPU");
    interrupted[id] = false;
    interrupt(cpus[id], false);
}

void machine_wake(uint32_t id, struct actor *actor)
{
    host_cpu = cpus[id];
    actor->waits = false;
    actor->left_ns = actor->compute_ns;
    actor->ready_ns = machine_now_ns;
    thread_wait_end(&actor->thread);
    thread_wake(&actor->thread);
}

/* When something happens next. */
static uint64_t next_event(uint64_t until_ns)
{
    for (uint32_t i = 0; i < cpu_count; i++) {
        until_ns = MIN(until_ns, MAX(cpus[i]->timers.armed_ns, machine_now_ns));
        if (cpus[i]->current == NULL)
            continue;
        struct actor *actor = container_of(cpus[i]->current, struct actor, thread);
        if (actor->compute_ns != 0)
            until_ns = MIN(until_ns, machine_now_ns + actor->left_ns);
    }
    for (unsigned i = 0; i < actor_count; i++)
        if (actors[i].waits)
            until_ns = MIN(until_ns, actors[i].wakes_ns);
    return until_ns;
}

static void begin_wait(struct cpu *cpu, struct actor *actor)
{
    host_cpu = cpu;
    thread_wait_uncancellable(&actor->thread, &sleep_class);
    sched_forget_current();
    actor->runs = false;
    actor->waits = true;
    actor->wakes_ns = machine_now_ns + actor->wait_ns;
    leave(cpu);
}

/* A device of the first CPU wakes it. */
static void end_wait(struct actor *actor)
{
    host_cpu = cpus[0];
    machine_interrupts[0]++;
    sched_interrupt_begin();
    machine_wake(0, actor);
    leave(cpus[0]);
}

static void handle_events(void)
{
    for (uint32_t i = 0; i < cpu_count; i++) {
        struct actor *actor =
            cpus[i]->current == NULL ? NULL : container_of(cpus[i]->current, struct actor, thread);
        if (actor != NULL && actor->compute_ns != 0 && actor->left_ns == 0)
            begin_wait(cpus[i], actor);
        if (cpus[i]->timers.armed_ns <= machine_now_ns)
            interrupt(cpus[i], true);
    }
    for (unsigned i = 0; i < actor_count; i++)
        if (actors[i].waits && actors[i].wakes_ns <= machine_now_ns)
            end_wait(&actors[i]);
    for (bool again = true; again;) {
        again = false;
        for (uint32_t i = 0; i < cpu_count; i++) {
            if (!interrupted[i])
                continue;
            interrupted[i] = false;
            again = true;
            interrupt(cpus[i], false);
        }
    }
}

/* ── The machine ─────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The scheduler knows no CPU any more where somebody waits for the end of a turn. */
static void stop(struct cpu *cpu)
{
    if (cpu->turn.armed == 0)
        return;
    host_cpu = cpu;
    cpu->current = NULL;
    (void)ktimer_cancel(&cpu->turn);
    cpu->turn.fire(&cpu->turn, machine_now_ns);
}

void machine_start(uint32_t count)
{
    for (uint32_t i = 0; i < cpu_count; i++)
        stop(cpus[i]);
    memset(machine_cpus, 0, sizeof(machine_cpus));
    memset(machine_interrupts, 0, sizeof(machine_interrupts));
    memset(actors, 0, sizeof(actors));
    actor_count = 0;
    machine_now_ns = 1;
    machine_waker = 0;
    cpu_count = count;
    for (uint32_t i = 0; i < count; i++) {
        cpus[i] = &machine_cpus[i];
        cpus[i]->id = (uint16_t)i;
        cpus[i]->arch_id = i;
        cpus[i]->online = true;
        host_cpu = cpus[i];
        sched_cpu_init(cpus[i]);
    }
    for (uint32_t i = 0; i < count; i++)
        leave(cpus[i]);
}

struct actor *machine_thread_on(uint8_t priority, uint64_t compute_ns, uint64_t wait_ns,
                                uint64_t affinity, uint32_t last)
{
    if (actor_count == ACTORS)
        panic("too many threads");
    struct actor *actor = &actors[actor_count++];
    struct thread *thread = &actor->thread;
    *actor = (struct actor){.compute_ns = compute_ns,
                            .left_ns = compute_ns,
                            .wait_ns = wait_ns,
                            .ready_ns = machine_now_ns};
    thread->aspace = &aspace;
    thread->process = &process;
    thread->base = thread->priority = thread->effective = priority;
    thread->turn.left_ns = TURN_NS;
    thread->fpu_cpu = UINT32_MAX;
    thread->state = THREAD_WAITING;
    thread->affinity[0] = affinity;
    thread->cpu = (uint16_t)last;
    list_init(&thread->run_link);
    host_cpu = cpus[machine_waker];
    sched_interrupt_begin();
    thread_wake(thread);
    leave(cpus[machine_waker]);
    handle_events();
    return actor;
}

struct actor *machine_thread(uint8_t priority, uint64_t compute_ns, uint64_t wait_ns)
{
    return machine_thread_on(priority, compute_ns, wait_ns, UINT64_MAX, 0);
}

struct actor *machine_actor(unsigned number)
{
    return &actors[number];
}

unsigned machine_actor_count(void)
{
    return actor_count;
}

void machine_priority(struct actor *actor, uint8_t priority)
{
    host_cpu = cpus[0];
    sched_interrupt_begin();
    sched_set_priority(&actor->thread, priority);
    leave(cpus[0]);
    handle_events();
}

void machine_affinity(struct actor *actor, uint64_t affinity)
{
    host_cpu = cpus[0];
    sched_interrupt_begin();
    sched_set_affinity(&actor->thread, 0, affinity);
    leave(cpus[0]);
    handle_events();
}

void machine_realtime(struct actor *actor, uint8_t priority, struct allowance allowance)
{
    host_cpu = cpus[0];
    sched_interrupt_begin();
    actor->realtime.thread = &actor->thread;
    actor->thread.realtime = &actor->realtime;
    sched_set_realtime(&actor->thread, priority, allowance);
    leave(cpus[0]);
    handle_events();
}

void machine_run(uint64_t ns)
{
    uint64_t until_ns = machine_now_ns + ns;
    while (machine_now_ns < until_ns) {
        pass(next_event(until_ns) - machine_now_ns);
        handle_events();
    }
}

void machine_clear(void)
{
    memset(machine_interrupts, 0, sizeof(machine_interrupts));
    for (unsigned i = 0; i < actor_count; i++)
        actors[i].ran_ns = actors[i].delay_ns = actors[i].stretch_ns = 0;
}

/* ── What always holds ───────────────────────────────────────────────────────────────────────────────────────────── */

static bool holds;

static void note(int line, const char *condition)
{
    holds = false;
    printf("# machine.c:%d: %s\n", line, condition);
    fflush(stdout);
}

#define HOLD(condition) ((condition) ? (void)0 : note(__LINE__, #condition))

/* Nothing of that is what a fuzzer looks for. */
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)

/* What it has of its turn or period is no more than one, and what it used no more than is counted. */
static void check_level(const struct thread *thread) NO_THREAD_SAFETY
{
    const struct realtime *realtime = thread->limited ? thread->realtime : NULL;
    uint8_t level = thread->priority, base = thread->base;
    uint32_t fallen = base > TURN_LEVELS ? base - TURN_LEVELS : PRIORITY_IDLE + 1;
    HOLD(thread->effective == level); /* nobody calls anybody */
    if (realtime != NULL) {
        HOLD(level == (realtime->spent ? PRIORITY_IDLE : base));
        HOLD(realtime->allowance.left_ns <= (int64_t)realtime->allowance.budget_ns);
    } else if (base == PRIORITY_IDLE || base > PRIORITY_NORMAL_MAX) {
        HOLD(level == base);
    } else {
        HOLD(level >= fallen && level <= PRIORITY_NORMAL_MAX);
    }
    HOLD(thread->turn.used_ns <= TURN_LEVELS * TURN_NS);
    HOLD((int64_t)thread->turn.left_ns <= TURN_NS);
}

static void check_queue(const struct cpu *cpu) NO_THREAD_SAFETY
{
    const struct runqueue *queue = &cpu->queue;
    uint32_t count = 0;
    for (uint32_t level = 0; level < PRIORITIES; level++) {
        HOLD(list_is_empty(&queue->threads[level]) == ((queue->bitmap >> level & 1) == 0));
        list_for_each (node, &queue->threads[level]) {
            const struct thread *thread = list_entry(node, const struct thread, run_link);
            HOLD(thread->queued == queue && thread->state == THREAD_READY);
            HOLD(thread->queued_priority == level && thread_level(thread) == level);
            HOLD(thread->cpu == cpu->id && sched_may_run_on(thread, cpu));
            count++;
        }
    }
    HOLD(queue->count == count);
    HOLD(count == 0 || (cpu->current != NULL && cpu->turn.armed != 0));
}

static void check_cpu(const struct cpu *cpu) NO_THREAD_SAFETY
{
    const struct thread *thread = cpu->current;
    check_queue(cpu);
    HOLD(!cpu->resched && !interrupted[cpu->id]);
    if (thread == NULL)
        return;
    HOLD(thread->state == THREAD_RUNNING && thread->queued == NULL && thread->cpu == cpu->id);
    HOLD(sched_may_run_on(thread, cpu));
    HOLD(cpu->queue.bitmap >> thread_level(thread) <= 1); /* nobody better waits here */
}

static void check_actor(const struct actor *actor)
{
    const struct thread *thread = &actor->thread;
    const struct cpu *on = NULL;
    for (uint32_t i = 0; i < cpu_count; i++)
        on = cpus[i]->current == thread ? cpus[i] : on;
    HOLD((on != NULL) + (thread->queued != NULL) + actor->waits == 1);
    HOLD(actor->runs == (on != NULL));
    HOLD(!actor->waits || thread->state == THREAD_WAITING);
    HOLD(thread->cpu_time_ns + (on == NULL ? 0 : machine_now_ns - on->last_clock_ns) ==
         actor->all_ns);
    check_level(thread);
}

bool machine_check(void)
{
    holds = true;
    for (uint32_t i = 0; i < cpu_count; i++)
        check_cpu(cpus[i]);
    for (unsigned i = 0; i < actor_count; i++)
        check_actor(&actors[i]);
    return holds;
}

#pragma clang attribute pop
