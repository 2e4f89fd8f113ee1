/* gate: gcc-kernel; says: comparison of (integer expressions of different signedness|promoted) */
#include <stdbool.h>
#include <stdint.h>

bool rule(uint16_t tail, uint16_t head, uint32_t capacity);

/* The difference of 16-bit indices is an int: negative once the tail has wrapped, so a full ring reads as not full. */
bool rule(uint16_t tail, uint16_t head, uint32_t capacity)
{
#ifdef OBEYED
    return (uint16_t)(tail - head) >= capacity;
#else
    return tail - head >= capacity;
#endif
}
