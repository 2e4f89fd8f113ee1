/* libFuzzer target of lib/gpt: the disk is the input, in blocks of 512 bytes. The first byte asks for right checksums in both copies: else no table
 * would ever be believed. A fault is what the sanitisers see, a read outside of the disk, or a partition outside of it. */
#include "target.h"

#include <gpt/gpt.h>
#include <seal.h>

#define BLOCK 512u

static uint8_t *disk;
static uint64_t disk_bytes;

static status_t read_disk(void *context, uint64_t offset, void *buffer, size_t bytes)
{
    (void)context;
    HOLDS(offset <= disk_bytes && bytes <= disk_bytes - offset);
    memcpy(buffer, disk + offset, bytes);
    return STATUS_OK;
}

/* UEFI 2.10, table 5.5. */
static void seal(uint64_t block)
{
    uint8_t *header = disk + block * BLOCK;
    uint64_t entries, bytes;
    uint32_t header_bytes, count, each;
    memcpy(&header_bytes, header + 12, 4);
    memcpy(&entries, header + 72, 8);
    memcpy(&count, header + 80, 4);
    memcpy(&each, header + 84, 4);
    bytes = (uint64_t)count * each;
    if (entries < disk_bytes / BLOCK && bytes <= disk_bytes - entries * BLOCK)
        gpt_seal_entries(header, disk + entries * BLOCK, bytes);
    if (header_bytes <= BLOCK && header_bytes >= 20)
        gpt_seal_header(header, header_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gpt_disk it = {.read = read_disk, .block_bytes = BLOCK};
    struct gpt_partition partition;
    disk_bytes = (size == 0 ? 0 : size - 1) / BLOCK * BLOCK;
    if (disk_bytes < 3 * BLOCK)
        return 0;
    disk = malloc(disk_bytes);
    HOLDS(disk != NULL);
    memcpy(disk, data + 1, disk_bytes);
    it.size_bytes = disk_bytes;
    if ((data[0] & 1) != 0)
        seal(1);
    if ((data[0] & 2) != 0)
        seal(disk_bytes / BLOCK - 1);
    if (gpt_find(&it, gpt_type_linux, &partition) == STATUS_OK)
        HOLDS(partition.offset < disk_bytes && partition.bytes != 0 &&
              partition.bytes <= disk_bytes - partition.offset);
    free(disk);
    return 0;
}
