/* build: kasan; says: KASAN: read of 1 bytes */
#include <kmem.h>

#include "plant.h"

status_t __wrap_sys_system_nop(struct thread *self)
{
    char *memory = kmem_alloc(NULL, 64);
    (void)self;
    if (memory == NULL)
        return STATUS_NO_MEMORY;
    kmem_free(NULL, memory, 64);
    return *(volatile char *)memory == 0 ? STATUS_OK : STATUS_CORRUPT;
}
