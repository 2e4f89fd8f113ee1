/* gate: clang-kernel; says: Wformat */
#include <kernel.h>

void rule(uint64_t bytes);

void rule(uint64_t bytes)
{
#ifdef OBEYED
    klog("%llu bytes", (unsigned long long)bytes);
#else
    klog("%d bytes", bytes);
#endif
}
