/* gate: clang-kernel; says: Wunused-result */
#include <arch.h>

void rule(void);

void rule(void)
{
    uint32_t value;
#ifdef OBEYED
    if (!status_is_ok(arch_port_in(0, 1, &value)))
        arch_cpu_relax();
#else
    arch_port_in(0, 1, &value);
#endif
}
