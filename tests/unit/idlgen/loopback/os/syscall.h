#pragma once
/* Stands in for the real <os/syscall.h>: every way into the kernel ends in transport.c. */
#include <stdint.h>
#include <veridian/abi.h>
#include <veridian/syscall_numbers.h>

struct ipc_regs {
    uint64_t target;
    uint64_t info;
    uint64_t words[6];
    uint64_t deadline;
    uint64_t queue;
};

MUST_CHECK status_t ipc_raw_call(struct ipc_regs *regs);
MUST_CHECK status_t ipc_raw_receive(struct ipc_regs *regs);
MUST_CHECK status_t ipc_raw_reply_receive(struct ipc_regs *regs);
MUST_CHECK status_t ipc_raw_reply(struct ipc_regs *regs);

MUST_CHECK status_t fake_syscall(uint64_t number, const uint64_t arguments[8], uint64_t results[4]);

#define ARGUMENTS(...) ((const uint64_t[8]){__VA_ARGS__})
#define syscall_raw0(n, r) fake_syscall(n, ARGUMENTS(0), r)
#define syscall_raw1(n, a, r) fake_syscall(n, ARGUMENTS(a), r)
#define syscall_raw2(n, a, b, r) fake_syscall(n, ARGUMENTS(a, b), r)
#define syscall_raw3(n, a, b, c, r) fake_syscall(n, ARGUMENTS(a, b, c), r)
#define syscall_raw4(n, a, b, c, d, r) fake_syscall(n, ARGUMENTS(a, b, c, d), r)
#define syscall_raw5(n, a, b, c, d, e, r) fake_syscall(n, ARGUMENTS(a, b, c, d, e), r)
#define syscall_raw6(n, a, b, c, d, e, f, r) fake_syscall(n, ARGUMENTS(a, b, c, d, e, f), r)
#define syscall_raw7(n, a, b, c, d, e, f, g, r) fake_syscall(n, ARGUMENTS(a, b, c, d, e, f, g), r)
#define syscall_raw8(n, a, b, c, d, e, f, g, h, r) \
    fake_syscall(n, ARGUMENTS(a, b, c, d, e, f, g, h), r)
