#pragma once
/* System calls of AArch64. Number in x8, arguments in x0 to x7; status in x8,
 * results in x1 to x4. The kernel keeps x19 to x29 and sp. Message calls: x8
 * number and status, x0 target, x1 info, x20 to x24 and x4 words, x2 deadline,
 * x5 queue; they keep nothing but sp and x29. Included by <os/syscall.h> only. */

MUST_CHECK static inline status_t syscall_raw0(uint64_t number, uint64_t results[4])
{
    register uint64_t x8 __asm__("x8") = number;
    register uint64_t x0 __asm__("x0");
    register uint64_t x1 __asm__("x1");
    register uint64_t x2 __asm__("x2");
    register uint64_t x3 __asm__("x3");
    register uint64_t x4 __asm__("x4");
    __asm__ volatile("svc #0"
                     : "+r"(x8), "=r"(x0), "=r"(x1), "=r"(x2), "=r"(x3), "=r"(x4)
                     :
                     : "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x30",
                       "memory", "cc", "x5", "x6", "x7");
    results[0] = x1;
    results[1] = x2;
    results[2] = x3;
    results[3] = x4;
    return status_from_code(x8);
}

MUST_CHECK static inline status_t syscall_raw1(uint64_t number, uint64_t p0, uint64_t results[4])
{
    register uint64_t x8 __asm__("x8") = number;
    register uint64_t x0 __asm__("x0") = p0;
    register uint64_t x1 __asm__("x1");
    register uint64_t x2 __asm__("x2");
    register uint64_t x3 __asm__("x3");
    register uint64_t x4 __asm__("x4");
    __asm__ volatile("svc #0"
                     : "+r"(x8), "+r"(x0), "=r"(x1), "=r"(x2), "=r"(x3), "=r"(x4)
                     :
                     : "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x30",
                       "memory", "cc", "x5", "x6", "x7");
    results[0] = x1;
    results[1] = x2;
    results[2] = x3;
    results[3] = x4;
    return status_from_code(x8);
}

MUST_CHECK static inline status_t syscall_raw2(uint64_t number, uint64_t p0, uint64_t p1,
                                               uint64_t results[4])
{
    register uint64_t x8 __asm__("x8") = number;
    register uint64_t x0 __asm__("x0") = p0;
    register uint64_t x1 __asm__("x1") = p1;
    register uint64_t x2 __asm__("x2");
    register uint64_t x3 __asm__("x3");
    register uint64_t x4 __asm__("x4");
    __asm__ volatile("svc #0"
                     : "+r"(x8), "+r"(x0), "+r"(x1), "=r"(x2), "=r"(x3), "=r"(x4)
                     :
                     : "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x30",
                       "memory", "cc", "x5", "x6", "x7");
    results[0] = x1;
    results[1] = x2;
    results[2] = x3;
    results[3] = x4;
    return status_from_code(x8);
}

MUST_CHECK static inline status_t syscall_raw3(uint64_t number, uint64_t p0, uint64_t p1,
                                               uint64_t p2, uint64_t results[4])
{
    register uint64_t x8 __asm__("x8") = number;
    register uint64_t x0 __asm__("x0") = p0;
    register uint64_t x1 __asm__("x1") = p1;
    register uint64_t x2 __asm__("x2") = p2;
    register uint64_t x3 __asm__("x3");
    register uint64_t x4 __asm__("x4");
    __asm__ volatile("svc #0"
                     : "+r"(x8), "+r"(x0), "+r"(x1), "+r"(x2), "=r"(x3), "=r"(x4)
                     :
                     : "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x30",
                       "memory", "cc", "x5", "x6", "x7");
    results[0] = x1;
    results[1] = x2;
    results[2] = x3;
    results[3] = x4;
    return status_from_code(x8);
}

MUST_CHECK static inline status_t syscall_raw4(uint64_t number, uint64_t p0, uint64_t p1,
                                               uint64_t p2, uint64_t p3, uint64_t results[4])
{
    register uint64_t x8 __asm__("x8") = number;
    register uint64_t x0 __asm__("x0") = p0;
    register uint64_t x1 __asm__("x1") = p1;
    register uint64_t x2 __asm__("x2") = p2;
    register uint64_t x3 __asm__("x3") = p3;
    register uint64_t x4 __asm__("x4");
    __asm__ volatile("svc #0"
                     : "+r"(x8), "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "=r"(x4)
                     :
                     : "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x30",
                       "memory", "cc", "x5", "x6", "x7");
    results[0] = x1;
    results[1] = x2;
    results[2] = x3;
    results[3] = x4;
    return status_from_code(x8);
}

MUST_CHECK static inline status_t syscall_raw5(uint64_t number, uint64_t p0, uint64_t p1,
                                               uint64_t p2, uint64_t p3, uint64_t p4,
                                               uint64_t results[4])
{
    register uint64_t x8 __asm__("x8") = number;
    register uint64_t x0 __asm__("x0") = p0;
    register uint64_t x1 __asm__("x1") = p1;
    register uint64_t x2 __asm__("x2") = p2;
    register uint64_t x3 __asm__("x3") = p3;
    register uint64_t x4 __asm__("x4") = p4;
    __asm__ volatile("svc #0"
                     : "+r"(x8), "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4)
                     :
                     : "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x30",
                       "memory", "cc", "x5", "x6", "x7");
    results[0] = x1;
    results[1] = x2;
    results[2] = x3;
    results[3] = x4;
    return status_from_code(x8);
}

MUST_CHECK static inline status_t syscall_raw6(uint64_t number, uint64_t p0, uint64_t p1,
                                               uint64_t p2, uint64_t p3, uint64_t p4, uint64_t p5,
                                               uint64_t results[4])
{
    register uint64_t x8 __asm__("x8") = number;
    register uint64_t x0 __asm__("x0") = p0;
    register uint64_t x1 __asm__("x1") = p1;
    register uint64_t x2 __asm__("x2") = p2;
    register uint64_t x3 __asm__("x3") = p3;
    register uint64_t x4 __asm__("x4") = p4;
    register uint64_t x5 __asm__("x5") = p5;
    __asm__ volatile("svc #0"
                     : "+r"(x8), "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4), "+r"(x5)
                     :
                     : "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x30",
                       "memory", "cc", "x6", "x7");
    results[0] = x1;
    results[1] = x2;
    results[2] = x3;
    results[3] = x4;
    return status_from_code(x8);
}

MUST_CHECK static inline status_t syscall_raw7(uint64_t number, uint64_t p0, uint64_t p1,
                                               uint64_t p2, uint64_t p3, uint64_t p4, uint64_t p5,
                                               uint64_t p6, uint64_t results[4])
{
    register uint64_t x8 __asm__("x8") = number;
    register uint64_t x0 __asm__("x0") = p0;
    register uint64_t x1 __asm__("x1") = p1;
    register uint64_t x2 __asm__("x2") = p2;
    register uint64_t x3 __asm__("x3") = p3;
    register uint64_t x4 __asm__("x4") = p4;
    register uint64_t x5 __asm__("x5") = p5;
    register uint64_t x6 __asm__("x6") = p6;
    __asm__ volatile("svc #0"
                     : "+r"(x8), "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4), "+r"(x5),
                       "+r"(x6)
                     :
                     : "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x30",
                       "memory", "cc", "x7");
    results[0] = x1;
    results[1] = x2;
    results[2] = x3;
    results[3] = x4;
    return status_from_code(x8);
}

MUST_CHECK static inline status_t syscall_raw8(uint64_t number, uint64_t p0, uint64_t p1,
                                               uint64_t p2, uint64_t p3, uint64_t p4, uint64_t p5,
                                               uint64_t p6, uint64_t p7, uint64_t results[4])
{
    register uint64_t x8 __asm__("x8") = number;
    register uint64_t x0 __asm__("x0") = p0;
    register uint64_t x1 __asm__("x1") = p1;
    register uint64_t x2 __asm__("x2") = p2;
    register uint64_t x3 __asm__("x3") = p3;
    register uint64_t x4 __asm__("x4") = p4;
    register uint64_t x5 __asm__("x5") = p5;
    register uint64_t x6 __asm__("x6") = p6;
    register uint64_t x7 __asm__("x7") = p7;
    __asm__ volatile("svc #0"
                     : "+r"(x8), "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4), "+r"(x5),
                       "+r"(x6), "+r"(x7)
                     :
                     : "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x30",
                       "memory", "cc");
    results[0] = x1;
    results[1] = x2;
    results[2] = x3;
    results[3] = x4;
    return status_from_code(x8);
}

/** Every register is an operand or clobbered but sp and x29. */
MUST_CHECK static inline status_t ipc_raw(uint64_t number, struct ipc_regs *regs)
{
    register uint64_t x8 __asm__("x8") = number;
    register uint64_t x0 __asm__("x0") = regs->target;
    register uint64_t x1 __asm__("x1") = regs->info;
    register uint64_t x20 __asm__("x20") = regs->words[0];
    register uint64_t x21 __asm__("x21") = regs->words[1];
    register uint64_t x22 __asm__("x22") = regs->words[2];
    register uint64_t x23 __asm__("x23") = regs->words[3];
    register uint64_t x24 __asm__("x24") = regs->words[4];
    register uint64_t x4 __asm__("x4") = regs->words[5];
    register uint64_t x2 __asm__("x2") = regs->deadline;
    register uint64_t x5 __asm__("x5") = regs->queue;
    __asm__ volatile("svc #0"
                     : "+r"(x8), "+r"(x0), "+r"(x1), "+r"(x20), "+r"(x21), "+r"(x22), "+r"(x23),
                       "+r"(x24), "+r"(x4), "+r"(x2), "+r"(x5)
                     :
                     : "x3", "x6", "x7", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16",
                       "x17", "x18", "x19", "x25", "x26", "x27", "x28", "x30", "memory", "cc");
    regs->target = x0;
    regs->info = x1;
    regs->words[0] = x20;
    regs->words[1] = x21;
    regs->words[2] = x22;
    regs->words[3] = x23;
    regs->words[4] = x24;
    regs->words[5] = x4;
    return status_from_code(x8);
}
