/* The first instruction, and instructions that tests copy. */
    .text
    .globl _start
_start:
    li s0, 0
    andi sp, sp, -16
    call start_c
    unimp

    .section .rodata, "a", @progbits
    .balign 4
    .globl code_returns_42, code_returns_42_end
code_returns_42:
    li a0, 42
    ret
code_returns_42_end:

    .section .note.GNU-stack, "", @progbits
