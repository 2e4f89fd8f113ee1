#pragma once
/* Memory and registers of a device, in one order. C's fences order memory with memory; that a device told by its register finds what was
 * written to memory before is up to the architecture. */

/** What this thread has written to memory, a device sees before it sees later writes to its registers: C's fences are among memory accesses, r and w, alone. */
static inline void device_fence(void)
{
    __asm__ volatile("fence ow, ow" ::: "memory");
}
