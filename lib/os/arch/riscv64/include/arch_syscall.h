#pragma once
/* Which register of RV64 carries what in a system call; <os/syscall.h>, which alone includes
 * this, makes the calls of it. */

#define SYSCALL_INSTRUCTION "ecall"
/* The number; the status afterwards. */
#define SYSCALL_NUMBER "a7"

/* The arguments, any of which the kernel may change, and what it changes beside them: it keeps
 * s0 to s11, sp, gp and tp. */
#define SYSCALL_ARG0 "a0"
#define SYSCALL_ARG1 "a1"
#define SYSCALL_ARG2 "a2"
#define SYSCALL_ARG3 "a3"
#define SYSCALL_ARG4 "a4"
#define SYSCALL_ARG5 "a5"
#define SYSCALL_ARG6 "a6"
#define SYSCALL_ARG7 "t0"
#define SYSCALL_CLOBBERS "t1", "t2", "t3", "t4", "t5", "t6", "ra"
/* The arguments whose registers hold the results. */
#define SYSCALL_RESULTS arg1, arg2, arg3, arg4

/* Message calls; they keep nothing but sp, gp, tp and s0. */
#define IPC_TARGET "a0"
#define IPC_INFO "a1"
#define IPC_WORD0 "s2"
#define IPC_WORD1 "s3"
#define IPC_WORD2 "s4"
#define IPC_WORD3 "s5"
#define IPC_WORD4 "s6"
#define IPC_WORD5 "a4"
#define IPC_DEADLINE "a2"
#define IPC_QUEUE "a5"
#define IPC_CLOBBERS \
    "a3", "a6", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "s1", "s7", "s8", "s9", "s10", "s11", "ra"
