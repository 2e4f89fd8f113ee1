/* build: release; says: PANIC on CPU [0-9]+: .* in the kernel at 0x[0-9a-f]+ \(poke\+(0x)?[0-9a-f]+\), address 0x10 */
#include "plant.h"

/* A function of its own: one that calls nothing may have no frame, and the backtrace begins with its caller. */
static __attribute__((noinline)) uint64_t poke(uint64_t address)
{
    return *(volatile uint64_t *)address;
}

status_t __wrap_sys_system_nop(struct thread *self)
{
    uint64_t address = 16;
    (void)self;
    __asm__ volatile("" : "+r"(address)); /* the compiler does not know where it points */
    return poke(address) == 0 ? STATUS_OK : STATUS_CORRUPT;
}
