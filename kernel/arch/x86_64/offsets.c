/* Offsets of structure members, for entry.S: absolute symbols, so that they can never be out of date. */
#include <arch_cpu.h>
#include <thread.h>

#define SYMBOL(name, value) \
    __asm__ volatile(".globl " #name "\n\t.set " #name ", %c0" : : "i"(value))
#define CONTEXT(register)      \
    SYMBOL(CONTEXT_##register, \
           offsetof(struct thread, context) + offsetof(struct arch_context, register))

void arch_offsets(void);

__attribute__((used)) void arch_offsets(void)
{
    CONTEXT(rax);
    CONTEXT(rbx);
    CONTEXT(rcx);
    CONTEXT(rdx);
    CONTEXT(rsi);
    CONTEXT(rdi);
    CONTEXT(rbp);
    CONTEXT(rsp);
    CONTEXT(r8);
    CONTEXT(r9);
    CONTEXT(r10);
    CONTEXT(r11);
    CONTEXT(r12);
    CONTEXT(r13);
    CONTEXT(r14);
    CONTEXT(r15);
    CONTEXT(rip);
    CONTEXT(rflags);
    CONTEXT(fs_base);
    CONTEXT(gs_base);
    CONTEXT(by_syscall);
    SYMBOL(THREAD_syscall_limit, offsetof(struct thread, syscall_limit));
}

/* entry.S and boot.S use these as numbers. */
_Static_assert(offsetof(struct cpu, self) == 0, "cpu.self");
_Static_assert(offsetof(struct cpu, kernel_stack) == 8, "cpu.kernel_stack");
_Static_assert(offsetof(struct cpu, scratch) == 24, "cpu.scratch");
_Static_assert(offsetof(struct cpu, current) == 16, "cpu.current");
_Static_assert(offsetof(struct cpu, work) == 52, "cpu.work");
_Static_assert(offsetof(struct cpu, stack_guard) == 40, "cpu.stack_guard");
