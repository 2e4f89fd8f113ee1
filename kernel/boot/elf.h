#pragma once
/* Reading a program of the boot archive: a 64-bit ELF file that is static (ET_EXEC) or a static position-independent executable (ET_DYN). */
#include <kernel.h>

#define ELF_SEGMENTS_MAX 16u
/** Longest stretch of addresses that a program may span. */
#define ELF_SPAN_MAX (UINT64_C(1) << 30)

/** One PT_LOAD. */
struct elf_segment {
    uint64_t file_offset, file_bytes; /* inside the file */
    uint64_t address, memory_bytes;   /* as linked; memory_bytes >= file_bytes, not 0 */
    uint32_t prot;                    /* MAP_READ with MAP_WRITE or MAP_EXECUTE, never both */
};

struct elf_image {
    bool relocatable; /* ET_DYN: may be loaded anywhere */
    uint64_t entry;   /* as linked, inside an executable segment */
    uint64_t headers; /* address of the program headers as linked; 0: not loaded */
    uint32_t header_count;
    uint32_t segment_count;
    /* by rising address; no two touch the same page */
    struct elf_segment segments[ELF_SEGMENTS_MAX];
};

/** Check the file of @bytes at @file wholly and fill @image. NULL, or what is wrong, for a person. */
const char *elf_parse(const void *file, uint64_t bytes, struct elf_image *image);
