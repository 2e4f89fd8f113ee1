/* The ways into the kernel and out of it.
 *
 * From user mode every register goes straight into the context of cpu->current; then C runs on the CPU's kernel stack, from its top, and
 * never returns: it ends in arch_thread_resume(). Kernel mode is interrupted only in arch_cpu_idle() and arch_irq_window(); such a trap
 * saves a struct trap_frame on the stack it found and returns by it.
 *
 * sscratch holds the CPU's struct cpu while user code runs and zero in the kernel, where tp holds it: one exchange tells where a trap
 * comes from. sstatus needs little care: a trap from user mode leaves SPP 0 and SPIE 1, sret after a trap from the kernel sets them so, and
 * SUM and MXR are never set. Traps in the kernel nest: a late fault (kernelmap_is_late) in the work of an interrupt.
 * A trap other than a system call drops the LR reservation, so that no thread's SC can succeed by what another one loaded.
 * A fault in kernel mode first looks whether the stack has room for its frame, else it is reported on a stack of its own.
 *
 * A message call saves what its ABI keeps, and its arguments but for the words: those stay in registers (ipc/fastpath.c).
 * Another system call saves its arguments, sp, gp, tp and pc; one that may wait (SYSCALL_MAY_WAIT) all that its ABI keeps. If the same thread goes on
 * with nothing to be seen to, the short way out loads what C may have changed, and the rest is in its registers still; what the ABI does
 * not keep gets older values of the same thread. */

#include <veridian/syscall_numbers.h>

#define CPU_KERNEL_STACK 8
#define CPU_CURRENT 16
#define CPU_SCRATCH 24
#define CPU_SCRATCH2 32
#define CPU_WORK 52
#define CAUSE_USER_CALL 8
#define FRAME_BYTES 288                 /* struct trap_frame */
#define OVERFLOW_STACK_OFFSET 12288
#ifdef CONFIG_KASAN
#define KERNEL_STACK_PAGES 8
#else
#define KERNEL_STACK_PAGES 4
#endif

    .macro put register, base
    sd \register, %lo(CONTEXT_\register)(\base)
    .endm
    .macro get register, base
    ld \register, %lo(CONTEXT_\register)(\base)
    .endm
    .macro for_each_saved what, base
    .irp register, s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11
    \what \register, \base
    .endr
    .endm
    .macro for_each_argument what, base
    .irp register, a1, a2, a3, a4, a5, a6, a7
    \what \register, \base
    .endr
    .endm

    .section .text.entry, "ax", @progbits
    .balign 64
    .globl trap_entry
    .type trap_entry, @function
trap_entry:
    csrrw tp, sscratch, tp
    beqz tp, trap_entry_kernel
    sd t0, CPU_SCRATCH(tp)
    ld t0, CPU_CURRENT(tp)
    put sp, t0
    mv sp, t0
    csrr t0, scause
    addi t0, t0, -CAUSE_USER_CALL
    bnez t0, trap_entry_other

/* ── System calls ─────────────────────────────────────────────────────────────────────────────────────────────────── */
    .irp register, a0, a1, a2, a5, gp
    put \register, sp
    .endr
    csrrw t0, sscratch, zero
    sd t0, %lo(CONTEXT_tp)(sp)
    csrr t0, sepc
    addi t0, t0, 4
    sd t0, %lo(CONTEXT_pc)(sp)
    ld t0, %lo(THREAD_syscall_limit)(sp)
    bgeu a7, t0, syscall_other
    addi t0, a7, -SYS_ENDPOINT_CALL
    beqz t0, message_call
    addi t0, a7, -SYS_ENDPOINT_REPLY_RECEIVE
    beqz t0, message_reply_receive
    ld t0, CPU_SCRATCH(tp)
    .irp register, t0, a3, a4, a6, a7
    put \register, sp
    .endr
    mv a0, sp
    ld sp, CPU_KERNEL_STACK(tp)
    la t0, syscall_index
    add t0, t0, a7
    lb t0, 0(t0)
    bltz t0, syscall_waits                  /* SYSCALL_MAY_WAIT is its sign */
    la t1, syscall_dispatchers
    slli t0, t0, 3
    add t0, t0, t1
    ld t0, 0(t0)
    jalr t0

/* The status is in a0. */
syscall_return:
    lw t0, CPU_WORK(tp)
    mv a7, a0
    ld a0, CPU_CURRENT(tp)
    bnez t0, syscall_work
    ld t0, %lo(CONTEXT_pc)(a0)
    csrw sscratch, tp
    csrw sepc, t0
    .irp register, ra, sp, tp, t0, t1, t2, t3, t4, t5, t6, a1, a2, a3, a4, a5, a6
    get \register, a0
    .endr
    get a0, a0
    sret

syscall_waits:
    for_each_saved put, a0
    call trap_syscall
    j syscall_return

syscall_other:
    ld t0, CPU_SCRATCH(tp)
    .irp register, t0, t1, t2, a3, a4, a6, a7, ra, t3, t4, t5, t6
    put \register, sp
    .endr
    for_each_saved put, sp
    mv a0, sp
    ld sp, CPU_KERNEL_STACK(tp)
    li s0, 0
    call trap_foreign
    unimp

/* IPC_FAST: a0 handle, a1 info, a2 deadline, a3 thread, a4 the last word, a5 queue. */
    .macro message function
    put s0, sp
    mv a3, sp
    ld sp, CPU_KERNEL_STACK(tp)
    j \function
    .endm
message_call:
    message fast_call
message_reply_receive:
    message fast_reply_receive

syscall_work:
    put a7, a0
    for_each_saved put, a0
    li s0, 0
    call sched_leave
    unimp

/* ── Exceptions and interrupts of user mode ───────────────────────────────────────────────────────────────────────── */
trap_entry_other:
    ld t0, CPU_SCRATCH(tp)
    put a0, sp
    for_each_argument put, sp
    for_each_saved put, sp
    .irp register, ra, gp, t0, t1, t2, t3, t4, t5, t6
    put \register, sp
    .endr
    csrr a1, scause
    csrrw t1, sscratch, zero
    csrr t2, sepc
    sd t1, %lo(CONTEXT_tp)(sp)
    sd t2, %lo(CONTEXT_pc)(sp)
    addi t0, tp, CPU_SCRATCH
    sc.d zero, zero, (t0)
    mv a0, sp
    ld sp, CPU_KERNEL_STACK(tp)
    li s0, 0
    call trap_from_user
    unimp
    .size trap_entry, . - trap_entry

/* ── The rest of message calls: see IPC_FAST in arch.h ───────────────────────────────────────────────────────────── */
    .balign 64
    .globl arch_ipc_switch
    .type arch_ipc_switch, @function
arch_ipc_switch:
    csrw satp, a2
    .globl arch_ipc_resume
    .type arch_ipc_resume, @function
arch_ipc_resume:
    ld t0, %lo(CONTEXT_pc)(a3)
    csrw sscratch, tp
    csrw sepc, t0
    .irp register, sp, gp, tp, s0
    get \register, a3
    .endr
    .irp register, ra, t0, t1, t2, s1, a2, a3, a6, a7, s7, s8, s9, s10, s11, t3, t4, t5, t6
    li \register, 0
    .endr
    sret
    .size arch_ipc_switch, . - arch_ipc_switch

    .globl arch_ipc_save
    .type arch_ipc_save, @function
arch_ipc_save:
    .irp register, s2, s3, s4, s5, s6, a4
    put \register, a3
    .endr
    li s0, 0
    jr a2
    .size arch_ipc_save, . - arch_ipc_save

/* ── Way out: NORETURN void arch_thread_resume(struct thread *thread) ────────────────────────────────────────────── */
    .balign 64
    .globl arch_thread_resume
    .type arch_thread_resume, @function
arch_thread_resume:
    ld t0, %lo(CONTEXT_pc)(a0)
    csrw sscratch, tp
    csrw sepc, t0
    .irp register, ra, sp, gp, tp, t0, t1, t2, t3, t4, t5, t6
    get \register, a0
    .endr
    for_each_saved get, a0
    for_each_argument get, a0
    get a0, a0
    sret
    .size arch_thread_resume, . - arch_thread_resume

/* ── Traps in kernel mode ─────────────────────────────────────────────────────────────────────────────────────────── */
    .balign 64
    .type trap_entry_kernel, @function
trap_entry_kernel:
    csrrw tp, sscratch, tp
    sd t0, CPU_SCRATCH2(tp)
    sd sp, CPU_SCRATCH(tp)
    addi sp, sp, -FRAME_BYTES
    ld t0, CPU_KERNEL_STACK(tp)
    sub t0, t0, sp
    srli t0, t0, 12
    sltiu t0, t0, KERNEL_STACK_PAGES
    bnez t0, 1f
    ld sp, CPU_KERNEL_STACK(tp)
    li t0, OVERFLOW_STACK_OFFSET - FRAME_BYTES
    add sp, sp, t0
1:  ld t0, CPU_SCRATCH2(tp)
    .set offset, 8
    .irp register, ra, sp, gp, tp, t0, t1, t2, s0, s1, a0, a1, a2, a3, a4, a5, a6, a7, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, t3, t4, t5, t6
    sd \register, offset(sp)
    .set offset, offset + 8
    .endr
    ld t0, CPU_SCRATCH(tp)
    csrr t1, sepc
    csrr t2, sstatus
    csrr t3, scause
    csrr t4, stval
    sd t0, 16(sp)
    sd t1, 0(sp)
    sd t2, 256(sp)
    sd t3, 264(sp)
    sd t4, 272(sp)
    mv a0, sp
    call trap_from_kernel
    /* A late fault in an interrupt's work has changed these; SPIE is as either of them needs it. */
    ld t0, 0(sp)
    li t1, 1 << 8                       /* SPP */
    csrw sepc, t0
    csrs sstatus, t1
    .set offset, 40
    .irp register, t0, t1, t2, s0, s1, a0, a1, a2, a3, a4, a5, a6, a7, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, t3, t4, t5, t6
    ld \register, offset(sp)
    .set offset, offset + 8
    .endr
    ld ra, 8(sp)
    ld sp, 16(sp)
    sret
    .size trap_entry_kernel, . - trap_entry_kernel

    .section .note.GNU-stack, "", @progbits
