/* The first and the last instructions of a thread. */
#include <veridian/syscall_numbers.h>

    .section .text.os_thread_entry, "ax", @progbits
    .globl os_thread_entry
    .type os_thread_entry, @function
os_thread_entry:                        /* x0: struct thread_begin */
    bti c
    mov x29, xzr
    mov x30, xzr
    mov x1, sp
    and sp, x1, #-16
    bl os_thread_begin
    brk #0
    .size os_thread_entry, . - os_thread_entry

    .section .text.os_thread_finish, "ax", @progbits
    .globl os_thread_finish
    .type os_thread_finish, @function
os_thread_finish:                       /* x0: word; x1, x2, x3: address space, base, bytes */
    bti c
    mov x19, x0
    cbz x3, 1f
    mov x0, x1
    mov x1, x2
    mov x2, x3
    mov x8, #SYS_ASPACE_UNMAP
    svc #0
1:  cbz x19, 2f
    str wzr, [x19]
    mov x0, x19
    mov x1, #1
    mov x8, #SYS_THREAD_FUTEX_WAKE
    svc #0
2:  mov x8, #SYS_THREAD_EXIT
    svc #0
    brk #0
    .size os_thread_finish, . - os_thread_finish
    .section .note.GNU-stack, "", @progbits
