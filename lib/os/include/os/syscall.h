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

/* A call as the compiler sees it: all the places of arguments change, @how says of each whether it
 * also carries one in ("+r"). */
#define SYSCALL_REGISTERS                           \
    register uint64_t code __asm__(SYSCALL_NUMBER); \
    register uint64_t arg0 __asm__(SYSCALL_ARG0);   \
    register uint64_t arg1 __asm__(SYSCALL_ARG1);   \
    register uint64_t arg2 __asm__(SYSCALL_ARG2);   \
    register uint64_t arg3 __asm__(SYSCALL_ARG3);   \
    register uint64_t arg4 __asm__(SYSCALL_ARG4);   \
    register uint64_t arg5 __asm__(SYSCALL_ARG5);   \
    register uint64_t arg6 __asm__(SYSCALL_ARG6);   \
    register uint64_t arg7 __asm__(SYSCALL_ARG7)
#define SYSCALL_ENTER(how0, how1, how2, how3, how4, how5, how6, how7)                          \
    __asm__ volatile(SYSCALL_INSTRUCTION                                                       \
                     : "+r"(code), how0(arg0), how1(arg1), how2(arg2), how3(arg3), how4(arg4), \
                       how5(arg5), how6(arg6), how7(arg7)                                      \
                     :                                                                         \
                     : SYSCALL_CLOBBERS, "memory", "cc")

static inline void syscall_results(uint64_t results[4], uint64_t first, uint64_t second,
                                   uint64_t third, uint64_t fourth)
{
    results[0] = first;
    results[1] = second;
    results[2] = third;
    results[3] = fourth;
}

MUST_CHECK static inline status_t syscall_raw0(uint64_t number, uint64_t results[4])
{
    SYSCALL_REGISTERS;
    code = number;
    SYSCALL_ENTER("=r", "=r", "=r", "=r", "=r", "=r", "=r", "=r");
    syscall_results(results, SYSCALL_RESULTS);
    return status_from_code(code);
}

MUST_CHECK static inline status_t syscall_raw1(uint64_t number, uint64_t p0, uint64_t results[4])
{
    SYSCALL_REGISTERS;
    code = number;
    arg0 = p0;
    SYSCALL_ENTER("+r", "=r", "=r", "=r", "=r", "=r", "=r", "=r");
    syscall_results(results, SYSCALL_RESULTS);
    return status_from_code(code);
}

MUST_CHECK static inline status_t syscall_raw2(uint64_t number, uint64_t p0, uint64_t p1,
                                               uint64_t results[4])
{
    SYSCALL_REGISTERS;
    code = number;
    arg0 = p0;
    arg1 = p1;
    SYSCALL_ENTER("+r", "+r", "=r", "=r", "=r", "=r", "=r", "=r");
    syscall_results(results, SYSCALL_RESULTS);
    return status_from_code(code);
}

MUST_CHECK static inline status_t syscall_raw3(uint64_t number, uint64_t p0, uint64_t p1,
                                               uint64_t p2, uint64_t results[4])
{
    SYSCALL_REGISTERS;
    code = number;
    arg0 = p0;
    arg1 = p1;
    arg2 = p2;
    SYSCALL_ENTER("+r", "+r", "+r", "=r", "=r", "=r", "=r", "=r");
    syscall_results(results, SYSCALL_RESULTS);
    return status_from_code(code);
}

MUST_CHECK static inline status_t syscall_raw4(uint64_t number, uint64_t p0, uint64_t p1,
                                               uint64_t p2, uint64_t p3, uint64_t results[4])
{
    SYSCALL_REGISTERS;
    code = number;
    arg0 = p0;
    arg1 = p1;
    arg2 = p2;
    arg3 = p3;
    SYSCALL_ENTER("+r", "+r", "+r", "+r", "=r", "=r", "=r", "=r");
    syscall_results(results, SYSCALL_RESULTS);
    return status_from_code(code);
}

MUST_CHECK static inline status_t syscall_raw5(uint64_t number, uint64_t p0, uint64_t p1,
                                               uint64_t p2, uint64_t p3, uint64_t p4,
                                               uint64_t results[4])
{
    SYSCALL_REGISTERS;
    code = number;
    arg0 = p0;
    arg1 = p1;
    arg2 = p2;
    arg3 = p3;
    arg4 = p4;
    SYSCALL_ENTER("+r", "+r", "+r", "+r", "+r", "=r", "=r", "=r");
    syscall_results(results, SYSCALL_RESULTS);
    return status_from_code(code);
}

MUST_CHECK static inline status_t syscall_raw6(uint64_t number, uint64_t p0, uint64_t p1,
                                               uint64_t p2, uint64_t p3, uint64_t p4, uint64_t p5,
                                               uint64_t results[4])
{
    SYSCALL_REGISTERS;
    code = number;
    arg0 = p0;
    arg1 = p1;
    arg2 = p2;
    arg3 = p3;
    arg4 = p4;
    arg5 = p5;
    SYSCALL_ENTER("+r", "+r", "+r", "+r", "+r", "+r", "=r", "=r");
    syscall_results(results, SYSCALL_RESULTS);
    return status_from_code(code);
}

MUST_CHECK static inline status_t syscall_raw7(uint64_t number, uint64_t p0, uint64_t p1,
                                               uint64_t p2, uint64_t p3, uint64_t p4, uint64_t p5,
                                               uint64_t p6, uint64_t results[4])
{
    SYSCALL_REGISTERS;
    code = number;
    arg0 = p0;
    arg1 = p1;
    arg2 = p2;
    arg3 = p3;
    arg4 = p4;
    arg5 = p5;
    arg6 = p6;
    SYSCALL_ENTER("+r", "+r", "+r", "+r", "+r", "+r", "+r", "=r");
    syscall_results(results, SYSCALL_RESULTS);
    return status_from_code(code);
}

MUST_CHECK static inline status_t syscall_raw8(uint64_t number, uint64_t p0, uint64_t p1,
                                               uint64_t p2, uint64_t p3, uint64_t p4, uint64_t p5,
                                               uint64_t p6, uint64_t p7, uint64_t results[4])
{
    SYSCALL_REGISTERS;
    code = number;
    arg0 = p0;
    arg1 = p1;
    arg2 = p2;
    arg3 = p3;
    arg4 = p4;
    arg5 = p5;
    arg6 = p6;
    arg7 = p7;
    SYSCALL_ENTER("+r", "+r", "+r", "+r", "+r", "+r", "+r", "+r");
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
