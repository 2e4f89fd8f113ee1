/* Offsets of structure members: what entry.S has as numbers is checked, what it takes by name is given. */
#include <arch_cpu.h>
#include <kasan.h>
#include <thread.h>

#include "local.h"

void arch_offsets(void);

__attribute__((used)) void arch_offsets(void)
{
    __asm__ volatile(".globl THREAD_CONTEXT\n\t.set THREAD_CONTEXT, %c0"
                     :
                     : "i"(offsetof(struct thread, context)));
}

_Static_assert(offsetof(struct arch_context, sp) == 248, "CONTEXT_SP");
_Static_assert(offsetof(struct arch_context, pc) == 256, "CONTEXT_PC");
_Static_assert(offsetof(struct arch_context, pstate) == 264, "CONTEXT_PC + 8");
_Static_assert(offsetof(struct arch_context, tls) == 272, "CONTEXT_TLS");
_Static_assert(offsetof(struct arch_context, key) == 280, "CONTEXT_KEY");
_Static_assert(offsetof(struct arch_context, zeros) == 296, "CONTEXT_ZEROS");
_Static_assert(offsetof(struct thread, context) < 4096, "an immediate in entry.S");
_Static_assert(offsetof(struct thread, context) % 16 == 0, "SP is aligned in the kernel");
_Static_assert(offsetof(struct thread, syscall_limit) - offsetof(struct thread, context) == 320,
               "SYSCALL_LIMIT");
_Static_assert(offsetof(struct trap_frame, sp) == 248, "FRAME_SP");
_Static_assert(offsetof(struct trap_frame, pc) == 256, "FRAME_PC");
_Static_assert(offsetof(struct trap_frame, esr) == 272, "FRAME_ESR");
_Static_assert(sizeof(struct trap_frame) == 288, "FRAME_BYTES");
_Static_assert(offsetof(struct cpu, self) == 0, "cpu.self");
_Static_assert(offsetof(struct cpu, kernel_stack) == 8, "cpu.kernel_stack");
_Static_assert(offsetof(struct cpu, scratch) == 24, "cpu.scratch");
_Static_assert(offsetof(struct cpu, current) == 16, "cpu.current");
_Static_assert(offsetof(struct cpu, work) == 52, "cpu.work");
_Static_assert(offsetof(struct cpu, stack_guard) == 40, "cpu.stack_guard");
_Static_assert(offsetof(struct cpu, entry_words) == 80, "CPU_KEY");
/* Entry code uses them where a late fault (kernelmap_is_late) would be the end: they are not blocks of the heap. */
_Static_assert(sizeof(struct thread) + KASAN_HEAP_GAP <= PAGE_SIZE, "thread");
_Static_assert(sizeof(struct cpu) + KASAN_HEAP_GAP <= PAGE_SIZE, "cpu");
