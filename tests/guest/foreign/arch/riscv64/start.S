/* The first instruction of a program, the signal restorer, and threads. At the entry the stack pointer is at argc, argv follows. */
    .text
    .globl _start, linux_restorer, linux_thread
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
    .section .note.GNU-stack, "", @progbits
