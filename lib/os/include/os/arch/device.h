#pragma once
/* Memory and registers of a device, in one order. C's fences order memory with memory; that a device told by its register finds what was
 * written to memory before is up to the architecture. */

/** What this thread has written to memory, a device sees before it sees later writes to its registers. */
static inline void device_fence(void)
{
#if defined(__x86_64__)
    __asm__ volatile(""
                     :
                     :
                     : "memory"); /* stores are in order, uncached ones too (SDM vol. 3, 9.2.2) */
#elif defined(__aarch64__)
    __asm__ volatile("dmb oshst"
                     :
                     :
                     : "memory"); /* device and memory are in one outer shareable domain */
#elif defined(__riscv)
    __asm__ volatile("fence ow, ow"
                     :
                     :
                     : "memory"); /* C's are among memory accesses, r and w, alone */
#else
#error "no device fence for this architecture"
#endif
}
