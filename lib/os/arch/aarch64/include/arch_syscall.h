#pragma once
/* Which register of AArch64 carries what in a system call; <os/syscall.h>, which alone includes
 * this, makes the calls of it. */

#define SYSCALL_INSTRUCTION "svc #0"
/* The number; the status afterwards. */
#define SYSCALL_NUMBER "x8"

/* The arguments, any of which the kernel may change, and what it changes beside them: it keeps
 * x19 to x29 and sp. */
#define SYSCALL_ARG0 "x0"
#define SYSCALL_ARG1 "x1"
#define SYSCALL_ARG2 "x2"
#define SYSCALL_ARG3 "x3"
#define SYSCALL_ARG4 "x4"
#define SYSCALL_ARG5 "x5"
#define SYSCALL_ARG6 "x6"
#define SYSCALL_ARG7 "x7"
#define SYSCALL_CLOBBERS "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x30"
/* The arguments whose registers hold the results. */
#define SYSCALL_RESULTS arg1, arg2, arg3, arg4

/* Message calls; they keep nothing but sp and x29. */
#define IPC_TARGET "x0"
#define IPC_INFO "x1"
#define IPC_WORD0 "x20"
#define IPC_WORD1 "x21"
#define IPC_WORD2 "x22"
#define IPC_WORD3 "x23"
#define IPC_WORD4 "x24"
#define IPC_WORD5 "x4"
#define IPC_DEADLINE "x2"
#define IPC_QUEUE "x5"
#define IPC_CLOBBERS                                                                              \
    "x3", "x6", "x7", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x19", \
        "x25", "x26", "x27", "x28", "x30"
