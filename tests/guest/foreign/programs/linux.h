#pragma once
/* Linux as its programs see it, as far as these use it: system calls by number, each architecture's own (arch/x86/entry/syscalls/syscall_64.tbl,
 * include/uapi/asm-generic/unistd.h). A program here has no library; main() gets the argument's first letter, and its result is the exit status. */
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
enum {
    NR_read = 0,
    NR_write = 1,
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
    NR_exit_group = 231,
    NR_openat = 257,
    NR_pipe2 = 293,
};
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
#else
enum {
    NR_openat = 56,
    NR_pipe2 = 59,
    NR_read = 63,
    NR_write = 64,
    NR_exit = 93,
    NR_exit_group = 94,
    NR_futex = 98,
    NR_kill = 129,
    NR_rt_sigaction = 134,
    NR_rt_sigreturn = 139,
    NR_getpid = 172,
    NR_getppid = 173,
    NR_gettid = 178,
    NR_clone = 220,
    NR_execve = 221,
    NR_mmap = 222,
    NR_wait4 = 260,
};
#if defined(__aarch64__)
static inline long linux_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc #0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
}
#else
static inline long linux_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long a7 __asm__("a7") = number;
    register long a0 __asm__("a0") = a;
    register long a1 __asm__("a1") = b;
    register long a2 __asm__("a2") = c;
    register long a3 __asm__("a3") = d;
    register long a4 __asm__("a4") = e;
    register long a5 __asm__("a5") = f;
    __asm__ volatile("ecall"
                     : "+r"(a0)
                     : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5)
                     : "memory");
    return a0;
}
#endif
#endif

#define CALL0(name) linux_call(NR_##name, 0, 0, 0, 0, 0, 0)
#define CALL1(name, a) linux_call(NR_##name, (long)(a), 0, 0, 0, 0, 0)
#define CALL2(name, a, b) linux_call(NR_##name, (long)(a), (long)(b), 0, 0, 0, 0)
#define CALL3(name, a, b, c) linux_call(NR_##name, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define CALL4(name, a, b, c, d) \
    linux_call(NR_##name, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define CALL6(name, a, b, c, d, e, f) \
    linux_call(NR_##name, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

enum { EINTR = 4, EAGAIN = 11, EFAULT = 14, ENOSYS = 38 };
enum { WNOHANG = 1 };
enum { SIGKILL = 9, SIGUSR1 = 10, SIGSEGV = 11, SIGCHLD = 17 };
enum { SA_RESTORER = 0x04000000 };
enum {
    CLONE_VM = 0x100,
    CLONE_VFORK = 0x4000,
    CLONE_THREAD = 0x10000,
    CLONE_SETTLS = 0x80000,
    CLONE_CHILD_CLEARTID = 0x200000,
};
enum { FUTEX_WAIT = 0, FUTEX_WAKE = 1 };

/** rt_sigaction's, of x86; that of the others has no restorer, and is passed with one all the same: there is no vDSO here. */
struct linux_sigaction {
    void (*handler)(int signal);
    unsigned long flags;
    void (*restorer)(void);
    unsigned long mask;
};

/** In start.S of this folder: rt_sigreturn; a clone whose child calls run(argument) on its own stack and exits. */
void linux_restorer(void);
long linux_thread(unsigned long flags, void *stack_top, void (*run)(void *), void *argument,
                  uint32_t *cleared, void *tls);

static inline long linux_fork(unsigned long flags)
{
    return CALL4(clone, flags | SIGCHLD, 0, 0, 0);
}

static inline long linux_wait(long pid)
{
    int status = 0;
    long got = CALL4(wait4, pid, &status, 0, 0);
    return got < 0 ? got : status;
}

static inline void linux_signal(int signal, void (*handler)(int))
{
    struct linux_sigaction action = {.handler = handler,
                                     .flags = SA_RESTORER,
                                     .restorer = linux_restorer};
    (void)CALL4(rt_sigaction, signal, &action, 0, 8);
}

/** What is checked fails with the line as exit status. */
#define EXPECT(condition) ((condition) ? (void)0 : (void)CALL1(exit_group, __LINE__ & 0xff))

int main(int letter);
