#pragma once
#define LOADER_MACHINE 183u                    /* EM_AARCH64 */
#define LOADER_KERNEL_ALIGN UINT64_C(0x200000) /* runs anywhere at a multiple of this */
#define LOADER_MEMORY_END (UINT64_C(1) << 39)  /* what the kernel's boot tables can map */
