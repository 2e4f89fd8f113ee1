/* gate: clang-kernel; says: Wsign-conversion */
#include <stdint.h>

uint64_t rule(int64_t offset);

uint64_t rule(int64_t offset)
{
#ifdef OBEYED
    return offset < 0 ? 0 : (uint64_t)offset;
#else
    return offset;
#endif
}
