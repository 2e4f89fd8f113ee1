/* build: release; says: PANIC on CPU [0-9]+: (instruction abort|(instruction )?page fault) outside of the kernel at 0x[0-9a-f]{4,12} */
#include <arch.h>
#include <arch_accessors.h>
#include <thread.h>

#include "plant.h"

/* The instruction after the call: it is there, and the user may execute it; the kernel must not (SMEP, PXN, and RISC-V always). */
status_t __wrap_sys_system_nop(struct thread *self)
{
    struct thread_regs regs;
    arch_regs_get(self, &regs);
    ((void (*)(void))(uintptr_t)regs.pc)();
    return STATUS_OK;
}
