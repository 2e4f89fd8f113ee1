/* The first instruction of a program, the signal restorer, and threads. At the entry the stack pointer is at argc, argv follows. */
    .text
    .globl _start, linux_restorer, linux_thread
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
    .section .note.GNU-stack, "", @progbits
