#pragma once
#define LOADER_MACHINE 62u                    /* EM_X86_64 */
#define LOADER_KERNEL_ALIGN UINT64_C(0)       /* runs where it is linked */
#define LOADER_MEMORY_END (UINT64_C(4) << 30) /* what the kernel's boot tables map */
