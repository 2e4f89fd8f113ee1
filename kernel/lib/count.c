/* Counts of users, where the last one's end cannot be undone. Out of line: it is asked for in many places, none of them hot. */
#include "object.h"

__attribute__((noinline)) bool count_up_unless_zero(uint32_t *count)
{
    uint32_t now = __atomic_load_n(count, __ATOMIC_RELAXED);

    while (now != 0) {
        if (__atomic_compare_exchange_n(count, &now, now + 1, true, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            return true;
    }
    return false;
}
