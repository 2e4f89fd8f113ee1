#pragma once
/* Linux's system calls on RISC-V. */
#include "../../programs/generic.h"

#include <stdint.h>

#define LINUX_HAS_BREAKPOINTS 0

/** System call @number: its result, or an error below 0. */
static inline long linux_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long a7 __asm__("a7") = number;
    register long a0 __asm__("a0") = a;
    register long a1 __asm__("a1") = b;
    register long a2 __asm__("a2") = c;
    register long a3 __asm__("a3") = d;
    register long a4 __asm__("a4") = e;
    register long a5 __asm__("a5") = f;
    __asm__ volatile("ecall"
                     : "+r"(a0)
                     : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5)
                     : "memory");
    return a0;
}

/** The word that the thread pointer points at. */
static inline uint64_t linux_tls_word(void)
{
    uint64_t *pointer;

    __asm__ volatile("mv %0, tp" : "=r"(pointer));
    return *pointer;
}
