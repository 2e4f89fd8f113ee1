/* build: release; says: PANIC on CPU [0-9]+: .* in the kernel at 0x[0-9a-f]+ \(__wrap_sys_system_nop\+0x[0-9a-f]+\), address 0x10 */
#include "plant.h"

status_t __wrap_sys_system_nop(struct thread *self)
{
    uint64_t address = 16;
    (void)self;
    __asm__ volatile("" : "+r"(address)); /* the compiler does not know where it points */
    return *(volatile uint64_t *)address == 0 ? STATUS_OK : STATUS_CORRUPT;
}
