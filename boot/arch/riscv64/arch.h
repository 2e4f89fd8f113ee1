#pragma once
#define LOADER_MACHINE 243u                   /* EM_RISCV */
#define LOADER_KERNEL_ALIGN UINT64_C(0)       /* runs where it is linked */
#define LOADER_MEMORY_END (UINT64_C(1) << 37) /* what the kernel's boot tables map */
