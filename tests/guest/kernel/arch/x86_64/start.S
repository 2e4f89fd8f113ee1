/* The first instruction, and instructions that tests copy. */
    .text
    .globl _start
_start:
    xorl %ebp, %ebp
    andq $-16, %rsp
    call start_c
    ud2

    .section .rodata, "a", @progbits
    .globl code_returns_42, code_returns_42_end
code_returns_42:
    movl $42, %eax
    ret
code_returns_42_end:

    .section .note.GNU-stack, "", @progbits
