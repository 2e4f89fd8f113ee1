/* Extended attributes (section "Extended Attributes"): in the inode's record behind its fields, in
 * one further block with a checksum, and values that are inodes of their own (section "Large
 * Extended Attribute Values"). Entries are decoded one at a time, each checked against the end of
 * its region, so a walk is bounded by the region. */
#include "internal.h"

#include <string.h>

#define XATTR_HEADER_INODE_BYTES 4u

struct prefix {
    uint8_t index;
    const char *text;
};

static const struct prefix prefixes[] = {
    {1, "user."},
    {2, "system.posix_acl_access"},
    {3, "system.posix_acl_default"},
    {4, "trusted."},
    {6, "security."},
    {7, "system."},
    {8, "system.richacl"},
};

static const char *prefix_text(uint8_t index)
{
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
        if (prefixes[i].index == index)
            return prefixes[i].text;
    return "";
}

status_t xattr_next(const struct xattr_region *region, size_t *offset, struct xattr *out)
{
    static const uint8_t end_mark[4];
    size_t left = region->length - *offset;
    if (left < sizeof(end_mark))
        return STATUS_NOT_FOUND;
    const struct disk_xattr_entry *entry =
        (const struct disk_xattr_entry *)(region->bytes + *offset);
    if (memcmp(entry, end_mark, sizeof(end_mark)) == 0)
        return STATUS_NOT_FOUND;
    size_t size =
        (sizeof(*entry) + (left < sizeof(*entry) ? 0u : entry->name_len) + 3u) & ~(size_t)3;
    if (left < size)
        return STATUS_CORRUPT;
    *out = (struct xattr){
        .index = entry->name_index,
        .name = (const char *)(entry + 1),
        .name_bytes = entry->name_len,
        .value_inode = le32(entry->value_inum),
        .value_bytes = le32(entry->value_size),
    };
    *offset += size;
    if (out->value_inode != 0 || out->value_bytes == 0)
        return STATUS_OK;
    size_t value = le16(entry->value_offs);
    if (value > region->length || out->value_bytes > region->length - value)
        return STATUS_CORRUPT;
    out->value = region->bytes + value;
    return STATUS_OK;
}

void xattr_inode_region(const struct ext4_inode *inode, struct xattr_region *out)
{
    const struct ext4_fs *fs = inode->fs;
    size_t start = INODE_BYTES_OLD + inode->extra_bytes;
    const uint8_t *header = inode_record(inode) + start;
    *out = (struct xattr_region){.bytes = NULL, .length = 0, .first = 0};
    if (inode->extra_bytes == 0 || start + XATTR_HEADER_INODE_BYTES > fs->inode_bytes)
        return;
    if (le32(*(const struct le32 *)header) != XATTR_MAGIC)
        return;
    out->bytes = header + XATTR_HEADER_INODE_BYTES;
    out->length = fs->inode_bytes - start - XATTR_HEADER_INODE_BYTES;
}

static bool xattr_block_is_good(const struct ext4_fs *fs, const struct buffer *buffer)
{
    const struct disk_xattr_header *header = (const struct disk_xattr_header *)buffer->data;
    if (le32(header->magic) != XATTR_MAGIC || le32(header->blocks) != 1)
        return false;
    if (!fs->metadata_csum)
        return true;
    struct le32 number[2] = {le32_make((uint32_t)buffer->block),
                             le32_make((uint32_t)(buffer->block >> 32))};
    struct le32 zero = le32_make(0);
    size_t head = offsetof(struct disk_xattr_header, checksum);
    size_t tail = head + sizeof(zero);
    uint32_t crc = crc32c(fs, fs->csum_seed, number, sizeof(number));
    crc = crc32c(fs, crc, buffer->data, head);
    crc = crc32c(fs, crc, &zero, sizeof(zero));
    crc = crc32c(fs, crc, buffer->data + tail, fs->block_bytes - tail);
    return crc == le32(header->checksum);
}

/* Pin the inode's attribute block; *@out stays null if it has none. Such a block may be shared by
 * inodes. */
static status_t xattr_block_get(struct ext4_inode *inode, struct buffer **out,
                                struct xattr_region *region)
{
    struct ext4_fs *fs = inode->fs;
    uint64_t block =
        le_pair(inode->disk.file_acl_lo,
                (fs->incompat & INCOMPAT_64BIT) != 0 ? le16(inode->disk.file_acl_high) : 0);
    *out = NULL;
    if (block == 0)
        return STATUS_OK;
    struct buffer *buffer;
    status_t s = cache_get(fs, block, &buffer);
    if (s != STATUS_OK)
        return s;
    if (!buffer_is_verified(buffer, BLOCK_XATTR, 0) && !xattr_block_is_good(fs, buffer)) {
        cache_drop(fs, buffer);
        return STATUS_CORRUPT;
    }
    buffer_set_verified(buffer, BLOCK_XATTR, 0);
    *region =
        (struct xattr_region){buffer->data, fs->block_bytes, sizeof(struct disk_xattr_header)};
    *out = buffer;
    return STATUS_OK;
}

/* Show @region's attributes to @visit until it answers anything but NOT_FOUND, which is the result.
 */
static status_t region_visit(const struct xattr_region *region,
                             status_t (*visit)(void *, const struct xattr *), void *context)
{
    struct xattr xattr;
    size_t offset = region->first;
    for (;;) {
        status_t s = xattr_next(region, &offset, &xattr);
        if (s == STATUS_OK)
            s = visit(context, &xattr);
        else
            return s;
        if (s != STATUS_NOT_FOUND)
            return s;
    }
}

static status_t xattr_visit(struct ext4_inode *inode,
                            status_t (*visit)(void *, const struct xattr *), void *context)
{
    struct xattr_region region;
    struct buffer *buffer;
    xattr_inode_region(inode, &region);
    status_t s = region_visit(&region, visit, context);
    if (s != STATUS_NOT_FOUND)
        return s;
    s = xattr_block_get(inode, &buffer, &region);
    if (s != STATUS_OK)
        return s;
    if (buffer == NULL)
        return STATUS_NOT_FOUND;
    s = region_visit(&region, visit, context);
    cache_put(inode->fs, buffer);
    return s;
}

static status_t value_read_inode(struct ext4_fs *fs, const struct xattr *xattr, void *buffer)
{
    struct ext4_inode *holder;
    size_t done = 0;
    status_t s = inode_open(fs, xattr->value_inode, &holder);
    if (s != STATUS_OK)
        return s == STATUS_NOT_FOUND ? STATUS_CORRUPT : s;
    if ((holder->flags & INODE_EA_INODE) == 0 || holder->size != xattr->value_bytes)
        s = STATUS_CORRUPT;
    else
        s = inode_read(holder, 0, buffer, xattr->value_bytes, &done);
    ext4_inode_close(holder);
    return s;
}

struct getting {
    struct ext4_fs *fs;
    const char *name;
    void *buffer;
    size_t capacity;
    size_t bytes;
};

static status_t get_visit(void *context, const struct xattr *xattr)
{
    struct getting *get = context;
    const char *prefix = prefix_text(xattr->index);
    size_t prefix_bytes = strlen(prefix);
    if (strncmp(get->name, prefix, prefix_bytes) != 0 ||
        strlen(get->name + prefix_bytes) != xattr->name_bytes ||
        memcmp(get->name + prefix_bytes, xattr->name, xattr->name_bytes) != 0)
        return STATUS_NOT_FOUND;
    get->bytes = xattr->value_bytes;
    if (get->bytes > get->capacity)
        return STATUS_RANGE;
    if (xattr->value_inode != 0)
        return value_read_inode(get->fs, xattr, get->buffer);
    if (get->bytes != 0)
        memcpy(get->buffer, xattr->value, get->bytes);
    return STATUS_OK;
}

status_t ext4_xattr_get(struct ext4_inode *inode, const char *name, void *buffer, size_t capacity,
                        size_t *bytes)
{
    struct getting get = {
        .fs = inode->fs, .name = name, .buffer = buffer, .capacity = capacity, .bytes = 0};
    status_t s = xattr_visit(inode, get_visit, &get);
    *bytes = get.bytes;
    return s;
}

struct listing {
    bool (*emit)(void *context, const char *name, size_t value_bytes);
    void *context;
};

static status_t list_visit(void *context, const struct xattr *xattr)
{
    const struct listing *list = context;
    const char *prefix = prefix_text(xattr->index);
    size_t prefix_bytes = strlen(prefix);
    char name[EXT4_XATTR_NAME_MAX];
    /* Inline data is kept as an attribute, but is none. */
    if (xattr->index == XATTR_INDEX_SYSTEM && xattr->name_bytes == 4 &&
        memcmp(xattr->name, "data", 4) == 0)
        return STATUS_NOT_FOUND;
    if (memchr(xattr->name, 0, xattr->name_bytes) != NULL)
        return STATUS_CORRUPT;
    memcpy(name, prefix, prefix_bytes);
    memcpy(name + prefix_bytes, xattr->name, xattr->name_bytes);
    name[prefix_bytes + xattr->name_bytes] = 0;
    return list->emit(list->context, name, xattr->value_bytes) ? STATUS_NOT_FOUND : STATUS_OK;
}

status_t ext4_xattr_iterate(struct ext4_inode *inode,
                            bool (*emit)(void *context, const char *name, size_t value_bytes),
                            void *context)
{
    struct listing list = {.emit = emit, .context = context};
    status_t s = xattr_visit(inode, list_visit, &list);
    return s == STATUS_NOT_FOUND ? STATUS_OK : s;
}
