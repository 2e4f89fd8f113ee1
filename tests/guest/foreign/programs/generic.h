#pragma once
/* Linux's system calls on architectures without a table of their own (include/uapi/asm-generic/unistd.h). */
enum {
    NR_openat = 56,
    NR_close = 57,
    NR_pipe2 = 59,
    NR_read = 63,
    NR_write = 64,
    NR_exit = 93,
    NR_exit_group = 94,
    NR_futex = 98,
    NR_clock_gettime = 113,
    NR_kill = 129,
    NR_rt_sigaction = 134,
    NR_rt_sigreturn = 139,
    NR_getpid = 172,
    NR_getppid = 173,
    NR_gettid = 178,
    NR_clone = 220,
    NR_execve = 221,
    NR_mmap = 222,
    NR_perf_event_open = 241,
    NR_wait4 = 260,
};
