/* Exceptions and interrupts, after entry.S has saved the registers.
 *
 * From user mode the thread's registers are in its context, and what is decided here ends in sched_leave(). In kernel mode, interrupts
 * come while idling only; every exception there is a bug, since the kernel never touches a user's address. */
#include <arch.h>
#include <arch_accessors.h>
#include <arch_cpu.h>
#include <debug.h>
#include <sched.h>
#include <thread.h>

#include "cpu_regs.h"
#include "local.h"

#define VECTOR_DIVIDE 0u
#define VECTOR_DEBUG 1u
#define VECTOR_NMI 2u
#define VECTOR_NO_FPU 7u
#define VECTOR_DOUBLE_FAULT 8u
#define VECTOR_PAGE_FAULT 14u
#define EXCEPTIONS 32u

/* Error code of a page fault (SDM vol. 3, 4.7). */
#define FAULT_WRITE (1u << 1)
#define FAULT_FETCH (1u << 4)

static const char *const exception_names[EXCEPTIONS] = {
    [0] = "divide error",
    [1] = "debug exception",
    [2] = "NMI",
    [3] = "breakpoint",
    [4] = "overflow",
    [5] = "bound range exceeded",
    [6] = "invalid opcode",
    [7] = "no FPU",
    [8] = "double fault",
    [10] = "invalid TSS",
    [11] = "segment not present",
    [12] = "stack fault",
    [13] = "general protection",
    [14] = "page fault",
    [16] = "floating-point error",
    [17] = "alignment check",
    [18] = "machine check",
    [19] = "SIMD floating-point error",
    [20] = "virtualisation exception",
    [21] = "control protection",
};

static const uint8_t exception_kinds[EXCEPTIONS] = {
    [0] = EXCEPTION_ARITHMETIC,  [3] = EXCEPTION_BREAKPOINT,  [4] = EXCEPTION_ARITHMETIC,
    [6] = EXCEPTION_ILLEGAL,     [16] = EXCEPTION_ARITHMETIC, [17] = EXCEPTION_ALIGNMENT,
    [19] = EXCEPTION_ARITHMETIC,
};

static bool stopping;

static const char *exception_name(uint64_t vector)
{
    const char *name = vector < EXCEPTIONS ? exception_names[vector] : NULL;

    return name != NULL ? name : "unknown exception";
}

static void interrupt(uint64_t vector)
{
    sched_interrupt_begin();
    switch (vector) {
    case VECTOR_TIMER:
        apic_end_of_interrupt();
        trap_timer();
        break;
    case VECTOR_IPI:
        apic_end_of_interrupt();
        trap_ipi();
        break;
    default:
        if (vector >= VECTOR_DEVICE_FIRST && vector < VECTOR_DEVICE_END)
            irq_handle((uint32_t)vector);
        /* Others are spurious: the legacy controllers', and the local APIC's, which wants no end of interrupt. */
    }
}

/* ── Debug registers (SDM vol. 3, chapter 17) ────────────────────────────────────────────────────────────────────────── */

void arch_debug_load(const struct thread *thread)
{
    uint64_t control = DR7_FIXED;

    if (__atomic_load_n(&thread->watched, __ATOMIC_ACQUIRE) != 0) {
        const struct debug_register *debug = thread->debug;

        for (uint32_t i = 0; i < ARCH_DEBUG_REGISTERS; i++)
            control |= debug[i].control;
        dr0_write(debug[0].value);
        dr1_write(debug[1].value);
        dr2_write(debug[2].value);
        dr3_write(debug[3].value);
    }
    dr7_write(control);
}

/* Before an instruction that a register names, after an access; after a single step or an int1. RF lets the instruction through the next time. */
static NORETURN void debug_exception(struct thread *self)
{
    uint64_t what = dr6_read(), hits = 0, address = 0;

    dr6_write(DR6_FIXED);
    if ((what & DR6_HITS) != 0 && __atomic_load_n(&self->watched, __ATOMIC_ACQUIRE) == 0) {
        arch_debug_load(self); /* it was for who ran here before */
        if ((what & DR6_STEP) == 0)
            sched_leave();
        what = 0;
    }
    const struct debug_register *debug = self->debug;

    for (uint32_t i = 0; i < ARCH_DEBUG_REGISTERS; i++) {
        if ((what >> i & 1) == 0 || debug[i].access == 0)
            continue;
        hits |= 1ull << i;
        address = debug[i].address;
        if (debug[i].access == MAP_EXECUTE)
            self->context.rflags |= ARCH_RFLAGS_RF;
    }
    if (hits == 0)
        trap_exception(self, EXCEPTION_STEP, exception_name(VECTOR_DEBUG), 0, 0);
    if ((what & DR6_STEP) != 0)
        hits |= DEBUG_STEPPED;
    trap_exception(self, EXCEPTION_DEBUG, exception_name(VECTOR_DEBUG), address, hits);
}

static NORETURN __attribute__((noinline)) void exception(struct thread *self, uint64_t vector,
                                                         uint64_t error)
{
    if (vector == VECTOR_DEBUG)
        debug_exception(self);
    uint32_t kind = exception_kinds[vector];

    trap_exception(self, kind != 0 ? kind : EXCEPTION_OTHER, exception_name(vector), error, 0);
}

void trap_from_user(struct thread *self, uint64_t vector, uint64_t error)
{
    if (vector >= EXCEPTIONS) {
        interrupt(vector);
        sched_leave();
    }
    if (likely(vector == VECTOR_PAGE_FAULT)) {
        uint64_t address = cr2_read();
        uint32_t access = (error & FAULT_FETCH)   ? MAP_EXECUTE
                          : (error & FAULT_WRITE) ? MAP_WRITE
                                                  : MAP_READ;

        trap_page_fault(self, address, access);
    }
    if (vector == VECTOR_NO_FPU)
        fpu_first_use(self);
    exception(self, vector, error);
}

void arch_print_frame(const struct trap_frame *f)
{
    klog("rax %016llx rbx %016llx rcx %016llx rdx %016llx", (unsigned long long)f->rax,
         (unsigned long long)f->rbx, (unsigned long long)f->rcx, (unsigned long long)f->rdx);
    klog("rsi %016llx rdi %016llx rbp %016llx rsp %016llx", (unsigned long long)f->rsi,
         (unsigned long long)f->rdi, (unsigned long long)f->rbp, (unsigned long long)f->rsp);
    klog("r8  %016llx r9  %016llx r10 %016llx r11 %016llx", (unsigned long long)f->r8,
         (unsigned long long)f->r9, (unsigned long long)f->r10, (unsigned long long)f->r11);
    klog("r12 %016llx r13 %016llx r14 %016llx r15 %016llx", (unsigned long long)f->r12,
         (unsigned long long)f->r13, (unsigned long long)f->r14, (unsigned long long)f->r15);
    klog("rip %016llx rflags %llx cs %llx error %llx cr2 %016llx cr3 %llx",
         (unsigned long long)f->rip, (unsigned long long)f->rflags, (unsigned long long)f->cs,
         (unsigned long long)f->error, (unsigned long long)cr2_read(),
         (unsigned long long)cr3_read());
}

static NORETURN void kernel_fault(const struct trap_frame *frame)
{
    trap_kernel_fault(exception_name(frame->vector), frame->rip,
                      frame->vector == VECTOR_PAGE_FAULT || frame->vector == VECTOR_DOUBLE_FAULT
                          ? cr2_read()
                          : 0,
                      frame->rbp, frame);
}

void trap_from_kernel(const struct trap_frame *frame)
{
    if (frame->vector < EXCEPTIONS)
        kernel_fault(frame);
    interrupt(frame->vector);
}

/* A hit by what loads SS comes behind the next instruction, which may be a way into the kernel (SDM vol. 3, 6.8.3): at the first of entry
 * code then, with the user's stack and GS. It is let go. */
static bool is_late_hit(const struct trap_frame *frame)
{
    uint64_t entry = frame->rip - (uint64_t)(uintptr_t)exception_entries;

    return frame->vector == VECTOR_DEBUG &&
           (entry < sizeof(exception_entries) || frame->rip == (uint64_t)(uintptr_t)syscall_entry);
}

/* Behind an int1 it comes at the first instruction of its own entry, on the same stack: what int1 had put there is lost, and with it where
 * the thread was. It goes on at address 0, where nothing is, which it or its debugger is told. */
static void late_hit(struct trap_frame *frame)
{
    dr6_write(DR6_FIXED);
    if (frame->rip != (uint64_t)(uintptr_t)exception_entries[VECTOR_DEBUG])
        return;
    frame->rip = 0;
    frame->cs = SELECTOR_USER_CODE;
    frame->rflags = ARCH_RFLAGS_FIXED;
    frame->rsp = 0;
    frame->ss = SELECTOR_USER_DATA;
}

/* NMI, machine check, double fault, and what comes in the kernel of debug exceptions: anything may have been interrupted, any lock may be held. */
void trap_on_own_stack(struct trap_frame *frame)
{
    if (is_late_hit(frame)) {
        late_hit(frame);
        return;
    }
    if (__atomic_load_n(&stopping, __ATOMIC_ACQUIRE)) {
        panic_cpu_stopped();
        for (;;)
            __asm__ volatile("cli\n\thlt");
    }
    /* Also for an NMI that no CPU sent: it is the machine's, which reports a fault, or somebody's who pressed the button for it. */
    kernel_fault(frame);
}

/* The caller's CPU goes on to the end with interrupts off; it is the only one that reports. A CPU that was not started has no handler: an NMI
 * would have it run what lies at address 0, and the machine begin anew. */
void arch_stop_others(void)
{
    if (__atomic_exchange_n(&stopping, true, __ATOMIC_ACQ_REL))
        return;
    for (uint32_t id = 0; id < cpu_count; id++)
        if (cpus[id] != arch_cpu_local() && cpu_is_online(cpus[id]))
            apic_send_nmi(cpus[id]->arch_id);
}
