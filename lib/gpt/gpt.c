/* See gpt.h. Numbers are little-endian on disk and read as such by the machines that we run on; offsets are those of the tables 5.5 and 5.6.
 * The entries are read once: checked sum and search go over the same bytes. */
#include <gpt/gpt.h>
#include <stdbool.h>
#include <string.h>

#define MBR_RECORDS 446u
#define MBR_RECORD_BYTES 16u
#define MBR_TYPE 4u
#define MBR_TYPE_PROTECTIVE 0xeeu
#define HEADER_BYTES 92u
#define ENTRY_BYTES_MIN 128u
#define ENTRY_BYTES_MAX 4096u
/** Of the whole array; the usual one has 16 KiB. */
#define ENTRIES_BYTES_MAX (1u << 20)

const uint8_t gpt_type_linux[GPT_GUID_BYTES] = {0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84, 0x72, 0x47,
                                                0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d, 0xe4};

/** 5.3.2, table 5.5. */
struct __attribute__((packed)) header {
    char signature[8];
    uint32_t revision, header_bytes, header_crc, reserved;
    uint64_t own_block, other_block, first_usable, last_usable;
    uint8_t guid[GPT_GUID_BYTES];
    uint64_t entries_block;
    uint32_t entry_count, entry_bytes, entries_crc;
};
_Static_assert(sizeof(struct header) == HEADER_BYTES, "GPT header");

/** 5.3.3, table 5.6. */
struct __attribute__((packed)) entry {
    uint8_t type[GPT_GUID_BYTES], guid[GPT_GUID_BYTES];
    uint64_t first, last, attributes;
    uint16_t name[36];
};
_Static_assert(sizeof(struct entry) == ENTRY_BYTES_MIN, "GPT entry");

/* The CRC-32 of ISO 3309, as everywhere in UEFI; start and end by inverting. */
static uint32_t crc32(uint32_t crc, const void *data, size_t bytes)
{
    const uint8_t *at = data;

    crc = ~crc;
    for (size_t i = 0; i < bytes; i++) {
        crc ^= at[i];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static status_t has_protective_mbr(const struct gpt_disk *disk, bool *found)
{
    uint8_t mbr[512];

    *found = false;
    if (disk->size_bytes < sizeof(mbr))
        return STATUS_OK;
    status_t status = disk->read(disk->context, 0, mbr, sizeof(mbr));
    if (status != STATUS_OK || mbr[510] != 0x55 || mbr[511] != 0xaa)
        return status;
    for (unsigned i = 0; i < 4; i++)
        *found |= mbr[MBR_RECORDS + i * MBR_RECORD_BYTES + MBR_TYPE] == MBR_TYPE_PROTECTIVE;
    return STATUS_OK;
}

/** @header is that of @block, not damaged, and describes what fits into the disk. */
static bool header_is_good(const struct gpt_disk *disk, struct header *header, uint64_t block)
{
    uint32_t crc = header->header_crc;
    uint64_t blocks = disk->size_bytes / disk->block_bytes;

    /* Longer headers exist in later revisions only. */
    if (memcmp(header->signature, "EFI PART", 8) != 0 || header->revision >> 16 != 1 ||
        header->header_bytes != HEADER_BYTES)
        return false;
    header->header_crc = 0;
    if (crc32(0, header, HEADER_BYTES) != crc || header->own_block != block)
        return false;
    if (header->entry_bytes < ENTRY_BYTES_MIN || header->entry_bytes > ENTRY_BYTES_MAX ||
        (header->entry_bytes & (header->entry_bytes - 1)) != 0 ||
        header->entry_count > ENTRIES_BYTES_MAX / header->entry_bytes)
        return false;
    uint64_t entries = (uint64_t)header->entry_count * header->entry_bytes;

    return header->first_usable <= header->last_usable && header->last_usable < blocks &&
           header->entries_block < blocks &&
           entries <= disk->size_bytes - header->entries_block * disk->block_bytes;
}

/** 5.3.3: inside the usable blocks. */
static bool entry_is_good(const struct header *header, const struct entry *entry)
{
    return entry->first >= header->first_usable && entry->last <= header->last_usable &&
           entry->first <= entry->last;
}

/** Check the entries of a good header and keep the first of @type: NOT_FOUND if there is none. */
static status_t search(const struct gpt_disk *disk, const struct header *header,
                       const uint8_t *type, struct entry *found)
{
    uint64_t at = header->entries_block * disk->block_bytes;
    status_t result = STATUS_NOT_FOUND;
    uint32_t crc = 0;

    for (uint32_t i = 0; i < header->entry_count; i++, at += header->entry_bytes) {
        uint8_t bytes[ENTRY_BYTES_MAX];
        status_t status = disk->read(disk->context, at, bytes, header->entry_bytes);

        if (status != STATUS_OK)
            return status;
        crc = crc32(crc, bytes, header->entry_bytes);
        if (result == STATUS_NOT_FOUND && memcmp(bytes, type, GPT_GUID_BYTES) == 0) {
            memcpy(found, bytes, sizeof(*found));
            result = entry_is_good(header, found) ? STATUS_OK : STATUS_CORRUPT;
        }
    }
    return crc == header->entries_crc ? result : STATUS_CORRUPT;
}

/** What the copy of the table with its header in @block says. */
static status_t find_in_copy(const struct gpt_disk *disk, uint64_t block, const uint8_t *type,
                             struct gpt_partition *partition)
{
    struct header header;
    struct entry entry;
    status_t status = disk->read(disk->context, block * disk->block_bytes, &header, sizeof(header));

    if (status != STATUS_OK)
        return status;
    if (!header_is_good(disk, &header, block))
        return STATUS_CORRUPT;
    status = search(disk, &header, type, &entry);
    if (status != STATUS_OK)
        return status;
    partition->offset = entry.first * disk->block_bytes;
    partition->bytes = (entry.last - entry.first + 1) * disk->block_bytes;
    return STATUS_OK;
}

status_t gpt_find(const struct gpt_disk *disk, const uint8_t type[GPT_GUID_BYTES],
                  struct gpt_partition *partition)
{
    uint64_t blocks = disk->size_bytes / disk->block_bytes;
    bool present;
    status_t status = has_protective_mbr(disk, &present);

    if (status != STATUS_OK)
        return status;
    if (!present)
        return STATUS_UNSUPPORTED;
    if (blocks < 3)
        return STATUS_CORRUPT;
    partition->from_backup = false;
    status = find_in_copy(disk, 1, type, partition);
    if (status == STATUS_CORRUPT || status == STATUS_IO) {
        partition->from_backup = true;
        status = find_in_copy(disk, blocks - 1, type, partition);
    }
    return status;
}
