/* The first and the last instructions of a thread. */
#include <veridian/syscall_numbers.h>

    .section .text.os_thread_entry, "ax", @progbits
    .globl os_thread_entry
    .type os_thread_entry, @function
os_thread_entry:                        /* a0: struct thread_begin */
    li s0, 0
    andi sp, sp, -16
    call os_thread_begin
    unimp
    .size os_thread_entry, . - os_thread_entry

    .section .text.os_thread_finish, "ax", @progbits
    .globl os_thread_finish
    .type os_thread_finish, @function
os_thread_finish:                       /* a0: word; a1, a2, a3: address space, base, bytes */
    mv s1, a0
    beqz a3, 1f
    mv a0, a1
    mv a1, a2
    mv a2, a3
    li a7, SYS_ASPACE_UNMAP
    ecall
1:  beqz s1, 2f
    fence rw, w                         /* who sees the word cleared sees all that the thread did */
    sw zero, 0(s1)
    mv a0, s1
    li a1, 1
    li a7, SYS_THREAD_FUTEX_WAKE
    ecall
2:  li a7, SYS_THREAD_EXIT
    ecall
    unimp
    .size os_thread_finish, . - os_thread_finish
    .section .note.GNU-stack, "", @progbits
