/* build: release; says: PANIC on CPU [0-9]+: .* in the kernel at 0x[0-9a-f]+ \(look\+(0x)?[0-9a-f]+\), address 0xffffffff[0-9a-f]{8} */
#include <mm/kernelmap.h>

#include "plant.h"

static __attribute__((noinline)) uint64_t look(const char *at)
{
    return *(const volatile uint64_t *)(const volatile void *)at;
}

/* What ran at boot alone cannot be read by its own address either: it is not there. */
status_t __wrap_sys_system_nop(struct thread *self)
{
    (void)self;
    return look(text_end) == 0 ? STATUS_OK : STATUS_CORRUPT;
}
