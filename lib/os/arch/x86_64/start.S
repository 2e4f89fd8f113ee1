/* The first instruction of every program: stack pointer at the vector, start block or init_info in rdi. */
    .section .text._start, "ax", @progbits
    .globl _start
    .type _start, @function
_start:
    xorl %ebp, %ebp
    movq %rsp, %rsi
    andq $-16, %rsp
    call os_start
    ud2
    .size _start, . - _start
    .section .note.GNU-stack, "", @progbits
