/* What the C library asks of a kernel, done with ours.
 *
 * This is no POSIX: only what the library itself cannot do without is here (memory for malloc, waiting for its locks, threads, the
 * standard streams for stdio, clock, randomness, the end), and everything else is -ENOSYS. Files, processes and time of day are
 * reached through <os/…>. There are no signals, so nothing is ever blocked or pending. Part of this runs before the thread pointer is
 * set, hence no stack protector. */
#pragma clang attribute push(__attribute__((no_stack_protector)), apply_to = function)

#include <arch_program.h>
#include <errno.h>
#include <os/clock.h>
#include <os/memory.h>
#include <os/start.h>
#include <os/stream.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <veridian/syscalls.h>

#include "thread.h"

#define FUTEX_OPERATION 127
#define FUTEX_WAIT 0
#define FUTEX_WAKE 1
#define FUTEX_REQUEUE 3
#define RANDOM_PIECE 256u
#define EXIT_SIGNAL 128

long os_linux_call(long n, long a, long b, long c, long d, long e, long f);

static long error_of(status_t status)
{
    switch (status_code(status)) {
    case STATUS_CODE_OK:
        return 0;
    case STATUS_CODE_NO_MEMORY:
        return -ENOMEM;
    case STATUS_CODE_FAULT:
        return -EFAULT;
    case STATUS_CODE_DENIED:
        return -EACCES;
    case STATUS_CODE_PEER_DIED:
        return -EPIPE;
    case STATUS_CODE_INTERRUPTED:
        return -EINTR;
    case STATUS_CODE_BAD_HANDLE:
        return -EBADF;
    case STATUS_CODE_IO:
        return -EIO;
    default:
        return -EINVAL;
    }
}

static uint32_t map_flags(long prot)
{
    return (prot & PROT_READ ? MAP_READ : 0) | (prot & PROT_WRITE ? MAP_WRITE : 0) |
           (prot & PROT_EXEC ? MAP_EXECUTE : 0);
}

static long call_mmap(uint64_t bytes, long prot, long flags)
{
    handle_t memory;
    uint64_t address = 0;
    if (!(flags & MAP_ANONYMOUS) || flags & MAP_FIXED_NOREPLACE || bytes == 0) {
        return -EINVAL;
    }
    status_t status = sys_memory_create(os_self.budget, bytes, 0, &memory);
    if (!status_is_ok(status)) {
        return error_of(status);
    }
    status = sys_aspace_map(os_self.aspace, memory, 0, 0, page_round_up(bytes), map_flags(prot), 0,
                            &address);
    status_ignore(sys_cap_close(memory));
    return status_is_ok(status) ? (long)address : error_of(status);
}

/** The deadline @time from now. */
static uint64_t deadline_of(const struct timespec *time)
{
    uint64_t ns;
    if (time->tv_sec < 0 || __builtin_mul_overflow((uint64_t)time->tv_sec, NS_PER_S, &ns)) {
        return time->tv_sec < 0 ? 0 : DEADLINE_NEVER;
    }
    return clock_deadline(ns + (uint64_t)time->tv_nsec);
}

static long futex_wait(uint64_t address, uint32_t expected, const struct timespec *time)
{
    uint64_t deadline_ns = time ? deadline_of(time) : DEADLINE_NEVER;
    status_t status = sys_thread_futex_wait(address, expected, deadline_ns);
    if (status == STATUS_BUSY) {
        return -EAGAIN;
    }
    return status == STATUS_TIMED_OUT ? -ETIMEDOUT : error_of(status);
}

static long futex_wake(uint64_t address, uint32_t count)
{
    uint32_t woken = 0;
    status_t status = sys_thread_futex_wake(address, count, &woken);
    return status_is_ok(status) ? (long)woken : error_of(status);
}

static long call_futex(uint64_t address, long operation, uint32_t value, long fourth)
{
    switch (operation & FUTEX_OPERATION) {
    case FUTEX_WAIT:
        return futex_wait(address, value, (const struct timespec *)fourth);
    case FUTEX_WAKE:
        return futex_wake(address, value);
    case FUTEX_REQUEUE:
        // Waking who would have been moved is what moving saves; they look at their lock again.
        return futex_wake(address, value + (uint32_t)fourth);
    default:
        return -ENOSYS;
    }
}

static long call_clock(long clock, struct timespec *time)
{
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock < 0) {
        return -EINVAL;
    }
    uint64_t now_ns = clock_now_ns();
    time->tv_sec = (time_t)(now_ns / NS_PER_S);
    time->tv_nsec = (long)(now_ns % NS_PER_S);
    return 0;
}

static long call_sleep(const struct timespec *time)
{
    return error_of(sys_thread_sleep(deadline_of(time)));
}

static long call_random(uint8_t *buffer, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        size_t piece = bytes - done < RANDOM_PIECE ? bytes - done : RANDOM_PIECE;
        status_t status = sys_system_random(buffer + done, piece);
        if (!status_is_ok(status)) {
            return error_of(status);
        }
        done += piece;
    }
    return (long)bytes;
}

static struct stream *stream_of(long fd)
{
    return fd == 0 ? stream_in() : fd == 1 ? stream_out() : fd == 2 ? stream_error() : NULL;
}

static long call_write(long fd, const struct iovec *parts, long count)
{
    struct stream *stream = stream_of(fd);
    long total = 0;
    if (!stream || fd == 0) {
        return -EBADF;
    }
    for (long i = 0; i < count; i++) {
        status_t status = stream_write(stream, parts[i].iov_base, parts[i].iov_len);
        if (!status_is_ok(status)) {
            return error_of(status);
        }
        total += (long)parts[i].iov_len;
    }
    return total;
}

/** Only the first part that has room is filled: stdio asks again for the rest. */
static long call_read(long fd, const struct iovec *parts, long count)
{
    struct stream *stream = stream_of(fd);
    size_t done = 0;
    if (!stream || fd != 0) {
        return -EBADF;
    }
    for (long i = 0; i < count; i++) {
        if (parts[i].iov_len != 0) {
            status_t status = stream_read(stream, parts[i].iov_base, parts[i].iov_len, &done);
            return status_is_ok(status) ? (long)done : error_of(status);
        }
    }
    return 0;
}

static long call_window_size(long fd, struct winsize *size)
{
    struct stream_info info;
    struct stream *stream = stream_of(fd);
    if (!stream || !status_is_ok(stream_describe(stream, &info)) || info.kind != STREAM_TERMINAL) {
        return -ENOTTY;
    }
    *size = (struct winsize){.ws_row = (unsigned short)info.rows,
                             .ws_col = (unsigned short)info.columns};
    return 0;
}

static _Noreturn void end_process(long status)
{
    status_ignore(sys_process_exit(status));
    __builtin_trap();
}

/** stdio's calls. */
static long call_stream(long n, long a, long b, long c)
{
    struct iovec one = {(void *)b, (size_t)c};
    switch (n) {
    case SYS_write:
        return call_write(a, &one, 1);
    case SYS_writev:
        return call_write(a, (const struct iovec *)b, c);
    case SYS_read:
        return call_read(a, &one, 1);
    case SYS_readv:
        return call_read(a, (const struct iovec *)b, c);
    case SYS_ioctl:
        return b == TIOCGWINSZ ? call_window_size(a, (struct winsize *)c) : -ENOTTY;
    case SYS_lseek:
        return -ESPIPE;
    case SYS_close:
        return a >= 0 && a <= 2 ? 0 : -EBADF;
    default:
        return -ENOSYS;
    }
}

/** The calls of threads, and all that is left. */
static long call_thread(long n, long a, long b, long c)
{
    switch (n) {
    case SYS_exit:
        os_thread_leave();
    case SYS_exit_group:
        end_process(a);
    case SYS_tkill:
        end_process(EXIT_SIGNAL + b);
    case SYS_gettid:
        return os_thread_number();
    case SYS_set_tid_address:
        return os_thread_clear_at_exit((volatile int *)a);
    case SYS_sched_yield:
        return error_of(sys_thread_yield());
    case SYS_rt_sigprocmask:
        return 0;
    default:
        return call_stream(n, a, b, c);
    }
}

long os_linux_call(long n, long a, long b, long c, long d, long e, long f)
{
    (void)e;
    (void)f;
    switch (n) {
    case SYS_mmap:
        return call_mmap((uint64_t)b, c, d);
    case SYS_munmap:
        return error_of(sys_aspace_unmap(os_self.aspace, (uint64_t)a, page_round_up((uint64_t)b)));
    case SYS_mprotect:
        return error_of(sys_aspace_protect(os_self.aspace, (uint64_t)a, page_round_up((uint64_t)b),
                                           map_flags(c)));
    case SYS_futex:
        return call_futex((uint64_t)a, b, (uint32_t)c, d);
    case SYS_clock_gettime:
        return call_clock(a, (struct timespec *)b);
    case SYS_nanosleep:
        return call_sleep((const struct timespec *)a);
    case SYS_clock_nanosleep:
        return b == 0 ? call_sleep((const struct timespec *)c) : -ENOSYS;
    case SYS_getrandom:
        return call_random((uint8_t *)a, (size_t)b);
    default:
        return call_sets_tls(n) ? error_of(sys_thread_set_tls((uint64_t)a))
                                : call_thread(n, a, b, c);
    }
}

#pragma clang attribute pop
