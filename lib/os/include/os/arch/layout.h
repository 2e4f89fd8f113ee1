#pragma once
#if defined(__x86_64__)
#include <os/arch/x86_64/layout.h>
#else
#error "no address space layout for this architecture"
#endif
