/* In place of src/thread/<arch>/clone.s: a thread of the C library is a thread of ours (lib/os/thread.c). */
#include <stdarg.h>
#include "pthread_impl.h"

long os_clone(int (*run)(void *), void *stack, void *argument, int *tid, void *tls, volatile int *clear_at_exit);

int __clone(int (*run)(void *), void *stack, int flags, void *argument, ...)
{
    va_list more;
    int *tid, *clear_at_exit;
    void *tls;

    va_start(more, argument);
    tid = va_arg(more, int *);
    tls = va_arg(more, void *);
    clear_at_exit = va_arg(more, int *);
    va_end(more);
    return os_clone(run, stack, argument, tid, tls, clear_at_exit);
}
