#pragma once
#if defined(__x86_64__)
#include <os/arch/x86_64/layout.h>
#elif defined(__riscv)
#include <os/arch/riscv64/layout.h>
#elif defined(__aarch64__)
#include <os/arch/aarch64/layout.h>
#else
#error "no address space layout for this architecture"
#endif
