/* build: release; says: PANIC on CPU [0-9]+: .* in the kernel at 0x[0-9a-f]+ \(look\+(0x)?[0-9a-f]+\), address 0x[0-9a-f]{4,12}$ */
#include <arch.h>
#include <arch_accessors.h>
#include <mm/aspace.h>
#include <thread.h>

#include "plant.h"

static __attribute__((noinline)) uint64_t look(uint64_t address)
{
    return *(volatile uint64_t *)address;
}

/* The user's stack is there, and the kernel reaches it by walking; by its address it must not (SMAP, PAN, SUM). */
status_t __wrap_sys_system_nop(struct thread *self)
{
    struct thread_regs regs;
    uint64_t value;
    arch_regs_get(self, &regs);
    if (!status_is_ok(aspace_copy_in(self->aspace, self, &value, regs.sp, sizeof(value), NULL)))
        return STATUS_CORRUPT;
    return look(regs.sp) == value ? STATUS_OK : STATUS_CORRUPT;
}
