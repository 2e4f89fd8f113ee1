#pragma once
/* Checking an ELF file before anything of it is used. Nothing of the file is believed: every offset, size and address is checked here,
 * so that what struct elf_image says can be mapped without a further thought. (System V ABI, "Object Files".) */
#include <stddef.h>
#include <stdint.h>
#include <veridian/abi.h>

#define ELF_SEGMENTS_MAX 16u
/** A program spans at most this much. */
#define ELF_SPAN_MAX (UINT64_C(1) << 32)
/** The headers lie within this many bytes from the start of the file. */
#define ELF_HEAD_BYTES 4096u

struct elf_segment {
    uint64_t
        address; /**< relative to where the image is loaded; congruent to file_offset modulo a page */
    uint64_t file_offset;
    uint64_t file_bytes;   /**< at most memory_bytes; inside the file */
    uint64_t memory_bytes; /**< not 0; what is not in the file is zero */
    uint32_t prot;         /**< MAP_READ, MAP_WRITE, MAP_EXECUTE; never the last two together */
    uint32_t reserved;
};

struct elf_image {
    uint64_t entry;   /**< inside an executable segment */
    uint64_t span;    /**< all segments end at or below this; a multiple of a page */
    uint64_t headers; /**< address of the program headers; 0: not in memory */
    uint32_t header_count;
    uint32_t segment_count;
    /** By address; no two share a page. */
    struct elf_segment segments[ELF_SEGMENTS_MAX];
};

/** Check a static position-independent program of @file_bytes for a machine of type @machine, whose first bytes (all of it, or
 *  ELF_HEAD_BYTES at least) are at @head. CORRUPT: malformed; UNSUPPORTED: for another machine, or it needs a loader. */
MUST_CHECK status_t elf_parse(const void *head, size_t head_bytes, uint64_t file_bytes,
                              uint32_t machine, struct elf_image *image);
