#pragma once
/* System calls of RV64. Number in a7, arguments in a0 to a6 and t0; status in
 * a7, results in a1 to a4. The kernel keeps s0 to s11, sp, gp and tp. Message
 * calls: a7 number and status, a0 target, a1 info, s2 to s6 and a4 words, a2
 * deadline, a5 queue; they keep nothing but sp, gp, tp and s0. Included by
 * <os/syscall.h> only. */

MUST_CHECK static inline status_t syscall_raw0(uint64_t number, uint64_t results[4])
{
    register uint64_t a7 __asm__("a7") = number;
    register uint64_t a0 __asm__("a0");
    register uint64_t a1 __asm__("a1");
    register uint64_t a2 __asm__("a2");
    register uint64_t a3 __asm__("a3");
    register uint64_t a4 __asm__("a4");
    __asm__ volatile("ecall"
                     : "+r"(a7), "=r"(a0), "=r"(a1), "=r"(a2), "=r"(a3), "=r"(a4)
                     :
                     : "t1", "t2", "t3", "t4", "t5", "t6", "ra", "memory", "a5", "a6", "t0");
    results[0] = a1;
    results[1] = a2;
    results[2] = a3;
    results[3] = a4;
    return status_from_code(a7);
}

MUST_CHECK static inline status_t syscall_raw1(uint64_t number, uint64_t p0, uint64_t results[4])
{
    register uint64_t a7 __asm__("a7") = number;
    register uint64_t a0 __asm__("a0") = p0;
    register uint64_t a1 __asm__("a1");
    register uint64_t a2 __asm__("a2");
    register uint64_t a3 __asm__("a3");
    register uint64_t a4 __asm__("a4");
    __asm__ volatile("ecall"
                     : "+r"(a7), "+r"(a0), "=r"(a1), "=r"(a2), "=r"(a3), "=r"(a4)
                     :
                     : "t1", "t2", "t3", "t4", "t5", "t6", "ra", "memory", "a5", "a6", "t0");
    results[0] = a1;
    results[1] = a2;
    results[2] = a3;
    results[3] = a4;
    return status_from_code(a7);
}

MUST_CHECK static inline status_t syscall_raw2(uint64_t number, uint64_t p0, uint64_t p1,
                                               uint64_t results[4])
{
    register uint64_t a7 __asm__("a7") = number;
    register uint64_t a0 __asm__("a0") = p0;
    register uint64_t a1 __asm__("a1") = p1;
    register uint64_t a2 __asm__("a2");
    register uint64_t a3 __asm__("a3");
    register uint64_t a4 __asm__("a4");
    __asm__ volatile("ecall"
                     : "+r"(a7), "+r"(a0), "+r"(a1), "=r"(a2), "=r"(a3), "=r"(a4)
                     :
                     : "t1", "t2", "t3", "t4", "t5", "t6", "ra", "memory", "a5", "a6", "t0");
    results[0] = a1;
    results[1] = a2;
    results[2] = a3;
    results[3] = a4;
    return status_from_code(a7);
}

MUST_CHECK static inline status_t syscall_raw3(uint64_t number, uint64_t p0, uint64_t p1,
                                               uint64_t p2, uint64_t results[4])
{
    register uint64_t a7 __asm__("a7") = number;
    register uint64_t a0 __asm__("a0") = p0;
    register uint64_t a1 __asm__("a1") = p1;
    register uint64_t a2 __asm__("a2") = p2;
    register uint64_t a3 __asm__("a3");
    register uint64_t a4 __asm__("a4");
    __asm__ volatile("ecall"
                     : "+r"(a7), "+r"(a0), "+r"(a1), "+r"(a2), "=r"(a3), "=r"(a4)
                     :
                     : "t1", "t2", "t3", "t4", "t5", "t6", "ra", "memory", "a5", "a6", "t0");
    results[0] = a1;
    results[1] = a2;
    results[2] = a3;
    results[3] = a4;
    return status_from_code(a7);
}

MUST_CHECK static inline status_t syscall_raw4(uint64_t number, uint64_t p0, uint64_t p1,
                                               uint64_t p2, uint64_t p3, uint64_t results[4])
{
    register uint64_t a7 __asm__("a7") = number;
    register uint64_t a0 __asm__("a0") = p0;
    register uint64_t a1 __asm__("a1") = p1;
    register uint64_t a2 __asm__("a2") = p2;
    register uint64_t a3 __asm__("a3") = p3;
    register uint64_t a4 __asm__("a4");
    __asm__ volatile("ecall"
                     : "+r"(a7), "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "=r"(a4)
                     :
                     : "t1", "t2", "t3", "t4", "t5", "t6", "ra", "memory", "a5", "a6", "t0");
    results[0] = a1;
    results[1] = a2;
    results[2] = a3;
    results[3] = a4;
    return status_from_code(a7);
}

MUST_CHECK static inline status_t syscall_raw5(uint64_t number, uint64_t p0, uint64_t p1,
                                               uint64_t p2, uint64_t p3, uint64_t p4,
                                               uint64_t results[4])
{
    register uint64_t a7 __asm__("a7") = number;
    register uint64_t a0 __asm__("a0") = p0;
    register uint64_t a1 __asm__("a1") = p1;
    register uint64_t a2 __asm__("a2") = p2;
    register uint64_t a3 __asm__("a3") = p3;
    register uint64_t a4 __asm__("a4") = p4;
    __asm__ volatile("ecall"
                     : "+r"(a7), "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "+r"(a4)
                     :
                     : "t1", "t2", "t3", "t4", "t5", "t6", "ra", "memory", "a5", "a6", "t0");
    results[0] = a1;
    results[1] = a2;
    results[2] = a3;
    results[3] = a4;
    return status_from_code(a7);
}

MUST_CHECK static inline status_t syscall_raw6(uint64_t number, uint64_t p0, uint64_t p1,
                                               uint64_t p2, uint64_t p3, uint64_t p4, uint64_t p5,
                                               uint64_t results[4])
{
    register uint64_t a7 __asm__("a7") = number;
    register uint64_t a0 __asm__("a0") = p0;
    register uint64_t a1 __asm__("a1") = p1;
    register uint64_t a2 __asm__("a2") = p2;
    register uint64_t a3 __asm__("a3") = p3;
    register uint64_t a4 __asm__("a4") = p4;
    register uint64_t a5 __asm__("a5") = p5;
    __asm__ volatile("ecall"
                     : "+r"(a7), "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "+r"(a4), "+r"(a5)
                     :
                     : "t1", "t2", "t3", "t4", "t5", "t6", "ra", "memory", "a6", "t0");
    results[0] = a1;
    results[1] = a2;
    results[2] = a3;
    results[3] = a4;
    return status_from_code(a7);
}

MUST_CHECK static inline status_t syscall_raw7(uint64_t number, uint64_t p0, uint64_t p1,
                                               uint64_t p2, uint64_t p3, uint64_t p4, uint64_t p5,
                                               uint64_t p6, uint64_t results[4])
{
    register uint64_t a7 __asm__("a7") = number;
    register uint64_t a0 __asm__("a0") = p0;
    register uint64_t a1 __asm__("a1") = p1;
    register uint64_t a2 __asm__("a2") = p2;
    register uint64_t a3 __asm__("a3") = p3;
    register uint64_t a4 __asm__("a4") = p4;
    register uint64_t a5 __asm__("a5") = p5;
    register uint64_t a6 __asm__("a6") = p6;
    __asm__ volatile("ecall"
                     : "+r"(a7), "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "+r"(a4), "+r"(a5),
                       "+r"(a6)
                     :
                     : "t1", "t2", "t3", "t4", "t5", "t6", "ra", "memory", "t0");
    results[0] = a1;
    results[1] = a2;
    results[2] = a3;
    results[3] = a4;
    return status_from_code(a7);
}

MUST_CHECK static inline status_t syscall_raw8(uint64_t number, uint64_t p0, uint64_t p1,
                                               uint64_t p2, uint64_t p3, uint64_t p4, uint64_t p5,
                                               uint64_t p6, uint64_t p7, uint64_t results[4])
{
    register uint64_t a7 __asm__("a7") = number;
    register uint64_t a0 __asm__("a0") = p0;
    register uint64_t a1 __asm__("a1") = p1;
    register uint64_t a2 __asm__("a2") = p2;
    register uint64_t a3 __asm__("a3") = p3;
    register uint64_t a4 __asm__("a4") = p4;
    register uint64_t a5 __asm__("a5") = p5;
    register uint64_t a6 __asm__("a6") = p6;
    register uint64_t t0 __asm__("t0") = p7;
    __asm__ volatile("ecall"
                     : "+r"(a7), "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "+r"(a4), "+r"(a5),
                       "+r"(a6), "+r"(t0)
                     :
                     : "t1", "t2", "t3", "t4", "t5", "t6", "ra", "memory");
    results[0] = a1;
    results[1] = a2;
    results[2] = a3;
    results[3] = a4;
    return status_from_code(a7);
}

/** Every register is an operand or clobbered but sp, gp, tp and s0. */
MUST_CHECK static inline status_t ipc_raw(uint64_t number, struct ipc_regs *regs)
{
    register uint64_t a7 __asm__("a7") = number;
    register uint64_t a0 __asm__("a0") = regs->target;
    register uint64_t a1 __asm__("a1") = regs->info;
    register uint64_t s2 __asm__("s2") = regs->words[0];
    register uint64_t s3 __asm__("s3") = regs->words[1];
    register uint64_t s4 __asm__("s4") = regs->words[2];
    register uint64_t s5 __asm__("s5") = regs->words[3];
    register uint64_t s6 __asm__("s6") = regs->words[4];
    register uint64_t a4 __asm__("a4") = regs->words[5];
    register uint64_t a2 __asm__("a2") = regs->deadline;
    register uint64_t a5 __asm__("a5") = regs->queue;
    __asm__ volatile("ecall"
                     : "+r"(a7), "+r"(a0), "+r"(a1), "+r"(s2), "+r"(s3), "+r"(s4), "+r"(s5),
                       "+r"(s6), "+r"(a4), "+r"(a2), "+r"(a5)
                     :
                     : "a3", "a6", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "s1", "s7", "s8", "s9",
                       "s10", "s11", "ra", "memory");
    regs->target = a0;
    regs->info = a1;
    regs->words[0] = s2;
    regs->words[1] = s3;
    regs->words[2] = s4;
    regs->words[3] = s5;
    regs->words[4] = s6;
    regs->words[5] = a4;
    return status_from_code(a7);
}
