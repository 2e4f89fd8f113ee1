/* gate: clang-kernel; says: Wshorten-64-to-32|Wimplicit-int-conversion */
#include <stdint.h>

uint32_t rule(uint64_t bytes);

uint32_t rule(uint64_t bytes)
{
#ifdef OBEYED
    return bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes;
#else
    return bytes;
#endif
}
