/* See vfs/archive.h. The archive is read once into an array of nodes; node n is inode n + 1, and the root is node 0.
 *
 * Layout of an entry: "070701", 13 fields of 8 hexadecimal digits, the name with its NUL and padding, zeros to a multiple
 * of 4, the data, zeros to a multiple of 4 (tools/mkboot). The last entry is called "TRAILER!!!". */
#include <stdlib.h>
#include <string.h>
#include <vfs/archive.h>
#include <vfs/list.h>

#define HEADER_BYTES 110u
#define MAGIC_BYTES 6u
#define FIELD_BYTES 8u
#define FIELD_MODE 1
#define FIELD_FILE_BYTES 6
#define FIELD_NAME_BYTES 11
#define NODES_MAX 65536u
#define MODE_TYPE 0170000u
#define MODE_DIRECTORY 0040000u
#define MODE_FILE 0100000u
#define MODE_SYMLINK 0120000u

struct node {
    /* The last component of the path, in the archive, not terminated. */
    struct vfs_name name;
    uint32_t parent;
    uint32_t type;
    uint32_t mode;
    uint64_t offset;
    uint64_t bytes;
};

struct archive_fs {
    struct vfs_fs fs;
    const uint8_t *data;
    uint64_t bytes;
    struct node *nodes;
    uint32_t count;
    uint32_t capacity;
};

/* An entry as the archive says it. */
struct entry {
    struct vfs_name path;
    uint64_t mode;
    uint64_t offset;
    uint64_t bytes;
    uint64_t end;
};

static bool parse_field(const uint8_t *header, size_t field, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < FIELD_BYTES; i++) {
        uint8_t digit = header[MAGIC_BYTES + field * FIELD_BYTES + i];
        uint8_t low = digit | 0x20;
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

static uint64_t align(uint64_t value)
{
    return (value + 3) & ~UINT64_C(3);
}

static bool parse_entry(const struct archive_fs *archive, uint64_t at, struct entry *entry)
{
    uint64_t name_bytes;
    const uint8_t *header = archive->data + at;
    if (at > archive->bytes || archive->bytes - at < HEADER_BYTES ||
        memcmp(header, "070701", MAGIC_BYTES) != 0 ||
        !parse_field(header, FIELD_MODE, &entry->mode) ||
        !parse_field(header, FIELD_FILE_BYTES, &entry->bytes) ||
        !parse_field(header, FIELD_NAME_BYTES, &name_bytes)) {
        return false;
    }
    uint64_t name = at + HEADER_BYTES;
    if (name_bytes == 0 || name_bytes > archive->bytes - name) {
        return false;
    }
    const char *text = (const char *)archive->data + name;
    entry->path = (struct vfs_name){.text = text, .bytes = strnlen(text, name_bytes)};
    entry->offset = align(name + name_bytes);
    if (entry->path.bytes == name_bytes || entry->offset > archive->bytes ||
        entry->bytes > archive->bytes - entry->offset) {
        return false;
    }
    entry->end = align(entry->offset + entry->bytes);
    return true;
}

static bool name_is(struct vfs_name name, const char *text, size_t bytes)
{
    return name.bytes == bytes && memcmp(name.text, text, bytes) == 0;
}

/* The node of @name in @parent; archive->count: none. */
static uint32_t child(const struct archive_fs *archive, uint32_t parent, struct vfs_name name)
{
    for (uint32_t n = 1; n < archive->count; n++) {
        const struct node *node = &archive->nodes[n];
        if (node->parent == parent && name_is(node->name, name.text, name.bytes)) {
            return n;
        }
    }
    return archive->count;
}

static status_t add_node(struct archive_fs *archive, const struct node *node)
{
    if (archive->count == archive->capacity) {
        uint32_t capacity = archive->capacity ? archive->capacity * 2 : 64;
        struct node *nodes = reallocarray(archive->nodes, capacity, sizeof *nodes);
        if (!nodes || capacity > NODES_MAX) {
            free(nodes ? nodes : archive->nodes);
            archive->nodes = NULL;
            return nodes ? STATUS_CORRUPT : STATUS_NO_MEMORY;
        }
        archive->nodes = nodes;
        archive->capacity = capacity;
    }
    archive->nodes[archive->count++] = *node;
    return STATUS_OK;
}

static bool component_valid(struct vfs_name name)
{
    return name.bytes > 0 && name.bytes <= FS_NAME_BYTES && !name_is(name, ".", 1) &&
           !name_is(name, "..", 2);
}

static uint32_t type_of(uint64_t mode)
{
    switch (mode & MODE_TYPE) {
    case MODE_FILE:
        return FS_TYPE_FILE;
    case MODE_DIRECTORY:
        return FS_TYPE_DIRECTORY;
    case MODE_SYMLINK:
        return FS_TYPE_SYMLINK;
    default:
        return FS_TYPE_UNKNOWN;
    }
}

/* Make the node of @entry. The directories above it come first in an archive. */
static status_t add_entry(struct archive_fs *archive, const struct entry *entry)
{
    uint32_t parent = 0;
    struct vfs_name rest = entry->path;
    for (;;) {
        const char *slash = memchr(rest.text, '/', rest.bytes);
        struct vfs_name name = {.text = rest.text,
                                .bytes = slash ? (size_t)(slash - rest.text) : rest.bytes};
        uint32_t found = component_valid(name) ? child(archive, parent, name) : archive->count;
        if (!slash) {
            rest = name;
            break;
        }
        if (found == archive->count || archive->nodes[found].type != FS_TYPE_DIRECTORY) {
            return STATUS_CORRUPT;
        }
        parent = found;
        rest = (struct vfs_name){.text = slash + 1, .bytes = rest.bytes - name.bytes - 1};
    }
    uint32_t type = type_of(entry->mode);
    if (!component_valid(rest) || child(archive, parent, rest) != archive->count ||
        type == FS_TYPE_UNKNOWN) {
        return STATUS_CORRUPT;
    }
    struct node node = {
        .name = rest,
        .parent = parent,
        .type = type,
        .mode = (uint32_t)entry->mode & 07777,
        .offset = entry->offset,
        .bytes = type == FS_TYPE_DIRECTORY ? 0 : entry->bytes,
    };
    return add_node(archive, &node);
}

static status_t read_entries(struct archive_fs *archive)
{
    struct node root = {.name = {.text = "", .bytes = 0}, .type = FS_TYPE_DIRECTORY, .mode = 0555};
    status_t status = add_node(archive, &root);
    uint64_t at = 0;
    while (status_is_ok(status)) {
        struct entry entry;
        if (!parse_entry(archive, at, &entry)) {
            return STATUS_CORRUPT;
        }
        if (name_is(entry.path, "TRAILER!!!", 10)) {
            return STATUS_OK;
        }
        status = add_entry(archive, &entry);
        at = entry.end;
    }
    return status;
}

static const struct vfs_fs_ops archive_ops;

status_t archive_fs_open(const void *data, uint64_t bytes, struct archive_fs **result)
{
    struct archive_fs *archive = calloc(1, sizeof *archive);
    if (!archive) {
        return STATUS_NO_MEMORY;
    }
    archive->fs.ops = &archive_ops;
    archive->data = data;
    archive->bytes = bytes;
    status_t status = read_entries(archive);
    if (!status_is_ok(status)) {
        archive_fs_close(archive);
        return status;
    }
    *result = archive;
    return STATUS_OK;
}

void archive_fs_close(struct archive_fs *archive)
{
    free(archive->nodes);
    free(archive);
}

struct vfs_fs *archive_fs_vfs(struct archive_fs *archive)
{
    return &archive->fs;
}

static const struct archive_fs *archive_of(struct vfs_fs *fs)
{
    return VFS_CONTAINER(fs, struct archive_fs, fs);
}

/* The node @id; NULL: there is none. */
static const struct node *node_of(const struct archive_fs *archive, struct vfs_id id)
{
    return id.inode > 0 && id.inode <= archive->count && id.generation == 0
               ? &archive->nodes[id.inode - 1]
               : NULL;
}

static void attributes_of(const struct archive_fs *archive, const struct node *node,
                          struct fs_attributes *attributes)
{
    bool directory = node->type == FS_TYPE_DIRECTORY;
    *attributes = (struct fs_attributes){
        .inode = (uint64_t)(node - archive->nodes) + 1,
        .bytes = node->bytes,
        .allocated_bytes = node->bytes,
        .type = node->type,
        .mode = node->mode,
        .links = directory ? 2 : 1,
    };
}

static status_t op_root(struct vfs_fs *fs, struct vfs_call *call, struct fs_attributes *attributes)
{
    (void)call;
    attributes_of(archive_of(fs), archive_of(fs)->nodes, attributes);
    return STATUS_OK;
}

static status_t op_lookup(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id directory,
                          struct vfs_name name, struct fs_attributes *attributes)
{
    (void)call;
    const struct archive_fs *archive = archive_of(fs);
    const struct node *parent = node_of(archive, directory);
    if (!parent || parent->type != FS_TYPE_DIRECTORY) {
        return parent ? STATUS_WRONG_TYPE : STATUS_GONE;
    }
    uint32_t found = child(archive, (uint32_t)(parent - archive->nodes), name);
    if (found == archive->count) {
        return STATUS_NOT_FOUND;
    }
    attributes_of(archive, &archive->nodes[found], attributes);
    return STATUS_OK;
}

static status_t op_attributes(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id id,
                              struct fs_attributes *attributes)
{
    (void)call;
    const struct node *node = node_of(archive_of(fs), id);
    if (!node) {
        return STATUS_GONE;
    }
    attributes_of(archive_of(fs), node, attributes);
    return STATUS_OK;
}

status_t archive_fs_range(const struct archive_fs *archive, struct vfs_id id, uint64_t *offset,
                          uint64_t *bytes)
{
    const struct node *node = node_of(archive, id);
    if (!node || node->type != FS_TYPE_FILE) {
        return node ? STATUS_WRONG_TYPE : STATUS_GONE;
    }
    *offset = node->offset;
    *bytes = node->bytes;
    return STATUS_OK;
}

static status_t op_read(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id id, uint64_t offset,
                        uint64_t bytes, struct vfs_sink *sink, uint64_t *done)
{
    (void)call;
    uint64_t start, size;
    *done = 0;
    status_t status = archive_fs_range(archive_of(fs), id, &start, &size);
    if (!status_is_ok(status) || offset >= size) {
        return status;
    }
    if (bytes > size - offset) {
        bytes = size - offset;
    }
    status = sink->put(sink, 0, archive_of(fs)->data + start + offset, (size_t)bytes);
    *done = status_is_ok(status) ? bytes : 0;
    return status;
}

static size_t put_entry(const struct archive_fs *archive, uint32_t number, uint8_t *buffer,
                        size_t room)
{
    const struct node *node = &archive->nodes[number];
    size_t record = (sizeof(struct fs_entry) + node->name.bytes + 7) / 8 * 8;
    if (record > room) {
        return 0;
    }
    struct fs_entry entry = {
        .inode = (uint64_t)number + 1,
        .next = (uint64_t)number + 1,
        .type = node->type,
        .record_bytes = (uint16_t)record,
        .name_bytes = (uint16_t)node->name.bytes,
    };
    memset(buffer, 0, record);
    memcpy(buffer, &entry, sizeof entry);
    memcpy(buffer + sizeof entry, node->name.text, node->name.bytes);
    return record;
}

static status_t op_readdir(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id id,
                           uint64_t cursor, void *buffer, size_t bytes, size_t *used,
                           uint64_t *next)
{
    (void)call;
    const struct archive_fs *archive = archive_of(fs);
    const struct node *directory = node_of(archive, id);
    *used = 0;
    *next = cursor;
    if (!directory || directory->type != FS_TYPE_DIRECTORY) {
        return directory ? STATUS_WRONG_TYPE : STATUS_GONE;
    }
    uint32_t parent = (uint32_t)(directory - archive->nodes);
    for (uint64_t n = cursor ? cursor : 1; n < archive->count; n++) {
        if (archive->nodes[n].parent != parent) {
            continue;
        }
        size_t record = put_entry(archive, (uint32_t)n, (uint8_t *)buffer + *used, bytes - *used);
        if (record == 0) {
            return *used ? STATUS_OK : STATUS_RANGE;
        }
        *used += record;
        *next = n + 1;
    }
    return STATUS_OK;
}

static status_t op_readlink(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id id,
                            char *buffer, size_t bytes, size_t *length)
{
    (void)call;
    const struct node *node = node_of(archive_of(fs), id);
    *length = 0;
    if (!node || node->type != FS_TYPE_SYMLINK) {
        return node ? STATUS_WRONG_TYPE : STATUS_GONE;
    }
    if (node->bytes > bytes) {
        return STATUS_RANGE;
    }
    memcpy(buffer, archive_of(fs)->data + node->offset, node->bytes);
    *length = node->bytes;
    return STATUS_OK;
}

static status_t op_statfs(struct vfs_fs *fs, struct vfs_call *call,
                          struct fs_statistics *statistics)
{
    (void)call;
    *statistics = (struct fs_statistics){
        .block_bytes = 4096,
        .blocks = archive_of(fs)->bytes / 4096,
        .inodes = archive_of(fs)->count,
        .properties = FS_PROPERTY_READ_ONLY,
        .kind = "archive",
    };
    return STATUS_OK;
}

static const struct vfs_fs_ops archive_ops = {
    .root = op_root,
    .lookup = op_lookup,
    .attributes = op_attributes,
    .read = op_read,
    .readdir = op_readdir,
    .readlink = op_readlink,
    .statfs = op_statfs,
};
