/* build: release; says: PANIC on CPU [0-9]+: (instruction abort|(instruction )?page fault) outside of the kernel at 0xffff[0-9a-f]{12} */
#include <kmem.h>
#include <kstring.h>

#include "plant.h"

static __attribute__((noinline)) void nothing(void)
{
    __asm__ volatile("");
}

/* What the kernel can write it must not execute, instructions though it may hold. */
status_t __wrap_sys_system_nop(struct thread *self)
{
    void *copy = kmem_alloc(NULL, 64);
    (void)self;
    if (copy == NULL)
        return STATUS_NO_MEMORY;
    memcpy(copy, (const void *)(uintptr_t)nothing, 16);
    ((void (*)(void))(uintptr_t)copy)();
    return STATUS_OK;
}
