/* The first instruction of every program: stack pointer at the vector, start block or init_info in a0. */
    .section .text._start, "ax", @progbits
    .globl _start
    .type _start, @function
_start:
    li s0, 0
    mv a1, sp
    andi sp, sp, -16
    call os_start
    unimp
    .size _start, . - _start
    .section .note.GNU-stack, "", @progbits
