/* The first instruction of a program, the signal restorer, and threads. At the entry the stack pointer is at argc, argv follows. */
    .text
    .globl _start, linux_restorer, linux_thread
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
    .section .note.GNU-stack, "", @progbits
