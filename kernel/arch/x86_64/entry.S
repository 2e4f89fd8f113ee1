/* The ways into the kernel and out of it.
 *
 * From user mode every register goes straight into the context of cpu->current; then C runs on the CPU's kernel stack, from its
 * top, and never returns: it ends in arch_thread_resume(). Kernel mode is interrupted only where it lets interrupts in, in
 * arch_cpu_idle() and arch_irq_window(); such a trap saves a struct trap_frame on the stack it found and returns by it.
 *
 * GS: user's base while user code runs, struct cpu in the kernel; swapgs changes over. CR4.FSGSBASE lets user code write both
 * bases, so neither says anything: on the way in the old values are forgotten, on the way out both are loaded from the context. A
 * value written by user code lasts until the thread leaves by arch_thread_resume() only: preempted, or after a wait. NMI, machine
 * check, double fault and debug exceptions may come between an entry and its swapgs; they run on stacks of their own, whose top word is the CPU's
 * struct cpu, put that into GS and the old value back.
 *
 * What comes in with syscall has rip below ARCH_USER_END + 1 (its last page is never mapped), so sysret cannot fault; arch_regs_set
 * checks the addresses that iretq loads. The register file is loaded whole, so nothing of the kernel is left in it: rcx and
 * r11 after sysret are the user's rip and flags.
 *
 * A message call saves what its ABI keeps, and its arguments but for the words: those stay in registers (ipc/fastpath.c).
 * Another system call saves its arguments, and what C does not preserve; a quick one (SYSCALL_MAY_WAIT) no more than that. If the same thread goes
 * on with nothing to be seen to, the short way out loads what C may have changed, and the rest is in its registers still. by_syscall is 1
 * whenever user code runs, so that only traps need to say what they are. */

#include <veridian/syscall_numbers.h>

#define CPU_KERNEL_STACK 8
#define CPU_CURRENT 16
#define CPU_SCRATCH 24
#define CPU_WORK 52

    .section .text.entry, "ax", @progbits

    .macro save_arguments base
    movq %r10, CONTEXT_r10(\base)
    movq %r8, CONTEXT_r8(\base)
    movq %r12, CONTEXT_r12(\base)
    movq %r13, CONTEXT_r13(\base)
    movq %r14, CONTEXT_r14(\base)
    movq %r15, CONTEXT_r15(\base)
    .endm

/* ── System calls ───────────────────────────────────────────────────────────────────────────────────────────────── */
    .balign 64
    .globl syscall_entry
    .type syscall_entry, @function
syscall_entry:
    swapgs
    movq %rsp, %gs:CPU_SCRATCH
    movq %gs:CPU_CURRENT, %rsp
    movq %rcx, CONTEXT_rip(%rsp)
    movq %r11, CONTEXT_rflags(%rsp)
    movq %gs:CPU_SCRATCH, %rcx
    movq %rcx, CONTEXT_rsp(%rsp)
    movq %rdi, CONTEXT_rdi(%rsp)
    movq %rsi, CONTEXT_rsi(%rsp)
    movq %rdx, CONTEXT_rdx(%rsp)
    movq %r9, CONTEXT_r9(%rsp)
    movq %rsp, %rcx
    movq %gs:CPU_KERNEL_STACK, %rsp
    cmpq THREAD_syscall_limit(%rcx), %rax
    jae syscall_other
    cmpl $SYS_ENDPOINT_CALL, %eax
    je message_call
    cmpl $SYS_ENDPOINT_REPLY_RECEIVE, %eax
    je message_reply_receive
    save_arguments %rcx
    movq %rcx, %rdi
    movzbl syscall_index(%rax), %ecx
    testb %cl, %cl                          /* SYSCALL_MAY_WAIT is its sign */
    js syscall_waits
    call *syscall_dispatchers(, %rcx, 8)

/* The status is in eax. */
syscall_return:
    cmpl $0, %gs:CPU_WORK
    movq %gs:CPU_CURRENT, %rdi
    jne syscall_work
    cltq
    movq CONTEXT_rflags(%rdi), %r11
    movq CONTEXT_rip(%rdi), %rcx
    movq CONTEXT_rdx(%rdi), %rdx
    movq CONTEXT_r10(%rdi), %r10
    movq CONTEXT_r8(%rdi), %r8
    movq CONTEXT_r9(%rdi), %r9
    movq CONTEXT_rsp(%rdi), %rsp
    xorl %esi, %esi
    xorl %edi, %edi
    swapgs
    sysretq

syscall_waits:
    movq %rax, CONTEXT_rax(%rdi)
    movq %rbx, CONTEXT_rbx(%rdi)
    movq %rbp, CONTEXT_rbp(%rdi)
    call trap_syscall
    jmp syscall_return

syscall_work:
    cltq
    movq %rax, CONTEXT_rax(%rdi)
    movq %rbx, CONTEXT_rbx(%rdi)
    movq %rbp, CONTEXT_rbp(%rdi)
    xorl %ebp, %ebp
    call sched_leave
    ud2

syscall_other:
    save_arguments %rcx
    movq %rcx, %rdi
    movq %rax, CONTEXT_rax(%rdi)
    movq %rbx, CONTEXT_rbx(%rdi)
    movq %rbp, CONTEXT_rbp(%rdi)
    xorl %ebp, %ebp
    call trap_foreign
    ud2

/* IPC_FAST: rdi handle, rsi info, rdx deadline, rcx thread, r8 the last word, r9 queue. */
message_call:
    movq %rbp, CONTEXT_rbp(%rcx)
    call fast_call
    ud2
message_reply_receive:
    movq %rbp, CONTEXT_rbp(%rcx)
    call fast_reply_receive
    ud2
    .size syscall_entry, . - syscall_entry

/* ── The rest of message calls: see IPC_FAST in arch.h ──────────────────────────────────────────────────────────── */
    .balign 64
    .globl arch_ipc_switch
    .type arch_ipc_switch, @function
arch_ipc_switch:
    movq %rdx, %cr3
    .globl arch_ipc_resume
    .type arch_ipc_resume, @function
arch_ipc_resume:
    movq CONTEXT_fs_base(%rcx), %rax
    wrfsbase %rax
    movq CONTEXT_gs_base(%rcx), %rdx
    movq CONTEXT_rflags(%rcx), %r11
    movq CONTEXT_rbp(%rcx), %rbp
    movq CONTEXT_rsp(%rcx), %rsp
    swapgs
    wrgsbase %rdx
    movq CONTEXT_rip(%rcx), %rcx
    xorl %eax, %eax
    xorl %edx, %edx
    xorl %r10d, %r10d
    sysretq
    .size arch_ipc_switch, . - arch_ipc_switch

    .globl arch_ipc_save
    .type arch_ipc_save, @function
arch_ipc_save:
    movq %rbx, CONTEXT_rbx(%rcx)
    movq %r12, CONTEXT_r12(%rcx)
    movq %r13, CONTEXT_r13(%rcx)
    movq %r14, CONTEXT_r14(%rcx)
    movq %r15, CONTEXT_r15(%rcx)
    movq %r8, CONTEXT_r8(%rcx)
    xorl %ebp, %ebp
    jmp *%rdx                               /* the stack is as if it had been called */
    int3
    .size arch_ipc_save, . - arch_ipc_save

/* ── Way out: NORETURN void arch_thread_resume(struct thread *thread) ────────────────────────────────────────────── */
    .balign 64
    .globl arch_thread_resume
    .type arch_thread_resume, @function
arch_thread_resume:
    movq CONTEXT_fs_base(%rdi), %rax
    wrfsbase %rax
    movq CONTEXT_gs_base(%rdi), %rcx
    movq CONTEXT_rax(%rdi), %rax
    movq CONTEXT_rbx(%rdi), %rbx
    movq CONTEXT_rdx(%rdi), %rdx
    movq CONTEXT_rsi(%rdi), %rsi
    movq CONTEXT_rbp(%rdi), %rbp
    movq CONTEXT_r8(%rdi), %r8
    movq CONTEXT_r9(%rdi), %r9
    movq CONTEXT_r10(%rdi), %r10
    movq CONTEXT_r12(%rdi), %r12
    movq CONTEXT_r13(%rdi), %r13
    movq CONTEXT_r14(%rdi), %r14
    movq CONTEXT_r15(%rdi), %r15
    cmpq $0, CONTEXT_by_syscall(%rdi)
    je resume_by_iret
    movq CONTEXT_rflags(%rdi), %r11
    movq CONTEXT_rsp(%rdi), %rsp
    swapgs
    wrgsbase %rcx
    movq CONTEXT_rip(%rdi), %rcx
    movq CONTEXT_rdi(%rdi), %rdi
    sysretq

resume_by_iret:
    movq $1, CONTEXT_by_syscall(%rdi)
    movq %gs:CPU_KERNEL_STACK, %rsp
    pushq $0x23                             /* SELECTOR_USER_DATA */
    pushq CONTEXT_rsp(%rdi)
    pushq CONTEXT_rflags(%rdi)
    pushq $0x2b                             /* SELECTOR_USER_CODE */
    pushq CONTEXT_rip(%rdi)
    swapgs
    wrgsbase %rcx
    movq CONTEXT_rcx(%rdi), %rcx
    movq CONTEXT_r11(%rdi), %r11
    movq CONTEXT_rdi(%rdi), %rdi
    iretq
    .size arch_thread_resume, . - arch_thread_resume

/* ── Exceptions and interrupts ───────────────────────────────────────────────────────────────────────────────────── */
/* The stack is now: vector, error code, rip, cs, rflags, rsp, ss. */
    .balign 64
    .type trap_entry, @function
trap_entry:
    testb $3, 24(%rsp)
    jz trap_entry_kernel
    swapgs
    movq %rdi, %gs:CPU_SCRATCH
    movq %gs:CPU_CURRENT, %rdi
    movq %rsi, CONTEXT_rsi(%rdi)
    movq %rdx, CONTEXT_rdx(%rdi)
    popq %rsi
    popq %rdx
    popq CONTEXT_rip(%rdi)
    movq %rax, CONTEXT_rax(%rdi)
    popq %rax                               /* cs: there is only one */
    popq CONTEXT_rflags(%rdi)
    popq CONTEXT_rsp(%rdi)
    movq %gs:CPU_SCRATCH, %rax
    movq %rax, CONTEXT_rdi(%rdi)
    movq %rbx, CONTEXT_rbx(%rdi)
    movq %rcx, CONTEXT_rcx(%rdi)
    movq %rbp, CONTEXT_rbp(%rdi)
    movq %r8, CONTEXT_r8(%rdi)
    movq %r9, CONTEXT_r9(%rdi)
    movq %r10, CONTEXT_r10(%rdi)
    movq %r11, CONTEXT_r11(%rdi)
    movq %r12, CONTEXT_r12(%rdi)
    movq %r13, CONTEXT_r13(%rdi)
    movq %r14, CONTEXT_r14(%rdi)
    movq %r15, CONTEXT_r15(%rdi)
    movq $0, CONTEXT_by_syscall(%rdi)
    movq %gs:CPU_KERNEL_STACK, %rsp
    pushq $2                                /* user's AC and DF must not stay: SMAP, string instructions */
    popfq
    xorl %ebp, %ebp
    call trap_from_user
    ud2
    .size trap_entry, . - trap_entry

    .macro save_frame
    pushq %rax
    pushq %rbx
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %rbp
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    cld
    .endm
    .macro restore_frame
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rbp
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rbx
    popq %rax
    addq $16, %rsp
    iretq
    .endm

    .type trap_entry_kernel, @function
trap_entry_kernel:
    save_frame
    movq %rsp, %rdi
    xorl %ebp, %ebp
    call trap_from_kernel
    restore_frame
    .size trap_entry_kernel, . - trap_entry_kernel

/* From user mode as any other; in the kernel it may be at the first instruction of an entry. */
    .type trap_entry_debug, @function
trap_entry_debug:
    testb $3, 24(%rsp)
    jnz trap_entry
    .size trap_entry_debug, . - trap_entry_debug
/* On a stack of its own. Above the frame: a word of padding, then struct cpu. */
#define FRAME_BYTES (22 * 8)
    .type trap_entry_own_stack, @function
trap_entry_own_stack:
    save_frame
    rdgsbase %rbx
    movq (FRAME_BYTES + 8)(%rsp), %rax
    wrgsbase %rax
    movq %rsp, %rdi
    xorl %ebp, %ebp
    call trap_on_own_stack
    wrgsbase %rbx
    restore_frame
    .size trap_entry_own_stack, . - trap_entry_own_stack

/* Vectors 0 to 31, 16 bytes each. 8, 10 to 14, 17, 21, 29 and 30 push an error code. */
    .balign 16
    .globl exception_entries
    .type exception_entries, @function
exception_entries:
    .set vector, 0
    .rept 32
    .balign 16
    .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)
    pushq $0
    .endif
    pushq $vector
    .if vector == 2 || vector == 8 || vector == 18
    jmp trap_entry_own_stack
    .elseif vector == 1
    jmp trap_entry_debug
    .else
    jmp trap_entry
    .endif
    .set vector, vector + 1
    .endr
    .balign 16
    .size exception_entries, . - exception_entries

/* Vectors 32 to 255, 8 bytes each: the byte pushed is the vector less 128. */
    .globl interrupt_entries
    .type interrupt_entries, @function
interrupt_entries:
    .set vector, 32
    .rept 224
    .balign 8
    pushq $(vector - 128)
    jmp interrupt_entry
    .set vector, vector + 1
    .endr
    .balign 8
interrupt_entry:
    addq $128, (%rsp)
    pushq (%rsp)
    jmp trap_entry
    .size interrupt_entries, . - interrupt_entries

    .section .note.GNU-stack, "", @progbits
