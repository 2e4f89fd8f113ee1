/* The ways into the kernel and out of it.
 *
 * While user code runs, SP_EL1 points at the context of cpu->current: an entry stores every register straight there, then C runs on the
 * CPU's kernel stack, from its top, and never returns: it ends in arch_thread_resume(). Kernel mode is interrupted only in
 * arch_cpu_idle() and arch_irq_window(); such an interrupt keeps what C may change on the stack it found and returns by it. A fault of
 * the kernel that is not a late one (kernelmap_is_late) is the end: it is on a stack of its own, since the other one may be what is wrong.
 *
 * SP_EL0 is the user's stack pointer, and in the kernel struct cpu (TPIDR_EL1 too): compiled code finds its stack guard by it. The key
 * for pointer authentication is the process's in user mode and the kernel's in the kernel; CPUs without it have these instructions
 * patched away (PAC_SITE, early.c).
 *
 * A message call saves what its ABI keeps, and its arguments but for the words: those stay in registers (ipc/fastpath.c).
 * Another system call saves its arguments, sp, pc, pstate and tls; one that may wait (SYSCALL_MAY_WAIT) all that its ABI keeps. If the same thread goes on with
 * nothing to be seen to, the short way out loads what C may have changed, and the rest is in its registers still; of x9 to x18 and x30,
 * which the ABI does not keep, it loads older values of the same thread. */
#include "cpu_regs.h"
#include <veridian/syscall_numbers.h>

#define CPU_KERNEL_STACK 8
#define CPU_SCRATCH 24 /* top of the stack for faults */
#define CPU_CURRENT 16
#define CPU_WORK 52
#define CPU_KEY 80

/* struct arch_context: x0 to x30, then these. Checked by offsets.c. */
#define CONTEXT_X(n) (8 * (n))
#define CONTEXT_SP 248
#define CONTEXT_PC 256
#define CONTEXT_TLS 272
#define CONTEXT_KEY 280
#define CONTEXT_ZEROS 296
#define SYSCALL_LIMIT 320               /* of struct thread, behind the context */

/* struct trap_frame */
#define FRAME_BYTES 288
#define FRAME_SP 248
#define FRAME_PC 256
#define FRAME_ESR 272

#define APIAKEYLO_EL1 S3_0_C2_C1_0
#define APIAKEYHI_EL1 S3_0_C2_C1_1
#define CLASS_SVC 0x15

/* What follows, 4 bytes, becomes a nop on CPUs without pointer authentication. */
    .macro PAC_SITE
    .pushsection .pac_sites, "a", @progbits
    .quad 9999f
    .popsection
9999:
    .endm

/* Everything of the user's into the context; x1: struct cpu, sp: kernel stack. */
    .macro save_user
    stp x0, x1, [sp, #CONTEXT_X(0)]
    save_user_but_x0_x1
    .endm
    .macro save_user_but_x0_x1
    stp x2, x3, [sp, #CONTEXT_X(2)]
    stp x4, x5, [sp, #CONTEXT_X(4)]
    stp x6, x7, [sp, #CONTEXT_X(6)]
    stp x8, x9, [sp, #CONTEXT_X(8)]
    stp x10, x11, [sp, #CONTEXT_X(10)]
    stp x12, x13, [sp, #CONTEXT_X(12)]
    stp x14, x15, [sp, #CONTEXT_X(14)]
    stp x16, x17, [sp, #CONTEXT_X(16)]
    stp x18, x19, [sp, #CONTEXT_X(18)]
    stp x20, x21, [sp, #CONTEXT_X(20)]
    stp x22, x23, [sp, #CONTEXT_X(22)]
    stp x24, x25, [sp, #CONTEXT_X(24)]
    stp x26, x27, [sp, #CONTEXT_X(26)]
    stp x28, x29, [sp, #CONTEXT_X(28)]
    mrs x2, sp_el0
    mrs x3, elr_el1
    mrs x4, spsr_el1
    mrs x5, tpidr_el0
    stp x30, x2, [sp, #CONTEXT_X(30)]
    stp x3, x4, [sp, #CONTEXT_PC]
    str x5, [sp, #CONTEXT_TLS]
    .endm

    .macro enter_kernel cpu=x1, stack=x2, self=x0
    mrs \cpu, tpidr_el1
    ldp \stack, \self, [\cpu, #CPU_KEY]
    PAC_SITE
    msr APIAKEYLO_EL1, \stack
    PAC_SITE
    msr APIAKEYHI_EL1, \self
    PAC_SITE
    isb
    msr sp_el0, \cpu
    ldp \stack, \self, [\cpu, #CPU_KERNEL_STACK] /* and CPU_CURRENT */
    mov sp, \stack
    .endm

    .section .text.entry, "ax", @progbits
    .balign 2048
    .globl vectors
vectors:
/* From EL1 with SP_EL0: the kernel never runs so. */
    .rept 4
    .balign 128
    b fault_entry
    .endr
/* From EL1 */
    .balign 128
    b fault_entry
    .balign 128
    b interrupt_entry_kernel
    .balign 128
    b fault_entry
    .balign 128
    b fault_entry
/* From EL0, 64-bit */
    .balign 128
    stp x0, x1, [sp, #CONTEXT_X(0)]
    mrs x0, esr_el1
    lsr x1, x0, #ESR_CLASS_SHIFT
    cmp x1, #CLASS_SVC
    b.ne exception_entry
    stp x2, x3, [sp, #CONTEXT_X(2)]
    stp x4, x5, [sp, #CONTEXT_X(4)]
    mrs x0, sp_el0
    mrs x1, elr_el1
    mrs x3, spsr_el1
    stp x0, x1, [sp, #CONTEXT_SP]
    mrs x0, tpidr_el0
    ldr x1, [sp, #SYSCALL_LIMIT]
    stp x3, x0, [sp, #CONTEXT_SP + 16]
    cmp x8, x1
    b.hs syscall_other
    cmp x8, #SYS_ENDPOINT_CALL
    b.eq message_call
    cmp x8, #SYS_ENDPOINT_REPLY_RECEIVE
    b.eq message_reply_receive
    b syscall_quick
    .balign 128
    save_user
    b interrupt_entry
    .balign 128
    save_user
    b interrupt_entry
    .balign 128
    save_user
    b error_entry
/* From EL0, 32-bit: there is none. */
    .rept 4
    .balign 128
    b fault_entry
    .endr

syscall_quick:
    stp x6, x7, [sp, #CONTEXT_X(6)]
    adrp x3, syscall_index
    add x3, x3, :lo12:syscall_index
    ldrb w4, [x3, x8]
    tbnz w4, #7, syscall_waits              /* SYSCALL_MAY_WAIT */
    enter_kernel
    adrp x3, syscall_dispatchers
    add x3, x3, :lo12:syscall_dispatchers
    ldr x3, [x3, x4, lsl #3]
    blr x3

/* The status is in w0. */
syscall_return:
    mrs x1, tpidr_el1
    ldr w2, [x1, #CPU_WORK]
    ldr x3, [x1, #CPU_CURRENT]
    add x3, x3, :lo12:THREAD_CONTEXT
    sxtw x8, w0
    cbnz w2, syscall_work
    mov sp, x3
    ldr x2, [sp, #CONTEXT_SP]
    ldp x6, x7, [sp, #CONTEXT_KEY]
    PAC_SITE
    msr APIAKEYLO_EL1, x6
    PAC_SITE
    msr APIAKEYHI_EL1, x7
    msr sp_el0, x2
    ldp x0, x1, [sp, #CONTEXT_X(0)]
    ldp x2, x3, [sp, #CONTEXT_X(2)]
    ldp x4, x5, [sp, #CONTEXT_X(4)]
    ldp x6, x7, [sp, #CONTEXT_X(6)]
    ldr x9, [sp, #CONTEXT_X(9)]
    ldp x10, x11, [sp, #CONTEXT_X(10)]
    ldp x12, x13, [sp, #CONTEXT_X(12)]
    ldp x14, x15, [sp, #CONTEXT_X(14)]
    ldp x16, x17, [sp, #CONTEXT_X(16)]
    ldr x18, [sp, #CONTEXT_X(18)]
    ldr x30, [sp, #CONTEXT_X(30)]
    eret
    dsb nsh                             /* nothing is executed beyond, not even by speculation */
    isb

/* Number or status, and what the ABI keeps. @base: the context. */
    .macro save_kept base
    str x8, [\base, #CONTEXT_X(8)]
    str x19, [\base, #CONTEXT_X(19)]
    stp x20, x21, [\base, #CONTEXT_X(20)]
    stp x22, x23, [\base, #CONTEXT_X(22)]
    stp x24, x25, [\base, #CONTEXT_X(24)]
    stp x26, x27, [\base, #CONTEXT_X(26)]
    stp x28, x29, [\base, #CONTEXT_X(28)]
    .endm

syscall_waits:
    save_kept sp
    enter_kernel
    bl trap_syscall
    b syscall_return

syscall_other:
    save_kept sp
    stp x6, x7, [sp, #CONTEXT_X(6)]
    str x9, [sp, #CONTEXT_X(9)]
    stp x10, x11, [sp, #CONTEXT_X(10)]
    stp x12, x13, [sp, #CONTEXT_X(12)]
    stp x14, x15, [sp, #CONTEXT_X(14)]
    stp x16, x17, [sp, #CONTEXT_X(16)]
    str x18, [sp, #CONTEXT_X(18)]
    str x30, [sp, #CONTEXT_X(30)]
    enter_kernel
    mov x29, xzr
    bl trap_foreign

/* IPC_FAST: x0 handle, x1 info, x2 deadline, x3 thread, x4 the last word, x5 queue. */
    .macro message function
    str x29, [sp, #CONTEXT_X(29)]
    ldp x0, x1, [sp, #CONTEXT_X(0)]
    enter_kernel x6, x7, x3
    b \function
    .endm
message_call:
    message fast_call
message_reply_receive:
    message fast_reply_receive

syscall_work:
    save_kept x3
    mov x29, xzr
    bl sched_leave

exception_entry:
    save_user_but_x0_x1
    mrs x20, esr_el1
    mrs x21, far_el1
    enter_kernel
    mov x29, xzr
    mov x1, x20
    mov x2, x21
    bl trap_from_user

interrupt_entry:
    enter_kernel
    mov x29, xzr
    bl trap_interrupt_from_user

error_entry:
    mrs x20, esr_el1
    enter_kernel
    mov x29, xzr
    mov x1, x20
    bl trap_error_from_user
    .size vectors, . - vectors

/* ── The rest of message calls: see IPC_FAST in arch.h ───────────────────────────────────────────────────────────── */
/* What of the user's is not in x0 to x30; x29: its own, but for the end. */
    .macro load_special
    ldp x6, x7, [sp, #CONTEXT_KEY]
    ldp x9, x10, [sp, #CONTEXT_SP]
    ldp x11, x12, [sp, #CONTEXT_SP + 16]
    PAC_SITE
    msr APIAKEYLO_EL1, x6
    PAC_SITE
    msr APIAKEYHI_EL1, x7
    msr sp_el0, x9
    msr elr_el1, x10
    msr spsr_el1, x11
    msr tpidr_el0, x12
    .endm

    .balign 64
    .globl arch_ipc_switch
    .type arch_ipc_switch, @function
    .globl arch_ipc_resume
    .type arch_ipc_resume, @function
arch_ipc_switch:
    msr ttbr0_el1, x2
arch_ipc_resume:
    add sp, x3, :lo12:THREAD_CONTEXT
    load_special
    ldr x29, [sp, #CONTEXT_X(29)]
    ldp x2, x3, [sp, #CONTEXT_ZEROS]
    ldp x6, x7, [sp, #CONTEXT_ZEROS]
    ldp x8, x9, [sp, #CONTEXT_ZEROS]
    ldp x10, x11, [sp, #CONTEXT_ZEROS]
    ldp x12, x13, [sp, #CONTEXT_ZEROS]
    ldp x14, x15, [sp, #CONTEXT_ZEROS]
    ldp x16, x17, [sp, #CONTEXT_ZEROS]
    ldp x18, x19, [sp, #CONTEXT_ZEROS]
    ldp x25, x26, [sp, #CONTEXT_ZEROS]
    ldp x27, x28, [sp, #CONTEXT_ZEROS]
    mov x30, xzr
    eret
    dsb nsh                             /* nothing is executed beyond, not even by speculation */
    isb
    .size arch_ipc_switch, . - arch_ipc_switch

    .globl arch_ipc_save
    .type arch_ipc_save, @function
arch_ipc_save:
    add x3, x3, :lo12:THREAD_CONTEXT
    stp x20, x21, [x3, #CONTEXT_X(20)]
    stp x22, x23, [x3, #CONTEXT_X(22)]
    str x24, [x3, #CONTEXT_X(24)]
    str x4, [x3, #CONTEXT_X(4)]
    mov x29, xzr
    mov x16, x2
    br x16
    .size arch_ipc_save, . - arch_ipc_save

/* ── Way out: NORETURN void arch_thread_resume(struct thread *thread) ────────────────────────────────────────────── */
    .balign 64
    .globl arch_thread_resume
    .type arch_thread_resume, @function
arch_thread_resume:
    bti c
    add sp, x0, :lo12:THREAD_CONTEXT
    load_special
    ldr x30, [sp, #CONTEXT_X(30)]
    ldp x0, x1, [sp, #CONTEXT_X(0)]
    ldp x2, x3, [sp, #CONTEXT_X(2)]
    ldp x4, x5, [sp, #CONTEXT_X(4)]
    ldp x6, x7, [sp, #CONTEXT_X(6)]
    ldp x8, x9, [sp, #CONTEXT_X(8)]
    ldp x10, x11, [sp, #CONTEXT_X(10)]
    ldp x12, x13, [sp, #CONTEXT_X(12)]
    ldp x14, x15, [sp, #CONTEXT_X(14)]
    ldp x16, x17, [sp, #CONTEXT_X(16)]
    ldp x18, x19, [sp, #CONTEXT_X(18)]
    ldp x20, x21, [sp, #CONTEXT_X(20)]
    ldp x22, x23, [sp, #CONTEXT_X(22)]
    ldp x24, x25, [sp, #CONTEXT_X(24)]
    ldp x26, x27, [sp, #CONTEXT_X(26)]
    ldp x28, x29, [sp, #CONTEXT_X(28)]
    eret
    dsb nsh                             /* nothing is executed beyond, not even by speculation */
    isb
    .size arch_thread_resume, . - arch_thread_resume

/* ── Interrupts of the kernel: while it idles, or between two steps ──────────────────────────────────────────────── */
#define INTERRUPT_FRAME_BYTES 192
interrupt_entry_kernel:
    sub sp, sp, #INTERRUPT_FRAME_BYTES
    stp x0, x1, [sp, #0]
    stp x2, x3, [sp, #16]
    stp x4, x5, [sp, #32]
    stp x6, x7, [sp, #48]
    stp x8, x9, [sp, #64]
    stp x10, x11, [sp, #80]
    stp x12, x13, [sp, #96]
    stp x14, x15, [sp, #112]
    stp x16, x17, [sp, #128]
    stp x18, x29, [sp, #144]
    mrs x0, elr_el1
    mrs x1, spsr_el1
    stp x30, x0, [sp, #160]
    str x1, [sp, #176]
    bl trap_interrupt
    ldr x1, [sp, #176]
    ldp x30, x0, [sp, #160]
    msr elr_el1, x0
    msr spsr_el1, x1
    ldp x0, x1, [sp, #0]
    ldp x2, x3, [sp, #16]
    ldp x4, x5, [sp, #32]
    ldp x6, x7, [sp, #48]
    ldp x8, x9, [sp, #64]
    ldp x10, x11, [sp, #80]
    ldp x12, x13, [sp, #96]
    ldp x14, x15, [sp, #112]
    ldp x16, x17, [sp, #128]
    ldp x18, x29, [sp, #144]
    add sp, sp, #INTERRUPT_FRAME_BYTES
    eret
    dsb nsh                             /* nothing is executed beyond, not even by speculation */
    isb

/* ── Faults of the kernel ────────────────────────────────────────────────────────────────────────────────────────── */
/* The user's read-only thread pointer, which is kept zero, and SP_EL0, which is the CPU's block again before C looks, serve as scratch. A
 * way back there is from a late fault alone (kernelmap_is_late). */
fault_entry:
    msr tpidrro_el0, x0
    msr sp_el0, x1
    mov x1, sp
    mrs x0, tpidr_el1
    ldr x0, [x0, #CPU_SCRATCH]
    sub x0, x0, #FRAME_BYTES
    mov sp, x0
    str x1, [sp, #FRAME_SP]
    mrs x0, tpidrro_el0
    mrs x1, sp_el0
    msr tpidrro_el0, xzr
    stp x0, x1, [sp, #0]
    stp x2, x3, [sp, #16]
    stp x4, x5, [sp, #32]
    stp x6, x7, [sp, #48]
    stp x8, x9, [sp, #64]
    stp x10, x11, [sp, #80]
    stp x12, x13, [sp, #96]
    stp x14, x15, [sp, #112]
    stp x16, x17, [sp, #128]
    stp x18, x19, [sp, #144]
    stp x20, x21, [sp, #160]
    stp x22, x23, [sp, #176]
    stp x24, x25, [sp, #192]
    stp x26, x27, [sp, #208]
    stp x28, x29, [sp, #224]
    str x30, [sp, #240]
    mrs x0, elr_el1
    mrs x1, spsr_el1
    stp x0, x1, [sp, #FRAME_PC]
    mrs x0, esr_el1
    mrs x1, far_el1
    stp x0, x1, [sp, #FRAME_ESR]
    mrs x1, tpidr_el1
    msr sp_el0, x1
    mov x0, sp
    bl trap_kernel
    ldp x2, x3, [sp, #16]
    ldp x4, x5, [sp, #32]
    ldp x6, x7, [sp, #48]
    ldp x8, x9, [sp, #64]
    ldp x10, x11, [sp, #80]
    ldp x12, x13, [sp, #96]
    ldp x14, x15, [sp, #112]
    ldp x16, x17, [sp, #128]
    ldr x18, [sp, #144]
    ldr x30, [sp, #240]
    ldr x0, [sp, #FRAME_SP]
    mov x1, sp
    mov sp, x0
    ldp x0, x1, [x1]
    eret
    dsb nsh                             /* nothing is executed beyond, not even by speculation */
    isb

    .section .note.GNU-stack, "", @progbits
