#pragma once
/* Linux's system calls on x86_64 (arch/x86/entry/syscalls/syscall_64.tbl). */
#include <stdint.h>

#define LINUX_HAS_BREAKPOINTS 1

enum {
    NR_read = 0,
    NR_write = 1,
    NR_close = 3,
    NR_mmap = 9,
    NR_rt_sigaction = 13,
    NR_rt_sigreturn = 15,
    NR_getpid = 39,
    NR_clone = 56,
    NR_execve = 59,
    NR_exit = 60,
    NR_wait4 = 61,
    NR_kill = 62,
    NR_getppid = 110,
    NR_gettid = 186,
    NR_futex = 202,
    NR_clock_gettime = 228,
    NR_exit_group = 231,
    NR_openat = 257,
    NR_pipe2 = 293,
    NR_perf_event_open = 298,
};

/** System call @number: its result, or an error below 0. */
static inline long linux_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "+a"(number)
                     : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return number;
}

/** The word that the thread pointer points at. */
static inline uint64_t linux_tls_word(void)
{
    uint64_t word;

    __asm__ volatile("movq %%fs:0, %0" : "=r"(word));
    return word;
}
