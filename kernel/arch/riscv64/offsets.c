/* Offsets of structure members, for entry.S: absolute symbols, so that they can never be out of date. */
#include <arch_cpu.h>
#include <kasan.h>
#include <thread.h>

#include "layout.h"
#include "local.h"

#define SYMBOL(name, value) \
    __asm__ volatile(".globl " #name "\n\t.set " #name ", %0" : : "i"(value))
#define CONTEXT(register)      \
    SYMBOL(CONTEXT_##register, \
           offsetof(struct thread, context) + offsetof(struct arch_context, register))

void arch_offsets(void);

__attribute__((used)) void arch_offsets(void)
{
    CONTEXT(pc);
    CONTEXT(ra);
    CONTEXT(sp);
    CONTEXT(gp);
    CONTEXT(tp);
    CONTEXT(t0);
    CONTEXT(t1);
    CONTEXT(t2);
    CONTEXT(s0);
    CONTEXT(s1);
    CONTEXT(a0);
    CONTEXT(a1);
    CONTEXT(a2);
    CONTEXT(a3);
    CONTEXT(a4);
    CONTEXT(a5);
    CONTEXT(a6);
    CONTEXT(a7);
    CONTEXT(s2);
    CONTEXT(s3);
    CONTEXT(s4);
    CONTEXT(s5);
    CONTEXT(s6);
    CONTEXT(s7);
    CONTEXT(s8);
    CONTEXT(s9);
    CONTEXT(s10);
    CONTEXT(s11);
    CONTEXT(t3);
    CONTEXT(t4);
    CONTEXT(t5);
    CONTEXT(t6);
    SYMBOL(THREAD_syscall_limit, offsetof(struct thread, syscall_limit));
}

/* The whole context is in reach of a load's 12-bit offset. */
_Static_assert(offsetof(struct thread, syscall_limit) <= 2040, "context");

/* entry.S and boot.S use these as numbers. */
_Static_assert(offsetof(struct cpu, self) == 0, "cpu.self");
_Static_assert(offsetof(struct cpu, kernel_stack) == 8, "cpu.kernel_stack");
_Static_assert(offsetof(struct cpu, scratch) == 24, "cpu.scratch");
_Static_assert(offsetof(struct cpu, current) == 16, "cpu.current");
_Static_assert(offsetof(struct cpu, work) == 52, "cpu.work");
_Static_assert(offsetof(struct cpu, scratch2) == 32, "cpu.scratch2");
_Static_assert(sizeof(struct trap_frame) == 288, "trap_frame");
_Static_assert(offsetof(struct trap_frame, status) == 256, "trap_frame.status");
_Static_assert(OVERFLOW_STACK_OFFSET == 12288, "overflow stack");
_Static_assert(KERNEL_STACK_PAGES == (KASAN_IS_ON ? 8 : 4), "kernel stack");
/* Entry code uses them where a late fault (kernelmap_is_late) would be the end: they are not blocks of the heap. */
_Static_assert(sizeof(struct thread) + KASAN_HEAP_GAP <= PAGE_SIZE, "thread");
_Static_assert(sizeof(struct cpu) + KASAN_HEAP_GAP <= PAGE_SIZE, "cpu");
