/* The boot archive, as written by tools/mkboot or any cpio program.
 *
 * Every entry is a header of 6 + 13 * 8 ASCII characters (hexadecimal numbers), a name that the header gives the length of (its zero byte
 * counted; what follows the first zero byte is padding), zero bytes to a multiple of 4, the data, zero bytes to a multiple of 4. The archive
 * ends with the entry TRAILER!!!. All numbers come from outside: nothing is added or read before it was checked against what is left. */
#include "cpio.h"

#include <kstring.h>

#define MAGIC "070701"
#define MAGIC_BYTES 6u
#define FIELD_BYTES 8u
#define FIELDS 13u
#define HEADER_BYTES (MAGIC_BYTES + FIELDS * FIELD_BYTES)
#define TRAILER "TRAILER!!!"
#define MODE_TYPE 0170000u
#define MODE_REGULAR 0100000u

enum field { FIELD_MODE = 1, FIELD_FILESIZE = 6, FIELD_NAMESIZE = 11 };

struct entry {
    uint32_t mode;
    const char *name;
    uint64_t name_length;
    const char *data;
    uint64_t data_bytes;
    uint64_t total; /* to the next entry */
};

static bool field_read(const char *header, enum field field, uint32_t *value)
{
    const char *digits = header + MAGIC_BYTES + field * FIELD_BYTES;

    *value = 0;
    for (unsigned i = 0; i < FIELD_BYTES; i++) {
        char c = digits[i];
        uint32_t digit;

        if (c >= '0' && c <= '9')
            digit = (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (uint32_t)(c - 'a') + 10;
        else if (c >= 'A' && c <= 'F')
            digit = (uint32_t)(c - 'A') + 10;
        else
            return false;
        *value = *value << 4 | digit;
    }
    return true;
}

static uint64_t round_up_4(uint64_t value)
{
    return (value + 3) & ~UINT64_C(3);
}

/* The entry at @offset of the archive. */
static const char *entry_read(const char *archive, uint64_t bytes, uint64_t offset,
                              struct entry *entry)
{
    const char *header = archive + offset;
    uint64_t left = bytes - offset;
    uint32_t file_bytes, name_bytes;

    if (left < HEADER_BYTES)
        return "it ends without a trailer";
    if (memcmp(header, MAGIC, MAGIC_BYTES) != 0)
        return "an entry does not begin with 070701 (cpio newc)";
    if (!field_read(header, FIELD_MODE, &entry->mode) ||
        !field_read(header, FIELD_FILESIZE, &file_bytes) ||
        !field_read(header, FIELD_NAMESIZE, &name_bytes))
        return "a header field is not a hexadecimal number";
    /* Three 32-bit numbers and their rounding do not overflow 64 bits. */
    uint64_t data_at = round_up_4(offset + HEADER_BYTES + name_bytes) - offset;

    if (name_bytes == 0 || HEADER_BYTES + (uint64_t)name_bytes > left || data_at > left ||
        file_bytes > left - data_at)
        return "an entry reaches beyond its end";
    entry->name = header + HEADER_BYTES;
    entry->name_length = strnlen(entry->name, name_bytes);
    if (entry->name_length == name_bytes)
        return "a name has no end";
    entry->data = header + data_at;
    entry->data_bytes = file_bytes;
    entry->total = round_up_4(offset + data_at + file_bytes) - offset;
    return NULL;
}

static bool name_is(const struct entry *entry, const char *name)
{
    return entry->name_length == strlen(name) && memcmp(entry->name, name, entry->name_length) == 0;
}

const char *cpio_find(const void *archive, uint64_t bytes, const char *name, const void **data,
                      uint64_t *data_bytes)
{
    struct entry entry;

    if (bytes == 0)
        return "there is none";
    for (uint64_t offset = 0; offset < bytes; offset += entry.total) {
        const char *wrong = entry_read(archive, bytes, offset, &entry);

        if (wrong != NULL)
            return wrong;
        if (name_is(&entry, TRAILER))
            return "the file is not in it";
        if (!name_is(&entry, name))
            continue;
        if ((entry.mode & MODE_TYPE) != MODE_REGULAR)
            return "it is not a regular file there";
        *data = entry.data;
        *data_bytes = entry.data_bytes;
        return NULL;
    }
    return "it ends without a trailer";
}
