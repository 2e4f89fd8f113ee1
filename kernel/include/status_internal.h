#pragma once
/* Kernel-internal outcomes of a system call handler, beside the statuses of the ABI. They never reach user space. */
#include <veridian/abi.h>

#ifdef STATUS_OPAQUE
#define STATUS_INTERNAL(n) ((status_t)(uintptr_t)(n))
#else
#define STATUS_INTERNAL(n) ((status_t)(n))
#endif

/** The calling thread was queued: whoever wakes it writes its results. The handler must not touch the thread any more. */
#define KERNEL_BLOCKED STATUS_INTERNAL(1)
/** The whole call is executed again when the thread next runs. The thread is runnable, or queued to be woken. */
#define KERNEL_RESTART STATUS_INTERNAL(2)
/** The thread's registers are complete as they stand (a reply was written, registers were set, the thread ended). */
#define KERNEL_DONE STATUS_INTERNAL(3)

static inline bool status_is_internal(status_t s)
{
    return s == KERNEL_BLOCKED || s == KERNEL_RESTART || s == KERNEL_DONE;
}
