#pragma once
/* Entering the kernel: syscall_raw() for the calls of <veridian/syscalls.h> and ipc_raw_*() for
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

/* The register of a call's argument: what @arguments holds of it, or whatever is in it if the call has no such argument, which may be
 * changed all the same. (Volatile, since otherwise what is in it before a loop would be kept for each call in there.) */
#define SYSCALL_ARGUMENT(index)                               \
    register uint64_t arg##index __asm__(SYSCALL_ARG##index); \
    __asm__ volatile("" : "=r"(arg##index));                  \
    if (count > (index)) {                                    \
        arg##index = arguments[index];                        \
    }

static inline void syscall_results(uint64_t results[4], uint64_t first, uint64_t second,
                                   uint64_t third, uint64_t fourth)
{
    results[0] = first;
    results[1] = second;
    results[2] = third;
    results[3] = fourth;
}

/** Call @number with the @count of @arguments, at most 8. Where @count is a constant, no more registers are loaded than it says. */
__attribute__((always_inline)) MUST_CHECK static inline status_t syscall_raw(
    uint64_t number, const uint64_t *arguments, unsigned count, uint64_t results[4])
{
    register uint64_t code __asm__(SYSCALL_NUMBER) = number;
    SYSCALL_ARGUMENT(0)
    SYSCALL_ARGUMENT(1)
    SYSCALL_ARGUMENT(2)
    SYSCALL_ARGUMENT(3)
    SYSCALL_ARGUMENT(4)
    SYSCALL_ARGUMENT(5)
    SYSCALL_ARGUMENT(6)
    SYSCALL_ARGUMENT(7)
    __asm__ volatile(SYSCALL_INSTRUCTION
                     : "+r"(code), "+r"(arg0), "+r"(arg1), "+r"(arg2), "+r"(arg3), "+r"(arg4),
                       "+r"(arg5), "+r"(arg6), "+r"(arg7)
                     :
                     : SYSCALL_CLOBBERS, "memory", "cc");
    syscall_results(results, SYSCALL_RESULTS);
    return status_from_code(code);
}

/** Every register is an operand or clobbered but the stack's and the frame's. */
MUST_CHECK static inline status_t ipc_raw(uint64_t number, struct ipc_regs *regs)
{
    register uint64_t code __asm__(SYSCALL_NUMBER) = number;
    register uint64_t target __asm__(IPC_TARGET) = regs->target;
    register uint64_t info __asm__(IPC_INFO) = regs->info;
    register uint64_t word0 __asm__(IPC_WORD0) = regs->words[0];
    register uint64_t word1 __asm__(IPC_WORD1) = regs->words[1];
    register uint64_t word2 __asm__(IPC_WORD2) = regs->words[2];
    register uint64_t word3 __asm__(IPC_WORD3) = regs->words[3];
    register uint64_t word4 __asm__(IPC_WORD4) = regs->words[4];
    register uint64_t word5 __asm__(IPC_WORD5) = regs->words[5];
    register uint64_t deadline __asm__(IPC_DEADLINE) = regs->deadline;
    register uint64_t queue __asm__(IPC_QUEUE) = regs->queue;
    __asm__ volatile(SYSCALL_INSTRUCTION
                     : "+r"(code), "+r"(target), "+r"(info), "+r"(word0), "+r"(word1), "+r"(word2),
                       "+r"(word3), "+r"(word4), "+r"(word5), "+r"(deadline), "+r"(queue)
                     :
                     : IPC_CLOBBERS, "memory", "cc");
    regs->target = target;
    regs->info = info;
    regs->words[0] = word0;
    regs->words[1] = word1;
    regs->words[2] = word2;
    regs->words[3] = word3;
    regs->words[4] = word4;
    regs->words[5] = word5;
    return status_from_code(code);
}

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
