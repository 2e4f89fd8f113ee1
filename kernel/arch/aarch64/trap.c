/* Exceptions and interrupts, after entry.S has saved the registers.
 *
 * From user mode the thread's registers are in its context, and what is decided here ends in sched_leave(). In kernel mode, interrupts
 * come while idling or in an interrupt window only; every exception there but a late fault (kernelmap_is_late) is a bug, since the kernel never touches a user's address.
 * Classes and fault status codes: Arm ARM D19.2.37, ESR_EL1. */
#include <arch.h>
#include <arch_accessors.h>
#include <arch_cpu.h>
#include <debug.h>
#include <mm/kernelmap.h>
#include <sched.h>
#include <thread.h>

#include "cpu_regs.h"
#include "layout.h"
#include "local.h"

#define CLASSES 64u
#define CLASS_FP 0x07u
#define CLASS_SVE 0x19u
#define CLASS_FETCH_USER 0x20u
#define CLASS_FETCH_KERNEL 0x21u
#define CLASS_DATA_USER 0x24u
#define CLASS_DATA_KERNEL 0x25u
#define CLASS_BREAKPOINT_USER 0x30u
#define CLASS_STEP_USER 0x32u
#define CLASS_WATCHPOINT_USER 0x34u

/* Fault status: of a translation, an access flag, or permissions; the low two bits are the level. */
#define STATUS_KIND(esr) ((esr) >> 2 & 0xf)
#define KIND_TRANSLATION 1u
#define KIND_ACCESS 2u
#define KIND_PERMISSION 3u
#define STATUS_MASK 0x3fu
#define STATUS_EXTERNAL 0x10u
#define STATUS_ALIGNMENT 0x21u
#define STATUS_TLB_CONFLICT 0x30u

static const char *const class_names[CLASSES] = {
    [0x00] = "undefined instruction",
    [0x01] = "wait for an interrupt",
    [0x07] = "no FPU",
    [0x0d] = "branch target without a landing pad",
    [0x0e] = "illegal execution state",
    [0x11] = "32-bit system call",
    [0x15] = "system call in the kernel",
    [0x18] = "system register",
    [0x19] = "no vectors",
    [0x1c] = "pointer authentication failure",
    [0x1d] = "no matrix extension",
    [0x20] = "instruction abort",
    [0x21] = "instruction abort",
    [0x22] = "misaligned pc",
    [0x24] = "data abort",
    [0x25] = "data abort",
    [0x26] = "misaligned stack pointer",
    [0x2c] = "floating-point error",
    [0x2f] = "system error",
    [0x30] = "breakpoint",
    [0x31] = "breakpoint",
    [0x32] = "single step",
    [0x33] = "single step",
    [0x34] = "watchpoint",
    [0x35] = "watchpoint",
    [0x3c] = "breakpoint instruction",
};

static const uint8_t class_kinds[CLASSES] = {
    [0x00] = EXCEPTION_ILLEGAL,   [0x0d] = EXCEPTION_ILLEGAL,    [0x0e] = EXCEPTION_ILLEGAL,
    [0x18] = EXCEPTION_ILLEGAL,   [0x1c] = EXCEPTION_ILLEGAL,    [0x1d] = EXCEPTION_ILLEGAL,
    [0x22] = EXCEPTION_ALIGNMENT, [0x26] = EXCEPTION_ALIGNMENT,  [0x2c] = EXCEPTION_ARITHMETIC,
    [0x32] = EXCEPTION_STEP,      [0x3c] = EXCEPTION_BREAKPOINT,
};

static uint32_t class_of(uint64_t esr)
{
    return (uint32_t)(esr >> ESR_CLASS_SHIFT) & ESR_CLASS_MASK;
}

static const char *exception_name(uint64_t esr)
{
    const char *name = class_names[class_of(esr)];

    return name != NULL ? name : "unknown exception";
}

static NORETURN void exception(struct thread *self, uint64_t esr)
{
    uint32_t kind = class_kinds[class_of(esr)];

    trap_exception(self, kind != 0 ? kind : EXCEPTION_OTHER, exception_name(esr), esr, 0);
}

static NORETURN void cpu_park(void)
{
    for (;;)
        __asm__ volatile("wfi");
}

static void interrupt(void)
{
    uint32_t intid = gic_acknowledge();

    sched_interrupt_begin();
    if (intid == platform.timer_intid) {
        time_silence();
        gic_end(intid);
        trap_timer();
    } else if (intid == SGI_IPI) {
        gic_end(intid);
        trap_ipi();
    } else if (intid == SGI_STOP) {
        panic_cpu_stopped();
        cpu_park();
    } else if (intid < INTID_SPECIAL || intid >= LPI_FIRST) {
        irq_handle(intid);
    }
}

void trap_interrupt(void)
{
    interrupt();
}

void trap_interrupt_from_user(void)
{
    interrupt();
    sched_leave();
}

/** A memory access of user code that did not work. Those of the page tables are the kernel's business, others the thread's. */
static NORETURN void abort_from_user(struct thread *self, uint64_t esr, uint64_t far)
{
    uint64_t kind = STATUS_KIND(esr);

    if (kind == KIND_TRANSLATION || kind == KIND_ACCESS || kind == KIND_PERMISSION) {
        /* Cleaning a cache counts as a write in the syndrome, but needs the right to read. */
        bool write = (esr & ESR_WRITE) != 0 && (esr & ESR_CACHE_MAINTENANCE) == 0;

        trap_page_fault(self, far,
                        class_of(esr) == CLASS_FETCH_USER ? MAP_EXECUTE
                        : write                           ? MAP_WRITE
                                                          : MAP_READ);
    }
    switch (esr & STATUS_MASK) {
    case STATUS_ALIGNMENT:
        trap_exception(self, EXCEPTION_ALIGNMENT, "misaligned access", far, 0);
    case STATUS_EXTERNAL:
        trap_exception(self, EXCEPTION_OTHER, "bus error", far, 0);
    case STATUS_TLB_CONFLICT:
        arch_tlb_flush_all();
        sched_leave();
    default:
        exception(self, esr);
    }
}

/* ── Debug registers and single steps ────────────────────────────────────────────────────────────────────────────────── */

/* With MDSCR_EL1.SS user mode executes one instruction if SPSR_EL1.SS is set, none if not, then the CPU reports a step (Arm ARM D2.12). With
 * MDE breakpoints and watchpoints are looked at, which are for EL0 alone. All are taken before the instruction. */

/* Hardware's @kind @index has number @of of @debug. */
#define LOAD(kind, index, debug, of)                                                     \
    __asm__ volatile("msr dbg" #kind "vr" #index "_el1, %0\n\tmsr dbg" #kind "cr" #index \
                     "_el1, %1"                                                          \
                     :                                                                   \
                     : "r"((debug)[of].value), "r"((debug)[of].control))

static void registers_load(const struct debug_register *debug)
{
    LOAD(b, 0, debug, 0);
    LOAD(b, 1, debug, 1);
    LOAD(w, 0, debug, 2);
    LOAD(w, 1, debug, 3);
    if (!debug_has_all())
        return;
    LOAD(b, 2, debug, 4);
    LOAD(b, 3, debug, 5);
    LOAD(b, 4, debug, 6);
    LOAD(b, 5, debug, 7);
    LOAD(w, 2, debug, 8);
    LOAD(w, 3, debug, 9);
}

COLD void arch_debug_load(const struct thread *thread)
{
    uint64_t how = __atomic_load_n(&thread->stepped, __ATOMIC_RELAXED); /* MDSCR_SS */

    if (__atomic_load_n(&thread->watched, __ATOMIC_ACQUIRE) != 0) {
        registers_load(thread->debug);
        how |= MDSCR_MDE;
    }
    SYSREG_WRITE(mdscr_el1, how);
}

/* What @self met was for who ran here before. */
static NORETURN void not_debugged(const struct thread *self)
{
    arch_debug_load(self);
    sched_leave();
}

/* The CPU tells the address, which of a wide access may be beside the register's: the nearest of the kind, as is a
 * breakpoint of no bytes at its own address. */
static NORETURN COLD void debug_hit(struct thread *self, uint64_t address, uint32_t access)
{
    uint64_t nearest = UINT64_MAX, hits = 0;

    if (__atomic_load_n(&self->watched, __ATOMIC_ACQUIRE) == 0)
        not_debugged(self);
    const struct debug_register *debug = self->debug;

    for (uint32_t i = 0; i < ARCH_DEBUG_REGISTERS; i++) {
        uint64_t start = debug[i].address, last = start + debug[i].bytes - 1;
        uint64_t distance = address < start ? start - address : address > last ? address - last : 0;

        if ((debug[i].access & access) == 0 || distance >= nearest)
            continue;
        nearest = distance;
        hits = 1ull << i;
    }
    trap_exception(self, EXCEPTION_DEBUG, "debug register", address, hits);
}

void trap_from_user(struct thread *self, uint64_t esr, uint64_t far)
{
    uint32_t class = class_of(esr);

    if (likely(class == CLASS_DATA_USER || class == CLASS_FETCH_USER))
        abort_from_user(self, esr, far);
    switch (class) {
    case CLASS_FP:
        fpu_first_use(self, false);
    case CLASS_SVE:
        fpu_first_use(self, true);
    case CLASS_BREAKPOINT_USER:
        debug_hit(self, self->context.pc, MAP_EXECUTE);
    case CLASS_WATCHPOINT_USER:
        debug_hit(self, far, (esr & ESR_WRITE) != 0 ? MAP_WRITE : MAP_READ);
    case CLASS_STEP_USER:
        if (!__atomic_load_n(&self->stepped, __ATOMIC_RELAXED))
            not_debugged(self);
        exception(self, esr);
    default:
        exception(self, esr);
    }
}

/* A write to a device that came to nothing, most likely: the driver ends, and its supervisor hears of it. */
void trap_error_from_user(struct thread *self, uint64_t esr)
{
    exception(self, esr);
}

/* ── The kernel's own faults ─────────────────────────────────────────────────────────────────────────────────────── */

static bool is_guard_page(uint64_t address)
{
    uint64_t bottom = arch_cpu_local()->kernel_stack - KERNEL_STACK_PAGES * PAGE_SIZE;

    return address < bottom && address >= bottom - PAGE_SIZE;
}

void arch_print_frame(const struct trap_frame *f)
{
    for (unsigned i = 0; i < 30; i += 3)
        klog("x%-2u %016llx x%-2u %016llx x%-2u %016llx", i, (unsigned long long)f->x[i], i + 1,
             (unsigned long long)f->x[i + 1], i + 2, (unsigned long long)f->x[i + 2]);
    klog("x30 %016llx sp  %016llx pc  %016llx", (unsigned long long)f->x[30],
         (unsigned long long)f->sp, (unsigned long long)f->pc);
    klog("pstate %llx esr %llx far %016llx ttbr0 %llx", (unsigned long long)f->pstate,
         (unsigned long long)f->esr, (unsigned long long)f->far,
         (unsigned long long)SYSREG_READ(ttbr0_el1));
}

/* The function at fault may have no frame, so the backtrace begins with x29 and x30, which are one in the saved registers: then x30 is the
 * return address, or else a call that was made before. */
void trap_kernel(const struct trap_frame *frame)
{
    uint32_t class = class_of(frame->esr);
    bool is_abort = class == CLASS_FETCH_KERNEL || class == CLASS_DATA_KERNEL;
    if (class == CLASS_DATA_KERNEL && STATUS_KIND(frame->esr) == KIND_TRANSLATION &&
        kernelmap_is_late(frame->far))
        return;
    bool is_overflow = is_guard_page(frame->sp) || (is_abort && is_guard_page(frame->far));

    trap_kernel_fault(is_overflow ? "kernel stack overflow" : exception_name(frame->esr), frame->pc,
                      is_abort ? frame->far : 0, (uint64_t)(uintptr_t)&frame->x[29], frame);
}

/* The caller's CPU goes on to the end with interrupts off; it is the only one that reports. */
void arch_stop_others(void)
{
    static bool stopping;

    debug_machine_stops();
    if (!__atomic_exchange_n(&stopping, true, __ATOMIC_ACQ_REL))
        gic_send_to_others(SGI_STOP);
}
