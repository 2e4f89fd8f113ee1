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
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret
    .size register_set_pass, . - register_set_pass

    .section .note.GNU-stack, "", @progbits
