/* The first and the last instructions of a thread. */
#include <veridian/syscall_numbers.h>

    .section .text.os_thread_entry, "ax", @progbits
    .globl os_thread_entry
    .type os_thread_entry, @function
os_thread_entry:                        /* rdi: struct thread_begin */
    xorl %ebp, %ebp
    andq $-16, %rsp
    call os_thread_begin
    ud2
    .size os_thread_entry, . - os_thread_entry

    .section .text.os_thread_finish, "ax", @progbits
    .globl os_thread_finish
    .type os_thread_finish, @function
os_thread_finish:                       /* rdi: word; rsi, rdx, rcx: address space, base, bytes */
    movq %rdi, %rbx
    testq %rcx, %rcx
    jz 1f
    movq %rsi, %rdi
    movq %rdx, %rsi
    movq %rcx, %rdx
    movl $SYS_ASPACE_UNMAP, %eax
    syscall
1:  testq %rbx, %rbx
    jz 2f
    movl $0, (%rbx)
    movq %rbx, %rdi
    movl $1, %esi
    movl $SYS_THREAD_FUTEX_WAKE, %eax
    syscall
2:  movl $SYS_THREAD_EXIT, %eax
    syscall
    ud2
    .size os_thread_finish, . - os_thread_finish
    .section .note.GNU-stack, "", @progbits
