/* build: kasan; says: KASAN: write of 1 bytes */
#include <kmem.h>

#include "plant.h"

status_t __wrap_sys_system_nop(struct thread *self)
{
    char *memory = kmem_alloc(NULL, 40);
    (void)self;
    if (memory == NULL)
        return STATUS_NO_MEMORY;
    ((volatile char *)memory)[40] = 1;
    kmem_free(NULL, memory, 40);
    return STATUS_OK;
}
