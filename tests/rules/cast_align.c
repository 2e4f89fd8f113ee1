/* gate: clang-kernel; says: Wcast-align */
#include <stdint.h>

uint64_t rule(const unsigned char *bytes);

uint64_t rule(const unsigned char *bytes)
{
#ifdef OBEYED
    uint64_t value;
    __builtin_memcpy(&value, bytes, sizeof(value));
    return value;
#else
    return *(const uint64_t *)bytes;
#endif
}
