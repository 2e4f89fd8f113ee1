/* From the firmware's translation to none. What is executed or read before the kernel has translation on is read from memory, past the caches,
 * so it is cleaned to the point of coherency first; and nothing of the kernel may stay in a cache, or it would come to light later over what
 * the kernel wrote meanwhile (Linux: Documentation/arm64/booting.rst). */
#include "../../loader.h"

/* off.S */
extern const uint8_t enter_off_end[];
NORETURN void enter_off(uint64_t entry, const struct handoff *handoff);

const char *enter_prepare(const struct loader *loader)
{
    (void)loader;
    return NULL;
}

/* Arm ARM (DDI 0487), D24.2.34: CTR_EL0.DminLine is the logarithm of a line's words. */
static void clean_and_invalidate(uint64_t base, uint64_t bytes)
{
    uint64_t ctr;

    __asm__ volatile("mrs %0, ctr_el0" : "=r"(ctr));
    uint64_t line = UINT64_C(4) << (ctr >> 16 & 15);

    for (uint64_t at = base & ~(line - 1); at < base + bytes; at += line)
        __asm__ volatile("dc civac, %0" : : "r"(at) : "memory");
    __asm__ volatile("dsb sy" : : : "memory");
}

void enter_kernel(const struct loader *loader)
{
    uint64_t code = (uint64_t)&enter_off;

    __asm__ volatile("msr daifset, #15");
    clean_and_invalidate(loader->kernel, loader->kernel_bytes);
    clean_and_invalidate((uint64_t)loader->handoff, loader->handoff->bytes);
    clean_and_invalidate(code, (uint64_t)enter_off_end - code);
    enter_off(loader->entry, loader->handoff);
}
