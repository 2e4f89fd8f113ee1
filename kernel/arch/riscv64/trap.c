/* Exceptions and interrupts, after entry.S has saved the registers.
 *
 * From user mode the thread's registers are in its context, and what is decided here ends in sched_leave(). In kernel mode interrupts
 * come while idling, or where arch_irq_window() lets them; every exception there but a late one (kernelmap_is_late) is a bug, since the
 * kernel never touches a user's address. One that came by too little stack is reported on another stack. */
#include <arch.h>
#include <arch_cpu.h>
#include <debug.h>
#include <mm/kernelmap.h>
#include <sched.h>
#include <thread.h>

#include "csr.h"
#include "layout.h"
#include "local.h"

#define CAUSE_ILLEGAL 2u
#define CAUSE_FETCH_FAULT 12u
#define CAUSE_LOAD_FAULT 13u
#define CAUSE_STORE_FAULT 15u

/* Privileged specification, table 4.2. */
static const char *const exception_names[] = {
    [0] = "instruction address misaligned",
    [1] = "instruction access fault",
    [2] = "illegal instruction",
    [3] = "breakpoint",
    [4] = "load address misaligned",
    [5] = "load access fault",
    [6] = "store address misaligned",
    [7] = "store access fault",
    [8] = "system call",
    [12] = "instruction page fault",
    [13] = "load page fault",
    [15] = "store page fault",
};

static const uint8_t exception_kinds[ARRAY_SIZE(exception_names)] = {
    [0] = EXCEPTION_ALIGNMENT, [2] = EXCEPTION_ILLEGAL,   [3] = EXCEPTION_BREAKPOINT,
    [4] = EXCEPTION_ALIGNMENT, [6] = EXCEPTION_ALIGNMENT,
};

static bool stopping;

static const char *exception_name(uint64_t cause)
{
    const char *name = cause < ARRAY_SIZE(exception_names) ? exception_names[cause] : NULL;

    return name != NULL ? name : "unknown exception";
}

static void interrupt(uint64_t number)
{
    sched_interrupt_begin();
    switch (number) {
    case INTERRUPT_TIMER:
        csr_clear("sie",
                  SIE_TIMER); /* until it is armed again: the deadline that passed stays pending */
        trap_timer();
        break;
    case INTERRUPT_SOFTWARE:
        csr_clear("sip", SIE_SOFTWARE);
        if (trap_is_stopping()) {
            panic_cpu_stopped();
            for (;;)
                __asm__ volatile("wfi");
        }
        trap_ipi();
        break;
    case INTERRUPT_EXTERNAL:
        irq_handle();
        break;
    default:
        break; /* none other is enabled */
    }
}

static NORETURN void page_fault(struct thread *self, uint64_t cause)
{
    uint64_t address = csr_read("stval");

    trap_page_fault(self, address,
                    cause == CAUSE_FETCH_FAULT   ? MAP_EXECUTE
                    : cause == CAUSE_STORE_FAULT ? MAP_WRITE
                                                 : MAP_READ);
}

void trap_from_user(struct thread *self, uint64_t cause)
{
    DEBUG_ASSERT((csr_read("sstatus") & (SSTATUS_SUM | SSTATUS_MXR)) == 0);
    if (cause & CAUSE_INTERRUPT) {
        interrupt(cause & ~CAUSE_INTERRUPT);
        sched_leave();
    }
    if (cause == CAUSE_LOAD_FAULT || cause == CAUSE_STORE_FAULT || cause == CAUSE_FETCH_FAULT)
        page_fault(self, cause);
    if (cause == CAUSE_ILLEGAL && fpu_first_use(self))
        sched_leave();
    uint32_t kind = cause < ARRAY_SIZE(exception_kinds) ? exception_kinds[cause] : 0;

    trap_exception(self, kind != 0 ? kind : EXCEPTION_OTHER, exception_name(cause),
                   csr_read("stval"), 0);
}

/* Nobody is debugged. */
void arch_debug_load(const struct thread *thread)
{
    (void)thread;
}

void registers_print(const struct arch_context *c, void (*pause)(void))
{
    klog("pc  %016llx ra  %016llx sp  %016llx gp  %016llx", (unsigned long long)c->pc,
         (unsigned long long)c->ra, (unsigned long long)c->sp, (unsigned long long)c->gp);
    pause();
    klog("tp  %016llx t0  %016llx t1  %016llx t2  %016llx", (unsigned long long)c->tp,
         (unsigned long long)c->t0, (unsigned long long)c->t1, (unsigned long long)c->t2);
    pause();
    klog("s0  %016llx s1  %016llx a0  %016llx a1  %016llx", (unsigned long long)c->s0,
         (unsigned long long)c->s1, (unsigned long long)c->a0, (unsigned long long)c->a1);
    pause();
    klog("a2  %016llx a3  %016llx a4  %016llx a5  %016llx", (unsigned long long)c->a2,
         (unsigned long long)c->a3, (unsigned long long)c->a4, (unsigned long long)c->a5);
    pause();
    klog("a6  %016llx a7  %016llx s2  %016llx s3  %016llx", (unsigned long long)c->a6,
         (unsigned long long)c->a7, (unsigned long long)c->s2, (unsigned long long)c->s3);
    pause();
    klog("s4  %016llx s5  %016llx s6  %016llx s7  %016llx", (unsigned long long)c->s4,
         (unsigned long long)c->s5, (unsigned long long)c->s6, (unsigned long long)c->s7);
    pause();
    klog("s8  %016llx s9  %016llx s10 %016llx s11 %016llx", (unsigned long long)c->s8,
         (unsigned long long)c->s9, (unsigned long long)c->s10, (unsigned long long)c->s11);
    pause();
    klog("t3  %016llx t4  %016llx t5  %016llx t6  %016llx", (unsigned long long)c->t3,
         (unsigned long long)c->t4, (unsigned long long)c->t5, (unsigned long long)c->t6);
    pause();
}

/** The frame is on the stack for this: the kernel stack had no room for it. */
static bool is_overflow(const struct trap_frame *frame)
{
    uint64_t top = arch_cpu_local()->kernel_stack + OVERFLOW_STACK_OFFSET;

    return top - (uint64_t)(uintptr_t)frame <= FAULT_STACK_PAGES * PAGE_SIZE;
}

static void no_pause(void)
{
}

void arch_print_frame(const struct trap_frame *frame)
{
    registers_print(&frame->registers, no_pause);
    klog("status %llx cause %llx value %016llx", (unsigned long long)frame->status,
         (unsigned long long)frame->cause, (unsigned long long)frame->value);
}

void trap_from_kernel(const struct trap_frame *frame)
{
    if (frame->cause & CAUSE_INTERRUPT) {
        interrupt(frame->cause & ~CAUSE_INTERRUPT);
        return;
    }
    if ((frame->cause == CAUSE_LOAD_FAULT || frame->cause == CAUSE_STORE_FAULT) &&
        kernelmap_is_late(frame->value))
        return;
    trap_kernel_fault(is_overflow(frame) ? "kernel stack overflow" : exception_name(frame->cause),
                      frame->registers.pc, frame->value, frame->registers.s0, frame);
}

bool trap_is_stopping(void)
{
    return __atomic_load_n(&stopping, __ATOMIC_ACQUIRE);
}

/* There is no interrupt that cannot be masked: a CPU stops when it next lets one in. One that waits for a lock waits on, which is as
 * good; one that goes on in the kernel for a while finds the machine ended. */
void arch_stop_others(void)
{
    if (__atomic_exchange_n(&stopping, true, __ATOMIC_ACQ_REL))
        return;
    for (uint32_t id = 0; id < cpu_count; id++)
        if (cpus[id] != arch_cpu_local() && cpu_is_online(cpus[id]))
            arch_ipi_send(id);
}
