#include <os/archive.h>

#include <stdbool.h>
#include <string.h>

#define HEADER_BYTES 110u
#define FIELD_BYTES 8u
#define FIELDS_START 6u
/** Numbers of fields in an entry's header. */
#define FIELD_FILE_BYTES 6u
#define FIELD_NAME_BYTES 11u

/** The number of eight hexadecimal digits. */
static bool parse_field(const uint8_t *header, size_t field, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < FIELD_BYTES; i++) {
        uint8_t digit = header[FIELDS_START + field * FIELD_BYTES + i];
        uint8_t low = (uint8_t)(digit | 0x20);
        if (digit >= '0' && digit <= '9') {
            *value = *value << 4 | (uint64_t)(digit - '0');
        } else if (low >= 'a' && low <= 'f') {
            *value = *value << 4 | (uint64_t)(low - 'a' + 10);
        } else {
            return false;
        }
    }
    return true;
}

struct entry {
    const char *name;
    uint64_t name_bytes; /**< its NUL and padding included */
    uint64_t data;
    uint64_t data_bytes;
    uint64_t end;
};

static uint64_t round_up(uint64_t value)
{
    return (value + 3) & ~UINT64_C(3);
}

/** The entry at @offset; all of it lies inside the archive. */
static bool parse_entry(const uint8_t *archive, uint64_t bytes, uint64_t offset,
                        struct entry *entry)
{
    if (offset > bytes || bytes - offset < HEADER_BYTES ||
        memcmp(archive + offset, "070701", FIELDS_START) != 0 ||
        !parse_field(archive + offset, FIELD_FILE_BYTES, &entry->data_bytes) ||
        !parse_field(archive + offset, FIELD_NAME_BYTES, &entry->name_bytes)) {
        return false;
    }
    uint64_t name = offset + HEADER_BYTES;
    if (entry->name_bytes == 0 || entry->name_bytes > bytes - name ||
        archive[name + entry->name_bytes - 1] != 0) {
        return false;
    }
    entry->name = (const char *)archive + name;
    entry->data = round_up(name + entry->name_bytes);
    if (entry->data > bytes || entry->data_bytes > bytes - entry->data) {
        return false;
    }
    entry->end = round_up(entry->data + entry->data_bytes);
    return true;
}

status_t archive_find(const void *archive, uint64_t bytes, const char *name, uint64_t *offset,
                      uint64_t *file_bytes)
{
    struct entry entry;
    for (uint64_t at = 0; parse_entry(archive, bytes, at, &entry); at = entry.end) {
        if (strcmp(entry.name, "TRAILER!!!") == 0) {
            return STATUS_NOT_FOUND;
        }
        if (strcmp(entry.name, name) == 0) {
            *offset = entry.data;
            *file_bytes = entry.data_bytes;
            return STATUS_OK;
        }
    }
    return STATUS_CORRUPT;
}

status_t archive_image(handle_t memory, const void *archive, uint64_t bytes, const char *name,
                       struct process_image *image)
{
    *image = (struct process_image){.memory = memory};
    status_t status = archive_find(archive, bytes, name, &image->offset, &image->bytes);
    if (status_is_ok(status) && image->offset % PAGE_SIZE != 0) {
        status = STATUS_CORRUPT;
    }
    return status;
}
