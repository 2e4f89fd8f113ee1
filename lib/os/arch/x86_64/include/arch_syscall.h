#pragma once
/* Which register of x86_64 carries what in a system call; <os/syscall.h>, which alone includes
 * this, makes the calls of it. */

#define SYSCALL_INSTRUCTION "syscall"
/* The number; the status afterwards. */
#define SYSCALL_NUMBER "rax"

/* The arguments, any of which the kernel may change, and what it changes beside them: it keeps
 * rbx, rbp, r14 and r15. */
#define SYSCALL_ARG0 "rdi"
#define SYSCALL_ARG1 "rsi"
#define SYSCALL_ARG2 "rdx"
#define SYSCALL_ARG3 "r10"
#define SYSCALL_ARG4 "r8"
#define SYSCALL_ARG5 "r9"
#define SYSCALL_ARG6 "r12"
#define SYSCALL_ARG7 "r13"
#define SYSCALL_CLOBBERS "rcx", "r11"
/* The arguments whose registers hold the results. */
#define SYSCALL_RESULTS arg2, arg3, arg4, arg5

/* Message calls; they keep nothing but rsp and rbp. */
#define IPC_TARGET "rdi"
#define IPC_INFO "rsi"
#define IPC_WORD0 "rbx"
#define IPC_WORD1 "r12"
#define IPC_WORD2 "r13"
#define IPC_WORD3 "r14"
#define IPC_WORD4 "r15"
#define IPC_WORD5 "r8"
#define IPC_DEADLINE "rdx"
#define IPC_QUEUE "r9"
#define IPC_CLOBBERS "rcx", "r10", "r11"
