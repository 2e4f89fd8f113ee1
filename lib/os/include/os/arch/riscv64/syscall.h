#pragma once
/* System calls of RV64. Number in a7, arguments in a0 to a6 and t0; status in
 * a7, results in a1 to a4. The kernel keeps s0 to s11, sp, gp and tp. Message
 * calls: a7 number and status, a0 target, a1 info, a2 to a6 and t0 words, t1
 * deadline, t2 queue; they keep nothing but sp, gp and tp. Included by
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

/** s0 and s1 may be the compiler's frame and base pointers: they are kept on
 * the stack. */
MUST_CHECK static inline status_t ipc_raw(uint64_t number, struct ipc_regs *regs)
{
    register uint64_t a7 __asm__("a7") = number;
    register uint64_t a0 __asm__("a0") = regs->target;
    register uint64_t a1 __asm__("a1") = regs->info;
    register uint64_t a2 __asm__("a2") = regs->words[0];
    register uint64_t a3 __asm__("a3") = regs->words[1];
    register uint64_t a4 __asm__("a4") = regs->words[2];
    register uint64_t a5 __asm__("a5") = regs->words[3];
    register uint64_t a6 __asm__("a6") = regs->words[4];
    register uint64_t t0 __asm__("t0") = regs->words[5];
    register uint64_t t1 __asm__("t1") = regs->deadline;
    register uint64_t t2 __asm__("t2") = regs->queue;
    __asm__ volatile("addi sp, sp, -16\n\t"
                     "sd s0, 0(sp)\n\t"
                     "sd s1, 8(sp)\n\t"
                     "ecall\n\t"
                     "ld s0, 0(sp)\n\t"
                     "ld s1, 8(sp)\n\t"
                     "addi sp, sp, 16"
                     : "+r"(a7), "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "+r"(a4), "+r"(a5),
                       "+r"(a6), "+r"(t0), "+r"(t1), "+r"(t2)
                     :
                     : "t3", "t4", "t5", "t6", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9",
                       "s10", "s11", "ra", "memory");
    regs->target = a0;
    regs->info = a1;
    regs->words[0] = a2;
    regs->words[1] = a3;
    regs->words[2] = a4;
    regs->words[3] = a5;
    regs->words[4] = a6;
    regs->words[5] = t0;
    return status_from_code(a7);
}
