#pragma once
/* What the UEFI loader (boot/) leaves for the kernel: one block of whole pages, in which everything is named by its offset from the block's
 * beginning. The block is memory of the type EfiLoaderData, so RAM like any other once it is read; only the device tree stays.
 *
 *   0               struct handoff
 *   fdt_offset      a copy of the firmware's device tree, on pages of its own; fdt_bytes 0: there was none
 *   map_offset      the memory map as ExitBootServices left it: descriptors of UEFI 2.10, section 7.2.3
 *
 * The kernel is entered at its ELF file's entry, as if by its direct-boot path, with the block's address where that one has its own:
 *   x86_64    rdi; long mode on the firmware's tables, which map the kernel and the block (below 4 GiB) at their own addresses
 *   aarch64   x0; EL1 or EL2, translation and data cache off, the image clean to the point of coherency
 *   riscv64   a1, and the hart in a0 (all ones: unknown); S-mode, satp 0
 * Interrupts are off. Loader and kernel are parts of one file; the version tells that they were not made together. */
#include <veridian/abi.h>

#define HANDOFF_MAGIC UINT64_C(0x66666f646e614856) /* "VHandoff" */
#define HANDOFF_VERSION 1u
#define HANDOFF_CMDLINE_BYTES 2048u

struct handoff {
    uint64_t magic;
    uint32_t version;
    uint32_t bytes; /* of the block */
    uint32_t fdt_offset, fdt_bytes;
    uint32_t map_offset, map_bytes, map_entry_bytes;
    uint32_t seed_bytes; /* of @seed that the firmware's generator filled */
    uint64_t archive, archive_bytes;
    uint64_t acpi_rsdp; /* 0: none */
    struct framebuffer framebuffer;
    uint8_t seed[32];
    char cmdline[HANDOFF_CMDLINE_BYTES];
};

/** The first fields of a memory descriptor; map_entry_bytes says where the next one is. */
struct handoff_memory {
    uint32_t type;
    uint32_t reserved;
    uint64_t base;
    uint64_t virtual_base;
    uint64_t pages; /* of 4096 bytes */
    uint64_t attributes;
};
_Static_assert(sizeof(struct handoff_memory) == 40, "EFI_MEMORY_DESCRIPTOR, version 1");
