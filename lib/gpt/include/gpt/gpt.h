#pragma once
/* Finding a partition on a disk with a GUID partition table (UEFI 2.10, section 5.3).
 *
 * The table is written by others and is checked before it is believed: signature, sizes, where it says that it is, both checksums, and that
 * the partition lies where partitions may. If the first copy fails any of this the one at the disk's end is used. */
#include <stddef.h>
#include <stdint.h>
#include <veridian/abi.h>

#define GPT_GUID_BYTES 16u

struct gpt_disk {
    void *context;
    /** Any range inside the disk. */
    status_t (*read)(void *context, uint64_t offset, void *buffer, size_t bytes);
    uint64_t size_bytes;
    uint32_t block_bytes; /* a power of two, at least 512 */
};

struct gpt_partition {
    uint64_t offset, bytes; /* inside the disk */
    bool from_backup;       /* the first copy of the table is damaged */
};

/** "Linux filesystem data", 0FC63DAF-8483-4772-8E79-3D69D8477DE4, as it is on disk (Appendix A). */
extern const uint8_t gpt_type_linux[GPT_GUID_BYTES];

/** The first partition of @type. UNSUPPORTED: the disk has no such table (no protective MBR, 5.2.3); NOT_FOUND: it has none of that type;
 *  CORRUPT: both copies are damaged, or the partition is not inside the disk; what @read answers. */
MUST_CHECK status_t gpt_find(const struct gpt_disk *disk, const uint8_t type[GPT_GUID_BYTES],
                             struct gpt_partition *partition);
