/* The first instruction of a program, the signal restorer, and threads. At the entry the stack pointer is at argc, argv follows. */
    .text
    .globl _start, linux_restorer, linux_thread
#if defined(__x86_64__)
_start:
    xorl %ebp, %ebp
    movq 8(%rsp), %rdi
    movzbl (%rdi), %edi
    andq $-16, %rsp
    call main
    movl %eax, %edi
    movl $231, %eax
    syscall
    ud2
linux_restorer:
    movl $15, %eax
    syscall
    ud2
/* flags, stack, run, argument, cleared, tls: the kernel takes flags, stack, -, cleared, tls. */
linux_thread:
    subq $16, %rsi
    movq %rdx, (%rsi)
    movq %rcx, 8(%rsi)
    movq %r8, %r10
    movq %r9, %r8
    movl $56, %eax
    syscall
    testq %rax, %rax
    jnz 1f
    popq %rax
    popq %rdi
    call *%rax
    xorl %edi, %edi
    movl $60, %eax
    syscall
    ud2
1:  ret
#elif defined(__aarch64__)
_start:
    ldr x0, [sp, #8]
    ldrb w0, [x0]
    bl main
    mov x8, #94
    svc #0
    brk #0
linux_restorer:
    mov x8, #139
    svc #0
    brk #0
linux_thread:
    stp x2, x3, [x1, #-16]!
    mov x3, x5                          /* tls; x4 is cleared already */
    mov x8, #220
    svc #0
    cbnz x0, 1f
    ldp x1, x0, [sp], #16
    blr x1
    mov x0, #0
    mov x8, #93
    svc #0
    brk #0
1:  ret
#else
_start:
    .option push
    .option norelax
    la gp, __global_pointer$
    .option pop
    ld a0, 8(sp)
    lbu a0, 0(a0)
    andi sp, sp, -16
    call main
    li a7, 94
    ecall
    ebreak
linux_restorer:
    li a7, 139
    ecall
    ebreak
linux_thread:
    addi a1, a1, -16
    sd a2, 0(a1)
    sd a3, 8(a1)
    mv a3, a5
    li a7, 220
    ecall
    bnez a0, 1f
    ld a1, 0(sp)
    ld a0, 8(sp)
    addi sp, sp, 16
    jalr a1
    li a0, 0
    li a7, 93
    ecall
    ebreak
1:  ret
#endif
    .section .note.GNU-stack, "", @progbits
