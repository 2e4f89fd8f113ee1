/* The first instruction of every program: stack pointer at the vector, start block or init_info in x0. */
    .section .text._start, "ax", @progbits
    .globl _start
    .type _start, @function
_start:
    mov x29, xzr
    mov x30, xzr
    mov x1, sp
    and sp, x1, #-16
    bl os_start
    brk #0
    .size _start, . - _start
    .section .note.GNU-stack, "", @progbits
