/* gate: opaque; says: incompatible integer to pointer conversion|comparison between pointer and integer */
#include <veridian/abi.h>

status_t rule(int count);

/* A count is no status, and a status no count. */
status_t rule(int count)
{
#ifdef OBEYED
    return count < 0 ? STATUS_INVALID : STATUS_OK;
#else
    return count;
#endif
}
