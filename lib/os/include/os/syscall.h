#pragma once
/* Entering the kernel: syscall_rawN() for the calls of <veridian/syscalls.h> and ipc_raw_*() for
 * the four message calls, whose registers all carry something. The architecture's header says which
 * register is which; nothing else in user space does. */
#include <stdint.h>
#include <veridian/abi.h>
#include <veridian/syscall_numbers.h>

/** The registers of a message call, in and out. */
struct ipc_regs {
    uint64_t target;   /**< in: endpoint handle, or reply token; out: badge, or an event's cookie */
    uint64_t info;     /**< in and out: the info word, see <os/ipc.h> */
    uint64_t words[6]; /**< in and out */
    uint64_t deadline; /**< in: absolute nanoseconds */
    uint64_t queue;    /**< in, receive forms: the queue that is waited on too, or 0 */
};

#include <arch_syscall.h>

/** Send @regs to the endpoint and wait for the reply, which replaces them. */
MUST_CHECK static inline status_t ipc_raw_call(struct ipc_regs *regs)
{
    return ipc_raw(SYS_ENDPOINT_CALL, regs);
}

/** Wait for a call on the endpoint or an event of the queue. */
MUST_CHECK static inline status_t ipc_raw_receive(struct ipc_regs *regs)
{
    return ipc_raw(SYS_ENDPOINT_RECEIVE, regs);
}

/** Answer the current reply with info and words, then receive on the endpoint and the queue. */
MUST_CHECK static inline status_t ipc_raw_reply_receive(struct ipc_regs *regs)
{
    return ipc_raw(SYS_ENDPOINT_REPLY_RECEIVE, regs);
}

/** Answer the saved reply whose token is the target (0: the current reply). */
MUST_CHECK static inline status_t ipc_raw_reply(struct ipc_regs *regs)
{
    return ipc_raw(SYS_ENDPOINT_REPLY, regs);
}
