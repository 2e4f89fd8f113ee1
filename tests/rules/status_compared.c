/* gate: opaque; says: comparison between pointer and integer */
#include <veridian/abi.h>

int rule(status_t status);

int rule(status_t status)
{
#ifdef OBEYED
    return status_is_ok(status);
#else
    return status == 0x10;
#endif
}
