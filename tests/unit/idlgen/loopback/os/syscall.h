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

MUST_CHECK status_t syscall_raw(uint64_t number, const uint64_t *arguments, unsigned count,
                                uint64_t results[4]);
