/* void register_set_pass(unsigned set, const void *in, void *out, bool yield, uint64_t turns): there is one set, SSE's registers. */
#include <veridian/syscall_numbers.h>

    .text
    .globl register_set_pass
    .type register_set_pass, @function
register_set_pass:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    movq %rdx, %rbp
    movq %r8, %rbx
    testl %edi, %edi
    jnz 5f
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movups (16 * \n)(%rsi), %xmm\n
    .endr
    testb %cl, %cl
    jz 1f
    movl $SYS_THREAD_YIELD, %eax
    syscall
    jmp 2f
1:  subq $1, %rbx
    jg 1b
2:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movups %xmm\n, (16 * \n)(%rbp)
    .endr
8:  popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret
5:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovups (32 * \n)(%rsi), %ymm\n
    .endr
    testb %cl, %cl
    jz 6f
    movl $SYS_THREAD_YIELD, %eax
    syscall
    jmp 7f
6:  subq $1, %rbx
    jg 6b
7:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovups %ymm\n, (32 * \n)(%rbp)
    .endr
    jmp 8b
    .size register_set_pass, . - register_set_pass

/* unsigned message_filled(uint64_t number, handle_t target, uint64_t info, uint64_t fill, uint64_t *out) */
    .globl message_filled
    .type message_filled, @function
message_filled:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    pushq %r8
    movq %rdi, %rax
    movq %rsi, %rdi
    movq %rdx, %rsi
    movq %rcx, %r10
    movq %rcx, %rbp
    .irp word, ebx, r12d, r13d, r14d, r15d, r8d, r9d
    xorl %\word, %\word
    .endr
    movq $-1, %rdx
    syscall
    popq %rcx
    movq %rdx, 0(%rcx)
    movq %r9, 8(%rcx)
    movq %r10, 16(%rcx)
    movl $3, %eax
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret
    .size message_filled, . - message_filled

    .section .note.GNU-stack, "", @progbits
