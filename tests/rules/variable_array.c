/* gate: clang-kernel; says: Wvla */
#include <stddef.h>

char rule(size_t count);

char rule(size_t count)
{
#ifdef OBEYED
    char buffer[16] = {0};
    return buffer[count % sizeof(buffer)];
#else
    char buffer[count];
    buffer[0] = 0;
    return buffer[0];
#endif
}
