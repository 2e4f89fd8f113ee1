#include "../../loader.h"

const char *enter_prepare(const struct loader *loader)
{
    (void)loader;
    return NULL;
}

void enter_kernel(const struct loader *loader)
{
    __asm__ volatile("cli\n\tjmpq *%0" : : "r"(loader->entry), "D"(loader->handoff) : "memory");
    __builtin_unreachable();
}
