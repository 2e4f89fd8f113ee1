#pragma once
/* System calls of x86_64. Number in rax, arguments in rdi rsi rdx r10 r8 r9 r12
 * r13; status in rax, results in rdx r10 r8 r9. The kernel may change every
 * argument register, rcx and r11; it keeps rbx, rbp, r14, r15. Message calls:
 * rdi target, rsi info, rbx r12 r13 r14 r15 r8 words, rdx deadline, r9 queue;
 * they keep nothing but rsp and rbp. Included by <os/syscall.h> only. */

MUST_CHECK static inline status_t syscall_raw0(uint64_t number, uint64_t results[4])
{
    register uint64_t rdx __asm__("rdx");
    register uint64_t r10 __asm__("r10");
    register uint64_t r8 __asm__("r8");
    register uint64_t r9 __asm__("r9");
    __asm__ volatile("syscall"
                     : "+a"(number), "=r"(rdx), "=r"(r10), "=r"(r8), "=r"(r9)
                     :
                     : "rcx", "r11", "memory", "cc", "rdi", "rsi", "r12", "r13");
    results[0] = rdx;
    results[1] = r10;
    results[2] = r8;
    results[3] = r9;
    return status_from_code(number);
}

MUST_CHECK static inline status_t syscall_raw1(uint64_t number, uint64_t p0, uint64_t results[4])
{
    register uint64_t rdi __asm__("rdi") = p0;
    register uint64_t rdx __asm__("rdx");
    register uint64_t r10 __asm__("r10");
    register uint64_t r8 __asm__("r8");
    register uint64_t r9 __asm__("r9");
    __asm__ volatile("syscall"
                     : "+a"(number), "+r"(rdi), "=r"(rdx), "=r"(r10), "=r"(r8), "=r"(r9)
                     :
                     : "rcx", "r11", "memory", "cc", "rsi", "r12", "r13");
    results[0] = rdx;
    results[1] = r10;
    results[2] = r8;
    results[3] = r9;
    return status_from_code(number);
}

MUST_CHECK static inline status_t syscall_raw2(uint64_t number, uint64_t p0, uint64_t p1,
                                               uint64_t results[4])
{
    register uint64_t rdi __asm__("rdi") = p0;
    register uint64_t rsi __asm__("rsi") = p1;
    register uint64_t rdx __asm__("rdx");
    register uint64_t r10 __asm__("r10");
    register uint64_t r8 __asm__("r8");
    register uint64_t r9 __asm__("r9");
    __asm__ volatile("syscall"
                     : "+a"(number), "+r"(rdi), "+r"(rsi), "=r"(rdx), "=r"(r10), "=r"(r8), "=r"(r9)
                     :
                     : "rcx", "r11", "memory", "cc", "r12", "r13");
    results[0] = rdx;
    results[1] = r10;
    results[2] = r8;
    results[3] = r9;
    return status_from_code(number);
}

MUST_CHECK static inline status_t syscall_raw3(uint64_t number, uint64_t p0, uint64_t p1,
                                               uint64_t p2, uint64_t results[4])
{
    register uint64_t rdi __asm__("rdi") = p0;
    register uint64_t rsi __asm__("rsi") = p1;
    register uint64_t rdx __asm__("rdx") = p2;
    register uint64_t r10 __asm__("r10");
    register uint64_t r8 __asm__("r8");
    register uint64_t r9 __asm__("r9");
    __asm__ volatile("syscall"
                     : "+a"(number), "+r"(rdi), "+r"(rsi), "+r"(rdx), "=r"(r10), "=r"(r8), "=r"(r9)
                     :
                     : "rcx", "r11", "memory", "cc", "r12", "r13");
    results[0] = rdx;
    results[1] = r10;
    results[2] = r8;
    results[3] = r9;
    return status_from_code(number);
}

MUST_CHECK static inline status_t syscall_raw4(uint64_t number, uint64_t p0, uint64_t p1,
                                               uint64_t p2, uint64_t p3, uint64_t results[4])
{
    register uint64_t rdi __asm__("rdi") = p0;
    register uint64_t rsi __asm__("rsi") = p1;
    register uint64_t rdx __asm__("rdx") = p2;
    register uint64_t r10 __asm__("r10") = p3;
    register uint64_t r8 __asm__("r8");
    register uint64_t r9 __asm__("r9");
    __asm__ volatile("syscall"
                     : "+a"(number), "+r"(rdi), "+r"(rsi), "+r"(rdx), "+r"(r10), "=r"(r8), "=r"(r9)
                     :
                     : "rcx", "r11", "memory", "cc", "r12", "r13");
    results[0] = rdx;
    results[1] = r10;
    results[2] = r8;
    results[3] = r9;
    return status_from_code(number);
}

MUST_CHECK static inline status_t syscall_raw5(uint64_t number, uint64_t p0, uint64_t p1,
                                               uint64_t p2, uint64_t p3, uint64_t p4,
                                               uint64_t results[4])
{
    register uint64_t rdi __asm__("rdi") = p0;
    register uint64_t rsi __asm__("rsi") = p1;
    register uint64_t rdx __asm__("rdx") = p2;
    register uint64_t r10 __asm__("r10") = p3;
    register uint64_t r8 __asm__("r8") = p4;
    register uint64_t r9 __asm__("r9");
    __asm__ volatile("syscall"
                     : "+a"(number), "+r"(rdi), "+r"(rsi), "+r"(rdx), "+r"(r10), "+r"(r8), "=r"(r9)
                     :
                     : "rcx", "r11", "memory", "cc", "r12", "r13");
    results[0] = rdx;
    results[1] = r10;
    results[2] = r8;
    results[3] = r9;
    return status_from_code(number);
}

MUST_CHECK static inline status_t syscall_raw6(uint64_t number, uint64_t p0, uint64_t p1,
                                               uint64_t p2, uint64_t p3, uint64_t p4, uint64_t p5,
                                               uint64_t results[4])
{
    register uint64_t rdi __asm__("rdi") = p0;
    register uint64_t rsi __asm__("rsi") = p1;
    register uint64_t rdx __asm__("rdx") = p2;
    register uint64_t r10 __asm__("r10") = p3;
    register uint64_t r8 __asm__("r8") = p4;
    register uint64_t r9 __asm__("r9") = p5;
    __asm__ volatile("syscall"
                     : "+a"(number), "+r"(rdi), "+r"(rsi), "+r"(rdx), "+r"(r10), "+r"(r8), "+r"(r9)
                     :
                     : "rcx", "r11", "memory", "cc", "r12", "r13");
    results[0] = rdx;
    results[1] = r10;
    results[2] = r8;
    results[3] = r9;
    return status_from_code(number);
}

MUST_CHECK static inline status_t syscall_raw7(uint64_t number, uint64_t p0, uint64_t p1,
                                               uint64_t p2, uint64_t p3, uint64_t p4, uint64_t p5,
                                               uint64_t p6, uint64_t results[4])
{
    register uint64_t rdi __asm__("rdi") = p0;
    register uint64_t rsi __asm__("rsi") = p1;
    register uint64_t rdx __asm__("rdx") = p2;
    register uint64_t r10 __asm__("r10") = p3;
    register uint64_t r8 __asm__("r8") = p4;
    register uint64_t r9 __asm__("r9") = p5;
    register uint64_t r12 __asm__("r12") = p6;
    __asm__ volatile("syscall"
                     : "+a"(number), "+r"(rdi), "+r"(rsi), "+r"(rdx), "+r"(r10), "+r"(r8), "+r"(r9),
                       "+r"(r12)
                     :
                     : "rcx", "r11", "memory", "cc", "r13");
    results[0] = rdx;
    results[1] = r10;
    results[2] = r8;
    results[3] = r9;
    return status_from_code(number);
}

MUST_CHECK static inline status_t syscall_raw8(uint64_t number, uint64_t p0, uint64_t p1,
                                               uint64_t p2, uint64_t p3, uint64_t p4, uint64_t p5,
                                               uint64_t p6, uint64_t p7, uint64_t results[4])
{
    register uint64_t rdi __asm__("rdi") = p0;
    register uint64_t rsi __asm__("rsi") = p1;
    register uint64_t rdx __asm__("rdx") = p2;
    register uint64_t r10 __asm__("r10") = p3;
    register uint64_t r8 __asm__("r8") = p4;
    register uint64_t r9 __asm__("r9") = p5;
    register uint64_t r12 __asm__("r12") = p6;
    register uint64_t r13 __asm__("r13") = p7;
    __asm__ volatile("syscall"
                     : "+a"(number), "+r"(rdi), "+r"(rsi), "+r"(rdx), "+r"(r10), "+r"(r8), "+r"(r9),
                       "+r"(r12), "+r"(r13)
                     :
                     : "rcx", "r11", "memory", "cc");
    results[0] = rdx;
    results[1] = r10;
    results[2] = r8;
    results[3] = r9;
    return status_from_code(number);
}

/** Every register is an operand or clobbered but rsp and rbp. */
MUST_CHECK static inline status_t ipc_raw(uint64_t number, struct ipc_regs *regs)
{
    register uint64_t rdi __asm__("rdi") = regs->target;
    register uint64_t rsi __asm__("rsi") = regs->info;
    register uint64_t rbx __asm__("rbx") = regs->words[0];
    register uint64_t r12 __asm__("r12") = regs->words[1];
    register uint64_t r13 __asm__("r13") = regs->words[2];
    register uint64_t r14 __asm__("r14") = regs->words[3];
    register uint64_t r15 __asm__("r15") = regs->words[4];
    register uint64_t r8 __asm__("r8") = regs->words[5];
    register uint64_t rdx __asm__("rdx") = regs->deadline;
    register uint64_t r9 __asm__("r9") = regs->queue;
    __asm__ volatile("syscall"
                     : "+a"(number), "+r"(rdi), "+r"(rsi), "+r"(rbx), "+r"(r12), "+r"(r13),
                       "+r"(r14), "+r"(r15), "+r"(r8), "+r"(rdx), "+r"(r9)
                     :
                     : "rcx", "r10", "r11", "memory", "cc");
    regs->target = rdi;
    regs->info = rsi;
    regs->words[0] = rbx;
    regs->words[1] = r12;
    regs->words[2] = r13;
    regs->words[3] = r14;
    regs->words[4] = r15;
    regs->words[5] = r8;
    return status_from_code(number);
}
