#pragma once
/* Linux as its programs see it, as far as these use it: system calls by number, each architecture's own, in arch_linux.h.
 * A program here has no library; main() gets the argument's first letter, and its result is the exit status. */
#include <arch_linux.h>
#include <stddef.h>
#include <stdint.h>

#define CALL0(name) linux_call(NR_##name, 0, 0, 0, 0, 0, 0)
#define CALL1(name, a) linux_call(NR_##name, (long)(a), 0, 0, 0, 0, 0)
#define CALL2(name, a, b) linux_call(NR_##name, (long)(a), (long)(b), 0, 0, 0, 0)
#define CALL3(name, a, b, c) linux_call(NR_##name, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define CALL4(name, a, b, c, d) \
    linux_call(NR_##name, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define CALL6(name, a, b, c, d, e, f) \
    linux_call(NR_##name, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

enum { ENOENT = 2, EINTR = 4, EAGAIN = 11, EFAULT = 14, EINVAL = 22, ENOSPC = 28, ENOSYS = 38 };
enum { WNOHANG = 1 };
enum { SIGTRAP = 5, SIGKILL = 9, SIGUSR1 = 10, SIGSEGV = 11, SIGCHLD = 17 };
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

/** Of perf_event_open, as far as a breakpoint of the CPU needs it (include/uapi/linux/perf_event.h, hw_breakpoint.h). */
enum { PERF_TYPE_BREAKPOINT = 5 };
enum { BREAKPOINT_READ = 1, BREAKPOINT_WRITE = 2, BREAKPOINT_EXECUTE = 4 };
#define PERF_REMOVE_ON_EXEC (UINT64_C(1) << 36)
#define PERF_SIGTRAP (UINT64_C(1) << 37)
struct linux_perf_event {
    uint32_t type, size;
    uint64_t config, sample_period, sample_type, read_format, flags;
    uint32_t wakeup_events, bp_type;
    uint64_t bp_address, bp_bytes;
};

/** In the architecture's start.S: rt_sigreturn; a clone whose child calls run(argument) on its own stack and exits. */
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

/** Where this personality maps the clock page, as Linux has its vDSO, which programs find by AT_SYSINFO_EHDR. */
#define CLOCK_PAGE_ADDRESS 0x3f000000ul
struct linux_timespec {
    long seconds, nanoseconds;
};
enum { CLOCK_MONOTONIC = 1 };

/** What is checked fails with the line as exit status. */
#define EXPECT(condition) ((condition) ? (void)0 : (void)CALL1(exit_group, __LINE__ & 0xff))

int main(int letter);
